//! Monte-Carlo of the raw signals (paper 004, section II): channels, received pilots, estimates, precoders, and what
//! each user then hears from all access points. Ground truth for rates, powers and channel estimates; it shares no code
//! with them.
//!
//! A design's powers are translated to the paper's factors by their definition, `p_kl = N_t xi_kl gamma_kl` and
//! `q_kl = N_t eta_kl`, with `xi_kl` the variance of the estimate that is used: the best linear one from the projection
//! of the received pilots on the user's own, which is the MMSE estimate unless pilots overlap without being equal.

use std::sync::Arc;

use nalgebra::DMatrix;
use num_complex::Complex;

use super::echo::response;
use super::instance::Instance;
use crate::math::RandomStream;
use crate::radio::rayleigh;
use crate::simulation::{Simulation, SimulationFactory};

const ONE: Complex<f64> = Complex::new(1.0, 0.0);
const ZERO: Complex<f64> = Complex::new(0.0, 0.0);

/// Samples a user: real and imaginary part of `sum_l h_kl^H f_kl`, `sum_j |sum_l h_kl^H f_jl|²`.
const PER_USER: usize = 3;
/// Samples of all access points: `sum_l ||Hhat_l Gamma_l||²`, `sum_l ||a_l eta_l^T||²`, `sum_l ||F_l||²`.
const TOTALS: usize = 3;
/// Up to so many pairs of users and access points their estimates and powers are sampled, too.
const DETAILED: usize = 64;

/// One instance and design, ready to be drawn.
#[derive(Clone)]
pub struct RawSystem(Arc<Setup>);

/// What stays the same over draws.
struct Setup {
    instance: Instance,
    /// By access point: `beta_kl` of all users, the factor from the projected pilots to the estimate, `sqrt(gamma_kl)`,
    /// `sqrt(eta_kl)`, and `a_l`.
    sites: Vec<Site>,
    /// sqrt(tau_p p_p) times the transposed pilots, K x tau_p: what the users send.
    sent: DMatrix<Complex<f64>>,
    /// conj(psi_k), tau_p x K: what the received pilots are projected on.
    projection: DMatrix<Complex<f64>>,
}

struct Site {
    fading: Vec<f64>,
    factor: Vec<f64>,
    amplitude: Vec<f64>,
    beam_amplitude: Vec<f64>,
    beam: Vec<Complex<f64>>,
}

impl RawSystem {
    /// For a design: `p_kl`, then `q_kl`. None for a design of another length.
    pub fn new(instance: &Instance, design: &[f64]) -> Option<Self> {
        let (users, access_points) = (instance.users(), instance.access_points());
        let pairs = users * access_points;
        if design.len() != 2 * pairs {
            return None;
        }
        let antennas = instance.transmit_antennas as f64;
        let energy = instance.pilots.nrows() as f64 * instance.pilot_power;
        let site = |l: usize| {
            let fading: Vec<f64> = (0..users).map(|k| instance.large_scale_fading[k * access_points + l]).collect();
            let mut site = Site {
                factor: Vec::new(),
                amplitude: Vec::new(),
                beam_amplitude: Vec::new(),
                beam: response(instance.transmit_antennas, instance.target_direction[l]),
                fading,
            };
            for k in 0..users {
                // The projection sqrt(E) sum_j h_j (psi_k^H psi_j) + n: its variance, and its covariance with h_k.
                let own = instance.pilots.column(k);
                let signal: f64 =
                    (0..users).map(|j| site.fading[j] * own.dotc(&instance.pilots.column(j)).norm_sqr()).sum();
                let variance = energy * signal + instance.communication_noise_power * own.norm_squared();
                let covariance = energy.sqrt() * site.fading[k] * own.norm_squared();
                site.factor.push(covariance / variance);
                let estimate = covariance * covariance / variance;
                site.amplitude.push((design[k * access_points + l] / (antennas * estimate)).sqrt());
                site.beam_amplitude.push((design[pairs + k * access_points + l] / antennas).sqrt());
            }
            site
        };
        Some(Self(Arc::new(Setup {
            sites: (0..access_points).map(site).collect(),
            sent: instance.pilots.transpose() * Complex::new(energy.sqrt(), 0.0),
            projection: instance.pilots.conjugate(),
            instance: instance.clone(),
        })))
    }

    /// A simulation with memory of its own.
    pub fn simulation(&self) -> CellFreeSimulation {
        let instance = &self.0.instance;
        let (antennas, users) = (instance.transmit_antennas, instance.users());
        CellFreeSimulation {
            channels: DMatrix::zeros(antennas, users),
            received: DMatrix::zeros(antennas, instance.pilots.nrows()),
            estimates: DMatrix::zeros(antennas, users),
            precoder: DMatrix::zeros(antennas, users),
            heard: DMatrix::zeros(users, users),
            setup: Arc::clone(&self.0),
        }
    }

    /// Makes simulations.
    pub fn factory(self) -> SimulationFactory {
        Box::new(move || Box::new(self.simulation()))
    }
}

/// The raw signals of one instance and design.
pub struct CellFreeSimulation {
    setup: Arc<Setup>,
    channels: DMatrix<Complex<f64>>,
    received: DMatrix<Complex<f64>>,
    estimates: DMatrix<Complex<f64>>,
    precoder: DMatrix<Complex<f64>>,
    /// Row: who hears it, column: whose stream.
    heard: DMatrix<Complex<f64>>,
}

impl CellFreeSimulation {
    /// Draws channels and pilots at one access point, leaves the estimates in `estimates` and F_l in `precoder`, and
    /// gives `||Hhat Gamma||²` and `||a eta^T||²`.
    fn draw(&mut self, setup: &Setup, site: &Site, stream: &mut RandomStream) -> [f64; 2] {
        rayleigh(&site.fading, stream, &mut self.channels);
        let scale = (setup.instance.communication_noise_power / 2.0).sqrt();
        self.received.iter_mut().for_each(|y| *y = Complex::new(scale * stream.normal(), scale * stream.normal()));
        self.received.gemm(ONE, &self.channels, &setup.sent, ONE);
        self.estimates.gemm(ONE, &self.received, &setup.projection, ZERO);
        for (mut estimate, factor) in self.estimates.column_iter_mut().zip(&site.factor) {
            estimate.scale_mut(*factor);
        }
        self.precoder.copy_from(&self.estimates);
        let mut sensing = 0.0;
        for (mut column, amplitude) in self.precoder.column_iter_mut().zip(&site.amplitude) {
            column.scale_mut(*amplitude);
        }
        let communication = self.precoder.norm_squared();
        for (mut column, amplitude) in self.precoder.column_iter_mut().zip(&site.beam_amplitude) {
            for (f, a) in column.iter_mut().zip(&site.beam) {
                let beam = a * *amplitude;
                sensing += beam.norm_sqr();
                *f += beam;
            }
        }
        [communication, sensing]
    }

    fn detailed(&self) -> bool {
        self.setup.instance.large_scale_fading.len() <= DETAILED
    }
}

impl Simulation for CellFreeSimulation {
    fn moments(&self) -> usize {
        let (users, access_points) = (self.setup.instance.users(), self.setup.sites.len());
        let detail = if self.detailed() { (users + 1) * access_points } else { 0 };
        PER_USER * users + TOTALS + detail
    }

    fn covers(&self) -> Vec<&'static str> {
        let mut covered = vec![
            "sinr",
            "rate",
            "sum_rate",
            "weighted_sum_rate",
            "min_rate",
            "sum_log_rate",
            "transmit_power",
            "total_communication_power",
            "total_sensing_power",
        ];
        if self.detailed() {
            covered.extend(["access_point_power", "channel_estimate_variance"]);
        }
        covered
    }

    /// Moments: those of the users, the totals, then by access point its power and its estimates' variances.
    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let setup = Arc::clone(&self.setup);
        let users = setup.instance.users();
        self.heard.fill(ZERO);
        let detailed = self.detailed();
        let (heard, details) = out.split_at_mut(PER_USER * users + TOTALS);
        let mut totals = [0.0; TOTALS];
        let mut details = details.chunks_exact_mut(users + 1);
        for site in &setup.sites {
            let [communication, sensing] = self.draw(&setup, site, stream);
            let power = self.precoder.norm_squared();
            totals.iter_mut().zip([communication, sensing, power]).for_each(|(t, x)| *t += x);
            self.heard.gemm_ad(ONE, &self.channels, &self.precoder, ONE);
            if detailed && let Some([own, variances @ ..]) = details.next() {
                *own = power;
                for (v, estimate) in variances.iter_mut().zip(self.estimates.column_iter()) {
                    *v = estimate.norm_squared() / estimate.len() as f64;
                }
            }
        }
        for (k, moments) in heard.chunks_exact_mut(PER_USER).take(users).enumerate() {
            let own = self.heard[(k, k)];
            moments.copy_from_slice(&[own.re, own.im, self.heard.row(k).iter().map(|g| g.norm_sqr()).sum()]);
        }
        heard[PER_USER * users..].copy_from_slice(&totals);
    }

    /// The SINR of (6): the desired signal is the mean of what user k hears of its own stream; beamforming uncertainty
    /// and interference are the rest of what it hears.
    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        let instance = &self.setup.instance;
        let (users, access_points) = (instance.users(), instance.access_points());
        let prelog =
            (instance.coherence_length as f64 - instance.pilots.nrows() as f64) / instance.coherence_length as f64;
        let (sinr, rest) = out.split_at_mut(users);
        let (rate, rest) = rest.split_at_mut(users);
        for (k, moments) in mean.chunks_exact(PER_USER).take(users).enumerate() {
            let desired = moments[0] * moments[0] + moments[1] * moments[1];
            sinr[k] = desired / (moments[2] - desired + instance.communication_noise_power);
            rate[k] = prelog * (1.0 + sinr[k]).log2();
        }
        let (totals, details) = mean[PER_USER * users..].split_at(TOTALS);
        let (figures, rest) = rest.split_at_mut(7);
        figures.copy_from_slice(&[
            rate.iter().sum(),
            rate.iter().enumerate().map(|(k, r)| instance.weight(k) * r).sum(),
            rate.iter().copied().fold(f64::INFINITY, f64::min),
            rate.iter().map(|r| r.ln()).sum(),
            totals[2],
            totals[0],
            totals[1],
        ]);
        if self.detailed() {
            let (power, variance) = rest.split_at_mut(access_points);
            for (l, site) in details.chunks_exact(users + 1).enumerate() {
                power[l] = site[0];
                (0..users).for_each(|k| variance[k * access_points + l] = site[1 + k]);
            }
        }
    }
}
