//! Optimizers: a solver begins on a problem at a start, and then advances step by step. It never prints, never reads
//! a clock, never opens a file while it runs: the [driver](crate::driver) owns time, stopping rules and records.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use schemars::Schema;

use crate::design::Design;
use crate::driver::StopRules;
use crate::error::Result;
use crate::math::RandomStream;
use crate::problem::Problem;
use crate::references::Reference;
use crate::structure::{Capability, Certificate, Refusal};

/// A solver's parameters, and what it needs. In a config it is a table with its name as `type`.
#[typetag::serde(tag = "type")]
pub trait Optimizer: Send + Sync + Debug {
    /// What a problem must offer; checked before anything runs.
    fn requires(&self) -> Requirement;

    /// The stopping rules that apply where a config gives none.
    fn stop_rules(&self) -> StopRules {
        StopRules::default()
    }

    /// Refuses parameters out of their range, before anything runs. Errors name the parameter.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Sets out. Without a start, the solver takes the problem's own ([`Problem::default_start`]) or none.
    fn begin(&self, problem: Arc<Problem>, start: Option<Design>, random: RandomStream) -> Result<Box<dyn Iterate>>;
}

/// A solver at work, owning all it needs.
pub trait Iterate: Send {
    /// One iteration. A long one polls the budget and returns [`Step::Advanced`] when it is exhausted.
    fn step(&mut self, budget: &Budget) -> Result<Step>;

    /// The best design so far; never worse than the start that was given.
    fn best(&self) -> &Design;

    /// A proven bound on the problem's optimum, where the method gives one.
    fn bound(&self) -> Option<f64> {
        None
    }

    /// Whether that bound holds only for the solver's restriction of the problem (blocks that it holds fixed).
    fn bound_is_restricted(&self) -> bool {
        false
    }

    /// Designs judged so far.
    fn evaluations(&self) -> u64;
}

/// How a step went.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Went on.
    Advanced,
    /// The method's own test says that it is done.
    Converged,
    /// The best design is proven optimal.
    Optimal(Option<Certificate>),
    /// The problem is proven infeasible; the best design is the least-violating one.
    Infeasible(Certificate),
    /// No further step is possible, for this reason.
    Stuck(String),
    /// The iterates left the finite numbers.
    Diverged(String),
}

/// What a problem must offer for a solver to run on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirement {
    /// Capabilities that must all be there.
    pub capabilities: Vec<Capability>,
    /// Whether every free block must be continuous.
    pub continuous: bool,
    /// Whether every free block must be discrete.
    pub discrete: bool,
    /// Whether the driver lets the model prove infeasibility first, and then does not begin. Off for solvers that
    /// only report a design.
    pub screened: bool,
}

impl Requirement {
    /// Any problem.
    pub fn anything() -> Self {
        Self { screened: true, ..Self::default() }
    }

    /// Problems that offer these capabilities.
    pub fn capabilities(capabilities: &[Capability]) -> Self {
        Self { capabilities: capabilities.to_vec(), ..Self::anything() }
    }

    /// Only continuous blocks.
    #[must_use]
    pub fn continuous(self) -> Self {
        Self { continuous: true, ..self }
    }

    /// Only discrete blocks.
    #[must_use]
    pub fn discrete(self) -> Self {
        Self { discrete: true, ..self }
    }

    /// Begins even where the problem is proven infeasible.
    #[must_use]
    pub fn unscreened(self) -> Self {
        Self { screened: false, ..self }
    }

    /// Whether a problem offers all that, or why not.
    pub fn met_by(&self, problem: &Problem) -> Result<(), Refusal> {
        for capability in &self.capabilities {
            let offer = problem.structure().offers(*capability);
            offer.map_err(|why| Refusal::new(format!("it needs `{}`: {why}", capability.name())))?;
        }
        let spec = problem.spec();
        for block in problem.model().space().blocks().iter().filter(|b| !spec.fixed.contains_key(&b.name)) {
            let wanted = match block.domain.is_continuous() {
                true if self.discrete => "discrete",
                false if self.continuous => "continuous",
                _ => continue,
            };
            let why = format!("it needs {wanted} blocks, and `{}` is {}", block.name, block.domain.describe());
            return Err(Refusal::new(why));
        }
        Ok(())
    }
}

/// What is left to spend; solvers poll it in long steps.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    cancel: Cancel,
    deadline: Option<Instant>,
    /// Evaluations that may still be spent.
    pub evaluations: Option<u64>,
}

impl Budget {
    /// A budget with a deadline.
    pub fn new(cancel: Cancel, deadline: Option<Instant>, evaluations: Option<u64>) -> Self {
        Self { cancel, deadline, evaluations }
    }

    /// Without limits.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// The flag that stops the run, for runs inside it.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// The seconds that are left until the deadline, where there is one; at least a nanosecond.
    pub fn seconds_left(&self) -> Option<f64> {
        self.deadline.map(|d| d.saturating_duration_since(Instant::now()).as_secs_f64().max(1e-9))
    }

    /// Whether to return from a long step now, having spent so many evaluations in it.
    pub fn exhausted(&self, spent: u64) -> bool {
        self.evaluations.is_some_and(|left| spent >= left)
            || self.cancel.is_set()
            || self.deadline.is_some_and(|d| Instant::now() >= d)
    }
}

/// A flag by which a person or a program stops runs.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks all who poll it to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A solver as the program lists it. [`solver!`](crate::solver) registers one.
pub struct SolverEntry {
    /// Its name in configs.
    pub name: fn() -> String,
    /// The solver with its default parameters.
    pub default: fn() -> Box<dyn Optimizer>,
    /// The JSON Schema of its parameters; its description says what the solver does, and names the source.
    pub schema: fn() -> Schema,
    /// What to cite where it was used.
    pub references: &'static [Reference],
}

inventory::collect!(SolverEntry);

/// All registered solvers, by name.
pub fn solvers() -> Vec<(String, &'static SolverEntry)> {
    let mut entries: Vec<_> = inventory::iter::<SolverEntry>().map(|e| ((e.name)(), e)).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

/// Makes a solver known to the program: `isacopt list`, `describe` and every config.
///
/// The type implements `Default`, `schemars::JsonSchema` and, under `#[typetag::serde(name = "...")]`,
/// [`Optimizer`](crate::Optimizer). What to cite may follow: `solver!(Mine, references = [MY_PAPER])`.
#[macro_export]
macro_rules! solver {
    ($type:ty $(,)?) => {
        $crate::solver!($type, references = []);
    };
    ($type:ty, references = [$($reference:expr),* $(,)?]) => {
        $crate::inventory::submit! {
            $crate::optimizer::SolverEntry {
                name: || $crate::optimizer::Optimizer::typetag_name(&<$type>::default()).to_string(),
                default: || Box::new(<$type>::default()),
                schema: || $crate::schemars::schema_for!($type),
                references: &[$($reference),*],
            }
        }
    };
}
