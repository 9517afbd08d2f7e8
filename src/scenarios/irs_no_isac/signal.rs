//! The raw received signal (paper 002, (1)-(11)) from the elements' positions in space: ground truth for the closed
//! forms. It shares no code with them: no steering vector, no inner product, no analytic derivative.

use std::f64::consts::{LN_2, TAU};

use num_complex::Complex;

use super::information::Unknowns;
use super::instance::{Array, Instance, Path, Symbols};
use crate::math::RandomStream;
use crate::radio::{Signal, Unknown};
use crate::simulation::{Simulation, SimulationFactory};

/// Element positions in wavelengths: an array in the y-z plane with half-wavelength spacing, element (0, 0) at the
/// origin, the vertical index running fastest.
fn positions(array: Array) -> Vec<[f64; 3]> {
    (0..array.len()).map(|i| [0.0, 0.5 * (i / array.vertical) as f64, 0.5 * (i % array.vertical) as f64]).collect()
}

/// The unit vector towards where a wave comes from.
fn toward(elevation: f64, azimuth: f64) -> [f64; 3] {
    [elevation.cos() * azimuth.cos(), elevation.cos() * azimuth.sin(), elevation.sin()]
}

/// The phase of a path that is longer by `r . n` wavelengths.
fn delayed(r: [f64; 3], n: [f64; 3]) -> Complex<f64> {
    let longer: f64 = r.iter().zip(&n).map(|(r, n)| r * n).sum();
    Complex::cis(-TAU * longer)
}

/// What the user's antennas receive of a symbol 1 for given angles of arrival (elevation, azimuth) at the user: the
/// sum over all paths by way of the elements, far-field path lengths. The angles at the IRS follow, for both arrays
/// stand parallel.
pub fn response(instance: &Instance, path: &Path, levels: &[f64], beam: &[f64], angles: [f64; 2]) -> Vec<Complex<f64>> {
    let to_irs = toward(angles[0], angles[1]);
    let to_base_station = toward(path.angles.irs_elevation, path.angles.irs_azimuth);
    let sent = instance.base_station_response.iter().zip(beam.chunks_exact(2));
    let sent: Complex<f64> = sent.map(|(a, w)| a.conj() * Complex::new(w[0], w[1])).sum();
    let amplitude = path.gain_base_station_irs * path.gain_irs_user * sent;
    let phase = |level: f64| Complex::cis(TAU * level / (1u64 << instance.phase_bits) as f64);
    let reflected: Vec<([f64; 3], Complex<f64>)> = positions(instance.irs)
        .into_iter()
        .zip(levels)
        // An element that stands farther towards the base station is reached earlier.
        .map(|(p, level)| (p, amplitude * phase(*level) * delayed(p.map(|x| -x), to_base_station)))
        .collect();
    let heard = |q: [f64; 3]| -> Complex<f64> {
        // From an element at p to an antenna at q the path is longer by (p - q) . n.
        reflected.iter().map(|(p, s)| s * delayed([p[0] - q[0], p[1] - q[1], p[2] - q[2]], to_irs)).sum()
    };
    positions(instance.user_array).into_iter().map(heard).collect()
}

/// Symbols to send: those that were drawn, or a set with the second moments that stand for them. None where one slot
/// cannot have such moments.
pub fn sent_symbols(instance: &Instance) -> Option<Vec<Complex<f64>>> {
    match &instance.symbols {
        Symbols::Drawn(symbols) => Some(symbols.clone()),
        Symbols::Moments(slots) => {
            // T (sigma^2/2 I + mu mu^T) = sum of two outer products: across mu, and along it.
            let (t, mean) = (*slots as f64, instance.symbol_mean);
            let spread = t * instance.symbol_variance / 2.0;
            let along = if mean.norm() > 0.0 { mean / mean.norm() } else { Complex::new(1.0, 0.0) };
            let slots = usize::try_from(*slots).ok().filter(|slots| (2..=1 << 20).contains(slots))?;
            let mut symbols = vec![Complex::default(); slots];
            symbols[0] = along * (spread + t * mean.norm_sqr()).sqrt();
            symbols[1] = along * Complex::i() * spread.sqrt();
            Some(symbols)
        }
    }
}

/// The received signal of a time block as a function of (elevation, azimuth, symbols): the real part of each, both
/// parts, or none.
pub fn signal(
    instance: &Instance,
    path: &Path,
    levels: &[f64],
    beam: &[f64],
    symbols: &[Complex<f64>],
    unknowns: Unknowns,
) -> Signal {
    let widest = [instance.irs, instance.user_array].iter().map(|a| a.horizontal.max(a.vertical)).fold(1, usize::max);
    let unknown = |name: String, value, step, bounded_by| Unknown { name, value, step, bounded_by };
    let own = unknowns == Unknowns::RealPart;
    let step = 0.5 / widest as f64;
    let mut parameters = vec![
        unknown("elevation (rad)".into(), path.angles.user_elevation, step, own.then_some(("crlb_user_elevation", 0))),
        unknown("azimuth (rad)".into(), path.angles.user_azimuth, step, own.then_some(("crlb_user_azimuth", 0))),
    ];
    let alone = own && symbols.len() == 1;
    for (t, x) in symbols.iter().enumerate() {
        if unknowns != Unknowns::Nothing {
            parameters.push(unknown(format!("Re x({t})"), x.re, 1.0, alone.then_some(("crlb_symbol", 0))));
        }
    }
    if unknowns == Unknowns::Complex {
        parameters.extend(symbols.iter().enumerate().map(|(t, x)| unknown(format!("Im x({t})"), x.im, 1.0, None)));
    }
    let (levels, beam, symbols) = (levels.to_vec(), beam.to_vec(), symbols.to_vec());
    let (instance, path) = (instance.clone(), *path);
    let (noise_power, samples) = (instance.noise_power, instance.user_array.len() * symbols.len());
    let mean = Box::new(move |u: &[f64], out: &mut [Complex<f64>]| {
        let response = response(&instance, &path, &levels, &beam, [u[0], u[1]]);
        for (t, heard) in out.chunks_exact_mut(response.len()).enumerate() {
            let known = symbols[t];
            let x = match unknowns {
                Unknowns::Nothing => known,
                Unknowns::RealPart => Complex::new(u[2 + t], known.im),
                Unknowns::Complex => Complex::new(u[2 + t], u[2 + symbols.len() + t]),
            };
            for (y, h) in heard.iter_mut().zip(&response) {
                *y = h * x;
            }
        }
    });
    Signal { unknowns: parameters, noise_power, samples, mean }
}

/// The signals whose Fisher information a design's bounds claim to invert.
pub(super) fn signals(instance: &Instance, levels: &[f64], beam: &[f64]) -> Vec<Signal> {
    // Beyond a few dozen slots numerical differences cost more than they tell.
    match sent_symbols(instance).filter(|symbols| symbols.len() <= 64) {
        Some(symbols) => vec![signal(instance, &instance.path, levels, beam, &symbols, Unknowns::RealPart)],
        None => Vec::new(),
    }
}

/// The mutual information between a symbol and what the antennas receive of it, by Monte-Carlo: the mean of
/// `log2 p(y | x) - log2 p(y)` over draws of the symbol and the noise.
struct Information {
    response: Vec<Complex<f64>>,
    noise_power: f64,
    variance: f64,
    mean: Complex<f64>,
}

impl Simulation for Information {
    fn moments(&self) -> usize {
        1
    }

    fn covers(&self) -> Vec<&'static str> {
        vec!["mutual_information_exact"]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let x = self.mean + stream.complex_normal(self.variance);
        let energy: f64 = self.response.iter().map(Complex::norm_sqr).sum();
        let (mut noise, mut received, mut matched) = (0.0, 0.0, Complex::new(0.0, 0.0));
        for h in &self.response {
            let z = stream.complex_normal(self.noise_power);
            let centred = h * (x - self.mean) + z;
            noise += z.norm_sqr();
            matched += h.conj() * centred;
            received += centred.norm_sqr();
        }
        // y is normal with covariance sigma_z^2 I + sigma_x^2 h h^H around h mu; the inverse by Sherman and Morrison.
        let ratio = self.variance / self.noise_power;
        let grown = 1.0 + ratio * energy;
        let distance = (received - ratio * matched.norm_sqr() / grown) / self.noise_power;
        out[0] = (distance - noise / self.noise_power + grown.ln()) / LN_2;
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        out[0] = mean[0];
    }
}

/// The Monte-Carlo simulation of a design.
pub(super) fn simulation(instance: &Instance, levels: &[f64], beam: &[f64]) -> SimulationFactory {
    let angles = [instance.path.angles.user_elevation, instance.path.angles.user_azimuth];
    let response = response(instance, &instance.path, levels, beam, angles);
    let (noise_power, variance, mean) = (instance.noise_power, instance.symbol_variance, instance.symbol_mean);
    Box::new(move || Box::new(Information { response: response.clone(), noise_power, variance, mean }))
}
