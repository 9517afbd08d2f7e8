//! Checks of certificates. The forms of the gains are built anew from covariances as matrices, and the echo's limit is
//! the triangle inequality on `||u||²`, apart from what the solvers use.
//!
//! **Bound.** With weights that add to 1, any `y` and any `nu >= 0`: `sum weight_k Tr C_vk` is at most
//! `sum weight_k Tr R_fk + sum(y) + N lambda_max(Q + nu w w^H - Diag(y)) - nu s0²` for unit-modulus phases with
//! `|s| >= s0`.
//!
//! **Infeasibility.** `||u||² <= |sigma|² M + 2 |sigma| |alpha_p a_B^H p| + |alpha_p|² M` with
//! `|sigma| <= |alpha_q| c sum |b|`.

use faer::{Mat, Side};
use num_complex::Complex;
use serde_json::Value;

use super::offers::sensing_limit;
use super::system::{Statistics, System};
use crate::error::{Error, Result};
use crate::problem::{Objective, ProblemSpec};
use crate::structure::Proof;
use crate::verification::{number, numbers};

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::CheckFailed(why.into()))
}

/// Checks a certificate of a problem.
pub(super) fn verify(system: &System, problem: &ProblemSpec, certificate: &Value) -> Option<Result<Proof>> {
    match certificate["kind"].as_str()? {
        "phase_dual" => Some(dual(system, problem, certificate).map(Proof::Bound)),
        "largest_symbol" => Some(symbol(system, problem).map(Proof::Bound)),
        "largest_sensing_gain" => Some(unreachable(system, problem).map(|()| Proof::Infeasible)),
        _ => None,
    }
}

/// The echo's figures: `|alpha_p|² M`, `|alpha_p a_B^H p|`, M, `|alpha_q| c`.
fn echo(system: &System) -> [f64; 4] {
    let instance = &system.instance;
    let antennas = system.steering.len() as f64;
    let direct = instance.target_reflection_base_station;
    let along: Complex<f64> = system.steering.iter().zip(&system.target).map(|(a, p)| a.conj() * p).sum();
    let reflected = instance.target_reflection_irs.norm() * system.los_scale;
    [direct.norm_sqr() * antennas, (direct * along).norm(), antennas, reflected]
}

fn amplitude(system: &System, n: usize) -> f64 {
    system.instance.irs_amplitude.as_ref().map_or(1.0, |a| a[n])
}

fn limit(system: &System, problem: &ProblemSpec) -> Result<f64> {
    // Limits that are left out only make a bound weaker; one on another metric is such.
    let limit = sensing_limit(problem).unwrap_or(0.0);
    let measured = system.instance.measured.irs_base_station_los.is_some();
    Ok(if measured { 0.0 } else { limit })
}

fn unreachable(system: &System, problem: &ProblemSpec) -> Result<()> {
    let limit = limit(system, problem)?;
    let [rest, along, antennas, reflected] = echo(system);
    let sigma = reflected * (0..system.elements()).map(|n| amplitude(system, n)).sum::<f64>();
    let largest = antennas * sigma * sigma + 2.0 * sigma * along + rest;
    if largest < limit { Ok(()) } else { refuse(format!("the echo's gain may reach {largest}, the limit is {limit}")) }
}

/// The bound of a doubly circulant matrix that has the form as a part: its eigenvalues by sums written out, axis by axis, on
/// a grid of odd size of this check's own. The certificate's number is not used.
fn symbol(system: &System, problem: &ProblemSpec) -> Result<f64> {
    if !matches!(&problem.objective, Objective::Metric(id) if id == "min_average_channel_gain") {
        return refuse("such a certificate is for `min_average_channel_gain` alone");
    }
    let instance = &system.instance;
    let (Statistics::RankOne(basis), None) = (&system.statistics, &instance.measured.irs_covariance) else {
        return refuse("such a certificate is for covariances by the formula");
    };
    let array = instance.irs_array;
    let antennas = system.steering.len() as f64;
    let all: f64 = basis.eigenvalues.iter().sum();
    let (line, scatter) = (system.los_scale * system.los_scale * antennas, all * system.scatter_scale);
    let [first, second] = array.factors(instance.angles.irs, instance.steering_convention);
    let sizes = [2 * array.rows - 1, 2 * array.columns - 1];
    let signed = |lag: usize, size: usize| lag as isize - (size as isize - 1) / 2;
    let entry = |z: &[Complex<f64>], lag: isize| {
        let z = z[lag.unsigned_abs()];
        if lag < 0 { z.conj() } else { z }
    };
    let lag = |a: isize, b: isize| {
        let r = instance.irs_element_area * array.correlation(a.unsigned_abs(), b.unsigned_abs());
        (entry(&first, a) * entry(&second, b) * line + scatter * r) * r
    };
    let turn = |k: usize, lag: isize, size: usize| {
        let step = (k as isize * lag).rem_euclid(size as isize) as f64 / size as f64;
        Complex::cis(-std::f64::consts::TAU * step)
    };
    let [p, q] = sizes;
    // Along the first axis for every lag of the second, then along the second.
    let mut half = vec![Complex::<f64>::default(); p * q];
    for b in 0..q {
        let column: Vec<_> = (0..p).map(|a| lag(signed(a, p), signed(b, q))).collect();
        for k in 0..p {
            half[k * q + b] = column.iter().enumerate().map(|(a, z)| z * turn(k, signed(a, p), p)).sum();
        }
    }
    let mut largest: f64 = 0.0;
    for row in half.chunks_exact(q) {
        for l in 0..q {
            let value: Complex<f64> = row.iter().enumerate().map(|(b, z)| z * turn(l, signed(b, q), q)).sum();
            largest = largest.max(value.re);
        }
    }
    let squares: f64 = (0..system.elements()).map(|n| amplitude(system, n).powi(2)).sum();
    let gain = |k: usize| {
        instance.fading_user_base_station[k] * all + instance.fading_user_irs[k] * largest * (1.0 + 1e-9) * squares
    };
    Ok((0..system.users()).map(gain).fold(f64::INFINITY, f64::min))
}

fn dual(system: &System, problem: &ProblemSpec, certificate: &Value) -> Result<f64> {
    if !matches!(&problem.objective, Objective::Metric(id) if id == "min_average_channel_gain") {
        return refuse("such a certificate is for `min_average_channel_gain` alone");
    }
    let (n, users, instance) = (system.elements(), system.users(), &system.instance);
    let price = numbers(certificate, "phase_price")?;
    let weights = numbers(certificate, "weights")?;
    let sensing = number(certificate, "sensing_price")?;
    let sum: f64 = weights.iter().sum();
    let fits = price.len() == n && weights.len() == users && weights.iter().all(|w| *w >= 0.0);
    if !fits || (sum - 1.0).abs() > 1e-9 || !(sensing >= 0.0 && sensing.is_finite()) {
        return refuse("the certificate needs N prices, K weights from 0 that add to 1, and a sensing price from 0");
    }
    // |s| >= s0, from M sigma² + 2 sigma |alpha_p a_B^H p| + |alpha_p|² M >= mu.
    let [rest, along, antennas, reflected] = echo(system);
    let missing = limit(system, problem)? - rest;
    let least = if missing > 0.0 && reflected > 0.0 {
        ((along * along + antennas * missing).sqrt() - along) / antennas / reflected
    } else {
        0.0
    };
    let irs = system.irs.matrix();
    let trace = |m: &Mat<Complex<f64>>| (0..m.nrows()).map(|i| m[(i, i)].re).sum::<f64>();
    let mut constant = 0.0;
    let mut slack = Mat::<Complex<f64>>::zeros(n, n);
    for (k, weight) in weights.iter().enumerate().map(|(k, w)| (k, w / sum)).filter(|(_, w)| *w > 0.0) {
        let (direct, line, scatter, own): (f64, Mat<Complex<f64>>, f64, Mat<Complex<f64>>) = match &system.statistics {
            Statistics::RankOne(basis) => {
                let all: f64 = basis.eigenvalues.iter().sum();
                let a = &system.irs_steering;
                let c2 = system.los_scale * system.los_scale * antennas;
                let zeta = instance.fading_user_irs[k];
                (
                    instance.fading_user_base_station[k] * all,
                    Mat::from_fn(n, n, |i, j| a[i] * a[j].conj() * c2),
                    all,
                    Mat::from_fn(n, n, |i, j| irs[(i, j)] * zeta),
                )
            }
            Statistics::General(full) => {
                let line = full.los.adjoint() * &full.los;
                (trace(&full.direct[k]), line, trace(&full.base_station), full.irs_user[k].clone())
            }
        };
        constant += weight * direct;
        let scatter = scatter * system.scatter_scale;
        for j in 0..n {
            for i in 0..n {
                let seen = (line[(i, j)] + irs[(i, j)] * scatter) * own[(j, i)];
                slack[(i, j)] += seen * (weight * amplitude(system, i) * amplitude(system, j));
            }
        }
    }
    let b: Vec<_> =
        (0..n).map(|i| system.irs_steering[i].conj() * system.irs_target[i] * amplitude(system, i)).collect();
    for j in 0..n {
        for i in 0..n {
            slack[(i, j)] += b[i].conj() * b[j] * sensing;
        }
        slack[(j, j)] -= price[j];
    }
    let values = slack.self_adjoint_eigenvalues(Side::Lower);
    let Ok(values) = values else { return refuse("the eigenvalues of the dual cannot be computed") };
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bound = constant + price.iter().sum::<f64>() + n as f64 * largest - sensing * least * least;
    if bound.is_finite() { Ok(bound) } else { refuse("the certificate's numbers are not finite") }
}
