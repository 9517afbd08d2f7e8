//! What every solver promises, as checks that anyone can run on one: `isacopt plugin test`, and the tests of the built-in
//! solvers.
//!
//! The checks judge runs by the model alone. A [`Finding`] says which promise was looked at, on which problem, and what
//! is wrong where it was broken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::toys::Toy;
use super::{Parameters, Plugin, PluginScenario, PluginSolver};
use crate::design::Design;
use crate::driver::{Run, StopRules};
use crate::error::{Error, Result};
use crate::math::{RandomStream, Streams};
use crate::optimizer::{Cancel, Optimizer};
use crate::problem::{Evaluation, Problem, STRICT};
use crate::scenario::{Scenario, scenarios};
use crate::trace::{Outcome, Record, Status};

/// Evaluations of the longer runs.
const EVALUATIONS: u64 = 1500;
/// Evaluations of the runs that look at budgets.
const BUDGET: u64 = 60;
/// A solver that was told to stop takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Solves of the look for leaks.
const SOLVES: usize = 1000;

/// A promise that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The promise.
    pub promise: &'static str,
    /// The solver, and the problem.
    pub place: String,
    /// What is wrong; none where the promise was kept.
    pub broken: Option<String>,
}

/// A problem to look at.
pub struct Ground {
    /// Its name.
    pub name: String,
    /// The problem.
    pub problem: Arc<Problem>,
    /// The best objective, where it is known.
    pub optimum: Option<f64>,
    /// Whether there is a feasible design with a defined objective, as far as is known.
    pub solvable: bool,
}

/// The toys, small problems of every kind of block with known optima.
pub fn toys() -> Vec<Ground> {
    let ground = |toy: Toy| Ground {
        name: toy.name.to_string(),
        optimum: toy.optimum,
        solvable: toy.optimum.is_some(),
        problem: toy.problem(),
    };
    super::toys::all().into_iter().map(ground).collect()
}

/// The default problem of every scenario, drawn once.
pub fn systems() -> Result<Vec<Ground>> {
    let ground = |entry: &'static crate::scenario::ScenarioEntry| {
        let model = (entry.default)().draw(&Streams::new(1, entry.name, 0))?;
        let spec = model.default_problem();
        let problem = Problem::new(model, spec)?;
        Ok(Ground { name: entry.name.to_string(), problem, optimum: None, solvable: true })
    };
    scenarios().into_iter().map(ground).collect()
}

/// Looks at a solver on problems, and gives all findings. Those that it does not fit are passed over, but it must say so.
pub fn examine(name: &str, solver: &dyn Optimizer, grounds: &[Ground], findings: &mut Vec<Finding>) {
    for ground in grounds {
        if solver.requires().met_by(&ground.problem).is_err() {
            let run = Run::new(solver, Arc::clone(&ground.problem), RandomStream::solver(5, 0));
            let broken = match run.drive(&mut |_| ()) {
                Ok(outcome) if outcome.status == Status::Infeasible => None,
                Err(Error::Refused { .. }) => None,
                other => Some(format!("{other:?}")),
            };
            let place = format!("{name} on {}", ground.name);
            findings.push(Finding { promise: "refuses what it does not fit", place, broken });
            continue;
        }
        let random = ground.problem.random(&mut RandomStream::keyed(3, "start", "", 0, 0));
        for start in [None, Some(random)] {
            let from = if start.is_some() { "anywhere" } else { "home" };
            let place = format!("{name} on {} from {from}", ground.name);
            let mut case = Case { solver, ground, start, place, findings: &mut *findings };
            case.promises();
        }
    }
}

struct Case<'a> {
    solver: &'a dyn Optimizer,
    ground: &'a Ground,
    start: Option<Design>,
    place: String,
    findings: &'a mut Vec<Finding>,
}

impl Case<'_> {
    fn run(&self, evaluations: u64, cancel: &Cancel, observe: &mut dyn FnMut(&Record)) -> Result<Outcome> {
        let mut run = Run::new(self.solver, Arc::clone(&self.ground.problem), RandomStream::solver(5, 0));
        run.start.clone_from(&self.start);
        run.rules = StopRules { max_evaluations: Some(evaluations), max_iterations: Some(400), ..StopRules::default() };
        run.cancel = cancel.clone();
        run.drive(observe)
    }

    fn look(&mut self, promise: &'static str, kept: Result<(), String>) {
        self.findings.push(Finding { promise, place: self.place.clone(), broken: kept.err() });
    }

    fn promises(&mut self) {
        let first = self.run(EVALUATIONS, &Cancel::default(), &mut |_| ());
        let outcome = match first {
            Ok(outcome) => outcome,
            Err(error) => return self.look("runs", Err(error.to_string())),
        };
        // A model that cannot judge, or has nothing to find, may fail every solver.
        let judged =
            self.ground.problem.evaluator().evaluate(&self.ground.problem.random(&mut RandomStream::solver(0, 0)));
        let failed = outcome.status == Status::Failed && judged.is_ok() && self.ground.solvable;
        self.look("runs", if failed { Err(outcome.reason.clone()) } else { Ok(()) });
        self.look("a seed determines the run", self.same_again(&outcome));
        self.look("the best design never gets worse", self.monotone(&outcome));
        self.look("its design lies in its domain", self.inside(&outcome));
        self.look("what it claims can be true", self.truthful(&outcome));
        let budgeted = self.budget();
        self.look("honours a budget of evaluations", budgeted);
        let cancelled = self.cancel();
        self.look("honours a cancel", cancelled);
    }

    fn same_again(&self, outcome: &Outcome) -> Result<(), String> {
        let again = self.run(EVALUATIONS, &Cancel::default(), &mut |_| ()).map_err(|e| e.to_string())?;
        let (a, b) = (numbers(outcome), numbers(&again));
        if a == b && outcome.status == again.status && outcome.reason == again.reason {
            return Ok(());
        }
        let ends = [outcome, &again].map(|o| format!("{} {} {}", o.status.name(), o.objective, o.evaluations));
        Err(format!("once it ended {}, and with the same seed {}", ends[0], ends[1]))
    }

    fn monotone(&self, outcome: &Outcome) -> Result<(), String> {
        let problem = &self.ground.problem;
        let value = |r: &Record| Evaluation { objective: r.objective, violation: r.violation };
        for pair in outcome.trace.windows(2) {
            if problem.better(&value(&pair[0]), &value(&pair[1])) {
                return Err(format!("iteration {} is worse than the one before", pair[1].iteration));
            }
            if pair[0].evaluations > pair[1].evaluations {
                return Err(format!("in iteration {} evaluations were taken back", pair[1].iteration));
            }
        }
        if let (Some(start), Some(first)) = (&self.start, outcome.trace.first()) {
            let start = problem.evaluator().evaluate(start).map_err(|e| e.to_string())?;
            if problem.better(&start, &value(first)) {
                return Err("it begins worse than its start".into());
            }
        }
        Ok(())
    }

    fn inside(&self, outcome: &Outcome) -> Result<(), String> {
        let Some(design) = &outcome.design else { return Ok(()) };
        let (distance, block) = self.ground.problem.model().space().distance(design);
        let size = design.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        match distance <= 1e-12 * size || outcome.objective.is_nan() {
            true => Ok(()),
            false => Err(format!("`{}` lies {distance:e} outside", block.map_or("", |b| b.name.as_str()))),
        }
    }

    fn truthful(&self, outcome: &Outcome) -> Result<(), String> {
        let sign = self.ground.problem.direction().sign();
        if let (Some(optimum), true) = (self.ground.optimum, outcome.violation <= STRICT) {
            let gain = sign * (outcome.objective - optimum);
            // A violation of 1e-9 buys about as much.
            if gain > 1e-8 * optimum.abs().max(1.0) {
                return Err(format!("{} beats the optimum {optimum}", outcome.objective));
            }
        }
        if !self.ground.solvable && [Status::Optimal, Status::Converged].contains(&outcome.status) {
            return Err(format!("{} where nothing is feasible and defined: {}", outcome.status.name(), outcome.reason));
        }
        if let (Some(bound), true) = (outcome.bound.filter(|_| !outcome.bound_restricted), outcome.feasible())
            && sign * (outcome.objective - bound) > 1e-6 * bound.abs().max(1.0)
        {
            return Err(format!("its bound {bound} lies on the wrong side of {}", outcome.objective));
        }
        Ok(())
    }

    fn budget(&self) -> Result<(), String> {
        let outcome = self.run(BUDGET, &Cancel::default(), &mut |_| ()).map_err(|e| e.to_string())?;
        // The derivatives of one point are taken whole, a line search is not left halfway, and an enumeration scans
        // whole rows.
        let look = 1 + 2 * self.ground.problem.free().len() as u64;
        let most = BUDGET + (4 * look).max(1024);
        match outcome.evaluations <= most {
            true => Ok(()),
            false => Err(format!("{} evaluations, where {BUDGET} were allowed", outcome.evaluations)),
        }
    }

    fn cancel(&self) -> Result<(), String> {
        let early = Cancel::default();
        early.set();
        let outcome = self.run(EVALUATIONS, &early, &mut |_| ()).map_err(|e| e.to_string())?;
        let ended = [Status::Infeasible, Status::Failed].contains(&outcome.status);
        if !(ended || outcome.status == Status::Interrupted && outcome.iterations == 0) {
            return Err(format!("cancelled before it began, it ended {}", outcome.status.name()));
        }
        let late = Cancel::default();
        let since = Instant::now();
        let mut told = None;
        let mut observe = |record: &Record| {
            if record.iteration == 2 {
                late.set();
                told = Some(Instant::now());
            }
        };
        let outcome = self.run(EVALUATIONS, &late, &mut observe).map_err(|e| e.to_string())?;
        let took = told.unwrap_or(since).elapsed();
        if outcome.iterations > 2 {
            return Err(format!("cancelled in iteration 2, it went on to {}", outcome.iterations));
        }
        match told.is_some() && took > PATIENCE {
            true => Err(format!("cancelled, it went on for {:.1} s", took.as_secs_f64())),
            false => Ok(()),
        }
    }
}

/// All that a seed must determine.
fn numbers(outcome: &Outcome) -> Vec<u64> {
    let design = outcome.design.iter().flat_map(|d| d.iter().map(|x| x.to_bits()));
    let trace = outcome.trace.iter().flat_map(|r| [r.iteration, r.evaluations, r.objective.to_bits()]);
    design.chain(trace).chain([outcome.evaluations, outcome.objective.to_bits()]).collect()
}

/// Looks at what only a plugin can break: the state of its process, hostile requests, leaks.
pub fn examine_plugin(plugin: &Plugin, name: &str, solver: &PluginSolver, findings: &mut Vec<Finding>) {
    let toys: Vec<Arc<Problem>> = super::toys::all()
        .into_iter()
        .map(|toy| toy.problem())
        .filter(|problem| solver.requires().met_by(problem).is_ok())
        .collect();
    let Some(problem) = toys.first().cloned() else {
        let broken = Some("it fits no toy: its state and its leaks cannot be looked at".to_string());
        return findings.push(Finding { promise: "fits a toy", place: name.into(), broken });
    };
    let mut look = |promise: &'static str, kept: Result<(), String>| {
        findings.push(Finding { promise, place: name.to_string(), broken: kept.err() });
    };
    let run_on = |problem: &Arc<Problem>, solver: &PluginSolver, seed: u64, evaluations: u64| {
        let mut run = Run::new(solver, Arc::clone(problem), RandomStream::solver(seed, 0));
        run.rules = StopRules { max_evaluations: Some(evaluations), max_iterations: Some(50), ..StopRules::default() };
        run.drive(&mut |_| ()).map_err(|e| e.to_string())
    };
    let run = |solver: &PluginSolver, seed: u64, evaluations: u64| run_on(&problem, solver, seed, evaluations);
    // One process that did other work before, and one that did none; also where every report counts.
    let open = toys.iter().filter(|toy| toy.limits() == 0).take(2);
    let mut stateless = Ok(());
    for toy in toys.iter().take(1).chain(open) {
        let same = || -> Result<(), String> {
            let fresh = Plugin::load(plugin.location().clone()).map_err(|e| e.to_string())?;
            let other = PluginSolver { plugin: Some(fresh), ..solver.clone() };
            match numbers(&run_on(toy, solver, 7, 300)?) == numbers(&run_on(toy, &other, 7, 300)?) {
                true => Ok(()),
                false => Err("a fresh process gives another result than one that worked before".into()),
            }
        };
        stateless = stateless.and_then(|()| same());
    }
    look("a solve leaves nothing to the next", stateless);
    look("survives hostile requests", hostile(plugin, solver, &problem, &|| run(solver, 7, 300)));
    let leaks = || -> Result<(), String> {
        let mut before = None;
        for i in 0..SOLVES {
            let outcome = run(solver, i as u64, 20)?;
            if outcome.status == Status::Failed {
                return Err(format!("solve {i} failed: {}", outcome.reason));
            }
            if i == SOLVES / 4 {
                before = plugin.backend().resources();
            }
        }
        let (Some((memory, files)), Some((more, other))) = (before, plugin.backend().resources()) else {
            return Ok(());
        };
        let grown = more.saturating_sub(memory);
        if grown > (4 << 20) + memory / 20 || other > files + 2 {
            let solves = SOLVES - SOLVES / 4;
            return Err(format!("{solves} solves left {} KiB and {} files", grown >> 10, other.saturating_sub(files)));
        }
        Ok(())
    };
    let kept = leaks();
    look("1000 solves leave nothing behind", kept);
}

/// Requests that no well-meaning host makes: each may fail, and the next solve must be what it was.
fn hostile(
    plugin: &Plugin,
    solver: &PluginSolver,
    problem: &Arc<Problem>,
    run: &dyn Fn() -> Result<Outcome, String>,
) -> Result<(), String> {
    use serde_json::json;
    let before = numbers(&run()?);
    for request in [
        json!({ "type": "describe", "unknown_key": [1, { "a": null }] }),
        json!({ "type": "no_such_request" }),
        json!({ "type": "solve" }),
        json!({ "type": "solve", "solver": "no_such_solver", "parameters": {} }),
        json!({ "type": "solve", "solver": solver.solver, "parameters": 3, "problem": "none" }),
        json!({ "type": "metric", "metric": "no_such_metric", "needs": [] }),
        json!({ "type": "judge", "id": 1 }),
        json!({ "type": "draw", "model": "no_such_model", "parameters": {}, "id": 1 }),
        json!({ "type": 5 }),
        json!({}),
    ] {
        // Whether it answers by an error or ends: the host must know in time.
        let since = Instant::now();
        let _ = plugin.backend().ask(None, &request, &[1.0, f64::NAN, f64::INFINITY]);
        if since.elapsed() > PATIENCE {
            return Err(format!("it left {request} without an answer"));
        }
    }
    // A start that is no number is placed by nobody.
    let mut wild = problem.random(&mut RandomStream::solver(3, 0));
    wild.iter_mut().for_each(|x| *x = f64::MAX);
    let mut far = Run::new(solver, Arc::clone(problem), RandomStream::solver(3, 0));
    far.start = Some(wild);
    far.rules = StopRules { max_evaluations: Some(100), max_iterations: Some(20), ..StopRules::default() };
    far.drive(&mut |_| ()).map_err(|e| format!("from a start far away: {e}"))?;
    match numbers(&run()?) == before {
        true => Ok(()),
        false => Err("after hostile requests it gives another result than before".into()),
    }
}

/// Looks at the system models of a plugin with their default values.
pub fn examine_models(plugin: &Plugin, findings: &mut Vec<Finding>) {
    for model in &plugin.manifest().models {
        let mut look = |promise: &'static str, kept: Result<(), String>| {
            findings.push(Finding { promise, place: model.name.clone(), broken: kept.err() });
        };
        let draw = |plugin: &Plugin| -> Result<Arc<Problem>, String> {
            let schema = Parameters::new(&model.parameters)?;
            let parameters = schema.filled(&serde_json::Map::new());
            let scenario = PluginScenario { model: model.name.clone(), parameters, plugin: Some(plugin.clone()) };
            let drawn = scenario.draw(&Streams::new(1, "plugin", 0)).map_err(|e| e.to_string())?;
            let spec = drawn.default_problem();
            Problem::new(drawn, spec).map_err(|e| e.to_string())
        };
        let values = |problem: &Arc<Problem>| -> Result<Vec<u64>, String> {
            let mut judge = problem.evaluator();
            let mut stream = RandomStream::solver(2, 0);
            let mut all = Vec::new();
            for _ in 0..20 {
                let design = problem.random(&mut stream);
                let metrics = judge.metrics(&design).map_err(|e| e.to_string())?;
                (0..problem.model().metrics().len())
                    .for_each(|m| all.extend(metrics.get(m).iter().map(|x| x.to_bits())));
            }
            Ok(all)
        };
        let first = draw(plugin);
        look("its model can be drawn", first.as_ref().map(|_| ()).map_err(Clone::clone));
        let Ok(problem) = first else { continue };
        let same = || -> Result<(), String> {
            let fresh = Plugin::load(plugin.location().clone()).map_err(|e| e.to_string())?;
            let again = draw(&fresh)?;
            match again.model().instance() == problem.model().instance() && values(&problem)? == values(&again)? {
                true => Ok(()),
                false => Err("drawn again with the same seed in a fresh process, it is another system".into()),
            }
        };
        look("a seed determines the system", same());
        let bounded = || -> Result<(), String> {
            let Ok(factory) = &problem.structure().bound else { return Ok(()) };
            let Some(bound) = factory().bound().map_err(|e| e.to_string())? else { return Ok(()) };
            let solver = crate::solvers::random_search::RandomSearch::default();
            let mut run = Run::new(&solver, Arc::clone(&problem), RandomStream::solver(1, 0));
            run.rules = StopRules { max_evaluations: Some(2000), ..StopRules::default() };
            let outcome = run.drive(&mut |_| ()).map_err(|e| e.to_string())?;
            let gain = problem.direction().sign() * (outcome.objective - bound.value);
            match outcome.feasible() && gain > 1e-6 * bound.value.abs().max(1.0) {
                true => Err(format!("its bound {} is beaten by a random design: {}", bound.value, outcome.objective)),
                false => Ok(()),
            }
        };
        look("its bound is none that a random search beats", bounded());
    }
}
