//! The covariance matrix adaptation evolution strategy, with negative weights (Hansen, "The CMA evolution strategy: a
//! tutorial", 2016, arXiv:1604.00772; doi:10.1162/106365601750190398). Only the order of the candidates counts.
//! O(n²) operations a candidate, and an eigendecomposition every few generations.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::math::RandomStream;

/// The state of one run: a normal distribution that moves and stretches towards better candidates.
pub(super) struct CmaEs {
    n: usize,
    weights: Vec<f64>,
    /// The effective number of parents, and the rates of learning.
    mu_effective: f64,
    c_path: f64,
    c_sigma: f64,
    c_rank_one: f64,
    c_rank_mu: f64,
    damping: f64,
    mean: Vec<f64>,
    sigma: f64,
    first_sigma: f64,
    covariance: DMatrix<f64>,
    /// `C = B D² B'`: the columns of B, and the diagonal of D.
    basis: DMatrix<f64>,
    axes: Vec<f64>,
    path_c: Vec<f64>,
    path_sigma: Vec<f64>,
    steps: Vec<f64>,
    generation: u64,
    decomposed: u64,
    best_values: Vec<f64>,
    scratch: Vec<f64>,
}

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Values or steps no longer differ.
    Settled,
    /// The distribution degenerated or grew without end.
    Degenerate,
}

/// The usual number of candidates a generation in n dimensions.
pub(super) fn usual_population(n: usize) -> usize {
    4 + (3.0 * (n as f64).ln()).floor().max(0.0) as usize
}

impl CmaEs {
    /// A run from a mean, with a standard deviation in every coordinate.
    pub(super) fn new(mean: &[f64], sigma: f64, population: usize) -> Self {
        let n = mean.len();
        let (dimension, parents) = (n as f64, population / 2);
        let raw: Vec<f64> =
            (0..population).map(|i| ((population as f64 + 1.0) / 2.0).ln() - ((i + 1) as f64).ln()).collect();
        let effective = |w: &[f64]| {
            let (sum, squares) = w.iter().fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
            if squares > 0.0 { sum * sum / squares } else { 0.0 }
        };
        let mu_effective = effective(&raw[..parents]);
        let mu_negative = effective(&raw[parents..]);
        let c_path = (4.0 + mu_effective / dimension) / (dimension + 4.0 + 2.0 * mu_effective / dimension);
        let c_sigma = (mu_effective + 2.0) / (dimension + mu_effective + 5.0);
        let c_rank_one = 2.0 / ((dimension + 1.3).powi(2) + mu_effective);
        let c_rank_mu = (2.0 * (0.25 + mu_effective + 1.0 / mu_effective - 2.0)
            / ((dimension + 2.0).powi(2) + mu_effective))
            .min(1.0 - c_rank_one);
        let damping = 1.0 + 2.0 * (((mu_effective - 1.0) / (dimension + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        // The negative weights are as large as keeps the covariance positive definite.
        let positive: f64 = raw.iter().filter(|w| **w > 0.0).sum();
        let negative: f64 = -raw.iter().filter(|w| **w < 0.0).sum::<f64>();
        let strength = (1.0 + c_rank_one / c_rank_mu)
            .min(1.0 + 2.0 * mu_negative / (mu_effective + 2.0))
            .min((1.0 - c_rank_one - c_rank_mu) / (dimension * c_rank_mu))
            .max(0.0);
        let weights =
            raw.iter().map(|w| if *w > 0.0 { w / positive } else { w * strength / negative.max(1e-300) }).collect();
        Self {
            n,
            weights,
            mu_effective,
            c_path,
            c_sigma,
            c_rank_one,
            c_rank_mu,
            damping,
            mean: mean.to_vec(),
            sigma,
            first_sigma: sigma,
            covariance: DMatrix::identity(n, n),
            basis: DMatrix::identity(n, n),
            axes: vec![1.0; n],
            path_c: vec![0.0; n],
            path_sigma: vec![0.0; n],
            steps: vec![0.0; n * population],
            generation: 0,
            decomposed: 0,
            best_values: Vec::new(),
            scratch: vec![0.0; n],
        }
    }

    /// Candidates a generation.
    pub(super) fn population(&self) -> usize {
        self.weights.len()
    }

    /// Where the distribution stands.
    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Draws one candidate of this generation.
    pub(super) fn draw(&mut self, candidate: usize, random: &mut RandomStream, point: &mut [f64]) {
        let step = &mut self.steps[candidate * self.n..(candidate + 1) * self.n];
        step.fill(0.0);
        for (axis, column) in self.axes.iter().zip(self.basis.as_slice().chunks_exact(self.n)) {
            let length = axis * random.normal();
            step.iter_mut().zip(column).for_each(|(y, b)| *y += length * b);
        }
        for ((x, m), y) in point.iter_mut().zip(&self.mean).zip(step) {
            *x = m + self.sigma * *y;
        }
    }

    /// Learns from a generation, given its candidates from best to worst and the best one's value.
    pub(super) fn learn(&mut self, order: &[usize], best_value: f64) {
        let n = self.n;
        let dimension = n as f64;
        self.generation += 1;
        self.best_values.push(best_value);
        let step = |candidate: usize| candidate * n..(candidate + 1) * n;
        let parents = self.weights.len() / 2;
        // The mean step, and the same in coordinates where the distribution is a sphere: C^-1/2 y.
        let mut mean_step = vec![0.0; n];
        for (candidate, weight) in order.iter().zip(&self.weights[..parents]) {
            mean_step.iter_mut().zip(&self.steps[step(*candidate)]).for_each(|(m, y)| *m += weight * y);
        }
        self.mean.iter_mut().zip(&mean_step).for_each(|(m, y)| *m += self.sigma * y);
        let rate = (self.c_sigma * (2.0 - self.c_sigma) * self.mu_effective).sqrt();
        self.path_sigma.iter_mut().for_each(|p| *p *= 1.0 - self.c_sigma);
        for (axis, column) in self.axes.iter().zip(self.basis.as_slice().chunks_exact(n)) {
            let along = column.iter().zip(&mean_step).map(|(b, y)| b * y).sum::<f64>() / axis;
            self.path_sigma.iter_mut().zip(column).for_each(|(p, b)| *p += rate * along * b);
        }
        let expected = dimension.sqrt() * (1.0 - 1.0 / (4.0 * dimension) + 1.0 / (21.0 * dimension * dimension));
        let length = self.path_sigma.iter().map(|p| p * p).sum::<f64>().sqrt();
        let settled = (1.0 - (1.0 - self.c_sigma).powf(2.0 * self.generation as f64)).sqrt();
        let moving = length / settled < (1.4 + 2.0 / (dimension + 1.0)) * expected;
        let rate = (self.c_path * (2.0 - self.c_path) * self.mu_effective).sqrt();
        for (p, y) in self.path_c.iter_mut().zip(&mean_step) {
            *p = (1.0 - self.c_path) * *p + if moving { rate * y } else { 0.0 };
        }
        let lost = if moving { 0.0 } else { self.c_rank_one * self.c_path * (2.0 - self.c_path) };
        let total: f64 = self.weights.iter().sum();
        let keep = 1.0 + lost - self.c_rank_one - self.c_rank_mu * total;
        let covariance = self.covariance.as_mut_slice();
        covariance.iter_mut().for_each(|c| *c *= keep);
        add_outer(covariance, &self.path_c, self.c_rank_one);
        for (rank, candidate) in order.iter().enumerate() {
            let y = &self.steps[step(*candidate)];
            let mut weight = self.weights[rank];
            if weight < 0.0 {
                // Long steps would otherwise push the matrix out of the cone.
                let mut size = 0.0;
                for (axis, column) in self.axes.iter().zip(self.basis.as_slice().chunks_exact(n)) {
                    size += (column.iter().zip(y).map(|(b, y)| b * y).sum::<f64>() / axis).powi(2);
                }
                weight *= dimension / size.max(1e-300);
            }
            add_outer(covariance, y, self.c_rank_mu * weight);
        }
        self.sigma *= ((self.c_sigma / self.damping) * (length / expected - 1.0)).min(1.0).exp();
        let lazy = (1.0 / ((self.c_rank_one + self.c_rank_mu) * dimension * 10.0)).floor() as u64;
        if self.generation - self.decomposed >= lazy.max(1) {
            self.decompose();
        }
    }

    /// Makes the steps longer, where a generation shows no difference.
    pub(super) fn lengthen(&mut self) {
        self.sigma *= (0.2 + self.c_sigma / self.damping).exp();
    }

    fn decompose(&mut self) {
        self.decomposed = self.generation;
        self.covariance.fill_lower_triangle_with_upper_triangle();
        let eigen = SymmetricEigen::new(self.covariance.clone());
        for (axis, value) in self.axes.iter_mut().zip(eigen.eigenvalues.iter()) {
            *axis = if *value > 0.0 { value.sqrt() } else { f64::NAN };
        }
        self.basis = eigen.eigenvectors;
    }

    /// Takes longer steps from here on, and forgets the past.
    pub(super) fn widen(&mut self, factor: f64) {
        self.sigma *= factor;
        self.path_c.fill(0.0);
        self.path_sigma.fill(0.0);
        self.forget();
    }

    /// Forgets the values so far, where those to come do not compare with them.
    pub(super) fn forget(&mut self) {
        self.best_values.clear();
    }

    /// Whether the run is over, and why, given the spread of the last generation's values. `fixed` says that the
    /// function which ranks candidates does not change from generation to generation.
    pub(super) fn end(&mut self, spread: f64, fixed: bool) -> Option<End> {
        let (longest, shortest) =
            self.axes.iter().fold((0.0, f64::INFINITY), |(l, s): (f64, f64), a| (l.max(*a), s.min(*a)));
        let broken = self.axes.iter().any(|a| a.is_nan()) || !self.sigma.is_finite();
        if broken || longest > 1e7 * shortest || self.sigma * longest > 1e4 * self.first_sigma.max(1.0) {
            return Some(End::Degenerate);
        }
        self.scratch.clear();
        self.scratch.extend((0..self.n).map(|i| self.sigma * self.covariance[(i, i)].max(0.0).sqrt()));
        let still = |(i, s): (usize, &f64)| *s < 1e-11 * self.first_sigma && self.sigma * self.path_c[i].abs() < 1e-11;
        if self.scratch.iter().enumerate().all(still) {
            return Some(End::Settled);
        }
        let horizon = 10 + (30.0 * self.n as f64 / self.weights.len() as f64).ceil() as usize;
        if self.best_values.len() > horizon {
            let recent = &self.best_values[self.best_values.len() - horizon..];
            let (low, high) =
                recent.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
            if (high - low).max(spread) <= 1e-11 * low.abs().max(1e-6) {
                return Some(End::Settled);
            }
        }
        // No gain over a long stretch: the median of the last part is no better than that of the one before.
        let stretch = (120 + 30 * self.n / self.weights.len()).max(self.best_values.len() / 5);
        if fixed && self.best_values.len() > 2 * stretch {
            let median = |values: &[f64]| {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                sorted[sorted.len() / 2]
            };
            let end = self.best_values.len();
            if median(&self.best_values[end - stretch..]) >= median(&self.best_values[end - 2 * stretch..end - stretch])
            {
                return Some(End::Settled);
            }
        }
        None
    }
}

/// The upper triangle of `matrix += weight y y'` (column-major).
fn add_outer(matrix: &mut [f64], y: &[f64], weight: f64) {
    let n = y.len();
    for (j, column) in matrix.chunks_exact_mut(n).enumerate() {
        let scaled = weight * y[j];
        column[..=j].iter_mut().zip(y).for_each(|(c, a)| *c += scaled * a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minimizes a function; gives the best value and the evaluations.
    fn minimize(f: impl Fn(&[f64]) -> f64, mean: &[f64], sigma: f64, population: usize, seed: u64) -> (f64, usize) {
        let mut random = RandomStream::keyed(seed, "test", "", 0, 0);
        let mut run = CmaEs::new(mean, sigma, population);
        let mut points = vec![vec![0.0; mean.len()]; population];
        let (mut best, mut count) = (f64::INFINITY, 0);
        for _ in 0..10_000 {
            for (i, point) in points.iter_mut().enumerate() {
                run.draw(i, &mut random, point);
            }
            let values: Vec<f64> = points.iter().map(|p| f(p)).collect();
            count += population;
            let mut order: Vec<usize> = (0..population).collect();
            order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
            best = best.min(values[order[0]]);
            run.learn(&order, values[order[0]]);
            if run.end(values[order[population - 1]] - values[order[0]], true).is_some() {
                break;
            }
        }
        (best, count)
    }

    #[test]
    fn sphere_ellipsoid_and_valley_are_solved_in_the_usual_number_of_evaluations() {
        let n = 10;
        for seed in 0..5 {
            let start = vec![1.0; n];
            let (best, count) = minimize(|x| x.iter().map(|x| x * x).sum(), &start, 0.5, usual_population(n), seed);
            assert!(best < 1e-9 && count < 4_000, "sphere {best} {count}");
            let ellipsoid =
                |x: &[f64]| x.iter().enumerate().map(|(i, x)| 1e6f64.powf(i as f64 / (n - 1) as f64) * x * x).sum();
            let (best, count) = minimize(ellipsoid, &start, 0.5, usual_population(n), seed);
            assert!(best < 1e-9 && count < 9_000, "ellipsoid {best} {count}");
            // A point of this valley is a local minimum besides the global one: from 0 nearly every run finds the latter.
            let valley =
                |x: &[f64]| x.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum();
            let (best, count) = minimize(valley, &vec![0.0; n], 0.5, usual_population(n), seed);
            assert!((best < 1e-9 || (best - 3.986).abs() < 1e-2) && count < 15_000, "valley {best} {count}");
        }
    }

    #[test]
    fn a_large_population_finds_the_lowest_of_many_minima() {
        let rastrigin = |x: &[f64]| {
            let wave: f64 = x.iter().map(|x| x * x - 10.0 * (std::f64::consts::TAU * x).cos()).sum();
            wave + 10.0 * x.len() as f64
        };
        let found = (0..40).filter(|seed| minimize(rastrigin, &[2.3; 4], 2.0, 200, *seed).0 < 1e-8).count();
        assert!(found >= 34, "{found} of 40");
    }
}
