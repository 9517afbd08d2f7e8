//! Products.

use super::*;

#[test]
fn gemm_multiplies_with_and_without_transposes() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(1);
        for (m, n, k) in [(1, 1, 1), (3, 4, 2), (5, 2, 7), (19, 23, 17), (2, 3, 0)] {
            for (ta, tb) in [(b'N', b'N'), (b'T', b'N'), (b'n', b't'), (b'C', b'T')] {
                for beta in [0.0, 1.0, -0.5] {
                    let (a, b) = (numbers.matrix(m, k), numbers.matrix(k, n));
                    let mut c = numbers.matrix(m, n);
                    if beta == 0.0 {
                        c.put(0, 0, f64::NAN);
                    }
                    let before = c.clone();
                    let (sa, sb) = (
                        if ta.eq_ignore_ascii_case(&b'N') { a.clone() } else { a.turned() },
                        if tb.eq_ignore_ascii_case(&b'N') { b.clone() } else { b.turned() },
                    );
                    c.data = call!(single, dgemm_, sgemm_, |Real, gemm, cast| {
                        let (da, db, mut dc) = (cast(&sa.data), cast(&sb.data), cast(&c.data));
                        let (alpha, beta) = (1.5 as Real, beta as Real);
                        let (m, n, k) = (m as c_int, n as c_int, k as c_int);
                        unsafe {
                            gemm(
                                &letter(ta),
                                &letter(tb),
                                &m,
                                &n,
                                &k,
                                &alpha,
                                da.as_ptr(),
                                &sa.leading,
                                db.as_ptr(),
                                &sb.leading,
                                &beta,
                                dc.as_mut_ptr(),
                                &c.leading,
                            );
                        }
                        back!(dc)
                    });
                    for j in 0..n {
                        for i in 0..m {
                            let old = if beta == 0.0 { 0.0 } else { beta * before.at(i, j) };
                            let sum: f64 = (0..k).map(|l| a.at(i, l) * b.at(l, j)).sum();
                            close(c.at(i, j), 1.5 * sum + old, tolerance);
                        }
                    }
                    assert!(c.marked());
                }
            }
        }
    }
}

#[test]
fn vectors_are_multiplied_with_any_increment() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(2);
        for (m, n) in [(1, 1), (3, 5), (6, 4)] {
            for (trans, incx, incy) in [(b'N', 1, 1), (b'T', 2, 1), (b'N', -1, 2), (b'T', -2, -3)] {
                let turned = trans == b'T';
                let a = numbers.matrix(m, n);
                let (rows, columns) = if turned { (n, m) } else { (m, n) };
                let (x, y) = (numbers.matrix(20, 1).data, numbers.matrix(20, 1).data);
                let place = |i: usize, length: usize, step: c_int| match step > 0 {
                    true => i * step as usize,
                    false => (length - 1 - i) * step.unsigned_abs() as usize,
                };
                let found = call!(single, dgemv_, sgemv_, |Real, gemv, cast| {
                    let (da, dx, mut dy) = (cast(&a.data), cast(&x), cast(&y));
                    let (m, n, alpha, beta) = (m as c_int, n as c_int, 2.0 as Real, 0.5 as Real);
                    unsafe {
                        gemv(
                            &letter(trans),
                            &m,
                            &n,
                            &alpha,
                            da.as_ptr(),
                            &a.leading,
                            dx.as_ptr(),
                            &incx,
                            &beta,
                            dy.as_mut_ptr(),
                            &incy,
                        );
                    }
                    back!(dy)
                });
                let mut expected = y.clone();
                for i in 0..rows {
                    let entry = |j: usize| if turned { a.at(j, i) } else { a.at(i, j) };
                    let sum: f64 = (0..columns).map(|j| entry(j) * x[place(j, columns, incx)]).sum();
                    expected[place(i, rows, incy)] = 2.0 * sum + 0.5 * y[place(i, rows, incy)];
                }
                found.iter().zip(&expected).for_each(|(a, b)| close(*a, *b, tolerance));
            }
        }
        for uplo in [b'U', b'L'] {
            let n = 5;
            let a = numbers.matrix(n, n);
            let (x, y) = (numbers.matrix(n, 1).data, numbers.matrix(n, 1).data);
            let found = call!(single, dsymv_, ssymv_, |Real, symv, cast| {
                let (da, dx, mut dy) = (cast(&a.data), cast(&x), cast(&y));
                let (n, one, alpha, beta) = (n as c_int, 1, 2.0 as Real, 0.5 as Real);
                unsafe {
                    symv(
                        &letter(uplo),
                        &n,
                        &alpha,
                        da.as_ptr(),
                        &a.leading,
                        dx.as_ptr(),
                        &one,
                        &beta,
                        dy.as_mut_ptr(),
                        &one,
                    );
                }
                back!(dy)
            });
            for i in 0..n {
                let entry = |j: usize| if (i >= j) == (uplo == b'L') { a.at(i, j) } else { a.at(j, i) };
                let sum: f64 = (0..n).map(|j| entry(j) * x[j]).sum();
                close(found[i], 2.0 * sum + 0.5 * y[i], tolerance);
            }
        }
    }
}

#[test]
fn rank_updates_write_one_triangle() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(3);
        for (n, k) in [(1, 1), (4, 3), (20, 17)] {
            for (uplo, trans, beta) in [(b'U', b'N', 0.0), (b'L', b'N', 1.0), (b'U', b'T', -2.0), (b'L', b'T', 0.0)] {
                let (a, b, c) = (numbers.matrix(n, k), numbers.matrix(n, k), numbers.matrix(n, n));
                let given = |x: &Stored| if trans == b'N' { x.clone() } else { x.turned() };
                let (sa, sb) = (given(&a), given(&b));
                let mut once = c.clone();
                once.data = call!(single, dsyrk_, ssyrk_, |Real, syrk, cast| {
                    let (da, mut dc) = (cast(&sa.data), cast(&c.data));
                    let (n, k, alpha, beta) = (n as c_int, k as c_int, 1.5 as Real, beta as Real);
                    unsafe {
                        syrk(
                            &letter(uplo),
                            &letter(trans),
                            &n,
                            &k,
                            &alpha,
                            da.as_ptr(),
                            &sa.leading,
                            &beta,
                            dc.as_mut_ptr(),
                            &c.leading,
                        );
                    }
                    back!(dc)
                });
                let mut twice = c.clone();
                twice.data = call!(single, dsyr2k_, ssyr2k_, |Real, syr2k, cast| {
                    let (da, db, mut dc) = (cast(&sa.data), cast(&sb.data), cast(&c.data));
                    let (n, k, alpha, beta) = (n as c_int, k as c_int, 1.5 as Real, beta as Real);
                    unsafe {
                        syr2k(
                            &letter(uplo),
                            &letter(trans),
                            &n,
                            &k,
                            &alpha,
                            da.as_ptr(),
                            &sa.leading,
                            db.as_ptr(),
                            &sb.leading,
                            &beta,
                            dc.as_mut_ptr(),
                            &c.leading,
                        );
                    }
                    back!(dc)
                });
                for j in 0..n {
                    for i in 0..n {
                        let own = if uplo == b'U' { i <= j } else { i >= j };
                        let product = |a: &Stored, b: &Stored| (0..k).map(|l| a.at(i, l) * b.at(j, l)).sum::<f64>();
                        let old = c.at(i, j);
                        let (first, second) = match own {
                            true => (1.5 * product(&a, &a), 1.5 * (product(&a, &b) + product(&b, &a))),
                            false => (0.0, 0.0),
                        };
                        let kept = if own { beta * old } else { old };
                        close(once.at(i, j), first + kept, tolerance);
                        close(twice.at(i, j), second + kept, tolerance);
                    }
                }
                assert!(once.marked() && twice.marked());
            }
        }
    }
}
