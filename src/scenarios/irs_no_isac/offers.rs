//! What the system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::Arc;

use super::System;
use super::rows::{Rows, Scan};
use super::search::Walker;
use super::task::Task;
use super::tree::{Bounded, Tree, Whole};
use crate::problem::ProblemSpec;
use crate::structure::{Bound, Branching, Enumeration, Incremental, Refusal, Structure};

type Factory<T> = Box<dyn Fn() -> Box<T> + Send + Sync>;

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(system: &Arc<System>, problem: &ProblemSpec) -> Structure {
    let task = Task::of(system, problem).map(Arc::new);
    let bounded = task.clone().and_then(|task| task.trade()).map(|trade| Arc::new(Bounded::new(trade)));
    let rows = bounded.clone().and_then(|bounded| match bounded.trade.unlimited {
        true => Ok(Arc::new(Rows::new(&bounded))),
        false => Err(Refusal::new("the rows are scanned by the objective alone, and the problem has limits")),
    });
    Structure {
        incremental: task.map(|task| {
            Box::new(move || Box::new(Walker::new(&task)) as Box<dyn Incremental>) as Factory<dyn Incremental>
        }),
        bound: bounded.clone().map(|bounded| {
            Box::new(move || Box::new(Whole(Arc::clone(&bounded))) as Box<dyn Bound>) as Factory<dyn Bound>
        }),
        branching: bounded.map(|bounded| {
            Box::new(move || Box::new(Tree::new(&bounded)) as Box<dyn Branching>) as Factory<dyn Branching>
        }),
        enumeration: rows.map(|rows| {
            Box::new(move || Box::new(Scan(Arc::clone(&rows))) as Box<dyn Enumeration>) as Factory<dyn Enumeration>
        }),
        ..Structure::none("the phases are discrete")
    }
}
