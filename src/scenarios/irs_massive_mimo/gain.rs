//! The average channel gains as quadratic forms of the reflection coefficients (paper 000, (34)-(41), corrected):
//! `Tr C_vk = Tr R_fk + theta^H Q_k theta`, `Q_k = (Hb^H Hb) o R_gk^T + Tr(R_T) R_I o R_gk^T`, positive semidefinite.
//! Where `R_gk = zeta_gk R_I` all users share one form Q, and `Tr C_vk = Tr R_fk + zeta_gk theta^H Q theta` grows with
//! it for everybody: the users drop out of the problem.

use faer::Mat;
use num_complex::Complex;

use super::system::{Statistics, System};

/// `Tr C_vk` of all users as functions of `theta_n = e^{j phase_n}` (amplitudes are within the forms).
#[derive(Clone, Debug)]
pub struct Gains {
    /// The different forms; one where all users share it.
    pub forms: Vec<Mat<Complex<f64>>>,
    /// For each user: `Tr R_fk`, the factor of its form, and which form it is.
    pub users: Vec<(f64, f64, usize)>,
}

impl Gains {
    /// The forms of a system; `O(N²)`, for distinct covariances `O(K N² + M N²)`.
    pub fn new(system: &System) -> Self {
        let n = system.elements();
        let amplitude = |n: usize| system.instance.irs_amplitude.as_ref().map_or(1.0, |a| a[n]);
        let instance = &system.instance;
        match &system.statistics {
            Statistics::RankOne(basis) => {
                let trace: f64 = basis.eigenvalues.iter().sum();
                let los = system.los_scale.powi(2) * system.steering.len() as f64;
                let scatter = system.scatter_scale * trace;
                let a = &system.irs_steering;
                let form = Mat::from_fn(n, n, |i, j| {
                    let r = system.irs.entry(j, i);
                    let line = a[i] * a[j].conj() * los;
                    (line + system.irs.entry(i, j) * scatter) * r * (amplitude(i) * amplitude(j))
                });
                let user = |k: usize| (instance.fading_user_base_station[k] * trace, instance.fading_user_irs[k], 0);
                Self { forms: vec![form], users: (0..system.users()).map(user).collect() }
            }
            Statistics::General(full) => {
                let trace = |m: &Mat<Complex<f64>>| (0..m.nrows()).map(|i| m[(i, i)].re).sum::<f64>();
                let line = full.los.adjoint() * &full.los;
                let scatter = trace(&full.base_station) * system.scatter_scale;
                let form = |g: &Mat<Complex<f64>>| {
                    Mat::from_fn(n, n, |i, j| {
                        (line[(i, j)] + full.irs[(i, j)] * scatter) * g[(j, i)] * (amplitude(i) * amplitude(j))
                    })
                };
                Self {
                    forms: full.irs_user.iter().map(form).collect(),
                    users: full.direct.iter().enumerate().map(|(k, r)| (trace(r), 1.0, k)).collect(),
                }
            }
        }
    }

    /// Whether all users share one form.
    pub fn shared(&self) -> bool {
        self.forms.len() == 1
    }

    /// `Q_i theta`.
    pub fn apply(&self, form: usize, theta: &[Complex<f64>], out: &mut [Complex<f64>]) {
        out.fill(Complex::default());
        for (j, t) in theta.iter().enumerate() {
            let column = self.forms[form].col(j);
            out.iter_mut().zip(column.iter()).for_each(|(o, q)| *o += q * t);
        }
    }

    /// The least gain of a phase vector.
    pub fn least(&self, phases: &[f64]) -> f64 {
        let theta: Vec<_> = phases.iter().map(|phase| Complex::cis(*phase)).collect();
        let mut image = vec![Complex::default(); theta.len()];
        let value = |form| {
            self.apply(form, &theta, &mut image);
            theta.iter().zip(&image).map(|(t, q)| (t.conj() * q).re).sum()
        };
        let values: Vec<f64> = (0..self.forms.len()).map(value).collect();
        (0..self.users.len()).map(|k| self.gain(k, values[self.users[k].2])).fold(f64::INFINITY, f64::min)
    }

    /// The gain of user k where its form has this value.
    pub fn gain(&self, user: usize, form_value: f64) -> f64 {
        let (direct, factor, _) = self.users[user];
        direct + factor * form_value
    }
}
