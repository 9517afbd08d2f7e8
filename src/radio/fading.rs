//! Small-scale fading.

use nalgebra::DMatrix;
use num_complex::Complex;

use crate::math::RandomStream;

/// Draws independent Rayleigh channels: column k of `channels` becomes `CN(0, large_scale_fading[k] I)`.
///
/// `channels` is antennas x users, with one fading coefficient (linear power) a column.
pub fn rayleigh(large_scale_fading: &[f64], stream: &mut RandomStream, channels: &mut DMatrix<Complex<f64>>) {
    for (mut channel, fading) in channels.column_iter_mut().zip(large_scale_fading) {
        let scale = (fading / 2.0).sqrt();
        channel.iter_mut().for_each(|h| *h = Complex::new(scale * stream.normal(), scale * stream.normal()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_its_power_and_no_preferred_phase() {
        let mut stream = RandomStream::keyed(1, "test", "", 0, 0);
        let mut channels = DMatrix::zeros(20_000, 2);
        rayleigh(&[0.5, 3.0], &mut stream, &mut channels);
        for (column, fading) in channels.column_iter().zip([0.5, 3.0]) {
            let power = column.iter().map(|h| h.norm_sqr()).sum::<f64>() / 20_000.0 / fading;
            let pseudo = column.iter().map(|h| h * h).sum::<Complex<f64>>() / 20_000.0 / fading;
            // |h|² has standard deviation 1 in units of its mean.
            assert!((power - 1.0).abs() < 4.0 / 20_000f64.sqrt(), "{power}");
            assert!(pseudo.norm() < 4.0 / 20_000f64.sqrt(), "{pseudo}");
        }
    }
}
