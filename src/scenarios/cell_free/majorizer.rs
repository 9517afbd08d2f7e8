//! The maximiser of the paper's surrogate in closed form (orthogonal pilots, CRLBs of own illumination).
//!
//! At a design, `b_k = x_k / I_k` and `i_k = SINR_k / (I_k (1 + SINR_k))`. The quadratic transform bounds
//! `ln(1 + SINR_k) >= const + 2 b_k x_k - i_k (x_k² + I_k)`, tight there (paper 004, (20) and (21) with natural
//! logarithms). Over `z_kl = sqrt(p_kl)` and `q_l`, with the price lambda of power, `nu_l` of an access point's limit and
//! `mu_l` of its CRLB limit, stationarity gives
//!
//! ```text
//! z_kl = s_k a_kl / d_l,  d_l = e_l - A_l mu_l,  e_l = lambda + nu_l + sum_k w_k i_k beta_kl
//! s_k  = w_k b_k / (1 + w_k i_k T_k),  T_k = sum_l a_kl² / d_l
//! d_l  = min(e_l, max(e_l (1 - A_l/B_l)_+, sqrt(A_l X_l / C_l))),  X_l = sum_k a_kl² s_k²,   c_l = X_l / d_l²
//! ```
//!
//! The middle branch is the corner `A_l c_l = C_l` without a beam. `X -> d -> T -> s -> X` is a monotone map that
//! shrinks ratios (Yates' standard interference functions, doi:10.1109/49.414651, with equality of scale excluded by the
//! 1 in `s_k`), so it is iterated to its fixed point; lambda is the root of the budget. `sqrt(p_kl)` then has rank one.

use std::sync::Arc;

use super::System;
use super::allocation::{Allocation, Site};
use super::limits::Limits;
use super::metrics::column_sums;
use crate::design::Design;
use crate::error::Result;
use crate::structure::Majorizer;

/// Sweeps of the fixed point at one price of power, at most.
const SWEEPS: usize = 400;
/// A sweep that changes no `d_l` by more than this, relative, is the last.
const SETTLED: f64 = 1e-12;
/// Prices of power tried, at most.
const PRICES: usize = 60;
/// The budget is met to this, relative; the rest is scaled away.
const SPENT: f64 = 1e-10;

/// The maximiser of the surrogate of a weighted sum rate.
pub(super) struct ClosedForm {
    system: Arc<System>,
    weights: Vec<f64>,
    allocation: Allocation,
    /// `P_l` of the design where the surrogate is tight; then `X_l`.
    site_buffer: Vec<f64>,
    desired: Vec<f64>,
    interference: Vec<f64>,
    /// `w_k b_k` and `w_k i_k`.
    linear: Vec<f64>,
    curvature: Vec<f64>,
    /// `sum_k w_k i_k beta_kl`.
    cost: Vec<f64>,
    /// `d_l`, and one over it.
    divisor: Vec<f64>,
    inverse: Vec<f64>,
    /// `s_k`, squared in `squared`.
    share: Vec<f64>,
    squared: Vec<f64>,
    /// Lambda of the last maximisation: where the next begins.
    price: f64,
}

impl ClosedForm {
    pub fn new(system: Arc<System>, weights: Vec<f64>, limits: &Limits) -> Self {
        let (users, access_points) = (system.users.users, system.users.access_points);
        let (each, site) = (vec![0.0; users], vec![0.0; access_points]);
        Self {
            allocation: Allocation::new(&system, limits),
            weights,
            site_buffer: site.clone(),
            desired: each.clone(),
            interference: each.clone(),
            linear: each.clone(),
            curvature: each.clone(),
            cost: site.clone(),
            divisor: site.clone(),
            inverse: site,
            share: each.clone(),
            squared: each,
            price: f64::NAN,
            system,
        }
    }

    /// The weighted sum rate of a design.
    pub fn value(&mut self, design: &Design) -> f64 {
        column_sums(design, &mut self.site_buffer);
        let users = &self.system.users;
        let power = &design[..design.len() / 2];
        users.desired_and_interference(power, &self.site_buffer, &mut self.desired, &mut self.interference);
        let rate = |k: usize| users.rate(self.desired[k] * self.desired[k] / self.interference[k]);
        self.weights.iter().enumerate().map(|(k, w)| w * rate(k)).sum()
    }

    /// The surrogate that is tight at a design.
    fn expand(&mut self, design: &Design) {
        let power = &design[..design.len() / 2];
        column_sums(design, &mut self.site_buffer);
        let users = &self.system.users;
        users.desired_and_interference(power, &self.site_buffer, &mut self.desired, &mut self.interference);
        self.cost.fill(0.0);
        for (k, fading) in users.fading.chunks_exact(users.access_points).enumerate() {
            let (x, i) = (self.desired[k], self.interference[k]);
            let sinr = x * x / i;
            self.linear[k] = self.weights[k] * x / i;
            self.curvature[k] = self.weights[k] * sinr / (i * (1.0 + sinr));
            self.cost.iter_mut().zip(fading).for_each(|(c, beta)| *c += self.curvature[k] * beta);
        }
    }

    /// Iterates the fixed point at a price of power, and gives the power that it spends.
    fn settle(&mut self, price: f64) -> f64 {
        let users = &self.system.users;
        let access_points = users.access_points;
        let x = &mut self.site_buffer;
        for _ in 0..SWEEPS {
            self.inverse.iter_mut().zip(&self.divisor).for_each(|(inverse, d)| *inverse = 1.0 / d);
            x.fill(0.0);
            for (k, gain) in users.gain.chunks_exact(access_points).enumerate() {
                let sum: f64 = gain.iter().zip(&self.inverse).map(|(g, d)| g * d).sum();
                let share = self.linear[k] / (1.0 + self.curvature[k] * sum);
                self.share[k] = share;
                let squared = share * share;
                x.iter_mut().zip(gain).for_each(|(x, g)| *x += g * squared);
            }
            let mut change: f64 = 0.0;
            for (l, site) in self.allocation.sites.iter().enumerate() {
                let d = divisor(site, price + self.cost[l], x[l]);
                change = change.max((d / self.divisor[l] - 1.0).abs());
                self.divisor[l] = d;
            }
            if change <= SETTLED {
                break;
            }
        }
        let each = self.allocation.sites.iter().zip(&self.divisor).zip(x.iter());
        each.map(|((site, d), x)| {
            let communication = x / (d * d);
            communication + site.sensing(communication)
        })
        .sum()
    }
}

/// `d_l` at the price `e` of power and given `X_l`; where the access point's own limit binds, e rises until it holds.
fn divisor(site: &Site, e: f64, x: f64) -> f64 {
    let corner = if site.needed > 0.0 { (site.by_communication * x / site.needed).sqrt() } else { f64::INFINITY };
    let share = if site.prefers_communication() { 0.0 } else { 1.0 - site.by_communication / site.by_sensing };
    let at = |e: f64| e.min((e * share).max(corner));
    let d = at(e);
    if site.cap.is_finite() {
        let communication = x / (d * d);
        if communication + site.sensing(communication) > site.cap {
            // The price at which the limit is met: without a beam, or with one.
            let alone = (x / site.cap).sqrt();
            return if site.by_communication * site.cap >= site.needed {
                alone
            } else {
                let left = (site.cap - site.needed / site.by_sensing).max(1e-12 * site.cap);
                share * (x / (share * left)).sqrt()
            };
        }
    }
    d
}

impl Majorizer for ClosedForm {
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()> {
        self.expand(design);
        if self.linear.iter().all(|b| *b <= 0.0) {
            // Nobody's rate counts, or nobody is sent anything: every design maximises the surrogate.
            out.copy_from(design);
            self.allocation.spend(out);
            return Ok(());
        }
        let budget = self.allocation.budget;
        // A first guess: the price at which an equal share of the budget is spent everywhere.
        let mut price = self.price;
        if !(price.is_finite() && price > 0.0) {
            price = self.cost.iter().sum::<f64>() / self.cost.len() as f64;
        }
        for (d, cost) in self.divisor.iter_mut().zip(&self.cost) {
            if !(d.is_finite() && *d > 0.0) {
                *d = price + cost;
            }
        }
        // One over the root of the power is nearly linear in the price.
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut last: Option<(f64, f64)> = None;
        for _ in 0..PRICES {
            let spent = self.settle(price);
            let miss = (budget / spent).sqrt() - 1.0;
            if miss.abs() <= SPENT || !miss.is_finite() || price == 0.0 && miss >= 0.0 {
                break;
            }
            // Too much is spent where the miss is negative: the price must rise.
            if miss < 0.0 { low = price } else { high = price }
            let mean = self.cost.iter().sum::<f64>() / self.cost.len() as f64;
            let secant = match last {
                Some((at, then)) if miss != then => price - miss * (price - at) / (miss - then),
                _ => (price + mean) / (1.0 + miss) - mean,
            };
            last = Some((price, miss));
            price = if secant > low && secant < high {
                secant
            } else if high.is_infinite() {
                4.0 * price.max(mean)
            } else if low == 0.0 {
                // Towards no price at all, which may leave some of the budget.
                if price <= 1e-9 * mean { 0.0 } else { 0.1 * high }
            } else {
                0.5 * (low + high)
            };
            if high - low <= 1e-15 * high {
                break;
            }
        }
        self.price = price;
        self.inverse.iter_mut().zip(&self.divisor).for_each(|(inverse, d)| *inverse = 1.0 / (d * d));
        self.squared.iter_mut().zip(&self.share).for_each(|(squared, s)| *squared = s * s);
        let users = &self.system.users;
        let half = out.len() / 2;
        let rows = out[..half].chunks_exact_mut(users.access_points).zip(users.gain.chunks_exact(users.access_points));
        for ((row, gain), s) in rows.zip(&self.squared) {
            for ((p, g), d) in row.iter_mut().zip(gain).zip(&self.inverse) {
                *p = s * g * d;
            }
        }
        out[half..].fill(0.0);
        self.allocation.spend(out);
        Ok(())
    }
}
