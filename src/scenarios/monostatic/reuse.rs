//! The best powers of the users at a given split under pilot reuse: `SINR_k = p_k / (n_k + S_g - p_k)`, where `S_g` is
//! the power of all users of k's pilot.
//!
//! Sum rates: at a fixed `S_g`, `sum_k w_k ln((n_k + S_g) / (n_k + S_g - p_k))` is convex in the powers, so one user a
//! pilot gets all of it. Max-min: all SINRs are equal, one equation in one unknown. Proportional fairness: concave in
//! the logarithms of the powers.

use nalgebra::{DMatrix, DVector};

use super::rate::PilotGroups;
use super::users::{Candidate, Dual, lambert, water_filling};

/// Assignments of pilots to users that [`weighted_sum_rate`] goes through at most.
pub(super) const MOST_ASSIGNMENTS: f64 = 1e6;

/// The number of ways to serve one user a pilot, among those whose weight is not 0.
pub(super) fn assignments(groups: &PilotGroups, weight: impl Fn(usize) -> f64) -> f64 {
    groups.iter().map(|members| members.iter().filter(|k| weight(**k) > 0.0).count().max(1) as f64).product()
}

/// Per pilot, the users that may be the one to serve: those that no other user of it beats in noise and weight.
fn contenders(groups: &PilotGroups, noise: &[f64], weight: impl Fn(usize) -> f64) -> Vec<Vec<Candidate>> {
    let candidate = |user: usize| Candidate { user, noise: noise[user], weight: weight(user), floor: 0.0 };
    groups
        .iter()
        .map(|members| {
            let mut sorted: Vec<Candidate> = members.iter().map(|k| candidate(*k)).collect();
            sorted.sort_by(|a, b| a.noise.total_cmp(&b.noise).then(b.weight.total_cmp(&a.weight)));
            let mut front: Vec<Candidate> = Vec::new();
            for c in sorted {
                match front.last() {
                    Some(last) if c.weight <= last.weight => {}
                    Some(last) if last.weight == 0.0 => front = vec![c],
                    _ => front.push(c),
                }
            }
            front
        })
        .collect()
}

/// The least noisy user of each pilot.
pub(super) fn least_noisy(groups: &PilotGroups, noise: &[f64], candidates: &mut Vec<Candidate>) {
    candidates.clear();
    for members in groups.iter() {
        let best = members.iter().copied().min_by(|a, b| noise[*a].total_cmp(&noise[*b]));
        candidates.extend(best.map(|user| Candidate { user, noise: noise[user], weight: 1.0, floor: 0.0 }));
    }
}

/// Maximises `sum w_k ln(1 + SINR_k)` at `sum p_k = total` by going through all ways to serve one user a pilot.
/// The bound is the largest of their dual functions.
pub(super) fn weighted_sum_rate(
    groups: &PilotGroups,
    noise: &[f64],
    weight: impl Fn(usize) -> f64,
    total: f64,
    power: &mut [f64],
) -> Dual {
    let contenders = contenders(groups, noise, weight);
    let mut choice = vec![0; contenders.len()];
    let mut candidates = Vec::with_capacity(contenders.len());
    let mut trial = vec![0.0; noise.len()];
    let (mut best, mut bound, mut price) = (f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0);
    loop {
        candidates.clear();
        candidates.extend(contenders.iter().zip(&choice).map(|(front, i)| front[*i]));
        trial.fill(0.0);
        let dual = water_filling(&mut candidates, total, &mut trial);
        let value: f64 = candidates.iter().map(|c| c.weight * (trial[c.user] / c.noise).ln_1p()).sum();
        if value > best {
            (best, price) = (value, dual.price);
            power.copy_from_slice(&trial);
        }
        bound = f64::max(bound, dual.bound);
        // The next choice, counted like an odometer.
        let Some(place) = choice.iter().zip(&contenders).position(|(i, front)| i + 1 < front.len()) else {
            return Dual { bound, price };
        };
        choice[place] += 1;
        choice[..place].fill(0);
    }
}

/// An upper bound on `sum w_k ln(1 + SINR_k)` without going through the assignments: the dual function
/// `sum_g max_k max_p [w_k ln(1 + p/n_k) - price p] + price total`, least over the price.
pub(super) fn weighted_sum_rate_bound(
    groups: &PilotGroups,
    noise: &[f64],
    weight: impl Fn(usize) -> f64,
    total: f64,
) -> Dual {
    let contenders = contenders(groups, noise, weight);
    // (value, slope) of the convex dual function at a price.
    let dual = |price: f64| {
        let mut sum = (price * total, total);
        for front in &contenders {
            let gain = |c: &Candidate| {
                let p = (c.weight / price - c.noise).max(0.0);
                (c.weight * (p / c.noise).ln_1p() - price * p, p)
            };
            let best = front.iter().map(gain).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
            sum = (sum.0 + best.0, sum.1 - best.1);
        }
        sum
    };
    let all = contenders.iter().flatten();
    let steepest = all.map(|c| c.weight / c.noise).fold(0.0, f64::max);
    if steepest == 0.0 {
        return Dual { bound: 0.0, price: 0.0 };
    }
    // At the steepest price nobody buys; far below it everybody buys too much.
    let (mut low, mut high) = (steepest * 1e-300, steepest);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if middle <= low || middle >= high {
            break;
        }
        if dual(middle).1 < 0.0 { low = middle } else { high = middle }
    }
    let (a, b) = (dual(low).0, dual(high).0);
    if a < b { Dual { bound: a, price: low } } else { Dual { bound: b, price: high } }
}

/// Maximises the least SINR at `sum p_k = total`. With all SINRs equal to t, a pilot of m users whose noises sum to N
/// needs `S_g = t N / (1 + t - m t)`; t is the root of `sum S_g = total`. The bound is a t that needs more than there is.
pub(super) fn equal_rates(groups: &PilotGroups, noise: &[f64], total: f64, power: &mut [f64]) -> Dual {
    let needed = |t: f64, members: &[usize]| {
        let sum: f64 = members.iter().map(|k| noise[*k]).sum();
        t * sum / (1.0 - t * (members.len() as f64 - 1.0))
    };
    let all = |t: f64| groups.iter().map(|members| needed(t, members)).sum::<f64>();
    let largest = groups.iter().map(<[usize]>::len).max().unwrap_or(1) as f64;
    let (mut low, mut high) = (0.0, 1.0 / (largest - 1.0));
    if largest == 1.0 {
        high = 2.0 * total / noise.iter().sum::<f64>() + f64::MIN_POSITIVE;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if all(middle) <= total { low = middle } else { high = middle }
    }
    let scale = if low > 0.0 { total / all(low) } else { 0.0 };
    for members in groups.iter() {
        let group = needed(low, members);
        for &k in members {
            power[k] = scale * low * (noise[k] + group) / (1.0 + low);
        }
    }
    Dual { bound: high.ln_1p(), price: 0.0 }
}

/// Maximises `sum ln ln(1 + SINR_k)` at `sum p_k = total`: for a price of power each pilot by itself, by Newton steps in
/// `y = ln p`, and the price as the root of `sum p = total`.
///
/// The bound holds for any powers, by concavity in y: with `c_k` the derivatives at the powers found (all positive),
/// `sum c_k y_k` under `sum e^y_k <= total` is largest at `e^y_k = total c_k / sum c`.
pub(super) fn proportional(groups: &PilotGroups, noise: &[f64], total: f64, power: &mut [f64]) -> Dual {
    if total <= 0.0 {
        power.fill(0.0);
        return Dual { bound: f64::NEG_INFINITY, price: f64::INFINITY };
    }
    let users = noise.len() as f64;
    let mut pilots: Vec<Pilot> = groups
        .iter()
        .map(|members| Pilot {
            users: members.to_vec(),
            noise: members.iter().map(|k| noise[*k]).collect(),
            log_power: DVector::from_element(members.len(), (total / users).ln()),
        })
        .collect();
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    // At the optimum price * total is at most the number of users.
    let mut y = (0.5 * users / total).ln();
    for _ in 0..100 {
        let (mut sum, mut slope) = (0.0, 0.0);
        for pilot in &mut pilots {
            slope += pilot.maximize(y.exp());
            sum += pilot.log_power.iter().map(|y| y.exp()).sum::<f64>();
        }
        let value = (sum / total).ln();
        if value > 0.0 {
            low = y
        } else {
            high = y
        }
        if value.abs() <= 1e-13 {
            break;
        }
        let newton = y - value * sum / slope;
        let next = match (low.is_finite(), high.is_finite()) {
            _ if newton.is_finite() && newton > low && newton < high => newton,
            (true, true) => 0.5 * (low + high),
            (true, false) => y + 2.0,
            _ => y - 2.0,
        };
        if next == y {
            break;
        }
        y = next;
    }
    for pilot in &pilots {
        for (k, y) in pilot.users.iter().zip(pilot.log_power.iter()) {
            power[*k] = y.exp();
        }
    }
    let sum: f64 = power.iter().sum();
    power.iter_mut().for_each(|p| *p *= total / sum);
    Dual { bound: tangent_bound(&mut pilots, power, total), price: y.exp() }
}

fn tangent_bound(pilots: &mut [Pilot], power: &[f64], total: f64) -> f64 {
    let (mut value, mut weights, mut linear) = (0.0, 0.0, 0.0);
    for pilot in pilots {
        for (y, k) in pilot.log_power.iter_mut().zip(&pilot.users) {
            *y = power[*k].ln();
        }
        let (utility, slopes) = pilot.utility();
        value += utility;
        for (c, k) in slopes.iter().zip(&pilot.users) {
            if *c < 0.0 {
                return f64::INFINITY;
            }
            weights += c;
            if *c > 0.0 {
                linear += c * (c.ln() - power[*k].ln());
            }
        }
    }
    value + linear + weights * (total / weights).ln()
}

/// The users of one pilot.
struct Pilot {
    users: Vec<usize>,
    noise: Vec<f64>,
    log_power: DVector<f64>,
}

impl Pilot {
    /// For user i: `(interference, ln(1 + SINR), u', SINR / (1 + SINR))`, `u(s) = ln ln(1 + e^s)`, `s = ln SINR`.
    fn user(&self, i: usize, power: &DVector<f64>) -> (f64, f64, f64, f64) {
        let others: f64 = power.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| p).sum();
        let interference = self.noise[i] + others;
        let sinr = power[i] / interference;
        let (nats, share) = (sinr.ln_1p(), sinr / (1.0 + sinr));
        (interference, nats, share / nats, share)
    }

    /// `sum u` and its gradient in y.
    fn utility(&self) -> (f64, DVector<f64>) {
        let power = self.log_power.map(f64::exp);
        let mut gradient = DVector::zeros(power.len());
        let mut value = 0.0;
        for i in 0..power.len() {
            let (interference, nats, first, _) = self.user(i, &power);
            value += nats.ln();
            for j in 0..power.len() {
                gradient[j] += if i == j { first } else { -first * power[j] / interference };
            }
        }
        (value, gradient)
    }

    fn lagrangian(&self, price: f64) -> f64 {
        self.utility().0 - price * self.log_power.iter().map(|y| y.exp()).sum::<f64>()
    }

    /// Maximises `sum u - price sum p`, a concave function of y; gives the derivative of `sum p` by `ln(price)`.
    fn maximize(&mut self, price: f64) -> f64 {
        if let [noise] = self.noise[..] {
            let nats = lambert(-price.ln() - noise.ln());
            self.log_power[0] = noise.ln() + nats.exp_m1().ln();
            return -noise * nats.exp() * nats / (1.0 + nats);
        }
        let mut slope = f64::NAN;
        for _ in 0..200 {
            let power = self.log_power.map(f64::exp);
            let gradient = self.utility().1 - &power * price;
            let Some(curvature) = self.curvature(price, &power).cholesky() else { break };
            let step = curvature.solve(&gradient);
            slope = -power.dot(&curvature.solve(&(&power * price)));
            let decrement = gradient.dot(&step);
            if decrement.is_nan() || decrement <= 1e-26 {
                break;
            }
            let (start, value) = (self.log_power.clone(), self.lagrangian(price));
            let mut length = 1.0;
            while length > 1e-10 {
                self.log_power = &start + &step * length;
                if self.lagrangian(price) >= value + 0.1 * length * decrement - 1e-15 * value.abs() {
                    break;
                }
                length *= 0.5;
            }
        }
        slope
    }

    /// The negative second derivatives of `sum u - price sum p` in y.
    fn curvature(&self, price: f64, power: &DVector<f64>) -> DMatrix<f64> {
        let count = power.len();
        let mut matrix = DMatrix::from_diagonal(&(power * price));
        for i in 0..count {
            let (interference, _, first, share) = self.user(i, power);
            let second = first * (first - (1.0 - share));
            let slope = |j: usize| if j == i { 1.0 } else { -power[j] / interference };
            for j in 0..count {
                for k in 0..count {
                    matrix[(j, k)] += second * slope(j) * slope(k);
                    if j != i && k != i {
                        let same = if j == k { power[j] / interference } else { 0.0 };
                        matrix[(j, k)] += first * (same - slope(j) * slope(k));
                    }
                }
            }
        }
        matrix
    }
}
