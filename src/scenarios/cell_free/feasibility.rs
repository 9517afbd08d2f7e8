//! Feasible designs, repairs, and proofs that there is none, for CRLBs of own illumination: all in closed form.
//!
//! The limits can be met if and only if `sum_l C_l / max(A_l, B_l)` is at most the budget and each term at most its
//! access point's own limit: see [`super::allocation`].

use std::sync::Arc;

use super::System;
use super::allocation::Allocation;
use super::limits::Limits;
use super::metrics::column_sums;
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, Feasible};

/// A ratio above 1 by no more than this is rounding.
const TOUCHING: f64 = 1e-12;

/// The offer of [`Feasibility`].
pub(super) struct Assessor {
    limits: Limits,
    allocation: Allocation,
    /// Whether the objective gains from power, so that a feasible design is scaled up, too.
    grows: bool,
    communication: Vec<f64>,
    sensing: Vec<f64>,
}

impl Assessor {
    pub fn new(system: &Arc<System>, limits: &Limits, grows: bool) -> Self {
        let zeros = vec![0.0; system.users.access_points];
        Self {
            allocation: Allocation::new(system, limits),
            limits: limits.clone(),
            grows,
            communication: zeros.clone(),
            sensing: zeros,
        }
    }

    fn is_feasible(&mut self, design: &Design) -> bool {
        let (power, beams) = design.split_at(design.len() / 2);
        column_sums(power, &mut self.communication);
        column_sums(beams, &mut self.sensing);
        let held = |((site, c), q): ((&super::allocation::Site, &f64), &f64)| {
            c + q <= site.cap && site.by_communication * c + site.by_sensing * q >= site.needed
        };
        design.iter().sum::<f64>() <= self.limits.power
            && self.allocation.sites.iter().zip(&self.communication).zip(&self.sensing).all(held)
    }
}

impl Feasibility for Assessor {
    /// Equal `gamma_kl`, and the least sensing powers.
    fn assess(&mut self) -> Result<Feasible> {
        let (needed, ratio) = self.allocation.needed();
        let streams = self.limits.sinr.len();
        let mut design = Design::new(vec![0.0; 2 * streams * needed.len()]);
        if ratio <= 1.0 + TOUCHING {
            self.allocation.spend(&mut design);
            return Ok(Feasible::Yes(design));
        }
        // Each access point gets its need, loosened by the same factor; what no power can meet gets nothing.
        let finite: f64 = needed.iter().filter(|n| n.is_finite()).sum();
        let factor = if ratio.is_finite() { ratio } else { (finite / self.allocation.budget).max(1.0) };
        let loosened: Vec<f64> = needed.iter().map(|n| if n.is_finite() { n / factor } else { 0.0 }).collect();
        let half = design.len() / 2;
        for (l, (site, power)) in self.allocation.sites.iter().zip(&loosened).enumerate() {
            let block = if site.prefers_communication() { 0 } else { half };
            for k in 0..streams {
                design[block + k * needed.len() + l] = power.min(site.cap) / streams as f64;
            }
        }
        let values = vec![
            ("least_power", vec![needed.iter().sum()]),
            ("least_power_each", needed),
            ("power_limit", vec![self.allocation.budget]),
            ("ratio", vec![ratio]),
        ];
        Ok(Feasible::No { least_violating: design, ratio, certificate: Certificate { kind: "infeasibility", values } })
    }

    /// See [`Allocation::spend`].
    fn repair(&mut self, design: &mut Design) -> bool {
        if self.allocation.needed().1 > 1.0 + TOUCHING {
            return false;
        }
        if self.grows || !self.is_feasible(design) {
            self.allocation.spend(design);
        }
        true
    }
}
