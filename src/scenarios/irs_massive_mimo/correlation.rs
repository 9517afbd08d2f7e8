//! The covariance `R_I` of the IRS elements: the sinc formula of isotropic scattering as a table of lags, or a measured
//! matrix. Both give the sums over the phases that rates and gains are made of.

use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use num_complex::Complex;

use super::planar::PlanarArray;
use super::toeplitz::Toeplitz;

/// From so many elements on products go by fast Fourier transforms.
pub(super) const FAST: usize = 196;

/// Beyond so many elements no matrix is kept: entries come from the table of lags.
const DENSE: usize = 1600;

/// A covariance of N elements.
#[derive(Clone, Debug)]
pub enum Correlation {
    /// Real and symmetric, as a matrix.
    Real(Mat<f64>),
    /// Complex and Hermitian, as a matrix.
    Complex(Mat<Complex<f64>>),
    /// Real, its entries a function of the lags along rows and columns: `scale lags[dr + rows dc]`.
    Lags {
        /// The array.
        array: PlanarArray,
        /// By row lag, then column lag.
        lags: Vec<f64>,
        /// The matrix by its lags, and that of its squared entries.
        products: [Arc<Toeplitz>; 2],
        /// The matrix, up to a size.
        matrix: Option<Mat<f64>>,
    },
}

impl Correlation {
    /// `area` times the sinc correlation of the array's elements (paper 000, after (2)).
    pub fn isotropic(array: PlanarArray, area: f64) -> Self {
        let lag = |d: usize| area * array.correlation(d % array.rows, d / array.rows);
        let lags: Vec<f64> = (0..array.len()).map(lag).collect();
        let n = array.len();
        let dense = || Mat::from_fn(n, n, |i, j| lags[lag_index(array, i, j)]);
        if n < FAST {
            return Self::Real(dense());
        }
        let by_lag = |a: isize, b: isize| lags[a.unsigned_abs() + array.rows * b.unsigned_abs()];
        let products = [
            Arc::new(Toeplitz::new(array, |a, b| Complex::new(by_lag(a, b), 0.0))),
            Arc::new(Toeplitz::new(array, |a, b| Complex::new(by_lag(a, b).powi(2), 0.0))),
        ];
        let matrix = (n <= DENSE).then(dense);
        Self::Lags { array, lags, products, matrix }
    }

    /// A measured covariance, row-major; kept as a real matrix where it is real.
    pub fn measured(entries: &[Complex<f64>], n: usize) -> Self {
        if entries.iter().all(|z| z.im == 0.0) {
            return Self::Real(Mat::from_fn(n, n, |i, j| entries[i * n + j].re));
        }
        Self::Complex(Mat::from_fn(n, n, |i, j| 0.5 * (entries[i * n + j] + entries[j * n + i].conj())))
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Real(matrix) => matrix.nrows(),
            Self::Complex(matrix) => matrix.nrows(),
            Self::Lags { array, .. } => array.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entry (i, j).
    pub fn entry(&self, i: usize, j: usize) -> Complex<f64> {
        match self {
            Self::Real(matrix) => Complex::new(matrix[(i, j)], 0.0),
            Self::Complex(matrix) => matrix[(i, j)],
            Self::Lags { array, lags, .. } => Complex::new(lags[lag_index(*array, i, j)], 0.0),
        }
    }

    /// `R x`. `O(N²)`, with lags `O(N log N)`.
    pub fn apply(&self, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
        out.fill(Complex::default());
        match self {
            // Matrices are held by columns, and are Hermitian.
            Self::Real(matrix) => {
                for (j, x) in x.iter().enumerate() {
                    out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, r)| *o += x * r);
                }
            }
            Self::Complex(matrix) => {
                for (j, x) in x.iter().enumerate() {
                    out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, r)| *o += x * r);
                }
            }
            Self::Lags { products, .. } => products[0].apply(x, out),
        }
    }

    /// `(|R|² entry by entry) x`.
    pub fn apply_squares(&self, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
        if let Self::Lags { products, .. } = self {
            return products[1].apply(x, out);
        }
        for (i, o) in out.iter_mut().enumerate() {
            *o = x.iter().enumerate().map(|(j, x)| x * self.entry(i, j).norm_sqr()).sum();
        }
    }

    /// `sum_mn |R_mn|² conj(theta_m) theta_n = Tr(R Theta R Theta^H)`, 0 or more.
    pub fn second_moment(&self, theta: &[Complex<f64>], work: &mut [Complex<f64>]) -> f64 {
        if let Self::Lags { products, .. } = self {
            products[1].apply(theta, work);
            return theta.iter().zip(work.iter()).map(|(t, w)| (t.conj() * w).re).sum();
        }
        let mut sum = 0.0;
        for (n, column) in theta.iter().enumerate() {
            let mut inner = Complex::<f64>::default();
            match self {
                Self::Real(matrix) => {
                    theta.iter().zip(matrix.col(n).iter()).for_each(|(t, r)| inner += t.conj() * (r * r));
                }
                Self::Complex(matrix) => {
                    theta.iter().zip(matrix.col(n).iter()).for_each(|(t, r)| inner += t.conj() * r.norm_sqr());
                }
                Self::Lags { .. } => {}
            }
            sum += (inner * column).re;
        }
        sum
    }

    /// `Tr((R Theta R Theta^H)²)`, 0 or more; `O(N³)`, with lags and no matrix `O(N² log N)`.
    pub fn fourth_moment(&self, theta: &[Complex<f64>]) -> f64 {
        let n = self.len();
        match self {
            Self::Lags { products, matrix: None, .. } => {
                // Column by column.
                let (mut column, mut g) = (vec![Complex::default(); n], vec![Complex::default(); n]);
                let mut sum = Complex::default();
                for j in 0..n {
                    column.iter_mut().enumerate().for_each(|(i, c)| *c = self.entry(i, j) * theta[i]);
                    products[0].apply(&column, &mut g);
                    let inner: Complex<f64> = g.iter().zip(theta).map(|(g, t)| g * g * t.conj()).sum();
                    sum += inner * theta[j].conj();
                }
                sum.re
            }
            Self::Real(matrix) | Self::Lags { matrix: Some(matrix), .. } => {
                // G = R Theta R is symmetric, its real and imaginary parts are two real products.
                let product = |part: fn(&Complex<f64>) -> f64| {
                    let scaled = Mat::from_fn(n, n, |i, j| matrix[(i, j)] * part(&theta[j]));
                    let mut out = Mat::zeros(n, n);
                    matmul(out.as_mut(), Accum::Replace, scaled.as_ref(), matrix.as_ref(), 1.0, Par::Seq);
                    out
                };
                let (re, im) = (product(|z| z.re), product(|z| z.im));
                let mut sum = Complex::default();
                for j in 0..n {
                    let mut inner = Complex::<f64>::default();
                    for (i, t) in theta.iter().enumerate() {
                        let g = Complex::new(re[(i, j)], im[(i, j)]);
                        inner += g * g * t.conj();
                    }
                    sum += inner * theta[j].conj();
                }
                sum.re
            }
            _ => {
                let full = Mat::from_fn(n, n, |i, j| self.entry(i, j));
                let scaled = Mat::from_fn(n, n, |i, j| self.entry(i, j) * theta[j]);
                let mut g = Mat::<Complex<f64>>::zeros(n, n);
                let one = Complex::new(1.0, 0.0);
                matmul(g.as_mut(), Accum::Replace, scaled.as_ref(), full.as_ref(), one, Par::Seq);
                let mut sum = Complex::default();
                for j in 0..n {
                    let inner: Complex<f64> = (0..n).map(|i| g[(i, j)] * g[(j, i)] * theta[i].conj()).sum();
                    sum += inner * theta[j].conj();
                }
                sum.re
            }
        }
    }

    /// As a matrix, whatever its size.
    pub fn matrix(&self) -> Mat<Complex<f64>> {
        Mat::from_fn(self.len(), self.len(), |i, j| self.entry(i, j))
    }
}

fn lag_index(array: PlanarArray, i: usize, j: usize) -> usize {
    let rows = (i % array.rows).abs_diff(j % array.rows);
    rows + array.rows * (i / array.rows).abs_diff(j / array.rows)
}
