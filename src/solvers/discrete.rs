//! Searches over discrete blocks: one coordinate changes at a time. The problem's [`Incremental`] state judges a
//! change where there is one, a full evaluation where not.

use std::sync::Arc;

use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::optimizer::Budget;
use crate::problem::{Evaluation, Evaluator, Problem};
use crate::structure::Incremental;

/// Rounding may feign improvements, but none as large as this: relative, and absolute below 1 for an incremental state,
/// whose errors add up.
const ROUNDING: f64 = 1e-12;

/// A coordinate that takes levels from 0, `step` apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LevelCoordinate {
    /// Where it stands in a design.
    pub index: usize,
    /// How many levels it takes.
    pub levels: u32,
    /// The distance of its levels.
    pub step: f64,
}

impl LevelCoordinate {
    /// What a level stands for in a design.
    pub(crate) fn value(&self, level: f64) -> f64 {
        level * self.step
    }

    /// The level that a design's entry stands for.
    pub(crate) fn level(&self, value: f64) -> f64 {
        (value / self.step).round()
    }
}

/// The free discrete coordinates of a problem.
pub(crate) fn level_coordinates(problem: &Problem) -> Vec<LevelCoordinate> {
    let space = problem.model().space();
    let free = space.blocks().iter().enumerate().filter(|(_, b)| !problem.spec().fixed.contains_key(&b.name));
    free.flat_map(|(block, b)| {
        let (levels, step) = b.domain.levels().unwrap_or((0, 1.0));
        let range = if levels == 0 { 0..0 } else { space.range(block) };
        range.map(move |index| LevelCoordinate { index, levels, step })
    })
    .collect()
}

enum Judge {
    Incremental(Box<dyn Incremental>),
    Whole(Evaluator),
}

/// A design under search.
pub(crate) struct DiscreteSearch {
    problem: Arc<Problem>,
    coordinates: Vec<LevelCoordinate>,
    judge: Judge,
    /// +1 where more is better.
    sign: f64,
    design: Design,
    value: Evaluation,
    evaluations: u64,
}

impl DiscreteSearch {
    /// Takes a design as the first state. One evaluation.
    pub(crate) fn new(problem: &Arc<Problem>, design: Design) -> Result<Self> {
        let judge = match &problem.structure().incremental {
            Ok(factory) => Judge::Incremental(factory()),
            Err(_) => Judge::Whole(problem.evaluator()),
        };
        let value = Evaluation { objective: f64::NAN, violation: f64::INFINITY };
        let coordinates = level_coordinates(problem);
        let sign = problem.direction().sign();
        let mut it = Self { problem: Arc::clone(problem), coordinates, judge, sign, design, value, evaluations: 0 };
        it.reload()?;
        Ok(it)
    }

    /// The coordinates that it may change.
    pub(crate) fn coordinates(&self) -> &[LevelCoordinate] {
        &self.coordinates
    }

    /// The state.
    pub(crate) fn design(&self) -> &Design {
        &self.design
    }

    /// The state's value.
    pub(crate) fn value(&self) -> Evaluation {
        self.value
    }

    /// Designs judged so far.
    pub(crate) fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Another state.
    pub(crate) fn load(&mut self, design: &Design) -> Result<Evaluation> {
        self.design.copy_from(design);
        self.reload()
    }

    /// A random state: all free levels uniform.
    pub(crate) fn randomize(&mut self, random: &mut RandomStream) -> Result<Evaluation> {
        for coordinate in &self.coordinates {
            self.design[coordinate.index] = coordinate.value((f64::from(coordinate.levels) * random.uniform()).floor());
        }
        self.reload()
    }

    /// Judges the state afresh: what small steps lost in rounding is restored.
    pub(crate) fn reload(&mut self) -> Result<Evaluation> {
        self.evaluations += 1;
        self.value = match &mut self.judge {
            Judge::Incremental(state) => state.load(&self.design),
            Judge::Whole(judge) => judge.evaluate(&self.design)?,
        };
        Ok(self.value)
    }

    /// The value after changing one coordinate, by its place in [`DiscreteSearch::coordinates`].
    #[inline]
    pub(crate) fn peek(&mut self, coordinate: usize, level: f64) -> Result<Evaluation> {
        self.evaluations += 1;
        let index = self.coordinates[coordinate].index;
        match &mut self.judge {
            Judge::Incremental(state) => Ok(state.peek(index, level)),
            Judge::Whole(judge) => {
                let before = std::mem::replace(&mut self.design[index], level);
                let value = judge.evaluate(&self.design);
                self.design[index] = before;
                value
            }
        }
    }

    /// Changes one coordinate to what [`DiscreteSearch::peek`] has judged.
    pub(crate) fn set(&mut self, coordinate: usize, level: f64, value: Evaluation) {
        let index = self.coordinates[coordinate].index;
        self.design[index] = level;
        self.value = match &mut self.judge {
            Judge::Incremental(state) => state.set(index, level),
            Judge::Whole(_) => value,
        };
    }

    /// How far apart two objectives are, as rounding is measured.
    #[inline]
    fn step(&self, new: &Evaluation, old: &Evaluation) -> f64 {
        match self.judge {
            Judge::Incremental(_) => (new.objective - old.objective).abs() / old.objective.abs().max(1.0),
            Judge::Whole(_) => self.problem.change(new.objective, old.objective),
        }
    }

    /// Whether a value is better than another by more than rounding.
    #[inline]
    pub(crate) fn improves(&self, new: &Evaluation, old: &Evaluation) -> bool {
        self.problem.better(new, old)
            && (self.step(new, old) > ROUNDING
                || (new.violation - old.violation).abs() > ROUNDING
                || !old.objective.is_finite())
    }

    /// Coordinate descent to a design that no change of one coordinate improves; each coordinate in turn takes its
    /// best level. Whether it arrived before the budget's end, of which `before` is spent already.
    pub(crate) fn descend(&mut self, budget: &Budget, before: u64) -> Result<bool> {
        let first = self.evaluations;
        let count = self.coordinates.len();
        let (mut at, mut unchanged) = (0, 0);
        while unchanged < count {
            if budget.exhausted(before + self.evaluations - first) {
                return Ok(false);
            }
            let coordinate = self.coordinates[at];
            let LevelCoordinate { index, levels, .. } = coordinate;
            let current = self.design[index];
            let mut best = (self.value, current);
            for level in (0..levels).map(|l| coordinate.value(f64::from(l))).filter(|level| *level != current) {
                let value = self.peek(at, level)?;
                // Most changes make a feasible design worse: one comparison tells.
                let worse = best.0.violation == 0.0 && self.sign * value.objective <= self.sign * best.0.objective;
                if !worse && self.improves(&value, &best.0) {
                    best = (value, level);
                }
            }
            unchanged += 1;
            if best.1 != current {
                self.set(at, best.1, best.0);
                // This coordinate is at its best as long as no other one changes.
                unchanged = 1;
            }
            at = (at + 1) % count;
        }
        self.reload()?;
        Ok(true)
    }

    /// The first change of two coordinates that improves the state, made; whether there was one before the budget's
    /// end. Costs up to `(n levels)^2 / 2` evaluations.
    pub(crate) fn exchange(&mut self, budget: &Budget, before: u64) -> Result<bool> {
        let first = self.evaluations;
        let start = self.value;
        for i in 0..self.coordinates.len() {
            let coordinate = self.coordinates[i];
            let LevelCoordinate { index, levels, .. } = coordinate;
            let current = self.design[index];
            for level in (0..levels).map(|l| coordinate.value(f64::from(l))).filter(|level| *level != current) {
                if budget.exhausted(before + self.evaluations - first) {
                    return Ok(false);
                }
                let between = self.peek(i, level)?;
                self.set(i, level, between);
                for j in i + 1..self.coordinates.len() {
                    let second = self.coordinates[j];
                    let old = self.design[second.index];
                    for other in (0..second.levels).map(|l| second.value(f64::from(l))).filter(|other| *other != old) {
                        let value = self.peek(j, other)?;
                        if self.improves(&value, &start) {
                            self.set(j, other, value);
                            return Ok(true);
                        }
                    }
                }
                self.set(i, current, start);
            }
        }
        Ok(false)
    }
}
