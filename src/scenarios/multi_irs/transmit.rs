//! The best beams and sensing covariance at given phases: (SDR2.3) for point targets, (SDR5.1) for extended ones, and the
//! rank-one recovery of Propositions 5 and 6 (paper 003), which loses nothing.
//!
//! The program itself: [`TransmitProgram`].

use super::extended;
use super::heard::{Heard, Matrix, add_outer, dot, image};
use super::instance::{Receiver, Target};
use super::system::{C, System};
use super::transmit_program::{TransmitProgram, Unsolved};
use super::uplink::{LeastPower, least_power};
use crate::conic::hermitian::Method;

/// A relative gap above this asks for a second opinion.
const CLOSED: f64 = 1e-4;

/// What limits the transmit side, and how its programs are solved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Limits {
    /// The power budget in W.
    pub power: f64,
    /// SINR floors, one a user; 0 for none.
    pub sinr: Vec<f64>,
    /// The least power toward each target in W; 0 for none.
    pub illumination: Vec<f64>,
    /// Which solver takes the semidefinite programs.
    pub conic: Method,
}

impl Limits {
    /// The same budget without SINR floors.
    pub fn sensing_only(&self) -> Self {
        Self { sinr: vec![0.0; self.sinr.len()], ..self.clone() }
    }

    /// Whether some target must be illuminated.
    pub fn illuminate(&self) -> bool {
        self.illumination.iter().any(|p| *p > 0.0)
    }
}

/// The best transmit side at given phases.
#[derive(Clone, Debug)]
pub(super) struct Transmit {
    /// `w_u`.
    pub beams: Vec<Vec<C>>,
    /// `R_0`.
    pub covariance: Matrix,
    /// The relaxation's `W_u` in W; none for users without a floor.
    pub matrices: Vec<Option<Matrix>>,
    /// `R` in W.
    pub total: Matrix,
    /// The largest CRB of the targets.
    pub value: f64,
    /// A proven lower bound on it at these phases.
    pub bound: f64,
    /// Multipliers of `f_l / kappa_l` in `1 / max CRB`, one an IRS.
    pub targets: Vec<f64>,
    /// Multipliers of the SINR floors in the same unit, one a user.
    pub floors: Vec<f64>,
    /// Multipliers of the illuminations in the same unit, one an IRS.
    pub illuminations: Vec<f64>,
    /// The largest rank among the relaxation's `W_u`.
    pub rank: usize,
}

/// How the search for it ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Found.
    Best(Box<Transmit>),
    /// Proven infeasible: the least power is above the budget.
    Infeasible,
    /// Proven infeasible, though the floors alone are not: some target cannot be illuminated as well. The multipliers.
    Dark(Vec<f64>),
    /// The solver gave up.
    Failed(&'static str),
}

impl System {
    /// The best transmit side for given phases.
    pub(super) fn transmit(&self, heard: &Heard, limits: &Limits, target: Target) -> Outcome {
        let least = least_power(&heard.users, &limits.sinr, self.instance.communication_noise_power, limits.power);
        if least.power > limits.power {
            return Outcome::Infeasible;
        }
        let program = TransmitProgram::new(self, heard, limits, target, None);
        let best = match program.solve(&least) {
            Ok(best) => Some(best),
            Err(Unsolved::Infeasible(multipliers)) if limits.illuminate() => return Outcome::Dark(multipliers),
            Err(_) => None,
        };
        let closed = best.as_ref().is_some_and(|b| b.value - b.bound <= CLOSED * b.value);
        // Where no CRB is finite, or the solver gave up, there are still the beams of least power.
        let other = if closed { None } else { self.fallback(heard, &least, limits, target) };
        match (best, other) {
            (Some(best), Some(other)) if other.value < best.value => {
                Outcome::Best(Box::new(Transmit { bound: best.bound, ..other }))
            }
            (Some(best), _) if best.value.is_finite() => Outcome::Best(Box::new(best)),
            (_, Some(other)) => Outcome::Best(Box::new(other)),
            (Some(best), None) => Outcome::Best(Box::new(best)),
            (None, None) => Outcome::Failed("the semidefinite program could not be solved"),
        }
    }

    /// Beams of least power, scaled to the budget where users cannot cancel a sensing signal, with all other power in
    /// all directions alike; no bound is claimed.
    fn fallback(&self, heard: &Heard, least: &LeastPower, limits: &Limits, target: Target) -> Option<Transmit> {
        let (beams, covariance) = self.least_power_beams(least, limits)?;
        let total = System::total(&beams, &covariance);
        if (0..self.instance.surfaces).any(|l| self.illumination(heard, l, &total) < limits.illumination[l]) {
            return None;
        }
        let users = limits.sinr.len();
        Some(Transmit {
            value: self.largest_bound(heard, &total, target),
            beams,
            covariance,
            matrices: vec![None; users],
            total,
            bound: 0.0,
            targets: vec![0.0; self.instance.surfaces],
            floors: vec![0.0; users],
            illuminations: vec![0.0; self.instance.surfaces],
            rank: 1,
        })
    }

    /// The best powers of beams in given directions (one a user with a floor), and the best sensing covariance.
    pub(super) fn transmit_along(
        &self,
        heard: &Heard,
        limits: &Limits,
        target: Target,
        directions: &[Vec<C>],
    ) -> Option<Box<Transmit>> {
        let program = TransmitProgram::new(self, heard, limits, target, Some(directions));
        program.solve_along(directions).map(Box::new)
    }

    /// `p`, the power toward a target.
    pub(super) fn illumination(&self, heard: &Heard, surface: usize, total: &Matrix) -> f64 {
        let one = &heard.one[surface];
        dot(one, &image(total, one)).re
    }

    /// `f_l / kappa_l`, the inverse of the CRB, of a covariance.
    pub(super) fn information(&self, heard: &Heard, surface: usize, total: &Matrix) -> f64 {
        let (one, two) = (&heard.one[surface], &heard.two[surface]);
        let (image_one, image_two) = (image(total, one), image(total, two));
        let (p, q, r) = (dot(one, &image_one).re, dot(two, &image_two).re, dot(one, &image_two));
        let spent = if p > 0.0 { r.norm_sqr() / p } else { q };
        (self.sensor_weight * p + self.element_weight * (q - spent).max(0.0)) / self.kappa[surface]
    }

    /// By how much beams miss a user's floor, relative to it.
    pub(super) fn missed(
        &self,
        heard: &Heard,
        limits: &Limits,
        beams: &[Vec<C>],
        covariance: &Matrix,
        user: usize,
    ) -> f64 {
        let floor = limits.sinr[user];
        if floor <= 0.0 {
            return 0.0;
        }
        let g = &heard.users[user];
        let mut disturbed = self.instance.communication_noise_power;
        disturbed +=
            beams.iter().enumerate().filter(|(j, _)| *j != user).map(|(_, w)| dot(g, w).norm_sqr()).sum::<f64>();
        if self.instance.receiver == Receiver::TypeI {
            disturbed += dot(g, &image(covariance, g)).re.max(0.0);
        }
        1.0 - (dot(g, &beams[user]).norm_sqr() / disturbed / floor).min(1.0)
    }

    /// `sum_b X` from beams and covariance.
    pub(super) fn total(beams: &[Vec<C>], covariance: &Matrix) -> Matrix {
        let mut total = covariance.clone();
        beams.iter().for_each(|w| add_outer(&mut total, 1.0, w));
        total
    }

    /// The largest CRB of a covariance.
    pub(super) fn largest_bound(&self, heard: &Heard, total: &Matrix, target: Target) -> f64 {
        let each = 0..self.instance.surfaces;
        match target {
            Target::Point => each.map(|l| 1.0 / self.information(heard, l, total)).fold(0.0, f64::max),
            Target::Extended => each.map(|l| extended::response_bound(self, l, total)).fold(0.0, f64::max),
        }
    }
}
