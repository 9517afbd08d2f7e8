//! Cell-free power allocation: complete solves, from the problem to the answer, one thread. The same systems in CVXPY and
//! NumPy: `benches/peers/cell_free.py`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use isacopt::scenarios::cell_free::CellFreeConfig;
use isacopt::solvers::bisection::Bisection;
use isacopt::solvers::majorization_minimization::MajorizationMinimization;
use isacopt::solvers::sca::Sca;
use isacopt::{
    Constraint, Optimizer, Problem, ProblemSpec, RandomStream, Run, Scenario, StopRules, Streams, SystemModel,
};

/// The paper's system; above 32 access points with a target ten times as strong and a limit of 0 dB, or all would be
/// infeasible.
fn model(access_points: usize, users: usize) -> Arc<dyn SystemModel> {
    let mut config = CellFreeConfig { access_points, users, pilot_length: users as u64, ..CellFreeConfig::default() };
    if access_points > 32 {
        config.target_reflection *= 10.0;
        config.crlb_limit = "0 dB".parse().expect("a squared angle");
    }
    config.draw(&Streams::new(1, "cell_free", 0)).expect("drawn")
}

fn solve(optimizer: &dyn Optimizer, problem: &Arc<Problem>, tolerance: f64) -> f64 {
    let rules = StopRules { tolerance: Some(tolerance), patience: Some(1), ..StopRules::default() };
    let run = Run { rules, ..Run::new(optimizer, Arc::clone(problem), RandomStream::solver(1, 0)) };
    run.drive(&mut |_| {}).expect("solved").objective
}

fn cell_free(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cell_free");
    group.sample_size(10);
    for (access_points, users) in [(8, 4), (32, 4), (256, 32), (1024, 64)] {
        let model = model(access_points, users);
        let problem = Problem::new(Arc::clone(&model), model.default_problem()).expect("a problem");
        let solver = MajorizationMinimization::default();
        let name = format!("majorization_minimization L={access_points} K={users}");
        group.bench_function(name, |b| b.iter(|| black_box(solve(&solver, &problem, 1e-9))));
        let mut judge = problem.evaluator();
        let design = problem.default_start(&mut RandomStream::solver(1, 0)).expect("a start");
        let name = format!("evaluate L={access_points} K={users}");
        group.bench_function(name, |b| b.iter(|| black_box(judge.evaluate(&design).expect("judged"))));
    }
    for access_points in [8, 16, 32] {
        let model = model(access_points, 4);
        let problem = Problem::new(Arc::clone(&model), model.default_problem()).expect("a problem");
        for formulation in [None, Some("printed_crlb".to_string())] {
            let form = formulation.clone().unwrap_or_else(|| "linear".into());
            let solver = Sca { formulation, ..Sca::default() };
            let name = format!("sca {form} L={access_points} K=4");
            group.bench_function(name, |b| b.iter(|| black_box(solve(&solver, &problem, 1e-4))));
        }
    }
    let model = model(8, 4);
    let budget = Constraint::at_most("transmit_power", 1000.0);
    let fair = Problem::new(Arc::clone(&model), ProblemSpec::new("min_rate", vec![budget])).expect("a problem");
    let bisection = Bisection { bracket: 1e-6, ..Bisection::default() };
    group.bench_function("bisection min_rate L=8 K=4", |b| b.iter(|| black_box(solve(&bisection, &fair, 0.0))));
    group.finish();
}

criterion_group!(benches, cell_free);
criterion_main!(benches);
