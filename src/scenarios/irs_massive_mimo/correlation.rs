//! The covariance `R_I` of the IRS elements: the sinc formula of isotropic scattering as a table of lags, or a measured
//! matrix. Both give the sums over the phases that rates and gains are made of.

use std::sync::{Arc, OnceLock};

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use num_complex::Complex;

use super::parity::Parities;
use super::planar::PlanarArray;
use super::toeplitz::Toeplitz;
use crate::math::settle;

/// From so many elements on products go by fast Fourier transforms.
pub(super) const FAST: usize = 100;

/// Up to so many elements the blocks by parity are made: all together as large as a fourth of the matrix.
const BLOCKS: usize = 2500;

/// A covariance of N elements.
#[derive(Clone, Debug)]
pub enum Correlation {
    /// Real and symmetric, as a matrix.
    Real(Mat<f64>),
    /// Complex and Hermitian, as a matrix.
    Complex(Mat<Complex<f64>>),
    /// Real, its entries a function of the lags along rows and columns.
    Lags(Lags),
}

/// The formula's covariance: a function of lags.
#[derive(Clone, Debug)]
pub struct Lags {
    array: PlanarArray,
    /// By row lag, then column lag.
    lags: Vec<f64>,
    products: Products,
    /// Beside fast products, up to a size; made once somebody asks.
    parities: Option<Arc<OnceLock<Parities>>>,
}

/// How products with vectors are made.
#[derive(Clone, Debug)]
enum Products {
    Dense(Mat<f64>),
    /// The matrix by its lags, and that of its squared entries.
    Fast([Arc<Toeplitz>; 2]),
}

impl Lags {
    /// The array.
    pub fn array(&self) -> PlanarArray {
        self.array
    }

    /// The entry of two elements so many rows and columns apart.
    pub fn at(&self, rows: usize, columns: usize) -> f64 {
        self.lags[rows + self.array.rows * columns]
    }

    fn entry(&self, i: usize, j: usize) -> f64 {
        let rows = self.array.rows;
        self.at((i % rows).abs_diff(j % rows), (i / rows).abs_diff(j / rows))
    }

    /// Column by column of `G = R Theta R`: `sum_ij conj(theta_i) conj(theta_j) G_ij²`.
    fn fourth_moment(&self, theta: &[Complex<f64>]) -> f64 {
        if let Some(parities) = &self.parities {
            return parities.get_or_init(|| Parities::new(self.array, |a, b| self.at(a, b))).fourth_moment(theta);
        }
        let product = match &self.products {
            Products::Dense(matrix) => return fourth_moment(matrix, theta),
            Products::Fast([product, _]) => product,
        };
        let n = theta.len();
        let (mut column, mut g) = (vec![Complex::default(); n], vec![Complex::default(); n]);
        let mut sum = Complex::default();
        for j in 0..n {
            column.iter_mut().enumerate().for_each(|(i, c)| *c = theta[i] * self.entry(i, j));
            product.apply(&column, &mut g);
            let inner: Complex<f64> = g.iter().zip(theta).map(|(g, t)| g * g * t.conj()).sum();
            sum += inner * theta[j].conj();
        }
        sum.re
    }
}

impl Correlation {
    /// `area` times the sinc correlation of the array's elements (paper 000, after (2)).
    pub fn isotropic(array: PlanarArray, area: f64) -> Self {
        let lag = |d: usize| area * array.correlation(d % array.rows, d / array.rows);
        let lags: Vec<f64> = (0..array.len()).map(lag).collect();
        let n = array.len();
        let at = |rows: usize, columns: usize| lags[rows + array.rows * columns];
        let products = if n < FAST {
            let (row, column) = (|e: usize| e % array.rows, |e: usize| e / array.rows);
            Products::Dense(Mat::from_fn(n, n, |i, j| at(row(i).abs_diff(row(j)), column(i).abs_diff(column(j)))))
        } else {
            let by_lag = |a: isize, b: isize| at(a.unsigned_abs(), b.unsigned_abs());
            Products::Fast([
                Arc::new(Toeplitz::new(array, |a, b| Complex::new(by_lag(a, b), 0.0))),
                Arc::new(Toeplitz::new(array, |a, b| Complex::new(by_lag(a, b).powi(2), 0.0))),
            ])
        };
        let parities = (FAST..=BLOCKS).contains(&n).then(Arc::default);
        Self::Lags(Lags { array, lags, products, parities })
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
            Self::Lags(lags) => lags.array.len(),
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
            Self::Lags(lags) => Complex::new(lags.entry(i, j), 0.0),
        }
    }

    /// `R x`. `O(N²)`, by lags `O(N log N)`.
    pub fn apply(&self, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
        match self {
            Self::Real(matrix) | Self::Lags(Lags { products: Products::Dense(matrix), .. }) => columns(matrix, x, out),
            Self::Complex(matrix) => {
                out.fill(Complex::default());
                for (j, x) in x.iter().enumerate() {
                    out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, r)| *o += x * r);
                }
            }
            Self::Lags(Lags { products: Products::Fast([product, _]), .. }) => product.apply(x, out),
        }
    }

    /// `(|R|² entry by entry) x`.
    pub fn apply_squares(&self, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
        if let Self::Lags(Lags { products: Products::Fast([_, squares]), .. }) = self {
            return squares.apply(x, out);
        }
        // By columns, as matrices are held; |R|² is symmetric.
        out.fill(Complex::default());
        for (j, x) in x.iter().enumerate() {
            match self {
                Self::Complex(matrix) => {
                    out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, r)| *o += x * r.norm_sqr());
                }
                Self::Real(matrix) | Self::Lags(Lags { products: Products::Dense(matrix), .. }) => {
                    out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, r)| *o += x * (r * r));
                }
                Self::Lags(_) => {}
            }
        }
    }

    /// `sum_mn |R_mn|² conj(theta_m) theta_n = Tr(R Theta R Theta^H)`, 0 or more.
    pub fn second_moment(&self, theta: &[Complex<f64>], work: &mut [Complex<f64>]) -> f64 {
        self.apply_squares(theta, work);
        theta.iter().zip(work.iter()).map(|(t, w)| (t.conj() * w).re).sum()
    }

    /// `Tr((R Theta R Theta^H)²)`, 0 or more; `O(N³)`, by lags and for large arrays `O(N² log N)`.
    pub fn fourth_moment(&self, theta: &[Complex<f64>]) -> f64 {
        let full = match self {
            Self::Lags(lags) => return lags.fourth_moment(theta),
            Self::Real(matrix) => return fourth_moment(matrix, theta),
            Self::Complex(matrix) => matrix,
        };
        let n = self.len();
        let scaled = Mat::from_fn(n, n, |i, j| full[(i, j)] * theta[j]);
        let mut g = Mat::<Complex<f64>>::zeros(n, n);
        let one = Complex::new(1.0, 0.0);
        matmul(g.as_mut(), Accum::Replace, scaled.as_ref(), full.as_ref(), one, Par::Seq);
        settle();
        let mut sum = Complex::default();
        for j in 0..n {
            let inner: Complex<f64> = (0..n).map(|i| g[(i, j)] * g[(j, i)] * theta[i].conj()).sum();
            sum += inner * theta[j].conj();
        }
        sum.re
    }

    /// As a matrix, whatever its size.
    pub fn matrix(&self) -> Mat<Complex<f64>> {
        Mat::from_fn(self.len(), self.len(), |i, j| self.entry(i, j))
    }
}

/// `Tr((R Theta R Theta^H)²)` of a real symmetric matrix. `G = R Theta R` is symmetric, too: its real and imaginary parts are
/// two real products.
fn fourth_moment(matrix: &Mat<f64>, theta: &[Complex<f64>]) -> f64 {
    let n = theta.len();
    let product = |part: fn(&Complex<f64>) -> f64| {
        let scaled = Mat::from_fn(n, n, |i, j| matrix[(i, j)] * part(&theta[j]));
        let mut out = Mat::zeros(n, n);
        matmul(out.as_mut(), Accum::Replace, scaled.as_ref(), matrix.as_ref(), 1.0, Par::Seq);
        settle();
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

/// A symmetric matrix, held by columns, times a vector.
fn columns(matrix: &Mat<f64>, x: &[Complex<f64>], out: &mut [Complex<f64>]) {
    out.fill(Complex::default());
    for (j, x) in x.iter().enumerate() {
        out.iter_mut().zip(matrix.col(j).iter()).for_each(|(o, r)| *o += x * r);
    }
}
