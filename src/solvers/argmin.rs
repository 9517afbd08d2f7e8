//! Nelder-Mead, particle swarm and L-BFGS of the argmin crate, on any continuous problem.
//!
//! The search runs in [`Coordinates::free`]. Limits are held by the model's repair where it offers one and the method
//! takes values only; else by an augmented Lagrangian, one round of the method after another. argmin's executor is not
//! used: each iteration of a method is one step under the driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::argmin::core as engine;
use ::argmin::core::State;
use ::argmin::solver::linesearch::MoreThuenteLineSearch;
use ::argmin::solver::neldermead::NelderMead;
use ::argmin::solver::particleswarm::{Particle, ParticleSwarm};
use ::argmin::solver::quasinewton::LBFGS;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::augmented_lagrangian::AugmentedLagrangian;
use super::coordinates::Coordinates;
use super::finite_differences::FiniteDifferences;
use super::incumbent::{Incumbent, first_design};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Problem, STRICT};
use crate::structure::Gradient;

/// Classical methods of the `argmin` crate (<https://argmin-rs.org>) on any problem with continuous blocks.
///
/// `nelder_mead` (doi:10.1093/comjnl/7.4.308) and `particle_swarm` (doi:10.1109/CEC.2013.6557848) need values only;
/// `lbfgs` (doi:10.1007/BF01589116, with the line search doi:10.1145/192115.192132) takes the model's gradients, or finite
/// differences where it offers none. Infeasible candidates are moved to feasible designs where the model offers that and
/// the method takes values only; else the limits enter an augmented Lagrangian, whose rounds end 1e-7 (relative) inside
/// the limits. Each method is repeated from its own end until that gains nothing. Stops
/// after 100 000 evaluations where no stopping rule is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Argmin {
    /// Which method.
    pub method: Method,
    /// The first steps of `nelder_mead`, relative to the typical size of each coordinate; above 0.
    pub step: f64,
    /// Particles of `particle_swarm`, at least 2.
    pub particles: usize,
    /// `particle_swarm` searches so many typical sizes around 0; above 0. (Of the square root, for powers.)
    pub reach: f64,
    /// How many steps `lbfgs` remembers, at least 1.
    pub memory: usize,
    /// Whether candidates are moved to feasible designs where the model offers that.
    pub repair: bool,
}

/// The methods of [`Argmin`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The simplex method of Nelder and Mead.
    #[default]
    NelderMead,
    /// Particle swarm.
    ParticleSwarm,
    /// The quasi-Newton method with limited memory.
    Lbfgs,
}

impl Default for Argmin {
    fn default() -> Self {
        Self { method: Method::NelderMead, step: 0.5, particles: 40, reach: 4.0, memory: 10, repair: true }
    }
}

/// What stands for a value that is no number: argmin's methods compare and add costs.
const HUGE: f64 = 1e100;

/// How far inside the limits the augmented Lagrangian aims, relative to them.
const MARGIN: f64 = 1e-7;

/// A gain of a round below this, relative to the objective, is none.
const GAIN: f64 = 1e-9;

/// Rounds at most.
const ROUNDS: u32 = 40;

/// Generations of a swarm without gain that end a round.
const IDLE_GENERATIONS: u64 = 50;

/// A line search that looks at more points than this has gone astray.
const LINE_SEARCH_LOOKS: u64 = 60;

#[typetag::serde(name = "argmin")]
impl Optimizer for Argmin {
    fn requires(&self) -> Requirement {
        Requirement::anything().continuous()
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_evaluations: Some(100_000), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        let mistake = |key: &str, found: String, allowed: &str| Err(InputError::new(key, found, allowed).into());
        let positive = "a finite number above 0";
        if !(self.step.is_finite() && self.step > 0.0) {
            return mistake("step", self.step.to_string(), positive);
        }
        if !(self.reach.is_finite() && self.reach > 0.0) {
            return mistake("reach", self.reach.to_string(), positive);
        }
        if self.particles < 2 {
            return mistake("particles", self.particles.to_string(), "a whole number of at least 2");
        }
        if self.memory == 0 {
            return mistake("memory", "0".into(), "a whole number of at least 1");
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
        let design = first_design(&problem, start, &mut random)?;
        let incumbent = Incumbent::new(&problem, design, self.repair)?;
        Ok(Box::new(Rounds::new(self.clone(), &problem, incumbent, random)))
    }
}

crate::solver!(Argmin);

/// The problem as a cost without limits in search coordinates, and what is known of it.
struct Landscape {
    incumbent: Incumbent,
    coordinates: Coordinates,
    lagrangian: Option<AugmentedLagrangian>,
    /// Gradients, and how many evaluations one look at them counts for.
    derivatives: Option<(Box<dyn Gradient>, u64)>,
    sign: f64,
    trial: Design,
    limits: Vec<f64>,
    /// The last look at derivatives.
    last: Look,
    of_design: Vec<f64>,
    jacobian: Vec<f64>,
    looks: u64,
    /// The best of this round.
    best: Best,
    watch: Watch,
}

#[derive(Default)]
struct Look {
    point: Vec<f64>,
    cost: f64,
    slope: Vec<f64>,
}

#[derive(Default)]
struct Best {
    point: Vec<f64>,
    cost: f64,
    objective: f64,
    limits: Vec<f64>,
}

/// What one step may still do.
#[derive(Default)]
struct Watch {
    budget: Budget,
    /// Evaluations before the step.
    before: u64,
    looks_before: u64,
    /// argmin insists on the values of a first simplex.
    lenient: bool,
    /// The budget ended the step.
    cut: bool,
    error: Option<Error>,
}

/// Why a cost is not given: the step is over.
#[derive(Debug)]
struct Enough;

impl std::fmt::Display for Enough {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the step is over")
    }
}

impl std::error::Error for Enough {}

impl Landscape {
    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations() + self.looks * self.derivatives.as_ref().map_or(0, |(_, price)| *price)
    }

    /// Whether the step must end before another evaluation.
    fn over(&mut self) -> bool {
        let spent = self.evaluations() - self.watch.before;
        self.watch.cut |= self.watch.error.is_some() || self.watch.budget.exhausted(spent);
        self.watch.cut
    }

    fn cost(&mut self, point: &[f64]) -> Result<f64, Enough> {
        if self.over() {
            return if self.watch.lenient { Ok(HUGE) } else { Err(Enough) };
        }
        if point.iter().any(|z| !z.is_finite()) {
            return Ok(HUGE);
        }
        if self.derivatives.is_some() {
            return self.look(point).map(|()| self.last.cost);
        }
        self.coordinates.write(point, &mut self.trial);
        let value = match self.incumbent.offer(&mut self.trial) {
            Ok(value) => value,
            Err(error) => return self.fail(error),
        };
        self.limits.clear();
        self.incumbent.judge().misses(&mut self.limits);
        let cost = self.sum(value.objective, value.violation);
        self.keep(point, cost, value.objective);
        Ok(cost)
    }

    fn fail(&mut self, error: Error) -> Result<f64, Enough> {
        self.watch.error = Some(error);
        if self.watch.lenient { Ok(HUGE) } else { Err(Enough) }
    }

    /// The cost of an objective and the limits that stand in `self.limits`.
    fn sum(&mut self, objective: f64, violation: f64) -> f64 {
        let cost = match &self.lagrangian {
            Some(lagrangian) => {
                self.limits.iter_mut().for_each(|c| *c += MARGIN);
                lagrangian.value(-self.sign * objective, &self.limits)
            }
            None if violation <= STRICT => -self.sign * objective,
            // A repair that did not succeed.
            None => 0.1 * HUGE * (1.0 + violation.min(1.0)),
        };
        if cost.is_nan() { HUGE } else { cost.clamp(-HUGE, HUGE) }
    }

    fn keep(&mut self, point: &[f64], cost: f64, objective: f64) -> bool {
        let better = cost < self.best.cost;
        if better {
            self.best.point.clear();
            self.best.point.extend_from_slice(point);
            (self.best.cost, self.best.objective) = (cost, objective);
            self.best.limits.clone_from(&self.limits);
        }
        better
    }

    /// Cost and slope at a point, into `self.last`.
    fn look(&mut self, point: &[f64]) -> Result<(), Enough> {
        if self.last.point == point {
            return Ok(());
        }
        if self.looks - self.watch.looks_before >= LINE_SEARCH_LOOKS {
            return Err(Enough);
        }
        self.looks += 1;
        let Some((derivatives, _)) = &mut self.derivatives else { return Err(Enough) };
        self.coordinates.write(point, &mut self.trial);
        let length = self.trial.len();
        self.of_design.fill(0.0);
        let objective = derivatives.objective(&self.trial, &mut self.of_design);
        self.of_design.iter_mut().for_each(|g| *g *= -self.sign);
        if objective.is_finite() {
            self.jacobian.fill(0.0);
            derivatives.constraints(&self.trial, &mut self.limits, &mut self.jacobian);
        }
        let cost = if objective.is_finite() { self.sum(objective, 0.0) } else { HUGE };
        if let Some(lagrangian) = &self.lagrangian {
            for (row, c) in self.limits.iter().enumerate() {
                let weight = lagrangian.slope(row, *c);
                if weight > 0.0 {
                    let slope = &self.jacobian[row * length..(row + 1) * length];
                    self.of_design.iter_mut().zip(slope).for_each(|(g, s)| *g += weight * s);
                }
            }
        }
        self.last.point.clear();
        self.last.point.extend_from_slice(point);
        self.last.cost = cost;
        self.coordinates.pull(point, &self.of_design, &mut self.last.slope);
        if cost >= HUGE || self.last.slope.iter().any(|g| !g.is_finite()) {
            self.last.cost = HUGE;
            self.last.slope.fill(0.0);
        } else if self.keep(point, cost, objective)
            && let Err(error) = self.incumbent.offer(&mut self.trial)
        {
            self.watch.error = Some(error);
        }
        Ok(())
    }
}

/// The landscape as argmin takes it.
#[derive(Clone)]
struct Bridge(Arc<Mutex<Landscape>>);

impl Bridge {
    fn lock(&self) -> MutexGuard<'_, Landscape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl engine::CostFunction for Bridge {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> Result<f64, engine::Error> {
        Ok(self.lock().cost(point)?)
    }
}

impl engine::Gradient for Bridge {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, point: &Vec<f64>) -> Result<Vec<f64>, engine::Error> {
        let mut it = self.lock();
        it.look(point)?;
        Ok(it.last.slope.clone())
    }
}

/// A project's stream as the generator that argmin takes.
struct Stream(RandomStream);

impl rand_core_09::RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// A method at work.
trait Running: Send {
    /// One iteration; whether the method has ended.
    fn advance(&mut self) -> Result<bool, engine::Error>;
}

struct Engine<S, I> {
    solver: S,
    problem: engine::Problem<Bridge>,
    state: Option<I>,
}

impl<S, I> Engine<S, I>
where
    S: engine::Solver<Bridge, I> + Send + 'static,
    I: State + Send + 'static,
{
    fn begin(bridge: &Bridge, mut solver: S, state: I) -> Result<Box<dyn Running>, engine::Error> {
        let mut problem = engine::Problem::new(bridge.clone());
        let (mut state, _) = solver.init(&mut problem, state)?;
        state.update();
        Ok(Box::new(Self { solver, problem, state: Some(state) }))
    }
}

impl<S, I> Running for Engine<S, I>
where
    S: engine::Solver<Bridge, I> + Send,
    I: State + Send,
{
    fn advance(&mut self) -> Result<bool, engine::Error> {
        let Some(state) = self.state.take() else { return Ok(true) };
        if let engine::TerminationStatus::Terminated(_) = self.solver.terminate_internal(&state) {
            return Ok(true);
        }
        let (mut state, _) = self.solver.next_iter(&mut self.problem, state)?;
        if state.terminated() {
            return Ok(true);
        }
        state.update();
        state.increment_iter();
        self.state = Some(state);
        Ok(false)
    }
}

/// Rounds of a method, each from the end of the last.
struct Rounds {
    config: Argmin,
    bridge: Bridge,
    dimension: usize,
    random: RandomStream,
    running: Option<Box<dyn Running>>,
    /// Where the next round begins.
    from: Vec<f64>,
    rounds: u32,
    iterations: u64,
    idle: u64,
    /// The round's cost when it last gained, and the objective at the end of the last round.
    gained: f64,
    before: f64,
    /// The objective's size at the start, and now.
    scale: f64,
    size: f64,
    best: Design,
    evaluations: u64,
}

impl Rounds {
    fn new(config: Argmin, problem: &Arc<Problem>, incumbent: Incumbent, random: RandomStream) -> Self {
        let coordinates = Coordinates::free(problem);
        let dimension = coordinates.len();
        let best = incumbent.design().clone();
        let derivatives = (config.method == Method::Lbfgs).then(|| -> (Box<dyn Gradient>, u64) {
            match &problem.structure().gradient {
                Ok(factory) => (factory(), 1),
                Err(_) => (Box::new(FiniteDifferences::new(problem, &best)), 1 + 2 * problem.free().len() as u64),
            }
        });
        let rows = derivatives.as_ref().map_or(problem.limits(), |(derivatives, _)| derivatives.rows());
        let needed = rows > 0 && (derivatives.is_some() || !incumbent.repairs());
        let size = incumbent.value().objective.abs();
        let scale = if size.is_finite() && size > 0.0 { size } else { 1.0 };
        let mut from = vec![0.0; dimension];
        coordinates.read(&best, &mut from);
        if derivatives.is_some() {
            coordinates.leave_edges(&mut from);
        }
        let landscape = Landscape {
            lagrangian: needed.then(|| AugmentedLagrangian::new(rows, 10.0 * scale)),
            sign: problem.direction().sign(),
            trial: best.clone(),
            limits: vec![0.0; rows],
            last: Look { slope: vec![0.0; dimension], ..Look::default() },
            of_design: vec![0.0; best.len()],
            jacobian: vec![0.0; if derivatives.is_some() { rows * best.len() } else { 0 }],
            looks: 0,
            best: Best::default(),
            watch: Watch::default(),
            incumbent,
            coordinates,
            derivatives,
        };
        let evaluations = landscape.evaluations();
        Self {
            config,
            bridge: Bridge(Arc::new(Mutex::new(landscape))),
            dimension,
            random,
            running: None,
            from,
            rounds: 0,
            iterations: 0,
            idle: 0,
            gained: f64::INFINITY,
            before: f64::NAN,
            scale,
            size: scale,
            best,
            evaluations,
        }
    }

    fn begin(&mut self) -> Result<Box<dyn Running>, engine::Error> {
        {
            let mut it = self.bridge.lock();
            it.best = Best { cost: f64::INFINITY, ..Best::default() };
            it.last.point.clear();
            let now = it.incumbent.value().objective.abs();
            // An optimum of 0 is not approached to its own size.
            self.size = if now.is_finite() { now.max(1e-9 * self.scale) } else { self.scale };
        }
        let size = self.size;
        (self.iterations, self.idle, self.gained) = (0, 0, f64::INFINITY);
        match self.config.method {
            Method::NelderMead => {
                // Later rounds begin near the end of the last.
                let step = self.config.step * if self.rounds == 0 { 1.0 } else { 0.2 };
                let mut simplex = vec![self.from.clone(); self.dimension + 1];
                simplex.iter_mut().skip(1).enumerate().for_each(|(i, point)| point[i] += step);
                let method = NelderMead::new(simplex).with_sd_tolerance(1e-11 * size)?;
                Engine::begin(&self.bridge, method, engine::IterState::new())
            }
            Method::ParticleSwarm => self.begin_swarm(),
            Method::Lbfgs => {
                let method = LBFGS::new(MoreThuenteLineSearch::new(), self.config.memory)
                    .with_tolerance_grad(1e-9 * size)?
                    .with_tolerance_cost(1e-13 * size)?;
                Engine::begin(&self.bridge, method, engine::IterState::new().param(self.from.clone()))
            }
        }
    }

    /// Particles all over the window, one of them where the round begins.
    fn begin_swarm(&mut self) -> Result<Box<dyn Running>, engine::Error> {
        let (low, high) = self.bridge.lock().coordinates.window(self.config.reach);
        let mut particles = Vec::with_capacity(self.config.particles);
        for i in 0..self.config.particles {
            let between = low.iter().zip(&high);
            let position: Vec<f64> = match i {
                0 => self.from.iter().zip(between).map(|(z, (l, h))| z.clamp(*l, *h)).collect(),
                _ => between.map(|(l, h)| l + (h - l) * self.random.uniform()).collect(),
            };
            let widths = low.iter().zip(&high).map(|(l, h)| h - l);
            let velocity = widths.map(|w| 0.5 * w * (2.0 * self.random.uniform() - 1.0)).collect();
            let cost = engine::CostFunction::cost(&self.bridge, &position)?;
            particles.push(Particle::new(position, cost, velocity));
        }
        let stream = Stream(self.random.split());
        let method = ParticleSwarm::new((low, high), particles.len()).with_rng_generator(stream);
        Engine::begin(&self.bridge, method, engine::PopulationState::new().population(particles))
    }

    /// Whether the round goes on.
    fn goes_on(&mut self) -> bool {
        self.iterations += 1;
        let most = match self.config.method {
            Method::NelderMead => 1000 + 400 * self.dimension as u64,
            Method::ParticleSwarm => 2000,
            Method::Lbfgs => 1000,
        };
        let cost = self.bridge.lock().best.cost;
        if self.gained.is_infinite() || self.gained - cost > GAIN * self.size {
            (self.gained, self.idle) = (cost, 0);
        } else {
            self.idle += 1;
        }
        let idle = self.config.method == Method::ParticleSwarm && self.idle >= IDLE_GENERATIONS;
        !idle && self.iterations < most
    }

    /// Ends a round, and says whether it was the last.
    fn settle(&mut self) -> Step {
        self.running = None;
        self.rounds += 1;
        let mut it = self.bridge.lock();
        if it.best.point.is_empty() {
            return Step::Stuck("there is no number where the search stands".into());
        }
        self.from.clone_from(&it.best.point);
        let objective = it.best.objective;
        let still = (objective - self.before).abs() <= GAIN * self.size;
        let close = (objective - self.before).abs() <= MARGIN * self.size;
        self.before = objective;
        let Landscape { lagrangian, best, .. } = &mut *it;
        let done = match lagrangian {
            Some(lagrangian) => {
                lagrangian.advance(&best.limits);
                close && best.limits.iter().all(|c| *c <= MARGIN)
            }
            None => still,
        };
        if done || self.rounds >= ROUNDS { Step::Converged } else { Step::Advanced }
    }

    fn take_step(&mut self) -> Result<Step> {
        let end = match &mut self.running {
            Some(running) => running.advance(),
            None => self.begin().map(|running| {
                self.running = Some(running);
                false
            }),
        };
        let (cut, error) = {
            let mut it = self.bridge.lock();
            (it.watch.cut, it.watch.error.take())
        };
        if let Some(error) = error {
            return Err(error);
        }
        if cut {
            // Half an iteration has no place in a method's state: should the run go on, a round begins.
            self.running = None;
            let it = self.bridge.lock();
            if !it.best.point.is_empty() {
                self.from.clone_from(&it.best.point);
            }
            return Ok(Step::Advanced);
        }
        // What argmin calls an error here is a line search without descent: the round has come to its end.
        Ok(if end.unwrap_or(true) || !self.goes_on() { self.settle() } else { Step::Advanced })
    }
}

impl Iterate for Rounds {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.dimension == 0 {
            return Ok(Step::Converged);
        }
        {
            let mut it = self.bridge.lock();
            let lenient = self.running.is_none() && self.config.method == Method::NelderMead;
            let (before, looks_before) = (it.evaluations(), it.looks);
            it.watch = Watch { budget: budget.clone(), before, looks_before, lenient, cut: false, error: None };
        }
        let step = self.take_step();
        let it = self.bridge.lock();
        self.best.copy_from(it.incumbent.design());
        self.evaluations = it.evaluations();
        step
    }

    fn best(&self) -> &Design {
        &self.best
    }

    fn evaluations(&self) -> u64 {
        self.evaluations
    }
}
