//! Write solvers and metrics for isacopt as a shared library that it loads at run time: no rebuild, no unsafe code.
//!
//! A solver is a struct of parameters that implements [`Solver`]; one line exports it. Its doc comment and those of its
//! fields are what `isacopt plugin info` tells people, and `isacopt check` holds a config against its schema.
//!
//! ```
//! use isacopt_plugin::{Host, JsonSchema, Judged, Result, Serialize, Deserialize, Solver, Step};
//!
//! /// Random search: a random design a step, kept where it is better.
//! #[derive(Default, Serialize, Deserialize, JsonSchema)]
//! #[serde(default, deny_unknown_fields, crate = "isacopt_plugin::serde")]
//! #[schemars(crate = "isacopt_plugin::schemars")]
//! struct Simple {}
//!
//! struct State {
//!     best: Vec<f64>,
//!     value: Judged,
//! }
//!
//! impl Solver for Simple {
//!     const NAME: &'static str = "simple";
//!     type State = State;
//!
//!     fn begin(&self, host: &mut Host, start: Option<&[f64]>) -> Result<State> {
//!         let best = host.first_design(start)?;
//!         Ok(State { value: host.evaluate(&best)?, best })
//!     }
//!
//!     fn step(&self, state: &mut State, host: &mut Host) -> Result<Step> {
//!         let trial = host.random_design()?;
//!         let value = host.evaluate(&trial)?;
//!         if host.better(&value, &state.value) {
//!             *state = State { best: trial, value };
//!         }
//!         Ok(Step::Advanced)
//!     }
//!
//!     fn best<'a>(&self, state: &'a State) -> &'a [f64] {
//!         &state.best
//!     }
//! }
//!
//! isacopt_plugin::plugin! { solvers: [Simple] }
//!
//! # fn main() {
//! // A test needs no isacopt: `toy` holds a few small problems that judge through the same binary interface.
//! let outcome = isacopt_plugin::toy::Toy::sphere(3).solve(&Simple::default(), 1, 500).unwrap();
//! assert!(outcome.value.objective < 1.0);
//! # }
//! ```
#![warn(missing_docs)]

pub mod abi;
pub mod export;
mod host;
mod manifest;
mod metric;
mod solver;
pub mod toy;

pub use abi::Judged;
pub use host::{Block, Domain, Gradient, Host, Problem};
pub use manifest::{Direction, Requires, StopRules};
pub use metric::{Measured, Metric, System};
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use solver::{Solver, Step};

// For authors who need no dependency but this one.
pub use {schemars, serde, serde_json};

/// Why a call did not do what it says.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The run is over: hand it on with `?`, the step then ends with what there is.
    Stop,
    /// It failed, for this reason; the run is recorded as failed.
    Failed(String),
    /// Parameters or a problem that the solver does not take, and what it does.
    Refused(String),
    /// The problem does not offer this.
    Unsupported,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stop => f.write_str("the run is over"),
            Self::Failed(why) | Self::Refused(why) => f.write_str(why),
            Self::Unsupported => f.write_str("the problem does not offer this"),
        }
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Error {
    fn from(why: &str) -> Self {
        Self::Failed(why.into())
    }
}

/// What the calls of this crate give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Exports solvers and metrics: `plugin! { solvers: [Mine, Other], metrics: [Figure] }`, either list may be left out.
/// Once a library.
#[macro_export]
macro_rules! plugin {
    (solvers: [$($solver:ty),* $(,)?] $(,)?) => {
        $crate::plugin! { solvers: [$($solver),*], metrics: [] }
    };
    (metrics: [$($metric:ty),* $(,)?] $(,)?) => {
        $crate::plugin! { solvers: [], metrics: [$($metric),*] }
    };
    (solvers: [$($solver:ty),* $(,)?], metrics: [$($metric:ty),* $(,)?] $(,)?) => {
        /// What the library offers, see `isacopt_plugin::abi`.
        #[unsafe(no_mangle)]
        pub extern "C" fn isacopt_plugin() -> *const $crate::abi::Plugin {
            $crate::export::table(|| {
                $crate::export::Offer::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
                    $(.solver::<$solver>())*
                    $(.metric::<$metric>())*
            })
        }
    };
}
