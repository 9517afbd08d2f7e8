//! Monte-Carlo of the raw channels: the surface's fading (common to all users), direct and reflected links, pilots,
//! linear estimates, the precoder and what users and radar receive. Shares no formula with the rates.

use faer::Mat;
use num_complex::Complex;

use super::channels::{Channels, Matrix, Moments, normal, scaled, times};
use super::system::System;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::radio::music::Snapshots;
use crate::simulation::{Simulation, SimulationFactory};

/// One system and one phase vector, ready to be drawn.
#[derive(Clone)]
pub(super) struct RawChannels {
    users: usize,
    channels: Channels,
    theta: Vec<Complex<f64>>,
    /// The linear filters on the received pilots.
    filters: Vec<Matrix>,
    pilot_energy: f64,
    /// The echo channel u.
    echo: Vec<Complex<f64>>,
    communication_share: Vec<f64>,
    sensing_share: Vec<f64>,
    transmit_snr: f64,
    pre_log: f64,
}

/// One draw of all channels and their estimates.
struct Drawn {
    true_channel: Vec<Vec<Complex<f64>>>,
    estimate: Vec<Vec<Complex<f64>>>,
}

fn inner(a: &[Complex<f64>], b: &[Complex<f64>]) -> Complex<f64> {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

/// Raw channels of more elements are not drawn: whole covariances and their roots would take gigabytes and minutes.
const MOST_ELEMENTS: usize = 1024;

impl RawChannels {
    /// # Errors
    /// Where a covariance has no square root, the received pilots no invertible one, or the surface more than
    /// [`MOST_ELEMENTS`].
    pub fn new(system: &System, phases: &[f64]) -> Result<Self> {
        let instance = &system.instance;
        if phases.len() > MOST_ELEMENTS {
            let found = phases.len();
            return Err(Error::Numerical(format!(
                "raw channels of {found} elements: at most {MOST_ELEMENTS} are drawn"
            )));
        }
        let moments = Moments::new(system);
        let (m, n, users) = (moments.los.nrows(), moments.los.ncols(), instance.users());
        let mut theta = vec![Complex::default(); n];
        system.reflection(phases, &mut theta);
        let xi = instance.pilot_snr * instance.pilot_length as f64;
        let filters = (0..users).map(|k| {
            // C_v = E v v^H, by E[H B H^H] = Hb B Hb^H + Tr(R_I B) R_T.
            let b = &moments.reflected[k];
            let b = Mat::from_fn(n, n, |i, j| theta[i] * b[(i, j)] * theta[j].conj());
            let line = &moments.los * &b * moments.los.adjoint();
            let product = &moments.surface * &b;
            let power: f64 = (0..n).map(|i| product[(i, i)].re).sum::<f64>() * moments.scattered * moments.scattered;
            let own = &moments.direct[k];
            let c = Mat::from_fn(m, m, |i, j| own[(i, j)] + line[(i, j)] + moments.receive[(i, j)] * power);
            let one = |i, j| if i == j { Complex::new(1.0, 0.0) } else { Complex::default() };
            let pilots = nalgebra::DMatrix::from_fn(m, m, |i, j| c[(i, j)] * xi + one(i, j));
            let failed = || Error::Numerical(format!("the covariance of user {k}'s pilot is singular"));
            let inverse = pilots.cholesky().ok_or_else(failed)?.inverse();
            let inverse = Mat::from_fn(m, m, |i, j| inverse[(i, j)]);
            Ok(scaled(&(&c * &inverse), xi.sqrt()))
        });
        let filters = filters.collect::<Result<Vec<_>>>()?;
        let mut echo: Vec<_> = system.target.iter().map(|p| p * instance.target_reflection_base_station).collect();
        let seen: Vec<_> =
            theta.iter().zip(&system.irs_target).map(|(t, q)| t * q * instance.target_reflection_irs).collect();
        echo.iter_mut().zip(times(&moments.los, &seen)).for_each(|(u, r)| *u += r);
        Ok(Self {
            users,
            channels: Channels::of(&moments)?,
            theta,
            filters,
            pilot_energy: xi,
            echo,
            communication_share: instance.communication_share.clone(),
            sensing_share: instance.sensing_share.clone(),
            transmit_snr: instance.transmit_snr,
            pre_log: 1.0 - instance.pilot_length as f64 / instance.coherence_length as f64,
        })
    }

    /// Simulations, one a thread.
    pub fn factory(self) -> SimulationFactory {
        Box::new(move || Box::new(self.clone()))
    }

    fn draw(&self, draws: &mut RandomStream) -> Drawn {
        let surface = self.channels.surface(draws);
        let mut drawn = Drawn { true_channel: Vec::new(), estimate: Vec::new() };
        for k in 0..self.users {
            let [mut v, mut g] = self.channels.user(k, draws);
            g.iter_mut().zip(&self.theta).for_each(|(g, t)| *g *= t);
            v.iter_mut().zip(times(&surface, &g)).for_each(|(v, r)| *v += r);
            let noise = normal(draws, v.len());
            let root = self.pilot_energy.sqrt();
            let received: Vec<_> = v.iter().zip(noise).map(|(v, n)| v * root + n).collect();
            drawn.estimate.push(times(&self.filters[k], &received));
            drawn.true_channel.push(v);
        }
        drawn
    }

    /// Offsets of the moments: gains, estimates' gains, own products (re, im), squares, echo squares, cross terms, echo
    /// of the estimates (square, re).
    fn offsets(&self) -> [usize; 7] {
        let k = self.users;
        [0, k, 2 * k, 4 * k, 4 * k + k * k, 5 * k + k * k, 5 * k + 2 * k * k]
    }
}

impl Simulation for RawChannels {
    fn moments(&self) -> usize {
        7 * self.users + 2 * self.users * self.users
    }

    fn covers(&self) -> Vec<&'static str> {
        vec![
            "average_channel_gain",
            "min_average_channel_gain",
            "sinr",
            "rate",
            "sum_rate",
            "min_rate",
            "sensing_snr",
            "desired_signal",
            "decision_uncertainty",
            "inter_user_interference",
        ]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let channels = self.draw(stream);
        let [gain, estimate, own, square, echo, cross, reflected] = self.offsets();
        let users = self.users;
        let norm = |x: &[Complex<f64>]| x.iter().map(Complex::norm_sqr).sum::<f64>();
        for k in 0..users {
            let (v, own_estimate) = (&channels.true_channel[k], &channels.estimate[k]);
            out[gain + k] = norm(v);
            out[estimate + k] = norm(own_estimate);
            let heard_echo = inner(v, &self.echo);
            out[echo + k] = heard_echo.norm_sqr();
            for j in 0..users {
                let heard = inner(v, &channels.estimate[j]);
                out[square + k * users + j] = heard.norm_sqr();
                out[cross + k * users + j] = (heard * heard_echo.conj()).re;
                if j == k {
                    (out[own + 2 * k], out[own + 2 * k + 1]) = (heard.re, heard.im);
                }
            }
            let back = inner(&self.echo, own_estimate);
            out[reflected + 2 * k] = back.norm_sqr();
            out[reflected + 2 * k + 1] = back.re;
        }
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        let [gain, estimate, own, square, echo, cross, reflected] = self.offsets();
        let (users, rho) = (self.users, self.transmit_snr);
        let gains = &mean[gain..gain + users];
        let echo_gain: f64 = self.echo.iter().map(Complex::norm_sqr).sum();
        let over = |share: f64, by: f64| if by > 0.0 { share / by } else { 0.0 };
        let power = |k: usize, j: usize| {
            let (c, s) =
                (over(self.communication_share[j], mean[estimate + j]), over(self.sensing_share[j], echo_gain));
            let at = k * users + j;
            rho * (c * mean[square + at] + s * mean[echo + k] + 2.0 * (c * s).sqrt() * mean[cross + at])
        };
        let desired = |k: usize| {
            let c = over(self.communication_share[k], mean[estimate + k]);
            // The sensing stream's part has mean 0: v is, and does not depend on u.
            (rho * c).sqrt() * mean[own + 2 * k].hypot(mean[own + 2 * k + 1])
        };
        let mut rates = vec![0.0; users];
        let mut sinrs = vec![0.0; users];
        for k in 0..users {
            let total: f64 = (0..users).map(|j| power(k, j)).sum();
            let wanted = desired(k).powi(2);
            sinrs[k] = wanted / (total - wanted + 1.0);
            rates[k] = self.pre_log * sinrs[k].ln_1p() / std::f64::consts::LN_2;
        }
        let least = |x: &[f64]| x.iter().copied().fold(f64::INFINITY, f64::min);
        let reflection: f64 = (0..users)
            .map(|k| {
                let (c, s) =
                    (over(self.communication_share[k], mean[estimate + k]), over(self.sensing_share[k], echo_gain));
                let mixed = 2.0 * (c * s).sqrt() * echo_gain * mean[reflected + 2 * k + 1];
                c * mean[reflected + 2 * k] + s * echo_gain * echo_gain + mixed
            })
            .sum();
        let mut values: Vec<f64> = gains.to_vec();
        values.push(least(gains));
        values.extend(&sinrs);
        values.extend(&rates);
        values.push(rates.iter().sum());
        values.push(least(&rates));
        values.push(rho * echo_gain * reflection);
        values.extend((0..users).map(desired));
        values.extend((0..users).map(|k| power(k, k) - desired(k).powi(2)));
        values
            .extend((0..users * users).map(|e| if e / users == e % users { 0.0 } else { power(e / users, e % users) }));
        out.copy_from_slice(&values);
    }
}

/// Draws the snapshots of one phase vector's echoes.
pub(super) struct EchoSource {
    raw: RawChannels,
    /// Amplitudes of the users' streams and of the sensing streams.
    amplitudes: Vec<[f64; 2]>,
    echo_gain: f64,
    samples: usize,
}

impl EchoSource {
    /// # Errors
    /// Where a covariance has no square root.
    pub fn new(system: &System, phases: &[f64]) -> Result<Self> {
        let raw = RawChannels::new(system, phases)?;
        let samples = (system.instance.coherence_length - system.instance.pilot_length) as usize;
        let echo_gain: f64 = raw.echo.iter().map(Complex::norm_sqr).sum();
        let over = |share: f64, by: f64| if by > 0.0 { (share / by).sqrt() } else { 0.0 };
        // A stream's power is that of the statistics, on average.
        let trace = super::metrics::traces(system, phases)?;
        let amplitudes = (0..raw.users)
            .map(|k| [over(raw.communication_share[k], trace.estimate_gain[k]), over(raw.sensing_share[k], echo_gain)])
            .collect();
        Ok(Self { raw, amplitudes, echo_gain, samples })
    }

    /// Draws `Y = sqrt(rho) u u^H W X + N`, `[M][T]`, T the data symbols of a coherence interval, row-major.
    pub fn draw(&self, draws: &mut RandomStream) -> Snapshots {
        let channels = self.raw.draw(draws);
        // u^H w_k of each stream.
        let estimates = channels.estimate.iter().zip(&self.amplitudes);
        let streams: Vec<Complex<f64>> = estimates
            .map(|(v, [communication, sensing])| inner(&self.raw.echo, v) * communication + self.echo_gain * sensing)
            .collect();
        let scale = self.raw.transmit_snr.sqrt();
        let mut sent = || streams.iter().map(|s| s * draws.complex_normal(1.0)).sum::<Complex<f64>>() * scale;
        let sent: Vec<Complex<f64>> = (0..self.samples).map(|_| sent()).collect();
        let mut values = Vec::with_capacity(self.raw.echo.len() * self.samples);
        for u in &self.raw.echo {
            values.extend(sent.iter().map(|x| u * x + draws.complex_normal(1.0)));
        }
        let energy = sent.iter().map(Complex::norm_sqr).sum();
        Snapshots { values, energy: Some(energy) }
    }
}
