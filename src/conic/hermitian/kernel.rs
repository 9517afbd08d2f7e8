//! A program in scaled standard form, and its linear maps: `A(X)`, `A^T(y)` and the Schur complement of the normal
//! equations.
//!
//! Scaling: rows, blocks and scalars by powers of two until every row's and every column's largest coefficient is near
//! 1 (Ruiz), then right side and cost, so that raw units (1e-15 W beside 40 W) do no harm. Powers of two cost no digit.

use super::dense::{C, Matrix, ZERO};
use super::program::{Block, Coefficients, HermitianProgram};
use crate::conic::Sense;

/// Passes of the equilibration: by geometric means first, which see the small coefficients beside large ones, then by
/// the largest.
const PASSES: [usize; 2] = [4, 4];

/// One matrix block: dictionary `d_1 .. d_p` and, per row, `A_i = sum_(k, l) w d_k d_l^H`.
pub(super) struct Cone {
    pub n: usize,
    /// The dictionary's first vectors are `e_1 .. e_n` where this is n; 0 where not.
    offset: usize,
    /// The other vectors, as columns.
    vectors: Matrix,
    /// Rows by falling number of entries.
    rows: Vec<Coefficients>,
    /// Which rows form `G W H` as a whole, because entry by entry would cost more.
    whole: Vec<bool>,
    pub cost: Matrix,
    pub scale: f64,
    gram: Matrix,
    gram_inverse: Matrix,
    product: Matrix,
    transformed: Matrix,
    sum: Matrix,
    column: Vec<C>,
}

/// Standard form in scaled data: minimize `sum <C_b, X_b> + c'x`, rows `sum <A_ib, X_b> + a_i'x = b_i`.
pub(super) struct Kernel {
    pub cones: Vec<Cone>,
    /// Scalars: their coefficients by row, then their cost; slacks of rows come last.
    pub scalars: Vec<Vec<(usize, f64)>>,
    pub scalar_cost: Vec<f64>,
    pub scalar_scale: Vec<f64>,
    pub right: Vec<f64>,
    pub row_scale: Vec<f64>,
    pub right_scale: f64,
    pub cost_scale: f64,
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
        let mut scalars: Vec<Vec<(usize, f64)>> = program.scalars.iter().map(|s| s.rows.clone()).collect();
        let mut scalar_cost: Vec<f64> = program.scalars.iter().map(|s| sign * s.cost).collect();
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
        let mut scalar_scale = column_scale.split_off(program.blocks.len());
        let block_scale = column_scale;
        // A slack follows its row.
        scalar_scale.extend(scalars[program.scalars.len()..].iter().map(|column| 1.0 / row_scale[column[0].0]));
        let mut right: Vec<f64> = program.right.iter().zip(&row_scale).map(|(b, r)| b * r).collect();
        let right_scale = power_of_two(right.iter().fold(0.0, |m: f64, b| m.max(b.abs())));
        right.iter_mut().for_each(|b| *b /= right_scale);
        for (column, scale) in scalars.iter_mut().zip(&scalar_scale) {
            column.iter_mut().for_each(|(row, x)| *x *= scale * row_scale[*row]);
        }
        scalar_cost.iter_mut().zip(&scalar_scale).for_each(|(c, scale)| *c *= scale);
        let mut cones: Vec<Cone> = (program.blocks.iter().enumerate().zip(&block_scale))
            .map(|((b, block), scale)| {
                Cone::new(block, program.combination(b, None) * C::new(sign * scale, 0.0), *scale, &row_scale)
            })
            .collect();
        let most = cones.iter().map(|c| c.cost.iter().map(|x| x.norm()).fold(0.0, f64::max)).fold(0.0, f64::max);
        let cost_scale = power_of_two(scalar_cost.iter().fold(most, |m, c| m.max(c.abs())));
        scalar_cost.iter_mut().for_each(|c| *c /= cost_scale);
        cones.iter_mut().for_each(|c| c.cost /= C::new(cost_scale, 0.0));
        Self { cones, scalars, scalar_cost, scalar_scale, right, row_scale, right_scale, cost_scale }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.right.len()
    }
}

impl Cone {
    fn new(block: &Block, cost: Matrix, scale: f64, row_scale: &[f64]) -> Self {
        let n = block.size;
        let offset = if block.coordinates { n } else { 0 };
        let p = offset + block.vectors.len();
        let vectors = Matrix::from_fn(n, block.vectors.len(), |i, j| block.vectors[j][i]);
        let mut rows = block.rows.clone();
        for coefficients in &mut rows {
            let factor = scale * row_scale[coefficients.row];
            coefficients.entries.iter_mut().for_each(|e| e.2 *= factor);
        }
        rows.sort_by_key(|c| std::cmp::Reverse(c.entries.len()));
        let count: Vec<usize> = rows.iter().map(|c| c.entries.len()).collect();
        let whole = (0..rows.len()).map(|j| {
            let after: usize = count[j..].iter().sum();
            let mut columns: Vec<usize> = rows[j].entries.iter().map(|e| e.1).collect();
            columns.sort_unstable();
            columns.dedup();
            // Products of matrices run several times faster than scattered entries.
            count[j] * after > count[j] * p + p * p * columns.len() / 4 + after
        });
        let whole = whole.collect();
        let square = || Matrix::zeros(p, p);
        Self {
            n,
            offset,
            vectors,
            rows,
            whole,
            cost,
            scale,
            gram: square(),
            gram_inverse: square(),
            product: square(),
            transformed: square(),
            sum: square(),
            column: vec![ZERO; n],
        }
    }

    /// `D^H Y D` over the dictionary for a Hermitian `Y`.
    fn gram_of(offset: usize, vectors: &Matrix, y: &Matrix, out: &mut Matrix) {
        let n = y.nrows();
        if vectors.ncols() == 0 {
            out.copy_from(y);
            return;
        }
        for j in 0..offset {
            out.column_mut(j).rows_mut(0, n).copy_from(&y.column(j));
        }
        let (ys, vs) = (y.as_slice(), vectors.as_slice());
        let mut image = [ZERO; 64];
        let mut long = if n > image.len() { vec![ZERO; n] } else { Vec::new() };
        for (j, v) in vs.chunks_exact(n).enumerate() {
            let image = if n > image.len() { &mut long[..] } else { &mut image[..n] };
            image.fill(ZERO);
            for (column, factor) in ys.chunks_exact(n).zip(v) {
                for (o, a) in image.iter_mut().zip(column) {
                    o.re += factor.re * a.re - factor.im * a.im;
                    o.im += factor.re * a.im + factor.im * a.re;
                }
            }
            for (i, x) in image.iter().enumerate().take(offset) {
                out[(i, offset + j)] = *x;
                out[(offset + j, i)] = x.conj();
            }
            for (i, v) in vs.chunks_exact(n).enumerate().take(j + 1) {
                let entry: C = v.iter().zip(image.iter()).map(|(v, x)| v.conj() * x).sum();
                out[(offset + i, offset + j)] = entry;
                out[(offset + j, offset + i)] = entry.conj();
            }
        }
    }

    /// Adds `factor * <A_i, Y>` of a Hermitian `Y` to each row.
    pub fn apply(&mut self, y: &Matrix, factor: f64, out: &mut [f64]) {
        Self::gram_of(self.offset, &self.vectors, y, &mut self.product);
        let g = &self.product;
        for row in &self.rows {
            let sum: f64 = row.entries.iter().map(|(k, l, w)| product_real(*w, g[(*l, *k)])).sum();
            out[row.row] += factor * sum;
        }
    }

    /// `out += factor * sum_i y_i A_i`.
    pub fn apply_adjoint(&mut self, y: &[f64], factor: f64, out: &mut Matrix) {
        self.sum.fill(ZERO);
        for row in &self.rows {
            let weight = factor * y[row.row];
            row.entries.iter().for_each(|(k, l, w)| self.sum[(*k, *l)] += weight * w);
        }
        let (n, p, offset) = (self.n, self.sum.nrows(), self.offset);
        if offset == p {
            *out += &self.sum;
            return;
        }
        let vectors = self.vectors.as_slice();
        for l in 0..p {
            let weights = self.sum.column(l);
            if weights.iter().all(|w| *w == ZERO) {
                continue;
            }
            self.column.fill(ZERO);
            for (k, w) in weights.iter().enumerate().filter(|(_, w)| **w != ZERO) {
                if k < offset {
                    self.column[k] += w;
                } else {
                    let v = &vectors[(k - offset) * n..(k - offset + 1) * n];
                    self.column.iter_mut().zip(v).for_each(|(o, v)| *o += w * v);
                }
            }
            if l < offset {
                out.column_mut(l).iter_mut().zip(&self.column).for_each(|(o, t)| *o += t);
            } else {
                let v = &vectors[(l - offset) * n..(l - offset + 1) * n];
                for (column, v) in out.as_mut_slice().chunks_exact_mut(n).zip(v) {
                    let v = v.conj();
                    column.iter_mut().zip(&self.column).for_each(|(o, t)| *o += t * v);
                }
            }
        }
    }

    /// Adds `tr(A_i X A_j Z)` to the lower triangle of the normal equations (m x m, column-major).
    pub fn schur(&mut self, x: &Matrix, z: &Matrix, m: usize, out: &mut [f64]) {
        Self::gram_of(self.offset, &self.vectors, x, &mut self.gram);
        Self::gram_of(self.offset, &self.vectors, z, &mut self.gram_inverse);
        let (g, h) = (&self.gram, &self.gram_inverse);
        let mut add = |i: usize, j: usize, value: f64| out[i.min(j) * m + i.max(j)] += value;
        for (j, row) in self.rows.iter().enumerate() {
            if self.whole[j] {
                let t = &mut self.product;
                t.fill(ZERO);
                for (k, l, w) in &row.entries {
                    t.column_mut(*l).iter_mut().zip(g.column(*k).iter()).for_each(|(t, g)| *t += w * g);
                }
                super::dense::multiply(&mut self.transformed, t, h);
                for other in &self.rows[j..] {
                    let t = &self.transformed;
                    let sum: f64 = other.entries.iter().map(|(k, l, w)| product_real(*w, t[(*l, *k)])).sum();
                    add(other.row, row.row, sum);
                }
            } else {
                for other in &self.rows[j..] {
                    let mut sum = 0.0;
                    for (k, l, w) in &other.entries {
                        let mut inner = ZERO;
                        for (k2, l2, w2) in &row.entries {
                            inner += w2 * g[(*l, *k2)] * h[(*l2, *k)];
                        }
                        sum += product_real(*w, inner);
                    }
                    add(other.row, row.row, sum);
                }
            }
        }
    }
}

#[inline]
fn product_real(a: C, b: C) -> f64 {
    a.re * b.re - a.im * b.im
}
