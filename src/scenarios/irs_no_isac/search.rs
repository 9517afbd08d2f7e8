//! Search one element at a time: a change moves the inner products by one term, whatever L, M and T.

use std::sync::Arc;

use super::information::Inner;
use super::task::Task;
use crate::design::Design;
use crate::problem::Evaluation;
use crate::structure::Incremental;

/// Tables up to this many entries are worth their memory.
const LARGEST_TABLE: usize = 1 << 14;

/// A design under search.
pub(super) struct Walker {
    task: Arc<Task>,
    levels: Vec<u32>,
    inner: Inner,
    /// (y, z) of each element.
    places: Vec<(f64, f64)>,
    /// What each element adds at each level; empty where that would be long.
    terms: Vec<Inner>,
}

/// The whole number that a level is; levels lie in their domain, far below 2^32.
#[inline(always)]
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
        let mut it = Self {
            task: Arc::clone(task),
            levels: vec![0; elements],
            inner: Inner::default(),
            places,
            terms: Vec::new(),
        };
        if elements * system.phasors.len() <= LARGEST_TABLE {
            let levels = system.phasors.len() as u32;
            it.terms =
                (0..elements).flat_map(|l| (0..levels).map(move |s| (l, s))).map(|(l, s)| it.term(l, s)).collect();
        }
        it
    }

    #[inline(always)]
    fn term(&self, element: usize, level: u32) -> Inner {
        let system = &self.task.system;
        if let Some(term) = self.terms.get(element * system.phasors.len() + level as usize) {
            return *term;
        }
        let (y, z) = self.places[element];
        let gain = system.coefficients[element] * system.phasors[level as usize];
        Inner { gain, y: gain * y, z: gain * z }
    }

    #[inline(always)]
    fn moved(&self, coordinate: usize, level: u32) -> Inner {
        let (new, old) = (self.term(coordinate, level), self.term(coordinate, self.levels[coordinate]));
        let Inner { gain, y, z } = self.inner;
        Inner { gain: gain + (new.gain - old.gain), y: y + (new.y - old.y), z: z + (new.z - old.z) }
    }
}

impl Incremental for Walker {
    fn load(&mut self, design: &Design) -> Evaluation {
        for (level, x) in self.levels.iter_mut().zip(design.iter()) {
            *level = whole(*x);
        }
        let mut inner = Inner::default();
        let mut add = |term: &Inner| {
            inner.gain += term.gain;
            inner.y += term.y;
            inner.z += term.z;
        };
        if self.terms.is_empty() {
            self.levels.iter().enumerate().for_each(|(l, level)| add(&self.term(l, *level)));
        } else {
            let (count, mut row) = (self.task.system.phasors.len(), 0);
            for level in &self.levels {
                add(&self.terms[row + *level as usize]);
                row += count;
            }
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
