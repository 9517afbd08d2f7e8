//! What a question across processes costs: a plugin in C that asks for one evaluation at a time, 1000 an iteration.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use isacopt::optimizer::{Budget, Optimizer};
use isacopt::plugin::{Limits, Location, Plugin, PluginSolver, toys};
use isacopt::{RandomStream, Run, StopRules};

fn overhead(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("asks");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/plugins/asks.c");
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    assert!(Command::new(cc).args(["-O2", "-o"]).arg(&program).arg(source).status().expect("a C compiler").success());
    let location = Location::new(&program, false, None, Limits::default()).expect("a file");
    let plugin = Plugin::load(location).expect("a plugin");
    let solver = PluginSolver { solver: "asks".into(), parameters: Default::default(), plugin: Some(plugin) };
    let problem = toys::budget_black_box().problem();
    let mut iterate = solver.begin(Arc::clone(&problem), None, RandomStream::solver(1, 0)).expect("begun");
    c.bench_function("1000 evaluations across processes", |b| {
        b.iter(|| iterate.step(&Budget::unlimited()).expect("a step"));
    });
    drop(iterate);
    c.bench_function("a whole solve of 10 evaluations in a process that is there", |b| {
        b.iter(|| {
            let mut run = Run::new(&solver, Arc::clone(&problem), RandomStream::solver(1, 0));
            run.rules = StopRules { max_evaluations: Some(10), ..StopRules::default() };
            run.drive(&mut |_| ()).expect("a run")
        });
    });
}

criterion_group!(benches, overhead);
criterion_main!(benches);
