//! The raw echoes of the target (paper 004, (4)), from element positions: ground truth for the CRLBs.
//!
//! It shares no code with the closed forms: no analytic derivative, no norm of one.

use nalgebra::DMatrix;
use num_complex::Complex;
use std::f64::consts::PI;
use std::sync::Arc;

use super::instance::Instance;
use crate::radio::{Signal, Unknown};

/// Up to so many access points each hear all others in [`signals`].
const MULTISTATIC: usize = 16;
/// Up to so many access points process their echoes together in [`signals`].
const JOINT: usize = 5;

/// The response of a uniform linear array with half-wavelength spacing around its centre to a plane wave from an angle
/// off broadside.
pub fn response(antennas: usize, angle: f64) -> Vec<Complex<f64>> {
    let centre = (antennas as f64 - 1.0) / 2.0;
    // In half wavelengths, each of which turns the phase by pi; the path grows along the array.
    (0..antennas).map(|n| Complex::cis(-PI * (n as f64 - centre) * angle.sin())).collect()
}

/// Waveforms `X_l` (N_t x samples) of all access points with `X_l X_p^H = T E[F_l F_p^H]`, the average covariance of
/// precoded symbols ((39); the simulation holds it against drawn precoders): independent samples of power
/// `c_l / N_t` an antenna, and one sample a stream on which all access points send their beams.
pub fn average_waveforms(instance: &Instance, design: &[f64]) -> Vec<DMatrix<Complex<f64>>> {
    let (users, access_points) = (instance.users(), instance.access_points());
    let antennas = instance.transmit_antennas;
    let frame = instance.frame_length as f64;
    let (power, sensing) = design.split_at(users * access_points);
    let samples = access_points * antennas + users;
    let waveform = |l: usize| {
        let communication: f64 = (0..users).map(|k| power[k * access_points + l]).sum();
        let mut sent = DMatrix::zeros(antennas, samples);
        let spread = (frame * communication / antennas as f64).sqrt();
        for n in 0..antennas {
            sent[(n, l * antennas + n)] = Complex::new(spread, 0.0);
        }
        let beam = response(antennas, instance.target_direction[l]);
        for k in 0..users {
            let focus = (frame * sensing[k * access_points + l] / antennas as f64).sqrt();
            for n in 0..antennas {
                sent[(n, access_points * antennas + k)] = focus * beam[n];
            }
        }
        sent
    };
    (0..access_points).map(waveform).collect()
}

/// Adds the noiseless echo `alpha b(receive angle) a(transmit angle)^H X` at one access point, column by column.
fn add_echo(
    receive: &[Complex<f64>],
    transmit_angle: f64,
    gain: Complex<f64>,
    sent: &DMatrix<Complex<f64>>,
    out: &mut [Complex<f64>],
) {
    let transmit = response(sent.nrows(), transmit_angle);
    for (sent, heard) in sent.column_iter().zip(out.chunks_exact_mut(receive.len())) {
        let toward: Complex<f64> = transmit.iter().zip(sent.iter()).map(|(a, x)| a.conj() * x).sum();
        for (y, b) in heard.iter_mut().zip(receive) {
            *y += gain * b * toward;
        }
    }
}

/// What one access point, or all together, can tell: see [`echo_signal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// This access point hears its own illumination alone; its angle and gain are unknown.
    Own(usize),
    /// This access point hears all illuminations; its angle and all gains to it are unknown.
    Multistatic(usize),
    /// The same, and all other angles are unknown as well.
    MultistaticAngles(usize),
    /// All echoes at all access points; all angles and gains are unknown.
    Joint,
}

/// The echoes whose Fisher information the CRLBs of a design claim to invert: of own illumination at each access
/// point; for small systems also of all illuminations, and of all echoes together.
pub fn signals(instance: &Instance, design: &[f64]) -> Vec<Signal> {
    let access_points = instance.access_points();
    if access_points > 128 {
        return Vec::new();
    }
    let waveforms = Arc::new(average_waveforms(instance, design));
    let mut signals: Vec<Signal> =
        (0..access_points).map(|p| echo_signal(instance, &waveforms, Knowledge::Own(p))).collect();
    if access_points <= MULTISTATIC {
        signals.extend((0..access_points).map(|p| echo_signal(instance, &waveforms, Knowledge::Multistatic(p))));
    }
    if access_points <= JOINT {
        signals.push(echo_signal(instance, &waveforms, Knowledge::Joint));
    }
    signals
}

/// The echo of the waveforms as a function of what is unknown.
pub fn echo_signal(instance: &Instance, waveforms: &Arc<Vec<DMatrix<Complex<f64>>>>, knowledge: Knowledge) -> Signal {
    let access_points = instance.access_points();
    let widest = instance.transmit_antennas.max(instance.receive_antennas) as f64;
    let every: Vec<usize> = (0..access_points).collect();
    let (metric, receivers, transmitters, angles) = match knowledge {
        Knowledge::Own(p) => ("crlb", vec![p], vec![p], vec![p]),
        Knowledge::Multistatic(p) => ("crlb_multistatic", vec![p], every, vec![p]),
        Knowledge::MultistaticAngles(p) => ("crlb_multistatic", vec![p], every.clone(), every),
        Knowledge::Joint => ("crlb_joint", every.clone(), every.clone(), every),
    };
    let mut unknowns: Vec<Unknown> = angles
        .iter()
        .map(|p| Unknown {
            name: format!("angle of access point {p} (rad)"),
            value: instance.target_direction[*p],
            step: 0.5 / widest,
            bounded_by: (receivers.contains(p)).then_some((metric, *p)),
        })
        .collect();
    for p in &receivers {
        for l in &transmitters {
            let gain = instance.target_reflection.gain(*l, *p, access_points);
            let step = gain.norm().max(f64::MIN_POSITIVE);
            for (part, value) in [("Re", gain.re), ("Im", gain.im)] {
                let name = format!("{part} reflection from {l} to {p}");
                unknowns.push(Unknown { name, value, step, bounded_by: None });
            }
        }
    }
    let columns = waveforms[0].ncols();
    let receive_antennas = instance.receive_antennas;
    let directions = instance.target_direction.clone();
    let waveforms = Arc::clone(waveforms);
    let each = receive_antennas * columns;
    let samples = receivers.len() * each;
    let mean = Box::new(move |unknown: &[f64], out: &mut [Complex<f64>]| {
        let (direction, gains) = unknown.split_at(angles.len());
        let angle = |p: usize| angles.iter().position(|q| *q == p).map_or(directions[p], |i| direction[i]);
        out.fill(Complex::default());
        let mut gain = gains.chunks_exact(2).map(|g| Complex::new(g[0], g[1]));
        for (p, out) in receivers.iter().zip(out.chunks_exact_mut(each)) {
            let receive = response(receive_antennas, angle(*p));
            for (l, gain) in transmitters.iter().zip(&mut gain) {
                add_echo(&receive, angle(*l), gain, &waveforms[*l], out);
            }
        }
    });
    Signal { unknowns, noise_power: instance.sensing_noise_power, samples, mean }
}
