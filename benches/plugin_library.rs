//! What a call from a library inside isacopt costs: 1000 evaluations from C against the same 1000 from Rust.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use isacopt::model::Workspace;
use isacopt::optimizer::{Budget, Optimizer};
use isacopt::plugin::{Limits, Location, Plugin, PluginSolver};
use isacopt::{
    Block, Constraint, Design, DesignSpace, Domain, MetricInfo, MetricSet, MetricValues, Problem, ProblemSpec,
    RandomStream, Result, Structure, SystemModel,
};

/// As cheap a model as there is, so that the call is what is seen.
struct Sum {
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl SystemModel for Sum {
    fn scenario(&self) -> &str {
        "sum"
    }
    fn instance(&self) -> serde_json::Value {
        serde_json::json!({})
    }
    fn space(&self) -> &DesignSpace {
        &self.space
    }
    fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }
    fn evaluate(&self, design: &Design, _: MetricSet, _: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        out.set(0, design.iter().sum());
        Ok(())
    }
    fn default_problem(&self) -> ProblemSpec {
        ProblemSpec::new("sum", vec![Constraint::at_least("sum", 0.1)])
    }
    fn structure(self: Arc<Self>, _: &ProblemSpec) -> Structure {
        Structure::none("it is for measuring")
    }
}

fn problem() -> Arc<Problem> {
    let space = DesignSpace::new(vec![Block::new("x", &[8], Domain::NonNegative, 1.0, "")]);
    let metrics = vec![MetricInfo::new("sum", "1", &[], "", "").minimize()];
    let model = Arc::new(Sum { space, metrics });
    let spec = model.default_problem();
    Problem::new(model, spec).expect("a problem")
}

fn library() -> Plugin {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let library = folder.join(format!("calls{}", std::env::consts::DLL_SUFFIX));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut compile = Command::new(cc);
    compile.args(["-O2", "-shared", "-fPIC", "-I"]).arg(root.join("plugins/include")).arg("-o").arg(&library);
    assert!(compile.arg(root.join("benches/plugins/calls.c")).status().expect("a C compiler").success());
    let location = Location::new(&library, true, None, Limits::default()).expect("a file");
    Plugin::load(location).expect("a plugin")
}

fn overhead(c: &mut Criterion) {
    let problem = problem();
    let mut judge = problem.evaluator();
    let design = problem.random(&mut RandomStream::solver(1, 0));
    c.bench_function("1000 evaluations from Rust", |b| {
        b.iter(|| {
            for _ in 0..1000 {
                black_box(judge.evaluate(black_box(&design)).expect("a value"));
            }
        });
    });
    let solver = PluginSolver { solver: "calls".into(), parameters: serde_json::Map::new(), plugin: Some(library()) };
    let mut iterate = solver.begin(Arc::clone(&problem), None, RandomStream::solver(1, 0)).expect("begun");
    c.bench_function("1000 evaluations from C, inside isacopt", |b| {
        b.iter(|| iterate.step(&Budget::unlimited()).expect("a step"));
    });
}

criterion_group!(benches, overhead);
criterion_main!(benches);
