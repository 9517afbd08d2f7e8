//! The names in a run folder.

/// The experiment as resolved.
pub(crate) const CONFIG: &str = "config.toml";
/// What it ran on.
pub(crate) const ENVIRONMENT: &str = "environment.json";
/// Finished runs in the order of the plan.
pub(crate) const RESULTS: &str = "results.jsonl";
/// Their times.
pub(crate) const TIMINGS: &str = "timings.jsonl";
/// Finished runs of earlier plans for this folder, kept for a plan that asks for them again.
pub(crate) const EARLIER: &str = "earlier.jsonl";
/// The folder of what is appended by processes at work, two files each.
pub(crate) const SEGMENTS: &str = "segments";
/// How the file of a process's results ends.
pub(crate) const SEGMENT_RESULTS: &str = ".results.jsonl";
/// How the file of its times ends.
pub(crate) const SEGMENT_TIMINGS: &str = ".timings.jsonl";
/// The folder of the traces, a file a process.
pub(crate) const TRACES: &str = "traces";
