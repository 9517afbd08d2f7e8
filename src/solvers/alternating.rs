//! Alternating optimization: one block or group after another, each by a solver of its own, the rest held fixed.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::global_search::GlobalSearch;
use super::incumbent::{Incumbent, first_design};
use super::restriction::restrict;
use super::sca::Sca;
use super::sdr::{Sdr, Selection};
use crate::design::Design;
use crate::driver::{Run, StopRules};
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem};
use crate::structure::{Capability, Structure};

/// Alternating (block-coordinate) optimization: each iteration goes through the blocks or groups in order and solves for
/// each with the rest held fixed, by any solver that fits. Which candidates are taken is `accept`: by default one may be
/// tentative, and the incumbent changes only when the model confirms a feasible improvement, say after the next block has
/// restored feasibility. Ends when a few rounds in a row brought nothing.
///
/// Method: Bezdek and Hathaway, Neural Parallel Sci. Comput. 11(4), 2003; Bertsekas, Nonlinear Programming, section 3.7.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alternating {
    /// The blocks or groups in order, each with its solver; empty for the model's own split with solvers that fit.
    pub blocks: Vec<BlockSolver>,
    /// Which candidates are taken.
    pub accept: Accept,
    /// End after so many rounds in a row without a visible improvement.
    #[schemars(range(min = 1))]
    pub idle_rounds: u64,
    /// What counts as visible, relative to the objective.
    pub improvement: f64,
}

/// One block or group and its solver.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockSolver {
    /// The block or group.
    pub block: String,
    /// Its solver: a table with its `type` and parameters.
    #[schemars(schema_with = "solver_schema")]
    pub solver: Box<dyn Optimizer>,
    /// Its stopping rules; the solver's own fill the gaps.
    #[serde(default)]
    pub stop: StopRules,
}

fn solver_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "required": ["type"], "properties": { "type": { "type": "string" } } })
}

/// Which candidates an alternation takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Every candidate is taken tentatively; a round that brings no confirmed improvement goes back to the incumbent.
    #[default]
    AfterNextBlock,
    /// Only candidates that are better at once, all constraints held.
    Screened,
    /// Every candidate, with no way back, as papers do: the objective may rise and constraints be missed in between.
    Literal,
}

impl Default for Alternating {
    fn default() -> Self {
        Self { blocks: Vec::new(), accept: Accept::AfterNextBlock, idle_rounds: 3, improvement: 1e-5 }
    }
}

#[typetag::serde(name = "alternating")]
impl Optimizer for Alternating {
    fn requires(&self) -> Requirement {
        match self.blocks.is_empty() {
            true => Requirement::capabilities(&[Capability::Blocks]),
            false => Requirement::anything(),
        }
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_iterations: Some(50), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        for (i, entry) in self.blocks.iter().enumerate() {
            entry.solver.check().map_err(|e| e.under(&format!("blocks[{i}].solver")))?;
            entry.stop.check().map_err(|e| e.under(&format!("blocks[{i}].stop")))?;
        }
        if self.idle_rounds == 0 {
            return Err(InputError::new("idle_rounds", "0", "a whole number of at least 1").into());
        }
        if !(0.0..1.0).contains(&self.improvement) {
            let found = self.improvement.to_string();
            return Err(InputError::new("improvement", found, "a number from 0, below 1").into());
        }
        Ok(())
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        self.check()?;
        let current = first_design(&problem, start, &mut random)?;
        let mut blocks: Vec<Entry> = Vec::new();
        for entry in &self.blocks {
            problem.model().space().resolve(&entry.block).map_err(|e| e.under("solver.blocks"))?;
            // A second copy of a boxed solver is made as configs make the first.
            let copy = serde_json::to_value(&entry.solver).and_then(serde_json::from_value);
            let solver: Box<dyn Optimizer> =
                copy.map_err(|e| Error::Numerical(format!("a solver's parameters: {e}")))?;
            blocks.push(Entry { block: entry.block.clone(), solver: Some(solver), stop: entry.stop.clone() });
        }
        if blocks.is_empty() {
            let names = match &problem.structure().blocks {
                Ok(names) => names.clone(),
                Err(why) => {
                    let reason = format!("it needs `blocks`, in the config or from the model: {why}");
                    return Err(Error::Refused { solver: "alternating".into(), reason });
                }
            };
            blocks.extend(names.into_iter().map(|block| Entry { block, solver: None, stop: StopRules::default() }));
        }
        let incumbent = Incumbent::new(&problem, current.clone(), false)?;
        Ok(Box::new(Rounds {
            accept: self.accept,
            idle_rounds: self.idle_rounds,
            improvement: self.improvement,
            problem,
            blocks,
            incumbent,
            current,
            from_incumbent: true,
            idle: 0,
            inner: 0,
            random,
        }))
    }
}

crate::solver!(Alternating);

struct Entry {
    block: String,
    /// None until a solver that fits was chosen.
    solver: Option<Box<dyn Optimizer>>,
    stop: StopRules,
}

struct Rounds {
    accept: Accept,
    idle_rounds: u64,
    improvement: f64,
    problem: Arc<Problem>,
    blocks: Vec<Entry>,
    incumbent: Incumbent,
    /// Where the alternation stands; tentative.
    current: Design,
    /// Whether the round sets out from the incumbent, and not from something tentative.
    from_incumbent: bool,
    idle: u64,
    /// Designs that inner solvers judged.
    inner: u64,
    random: RandomStream,
}

/// A solver for a restricted problem by what it offers, the strongest first.
fn fitting(structure: &Structure, accept: Accept) -> Box<dyn Optimizer> {
    let selection = if accept == Accept::Screened { Selection::Screened } else { Selection::Literal };
    if structure.exact.is_ok() {
        Box::new(Exact {})
    } else if structure.lift.is_ok() {
        Box::new(Sdr { selection, ..Sdr::default() })
    } else if structure.surrogate.is_ok() {
        Box::new(Sca::default())
    } else {
        Box::new(GlobalSearch::default())
    }
}

/// What one of these chosen for itself may spend on a block: the alternation comes back to it.
fn modest() -> StopRules {
    StopRules { max_iterations: Some(100), max_evaluations: Some(2000), ..StopRules::default() }
}

impl Iterate for Rounds {
    /// One round through all blocks.
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        let before = self.incumbent.value();
        let spent = self.evaluations();
        for at in 0..self.blocks.len() {
            let used = self.evaluations() - spent;
            if budget.exhausted(used) {
                return Ok(Step::Advanced);
            }
            self.solve_block(at, budget, used)?;
        }
        let after = self.incumbent.value();
        if self.improved(&before, &after) {
            (self.idle, self.from_incumbent) = (0, false);
        } else if self.accept == Accept::AfterNextBlock && self.from_incumbent {
            // What the last blocks tried is judged once the others have answered to it.
            self.from_incumbent = false;
        } else {
            self.idle += 1;
            if self.accept == Accept::AfterNextBlock {
                self.current.copy_from(self.incumbent.design());
                self.from_incumbent = true;
            }
        }
        Ok(if self.idle >= self.idle_rounds { Step::Converged } else { Step::Advanced })
    }

    fn best(&self) -> &Design {
        match self.accept {
            Accept::Literal => &self.current,
            _ => self.incumbent.design(),
        }
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations() + self.inner
    }
}

impl Rounds {
    fn solve_block(&mut self, at: usize, budget: &Budget, used: u64) -> Result<()> {
        let entry = &mut self.blocks[at];
        let problem = restrict(&self.problem, &entry.block, &self.current)?;
        if problem.free().is_empty() {
            return Ok(());
        }
        let own_rules = entry.solver.is_none();
        let solver = entry.solver.get_or_insert_with(|| fitting(problem.structure(), self.accept));
        if own_rules {
            entry.stop = modest();
        }
        let mut rules = entry.stop.clone();
        if let Some(left) = budget.seconds_left() {
            rules.max_seconds = Some(rules.max_seconds.map_or(left, |own| own.min(left)));
        }
        if let Some(left) = budget.evaluations.map(|left| left.saturating_sub(used)) {
            rules.max_evaluations = Some(rules.max_evaluations.map_or(left, |own| own.min(left)));
        }
        let run = Run {
            start: Some(self.current.clone()),
            rules,
            cancel: budget.cancel(),
            ..Run::new(solver.as_ref(), problem, self.random.split())
        };
        let outcome = run.drive(&mut |_| {})?;
        self.inner += outcome.evaluations;
        let Some(mut candidate) = outcome.design else { return Ok(()) };
        self.problem.project(&mut candidate);
        let before = self.incumbent.value();
        let value = self.incumbent.offer(&mut candidate)?;
        if self.accept != Accept::Screened || self.problem.better(&value, &before) {
            self.current = candidate;
        }
        Ok(())
    }

    fn improved(&self, before: &Evaluation, after: &Evaluation) -> bool {
        if !before.feasible() {
            return self.problem.better(after, before);
        }
        let gain = self.problem.direction().sign() * (after.objective - before.objective);
        gain > self.improvement * before.objective.abs()
            || before.objective.is_infinite() && after.objective.is_finite()
    }
}
