//! Every config under `configs/` is fine as it stands, and runs: here at one trial, the ends of each swept axis and a
//! small effort. A new config is covered by being there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use isacopt::optimizer::Cancel;
use isacopt::report;
use isacopt::results::RunFolder;
use isacopt::runner::{Options, Plan, execute};
use isacopt::structure::ExactOutcome;
use isacopt::{Design, MetricSet, MetricValues, Problem, Scenario, Status, Streams, config::Experiment};
use serde_json::{Map, Value, json};

/// The optimum of a drop in the setting of the paper's figures: the share of the power for sensing, none where the
/// limits cannot be met.
fn sensing_share(power: &str, precoder: &str) -> Option<f64> {
    let section = json!({ "type": "monostatic", "transmit_power": power, "precoder": precoder });
    let scenario: Box<dyn Scenario> = serde_json::from_value(section).unwrap();
    let model = scenario.draw(&Streams::new(1, "monostatic", 0)).unwrap();
    let problem = Problem::new(Arc::clone(&model), model.default_problem()).unwrap();
    let mut design = Design::zeros(model.space());
    let Ok(exact) = &problem.structure().exact else { panic!("exact is offered") };
    match exact().solve(&mut design).unwrap() {
        ExactOutcome::Optimal { .. } => design.last().map(|q| q / design.iter().sum::<f64>()),
        ExactOutcome::Infeasible { .. } => None,
    }
}

/// The azimuth's bound in dB at 20 dB with all power for sensing, for a reflection of given strength in dB.
fn best_azimuth(reflection: Option<f64>) -> f64 {
    let mut section = json!({ "type": "monostatic", "transmit_power": "20 dB" });
    if let Some(decibels) = reflection {
        section["target_reflection"] = json!({ "re": 10f64.powf(decibels / 20.0), "im": 0.0 });
    }
    let scenario: Box<dyn Scenario> = serde_json::from_value(section).unwrap();
    let model = scenario.draw(&Streams::new(1, "monostatic", 0)).unwrap();
    let mut design = Design::zeros(model.space());
    let sensing = design.len() - 1;
    design[sensing] = 100.0;
    let azimuth = model.metrics().iter().position(|m| m.id == "crlb_azimuth").unwrap();
    let mut values = MetricValues::new(model.metrics());
    model.evaluate(&design, MetricSet::only(azimuth), &mut model.workspace(), &mut values).unwrap();
    10.0 * values.scalar(azimuth).log10()
}

/// What docs/corrections.md says of the monostatic setting: where the limits can be met at all, where sensing needs
/// power of its own, and that the reflection follows from Fig. 7.
#[test]
fn the_setting_of_the_figures_is_that_of_the_corrections() {
    for precoder in ["mrt", "zf"] {
        assert_eq!(sensing_share("-0.05 dB", precoder), None);
        assert!(sensing_share("-0.04 dB", precoder).is_some());
        let share = |power| sensing_share(power, precoder).unwrap();
        assert!((share("5 dB") - 0.28).abs() < 5e-3 && (share("10 dB") - 0.056).abs() < 5e-4);
        assert!(share("13.33 dB") > 0.0);
        assert_eq!(share("13.35 dB"), 0.0);
    }
    // The left end of Fig. 7's axis is what is just possible; with the literal readings of alpha it is not.
    for (reflection, expected) in [(None, -55.05), (Some(-38.5), -45.4), (Some(-57.8), -26.1), (Some(-77.0), -6.9)] {
        assert!((best_azimuth(reflection) - expected).abs() < 0.1, "{reflection:?}: {}", best_azimuth(reflection));
    }
}

/// The most that a run here may take of each kind of effort.
const EFFORT: [(&str, u64); 2] = [("max_iterations", 3), ("max_evaluations", 200)];

fn configs() -> Vec<PathBuf> {
    let pattern = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/**/*.toml");
    let found: Vec<PathBuf> = glob::glob(&pattern.display().to_string()).unwrap().map(Result::unwrap).collect();
    assert!(!found.is_empty(), "no config under configs/");
    found
}

/// The ends of a swept list.
fn ends(values: &Value) -> Value {
    match values.as_array().map(Vec::as_slice) {
        Some([first, .., last]) => json!([first, last]),
        _ => values.clone(),
    }
}

/// A JSON value as inline TOML.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let entries = table.iter().map(|(key, value)| format!("{} = {}", json!(key), inline(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// What makes a config quick, as `--set` takes it.
fn quick(config: &Value) -> Vec<String> {
    let mut settings = Vec::new();
    if config.get("instances").is_none() {
        settings.push("trials.count=1".to_string());
    }
    for (key, value) in config.get("sweep").and_then(Value::as_object).into_iter().flatten() {
        if key == "zip" {
            let cut = |zip: &Value| -> Value {
                let keys = zip.as_object().unwrap().iter().map(|(key, values)| (key.clone(), ends(values)));
                keys.collect::<Map<String, Value>>().into()
            };
            let cut: Value = value.as_array().unwrap().iter().map(cut).collect();
            settings.push(format!("sweep.zip={}", inline(&cut)));
        } else {
            settings.push(format!("sweep.\"{key}\"={}", inline(&ends(value))));
        }
    }
    for (section, key) in [("simulate", "draws"), ("estimate", "trials")] {
        if config.get(section).is_some() {
            settings.push(format!("{section}.{key}=2"));
        }
    }
    let solvers = config.get("solver").and_then(Value::as_array).into_iter().flatten();
    for (table, rules) in solvers.filter_map(|s| Some((s.get("label").or(s.get("type"))?.as_str()?, s))) {
        for (key, most) in EFFORT {
            if rules.get(key).is_none_or(|n| n.as_u64().is_some_and(|n| n > most)) {
                settings.push(format!("solver.\"{table}\".{key}={most}"));
            }
        }
    }
    settings
}

#[test]
fn every_config_is_fine_as_it_stands() {
    for config in configs() {
        let checked = Command::new(env!("CARGO_BIN_EXE_isacopt")).arg("check").arg(&config).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// The closed forms hold at the points of the first config of every folder against the raw signals, whatever its
/// scenario. (All configs of a scenario share its closed forms, which have tests of their own.)
#[test]
fn the_first_config_of_every_folder_passes_validation() {
    let mut folders = std::collections::BTreeSet::new();
    for path in configs().into_iter().filter(|path| folders.insert(path.parent().map(Path::to_path_buf))) {
        let config: Value = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_isacopt"));
        program.arg("validate").arg(&path).args(["--draws", "300", "--threads", "2", "--json"]);
        for setting in quick(&config) {
            program.arg("--set").arg(setting);
        }
        let began = Instant::now();
        let done = program.output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{}: {told}", path.display());
        println!("{}: {:.1?}", path.display(), began.elapsed());
    }
}

#[test]
fn every_config_runs_and_leaves_a_page() {
    let folder = tempfile::tempdir().unwrap();
    for (number, path) in configs().into_iter().enumerate() {
        let began = Instant::now();
        let text = std::fs::read_to_string(&path).unwrap();
        let config: Value = toml::from_str(&text).unwrap();
        let plan = Plan::new(Experiment::read(&path, &quick(&config)).unwrap()).unwrap();
        let out = folder.path().join(number.to_string());
        let options = Options { threads: 2, fresh: false, cancel: Cancel::default() };
        let finished = execute(&plan, &out, &options, &|_| {}).unwrap();
        assert_eq!((finished.missing, finished.ran), (0, plan.runs.len()));
        let read = RunFolder::read(&out).unwrap();
        for record in &read.records {
            let named = format!("{}: {}, {:?}: {}", path.display(), record.solver, record.sweep, record.reason);
            assert!(record.status != Status::Failed && record.status != Status::Diverged, "{named}");
            assert!(!record.reason.contains("not simulated"), "{named}");
            let asked = plan.experiment.simulate.iter().flat_map(|s| &s.metrics);
            for metric in asked.filter(|_| !record.metrics.is_empty()) {
                assert!(record.metrics.get(metric).unwrap().simulated().is_some(), "{named}: {metric}");
            }
            for estimator in plan.experiment.estimate.iter().flat_map(|e| &e.estimators) {
                let tried = record.metrics.iter().any(|m| m.estimated().any(|(name, _)| name == estimator));
                assert!(record.metrics.is_empty() || tried, "{named}: {estimator}");
            }
        }
        // Something of every config can be drawn.
        assert!(read.records.iter().any(|r| r.feasible), "{}: nothing is feasible", path.display());
        report::write(&out).unwrap();
        println!("{}: {} runs, {:.1?}", path.display(), read.records.len(), began.elapsed());
    }
}
