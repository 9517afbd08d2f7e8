//! The desk at which a plugin's solver asks about its problem: the same for a process and for a shared library, so that
//! the same questions get the same bits.
//!
//! The desk trusts nothing: designs are moved into their domains before the model sees them, numbers that are none are
//! answered without the model, and what the plugin reports as its best is judged again.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Solve;
use crate::design::{Design, DesignSpace, Domain};
use crate::error::Result;
use crate::math::RandomStream;
use crate::metric::number_json;
use crate::problem::{Evaluation, Evaluator, Limit, Problem};
use crate::structure::{Capability, Feasibility, Gradient};

/// A design further outside its domain than this (relative to its largest coordinate) is moved into it.
const OUTSIDE: f64 = 1e-12;

/// A feasible design may be better than a plugin's bound by this, relative to max(1, |bound|).
const BEYOND_BOUND: f64 = 1e-6;

/// What an answer about a design holds beside its objective and violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By how much it misses each limit, see [`Evaluator::misses`].
    pub misses: bool,
    /// All metrics of the model, in its order.
    pub metrics: bool,
}

/// What a plugin's solver may ask.
pub struct Desk {
    judge: Evaluator,
    gradient: Option<Box<dyn Gradient>>,
    repair: Option<Box<dyn Feasibility>>,
    random: RandomStream,
    design: Design,
    best: Design,
    value: Evaluation,
    bound: Option<f64>,
    misses: Vec<f64>,
}

impl Desk {
    /// A desk for a solver's work. Its best design is the start, or a random design where there is none; the stream
    /// stays as it is.
    pub fn new(solve: &Solve) -> Result<Self> {
        let problem = &solve.problem;
        let mut best = match &solve.start {
            Some(start) => start.clone(),
            None => problem.random(&mut solve.random.clone()),
        };
        problem.project(&mut best);
        let mut own = problem.evaluator();
        let value = own.evaluate(&best)?;
        Ok(Self {
            judge: problem.evaluator(),
            gradient: None,
            repair: None,
            random: solve.random.clone(),
            design: best.clone(),
            best,
            value,
            bound: None,
            misses: Vec::new(),
        })
    }

    /// The problem.
    pub fn problem(&self) -> &Arc<Problem> {
        self.judge.problem()
    }

    /// The coordinates of a design.
    pub fn dimension(&self) -> usize {
        self.best.len()
    }

    /// Designs judged so far for the plugin; what it reports is judged again and not counted.
    pub fn evaluations(&self) -> u64 {
        self.judge.count()
    }

    /// The best design that was reported, or the start.
    pub fn best(&self) -> &Design {
        &self.best
    }

    /// The bound that was reported last.
    pub fn bound(&self) -> Option<f64> {
        self.bound
    }

    /// The host's copy of the run's random stream, for plugins that draw from it here.
    pub fn random(&mut self) -> &mut RandomStream {
        &mut self.random
    }

    /// Takes a design, moved into its domains. Whether all its numbers are finite.
    fn take(&mut self, coordinates: &[f64]) -> bool {
        self.design.copy_from_slice(coordinates);
        if !coordinates.iter().all(|x| x.is_finite()) {
            return false;
        }
        let problem = self.judge.problem();
        let space = problem.model().space();
        let size = coordinates.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        if space.distance(&self.design).0 > OUTSIDE * size {
            problem.project(&mut self.design);
        } else {
            hold_fixed(problem, space, &mut self.design);
        }
        true
    }

    /// Numbers that an answer about one design has.
    pub fn answer_length(&self, wanted: Wanted) -> usize {
        let metrics = self.problem().model().metrics();
        2 + if wanted.misses { self.problem().limits() } else { 0 }
            + if wanted.metrics { metrics.iter().map(|m| m.len()).sum() } else { 0 }
    }

    /// Appends what is asked about a design: objective, violation, then the misses, then the metrics. NaN (and an
    /// infinite violation) for a design that is not finite.
    pub fn evaluate(&mut self, coordinates: &[f64], wanted: Wanted, out: &mut Vec<f64>) -> Result<()> {
        let length = out.len() + self.answer_length(wanted);
        if !self.take(coordinates) {
            out.extend([f64::NAN, f64::INFINITY]);
            out.resize(length, f64::NAN);
            return Ok(());
        }
        let value = self.judge.evaluate(&self.design)?;
        out.extend([value.objective, value.violation]);
        if wanted.misses {
            self.judge.misses(out);
        }
        if wanted.metrics {
            let count = self.problem().model().metrics().len();
            let values = self.judge.metrics(&self.design)?;
            (0..count).for_each(|metric| out.extend_from_slice(values.get(metric)));
        }
        Ok(())
    }

    /// Appends objective and gradient, then the limits' misses and their Jacobian (row-major), and gives the number of
    /// rows; none where the problem offers no gradient.
    pub fn gradient(&mut self, coordinates: &[f64], out: &mut Vec<f64>) -> Option<usize> {
        if self.gradient.is_none() {
            self.gradient = Some(self.problem().structure().gradient.as_ref().ok()?());
        }
        let finite = self.take(coordinates);
        let gradient = self.gradient.as_mut()?;
        let (n, rows, begin) = (self.design.len(), gradient.rows(), out.len());
        out.resize(begin + (1 + rows) * (1 + n), f64::NAN);
        if finite {
            let (own, limits) = out[begin..].split_at_mut(1 + n);
            own[0] = gradient.objective(&self.design, &mut own[1..]);
            let (values, jacobian) = limits.split_at_mut(rows);
            gradient.constraints(&self.design, values, jacobian);
        }
        Some(rows)
    }

    /// Appends a feasible design near this one, and says whether it is feasible; none where the problem offers no
    /// repair.
    pub fn repair(&mut self, coordinates: &[f64], out: &mut Vec<f64>) -> Option<bool> {
        if self.repair.is_none() {
            self.repair = Some(self.problem().structure().feasibility.as_ref().ok()?());
        }
        let finite = self.take(coordinates);
        let repaired = finite && self.repair.as_mut()?.repair(&mut self.design);
        let sound = self.design.iter().all(|x| x.is_finite());
        // A repair that leaves the finite numbers is none.
        out.extend_from_slice(if sound { &self.design } else { coordinates });
        Some(repaired && sound)
    }

    /// Appends random designs of the problem, from the host's copy of the stream.
    pub fn random_designs(&mut self, count: usize, out: &mut Vec<f64>) {
        for _ in 0..count {
            let design = self.judge.problem().random(&mut self.random);
            out.extend_from_slice(&design);
        }
    }

    /// Takes the plugin's word for its best design, and judges it: the desk's best never gets worse. The error is a
    /// reason that fails the run.
    pub fn report(&mut self, coordinates: &[f64], bound: Option<f64>) -> Result<(), String> {
        if coordinates.len() != self.best.len() {
            let (found, wanted) = (coordinates.len(), self.best.len());
            return Err(format!("it reported a design of {found} coordinates, where the problem has {wanted}"));
        }
        if !self.take(coordinates) {
            let at = coordinates.iter().position(|x| !x.is_finite()).unwrap_or_default();
            return Err(format!("it reported a design whose coordinate {at} is {}", coordinates[at]));
        }
        // The judge's own count is what the plugin asked for.
        let mut own = self.problem().evaluator();
        let value = own.evaluate(&self.design).map_err(|e| e.to_string())?;
        if self.problem().better(&value, &self.value) {
            self.best.copy_from(&self.design);
            self.value = value;
        }
        if let Some(bound) = bound {
            if bound.is_nan() {
                return Err("it reported a bound that is not a number".into());
            }
            let sign = self.problem().direction().sign();
            let beyond = sign * (self.value.objective - bound);
            if self.value.feasible() && beyond > BEYOND_BOUND * bound.abs().max(1.0) {
                let objective = self.value.objective;
                return Err(format!("it reported a bound of {bound}, which the feasible objective {objective} beats"));
            }
            self.bound = Some(bound);
        }
        Ok(())
    }

    /// By how much the best design misses each limit.
    pub fn best_misses(&mut self) -> Result<&[f64]> {
        let mut own = self.problem().evaluator();
        own.evaluate(&self.best)?;
        self.misses.clear();
        own.misses(&mut self.misses);
        Ok(&self.misses)
    }

    /// The problem as plugins read it.
    pub fn problem_json(&self) -> Value {
        problem_json(self.problem())
    }
}

fn hold_fixed(problem: &Problem, space: &DesignSpace, design: &mut Design) {
    for (name, values) in &problem.spec().fixed {
        if let Some(block) = space.index(name) {
            design[space.range(block)].copy_from_slice(values);
        }
    }
}

/// A problem as plugins read it: its design space, its metrics, its limits, what it offers.
pub fn problem_json(problem: &Problem) -> Value {
    let model = problem.model();
    let offers: Vec<&str> = [Capability::Gradient, Capability::Feasibility]
        .into_iter()
        .filter(|c| problem.structure().offers(*c).is_ok())
        .map(|c| if c == Capability::Feasibility { "repair" } else { c.name() })
        .collect();
    let fixed = &problem.spec().fixed;
    let blocks = blocks_json(model.space(), &|name| fixed.contains_key(name));
    let limit = |constraint: &crate::Constraint| {
        let (side, limits) = match &constraint.limit {
            Limit::AtMost(limits) => ("at_most", limits),
            Limit::AtLeast(limits) => ("at_least", limits),
        };
        let limits: Vec<Value> = limits.iter().map(|x| number_json(*x)).collect();
        json!({ "metric": constraint.metric, side: limits })
    };
    let mut next = 0;
    let metrics: Vec<Value> = model
        .metrics()
        .iter()
        .map(|m| {
            next += m.len();
            json!({ "name": m.id, "unit": m.unit, "direction": m.direction, "shape": m.shape,
                "logarithmic": m.logarithmic, "range": [next - m.len(), next] })
        })
        .collect();
    json!({
        "scenario": model.scenario(),
        "objective": problem.spec().objective.name(),
        "direction": problem.direction(),
        "dimension": model.space().len(),
        "blocks": blocks,
        "metrics": metrics,
        "limits": problem.spec().constraints.iter().map(limit).collect::<Vec<_>>(),
        "rows": problem.limits(),
        "offers": offers,
    })
}

/// The blocks of a space as plugins read them, `range` the coordinates of each.
pub fn blocks_json(space: &DesignSpace, fixed: &dyn Fn(&str) -> bool) -> Vec<Value> {
    let block = |(index, block): (usize, &crate::Block)| {
        let range = space.range(index);
        let mut value = json!({
            "name": block.name, "kind": kind(&block.domain), "shape": block.shape, "range": [range.start, range.end],
            "scale": block.scale, "fixed": fixed(&block.name), "description": block.description,
        });
        if let Some((levels, _)) = block.domain.levels() {
            value["levels"] = levels.into();
        }
        value
    };
    space.blocks().iter().enumerate().map(block).collect()
}

/// A domain's name on the wire.
pub fn kind(domain: &Domain) -> &'static str {
    match domain {
        Domain::NonNegative => "non_negative",
        Domain::Box { .. } => "box",
        Domain::Phase => "phase",
        Domain::Level { .. } => "level",
        Domain::QuantizedPhase { .. } => "quantized_phase",
        Domain::Complex => "complex",
        Domain::Hermitian => "hermitian",
    }
}

/// The limits of each coordinate: all lower ones, then all upper ones; infinite where there is none. Those of a fixed
/// block are its values.
pub fn coordinate_limits(problem: &Problem) -> Vec<f64> {
    let space = problem.model().space();
    let n = space.len();
    let mut limits = vec![f64::NEG_INFINITY; 2 * n];
    limits[n..].fill(f64::INFINITY);
    for (index, block) in space.blocks().iter().enumerate() {
        let range = space.range(index);
        let (lower, upper) = limits.split_at_mut(n);
        match &block.domain {
            Domain::NonNegative => lower[range.clone()].fill(0.0),
            Domain::Box { lower: low, upper: high } => {
                lower[range.clone()].copy_from_slice(low);
                upper[range.clone()].copy_from_slice(high);
            }
            Domain::Level { .. } | Domain::QuantizedPhase { .. } => {
                let (levels, step) = block.domain.levels().unwrap_or((1, 1.0));
                lower[range.clone()].fill(0.0);
                upper[range.clone()].fill((f64::from(levels) - 1.0) * step);
            }
            // The diagonal of a semidefinite matrix.
            Domain::Hermitian => lower[range.start..range.start + block.shape[0]].fill(0.0),
            Domain::Phase | Domain::Complex => {}
        }
        if let Some(values) = problem.spec().fixed.get(&block.name) {
            lower[range.clone()].copy_from_slice(values);
            upper[range].copy_from_slice(values);
        }
    }
    limits
}
