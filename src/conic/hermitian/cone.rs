//! One matrix block in scaled data, and its linear maps: `A(X)`, `A^T(y)` and its share of the normal equations.
//!
//! A row `A_i = sum_(k, l) w d_k d_l^H` is held over a dictionary of vectors `d` as long as that is cheap, so that
//! `tr(A_i X A_j Z)` needs only entries of the Gram matrices `D^H X D` and `D^H Z D`: for rows `w e_k e_k^H` it is an
//! entry of a Hadamard product. A row of high rank is held as a matrix and transformed as a whole.
//!
//! Where every row is diagonal or of low rank, `A^T(y)` is diagonal plus `V W V^H` with few columns, and its products
//! with other matrices cost n² operations a column in place of n³.

use super::dense::{self, C, Matrix, SMALL, ZERO};
use super::program::{Block, Coefficients};

/// `A_i = weight e_k e_k^H`.
struct Single {
    row: usize,
    at: usize,
    weight: f64,
}

/// A row that is held as a matrix.
struct Dense {
    row: usize,
    matrix: Matrix,
}

/// One matrix block.
pub(super) struct Cone {
    pub n: usize,
    /// The dictionary's first vectors are `e_1 .. e_n` where this is n; 0 where not.
    offset: usize,
    /// The other vectors, as columns.
    vectors: Matrix,
    dense: Vec<Dense>,
    /// Rows by falling number of entries.
    sparse: Vec<Coefficients>,
    singles: Vec<Single>,
    /// Whether `A^T(y)` is diagonal plus `V W V^H` with few columns.
    pub structured: bool,
    /// Whether no entry of a row pairs a coordinate with another vector.
    apart: bool,
    pub cost: Matrix,
    pub scale: f64,
    gram_x: Matrix,
    gram_z: Matrix,
    /// `W` over the whole dictionary.
    weights: Matrix,
    /// n x q: images of the vectors.
    images_x: Matrix,
    images_z: Matrix,
    images: Matrix,
    combined: Matrix,
    square: Matrix,
    transformed: Matrix,
    /// q x q.
    core: Matrix,
    diagonal: Vec<f64>,
    column: Vec<C>,
}

impl Cone {
    pub fn new(block: &Block, cost: Matrix, scale: f64, row_scale: &[f64]) -> Self {
        let n = block.size;
        let given = if block.coordinates { n } else { 0 };
        let mut sparse = block.rows.clone();
        for coefficients in &mut sparse {
            let factor = scale * row_scale[coefficients.row];
            coefficients.entries.iter_mut().for_each(|e| e.2 *= factor);
        }
        sparse.sort_by_key(|c| std::cmp::Reverse(c.entries.len()));
        // Operations of a row by its entries (with the vectors that only it may need) against those as a matrix.
        let mut after: usize = sparse.iter().map(|c| c.entries.len()).sum();
        let q = block.vectors.len();
        let mut dense = Vec::new();
        sparse.retain(|row| {
            let entries = row.entries.len();
            let along = row.entries.iter().filter(|e| e.0 >= given).count();
            let whole = entries * after + 2 * along * n * n > 2 * n * n * n + n * n * q;
            after -= entries;
            if whole {
                let mut matrix = Matrix::zeros(n, n);
                block.add_to(&mut matrix, row, 1.0);
                dense.push(Dense { row: row.row, matrix });
            }
            !whole
        });
        let mut singles = Vec::new();
        sparse.retain(|row| match row.entries[..] {
            [(k, l, weight)] if k == l && k < given => {
                singles.push(Single { row: row.row, at: k, weight: weight.re });
                false
            }
            _ => true,
        });
        // The dictionary that is left.
        let mut used = vec![false; q];
        let mut coordinates = !singles.is_empty();
        let (mut diagonal_only, mut apart) = (true, true);
        for (k, l, _) in sparse.iter().flat_map(|row| &row.entries) {
            for at in [*k, *l] {
                if at >= given { used[at - given] = true } else { coordinates = true }
            }
            diagonal_only &= (*k >= given && *l >= given) || k == l;
            apart &= (*k >= given) == (*l >= given);
        }
        let offset = if coordinates { n } else { 0 };
        let kept: Vec<usize> = (0..q).filter(|j| used[*j]).collect();
        let place: Vec<usize> = (0..q).map(|j| offset + kept.partition_point(|k| *k < j)).collect();
        let moved = |at: usize| if at >= given { place[at - given] } else { at };
        for entry in sparse.iter_mut().flat_map(|row| &mut row.entries) {
            (entry.0, entry.1) = (moved(entry.0), moved(entry.1));
        }
        let q = kept.len();
        let p = offset + q;
        let square = |n: usize| Matrix::zeros(n, n);
        Self {
            n,
            offset,
            vectors: Matrix::from_fn(n, q, |i, j| block.vectors[kept[j]][i]),
            structured: dense.is_empty() && diagonal_only && n > SMALL && 4 * q <= 3 * n,
            apart: apart && n > SMALL,
            dense,
            sparse,
            singles,
            cost,
            scale,
            gram_x: square(p),
            gram_z: square(p),
            weights: square(p),
            images_x: Matrix::zeros(n, q),
            images_z: Matrix::zeros(n, q),
            images: Matrix::zeros(n, q),
            combined: Matrix::zeros(n, q),
            square: square(n),
            transformed: square(n),
            core: square(q),
            diagonal: vec![0.0; n],
            column: vec![ZERO; n],
        }
    }

    /// `D^H Y D` over the dictionary for a Hermitian `Y`, and `Y V` of its vectors.
    fn gram_of(&self, y: &Matrix, images: &mut Matrix, core: &mut Matrix, out: &mut Matrix) {
        let (n, q, offset) = (self.n, self.vectors.ncols(), self.offset);
        for j in 0..offset {
            out.column_mut(j).rows_mut(0, n).copy_from(&y.column(j));
        }
        if q == 0 {
            return;
        }
        dense::multiply(images, y, &self.vectors);
        dense::multiply_adjoint(core, &self.vectors, images);
        for j in 0..q {
            for i in 0..offset {
                let x = images[(i, j)];
                out[(i, offset + j)] = x;
                out[(offset + j, i)] = x.conj();
            }
            for i in 0..j {
                let x = core[(i, j)];
                out[(offset + i, offset + j)] = x;
                out[(offset + j, offset + i)] = x.conj();
            }
            out[(offset + j, offset + j)] = C::new(core[(j, j)].re, 0.0);
        }
    }

    /// Adds `factor * Re <A_i, Y>` of any `Y` to each row.
    pub fn apply(&mut self, y: &Matrix, factor: f64, out: &mut [f64]) {
        for single in &self.singles {
            out[single.row] += factor * single.weight * y[(single.at, single.at)].re;
        }
        for row in &self.dense {
            out[row.row] += factor * dense::inner(&row.matrix, y);
        }
        if self.sparse.is_empty() {
            return;
        }
        if self.vectors.ncols() > 0 {
            dense::multiply(&mut self.images, y, &self.vectors);
        }
        for row in &self.sparse {
            out[row.row] += factor * self.value_at(row, y);
        }
    }

    /// Adds `Re <A_i, M Z>` to each row for the `Z` of the last [`Cone::schur`], without the product as a whole.
    pub fn apply_product(&mut self, left: &Matrix, z: &Matrix, out: &mut [f64]) {
        debug_assert!(self.structured);
        let n = self.n;
        self.diagonal.fill(0.0);
        for (a, z) in left.as_slice().chunks_exact(n).zip(z.as_slice().chunks_exact(n)) {
            for ((sum, a), z) in self.diagonal.iter_mut().zip(a).zip(z) {
                *sum += a.re * z.re + a.im * z.im;
            }
        }
        for single in &self.singles {
            out[single.row] += single.weight * self.diagonal[single.at];
        }
        if self.vectors.ncols() > 0 {
            dense::multiply(&mut self.images, left, &self.images_z);
        }
        for row in &self.sparse {
            let mut sum = 0.0;
            for (k, l, w) in &row.entries {
                if *k < self.offset {
                    sum += w.re * self.diagonal[*k];
                } else {
                    let v = self.vectors.column(l - self.offset);
                    let value = dense::dot(v.as_slice(), self.images.column(k - self.offset).as_slice());
                    sum += product_real(*w, value);
                }
            }
            out[row.row] += sum;
        }
    }

    /// `out = M A^T(y)` for a structured cone: `M diag + (M V) W V^H`. `of_x`: whether `M` is the X of the last
    /// [`Cone::schur`], whose images are known.
    pub fn multiply_by_adjoint(&mut self, left: &Matrix, of_x: bool, y: &[f64], factor: f64, out: &mut Matrix) {
        debug_assert!(self.structured);
        let (n, q) = (self.n, self.vectors.ncols());
        self.fill_structure(y, factor);
        if q > 0 {
            if !of_x {
                dense::multiply(&mut self.images, left, &self.vectors);
            }
            let images = if of_x { &self.images_x } else { &self.images };
            // (M V W) V^H.
            dense::multiply(&mut self.combined, images, &self.core);
            dense::multiply_by_adjoint(out, &self.combined, &self.vectors);
        } else {
            out.fill(ZERO);
        }
        let columns = out.as_mut_slice().chunks_exact_mut(n).zip(left.as_slice().chunks_exact(n));
        for ((out, left), d) in columns.zip(&self.diagonal) {
            for (o, a) in out.iter_mut().zip(left) {
                o.re += d * a.re;
                o.im += d * a.im;
            }
        }
    }

    /// Writes the diagonal and `W` of `factor A^T(y)`.
    fn fill_structure(&mut self, y: &[f64], factor: f64) {
        let offset = self.offset;
        self.diagonal.fill(0.0);
        self.core.fill(ZERO);
        for single in &self.singles {
            self.diagonal[single.at] += factor * y[single.row] * single.weight;
        }
        for row in &self.sparse {
            let weight = factor * y[row.row];
            for (k, l, w) in &row.entries {
                if *k < offset {
                    self.diagonal[*k] += weight * w.re;
                } else {
                    self.core[(k - offset, l - offset)] += weight * w;
                }
            }
        }
    }

    /// `out += factor * sum_i y_i A_i`.
    pub fn apply_adjoint(&mut self, y: &[f64], factor: f64, out: &mut Matrix) {
        if self.structured {
            self.fill_structure(y, factor);
            (0..self.n).for_each(|i| out[(i, i)].re += self.diagonal[i]);
            if self.vectors.ncols() > 0 {
                dense::multiply(&mut self.combined, &self.vectors, &self.core);
                dense::add_multiply_by_adjoint(out, &self.combined, &self.vectors);
            }
            return;
        }
        for single in &self.singles {
            out[(single.at, single.at)].re += factor * y[single.row] * single.weight;
        }
        for row in &self.dense {
            dense::add(out, factor * y[row.row], &row.matrix);
        }
        if self.sparse.is_empty() {
            return;
        }
        let (n, p, offset) = (self.n, self.weights.nrows(), self.offset);
        if self.apart {
            self.core.fill(ZERO);
            for row in &self.sparse {
                let weight = factor * y[row.row];
                for (k, l, w) in &row.entries {
                    match *k < offset {
                        true => out[(*k, *l)] += weight * w,
                        false => self.core[(k - offset, l - offset)] += weight * w,
                    }
                }
            }
            if self.vectors.ncols() > 0 {
                dense::multiply(&mut self.combined, &self.vectors, &self.core);
                dense::add_multiply_by_adjoint(out, &self.combined, &self.vectors);
            }
            return;
        }
        self.weights.fill(ZERO);
        for row in &self.sparse {
            let weight = factor * y[row.row];
            row.entries.iter().for_each(|(k, l, w)| self.weights[(*k, *l)] += weight * w);
        }
        for l in 0..offset {
            let weights = &self.weights.as_slice()[l * p..l * p + offset];
            out.column_mut(l).iter_mut().zip(weights).for_each(|(o, w)| *o += w);
        }
        let vectors = self.vectors.as_slice();
        for l in 0..p {
            // Columns of D W, those of coordinates without the part that is done.
            let first = if l < offset { offset } else { 0 };
            let weights = &self.weights.as_slice()[l * p + first..(l + 1) * p];
            if weights.iter().all(|w| *w == ZERO) {
                continue;
            }
            self.column.fill(ZERO);
            for (k, w) in weights.iter().enumerate().filter(|(_, w)| **w != ZERO) {
                let k = k + first;
                if k < offset {
                    self.column[k] += w;
                } else {
                    dense::axpy(&mut self.column, *w, &vectors[(k - offset) * n..(k - offset + 1) * n]);
                }
            }
            if l < offset {
                out.column_mut(l).iter_mut().zip(&self.column).for_each(|(o, t)| *o += t);
            } else {
                let v = &vectors[(l - offset) * n..(l - offset + 1) * n];
                for (column, v) in out.as_mut_slice().chunks_exact_mut(n).zip(v) {
                    dense::axpy(column, v.conj(), &self.column);
                }
            }
        }
    }

    /// Adds `tr(A_i X A_j Z)` to the lower triangle of the normal equations (m x m, column-major).
    pub fn schur(&mut self, x: &Matrix, z: &Matrix, m: usize, out: &mut [f64]) {
        let add = |out: &mut [f64], i: usize, j: usize, value: f64| out[i.min(j) * m + i.max(j)] += value;
        // Rows as matrices, each with all after it.
        for j in 0..self.dense.len() {
            dense::multiply(&mut self.square, x, &self.dense[j].matrix);
            dense::multiply(&mut self.transformed, &self.square, z);
            let row = self.dense[j].row;
            for other in &self.dense[j..] {
                add(out, other.row, row, dense::inner(&other.matrix, &self.transformed));
            }
            let t = std::mem::replace(&mut self.transformed, Matrix::zeros(0, 0));
            for single in &self.singles {
                add(out, single.row, row, single.weight * t[(single.at, single.at)].re);
            }
            if !self.sparse.is_empty() {
                dense::multiply(&mut self.images, &t, &self.vectors);
                for other in &self.sparse {
                    let value = self.value_at(other, &t);
                    add(out, other.row, row, value);
                }
            }
            self.transformed = t;
        }
        if self.sparse.is_empty() && self.singles.is_empty() {
            return;
        }
        let (x, z) = if self.vectors.ncols() == 0 {
            (x, z)
        } else {
            let empty = || Matrix::zeros(0, 0);
            let mut core = std::mem::replace(&mut self.core, empty());
            for (y, which) in [(x, true), (z, false)] {
                let (images, gram) = match which {
                    true => (&mut self.images_x, &mut self.gram_x),
                    false => (&mut self.images_z, &mut self.gram_z),
                };
                let (mut images, mut gram) = (std::mem::replace(images, empty()), std::mem::replace(gram, empty()));
                self.gram_of(y, &mut images, &mut core, &mut gram);
                match which {
                    true => (self.images_x, self.gram_x) = (images, gram),
                    false => (self.images_z, self.gram_z) = (images, gram),
                }
            }
            self.core = core;
            (&self.gram_x, &self.gram_z)
        };
        for (j, row) in self.sparse.iter().enumerate() {
            for other in &self.sparse[j..] {
                let mut sum = 0.0;
                for (k, l, w) in &other.entries {
                    let mut inner = ZERO;
                    for (k2, l2, w2) in &row.entries {
                        inner += w2 * x[(*l, *k2)] * z[(*l2, *k)];
                    }
                    sum += product_real(*w, inner);
                }
                add(out, other.row, row.row, sum);
            }
            for single in &self.singles {
                let mut sum = 0.0;
                for (k, l, w) in &row.entries {
                    sum += product_real(*w, x[(single.at, *k)] * z[(*l, single.at)]);
                }
                add(out, single.row, row.row, single.weight * sum);
            }
        }
        // Diagonal rows: the Hadamard product of X and the conjugate of Z.
        let p = x.nrows();
        for (j, row) in self.singles.iter().enumerate() {
            let (x, z) = (&x.as_slice()[row.at * p..(row.at + 1) * p], &z.as_slice()[row.at * p..(row.at + 1) * p]);
            for other in &self.singles[j..] {
                let (x, z) = (x[other.at], z[other.at]);
                add(out, other.row, row.row, row.weight * other.weight * (x.re * z.re + x.im * z.im));
            }
        }
    }

    /// `Re <A, T>` of a row for a matrix T, whose images `T V` stand in `images`.
    fn value_at(&self, row: &Coefficients, t: &Matrix) -> f64 {
        let offset = self.offset;
        let mut sum = 0.0;
        for (k, l, w) in &row.entries {
            let value = match (*l < offset, *k < offset) {
                (true, true) => t[(*l, *k)],
                (true, false) => self.images[(*l, k - offset)],
                (false, true) => dense::dot(self.vectors.column(l - offset).as_slice(), t.column(*k).as_slice()),
                (false, false) => {
                    dense::dot(self.vectors.column(l - offset).as_slice(), self.images.column(k - offset).as_slice())
                }
            };
            sum += product_real(*w, value);
        }
        sum
    }
}

#[inline]
fn product_real(a: C, b: C) -> f64 {
    a.re * b.re - a.im * b.im
}
