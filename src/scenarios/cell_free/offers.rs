//! What the cell-free system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::Arc;

use super::System;
use super::branching::{Tree, TreeBound};
use super::fair::Fair;
use super::feasibility::Assessor;
use super::gradient;
use super::illumination::equal_phases;
use super::level_set::MaxMin;
use super::limits::{Limits, Utility};
use super::majorizer::ClosedForm;
use super::multistatic::MultistaticAssessor;
use super::printed::Printed;
use super::surrogate::ConicSurrogate;
use crate::model::Named;
use crate::problem::ProblemSpec;
use crate::structure::{
    Bound, Branching, Feasibility, Formulation, LevelSet, Majorizer, Offer, Refusal, Structure, Surrogate,
};

/// An offer that makes a workspace from what it captured.
fn offer<T: ?Sized + 'static>(make: impl Fn() -> Box<T> + Send + Sync + 'static) -> Offer<T> {
    Ok(Box::new(make))
}

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(system: &Arc<System>, problem: &ProblemSpec) -> Structure {
    let limits = Limits::of(problem, system);
    let utility = Utility::of(&problem.objective, system);
    let grows = utility.is_ok();
    let with_utility = limits.clone().and_then(|limits| Ok((limits, utility?)));
    Structure {
        feasibility: limits.clone().and_then(Limits::without_rates).and_then(|l| feasibility(system, l, grows)),
        surrogate: with_utility.clone().and_then(|(limits, utility)| {
            let system = Arc::clone(system);
            offer(move || -> Box<dyn Surrogate> {
                Box::new(ConicSurrogate::new(Arc::clone(&system), utility.clone(), limits.clone()))
            })
        }),
        gradient: gradient::offer(system, problem),
        formulations: formulations(system, &with_utility),
        majorizer: with_utility.clone().and_then(|rates| majorizer(system, rates)),
        bound: with_utility.clone().and_then(|rates| bound(system, rates)),
        branching: with_utility.clone().and_then(|rates| {
            let tree = tree(system, rates)?;
            offer(move || -> Box<dyn Branching> { Box::new(tree()) })
        }),
        level_set: with_utility.and_then(|rates| level_set(system, rates)),
        ..Structure::none("this system has nothing of the kind")
    }
}

fn feasibility(system: &Arc<System>, limits: Limits, grows: bool) -> Offer<dyn Feasibility> {
    let system = Arc::clone(system);
    match limits.is_multistatic() {
        true => offer(move || -> Box<dyn Feasibility> {
            Box::new(MultistaticAssessor::new(Arc::clone(&system), limits.clone(), grows))
        }),
        false => offer(move || -> Box<dyn Feasibility> { Box::new(Assessor::new(&system, &limits, grows)) }),
    }
}

/// Weights of the rates, where the objective is their sum.
fn weights(utility: Utility) -> Result<Vec<f64>, Refusal> {
    match utility {
        Utility::Sum(weights) => Ok(weights),
        _ => Err(Refusal::new("it is known for sums of rates; `sca` serves this objective")),
    }
}

fn orthogonal(system: &System) -> Result<(), Refusal> {
    match system.users.orthogonal() {
        true => Ok(()),
        false => {
            Err(Refusal::new("users share pilots or their pilots overlap: coherent interference has no such form"))
        }
    }
}

fn majorizer(system: &Arc<System>, (limits, utility): (Limits, Utility)) -> Offer<dyn Majorizer> {
    let limits = limits.without_rates()?.own_only()?;
    if utility == Utility::Least {
        orthogonal(system)?;
        if limits.access_point.iter().any(|cap| cap.is_finite()) {
            return Err(Refusal::new("the fixed point of `min_rate` knows no limits on `access_point_power`"));
        }
        let system = Arc::clone(system);
        return offer(move || -> Box<dyn Majorizer> { Box::new(Fair::new(Arc::clone(&system), &limits)) });
    }
    let weights = weights(utility)?;
    let system = Arc::clone(system);
    offer(move || -> Box<dyn Majorizer> { Box::new(ClosedForm::new(Arc::clone(&system), weights.clone(), &limits)) })
}

fn level_set(system: &Arc<System>, (limits, utility): (Limits, Utility)) -> Offer<dyn LevelSet> {
    if utility != Utility::Least {
        return Err(Refusal::new("only the levels of `min_rate` are convex"));
    }
    let limits = if system.users.orthogonal() { limits } else { limits.own_only()? };
    if !equal_phases(system, &limits) {
        return Err(Refusal::new("limits on `crlb_multistatic` under gains of different phases are not convex"));
    }
    let powers = Limits { sinr: vec![0.0; limits.sinr.len()], ..limits.clone() };
    let repair = feasibility(system, powers, true)?;
    let system = Arc::clone(system);
    offer(move || -> Box<dyn LevelSet> { Box::new(MaxMin::new(Arc::clone(&system), limits.clone(), repair())) })
}

/// Makes trees of boxes.
fn tree(
    system: &Arc<System>,
    (limits, utility): (Limits, Utility),
) -> Result<impl Fn() -> Tree + Send + Sync + 'static, Refusal> {
    orthogonal(system)?;
    let weights = weights(utility)?;
    let limits = limits.without_rates()?;
    if !equal_phases(system, &limits) {
        return Err(Refusal::new("limits on `crlb_multistatic` under gains of different phases are not convex"));
    }
    let repair = feasibility(system, limits.clone(), true)?;
    let system = Arc::clone(system);
    Ok(move || Tree::new(Arc::clone(&system), weights.clone(), limits.clone(), repair()))
}

fn bound(system: &Arc<System>, rates: (Limits, Utility)) -> Offer<dyn Bound> {
    let tree = tree(system, rates)?;
    let splits = match system.users.gain.len() {
        0..=64 => 40,
        65..=512 => 0,
        _ => return Err(Refusal::new("a bound takes a conic program too large to be solved on the way")),
    };
    offer(move || -> Box<dyn Bound> { Box::new(TreeBound { tree: tree(), splits }) })
}

/// The paper's own forms of the subproblem.
fn formulations(system: &Arc<System>, rates: &Result<(Limits, Utility), Refusal>) -> Vec<Formulation> {
    let printed = |both_sides: bool| -> Offer<dyn Surrogate> {
        let (limits, utility) = rates.clone()?;
        let weights = weights(utility)?;
        let limits = limits.without_rates()?.own_only()?;
        let system = Arc::clone(system);
        offer(move || -> Box<dyn Surrogate> {
            Box::new(Printed::new(Arc::clone(&system), weights.clone(), &limits, both_sides))
        })
    };
    vec![
        Formulation {
            named: Named {
                name: "printed_crlb",
                description: "the CRLB limits as the paper's (24) and (25), gamma >= omega² alone, rates as in (7)",
            },
            surrogate: printed(false),
        },
        Formulation {
            named: Named {
                name: "printed",
                description: "(26) to the letter, with both sides of (22): no user's power can change",
            },
            surrogate: printed(true),
        },
    ]
}
