//! The modelling layer: rows and matrix inequalities, compiled to the standard form of the solvers.

use super::dense::{C, Matrix, ZERO};
use super::expression::{ComplexExpression, HermitianVariable, ScalarVariable, Term};
use super::method::{self, Method};
use super::solution::HermitianSolution;
use crate::conic::Sense;

/// How a program is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HermitianSettings {
    /// Stop at this duality gap and these infeasibilities, relative to the scaled data. Below about 1e-9 rounding
    /// decides; the best iterate is kept then.
    pub tolerance: f64,
    /// At most so many iterations.
    pub max_iterations: u32,
    /// Which solver takes it.
    pub method: Method,
}

impl Default for HermitianSettings {
    fn default() -> Self {
        Self { tolerance: 1e-8, max_iterations: 100, method: Method::Auto }
    }
}

/// A row of a program, for its dual multiplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HermitianRow(pub(super) usize);

impl HermitianRow {
    /// Where its multiplier stands in [`HermitianSolution::dual`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// Coefficients of one row in one block: `A = sum_(k, l) w d_k d_l^H` over the block's dictionary of unit vectors `d`;
/// both (k, l) and (l, k) are listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Coefficients {
    pub row: usize,
    pub entries: Vec<(usize, usize, C)>,
}

/// One matrix variable: its dictionary is first the unit vectors `e_1 .. e_n`, where any term needs them, then others.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub size: usize,
    pub coordinates: bool,
    /// Unit vectors beside the coordinates.
    pub vectors: Vec<Vec<C>>,
    /// The vectors as they were given, to find them again: their multiple of the unit vector.
    given: Vec<(Vec<C>, f64)>,
    pub rows: Vec<Coefficients>,
    pub cost: Coefficients,
    pub trace_limit: Option<f64>,
}

/// One scalar variable.
#[derive(Clone, Debug, Default)]
pub(super) struct Scalar {
    pub cost: f64,
    pub rows: Vec<(usize, f64)>,
    pub limit: Option<f64>,
    pub free: bool,
}

/// A linear program over Hermitian positive semidefinite matrices, non-negative and free scalars. See the
/// [module](super) for its form.
#[derive(Clone, Debug)]
pub struct HermitianProgram {
    pub(super) sense: Sense,
    pub(super) blocks: Vec<Block>,
    pub(super) scalars: Vec<Scalar>,
    /// Which scalars are slacks of rows: +1 for `>=` rows (the slack is subtracted), -1 for `<=`, 0 for none.
    pub(super) row_sides: Vec<i8>,
    pub(super) right: Vec<f64>,
    pub(super) constant: f64,
    pub(super) settings: HermitianSettings,
}

impl HermitianProgram {
    /// A program without variables and rows.
    pub fn new(sense: Sense) -> Self {
        Self {
            sense,
            blocks: Vec::new(),
            scalars: Vec::new(),
            row_sides: Vec::new(),
            right: Vec::new(),
            constant: 0.0,
            settings: HermitianSettings::default(),
        }
    }

    /// Sets how precisely to solve.
    pub fn set_settings(&mut self, settings: HermitianSettings) {
        self.settings = settings;
    }

    /// Adds an n x n Hermitian positive semidefinite matrix.
    pub fn matrix(&mut self, size: usize) -> HermitianVariable {
        self.blocks.push(Block {
            size,
            coordinates: false,
            vectors: Vec::new(),
            given: Vec::new(),
            rows: Vec::new(),
            cost: Coefficients::default(),
            trace_limit: None,
        });
        HermitianVariable { block: self.blocks.len() - 1, size }
    }

    /// Adds a scalar, 0 or more.
    pub fn scalar(&mut self) -> ScalarVariable {
        self.scalars.push(Scalar::default());
        ScalarVariable(self.scalars.len() - 1)
    }

    /// Adds a real scalar of any sign.
    pub fn free_scalar(&mut self) -> ScalarVariable {
        self.scalars.push(Scalar { free: true, ..Scalar::default() });
        ScalarVariable(self.scalars.len() - 1)
    }

    /// States that the rows imply `tr X <= limit` (at least for some optimal point): not a row, but what makes dual
    /// bounds and proofs of infeasibility rigorous.
    pub fn trace_at_most(&mut self, matrix: HermitianVariable, limit: f64) {
        self.blocks[matrix.block].trace_limit = Some(limit);
    }

    /// States that the rows imply `x <= limit`, likewise; for a free scalar `|x| <= limit`.
    pub fn scalar_at_most(&mut self, scalar: ScalarVariable, limit: f64) {
        self.scalars[scalar.0].limit = Some(limit);
    }

    /// Sets the objective: the real part of an expression.
    pub fn objective(&mut self, objective: impl Into<ComplexExpression>) {
        for block in &mut self.blocks {
            block.cost.entries.clear();
        }
        for scalar in &mut self.scalars {
            scalar.cost = 0.0;
        }
        let objective = objective.into();
        self.constant = objective.constant.re;
        self.add(None, objective);
    }

    /// Requires `Re expression = right`.
    pub fn equal(&mut self, expression: impl Into<ComplexExpression>, right: f64) -> HermitianRow {
        self.row(expression.into(), right, 0)
    }

    /// Requires `Re expression >= right`.
    pub fn at_least(&mut self, expression: impl Into<ComplexExpression>, right: f64) -> HermitianRow {
        self.row(expression.into(), right, 1)
    }

    /// Requires `Re expression <= right`.
    pub fn at_most(&mut self, expression: impl Into<ComplexExpression>, right: f64) -> HermitianRow {
        self.row(expression.into(), right, -1)
    }

    fn row(&mut self, expression: ComplexExpression, right: f64, side: i8) -> HermitianRow {
        let row = self.right.len();
        self.right.push(right - expression.constant.re);
        self.row_sides.push(side);
        self.add(Some(row), expression);
        HermitianRow(row)
    }

    /// A matrix `Y = [[p, r], [r^*, q]]` that is semidefinite; gives it, so that `q = Y.entry(1, 1) >= |r|^2 / p` (Schur
    /// complement). `p` must be real.
    pub fn schur(&mut self, p: ComplexExpression, r: ComplexExpression) -> HermitianVariable {
        let y = self.matrix(2);
        self.equal(p - y.entry(0, 0), 0.0);
        let difference = r - y.entry(0, 1);
        self.equal(difference.clone(), 0.0);
        self.equal(difference * C::new(0.0, -1.0), 0.0);
        y
    }

    /// Adds a semidefinite matrix whose entries are given (upper triangle, `entry(i, j)` for `i <= j`), or free where
    /// there is none.
    pub fn semidefinite(
        &mut self,
        size: usize,
        mut entry: impl FnMut(usize, usize) -> Option<ComplexExpression>,
    ) -> HermitianVariable {
        let y = self.matrix(size);
        for i in 0..size {
            for j in i..size {
                let Some(given) = entry(i, j) else { continue };
                let difference = given - y.entry(i, j);
                self.equal(difference.clone(), 0.0);
                if i < j {
                    self.equal(difference * C::new(0.0, -1.0), 0.0);
                }
            }
        }
        y
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.right.len()
    }

    /// Changes the right side of a row.
    pub fn set_right(&mut self, row: HermitianRow, right: f64) {
        self.right[row.0] = right;
    }

    fn add(&mut self, row: Option<usize>, expression: ComplexExpression) {
        for term in expression.terms {
            match term {
                Term::Scalar { scalar, weight } => match row {
                    Some(row) => match self.scalars[scalar].rows.last_mut() {
                        Some(last) if last.0 == row => last.1 += weight.re,
                        _ => self.scalars[scalar].rows.push((row, weight.re)),
                    },
                    None => self.scalars[scalar].cost += weight.re,
                },
                Term::Form { block, left, right, weight } => {
                    let block = &mut self.blocks[block];
                    let same = left == right;
                    let (k, right_norm) = block.vector(right);
                    let (l, left_norm) = if same { (k, right_norm) } else { block.vector(left) };
                    // left^H X right = tr(X right left^H).
                    block.place(row, k, l, weight * (left_norm * right_norm));
                }
                Term::Entry { block, row: i, column: j, weight } => {
                    let block = &mut self.blocks[block];
                    block.need_coordinates();
                    // X_ij = tr(X e_j e_i^H).
                    block.place(row, j, i, weight);
                }
                Term::Inner { block, matrix, weight } => {
                    let block = &mut self.blocks[block];
                    block.need_coordinates();
                    for j in 0..block.size {
                        for i in 0..=j {
                            // The Hermitian part of weight * matrix.
                            let entry = 0.5 * (weight * matrix[(i, j)] + (weight * matrix[(j, i)]).conj());
                            if i == j {
                                block.place(row, i, i, C::new(entry.re, 0.0));
                            } else if entry != ZERO {
                                block.place(row, i, j, 2.0 * entry);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Solves it as [`HermitianSettings::method`] says.
    pub fn solve(&self) -> HermitianSolution {
        method::solve(self)
    }

    /// The matrix `sum_i y_i A_i`, or the cost, of a block in the caller's units.
    pub(super) fn combination(&self, block: usize, multipliers: Option<&[f64]>) -> Matrix {
        let block = &self.blocks[block];
        let mut sum = Matrix::zeros(block.size, block.size);
        match multipliers {
            None => block.add_to(&mut sum, &block.cost, 1.0),
            Some(y) => block.rows.iter().for_each(|c| block.add_to(&mut sum, c, y[c.row])),
        }
        sum
    }
}

impl Block {
    /// Lists `e_1 .. e_n` first in the dictionary.
    fn need_coordinates(&mut self) {
        if !self.coordinates {
            self.coordinates = true;
            let n = self.size;
            for coefficients in self.rows.iter_mut().chain([&mut self.cost]) {
                for (k, l, _) in &mut coefficients.entries {
                    *k += n;
                    *l += n;
                }
            }
        }
    }

    /// The place of a vector in the dictionary, and its norm.
    fn vector(&mut self, vector: Vec<C>) -> (usize, f64) {
        let offset = if self.coordinates { self.size } else { 0 };
        if let Some(at) = self.given.iter().position(|(v, _)| *v == vector) {
            return (offset + at, self.given[at].1);
        }
        let norm = vector.iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { norm } else { 1.0 };
        self.vectors.push(vector.iter().map(|x| x / scale).collect());
        self.given.push((vector, norm));
        (offset + self.vectors.len() - 1, norm)
    }

    /// Adds the Hermitian part of `weight d_k d_l^H` to a row or the cost.
    fn place(&mut self, row: Option<usize>, k: usize, l: usize, weight: C) {
        let coefficients = match row {
            None => &mut self.cost,
            Some(row) => {
                if self.rows.last().is_none_or(|c| c.row != row) {
                    self.rows.push(Coefficients { row, entries: Vec::new() });
                }
                let last = self.rows.len() - 1;
                &mut self.rows[last]
            }
        };
        let mut put = |k, l, weight| match coefficients.entries.iter_mut().rev().take(8).find(|e| (e.0, e.1) == (k, l))
        {
            Some(entry) => entry.2 += weight,
            None => coefficients.entries.push((k, l, weight)),
        };
        if k == l {
            put(k, k, C::new(weight.re, 0.0));
        } else {
            put(k, l, 0.5 * weight);
            put(l, k, 0.5 * weight.conj());
        }
    }

    /// `sum += factor * sum_(k, l) w d_k d_l^H`.
    pub(super) fn add_to(&self, sum: &mut Matrix, coefficients: &Coefficients, factor: f64) {
        if factor == 0.0 {
            return;
        }
        let n = self.size;
        let offset = if self.coordinates { n } else { 0 };
        for (k, l, weight) in &coefficients.entries {
            let weight = factor * weight;
            let entry = |at: usize, i: usize| self.vectors[at - offset][i];
            match (*k < offset, *l < offset) {
                (true, true) => sum[(*k, *l)] += weight,
                (true, false) => (0..n).for_each(|j| sum[(*k, j)] += weight * entry(*l, j).conj()),
                (false, true) => (0..n).for_each(|i| sum[(i, *l)] += weight * entry(*k, i)),
                (false, false) => {
                    for j in 0..n {
                        let right = weight * entry(*l, j).conj();
                        for i in 0..n {
                            sum[(i, j)] += entry(*k, i) * right;
                        }
                    }
                }
            }
        }
    }
}
