//! Bad input ends with exit code 2 and one clear message: the file, the line of a config, the key, what was found, what
//! is allowed. Nothing is left half-written, and nothing panics. What is infeasible or not identifiable is no mistake
//! but an answer.

use crate::command::{self, Bench, isacopt_in};
use isacopt::config::Experiment;
use isacopt::instance::InstanceFile;
use isacopt::runner::Plan;
use isacopt::scenario::scenarios;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

const CONFIG: &str = r#"name = "bad input"

[scenario]
type = "monostatic"
transmit = { horizontal = 4, vertical = 4 }
receive = { horizontal = 3, vertical = 3 }
users = 4
precoder = "zf"
transmit_power = "20 dB"
crlb_azimuth_limit = "1 deg"
pilot_length = 10
coherence_length = 100

[problem]
objective = "sum_rate"
constraints = { min_rate = { at_least = 0.01 } }

[stop]
max_evaluations = 1000

[[solver]]
type = "exact"

[[solver]]
type = "sca"
label = "sca"
start = "half"
subproblem_tolerance = 1e-8

[[metric]]
name = "efficiency"
direction = "maximize"
expression = "sum_rate / (transmit_power + 5)"

[sweep]
"scenario.transmit_power" = ["10 dB", "20 dB"]

[[sweep.zip]]
"scenario.crlb_elevation_limit" = ["1 deg", "2 deg"]
"solver.sca.max_iterations" = [10, 20]

[trials]
count = 2
seed = 1
"#;

#[test]
fn mistakes_in_a_config_are_told_with_line_key_and_what_is_allowed() {
    assert_eq!(Bench::new(CONFIG).call(&["check", "e.toml"]).code, Some(0));
    // What stands there, what is put in its place, the key, and words of the message.
    let mistakes: &[(&str, &str, &str, &[&str])] = &[
        // Names.
        ("name = \"bad input\"", "nmae = \"bad input\"", "nmae", &["did you mean `name`?"]),
        ("[trials]", "[trails]", "trails", &["did you mean `trials`?"]),
        ("users = 4", "usres = 4", "scenario.usres", &["did you mean `users`?"]),
        ("horizontal = 4", "horizonal = 4", "scenario.transmit.horizonal", &["did you mean `horizontal`?"]),
        ("type = \"monostatic\"", "type = \"monostatik\"", "scenario.type", &["did you mean `monostatic`?"]),
        ("type = \"monostatic\"", "kind = \"monostatic\"", "scenario.type", &["no such key", "`monostatic`"]),
        ("precoder = \"zf\"", "precoder = \"zff\"", "scenario.precoder", &["`zf`", "`mrt`"]),
        ("objective = \"sum_rate\"", "objective = \"sum_rat\"", "problem.objective", &["did you mean `sum_rate`?"]),
        ("objective = \"sum_rate\"", "objective = \"sinr\"", "problem.objective", &["a scalar metric"]),
        ("objective = \"sum_rate\"", "objective = \"sensing_snr\"", "problem.objective", &["a direction"]),
        ("{ min_rate =", "{ min_rat =", "problem.constraints.min_rat", &["did you mean `min_rate`?"]),
        ("at_least = 0.01", "atleast = 0.01", "problem.constraints.min_rate.atleast", &["did you mean `at_least`?"]),
        ("type = \"exact\"", "type = \"exakt\"", "solver[0].type", &["did you mean `exact`?", "`equal_power`"]),
        ("start = \"half\"", "start = \"hlaf\"", "solver[1].start", &["did you mean `half`?"]),
        ("subproblem_tolerance", "subproblem_tolerence", "solver[1].subproblem_tolerence", &["did you mean"]),
        ("max_evaluations = 1000", "max_evaluation = 1000", "stop.max_evaluation", &["did you mean"]),
        ("seed = 1", "sed = 1", "trials.sed", &["did you mean `seed`?"]),
        ("direction = \"maximize\"", "direction = \"up\"", "metric[0].direction", &["maximize", "minimize"]),
        ("\"sum_rate / (", "\"sum_rat / (", "metric[0].expression", &["sum_rat", "did you mean `sum_rate`?"]),
        ("+ 5)\"", "+ 5\"", "metric[0].expression", &["sum_rate / (transmit_power + 5"]),
        ("name = \"efficiency\"", "name = \"sum_rate\"", "metric[0].name", &["a second metric"]),
        // Types and shapes.
        ("name = \"bad input\"", "name = 3", "name", &["found 3", "text"]),
        ("users = 4", "users = \"four\"", "scenario.users", &["found \"four\"", "a whole number"]),
        ("users = 4", "users = 4.5", "scenario.users", &["4.5", "a whole number"]),
        ("users = 4", "users = [4]", "scenario.users", &["a list of 1", "a whole number"]),
        ("users = 4", "users = 1979-05-27", "scenario.users", &["the date"]),
        ("users = 4", "user_weights = [1, 2]", "scenario.user_weights", &["2 weights", "12 finite numbers"]),
        ("{ horizontal = 4, vertical = 4 }", "16", "scenario.transmit", &["found 16", "table"]),
        ("transmit_power = \"20 dB\"", "transmit_power = \"20 deg\"", "scenario.transmit_power", &["a power"]),
        ("crlb_azimuth_limit = \"1 deg\"", "crlb_azimuth_limit = true", "scenario.crlb_azimuth_limit", &["found true"]),
        ("objective = \"sum_rate\"", "objective = 3", "problem.objective", &["found 3", "a metric's name"]),
        ("at_least = 0.01", "at_least = [1, 2]", "problem.constraints.min_rate.at_least", &["2 limits", "one limit"]),
        ("at_least = 0.01", "at_least = \"1 W\"", "problem.constraints.min_rate.at_least", &["bit/s/Hz"]),
        ("[problem]", "[problem.x]", "problem.x", &["`objective`, `constraints`"]),
        ("start = \"half\"", "start = 3", "solver[1].start", &["found 3", "text"]),
        ("label = \"sca\"", "label = [\"sca\"]", "solver[1].label", &["a list of 1", "text"]),
        (
            "subproblem_tolerance = 1e-8",
            "subproblem_tolerance = \"x\"",
            "solver[1].subproblem_tolerance",
            &["a number"],
        ),
        ("max_evaluations = 1000", "max_evaluations = 1.5", "stop.max_evaluations", &["1.5", "a whole number"]),
        ("seed = 1", "seed = 1.5", "trials.seed", &["1.5", "a whole number"]),
        // Domains.
        ("users = 4", "users = 0", "scenario.users", &["found 0", "from 1"]),
        ("users = 4", "users = -1", "scenario.users", &["found -1"]),
        ("users = 4", "users = 99999999999", "scenario.users", &["99999999999", "to 100000"]),
        ("users = 4", "users = nan", "scenario.users", &["found nan", "finite"]),
        ("horizontal = 4", "horizontal = 0", "scenario.transmit.horizontal", &["found 0", "from 1"]),
        ("\"20 dB\"\n", "nan\n", "scenario.transmit_power", &["found nan", "finite"]),
        ("users = 4", "pilot_power = 0", "scenario.pilot_power", &["found 0", "above 0"]),
        ("users = 4", "pilot_power = \"-1 W\"", "scenario.pilot_power", &["found -1", "above 0"]),
        ("users = 4", "pilot_power = inf", "scenario.pilot_power", &["inf", "finite"]),
        ("users = 4", "communication_noise_power = 0", "scenario.communication_noise_power", &["above 0"]),
        ("users = 4", "communication_noise_power = -2", "scenario.communication_noise_power", &["-2", "above 0"]),
        ("users = 4", "sensing_noise_power = 0", "scenario.sensing_noise_power", &["above 0"]),
        ("users = 4", "target_distance = -5", "scenario.target_distance", &["-5", "above 0"]),
        ("users = 4", "path_loss_exponent = -1", "scenario.path_loss_exponent", &["-1", "0 or more"]),
        ("users = 4", "shadowing = -1", "scenario.shadowing", &["-1", "0 or more"]),
        ("users = 4", "shadowing = 1e9", "scenario.shadowing", &["large-scale fading"]),
        ("users = 4", "cell_radius = 10", "scenario.cell_radius", &["10", "above exclusion_radius"]),
        ("crlb_azimuth_limit = \"1 deg\"", "crlb_azimuth_limit = 0", "scenario.crlb_azimuth_limit", &["above 0"]),
        (
            "crlb_azimuth_limit = \"1 deg\"",
            "crlb_azimuth_limit = -1",
            "scenario.crlb_azimuth_limit",
            &["-1", "above 0"],
        ),
        ("coherence_length = 100", "coherence_length = 10", "scenario.pilot_length", &["below coherence_length = 10"]),
        ("pilot_length = 10\n", "pilot_length = 100\n", "scenario.pilot_length", &["below coherence_length = 100"]),
        ("pilot_length = 10\n", "pilot_length = 0\n", "scenario.pilot_length", &["found 0", "at least 1"]),
        ("max_evaluations = 1000", "max_seconds = -1", "stop.max_seconds", &["-1", "above 0"]),
        ("max_evaluations = 1000", "patience = 0", "stop.patience", &["found 0", "at least 1"]),
        ("max_evaluations = 1000", "tolerance = -1e-3", "stop.tolerance", &["0 or more"]),
        ("subproblem_tolerance = 1e-8", "subproblem_tolerance = 7", "solver[1].subproblem_tolerance", &["1e-3"]),
        ("count = 2", "count = 0", "trials.count", &["found 0", "at least 1"]),
        ("count = 2", "count = 1_000_000_000_000", "trials.count", &["1000000000000", "at most"]),
        // Solvers.
        ("label = \"sca\"", "label = \"exact\"", "solver[1].label", &["a second solver `exact`", "differ"]),
        ("type = \"exact\"", "type = \"recorded\"", "solver[0].file", &["no such key"]),
        ("type = \"exact\"", "type = \"recorded\"\nfile = \"none.json\"", "", &["none.json"]),
        // Sweeps.
        ("[\"10 dB\", \"20 dB\"]", "[]", "sweep.\"scenario.transmit_power\"", &["an empty list", "at least one"]),
        ("[\"10 dB\", \"20 dB\"]", "\"10 dB\"", "sweep.\"scenario.transmit_power\"", &["a list of values"]),
        ("[\"10 dB\", \"20 dB\"]", "[\"10 dB\", -1]", "sweep.\"scenario.transmit_power\"", &["-1", "0 or more"]),
        ("[\"10 dB\", \"20 dB\"]", "[\"10 dB\", nan]", "sweep.\"scenario.transmit_power\"[1]", &["nan", "finite"]),
        (
            "\"scenario.transmit_power\" =",
            "\"scenario.transmitpower\" =",
            "sweep.\"scenario.transmitpower\"",
            &["did you mean `transmit_power`?"],
        ),
        (
            "\"scenario.transmit_power\" =",
            "\"senario.users\" =",
            "sweep.\"senario.users\"",
            &["did you mean `scenario`?"],
        ),
        ("\"scenario.transmit_power\" =", "\"scenario.array.rows\" =", "sweep.\"scenario.array.rows\"", &["`array`"]),
        ("\"scenario.transmit_power\" =", "\"trials.count\" =", "sweep.\"trials.count\"", &["`trials.count`"]),
        (
            "\"solver.sca.max_iter",
            "\"solver.scaa.max_iter",
            "sweep.zip[0].\"solver.scaa.max_iterations\"",
            &["did you mean `sca`?"],
        ),
        (
            "\"solver.sca.max_iter",
            "\"solver.sca.mux_iter",
            "sweep.zip[0].\"solver.sca.mux_iterations\"",
            &["did you mean `max_iterations`?"],
        ),
        ("[10, 20]", "[10, 20, 30]", "sweep.zip[0].\"solver.sca.max_iterations\"", &["3 values", "2"]),
        (
            "\"scenario.crlb_elevation_limit\" =",
            "\"scenario.transmit_power\" =",
            "sweep.zip[0].\"scenario.transmit_power\"",
            &["a second sweep"],
        ),
        // TOML.
        ("users = 4", "users = ", "", &["no TOML"]),
        ("users = 4", "users = 4\nusers = 5", "", &["no TOML", "duplicate key"]),
        ("[problem]", "[problem", "", &["no TOML"]),
    ];
    for (old, new, key, words) in mistakes {
        assert_eq!(CONFIG.matches(old).count(), 1, "`{old}` must stand in the config once");
        let text = CONFIG.replace(old, new);
        let bench = Bench::new(&text);
        let message = bench.call(&["check", "e.toml"]).refusal();
        let line = 1 + CONFIG[..CONFIG.find(old).expect("it stands there")].matches('\n').count();
        // What is missing is told at what should hold it, what is there twice at the second.
        let near = [line, line - 1, line + 1].iter().any(|line| message.contains(&format!("e.toml:{line}: ")));
        assert!(near, "`{new}`: not at line {line}: {message}");
        assert!(key.is_empty() || message.contains(&format!("`{key}`: found")), "`{new}`: no `{key}` in {message}");
        for word in *words {
            assert!(message.contains(word), "`{new}`: no `{word}` in {message}");
        }
        // A run says the same, and leaves nothing behind.
        assert_eq!(bench.call(&["run", "e.toml"]).refusal(), message);
        assert_eq!(bench.files(), ["e.toml"]);
    }
}

#[test]
fn settings_on_the_command_line_are_checked_like_the_file() {
    let bench = Bench::new(CONFIG);
    for (setting, words) in [
        ("scenario.usres=3", ["--set scenario.usres=3: `scenario.usres`", "did you mean `users`?"]),
        ("scenario.users=many", ["--set scenario.users=many: `scenario.users`", "a whole number"]),
        ("scenario.transmit_power=-1", ["`scenario.transmit_power`: found -1", "0 or more"]),
        ("sweep.scenario.transmit_power=[-1]", ["--set sweep.scenario.transmit_power=[-1]: ", "found -1"]),
        ("solver.scaa.start=half", ["--set solver.scaa.start=half: ", "did you mean `sca`?"]),
        ("solver.sca.strat=half", ["`solver[1].strat`", "did you mean `start`?"]),
        ("nothing", ["--set: found \"nothing\"", "KEY=VALUE"]),
        ("=3", ["--set: found \"=3\"", "KEY=VALUE"]),
        ("scenario..users=3", ["--set: found", "KEY=VALUE"]),
        ("trials.count=[1", ["--set trials.count=[1: `trials.count`", "no TOML"]),
        ("name.x=1", ["`name`: found \"bad input\"", "a table"]),
        ("trails.count=1", ["`trails`", "did you mean `trials`?"]),
    ] {
        let message = bench.call(&["check", "e.toml", "--set", setting]).refusal();
        assert!(words.iter().all(|word| message.contains(word)), "{setting}: {message}");
        assert_eq!(message.lines().count(), 1, "{setting}: {message}");
    }
}

#[test]
fn zero_forcing_needs_more_antennas_than_pilots() {
    let text = CONFIG.replace("{ horizontal = 4, vertical = 4 }", "{ horizontal = 2, vertical = 2 }");
    let message = Bench::new(&text).call(&["check", "e.toml"]).refusal();
    assert!(message.contains("e.toml:8: `scenario.precoder`") && message.contains("4 different pilots"), "{message}");
    assert_eq!(Bench::new(text.replace("\"zf\"", "\"mrt\"")).call(&["check", "e.toml"]).code, Some(0));
}

#[test]
fn a_solver_that_fits_nowhere_is_told_with_those_that_would() {
    for objective in ["efficiency", "transmit_power"] {
        let text = CONFIG.replace("objective = \"sum_rate\"", &format!("objective = \"{objective}\""));
        let message = Bench::new(text).call(&["check", "e.toml"]).refusal();
        for words in ["e.toml:22: `solver[0].type`: found `exact`", "e.toml:25: `solver[1].type`", "one that fits: "] {
            assert!(message.contains(words), "{objective}: {message}");
        }
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let text = CONFIG.replace("users = 4", "usres = 4").replace("seed = 1", "sed = 1").replace("\"half\"", "3");
    let message = Bench::new(text).call(&["check", "e.toml"]).refusal();
    assert_eq!(message.lines().count(), 3, "{message}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let bench = Bench::new("");
    std::fs::create_dir(bench.folder().join("folder")).expect("made");
    bench.write("binary", (0..=255).cycle().take(3000).collect::<Vec<u8>>());
    bench.write("latin", b"name = \"caf\xe9\"\n");
    bench.write("nul", vec![0; 100]);
    bench.write("deep.json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    bench.write("deep.toml", format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let huge = std::fs::File::create(bench.folder().join("huge")).expect("made");
    // A hole, not bytes on the disk.
    huge.set_len(5 << 30).expect("grown");
    for (file, config, instance) in [
        ("none", "No such file", "No such file"),
        ("folder", "Is a directory", "Is a directory"),
        ("e.toml", "neither `scenario` nor `instances`", "no JSON"),
        ("binary", "not UTF-8", "not UTF-8"),
        ("latin", "not UTF-8", "not UTF-8"),
        ("nul", "no TOML", "no JSON"),
        ("huge", "at most 16777216 bytes", "at most 1073741824 bytes"),
        ("deep.json", "", "recurs"),
        ("deep.toml", "recurs", ""),
    ] {
        let instances = format!("instances = \"{file}\"\n[[solver]]\ntype = \"exact\"\n");
        bench.write("i.toml", instances);
        for (call, words) in [
            (vec!["check", file], config),
            (vec!["run", file], config),
            (vec!["evaluate", file], instance),
            (vec!["solve", file, "--solver", "exact"], instance),
        ] {
            let message = bench.call(&call).refusal();
            assert!(message.contains(file) && message.contains(words), "{call:?}: {message}");
        }
        let message = bench.call(&["check", "i.toml"]).refusal();
        assert!(message.contains(if ["none", "folder"].contains(&file) { "no such file" } else { file }), "{message}");
    }
    assert!(!bench.folder().join("runs").exists());
}

/// A valid instance file of two users.
fn instance() -> Value {
    json!({
        "format": "isacopt-instance/1",
        "scenario": "monostatic",
        "instance": {
            "precoder": "zf",
            "transmit_array": { "horizontal": 3, "vertical": 3 },
            "receive_array": { "horizontal": 2, "vertical": 3 },
            "large_scale_fading": [0.5, 0.1],
            "pilot_index": [0, 1],
            "pilot_length": 2,
            "coherence_length": 20,
            "frame_length": 30,
            "pilot_power": 100.0,
            "communication_noise_power": 1.0,
            "sensing_noise_power": 1.0,
            "target_reflection": { "re": 0.1, "im": 0.2 },
            "target_direction": { "azimuth": 0.3, "elevation": 0.8 },
            "transmit_power": 50.0,
            "crlb_azimuth_limit": 0.01,
            "user_weights": [1.0, 2.0]
        },
        "designs": { "half": { "communication_power": [10.0, 15.0], "sensing_power": 25.0 } }
    })
}

/// The valid instance with one value replaced; taken out where there is none.
fn spoilt(pointer: &str, value: Option<Value>) -> String {
    let mut file = instance();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match (file.pointer_mut(parent).expect("it is there"), value) {
        (Value::Array(items), Some(value)) => items[key.parse::<usize>().expect("an index")] = value,
        (Value::Object(object), Some(value)) => _ = object.insert(key.into(), value),
        (Value::Object(object), None) => _ = object.remove(key),
        _ => panic!("nothing to replace at {pointer}"),
    }
    file.to_string()
}

#[test]
fn mistakes_in_an_instance_are_told_with_their_key() {
    let mistakes: Vec<(&str, Value, &str)> = vec![
        ("/format", json!("isacopt-instance/2"), "`format`"),
        ("/scenario", json!("monostatik"), "did you mean `monostatic`?"),
        ("/scenario", json!(3), "`scenario`"),
        ("/desings", json!({}), "did you mean `designs`?"),
        ("/designs", json!([]), "`designs`"),
        ("/instance", json!([]), "`instance`"),
        ("/instance/usres", json!(1), "`instance.usres`"),
        ("/instance/precoder", json!("zff"), "`instance.precoder`"),
        ("/instance/transmit_array", json!(9), "`instance.transmit_array`"),
        ("/instance/transmit_array/horizontal", json!(0), "`instance.transmit_array.horizontal`"),
        ("/instance/transmit_array/horizontal", json!(2.5), "`instance.transmit_array.horizontal`"),
        ("/instance/transmit_array/rows", json!(2), "`instance.transmit_array.rows`"),
        ("/instance/large_scale_fading", json!([]), "`instance.large_scale_fading`"),
        ("/instance/large_scale_fading/1", json!(0.0), "`instance.large_scale_fading[1]`: found 0"),
        ("/instance/large_scale_fading/1", json!(-0.1), "`instance.large_scale_fading[1]`: found -0.1"),
        ("/instance/large_scale_fading/1", json!("x"), "`instance.large_scale_fading[1]`"),
        ("/instance/large_scale_fading/1", json!("nan"), "`instance.large_scale_fading[1]`"),
        ("/instance/large_scale_fading/1", json!([0.1]), "`instance.large_scale_fading[1]`"),
        ("/instance/large_scale_fading", json!([[0.1, 0.2], [0.3, 0.4]]), "`instance.large_scale_fading`"),
        ("/instance/pilot_index", json!([0, 1, 1]), "`instance.pilot_index`"),
        ("/instance/pilot_index/0", json!(0.5), "`instance.pilot_index`"),
        ("/instance/pilot_index/0", json!(-1), "`instance.pilot_index[0]`"),
        ("/instance/pilot_length", json!(1), "2 different pilots; allowed: at most pilot_length = 1"),
        ("/instance/pilot_length", json!(20), "`instance.pilot_length`: found 20; allowed: below coherence_length"),
        ("/instance/pilot_length", json!(0), "`instance.pilot_length`"),
        ("/instance/coherence_length", json!(2), "below coherence_length = 2"),
        ("/instance/pilot_power", json!(0), "`instance.pilot_power`"),
        ("/instance/pilot_power", json!("inf"), "`instance.pilot_power`"),
        ("/instance/communication_noise_power", json!(0), "`instance.communication_noise_power`"),
        ("/instance/sensing_noise_power", json!(-1), "`instance.sensing_noise_power`"),
        ("/instance/target_reflection", json!({ "re": 0.1 }), "`instance.target_reflection`"),
        ("/instance/target_reflection/im", json!([0.1, 0.2]), "`instance.target_reflection.im`"),
        ("/instance/target_direction/azimuth", json!("x"), "`instance.target_direction.azimuth`"),
        ("/instance/transmit_power", json!(-1), "`instance.transmit_power`"),
        ("/instance/crlb_azimuth_limit", json!(0), "`instance.crlb_azimuth_limit`"),
        ("/instance/crlb_azimuth_limit", json!("inf"), "`instance.crlb_azimuth_limit`"),
        ("/instance/user_weights", json!([1, 2, 3]), "`instance.user_weights`"),
        ("/instance/user_weights/0", json!(-1), "`instance.user_weights[0]`"),
        ("/instance/transmit_array", json!({ "horizontal": 1, "vertical": 2 }), "\"zf\" with 2 antennas"),
        ("/designs/half", json!(3), "`designs.half`"),
        ("/designs/half/communication_power", json!([1.0]), "`designs.half.communication_power`"),
        ("/designs/half/communication_power/0", json!(-1), "`designs.half.communication_power[0]`"),
        ("/designs/half/sensing_power", json!("nan"), "`designs.half.sensing_power`"),
        ("/designs/half/sensing", json!(1), "`designs.half.sensing`"),
    ];
    let bench = Bench::new("");
    let required: Vec<String> =
        instance()["instance"].as_object().expect("an object").keys().map(|key| format!("/instance/{key}")).collect();
    let optional = ["/instance/crlb_azimuth_limit", "/instance/user_weights"];
    let missing = required.iter().filter(|key| !optional.contains(&key.as_str()));
    let missing =
        missing.map(String::as_str).chain(["/format", "/scenario", "/instance", "/designs/half/sensing_power"]);
    let mut spoilt_files: Vec<(String, String)> =
        missing.map(|key| (spoilt(key, None), key.rsplit('/').next().unwrap_or_default().to_string())).collect();
    spoilt_files.extend(mistakes.into_iter().map(|(key, value, words)| (spoilt(key, Some(value)), words.to_string())));
    for text in ["NaN", "Infinity", "1e999", "-"] {
        spoilt_files.push((instance().to_string().replace("100.0", text), "no JSON".into()));
    }
    for (text, words) in &spoilt_files {
        bench.write("bad.json", text);
        for call in [vec!["evaluate", "bad.json"], vec!["solve", "bad.json", "--solver", "exact"]] {
            let message = bench.call(&call).refusal();
            assert!(message.contains("bad.json") && message.contains(words.as_str()), "{words}: {message} in {text}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
}

#[test]
fn wrong_names_on_the_command_line_are_answered_with_the_nearest() {
    let bench = Bench::new("");
    bench.write("i.json", instance().to_string());
    for (call, words) in [
        (vec!["solve", "i.json", "--solver", "exat"], vec!["did you mean `exact`?"]),
        (vec!["solve", "i.json", "--solver", "baseline"], vec!["`baseline`"]),
        (vec!["solve", "i.json", "--solver", "exact", "--objective", "sum_rat"], vec!["did you mean `sum_rate`?"]),
        (vec!["solve", "i.json", "--solver", "exact", "--objective", "sinr"], vec!["scalar"]),
        (vec!["solve", "i.json", "--solver", "exact", "--objective", "crlb_azimuth"], vec!["`exact`", "crlb_azimuth"]),
        (vec!["solve", "i.json", "--solver", "sca", "--start", "hlaf"], vec!["i.json", "did you mean `half`?"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "solver.toleranc=1"], vec!["did you mean `tolerance`?"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "solver.tolerance=x"], vec!["solver.tolerance", "number"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "solver.type=exact"], vec!["--set", "solver.type"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "intance.pilot_power=1"], vec!["instance.KEY=VALUE"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "instance.pilot_pwer=1"], vec!["instance.pilot_pwer"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "instance.pilot_power=-1"], vec!["instance.pilot_power"]),
        (vec!["solve", "i.json", "--solver", "sca", "--set", "instance.pilot_index.7=1"], vec!["2 entries"]),
        (vec!["solve", "i.json", "--solver", "recorded"], vec!["file"]),
        (vec!["solve", "i.json", "--solver", "recorded", "--set", "solver.file=none.json"], vec!["none.json"]),
        (vec!["evaluate", "i.json", "--design", "hlaf"], vec!["did you mean `half`?"]),
        (vec!["describe", "exat"], vec!["did you mean `exact`?"]),
    ] {
        let message = bench.call(&call).refusal();
        assert!(words.iter().all(|word| message.contains(word)), "{call:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    // What is no command at all is answered with the usage, in the parser's own words.
    for call in [vec!["slove"], vec!["solve", "i.json"], vec!["run"], vec!["run", "e.toml", "--threads", "0"]] {
        assert_eq!(bench.call(&call).code, Some(2), "{call:?}");
    }
    // A start of another size is a mistake even where the file was edited on the way.
    let edit = ["--set", "instance.large_scale_fading=[1,2,3]", "--set", "instance.pilot_index=[0,1,1]"];
    let edit = [&edit[..], &["--set", "instance.user_weights=null"]].concat();
    let call = |more: &[&str]| bench.call(&[&["solve", "i.json", "--solver", "sca"], &edit[..], more].concat());
    assert_eq!(call(&[]).code, Some(0));
    let message = call(&["--start", "half"]).refusal();
    assert!(message.contains("`designs.half.communication_power`"), "{message}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_runs() {
    let bench = Bench::new(CONFIG);
    bench.write("in_the_way", "a file");
    std::fs::create_dir(bench.folder().join("others")).expect("made");
    std::fs::write(bench.folder().join("others/mine.txt"), "precious").expect("written");
    let mut attempts =
        vec![("in_the_way", "cannot create"), ("in_the_way/deeper", "cannot create"), ("others", "holds other files")];
    if cfg!(target_os = "linux") {
        attempts.push(("/proc/isacopt", "cannot create"));
    }
    for (out, words) in attempts {
        let message = bench.call(&["run", "e.toml", "--out", out]).refusal();
        assert!(message.contains(words) && message.contains(out), "{out}: {message}");
    }
    assert_eq!(bench.files(), ["e.toml", "in_the_way", "others"]);
    assert_eq!(std::fs::read_to_string(bench.folder().join("others/mine.txt")).expect("there"), "precious");
    let message = bench.call(&["draw", "e.toml", "--out", "in_the_way/x.json"]).refusal();
    assert!(message.contains("in_the_way/x.json"), "{message}");
}

/// A limit on the size of files stands for a full disk: what was finished stays readable, and the rest is done later.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_whole_lines_and_the_next_start_goes_on() {
    let bench = Bench::new(CONFIG);
    let whole = bench.call(&["run", "e.toml", "--out", "whole"]);
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    let size = std::fs::metadata(bench.folder().join("whole/results.jsonl")).expect("there").len();
    let blocks = size / 2 / 512;
    let limited =
        format!("trap '' XFSZ; ulimit -f {blocks}; exec '{}' run e.toml --out out", env!("CARGO_BIN_EXE_isacopt"));
    let message =
        command::answer(std::process::Command::new("sh").args(["-c", &limited]).current_dir(bench.folder())).err;
    assert!(message.contains("error: cannot write out/"), "{message}");
    let errors: Vec<&str> = message.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{message}");
    let segments = std::fs::read_dir(bench.folder().join("out/segments")).expect("a folder");
    let paths = segments.map(|entry| entry.expect("an entry").path());
    let results: Vec<_> = paths.filter(|p| p.to_string_lossy().ends_with(".results.jsonl")).collect();
    let text = std::fs::read_to_string(&results[0]).expect("readable");
    assert!(text.ends_with('\n') && text.lines().count() > 1 && (text.len() as u64) < size);
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let again = bench.call(&["run", "e.toml", "--out", "out"]).text();
    assert!(again.contains("were there already"), "{again}");
    let results = |folder: &str| std::fs::read(bench.folder().join(folder).join("results.jsonl")).expect("there");
    assert!(results("out") == results("whole"));
}

#[test]
fn infeasible_limits_are_an_answer_with_the_best_achievable_ratio() {
    let bench = Bench::new("");
    let solve = |solver: &str, limit: f64| {
        bench.write("i.json", spoilt("/instance/crlb_azimuth_limit", Some(json!(limit))));
        isacopt_in(bench.folder(), ["solve", "i.json", "--solver", solver, "--json"]).json()
    };
    for solver in ["exact", "sca", "global_search", "random_search", "equal_communication", "equal_power"] {
        let answer = solve(solver, 1e-9);
        let baseline = solver.starts_with("equal");
        assert_eq!(answer["status"], if baseline { "no_feasible_point" } else { "infeasible" }, "{solver}");
        assert_eq!(answer["feasible"], false);
        assert!(answer["violation"].as_f64().is_some_and(|v| v > 0.0) && !answer["design"].is_null(), "{answer}");
        assert!(answer["gap"].is_null());
    }
    // The ratio is how much the limit must be loosened: at it the problem is feasible, just below it is not.
    let answer = solve("exact", 1e-9);
    let best = 1e-9 * (1.0 + answer["violation"].as_f64().expect("a number"));
    assert!(answer["certificate"].is_object(), "{answer}");
    assert_eq!(solve("exact", best * (1.0 + 1e-6))["status"], "optimal");
    assert_eq!(solve("exact", best * (1.0 - 1e-5))["status"], "infeasible");
    // No power at all: infeasible under a limit, and a rate of 0 without one.
    bench.write("i.json", spoilt("/instance/transmit_power", Some(json!(0.0))));
    assert_eq!(bench.call(&["solve", "i.json", "--solver", "exact", "--json"]).json()["status"], "infeasible");
    let free =
        bench.call(&["solve", "i.json", "--solver", "exact", "--json", "--set", "instance.crlb_azimuth_limit=null"]);
    assert_eq!(free.json()["objective"]["value"], 0.0);
}

#[test]
fn what_cannot_be_identified_has_an_infinite_bound() {
    let bench = Bench::new("");
    let line = |horizontal: u64, vertical: u64| json!({ "horizontal": horizontal, "vertical": vertical });
    for (what, edits) in [
        ("a horizontal line", vec![("transmit_array", line(9, 1)), ("receive_array", line(6, 1))]),
        ("a vertical line", vec![("transmit_array", line(1, 9)), ("receive_array", line(1, 6))]),
        ("elevation 0", vec![("target_direction", json!({ "azimuth": 0.3, "elevation": 0.0 }))]),
        (
            "azimuth 90 degrees",
            vec![("target_direction", json!({ "azimuth": std::f64::consts::FRAC_PI_2, "elevation": 0.8 }))],
        ),
        ("no echo", vec![("target_reflection", json!({ "re": 0.0, "im": 0.0 }))]),
        ("no power", vec![("transmit_power", json!(0.0))]),
    ] {
        let mut file = instance();
        for (key, value) in &edits {
            file["instance"][key] = value.clone();
        }
        if what == "no power" {
            file["designs"]["half"] = json!({ "communication_power": [0.0, 0.0], "sensing_power": 0.0 });
        }
        bench.write("i.json", file.to_string());
        let judged = &bench.call(&["evaluate", "i.json", "--json"]).json()["designs"]["half"];
        // At 90 degrees of azimuth the elevation is still known.
        let unknown = if what == "azimuth 90 degrees" { 1 } else { 2 };
        for metric in ["crlb_azimuth", "crlb_elevation"].iter().take(unknown) {
            assert_eq!(judged["metrics"][metric]["value"], "inf", "{what}: {judged}");
        }
        assert_eq!((&judged["feasible"], &judged["violation"]), (&json!(false), &json!("inf")), "{what}");
        for solver in ["exact", "sca", "global_search"] {
            let answer = bench.call(&["solve", "i.json", "--solver", solver, "--json"]).json();
            assert_eq!(answer["status"], "infeasible", "{what}: {solver}");
        }
        // Without a limit the rates are sought as ever.
        let call = ["solve", "i.json", "--solver", "exact", "--json", "--set", "instance.crlb_azimuth_limit=null"];
        let answer = bench.call(&call).json();
        assert_eq!(answer["status"], "optimal", "{what}");
        assert!(answer["metrics"]["crlb_azimuth"]["value"] == "inf" || what == "no power");
    }
}

/// Words that configs and instances do not want.
const NASTY: [&str; 24] = [
    "0",
    "-1",
    "1e308",
    "-1e-320",
    "nan",
    "inf",
    "9223372036854775807",
    "1e999",
    "\"\"",
    "\"inf\"",
    "\"nan dB\"",
    "\"-400 dB\"",
    "[]",
    "{}",
    "[[1, 2], 3]",
    "true",
    "\"x\"",
    "null",
    "=",
    "\n",
    "\"",
    "\u{2603}",
    "1979-05-27",
    "zip",
];

/// A text with some of its words replaced, taken out, doubled or moved.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5usize, 0..NASTY.len());
    proptest::collection::vec(edit, 1..4).prop_map(move |edits| {
        let kind = |c: char| if c.is_alphanumeric() || "_.+-".contains(c) { 0 } else { 1 + c as u32 };
        let mut words: Vec<String> = Vec::new();
        for c in text.chars() {
            match words.last_mut() {
                Some(word) if word.chars().last().map(kind) == Some(kind(c)) => word.push(c),
                _ => words.push(c.to_string()),
            }
        }
        for (place, other, what, nasty) in edits {
            let (i, j) = (place.index(words.len()), other.index(words.len()));
            match what {
                0 | 1 => words[i] = NASTY[nasty].into(),
                2 => words[i].clear(),
                3 => words.swap(i, j),
                _ => words[i] = words[j].clone(),
            }
        }
        words.concat()
    })
}

/// A file as JSON text with a line a key, so that its words are words.
fn instance_text() -> &'static str {
    Box::leak(format!("{:#}", instance()).into_boxed_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// A spoilt config is read, or refused with a place; it never panics.
    #[test]
    fn no_config_makes_the_reader_panic(text in mutated(CONFIG)) {
        let bench = Bench::new(&text);
        if let Err(error) = Experiment::read(&bench.folder().join("e.toml"), &[]).and_then(Plan::new) {
            prop_assert!(error.to_string().contains("e.toml") && error.exit_code() == 2, "{error} in {text}");
        }
    }

    /// The same for instance files, down to the judging of their designs.
    #[test]
    fn no_instance_makes_the_reader_panic(text in mutated(instance_text())) {
        let entries = scenarios();
        let Ok(file) = InstanceFile::parse(&text) else { return Ok(()) };
        let Some(entry) = entries.iter().find(|e| e.name == file.scenario) else { return Ok(()) };
        let Ok(model) = (entry.read_instance)(&file.instance) else { return Ok(()) };
        let problem = isacopt::Problem::new(model.clone(), model.default_problem());
        let problem = problem.map_err(|e| TestCaseError::fail(format!("{e} in {text}")))?;
        for (name, value) in &file.designs {
            if let Ok(design) = model.read_design(value, name) {
                let violation = problem.evaluator().evaluate(&design).map(|e| e.violation);
                prop_assert!(violation.is_ok_and(|v| v >= 0.0), "{text}");
            }
        }
    }
}
