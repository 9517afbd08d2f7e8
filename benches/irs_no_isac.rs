//! Speed of the discrete searches on the IRS-aided system: a candidate of cross-entropy, a change of one element, the
//! bound, and the proofs. `cargo bench --bench irs_no_isac`; the same work in NumPy is in `peers/irs_no_isac.py`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isacopt::scenarios::irs_no_isac::IrsNoIsacConfig;
use isacopt::solvers::branch_and_bound::BranchAndBound;
use isacopt::solvers::coordinate_descent::CoordinateDescent;
use isacopt::solvers::cross_entropy::CrossEntropy;
use isacopt::{Optimizer, Problem, RandomStream, Run, Scenario, StopRules, Streams};

fn problem(side: usize, antennas: usize, weight: f64) -> Arc<Problem> {
    let array = |n| serde_json::json!({ "horizontal": n, "vertical": n });
    let section = serde_json::json!({
        "irs": array(side), "user_array": array(antennas), "communication_weight": weight,
    });
    let config: IrsNoIsacConfig = serde_json::from_value(section).expect("a config section");
    let model = config.draw(&Streams::new(1, "irs_no_isac", 0)).expect("a drawn system");
    let spec = model.default_problem();
    Problem::new(model, spec).expect("a problem")
}

fn run(optimizer: &dyn Optimizer, problem: &Arc<Problem>, rules: StopRules) -> u64 {
    let run = Run { rules, ..Run::new(optimizer, Arc::clone(problem), RandomStream::solver(1, 0)) };
    run.drive(&mut |_| {}).expect("a run").evaluations
}

fn candidates(c: &mut Criterion) {
    let mut group = c.benchmark_group("cross_entropy");
    group.bench_function("whole default run", |b| {
        let problem = problem(4, 4, 0.5);
        b.iter(|| run(&CrossEntropy::default(), &problem, StopRules::default()));
    });
    // Many samples and a spread that is never reached: the cost of a candidate and of nothing else.
    let long = CrossEntropy { samples: Some(10_000), smoothing: 0.9, kappa: 0.0, ..CrossEntropy::default() };
    for (side, weight) in [(4, 0.5), (4, 0.3), (5, 0.5), (8, 0.5)] {
        let problem = problem(side, 4, weight);
        let rules = StopRules { max_iterations: Some(4), ..StopRules::default() };
        group.throughput(Throughput::Elements(40_000));
        group.bench_function(format!("candidate, L = {}, weight {weight}", side * side), |b| {
            b.iter(|| run(&long, &problem, rules.clone()));
        });
    }
    group.finish();
}

fn changes(c: &mut Criterion) {
    let mut group = c.benchmark_group("one element");
    for (side, weight) in [(4, 0.5), (4, 0.9), (8, 0.5)] {
        let problem = problem(side, 4, weight);
        let mut random = RandomStream::solver(1, 0);
        let design = problem.random(&mut random);
        let mut state = (problem.structure().incremental.as_ref().expect("it is offered"))();
        state.load(&design);
        let count = side * side;
        group.throughput(Throughput::Elements(3 * count as u64));
        group.bench_function(format!("peek, L = {count}, weight {weight}"), |b| {
            b.iter(|| {
                let mut least = f64::INFINITY;
                for at in 0..count {
                    for turn in 1..4 {
                        least = least.min(state.peek(at, (design[at] + f64::from(turn)) % 4.0).objective);
                    }
                }
                black_box(least)
            });
        });
    }
    let problem = problem(4, 4, 0.5);
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("coordinate_descent, 10 000 evaluations", |b| {
        b.iter(|| run(&CoordinateDescent::default(), &problem, StopRules::default()));
    });
    group.finish();
}

fn proofs(c: &mut Criterion) {
    let mut group = c.benchmark_group("proof");
    for (side, weight) in [(4, 0.5), (4, 0.1), (5, 0.5), (5, 0.9)] {
        group.bench_function(format!("branch_and_bound, L = M = {}, weight {weight}", side * side), |b| {
            // A fresh problem each time: its bound is computed once a problem.
            b.iter(|| run(&BranchAndBound::default(), &problem(side, side, weight), StopRules::default()));
        });
    }
    group.bench_function("bound, L = M = 16", |b| {
        b.iter(|| {
            let problem = problem(4, 4, 0.5);
            (problem.structure().bound.as_ref().expect("it is offered"))().bound().expect("a bound")
        });
    });
    group.finish();
}

criterion_group!(benches, candidates, changes, proofs);
criterion_main!(benches);
