//! The maximiser of the paper's surrogate in closed form (CRLBs of own illumination).
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
//!
//! Where pilots overlap, the coherent `y_kj²` joins `I_k`. Jensen's inequality takes it apart,
//! `(sum_l A_l z_jl)² <= sum_l A_l² z_jl² y°/(A_l z°_jl)`, tight at the design, which adds
//! `f_jl = sum_k w_k i_k |psi_j^H psi_k|² A_l y°_kj / z°_jl` to the divisor of user j's stream: `z_jl = s_j a_jl / (d_l + f_jl)`.
//! All powers stay positive, as the bound needs. Only the corner then takes a root, for `c_l` has a divisor a user.

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
/// A sweep that changes no `s_k` by more than this, relative, is the last.
const SETTLED: f64 = 1e-12;
/// Sweeps whose changes shrink by no more than this factor are slow.
const SLOW: f64 = 0.3;
/// The largest step of Newton's method, in logarithms.
const FARTHEST: f64 = 3.0;
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
    /// `f_kl`, K x L; empty for orthogonal pilots.
    coherent: Vec<f64>,
    /// `d_l`, and one over it.
    divisor: Vec<f64>,
    inverse: Vec<f64>,
    /// `s_k`, the next ones, and those kept aside.
    share: Vec<f64>,
    next: Vec<f64>,
    kept: Vec<f64>,
    /// `w_k i_k / (1 + w_k i_k T_k)`.
    damping: Vec<f64>,
    /// Newton's equations, K x K, and their solution.
    jacobian: Vec<f64>,
    step: Vec<f64>,
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
            coherent: vec![0.0; if system.users.orthogonal() { 0 } else { users * access_points }],
            divisor: site.clone(),
            inverse: site,
            share: each.clone(),
            next: each.clone(),
            kept: each.clone(),
            damping: each.clone(),
            jacobian: vec![0.0; users * users],
            step: each,
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
        self.coherent.fill(0.0);
        for leak in &users.leaks {
            let streams = leak.sender * users.access_points..(leak.sender + 1) * users.access_points;
            let sent = &power[streams.clone()];
            let heard: f64 = leak.amplitude.iter().zip(sent).map(|(a, p)| a * p.sqrt()).sum();
            let price = self.curvature[leak.hears] * leak.overlap * heard;
            for ((f, a), p) in self.coherent[streams].iter_mut().zip(&leak.amplitude).zip(sent) {
                // A stream without power stays without.
                *f += if price > 0.0 { price * a / p.sqrt() } else { 0.0 };
            }
        }
    }

    /// `X -> d -> T -> s`: one sweep from the shares `s` to the next ones, in `next`. Gives the largest change of their
    /// logarithms.
    fn sweep(&mut self, price: f64) -> f64 {
        if !self.coherent.is_empty() {
            return self.sweep_coherent(price);
        }
        let users = &self.system.users;
        let access_points = users.access_points;
        let x = &mut self.site_buffer;
        x.fill(0.0);
        for (gain, s) in users.gain.chunks_exact(access_points).zip(&self.share) {
            let squared = s * s;
            x.iter_mut().zip(gain).for_each(|(x, g)| *x += g * squared);
        }
        for (l, site) in self.allocation.sites.iter().enumerate() {
            let e = price + self.cost[l];
            self.divisor[l] = divisor(site, e, x[l]);
            self.inverse[l] = 1.0 / self.divisor[l];
        }
        self.next_shares()
    }

    /// The same where each stream has a divisor of its own, `d_l + f_kl`. The buffer gets `c_l d_l²`, as if it had not.
    fn sweep_coherent(&mut self, price: f64) -> f64 {
        let users = &self.system.users;
        let (count, access_points) = (users.users, users.access_points);
        for (l, site) in self.allocation.sites.iter().enumerate() {
            let communication = |d: f64| {
                let streams = (0..count).map(|k| k * access_points + l).zip(&self.share);
                streams.fold((0.0, 0.0), |(sum, slope), (at, s)| {
                    let inverse = 1.0 / (d + self.coherent[at]);
                    let power = users.gain[at] * (s * inverse).powi(2);
                    (sum + power, slope - 2.0 * power * inverse)
                })
            };
            let d = coherent_divisor(site, price + self.cost[l], communication);
            self.divisor[l] = d;
            self.site_buffer[l] = communication(d).0 * d * d;
        }
        let mut change: f64 = 0.0;
        for k in 0..count {
            let at = k * access_points..(k + 1) * access_points;
            let terms = users.gain[at.clone()].iter().zip(&self.divisor).zip(&self.coherent[at]);
            let sum: f64 = terms.map(|((g, d), f)| g / (d + f)).sum();
            self.next[k] = self.linear[k] / (1.0 + self.curvature[k] * sum);
            if self.share[k] > 0.0 {
                change = change.max((self.next[k] / self.share[k]).ln().abs());
            }
        }
        change
    }

    /// `d -> T -> s`.
    fn next_shares(&mut self) -> f64 {
        let users = &self.system.users;
        let mut change: f64 = 0.0;
        for (k, gain) in users.gain.chunks_exact(users.access_points).enumerate() {
            let sum: f64 = gain.iter().zip(&self.inverse).map(|(g, d)| g * d).sum();
            self.damping[k] = self.curvature[k] / (1.0 + self.curvature[k] * sum);
            self.next[k] = self.linear[k] / (1.0 + self.curvature[k] * sum);
            if self.share[k] > 0.0 {
                change = change.max((self.next[k] / self.share[k]).ln().abs());
            }
        }
        change
    }

    /// Newton's step on the logarithms of the shares, written to `next`. Where `d_l` follows `X_l` (a corner, or an
    /// access point at its limit) it does so as its root, so the sweep has the Jacobian
    /// `J_kj = damping_k sum_l a_kl² / d_l a_jl² s_j² / X_l` over those l: not negative, with row sums below 1, so
    /// `I - J` needs no pivots.
    fn newton(&mut self, price: f64) {
        let users = &self.system.users;
        let (count, access_points) = (users.users, users.access_points);
        self.jacobian.fill(0.0);
        for l in 0..access_points {
            if self.divisor[l] == price + self.cost[l] {
                continue;
            }
            let weight = self.inverse[l] / self.site_buffer[l];
            for j in 0..count {
                let by = users.gain[j * access_points + l] * self.share[j] * self.share[j] * weight;
                for k in 0..count {
                    self.jacobian[k * count + j] -= self.damping[k] * users.gain[k * access_points + l] * by;
                }
            }
        }
        for k in 0..count {
            self.jacobian[k * count + k] += 1.0;
            self.step[k] = if self.share[k] > 0.0 { (self.next[k] / self.share[k]).ln() } else { 0.0 };
        }
        let a = &mut self.jacobian;
        for pivot in 0..count {
            for row in pivot + 1..count {
                let factor = a[row * count + pivot] / a[pivot * count + pivot];
                if factor != 0.0 {
                    for column in pivot..count {
                        a[row * count + column] -= factor * a[pivot * count + column];
                    }
                    self.step[row] -= factor * self.step[pivot];
                }
            }
        }
        for row in (0..count).rev() {
            let known: f64 = (row + 1..count).map(|column| a[row * count + column] * self.step[column]).sum();
            self.step[row] = (self.step[row] - known) / a[row * count + row];
        }
        for k in 0..count {
            self.next[k] = self.share[k] * self.step[k].clamp(-FARTHEST, FARTHEST).exp();
        }
    }

    /// The design of the shares and divisors, where pilots overlap.
    fn write_coherent(&mut self, out: &mut Design) {
        let half = out.len() / 2;
        for (k, s) in self.share.iter().enumerate() {
            for (l, d) in self.divisor.iter().enumerate() {
                let at = k * self.divisor.len() + l;
                out[at] = self.system.users.gain[at] * (s / (d + self.coherent[at])).powi(2);
            }
        }
        out[half..].fill(0.0);
        self.allocation.spend(out);
    }

    /// Iterates the fixed point at a price of power, and gives the power that it spends. Sweeps shrink the distance to
    /// the fixed point; where they do so slowly, Newton's steps are tried, and kept where they do better.
    fn settle(&mut self, price: f64) -> f64 {
        let mut change = self.sweep(price);
        for _ in 0..SWEEPS {
            if change <= SETTLED {
                break;
            }
            self.share.copy_from_slice(&self.next);
            let swept = self.sweep(price);
            if swept > SLOW * change && swept > SETTLED && self.coherent.is_empty() {
                self.kept.copy_from_slice(&self.next);
                self.newton(price);
                self.share.copy_from_slice(&self.next);
                change = self.sweep(price);
                if change.is_nan() || change > swept {
                    // As if there had been no such step.
                    self.share.copy_from_slice(&self.kept);
                    change = self.sweep(price);
                }
            } else {
                change = swept;
            }
        }
        let each = self.allocation.sites.iter().zip(&self.divisor).zip(&self.site_buffer);
        each.map(|((site, d), x)| {
            let communication = x / (d * d);
            // What rounding leaves of a corner is no need.
            let sensing = site.sensing(communication * (1.0 + 1e-13));
            communication + sensing
        })
        .sum()
    }
}

/// `d_l` at the price `e` of power and given `X_l`; where the access point's own limit binds, e rises until it holds.
pub(super) fn divisor(site: &Site, e: f64, x: f64) -> f64 {
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

/// The divisor where `communication` gives `c_l`, convex and falling in it, and its slope.
fn coherent_divisor(site: &Site, e: f64, communication: impl Fn(f64) -> (f64, f64)) -> f64 {
    let share = if site.prefers_communication() { 0.0 } else { 1.0 - site.by_communication / site.by_sensing };
    // Newton's method climbs to the root from where the function is above its target, and never passes it.
    let root = |target: f64, mut low: f64, high: f64| {
        for _ in 0..100 {
            let (power, slope) = communication(low);
            let next = low + (target - power) / slope;
            if next.is_nan() || next <= low * (1.0 + 1e-14) || low >= high {
                break;
            }
            low = next;
        }
        low.min(high)
    };
    let mut d = e;
    if site.needed > 0.0 && site.by_communication > 0.0 {
        let target = site.needed / site.by_communication;
        let least = (e * share).max(1e-9 * e);
        if communication(e).0 < target {
            d = if communication(least).0 <= target { least } else { root(target, least, e) };
        }
    }
    if site.cap.is_finite() {
        let power = communication(d).0;
        if power + site.sensing(power) > site.cap {
            let alone = site.by_communication * site.cap >= site.needed;
            let left = (site.cap - site.needed / site.by_sensing).max(1e-12 * site.cap);
            let target = if alone { site.cap } else { left / share };
            return root(target, d, f64::INFINITY);
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
        // Shares of the last divisors, or of those without any limit.
        for ((inverse, d), cost) in self.inverse.iter_mut().zip(&self.divisor).zip(&self.cost) {
            *inverse = 1.0 / if d.is_finite() && *d > 0.0 { *d } else { price + cost };
        }
        self.next_shares();
        self.share.copy_from_slice(&self.next);
        // One over the root of what is spent beyond the least power is nearly linear in the price.
        let least = self.allocation.needed().0.iter().sum::<f64>();
        let mean = self.cost.iter().sum::<f64>() / self.cost.len() as f64;
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut last: Option<(f64, f64)> = None;
        for _ in 0..PRICES {
            let spent = self.settle(price);
            let miss = ((budget - least).max(0.0) / (spent - least).max(f64::MIN_POSITIVE)).sqrt() - 1.0;
            if (spent - budget).abs() <= SPENT * budget || price == 0.0 && spent <= budget || spent.is_nan() {
                break;
            }
            // Too much is spent: the price must rise.
            if spent > budget {
                low = price
            } else {
                high = price
            }
            let secant = match last {
                Some((at, then)) if miss != then => price - miss * (price - at) / (miss - then),
                _ => (price + mean) / (1.0 + miss) - mean,
            };
            last = Some((price, miss));
            let next = if secant > low && secant < high {
                secant
            } else if high.is_infinite() {
                4.0 * price.max(mean)
            } else if low == 0.0 {
                // Towards no price at all, which may leave some of the budget.
                if price <= 1e-9 * mean { 0.0 } else { 0.1 * high }
            } else {
                0.5 * (low + high)
            };
            if next == price {
                break;
            }
            price = next;
        }
        self.price = price;
        if !self.coherent.is_empty() {
            self.write_coherent(out);
            return Ok(());
        }
        self.inverse.iter_mut().zip(&self.divisor).for_each(|(inverse, d)| *inverse = 1.0 / (d * d));
        let users = &self.system.users;
        let half = out.len() / 2;
        let rows = out[..half].chunks_exact_mut(users.access_points).zip(users.gain.chunks_exact(users.access_points));
        for ((row, gain), s) in rows.zip(&self.share) {
            let s = s * s;
            for ((p, g), d) in row.iter_mut().zip(gain).zip(&self.inverse) {
                *p = s * g * d;
            }
        }
        out[half..].fill(0.0);
        self.allocation.spend(out);
        Ok(())
    }
}
