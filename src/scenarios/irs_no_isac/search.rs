//! Search one element at a time: a change moves the inner products by one term, whatever L, M and T.

use std::sync::Arc;

use num_complex::Complex;

use super::information::Inner;
use super::task::Task;
use crate::design::Design;
use crate::problem::Evaluation;
use crate::structure::Incremental;

/// A design under search.
pub(super) struct Walker {
    task: Arc<Task>,
    levels: Vec<u32>,
    inner: Inner,
    /// (y, z) of each element.
    places: Vec<(f64, f64)>,
}

impl Walker {
    /// A workspace of a problem.
    pub fn new(task: &Arc<Task>) -> Self {
        let instance = &task.system.instance;
        let columns = instance.irs.vertical;
        let places = (0..instance.irs.len()).map(|l| ((l / columns) as f64, (l % columns) as f64)).collect();
        Self { task: Arc::clone(task), levels: vec![0; instance.irs.len()], inner: Inner::default(), places }
    }

    #[inline]
    fn moved(&self, coordinate: usize, level: u32) -> Inner {
        let mut inner = self.inner;
        let system = &self.task.system;
        let turn: Complex<f64> = system.phasors[level as usize] - system.phasors[self.levels[coordinate] as usize];
        let (y, z) = self.places[coordinate];
        inner.add(turn * system.coefficients[coordinate], y, z);
        inner
    }
}

impl Incremental for Walker {
    fn load(&mut self, design: &Design) -> Evaluation {
        let count = self.levels.len();
        for (level, x) in self.levels.iter_mut().zip(&design[..count]) {
            *level = *x as u32;
        }
        self.inner = self.task.system.inner(&design[..count]);
        self.task.evaluate(&self.inner)
    }

    fn peek(&self, coordinate: usize, value: f64) -> Evaluation {
        self.task.evaluate(&self.moved(coordinate, value as u32))
    }

    fn set(&mut self, coordinate: usize, value: f64) -> Evaluation {
        self.inner = self.moved(coordinate, value as u32);
        self.levels[coordinate] = value as u32;
        self.task.evaluate(&self.inner)
    }
}
