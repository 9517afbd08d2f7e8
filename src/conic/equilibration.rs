//! Scaling by powers of two, which costs no digit: rows, columns, the right-hand side and the objective are brought
//! to the order of 1.
//!
//! With `x_j = 2^(column_j - constant) x'_j` and row i times `2^(row_i + constant)`, the scaled data are
//! `a_ij 2^(row_i + column_j)`, `b_i 2^(row_i + constant)`, `c_j 2^(objective + column_j)` and
//! `P_ij 2^(objective + column_i + column_j - constant)`: the right-hand side is one more column, the objective one
//! more row. Rows of a second-order or exponential cone share one factor; a rotated cone keeps
//! `2 row_w = row_u + row_v`.
//!
//! Exponents are halved towards 0 by the largest of each row and column in turn (after Ruiz, RAL-TR-2001-034); where
//! the data span more than 2^64, first by the means (after Curtis and Reid, doi:10.1093/imamat/10.1.118).

use super::cones::Cone;
use super::program::Data;

/// The binary exponents of the scale factors.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scales {
    pub rows: Vec<i32>,
    pub columns: Vec<i32>,
    pub constant: i32,
    pub objective: i32,
    /// Exponents of the data, and of what each row and column amounts to; kept to save allocations.
    entries: Vec<i32>,
    row_sizes: Vec<Size>,
    column_sizes: Vec<Size>,
}

/// No exponent: the value is 0.
const NOTHING: i32 = i32::MIN;

/// Passes of either kind; each halves the largest exponents, so 12 are enough for any f64.
const PASSES: usize = 12;

/// The floor of the binary logarithm.
fn exponent(value: f64) -> i32 {
    if value == 0.0 { NOTHING } else { ((value.to_bits() >> 52) & 0x7ff) as i32 - 1023 }
}

/// 2^k.
pub(super) fn power(k: i32) -> f64 {
    f64::from_bits(((k.clamp(-1022, 1023) + 1023) as u64) << 52)
}

/// What exponents amount to: their largest, and their sum and count.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    largest: i32,
    sum: i32,
    count: i32,
}

impl Size {
    const NONE: Self = Self { largest: NOTHING, sum: 0, count: 0 };

    fn add(&mut self, exponent: i32) {
        self.largest = self.largest.max(exponent);
        self.sum += exponent;
        self.count += 1;
    }

    fn join(self, other: Self) -> Self {
        Self { largest: self.largest.max(other.largest), sum: self.sum + other.sum, count: self.count + other.count }
    }

    /// What to add to the scale's exponent.
    fn step(self, means: bool) -> i32 {
        match self.count {
            0 => 0,
            _ if means => -(f64::from(self.sum) / f64::from(self.count)).round() as i32,
            _ => -self.largest / 2,
        }
    }
}

impl Scales {
    /// The scales for these data. `by_means` asks for the means even where the data do not span far.
    pub fn compute(&mut self, data: &Data, by_means: bool) {
        self.rows.clear();
        self.rows.resize(data.constants.len(), 0);
        self.columns.clear();
        self.columns.resize(data.cost.len(), 0);
        (self.constant, self.objective) = (0, 0);
        self.entries.clear();
        self.entries.extend(data.entries.iter().map(|e| exponent(e.value)));
        let exponents =
            self.entries.iter().copied().chain(data.constants.iter().chain(&data.cost).map(|v| exponent(*v)));
        let (mut least, mut largest) = (i32::MAX, NOTHING);
        for e in exponents.filter(|e| *e != NOTHING) {
            (least, largest) = (least.min(e), largest.max(e));
        }
        if largest == NOTHING {
            return;
        }
        if by_means || largest - least > 64 {
            for _ in 0..PASSES {
                self.pass(data, true);
            }
        }
        for _ in 0..PASSES {
            if !self.pass(data, false) {
                break;
            }
        }
    }

    /// One pass over rows and columns; whether anything changed.
    fn pass(&mut self, data: &Data, means: bool) -> bool {
        let (mut constant, mut objective) = (Size::NONE, Size::NONE);
        self.row_sizes.clear();
        self.row_sizes.resize(self.rows.len(), Size::NONE);
        self.column_sizes.clear();
        self.column_sizes.resize(self.columns.len(), Size::NONE);
        for (entry, e) in data.entries.iter().zip(&self.entries).filter(|(_, e)| **e != NOTHING) {
            let e = e + self.rows[entry.row] + self.columns[entry.column];
            self.row_sizes[entry.row].add(e);
            self.column_sizes[entry.column].add(e);
        }
        for (i, b) in data.constants.iter().enumerate().filter(|(_, b)| **b != 0.0) {
            let e = exponent(*b) + self.rows[i] + self.constant;
            self.row_sizes[i].add(e);
            constant.add(e);
        }
        for (j, c) in data.cost.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            let e = exponent(*c) + self.columns[j] + self.objective;
            self.column_sizes[j].add(e);
            objective.add(e);
        }
        for entry in data.quadratic.iter().filter(|e| e.value != 0.0) {
            let e = exponent(entry.value) + self.columns[entry.row] + self.columns[entry.column] + self.objective
                - self.constant;
            self.column_sizes[entry.row].add(e);
            self.column_sizes[entry.column].add(e);
            objective.add(e);
        }
        let mut changed = false;
        let mut step = |scale: &mut i32, by: i32| {
            let moved = (*scale + by).clamp(-500, 500);
            changed |= moved != *scale;
            *scale = moved;
        };
        // Rows and columns in turn would converge faster, both at once with halved steps keeps them symmetric;
        // means are taken in turn, as their steps are whole.
        if !means {
            for (scale, size) in self.columns.iter_mut().zip(&self.column_sizes) {
                step(scale, size.step(false));
            }
            step(&mut self.constant, constant.step(false));
            step(&mut self.objective, objective.step(false));
        }
        for block in &data.blocks {
            let rows = block.first..block.first + block.rows;
            let (sizes, scales) = (&self.row_sizes[rows.clone()], &mut self.rows[rows]);
            match block.cone {
                Cone::Zero | Cone::NonNegative => {
                    scales.iter_mut().zip(sizes).for_each(|(scale, size)| step(scale, size.step(means)));
                }
                Cone::RotatedSecondOrder => {
                    let rest = sizes[2..].iter().fold(Size::NONE, |a, b| a.join(*b)).step(means);
                    let (mut u, mut v) = (sizes[0].step(means), sizes[1].step(means));
                    let both = (u + v).div_euclid(2);
                    if !means && rest < both {
                        (u, v) = (u + rest - both, v + rest - both);
                    }
                    step(&mut scales[0], u);
                    step(&mut scales[1], v);
                    if (scales[0] + scales[1]) % 2 != 0 {
                        scales[0] -= 1;
                    }
                    let both = (scales[0] + scales[1]) / 2;
                    scales[2..].fill(both);
                }
                _ => {
                    let by = sizes.iter().fold(Size::NONE, |a, b| a.join(*b)).step(means);
                    scales.iter_mut().for_each(|scale| step(scale, by));
                }
            }
        }
        if means {
            self.mean_columns(data);
        }
        changed
    }

    /// Moves the columns, the right-hand side and the objective to means of 0, the rows held.
    fn mean_columns(&mut self, data: &Data) {
        self.column_sizes.fill(Size::NONE);
        let mut constant = Size::NONE;
        for (entry, e) in data.entries.iter().zip(&self.entries).filter(|(_, e)| **e != NOTHING) {
            self.column_sizes[entry.column].add(e + self.rows[entry.row] + self.columns[entry.column]);
        }
        for (i, b) in data.constants.iter().enumerate().filter(|(_, b)| **b != 0.0) {
            constant.add(exponent(*b) + self.rows[i] + self.constant);
        }
        for (j, c) in data.cost.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            self.column_sizes[j].add(exponent(*c) + self.columns[j] + self.objective);
        }
        for (scale, size) in self.columns.iter_mut().zip(&self.column_sizes) {
            *scale = (*scale + size.step(true)).clamp(-500, 500);
        }
        self.constant = (self.constant + constant.step(true)).clamp(-500, 500);
        let mut objective = Size::NONE;
        for (j, c) in data.cost.iter().enumerate().filter(|(_, c)| **c != 0.0) {
            objective.add(exponent(*c) + self.columns[j] + self.objective);
        }
        self.objective = (self.objective + objective.step(true)).clamp(-500, 500);
    }
}
