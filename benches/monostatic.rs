//! The monostatic system of the default config (K = 12 users, 225 transmit antennas, 10 dB), on one thread: two pilots
//! are shared; `distinct` gives each user its own.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use isacopt::scenarios::monostatic::{
    Instance, Limits, Monostatic, MonostaticConfig, Precoder, System, Utility, optimum,
};
use isacopt::solvers::exact::Exact;
use isacopt::solvers::global_search::GlobalSearch;
use isacopt::solvers::majorization_minimization::{Acceleration, MajorizationMinimization};
use isacopt::solvers::sca::Sca;
use isacopt::{Budget, Design, Optimizer, Problem, RandomStream, Run, Scenario, StopRules, Streams, SystemModel};

/// The systems that are timed.
fn instances() -> Vec<(&'static str, Instance)> {
    let base = MonostaticConfig::default().draw(&Streams::new(1, "monostatic", 0)).expect("the default draws");
    let base = Instance::from_json(&base.instance()).expect("its own form");
    let mut all = Vec::new();
    for (name, precoder, distinct) in [
        ("mrt", Precoder::Mrt, false),
        ("zf", Precoder::Zf, false),
        ("mrt_distinct", Precoder::Mrt, true),
        ("zf_distinct", Precoder::Zf, true),
    ] {
        let mut instance = Instance { precoder, ..base.clone() };
        if distinct {
            instance.pilot_length = instance.users() as u64;
            instance.pilot_index = (0..instance.pilot_length).collect();
        }
        all.push((name, instance));
    }
    all
}

fn problem(instance: &Instance) -> Arc<Problem> {
    let model: Arc<dyn SystemModel> = Arc::new(Monostatic::new(instance.clone()));
    let spec = model.default_problem();
    Problem::new(model, spec).expect("a problem")
}

fn run(solver: &dyn Optimizer, problem: &Arc<Problem>, iterations: u64) -> f64 {
    let mut run = Run::new(solver, Arc::clone(problem), RandomStream::solver(1, 0));
    run.rules = StopRules {
        tolerance: Some(0.0),
        patience: Some(u64::MAX),
        max_iterations: Some(iterations),
        ..StopRules::default()
    };
    run.drive(&mut |_| ()).expect("runs").objective
}

fn exact(c: &mut Criterion) {
    for (name, instance) in instances() {
        let problem = problem(&instance);
        c.bench_function(&format!("exact_from_instance/{name}"), |b| {
            b.iter_batched(
                || instance.clone(),
                |instance| {
                    let power = instance.transmit_power;
                    let crlb = [instance.crlb_azimuth_limit, instance.crlb_elevation_limit];
                    let crlb = crlb.map(|limit| limit.unwrap_or(f64::INFINITY));
                    let system = System::new(instance);
                    let limits = Limits { power, crlb, sinr: Vec::new() };
                    let mut out = Design::new(vec![0.0; system.users.users() + 1]);
                    let outcome = optimum(&system, Utility::SumRate, &limits, &mut out);
                    (system, out, outcome)
                },
                BatchSize::SmallInput,
            );
        });
        c.bench_function(&format!("exact_driven/{name}"), |b| b.iter(|| run(&Exact {}, &problem, 1)));
    }
}

fn surrogates(c: &mut Criterion) {
    let plain = MajorizationMinimization { acceleration: Acceleration::None, ..MajorizationMinimization::default() };
    for (name, instance) in instances() {
        let problem = problem(&instance);
        c.bench_function(&format!("sca_15/{name}"), |b| b.iter(|| run(&Sca::default(), &problem, 15)));
        c.bench_function(&format!("mm_15/{name}"), |b| b.iter(|| run(&plain, &problem, 15)));
        let accelerated = MajorizationMinimization::default();
        c.bench_function(&format!("mm_15_accelerated/{name}"), |b| b.iter(|| run(&accelerated, &problem, 15)));
        let mut majorizer = problem.structure().majorizer.as_ref().expect("offered")();
        let start = problem.default_start(&mut RandomStream::solver(1, 0)).expect("a start");
        let (mut here, mut next) = (start.clone(), start.clone());
        c.bench_function(&format!("majorizer_15/{name}"), |b| {
            b.iter(|| {
                here.copy_from(&start);
                for _ in 0..15 {
                    majorizer.maximize(&here, &mut next).expect("maximizes");
                    std::mem::swap(&mut here, &mut next);
                }
                here[0]
            });
        });
    }
}

fn evaluations(c: &mut Criterion) {
    for (name, instance) in instances() {
        let problem = problem(&instance);
        let mut judge = problem.evaluator();
        let design = problem.default_start(&mut RandomStream::solver(1, 0)).expect("a start");
        c.bench_function(&format!("evaluate/{name}"), |b| b.iter(|| judge.evaluate(black_box(&design))));
        let mut gradient = problem.structure().gradient.as_ref().expect("offered")();
        let mut slope = vec![0.0; design.len()];
        c.bench_function(&format!("gradient/{name}"), |b| {
            b.iter(|| gradient.objective(black_box(&design), &mut slope));
        });
    }
}

/// From a random design until 0.1 % below the proven optimum.
fn global_search(c: &mut Criterion) {
    for (name, instance) in instances() {
        let problem = problem(&instance);
        let optimum = run(&Exact {}, &problem, 1);
        let mut random = RandomStream::keyed(1, "start", "", 0, 0);
        let start = problem.random(&mut random);
        let mut judge = problem.evaluator();
        c.bench_function(&format!("global_search_to_0.1%/{name}"), |b| {
            b.iter(|| {
                let random = RandomStream::solver(1, 0);
                let search = GlobalSearch::default();
                let mut iterate = search.begin(Arc::clone(&problem), Some(start.clone()), random).expect("begins");
                for _ in 0..100_000 {
                    let value = judge.evaluate(iterate.best()).expect("evaluates");
                    if value.feasible() && value.objective >= 0.999 * optimum {
                        break;
                    }
                    iterate.step(&Budget::unlimited()).expect("steps");
                }
                iterate.evaluations()
            });
        });
    }
}

criterion_group! {
    name = monostatic;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1))
        .warm_up_time(std::time::Duration::from_millis(300));
    targets = exact, surrogates, evaluations, global_search
}
criterion_main!(monostatic);
