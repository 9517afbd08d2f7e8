//! Scenarios: config sections that describe a system, and draw it.

use std::fmt::Debug;
use std::sync::Arc;

use schemars::Schema;
use serde_json::Value;

use crate::error::Result;
use crate::math::Streams;
use crate::model::SystemModel;
use crate::samples::Fit;

/// A system before its randomness is drawn: geometry, sizes, powers, fading.
#[typetag::serde(tag = "type")]
pub trait Scenario: Send + Sync + Debug {
    /// Refuses values that make no system, before anything is drawn. Errors carry the key's name.
    fn check(&self) -> Result<()>;

    /// Draws the system of one trial.
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>>;
}

/// A scenario as the program lists it. One `inventory::submit!` registers it.
pub struct ScenarioEntry {
    /// Its name: the `type` in configs, `scenario` in instance files.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// The paper that it follows.
    pub paper: &'static str,
    /// The scenario with its default values.
    pub default: fn() -> Box<dyn Scenario>,
    /// The JSON Schema of its config section.
    pub schema: fn() -> Schema,
    /// Reads the `instance` object of an instance file.
    pub read_instance: fn(&Value) -> Result<Arc<dyn SystemModel>>,
    /// Fits an instance to draws of its channels, where the scenario knows how.
    pub fit: Option<Fit>,
}

inventory::collect!(ScenarioEntry);

/// All registered scenarios, by name.
pub fn scenarios() -> Vec<&'static ScenarioEntry> {
    let mut entries: Vec<_> = inventory::iter::<ScenarioEntry>().collect();
    entries.sort_by_key(|e| e.name);
    entries
}
