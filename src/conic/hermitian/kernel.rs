//! A program in scaled standard form.
//!
//! Scaling: rows, blocks and scalars by powers of two until every row's and every column's largest coefficient is near
//! 1 (Ruiz), then right side and cost, so that raw units (1e-15 W beside 40 W) do no harm. Powers of two cost no digit.

use super::cone::Cone;
use super::dense::C;
use super::program::{Coefficients, HermitianProgram};
use crate::conic::Sense;

/// Passes of the equilibration: by geometric means first, which see the small coefficients beside large ones, then by
/// the largest.
const PASSES: [usize; 2] = [4, 4];

/// Standard form in scaled data: minimize `sum <C_b, X_b> + c'x`, rows `sum <A_ib, X_b> + a_i'x = b_i`.
pub(super) struct Kernel {
    pub cones: Vec<Cone>,
    /// Scalars: their coefficients by row, then their cost; slacks of rows come last.
    pub scalars: Vec<Vec<(usize, f64)>>,
    pub scalar_cost: Vec<f64>,
    pub scalar_scale: Vec<f64>,
    /// Which of the program's scalars come first in `scalars`.
    pub bounded: Vec<usize>,
    /// Which of the program's scalars are free, with coefficients, cost and scale.
    pub unbounded: Vec<usize>,
    pub free: Vec<Vec<(usize, f64)>>,
    pub free_cost: Vec<f64>,
    pub free_scale: Vec<f64>,
    pub right: Vec<f64>,
    pub row_scale: Vec<f64>,
    pub right_scale: f64,
    pub cost_scale: f64,
    right_norm: f64,
    cost_norm: f64,
}

/// The power of two nearest to a positive number.
fn power_of_two(x: f64) -> f64 {
    if x > 0.0 && x.is_finite() { x.log2().round().clamp(-500.0, 500.0).exp2() } else { 1.0 }
}

/// Scales of rows and columns that bring the coefficients near 1.
fn equilibrate(columns: &[Vec<(usize, f64)>], rows: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut row_scale, mut column_scale) = (vec![1.0; rows], vec![1.0; columns.len()]);
    for pass in 0..PASSES[0] + PASSES[1] {
        // The square root of what stands for a column's or a row's size, from its least and largest coefficient.
        let root = |(least, most): (f64, f64)| match most > 0.0 {
            true if pass < PASSES[0] => (least * most).sqrt().sqrt(),
            true => most.sqrt(),
            false => 1.0,
        };
        let wider =
            |(least, most): (f64, f64), x: f64| if x > 0.0 { (least.min(x), most.max(x)) } else { (least, most) };
        let none = (f64::INFINITY, 0.0);
        let mut ranges = vec![none; rows];
        for (column, scale) in columns.iter().zip(&column_scale) {
            for (row, x) in column {
                ranges[*row] = wider(ranges[*row], x.abs() * scale * row_scale[*row]);
            }
        }
        for (column, scale) in columns.iter().zip(&mut column_scale) {
            let sizes = column.iter().map(|(row, x)| x.abs() * *scale * row_scale[*row]);
            *scale /= root(sizes.fold(none, wider));
        }
        row_scale.iter_mut().zip(&ranges).for_each(|(scale, range)| *scale /= root(*range));
    }
    (row_scale, column_scale)
}

fn largest(coefficients: &Coefficients) -> f64 {
    coefficients.entries.iter().map(|e| e.2.norm()).fold(0.0, f64::max)
}

impl Kernel {
    pub fn new(program: &HermitianProgram) -> Self {
        let sign = if program.sense == Sense::Minimize { 1.0 } else { -1.0 };
        let m = program.right.len();
        let (unbounded, bounded): (Vec<usize>, Vec<usize>) =
            (0..program.scalars.len()).partition(|j| program.scalars[*j].free);
        let of = |which: &[usize]| -> (Vec<Vec<(usize, f64)>>, Vec<f64>) {
            which.iter().map(|j| (program.scalars[*j].rows.clone(), sign * program.scalars[*j].cost)).unzip()
        };
        let (mut scalars, mut scalar_cost) = of(&bounded);
        let (mut free, mut free_cost) = of(&unbounded);
        for (row, side) in program.row_sides.iter().enumerate().filter(|(_, s)| **s != 0) {
            scalars.push(vec![(row, -f64::from(*side))]);
            scalar_cost.push(0.0);
        }
        let blocks = program.blocks.iter().map(|b| b.rows.iter().map(|c| (c.row, largest(c))).collect());
        let own = program.scalars.iter().map(|s| s.rows.clone());
        let columns: Vec<Vec<(usize, f64)>> = blocks.chain(own).collect();
        let (mut row_scale, mut column_scale) = equilibrate(&columns, m);
        for scale in row_scale.iter_mut().chain(&mut column_scale) {
            *scale = power_of_two(*scale);
        }
        let own_scale = column_scale.split_off(program.blocks.len());
        let free_scale: Vec<f64> = unbounded.iter().map(|j| own_scale[*j]).collect();
        let mut scalar_scale: Vec<f64> = bounded.iter().map(|j| own_scale[*j]).collect();
        let block_scale = column_scale;
        // A slack follows its row.
        scalar_scale.extend(scalars[bounded.len()..].iter().map(|column| 1.0 / row_scale[column[0].0]));
        let mut right: Vec<f64> = program.right.iter().zip(&row_scale).map(|(b, r)| b * r).collect();
        let right_scale = power_of_two(right.iter().fold(0.0, |m: f64, b| m.max(b.abs())));
        right.iter_mut().for_each(|b| *b /= right_scale);
        let columns = scalars.iter_mut().zip(&scalar_scale).chain(free.iter_mut().zip(&free_scale));
        for (column, scale) in columns {
            column.iter_mut().for_each(|(row, x)| *x *= scale * row_scale[*row]);
        }
        scalar_cost.iter_mut().zip(&scalar_scale).for_each(|(c, scale)| *c *= scale);
        free_cost.iter_mut().zip(&free_scale).for_each(|(c, scale)| *c *= scale);
        let mut cones: Vec<Cone> = (program.blocks.iter().enumerate().zip(&block_scale))
            .map(|((b, block), scale)| {
                Cone::new(block, program.combination(b, None) * C::new(sign * scale, 0.0), *scale, &row_scale)
            })
            .collect();
        let most = cones.iter().map(|c| c.cost.iter().map(|x| x.norm()).fold(0.0, f64::max)).fold(0.0, f64::max);
        let cost_scale = power_of_two(scalar_cost.iter().chain(&free_cost).fold(most, |m, c| m.max(c.abs())));
        scalar_cost.iter_mut().chain(&mut free_cost).for_each(|c| *c /= cost_scale);
        cones.iter_mut().for_each(|c| c.cost /= C::new(cost_scale, 0.0));
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let of_scalars = norm(&scalar_cost).max(norm(&free_cost));
        Self {
            right_norm: norm(&right),
            cost_norm: cones.iter().map(|c| c.cost.norm()).fold(of_scalars, f64::max),
            cones,
            scalars,
            scalar_cost,
            scalar_scale,
            bounded,
            unbounded,
            free,
            free_cost,
            free_scale,
            right,
            row_scale,
            right_scale,
            cost_scale,
        }
    }

    /// The Euclidean norm of the right side.
    pub fn right_norm(&self) -> f64 {
        self.right_norm
    }

    /// The largest norm of the cost in a block, in all scalars or in all free variables.
    pub fn cost_norm(&self) -> f64 {
        self.cost_norm
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.right.len()
    }
}
