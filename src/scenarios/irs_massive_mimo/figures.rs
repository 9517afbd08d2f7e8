//! The figures of a design that rates and sensing are made of, whichever way they are computed.

use num_complex::Complex;

use super::system::System;

/// Per user: gains, signal and interference; and the echo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// `Tr(C_vk)`: the average gain of the composite channel (paper 000, (14)).
    pub gain: Vec<f64>,
    /// `Tr(C_vhat_k)`: that of its estimate.
    pub estimate_gain: Vec<f64>,
    /// `DS_k`, an amplitude (paper 000, (22)).
    pub desired: Vec<f64>,
    /// `DU_k` (paper 000, (23)).
    pub uncertainty: Vec<f64>,
    /// `IUI_kj` (paper 000, (24), with the two plus signs that (26) lost), row-major: k hears j.
    pub interference: Vec<f64>,
    /// `||u||²`.
    pub sensing_gain: f64,
    /// The sensing SNR (paper 000, (28) with (29) and (30)).
    pub sensing_snr: f64,
}

/// What the general and the rank-one form hand over to be put together: everything but powers and SNRs.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// `Tr(C_vk)`.
    pub gain: Vec<f64>,
    /// `Tr(C_vhat_k)`.
    pub estimate_gain: Vec<f64>,
    /// `Tr(C_vk C_vhat_j)`, row-major.
    pub overlap: Vec<f64>,
    /// `X_kj`: what the IRS-BS fading, common to all users, adds (both terms), row-major.
    pub common: Vec<f64>,
    /// What it adds to `DU_k` beside `X_kk`.
    pub own: Vec<f64>,
    /// `u^H C_vk u`.
    pub echo: Vec<f64>,
    /// `u^H C_vhat_k u`.
    pub echo_estimate: Vec<f64>,
    /// `||u||²`.
    pub sensing_gain: f64,
}

impl Traces {
    /// Room for K users.
    pub fn new(users: usize) -> Self {
        let one = || vec![0.0; users];
        let square = || vec![0.0; users * users];
        Self {
            gain: one(),
            estimate_gain: one(),
            overlap: square(),
            common: square(),
            own: one(),
            echo: one(),
            echo_estimate: one(),
            sensing_gain: 0.0,
        }
    }
}

impl Figures {
    /// Room for K users.
    pub fn new(users: usize) -> Self {
        let one = || vec![0.0; users];
        Self {
            gain: one(),
            estimate_gain: one(),
            desired: one(),
            uncertainty: one(),
            interference: vec![0.0; users * users],
            sensing_gain: 0.0,
            sensing_snr: 0.0,
        }
    }

    /// Puts the traces together:
    /// `IUI_kj = rho { eta_jc [Tr(C_vk C_vhat_j) + xi X_kj] + eta_js u^H C_vk u }`,
    /// `DU_k` the same with j = k and `rho eta_kc xi` times the own term: `DS_k²` cancels exactly and is never subtracted.
    pub fn assemble(&mut self, system: &System, traces: &Traces) {
        let instance = &system.instance;
        let (users, rho, xi) = (system.users(), instance.transmit_snr, system.pilot_energy());
        let echo = traces.sensing_gain;
        self.gain.copy_from_slice(&traces.gain);
        self.estimate_gain.copy_from_slice(&traces.estimate_gain);
        self.sensing_gain = echo;
        let over = |share: f64, gain: f64| if gain > 0.0 { share / gain } else { 0.0 };
        let mut reflected = 0.0;
        for j in 0..users {
            let own = over(instance.communication_share[j], traces.estimate_gain[j]);
            let sensing = over(instance.sensing_share[j], echo);
            for k in 0..users {
                let stream = traces.overlap[k * users + j] + xi * traces.common[k * users + j];
                let power = rho * (own * stream + sensing * traces.echo[k]);
                if k == j {
                    self.interference[k * users + j] = 0.0;
                    self.uncertainty[k] = power + rho * own * xi * traces.own[k];
                } else {
                    self.interference[k * users + j] = power;
                }
            }
            self.desired[j] = (rho * own).sqrt() * traces.estimate_gain[j];
            reflected += own * traces.echo_estimate[j] + sensing * echo * echo;
        }
        self.sensing_snr = rho * echo * reflected;
    }

    /// `gamma_k` of (21).
    pub fn sinr(&self, user: usize) -> f64 {
        let users = self.gain.len();
        let heard: f64 = self.interference[user * users..(user + 1) * users].iter().sum();
        self.desired[user] * self.desired[user] / (self.uncertainty[user] + heard + 1.0)
    }
}

/// `u = alpha_p p + sigma a_B`, `sigma = alpha_q c s`, for the rank-one line of sight.
pub fn echo_weight(system: &System, sensing: Complex<f64>) -> Complex<f64> {
    system.instance.target_reflection_irs * system.los_scale * sensing
}
