//! Statistics over trials: quantiles that respect infinities, mean and standard error.

/// What a set of numbers looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// How many numbers.
    pub count: usize,
    /// The median.
    pub median: f64,
    /// The quarter below which 25 % lie.
    pub lower_quartile: f64,
    /// The quarter above which 25 % lie.
    pub upper_quartile: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The standard error of the mean, `s / sqrt(n)`; 0 for one number.
    pub standard_error: f64,
}

impl Spread {
    /// Of a set of numbers; none where there is no number. NaN is passed over.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        let count = sorted.len();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let mean = sorted.iter().sum::<f64>() / n;
        let squares: f64 = sorted.iter().map(|x| (x - mean) * (x - mean)).sum();
        let standard_error = if count == 1 { 0.0 } else { (squares / (n - 1.0) / n).sqrt() };
        Some(Self {
            count,
            median: quantile(&sorted, 0.5),
            lower_quartile: quantile(&sorted, 0.25),
            upper_quartile: quantile(&sorted, 0.75),
            mean,
            standard_error,
        })
    }
}

/// The numbers in ascending order, without NaN.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The quantile of ascending numbers by linear interpolation between order statistics (Hyndman and Fan's type 7).
/// An infinite neighbour with any weight makes it infinite; NaN where there is no number.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let weight = place - below as f64;
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    if weight == 0.0 || low == high { low } else { low * (1.0 - weight) + high * weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_and_infinities_stay_at_their_end() {
        let spread = Spread::of(&[4.0, 1.0, f64::NAN, 3.0, 2.0]).unwrap();
        assert_eq!((spread.count, spread.median, spread.lower_quartile, spread.upper_quartile), (4, 2.5, 1.75, 3.25));
        assert!((spread.standard_error - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-15);
        assert_eq!(quantile(&[1.0, 2.0, f64::INFINITY], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, f64::INFINITY], 0.75), f64::INFINITY);
        assert_eq!(quantile(&[f64::INFINITY; 2], 0.5), f64::INFINITY);
        assert_eq!(Spread::of(&[f64::NAN]), None);
        assert_eq!(Spread::of(&[7.0]).unwrap().standard_error, 0.0);
    }
}
