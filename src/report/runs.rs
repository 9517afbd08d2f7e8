//! The single runs on a page: a line for each, of very many for evenly spaced ones; and for as many as there is room for,
//! their metrics, trace and design.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::quantity::rounded;
use super::shown::Shown;
use super::study::Study;
use crate::error::{Error, Result};
use crate::metric::number_from_json;
use crate::problem::FEASIBLE;
use crate::results::{RunRecord, files_in, layout, scan};
use crate::trace::Record;

/// More runs than this are thinned.
const MOST_RUNS: usize = 4_000;
/// Names of runs have at least so many digits.
const LEAST_DIGITS: usize = 8;
/// What one trace may hold, and what entries of a metric or of a block of a design.
const STEPS: usize = 60;
const ENTRIES: usize = 256;
const BLOCK_LETTERS: usize = 800;
/// By how much packing shortens the details, at least.
const PACKING: usize = 3;
/// The least that the details of a run take.
const LEAST_DETAILS: usize = 250;

/// So many digits tell all runs apart: `isacopt replay` takes the beginning of a run's address.
pub fn digits(study: &Study) -> usize {
    let runs: BTreeSet<&str> = study.folder.records.iter().map(|r| r.run.as_str()).collect();
    let runs: Vec<&str> = runs.into_iter().collect();
    let common = |pair: &[&str]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    runs.windows(2).map(|pair| common(pair) + 1).max().unwrap_or(0).max(LEAST_DIGITS)
}

fn short(run: &str, digits: usize) -> &str {
    run.get(..digits).unwrap_or(run)
}

/// The list: columns by solver; with the names of the ends of runs that its numbers mean.
pub fn list(study: &Study, shown: &Shown, digits: usize) -> (Value, Vec<String>) {
    let mut ends: Vec<String> = Vec::new();
    let step = study.folder.records.len().div_ceil(MOST_RUNS).max(1);
    let solvers: Vec<Value> = (0..study.solvers.len())
        .map(|solver| {
            let of_cell = |(at, cell): (usize, &usize)| study.records(*cell, solver).map(move |r| (at, r));
            let records: Vec<(usize, &RunRecord)> =
                shown.cells.iter().enumerate().flat_map(of_cell).step_by(step).collect();
            let ended = records.iter().map(|(_, r)| {
                let name = r.status.name().replace('_', " ");
                ends.iter().position(|known| *known == name).unwrap_or_else(|| {
                    ends.push(name);
                    ends.len() - 1
                })
            });
            let ended: Vec<usize> = ended.collect();
            let column = |of: &dyn Fn(&RunRecord) -> Value| records.iter().map(|(_, r)| of(r)).collect::<Value>();
            let time = |r: &RunRecord| study.folder.times.get(&r.run).copied().unwrap_or(f64::NAN);
            json!({
                "id": column(&|r| short(&r.run, digits).into()),
                "cell": records.iter().map(|(cell, _)| *cell).collect::<Vec<_>>(),
                "trial": column(&|r| r.trial.into()),
                "status": ended,
                "objective": column(&|r| rounded(r.objective.value, 6)),
                "violation": column(&|r| rounded(r.violation, 2)),
                "gap": column(&|r| rounded(study.run_gap(r).unwrap_or(f64::NAN), 3)),
                "time": column(&|r| rounded(time(r), 3)),
                "iterations": column(&|r| r.iterations.into()),
                "evaluations": column(&|r| r.evaluations.into()),
            })
        })
        .collect();
    (solvers.into(), ends)
}

/// The details of runs as text: JSON by run, deflated, in base64; at most about so many letters.
///
/// Every row of results comes first with its first trial, then with what failed, then with the others.
///
/// # Errors
/// Where a trace or a design cannot be read.
pub fn details(study: &Study, shown: &Shown, digits: usize, letters: usize) -> Result<String> {
    let room = letters * PACKING;
    let mut order: Vec<(usize, usize, &RunRecord)> = Vec::new();
    for (at, cell) in shown.cells.iter().enumerate() {
        for solver in 0..study.solvers.len() {
            let mut records: Vec<&RunRecord> = study.records(*cell, solver).collect();
            if let Some((_, others)) = records.split_first_mut() {
                others.sort_by_key(|r| r.feasible);
            }
            order.extend(records.into_iter().enumerate().map(|(rank, r)| (rank, at, r)));
        }
    }
    order.sort_by_key(|(rank, at, _)| (*rank, *at));
    order.truncate(room / LEAST_DETAILS + 1);
    let designs = designs(study, order.iter().map(|(_, _, r)| r.run.as_str()).collect())?;
    let mut text = String::from("{");
    let mut known = BTreeSet::new();
    for (_, at, record) in order {
        if !known.insert(&record.run) {
            continue;
        }
        let entry = detail(study, shown.cells[at], record, designs.get(&record.run))?;
        let entry = format!("{}:{entry}", Value::from(short(&record.run, digits)));
        if text.len() + entry.len() > room {
            break;
        }
        if text.len() > 1 {
            text.push(',');
        }
        text += &entry;
    }
    pack(&(text + "}"))
}

fn detail(study: &Study, cell: usize, record: &RunRecord, design: Option<&Value>) -> Result<Value> {
    let mut metrics = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate().filter(|(_, q)| !q.id.starts_with("run.")) {
        let entries = study.entries(quantity, record);
        if !entries.is_empty() && entries.len() <= ENTRIES {
            let entries = entries.iter().map(|x| rounded(*x, 6)).collect::<Vec<_>>();
            metrics.insert(index.to_string(), entries.into());
        }
    }
    let mut facts = Map::new();
    if let Some(instance) = &record.instance {
        facts.insert("Instance".into(), instance.clone().into());
    }
    if let Some(plugin) = &record.plugin {
        facts.insert("Plugin".into(), format!("{} {}", plugin.name, plugin.version).into());
    }
    if record.bound_scope.is_some() {
        facts.insert("Its own bound".into(), "of its restriction of the problem only".into());
    }
    let trace = study.folder.trace(&record.run)?;
    let kept = thinned(&trace);
    let column = |of: &dyn Fn(&Record) -> Value| kept.iter().map(|r| of(r)).collect::<Value>();
    let steps = [
        column(&|r| r.iteration.into()),
        column(&|r| r.evaluations.into()),
        column(&|r| rounded(r.time, 4)),
        column(&|r| rounded(r.objective, 7)),
        column(&|r| u8::from(r.violation <= FEASIBLE).into()),
    ];
    Ok(json!({
        "reason": record.reason,
        "bound": study.bound(cell, record.trial).map_or(Value::Null, |b| rounded(b, 7)),
        "facts": facts,
        "metrics": metrics,
        "trace": steps,
        "thinned": kept.len() < trace.len(),
        "design": design.map(blocks),
    }))
}

/// The first step, the last, and between them more at the beginning, where most happens.
fn thinned(trace: &[Record]) -> Vec<&Record> {
    if trace.len() <= STEPS {
        return trace.iter().collect();
    }
    let last = (trace.len() - 1) as f64;
    let place = |i: usize| (last.powf(i as f64 / (STEPS - 2) as f64)).round() as usize;
    let places: BTreeSet<usize> = std::iter::once(0).chain((0..STEPS - 1).map(place)).collect();
    places.into_iter().map(|i| &trace[i]).collect()
}

/// The blocks of a design: short ones as they stand, long ones by their size and range.
fn blocks(design: &Value) -> Value {
    let single = || std::iter::once(("design".to_string(), design)).collect::<BTreeMap<_, _>>();
    let blocks = design.as_object().map_or_else(single, |o| o.iter().map(|(name, v)| (name.clone(), v)).collect());
    let mut out = Map::new();
    let mut all = 0;
    for (name, value) in blocks {
        let (short, mut numbers) = (shortened(value), Vec::new());
        flatten(value, &mut numbers);
        all += numbers.len();
        let text = short.to_string();
        let block = if text.len() <= BLOCK_LETTERS {
            json!({ "values": text.replace(',', ", ") })
        } else {
            let finite = || numbers.iter().copied().filter(|x| x.is_finite());
            let least = rounded(finite().fold(f64::INFINITY, f64::min), 4);
            json!({"count": numbers.len(), "least": least, "most": rounded(finite().fold(f64::NEG_INFINITY, f64::max), 4)})
        };
        out.insert(name, block);
    }
    json!({"count": all, "blocks": out})
}

fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shortened).collect(),
        Value::Object(fields) => Value::Object(fields.iter().map(|(k, v)| (k.clone(), shortened(v))).collect()),
        Value::Number(n) => n.as_f64().map_or(Value::Null, |x| rounded(x, 5)),
        other => other.clone(),
    }
}

fn flatten(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| flatten(v, out)),
        Value::Object(fields) => fields.values().for_each(|v| flatten(v, out)),
        other => out.extend(number_from_json(other)),
    }
}

/// The designs of some runs: studies are read without them.
fn designs(study: &Study, runs: BTreeSet<&str>) -> Result<HashMap<String, Value>> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        design: Option<Value>,
    }
    let mut found = HashMap::new();
    let path = &study.folder.path;
    let segments = files_in(&path.join(layout::SEGMENTS), layout::SEGMENT_RESULTS)?;
    for file in std::iter::once(path.join(layout::RESULTS)).chain(segments) {
        scan(&file, &mut |run, _, line| {
            if runs.contains(run) && !found.contains_key(run) {
                // A line that cannot be read has no run in the study either.
                if let Ok(Line { design: Some(design) }) = serde_json::from_slice(line) {
                    found.insert(run.to_string(), design);
                }
            }
        })?;
    }
    Ok(found)
}

fn pack(text: &str) -> Result<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    Ok(base64(&packed.map_err(|e| Error::Numerical(e.to_string()))?))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!(
            ["", "f", "fo", "foo", "foob", "fooba"].map(of),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE="]
        );
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }

    #[test]
    fn long_traces_keep_their_ends_and_their_beginning() {
        let step =
            |i: u64| Record { iteration: i, evaluations: i, time: 0.0, objective: 0.0, violation: 0.0, bound: None };
        let long: Vec<Record> = (0..5000).map(step).collect();
        let kept: Vec<u64> = thinned(&long).iter().map(|r| r.iteration).collect();
        assert!(kept.len() <= STEPS && kept.is_sorted(), "{kept:?}");
        assert_eq!((kept[0], kept[1], kept[2], *kept.last().unwrap()), (0, 1, 2, 4999));
        assert_eq!(thinned(&long[..7]).len(), 7);
    }

    #[test]
    fn long_blocks_are_told_by_size_and_range() {
        let long: Vec<f64> = (0..500).map(f64::from).collect();
        let told = blocks(&json!({"power": [0.123_456_78, 2.0], "phase": long}));
        assert_eq!(told["count"], 502);
        assert_eq!(told["blocks"]["power"]["values"], "[0.12346, 2]");
        assert_eq!(told["blocks"]["phase"], json!({"count": 500, "least": 0, "most": 499}));
    }
}
