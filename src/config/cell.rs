//! One point of a sweep, and one trial of it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::expression::MetricConfig;
use super::problem::ProblemConfig;
use super::solver::SolverConfig;
use super::source::Source;
use super::sweep::Assignment;
use super::system::{System, mistakes_in};
use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::metric::Metric;
use crate::model::{SystemModel, with_metrics};
use crate::plugin::{Plugin, PluginMetric};
use crate::problem::Problem;

/// One point of the sweep.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its place in the sweep, from 0.
    pub index: usize,
    /// The swept keys and their values, as written.
    pub sweep: Map<String, Value>,
    /// What its trials are drawn from.
    pub system: System,
    /// What is asked of the problem.
    pub problem: ProblemConfig,
    /// The solvers, `[stop]` included in their rules.
    pub solvers: Vec<SolverConfig>,
    /// The sections that make this cell, all defaults filled in.
    pub resolved: Map<String, Value>,
    pub(super) metrics: Arc<[MetricConfig]>,
    pub(super) plugins: Arc<[Plugin]>,
    pub(super) source: Arc<Source>,
    pub(super) assigned: Vec<(String, Assignment)>,
}

/// One drawn system and its problem.
pub struct Trial {
    /// The problem.
    pub problem: Arc<Problem>,
    designs: Map<String, Value>,
}

impl Cell {
    /// Draws one trial, and puts the problem to it.
    pub fn draw(&self, seed: u64, trial: u64) -> Result<Trial> {
        let model = self.system.draw(seed, trial).map_err(|error| match error {
            Error::Input(_) => Error::Input(self.locate(mistakes_in(error, "scenario"))),
            other => other,
        })?;
        let problem = self.problem_on(model)?;
        let designs = self.system.instance(trial).map(|s| s.file.designs.clone()).unwrap_or_default();
        Ok(Trial { problem, designs })
    }

    /// Puts the problem to a system.
    pub fn problem_on(&self, model: Arc<dyn SystemModel>) -> Result<Arc<Problem>> {
        let place = |mistakes| Error::Input(self.locate(mistakes));
        let in_section = |error, section| match error {
            Error::Input(_) => place(mistakes_in(error, section)),
            other => other,
        };
        // Those of plugins first, so that expressions may be made of them.
        let mut extra: Vec<Arc<dyn Metric>> = Vec::new();
        for plugin in self.plugins.iter() {
            extra.extend(PluginMetric::all(plugin, model.as_ref()).into_iter().map(|m| Arc::new(m) as Arc<dyn Metric>));
        }
        let model = with_metrics(model, extra).map_err(|e| in_section(e, "plugin"))?;
        let mut extra: Vec<Arc<dyn Metric>> = Vec::new();
        let mut mistakes = Vec::new();
        for metric in self.metrics.iter() {
            match metric.metric(model.metrics()) {
                Ok(metric) => extra.push(Arc::new(metric)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(place(mistakes));
        }
        let model = with_metrics(model, extra).map_err(|e| in_section(e, "metric"))?;
        let spec = self.problem.on(model.as_ref()).map_err(place)?;
        Problem::new(model, spec).map_err(|e| in_section(e, "problem"))
    }

    /// Gives mistakes the file and line of their keys; those of a swept key stand at its list.
    pub fn locate(&self, mistakes: Vec<InputError>) -> Vec<InputError> {
        let locate = |mistake: InputError| {
            let below = |path: &str| {
                mistake.key == path || mistake.key.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            match self.assigned.iter().find(|(path, _)| below(path)) {
                _ if mistake.file.is_some() => mistake,
                Some((_, assignment)) => {
                    let place = self.source.place(&format!("{}[{}]", assignment.list, assignment.index));
                    InputError { file: place.file, line: place.line, key: assignment.list.clone(), ..mistake }
                }
                None if self.sweep.is_empty() => mistake,
                None => {
                    let values = self.sweep.iter().map(|(key, value)| format!("{key} = {value}"));
                    let cell = values.collect::<Vec<_>>().join(", ");
                    InputError { found: format!("{} (in the cell {cell})", mistake.found), ..mistake }
                }
            }
        };
        self.source.locate(mistakes.into_iter().map(locate).collect())
    }

    /// The hashes of the plugins that have a part in every result of this cell: the model's, and those with metrics.
    pub fn plugin_hashes(&self) -> Vec<&str> {
        let model = self.resolved.get("scenario").and_then(|s| s.get("type")).and_then(Value::as_str);
        let part = |plugin: &&Plugin| {
            let manifest = plugin.manifest();
            !manifest.metrics.is_empty() || model.is_some_and(|name| manifest.model(name).is_some())
        };
        self.plugins.iter().filter(part).map(|plugin| plugin.location().sha256.as_str()).collect()
    }

    /// The metrics of the config's own, as tables.
    pub fn metrics(&self) -> Value {
        self.metrics.iter().map(MetricConfig::to_json).collect()
    }
}

impl Trial {
    /// A problem, and the designs of the instance file that it is from.
    pub fn new(problem: Arc<Problem>, designs: Map<String, Value>) -> Self {
        Self { problem, designs }
    }

    /// A starting design by name: of the instance file, of the model's starts, of its baselines.
    pub fn start(&self, name: &str) -> Result<Design> {
        let model = self.problem.model();
        if let Some(value) = self.designs.get(name) {
            return model.read_design(value, &format!("designs.{name}"));
        }
        if let Some(start) = model.start(name) {
            return start;
        }
        let baselines = model.baselines();
        if let Some(baseline) = baselines.iter().find(|b| b.named().name == name) {
            return baseline.design(self.problem.spec(), &json!({}));
        }
        let starts = model.starts();
        let names = self.designs.keys().map(String::as_str).chain(starts.iter().map(|s| s.name));
        Err(InputError::unknown("start", name, names.chain(baselines.iter().map(|b| b.named().name))).into())
    }

    /// The design of the instance file that a start's name stands for, where it is one.
    pub fn design(&self, name: &str) -> Option<&Value> {
        self.designs.get(name)
    }
}
