//! Metrics: named figures of a design, with unit, direction and shape.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::design::Design;
use crate::error::Result;
use crate::model::SystemModel;

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

impl Direction {
    /// +1 for maximize, -1 for minimize: `sign * value` is to be maximized.
    pub fn sign(self) -> f64 {
        match self {
            Self::Maximize => 1.0,
            Self::Minimize => -1.0,
        }
    }
}

/// What a metric is.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricInfo {
    /// The name; the same in every scenario where it means the same.
    pub id: String,
    /// The unit, `"1"` for none.
    pub unit: String,
    /// Which way is better, where one is.
    pub direction: Option<Direction>,
    /// The shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Whether it is a logarithm, so that gaps are differences and not ratios.
    pub logarithmic: bool,
    /// The formula in words and symbols.
    pub description: String,
    /// Where it comes from: paper file and equation.
    pub source: String,
}

impl MetricInfo {
    /// A metric of a given shape, without a direction.
    pub fn new(id: &str, unit: &str, shape: &[usize], description: &str, source: &str) -> Self {
        Self {
            id: id.into(),
            unit: unit.into(),
            direction: None,
            shape: shape.to_vec(),
            logarithmic: false,
            description: description.into(),
            source: source.into(),
        }
    }

    /// More is better.
    #[must_use]
    pub fn maximize(self) -> Self {
        Self { direction: Some(Direction::Maximize), ..self }
    }

    /// Less is better.
    #[must_use]
    pub fn minimize(self) -> Self {
        Self { direction: Some(Direction::Minimize), ..self }
    }

    /// The metric is a logarithm.
    #[must_use]
    pub fn logarithm(self) -> Self {
        Self { logarithmic: true, ..self }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is one number.
    pub fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }
}

/// A set of metrics of a model, by index; at most 128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricSet(u128);

impl MetricSet {
    /// No metric.
    pub const EMPTY: Self = Self(0);

    /// The first `count` metrics.
    pub fn first(count: usize) -> Self {
        Self(if count >= 128 { u128::MAX } else { (1 << count) - 1 })
    }

    /// The set of one metric.
    pub fn only(index: usize) -> Self {
        Self(1 << index)
    }

    /// Adds a metric.
    pub fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether a metric is in it.
    pub fn contains(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    /// Whether any of the metrics of the other set is in it.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// All metrics of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The metrics that are in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The indices, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |i| self.contains(*i))
    }
}

/// The values of a model's metrics; only those that were wanted are meaningful.
#[derive(Clone, Debug)]
pub struct MetricValues {
    ranges: Arc<[Range<usize>]>,
    values: Vec<f64>,
}

impl MetricValues {
    /// Room for the metrics of a model.
    pub fn new(metrics: &[MetricInfo]) -> Self {
        let mut next = 0;
        let ranges = metrics.iter().map(|m| {
            next += m.len();
            next - m.len()..next
        });
        let ranges: Arc<[Range<usize>]> = ranges.collect();
        Self { ranges, values: vec![f64::NAN; next] }
    }

    /// The values of a metric.
    pub fn get(&self, metric: usize) -> &[f64] {
        &self.values[self.ranges[metric].clone()]
    }

    /// The value of a scalar metric.
    pub fn scalar(&self, metric: usize) -> f64 {
        self.values[self.ranges[metric].start]
    }

    /// Where the model writes a metric.
    pub fn slot(&mut self, metric: usize) -> &mut [f64] {
        &mut self.values[self.ranges[metric].clone()]
    }

    /// Writes a scalar metric.
    pub fn set(&mut self, metric: usize, value: f64) {
        self.values[self.ranges[metric].start] = value;
    }
}

/// A number as JSON; `"inf"`, `"-inf"` or `"nan"` where it is not finite.
pub fn number_json(x: f64) -> Value {
    if x.is_finite() {
        Value::from(x)
    } else if x.is_nan() {
        "nan".into()
    } else if x > 0.0 {
        "inf".into()
    } else {
        "-inf".into()
    }
}

/// The number that [`number_json`] wrote; `null` is NaN.
pub fn number_from_json(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::String(text) => crate::number::named(text),
        other => other.as_f64(),
    }
}

/// A figure beyond the model's own: an expression in a config, or a plugin. See [`crate::model::with_metrics`].
pub trait Metric: Send + Sync {
    /// What it is.
    fn info(&self) -> &MetricInfo;
    /// Which of the model's own metrics it is made of, if any.
    fn needs(&self) -> MetricSet;
    /// Its value; `values` holds the metrics that it needs, `out` has the length of its shape.
    fn value(&self, model: &dyn SystemModel, design: &Design, values: &MetricValues, out: &mut [f64]) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sets() {
        let mut set = MetricSet::only(3);
        set.insert(127);
        assert!(set.contains(3) && set.contains(127) && !set.contains(0));
        assert_eq!(set.iter().collect::<Vec<_>>(), [3, 127]);
        assert_eq!(MetricSet::first(2).union(set).iter().collect::<Vec<_>>(), [0, 1, 3, 127]);
    }

    #[test]
    fn infinite_numbers_survive_json() {
        for x in [1.5, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(number_from_json(&number_json(x)), Some(x));
        }
        assert!(number_from_json(&number_json(f64::NAN)).unwrap().is_nan());
    }
}
