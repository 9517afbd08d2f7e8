//! A CMA-ES run on a problem: candidates become designs, are judged and ranked.

use super::cma_es::{CmaEs, End};
use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::optimizer::Budget;
use crate::problem::{Evaluation, STRICT};
use crate::solvers::augmented_lagrangian::AugmentedLagrangian;
use crate::solvers::coordinates::Coordinates;
use crate::solvers::incumbent::Incumbent;

/// Candidates that miss a limit by more than this (relative) are ranked behind all others, by their violation; the
/// augmented Lagrangian compares those nearer to it.
const FAR: f64 = 1.0;

/// One run.
pub(super) struct Population {
    run: CmaEs,
    point: Vec<f64>,
    design: Design,
    ranks: Vec<(u8, f64)>,
    order: Vec<usize>,
    objectives: Vec<f64>,
    misses: Vec<f64>,
    lagrangian: Option<AugmentedLagrangian>,
    /// The weight of the largest miss, once the multipliers are known.
    penalty: Option<f64>,
    mean_value: f64,
    /// How good the last generation's best was: near the limits, far from them, or undefined.
    class: u8,
}

impl Population {
    /// A run from a search point. `design` carries the fixed blocks.
    pub(super) fn new(point: &[f64], sigma: f64, population: usize, design: &Design, limits: usize) -> Self {
        Self {
            run: CmaEs::new(point, sigma, population),
            point: point.to_vec(),
            design: design.clone(),
            ranks: Vec::new(),
            order: Vec::new(),
            objectives: Vec::new(),
            misses: Vec::new(),
            lagrangian: (limits > 0).then(|| AugmentedLagrangian::new(limits, 1.0)),
            penalty: None,
            mean_value: f64::NAN,
            class: 0,
        }
    }

    /// One generation. None where the budget ended in it; else whether the run is over.
    pub(super) fn step(
        &mut self,
        coordinates: &Coordinates,
        incumbent: &mut Incumbent,
        random: &mut RandomStream,
        budget: &Budget,
        sign: f64,
    ) -> Result<Option<Option<End>>> {
        let before = incumbent.evaluations();
        let population = self.run.population();
        self.ranks.clear();
        self.objectives.clear();
        self.misses.clear();
        for candidate in 0..population {
            if candidate > 0 && budget.exhausted(incumbent.evaluations() - before) {
                return Ok(None);
            }
            self.run.draw(candidate, random, &mut self.point);
            coordinates.write(&self.point, &mut self.design);
            let value = incumbent.offer(&mut self.design)?;
            self.objectives.push(-sign * value.objective);
            if self.lagrangian.is_some() {
                incumbent.judge().misses(&mut self.misses);
            }
            self.ranks.push(rank(&value, sign));
        }
        if self.lagrangian.is_some() {
            self.rank_by_lagrangian(coordinates, incumbent, sign)?;
        }
        self.order.clear();
        self.order.extend(0..population);
        let ranks = &self.ranks;
        self.order.sort_by(|a, b| ranks[*a].0.cmp(&ranks[*b].0).then(ranks[*a].1.total_cmp(&ranks[*b].1)));
        if ranks[self.order[0]].0 != self.class {
            self.class = ranks[self.order[0]].0;
            self.run.forget();
        }
        let (best, worst) = (ranks[self.order[0]], ranks[self.order[population - 1]]);
        let middle = ranks[self.order[(7 * population / 10).min(population - 1)]];
        self.run.learn(&self.order, best.1);
        if middle == best {
            self.run.lengthen();
        }
        let spread = if best.0 == worst.0 { worst.1 - best.1 } else { f64::INFINITY };
        let end = self.run.end(spread, self.lagrangian.is_none() || self.penalty.is_some());
        if let (Some(End::Settled), Some(lagrangian), None) = (end, &self.lagrangian, self.penalty) {
            // The Lagrangian's minimum lies next to the limits, on either side. An exact penalty leads onto them.
            self.penalty = Some(2.0 * lagrangian.total());
            self.run.widen(100.0);
            return Ok(Some(None));
        }
        Ok(Some(end))
    }

    fn rank_by_lagrangian(&mut self, coordinates: &Coordinates, incumbent: &mut Incumbent, sign: f64) -> Result<()> {
        let Some(lagrangian) = &mut self.lagrangian else { return Ok(()) };
        let population = self.objectives.len();
        let limits = self.misses.len() / population;
        let dimension = self.point.len();
        if self.mean_value.is_nan() {
            let misses = &self.misses;
            let near: Vec<usize> =
                (0..population).filter(|k| misses[k * limits..(k + 1) * limits].iter().all(|c| *c <= FAR)).collect();
            let spread = quartiles(near.iter().map(|k| self.objectives[*k]));
            let squares = (0..limits).map(|i| quartiles(near.iter().map(|k| misses[k * limits + i].powi(2))));
            lagrangian.scale(dimension, spread, squares);
        }
        for (k, rank) in self.ranks.iter_mut().enumerate() {
            let misses = &self.misses[k * limits..(k + 1) * limits];
            let worst = misses.iter().fold(0.0, |w: f64, c| w.max(*c));
            let value = match self.penalty {
                Some(penalty) => self.objectives[k] + penalty * worst,
                None => lagrangian.value(self.objectives[k], misses),
            };
            *rank = match (value.is_finite(), worst > FAR) {
                (true, false) => (0, value),
                (_, true) if rank.0 < 2 => (1, worst),
                _ => (2, 0.0),
            };
        }
        if self.penalty.is_some() {
            return Ok(());
        }
        // The multipliers follow the centre of the distribution.
        coordinates.write(self.run.mean(), &mut self.design);
        let value = incumbent.offer(&mut self.design)?;
        self.misses.clear();
        incumbent.judge().misses(&mut self.misses);
        let objective = -sign * value.objective;
        if self.misses.iter().any(|c| *c > FAR) || !objective.is_finite() {
            return Ok(());
        }
        let change = lagrangian.value(objective, &self.misses) - self.mean_value;
        lagrangian.adapt(&self.misses, if change.is_finite() { change } else { 0.0 }, dimension);
        self.mean_value = lagrangian.value(objective, &self.misses);
        Ok(())
    }
}

/// Deb's rules as an order: feasible ones by their objective, then infeasible ones by their violation, then the rest.
fn rank(value: &Evaluation, sign: f64) -> (u8, f64) {
    if value.objective.is_nan() {
        (2, 0.0)
    } else if value.violation <= STRICT {
        (0, -sign * value.objective)
    } else {
        (1, value.violation)
    }
}

/// The distance between the quartiles of finite values.
fn quartiles(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n => sorted[(3 * n / 4).min(n - 1)] - sorted[n / 4],
    }
}
