//! Power allocation in the cell-free system: what the solvers promise of their designs, and what is proven of optima.

use std::sync::Arc;

use crate::cell_free::{self, Pilots, case, design, instance, limit, limits, model_of, problem};
use isacopt::config::SolverConfig;
use isacopt::scenarios::cell_free::{CellFree, Instance, SensingMetric, System};
use isacopt::structure::{Feasible, Node};
use isacopt::{Design, Optimizer, Outcome, Problem, RandomStream, Record, Run, Status, SystemModel};
use serde_json::json;

fn solver(table: serde_json::Value) -> Arc<dyn Optimizer> {
    SolverConfig::from_table(table.as_object().unwrap(), "solver", &[]).unwrap().optimizer
}

fn drive(table: serde_json::Value, problem: &Arc<Problem>, start: Option<Design>) -> (Outcome, Vec<Record>) {
    let solver = solver(table);
    let run = Run { start, ..Run::new(solver.as_ref(), Arc::clone(problem), RandomStream::solver(1, 0)) };
    let mut records = Vec::new();
    let outcome = run.drive(&mut |record| records.push(*record)).unwrap();
    (outcome, records)
}

fn solve(name: &str, problem: &Arc<Problem>) -> Outcome {
    drive(json!({ "type": name }), problem, None).0
}

/// Random systems with limits that bind, and with power limits of the access points in every third.
fn limited(seed: u64, pilots: Pilots) -> Instance {
    let mut instance = instance(seed, pilots, false);
    limit(&mut instance, [0.1, 0.5, 0.8][seed as usize % 3], SensingMetric::Crlb);
    if seed % 3 == 1 {
        let each = 2.0 * instance.transmit_power / instance.access_points() as f64;
        instance.access_point_power_limit = vec![each; instance.access_points()];
    }
    instance
}

#[test]
fn every_incumbent_is_feasible_and_never_worse_than_the_one_before() {
    for seed in 0..18 {
        let pilots = [Pilots::Orthogonal, Pilots::Reused, Pilots::Overlapping][seed as usize % 3];
        let instance = limited(seed, pilots);
        let mut runs = vec![
            ("sca", "sum_rate"),
            ("sca", "min_rate"),
            ("majorization_minimization", "sum_rate"),
            ("majorization_minimization", "weighted_sum_rate"),
        ];
        runs.push(("bisection", "min_rate"));
        if pilots == Pilots::Orthogonal {
            runs.extend([("majorization_minimization", "min_rate"), ("sca", "sum_log_rate")]);
        }
        for (name, objective) in runs {
            let problem = problem(&instance, objective);
            let (outcome, records) = drive(json!({ "type": name, "max_iterations": 40 }), &problem, None);
            assert!(outcome.feasible() && records.len() > 2, "{seed} {name} {objective}: {outcome:?}");
            for pair in records.windows(2) {
                assert!(pair[1].violation <= 1e-9, "{seed} {name} {objective}: {:?}", pair[1]);
                let slack = 1e-12 * pair[0].objective.abs();
                assert!(pair[1].objective >= pair[0].objective - slack, "{seed} {name} {objective}: {pair:?}");
            }
        }
    }
}

/// The conic program and the closed form climb to the same value; so do they from a random start.
#[test]
fn sca_and_majorization_minimization_agree() {
    for seed in 0..50 {
        let instance = limited(1000 + seed, Pilots::Orthogonal);
        let objective = if seed % 2 == 0 { "sum_rate" } else { "weighted_sum_rate" };
        let problem = problem(&instance, objective);
        let start = (seed % 5 == 0).then(|| design(&instance, seed));
        let values: Vec<f64> = ["sca", "majorization_minimization"]
            .iter()
            .map(|name| drive(json!({ "type": name }), &problem, start.clone()).0.objective)
            .collect();
        assert!((values[0] / values[1] - 1.0).abs() < 1e-4, "{seed}: {values:?}");
    }
}

/// Gradients are the differences of the model's own metrics, for any pilots.
#[test]
fn gradients_are_those_of_the_metrics() {
    for seed in 0..30 {
        let pilots = [Pilots::Orthogonal, Pilots::Reused, Pilots::Overlapping][seed as usize % 3];
        let mut instance = limited(9200 + seed, pilots);
        if seed % 4 == 0 {
            instance.crlb_limit[0] = f64::INFINITY;
        }
        let objective = ["sum_rate", "weighted_sum_rate", "sum_log_rate"][seed as usize / 3 % 3];
        let problem = problem(&instance, objective);
        let mut gradient = problem.structure().gradient.as_ref().unwrap()();
        let (here, rows) = (design(&instance, seed), problem.limits());
        assert_eq!(gradient.rows(), rows);
        let n = here.len();
        let (mut slope, mut values, mut jacobian) = (vec![9.0; n], vec![9.0; rows], vec![9.0; n * rows]);
        let mut judge = problem.evaluator();
        let objective = gradient.objective(&here, &mut slope);
        gradient.constraints(&here, &mut values, &mut jacobian);
        assert!((objective - judge.evaluate(&here).unwrap().objective).abs() < 1e-11 * objective.abs().max(1.0));
        let mut misses = Vec::new();
        judge.misses(&mut misses);
        assert!(values.iter().zip(&misses).all(|(a, b)| a == b || (a - b).abs() < 1e-11 * a.abs().max(1.0)));
        let stream = &mut RandomStream::keyed(seed, "gradient test", "", 0, 0);
        let direction: Vec<f64> = here.iter().map(|x| x * (2.0 * stream.uniform() - 1.0)).collect();
        let mut at = |t: f64| {
            let moved = Design::new(here.iter().zip(&direction).map(|(x, d)| x + t * d).collect());
            misses.clear();
            let mut all = vec![judge.evaluate(&moved).unwrap().objective];
            judge.misses(&mut misses);
            all.append(&mut misses);
            all
        };
        // Four points: an error of order t^4.
        let t = 1e-3;
        let (a, b, c, d) = (at(-2.0 * t), at(-t), at(t), at(2.0 * t));
        for row in 0..=rows {
            let analytic = if row == 0 { &slope[..] } else { &jacobian[(row - 1) * n..row * n] };
            let along: f64 = analytic.iter().zip(&direction).map(|(g, d)| g * d).sum();
            if !c[row].is_finite() {
                assert!(along == 0.0);
                continue;
            }
            let numeric = (a[row] - 8.0 * b[row] + 8.0 * c[row] - d[row]) / (12.0 * t);
            let size: f64 = analytic.iter().zip(&direction).map(|(g, d)| (g * d).abs()).sum();
            assert!((along - numeric).abs() <= 1e-8 * size.max(1.0), "{seed} row {row}: {along} {numeric}");
        }
    }
}

/// A generic local search with these gradients reaches what the methods of this problem reach.
#[test]
fn a_generic_search_with_gradients_comes_close() {
    for seed in 0..4 {
        let pilots = if seed % 2 == 0 { Pilots::Orthogonal } else { Pilots::Reused };
        let problem = problem(&limited(9300 + seed, pilots), "sum_rate");
        let own = solve("majorization_minimization", &problem).objective;
        let search = json!({ "type": "global_search", "max_evaluations": 2000 });
        let outcome = drive(search, &problem, None).0;
        println!("{seed} {} {own}", outcome.objective);
        assert!(outcome.feasible() && outcome.objective > 0.99 * own, "{seed}: {} {own}", outcome.objective);
    }
}

/// The fixed point of fairness meets the proven bracket of the bisection.
#[test]
fn the_fixed_point_of_fairness_is_the_optimum() {
    let mut sides = Vec::new();
    for seed in 0..24 {
        let mut instance = limited(9100 + seed, Pilots::Orthogonal);
        instance.access_point_power_limit.clear();
        let problem = problem(&instance, "min_rate");
        let proven = solve("bisection", &problem);
        let fixed = solve("majorization_minimization", &problem);
        sides.push(fixed.objective / proven.bound.unwrap() - 1.0);
        assert!(fixed.feasible(), "{seed}: {fixed:?}");
    }
    println!("{sides:?}");
    assert!(sides.iter().all(|s| s.abs() < 1e-4 && *s < 1e-7), "{sides:?}");
}

/// Where pilots overlap the closed form maximises a bound below the conic program's, and climbs to points as good.
#[test]
fn both_climb_as_high_under_pilot_reuse() {
    let mut ratios = Vec::new();
    for seed in 0..20 {
        let pilots = if seed % 2 == 0 { Pilots::Reused } else { Pilots::Overlapping };
        let problem = problem(&limited(9000 + seed, pilots), "sum_rate");
        let [conic, closed] = ["sca", "majorization_minimization"].map(|name| solve(name, &problem).objective);
        ratios.push(closed / conic - 1.0);
    }
    println!("{ratios:?}");
    assert!(ratios.iter().all(|r| *r > -5e-3), "{ratios:?}");
}

/// The generic search over the offered tree proves the papers' system to half a percent.
#[test]
fn branch_and_bound_certifies_the_papers_system() {
    let case = case("c01_default_L8");
    let model = model_of(&case);
    let problem = Problem::new(model.clone(), model.default_problem()).unwrap();
    let (outcome, records) = drive(json!({ "type": "branch_and_bound", "gap": 5e-3 }), &problem, None);
    println!("{} {:?} {} {:?} {}", outcome.objective, outcome.bound, outcome.reason, outcome.status, records.len());
    // Optimal to the gap that was asked for.
    assert_eq!(outcome.status, Status::Converged);
    let bound = outcome.bound.unwrap();
    assert!(bound >= 12.399212 && bound / outcome.objective - 1.0 <= 5e-3 + 1e-9, "{outcome:?}");
}

/// The closed form gives the maximiser of the very program that the conic solver solves.
#[test]
fn one_step_of_both_is_the_same_design() {
    for seed in 0..12 {
        let instance = limited(2000 + seed, Pilots::Orthogonal);
        let problem = problem(&instance, "weighted_sum_rate");
        let structure = problem.structure();
        let mut conic = structure.surrogate.as_ref().unwrap()();
        let mut closed = structure.majorizer.as_ref().unwrap()();
        let mut start = design(&instance, seed);
        structure.feasibility.as_ref().unwrap()().repair(&mut start);
        let mut out = start.clone();
        conic.at(&start).unwrap();
        let solution = conic.program().solve().unwrap().x.clone();
        conic.read(&solution, &mut out);
        let mut jump = start.clone();
        closed.maximize(&start, &mut jump).unwrap();
        let mut judge = problem.evaluator();
        let (a, b) = (judge.evaluate(&out).unwrap().objective, judge.evaluate(&jump).unwrap().objective);
        assert!((a / b - 1.0).abs() < 1e-4, "{seed}: {a} {b}");
    }
}

/// A best-first search over the offered tree: the least bound that is left, the best candidate, the splits.
fn search(problem: &Arc<Problem>, start: f64, gap: f64, most: usize) -> (f64, f64, usize) {
    let mut tree = problem.structure().branching.as_ref().unwrap()();
    let mut judge = problem.evaluator();
    let mut out = Design::zeros(problem.model().space());
    let mut open: Vec<Node> = vec![tree.root().unwrap()];
    let (mut best, mut splits) = (start, 0);
    let mut children = Vec::new();
    loop {
        let Some(top) = (0..open.len()).max_by(|a, b| open[*a].bound.total_cmp(&open[*b].bound)) else {
            return (best, best, splits);
        };
        let node = open.swap_remove(top);
        if node.bound <= best * (1.0 + gap) || splits == most {
            return (node.bound, best, splits);
        }
        if tree.candidate(&node, &mut out).unwrap() {
            let value = judge.evaluate(&out).unwrap();
            assert!(value.violation <= 1e-9, "{value:?}");
            best = best.max(value.objective);
        }
        tree.split(&node, best, &mut children).unwrap();
        splits += 1;
        for child in children.drain(..) {
            assert!(child.bound <= node.bound);
            open.push(child);
        }
    }
}

#[test]
fn the_certificate_closes_for_the_papers_system() {
    let case = case("c01_default_L8");
    let model = model_of(&case);
    let problem = Problem::new(model.clone(), model.default_problem()).unwrap();
    let (bound, best, splits) = search(&problem, 0.0, 5e-3, 2000);
    println!("{splits} splits: {best} within {bound}");
    assert!(bound / best - 1.0 <= 5e-3, "{bound} {best}");
    assert!((best / 12.399212419 - 1.0).abs() < 1e-5, "{best}");
}

/// No random design, repaired, exceeds a bound of the tree, and neither does what the solvers find.
#[test]
fn bounds_of_boxes_hold() {
    for seed in 0..6 {
        let instance = limited(3000 + seed, Pilots::Orthogonal);
        let problem = problem(&instance, "weighted_sum_rate");
        let optimum = solve("majorization_minimization", &problem).objective;
        let (bound, _, _) = search(&problem, 0.0, 0.02, 60);
        assert!(bound >= optimum * (1.0 - 1e-9), "{seed}: {bound} {optimum}");
        let offered = problem.structure().bound.as_ref().unwrap()().bound().unwrap().unwrap();
        assert!(offered.value >= optimum * (1.0 - 1e-9));
        let mut repair = problem.structure().feasibility.as_ref().unwrap()();
        let mut judge = problem.evaluator();
        for trial in 0..20 {
            let mut design = design(&instance, trial);
            assert!(repair.repair(&mut design));
            let value = judge.evaluate(&design).unwrap();
            assert!(value.violation <= 1e-9 && value.objective <= bound, "{seed}: {value:?} {bound}");
        }
    }
}

/// Infeasibility is exactly that the least powers do not fit: at a budget of that much the problem has one design.
#[test]
fn infeasibility_is_proven_with_the_least_power_that_would_do() {
    for seed in 0..12 {
        let mut instance = instance(4000 + seed, Pilots::Orthogonal, false);
        limit(&mut instance, 2.0, SensingMetric::Crlb);
        let tight = problem(&instance, "sum_rate");
        let Feasible::No { ratio, certificate, .. } =
            tight.structure().feasibility.as_ref().unwrap()().assess().unwrap()
        else {
            panic!("{seed}: twice the budget is needed at least")
        };
        let needed = certificate.values.iter().find(|(name, _)| *name == "least_power").unwrap().1[0];
        assert!((needed / instance.transmit_power / ratio - 1.0).abs() < 1e-12);
        for name in ["sca", "majorization_minimization"] {
            let outcome = solve(name, &tight);
            assert_eq!(outcome.status, Status::Infeasible);
            assert!(!outcome.feasible() && outcome.design.is_some());
        }
        instance.transmit_power = needed * (1.0 + 1e-9);
        let enough = solve("majorization_minimization", &problem(&instance, "sum_rate"));
        assert!(enough.feasible(), "{seed}: {enough:?}");
        instance.transmit_power = needed * (1.0 - 1e-6);
        assert_eq!(solve("sca", &problem(&instance, "sum_rate")).status, Status::Infeasible);
    }
    // An end-fire angle has no finite CRLB.
    let mut hopeless = limited(0, Pilots::Orthogonal);
    hopeless.target_direction[1] = std::f64::consts::FRAC_PI_2;
    assert_eq!(solve("majorization_minimization", &problem(&hopeless, "sum_rate")).status, Status::Infeasible);
}

/// With both sides of (22) no user's power moves; with one, and (24)-(25), the result is that of the linear form.
#[test]
fn the_printed_power_constraint_freezes_the_iteration() {
    let case = case("c01_default_L8");
    let model = model_of(&case);
    let problem = Problem::new(model.clone(), model.default_problem()).unwrap();
    let start = model.read_design(&case["designs"]["heuristic"], "designs").unwrap();
    let iterations = json!({ "type": "sca", "formulation": "printed", "max_iterations": 20 });
    let (frozen, _) = drive(iterations, &problem, Some(start.clone()));
    let design = frozen.design.unwrap();
    let half = start.len() / 2;
    // What moves is the conic solver's tolerance.
    let moved = design[..half].iter().zip(&start[..half]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(moved < 1e-3 * start.iter().sum::<f64>(), "{moved}");
    assert!(frozen.objective < 9.7 && frozen.objective > 9.6, "{}", frozen.objective);
    let (free, _) = drive(json!({ "type": "sca", "formulation": "printed_crlb" }), &problem, Some(start));
    assert!((free.objective / 12.399212 - 1.0).abs() < 1e-4, "{}", free.objective);
    let unknown = solver(json!({ "type": "sca", "formulation": "typo" }));
    let refused = Run::new(unknown.as_ref(), problem, RandomStream::solver(1, 0)).drive(&mut |_| {});
    assert!(refused.unwrap_err().to_string().contains("printed_crlb"));
}

#[test]
fn the_printed_crlb_form_reaches_the_linear_one_where_limits_bind() {
    for seed in 0..6 {
        let instance = limited(5000 + seed, Pilots::Orthogonal);
        let problem = problem(&instance, "sum_rate");
        let linear = solve("sca", &problem).objective;
        let printed = drive(json!({ "type": "sca", "formulation": "printed_crlb" }), &problem, None).0.objective;
        assert!((printed / linear - 1.0).abs() < 1e-3, "{seed}: {printed} {linear}");
    }
}

/// The bracket of max-min is proven on both sides: nothing that another method finds lies beyond it.
#[test]
fn max_min_rates_are_proven() {
    for seed in 0..8 {
        let instance = limited(6000 + seed, Pilots::Orthogonal);
        let problem = problem(&instance, "min_rate");
        let outcome = solve("bisection", &problem);
        assert_eq!(
            outcome.status,
            Status::Optimal,
            "{seed}: {} {:?} {}",
            outcome.reason,
            outcome.bound,
            outcome.objective
        );
        let approximation = solve("sca", &problem).objective;
        assert!(approximation <= outcome.bound.unwrap() * (1.0 + 1e-9), "{seed}");
        assert!(approximation >= outcome.objective * (1.0 - 1e-3), "{seed}: {approximation} {}", outcome.objective);
        // All users are equal at the optimum.
        let mut judge = problem.evaluator();
        let values = judge.metrics(outcome.design.as_ref().unwrap()).unwrap();
        let rates = values.get(problem.model().metrics().iter().position(|m| m.id == "rate").unwrap());
        assert!(rates.iter().all(|r| r / outcome.objective < 1.0 + 1e-3), "{seed}: {rates:?}");
    }
}

/// With shared pilots a level is a cone in amplitudes: both sides of the bracket hold against the local method, and close
/// where beams inform better than streams.
#[test]
fn max_min_rates_are_proven_under_pilot_reuse() {
    let (mut closed, mut exact) = (0, 0);
    for seed in 0..12 {
        let pilots = if seed % 2 == 0 { Pilots::Reused } else { Pilots::Overlapping };
        let instance = limited(6100 + seed, pilots);
        let system = System::new(instance.clone());
        let problem = problem(&instance, "min_rate");
        let outcome = solve("bisection", &problem);
        let approximation = solve("sca", &problem).objective;
        let bound = outcome.bound.unwrap();
        println!("{seed} {:?} {bound} {} {approximation} {}", outcome.status, outcome.objective, outcome.reason);
        assert!(outcome.feasible() && approximation <= bound * (1.0 + 1e-9), "{seed}: {approximation} {bound}");
        let pairs = system.sensing.by_communication.iter().zip(&system.sensing.by_sensing);
        if pairs.into_iter().all(|(a, b)| a < b) {
            exact += 1;
            closed += usize::from(outcome.objective >= bound * (1.0 - 1e-6));
        }
    }
    assert!(exact >= 4 && closed == exact, "{closed} of {exact}");
}

#[test]
fn the_exact_multistatic_limit_costs_less_and_holds() {
    for seed in 0..6 {
        let phases = seed % 2 == 1;
        let mut instance = instance(7000 + seed, Pilots::Orthogonal, phases);
        limit(&mut instance, 0.8, SensingMetric::Crlb);
        let own = solve("sca", &problem(&instance, "sum_rate"));
        instance.sensing_metric = SensingMetric::CrlbMultistatic;
        let exact = problem(&instance, "sum_rate");
        if phases {
            // Any phases: cross terms may be against; the answer need only be feasible and found.
            let (outcome, records) = drive(json!({ "type": "sca", "max_iterations": 30 }), &exact, None);
            assert!(outcome.feasible(), "{seed}: {outcome:?}");
            assert!(records.iter().skip(1).all(|r| r.violation <= 1e-9));
            continue;
        }
        let outcome = solve("sca", &exact);
        assert!(
            outcome.feasible() && outcome.objective > own.objective,
            "{seed}: {} {}",
            outcome.objective,
            own.objective
        );
        // Looser limits never cost anything.
        instance.crlb_limit.iter_mut().for_each(|l| *l *= 1.5);
        let looser = solve("sca", &problem(&instance, "sum_rate")).objective;
        assert!(looser >= outcome.objective * (1.0 - 1e-4), "{seed}: {looser} {}", outcome.objective);
        let (bound, best, _) = search(&exact, outcome.objective, 0.05, 40);
        assert!(bound >= best * (1.0 - 1e-9));
        // Far tighter than all can meet together.
        instance.crlb_limit.iter_mut().for_each(|l| *l /= 1e6);
        assert_eq!(solve("sca", &problem(&instance, "sum_rate")).status, Status::Infeasible);
    }
}

#[test]
fn instances_read_back_as_themselves_and_mistakes_are_named() {
    for (seed, phases) in [(1, false), (2, true)] {
        let mut instance = limited(seed, Pilots::Overlapping);
        instance.crlb_limit[0] = f64::INFINITY;
        if phases {
            instance.target_reflection = cell_free::instance(seed, Pilots::Reused, true).target_reflection;
            instance.sensing_metric = SensingMetric::CrlbMultistatic;
        }
        assert_eq!(Instance::from_json(&instance.to_json()).unwrap(), instance);
    }
    let good = case("c03_single_user")["instance"].clone();
    for (key, value, word) in [
        ("transmit_power", json!(0), "transmit_power"),
        ("coherence_length", json!(1), "coherence_length"),
        ("crlb_limit", json!([1.0, -1.0, null]), "crlb_limit[1]"),
        ("crlb_limit", json!([1.0, 1.0]), "crlb_limit"),
        ("access_point_power_limit", json!([1.0, "x", null]), "access_point_power_limit[1]"),
        ("large_scale_fading", json!([[1.0, 0.0, 1.0]]), "large_scale_fading"),
        ("pilots", json!({ "re": [[0.5]], "im": [[0.0]] }), "norm"),
        ("sensing_metric", json!("crlb_joint"), "sensing_metric"),
        ("targt_direction", json!([0.0]), "targt_direction"),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let message = Instance::from_json(&bad).unwrap_err().to_string();
        assert!(message.contains(word), "{key}: {message}");
    }
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().shift_remove("crlb_limit");
    assert!(Instance::from_json(&missing).unwrap_err().to_string().contains("crlb_limit"));
    let mut none = good;
    none["crlb_limit"] = json!([null, null, null]);
    let model = CellFree::new(Instance::from_json(&none).unwrap());
    assert_eq!(model.default_problem().constraints.len(), 1);
}

/// The limits that the structure knows are those of the problem.
#[test]
fn floors_on_rates_hold_in_the_conic_program() {
    for seed in 0..4 {
        let pilots = if seed % 2 == 0 { Pilots::Orthogonal } else { Pilots::Reused };
        let instance = limited(8000 + seed, pilots);
        let fair = problem(&instance, "min_rate");
        let (found, _) = drive(json!({ "type": "sca" }), &fair, None);
        let floor = 0.8 * found.objective;
        let mut spec = problem(&instance, "sum_rate").spec().clone();
        spec.constraints.push(isacopt::Constraint::at_least("min_rate", floor));
        let floored = Problem::new(Arc::clone(fair.model()), spec).unwrap();
        assert!(limits(&floored, &System::new(instance)).sinr.iter().all(|s| *s > 0.0));
        let (outcome, records) = drive(json!({ "type": "sca" }), &floored, found.design.clone());
        let mut judge = fair.evaluator();
        let least = judge.evaluate(outcome.design.as_ref().unwrap()).unwrap().objective;
        assert!(outcome.feasible() && least >= floor * (1.0 - 1e-8), "{seed}: {least} {floor}");
        assert!(outcome.objective > records[0].objective, "{seed}");
    }
}
