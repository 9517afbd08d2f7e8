//! Branch and bound over the phases, element by element (see `bound.rs`), and the bound of the whole problem.
//!
//! A subset fixes the levels of the first elements. Its phases have no larger gain than
//!
//! ```text
//! max over psi of Re(G e^{-j psi}) + sum over open elements of max_s Re(c_l w^s e^{-j psi})
//! ```
//!
//! over all directions; of 64 directions the nearest is at most pi/64 away, hence the division by cos(pi/64). The first
//! element stays at level 0: a phase common to all changes nothing.

use std::sync::{Arc, OnceLock};

use num_complex::Complex;

use super::bound::GainBound;
use super::task::Trade;
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Bound, Branching, Certificate, Node, ProvenBound};

/// Directions in which gains are bounded.
const DIRECTIONS: usize = 64;
/// Whole numbers up to 2^52 are kept as they are in a node's data.
const BITS: u32 = 52;

/// A trade with its bound, computed when first asked for.
pub(super) struct Bounded {
    pub trade: Trade,
    bound: OnceLock<GainBound>,
}

impl Bounded {
    /// Nothing is computed yet.
    pub fn new(trade: Trade) -> Self {
        Self { trade, bound: OnceLock::new() }
    }

    /// The bound over gains.
    pub fn bound(&self) -> &GainBound {
        self.bound.get_or_init(|| GainBound::new(&self.trade))
    }

    /// The beam of largest gain as a design.
    pub fn write_beam(&self, out: &mut Design) {
        for (x, level) in out.iter_mut().zip(&self.bound().beam) {
            *x = *level as f64;
        }
    }
}

/// The bound of the whole problem.
pub(super) struct Whole(pub Arc<Bounded>);

impl Bound for Whole {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let bound = self.0.bound();
        let value = bound.below(bound.largest);
        if !value.is_finite() {
            return Ok(None);
        }
        let certificate = Certificate {
            kind: "largest_gain",
            values: vec![
                ("largest_gain", vec![bound.largest]),
                ("phase_level", bound.beam.iter().map(|level| *level as f64).collect()),
            ],
        };
        Ok(Some(ProvenBound { value: self.0.trade.objective(value), certificate }))
    }
}

/// The tree. A node's data: depth, Re G, Im G, then the levels as digits, so many a number.
pub(super) struct Tree {
    problem: Arc<Bounded>,
    directions: Vec<Complex<f64>>,
    /// For each depth and direction: what the elements from there on can add.
    rest: Vec<f64>,
    digits: usize,
}

impl Tree {
    /// Computes the table of directions; `O(L 2^b)` times their number.
    pub fn new(problem: &Arc<Bounded>) -> Self {
        let system = &problem.trade.system;
        let directions: Vec<Complex<f64>> =
            (0..DIRECTIONS).map(|k| Complex::cis(-std::f64::consts::TAU * k as f64 / DIRECTIONS as f64)).collect();
        let elements = system.coefficients.len();
        let mut rest = vec![0.0; (elements + 1) * DIRECTIONS];
        for l in (0..elements).rev() {
            for (k, direction) in directions.iter().enumerate() {
                let turned = system.coefficients[l] * direction;
                let best = system.phasors.iter().map(|w| (turned * w).re).fold(f64::NEG_INFINITY, f64::max);
                rest[l * DIRECTIONS + k] = rest[(l + 1) * DIRECTIONS + k] + best;
            }
        }
        let bits = (system.phasors.len() as f64).log2().ceil().max(1.0) as u32;
        Self { problem: Arc::clone(problem), directions, rest, digits: (BITS / bits) as usize }
    }

    /// The largest gain of the subset of given depth and sum.
    fn largest_gain(&self, depth: usize, sum: Complex<f64>) -> f64 {
        let rest = &self.rest[depth * DIRECTIONS..][..DIRECTIONS];
        let toward = self.directions.iter().zip(rest).map(|(d, rest)| sum.re * d.re - sum.im * d.im + rest);
        let most = toward.fold(0.0, |most: f64, x| if x > most { x } else { most });
        (most / (std::f64::consts::PI / DIRECTIONS as f64).cos()).min(self.problem.bound().largest)
    }

    fn node(&self, bound: f64, depth: usize, sum: Complex<f64>, digits: &[f64]) -> Node {
        let mut data = Vec::with_capacity(3 + digits.len());
        data.extend([depth as f64, sum.re, sum.im]);
        data.extend_from_slice(digits);
        Node { bound: self.problem.trade.objective(bound), data: data.into_boxed_slice() }
    }

    fn with_level(&self, digits: &[f64], element: usize, level: usize) -> Vec<f64> {
        let levels = self.problem.trade.system.phasors.len() as f64;
        let mut digits = digits.to_vec();
        digits[element / self.digits] += level as f64 * levels.powi((element % self.digits) as i32);
        digits
    }

    fn read(&self, data: &[f64], out: &mut [f64]) {
        let levels = self.problem.trade.system.phasors.len() as u64;
        for (number, part) in data[3..].iter().zip(out.chunks_mut(self.digits)) {
            let mut number = *number as u64;
            for level in part {
                *level = (number % levels) as f64;
                number /= levels;
            }
        }
    }
}

impl Branching for Tree {
    fn root(&mut self) -> Result<Node> {
        let elements = self.problem.trade.system.coefficients.len();
        let digits = vec![0.0; elements.div_ceil(self.digits)];
        // The first element at level 0, whose phasor is 1.
        let sum = self.problem.trade.system.coefficients[0];
        let bound = self.problem.bound();
        Ok(self.node(bound.below(bound.largest), 1, sum, &digits))
    }

    fn split(&mut self, node: &Node, incumbent: f64, children: &mut Vec<Node>) -> Result<()> {
        let system = Arc::clone(&self.problem.trade.system);
        let elements = system.coefficients.len();
        let (depth, sum) = (node.data[0] as usize, Complex::new(node.data[1], node.data[2]));
        if depth == elements {
            return Ok(());
        }
        let threshold = self.problem.trade.value(incumbent);
        for (level, phasor) in system.phasors.iter().enumerate() {
            let sum = sum + system.coefficients[depth] * phasor;
            let bound = self.problem.bound().below(self.largest_gain(depth + 1, sum));
            if bound >= threshold {
                continue;
            }
            let digits = self.with_level(&node.data[3..], depth, level);
            let mut child = self.node(bound, depth + 1, sum, &digits);
            if depth + 1 == elements {
                // A single design: its own value, less what another order of summation may change.
                let mut levels = vec![0.0; elements];
                self.read(&child.data, &mut levels);
                let value = self.problem.trade.of(&system.inner(&levels));
                if value >= threshold {
                    continue;
                }
                child.bound = self.problem.trade.objective(value);
            }
            children.push(child);
        }
        Ok(())
    }

    /// The design of a single-design subset; at the root the beam of largest gain.
    fn candidate(&mut self, node: &Node, out: &mut Design) -> Result<bool> {
        let elements = self.problem.trade.system.coefficients.len();
        match node.data[0] as usize {
            1 if elements > 1 => self.problem.write_beam(out),
            depth if depth == elements => self.read(&node.data, &mut out[..elements]),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
