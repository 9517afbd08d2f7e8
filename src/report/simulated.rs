//! Monte-Carlo values beside closed forms, and mean square errors of estimators beside Cramér-Rao bounds, where the
//! experiment asked for them. They stand beside a metric's value:
//!
//! ```text
//! {"value": x, "simulated": {"value": x, "standard_error": e, "draws": n},
//!              "estimated": {"NAME": {"value": mean square error, "standard_error": e, "draws": n}}}
//! ```
//! with lists in place of numbers for metrics with several entries.

use serde_json::Value;

use super::quantity::Quantity;
use super::study::{Reduction, Study};
use crate::metric::number_from_json;

/// A simulated value over the compared trials of a cell, once for each statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonteCarlo {
    /// How many trials.
    pub count: usize,
    /// The mean over the trials.
    pub mean: f64,
    /// Its standard error from those of the trials: the drops are held fixed.
    pub mean_error: f64,
    /// The median over the trials.
    pub median: f64,
    /// The standard error of the trials in the middle.
    pub median_error: f64,
}

impl MonteCarlo {
    fn of(mut values: Vec<(f64, f64)>) -> Option<Self> {
        values.retain(|(x, error)| x.is_finite() && error.is_finite());
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let last = values.len().checked_sub(1)?;
        let n = values.len() as f64;
        let (low, high) = (values[last / 2], values[values.len() / 2]);
        let middle = if last.is_multiple_of(2) { high.1 } else { low.1.hypot(high.1) / 2.0 };
        Some(Self {
            count: values.len(),
            mean: values.iter().map(|(x, _)| x).sum::<f64>() / n,
            mean_error: values.iter().map(|(_, e)| e * e).sum::<f64>().sqrt() / n,
            median: if last.is_multiple_of(2) { high.0 } else { (low.0 + high.0) / 2.0 },
            median_error: middle,
        })
    }
}

/// The simulated counterpart of a quantity.
pub fn simulated(
    study: &Study,
    quantity: &Quantity,
    reduction: Reduction,
    cell: usize,
    solver: usize,
) -> Option<MonteCarlo> {
    let of = |metric: &Value| reduced(metric.get("simulated")?, reduction);
    MonteCarlo::of(study.compared(cell, solver).filter_map(|r| of(r.metrics.get(&quantity.id)?)).collect())
}

/// The mean square error of an estimator beside the bound that a quantity is.
pub fn estimated(
    study: &Study,
    quantity: &Quantity,
    name: &str,
    reduction: Reduction,
    cell: usize,
    solver: usize,
) -> Option<MonteCarlo> {
    let of = |metric: &Value| reduced(metric.get("estimated")?.get(name)?, reduction);
    MonteCarlo::of(study.compared(cell, solver).filter_map(|r| of(r.metrics.get(&quantity.id)?)).collect())
}

/// The estimators whose errors stand beside a quantity, in the order of the records.
pub fn estimators(study: &Study, quantity: &Quantity) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in &study.folder.records {
        let found = record.metrics.get(&quantity.id).and_then(|m| m.get("estimated")).and_then(Value::as_object);
        for name in found.into_iter().flat_map(|table| table.keys()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// A value with its standard error; the entries of a vector are reduced to one.
fn reduced(simulated: &Value, reduction: Reduction) -> Option<(f64, f64)> {
    let list = |value: &Value| -> Option<Vec<f64>> {
        match value {
            Value::Array(items) => items.iter().map(number_from_json).collect(),
            other => Some(vec![number_from_json(other)?]),
        }
    };
    let values = list(simulated.get("value")?)?;
    let errors = list(simulated.get("standard_error")?)?;
    if values.len() != errors.len() {
        return None;
    }
    let value = reduction.apply(&values)?;
    let error = match reduction {
        Reduction::Mean => errors.iter().map(|e| e * e).sum::<f64>().sqrt() / errors.len() as f64,
        Reduction::Smallest | Reduction::Largest => errors[values.iter().position(|x| *x == value)?],
    };
    Some((value, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_reduced_and_trials_pooled() {
        let vector = json!({"value": [1.0, 3.0], "standard_error": [0.3, 0.4], "draws": 9});
        assert_eq!(reduced(&vector, Reduction::Mean), Some((2.0, 0.25)));
        assert_eq!(reduced(&vector, Reduction::Largest), Some((3.0, 0.4)));
        assert_eq!(reduced(&json!({"value": [1.0], "standard_error": 0.1}), Reduction::Mean), Some((1.0, 0.1)));
        assert_eq!(reduced(&json!({"value": [1.0, 2.0], "standard_error": 0.1}), Reduction::Mean), None);
        let pooled = MonteCarlo::of(vec![(5.0, 0.3), (1.0, 0.4), (3.0, 0.1), (f64::INFINITY, 1.0)]).unwrap();
        assert_eq!((pooled.count, pooled.mean, pooled.median, pooled.median_error), (3, 3.0, 3.0, 0.1));
        assert!((pooled.mean_error - 0.26f64.sqrt() / 3.0).abs() < 1e-15);
        assert_eq!(MonteCarlo::of(vec![(1.0, 0.3), (2.0, 0.4)]).unwrap().median_error, 0.25);
        assert_eq!(MonteCarlo::of(Vec::new()), None);
    }
}
