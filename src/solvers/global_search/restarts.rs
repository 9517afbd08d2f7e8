//! Restarts: which search runs next, from where, and when enough have run.

use std::sync::Arc;

use super::cma_es::usual_population;
use super::local_search::LocalSearch;
use super::population::Population;
use super::{Budget, Design, GlobalSearch, Incumbent, Iterate, Problem, RandomStream, Result, Step, Strategy};
use crate::problem::{Evaluation, STRICT};
use crate::solvers::coordinates::Coordinates;
use crate::solvers::finite_differences::FiniteDifferences;
use crate::structure::Gradient;

/// A gain below this, relative to the objective, does not count as one.
const GAIN: f64 = 1e-7;

/// Two runs ended at the same value where their values differ by less than this, relative to the objective.
const AGREES: f64 = 1e-4;

/// How much longer the search goes on where runs end at different values.
const SEVERAL: u64 = 4;

/// Populations beyond this factor of the first are of no use within sensible budgets.
const LARGEST_FACTOR: f64 = 512.0;

pub(super) struct Restarts {
    problem: Arc<Problem>,
    incumbent: Incumbent,
    random: RandomStream,
    idle_restarts: u64,
    idle: u64,
    runs: u64,
    several: bool,
    before: Evaluation,
    stage: Stage,
    local: Option<Local>,
    evolution: Option<Evolution>,
}

/// What runs now.
enum Stage {
    /// Nothing: the next restart begins.
    Rest,
    Local,
    Population(Box<Population>),
}

struct Local {
    search: LocalSearch,
    /// Evaluations that one look at values and derivatives costs.
    price: u64,
}

/// Two regimes of restarts share the evaluations: populations that double, and small ones with small steps.
struct Evolution {
    coordinates: Coordinates,
    first: usize,
    step: f64,
    factor: f64,
    spent_large: u64,
    spent_small: u64,
    now_large: bool,
    limits: usize,
}

impl Restarts {
    pub(super) fn new(
        config: &GlobalSearch,
        problem: Arc<Problem>,
        incumbent: Incumbent,
        random: RandomStream,
    ) -> Self {
        let gradient = problem.structure().gradient.as_ref().ok();
        let (use_local, use_evolution) = match config.strategy {
            Strategy::Local => (true, false),
            Strategy::CmaEs => (false, true),
            Strategy::Auto => (true, gradient.is_none()),
        };
        let sign = problem.direction().sign();
        let local = use_local.then(|| {
            let (derivatives, price): (Box<dyn Gradient>, u64) = match gradient {
                Some(factory) => (factory(), 1),
                None => {
                    let price = 1 + 2 * problem.free().len() as u64;
                    (Box::new(FiniteDifferences::new(&problem, incumbent.design())), price)
                }
            };
            let coordinates = Coordinates::bounded(&problem);
            Local { search: LocalSearch::new(coordinates, derivatives, sign, incumbent.design()), price }
        });
        let evolution = use_evolution.then(|| {
            let coordinates = Coordinates::free(&problem);
            let first = config.population.unwrap_or_else(|| usual_population(coordinates.len()));
            // A repaired candidate is feasible: its objective alone ranks it.
            let limits = if incumbent.repairs() { 0 } else { problem.limits() };
            Evolution {
                coordinates,
                first,
                step: config.step,
                factor: 1.0,
                spent_large: 0,
                spent_small: 0,
                now_large: true,
                limits,
            }
        });
        let before = incumbent.value();
        let idle_restarts = config.idle_restarts;
        Self {
            problem,
            incumbent,
            random,
            idle_restarts,
            idle: 0,
            runs: 0,
            several: false,
            before,
            stage: Stage::Rest,
            local,
            evolution,
        }
    }

    /// Begins the next run.
    fn restart(&mut self) {
        self.before = self.incumbent.value();
        self.incumbent.begin_run();
        let first = self.runs == 0;
        self.runs += 1;
        if let Some(evolution) = &mut self.evolution {
            let mut point = vec![0.0; evolution.coordinates.len()];
            let mut design = self.incumbent.design().clone();
            if first {
                evolution.coordinates.read(&design, &mut point);
            } else {
                design = evolution.coordinates.random(&self.problem, &mut self.random, &mut point);
            }
            let (population, sigma) = evolution.next(first, &mut self.random);
            let run = Population::new(&point, sigma, population, &design, evolution.limits);
            self.stage = Stage::Population(Box::new(run));
        } else if let Some(local) = &mut self.local {
            let mut design = self.incumbent.design().clone();
            if !first {
                let fresh = self.problem.random(&mut self.random);
                // Every other restart keeps most of the best design: good parts are found again sooner than all at once.
                let share = if self.runs.is_multiple_of(2) { 1.0 } else { 0.3 };
                for (x, new) in design.iter_mut().zip(fresh.iter()) {
                    if self.random.uniform() < share {
                        *x = *new;
                    }
                }
                self.problem.project(&mut design);
            }
            local.search.begin(&design);
            self.stage = Stage::Local;
        }
    }

    /// Ends a run, and says whether enough have been.
    fn settle(&mut self) -> Step {
        self.stage = Stage::Rest;
        let (old, new) = (self.before, self.incumbent.value());
        let size = new.objective.abs().max(1e-9);
        let feasible_now = old.violation > STRICT && new.violation < 0.9 * old.violation;
        let gained = feasible_now || (new.objective - old.objective).abs() > GAIN * size;
        let agrees = |a: Evaluation, b: Evaluation| {
            (a.violation <= STRICT) == (b.violation <= STRICT) && (a.objective - b.objective).abs() <= AGREES * size
        };
        // Runs that end at different values say that there are several optima: then look longer.
        let elsewhere = self.incumbent.run_value().is_none_or(|run| !agrees(run, new));
        self.several |= self.runs > 1 && (elsewhere || !agrees(old, new));
        self.idle = if gained { 0 } else { self.idle + 1 };
        let enough = if self.several { SEVERAL * self.idle_restarts } else { self.idle_restarts };
        if self.idle >= enough { Step::Converged } else { Step::Advanced }
    }
}

impl Iterate for Restarts {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.problem.free().is_empty() {
            return Ok(Step::Converged);
        }
        if matches!(self.stage, Stage::Rest) {
            self.restart();
        }
        let sign = self.problem.direction().sign();
        match &mut self.stage {
            Stage::Rest => Ok(Step::Converged),
            Stage::Local => {
                let Some(local) = &mut self.local else { return Ok(self.settle()) };
                if local.search.step(&mut self.incumbent)? {
                    return Ok(Step::Advanced);
                }
                local.search.offer(&mut self.incumbent)?;
                Ok(self.settle())
            }
            Stage::Population(run) => {
                let Some(evolution) = &mut self.evolution else { return Ok(self.settle()) };
                let spent = self.incumbent.evaluations();
                let end = run.step(&evolution.coordinates, &mut self.incumbent, &mut self.random, budget, sign)?;
                evolution.account(self.incumbent.evaluations() - spent);
                match end {
                    None | Some(None) => Ok(Step::Advanced),
                    Some(Some(_)) => match &mut self.local {
                        // The last digits come faster from derivatives.
                        Some(local) => {
                            local.search.begin(self.incumbent.run_design());
                            self.stage = Stage::Local;
                            Ok(Step::Advanced)
                        }
                        None => Ok(self.settle()),
                    },
                }
            }
        }
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        let derivatives = self.local.as_ref().map_or(0, |l| l.search.calls() * l.price);
        self.incumbent.evaluations() + derivatives
    }
}

impl Evolution {
    /// Population and step of the next run.
    fn next(&mut self, first: bool, random: &mut RandomStream) -> (usize, f64) {
        self.now_large = first || self.spent_large <= self.spent_small;
        if self.now_large {
            if !first {
                self.factor = (2.0 * self.factor).min(LARGEST_FACTOR);
            }
            ((self.first as f64 * self.factor) as usize, self.step)
        } else {
            let (a, b) = (random.uniform(), random.uniform());
            let population = self.first as f64 * (0.5 * self.factor).max(1.0).powf(a * a);
            (population as usize, self.step * 10f64.powf(-2.0 * b))
        }
    }

    fn account(&mut self, evaluations: u64) {
        let spent = if self.now_large { &mut self.spent_large } else { &mut self.spent_small };
        *spent += evaluations;
    }
}
