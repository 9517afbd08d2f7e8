//! Two-dimensional MUSIC with one source: the signal subspace of snapshots, spectra of any response over two angles,
//! peaks refined off the grid, and how ambiguous they are (Schmidt, IEEE Transactions on Antennas and Propagation
//! 34(3), 1986, doi:10.1109/TAP.1986.1143830).
//!
//! With one source the noise projector is `I - e e^H`, e the dominant left singular vector of the snapshots, so that the
//! spectrum of a response `u` is `||u||² / (||u||² - |e^H u|²)`: free of the scale of u, which changes over the angles.

use faer::Mat;
use num_complex::Complex;

use crate::error::{Error, Result};
use crate::math::RandomStream;

/// A response over two angles in rad, as far as MUSIC asks for it.
pub trait Scan: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it scans, in a line.
    fn description(&self) -> &'static str;

    /// The true angles, where they are known.
    fn truth(&self) -> Option<[f64; 2]>;

    /// Makes `(||u||², |e^H u|²)` a function of azimuth and elevation, for one signal vector e.
    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Box<dyn Fn(f64, f64) -> (f64, f64) + Send + Sync + 'a>;
}

/// A design's radar as MUSIC sees it.
pub struct Echoes {
    /// The number of antennas M.
    pub antennas: usize,
    /// Draws the snapshots of one coherence interval, [M][T] row-major.
    pub snapshots: Box<dyn Fn(&mut RandomStream) -> Result<Vec<Complex<f64>>> + Send + Sync>,
    /// The responses to scan.
    pub scans: Vec<Box<dyn Scan>>,
}

/// The dominant left singular vector of snapshots, M antennas by T samples, row-major.
///
/// # Errors
/// Where the singular value decomposition fails, or all snapshots are 0.
pub fn signal_vector(snapshots: &[Complex<f64>], antennas: usize) -> Result<Vec<Complex<f64>>> {
    let samples = snapshots.len() / antennas.max(1);
    let matrix = Mat::from_fn(antennas, samples, |i, j| snapshots[i * samples + j]);
    let failed = || Error::Numerical("the snapshots have no dominant singular vector".into());
    let decomposition = matrix.thin_svd().map_err(|_| failed())?;
    let vectors = decomposition.U();
    if vectors.ncols() == 0 || decomposition.S()[0].re == 0.0 {
        return Err(failed());
    }
    Ok((0..antennas).map(|i| vectors[(i, 0)]).collect())
}

/// What noise leaves of `||u||² - |e^H u|²` where both are equal: no spectrum is higher than its inverse.
const FLOOR: f64 = 1e-15;

/// The spectrum of one pair `(||u||², |e^H u|²)`; 1 where u is 0.
pub fn level(norm: f64, captured: f64) -> f64 {
    if norm > 0.0 { 1.0 / ((norm - captured) / norm).max(FLOOR) } else { 1.0 }
}

/// A spectrum on a grid, and its peak.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Azimuths in rad.
    pub azimuth: Vec<f64>,
    /// Elevations in rad.
    pub elevation: Vec<f64>,
    /// By azimuth, then elevation.
    pub values: Vec<f64>,
}

/// A peak of a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Azimuth and elevation in rad.
    pub angles: [f64; 2],
    /// The spectrum there.
    pub value: f64,
}

impl Spectrum {
    /// Scans a grid.
    pub fn new(scan: &dyn Scan, signal: &[Complex<f64>], azimuth: &[f64], elevation: &[f64]) -> Self {
        let response = scan.against(signal);
        let mut values = Vec::with_capacity(azimuth.len() * elevation.len());
        for x in azimuth {
            values.extend(elevation.iter().map(|y| {
                let (norm, captured) = response(*x, *y);
                level(norm, captured)
            }));
        }
        Self { azimuth: azimuth.to_vec(), elevation: elevation.to_vec(), values }
    }

    /// The value at a point of the grid.
    pub fn value(&self, azimuth: usize, elevation: usize) -> f64 {
        self.values[azimuth * self.elevation.len() + elevation]
    }

    /// The grid's local maxima (of up to eight neighbours), highest first.
    pub fn peaks(&self) -> Vec<Peak> {
        let (rows, columns) = (self.azimuth.len(), self.elevation.len());
        let mut peaks = Vec::new();
        for i in 0..rows {
            for j in 0..columns {
                let own = self.value(i, j);
                let higher = |a: usize, b: usize| {
                    let other = self.value(a, b);
                    // Of equal neighbours the first counts.
                    other > own || other == own && (a, b) < (i, j)
                };
                let near = |at: usize, count: usize| at.saturating_sub(1)..(at + 2).min(count);
                let top = near(i, rows).all(|a| near(j, columns).all(|b| (a, b) == (i, j) || !higher(a, b)));
                if top {
                    peaks.push(Peak { angles: [self.azimuth[i], self.elevation[j]], value: own });
                }
            }
        }
        peaks.sort_by(|a, b| b.value.total_cmp(&a.value));
        peaks
    }

    /// How many peaks reach half of the highest one: 1 where the angles are told apart.
    pub fn ambiguity(&self) -> usize {
        let peaks = self.peaks();
        let highest = peaks.first().map_or(0.0, |p| p.value);
        peaks.iter().filter(|p| p.value >= 0.5 * highest).count()
    }
}

/// Climbs from a grid point to the peak beside it: a search by halving steps, to 1e-10 rad.
pub fn refine(scan: &dyn Scan, signal: &[Complex<f64>], from: Peak, step: f64) -> Peak {
    let response = scan.against(signal);
    // The share of u outside the signal: smooth, with its minimum at the peak.
    let outside = |[x, y]: [f64; 2]| {
        let (norm, captured) = response(x, y);
        if norm > 0.0 { (norm - captured) / norm } else { 1.0 }
    };
    let (mut best, mut step) = (from.angles, 0.5 * step);
    let mut value = outside(best);
    while step > 1e-10 {
        let mut moved = false;
        for (dx, dy) in
            [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0)]
        {
            let trial = [best[0] + step * dx, best[1] + step * dy];
            let found = outside(trial);
            if found < value {
                (best, value, moved) = (trial, found, true);
            }
        }
        if !moved {
            step *= 0.5;
        }
    }
    Peak { angles: best, value: 1.0 / value.max(FLOOR) }
}

/// An even grid over a range in rad, both ends included.
pub fn grid(from: f64, to: f64, points: usize) -> Vec<f64> {
    let last = points.saturating_sub(1).max(1) as f64;
    (0..points).map(|i| from + (to - from) * i as f64 / last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square array at half a wavelength, its direction cosines the two angles.
    struct Plain(usize);

    impl Plain {
        fn response(&self, x: f64, y: f64) -> Vec<Complex<f64>> {
            let n = self.0;
            (0..n * n).map(|i| Complex::cis(3.0 * (x * (i % n) as f64 + y * (i / n) as f64))).collect()
        }
    }

    impl Scan for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }
        fn description(&self) -> &'static str {
            "a plane wave"
        }
        fn truth(&self) -> Option<[f64; 2]> {
            None
        }
        fn against<'a>(&'a self, e: &'a [Complex<f64>]) -> Box<dyn Fn(f64, f64) -> (f64, f64) + Send + Sync + 'a> {
            Box::new(move |x, y| {
                let u = self.response(x, y);
                let inner: Complex<f64> = e.iter().zip(&u).map(|(e, u)| e.conj() * u).sum();
                (u.iter().map(Complex::norm_sqr).sum(), inner.norm_sqr())
            })
        }
    }

    #[test]
    fn the_spectrum_is_that_of_the_noise_subspace_and_finds_the_source_off_the_grid() {
        let (array, truth) = (Plain(4), [0.213, -0.377]);
        let mut draws = RandomStream::keyed(3, "test", "music", 0, 0);
        let (antennas, samples) = (16, 40);
        let source = array.response(truth[0], truth[1]);
        let symbols: Vec<_> = (0..samples).map(|_| draws.complex_normal(100.0)).collect();
        let snapshots: Vec<_> = (0..antennas)
            .flat_map(|i| symbols.iter().map(move |x| (i, *x)).collect::<Vec<_>>())
            .map(|(i, x)| source[i] * x + draws.complex_normal(1e-4))
            .collect();
        let e = signal_vector(&snapshots, antennas).unwrap();
        // The noise subspace written out: the other eigenvectors of the sample covariance.
        let y = nalgebra::DMatrix::from_row_iterator(antennas, samples, snapshots.iter().copied());
        let eigen = (&y * y.adjoint()).symmetric_eigen();
        let dominant = eigen.eigenvalues.imax();
        let axis = grid(-1.0, 1.0, 41);
        let spectrum = Spectrum::new(&array, &e, &axis, &axis);
        for (i, j) in [(3, 7), (20, 11), (24, 13), (40, 40)] {
            let u = nalgebra::DVector::from_vec(array.response(axis[i], axis[j]));
            let noise: f64 = (0..antennas)
                .filter(|k| *k != dominant)
                .map(|k| eigen.eigenvectors.column(k).dotc(&u).norm_sqr())
                .sum();
            let written_out = u.norm_squared() / noise;
            assert!((spectrum.value(i, j) / written_out - 1.0).abs() < 1e-8, "{i} {j}");
        }
        let peaks = spectrum.peaks();
        assert_eq!(spectrum.ambiguity(), 1);
        let peak = refine(&array, &e, peaks[0], 0.05);
        assert!((peak.angles[0] - truth[0]).hypot(peak.angles[1] - truth[1]) < 1e-4, "{peak:?}");
    }

    #[test]
    fn silence_is_an_error_and_a_zero_response_is_level() {
        assert!(signal_vector(&[Complex::default(); 12], 3).is_err());
        assert_eq!(level(0.0, 0.0), 1.0);
        assert!(level(1.0, 1.0).is_finite());
    }
}
