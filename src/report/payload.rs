//! The data of a page's figures as compact JSON: aggregated over trials, rounded, and thinned to a size that opens at once.
//!
//! ```text
//! solvers     [{label, type}]
//! axes        [{keys: [{key, label, unit, values: [text], numbers: [x] | null}]}]
//! cells       [{place: [point on each axis], compared, trials}]
//! quantities  [{id, name, better: 1 | -1 | 0, vector, scales: [{name, axis}], description}]
//! objective   index of a quantity, or null
//! cell        the cell that figures of one sweep point show at first
//! figures     the config's [[figure]] sections, see `preset`
//! spreads     {"QUANTITY/REDUCTION": by cell and solver: null | [count, median, q1, q3, mean, standard error] | [1, value]}
//! simulated   {"QUANTITY/REDUCTION": by cell and solver: null | [mean, standard error, median, standard error]}
//! estimated   {"QUANTITY/REDUCTION": {ESTIMATOR: the same}}
//! convergence [{cell, solver, trials, iterations | evaluations | time: {x, objective | gap: [median, q1, q3]}}]
//! bounds      by cell: the median of the proven bounds, or null
//! cdf         {"QUANTITY": by cell and solver: null | [count, 5 % quantile, median, [ascending values]]}
//! runs        by solver: {id, cell, trial, status, objective, violation, gap, time, iterations, evaluations: []}
//! statuses    the names that `status` numbers
//! total       how many runs there are
//! folder      the run folder, as a shell takes it
//! seed        of the trials
//! logarithmic whether gaps are differences
//! files       [{name, kind, formats}]: the figures for papers that lie beside the page
//! benchmark   [{at: [point | null on each axis], problems, proven, REFERENCE: {
//!                 performance_profile: {EFFORT: {TARGET: by solver [[x], [share]]}}, data_profile: {TARGET: by solver},
//!                 targets_reached, running_time: {EFFORT: by solver}, success_rate: by solver}}]
//! ```
//!
//! Cells and points are counted among those that the page shows.

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::{Map, Value, json};

use super::benchmark::{Benchmark, Curve, EFFORTS, PROFILE_TARGETS, Reference, USUAL_TARGET, nearest_target, thinned};
use super::convergence::{Band, Effort, Traces};
use super::distribution::Distribution;
use super::figure::{Format, chosen};
use super::preset::presets;
use super::quantity::{Quantity, rounded};
use super::runs;
use super::shown::Shown;
use super::simulated::{MonteCarlo, estimated, estimators, simulated};
use super::spread::Spread;
use super::study::{Reduction, Study, sign};
use crate::config::FigureConfig;
use crate::error::Result;
use crate::shell::quoted;

/// How many numbers each part may hold; together they keep a page of thousands of runs under 3 MB.
const CONVERGENCE_NUMBERS: usize = 90_000;
const CDF_NUMBERS: usize = 80_000;
/// What one curve over all problems may hold, and what those over the problems of single values may hold together.
const BENCHMARK_POINTS: usize = 60;
const BENCHMARK_NUMBERS: usize = 24_000;
/// Curves of fewer steps say nothing.
const LEAST_POINTS: usize = 10;

/// The data of all figures, and what the config asks of them.
pub fn payload(study: &Study, shown: &Shown, digits: usize, figures: &[FigureConfig]) -> Result<Value> {
    let objective = study.objective_quantity().and_then(|o| study.quantities.iter().position(|q| q == o));
    let (runs, statuses) = runs::list(study, shown, digits);
    let seed = study.config.get("trials").and_then(|t| t.get("seed")).and_then(toml::Value::as_integer);
    Ok(json!({
        "solvers": study.solvers.iter().map(|(label, kind)| json!({"label": label, "type": kind})).collect::<Vec<_>>(),
        "axes": axes(study, shown),
        "cells": cells(study, shown),
        "quantities": study.quantities.iter().map(quantity).collect::<Vec<_>>(),
        "objective": objective,
        "cell": shown.cell(study.usual_cell()).unwrap_or(0),
        "figures": presets(study, shown, figures),
        "spreads": spreads(study, shown),
        "simulated": monte_carlo(study, shown),
        "estimated": estimates(study, shown),
        "convergence": convergence(study, shown)?,
        "bounds": shown.cells.iter().map(|c| rounded(study.median_bound(*c), 8)).collect::<Vec<_>>(),
        "cdf": distributions(study, shown),
        "runs": runs,
        "statuses": statuses,
        "total": study.folder.records.len(),
        "folder": quoted(&study.folder.path.to_string_lossy()),
        "seed": seed,
        "logarithmic": study.logarithmic,
        "files": files(study, figures),
        "benchmark": benchmark(study, shown)?,
    }))
}

fn axes(study: &Study, shown: &Shown) -> Value {
    let axis = |(a, axis): (usize, &super::swept::Axis)| {
        let keys = axis.keys.iter().map(|k| {
            json!({
                "key": k.key,
                "label": k.label,
                "unit": k.unit,
                "values": shown.of_axis(a, &k.values).collect::<Vec<_>>(),
                "numbers": k.numbers.as_ref().map(|n| shown.of_axis(a, n).collect::<Vec<_>>()),
            })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    };
    study.axes.iter().enumerate().map(axis).collect()
}

fn cells(study: &Study, shown: &Shown) -> Value {
    let cell = |c: &usize| {
        let cell = &study.cells[*c];
        let place = cell.place.iter().enumerate().map(|(a, point)| shown.point(a, *point));
        json!({"place": place.collect::<Vec<_>>(), "compared": cell.compared.len(), "trials": cell.trials})
    };
    shown.cells.iter().map(cell).collect()
}

/// The figures for papers that are there.
fn files(study: &Study, figures: &[FigureConfig]) -> Value {
    let folder = study.folder.path.join("figures");
    let found = chosen(study, figures).into_iter().filter_map(|figure| {
        let there = |f: &Format| folder.join(format!("{}.{}", figure.name, f.extension())).is_file();
        let formats: Vec<&str> = Format::ALL.iter().filter(|f| there(f)).map(|f| f.extension()).collect();
        let file = json!({"name": figure.name, "kind": figure.kind.name(), "formats": formats});
        (!formats.is_empty()).then_some(file)
    });
    found.collect()
}

fn quantity(q: &Quantity) -> Value {
    json!({
        "id": q.id,
        "name": q.name,
        "better": sign(q.direction) as i64,
        "vector": q.vector,
        "scales": q.scales.iter().map(|s| json!({"name": s.name(), "axis": q.axis(*s)})).collect::<Vec<_>>(),
        "description": q.description,
    })
}

/// Works on every pair of a shown cell and a solver, on all cores; the order is that of the payload's lists.
fn for_pairs<T: Send>(study: &Study, shown: &Shown, work: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    let solvers = study.solvers.len();
    let pairs = (0..shown.cells.len() * solvers).into_par_iter();
    pairs.map(|at| work(shown.cells[at / solvers], at % solvers)).collect()
}

fn spreads(study: &Study, shown: &Shown) -> Value {
    let short = |x: f64| rounded(x, 5);
    let row = |s: Spread| match s.count {
        1 => json!([1, short(s.median)]),
        n => json!([
            n,
            short(s.median),
            short(s.lower_quartile),
            short(s.upper_quartile),
            short(s.mean),
            short(s.standard_error)
        ]),
    };
    by_quantity(study, shown, |quantity, reduction, c, s| {
        study.spread(quantity, reduction, c, s).map_or(Value::Null, row)
    })
}

/// Monte-Carlo values beside closed forms.
fn monte_carlo(study: &Study, shown: &Shown) -> Value {
    by_quantity(study, shown, |quantity, reduction, c, s| row(simulated(study, quantity, reduction, c, s)))
}

/// Mean square errors of estimators beside Cramér-Rao bounds: by quantity and reduction, then by estimator.
fn estimates(study: &Study, shown: &Shown) -> Value {
    let mut all = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate() {
        for reduction in reductions(quantity) {
            let by_name: Map<String, Value> = estimators(study, quantity)
                .into_iter()
                .map(|name| {
                    let rows = for_pairs(study, shown, |c, s| row(estimated(study, quantity, &name, *reduction, c, s)));
                    (name, rows.into())
                })
                .collect();
            if !by_name.is_empty() {
                all.insert(format!("{index}/{}", reduction.name()), by_name.into());
            }
        }
    }
    all.into()
}

/// `[mean, standard error, median, standard error]`, or null.
fn row(found: Option<MonteCarlo>) -> Value {
    let row = |m: MonteCarlo| {
        json!([rounded(m.mean, 5), rounded(m.mean_error, 3), rounded(m.median, 5), rounded(m.median_error, 3)])
    };
    found.map_or(Value::Null, row)
}

/// The rows of all quantities and reductions that have any, by cell and solver.
fn by_quantity(
    study: &Study,
    shown: &Shown,
    row: impl Fn(&Quantity, Reduction, usize, usize) -> Value + Sync,
) -> Value {
    let mut all = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate() {
        for reduction in reductions(quantity) {
            let rows = for_pairs(study, shown, |c, s| row(quantity, *reduction, c, s));
            if rows.iter().any(|r| !r.is_null()) {
                all.insert(format!("{index}/{}", reduction.name()), rows.into());
            }
        }
    }
    all.into()
}

fn reductions(quantity: &Quantity) -> &'static [Reduction] {
    if quantity.vector { &Reduction::ALL } else { &Reduction::ALL[..1] }
}

fn convergence(study: &Study, shown: &Shown) -> Result<Value> {
    let count = shown.cells.len() * study.solvers.len();
    // A curve has x and up to two bands of three numbers, against three kinds of effort.
    let numbers = if study.trials() > 1 { 21 } else { 9 };
    let points = (CONVERGENCE_NUMBERS / (numbers * count.max(1))).clamp(8, 160);
    let curve = |cell: usize, solver: usize| -> Result<Option<Value>> {
        let traces = Traces::read(study, cell, solver)?;
        if traces.count() == 0 {
            return Ok(None);
        }
        let mut curve = Map::new();
        curve.insert("cell".into(), shown.cell(cell).into());
        curve.insert("solver".into(), solver.into());
        curve.insert("trials".into(), traces.count().into());
        for effort in Effort::ALL {
            let objective = traces.objective(effort, points);
            let gap = traces.gap(study, effort, points);
            let mut parts = json!({
                "x": objective.x.iter().map(|x| rounded(*x, 4)).collect::<Vec<_>>(),
                "objective": band(&objective, traces.count(), 7),
            });
            if !gap.x.is_empty() {
                parts["gap"] = band(&gap, traces.count(), 3);
            }
            curve.insert(effort.name().into(), parts);
        }
        Ok(Some(Value::Object(curve)))
    };
    let curves: Result<Vec<Option<Value>>> = for_pairs(study, shown, curve).into_iter().collect();
    Ok(curves?.into_iter().flatten().collect())
}

fn band(band: &Band, trials: usize, digits: usize) -> Value {
    let short =
        |values: &[f64], digits: usize| Value::from(values.iter().map(|x| rounded(*x, digits)).collect::<Vec<_>>());
    if trials > 1 {
        // A band is read by eye.
        let edge = digits.min(4);
        json!([short(&band.middle, digits), short(&band.low, edge), short(&band.high, edge)])
    } else {
        json!([short(&band.middle, digits)])
    }
}

fn distributions(study: &Study, shown: &Shown) -> Value {
    let drawn = |q: &&Quantity| q.vector || study.trials() > 1;
    let count = study.quantities.iter().filter(drawn).count() * shown.cells.len() * study.solvers.len();
    let share = CDF_NUMBERS / count.max(1);
    // Counts of the form 20 n + 1, so that the 5 % quantile and the median are among the points.
    let points = [161, 81, 41].into_iter().find(|n| *n <= share).unwrap_or(21);
    let mut all = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate().filter(|(_, q)| drawn(q)) {
        let rows = for_pairs(study, shown, |c, s| {
            let Some(found) = Distribution::of(study, quantity, c, s, points) else { return Value::Null };
            let short = |x: f64| rounded(x, 4);
            let kept: Vec<Value> = found.values.iter().map(|x| short(*x)).collect();
            json!([found.count, short(found.five_percent), short(found.median), kept])
        });
        if rows.iter().any(|r| !r.is_null()) {
            all.insert(index.to_string(), rows.into());
        }
    }
    all.into()
}

/// Statistics of convergence over all problems, then over those of every single value of an axis as far as there is
/// room; none where there is one solver, or nothing that all were run on.
fn benchmark(study: &Study, shown: &Shown) -> Result<Value> {
    let solvers = study.solvers.len();
    let mut groups = Vec::new();
    if solvers < 2 || study.benchmark()?.problems() == 0 {
        return Ok(groups.into());
    }
    let all = study.benchmark()?;
    let whole = vec![None; study.axes.len()];
    // Many solvers share the room of few.
    groups.push(statistics(all, &whole, &PROFILE_TARGETS, (BENCHMARK_POINTS * 8 / solvers.max(8)).max(8)));
    let points = study.axes.iter().enumerate().flat_map(|(a, axis)| (0..axis.len()).map(move |p| (a, p)));
    let points: Vec<(usize, usize, usize)> = points
        .filter_map(|(a, p)| Some((a, p, shown.point(a, p)?)))
        .filter(|(a, ..)| study.axes[*a].len() > 1)
        .collect();
    // From two references eight curves a solver, of two numbers a step.
    let room = BENCHMARK_NUMBERS / (32 * solvers * points.len().max(1));
    if room >= LEAST_POINTS {
        for (axis, point, at) in points {
            let part = all.within(|cell| study.cells[cell].place[axis] == point);
            if part.problems() > 0 {
                let mut place = whole.clone();
                place[axis] = Some(at);
                groups.push(statistics(&part, &place, &[USUAL_TARGET], room.min(BENCHMARK_POINTS)));
            }
        }
    }
    Ok(groups.into())
}

fn statistics(all: &Benchmark, at: &[Option<usize>], targets: &[f64], points: usize) -> Value {
    let pair = |curve: Curve| {
        let (x, y): (Vec<f64>, Vec<f64>) = thinned(curve, points).into_iter().unzip();
        let short = |values: Vec<f64>| values.into_iter().map(|v| rounded(v, 4)).collect::<Vec<_>>();
        json!([short(x), short(y)])
    };
    let curves = |of: &dyn Fn(usize) -> Curve| (0..all.solvers()).map(|s| pair(of(s))).collect::<Value>();
    let efforts = |of: &dyn Fn(usize) -> Value| -> Map<String, Value> {
        EFFORTS.iter().enumerate().map(|(e, effort)| (effort.name().to_string(), of(e))).collect()
    };
    let targets = |of: &dyn Fn(usize) -> Value| -> Map<String, Value> {
        targets.iter().map(|gap| nearest_target(*gap)).map(|t| (t.to_string(), of(t))).collect()
    };
    let mut out = Map::new();
    out.insert("at".into(), at.into());
    out.insert("problems".into(), all.problems().into());
    out.insert("proven".into(), all.proven().into());
    for from in Reference::ALL {
        let performance = |e: usize| targets(&|t| curves(&|s| all.performance_profile(s, from, e, t))).into();
        let part = json!({
            "performance_profile": efforts(&performance),
            "data_profile": targets(&|t| curves(&|s| all.data_profile(s, from, t))),
            "targets_reached": efforts(&|e| curves(&|s| all.targets_reached(s, from, e))),
            "success_rate": curves(&|s| all.success_rate(s, from)),
            "running_time": efforts(&|e| curves(&|s| all.expected_running_time(s, from, e))),
        });
        out.insert(from.name().into(), part);
    }
    out.into()
}
