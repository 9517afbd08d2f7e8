//! What is heard at given phases: `g_lk`, `v1_l` and `v2_l` as vectors, and derivatives of forms in the phases.

use nalgebra::DMatrix;
use num_complex::Complex;

use super::system::{C, System, combine};

/// A dense complex matrix.
pub(super) type Matrix = DMatrix<C>;

/// The vectors at given phases: what is heard of `x` is `g^H x`.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// `phi_n`, all IRSs in order.
    pub phi: Vec<C>,
    /// `g_lk`, in the order of the users.
    pub users: Vec<Vec<C>>,
    /// `v1_l`.
    pub one: Vec<Vec<C>>,
    /// `v2_l`, centred.
    pub two: Vec<Vec<C>>,
}

/// A linear map from phases' coefficients to a heard row: which IRS, rows, weights.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub surface: usize,
    pub rows: &'a [C],
    pub weights: Option<&'a [f64]>,
}

impl System {
    /// How a user hears.
    pub(super) fn user_source(&self, user: usize) -> Source<'_> {
        Source { surface: user / self.instance.users, rows: &self.user_rows[user], weights: None }
    }

    /// How the target of an IRS hears: its sum beam, and its difference beam.
    pub(super) fn target_sources(&self, surface: usize) -> [Source<'_>; 2] {
        let rows = &self.target_rows[surface];
        [Source { surface, rows, weights: None }, Source { surface, rows, weights: Some(&self.position) }]
    }

    /// The vectors at phases (the first coordinates of a design).
    pub(super) fn heard(&self, phases: &[f64]) -> Heard {
        let (n, m) = (self.instance.elements, self.instance.antennas);
        let phi: Vec<C> = phases[..n * self.instance.surfaces].iter().map(|p| Complex::cis(*p)).collect();
        let hear = |source: Source| {
            let mut row = vec![C::default(); m];
            combine(&phi[source.surface * n..(source.surface + 1) * n], source.rows, source.weights, &mut row);
            row.iter_mut().for_each(|x| *x = x.conj());
            row
        };
        Heard {
            users: (0..self.all_users()).map(|u| hear(self.user_source(u))).collect(),
            one: (0..self.instance.surfaces).map(|l| hear(self.target_sources(l)[0])).collect(),
            two: (0..self.instance.surfaces).map(|l| hear(self.target_sources(l)[1])).collect(),
            phi,
        }
    }

    /// `gradient[n] += 2 Re( weight * d(a^H) y / d phase_n )` for the row `a^H` of a source: the derivative of
    /// `2 Re(weight a^H y)` with `y` held.
    pub(super) fn add_derivative(&self, heard: &Heard, source: Source, y: &[C], weight: C, gradient: &mut [f64]) {
        let (n, m) = (self.instance.elements, self.instance.antennas);
        let first = source.surface * n;
        for (i, row) in source.rows.chunks_exact(m).enumerate() {
            let heard_here: C = row.iter().zip(y).map(|(r, y)| r * y).sum();
            let turned = C::i() * heard.phi[first + i] * source.weights.map_or(1.0, |w| w[i]);
            gradient[first + i] += 2.0 * (weight * turned * heard_here).re;
        }
    }
}

/// `X y`.
pub(super) fn image(x: &Matrix, y: &[C]) -> Vec<C> {
    let mut out = vec![C::default(); x.nrows()];
    for (column, factor) in x.as_slice().chunks_exact(x.nrows()).zip(y) {
        out.iter_mut().zip(column).for_each(|(o, a)| *o += factor * a);
    }
    out
}

/// `a^H b`.
pub(super) fn dot(a: &[C], b: &[C]) -> C {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

/// `|a|^2`.
pub(super) fn squared(a: &[C]) -> f64 {
    a.iter().map(|x| x.norm_sqr()).sum()
}

/// `x += weight a a^H`.
pub(super) fn add_outer(x: &mut Matrix, weight: f64, a: &[C]) {
    let n = x.nrows();
    for (column, b) in x.as_mut_slice().chunks_exact_mut(n).zip(a) {
        let factor = b.conj() * weight;
        column.iter_mut().zip(a).for_each(|(o, a)| *o += a * factor);
    }
}
