//! What a problem asks of the system, in the terms of the paper; or why it is none of the paper's.

use super::instance::Target;
use super::system::System;
use super::transmit::Limits;
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::Refusal;

/// What is to be made best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The largest CRB of the targets, of this kind.
    Bound(Target),
    /// The smallest SINR over its limit.
    Ratio,
}

/// What may move.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Free {
    /// Everything.
    All,
    /// Beams and covariance, at these phases.
    Transmit(Vec<f64>),
    /// The phases, at these beams and this covariance (packed).
    Phases {
        /// `beamformer`.
        beams: Vec<f64>,
        /// `sensing_covariance`.
        covariance: Vec<f64>,
    },
}

/// A problem in the terms of the paper.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aim {
    pub goal: Goal,
    pub limits: Limits,
    pub free: Free,
}

impl Aim {
    /// Reads a problem.
    pub fn of(problem: &ProblemSpec, system: &System) -> Result<Self, Refusal> {
        let goal = match &problem.objective {
            Objective::Metric(id) => match id.as_str() {
                "max_crlb_direction" => Goal::Bound(Target::Point),
                "max_crlb_response" => Goal::Bound(Target::Extended),
                "min_sinr_ratio" => Goal::Ratio,
                other => {
                    return Err(Refusal::new(format!("the objective `{other}` is not one of the paper's problems")));
                }
            },
            Objective::WeightedSum(_) => return Err(Refusal::new("the objective is a weighted sum")),
        };
        let mut limits = Limits {
            power: f64::INFINITY,
            sinr: vec![0.0; system.all_users()],
            illumination: vec![0.0; system.instance.surfaces],
            conic: problem.conic,
        };
        for constraint in &problem.constraints {
            match (constraint.metric.as_str(), &constraint.limit) {
                ("transmit_power", Limit::AtMost(values)) => limits.power = values[0].min(limits.power),
                ("sinr", Limit::AtLeast(values)) => {
                    for (user, floor) in limits.sinr.iter_mut().enumerate() {
                        *floor = floor.max(values[if values.len() == 1 { 0 } else { user }]);
                    }
                }
                ("illumination", Limit::AtLeast(values)) if goal == Goal::Bound(Target::Point) => {
                    for (l, least) in limits.illumination.iter_mut().enumerate() {
                        *least = least.max(values[if values.len() == 1 { 0 } else { l }]);
                    }
                }
                (metric, _) => {
                    return Err(Refusal::new(format!("the limit on `{metric}` is not one of the paper's constraints")));
                }
            }
        }
        if !(limits.power > 0.0 && limits.power.is_finite()) {
            return Err(Refusal::new("there is no limit on `transmit_power` above 0"));
        }
        let fixed = |name: &str| problem.fixed.get(name).cloned();
        let free = match (fixed("irs_phase"), fixed("beamformer"), fixed("sensing_covariance")) {
            (None, None, None) => Free::All,
            (Some(phases), None, None) => Free::Transmit(phases),
            (None, Some(beams), Some(covariance)) => Free::Phases { beams, covariance },
            _ => return Err(Refusal::new("only all phases, or beams together with the covariance, may be held fixed")),
        };
        Ok(Self { goal, limits, free })
    }
}
