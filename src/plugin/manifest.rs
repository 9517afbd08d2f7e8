//! What a plugin offers, in its own words: plain data, the same in every tier.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::parameters::Parameters;
use crate::driver::StopRules;
use crate::metric::Direction;
use crate::optimizer::Requirement;
use crate::structure::Capability;

/// Longer names are refused.
const LONGEST_NAME: usize = 64;

/// A plugin's name, version and offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line on what it is.
    #[serde(default)]
    pub description: String,
    /// Its solvers.
    #[serde(default)]
    pub solvers: Vec<OfferedSolver>,
    /// Its metrics.
    #[serde(default)]
    pub metrics: Vec<OfferedMetric>,
    /// Its system models.
    #[serde(default)]
    pub models: Vec<OfferedModel>,
}

/// A solver in a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferedSolver {
    /// Its name: the `type` in configs.
    pub name: String,
    /// What it does, and its source.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its parameters.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// What a problem must offer.
    #[serde(default)]
    pub needs: Needs,
    /// Whether it is given the problem's own start where a config names none.
    #[serde(default = "yes")]
    pub start: bool,
    /// The stopping rules that apply where a config gives none.
    #[serde(default)]
    pub stop: StopRules,
}

/// A metric in a plugin: one number, a function of a model's metrics and of the design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferedMetric {
    /// Its name.
    pub name: String,
    /// Its unit, `"1"` for none.
    #[serde(default = "no_unit")]
    pub unit: String,
    /// Which way is better, where one is.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Whether it is a logarithm.
    #[serde(default)]
    pub logarithmic: bool,
    /// The model's metrics that it is made of. A model without one of them does not have this metric.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The formula in words, and its source.
    #[serde(default)]
    pub description: String,
}

/// A system model in a plugin: the `type` of a `[scenario]` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferedModel {
    /// Its name.
    pub name: String,
    /// One line on what it is, and its source.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its config section.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
}

/// What a solver needs of a problem, see [`Requirement`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Needs {
    /// Capabilities that must all be there, by name.
    pub capabilities: Vec<String>,
    /// Whether every free block must be continuous.
    pub continuous: bool,
    /// Whether every free block must be discrete.
    pub discrete: bool,
    /// Whether the model may prove infeasibility first, and then it does not begin.
    pub screened: bool,
}

impl Default for Needs {
    fn default() -> Self {
        Self { capabilities: Vec::new(), continuous: false, discrete: false, screened: true }
    }
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

fn no_unit() -> String {
    "1".into()
}

fn yes() -> bool {
    true
}

impl OfferedSolver {
    /// What a problem must offer for it. Its capabilities are known, as [`Manifest::check`] saw.
    pub fn requires(&self) -> Requirement {
        let known = |name: &String| Capability::ALL.into_iter().find(|c| c.name() == *name);
        Requirement {
            capabilities: self.needs.capabilities.iter().filter_map(known).collect(),
            one_of: Vec::new(),
            continuous: self.needs.continuous,
            discrete: self.needs.discrete,
            screened: self.needs.screened,
        }
    }
}

impl Manifest {
    /// Reads a manifest from its JSON object. The reason says what is wrong with it.
    pub fn read(value: Value) -> Result<Self, String> {
        let manifest: Self = serde_json::from_value(value).map_err(|e| e.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Refuses names that cannot stand in a config, what is offered twice, and schemas that say nothing that can be
    /// checked.
    pub fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() {
            return Err("it has no name".into());
        }
        let mut seen = Vec::new();
        let solvers = self.solvers.iter().map(|s| ("solver", &s.name, Some(&s.parameters)));
        let metrics = self.metrics.iter().map(|m| ("metric", &m.name, None));
        let models = self.models.iter().map(|m| ("model", &m.name, Some(&m.parameters)));
        for (kind, name, parameters) in solvers.chain(metrics).chain(models) {
            let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(letter) {
                return Err(format!("{kind} `{name}`: a name is 1 to {LONGEST_NAME} letters, digits and _"));
            }
            if seen.contains(&(kind, name)) {
                return Err(format!("{kind} `{name}` stands in it twice"));
            }
            seen.push((kind, name));
            if let Some(schema) = parameters {
                Parameters::new(schema)
                    .map_err(|why| format!("{kind} `{name}`: the schema of its parameters: {why}"))?;
            }
        }
        for solver in &self.solvers {
            for capability in &solver.needs.capabilities {
                if !Capability::ALL.iter().any(|c| c.name() == capability) {
                    let known = Capability::ALL.map(Capability::name).join(", ");
                    return Err(format!("solver `{}` needs `{capability}`, which is none of {known}", solver.name));
                }
            }
            solver.stop.check().map_err(|why| format!("solver `{}`: its stopping rules: {why}", solver.name))?;
        }
        match seen.is_empty() {
            true => Err("it offers nothing".into()),
            false => Ok(()),
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => object,
            _ => Map::new(),
        }
    }

    /// One of its solvers.
    pub fn solver(&self, name: &str) -> Option<&OfferedSolver> {
        self.solvers.iter().find(|s| s.name == name)
    }

    /// One of its models.
    pub fn model(&self, name: &str) -> Option<&OfferedModel> {
        self.models.iter().find(|m| m.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_with_its_defaults() {
        let read = Manifest::read(json!({ "name": "a", "version": "1", "solvers": [{ "name": "s" }] })).unwrap();
        let solver = read.solver("s").unwrap();
        assert!(solver.start && solver.needs.screened && !solver.needs.continuous);
        assert_eq!(Manifest::read(Value::Object(read.to_json())).unwrap(), read);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        let refuse = |extra: Value| {
            let mut value = json!({ "name": "a", "version": "1" });
            value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            Manifest::read(value).unwrap_err()
        };
        for (extra, words) in [
            (json!({}), "offers nothing"),
            (json!({ "name": " " }), "no name"),
            (json!({ "solvers": [{ "name": "a b" }] }), "letters, digits and _"),
            (json!({ "solvers": [{ "name": "a" }, { "name": "a" }] }), "twice"),
            (json!({ "solvers": [{ "name": "a", "parameters": { "type": "objekt" } }] }), "objekt"),
            (json!({ "solvers": [{ "name": "a", "parameters": 3 }] }), "schema"),
            (json!({ "solvers": [{ "name": "a", "needs": { "capabilities": ["gradiant"] } }] }), "gradiant"),
            (json!({ "solvers": [{ "name": "a", "stop": { "patience": 0 } }] }), "stopping rules"),
            (json!({ "solver": [] }), "unknown field"),
        ] {
            let why = refuse(extra);
            assert!(why.contains(words), "{words}: {why}");
        }
    }
}
