//! Every stored case holds through the program: `tests/data/SCENARIO/*.json` says in `expected` what `isacopt evaluate`
//! and `isacopt solve` must answer. Further systems add files only.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::command::{isacopt, number};
use serde_json::{Map, Value, json};

/// The designs of answers, judged again, have the answer's objective up to this.
const JUDGED_AGAIN: f64 = 1e-6;

#[test]
fn every_case_holds() {
    let files = files();
    assert!(files.len() >= 8, "the stored cases are missing: {files:?}");
    let scratch = tempfile::tempdir().expect("a folder");
    let mut checks = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("readable");
        let case: Option<Value> = serde_json::from_str(&text).ok();
        checks.push((file, case.clone(), None));
        let entries = case.as_ref().and_then(|c| c["expected"]["solve"].as_array()).map_or(0, Vec::len);
        checks.extend((0..entries).map(|i| (file, case.clone(), Some(i))));
    }
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((file, case, entry)) = checks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = match (case, entry) {
                        // What is no JSON cannot say what it expects: it must be refused.
                        (None, _) => refused(file, &[]),
                        (Some(case), None) => judged(file, case),
                        (Some(case), Some(i)) => solved(file, case, &case["expected"]["solve"][*i], scratch.path(), *i),
                    };
                    if let Err(why) = result {
                        let name = file.file_name().unwrap_or_default().to_string_lossy();
                        failures.lock().expect("no panic").push(format!("{name}: {why}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{} of {} checks fail:\n{}", failures.len(), checks.len(), failures.join("\n"));
}

/// All case files: one folder a scenario.
fn files() -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let read = std::fs::read_dir(folder).expect("a folder of cases");
        read.map(|entry| entry.expect("an entry").path()).collect()
    };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let scenarios = entries(&data).into_iter().filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> = scenarios.flat_map(|folder| entries(&folder)).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    files
}

type Check = Result<(), String>;

fn check(holds: bool, why: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(why()) }
}

/// A bad file is refused with its name and the words that the case asks for.
fn refused(file: &Path, words: &[&str]) -> Check {
    let answer = isacopt(["evaluate".as_ref(), file.as_os_str(), "--json".as_ref()]);
    check(answer.code == Some(2) && answer.out.is_empty(), || format!("accepted: {answer:?}"))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let missing: Vec<&str> = words.iter().copied().chain([&*name]).filter(|w| !answer.err.contains(w)).collect();
    check(missing.is_empty(), || format!("no {missing:?} in: {}", answer.err))
}

/// `isacopt evaluate` gives the expected metrics and feasibility of every design.
fn judged(file: &Path, case: &Value) -> Check {
    let expected = &case["expected"];
    if expected["input_error"] == true {
        let words = expected["names"].as_array().into_iter().flatten().filter_map(Value::as_str);
        return refused(file, &words.collect::<Vec<_>>());
    }
    let answer = evaluate(file)?;
    check(answer["scenario"] == case["scenario"], || format!("scenario {}", answer["scenario"]))?;
    for name in case["designs"].as_object().into_iter().flat_map(Map::keys) {
        check(answer["designs"].get(name).is_some(), || format!("no design `{name}` in the answer"))?;
    }
    for (name, wanted) in expected["designs"].as_object().into_iter().flatten() {
        let got = &answer["designs"][name];
        let in_design = |why: String| format!("design `{name}`: {why}");
        matches_feasibility(got, wanted).map_err(in_design)?;
        for (metric, value) in wanted["metrics"].as_object().into_iter().flatten() {
            let entry = &got["metrics"][metric];
            check(entry["unit"].is_string(), || in_design(format!("`{metric}` has no unit")))?;
            close(&entry["value"], value).map_err(|why| in_design(format!("`{metric}`: {why}")))?;
        }
    }
    Ok(())
}

fn evaluate(file: &Path) -> Result<Value, String> {
    let answer = isacopt(["evaluate".as_ref(), file.as_os_str(), "--json".as_ref()]);
    check(answer.code == Some(0), || format!("evaluate: {}", answer.err))?;
    serde_json::from_str(&answer.out).map_err(|e| format!("evaluate: {e}"))
}

/// `isacopt solve` gives the expected answer, and its design, judged again, is worth what it says.
fn solved(file: &Path, case: &Value, entry: &Value, scratch: &Path, index: usize) -> Check {
    let name = format!("solve `{}`", entry["name"].as_str().unwrap_or_default());
    let within = |why: String| format!("{name}: {why}");
    let mut arguments = vec!["solve".to_string(), file.display().to_string(), "--json".into()];
    for key in ["solver", "objective", "start", "seed"] {
        let value = match &entry[key] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        arguments.extend([format!("--{key}"), value]);
    }
    for (key, value) in entry["set"].as_object().into_iter().flatten() {
        arguments.extend(["--set".into(), format!("{key}={value}")]);
    }
    let answer = isacopt(&arguments);
    let expect = &entry["expect"];
    if expect["input_error"] == true {
        let solver = entry["solver"].as_str().unwrap_or_default();
        return check(answer.code == Some(2) && answer.out.is_empty() && answer.err.contains(solver), || {
            within(format!("not refused with the solver's name: {answer:?}"))
        });
    }
    check(answer.code == Some(0), || within(answer.err.clone()))?;
    let got: Value = serde_json::from_str(&answer.out).map_err(|e| within(e.to_string()))?;
    fulfils(&got, expect).map_err(within)?;
    if let Some(metric) = entry["objective"].as_str() {
        check(got["objective"]["metric"] == metric, || within(format!("objective {}", got["objective"])))?;
    }
    if got["design"].is_null() {
        return Ok(());
    }
    let place = scratch.join(format!("{index}.{}", file.file_name().unwrap_or_default().to_string_lossy()));
    judged_again(&got, case, entry, &place).map_err(within)
}

/// Status, objective, bound, gap and feasibility of an answer.
fn fulfils(got: &Value, expect: &Value) -> Check {
    if let Some(statuses) = expect["status"].as_array() {
        check(statuses.contains(&got["status"]), || format!("status {}, expected one of {statuses:?}", got["status"]))?;
    }
    matches_feasibility(got, expect)?;
    close(&got["objective"]["value"], &expect["objective"]).map_err(|why| format!("objective: {why}"))?;
    let asked = expect["bound"].get("value").is_some();
    if !got["bound"].is_null() || asked {
        close(&got["bound"], &expect["bound"]).map_err(|why| format!("bound: {why}"))?;
    }
    for (name, value) in expect["metrics"].as_object().into_iter().flatten() {
        close(&got["metrics"][name]["value"], value).map_err(|why| format!("`{name}`: {why}"))?;
    }
    if got["status"] == "optimal" {
        let proven = number(&got["gap"]).is_some_and(|gap| gap <= 1e-6) || got["certificate"].is_object();
        check(proven && got["feasible"] == true, || format!("optimal without a proof: gap {}", got["gap"]))?;
    }
    let complete = ["iterations", "evaluations", "time_s", "trace", "metrics"].iter().all(|key| got.get(key).is_some());
    check(complete, || "the answer lacks keys".into())
}

/// The answer's design in a file of its own has the answer's objective and feasibility.
fn judged_again(got: &Value, case: &Value, entry: &Value, place: &Path) -> Check {
    let mut file = case.clone();
    let Some(object) = file.as_object_mut() else { return Err("no object".into()) };
    object.remove("expected");
    object.insert("designs".into(), json!({ "answer": got["design"] }));
    for (key, value) in entry["set"].as_object().into_iter().flatten() {
        if key.starts_with("instance.") {
            let pointer = format!("/{}", key.replace('.', "/"));
            match file.pointer_mut(&pointer) {
                Some(slot) => *slot = value.clone(),
                None => file["instance"][key.trim_start_matches("instance.")] = value.clone(),
            }
        }
    }
    std::fs::write(place, file.to_string()).map_err(|e| e.to_string())?;
    let again = evaluate(place)?;
    let again = &again["designs"]["answer"];
    check(again["feasible"] == got["feasible"], || format!("judged again: feasible {}", again["feasible"]))?;
    let metric = got["objective"]["metric"].as_str().unwrap_or_default();
    let wanted = json!({ "value": got["objective"]["value"], "rtol": JUDGED_AGAIN, "atol": 1e-12 });
    close(&again["metrics"][metric]["value"], &wanted).map_err(|why| format!("judged again: `{metric}`: {why}"))
}

fn matches_feasibility(got: &Value, wanted: &Value) -> Check {
    let violation = number(&got["violation"]).filter(|v| *v >= 0.0).ok_or(format!("violation {}", got["violation"]))?;
    check(got["feasible"] == (violation <= 1e-6), || format!("feasible {} at {violation}", got["feasible"]))?;
    match wanted.get("feasible") {
        Some(feasible) => {
            check(got["feasible"] == *feasible, || format!("feasible {}, not {feasible}", got["feasible"]))
        }
        None => Ok(()),
    }
}

/// Whether a value is what is asked for: `value` with `rtol` and `atol`, entry by entry, and `at_least`, `at_most`.
fn close(got: &Value, wanted: &Value) -> Check {
    let tolerance = |key: &str| wanted[key].as_f64().unwrap_or(0.0);
    if let Some(value) = wanted.get("value") {
        same(got, value, tolerance("rtol"), tolerance("atol"))?;
    }
    for (key, sign) in [("at_least", 1.0), ("at_most", -1.0)] {
        if let Some(limit) = wanted.get(key).and_then(number) {
            let holds = number(got).is_some_and(|x| sign * x >= sign * limit);
            check(holds, || format!("{got}, expected {key} {limit}"))?;
        }
    }
    Ok(())
}

fn same(got: &Value, wanted: &Value, rtol: f64, atol: f64) -> Check {
    let differs = || format!("{got}, expected {wanted}");
    match (got, wanted) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).try_for_each(|(a, b)| same(a, b, rtol, atol))
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            b.iter().try_for_each(|(key, b)| same(a.get(key).unwrap_or(&Value::Null), b, rtol, atol))
        }
        _ => match (number(got), number(wanted)) {
            // Infinite and undefined values are texts, and must be the same.
            (Some(_), Some(b)) if !b.is_finite() => check(got == wanted, differs),
            (Some(a), Some(b)) => check((a - b).abs() <= rtol * b.abs() + atol, differs),
            _ => check(got == wanted, differs),
        },
    }
}

#[test]
fn the_comparison_itself_can_fail() {
    let near = json!({ "value": [1.0, "inf"], "rtol": 1e-7, "atol": 0.0 });
    assert!(close(&json!([1.0 + 5e-8, "inf"]), &near).is_ok());
    for bad in [json!([1.0 + 2e-7, "inf"]), json!([1.0, 1e300]), json!([1.0]), json!(1.0), json!(["nan", "inf"])] {
        assert!(close(&bad, &near).is_err(), "{bad}");
    }
    assert!(close(&json!(2.0), &json!({ "at_least": 2.0, "at_most": 3.0 })).is_ok());
    assert!(
        close(&json!(1.9), &json!({ "at_least": 2.0 })).is_err()
            && close(&Value::Null, &json!({ "at_most": 1 })).is_err()
    );
}
