//! Which sensing powers meet the CRLB limits at full power `S + q = P`: an interval, in closed form.
//!
//! `CRLB_i <= c_i` is `J_e - e_i e_i^T / c_i >= 0`. On the segment `S + q = P` the information `J_e` is concave in q
//! (an affine Fisher matrix with alpha eliminated), so is `1 / CRLB_i`, and the feasible q form an interval. Its ends
//! are roots of the determinant: of a quadratic for an aligned beam, of a cubic for a misaligned one (the
//! elimination's denominator multiplied out). It need not begin at 0 nor end at P: with a receive array of one antenna
//! the aligned beam tells nothing.
//!
//! Scaling `(S, q)` by t divides both CRLBs by t, so full power is no loss.

use super::sensing::{Angle, AngleInformation, Sensing};

/// The sensing powers that meet the CRLB limits at a total power, or the nearest miss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SensingRange {
    /// All from `least` to `most` do.
    Feasible {
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// None does.
    Infeasible {
        /// The sensing power with the smallest largest ratio `CRLB_i / c_i`.
        nearest: f64,
        /// That ratio, above 1; infinite where an angle cannot be told at all.
        ratio: f64,
        /// Weights `lambda_i` with sum 1 for which `sum lambda_i c_i / CRLB_i` is largest at `nearest`, with the
        /// value `1 / ratio`: the proof.
        multipliers: [f64; 2],
    },
}

/// Where the smallest ratio exceeds 1 by no more than this, its design counts as feasible.
const TOUCHING: f64 = 1e-12;

impl Sensing {
    /// The sensing powers in `[0, power]` whose CRLBs at `S = power - q` are at most the limits (infinite for none).
    pub fn range(&self, power: f64, limits: [f64; 2]) -> SensingRange {
        let (mut least, mut most) = (0.0f64, 1.0f64);
        let mut empty = false;
        for (angle, limit) in Angle::BOTH.into_iter().zip(limits) {
            if limit == f64::INFINITY {
                continue;
            }
            // Precisions per unit of power; infinite where nothing can meet the limit.
            let needed = if limit > 0.0 && power > 0.0 { 1.0 / (limit * power) } else { f64::INFINITY };
            match self.shares(angle, needed) {
                Some((from, to)) => (least, most) = (least.max(from), most.min(to)),
                None => empty = true,
            }
        }
        if empty || least > most {
            self.nearest(power, limits)
        } else {
            SensingRange::Feasible { least: least * power, most: most * power }
        }
    }

    /// Information at a total power of 1 with the share x for sensing.
    pub(super) fn at_share(&self, share: f64) -> AngleInformation {
        self.information(1.0 - share, share)
    }

    /// The derivative of [`AngleInformation::precision`] by that share.
    pub(super) fn slope_at_share(&self, share: f64, angle: Angle) -> f64 {
        let information = self.at_share(share);
        let [by_communication, by_sensing] = self.information_derivatives(1.0 - share, share);
        information.precision_derivative(angle, by_sensing) - information.precision_derivative(angle, by_communication)
    }

    /// The shares x at which an angle's precision is at least `needed`.
    fn shares(&self, angle: Angle, needed: f64) -> Option<(f64, f64)> {
        if !needed.is_finite() {
            return None;
        }
        let holds = |x: f64| self.at_share(x).precision(angle) >= needed;
        let mut roots = [0.0; 5];
        let count = self.boundary(angle, needed, &mut roots);
        let ends = &roots[..count];
        let mut range: Option<(f64, f64)> = None;
        for pair in ends.windows(2) {
            if pair[1] > pair[0] && holds(0.5 * (pair[0] + pair[1])) {
                range = Some((range.map_or(pair[0], |r| r.0), pair[1]));
            }
        }
        let (from, to) = range?;
        Some((self.polished(from, angle, needed), self.polished(to, angle, needed)))
    }

    /// Moves an end of a range inward by what rounding left it outside.
    fn polished(&self, end: f64, angle: Angle, needed: f64) -> f64 {
        let mut x = end;
        for _ in 0..3 {
            let missing = needed - self.at_share(x).precision(angle);
            if missing <= 0.0 {
                break;
            }
            let step = missing / self.slope_at_share(x, angle);
            if !step.is_finite() || step.abs() > 1e-6 {
                break;
            }
            x = (x + step).clamp(0.0, 1.0);
        }
        x
    }

    /// Writes 0, the shares in between where `J_e - e_i e_i^T needed` is singular, and 1, ascending; gives their count.
    fn boundary(&self, angle: Angle, needed: f64, ends: &mut [f64; 5]) -> usize {
        let (from, to, tilt) = self.parts();
        let line = |i: f64, j: f64| [i, j - i];
        let ((own, other), (own_to, other_to)) = (from.diagonal(angle), to.diagonal(angle));
        let (x, y) = (line(own - needed, own_to - needed), line(other, other_to));
        let z = line(from.cross, to.cross);
        let plain =
            [x[0] * y[0] - z[0] * z[0], x[0] * y[1] + x[1] * y[0] - 2.0 * z[0] * z[1], x[1] * y[1] - z[1] * z[1]];
        let mut count = 1;
        ends[0] = 0.0;
        let mut add = |root: f64| {
            if root > 0.0 && root < 1.0 {
                ends[count] = root;
                count += 1;
            }
        };
        if self.aligned() {
            let (roots, found) = quadratic_roots(plain);
            roots[..found].iter().for_each(|r| add(*r));
        } else {
            // (X + h t_i^2)(Y + h t_j^2) - (Z + h t_i t_j)^2 has no term in h^2; h = x (1 - x) / (N_t (1-x) + A^2 x).
            let (own, other) = match angle {
                Angle::Azimuth => (tilt[0], tilt[1]),
                Angle::Elevation => (tilt[1], tilt[0]),
            };
            let mixed = |i: usize| x[i] * other * other + y[i] * own * own - 2.0 * z[i] * own * other;
            let (n, a) = self.tilt_weights();
            let weight = line(n, a);
            let (u, v) = (mixed(0), mixed(1));
            let cubic = [
                plain[0] * weight[0],
                plain[0] * weight[1] + plain[1] * weight[0] + u,
                plain[1] * weight[1] + plain[2] * weight[0] + v - u,
                plain[2] * weight[1] - v,
            ];
            let (roots, found) = cubic_roots(cubic);
            roots[..found].iter().for_each(|r| add(*r));
        }
        ends[count] = 1.0;
        count + 1
    }

    /// The share with the largest least `c_i / CRLB_i`: a concave function, so bisection on its slope.
    fn nearest(&self, power: f64, limits: [f64; 2]) -> SensingRange {
        let limited = || Angle::BOTH.into_iter().zip(limits).enumerate().filter(|(_, (_, l))| l.is_finite());
        // (slack, which limit) of the tightest limit.
        let tightest = |x: f64| {
            let information = self.at_share(x);
            limited()
                .map(|(i, (angle, limit))| (limit.max(0.0) * power * information.precision(angle), i))
                .fold((f64::INFINITY, 0), |least, next| if next.0 < least.0 { next } else { least })
        };
        let slope = |x: f64, i: usize| limits[i].max(0.0) * power * self.slope_at_share(x, Angle::BOTH[i]);
        let (mut low, mut high) = (0.0, 1.0);
        if tightest(0.5).0 > 0.0 {
            while high - low > 1e-16 {
                let middle = 0.5 * (low + high);
                if middle <= low || middle >= high {
                    break;
                }
                if slope(middle, tightest(middle).1) > 0.0 { low = middle } else { high = middle }
            }
        }
        let best = [low, high].map(|x| (tightest(x).0, x));
        let (value, x) = if best[0].0 >= best[1].0 { best[0] } else { best[1] };
        if value >= 1.0 - TOUCHING {
            return SensingRange::Feasible { least: x * power, most: x * power };
        }
        let active = tightest(x).1;
        let mut multipliers = [0.0; 2];
        multipliers[active] = 1.0;
        let slacks: [f64; 2] =
            std::array::from_fn(|i| limits[i].max(0.0) * power * self.at_share(x).precision(Angle::BOTH[i]));
        let slopes = [slope(x, 0), slope(x, 1)];
        if (slacks[0] - slacks[1]).abs() <= 1e-9 * value && slopes[0] * slopes[1] < 0.0 {
            // Both are tight, one rises and the other falls: weighted so that the sum is level.
            let first = slopes[1] / (slopes[1] - slopes[0]);
            multipliers = [first, 1.0 - first];
        }
        SensingRange::Infeasible { nearest: x * power, ratio: 1.0 / value, multipliers }
    }
}

/// The real roots of `c0 + c1 x + c2 x^2`, ascending, without cancellation.
fn quadratic_roots([c0, c1, c2]: [f64; 3]) -> ([f64; 2], usize) {
    let discriminant = c1 * c1 - 4.0 * c2 * c0;
    if discriminant < 0.0 {
        return ([0.0; 2], 0);
    }
    let half = -0.5 * (c1 + discriminant.sqrt().copysign(c1));
    let (a, b) = (half / c2, c0 / half);
    match (a.is_finite(), b.is_finite()) {
        (true, true) => ([a.min(b), a.max(b)], 2),
        (true, false) => ([a, 0.0], 1),
        (false, true) => ([b, 0.0], 1),
        (false, false) => ([0.0; 2], 0),
    }
}

/// The roots of `c0 + c1 x + c2 x^2 + c3 x^3` in [0, 1], ascending: bisection between the extrema.
fn cubic_roots(c: [f64; 4]) -> ([f64; 3], usize) {
    let value = |x: f64| ((c[3] * x + c[2]) * x + c[1]) * x + c[0];
    let (extrema, found) = quadratic_roots([c[1], 2.0 * c[2], 3.0 * c[3]]);
    let (mut roots, mut count, mut from) = ([0.0; 3], 0, 0.0);
    let inner = extrema[..found].iter().copied().filter(|x| *x > 0.0 && *x < 1.0);
    for to in inner.chain([1.0]) {
        let (mut low, mut high) = (from, to);
        let rising = value(high) > value(low);
        if (value(low) > 0.0) != (value(high) > 0.0) && count < 3 {
            loop {
                let middle = 0.5 * (low + high);
                if middle <= low || middle >= high {
                    break;
                }
                if (value(middle) > 0.0) == rising { high = middle } else { low = middle }
            }
            roots[count] = 0.5 * (low + high);
            count += 1;
        }
        from = to;
    }
    (roots, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_small_polynomials() {
        let close = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-12);
        let quadratic = |c| {
            let (r, n) = quadratic_roots(c);
            r[..n].to_vec()
        };
        assert!(close(&quadratic([6.0, -5.0, 1.0]), &[2.0, 3.0]));
        assert!(close(&quadratic([0.0, -2.0, 1.0]), &[0.0, 2.0]));
        assert!(close(&quadratic([-1.0, 2.0, 0.0]), &[0.5]));
        assert!(quadratic([1.0, 0.0, 1.0]).is_empty() && quadratic([1.0, 0.0, 0.0]).is_empty());
        let cubic = |c| {
            let (r, n) = cubic_roots(c);
            r[..n].to_vec()
        };
        // (x - 0.2)(x - 0.5)(x - 0.7)
        assert!(close(&cubic([-0.07, 0.59, -1.4, 1.0]), &[0.2, 0.5, 0.7]));
        assert!(close(&cubic([-0.5, 1.0, 0.0, 0.0]), &[0.5]));
    }
}
