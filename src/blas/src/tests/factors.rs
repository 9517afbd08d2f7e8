//! Factors and spectra.
#![allow(clippy::useless_conversion, reason = "one macro for both precisions")]

use super::*;

#[test]
fn cholesky_factors_leave_the_other_triangle_alone_and_solve() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(4);
        for n in [1, 2, 5, 40] {
            for uplo in [b'L', b'U'] {
                let whole = numbers.definite(n);
                let lower = uplo == b'L';
                let own = |i: usize, j: usize| if lower { i >= j } else { i <= j };
                let mut a = whole.clone();
                for j in 0..n {
                    (0..n).filter(|i| !own(*i, j)).for_each(|i| a.put(i, j, MARK));
                }
                let b = numbers.matrix(n, 3);
                let mut x = b.clone();
                let (mut info, mut second) = (9, 9);
                (a.data, x.data) = call!(single, dpotrf_, spotrf_, |_Real, potrf, cast| {
                    let (mut da, mut dx) = (cast(&a.data), cast(&b.data));
                    let size = n as c_int;
                    unsafe {
                        potrf(&letter(uplo), &size, da.as_mut_ptr(), &a.leading, &mut info);
                    }
                    let factor = back!(da);
                    dx = call!(single, dpotrs_, spotrs_, |_Inner, potrs, again| {
                        let (da, mut inner) = (again(&factor), again(&back!(dx)));
                        unsafe {
                            potrs(
                                &letter(uplo),
                                &size,
                                &3,
                                da.as_ptr(),
                                &a.leading,
                                inner.as_mut_ptr(),
                                &b.leading,
                                &mut second,
                            );
                        }
                        cast(&back!(inner))
                    });
                    (factor, back!(dx))
                });
                assert_eq!((info, second), (0, 0));
                let entry = |i: usize, j: usize| match lower {
                    true if i >= j => a.at(i, j),
                    false if i >= j => a.at(j, i),
                    _ => 0.0,
                };
                for j in 0..n {
                    for i in 0..n {
                        let product: f64 = (0..n).map(|k| entry(i, k) * entry(j, k)).sum();
                        close(product, whole.at(i, j), 10.0 * tolerance);
                        assert!(own(i, j) || a.at(i, j) == MARK, "{i} {j}");
                    }
                    for column in 0..3 {
                        let product: f64 = (0..n).map(|k| whole.at(j, k) * x.at(k, column)).sum();
                        close(product, b.at(j, column), 2000.0 * tolerance);
                    }
                }
                assert!(a.marked() && x.marked());
            }
        }
        // diag(1, -1, 1): the second minor is not positive. A NaN is not, either.
        for (value, expected) in [(-1.0, 2), (f64::NAN, 2), (0.0, 2)] {
            let info = call!(single, dpotrf_, spotrf_, |_Real, potrf, cast| {
                let mut a = cast(&[1.0, 0.0, 0.0, 0.0, value, 0.0, 0.0, 0.0, 1.0]);
                let mut info = 0;
                unsafe {
                    potrf(&letter(b'L'), &3, a.as_mut_ptr(), &3, &mut info);
                }
                info
            });
            assert_eq!(info, expected, "{value}");
        }
    }
}

#[test]
fn linear_equations_are_solved_with_row_exchanges() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(5);
        for n in [1, 3, 12] {
            let (mut a, b) = (numbers.matrix(n, n), numbers.matrix(n, 2));
            if n > 1 {
                a.put(0, 0, 0.0);
            }
            let (x, pivots, info) = call!(single, dgesv_, sgesv_, |_Real, gesv, cast| {
                let (mut da, mut dx) = (cast(&a.data), cast(&b.data));
                let (mut pivots, mut info) = (vec![0; n], 9);
                let size = n as c_int;
                unsafe {
                    gesv(
                        &size,
                        &2,
                        da.as_mut_ptr(),
                        &a.leading,
                        pivots.as_mut_ptr(),
                        dx.as_mut_ptr(),
                        &b.leading,
                        &mut info,
                    );
                }
                (back!(dx), pivots, info)
            });
            assert_eq!(info, 0);
            assert!(pivots.iter().enumerate().all(|(k, p)| *p > k as c_int && *p <= n as c_int));
            let x = Stored { data: x, ..b.clone() };
            for j in 0..2 {
                for i in 0..n {
                    let product: f64 = (0..n).map(|k| a.at(i, k) * x.at(k, j)).sum();
                    close(product, b.at(i, j), 1000.0 * tolerance);
                }
            }
        }
        let info = call!(single, dgesv_, sgesv_, |_Real, gesv, cast| {
            let (mut a, mut b) = (cast(&[1.0, 2.0, 2.0, 4.0]), cast(&[1.0, 1.0]));
            let (mut pivots, mut info) = (vec![0; 2], 9);
            unsafe {
                gesv(&2, &1, a.as_mut_ptr(), &2, pivots.as_mut_ptr(), b.as_mut_ptr(), &2, &mut info);
            }
            info
        });
        assert_eq!(info, 2);
    }
}

#[test]
fn eigenvalues_rise_and_eigenvectors_belong_to_them() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(6);
        for n in [1, 4, 30] {
            for (job, uplo) in [(b'V', b'U'), (b'N', b'L'), (b'V', b'L')] {
                let a = numbers.matrix(n, n);
                let entry = |i: usize, j: usize| if (i >= j) == (uplo == b'L') { a.at(i, j) } else { a.at(j, i) };
                let (w, z, count, sizes) = call!(single, dsyevr_, ssyevr_, |Real, syevr, cast| {
                    let mut da = cast(&a.data);
                    let (mut w, mut z) = (vec![0.0 as Real; n], vec![0.0 as Real; n * n]);
                    let (mut work, mut iwork, mut m, mut info) = (vec![0.0 as Real; 1], vec![0; 1], 0, 9);
                    let mut places = vec![0; 2 * n];
                    let (size, none, tiny) = (n as c_int, 0, -1.0 as Real);
                    for length in [-1, 1] {
                        unsafe {
                            syevr(
                                &letter(job),
                                &letter(b'A'),
                                &letter(uplo),
                                &size,
                                da.as_mut_ptr(),
                                &a.leading,
                                &tiny,
                                &tiny,
                                &none,
                                &none,
                                &tiny,
                                &mut m,
                                w.as_mut_ptr(),
                                z.as_mut_ptr(),
                                &size,
                                places.as_mut_ptr(),
                                work.as_mut_ptr(),
                                &length,
                                iwork.as_mut_ptr(),
                                &length,
                                &mut info,
                            );
                        }
                        assert_eq!(info, 0);
                    }
                    (back!(w), back!(z), m, (f64::from(work[0]), iwork[0]))
                });
                assert_eq!((count, sizes), (n as c_int, (1.0, 1)));
                assert!(w.windows(2).all(|w| w[0] <= w[1]));
                let trace: f64 = (0..n).map(|i| entry(i, i)).sum();
                close(w.iter().sum(), trace, 100.0 * tolerance);
                let square: f64 = (0..n).map(|i| (0..n).map(|j| entry(i, j).powi(2)).sum::<f64>()).sum();
                close(w.iter().map(|w| w * w).sum(), square, 100.0 * tolerance);
                if job == b'V' {
                    for (k, value) in w.iter().enumerate() {
                        for i in 0..n {
                            let image: f64 = (0..n).map(|j| entry(i, j) * z[k * n + j]).sum();
                            close(image, value * z[k * n + i], 100.0 * tolerance);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn singular_values_fall_and_the_product_is_the_matrix() {
    for (single, tolerance) in PRECISIONS {
        let mut numbers = Numbers(7);
        for (m, n) in [(1, 1), (4, 4), (6, 3), (3, 6), (25, 25)] {
            for (divide, job) in [(true, b'S'), (false, b'S'), (true, b'A'), (false, b'N')] {
                let a = numbers.matrix(m, n);
                let least = m.min(n);
                let (columns, rows) = if job == b'A' { (m, n) } else { (least, least) };
                let (ms, ns, ld) = (m as c_int, n as c_int, rows as c_int);
                let (s, u, vt) = if divide {
                    call!(single, dgesdd_, sgesdd_, |Real, gesdd, cast| {
                        let (mut da, mut s) = (cast(&a.data), vec![0.0 as Real; least]);
                        let (mut u, mut vt) = (vec![0.0 as Real; m * columns], vec![0.0 as Real; rows * n]);
                        let (mut work, mut iwork, mut info) = (vec![0.0 as Real; 1], vec![0; 8 * least], 9);
                        for length in [-1, 1] {
                            unsafe {
                                gesdd(
                                    &letter(job),
                                    &ms,
                                    &ns,
                                    da.as_mut_ptr(),
                                    &a.leading,
                                    s.as_mut_ptr(),
                                    u.as_mut_ptr(),
                                    &ms,
                                    vt.as_mut_ptr(),
                                    &ld,
                                    work.as_mut_ptr(),
                                    &length,
                                    iwork.as_mut_ptr(),
                                    &mut info,
                                );
                            }
                            assert_eq!((info, f64::from(work[0])), (0, 1.0));
                        }
                        (back!(s), back!(u), back!(vt))
                    })
                } else {
                    call!(single, dgesvd_, sgesvd_, |Real, gesvd, cast| {
                        let (mut da, mut s) = (cast(&a.data), vec![0.0 as Real; least]);
                        let (mut u, mut vt) = (vec![0.0 as Real; m * columns], vec![0.0 as Real; rows * n]);
                        let (mut work, mut info) = (vec![0.0 as Real; 1], 9);
                        for length in [-1, 1] {
                            unsafe {
                                gesvd(
                                    &letter(job),
                                    &letter(job),
                                    &ms,
                                    &ns,
                                    da.as_mut_ptr(),
                                    &a.leading,
                                    s.as_mut_ptr(),
                                    u.as_mut_ptr(),
                                    &ms,
                                    vt.as_mut_ptr(),
                                    &ld,
                                    work.as_mut_ptr(),
                                    &length,
                                    &mut info,
                                );
                            }
                            assert_eq!((info, f64::from(work[0])), (0, 1.0));
                        }
                        (back!(s), back!(u), back!(vt))
                    })
                };
                assert!(s.windows(2).all(|s| s[0] >= s[1]) && s[least - 1] >= 0.0);
                let square: f64 = (0..n).map(|j| (0..m).map(|i| a.at(i, j).powi(2)).sum::<f64>()).sum();
                close(s.iter().map(|s| s * s).sum(), square, 100.0 * tolerance);
                if job == b'N' {
                    continue;
                }
                for j in 0..n {
                    for i in 0..m {
                        let product: f64 = (0..least).map(|k| u[k * m + i] * s[k] * vt[j * rows + k]).sum();
                        close(product, a.at(i, j), 100.0 * tolerance);
                    }
                }
                for j in 0..columns {
                    let norm: f64 = u[j * m..(j + 1) * m].iter().map(|x| x * x).sum();
                    close(norm, 1.0, 100.0 * tolerance);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_found_is_not_a_number_and_refused_options_say_so() {
    let (mut a, mut w, mut z) = (vec![f64::NAN; 16], vec![0.0; 4], vec![0.0; 16]);
    let (mut work, mut iwork, mut m, mut info) = ([0.0], [0; 32], 0, 9);
    let (x, none) = (0.0, 0);
    let mut eigen = |range: u8, info: &mut c_int| unsafe {
        dsyevr_(
            &letter(b'V'),
            &letter(range),
            &letter(b'U'),
            &4,
            a.as_mut_ptr(),
            &4,
            &x,
            &x,
            &none,
            &none,
            &x,
            &mut m,
            w.as_mut_ptr(),
            z.as_mut_ptr(),
            &4,
            iwork.as_mut_ptr(),
            work.as_mut_ptr(),
            &1,
            iwork.as_mut_ptr(),
            &1,
            info,
        );
        w[0]
    };
    assert!(eigen(b'A', &mut info).is_nan());
    assert_eq!(info, 0);
    eigen(b'I', &mut info);
    assert_eq!(info, -2);
    let (mut a, mut s) = (vec![f64::NAN; 16], vec![0.0; 4]);
    let (mut u, mut v) = (vec![0.0; 16], vec![0.0; 16]);
    let mut singular = |job: u8, info: &mut c_int| unsafe {
        dgesdd_(
            &letter(job),
            &4,
            &4,
            a.as_mut_ptr(),
            &4,
            s.as_mut_ptr(),
            u.as_mut_ptr(),
            &4,
            v.as_mut_ptr(),
            &4,
            work.as_mut_ptr(),
            &1,
            iwork.as_mut_ptr(),
            info,
        );
        s[0]
    };
    assert!(singular(b'S', &mut info).is_nan());
    assert_eq!(info, 0);
    singular(b'O', &mut info);
    assert_eq!(info, -1);
}
