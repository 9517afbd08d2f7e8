//! Dense complex kernels of the interior-point method: products, Cholesky factors, inverses, extreme eigenvalues.
//!
//! Small sizes (beamforming: 8 x 8) are done in plain loops, larger ones by faer, always on one thread.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, MatRef, Par};
use nalgebra::DMatrix;
use num_complex::Complex;

/// A complex number.
pub type C = Complex<f64>;
/// A dense complex matrix, column-major.
pub(super) type Matrix = DMatrix<C>;

pub(super) const ZERO: C = C::new(0.0, 0.0);
pub(super) const ONE: C = C::new(1.0, 0.0);

/// Up to this size plain loops are faster than faer's blocks.
pub(super) const SMALL: usize = 16;

fn view(a: &Matrix) -> MatRef<'_, C> {
    MatRef::from_column_major_slice(a.as_slice(), a.nrows(), a.ncols())
}

fn view_mut(a: &mut Matrix) -> MatMut<'_, C> {
    let (rows, columns) = a.shape();
    MatMut::from_column_major_slice_mut(a.as_mut_slice(), rows, columns)
}

/// `out = a b`.
pub(super) fn multiply(out: &mut Matrix, a: &Matrix, b: &Matrix) {
    if a.nrows() <= SMALL && a.ncols() <= SMALL {
        let (rows, inner) = a.shape();
        let (a, b) = (a.as_slice(), b.as_slice());
        for (column, b) in out.as_mut_slice().chunks_exact_mut(rows).zip(b.chunks_exact(inner)) {
            column.fill(ZERO);
            for (a, factor) in a.chunks_exact(rows).zip(b) {
                axpy(column, *factor, a);
            }
        }
    } else {
        matmul(view_mut(out), Accum::Replace, view(a), view(b), ONE, Par::Seq);
    }
}

/// `out = a b^H`.
pub(super) fn multiply_by_adjoint(out: &mut Matrix, a: &Matrix, b: &Matrix) {
    matmul(view_mut(out), Accum::Replace, view(a), view(b).adjoint(), ONE, Par::Seq);
}

/// `out += a b^H`.
pub(super) fn add_multiply_by_adjoint(out: &mut Matrix, a: &Matrix, b: &Matrix) {
    matmul(view_mut(out), Accum::Add, view(a), view(b).adjoint(), ONE, Par::Seq);
}

/// `a^H b`.
#[inline]
pub(super) fn dot(a: &[C], b: &[C]) -> C {
    let (mut re, mut im) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        re += a.re * b.re + a.im * b.im;
        im += a.re * b.im - a.im * b.re;
    }
    C::new(re, im)
}

/// `out = a^H b`.
pub(super) fn multiply_adjoint(out: &mut Matrix, a: &Matrix, b: &Matrix) {
    if a.nrows() <= SMALL {
        let n = a.nrows();
        let rows = out.nrows();
        for (column, b) in out.as_mut_slice().chunks_exact_mut(rows).zip(b.as_slice().chunks_exact(n)) {
            column.iter_mut().zip(a.as_slice().chunks_exact(n)).for_each(|(o, a)| *o = dot(a, b));
        }
        return;
    }
    matmul(view_mut(out), Accum::Replace, view(a).adjoint(), view(b), ONE, Par::Seq);
}

/// `out += factor a`.
#[inline]
pub(super) fn axpy(out: &mut [C], factor: C, a: &[C]) {
    for (o, a) in out.iter_mut().zip(a) {
        o.re += factor.re * a.re - factor.im * a.im;
        o.im += factor.re * a.im + factor.im * a.re;
    }
}

/// The real inner product `Re tr(a b)` of Hermitian matrices.
pub(super) fn inner(a: &Matrix, b: &Matrix) -> f64 {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a.re * b.re + a.im * b.im).sum()
}

/// `a += factor b`.
pub(super) fn add(a: &mut Matrix, factor: f64, b: &Matrix) {
    for (a, b) in a.as_mut_slice().iter_mut().zip(b.as_slice()) {
        a.re += factor * b.re;
        a.im += factor * b.im;
    }
}

/// Replaces a square matrix by its Hermitian part.
pub(super) fn make_hermitian(a: &mut Matrix) {
    for j in 0..a.ncols() {
        a[(j, j)].im = 0.0;
        for i in 0..j {
            let mean = 0.5 * (a[(i, j)] + a[(j, i)].conj());
            a[(i, j)] = mean;
            a[(j, i)] = mean.conj();
        }
    }
}

/// The lower Cholesky factor of a Hermitian matrix, zeros above the diagonal; whether it is positive definite.
pub(super) fn cholesky(a: &Matrix, lower: &mut Matrix) -> bool {
    let n = a.nrows();
    lower.copy_from(a);
    if n <= SMALL {
        return cholesky_in_place(lower.as_mut_slice(), n);
    }
    let mut scratch = MemBuffer::new(factor::cholesky_in_place_scratch::<C>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut scratch);
    let done = factor::cholesky_in_place(view_mut(lower), Default::default(), Par::Seq, stack, Default::default());
    for j in 1..n {
        lower.column_mut(j).rows_mut(0, j).fill(ZERO);
    }
    done.is_ok() && (0..n).all(|i| lower[(i, i)].re.is_finite() && lower[(i, i)].re > 0.0)
}

fn cholesky_in_place(a: &mut [C], n: usize) -> bool {
    for j in 0..n {
        let (done, rest) = a.split_at_mut(j * n);
        let column = &mut rest[..n];
        for earlier in done.chunks_exact(n) {
            let factor = -earlier[j].conj();
            axpy(&mut column[j..], factor, &earlier[j..]);
        }
        let pivot = column[j].re;
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        let root = pivot.sqrt();
        column[..j].fill(ZERO);
        column[j] = C::new(root, 0.0);
        for x in &mut column[j + 1..] {
            *x /= root;
        }
    }
    true
}

/// The inverse of a lower triangular matrix, zeros above the diagonal.
pub(super) fn invert_lower(lower: &Matrix, out: &mut Matrix) {
    let n = lower.nrows();
    out.fill(ZERO);
    if n > SMALL {
        invert_lower_triangular(view_mut(out), view(lower), Par::Seq);
        return;
    }
    let l = lower.as_slice();
    for (j, column) in out.as_mut_slice().chunks_exact_mut(n).enumerate() {
        column[j] = ONE;
        for (k, source) in l.chunks_exact(n).enumerate().skip(j) {
            let x = column[k] / source[k].re;
            column[k] = x;
            axpy(&mut column[k + 1..], -x, &source[k + 1..]);
        }
    }
}

/// The inverse of a Hermitian positive definite matrix from the inverse of its Cholesky factor: `L^-H L^-1`.
pub(super) fn inverse_from(inverse_lower: &Matrix, out: &mut Matrix) {
    let n = inverse_lower.nrows();
    if n > SMALL {
        // Only the lower triangle, from triangles.
        let (l, out) = (view(inverse_lower), view_mut(out));
        triangular::matmul(
            out,
            BlockStructure::TriangularLower,
            Accum::Replace,
            l.adjoint(),
            BlockStructure::TriangularUpper,
            l,
            BlockStructure::TriangularLower,
            ONE,
            Par::Seq,
        );
    } else {
        let l = inverse_lower.as_slice();
        for j in 0..n {
            for i in 0..=j {
                let (a, b) = (&l[i * n + j..(i + 1) * n], &l[j * n + j..(j + 1) * n]);
                let entry: C = a.iter().zip(b).map(|(a, b)| a.conj() * b).sum();
                out[(j, i)] = entry.conj();
            }
        }
    }
    mirror(out);
}

/// Writes the adjoint of the lower triangle above it.
fn mirror(a: &mut Matrix) {
    for j in 0..a.ncols() {
        a[(j, j)].im = 0.0;
        for i in 0..j {
            a[(i, j)] = a[(j, i)].conj();
        }
    }
}

/// `out = a x`.
fn apply(out: &mut [C], a: &Matrix, x: &[C]) {
    if a.nrows() > SMALL {
        let out = MatMut::from_column_major_slice_mut(out, x.len(), 1);
        let x = MatRef::from_column_major_slice(x, x.len(), 1);
        return matmul(out, Accum::Replace, view(a), x, ONE, Par::Seq);
    }
    out.fill(ZERO);
    for (column, factor) in a.as_slice().chunks_exact(a.nrows()).zip(x) {
        axpy(out, *factor, column);
    }
}

/// `out = a^H x`.
fn apply_adjoint(out: &mut [C], a: &Matrix, x: &[C]) {
    if a.nrows() > SMALL {
        let out = MatMut::from_column_major_slice_mut(out, x.len(), 1);
        let x = MatRef::from_column_major_slice(x, x.len(), 1);
        return matmul(out, Accum::Replace, view(a).adjoint(), x, ONE, Par::Seq);
    }
    for (o, column) in out.iter_mut().zip(a.as_slice().chunks_exact(a.nrows())) {
        let (mut re, mut im) = (0.0, 0.0);
        for (a, x) in column.iter().zip(x) {
            re += a.re * x.re + a.im * x.im;
            im += a.re * x.im - a.im * x.re;
        }
        *o = C::new(re, im);
    }
}

/// Scratch for [`least_eigenvalue`].
pub(super) struct Lanczos {
    /// Any fixed vector without zeros serves; an irrational rotation is never orthogonal by structure.
    start: Vec<C>,
    basis: Vec<C>,
    diagonal: Vec<f64>,
    off: Vec<f64>,
    one: Vec<C>,
    two: Vec<C>,
}

/// More Lanczos steps than this are not taken: the caller verifies by a Cholesky factor anyway.
const MOST_STEPS: usize = 24;

impl Lanczos {
    pub fn new(n: usize) -> Self {
        let steps = n.min(MOST_STEPS);
        let start = (0..n).map(|i| C::from_polar(1.0 + 0.3 * (1.7 * i as f64).sin(), 2.399_963 * i as f64));
        let mut start: Vec<C> = start.collect();
        let norm = start.iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt();
        start.iter_mut().for_each(|x| *x /= norm);
        Self {
            start,
            basis: vec![ZERO; n * steps],
            diagonal: vec![0.0; steps],
            off: vec![0.0; steps],
            one: vec![ZERO; n],
            two: vec![ZERO; n],
        }
    }
}

/// The least eigenvalue of `K d K^H` for Hermitian `d` and `K` an inverse Cholesky factor, to about the share `settled` and
/// rather too low where it is negative. An estimate whose change over two steps is below that share is taken, and widened
/// by it for safety.
pub(super) fn least_eigenvalue(inverse_lower: &Matrix, d: &Matrix, settled: f64, work: &mut Lanczos) -> f64 {
    let n = d.nrows();
    if n <= 2 {
        return least_of_two(inverse_lower, d);
    }
    let steps = n.min(MOST_STEPS);
    work.basis[..n].copy_from_slice(&work.start);
    let mut least = f64::INFINITY;
    let mut size = 0.0_f64;
    for k in 0..steps {
        let (known, next) = work.basis.split_at_mut((k + 1) * n);
        let v = &known[k * n..];
        apply_adjoint(&mut work.one, inverse_lower, v);
        apply(&mut work.two, d, &work.one);
        apply(&mut work.one, inverse_lower, &work.two);
        let w = &mut work.one;
        work.diagonal[k] = v.iter().zip(w.iter()).map(|(v, w)| v.re * w.re + v.im * w.im).sum();
        size = size.max(work.diagonal[k].abs());
        // Orthogonal to all before: short recurrences lose it.
        for earlier in known.chunks_exact(n) {
            let (mut re, mut im) = (0.0, 0.0);
            for (v, w) in earlier.iter().zip(w.iter()) {
                re += v.re * w.re + v.im * w.im;
                im += v.re * w.im - v.im * w.re;
            }
            axpy(w, C::new(-re, -im), earlier);
        }
        let norm = w.iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt();
        let last = k + 1 == steps || norm <= 1e-13 * size.max(1e-300);
        if last || k >= 5 && k % 2 == 1 {
            let value = least_of_tridiagonal(&work.diagonal[..=k], &work.off[..k]);
            let close = (least - value).abs() <= settled * value.abs();
            least = value;
            if last || close {
                // A basis of the whole space, or an invariant one, leaves nothing to chance.
                let exact = k + 1 == n || norm <= 1e-13 * size.max(1e-300);
                return if exact || least >= 0.0 { least } else { least * (1.0 + settled) };
            }
        }
        work.off[k] = norm;
        next[..n].iter_mut().zip(w.iter()).for_each(|(x, w)| *x = w / norm);
    }
    least
}

/// The least eigenvalue of `K d K^H` for a size of 1 or 2, in closed form.
fn least_of_two(k: &Matrix, d: &Matrix) -> f64 {
    let first = k[(0, 0)].norm_sqr() * d[(0, 0)].re;
    if d.nrows() == 1 {
        return first;
    }
    // The second row of K is (a, b), its first (k, 0).
    let (a, b) = (k[(1, 0)], k[(1, 1)]);
    let across = d[(0, 1)];
    let second = a.norm_sqr() * d[(0, 0)].re + b.norm_sqr() * d[(1, 1)].re + 2.0 * (a * across * b.conj()).re;
    let beside = k[(0, 0)] * (d[(0, 0)] * a.conj() + across * b.conj());
    let (mean, half) = (0.5 * (first + second), 0.5 * (first - second));
    mean - (half * half + beside.norm_sqr()).sqrt()
}

/// The least eigenvalue of a real symmetric tridiagonal matrix, by bisection on its inertia.
fn least_of_tridiagonal(diagonal: &[f64], off: &[f64]) -> f64 {
    let reach = |i: usize| off.get(i).map_or(0.0, |x| x.abs()) + if i > 0 { off[i - 1].abs() } else { 0.0 };
    let mut low = diagonal.iter().enumerate().map(|(i, d)| d - reach(i)).fold(f64::INFINITY, f64::min);
    let mut high = diagonal.iter().copied().fold(f64::INFINITY, f64::min);
    let negative_pivot = |shift: f64| {
        let mut pivot = 1.0;
        for (i, d) in diagonal.iter().enumerate() {
            let before = if i > 0 { off[i - 1] * off[i - 1] / pivot } else { 0.0 };
            pivot = d - shift - before;
            if pivot <= 0.0 {
                return true;
            }
        }
        false
    };
    let width = (high - low).max(1e-300);
    while high - low > 1e-10 * width + 1e-4 * high.abs().min(low.abs()) {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if negative_pivot(middle) { high = middle } else { low = middle }
    }
    low
}

/// The least eigenvalue of a Hermitian matrix, exact to rounding.
pub(super) fn least_eigenvalue_of(a: &Matrix) -> f64 {
    match view(a).self_adjoint_eigenvalues(faer::Side::Lower) {
        Ok(values) => values.first().copied().unwrap_or(0.0),
        Err(_) => f64::NEG_INFINITY,
    }
}

/// Factors the real symmetric matrix of the normal equations in place (lower triangle, column-major); whether it is
/// positive definite.
pub(super) fn real_cholesky(a: &mut [f64], n: usize) -> bool {
    if n > 48 {
        let mut scratch = MemBuffer::new(factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
        let stack = MemStack::new(&mut scratch);
        let matrix = MatMut::from_column_major_slice_mut(a, n, n);
        let done = factor::cholesky_in_place(matrix, Default::default(), Par::Seq, stack, Default::default());
        return done.is_ok() && (0..n).all(|i| a[i * n + i].is_finite());
    }
    for j in 0..n {
        let (done, rest) = a.split_at_mut(j * n);
        let column = &mut rest[..n];
        for earlier in done.chunks_exact(n) {
            let factor = earlier[j];
            column[j..].iter_mut().zip(&earlier[j..]).for_each(|(x, e)| *x -= factor * e);
        }
        let pivot = column[j];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        let root = pivot.sqrt();
        column[j..].iter_mut().for_each(|x| *x /= root);
    }
    true
}

/// Solves with a factor of [`real_cholesky`], in place.
pub(super) fn real_solve(factor: &[f64], n: usize, x: &mut [f64]) {
    for j in 0..n {
        let column = &factor[j * n..(j + 1) * n];
        x[j] /= column[j];
        let value = x[j];
        x[j + 1..].iter_mut().zip(&column[j + 1..]).for_each(|(x, l)| *x -= l * value);
    }
    for j in (0..n).rev() {
        let column = &factor[j * n..(j + 1) * n];
        let sum: f64 = x[j + 1..].iter().zip(&column[j + 1..]).map(|(x, l)| l * x).sum();
        x[j] = (x[j] - sum) / column[j];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;

    fn definite(n: usize, stream: &mut RandomStream) -> Matrix {
        let f = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
        &f * f.adjoint() + Matrix::identity(n, n) * C::new(0.1, 0.0)
    }

    #[test]
    fn kernels_agree_with_nalgebra_at_small_and_large_sizes() {
        let mut stream = RandomStream::keyed(1, "test", "", 0, 0);
        for n in [1, 2, 7, 16, 17, 40] {
            let a = definite(n, &mut stream);
            let (mut l, mut k, mut z) = (a.clone(), a.clone(), a.clone());
            assert!(cholesky(&a, &mut l));
            assert!((&l * l.adjoint() - &a).norm() < 1e-12 * a.norm());
            invert_lower(&l, &mut k);
            inverse_from(&k, &mut z);
            assert!((&a * &z - Matrix::identity(n, n)).norm() < 1e-9);
            let mut product = a.clone();
            multiply(&mut product, &l, &z);
            assert!((product - &l * &z).norm() < 1e-12 * z.norm() * l.norm());
            assert!(!cholesky(&(-&a), &mut l));
        }
    }

    #[test]
    fn least_eigenvalues_are_right() {
        let mut stream = RandomStream::keyed(2, "test", "", 0, 0);
        for n in [1, 2, 3, 8, 20, 60] {
            let a = definite(n, &mut stream);
            let d = {
                let f = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
                &f + f.adjoint()
            };
            let (mut l, mut k) = (a.clone(), a.clone());
            assert!(cholesky(&a, &mut l));
            invert_lower(&l, &mut k);
            let direct = (&k * &d * k.adjoint()).symmetric_eigenvalues().min();
            for settled in [1e-2, 1e-1] {
                let found = least_eigenvalue(&k, &d, settled, &mut Lanczos::new(n));
                assert!((found - direct).abs() < 3.0 * settled * direct.abs(), "{n}: {found} {direct}");
                assert!(n > 2 || (found - direct).abs() < 1e-12 * k.norm_squared() * d.norm(), "{n}: {found} {direct}");
            }
            assert!((least_eigenvalue_of(&d) - d.symmetric_eigenvalues().min()).abs() < 1e-11);
        }
    }
}
