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
use crate::results::{Index, Measured, RunFolder, RunRecord, Timing, layout};

/// Values of two machines agree when they differ by at most this part of the larger; the numbers of a design, when they
/// differ by at most this part of the largest in their block: what would be 0 but for rounding says nothing.
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

/// A folder to be joined: all but its records, which are read one by one.
struct Part {
    folder: RunFolder,
    records: Index,
    timings: BTreeMap<String, Timing>,
}

impl Part {
    fn read(path: &Path) -> Result<Self> {
        let folder = RunFolder::without_records(path)?;
        Ok(Self { records: Store::existing(path)?.finished()?, timings: folder.timings()?, folder })
    }

    /// One of its runs.
    fn record(&self, run: &str) -> Result<RunRecord> {
        let mut line = Vec::new();
        self.records.read(run, &mut line)?;
        serde_json::from_slice(&line).map_err(|e| {
            Error::from(InputError::new(run, e.to_string(), "what isacopt writes there")).in_file(&self.folder.path)
        })
    }

    /// When, and on what, a run was done; none where it is not known.
    fn timing(&self, run: &str) -> Option<Timing> {
        let mut timing = self.timings.get(run)?.clone();
        if timing.processor.is_none() {
            timing.processor = self.folder.environment.get("cpu").and_then(Value::as_str).map(str::to_string);
        }
        Some(timing)
    }
}

/// Joins run folders into a new one, or into one that was joined before.
///
/// # Errors
/// Where the folders are of different experiments, or say different things about a run, with all conflicts by name.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Merged> {
    let parts: Vec<Part> = folders.iter().map(|folder| Part::read(folder)).collect::<Result<_>>()?;
    let config = joint_config(&parts)?;
    let mut joint: BTreeMap<&str, Vec<&Part>> = BTreeMap::new();
    for part in &parts {
        part.records.runs().into_iter().for_each(|run| joint.entry(run).or_default().push(part));
    }
    check(&joint)?;
    let store = Store::open(out)?;
    let _held = store.hold()?;
    store.write(layout::CONFIG, &config)?;
    let mut writer = store.writer()?;
    for (run, having) in &joint {
        let part = having[0];
        let (record, trace) = (part.record(run)?, part.folder.trace(run)?);
        match part.timing(run) {
            Some(timing) => writer.append(&record, &timing, &trace)?,
            None => writer.append_untimed(&record, &trace)?,
        }
    }
    writer.finish()?;
    let plan = Plan::new(Experiment::read(&out.join(layout::CONFIG), &[])?)?;
    super::execute::describe(&plan, &store, 1, true, false)?;
    let there = store.collect(&plan)?;
    let environments: Map<String, Value> =
        parts.iter().map(|p| (p.folder.path.display().to_string(), p.folder.environment.clone())).collect();
    if let Some(Value::Object(first)) = environments.values().next() {
        let mut environment = first.clone();
        environment.insert("merged".into(), Value::Object(environments.clone()));
        store.write_json(layout::ENVIRONMENT, &Value::Object(environment))?;
    }
    let common = joint.values().filter(|having| having.len() > 1).count();
    Ok(Merged { common, there, total: plan.runs.len() })
}

/// Compares the runs that several folders have.
fn check(joint: &BTreeMap<&str, Vec<&Part>>) -> Result<()> {
    let (mut count, mut told) = (0, Vec::new());
    for (run, having) in joint.iter().filter(|(_, having)| having.len() > 1) {
        let known = having[0].record(run)?;
        for part in &having[1..] {
            let record = part.record(run)?;
            let Some(why) = difference(&known, &record) else { continue };
            count += 1;
            if told.len() < TOLD {
                told.push(format!(
                    "run {run} (`{}`, cell {}, trial {}): {why} in {} and {}",
                    record.solver,
                    record.cell,
                    record.trial,
                    having[0].folder.path.display(),
                    part.folder.path.display()
                ));
            }
        }
    }
    if count == 0 {
        return Ok(());
    }
    let mut text = format!("{count} runs differ between the folders; nothing was joined\n{}", told.join("\n"));
    if count > told.len() {
        text += &format!("\nand {} more", count - told.len());
    }
    Err(Error::CheckFailed(text))
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
    let metrics = a.metrics.iter().filter_map(|metric| match b.metrics.get(metric.id()) {
        Some(other) => metrics_differ(metric, other),
        None => Some(format!("{}: in the first only", metric.id())),
    });
    let more = b.metrics.iter().filter(|metric| a.metrics.get(metric.id()).is_none());
    let more = more.map(|metric| format!("{}: in the second only", metric.id()));
    metrics.chain(more).next().or_else(|| designs_differ(a.design.as_ref(), b.design.as_ref()))
}

/// Where a metric differs, Monte-Carlo figures beside it included.
fn metrics_differ(a: Measured<'_>, b: Measured<'_>) -> Option<String> {
    let rows = |metric: Measured<'_>| -> Vec<(String, Vec<f64>)> {
        let id = metric.id();
        let simulated = metric.simulated().map(|drawn| (format!("{id}.simulated"), drawn));
        let drawn =
            simulated.into_iter().chain(metric.estimated().map(|(name, drawn)| (format!("{id}.{name}"), drawn)));
        let drawn = drawn.flat_map(|(name, drawn)| {
            let error = (format!("{name}.standard_error"), drawn.standard_error.to_vec());
            [(format!("{name}.draws"), vec![drawn.draws as f64]), (name, drawn.value.to_vec()), error]
        });
        [(id.to_string(), metric.entries().to_vec())].into_iter().chain(drawn).collect()
    };
    let (mine, theirs) = (rows(a), rows(b));
    if a.unit() != b.unit() {
        return Some(format!("{}: in {} and in {}", a.id(), a.unit(), b.unit()));
    }
    if !mine.iter().map(|(name, row)| (name, row.len())).eq(theirs.iter().map(|(name, row)| (name, row.len()))) {
        return Some(format!("{}: of different shapes", a.id()));
    }
    mine.iter().zip(&theirs).find_map(|((name, x), (_, y))| {
        let (x, y) = x.iter().zip(y).find(|(x, y)| !agree(**x, **y))?;
        Some(format!("{name}: {x} and {y}"))
    })
}

/// Where two designs differ.
fn designs_differ(a: Option<&Value>, b: Option<&Value>) -> Option<String> {
    let (Some(a), Some(b)) = (a, b) else { return (a != b).then(|| "design: in one of them only".into()) };
    let none = Map::new();
    let (mine, theirs) = (a.as_object().unwrap_or(&none), b.as_object().unwrap_or(&none));
    if let Some(name) = theirs.keys().find(|name| !mine.contains_key(*name)) {
        return Some(format!("design.{name}: in the second only"));
    }
    mine.iter().find_map(|(name, block)| {
        let Some(other) = theirs.get(name) else { return Some(format!("design.{name}: in the first only")) };
        let (mut x, mut y) = (Vec::new(), Vec::new());
        numbers(block, &mut x);
        numbers(other, &mut y);
        if x.len() != y.len() {
            return Some(format!("design.{name}: {} and {} numbers", x.len(), y.len()));
        }
        let largest = x.iter().chain(&y).fold(0.0_f64, |most, z| most.max(z.abs()));
        let at = x.iter().zip(&y).position(|(x, y)| !(agree(*x, *y) || (x - y).abs() <= AGREE * largest))?;
        Some(format!("design.{name}: {} and {} at number {}", x[at], y[at], at + 1))
    })
}

/// The numbers of a block in the order in which they are written.
fn numbers(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| numbers(item, out)),
        Value::Object(parts) => parts.values().for_each(|part| numbers(part, out)),
        other => out.push(number_from_json(other).unwrap_or(f64::NAN)),
    }
}

fn agree(x: f64, y: f64) -> bool {
    let both_finite = x.is_finite() && y.is_finite();
    x == y || x.is_nan() && y.is_nan() || both_finite && (x - y).abs() <= AGREE * x.abs().max(y.abs())
}

/// One config for all folders: of experiments that differ in their solvers, their number of trials or the values of a
/// sweep the union, of others an error.
fn joint_config(parts: &[Part]) -> Result<String> {
    let parse = |part: &Part| -> Result<toml::Table> {
        let path = part.folder.path.join(layout::CONFIG);
        let read: std::result::Result<toml::Table, toml::de::Error> = part.folder.config.parse();
        read.map_err(|e| Error::from(InputError::new("", e.message(), "TOML")).in_file(path))
    };
    let Some(first) = parts.first() else {
        return Err(InputError::new("", "no run folder", "the folders to join").into());
    };
    let mut joint = parse(first)?;
    for part in &parts[1..] {
        let other = parse(part)?;
        let place = format!("{} and {}", first.folder.path.display(), part.folder.path.display());
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

    fn metrics(text: &str) -> crate::results::Metrics {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_agree_to_rounding_and_no_further() {
        let differ = |a: &str, b: &str| {
            let (a, b) = (format!("{{\"rate\":{a}}}"), format!("{{\"rate\":{b}}}"));
            metrics_differ(metrics(&a).get("rate").unwrap(), metrics(&b).get("rate").unwrap())
        };
        let same = |a: &str, b: &str| differ(&format!("{{\"value\":{a}}}"), &format!("{{\"value\":{b}}}")).is_none();
        assert!(same("[1.0, \"inf\"]", "[1.0000000001, \"inf\"]") && same("\"nan\"", "\"nan\""));
        assert!(!same("[1.0, 2.0]", "[1.0, 2.00000001]") && !same("[1.0]", "[1.0, 2.0]") && !same("1.0", "\"inf\""));
        let simulated = |x: f64| format!("{{\"value\":1.0,\"simulated\":{{\"value\":{x:?},\"standard_error\":0.1}}}}");
        assert_eq!(differ(&simulated(1.5), &simulated(2.5)).unwrap(), "rate.simulated: 1.5 and 2.5");
        assert_eq!(differ(&simulated(1.5), "{\"value\":1.0}").unwrap(), "rate: of different shapes");
        assert!(agree(0.0, 0.0) && !agree(0.0, 1e-300) && agree(1e-300, 1e-300 * (1.0 + 1e-10)));
    }

    #[test]
    fn designs_agree_to_a_part_of_their_blocks_largest_number() {
        let differ = |a: Value, b: Value| designs_differ(Some(&a), Some(&b));
        let beam =
            |re: f64, im: f64| serde_json::json!({ "beam": { "re": [3.0, re], "im": [0.0, im] }, "power": 1e-3 });
        assert_eq!(differ(beam(1.0, 1e-17), beam(1.0 + 2e-9, -1e-17)), None);
        assert_eq!(differ(beam(1.0, 0.0), beam(1.0, 4e-9)).unwrap(), "design.beam: 0 and 0.000000004 at number 4");
        let power = |x: f64| serde_json::json!({ "power": x });
        assert_eq!(differ(power(1e-3), power(1.00001e-3)).unwrap(), "design.power: 0.001 and 0.00100001 at number 1");
        assert_eq!(
            differ(power(1.0), serde_json::json!({ "power": [1.0, 2.0] })).unwrap(),
            "design.power: 1 and 2 numbers"
        );
        assert_eq!(differ(power(1.0), beam(1.0, 0.0)).unwrap(), "design.beam: in the second only");
        assert!(designs_differ(None, Some(&power(1.0))).is_some() && designs_differ(None, None).is_none());
    }
}
