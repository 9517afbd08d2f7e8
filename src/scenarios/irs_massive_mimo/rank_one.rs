//! Rates where all statistics follow the formulas: `C_vk = x_k R_B + y_k a_B a_B^H`, so that in the eigenbasis of `R_B`
//! (eigenvalues D, `a = U^H a_B`) every matrix is diagonal plus rank one. `O(K M + K²)` after the five scalars of the
//! phases. With `X = x D`, `E = 1 / (xi X + 1)`, `e = E a`, `s = a^H e`, `r = X e`, `g = xi y / (1 + xi y s)`:
//!
//! ```text
//! C_j      = sqrt(xi) (X E + (g / xi) e e^H)                                    the LMMSE filter (13)
//! C_vhat_j = xi X² E + xi y (r e^H + e r^H) + xi² y r r^H + y g s e e^H          (15), no difference of equals
//! X_kj     = zeta_k zeta_j [ 2 Tr(R_T C_j) c² (a^H C_j a) h2 + Tr(R_T C_j)² t2 ]
//! ```

use super::figures::Traces;
use super::scalars::Scalars;
use super::system::{RankOne, System};
use crate::math::Real;

/// Writes the traces of a phase vector's scalars; with [`Dual`](crate::math::Dual) scalars, their derivatives by these.
pub fn traces<T: Real>(system: &System, basis: &RankOne, scalars: &Scalars<T>, out: &mut Traces<T>) {
    let instance = &system.instance;
    let users = system.users();
    let number = T::from;
    let xi = number(system.pilot_energy());
    let (c2, zt) = (number(system.los_scale * system.los_scale), number(system.scatter_scale));
    let d = &basis.eigenvalues;
    // sigma = alpha_q c s, and the forms of u = alpha_p p + sigma a_B in the eigenbasis.
    let reflected = instance.target_reflection_irs * system.los_scale;
    let [re, im] = scalars.sensing;
    let sigma =
        [number(reflected.re) * re - number(reflected.im) * im, number(reflected.re) * im + number(reflected.im) * re];
    let square = sigma[0] * sigma[0] + sigma[1] * sigma[1];
    // sum of weights times |u|², from the sums over |p|², |a|² and conj(p) a (times alpha_p).
    let form = |direct: T, steering: T, cross: [T; 2]| {
        direct + square * steering + number(2.0) * (sigma[0] * cross[0] - sigma[1] * cross[1])
    };
    let sum = |weight: &dyn Fn(usize) -> f64| number((0..d.len()).map(weight).sum());
    let trace = sum(&|m| d[m]);
    let weight = sum(&|m| basis.steering_weight[m]);
    let cross = [sum(&|m| basis.cross_weight[m].re), sum(&|m| basis.cross_weight[m].im)];
    out.sensing_gain = form(sum(&|m| basis.direct_weight[m]), weight, cross);
    let spread = form(
        sum(&|m| d[m] * basis.direct_weight[m]),
        sum(&|m| d[m] * basis.steering_weight[m]),
        [sum(&|m| d[m] * basis.cross_weight[m].re), sum(&|m| d[m] * basis.cross_weight[m].im)],
    );
    // a^H u = conj(u^H a) = conj(cross) + sigma ||a||².
    let along = [cross[0] + sigma[0] * weight, sigma[1] * weight - cross[1]];
    let along = along[0] * along[0] + along[1] * along[1];
    let part = |k: usize| {
        let zeta = number(instance.fading_user_irs[k]);
        (number(instance.fading_user_base_station[k]) + zeta * zt * scalars.scatter, c2 * zeta * scalars.los)
    };
    for j in 0..users {
        let (x, y) = part(j);
        let zeta = instance.fading_user_irs[j];
        out.gain[j] = x * trace + y * weight;
        out.echo[j] = x * spread + y * along;
        let sums = Sums::new(basis, xi, x);
        let s = sums.s;
        let g = xi * y / (number(1.0) + xi * y * s);
        // The diagonal of C_vhat adds |e|² times these.
        let [linear, quadratic, constant] = [number(2.0) * xi * y, xi * xi * y, y * g * s];
        let diagonal = |own: T, e: [T; 3]| own + linear * e[1] + quadratic * e[2] + constant * e[0];
        out.estimate_gain[j] = diagonal(sums.own, sums.square);
        let estimate_spread = diagonal(sums.own_spread, sums.square_spread);
        let estimate_along = sums.own_along
            + number(2.0) * xi * y * sums.along * s
            + xi * xi * y * sums.along * sums.along
            + constant * s * s;
        // u^H e and u^H r, u^H e = sum conj(u) a e.
        let times = |cross: [T; 2], weight: T| [cross[0] + sigma[0] * weight, cross[1] - sigma[1] * weight];
        let (by_e, by_r) = (times(sums.cross_e, s), times(sums.cross_r, sums.along));
        let norm = |z: [T; 2]| z[0] * z[0] + z[1] * z[1];
        out.echo_estimate[j] = form(sums.own_direct, sums.own_along, sums.own_cross)
            + number(2.0) * xi * y * (by_r[0] * by_e[0] + by_r[1] * by_e[1])
            + xi * xi * y * norm(by_r)
            + constant * norm(by_e);
        // Tr(R_T C_j) and a^H C_j a.
        let ratio = g / xi;
        let scatter = zt * xi.sqrt() * (sums.filter_spread + ratio * sums.square_spread[0]);
        let gain = xi.sqrt() * (sums.along + ratio * s * s);
        let common = number(zeta)
            * (number(2.0) * scatter * c2 * gain * scalars.los_scatter + scatter * scatter * scalars.scatter_squared);
        for k in 0..users {
            let (x, y) = part(k);
            out.overlap[k * users + j] = x * estimate_spread + y * estimate_along;
            out.common[k * users + j] = number(instance.fading_user_irs[k]) * common;
        }
        // a^H C R_T C a = z_T xi sum D |e|² (X + g s / xi)², and Tr((R_T C)²).
        let shift = ratio * s;
        let filtered = zt
            * xi
            * (sums.square_spread[2]
                + number(2.0) * shift * sums.square_spread[1]
                + shift * shift * sums.square_spread[0]);
        let rank_one = ratio * sums.square_spread[0];
        let squared =
            zt * zt * xi * (sums.filter_square + number(2.0) * ratio * sums.filter_mixed + rank_one * rank_one);
        out.own[j] = number(zeta * zeta)
            * (number(2.0) * c2 * filtered * scalars.los_scatter + squared * scalars.scatter_squared);
    }
}

/// Sums over the eigenbasis for one user, with `X = x D`, `E = 1 / (xi X + 1)`, `|e|² = |a|² E²`.
struct Sums<T> {
    /// `a^H e`.
    s: T,
    /// `a^H r`.
    along: T,
    /// `Tr(xi X² E)`, its products with D, |a|², |alpha_p p|² and conj(alpha_p p) a.
    own: T,
    own_spread: T,
    own_along: T,
    own_direct: T,
    own_cross: [T; 2],
    /// Sums of |e|², |e|² X, |e|² X².
    square: [T; 3],
    /// The same, times D.
    square_spread: [T; 3],
    /// `Tr(D X E)`, `Tr((D X E)²)`, `sum D² X E |e|²`.
    filter_spread: T,
    filter_square: T,
    filter_mixed: T,
    /// Sums of conj(alpha_p p) a E and conj(alpha_p p) a X E.
    cross_e: [T; 2],
    cross_r: [T; 2],
}

impl<T: Real> Sums<T> {
    fn new(basis: &RankOne, xi: T, x: T) -> Self {
        let zero = T::from(0.0);
        let (two, three) = ([zero; 2], [zero; 3]);
        let mut it = Self {
            s: zero,
            along: zero,
            own: zero,
            own_spread: zero,
            own_along: zero,
            own_direct: zero,
            own_cross: two,
            square: three,
            square_spread: three,
            filter_spread: zero,
            filter_square: zero,
            filter_mixed: zero,
            cross_e: two,
            cross_r: two,
        };
        for (m, eigenvalue) in basis.eigenvalues.iter().enumerate() {
            let (d, w) = (T::from(*eigenvalue), T::from(basis.steering_weight[m]));
            let cross = [T::from(basis.cross_weight[m].re), T::from(basis.cross_weight[m].im)];
            let diagonal = x * d;
            let e = T::from(1.0) / (xi * diagonal + T::from(1.0));
            let filter = diagonal * e;
            let own = xi * diagonal * filter;
            let square = w * e * e;
            it.s = it.s + w * e;
            it.along = it.along + w * filter;
            it.own = it.own + own;
            it.own_spread = it.own_spread + d * own;
            it.own_along = it.own_along + w * own;
            it.own_direct = it.own_direct + T::from(basis.direct_weight[m]) * own;
            let mut power = square;
            for i in 0..3 {
                it.square[i] = it.square[i] + power;
                it.square_spread[i] = it.square_spread[i] + d * power;
                power = power * diagonal;
            }
            let spread = d * filter;
            it.filter_spread = it.filter_spread + spread;
            it.filter_square = it.filter_square + spread * spread;
            it.filter_mixed = it.filter_mixed + d * spread * square;
            for (i, cross) in cross.into_iter().enumerate() {
                it.own_cross[i] = it.own_cross[i] + cross * own;
                it.cross_e[i] = it.cross_e[i] + cross * e;
                it.cross_r[i] = it.cross_r[i] + cross * filter;
            }
        }
        it
    }
}
