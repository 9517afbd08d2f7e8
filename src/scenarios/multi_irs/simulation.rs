//! The raw signals (paper 003, (1), (7), (8)): symbols, the dedicated sensing signal, noise and echoes, element by element.
//! Ground truth for SINRs and CRBs; it shares no code with the closed forms.

use std::sync::Arc;

use nalgebra::DMatrix;
use num_complex::Complex;
use std::f64::consts::TAU;

use super::instance::{Instance, Receiver};
use crate::design::hermitian;
use crate::math::RandomStream;
use crate::radio::{Signal, Unknown};
use crate::simulation::{Simulation, SimulationFactory};

type C = Complex<f64>;

/// Samples a user: real and imaginary part of `y s^*`, and `|y|²`.
const PER_USER: usize = 3;

/// A design taken apart.
#[derive(Clone)]
struct Sent {
    /// Phases, [L][N].
    phases: Vec<f64>,
    /// M x LK.
    beams: DMatrix<C>,
    /// A factor of `R_0`: M x M.
    root: DMatrix<C>,
}

impl Sent {
    fn new(instance: &Instance, design: &[f64]) -> Self {
        let m = instance.antennas;
        let count = instance.surfaces * instance.elements;
        let streams = instance.surfaces * instance.users;
        let (beams, covariance) = design[count..].split_at(2 * streams * m);
        let entry = |i: usize, j: usize| C::new(beams[2 * (j * m + i)], beams[2 * (j * m + i) + 1]);
        let eigen = hermitian(covariance, m).symmetric_eigen();
        let roots = eigen.eigenvalues.map(|e| C::new(e.max(0.0).sqrt(), 0.0));
        Self {
            phases: design[..count].to_vec(),
            beams: DMatrix::from_fn(m, streams, entry),
            root: eigen.eigenvectors * DMatrix::from_diagonal(&roots),
        }
    }
}

struct Setup {
    instance: Instance,
    sent: Sent,
}

/// The raw downlink of one instance and design.
pub struct MultiIrsSimulation {
    setup: Arc<Setup>,
    symbols: Vec<C>,
    sensing: Vec<C>,
    transmitted: Vec<C>,
}

/// Makes simulations of a design.
pub(super) fn factory(instance: &Instance, design: &[f64]) -> SimulationFactory {
    let setup = Arc::new(Setup { sent: Sent::new(instance, design), instance: instance.clone() });
    Box::new(move || {
        let zeros = |count: usize| vec![C::default(); count];
        let (m, streams) = (setup.instance.antennas, setup.instance.surfaces * setup.instance.users);
        let setup = Arc::clone(&setup);
        Box::new(MultiIrsSimulation { setup, symbols: zeros(streams), sensing: zeros(m), transmitted: zeros(m) })
    })
}

impl Simulation for MultiIrsSimulation {
    fn moments(&self) -> usize {
        PER_USER * self.symbols.len() + 1
    }

    fn covers(&self) -> Vec<&'static str> {
        vec!["sinr", "min_sinr", "min_sinr_ratio", "transmit_power"]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let Setup { instance, sent } = self.setup.as_ref();
        let [n, m, users] = [instance.elements, instance.antennas, instance.users];
        self.symbols.iter_mut().for_each(|s| *s = stream.complex_normal(1.0));
        let noise: Vec<C> = (0..m).map(|_| stream.complex_normal(1.0)).collect();
        for i in 0..m {
            self.sensing[i] = (0..m).map(|j| sent.root[(i, j)] * noise[j]).sum();
            let information: C = self.symbols.iter().enumerate().map(|(j, s)| sent.beams[(i, j)] * s).sum();
            self.transmitted[i] = information + self.sensing[i];
        }
        for (user, symbol) in self.symbols.iter().enumerate() {
            let surface = user / users;
            let mut received = stream.complex_normal(instance.communication_noise_power);
            for element in 0..n {
                let at = (surface * n + element) * m;
                let incident = |x: &[C]| -> C {
                    instance.base_station_irs_channel[at..at + m].iter().zip(x).map(|(g, x)| g * x).sum()
                };
                let mut wave = incident(&self.transmitted);
                if instance.receiver == Receiver::TypeII {
                    // The receiver knows the sensing signal and its channel, and subtracts it.
                    wave -= incident(&self.sensing);
                }
                let onward = instance.irs_user_channel[user * n + element].conj();
                received += onward * Complex::cis(sent.phases[surface * n + element]) * wave;
            }
            let product = received * symbol.conj();
            out[PER_USER * user..PER_USER * (user + 1)].copy_from_slice(&[product.re, product.im, received.norm_sqr()]);
        }
        out[PER_USER * self.symbols.len()] = self.transmitted.iter().map(|x| x.norm_sqr()).sum();
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        let streams = self.symbols.len();
        let (mut least, mut ratio) = (f64::INFINITY, f64::INFINITY);
        for (user, moments) in mean.chunks_exact(PER_USER).take(streams).enumerate() {
            let desired = moments[0] * moments[0] + moments[1] * moments[1];
            let sinr = desired / (moments[2] - desired);
            out[user] = sinr;
            least = least.min(sinr);
            let limits = &self.setup.instance.sinr_limit;
            if let Some(limit) = limits.as_ref().map(|l| l[user]).filter(|l| *l > 0.0) {
                ratio = ratio.min(sinr / limit);
            }
        }
        out[streams..].copy_from_slice(&[least, ratio, mean[PER_USER * streams]]);
    }
}

/// A waveform `X` (M x samples) with `X X^H = T R`.
fn waveform(instance: &Instance, sent: &Sent) -> DMatrix<C> {
    let root = (instance.dwell_time as f64).sqrt();
    let (m, streams) = sent.beams.shape();
    DMatrix::from_fn(m, streams + m, |i, j| {
        root * if j < streams { sent.beams[(i, j)] } else { sent.root[(i, j - streams)] }
    })
}

/// What falls on the elements of an IRS and is reflected: `Phi_l G_l X`, N x samples.
fn reflected(instance: &Instance, sent: &Sent, surface: usize) -> DMatrix<C> {
    let [n, m] = [instance.elements, instance.antennas];
    let x = waveform(instance, sent);
    DMatrix::from_fn(n, x.ncols(), |i, t| {
        let at = (surface * n + i) * m;
        let incident: C = (0..m).map(|a| instance.base_station_irs_channel[at + a] * x[(a, t)]).sum();
        Complex::cis(sent.phases[surface * n + i]) * incident
    })
}

/// The phases of a plane wave from direction `theta` along an array.
fn wave(count: usize, spacing: f64, theta: f64) -> Vec<C> {
    (0..count).map(|i| Complex::cis(TAU * spacing * i as f64 * theta.sin())).collect()
}

/// The echoes of the point targets at the sensors as functions of `(theta, Re beta, Im beta)`, one an IRS.
pub fn point_signals(instance: &Instance, design: &[f64]) -> Vec<Signal> {
    let sent = Sent::new(instance, design);
    (0..instance.surfaces)
        .map(|surface| {
            let incident = reflected(instance, &sent, surface);
            let sensors = instance.sensors as usize;
            let (spacing, sensor_spacing) = (instance.element_spacing_wavelengths, instance.sensor_spacing_wavelengths);
            let widest = (instance.elements as f64 * spacing).max(sensors as f64 * sensor_spacing).max(1.0);
            let beta = instance.target_reflection[surface];
            let size = beta.norm().max(f64::MIN_POSITIVE);
            let unknown = |name: &str, value, step, bounded_by| Unknown { name: name.into(), value, step, bounded_by };
            let angle = instance.target_direction[surface];
            Signal {
                unknowns: vec![
                    unknown("direction (rad)", angle, 0.15 / widest, Some(("crlb_direction", surface))),
                    unknown("Re reflection", beta.re, size, None),
                    unknown("Im reflection", beta.im, size, None),
                ],
                noise_power: instance.sensing_noise_power,
                samples: sensors * incident.ncols(),
                mean: Box::new(move |u, out| {
                    let toward = wave(incident.nrows(), spacing, u[0]);
                    let back = wave(sensors, sensor_spacing, u[0]);
                    let beta = C::new(u[1], u[2]);
                    for (column, echo) in incident.column_iter().zip(out.chunks_exact_mut(sensors)) {
                        let sum: C = toward.iter().zip(column.iter()).map(|(a, x)| a * x).sum();
                        echo.iter_mut().zip(&back).for_each(|(y, b)| *y = beta * b * sum);
                    }
                }),
            }
        })
        .collect()
}

/// The echo of an extended target as a function of the real and imaginary parts of its response matrix (N_s x N): the sum
/// of all bounds is `crlb_response`.
pub fn response_signal(instance: &Instance, design: &[f64], surface: usize) -> Signal {
    let sent = Sent::new(instance, design);
    let incident = reflected(instance, &sent, surface);
    let (sensors, elements) = (instance.sensors as usize, instance.elements);
    let unknowns = (0..2 * sensors * elements).map(|i| Unknown {
        name: format!("response {i}"),
        value: (0.7 * i as f64).sin(),
        step: 1.0,
        bounded_by: None,
    });
    Signal {
        unknowns: unknowns.collect(),
        noise_power: instance.sensing_noise_power,
        samples: sensors * incident.ncols(),
        mean: Box::new(move |u, out| {
            for (column, echo) in incident.column_iter().zip(out.chunks_exact_mut(sensors)) {
                for (s, y) in echo.iter_mut().enumerate() {
                    let row = &u[2 * s * elements..2 * (s + 1) * elements];
                    *y = row.chunks_exact(2).zip(column.iter()).map(|(e, x)| C::new(e[0], e[1]) * x).sum();
                }
            }
        }),
    }
}
