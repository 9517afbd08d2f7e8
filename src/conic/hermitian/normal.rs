//! The normal equations of a step, bordered by the free variables:
//!
//! ```text
//! [ M    B ] [ dy ]   [ r ]
//! [ B^T  0 ] [ f  ] = [ t ]
//! ```
//!
//! with `f` the free variables after a full step and `t` what their dual equations miss. `M` alone may be singular (a row
//! of free variables only), so `M + rho B B^T` is factored, which changes nothing where `B^T dy = t`; the rest is a Schur
//! complement of the size of the number of free variables.

use super::dense;

/// Lifts of the diagonal that are tried where the matrix is singular to rounding.
const LIFTS: usize = 6;

/// The matrix, its factor, and the border. Dense, column-major, lower triangles.
pub(super) struct Normal {
    rows: usize,
    free: Vec<Vec<(usize, f64)>>,
    matrix: Vec<f64>,
    factor: Vec<f64>,
    /// `(M + rho B B^T)^-1 B`, a column a free variable.
    images: Vec<f64>,
    /// The factor of `B^T (M + rho B B^T)^-1 B`.
    complement: Vec<f64>,
    rho: f64,
    // Scratch of a solution and of its refinement.
    first: Vec<f64>,
    second: Vec<f64>,
    row_step: Vec<f64>,
    free_step: Vec<f64>,
}

impl Normal {
    pub fn new(rows: usize, free: &[Vec<(usize, f64)>]) -> Self {
        let q = free.len();
        Self {
            rows,
            free: free.to_vec(),
            matrix: vec![0.0; rows * rows],
            factor: vec![0.0; rows * rows],
            images: vec![0.0; rows * q],
            complement: vec![0.0; q * q],
            rho: 0.0,
            first: vec![0.0; rows],
            second: vec![0.0; q],
            row_step: vec![0.0; rows],
            free_step: vec![0.0; q],
        }
    }

    /// The lower triangle of `M`, set to zero, to be filled.
    pub fn clear(&mut self) -> &mut [f64] {
        self.matrix.fill(0.0);
        &mut self.matrix
    }

    /// Factors what was filled in; whether that was possible.
    pub fn factor(&mut self) -> bool {
        let (m, q) = (self.rows, self.free.len());
        // Of the size of M, row by row as B is scaled.
        let most = (0..m).map(|i| self.matrix[i * m + i]).fold(0.0, f64::max);
        self.rho = if q > 0 { most.max(1e-300) } else { 0.0 };
        // A row without coefficients, or rounding, may leave it singular: lift the diagonal, a little at first.
        let mut lift = 0.0;
        for _ in 0..LIFTS {
            self.factor.copy_from_slice(&self.matrix);
            for column in &self.free {
                for (at, (i, a)) in column.iter().enumerate() {
                    for (k, b) in &column[at..] {
                        self.factor[i.min(k) * m + i.max(k)] += self.rho * a * b;
                    }
                }
            }
            for i in 0..m {
                self.factor[i * m + i] += lift * self.factor[i * m + i].max(1e-300);
            }
            if dense::real_cholesky(&mut self.factor, m) && self.factor_complement() {
                return true;
            }
            lift = if lift == 0.0 { 1e-15 } else { 30.0 * lift };
        }
        false
    }

    fn factor_complement(&mut self) -> bool {
        let (m, q) = (self.rows, self.free.len());
        if q == 0 {
            return true;
        }
        self.images.fill(0.0);
        for (j, column) in self.free.iter().enumerate() {
            let image = &mut self.images[j * m..(j + 1) * m];
            column.iter().for_each(|(i, a)| image[*i] += a);
            dense::real_solve(&self.factor, m, image);
            for (i, other) in self.free.iter().enumerate().skip(j) {
                self.complement[j * q + i] = other.iter().map(|(row, a)| a * image[*row]).sum();
            }
        }
        // Free variables that the rows do not tell apart leave it singular: their values are arbitrary then.
        let most = (0..q).map(|j| self.complement[j * q + j]).fold(0.0, f64::max);
        (0..q).for_each(|j| self.complement[j * q + j] += 1e-14 * most.max(1e-300));
        dense::real_cholesky(&mut self.complement, q)
    }

    /// Solves for `dy` and `f`, with one refinement: the equations are ill-conditioned near the end.
    pub fn solve(&mut self, right: &[f64], missed: &[f64], dy: &mut [f64], free: &mut [f64]) {
        self.first.copy_from_slice(right);
        self.second.copy_from_slice(missed);
        self.solve_once();
        dy.copy_from_slice(&self.row_step);
        free.copy_from_slice(&self.free_step);
        self.first.copy_from_slice(right);
        self.second.copy_from_slice(missed);
        let m = self.rows;
        for j in 0..m {
            let column = &self.matrix[j * m..(j + 1) * m];
            let mut own = column[j] * dy[j];
            for ((entry, rest), y) in column.iter().zip(&mut self.first).zip(dy.iter()).skip(j + 1) {
                *rest -= entry * dy[j];
                own += entry * y;
            }
            self.first[j] -= own;
        }
        for ((column, rest), f) in self.free.iter().zip(&mut self.second).zip(free.iter()) {
            for (row, a) in column {
                self.first[*row] -= a * f;
                *rest -= a * dy[*row];
            }
        }
        self.solve_once();
        if self.row_step.iter().chain(&self.free_step).all(|x| x.is_finite()) {
            dy.iter_mut().zip(&self.row_step).for_each(|(y, c)| *y += c);
            free.iter_mut().zip(&self.free_step).for_each(|(f, c)| *f += c);
        }
    }

    /// For the right sides in `first` and `second`, without refinement.
    fn solve_once(&mut self) {
        let (m, q) = (self.rows, self.free.len());
        self.row_step.copy_from_slice(&self.first);
        for (column, t) in self.free.iter().zip(&self.second) {
            column.iter().for_each(|(row, a)| self.row_step[*row] += self.rho * a * t);
        }
        dense::real_solve(&self.factor, m, &mut self.row_step);
        if q == 0 {
            return;
        }
        for ((column, f), t) in self.free.iter().zip(&mut self.free_step).zip(&self.second) {
            *f = column.iter().map(|(row, a)| a * self.row_step[*row]).sum::<f64>() - t;
        }
        dense::real_solve(&self.complement, q, &mut self.free_step);
        for (image, f) in self.images.chunks_exact(m).zip(&self.free_step) {
            self.row_step.iter_mut().zip(image).for_each(|(y, w)| *y -= w * f);
        }
    }
}
