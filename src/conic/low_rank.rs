//! The relaxation of unit-modulus vectors at sizes beyond the interior-point method, with a proven bound.
//!
//! ```text
//! maximize  tr(A X)   s.t.  X_nn = 1,  X Hermitian >= 0        (>= v^H A v of every v with |v_n| = 1)
//! ```
//!
//! is solved in the form `X = V V^H` with N rows of length one and few columns, row by row: `v_n` becomes `g_n / |g_n|`
//! with `g_n = sum_(m != n) A_nm v_m`, which never lowers the value (the mixing method). With more than about `sqrt N`
//! columns there are generically no local optima in the way. The prices `y_n = A_nn + |g_n|` follow from the optimality
//! conditions, and for any real `y` whatever
//!
//! ```text
//! tr(A X) <= sum y + N lambda_max(A - Diag(y))
//! ```
//!
//! so that the bound holds however far the sweeps got: every price is shifted by the eigenvalue. A sweep costs N² columns
//! operations.
//!
//! Sources: Wang, Chang and Kolter, "The mixing method", arXiv:1706.00476, 2017; Burer and Monteiro, Math. Program. 95,
//! 2003, doi:10.1007/s10107-002-0352-8.

use faer::{MatRef, Side};
use nalgebra::DMatrix;

use super::hermitian::C;
use crate::math::RandomStream;

const ZERO: C = C::new(0.0, 0.0);

/// `out += factor a`.
fn add(out: &mut [C], factor: C, a: &[C]) {
    for (o, a) in out.iter_mut().zip(a) {
        o.re += factor.re * a.re - factor.im * a.im;
        o.im += factor.re * a.im + factor.im * a.re;
    }
}

/// `V`: N rows of length one.
#[derive(Clone, Debug)]
pub struct LowRank {
    rank: usize,
    rows: Vec<C>,
}

/// Where sweeps ended.
#[derive(Clone, Debug)]
pub struct Climb {
    /// `y`.
    pub prices: Vec<f64>,
    /// Sweeps that were made.
    pub sweeps: usize,
}

impl LowRank {
    /// Random rows, of a rank above the square root of N.
    pub fn new(size: usize, random: &mut RandomStream) -> Self {
        let rank = (size as f64).sqrt().ceil() as usize + 1;
        let mut rows: Vec<C> = (0..size * rank).map(|_| random.complex_normal(1.0)).collect();
        for row in rows.chunks_exact_mut(rank) {
            let norm = row.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
            row.iter_mut().for_each(|z| *z /= norm);
        }
        Self { rank, rows }
    }

    /// The number of columns.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Sweeps until one gains less than `gain` of the value, or as many as given.
    pub fn climb(&mut self, matrix: &DMatrix<C>, gain: f64, most: usize) -> Climb {
        let rank = self.rank;
        let mut prices = vec![0.0; matrix.nrows()];
        let mut g = vec![ZERO; rank];
        let (mut last, mut sweeps) = (f64::NEG_INFINITY, 0);
        while sweeps < most {
            sweeps += 1;
            for (n, price) in prices.iter_mut().enumerate() {
                let own = matrix[(n, n)].re;
                self.image(matrix, n, &mut g);
                let row = &mut self.rows[n * rank..(n + 1) * rank];
                add(&mut g, C::new(-own, 0.0), row);
                let norm = g.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
                *price = own + norm;
                if norm > 0.0 && norm.is_finite() {
                    row.iter_mut().zip(&g).for_each(|(v, g)| *v = g / norm);
                }
            }
            // The sum of the prices is the value at the row that each was taken at, so between those of two sweeps.
            let value: f64 = prices.iter().sum();
            if value - last <= gain * value.abs() {
                break;
            }
            last = value;
        }
        Climb { prices, sweeps }
    }

    /// Row n of `A V`.
    fn image(&self, matrix: &DMatrix<C>, n: usize, out: &mut [C]) {
        out.fill(ZERO);
        // By columns: A_nm = conj(A_mn).
        for (a, v) in matrix.column(n).iter().zip(self.rows.chunks_exact(self.rank)) {
            add(out, a.conj(), v);
        }
    }

    /// `tr(A X)`.
    pub fn value(&self, matrix: &DMatrix<C>) -> f64 {
        let mut g = vec![ZERO; self.rank];
        let rows = self.rows.chunks_exact(self.rank).enumerate().map(|(n, v)| {
            self.image(matrix, n, &mut g);
            v.iter().zip(&g).map(|(v, g)| v.re * g.re + v.im * g.im).sum::<f64>()
        });
        rows.sum()
    }

    /// `w^H X w`.
    pub fn quadratic(&self, w: &[C]) -> f64 {
        let mut sum = vec![ZERO; self.rank];
        for (v, w) in self.rows.chunks_exact(self.rank).zip(w) {
            add(&mut sum, w.conj(), v);
        }
        sum.iter().map(|z| z.norm_sqr()).sum()
    }

    /// X itself.
    pub fn matrix(&self) -> DMatrix<C> {
        let rows = DMatrix::from_row_slice(self.rows.len() / self.rank, self.rank, &self.rows);
        &rows * rows.adjoint()
    }

    /// Writes `V x` for a drawn `x`, or for the dominant one: the sum of the rows' dominant direction.
    pub fn sample(&self, random: Option<&mut RandomStream>, out: &mut [C]) {
        let x: Vec<C> = match random {
            Some(random) => (0..self.rank).map(|_| random.complex_normal(1.0)).collect(),
            None => self.dominant(),
        };
        for (o, v) in out.iter_mut().zip(self.rows.chunks_exact(self.rank)) {
            *o = v.iter().zip(&x).map(|(v, x)| v * x).sum();
        }
    }

    /// The eigenvalues of X that are not 0 by construction, in rising order.
    pub fn eigenvalues(&self) -> Vec<f64> {
        let gram = self.gram();
        let view = MatRef::from_column_major_slice(gram.as_slice(), self.rank, self.rank);
        view.self_adjoint_eigenvalues(Side::Lower).unwrap_or_default()
    }

    fn dominant(&self) -> Vec<C> {
        let gram = self.gram();
        let view = MatRef::from_column_major_slice(gram.as_slice(), self.rank, self.rank);
        match view.self_adjoint_eigen(Side::Lower) {
            Ok(eigen) => eigen.U().col(self.rank - 1).iter().copied().collect(),
            Err(_) => vec![C::new(1.0, 0.0); self.rank],
        }
    }

    /// `V^H V`.
    fn gram(&self) -> DMatrix<C> {
        let mut gram = DMatrix::<C>::zeros(self.rank, self.rank);
        for v in self.rows.chunks_exact(self.rank) {
            for (column, b) in gram.as_mut_slice().chunks_exact_mut(self.rank).zip(v) {
                column.iter_mut().zip(v).for_each(|(o, a)| *o += a.conj() * b);
            }
        }
        gram
    }
}

/// `sum y + N lambda_max(A - Diag(y))`, rounded up: no `X` of the relaxation, so no unit-modulus vector, has more.
/// Infinite where the prices are no numbers.
pub fn diagonal_bound(matrix: &DMatrix<C>, prices: &[f64]) -> f64 {
    let Some(shift) = dual_shift(matrix, prices) else { return f64::INFINITY };
    let bound = prices.iter().sum::<f64>() + matrix.nrows() as f64 * shift;
    if bound.is_nan() { f64::INFINITY } else { bound }
}

/// `lambda_max(A - Diag(y))` rounded up: with it added to every price, `Diag(y) - A` is semidefinite.
pub(super) fn dual_shift(matrix: &DMatrix<C>, prices: &[f64]) -> Option<f64> {
    let n = matrix.nrows();
    if prices.len() != n || prices.iter().any(|y| !y.is_finite()) {
        return None;
    }
    let mut slack = matrix.clone();
    prices.iter().enumerate().for_each(|(i, y)| slack[(i, i)] -= y);
    let view = MatRef::from_column_major_slice(slack.as_slice(), n, n);
    let values = view.self_adjoint_eigenvalues(Side::Lower).ok()?;
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The error of a backward stable eigenvalue, and of the sums, generously.
    let size = slack.norm() + prices.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
    Some(largest + f64::EPSILON * size * (1.0 + 8.0 * (n as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conic::Sense;
    use crate::conic::hermitian::HermitianProgram;

    fn stream(entity: u64) -> RandomStream {
        RandomStream::keyed(1, "test", "low_rank", entity, 0)
    }

    fn exact(a: &DMatrix<C>) -> f64 {
        let mut program = HermitianProgram::new(Sense::Maximize);
        let x = program.matrix(a.nrows());
        program.trace_at_most(x, a.nrows() as f64);
        (0..a.nrows()).for_each(|i| {
            program.equal(x.entry(i, i), 1.0);
        });
        program.objective(x.inner(a));
        program.solve().objective
    }

    #[test]
    fn it_agrees_with_the_interior_point_method_and_its_bound_holds_at_any_time() {
        for n in [1, 5, 24, 40] {
            let mut stream = stream(n as u64);
            let f = DMatrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
            let a = &f + f.adjoint();
            let optimum = exact(&a);
            let scale = 1e-6 * (1.0 + optimum.abs());
            let mut factor = LowRank::new(n, &mut stream);
            let mut last = f64::NEG_INFINITY;
            for (gain, most, closed) in [(0.0, 1, 1.0), (0.0, 20, 0.2), (1e-12, 5000, 1e-4)] {
                let climb = factor.climb(&a, gain, most);
                let value = factor.value(&a);
                assert!(value >= last - scale && value <= optimum + scale, "{n}");
                last = value;
                let bound = diagonal_bound(&a, &climb.prices);
                assert!(bound >= optimum - scale, "{n}: {bound} {optimum}");
                assert!(bound <= optimum + closed * (1.0 + optimum.abs()), "{n} {most}: {bound} {optimum}");
            }
            assert!((last - optimum).abs() < 1e-5 * (1.0 + optimum.abs()), "{n}: {last} {optimum}");
        }
    }

    #[test]
    fn samples_of_unit_modulus_stay_below_the_bound() {
        let n = 30;
        let mut stream = stream(100);
        let f = DMatrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
        let a = &f + f.adjoint();
        let mut factor = LowRank::new(n, &mut stream);
        let climb = factor.climb(&a, 0.0, 15);
        let x = factor.matrix();
        let value: f64 = x.iter().zip(a.iter()).map(|(x, a)| x.re * a.re + x.im * a.im).sum();
        assert!((factor.value(&a) - value).abs() < 1e-9 * value.abs());
        assert!((0..n).all(|i| (x[(i, i)].re - 1.0).abs() < 1e-12));
        let w: Vec<C> = (0..n).map(|_| stream.complex_normal(1.0)).collect();
        let v = nalgebra::DVector::from_vec(w.clone());
        assert!((factor.quadratic(&w) - (v.adjoint() * &x * &v)[(0, 0)].re).abs() < 1e-9);
        // The spectrum adds to N.
        let bound = diagonal_bound(&a, &climb.prices);
        assert!((factor.eigenvalues().iter().sum::<f64>() - n as f64).abs() < 1e-9);
        let mut x = vec![ZERO; n];
        for draw in 0..50 {
            factor.sample(if draw == 0 { None } else { Some(&mut stream) }, &mut x);
            let v: Vec<C> = x.iter().map(|x| x / x.norm()).collect();
            let value: f64 = (0..n).map(|i| (0..n).map(|j| (v[i].conj() * a[(i, j)] * v[j]).re).sum::<f64>()).sum();
            assert!(value <= bound, "{value} {bound}");
        }
    }
}
