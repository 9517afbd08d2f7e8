//! Checks of certificates by arguments of their own. Nothing here is shared with the solvers: gains, interference and
//! Fisher information are computed anew from the instance, element by element.
//!
//! **Bound.** At full power, with the users' shares fixed, every SINR falls in the sensing power q, so that no design
//! with `q >= q0` does better than the best one at `q0`. Below a certified `q0` no design is feasible: `1 / CRLB` is
//! concave in q on `S + q = P`, so where it misses its limit and does not fall, it misses it at all smaller q, too. At
//! `q0` the value of a dual function at the certificate's price bounds the utility, whatever that price is.
//!
//! **Infeasibility.** `sum lambda_i c_i / CRLB_i` is concave in q and at least 1 where the limits hold; its tangent at
//! the certificate's q stays below 1. With rate floors: up to some q the CRLBs are in the way, above it the floors.
//!
//! Limits that are not looked at only make a proof weaker, never wrong.

use std::collections::BTreeMap;
use std::f64::consts::{LN_2, PI};

use nalgebra::{Matrix2, Matrix2x3};
use num_complex::Complex;
use serde_json::Value;

use super::instance::{Array, Instance, Pointing, Precoder};
use crate::error::{Error, Result};
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::Proof;
use crate::verification::{number, numbers};

/// The certificate's own figures must come out again to this.
const SAME: f64 = 1e-6;

/// Ways to serve one user a pilot that are gone through at most.
const MOST_ASSIGNMENTS: f64 = 1e6;

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::CheckFailed(why.into()))
}

/// Checks a certificate of a problem.
pub(super) fn verify(instance: &Instance, problem: &ProblemSpec, certificate: &Value) -> Option<Result<Proof>> {
    let users = Users::new(instance);
    let limits = Limits::new(problem, &users);
    let echo = Echo::new(instance);
    match certificate["kind"].as_str()? {
        "dual" => Some(dual(instance, problem, &users, &echo, &limits, certificate).map(Proof::Bound)),
        "infeasibility" => Some(infeasible(&users, &echo, &limits, certificate).map(|()| Proof::Infeasible)),
        _ => None,
    }
}

/// Gains and interference of the users (paper 001, (6), (16), (17), Theorem 1 with coherent interference).
struct Users {
    /// Pilot, xi gain, weight of q, weight of S; noise over gain is made of them.
    pilot: Vec<u64>,
    gain: Vec<f64>,
    per_sensing: Vec<f64>,
    per_communication: Vec<f64>,
    noise: f64,
    pre_log: f64,
}

impl Users {
    fn new(instance: &Instance) -> Self {
        let energy = instance.pilot_length as f64 * instance.pilot_power;
        let noise = instance.communication_noise_power;
        let antennas = instance.transmit_array.horizontal as f64 * instance.transmit_array.vertical as f64;
        let mut heard: BTreeMap<u64, f64> = BTreeMap::new();
        for (pilot, beta) in instance.pilot_index.iter().zip(&instance.large_scale_fading) {
            *heard.entry(*pilot).or_insert(0.0) += beta;
        }
        let variance = |k: usize| {
            let beta = instance.large_scale_fading[k];
            energy * beta * beta / (energy * heard[&instance.pilot_index[k]] + noise)
        };
        let all = 0..instance.large_scale_fading.len();
        let zf = instance.precoder == Precoder::Zf;
        let degrees = if zf { antennas - heard.len() as f64 } else { antennas };
        let coherence = instance.coherence_length as f64;
        Self {
            pilot: instance.pilot_index.clone(),
            gain: all.clone().map(|k| degrees * variance(k)).collect(),
            per_sensing: instance.large_scale_fading.clone(),
            per_communication: all
                .map(|k| instance.large_scale_fading[k] - if zf { variance(k) } else { 0.0 })
                .collect(),
            noise,
            pre_log: 1.0 - instance.pilot_length as f64 / coherence,
        }
    }

    fn len(&self) -> usize {
        self.gain.len()
    }

    /// Interference and noise over gain at a split of full power, without what shares the pilot.
    fn disturbance(&self, power: f64, sensing: f64) -> Vec<f64> {
        let one = |k: usize| {
            let heard = self.per_sensing[k] * sensing + self.per_communication[k] * (power - sensing);
            (heard + self.noise) / self.gain[k]
        };
        (0..self.len()).map(one).collect()
    }

    /// The users of each pilot.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        self.pilot.iter().enumerate().for_each(|(k, pilot)| groups.entry(*pilot).or_default().push(k));
        groups.into_values().collect()
    }
}

/// The limits that the proofs use.
struct Limits {
    power: f64,
    crlb: [f64; 2],
    /// The least SINR of each user.
    sinr: Vec<f64>,
}

impl Limits {
    fn new(problem: &ProblemSpec, users: &Users) -> Self {
        let mut limits = Self { power: f64::INFINITY, crlb: [f64::INFINITY; 2], sinr: vec![0.0; users.len()] };
        for constraint in &problem.constraints {
            match (constraint.metric.as_str(), &constraint.limit) {
                ("transmit_power", Limit::AtMost(most)) => {
                    limits.power = most.iter().copied().fold(limits.power, f64::min)
                }
                ("crlb_azimuth", Limit::AtMost(most)) => {
                    limits.crlb[0] = most.iter().copied().fold(limits.crlb[0], f64::min);
                }
                ("crlb_elevation", Limit::AtMost(most)) => {
                    limits.crlb[1] = most.iter().copied().fold(limits.crlb[1], f64::min);
                }
                ("min_rate" | "rate", Limit::AtLeast(least)) => {
                    for (k, sinr) in limits.sinr.iter_mut().enumerate() {
                        let rate = least[k.min(least.len() - 1)];
                        *sinr = sinr.max((rate * LN_2 / users.pre_log).exp_m1());
                    }
                }
                _ => {}
            }
        }
        limits
    }

    /// The power that the SINR floors need.
    fn floors(&self, disturbance: &[f64]) -> f64 {
        self.sinr.iter().zip(disturbance).map(|(sinr, n)| sinr * n).sum()
    }
}

/// Sums over the elements of one dimension of an array, seen by a beam whose phase slope differs by x:
/// `sum e^{j u x}`, `sum u e^{j u x}`, `sum u^2`.
fn sums(count: usize, x: f64) -> (Complex<f64>, Complex<f64>, f64) {
    let mut out = (Complex::default(), Complex::default(), 0.0);
    for i in 0..count {
        let u = i as f64 - (count as f64 - 1.0) / 2.0;
        let phase = Complex::cis(u * x);
        out = (out.0 + phase, out.1 + phase * u, out.2 + u * u);
    }
    out
}

/// Inner products of `a`, `a_theta`, `a_phi`, and of a beam with them.
struct Products {
    own: [[f64; 3]; 3],
    beam: [Complex<f64>; 3],
}

impl Products {
    fn new(array: Array, target: Pointing, beam: Pointing) -> Self {
        let slopes = |p: Pointing| [p.azimuth.sin() * p.elevation.sin(), p.elevation.cos()];
        let (t, b) = (slopes(target), slopes(beam));
        let (h, dh, hh) = sums(array.horizontal, PI * (t[0] - b[0]));
        let (v, dv, vv) = sums(array.vertical, PI * (t[1] - b[1]));
        let (theta, phi) = (target.azimuth, target.elevation);
        // An element at (u, w) has the phase pi (u sin(theta) sin(phi) + w cos(phi)): the derivatives' factors.
        let by_theta = [PI * theta.cos() * phi.sin(), 0.0];
        let by_phi = [PI * theta.sin() * phi.cos(), -PI * phi.sin()];
        let (nh, nv) = (array.horizontal as f64, array.vertical as f64);
        let gram = |x: [f64; 2], y: [f64; 2]| x[0] * y[0] * hh * nv + x[1] * y[1] * vv * nh;
        let along = |x: [f64; 2]| Complex::<f64>::i() * (dh * v * x[0] + h * dv * x[1]);
        let (tt, tp, pp) = (gram(by_theta, by_theta), gram(by_theta, by_phi), gram(by_phi, by_phi));
        Self {
            // sum u = 0: the derivatives are orthogonal to a.
            own: [[nh * nv, 0.0, 0.0], [0.0, tt, tp], [0.0, tp, pp]],
            beam: [h * v, along(by_theta), along(by_phi)],
        }
    }
}

/// The Fisher information of (theta, phi | Re alpha, Im alpha) per unit of S and of q.
struct Echo {
    angles: [Matrix2<f64>; 2],
    /// Columns: Re alpha, Im alpha; the last one is unused.
    mixed: [Matrix2x3<f64>; 2],
    reflection: [f64; 2],
}

impl Echo {
    /// `J_ij = 2 L / sigma^2 Re tr(M_i R M_j^H)` with `M = alpha b a^H`, `R = (S I + q v v^H) / N_t`.
    fn new(instance: &Instance) -> Self {
        let (target, beam) = (instance.target_direction, instance.sensing_beam_direction);
        let a = Products::new(instance.transmit_array, target, beam.unwrap_or(target));
        let b = Products::new(instance.receive_array, target, target).own;
        let antennas = a.own[0][0];
        let alpha = instance.target_reflection;
        let kappa = 2.0 * instance.frame_length as f64 / instance.sensing_noise_power;
        // x^H R y for x, y among a, a_theta, a_phi: per unit of S, per unit of q.
        let inner = |part: usize, x: usize, y: usize| match part {
            0 => Complex::from(a.own[x][y] / antennas),
            _ => a.beam[x].conj() * a.beam[y] / antennas,
        };
        let mut echo = Self { angles: [Matrix2::zeros(); 2], mixed: [Matrix2x3::zeros(); 2], reflection: [0.0; 2] };
        for part in 0..2 {
            for i in 1..3 {
                for j in 1..3 {
                    let sum = inner(part, 0, 0) * b[j][i]
                        + inner(part, 0, j) * b[0][i]
                        + inner(part, i, 0) * b[j][0]
                        + inner(part, i, j) * b[0][0];
                    echo.angles[part][(i - 1, j - 1)] = kappa * alpha.norm_sqr() * sum.re;
                }
                let slope = alpha * (inner(part, 0, 0) * b[0][i] + inner(part, i, 0) * b[0][0]);
                echo.mixed[part][(i - 1, 0)] = kappa * slope.re;
                echo.mixed[part][(i - 1, 1)] = kappa * slope.im;
            }
            echo.reflection[part] = kappa * b[0][0] * inner(part, 0, 0).re;
        }
        echo
    }

    /// `1 / CRLB` of both angles at `S = power - q`, and its derivatives in q; 0 where the angles cannot be told.
    fn precision(&self, power: f64, sensing: f64) -> [(f64, f64); 2] {
        let at = |parts: [f64; 2]| parts[0] * (power - sensing) + parts[1] * sensing;
        let weights = [power - sensing, sensing];
        let angles = self.angles[0] * weights[0] + self.angles[1] * weights[1];
        let mixed = self.mixed[0] * weights[0] + self.mixed[1] * weights[1];
        let reflection = at(self.reflection);
        let change =
            (self.angles[1] - self.angles[0], self.mixed[1] - self.mixed[0], self.reflection[1] - self.reflection[0]);
        let (mut j, mut dj) = (angles, change.0);
        if reflection > 0.0 {
            let cross = change.1 * mixed.transpose();
            j -= mixed * mixed.transpose() / reflection;
            dj -= (cross + cross.transpose()) / reflection;
            dj += mixed * mixed.transpose() * (change.2 / reflection / reflection);
        }
        let product = j[(0, 0)] * j[(1, 1)];
        let told = product.is_finite() && j[(0, 0)] > 0.0 && product - j[(0, 1)] * j[(0, 1)] > 1e-12 * product;
        std::array::from_fn(|i| {
            let o = 1 - i;
            let ratio = j[(0, 1)] / j[(o, o)];
            let value = j[(i, i)] - j[(0, 1)] * ratio;
            let slope = dj[(i, i)] - 2.0 * ratio * dj[(0, 1)] + ratio * ratio * dj[(o, o)];
            if told && value > 1e-20 { (value, slope) } else { (0.0, 0.0) }
        })
    }

    /// Whether no q in `[0, sensing]` meets the CRLB limits at full power.
    fn excluded(&self, limits: &Limits, sensing: f64) -> bool {
        let precision = self.precision(limits.power, sensing);
        precision.iter().zip(limits.crlb).any(|((value, slope), limit)| {
            let needed = 1.0 / limit;
            *value < needed && *slope >= 0.0 && *value > 0.0
        })
    }
}

/// The bound that a certificate of the kind "dual" proves.
fn dual(
    instance: &Instance,
    problem: &ProblemSpec,
    users: &Users,
    echo: &Echo,
    limits: &Limits,
    certificate: &Value,
) -> Result<f64> {
    let power = limits.power;
    let sensing = number(certificate, "sensing_power")?;
    let price = number(certificate, "power_price")?;
    let claimed = number(certificate, "bound")?;
    if !(power.is_finite() && power >= 0.0) {
        return refuse("without a limit on transmit_power there is no such bound");
    }
    if !(0.0..=power * (1.0 + 1e-12)).contains(&sensing) || price.is_nan() || price < 0.0 {
        return refuse("the certificate's sensing power or price lies outside of its range");
    }
    let stated = numbers(certificate, "noise_over_gain")?;
    let own = users.disturbance(power, sensing);
    let close = |a: &f64, b: &f64| (a - b).abs() <= SAME * a.abs().max(b.abs());
    if stated.len() != own.len() || !own.iter().zip(&stated).all(|(a, b)| close(a, b)) {
        return refuse("the certificate's noise over gain is not that of the instance");
    }
    // A little below the smallest feasible sensing power, where the limits are missed beyond rounding.
    let below = [1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8].map(|share| sensing - share * power);
    let from = match sensing <= 1e-13 * power {
        true => Some(0.0),
        false => below.into_iter().find(|q| *q <= 0.0 || echo.excluded(limits, *q)).map(|q| q.max(0.0)),
    };
    let Some(from) = from else {
        return refuse(format!(
            "smaller sensing powers than the certificate's {sensing} are not shown to be infeasible"
        ));
    };
    let noise = users.disturbance(power, from);
    let total = power - from;
    let groups = users.groups();
    let shared = groups.iter().any(|g| g.len() > 1);
    // Under pilot reuse the floors are left out: a weaker bound, but a bound.
    let floor = |k: usize| if shared { 0.0 } else { limits.sinr[k] * noise[k] };
    let weights: Vec<f64> = match (&problem.objective, &instance.user_weights) {
        (Objective::Metric(id), Some(weights)) if id == "weighted_sum_rate" => weights.clone(),
        _ => vec![1.0; users.len()],
    };
    let bits = users.pre_log / LN_2;
    let Objective::Metric(objective) = &problem.objective else {
        return refuse("the objective is a sum of metrics, of which no bound is known");
    };
    match objective.as_str() {
        "sum_rate" | "weighted_sum_rate" => {
            let best = |members: &[usize]| {
                let gains = members.iter().map(|k| bought(weights[*k], noise[*k], floor(*k), price));
                gains.fold(f64::NEG_INFINITY, f64::max)
            };
            let value = bits * (price * total + groups.iter().map(|g| best(g)).sum::<f64>());
            if value <= claimed * (1.0 + 1e-9) || !shared || objective == "sum_rate" {
                return Ok(value);
            }
            let ways: f64 = groups.iter().map(|g| g.len() as f64).product();
            if ways > MOST_ASSIGNMENTS {
                return refuse(format!(
                    "the price proves the bound {value}; {ways:.0} ways to share pilots are too many"
                ));
            }
            Ok(bits * best_assignment(&groups, &weights, &noise, total))
        }
        "min_rate" => Ok(bits * largest_common_sinr(&groups, &noise, &floor, total).ln_1p()),
        "sum_log_rate" => {
            let value = match shared {
                false => {
                    price * total + (0..users.len()).map(|k| bought_logarithm(noise[k], floor(k), price)).sum::<f64>()
                }
                true => tangent(&groups, &noise, &numbers(certificate, "communication_power")?, total)?,
            };
            Ok(value + users.len() as f64 * bits.ln())
        }
        other => refuse(format!("no bound on `{other}` is known")),
    }
}

/// `max_p w ln(1 + p/n) - price p` over `p >= floor`.
fn bought(weight: f64, noise: f64, floor: f64, price: f64) -> f64 {
    if weight == 0.0 {
        return -price * floor;
    }
    let p = (weight / price - noise).max(floor);
    weight * (p / noise).ln_1p() - price * p
}

/// `max_p ln ln(1 + p/n) - price p` over `p >= floor`; with `l = ln(1 + p/n)` the root of `l e^l = 1/(price n)`.
fn bought_logarithm(noise: f64, floor: f64, price: f64) -> f64 {
    let goal = -(price * noise).ln();
    let (mut low, mut high) = (0.0f64, 800.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle + middle.ln() < goal { low = middle } else { high = middle }
    }
    let p = (noise * high.exp_m1()).max(floor);
    (p / noise).ln_1p().ln() - price * p
}

/// An SINR that not all users can reach with the power that there is: each needs `max(t n_k, floor_k)`; the users of a
/// shared pilot together `t N / (1 + t - m t)`.
fn largest_common_sinr(groups: &[Vec<usize>], noise: &[f64], floor: &dyn Fn(usize) -> f64, total: f64) -> f64 {
    let needed = |t: f64| {
        let of = |members: &Vec<usize>| match members[..] {
            [k] => (t * noise[k]).max(floor(k)),
            _ => {
                let sum: f64 = members.iter().map(|k| noise[*k]).sum();
                let left = 1.0 + t - members.len() as f64 * t;
                if left > 0.0 { t * sum / left } else { f64::INFINITY }
            }
        };
        groups.iter().map(of).sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 1.0);
    while needed(high) < total && high < 1e300 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if needed(middle) < total { low = middle } else { high = middle }
    }
    high
}

/// The largest `sum w_k ln(1 + p_k/n_k)` over all ways to serve one user a pilot, in each a dual value at a price found
/// by bisection. At a fixed power of a pilot its sum of rates is convex in the powers, so one user gets it all.
fn best_assignment(groups: &[Vec<usize>], weights: &[f64], noise: &[f64], total: f64) -> f64 {
    let mut choice = vec![0; groups.len()];
    let mut best = f64::NEG_INFINITY;
    loop {
        let served: Vec<usize> = groups.iter().zip(&choice).map(|(members, i)| members[*i]).collect();
        let spent = |price: f64| served.iter().map(|k| (weights[*k] / price - noise[*k]).max(0.0)).sum::<f64>();
        let (mut low, mut high) = (1e-300f64, served.iter().map(|k| weights[*k] / noise[*k]).fold(1e-300, f64::max));
        for _ in 0..100 {
            let middle = (low * high).sqrt();
            if spent(middle) > total { low = middle } else { high = middle }
        }
        let value =
            |price: f64| price * total + served.iter().map(|k| bought(weights[*k], noise[*k], 0.0, price)).sum::<f64>();
        best = best.max(value(low).min(value(high)));
        let Some(place) = choice.iter().zip(groups).position(|(i, members)| i + 1 < members.len()) else { return best };
        choice[place] += 1;
        choice[..place].fill(0);
    }
}

/// `sum ln ln(1 + SINR_k)` is concave in the logarithms of the powers: its tangent at some powers, at its largest
/// under `sum p = total`. Needs derivatives that are not negative.
fn tangent(groups: &[Vec<usize>], noise: &[f64], powers: &[f64], total: f64) -> Result<f64> {
    let sum: f64 = powers.iter().sum();
    if powers.len() != noise.len() {
        return refuse("the certificate must hold a power for each user");
    }
    let power: Vec<f64> = powers.iter().map(|p| p * total / sum).collect();
    let (mut value, mut slopes) = (0.0, vec![0.0; noise.len()]);
    for members in groups {
        let all: f64 = members.iter().map(|k| power[*k]).sum();
        for &k in members {
            let heard = noise[k] + all - power[k];
            let sinr = power[k] / heard;
            let nats = sinr.ln_1p();
            value += nats.ln();
            let steep = sinr / (1.0 + sinr) / nats;
            for &j in members {
                slopes[j] += if j == k { steep } else { -steep * power[j] / heard };
            }
        }
    }
    if !(value.is_finite() && slopes.iter().all(|c| *c >= 0.0)) {
        return refuse("the certificate's powers do not prove the bound");
    }
    let weight: f64 = slopes.iter().sum();
    let gain = |(c, p): (&f64, &f64)| if *c > 0.0 { c * (c * total / (weight * p)).ln() } else { 0.0 };
    Ok(value + slopes.iter().zip(&power).map(gain).sum::<f64>())
}

/// Checks a certificate of the kind "infeasibility".
fn infeasible(users: &Users, echo: &Echo, limits: &Limits, certificate: &Value) -> Result<()> {
    let power = limits.power;
    let sensing = number(certificate, "sensing_power")?;
    let ratio = number(certificate, "ratio")?;
    if !(power.is_finite() && (0.0..=power * (1.0 + 1e-12)).contains(&sensing) && ratio > 1.0) {
        return refuse("the certificate's sensing power or ratio lies outside of its range");
    }
    let limited = limits.crlb.iter().any(|c| c.is_finite());
    let floored = limits.sinr.iter().any(|s| *s > 0.0);
    if power == 0.0 {
        return if limited || floored { Ok(()) } else { refuse("without limits there is a feasible design") };
    }
    if certificate["sinr"].is_null() {
        return crlbs_infeasible(echo, limits, sensing, ratio, &numbers(certificate, "multipliers")?);
    }
    if users.groups().iter().any(|g| g.len() > 1) {
        return refuse("rate floors under pilot reuse cannot be checked");
    }
    // What the floors leave: affine in q, and falling.
    let left = |q: f64| power - q - limits.floors(&users.disturbance(power, q));
    let (first, last) = (left(0.0), left(power));
    let most = power * first / (first - last);
    if first < 0.0 || echo.excluded(limits, (most * (1.0 + 1e-12)).min(power)) {
        return Ok(());
    }
    match hardest(echo, limits) {
        Some((q, lambda)) if crlbs_infeasible(echo, limits, q, f64::NAN, &lambda).is_ok() => Ok(()),
        _ => refuse("the limits are not shown to exclude each other"),
    }
}

/// The sensing power at which the smallest `c_i / CRLB_i` is largest, and the multipliers of a level sum there.
fn hardest(echo: &Echo, limits: &Limits) -> Option<(f64, [f64; 2])> {
    let terms = |q: f64| {
        let precision = echo.precision(limits.power, q);
        [0, 1].map(|i| (limits.crlb[i] * precision[i].0, limits.crlb[i] * precision[i].1))
    };
    match limits.crlb.map(f64::is_finite) {
        [false, false] => return None,
        [true, true] => {}
        [first, _] => {
            let i = usize::from(!first);
            let mut lambda = [0.0; 2];
            lambda[i] = 1.0;
            let (mut low, mut high) = (0.0, limits.power);
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if terms(middle)[i].1 > 0.0 { low = middle } else { high = middle }
            }
            return Some((high, lambda));
        }
    }
    let (mut low, mut high) = (0.0, limits.power);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        let [a, b] = terms(middle);
        let slope = if a.0 < b.0 { a.1 } else { b.1 };
        if slope > 0.0 { low = middle } else { high = middle }
    }
    let [a, b] = terms(high);
    let first = b.1 / (b.1 - a.1);
    let level = a.1 * b.1 < 0.0 && (a.0 - b.0).abs() <= 1e-6 * a.0;
    let alone = if a.0 < b.0 { [1.0, 0.0] } else { [0.0, 1.0] };
    Some((high, if level { [first, 1.0 - first] } else { alone }))
}

/// Whether `sum lambda_i c_i / CRLB_i` stays below 1 at all q; where a ratio is given it must be that of the largest.
fn crlbs_infeasible(echo: &Echo, limits: &Limits, sensing: f64, ratio: f64, multipliers: &[f64]) -> Result<()> {
    let power = limits.power;
    let [first, second] = *multipliers else { return refuse("there must be two multipliers") };
    let weights = [first, second];
    let fits = weights.iter().zip(limits.crlb).all(|(w, c)| *w >= 0.0 && (c.is_finite() || *w == 0.0));
    if !fits || (first + second - 1.0).abs() > 1e-9 {
        return refuse("the multipliers must be 0 or more, of limited angles, and add to 1");
    }
    let sum = |q: f64| {
        let precision = echo.precision(power, q);
        let terms = (0..2).filter(|i| weights[*i] > 0.0).map(|i| {
            let scale = weights[i] * limits.crlb[i];
            (scale * precision[i].0, scale * precision[i].1)
        });
        terms.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    if ratio == f64::INFINITY {
        // A concave function that is nowhere negative and 0 inside is 0 everywhere.
        return match sum(0.5 * power).0 {
            0.0 => Ok(()),
            value => refuse(format!("the limits can be told apart from nothing: the ratio is {}", 1.0 / value)),
        };
    }
    let (value, slope) = sum(sensing);
    let largest = value + (slope * (power - sensing)).max(-slope * sensing);
    if largest.is_nan() || largest >= 1.0 {
        return refuse(format!("the multipliers do not exclude all sensing powers: their sum may reach {largest}"));
    }
    if !ratio.is_nan() && (largest * ratio - 1.0).abs() > SAME {
        return refuse(format!("the limits must be loosened by {}, not by {ratio}", 1.0 / largest));
    }
    Ok(())
}
