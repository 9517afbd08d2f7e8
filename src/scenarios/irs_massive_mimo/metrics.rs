//! The metrics of an IRS-aided massive MIMO system, in their order.

use num_complex::Complex;

use super::figures::{Figures, Traces};
use super::offers::Known;
use super::scalars::{Scalars, Scratch as PhaseScratch};
use super::system::{Statistics, System};
use super::{general, rank_one};
use crate::error::Result;
use crate::metric::{MetricInfo, MetricSet, MetricValues};

/// Indices of the metrics.
pub(super) mod index {
    pub const GAIN: usize = 0;
    pub const MIN_GAIN: usize = 1;
    pub const SENSING_GAIN: usize = 2;
    pub const SINR: usize = 3;
    pub const RATE: usize = 4;
    pub const SUM_RATE: usize = 5;
    pub const MIN_RATE: usize = 6;
    pub const SENSING_SNR: usize = 7;
    pub const DESIRED: usize = 8;
    pub const UNCERTAINTY: usize = 9;
    pub const INTERFERENCE: usize = 10;
}

/// What the metrics are, for a number of users.
pub(super) fn infos(users: usize) -> Vec<MetricInfo> {
    let metric = |id: &str, unit: &str, shape: &[usize], description: &str, source: &str| {
        MetricInfo::new(id, unit, shape, description, &format!("000, {source}"))
    };
    let rate = "bit/s/Hz";
    vec![
        metric("average_channel_gain", "1", &[users], "Tr C_vk: average gain of each user's composite channel", "(14)")
            .maximize(),
        metric("min_average_channel_gain", "1", &[], "the smallest Tr C_vk", "(31a)").maximize(),
        metric("sensing_gain", "1", &[], "||u||²: gain of the composite echo channel", "(9), (31b)").maximize(),
        metric("sinr", "1", &[users], "SINR_k = DS_k² / (DU_k + sum_j IUI_kj + 1)", "(21), (26) corrected").maximize(),
        metric("rate", rate, &[users], "R_k = (tau_c - tau_p)/tau_c log2(1 + SINR_k)", "(20)").maximize(),
        metric("sum_rate", rate, &[], "sum of R_k", "(20)").maximize(),
        metric("min_rate", rate, &[], "smallest R_k", "(20)").maximize(),
        metric("sensing_snr", "1", &[], "average power of the echo over that of the noise", "(28), (29) corrected")
            .maximize(),
        metric("desired_signal", "1", &[users], "DS_k, an amplitude over that of the noise", "(22)").maximize(),
        metric("decision_uncertainty", "1", &[users], "DU_k: variance of the own gain", "(23)").minimize(),
        metric("inter_user_interference", "1", &[users, users], "IUI_kj: what k hears of j's stream", "(24)")
            .minimize(),
    ]
}

/// Scratch for [`evaluate`].
pub(super) struct Scratch {
    phases: PhaseScratch,
    theta: Vec<Complex<f64>>,
    image: Vec<Complex<f64>>,
    traces: Traces,
    figures: Figures,
}

impl Scratch {
    pub fn new(system: &System) -> Self {
        Self {
            phases: PhaseScratch::new(system.elements()),
            theta: vec![Complex::default(); system.elements()],
            image: vec![Complex::default(); system.elements()],
            traces: Traces::new(system.users()),
            figures: Figures::new(system.users()),
        }
    }
}

impl Scratch {
    /// The last `Tr C_vk` of a user.
    pub fn gain(&self, user: usize) -> f64 {
        self.figures.gain[user]
    }
}

/// Whether any of the wanted metrics is more than a gain.
fn beyond_gains(wanted: MetricSet) -> bool {
    wanted.iter().any(|i| i > index::SENSING_GAIN)
}

/// All figures of a phase vector; without `rates` only gains and echo need be of use.
pub(super) fn figures<'a>(system: &System, phases: &[f64], rates: bool, work: &'a mut Scratch) -> Result<&'a Figures> {
    match &system.statistics {
        Statistics::RankOne(basis) => {
            let scalars = Scalars::of(system, phases, true, &mut work.phases);
            rank_one::traces(system, basis, &scalars, &mut work.traces);
        }
        Statistics::General(full) => {
            system.reflection(phases, &mut work.theta);
            general::traces(system, full, &work.theta, rates, &mut work.traces)?;
        }
    }
    work.figures.assemble(system, &work.traces);
    Ok(&work.figures)
}

/// All traces of a phase vector.
pub(super) fn traces(system: &System, phases: &[f64]) -> Result<Traces> {
    let mut work = Scratch::new(system);
    figures(system, phases, true, &mut work)?;
    Ok(work.traces)
}

/// The average gains and the echo's gain alone, where the users share one form: `O(N²)`, large arrays `O(N log N)`.
fn gains(known: &Known, phases: &[f64], wanted: MetricSet, work: &mut Scratch, out: &mut MetricValues) {
    work.theta.iter_mut().zip(phases).for_each(|(t, phase)| *t = Complex::cis(*phase));
    if wanted.contains(index::GAIN) || wanted.contains(index::MIN_GAIN) {
        let forms = known.gains();
        forms.apply(0, &work.theta, &mut work.image);
        let value: f64 = work.theta.iter().zip(&work.image).map(|(t, q)| (t.conj() * q).re).sum();
        let gains = out.slot(index::GAIN);
        gains.iter_mut().enumerate().for_each(|(k, gain)| *gain = forms.gain(k, value));
        let least = least(gains);
        out.set(index::MIN_GAIN, least);
    }
    if wanted.contains(index::SENSING_GAIN) {
        let s = known.echo.weights.iter().zip(&work.theta).map(|(b, t)| b * t).sum();
        out.set(index::SENSING_GAIN, known.echo.gain(s));
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Writes the wanted metrics of a phase vector.
pub(super) fn evaluate(
    known: &Known,
    phases: &[f64],
    wanted: MetricSet,
    work: &mut Scratch,
    out: &mut MetricValues,
) -> Result<()> {
    let system = &known.system;
    let rates = beyond_gains(wanted);
    if !rates && matches!(system.statistics, Statistics::RankOne(_)) {
        gains(known, phases, wanted, work, out);
        return Ok(());
    }
    let figures = figures(system, phases, rates, work)?;
    out.slot(index::GAIN).copy_from_slice(&figures.gain);
    out.set(index::MIN_GAIN, least(&figures.gain));
    out.set(index::SENSING_GAIN, figures.sensing_gain);
    if !rates {
        return Ok(());
    }
    let (mut sum, mut smallest) = (0.0, f64::INFINITY);
    for k in 0..system.users() {
        let sinr = figures.sinr(k);
        let rate = figures.rate(system, k);
        out.slot(index::SINR)[k] = sinr;
        out.slot(index::RATE)[k] = rate;
        sum += rate;
        smallest = f64::min(smallest, rate);
    }
    out.set(index::SUM_RATE, sum);
    out.set(index::MIN_RATE, smallest);
    out.set(index::SENSING_SNR, figures.sensing_snr);
    out.slot(index::DESIRED).copy_from_slice(&figures.desired);
    out.slot(index::UNCERTAINTY).copy_from_slice(&figures.uncertainty);
    out.slot(index::INTERFERENCE).copy_from_slice(&figures.interference);
    Ok(())
}
