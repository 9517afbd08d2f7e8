//! The multi-IRS system of the default config (L = K = 2, M = N = N_s = 8, 40 W, 10 dB), on one thread, and the Hermitian
//! interior-point method alone.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use isacopt::conic::Sense;
use isacopt::conic::hermitian::{C, HermitianProgram};
use isacopt::scenarios::multi_irs::{Instance, MultiIrs, MultiIrsConfig, Receiver, Target};
use isacopt::solvers::alternating::Alternating;
use isacopt::solvers::baseline::Baseline;
use isacopt::solvers::exact::Exact;
use isacopt::solvers::manifold::Manifold;
use isacopt::solvers::sdr::Sdr;
use isacopt::{Design, Optimizer, Problem, RandomStream, Run, Scenario, Streams, SystemModel};
use nalgebra::DMatrix;

fn instance(change: impl Fn(&mut MultiIrsConfig)) -> Instance {
    let mut config = MultiIrsConfig::default();
    change(&mut config);
    let model = config.draw(&Streams::new(1, "multi_irs", 0)).expect("the config draws");
    Instance::from_json(&model.instance()).expect("its own form")
}

fn problem(instance: &Instance) -> Arc<Problem> {
    let model: Arc<dyn SystemModel> = Arc::new(MultiIrs::new(instance.clone()));
    let spec = model.default_problem();
    Problem::new(model, spec).expect("a problem")
}

fn run(solver: &dyn Optimizer, problem: &Arc<Problem>, start: Option<&Design>) -> f64 {
    let run = Run { start: start.cloned(), ..Run::new(solver, Arc::clone(problem), RandomStream::solver(1, 0)) };
    run.drive(&mut |_| ()).expect("runs").objective
}

fn start(problem: &Problem, name: &str) -> Design {
    problem.model().start(name).expect("a start").expect("of this problem")
}

/// `max tr(C X)`, `X_nn = 1`.
fn diagonal(c: &mut Criterion) {
    for n in [8, 16, 32, 64, 128] {
        let mut stream = RandomStream::keyed(1, "bench", "", n as u64, 0);
        let factor = DMatrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
        let cost: DMatrix<C> = &factor + factor.adjoint();
        let mut program = HermitianProgram::new(Sense::Maximize);
        let x = program.matrix(n);
        (0..n).for_each(|i| {
            program.equal(x.entry(i, i), 1.0);
        });
        program.objective(x.inner(&cost));
        c.bench_function(&format!("diagonal_relaxation/{n}"), |b| b.iter(|| black_box(program.solve().objective)));
    }
}

fn transmit(c: &mut Criterion) {
    for (name, receiver) in [("type1", Receiver::TypeI), ("type2", Receiver::TypeII)] {
        let problem = problem(&instance(|config| config.receiver = receiver));
        let start = start(&problem, "random_phases");
        let solver = Baseline::named("transmit_only");
        c.bench_function(&format!("transmit/{name}"), |b| b.iter(|| black_box(run(&solver, &problem, Some(&start)))));
    }
}

/// Both IRSs' relaxations with their SINR rows, without candidates.
fn reflect(c: &mut Criterion) {
    for elements in [8, 16, 32, 64] {
        let problem = problem(&instance(|config| config.elements = elements));
        let start = start(&problem, "spectral");
        let solver = Sdr { block: Some("irs_phase".into()), candidates: 0, ..Sdr::default() };
        c.bench_function(&format!("reflect/{elements}"), |b| {
            b.iter(|| black_box(run(&solver, &problem, Some(&start))))
        });
    }
}

fn whole(c: &mut Criterion) {
    for (name, receiver) in [("type1", Receiver::TypeI), ("type2", Receiver::TypeII)] {
        let problem = problem(&instance(|config| config.receiver = receiver));
        let random = start(&problem, "random_phases");
        let joint = Manifold { starts: 1, ..Manifold::default() };
        c.bench_function(&format!("joint/{name}"), |b| b.iter(|| black_box(run(&joint, &problem, None))));
        let alternating = Alternating::default();
        let id = format!("alternating/{name}");
        c.bench_function(&id, |b| b.iter(|| black_box(run(&alternating, &problem, Some(&random)))));
        let extended =
            self::problem(&instance(|config| (config.receiver, config.target) = (receiver, Target::Extended)));
        let id = format!("extended/{name}");
        c.bench_function(&id, |b| b.iter(|| black_box(run(&Exact {}, &extended, None))));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = diagonal, transmit, reflect, whole
}
criterion_main!(benches);
