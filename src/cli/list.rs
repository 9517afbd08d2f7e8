//! `isacopt list`: what there is, and which solver fits which model.

use std::sync::Arc;

use clap::Args;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::print;
use crate::error::Result;
use crate::math::Streams;
use crate::metric::MetricInfo;
use crate::optimizer::solvers;
use crate::problem::Problem;
use crate::scenario::{ScenarioEntry, scenarios};

/// List scenarios, solvers and metrics, and which solver fits which scenario
#[derive(Debug, Args)]
pub struct Arguments {
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut drawn = Vec::new();
    for entry in scenarios() {
        let model = (entry.default)().draw(&Streams::new(1, entry.name, 0))?;
        let spec = model.default_problem();
        drawn.push((entry, Problem::new(model, spec)?));
    }
    let listed = listing(&drawn);
    if arguments.json { print(&format!("{listed:#}")) } else { print(&text(&listed)) }
}

type Drawn = (&'static ScenarioEntry, Arc<Problem>);

/// What there is, computed from the scenarios with their default values and their own problems.
fn listing(drawn: &[Drawn]) -> Value {
    let scenarios: Vec<Value> = drawn.iter().map(|(entry, problem)| scenario(entry, problem)).collect();
    let solvers: Vec<Value> = solvers()
        .into_iter()
        .map(|(name, entry)| {
            let requirement = (entry.default)().requires();
            let fits: serde_json::Map<String, Value> = drawn
                .iter()
                .map(|(scenario, problem)| {
                    let met = requirement.met_by(problem);
                    (scenario.name.to_string(), met.map_or_else(|why| why.to_string().into(), |()| Value::Bool(true)))
                })
                .collect();
            let schema = (entry.schema)();
            let description = schema.as_value()["description"].as_str().unwrap_or_default();
            json!({ "name": name, "summary": first_sentence(description), "fits": fits })
        })
        .collect();
    json!({ "scenarios": scenarios, "solvers": solvers })
}

fn scenario(entry: &ScenarioEntry, problem: &Problem) -> Value {
    let model = problem.model();
    let named = |n: &crate::model::Named| json!({ "name": n.name, "summary": first_sentence(n.description) });
    let metric = |m: &MetricInfo| {
        json!({ "name": m.id, "unit": m.unit, "direction": m.direction, "scalar": m.is_scalar(),
            "summary": first_sentence(&m.description) })
    };
    json!({
        "name": entry.name,
        "summary": entry.summary,
        "paper": entry.paper,
        "objective": problem.spec().objective.name(),
        "metrics": model.metrics().iter().map(metric).collect::<Vec<_>>(),
        "starts": model.starts().iter().map(named).collect::<Vec<_>>(),
        "baselines": model.baselines().iter().map(|b| named(&b.named())).collect::<Vec<_>>(),
    })
}

fn text(listed: &Value) -> String {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut parts = Vec::new();
    let mut table = new_table(&["scenario", "what it is", "objective by default"]);
    for scenario in items(&listed["scenarios"]) {
        table.add_row([word(&scenario["name"]), word(&scenario["summary"]), word(&scenario["objective"])]);
    }
    parts.push(table.to_string());
    let mut table = new_table(&["solver", "what it does"]);
    for solver in items(&listed["solvers"]) {
        table.add_row([word(&solver["name"]), word(&solver["summary"])]);
    }
    for scenario in items(&listed["scenarios"]) {
        for baseline in items(&scenario["baselines"]) {
            let summary = format!("{} ({} only)", word(&baseline["summary"]), word(&scenario["name"]));
            table.add_row([word(&baseline["name"]), summary]);
        }
    }
    parts.push(table.to_string());
    for scenario in items(&listed["scenarios"]) {
        let mut table = new_table(&[&format!("metric of {}", word(&scenario["name"])), "unit", "better", "what it is"]);
        for metric in items(&scenario["metrics"]) {
            let better = match metric["direction"].as_str() {
                Some("maximize") => "more",
                Some(_) => "less",
                None => "",
            };
            table.add_row([word(&metric["name"]), word(&metric["unit"]), better.to_string(), word(&metric["summary"])]);
        }
        parts.push(table.to_string());
    }
    parts.push(matrix(listed));
    parts.push("`isacopt describe NAME` says more about any of these names.".to_string());
    parts.join("\n\n")
}

/// Which solver fits which scenario; reasons stand below.
fn matrix(listed: &Value) -> String {
    let names: Vec<&str> =
        listed["scenarios"].as_array().into_iter().flatten().filter_map(|s| s["name"].as_str()).collect();
    let mut table = new_table(&["fits", &names.join(" | ")]);
    table.set_header(["solver"].into_iter().chain(names.iter().copied()));
    let mut reasons = String::new();
    for solver in listed["solvers"].as_array().into_iter().flatten() {
        let name = solver["name"].as_str().unwrap_or_default();
        let mut row = vec![name.to_string()];
        for scenario in &names {
            match solver["fits"][scenario].as_str() {
                None => row.push("fits".to_string()),
                Some(why) => {
                    row.push("does not fit".to_string());
                    reasons += &format!("\n{name} does not fit {scenario}: {why}");
                }
            }
        }
        table.add_row(row);
    }
    format!("{table}{reasons}")
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(header.to_vec());
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(110);
    table
}

/// A description up to its first full stop at a word's end, line breaks as spaces.
fn first_sentence(description: &str) -> String {
    let paragraph = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_string(),
        None => paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_solver_that_fits_and_reasons_for_the_others() {
        let mut drawn = Vec::new();
        for entry in scenarios() {
            let model = (entry.default)().draw(&Streams::new(1, entry.name, 0)).unwrap();
            let spec = model.default_problem();
            drawn.push((entry, Problem::new(model, spec).unwrap()));
        }
        let listed = listing(&drawn);
        for (entry, _) in &drawn {
            let fits: Vec<&Value> =
                listed["solvers"].as_array().unwrap().iter().map(|s| &s["fits"][entry.name]).collect();
            assert!(fits.contains(&&Value::Bool(true)), "{}", entry.name);
            assert!(fits.iter().all(|f| **f == Value::Bool(true) || f.as_str().is_some_and(|why| !why.is_empty())));
        }
        let text = text(&listed);
        assert!(text.contains("toy_for_tests") && text.contains("equal_shares") && text.contains("transmit_power"));
        assert!(text.contains("does not fit toy_for_tests: it needs"), "{text}");
    }

    #[test]
    fn summaries_are_one_sentence() {
        assert_eq!(first_sentence("One. Two."), "One.");
        assert_eq!(first_sentence("A 0.5 share\nof it\n\nMore."), "A 0.5 share of it");
    }
}
