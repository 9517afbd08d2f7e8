//! Exhaustive search over discrete blocks, on all cores.

use std::sync::Arc;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::discrete::{DiscreteSearch, LevelCoordinate, level_coordinates};
use super::incumbent::{Incumbent, placed};
use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem, STRICT};
use crate::structure::{Certificate, Enumeration};

/// Coordinate descents for a first incumbent.
const DESCENTS: u64 = 10;
/// Rows (or blocks of designs) between two looks at the budget.
const WAVE: u64 = 64;
/// Designs in a block of plain enumeration.
const BLOCK: u64 = 1 << 14;

/// Exhaustive search: every design of the discrete blocks, hence the proven optimum. Where the model offers
/// `enumeration`, whole rows of designs are scanned by tables, and a symmetry may save most of them; else designs are
/// judged one by one. All cores share the work; the answer does not depend on them. Refuses where there are more than
/// `max_designs`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Exhaustive {
    /// More designs than this are refused.
    pub max_designs: u64,
}

impl Default for Exhaustive {
    fn default() -> Self {
        Self { max_designs: 2_000_000_000 }
    }
}

#[typetag::serde(name = "exhaustive")]
impl Optimizer for Exhaustive {
    fn requires(&self) -> Requirement {
        Requirement::anything().discrete()
    }

    fn check(&self) -> Result<()> {
        match self.max_designs {
            0 => Err(InputError::new("max_designs", "0", "a whole number of at least 1").into()),
            _ => Ok(()),
        }
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let plan = Plan::of(&problem);
        let designs = plan.blocks as f64 * plan.length as f64;
        if designs > self.max_designs as f64 {
            let reason = format!(
                "it would have to judge {designs:.4e} designs, more than max_designs = {}; `branch_and_bound` or a search may do",
                self.max_designs
            );
            return Err(Error::Refused { solver: "exhaustive".into(), reason });
        }
        let first = placed(&problem, start.unwrap_or_else(|| problem.random(&mut random)))?;
        let mut search = DiscreteSearch::new(&problem, first.clone())?;
        let mut incumbent = Incumbent::new(&problem, first, false)?;
        // A good incumbent first: what cannot beat it is passed over at a glance.
        for _ in 0..DESCENTS.min(designs as u64 / 1000) {
            search.randomize(&mut random)?;
            search.descend(&Budget::unlimited(), 0)?;
            incumbent.offer(&mut search.design().clone())?;
        }
        Ok(Box::new(Rows { problem, incumbent, plan, next: 0, searched: search.evaluations() }))
    }
}

crate::solver!(Exhaustive);

/// How the designs are numbered.
struct Plan {
    coordinates: Vec<LevelCoordinate>,
    /// Rows of the model, or blocks of plain enumeration.
    blocks: u64,
    /// Designs in each; the last may be shorter.
    length: u64,
    rows: bool,
}

impl Plan {
    fn of(problem: &Problem) -> Self {
        let coordinates = level_coordinates(problem);
        match &problem.structure().enumeration {
            Ok(factory) => {
                let rows = factory();
                Self { coordinates, blocks: rows.rows(), length: rows.row_length(), rows: true }
            }
            Err(_) => {
                let count = |product: u64, c: &LevelCoordinate| product.saturating_mul(u64::from(c.levels));
                let designs = coordinates.iter().fold(1, count);
                Self { coordinates, blocks: designs.div_ceil(BLOCK), length: BLOCK.min(designs), rows: false }
            }
        }
    }
}

struct Rows {
    problem: Arc<Problem>,
    incumbent: Incumbent,
    plan: Plan,
    next: u64,
    searched: u64,
}

/// One thread's workspace.
enum Worker {
    Rows(Box<dyn Enumeration>),
    Plain(DiscreteSearch),
}

/// What all threads share in a wave.
struct Wave<'a> {
    problem: &'a Arc<Problem>,
    plan: &'a Plan,
    design: &'a Design,
    threshold: Evaluation,
}

impl Wave<'_> {
    fn worker(&self) -> Result<Worker> {
        match &self.problem.structure().enumeration {
            Ok(factory) if self.plan.rows => Ok(Worker::Rows(factory())),
            _ => DiscreteSearch::new(self.problem, self.design.clone()).map(Worker::Plain),
        }
    }

    /// The best design of a block that is better than the incumbent.
    fn scan(&self, worker: &mut Worker, block: u64) -> Result<Option<Design>> {
        let mut design = self.design.clone();
        let threshold = self.threshold;
        match worker {
            Worker::Rows(rows) => {
                let feasible = threshold.violation <= STRICT && !threshold.objective.is_nan();
                let worst = -self.problem.direction().sign() * f64::INFINITY;
                let limit = if feasible { threshold.objective } else { worst };
                Ok(rows.scan(block, limit, &mut design)?.map(|_| design))
            }
            Worker::Plain(search) => {
                let mut best = threshold;
                let mut found = None;
                let first = block * self.plan.length;
                self.write(first, &mut design);
                search.load(&design)?;
                let designs = self.plan.coordinates.iter().fold(1u64, |n, c| n.saturating_mul(u64::from(c.levels)));
                for number in first..designs.min(first + self.plan.length) {
                    if number > first {
                        self.advance(search)?;
                    }
                    if self.problem.better(&search.value(), &best) {
                        best = search.value();
                        found = Some(search.design().clone());
                    }
                }
                Ok(found)
            }
        }
    }

    /// The design of a number: the first coordinate counts fastest.
    fn write(&self, mut number: u64, design: &mut Design) {
        for coordinate in &self.plan.coordinates {
            let levels = u64::from(coordinate.levels);
            design[coordinate.index] = coordinate.value((number % levels) as f64);
            number /= levels;
        }
    }

    /// The next number's design.
    fn advance(&self, search: &mut DiscreteSearch) -> Result<()> {
        for (at, coordinate) in self.plan.coordinates.iter().enumerate() {
            let level = coordinate.level(search.design()[coordinate.index]) + 1.0;
            let (level, carry) = if level < f64::from(coordinate.levels) { (level, false) } else { (0.0, true) };
            let level = coordinate.value(level);
            let value = search.peek(at, level)?;
            search.set(at, level, value);
            if !carry {
                // A long way of small changes: rounding is wiped out now and then.
                if at >= 6 {
                    search.reload()?;
                }
                break;
            }
        }
        Ok(())
    }
}

impl Iterate for Rows {
    /// A wave of rows on all cores. Their finds are taken in order, so that the threads do not matter.
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        let mut spent = 0;
        while self.next < self.plan.blocks {
            let end = (self.next + WAVE).min(self.plan.blocks);
            let wave = Wave {
                problem: &self.problem,
                plan: &self.plan,
                design: self.incumbent.design(),
                threshold: self.incumbent.value(),
            };
            let scan = |worker: &mut Option<Worker>, block| match worker {
                Some(worker) => wave.scan(worker, block),
                None => wave.scan(worker.insert(wave.worker()?), block),
            };
            let finds: Result<Vec<Option<Design>>> = (self.next..end).into_par_iter().map_init(|| None, scan).collect();
            for mut design in finds?.into_iter().flatten() {
                self.incumbent.offer(&mut design)?;
            }
            spent += (end - self.next) * self.plan.length;
            self.searched += (end - self.next) * self.plan.length;
            self.next = end;
            if budget.exhausted(spent) {
                break;
            }
        }
        if self.next < self.plan.blocks {
            return Ok(Step::Advanced);
        }
        let designs = self.plan.blocks as f64 * self.plan.length as f64;
        let certificate = Certificate { kind: "exhaustive", values: vec![("designs", vec![designs])] };
        Ok(if self.incumbent.value().violation <= STRICT {
            Step::Optimal(Some(certificate))
        } else {
            Step::Infeasible(certificate)
        })
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn bound(&self) -> Option<f64> {
        let value = self.incumbent.value();
        (self.next >= self.plan.blocks && value.violation <= STRICT).then_some(value.objective)
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations() + self.searched
    }
}
