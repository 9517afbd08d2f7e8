//! The exact optimum of the monostatic system: proven, never beaten, and right about which problems are infeasible.

use crate::monostatic;
use std::sync::Arc;

use isacopt::problem::STRICT;
use isacopt::scenarios::monostatic::{Instance, Limits, Monostatic, SensingRange, System, Utility, optimum};
use isacopt::structure::{ExactOutcome, Feasible};
use isacopt::{Constraint, Design, Objective, Problem, ProblemSpec, RandomStream, SystemModel};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

const UTILITIES: [&str; 4] = ["sum_rate", "weighted_sum_rate", "min_rate", "sum_log_rate"];

fn problem(instance: &Instance, objective: &str) -> Arc<Problem> {
    let model: Arc<dyn SystemModel> = Arc::new(Monostatic::new(instance.clone()));
    let spec = ProblemSpec { objective: Objective::Metric(objective.into()), ..model.default_problem() };
    Problem::new(model, spec).expect("a problem")
}

fn solve(problem: &Arc<Problem>) -> (Design, ExactOutcome) {
    let mut out = Design::zeros(problem.model().space());
    let offer = problem.structure().exact.as_ref().expect("exact is offered");
    let outcome = offer().solve(&mut out).expect("solves");
    (out, outcome)
}

/// Random instances from a fixed seed.
fn fixed_instances(count: usize) -> Vec<Instance> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = monostatic::instances();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a tree").current()).collect()
}

#[test]
fn the_stored_optima_are_found() {
    let mut checked = 0;
    for (name, case) in monostatic::cases() {
        for solve_case in case["expected"]["solve"].as_array().expect("solve") {
            if solve_case["solver"] != "exact" || solve_case["set"].as_object().is_some_and(|s| !s.is_empty()) {
                continue;
            }
            let objective = solve_case["objective"].as_str().expect("objective");
            let problem = problem(&monostatic::instance_of(&case), objective);
            let (design, outcome) = solve(&problem);
            let ExactOutcome::Optimal { bound, .. } = outcome else { panic!("{name} {objective}: {outcome:?}") };
            let evaluation = problem.evaluator().evaluate(&design).expect("evaluates");
            let expected = solve_case["expect"]["objective"]["value"].as_f64().expect("a value");
            let rtol = solve_case["expect"]["objective"]["rtol"].as_f64().expect("rtol");
            assert!(evaluation.violation <= STRICT, "{name} {objective}: {}", evaluation.violation);
            assert!(
                (evaluation.objective - expected).abs() <= rtol * expected.abs(),
                "{name} {objective}: {} against {expected}",
                evaluation.objective
            );
            assert!(problem.gap(evaluation.objective, bound) <= 1e-9);
            checked += 1;
        }
    }
    assert!(checked >= 28, "{checked}");
}

#[test]
fn duals_close_and_no_feasible_design_is_better() {
    let (mut optimal, mut infeasible, mut compared) = (0, 0, 0);
    for (i, instance) in fixed_instances(300).iter().enumerate() {
        for objective in UTILITIES {
            let problem = problem(instance, objective);
            let mut evaluator = problem.evaluator();
            let (design, outcome) = solve(&problem);
            let best = evaluator.evaluate(&design).expect("evaluates");
            let ExactOutcome::Optimal { bound, .. } = outcome else {
                infeasible += 1;
                assert!(best.violation > 0.0, "{i} {objective}");
                continue;
            };
            optimal += 1;
            assert!(best.violation <= STRICT, "{i} {objective}: violation {}", best.violation);
            assert!(problem.gap(best.objective, bound) <= 1e-9, "{i} {objective}: {} {bound}", best.objective);
            let mut feasibility = problem.structure().feasibility.as_ref().expect("offered")();
            let mut stream = RandomStream::keyed(i as u64, "test", objective, 0, 0);
            for round in 0..60 {
                let mut other = problem.random(&mut stream);
                if round % 2 == 0 {
                    // Near the optimum.
                    let step = 10f64.powf(-4.0 * stream.uniform());
                    for (x, y) in other.iter_mut().zip(design.iter()) {
                        *x = y * (1.0 + step * stream.normal()).abs() + 1e-3 * step * *x;
                    }
                }
                assert!(feasibility.repair(&mut other));
                let evaluation = evaluator.evaluate(&other).expect("evaluates");
                assert!(evaluation.violation <= STRICT, "{i} {objective}: repaired to {}", evaluation.violation);
                let slack = 1e-9 * best.objective.abs().max(1.0);
                assert!(evaluation.objective <= best.objective + slack, "{i} {objective}: beaten");
                compared += 1;
            }
        }
    }
    assert!(optimal > 200 && infeasible > 100 && compared > 10_000, "{optimal} {infeasible} {compared}");
}

#[test]
fn small_systems_agree_with_a_grid() {
    let small = |i: &&Instance| i.users() <= 2;
    let mut compared = 0;
    for instance in fixed_instances(400).iter().filter(small) {
        for objective in UTILITIES {
            let problem = problem(instance, objective);
            let (design, outcome) = solve(&problem);
            let ExactOutcome::Optimal { .. } = outcome else { continue };
            let mut evaluator = problem.evaluator();
            let best = evaluator.evaluate(&design).expect("evaluates").objective;
            let users = instance.users();
            let mut grid_best = f64::NEG_INFINITY;
            let steps = 60;
            for split in 0..=steps {
                for share in 0..=steps {
                    let q = instance.transmit_power * f64::from(split) / f64::from(steps);
                    let first = f64::from(share) / f64::from(steps);
                    let mut trial = design.clone();
                    trial[users] = q;
                    trial[0] = (instance.transmit_power - q) * if users == 1 { 1.0 } else { first };
                    if users == 2 {
                        trial[1] = instance.transmit_power - q - trial[0];
                    }
                    let evaluation = evaluator.evaluate(&trial).expect("evaluates");
                    if evaluation.violation <= 1e-12 {
                        grid_best = grid_best.max(evaluation.objective);
                    }
                }
            }
            assert!(grid_best <= best + 1e-9 * best.abs().max(1.0), "{objective}: {grid_best} above {best}");
            compared += usize::from(grid_best.is_finite());
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn the_feasible_interval_is_that_of_a_grid() {
    let (mut inner, mut none, mut capped) = (0, 0, 0);
    for instance in fixed_instances(1500) {
        let system = System::new(instance.clone());
        let limits = [instance.crlb_azimuth_limit, instance.crlb_elevation_limit].map(|l| l.expect("a limit"));
        let power = instance.transmit_power;
        let worst = |q: f64| {
            let crlb = system.sensing.crlb(power - q, q);
            (crlb[0] / limits[0]).max(crlb[1] / limits[1])
        };
        let grid = (0..=120).map(|i| power * (f64::from(i) / 120.0));
        match system.sensing.range(power, limits) {
            SensingRange::Feasible { least, most } => {
                for q in grid {
                    let inside = q >= least && q <= most;
                    let margin = (q - least).abs().min((q - most).abs()) / power;
                    assert!(margin < 1e-9 || inside == (worst(q) <= 1.0), "{q} in [{least}, {most}]: {}", worst(q));
                }
                assert!(worst(least) <= 1.0 + 1e-10 && worst(most) <= 1.0 + 1e-10);
                inner += usize::from(least > 0.0);
                capped += usize::from(most < power);
            }
            SensingRange::Infeasible { nearest, ratio, multipliers } => {
                none += 1;
                assert!(ratio > 1.0 && (multipliers[0] + multipliers[1] - 1.0).abs() < 1e-12);
                if ratio.is_finite() {
                    assert!((worst(nearest) - ratio).abs() <= 1e-9 * ratio);
                }
                for q in grid {
                    // The certificate: a concave function whose largest value is at `nearest`.
                    let crlb = system.sensing.crlb(power - q, q);
                    let sum: f64 = (0..2).map(|i| multipliers[i] * limits[i] / crlb[i]).sum();
                    assert!(sum <= (1.0 + 1e-9) / ratio && worst(q) >= ratio * (1.0 - 1e-9), "{sum} {ratio}");
                }
            }
        }
    }
    assert!(inner > 100 && none > 100 && capped > 20, "{inner} {none} {capped}");
}

proptest! {
    #[test]
    fn rate_floors_hold_and_cost_no_more_than_they_must(instance in monostatic::instances(), floor in 0.0..2.0f64) {
        let instance = Instance { pilot_index: (0..instance.users() as u64).collect(), ..instance };
        let model: Arc<dyn SystemModel> = Arc::new(Monostatic::new(instance.clone()));
        for objective in UTILITIES {
            let mut spec = ProblemSpec { objective: Objective::Metric(objective.into()), ..model.default_problem() };
            spec.constraints.push(Constraint::at_least("min_rate", floor));
            let problem = Problem::new(Arc::clone(&model), spec).expect("a problem");
            let (design, outcome) = solve(&problem);
            let evaluation = problem.evaluator().evaluate(&design).expect("evaluates");
            let mut feasibility = problem.structure().feasibility.as_ref().expect("offered")();
            match (outcome, feasibility.assess().expect("assesses")) {
                (ExactOutcome::Optimal { bound, .. }, Feasible::Yes(start)) => {
                    prop_assert!(evaluation.violation <= STRICT, "{}", evaluation.violation);
                    prop_assert!(problem.gap(evaluation.objective, bound) <= 1e-9, "{evaluation:?} {bound}");
                    let start = problem.evaluator().evaluate(&start).expect("evaluates");
                    prop_assert!(start.violation <= STRICT && start.objective <= evaluation.objective + 1e-9);
                    let mut stream = RandomStream::keyed(7, "test", "", 0, 0);
                    for _ in 0..20 {
                        let mut other = problem.random(&mut stream);
                        prop_assert!(feasibility.repair(&mut other));
                        let other = problem.evaluator().evaluate(&other).expect("evaluates");
                        prop_assert!(other.violation <= STRICT, "{}", other.violation);
                        prop_assert!(other.objective <= evaluation.objective + 1e-9);
                    }
                }
                (ExactOutcome::Infeasible { .. }, Feasible::No { ratio, .. }) => {
                    prop_assert!(evaluation.violation > 0.0 && ratio > 1.0, "{evaluation:?} {ratio}");
                }
                (outcome, feasible) => prop_assert!(false, "{outcome:?} against {feasible:?}"),
            }
        }
    }
}

#[test]
fn no_power_and_no_reflection_are_infeasible_without_nan() {
    let base = monostatic::instance_of(&monostatic::cases()[0].1);
    let dark = Instance { transmit_power: 0.0, ..base.clone() };
    let silent = Instance { target_reflection: 0.0.into(), ..base.clone() };
    let flat = Instance {
        target_direction: isacopt::scenarios::monostatic::Pointing { azimuth: 0.3, elevation: 0.0 },
        ..base.clone()
    };
    for instance in [dark.clone(), silent, flat] {
        let problem = problem(&instance, "sum_rate");
        let (design, outcome) = solve(&problem);
        assert!(matches!(outcome, ExactOutcome::Infeasible { .. }), "{outcome:?}");
        assert!(design.iter().all(|x| x.is_finite()));
        let evaluation = problem.evaluator().evaluate(&design).expect("evaluates");
        assert!(evaluation.objective.is_finite() && evaluation.violation == f64::INFINITY);
    }
    let free = Instance { crlb_azimuth_limit: None, crlb_elevation_limit: None, ..dark };
    let (design, outcome) = solve(&problem(&free, "sum_rate"));
    assert!(matches!(outcome, ExactOutcome::Optimal { bound: 0.0, .. }), "{outcome:?}");
    assert!(design.iter().all(|x| *x == 0.0));
}

#[test]
fn a_single_receive_antenna_caps_the_sensing_power() {
    let (_, case) = &monostatic::cases()[0];
    let base = monostatic::instance_of(case);
    let one = isacopt::scenarios::monostatic::Array { horizontal: 1, vertical: 1 };
    let system = System::new(Instance { receive_array: one, transmit_power: 1e4, ..base });
    let limits = [1e-3; 2];
    match system.sensing.range(1e4, limits) {
        SensingRange::Feasible { least, most } => assert!(least == 0.0 && most < 1e4, "[{least}, {most}]"),
        other => panic!("{other:?}"),
    }
    let limits = Limits { power: 1e4, crlb: limits, sinr: Vec::new() };
    let mut out = Design::new(vec![0.0; system.users.users() + 1]);
    assert!(matches!(optimum(&system, Utility::SumRate, &limits, &mut out), ExactOutcome::Optimal { .. }));
}

/// The generic bisection asks only whether levels are reached, and ends at the exact optimum, proven on both sides.
#[test]
fn bisection_of_levels_ends_at_the_exact_max_min_rate() {
    let mut optimal = 0;
    for instance in fixed_instances(120) {
        let model: Arc<dyn SystemModel> = Arc::new(Monostatic::new(instance));
        let spec = ProblemSpec::new("min_rate", model.default_problem().constraints);
        let problem = Problem::new(Arc::clone(&model), spec).unwrap();
        let drive = |optimizer: &dyn isacopt::Optimizer| {
            let run = isacopt::Run::new(optimizer, Arc::clone(&problem), isacopt::RandomStream::solver(1, 0));
            run.drive(&mut |_| {}).unwrap()
        };
        let exact = drive(&isacopt::solvers::exact::Exact {});
        let levels = drive(&isacopt::solvers::bisection::Bisection::default());
        assert_eq!(exact.status, levels.status, "{} {}", exact.reason, levels.reason);
        if exact.status == isacopt::Status::Optimal {
            optimal += 1;
            assert!(
                (levels.objective / exact.objective - 1.0).abs() < 1e-6,
                "{} {}",
                levels.objective,
                exact.objective
            );
            assert!(levels.bound.unwrap() >= exact.objective * (1.0 - 1e-12));
        }
    }
    assert!(optimal > 20, "{optimal}");
}
