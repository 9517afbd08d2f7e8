//! Honest times of short solves: a solve of microseconds is repeated until its median time is stable.

use std::time::{Duration, Instant};

use crate::results::Timing;
use crate::trace::{Outcome, Status};

/// What takes longer is timed once: its time is long against the clock's resolution and what else goes on.
const SHORT: f64 = 5e-3;
/// Repeats at least, so that there are quartiles.
const LEAST: usize = 10;
/// Repeats at most.
const MOST: usize = 1000;
/// The median is stable once its standard error is so small a part of it.
const STABLE: f64 = 0.01;
/// A run is not repeated for longer.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whether a run is short enough, and ended in a way that another solve can repeat.
pub(super) fn repeatable(outcome: &Outcome) -> bool {
    outcome.time < SHORT
        && outcome.time > 0.0
        && !matches!(outcome.status, Status::Failed | Status::Skipped | Status::TimeLimit | Status::Interrupted)
}

/// Solves again, until the median time is stable; the first solve, which meets cold caches, is not among the times. Ends
/// early where a solve gives nothing.
pub(super) fn repeat(timing: &mut Timing, solve: &mut dyn FnMut() -> Option<Outcome>) {
    let begun = Instant::now();
    let mut times: Vec<f64> = Vec::new();
    while times.len() < MOST && (times.len() < LEAST || begun.elapsed() < PATIENCE && !stable(&times)) {
        let Some(outcome) = solve() else { return };
        let place = times.partition_point(|t| *t < outcome.time);
        times.insert(place, outcome.time);
    }
    timing.time_s = quantile(&times, 0.5);
    timing.quartiles_s = Some([quantile(&times, 0.25), quantile(&times, 0.75)]);
    timing.repeats = Some(times.len() as u64);
}

/// Whether the standard error of the median of sorted times is small: 0.93 interquartile ranges over the root of their
/// number, as for a normal distribution (median: 1.253 standard deviations; interquartile range: 1.349 of them).
fn stable(times: &[f64]) -> bool {
    let spread = quantile(times, 0.75) - quantile(times, 0.25);
    0.93 * spread / (times.len() as f64).sqrt() <= STABLE * quantile(times, 0.5)
}

/// The quantile of sorted times, between the two nearest.
fn quantile(times: &[f64], part: f64) -> f64 {
    let place = part * (times.len() - 1) as f64;
    let (low, high) = (times[place.floor() as usize], times[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// The smallest step of the clock that times are taken with, in seconds, as seen here: the median of the differences
/// between readings that differ.
pub(super) fn clock_resolution() -> f64 {
    let mut steps: Vec<f64> = (0..101)
        .map(|_| {
            let from = Instant::now();
            loop {
                let step = from.elapsed();
                if !step.is_zero() {
                    return step.as_secs_f64();
                }
            }
        })
        .collect();
    steps.sort_by(f64::total_cmp);
    steps[50]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_repeats_does_not_heed_a_few_slow_ones() {
        let mut outcome = Outcome::without_design(Status::Converged, "");
        outcome.time = 9e-6;
        assert!(repeatable(&outcome));
        let mut count = 0;
        let mut timing = Timing { run: "a".into(), time_s: 9e-6, ..Timing::default() };
        repeat(&mut timing, &mut || {
            count += 1;
            outcome.time = if count % 10 == 0 { 1e-3 } else { 1e-6 + 1e-8 * f64::from(count % 7) };
            Some(outcome.clone())
        });
        assert!((timing.time_s - 1.03e-6).abs() < 1.1e-8, "{timing:?}");
        assert!((LEAST as u64..200).contains(&timing.repeats.unwrap()), "{timing:?}");
        assert!(timing.quartiles_s.unwrap()[1] < 1.1e-6);
        // What cannot be repeated keeps its time.
        let mut timing = Timing { time_s: 1.0, ..Timing::default() };
        repeat(&mut timing, &mut || None);
        assert_eq!(timing, Timing { time_s: 1.0, ..Timing::default() });
        outcome.time = 0.1;
        assert!(!repeatable(&outcome));
        let resolution = clock_resolution();
        assert!(resolution > 0.0 && resolution < 1e-3, "{resolution}");
    }
}
