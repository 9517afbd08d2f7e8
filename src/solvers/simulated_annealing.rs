//! Simulated annealing over discrete and continuous blocks.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coordinates::Coordinates;
use super::discrete::{DiscreteSearch, LevelCoordinate, level_coordinates};
use super::incumbent::{Incumbent, first_design, placed};
use crate::design::Design;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem, STRICT};
use crate::references::KIRKPATRICK;

/// Changes between two looks at the budget.
const POLL: u64 = 64;
/// Random changes that measure the first temperature.
const PROBES: u64 = 40;
/// A walk of small changes is judged afresh after so many of them.
const REFRESH: u64 = 4096;

/// Simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983, doi:10.1126/science.220.4598.671): one coordinate changes
/// at random; what is worse by d is accepted with probability exp(-d / t). The temperature t falls geometrically over
/// `changes` from the spread of random changes (or `initial_temperature`) to `final_ratio` of it. Levels jump to any
/// other; continuous coordinates move by a step that shrinks with the root of the temperature. Judges a change in
/// constant time where all free blocks are discrete and the model offers `incremental`. Infeasible designs are repaired
/// where the model can, else Deb's rules compare. Takes any problem; converges when cold.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatedAnnealing {
    /// Changes tried in one cooling, at least 1.
    pub changes: u64,
    /// First temperature, in the objective's unit; absent: the standard deviation of the objective over random changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_temperature: Option<f64>,
    /// Last temperature over the first, above 0 and below 1.
    pub final_ratio: f64,
    /// Changes in one iteration, at least 1.
    pub batch: u64,
}

impl Default for SimulatedAnnealing {
    fn default() -> Self {
        Self { changes: 10_000, initial_temperature: None, final_ratio: 1e-3, batch: 100 }
    }
}

#[typetag::serde(name = "simulated_annealing")]
impl Optimizer for SimulatedAnnealing {
    fn requires(&self) -> Requirement {
        Requirement::anything()
    }

    fn check(&self) -> Result<()> {
        for (key, count) in [("changes", self.changes), ("batch", self.batch)] {
            if count == 0 {
                return Err(InputError::new(key, "0", "a whole number of at least 1").into());
            }
        }
        if !(self.final_ratio > 0.0 && self.final_ratio < 1.0) {
            return Err(InputError::new("final_ratio", self.final_ratio.to_string(), "above 0 and below 1").into());
        }
        match self.initial_temperature {
            Some(t) if !(t.is_finite() && t > 0.0) => {
                Err(InputError::new("initial_temperature", t.to_string(), "a finite number above 0").into())
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let levels = level_coordinates(&problem);
        let discrete = !levels.is_empty() && levels.len() == problem.free().len();
        let first = match start {
            Some(design) => placed(&problem, design)?,
            None if discrete => problem.random(&mut random),
            None => first_design(&problem, None, &mut random)?,
        };
        let walk = if discrete {
            let search = DiscreteSearch::new(&problem, first.clone())?;
            Walk::Discrete { best: search.value(), best_design: first, search }
        } else {
            let coordinates = Coordinates::free(&problem);
            let incumbent = Incumbent::new(&problem, first.clone(), true)?;
            let mut point = vec![0.0; coordinates.len()];
            coordinates.read(&first, &mut point);
            let value = incumbent.value();
            Walk::Mixed { coordinates, incumbent, point, candidate: first.clone(), current: first, value }
        };
        Ok(Box::new(Annealing { settings: self.clone(), problem, walk, levels, random, first: None, done: 0 }))
    }
}

crate::solver!(SimulatedAnnealing, references = [KIRKPATRICK]);

enum Walk {
    /// All free coordinates are levels.
    Discrete { search: DiscreteSearch, best_design: Design, best: Evaluation },
    /// Any mixture, each candidate judged as a whole.
    Mixed {
        coordinates: Coordinates,
        incumbent: Incumbent,
        /// The current design in search coordinates.
        point: Vec<f64>,
        current: Design,
        candidate: Design,
        value: Evaluation,
    },
}

struct Annealing {
    settings: SimulatedAnnealing,
    problem: Arc<Problem>,
    walk: Walk,
    /// The free discrete coordinates.
    levels: Vec<LevelCoordinate>,
    random: RandomStream,
    /// The first temperature, once known.
    first: Option<f64>,
    done: u64,
}

impl Annealing {
    fn index(random: &mut RandomStream, count: usize) -> usize {
        ((random.uniform() * count as f64) as usize).min(count - 1)
    }

    /// What another level stands for, uniform.
    fn other_level(random: &mut RandomStream, current: f64, coordinate: LevelCoordinate) -> f64 {
        let drawn = Self::index(random, coordinate.levels as usize - 1) as f64;
        coordinate.value(if drawn >= coordinate.level(current) { drawn + 1.0 } else { drawn })
    }

    /// Whether a change is accepted at a temperature, relative to the first one: `share`.
    fn accepts(&mut self, new: &Evaluation, old: &Evaluation, temperature: f64, share: f64) -> bool {
        if !self.problem.better(old, new) {
            return !new.objective.is_nan();
        }
        let worse = match (new.violation <= STRICT, old.violation <= STRICT) {
            (true, true) => (new.objective - old.objective).abs() / temperature,
            // Violations are relative: at the start a tenth more is bearable.
            (false, false) => (new.violation - old.violation) / (0.1 * share),
            _ => return false,
        };
        // NaN: both infinite, or no temperature.
        if worse.is_nan() { new.objective == old.objective } else { self.random.uniform() < (-worse).exp() }
    }

    /// One change tried; `step` is the length of continuous ones.
    fn change(&mut self, temperature: f64, share: f64) -> Result<()> {
        match &mut self.walk {
            Walk::Discrete { search, .. } => {
                let at = Self::index(&mut self.random, search.coordinates().len());
                let coordinate = search.coordinates()[at];
                if coordinate.levels < 2 {
                    return Ok(());
                }
                let level = Self::other_level(&mut self.random, search.design()[coordinate.index], coordinate);
                let (new, old) = (search.peek(at, level)?, search.value());
                if self.accepts(&new, &old, temperature, share)
                    && let Walk::Discrete { search, best_design, best } = &mut self.walk
                {
                    search.set(at, level, new);
                    if self.problem.better(&search.value(), best) {
                        *best = search.value();
                        best_design.copy_from(search.design());
                    }
                }
            }
            Walk::Mixed { coordinates, incumbent, point, current, candidate, value } => {
                let count = point.len() + self.levels.len();
                let at = Self::index(&mut self.random, count.max(1));
                candidate.copy_from(current);
                let mut moved = None;
                if let Some(entry) = point.get_mut(at) {
                    moved = Some(*entry);
                    *entry += share.sqrt() * self.random.normal();
                    coordinates.write(point, candidate);
                } else if let Some(coordinate) = self.levels.get(at - point.len()).filter(|c| c.levels > 1) {
                    candidate[coordinate.index] =
                        Self::other_level(&mut self.random, candidate[coordinate.index], *coordinate);
                }
                self.problem.project(candidate);
                let (new, old) = (incumbent.offer(candidate)?, *value);
                let accepted = self.accepts(&new, &old, temperature, share);
                if let Walk::Mixed { coordinates, point, current, candidate, value, .. } = &mut self.walk {
                    if accepted {
                        *value = new;
                        current.copy_from(candidate);
                        // A repair may have moved all of it.
                        coordinates.read(current, point);
                    } else if let Some(before) = moved {
                        point[at] = before;
                    }
                }
            }
        }
        Ok(())
    }

    /// The spread of the objective over a walk of random changes; the walk then starts over from its best.
    fn measure(&mut self) -> Result<f64> {
        let mut values = Vec::new();
        for _ in 0..PROBES {
            self.change(f64::INFINITY, 1.0)?;
            let objective = match &self.walk {
                Walk::Discrete { search, .. } => search.value().objective,
                Walk::Mixed { value, .. } => value.objective,
            };
            if objective.is_finite() {
                values.push(objective);
            }
        }
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / values.len().max(1) as f64;
        // Without any spread one temperature is as good as another.
        Ok(if variance > 0.0 && variance.is_finite() { variance.sqrt() } else { 1.0 })
    }
}

impl Iterate for Annealing {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.problem.free().is_empty() {
            return Ok(Step::Converged);
        }
        let before = self.evaluations();
        let first = match self.first {
            Some(first) => first,
            None => {
                let first = match self.settings.initial_temperature {
                    Some(first) => first,
                    None => self.measure()?,
                };
                *self.first.insert(first)
            }
        };
        for count in 1..=self.settings.batch {
            if self.done >= self.settings.changes {
                return Ok(Step::Converged);
            }
            let share = self.settings.final_ratio.powf(self.done as f64 / self.settings.changes as f64);
            self.change(first * share, share)?;
            self.done += 1;
            if self.done.is_multiple_of(REFRESH)
                && let Walk::Discrete { search, .. } = &mut self.walk
            {
                search.reload()?;
            }
            let spent = self.evaluations() - before;
            if (count.is_multiple_of(POLL) || budget.evaluations.is_some()) && budget.exhausted(spent) {
                break;
            }
        }
        Ok(Step::Advanced)
    }

    fn best(&self) -> &Design {
        match &self.walk {
            Walk::Discrete { best_design, .. } => best_design,
            Walk::Mixed { incumbent, .. } => incumbent.design(),
        }
    }

    fn evaluations(&self) -> u64 {
        match &self.walk {
            Walk::Discrete { search, .. } => search.evaluations(),
            Walk::Mixed { incumbent, .. } => incumbent.evaluations(),
        }
    }
}
