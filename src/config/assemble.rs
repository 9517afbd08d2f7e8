//! The cells of an experiment from a config's sections: the config itself first, then each point of its sweep.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::cell::Cell;
use super::expression::MetricConfig;
use super::monte_carlo::{Estimate, Simulate};
use super::problem::ProblemConfig;
use super::setting::key_path;
use super::solver::{DRIVER_KEYS, SolverConfig, read_rules};
use super::source::{Source, put};
use super::sweep::Assignment;
use super::system::{System, mistakes_in, read_scenario, section_of, without_nulls};
use crate::driver::StopRules;
use crate::error::InputError;
use crate::instance::found;
use crate::metric::{Metric, MetricInfo};
use crate::model::{Baseline, SystemModel};
use crate::plugin::{Plugin, PluginMetric};

/// What every cell is read with.
pub struct Context<'a> {
    pub source: &'a Arc<Source>,
    pub folder: &'a Path,
    pub metrics: Arc<[MetricConfig]>,
    pub monte_carlo: (Option<Simulate>, Option<Estimate>),
    pub instances: Option<System>,
    pub baselines: Vec<Arc<dyn Baseline>>,
    pub plugins: Arc<[Plugin]>,
}

impl Context<'_> {
    /// The config without its sweep, checked against its first trial.
    pub fn base(&mut self, tree: &Map<String, Value>, seed: u64, mistakes: &mut Vec<InputError>) -> Option<Cell> {
        let sections = ["scenario", "problem", "stop", "solver"];
        let sections = sections.iter().filter_map(|key| Some((key.to_string(), tree.get(*key)?.clone())));
        let sections: Map<String, Value> = sections.collect();
        if tree.get("solver").is_none_or(|s| s.as_array().is_some_and(Vec::is_empty)) {
            mistakes.push(InputError::new("solver", "no solver", "at least one [[solver]] with a `type`"));
        }
        let mut found = Vec::new();
        let (system, problem) =
            (self.system(&sections, &mut found), ProblemConfig::read(sections.get("problem"), &mut found));
        let mut cell = Cell {
            index: 0,
            sweep: Map::new(),
            system: match system {
                Some(system) => system,
                None => {
                    // Solvers are still looked at, though baselines cannot be known.
                    self.solvers(&sections, &mut found);
                    found.retain(|m| !m.key.ends_with(".type") || m.key.starts_with("scenario"));
                    mistakes.extend(found);
                    return None;
                }
            },
            problem,
            solvers: Vec::new(),
            resolved: Map::new(),
            metrics: Arc::clone(&self.metrics),
            plugins: Arc::clone(&self.plugins),
            source: Arc::clone(self.source),
            assigned: Vec::new(),
        };
        // What the drawn system knows: baselines, metrics, starts.
        let mut trial = None;
        match cell.system.draw(seed, 0) {
            Ok(model) => {
                self.baselines = model.baselines();
                match self.names(&cell, model.as_ref()) {
                    Ok(()) => {
                        trial = cell.draw(seed, 0).map_err(|e| found.extend(mistakes_in(e, "problem"))).ok();
                    }
                    Err(new) => found.extend(new),
                }
            }
            Err(error) => found.extend(mistakes_in(error, "scenario")),
        }
        cell.solvers = self.solvers(&sections, &mut found);
        for (i, solver) in cell.solvers.iter().enumerate() {
            let start = solver.start.as_deref().and_then(|name| Some(trial.as_ref()?.start(name)));
            if let Some(Err(error)) = start {
                found.extend(mistakes_in(error.under(&format!("solver[{i}]")), "solver"));
            }
        }
        let ok = found.is_empty();
        mistakes.extend(found);
        if !ok {
            return None;
        }
        cell.resolved = self.resolve(&sections, &cell);
        Some(cell)
    }

    /// Names in `[problem]`, `[[metric]]`, `[simulate]` and `[estimate]`, against what the model knows.
    fn names(&self, cell: &Cell, model: &dyn SystemModel) -> Result<(), Vec<InputError>> {
        let mut mistakes = Vec::new();
        let extended = with_plugin_metrics(model, &self.plugins).map_err(|e| mistakes_in(e, "plugin"))?;
        let known: Vec<&str> = extended.iter().map(|m| m.id.as_str()).collect();
        for (i, metric) in self.metrics.iter().enumerate() {
            let twice =
                self.metrics[..i].iter().any(|m| m.name == metric.name) || known.contains(&metric.name.as_str());
            if twice {
                let key = format!("{}.name", metric.place);
                mistakes.push(InputError::new(key, format!("a second metric `{}`", metric.name), "names that differ"));
            }
            mistakes.extend(metric.metric(&extended).err());
        }
        let all = || known.iter().copied().chain(self.metrics.iter().map(|m| m.name.as_str()));
        mistakes.extend(self.monte_carlo.0.iter().flat_map(|simulate| simulate.check(model)));
        mistakes.extend(self.monte_carlo.1.iter().flat_map(|estimate| estimate.check(model)));
        if mistakes.is_empty() {
            return Ok(());
        }
        // The problem is put to the model only where the metrics are in order; its names are checked all the same.
        let objective = cell.problem.objective.iter().flat_map(|o| match o {
            crate::Objective::Metric(id) => vec![id],
            crate::Objective::WeightedSum(terms) => terms.keys().collect(),
        });
        for id in objective.filter(|id| !all().any(|n| n == *id)) {
            mistakes.push(InputError::unknown("problem.objective", id, all()));
        }
        for limit in cell.problem.limits.iter().filter(|l| !all().any(|n| n == l.metric)) {
            let key = format!("problem.constraints.{}", limit.metric);
            mistakes.push(InputError::unknown(key, &limit.metric, all()));
        }
        Err(mistakes)
    }

    /// One point of the sweep: the resolved config with the point's values in it.
    pub fn cell(
        &self,
        index: usize,
        base: &Map<String, Value>,
        point: Vec<Assignment>,
    ) -> Result<Cell, Vec<InputError>> {
        let mut sections = base.clone();
        let mut mistakes = Vec::new();
        let mut assigned = Vec::new();
        let mut sweep = Map::new();
        for assignment in point {
            match self.assign(&mut sections, &assignment) {
                Ok(path) => {
                    sweep.insert(assignment.key.clone(), assignment.value.clone());
                    assigned.push((path, assignment));
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let system = self.system(&sections, &mut mistakes);
        let problem = ProblemConfig::read(sections.get("problem"), &mut mistakes);
        let solvers = self.solvers(&sections, &mut mistakes);
        let place = Cell {
            index,
            sweep,
            // Replaced below; a cell with mistakes is used only to place them.
            system: System::Instances(Arc::from([])),
            problem,
            solvers,
            resolved: Map::new(),
            metrics: Arc::clone(&self.metrics),
            plugins: Arc::clone(&self.plugins),
            source: Arc::clone(self.source),
            assigned,
        };
        match system {
            Some(system) if mistakes.is_empty() => {
                let cell = Cell { system, ..place };
                Ok(Cell { resolved: self.resolve(&sections, &cell), ..cell })
            }
            _ => Err(place.locate(mistakes)),
        }
    }

    /// Puts a swept value at its key. The error says which keys can be swept.
    fn assign(&self, sections: &mut Map<String, Value>, assignment: &Assignment) -> Result<String, InputError> {
        let path = key_path(&assignment.key, sections);
        let refuse = |allowed: &str| {
            Err(InputError::new(&assignment.list, format!("a sweep over `{}`", assignment.key), allowed))
        };
        let rename = |error: InputError| InputError { key: assignment.list.clone(), ..error };
        match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["scenario", ..] if self.instances.is_some() => {
                return refuse("`problem.KEY`, `stop.KEY` or `solver.LABEL.KEY`: the systems stand in instance files");
            }
            ["scenario", "type"] => return refuse("a key of the scenario other than its type"),
            ["scenario", .., _] if path.len() > 1 => {
                let mut at = sections.get("scenario");
                for name in &path[1..path.len() - 1] {
                    let table = at.and_then(Value::as_object);
                    let next = table.and_then(|t| t.get(name));
                    if next.is_none() {
                        let names = table.into_iter().flat_map(Map::keys).map(String::as_str);
                        return Err(InputError::unknown(&assignment.list, name, names));
                    }
                    at = next;
                }
            }
            ["problem" | "stop", _, ..] => {}
            ["solver", _, "label" | "type"] => return refuse("a parameter of the solver, not its label or type"),
            ["solver", _, _, ..] => {}
            [section, ..] if ["scenario", "problem", "stop", "solver"].contains(section) => {
                return refuse("`scenario.KEY`, `problem.KEY`, `stop.KEY` or `solver.LABEL.KEY`");
            }
            [first, ..] => {
                let mut unknown =
                    InputError::unknown(&assignment.list, first, ["scenario", "problem", "stop", "solver"]);
                unknown.found = format!("a sweep over `{}`", assignment.key);
                return Err(unknown);
            }
            [] => return refuse("a key"),
        }
        put(sections, &path, assignment.value.clone()).map_err(rename)
    }

    fn system(&self, sections: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Option<System> {
        if let Some(instances) = &self.instances {
            return Some(instances.clone());
        }
        match read_scenario(sections.get("scenario")?, &self.plugins) {
            Ok(scenario) => Some(System::Scenario(scenario)),
            Err(new) => {
                mistakes.extend(new);
                None
            }
        }
    }

    /// The solvers, the rules of `[stop]` among theirs.
    fn solvers(&self, sections: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Vec<SolverConfig> {
        let mut stop = StopRules::default();
        match sections.get("stop") {
            Some(Value::Object(table)) => {
                let rules = &DRIVER_KEYS[2..];
                for key in table.keys().filter(|key| !rules.contains(&key.as_str())) {
                    mistakes.push(InputError::unknown(format!("stop.{key}"), key, rules.iter().copied()));
                }
                stop = read_rules(table, "stop", mistakes);
            }
            Some(other) => mistakes.push(InputError::new("stop", found(other), "a table of stopping rules")),
            None => {}
        }
        let mut solvers: Vec<SolverConfig> = Vec::new();
        let tables = match sections.get("solver") {
            Some(Value::Array(tables)) => tables.as_slice(),
            Some(other) => {
                mistakes.push(InputError::new("solver", found(other), "[[solver]] tables"));
                &[]
            }
            None => &[],
        };
        for (i, table) in tables.iter().enumerate() {
            let place = format!("solver[{i}]");
            let Some(table) = table.as_object() else {
                mistakes.push(InputError::new(place, found(table), "a table with a `type`"));
                continue;
            };
            match SolverConfig::with_plugins(&self.with_paths(table), &place, &self.baselines, &self.plugins) {
                Ok(solver) => {
                    if solvers.iter().any(|s| s.label == solver.label) {
                        let key = if table.contains_key("label") { "label" } else { "type" };
                        let found = format!("a second solver `{}`", solver.label);
                        let allowed = "labels that differ: label = \"...\"";
                        mistakes.push(InputError::new(format!("{place}.{key}"), found, allowed));
                    }
                    solvers.push(SolverConfig { rules: solver.rules.or(&stop), ..solver });
                }
                Err(error) => mistakes.extend(mistakes_in(error, &place)),
            }
        }
        solvers
    }

    /// A solver's `file` is looked for beside the config.
    fn with_paths(&self, table: &Map<String, Value>) -> Map<String, Value> {
        let mut table = table.clone();
        if let Some(Value::String(file)) = table.get_mut("file") {
            let path = self.folder.join(file.as_str());
            *file = std::path::absolute(&path).unwrap_or(path).display().to_string();
        }
        table
    }

    /// The sections that make a cell, all defaults filled in.
    fn resolve(&self, sections: &Map<String, Value>, cell: &Cell) -> Map<String, Value> {
        let mut resolved = Map::new();
        if let System::Scenario(scenario) = &cell.system {
            let section = section_of(scenario.as_ref()).map(Value::Object);
            resolved.extend(section.or_else(|| sections.get("scenario").cloned()).map(|s| ("scenario".to_string(), s)));
        }
        for key in ["problem", "stop"] {
            resolved.extend(sections.get(key).cloned().map(|section| (key.to_string(), section)));
        }
        let tables = sections.get("solver").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let tables = cell.solvers.iter().zip(tables).map(|(solver, table)| {
            let table = table.as_object().map(|table| self.with_paths(table)).unwrap_or_default();
            Value::Object(solver_section(solver, table))
        });
        resolved.insert("solver".into(), tables.collect());
        resolved
    }
}

/// A model's metrics, and behind them those of plugins that are defined on it. A name that is taken is a mistake.
fn with_plugin_metrics(model: &dyn SystemModel, plugins: &[Plugin]) -> crate::Result<Vec<MetricInfo>> {
    let mut all = model.metrics().to_vec();
    for metric in plugins.iter().flat_map(|plugin| PluginMetric::all(plugin, model)) {
        let info = metric.info();
        if all.iter().any(|m| m.id == info.id) {
            let found = format!("a metric `{}` of a plugin, as the scenario has one", info.id);
            return Err(InputError::new("plugin", found, "names that are not taken").into());
        }
        all.push(info.clone());
    }
    Ok(all)
}

/// A solver's table with its label and all parameters; driver keys as given.
fn solver_section(solver: &SolverConfig, given: Map<String, Value>) -> Map<String, Value> {
    let mut section = Map::new();
    section.insert("type".into(), solver.type_name.clone().into());
    section.insert("label".into(), solver.label.clone().into());
    let driver = given.iter().filter(|(key, _)| DRIVER_KEYS[1..].contains(&key.as_str()));
    section.extend(driver.map(|(key, value)| (key.clone(), value.clone())));
    let parameters = match serde_json::to_value(solver.optimizer.as_ref()) {
        Ok(Value::Object(own)) if own.get("type") == Some(&solver.type_name.as_str().into()) => own,
        Ok(Value::Object(mut own)) if solver.plugin.is_some() => match own.remove("parameters") {
            Some(Value::Object(parameters)) => parameters,
            _ => given,
        },
        _ => given,
    };
    for (key, value) in without_nulls(parameters) {
        section.entry(key).or_insert(value);
    }
    section
}
