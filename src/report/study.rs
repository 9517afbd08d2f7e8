//! A run folder arranged for tables and figures: solvers × cells × trials, and the trials that count.
//!
//! Solvers are compared over the same drops: a figure of a cell is made of the trials in which every compared solver
//! ended feasible. A solver is compared in a cell where it was feasible at least once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::benchmark::Benchmark;
use super::quantity::{Quantity, Scale};
use super::spread::{Spread, quantile, sorted};
use super::swept::{self, Axis, SweptKey};
use crate::error::Result;
use crate::metric::Direction;
use crate::results::{RunFolder, RunRecord};
use crate::trace::Status;

/// A run folder, arranged.
#[derive(Debug)]
pub struct Study {
    /// The folder as read.
    pub folder: RunFolder,
    /// The config as data.
    pub config: toml::Table,
    /// Label and type of each solver, in the order of the records.
    pub solvers: Vec<(String, String)>,
    /// The axes of the sweep; none without a sweep.
    pub axes: Vec<Axis>,
    /// The sweep points.
    pub cells: Vec<Cell>,
    /// What can be drawn: the metrics, then the figures of the runs.
    pub quantities: Vec<Quantity>,
    /// Whether the objective is a logarithm, so that gaps are differences.
    pub logarithmic: bool,
    /// Records by cell and solver.
    runs: Vec<Vec<Vec<usize>>>,
    /// Those of them that are compared.
    comparable: Vec<Vec<Vec<usize>>>,
    /// The cells' numbers in the records, ascending.
    numbers: Vec<usize>,
    /// The tightest proven bound by cell and trial.
    bounds: Vec<BTreeMap<u64, f64>>,
    /// All traces as statistics of convergence, once someone asked for them.
    benchmark: OnceLock<Benchmark>,
}

/// A sweep point.
#[derive(Debug)]
pub struct Cell {
    /// Its place on every axis.
    pub place: Vec<usize>,
    /// The trials in which every compared solver is feasible.
    pub compared: BTreeSet<u64>,
    /// The number of trials that have a record.
    pub trials: usize,
}

impl Study {
    /// Arranges the records of a folder.
    pub fn new(folder: RunFolder) -> Self {
        let config = folder.config.parse().unwrap_or_default();
        let mut solvers: Vec<(String, String)> = Vec::new();
        let mut numbers: Vec<usize> = Vec::new();
        for record in &folder.records {
            if !solvers.iter().any(|(label, _)| *label == record.solver) {
                solvers.push((record.solver.clone(), record.type_name.clone()));
            }
            if let Err(place) = numbers.binary_search(&record.cell) {
                numbers.insert(place, record.cell);
            }
        }
        let mut runs = vec![vec![Vec::new(); solvers.len()]; numbers.len()];
        let mut sweeps: Vec<Option<&Map<String, Value>>> = vec![None; numbers.len()];
        for (index, record) in folder.records.iter().enumerate() {
            let cell = numbers.binary_search(&record.cell).expect("all cells were collected");
            let solver = solvers.iter().position(|(l, _)| *l == record.solver).expect("all solvers were collected");
            runs[cell][solver].push(index);
            sweeps[cell] = Some(&record.sweep);
        }
        let sweeps: Vec<&Map<String, Value>> = sweeps.into_iter().flatten().collect();
        let (axes, places) = swept::axes(&sweeps);
        let cells: Vec<Cell> = places
            .into_iter()
            .zip(&runs)
            .map(|(place, runs)| {
                let (compared, trials) = compared(&folder.records, runs);
                Cell { place, compared, trials }
            })
            .collect();
        let comparable = cells.iter().zip(&runs).map(|(cell, runs)| {
            let counts = |record: &RunRecord| record.feasible && cell.compared.contains(&record.trial);
            let of = |all: &Vec<usize>| all.iter().copied().filter(|i| counts(&folder.records[*i])).collect();
            runs.iter().map(of).collect()
        });
        let comparable = comparable.collect();
        let quantities = quantities(&folder);
        let logarithmic = described(&folder, &objective(&folder)).get("logarithmic").and_then(Value::as_bool);
        let logarithmic = logarithmic.unwrap_or_else(|| gaps_are_differences(&folder.records));
        let bounds = runs.iter().map(|runs| bounds(&folder.records, runs)).collect();
        Self {
            folder,
            config,
            solvers,
            axes,
            cells,
            quantities,
            logarithmic,
            runs,
            comparable,
            numbers,
            bounds,
            benchmark: OnceLock::new(),
        }
    }

    /// Statistics of convergence over all problems; every trace is read for them, once.
    ///
    /// # Errors
    /// Where a trace cannot be read.
    pub fn benchmark(&self) -> Result<&Benchmark> {
        match self.benchmark.get() {
            Some(known) => Ok(known),
            None => {
                let read = Benchmark::read(self)?;
                Ok(self.benchmark.get_or_init(|| read))
            }
        }
    }

    /// A swept key and its axis, by the key's name.
    pub fn swept(&self, name: &str) -> Option<(usize, &SweptKey)> {
        self.swept_keys().find(|(_, key)| key.key == name)
    }

    /// All swept keys with their axes.
    pub fn swept_keys(&self) -> impl Iterator<Item = (usize, &SweptKey)> {
        self.axes.iter().enumerate().flat_map(|(a, axis)| axis.keys.iter().map(move |key| (a, key)))
    }

    /// Whether a cell lies at these values of swept keys; keys that are not swept do not count.
    pub fn lies_at(&self, cell: usize, at: &[(String, Value)]) -> bool {
        let place = &self.cells[cell].place;
        at.iter().all(|(name, value)| {
            self.swept(name).is_none_or(|(axis, key)| key.values[place[axis]] == swept::text(value))
        })
    }

    /// All records of a solver in a cell.
    pub fn records(&self, cell: usize, solver: usize) -> impl Iterator<Item = &RunRecord> {
        self.runs[cell][solver].iter().map(|i| &self.folder.records[*i])
    }

    /// Its records of the compared trials; none where it is not compared.
    pub fn compared(&self, cell: usize, solver: usize) -> impl Iterator<Item = &RunRecord> {
        self.comparable[cell][solver].iter().map(|i| &self.folder.records[*i])
    }

    /// The cell that figures of one sweep point show where nobody chose: the first with the most compared trials.
    pub fn usual_cell(&self) -> usize {
        let most = self.cells.iter().map(|c| c.compared.len()).max();
        self.cells.iter().position(|c| Some(c.compared.len()) == most).unwrap_or(0)
    }

    /// The tightest proven bound on the full problem that any solver gave in a trial.
    pub fn bound(&self, cell: usize, trial: u64) -> Option<f64> {
        self.bounds[cell].get(&trial).copied()
    }

    /// By trial of a cell that has a record: its tightest proven bound.
    pub fn trial_bounds(&self, cell: usize) -> impl Iterator<Item = Option<f64>> {
        let trials: BTreeSet<u64> = self.runs[cell].iter().flatten().map(|i| self.folder.records[*i].trial).collect();
        trials.into_iter().map(move |trial| self.bound(cell, trial))
    }

    /// The median over the compared trials of the tightest proven bounds; NaN where a trial has none.
    pub fn median_bound(&self, cell: usize) -> f64 {
        let trials = &self.cells[cell].compared;
        let bounds: Vec<f64> = trials.iter().filter_map(|t| self.bound(cell, *t)).collect();
        if bounds.len() < trials.len() { f64::NAN } else { quantile(&sorted(&bounds), 0.5) }
    }

    /// The distance of an objective from a bound: relative, or absolute for logarithms.
    pub fn gap(&self, objective: f64, bound: f64) -> f64 {
        let distance = (objective - bound).abs();
        if self.logarithmic { distance } else { distance / objective.abs().max(1e-12) }
    }

    /// The gap of a feasible run to the tightest bound known for its trial.
    pub fn run_gap(&self, record: &RunRecord) -> Option<f64> {
        if !record.feasible {
            return None;
        }
        let cell = self.numbers.binary_search(&record.cell).ok()?;
        match self.bound(cell, record.trial) {
            Some(bound) => Some(self.gap(record.objective.value, bound)),
            None => record.gap,
        }
    }

    /// The entries of a quantity in one record: one for a scalar, none where the record lacks it.
    pub fn entries<'a>(&self, quantity: &Quantity, record: &'a RunRecord) -> Cow<'a, [f64]> {
        let one = |x: Option<f64>| Cow::from(Vec::from_iter(x));
        match quantity.id.as_str() {
            "run.objective" => one(Some(record.objective.value)),
            "run.gap" => one(self.run_gap(record)),
            "run.time" => one(self.folder.times.get(&record.run).copied()),
            "run.iterations" => one(Some(record.iterations as f64)),
            "run.evaluations" => one(Some(record.evaluations as f64)),
            id => Cow::from(record.metrics.get(id).map_or(&[][..], |metric| metric.entries())),
        }
    }

    /// The spread of a quantity over the compared trials; the entries of a vector are reduced to one number first.
    pub fn spread(&self, quantity: &Quantity, reduction: Reduction, cell: usize, solver: usize) -> Option<Spread> {
        let values: Vec<f64> =
            self.compared(cell, solver).filter_map(|r| reduction.apply(&self.entries(quantity, r))).collect();
        Spread::of(&values)
    }

    /// The objective's metric, or the weighted sum in words; empty without a record.
    pub fn objective(&self) -> String {
        objective(&self.folder)
    }

    /// The quantity that the problem seeks.
    pub fn objective_quantity(&self) -> Option<&Quantity> {
        let name = self.objective();
        self.quantities.iter().find(|q| q.id == name || q.id == "run.objective")
    }

    /// The number of trials, the largest of any cell.
    pub fn trials(&self) -> usize {
        self.cells.iter().map(|c| c.trials).max().unwrap_or(0)
    }
}

/// How the entries of a vector become one number a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean; of a scalar, the scalar.
    Mean,
    /// The smallest.
    Smallest,
    /// The largest.
    Largest,
}

impl Reduction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Smallest, Self::Largest];

    /// Its name in the page's data and in `[[figure]]` sections.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Smallest => "smallest",
            Self::Largest => "largest",
        }
    }

    /// The one of that name; the mean where there is no name.
    pub fn named(name: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|r| Some(r.name()) == name).unwrap_or(Self::Mean)
    }

    /// Reduces entries; none where there are none.
    pub fn apply(self, entries: &[f64]) -> Option<f64> {
        if entries.is_empty() || entries.iter().any(|x| x.is_nan()) {
            return None;
        }
        Some(match self {
            Self::Mean => entries.iter().sum::<f64>() / entries.len() as f64,
            Self::Smallest => entries.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Largest => entries.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

fn objective(folder: &RunFolder) -> String {
    folder.records.first().map_or(String::new(), |r| r.objective.metric.clone())
}

/// What `environment.json` says about a metric; null where it says nothing.
fn described(folder: &RunFolder, id: &str) -> Value {
    let metrics = folder.environment.get("metrics").and_then(Value::as_array);
    let is = |m: &&Value| m.get("id").and_then(Value::as_str) == Some(id);
    metrics.and_then(|m| m.iter().find(is)).cloned().unwrap_or_default()
}

/// Whether the recorded gaps are differences and not ratios, judged where both say different things.
fn gaps_are_differences(records: &[RunRecord]) -> bool {
    let telling = records.iter().find_map(|r| {
        let (bound, gap) = (r.bound?, r.gap?);
        let distance = (r.objective.value - bound).abs();
        let relative = distance / r.objective.value.abs().max(1e-12);
        let different = (distance - relative).abs() > 1e-3 * distance && distance.is_finite();
        different.then(|| (gap - distance).abs() < (gap - relative).abs())
    });
    telling.unwrap_or(false)
}

fn compared(records: &[RunRecord], runs: &[Vec<usize>]) -> (BTreeSet<u64>, usize) {
    let trials = |keep: &dyn Fn(&RunRecord) -> bool, runs: &[usize]| -> BTreeSet<u64> {
        runs.iter().map(|i| &records[*i]).filter(|r| keep(r)).map(|r| r.trial).collect()
    };
    let all: BTreeSet<u64> = runs.iter().flat_map(|r| trials(&|_| true, r)).collect();
    let mut common: Option<BTreeSet<u64>> = None;
    for solver in runs {
        let feasible = trials(&|r| r.feasible && r.status != Status::Skipped, solver);
        if !feasible.is_empty() {
            common = Some(common.map_or(feasible.clone(), |c| c.intersection(&feasible).copied().collect()));
        }
    }
    (common.unwrap_or_default(), all.len())
}

fn bounds(records: &[RunRecord], runs: &[Vec<usize>]) -> BTreeMap<u64, f64> {
    let mut tightest = BTreeMap::new();
    for record in runs.iter().flatten().map(|i| &records[*i]).filter(|r| r.bound_scope.is_none()) {
        let Some(bound) = record.bound.filter(|b| b.is_finite()) else { continue };
        let sign = record.objective.direction.sign();
        let known = tightest.entry(record.trial).or_insert(bound);
        *known = sign * (sign * *known).min(sign * bound);
    }
    tightest
}

fn quantities(folder: &RunFolder) -> Vec<Quantity> {
    let mut found: Vec<Quantity> = Vec::new();
    let mut before: Option<&RunRecord> = None;
    for record in &folder.records {
        if before.replace(record).is_some_and(|before| before.metrics.alike(&record.metrics)) {
            continue;
        }
        for metric in record.metrics.iter() {
            let (id, vector) = (metric.id(), !metric.is_scalar());
            match found.iter_mut().find(|q| q.id == id) {
                Some(known) => known.vector |= vector,
                None => {
                    let described = described(folder, id);
                    let direction = described.get("direction").cloned().and_then(|d| serde_json::from_value(d).ok());
                    let sought = (record.objective.metric == id).then_some(record.objective.direction);
                    let mut quantity = Quantity::metric(id, metric.unit(), vector, sought.or(direction));
                    let description = described.get("description").and_then(Value::as_str);
                    quantity.description = sentence(description.unwrap_or(""));
                    found.push(quantity);
                }
            }
        }
    }
    let Some(first) = folder.records.first() else { return found };
    if !found.iter().any(|q| q.id == first.objective.metric) {
        let mut objective = Quantity::metric(&first.objective.metric, &first.objective.unit, false, None);
        objective.id = "run.objective".into();
        objective.direction = Some(first.objective.direction);
        found.insert(0, objective);
    }
    found.extend(run_quantities());
    found
}

/// Words that end with a full stop, so that others can follow.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.into() } else { format!("{text}.") }
}

/// What every record holds beside its metrics.
pub fn run_quantities() -> [Quantity; 4] {
    let log = [Scale::Logarithmic, Scale::Linear];
    let linear = [Scale::Linear, Scale::Logarithmic];
    [
        Quantity::of_run("run.gap", "Gap to the proven bound", "", &log),
        Quantity::of_run("run.time", "Solver time", "s", &log),
        Quantity::of_run("run.iterations", "Iterations", "", &linear),
        Quantity::of_run("run.evaluations", "Evaluations", "", &linear),
    ]
}

/// The direction of a quantity as +1 (more is better), -1, or 0 where it is unknown.
pub fn sign(direction: Option<Direction>) -> f64 {
    direction.map_or(0.0, Direction::sign)
}
