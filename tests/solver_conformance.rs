//! What every built-in solver promises, on every small system that fits it: the best design is never worse than the
//! start and never gets worse, a seed determines the run, a budget of evaluations and a cancel are honoured, and no
//! known optimum is beaten.

mod toy;

use std::sync::Arc;

use isacopt::optimizer::{Optimizer, solvers};
use isacopt::problem::STRICT;
use isacopt::solvers::argmin::{Argmin, Method};
use isacopt::solvers::global_search::{GlobalSearch, Strategy};
use isacopt::{Cancel, Design, Error, Outcome, Problem, RandomStream, Record, Run, Status, StopRules};
use toy::Toy;

/// Every registered solver, with what its defaults leave out. (`recorded` only reads a file; it has its own tests.)
fn all_solvers() -> Vec<(String, Box<dyn Optimizer>)> {
    let mut all: Vec<(String, Box<dyn Optimizer>)> = solvers()
        .into_iter()
        .filter(|(name, _)| name != "recorded")
        .map(|(name, entry)| (name, (entry.default)()))
        .collect();
    assert!(all.len() >= 6, "{all:?}");
    for method in [Method::ParticleSwarm, Method::Lbfgs] {
        all.push((format!("argmin {method:?}"), Box::new(Argmin { method, ..Argmin::default() })));
    }
    all.push(("argmin without repair".into(), Box::new(Argmin { repair: false, ..Argmin::default() })));
    for strategy in [Strategy::CmaEs, Strategy::Local] {
        all.push((format!("global_search {strategy:?}"), Box::new(GlobalSearch { strategy, ..Default::default() })));
    }
    all
}

struct Case<'a> {
    what: String,
    solver: &'a dyn Optimizer,
    problem: Arc<Problem>,
    toy: &'a Toy,
    start: Option<Design>,
}

impl Case<'_> {
    fn run(&self, evaluations: u64, cancel: &Cancel, observe: &mut dyn FnMut(&Record)) -> Outcome {
        let mut run = Run::new(self.solver, Arc::clone(&self.problem), RandomStream::solver(5, 0));
        run.start.clone_from(&self.start);
        run.rules = StopRules { max_evaluations: Some(evaluations), max_iterations: Some(400), ..StopRules::default() };
        run.cancel = cancel.clone();
        run.drive(observe).unwrap_or_else(|why| panic!("{}: {why}", self.what))
    }
}

/// Calls `check` with every solver on every toy that fits it, with the problem's own start and with a random one.
fn each_case(mut check: impl FnMut(&Case)) {
    let (mut fitting, mut refused) = (0, 0);
    for (name, solver) in &all_solvers() {
        for toy in &toy::all() {
            let problem = toy.problem();
            if solver.requires().met_by(&problem).is_err() {
                let run = Run::new(solver.as_ref(), problem, RandomStream::solver(5, 0));
                // What is proven infeasible is answered, whatever the solver would need.
                match run.drive(&mut |_| ()) {
                    Ok(outcome) => assert_eq!(outcome.status, Status::Infeasible, "{name} on {}", toy.name),
                    Err(why) => assert!(matches!(why, Error::Refused { .. }), "{name} on {}: {why}", toy.name),
                }
                refused += 1;
                continue;
            }
            let random = problem.random(&mut RandomStream::keyed(3, "start", "", 0, 0));
            for start in [None, Some(random)] {
                let what = format!("{name} on {} from {}", toy.name, if start.is_some() { "anywhere" } else { "home" });
                check(&Case { what, solver: solver.as_ref(), problem: Arc::clone(&problem), toy, start });
                fitting += 1;
            }
        }
    }
    assert!(fitting > 200 && refused > 30, "{fitting} {refused}");
}

fn numbers(outcome: &Outcome) -> Vec<u64> {
    let design = outcome.design.iter().flat_map(|d| d.iter().map(|x| x.to_bits()));
    let trace = outcome.trace.iter().flat_map(|r| [r.iteration, r.evaluations, r.objective.to_bits()]);
    design.chain(trace).chain([outcome.evaluations, outcome.objective.to_bits()]).collect()
}

#[test]
fn the_best_design_never_gets_worse_and_a_seed_determines_it() {
    each_case(|case| {
        let what = &case.what;
        let outcome = case.run(1500, &Cancel::default(), &mut |_| ());
        let again = case.run(1500, &Cancel::default(), &mut |_| ());
        assert_eq!(numbers(&outcome), numbers(&again), "{what}");
        assert_eq!((outcome.status, &outcome.reason), (again.status, &again.reason), "{what}");
        let judge = |design: &Design| case.problem.evaluator().evaluate(design);
        let value = |r: &Record| isacopt::Evaluation { objective: r.objective, violation: r.violation };
        for pair in outcome.trace.windows(2) {
            assert!(!case.problem.better(&value(&pair[0]), &value(&pair[1])), "{what}: {pair:?}");
            assert!(pair[0].evaluations <= pair[1].evaluations, "{what}");
        }
        if let (Some(start), Some(first)) = (&case.start, outcome.trace.first()) {
            let start = judge(start).unwrap();
            assert!(!case.problem.better(&start, &value(first)), "{what}: {start:?} {first:?}");
        }
        if let Some(design) = &outcome.design {
            let (distance, _) = case.problem.model().space().distance(design);
            assert!(distance <= 1e-12 || outcome.objective.is_nan(), "{what}: {distance} outside");
        }
        match case.toy.optimum {
            Some(optimum) => {
                let gain = case.problem.direction().sign() * (outcome.objective - optimum);
                let feasible = outcome.violation <= STRICT;
                // A violation of 1e-9 buys about as much.
                assert!(!(feasible && gain > 1e-8 * optimum.abs().max(1.0)), "{what}: {} {optimum}", outcome.objective);
            }
            None => {
                let reported = [Status::Optimal, Status::Converged].contains(&outcome.status);
                assert!(!reported, "{what}: {:?} {}", outcome.status, outcome.reason);
            }
        }
    });
}

#[test]
fn budgets_and_cancels_are_honoured() {
    each_case(|case| {
        let what = &case.what;
        let budget = 60;
        let outcome = case.run(budget, &Cancel::default(), &mut |_| ());
        // The derivatives of one point are taken whole, and a line search is not left halfway.
        let look = 1 + 2 * case.problem.free().len() as u64;
        // An enumeration scans whole rows, of up to 1024 designs each.
        let row = if what.starts_with("exhaustive") { 1024 } else { 0 };
        assert!(outcome.evaluations <= budget + 4 * look + row, "{what}: {} evaluations", outcome.evaluations);
        let early = Cancel::default();
        early.set();
        let outcome = case.run(1500, &early, &mut |_| ());
        let ended = [Status::Infeasible, Status::Failed].contains(&outcome.status);
        assert!(ended || outcome.status == Status::Interrupted && outcome.iterations == 0, "{what}: {outcome:?}");
        let late = Cancel::default();
        let outcome = case.run(1500, &late, &mut |record| {
            if record.iteration == 2 {
                late.set();
            }
        });
        assert!(outcome.iterations <= 2, "{what}: {}", outcome.iterations);
    });
}

#[test]
fn the_methods_of_argmin_reach_smooth_optima() {
    use Method::{Lbfgs, NelderMead, ParticleSwarm};
    // Limits are held by an augmented Lagrangian that aims 1e-7 inside them, but for the toy that repairs.
    let toys = [
        (toy::budget(), vec![NelderMead, ParticleSwarm, Lbfgs]),
        (toy::budget_gradient(), vec![Lbfgs]),
        (toy::budget_black_box(), vec![NelderMead, ParticleSwarm, Lbfgs]),
        (toy::fixed(), vec![NelderMead, ParticleSwarm, Lbfgs]),
        (toy::rosenbrock(true), vec![NelderMead, Lbfgs]),
        (toy::rosenbrock(false), vec![NelderMead, Lbfgs]),
        (toy::phases(), vec![ParticleSwarm, Lbfgs]),
        (toy::disc(), vec![NelderMead, ParticleSwarm, Lbfgs]),
        (toy::covariance(), vec![Lbfgs]),
        (toy::half_defined(), vec![NelderMead, ParticleSwarm]),
    ];
    for (toy, methods) in toys {
        let optimum = toy.optimum.unwrap();
        for method in methods {
            for seed in 0..3 {
                let solver = Argmin { method, ..Argmin::default() };
                let run = Run::new(&solver, toy.problem(), RandomStream::solver(seed, 0));
                let outcome = run.drive(&mut |_| ()).unwrap();
                let what = format!("{} {method:?} seed {seed}: {:?}, {}", toy.name, outcome.status, outcome.reason);
                let miss = (outcome.objective - optimum).abs() / optimum.abs().max(1.0);
                assert!(miss <= 2e-6 && outcome.violation <= STRICT, "{what}: {} {optimum}", outcome.objective);
                assert_eq!(outcome.status, Status::Converged, "{what}");
            }
        }
    }
}

/// The method, the toy, and how close it comes.
#[test]
fn relaxations_alternations_descents_and_ratios_reach_the_optima_of_toys() {
    use isacopt::solvers::alternating::Alternating;
    use isacopt::solvers::bisection::Bisection;
    use isacopt::solvers::dinkelbach::Dinkelbach;
    use isacopt::solvers::manifold::Manifold;
    use isacopt::solvers::sdr::Sdr;
    let pairs: Vec<(Box<dyn Optimizer>, Toy, f64)> = vec![
        (Box::new(Sdr::default()), toy::phases(), 1e-6),
        (Box::new(Alternating::default()), toy::tilted(), 1e-4),
        (Box::new(Manifold::default()), toy::phases(), 1e-6),
        (Box::new(Manifold { improvement: 1e-9, ..Manifold::default() }), toy::rosenbrock(true), 1e-6),
        (Box::new(Dinkelbach::default()), toy::tent(), 1e-9),
        (Box::new(Bisection::default()), toy::tent(), 1e-6),
    ];
    for (solver, toy, reach) in pairs {
        let run = Run::new(solver.as_ref(), toy.problem(), RandomStream::solver(1, 0));
        let outcome = run.drive(&mut |_| ()).unwrap();
        let optimum = toy.optimum.unwrap();
        let miss = (outcome.objective - optimum).abs() / optimum.abs().max(1.0);
        let what = format!("{} on {}: {:?}", solver.typetag_name(), toy.name, outcome.status);
        assert!(miss <= reach, "{what}: {} {optimum}", outcome.objective);
        assert!([Status::Optimal, Status::Converged].contains(&outcome.status), "{what}");
    }
}
