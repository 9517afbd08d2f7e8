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
//! tr(A X) <= sum y + N max(0, lambda_max(A - Diag(y)))
//! ```
//!
//! so that the bound holds however far the sweeps got. A sweep costs N² columns operations for a dense matrix, and
//! `N rank(A)` columns for one that is given by its factor.
//!
//! Sources: Wang, Chang and Kolter, "The mixing method", arXiv:1706.00476, 2017; Burer and Monteiro, Math. Program. 95,
//! 2003, doi:10.1007/s10107-002-0352-8.

use faer::{MatRef, Side};
use nalgebra::DMatrix;

use super::hermitian::C;
use crate::math::RandomStream;

const ZERO: C = C::new(0.0, 0.0);

/// A Hermitian matrix by what the method asks of it.
pub trait Coupling {
    /// N.
    fn size(&self) -> usize;
    /// `A_nn`.
    fn diagonal(&self, n: usize) -> f64;
    /// Takes note of a new `V`.
    fn begin(&mut self, factor: &LowRank);
    /// Row n of `A V`.
    fn row(&self, n: usize, factor: &LowRank, out: &mut [C]);
    /// Takes note that `difference` was added to row n of `V`.
    fn changed(&mut self, n: usize, difference: &[C]);
    /// The matrix itself, for the bound.
    fn dense(&self) -> DMatrix<C>;
}

/// A dense Hermitian matrix.
pub struct DenseCoupling<'a>(pub &'a DMatrix<C>);

impl Coupling for DenseCoupling<'_> {
    fn size(&self) -> usize {
        self.0.nrows()
    }

    fn diagonal(&self, n: usize) -> f64 {
        self.0[(n, n)].re
    }

    fn begin(&mut self, _: &LowRank) {}

    fn row(&self, n: usize, factor: &LowRank, out: &mut [C]) {
        out.fill(ZERO);
        // By columns: A_nm = conj(A_mn).
        for (a, v) in self.0.column(n).iter().zip(factor.rows.chunks_exact(factor.rank)) {
            add(out, a.conj(), v);
        }
    }

    fn changed(&mut self, _: usize, _: &[C]) {}

    fn dense(&self) -> DMatrix<C> {
        self.0.clone()
    }
}

/// `A = sum_r w_r b_r b_r^H` by its vectors; the weights may have any sign.
pub struct FactoredCoupling {
    size: usize,
    weights: Vec<f64>,
    /// Row-major: the entries n of all vectors stand together.
    vectors: Vec<C>,
    diagonal: Vec<f64>,
    /// `b_r^H V`.
    products: Vec<C>,
    rank: usize,
}

impl FactoredCoupling {
    /// From weights and vectors of one length.
    pub fn new(size: usize, terms: &[(f64, Vec<C>)]) -> Self {
        let entry = |n: usize, vector: &[C]| vector.get(n).copied().unwrap_or(ZERO);
        let vectors = (0..size).flat_map(|n| terms.iter().map(move |(_, b)| entry(n, b))).collect();
        let diagonal = (0..size).map(|n| terms.iter().map(|(w, b)| w * entry(n, b).norm_sqr()).sum()).collect();
        let weights = terms.iter().map(|t| t.0).collect();
        Self { size, weights, vectors, diagonal, products: Vec::new(), rank: 0 }
    }

    fn entries(&self, n: usize) -> &[C] {
        &self.vectors[n * self.weights.len()..(n + 1) * self.weights.len()]
    }
}

impl Coupling for FactoredCoupling {
    fn size(&self) -> usize {
        self.size
    }

    fn diagonal(&self, n: usize) -> f64 {
        self.diagonal[n]
    }

    fn begin(&mut self, factor: &LowRank) {
        self.rank = factor.rank;
        self.products.clear();
        self.products.resize(self.weights.len() * factor.rank, ZERO);
        for n in 0..self.size {
            self.changed(n, factor.row(n));
        }
    }

    fn row(&self, n: usize, _: &LowRank, out: &mut [C]) {
        out.fill(ZERO);
        for ((w, b), product) in self.weights.iter().zip(self.entries(n)).zip(self.products.chunks_exact(self.rank)) {
            add(out, b * *w, product);
        }
    }

    fn changed(&mut self, n: usize, difference: &[C]) {
        let count = self.weights.len();
        let entries = &self.vectors[n * count..(n + 1) * count];
        for (b, product) in entries.iter().zip(self.products.chunks_exact_mut(self.rank)) {
            add(product, b.conj(), difference);
        }
    }

    fn dense(&self) -> DMatrix<C> {
        DMatrix::from_fn(self.size, self.size, |i, j| {
            let terms = self.weights.iter().zip(self.entries(i)).zip(self.entries(j));
            terms.map(|((w, a), b)| a * b.conj() * *w).sum()
        })
    }
}

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
    /// `tr(A V V^H)`.
    pub value: f64,
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

    /// A row of `V`.
    pub fn row(&self, n: usize) -> &[C] {
        &self.rows[n * self.rank..(n + 1) * self.rank]
    }

    /// Sweeps until one gains less than `gain` of the value, or as many as given.
    pub fn climb(&mut self, coupling: &mut dyn Coupling, gain: f64, most: usize) -> Climb {
        let size = coupling.size();
        let mut prices = vec![0.0; size];
        let (mut g, mut difference) = (vec![ZERO; self.rank], vec![ZERO; self.rank]);
        coupling.begin(self);
        let (mut last, mut sweeps) = (f64::NEG_INFINITY, 0);
        while sweeps < most {
            sweeps += 1;
            for (n, price) in prices.iter_mut().enumerate() {
                let own = coupling.diagonal(n);
                coupling.row(n, self, &mut g);
                let row = &mut self.rows[n * self.rank..(n + 1) * self.rank];
                add(&mut g, C::new(-own, 0.0), row);
                let norm = g.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt();
                *price = own + norm;
                if norm > 0.0 && norm.is_finite() {
                    for ((v, g), d) in row.iter_mut().zip(&g).zip(&mut difference) {
                        let next = g / norm;
                        *d = next - *v;
                        *v = next;
                    }
                    coupling.changed(n, &difference);
                }
            }
            let value: f64 = prices.iter().sum();
            if value - last <= gain * value.abs() {
                break;
            }
            last = value;
        }
        let value = (0..size).map(|n| {
            coupling.row(n, self, &mut g);
            self.row(n).iter().zip(&g).map(|(v, g)| v.re * g.re + v.im * g.im).sum::<f64>()
        });
        Climb { value: value.sum(), prices, sweeps }
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

/// `sum y + N max(0, lambda_max(A - Diag(y)))`, rounded up: no `X` of the relaxation, so no unit-modulus vector, has
/// more. Infinite where the prices are no numbers.
pub fn diagonal_bound(matrix: &DMatrix<C>, prices: &[f64]) -> f64 {
    let n = matrix.nrows();
    if prices.len() != n || prices.iter().any(|y| !y.is_finite()) {
        return f64::INFINITY;
    }
    let mut slack = matrix.clone();
    prices.iter().enumerate().for_each(|(i, y)| slack[(i, i)] -= y);
    let view = MatRef::from_column_major_slice(slack.as_slice(), n, n);
    let Ok(values) = view.self_adjoint_eigenvalues(Side::Lower) else { return f64::INFINITY };
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // The error of a backward stable eigenvalue, and of the sums, generously.
    let size = slack.norm() + prices.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
    let rounding = 8.0 * f64::EPSILON * size * (n as f64).sqrt();
    let bound = prices.iter().sum::<f64>() + n as f64 * ((largest + rounding).max(0.0) + f64::EPSILON * size);
    if bound.is_nan() { f64::INFINITY } else { bound }
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
                let climb = factor.climb(&mut DenseCoupling(&a), gain, most);
                assert!(climb.value >= last - scale && climb.value <= optimum + scale, "{n}");
                last = climb.value;
                let bound = diagonal_bound(&a, &climb.prices);
                assert!(bound >= optimum - scale, "{n}: {bound} {optimum}");
                assert!(bound <= optimum + closed * (1.0 + optimum.abs()), "{n} {most}: {bound} {optimum}");
            }
            assert!((last - optimum).abs() < 1e-5 * (1.0 + optimum.abs()), "{n}: {last} {optimum}");
        }
    }

    #[test]
    fn a_factored_matrix_takes_the_same_steps_as_a_dense_one() {
        let n = 30;
        let mut stream = stream(100);
        let terms: Vec<(f64, Vec<C>)> =
            [1.0, 0.5, -0.3].iter().map(|w| (*w, (0..n).map(|_| stream.complex_normal(1.0)).collect())).collect();
        let mut factored = FactoredCoupling::new(n, &terms);
        let dense = factored.dense();
        let start = LowRank::new(n, &mut stream);
        let (mut one, mut two) = (start.clone(), start);
        let (a, b) = (one.climb(&mut factored, 0.0, 15), two.climb(&mut DenseCoupling(&dense), 0.0, 15));
        assert!((a.value - b.value).abs() < 1e-9 * b.value.abs());
        assert!(one.rows.iter().zip(&two.rows).all(|(a, b)| (a - b).norm() < 1e-8));
        // A sample of unit modulus is never above the bound, and the spectrum adds to N.
        let bound = diagonal_bound(&dense, &a.prices);
        assert!((one.eigenvalues().iter().sum::<f64>() - n as f64).abs() < 1e-9);
        let mut x = vec![ZERO; n];
        for draw in 0..50 {
            one.sample(if draw == 0 { None } else { Some(&mut stream) }, &mut x);
            let v: Vec<C> = x.iter().map(|x| x / x.norm()).collect();
            let value: f64 = (0..n).map(|i| (0..n).map(|j| (v[i].conj() * dense[(i, j)] * v[j]).re).sum::<f64>()).sum();
            assert!(value <= bound, "{value} {bound}");
        }
    }
}
