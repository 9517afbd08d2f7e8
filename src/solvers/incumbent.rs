//! The best design of a search so far, and the judge that says so.

use std::sync::Arc;

use crate::design::Design;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::problem::{Evaluation, Evaluator, Problem, STRICT};
use crate::structure::Feasibility;

/// Rounding alone misses a limit by no more than this.
const TIGHT: f64 = 1e-12;

/// A miss of a limit may buy so many times its size, both relative.
const PROPORTION: f64 = 1e4;

/// A design to begin at, with the fixed blocks in place. Errors where its length is not the space's.
pub(crate) fn placed(problem: &Problem, mut design: Design) -> Result<Design> {
    let wanted = problem.model().space().len();
    if design.len() != wanted {
        let found = format!("a design of {} coordinates", design.len());
        return Err(InputError::new("start", found, format!("{wanted} coordinates")).into());
    }
    problem.project(&mut design);
    Ok(design)
}

/// The given start, else the problem's own.
pub(crate) fn first_design(problem: &Problem, start: Option<Design>, random: &mut RandomStream) -> Result<Design> {
    match start {
        Some(design) => placed(problem, design),
        None => placed(problem, problem.default_start(random)?),
    }
}

/// The best design so far by Deb's rules ([`Problem::better`]).
pub(crate) struct Incumbent {
    judge: Evaluator,
    repair: Option<Box<dyn Feasibility>>,
    design: Design,
    value: Evaluation,
    /// The best since [`Incumbent::begin_run`].
    run: Option<Evaluation>,
    run_design: Design,
}

impl Incumbent {
    /// Judges the first design. With `repair`, candidates are moved into the feasible set by the model where it
    /// offers that; the first design itself is judged as it is.
    pub(crate) fn new(problem: &Arc<Problem>, design: Design, repair: bool) -> Result<Self> {
        let mut judge = problem.evaluator();
        let value = judge.evaluate(&design)?;
        let repair = match &problem.structure().feasibility {
            Ok(factory) if repair => Some(factory()),
            _ => None,
        };
        let run_design = design.clone();
        Ok(Self { judge, repair, design, value, run: None, run_design })
    }

    /// Whether the model repairs designs.
    pub(crate) fn repairs(&self) -> bool {
        self.repair.is_some()
    }

    /// Judges a candidate, keeps it where it is the best so far, and says how good it is. A repaired candidate is
    /// changed in place, so that the value belongs to it.
    pub(crate) fn offer(&mut self, candidate: &mut Design) -> Result<Evaluation> {
        let mut value = self.judge.evaluate(candidate)?;
        if value.violation > TIGHT
            && let Some(repair) = &mut self.repair
        {
            repair.repair(candidate);
            value = self.judge.evaluate(candidate)?;
        }
        self.keep(candidate, value);
        Ok(value)
    }

    fn keep(&mut self, candidate: &Design, value: Evaluation) {
        let problem = self.judge.problem();
        if self.run.is_none_or(|best| problem.better(&value, &best)) {
            self.run_design.copy_from(candidate);
            self.run = Some(value);
        }
        // Once a feasible design is known, no other gains by missing a limit, be it by less than counts. A gain that is
        // out of all proportion to the miss is one of the design.
        let (old, new) = (self.value.objective, value.objective);
        let small = (new - old).abs() <= PROPORTION * value.violation * new.abs().max(old.abs());
        let gains_by_missing =
            self.value.violation <= STRICT && value.violation > TIGHT.max(self.value.violation) && small;
        if problem.better(&value, &self.value) && !gains_by_missing {
            self.design.copy_from(candidate);
            self.value = value;
        }
    }

    /// Begins a run of a search that consists of several.
    pub(crate) fn begin_run(&mut self) {
        self.run = None;
    }

    /// The best value of this run, where it judged anything.
    pub(crate) fn run_value(&self) -> Option<Evaluation> {
        self.run
    }

    /// The best design of this run.
    pub(crate) fn run_design(&self) -> &Design {
        &self.run_design
    }

    /// The best design.
    pub(crate) fn design(&self) -> &Design {
        &self.design
    }

    /// Its value.
    pub(crate) fn value(&self) -> Evaluation {
        self.value
    }

    /// Designs judged so far.
    pub(crate) fn evaluations(&self) -> u64 {
        self.judge.count()
    }

    /// The judge, for the metric values of the last candidate.
    pub(crate) fn judge(&mut self) -> &mut Evaluator {
        &mut self.judge
    }
}
