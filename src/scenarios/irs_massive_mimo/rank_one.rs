//! Rates where all statistics follow the formulas: `C_vk = x_k R_B + y_k a_B a_B^H`, so that in the eigenbasis of `R_B`
//! (eigenvalues D, `a = U^H a_B`) every matrix is diagonal plus rank one. `O(K M + K²)` after the five scalars of the
//! phases. With `X = x D`, `E = 1 / (xi X + 1)`, `e = E a`, `s = a^H e`, `r = X e`, `g = xi y / (1 + xi y s)`:
//!
//! ```text
//! C_j      = sqrt(xi) (X E + (g / xi) e e^H)                                    the LMMSE filter (13)
//! C_vhat_j = xi X² E + xi y (r e^H + e r^H) + xi² y r r^H + y g s e e^H          (15), no difference of equals
//! X_kj     = zeta_k zeta_j [ 2 Tr(R_T C_j) c² (a^H C_j a) h2 + Tr(R_T C_j)² t2 ]
//! ```

use num_complex::Complex;

use super::figures::{Traces, echo_weight};
use super::scalars::Scalars;
use super::system::{RankOne, System};

/// Writes the traces of a phase vector's scalars.
pub fn traces(system: &System, basis: &RankOne, scalars: &Scalars, out: &mut Traces) {
    let instance = &system.instance;
    let (users, xi) = (system.users(), system.pilot_energy());
    let (c2, zt) = (system.los_scale * system.los_scale, system.scatter_scale);
    let (d, w) = (&basis.eigenvalues, &basis.steering_weight);
    let weight: f64 = w.iter().sum();
    let trace: f64 = d.iter().sum();
    let alpha = instance.target_reflection_base_station;
    let sigma = echo_weight(system, scalars.sensing);
    // u in the eigenbasis, and its forms with R_B and with a.
    let echo = |m: usize| alpha * basis.target[m] + sigma * basis.steering[m];
    let (mut norm, mut spread, mut along) = (0.0, 0.0, Complex::<f64>::default());
    for m in 0..d.len() {
        let u = echo(m);
        norm += u.norm_sqr();
        spread += d[m] * u.norm_sqr();
        along += basis.steering[m].conj() * u;
    }
    out.sensing_gain = norm;
    let part = |k: usize| {
        let zeta = instance.fading_user_irs[k];
        (instance.fading_user_base_station[k] + zeta * zt * scalars.scatter, c2 * zeta * scalars.los)
    };
    for j in 0..users {
        let (x, y) = part(j);
        let zeta = instance.fading_user_irs[j];
        out.gain[j] = x * trace + y * weight;
        out.echo[j] = x * spread + y * along.norm_sqr();
        let s: f64 = d.iter().zip(w).map(|(d, w)| w / (xi * x * d + 1.0)).sum();
        let g = xi * y / (1.0 + xi * y * s);
        let mut sums = Sums::default();
        for (m, (d, w)) in d.iter().zip(w).enumerate() {
            let diagonal = x * d;
            let e = 1.0 / (xi * diagonal + 1.0);
            // |e_m|² of the vector e, and the diagonals of C_vhat and of C / sqrt(xi).
            let square = w * e * e;
            let own = xi * diagonal * diagonal * e;
            let filter = diagonal * e;
            let estimate = own + square * (2.0 * xi * y * diagonal + xi * xi * y * diagonal * diagonal + y * g * s);
            let u = echo(m);
            sums.estimate += estimate;
            sums.estimate_spread += d * estimate;
            sums.own_along += own * w;
            sums.along += diagonal * e * w;
            sums.filter_spread += d * (filter + g / xi * square);
            sums.filter_square += d * square * (diagonal + g * s / xi).powi(2);
            sums.diagonal_square += (d * filter).powi(2);
            sums.mixed_square += d * d * filter * square;
            sums.spread += d * square;
            sums.own_echo += own * u.norm_sqr();
            sums.echo_e += u.conj() * basis.steering[m] * e;
            sums.echo_r += u.conj() * basis.steering[m] * (diagonal * e);
        }
        out.estimate_gain[j] = sums.estimate;
        let estimate_along =
            sums.own_along + 2.0 * xi * y * sums.along * s + xi * xi * y * sums.along * sums.along + y * g * s * s * s;
        out.echo_estimate[j] = sums.own_echo
            + 2.0 * xi * y * (sums.echo_r * sums.echo_e.conj()).re
            + xi * xi * y * sums.echo_r.norm_sqr()
            + y * g * s * sums.echo_e.norm_sqr();
        // Tr(R_T C_j), a^H C_j a.
        let scatter = zt * xi.sqrt() * sums.filter_spread;
        let gain = xi.sqrt() * (sums.along + g / xi * s * s);
        let common =
            zeta * (2.0 * scatter * c2 * gain * scalars.los_scatter + scatter * scatter * scalars.scatter_squared);
        for k in 0..users {
            let (x, y) = part(k);
            out.overlap[k * users + j] = x * sums.estimate_spread + y * estimate_along;
            out.common[k * users + j] = instance.fading_user_irs[k] * common;
        }
        // Tr((R_T C)²) and a^H C R_T C a.
        let square =
            zt * zt * xi * (sums.diagonal_square + 2.0 * g / xi * sums.mixed_square + (g / xi * sums.spread).powi(2));
        let filtered = zt * xi * sums.filter_square;
        out.own[j] = zeta * zeta * (2.0 * c2 * filtered * scalars.los_scatter + square * scalars.scatter_squared);
    }
}

/// Sums over the eigenbasis for one user.
#[derive(Default)]
struct Sums {
    estimate: f64,
    estimate_spread: f64,
    own_along: f64,
    along: f64,
    filter_spread: f64,
    filter_square: f64,
    diagonal_square: f64,
    mixed_square: f64,
    spread: f64,
    own_echo: f64,
    echo_e: Complex<f64>,
    echo_r: Complex<f64>,
}
