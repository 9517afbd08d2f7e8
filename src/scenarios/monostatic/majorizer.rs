//! The exact maximiser of the surrogate of [`super::surrogate`], without a conic solver.
//!
//! Everything but the users' powers depends on `(S, q)`, and the surrogate is concave in all: with `V(S, q)` its largest
//! value over `sum p_k = S`, a concave function that falls in q is maximised over the `(S, q)` that meet the CRLB limits
//! and the budget. In the share `x = q / (S + q)` those are the `t = S + q` from `t(x) = max_i CRLB_i(1 - x, x) / c_i`
//! to the budget, as both CRLBs fall like 1/t. The maximum stands at `q = 0`, where no CRLB limit binds, or else on the
//! curve `t(x)`, on its part where S falls with x (for a given S the smallest q is best). There V has one maximum in x:
//! along that part it is concave in S, and S is monotone. So bisection on the sign of its slope is exact.
//!
//! `V` for the sum of rates, no pilot reuse: `const - sum b_k / p_k - D S - B q` with `p_k = S sqrt(b_k) / sum sqrt(b)`;
//! under reuse each power costs the users of its pilot `h_k p_k` in addition, and `p_k = sqrt(b_k / (h_k + mu))` with one
//! root `mu`. For the least rate and for the sum of logarithms (without reuse) `rate_k = A_k(S, q) - c_k / p_k`: equal
//! rates, and `A_k p_k² - c_k p_k = c_k / lambda`, each with one root, found by Newton's method from the side on which it
//! is monotone.

use std::sync::Arc;

use super::surrogate::{Form, LEAST_SHARE, Utility};
use super::{Angle, SensingRange, System};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::problem::ProblemSpec;
use crate::structure::{Majorizer, Offer, Refusal};

/// Newton's method from the monotone side doubles its digits: it ends long before.
const MOST_STEPS: usize = 100;

/// The maximiser for a problem, or why there is none.
pub(super) fn offer(system: &Arc<System>, spec: &ProblemSpec) -> Offer<dyn Majorizer> {
    let form = Form::new(system, spec)?;
    let refuse = |what: &str| Err(Refusal::new(what));
    if form.fixed_power || form.fixed_sensing {
        return refuse("a block is fixed: the split of power is part of the argument; `sca` takes it");
    }
    if form.sinr.iter().any(|floor| *floor > 0.0) {
        return refuse("under rate floors the shares of the users have no closed form; `sca` takes them");
    }
    let reused = system.users.groups.reused();
    if reused && !matches!(form.utility, Utility::Sum(_)) {
        return refuse("users who share a pilot are coupled in all but the sums of rates; `sca` takes them");
    }
    let range = system.sensing.range(form.budget, form.crlb);
    let system = Arc::clone(system);
    Ok(Box::new(move || Box::new(Maximizer::new(Arc::clone(&system), form.clone(), range))))
}

/// How the best value changes with `S` and with `q`.
#[derive(Clone, Copy)]
struct Slopes {
    communication: f64,
    sensing: f64,
}

/// The surrogate at a design, and its maximiser.
struct Maximizer {
    system: Arc<System>,
    utility: Utility,
    budget: f64,
    crlb: [f64; 2],
    range: SensingRange,
    reused: bool,
    /// `c_k`, or `b_k`: what `1 / p_k` costs.
    inverse: Vec<f64>,
    /// `h_k`: what `p_k` costs those who share its pilot.
    shared: Vec<f64>,
    /// User k's bound is `constant_k - by_communication_k S - by_sensing_k q - c_k / p_k`; not needed for sums.
    constant: Vec<f64>,
    by_communication: Vec<f64>,
    by_sensing: Vec<f64>,
    /// `D`, `B`, and `(sum sqrt b_k)²`, for sums.
    sum: Slopes,
    roots: f64,
    power: Vec<f64>,
    group: Vec<f64>,
}

impl Maximizer {
    fn new(system: Arc<System>, form: Form, range: SensingRange) -> Self {
        let zeros = || vec![0.0; system.users.users()];
        Self {
            utility: form.utility,
            budget: form.budget,
            crlb: form.crlb,
            range,
            reused: system.users.groups.reused(),
            inverse: zeros(),
            shared: zeros(),
            constant: zeros(),
            by_communication: zeros(),
            by_sensing: zeros(),
            sum: Slopes { communication: 0.0, sensing: 0.0 },
            roots: 0.0,
            power: zeros(),
            group: vec![0.0; system.users.groups.len()],
            system,
        }
    }

    /// The surrogate that is tight at a design, in nats.
    fn at(&mut self, power: &[f64], sensing: f64) {
        let users = &self.system.users;
        let least = LEAST_SHARE * self.budget;
        let communication: f64 = power.iter().map(|p| p.max(least)).sum();
        if self.reused {
            self.group.fill(0.0);
            power.iter().enumerate().for_each(|(k, p)| self.group[users.groups.of(k)] += p.max(least));
        }
        self.sum = Slopes { communication: 0.0, sensing: 0.0 };
        let mut roots = 0.0;
        for (k, p) in power.iter().enumerate() {
            let p = p.max(least);
            let shared = if self.reused { (self.group[users.groups.of(k)] - p).max(0.0) } else { 0.0 };
            let interference = users.background(k, communication, sensing) + users.gain[k] * shared;
            let sinr = users.gain[k] * p / interference;
            let weight = sinr / (1.0 + sinr);
            let per_power = weight / interference;
            match &self.utility {
                Utility::Sum(weights) => {
                    let scaled = weights[k] * per_power;
                    self.inverse[k] = weights[k] * weight * p;
                    self.sum.communication += scaled * users.leakage[k];
                    self.sum.sensing += scaled * users.fading[k];
                    self.constant[k] = scaled * users.gain[k];
                    roots += self.inverse[k].sqrt();
                }
                _ => {
                    self.inverse[k] = weight * p;
                    self.constant[k] = sinr.ln_1p() + 2.0 * weight - per_power * users.noise;
                    self.by_communication[k] = per_power * users.leakage[k];
                    self.by_sensing[k] = per_power * users.fading[k];
                }
            }
        }
        self.roots = roots * roots;
        if self.reused {
            self.group.fill(0.0);
            self.constant.iter().enumerate().for_each(|(k, c)| self.group[users.groups.of(k)] += c);
            for (k, cost) in self.shared.iter_mut().enumerate() {
                let group = users.groups.of(k);
                let alone = users.groups.members(group).len() == 1;
                *cost = if alone { 0.0 } else { (self.group[group] - self.constant[k]).max(0.0) };
            }
        }
    }

    /// The slopes of `V`, with the powers that attain it. Where `V` is minus infinity: those of the least rate, which
    /// lead to where it is not, and false.
    fn best(&mut self, communication: f64, sensing: f64) -> (Slopes, bool) {
        match self.utility {
            Utility::Sum(_) => {
                let price = self.sum_price(communication);
                (Slopes { communication: price - self.sum.communication, sensing: -self.sum.sensing }, true)
            }
            Utility::Least => (self.equal_rates(communication, sensing).0, true),
            Utility::Logarithms => self.logarithms(communication, sensing),
        }
    }

    /// `mu`, the price of power at `sum p_k = S` in the sum of rates.
    fn sum_price(&mut self, total: f64) -> f64 {
        if !self.reused {
            return self.roots / (total * total);
        }
        let users = || self.inverse.iter().zip(&self.shared).filter(|(b, _)| **b > 0.0);
        // A user whose rate does not count takes what the others do not want at this price.
        let idle = self.inverse.iter().zip(&self.shared).filter(|(b, _)| **b == 0.0).map(|(_, h)| -h);
        let least = idle.fold(f64::NEG_INFINITY, f64::max);
        let from = users().map(|(b, h)| b / (total * total) - h).fold(f64::NEG_INFINITY, f64::max);
        // (sum sqrt(b / (h + mu)))^-2 is a power mean: concave, so that Newton's method climbs to the root from below.
        let size = self.shared.iter().copied().fold(from.abs(), f64::max);
        let mut price = from;
        for _ in 0..MOST_STEPS {
            let (mut sum, mut slope) = (0.0, 0.0);
            for (b, h) in users() {
                let inverse = 1.0 / (h + price);
                let power = (b * inverse).sqrt();
                sum += power;
                slope += power * inverse;
            }
            // g = sum^-2, g' = sum^-3 slope; the step is (total^-2 - g) / g'.
            let step = sum * ((sum / total).powi(2) - 1.0) / slope;
            if step.is_nan() || step <= 4.0 * f64::EPSILON * size {
                break;
            }
            price += step;
        }
        price.max(least)
    }

    /// Equal rates: `sum c_k / (A_k - r) = S`. Gives the slopes of r, and r.
    fn equal_rates(&mut self, total: f64, sensing: f64) -> (Slopes, f64) {
        let level = |k: usize| self.constant[k] - self.by_communication[k] * total - self.by_sensing[k] * sensing;
        let users = self.inverse.len();
        let mut rate = (0..users).map(|k| level(k) - self.inverse[k] / total).fold(f64::INFINITY, f64::min);
        let size = (0..users).map(|k| level(k).abs()).fold(rate.abs(), f64::max);
        // The reciprocal of the sum is a harmonic mean: concave, so that Newton's method descends to the root.
        let (mut weight, mut communication, mut beam) = (0.0, 0.0, 0.0);
        for _ in 0..MOST_STEPS {
            let mut sum = 0.0;
            (weight, communication, beam) = (0.0, 0.0, 0.0);
            for k in 0..users {
                let inverse = 1.0 / (level(k) - rate);
                let power = self.inverse[k] * inverse;
                self.power[k] = power;
                sum += power;
                weight += power * inverse;
                communication += power * inverse * self.by_communication[k];
                beam += power * inverse * self.by_sensing[k];
            }
            let step = sum * (sum / total - 1.0) / weight;
            if step.is_nan() || step <= 4.0 * f64::EPSILON * size {
                break;
            }
            rate -= step;
        }
        (Slopes { communication: (1.0 - communication) / weight, sensing: -beam / weight }, rate)
    }

    /// The sum of the logarithms of the rates; see [`Maximizer::best`].
    fn logarithms(&mut self, total: f64, sensing: f64) -> (Slopes, bool) {
        let users = self.inverse.len();
        let (slopes, rate) = self.equal_rates(total, sensing);
        if rate <= 0.0 {
            return (slopes, false);
        }
        let level = |k: usize| self.constant[k] - self.by_communication[k] * total - self.by_sensing[k] * sensing;
        // p_k(u) = c/(2 A) (1 + sqrt(1 + 4 A u / c)), u = 1/lambda: concave and rising.
        let mut u = 0.0;
        for _ in 0..MOST_STEPS {
            let (mut sum, mut slope) = (0.0, 0.0);
            for k in 0..users {
                let (a, c) = (level(k), self.inverse[k]);
                let root = (1.0 + 4.0 * a * u / c).sqrt();
                let power = 0.5 * c / a * (1.0 + root);
                self.power[k] = power;
                sum += power;
                slope += 1.0 / root;
            }
            let step = (total - sum) / slope;
            if step.is_nan() || step <= 4.0 * f64::EPSILON * u {
                break;
            }
            u += step;
        }
        let mut slopes = Slopes { communication: 1.0 / u, sensing: 0.0 };
        for k in 0..users {
            // c / (p lambda) = (A p - c) c / c: the rate is A - c / p = c u / p².
            let rate = self.inverse[k] * u / (self.power[k] * self.power[k]);
            slopes.communication -= self.by_communication[k] / rate;
            slopes.sensing -= self.by_sensing[k] / rate;
        }
        (slopes, true)
    }

    /// `t(x)`, the least total power that meets the CRLB limits with the share x for sensing, and its derivative.
    fn needed(&self, share: f64) -> (f64, f64) {
        let sensing = &self.system.sensing;
        let information = sensing.at_share(share);
        let mut tightest = (0.0, 0.0);
        for (angle, limit) in Angle::BOTH.into_iter().zip(self.crlb).filter(|(_, limit)| limit.is_finite()) {
            let precision = information.precision(angle);
            let total = 1.0 / (limit * precision);
            if total > tightest.0 {
                tightest = (total, -total * sensing.slope_at_share(share, angle) / precision);
            }
        }
        tightest
    }

    /// The best `(S, q)`.
    fn split(&mut self) -> Result<(f64, f64)> {
        let SensingRange::Feasible { least, most } = self.range else {
            return Err(Error::Numerical("no powers meet the CRLB limits".into()));
        };
        let (mut low, mut high) = (least / self.budget, most / self.budget);
        if low == 0.0
            && let Some(communication) = self.without_sensing()
        {
            return Ok((communication, 0.0));
        }
        if !self.rises(low) {
            high = low;
        } else if self.rises(high) {
            low = high;
        }
        while high - low > f64::EPSILON * high {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.rises(middle) { low = middle } else { high = middle }
        }
        let share = high;
        let total = self.needed(share).0.min(self.budget);
        Ok((total * (1.0 - share), total * share))
    }

    /// The best S at `q = 0`, unless a CRLB limit keeps it from falling further.
    fn without_sensing(&mut self) -> Option<f64> {
        let (from, to) = (self.needed(0.0).0.min(self.budget), self.budget);
        if let Utility::Sum(_) = self.utility
            && !self.reused
        {
            let best = (self.roots / self.sum.communication).sqrt().min(to);
            // Without a user whose rate counts any S is as good.
            return (best > from || best.is_nan()).then_some(if best.is_nan() { to } else { best });
        }
        if self.best(to, 0.0).0.communication >= 0.0 {
            return Some(to);
        }
        if from > 0.0 && self.best(from, 0.0).0.communication <= 0.0 {
            return None;
        }
        let (mut low, mut high) = (from, to);
        while high - low > f64::EPSILON * high {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.best(middle, 0.0).0.communication > 0.0 { low = middle } else { high = middle }
        }
        Some(high)
    }

    /// Whether the best share is above this one.
    fn rises(&mut self, share: f64) -> bool {
        let (total, slope) = self.needed(share);
        // Along the curve: S = t (1 - x), q = t x.
        let by_communication = slope * (1.0 - share) - total;
        if by_communication >= 0.0 {
            return false;
        }
        let by_sensing = slope * share + total;
        let slopes = self.best(total * (1.0 - share), total * share).0;
        slopes.communication * by_communication + slopes.sensing * by_sensing > 0.0
    }

    /// Writes the powers that attain `V(S, q)`.
    fn allocate(&mut self, communication: f64, sensing: f64) -> Result<()> {
        match self.utility {
            Utility::Sum(_) => {
                let price = self.sum_price(communication);
                for ((p, b), h) in self.power.iter_mut().zip(&self.inverse).zip(&self.shared) {
                    *p = if *b > 0.0 { (b / (h + price)).sqrt() } else { 0.0 };
                }
                let left = communication - self.power.iter().sum::<f64>();
                let idle = |k: &usize| self.inverse[*k] == 0.0;
                let cheapest = (0..self.power.len()).filter(idle).min_by(|a, b| {
                    let order = self.shared[*a].total_cmp(&self.shared[*b]);
                    order.then(a.cmp(b))
                });
                // Only what is more than rounding, and only where there is one whose rate does not count.
                if let Some(user) = cheapest
                    && left > 1e-12 * communication
                {
                    self.power[user] = left;
                }
            }
            Utility::Least | Utility::Logarithms => {
                if !self.best(communication, sensing).1 {
                    return Err(Error::Numerical("no powers give every user a bound above 0 on its rate".into()));
                }
            }
        }
        let sum: f64 = self.power.iter().sum();
        let scale = communication / sum;
        if !scale.is_finite() {
            return Err(Error::Numerical("the surrogate at this design is not finite".into()));
        }
        self.power.iter_mut().for_each(|p| *p *= scale);
        Ok(())
    }
}

impl Majorizer for Maximizer {
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()> {
        let users = self.power.len();
        let Some((sensing, power)) = design.split_last().filter(|(_, power)| power.len() == users) else {
            return Err(Error::Numerical("a design of another space".into()));
        };
        self.at(power, *sensing);
        let (communication, beam) = self.split()?;
        self.allocate(communication, beam)?;
        out.copy_from(design);
        out[..users].copy_from_slice(&self.power);
        out[users] = beam;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::surrogate;
    use super::super::{Monostatic, samples};
    use super::*;
    use crate::conic::Settings;
    use crate::math::RandomStream;
    use crate::model::SystemModel;
    use crate::problem::Problem;

    /// The surrogate that is tight at one design, at another: from its formula alone.
    fn value(system: &System, objective: &str, tight: &[f64], other: &[f64]) -> f64 {
        let users = &system.users;
        let n = users.users();
        let rate = |k: usize| {
            let interference = |powers: &[f64]| {
                let shared = (0..n).filter(|j| *j != k && users.groups.of(*j) == users.groups.of(k));
                let coherent: f64 = shared.map(|j| users.gain[k] * powers[j]).sum();
                let total: f64 = powers[..n].iter().sum();
                users.fading[k] * powers[n] + users.leakage[k] * total + coherent + users.noise
            };
            let (x, y) = (users.gain[k] * tight[k], interference(tight));
            let weight = x / (x + y);
            let ratio = 2.0 - tight[k] / other[k] - interference(other) / y;
            users.bits((x / y).ln_1p() + weight * ratio)
        };
        let weighted =
            |weight: &dyn Fn(usize) -> f64| (0..n).filter(|k| weight(*k) != 0.0).map(|k| weight(k) * rate(k)).sum();
        match objective {
            "sum_rate" => weighted(&|_| 1.0),
            "weighted_sum_rate" => weighted(&|k| system.weight(k)),
            "min_rate" => (0..n).map(rate).fold(f64::INFINITY, f64::min),
            _ => (0..n).map(|k| rate(k).ln()).sum(),
        }
    }

    #[test]
    fn the_maximiser_is_that_of_the_conic_program() {
        let objectives = ["sum_rate", "weighted_sum_rate", "min_rate", "sum_log_rate"];
        let (mut inside, mut without, mut full, mut checked) = (0, 0, 0, 0);
        for trial in 0..240 {
            let mut stream = RandomStream::keyed(1, "majorizer", "", 0, trial);
            let objective = objectives[trial as usize % 4];
            let reuse = trial % 4 < 2 && trial % 3 == 0;
            let mut instance = samples::instance(&mut stream, reuse, trial % 8 < 4);
            if trial % 7 == 0 {
                instance.receive_array = crate::radio::Array { horizontal: 1, vertical: 1 };
            }
            let (users, budget) = (instance.users(), instance.transmit_power);
            let system = System::new(instance.clone());
            let split = stream.uniform() * budget;
            let limits = system.sensing.crlb(budget - split, split);
            let factor = |x: f64| 0.9 + if x < 0.5 { x } else { 8.0 * x };
            let limits = limits.map(|c| c.is_finite().then_some(c)).map(|c| c.map(|c| c * factor(stream.uniform())));
            [instance.crlb_azimuth_limit, instance.crlb_elevation_limit] = limits;
            let model = Arc::new(Monostatic::new(instance));
            let spec = ProblemSpec { objective: crate::Objective::Metric(objective.into()), ..model.default_problem() };
            let problem = Problem::new(model.clone(), spec.clone()).unwrap();
            let mut repair = problem.structure().feasibility.as_ref().unwrap_or_else(|why| panic!("{why}"))();
            let mut tight = samples::design(&mut stream, users, budget);
            if !repair.repair(&mut tight) {
                continue;
            }
            let mut majorizer = offer(model.system(), &spec).unwrap_or_else(|why| panic!("{why}"))();
            let mut found = Design::new(vec![f64::NAN; users + 1]);
            majorizer.maximize(&tight, &mut found).unwrap();
            let mut surrogate = surrogate::offer(model.system(), &spec).unwrap_or_else(|why| panic!("{why}"))();
            surrogate.program().set_settings(Settings { tolerance: 1e-10, ..Settings::default() });
            surrogate.at(&tight).unwrap();
            let solution = surrogate.program().solve().unwrap();
            let (promised, point) = (solution.objective, solution.x.clone());
            let mut conic = found.clone();
            surrogate.read(&point, &mut conic);
            let what = format!("trial {trial} {objective} reuse {reuse}");
            let evaluation = problem.evaluator().evaluate(&found).unwrap();
            assert!(evaluation.violation <= 1e-12, "{what}: {}", evaluation.violation);
            let own = value(model.system(), objective, &tight, &found);
            assert!((own - promised).abs() <= 1e-7 * own.abs().max(1.0), "{what}: {own} {promised}");
            // Where the value is tiny, the conic program's tolerance leaves the powers open.
            let apart = found.iter().zip(conic.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart <= 2e-3 * budget || own < 0.1, "{what}: {own} {found:?} {conic:?}");
            // Tight at its design, so that the maximum is no worse; and never above what it bounds.
            let (before, after) = (value(model.system(), objective, &tight, &tight), evaluation.objective);
            assert!(own >= before - 1e-12 * before.abs().max(1.0), "{what}: {own} {before}");
            assert!(after >= own - 1e-12 * own.abs().max(1.0), "{what}: {after} {own}");
            let (sum, sensing) = (found.iter().sum::<f64>(), found[users]);
            without += usize::from(sensing == 0.0);
            full += usize::from(sum >= budget * (1.0 - 1e-9));
            inside += usize::from(sensing > 0.0 && sum < budget * (1.0 - 1e-9));
            checked += 1;
        }
        assert!(checked > 150 && without > 20 && full > 20 && inside > 20, "{checked} {without} {full} {inside}");
    }
}
