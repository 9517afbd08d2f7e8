//! A first config for a scenario: every key with its default and what it means, from the schemas and doc comments.

use serde_json::{Map, Value, json};

use super::message::{looked_up, property_kind};
use super::write::plain;
use crate::driver::StopRules;
use crate::error::{InputError, Result};
use crate::math::Streams;
use crate::optimizer::solvers;
use crate::problem::Problem;
use crate::scenario::scenarios;

/// Comments are at most so wide.
const WIDTH: usize = 100;

/// The text of a starter config: the scenario's keys with their defaults, solvers that are done in seconds, and the
/// other sections as comments.
pub fn starter(scenario: &str) -> Result<String> {
    let known = scenarios();
    let entry = known
        .iter()
        .find(|entry| entry.name == scenario)
        .ok_or_else(|| InputError::unknown("--scenario", scenario, known.iter().map(|e| e.name)))?;
    let model = (entry.default)().draw(&Streams::new(1, entry.name, 0))?;
    let spec = model.default_problem();
    let problem = Problem::new(model, spec)?;
    let mut text = Lines::default();
    text.comment(&format!(
        "A first experiment with `{scenario}`: {}. Every key of the scenario stands here with its \
        default: change it, or delete it to keep the default. `isacopt describe NAME` says more about a scenario, a \
        solver or a metric; `isacopt list` names them all.",
        entry.summary
    ));
    text.line("");
    text.line(&format!("name = {}", toml(&format!("{scenario}: a first experiment").into())));
    text.section("scenario", "The system. Each trial draws it anew.");
    text.line(&format!("type = {}", toml(&scenario.into())));
    let schema = (entry.schema)();
    let schema = schema.as_value();
    let defaults = serde_json::to_value((entry.default)()).unwrap_or_default();
    for (key, property) in properties(schema) {
        text.line("");
        let given = defaults.get(key).or_else(|| property.get("default")).filter(|v| !v.is_null());
        text.key(key, property, given, schema);
    }
    let metrics = problem.model().metrics().iter();
    let sought: Vec<&str> = metrics.filter(|m| m.is_scalar() && m.direction.is_some()).map(|m| m.id.as_str()).collect();
    text.section("# problem", "What is sought; the scenario's own problem without this section.");
    text.comment(&format!("objective = \"{}\"", problem.spec().objective.name()));
    text.comment(&format!("One of: {}.", sought.join(", ")));
    text.comment("constraints = { METRIC = { at_least = 0.1 } }");
    solver_sections(&mut text, &problem);
    text.section("trials", "How often each point is drawn.");
    text.line("count = 3");
    text.line("seed = 1");
    let swept = swept(schema, &defaults);
    text.section("# sweep", "One point a value; several keys are crossed.");
    text.comment(&format!("\"scenario.{}\" = [{}]", swept.0, toml(&swept.1)));
    text.section("# stop", "Stopping rules for all solvers; each solver may have its own.");
    let rules = schemars::schema_for!(StopRules);
    for (key, property) in properties(rules.as_value()) {
        let what = property["description"].as_str().unwrap_or_default();
        text.comment(&format!("{key}: {what}"));
    }
    text.section("# [metric]", "Figures of your own.");
    text.comment("name = \"efficiency\"");
    text.comment("direction = \"maximize\"");
    text.comment(&format!("expression = \"{} / 2\"", sought.first().copied().unwrap_or("1")));
    Ok(text.0)
}

/// The solvers that run: the exact one where there is one, the scenario's comparison schemes, and random search.
fn solver_sections(text: &mut Lines, problem: &Problem) {
    let mut others = Vec::new();
    let mut first = true;
    let mut add = |text: &mut Lines, name: &str, what: &str, keys: &[&str]| {
        text.section("[solver]", if first { "The solvers to compare." } else { "" });
        first = false;
        text.comment(what);
        text.line(&format!("type = \"{name}\""));
        keys.iter().for_each(|key| text.line(key));
    };
    for (name, entry) in solvers() {
        let schema = (entry.schema)();
        let what = first_sentence(schema.as_value()["description"].as_str().unwrap_or_default());
        match name.as_str() {
            _ if (entry.default)().requires().met_by(problem).is_err() => {}
            "exact" => add(text, &name, &what, &[]),
            "random_search" => add(text, &name, &what, &["max_evaluations = 2000"]),
            "recorded" | "baseline" => {}
            _ => others.push(name),
        }
    }
    for baseline in problem.model().baselines() {
        let named = baseline.named();
        add(text, named.name, named.description, &[]);
    }
    if !others.is_empty() {
        text.line("");
        text.comment(&format!("These fit, too: {}.", others.join(", ")));
    }
}

/// A key of the scenario to sweep, and its default: a power where there is one.
fn swept(schema: &Value, defaults: &Value) -> (String, Value) {
    let single = |key: &str| defaults.get(key).filter(|v| v.is_number() || v.is_string()).cloned();
    let keys: Vec<&str> = properties(schema).map(|(key, _)| key.as_str()).collect();
    let first =
        keys.iter().filter(|k| k.contains("power")).chain(&keys).find_map(|k| Some((k.to_string(), single(k)?)));
    first.unwrap_or_else(|| ("KEY".into(), json!(1)))
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// A description up to its first full stop at a word's end.
fn first_sentence(description: &str) -> String {
    let text = description.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    text.find(". ").map_or(text.clone(), |end| text[..=end].to_string())
}

fn toml(value: &Value) -> String {
    plain(value).map(|v| v.to_string().trim().to_string()).unwrap_or_default()
}

/// A text that grows.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    /// A comment, broken at words.
    fn comment(&mut self, words: &str) {
        let mut line = String::from("#");
        for word in words.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line = String::from("#");
            }
            line.push(' ');
            line += word;
        }
        self.line(&line);
    }

    fn section(&mut self, name: &str, what: &str) {
        self.line("");
        if !what.is_empty() {
            self.comment(what);
        }
        match name.strip_prefix("# ") {
            Some(name) => self.line(&format!("# [{name}]")),
            None => self.line(&format!("[{name}]")),
        }
    }

    /// A key: what it is, what it may be, its default; as a comment where it has none.
    fn key(&mut self, key: &str, property: &Value, given: Option<&Value>, whole: &Value) {
        let resolved = looked_up(property, whole, 4);
        let what = property["description"].as_str().or(resolved["description"].as_str()).unwrap_or_default();
        self.comment(&format!("{what} ({})", property_kind(property, whole)));
        for (inner, property) in properties(&resolved) {
            let what = property["description"].as_str().unwrap_or_default();
            self.comment(&format!("- {inner}: {what}"));
        }
        match given.filter(|v| !toml(v).is_empty()) {
            Some(value) => self.line(&format!("{key} = {}", toml(value))),
            None => {
                let fields: Map<String, Value> = alternatives(&resolved).into_iter().map(|k| (k, json!(0.0))).collect();
                let example = if fields.is_empty() { "...".into() } else { toml(&Value::Object(fields)) };
                self.line(&format!("# {key} = {example}"));
            }
        }
    }
}

/// The keys of the object that a schema or one of its alternatives is.
fn alternatives(schema: &Value) -> Vec<String> {
    let own = properties(schema).map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let choices = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    own.into_iter().chain(choices.flat_map(|s| properties(s).map(|(key, _)| key.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Experiment;
    use crate::runner::Plan;

    #[test]
    fn every_scenario_has_a_starter_that_checks_and_names_all_keys() {
        for entry in scenarios() {
            let text = starter(entry.name).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("e.toml");
            std::fs::write(&path, &text).unwrap();
            let read = Experiment::read(&path, &[]).and_then(Plan::new);
            let plan = read.unwrap_or_else(|e| panic!("{}: {e}\n{text}", entry.name));
            assert!(!plan.runs.is_empty());
            for (key, _) in properties((entry.schema)().as_value()) {
                let written = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
                assert!(text.lines().any(written), "no {key} in\n{text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH || !line.starts_with("# ")), "{text}");
        }
        assert!(starter("monostatik").unwrap_err().to_string().contains("did you mean"));
    }
}
