//! Convergence curves: the traces of all compared trials of a solver in a cell, as median and quartiles on one grid.
//!
//! Between records a run stands where its last record left it, and after its end where it ended. A trial without a
//! feasible design so far counts as worst, so a curve begins where half of the trials have one.

use super::spread::quantile;
use super::study::Study;
use crate::error::Result;
use crate::problem::FEASIBLE;
use crate::trace::Record;

/// What a convergence curve runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The solver's iterations.
    Iterations,
    /// Designs that the solver judged.
    Evaluations,
    /// The solver's own time in seconds.
    Time,
}

impl Effort {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Iterations, Self::Evaluations, Self::Time];

    /// Its name in the page's data and in `[[figure]]` sections.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iterations => "iterations",
            Self::Evaluations => "evaluations",
            Self::Time => "time",
        }
    }

    /// The axis label.
    pub fn axis(self) -> &'static str {
        match self {
            Self::Iterations => "Iterations",
            Self::Evaluations => "Evaluations (designs judged by the solver)",
            Self::Time => "Solver time (s)",
        }
    }

    fn of(self, record: &Record) -> f64 {
        match self {
            Self::Iterations => record.iteration as f64,
            Self::Evaluations => record.evaluations as f64,
            Self::Time => record.time,
        }
    }
}

/// A curve with its band: quartiles and median at each place; NaN where there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Band {
    /// The places.
    pub x: Vec<f64>,
    /// The lower quartile.
    pub low: Vec<f64>,
    /// The median.
    pub middle: Vec<f64>,
    /// The upper quartile.
    pub high: Vec<f64>,
}

/// The traces of a solver in a cell, of the compared trials only.
pub struct Traces {
    traces: Vec<(Vec<Record>, Option<f64>)>,
    sign: f64,
}

impl Traces {
    /// Reads them.
    pub fn read(study: &Study, cell: usize, solver: usize) -> Result<Self> {
        let mut traces = Vec::new();
        let mut sign = 1.0;
        for record in study.compared(cell, solver) {
            sign = record.objective.direction.sign();
            let trace = study.folder.trace(&record.run)?;
            if !trace.is_empty() {
                traces.push((trace, study.bound(cell, record.trial)));
            }
        }
        Ok(Self { traces, sign })
    }

    /// The number of trials with a trace.
    pub fn count(&self) -> usize {
        self.traces.len()
    }

    /// The objective against effort, on at most `points` places.
    pub fn objective(&self, effort: Effort, points: usize) -> Band {
        let worst = -self.sign * f64::INFINITY;
        self.band(effort, points, |record, _| if usable(record) { record.objective } else { worst })
    }

    /// The gap to the trial's tightest bound against effort; empty where a trial has no bound.
    pub fn gap(&self, study: &Study, effort: Effort, points: usize) -> Band {
        if self.traces.iter().any(|(_, bound)| bound.is_none()) {
            return Band::default();
        }
        self.band(effort, points, |record, bound| match bound {
            Some(bound) if usable(record) => study.gap(record.objective, bound),
            _ => f64::INFINITY,
        })
    }

    fn band(&self, effort: Effort, points: usize, value: impl Fn(&Record, Option<f64>) -> f64) -> Band {
        let mut band = Band { x: self.grid(effort, points), ..Band::default() };
        let mut next = vec![0; self.traces.len()];
        for x in &band.x {
            let mut values: Vec<f64> = Vec::with_capacity(self.traces.len());
            for ((trace, bound), next) in self.traces.iter().zip(&mut next) {
                while *next < trace.len() && effort.of(&trace[*next]) <= *x {
                    *next += 1;
                }
                // Before its first record a run has nothing: as bad as an infeasible design.
                let reached = next.checked_sub(1).map(|last| value(&trace[last], *bound));
                values.push(reached.unwrap_or_else(|| value(&NOTHING, *bound)));
            }
            values.sort_by(f64::total_cmp);
            let finite = |share| Some(quantile(&values, share)).filter(|q| q.is_finite()).unwrap_or(f64::NAN);
            band.low.push(finite(0.25));
            band.middle.push(finite(0.5));
            band.high.push(finite(0.75));
        }
        band
    }

    /// Places that show the whole course: all where they are few, else spaced by ratio over the middle.
    fn grid(&self, effort: Effort, points: usize) -> Vec<f64> {
        let mut all: Vec<f64> = self.traces.iter().flat_map(|(t, _)| t.iter().map(|r| effort.of(r))).collect();
        all.retain(|x| x.is_finite());
        all.sort_by(f64::total_cmp);
        all.dedup();
        if all.len() <= points {
            return all;
        }
        let (Some(first), Some(last)) = (all.first().copied(), all.last().copied()) else { return all };
        let least = all.iter().copied().find(|x| *x > 0.0).unwrap_or(last);
        let steps = points.saturating_sub(2).max(1);
        let mut grid = vec![first];
        let mut before = 0;
        for step in 0..=steps {
            let wanted = least * (last / least).powf(step as f64 / steps as f64);
            // The nearest place from below that is new: recorded places keep iterations and evaluations whole.
            let at = all.partition_point(|x| *x <= wanted * (1.0 + 1e-12)).saturating_sub(1);
            if at > before {
                before = at;
                grid.push(all[at]);
            }
        }
        if before + 1 < all.len() {
            grid.push(last);
        }
        grid
    }
}

const NOTHING: Record =
    Record { iteration: 0, evaluations: 0, time: 0.0, objective: f64::NAN, violation: f64::INFINITY, bound: None };

fn usable(record: &Record) -> bool {
    record.violation <= FEASIBLE && !record.objective.is_nan()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(points: &[(u64, f64, f64)]) -> (Vec<Record>, Option<f64>) {
        let record = |&(iteration, objective, violation): &(u64, f64, f64)| Record {
            iteration,
            evaluations: 10 * iteration,
            time: 0.5 * iteration as f64,
            objective,
            violation,
            bound: None,
        };
        (points.iter().map(record).collect(), Some(10.0))
    }

    #[test]
    fn ended_runs_stay_and_infeasible_starts_count_as_worst() {
        let traces = Traces {
            traces: vec![
                trace(&[(0, 99.0, 1.0), (1, 4.0, 0.0), (2, 6.0, 0.0)]),
                trace(&[(0, 3.0, 0.0)]),
                trace(&[(0, 2.0, 0.0), (2, 8.0, 0.0)]),
            ],
            sign: 1.0,
        };
        let band = traces.objective(Effort::Iterations, 100);
        assert_eq!(band.x, [0.0, 1.0, 2.0]);
        assert_eq!(band.middle, [2.0, 3.0, 6.0]);
        assert!(band.low[0].is_nan(), "a quarter of the trials has no feasible design yet");
        assert_eq!(band.high[2], 7.0);
        assert_eq!(traces.objective(Effort::Time, 100).x, [0.0, 0.5, 1.0]);
    }

    #[test]
    fn long_traces_are_thinned_and_keep_their_ends() {
        let long: Vec<(u64, f64, f64)> = (0..5000).map(|i| (i, i as f64, 0.0)).collect();
        let traces = Traces { traces: vec![trace(&long)], sign: 1.0 };
        let band = traces.objective(Effort::Evaluations, 40);
        assert!(band.x.len() <= 42, "{}", band.x.len());
        assert_eq!((band.x[0], band.x[1], *band.x.last().unwrap()), (0.0, 10.0, 49_990.0));
        assert_eq!(*band.middle.last().unwrap(), 4999.0);
    }
}
