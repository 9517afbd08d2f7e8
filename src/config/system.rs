//! The system of a config: a scenario that draws each trial, or instance files, each of which is a trial.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::message::explain;
use crate::error::{Error, InputError, Result};
use crate::instance::{InstanceFile, found};
use crate::math::Streams;
use crate::model::SystemModel;
use crate::plugin::{OfferedModel, Parameters, Plugin, PluginScenario};
use crate::scenario::{Scenario, ScenarioEntry, scenarios};

/// What the trials of an experiment are drawn from.
#[derive(Clone, Debug)]
pub enum System {
    /// A scenario draws each trial from the seed.
    Scenario(Arc<dyn Scenario>),
    /// Each file is a trial.
    Instances(Arc<[InstanceSource]>),
}

/// An instance file among those of an experiment.
#[derive(Clone, Debug)]
pub struct InstanceSource {
    /// Its name in results: the file's own name, or its path where two files have the same name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub file: InstanceFile,
    read: fn(&Value) -> Result<Arc<dyn SystemModel>>,
}

impl System {
    /// Draws the system of one trial.
    pub fn draw(&self, seed: u64, trial: u64) -> Result<Arc<dyn SystemModel>> {
        match self {
            Self::Scenario(scenario) => scenario.draw(&Streams::new(seed, scenario.typetag_name(), trial)),
            Self::Instances(files) => {
                let source = files.get(usize::try_from(trial).unwrap_or(usize::MAX)).ok_or_else(|| {
                    InputError::new("trial", trial.to_string(), format!("one of {} instance files", files.len()))
                })?;
                (source.read)(&source.file.instance).map_err(|e| e.in_file(&source.path))
            }
        }
    }

    /// The instance file of a trial, where the trial is one.
    pub fn instance(&self, trial: u64) -> Option<&InstanceSource> {
        match self {
            Self::Scenario(_) => None,
            Self::Instances(files) => files.get(usize::try_from(trial).ok()?),
        }
    }
}

/// The default values of a scenario by name, as a config's section would hold them.
pub fn default_section(name: &str) -> Option<Map<String, Value>> {
    let entry = scenarios().into_iter().find(|entry| entry.name == name)?;
    section_of((entry.default)().as_ref())
}

/// A scenario as a config's section, all defaults filled in.
pub fn section_of(scenario: &dyn Scenario) -> Option<Map<String, Value>> {
    match serde_json::to_value(scenario) {
        // A plugin's model goes by its own name, its keys beside it.
        Ok(Value::Object(mut own)) if own.contains_key("model") && own.get("type") == Some(&"plugin".into()) => {
            let mut section = Map::new();
            section.extend(own.remove("model").map(|model| ("type".to_string(), model)));
            if let Some(Value::Object(parameters)) = own.remove("parameters") {
                section.extend(without_nulls(parameters));
            }
            Some(section)
        }
        Ok(Value::Object(section)) => Some(without_nulls(section)),
        _ => None,
    }
}

/// TOML has no null: an absent key says the same.
pub fn without_nulls(table: Map<String, Value>) -> Map<String, Value> {
    let clean = |value: Value| match value {
        Value::Object(inner) => Value::Object(without_nulls(inner)),
        other => other,
    };
    table.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, clean(value))).collect()
}

/// Reads the `[scenario]` section: a scenario of isacopt's, or a model of a plugin. Errors list every mistake in it.
pub fn read_scenario(section: &Value, plugins: &[Plugin]) -> Result<Arc<dyn Scenario>, Vec<InputError>> {
    let entries = scenarios();
    let offered = plugins.iter().flat_map(|p| p.manifest().models.iter().map(|m| m.name.as_str()));
    let offered: Vec<&str> = offered.collect();
    let names = || entries.iter().map(|e| e.name).chain(offered.iter().copied());
    let Some(table) = section.as_object() else {
        return Err(vec![InputError::new("scenario", found(section), "a table with a `type`")]);
    };
    let name = match table.get("type") {
        Some(Value::String(name)) => name,
        other => {
            let found = other.map_or("no such key".to_string(), found);
            let names = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(vec![InputError::new("scenario.type", found, format!("one of {names}"))]);
        }
    };
    if let Some((plugin, model)) = plugins.iter().find_map(|p| Some((p, p.manifest().model(name)?))) {
        return read_model(table, plugin, model);
    }
    let Some(entry) = entries.iter().find(|e| e.name == name) else {
        return Err(vec![InputError::unknown("scenario.type", name, names())]);
    };
    let read = |section: &Value| {
        serde_json::from_value::<Box<dyn Scenario>>(section.clone()).map_err(|error| error.to_string())
    };
    match read(section) {
        Ok(scenario) => match scenario.check() {
            Ok(()) => Ok(scenario.into()),
            Err(error) => Err(mistakes_in(error, "scenario")),
        },
        Err(message) => {
            let default = section_of((entry.default)().as_ref()).unwrap_or_default();
            let mistakes =
                blame(table, &mut Value::Object(default), &mut Vec::new(), &|section| read(section).map(|_| ()));
            match mistakes.is_empty() {
                true => Err(vec![explain("scenario", section, &message)]),
                false => Err(mistakes),
            }
        }
    }
}

/// A plugin's model, its section held against the schema that the plugin exports.
fn read_model(
    table: &Map<String, Value>,
    plugin: &Plugin,
    model: &OfferedModel,
) -> Result<Arc<dyn Scenario>, Vec<InputError>> {
    let own = table.iter().filter(|(key, _)| *key != "type").map(|(key, value)| (key.clone(), value.clone()));
    let own: Map<String, Value> = own.collect();
    let schema = Parameters::new(&model.parameters)
        .map_err(|why| vec![InputError::new("scenario.type", why, "a model whose schema can be checked")])?;
    let mistakes = schema.mistakes(&own, "scenario");
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let (model, parameters) = (model.name.clone(), schema.filled(&own));
    Ok(Arc::new(PluginScenario { model, parameters, plugin: Some(plugin.clone()) }))
}

/// The mistakes of an error, their keys under a section; anything else is said of the whole section.
pub fn mistakes_in(error: Error, section: &str) -> Vec<InputError> {
    match error {
        Error::Input(mistakes) => {
            let starts =
                |key: &str| key == section || key.strip_prefix(section).is_some_and(|k| k.starts_with(['.', '[']));
            mistakes
                .into_iter()
                .map(|m| if starts(&m.key) || m.file.is_some() { m } else { m.under(section) })
                .collect()
        }
        other => vec![InputError::new(section, other.to_string(), "a system that can be drawn")],
    }
}

/// The keys that cannot be read, each tried alone among default values: serde does not say where it failed.
fn blame(
    table: &Map<String, Value>,
    default: &mut Value,
    path: &mut Vec<String>,
    read: &dyn Fn(&Value) -> Result<(), String>,
) -> Vec<InputError> {
    let mut mistakes = Vec::new();
    let top = path.is_empty();
    for (key, value) in table.iter().filter(|(key, _)| !top || *key != "type") {
        path.push(key.clone());
        let mut trial = default.clone();
        let slot = path.iter().try_fold(&mut trial, |at, name| {
            at.as_object_mut().map(|table| table.entry(name.clone()).or_insert(Value::Null))
        });
        if let Some(slot) = slot {
            let both_tables = slot.is_object() && value.is_object();
            let known = !slot.is_null();
            *slot = value.clone();
            if let Err(message) = read(&trial) {
                let inner = match (both_tables, value.as_object()) {
                    (true, Some(table)) => blame(table, default, path, read),
                    _ => Vec::new(),
                };
                if inner.is_empty() {
                    let own = format!("unknown field `{key}`");
                    let depth = if !known && message.starts_with(&own) { path.len() - 1 } else { path.len() };
                    let place = ["scenario"].into_iter().chain(path[..depth].iter().map(String::as_str));
                    mistakes.push(explain(&place.collect::<Vec<_>>().join("."), value, &message));
                }
                mistakes.extend(inner);
            }
        }
        path.pop();
    }
    mistakes
}

/// Reads the files that `instances` names by patterns, relative to the config's folder.
pub fn read_instances(value: &Value, folder: &Path) -> Result<Arc<[InstanceSource]>, Vec<InputError>> {
    let allowed = "a file, or a pattern such as \"drops/*.json\", or a list of them";
    let patterns: Option<Vec<&str>> = match value {
        Value::String(pattern) => Some(vec![pattern]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let patterns = patterns.filter(|p| !p.is_empty());
    let patterns = patterns.ok_or_else(|| vec![InputError::new("instances", found(value), allowed)])?;
    let mut paths = Vec::new();
    for pattern in patterns {
        let whole = glob::Pattern::escape(&folder.display().to_string());
        let whole = if Path::new(pattern).is_absolute() { pattern.into() } else { Path::new(&whole).join(pattern) };
        let refuse = |why: String| vec![InputError::new("instances", format!("\"{pattern}\": {why}"), allowed)];
        let before = paths.len();
        for path in glob::glob(&whole.display().to_string()).map_err(|e| refuse(e.msg.to_string()))? {
            let path = path.map_err(|e| refuse(e.to_string()))?;
            if path.is_file() && !paths.contains(&path) {
                paths.push(path);
            }
        }
        if paths.len() == before {
            return Err(refuse("no such file".to_string()));
        }
    }
    let entries = scenarios();
    let (mut sources, mut mistakes) = (Vec::<InstanceSource>::new(), Vec::new());
    for path in &paths {
        match read_instance(path, &paths, folder, &entries) {
            Ok(source) => sources.push(source),
            Err(error) => mistakes.extend(mistakes_in(error, "instances")),
        }
    }
    if let Some(first) = sources.first() {
        let name = &first.file.scenario;
        for other in sources.iter().filter(|s| s.file.scenario != *name) {
            let allowed = format!("files of one scenario: `{name}`, as {} has", first.name);
            let found = format!("{} of scenario `{}`", other.name, other.file.scenario);
            mistakes.push(InputError::new("instances", found, allowed));
        }
    }
    if mistakes.is_empty() { Ok(sources.into()) } else { Err(mistakes) }
}

fn read_instance(
    path: &Path,
    paths: &[PathBuf],
    folder: &Path,
    entries: &[&'static ScenarioEntry],
) -> Result<InstanceSource> {
    let file = InstanceFile::read(path)?;
    let scenario = entries.iter().find(|e| e.name == file.scenario).ok_or_else(|| {
        Error::from(InputError::unknown("scenario", &file.scenario, entries.iter().map(|e| e.name))).in_file(path)
    })?;
    (scenario.read_instance)(&file.instance).map_err(|e| e.in_file(path))?;
    let own = path.file_name();
    let name = match own {
        Some(own) if paths.iter().filter(|p| p.file_name() == Some(own)).count() == 1 => Path::new(own),
        _ => path.strip_prefix(folder).unwrap_or(path),
    };
    Ok(InstanceSource {
        name: name.display().to_string(),
        path: path.to_path_buf(),
        file,
        read: scenario.read_instance,
    })
}
