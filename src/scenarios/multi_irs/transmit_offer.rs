//! The transmit side at fixed phases as an offer: feasibility by the uplink's fixed point, the exact optimum, and the
//! same as a lift.

use std::sync::Arc;

use super::aim::Goal;
use super::heard::Heard;
use super::heard::squared;
use super::instance::{Receiver, Target};
use super::system::{C, System};
use super::transmit::{Limits, Outcome, Transmit};
use super::uplink::{LeastPower, least_power};
use crate::design::{Design, hermitian, pack_hermitian};
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::problem::Evaluation;
use crate::structure::{Certificate, Exact, ExactOutcome, Feasibility, Feasible, Lift, Relaxed};

use super::heard::Matrix;

impl System {
    /// Writes beams and covariance into a design.
    pub(super) fn write(&self, beams: &[Vec<C>], covariance: &Matrix, design: &mut Design) {
        let (first_beam, first_covariance) = self.offsets();
        for (pair, w) in design[first_beam..first_covariance].chunks_exact_mut(2).zip(beams.iter().flatten()) {
            pair.copy_from_slice(&[w.re, w.im]);
        }
        pack_hermitian(covariance, &mut design[first_covariance..]);
    }

    /// A design of these phases with nothing sent.
    pub(super) fn silent(&self, phases: &[f64]) -> Design {
        let m = self.instance.antennas;
        let mut design = vec![0.0; self.offsets().1 + m * m];
        design[..phases.len()].copy_from_slice(phases);
        Design::new(design)
    }

    /// A feasible design at given phases: the beams of least power; what is left goes to all directions where users can
    /// cancel it, else to the beams.
    pub(super) fn least_power_design(&self, least: &LeastPower, limits: &Limits, phases: &[f64]) -> Option<Design> {
        let (beams, covariance) = self.least_power_beams(least, limits)?;
        let mut design = self.silent(phases);
        self.write(&beams, &covariance, &mut design);
        Some(design)
    }

    /// Its beams and covariance.
    pub(super) fn least_power_beams(&self, least: &LeastPower, limits: &Limits) -> Option<(Vec<Vec<C>>, Matrix)> {
        let m = self.instance.antennas;
        let mut beams = least.beams.clone()?;
        let mut covariance = Matrix::zeros(m, m);
        let left = (limits.power - least.power).max(0.0);
        if least.power == 0.0 || self.instance.receiver == Receiver::TypeII {
            covariance = Matrix::identity(m, m) * C::new(left / m as f64, 0.0);
        } else {
            let factor = (limits.power / least.power).sqrt();
            beams.iter_mut().flatten().for_each(|x| *x *= factor);
        }
        Some((beams, covariance))
    }

    /// The design with the least violation at infeasible phases, by beams: all SINRs at the same share of their limits;
    /// and the factor by which the limits must be loosened.
    pub(super) fn least_violating(&self, heard: &Heard, limits: &Limits, phases: &[f64]) -> (Design, f64) {
        let noise = self.instance.communication_noise_power;
        let at = |share: f64| {
            let floors: Vec<f64> = limits.sinr.iter().map(|x| x * share).collect();
            least_power(&heard.users, &floors, noise, limits.power)
        };
        let (mut low, mut high) = (-60.0_f64, 0.0_f64);
        let mut best = None;
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            let least = at(middle.exp());
            if least.power <= limits.power && least.beams.is_some() {
                low = middle;
                best = Some(least);
            } else {
                high = middle;
            }
        }
        let design = match best {
            Some(least) => self.least_power_design(&least, limits, phases),
            None => None,
        };
        (design.unwrap_or_else(|| self.silent(phases)), (-low).exp())
    }
}

/// What proves that no beams reach the floors at given phases: uplink powers whose sum bounds the least power; that
/// itself, where it is at most a billion budgets.
fn infeasible_at(system: &System, heard: &Heard, limits: &Limits) -> Certificate {
    let noise = system.instance.communication_noise_power;
    infeasibility(&least_power(&heard.users, &limits.sinr, noise, 1e9 * limits.power), limits)
}

/// Uplink powers whose sum bounds the least power.
pub(super) fn infeasibility(least: &LeastPower, limits: &Limits) -> Certificate {
    let values = vec![
        ("least_power", vec![least.power]),
        ("transmit_power", vec![limits.power]),
        ("uplink_power", least.multipliers.clone()),
    ];
    Certificate { kind: "infeasibility", values }
}

/// What proves that floors and illuminations exclude each other within the budget: multipliers of the transmit program.
fn dark(multipliers: Vec<f64>) -> Certificate {
    Certificate { kind: "infeasibility", values: vec![("multipliers", multipliers)] }
}

/// The offers at fixed phases.
pub(super) struct AtPhases {
    pub system: Arc<System>,
    pub limits: Limits,
    pub goal: Goal,
    pub phases: Vec<f64>,
    /// The optimum, once found.
    pub found: Option<Box<Transmit>>,
}

impl AtPhases {
    fn target(&self) -> Target {
        match self.goal {
            Goal::Bound(target) => target,
            Goal::Ratio => self.system.instance.target,
        }
    }
}

impl Feasibility for AtPhases {
    fn assess(&mut self) -> Result<Feasible> {
        let heard = self.system.heard(&self.phases);
        let noise = self.system.instance.communication_noise_power;
        let least = least_power(&heard.users, &self.limits.sinr, noise, self.limits.power);
        if least.power > self.limits.power {
            let (least_violating, ratio) = self.system.least_violating(&heard, &self.limits, &self.phases);
            let certificate = infeasible_at(&self.system, &heard, &self.limits);
            return Ok(Feasible::No { least_violating, ratio, certificate });
        }
        if self.limits.illuminate() {
            // The transmit program decides.
            return Ok(Feasible::Unknown);
        }
        Ok(match self.system.least_power_design(&least, &self.limits, &self.phases) {
            Some(design) => Feasible::Yes(design),
            None => Feasible::Unknown,
        })
    }

    fn repair(&mut self, _design: &mut Design) -> bool {
        false
    }
}

impl Exact for AtPhases {
    fn solve(&mut self, out: &mut Design) -> Result<ExactOutcome> {
        let heard = self.system.heard(&self.phases);
        match self.system.transmit(&heard, &self.limits, self.target()) {
            Outcome::Best(best) => {
                out.copy_from(&self.system.silent(&self.phases));
                self.system.write(&best.beams, &best.covariance, out);
                let certificate = self.certificate(&best);
                Ok(ExactOutcome::Optimal { bound: best.bound, certificate })
            }
            Outcome::Infeasible => {
                let (design, _) = self.system.least_violating(&heard, &self.limits, &self.phases);
                out.copy_from(&design);
                Ok(ExactOutcome::Infeasible { certificate: infeasible_at(&self.system, &heard, &self.limits) })
            }
            Outcome::Dark(multipliers) => {
                self.brightest(&heard, out);
                Ok(ExactOutcome::Infeasible { certificate: dark(multipliers) })
            }
            Outcome::Failed(why) => Err(Error::Numerical(why.into())),
        }
    }
}

impl AtPhases {
    /// The floors held as cheaply as possible, the rest of the budget as beams and targets would have it without limits.
    fn brightest(&self, heard: &Heard, out: &mut Design) {
        let noise = self.system.instance.communication_noise_power;
        let least = least_power(&heard.users, &self.limits.sinr, noise, self.limits.power);
        if let Some(design) = self.system.least_power_design(&least, &self.limits, &self.phases) {
            out.copy_from(&design);
        }
    }

    fn certificate(&self, best: &Transmit) -> Certificate {
        let values = vec![
            ("bound", vec![best.bound]),
            ("target_multipliers", best.targets.clone()),
            ("sinr_multipliers", best.floors.clone()),
        ];
        Certificate { kind: "dual", values }
    }
}

impl Lift for AtPhases {
    fn relax(&mut self) -> Result<Relaxed> {
        let heard = self.system.heard(&self.phases);
        Ok(match self.system.transmit(&heard, &self.limits, self.target()) {
            Outcome::Best(best) => {
                let certificate = self.certificate(&best);
                let (bound, rank) = (best.bound, best.rank);
                self.found = Some(best);
                Relaxed::Solved { bound, rank, exact: true, certificate }
            }
            Outcome::Infeasible => Relaxed::Infeasible(infeasible_at(&self.system, &heard, &self.limits)),
            Outcome::Dark(multipliers) => Relaxed::Infeasible(dark(multipliers)),
            Outcome::Failed(why) => Relaxed::Failed(why.into()),
        })
    }

    /// Propositions 5 and 6; randomness could only lose.
    fn recover(&mut self, _part: usize, _random: Option<&mut RandomStream>, out: &mut Design) {
        if let Some(best) = &self.found {
            out[..self.phases.len()].copy_from_slice(&self.phases);
            self.system.write(&best.beams, &best.covariance, out);
        }
    }

    fn judge(&mut self, _part: usize, design: &Design) -> Evaluation {
        let (system, m) = (&self.system, self.system.instance.antennas);
        let (first_beam, first_covariance) = system.offsets();
        let beams: Vec<Vec<C>> = design[first_beam..first_covariance]
            .chunks_exact(2 * m)
            .map(|w| w.chunks_exact(2).map(|x| C::new(x[0], x[1])).collect())
            .collect();
        let covariance = hermitian(&design[first_covariance..], m);
        let heard = system.heard(&self.phases);
        let total = System::total(&beams, &covariance);
        let missed = (0..beams.len()).map(|user| system.missed(&heard, &self.limits, &beams, &covariance, user));
        let over = total.trace().re / self.limits.power - 1.0;
        let lit = |(l, least): (usize, &f64)| 1.0 - (system.illumination(&heard, l, &total) / least).min(1.0);
        let dark = self.limits.illumination.iter().enumerate().filter(|(_, p)| **p > 0.0).map(lit);
        Evaluation {
            objective: system.largest_bound(&heard, &total, self.target()),
            violation: missed.chain(dark).fold(over.max(0.0), f64::max),
        }
    }
}

/// Zero-forcing directions: unit vectors that only their own user hears; none where channels depend on each other.
pub(super) fn zero_forcing(heard: &Heard, limits: &Limits) -> Option<Vec<Vec<C>>> {
    let active: Vec<usize> = (0..limits.sinr.len()).filter(|u| limits.sinr[*u] > 0.0).collect();
    let m = heard.users.first().map_or(0, Vec::len);
    let mut directions = vec![vec![C::default(); m]; limits.sinr.len()];
    if active.len() > m {
        return None;
    }
    if active.is_empty() {
        return Some(directions);
    }
    let norms: Vec<f64> = active.iter().map(|u| squared(&heard.users[*u]).sqrt()).collect();
    if norms.iter().any(|n| n.is_nan() || *n <= 0.0) {
        return None;
    }
    let g = Matrix::from_fn(m, active.len(), |i, j| heard.users[active[j]][i] / norms[j]);
    let svd = g.clone().svd(false, false);
    if svd.singular_values.min() < 1e-9 {
        return None;
    }
    let z = &g * (g.adjoint() * &g).try_inverse()?;
    for (j, user) in active.iter().enumerate() {
        let column = z.column(j);
        let norm = column.norm();
        directions[*user] = column.iter().map(|x| x / norm).collect();
    }
    Some(directions)
}
