//! Riemannian descent on products of circles and Euclidean spaces, with one group of blocks solved exactly where the model
//! can.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::augmented_lagrangian::AugmentedLagrangian;
use super::coordinates::Coordinates;
use super::incumbent::{Incumbent, placed};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::{Descent, RandomStream};
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;
use crate::references::{ABSIL, NOCEDAL};
use crate::structure::{Capability, Eliminated, Elimination, Gradient};

/// Limited-memory BFGS on the manifold of the free blocks: phases are angles on circles (which are flat, so that steps in
/// the angle are exact), other blocks Euclidean. Where the model eliminates a group (`elimination`), the search has the
/// rest alone, each value is that of the best group, and gradients come by the envelope theorem; infeasible starts first
/// descend to feasibility. Otherwise it needs `gradient`: constraints then enter by an augmented Lagrangian, and an
/// objective that is the least of several figures by a smooth bound on it that sharpens, both in stages of one descent
/// each. Several starts: the given one or the problem's own, then the problem's own, then random ones.
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

/// The weight of a missed limit at first. Limits are relative, objectives enter by logarithms.
const WEIGHT: f64 = 10.0;

/// The sharpness of the smooth bound on the least of several figures: first, and from one stage to the next.
const SHARPNESS: [f64; 2] = [0.1, 0.2];

/// Stages of a run with limits or several figures, at most.
const STAGES: u32 = 12;

/// Length of a descent's first step in search coordinates, per coordinate.
const FIRST_LENGTH: f64 = 0.1;

#[typetag::serde(name = "manifold")]
impl Optimizer for Manifold {
    fn requires(&self) -> Requirement {
        Requirement::one_of(&[(Capability::Elimination, true), (Capability::Gradient, true)])
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
            (Err(_), Ok(factory)) => Oracle::Gradient(factory()),
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
        let (rows, pieces) = match &oracle {
            Oracle::Eliminating(_) => (0, 0),
            Oracle::Gradient(oracle) => (oracle.rows(), oracle.pieces()),
        };
        let incumbent = Incumbent::new(&problem, first.clone(), rows > 0)?;
        let evaluator = Evaluator {
            stages: Stages::new(rows, pieces, first.len()),
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
            stage: 0,
            reached: None,
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

crate::solver!(Manifold, references = [NOCEDAL, ABSIL]);

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
}

/// Limits and several figures on the way to the problem itself.
struct Stages {
    lagrangian: AugmentedLagrangian,
    sharpness: f64,
    limits: Vec<f64>,
    jacobian: Vec<f64>,
    pieces: Vec<f64>,
    of_pieces: Vec<f64>,
}

impl Stages {
    fn new(rows: usize, pieces: usize, n: usize) -> Self {
        Self {
            lagrangian: AugmentedLagrangian::new(rows, WEIGHT),
            sharpness: SHARPNESS[0],
            limits: vec![0.0; rows],
            jacobian: vec![0.0; rows * n],
            pieces: vec![0.0; pieces],
            of_pieces: vec![0.0; pieces * n],
        }
    }

    fn needed(&self) -> bool {
        !self.limits.is_empty() || !self.pieces.is_empty()
    }

    /// The bound `worst - sharpness ln(sum exp((worst - l_i) / sharpness))` on the worst of the logarithms `l_i` of all
    /// figures (with the sign that makes more better), negated, and its gradient. None where there is one figure, or some
    /// has no logarithm.
    fn smooth_worst(
        &mut self,
        oracle: &mut dyn Gradient,
        design: &Design,
        sign: f64,
        gradient: &mut [f64],
    ) -> Option<f64> {
        if self.pieces.is_empty() {
            return None;
        }
        oracle.worst_of(design, &mut self.pieces, &mut self.of_pieces);
        if self.pieces.iter().any(|x| x.is_nan() || *x <= 0.0) {
            return None;
        }
        let worst = self.pieces.iter().map(|x| sign * x.ln()).fold(f64::INFINITY, f64::min);
        let weight = |x: f64| ((worst - sign * x.ln()) / self.sharpness).exp();
        let sum: f64 = self.pieces.iter().map(|x| weight(*x)).sum();
        gradient.fill(0.0);
        for (x, slopes) in self.pieces.iter().zip(self.of_pieces.chunks_exact(design.len())) {
            let factor = -sign * weight(*x) / sum / x;
            gradient.iter_mut().zip(slopes).for_each(|(g, s)| *g += factor * s);
        }
        Some(self.sharpness * sum.ln() - worst)
    }

    /// Adds what the limits cost.
    fn add_limits(&mut self, oracle: &mut dyn Gradient, design: &Design, value: f64, gradient: &mut [f64]) -> f64 {
        if self.limits.is_empty() {
            return value;
        }
        oracle.constraints(design, &mut self.limits, &mut self.jacobian);
        for (i, (c, slopes)) in self.limits.iter().zip(self.jacobian.chunks_exact(design.len())).enumerate() {
            let slope = self.lagrangian.slope(i, *c);
            if slope > 0.0 {
                gradient.iter_mut().zip(slopes).for_each(|(g, s)| *g += slope * s);
            }
        }
        self.lagrangian.value(value, &self.limits)
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
    stages: Stages,
    /// The design of the lowest value of this descent.
    best: Design,
    lowest: f64,
    scale: Scale,
    mode: Mode,
    sign: f64,
    count: u64,
}

impl Evaluator {
    /// How the objective's value enters, and the factor of its gradient; none where it cannot.
    fn scaled(&mut self, x: f64) -> Option<(f64, f64)> {
        if let Scale::Unknown = self.scale {
            self.scale = if x > 0.0 { Scale::Logarithm } else { Scale::Linear(x.abs().max(1e-12)) };
        }
        match self.scale {
            Scale::Logarithm if x > 0.0 => Some((-self.sign * x.ln(), -self.sign / x)),
            Scale::Logarithm | Scale::Unknown => None,
            Scale::Linear(unit) => Some((-self.sign * x / unit, -self.sign / unit)),
        }
    }

    /// The value at a point in the mode's terms; none where it is undefined there. A feasible point ends the mode of
    /// feasibility: its value is below all infeasible ones.
    fn value(&mut self, point: &[f64], gradient: &mut [f64]) -> Option<f64> {
        self.count += 1;
        self.coordinates.write(point, &mut self.design);
        let value = match &mut self.oracle {
            Oracle::Eliminating(elimination) => {
                let value = elimination.best(&mut self.design, &mut self.gradient).ok()?;
                match (self.mode, value) {
                    (Mode::Objective, Eliminated::Value(x)) => {
                        let (value, factor) = self.scaled(x)?;
                        self.gradient.iter_mut().for_each(|g| *g *= factor);
                        value
                    }
                    (Mode::Feasibility, Eliminated::Infeasible(x)) => x,
                    (Mode::Feasibility, Eliminated::Value(_)) => {
                        self.best.copy_from(&self.design);
                        self.lowest = f64::NEG_INFINITY;
                        gradient.fill(0.0);
                        return Some(-1e-300);
                    }
                    _ => return None,
                }
            }
            Oracle::Gradient(_) if self.mode == Mode::Feasibility => return None,
            Oracle::Gradient(oracle) => {
                let oracle = oracle.as_mut();
                let smooth = self.stages.smooth_worst(oracle, &self.design, self.sign, &mut self.gradient);
                let value = match smooth {
                    Some(value) => value,
                    None => {
                        let x = oracle.objective(&self.design, &mut self.gradient);
                        let (value, factor) = self.scaled(x)?;
                        self.gradient.iter_mut().for_each(|g| *g *= factor);
                        value
                    }
                };
                let Oracle::Gradient(oracle) = &mut self.oracle else { return None };
                self.stages.add_limits(oracle.as_mut(), &self.design, value, &mut self.gradient)
            }
        };
        self.coordinates.pull(point, &self.gradient, gradient);
        if value < self.lowest {
            self.lowest = value;
            self.best.copy_from(&self.design);
        }
        value.is_finite().then_some(value)
    }

    /// The next stage, from the best design of the last one; whether limits are held there.
    fn advance(&mut self) -> bool {
        let Oracle::Gradient(oracle) = &mut self.oracle else { return true };
        let stages = &mut self.stages;
        stages.sharpness *= SHARPNESS[1];
        if stages.limits.is_empty() {
            return true;
        }
        oracle.constraints(&self.best, &mut stages.limits, &mut stages.jacobian);
        stages.lagrangian.advance(&stages.limits);
        stages.limits.iter().all(|c| *c <= 1e-7)
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
    /// Stages behind in this run, and the incumbent's objective at the last one's end.
    stage: u32,
    reached: Option<f64>,
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

    /// Sets out on the run's next stage, where it needs one.
    fn another_stage(&mut self) -> Result<bool> {
        if !self.evaluator.stages.needed() || self.stage >= STAGES || self.evaluator.lowest == f64::INFINITY {
            return Ok(false);
        }
        let held = self.evaluator.advance();
        let now = self.incumbent.value().objective;
        let before = self.reached.replace(now);
        self.stage += 1;
        let settled = before.is_some_and(|b| (b - now).abs() <= self.improvement * now.abs());
        if held && settled && self.stage > 4 {
            return Ok(false);
        }
        let design = self.evaluator.best.clone();
        self.set_out(&design)
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
            let (rows, pieces) = (self.evaluator.stages.limits.len(), self.evaluator.stages.pieces.len());
            self.evaluator.stages = Stages::new(rows, pieces, design.len());
            (self.stage, self.reached) = (0, None);
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
            if self.another_stage()? {
                return Ok(Step::Advanced);
            }
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
