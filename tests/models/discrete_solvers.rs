//! The discrete solvers: what they certify, how often they find the optimum, and that they are repeatable.

use std::sync::Arc;

use isacopt::driver::{Run, StopRules};
use isacopt::math::{RandomStream, Streams};
use isacopt::scenarios::irs_no_isac::IrsNoIsacConfig;
use isacopt::scenarios::monostatic::MonostaticConfig;
use isacopt::solvers::baseline::Baseline;
use isacopt::solvers::branch_and_bound::BranchAndBound;
use isacopt::solvers::coordinate_descent::CoordinateDescent;
use isacopt::solvers::cross_entropy::CrossEntropy;
use isacopt::solvers::exhaustive::Exhaustive;
use isacopt::solvers::random_search::RandomSearch;
use isacopt::solvers::simulated_annealing::SimulatedAnnealing;
use isacopt::trace::{Outcome, Status};
use isacopt::{Optimizer, Problem, Scenario};
use rayon::prelude::*;

/// The default system with L = side^2 elements, M = antennas^2 and T slots.
fn problem(side: usize, antennas: usize, weight: f64, slots: u64) -> Arc<Problem> {
    let array = |n| serde_json::json!({ "horizontal": n, "vertical": n });
    let section = serde_json::json!({
        "irs": array(side), "user_array": array(antennas), "communication_weight": weight, "slots": slots,
    });
    let config: IrsNoIsacConfig = serde_json::from_value(section).unwrap();
    let model = config.draw(&Streams::new(1, "irs_no_isac", 0)).unwrap();
    let spec = model.default_problem();
    Problem::new(model, spec).unwrap()
}

/// The three hard instances, and their optima by exhaustive search over 4^15 designs.
fn hard() -> [(Arc<Problem>, f64); 3] {
    [(problem(4, 4, 0.5, 2), OPTIMA[0]), (problem(4, 2, 0.3, 2), OPTIMA[1]), (problem(4, 1, 0.5, 4), OPTIMA[2])]
}

const OPTIMA: [f64; 3] = [-4.23647179222961, -3.59552357036666, -2.9032930035020454];

fn solve(optimizer: &dyn Optimizer, problem: &Arc<Problem>, seed: u64, evaluations: Option<u64>) -> Outcome {
    let rules = StopRules { max_evaluations: evaluations, ..StopRules::default() };
    let run = Run { rules, ..Run::new(optimizer, Arc::clone(problem), RandomStream::solver(seed, 0)) };
    run.drive(&mut |_| {}).unwrap()
}

/// In how many of 100 seeded runs the optimum is found, and the mean evaluations.
fn hits(optimizer: &dyn Optimizer, problem: &Arc<Problem>, optimum: f64, evaluations: Option<u64>) -> (usize, f64) {
    let runs: Vec<(bool, u64)> = (0..100u64)
        .into_par_iter()
        .map(|seed| {
            let outcome = solve(optimizer, problem, seed, evaluations);
            assert!(outcome.objective > optimum - 1e-8, "{} below the optimum {optimum}", outcome.objective);
            (outcome.objective < optimum + 2e-6, outcome.evaluations)
        })
        .collect();
    (runs.iter().filter(|r| r.0).count(), runs.iter().map(|r| r.1 as f64).sum::<f64>() / 100.0)
}

#[test]
fn the_default_instance_is_certified_by_branch_and_bound() {
    let (problem, optimum) = &hard()[0];
    for weight in [0.5, 0.9] {
        let problem = if weight == 0.5 { Arc::clone(problem) } else { self::problem(4, 4, weight, 2) };
        let outcome = solve(&BranchAndBound::default(), &problem, 3, None);
        assert_eq!(outcome.status, Status::Optimal);
        assert!(outcome.gap.unwrap() <= 1e-9);
        if weight == 0.5 {
            assert!((outcome.objective - optimum).abs() < 1e-8, "{}", outcome.objective);
        }
    }
}

#[test]
fn the_tree_proves_optimality_without_any_search_before_it() {
    let (problem, optimum) = &hard()[0];
    let bare = BranchAndBound { local_searches: 0, open_nodes: 50, ..BranchAndBound::default() };
    let outcome = solve(&bare, problem, 1, None);
    assert!(outcome.status == Status::Optimal && (outcome.objective - optimum).abs() < 1e-8, "{outcome:?}");
    // The bound never passes the optimum on the way, and only gets better.
    let bounds: Vec<f64> = outcome.trace.iter().filter_map(|r| r.bound).collect();
    assert!(
        bounds.windows(2).all(|w| w[0] <= w[1] + 1e-12) && bounds.iter().all(|b| *b <= optimum + 1e-9),
        "{bounds:?}"
    );
}

#[test]
fn twenty_five_elements_are_certified() {
    let outcome = solve(&BranchAndBound::default(), &problem(5, 5, 0.5, 2), 1, None);
    assert_eq!(outcome.status, Status::Optimal);
}

#[test]
fn a_limited_tree_says_what_gap_is_left() {
    let problem = problem(4, 1, 0.5, 4);
    let tree = BranchAndBound { nodes: 100, ..BranchAndBound::default() };
    let run = Run {
        rules: StopRules { max_iterations: Some(5), ..StopRules::default() },
        ..Run::new(&tree, problem, RandomStream::solver(1, 0))
    };
    let outcome = run.drive(&mut |_| {}).unwrap();
    assert_eq!(outcome.status, Status::IterationLimit);
    assert!(outcome.gap.unwrap() > 0.0 && outcome.bound.unwrap() <= OPTIMA[2] + 1e-9, "{outcome:?}");
}

#[test]
fn coordinate_descent_finds_the_optimum_in_ten_thousand_evaluations() {
    for (problem, optimum) in hard() {
        let (hits, _) = hits(&CoordinateDescent::default(), &problem, optimum, Some(10_000));
        assert!(hits >= 95, "{hits} of 100");
    }
}

#[test]
fn the_papers_cross_entropy_converges_too_early() {
    let (problem, optimum) = &hard()[0];
    let paper = CrossEntropy::default();
    let (found, evaluations) = hits(&paper, problem, *optimum, None);
    assert!((1..=12).contains(&found), "{found} of 100");
    assert!((450.0..750.0).contains(&evaluations), "{evaluations}");
    for seed in 0..20 {
        let outcome = solve(&paper, problem, seed, None);
        assert!(outcome.status == Status::Converged && (4..=12).contains(&outcome.iterations), "{outcome:?}");
        // The best ever drawn: never worse on the way.
        assert!(outcome.trace.windows(2).all(|w| w[1].objective <= w[0].objective));
    }
    let smooth = CrossEntropy { smoothing: 0.5, ..CrossEntropy::default() };
    let (smoothed, more) = hits(&smooth, problem, *optimum, None);
    assert!(smoothed > 25 && more > 2.0 * evaluations, "{smoothed} of 100 in {more}");
}

#[test]
fn a_local_optimum_has_no_better_neighbour() {
    let (problem, _) = &hard()[2];
    for two_opt in [false, true] {
        let once = CoordinateDescent { two_opt, descents: Some(1) };
        let outcome = solve(&once, problem, 7, None);
        assert_eq!(outcome.status, Status::Converged);
        let best = outcome.design.unwrap();
        let mut judge = problem.evaluator();
        let neighbour = |i: usize, a: f64, j: usize, b: f64| {
            let mut design = best.clone();
            design[i] = (design[i] + a) % 4.0;
            design[j] = (design[j] + b) % 4.0;
            design
        };
        for i in 0..16 {
            for a in [1.0, 2.0, 3.0] {
                let mut others = vec![(i, 0.0)];
                if two_opt {
                    others.extend((i + 1..16).flat_map(|j| [1.0, 2.0, 3.0].map(|b| (j, b))));
                }
                for (j, b) in others {
                    let value = judge.evaluate(&neighbour(i, a, j, b)).unwrap().objective;
                    assert!(value >= outcome.objective - 1e-9, "{two_opt} {i} {j}");
                }
            }
        }
    }
}

#[test]
fn searches_find_better_designs_than_random_ones_at_equal_evaluations() {
    for (problem, optimum) in hard() {
        let gap = |optimizer: &dyn Optimizer| {
            let runs = (0..20).map(|seed| solve(optimizer, &problem, seed, Some(2000)).objective - optimum);
            runs.sum::<f64>() / 20.0
        };
        let random = gap(&RandomSearch::default());
        let annealing = SimulatedAnnealing { changes: 2000, ..SimulatedAnnealing::default() };
        let smooth = CrossEntropy { smoothing: 0.5, ..CrossEntropy::default() };
        for optimizer in [&annealing as &dyn Optimizer, &smooth, &CoordinateDescent::default()] {
            let gap = gap(optimizer);
            assert!(gap < 0.5 * random, "{}: {gap}, random {random}", optimizer.typetag_name());
        }
    }
}

#[test]
fn runs_are_repeatable_whatever_the_threads() {
    let problem = problem(3, 4, 0.3, 3);
    let solvers: [&dyn Optimizer; 6] = [
        &CrossEntropy::default(),
        &CoordinateDescent::default(),
        &SimulatedAnnealing::default(),
        &BranchAndBound::default(),
        &Exhaustive::default(),
        &Baseline::named("random_phases"),
    ];
    for optimizer in solvers {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| solve(optimizer, &problem, 5, None))
        };
        let (one, three) = (run(1), run(3));
        assert_eq!(one.design, three.design, "{}", optimizer.typetag_name());
        assert_eq!(one.objective.to_bits(), three.objective.to_bits());
        assert_eq!(one.evaluations, three.evaluations);
    }
    let draws: Vec<_> =
        (0..5).map(|seed| solve(&Baseline::named("random_phases"), &problem, seed, None).design).collect();
    assert!((1..5).all(|i| draws[i] != draws[0]), "one draw a seed");
}

#[test]
fn evaluation_limits_are_kept_to_a_few() {
    let problem = problem(4, 4, 0.5, 2);
    for optimizer in
        [&CrossEntropy::default() as &dyn Optimizer, &CoordinateDescent::default(), &SimulatedAnnealing::default()]
    {
        let outcome = solve(optimizer, &problem, 1, Some(150));
        assert!((150..=154).contains(&outcome.evaluations), "{} {}", optimizer.typetag_name(), outcome.evaluations);
        assert_eq!(outcome.status, Status::EvaluationLimit);
    }
}

#[test]
fn cross_entropy_and_annealing_also_search_continuous_blocks() {
    let config = MonostaticConfig { users: 4, ..MonostaticConfig::default() };
    let model = config.draw(&Streams::new(2, "monostatic", 0)).unwrap();
    let spec = model.default_problem();
    let problem = Problem::new(model, spec).unwrap();
    let optimum = solve(&isacopt::solvers::exact::Exact::default(), &problem, 1, None).objective;
    let random = solve(&RandomSearch::default(), &problem, 1, Some(20_000)).objective;
    let smooth = CrossEntropy { samples: Some(200), smoothing: 0.3, kappa: 1e-5, ..CrossEntropy::default() };
    let annealing = SimulatedAnnealing { changes: 20_000, ..SimulatedAnnealing::default() };
    for optimizer in [&smooth as &dyn Optimizer, &annealing] {
        let outcome = solve(optimizer, &problem, 1, Some(20_000));
        let name = optimizer.typetag_name();
        assert!(outcome.feasible() && outcome.objective <= optimum * (1.0 + 1e-6), "{name}");
        assert!(
            outcome.objective > 0.98 * optimum && outcome.objective >= random,
            "{name}: {} {random} {optimum}",
            outcome.objective
        );
    }
    let run = Run::new(&CoordinateDescent::default(), problem, RandomStream::solver(1, 0)).drive(&mut |_| {});
    assert!(run.unwrap_err().to_string().contains("discrete"));
}
