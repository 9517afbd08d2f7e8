//! Problems: a system model, one objective, constraints on metrics, fixed blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::conic::hermitian::Method;
use crate::design::Design;
use crate::error::{InputError, Result};
use crate::metric::{Direction, MetricSet, MetricValues};
use crate::model::{SystemModel, Workspace};
use crate::quantization::quantized;
use crate::structure::{Feasible, Structure};

/// A design counts as feasible in results where its violation is at most this.
pub const FEASIBLE: f64 = 1e-6;

/// Solvers hold themselves to this violation.
pub const STRICT: f64 = 1e-9;

/// What is to be maximized or minimized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Objective {
    /// One metric, in its own direction.
    Metric(String),
    /// A weighted sum of scalar metrics, to be maximized: those to be minimized count negative.
    WeightedSum(BTreeMap<String, f64>),
}

impl Objective {
    /// The objective's name in results.
    pub fn name(&self) -> String {
        match self {
            Self::Metric(id) => id.clone(),
            Self::WeightedSum(terms) => terms.iter().map(|(id, w)| format!("{w} {id}")).collect::<Vec<_>>().join(" + "),
        }
    }
}

/// One side of a constraint; several entries for a metric of that shape, infinite where there is no limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `value <= limit`.
    AtMost(Vec<f64>),
    /// `value >= limit`.
    AtLeast(Vec<f64>),
}

/// A limit on a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    /// The metric.
    pub metric: String,
    /// Its limit: one for all entries, or one an entry.
    pub limit: Limit,
}

impl Constraint {
    /// `metric <= limit`.
    pub fn at_most(metric: &str, limit: f64) -> Self {
        Self { metric: metric.into(), limit: Limit::AtMost(vec![limit]) }
    }

    /// `metric >= limit`.
    pub fn at_least(metric: &str, limit: f64) -> Self {
        Self { metric: metric.into(), limit: Limit::AtLeast(vec![limit]) }
    }
}

/// A problem in words: what is fixed, what is limited, what is sought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProblemSpec {
    /// What is sought.
    pub objective: Objective,
    /// What is limited.
    pub constraints: Vec<Constraint>,
    /// Blocks that keep these coordinates, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<String, Vec<f64>>,
    /// Blocks of phases that are held to a grid of `2^bits` values, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quantize: BTreeMap<String, u32>,
    /// Which solver takes the model's programs over Hermitian matrices, where it has any.
    #[serde(default, skip_serializing_if = "Method::is_auto")]
    pub conic: Method,
}

impl ProblemSpec {
    /// One metric under limits, nothing fixed.
    pub fn new(objective: &str, constraints: Vec<Constraint>) -> Self {
        Self {
            objective: Objective::Metric(objective.into()),
            constraints,
            fixed: BTreeMap::new(),
            quantize: BTreeMap::new(),
            conic: Method::Auto,
        }
    }

    /// The metrics that it names.
    pub fn metrics(&self) -> impl Iterator<Item = &String> {
        let objective: Vec<&String> = match &self.objective {
            Objective::Metric(id) => vec![id],
            Objective::WeightedSum(terms) => terms.keys().collect(),
        };
        objective.into_iter().chain(self.constraints.iter().map(|c| &c.metric))
    }

    /// The limit on a metric from the given side, where one number limits it.
    pub fn scalar_limit(&self, metric: &str, at_most: bool) -> Option<f64> {
        self.constraints.iter().filter(|c| c.metric == metric).find_map(|c| match &c.limit {
            Limit::AtMost(limits) if at_most && limits.len() == 1 => Some(limits[0]),
            Limit::AtLeast(limits) if !at_most && limits.len() == 1 => Some(limits[0]),
            _ => None,
        })
    }
}

/// How good a design is for a problem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The objective, in its own direction.
    pub objective: f64,
    /// The largest relative amount by which a limit is missed; 0 where all hold.
    pub violation: f64,
}

impl Evaluation {
    /// Whether it counts as feasible in results.
    pub fn feasible(&self) -> bool {
        self.violation <= FEASIBLE
    }
}

struct Row {
    metric: usize,
    upper: bool,
    limits: Vec<f64>,
}

/// A problem that is ready to be solved.
pub struct Problem {
    model: Arc<dyn SystemModel>,
    spec: ProblemSpec,
    terms: Vec<(usize, f64)>,
    direction: Direction,
    logarithmic: bool,
    rows: Vec<Row>,
    wanted: MetricSet,
    structure: Structure,
    free: Vec<usize>,
}

impl Problem {
    /// Checks a specification against a model. Errors name what does not fit.
    pub fn new(model: Arc<dyn SystemModel>, spec: ProblemSpec) -> Result<Arc<Self>> {
        let model = quantized(model, &spec.quantize)?;
        let infos = model.metrics().to_vec();
        let find = |id: &str, key: &str| {
            infos
                .iter()
                .position(|m| m.id == id)
                .ok_or_else(|| InputError::unknown(key, id, infos.iter().map(|m| m.id.as_str())))
        };
        let mut terms = match &spec.objective {
            Objective::Metric(id) => vec![(find(id, "problem.objective")?, 1.0)],
            Objective::WeightedSum(sum) => {
                let mut terms = Vec::new();
                for (id, weight) in sum {
                    if !weight.is_finite() {
                        let key = format!("problem.objective.{id}");
                        return Err(InputError::new(key, weight.to_string(), "a finite weight").into());
                    }
                    terms.push((find(id, "problem.objective")?, *weight));
                }
                terms
            }
        };
        let mut direction = Direction::Maximize;
        let mut logarithmic = false;
        for (index, weight) in &mut terms {
            let info = &infos[*index];
            if !info.is_scalar() {
                let found = format!("`{}`, a metric of shape {:?}", info.id, info.shape);
                return Err(InputError::new("problem.objective", found, "a scalar metric").into());
            }
            let Some(own) = info.direction else {
                let found = format!("`{}`, which is neither to be maximized nor minimized", info.id);
                return Err(InputError::new("problem.objective", found, "a metric with a direction").into());
            };
            if matches!(spec.objective, Objective::Metric(_)) {
                (direction, logarithmic) = (own, info.logarithmic);
            } else {
                *weight *= own.sign();
            }
        }
        if terms.is_empty() {
            return Err(InputError::new("problem.objective", "nothing", "a metric").into());
        }
        let mut rows = Vec::new();
        for constraint in &spec.constraints {
            let key = format!("problem.constraints.{}", constraint.metric);
            let metric = find(&constraint.metric, &key)?;
            let (upper, limits) = match &constraint.limit {
                Limit::AtMost(limits) => (true, limits),
                Limit::AtLeast(limits) => (false, limits),
            };
            let entries = infos[metric].len();
            if limits.len() != 1 && limits.len() != entries {
                let allowed = format!("one limit, or {entries}");
                return Err(InputError::new(key, format!("{} limits", limits.len()), allowed).into());
            }
            if limits.iter().any(|l| l.is_nan()) {
                return Err(InputError::new(key, "nan", "a number").into());
            }
            rows.push(Row { metric, upper, limits: limits.clone() });
        }
        let mut free = Vec::new();
        for (name, values) in &spec.fixed {
            let block = model.space().index(name).ok_or_else(|| {
                InputError::unknown("problem.fixed", name, model.space().blocks().iter().map(|b| b.name.as_str()))
            })?;
            if values.len() != model.space().blocks()[block].coordinates() {
                let allowed = format!("{} coordinates", model.space().blocks()[block].coordinates());
                return Err(InputError::new(format!("problem.fixed.{name}"), values.len().to_string(), allowed).into());
            }
        }
        for (index, block) in model.space().blocks().iter().enumerate() {
            if !spec.fixed.contains_key(&block.name) {
                free.extend(model.space().range(index));
            }
        }
        let mut wanted = MetricSet::EMPTY;
        terms.iter().for_each(|(i, _)| wanted.insert(*i));
        rows.iter().for_each(|r| wanted.insert(r.metric));
        let structure = Arc::clone(&model).structure(&spec);
        Ok(Arc::new(Self { model, spec, terms, direction, logarithmic, rows, wanted, structure, free }))
    }

    /// The model; where phases are quantized, its space has the grid.
    pub fn model(&self) -> &Arc<dyn SystemModel> {
        &self.model
    }

    /// The specification.
    pub fn spec(&self) -> &ProblemSpec {
        &self.spec
    }

    /// Which way the objective gets better.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// What it offers beyond evaluation.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The coordinates that a solver may change.
    pub fn free(&self) -> &[usize] {
        &self.free
    }

    /// The number of limits, one an entry of each constraint.
    pub fn limits(&self) -> usize {
        self.rows.iter().map(|row| self.model.metrics()[row.metric].len()).sum()
    }

    /// Writes the fixed blocks into a design, and moves the others into their domains.
    pub fn project(&self, design: &mut Design) {
        self.model.space().project(design);
        for (name, values) in &self.spec.fixed {
            if let Some(block) = self.model.space().index(name) {
                design[self.model.space().range(block)].copy_from_slice(values);
            }
        }
    }

    /// A random design, in its domains, with the fixed blocks in place.
    pub fn random(&self, stream: &mut crate::math::RandomStream) -> Design {
        let mut design = self.model.space().random(stream);
        self.project(&mut design);
        design
    }

    /// A feasible design where the model knows one, else its first named start, else a random one.
    pub fn default_start(&self, stream: &mut crate::math::RandomStream) -> Result<Design> {
        if let Ok(factory) = &self.structure.feasibility {
            match factory().assess()? {
                Feasible::Yes(design) => return Ok(design),
                Feasible::No { least_violating, .. } => return Ok(least_violating),
                Feasible::Unknown => {}
            }
        }
        match self.model.starts().first().and_then(|s| self.model.start(s.name)) {
            Some(start) => start,
            None => Ok(self.random(stream)),
        }
    }

    /// Whether one evaluation is better than another: feasible (to [`STRICT`]) before infeasible, then the
    /// objective; between infeasible ones, the violation (Deb's rules).
    pub fn better(&self, a: &Evaluation, b: &Evaluation) -> bool {
        match (a.violation <= STRICT, b.violation <= STRICT) {
            (true, false) => !a.objective.is_nan(),
            (false, true) => b.objective.is_nan(),
            (false, false) => a.violation < b.violation || b.violation.is_nan() && !a.violation.is_nan(),
            (true, true) => {
                let sign = self.direction.sign();
                sign * a.objective > sign * b.objective || b.objective.is_nan() && !a.objective.is_nan()
            }
        }
    }

    /// The distance of an objective from a bound: relative, or absolute for logarithms.
    pub fn gap(&self, objective: f64, bound: f64) -> f64 {
        let distance = (objective - bound).abs();
        if self.logarithmic { distance } else { distance / objective.abs().max(1e-12) }
    }

    /// By how much an objective changed, as tolerances measure it: relative to where it came to, absolute for logarithms. It
    /// depends on no unit. Infinite where an objective that is no logarithm came to 0.
    #[inline]
    pub fn change(&self, from: f64, to: f64) -> f64 {
        let distance = (to - from).abs();
        if self.logarithmic || distance == 0.0 { distance } else { distance / to.abs() }
    }

    /// An evaluator of this problem.
    pub fn evaluator(self: &Arc<Self>) -> Evaluator {
        Evaluator {
            work: self.model.workspace(),
            values: MetricValues::new(self.model.metrics()),
            problem: Arc::clone(self),
            count: 0,
        }
    }
}

/// Judges designs of one problem, and counts how many.
pub struct Evaluator {
    problem: Arc<Problem>,
    work: Workspace,
    values: MetricValues,
    count: u64,
}

impl Evaluator {
    /// Objective and violation of a design. Allocates nothing.
    pub fn evaluate(&mut self, design: &Design) -> Result<Evaluation> {
        self.count += 1;
        let problem = &self.problem;
        problem.model.evaluate(design, problem.wanted, &mut self.work, &mut self.values)?;
        let objective = problem.terms.iter().map(|(i, w)| w * self.values.scalar(*i)).sum();
        let mut violation = 0.0;
        for row in &problem.rows {
            for (i, value) in self.values.get(row.metric).iter().enumerate() {
                let limit = row.limits[if row.limits.len() == 1 { 0 } else { i }];
                violation = f64::max(violation, relative_violation(*value, limit, row.upper));
            }
        }
        Ok(Evaluation { objective, violation })
    }

    /// All metrics of a design.
    pub fn metrics(&mut self, design: &Design) -> Result<&MetricValues> {
        let model = &self.problem.model;
        model.evaluate(design, MetricSet::first(model.metrics().len()), &mut self.work, &mut self.values)?;
        Ok(&self.values)
    }

    /// The metric values of the last evaluation.
    pub fn values(&self) -> &MetricValues {
        &self.values
    }

    /// Appends by how much the last judged design misses each limit, as [`relative_violation`] has it, but negative
    /// where it is held: `-inf` for an infinite limit. The order is that of the constraints, entry by entry.
    pub fn misses(&self, out: &mut Vec<f64>) {
        for row in &self.problem.rows {
            for (i, value) in self.values.get(row.metric).iter().enumerate() {
                let limit = row.limits[if row.limits.len() == 1 { 0 } else { i }];
                let miss = relative_violation(*value, limit, row.upper);
                out.push(if miss > 0.0 { miss } else { -relative_violation(*value, limit, !row.upper) });
            }
        }
    }

    /// How many designs it judged.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The problem.
    pub fn problem(&self) -> &Arc<Problem> {
        &self.problem
    }
}

/// How far a value misses a limit: relative to it, absolute where it is 0; infinite where a limited value is not
/// finite on the wrong side or undefined.
pub fn relative_violation(value: f64, limit: f64, upper: bool) -> f64 {
    let excess = if upper { value - limit } else { limit - value };
    if upper && limit == f64::INFINITY || !upper && limit == f64::NEG_INFINITY {
        0.0
    } else if excess.is_nan() {
        f64::INFINITY
    } else if excess <= 0.0 {
        0.0
    } else if limit == 0.0 || limit.is_infinite() {
        excess
    } else {
        excess / limit.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_relative_and_never_nan() {
        assert_eq!(relative_violation(3.0, 2.0, true), 0.5);
        assert_eq!(relative_violation(1.0, 2.0, true), 0.0);
        assert_eq!(relative_violation(1.0, 2.0, false), 0.5);
        assert_eq!(relative_violation(0.25, 0.0, true), 0.25);
        assert_eq!(relative_violation(f64::INFINITY, 2.0, true), f64::INFINITY);
        assert_eq!(relative_violation(f64::NAN, 2.0, true), f64::INFINITY);
        assert_eq!(relative_violation(f64::INFINITY, f64::INFINITY, true), 0.0);
        assert_eq!(relative_violation(f64::NAN, f64::INFINITY, true), 0.0);
    }
}
