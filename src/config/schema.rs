//! The JSON Schema of configs, for editors: descriptions and defaults come from the doc comments and the code.

use serde_json::{Map, Value, json};

use super::claim::claim_schema;
use super::figure::figure_schema;
use super::plugin::PluginConfig;
use super::solver::DRIVER_KEYS;
use crate::conic::hermitian::Method;
use crate::driver::StopRules;
use crate::error::Result;
use crate::math::Streams;
use crate::optimizer::solvers;
use crate::scenario::scenarios;

/// The JSON Schema (draft 2020-12) of a config file: all registered scenarios and solvers, with their keys.
///
/// Draws each scenario's default system once, to know its comparison schemes.
pub fn config_schema() -> Result<Value> {
    let mut definitions = Map::new();
    let rules = schemars::schema_for!(StopRules);
    let rules = hoist("stop", rules.as_value(), &mut definitions);
    let mut driver = json!({
        "label": { "type": "string", "description": "The name in results; the type's where none is given." },
        "start": { "type": "string", "description":
            "Where to start: a design of the instance file, a named start of the scenario, or a comparison scheme." },
    });
    if let (Some(driver), Some(rules)) = (driver.as_object_mut(), rules["properties"].as_object()) {
        driver.extend(rules.clone().into_iter().filter(|(key, _)| DRIVER_KEYS.contains(&key.as_str())));
    }
    let mut systems = Vec::new();
    let mut methods = Vec::new();
    for (name, entry) in solvers() {
        let schema = hoist(&name, (entry.schema)().as_value(), &mut definitions);
        methods.push(tagged(&name, schema, &driver));
    }
    for entry in scenarios() {
        let schema = hoist(entry.name, (entry.schema)().as_value(), &mut definitions);
        systems.push(tagged(entry.name, schema, &json!({})));
        let model = (entry.default)().draw(&Streams::new(1, entry.name, 0))?;
        for baseline in model.baselines() {
            let named = baseline.named();
            let mut schema = hoist(named.name, &baseline.parameters(), &mut definitions);
            schema["description"] = named.description.into();
            methods.push(tagged(named.name, schema, &driver));
        }
    }
    systems.push(of_a_plugin("A system model of a plugin.", &systems, &json!({})));
    methods.push(of_a_plugin("A solver of a plugin.", &methods, &driver));
    let plugin = hoist("plugin", schemars::schema_for!(PluginConfig).as_value(), &mut definitions);
    let limit = json!({ "type": ["number", "string", "array"], "description":
        "The limit: a number, text with a unit, or a list with one an entry of the metric." });
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "isacopt experiment",
        "type": "object",
        "additionalProperties": false,
        "required": ["solver"],
        "properties": {
            "name": { "type": "string", "description": "The experiment's name; the file's where none is given." },
            "scenario": { "description": "The system, drawn anew for each trial.", "oneOf": systems },
            "instances": {
                "description": "Instance files in place of a scenario, as a pattern or a list; each is a trial.",
                "type": ["string", "array"],
                "items": { "type": "string" },
            },
            "problem": object("Another objective than the scenario's own, and further limits.", json!({
                "objective": {
                    "description": "A scalar metric, or weights of several.",
                    "type": ["string", "object"],
                    "additionalProperties": { "type": "number" },
                },
                "constraints": {
                    "description": "Limits by metric; they add to the scenario's, or replace the one on the same metric.",
                    "type": "object",
                    "additionalProperties": object("The limit on one metric.", json!({
                        "at_most": limit, "at_least": limit,
                    })),
                },
                "quantize": {
                    "description": "Bits of each phase, by block: continuous phases are held to a grid, for the discrete solvers.",
                    "type": "object",
                    "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 16 },
                },
                "conic": {
                    "description": "Which solver takes the semidefinite programs over Hermitian matrices of models that have any.",
                    "enum": Method::NAMES,
                    "default": "auto",
                },
            })),
            "plugin": { "description": "Files that further solvers, metrics and models are loaded from.", "type": "array",
                "items": plugin },
            "solver": { "description": "The solvers to compare.", "type": "array", "items": { "oneOf": methods } },
            "metric": { "description": "Figures of your own.", "type": "array", "items": metric() },
            "sweep": {
                "description": "Values by key, such as \"scenario.transmit_power\"; several keys are crossed.",
                "type": "object",
                "properties": { "zip": {
                    "description": "Keys that are walked together.",
                    "type": "array",
                    "items": { "type": "object", "additionalProperties": { "type": "array" } },
                } },
                "additionalProperties": { "type": "array" },
            },
            "trials": object("How often each cell is drawn.", json!({
                "count": { "type": "integer", "minimum": 1, "default": 1, "description": "Trials of each cell." },
                "seed": { "type": "integer", "minimum": 0, "default": 1, "description": "Seed of all random numbers." },
            })),
            "stop": rules,
            "figure": { "description": "Figures of the report.", "type": "array", "items": figure_schema() },
            "claim": { "description": "What a paper says of it.", "type": "array", "items": claim_schema() },
            "simulate": object("Metrics of each result by Monte-Carlo of the raw signals, beside the closed forms.", json!({
                "metrics": { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true,
                    "description": "The metrics to simulate, of those that the scenario's simulation covers." },
                "draws": { "type": "integer", "minimum": 2, "default": 100, "description": "Draws a design." },
            })),
            "estimate": object("Mean square errors of estimators at each result, beside the CRLBs.", json!({
                "estimators": { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true,
                    "description": "The scenario's estimators to try." },
                "trials": { "type": "integer", "minimum": 2, "default": 100, "description":
                    "Trials of each estimator at a design." },
            })),
            "run": object("How runs are done; it changes no result.", json!({
                "timing": { "enum": ["once", "repeat"], "default": "once", "description":
                    "`repeat`: a solve of less than 5 ms is repeated until its median time is stable." },
            })),
            "resources": resources(),
        },
        "$defs": definitions,
    }))
}

fn resources() -> Value {
    let asked = json!({
        "cpus": { "type": "integer", "minimum": 1, "description": "Processor cores." },
        "memory": { "type": "string", "pattern": "^[1-9][0-9]*[KMGT]?$", "description": "Memory, such as \"2G\"." },
        "seconds": { "type": "number", "exclusiveMinimum": 0, "description":
            "Seconds that a run takes about; short runs are packed into tasks by it." },
    });
    let own = object("What runs of one solver need.", asked.clone());
    let mut all = object("What launchers ask a cluster for; it changes no result.", asked);
    all["properties"]["solver"] = json!({ "description": "By label.", "type": "object", "additionalProperties": own });
    all
}

fn metric() -> Value {
    let mut schema = object(
        "An expression of the scenario's metrics.",
        json!({
            "name": { "type": "string", "description": "Its name: letters, digits and _." },
            "unit": { "type": "string", "default": "1", "description": "Its unit." },
            "direction": { "enum": ["maximize", "minimize"], "description": "Which way it gets better." },
            "expression": { "type": "string", "description":
                "Such as `sum_rate / (transmit_power + 5)` or `min(rate)`." },
        }),
    );
    schema["required"] = json!(["name", "expression"]);
    schema
}

fn object(description: &str, properties: Value) -> Value {
    json!({ "description": description, "type": "object", "additionalProperties": false, "properties": properties })
}

/// A schema whose definitions are moved to the whole's, under names of its own.
fn hoist(name: &str, schema: &Value, definitions: &mut Map<String, Value>) -> Value {
    let renamed = schema.to_string().replace("#/$defs/", &format!("#/$defs/{name}."));
    let mut schema: Value = serde_json::from_str(&renamed).unwrap_or_else(|_| schema.clone());
    if let Some(object) = schema.as_object_mut() {
        object.shift_remove("$schema");
        object.shift_remove("title");
        if let Some(Value::Object(own)) = object.shift_remove("$defs") {
            definitions.extend(own.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
        }
    }
    schema
}

/// A table whose `type` is none of the known ones: the plugin that has it knows its keys.
fn of_a_plugin(description: &str, known: &[Value], further: &Value) -> Value {
    let names: Vec<&Value> = known.iter().map(|schema| &schema["properties"]["type"]["const"]).collect();
    let mut properties = json!({ "type": { "type": "string", "not": { "enum": names } } });
    if let (Some(properties), Some(further)) = (properties.as_object_mut(), further.as_object()) {
        properties.extend(further.clone());
    }
    json!({ "description": description, "type": "object", "properties": properties, "required": ["type"] })
}

/// A table's schema with its `type` and further keys in front of its own.
fn tagged(name: &str, mut schema: Value, further: &Value) -> Value {
    let mut properties = Map::new();
    properties.insert("type".into(), json!({ "const": name }));
    for keys in [further.as_object(), schema["properties"].as_object()].into_iter().flatten() {
        properties.extend(keys.clone());
    }
    schema["properties"] = Value::Object(properties);
    schema["required"] = json!(["type"]);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_and_solver_is_in_it_and_every_reference_resolves() {
        let schema = config_schema().unwrap();
        let types = |alternatives: &Value| -> Vec<String> {
            let alternatives = alternatives["oneOf"].as_array().unwrap();
            let names = alternatives.iter().filter_map(|a| a["properties"]["type"]["const"].as_str());
            let names: Vec<String> = names.map(str::to_string).collect();
            // The last one stands for plugins.
            assert_eq!(names.len() + 1, alternatives.len());
            names
        };
        let systems = types(&schema["properties"]["scenario"]);
        assert!(scenarios().iter().all(|entry| systems.contains(&entry.name.to_string())), "{systems:?}");
        let methods = types(&schema["properties"]["solver"]["items"]);
        assert!(solvers().iter().all(|(name, _)| methods.contains(name)), "{methods:?}");
        let first = &schema["properties"]["solver"]["items"]["oneOf"][0];
        assert!(first["properties"]["max_iterations"]["description"].is_string(), "{first}");
        let text = schema.to_string();
        let references: Vec<&str> = text.split("\"$ref\":\"#/$defs/").skip(1).collect();
        for reference in references {
            let name = reference.split('"').next().unwrap();
            assert!(schema["$defs"].get(name).is_some(), "no definition {name}");
        }
    }

    #[test]
    fn its_sections_are_those_that_a_config_may_hold() {
        let schema = config_schema().unwrap();
        let mut sections: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = super::super::experiment::SECTIONS.to_vec();
        sections.sort_unstable();
        known.sort_unstable();
        assert_eq!(sections, known);
    }
}
