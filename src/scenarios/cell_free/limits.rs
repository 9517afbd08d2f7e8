//! The problems whose structure is known: which objectives and limits they may have.

use super::System;
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::Refusal;

/// An objective that grows with every SINR.
#[derive(Clone, Debug, PartialEq)]
pub enum Utility {
    /// The sum of the rates with these weights.
    Sum(Vec<f64>),
    /// The least rate.
    Least,
    /// The sum of the natural logarithms of the rates.
    Logarithms,
}

impl Utility {
    /// The utility that an objective names.
    pub fn of(objective: &Objective, system: &System) -> Result<Self, Refusal> {
        let Objective::Metric(id) = objective else {
            return Err(Refusal::new("the objective is a sum of metrics"));
        };
        let users = system.users.users;
        match id.as_str() {
            "sum_rate" => Ok(Self::Sum(vec![1.0; users])),
            "weighted_sum_rate" => Ok(Self::Sum((0..users).map(|k| system.instance.weight(k)).collect())),
            "min_rate" => Ok(Self::Least),
            "sum_log_rate" => Ok(Self::Logarithms),
            other => Err(Refusal::new(format!("`{other}` is none of the four rate objectives"))),
        }
    }

    /// Its value for given rates.
    pub fn value(&self, rates: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::Sum(weights) => rates.zip(weights).map(|(r, w)| r * w).sum(),
            Self::Least => rates.fold(f64::INFINITY, f64::min),
            Self::Logarithms => rates.map(f64::ln).sum(),
        }
    }
}

/// The limits of a problem, where they are of the kinds whose structure is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// All power is at most this.
    pub power: f64,
    /// Each access point's power is at most this; infinite for none.
    pub access_point: Vec<f64>,
    /// The least information of own illumination, one over the CRLB limit; 0 for none.
    pub own: Vec<f64>,
    /// The least multistatic information; 0 for none.
    pub multistatic: Vec<f64>,
    /// Each user's SINR is at least this; 0 for none.
    pub sinr: Vec<f64>,
}

impl Limits {
    /// The limits of a problem, or the reason why their structure is not known.
    pub fn of(problem: &ProblemSpec, system: &System) -> Result<Self, Refusal> {
        if let Some(block) = problem.fixed.keys().next() {
            return Err(Refusal::new(format!("block `{block}` is fixed: the split of power is part of the argument")));
        }
        let (users, access_points) = (system.users.users, system.users.access_points);
        let mut limits = Self {
            power: f64::INFINITY,
            access_point: vec![f64::INFINITY; access_points],
            own: vec![0.0; access_points],
            multistatic: vec![0.0; access_points],
            sinr: vec![0.0; users],
        };
        for constraint in &problem.constraints {
            match (constraint.metric.as_str(), &constraint.limit) {
                (_, Limit::AtMost(limit)) if limit.iter().all(|l| *l == f64::INFINITY) => {}
                (_, Limit::AtLeast(limit)) if limit.iter().all(|l| *l == f64::NEG_INFINITY) => {}
                ("transmit_power", Limit::AtMost(limit)) => {
                    limits.power = limit.iter().copied().fold(limits.power, f64::min);
                }
                ("access_point_power", Limit::AtMost(limit)) => {
                    merge(&mut limits.access_point, limit, |own, l| own.min(l));
                }
                (metric @ ("crlb" | "crlb_multistatic"), Limit::AtMost(limit)) => {
                    let least = if metric == "crlb" { &mut limits.own } else { &mut limits.multistatic };
                    merge(least, limit, |own, l| own.max(if l > 0.0 { 1.0 / l } else { f64::INFINITY }));
                }
                (metric @ ("rate" | "min_rate" | "sinr"), Limit::AtLeast(floors)) => {
                    let sinr = |floor| if metric == "sinr" { floor } else { system.users.sinr_at_rate(floor) };
                    merge(&mut limits.sinr, floors, |own, floor| own.max(sinr(floor)));
                }
                (metric, limit) => {
                    let side = if matches!(limit, Limit::AtMost(_)) { "at most" } else { "at least" };
                    return Err(Refusal::new(format!("the structure under a limit `{metric}` {side} is not known")));
                }
            }
        }
        if !(limits.power.is_finite() && limits.power > 0.0) {
            return Err(Refusal::new("it needs a finite limit on `transmit_power`, above 0"));
        }
        if limits.access_point.iter().any(|l| *l < 0.0) {
            return Err(Refusal::new("a limit on `access_point_power` is below 0"));
        }
        Ok(limits)
    }

    /// The limits, where none is on rates.
    pub fn without_rates(self) -> Result<Self, Refusal> {
        match self.sinr.iter().all(|s| *s <= 0.0) {
            true => Ok(self),
            false => Err(Refusal::new("rate floors are not part of the closed form")),
        }
    }

    /// The limits, where the CRLBs are of own illumination alone.
    pub fn own_only(self) -> Result<Self, Refusal> {
        match self.multistatic.iter().all(|c| *c <= 0.0) {
            true => Ok(self),
            false => Err(Refusal::new("limits on `crlb_multistatic` couple all access points: no closed form")),
        }
    }

    /// Whether any multistatic CRLB is limited.
    pub fn is_multistatic(&self) -> bool {
        self.multistatic.iter().any(|c| *c > 0.0)
    }
}

/// One limit for all entries, or one an entry.
fn merge(own: &mut [f64], limits: &[f64], with: impl Fn(f64, f64) -> f64) {
    for (i, x) in own.iter_mut().enumerate() {
        *x = with(*x, limits[if limits.len() == 1 { 0 } else { i }]);
    }
}
