//! Feasible phases under a limit on the echo's gain, or the proof that there are none, in closed form.

use std::sync::Arc;

use super::echo::{Echo, Needed};
use super::gain::Gains;
use super::system::System;
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, Feasible};

/// Feasibility under `||u||² >= limit`.
pub(super) struct Assessor {
    pub system: Arc<System>,
    pub echo: Arc<Echo>,
    pub limit: f64,
}

impl Assessor {
    fn design(&self, write: impl FnOnce(&mut [f64])) -> Design {
        let mut phases = vec![0.0; self.system.elements()];
        write(&mut phases);
        Design::new(phases)
    }
}

impl Feasibility for Assessor {
    fn assess(&mut self) -> Result<Feasible> {
        Ok(match self.echo.needed(self.limit) {
            Needed::Unreachable => {
                let largest = self.echo.largest_gain();
                Feasible::No {
                    least_violating: self.design(|p| self.echo.aligned(p)),
                    ratio: self.limit / largest,
                    certificate: Certificate {
                        kind: "largest_sensing_gain",
                        values: vec![("sensing_gain", vec![largest]), ("limit", vec![self.limit])],
                    },
                }
            }
            Needed::AtLeast(least) if least > 0.0 => Feasible::Yes(self.design(|p| self.echo.aligned(p))),
            // No condition but a turn: the phases of the strongest plane wave, a good start for the gain.
            Needed::AtLeast(_) => Feasible::Yes(self.design(|p| start(&self.system, &self.echo, p))),
        })
    }

    /// Moves every phase by the same share of the way to the aligned ones, as little as suffices.
    fn repair(&mut self, design: &mut Design) -> bool {
        let Needed::AtLeast(least) = self.echo.needed(self.limit) else { return false };
        self.echo.turn(design);
        if self.echo.gain(self.echo.scalar(design)) >= self.limit {
            return true;
        }
        let mut aligned = design.clone();
        self.echo.aligned(&mut aligned);
        let blend = |share: f64| {
            let mut mixed = design.clone();
            for (x, a) in mixed.iter_mut().zip(aligned.iter()) {
                // The nearest of the aligned phase's copies.
                let way = (a - *x).rem_euclid(std::f64::consts::TAU);
                let way = if way > std::f64::consts::PI { way - std::f64::consts::TAU } else { way };
                *x += share * way;
            }
            self.echo.turn(&mut mixed);
            mixed
        };
        let enough = |d: &Design| self.echo.gain(self.echo.scalar(d)) >= self.limit * (1.0 - 1e-12);
        let (mut low, mut high) = (0.0, 1.0);
        if least <= 0.0 || !enough(&blend(high)) {
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
fn start(system: &System, echo: &Echo, phases: &mut [f64]) {
    let gains = Gains::new(system);
    super::baselines::best_plane_wave(system, &gains, phases);
    echo.turn(phases);
}
