//! The best powers of the users at a given split: `S` and `q` fixed, each user's `n_k` = background over gain fixed.
//!
//! Without pilot reuse `SINR_k = p_k / n_k`. The four utilities are then water-filling, a linear scaling, and a
//! one-dimensional dual root; each comes with the value of its dual function, a proven bound. Pilot reuse is in
//! [`super::reuse`].

/// A user to whom power may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// The user.
    pub user: usize,
    /// `n_k`: interference and noise over gain.
    pub noise: f64,
    /// Weight of its rate.
    pub weight: f64,
    /// The least power that it may get.
    pub floor: f64,
}

impl Candidate {
    /// The water level above which it gets more than its floor.
    fn threshold(&self) -> f64 {
        (self.noise + self.floor) / self.weight
    }
}

/// What proves that powers are optimal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    /// Upper bound on the utility, in nats (before the pre-log).
    pub bound: f64,
    /// The price of power at which the bound was taken.
    pub price: f64,
}

/// Maximises `sum w_k ln(1 + p_k / n_k)` over `p_k >= floor_k`, `sum p_k = total` (which is at least the sum of the
/// floors): `p_k = max(w_k level - n_k, floor_k)`, by one sort. The bound is the dual function
/// `sum max_p [w_k ln(1 + p / n_k) - price p] + price total` at `price = 1 / level`.
pub(super) fn water_filling(candidates: &mut [Candidate], total: f64, power: &mut [f64]) -> Dual {
    candidates.sort_unstable_by(|a, b| a.threshold().total_cmp(&b.threshold()).then(a.user.cmp(&b.user)));
    let mut spare = total - candidates.iter().map(|c| c.floor).sum::<f64>();
    let (mut sum, mut weights, mut level) = (0.0, 0.0, f64::INFINITY);
    for candidate in candidates.iter() {
        if candidate.threshold() >= level {
            break;
        }
        sum += candidate.noise + candidate.floor;
        weights += candidate.weight;
        level = (spare + sum) / weights;
    }
    if weights == 0.0 {
        // Nobody's rate counts: the power is spread evenly, and no price is asked for it.
        spare /= candidates.len() as f64;
        candidates.iter().for_each(|c| power[c.user] = c.floor + spare);
        return Dual { bound: 0.0, price: 0.0 };
    }
    let price = 1.0 / level;
    let mut bound = price * total;
    for c in candidates.iter() {
        let p = (c.weight * level - c.noise).max(c.floor);
        power[c.user] = p;
        if p > 0.0 {
            bound += c.weight * (p / c.noise).ln_1p() - price * p;
        }
    }
    Dual { bound, price }
}

/// Maximises the least rate over `p_k >= floor_k`, `sum p_k = total`: all SINRs equal, but those that their floor holds
/// higher. Gives `ln(1 + least SINR)`, which is its own bound: any powers with a greater least SINR t' need
/// `sum max(t' n_k, floor_k) > total`.
pub(super) fn equal_rates(candidates: &mut [Candidate], total: f64, power: &mut [f64]) -> Dual {
    let floor_sinr = |c: &Candidate| c.floor / c.noise;
    candidates.sort_unstable_by(|a, b| floor_sinr(a).total_cmp(&floor_sinr(b)).then(a.user.cmp(&b.user)));
    let mut held: f64 = candidates.iter().map(|c| c.floor).sum();
    let (mut noise, mut sinr) = (0.0, f64::INFINITY);
    for c in candidates.iter() {
        if noise > 0.0 && floor_sinr(c) >= sinr {
            break;
        }
        noise += c.noise;
        held -= c.floor;
        sinr = (total - held.max(0.0)) / noise;
    }
    for c in candidates.iter() {
        power[c.user] = (sinr * c.noise).max(c.floor);
    }
    Dual { bound: sinr.max(0.0).ln_1p(), price: 1.0 / (noise * (1.0 + sinr)) }
}

/// Maximises `sum ln ln(1 + p_k / n_k)` over `p_k >= floor_k`, `sum p_k = total`: at the price `mu` of power,
/// `(1 + x) ln(1 + x) = 1 / (mu n_k)` with `x = p_k / n_k`; the price is the root of `sum p_k(mu) = total`.
/// The bound is the dual function.
pub(super) fn proportional(candidates: &[Candidate], total: f64, power: &mut [f64]) -> Dual {
    if total <= 0.0 {
        candidates.iter().for_each(|c| power[c.user] = 0.0);
        return Dual { bound: f64::NEG_INFINITY, price: f64::INFINITY };
    }
    // In y = ln(mu), ln(sum p) falls with a slope between -1 and 0; its root is bracketed and found by Newton steps.
    let excess = |y: f64, power: &mut [f64]| {
        let (mut sum, mut slope) = (0.0, 0.0);
        for c in candidates {
            let nats = lambert(-y - c.noise.ln());
            let p = c.noise * nats.exp_m1();
            power[c.user] = p.max(c.floor);
            sum += power[c.user];
            if p > c.floor {
                slope -= c.noise * nats.exp() * nats / (1.0 + nats);
            }
        }
        ((sum / total).ln(), slope / sum)
    };
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    // The price at which all power would go to one user of the mean noise: of the right order.
    let mean = candidates.iter().map(|c| c.noise).sum::<f64>() / candidates.len() as f64;
    let x = total / (candidates.len() as f64 * mean);
    let mut y = -(mean * (1.0 + x) * x.ln_1p()).ln();
    for _ in 0..200 {
        let (value, slope) = excess(y, power);
        if value > 0.0 {
            low = y
        } else {
            high = y
        }
        if value.abs() <= 4.0 * f64::EPSILON {
            break;
        }
        let newton = y - value / slope;
        let inside = newton.is_finite() && newton > low && newton < high;
        let next = match (low.is_finite(), high.is_finite()) {
            _ if inside => newton,
            (true, true) => 0.5 * (low + high),
            (true, false) => y + 2.0,
            _ => y - 2.0,
        };
        if next == y {
            break;
        }
        y = next;
    }
    let price = y.exp();
    let mut bound = price * total;
    for c in candidates {
        let p = power[c.user];
        bound += (p / c.noise).ln_1p().ln() - price * p;
    }
    // What rounding left over goes to those above their floor.
    let (mut free, mut held) = (0.0, 0.0);
    candidates.iter().for_each(|c| if power[c.user] > c.floor { free += power[c.user] } else { held += c.floor });
    if free > 0.0 {
        let scale = (total - held) / free;
        for c in candidates {
            if power[c.user] > c.floor {
                power[c.user] = (power[c.user] * scale).max(c.floor);
            }
        }
    }
    Dual { bound, price }
}

/// The root l of `l e^l = e^c` (Lambert's W of `e^c`), to working precision, for any c.
pub(super) fn lambert(c: f64) -> f64 {
    // Newton's method on the concave l + ln(l) = c, from above the root: from the second step on, from below.
    let mut l = if c > 30.0 { c - c.ln() } else { c.exp().ln_1p() };
    for _ in 0..20 {
        let next = l * (1.0 + c - l.ln()) / (1.0 + l);
        let done = (next - l).abs() <= 2.0 * f64::EPSILON * next;
        l = next;
        if done {
            break;
        }
    }
    l
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates() -> impl Strategy<Value = (Vec<Candidate>, f64)> {
        proptest::collection::vec((-3.0..3.0f64, 0.0..2.0f64, 0.0..1.0f64), 1..9).prop_flat_map(|users| {
            (Just(users), 0.01..5.0f64).prop_map(|(users, spare)| {
                let candidates: Vec<_> = users
                    .iter()
                    .enumerate()
                    .map(|(user, (noise, weight, floor))| Candidate {
                        user,
                        noise: 10f64.powf(*noise),
                        weight: if *weight < 0.2 { 0.0 } else { *weight },
                        floor: if *floor < 0.5 { 0.0 } else { *floor },
                    })
                    .collect();
                let total = candidates.iter().map(|c| c.floor).sum::<f64>() + spare;
                (candidates, total)
            })
        })
    }

    fn feasible(candidates: &[Candidate], power: &[f64], total: f64) -> bool {
        let sum: f64 = power.iter().sum();
        (sum - total).abs() <= 1e-12 * total && candidates.iter().all(|c| power[c.user] >= c.floor * (1.0 - 1e-12))
    }

    proptest! {
        #[test]
        fn duals_close_and_powers_are_feasible((mut candidates, total) in candidates()) {
            let mut power = vec![0.0; candidates.len()];
            let dual = water_filling(&mut candidates, total, &mut power);
            let value: f64 = candidates.iter().map(|c| c.weight * (power[c.user] / c.noise).ln_1p()).sum();
            prop_assert!(feasible(&candidates, &power, total));
            prop_assert!((dual.bound - value).abs() <= 1e-12 * value.max(1.0), "{} {value}", dual.bound);

            let dual = equal_rates(&mut candidates, total, &mut power);
            let value = candidates.iter().map(|c| power[c.user] / c.noise).fold(f64::INFINITY, f64::min).ln_1p();
            prop_assert!(feasible(&candidates, &power, total));
            prop_assert!((dual.bound - value).abs() <= 1e-12 * value.max(1.0), "{} {value}", dual.bound);

            let dual = proportional(&candidates, total, &mut power);
            let value: f64 = candidates.iter().map(|c| (power[c.user] / c.noise).ln_1p().ln()).sum();
            prop_assert!(feasible(&candidates, &power, total));
            prop_assert!((dual.bound - value).abs() <= 1e-11 * value.abs().max(1.0), "{} {value}", dual.bound);
        }
    }

    #[test]
    fn lambert_solves_its_equation() {
        for c in [-700.0, -30.0, -1.0, 0.0, 1.0, 10.0, 31.0, 500.0] {
            let l = lambert(c);
            assert!((l + l.ln() - c).abs() <= 1e-14 * f64::abs(c).max(1.0), "{c}: {l}");
        }
    }
}
