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
//! runs        by solver: {cell: [], time: [], gap: []}
//! benchmark   null | {problems, proven, REFERENCE: {
//!                 performance_profile: {EFFORT: {TARGET: by solver [[x], [share]]}}, data_profile: {TARGET: by solver},
//!                 targets_reached, running_time: {EFFORT: by solver}, success_rate: by solver}}
//! ```

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::{Map, Value, json};

use super::benchmark::{Curve, EFFORTS, PROFILE_TARGETS, Reference, nearest_target, thinned};
use super::convergence::{Band, Effort, Traces};
use super::distribution::Distribution;
use super::preset::presets;
use super::quantity::{Quantity, rounded};
use super::simulated::{MonteCarlo, estimated, estimators, simulated};
use super::spread::Spread;
use super::study::{Reduction, Study, sign};
use crate::config::FigureConfig;
use crate::error::Result;

/// How many numbers each part may hold; together they keep a page of thousands of runs under 3 MB.
const CONVERGENCE_NUMBERS: usize = 110_000;
const CDF_NUMBERS: usize = 80_000;
const RUN_POINTS: usize = 4_000;
/// What one curve over all problems may hold.
const BENCHMARK_POINTS: usize = 60;

/// The data of all figures, and what the config asks of them.
pub fn payload(study: &Study, figures: &[FigureConfig]) -> Result<Value> {
    let objective = study.objective_quantity().and_then(|o| study.quantities.iter().position(|q| q == o));
    Ok(json!({
        "solvers": study.solvers.iter().map(|(label, kind)| json!({"label": label, "type": kind})).collect::<Vec<_>>(),
        "axes": axes(study),
        "cells": study.cells.iter().map(|c| json!({"place": c.place, "compared": c.compared.len(), "trials": c.trials}))
            .collect::<Vec<_>>(),
        "quantities": study.quantities.iter().map(quantity).collect::<Vec<_>>(),
        "objective": objective,
        "cell": study.usual_cell(),
        "figures": presets(study, figures),
        "spreads": spreads(study),
        "simulated": monte_carlo(study),
        "estimated": estimates(study),
        "convergence": convergence(study)?,
        "bounds": (0..study.cells.len()).map(|c| rounded(study.median_bound(c), 8)).collect::<Vec<_>>(),
        "cdf": distributions(study),
        "runs": runs(study),
        "benchmark": benchmark(study)?,
    }))
}

fn axes(study: &Study) -> Value {
    let key = |k: &super::swept::SweptKey| json!({"key": k.key, "label": k.label, "unit": k.unit, "values": k.values, "numbers": k.numbers});
    study.axes.iter().map(|a| json!({"keys": a.keys.iter().map(key).collect::<Vec<_>>()})).collect()
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

/// Works on every pair of a cell and a solver, on all cores; the order is that of the payload's lists.
fn for_pairs<T: Send>(study: &Study, work: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    let solvers = study.solvers.len();
    (0..study.cells.len() * solvers).into_par_iter().map(|at| work(at / solvers, at % solvers)).collect()
}

fn spreads(study: &Study) -> Value {
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
    by_quantity(study, |quantity, reduction, c, s| study.spread(quantity, reduction, c, s).map_or(Value::Null, row))
}

/// Monte-Carlo values beside closed forms.
fn monte_carlo(study: &Study) -> Value {
    by_quantity(study, |quantity, reduction, c, s| row(simulated(study, quantity, reduction, c, s)))
}

/// Mean square errors of estimators beside Cramér-Rao bounds: by quantity and reduction, then by estimator.
fn estimates(study: &Study) -> Value {
    let mut all = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate() {
        for reduction in reductions(quantity) {
            let by_name: Map<String, Value> = estimators(study, quantity)
                .into_iter()
                .map(|name| {
                    let rows = for_pairs(study, |c, s| row(estimated(study, quantity, &name, *reduction, c, s)));
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
fn by_quantity(study: &Study, row: impl Fn(&Quantity, Reduction, usize, usize) -> Value + Sync) -> Value {
    let mut all = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate() {
        for reduction in reductions(quantity) {
            let rows = for_pairs(study, |c, s| row(quantity, *reduction, c, s));
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

fn convergence(study: &Study) -> Result<Value> {
    let count = study.cells.len() * study.solvers.len();
    // A curve has x and up to two bands of three numbers, against three kinds of effort.
    let numbers = if study.trials() > 1 { 21 } else { 9 };
    let points = (CONVERGENCE_NUMBERS / (numbers * count.max(1))).clamp(8, 160);
    let curve = |cell: usize, solver: usize| -> Result<Option<Value>> {
        let traces = Traces::read(study, cell, solver)?;
        if traces.count() == 0 {
            return Ok(None);
        }
        let mut curve = Map::new();
        curve.insert("cell".into(), cell.into());
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
    let curves: Result<Vec<Option<Value>>> = for_pairs(study, curve).into_iter().collect();
    Ok(curves?.into_iter().flatten().collect())
}

fn band(band: &Band, trials: usize, digits: usize) -> Value {
    let short = |values: &[f64]| Value::from(values.iter().map(|x| rounded(*x, digits)).collect::<Vec<_>>());
    if trials > 1 {
        json!([short(&band.middle), short(&band.low), short(&band.high)])
    } else {
        json!([short(&band.middle)])
    }
}

fn distributions(study: &Study) -> Value {
    let drawn = |q: &&Quantity| q.vector || study.trials() > 1;
    let count = study.quantities.iter().filter(drawn).count() * study.cells.len() * study.solvers.len();
    let share = CDF_NUMBERS / count.max(1);
    // Counts of the form 20 n + 1, so that the 5 % quantile and the median are among the points.
    let points = [161, 81, 41].into_iter().find(|n| *n <= share).unwrap_or(21);
    let mut all = Map::new();
    for (index, quantity) in study.quantities.iter().enumerate().filter(|(_, q)| drawn(q)) {
        let rows = for_pairs(study, |c, s| {
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

fn runs(study: &Study) -> Value {
    let step = study.folder.records.len().div_ceil(RUN_POINTS).max(1);
    let solvers = (0..study.solvers.len()).map(|solver| {
        let (mut cells, mut times, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
        for cell in 0..study.cells.len() {
            for record in study.records(cell, solver).step_by(step) {
                let time = study.folder.times.get(&record.run);
                if let (Some(time), Some(gap)) = (time, study.run_gap(record)) {
                    cells.push(cell);
                    times.push(rounded(*time, 3));
                    gaps.push(rounded(gap, 3));
                }
            }
        }
        json!({"cell": cells, "time": times, "gap": gaps})
    });
    solvers.collect()
}

/// Statistics of convergence over all problems; null where there is one solver, or nothing that all were run on.
fn benchmark(study: &Study) -> Result<Value> {
    let solvers = study.solvers.len();
    if solvers < 2 {
        return Ok(Value::Null);
    }
    let all = study.benchmark()?;
    if all.problems() == 0 {
        return Ok(Value::Null);
    }
    // Many solvers share the room of few.
    let points = (BENCHMARK_POINTS * 8 / solvers.max(8)).max(8);
    let pair = |curve: Curve| {
        let (x, y): (Vec<f64>, Vec<f64>) = thinned(curve, points).into_iter().unzip();
        let short = |values: Vec<f64>| values.into_iter().map(|v| rounded(v, 4)).collect::<Vec<_>>();
        json!([short(x), short(y)])
    };
    let curves = |of: &dyn Fn(usize) -> Curve| (0..solvers).map(|s| pair(of(s))).collect::<Value>();
    let efforts = |of: &dyn Fn(usize) -> Value| -> Map<String, Value> {
        EFFORTS.iter().enumerate().map(|(e, effort)| (effort.name().to_string(), of(e))).collect()
    };
    let targets = |of: &dyn Fn(usize) -> Value| -> Map<String, Value> {
        PROFILE_TARGETS.iter().map(|gap| nearest_target(*gap)).map(|t| (t.to_string(), of(t))).collect()
    };
    let mut out = Map::new();
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
    Ok(out.into())
}
