//! The trait of a solver.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::host::Host;
use crate::manifest::{Requires, StopRules};
use crate::{Error, Result};

/// A solver's parameters, and how it searches. One value serves many runs, several at once.
pub trait Solver: Default + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name: its `type` in a config.
    const NAME: &'static str;

    /// Whether it is given the problem's own start where the config names none.
    const STARTS: bool = true;

    /// A run at work.
    type State: Send + 'static;

    /// What a problem must offer; checked before anything runs.
    fn requires() -> Requires {
        Requires::default()
    }

    /// The stopping rules that apply where a config gives none.
    fn stop_rules() -> StopRules {
        StopRules::default()
    }

    /// Refuses parameters out of their range, in words.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Sets out, at a start where one is given.
    fn begin(&self, host: &mut Host, start: Option<&[f64]>) -> Result<Self::State>;

    /// One iteration. A long one asks [`Host::should_stop`]; where the host ends it, hand [`Error::Stop`] on.
    fn step(&self, state: &mut Self::State, host: &mut Host) -> Result<Step>;

    /// The best design so far, of the problem's length; never worse than the start that was given.
    fn best<'a>(&self, state: &'a Self::State) -> &'a [f64];

    /// A bound on the objective of every feasible design, where the method proves one.
    fn bound(&self, _state: &Self::State) -> Option<f64> {
        None
    }
}

/// How a step went.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Went on.
    Advanced,
    /// The method's own test says that it is done.
    Converged,
    /// The best design is proven optimal: it attains [`Solver::bound`].
    Optimal,
    /// No further step is possible, for this reason.
    Stuck(String),
    /// The iterates left the finite numbers.
    Diverged(String),
}

/// A solver with its type forgotten.
pub(crate) trait AnySolver: Send + Sync {
    fn begin(self: Box<Self>, host: &mut Host, start: Option<&[f64]>) -> Result<Box<dyn AnyRun>>;
    fn check(&self) -> Result<(), String>;
}

/// A run with its type forgotten.
pub(crate) trait AnyRun: Send {
    fn step(&mut self, host: &mut Host) -> Result<Step>;
    fn best(&self) -> &[f64];
    fn bound(&self) -> Option<f64>;
}

struct Run<S: Solver> {
    solver: S,
    state: S::State,
}

impl<S: Solver> AnySolver for S {
    fn begin(self: Box<Self>, host: &mut Host, start: Option<&[f64]>) -> Result<Box<dyn AnyRun>> {
        let state = Solver::begin(&*self, host, start)?;
        Ok(Box::new(Run { solver: *self, state }))
    }
    fn check(&self) -> Result<(), String> {
        Solver::check(self)
    }
}

impl<S: Solver> AnyRun for Run<S> {
    fn step(&mut self, host: &mut Host) -> Result<Step> {
        self.solver.step(&mut self.state, host)
    }
    fn best(&self) -> &[f64] {
        self.solver.best(&self.state)
    }
    fn bound(&self) -> Option<f64> {
        self.solver.bound(&self.state)
    }
}

/// A solver from its parameters, defaults where they are left out.
pub(crate) fn read<S: Solver>(parameters: &str) -> Result<Box<dyn AnySolver>> {
    let solver: S = parse(parameters)?;
    Ok(Box::new(solver))
}

/// Parameters from their JSON text.
pub(crate) fn parse<T: DeserializeOwned + Default>(parameters: &str) -> Result<T> {
    match parameters.trim() {
        "" | "{}" => Ok(T::default()),
        text => serde_json::from_str(text).map_err(|e| Error::Refused(e.to_string())),
    }
}
