//! `isacopt describe NAME`: what a solver, a scenario or a metric is, with its parameters, units, defaults and source.

use std::sync::Arc;

use clap::Args;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use super::evaluate::short;
use super::print;
use crate::config::property_kind;
use crate::error::{InputError, Result};
use crate::math::Streams;
use crate::metric::{Direction, MetricInfo};
use crate::model::SystemModel;
use crate::optimizer::{Optimizer, SolverEntry, solvers};
use crate::problem::Problem;
use crate::scenario::{ScenarioEntry, scenarios};

/// Explain a solver, a scenario, a metric, a start or a comparison scheme
#[derive(Debug, Args)]
pub struct Arguments {
    /// The name
    name: String,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let drawn = draw_defaults()?;
    let name = arguments.name.as_str();
    let registered = solvers();
    let mut texts: Vec<String> = Vec::new();
    for (_, entry) in registered.iter().filter(|(solver, _)| solver == name) {
        texts.push(solver_text(name, entry, &drawn)?);
    }
    for (entry, model) in &drawn {
        if entry.name == name {
            texts.push(scenario_text(entry, model.as_ref()));
        }
        if let Some(info) = model.metrics().iter().find(|m| m.id == name) {
            texts.push(metric_text(entry.name, info));
        }
        for start in model.starts().iter().filter(|s| s.name == name) {
            texts.push(format!("{name}: a start of {}\n\n{}", entry.name, start.description));
        }
        for baseline in model.baselines().iter().filter(|b| b.named().name == name) {
            let mut text = format!("{name}: a comparison scheme of {}\n\n{}", entry.name, baseline.named().description);
            text += &parameters("Parameters", &baseline.parameters());
            texts.push(text);
        }
    }
    if !texts.is_empty() {
        return print(&texts.join("\n\n"));
    }
    let mut names: Vec<String> = registered.into_iter().map(|(name, _)| name).collect();
    for (entry, model) in &drawn {
        names.push(entry.name.to_string());
        names.extend(model.baselines().iter().map(|b| b.named().name.to_string()));
        names.extend(model.starts().iter().map(|s| s.name.to_string()));
        names.extend(model.metrics().iter().map(|m| m.id.clone()));
    }
    names.sort();
    names.dedup();
    Err(InputError::unknown("NAME", name, names.iter().map(String::as_str)).into())
}

type Drawn = (&'static ScenarioEntry, Arc<dyn SystemModel>);

/// Every scenario with its default values, drawn once: only then are its metrics known.
fn draw_defaults() -> Result<Vec<Drawn>> {
    let drawn = scenarios().into_iter().map(|entry| {
        let model = (entry.default)().draw(&Streams::new(1, entry.name, 0))?;
        Ok((entry, model))
    });
    drawn.collect()
}

fn solver_text(name: &str, entry: &SolverEntry, drawn: &[Drawn]) -> Result<String> {
    let solver: Box<dyn Optimizer> = (entry.default)();
    let schema = (entry.schema)();
    let mut text = format!("{name}: a solver\n\n{}", description(schema.as_value()));
    text += &parameters("Parameters", schema.as_value());
    let rules = serde_json::to_value(solver.stop_rules()).unwrap_or_default();
    let rules: Vec<String> = rules.as_object().into_iter().flatten().map(|(k, v)| format!("{k} = {v}")).collect();
    text += &match rules.is_empty() {
        true => "\n\nStops by its own test; any stopping rule may be added.".to_string(),
        false => format!("\n\nStops at {}, unless told otherwise.", rules.join(", ")),
    };
    let requirement = solver.requires();
    let mut needs: Vec<&str> = requirement.capabilities.iter().map(|c| c.name()).collect();
    if requirement.continuous {
        needs.push("continuous blocks");
    }
    text += &format!("\nNeeds {}.", if needs.is_empty() { "evaluation alone".into() } else { needs.join(", ") });
    for (scenario, model) in drawn {
        let problem = Problem::new(Arc::clone(model), model.default_problem())?;
        text += &match requirement.met_by(&problem) {
            Ok(()) => format!("\nFits {}.", scenario.name),
            Err(why) => format!("\nDoes not fit {}: {why}.", scenario.name),
        };
    }
    Ok(text)
}

fn scenario_text(entry: &ScenarioEntry, model: &dyn SystemModel) -> String {
    let name = entry.name;
    let mut text = format!("{name}: a scenario\n\n{}\nSource: {}", entry.summary, entry.paper);
    text += &parameters(&format!("[scenario] type = \"{name}\""), (entry.schema)().as_value());
    let mut table = table(["design block", "shape", "entries", "what it is"]);
    for block in model.space().blocks() {
        let shape = format!("{:?}", block.shape);
        table.add_row([&block.name, &shape, &block.domain.describe().to_string(), &block.description]);
    }
    text += &format!("\n\n{table}");
    let mut table = self::table(["metric", "unit", "better", "what it is"]);
    for info in model.metrics() {
        table.add_row([&info.id, &info.unit, &better(info).to_string(), &info.description]);
    }
    text += &format!("\n\n{table}\n\nObjective by default: {}", model.default_problem().objective.name());
    let starts = model.starts().into_iter().map(|s| ("start", s));
    for (kind, named) in starts.chain(model.baselines().iter().map(|b| ("comparison scheme", b.named()))) {
        text += &format!("\n{kind} `{}`: {}", named.name, named.description);
    }
    text
}

fn metric_text(scenario: &str, info: &MetricInfo) -> String {
    let shape = if info.is_scalar() { "one number".to_string() } else { format!("shape {:?} by default", info.shape) };
    format!(
        "{}: a metric of {scenario}\n\n{}\nUnit {}, {}; {shape}\nSource: {}",
        info.id,
        info.description,
        info.unit,
        better(info),
        info.source
    )
}

fn better(info: &MetricInfo) -> &'static str {
    match info.direction {
        Some(Direction::Maximize) => "more is better",
        Some(Direction::Minimize) => "less is better",
        None => "no direction",
    }
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or("It has no description.").to_string()
}

/// The properties of a JSON Schema as a table under a title; a sentence where there is none.
fn parameters(title: &str, schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|p| !p.is_empty()) else {
        return "\n\nIt has no parameters.".into();
    };
    let mut table = table(["key", "value", "default", "what it is"]);
    for (name, property) in properties {
        let kind = property_kind(property, schema);
        let default = property.get("default").map_or(String::new(), default_text);
        table.add_row([name.clone(), kind, default, property["description"].as_str().unwrap_or_default().to_string()]);
    }
    format!("\n\n{title}\n{table}")
}

fn default_text(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let entries: Vec<String> = object.iter().map(|(k, v)| format!("{k} = {}", default_text(v))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::String(text) => format!("\"{text}\""),
        Value::Null => "none".into(),
        Value::Number(number) => number.to_string(),
        other => short(other),
    }
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(110);
    table
}
