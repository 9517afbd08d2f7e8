//! A drawn system with what every evaluation uses.
//!
//! With the coefficients `phi_n = e^{j phase_n}` of IRS l, everything at its area hears the transmit vector `x` through
//! rows that are linear in them:
//!
//! ```text
//! user k:    g_lk^H = h_lk^H diag(phi) G_l              = sum_n phi_n conj(h_lk,n) G_l[n, :]
//! target:    v1^H   = phi^T A_l G_l                     = sum_n phi_n a_n G_l[n, :]
//!            v2^H   = phi^T D A_l G_l,  D centred       = sum_n phi_n (n - (N-1)/2) a_n G_l[n, :]
//! ```
//!
//! (paper 003, (1), (19); centring `D` changes no CRB and keeps the digits, reference: errata 2 and structure 1).

use std::f64::consts::{PI, TAU};

use num_complex::Complex;

use super::instance::Instance;

/// A complex number.
pub(super) type C = Complex<f64>;

/// A drawn system with what every evaluation uses; rows are [N][M], row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// The drawn numbers.
    pub instance: Instance,
    /// `conj(h_lk,n) G_l[n, m]`, one a user, in the order [L][K].
    pub user_rows: Vec<Vec<Complex<f64>>>,
    /// `a_n G_l[n, m]`, one an IRS.
    pub target_rows: Vec<Vec<Complex<f64>>>,
    /// `n - (N-1)/2`.
    pub position: Vec<f64>,
    /// `d_s^2 N_s (N_s^2 - 1) / 12`: the weight of the power toward the target.
    pub sensor_weight: f64,
    /// `d^2 N_s`: the weight of the power in the difference beam.
    pub element_weight: f64,
    /// `kappa_l = sigma_s^2 / (8 pi^2 T |beta_l|^2 cos^2 theta_l)`: the CRB is `kappa_l / f_l`.
    pub kappa: Vec<f64>,
    /// `N_s sigma_s^2 / T`: the CRB of an extended target is this times `tr((G R G^H)^-1)`.
    pub response_scale: f64,
}

impl System {
    /// Computes the rows of a drawn system; `O(L (K + 1) N M)`.
    pub fn new(instance: Instance) -> Self {
        let [l, k, n, m] = [instance.surfaces, instance.users, instance.elements, instance.antennas];
        let channel = |surface: usize, weight: &dyn Fn(usize) -> C| -> Vec<C> {
            let rows = &instance.base_station_irs_channel[surface * n * m..(surface + 1) * n * m];
            rows.chunks_exact(m).enumerate().flat_map(|(i, row)| row.iter().map(move |g| weight(i) * g)).collect()
        };
        let user_rows =
            (0..l * k).map(|user| channel(user / k, &|i| instance.irs_user_channel[user * n + i].conj())).collect();
        let spacing = instance.element_spacing_wavelengths;
        let target_rows = (0..l)
            .map(|surface| {
                let step = TAU * spacing * instance.target_direction[surface].sin();
                channel(surface, &|i| Complex::cis(step * i as f64))
            })
            .collect();
        let sensors = instance.sensors as f64;
        let dwell = instance.dwell_time as f64;
        let kappa = (0..l).map(|surface| {
            let reflected = instance.target_reflection[surface].norm_sqr();
            let cosine = instance.target_direction[surface].cos();
            instance.sensing_noise_power / (8.0 * PI * PI * dwell * reflected * cosine * cosine)
        });
        Self {
            user_rows,
            target_rows,
            position: (0..n).map(|i| i as f64 - 0.5 * (n as f64 - 1.0)).collect(),
            sensor_weight: instance.sensor_spacing_wavelengths.powi(2) * sensors * (sensors * sensors - 1.0) / 12.0,
            element_weight: spacing * spacing * sensors,
            kappa: kappa.collect(),
            response_scale: sensors * instance.sensing_noise_power / dwell,
            instance,
        }
    }

    /// The number of all users, L K.
    pub fn all_users(&self) -> usize {
        self.user_rows.len()
    }

    /// Where the phases of an IRS stand in a design.
    pub(super) fn phases(&self, surface: usize) -> std::ops::Range<usize> {
        let n = self.instance.elements;
        surface * n..(surface + 1) * n
    }

    /// Where the beams begin in a design, and the covariance.
    pub(super) fn offsets(&self) -> (usize, usize) {
        let beams = self.instance.surfaces * self.instance.elements;
        (beams, beams + 2 * self.all_users() * self.instance.antennas)
    }
}

/// `sum_n phi_n weight_n rows[n, :]` for rows of `out`'s length.
pub(super) fn combine(phi: &[C], rows: &[C], weights: Option<&[f64]>, out: &mut [C]) {
    out.fill(C::default());
    for (n, (phi, row)) in phi.iter().zip(rows.chunks_exact(out.len())).enumerate() {
        let factor = weights.map_or(*phi, |w| phi * w[n]);
        out.iter_mut().zip(row).for_each(|(o, r)| *o += factor * r);
    }
}
