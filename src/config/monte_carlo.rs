//! The `[simulate]` and `[estimate]` sections: Monte-Carlo of the raw signals beside the closed forms of a result.

use serde_json::{Map, Value, json};

use crate::error::InputError;
use crate::instance::found;
use crate::math::RandomStream;
use crate::model::SystemModel;

/// Draws and trials where none are given: a mean to 10 % of one draw's spread.
const DEFAULT: u64 = 100;

/// The `[simulate]` section: metrics of each result from drawn signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulate {
    /// The metrics to simulate.
    pub metrics: Vec<String>,
    /// Draws a design, at least 2.
    pub draws: u64,
}

/// The `[estimate]` section: estimators tried on each result's echoes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The estimators to try.
    pub estimators: Vec<String>,
    /// Trials of each at a design, at least 2.
    pub trials: u64,
}

impl Simulate {
    /// Reads the section, where there is one.
    pub fn read(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Option<Self> {
        let (metrics, draws) = section(tree, "simulate", ["metrics", "draws"], "a list of metrics", mistakes)?;
        Some(Self { metrics, draws })
    }

    /// The section with its defaults.
    pub fn to_json(&self) -> Value {
        json!({ "metrics": self.metrics, "draws": self.draws })
    }

    /// Whether a model simulates what is asked for; mistakes name what it does simulate.
    pub fn check(&self, model: &dyn SystemModel) -> Vec<InputError> {
        // What a simulation covers does not depend on the design.
        let design = model.space().random(&mut RandomStream::keyed(0, "design to look at", "", 0, 0));
        let covered = model.simulation(&design).map(|factory| factory().covers()).unwrap_or_default();
        let check = |(i, name): (usize, &String)| {
            let key = format!("simulate.metrics[{i}]");
            if covered.is_empty() {
                let allowed = "no [simulate] section: the scenario has no simulation";
                Some(InputError::new(key, format!("`{name}` of `{}`", model.scenario()), allowed))
            } else if covered.contains(&name.as_str()) {
                None
            } else if model.metrics().iter().any(|m| m.id == *name) {
                let allowed = format!("what `{}` simulates: {}", model.scenario(), covered.join(", "));
                Some(InputError::new(key, format!("`{name}`, which is not simulated"), allowed))
            } else {
                Some(InputError::unknown(key, name, covered.iter().copied()))
            }
        };
        self.metrics.iter().enumerate().filter_map(check).collect()
    }
}

impl Estimate {
    /// Reads the section, where there is one.
    pub fn read(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Option<Self> {
        let keys = ["estimators", "trials"];
        let (estimators, trials) = section(tree, "estimate", keys, "a list of estimators", mistakes)?;
        Some(Self { estimators, trials })
    }

    /// The section with its defaults.
    pub fn to_json(&self) -> Value {
        json!({ "estimators": self.estimators, "trials": self.trials })
    }

    /// Whether a model has the estimators; mistakes name those that it has.
    pub fn check(&self, model: &dyn SystemModel) -> Vec<InputError> {
        let known: Vec<&str> = model.estimators().iter().map(|e| e.name).collect();
        let unknown = self.estimators.iter().enumerate().filter(|(_, name)| !known.contains(&name.as_str()));
        let mistake = |(i, name): (usize, &String)| {
            let key = format!("estimate.estimators[{i}]");
            if known.is_empty() {
                let allowed = "no [estimate] section: the scenario has no estimator";
                InputError::new(key, format!("`{name}` of `{}`", model.scenario()), allowed)
            } else {
                InputError::unknown(key, name, known.iter().copied())
            }
        };
        unknown.map(mistake).collect()
    }
}

/// A section of a list of names and a count.
fn section(
    tree: &Map<String, Value>,
    name: &str,
    [list, count]: [&str; 2],
    what: &str,
    mistakes: &mut Vec<InputError>,
) -> Option<(Vec<String>, u64)> {
    let section = tree.get(name)?;
    let Some(table) = section.as_object() else {
        mistakes.push(InputError::new(name, found(section), format!("a table with `{list}` and `{count}`")));
        return None;
    };
    for key in table.keys().filter(|key| ![list, count].contains(&key.as_str())) {
        mistakes.push(InputError::unknown(format!("{name}.{key}"), key, [list, count]));
    }
    let names = table.get(list).and_then(Value::as_array);
    let names: Option<Vec<String>> =
        names.and_then(|names| names.iter().map(|n| n.as_str().map(str::to_string)).collect());
    let names = names.filter(|names| !names.is_empty());
    let twice = names.iter().flatten().enumerate().find(|(i, n)| names.iter().flatten().take(*i).any(|m| m == *n));
    if let Some((i, twice)) = twice {
        let found = format!("`{twice}` a second time");
        mistakes.push(InputError::new(format!("{name}.{list}[{i}]"), found, "each name once"));
    }
    if names.is_none() {
        let written = table.get(list).map_or("no such key".to_string(), found);
        mistakes.push(InputError::new(format!("{name}.{list}"), written, what));
    }
    let number = match table.get(count) {
        None => DEFAULT,
        Some(value) => value.as_u64().filter(|n| *n >= 2).unwrap_or_else(|| {
            let allowed = "a whole number of at least 2, for a standard error";
            mistakes.push(InputError::new(format!("{name}.{count}"), found(value), allowed));
            DEFAULT
        }),
    };
    Some((names?, number))
}
