//! A proven bound on the modified CRLB of all phases, from the gain `g = |G0|` alone.
//!
//! In the notation of `information.rs` the information on (u, v) is `S = (A / g^2) (...)`, at most
//!
//! ```text
//! S <= A { X2 g^2 V + lambda (1 + e) g^2 delta delta^T + P },   e > 0
//! P >= 0,   tr(Sigma^-1 P) <= (1 + 1/e) lambda (L^2 - g^2)
//! ```
//!
//! with `delta = mean(m) - mean(l)`, `Sigma = diag((L_y^2 - 1)/12, (L_z^2 - 1)/12)` and `lambda` the largest eigenvalue
//! of `W`: `sum p_t p_t^T` is at most lambda times the real part of `d^* d^T`, `d = delta G0 - G'` splits by
//! `2 a b <= e a^2 + b^2 / e`, and the centred sums `G'` obey Bessel's inequality
//! `|G'_y|^2 / Sigma_y + |G'_z|^2 / Sigma_z <= L^2 - g^2` because `1, l_y - mean, l_z - mean` are orthogonal.
//! The bound on `CRLB_angle` is the least `tr(N S^-1) / 2` over all such P, that on `CRLB_x` is `1 / (A g^2)`.
//!
//! Cells of a grid over g take the larger end where the right side grows with g and the smaller one where it falls, so
//! that the grid costs tightness but never truth. The largest g of discrete phases is found exactly by a sweep.

use num_complex::Complex;

use super::System;
use super::information::{Symmetric, combine};
use super::task::Trade;

/// Cells of the grid.
const CELLS: usize = 512;
/// What rounding may take from a bound (lg units).
const ROUNDING: f64 = 1e-11;

/// The largest `|G0|` of discrete phases, and the levels that reach it; `O(L log L)`, exact.
///
/// The best phases for a direction psi are those nearest to it. As psi turns by one phase step each element changes its
/// phase once, and what comes after that is the same up to the global phase: `L + 1` candidates.
pub fn largest_gain(system: &System) -> (f64, Vec<usize>) {
    let levels = system.phasors.len();
    let step = std::f64::consts::TAU / levels as f64;
    let mut chosen = Vec::with_capacity(system.coefficients.len());
    let mut changes: Vec<(f64, usize)> = Vec::with_capacity(system.coefficients.len());
    for (element, c) in system.coefficients.iter().enumerate() {
        // In steps: the element's phase is nearest to direction 0 at `turns`, and gives way to the next half a step on.
        let phase = c.arg() / step;
        let turns = (-phase).round();
        chosen.push(turns.rem_euclid(levels as f64) as usize % levels);
        changes.push((phase + turns + 0.5, element));
    }
    changes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sum = |chosen: &[usize]| -> Complex<f64> {
        system.coefficients.iter().zip(chosen).map(|(c, level)| c * system.phasors[*level]).sum()
    };
    let mut gain = sum(&chosen);
    let mut best = (gain.norm_sqr(), 0);
    for (count, (_, element)) in changes.iter().enumerate() {
        let c = system.coefficients[*element];
        let next = (chosen[*element] + 1) % levels;
        gain += c * (system.phasors[next] - system.phasors[chosen[*element]]);
        chosen[*element] = next;
        if gain.norm_sqr() > best.0 {
            best = (gain.norm_sqr(), count + 1);
        }
    }
    // Back to the best of them.
    for (_, element) in &changes[best.1..] {
        chosen[*element] = (chosen[*element] + levels - 1) % levels;
    }
    (sum(&chosen).norm(), chosen)
}

/// Lower bounds on a trade's value for all phases of at most a given gain.
#[derive(Clone, Debug)]
pub(super) struct GainBound {
    /// The largest gain, rounded up.
    pub largest: f64,
    /// The levels that reach it.
    pub beam: Vec<usize>,
    /// `least[i]`: no phases with a gain up to `i + 1` cells have a smaller value.
    least: Vec<f64>,
    cell: f64,
}

impl GainBound {
    /// Computes the grid; `O(L log L)` and a fixed number of small problems.
    pub fn new(trade: &Trade) -> Self {
        let (gain, beam) = largest_gain(&trade.system);
        let largest = gain * (1.0 + 1e-12) + 1e-12;
        let cell = largest / CELLS as f64;
        let shape = Shape::new(trade);
        let mut least = Vec::with_capacity(CELLS);
        let mut lowest = f64::INFINITY;
        for i in 0..CELLS {
            lowest = lowest.min(shape.cell(i as f64 * cell, (i + 1) as f64 * cell));
            least.push(lowest - ROUNDING);
        }
        Self { largest, beam, least, cell }
    }

    /// No phases with a gain up to `gain` have a value below this.
    #[inline]
    pub fn below(&self, gain: f64) -> f64 {
        let cell = (gain / self.cell) as usize;
        self.least[cell.min(CELLS - 1)]
    }

    /// Phases of smaller gain than this cannot have a value below `value`.
    pub fn needed(&self, value: f64) -> f64 {
        self.least.partition_point(|least| *least >= value) as f64 * self.cell
    }
}

/// What the bound is made of.
struct Shape<'a> {
    trade: &'a Trade,
    /// `A`.
    strength: f64,
    spread: Symmetric,
    energy: f64,
    /// `lambda`.
    largest_moment: f64,
    /// `delta`.
    offset: [f64; 2],
    /// `Sigma`.
    elements: [f64; 2],
    /// `L^2`.
    square: f64,
}

impl<'a> Shape<'a> {
    fn new(trade: &'a Trade) -> Self {
        let (observation, instance) = (&trade.system.observation, &trade.system.instance);
        let (irs, array) = (instance.irs, instance.user_array);
        let variance = |n: usize| ((n * n) as f64 - 1.0) / 12.0;
        let offset = |m: usize, l: usize| (m as f64 - l as f64) / 2.0;
        Self {
            strength: observation.strength * trade.beam,
            spread: observation.spread,
            energy: observation.energy,
            largest_moment: observation.largest_moment(),
            offset: [offset(array.horizontal, irs.horizontal), offset(array.vertical, irs.vertical)],
            elements: [variance(irs.horizontal), variance(irs.vertical)],
            square: (irs.len() * irs.len()) as f64,
            trade,
        }
    }

    /// A lower bound on the trade for gains between two numbers; -inf where nothing can be said.
    fn cell(&self, low: f64, high: f64) -> f64 {
        let symbol = 1.0 / (self.strength * high * high);
        if self.trade.weight >= 1.0 {
            return claim(combine(symbol, f64::INFINITY, 1.0));
        }
        let rest = self.largest_moment * (self.square * (1.0 + 1e-12) - low * low).max(0.0);
        let gain = high * high;
        let metric = self.trade.system.observation.metric;
        let own = Symmetric::default().plus(self.energy * gain, self.spread);
        let trace = if self.offset == [0.0; 2] {
            least_trace(metric, own, self.elements, rest)
        } else {
            let [y, z] = self.offset;
            let shift = Symmetric { yy: y * y, yz: y * z, zz: z * z };
            let at = |split: f64| {
                let e = split.exp();
                let base = own.plus(self.largest_moment * (1.0 + e) * gain, shift);
                least_trace(metric, base, self.elements, rest * (1.0 + 1.0 / e))
            };
            // Any split is valid: the best one is near where both terms are of one size.
            let balance =
                (rest * (self.elements[0] + self.elements[1]) / (gain * self.largest_moment * (y * y + z * z))).ln()
                    / 2.0;
            if balance.is_finite() { at(climb(at, balance, 4.0, 12)) } else { f64::NAN }
        };
        let angle = trace / (2.0 * self.strength);
        if angle.is_finite() { claim(combine(symbol, angle, self.trade.weight)) } else { f64::NEG_INFINITY }
    }
}

/// An infinite value may be infinite by convention only (beyond 1e20): no claim rests on it.
fn claim(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NEG_INFINITY }
}

/// A lower bound on `min tr(N (B + P)^-1)` over `P >= 0` with `tr(Sigma^-1 P) <= budget`, tight but for rounding; N must
/// be regular.
///
/// With `Y = Sigma^-1/2 P Sigma^-1/2` it is a convex problem over `Y >= 0, tr Y <= budget`. Where its solution has full
/// rank it is `(tr N'^1/2)^2 / (budget + tr B')`. Else `Y = budget y y^T`; for any point S the tangent gives the bound
/// `2 tr(N' S^-1) - tr(H B') - budget lambda_max(H)`, `H = S^-1 N' S^-1`, so that an inexact y costs tightness only.
fn least_trace(n: Symmetric, base: Symmetric, elements: [f64; 2], budget: f64) -> f64 {
    if elements[0] <= 0.0 || elements[1] <= 0.0 {
        // One dimension takes it all.
        let sigma = Symmetric { yy: elements[0], yz: 0.0, zz: elements[1] };
        let s = base.plus(budget, sigma);
        return s.determinant().map_or(f64::NAN, |d| s.adjugate_trace(n) / d);
    }
    let [a, b] = elements.map(|x| 1.0 / x.sqrt());
    let scaled = |m: Symmetric| Symmetric { yy: m.yy * a * a, yz: m.yz * a * b, zz: m.zz * b * b };
    // tr(N S^-1) = tr(N' S'^-1) with S' = D S D, N' = D N D.
    let (n, base) = (scaled(n), scaled(base));
    let Some(determinant) = n.determinant() else { return f64::NAN };
    // The root of a 2 x 2 matrix: (N + sqrt(det) I) / sqrt(tr N + 2 sqrt(det)).
    let mean = determinant.sqrt();
    let root_trace = (n.yy + n.zz + 2.0 * mean).sqrt();
    let root = Symmetric { yy: (n.yy + mean) / root_trace, yz: n.yz / root_trace, zz: (n.zz + mean) / root_trace };
    let total = budget + base.yy + base.zz;
    let filled = Symmetric::default().plus(total / root_trace, root).plus(-1.0, base);
    if filled.yy >= 0.0 && filled.zz >= 0.0 && filled.yy * filled.zz >= filled.yz * filled.yz {
        return root_trace * root_trace / total;
    }
    let at = |angle: f64| {
        let (sin, cos) = angle.sin_cos();
        base.plus(budget, Symmetric { yy: cos * cos, yz: sin * cos, zz: sin * sin })
    };
    let value = |angle: f64| -> f64 {
        let s = at(angle);
        s.determinant().map_or(f64::NEG_INFINITY, |d| -s.adjugate_trace(n) / d)
    };
    let coarse = (0..8).map(|i| std::f64::consts::PI * f64::from(i) / 8.0);
    let near = coarse.fold((f64::NEG_INFINITY, 0.0), |best, angle| {
        let v = value(angle);
        if v > best.0 { (v, angle) } else { best }
    });
    let s = at(climb(value, near.1, std::f64::consts::PI / 8.0, 24));
    let Some(d) = s.determinant() else { return f64::NAN };
    let inverse = Symmetric { yy: s.zz / d, yz: -s.yz / d, zz: s.yy / d };
    let h = sandwich(inverse, n);
    let largest = (h.yy + h.zz) / 2.0 + ((h.yy - h.zz) / 2.0).hypot(h.yz);
    let product = |x: Symmetric, y: Symmetric| x.yy * y.yy + 2.0 * x.yz * y.yz + x.zz * y.zz;
    2.0 * product(inverse, n) - product(h, base) - budget * largest
}

/// Where a smooth function is largest near a place: golden section.
fn climb(f: impl Fn(f64) -> f64, near: f64, reach: f64, steps: usize) -> f64 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (near - reach, near + reach);
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (f(left), f(right));
    for _ in 0..steps {
        if at_left > at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = f(right);
        }
    }
    (low + high) / 2.0
}

/// `x n x`.
fn sandwich(x: Symmetric, n: Symmetric) -> Symmetric {
    let (p, q) = (x.yy * n.yy + x.yz * n.yz, x.yy * n.yz + x.yz * n.zz);
    let (r, s) = (x.yz * n.yy + x.zz * n.yz, x.yz * n.yz + x.zz * n.zz);
    Symmetric { yy: p * x.yy + q * x.yz, yz: p * x.yz + q * x.zz, zz: r * x.yz + s * x.zz }
}
