//! What a user may trust: `verify` accepts what the solvers prove and refuses what was tampered with; starter configs
//! run as they are written.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use crate::monostatic::{cases, instance_of, instances};
use isacopt::scenarios::monostatic::{Instance, Monostatic};
use isacopt::verification::{Claim, verify};
use isacopt::{Cancel, Constraint, Problem, ProblemSpec, RandomStream, Run, StopRules, SystemModel};
use proptest::prelude::*;
use serde_json::{Value, json};

fn isacopt(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isacopt")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The answer of a solver to a problem, as `solve --json` prints what `verify` looks at.
fn answer(problem: &Arc<Problem>, solver: &str, objective: &str) -> Option<Value> {
    let optimizer: Box<dyn isacopt::Optimizer> = serde_json::from_value(json!({ "type": solver })).unwrap();
    let bound = problem.structure().bound.as_ref().ok().and_then(|factory| factory().bound().unwrap());
    let run = Run {
        bound,
        rules: StopRules { max_iterations: Some(5), ..StopRules::default() },
        cancel: Cancel::default(),
        ..Run::new(optimizer.as_ref(), Arc::clone(problem), RandomStream::solver(1, 0))
    };
    let outcome = run.drive(&mut |_| {}).ok()?;
    let number = isacopt::metric::number_json;
    Some(json!({
        "status": outcome.status.name(),
        "objective": { "metric": objective, "value": number(outcome.objective) },
        "bound": outcome.bound.map(number),
        "gap": outcome.gap.map(number),
        "feasible": outcome.feasible(),
        "violation": number(outcome.violation),
        "design": outcome.design.as_ref().map(|d| problem.model().space().to_json(d)),
        "certificate": outcome.certificate,
    }))
}

fn problem(instance: &Instance, objective: &str, floor: Option<f64>) -> Arc<Problem> {
    let model: Arc<dyn SystemModel> = Arc::new(Monostatic::new(instance.clone()));
    let mut spec: ProblemSpec = model.default_problem();
    spec.objective = isacopt::Objective::Metric(objective.into());
    spec.constraints.extend(floor.map(|rate| Constraint::at_least("min_rate", rate)));
    Problem::new(model, spec).unwrap()
}

fn check(problem: &Arc<Problem>, answer: &Value) -> Result<Vec<String>, String> {
    verify(problem, &Claim::from_json(answer).unwrap()).map_err(|e| e.to_string())
}

const OBJECTIVES: [&str; 4] = ["sum_rate", "weighted_sum_rate", "min_rate", "sum_log_rate"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everything that is proven verifies: optima, bounds beside a solver that stops early, infeasibility.
    #[test]
    fn what_is_proven_verifies(
        instance in instances(), which in 0usize..4, early in any::<bool>(), floor in prop_oneof![Just(None), (0.01..1.0f64).prop_map(Some)],
    ) {
        prop_assume!(instance.check("").is_ok());
        let objective = OBJECTIVES[which];
        let problem = problem(&instance, objective, floor);
        let solver = if early { "random_search" } else { "exact" };
        if let Some(answer) = answer(&problem, solver, objective) {
            let proven = answer["bound"] != Value::Null || answer["status"] == "infeasible";
            match check(&problem, &answer) {
                Ok(holds) => prop_assert_eq!(proven, holds.iter().any(|h| h.contains("proves")), "{:?} {}", holds, answer),
                Err(why) => prop_assert!(false, "{why}\n{answer}\n{}", problem.model().instance()),
            }
        }
    }

    /// A better bound than the proven one, a better objective, a changed number in the certificate: refused.
    #[test]
    fn what_was_tampered_with_is_refused(instance in instances(), which in 0usize..4, by in 1e-4..0.5f64) {
        prop_assume!(instance.check("").is_ok());
        let objective = OBJECTIVES[which];
        let problem = problem(&instance, objective, None);
        let Some(good) = answer(&problem, "exact", objective) else { return Ok(()) };
        let spoiled = |change: &dyn Fn(&mut Value)| {
            let mut answer = good.clone();
            change(&mut answer);
            check(&problem, &answer)
        };
        let scaled = |value: &Value, factor: f64| json!(value.as_f64().unwrap() * factor);
        if good["status"] == "infeasible" {
            let feasible = spoiled(&|a| { a["feasible"] = json!(true); a["violation"] = json!(0.0) });
            prop_assert!(feasible.is_err());
            prop_assert!(spoiled(&|a| a["certificate"] = Value::Null).is_err());
            // Looser limits: the same certificate is one of another problem.
            let mut loose = instance.clone();
            let ratio = good["certificate"]["ratio"][0].as_f64().unwrap_or(1e9);
            loose.crlb_azimuth_limit = loose.crlb_azimuth_limit.map(|l| l * ratio * (1.0 + by));
            loose.crlb_elevation_limit = loose.crlb_elevation_limit.map(|l| l * ratio * (1.0 + by));
            prop_assert!(check(&self::problem(&loose, objective, None), &good).is_err());
            return Ok(());
        }
        let bound = good["bound"].as_f64().unwrap();
        prop_assume!(bound.abs() > 1e-6);
        // A tighter bound: lower, as all four are maximized.
        let tighter = bound - by * bound.abs();
        for bound in [json!(tighter), json!("-inf"), json!("nan")] {
            prop_assert!(spoiled(&|a| a["bound"] = bound.clone()).is_err());
        }
        let both = spoiled(&|a| {
            a["bound"] = json!(tighter);
            a["certificate"]["bound"] = json!(tighter);
        });
        prop_assert!(both.is_err());
        let better = json!(good["objective"]["value"].as_f64().unwrap() + by * bound.abs());
        prop_assert!(spoiled(&|a| a["objective"]["value"] = better.clone()).is_err());
        let all = spoiled(&|a| {
            a["objective"]["value"] = better.clone();
            a["bound"] = better.clone();
            a["gap"] = json!(0.0);
        });
        prop_assert!(all.is_err());
        prop_assert!(spoiled(&|a| a["certificate"] = Value::Null).is_err());
        prop_assert!(spoiled(&|a| a["certificate"]["kind"] = json!("honest")).is_err());
        prop_assert!(spoiled(&|a| a["certificate"]["noise_over_gain"][0] = scaled(&a["certificate"]["noise_over_gain"][0], 1.0 + by)).is_err());
        let sensing = good["certificate"]["sensing_power"][0].as_f64().unwrap();
        // More sensing power than needed would prove too low a bound.
        let more = sensing + by * (instance.transmit_power - sensing);
        if more > sensing * (1.0 + 1e-3) {
            prop_assert!(spoiled(&|a| a["certificate"]["sensing_power"] = json!(more)).is_err());
        }
        prop_assert!(spoiled(&|a| a["design"]["sensing_power"] = json!(sensing + by * instance.transmit_power)).is_err());
        prop_assert!(spoiled(&|a| a["status"] = json!("infeasible")).is_err());
        // Another instance.
        let mut other = instance.clone();
        other.large_scale_fading[0] *= 1.0 + by;
        prop_assert!(check(&self::problem(&other, objective, None), &good).is_err());
    }
}

/// Optimality and feasibility are not taken on trust where the answer's own bound is true.
#[test]
fn a_design_short_of_its_claim_is_refused() {
    let (_, case) = cases().into_iter().find(|(name, _)| name.starts_with("c02")).unwrap();
    let problem = problem(&instance_of(&case), "sum_rate", None);
    let good = answer(&problem, "random_search", "sum_rate").unwrap();
    assert!(check(&problem, &good).is_ok());
    let mut called = good.clone();
    called["status"] = json!("optimal");
    assert!(check(&problem, &called).unwrap_err().contains("the gap is"));
    for (key, value, word) in
        [("feasible", json!(false), "is feasible"), ("violation", json!(0.5), "misses"), ("gap", json!(0.0), "gap")]
    {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(check(&problem, &bad).unwrap_err().contains(word), "{key}");
    }
}

#[test]
fn the_program_verifies_answers_and_whole_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = "[scenario]\ntype = \"monostatic\"\nusers = 4\ntransmit_power = \"5 dB\"\n\
        [problem]\nconstraints = { min_rate = { at_least = 0.01 } }\n[[solver]]\ntype = \"exact\"\n\
        [[solver]]\ntype = \"equal_power\"\n[sweep]\n\"scenario.transmit_power\" = [\"-20 dB\", \"5 dB\", \"20 dB\"]\n\
        [trials]\ncount = 2\n";
    std::fs::write(path("c.toml"), config).unwrap();
    let point =
        "[scenario]\ntype = \"monostatic\"\nusers = 4\ntransmit_power = \"20 dB\"\n[[solver]]\ntype = \"exact\"\n";
    std::fs::write(path("point.toml"), point).unwrap();
    let ok = |arguments: &[&str]| {
        let output = isacopt(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    ok(&["draw", &path("point.toml"), "--out", &path("i.npz")]);
    ok(&["draw", &path("point.toml"), "--trial", "1", "--out", &path("other.json")]);
    for out in ["a.json", "a.mat", "a.npz"] {
        ok(&["solve", &path("i.npz"), "--solver", "exact", "--out", &path(out)]);
        let told = ok(&["verify", &path(out), &path("i.npz")]);
        assert!(told.starts_with("verified") && told.contains("the design is optimal"), "{told}");
        let refused = isacopt(&["verify", &path(out), &path("other.json")]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("not verified: the design has sum_rate"));
    }
    // Of an edited instance.
    let set = ["--set", "instance.transmit_power=50", "--set", "instance.precoder=mrt"];
    ok(&[&["solve", &path("i.npz"), "--solver", "exact", "--out", &path("b.json")][..], &set].concat());
    ok(&[&["verify", &path("b.json"), &path("i.npz")][..], &set].concat());
    assert_eq!(isacopt(&["verify", &path("b.json"), &path("i.npz")]).status.code(), Some(1));

    ok(&["run", &path("c.toml"), "--out", &path("run")]);
    let results = Path::new(&path("run")).join("results.jsonl").display().to_string();
    let told = ok(&["verify", &results]);
    let records: Vec<Value> =
        std::fs::read_to_string(&results).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let proven = records.iter().filter(|r| r["status"] == "infeasible" || r["bound"] != Value::Null).count();
    assert!(proven >= 6 && told.contains(&format!("12 results, {proven} of them with a proof")), "{told}");
    assert!(records.iter().any(|r| r["status"] == "infeasible") && records.iter().any(|r| r["status"] == "optimal"));
    let first = records.iter().find(|r| r["cell"] == 2 && r["trial"] == 0 && r["status"] == "optimal").unwrap();
    let address = first["run"].as_str().unwrap();
    ok(&["verify", &results, &path("i.npz"), "--run", &address[..12]]);
    assert_eq!(isacopt(&["verify", &results, &path("other.json"), "--run", address]).status.code(), Some(1));
    assert_eq!(isacopt(&["verify", &results, "--run", "zz"]).status.code(), Some(2));
    let spoiled = std::fs::read_to_string(&results).unwrap().replacen("\"feasible\":true", "\"feasible\":false", 1);
    std::fs::write(&results, spoiled).unwrap();
    let refused = isacopt(&["verify", &results]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("not verified"), "{}", text(&refused.stderr));
}

#[test]
fn the_program_shows_what_the_print_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut case) = cases().into_iter().find(|(name, _)| name.starts_with("c06") && name.contains("mrt")).unwrap();
    case["instance"]["target_direction"]["elevation"] = json!(1.1);
    let path = folder.path().join("case.json").display().to_string();
    std::fs::write(&path, case.to_string()).unwrap();
    let output = isacopt(&["evaluate", &path, "--as-printed", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (_, judged) = answer["designs"].as_object().unwrap().iter().next().unwrap();
    let figures = judged["as_printed"].as_array().unwrap();
    let sinr = figures.iter().find(|f| f["metric"] == "sinr").unwrap();
    for (printed, right) in sinr["printed"].as_array().unwrap().iter().zip(sinr["value"].as_array().unwrap()) {
        assert!(printed.as_f64() >= right.as_f64(), "the print overstates");
    }
    assert_eq!(sinr["value"], judged["metrics"]["sinr"]["value"]);
    assert!(
        figures.iter().any(|f| f["metric"] == "crlb_elevation" && f["correction"].as_str().unwrap().contains("(49)"))
    );
    let shown = text(&isacopt(&["evaluate", &path, "--as-printed"]).stdout);
    assert!(shown.contains("as printed") && shown.contains("coherent interference"), "{shown}");
}

#[test]
fn a_starter_config_runs_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (name, scenario) in isacopt::scenario::scenarios().iter().map(|s| s.name).enumerate() {
        let path = folder.path().join(format!("{name}.toml")).display().to_string();
        let write = ["new", "experiment", "--scenario", scenario, &path];
        assert!(isacopt(&write).status.success());
        assert!(isacopt(&["check", &path]).status.success());
        let again = isacopt(&write);
        assert_eq!(again.status.code(), Some(2));
        assert!(text(&again.stderr).contains("there already"), "{}", text(&again.stderr));
        let run = folder.path().join(format!("run-{name}")).display().to_string();
        let output = isacopt(&["run", &path, "--out", &run]);
        assert!(output.status.success(), "{scenario}: {}", text(&output.stderr));
    }
    let wrong = isacopt(&["new", "experiment", "--scenario", "monostatik"]);
    assert!(text(&wrong.stderr).contains("did you mean `monostatic`"));
}
