//! Riemannian descent on products of circles and Euclidean spaces, with one group of blocks solved exactly where the model
//! can.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coordinates::Coordinates;
use super::incumbent::{Incumbent, placed};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::{Descent, RandomStream};
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;
use crate::structure::{Eliminated, Elimination, Gradient};

/// Limited-memory BFGS on the manifold of the free blocks: phases are angles on circles (which are flat, so that steps in
/// the angle are exact), other blocks Euclidean. Where the model eliminates a group (`elimination`), the search has the
/// rest alone, each value is that of the best group, and gradients come by the envelope theorem; infeasible starts first
/// descend to feasibility. Otherwise it needs `gradient` and a problem without constraints. Several starts: the given one
/// or the problem's own, then the problem's own, then random ones.
///
/// Method: Nocedal, Math. Comp. 35(151), 1980, doi:10.1090/S0025-5718-1980-0572855-7; on manifolds Absil, Mahony and
/// Sepulchre, Optimization Algorithms on Matrix Manifolds, 2008, doi:10.1515/9781400830244.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Manifold {
    /// The number of starts.
    #[schemars(range(min = 1))]
    pub starts: u64,
    /// Pairs that the quasi-Newton method remembers.
    #[schemars(range(min = 1))]
    pub memory: usize,
    /// A descent ends when two iterations in a row gain less than this, relative to the objective.
    pub improvement: f64,
}

impl Default for Manifold {
    fn default() -> Self {
        Self { starts: 2, memory: 12, improvement: 1e-6 }
    }
}

/// Length of a descent's first step in search coordinates, per coordinate.
const FIRST_LENGTH: f64 = 0.1;

#[typetag::serde(name = "manifold")]
impl Optimizer for Manifold {
    fn requires(&self) -> Requirement {
        Requirement::anything()
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_iterations: Some(500), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        for (key, value) in [("starts", self.starts), ("memory", self.memory as u64)] {
            if value == 0 {
                return Err(InputError::new(key, "0", "a whole number of at least 1").into());
            }
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
        let oracle = match (&problem.structure().elimination, &problem.structure().gradient) {
            (Ok(factory), _) => Oracle::Eliminating(factory()),
            (Err(_), Ok(factory)) => {
                let gradient = factory();
                if gradient.rows() > 0 {
                    let reason = "without `elimination` it takes no constraints; the problem has some".into();
                    return Err(Error::Refused { solver: "manifold".into(), reason });
                }
                Oracle::Gradient(gradient)
            }
            (Err(one), Err(two)) => {
                let reason = format!("it needs `elimination` ({one}) or `gradient` ({two})");
                return Err(Error::Refused { solver: "manifold".into(), reason });
            }
        };
        let left_out = oracle.group().to_vec();
        let coordinates = Coordinates::free_without(&problem, &left_out);
        let given = start.is_some();
        let first = match start {
            Some(start) => placed(&problem, start)?,
            None => placed(&problem, problem.default_start(&mut random)?)?,
        };
        let incumbent = Incumbent::new(&problem, first.clone(), false)?;
        let evaluator = Evaluator {
            coordinates,
            oracle,
            design: first.clone(),
            gradient: vec![0.0; first.len()],
            best: first.clone(),
            lowest: f64::INFINITY,
            scale: Scale::Unknown,
            mode: Mode::Objective,
            sign: problem.direction().sign(),
            count: 0,
        };
        Ok(Box::new(Search {
            problem,
            incumbent,
            evaluator,
            descent: None,
            next: Some(first),
            given,
            started: 0,
            starts: self.starts,
            memory: self.memory,
            improvement: self.improvement,
            idle: 0,
            random,
        }))
    }
}

crate::solver!(Manifold);

enum Oracle {
    Eliminating(Box<dyn Elimination>),
    Gradient(Box<dyn Gradient>),
}

impl Oracle {
    fn group(&self) -> &[usize] {
        match self {
            Self::Eliminating(elimination) => elimination.group(),
            Self::Gradient(_) => &[],
        }
    }

    fn value(&mut self, design: &mut Design, gradient: &mut [f64]) -> Result<Eliminated> {
        match self {
            Self::Eliminating(elimination) => elimination.best(design, gradient),
            Self::Gradient(oracle) => Ok(Eliminated::Value(oracle.objective(design, gradient))),
        }
    }
}

/// What is minimized.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// The distance from the feasible.
    Feasibility,
    /// The objective.
    Objective,
}

/// How the objective enters: by its logarithm where it is positive at the start, else linearly.
#[derive(Clone, Copy)]
enum Scale {
    Unknown,
    Logarithm,
    Linear(f64),
}

/// The function of the search coordinates.
struct Evaluator {
    coordinates: Coordinates,
    oracle: Oracle,
    design: Design,
    gradient: Vec<f64>,
    /// The design of the lowest value of this descent.
    best: Design,
    lowest: f64,
    scale: Scale,
    mode: Mode,
    sign: f64,
    count: u64,
}

impl Evaluator {
    /// The value at a point in the mode's terms; none where it is undefined there. A feasible point ends the mode of
    /// feasibility: its value is below all infeasible ones.
    fn value(&mut self, point: &[f64], gradient: &mut [f64]) -> Option<f64> {
        self.count += 1;
        self.coordinates.write(point, &mut self.design);
        let value = self.oracle.value(&mut self.design, &mut self.gradient).ok()?;
        let (value, factor) = match (self.mode, value) {
            (Mode::Objective, Eliminated::Value(x)) => {
                if let Scale::Unknown = self.scale {
                    self.scale = if x > 0.0 { Scale::Logarithm } else { Scale::Linear(x.abs().max(1e-12)) };
                }
                match self.scale {
                    Scale::Logarithm if x > 0.0 => (-self.sign * x.ln(), -self.sign / x),
                    Scale::Logarithm | Scale::Unknown => return None,
                    Scale::Linear(unit) => (-self.sign * x / unit, -self.sign / unit),
                }
            }
            (Mode::Feasibility, Eliminated::Infeasible(x)) => (x, 1.0),
            (Mode::Feasibility, Eliminated::Value(_)) => {
                self.best.copy_from(&self.design);
                self.lowest = f64::NEG_INFINITY;
                gradient.fill(0.0);
                return Some(-1e-300);
            }
            _ => return None,
        };
        self.coordinates.pull(point, &self.gradient, gradient);
        gradient.iter_mut().for_each(|g| *g *= factor);
        if value < self.lowest {
            self.lowest = value;
            self.best.copy_from(&self.design);
        }
        value.is_finite().then_some(value)
    }
}

struct Search {
    problem: Arc<Problem>,
    incumbent: Incumbent,
    evaluator: Evaluator,
    descent: Option<Descent>,
    /// Where the next descent sets out.
    next: Option<Design>,
    given: bool,
    started: u64,
    starts: u64,
    memory: usize,
    improvement: f64,
    idle: u32,
    random: RandomStream,
}

impl Search {
    /// Sets out from a design; whether the function is defined there.
    fn set_out(&mut self, design: &Design) -> Result<bool> {
        let evaluator = &mut self.evaluator;
        evaluator.design.copy_from(design);
        evaluator.lowest = f64::INFINITY;
        evaluator.scale = Scale::Unknown;
        self.idle = 0;
        let mut point = vec![0.0; evaluator.coordinates.len()];
        evaluator.coordinates.read(design, &mut point);
        let length = FIRST_LENGTH * (point.len() as f64).sqrt();
        for mode in [Mode::Objective, Mode::Feasibility] {
            evaluator.mode = mode;
            let mut function = |x: &[f64], g: &mut [f64]| evaluator.value(x, g);
            self.descent = Descent::new(point.clone(), self.memory, length, &mut function);
            if self.descent.is_some() {
                break;
            }
        }
        self.offer()?;
        Ok(self.descent.is_some())
    }

    fn offer(&mut self) -> Result<()> {
        if self.evaluator.lowest < f64::INFINITY {
            let mut candidate = self.evaluator.best.clone();
            self.problem.project(&mut candidate);
            self.incumbent.offer(&mut candidate)?;
        }
        Ok(())
    }

    /// The next start after the first; none where all were tried.
    fn another(&mut self) -> Result<Option<Design>> {
        if self.started >= self.starts {
            return Ok(None);
        }
        let design = if self.given {
            self.given = false;
            self.problem.default_start(&mut self.random)?
        } else {
            self.problem.random(&mut self.random)
        };
        placed(&self.problem, design).map(Some)
    }
}

impl Iterate for Search {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.descent.is_none() {
            let design = match self.next.take() {
                Some(design) => Some(design),
                None => self.another()?,
            };
            let Some(design) = design else { return Ok(Step::Converged) };
            self.started += 1;
            self.set_out(&design)?;
            return Ok(Step::Advanced);
        }
        let Some(descent) = &mut self.descent else { return Ok(Step::Advanced) };
        let evaluator = &mut self.evaluator;
        let before = descent.value;
        let moved = {
            // The budget is asked by the line search, which knows nothing of evaluations.
            let count = std::cell::Cell::new(0);
            let mut function = |x: &[f64], g: &mut [f64]| {
                count.set(count.get() + 1);
                evaluator.value(x, g)
            };
            descent.step(&mut function, &mut || budget.exhausted(count.get()))
        };
        let (value, mode) = (descent.value, evaluator.mode);
        self.offer()?;
        if mode == Mode::Feasibility && self.evaluator.lowest == f64::NEG_INFINITY {
            // Feasible: the objective takes over from there.
            let design = self.evaluator.best.clone();
            self.set_out(&design)?;
            return Ok(Step::Advanced);
        }
        // Logarithms: the gain is relative.
        let small = before - value <= self.improvement;
        self.idle = if moved && !small { 0 } else { self.idle + 1 };
        if !moved || self.idle >= 2 {
            self.descent = None;
            if self.started >= self.starts {
                return Ok(Step::Converged);
            }
        }
        Ok(Step::Advanced)
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        self.evaluator.count + self.incumbent.evaluations()
    }
}
