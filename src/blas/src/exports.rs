//! The Fortran names.

use std::ffi::{c_char, c_int};

use faer::{MatMut, MatRef};

use super::dense::{self, Real};

/// Whether a character argument is this letter, in either case.
unsafe fn is(option: *const c_char, letter: u8) -> bool {
    unsafe { (*option as u8).eq_ignore_ascii_case(&letter) }
}

unsafe fn count(x: *const c_int) -> usize {
    unsafe { (*x).max(0) as usize }
}

/// A column-major matrix; transposed where `turned`, its stored size being `rows x columns` then, too.
unsafe fn matrix<'a, T: Real>(at: *const T, rows: usize, columns: usize, leading: *const c_int) -> MatRef<'a, T> {
    unsafe { MatRef::from_raw_parts(at, rows, columns, 1, *leading as isize) }
}

unsafe fn matrix_mut<'a, T: Real>(at: *mut T, rows: usize, columns: usize, leading: *const c_int) -> MatMut<'a, T> {
    unsafe { MatMut::from_raw_parts_mut(at, rows, columns, 1, *leading as isize) }
}

/// `op(A)` of the given size: A itself, or the transpose of what is stored.
unsafe fn operand<'a, T: Real>(
    turned: bool,
    at: *const T,
    rows: usize,
    columns: usize,
    leading: *const c_int,
) -> MatRef<'a, T> {
    unsafe { if turned { matrix(at, columns, rows, leading).transpose() } else { matrix(at, rows, columns, leading) } }
}

/// A vector with an increment as one column. A negative increment runs from the end, as in BLAS.
unsafe fn vector<'a, T: Real>(at: *mut T, length: usize, step: *const c_int) -> MatMut<'a, T> {
    unsafe {
        let step = *step as isize;
        let first = if step < 0 { at.offset(-(length.saturating_sub(1) as isize) * step) } else { at };
        MatMut::from_raw_parts_mut(first, length, 1, step, length.max(1) as isize)
    }
}

/// How many singular vectors a job asks for: of the thin kind, all, or none; nothing where it is refused.
unsafe fn wanted(job: *const c_char, thin: usize, all: usize) -> Option<usize> {
    unsafe {
        match (*job as u8).to_ascii_uppercase() {
            b'S' => Some(thin),
            b'A' => Some(all),
            b'N' => Some(0),
            _ => None,
        }
    }
}

macro_rules! routines {
    ($real:ty, $gemm:ident $gemv:ident $symv:ident $syrk:ident $syr2k:ident $potrf:ident $potrs:ident $gesv:ident
     $syevr:ident $gesdd:ident $gesvd:ident) => {
        /// `C = alpha op(A) op(B) + beta C`.
        ///
        /// # Safety
        /// As BLAS: the pointers and leading dimensions must describe the matrices.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $gemm(
            transa: *const c_char,
            transb: *const c_char,
            m: *const c_int,
            n: *const c_int,
            k: *const c_int,
            alpha: *const $real,
            a: *const $real,
            lda: *const c_int,
            b: *const $real,
            ldb: *const c_int,
            beta: *const $real,
            c: *mut $real,
            ldc: *const c_int,
        ) {
            unsafe {
                let (m, n, k) = (count(m), count(n), count(k));
                let a = operand(!is(transa, b'N'), a, m, k, lda);
                let b = operand(!is(transb, b'N'), b, k, n, ldb);
                dense::gemm(*alpha, a, b, *beta, matrix_mut(c, m, n, ldc));
            }
        }

        /// `y = alpha op(A) x + beta y`.
        ///
        /// # Safety
        /// As BLAS: the pointers, leading dimension and increments must describe the matrix and the vectors.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $gemv(
            trans: *const c_char,
            m: *const c_int,
            n: *const c_int,
            alpha: *const $real,
            a: *const $real,
            lda: *const c_int,
            x: *const $real,
            incx: *const c_int,
            beta: *const $real,
            y: *mut $real,
            incy: *const c_int,
        ) {
            unsafe {
                let turned = !is(trans, b'N');
                let (m, n) = if turned { (count(n), count(m)) } else { (count(m), count(n)) };
                let a = operand(turned, a, m, n, lda);
                dense::gemm(*alpha, a, vector(x.cast_mut(), n, incx).as_ref(), *beta, vector(y, m, incy));
            }
        }

        /// `y = alpha A x + beta y`, A symmetric.
        ///
        /// # Safety
        /// As BLAS: the pointers, leading dimension and increments must describe the matrix and the vectors.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $symv(
            uplo: *const c_char,
            n: *const c_int,
            alpha: *const $real,
            a: *const $real,
            lda: *const c_int,
            x: *const $real,
            incx: *const c_int,
            beta: *const $real,
            y: *mut $real,
            incy: *const c_int,
        ) {
            unsafe {
                let n = count(n);
                let (a, x) = (matrix(a, n, n, lda), vector(x.cast_mut(), n, incx));
                dense::symv(is(uplo, b'L'), *alpha, a, x.as_ref(), *beta, vector(y, n, incy));
            }
        }

        /// One triangle of `C = alpha op(A) op(A)^T + beta C`.
        ///
        /// # Safety
        /// As BLAS: the pointers and leading dimensions must describe the matrices.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $syrk(
            uplo: *const c_char,
            trans: *const c_char,
            n: *const c_int,
            k: *const c_int,
            alpha: *const $real,
            a: *const $real,
            lda: *const c_int,
            beta: *const $real,
            c: *mut $real,
            ldc: *const c_int,
        ) {
            unsafe {
                let (n, k) = (count(n), count(k));
                let a = operand(!is(trans, b'N'), a, n, k, lda);
                dense::syrk(is(uplo, b'L'), *alpha, a, *beta, matrix_mut(c, n, n, ldc));
            }
        }

        /// One triangle of `C = alpha (op(A) op(B)^T + op(B) op(A)^T) + beta C`.
        ///
        /// # Safety
        /// As BLAS: the pointers and leading dimensions must describe the matrices.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $syr2k(
            uplo: *const c_char,
            trans: *const c_char,
            n: *const c_int,
            k: *const c_int,
            alpha: *const $real,
            a: *const $real,
            lda: *const c_int,
            b: *const $real,
            ldb: *const c_int,
            beta: *const $real,
            c: *mut $real,
            ldc: *const c_int,
        ) {
            unsafe {
                let (n, k) = (count(n), count(k));
                let turned = !is(trans, b'N');
                let (a, b) = (operand(turned, a, n, k, lda), operand(turned, b, n, k, ldb));
                dense::syr2k(is(uplo, b'L'), *alpha, a, b, *beta, matrix_mut(c, n, n, ldc));
            }
        }

        /// The Cholesky factor in one triangle; the other is left alone.
        ///
        /// # Safety
        /// As LAPACK: the pointer and leading dimension must describe the matrix.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $potrf(
            uplo: *const c_char,
            n: *const c_int,
            a: *mut $real,
            lda: *const c_int,
            info: *mut c_int,
        ) {
            unsafe {
                let n = count(n);
                *info = dense::potrf(is(uplo, b'L'), matrix_mut(a, n, n, lda)) as c_int;
            }
        }

        /// Solves with a Cholesky factor.
        ///
        /// # Safety
        /// As LAPACK: the pointers and leading dimensions must describe the matrices.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $potrs(
            uplo: *const c_char,
            n: *const c_int,
            nrhs: *const c_int,
            a: *const $real,
            lda: *const c_int,
            b: *mut $real,
            ldb: *const c_int,
            info: *mut c_int,
        ) {
            unsafe {
                let n = count(n);
                dense::potrs(is(uplo, b'L'), matrix(a, n, n, lda), matrix_mut(b, n, count(nrhs), ldb));
                *info = 0;
            }
        }

        /// Solves linear equations with row exchanges.
        ///
        /// # Safety
        /// As LAPACK: the pointers and leading dimensions must describe the matrices, and `ipiv` must have n entries.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $gesv(
            n: *const c_int,
            nrhs: *const c_int,
            a: *mut $real,
            lda: *const c_int,
            ipiv: *mut c_int,
            b: *mut $real,
            ldb: *const c_int,
            info: *mut c_int,
        ) {
            unsafe {
                let n = count(n);
                let pivots = std::slice::from_raw_parts_mut(ipiv, n);
                let (a, b) = (matrix_mut(a, n, n, lda), matrix_mut(b, n, count(nrhs), ldb));
                *info = dense::gesv(a, pivots, b) as c_int;
            }
        }

        /// All eigenvalues of a symmetric matrix in rising order, and its eigenvectors for the job "V". `work` and `iwork`
        /// are not used: a query of their sizes answers 1.
        ///
        /// # Safety
        /// As LAPACK: the pointers and leading dimensions must describe the matrices, and `w` must have n entries.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $syevr(
            jobz: *const c_char,
            range: *const c_char,
            uplo: *const c_char,
            n: *const c_int,
            a: *mut $real,
            lda: *const c_int,
            _vl: *const $real,
            _vu: *const $real,
            _il: *const c_int,
            _iu: *const c_int,
            _abstol: *const $real,
            m: *mut c_int,
            w: *mut $real,
            z: *mut $real,
            ldz: *const c_int,
            _isuppz: *mut c_int,
            work: *mut $real,
            lwork: *const c_int,
            iwork: *mut c_int,
            liwork: *const c_int,
            info: *mut c_int,
        ) {
            unsafe {
                if !is(range, b'A') {
                    *info = -2;
                    return;
                }
                *info = 0;
                if *lwork == -1 || *liwork == -1 {
                    (*work, *iwork) = (1.0, 1);
                    return;
                }
                *m = *n;
                let n = count(n);
                let vectors = if is(jobz, b'V') { Some(matrix_mut(z, n, n, ldz)) } else { None };
                let values = std::slice::from_raw_parts_mut(w, n);
                dense::syevr(is(uplo, b'L'), matrix(a, n, n, lda), values, vectors);
            }
        }

        /// Singular values in falling order, and singular vectors for the jobs "S" and "A". `work` and `iwork` are not used:
        /// a query of the size answers 1.
        ///
        /// # Safety
        /// As LAPACK: the pointers and leading dimensions must describe the matrices, and `s` must have min(m, n) entries.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $gesdd(
            jobz: *const c_char,
            m: *const c_int,
            n: *const c_int,
            a: *mut $real,
            lda: *const c_int,
            s: *mut $real,
            u: *mut $real,
            ldu: *const c_int,
            vt: *mut $real,
            ldvt: *const c_int,
            work: *mut $real,
            lwork: *const c_int,
            _iwork: *mut c_int,
            info: *mut c_int,
        ) {
            unsafe { $gesvd(jobz, jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, info) }
        }

        /// Singular values in falling order, and singular vectors for the jobs "S" and "A". `work` is not used: a query of
        /// its size answers 1.
        ///
        /// # Safety
        /// As LAPACK: the pointers and leading dimensions must describe the matrices, and `s` must have min(m, n) entries.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $gesvd(
            jobu: *const c_char,
            jobvt: *const c_char,
            m: *const c_int,
            n: *const c_int,
            a: *mut $real,
            lda: *const c_int,
            s: *mut $real,
            u: *mut $real,
            ldu: *const c_int,
            vt: *mut $real,
            ldvt: *const c_int,
            work: *mut $real,
            lwork: *const c_int,
            info: *mut c_int,
        ) {
            unsafe {
                let (m, n) = (count(m), count(n));
                let least = m.min(n);
                let (Some(left), Some(right)) = (wanted(jobu, least, m), wanted(jobvt, least, n)) else {
                    *info = -1;
                    return;
                };
                *info = 0;
                if *lwork == -1 {
                    *work = 1.0;
                    return;
                }
                let u = (left > 0).then(|| matrix_mut(u, m, left, ldu));
                let vt = (right > 0).then(|| matrix_mut(vt, right, n, ldvt));
                dense::svd(matrix(a, m, n, lda), std::slice::from_raw_parts_mut(s, least), u, vt);
            }
        }
    };
}

routines!(f64, dgemm_ dgemv_ dsymv_ dsyrk_ dsyr2k_ dpotrf_ dpotrs_ dgesv_ dsyevr_ dgesdd_ dgesvd_);
routines!(f32, sgemm_ sgemv_ ssymv_ ssyrk_ ssyr2k_ spotrf_ spotrs_ sgesv_ ssyevr_ sgesdd_ sgesvd_);
