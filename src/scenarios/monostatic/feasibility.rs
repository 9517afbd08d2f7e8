//! Feasible designs, repairs, and proofs that there is none.
//!
//! At full power the feasible sensing powers form an interval: that of the CRLB limits, cut where rate floors need
//! more communication power than is left: without pilot reuse `sum_k f_k n_k(q) <= P - q` for SINR floors `f_k`, which
//! is affine in q.

use std::sync::Arc;

use super::System;
use super::limits::Limits;
use super::range::SensingRange;
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, Feasible};

/// The feasible sensing powers at full power, or the least-violating design.
#[derive(Clone, Debug, PartialEq)]
pub enum Region {
    /// All from `least` to `most` are feasible.
    Feasible {
        /// The smallest: the best one for every utility.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// There is no feasible design.
    Infeasible(Miss),
}

/// How nearly an infeasible problem can be met. The power budget is never exceeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// The sensing power of the least-violating design.
    pub sensing: f64,
    /// The least factor by which all limits must be loosened: CRLB limits multiplied, rate floors divided by it.
    pub ratio: f64,
    /// The proof for CRLB limits: see [`SensingRange::Infeasible`]. All 0 where rate floors are in the way.
    pub multipliers: [f64; 2],
    /// The SINRs of the least-violating design, where there are rate floors.
    pub sinr: Vec<f64>,
}

impl Miss {
    /// What proves that there is no feasible design.
    pub fn certificate(&self) -> Certificate {
        let mut values = vec![("sensing_power", vec![self.sensing]), ("ratio", vec![self.ratio])];
        if self.sinr.is_empty() {
            values.push(("multipliers", self.multipliers.to_vec()));
        } else {
            values.push(("sinr", self.sinr.clone()));
        }
        Certificate { kind: "infeasibility", values }
    }
}

impl System {
    /// `n_k`: background over gain at a split.
    pub(super) fn noise(&self, user: usize, communication: f64, sensing: f64) -> f64 {
        self.users.background(user, communication, sensing) / self.users.gain[user]
    }

    /// The feasible sensing powers at full power; see the module.
    pub fn region(&self, limits: &Limits) -> Region {
        let range = self.sensing.range(limits.power, limits.crlb);
        let (least, most) = match range {
            SensingRange::Infeasible { nearest, ratio, multipliers } if limits.sinr.is_empty() => {
                return Region::Infeasible(Miss { sensing: nearest, ratio, multipliers, sinr: Vec::new() });
            }
            SensingRange::Infeasible { nearest, .. } => return Region::Infeasible(self.compromise(limits, nearest)),
            SensingRange::Feasible { least, most } => (least, most),
        };
        if limits.sinr.is_empty() {
            return Region::Feasible { least, most };
        }
        let needed = |q: f64| self.floor_power(limits, q);
        let (none, all) = (needed(0.0), needed(limits.power));
        let slope = 1.0 + (all - none) / limits.power;
        let affordable = (limits.power - none) / slope;
        if limits.power > 0.0 && affordable >= least {
            Region::Feasible { least, most: most.min(affordable) }
        } else {
            Region::Infeasible(self.compromise(limits, least))
        }
    }

    /// The communication power that the SINR floors need at full power.
    fn floor_power(&self, limits: &Limits, sensing: f64) -> f64 {
        let communication = limits.power - sensing;
        let each = limits.sinr.iter().enumerate();
        each.map(|(k, sinr)| sinr * self.noise(k, communication, sensing)).sum()
    }

    /// The split on which CRLB limits and rate floors must be loosened by the same factor: from `upper` downward the
    /// first grow tighter and the second looser.
    fn compromise(&self, limits: &Limits, upper: f64) -> Miss {
        let crlb_ratio = |q: f64| {
            let crlb = self.sensing.crlb(limits.power - q, q);
            crlb.iter().zip(limits.crlb).filter(|(_, l)| l.is_finite()).map(|(c, l)| c / l.max(0.0)).fold(1.0, f64::max)
        };
        // The factor by which rate floors must be divided, and the SINRs that are left.
        let nats: Vec<f64> = limits.sinr.iter().map(|s| s.ln_1p()).collect();
        let rate_ratio = |q: f64| {
            let communication = limits.power - q;
            let noise: Vec<f64> = (0..nats.len()).map(|k| self.noise(k, communication, q)).collect();
            let needed = |t: f64| nats.iter().zip(&noise).map(|(x, n)| (t * x).exp_m1() * n).sum::<f64>();
            let (mut low, mut high) = (0.0, 1.0);
            if needed(high) <= communication {
                low = high;
            }
            while high - low > 1e-15 * high {
                let middle = 0.5 * (low + high);
                if needed(middle) <= communication {
                    low = middle
                } else {
                    high = middle
                }
                if high < 1e-300 {
                    break;
                }
            }
            1.0 / low
        };
        let (mut low, mut high) = (0.0, upper);
        if crlb_ratio(upper) < rate_ratio(upper) {
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if middle <= low || middle >= high {
                    break;
                }
                if crlb_ratio(middle) > rate_ratio(middle) { low = middle } else { high = middle }
            }
        }
        let (sensing, loosening) = (high, rate_ratio(high));
        Miss {
            sensing,
            ratio: crlb_ratio(sensing).max(loosening),
            multipliers: [0.0; 2],
            sinr: nats.iter().map(|x| (x / loosening).exp_m1()).collect(),
        }
    }

    /// Writes the design of a split that spreads power by equal `gamma_k` over what the SINR floors leave.
    pub(super) fn spread(&self, limits: &Limits, sensing: f64, design: &mut Design) {
        let communication = (limits.power - sensing).max(0.0);
        let users = self.users.users();
        let spare = match limits.sinr.is_empty() {
            true => communication,
            false => (communication - self.floor_power(limits, sensing)).max(0.0),
        };
        self.users.equal_coefficients(spare, &mut design[..users]);
        for (k, sinr) in limits.sinr.iter().enumerate() {
            design[k] += sinr * self.noise(k, communication, sensing);
        }
        design[users] = sensing;
    }

    /// Writes the least-violating design.
    pub(super) fn write_miss(&self, limits: &Limits, miss: &Miss, design: &mut Design) {
        let missed = Limits { sinr: miss.sinr.clone(), ..*limits };
        self.spread(&missed, miss.sensing, design);
    }
}

/// The offer of [`Feasibility`].
pub(super) struct Assessor {
    pub system: Arc<System>,
    pub limits: Limits,
    /// Whether the objective gains from power, so that a feasible design is scaled up, too.
    pub grows: bool,
    /// Computed once.
    pub region: Option<Region>,
}

impl Assessor {
    fn region(&mut self) -> &Region {
        self.region.get_or_insert_with(|| self.system.region(&self.limits))
    }

    fn is_feasible(&self, design: &Design) -> bool {
        let users = self.system.users.users();
        let communication: f64 = design[..users].iter().sum();
        let sensing = design[users];
        let crlb = self.system.sensing.crlb(communication, sensing);
        communication + sensing <= self.limits.power
            && crlb.iter().zip(self.limits.crlb).all(|(c, l)| *c <= l)
            && self
                .limits
                .sinr
                .iter()
                .enumerate()
                .all(|(k, floor)| design[k] >= floor * self.system.noise(k, communication, sensing))
    }
}

impl Feasibility for Assessor {
    /// The start of the paper, `p0*`: the smallest feasible sensing power, equal `gamma_k`.
    fn assess(&mut self) -> Result<Feasible> {
        let mut design = Design::new(vec![0.0; self.system.users.users() + 1]);
        match self.region().clone() {
            Region::Feasible { least, .. } => {
                self.system.spread(&self.limits, least, &mut design);
                Ok(Feasible::Yes(design))
            }
            Region::Infeasible(miss) => {
                self.system.write_miss(&self.limits, &miss, &mut design);
                let certificate = miss.certificate();
                Ok(Feasible::No { least_violating: design, ratio: miss.ratio, certificate })
            }
        }
    }

    /// Scales the design to full power, moves its sensing power into the feasible interval, and gives each user the
    /// larger of its share of the rest and its floor.
    fn repair(&mut self, design: &mut Design) -> bool {
        let Region::Feasible { least, most } = *self.region() else { return false };
        if !self.grows && self.is_feasible(design) {
            return true;
        }
        let (system, limits) = (&self.system, &self.limits);
        let users = system.users.users();
        let communication: f64 = design[..users].iter().sum();
        let total = communication + design[users];
        if !(communication > 0.0 && total.is_finite() && communication / total > 0.0) {
            let sensing = if design[users] > 0.0 && communication >= 0.0 { most } else { least };
            system.spread(limits, sensing, design);
            return true;
        }
        let sensing = (limits.power * (design[users] / total)).clamp(least, most);
        let left = limits.power - sensing;
        for p in &mut design[..users] {
            *p *= left / communication;
        }
        design[users] = sensing;
        if !limits.sinr.is_empty() {
            let floor = |k: usize| limits.sinr[k] * system.noise(k, left, sensing);
            let spare = left - (0..users).map(floor).sum::<f64>();
            let above = |k: usize, p: f64| (p - floor(k)).max(0.0);
            let sum: f64 = (0..users).map(|k| above(k, design[k])).sum();
            for k in 0..users {
                let share = if sum > 0.0 { above(k, design[k]) / sum } else { 1.0 / users as f64 };
                design[k] = floor(k) + share * spare.max(0.0);
            }
        }
        true
    }
}
