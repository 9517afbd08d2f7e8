//! Plugins: solvers, metrics and system models that are loaded at run time, in any language, without endangering the run.
//!
//! A plugin is a file that a config names (`[[plugin]] path = "..."`). It is reached in one of three ways, its [`Tier`];
//! what it can do is the same in all of them, and stands in its [`Manifest`]. The host never trusts it: designs that it
//! reports are judged by the model again, its parameters are checked against its own JSON Schema before anything runs,
//! and a plugin that misbehaves fails its own run with the reason.

pub mod conformance;
pub mod desk;
mod drawn;
pub mod frame;
pub mod library;
mod location;
mod log;
pub mod manifest;
mod metric;
mod model;
mod parameters;
mod process;
mod remote;
pub mod skeleton;
mod solver;
pub mod toys;

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use desk::Desk;
pub use location::{Limits, Location, Tier};
pub use log::Log;
pub use manifest::{Manifest, OfferedMetric, OfferedModel, OfferedSolver};
pub use metric::PluginMetric;
pub use model::PluginScenario;
pub use parameters::Parameters;
pub use process::kill_all;
pub use remote::Drawing;
pub use solver::PluginSolver;

use crate::design::Design;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::optimizer::Iterate;
use crate::problem::Problem;

/// A solver's work as it is handed to a plugin.
#[derive(Clone)]
pub struct Solve {
    /// The solver, by its name in the manifest.
    pub solver: String,
    /// Its parameters, valid by its schema, defaults filled in.
    pub parameters: Map<String, Value>,
    /// The problem.
    pub problem: Arc<Problem>,
    /// Where to start. The problem's own start where the config gives none, unless the solver wants none
    /// ([`OfferedSolver::start`]).
    pub start: Option<Design>,
    /// The run's random stream, as it is after the start was found.
    pub random: RandomStream,
}

/// A way to reach a plugin: a process that speaks the wire protocol, or a shared library. Used from several threads.
pub trait Backend: Send + Sync {
    /// What the plugin says that it offers.
    fn manifest(&self) -> &Manifest;

    /// Sets one of its solvers to work. The iterate serves the plugin's requests at a [`Desk`], and a step ends at the
    /// plugin's next report. Errors of the plugin are [`Error::Plugin`].
    fn begin(&self, solve: Solve) -> Result<Box<dyn Iterate>>;

    /// Puts one question of the wire protocol to it, about a metric or about a system that it draws, and gives its answer.
    fn ask(&self, _system: Option<&Drawing>, header: &Value, _payload: &[f64]) -> Result<frame::Frame> {
        let kind = header.get("type").and_then(Value::as_str).unwrap_or_default().to_string();
        Err(Error::Plugin { plugin: self.manifest().name.clone(), reason: format!("it does not serve `{kind}`") })
    }

    /// A system that nobody asks about any more.
    fn forget(&self, _system: &Drawing) {}

    /// The memory and the open files of its idle processes, in bytes and in number; none where that cannot be told.
    fn resources(&self) -> Option<(u64, u64)> {
        None
    }

    /// Where its standard error goes; none where it has none of its own.
    fn log(&self) -> Option<&Log> {
        None
    }
}

/// A plugin that is loaded: where it is from, what it offers, and the way to reach it.
#[derive(Clone)]
pub struct Plugin {
    location: Arc<Location>,
    backend: Arc<dyn Backend>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("location", &self.location).field("manifest", self.manifest()).finish()
    }
}

impl Plugin {
    /// Loads a plugin: starts it or opens it, asks for its manifest, and checks that.
    pub fn load(location: Location) -> Result<Self> {
        let backend = connect(&location)?;
        backend.manifest().check().map_err(|reason| location.error(format!("its manifest is invalid: {reason}")))?;
        Ok(Self { location: Arc::new(location), backend })
    }

    /// A plugin over a way of one's own, for tests.
    pub fn with(location: Location, backend: Arc<dyn Backend>) -> Self {
        Self { location: Arc::new(location), backend }
    }

    /// Where it is from.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What it offers.
    pub fn manifest(&self) -> &Manifest {
        self.backend.manifest()
    }

    /// The way to reach it.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// The same, for those who outlive the plugin's config.
    pub fn backend_shared(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }
}

/// The way to reach a plugin, by its tier.
fn connect(location: &Location) -> Result<Arc<dyn Backend>> {
    match location.tier {
        Tier::Process => Ok(Arc::new(remote::Remote::connect(location)?)),
        Tier::Worker => {
            library::look(location)?;
            Ok(Arc::new(remote::Remote::connect(location)?))
        }
        Tier::Library => Ok(Arc::new(library::Library::open(location)?)),
    }
}

impl Location {
    /// An error of this plugin.
    pub fn error(&self, reason: impl Into<String>) -> Error {
        Error::Plugin { plugin: self.path.display().to_string(), reason: reason.into() }
    }
}
