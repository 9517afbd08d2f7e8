//! The metrics of a cell-free system, in their order.

use super::System;
use crate::metric::{MetricInfo, MetricSet, MetricValues};

/// The names of the metrics, in the order in which the model holds them.
pub(super) const NAMES: [&str; 14] = [
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
    "access_point_power",
    "crlb",
    "crlb_multistatic",
    "crlb_joint",
];

/// Indices into [`NAMES`].
mod index {
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
    pub const ACCESS_POINT_POWER: usize = 10;
    pub const CRLB: usize = 11;
    pub const CRLB_MULTISTATIC: usize = 12;
    pub const CRLB_JOINT: usize = 13;
}

/// What the metrics are, for K users and L access points.
pub(super) fn infos(users: usize, access_points: usize) -> Vec<MetricInfo> {
    let metric = |i: usize, unit: &str, shape: &[usize], description: &str, source: &str| {
        MetricInfo::new(NAMES[i], unit, shape, description, &format!("004, {source}"))
    };
    let (each, one, site): (&[usize], &[usize], &[usize]) = (&[users], &[], &[access_points]);
    let rate = "bit/s/Hz";
    let power = "noise power";
    let whole = "(2), with the access point's own fadings";
    vec![
        metric(0, "1", &[users, access_points], "xi_kl: variance of an entry of the channel estimate", whole),
        metric(1, "1", each, "SINR_k, with the coherent interference of shared pilots", "(7), corrected").maximize(),
        metric(2, rate, each, "R_k = (tau_c - tau_p)/tau_c log2(1 + SINR_k)", "(7), corrected").maximize(),
        metric(3, rate, one, "sum of R_k", "(19a)").maximize(),
        metric(4, rate, one, "sum of w_k R_k", "(19a), weighted").maximize(),
        metric(5, rate, one, "smallest R_k", "(7)").maximize(),
        metric(6, "ln(bit/s/Hz)", one, "sum of ln R_k: proportional fairness", "(7)").maximize().logarithm(),
        metric(7, power, one, "all transmit power", "(19c), corrected").minimize(),
        metric(8, power, one, "sum of N_t xi_kl gamma_kl", "(19c), first term").minimize(),
        metric(9, power, one, "sum of N_t eta_kl", "(19c), second term").minimize(),
        metric(10, power, site, "transmit power of each access point", "(19c)").minimize(),
        metric(11, "rad²", site, "Cramer-Rao lower bound of each angle, own illumination", "Theorem 2, corrected")
            .minimize(),
        metric(12, "rad²", site, "the same, all illuminations, other gains unknown: the exact one", "(4), (14)")
            .minimize(),
        metric(13, "rad²", site, "the same, all echoes together, all angles and gains unknown", "(4), (14)").minimize(),
    ]
}

/// Scratch for [`evaluate`].
pub(super) struct Scratch {
    communication: Vec<f64>,
    total: Vec<f64>,
    desired: Vec<f64>,
    sinr: Vec<f64>,
}

impl Scratch {
    pub fn new(system: &System) -> Self {
        let (users, access_points) = (system.users.users, system.users.access_points);
        let zeros = |n| vec![0.0; n];
        Self {
            communication: zeros(access_points),
            total: zeros(access_points),
            desired: zeros(users),
            sinr: zeros(users),
        }
    }
}

const RATES: [usize; 6] =
    [index::SINR, index::RATE, index::SUM_RATE, index::WEIGHTED_SUM_RATE, index::MIN_RATE, index::SUM_LOG_RATE];

/// Adds the rows of a K x L array.
pub(super) fn column_sums(rows: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for row in rows.chunks_exact(out.len()) {
        out.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
}

/// Writes the wanted metrics of the powers `p_kl` and `q_kl`.
pub(super) fn evaluate(
    system: &System,
    power: &[f64],
    sensing: &[f64],
    wanted: MetricSet,
    work: &mut Scratch,
    out: &mut MetricValues,
) {
    column_sums(power, &mut work.communication);
    column_sums(sensing, &mut work.total);
    if wanted.contains(index::CRLB) {
        for (l, crlb) in out.slot(index::CRLB).iter_mut().enumerate() {
            *crlb = system.sensing.own(l, work.communication[l], work.total[l]);
        }
    }
    if wanted.contains(index::CRLB_MULTISTATIC) {
        system.sensing.multistatic(&work.communication, sensing, out.slot(index::CRLB_MULTISTATIC));
    }
    if wanted.contains(index::CRLB_JOINT) {
        system.sensing.joint(&work.communication, sensing, out.slot(index::CRLB_JOINT));
    }
    let (communication, beams): (f64, f64) = (work.communication.iter().sum(), work.total.iter().sum());
    out.set(index::TRANSMIT_POWER, communication + beams);
    out.set(index::COMMUNICATION_POWER, communication);
    out.set(index::SENSING_POWER, beams);
    work.total.iter_mut().zip(&work.communication).for_each(|(total, c)| *total += c);
    if wanted.contains(index::ACCESS_POINT_POWER) {
        out.slot(index::ACCESS_POINT_POWER).copy_from_slice(&work.total);
    }
    if wanted.contains(index::ESTIMATE_VARIANCE) {
        out.slot(index::ESTIMATE_VARIANCE).copy_from_slice(&system.users.estimate_variance);
    }
    if RATES.iter().any(|i| wanted.contains(*i)) {
        rates(system, power, wanted, work, out);
    }
}

fn rates(system: &System, power: &[f64], wanted: MetricSet, work: &mut Scratch, out: &mut MetricValues) {
    let users = &system.users;
    users.desired_and_interference(power, &work.total, &mut work.desired, &mut work.sinr);
    for (sinr, x) in work.sinr.iter_mut().zip(&work.desired) {
        *sinr = x * x / *sinr;
    }
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
        let weighted = rates.iter().enumerate().map(|(k, rate)| system.instance.weight(k) * rate).sum();
        out.set(index::WEIGHTED_SUM_RATE, weighted);
    }
    if wanted.contains(index::SUM_LOG_RATE) {
        out.set(index::SUM_LOG_RATE, rates.iter().map(|rate| rate.ln()).sum());
    }
}
