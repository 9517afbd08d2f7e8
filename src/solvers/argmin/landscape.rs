//! The problem as a cost without limits in search coordinates, as argmin takes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::argmin::core as engine;

use crate::design::Design;
use crate::error::{Error, Result};
use crate::optimizer::Budget;
use crate::problem::STRICT;
use crate::solvers::augmented_lagrangian::AugmentedLagrangian;
use crate::solvers::coordinates::Coordinates;
use crate::solvers::incumbent::Incumbent;
use crate::structure::Gradient;

/// What stands for a value that is no number: argmin's methods compare and add costs.
const HUGE: f64 = 1e100;

/// A line search that looks at more points than this has gone astray.
const LINE_SEARCH_LOOKS: u64 = 60;

/// How far inside the limits the augmented Lagrangian aims, relative to them.
pub(super) const MARGIN: f64 = 1e-7;

/// The problem as a cost without limits in search coordinates, and what is known of it.
pub(super) struct Landscape {
    pub(super) incumbent: Incumbent,
    pub(super) coordinates: Coordinates,
    pub(super) lagrangian: Option<AugmentedLagrangian>,
    /// Gradients, and how many evaluations one look at them counts for.
    pub(super) derivatives: Option<(Box<dyn Gradient>, u64)>,
    pub(super) sign: f64,
    pub(super) trial: Design,
    pub(super) limits: Vec<f64>,
    /// The last look at derivatives.
    pub(super) last: Look,
    pub(super) of_design: Vec<f64>,
    pub(super) jacobian: Vec<f64>,
    pub(super) looks: u64,
    /// The best of this round.
    pub(super) best: Best,
    pub(super) watch: Watch,
}

#[derive(Default)]
pub(super) struct Look {
    pub(super) point: Vec<f64>,
    pub(super) cost: f64,
    pub(super) slope: Vec<f64>,
}

#[derive(Default)]
pub(super) struct Best {
    pub(super) point: Vec<f64>,
    pub(super) cost: f64,
    pub(super) objective: f64,
    pub(super) limits: Vec<f64>,
}

/// What one step may still do.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) budget: Budget,
    /// Evaluations before the step.
    pub(super) before: u64,
    pub(super) looks_before: u64,
    /// argmin insists on the values of a first simplex.
    pub(super) lenient: bool,
    /// The budget ended the step.
    pub(super) cut: bool,
    pub(super) error: Option<Error>,
}

/// Why a cost is not given: the step is over.
#[derive(Debug)]
pub(super) struct Enough;

impl std::fmt::Display for Enough {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the step is over")
    }
}

impl std::error::Error for Enough {}

impl Landscape {
    pub(super) fn evaluations(&self) -> u64 {
        self.incumbent.evaluations() + self.looks * self.derivatives.as_ref().map_or(0, |(_, price)| *price)
    }

    /// Whether the step must end before another evaluation.
    fn over(&mut self) -> bool {
        let spent = self.evaluations() - self.watch.before;
        self.watch.cut |= self.watch.error.is_some() || self.watch.budget.exhausted(spent);
        self.watch.cut
    }

    fn cost(&mut self, point: &[f64]) -> Result<f64, Enough> {
        if self.over() {
            return if self.watch.lenient { Ok(HUGE) } else { Err(Enough) };
        }
        if point.iter().any(|z| !z.is_finite()) {
            return Ok(HUGE);
        }
        if self.derivatives.is_some() {
            return self.look(point).map(|()| self.last.cost);
        }
        self.coordinates.write(point, &mut self.trial);
        let value = match self.incumbent.offer(&mut self.trial) {
            Ok(value) => value,
            Err(error) => return self.fail(error),
        };
        self.limits.clear();
        self.incumbent.judge().misses(&mut self.limits);
        let cost = self.sum(value.objective, value.violation);
        self.keep(point, cost, value.objective);
        Ok(cost)
    }

    fn fail(&mut self, error: Error) -> Result<f64, Enough> {
        self.watch.error = Some(error);
        if self.watch.lenient { Ok(HUGE) } else { Err(Enough) }
    }

    /// The cost of an objective and the limits that stand in `self.limits`.
    fn sum(&mut self, objective: f64, violation: f64) -> f64 {
        let cost = match &self.lagrangian {
            Some(lagrangian) => {
                self.limits.iter_mut().for_each(|c| *c += MARGIN);
                lagrangian.value(-self.sign * objective, &self.limits)
            }
            None if violation <= STRICT => -self.sign * objective,
            // A repair that did not succeed.
            None => 0.1 * HUGE * (1.0 + violation.min(1.0)),
        };
        if cost.is_nan() { HUGE } else { cost.clamp(-HUGE, HUGE) }
    }

    fn keep(&mut self, point: &[f64], cost: f64, objective: f64) -> bool {
        let better = cost < self.best.cost;
        if better {
            self.best.point.clear();
            self.best.point.extend_from_slice(point);
            (self.best.cost, self.best.objective) = (cost, objective);
            self.best.limits.clone_from(&self.limits);
        }
        better
    }

    /// Cost and slope at a point, into `self.last`.
    fn look(&mut self, point: &[f64]) -> Result<(), Enough> {
        if self.last.point == point {
            return Ok(());
        }
        if self.looks - self.watch.looks_before >= LINE_SEARCH_LOOKS {
            return Err(Enough);
        }
        self.looks += 1;
        let Some((derivatives, _)) = &mut self.derivatives else { return Err(Enough) };
        self.coordinates.write(point, &mut self.trial);
        let length = self.trial.len();
        self.of_design.fill(0.0);
        let objective = derivatives.objective(&self.trial, &mut self.of_design);
        self.of_design.iter_mut().for_each(|g| *g *= -self.sign);
        if objective.is_finite() {
            self.jacobian.fill(0.0);
            derivatives.constraints(&self.trial, &mut self.limits, &mut self.jacobian);
        }
        let cost = if objective.is_finite() { self.sum(objective, 0.0) } else { HUGE };
        if let Some(lagrangian) = &self.lagrangian {
            for (row, c) in self.limits.iter().enumerate() {
                let weight = lagrangian.slope(row, *c);
                if weight > 0.0 {
                    let slope = &self.jacobian[row * length..(row + 1) * length];
                    self.of_design.iter_mut().zip(slope).for_each(|(g, s)| *g += weight * s);
                }
            }
        }
        self.last.point.clear();
        self.last.point.extend_from_slice(point);
        self.last.cost = cost;
        self.coordinates.pull(point, &self.of_design, &mut self.last.slope);
        if cost >= HUGE || self.last.slope.iter().any(|g| !g.is_finite()) {
            self.last.cost = HUGE;
            self.last.slope.fill(0.0);
        } else if self.keep(point, cost, objective)
            && let Err(error) = self.incumbent.offer(&mut self.trial)
        {
            self.watch.error = Some(error);
        }
        Ok(())
    }
}

/// The landscape as argmin takes it.
#[derive(Clone)]
pub(super) struct Bridge(pub(super) Arc<Mutex<Landscape>>);

impl Bridge {
    pub(super) fn lock(&self) -> MutexGuard<'_, Landscape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl engine::CostFunction for Bridge {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> Result<f64, engine::Error> {
        Ok(self.lock().cost(point)?)
    }
}

impl engine::Gradient for Bridge {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, point: &Vec<f64>) -> Result<Vec<f64>, engine::Error> {
        let mut it = self.lock();
        it.look(point)?;
        Ok(it.last.slope.clone())
    }
}
