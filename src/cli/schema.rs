//! `isacopt schema`: the JSON Schema of configs.

use clap::Args;

use super::print;
use crate::config::config_schema;
use crate::error::{Error, Result};

/// Print the JSON Schema of configs, for editors that complete and check TOML
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs the command.
pub fn run(_: &Arguments) -> Result<()> {
    let text = serde_json::to_string_pretty(&config_schema()?);
    print(&text.map_err(|e| Error::Numerical(format!("the schema cannot be written: {e}")))?)
}
