//! What the system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::Arc;

use super::echo::Echo;
use super::feasibility::Assessor;
use super::gain::Gains;
use super::linearised::{ClosedForm, ConicForm, Parts};
use super::system::{Statistics, System};
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::{Feasibility, Majorizer, Offer, Refusal, Structure, Surrogate};

/// The least `||u||²` that a problem asks for, 0 for none; or why its limits have no known structure.
fn sensing_limit(problem: &ProblemSpec) -> Result<f64, Refusal> {
    let mut least = 0.0;
    for constraint in &problem.constraints {
        match (constraint.metric.as_str(), &constraint.limit) {
            (_, Limit::AtLeast(limits)) if limits.iter().all(|l| *l == f64::NEG_INFINITY) => {}
            (_, Limit::AtMost(limits)) if limits.iter().all(|l| *l == f64::INFINITY) => {}
            ("sensing_gain", Limit::AtLeast(limits)) => least = limits.iter().copied().fold(least, f64::max),
            (metric, _) => return Err(Refusal::new(format!("a limit on `{metric}` has no known structure"))),
        }
    }
    Ok(least)
}

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(system: &Arc<System>, echo: &Arc<Echo>, problem: &ProblemSpec) -> Structure {
    let rank_one = matches!(system.statistics, Statistics::RankOne(_));
    let free = if problem.fixed.is_empty() { Ok(()) } else { Err(Refusal::new("the phases are fixed")) };
    let limit = free.and_then(|()| sensing_limit(problem));
    let limit = limit.and_then(|limit| {
        match rank_one || system.instance.measured.irs_base_station_los.is_none() || limit == 0.0 {
            true => Ok(limit),
            false => {
                Err(Refusal::new("with a measured line of sight the limit on `sensing_gain` has no known structure"))
            }
        }
    });
    let gain = match &problem.objective {
        Objective::Metric(id) if id == "min_average_channel_gain" => Ok(()),
        Objective::Metric(id) => {
            Err(Refusal::new(format!("no convex bound on `{id}`: there is one for the average gain")))
        }
        Objective::WeightedSum(_) => Err(Refusal::new("no convex bound on a weighted sum of metrics")),
    };
    let parts = |limit: f64| {
        let gains = Arc::new(Gains::new(system));
        Parts::new(system, &gains, echo, limit)
    };
    let unreachable = || Refusal::new("no phases reach the limit on `sensing_gain`");
    let convex = gain.and(limit.clone());
    let feasibility: Offer<dyn Feasibility> = limit.map(|limit| {
        let (system, echo) = (Arc::clone(system), Arc::clone(echo));
        let make = move || Assessor { system: Arc::clone(&system), echo: Arc::clone(&echo), limit };
        Box::new(move || Box::new(make()) as Box<dyn Feasibility>)
            as Box<dyn Fn() -> Box<dyn Feasibility> + Send + Sync>
    });
    let surrogate: Offer<dyn Surrogate> =
        convex.clone().and_then(|limit| parts(limit).ok_or_else(unreachable)).map(|parts| {
            Box::new(move || Box::new(ConicForm::new(parts.clone())) as Box<dyn Surrogate>)
                as Box<dyn Fn() -> Box<dyn Surrogate> + Send + Sync>
        });
    let majorizer: Offer<dyn Majorizer> = convex
        .and_then(|limit| parts(limit).ok_or_else(unreachable))
        .and_then(|parts| match parts.gains.shared() {
            true => Ok(parts),
            false => Err(Refusal::new("users have different covariances: the maximiser has no closed form")),
        })
        .map(|parts| {
            Box::new(move || Box::new(ClosedForm::new(parts.clone())) as Box<dyn Majorizer>)
                as Box<dyn Fn() -> Box<dyn Majorizer> + Send + Sync>
        });
    let gradient = super::gradient::offer(system, problem);
    Structure { feasibility, surrogate, majorizer, gradient, ..Structure::none("not built yet") }
}
