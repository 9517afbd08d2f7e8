//! What the cell-free system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::Arc;

use super::System;
use super::feasibility::Assessor;
use super::limits::{Limits, Utility};
use crate::problem::ProblemSpec;
use crate::structure::{Feasibility, Structure};

type Factory<T> = Box<dyn Fn() -> Box<T> + Send + Sync>;

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(system: &Arc<System>, problem: &ProblemSpec) -> Structure {
    let limits = Limits::of(problem, system);
    let utility = Utility::of(&problem.objective, system);
    let grows = utility.is_ok();
    let own = limits.clone().and_then(Limits::without_rates).and_then(Limits::own_only);
    Structure {
        feasibility: own.map(|limits| {
            let system = Arc::clone(system);
            let make = move || Assessor::new(&system, &limits, grows);
            Box::new(move || Box::new(make()) as Box<dyn Feasibility>) as Factory<dyn Feasibility>
        }),
        ..Structure::none("not built yet")
    }
}
