//! `isacopt evaluate`: the metrics of an instance file's designs.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use comfy_table::Table;
use serde_json::{Map, Value, json};

use super::print;
use crate::design::{Design, nested_with};
use crate::error::{InputError, Result};
use crate::instance::InstanceFile;
use crate::metric::{MetricValues, number_json};
use crate::model::{PrintedFigure, SystemModel};
use crate::problem::{Evaluator, Problem};
use crate::results::Metrics;
use crate::scenario::scenarios;

/// Judge the designs of an instance file: all metrics, and whether the limits hold
#[derive(Debug, Args)]
pub struct Arguments {
    /// The instance file
    file: PathBuf,
    /// Judge this design only
    #[arg(long, value_name = "NAME")]
    design: Option<String>,
    /// Show also what the paper's formulas give as printed, where the print is wrong, and name the correction
    #[arg(long)]
    as_printed: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = InstanceFile::read(&arguments.file)?;
    let judge = || -> Result<Value> {
        let model = model(&file)?;
        let problem = Problem::new(Arc::clone(&model), model.default_problem())?;
        judge_designs(&file, &problem, arguments.design.as_deref(), arguments.as_printed)
    };
    let answer = judge().map_err(|e| e.in_file(&arguments.file))?;
    if arguments.json { print(&answer.to_string()) } else { print(&tables(&answer)) }
}

/// The system that an instance file holds.
pub fn model(file: &InstanceFile) -> Result<Arc<dyn SystemModel>> {
    let known = scenarios();
    match known.iter().find(|entry| entry.name == file.scenario) {
        Some(entry) => (entry.read_instance)(&file.instance),
        None => Err(InputError::unknown("scenario", &file.scenario, known.iter().map(|e| e.name)).into()),
    }
}

/// All metrics as JSON, in the model's order.
pub fn metrics_json(model: &dyn SystemModel, values: &MetricValues) -> Value {
    json!(Metrics::of(model.metrics(), values))
}

/// What a design is worth: metrics, feasibility, violation.
fn judge_design(judge: &mut Evaluator, design: &Design) -> Result<Value> {
    let evaluation = judge.evaluate(design)?;
    let model = Arc::clone(judge.problem().model());
    let metrics = metrics_json(model.as_ref(), judge.metrics(design)?);
    Ok(json!({
        "metrics": metrics,
        "feasible": evaluation.feasible(),
        "violation": number_json(evaluation.violation),
    }))
}

fn judge_designs(file: &InstanceFile, problem: &Arc<Problem>, only: Option<&str>, as_printed: bool) -> Result<Value> {
    if let Some(name) = only
        && !file.designs.contains_key(name)
    {
        return Err(InputError::unknown("designs", name, file.designs.keys().map(String::as_str)).into());
    }
    let mut judge = problem.evaluator();
    let mut judged = Map::new();
    for (name, value) in &file.designs {
        // All are read: a bad design makes a bad file, whichever was asked for.
        let design = problem.model().read_design(value, &format!("designs.{name}"))?;
        if only.is_none_or(|only| only == name) {
            let mut verdict = judge_design(&mut judge, &design)?;
            if as_printed {
                verdict["as_printed"] = printed_json(problem.model().as_ref(), &design, &verdict["metrics"]);
            }
            judged.insert(name.clone(), verdict);
        }
    }
    Ok(json!({ "scenario": file.scenario, "designs": judged }))
}

/// The figures that come out different by the printed formulas, beside the right ones.
fn printed_json(model: &dyn SystemModel, design: &Design, metrics: &Value) -> Value {
    let figure = |figure: &PrintedFigure| {
        let info = model.metrics().iter().find(|m| m.id == figure.metric)?;
        Some(json!({
            "metric": info.id,
            "unit": info.unit,
            "printed": nested_with(&figure.values, &info.shape, &number_json),
            "value": metrics[&info.id]["value"],
            "correction": figure.correction,
        }))
    };
    model.as_printed(design).iter().filter_map(figure).collect()
}

/// What the printed formulas give, one table a correction.
fn printed_text(figures: &[Value]) -> String {
    if figures.is_empty() {
        return "\nThe printed formulas give the same here.".into();
    }
    let mut text = String::new();
    let mut corrections: Vec<&str> = figures.iter().filter_map(|f| f["correction"].as_str()).collect();
    let mut seen = Vec::new();
    corrections.retain(|c| {
        !seen.contains(c) && {
            seen.push(*c);
            true
        }
    });
    for correction in corrections {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
            "metric",
            "as printed",
            "right",
            "unit",
        ]);
        for figure in figures.iter().filter(|f| f["correction"] == correction) {
            let name = figure["metric"].as_str().unwrap_or_default().to_string();
            let unit = figure["unit"].as_str().unwrap_or_default().to_string();
            table.add_row([name, short(&figure["printed"]), short(&figure["value"]), unit]);
        }
        text += &format!("\n{correction}:\n{table}");
    }
    text
}

fn tables(answer: &Value) -> String {
    let Some(designs) = answer["designs"].as_object().filter(|d| !d.is_empty()) else {
        return "The file holds no designs.".into();
    };
    let tables = designs.iter().map(|(name, judged)| {
        let feasible = if judged["feasible"] == true { "feasible" } else { "infeasible" };
        let printed = judged["as_printed"].as_array().map_or(String::new(), |figures| printed_text(figures));
        let table = metric_table(&judged["metrics"]);
        format!("{name}: {feasible}, violation {}\n{table}{printed}", short(&judged["violation"]))
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

/// Metrics as a table: name, value, unit.
pub fn metric_table(metrics: &Value) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(["metric", "value", "unit"]);
    for (name, metric) in metrics.as_object().into_iter().flatten() {
        table.add_row([name.clone(), short(&metric["value"]), metric["unit"].as_str().unwrap_or_default().to_string()]);
    }
    table
}

/// A value in six digits; of long lists the first and the last entries.
pub fn short(value: &Value) -> String {
    match value {
        Value::Array(items) if items.len() > 8 => {
            let shown = items[..4].iter().map(short).chain(["...".to_string()]);
            let shown = shown.chain(items[items.len() - 2..].iter().map(short));
            format!("{} ({} values)", shown.collect::<Vec<_>>().join(", "), items.len())
        }
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        Value::Number(number) => match number.as_f64() {
            Some(x) if x != 0.0 && !(1e-3..1e6).contains(&x.abs()) => format!("{x:.5e}"),
            Some(x) => format!("{:.*}", 5usize.saturating_sub(x.abs().log10().max(0.0) as usize), x),
            None => number.to_string(),
        },
        other => other.to_string(),
    }
}
