//! The processor's wide registers after products of matrices.

use faer::ColRef;

/// Puts the wide registers back into their state of rest: some 40 ns. Matrix products leave the upper parts of the registers in
/// use; with AVX-512 all scalar arithmetic after that, sines and logarithms above all, takes up to fifteen times as long,
/// until somebody clears them. A function compiled for wide registers does so at its end, and a vector's norm is one.
pub fn settle() {
    let lanes = std::hint::black_box([1.0f64; 8]);
    std::hint::black_box(ColRef::from_slice(&lanes[..]).norm_l2());
}
