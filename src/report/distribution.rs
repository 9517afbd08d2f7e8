//! Cumulative distributions: the values of a quantity over all its entries and all compared trials.

use super::quantity::Quantity;
use super::spread::{quantile, sorted};
use super::study::Study;

/// The distribution of a set of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// How many values.
    pub count: usize,
    /// The 5 % quantile, which 95 % of the values exceed.
    pub five_percent: f64,
    /// The median.
    pub median: f64,
    /// All values in ascending order where they are few, else evenly spaced quantiles.
    pub values: Vec<f64>,
}

impl Distribution {
    /// Of a quantity of a solver in a cell, with at most `points` values kept; none of fewer than two.
    pub fn of(study: &Study, quantity: &Quantity, cell: usize, solver: usize, points: usize) -> Option<Self> {
        let mut entries = Vec::new();
        study.compared(cell, solver).for_each(|r| entries.extend_from_slice(&study.entries(quantity, r)));
        let values = sorted(&entries);
        if values.len() < 2 {
            return None;
        }
        let share = |i: usize| i as f64 / (points - 1) as f64;
        Some(Self {
            count: values.len(),
            five_percent: quantile(&values, 0.05),
            median: quantile(&values, 0.5),
            values: if values.len() <= points {
                values
            } else {
                (0..points).map(|i| quantile(&values, share(i))).collect()
            },
        })
    }

    /// Whether all values are kept, so that the curve is a staircase.
    pub fn whole(&self) -> bool {
        self.values.len() == self.count
    }

    /// The curve: values, and the share of values at or below each.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let share = |i: usize| match self.whole() {
            true => (i + 1) as f64 / self.count as f64,
            false => i as f64 / (self.values.len() - 1) as f64,
        };
        let start = self.values.first().filter(|_| self.whole()).map(|x| (*x, 0.0));
        start.into_iter().chain(self.values.iter().enumerate().map(|(i, x)| (*x, share(i)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_curve_is_a_staircase_and_a_thinned_one_its_quantiles() {
        let few = Distribution { count: 2, five_percent: 1.0, median: 1.5, values: vec![1.0, 2.0] };
        assert_eq!(few.curve(), [(1.0, 0.0), (1.0, 0.5), (2.0, 1.0)]);
        let many = Distribution { count: 9, five_percent: 1.0, median: 1.5, values: vec![1.0, 1.5, 2.0] };
        assert_eq!(many.curve(), [(1.0, 0.0), (1.5, 0.5), (2.0, 1.0)]);
    }
}
