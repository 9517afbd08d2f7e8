//! Names in `[[figure]]` tables against what a run, or an experiment before it runs, can show.

use serde_json::{Map, Value};

use super::super::benchmark::EFFORTS;
use super::super::convergence::Effort;
use super::super::quantity::{Quantity, Scale};
use super::super::study::{Study, run_quantities};
use super::super::swept::{self, Axis, text};
use crate::config::{Experiment, FigureConfig, FigureKind};
use crate::error::InputError;
use crate::metric::MetricInfo;

/// What figures can speak of.
#[derive(Debug)]
pub struct Vocabulary {
    quantities: Vec<Quantity>,
    objective: Option<Quantity>,
    solvers: Vec<String>,
    axes: Vec<Axis>,
}

impl Vocabulary {
    /// Of a run.
    pub fn of_study(study: &Study) -> Self {
        Self {
            quantities: study.quantities.clone(),
            objective: study.objective_quantity().cloned(),
            solvers: study.solvers.iter().map(|(label, _)| label.clone()).collect(),
            axes: study.axes.clone(),
        }
    }

    /// Of an experiment and the metrics of its systems, before anything runs.
    pub fn of_experiment(experiment: &Experiment, metrics: &[MetricInfo]) -> Self {
        let sweeps: Vec<&Map<String, Value>> = experiment.cells.iter().map(|c| &c.sweep).collect();
        let quantity = |m: &MetricInfo| Quantity::metric(&m.id, &m.unit, !m.shape.is_empty(), m.direction);
        let solvers = experiment.cells.first().into_iter().flat_map(|c| &c.solvers);
        Self {
            quantities: metrics.iter().map(quantity).chain(run_quantities()).collect(),
            objective: None,
            solvers: solvers.map(|s| s.label.clone()).collect(),
            axes: swept::axes(&sweeps).0,
        }
    }

    /// What in a figure's table names nothing here.
    pub fn mistakes(&self, figure: &FigureConfig) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        let key = |name: &str| format!("{}.{name}", figure.place);
        let labelled = figure.labels.iter().map(|(label, _)| ("labels", label));
        for (name, label) in figure.solvers.iter().map(|label| ("solvers", label)).chain(labelled) {
            if !self.solvers.contains(label) {
                mistakes.push(InputError::unknown(key(name), label, self.solvers.iter().map(String::as_str)));
            }
        }
        for (name, metric) in [("metric", &figure.metric), ("x", &figure.x), ("y", &figure.y)] {
            let Some(metric) = metric else { continue };
            let convergence = figure.kind == FigureKind::Convergence;
            if convergence && !["objective", "gap"].contains(&metric.as_str()) {
                mistakes.push(InputError::unknown(key(name), metric, ["objective", "gap"]));
            } else if !convergence && metric != "objective" && find(&self.quantities, metric).is_none() {
                let ids = self.quantities.iter().map(|q| q.id.strip_prefix("run.").unwrap_or(&q.id));
                mistakes.push(InputError::unknown(key(name), metric, ids.chain(["objective"])));
            }
        }
        self.against(figure, &mut mistakes);
        for (name, value) in &figure.at {
            let Some(swept) = self.axes.iter().flat_map(|a| &a.keys).find(|k| k.key == *name) else {
                let keys = self.axes.iter().flat_map(|a| &a.keys).map(|k| k.key.as_str());
                mistakes.push(InputError::unknown(key("at"), name, keys));
                continue;
            };
            if !swept.values.contains(&text(value)) {
                let allowed = format!("one of {}", swept.values.join(", "));
                mistakes.push(InputError::new(key("at"), format!("{name} = {}", text(value)), allowed));
            }
        }
        self.scales(figure, &mut mistakes);
        mistakes
    }

    fn against(&self, figure: &FigureConfig, mistakes: &mut Vec<InputError>) {
        let key = format!("{}.against", figure.place);
        match (&figure.against, figure.kind) {
            (Some(name), FigureKind::Convergence) => {
                if !Effort::ALL.iter().any(|e| e.name() == name) {
                    mistakes.push(InputError::unknown(key, name, Effort::ALL.map(Effort::name)));
                }
            }
            (Some(name), kind) if kind.is_benchmark() => {
                let efforts = EFFORTS.map(Effort::name);
                if !efforts.contains(&name.as_str()) {
                    mistakes.push(InputError::unknown(key, name, efforts));
                }
            }
            (Some(name), _) => {
                let keys: Vec<&str> = self.axes.iter().flat_map(|a| &a.keys).map(|k| k.key.as_str()).collect();
                if keys.is_empty() {
                    mistakes.push(InputError::new(key, format!("`{name}`"), "no such key: nothing is swept"));
                } else if !keys.contains(&name.as_str()) {
                    mistakes.push(InputError::unknown(key, name, keys));
                }
            }
            (None, FigureKind::Sweep) if self.axes.is_empty() => {
                let place = format!("{}.kind", figure.place);
                mistakes.push(InputError::new(place, "a sweep figure, and nothing is swept", "another kind"));
            }
            (None, _) => {}
        }
    }

    fn scales(&self, figure: &FigureConfig, mistakes: &mut Vec<InputError>) {
        let of = |name: &Option<String>| match name.as_deref() {
            Some("objective") | None => self.objective.as_ref(),
            Some(name) => find(&self.quantities, name),
        };
        let plain = [Scale::Linear, Scale::Logarithmic];
        let scales = |quantity: Option<&Quantity>| match quantity {
            Some(quantity) => quantity.scales.clone(),
            None => vec![Scale::Linear, Scale::Logarithmic, Scale::Decibel, Scale::RootDegrees],
        };
        let (x, y) = match figure.kind {
            FigureKind::Convergence if figure.metric.as_deref() == Some("gap") => (plain.to_vec(), plain.to_vec()),
            FigureKind::Convergence => (plain.to_vec(), scales(self.objective.as_ref())),
            FigureKind::Sweep => (plain.to_vec(), scales(of(&figure.metric))),
            FigureKind::Tradeoff => (scales(of(&figure.x)), scales(of(&figure.y))),
            FigureKind::Cdf => (scales(figure.metric.as_ref().and_then(|_| of(&figure.metric))), vec![Scale::Linear]),
            FigureKind::Effort | FigureKind::RunningTime => (plain.to_vec(), plain.to_vec()),
            kind if kind.is_benchmark() => (plain.to_vec(), vec![Scale::Linear]),
            _ => (Vec::new(), Vec::new()),
        };
        for (name, scale, allowed) in [("x_scale", &figure.x_scale, x), ("y_scale", &figure.y_scale, y)] {
            let names = allowed.iter().map(|s| s.name());
            if let Some(scale) = scale.as_ref().filter(|s| !names.clone().any(|n| n == s.as_str())) {
                let allowed = format!("a scale of that axis: {}", names.collect::<Vec<_>>().join(", "));
                mistakes.push(InputError::new(format!("{}.{name}", figure.place), format!("`{scale}`"), allowed));
            }
        }
    }
}

/// A quantity by its id; those of runs also without `run.`.
pub fn find<'a>(quantities: &'a [Quantity], name: &str) -> Option<&'a Quantity> {
    let same = |q: &&Quantity| q.id == name || q.id.strip_prefix("run.").is_some_and(|id| id == name);
    quantities.iter().find(same)
}
