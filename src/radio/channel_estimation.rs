//! Linear MMSE channel estimation from received pilot blocks, for any pilots.
//!
//! K users send pilots of `tau_p` symbols, unit-norm columns `p_k`, with energy `E = tau_p p_p` each. An array of N
//! antennas with independent Rayleigh channels `h_k ~ CN(0, beta_k I)` receives
//!
//! ```text
//! Y = sqrt(E) sum_k h_k p_k^T + N,      entries of N independent CN(0, sigma²)
//! ```
//!
//! The estimate is `hhat_k = Y conj(c_k)` with `c_k = R^-1 r_k`, `R = E sum_j beta_j p_j p_j^H + sigma² I` and
//! `r_k = sqrt(E) beta_k p_k`: the textbook covariance form, which needs no orthogonality. Its variance an entry is
//! `r_k^H R^-1 r_k`.

use nalgebra::{Cholesky, DMatrix};
use num_complex::Complex;

use crate::error::{Error, Result};
use crate::math::RandomStream;

/// The MMSE estimator of one pilot assignment.
#[derive(Clone, Debug)]
pub struct PilotEstimator {
    /// sqrt(E) times the pilots, users x symbols: what the users send.
    sent: DMatrix<Complex<f64>>,
    /// conj(c_k), symbols x users.
    combiner: DMatrix<Complex<f64>>,
    variance: Vec<f64>,
    noise_power: f64,
}

impl PilotEstimator {
    /// The estimator for `pilots` (symbols x users, unit-norm columns), `energy` = E, and one fading coefficient a
    /// user. Errs where the noise power is not above 0.
    pub fn new(
        pilots: &DMatrix<Complex<f64>>,
        energy: f64,
        large_scale_fading: &[f64],
        noise_power: f64,
    ) -> Result<Self> {
        let symbols = pilots.nrows();
        let mut covariance = DMatrix::from_diagonal_element(symbols, symbols, Complex::new(noise_power, 0.0));
        let mut cross = pilots.clone();
        for (user, fading) in large_scale_fading.iter().enumerate() {
            let pilot = pilots.column(user);
            covariance.gerc(Complex::new(energy * fading, 0.0), &pilot, &pilot, Complex::new(1.0, 0.0));
            cross.column_mut(user).scale_mut(energy.sqrt() * fading);
        }
        let solver = Cholesky::new(covariance)
            .ok_or_else(|| Error::Numerical("the covariance of the received pilots is not positive definite".into()))?;
        let combiner = solver.solve(&cross);
        let variance = cross.column_iter().zip(combiner.column_iter()).map(|(r, c)| r.dotc(&c).re).collect();
        let sent = pilots.transpose() * Complex::new(energy.sqrt(), 0.0);
        Ok(Self { sent, combiner: combiner.conjugate(), variance, noise_power })
    }

    /// The variance of an entry of each estimate.
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// Draws the received block Y (antennas x symbols) for these channels (antennas x users).
    pub fn receive(
        &self,
        channels: &DMatrix<Complex<f64>>,
        stream: &mut RandomStream,
        received: &mut DMatrix<Complex<f64>>,
    ) {
        let scale = (self.noise_power / 2.0).sqrt();
        received.iter_mut().for_each(|y| *y = Complex::new(scale * stream.normal(), scale * stream.normal()));
        received.gemm(Complex::new(1.0, 0.0), channels, &self.sent, Complex::new(1.0, 0.0));
    }

    /// The estimates (antennas x users) from a received block.
    pub fn estimate(&self, received: &DMatrix<Complex<f64>>, estimates: &mut DMatrix<Complex<f64>>) {
        estimates.gemm(Complex::new(1.0, 0.0), received, &self.combiner, Complex::new(0.0, 0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::rayleigh;

    /// Pilots that are neither orthogonal nor equal: the promise is that of MMSE, not of a special case.
    #[test]
    fn errors_are_uncorrelated_with_the_estimates_and_have_the_promised_variance() {
        let mut stream = RandomStream::keyed(4, "test", "", 0, 0);
        let mut pilots = DMatrix::from_fn(3, 4, |_, _| stream.complex_normal(1.0));
        pilots.column_iter_mut().for_each(|mut p| {
            let norm = p.norm();
            p.unscale_mut(norm);
        });
        let fading = [0.3, 1.0, 2.0, 0.7];
        let estimator = PilotEstimator::new(&pilots, 5.0, &fading, 0.8).unwrap();
        let antennas = 40_000;
        let mut channels = DMatrix::zeros(antennas, 4);
        let mut received = DMatrix::zeros(antennas, 3);
        let mut estimates = DMatrix::zeros(antennas, 4);
        rayleigh(&fading, &mut stream, &mut channels);
        estimator.receive(&channels, &mut stream, &mut received);
        estimator.estimate(&received, &mut estimates);
        let band = 5.0 / (antennas as f64).sqrt();
        for (k, fading) in fading.iter().enumerate() {
            let (estimate, channel) = (estimates.column(k), channels.column(k));
            let error = channel - estimate;
            let variance = estimate.norm_squared() / antennas as f64;
            let leak = estimate.dotc(&error).norm() / antennas as f64;
            assert!((variance / estimator.variance()[k] - 1.0).abs() < band, "user {k}: {variance}");
            assert!(leak < band * fading, "user {k}: {leak}");
            assert!(
                (error.norm_squared() / antennas as f64 - (fading - estimator.variance()[k])).abs() < band * fading
            );
        }
    }

    #[test]
    fn users_of_one_pilot_get_estimates_in_the_ratio_of_their_fadings() {
        let pilots = crate::radio::orthogonal_pilots(4, &[1, 2, 1]);
        let fading = [0.5, 1.0, 1.5];
        let estimator = PilotEstimator::new(&pilots, 9.0, &fading, 1.0).unwrap();
        // (6) of paper 001 under reuse.
        assert!((estimator.variance()[0] - 9.0 * 0.25 / (9.0 * 2.0 + 1.0)).abs() < 1e-14);
        assert!((estimator.variance()[1] - 9.0 / 10.0).abs() < 1e-14);
        let mut stream = RandomStream::keyed(5, "test", "", 0, 0);
        let received = DMatrix::from_fn(6, 4, |_, _| stream.complex_normal(1.0));
        let mut estimates = DMatrix::zeros(6, 3);
        estimator.estimate(&received, &mut estimates);
        assert!((estimates.column(2) - estimates.column(0) * Complex::new(3.0, 0.0)).norm() < 1e-13);
    }
}
