//! What scores of right formulas exceed by luck.

/// `P(|Z| > z)` of a standard normal, for z above 2 (continued fraction of Laplace).
fn two_sided_tail(z: f64) -> f64 {
    let fraction = (1..=60).rev().fold(z, |below, k| z + f64::from(k) / below);
    2.0 * (-0.5 * z * z).exp() / (std::f64::consts::TAU.sqrt() * fraction)
}

/// The |z| that the largest of n scores exceeds by luck with a chance of at most 1e-4, however they correlate.
pub fn bonferroni(n: usize) -> f64 {
    let (mut low, mut high) = (2.0, 10.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if two_sided_tail(middle) * n as f64 > 1e-4 { low = middle } else { high = middle }
    }
    high
}

/// The range that the mean of n squared independent scores leaves with a chance of 1e-4 (Wilson and Hilferty).
pub fn mean_square_band(n: usize) -> std::ops::Range<f64> {
    let z = 3.8906;
    let spread = 2.0 / (9.0 * n as f64);
    let quantile = |z: f64| (1.0 - spread + z * spread.sqrt()).max(0.0).powi(3);
    quantile(-z)..quantile(z)
}

#[test]
fn quantiles_are_those_of_the_tables() {
    assert!((two_sided_tail(1.959964 + 2.0) - 7.4955e-5).abs() < 1e-7);
    assert!((bonferroni(1) - 3.8906).abs() < 1e-4);
    // Chi-square with 50 degrees of freedom: 20.2 and 98.4 at 5e-5.
    let band = mean_square_band(50);
    assert!((band.start - 0.404).abs() < 0.02 && (band.end - 1.968).abs() < 0.04, "{band:?}");
}
