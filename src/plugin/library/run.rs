//! A library's solver inside isacopt.

use std::sync::Arc;

use isacopt_plugin::abi::{self, Judged};

use super::service::{Halt, Service};
use super::table::{Handle, Stepped, Table, reason};
use super::view::{Facts, ProblemView};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::metric::Direction;
use crate::optimizer::{Budget, Iterate, Step};
use crate::plugin::desk::{Desk, Wanted, problem_json};
use crate::plugin::{Location, Solve};
use crate::problem::Problem;
use crate::structure::Capability;

/// A run of a library's solver. It sets out in the first step, as a process does, so that both are stopped and counted
/// alike.
pub(super) struct Run {
    table: &'static Table,
    location: Arc<Location>,
    solve: Option<Solve>,
    view: ProblemView,
    desk: Desk,
    handle: Option<Handle>,
    best: Design,
    numbers: Vec<f64>,
    scratch: Design,
    ended: Option<String>,
}

/// The view of a problem.
fn view_of(problem: &Problem) -> ProblemView {
    let offers = |capability| problem.structure().offers(capability).is_ok();
    let facts = Facts {
        limits: problem.limits(),
        maximize: problem.direction() == Direction::Maximize,
        repairs: offers(Capability::Feasibility),
        gradients: offers(Capability::Gradient),
        description: problem_json(problem).to_string(),
    };
    ProblemView::new(problem.model().space(), &|name| problem.spec().fixed.contains_key(name), facts)
}

impl Run {
    /// A run that sets out with its first step.
    pub fn new(table: &'static Table, location: Arc<Location>, solve: Solve) -> Result<Self> {
        let desk = Desk::new(&solve)?;
        let view = view_of(&solve.problem);
        let best = desk.best().clone();
        let scratch = best.clone();
        let (numbers, handle, ended) = (Vec::new(), None, None);
        Ok(Self { table, location, solve: Some(solve), view, desk, handle, best, numbers, scratch, ended })
    }

    fn serve(&mut self, budget: &Budget) -> Result<Step, String> {
        let before = self.desk.evaluations();
        let Self { table, solve, view, desk, handle, best, numbers, scratch, .. } = self;
        let mut service = AtDesk { desk, budget, before, numbers, scratch };
        if let Some(solve) = solve.take() {
            let start = solve.start.as_deref();
            match table.begin(&solve.solver, &solve.parameters, start, view, &mut service) {
                Ok(begun) => *handle = Some(begun),
                // The driver sees the limit that was reached; there is nothing to go on with.
                Err(Halt::Stop) => {
                    self.ended = Some("the plugin was stopped before it began".into());
                    return Ok(Step::Advanced);
                }
                Err(halt) => return Err(reason(halt)),
            }
        }
        let handle = handle.as_mut().ok_or("the plugin has not begun")?;
        let (stepped, bound) = handle.step(view, &mut service).map_err(reason)?;
        let spent = budget.exhausted(service.desk.evaluations() - before);
        handle.best(best).map_err(reason)?;
        self.desk.report(best, bound)?;
        let step = match stepped {
            Stepped::Stopped if spent => Step::Advanced,
            Stepped::Stopped => Step::Stuck("the plugin is done: stopped".into()),
            Stepped::Outcome(outcome, words) => match (outcome, words) {
                (abi::STEP_ADVANCED, _) => Step::Advanced,
                (abi::STEP_CONVERGED, _) => Step::Converged,
                (abi::STEP_OPTIMAL, _) if self.desk.bound().is_some() => Step::Optimal(None),
                (abi::STEP_OPTIMAL, _) => Step::Converged,
                (abi::STEP_STUCK, words) => Step::Stuck(said(words, "stuck")),
                (abi::STEP_DIVERGED, words) => Step::Diverged(said(words, "diverged")),
                (other, _) => return Err(format!("its step ended as {other}, which there is not")),
            },
        };
        Ok(step)
    }
}

/// The words of an outcome, or that there were none.
pub(super) fn said(words: String, status: &str) -> String {
    if words.is_empty() { format!("the plugin is done: {status}") } else { words }
}

impl Iterate for Run {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if let Some(why) = &self.ended {
            return Ok(Step::Stuck(why.clone()));
        }
        self.serve(budget).map_err(|why| {
            self.handle = None;
            self.ended = Some("the plugin has failed".into());
            let error: Error = self.location.error(why);
            error
        })
    }

    fn best(&self) -> &Design {
        self.desk.best()
    }

    fn bound(&self) -> Option<f64> {
        self.desk.bound()
    }

    fn evaluations(&self) -> u64 {
        self.desk.evaluations()
    }
}

/// The host's functions over the desk, during one step.
struct AtDesk<'a> {
    desk: &'a mut Desk,
    budget: &'a Budget,
    before: u64,
    numbers: &'a mut Vec<f64>,
    scratch: &'a mut Design,
}

impl AtDesk<'_> {
    fn go_on(&self) -> Result<(), Halt> {
        match self.budget.exhausted(self.desk.evaluations() - self.before) {
            true => Err(Halt::Stop),
            false => Ok(()),
        }
    }

    fn judge(&mut self, design: &[f64], wanted: Wanted) -> Result<Judged, Halt> {
        self.numbers.clear();
        self.desk.evaluate(design, wanted, self.numbers).map_err(|e| Halt::Failed(e.to_string()))?;
        Ok(Judged { objective: self.numbers[0], violation: self.numbers[1] })
    }
}

impl Service for AtDesk<'_> {
    fn evaluate(&mut self, designs: &[f64], out: &mut [Judged]) -> Result<(), Halt> {
        self.go_on()?;
        let n = self.desk.dimension();
        for (design, out) in designs.chunks_exact(n.max(1)).zip(out) {
            *out = self.judge(design, Wanted::default())?;
        }
        Ok(())
    }

    fn evaluate_limits(&mut self, design: &[f64], out: &mut Judged, misses: &mut [f64]) -> Result<(), Halt> {
        self.go_on()?;
        *out = self.judge(design, Wanted { misses: true, metrics: false })?;
        misses.copy_from_slice(&self.numbers[2..]);
        Ok(())
    }

    fn gradient(&mut self, design: &[f64]) -> Result<&[f64], Halt> {
        self.go_on()?;
        self.numbers.clear();
        self.desk.gradient(design, self.numbers).ok_or(Halt::Unsupported)?;
        Ok(self.numbers)
    }

    fn repair(&mut self, design: &mut [f64]) -> Result<bool, Halt> {
        self.numbers.clear();
        let could = self.desk.repair(design, self.numbers).ok_or(Halt::Unsupported)?;
        design.copy_from_slice(self.numbers);
        Ok(could)
    }

    fn project(&mut self, design: &mut [f64]) {
        self.scratch.copy_from_slice(design);
        self.desk.problem().project(self.scratch);
        design.copy_from_slice(self.scratch);
    }

    fn random_design(&mut self, design: &mut [f64]) {
        self.numbers.clear();
        self.desk.random_designs(1, self.numbers);
        design.copy_from_slice(self.numbers);
    }

    fn random(&mut self) -> &mut RandomStream {
        self.desk.random()
    }

    fn report(&mut self, design: &[f64]) -> Result<(), Halt> {
        self.desk.report(design, None).map_err(Halt::Failed)
    }

    fn should_stop(&mut self) -> bool {
        self.go_on().is_err()
    }

    fn evaluations_left(&self) -> u64 {
        let spent = self.desk.evaluations() - self.before;
        self.budget.evaluations.map_or(u64::MAX, |left| left.saturating_sub(spent))
    }
}
