//! What a problem offers beyond evaluation. A capability belongs to a model *and* a problem; each is a factory that
//! gives a fresh workspace, or a refusal that says why in words that `isacopt list` prints.

use serde_json::Value;

use crate::conic::Program;
use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::model::Named;
use crate::problem::Evaluation;

/// The ways in which a problem can be easier than a black box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// A feasible start, or proof that there is none: [`Feasibility`].
    Feasibility,
    /// Gradients of objective and constraints: [`Gradient`].
    Gradient,
    /// A convex program, tight at a design and a valid bound elsewhere: [`Surrogate`].
    Surrogate,
    /// The exact maximiser of such a surrogate without a conic solver: [`Majorizer`].
    Majorizer,
    /// The global optimum by a special argument: [`Exact`].
    Exact,
    /// A proven bound on the optimum: [`Bound`].
    Bound,
    /// A sensible split into blocks.
    Blocks,
    /// The objective after changing one coordinate at little cost: [`Incremental`].
    Incremental,
    /// A tree of subsets with proven bounds: [`Branching`].
    Branching,
    /// Whether an objective level can be reached, with proof: [`LevelSet`].
    LevelSet,
    /// All designs in rows that are scanned fast: [`Enumeration`].
    Enumeration,
    /// A semidefinite relaxation, and designs from its solution: [`Lift`].
    Lift,
    /// One group of blocks solved exactly for any value of the rest: [`Elimination`].
    Elimination,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Feasibility,
        Self::Gradient,
        Self::Surrogate,
        Self::Majorizer,
        Self::Exact,
        Self::Bound,
        Self::Blocks,
        Self::Incremental,
        Self::Branching,
        Self::LevelSet,
        Self::Enumeration,
        Self::Lift,
        Self::Elimination,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feasibility => "feasibility",
            Self::Gradient => "gradient",
            Self::Surrogate => "surrogate",
            Self::Majorizer => "majorizer",
            Self::Exact => "exact",
            Self::Bound => "bound",
            Self::Blocks => "blocks",
            Self::Incremental => "incremental",
            Self::Branching => "branching",
            Self::LevelSet => "level_set",
            Self::Enumeration => "enumeration",
            Self::Lift => "lift",
            Self::Elimination => "elimination",
        }
    }
}

/// Why a capability is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// A refusal with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A factory of fresh workspaces, or the reason why there is none.
pub type Offer<T> = Result<Box<dyn Fn() -> Box<T> + Send + Sync>, Refusal>;

/// A named form of the convex program that a step solves.
pub struct Formulation {
    /// The name, and what is special about it.
    pub named: Named,
    /// The program.
    pub surrogate: Offer<dyn Surrogate>,
}

/// What a problem offers, one field a way of being easy.
pub struct Structure {
    /// A feasible start, or proof that there is none.
    pub feasibility: Offer<dyn Feasibility>,
    /// Gradients of objective and constraints.
    pub gradient: Offer<dyn Gradient>,
    /// A convex program, tight at a design and a valid bound elsewhere.
    pub surrogate: Offer<dyn Surrogate>,
    /// Other convex programs than [`Structure::surrogate`], by name: a paper's own form, for comparison. They need not
    /// keep a surrogate's promises.
    pub formulations: Vec<Formulation>,
    /// The exact maximiser of such a surrogate.
    pub majorizer: Offer<dyn Majorizer>,
    /// The global optimum by a special argument.
    pub exact: Offer<dyn Exact>,
    /// A proven bound on the optimum.
    pub bound: Offer<dyn Bound>,
    /// A sensible split into blocks or groups, by name, in the order in which to take them.
    pub blocks: Result<Vec<String>, Refusal>,
    /// The objective after changing one coordinate at little cost.
    pub incremental: Offer<dyn Incremental>,
    /// A tree of subsets of the designs with proven bounds.
    pub branching: Offer<dyn Branching>,
    /// Whether an objective level can be reached, with proof.
    pub level_set: Offer<dyn LevelSet>,
    /// All designs in rows that are scanned fast.
    pub enumeration: Offer<dyn Enumeration>,
    /// A semidefinite relaxation, and designs from its solution.
    pub lift: Offer<dyn Lift>,
    /// One group of blocks solved exactly for any value of the rest.
    pub elimination: Offer<dyn Elimination>,
}

impl Structure {
    /// Nothing but evaluation, for one reason. Models start from it and fill in what they have:
    /// `Structure { exact: ..., ..Structure::none("...") }`.
    pub fn none(reason: &str) -> Self {
        let no = || Refusal::new(reason);
        Self {
            feasibility: Err(no()),
            gradient: Err(no()),
            surrogate: Err(no()),
            formulations: Vec::new(),
            majorizer: Err(no()),
            exact: Err(no()),
            bound: Err(no()),
            blocks: Err(no()),
            incremental: Err(no()),
            branching: Err(no()),
            level_set: Err(no()),
            enumeration: Err(no()),
            lift: Err(no()),
            elimination: Err(no()),
        }
    }

    /// Whether a capability is offered, or why not.
    pub fn offers(&self, capability: Capability) -> Result<(), Refusal> {
        fn state<T>(offer: &Result<T, Refusal>) -> Result<(), Refusal> {
            offer.as_ref().map(|_| ()).map_err(Clone::clone)
        }
        match capability {
            Capability::Feasibility => state(&self.feasibility),
            Capability::Gradient => state(&self.gradient),
            Capability::Surrogate => state(&self.surrogate),
            Capability::Majorizer => state(&self.majorizer),
            Capability::Exact => state(&self.exact),
            Capability::Bound => state(&self.bound),
            Capability::Blocks => state(&self.blocks),
            Capability::Incremental => state(&self.incremental),
            Capability::Branching => state(&self.branching),
            Capability::LevelSet => state(&self.level_set),
            Capability::Enumeration => state(&self.enumeration),
            Capability::Lift => state(&self.lift),
            Capability::Elimination => state(&self.elimination),
        }
    }
}

/// What proves a claim, as named numbers that `isacopt verify` can check without the solver.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The kind of argument: "dual", "closed_form", "infeasibility" ...
    pub kind: &'static str,
    /// Its numbers, by name.
    pub values: Vec<(&'static str, Vec<f64>)>,
}

impl Certificate {
    /// As JSON: `{"kind": ..., name: [numbers]}`.
    pub fn to_json(&self) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("kind".into(), self.kind.into());
        for (name, values) in &self.values {
            object.insert((*name).into(), values.iter().map(|x| crate::metric::number_json(*x)).collect());
        }
        Value::Object(object)
    }
}

/// What a certificate was found to prove, see [`crate::SystemModel::verify`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Proof {
    /// No feasible design of the problem has a better objective.
    Bound(f64),
    /// The problem has no feasible design.
    Infeasible,
}

/// Whether a problem has a feasible design.
#[derive(Clone, Debug, PartialEq)]
pub enum Feasible {
    /// It has: here is one.
    Yes(Design),
    /// It has none.
    No {
        /// A design with the least largest violation.
        least_violating: Design,
        /// The least factor by which all limits would have to be loosened; above 1.
        ratio: f64,
        /// What proves it.
        certificate: Certificate,
    },
    /// Not known.
    Unknown,
}

/// Feasible starts and repairs.
pub trait Feasibility: Send {
    /// A feasible design, or proof that there is none.
    fn assess(&mut self) -> Result<Feasible>;
    /// Moves a design of the space to a feasible one near it; whether it could.
    fn repair(&mut self, design: &mut Design) -> bool;
}

/// Derivatives in the design's coordinates.
///
/// Constraint rows are the problem's limits in order, written `c(x) <= 0` and scaled as relative violations.
pub trait Gradient: Send {
    /// The number of constraint rows.
    fn rows(&self) -> usize;
    /// Objective (in its own direction) and its gradient.
    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64;
    /// Constraint values, and their Jacobian row-major.
    fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]);
    /// Where the objective is the worst of several figures (the least of the users' rates), each smooth, how many they
    /// are; 0 where the objective is smooth itself.
    fn pieces(&self) -> usize {
        0
    }
    /// Those figures, and their Jacobian row-major.
    fn worst_of(&mut self, _design: &Design, _values: &mut [f64], _jacobian: &mut [f64]) {}
}

/// A convex program whose optimum never lies below the objective at the design where it was built, and whose
/// feasible points are feasible.
pub trait Surrogate: Send {
    /// The program, with the data of the last [`Surrogate::at`].
    fn program(&mut self) -> &mut Program;
    /// Updates the program's data in place, tight at this design.
    fn at(&mut self, design: &Design) -> Result<()>;
    /// The design that a solution of the program stands for.
    fn read(&self, solution: &[f64], design: &mut Design);
}

/// The exact maximiser of a surrogate, without a conic solver.
pub trait Majorizer: Send {
    /// The maximiser of the surrogate that is tight at `design`.
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()>;
}

/// What an exact method found.
#[derive(Clone, Debug, PartialEq)]
pub enum ExactOutcome {
    /// The global optimum.
    Optimal {
        /// A proven bound on the optimum.
        bound: f64,
        /// What proves it.
        certificate: Certificate,
    },
    /// There is no feasible design; the least-violating one was written.
    Infeasible {
        /// What proves it.
        certificate: Certificate,
    },
}

/// The global optimum by a special argument.
pub trait Exact: Send {
    /// Writes the optimum.
    fn solve(&mut self, out: &mut Design) -> Result<ExactOutcome>;
}

/// A proven bound on the optimum of the full problem.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenBound {
    /// No feasible design is better.
    pub value: f64,
    /// What proves it.
    pub certificate: Certificate,
}

/// A proven bound, computed once per problem and not timed.
pub trait Bound: Send {
    /// The bound, or none where the problem is infeasible.
    fn bound(&mut self) -> Result<Option<ProvenBound>>;
}

/// A design under search, one coordinate at a time. Values are those of the model's own evaluation.
pub trait Incremental: Send {
    /// Takes a design as the state, and judges it; linear in its length.
    fn load(&mut self, design: &Design) -> Evaluation;
    /// The state's value after changing one coordinate, in constant time; the state stays as it is.
    fn peek(&self, coordinate: usize, value: f64) -> Evaluation;
    /// Changes a coordinate of the state, in constant time.
    fn set(&mut self, coordinate: usize, value: f64) -> Evaluation;
}

/// A subset of the designs, in a form that only its [`Branching`] reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// No feasible design of the subset has a better objective.
    pub bound: f64,
    /// What the subset is.
    pub data: Box<[f64]>,
}

/// A tree of subsets of the designs, for proofs by branch and bound.
pub trait Branching: Send {
    /// The set of all designs (or of representatives of all, where a symmetry is used).
    fn root(&mut self) -> Result<Node>;
    /// Splits a subset into smaller ones that together hold every design of it which is better than the incumbent's
    /// objective; those that cannot be better may be left out. None where nothing is left to split.
    fn split(&mut self, node: &Node, incumbent: f64, children: &mut Vec<Node>) -> Result<()>;
    /// Writes a promising design of the subset, where there is one at hand.
    fn candidate(&mut self, node: &Node, out: &mut Design) -> Result<bool>;
}

/// What is known of a level.
#[derive(Clone, Debug, PartialEq)]
pub enum Reached {
    /// A feasible design that reaches it was written.
    Yes,
    /// A relaxation reaches it; the design that was written, recovered from it, need not.
    Relaxed,
    /// No feasible design reaches it.
    No(Certificate),
    /// Neither could be shown.
    Unknown,
}

/// Which objective levels feasible designs reach.
pub trait LevelSet: Send {
    /// A level that is reached, and one beyond which none is; the first is worse than the second.
    fn range(&mut self) -> Result<(f64, f64)>;
    /// Whether a feasible design has an objective at least as good as the level; writes it if so.
    fn at(&mut self, level: f64, out: &mut Design) -> Result<Reached>;
    /// From a level that is reached, the level that the point of greatest excess over it reaches (Dinkelbach's step), in
    /// a relaxation where the problem has one; writes a design recovered from that point. None where the model has no
    /// such step.
    fn ascend(&mut self, _level: f64, _out: &mut Design) -> Result<Option<Ascent>> {
        Ok(None)
    }
}

/// What one of Dinkelbach's steps found.
#[derive(Clone, Debug, PartialEq)]
pub struct Ascent {
    /// The level that the point of greatest excess reaches; no better than the old one at the end.
    pub level: f64,
    /// A proven bound on all levels.
    pub bound: f64,
    /// What proves it.
    pub certificate: Certificate,
}

/// What solving a relaxation gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Relaxed {
    /// It was solved.
    Solved {
        /// A proven bound on the problem's optimum.
        bound: f64,
        /// The largest rank of a matrix in its solution, which is 1 where the relaxation is tight by itself.
        rank: usize,
        /// Whether the recovery without randomness attains the bound, whatever the rank.
        exact: bool,
        /// What proves the bound.
        certificate: Certificate,
    },
    /// No point of the relaxation is feasible, so no design is.
    Infeasible(Certificate),
    /// It could not be solved, for this reason.
    Failed(String),
}

/// A semidefinite relaxation of a problem, and designs from its solution.
///
/// A problem may fall into independent parts (one a surface, say): then each part is recovered and judged alone.
pub trait Lift: Send {
    /// Solves the relaxation.
    fn relax(&mut self) -> Result<Relaxed>;
    /// The number of independent parts.
    fn parts(&self) -> usize {
        1
    }
    /// Writes a part of a design recovered from the relaxation's solution, and leaves the rest: the best rule without
    /// randomness where `random` is none, else one drawn by Gaussian randomization.
    fn recover(&mut self, part: usize, random: Option<&mut RandomStream>, out: &mut Design);
    /// How good a design is in a part alone: the part's own objective and violation.
    fn judge(&mut self, part: usize, design: &Design) -> Evaluation;
}

/// The value of a design's rest, with one group solved exactly for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Eliminated {
    /// The objective of the best group.
    Value(f64),
    /// No group is feasible for this rest: by how much, above 0 and falling toward the feasible.
    Infeasible(f64),
    /// Neither could be computed.
    Undefined,
}

/// One group of blocks solved exactly for any value of the rest, so that a search has the rest alone.
pub trait Elimination: Send {
    /// The blocks of the group, by index.
    fn group(&self) -> &[usize];
    /// Writes the best group for the rest of the design into it. `gradient` becomes that of what is returned, by the
    /// envelope theorem, in the design's coordinates (0 in the group).
    fn best(&mut self, design: &mut Design, gradient: &mut [f64]) -> Result<Eliminated>;
}

/// All designs of a discrete problem (or representatives of all, where a symmetry is used), in rows of equal length.
///
/// Rows share no state: several workspaces may scan different rows at once.
pub trait Enumeration: Send {
    /// The number of rows.
    fn rows(&self) -> u64;
    /// The number of designs of a row. Their product may be beyond whole numbers.
    fn row_length(&self) -> u64;
    /// The objective of the best design of a row, written, where it is better than `threshold`; the first of equals.
    fn scan(&mut self, row: u64, threshold: f64, out: &mut Design) -> Result<Option<f64>>;
}
