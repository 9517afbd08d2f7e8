//! Draws of the raw channels: the surface's link to the base station, and every user's direct link and link to the surface.
//! Built from covariances as matrices; shares no formula with the rates.

use faer::{Mat, Side};
use num_complex::Complex;

use super::planar::PlanarArray;
use super::system::System;
use crate::error::{Error, Result};
use crate::math::RandomStream;

pub(super) type Matrix = Mat<Complex<f64>>;

/// The first two moments of all channels, as matrices.
pub(super) struct Moments {
    /// `R_B`.
    pub receive: Matrix,
    /// `R_I`.
    pub surface: Matrix,
    /// The scaled line of sight.
    pub los: Matrix,
    /// `sqrt(zeta_H / (K_H + 1))`.
    pub scattered: f64,
    /// `R_fk`.
    pub direct: Vec<Matrix>,
    /// `R_gk`.
    pub reflected: Vec<Matrix>,
}

fn square(entries: &[Complex<f64>], size: usize) -> Matrix {
    Mat::from_fn(size, size, |i, j| entries[i * size + j])
}

/// `area` times the sinc correlation of an array's elements.
pub(super) fn isotropic(array: PlanarArray, area: f64) -> Matrix {
    Mat::from_fn(array.len(), array.len(), |i, j| {
        let place = |e: usize| (e % array.rows, e / array.rows);
        let ((a, b), (c, d)) = (place(i), place(j));
        Complex::new(area * array.correlation(a.abs_diff(c), b.abs_diff(d)), 0.0)
    })
}

/// A matrix times a number.
pub(super) fn scaled(matrix: &Matrix, factor: f64) -> Matrix {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)] * factor)
}

/// A matrix times a vector.
pub(super) fn times(matrix: &Matrix, x: &[Complex<f64>]) -> Vec<Complex<f64>> {
    let mut out = vec![Complex::default(); matrix.nrows()];
    for (j, x) in x.iter().enumerate() {
        out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, a)| *o += a * x);
    }
    out
}

/// So many complex normal numbers of variance one.
pub(super) fn normal(draws: &mut RandomStream, count: usize) -> Vec<Complex<f64>> {
    (0..count).map(|_| draws.complex_normal(1.0)).collect()
}

fn root(matrix: &Matrix) -> Result<Matrix> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower);
    let eigen = eigen.map_err(|_| Error::Numerical("the square root of a covariance".into()))?;
    let (vectors, values) = (eigen.U(), eigen.S());
    let n = matrix.nrows();
    let scaled = Mat::from_fn(n, n, |i, j| vectors[(i, j)] * values[j].re.max(0.0).sqrt());
    Ok(&scaled * vectors.adjoint())
}

impl Moments {
    /// Those of a system.
    pub fn new(system: &System) -> Self {
        let instance = &system.instance;
        let (m, n, users) = (instance.base_station_array.len(), instance.irs_array.len(), instance.users());
        let measured = &instance.measured;
        let receive = match &measured.base_station_covariance {
            Some(entries) => square(entries, m),
            None => isotropic(instance.base_station_array, instance.base_station_element_area),
        };
        let surface = match &measured.irs_covariance {
            Some(entries) => square(entries, n),
            None => isotropic(instance.irs_array, instance.irs_element_area),
        };
        let (fading, rician) = (instance.fading_irs_base_station, instance.rician_factor);
        let los = Mat::from_fn(m, n, |i, j| {
            let line = match &measured.irs_base_station_los {
                Some(entries) => entries[i * n + j],
                None => system.steering[i] * system.irs_steering[j].conj(),
            };
            line * (fading * rician / (rician + 1.0)).sqrt()
        });
        let direct = |k: usize| match &measured.user_base_station_covariance {
            Some(entries) => square(&entries[k * m * m..(k + 1) * m * m], m),
            None => scaled(&receive, instance.fading_user_base_station[k]),
        };
        let reflected = |k: usize| match &measured.irs_user_covariance {
            Some(entries) => square(&entries[k * n * n..(k + 1) * n * n], n),
            None => scaled(&surface, instance.fading_user_irs[k]),
        };
        Self {
            direct: (0..users).map(direct).collect(),
            reflected: (0..users).map(reflected).collect(),
            scattered: (fading / (rician + 1.0)).sqrt(),
            receive,
            surface,
            los,
        }
    }
}

/// The channels of a system, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Channels {
    /// `R_B^(1/2)`, `R_I^(1/2)` scaled by the scattered power.
    receive_root: Matrix,
    surface_root: Matrix,
    los: Matrix,
    direct_roots: Vec<Matrix>,
    reflected_roots: Vec<Matrix>,
}

impl Channels {
    /// Those of a system.
    ///
    /// # Errors
    /// Where a covariance has no square root.
    pub fn new(system: &System) -> Result<Self> {
        Self::of(&Moments::new(system))
    }

    pub(super) fn of(moments: &Moments) -> Result<Self> {
        Ok(Self {
            receive_root: scaled(&root(&moments.receive)?, moments.scattered),
            surface_root: root(&moments.surface)?,
            los: moments.los.clone(),
            direct_roots: moments.direct.iter().map(root).collect::<Result<_>>()?,
            reflected_roots: moments.reflected.iter().map(root).collect::<Result<_>>()?,
        })
    }

    /// One draw of `H`, `[M][N]`.
    pub fn surface(&self, draws: &mut RandomStream) -> Mat<Complex<f64>> {
        let (m, n) = (self.los.nrows(), self.los.ncols());
        let white = normal(draws, m * n);
        let white = Mat::from_fn(m, n, |i, j| white[i * n + j]);
        let scattered = &self.receive_root * white * &self.surface_root;
        Mat::from_fn(m, n, |i, j| self.los[(i, j)] + scattered[(i, j)])
    }

    /// One draw of a user's links: `f_k`, M entries, to the base station, and `g_k`, N entries, to the surface. With the
    /// surface's link the whole channel is `v_k = f_k + H Theta g_k`.
    pub fn user(&self, user: usize, draws: &mut RandomStream) -> [Vec<Complex<f64>>; 2] {
        let roots = [&self.direct_roots[user], &self.reflected_roots[user]];
        roots.map(|root| times(root, &normal(draws, root.nrows())))
    }
}
