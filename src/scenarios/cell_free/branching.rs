//! A tree of boxes with proven bounds on weighted sum rates (orthogonal pilots), in the K interferences alone.
//!
//! `ln(1 + SINR_k) = ln(G_k + I_k) - ln I_k`: the first term is concave in the stream powers ([`super::streams`]), and the
//! convex second one lies below its chord over `l_k <= I_k <= u_k`. A box is bounded by a conic program, of which the
//! multipliers count and not the claimed optimum. It is split where the chord is farthest from the logarithm: the tree
//! grows with the number of users, not of access points.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::System;
use super::allocation::Allocation;
use super::limits::Limits;
use super::majorizer::ClosedForm;
use super::streams::Streams;
use crate::conic::{Coefficient, Cone, Expression, Program, Sense, Settings, Status, Variables};
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Bound, Branching, Certificate, Feasibility, Majorizer, Node, ProvenBound};

/// Steps of the closed form from a box's solution to a candidate, at most.
const POLISH: usize = 200;
/// Where a box is split at the solution, no part is narrower than this share of it (in logarithms).
const NARROWEST: f64 = 0.1;

/// The rows that change from box to box.
struct UserRows {
    /// Of `i_k = I_k / scale_k`: its cost, and the constants of `i_k >= l_k` and `u_k >= i_k`.
    cost: Coefficient,
    least: Coefficient,
    most: Coefficient,
    scale: f64,
}

/// The offer of [`Branching`].
///
/// A node's data: `l_k`, `u_k` and the solution's `I_k` (K each), then the solution's `p_kl` and `q_kl`.
pub(super) struct Tree {
    system: Arc<System>,
    weights: Vec<f64>,
    limits: Limits,
    repair: Box<dyn Feasibility>,
    polish: Option<ClosedForm>,
    program: Program,
    streams: Streams,
    interference: Variables,
    logarithms: Variables,
    rows: Vec<UserRows>,
    root: Vec<(f64, f64)>,
}

impl Tree {
    pub fn new(system: Arc<System>, weights: Vec<f64>, limits: Limits, repair: Box<dyn Feasibility>) -> Self {
        let root = intervals(&system, &limits);
        let mut program = Program::new(Sense::Maximize);
        program.set_settings(Settings { tolerance: 1e-8, ..Settings::default() });
        let streams = Streams::new(&mut program, &system, &limits, None);
        let users = system.users.users;
        let (interference, logarithms) = (program.variables(users), program.variables(users));
        let mut rows = Vec::new();
        let counts = logarithms.iter().zip(&weights).map(|(r, w)| (r, w * system.users.unit));
        program.objective(Expression::sum(counts));
        for (k, (least, most)) in root.iter().enumerate() {
            let scale = (least * most).sqrt();
            let (i, r) = (interference.get(k), logarithms.get(k));
            let heard = streams.interference(&system, &limits, k) + system.users.noise;
            program.constrain(Cone::Zero, [(1.0 / scale) * heard - i]);
            let box_rows = program.constrain(Cone::NonNegative, [i - 0.0, -i + 0.0]);
            let received = streams.largest[k] / scale * streams.gain.get(k) + i;
            program.constrain(Cone::Exponential, [r.into(), 1.0.into(), received]);
            rows.push(UserRows {
                cost: program.cost(i),
                least: program.constant(box_rows.row(0)),
                most: program.constant(box_rows.row(1)),
                scale,
            });
        }
        let polish = (!limits.is_multistatic()).then(|| ClosedForm::new(Arc::clone(&system), weights.clone(), &limits));
        Self { system, weights, limits, repair, polish, program, streams, interference, logarithms, rows, root }
    }

    /// The slope of the chord of `ln` over an interval.
    fn slope(least: f64, most: f64) -> f64 {
        if most > least { (most / least).ln() / (most - least) } else { 1.0 / least }
    }

    /// Bounds a box; none where it holds no design.
    fn node(&mut self, intervals: &[(f64, f64)], parent: f64) -> Result<Option<Node>> {
        let unit = self.system.users.unit;
        let mut constant = 0.0;
        let mut limits = vec![1.0; self.program.variable_count()];
        for (k, ((least, most), row)) in intervals.iter().zip(&self.rows).enumerate() {
            let slope = Self::slope(*least, *most);
            let weight = self.weights[k] * unit;
            // ln(G + I) - ln I <= r + ln(scale) - ln(l) - slope (I - l).
            constant += weight * ((row.scale / least).ln() + slope * least);
            self.program.set(row.cost, -weight * slope * row.scale);
            self.program.set(row.least, -least / row.scale);
            self.program.set(row.most, most / row.scale);
            let largest = most / row.scale;
            limits[self.interference.get(k).index()] = largest;
            let received = self.streams.largest[k] / row.scale + largest;
            limits[self.logarithms.get(k).index()] = received.ln().abs().max((least / row.scale).ln().abs());
        }
        self.program.set(self.program.cost_constant(), constant);
        let solution = self.program.solve()?;
        if solution.status == Status::Infeasible {
            return Ok(None);
        }
        let x = solution.x.clone();
        let bound = self.program.bound(&limits).filter(|b| b.is_finite()).map_or(parent, |b| b.min(parent));
        let users = self.system.users.users;
        let pairs = users * self.system.users.access_points;
        let mut data = Vec::with_capacity(3 * users + 2 * pairs);
        data.extend(intervals.iter().map(|i| i.0));
        data.extend(intervals.iter().map(|i| i.1));
        let mut design = Design::new(vec![0.0; 2 * pairs]);
        if x.iter().all(|x| x.is_finite()) {
            let at = |k: usize| x[self.interference.get(k).index()] * self.rows[k].scale;
            data.extend((0..users).map(|k| at(k).clamp(intervals[k].0, intervals[k].1)));
            self.streams.read(&x, self.limits.power, &mut design);
        } else {
            data.extend(intervals.iter().map(|(least, most)| (least * most).sqrt()));
        }
        data.extend(design.iter());
        Ok(Some(Node { bound, data: data.into() }))
    }
}

/// The interferences of all designs among which one is optimal: each access point spends what its CRLB limit needs at
/// least, and without limits of their own all spend the whole budget.
fn intervals(system: &System, limits: &Limits) -> Vec<(f64, f64)> {
    let users = &system.users;
    let allocation = Allocation::new(system, limits);
    let needed = match limits.is_multistatic() {
        true => vec![0.0; users.access_points],
        false => allocation.needed().0,
    };
    let spare = (limits.power - needed.iter().sum::<f64>()).max(0.0);
    let capped = limits.access_point.iter().any(|cap| cap.is_finite());
    let each = users.fading.chunks_exact(users.access_points).map(|fading| {
        let base = users.noise + fading.iter().zip(&needed).map(|(beta, p)| beta * p).sum::<f64>();
        let least = if capped { 0.0 } else { fading.iter().copied().fold(f64::INFINITY, f64::min) };
        let most = fading.iter().copied().fold(0.0, f64::max);
        // Room for rounding.
        ((base + least * spare) * (1.0 - 1e-9), (base + most * spare) * (1.0 + 1e-9))
    });
    each.collect()
}

impl Branching for Tree {
    fn root(&mut self) -> Result<Node> {
        let root = self.root.clone();
        let nothing = Node { bound: f64::NEG_INFINITY, data: Box::default() };
        Ok(self.node(&root, f64::INFINITY)?.unwrap_or(nothing))
    }

    fn split(&mut self, node: &Node, incumbent: f64, children: &mut Vec<Node>) -> Result<()> {
        let users = self.system.users.users;
        let Some(data) = node.data.get(..3 * users) else { return Ok(()) };
        let intervals: Vec<(f64, f64)> = (0..users).map(|k| (data[k], data[users + k])).collect();
        let at = &data[2 * users..];
        // How far the chord lies above the logarithm at the solution.
        let gap = |k: usize| {
            let (least, most) = intervals[k];
            self.weights[k] * ((at[k] / least).ln() - Self::slope(least, most) * (at[k] - least))
        };
        let widest = (0..users).max_by(|a, b| gap(*a).total_cmp(&gap(*b)));
        let Some(k) = widest.filter(|k| gap(*k) > 1e-12) else { return Ok(()) };
        let (least, most) = intervals[k];
        let (low, high) = (least.ln(), most.ln());
        let margin = NARROWEST * (high - low);
        let cut = at[k].ln().clamp(low + margin, high - margin).exp();
        for part in [(least, cut), (cut, most)] {
            let mut child = intervals.clone();
            child[k] = part;
            if let Some(child) = self.node(&child, node.bound)?.filter(|child| child.bound > incumbent) {
                children.push(child);
            }
        }
        Ok(())
    }

    fn candidate(&mut self, node: &Node, out: &mut Design) -> Result<bool> {
        let users = self.system.users.users;
        let Some(powers) = node.data.get(3 * users..).filter(|p| p.len() == out.len()) else { return Ok(false) };
        out.copy_from_slice(powers);
        self.repair.repair(out);
        let Some(polish) = &mut self.polish else { return Ok(true) };
        let mut next = out.clone();
        let mut value = polish.value(out);
        for _ in 0..POLISH {
            polish.maximize(out, &mut next)?;
            let better = polish.value(&next);
            if better.is_nan() || better <= value * (1.0 + 1e-9) {
                break;
            }
            std::mem::swap(out, &mut next);
            value = better;
        }
        Ok(true)
    }
}

/// The offer of [`Bound`]: the tree, up to so many splits.
pub(super) struct TreeBound {
    pub tree: Tree,
    pub splits: usize,
}

/// A node by its bound.
struct ByBound(Node);

impl PartialEq for ByBound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for ByBound {}
impl PartialOrd for ByBound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ByBound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.bound.total_cmp(&other.0.bound)
    }
}

impl Bound for TreeBound {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let root = self.tree.root()?;
        if root.bound == f64::NEG_INFINITY {
            return Ok(None);
        }
        let mut open = BinaryHeap::from([ByBound(root)]);
        let mut children = Vec::new();
        let mut splits = 0;
        // What cannot be split further is bounded by itself.
        let mut closed = f64::NEG_INFINITY;
        while let Some(ByBound(node)) = open.pop() {
            if splits == self.splits {
                open.push(ByBound(node));
                break;
            }
            splits += 1;
            self.tree.split(&node, f64::NEG_INFINITY, &mut children)?;
            if children.is_empty() {
                closed = closed.max(node.bound);
            }
            open.extend(children.drain(..).map(ByBound));
        }
        let value = open.peek().map_or(closed, |node| node.0.bound.max(closed));
        let boxes = vec![open.len() as f64];
        let values = vec![("bound", vec![value]), ("splits", vec![splits as f64]), ("boxes", boxes)];
        Ok((value > f64::NEG_INFINITY)
            .then_some(ProvenBound { value, certificate: Certificate { kind: "tree", values } }))
    }
}
