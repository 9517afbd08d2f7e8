//! Jain's fairness of the users' rates.

use isacopt_plugin::{Direction, Measured, Metric, Result, System};

/// `(sum R_k)^2 / (K sum R_k^2)`: 1 where all rates are equal, 1/K where one user has everything.
pub struct Fairness;

impl Metric for Fairness {
    const NAME: &'static str = "jain_fairness";
    const UNIT: &'static str = "1";
    const DIRECTION: Option<Direction> = Some(Direction::Maximize);
    const DESCRIPTION: &'static str =
        "(sum R_k)^2 / (K sum R_k^2), 1 where all rates are equal (Jain, Chiu and Hawe, arXiv:cs/9809099)";
    const NEEDS: &'static [&'static str] = &["rate"];

    fn begin(_: &System) -> Result<Self> {
        Ok(Self)
    }

    fn value(&self, _: &[f64], needed: &Measured) -> Result<f64> {
        let rates = needed.get(0);
        let sum: f64 = rates.iter().sum();
        let squares: f64 = rates.iter().map(|rate| rate * rate).sum();
        Ok(sum * sum / (rates.len() as f64 * squares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rates_are_fair_and_one_rate_is_not() {
        let of = |rates: &[f64]| Fairness.value(&[], &Measured::new(rates, &[rates.len()])).unwrap();
        assert!((of(&[0.3; 5]) - 1.0).abs() < 1e-15);
        assert_eq!(of(&[0.0, 2.0, 0.0, 0.0]), 0.25);
        assert!((of(&[1.0, 2.0]) - 0.9).abs() < 1e-15);
        assert!(of(&[0.0, 0.0]).is_nan());
    }
}
