//! Numerical derivatives: the judge of analytic ones.

/// Halvings of the first step.
const LEVELS: usize = 7;

/// The derivative at 0 of a smooth vector function of one real variable, and an estimate of its error (Euclidean).
///
/// Central differences over `step`, `step / 2`, ... are extrapolated to step 0 (Richardson); of all entries of that
/// table the one is taken whose two neighbours agree best (Ridders 1982), which balances truncation and rounding.
/// The function should be smooth over about `step`, and is called 14 times within `-step..step`.
///
/// ```
/// use isacopt::math::derivative;
/// let (slope, error) = derivative(1, 0.5, |x, out| out[0] = (1.0 + x).ln());
/// assert!((slope[0] - 1.0).abs() < 1e-11 && error < 1e-9);
/// ```
pub fn derivative(outputs: usize, step: f64, mut function: impl FnMut(f64, &mut [f64])) -> (Vec<f64>, f64) {
    let mut plus = vec![0.0; outputs];
    let mut minus = vec![0.0; outputs];
    let mut difference = |step: f64| -> Vec<f64> {
        function(step, &mut plus);
        function(-step, &mut minus);
        plus.iter().zip(&minus).map(|(p, m)| (p - m) / (2.0 * step)).collect()
    };
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt();
    let mut step = step;
    let mut above = vec![difference(step)];
    let mut best = (f64::INFINITY, above[0].clone());
    for _ in 1..LEVELS {
        step /= 2.0;
        let mut row = vec![difference(step)];
        let mut power = 1.0;
        for previous in &above {
            power *= 4.0;
            let last = &row[row.len() - 1];
            let next: Vec<f64> = last.iter().zip(previous).map(|(x, y)| x + (x - y) / (power - 1.0)).collect();
            let error = distance(&next, last).max(distance(&next, previous));
            if error < best.0 {
                best = (error, next.clone());
            }
            row.push(next);
        }
        above = row;
    }
    (best.1, best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_of_fast_and_slow_functions_are_right_to_eleven_digits() {
        for speed in [1e-3, 1.0, 12.0] {
            let (slope, error) = derivative(2, 0.5, |x, out| {
                out[0] = (speed * x + 0.3).sin();
                out[1] = (-x).exp();
            });
            assert!((slope[0] / speed - 0.3f64.cos()).abs() < 1e-10, "{speed}: {slope:?}");
            assert!((slope[1] + 1.0).abs() < 1e-10 * (1.0 + speed));
            assert!(error < 1e-8 * (1.0 + speed));
        }
    }
}
