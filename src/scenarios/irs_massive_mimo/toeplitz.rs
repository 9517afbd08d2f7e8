//! Products with matrices whose entries depend on the lags between the elements of a planar array alone (block Toeplitz
//! with Toeplitz blocks), by fast Fourier transforms over both axes: `O(N log N)` in place of `O(N²)`.
//!
//! The matrix is a principal part of a doubly circulant one of at least `2 N_1 - 1` by `2 N_2 - 1`, whose eigenvalues are
//! the transform of the lags: the largest of them is no smaller than the matrix's own.

use std::sync::{Arc, Mutex};

use num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::planar::PlanarArray;

/// A Hermitian matrix by its lags.
pub struct Toeplitz {
    rows: usize,
    columns: usize,
    /// The circulant's sizes.
    p: usize,
    q: usize,
    /// Its eigenvalues over `p q`, by the first axis's frequency, then the second's.
    symbol: Vec<f64>,
    transforms: [Arc<dyn Fft<f64>>; 4],
    buffers: Mutex<Buffers>,
}

#[derive(Clone, Default)]
struct Buffers {
    grid: Vec<Complex<f64>>,
    lines: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

/// Lines that are transformed together.
const LINES: usize = 8;

/// The least number from `least` on without prime factors above 5.
fn fast_length(least: usize) -> usize {
    (least..)
        .find(|n| {
            let mut rest = *n;
            for prime in [2, 3, 5] {
                while rest > 1 && rest.is_multiple_of(prime) {
                    rest /= prime;
                }
            }
            rest <= 1
        })
        .unwrap_or(least)
}

impl Toeplitz {
    /// The matrix with entry `lag(i_1 - j_1, i_2 - j_2)` at (i, j), Hermitian: `lag(-a, -b) = lag(a, b)^*`.
    pub fn new(array: PlanarArray, lag: impl Fn(isize, isize) -> Complex<f64>) -> Self {
        let (rows, columns) = (array.rows, array.columns);
        let (p, q) = (fast_length(2 * rows - 1), fast_length(2 * columns - 1));
        let mut planner = FftPlanner::new();
        let transforms = [
            planner.plan_fft_forward(p),
            planner.plan_fft_forward(q),
            planner.plan_fft_inverse(q),
            planner.plan_fft_inverse(p),
        ];
        let mut grid = vec![Complex::default(); p * q];
        for b in 1 - columns as isize..columns as isize {
            for a in 1 - rows as isize..rows as isize {
                let at = (b.rem_euclid(q as isize) as usize) * p + a.rem_euclid(p as isize) as usize;
                grid[at] = lag(a, b);
            }
        }
        transforms[0].process(&mut grid);
        let mut turned: Vec<_> = (0..p * q).map(|e| grid[(e % q) * p + e / q]).collect();
        transforms[1].process(&mut turned);
        // Real, for a Hermitian matrix.
        let symbol = turned.iter().map(|z| z.re / (p * q) as f64).collect();
        Self { rows, columns, p, q, symbol, transforms, buffers: Mutex::default() }
    }

    /// The largest eigenvalue of the circulant: no eigenvalue of the matrix is above it, but for rounding.
    pub fn largest(&self) -> f64 {
        let size = (self.p * self.q) as f64;
        self.symbol.iter().copied().fold(f64::NEG_INFINITY, f64::max) * size
    }

    /// Writes the product with a vector.
    pub fn apply(&self, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
        match self.buffers.try_lock() {
            Ok(mut buffers) => self.product(x, out, &mut buffers),
            // Another thread is at it.
            Err(_) => self.product(x, out, &mut Buffers::default()),
        }
    }

    fn product(&self, x: &[Complex<f64>], out: &mut [Complex<f64>], buffers: &mut Buffers) {
        let (p, q) = (self.p, self.q);
        let Buffers { grid, lines, scratch } = buffers;
        let zero = Complex::default();
        let most = self.transforms.iter().map(|t| t.get_inplace_scratch_len()).max().unwrap_or(0);
        scratch.resize(most, zero);
        lines.resize(LINES * q, zero);
        grid.clear();
        // Columns beyond the array are 0, and so are their transforms.
        grid.resize(self.columns * p, zero);
        for (column, part) in grid.chunks_exact_mut(p).zip(x.chunks_exact(self.rows)) {
            column[..self.rows].copy_from_slice(part);
        }
        self.transforms[0].process_with_scratch(grid, scratch);
        // Some lines along the second axis at a time: they stay in the cache between both transforms.
        for first in (0..p).step_by(LINES) {
            let count = LINES.min(p - first);
            let lines = &mut lines[..count * q];
            for (b, column) in grid.chunks_exact(p).enumerate() {
                column[first..first + count].iter().enumerate().for_each(|(l, z)| lines[l * q + b] = *z);
            }
            lines.chunks_exact_mut(q).for_each(|line| line[self.columns..].fill(zero));
            self.transforms[1].process_with_scratch(lines, scratch);
            let symbol = &self.symbol[first * q..(first + count) * q];
            lines.iter_mut().zip(symbol).for_each(|(z, s)| *z *= s);
            self.transforms[2].process_with_scratch(lines, scratch);
            for (b, column) in grid.chunks_exact_mut(p).enumerate() {
                column[first..first + count].iter_mut().enumerate().for_each(|(l, z)| *z = lines[l * q + b]);
            }
        }
        self.transforms[3].process_with_scratch(grid, scratch);
        for (column, part) in grid.chunks_exact(p).zip(out.chunks_exact_mut(self.rows)) {
            part.copy_from_slice(&column[..self.rows]);
        }
    }
}

impl std::fmt::Debug for Toeplitz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Toeplitz {} x {} in {} x {}", self.rows, self.columns, self.p, self.q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;

    #[test]
    fn products_are_those_of_the_matrix_and_no_eigenvalue_is_beyond_the_bound() {
        let mut random = RandomStream::keyed(2, "test", "toeplitz", 0, 0);
        for (rows, columns) in [(1, 1), (1, 7), (5, 1), (4, 6), (7, 3)] {
            let array = PlanarArray { rows, columns, spacing_wavelengths: 0.4 };
            let lag = |a: isize, b: isize| {
                let r = array.correlation(a.unsigned_abs(), b.unsigned_abs());
                Complex::cis(0.3 * a as f64 - 1.1 * b as f64) * r + r * r
            };
            let fast = Toeplitz::new(array, lag);
            let n = array.len();
            let entry = |i: usize, j: usize| {
                lag((i % rows) as isize - (j % rows) as isize, (i / rows) as isize - (j / rows) as isize)
            };
            let x: Vec<_> = (0..n).map(|_| random.complex_normal(1.0)).collect();
            let mut got = vec![Complex::default(); n];
            fast.apply(&x, &mut got);
            for (i, got) in got.iter().enumerate() {
                let wanted: Complex<f64> = x.iter().enumerate().map(|(j, x)| entry(i, j) * x).sum();
                assert!((got - wanted).norm() < 1e-13 * n as f64, "{rows} x {columns}: {got} {wanted}");
            }
            let matrix = faer::Mat::from_fn(n, n, entry);
            let largest = matrix.self_adjoint_eigenvalues(faer::Side::Lower).unwrap()[n - 1];
            assert!(fast.largest() >= largest * (1.0 - 1e-12), "{rows} x {columns}: {} {largest}", fast.largest());
        }
    }
}
