//! Powers of the access points under CRLB limits of own illumination, power limits and a budget, in closed form.
//!
//! Rates depend on the users' powers and, through `P_l = c_l + q_l`, on each access point's whole power. Given the
//! communication power `c_l`, the least sensing power is `q_l = [(C_l - A_l c_l) / B_l]_+`: nothing gains from more.
//! Where `A_l >= B_l` communication is at least as informative as the beam, and `c_l >= C_l / A_l` without a beam costs
//! no more. The least power that meets a limit is `C_l / max(A_l, B_l)`.
//!
//! Scaling all powers up betters every SINR and every CRLB, so the whole budget is spent, as far as the access points'
//! own limits let all powers grow alike.

use super::System;
use super::limits::Limits;
use super::metrics::column_sums;
use crate::design::Design;

/// One access point's limits: information `A c + B q >= C`, power `c + q <= cap`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Site {
    /// A.
    pub by_communication: f64,
    /// B.
    pub by_sensing: f64,
    /// C; 0 for no limit.
    pub needed: f64,
    /// The most power.
    pub cap: f64,
}

impl Site {
    /// Whether communication power informs at least as well as sensing power.
    pub fn prefers_communication(&self) -> bool {
        self.by_communication >= self.by_sensing
    }

    /// The least power that meets the CRLB limit; infinite where none does.
    pub fn least_power(&self) -> f64 {
        if self.needed > 0.0 { self.needed / self.by_communication.max(self.by_sensing) } else { 0.0 }
    }

    /// The least sensing power beside a communication power; infinite where none is enough.
    pub fn sensing(&self, communication: f64) -> f64 {
        let missing = self.needed - self.by_communication * communication;
        // What rounding leaves is none.
        if missing <= 1e-15 * self.needed { 0.0 } else { missing / self.by_sensing }
    }

    /// The most communication power under the cap.
    fn most(&self) -> f64 {
        if self.prefers_communication() || self.by_communication * self.cap >= self.needed {
            return self.cap;
        }
        let ratio = self.by_communication / self.by_sensing;
        ((self.cap - self.needed / self.by_sensing) / (1.0 - ratio)).max(0.0)
    }

    /// Communication power, the power with its sensing, and the latter's slope, for a wanted communication power.
    fn at(&self, wanted: f64) -> (f64, f64, f64) {
        if self.prefers_communication() {
            let least = self.least_power();
            return match wanted {
                w if w <= least => (least, least, 0.0),
                w if w >= self.cap => (self.cap, self.cap, 0.0),
                w => (w, w, 1.0),
            };
        }
        let most = self.most();
        let (c, slope) = if wanted >= most { (most, 0.0) } else { (wanted, 1.0) };
        let sensing = self.sensing(c);
        let share = if sensing > 0.0 { 1.0 - self.by_communication / self.by_sensing } else { 1.0 };
        (c, c + sensing, slope * share)
    }
}

/// All access points under a budget.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Allocation {
    pub sites: Vec<Site>,
    pub budget: f64,
    /// Equal `gamma_kl`: `xi_kl` over the sum over users, K x L.
    profile: Vec<f64>,
    wanted: Vec<f64>,
    sensing: Vec<f64>,
}

impl Allocation {
    pub fn new(system: &System, limits: &Limits) -> Self {
        let access_points = system.users.access_points;
        let site = |l: usize| Site {
            by_communication: system.sensing.by_communication[l],
            by_sensing: system.sensing.by_sensing[l],
            needed: limits.own[l],
            cap: limits.access_point[l],
        };
        let mut sums = vec![0.0; access_points];
        column_sums(&system.users.estimate_variance, &mut sums);
        let mut profile = system.users.estimate_variance.clone();
        for row in profile.chunks_exact_mut(access_points) {
            row.iter_mut().zip(&sums).for_each(|(x, sum)| *x /= sum);
        }
        Self {
            sites: (0..access_points).map(site).collect(),
            budget: limits.power,
            profile,
            wanted: vec![0.0; access_points],
            sensing: vec![0.0; access_points],
        }
    }

    /// The least powers that the CRLB limits need, and the least factor by which these limits must be loosened; at
    /// most 1 where they can be met.
    pub fn needed(&self) -> (Vec<f64>, f64) {
        let needed: Vec<f64> = self.sites.iter().map(Site::least_power).collect();
        let all = needed.iter().sum::<f64>() / self.budget;
        let each = self.sites.iter().zip(&needed).filter(|(_, n)| **n > 0.0).map(|(s, n)| n / s.cap);
        (needed.clone(), each.fold(all, f64::max))
    }

    /// Writes a design that keeps each access point's split among users, its communication powers in the ratio of those
    /// of `design` as far as the limits allow, with the least sensing powers, and spends the budget as far as no access
    /// point's own limit stops it. Needs [`Allocation::needed`] to be at most 1. Where `design` sends nothing, equal `gamma_kl`.
    pub fn spend(&mut self, design: &mut Design) {
        let access_points = self.sites.len();
        let half = design.len() / 2;
        let (power, beams) = design.split_at_mut(half);
        column_sums(power, &mut self.wanted);
        column_sums(beams, &mut self.sensing);
        let sum: f64 = self.wanted.iter().sum();
        let mut most = f64::INFINITY;
        if !(sum.is_finite() && sum > 0.0) {
            // Equal gamma_kl at all access points.
            power.copy_from_slice(&self.profile);
            self.wanted.fill(1.0);
        } else {
            let each = self.sites.iter().zip(&self.wanted).map(|(site, wanted)| site.most() / wanted);
            most = each.filter(|x| !x.is_nan()).fold(most, f64::min).max(1.0);
        }
        let factor = self.factor(most);
        for (l, site) in self.sites.iter().enumerate() {
            let (communication, _, _) = site.at(factor * self.wanted[l]);
            let sensing = site.sensing(communication);
            let column = |rows: &mut [f64], scale: f64, fresh: Option<&[f64]>| {
                for (k, row) in rows.chunks_exact_mut(access_points).enumerate() {
                    row[l] = fresh.map_or(row[l], |f| f[k * access_points + l]) * scale;
                }
            };
            if self.wanted[l] > 0.0 {
                column(power, communication / self.wanted[l], None);
            } else {
                column(power, communication, Some(&self.profile));
            }
            if self.sensing[l] > 0.0 {
                column(beams, sensing / self.sensing[l], None);
            } else {
                let streams = beams.len() / access_points;
                beams.chunks_exact_mut(access_points).for_each(|row| row[l] = sensing / streams as f64);
            }
        }
    }

    /// The factor on the wanted communication powers that spends the budget, at most `most`; the largest useful one where
    /// the access points' own limits leave some of it. The power is piecewise linear in it: Newton's method inside a bracket.
    fn factor(&self, most: f64) -> f64 {
        let total = |factor: f64| {
            self.sites.iter().zip(&self.wanted).fold((0.0, 0.0), |(sum, slope), (site, wanted)| {
                let (_, power, by_wanted) = site.at(factor * wanted);
                (sum + power, slope + by_wanted * wanted)
            })
        };
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut factor = (self.budget / self.wanted.iter().sum::<f64>()).min(most);
        for _ in 0..200 {
            let (power, slope) = total(factor);
            if power <= self.budget {
                low = factor;
                if power >= self.budget * (1.0 - 4.0 * f64::EPSILON) || factor >= most {
                    break;
                }
            } else {
                high = factor;
            }
            let newton = factor + (self.budget - power) / slope;
            let next = if newton > low && newton < high {
                newton
            } else if high.is_finite() {
                0.5 * (low + high)
            } else if slope > 0.0 {
                2.0 * factor
            } else {
                // All access points are at their limits, or need more than is wanted of them.
                match factor < 1e30 * self.budget {
                    true => 16.0 * factor,
                    false => break,
                }
            };
            let next = next.min(most);
            if next == factor {
                break;
            }
            factor = next;
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sites() -> impl Strategy<Value = Vec<(Site, f64)>> {
        let site = (0.0..3.0f64, 0.0..3.0f64, 0.0..2.0f64, 0.0..4.0f64, 0.0..2.0f64);
        proptest::collection::vec(site, 1..7).prop_map(|sites| {
            let none_below = |x: f64, least: f64| if x < least { 0.0 } else { x };
            let each = sites.into_iter().map(|(a, b, c, cap, wanted)| {
                let site = Site {
                    by_communication: none_below(a, 0.3),
                    by_sensing: none_below(b, 0.3),
                    needed: none_below(c, 0.5),
                    cap: if cap > 3.0 { f64::INFINITY } else { cap },
                };
                (site, none_below(wanted, 0.4))
            });
            each.collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_spent_meets_every_limit_and_is_all_that_can_be(sites in sites(), budget in 0.1..20.0f64) {
            let (sites, wanted): (Vec<Site>, Vec<f64>) = sites.into_iter().unzip();
            let count = sites.len();
            let mut allocation = Allocation {
                sites: sites.clone(),
                budget,
                profile: vec![1.0; count],
                wanted: vec![0.0; count],
                sensing: vec![0.0; count],
            };
            let (_, ratio) = allocation.needed();
            prop_assume!(ratio <= 1.0);
            let mut design = Design::new(wanted.iter().copied().chain(vec![0.0; count]).collect());
            allocation.spend(&mut design);
            let (c, q) = design.split_at(count);
            let sum: f64 = design.iter().sum();
            prop_assert!(sum <= budget * (1.0 + 1e-12));
            for (l, site) in sites.iter().enumerate() {
                prop_assert!(c[l] + q[l] <= site.cap * (1.0 + 1e-12) + 1e-15, "{site:?} {} {}", c[l], q[l]);
                let information = site.by_communication * c[l] + site.by_sensing * q[l];
                prop_assert!(information >= site.needed * (1.0 - 1e-12), "{site:?} {} {}", c[l], q[l]);
            }
            if sum < budget * (1.0 - 1e-9) {
                // Somebody's own limit stops the growth, or there is nobody to give it to.
                let full = |l: usize| c[l] + q[l] >= sites[l].cap * (1.0 - 1e-9);
                let none = wanted.iter().all(|w| *w == 0.0);
                let stopped = if none { (0..count).all(full) } else { (0..count).any(full) };
                prop_assert!(stopped, "{sites:?} {design:?}");
            }
        }
    }
}
