//! The largest least rate as a fixed point (orthogonal pilots, CRLBs of own illumination).
//!
//! With the price 1 of power, `nu_k` of user k's interference and `mu_l` of a CRLB limit, a design of equal SINRs S at full
//! power is optimal where (see [`super::majorizer`] for `d_l`, `X_l`, `c_l` and the corner)
//!
//! ```text
//! z_kl = s_k a_kl / d_l,   e_l = 1 + sum_k nu_k beta_kl,   d_l = e_l - A_l mu_l,   nu_k = S / T_k,   T_k = sum_l a_kl² / d_l
//! ```
//!
//! These are the conditions of a concave program (`x_k >= sqrt(S I_k)` in amplitudes, limits linear in powers), so what
//! meets them is the global optimum. Complementary slackness gives S a second way, `sigma_c² S sum_k 1/T_k = P - sum_l mu_l C_l`.
//! A sweep takes `nu -> e -> d`, scales s to the budget, and then corrects `s_k` by the SINRs and `nu_k` by `S / T_k`, where
//! S is the second value while limits hardly count, and the geometric mean of the SINRs where they do: the first then
//! swings. Without limits `nu -> S / T(nu)` is a normalised standard interference function (Yates, doi:10.1109/49.414651),
//! and converges; with them it was seen to, and each sweep is judged by the least SINR that it attains. `O(K L)` a sweep.

use std::sync::Arc;

use super::System;
use super::allocation::Allocation;
use super::limits::Limits;
use super::majorizer::divisor;
use crate::design::Design;
use crate::error::Result;
use crate::structure::Majorizer;

/// Sweeps of a maximisation, at most.
const SWEEPS: usize = 2000;
/// A sweep that changes no logarithm of `nu_k` and no SINR by more than this is the last.
const SETTLED: f64 = 1e-11;
/// The least SINR may stay as it is for so many sweeps.
const PATIENCE: usize = 200;
/// Halvings of the bracket of a scale.
const HALVINGS: usize = 80;

/// The maximiser of the least rate.
pub(super) struct Fair {
    system: Arc<System>,
    allocation: Allocation,
    /// `s_k`, and the best ones with their `d_l`.
    share: Vec<f64>,
    best: (Vec<f64>, Vec<f64>),
    /// `nu_k`.
    price: Vec<f64>,
    /// `e_l`, `d_l`, `X_l`, `P_l`.
    cost: Vec<f64>,
    divisor: Vec<f64>,
    spread: Vec<f64>,
    total: Vec<f64>,
    /// `T_k`, SINRs.
    transfer: Vec<f64>,
    sinr: Vec<f64>,
}

impl Fair {
    pub fn new(system: Arc<System>, limits: &Limits) -> Self {
        let (users, access_points) = (system.users.users, system.users.access_points);
        let (each, site) = (vec![1.0; users], vec![0.0; access_points]);
        Self {
            allocation: Allocation::new(&system, limits),
            best: (each.clone(), site.clone()),
            price: vec![limits.power / (users as f64 * system.users.noise); users],
            share: each.clone(),
            cost: site.clone(),
            divisor: site.clone(),
            spread: site.clone(),
            total: site,
            transfer: each.clone(),
            sinr: each,
            system,
        }
    }

    /// The power at `scale` times the shares; writes `d_l` and `P_l`.
    fn power(&mut self, scale: f64) -> f64 {
        let mut sum = 0.0;
        for (l, site) in self.allocation.sites.iter().enumerate() {
            let x = scale * scale * self.spread[l];
            self.divisor[l] = divisor(site, self.cost[l], x);
            let communication = x / (self.divisor[l] * self.divisor[l]);
            // What rounding leaves of a corner is no need.
            self.total[l] = communication + site.sensing(communication * (1.0 + 1e-13));
            sum += self.total[l];
        }
        sum
    }

    /// One sweep. Gives the least SINR and the largest change.
    fn sweep(&mut self) -> (f64, f64) {
        let users = &self.system.users;
        self.cost.fill(1.0);
        self.spread.fill(0.0);
        for (k, fading) in users.fading.chunks_exact(users.access_points).enumerate() {
            self.cost.iter_mut().zip(fading).for_each(|(e, beta)| *e += self.price[k] * beta);
            let gain = &users.gain[k * users.access_points..(k + 1) * users.access_points];
            self.spread.iter_mut().zip(gain).for_each(|(x, g)| *x += g * self.share[k] * self.share[k]);
        }
        let (mut low, mut high) = (1e-20, 1e20);
        for _ in 0..HALVINGS {
            let middle = f64::sqrt(low * high);
            if self.power(middle) > self.allocation.budget {
                high = middle;
            } else {
                low = middle;
            }
        }
        self.power(low);
        self.share.iter_mut().for_each(|s| *s *= low);
        let users = &self.system.users;
        let mut least = f64::INFINITY;
        let (mut logarithms, mut inverse) = (0.0, 0.0);
        for k in 0..users.users {
            let at = k * users.access_points..(k + 1) * users.access_points;
            self.transfer[k] = users.gain[at.clone()].iter().zip(&self.divisor).map(|(g, d)| g / d).sum();
            let heard: f64 = users.fading[at].iter().zip(&self.total).map(|(beta, p)| beta * p).sum();
            self.sinr[k] = (self.share[k] * self.transfer[k]).powi(2) / (users.noise + heard);
            least = least.min(self.sinr[k]);
            logarithms += self.sinr[k].ln();
            inverse += 1.0 / self.transfer[k];
        }
        let mean = (logarithms / users.users as f64).exp();
        let prices = self.allocation.sites.iter().zip(&self.cost).zip(&self.divisor);
        // mu_l C_l; a limit that no communication power can help has its price in e_l / B_l.
        let limited: f64 = prices
            .filter(|((site, _), _)| site.needed > 0.0)
            .map(|((site, e), d)| {
                let by =
                    if site.by_communication > 0.0 { (e - d) / site.by_communication } else { e / site.by_sensing };
                by * site.needed
            })
            .sum();
        let left = self.allocation.budget - limited;
        let level = if left > 0.5 * self.allocation.budget { left / (users.noise * inverse) } else { mean };
        let mut change: f64 = 0.0;
        for k in 0..users.users {
            let price = level / self.transfer[k];
            change = change.max((price / self.price[k]).ln().abs()).max((mean / self.sinr[k]).ln().abs());
            self.price[k] = price;
        }
        (least, change)
    }
}

impl Majorizer for Fair {
    /// The optimum is the same whatever the design.
    fn maximize(&mut self, _design: &Design, out: &mut Design) -> Result<()> {
        let (mut best, mut since) = (0.0, 0);
        for _ in 0..SWEEPS {
            let (least, change) = self.sweep();
            if least.is_nan() || change.is_nan() {
                break;
            }
            since = if least > best * (1.0 + 1e-12) { 0 } else { since + 1 };
            if least > best {
                best = least;
                self.best.0.copy_from_slice(&self.share);
                self.best.1.copy_from_slice(&self.divisor);
            }
            if change <= SETTLED || since > PATIENCE {
                break;
            }
            let mean = self.sinr.iter().map(|s| s.ln()).sum::<f64>() / self.sinr.len() as f64;
            self.share.iter_mut().zip(&self.sinr).for_each(|(s, sinr)| *s *= (mean.exp() / sinr).sqrt());
        }
        let half = out.len() / 2;
        let (shares, divisors) = &self.best;
        for (k, s) in shares.iter().enumerate() {
            for (l, d) in divisors.iter().enumerate() {
                let at = k * divisors.len() + l;
                out[at] = self.system.users.gain[at] * (s / d).powi(2);
            }
        }
        out[half..].fill(0.0);
        self.share.copy_from_slice(shares);
        if best > 0.0 && out[..half].iter().all(|p| p.is_finite()) {
            self.allocation.spend(out);
        }
        Ok(())
    }
}
