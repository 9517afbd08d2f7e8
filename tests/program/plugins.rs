//! Plugins in processes: whatever they do, the run has a result with the reason, the others go on, nothing is left behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use isacopt::plugin::toys as toy;
use isacopt::plugin::{Limits, Location, Plugin, PluginSolver};
use isacopt::{Error, Outcome, Problem, RandomStream, Run, Status, StopRules};

/// A plugin in C that misbehaves as its name says.
fn misbehaving(name: &str) -> PathBuf {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins/misbehave.c");
        let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let built = Command::new(cc).args(["-O0", "-o"]).arg(folder.path().join("misbehave")).arg(source).status();
        assert!(built.expect("a C compiler, as Rust needs one to link").success());
        folder
    });
    let path = folder.path().join(name);
    std::fs::hard_link(folder.path().join("misbehave"), &path).expect("a name of its own");
    path
}

const DEADLINE: Duration = Duration::from_secs(3);

fn load(path: &Path) -> isacopt::Result<Plugin> {
    Plugin::load(Location::new(path, false, None, Limits { deadline: DEADLINE, memory: 256 << 20 })?)
}

fn solver(plugin: &Plugin, name: &str) -> PluginSolver {
    PluginSolver { solver: name.into(), parameters: serde_json::Map::new(), plugin: Some(plugin.clone()) }
}

fn drive(solver: &PluginSolver, problem: &Arc<Problem>) -> Outcome {
    let mut run = Run::new(solver, Arc::clone(problem), RandomStream::solver(1, 0));
    run.rules = StopRules { max_iterations: Some(50), ..StopRules::default() };
    run.drive(&mut |_| ()).expect("a run that is recorded")
}

/// What a misbehaving solver's run says; and afterwards none of its processes is left.
fn misbehave(name: &str) -> Outcome {
    let path = misbehaving(name);
    let plugin = load(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    let since = Instant::now();
    let outcome = drive(&solver(&plugin, name), &toy::budget().problem());
    assert!(since.elapsed() < DEADLINE + Duration::from_secs(10), "{name} took {:?}", since.elapsed());
    drop(plugin);
    nothing_is_left(&path);
    outcome
}

/// Neither a process nor a zombie of those that the plugin noted.
fn nothing_is_left(path: &Path) {
    let pids = std::fs::read_to_string(format!("{}.pids", path.display())).expect("pids");
    assert!(pids.lines().count() > 0);
    for pid in pids.lines() {
        // A grandchild is reaped by the system, soon.
        let gone = || !Path::new("/proc").join(pid).exists();
        let until = Instant::now() + Duration::from_secs(5);
        while !gone() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // In a container nobody may reap for others: a zombie of another parent is none of ours.
        let ours = status.lines().any(|l| *l == format!("PPid:\t{}", std::process::id()));
        let zombie = status.contains("State:\tZ");
        assert!(gone() || zombie && !ours, "{}: {status}", path.display());
    }
}

fn fails(name: &str, words: &[&str]) {
    let outcome = misbehave(name);
    assert_eq!(outcome.status, Status::Failed, "{name}: {}", outcome.reason);
    for part in words {
        assert!(outcome.reason.contains(part), "{name}: no {part:?} in {:?}", outcome.reason);
    }
}

fn is_refused(name: &str, words: &str) {
    let path = misbehaving(name);
    let error = load(&path).expect_err(name);
    assert!(matches!(error, Error::Plugin { .. }) && error.to_string().contains(words), "{name}: {error}");
    nothing_is_left(&path);
}

macro_rules! tests {
    ($($(#[$note:meta])* $test:ident: $call:expr;)*) => { $(#[test] fn $test() { $call; })* };
}

tests! {
    an_endless_loop_is_ended_at_the_deadline: fails("loop", &["no sign of life for 3 s"]);
    a_stack_overflow_fails_its_run: fails("overflow", &["signal 11"]);
    an_abort_fails_its_run: fails("abort", &["signal 6 (abort)"]);
    a_segmentation_fault_fails_its_run: fails("segfault", &["signal 11 (segmentation fault)"]);
    gigabytes_end_at_the_limit: fails("gigabytes", &["exit code 3", "there is no memory left"]);
    text_among_the_frames_fails_the_run: fails("garbage", &["standard output holds no frame but", "Hello, I"]);
    a_header_that_is_no_json_fails_the_run: fails("header", &["no JSON"]);
    a_frame_beyond_the_limits_fails_the_run: fails("huge", &["no frame but"]);
    death_in_the_middle_of_a_frame_fails_the_run: fails("midframe", &["exit code 0 in the middle of a frame"]);
    a_flood_fails_the_run: fails("flood", &["no frame but", "AAAA"]);
    a_flood_of_frames_that_reads_no_answer_fails_the_run: fails("deaf", &["did not read what it was sent for 3 s"]);
    a_design_that_is_no_number_fails_the_run: fails("nan", &["coordinate 0 is NaN"]);
    a_design_of_another_length_fails_the_run: fails("dimension", &["a design of 5 coordinates", "has 6"]);
    a_question_of_another_length_fails_the_run: fails("evaluate", &["holds 6 numbers, where 2 designs of 6"]);
    a_bound_that_a_design_beats_fails_the_run: fails("bound", &["a bound of 1000000000", "beats"]);
    a_message_that_there_is_not_fails_the_run: fails("unknown", &["`format_the_disk`"]);
    a_status_that_there_is_not_fails_the_run: fails("status", &["`splendid`"]);
    a_child_that_stays_behind_is_ended_too: fails("orphan", &["exit code 0"]);
    another_version_is_refused: is_refused("version", "speaks version 99 of the protocol, and isacopt speaks version 1");
    an_invalid_schema_is_refused: is_refused("schema", "\"flaot\" is no type");
    an_empty_manifest_is_refused: is_refused("nothing", "offers nothing");
    silence_is_refused: is_refused("mute", "no sign of life for 3 s");
    a_program_that_ends_at_once_is_refused: is_refused("gone", "exit code 5");
}

/// Whoever does not listen to `stop` is left, whatever it says meanwhile.
#[test]
fn a_plugin_that_does_not_stop_is_stopped() {
    let run = |name: &str, rules: StopRules, cancelled: bool| {
        let path = misbehaving(name);
        let plugin = load(&path).unwrap();
        let solver = solver(&plugin, name);
        let mut run = Run::new(&solver, toy::budget().problem(), RandomStream::solver(1, 0));
        run.rules = rules;
        let cancel = run.cancel.clone();
        let canceller = std::thread::spawn(move || {
            if cancelled {
                std::thread::sleep(Duration::from_millis(500));
                cancel.set();
            }
        });
        let since = Instant::now();
        let outcome = run.drive(&mut |_| ()).unwrap();
        canceller.join().unwrap();
        drop(plugin);
        assert!(since.elapsed() < Duration::from_secs(10), "{name}: {:?}", since.elapsed());
        nothing_is_left(&path);
        std::fs::remove_file(&path).unwrap();
        outcome
    };
    let seconds = StopRules { max_seconds: Some(0.5), ..StopRules::default() };
    assert_eq!(run("chatty", seconds.clone(), false).status, Status::TimeLimit);
    assert_eq!(run("chatty", StopRules::default(), true).status, Status::Interrupted);
    assert_eq!(run("stubborn", seconds, false).status, Status::TimeLimit);
    let outcome = run("stubborn", StopRules { max_evaluations: Some(100), ..StopRules::default() }, false);
    assert_eq!((outcome.status, outcome.evaluations), (Status::EvaluationLimit, 100));
}

#[test]
fn a_flood_of_words_is_bounded_and_costs_nothing() {
    let path = misbehaving("noise");
    let plugin = load(&path).unwrap();
    let log = path.with_extension("log");
    plugin.backend().log().expect("a process has a log").open(&log);
    let outcome = drive(&solver(&plugin, "noise"), &toy::budget().problem());
    assert_eq!(outcome.status, Status::Converged, "{}", outcome.reason);
    let written = std::fs::metadata(&log).unwrap().len();
    assert!((1 << 20..(1 << 20) + 200).contains(&written), "{written} bytes");
    drop(plugin);
    nothing_is_left(&path);
}

#[test]
fn files_that_are_no_plugins_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8], mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        load(&path).unwrap_err().to_string()
    };
    assert!(write("plain", b"hello", 0o644).contains("is it executable?"));
    assert!(write("script", b"#!/no/such/program\n", 0o755).contains("installed?"));
    let elf = write("alien", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0\x01\0\0\0", 0o755);
    assert!(elf.contains("cannot be started"), "{elf}");
    assert!(write("words", b"#!/bin/sh\necho hello\n", 0o755).contains("begins by \"hello"));
    assert!(load(&folder.path().join("nowhere")).unwrap_err().to_string().contains("cannot read"));
    let pinned = Location::new(&folder.path().join("words"), false, Some("00"), Limits::default());
    assert!(pinned.unwrap_err().to_string().contains("a file with the hash 00"));
}

/// A Python with NumPy and SciPy, where there is one; without, tests of the SciPy example are skipped.
fn scientific_python() -> Option<String> {
    let python = std::env::var("ISACOPT_PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python).args(["-c", "import numpy, scipy"]).output().is_ok_and(|o| o.status.success());
    assert!(found || std::env::var_os("ISACOPT_REQUIRE_PYTHON").is_none(), "{python} has no NumPy and SciPy");
    found.then_some(python)
}

fn python_example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/python").join(name)
}

/// Writes a config beside a copy of the Python SDK, and gives its path.
fn config(folder: &Path, text: &str) -> PathBuf {
    std::fs::copy(python_example("isacopt_plugin.py"), folder.join("isacopt_plugin.py")).expect("the SDK");
    let path = folder.join("experiment.toml");
    std::fs::write(&path, text).expect("written");
    path
}

/// The entries of a metric.
fn entries<'a>(record: &'a isacopt::results::RunRecord, metric: &str) -> &'a [f64] {
    record.metrics.get(metric).expect("the metric").entries()
}

fn execute(config: &Path, out: &Path) -> Vec<isacopt::results::RunRecord> {
    let experiment = isacopt::config::Experiment::read(config, &[]).unwrap_or_else(|e| panic!("{e}"));
    let plan = isacopt::runner::Plan::new(experiment).unwrap_or_else(|e| panic!("{e}"));
    let options = isacopt::runner::Options { threads: 2, fresh: false, cancel: Default::default() };
    isacopt::runner::execute(&plan, out, &options, &|_| {}).expect("it runs");
    isacopt::results::RunFolder::read(out).expect("a run folder").records
}

const SMALL: &str = "
[scenario]
type = \"monostatic\"
users = 3
transmit = { horizontal = 3, vertical = 3 }
receive = { horizontal = 2, vertical = 2 }
crlb_azimuth_limit = \"-10 dB\"
crlb_elevation_limit = \"-10 dB\"

[trials]
count = 2
";

#[test]
fn bad_plugins_fail_their_runs_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let bad = ["abort", "loop", "garbage"];
    let mut text = SMALL.to_string();
    for name in bad {
        // One for this config alone: its processes are noted beside it.
        let path = folder.path().join(name);
        std::fs::hard_link(misbehaving(&format!("{name}_in_a_config")), &path).unwrap();
        text += &format!("[[plugin]]\npath = \"{name}\"\ndeadline_seconds = 2\n[[solver]]\ntype = \"{name}\"\n");
    }
    text += "[[solver]]\ntype = \"exact\"\n[[solver]]\ntype = \"random_search\"\nmax_evaluations = 200\n";
    let records = execute(&config(folder.path(), &text), &folder.path().join("out"));
    assert_eq!(records.len(), 10);
    for record in &records {
        match bad.contains(&record.solver.as_str()) {
            true => {
                assert_eq!(record.status, Status::Failed, "{record:?}");
                let origin = record.plugin.as_ref().expect("an origin");
                assert_eq!((origin.tier.as_str(), origin.sha256.len(), origin.version.as_str()), ("process", 64, "1"));
                assert!(record.reason.contains(&origin.path), "{}", record.reason);
            }
            false => assert!(record.plugin.is_none() && record.design.is_some(), "{record:?}"),
        }
    }
    bad.iter().for_each(|name| nothing_is_left(&folder.path().join(name)));
}

const WALK: &str = r#"
from isacopt_plugin import Solver, run

class Draws(Solver):
    """Random search, number by number as isacopt's own."""
    name = "draws"
    parameters = {"batch": {"type": "integer", "minimum": 1, "default": 100}}
    start = False

    def solve(self, problem):
        best = problem.start if problem.start is not None else problem.random.design()
        value = problem.evaluate(best)
        while True:
            for _ in range(self.parameters["batch"]):
                design = problem.random.design()
                new = problem.evaluate(design)
                if new.violation > 1e-12 and "repair" in problem.offers:
                    design = problem.repair(design)[0]
                    new = problem.evaluate(design)
                if problem.better(new, value):
                    best, value = design, new
            problem.report(best)

if __name__ == "__main__":
    run(Draws, name="draws", version="3")
"#;

#[test]
fn the_same_search_in_a_process_and_built_in_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("draws.py"), WALK).unwrap();
    let solvers = "[[plugin]]\npath = \"draws.py\"\n[[solver]]\ntype = \"draws\"\nmax_iterations = 11\n\
        [[solver]]\ntype = \"random_search\"\nmax_iterations = 11\n";
    let out = folder.path().join("out");
    let records = execute(&config(folder.path(), &format!("{SMALL}{solvers}")), &out);
    let read = isacopt::results::RunFolder::read(&out).unwrap();
    for pair in records.chunks(2) {
        let [plugin, own] = pair else { panic!("two solvers") };
        assert!(own.feasible && own.evaluations > 1000);
        assert_eq!(plugin.objective.value.to_bits(), own.objective.value.to_bits(), "{plugin:?} {own:?}");
        assert_eq!(plugin.design, own.design);
        assert_eq!(
            (plugin.status, plugin.evaluations, plugin.iterations),
            (own.status, own.evaluations, own.iterations)
        );
        let trace = |record: &isacopt::results::RunRecord| -> Vec<[u64; 3]> {
            let trace = read.trace(&record.run).unwrap();
            // The start is judged before the first iteration here, in its course there.
            let evaluations = |r: &isacopt::Record| if r.iteration == 0 { 0 } else { r.evaluations };
            trace.iter().map(|r| [r.iteration, evaluations(r), r.objective.to_bits()]).collect()
        };
        assert_eq!(trace(plugin), trace(own));
        assert_eq!(plugin.plugin.as_ref().map(|p| p.name.as_str()), Some("draws"));
    }
}

#[test]
fn parameters_are_checked_before_anything_runs_and_plugins_stay_in_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("draws.py"), WALK).unwrap();
    let read = |solver: &str, plugin: &str| {
        let text = format!("{SMALL}[[plugin]]\npath = \"draws.py\"\n{plugin}[[solver]]\ntype = \"draws\"\n{solver}");
        isacopt::config::Experiment::read(&config(folder.path(), &text), &[]).map_err(|e| e.to_string())
    };
    let fine = read("", "").unwrap();
    assert_eq!(fine.resolved["solver"][0]["batch"], 100);
    let hash = fine.plugins[0].location().sha256.clone();
    assert_eq!(fine.resolved["plugin"][0]["sha256"], hash.as_str());
    // The resolved config is the same experiment.
    let again = folder.path().join("again.toml");
    std::fs::write(&again, fine.to_toml()).unwrap();
    assert_eq!(isacopt::config::Experiment::read(&again, &[]).unwrap().resolved, fine.resolved);
    assert!(read("", &format!("sha256 = \"{hash}\"\n")).is_ok());
    for (solver, plugin, words) in [
        ("batch = 0", "", "experiment.toml:16: `solver[0].batch`: found 0; allowed: at least 1"),
        ("bach = 3", "", "`solver[0].bach`: found unknown name `bach`; allowed: did you mean `batch`?"),
        ("batch = 1.5", "", "allowed: a whole number"),
        ("max_iterations = -1", "", "`solver[0].max_iterations`: found -1"),
        ("", "sha256 = \"0123\"\n", "experiment.toml:14: `plugin[0].sha256`: found"),
        ("", "trust = true\n", "experiment.toml:14: `plugin[0].trust`: found unknown name `trust`"),
        ("", "deadline_seconds = 0\n", "experiment.toml:14: `plugin[0].deadline_seconds`"),
        ("", "interpreter = \"/no/such/python\"\n", "experiment.toml:13: `plugin[0].path`"),
    ] {
        let message = read(solver, plugin).unwrap_err();
        assert!(message.contains(words), "{words}: {message}");
    }
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let outside = |plugin: &str| {
        let text = format!("{SMALL}[[plugin]]\n{plugin}\n[[solver]]\ntype = \"draws\"\n");
        std::fs::write(inner.join("e.toml"), text).unwrap();
        isacopt::config::Experiment::read(&inner.join("e.toml"), &[]).map_err(|e| e.to_string())
    };
    let message = outside("path = \"../draws.py\"").unwrap_err();
    assert!(message.contains("leads out of the config's folder"), "{message}");
    std::os::unix::fs::symlink(folder.path().join("draws.py"), inner.join("link.py")).unwrap();
    assert!(outside("path = \"link.py\"").unwrap_err().contains("leads out"));
    assert!(outside("path = \"../draws.py\"\nallow_outside = true").is_ok());
    // Two plugins with one name, and a name that isacopt has.
    let twice = outside(
        "path = \"../draws.py\"\nallow_outside = true\n[[plugin]]\npath = \"../draws.py\"\nallow_outside = true",
    );
    assert!(twice.unwrap_err().contains("a solver `draws`, as another plugin has one"));
    std::fs::write(inner.join("thief.py"), WALK.replace("\"draws\"", "\"random_search\"")).unwrap();
    std::fs::copy(python_example("isacopt_plugin.py"), inner.join("isacopt_plugin.py")).unwrap();
    assert!(outside("path = \"thief.py\"").unwrap_err().contains("a solver `random_search`, as isacopt has one"));
}

const CHANNELS: &str = "
[[plugin]]
path = \"parallel_channels.py\"

[scenario]
type = \"parallel_channels\"
channels = 5
power = 8

[trials]
count = 2

[[solver]]
type = \"argmin\"
method = \"lbfgs\"

[[solver]]
type = \"random_search\"
max_evaluations = 500
";

#[test]
fn a_model_in_a_plugin_reaches_lbfgs_its_bound_and_validation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(python_example("parallel_channels.py"), folder.path().join("parallel_channels.py")).unwrap();
    let path = config(folder.path(), CHANNELS);
    let records = execute(&path, &folder.path().join("out"));
    for pair in records.chunks(2) {
        let [lbfgs, random] = pair else { panic!("two solvers") };
        assert!(lbfgs.feasible && lbfgs.status == Status::Converged, "{lbfgs:?}");
        assert!(lbfgs.objective.value > random.objective.value, "{lbfgs:?}");
        // Water-filling bounds it; where the echo's limit is held by itself, it is attained.
        let gap = lbfgs.gap.expect("a bound");
        assert!((-1e-9..0.5).contains(&gap), "{gap}");
        let (rates, fairness) = (entries(lbfgs, "rate"), entries(lbfgs, "fairness")[0]);
        let squares: f64 = rates.iter().map(|r| r * r).sum();
        assert!((fairness - rates.iter().sum::<f64>().powi(2) / (5.0 * squares)).abs() < 1e-12);
    }
    // The plugin's metric is an objective like any other.
    let fair = config(folder.path(), &CHANNELS.replace("[trials]", "[problem]\nobjective = \"fairness\"\n[trials]"));
    let fair = execute(&fair, &folder.path().join("fair"));
    assert!(entries(&fair[1], "fairness") > entries(&records[1], "fairness"));
    // Closed forms against its simulation, gradients against differences.
    let experiment = isacopt::config::Experiment::read(&config(folder.path(), CHANNELS), &[]).unwrap();
    let problem = experiment.cells[0].draw(1, 0).unwrap().problem;
    let design = problem.random(&mut RandomStream::solver(2, 0));
    let draws = isacopt::simulation::Draws { count: 3000, seed: 1, threads: 1 };
    let validation = isacopt::runner::validation::validate(&problem, &design, draws, &mut |_| true).unwrap();
    assert!(validation.passed() && validation.compared_with_simulation() == 7, "{validation:?}");
    assert_eq!((validation.gradients.len(), validation.no_gradient.as_deref()), (3, None));
}

#[test]
fn scipy_is_a_solver_beside_the_built_in_ones() {
    let Some(python) = scientific_python() else {
        eprintln!("skipped: no Python with NumPy and SciPy");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(python_example("scipy_slsqp.py"), folder.path().join("scipy_slsqp.py")).unwrap();
    let solvers = format!(
        "[[plugin]]\npath = \"scipy_slsqp.py\"\ninterpreter = \"{python}\"\n[[solver]]\n\
        type = \"scipy_slsqp\"\n[[solver]]\ntype = \"exact\"\n"
    );
    let records = execute(&config(folder.path(), &format!("{SMALL}{solvers}")), &folder.path().join("out"));
    for pair in records.chunks(2) {
        let [scipy, exact] = pair else { panic!("two solvers") };
        assert!(exact.feasible && scipy.feasible, "{scipy:?} {exact:?}");
        let miss = (exact.objective.value - scipy.objective.value) / exact.objective.value;
        assert!((-1e-9..1e-4).contains(&miss), "{miss}: {scipy:?}");
    }
}

/// Runs a shell in a folder, with this isacopt in its path; what it says.
fn shell(folder: &Path, script: &str) -> (bool, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_isacopt")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let output =
        Command::new("sh").arg("-ec").arg(script).current_dir(folder).env("PATH", path).output().expect("a shell");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

fn block(page: &str, heading: &str) -> String {
    let section = page.split(heading).nth(1).expect(heading);
    section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands").to_string()
}

#[test]
fn the_page_followed_literally_in_an_empty_folder_works_for_python() {
    let folder = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/write-a-plugin.md")).unwrap();
    let (fine, said) = shell(folder.path(), &block(&page, "## Python, step by step"));
    assert!(fine, "{said}");
    for words in ["OK", "1000 solves leave nothing behind", "Passed", "my_search", "9 runs done"] {
        assert!(said.contains(words), "no {words} in\n{said}");
    }
    let records = isacopt::results::RunFolder::read(&folder.path().join("my_search/runs/my-search-a-first-comparison"));
    for trial in records.unwrap().records.chunks(3) {
        let [mine, random, exact] = trial else { panic!("three solvers") };
        assert!(exact.feasible && mine.feasible, "{trial:?}");
        // It is a better search than the one that it stands beside.
        assert!(mine.objective.value >= random.objective.value && mine.objective.value > 0.99 * exact.objective.value);
    }
    let (fine, said) = shell(folder.path(), "isacopt plugin new my_search --lang python");
    assert!(!fine && said.contains("there already"), "{said}");
    let (fine, said) = shell(folder.path(), "isacopt plugin new ../my_search --lang python");
    assert!(!fine && said.contains("small letters"), "{said}");
    let listed = shell(
        &folder.path().join("my_search"),
        "isacopt plugin list experiment.toml; isacopt plugin info my_search.py",
    );
    assert!(listed.0 && listed.1.contains("solver my_search") && listed.1.contains("sha256"), "{}", listed.1);
}

#[test]
fn the_page_followed_literally_in_an_empty_folder_works_for_c() {
    follow("## C, step by step", "my_c_solver");
}

/// Builds the SDK and what it needs: too long for every day.
#[test]
#[ignore = "takes a minute; the continuous integration runs it"]
fn the_page_followed_literally_in_an_empty_folder_works_for_rust() {
    follow("## Rust, step by step", "my_solver");
}

fn follow(heading: &str, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/write-a-plugin.md")).unwrap();
    let (fine, said) = shell(folder.path(), &block(&page, heading));
    assert!(fine, "{said}");
    for words in ["1000 solves leave nothing behind", "Passed", name, "9 runs done"] {
        assert!(said.contains(words), "no {words} in\n{said}");
    }
}

#[test]
fn the_examples_pass_the_suite() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/python");
    let (fine, said) = shell(&folder, "PYTHONDONTWRITEBYTECODE=1 isacopt plugin test parallel_channels.py");
    assert!(fine && said.contains("a seed determines the system"), "{said}");
    let Some(python) = scientific_python() else { return };
    let script = format!("PYTHONDONTWRITEBYTECODE=1 isacopt plugin test --toys scipy_slsqp.py --interpreter {python}");
    let (fine, said) = shell(&folder, &script);
    assert!(fine && said.contains("1000 solves leave nothing behind"), "{said}");
}

#[test]
fn the_suite_names_the_promise_that_a_plugin_breaks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(python_example("isacopt_plugin.py"), folder.path().join("isacopt_plugin.py")).unwrap();
    let solver = |body: &str| {
        let text = format!(
            "from isacopt_plugin import Solver, run\nkept = []\nclass Bad(Solver):\n    name = 'bad'\n    \
             def solve(self, problem):\n{body}        return 'converged'\nrun(Bad, name='bad', version='1')\n"
        );
        std::fs::write(folder.path().join("bad.py"), text).unwrap();
        let (fine, said) = shell(folder.path(), "isacopt plugin test --toys bad.py");
        assert!(!fine, "{said}");
        said
    };
    let unseeded = solver(
        "        import random\n        for _ in range(9):\n            \
         problem.evaluate([min(max(random.random(), l), u) for l, u in zip(problem.lower, problem.upper)])\n        \
         problem.report()\n",
    );
    assert!(unseeded.contains("a seed determines the run: once it ended"), "{unseeded}");
    let stateful = solver(
        "        kept.append(len(kept))\n        x = problem.random.design()\n        \
         problem.evaluate([v * (0.5 if len(kept) > 1 else 0.9) for v in x])\n        problem.report()\n",
    );
    assert!(stateful.contains("a solve leaves nothing to the next: a fresh process"), "{stateful}");
    let leaking = solver("        kept.append(bytearray(30000))\n        problem.report()\n");
    assert!(leaking.contains("1000 solves leave nothing behind: 750 solves left"), "{leaking}");
}
