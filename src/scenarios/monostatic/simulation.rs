//! Monte-Carlo of the raw signals (paper 001, Section II): channels, received pilots, estimates, precoders, and what
//! each user then hears. Ground truth for rates, powers and channel estimates; it shares no code with them.
//!
//! A design's powers are translated to the paper's coefficients by their definition, `p_k = N_t xi_bf,k gamma_k` with
//! (17) and `q = N_t rho`; under pilot reuse zero forcing separates the G distinct directions (G for K in (17)).

use std::sync::Arc;

use nalgebra::{Cholesky, DMatrix};
use num_complex::Complex;

use super::echo::{beam_direction, response};
use super::instance::{Instance, Precoder};
use crate::error::Result;
use crate::math::RandomStream;
use crate::radio::{PilotEstimator, orthogonal_pilots, rayleigh};
use crate::simulation::{Simulation, SimulationFactory};

const ONE: Complex<f64> = Complex::new(1.0, 0.0);
const ZERO: Complex<f64> = Complex::new(0.0, 0.0);

/// Samples a user: real and imaginary part of `h_k^H f_k`, `sum_j |h_k^H f_j|²`, `||hhat_k||² / N_t`.
const PER_USER: usize = 4;
/// Samples of the base station: `||W Gamma||²`, `||v eta^T||²`, `||F||²` (Frobenius).
const TOTALS: usize = 3;

/// One instance and design, ready to be drawn.
#[derive(Clone)]
pub struct RawSystem(Arc<Setup>);

/// What stays the same over draws.
struct Setup {
    instance: Instance,
    estimator: PilotEstimator,
    /// Users by pilot: the group's number of each user, and one user of each group.
    group: Vec<usize>,
    representative: Vec<usize>,
    /// sqrt(gamma_k).
    amplitude: Vec<f64>,
    /// sqrt(eta_k).
    beam_amplitude: Vec<f64>,
    /// v.
    beam: Vec<Complex<f64>>,
}

impl RawSystem {
    /// For a design: powers `p_k`, then `q`. The sensing power splits over the streams in the ratio of `split`, one
    /// weight of 0 or more a user, not all 0.
    pub fn new(instance: &Instance, design: &[f64], split: &[f64]) -> Result<Self> {
        let users = instance.users();
        let (powers, sensing) = (&design[..users], design[users]);
        let antennas = instance.transmit_array.len() as f64;
        // Each distinct pilot number gets a column of its own.
        let mut pilots: Vec<u64> = instance.pilot_index.clone();
        pilots.sort_unstable();
        pilots.dedup();
        let number = |pilot: &u64| pilots.iter().position(|p| p == pilot).unwrap_or(0);
        let group: Vec<usize> = instance.pilot_index.iter().map(number).collect();
        let representative = (0..pilots.len()).filter_map(|g| group.iter().position(|x| *x == g)).collect();
        let estimator = PilotEstimator::new(
            &orthogonal_pilots(instance.pilot_length as usize, &group),
            instance.pilot_length as f64 * instance.pilot_power,
            &instance.large_scale_fading,
            instance.communication_noise_power,
        )?;
        let gain = |k: usize| match instance.precoder {
            Precoder::Mrt => 1.0 / (antennas * estimator.variance()[k]),
            Precoder::Zf => (antennas - pilots.len() as f64) * estimator.variance()[k],
        };
        let amplitude = powers.iter().enumerate().map(|(k, p)| (p * gain(k)).sqrt()).collect();
        let total: f64 = split.iter().sum();
        let beam_amplitude = split.iter().map(|weight| (sensing / antennas * weight / total).sqrt()).collect();
        let beam = response(instance.transmit_array, beam_direction(instance));
        let instance = instance.clone();
        Ok(Self(Arc::new(Setup { instance, estimator, group, representative, amplitude, beam_amplitude, beam })))
    }

    /// A simulation with memory of its own.
    pub fn simulation(&self) -> MonostaticSimulation {
        MonostaticSimulation::new(Arc::clone(&self.0))
    }

    /// Makes simulations.
    pub fn factory(self) -> SimulationFactory {
        Box::new(move || Box::new(self.simulation()))
    }
}

/// The raw signals of one instance and design.
pub struct MonostaticSimulation {
    setup: Arc<Setup>,
    channels: DMatrix<Complex<f64>>,
    received: DMatrix<Complex<f64>>,
    estimates: DMatrix<Complex<f64>>,
    /// W Gamma, then F.
    precoder: DMatrix<Complex<f64>>,
    heard: DMatrix<Complex<f64>>,
}

impl MonostaticSimulation {
    fn new(setup: Arc<Setup>) -> Self {
        let (antennas, users) = (setup.instance.transmit_array.len(), setup.instance.users());
        Self {
            channels: DMatrix::zeros(antennas, users),
            received: DMatrix::zeros(antennas, setup.instance.pilot_length as usize),
            estimates: DMatrix::zeros(antennas, users),
            precoder: DMatrix::zeros(antennas, users),
            heard: DMatrix::zeros(users, users),
            setup,
        }
    }

    /// W Gamma of (14) from the estimates.
    fn precode(&mut self) {
        let setup = &self.setup;
        match setup.instance.precoder {
            Precoder::Mrt => self.precoder.copy_from(&self.estimates),
            Precoder::Zf => {
                let directions = self.estimates.select_columns(&setup.representative);
                let gram = directions.ad_mul(&directions);
                match Cholesky::new(gram) {
                    Some(gram) => {
                        let separated = directions * gram.inverse();
                        for (k, group) in setup.group.iter().enumerate() {
                            let column = separated.column(*group);
                            // Scaled so that hhat_k^H w_k = 1.
                            let scale = ONE / self.estimates.column(k).dotc(&column);
                            self.precoder.column_mut(k).copy_from(&(column * scale));
                        }
                    }
                    // Parallel estimates have probability 0; such a draw poisons the means, and shows.
                    None => self.precoder.fill(Complex::new(f64::NAN, f64::NAN)),
                }
            }
        }
        for (mut column, amplitude) in self.precoder.column_iter_mut().zip(&setup.amplitude) {
            column.scale_mut(*amplitude);
        }
    }

    /// Draws channels, pilots and estimates, and leaves F in `precoder`. Gives `||W Gamma||²` and `||v eta^T||²`.
    fn draw(&mut self, stream: &mut RandomStream) -> [f64; 2] {
        let setup = Arc::clone(&self.setup);
        rayleigh(&setup.instance.large_scale_fading, stream, &mut self.channels);
        setup.estimator.receive(&self.channels, stream, &mut self.received);
        setup.estimator.estimate(&self.received, &mut self.estimates);
        self.precode();
        let communication = self.precoder.norm_squared();
        let mut sensing = 0.0;
        for (mut column, amplitude) in self.precoder.column_iter_mut().zip(&setup.beam_amplitude) {
            for (f, v) in column.iter_mut().zip(&setup.beam) {
                let beam = v * *amplitude;
                sensing += beam.norm_sqr();
                *f += beam;
            }
        }
        [communication, sensing]
    }

    /// F of one draw, N_t x K: the precoder (15) of one channel realisation.
    pub fn draw_precoder(&mut self, stream: &mut RandomStream) -> &DMatrix<Complex<f64>> {
        self.draw(stream);
        &self.precoder
    }
}

impl Simulation for MonostaticSimulation {
    fn moments(&self) -> usize {
        PER_USER * self.setup.instance.users() + TOTALS
    }

    fn covers(&self) -> Vec<&'static str> {
        vec![
            "channel_estimate_variance",
            "sinr",
            "rate",
            "sum_rate",
            "weighted_sum_rate",
            "min_rate",
            "sum_log_rate",
            "transmit_power",
            "total_communication_power",
            "total_sensing_power",
        ]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let [communication, sensing] = self.draw(stream);
        self.heard.gemm_ad(ONE, &self.channels, &self.precoder, ZERO);
        let antennas = self.channels.nrows() as f64;
        for (k, moments) in out.chunks_exact_mut(PER_USER).take(self.channels.ncols()).enumerate() {
            let own = self.heard[(k, k)];
            let power = self.heard.row(k).iter().map(|a| a.norm_sqr()).sum();
            moments.copy_from_slice(&[own.re, own.im, power, self.estimates.column(k).norm_squared() / antennas]);
        }
        let totals = out.len() - TOTALS;
        out[totals..].copy_from_slice(&[communication, sensing, self.precoder.norm_squared()]);
    }

    /// The SINR of (19): the desired signal is the mean of `h_k^H f_k`; beamforming uncertainty and interference are
    /// the rest of what user k hears.
    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        let instance = &self.setup.instance;
        let users = instance.users();
        let prelog = (instance.coherence_length - instance.pilot_length) as f64 / instance.coherence_length as f64;
        let (variance, rest) = out.split_at_mut(users);
        let (sinr, rest) = rest.split_at_mut(users);
        let (rate, figures) = rest.split_at_mut(users);
        for (k, moments) in mean.chunks_exact(PER_USER).take(users).enumerate() {
            let desired = moments[0] * moments[0] + moments[1] * moments[1];
            variance[k] = moments[3];
            sinr[k] = desired / (moments[2] - desired + instance.communication_noise_power);
            rate[k] = prelog * (1.0 + sinr[k]).log2();
        }
        let weight = |k: usize| instance.user_weights.as_ref().map_or(1.0, |w| w[k]);
        let totals = &mean[mean.len() - TOTALS..];
        figures.copy_from_slice(&[
            rate.iter().sum(),
            rate.iter().enumerate().map(|(k, r)| weight(k) * r).sum(),
            rate.iter().copied().fold(f64::INFINITY, f64::min),
            rate.iter().map(|r| r.ln()).sum(),
            totals[2],
            totals[0],
            totals[1],
        ]);
    }
}
