//! A plugin's system model: a scenario that a config names by its type, and the systems that the plugin draws of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::drawn::Drawn;
use super::remote::limits_json;
use super::{Backend, Drawing, Plugin};
use crate::design::{Design, DesignSpace};
use crate::error::{Error, InputError, Result};
use crate::math::{RandomStream, Streams};
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Named, SystemModel, Workspace};
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::scenario::Scenario;
use crate::simulation::{Simulation, SimulationFactory};
use crate::structure::{Bound, Certificate, Gradient, ProvenBound, Refusal, Structure};

/// A model of a plugin as a scenario. A config names the model itself and never this type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PluginScenario {
    /// The model's name.
    pub model: String,
    /// Its section's keys, valid by its schema, defaults filled in.
    pub parameters: Map<String, Value>,
    /// The plugin that has it; none where it was read from a text without one.
    #[serde(skip)]
    pub plugin: Option<Plugin>,
}

#[typetag::serde(name = "plugin")]
impl Scenario for PluginScenario {
    fn check(&self) -> Result<()> {
        match self.plugin {
            Some(_) => Ok(()),
            None => Err(InputError::unknown("type", &self.model, []).into()),
        }
    }

    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        self.check()?;
        let Some(plugin) = &self.plugin else { return Err(InputError::unknown("type", &self.model, []).into()) };
        let random = streams.stream(&format!("system {}", self.model), 0);
        let drawing = Drawing::new(&self.model, &self.parameters, random);
        let backend = plugin.backend_shared();
        let answer = backend.ask(None, &drawing.request(), &[])?;
        let drawn = Drawn::read(&answer).map_err(|why| Error::Plugin {
            plugin: plugin.manifest().name.clone(),
            reason: format!("its model `{}` cannot be used: {why}", self.model),
        })?;
        Ok(Arc::new(PluginModel { name: self.model.clone(), drawn, link: Link { backend, drawing } }))
    }
}

/// A way to ask about one drawn system.
#[derive(Clone)]
struct Link {
    backend: Arc<dyn Backend>,
    drawing: Drawing,
}

impl Link {
    /// Asks, and gives so many numbers.
    fn ask(&self, header: Value, payload: &[f64], length: usize) -> Result<Vec<f64>> {
        let answer = self.backend.ask(Some(&self.drawing), &header, payload)?;
        match answer.payload.len() == length {
            true => Ok(answer.payload),
            false => {
                let (kind, found) = (answer.kind(), answer.payload.len());
                let reason = format!("its `{kind}` holds {found} numbers, where {length} must stand");
                Err(Error::Plugin { plugin: self.backend.manifest().name.clone(), reason })
            }
        }
    }
}

struct PluginModel {
    name: String,
    drawn: Drawn,
    link: Link,
}

impl Drop for PluginModel {
    fn drop(&mut self) {
        self.link.backend.forget(&self.link.drawing);
    }
}

impl SystemModel for PluginModel {
    fn scenario(&self) -> &str {
        &self.name
    }
    fn instance(&self) -> Value {
        self.drawn.instance.clone()
    }
    fn space(&self) -> &DesignSpace {
        &self.drawn.space
    }
    fn metrics(&self) -> &[MetricInfo] {
        &self.drawn.metrics
    }

    fn evaluate(&self, design: &Design, _: MetricSet, _: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        let values =
            self.link.ask(json!({ "type": "judge", "id": self.link.drawing.id }), design, self.drawn.values())?;
        let mut rest = values.as_slice();
        for (index, metric) in self.drawn.metrics.iter().enumerate() {
            let (own, behind) = rest.split_at(metric.len());
            out.slot(index).copy_from_slice(own);
            rest = behind;
        }
        Ok(())
    }

    fn default_problem(&self) -> ProblemSpec {
        self.drawn.problem.clone()
    }

    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        let none = Structure::none("the plugin does not offer it");
        let gradient: crate::structure::Offer<dyn Gradient> = match self.drawn.gradient {
            true => {
                let (model, spec) = (Arc::clone(&self), problem.clone());
                Ok(Box::new(move || Box::new(Slopes::new(&model, &spec))))
            }
            false => Err(Refusal::new("the plugin offers no gradient")),
        };
        let bound: crate::structure::Offer<dyn Bound> = match self.drawn.bound && problem.fixed.is_empty() {
            true => {
                let (link, spec) = (self.link.clone(), problem.clone());
                Ok(Box::new(move || Box::new(Claim { link: link.clone(), spec: spec.clone() })))
            }
            false => Err(Refusal::new("the plugin offers no bound on this problem")),
        };
        let blocks = match self.drawn.split.is_empty() {
            true => Err(Refusal::new("the plugin names no blocks")),
            false => Ok(self.drawn.split.clone()),
        };
        Structure { gradient, bound, blocks, ..none }
    }

    fn starts(&self) -> Vec<Named> {
        let named = |(name, _): &(String, Design)| Named { name: lasting(name), description: "a start of the plugin" };
        self.drawn.starts.iter().map(named).collect()
    }

    fn start(&self, name: &str) -> Option<Result<Design>> {
        self.drawn.starts.iter().find(|(start, _)| start == name).map(|(_, design)| Ok(design.clone()))
    }

    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        let about = self.drawn.simulation.clone()?;
        let covered = about.covers.iter().filter_map(|name| self.drawn.metrics.iter().find(|m| m.id == *name));
        let raw = Raw {
            covers: about.covers.iter().map(|name| lasting(name)).collect(),
            covered: covered.map(MetricInfo::len).sum(),
            moments: about.moments,
            numbers: (about.normals, about.uniforms),
            link: self.link.clone(),
            design: design.clone(),
        };
        Some(Box::new(move || Box::new(raw.clone())))
    }
}

/// Names are told as lasting ones; each is kept once.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let kept: &'static str = Box::leak(name.to_string().into_boxed_str());
            names.insert(kept);
            kept
        }
    }
}

/// Gradients of objective and limits from those of the metrics.
struct Slopes {
    model: Arc<PluginModel>,
    /// Metrics and weights of the objective.
    terms: Vec<(usize, f64)>,
    /// Of each row the metric, its entry, whether it is an upper limit, and the limit.
    rows: Vec<(usize, usize, bool, f64)>,
    /// The metrics that matter, in order, and where their entries begin among the slopes.
    asked: Vec<(usize, usize)>,
    last: Option<(Design, Vec<f64>, Vec<f64>)>,
}

impl Slopes {
    fn new(model: &Arc<PluginModel>, spec: &ProblemSpec) -> Self {
        let metrics = &model.drawn.metrics;
        let find = |id: &str| metrics.iter().position(|m| m.id == id);
        let terms: Vec<(usize, f64)> = match &spec.objective {
            Objective::Metric(id) => find(id).map(|i| (i, 1.0)).into_iter().collect(),
            Objective::WeightedSum(sum) => {
                let signed = |i: usize, w: f64| w * metrics[i].direction.map_or(1.0, |d| d.sign());
                sum.iter().filter_map(|(id, w)| find(id).map(|i| (i, signed(i, *w)))).collect()
            }
        };
        let mut rows = Vec::new();
        for constraint in &spec.constraints {
            let Some(metric) = find(&constraint.metric) else { continue };
            let (upper, limits) = match &constraint.limit {
                Limit::AtMost(limits) => (true, limits),
                Limit::AtLeast(limits) => (false, limits),
            };
            let limit = |entry: usize| limits[if limits.len() == 1 { 0 } else { entry }];
            let entries = (0..metrics[metric].len()).map(|entry| (metric, entry, upper, limit(entry)));
            rows.extend(entries.filter(|row| row.3.is_finite()));
        }
        let mut wanted: Vec<usize> = terms.iter().map(|t| t.0).chain(rows.iter().map(|r| r.0)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut next = 0;
        let asked = wanted.into_iter().map(|i| {
            next += metrics[i].len();
            (i, next - metrics[i].len())
        });
        let asked = asked.collect();
        Self { model: Arc::clone(model), terms, rows, asked, last: None }
    }

    /// Values and slopes at a design; none where the plugin does not answer.
    fn look(&mut self, design: &Design) -> Option<(&[f64], &[f64])> {
        if self.last.as_ref().is_none_or(|(known, ..)| known != design) {
            let (link, drawn) = (&self.model.link, &self.model.drawn);
            let names: Vec<&str> = self.asked.iter().map(|(i, _)| drawn.metrics[*i].id.as_str()).collect();
            let entries: usize = self.asked.iter().map(|(i, _)| drawn.metrics[*i].len()).sum();
            let id = link.drawing.id;
            let values = link.ask(json!({ "type": "judge", "id": id }), design, drawn.values()).ok()?;
            let header = json!({ "type": "slope", "id": id, "metrics": names });
            let slopes = link.ask(header, design, entries * design.len()).ok()?;
            self.last = Some((design.clone(), values, slopes));
        }
        self.last.as_ref().map(|(_, values, slopes)| (values.as_slice(), slopes.as_slice()))
    }

    /// Where a metric's entries begin among the values, and among the slopes.
    fn places(&self, metric: usize) -> (usize, usize) {
        let before: usize = self.model.drawn.metrics[..metric].iter().map(MetricInfo::len).sum();
        let slope = self.asked.iter().find(|(i, _)| *i == metric).map_or(0, |(_, at)| *at);
        (before, slope)
    }
}

impl Gradient for Slopes {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
        let places: Vec<_> = self.terms.iter().map(|(i, w)| (self.places(*i), *w)).collect();
        let n = design.len();
        let Some((values, slopes)) = self.look(design) else {
            gradient.fill(f64::NAN);
            return f64::NAN;
        };
        gradient.fill(0.0);
        let mut objective = 0.0;
        for ((value, slope), weight) in places {
            objective += weight * values[value];
            for (g, s) in gradient.iter_mut().zip(&slopes[slope * n..(slope + 1) * n]) {
                *g += weight * s;
            }
        }
        objective
    }

    fn constraints(&mut self, design: &Design, out: &mut [f64], jacobian: &mut [f64]) {
        let rows: Vec<_> = self.rows.iter().map(|(i, e, upper, limit)| (self.places(*i), *e, *upper, *limit)).collect();
        let n = design.len();
        let Some((values, slopes)) = self.look(design) else {
            out.fill(f64::NAN);
            return jacobian.fill(f64::NAN);
        };
        for (row, ((value, slope), entry, upper, limit)) in rows.into_iter().enumerate() {
            let scale = if upper { 1.0 } else { -1.0 } / if limit == 0.0 { 1.0 } else { limit.abs() };
            out[row] = scale * (values[value + entry] - limit);
            let own = &slopes[(slope + entry) * n..(slope + entry + 1) * n];
            for (j, s) in jacobian[row * n..(row + 1) * n].iter_mut().zip(own) {
                *j = scale * s;
            }
        }
    }
}

/// The bound that the plugin claims.
struct Claim {
    link: Link,
    spec: ProblemSpec,
}

impl Bound for Claim {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let (id, objective) = (self.link.drawing.id, self.spec.objective.name());
        let header = json!({ "type": "bound", "id": id, "objective": objective, "limits": limits_json(&self.spec) });
        let answer = self.link.backend.ask(Some(&self.link.drawing), &header, &[])?;
        let certificate = Certificate { kind: "claim_of_the_plugin", values: Vec::new() };
        let value = answer.payload.first().copied().filter(|b| !b.is_nan());
        Ok(value.map(|value| ProvenBound { value, certificate }))
    }
}

/// The plugin's raw signals: the host draws the random numbers.
#[derive(Clone)]
struct Raw {
    covers: Vec<&'static str>,
    covered: usize,
    moments: usize,
    numbers: (usize, usize),
    link: Link,
    design: Design,
}

impl Simulation for Raw {
    fn moments(&self) -> usize {
        self.moments
    }

    fn covers(&self) -> Vec<&'static str> {
        self.covers.clone()
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let mut payload = self.design.to_vec();
        payload.extend((0..self.numbers.0).map(|_| stream.normal()));
        payload.extend((0..self.numbers.1).map(|_| stream.uniform()));
        let header = json!({ "type": "sample", "id": self.link.drawing.id, "count": 1 });
        match self.link.ask(header, &payload, self.moments) {
            Ok(sample) => out.copy_from_slice(&sample),
            Err(_) => out.fill(f64::NAN),
        }
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        let mut payload = self.design.to_vec();
        payload.extend_from_slice(mean);
        let header = json!({ "type": "estimate", "id": self.link.drawing.id });
        match self.link.ask(header, &payload, self.covered) {
            Ok(estimate) => out.copy_from_slice(&estimate),
            Err(_) => out.fill(f64::NAN),
        }
    }
}
