//! The state of the interior-point method in one matrix block: `X`, `S`, their steps and what is known of both.

use super::dense::{self, C, Lanczos, Matrix};

/// The state of one block.
pub(super) struct Pair {
    pub x: Matrix,
    pub s: Matrix,
    pub dx: Matrix,
    pub ds: Matrix,
    /// `C - A^T(y) - S`.
    pub residual: Matrix,
    pub z: Matrix,
    factor: Matrix,
    pub inverse_factor_x: Matrix,
    pub inverse_factor_s: Matrix,
    pub new_x: Matrix,
    pub new_s: Matrix,
    pub one: Matrix,
    pub two: Matrix,
    lanczos: Lanczos,
}

impl Pair {
    pub fn new(n: usize, x: f64, s: f64) -> Self {
        let square = || Matrix::zeros(n, n);
        let scaled = |t: f64| Matrix::from_diagonal_element(n, n, C::new(t, 0.0));
        Self {
            x: scaled(x),
            s: scaled(s),
            dx: square(),
            ds: square(),
            residual: square(),
            z: square(),
            factor: square(),
            inverse_factor_x: scaled(1.0 / x.sqrt()),
            inverse_factor_s: scaled(1.0 / s.sqrt()),
            new_x: square(),
            new_s: square(),
            one: square(),
            two: square(),
            lanczos: Lanczos::new(n),
        }
    }

    /// `sym(X R Z)` into `one`.
    pub fn dual_residual_term(&mut self) {
        dense::multiply(&mut self.two, &self.x, &self.residual);
        dense::multiply(&mut self.one, &self.two, &self.z);
        dense::make_hermitian(&mut self.one);
    }

    /// The step in X for `dS`, whose product `X dS` is in `two`; with the predictor's product `dX' dS'` in `new_x` where
    /// `corrected`.
    pub fn primal_step(&mut self, centre: f64, corrected: bool) {
        if corrected {
            self.two += &self.new_x;
        }
        dense::multiply(&mut self.one, &self.two, &self.z);
        dense::make_hermitian(&mut self.one);
        let parts = self.dx.as_mut_slice().iter_mut().zip(self.x.as_slice());
        for ((d, x), (one, z)) in parts.zip(self.one.as_slice().iter().zip(self.z.as_slice())) {
            *d = z * centre - x - one;
        }
    }

    /// The longest steps that keep X and S semidefinite, to about the share `settled`.
    pub fn longest(&mut self, settled: f64) -> (f64, f64) {
        let to_boundary = |least: f64| if least < 0.0 { -1.0 / least } else { f64::INFINITY };
        let x = dense::least_eigenvalue(&self.inverse_factor_x, &self.dx, settled, &mut self.lanczos);
        let s = dense::least_eigenvalue(&self.inverse_factor_s, &self.ds, settled, &mut self.lanczos);
        (to_boundary(x), to_boundary(s))
    }

    /// Moves X; whether it stays definite.
    pub fn move_x(&mut self, step: f64) -> bool {
        self.new_x.copy_from(&self.x);
        dense::add(&mut self.new_x, step, &self.dx);
        dense::cholesky(&self.new_x, &mut self.factor) && {
            dense::invert_lower(&self.factor, &mut self.two);
            true
        }
    }

    /// Moves S; whether it stays definite.
    pub fn move_s(&mut self, step: f64) -> bool {
        self.new_s.copy_from(&self.s);
        dense::add(&mut self.new_s, step, &self.ds);
        dense::cholesky(&self.new_s, &mut self.factor) && {
            dense::invert_lower(&self.factor, &mut self.one);
            true
        }
    }
}
