//! Derivatives of the metrics by the powers: of the objective, and of every limit as a relative violation.
//!
//! With `I_k` the interference and noise of user k, `c_k = dU/dSINR_k SINR_k / I_k` and `P_j` the users of j's pilot,
//! `dU/dp_j = dU/dSINR_j g_j / I_j - sum_k c_k d_k - sum_{k in P_j \ j} c_k g_k`, `dU/dq = -sum_k c_k beta_k`.
//! Powers and CRLBs are functions of `(S, q)`: `dCRLB_i = -CRLB_i² d(1/CRLB_i)`.
//!
//! `min_rate` has no derivative where two users share the least rate, which is where its optima are: it is refused.

use std::sync::Arc;

use super::metrics::{NAMES, index, infos};
use super::sensing::{Angle, AngleInformation};
use super::{Sensing, System};
use crate::design::Design;
use crate::problem::{Limit, Objective, ProblemSpec, relative_violation};
use crate::structure::{Gradient, Offer, Refusal};

/// The limits of one constraint, one an entry of its metric or one for all.
#[derive(Clone)]
struct Row {
    metric: usize,
    entries: usize,
    upper: bool,
    limits: Vec<f64>,
}

impl Row {
    fn limit(&self, entry: usize) -> f64 {
        self.limits[if self.limits.len() == 1 { 0 } else { entry }]
    }
}

/// Derivatives for one problem; allocates nothing in its calls.
struct Derivatives {
    system: Arc<System>,
    /// Metrics and weights whose sum is the objective.
    terms: Vec<(usize, f64)>,
    rows: Vec<Row>,
    here: Point,
    weights: Weights,
}

/// A design and what its metrics are made of.
#[derive(Default)]
struct Point {
    communication: f64,
    sensing: f64,
    sinr: Vec<f64>,
    interference: Vec<f64>,
    group_power: Vec<f64>,
    crlb: [f64; 2],
    precision_slopes: [[f64; 2]; 2],
}

/// How a sum of metrics changes with what they are made of.
#[derive(Default)]
struct Weights {
    sinr: Vec<f64>,
    group: Vec<f64>,
    communication: f64,
    sensing: f64,
}

/// The derivatives for a problem, or why there are none.
pub(super) fn offer(system: &Arc<System>, spec: &ProblemSpec) -> Offer<dyn Gradient> {
    let infos = infos(system.users.users());
    let find = |id: &String| match NAMES.iter().position(|name| name == id) {
        Some(index::MIN_RATE) => Err(Refusal::new(
            "`min_rate` has no derivative where two users share the least rate; a limit on `rate` is one limit a user",
        )),
        Some(metric) => Ok(metric),
        None => Err(Refusal::new(format!("`{id}` is no metric of the model"))),
    };
    let terms = match &spec.objective {
        Objective::Metric(id) => vec![(find(id)?, 1.0)],
        Objective::WeightedSum(sum) => {
            let mut terms = Vec::new();
            for (id, weight) in sum.iter().filter(|(_, weight)| **weight != 0.0) {
                let metric = find(id)?;
                // Those to be minimized count negative, as in `Problem`.
                terms.push((metric, weight * infos[metric].direction.map_or(0.0, |d| d.sign())));
            }
            terms
        }
    };
    let mut rows = Vec::new();
    for constraint in &spec.constraints {
        let metric = find(&constraint.metric)?;
        let (upper, limits) = match &constraint.limit {
            Limit::AtMost(limits) => (true, limits.clone()),
            Limit::AtLeast(limits) => (false, limits.clone()),
        };
        rows.push(Row { metric, entries: infos[metric].len(), upper, limits });
    }
    let system = Arc::clone(system);
    Ok(Box::new(move || Box::new(Derivatives::new(Arc::clone(&system), terms.clone(), rows.clone()))))
}

impl Derivatives {
    fn new(system: Arc<System>, terms: Vec<(usize, f64)>, rows: Vec<Row>) -> Self {
        let (users, groups) = (system.users.users(), system.users.groups.len());
        let here = Point {
            sinr: vec![0.0; users],
            interference: vec![0.0; users],
            group_power: vec![0.0; groups],
            ..Point::default()
        };
        let weights = Weights { sinr: vec![0.0; users], group: vec![0.0; groups], ..Weights::default() };
        Self { system, terms, rows, here, weights }
    }
}

impl Point {
    fn move_to(&mut self, system: &System, design: &Design) {
        let users = &system.users;
        let Some((sensing, power)) = design.split_last() else { return };
        (self.communication, self.sensing) = (power.iter().sum(), *sensing);
        users.groups.totals(power, &mut self.group_power);
        for (k, p) in power.iter().enumerate() {
            let shared = (self.group_power[users.groups.of(k)] - p).max(0.0);
            self.interference[k] = users.background(k, self.communication, *sensing) + users.gain[k] * shared;
            self.sinr[k] = users.gain[k] * p / self.interference[k];
        }
        let information = system.sensing.information(self.communication, *sensing);
        self.crlb = information.crlb();
        self.precision_slopes = precision_slopes(&system.sensing, information, self.communication, *sensing);
    }

    /// The value of one entry of a metric, as the model has it.
    fn value(&self, system: &System, metric: usize, entry: usize) -> f64 {
        let users = &system.users;
        let rates = || self.sinr.iter().map(|s| users.rate(*s));
        match metric {
            index::ESTIMATE_VARIANCE => users.estimate_variance[entry],
            index::SINR => self.sinr[entry],
            index::RATE => users.rate(self.sinr[entry]),
            index::SUM_RATE => rates().sum(),
            index::WEIGHTED_SUM_RATE => rates().enumerate().map(|(k, r)| system.weight(k) * r).sum(),
            index::SUM_LOG_RATE => rates().map(f64::ln).sum(),
            index::TRANSMIT_POWER => self.communication + self.sensing,
            index::COMMUNICATION_POWER => self.communication,
            index::SENSING_POWER => self.sensing,
            index::SENSING_SNR => super::metrics::sensing_snr(system),
            index::CRLB_AZIMUTH => self.crlb[0],
            index::CRLB_ELEVATION => self.crlb[1],
            _ => f64::NAN,
        }
    }
}

/// The derivatives of both `1 / CRLB` by `S` and `q`.
fn precision_slopes(sensing: &Sensing, here: AngleInformation, communication: f64, beam: f64) -> [[f64; 2]; 2] {
    let changes = sensing.information_derivatives(communication, beam);
    Angle::BOTH.map(|angle| changes.map(|change| here.precision_derivative(angle, change)))
}

impl Weights {
    fn clear(&mut self) {
        self.sinr.fill(0.0);
        (self.communication, self.sensing) = (0.0, 0.0);
    }

    /// Adds one entry of a metric, times a weight.
    fn add(&mut self, system: &System, here: &Point, metric: usize, entry: usize, weight: f64) {
        let users = &system.users;
        let by_rate = |k: usize| users.bits(1.0) / (1.0 + here.sinr[k]);
        let all = 0..users.users();
        match metric {
            index::SINR => self.sinr[entry] += weight,
            index::RATE => self.sinr[entry] += weight * by_rate(entry),
            index::SUM_RATE => all.for_each(|k| self.sinr[k] += weight * by_rate(k)),
            index::WEIGHTED_SUM_RATE => all.for_each(|k| self.sinr[k] += weight * system.weight(k) * by_rate(k)),
            index::SUM_LOG_RATE => {
                all.for_each(|k| self.sinr[k] += weight * by_rate(k) / users.rate(here.sinr[k]));
            }
            index::TRANSMIT_POWER => {
                self.communication += weight;
                self.sensing += weight;
            }
            index::COMMUNICATION_POWER => self.communication += weight,
            index::SENSING_POWER => self.sensing += weight,
            index::CRLB_AZIMUTH | index::CRLB_ELEVATION => {
                let angle = metric - index::CRLB_AZIMUTH;
                let crlb = here.crlb[angle];
                // An infinite CRLB has no slope; its value says so.
                if crlb.is_finite() {
                    let [by_communication, by_sensing] = here.precision_slopes[angle];
                    self.communication -= weight * crlb * crlb * by_communication;
                    self.sensing -= weight * crlb * crlb * by_sensing;
                }
            }
            // The variances of the estimates and the sensing SNR are constants of the system.
            _ => {}
        }
    }

    /// Writes the gradient of what was added.
    fn write(&mut self, system: &System, here: &Point, gradient: &mut [f64]) {
        let users = &system.users;
        let Some((by_sensing, by_power)) = gradient.split_last_mut() else { return };
        let (mut common, mut beam) = (0.0, 0.0);
        self.group.fill(0.0);
        for (k, weight) in self.sinr.iter().enumerate() {
            let lost = weight * here.sinr[k] / here.interference[k];
            common += lost * users.leakage[k];
            beam += lost * users.fading[k];
            self.group[users.groups.of(k)] += lost * users.gain[k];
        }
        for (k, (out, weight)) in by_power.iter_mut().zip(&self.sinr).enumerate() {
            let own = weight * users.gain[k] / here.interference[k];
            let members = users.groups.members(users.groups.of(k));
            let shared = if members.len() == 1 { 0.0 } else { self.group[users.groups.of(k)] - own * here.sinr[k] };
            *out = own - common - shared + self.communication;
        }
        *by_sensing = self.sensing - beam;
    }
}

impl Gradient for Derivatives {
    fn rows(&self) -> usize {
        self.rows.iter().map(|row| row.entries).sum()
    }

    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
        let Self { system, terms, here, weights, .. } = self;
        here.move_to(system, design);
        weights.clear();
        let mut value = 0.0;
        for (metric, weight) in terms.iter() {
            value += weight * here.value(system, *metric, 0);
            weights.add(system, here, *metric, 0, *weight);
        }
        weights.write(system, here, gradient);
        value
    }

    fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        let Self { system, rows, here, weights, .. } = self;
        here.move_to(system, design);
        let entries = rows.iter().flat_map(|row| (0..row.entries).map(move |entry| (row, entry)));
        let outputs = values.iter_mut().zip(jacobian.chunks_exact_mut(design.len()));
        for ((row, entry), (value, slope)) in entries.zip(outputs) {
            let (now, limit) = (here.value(system, row.metric, entry), row.limit(entry));
            let miss = relative_violation(now, limit, row.upper);
            *value = if miss > 0.0 { miss } else { -relative_violation(now, limit, !row.upper) };
            if limit.is_infinite() {
                slope.fill(0.0);
                continue;
            }
            let unit = if limit == 0.0 { 1.0 } else { 1.0 / limit.abs() };
            weights.clear();
            weights.add(system, here, row.metric, entry, if row.upper { unit } else { -unit });
            weights.write(system, here, slope);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Monostatic, samples};
    use super::*;
    use crate::math::{RandomStream, derivative};
    use crate::metric::{Direction, MetricInfo};
    use crate::problem::{Constraint, Problem};
    use std::collections::BTreeMap;

    /// Limits on every smooth metric, from both sides and with all kinds of numbers.
    fn every_limit(users: usize) -> Vec<Constraint> {
        let each = |limit: &dyn Fn(f64) -> f64| (0..users).map(|k| limit(k as f64)).collect::<Vec<_>>();
        let constraint = |metric: &str, limit: Limit| Constraint { metric: metric.into(), limit };
        vec![
            Constraint::at_most("transmit_power", 3.0),
            constraint("rate", Limit::AtLeast(each(&|k| 0.1 * k))),
            constraint("sinr", Limit::AtMost(each(&|k| if k == 1.0 { f64::INFINITY } else { 2.0 + k }))),
            Constraint::at_least("sum_rate", 0.7),
            Constraint::at_most("weighted_sum_rate", 5.0),
            Constraint::at_least("sum_log_rate", -2.0),
            Constraint::at_most("total_communication_power", 0.0),
            Constraint::at_least("total_sensing_power", 0.2),
            Constraint::at_most("crlb_azimuth", 0.03),
            Constraint::at_least("crlb_elevation", 0.01),
            Constraint::at_most("sensing_snr", 1.0),
            Constraint::at_most("channel_estimate_variance", 1.0),
        ]
    }

    fn objectives() -> Vec<Objective> {
        let single = NAMES.iter().enumerate().filter(|(i, _)| {
            let info: &MetricInfo = &infos(2)[*i];
            info.is_scalar() && info.direction.is_some() && *i != index::MIN_RATE
        });
        let mut all: Vec<Objective> = single.map(|(_, id)| Objective::Metric((*id).into())).collect();
        let sum = [("sum_rate", 1.0), ("transmit_power", 0.3), ("crlb_azimuth", 2.0), ("min_rate", 0.0)];
        all.push(Objective::WeightedSum(
            sum.map(|(id, w)| (id.to_string(), w)).into_iter().collect::<BTreeMap<_, _>>(),
        ));
        all
    }

    #[test]
    fn derivatives_are_those_of_the_metrics() {
        let mut checked = 0;
        for trial in 0..48 {
            let mut stream = RandomStream::keyed(1, "gradient", "", 0, trial);
            let instance = samples::instance(&mut stream, trial % 2 == 0, trial % 4 < 2);
            let (users, budget) = (instance.users(), instance.transmit_power);
            let model = Arc::new(Monostatic::new(instance));
            for objective in objectives() {
                let spec = ProblemSpec { objective, ..ProblemSpec::new("sum_rate", every_limit(users)) };
                let problem = Problem::new(model.clone(), spec.clone()).unwrap();
                let mut gradient = offer(model.system(), &spec).unwrap_or_else(|why| panic!("{why}"))();
                let (n, rows) = (users + 1, problem.limits());
                assert_eq!(gradient.rows(), rows);
                let here = samples::design(&mut stream, users, budget);
                let (mut slope, mut values, mut jacobian) = (vec![9.0; n], vec![9.0; rows], vec![9.0; n * rows]);
                let value = gradient.objective(&here, &mut slope);
                gradient.constraints(&here, &mut values, &mut jacobian);
                let mut judge = problem.evaluator();
                let mut judged = Vec::new();
                let evaluation = judge.evaluate(&here).unwrap();
                judge.misses(&mut judged);
                let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(1e-6);
                assert!(close(value, evaluation.objective), "{:?}", spec.objective);
                assert!(values.iter().zip(&judged).all(|(a, b)| close(*a, *b)), "{values:?} {judged:?}");
                // Along a random direction, relative to each power.
                let direction: Vec<f64> = here.iter().map(|x| x * (2.0 * stream.uniform() - 1.0)).collect();
                let mut moved = here.clone();
                let mut misses = Vec::new();
                let (numeric, _) = derivative(1 + rows, 0.2, |t, out| {
                    moved.iter_mut().zip(here.iter().zip(&direction)).for_each(|(m, (x, d))| *m = x + t * d);
                    out[0] = judge.evaluate(&moved).unwrap().objective;
                    misses.clear();
                    judge.misses(&mut misses);
                    // An infinite limit does not move.
                    out[1..].iter_mut().zip(&misses).for_each(|(o, m)| *o = if m.is_finite() { *m } else { 0.0 });
                });
                let along = |slope: &[f64]| slope.iter().zip(&direction).map(|(g, d)| g * d).sum::<f64>();
                let size = |slope: &[f64]| slope.iter().zip(&direction).map(|(g, d)| (g * d).abs()).sum::<f64>();
                for (row, numeric) in numeric.iter().enumerate() {
                    let analytic = if row == 0 { &slope[..] } else { &jacobian[(row - 1) * n..row * n] };
                    let level = if row == 0 { value } else { values[row - 1] };
                    let slack = 1e-8 * size(analytic) + 1e-10 * if level.is_finite() { level.abs() } else { 0.0 };
                    let difference = (along(analytic) - numeric).abs();
                    assert!(difference <= slack, "trial {trial} {:?} row {row}: {difference}", spec.objective);
                    checked += 1;
                }
            }
        }
        assert!(checked > 9_000, "{checked}");
    }

    #[test]
    fn the_least_rate_is_refused_and_infinite_crlbs_are_not_numbers_hidden() {
        let mut stream = RandomStream::keyed(1, "gradient", "", 0, 99);
        let instance = samples::instance(&mut stream, false, false);
        let users = instance.users();
        let system = Arc::new(System::new(instance));
        let limit = Constraint::at_least("min_rate", 1.0);
        assert!(offer(&system, &ProblemSpec::new("min_rate", vec![])).is_err());
        assert!(offer(&system, &ProblemSpec::new("sum_rate", vec![limit])).is_err());
        let spec = ProblemSpec::new("sum_rate", vec![Constraint::at_most("crlb_azimuth", 1.0)]);
        let mut gradient = offer(&system, &spec).unwrap_or_else(|why| panic!("{why}"))();
        let (mut value, mut slope) = ([0.0], vec![0.0; users + 1]);
        gradient.constraints(&Design::new(vec![0.0; users + 1]), &mut value, &mut slope);
        assert!(value[0] == f64::INFINITY && slope.iter().all(|x| x.is_finite()));
        assert_eq!(infos(2)[index::CRLB_AZIMUTH].direction, Some(Direction::Minimize));
    }
}
