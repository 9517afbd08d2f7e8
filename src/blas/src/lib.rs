//! The BLAS and LAPACK routines that Clarabel's semidefinite cones call, under their Fortran names, on top of faer: no
//! system library is needed. A program links them by naming this crate once: `use isacopt_blas as _;`.
//!
//! They follow LAPACK's definitions for what Clarabel asks, with two exceptions. Options that it never uses are refused
//! by a negative `info` (a range of eigenvalues, singular vectors in place of the matrix). And where an eigenvalue or a
//! singular value cannot be found, as in a matrix that holds a NaN, the values are NaN and `info` is 0: Clarabel panics at
//! any other `info`, whereas a NaN ends its iterations.
//!
//! One thread. Matrices are column-major with a leading dimension; all arguments are pointers. No function here checks
//! its pointers: see the safety note of each.

mod dense;
mod exports;
#[cfg(test)]
mod tests;

pub use exports::*;
