//! The average channel gains as quadratic forms of the reflection coefficients (paper 000, (34)-(41), corrected):
//! `Tr C_vk = Tr R_fk + theta^H Q_k theta`, `Q_k = (Hb^H Hb) o R_gk^T + Tr(R_T) R_I o R_gk^T`, positive semidefinite.
//! Where `R_gk = zeta_gk R_I` all users share one form Q, and `Tr C_vk = Tr R_fk + zeta_gk theta^H Q theta` grows with
//! it for everybody: the users drop out of the problem.

use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, ColMut, ColRef, Mat, Par};
use num_complex::Complex;

use super::correlation::{Correlation, FAST};
use super::system::{Statistics, System};
use super::toeplitz::Toeplitz;

/// One quadratic form.
#[derive(Clone, Debug)]
pub enum Form {
    /// As a matrix.
    Dense(Mat<Complex<f64>>),
    /// By the lags between elements, with the elements' amplitudes on both sides where they are not all 1.
    Lags(Arc<Toeplitz>, Option<Vec<f64>>),
}

/// `Tr C_vk` of all users as functions of `theta_n = e^{j phase_n}` (amplitudes are within the forms).
#[derive(Clone, Debug)]
pub struct Gains {
    /// The different forms; one where all users share it.
    pub forms: Vec<Form>,
    /// For each user: `Tr R_fk`, the factor of its form, and which form it is.
    pub users: Vec<(f64, f64, usize)>,
}

impl Gains {
    /// The forms of a system; `O(N²)` or less, for distinct covariances `O(K N² + M N²)`.
    pub fn new(system: &System) -> Self {
        let instance = &system.instance;
        match &system.statistics {
            Statistics::RankOne(basis) => {
                let trace: f64 = basis.eigenvalues.iter().sum();
                let user = |k: usize| (instance.fading_user_base_station[k] * trace, instance.fading_user_irs[k], 0);
                Self { forms: vec![shared_form(system, trace)], users: (0..system.users()).map(user).collect() }
            }
            Statistics::General(full) => {
                let n = system.elements();
                let amplitude = |n: usize| instance.irs_amplitude.as_ref().map_or(1.0, |a| a[n]);
                let trace = |m: &Mat<Complex<f64>>| (0..m.nrows()).map(|i| m[(i, i)].re).sum::<f64>();
                let line = full.los.adjoint() * &full.los;
                let scatter = trace(&full.base_station) * system.scatter_scale;
                let form = |g: &Mat<Complex<f64>>| {
                    Form::Dense(Mat::from_fn(n, n, |i, j| {
                        (line[(i, j)] + full.irs[(i, j)] * scatter) * g[(j, i)] * (amplitude(i) * amplitude(j))
                    }))
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

    /// `Q x`.
    pub fn apply(&self, form: usize, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
        match &self.forms[form] {
            Form::Dense(matrix) => {
                let (x, out) = (ColRef::from_slice(x), ColMut::from_slice_mut(out));
                let one = Complex::new(1.0, 0.0);
                matmul(out.as_mat_mut(), Accum::Replace, matrix.as_ref(), x.as_mat(), one, Par::Seq);
            }
            Form::Lags(matrix, None) => matrix.apply(x, out),
            Form::Lags(matrix, Some(amplitude)) => {
                let scaled: Vec<_> = x.iter().zip(amplitude).map(|(x, a)| x * a).collect();
                matrix.apply(&scaled, out);
                out.iter_mut().zip(amplitude).for_each(|(o, a)| *o *= *a);
            }
        }
    }

    /// A form as a matrix of N x N entries.
    pub fn matrix(&self, form: usize, elements: usize) -> Mat<Complex<f64>> {
        if let Form::Dense(matrix) = &self.forms[form] {
            return matrix.clone();
        }
        let mut matrix = Mat::<Complex<f64>>::zeros(elements, elements);
        let (mut unit, mut column) = (vec![Complex::default(); elements], vec![Complex::default(); elements]);
        for j in 0..elements {
            unit[j] = Complex::new(1.0, 0.0);
            self.apply(form, &unit, &mut column);
            unit[j] = Complex::default();
            column.iter().enumerate().for_each(|(i, q)| matrix[(i, j)] = *q);
        }
        // Hermitian but for the rounding of transforms.
        Mat::from_fn(elements, elements, |i, j| 0.5 * (matrix[(i, j)] + matrix[(j, i)].conj()))
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

/// Q where all users share it: by lags where the covariance has them (the line of sight `a_I a_I^H` is one of lags, too).
fn shared_form(system: &System, trace: f64) -> Form {
    let n = system.elements();
    let los = system.los_scale.powi(2) * system.steering.len() as f64;
    let scatter = system.scatter_scale * trace;
    let a = &system.irs_steering;
    let amplitudes = &system.instance.irs_amplitude;
    if let (Correlation::Lags(lags), true) = (&system.irs, n >= FAST) {
        let array = lags.array();
        let lag = |row: isize, column: isize| {
            let r = lags.at(row.unsigned_abs(), column.unsigned_abs());
            // a_I at the lag, by the entries along each axis: a[0] = 1.
            let along = |step: isize, stride: usize| {
                let z = a[step.unsigned_abs() * stride];
                if step < 0 { z.conj() } else { z }
            };
            (along(row, 1) * along(column, array.rows) * los + r * scatter) * r
        };
        return Form::Lags(Arc::new(Toeplitz::new(array, lag)), amplitudes.clone());
    }
    let amplitude = |n: usize| amplitudes.as_ref().map_or(1.0, |a| a[n]);
    Form::Dense(Mat::from_fn(n, n, |i, j| {
        let line = a[i] * a[j].conj() * los;
        (line + system.irs.entry(i, j) * scatter) * system.irs.entry(j, i) * (amplitude(i) * amplitude(j))
    }))
}
