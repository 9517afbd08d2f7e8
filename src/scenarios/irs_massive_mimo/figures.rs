//! The figures of a design that rates and sensing are made of, whichever way they are computed.

use super::system::System;
use crate::math::Real;

/// Per user: gains, signal and interference; and the echo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures<T = f64> {
    /// `Tr(C_vk)`: the average gain of the composite channel (paper 000, (14)).
    pub gain: Vec<T>,
    /// `Tr(C_vhat_k)`: that of its estimate.
    pub estimate_gain: Vec<T>,
    /// `DS_k`, an amplitude (paper 000, (22)).
    pub desired: Vec<T>,
    /// `DU_k` (paper 000, (23)).
    pub uncertainty: Vec<T>,
    /// `IUI_kj` (paper 000, (24), with the two plus signs that (26) lost), row-major: k hears j.
    pub interference: Vec<T>,
    /// `||u||²`.
    pub sensing_gain: T,
    /// The sensing SNR (paper 000, (28) with (29) and (30)).
    pub sensing_snr: T,
}

/// What the general and the rank-one form hand over to be put together: everything but powers and SNRs.
#[derive(Clone, Debug, Default)]
pub struct Traces<T = f64> {
    /// `Tr(C_vk)`.
    pub gain: Vec<T>,
    /// `Tr(C_vhat_k)`.
    pub estimate_gain: Vec<T>,
    /// `Tr(C_vk C_vhat_j)`, row-major.
    pub overlap: Vec<T>,
    /// `X_kj`: what the IRS-BS fading, common to all users, adds (both terms), row-major.
    pub common: Vec<T>,
    /// What it adds to `DU_k` beside `X_kk`.
    pub own: Vec<T>,
    /// `u^H C_vk u`.
    pub echo: Vec<T>,
    /// `u^H C_vhat_k u`.
    pub echo_estimate: Vec<T>,
    /// `||u||²`.
    pub sensing_gain: T,
}

impl<T: Real> Traces<T> {
    /// Room for K users.
    pub fn new(users: usize) -> Self {
        let one = || vec![T::from(0.0); users];
        let square = || vec![T::from(0.0); users * users];
        Self {
            gain: one(),
            estimate_gain: one(),
            overlap: square(),
            common: square(),
            own: one(),
            echo: one(),
            echo_estimate: one(),
            sensing_gain: T::from(0.0),
        }
    }
}

impl<T: Real> Figures<T> {
    /// Room for K users.
    pub fn new(users: usize) -> Self {
        let one = || vec![T::from(0.0); users];
        Self {
            gain: one(),
            estimate_gain: one(),
            desired: one(),
            uncertainty: one(),
            interference: vec![T::from(0.0); users * users],
            sensing_gain: T::from(0.0),
            sensing_snr: T::from(0.0),
        }
    }

    /// Puts the traces together:
    /// `IUI_kj = rho { eta_jc [Tr(C_vk C_vhat_j) + xi X_kj] + eta_js u^H C_vk u }`,
    /// `DU_k` the same with j = k and `rho eta_kc xi` times the own term: `DS_k²` cancels exactly and is never subtracted.
    pub fn assemble(&mut self, system: &System, traces: &Traces<T>) {
        let instance = &system.instance;
        let users = system.users();
        let (rho, xi) = (T::from(instance.transmit_snr), T::from(system.pilot_energy()));
        let echo = traces.sensing_gain;
        self.gain.copy_from_slice(&traces.gain);
        self.estimate_gain.copy_from_slice(&traces.estimate_gain);
        self.sensing_gain = echo;
        let over = |share: f64, by: T| if by.value() > 0.0 { T::from(share) / by } else { T::from(0.0) };
        let mut reflected = T::from(0.0);
        for j in 0..users {
            let own = over(instance.communication_share[j], traces.estimate_gain[j]);
            let sensing = over(instance.sensing_share[j], echo);
            for k in 0..users {
                let stream = traces.overlap[k * users + j] + xi * traces.common[k * users + j];
                let power = rho * (own * stream + sensing * traces.echo[k]);
                if k == j {
                    self.interference[k * users + j] = T::from(0.0);
                    self.uncertainty[k] = power + rho * own * xi * traces.own[k];
                } else {
                    self.interference[k * users + j] = power;
                }
            }
            self.desired[j] = (rho * own).sqrt() * traces.estimate_gain[j];
            reflected = reflected + own * traces.echo_estimate[j] + sensing * echo * echo;
        }
        self.sensing_snr = rho * echo * reflected;
    }

    /// `gamma_k` of (21).
    pub fn sinr(&self, user: usize) -> T {
        let users = self.gain.len();
        let mut disturbance = self.uncertainty[user] + T::from(1.0);
        for power in &self.interference[user * users..(user + 1) * users] {
            disturbance = disturbance + *power;
        }
        self.desired[user] * self.desired[user] / disturbance
    }

    /// `R_k` of (20) in bit/s/Hz.
    pub fn rate(&self, system: &System, user: usize) -> T {
        T::from(system.pre_log() / std::f64::consts::LN_2) * self.sinr(user).ln_1p()
    }
}
