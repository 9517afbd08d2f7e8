//! Monte-Carlo values beside closed forms, and mean square errors of estimators beside Cramér-Rao bounds, where the
//! experiment asked for them.

use super::quantity::Quantity;
use super::study::{Reduction, Study};
use crate::results::Drawn;

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
    let found = study.compared(cell, solver).filter_map(|r| r.metrics.get(&quantity.id)?.simulated());
    MonteCarlo::of(found.filter_map(|drawn| reduced(drawn, reduction)).collect())
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
    let found = study.compared(cell, solver).filter_map(|r| r.metrics.get(&quantity.id));
    let found = found.filter_map(|metric| metric.estimated().find(|(n, _)| *n == name));
    MonteCarlo::of(found.filter_map(|(_, drawn)| reduced(drawn, reduction)).collect())
}

/// The estimators whose errors stand beside a quantity, in the order of the records.
pub fn estimators(study: &Study, quantity: &Quantity) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for metric in study.folder.records.iter().filter_map(|record| record.metrics.get(&quantity.id)) {
        for (name, _) in metric.estimated() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        }
    }
    names
}

/// A value with its standard error; the entries of a vector are reduced to one.
fn reduced(drawn: Drawn<'_>, reduction: Reduction) -> Option<(f64, f64)> {
    let (values, errors) = (drawn.value, drawn.standard_error);
    let value = reduction.apply(values)?;
    let error = match reduction {
        Reduction::Mean => errors.iter().map(|e| e * e).sum::<f64>().sqrt() / errors.len() as f64,
        Reduction::Smallest | Reduction::Largest => errors[values.iter().position(|x| *x == value)?],
    };
    Some((value, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_reduced_and_trials_pooled() {
        let vector = Drawn { value: &[1.0, 3.0], standard_error: &[0.3, 0.4], draws: 9 };
        assert_eq!(reduced(vector, Reduction::Mean), Some((2.0, 0.25)));
        assert_eq!(reduced(vector, Reduction::Largest), Some((3.0, 0.4)));
        let scalar = Drawn { value: &[1.0], standard_error: &[0.1], draws: 9 };
        assert_eq!(reduced(scalar, Reduction::Smallest), Some((1.0, 0.1)));
        let pooled = MonteCarlo::of(vec![(5.0, 0.3), (1.0, 0.4), (3.0, 0.1), (f64::INFINITY, 1.0)]).unwrap();
        assert_eq!((pooled.count, pooled.mean, pooled.median, pooled.median_error), (3, 3.0, 3.0, 0.1));
        assert!((pooled.mean_error - 0.26f64.sqrt() / 3.0).abs() < 1e-15);
        assert_eq!(MonteCarlo::of(vec![(1.0, 0.3), (2.0, 0.4)]).unwrap().median_error, 0.25);
        assert_eq!(MonteCarlo::of(Vec::new()), None);
    }
}
