//! Joining run folders of several machines. What two of them say about the same run must agree to 1e-9; what only one of
//! them has is taken over. Which processor a run was on stands in its time's line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::plan::Plan;
use super::store::Store;
use crate::config::Experiment;
use crate::error::{Error, InputError, Result};
use crate::metric::number_from_json;
use crate::results::{RunFolder, RunRecord, Timing, layout};

/// Values of two machines agree when they differ by at most this part of the larger.
const AGREE: f64 = 1e-9;
/// So many conflicts are told.
const TOLD: usize = 20;

/// What was joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Runs that more than one folder had.
    pub common: usize,
    /// Runs of the joint plan that are there.
    pub there: usize,
    /// Runs of the joint plan.
    pub total: usize,
}

/// Joins run folders into a new one, or into one that was joined before.
///
/// # Errors
/// Where the folders are of different experiments, or say different things about a run, with all conflicts by name.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Merged> {
    let mut read = Vec::new();
    for folder in folders {
        Store::existing(folder)?;
        read.push(RunFolder::read(folder)?);
    }
    let config = joint_config(&read)?;
    let mut joint: BTreeMap<&str, (&RunFolder, &RunRecord)> = BTreeMap::new();
    let mut common = std::collections::BTreeSet::new();
    let mut conflicts = Vec::new();
    for folder in &read {
        let mut seen = std::collections::HashSet::new();
        for record in folder.records.iter().filter(|record| seen.insert(record.run.as_str())) {
            match joint.get(record.run.as_str()) {
                None => {
                    joint.insert(&record.run, (folder, record));
                }
                Some((other, known)) => {
                    common.insert(record.run.as_str());
                    if let Some(why) = difference(known, record) {
                        conflicts.push(format!(
                            "run {} (`{}`, cell {}, trial {}): {why} in {} and {}",
                            record.run,
                            record.solver,
                            record.cell,
                            record.trial,
                            other.path.display(),
                            folder.path.display()
                        ));
                    }
                }
            }
        }
    }
    if !conflicts.is_empty() {
        let count = conflicts.len();
        conflicts.truncate(TOLD);
        let mut text = format!("{count} runs differ between the folders; nothing was joined\n{}", conflicts.join("\n"));
        if count > TOLD {
            text += &format!("\nand {} more", count - TOLD);
        }
        return Err(Error::CheckFailed(text));
    }
    let timings: Vec<BTreeMap<String, Timing>> = read.iter().map(RunFolder::timings).collect::<Result<_>>()?;
    let store = Store::open(out)?;
    let _held = store.hold()?;
    store.write(layout::CONFIG, &config)?;
    let mut writer = store.writer()?;
    for (run, (folder, record)) in &joint {
        let place = read.iter().position(|f| std::ptr::eq(f, *folder)).unwrap_or(0);
        let mut timing = timings[place].get(*run).cloned().unwrap_or_else(|| Timing {
            run: (*run).to_string(),
            time_s: f64::NAN,
            ..Timing::default()
        });
        if timing.processor.is_none() {
            timing.processor = folder.environment.get("cpu").and_then(Value::as_str).map(str::to_string);
        }
        let trace = folder.trace(run)?;
        if timing.time_s.is_finite() {
            writer.append(record, &timing, &trace)?;
        } else {
            writer.append_untimed(record, &trace)?;
        }
    }
    writer.finish()?;
    let plan = Plan::new(Experiment::read(&out.join(layout::CONFIG), &[])?)?;
    super::execute::describe(&plan, &store, 1, true, false)?;
    let there = store.collect(&plan)?;
    let environments: Map<String, Value> =
        read.iter().map(|f| (f.path.display().to_string(), f.environment.clone())).collect();
    if let Some(Value::Object(first)) = environments.values().next() {
        let mut environment = first.clone();
        environment.insert("merged".into(), Value::Object(environments.clone()));
        store.write_json(layout::ENVIRONMENT, &Value::Object(environment))?;
    }
    Ok(Merged { common: common.len(), there, total: plan.runs.len() })
}

/// Where two records of a run differ; nothing where they agree.
fn difference(a: &RunRecord, b: &RunRecord) -> Option<String> {
    if a.status != b.status {
        return Some(format!("status: {} and {}", a.status.name(), b.status.name()));
    }
    let pairs = [
        ("objective", Some(a.objective.value), Some(b.objective.value)),
        ("bound", a.bound, b.bound),
        ("iterations", Some(a.iterations as f64), Some(b.iterations as f64)),
        ("evaluations", Some(a.evaluations as f64), Some(b.evaluations as f64)),
    ];
    for (name, x, y) in pairs {
        if x.is_some() != y.is_some() || x.zip(y).is_some_and(|(x, y)| !agree(x, y)) {
            let text = |value: Option<f64>| value.map_or("none".to_string(), |x| x.to_string());
            return Some(format!("{name}: {} and {}", text(x), text(y)));
        }
    }
    if a.feasible != b.feasible {
        return Some(format!("feasible: {} and {}", a.feasible, b.feasible));
    }
    let names = a.metrics.keys().chain(b.metrics.keys().filter(|name| !a.metrics.contains_key(*name)));
    names.into_iter().find_map(|name| match (a.metrics.get(name), b.metrics.get(name)) {
        (Some(x), Some(y)) => values_differ(x, y).map(|(x, y)| format!("{name}: {x} and {y}")),
        _ => Some(format!("{name}: in one of them only")),
    })
}

fn agree(x: f64, y: f64) -> bool {
    let both_finite = x.is_finite() && y.is_finite();
    x == y || x.is_nan() && y.is_nan() || both_finite && (x - y).abs() <= AGREE * x.abs().max(y.abs())
}

/// Two values of JSON that differ by more than rounding.
fn values_differ(a: &Value, b: &Value) -> Option<(Value, Value)> {
    match (a, b) {
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).find_map(|(x, y)| values_differ(x, y))
        }
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
            x.iter().find_map(|(key, x)| values_differ(x, y.get(key).unwrap_or(&Value::Null)))
        }
        _ if a == b => None,
        _ => match (number_from_json(a), number_from_json(b)) {
            (Some(x), Some(y)) if agree(x, y) => None,
            _ => Some((a.clone(), b.clone())),
        },
    }
}

/// One config for all folders: of experiments that differ in their solvers, their number of trials or the values of a
/// sweep the union, of others an error.
fn joint_config(folders: &[RunFolder]) -> Result<String> {
    let parse = |folder: &RunFolder| -> Result<toml::Table> {
        let path = folder.path.join(layout::CONFIG);
        folder
            .config
            .parse()
            .map_err(|e: toml::de::Error| InputError::new("", e.message(), "TOML").into())
            .map_err(|e: Error| e.in_file(path))
    };
    let Some(first) = folders.first() else {
        return Err(InputError::new("", "no run folder", "the folders to join").into());
    };
    let mut joint = parse(first)?;
    for folder in &folders[1..] {
        let other = parse(folder)?;
        let place = format!("{} and {}", first.path.display(), folder.path.display());
        let keys: Vec<String> = joint.keys().chain(other.keys()).cloned().collect();
        for key in keys {
            let (mine, theirs) = (joint.get(&key).cloned(), other.get(&key).cloned());
            // What changes no result need not agree. Where instance files lie may differ between machines; what they
            // hold is part of each run's address.
            if mine == theirs || ["name", "figure", "run", "resources", "instances"].contains(&key.as_str()) {
                continue;
            }
            let united = match (key.as_str(), mine, theirs) {
                ("solver", Some(mine), Some(theirs)) => solvers(mine, theirs),
                ("trials", Some(mine), Some(theirs)) => trials(mine, theirs),
                ("sweep", Some(mine), Some(theirs)) => sweep(mine, theirs),
                _ => None,
            };
            let Some(united) = united else {
                let found = format!("another `{key}` in {place}");
                let allowed = "experiments that differ in solvers, the count of trials or the values of one sweep";
                return Err(InputError::new(&key, found, allowed).into());
            };
            joint.insert(key, united);
        }
    }
    toml::to_string(&joint).map_err(|e| Error::Numerical(e.to_string()))
}

fn solvers(mine: toml::Value, theirs: toml::Value) -> Option<toml::Value> {
    let (toml::Value::Array(mut all), toml::Value::Array(theirs)) = (mine, theirs) else { return None };
    for solver in theirs {
        match all.iter().find(|known| known.get("label") == solver.get("label")) {
            Some(known) if *known != solver => return None,
            Some(_) => {}
            None => all.push(solver),
        }
    }
    Some(toml::Value::Array(all))
}

fn trials(mine: toml::Value, theirs: toml::Value) -> Option<toml::Value> {
    let (toml::Value::Table(mut all), toml::Value::Table(theirs)) = (mine, theirs) else { return None };
    let count = |table: &toml::Table| table.get("count").and_then(toml::Value::as_integer);
    let most = count(&all).max(count(&theirs));
    let rest =
        |table: &toml::Table| table.iter().filter(|(key, _)| *key != "count").all(|(k, v)| theirs.get(k) == Some(v));
    if !rest(&all) {
        return None;
    }
    all.insert("count".into(), toml::Value::Integer(most?));
    Some(toml::Value::Table(all))
}

/// Lists of the same single key, joined; crossed keys would ask for points that nobody ran.
fn sweep(mine: toml::Value, theirs: toml::Value) -> Option<toml::Value> {
    let (toml::Value::Table(mut all), toml::Value::Table(theirs)) = (mine, theirs) else { return None };
    let differing: Vec<String> = all.keys().filter(|key| theirs.get(*key) != all.get(*key)).cloned().collect();
    let [key] = differing.as_slice() else { return None };
    if all.len() != theirs.len() {
        return None;
    }
    let (toml::Value::Array(mut values), toml::Value::Array(more)) = (all.get(key)?.clone(), theirs.get(key)?.clone())
    else {
        return None;
    };
    if key == "zip" {
        return None;
    }
    for value in more {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    all.insert(key.clone(), toml::Value::Array(values));
    Some(toml::Value::Table(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_agree_to_rounding_and_no_further() {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let same = |a: &str, b: &str| values_differ(&value(a), &value(b)).is_none();
        assert!(same(
            "{\"value\": [1.0, \"inf\"], \"unit\": \"1\"}",
            "{\"value\": [1.0000000001, \"inf\"], \"unit\": \"1\"}"
        ));
        assert!(!same("[1.0, 2.0]", "[1.0, 2.00000001]"));
        assert!(
            !same("[1.0]", "[1.0, 2.0]")
                && !same("1.0", "\"inf\"")
                && same("\"nan\"", "\"nan\"")
                && same("null", "null")
        );
        assert!(agree(0.0, 0.0) && !agree(0.0, 1e-300) && agree(1e-300, 1e-300 * (1.0 + 1e-10)));
    }
}
