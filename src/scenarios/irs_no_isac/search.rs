//! Search one element at a time: a change moves the inner products by one term, whatever L, M and T.

use std::sync::Arc;

use num_complex::Complex;

use super::information::Inner;
use super::task::Task;
use crate::design::Design;
use crate::problem::Evaluation;
use crate::structure::Incremental;

/// Tables up to this many entries are worth their memory.
const LARGEST_TABLE: usize = 1 << 16;

/// A design under search.
pub(super) struct Walker {
    task: Arc<Task>,
    levels: Vec<u32>,
    inner: Inner,
    /// (y, z) of each element.
    places: Vec<(f64, f64)>,
    /// `c_l w^s` of each element and level; empty where that would be long.
    terms: Vec<Complex<f64>>,
}

/// The whole number that a level is; levels lie in their domain, far below 2^32.
#[inline]
fn whole(level: f64) -> u32 {
    // At 2^52 the unit is the last bit: no rounding, and no test for what cannot be.
    (level + 4_503_599_627_370_496.0).to_bits() as u32
}

impl Walker {
    /// A workspace of a problem.
    pub fn new(task: &Arc<Task>) -> Self {
        let system = &task.system;
        let elements = system.coefficients.len();
        let columns = system.instance.irs.vertical;
        let places = (0..elements).map(|l| ((l / columns) as f64, (l % columns) as f64)).collect();
        let mut terms = Vec::new();
        if elements * system.phasors.len() <= LARGEST_TABLE {
            terms.extend(system.coefficients.iter().flat_map(|c| system.phasors.iter().map(move |w| c * w)));
        }
        Self { task: Arc::clone(task), levels: vec![0; elements], inner: Inner::default(), places, terms }
    }

    #[inline]
    fn term(&self, element: usize, level: u32) -> Complex<f64> {
        let system = &self.task.system;
        match self.terms.is_empty() {
            false => self.terms[element * system.phasors.len() + level as usize],
            true => system.coefficients[element] * system.phasors[level as usize],
        }
    }

    #[inline]
    fn moved(&self, coordinate: usize, level: u32) -> Inner {
        let mut inner = self.inner;
        let turn = self.term(coordinate, level) - self.term(coordinate, self.levels[coordinate]);
        let (y, z) = self.places[coordinate];
        inner.add(turn, y, z);
        inner
    }
}

impl Incremental for Walker {
    fn load(&mut self, design: &Design) -> Evaluation {
        let mut inner = Inner::default();
        for l in 0..self.levels.len() {
            let level = whole(design[l]);
            self.levels[l] = level;
            let (y, z) = self.places[l];
            inner.add(self.term(l, level), y, z);
        }
        self.inner = inner;
        self.task.evaluate(&self.inner)
    }

    fn peek(&self, coordinate: usize, value: f64) -> Evaluation {
        self.task.evaluate(&self.moved(coordinate, whole(value)))
    }

    fn set(&mut self, coordinate: usize, value: f64) -> Evaluation {
        let level = whole(value);
        self.inner = self.moved(coordinate, level);
        self.levels[coordinate] = level;
        self.task.evaluate(&self.inner)
    }
}
