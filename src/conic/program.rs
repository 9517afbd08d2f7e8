//! A conic program: how it is put together, changed and solved.

use super::cones::Cone;
use super::expression::{Expression, Variable, Variables};
use super::kernel::Kernel;
use super::solution::Solution;
use crate::error::{Error, InputError, Result};

/// Which way the objective gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// Less is better.
    Minimize,
    /// More is better.
    Maximize,
}

impl Sense {
    /// What turns the objective into one to be minimized.
    pub(super) fn sign(self) -> f64 {
        match self {
            Self::Minimize => 1.0,
            Self::Maximize => -1.0,
        }
    }
}

/// How precisely to solve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Tolerance of gap and feasibility, relative to the scaled data. 1e-8 by default.
    pub tolerance: f64,
    /// The most interior-point iterations. 200 by default.
    pub max_iterations: u32,
    /// Whether every linear system inside is solved to the last digits, true by default. Without, a solve costs about
    /// a third less, and is repeated with them where it does not end [`super::Status::Solved`].
    pub refined: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tolerance: 1e-8, max_iterations: 200, refined: true }
    }
}

/// One number of a program that can be set anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coefficient(Place);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Entry(usize),
    Constant(usize),
    Cost(usize),
    CostConstant,
    Quadratic(usize),
}

/// Rows that lie in one cone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constraint {
    first: usize,
    rows: usize,
}

impl Constraint {
    /// Where the row of this number stands in [`Solution::dual`].
    pub fn row_index(self, index: usize) -> usize {
        self.row(index).0
    }

    /// The row of this number, from 0. Panics beyond the constraint, as a slice does.
    pub fn row(self, index: usize) -> Row {
        assert!(index < self.rows, "row {index} of a constraint of {}", self.rows);
        Row(self.first + index)
    }

    /// Where its rows stand in [`Solution::dual`].
    pub fn range(self) -> std::ops::Range<usize> {
        self.first..self.first + self.rows
    }
}

/// One row of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row(usize);

/// A number at a row and a column; for the quadratic term both are columns, row <= column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub row: usize,
    pub column: usize,
    pub value: f64,
}

/// Rows that lie in one cone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Block {
    pub cone: Cone,
    pub first: usize,
    pub rows: usize,
}

/// The numbers of a program, as the caller gave them.
#[derive(Clone, Debug)]
pub(super) struct Data {
    pub sense: Sense,
    pub cost: Vec<f64>,
    pub cost_constant: f64,
    pub quadratic: Vec<Entry>,
    pub entries: Vec<Entry>,
    pub constants: Vec<f64>,
    pub blocks: Vec<Block>,
}

/// A conic program. See the [module](super) for its form.
pub struct Program {
    data: Data,
    settings: Settings,
    kernel: Option<Box<Kernel>>,
    solution: Solution,
}

impl Program {
    /// A program without variables and constraints.
    pub fn new(sense: Sense) -> Self {
        Self {
            data: Data {
                sense,
                cost: Vec::new(),
                cost_constant: 0.0,
                quadratic: Vec::new(),
                entries: Vec::new(),
                constants: Vec::new(),
                blocks: Vec::new(),
            },
            settings: Settings::default(),
            kernel: None,
            solution: Solution::default(),
        }
    }

    /// Sets how precisely to solve, from the next solve on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// How precisely it is solved.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Adds real variables without limits.
    pub fn variables(&mut self, count: usize) -> Variables {
        self.kernel = None;
        let first = self.data.cost.len();
        self.data.cost.resize(first + count, 0.0);
        Variables { first, count }
    }

    /// Sets the affine part of the objective.
    pub fn objective(&mut self, objective: impl Into<Expression>) {
        let objective = objective.into();
        self.data.cost.fill(0.0);
        self.data.cost_constant = objective.constant;
        for (variable, value) in objective.terms {
            self.data.cost[variable.0] += value;
        }
    }

    /// Adds `value * x * y` to the objective (so `x'Px / 2` with `P_xy = P_yx = value` for `x != y`, and
    /// `P_xx = 2 value`), and gives the coefficient `value`. The whole must be convex where it is minimized, concave where
    /// it is maximized; this is not checked.
    pub fn quadratic(&mut self, x: Variable, y: Variable, value: f64) -> Coefficient {
        self.kernel = None;
        let (row, column) = (x.0.min(y.0), x.0.max(y.0));
        let known = self.data.quadratic.iter().position(|e| (e.row, e.column) == (row, column));
        let at = known.unwrap_or_else(|| {
            self.data.quadratic.push(Entry { row, column, value: 0.0 });
            self.data.quadratic.len() - 1
        });
        self.data.quadratic[at].value += value;
        Coefficient(Place::Quadratic(at))
    }

    /// Requires that the rows lie in a cone.
    ///
    /// Panics where the cone cannot have so many rows: that is a mistake in a program's code, not in its data.
    pub fn constrain(&mut self, cone: Cone, rows: impl IntoIterator<Item = Expression>) -> Constraint {
        self.kernel = None;
        let first = self.data.constants.len();
        for expression in rows {
            let row = self.data.constants.len();
            self.data.constants.push(expression.constant);
            let begin = self.data.entries.len();
            for (variable, value) in expression.terms {
                match self.data.entries[begin..].iter_mut().find(|e| e.column == variable.0) {
                    Some(entry) => entry.value += value,
                    None => self.data.entries.push(Entry { row, column: variable.0, value }),
                }
            }
        }
        let rows = self.data.constants.len() - first;
        assert!(cone.allows(rows), "a {cone:?} cone takes {}, not {rows}", cone.rows_in_words());
        self.data.blocks.push(Block { cone, first, rows });
        Constraint { first, rows }
    }

    /// The coefficient of a variable in a row. A term that the row does not have yet is added with 0.
    pub fn coefficient(&mut self, row: Row, variable: Variable) -> Coefficient {
        let known = self.data.entries.iter().position(|e| (e.row, e.column) == (row.0, variable.0));
        Coefficient(Place::Entry(known.unwrap_or_else(|| {
            self.kernel = None;
            self.data.entries.push(Entry { row: row.0, column: variable.0, value: 0.0 });
            self.data.entries.len() - 1
        })))
    }

    /// The constant of a row.
    pub fn constant(&self, row: Row) -> Coefficient {
        Coefficient(Place::Constant(row.0))
    }

    /// The coefficient of a variable in the objective.
    pub fn cost(&self, variable: Variable) -> Coefficient {
        Coefficient(Place::Cost(variable.0))
    }

    /// The constant of the objective.
    pub fn cost_constant(&self) -> Coefficient {
        Coefficient(Place::CostConstant)
    }

    /// Sets a number anew. Neither this nor the next solve sets the program up anew.
    pub fn set(&mut self, coefficient: Coefficient, value: f64) {
        *self.place(coefficient) = value;
    }

    fn place(&mut self, coefficient: Coefficient) -> &mut f64 {
        match coefficient.0 {
            Place::Entry(i) => &mut self.data.entries[i].value,
            Place::Constant(i) => &mut self.data.constants[i],
            Place::Cost(i) => &mut self.data.cost[i],
            Place::CostConstant => &mut self.data.cost_constant,
            Place::Quadratic(i) => &mut self.data.quadratic[i].value,
        }
    }

    /// The number of variables.
    pub fn variable_count(&self) -> usize {
        self.data.cost.len()
    }

    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.data.constants.len()
    }

    /// The objective at a point.
    pub fn objective_at(&self, x: &[f64]) -> f64 {
        let linear: f64 = self.data.cost.iter().zip(x).map(|(c, x)| c * x).sum();
        let quadratic: f64 = self.data.quadratic.iter().map(|e| e.value * x[e.row] * x[e.column]).sum();
        self.data.cost_constant + linear + quadratic
    }

    /// The rows at a point.
    pub fn rows_at(&self, x: &[f64]) -> Vec<f64> {
        let mut rows = self.data.constants.clone();
        for entry in &self.data.entries {
            rows[entry.row] += entry.value * x[entry.column];
        }
        rows
    }

    /// Solves it. Numerical outcomes are told by the solution's status; an error means data that are no numbers, or
    /// a program without variables.
    pub fn solve(&mut self) -> Result<&Solution> {
        self.check()?;
        let kernel = match &mut self.kernel {
            Some(kernel) => kernel,
            none => none.insert(Box::new(Kernel::new(&self.data))),
        };
        kernel.solve(&self.data, &self.settings, &mut self.solution)?;
        self.solution.objective = self.objective_at(&self.solution.x);
        Ok(&self.solution)
    }

    /// The last solution.
    pub fn solution(&self) -> &Solution {
        &self.solution
    }

    /// A proven bound on the optimum over all feasible points with `|x_j| <= limits_j`, from the last solution's
    /// multipliers: their dual objective, less `limits' |gradient residual|` and room for rounding. None where the
    /// multipliers are not in the dual cones, or a limit is infinite whose gradient residual is not 0.
    pub fn bound(&self, limits: &[f64]) -> Option<f64> {
        self.kernel.as_ref()?.bound(&self.data, limits)
    }

    fn check(&self) -> Result<()> {
        if self.data.cost.is_empty() {
            return Err(InputError::new("conic program", "no variables", "at least one").into());
        }
        let mistake = |what: String, value: f64| {
            Err(Error::Numerical(format!("{what} of a conic program is {value}, not a finite number")))
        };
        let Data { cost, cost_constant, quadratic, entries, constants, .. } = &self.data;
        if let Some((j, v)) = cost.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return mistake(format!("the objective's coefficient of variable {j}"), *v);
        }
        if !cost_constant.is_finite() {
            return mistake("the objective's constant".into(), *cost_constant);
        }
        if let Some(e) = quadratic.iter().find(|e| !e.value.is_finite()) {
            return mistake(format!("the objective's coefficient of variables {} and {}", e.row, e.column), e.value);
        }
        if let Some(e) = entries.iter().find(|e| !e.value.is_finite()) {
            return mistake(format!("the coefficient of variable {} in row {}", e.column, e.row), e.value);
        }
        if let Some((i, v)) = constants.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return mistake(format!("the constant of row {i}"), *v);
        }
        Ok(())
    }
}
