//! Numerical Fisher information: the ground truth for every Cramér-Rao bound.
//!
//! A receiver observes `y = s(u) + n` with unknown real parameters `u` and white circular noise `CN(0, sigma² I)`.
//! Its information matrix is `J = 2 / sigma² Re(D^H D)`, `D = ds/du`. Here D comes from the raw signal by central
//! differences, extrapolated to step 0: no analytic derivative takes part.

use nalgebra::{DMatrix, SymmetricEigen};
use num_complex::Complex;

use crate::math::derivative;

/// An unknown real parameter of a signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// What it is, with its unit.
    pub name: String,
    /// Its true value.
    pub value: f64,
    /// The change over which the signal varies smoothly, at most about a radian of phase: the largest step of the
    /// differences. Not 0.
    pub step: f64,
    /// The metric, and the entry of it, that claims to be this parameter's Cramér-Rao bound.
    pub bounded_by: Option<(&'static str, usize)>,
}

/// Writes a noiseless signal for given parameters.
pub type MeanSignal = Box<dyn Fn(&[f64], &mut [Complex<f64>]) + Send + Sync>;

/// A noiseless signal as a function of all its unknown parameters, nuisances included.
pub struct Signal {
    /// The parameters.
    pub unknowns: Vec<Unknown>,
    /// `sigma²` of the noise on each sample.
    pub noise_power: f64,
    /// The number of complex samples.
    pub samples: usize,
    /// Writes the signal for given parameters.
    pub mean: MeanSignal,
}

impl Signal {
    /// The Fisher information at the true parameters. Cost: 14 signals a parameter.
    pub fn information(&self) -> FisherInformation {
        let truth: Vec<f64> = self.unknowns.iter().map(|u| u.value).collect();
        let derivatives: Vec<_> = (0..truth.len()).map(|i| self.derivative(&truth, i)).collect();
        let matrix = DMatrix::from_fn(truth.len(), truth.len(), |i, j| {
            let product: f64 = derivatives[i].iter().zip(&derivatives[j]).map(|(a, b)| a * b).sum();
            2.0 / self.noise_power * product
        });
        FisherInformation { matrix }
    }

    /// The derivative in one parameter, real and imaginary parts in turn.
    fn derivative(&self, truth: &[f64], parameter: usize) -> Vec<f64> {
        let mut at = truth.to_vec();
        let mut mean = vec![Complex::default(); self.samples];
        let write = |offset: f64, out: &mut [f64]| {
            at[parameter] = truth[parameter] + offset;
            (self.mean)(&at, &mut mean);
            for (pair, s) in out.chunks_exact_mut(2).zip(&mean) {
                pair.copy_from_slice(&[s.re, s.im]);
            }
        };
        derivative(2 * self.samples, self.unknowns[parameter].step, write).0
    }
}

/// A Fisher information matrix, in the order of its signal's unknowns.
#[derive(Clone, Debug, PartialEq)]
pub struct FisherInformation {
    /// J.
    pub matrix: DMatrix<f64>,
}

impl FisherInformation {
    /// J scaled to a unit diagonal; none where a parameter leaves no trace in the signal.
    fn scaled(&self) -> Option<DMatrix<f64>> {
        let scale = self.matrix.diagonal().map(f64::sqrt);
        let scaled = DMatrix::from_fn(scale.len(), scale.len(), |i, j| self.matrix[(i, j)] / scale[i] / scale[j]);
        scaled.iter().all(|x| x.is_finite()).then_some(scaled)
    }

    /// The condition number of J scaled to a unit diagonal; infinite where a parameter leaves no trace.
    pub fn condition(&self) -> f64 {
        let Some(scaled) = self.scaled() else { return f64::INFINITY };
        let eigenvalues = scaled.symmetric_eigenvalues();
        let least = eigenvalues.min();
        if least > 0.0 { eigenvalues.max() / least } else { f64::INFINITY }
    }

    /// The Cramér-Rao bound of each parameter, all others unknown: the diagonal of the inverse. Infinite where J is
    /// singular to working precision (condition above 1e13 after scaling).
    pub fn bounds(&self) -> Vec<f64> {
        let unknown = vec![f64::INFINITY; self.matrix.nrows()];
        if self.condition() > 1e13 {
            return unknown;
        }
        let Some(scaled) = self.scaled() else { return unknown };
        let eigen = SymmetricEigen::new(scaled);
        let vectors = &eigen.eigenvectors;
        (0..unknown.len())
            .map(|i| {
                let inverse: f64 = (0..unknown.len()).map(|k| vectors[(i, k)].powi(2) / eigen.eigenvalues[k]).sum();
                inverse / self.matrix[(i, i)]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of unknown amplitude, phase and frequency over n samples from 0: known bounds (Rife and Boorstyn 1974).
    fn tone(samples: usize, frequency: f64) -> Signal {
        let unknown = |name: &str, value, step| Unknown { name: name.into(), value, step, bounded_by: None };
        Signal {
            unknowns: vec![
                unknown("amplitude", 3.0, 1.0),
                unknown("phase", 0.4, 0.3),
                unknown("frequency", frequency, 1.0 / samples as f64),
            ],
            noise_power: 0.5,
            samples,
            mean: Box::new(|u, out| {
                for (n, s) in out.iter_mut().enumerate() {
                    *s = Complex::from_polar(u[0], u[1] + u[2] * n as f64);
                }
            }),
        }
    }

    #[test]
    fn the_bounds_of_a_tone_are_those_of_the_books() {
        for samples in [4, 32, 200] {
            let n = samples as f64;
            let bounds = tone(samples, 0.7).information().bounds();
            let snr = 9.0 / 0.5;
            let expected = [0.25 / n, (2.0 * n - 1.0) / (snr * n * (n + 1.0)), 6.0 / (snr * n * (n * n - 1.0))];
            for (bound, expected) in bounds.iter().zip(expected) {
                assert!((bound / expected - 1.0).abs() < 1e-9, "{samples}: {bound} {expected}");
            }
        }
    }

    #[test]
    fn what_cannot_be_told_apart_has_an_infinite_bound() {
        // One sample: phase and frequency cannot be told apart, and frequency leaves no trace.
        let information = tone(1, 0.7).information();
        assert_eq!(information.condition(), f64::INFINITY);
        assert!(information.bounds().iter().all(|b| *b == f64::INFINITY));
    }
}
