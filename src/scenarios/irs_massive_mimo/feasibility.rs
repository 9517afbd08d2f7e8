//! Feasible phases under a limit on the echo's gain, or the proof that there are none, in closed form.

use std::sync::Arc;

use super::echo::Needed;
use super::linearised::{ClosedForm, Parts};
use super::offers::Known;
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, Feasible, Majorizer};

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

/// Steps up from each candidate for a start.
const STEPS: usize = 20;

impl Assessor {
    /// A feasible start: the strongest plane wave, moved to the aligned phases as far as the limit asks; with a limit also the
    /// aligned phases themselves. Each climbs a few steps, and the better one is kept. Computed once a system and limit.
    fn climbed(&mut self) -> Result<Design> {
        if let Some(known) = self.known.start(self.limit) {
            return Ok(Design::new(known));
        }
        let mut wave = self.design(|p| start(&self.known, p));
        let chosen = if self.limit > 0.0 && self.known.has_forms() {
            self.repair(&mut wave);
            let mut steps = ClosedForm::new(Parts::new(&self.known, self.limit, false));
            let mut best = (f64::NEG_INFINITY, wave.clone());
            for mut design in [self.design(|p| self.known.echo.aligned(p)), wave] {
                let mut next = design.clone();
                for _ in 0..STEPS {
                    steps.maximize(&design, &mut next)?;
                    design.copy_from(&next);
                }
                self.repair(&mut design);
                let value = self.known.gains().least(&design);
                if value > best.0 && self.known.echo.gain_at(&design) >= self.limit * (1.0 - 1e-9) {
                    best = (value, design);
                }
            }
            best.1
        } else {
            if self.limit > 0.0 {
                self.known.echo.aligned(&mut wave);
            }
            wave
        };
        self.known.keep_start(self.limit, &chosen);
        Ok(chosen)
    }
}

impl Feasibility for Assessor {
    fn assess(&mut self) -> Result<Feasible> {
        if self.known.echo.is_measured() && self.limit > 0.0 {
            let design = self.design(|p| self.known.echo.aligned(p));
            let reached = self.known.echo.gain_at(&design) >= self.limit;
            return if reached { self.climbed().map(Feasible::Yes) } else { Ok(Feasible::Unknown) };
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
            Needed::AtLeast(_) => Feasible::Yes(self.climbed()?),
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
