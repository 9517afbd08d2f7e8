//! IRS-aided massive MIMO: Algorithm 1 in closed form by size, one evaluation of all rates, the relaxation's bound, a scan of
//! MUSIC.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use isacopt::optimizer::Optimizer;
use isacopt::radio::music::{Spectrum, grid, signal_vector};
use isacopt::solvers::majorization_minimization::{Acceleration, MajorizationMinimization};
use isacopt::{
    MetricSet, MetricValues, Outcome, Problem, RandomStream, Run, Scenario, StopRules, Streams, SystemModel,
};

fn model(antennas: u64, elements: u64) -> Arc<dyn SystemModel> {
    let square = |side: u64| serde_json::json!({ "rows": side, "columns": side, "spacing_wavelengths": 0.5 });
    let section = serde_json::json!({
        "type": "irs_massive_mimo", "base_station": square(antennas), "irs": square(elements),
    });
    let scenario: Box<dyn Scenario> = serde_json::from_value(section).expect("a scenario");
    scenario.draw(&Streams::new(1, "irs_massive_mimo", 0)).expect("a system")
}

fn run(solver: &dyn Optimizer, problem: &Arc<Problem>, rules: StopRules) -> Outcome {
    let start = problem.random(&mut RandomStream::keyed(0, "bench", "start", 0, 0));
    let run = Run { start: Some(start), rules, ..Run::new(solver, Arc::clone(problem), RandomStream::solver(1, 0)) };
    run.drive(&mut |_| {}).expect("a run")
}

fn algorithm(c: &mut Criterion) {
    let plain = MajorizationMinimization { acceleration: Acceleration::None, ..Default::default() };
    let accelerated = MajorizationMinimization::default();
    for side in [10, 20, 100] {
        let model = model(if side < 100 { 20 } else { 4 }, side);
        let problem = Problem::new(Arc::clone(&model), model.default_problem()).expect("a problem");
        let mut group = c.benchmark_group(format!("algorithm 1, {} elements", side * side));
        group.sample_size(10);
        let rules = |iterations| StopRules {
            max_iterations: Some(iterations),
            tolerance: Some(1e-9),
            patience: Some(3),
            ..StopRules::default()
        };
        if side == 10 {
            group.bench_function("177 plain iterations", |b| {
                b.iter(|| black_box(run(&plain, &problem, StopRules { tolerance: Some(0.0), ..rules(177) })));
            });
        }
        group.bench_function("accelerated, to 1e-9", |b| {
            b.iter(|| black_box(run(&accelerated, &problem, rules(1000))));
        });
        group.finish();
    }
}

fn evaluations(c: &mut Criterion) {
    for (name, side, elements) in [("M = 400, N = 100", 20, 10), ("M = 400, N = 400", 20, 20)] {
        let model = model(side, elements);
        let problem = Problem::new(Arc::clone(&model), model.default_problem()).expect("a problem");
        let design = problem.random(&mut RandomStream::keyed(0, "bench", "design", 0, 0));
        let (mut work, mut out) = (model.workspace(), MetricValues::new(model.metrics()));
        let all = MetricSet::first(model.metrics().len());
        c.bench_function(&format!("all metrics, {name}"), |b| {
            b.iter(|| model.evaluate(black_box(&design), all, &mut work, &mut out));
        });
    }
}

fn scan(c: &mut Criterion) {
    let model = model(20, 10);
    let design = model.start("sensing_aligned").expect("a start").expect("a design");
    let echoes = model.echoes(&design).expect("a receiver");
    let mut draws = RandomStream::keyed(1, "bench", "snapshots", 0, 0);
    let snapshots = (echoes.snapshots)(&mut draws).expect("snapshots");
    let signal = signal_vector(&snapshots.values, echoes.antennas).expect("a signal");
    let axis = grid(-std::f64::consts::FRAC_PI_2, std::f64::consts::FRAC_PI_2, 181);
    c.bench_function("MUSIC, 181 x 181, M = 400", |b| {
        b.iter(|| black_box(Spectrum::new(echoes.scans[0].as_ref(), black_box(&signal), &axis, &axis)));
    });
}

fn bound(c: &mut Criterion) {
    let model = model(20, 10);
    let problem = Problem::new(Arc::clone(&model), model.default_problem()).expect("a problem");
    let factory = problem.structure().bound.as_ref().map_err(ToString::to_string).expect("a bound");
    let mut group = c.benchmark_group("bound, 100 elements");
    group.sample_size(10);
    group.bench_function("mixing method and dual shift", |b| b.iter(|| black_box(factory().bound())));
    group.finish();
}

criterion_group!(benches, algorithm, evaluations, scan, bound);
criterion_main!(benches);
