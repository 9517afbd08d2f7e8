//! Derivatives of problems that offer none: central differences, one-sided at the edge of a domain.

use std::sync::Arc;

use crate::design::{Design, Domain};
use crate::problem::{Evaluator, Problem};
use crate::structure::Gradient;

/// Derivatives from evaluations: `2 n` of them for n free coordinates.
pub(crate) struct FiniteDifferences {
    judge: Evaluator,
    lower: Vec<f64>,
    upper: Vec<f64>,
    scale: Vec<f64>,
    moved: Design,
    rows: usize,
    /// Objective, then limits, at a design and at its two neighbours.
    values: [Vec<f64>; 3],
    jacobian: Vec<f64>,
}

impl FiniteDifferences {
    /// Differences of a problem.
    pub(crate) fn new(problem: &Arc<Problem>, design: &Design) -> Self {
        let space = problem.model().space();
        let length = space.len();
        let (mut lower, mut upper) = (vec![f64::NEG_INFINITY; length], vec![f64::INFINITY; length]);
        let mut scale = vec![1.0; length];
        for (index, block) in space.blocks().iter().enumerate() {
            let range = space.range(index);
            scale[range.clone()].fill(if block.scale.is_finite() && block.scale > 0.0 { block.scale } else { 1.0 });
            match &block.domain {
                Domain::NonNegative => lower[range].fill(0.0),
                Domain::Box { lower: low, upper: high } => {
                    lower[range.clone()].copy_from_slice(low);
                    upper[range].copy_from_slice(high);
                }
                Domain::Phase => scale[range].fill(1.0),
                _ => {}
            }
        }
        let rows = problem.limits();
        Self {
            judge: problem.evaluator(),
            lower,
            upper,
            scale,
            moved: design.clone(),
            rows,
            values: Default::default(),
            jacobian: vec![0.0; rows * length],
        }
    }

    fn take(judge: &mut Evaluator, design: &Design, values: &mut Vec<f64>) {
        values.clear();
        match judge.evaluate(design) {
            Ok(evaluation) => values.push(evaluation.objective),
            Err(_) => values.push(f64::NAN),
        }
        judge.misses(values);
    }
}

impl Gradient for FiniteDifferences {
    fn rows(&self) -> usize {
        self.rows
    }

    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
        let [here, below, above] = &mut self.values;
        Self::take(&mut self.judge, design, here);
        self.moved.copy_from(design);
        if !here[0].is_finite() {
            return here[0];
        }
        let problem = Arc::clone(self.judge.problem());
        for &i in problem.free() {
            let x = design[i];
            let step = 1e-6 * x.abs().max(1e-2 * self.scale[i]);
            let (low, high) = ((x - step).max(self.lower[i]), (x + step).min(self.upper[i]));
            if high <= low {
                gradient[i] = 0.0;
                continue;
            }
            let mut at = |value: f64, out: &mut Vec<f64>| {
                if value == x {
                    out.clone_from(here);
                } else {
                    self.moved[i] = value;
                    Self::take(&mut self.judge, &self.moved, out);
                }
            };
            at(low, below);
            at(high, above);
            self.moved[i] = x;
            gradient[i] = (above[0] - below[0]) / (high - low);
            for row in 0..self.rows {
                self.jacobian[row * design.len() + i] = (above[1 + row] - below[1 + row]) / (high - low);
            }
        }
        here[0]
    }

    /// The limits at the design of the last call of [`Gradient::objective`].
    fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        debug_assert!(self.moved[..] == design[..], "the objective is asked first");
        values.copy_from_slice(&self.values[0][1..]);
        jacobian.copy_from_slice(&self.jacobian);
    }
}
