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
//! form ([`crate::conic::low_rank`]); its prices are `y`, and the eigenvalue makes a proof of whatever was reached.

use nalgebra::DMatrix;
use num_complex::Complex;

use super::echo::Echo;
use super::gain::Gains;
use crate::conic::low_rank::{LowRank, diagonal_bound};
use crate::error::{Error, Result};
use crate::math::RandomStream;

type Matrix = DMatrix<Complex<f64>>;

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
    /// `X = V V^H`.
    pub factor: LowRank,
}

impl Relaxation {
    /// The number of eigenvalues of X that count.
    pub fn numerical_rank(&self) -> usize {
        let values = self.factor.eigenvalues();
        let largest = values.iter().copied().fold(0.0, f64::max);
        values.iter().filter(|v| **v > 1e-5 * largest).count().max(1)
    }

    /// The phases of `V x`: x drawn, or the dominant eigenvector of `V^H V`.
    pub fn phases(&self, random: Option<&mut RandomStream>, out: &mut [f64]) {
        let mut sample = vec![Complex::default(); out.len()];
        self.factor.sample(random, &mut sample);
        out.iter_mut().zip(&sample).for_each(|(phase, z)| *phase = z.arg());
    }
}

/// `Q + nu w w^H`.
fn priced(q: &Matrix, echo: &Echo, price: f64) -> Matrix {
    let b = &echo.weights;
    Matrix::from_fn(q.nrows(), q.ncols(), |i, j| q[(i, j)] + b[i].conj() * b[j] * price)
}

/// `w = conj(b)`.
fn line(echo: &Echo) -> Vec<Complex<f64>> {
    echo.weights.iter().map(|b| b.conj()).collect()
}

/// Sweeps until they gain nothing more, within an effort; `y`.
fn climb(factor: &mut LowRank, q: &Matrix, effort: f64) -> Vec<f64> {
    let n = q.nrows();
    let most = (effort / (n * n * factor.rank()) as f64).clamp(3.0, 5000.0) as usize;
    factor.climb(q, GAIN, most).prices
}

/// `sum_k weight_k Q_k` with the users' factors.
fn weighted(gains: &Gains, forms: &[Matrix], weights: &[f64]) -> Matrix {
    let mut of_form = vec![0.0; gains.forms.len()];
    for ((_, factor, form), weight) in gains.users.iter().zip(weights) {
        of_form[*form] += factor * weight;
    }
    let n = forms[0].nrows();
    Matrix::from_fn(n, n, |i, j| forms.iter().zip(&of_form).map(|(q, w)| q[(i, j)] * *w).sum())
}

/// Bounds `theta^H Q theta` under `|s| >= least`: `(bound, y, nu)`.
fn form(q: &Matrix, echo: &Echo, least: f64, factor: &mut LowRank) -> Result<(f64, Vec<f64>, f64)> {
    let bound = |a: &Matrix, price: &[f64], nu: f64| match diagonal_bound(a, price) {
        value if value.is_finite() => Ok(value - nu * least * least),
        _ => Err(Error::Numerical("the eigenvalues of the relaxation's dual".into())),
    };
    let line = line(echo);
    let price = climb(factor, q, EFFORT);
    let mut best = (bound(q, &price, 0.0)?, price, 0.0);
    // What rows reach at no price and what is needed agree up to rounding.
    if least <= 0.0 || factor.quadratic(&line) >= least * least * (1.0 - 1e-9) {
        return Ok(best);
    }
    let mut try_price = |nu: f64, effort: f64, proof: bool| -> Result<f64> {
        let a = priced(q, echo, nu);
        let price = climb(factor, &a, effort);
        if proof {
            let value = bound(&a, &price, nu)?;
            if value < best.0 {
                best = (value, price, nu);
            }
        }
        Ok(factor.quadratic(&line))
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
    let mut factor = LowRank::new(n, &mut RandomStream::keyed(0, "relaxation", "irs_massive_mimo", 0, 0));
    let forms: Vec<Matrix> = (0..gains.forms.len())
        .map(|form| {
            let form = gains.matrix(form, n);
            Matrix::from_fn(n, n, |i, j| form[(i, j)])
        })
        .collect();
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
        let price = climb(&mut factor, &q, EFFORT / ROUNDS as f64);
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
