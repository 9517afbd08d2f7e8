//! Search one element at a time: a change moves the inner products by one term, whatever L, M and T.

use std::sync::Arc;

use super::information::Inner;
use super::task::Task;
use crate::design::Design;
use crate::problem::Evaluation;
use crate::structure::Incremental;

/// Tables up to this many entries are worth their memory.
const LARGEST_TABLE: usize = 1 << 14;
/// Tables of pairs up to this many entries stay in the fastest cache.
const LARGEST_PAIR_TABLE: usize = 1 << 9;

/// A design under search.
pub(super) struct Walker {
    task: Arc<Task>,
    levels: Vec<u32>,
    inner: Inner,
    /// (y, z) of each element.
    places: Vec<(f64, f64)>,
    /// What each element adds at each level; empty where that would be long.
    terms: Vec<Inner>,
    /// What elements 2i and 2i + 1 add together, at each pair of levels; empty where that would be long.
    pairs: Vec<Inner>,
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
            pairs: Vec::new(),
        };
        if elements * system.phasors.len() <= LARGEST_TABLE {
            let levels = system.phasors.len() as u32;
            it.terms =
                (0..elements).flat_map(|l| (0..levels).map(move |s| (l, s))).map(|(l, s)| it.term(l, s)).collect();
            let count = levels as usize;
            if elements / 2 * count * count <= LARGEST_PAIR_TABLE {
                let rows = it.terms.chunks_exact(2 * count).map(|both| both.split_at(count));
                it.pairs = rows.flat_map(|(a, b)| a.iter().flat_map(|a| b.iter().map(|b| a.plus(b)))).collect();
            }
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
        let count = self.task.system.phasors.len();
        let mut inner = Inner::default();
        if !self.pairs.is_empty() {
            let pairs = self.levels.chunks_exact(2);
            if let [last] = pairs.remainder() {
                inner = self.terms[self.terms.len() - count + *last as usize];
            }
            for (table, pair) in self.pairs.chunks_exact(count * count).zip(pairs) {
                inner = inner.plus(&table[pair[0] as usize * count + pair[1] as usize]);
            }
        } else {
            for (l, level) in self.levels.iter().enumerate() {
                inner = inner.plus(&self.term(l, *level));
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
