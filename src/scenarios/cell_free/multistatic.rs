//! Feasible designs under multistatic CRLB limits.
//!
//! The largest least ratio of information to need is a conic program in the access points' powers, with the moduli of
//! the gains ([`super::illumination`]). Where all gains to an access point have one phase that is exact; else it is an
//! upper bound, which still proves infeasibility, and candidates are judged one by one: equal streams, a stream of its
//! own for each access point, no beam at all. Information is concave in the powers of equal streams, so what lies
//! between a design and a feasible one becomes feasible somewhere on the way.

use std::sync::Arc;

use super::System;
use super::allocation::Allocation;
use super::illumination::{constrain, constrain_power, equal_phases};
use super::limits::Limits;
use super::metrics::column_sums;
use crate::conic::{Program, Sense, Settings};
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, Feasible};

/// A ratio below 1 by no more than this counts as met.
const TOUCHING: f64 = 1e-10;

/// The offer of [`Feasibility`] with multistatic limits.
pub(super) struct MultistaticAssessor {
    system: Arc<System>,
    limits: Limits,
    grows: bool,
    /// The most informative design, where it is feasible; computed once.
    anchor: Option<Feasible>,
    communication: Vec<f64>,
    sensing: Vec<f64>,
    crlb: Vec<f64>,
    trial: Design,
}

impl MultistaticAssessor {
    pub fn new(system: Arc<System>, limits: Limits, grows: bool) -> Self {
        let (users, access_points) = (system.users.users, system.users.access_points);
        let zeros = vec![0.0; access_points];
        Self {
            limits,
            grows,
            anchor: None,
            communication: zeros.clone(),
            sensing: zeros.clone(),
            crlb: zeros,
            trial: Design::new(vec![0.0; 2 * users * access_points]),
            system,
        }
    }

    /// The least ratio of information to need.
    fn ratio(&mut self, design: &Design) -> f64 {
        let (power, beams) = design.split_at(design.len() / 2);
        column_sums(power, &mut self.communication);
        column_sums(beams, &mut self.sensing);
        let mut ratio = f64::INFINITY;
        for (l, needed) in self.limits.own.iter().enumerate().filter(|(_, needed)| **needed > 0.0) {
            let crlb = self.system.sensing.own(l, self.communication[l], self.sensing[l]);
            ratio = ratio.min(1.0 / (crlb * needed));
        }
        self.system.sensing.multistatic(&self.communication, beams, &mut self.crlb);
        for (crlb, needed) in self.crlb.iter().zip(&self.limits.multistatic).filter(|(_, needed)| **needed > 0.0) {
            ratio = ratio.min(1.0 / (crlb * needed));
        }
        ratio
    }

    /// The factor by which a design must be scaled to meet the power limits with equality somewhere.
    fn fit(&mut self, design: &Design) -> f64 {
        column_sums(design, &mut self.sensing);
        let all = self.limits.power / self.sensing.iter().sum::<f64>();
        self.sensing.iter().zip(&self.limits.access_point).map(|(p, cap)| cap / p).fold(all, |a, b| a.min(b))
    }

    fn anchor(&mut self) -> Result<Feasible> {
        if let Some(known) = &self.anchor {
            return Ok(known.clone());
        }
        let found = self.find()?;
        self.anchor = Some(found.clone());
        Ok(found)
    }

    fn find(&mut self) -> Result<Feasible> {
        let (streams, access_points) = (self.system.users.users, self.system.users.access_points);
        let mut program = Program::new(Sense::Maximize);
        program.set_settings(Settings { tolerance: 1e-10, ..Settings::default() });
        let powers = (program.variables(access_points), program.variables(access_points));
        let least = program.variables(1).get(0);
        program.objective(least);
        constrain_power(&mut program, &self.limits, powers, None);
        constrain(&mut program, &self.system, &self.limits, powers, Some(least));
        let solution = program.solve()?;
        let (x, dual) = (solution.x.clone(), solution.dual.clone());
        let mut design = Design::new(vec![0.0; 2 * streams * access_points]);
        if x.iter().all(|x| x.is_finite()) {
            let half = design.len() / 2;
            for (block, variables) in [(0, powers.0), (half, powers.1)] {
                for (l, v) in variables.iter().enumerate() {
                    let each = self.limits.power * x[v.index()].max(0.0) / streams as f64;
                    (0..streams).for_each(|k| design[block + k * access_points + l] = each);
                }
            }
        }
        let factor = self.fit(&design);
        if factor.is_finite() {
            design.iter_mut().for_each(|p| *p *= factor);
        }
        let mut best = (self.ratio(&design), design.clone());
        if best.0 < 1.0 - TOUCHING && !equal_phases(&self.system, &self.limits) {
            // One stream an access point in turn; and no beam at all.
            let half = design.len() / 2;
            let mut apart = design.clone();
            let mut none = design.clone();
            for l in 0..access_points {
                let beam: f64 = (0..streams).map(|k| design[half + k * access_points + l]).sum();
                for k in 0..streams {
                    apart[half + k * access_points + l] = if k == l % streams { beam } else { 0.0 };
                    none[half + k * access_points + l] = 0.0;
                    none[k * access_points + l] += beam / streams as f64;
                }
            }
            for other in [apart, none] {
                let ratio = self.ratio(&other);
                if ratio > best.0 {
                    best = (ratio, other);
                }
            }
        }
        let (ratio, design) = best;
        if ratio >= 1.0 - TOUCHING {
            return Ok(Feasible::Yes(design));
        }
        // Within the limits all variables but the ratio are at most 1, and the ratio is at most that of any one limit.
        let mut most = vec![1.0; x.len()];
        most[least.index()] = 1.0 / ratio.max(f64::MIN_POSITIVE) + 1.0;
        let bound = program.bound(&most).filter(|bound| *bound < 1.0);
        Ok(match bound {
            Some(bound) => Feasible::No {
                least_violating: design,
                ratio: 1.0 / bound.max(0.0),
                certificate: Certificate {
                    kind: "infeasibility",
                    values: vec![("largest_least_ratio", vec![bound]), ("multipliers", dual)],
                },
            },
            None => Feasible::Unknown,
        })
    }

    /// Gives all beams the same larger share of a design's power, the least that is enough; whether there is one. What a
    /// conic solver's tolerance leaves missing is restored with hardly a loss.
    fn strengthen(&mut self, design: &mut Design) -> bool {
        if self.limits.access_point.iter().any(|cap| cap.is_finite()) {
            return false;
        }
        let half = design.len() / 2;
        let (streams, beams): (f64, f64) = (design[..half].iter().sum(), design[half..].iter().sum());
        if !(streams > 0.0 && beams > 0.0) {
            return false;
        }
        let total = streams + beams;
        let mut trial = std::mem::take(&mut self.trial);
        let write = |factor: f64, trial: &mut Design| {
            let left = (total - factor * beams) / streams;
            for (i, (t, d)) in trial.iter_mut().zip(design.iter()).enumerate() {
                *t = d * if i < half { left } else { factor };
            }
        };
        let (mut low, mut growth, most) = (1.0, 1e-12, total / beams);
        let mut high = None;
        while high.is_none() && 1.0 + growth < most {
            write(1.0 + growth, &mut trial);
            match self.ratio(&trial) >= 1.0 {
                true => high = Some(1.0 + growth),
                false => (low, growth) = (1.0 + growth, 2.0 * growth),
            }
        }
        let found = high.is_some();
        if let Some(mut high) = high {
            for _ in 0..40 {
                let middle = 0.5 * (low + high);
                write(middle, &mut trial);
                if self.ratio(&trial) >= 1.0 { high = middle } else { low = middle }
            }
            write(high, &mut trial);
            design.copy_from(&trial);
        }
        self.trial = trial;
        found
    }

    /// Moves a design towards a feasible one until it is feasible, too.
    fn blend(&mut self, design: &mut Design, anchor: &Design) {
        let (mut low, mut high) = (0.0, 1.0);
        let mut trial = std::mem::take(&mut self.trial);
        let write = |share: f64, trial: &mut Design| {
            for ((t, d), a) in trial.iter_mut().zip(design.iter()).zip(anchor.iter()) {
                *t = d + share * (a - d);
            }
        };
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            write(middle, &mut trial);
            if self.ratio(&trial) >= 1.0 { high = middle } else { low = middle }
        }
        write(high, &mut trial);
        design.copy_from(&trial);
        self.trial = trial;
    }
}

impl Feasibility for MultistaticAssessor {
    /// Equal `gamma_kl`, moved towards the most informative design as far as the limits ask.
    fn assess(&mut self) -> Result<Feasible> {
        let anchor = match self.anchor()? {
            Feasible::Yes(anchor) => anchor,
            other => return Ok(other),
        };
        let mut design = Design::new(vec![0.0; anchor.len()]);
        let powers = Limits { own: vec![0.0; self.limits.own.len()], ..self.limits.clone() };
        Allocation::new(&self.system, &powers).spend(&mut design);
        if self.ratio(&design) < 1.0 {
            self.blend(&mut design, &anchor);
        }
        Ok(Feasible::Yes(design))
    }

    fn repair(&mut self, design: &mut Design) -> bool {
        let Ok(Feasible::Yes(anchor)) = self.anchor() else { return false };
        let factor = self.fit(design);
        if factor.is_finite() && (factor < 1.0 || self.grows) {
            design.iter_mut().for_each(|p| *p *= factor);
        } else if !factor.is_finite() {
            design.copy_from(&anchor);
        }
        if self.ratio(design) < 1.0 && !self.strengthen(design) {
            self.blend(design, &anchor);
        }
        true
    }
}
