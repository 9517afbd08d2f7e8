//! System models: a scenario with all randomness drawn, that judges designs.

use std::any::Any;
use std::sync::Arc;

use serde_json::Value;

use crate::design::{Design, DesignSpace};
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::metric::{Metric, MetricInfo, MetricSet, MetricValues};
use crate::problem::{Problem, ProblemSpec};
use crate::radio::Signal;
use crate::radio::music::Echoes;
use crate::simulation::SimulationFactory;
use crate::structure::{Proof, Structure};

/// A system with all randomness drawn: a design space, and the metrics of any design in it.
///
/// A model knows no solver. What makes its problems easier than a black box it offers through
/// [`SystemModel::structure`].
pub trait SystemModel: Send + Sync {
    /// The scenario's name.
    fn scenario(&self) -> &str;

    /// The drawn system as the `instance` object of an instance file.
    fn instance(&self) -> Value;

    /// The designs that it judges.
    fn space(&self) -> &DesignSpace;

    /// The metrics that it knows, in the order in which [`MetricValues`] holds them.
    fn metrics(&self) -> &[MetricInfo];

    /// Scratch memory for [`SystemModel::evaluate`].
    fn workspace(&self) -> Workspace {
        Workspace::none()
    }

    /// The wanted metrics of a design in one pass. Hot path: allocates nothing.
    ///
    /// The design lies in the space. A value that is infinite or undefined is written as such; an error is for
    /// misuse only.
    fn evaluate(&self, design: &Design, wanted: MetricSet, work: &mut Workspace, out: &mut MetricValues) -> Result<()>;

    /// Fills in derived blocks that a design left out, and refuses designs that the model cannot judge; errors carry
    /// the block's name as key.
    fn complete(&self, _design: &mut Design, _absent: &[usize]) -> Result<()> {
        Ok(())
    }

    /// Reads a design from its JSON object, derived blocks filled in. `place` is the object's path, for messages.
    fn read_design(&self, value: &Value, place: &str) -> Result<Design> {
        let (mut design, absent) = self.space().from_json(value, place)?;
        self.complete(&mut design, &absent).map_err(|e| e.under(place))?;
        Ok(design)
    }

    /// The scenario's own problem (the paper's); a config may choose another.
    fn default_problem(&self) -> ProblemSpec;

    /// What this model offers for a problem: factories, nothing is computed before one is called.
    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure;

    /// What a certificate proves of a problem, by an argument that shares no code with the solvers: its numbers are
    /// held against the model's own, never trusted. `design` is the result's.
    ///
    /// None where there is no check for this kind of certificate; [`crate::Error::CheckFailed`] where it proves
    /// nothing.
    fn verify(&self, _problem: &ProblemSpec, _design: &Design, _certificate: &Value) -> Option<Result<Proof>> {
        None
    }

    /// The figures of a design by formulas as the paper printed them, where the print is wrong; those that come out
    /// different.
    fn as_printed(&self, _design: &Design) -> Vec<PrintedFigure> {
        Vec::new()
    }

    /// Named starting designs.
    fn starts(&self) -> Vec<Named> {
        Vec::new()
    }

    /// The starting design of a name from [`SystemModel::starts`].
    fn start(&self, _name: &str) -> Option<Result<Design>> {
        None
    }

    /// The paper's comparison schemes, by name; solvers to the user.
    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        Vec::new()
    }

    /// The raw signals of a design by Monte-Carlo, as ground truth for the closed forms; none where there is no
    /// simulation. It shares no code with [`SystemModel::evaluate`].
    fn simulation(&self, _design: &Design) -> Option<SimulationFactory> {
        None
    }

    /// The radar snapshots of a design and what MUSIC scans in them; none where there is no such receiver.
    fn echoes(&self, _design: &Design) -> Option<Echoes> {
        None
    }

    /// Estimators of the parameters that the CRLBs bound, by name.
    fn estimators(&self) -> Vec<Named> {
        Vec::new()
    }

    /// Trials of an estimator from [`SystemModel::estimators`] at a design: simulations whose figures are mean square
    /// errors, each in the place of the CRLB that it is to be compared with.
    fn estimator(&self, _name: &str, _design: &Design) -> Option<SimulationFactory> {
        None
    }

    /// The noiseless signals of a design as functions of all unknown parameters, as ground truth for the CRLBs.
    fn signals(&self, _design: &Design) -> Vec<Signal> {
        Vec::new()
    }
}

/// A figure by the formula as printed, where that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct PrintedFigure {
    /// The metric that is meant.
    pub metric: &'static str,
    /// The equations that were followed to the letter, and what is wrong with them.
    pub correction: &'static str,
    /// The values by the printed formula, in the metric's shape; the right ones are the metric's.
    pub values: Vec<f64>,
}

/// A name and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// What it stands for.
    pub description: &'static str,
}

/// A comparison scheme of a paper: a design without a search.
pub trait Baseline: Send + Sync {
    /// Its name, as a solver's `type`.
    fn named(&self) -> Named;
    /// The JSON Schema of its parameters; an object without properties where it has none.
    fn parameters(&self) -> Value {
        serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
    }
    /// Its design for a problem.
    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design>;
    /// Its design where the scheme uses a start or randomness, with a bound where it has one.
    fn run(
        &self,
        problem: &Problem,
        _start: Option<&Design>,
        _random: &mut RandomStream,
        parameters: &Value,
    ) -> Result<Reported> {
        Ok(Reported { design: self.design(problem.spec(), parameters)?, bound: None, optimal: false })
    }
}

/// What a comparison scheme reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// Its design.
    pub design: Design,
    /// A proven bound on the problem that it restricts itself to.
    pub bound: Option<f64>,
    /// Whether the design is proven to be the best of that problem.
    pub optimal: bool,
}

/// A model's scratch memory: made by it, handed back to it, opaque to everyone else.
pub struct Workspace(Box<dyn Any + Send>);

impl Workspace {
    /// Scratch memory of any type.
    pub fn new<T: Any + Send>(value: T) -> Self {
        Self(Box::new(value))
    }

    /// No scratch memory.
    pub fn none() -> Self {
        Self::new(())
    }

    /// The scratch memory for judging a design of a space with this many numbers.
    ///
    /// # Errors
    /// Where it is not of this type, or the design of another length: misuse of a model's `evaluate`.
    pub fn judging<T: Any>(&mut self, design: &Design, length: usize) -> Result<&mut T> {
        let misuse = |what: &str| Error::Numerical(format!("evaluate: {what}"));
        let scratch = self.get().ok_or_else(|| misuse("a workspace of another model"))?;
        if design.len() == length { Ok(scratch) } else { Err(misuse("a design of another space")) }
    }

    /// The scratch memory, where it is of this type.
    pub fn get<T: Any>(&mut self) -> Option<&mut T> {
        self.0.downcast_mut()
    }
}

/// The same model with further metrics behind its own.
pub fn with_metrics(model: Arc<dyn SystemModel>, extra: Vec<Arc<dyn Metric>>) -> Result<Arc<dyn SystemModel>> {
    if extra.is_empty() {
        return Ok(model);
    }
    let mut metrics = model.metrics().to_vec();
    for metric in &extra {
        let id = &metric.info().id;
        if metrics.iter().any(|m| &m.id == id) {
            return Err(InputError::new("metric", format!("a second metric `{id}`"), "names that differ").into());
        }
        metrics.push(metric.info().clone());
    }
    if metrics.len() > 128 {
        return Err(InputError::new("metric", format!("{} metrics", metrics.len()), "at most 128").into());
    }
    let own = MetricSet::first(model.metrics().len());
    Ok(Arc::new(Extended { model, extra, metrics, own }))
}

struct Extended {
    model: Arc<dyn SystemModel>,
    extra: Vec<Arc<dyn Metric>>,
    metrics: Vec<MetricInfo>,
    own: MetricSet,
}

impl SystemModel for Extended {
    fn scenario(&self) -> &str {
        self.model.scenario()
    }
    fn instance(&self) -> Value {
        self.model.instance()
    }
    fn space(&self) -> &DesignSpace {
        self.model.space()
    }
    fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }
    fn workspace(&self) -> Workspace {
        self.model.workspace()
    }
    /// The inner model writes its own metrics in place: the extra ones stand behind them in the same order.
    fn evaluate(&self, design: &Design, wanted: MetricSet, work: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        let first = self.model.metrics().len();
        let mut needed = wanted;
        for (i, metric) in self.extra.iter().enumerate() {
            if wanted.contains(first + i) {
                needed = needed.union(metric.needs());
            }
        }
        self.model.evaluate(design, needed.intersection(self.own), work, out)?;
        for (i, metric) in self.extra.iter().enumerate().filter(|(i, _)| wanted.contains(first + i)) {
            // Taken out and put back, so that the metric may read the values while its own slot is written.
            let mut value = [0.0; 1];
            if metric.info().is_scalar() {
                metric.value(self.model.as_ref(), design, out, &mut value)?;
                out.set(first + i, value[0]);
            } else {
                let mut values = vec![0.0; metric.info().len()];
                metric.value(self.model.as_ref(), design, out, &mut values)?;
                out.slot(first + i).copy_from_slice(&values);
            }
        }
        Ok(())
    }
    fn complete(&self, design: &mut Design, absent: &[usize]) -> Result<()> {
        self.model.complete(design, absent)
    }
    fn default_problem(&self) -> ProblemSpec {
        self.model.default_problem()
    }
    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        let foreign = problem
            .metrics()
            .find(|id| self.metrics.iter().position(|m| m.id == **id).is_none_or(|i| !self.own.contains(i)));
        match foreign {
            Some(id) => Structure::none(&format!("`{id}` is not the model's own metric: it can only be evaluated")),
            None => Arc::clone(&self.model).structure(problem),
        }
    }
    fn verify(&self, problem: &ProblemSpec, design: &Design, certificate: &Value) -> Option<Result<Proof>> {
        self.model.verify(problem, design, certificate)
    }
    fn as_printed(&self, design: &Design) -> Vec<PrintedFigure> {
        self.model.as_printed(design)
    }
    fn starts(&self) -> Vec<Named> {
        self.model.starts()
    }
    fn start(&self, name: &str) -> Option<Result<Design>> {
        self.model.start(name)
    }
    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        self.model.baselines()
    }
    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        self.model.simulation(design)
    }
    fn estimators(&self) -> Vec<Named> {
        self.model.estimators()
    }
    fn estimator(&self, name: &str, design: &Design) -> Option<SimulationFactory> {
        self.model.estimator(name, design)
    }
    fn echoes(&self, design: &Design) -> Option<Echoes> {
        self.model.echoes(design)
    }
    fn signals(&self, design: &Design) -> Vec<Signal> {
        self.model.signals(design)
    }
}
