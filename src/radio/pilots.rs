//! Pilot sequences.

use std::f64::consts::TAU;

use nalgebra::DMatrix;
use num_complex::Complex;

/// Orthogonal unit-norm pilots: column k of the result, `length` x users, is column `assignment[k]` of the unitary
/// DFT matrix. Users of the same number share one pilot.
///
/// Numbers are taken modulo the length: name no more than `length` different pilots, below it.
pub fn orthogonal_pilots(length: usize, assignment: &[usize]) -> DMatrix<Complex<f64>> {
    let norm = 1.0 / (length as f64).sqrt();
    DMatrix::from_fn(length, assignment.len(), |symbol, user| {
        let turns = (symbol * (assignment[user] % length)) % length;
        Complex::from_polar(norm, TAU * turns as f64 / length as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_pilots_are_orthonormal_and_equal_numbers_share_one() {
        let assignment = [0, 3, 4, 3];
        let pilots = orthogonal_pilots(5, &assignment);
        let gram = pilots.adjoint() * &pilots;
        for (i, a) in assignment.iter().enumerate() {
            for (j, b) in assignment.iter().enumerate() {
                let expected = if a == b { 1.0 } else { 0.0 };
                assert!((gram[(i, j)] - expected).norm() < 1e-14);
            }
        }
    }
}
