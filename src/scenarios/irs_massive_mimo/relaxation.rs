//! The semidefinite relaxation of the phases, and what its dual proves.
//!
//! With `X` in place of `theta theta^H` and `w = conj(b)`, `|s|² = w^H X w`, the largest of `sum_k weight_k Tr C_vk` under
//! `|s| >= s0` is at most, for any real `y` and any `nu >= 0`,
//!
//! ```text
//! sum_k weight_k Tr R_fk + sum(y) + N lambda_max(Q + nu w w^H - Diag(y)) - nu s0²,  Q = sum_k weight_k Q_k
//! ```
//!
//! and the least gain is no larger than any average with weights that add to 1. The relaxation is solved in the low-rank
//! form `X = V V^H` with rows of length one, row by row (the mixing method: Wang, Chang and Kolter, arXiv:1706.00476,
//! 2017); `y` follows from its optimality conditions, and the eigenvalue makes a proof of whatever was reached.

use faer::{Mat, Side};
use num_complex::Complex;

use super::echo::Echo;
use super::gain::Gains;
use crate::error::{Error, Result};
use crate::math::RandomStream;

/// Sweeps end when one gains less than this, relative to the value.
const GAIN: f64 = 1e-11;

/// Multiplications that one call of sweeps may take.
const EFFORT: f64 = 4e8;

/// Steps of the search for the price of the echo's limit, and of that for the users' weights.
const PRICES: usize = 40;
const ROUNDS: usize = 60;

/// A solved relaxation and its proof.
pub(super) struct Relaxation {
    /// The bound on the least average gain.
    pub bound: f64,
    /// `y`.
    pub phase_price: Vec<f64>,
    /// `nu`.
    pub sensing_price: f64,
    /// The users' weights; they add to 1.
    pub weights: Vec<f64>,
    /// The rows of V.
    pub factor: Factor,
}

/// `V`, N rows of length one.
#[derive(Clone)]
pub(super) struct Factor {
    rank: usize,
    rows: Vec<Complex<f64>>,
}

impl Factor {
    /// Random rows; their rank is above the square root of N, so that no local optimum is in the way.
    fn new(n: usize) -> Self {
        let rank = (n as f64).sqrt().ceil() as usize + 1;
        let mut random = RandomStream::keyed(0, "relaxation", "irs_massive_mimo", 0, 0);
        let mut rows: Vec<_> = (0..n * rank).map(|_| random.complex_normal(1.0)).collect();
        for row in rows.chunks_exact_mut(rank) {
            let norm = row.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
            row.iter_mut().for_each(|z| *z /= norm);
        }
        Self { rank, rows }
    }

    fn row(&self, i: usize) -> &[Complex<f64>] {
        &self.rows[i * self.rank..(i + 1) * self.rank]
    }

    /// Row by row `v_i = g_i / |g_i|`, `g_i = sum_{j != i} Q_ij v_j`; writes `y_i = Q_ii + |g_i|`.
    fn sweep(&mut self, q: &Mat<Complex<f64>>, price: &mut [f64], g: &mut [Complex<f64>]) -> f64 {
        let rank = self.rank;
        for (i, y) in price.iter_mut().enumerate() {
            g.fill(Complex::default());
            // Q is Hermitian and held by columns: Q_ij = conj(Q_ji).
            for (j, (v, q)) in self.rows.chunks_exact(rank).zip(q.col(i).iter()).enumerate() {
                if j != i {
                    let q = q.conj();
                    g.iter_mut().zip(v).for_each(|(g, v)| *g += q * v);
                }
            }
            let norm = g.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
            *y = q[(i, i)].re + norm;
            if norm > 0.0 {
                let row = &mut self.rows[i * rank..(i + 1) * rank];
                row.iter_mut().zip(g.iter()).for_each(|(v, g)| *v = g / norm);
            }
        }
        price.iter().sum()
    }

    /// Sweeps until they gain nothing more; `y`.
    fn climb(&mut self, q: &Mat<Complex<f64>>, effort: f64) -> Vec<f64> {
        let n = q.nrows();
        let mut price = vec![0.0; n];
        let mut g = vec![Complex::default(); self.rank];
        let most = (effort / (n * n * self.rank) as f64).clamp(3.0, 5000.0) as usize;
        let mut last = f64::NEG_INFINITY;
        for _ in 0..most {
            let value = self.sweep(q, &mut price, &mut g);
            if value - last <= GAIN * value.abs() {
                break;
            }
            last = value;
        }
        price
    }

    /// `Tr(Q X)`.
    fn value(&self, q: &Mat<Complex<f64>>) -> f64 {
        let n = q.nrows();
        let mut sum = 0.0;
        let mut g = vec![Complex::<f64>::default(); self.rank];
        for i in 0..n {
            g.fill(Complex::default());
            for (v, q) in self.rows.chunks_exact(self.rank).zip(q.col(i).iter()) {
                let q = q.conj();
                g.iter_mut().zip(v).for_each(|(g, v)| *g += q * v);
            }
            sum += self.row(i).iter().zip(&g).map(|(v, g)| (v.conj() * g).re).sum::<f64>();
        }
        sum
    }

    /// `w^H X w`, `w = conj(b)`.
    fn along(&self, b: &[Complex<f64>]) -> f64 {
        let mut sum = vec![Complex::<f64>::default(); self.rank];
        for (v, b) in self.rows.chunks_exact(self.rank).zip(b) {
            sum.iter_mut().zip(v).for_each(|(s, v)| *s += b * v);
        }
        sum.iter().map(|z| z.norm_sqr()).sum()
    }

    /// `V^H V`.
    fn gram(&self) -> Mat<Complex<f64>> {
        let r = self.rank;
        let mut gram = Mat::<Complex<f64>>::zeros(r, r);
        for v in self.rows.chunks_exact(r) {
            for j in 0..r {
                for i in 0..r {
                    gram[(i, j)] += v[i].conj() * v[j];
                }
            }
        }
        gram
    }

    /// The number of eigenvalues of X that count.
    pub fn numerical_rank(&self) -> usize {
        let values = self.gram().self_adjoint_eigenvalues(Side::Lower).unwrap_or_default();
        let largest = values.iter().copied().fold(0.0, f64::max);
        values.iter().filter(|v| **v > 1e-5 * largest).count().max(1)
    }

    /// The phases of `V x`: x drawn, or the dominant eigenvector of `V^H V`.
    pub fn phases(&self, random: Option<&mut RandomStream>, out: &mut [f64]) {
        let x: Vec<Complex<f64>> = match random {
            Some(random) => (0..self.rank).map(|_| random.complex_normal(1.0)).collect(),
            None => match self.gram().self_adjoint_eigen(Side::Lower) {
                Ok(eigen) => eigen.U().col(self.rank - 1).iter().copied().collect(),
                Err(_) => vec![Complex::new(1.0, 0.0); self.rank],
            },
        };
        for (phase, v) in out.iter_mut().zip(self.rows.chunks_exact(self.rank)) {
            *phase = v.iter().zip(&x).map(|(v, x)| v * x).sum::<Complex<f64>>().arg();
        }
    }
}

/// `Q + nu w w^H`.
fn priced(q: &Mat<Complex<f64>>, echo: &Echo, price: f64) -> Mat<Complex<f64>> {
    let b = &echo.weights;
    Mat::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)] + b[i].conj() * b[j] * price)
}

/// `N lambda_max(A - Diag(y))` rounded up.
pub(super) fn shift(a: &Mat<Complex<f64>>, price: &[f64]) -> Result<f64> {
    let n = a.nrows();
    let slack = Mat::from_fn(n, n, |i, j| if i == j { a[(i, j)] - price[i] } else { a[(i, j)] });
    let values = slack.self_adjoint_eigenvalues(Side::Lower);
    let values = values.map_err(|_| Error::Numerical("the eigenvalues of the relaxation's dual".into()))?;
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scale = values.iter().map(|v| v.abs()).fold(0.0, f64::max);
    Ok(n as f64 * (largest + 4.0 * f64::EPSILON * scale))
}

/// `sum_k weight_k Q_k` with the users' factors.
fn weighted(gains: &Gains, forms: &[Mat<Complex<f64>>], weights: &[f64]) -> Mat<Complex<f64>> {
    let mut of_form = vec![0.0; gains.forms.len()];
    for ((_, factor, form), weight) in gains.users.iter().zip(weights) {
        of_form[*form] += factor * weight;
    }
    let n = forms[0].nrows();
    Mat::from_fn(n, n, |i, j| forms.iter().zip(&of_form).map(|(q, w)| q[(i, j)] * *w).sum())
}

/// Bounds `theta^H Q theta` under `|s| >= least`: `(bound, y, nu)`.
fn form(q: &Mat<Complex<f64>>, echo: &Echo, least: f64, factor: &mut Factor) -> Result<(f64, Vec<f64>, f64)> {
    let bound = |a: &Mat<Complex<f64>>, price: &[f64], nu: f64| -> Result<f64> {
        Ok(price.iter().sum::<f64>() + shift(a, price)? - nu * least * least)
    };
    let price = factor.climb(q, EFFORT);
    let mut best = (bound(q, &price, 0.0)?, price, 0.0);
    // What rows reach at no price and what is needed agree up to rounding.
    if least <= 0.0 || factor.along(&echo.weights) >= least * least * (1.0 - 1e-9) {
        return Ok(best);
    }
    let mut try_price = |nu: f64, effort: f64, proof: bool| -> Result<f64> {
        let a = priced(q, echo, nu);
        let price = factor.climb(&a, effort);
        if proof {
            let value = bound(&a, &price, nu)?;
            if value < best.0 {
                best = (value, price, nu);
            }
        }
        Ok(factor.along(&echo.weights))
    };
    let needed = least * least;
    let scale =
        (0..q.nrows()).map(|i| q[(i, i)].re).sum::<f64>() / echo.weights.iter().map(|b| b.norm_sqr()).sum::<f64>();
    let (mut low, mut high) = (0.0, scale.max(f64::MIN_POSITIVE));
    let mut doublings = 0;
    while try_price(high, EFFORT / 8.0, false)? < needed && doublings < 60 {
        (low, high) = (high, 2.0 * high);
        doublings += 1;
    }
    for step in 0..PRICES {
        let middle = 0.5 * (low + high);
        if high - low <= 1e-7 * high {
            break;
        }
        let reached = try_price(middle, EFFORT / 8.0, step % 8 == 7)?;
        if reached < needed { low = middle } else { high = middle }
    }
    try_price(low, EFFORT, true)?;
    try_price(high, EFFORT, true)?;
    Ok(best)
}

/// Solves the relaxation of the least average gain under `|s| >= least`.
///
/// # Errors
/// Where eigenvalues cannot be computed.
pub(super) fn solve(gains: &Gains, echo: &Echo, least: f64) -> Result<Relaxation> {
    let n = echo.weights.len();
    let mut factor = Factor::new(n);
    let forms: Vec<_> = (0..gains.forms.len()).map(|form| gains.matrix(form, n)).collect();
    let users = gains.users.len();
    if gains.shared() {
        // All gains grow with one form: bound it once, then the user that has the least at the bound decides.
        let (value, price, nu) = form(&forms[0], echo, least, &mut factor)?;
        let least_user = (0..users).min_by(|a, b| gains.gain(*a, value).total_cmp(&gains.gain(*b, value)));
        let user = least_user.unwrap_or(0);
        let scale = gains.users[user].1;
        return Ok(Relaxation {
            bound: gains.gain(user, value),
            phase_price: price.iter().map(|y| y * scale).collect(),
            sensing_price: nu * scale,
            weights: (0..users).map(|k| f64::from(u8::from(k == user))).collect(),
            factor,
        });
    }
    // Weights by multiplicative updates: users below the others get more.
    let mut weights = vec![1.0 / users as f64; users];
    let mut chosen = (f64::INFINITY, weights.clone());
    for round in 0..ROUNDS {
        let q = weighted(gains, &forms, &weights);
        let price = factor.climb(&q, EFFORT / ROUNDS as f64);
        let constant: f64 = gains.users.iter().zip(&weights).map(|((direct, ..), w)| direct * w).sum();
        let estimate = price.iter().sum::<f64>() + constant;
        if estimate < chosen.0 {
            chosen = (estimate, weights.clone());
        }
        let values: Vec<f64> =
            gains.users.iter().map(|(direct, f, form)| direct + f * factor.value(&forms[*form])).collect();
        let mean = values.iter().sum::<f64>() / users as f64;
        let step = 4.0 / (1.0 + round as f64).sqrt() / mean.max(f64::MIN_POSITIVE);
        weights.iter_mut().zip(&values).for_each(|(w, v)| *w *= (-step * (v - mean)).exp());
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
    }
    let weights = chosen.1;
    let q = weighted(gains, &forms, &weights);
    let (value, phase_price, sensing_price) = form(&q, echo, least, &mut factor)?;
    let constant: f64 = gains.users.iter().zip(&weights).map(|((direct, ..), w)| direct * w).sum();
    Ok(Relaxation { bound: value + constant, phase_price, sensing_price, weights, factor })
}
