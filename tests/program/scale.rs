//! Reports of many runs are quick, and small in memory.
//!
//! With `ISACOPT_LONG` set the folder is of full size: 100,000 runs with five million iterations.

use std::time::{Duration, Instant};

use crate::command::{Bench, answer};
use crate::synthetic::Made;

/// A limit on the address space stands for memory: more than that the process cannot have.
#[test]
#[cfg(target_os = "linux")]
fn many_runs_are_reported_in_seconds_and_little_memory() {
    let long = std::env::var_os("ISACOPT_LONG").is_some();
    // Five solvers at five points.
    let (trials, kibibytes) = if long { (4_000, 1 << 20) } else { (200, 400 << 10) };
    let bench = Bench::empty();
    Made { trials, ..Made::usual() }.write(&bench.path("run"));
    let report = format!("ulimit -v {kibibytes}; exec '{}' report run", env!("CARGO_BIN_EXE_isacopt"));
    let begun = Instant::now();
    let mut shell = std::process::Command::new("sh");
    let told = answer(shell.args(["-c", &report]).current_dir(bench.folder())).text();
    let spent = begun.elapsed();
    assert!(told.contains("report.html") && bench.path("run/report.html").exists(), "{told}");
    eprintln!("{} runs: {spent:.1?}", 25 * trials);
    assert!(!long || spent < Duration::from_secs(10), "{spent:?}");
}
