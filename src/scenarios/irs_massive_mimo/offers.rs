//! What the system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bound::{LARGEST, Lifted, Relaxing};
use super::correlation::Correlation;
use super::echo::Echo;
use super::feasibility::Assessor;
use super::gain::Gains;
use super::linearised::{ClosedForm, ConicForm, Parts};
use super::system::{Statistics, System};
use crate::model::Named;
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::{Bound, Feasibility, Formulation, Lift, Majorizer, Offer, Refusal, Structure, Surrogate};

/// Beyond so many elements no forms of N x N entries are made; forms by lags are of any size.
const DENSE: usize = 4096;

/// A system with its echo, and the forms of its gains once somebody needs them.
pub(super) struct Known {
    pub system: Arc<System>,
    pub echo: Arc<Echo>,
    gains: OnceLock<Arc<Gains>>,
    /// Starts that were computed, by limit.
    starts: Mutex<Vec<(f64, Vec<f64>)>>,
}

impl Known {
    pub fn new(system: Arc<System>) -> Self {
        Self { echo: Arc::new(Echo::new(&system)), system, gains: OnceLock::new(), starts: Mutex::default() }
    }

    /// The start that was kept for a limit.
    pub fn start(&self, limit: f64) -> Option<Vec<f64>> {
        let starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        starts.iter().find(|(of, _)| *of == limit).map(|(_, start)| start.clone())
    }

    /// Keeps a start for a limit.
    pub fn keep_start(&self, limit: f64, start: &[f64]) {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).push((limit, start.to_vec()));
    }

    /// The forms of the gains.
    pub fn gains(&self) -> Arc<Gains> {
        Arc::clone(self.gains.get_or_init(|| Arc::new(Gains::new(&self.system))))
    }

    /// Whether all users share one form by lags.
    fn by_lags(&self) -> bool {
        let formula = matches!(self.system.statistics, Statistics::RankOne(_));
        formula && matches!(self.system.irs, Correlation::Lags(_))
    }

    /// Whether the forms of the gains are of a size to be made.
    pub fn has_forms(&self) -> bool {
        self.system.elements() <= DENSE || self.by_lags()
    }
}

/// The least `||u||²` that a problem asks for, 0 for none; or why its limits have no known structure.
pub(super) fn sensing_limit(problem: &ProblemSpec) -> Result<f64, Refusal> {
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

/// A factory as an offer.
fn offer<T: ?Sized>(make: impl Fn() -> Box<T> + Send + Sync + 'static) -> Box<dyn Fn() -> Box<T> + Send + Sync> {
    Box::new(make)
}

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(known: &Arc<Known>, problem: &ProblemSpec) -> Structure {
    let system = &known.system;
    let free = if problem.fixed.is_empty() { Ok(()) } else { Err(Refusal::new("the phases are fixed")) };
    let limit = free.and_then(|()| sensing_limit(problem));
    let gain = match &problem.objective {
        Objective::Metric(id) if id == "min_average_channel_gain" => Ok(()),
        Objective::Metric(id) => {
            Err(Refusal::new(format!("no convex bound on `{id}` is known: there is one for the average gain")))
        }
        Objective::WeightedSum(_) => Err(Refusal::new("no convex bound on a weighted sum of metrics is known")),
    };
    let convex = gain.and(limit.clone()).and_then(|limit| {
        let elements = system.elements();
        if !known.has_forms() {
            return Err(Refusal::new(format!("{elements} elements are more than the {DENSE} that a form is made for")));
        }
        Ok(limit)
    });
    // A limit that no phases reach is proven such before a solver begins.
    let reachable = convex.clone();
    let share = || Arc::clone(known);
    let parts = |limit: f64, printed: bool| {
        let known = share();
        move || Parts::new(&known, limit, printed)
    };
    let feasibility: Offer<dyn Feasibility> = limit.and_then(|limit| {
        if limit <= 0.0 {
            return Err(Refusal::new("there is no limit: all phases are feasible"));
        }
        let known = share();
        Ok(offer(move || Box::new(Assessor { known: Arc::clone(&known), limit }) as Box<dyn Feasibility>))
    });
    let surrogate: Offer<dyn Surrogate> = reachable.clone().map(|limit| {
        let parts = parts(limit, false);
        offer(move || Box::new(ConicForm::new(parts())) as Box<dyn Surrogate>)
    });
    let printed: Offer<dyn Surrogate> = reachable.clone().and_then(|limit| {
        if known.echo.is_measured() && limit > 0.0 {
            return Err(Refusal::new("(42) is for a line of sight by the formula"));
        }
        let parts = parts(limit, true);
        Ok(offer(move || Box::new(ConicForm::new(parts())) as Box<dyn Surrogate>))
    });
    let named = Named {
        name: "printed",
        description: "(42) to the letter: the echo's limit by the means' inequality, infeasible far from the aligned phases",
    };
    let majorizer: Offer<dyn Majorizer> = reachable.map(|limit| {
        let parts = parts(limit, false);
        offer(move || Box::new(ClosedForm::new(parts())) as Box<dyn Majorizer>)
    });
    let small = system.elements() <= LARGEST;
    let too_large = || Err(Refusal::new(format!("the relaxation is solved for up to {LARGEST} elements")));
    let relaxed = convex.clone().and_then(|limit| if small { Ok(limit) } else { too_large() });
    let bounded = convex.and_then(|limit| if small || known.by_lags() { Ok(limit) } else { too_large() });
    let bound: Offer<dyn Bound> = bounded.map(|limit| {
        let known = share();
        offer(move || Box::new(Relaxing { known: Arc::clone(&known), limit }) as Box<dyn Bound>)
    });
    let lift: Offer<dyn Lift> = relaxed.map(|limit| {
        let known = share();
        offer(move || Box::new(Lifted { known: Arc::clone(&known), limit, solved: None }) as Box<dyn Lift>)
    });
    Structure {
        feasibility,
        surrogate,
        formulations: vec![Formulation { named, surrogate: printed }],
        majorizer,
        bound,
        lift,
        gradient: super::gradient::offer(known, problem),
        exact: Err(Refusal::new("the optimal phases have no closed form but for the echo: see `sensing_aligned`")),
        blocks: Err(Refusal::new("there is one block, the phases")),
        incremental: Err(Refusal::new("one phase changes all sums over the elements")),
        branching: Err(Refusal::new("no bounds on subsets of phases are known")),
        level_set: Err(Refusal::new("the gains are not concave in any known form of the phases")),
        enumeration: Err(Refusal::new("phases are continuous")),
        elimination: Err(Refusal::new("there is one block, the phases")),
    }
}
