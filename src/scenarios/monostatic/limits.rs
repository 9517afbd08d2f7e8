//! The problems whose structure is known: which objectives and limits they may have.

use super::System;
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::Refusal;

/// An objective that grows with every SINR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Utility {
    /// `sum R_k`.
    SumRate,
    /// `sum w_k R_k`.
    WeightedSumRate,
    /// `min R_k`.
    MinRate,
    /// `sum ln R_k`.
    SumLogRate,
}

impl Utility {
    /// The utility that an objective names.
    pub fn of(objective: &Objective) -> Result<Self, Refusal> {
        let Objective::Metric(id) = objective else {
            return Err(Refusal::new("the objective is a sum of metrics"));
        };
        match id.as_str() {
            "sum_rate" => Ok(Self::SumRate),
            "weighted_sum_rate" => Ok(Self::WeightedSumRate),
            "min_rate" => Ok(Self::MinRate),
            "sum_log_rate" => Ok(Self::SumLogRate),
            other => Err(Refusal::new(format!("`{other}` is none of the four rate objectives"))),
        }
    }
}

/// The limits of a problem, where they are of the kinds whose structure is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// `S + q` is at most this.
    pub power: f64,
    /// The CRLBs of azimuth and elevation are at most these; infinite for none.
    pub crlb: [f64; 2],
    /// Each user's SINR is at least this; empty for none.
    pub sinr: Vec<f64>,
}

impl Limits {
    /// The limits of a problem, or the reason why their structure is not known.
    pub fn of(problem: &ProblemSpec, system: &System) -> Result<Self, Refusal> {
        if let Some(block) = problem.fixed.keys().next() {
            return Err(Refusal::new(format!("block `{block}` is fixed: the split of power is part of the argument")));
        }
        let mut limits = Self { power: f64::INFINITY, crlb: [f64::INFINITY; 2], sinr: Vec::new() };
        let users = system.users.users();
        for constraint in &problem.constraints {
            match (constraint.metric.as_str(), &constraint.limit) {
                (_, Limit::AtMost(limit)) if limit.iter().all(|l| *l == f64::INFINITY) => {}
                (_, Limit::AtLeast(limit)) if limit.iter().all(|l| *l == f64::NEG_INFINITY) => {}
                ("transmit_power", Limit::AtMost(limit)) => {
                    limits.power = limit.iter().copied().fold(limits.power, f64::min)
                }
                ("crlb_azimuth", Limit::AtMost(limit)) => {
                    limits.crlb[0] = limit.iter().copied().fold(limits.crlb[0], f64::min);
                }
                ("crlb_elevation", Limit::AtMost(limit)) => {
                    limits.crlb[1] = limit.iter().copied().fold(limits.crlb[1], f64::min);
                }
                ("min_rate" | "rate", Limit::AtLeast(floors)) => {
                    limits.sinr.resize(users, 0.0);
                    for (k, sinr) in limits.sinr.iter_mut().enumerate() {
                        let floor = floors[if floors.len() == 1 { 0 } else { k }];
                        *sinr = sinr.max(system.users.sinr_at_rate(floor));
                    }
                }
                (metric, limit) => {
                    let side = if matches!(limit, Limit::AtMost(_)) { "at most" } else { "at least" };
                    return Err(Refusal::new(format!("the structure under a limit `{metric}` {side} is not known")));
                }
            }
        }
        if limits.sinr.iter().all(|s| *s <= 0.0) {
            limits.sinr.clear();
        }
        if !limits.power.is_finite() || limits.power < 0.0 {
            return Err(Refusal::new("it needs a finite limit on `transmit_power`, 0 or more"));
        }
        if !limits.sinr.is_empty() && system.users.groups.reused() {
            return Err(Refusal::new("rate floors under pilot reuse couple the users of a pilot"));
        }
        Ok(limits)
    }

    /// The limits on powers and CRLBs alone.
    #[must_use]
    pub fn without_rates(&self) -> Self {
        Self { sinr: Vec::new(), ..*self }
    }
}
