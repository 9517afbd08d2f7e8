//! Feasible phases under a limit on the echo's gain, or the proof that there are none, in closed form.

use std::sync::Arc;

use super::echo::Needed;
use super::offers::Known;
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, Feasible};

/// Feasibility under `||u||² >= limit`.
pub(super) struct Assessor {
    pub known: Arc<Known>,
    pub limit: f64,
}

impl Assessor {
    fn design(&self, write: impl FnOnce(&mut [f64])) -> Design {
        let mut phases = vec![0.0; self.known.system.elements()];
        write(&mut phases);
        Design::new(phases)
    }
}

impl Feasibility for Assessor {
    fn assess(&mut self) -> Result<Feasible> {
        if self.known.echo.is_measured() && self.limit > 0.0 {
            let design = self.design(|p| self.known.echo.aligned(p));
            let reached = self.known.echo.gain_at(&design) >= self.limit;
            return Ok(if reached { Feasible::Yes(design) } else { Feasible::Unknown });
        }
        Ok(match self.known.echo.needed(self.limit) {
            Needed::Unreachable => {
                let largest = self.known.echo.largest_gain();
                Feasible::No {
                    least_violating: self.design(|p| self.known.echo.aligned(p)),
                    ratio: self.limit / largest,
                    certificate: Certificate {
                        kind: "largest_sensing_gain",
                        values: vec![("sensing_gain", vec![largest]), ("limit", vec![self.limit])],
                    },
                }
            }
            Needed::AtLeast(least) if least > 0.0 => Feasible::Yes(self.design(|p| self.known.echo.aligned(p))),
            // No condition but a turn: the phases of the strongest plane wave, a good start for the gain.
            Needed::AtLeast(_) => Feasible::Yes(self.design(|p| start(&self.known, p))),
        })
    }

    /// Moves every phase by the same share of the way to the aligned ones, as little as suffices.
    fn repair(&mut self, design: &mut Design) -> bool {
        if self.limit <= 0.0 {
            return true;
        }
        if !self.known.echo.is_measured() && self.known.echo.needed(self.limit) == Needed::Unreachable {
            return false;
        }
        self.known.echo.turn(design);
        if self.known.echo.gain_at(design) >= self.limit {
            return true;
        }
        let mut aligned = design.clone();
        self.known.echo.aligned(&mut aligned);
        let blend = |share: f64| {
            let mut mixed = design.clone();
            for (x, a) in mixed.iter_mut().zip(aligned.iter()) {
                // The nearest of the aligned phase's copies.
                let way = (a - *x).rem_euclid(std::f64::consts::TAU);
                let way = if way > std::f64::consts::PI { way - std::f64::consts::TAU } else { way };
                *x += share * way;
            }
            self.known.echo.turn(&mut mixed);
            mixed
        };
        let enough = |d: &Design| self.known.echo.gain_at(d) >= self.limit * (1.0 - 1e-12);
        let (mut low, mut high) = (0.0, 1.0);
        if !enough(&blend(high)) {
            design.copy_from(&aligned);
            return enough(design);
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if enough(&blend(middle)) { high = middle } else { low = middle }
        }
        *design = blend(high);
        true
    }
}

/// Phases without a limit: the best of a few plane waves, turned for the echo.
fn start(known: &Known, phases: &mut [f64]) {
    if known.has_forms() {
        super::baselines::best_plane_wave(&known.system, &known.gains(), phases);
    }
    known.echo.turn(phases);
}
