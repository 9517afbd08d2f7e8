//! Derivatives of the rates by the powers, and of the limits on power and on CRLBs of own illumination.
//!
//! With `S_k = x_k² / I_k` and `dU/dR_k = w_k`: `dU/dx_k = w_k u 2 x_k / (I_k (1 + S_k))`, `dU/dI_k = -w_k u S_k / (I_k (1 + S_k))`
//! (u bits a nat, less the pilots' share), and
//!
//! ```text
//! dx_k/dp_kl = a_kl / (2 sqrt(p_kl)),   dI_k/dp_jl = beta_kl + |psi_j^H psi_k|² y_kj A_kjl / sqrt(p_jl),   dI_k/dq_jl = beta_kl
//! ```
//!
//! The root has no derivative at 0: there it is that of a small share of the mean power. `min_rate` has none where two
//! users share the least rate, which is where its optima are: it is refused.

use std::sync::Arc;

use super::System;
use super::limits::Utility;
use super::metrics::column_sums;
use super::sensing::crlb;
use crate::design::Design;
use crate::problem::{Limit, ProblemSpec, relative_violation};
use crate::structure::{Gradient, Offer, Refusal};

/// A power below this share of the mean has the root's derivative of that share.
const LEAST_SHARE: f64 = 1e-12;

/// What is limited.
#[derive(Clone, Copy, PartialEq)]
enum Limited {
    Power,
    PowerEach,
    Crlb,
}

/// The limits of one constraint, one an entry of its metric or one for all.
#[derive(Clone)]
struct Row {
    limited: Limited,
    upper: bool,
    limits: Vec<f64>,
}

/// Derivatives for one problem; allocates nothing in its calls.
struct Derivatives {
    system: Arc<System>,
    utility: Utility,
    rows: Vec<Row>,
    communication: Vec<f64>,
    sensing: Vec<f64>,
    total: Vec<f64>,
    desired: Vec<f64>,
    interference: Vec<f64>,
    /// `dU/dI_k`.
    by_interference: Vec<f64>,
}

/// The derivatives for a problem, or why there are none.
pub(super) fn offer(system: &Arc<System>, spec: &ProblemSpec) -> Offer<dyn Gradient> {
    let utility = Utility::of(&spec.objective, system)?;
    if utility == Utility::Least {
        return Err(Refusal::new("`min_rate` has no derivative where two users share the least rate"));
    }
    let mut rows = Vec::new();
    for constraint in &spec.constraints {
        let limited = match constraint.metric.as_str() {
            "transmit_power" => Limited::Power,
            "access_point_power" => Limited::PowerEach,
            "crlb" => Limited::Crlb,
            other => return Err(Refusal::new(format!("the derivatives of a limit on `{other}` are not known"))),
        };
        let (upper, limits) = match &constraint.limit {
            Limit::AtMost(limits) => (true, limits.clone()),
            Limit::AtLeast(limits) => (false, limits.clone()),
        };
        rows.push(Row { limited, upper, limits });
    }
    let system = Arc::clone(system);
    Ok(Box::new(move || Box::new(Derivatives::new(Arc::clone(&system), utility.clone(), rows.clone()))))
}

impl Derivatives {
    fn new(system: Arc<System>, utility: Utility, rows: Vec<Row>) -> Self {
        let (each, site) = (vec![0.0; system.users.users], vec![0.0; system.users.access_points]);
        Self {
            utility,
            rows,
            communication: site.clone(),
            sensing: site.clone(),
            total: site,
            desired: each.clone(),
            interference: each.clone(),
            by_interference: each,
            system,
        }
    }

    fn entries(&self, row: &Row) -> usize {
        if row.limited == Limited::Power { 1 } else { self.total.len() }
    }
}

impl Gradient for Derivatives {
    fn rows(&self) -> usize {
        self.rows.iter().map(|row| self.entries(row)).sum()
    }

    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
        let users = &self.system.users;
        let access_points = users.access_points;
        let half = design.len() / 2;
        let power = &design[..half];
        let least = (LEAST_SHARE * design.iter().sum::<f64>() / design.len() as f64).max(f64::MIN_POSITIVE);
        column_sums(design, &mut self.total);
        users.desired_and_interference(power, &self.total, &mut self.desired, &mut self.interference);
        let rate = |k: usize| users.rate(self.desired[k] * self.desired[k] / self.interference[k]);
        let value = self.utility.value((0..users.users).map(rate));
        // The price of a whole power, the same for all of an access point's streams.
        let (own, beams) = gradient.split_at_mut(half);
        let (first, others) = beams.split_at_mut(access_points);
        first.fill(0.0);
        for k in 0..users.users {
            let (x, i) = (self.desired[k], self.interference[k]);
            let sinr = x * x / i;
            let weight = match &self.utility {
                Utility::Sum(weights) => weights[k],
                _ => 1.0 / rate(k),
            };
            let scale = weight * users.unit / (i * (1.0 + sinr));
            self.by_interference[k] = -scale * sinr;
            let row = k * access_points..(k + 1) * access_points;
            first.iter_mut().zip(&users.fading[row.clone()]).for_each(|(g, beta)| *g -= scale * sinr * beta);
            let roots = own[row.clone()].iter_mut().zip(&users.amplitude[row.clone()]).zip(&power[row]);
            roots.for_each(|((g, a), p)| *g = scale * x * a / p.max(least).sqrt());
        }
        for leak in &users.leaks {
            let row = leak.sender * access_points..(leak.sender + 1) * access_points;
            let sent = &power[row.clone()];
            let heard: f64 = leak.amplitude.iter().zip(sent).map(|(a, p)| a * p.sqrt()).sum();
            let price = self.by_interference[leak.hears] * leak.overlap * heard;
            let roots = own[row].iter_mut().zip(&leak.amplitude).zip(sent);
            roots.for_each(|((g, a), p)| *g += price * a / p.max(least).sqrt());
        }
        for row in own.chunks_exact_mut(access_points) {
            row.iter_mut().zip(&*first).for_each(|(g, price)| *g += price);
        }
        others.chunks_exact_mut(access_points).for_each(|row| row.copy_from_slice(first));
        value
    }

    fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        let (power, beams) = design.split_at(design.len() / 2);
        column_sums(power, &mut self.communication);
        column_sums(beams, &mut self.sensing);
        let access_points = self.total.len();
        let information = &self.system.sensing;
        let entries = self.rows.iter().flat_map(|row| (0..self.entries(row)).map(move |entry| (row, entry)));
        let outputs = values.iter_mut().zip(jacobian.chunks_exact_mut(design.len()));
        for ((row, l), (value, slope)) in entries.zip(outputs) {
            // The value, and its derivatives by the communication and the sensing power of access point l.
            let (now, by_communication, by_sensing) = match row.limited {
                Limited::Power => (design.iter().sum(), 1.0, 1.0),
                Limited::PowerEach => (self.communication[l] + self.sensing[l], 1.0, 1.0),
                Limited::Crlb => {
                    let (a, b) = (information.by_communication[l], information.by_sensing[l]);
                    let bound = crlb(a * self.communication[l] + b * self.sensing[l]);
                    let slope = if bound.is_finite() { -bound * bound } else { 0.0 };
                    (bound, slope * a, slope * b)
                }
            };
            let limit = row.limits[if row.limits.len() == 1 { 0 } else { l }];
            let miss = relative_violation(now, limit, row.upper);
            *value = if miss > 0.0 { miss } else { -relative_violation(now, limit, !row.upper) };
            slope.fill(0.0);
            if limit.is_infinite() {
                continue;
            }
            let unit = if limit == 0.0 { 1.0 } else { 1.0 / limit.abs() } * if row.upper { 1.0 } else { -1.0 };
            let (own, beams) = slope.split_at_mut(design.len() / 2);
            for (part, by) in [(own, by_communication), (beams, by_sensing)] {
                if row.limited == Limited::Power {
                    part.fill(unit * by);
                } else {
                    part.chunks_exact_mut(access_points).for_each(|stream| stream[l] = unit * by);
                }
            }
        }
    }
}
