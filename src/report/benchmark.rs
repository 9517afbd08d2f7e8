//! Convergence statistics over many problems: performance profiles, data profiles, empirical distributions of the effort
//! to reach targets, success rates and expected running times.
//!
//! A problem is a trial of a sweep point that every solver has been run on and at least one solved to feasibility. A
//! target is a relative gap to the problem's [reference](Reference); a run hits it with the first record of its trace
//! whose best feasible design is that close. A run that never does, whatever its end, counts as unsolved.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::convergence::Effort;
use super::study::Study;
use crate::error::Result;
use crate::problem::FEASIBLE;
use crate::results::RunRecord;

/// The gaps that distributions count over: from 1 to 1e-6, four a decade.
pub const TARGETS: usize = 25;
/// The gaps at which the page offers profiles.
pub const PROFILE_TARGETS: [f64; 5] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-6];
/// The gap of a profile where nobody chose one.
pub const USUAL_TARGET: f64 = 1e-3;
/// The efforts that runs are compared by.
pub const EFFORTS: [Effort; 2] = [Effort::Evaluations, Effort::Time];
/// No clock here tells shorter times apart.
const SHORTEST: f64 = 1e-9;

/// A target of the grid.
pub fn target(index: usize) -> f64 {
    10f64.powf(-(index as f64) / 4.0)
}

/// The target of the grid nearest to a gap.
pub fn nearest_target(gap: f64) -> usize {
    (-4.0 * gap.log10()).round().clamp(0.0, (TARGETS - 1) as f64) as usize
}

/// What gaps are measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The tightest proven bound; where a problem has none, its best known objective.
    Bound,
    /// The best objective that any solver reached.
    Best,
}

impl Reference {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Bound, Self::Best];

    /// Its name in the page's data and in `[[figure]]` sections.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Best => "best",
        }
    }
}

/// A curve: places and heights.
pub type Curve = Vec<(f64, f64)>;

/// One solver on one problem.
#[derive(Clone, Debug)]
struct Attempt {
    /// By reference and effort: where each target was hit; infinite where it never was.
    hits: [[[f64; TARGETS]; 2]; 2],
    /// The effort spent in all.
    spent: [f64; 2],
}

/// All solvers on one problem.
struct Solved {
    /// By solver.
    attempts: Vec<Attempt>,
    dimension: usize,
    proven: bool,
    cell: usize,
}

/// All solvers on all problems that every one of them has been run on.
#[derive(Clone, Debug)]
pub struct Benchmark {
    /// By solver and problem.
    attempts: Vec<Vec<Attempt>>,
    /// By problem: the real numbers of its design.
    dimensions: Vec<usize>,
    /// By problem: whether its reference is a proven bound.
    proven: Vec<bool>,
    /// By problem: its sweep point.
    cells: Vec<usize>,
}

impl Benchmark {
    /// Reads the traces of a study.
    ///
    /// # Errors
    /// Where a trace cannot be read.
    pub fn read(study: &Study) -> Result<Self> {
        let solvers = study.solvers.len();
        let mut problems: Vec<(usize, u64, Vec<&RunRecord>)> = Vec::new();
        for cell in 0..study.cells.len() {
            let mut trials: Vec<Vec<Option<&RunRecord>>> = Vec::new();
            let mut numbers: Vec<u64> = Vec::new();
            for solver in 0..solvers {
                for record in study.records(cell, solver) {
                    let at = match numbers.binary_search(&record.trial) {
                        Ok(at) => at,
                        Err(at) => {
                            numbers.insert(at, record.trial);
                            trials.insert(at, vec![None; solvers]);
                            at
                        }
                    };
                    trials[at][solver] = Some(record);
                }
            }
            for (trial, records) in numbers.into_iter().zip(trials) {
                let records: Option<Vec<&RunRecord>> = records.into_iter().collect();
                problems.extend(records.map(|records| (cell, trial, records)));
            }
        }
        let solved = problems.into_par_iter().map(|(cell, trial, records)| solved(study, cell, trial, &records));
        let mut benchmark =
            Self { attempts: vec![Vec::new(); solvers], dimensions: Vec::new(), proven: Vec::new(), cells: Vec::new() };
        for problem in solved.collect::<Result<Vec<Option<Solved>>>>()?.into_iter().flatten() {
            benchmark.attempts.iter_mut().zip(problem.attempts).for_each(|(all, attempt)| all.push(attempt));
            benchmark.dimensions.push(problem.dimension);
            benchmark.proven.push(problem.proven);
            benchmark.cells.push(problem.cell);
        }
        Ok(benchmark)
    }

    /// The same over the problems of some sweep points only.
    pub fn within(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.problems()).filter(|p| keep(self.cells[*p])).collect();
        Self {
            attempts: self.attempts.iter().map(|all| kept.iter().map(|p| all[*p].clone()).collect()).collect(),
            dimensions: kept.iter().map(|p| self.dimensions[*p]).collect(),
            proven: kept.iter().map(|p| self.proven[*p]).collect(),
            cells: kept.iter().map(|p| self.cells[*p]).collect(),
        }
    }

    /// The number of solvers.
    pub fn solvers(&self) -> usize {
        self.attempts.len()
    }

    /// The number of problems.
    pub fn problems(&self) -> usize {
        self.proven.len()
    }

    /// How many of them have a proven bound.
    pub fn proven(&self) -> usize {
        self.proven.iter().filter(|p| **p).count()
    }

    /// A solver's performance profile (Dolan and Moré 2002): over the ratio r, the share of problems on which it hits
    /// the target with at most r times the effort of the solver that hits it first.
    pub fn performance_profile(&self, solver: usize, reference: Reference, effort: usize, target: usize) -> Curve {
        let hit = |attempt: &Attempt| floored(attempt.hits[reference as usize][effort][target], effort);
        let ratios = self.attempts[solver].iter().enumerate().map(|(problem, attempt)| {
            let least = self.attempts.iter().map(|all| hit(&all[problem])).fold(f64::INFINITY, f64::min);
            if least.is_finite() { hit(attempt) / least } else { f64::INFINITY }
        });
        cumulative(ratios.collect(), self.problems())
    }

    /// A solver's data profile (Moré and Wild 2009): over k, the share of problems on which it hits the target with at
    /// most k (n + 1) evaluations, n the real numbers of the design: the price of k gradients by differences.
    pub fn data_profile(&self, solver: usize, reference: Reference, target: usize) -> Curve {
        let units = self.attempts[solver].iter().zip(&self.dimensions);
        let units = units.map(|(attempt, n)| attempt.hits[reference as usize][0][target] / (*n as f64 + 1.0));
        cumulative(units.collect(), self.problems())
    }

    /// Over effort, the share of pairs of a problem and a target of the grid that the solver has hit by then.
    pub fn targets_reached(&self, solver: usize, reference: Reference, effort: usize) -> Curve {
        let hits = self.attempts[solver].iter().flat_map(|a| a.hits[reference as usize][effort]);
        cumulative(hits.map(|h| floored(h, effort)).collect(), self.problems() * TARGETS)
    }

    /// Over the target's gap, the share of problems on which the solver hits it.
    pub fn success_rate(&self, solver: usize, reference: Reference) -> Curve {
        let share = |t: usize| {
            let hit = self.attempts[solver].iter().filter(|a| a.hits[reference as usize][0][t].is_finite()).count();
            hit as f64 / self.problems() as f64
        };
        (0..TARGETS).map(|t| (target(t), share(t))).collect()
    }

    /// Over the target's gap, the expected running time: the effort that all runs spent until they hit the target or
    /// ended, over the number of those that hit it (Auger and Hansen 2005). Targets that no run hits are left out.
    pub fn expected_running_time(&self, solver: usize, reference: Reference, effort: usize) -> Curve {
        let at = |t: usize| {
            let hits = self.attempts[solver].iter().map(|a| a.hits[reference as usize][effort][t]);
            let successes = hits.clone().filter(|h| h.is_finite()).count();
            let ended = self.attempts[solver].iter().map(|a| a.spent[effort]);
            let spent: f64 = hits.zip(ended).map(|(hit, end)| if hit.is_finite() { hit } else { end }).sum();
            (successes > 0).then(|| (target(t), floored(spent / successes as f64, effort)))
        };
        (0..TARGETS).filter_map(at).collect()
    }
}

/// Reads the traces of all solvers on a problem; none where no solver found a feasible design.
fn solved(study: &Study, cell: usize, trial: u64, records: &[&RunRecord]) -> Result<Option<Solved>> {
    let feasible = || records.iter().filter(|r| r.feasible && r.objective.value.is_finite());
    let Some(sign) = feasible().next().map(|r| r.objective.direction.sign()) else { return Ok(None) };
    let best = sign * feasible().map(|r| sign * r.objective.value).fold(f64::NEG_INFINITY, f64::max);
    let bound = study.bound(cell, trial);
    let references = [bound.unwrap_or(best), best];
    // A hair of slack: a solver that is at the reference to rounding has hit a target of that size.
    let targets: [f64; TARGETS] = std::array::from_fn(|i| target(i) * (1.0 + 1e-9));
    let mut attempts = Vec::with_capacity(records.len());
    for record in records {
        let mut attempt = Attempt {
            hits: [[[f64::INFINITY; TARGETS]; 2]; 2],
            spent: [record.evaluations as f64, study.folder.times.get(&record.run).copied().unwrap_or(0.0)],
        };
        let mut next = [0; 2];
        for step in study.folder.trace(&record.run)? {
            let efforts = [step.evaluations as f64, step.time];
            attempt.spent = [attempt.spent[0].max(efforts[0]), attempt.spent[1].max(efforts[1])];
            if !(step.violation <= FEASIBLE && step.objective.is_finite()) {
                continue;
            }
            for (kind, reference) in references.iter().enumerate() {
                let behind = sign * (reference - step.objective) > 0.0;
                let gap = if behind { study.gap(step.objective, *reference) } else { 0.0 };
                while next[kind] < TARGETS && gap <= targets[next[kind]] {
                    for (effort, spent) in efforts.iter().enumerate() {
                        attempt.hits[kind][effort][next[kind]] = *spent;
                    }
                    next[kind] += 1;
                }
            }
        }
        attempts.push(attempt);
    }
    let dimension = feasible().find_map(|r| r.dimension()).unwrap_or(1).max(1);
    Ok(Some(Solved { attempts, dimension, proven: bound.is_some(), cell }))
}

/// Efforts of nothing, which a logarithmic axis and a ratio do not know: one evaluation, or the shortest time.
fn floored(effort: f64, kind: usize) -> f64 {
    effort.max(if kind == 0 { 1.0 } else { SHORTEST })
}

/// The steps of a cumulative share: at each place, the share of `all` values at or below it.
fn cumulative(mut values: Vec<f64>, all: usize) -> Curve {
    values.retain(|v| v.is_finite());
    values.sort_by(f64::total_cmp);
    let mut curve: Curve = Vec::new();
    for (i, value) in values.into_iter().enumerate() {
        let share = (i + 1) as f64 / all as f64;
        match curve.last_mut() {
            Some(last) if last.0 == value => last.1 = share,
            _ => curve.push((value, share)),
        }
    }
    curve
}

/// At most `most` steps of a curve, the first and the last among them.
pub fn thinned(curve: Curve, most: usize) -> Curve {
    let count = curve.len();
    if count <= most {
        return curve;
    }
    (0..most).map(|i| curve[i * (count - 1) / (most - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attempt that hits targets 0 to `last` after `evaluations[i]`, and spends `spent` in all.
    fn attempt(evaluations: &[f64], spent: f64) -> Attempt {
        let mut hits = [[[f64::INFINITY; TARGETS]; 2]; 2];
        for (t, e) in evaluations.iter().enumerate() {
            for reference in &mut hits {
                reference[0][t] = *e;
                reference[1][t] = e / 100.0;
            }
        }
        Attempt { hits, spent: [spent, spent / 100.0] }
    }

    /// Two solvers on three problems of one, three and three real numbers.
    fn example() -> Benchmark {
        Benchmark {
            attempts: vec![
                vec![attempt(&[2.0, 4.0], 10.0), attempt(&[8.0, 8.0, 8.0], 8.0), attempt(&[], 20.0)],
                vec![attempt(&[1.0, 8.0, 8.0], 9.0), attempt(&[4.0], 12.0), attempt(&[4.0, 20.0], 30.0)],
            ],
            dimensions: vec![1, 3, 3],
            proven: vec![true, false, true],
            cells: vec![0, 0, 1],
        }
    }

    #[test]
    fn curves_are_those_of_pencil_and_paper() {
        let b = example();
        let (bound, third) = (Reference::Bound, 1.0 / 3.0);
        assert_eq!((b.problems(), b.proven()), (3, 2));
        // Target 1: the first solver needs 4, 8, never; the second 8, never, 20.
        assert_eq!(b.performance_profile(0, bound, 0, 1), [(1.0, 2.0 / 3.0)]);
        assert_eq!(b.performance_profile(1, bound, 0, 1), [(1.0, third), (2.0, 2.0 / 3.0)]);
        assert_eq!(b.performance_profile(1, bound, 1, 1), [(1.0, third), (2.0, 2.0 / 3.0)], "time is in proportion");
        // Target 0: 2, 8, never against 1, 4, 4.
        assert_eq!(b.performance_profile(0, bound, 0, 0), [(2.0, 2.0 / 3.0)]);
        assert_eq!(b.performance_profile(1, bound, 0, 0), [(1.0, 1.0)]);
        // Evaluations over n + 1 of 2, 4, 4.
        assert_eq!(b.data_profile(0, bound, 1), [(2.0, 2.0 / 3.0)]);
        assert_eq!(b.data_profile(1, bound, 1), [(4.0, third), (5.0, 2.0 / 3.0)]);
        // Five hits of 75 pairs.
        let reached = b.targets_reached(0, bound, 0);
        assert_eq!(reached, [(2.0, 1.0 / 75.0), (4.0, 2.0 / 75.0), (8.0, 5.0 / 75.0)]);
        let success = b.success_rate(1, bound);
        assert_eq!(&success[..3], [(1.0, 1.0), (target(1), 2.0 / 3.0), (target(2), third)]);
        assert_eq!(success.len(), TARGETS);
        // Target 1 of the first solver: (4 + 8 + 20) / 2; of the second: (8 + 12 + 20) / 2. Target 2: (10 + 8 + 20) / 1.
        let running = b.expected_running_time(0, bound, 0);
        assert_eq!(running, [(1.0, 15.0), (target(1), 16.0), (target(2), 38.0)]);
        assert_eq!(b.expected_running_time(1, bound, 0)[1], (target(1), 20.0));
        // The first two problems alone.
        let part = b.within(|cell| cell == 0);
        assert_eq!((part.problems(), part.proven()), (2, 1));
        assert_eq!(part.performance_profile(0, bound, 0, 1), [(1.0, 1.0)]);
        assert_eq!(part.data_profile(1, bound, 1), [(4.0, 0.5)]);
    }

    #[test]
    fn targets_lie_on_a_grid_and_curves_are_thinned_between_their_ends() {
        assert_eq!((target(0), target(4), target(24)), (1.0, 0.1, 1e-6));
        assert_eq!([1.0, 1e-2, 3e-7, 50.0].map(nearest_target), [0, 8, 24, 0]);
        let long: Curve = (0..1000).map(|i| (f64::from(i), 0.0)).collect();
        let short = thinned(long, 50);
        assert_eq!((short.len(), short[0].0, short[49].0), (50, 0.0, 999.0));
    }
}
