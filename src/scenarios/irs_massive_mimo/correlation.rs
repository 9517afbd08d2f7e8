//! The covariance `R_I` of the IRS elements: the sinc formula of isotropic scattering as a table of lags, or a measured
//! matrix. Both give the sums over the phases that rates and gains are made of.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use num_complex::Complex;

use super::planar::PlanarArray;

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
    },
}

impl Correlation {
    /// `area` times the sinc correlation of the array's elements (paper 000, after (2)).
    pub fn isotropic(array: PlanarArray, area: f64) -> Self {
        let lag = |d: usize| area * array.correlation(d % array.rows, d / array.rows);
        let lags: Vec<f64> = (0..array.len()).map(lag).collect();
        if array.len() > DENSE {
            return Self::Lags { array, lags };
        }
        let n = array.len();
        Self::Real(Mat::from_fn(n, n, |i, j| lags[lag_index(array, i, j)]))
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
            Self::Lags { array, lags } => Complex::new(lags[lag_index(*array, i, j)], 0.0),
        }
    }

    /// `R x`. `O(N²)`.
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
            Self::Lags { .. } => {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = x.iter().enumerate().map(|(j, x)| x * self.entry(i, j).re).sum();
                }
            }
        }
    }

    /// `sum_mn |R_mn|² conj(theta_m) theta_n = Tr(R Theta R Theta^H)`, 0 or more.
    pub fn second_moment(&self, theta: &[Complex<f64>]) -> f64 {
        let mut sum = 0.0;
        for (n, column) in theta.iter().enumerate() {
            let mut inner = Complex::default();
            match self {
                Self::Real(matrix) => {
                    theta.iter().zip(matrix.col(n).iter()).for_each(|(t, r)| inner += t.conj() * (r * r));
                }
                Self::Complex(matrix) => {
                    theta.iter().zip(matrix.col(n).iter()).for_each(|(t, r)| inner += t.conj() * r.norm_sqr());
                }
                Self::Lags { .. } => {
                    let entries = theta.iter().enumerate();
                    inner = entries.map(|(m, t)| t.conj() * self.entry(m, n).norm_sqr()).sum();
                }
            }
            sum += (inner * column).re;
        }
        sum
    }

    /// `Tr((R Theta R Theta^H)²)`, 0 or more; `O(N³)`.
    pub fn fourth_moment(&self, theta: &[Complex<f64>]) -> f64 {
        let n = self.len();
        match self {
            Self::Real(matrix) => {
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
