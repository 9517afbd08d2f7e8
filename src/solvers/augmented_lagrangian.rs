//! The augmented Lagrangian of limits `c_i <= 0`: a function without limits whose minimum is the problem's once the
//! multipliers are right. Used where neither gradients nor a repair are offered (Atamna, Auger and Hansen,
//! "Augmented Lagrangian constraint handling for CMA-ES", doi:10.1145/2908812.2908959; Nocedal and Wright, Numerical
//! Optimization, 2006, chapter 17).

/// Multipliers and penalty weights, one pair a limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct AugmentedLagrangian {
    multipliers: Vec<f64>,
    weights: Vec<f64>,
    last: Vec<f64>,
}

impl AugmentedLagrangian {
    /// For so many limits, all weights alike.
    pub(crate) fn new(limits: usize, weight: f64) -> Self {
        Self { multipliers: vec![0.0; limits], weights: vec![weight; limits], last: vec![f64::NAN; limits] }
    }

    /// `f + sum of m c + w c²/2` where that rises with c, else its minimum `-m²/(2 w)`.
    pub(crate) fn value(&self, objective: f64, limits: &[f64]) -> f64 {
        let mut sum = objective;
        for ((c, m), w) in limits.iter().zip(&self.multipliers).zip(&self.weights) {
            sum += if m + w * c >= 0.0 { m * c + 0.5 * w * c * c } else { -0.5 * m * m / w };
        }
        sum
    }

    /// How fast the value changes with each limit.
    pub(crate) fn slope(&self, limit: usize, c: f64) -> f64 {
        (self.multipliers[limit] + self.weights[limit] * c).max(0.0)
    }

    /// The sum of the multipliers.
    pub(crate) fn total(&self) -> f64 {
        self.multipliers.iter().sum()
    }

    /// Sets the weights from a population: the objective's spread over that of the limits' squares.
    pub(crate) fn scale(&mut self, dimension: usize, spread: f64, spreads: impl Iterator<Item = f64>) {
        for (w, limit) in self.weights.iter_mut().zip(spreads) {
            let weight = 2.0 * spread / (5.0 * dimension as f64 * (limit + 1e-6 * spread + 1e-12));
            if weight.is_finite() && weight > 0.0 {
                *w = weight;
            }
        }
    }

    /// One small step of the multipliers and weights, from the limits' values where the search stands and the change
    /// of the Lagrangian since the last step.
    pub(crate) fn adapt(&mut self, limits: &[f64], change: f64, dimension: usize) {
        let n = dimension as f64;
        let factor = 2f64.powf(1.0 / n);
        let it = self.multipliers.iter_mut().zip(self.weights.iter_mut()).zip(self.last.iter_mut());
        for (((m, w), last), c) in it.zip(limits) {
            *m = (*m + *w * c / 5.0).max(0.0);
            let small = *w * c * c < 3.0 * change.abs() / n || 5.0 * (*c - *last).abs() < last.abs();
            *w *= if small { factor.powf(0.25) } else { 1.0 / factor };
            *w = w.clamp(1e-12, 1e18);
            *last = *c;
        }
    }

    /// The classical step after a whole inner minimization; weights grow where a miss did not shrink enough.
    pub(crate) fn advance(&mut self, limits: &[f64]) {
        let it = self.multipliers.iter_mut().zip(self.weights.iter_mut()).zip(self.last.iter_mut());
        for (((m, w), last), c) in it.zip(limits) {
            // What is left of complementarity: the miss, or a multiplier on a limit that holds with room.
            let miss = c.max(-*m / *w).abs();
            *m = (*m + *w * c).max(0.0);
            if last.is_nan() || miss > 0.25 * *last {
                *w = (*w * 10.0).min(1e12);
            }
            *last = miss;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_settle_where_the_problem_has_them() {
        // min (x - 2)² subject to x <= 1: the multiplier is 2, the minimum of the Lagrangian is at 1.
        let mut lagrangian = AugmentedLagrangian::new(1, 1.0);
        let mut x = 0.0;
        for _ in 0..60 {
            let steps = (0..=40_000).map(|i| i as f64 * 1e-4);
            x = steps
                .map(|x| (lagrangian.value((x - 2.0) * (x - 2.0), &[x - 1.0]), x))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map(|b| b.1)
                .unwrap();
            lagrangian.advance(&[x - 1.0]);
        }
        assert!((x - 1.0).abs() < 2e-4 && (lagrangian.multipliers[0] - 2.0).abs() < 1e-2, "{x} {lagrangian:?}");
    }
}
