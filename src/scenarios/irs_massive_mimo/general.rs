//! Rates for any covariances and any line of sight, by full matrices: `O(K M³ + K N (M² + N²) + K² M²)`.
//!
//! ```text
//! C_vk = R_fk + Hb B_k Hb^H + Tr(R_I B_k) R_T,  B_k = Theta R_gk Theta^H                                     (14)
//! C_j  = sqrt(xi) C_vj (xi C_vj + I)^-1,  C_vhat_j = sqrt(xi) C_j C_vj                                       (13), (15)
//! X_kj = 2 Re[ Tr(R_T C_j)^* Tr(B_k Hb^H C_j Hb B_j R_I) ] + |Tr(R_T C_j)|² Tr(R_I B_k R_I B_j)
//! own  = 2 Tr(B Hb^H C R_T C Hb B R_I) + Tr((R_T C)²) Tr((R_I B)²)
//! ```

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use num_complex::Complex;

use super::figures::Traces;
use super::system::{General, System};
use crate::error::{Error, Result};
use crate::math::settle;

type Matrix = Mat<Complex<f64>>;

/// `Tr(A B)`.
fn trace_of_product(a: &Matrix, b: &Matrix) -> Complex<f64> {
    let mut sum = Complex::default();
    for j in 0..b.ncols() {
        for i in 0..a.nrows() {
            sum += a[(i, j)] * b[(j, i)];
        }
    }
    sum
}

/// `x^H A x`, real for a Hermitian A.
fn form(a: &Matrix, x: &[Complex<f64>]) -> f64 {
    let mut sum = Complex::default();
    for (j, right) in x.iter().enumerate() {
        let inner: Complex<f64> = x.iter().enumerate().map(|(i, left)| left.conj() * a[(i, j)]).sum();
        sum += inner * right;
    }
    sum.re
}

/// The composite echo channel `u = alpha_p p + alpha_q Hb Theta q` (paper 000, (9)).
pub fn echo(system: &System, general: &General, theta: &[Complex<f64>]) -> Vec<Complex<f64>> {
    let instance = &system.instance;
    let mut u: Vec<_> = system.target.iter().map(|p| p * instance.target_reflection_base_station).collect();
    for (n, (t, q)) in theta.iter().zip(&system.irs_target).enumerate() {
        let weight = instance.target_reflection_irs * t * q;
        u.iter_mut().enumerate().for_each(|(m, u)| *u += general.los[(m, n)] * weight);
    }
    u
}

/// `C_vk` of a user, and its `B_k`.
pub fn covariance(system: &System, general: &General, theta: &[Complex<f64>], user: usize) -> (Matrix, Matrix) {
    let n = theta.len();
    let g = &general.irs_user[user];
    let b = Mat::from_fn(n, n, |i, j| theta[i] * g[(i, j)] * theta[j].conj());
    let reflected = &general.los * &b * general.los.adjoint();
    settle();
    let scatter = trace_of_product(&general.irs, &b).re * system.scatter_scale;
    let m = reflected.nrows();
    let c = Mat::from_fn(m, m, |i, j| {
        general.direct[user][(i, j)] + reflected[(i, j)] + general.base_station[(i, j)] * scatter
    });
    (c, b)
}

/// Writes the traces of a phase vector; without `rates` only the gains and the echo.
///
/// # Errors
/// Where a covariance of the received pilots cannot be inverted.
pub fn traces(system: &System, general: &General, theta: &[Complex<f64>], rates: bool, out: &mut Traces) -> Result<()> {
    let (users, xi) = (system.users(), system.pilot_energy());
    let u = echo(system, general, theta);
    out.sensing_gain = u.iter().map(Complex::norm_sqr).sum();
    let parts: Vec<_> = (0..users).map(|k| covariance(system, general, theta, k)).collect();
    for (k, (c, _)) in parts.iter().enumerate() {
        out.gain[k] = (0..c.nrows()).map(|i| c[(i, i)].re).sum();
    }
    if !rates {
        return Ok(());
    }
    let m = u.len();
    let identity = Mat::<Complex<f64>>::identity(m, m);
    // R_I B_k for every user.
    let irs: Vec<Matrix> = parts.iter().map(|(_, b)| &general.irs * b).collect();
    for j in 0..users {
        let (c, b) = &parts[j];
        let pilots = Mat::from_fn(m, m, |i, l| c[(i, l)] * xi + identity[(i, l)]);
        let factor = pilots.llt(Side::Lower);
        let factor = factor.map_err(|_| Error::Numerical(format!("the covariance of user {j}'s pilot is singular")))?;
        // C and (xi C + I)^-1 commute.
        let filter = factor.solve(c);
        settle();
        let filter = Mat::from_fn(m, m, |i, l| 0.5 * xi.sqrt() * (filter[(i, l)] + filter[(l, i)].conj()));
        let estimate = &filter * c;
        let estimate = Mat::from_fn(m, m, |i, l| 0.5 * xi.sqrt() * (estimate[(i, l)] + estimate[(l, i)].conj()));
        out.estimate_gain[j] = (0..m).map(|i| estimate[(i, i)].re).sum();
        out.echo[j] = form(c, &u);
        out.echo_estimate[j] = form(&estimate, &u);
        let spread = &general.base_station * &filter;
        settle();
        let scatter = (0..m).map(|i| spread[(i, i)].re).sum::<f64>() * system.scatter_scale;
        // Hb^H C_j Hb B_j R_I.
        let seen = general.los.adjoint() * &filter * &general.los * b * &general.irs;
        settle();
        for k in 0..users {
            out.overlap[k * users + j] = trace_of_product(&parts[k].0, &estimate).re;
            let line = trace_of_product(&parts[k].1, &seen).re;
            let square = trace_of_product(&irs[k], &irs[j]).re;
            out.common[k * users + j] = 2.0 * scatter * line + scatter * scatter * square;
        }
        let filtered = general.los.adjoint() * &filter * &general.base_station * &filter * &general.los;
        let line = trace_of_product(b, &(&filtered * b * &general.irs)).re * system.scatter_scale;
        let square = trace_of_product(&spread, &spread).re * system.scatter_scale * system.scatter_scale;
        out.own[j] = 2.0 * line + square * trace_of_product(&irs[j], &irs[j]).re;
    }
    Ok(())
}
