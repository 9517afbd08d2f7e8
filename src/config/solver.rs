//! One solver of a config or of the command line: the driver's keys and the solver's own parameters.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::message::{explain, schema_keys};
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::instance::found;
use crate::model::Baseline;
use crate::optimizer::{Optimizer, solvers};
use crate::plugin::{OfferedSolver, Parameters, Plugin, PluginSolver};

/// The keys that stand beside a solver's own parameters and belong to the driver.
pub const DRIVER_KEYS: [&str; 7] =
    ["label", "start", "max_iterations", "max_evaluations", "max_seconds", "tolerance", "patience"];

/// A solver with its label, its start and its stopping rules.
#[derive(Clone, Debug)]
pub struct SolverConfig {
    /// The name in results; the type's name where none is given.
    pub label: String,
    /// The type: a registered solver's name, or a baseline's of the scenario.
    pub type_name: String,
    /// The start's name; none leaves it to the solver.
    pub start: Option<String>,
    /// The stopping rules that were given; the solver's own fill the gaps.
    pub rules: StopRules,
    /// The solver.
    pub optimizer: Arc<dyn Optimizer>,
    /// The plugin that it is from, where it is from one.
    pub plugin: Option<Plugin>,
}

impl SolverConfig {
    /// Reads a solver's table. Names resolve to registered solvers first, then to the scenario's baselines.
    ///
    /// Errors list every mistake of the table, each with its key's path under `place`.
    pub fn from_table(table: &Map<String, Value>, place: &str, baselines: &[Arc<dyn Baseline>]) -> Result<Self> {
        Self::with_plugins(table, place, baselines, &[])
    }

    /// Reads a solver's table, where plugins have solvers, too. A name that means two solvers is a mistake.
    pub fn with_plugins(
        table: &Map<String, Value>,
        place: &str,
        baselines: &[Arc<dyn Baseline>],
        plugins: &[Plugin],
    ) -> Result<Self> {
        let path = |key: &str| format!("{place}.{key}");
        let type_name = match table.get("type") {
            Some(Value::String(name)) => name.clone(),
            Some(other) => return Err(InputError::new(path("type"), found(other), "a solver's name").into()),
            None => return Err(InputError::new(path("type"), "no such key", "a solver's name").into()),
        };
        let mut mistakes = Vec::new();
        let mut text = |key: &str| match table.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                mistakes.push(InputError::new(path(key), found(other), "text"));
                None
            }
        };
        let (label, start) = (text("label"), text("start"));
        let rules = read_rules(table, place, &mut mistakes);
        let own = table.iter().filter(|(key, _)| *key != "type" && !DRIVER_KEYS.contains(&key.as_str()));
        let own: Map<String, Value> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        let registered = solvers();
        let known = registered.iter().find(|(name, _)| *name == type_name);
        let baseline = baselines.iter().find(|b| b.named().name == type_name);
        let plugin = plugins.iter().find_map(|p| Some((p, p.manifest().solver(&type_name)?)));
        let optimizer = match (known, baseline, plugin) {
            (Some((_, entry)), _, _) => {
                check_names(&own, (entry.schema)().as_value(), place, &mut mistakes);
                read_optimizer(&type_name, &own, place, &mut mistakes)
            }
            (None, Some(_), Some(_)) => {
                let found = format!("`{type_name}`, which the scenario and a plugin both have");
                mistakes.push(InputError::new(path("type"), found, "a name that means one solver"));
                None
            }
            (None, None, Some((plugin, offered))) => read_plugin_solver(plugin, offered, &own, place, &mut mistakes),
            (None, Some(baseline), None) => {
                check_names(&own, &baseline.parameters(), place, &mut mistakes);
                let own = json!({ "baseline": type_name, "parameters": own });
                read_optimizer("baseline", own.as_object().unwrap_or(&Map::new()), place, &mut mistakes)
            }
            (None, None, None) => {
                let names = registered.iter().map(|(name, _)| name.as_str());
                let names = names.chain(baselines.iter().map(|b| b.named().name));
                let offered = plugins.iter().flat_map(|p| p.manifest().solvers.iter().map(|s| s.name.as_str()));
                let names = names.chain(offered);
                mistakes.push(InputError::unknown(path("type"), &type_name, names));
                None
            }
        };
        match optimizer {
            Some(optimizer) if mistakes.is_empty() => {
                optimizer.check().map_err(|e| e.under(place))?;
                let label = label.unwrap_or_else(|| type_name.clone());
                let plugin = plugin.map(|(plugin, _)| plugin.clone());
                Ok(Self { label, type_name, start, rules, optimizer, plugin })
            }
            _ => Err(Error::Input(mistakes)),
        }
    }
}

/// The stopping rules of a table; whole numbers may be written as floats (`2e5`).
pub(super) fn read_rules(table: &Map<String, Value>, place: &str, mistakes: &mut Vec<InputError>) -> StopRules {
    let mut rules = StopRules::default();
    for key in &DRIVER_KEYS[2..] {
        let Some(value) = table.get(*key).filter(|v| !v.is_null()) else { continue };
        let single: Map<String, Value> = [(key.to_string(), whole_number(value))].into_iter().collect();
        match serde_json::from_value::<StopRules>(Value::Object(single)) {
            Ok(rule) => match rule.check() {
                Ok(()) => rules = rule.or(&rules),
                Err(Error::Input(errors)) => mistakes.extend(errors.into_iter().map(|e| e.under(place))),
                Err(_) => mistakes.push(InputError::new(format!("{place}.{key}"), found(value), "a number")),
            },
            Err(error) => mistakes.push(explain(&format!("{place}.{key}"), value, &error.to_string())),
        }
    }
    rules
}

/// A float without fraction as a whole number, which serde wants for counts.
fn whole_number(value: &Value) -> Value {
    match value.as_f64() {
        Some(x) if value.as_u64().is_none() && x >= 0.0 && x.fract() == 0.0 && x < 9e15 => Value::from(x as u64),
        _ => value.clone(),
    }
}

fn check_names(own: &Map<String, Value>, schema: &Value, place: &str, mistakes: &mut Vec<InputError>) {
    let (known, open) = schema_keys(schema);
    if open {
        return;
    }
    for key in own.keys().filter(|key| !known.contains(&key.as_str())) {
        let valid = known.iter().copied().chain(DRIVER_KEYS);
        mistakes.push(InputError::unknown(format!("{place}.{key}"), key, valid));
    }
}

/// A plugin's solver, its parameters held against the schema that the plugin exports.
fn read_plugin_solver(
    plugin: &Plugin,
    offered: &OfferedSolver,
    own: &Map<String, Value>,
    place: &str,
    mistakes: &mut Vec<InputError>,
) -> Option<Arc<dyn Optimizer>> {
    // The schema was checked when the plugin was loaded.
    let schema = Parameters::new(&offered.parameters).ok()?;
    let wrong = schema.mistakes(own, place);
    if !wrong.is_empty() {
        mistakes.extend(wrong);
        return None;
    }
    let (solver, parameters) = (offered.name.clone(), schema.filled(own));
    Some(Arc::new(PluginSolver { solver, parameters, plugin: Some(plugin.clone()) }))
}

/// The solver of a type, or the mistakes in its parameters; says nothing more where names were already wrong.
fn read_optimizer(
    type_name: &str,
    own: &Map<String, Value>,
    place: &str,
    mistakes: &mut Vec<InputError>,
) -> Option<Arc<dyn Optimizer>> {
    let read = |own: &Map<String, Value>| {
        let mut tagged = Map::new();
        tagged.insert("type".into(), type_name.into());
        tagged.extend(own.clone());
        serde_json::from_value::<Box<dyn Optimizer>>(Value::Object(tagged)).map_err(|e| e.to_string())
    };
    let whole = match read(own) {
        Ok(optimizer) => return Some(optimizer.into()),
        Err(message) => message,
    };
    let before = mistakes.len();
    let already: Vec<String> = mistakes.iter().map(|m| m.key.clone()).collect();
    // Serde does not say at which key it failed: a key that fails alone is to blame.
    for (key, value) in own {
        let path = format!("{place}.{key}");
        if already.contains(&path) {
            continue;
        }
        let single: Map<String, Value> = [(key.clone(), value.clone())].into_iter().collect();
        match read(&single) {
            Err(message) if !message.starts_with("missing field") => mistakes.push(explain(&path, value, &message)),
            _ => {}
        }
    }
    if mistakes.len() == before && already.is_empty() {
        mistakes.push(explain(place, &Value::Object(own.clone()), &whole));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;
    use crate::optimizer::{Iterate, Requirement};
    use crate::problem::Problem;
    use crate::{Design, ProblemSpec, model::Named};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    /// A solver that exists for these tests alone.
    #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Idle {
        restarts: u64,
        width: f64,
    }

    #[typetag::serde(name = "idle_for_tests")]
    impl Optimizer for Idle {
        fn requires(&self) -> Requirement {
            Requirement::anything()
        }
        fn check(&self) -> Result<()> {
            match self.width < 0.0 {
                true => Err(InputError::new("width", self.width.to_string(), "0 or more").into()),
                false => Ok(()),
            }
        }
        fn begin(&self, _: Arc<Problem>, _: Option<Design>, _: RandomStream) -> Result<Box<dyn Iterate>> {
            Err(Error::Numerical("it only stands for its parameters".into()))
        }
    }
    crate::solver!(Idle);

    struct Even;
    impl Baseline for Even {
        fn named(&self) -> Named {
            Named { name: "even_for_tests", description: "" }
        }
        fn design(&self, _: &ProblemSpec, _: &Value) -> Result<Design> {
            Ok(Design::default())
        }
    }

    fn read(table: Value) -> Result<SolverConfig, String> {
        let baselines: Vec<Arc<dyn Baseline>> = vec![Arc::new(Even)];
        SolverConfig::from_table(table.as_object().unwrap(), "solver[0]", &baselines).map_err(|e| e.to_string())
    }

    #[test]
    fn driver_keys_are_split_off() {
        let config = read(json!({
            "type": "idle_for_tests", "label": "mine", "start": "half", "restarts": 3,
            "max_iterations": 7, "max_evaluations": 2e5, "tolerance": 1e-4
        }))
        .unwrap();
        assert_eq!((config.label.as_str(), config.start.as_deref()), ("mine", Some("half")));
        assert_eq!((config.rules.max_iterations, config.rules.max_evaluations), (Some(7), Some(200_000)));
        assert_eq!(config.rules.tolerance, Some(1e-4));
        assert!(format!("{:?}", config.optimizer).contains("restarts: 3"));
        assert_eq!(read(json!({ "type": "idle_for_tests" })).unwrap().label, "idle_for_tests");
    }

    #[test]
    fn every_mistake_is_told_with_its_key_and_what_is_allowed() {
        let message = read(json!({
            "type": "idle_for_tests", "label": 3, "restart": 2, "width": "wide", "max_iterations": -1, "patience": 0
        }))
        .unwrap_err();
        for part in [
            "`solver[0].label`: found 3",
            "`solver[0].restart`: found unknown name `restart`; allowed: did you mean `restarts`?",
            "`solver[0].width`: found \"wide\"; allowed: a number",
            "`solver[0].max_iterations`: found -1; allowed: a whole number, 0 or more",
            "`solver[0].patience`: found 0",
        ] {
            assert!(message.contains(part), "no {part} in\n{message}");
        }
        assert_eq!(message.lines().count(), 5, "{message}");
        assert!(read(json!({ "type": "idle_for_tests", "width": -1.0 })).unwrap_err().contains("`solver[0].width`"));
        let unknown = read(json!({ "type": "idle_for_test" })).unwrap_err();
        assert!(unknown.contains("did you mean `idle_for_tests`?") && unknown.contains("even_for_tests"), "{unknown}");
        assert!(read(json!({})).unwrap_err().contains("solver[0].type"));
        assert!(read(json!({ "type": "even_for_tests", "share": 1 })).unwrap_err().contains("`solver[0].share`"));
    }
}
