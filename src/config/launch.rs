//! The `[run]` and `[resources]` sections: how runs are timed, and what launchers ask a cluster for. They change no result.

use serde_json::{Map, Value};

use crate::error::InputError;
use crate::instance::found;

/// How solves are timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimingRule {
    /// Each is timed once.
    #[default]
    Once,
    /// What takes less than 5 ms is repeated until its median time is stable.
    Repeat,
}

impl TimingRule {
    const NAMES: [&str; 2] = ["once", "repeat"];

    /// Reads `timing` of the `[run]` section.
    pub fn read(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Self {
        let Some(table) = section(tree, "run", "a table with `timing`", mistakes) else { return Self::Once };
        for key in table.keys().filter(|key| *key != "timing") {
            mistakes.push(InputError::unknown(format!("run.{key}"), key, ["timing"]));
        }
        match table.get("timing") {
            None => Self::Once,
            Some(Value::String(name)) if name == Self::NAMES[0] => Self::Once,
            Some(Value::String(name)) if name == Self::NAMES[1] => Self::Repeat,
            Some(Value::String(name)) => {
                mistakes.push(InputError::unknown("run.timing", name, Self::NAMES));
                Self::Once
            }
            Some(other) => {
                mistakes.push(InputError::new("run.timing", found(other), "\"once\" or \"repeat\""));
                Self::Once
            }
        }
    }

    /// Whether short solves are repeated.
    pub fn repeats(self) -> bool {
        self == Self::Repeat
    }
}

/// What a run needs.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd)]
pub struct Asked {
    /// Processor cores, which a solver that has threads of its own may use.
    pub cpus: Option<u64>,
    /// Memory as Slurm takes it, such as `2G`.
    pub memory: Option<String>,
    /// Seconds that a run takes about; short runs are packed into tasks by it.
    pub seconds: Option<f64>,
}

impl Asked {
    fn or(self, other: &Self) -> Self {
        Self {
            cpus: self.cpus.or(other.cpus),
            memory: self.memory.or_else(|| other.memory.clone()),
            seconds: self.seconds.or(other.seconds),
        }
    }
}

/// The `[resources]` section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    all: Asked,
    solvers: Vec<(String, Asked)>,
}

impl Resources {
    const KEYS: [&str; 4] = ["cpus", "memory", "seconds", "solver"];

    /// Reads the section.
    pub fn read(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Self {
        let allowed = "a table with `cpus`, `memory`, `seconds`, and tables `solver.LABEL` with the same";
        let Some(table) = section(tree, "resources", allowed, mistakes) else { return Self::default() };
        let mut solvers = Vec::new();
        match table.get("solver") {
            None => {}
            Some(Value::Object(tables)) => {
                for (label, value) in tables {
                    let place = format!("resources.solver.{label}");
                    match value.as_object() {
                        Some(own) => solvers.push((label.clone(), asked(own, &place, &Self::KEYS[..3], mistakes))),
                        None => mistakes.push(InputError::new(place, found(value), "a table")),
                    }
                }
            }
            Some(other) => mistakes.push(InputError::new("resources.solver", found(other), "tables by label")),
        }
        Self { all: asked(table, "resources", &Self::KEYS, mistakes), solvers }
    }

    /// What runs of the solver with this label need.
    pub fn of(&self, label: &str) -> Asked {
        let own = self.solvers.iter().find(|(known, _)| known == label).map(|(_, asked)| asked.clone());
        own.unwrap_or_default().or(&self.all)
    }

    /// Mistakes in the labels.
    pub fn check<'a>(&self, labels: impl Iterator<Item = &'a str> + Clone) -> Vec<InputError> {
        let unknown = self.solvers.iter().filter(|(label, _)| !labels.clone().any(|known| known == label));
        unknown.map(|(label, _)| InputError::unknown("resources.solver", label, labels.clone())).collect()
    }
}

fn section<'a>(
    tree: &'a Map<String, Value>,
    name: &str,
    allowed: &str,
    mistakes: &mut Vec<InputError>,
) -> Option<&'a Map<String, Value>> {
    let value = tree.get(name)?;
    if !value.is_object() {
        mistakes.push(InputError::new(name, found(value), allowed));
    }
    value.as_object()
}

fn asked(table: &Map<String, Value>, place: &str, keys: &[&str], mistakes: &mut Vec<InputError>) -> Asked {
    for key in table.keys().filter(|key| !keys.contains(&key.as_str())) {
        mistakes.push(InputError::unknown(format!("{place}.{key}"), key, keys.iter().copied()));
    }
    let mut refuse = |key: &str, allowed: &str| {
        mistakes.push(InputError::new(format!("{place}.{key}"), found(&table[key]), allowed));
    };
    let mut asked = Asked::default();
    if let Some(value) = table.get("cpus") {
        asked.cpus = value.as_u64().filter(|n| *n > 0);
        if asked.cpus.is_none() {
            refuse("cpus", "a whole number of at least 1");
        }
    }
    if let Some(value) = table.get("memory") {
        let is_size = |text: &&str| {
            let digits = text.trim_end_matches(['K', 'M', 'G', 'T']);
            text.len() - digits.len() <= 1 && digits.parse::<u64>().is_ok_and(|n| n > 0)
        };
        asked.memory = value.as_str().filter(is_size).map(str::to_string);
        if asked.memory.is_none() {
            refuse("memory", "a size such as \"500M\" or \"2G\"");
        }
    }
    if let Some(value) = table.get("seconds") {
        asked.seconds = value.as_f64().filter(|s| s.is_finite() && *s > 0.0);
        if asked.seconds.is_none() {
            refuse("seconds", "a number above 0");
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(tree: Value) -> (Resources, TimingRule, Vec<InputError>) {
        let mut mistakes = Vec::new();
        let tree = tree.as_object().unwrap().clone();
        let timing = TimingRule::read(&tree, &mut mistakes);
        (Resources::read(&tree, &mut mistakes), timing, mistakes)
    }

    #[test]
    fn a_solver_asks_for_its_own_and_else_for_what_all_ask_for() {
        let (resources, timing, mistakes) = read(json!({
            "run": { "timing": "repeat" },
            "resources": { "memory": "2G", "seconds": 0.5, "solver": { "big": { "memory": "16G", "cpus": 4 } } },
        }));
        assert!(mistakes.is_empty() && timing.repeats());
        let big = Asked { cpus: Some(4), memory: Some("16G".into()), seconds: Some(0.5) };
        assert_eq!(resources.of("big"), big);
        assert_eq!(resources.of("other"), Asked { cpus: None, memory: Some("2G".into()), seconds: Some(0.5) });
        assert_eq!(resources.check(["big", "other"].into_iter()), []);
        assert!(resources.check(["bigger"].into_iter())[0].to_string().contains("did you mean `bigger`"));
        assert_eq!(read(json!({})), (Resources::default(), TimingRule::Once, Vec::new()));
    }

    #[test]
    fn mistakes_are_named() {
        let (.., mistakes) = read(json!({
            "run": { "timing": "twice", "time": 1 },
            "resources": { "memory": "2GB", "cpus": 0, "seconds": -1, "solver": { "a": { "solver": 1 }, "b": 2 } },
        }));
        let mut keys: Vec<&str> = mistakes.iter().map(|m| m.key.as_str()).collect();
        keys.sort_unstable();
        let expected = ["resources.cpus", "resources.memory", "resources.seconds", "resources.solver.a.solver"];
        assert_eq!(keys, [&expected[..], &["resources.solver.b", "run.time", "run.timing"]].concat());
    }
}
