//! The raw echo of the target (paper 001, (8)-(12)), from element positions: ground truth for the CRLBs.
//!
//! It shares no code with the closed forms: no analytic derivative, no norm of one.

use nalgebra::DMatrix;
use num_complex::Complex;
use std::f64::consts::PI;

use super::instance::{Array, Instance, Pointing};
use crate::radio::{Signal, Unknown};

/// The response of an array to a plane wave from a direction, by the path differences at its elements.
///
/// The array stands in the y-z plane around its centre, with half-wavelength spacing. The wave comes along the unit
/// vector `(sin phi cos theta, sin phi sin theta, cos phi)`. Elements in the order of `a_h kron a_v`: the vertical
/// index runs fastest.
pub fn response(array: Array, direction: Pointing) -> Vec<Complex<f64>> {
    let (theta, phi) = (direction.azimuth, direction.elevation);
    let wave = [phi.sin() * theta.cos(), phi.sin() * theta.sin(), phi.cos()];
    let centred = |index: usize, count: usize| index as f64 - (count as f64 - 1.0) / 2.0;
    let mut response = Vec::with_capacity(array.len());
    for column in 0..array.horizontal {
        for row in 0..array.vertical {
            // In half wavelengths, each of which turns the phase by pi.
            let position = [0.0, centred(column, array.horizontal), centred(row, array.vertical)];
            let path: f64 = position.iter().zip(&wave).map(|(r, u)| r * u).sum();
            response.push(Complex::cis(PI * path));
        }
    }
    response
}

/// The direction in which the sensing beam points.
pub fn beam_direction(instance: &Instance) -> Pointing {
    instance.sensing_beam_direction.unwrap_or(instance.target_direction)
}

/// A waveform X (N_t x samples) with `X X^H = L R_x`, the average covariance `R_x = S/N_t I + q/N_t v v^H` of
/// precoded symbols ((93)-(99); `simulation.rs` holds it against Monte-Carlo). `S` and `q` are the total
/// communication and sensing power.
pub fn average_waveform(instance: &Instance, communication: f64, sensing: f64) -> DMatrix<Complex<f64>> {
    let antennas = instance.transmit_array.len();
    let beam = response(instance.transmit_array, beam_direction(instance));
    let frame = instance.frame_length as f64;
    let spread = (frame * communication / antennas as f64).sqrt();
    let focus = (frame * sensing / antennas as f64).sqrt();
    DMatrix::from_fn(antennas, antennas + 1, |n, sample| {
        if sample == antennas {
            focus * beam[n]
        } else if sample == n {
            Complex::new(spread, 0.0)
        } else {
            Complex::default()
        }
    })
}

/// Writes the noiseless echo `alpha b(theta, phi) a(theta, phi)^H X`, column by column.
pub fn echo(
    instance: &Instance,
    waveform: &DMatrix<Complex<f64>>,
    direction: Pointing,
    reflection: Complex<f64>,
    out: &mut [Complex<f64>],
) {
    let transmit = response(instance.transmit_array, direction);
    let receive = response(instance.receive_array, direction);
    for (sent, heard) in waveform.column_iter().zip(out.chunks_exact_mut(receive.len())) {
        let toward: Complex<f64> = transmit.iter().zip(sent.iter()).map(|(a, x)| a.conj() * x).sum();
        for (y, b) in heard.iter_mut().zip(&receive) {
            *y = reflection * b * toward;
        }
    }
}

/// The echoes whose Fisher information the CRLBs of a design claim to invert: one, of the average waveform.
pub fn signals(instance: &Instance, design: &[f64]) -> Vec<Signal> {
    let (powers, sensing) = (&design[..instance.users()], design[instance.users()]);
    vec![echo_signal(instance, average_waveform(instance, powers.iter().sum(), sensing))]
}

/// The echo of a waveform as a function of `(theta, phi, Re alpha, Im alpha)`, the parameters of (26).
pub fn echo_signal(instance: &Instance, waveform: DMatrix<Complex<f64>>) -> Signal {
    let widest = [instance.transmit_array, instance.receive_array]
        .iter()
        .map(|a| a.horizontal.max(a.vertical))
        .fold(1, usize::max) as f64;
    let unknown = |name: &str, value, step, metric: Option<&'static str>| Unknown {
        name: name.into(),
        value,
        step,
        bounded_by: metric.map(|id| (id, 0)),
    };
    let reflection = instance.target_reflection;
    let direction = instance.target_direction;
    let size = reflection.norm().max(f64::MIN_POSITIVE);
    let samples = instance.receive_array.len() * waveform.ncols();
    let noise_power = instance.sensing_noise_power;
    let unknowns = vec![
        unknown("azimuth (rad)", direction.azimuth, 0.5 / widest, Some("crlb_azimuth")),
        unknown("elevation (rad)", direction.elevation, 0.5 / widest, Some("crlb_elevation")),
        unknown("Re reflection", reflection.re, size, None),
        unknown("Im reflection", reflection.im, size, None),
    ];
    let instance = instance.clone();
    let mean = Box::new(move |u: &[f64], out: &mut [Complex<f64>]| {
        let direction = Pointing { azimuth: u[0], elevation: u[1] };
        echo(&instance, &waveform, direction, Complex::new(u[2], u[3]), out);
    });
    Signal { unknowns, noise_power, samples, mean }
}
