//! What every built-in solver promises, on every small system that fits it: the best design is never worse than the
//! start and never gets worse, a seed determines the run, a budget of evaluations and a cancel are honoured, and no
//! known optimum is beaten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use isacopt::optimizer::{Budget, Iterate, Optimizer, Requirement, Step, solvers};
use isacopt::plugin::conformance::{Finding, examine, toys};
use isacopt::plugin::toys::{self as toy, Toy};
use isacopt::problem::STRICT;
use isacopt::solvers::argmin::{Argmin, Method};
use isacopt::solvers::global_search::{GlobalSearch, Strategy};
use isacopt::{Design, Problem, RandomStream, Result, Run, Status};

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

/// The public suite, as `isacopt plugin test` runs it on plugins.
#[test]
fn every_built_in_solver_keeps_the_promises_of_the_public_suite() {
    let grounds = toys();
    let mut findings = Vec::new();
    for (name, solver) in &all_solvers() {
        examine(name, solver.as_ref(), &grounds, &mut findings);
    }
    let looked = |promise: &str| findings.iter().filter(|f| f.promise == promise).count();
    assert!(looked("honours a cancel") > 200 && looked("refuses what it does not fit") > 30, "{}", findings.len());
    let broken: Vec<&Finding> = findings.iter().filter(|f| f.broken.is_some()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A solver that breaks a promise is found out.
#[test]
fn the_suite_sees_what_is_broken() {
    #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
    struct Careless {
        how: u8,
    }
    struct Work(Design, Arc<Problem>, u8, u64);
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    #[typetag::serde(name = "careless_for_tests")]
    impl Optimizer for Careless {
        fn requires(&self) -> Requirement {
            Requirement::anything()
        }
        fn begin(&self, problem: Arc<Problem>, start: Option<Design>, _: RandomStream) -> Result<Box<dyn Iterate>> {
            let start = start.unwrap_or_else(|| problem.random(&mut RandomStream::solver(1, 0)));
            Ok(Box::new(Work(start, problem, self.how, 0)))
        }
    }
    impl Iterate for Work {
        fn step(&mut self, _: &Budget) -> Result<Step> {
            let seed = if self.2 == 0 { DRAWN.fetch_add(1, Ordering::Relaxed) } else { self.3 };
            self.3 += 1;
            match self.2 {
                // Unseeded draws, the last of which counts.
                0 | 1 => self.0 = self.1.random(&mut RandomStream::solver(seed, 3)),
                2 => self.0.iter_mut().for_each(|x| *x -= 10.0),
                // Counts nothing of 10000 a step.
                3 => self.3 += 10_000,
                _ => return Ok(Step::Converged),
            }
            Ok(Step::Advanced)
        }
        fn best(&self) -> &Design {
            &self.0
        }
        fn evaluations(&self) -> u64 {
            self.3
        }
        fn bound(&self) -> Option<f64> {
            // Any feasible design beats it.
            (self.2 == 4).then(|| -1e12 * self.1.direction().sign())
        }
    }
    for (how, promise) in [
        (0, "a seed determines the run"),
        (1, "the best design never gets worse"),
        (2, "its design lies in its domain"),
        (3, "honours a budget of evaluations"),
        (4, "what it claims can be true"),
    ] {
        let mut findings = Vec::new();
        examine("careless", &Careless { how }, &toys(), &mut findings);
        assert!(findings.iter().any(|f| f.promise == promise && f.broken.is_some()), "{how}: {promise}");
    }
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
