//! Global search reaches the known optima of small problems, by each strategy.

use isacopt::optimizer::Optimizer;
use isacopt::plugin::toys::{self as toy, Toy};
use isacopt::solvers::global_search::{GlobalSearch, Strategy};
use isacopt::{Outcome, RandomStream, Run, Status};

fn run(toy: &Toy, strategy: Strategy, seed: u64) -> Outcome {
    let solver = GlobalSearch { strategy, ..GlobalSearch::default() };
    let solver: &dyn Optimizer = &solver;
    Run::new(solver, toy.problem(), RandomStream::solver(seed, 0)).drive(&mut |_| ()).unwrap()
}

fn reaches(toy: Toy, strategy: Strategy, within: f64) {
    let optimum = toy.optimum.unwrap();
    for seed in 0..5 {
        let outcome = run(&toy, strategy, seed);
        let miss = (outcome.objective - optimum).abs() / optimum.abs().max(1.0);
        let what = format!("{} {strategy:?} seed {seed}", toy.name);
        assert!(miss <= within && outcome.violation <= 1e-9, "{what}: {} not {optimum}", outcome.objective);
        assert_eq!(outcome.status, Status::Converged, "{what}: {}", outcome.reason);
    }
}

#[test]
fn every_strategy_reaches_smooth_optima() {
    for toy in
        [toy::budget(), toy::budget_gradient(), toy::budget_black_box(), toy::fixed(), toy::phases(), toy::disc()]
    {
        for strategy in [Strategy::Auto, Strategy::CmaEs, Strategy::Local] {
            reaches(toy.clone(), strategy, 1e-6);
        }
    }
}

#[test]
fn valleys_and_matrices_are_reached() {
    for strategy in [Strategy::Auto, Strategy::CmaEs, Strategy::Local] {
        reaches(toy::rosenbrock(true), strategy, 1e-7);
        reaches(toy::rosenbrock(false), strategy, 1e-7);
        reaches(toy::covariance(), strategy, 1e-6);
        reaches(toy::half_defined(), strategy, 1e-6);
    }
}

#[test]
fn the_lowest_of_many_minima_is_found() {
    reaches(toy::rastrigin(), Strategy::Auto, 1e-6);
    reaches(toy::rastrigin(), Strategy::CmaEs, 1e-6);
}
