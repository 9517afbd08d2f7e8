//! Shared libraries: the same bits inside isacopt, in a worker process and built in; and whatever a bad one does in a
//! worker, its run has a result with the reason, the others go on, nothing is left behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use isacopt::plugin::toys::{self, Toy};
use isacopt::plugin::{Limits, Location, Parameters, Plugin, PluginMetric, PluginSolver};
use isacopt::solvers::random_search::RandomSearch;
use isacopt::{
    Design, Error, Metric, Optimizer, Outcome, Problem, RandomStream, Run, Status, StopRules, Streams, SystemModel,
};
use serde_json::{Map, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_isacopt");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The example in Rust, built beside the program.
fn rust_example() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = Path::new(PROGRAM).parent().expect("a folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "-p", "isacopt-example-searches"]).current_dir(root());
        cargo.arg("--target-dir").arg(folder.parent().expect("a folder"));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo").success());
        let name = format!("{}isacopt_searches{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        folder.join(name)
    });
    built.clone()
}

/// A library in C; none where there is no compiler.
fn compiled(source: &str, name: &str, arguments: &[&str]) -> Option<PathBuf> {
    // Once a name: a library that is open must not be written anew.
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = built.get(name) {
        return Some(path.clone());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin_libraries");
    std::fs::create_dir_all(&folder).expect("a folder");
    let out = folder.join(format!("{name}{}", std::env::consts::DLL_SUFFIX));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut compile = Command::new(&compiler);
    compile.args(["-std=c11", "-Wall", "-Wextra", "-O1", "-shared", "-fPIC"]).args(arguments);
    compile.arg("-I").arg(root().join("plugins/include")).arg("-o").arg(&out).arg(root().join(source)).arg("-lm");
    match compile.output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            built.insert(name.to_string(), out.clone());
            Some(out)
        }
        Err(_) => {
            eprintln!("skipped: there is no C compiler `{compiler}`");
            None
        }
    }
}

fn c_example() -> Option<PathBuf> {
    let source = "plugins/examples/c-random-search/adaptive_random_search.c";
    compiled(source, "adaptive_random_search", &["-Werror", "-pedantic"])
}

const DEADLINE: Duration = Duration::from_secs(3);

fn load(path: &Path, trusted: bool) -> isacopt::Result<Plugin> {
    let limits = Limits { deadline: DEADLINE, memory: 512 << 20 };
    let location = Location::new(path, trusted, None, limits)?;
    Plugin::load(Location { interpreter: Some(PROGRAM.into()), ..location })
}

fn solver(plugin: &Plugin, name: &str) -> PluginSolver {
    let offered = plugin.manifest().solver(name).expect("a solver of this name");
    let parameters = Parameters::new(&offered.parameters).expect("a schema").filled(&Map::new());
    PluginSolver { solver: name.into(), parameters, plugin: Some(plugin.clone()) }
}

fn run(solver: &dyn Optimizer, problem: &Arc<Problem>, start: Option<&Design>, rules: &StopRules) -> Outcome {
    let mut run = Run::new(solver, Arc::clone(problem), RandomStream::solver(5, 0));
    run.start = start.cloned();
    run.rules = rules.clone();
    run.drive(&mut |_| ()).expect("a run that is recorded")
}

fn evaluations(most: u64) -> StopRules {
    StopRules { max_evaluations: Some(most), ..StopRules::default() }
}

/// All numbers of an outcome, bit by bit. The count at the start is left out: a plugin sets out in its first step.
fn bits(outcome: &Outcome) -> Vec<u64> {
    let design = outcome.design.iter().flat_map(|d| d.iter().map(|x| x.to_bits()));
    let trace = outcome.trace.iter().flat_map(|r| [r.iteration, r.objective.to_bits(), r.violation.to_bits()]);
    let counts = outcome.trace.iter().skip(1).map(|r| r.evaluations);
    design.chain(trace).chain(counts).chain([outcome.evaluations, outcome.objective.to_bits()]).collect()
}

fn monostatic() -> Arc<dyn SystemModel> {
    use isacopt::Scenario;
    let config: isacopt::scenarios::monostatic::MonostaticConfig = serde_json::from_value(json!({
        "users": 4, "transmit": { "horizontal": 5, "vertical": 5 }, "receive": { "horizontal": 5, "vertical": 5 },
        "transmit_power": "20 dB",
    }))
    .expect("a config");
    config.draw(&Streams::new(1, "monostatic", 0)).expect("a system")
}

fn problems() -> Vec<(String, Arc<Problem>)> {
    let mut all: Vec<_> = toys::all().iter().map(|toy: &Toy| (toy.name.to_string(), toy.problem())).collect();
    let model = monostatic();
    let spec = model.default_problem();
    all.push(("monostatic".into(), Problem::new(model, spec).expect("a problem")));
    all
}

#[test]
fn inside_in_a_worker_and_built_in_give_the_same_bits() {
    let library = rust_example();
    let (inside, worker) = (load(&library, true).unwrap(), load(&library, false).unwrap());
    assert_eq!((inside.location().tier.name(), worker.location().tier.name()), ("library", "worker"));
    assert_eq!(inside.manifest(), worker.manifest());
    let (mut compared, mut feasible) = (0, 0);
    for (name, problem) in problems() {
        let random = problem.random(&mut RandomStream::keyed(3, "start", "", 0, 0));
        for start in [None, Some(&random)] {
            // Where a repair ends the budget, the built-in search judges it and the host of plugins does not.
            let rules = StopRules { max_iterations: Some(7), max_evaluations: Some(5000), ..StopRules::default() };
            let built_in = run(&RandomSearch::default(), &problem, start, &rules);
            for plugin in [&inside, &worker] {
                let outcome = run(&solver(plugin, "plain_search"), &problem, start, &rules);
                let what = format!("{name}, {} : {}", plugin.location().tier.name(), outcome.reason);
                assert_eq!(outcome.status, built_in.status, "{what}");
                assert_eq!(bits(&outcome), bits(&built_in), "{what}");
                compared += 1;
            }
            feasible += usize::from(built_in.feasible());
            assert!(name != "monostatic" || built_in.feasible(), "{}", built_in.reason);
        }
    }
    assert!(compared >= 20 && feasible >= 8, "{compared} {feasible}");
}

#[test]
fn both_tiers_run_every_example_alike_and_well() {
    let mut searches = vec![(rust_example(), "differential_evolution")];
    searches.extend(c_example().map(|path| (path, "adaptive_random_search")));
    for (library, name) in searches {
        let (inside, worker) = (load(&library, true).unwrap(), load(&library, false).unwrap());
        for toy in [toys::budget(), toys::rosenbrock(true), toys::disc(), toys::fixed(), toys::covariance()] {
            let problem = toy.problem();
            let outcome = run(&solver(&inside, name), &problem, None, &evaluations(1200));
            let again = run(&solver(&worker, name), &problem, None, &evaluations(1200));
            assert_eq!(bits(&outcome), bits(&again), "{name} on {}: {} {}", toy.name, outcome.reason, again.reason);
            let long = run(&solver(&inside, name), &problem, None, &evaluations(60_000));
            let optimum = toy.optimum.unwrap();
            let miss = (long.objective - optimum).abs() / optimum.abs().max(1.0);
            // Round steps are lost at the edge of the semidefinite matrices.
            let hard = name == "adaptive_random_search" && toy.name == "covariance";
            let reach = if hard { 0.1 } else { 1e-3 };
            assert!(miss < reach && long.feasible(), "{name} on {}: {} {optimum}", toy.name, long.objective);
        }
    }
}

#[test]
fn a_metric_has_the_value_of_its_formula_in_both_tiers() {
    let model = monostatic();
    let problem = Problem::new(Arc::clone(&model), model.default_problem()).unwrap();
    let design = problem.random(&mut RandomStream::keyed(1, "design", "", 0, 0));
    let mut judge = problem.evaluator();
    let values = judge.metrics(&design).unwrap().clone();
    let rate = model.metrics().iter().position(|m| m.id == "rate").unwrap();
    let rates = values.get(rate);
    let wanted = rates.iter().sum::<f64>().powi(2) / (rates.len() as f64 * rates.iter().map(|r| r * r).sum::<f64>());
    assert!(wanted > 0.25 && wanted < 1.0);
    for trusted in [true, false] {
        let plugin = load(&rust_example(), trusted).unwrap();
        let metrics = PluginMetric::all(&plugin, model.as_ref());
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics[0].info().id, "jain_fairness");
        for _ in 0..3 {
            let mut out = [f64::NAN];
            metrics[0].value(model.as_ref(), &design, &values, &mut out).unwrap();
            assert_eq!(out[0], wanted);
        }
        // A system without rates does not have it.
        let toy: Arc<dyn SystemModel> = Arc::new(toys::disc());
        assert!(PluginMetric::all(&plugin, toy.as_ref()).is_empty());
    }
}

#[test]
fn parameters_reach_both_languages() {
    let mut searches = vec![(rust_example(), "plain_search", "batch", 10, 731)];
    searches.extend(c_example().map(|path| (path, "adaptive_random_search", "batch", 10, 731)));
    for (library, name, key, value, most) in searches {
        for trusted in [true, false] {
            let plugin = load(&library, trusted).unwrap();
            let mut solver = solver(&plugin, name);
            solver.parameters.insert(key.into(), json!(value));
            let outcome = run(&solver, &toys::rosenbrock(false).problem(), None, &evaluations(most));
            // The first step also judges the first design.
            assert_eq!(outcome.trace[1].evaluations, 11, "{name}");
            assert_eq!(outcome.evaluations, most, "{name}");
        }
    }
}

#[test]
fn what_is_no_plugin_is_refused_before_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let mut foreign = std::fs::read(rust_example()).unwrap();
    if cfg!(target_os = "linux") {
        // The machine's number in the head of an ELF file: that of a Fujitsu FR30.
        foreign[18..20].copy_from_slice(&84u16.to_le_bytes());
    }
    for trusted in [true, false] {
        let refused = |path: &Path, words: &str| {
            let why = load(path, trusted).unwrap_err().to_string();
            assert!(why.contains(words), "trusted {trusted}: no {words:?} in {why}");
        };
        refused(&file("text.so", b"#!/bin/sh\nexit 0\n"), "not a shared library");
        refused(&file("empty.so", b""), "not a shared library");
        refused(&folder.path().join("absent.so"), "absent.so");
        refused(&file("cut.so", &std::fs::read(rust_example()).unwrap()[..4096]), "cut off");
        if cfg!(target_os = "linux") {
            refused(&file("foreign.so", &foreign), "another architecture");
        }
        for (mode, words) in [
            ("VERSION", "version 4096 of the binary interface"),
            ("TRUNCATED", "truncated: 40 bytes"),
            ("NULL_TABLE", "gave no table"),
            ("SYMBOL", "exports no function `isacopt_plugin`"),
            ("MANIFEST", "manifest is no JSON"),
            ("SCHEMA", "objekt"),
        ] {
            let Some(library) = bad(mode) else { return };
            refused(&library, words);
        }
    }
    let Some(library) = bad("INITIALISER") else { return };
    let why = load(&library, false).unwrap_err().to_string();
    assert!(why.contains("abort"), "{why}");
}

/// A library that misbehaves as its name says.
fn bad(mode: &str) -> Option<PathBuf> {
    let mut arguments = vec![format!("-DMODE={mode}")];
    if mode == "SYMBOL" {
        arguments.push("-DHIDDEN".into());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    compiled("tests/plugins/bad_library.c", &format!("bad_{}", mode.to_lowercase()), &arguments)
}

/// The worker's children of this test: processes whose parent is this one, also those that nobody reaped.
fn workers_of(library: &Path) -> Vec<String> {
    let own = format!("PPid:\t{}", std::process::id());
    let name = library.display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.filter_map(|entry| {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
        let status = read("status").filter(|status| status.lines().any(|line| line == own))?;
        let ours = read("cmdline").is_some_and(|line| line.contains(&name));
        (ours || status.contains("State:\tZ")).then_some(status)
    });
    found.collect()
}

/// What a bad library's run says in a worker; afterwards nothing of it is left, and others still run.
fn misbehave(mode: &str) -> Option<Outcome> {
    let library = bad(mode)?;
    let plugin = load(&library, false).unwrap_or_else(|e| panic!("{mode}: {e}"));
    let since = Instant::now();
    let rules = StopRules { max_iterations: Some(20), ..StopRules::default() };
    let outcome = run(&solver(&plugin, "bad"), &toys::rosenbrock(true).problem(), None, &rules);
    assert!(since.elapsed() < DEADLINE + Duration::from_secs(10), "{mode} took {:?}", since.elapsed());
    let good = load(&rust_example(), false).unwrap();
    let other = run(&solver(&good, "plain_search"), &toys::rosenbrock(true).problem(), None, &evaluations(50));
    assert_eq!(other.status, Status::EvaluationLimit, "{}", other.reason);
    drop(plugin);
    let until = Instant::now() + Duration::from_secs(5);
    while !workers_of(&library).iter().all(|status| status.contains("State:\tZ")) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = workers_of(&library);
    assert!(left.iter().all(|status| status.contains("State:\tZ")), "{mode}: {left:?}");
    Some(outcome)
}

fn fails(mode: &str, words: &str) {
    let Some(outcome) = misbehave(mode) else { return };
    assert_eq!(outcome.status, Status::Failed, "{mode}: {}", outcome.reason);
    assert!(outcome.reason.contains(words), "{mode}: no {words:?} in {}", outcome.reason);
}

#[test]
fn a_design_that_is_not_finite_fails_the_run() {
    fails("NAN_BEST", "NaN");
}

#[test]
fn a_design_of_wrong_dimensions_fails_the_run() {
    fails("DIMENSIONS", "coordinates");
}

#[test]
fn an_unknown_status_fails_the_run() {
    fails("STATUS", "4711");
}

#[test]
fn an_endless_loop_fails_the_run() {
    fails("LOOP", "no sign of life");
}

#[test]
fn an_endless_beginning_fails_the_run() {
    fails("BEGIN_LOOP", "no sign of life");
}

#[test]
fn a_stack_overflow_fails_the_run() {
    fails("OVERFLOW", "was ended by signal");
}

#[test]
fn an_abort_fails_the_run() {
    fails("ABORT", "abort");
}

#[test]
fn a_segmentation_fault_fails_the_run() {
    fails("SEGFAULT", "was ended by signal");
}

#[test]
fn gigabytes_fail_the_run() {
    fails("MEMORY", "no more room");
}

#[test]
fn an_exit_fails_the_run() {
    fails("EXIT", "exit code 3");
}

#[test]
fn a_library_may_print() {
    let Some(outcome) = misbehave("PRINT") else { return };
    assert_eq!(outcome.status, Status::IterationLimit, "{}", outcome.reason);
}

#[test]
fn a_bad_metric_fails_with_the_reason() {
    let Some(library) = bad("METRIC_ABORT") else { return };
    let plugin = load(&library, false).unwrap();
    let model = monostatic();
    let metrics = PluginMetric::all(&plugin, model.as_ref());
    let problem = Problem::new(Arc::clone(&model), model.default_problem()).unwrap();
    let design = problem.random(&mut RandomStream::keyed(1, "design", "", 0, 0));
    let values = problem.evaluator().metrics(&design).unwrap().clone();
    let why = metrics[0].value(model.as_ref(), &design, &values, &mut [0.0]).unwrap_err();
    assert!(matches!(&why, Error::Plugin { .. }) && why.to_string().contains("abort"), "{why}");
}

#[test]
fn a_run_of_a_config_goes_on_beside_a_library_that_crashes() {
    let (Some(bad), Some(c)) = (bad("SEGFAULT"), c_example()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let rust = rust_example();
    let config = format!(
        r#"name = "plugins beside built-in solvers"
[[plugin]]
path = "{}"
[[plugin]]
path = "{}"
trusted = true
[[plugin]]
path = "{}"
[scenario]
type = "monostatic"
users = 4
transmit = {{ horizontal = 5, vertical = 5 }}
receive = {{ horizontal = 5, vertical = 5 }}
transmit_power = "20 dB"
[stop]
max_evaluations = 300
[[solver]]
type = "random_search"
[[solver]]
type = "plain_search"
[[solver]]
type = "differential_evolution"
population = 20
[[solver]]
type = "adaptive_random_search"
[[solver]]
type = "bad"
[trials]
count = 2
"#,
        bad.display(),
        rust.display(),
        c.display()
    );
    let path = folder.path().join("experiment.toml");
    std::fs::write(&path, config).unwrap();
    let out = folder.path().join("out");
    let ran = Command::new(PROGRAM).arg("run").arg(&path).arg("--out").arg(&out).output().unwrap();
    let words = String::from_utf8_lossy(&ran.stderr);
    let lines = std::fs::read_to_string(out.join("results.jsonl")).unwrap_or_else(|e| panic!("{e}: {words}"));
    let records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| {
        let mut own: Vec<_> = records.iter().filter(|r| r["solver"] == name).collect();
        own.sort_by_key(|r| r["trial"].as_u64());
        assert_eq!(own.len(), 2, "{name} in {lines}");
        own
    };
    for record in of("bad") {
        assert_eq!(record["status"], "failed");
        assert!(record["reason"].as_str().unwrap().contains("was ended by signal"), "{record}");
        assert_eq!(record["plugin"]["tier"], "worker");
    }
    for (own, plain) in of("random_search").iter().zip(of("plain_search")) {
        assert_eq!(own["objective"], plain["objective"]);
        assert_eq!(plain["plugin"]["tier"], "library");
        assert_eq!(plain["plugin"]["name"], "isacopt-example-searches");
    }
    for name in ["differential_evolution", "adaptive_random_search"] {
        assert!(of(name).iter().all(|r| r["status"] == "evaluation_limit"), "{:?}", of(name));
    }
    assert!(out.join("report.html").exists());
}

/// Runs a script in a folder, with the program in its path.
fn shell(folder: &Path, script: &str) {
    let own = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = format!("{own}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.arg("-ec").arg(script).current_dir(folder).env("PATH", path);
    let ran = shell.output().expect("a shell");
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ran.status.success(), "{script}\n{said}");
}

#[test]
fn the_examples_pass_the_suite() {
    let mut all = vec![rust_example()];
    all.extend(c_example());
    for library in all {
        for tier in ["", "--trusted"] {
            shell(root(), &format!("isacopt plugin test --toys {tier} {}", library.display()));
        }
    }
}
