//! A run folder as long tables, a row a run, a metric's entry or an iteration, for pandas, polars, R or a database.
//!
//! | table | columns |
//! |---|---|
//! | `runs` | `run`, `cell`, `trial`, `instance`, `solver`, `type`, `status`, `reason`, `objective`, `value`, `unit`, `direction`, `feasible`, `violation`, `bound`, `bound_scope`, `gap`, `iterations`, `evaluations`, `time_s`, `repeats`, `processor`, and one column for each key of the sweep |
//! | `metrics` | `run`, `cell`, `trial`, `solver`, `metric`, `entry` (row-major; none for a scalar), `value`, `unit` |
//! | `trace` | `run`, `cell`, `trial`, `solver`, `iteration`, `evaluations`, `time_s`, `objective`, `violation`, `bound` |

use std::collections::BTreeSet;

use serde_json::Value;

use super::{RunFolder, RunRecord};
use crate::error::Result;
use crate::metric::Direction;

/// Rows that are held at a time.
const BATCH: usize = 1 << 17;

/// Some rows of a table, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// How many rows.
    pub count: usize,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its entries.
    pub entries: Entries,
}

/// The entries of a column; each may be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Entries {
    /// Numbers, which may be infinite or undefined.
    Number(Vec<Option<f64>>),
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Yes or no.
    Flag(Vec<Option<bool>>),
    /// Texts.
    Text(Vec<Option<String>>),
}

/// Where rows go. All calls for a table have the same columns.
pub trait Sink {
    /// Takes some rows.
    fn rows(&mut self, rows: &Rows) -> Result<()>;
}

/// The names of the tables.
pub const TABLES: [&str; 3] = ["runs", "metrics", "trace"];

/// Writes a table of a run folder, some rows at a time; at least once, so that an empty table has its columns.
///
/// # Errors
/// Where the folder cannot be read, or the sink fails.
pub fn write_table(folder: &RunFolder, table: &str, sink: &mut dyn Sink) -> Result<()> {
    match table {
        "metrics" => metrics(folder, sink),
        "trace" => trace(folder, sink),
        _ => runs(folder, sink),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Whole,
    Flag,
    Text,
}

enum Cell<'a> {
    Number(Option<f64>),
    Whole(Option<u64>),
    Flag(bool),
    Text(Option<&'a str>),
}

impl Rows {
    fn new(columns: &[(&str, Kind)]) -> Self {
        let column = |(name, kind): &(&str, Kind)| Column {
            name: name.to_string(),
            entries: match kind {
                Kind::Number => Entries::Number(Vec::new()),
                Kind::Whole => Entries::Whole(Vec::new()),
                Kind::Flag => Entries::Flag(Vec::new()),
                Kind::Text => Entries::Text(Vec::new()),
            },
        };
        Self { columns: columns.iter().map(column).collect(), count: 0 }
    }

    fn push<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (&mut column.entries, cell) {
                (Entries::Number(entries), Cell::Number(x)) => entries.push(x),
                (Entries::Whole(entries), Cell::Whole(x)) => entries.push(x.and_then(|x| i64::try_from(x).ok())),
                (Entries::Flag(entries), Cell::Flag(x)) => entries.push(Some(x)),
                (Entries::Text(entries), Cell::Text(x)) => entries.push(x.map(str::to_string)),
                // A cell of another kind is a missing one.
                (Entries::Number(entries), _) => entries.push(None),
                (Entries::Whole(entries), _) => entries.push(None),
                (Entries::Flag(entries), _) => entries.push(None),
                (Entries::Text(entries), _) => entries.push(None),
            }
        }
        self.count += 1;
    }

    fn flush(&mut self, sink: &mut dyn Sink) -> Result<()> {
        sink.rows(self)?;
        for column in &mut self.columns {
            match &mut column.entries {
                Entries::Number(entries) => entries.clear(),
                Entries::Whole(entries) => entries.clear(),
                Entries::Flag(entries) => entries.clear(),
                Entries::Text(entries) => entries.clear(),
            }
        }
        self.count = 0;
        Ok(())
    }
}

/// The first cells of every row of a run.
fn place(record: &RunRecord) -> [Cell<'_>; 4] {
    [
        Cell::Text(Some(&record.run)),
        Cell::Whole(Some(record.cell as u64)),
        Cell::Whole(Some(record.trial)),
        Cell::Text(Some(&record.solver)),
    ]
}

const PLACE: [(&str, Kind); 4] =
    [("run", Kind::Text), ("cell", Kind::Whole), ("trial", Kind::Whole), ("solver", Kind::Text)];

fn runs(folder: &RunFolder, sink: &mut dyn Sink) -> Result<()> {
    let timings = folder.timings()?;
    let keys: BTreeSet<&String> = folder.records.iter().flat_map(|r| r.sweep.keys()).collect();
    let numbers: Vec<bool> =
        keys.iter().map(|key| folder.records.iter().all(|r| r.sweep.get(*key).is_none_or(Value::is_number))).collect();
    let sweep_names: Vec<String> = keys.iter().map(|key| format!("sweep.{key}")).collect();
    let own = [
        ("instance", Kind::Text),
        ("type", Kind::Text),
        ("status", Kind::Text),
        ("reason", Kind::Text),
        ("objective", Kind::Text),
        ("value", Kind::Number),
        ("unit", Kind::Text),
        ("direction", Kind::Text),
        ("feasible", Kind::Flag),
        ("violation", Kind::Number),
        ("bound", Kind::Number),
        ("bound_scope", Kind::Text),
        ("gap", Kind::Number),
        ("iterations", Kind::Whole),
        ("evaluations", Kind::Whole),
        ("time_s", Kind::Number),
        ("repeats", Kind::Whole),
        ("processor", Kind::Text),
    ];
    let swept = sweep_names.iter().zip(&numbers);
    let swept = swept.map(|(name, number)| (name.as_str(), if *number { Kind::Number } else { Kind::Text }));
    let columns: Vec<(&str, Kind)> = PLACE.into_iter().chain(own).chain(swept).collect();
    let mut rows = Rows::new(&columns);
    for record in &folder.records {
        let timing = timings.get(&record.run);
        let objective = &record.objective;
        let own = [
            Cell::Text(record.instance.as_deref()),
            Cell::Text(Some(&record.type_name)),
            Cell::Text(Some(record.status.name())),
            Cell::Text(Some(&record.reason)),
            Cell::Text(Some(&objective.metric)),
            Cell::Number(Some(objective.value)),
            Cell::Text(Some(&objective.unit)),
            Cell::Text(Some(if objective.direction == Direction::Maximize { "maximize" } else { "minimize" })),
            Cell::Flag(record.feasible),
            Cell::Number(Some(record.violation)),
            Cell::Number(record.bound),
            Cell::Text(record.bound_scope.as_deref()),
            Cell::Number(record.gap),
            Cell::Whole(Some(record.iterations)),
            Cell::Whole(Some(record.evaluations)),
            Cell::Number(timing.map(|t| t.time_s)),
            Cell::Whole(timing.and_then(|t| t.repeats)),
            Cell::Text(timing.and_then(|t| t.processor.as_deref())),
        ];
        let texts: Vec<Option<String>> = keys
            .iter()
            .map(|key| record.sweep.get(*key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_string)))
            .collect();
        let swept = keys.iter().zip(&numbers).zip(&texts).map(|((key, number), text)| {
            if *number {
                Cell::Number(record.sweep.get(*key).and_then(Value::as_f64))
            } else {
                Cell::Text(text.as_deref())
            }
        });
        rows.push(place(record).into_iter().chain(own).chain(swept));
        if rows.count >= BATCH {
            rows.flush(sink)?;
        }
    }
    rows.flush(sink)
}

fn metrics(folder: &RunFolder, sink: &mut dyn Sink) -> Result<()> {
    let own = [("metric", Kind::Text), ("entry", Kind::Whole), ("value", Kind::Number), ("unit", Kind::Text)];
    let mut rows = Rows::new(&PLACE.into_iter().chain(own).collect::<Vec<_>>());
    for record in &folder.records {
        for metric in record.metrics.iter() {
            for (entry, value) in metric.entries().iter().enumerate() {
                let entry = (!metric.is_scalar()).then_some(entry as u64);
                let (id, unit) = (Cell::Text(Some(metric.id())), Cell::Text(Some(metric.unit())));
                let own = [id, Cell::Whole(entry), Cell::Number(Some(*value)), unit];
                rows.push(place(record).into_iter().chain(own));
            }
        }
        if rows.count >= BATCH {
            rows.flush(sink)?;
        }
    }
    rows.flush(sink)
}

fn trace(folder: &RunFolder, sink: &mut dyn Sink) -> Result<()> {
    let own = [
        ("iteration", Kind::Whole),
        ("evaluations", Kind::Whole),
        ("time_s", Kind::Number),
        ("objective", Kind::Number),
        ("violation", Kind::Number),
        ("bound", Kind::Number),
    ];
    let mut rows = Rows::new(&PLACE.into_iter().chain(own).collect::<Vec<_>>());
    for record in &folder.records {
        for at in folder.trace(&record.run)? {
            let own = [
                Cell::Whole(Some(at.iteration)),
                Cell::Whole(Some(at.evaluations)),
                Cell::Number(Some(at.time)),
                Cell::Number(Some(at.objective)),
                Cell::Number(Some(at.violation)),
                Cell::Number(at.bound),
            ];
            rows.push(place(record).into_iter().chain(own));
        }
        if rows.count >= BATCH {
            rows.flush(sink)?;
        }
    }
    rows.flush(sink)
}
