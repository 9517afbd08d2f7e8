//! Maximum-likelihood estimation of the angles, the symbols and the position from simulated signals, built on the raw
//! signal of `signal.rs`.

use std::f64::consts::PI;

use nalgebra::{DMatrix, DVector, Vector2, Vector3};
use num_complex::Complex;

use super::System;
use super::information::Symmetric;
use super::instance::{Instance, Path};
use super::position::{Position, triangulate};
use super::signal::{response, sent_symbols};
use crate::math::{RandomStream, derivative};
use crate::model::Named;
use crate::simulation::{Simulation, SimulationFactory};

/// The estimators that the model knows by name.
pub(super) const ESTIMATORS: [Named; 2] = [
    Named {
        name: "maximum_likelihood",
        description: "both angles and the symbols' real parts (their imaginary parts known, as in the paper's information), Gauss-Newton around the truth",
    },
    Named {
        name: "triangulation",
        description: "the position from the angle pairs of both time blocks, each pair by maximum likelihood, weighted by its information",
    },
];

/// Gauss-Newton steps at most; at high SNR four are typical.
const STEPS: usize = 12;

/// One time block as the estimator sees it.
#[derive(Clone)]
struct Block {
    instance: Instance,
    path: Path,
    levels: Vec<f64>,
    beam: Vec<f64>,
    symbols: Vec<Complex<f64>>,
    /// The response at the true angles, and its derivatives there.
    truth: Linear,
}

/// A response and its derivatives by elevation and azimuth.
#[derive(Clone)]
struct Linear {
    value: Vec<Complex<f64>>,
    slopes: [Vec<Complex<f64>>; 2],
}

impl Block {
    fn new(instance: &Instance, path: &Path, levels: &[f64], beam: &[f64]) -> Option<Self> {
        let symbols = sent_symbols(instance)?;
        let truth = linear(instance, path, levels, beam, [path.angles.user_elevation, path.angles.user_azimuth]);
        Some(Self {
            instance: instance.clone(),
            path: *path,
            levels: levels.to_vec(),
            beam: beam.to_vec(),
            symbols,
            truth,
        })
    }

    /// Errors of (elevation, azimuth) and of each symbol's real part for one draw of the noise.
    fn errors(&self, stream: &mut RandomStream, symbols: &mut Vec<f64>) -> Vector2<f64> {
        let antennas = self.truth.value.len();
        let noise = self.instance.noise_power;
        let received: Vec<Complex<f64>> = (self.symbols.iter())
            .flat_map(|x| self.truth.value.iter().map(move |h| h * x))
            .map(|y| y + stream.complex_normal(noise))
            .collect();
        let truth = Vector2::new(self.path.angles.user_elevation, self.path.angles.user_azimuth);
        let mut angles = truth;
        let mut real: Vec<f64> = self.symbols.iter().map(|x| x.re).collect();
        let mut here = self.truth.clone();
        for _ in 0..STEPS {
            let (rows, columns) = (2 * received.len(), 2 + real.len());
            let (mut jacobian, mut miss) = (DMatrix::zeros(rows, columns), DVector::zeros(rows));
            for (t, re) in real.iter().enumerate() {
                let x = Complex::new(*re, self.symbols[t].im);
                for m in 0..antennas {
                    let row = 2 * (t * antennas + m);
                    let h = here.value[m];
                    let difference = received[t * antennas + m] - h * x;
                    for (column, slope) in [(0, here.slopes[0][m] * x), (1, here.slopes[1][m] * x), (2 + t, h)] {
                        jacobian[(row, column)] = slope.re;
                        jacobian[(row + 1, column)] = slope.im;
                    }
                    (miss[row], miss[row + 1]) = (difference.re, difference.im);
                }
            }
            let normal = jacobian.transpose() * &jacobian;
            let Some(factor) = normal.cholesky() else { break };
            let step = factor.solve(&(jacobian.transpose() * miss));
            angles += Vector2::new(step[0], step[1]);
            real.iter_mut().zip(step.iter().skip(2)).for_each(|(x, s)| *x += s);
            if step[0].abs().max(step[1].abs()) < 1e-10 {
                break;
            }
            here = linear(&self.instance, &self.path, &self.levels, &self.beam, [angles.x, angles.y]);
        }
        symbols.clear();
        symbols.extend(real.iter().zip(&self.symbols).map(|(x, truth)| x - truth.re));
        let wrapped = |x: f64| (x + PI).rem_euclid(2.0 * PI) - PI;
        (angles - truth).map(wrapped)
    }
}

/// A response and its derivatives by differences.
fn linear(instance: &Instance, path: &Path, levels: &[f64], beam: &[f64], angles: [f64; 2]) -> Linear {
    let value = response(instance, path, levels, beam, angles);
    let slope = |axis: usize| {
        let (slope, _) = derivative(2 * value.len(), 0.05, |x, out| {
            let mut moved = angles;
            moved[axis] += x;
            for (pair, h) in out.chunks_exact_mut(2).zip(response(instance, path, levels, beam, moved)) {
                pair.copy_from_slice(&[h.re, h.im]);
            }
        });
        slope.chunks_exact(2).map(|pair| Complex::new(pair[0], pair[1])).collect()
    };
    let slopes = [slope(0), slope(1)];
    Linear { value, slopes }
}

/// Squared errors of the angles and of the symbols, mean over t.
struct Angles {
    block: Block,
    symbols: Vec<f64>,
}

impl Simulation for Angles {
    fn moments(&self) -> usize {
        3
    }

    fn covers(&self) -> Vec<&'static str> {
        vec!["crlb_user_elevation", "crlb_user_azimuth", "crlb_symbol"]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let errors = self.block.errors(stream, &mut self.symbols);
        out[0] = errors.x * errors.x;
        out[1] = errors.y * errors.y;
        out[2] = self.symbols.iter().map(|e| e * e).sum::<f64>() / self.symbols.len() as f64;
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        out.copy_from_slice(mean);
    }
}

/// Squared distances of the estimated position from the true one.
struct Triangulation {
    blocks: [Block; 2],
    weights: [Symmetric; 2],
    sub_irs: [Vector3<f64>; 2],
    user: Vector3<f64>,
    symbols: Vec<f64>,
}

impl Simulation for Triangulation {
    fn moments(&self) -> usize {
        1
    }

    fn covers(&self) -> Vec<&'static str> {
        vec!["position_error_bound"]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let mut measured = [Vector2::zeros(); 2];
        for (measured, (block, from)) in measured.iter_mut().zip(self.blocks.iter().zip(&self.sub_irs)) {
            // Measured around where the user really stands.
            *measured = super::position::arrival(&self.user, from) + block.errors(stream, &mut self.symbols);
        }
        // Without an intersection the error has no end: a kilometre stands for it.
        out[0] = match triangulate(&self.sub_irs, &measured, &self.weights) {
            Some(position) => (position - self.user).norm_squared().min(1e6),
            None => 1e6,
        };
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        out[0] = mean[0].max(0.0).sqrt();
    }
}

/// Trials of an estimator at a design.
pub(super) fn estimator(system: &System, name: &str, levels: &[f64], beam: &[f64]) -> Option<SimulationFactory> {
    let instance = &system.instance;
    let first = Block::new(instance, &instance.path, levels, beam)?;
    match name {
        "maximum_likelihood" => Some(Box::new(move || Box::new(Angles { block: first.clone(), symbols: Vec::new() }))),
        "triangulation" => {
            let position: &Position = system.position.as_ref()?;
            let second = Block::new(instance, instance.second.as_ref()?, levels, beam)?;
            let inner = system.inner(levels);
            let weights = position.informations(system, &inner, levels, system.beam_gain(beam));
            let (sub_irs, user) = (position.sub_irs, position.user);
            Some(Box::new(move || {
                let blocks = [first.clone(), second.clone()];
                Box::new(Triangulation { blocks, weights, sub_irs, user, symbols: Vec::new() })
            }))
        }
        _ => None,
    }
}
