//! `t2 = Tr((R Theta R Theta^H)²)` of the formula's correlation, by parities. A planar array is its own mirror image along both
//! axes, and so is `R`: between functions that are even or odd along each axis it has no entries, and becomes four blocks of
//! about N / 4 each. `Theta` keeps its diagonals: between parities a and b it is the part of theta that has the parity ab,
//! element by element. With `G = R Theta R`, symmetric,
//!
//! ```text
//! G_ab = R_a Theta_ab R_b,  t2 = sum_ab Tr(A_ab A_ba),  A_ab = sum_c conj(Theta_ac) G_cb
//! ```
//!
//! ten products of N / 4 in place of one of N: a sixth of the multiplications.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use num_complex::Complex;

use super::planar::PlanarArray;
use crate::math::settle;

/// The four blocks of a correlation.
#[derive(Clone, Debug)]
pub(super) struct Parities {
    array: PlanarArray,
    /// Blocks by parity: bit 0 odd along the rows, bit 1 odd along the columns.
    blocks: [Mat<f64>; 4],
}

/// Elements in a row that two parities have in common: where they begin in both blocks, and on the largest quarter.
struct Run {
    first: usize,
    second: usize,
    whole: usize,
    length: usize,
}

/// The elements that stand for a parity: those of one quarter, without the middle where it is odd.
fn extent(array: PlanarArray, parity: usize) -> [usize; 2] {
    let half = |count: usize, odd: bool| if odd { count / 2 } else { count.div_ceil(2) };
    [half(array.rows, parity & 1 == 1), half(array.columns, parity & 2 == 2)]
}

fn size(array: PlanarArray, parity: usize) -> usize {
    extent(array, parity).iter().product()
}

/// The mirror images of an element, with the parities' signs.
fn images(array: PlanarArray, [row, column]: [usize; 2], parity: usize) -> [([usize; 2], f64); 4] {
    let [far_row, far_column] = [array.rows - 1 - row, array.columns - 1 - column];
    let sign = |odd: bool| if odd { -1.0 } else { 1.0 };
    let (a, b) = (sign(parity & 1 == 1), sign(parity & 2 == 2));
    [([row, column], 1.0), ([far_row, column], a), ([row, far_column], b), ([far_row, far_column], a * b)]
}

impl Parities {
    /// Those of a correlation with these lags.
    pub fn new(array: PlanarArray, lag: impl Fn(usize, usize) -> f64) -> Self {
        let block = |parity: usize| {
            let [rows, columns] = extent(array, parity);
            let place = |e: usize| [e % rows, e / rows];
            // The middle is its own image: a function of norm 1 has it once.
            let once =
                |at: usize, count: usize| if 2 * at + 1 == count { std::f64::consts::FRAC_1_SQRT_2 } else { 1.0 };
            let weight = |[r, c]: [usize; 2]| once(r, array.rows) * once(c, array.columns);
            Mat::from_fn(rows * columns, rows * columns, |i, j| {
                let (i, j) = (place(i), place(j));
                let seen = images(array, j, parity).map(|(at, s)| s * lag(i[0].abs_diff(at[0]), i[1].abs_diff(at[1])));
                weight(i) * weight(j) * seen.iter().sum::<f64>()
            })
        };
        Self { array, blocks: [0, 1, 2, 3].map(block) }
    }

    /// The elements that two parities have in common.
    fn common(&self, a: usize, b: usize) -> Vec<Run> {
        let ([ra, ca], [rb, cb]) = (extent(self.array, a), extent(self.array, b));
        let rows = extent(self.array, 0)[0];
        let run = |c: usize| Run { first: ra * c, second: rb * c, whole: rows * c, length: ra.min(rb) };
        (0..ca.min(cb)).map(run).collect()
    }

    /// `Tr((R Theta R Theta^H)²)`. `O(N³)`, a sixth of the full product's multiplications.
    pub fn fourth_moment(&self, theta: &[Complex<f64>]) -> f64 {
        let array = self.array;
        let [rows, columns] = extent(array, 0);
        // The parts of theta by parity, on the largest quarter.
        let part = |parity: usize| -> Vec<Complex<f64>> {
            let at = |e: usize| {
                let images = images(array, [e % rows, e / rows], parity);
                let sum: Complex<f64> = images.iter().map(|([r, c], sign)| theta[r + array.rows * c] * sign).sum();
                sum * 0.25
            };
            (0..rows * columns).map(at).collect()
        };
        let parts = [0, 1, 2, 3].map(part);
        let mut g: [[Mat<Complex<f64>>; 4]; 4] = std::array::from_fn(|_| std::array::from_fn(|_| Mat::new()));
        for a in 0..4 {
            for b in a..4 {
                let (runs, theta) = (self.common(a, b), &parts[a ^ b]);
                let (na, nb) = (size(array, a), size(array, b));
                let count = runs.iter().map(|run| run.length).sum();
                // Of the one block the columns in common, by theta; of the other the rows, which are columns, too.
                let mut right = Mat::<f64>::zeros(count, nb);
                for j in 0..nb {
                    let (from, to) = (self.blocks[b].col_as_slice(j), right.col_as_slice_mut(j));
                    let mut done = 0;
                    for run in &runs {
                        to[done..done + run.length].copy_from_slice(&from[run.second..run.second + run.length]);
                        done += run.length;
                    }
                }
                let product = |of: fn(&Complex<f64>) -> f64| {
                    let mut left = Mat::<f64>::zeros(na, count);
                    let columns = runs.iter().flat_map(|run| (0..run.length).map(|i| (run.first + i, run.whole + i)));
                    for (j, (from, whole)) in columns.enumerate() {
                        let scale = of(&theta[whole]);
                        let pairs = left.col_as_slice_mut(j).iter_mut().zip(self.blocks[a].col_as_slice(from));
                        pairs.for_each(|(to, r)| *to = r * scale);
                    }
                    let mut out = Mat::<f64>::zeros(na, nb);
                    matmul(out.as_mut(), Accum::Replace, left.as_ref(), right.as_ref(), 1.0, Par::Seq);
                    settle();
                    out
                };
                let (re, im) = (product(|z| z.re), product(|z| z.im));
                g[a][b] = Mat::from_fn(na, nb, |i, j| Complex::new(re[(i, j)], im[(i, j)]));
                if a != b {
                    g[b][a] = g[a][b].transpose().to_owned();
                }
            }
        }
        // A_ab, column by column.
        let product = |a: usize, b: usize| {
            let mut out = Mat::<Complex<f64>>::zeros(size(array, a), size(array, b));
            for (c, row) in g.iter().enumerate() {
                let (runs, theta) = (self.common(a, c), &parts[a ^ c]);
                for j in 0..out.ncols() {
                    let (out, g) = (out.col_as_slice_mut(j), row[b].col_as_slice(j));
                    for Run { first, second, whole, length } in &runs {
                        let pairs = out[*first..first + length].iter_mut().zip(&g[*second..second + length]);
                        pairs.zip(&theta[*whole..whole + length]).for_each(|((o, g), t)| *o += t.conj() * g);
                    }
                }
            }
            out
        };
        let all = [0, 1, 2, 3].map(|a| [0, 1, 2, 3].map(|b| product(a, b)));
        let mut sum = 0.0;
        for (a, row) in all.iter().enumerate() {
            for (b, one) in row.iter().enumerate().skip(a) {
                let other = &all[b][a];
                let mut trace = Complex::<f64>::default();
                for j in 0..one.ncols() {
                    for i in 0..one.nrows() {
                        trace += one[(i, j)] * other[(j, i)];
                    }
                }
                sum += if a == b { trace.re } else { 2.0 * trace.re };
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;

    #[test]
    fn the_moment_is_that_of_the_whole_matrix() {
        let mut random = RandomStream::keyed(3, "test", "parities", 0, 0);
        for (rows, columns) in [(1, 1), (1, 4), (3, 1), (2, 2), (3, 4), (5, 3), (4, 6)] {
            let array = PlanarArray { rows, columns, spacing_wavelengths: 0.3 };
            let n = array.len();
            let theta: Vec<_> = (0..n).map(|_| random.complex_normal(1.0)).collect();
            let r = Mat::from_fn(n, n, |i, j| {
                let lag = array.correlation((i % rows).abs_diff(j % rows), (i / rows).abs_diff(j / rows));
                Complex::new(lag, 0.0)
            });
            let turned = Mat::from_fn(n, n, |i, j| theta[i] * r[(i, j)] * theta[j].conj());
            let product = &r * &turned;
            let square = &product * &product;
            let expected: f64 = (0..n).map(|i| square[(i, i)].re).sum();
            let got = Parities::new(array, |a, b| array.correlation(a, b)).fourth_moment(&theta);
            assert!((got / expected - 1.0).abs() < 1e-12, "{rows} x {columns}: {got} {expected}");
        }
    }
}
