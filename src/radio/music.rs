//! Two-dimensional MUSIC with one source: the signal subspace of snapshots, spectra of any response over two angles,
//! peaks refined off the grid, and how ambiguous they are (Schmidt, IEEE Transactions on Antennas and Propagation
//! 34(3), 1986, doi:10.1109/TAP.1986.1143830).
//!
//! With one source the noise projector is `I - e e^H`, e the dominant left singular vector of the snapshots, so that the
//! spectrum of a response `u` is `||u||² / (||u||² - |e^H u|²)`: free of the scale of u, which changes over the angles.

use faer::Mat;
use num_complex::Complex;

use crate::error::{Error, Result};
use crate::math::{RandomStream, derivative};
use crate::radio::fisher::FisherInformation;

/// A response over two angles in rad, as far as MUSIC asks for it.
pub trait Scan: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it scans, in a line.
    fn description(&self) -> &'static str;

    /// The true angles, where they are known.
    fn truth(&self) -> Option<[f64; 2]>;

    /// Whether the response is all that the receiver hears. Where it is not, the bound of the response is none on the errors.
    fn is_whole(&self) -> bool {
        true
    }

    /// The response u itself.
    fn response(&self, azimuth: f64, elevation: f64) -> Vec<Complex<f64>>;

    /// Makes `(||u||², |e^H u|²)` a function of azimuth and elevation, for one signal vector e.
    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Response<'a>;
}

/// Writes `(||u||², |e^H u|²)` at one azimuth and several elevations.
pub type Response<'a> = Box<dyn Fn(f64, &[f64], &mut [(f64, f64)]) + Send + Sync + 'a>;

/// What a receiver hears in one coherence interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshots {
    /// Antennas by samples, row-major.
    pub values: Vec<Complex<f64>>,
    /// `sum_t |x_t|²` over the noise's power on each antenna, the signal being `u x_t`; none where it is not known.
    pub energy: Option<f64>,
}

/// Draws the snapshots of one coherence interval.
pub type SnapshotSource = Box<dyn Fn(&mut RandomStream) -> Result<Snapshots> + Send + Sync>;

/// A design's radar as MUSIC sees it.
pub struct Echoes {
    /// The number of antennas M.
    pub antennas: usize,
    /// Draws the snapshots of one coherence interval, `[M][T]` row-major.
    pub snapshots: SnapshotSource,
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
        let mut row = vec![(0.0, 0.0); elevation.len()];
        for x in azimuth {
            response(*x, elevation, &mut row);
            values.extend(row.iter().map(|(norm, captured)| level(*norm, *captured)));
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
        let mut pair = [(0.0, 0.0)];
        response(x, &[y], &mut pair);
        let [(norm, captured)] = pair;
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

/// The Cramér-Rao bounds of both angles in rad², the waveform unknown: the inverse of
/// `2 E Re(D^H (I - u u^H / ||u||²) D)`, `D = du/d(azimuth, elevation)` by differences, E the [`Snapshots::energy`] (Stoica
/// and Nehorai, IEEE Transactions on Acoustics, Speech, and Signal Processing 37(5), 1989, doi:10.1109/29.17564). Infinite
/// where the angles leave u alone to first order, in any direction of theirs.
pub fn cramer_rao(scan: &dyn Scan, [azimuth, elevation]: [f64; 2], energy: f64) -> [f64; 2] {
    let u = scan.response(azimuth, elevation);
    let norm: f64 = u.iter().map(Complex::norm_sqr).sum();
    let slope = |x: f64, y: f64| -> Vec<Complex<f64>> {
        let write = |step: f64, out: &mut [f64]| {
            let moved = scan.response(azimuth + step * x, elevation + step * y);
            out.chunks_exact_mut(2).zip(&moved).for_each(|(pair, u)| pair.copy_from_slice(&[u.re, u.im]));
        };
        let parts = derivative(2 * u.len(), STEP, write).0;
        let mut slope: Vec<_> = parts.chunks_exact(2).map(|pair| Complex::new(pair[0], pair[1])).collect();
        if norm > 0.0 {
            let along: Complex<f64> = u.iter().zip(&slope).map(|(u, d)| u.conj() * d).sum::<Complex<f64>>() / norm;
            slope.iter_mut().zip(&u).for_each(|(d, u)| *d -= u * along);
        }
        slope
    };
    let slopes = [slope(1.0, 0.0), slope(0.0, 1.0)];
    let matrix = nalgebra::DMatrix::from_fn(2, 2, |i, j| {
        let product: f64 = slopes[i].iter().zip(&slopes[j]).map(|(a, b)| a.re * b.re + a.im * b.im).sum();
        2.0 * energy * product
    });
    let bounds = FisherInformation { matrix }.bounds();
    [bounds[0], bounds[1]]
}

/// The first step of the differences in rad: responses of arrays of some tens of elements an axis are smooth over it.
const STEP: f64 = 0.02;

/// An even grid over a range in rad, both ends included.
pub fn grid(from: f64, to: f64, points: usize) -> Vec<f64> {
    let last = points.saturating_sub(1).max(1) as f64;
    (0..points).map(|i| from + (to - from) * i as f64 / last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radio::fisher::{Signal, Unknown};

    /// A square array at half a wavelength, its direction cosines the two angles.
    struct Plain(usize);

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
        fn response(&self, x: f64, y: f64) -> Vec<Complex<f64>> {
            let n = self.0;
            (0..n * n).map(|i| Complex::cis(3.0 * (x * (i % n) as f64 + y * (i / n) as f64))).collect()
        }
        fn against<'a>(&'a self, e: &'a [Complex<f64>]) -> Response<'a> {
            Box::new(move |x, all, out| {
                for (y, out) in all.iter().zip(out) {
                    let u = self.response(x, *y);
                    let inner: Complex<f64> = e.iter().zip(&u).map(|(e, u)| e.conj() * u).sum();
                    *out = (u.iter().map(Complex::norm_sqr).sum(), inner.norm_sqr());
                }
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

    /// The numerical information of all unknowns, the waveform among them, shares nothing with the projected form.
    #[test]
    fn the_bound_is_that_of_all_unknowns_together() {
        let (array, truth) = (Plain(3), [0.21, -0.34]);
        let waveform = [Complex::new(0.8, -0.3), Complex::new(-0.2, 1.1)];
        let unknown = |value: f64| Unknown { name: String::new(), value, step: 0.1, bounded_by: None };
        let parts = waveform.iter().flat_map(|x| [x.re, x.im]);
        let signal = Signal {
            unknowns: truth.into_iter().chain(parts).map(unknown).collect(),
            noise_power: 0.05,
            samples: 18,
            mean: Box::new(|v, out| {
                let u = Plain(3).response(v[0], v[1]);
                for (t, out) in out.chunks_exact_mut(9).enumerate() {
                    let x = Complex::new(v[2 + 2 * t], v[3 + 2 * t]);
                    out.iter_mut().zip(&u).for_each(|(out, u)| *out = u * x);
                }
            }),
        };
        let together = signal.information().bounds();
        let energy = waveform.iter().map(Complex::norm_sqr).sum::<f64>() / signal.noise_power;
        let own = cramer_rao(&array, truth, energy);
        assert!((0..2).all(|i| (own[i] / together[i] - 1.0).abs() < 1e-8), "{own:?} {together:?}");
    }

    #[test]
    fn errors_off_the_grid_are_those_of_the_bound() {
        let (array, truth, samples, trials) = (Plain(4), [0.213, -0.377], 20, 300);
        let source = array.response(truth[0], truth[1]);
        let axis = grid(-1.0, 1.0, 21);
        let (mut squares, mut bounds) = ([0.0; 2], [0.0; 2]);
        for trial in 0..trials {
            let mut draws = RandomStream::keyed(3, "test", "bound of music", 0, trial);
            let sent: Vec<_> = (0..samples).map(|_| draws.complex_normal(4.0)).collect();
            let values: Vec<_> = source.iter().flat_map(|u| sent.iter().map(move |x| u * x)).collect::<Vec<_>>();
            let noisy: Vec<_> = values.into_iter().map(|y| y + draws.complex_normal(1.0)).collect();
            let e = signal_vector(&noisy, 16).unwrap();
            let peak = refine(&array, &e, Spectrum::new(&array, &e, &axis, &axis).peaks()[0], 0.1);
            let bound = cramer_rao(&array, truth, sent.iter().map(Complex::norm_sqr).sum());
            for i in 0..2 {
                squares[i] += (peak.angles[i] - truth[i]).powi(2);
                bounds[i] += bound[i];
            }
        }
        // The ratio's standard deviation is about 0.08; one source's MUSIC reaches the bound but for about 1 %.
        assert!((0..2).all(|i| (0.7..1.35).contains(&(squares[i] / bounds[i]))), "{squares:?} {bounds:?}");
    }

    #[test]
    fn silence_is_an_error_and_a_zero_response_is_level() {
        assert!(signal_vector(&[Complex::default(); 12], 3).is_err());
        assert_eq!(level(0.0, 0.0), 1.0);
        assert!(level(1.0, 1.0).is_finite());
    }
}
