//! The routines themselves, on views.

use std::ops::{Add, Div, Mul, Neg, Sub};

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor;
use faer::linalg::cholesky::llt::factor::LltError;
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::traits::RealField;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

/// `f32` or `f64`.
pub trait Real:
    RealField
    + Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Not a number.
    const NAN: Self;
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NAN: Self = f64::NAN;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NAN: Self = f32::NAN;
}

fn triangle(lower: bool) -> BlockStructure {
    if lower { BlockStructure::TriangularLower } else { BlockStructure::TriangularUpper }
}

/// `x = beta x`, where 0 wipes out a NaN.
fn scaled<T: Real>(x: &mut T, beta: T) {
    *x = if beta == T::ZERO { T::ZERO } else { *x * beta };
}

/// Multiplies one triangle, the diagonal included, by `beta`.
fn scale_triangle<T: Real>(mut c: MatMut<'_, T>, lower: bool, beta: T) {
    let n = c.nrows();
    for j in 0..n {
        let rows = if lower { j..n } else { 0..j + 1 };
        rows.for_each(|i| scaled(&mut c[(i, j)], beta));
    }
}

/// `C = alpha A B + beta C`.
pub fn gemm<T: Real>(alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    if beta != T::ONE {
        for j in 0..c.ncols() {
            (0..c.nrows()).for_each(|i| scaled(&mut c[(i, j)], beta));
        }
    }
    matmul(c, Accum::Add, a, b, alpha, Par::Seq);
}

/// One triangle of `C = alpha A A^T + beta C`.
pub fn syrk<T: Real>(lower: bool, alpha: T, a: MatRef<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    scale_triangle(c.as_mut(), lower, beta);
    add_product(lower, alpha, a, a, c);
}

/// One triangle of `C = alpha (A B^T + B A^T) + beta C`.
pub fn syr2k<T: Real>(lower: bool, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    scale_triangle(c.as_mut(), lower, beta);
    add_product(lower, alpha, a, b, c.as_mut());
    add_product(lower, alpha, b, a, c);
}

/// Adds one triangle of `alpha A B^T`.
fn add_product<T: Real>(lower: bool, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, c: MatMut<'_, T>) {
    let whole = BlockStructure::Rectangular;
    triangular::matmul(c, triangle(lower), Accum::Add, a, whole, b.transpose(), whole, alpha, Par::Seq);
}

/// The whole of a symmetric matrix of which one triangle is given.
fn symmetric<T: Real>(lower: bool, a: MatRef<'_, T>) -> Mat<T> {
    Mat::from_fn(a.nrows(), a.nrows(), |i, j| if (i >= j) == lower { a[(i, j)] } else { a[(j, i)] })
}

/// `y = alpha A x + beta y` for a symmetric A of which one triangle is given.
pub fn symv<T: Real>(lower: bool, alpha: T, a: MatRef<'_, T>, x: MatRef<'_, T>, beta: T, y: MatMut<'_, T>) {
    gemm(alpha, symmetric(lower, a).as_ref(), x, beta, y);
}

/// The Cholesky factor in one triangle, from that triangle: `L` or, in the upper one, its transpose. The other triangle
/// is neither read nor written. The order of the first leading minor that is not positive, else 0.
pub fn potrf<T: Real>(lower: bool, a: MatMut<'_, T>) -> usize {
    let mut a = if lower { a } else { a.transpose_mut() };
    let n = a.nrows();
    // faer writes above the diagonal.
    let mut factor = Mat::from_fn(n, n, |i, j| if i >= j { a[(i, j)] } else { T::ZERO });
    let mut scratch = MemBuffer::new(factor::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut scratch);
    let done = factor::cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, Default::default());
    let info = match done {
        Err(LltError::NonPositivePivot { index }) => index + 1,
        // A NaN passes through faer.
        Ok(_) => (0..n).find(|i| factor[(*i, *i)].partial_cmp(&T::ZERO).is_none()).map_or(0, |i| i + 1),
    };
    for j in 0..n {
        (j..n).for_each(|i| a[(i, j)] = factor[(i, j)]);
    }
    info
}

/// Solves with a factor of [`potrf`].
pub fn potrs<T: Real>(lower: bool, factor: MatRef<'_, T>, mut b: MatMut<'_, T>) {
    let l = if lower { factor } else { factor.transpose() };
    solve_lower_triangular_in_place(l, b.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(l.transpose(), b, Par::Seq);
}

/// Solves by Gauss's elimination with row exchanges, which leaves the factors in `A` and in `pivots` the row, from 1,
/// that each was exchanged with. The number, from 1, of the first pivot that is 0, else 0.
pub fn gesv<T: Real>(mut a: MatMut<'_, T>, pivots: &mut [i32], mut b: MatMut<'_, T>) -> usize {
    let n = a.nrows();
    let size = |x: T| if x < T::ZERO { -x } else { x };
    let mut info = 0;
    for k in 0..n {
        let best = (k..n).fold(k, |best, i| if size(a[(i, k)]) > size(a[(best, k)]) { i } else { best });
        pivots[k] = best as i32 + 1;
        if a[(best, k)] == T::ZERO {
            info = if info == 0 { k + 1 } else { info };
            continue;
        }
        for j in 0..n {
            (a[(k, j)], a[(best, j)]) = (a[(best, j)], a[(k, j)]);
        }
        for i in k + 1..n {
            let share = a[(i, k)] / a[(k, k)];
            a[(i, k)] = share;
            (k + 1..n).for_each(|j| a[(i, j)] = a[(i, j)] - share * a[(k, j)]);
        }
    }
    if info != 0 {
        return info;
    }
    for j in 0..b.ncols() {
        for (k, pivot) in pivots.iter().enumerate().take(n) {
            let other = *pivot as usize - 1;
            (b[(k, j)], b[(other, j)]) = (b[(other, j)], b[(k, j)]);
        }
        for i in 0..n {
            b[(i, j)] = (0..i).fold(b[(i, j)], |rest, k| rest - a[(i, k)] * b[(k, j)]);
        }
        for i in (0..n).rev() {
            b[(i, j)] = (i + 1..n).fold(b[(i, j)], |rest, k| rest - a[(i, k)] * b[(k, j)]) / a[(i, i)];
        }
    }
    0
}

/// Eigenvalues in rising order, and eigenvectors where there is a place for them; NaN where they cannot be found.
pub fn syevr<T: Real>(lower: bool, a: MatRef<'_, T>, values: &mut [T], vectors: Option<MatMut<'_, T>>) {
    let side = if lower { Side::Lower } else { Side::Upper };
    match vectors {
        None => match a.self_adjoint_eigenvalues(side) {
            Ok(found) => values.copy_from_slice(&found),
            Err(_) => values.fill(T::NAN),
        },
        Some(mut vectors) => match a.self_adjoint_eigen(side) {
            Ok(found) => {
                values.iter_mut().zip(found.S().column_vector().iter()).for_each(|(v, s)| *v = *s);
                vectors.copy_from(found.U());
            }
            Err(_) => {
                values.fill(T::NAN);
                vectors.fill(T::NAN);
            }
        },
    }
}

/// Singular values in falling order, and as many singular vectors as there are places for; NaN where they cannot be
/// found.
pub fn svd<T: Real>(
    a: MatRef<'_, T>,
    values: &mut [T],
    left: Option<MatMut<'_, T>>,
    right_transposed: Option<MatMut<'_, T>>,
) {
    let least = a.nrows().min(a.ncols());
    let all = left.as_ref().is_some_and(|u| u.ncols() > least)
        || right_transposed.as_ref().is_some_and(|v| v.nrows() > least);
    match if all { a.svd() } else { a.thin_svd() } {
        Ok(found) => {
            values.iter_mut().zip(found.S().column_vector().iter()).for_each(|(v, s)| *v = *s);
            if let Some(mut u) = left {
                let columns = u.ncols();
                u.copy_from(found.U().subcols(0, columns));
            }
            if let Some(mut v) = right_transposed {
                let rows = v.nrows();
                v.copy_from(found.V().subcols(0, rows).transpose());
            }
        }
        Err(_) => {
            values.fill(T::NAN);
            left.into_iter().chain(right_transposed).for_each(|mut x| x.fill(T::NAN));
        }
    }
}
