//! Branch and bound over the model's own tree of subsets.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::discrete::{DiscreteSearch, level_coordinates};
use super::incumbent::{Incumbent, first_design};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Problem, STRICT};
use crate::structure::{Branching, Capability, Certificate, Node};

/// Nodes between two looks at the budget.
const POLL: u64 = 32;

/// Branch and bound (Land and Doig 1960, doi:10.2307/1910129): the global optimum with its proof, or the best design
/// found with the gap that is left. Takes the subset of best bound first, and goes depth first where more than
/// `open_nodes` subsets wait. The first incumbent comes from `local_searches` coordinate descents where all free
/// blocks are discrete. Needs `branching`. Stops after 10 000 iterations of `nodes` where no stopping rule is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BranchAndBound {
    /// Subsets examined in one iteration, at least 1.
    pub nodes: u64,
    /// The gap at which a subset is given up (relative, absolute for logarithms): what is called optimal is so to this
    /// gap. At most 1e-6 proves optimality.
    pub gap: f64,
    /// Subsets that may wait, best first; beyond that it goes depth first, at less memory and more subsets.
    pub open_nodes: u64,
    /// Coordinate descents from random designs before the first subset, where all free blocks are discrete.
    pub local_searches: u64,
}

impl Default for BranchAndBound {
    fn default() -> Self {
        Self { nodes: 1000, gap: 1e-9, open_nodes: 500_000, local_searches: 10 }
    }
}

#[typetag::serde(name = "branch_and_bound")]
impl Optimizer for BranchAndBound {
    fn requires(&self) -> Requirement {
        Requirement::capabilities(&[Capability::Branching])
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_iterations: Some(10_000), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        if self.nodes == 0 {
            return Err(InputError::new("nodes", "0", "a whole number of at least 1").into());
        }
        if !(self.gap.is_finite() && self.gap >= 0.0) {
            return Err(InputError::new("gap", self.gap.to_string(), "a finite number, 0 or more").into());
        }
        Ok(())
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let tree = match &problem.structure().branching {
            Ok(factory) => factory(),
            Err(why) => return Err(Error::Refused { solver: "branch_and_bound".into(), reason: why.to_string() }),
        };
        let first = first_design(&problem, start, &mut random)?;
        let incumbent = Incumbent::new(&problem, first.clone(), true)?;
        Ok(Box::new(Search {
            settings: self.clone(),
            tree,
            open: Open::new(self.open_nodes),
            incumbent,
            scratch: first,
            random,
            searched: 0,
            local: 0,
            begun: false,
            given_up: f64::NEG_INFINITY,
            examined: 0,
            children: Vec::new(),
            problem,
        }))
    }
}

crate::solver!(BranchAndBound);

/// A waiting subset: `key` is its bound, signed so that more is better.
struct Waiting {
    key: f64,
    /// Of equal bounds the latest first: that goes deep.
    number: u64,
    node: Node,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.total_cmp(&other.key).then(self.number.cmp(&other.number))
    }
}

/// The waiting subsets: best first up to a number, depth first beyond it.
struct Open {
    best_first: BinaryHeap<Waiting>,
    depth_first: Vec<Waiting>,
    /// The best key that may be on the stack.
    stack_key: f64,
    limit: usize,
    number: u64,
}

impl Open {
    fn new(limit: u64) -> Self {
        Self {
            best_first: BinaryHeap::new(),
            depth_first: Vec::new(),
            stack_key: f64::NEG_INFINITY,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            number: 0,
        }
    }

    fn push(&mut self, key: f64, node: Node) {
        self.number += 1;
        let waiting = Waiting { key, number: self.number, node };
        if self.best_first.len() < self.limit {
            self.best_first.push(waiting);
        } else {
            self.stack_key = self.stack_key.max(key);
            self.depth_first.push(waiting);
        }
    }

    /// What waits on the stack goes first: it is empty again before the heap grows.
    fn pop(&mut self) -> Option<Waiting> {
        match self.depth_first.pop() {
            Some(waiting) => Some(waiting),
            None => {
                self.stack_key = f64::NEG_INFINITY;
                self.best_first.pop()
            }
        }
    }

    /// No waiting subset has a better key.
    fn key(&self) -> f64 {
        let stack = if self.depth_first.is_empty() { f64::NEG_INFINITY } else { self.stack_key };
        self.best_first.peek().map_or(stack, |top| top.key.max(stack))
    }
}

struct Search {
    settings: BranchAndBound,
    problem: Arc<Problem>,
    tree: Box<dyn Branching>,
    open: Open,
    incumbent: Incumbent,
    scratch: Design,
    random: RandomStream,
    /// Evaluations of the coordinate descents.
    searched: u64,
    /// Coordinate descents done.
    local: u64,
    begun: bool,
    /// The best key among the subsets that were given up within the gap.
    given_up: f64,
    examined: u64,
    children: Vec<Node>,
}

impl Search {
    fn sign(&self) -> f64 {
        self.problem.direction().sign()
    }

    /// The incumbent's objective; the worst there is where it is not feasible.
    fn threshold(&self) -> f64 {
        let value = self.incumbent.value();
        if value.violation <= STRICT && !value.objective.is_nan() {
            value.objective
        } else {
            -self.sign() * f64::INFINITY
        }
    }

    /// Whether nothing of a subset with this key is worth a look; remembers what is given up for the gap's sake.
    fn hopeless(&mut self, key: f64) -> bool {
        let threshold = self.threshold();
        let best = self.sign() * threshold;
        if best == f64::INFINITY || key <= best {
            return true;
        }
        let close = best.is_finite() && self.problem.gap(threshold, self.sign() * key) <= self.settings.gap;
        if close {
            self.given_up = self.given_up.max(key);
        }
        close
    }

    fn local_searches(&mut self, budget: &Budget) -> Result<()> {
        let levels = level_coordinates(&self.problem);
        if levels.is_empty() || levels.len() != self.problem.free().len() {
            self.local = self.settings.local_searches;
            return Ok(());
        }
        let mut search = DiscreteSearch::new(&self.problem, self.incumbent.design().clone())?;
        while self.local < self.settings.local_searches && !budget.exhausted(search.evaluations()) {
            search.descend(budget, search.evaluations())?;
            self.scratch.copy_from(search.design());
            self.incumbent.offer(&mut self.scratch)?;
            search.randomize(&mut self.random)?;
            self.local += 1;
        }
        self.searched += search.evaluations();
        Ok(())
    }

    fn examine(&mut self, node: &Node) -> Result<()> {
        self.examined += 1;
        if self.tree.candidate(node, &mut self.scratch)? {
            self.problem.project(&mut self.scratch);
            self.incumbent.offer(&mut self.scratch)?;
        }
        let mut children = std::mem::take(&mut self.children);
        self.tree.split(node, self.threshold(), &mut children)?;
        for child in children.drain(..) {
            // A child is a part of its parent: the better of the two bounds holds.
            let sign = self.sign();
            let key =
                if child.bound.is_nan() { sign * node.bound } else { (sign * child.bound).min(sign * node.bound) };
            if !self.hopeless(key) {
                self.open.push(key, child);
            }
        }
        self.children = children;
        Ok(())
    }

    fn proof(&self) -> Certificate {
        let tree = vec![self.examined as f64, self.open.number as f64];
        let bound = self.bound().unwrap_or(f64::NAN);
        Certificate {
            kind: "branch_and_bound",
            values: vec![("bound", vec![bound]), ("subsets_examined_and_kept", tree), ("gap", vec![self.settings.gap])],
        }
    }
}

impl Iterate for Search {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        let before = self.evaluations();
        if self.local < self.settings.local_searches {
            self.local_searches(budget)?;
            if budget.exhausted(self.evaluations() - before) {
                return Ok(Step::Advanced);
            }
        }
        if !self.begun {
            let root = self.tree.root()?;
            let key = self.sign() * root.bound;
            if !self.hopeless(key) {
                self.open.push(key, root);
            }
            self.begun = true;
        }
        for count in 1..=self.settings.nodes {
            let Some(Waiting { key, node, .. }) = self.open.pop() else {
                return Ok(if self.incumbent.value().violation <= STRICT {
                    Step::Optimal(Some(self.proof()))
                } else {
                    Step::Infeasible(self.proof())
                });
            };
            if !self.hopeless(key) {
                self.examine(&node)?;
            }
            if count % POLL == 0 && budget.exhausted(self.evaluations() - before) {
                break;
            }
        }
        Ok(Step::Advanced)
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    /// The best of what waits, what was given up and the incumbent itself.
    fn bound(&self) -> Option<f64> {
        if !self.begun {
            return None;
        }
        let best = self.sign() * self.threshold();
        let key = self.open.key().max(self.given_up).max(best);
        key.is_finite().then_some(self.sign() * key)
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations() + self.searched
    }
}
