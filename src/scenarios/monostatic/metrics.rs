//! The metrics of a monostatic system, in their order.

use super::System;
use crate::metric::{MetricInfo, MetricSet, MetricValues};

/// The names of the metrics, in the order in which the model holds them.
pub(super) const NAMES: [&str; 13] = [
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
    "sensing_snr",
    "crlb_azimuth",
    "crlb_elevation",
];

/// Indices into [`NAMES`].
pub(super) mod index {
    pub const ESTIMATE_VARIANCE: usize = 0;
    pub const SINR: usize = 1;
    pub const RATE: usize = 2;
    pub const SUM_RATE: usize = 3;
    pub const WEIGHTED_SUM_RATE: usize = 4;
    pub const MIN_RATE: usize = 5;
    pub const SUM_LOG_RATE: usize = 6;
    pub const TRANSMIT_POWER: usize = 7;
    pub const COMMUNICATION_POWER: usize = 8;
    pub const SENSING_POWER: usize = 9;
    pub const SENSING_SNR: usize = 10;
    pub const CRLB_AZIMUTH: usize = 11;
    pub const CRLB_ELEVATION: usize = 12;
}

/// What the metrics are, for a number of users.
pub(super) fn infos(users: usize) -> Vec<MetricInfo> {
    let metric = |i: usize, unit: &str, shape: &[usize], description: &str, source: &str| {
        MetricInfo::new(NAMES[i], unit, shape, description, &format!("001, {source}"))
    };
    let (each, one) = ([users], []);
    let (each, one): (&[usize], &[usize]) = (&each, &one);
    let rate = "bit/s/Hz";
    vec![
        metric(0, "1", each, "xi_k: variance of an entry of the channel estimate", "(6)"),
        metric(1, "1", each, "SINR_k, with the coherent interference of shared pilots", "(20), corrected").maximize(),
        metric(2, rate, each, "R_k = (tau_c - tau_p)/tau_c log2(1 + SINR_k)", "(19), (20)").maximize(),
        metric(3, rate, one, "sum of R_k", "(54a)").maximize(),
        metric(4, rate, one, "sum of w_k R_k", "(54a), weighted").maximize(),
        metric(5, rate, one, "smallest R_k", "(20)").maximize(),
        metric(6, "ln(bit/s/Hz)", one, "sum of ln R_k: proportional fairness", "(20)").maximize().logarithm(),
        metric(7, "noise power", one, "S + q: all transmit power", "(16)").minimize(),
        metric(8, "noise power", one, "S: sum of p_k", "(16), first term").minimize(),
        metric(9, "noise power", one, "q = N_t rho", "(16), second term").minimize(),
        metric(10, "1", one, "P_t L |alpha|^2 / sigma_s^2, P_t the budget", "section V-B"),
        metric(11, "rad²", one, "Cramer-Rao lower bound of the azimuth", "Theorem 2, corrected").minimize(),
        metric(12, "rad²", one, "Cramer-Rao lower bound of the elevation", "Theorem 2, corrected").minimize(),
    ]
}

/// Scratch for [`evaluate`].
pub(super) struct Scratch {
    group_power: Vec<f64>,
    sinr: Vec<f64>,
}

impl Scratch {
    pub fn new(system: &System) -> Self {
        Self { group_power: vec![0.0; system.users.groups.len()], sinr: vec![0.0; system.users.users()] }
    }
}

const RATES: [usize; 6] =
    [index::SINR, index::RATE, index::SUM_RATE, index::WEIGHTED_SUM_RATE, index::MIN_RATE, index::SUM_LOG_RATE];

/// Writes the wanted metrics of the powers `p` and `q`.
pub(super) fn evaluate(
    system: &System,
    power: &[f64],
    sensing: f64,
    wanted: MetricSet,
    work: &mut Scratch,
    out: &mut MetricValues,
) {
    let communication: f64 = power.iter().sum();
    if RATES.iter().any(|i| wanted.contains(*i)) {
        rates(system, power, sensing, wanted, work, out);
    }
    if wanted.contains(index::ESTIMATE_VARIANCE) {
        out.slot(index::ESTIMATE_VARIANCE).copy_from_slice(&system.users.estimate_variance);
    }
    if wanted.contains(index::CRLB_AZIMUTH) || wanted.contains(index::CRLB_ELEVATION) {
        let [azimuth, elevation] = system.sensing.crlb(communication, sensing);
        out.set(index::CRLB_AZIMUTH, azimuth);
        out.set(index::CRLB_ELEVATION, elevation);
    }
    out.set(index::TRANSMIT_POWER, communication + sensing);
    out.set(index::COMMUNICATION_POWER, communication);
    out.set(index::SENSING_POWER, sensing);
    out.set(index::SENSING_SNR, sensing_snr(system));
}

/// `P_t L |alpha|^2 / sigma_s^2`.
pub(super) fn sensing_snr(system: &System) -> f64 {
    let instance = &system.instance;
    let echo = instance.frame_length as f64 * instance.target_reflection.norm_sqr() / instance.sensing_noise_power;
    instance.transmit_power * echo
}

fn rates(system: &System, power: &[f64], sensing: f64, wanted: MetricSet, work: &mut Scratch, out: &mut MetricValues) {
    let users = &system.users;
    users.sinr(power, sensing, &mut work.group_power, &mut work.sinr);
    if wanted.contains(index::SINR) {
        out.slot(index::SINR).copy_from_slice(&work.sinr);
    }
    let rates = &mut work.sinr;
    rates.iter_mut().for_each(|x| *x = users.rate(*x));
    out.set(index::SUM_RATE, rates.iter().sum());
    out.set(index::MIN_RATE, rates.iter().copied().fold(f64::INFINITY, f64::min));
    if wanted.contains(index::RATE) {
        out.slot(index::RATE).copy_from_slice(rates);
    }
    if wanted.contains(index::WEIGHTED_SUM_RATE) {
        let weighted = rates.iter().enumerate().map(|(k, rate)| system.weight(k) * rate).sum();
        out.set(index::WEIGHTED_SUM_RATE, weighted);
    }
    if wanted.contains(index::SUM_LOG_RATE) {
        out.set(index::SUM_LOG_RATE, rates.iter().map(|rate| rate.ln()).sum());
    }
}
