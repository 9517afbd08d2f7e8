//! What a run folder holds, as plain types: written by the runner, read by reports.
//!
//! | file | what it holds |
//! |---|---|
//! | `config.toml` | the experiment as resolved; run again, it gives the same results |
//! | `results.jsonl` | one [`RunRecord`] a line, in the order of the plan: only what config and seed determine |
//! | `timings.jsonl` | one [`Timing`] a line: what they do not determine |
//! | `traces/RUN.json` | the iterations of a run, a list of [`Record`](crate::Record) |
//! | `environment.json` | program version, machine, threads, date |
//! | `plugins/NAME.log` | what a plugin's processes wrote to their standard error |
//! | `report.html`, `figures/` | made from the files above |

mod record;

pub(crate) use record::read_lines;
pub use record::{ObjectiveValue, PluginOrigin, RunFolder, RunRecord, Timing, read_trace, write_trace};
