//! Descent by limited-memory BFGS, one iteration at a time.
//!
//! The line search is the bisection of Lewis and Overton for the weak Wolfe conditions, which also serves functions
//! with kinks (the largest of several).
//!
//! Sources: Nocedal, Math. Comp. 35(151), 1980, doi:10.1090/S0025-5718-1980-0572855-7; Lewis and Overton, Math.
//! Program. 141, 2013, doi:10.1007/s10107-012-0514-2.

/// Sufficient decrease, as a share of what the slope promises.
const DECREASE: f64 = 1e-4;
/// The slope that must be left over at most.
const CURVATURE: f64 = 0.9;
/// Trials of one line search.
const TRIALS: usize = 25;

/// A function to be minimized: writes its gradient and gives its value; none where it is undefined.
pub type Function<'a> = dyn FnMut(&[f64], &mut [f64]) -> Option<f64> + 'a;

/// The state of a descent.
#[derive(Clone, Debug)]
pub struct Descent {
    memory: usize,
    first_length: f64,
    /// Pairs of steps and changes of the gradient, and the inverse of their inner product; oldest first.
    pairs: Vec<(Vec<f64>, Vec<f64>, f64)>,
    /// Where it stands.
    pub point: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The gradient there.
    pub gradient: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Descent {
    /// Sets out from a point; none where the function is undefined there. The first step has the given length.
    pub fn new(point: Vec<f64>, memory: usize, first_length: f64, function: &mut Function) -> Option<Self> {
        let mut gradient = vec![0.0; point.len()];
        let value = function(&point, &mut gradient).filter(|v| v.is_finite())?;
        Some(Self { memory: memory.max(1), first_length, pairs: Vec::new(), point, value, gradient })
    }

    /// The gradient's Euclidean norm.
    pub fn slope(&self) -> f64 {
        dot(&self.gradient, &self.gradient).sqrt()
    }

    /// One iteration; whether the value fell. `stop` is asked before each evaluation.
    pub fn step(&mut self, function: &mut Function, stop: &mut dyn FnMut() -> bool) -> bool {
        let mut direction = self.direction();
        let mut slope = dot(&direction, &self.gradient);
        if slope.is_nan() || slope >= 0.0 {
            self.pairs.clear();
            direction = self.gradient.iter().map(|g| -g).collect();
            slope = -dot(&self.gradient, &self.gradient);
        }
        if slope.is_nan() || slope >= 0.0 {
            return false;
        }
        let mut length = if self.pairs.is_empty() { self.first_length / (-slope).sqrt() } else { 1.0 };
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut trial = self.point.clone();
        let mut gradient = self.gradient.clone();
        // The best point that decreases enough, should the slope's condition never hold.
        let mut found: Option<(Vec<f64>, f64, Vec<f64>)> = None;
        for _ in 0..TRIALS {
            if stop() {
                break;
            }
            trial.iter_mut().zip(&self.point).zip(&direction).for_each(|((t, x), d)| *t = x + length * d);
            let value = function(&trial, &mut gradient).filter(|v| v.is_finite());
            match value {
                Some(value) if value <= self.value + DECREASE * length * slope => {
                    if found.as_ref().is_none_or(|(_, best, _)| value < *best) {
                        found = Some((trial.clone(), value, gradient.clone()));
                    }
                    if dot(&gradient, &direction) >= CURVATURE * slope {
                        break;
                    }
                    low = length;
                }
                _ => high = length,
            }
            length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * length };
            if high.is_finite() && high - low <= 1e-12 * high {
                break;
            }
        }
        let Some((point, value, gradient)) = found else { return false };
        let step: Vec<f64> = point.iter().zip(&self.point).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(a, b)| a - b).collect();
        let product = dot(&step, &change);
        if product > 1e-14 * dot(&step, &step).sqrt() * dot(&change, &change).sqrt() {
            if self.pairs.len() == self.memory {
                self.pairs.remove(0);
            }
            self.pairs.push((step, change, 1.0 / product));
        }
        let fell = value < self.value;
        (self.point, self.value, self.gradient) = (point, value, gradient);
        fell
    }

    /// The two-loop recursion.
    fn direction(&self) -> Vec<f64> {
        let mut q: Vec<f64> = self.gradient.iter().map(|g| -g).collect();
        let mut shares = vec![0.0; self.pairs.len()];
        for (share, (step, change, inverse)) in shares.iter_mut().zip(&self.pairs).rev() {
            *share = inverse * dot(step, &q);
            q.iter_mut().zip(change).for_each(|(q, c)| *q -= *share * c);
        }
        if let Some((_, change, inverse)) = self.pairs.last() {
            let scale = 1.0 / (inverse * dot(change, change));
            q.iter_mut().for_each(|q| *q *= scale);
        }
        for (share, (step, change, inverse)) in shares.iter().zip(&self.pairs) {
            let back = inverse * dot(change, &q);
            q.iter_mut().zip(step).for_each(|(q, s)| *q += (share - back) * s);
        }
        q
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrock_and_a_kink_are_minimized() {
        let mut rosenbrock = |x: &[f64], g: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
            Some(a * a + 100.0 * b * b)
        };
        let mut descent = Descent::new(vec![-1.2, 1.0], 6, 0.1, &mut rosenbrock).unwrap();
        for _ in 0..60 {
            descent.step(&mut rosenbrock, &mut || false);
        }
        assert!(descent.value < 1e-16, "{descent:?}");
        let mut kink = |x: &[f64], g: &mut [f64]| {
            g.copy_from_slice(&[x[0].signum() * 3.0, 2.0 * x[1]]);
            Some(3.0 * x[0].abs() + x[1] * x[1])
        };
        let mut descent = Descent::new(vec![1.1, 2.3], 6, 0.5, &mut kink).unwrap();
        for _ in 0..60 {
            descent.step(&mut kink, &mut || false);
        }
        assert!(descent.value < 1e-4, "{}", descent.value);
    }
}
