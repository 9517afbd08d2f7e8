//! What a run folder holds, as plain types: written by the runner, read by reports.
//!
//! | file | what it holds |
//! |---|---|
//! | `config.toml` | the experiment as resolved; run again, it gives the same results |
//! | `results.jsonl` | one [`RunRecord`] a line, in the order of the plan: only what config and seed determine |
//! | `timings.jsonl` | one [`Timing`] a line: what they do not determine |
//! | `traces/*.jsonl` | `{"run": ..., "trace": [...]}` a line: the iterations of a run, a list of [`Record`](crate::Record) |
//! | `segments/*.jsonl` | results and times that no start has put in order yet, two files a process |
//! | `earlier.jsonl` | results of earlier plans for the folder |
//! | `environment.json` | program version, machine, threads, date |
//! | `plugins/NAME.log` | what a plugin's processes wrote to their standard error |
//! | `report.html`, `figures/` | made from the files above |

mod folder;
pub(crate) mod layout;
mod lean;
mod lines;
mod metrics;
mod record;
mod tables;

pub(crate) use lines::{Index, files_in, scan};
pub(crate) use record::{append_line, trace_line};

pub use folder::RunFolder;
pub use metrics::{Drawn, Measured, Metrics};
pub use record::{ObjectiveValue, PluginOrigin, RunRecord, Timing};
pub use tables::{Column, Entries, Rows, Sink, TABLES, write_table};
