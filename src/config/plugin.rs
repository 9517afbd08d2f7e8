//! The `[[plugin]]` tables: files that solvers, metrics and models are loaded from. Nothing is loaded from anywhere else.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::message::explain;
use super::system::mistakes_in;
use crate::error::InputError;
use crate::instance::found;
use crate::optimizer::solvers;
use crate::plugin::{Limits, Location, Plugin};
use crate::scenario::scenarios;

/// A `[[plugin]]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginConfig {
    /// The file, relative to the config's folder: a program that speaks the wire protocol, a Python file, or a shared
    /// library.
    pub path: String,
    /// Whether a shared library runs inside isacopt, which it can end. Else it runs in a worker process.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trusted: bool,
    /// The SHA-256 of the file in hexadecimal digits: a file that differs is not loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether a relative path may leave the config's folder.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_outside: bool,
    /// The program that runs the file; `python3` for a file that ends in `.py`, none for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// The seconds after which a process that gives no sign of life is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.001), extend("default" = 60))]
    pub deadline_seconds: Option<f64>,
    /// The limit on a process's address space in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16), extend("default" = 8192))]
    pub memory_mib: Option<u64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl PluginConfig {
    /// A plugin of a path, as the command line names it.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            trusted: false,
            sha256: None,
            allow_outside: true,
            interpreter: None,
            deadline_seconds: None,
            memory_mib: None,
        }
    }

    fn read(value: &Value, place: &str) -> Result<Self, Vec<InputError>> {
        let Some(table) = value.as_object() else {
            return Err(vec![InputError::new(place, found(value), "a table with a `path`")]);
        };
        let read = |table: &Map<String, Value>| {
            serde_json::from_value::<Self>(Value::Object(table.clone())).map_err(|e| e.to_string())
        };
        let whole = match read(table) {
            Ok(config) => return config.check(place).map(|()| config),
            Err(message) => message,
        };
        // Serde does not say at which key it failed: a key that fails beside a good path is to blame.
        let alone = table.iter().filter_map(|(key, value)| {
            let mut single = Map::new();
            single.insert("path".into(), "".into());
            single.insert(key.clone(), value.clone());
            let message = read(&single).err()?;
            let place = if message.starts_with("unknown") { place.to_string() } else { format!("{place}.{key}") };
            Some(explain(&place, value, &message))
        });
        let mistakes: Vec<InputError> = alone.collect();
        Err(if mistakes.is_empty() { vec![explain(place, value, &whole)] } else { mistakes })
    }

    fn check(&self, place: &str) -> Result<(), Vec<InputError>> {
        let mut mistakes = Vec::new();
        if let Some(seconds) = self.deadline_seconds.filter(|s| !(*s >= 1e-3 && *s <= 1e7)) {
            let key = format!("{place}.deadline_seconds");
            mistakes.push(InputError::new(key, seconds.to_string(), "seconds from 0.001 to 1e7"));
        }
        if let Some(mib) = self.memory_mib.filter(|m| !(16..=1 << 24).contains(m)) {
            mistakes.push(InputError::new(format!("{place}.memory_mib"), mib.to_string(), "MiB from 16 to 16777216"));
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// Loads the plugin; a relative path is taken from `folder`.
    pub fn load(&self, folder: &Path, place: &str) -> Result<Plugin, Vec<InputError>> {
        let key = format!("{place}.path");
        let path = folder.join(&self.path);
        if !self.allow_outside && !Path::new(&self.path).is_absolute() {
            let real = |path: &Path| std::fs::canonicalize(path);
            let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            if let (Ok(file), Ok(here)) = (real(&path), real(here))
                && !file.starts_with(&here)
            {
                let found = format!("\"{}\", which leads out of the config's folder", self.path);
                return Err(vec![InputError::new(
                    key,
                    found,
                    "a file in it, or `allow_outside = true` beside the path",
                )]);
            }
        }
        let default = Limits::default();
        let limits = Limits {
            deadline: self.deadline_seconds.map_or(default.deadline, Duration::from_secs_f64),
            memory: self.memory_mib.map_or(default.memory, |mib| mib << 20),
        };
        let location = Location::new(&path, self.trusted, self.sha256.as_deref(), limits);
        let loaded = location.and_then(|location| {
            Plugin::load(Location {
                interpreter: self.interpreter.clone().or(location.interpreter.clone()),
                ..location
            })
        });
        loaded.map_err(|error| match error {
            crate::Error::Input(_) => mistakes_in(error, place),
            other => vec![InputError::new(key, other.to_string(), "a plugin that can be loaded")],
        })
    }

    /// The table as it stands in a resolved config: the file by its absolute path, and pinned.
    fn resolved(&self, plugin: &Plugin) -> Value {
        let location = plugin.location();
        let pinned =
            Self { path: location.path.display().to_string(), sha256: Some(location.sha256.clone()), ..self.clone() };
        serde_json::to_value(pinned).unwrap_or_default()
    }
}

/// Loads the plugins of a config, and gives their tables as they stand in a resolved one. A name that is taken is a
/// mistake.
pub fn load_plugins(
    tree: &Map<String, Value>,
    folder: &Path,
    mistakes: &mut Vec<InputError>,
) -> (Vec<Plugin>, Vec<Value>) {
    let tables = match tree.get("plugin") {
        None => &[],
        Some(Value::Array(tables)) => tables.as_slice(),
        Some(other) => {
            mistakes.push(InputError::new("plugin", found(other), "[[plugin]] tables"));
            &[]
        }
    };
    let (mut plugins, mut resolved) = (Vec::<Plugin>::new(), Vec::new());
    for (i, table) in tables.iter().enumerate() {
        let place = format!("plugin[{i}]");
        match PluginConfig::read(table, &place).and_then(|config| Ok((config.load(folder, &place)?, config))) {
            Ok((plugin, config)) => {
                for taken in clashes(&plugin, &plugins) {
                    mistakes.push(InputError::new(format!("{place}.path"), taken, "names that are not taken"));
                }
                resolved.push(config.resolved(&plugin));
                plugins.push(plugin);
            }
            Err(new) => mistakes.extend(new),
        }
    }
    (plugins, resolved)
}

/// The names of a plugin that are taken, in words.
fn clashes(plugin: &Plugin, others: &[Plugin]) -> Vec<String> {
    let mut taken = Vec::new();
    let manifest = plugin.manifest();
    let (built_in, scenarios) = (solvers(), scenarios());
    for solver in &manifest.solvers {
        if built_in.iter().any(|(name, _)| *name == solver.name) {
            taken.push(format!("a solver `{}`, as isacopt has one", solver.name));
        } else if others.iter().any(|o| o.manifest().solver(&solver.name).is_some()) {
            taken.push(format!("a solver `{}`, as another plugin has one", solver.name));
        }
    }
    for model in &manifest.models {
        if scenarios.iter().any(|entry| entry.name == model.name) {
            taken.push(format!("a model `{}`, as isacopt has one", model.name));
        } else if others.iter().any(|o| o.manifest().model(&model.name).is_some()) {
            taken.push(format!("a model `{}`, as another plugin has one", model.name));
        }
    }
    for metric in &manifest.metrics {
        if others.iter().any(|o| o.manifest().metrics.iter().any(|m| m.name == metric.name)) {
            taken.push(format!("a metric `{}`, as another plugin has one", metric.name));
        }
    }
    taken
}
