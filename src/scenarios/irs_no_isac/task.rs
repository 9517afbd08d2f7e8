//! Problems that the search structures understand: the beam is fixed, and all metrics named are functions of the first
//! block's inner products.

use std::sync::Arc;

use super::System;
use super::information::{Inner, combine};
use super::metrics::{index, infos, of_one_block};
use crate::metric::Direction;
use crate::problem::{Evaluation, Limit, Objective, ProblemSpec, relative_violation};
use crate::structure::Refusal;

/// A problem in terms of the inner products.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub system: Arc<System>,
    /// `|a_B^H w|^2`.
    pub beam: f64,
    /// Metrics and their signed weights.
    terms: Vec<(usize, f64)>,
    limits: Vec<(usize, f64, bool)>,
    /// The metric is `modified_crlb` alone, without limits.
    plain: bool,
}

/// An objective that is a trade of the two bounds: `zeta lg CRLB_x + (1 - zeta) lg CRLB_angle`, or ten to that power.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub system: Arc<System>,
    /// `zeta`.
    pub weight: f64,
    /// `|a_B^H w|^2`.
    pub beam: f64,
    /// Whether the objective is ten to the power of the trade.
    pub exponential: bool,
    /// Whether there is no limit on any metric.
    pub unlimited: bool,
}

impl Task {
    /// The problem, or why it is none of these.
    pub fn of(system: &Arc<System>, problem: &ProblemSpec) -> Result<Self, Refusal> {
        let Some(beam) = problem.fixed.get("beamformer") else {
            return Err(Refusal::new("the beam is not fixed"));
        };
        let known = infos(false);
        let find = |id: &str| {
            let found = known.iter().position(|m| m.id == id);
            found.ok_or_else(|| Refusal::new(format!("`{id}` is no function of one block's inner products")))
        };
        let sign = |metric: usize| known[metric].direction.map_or(1.0, Direction::sign);
        let terms = match &problem.objective {
            Objective::Metric(id) => vec![(find(id)?, 1.0)],
            Objective::WeightedSum(sum) => {
                let terms = sum.iter().map(|(id, weight)| find(id).map(|i| (i, weight * sign(i))));
                terms.collect::<Result<_, _>>()?
            }
        };
        let mut limits = Vec::new();
        for constraint in &problem.constraints {
            let metric = find(&constraint.metric)?;
            match &constraint.limit {
                Limit::AtMost(values) => limits.extend(values.iter().map(|limit| (metric, *limit, true))),
                Limit::AtLeast(values) => limits.extend(values.iter().map(|limit| (metric, *limit, false))),
            }
        }
        let plain = terms == [(index::MODIFIED, 1.0)] && limits.is_empty();
        Ok(Self { beam: system.beam_gain(beam), system: Arc::clone(system), terms, limits, plain })
    }

    /// Objective and violation.
    #[inline]
    pub fn evaluate(&self, inner: &Inner) -> Evaluation {
        if self.plain {
            let weight = self.system.instance.communication_weight;
            return Evaluation { objective: self.system.observation.modified(inner, 1.0, weight), violation: 0.0 };
        }
        let value = |metric| of_one_block(&self.system, inner, self.beam, metric);
        let objective = self.terms.iter().map(|(metric, weight)| weight * value(*metric)).sum();
        let missed =
            self.limits.iter().map(|(metric, limit, upper)| relative_violation(value(*metric), *limit, *upper));
        Evaluation { objective, violation: missed.fold(0.0, f64::max) }
    }

    /// The objective as a trade, or why it is none.
    pub fn trade(&self) -> Result<Trade, Refusal> {
        let own = self.system.instance.communication_weight;
        let (weight, beam, exponential) = match self.terms[..] {
            [(index::MODIFIED, 1.0)] => (own, 1.0, false),
            [(index::MODIFIED_ISAC, 1.0)] => (own, self.beam, false),
            [(index::CRLB_SYMBOL, 1.0)] => (1.0, self.beam, true),
            [(index::CRLB_ANGLE, 1.0)] => (0.0, self.beam, true),
            _ => {
                let known = "`modified_crlb`, `modified_crlb_isac`, `crlb_symbol` and `crlb_angle`";
                return Err(Refusal::new(format!("the bound is for the objectives {known}")));
            }
        };
        let unlimited = self.limits.is_empty();
        Ok(Trade { system: Arc::clone(&self.system), weight, beam, exponential, unlimited })
    }
}

impl Trade {
    /// The objective of a trade's value.
    pub fn objective(&self, value: f64) -> f64 {
        if self.exponential { 10f64.powf(value) } else { value }
    }

    /// The trade's value of an objective; the inverse of [`Trade::objective`].
    pub fn value(&self, objective: f64) -> f64 {
        if self.exponential { objective.max(0.0).log10() } else { objective }
    }

    /// The trade's value of inner products.
    #[inline]
    pub fn of(&self, inner: &Inner) -> f64 {
        self.system.observation.modified(inner, self.beam, self.weight)
    }
    /// The trade's value where it is below `best`. Most are told apart without a logarithm: on the mantissa's interval
    /// `log2 x` lies above its chord, which the bits of a number spell out.
    #[inline]
    pub fn better(&self, inner: &Inner, best: f64) -> Option<f64> {
        let (symbol, angle) = self.system.observation.pair(inner, self.beam)?;
        let chord = |x: f64| x.to_bits() as i64 as f64 * (1.0 / (1u64 << 52) as f64) - 1023.0;
        let least = self.weight * chord(symbol) + (1.0 - self.weight) * chord(angle);
        if self.weight < 1.0 && least * std::f64::consts::LOG10_2 > best + 1e-9 {
            return None;
        }
        Some(combine(symbol, angle, self.weight)).filter(|value| *value < best)
    }
}
