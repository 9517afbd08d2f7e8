//! What the monostatic system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::Arc;

use super::System;
use super::exact::{self, Optimum};
use super::feasibility::Assessor;
use super::limits::{Limits, Utility};
use crate::problem::ProblemSpec;
use crate::structure::{Bound, Exact, Feasibility, Refusal, Structure};

type Factory<T> = Box<dyn Fn() -> Box<T> + Send + Sync>;

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(system: &Arc<System>, problem: &ProblemSpec) -> Structure {
    // The closed forms move all blocks; the surrogate knows fixed ones.
    let limits = Limits::of(problem, system).and_then(|limits| match problem.fixed.is_empty() {
        true => Ok(limits),
        false => Err(Refusal::new("blocks are held fixed")),
    });
    let utility = Utility::of(&problem.objective);
    let grows = utility.is_ok();
    let rates = limits.clone().and_then(|limits| Ok((limits, utility?)));
    let solved = rates.clone().and_then(|rates| exact::solvable(system, rates.1).map(|()| rates));
    let optimum = |(limits, utility): (Limits, Utility)| {
        let system = Arc::clone(system);
        move || Optimum { system: Arc::clone(&system), utility, limits: limits.clone() }
    };
    Structure {
        feasibility: limits.map(|limits| {
            let system = Arc::clone(system);
            let make = move || Assessor { system: Arc::clone(&system), limits: limits.clone(), grows, region: None };
            Box::new(move || Box::new(make()) as Box<dyn Feasibility>) as Factory<dyn Feasibility>
        }),
        exact: solved.map(|rates| {
            let make = optimum(rates);
            Box::new(move || Box::new(make()) as Box<dyn Exact>) as Factory<dyn Exact>
        }),
        bound: rates.map(|rates| {
            let make = optimum(rates);
            Box::new(move || Box::new(make()) as Box<dyn Bound>) as Factory<dyn Bound>
        }),
        blocks: Ok(vec!["communication_power".into(), "sensing_power".into()]),
        gradient: super::gradient::offer(system, problem),
        majorizer: super::majorizer::offer(system, problem),
        surrogate: super::surrogate::offer(system, problem),
        incremental: Err(Refusal::new("every power enters the interference of every user: one costs as much as all")),
        ..Structure::none("the powers are continuous, and their optimum is known without a search: `exact`")
    }
}
