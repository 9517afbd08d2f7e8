//! Search coordinates: the free blocks of a design as a vector in which a step of length 1 is a typical one.
//!
//! | domain | [`Coordinates::free`], no bounds | [`Coordinates::bounded`], with bounds |
//! |---|---|---|
//! | non-negative | `x = scale z²` | `x = scale z`, `z >= 0` |
//! | box | `x = lower + (upper - lower) sin² z` | `x = lower + (upper - lower) z`, `0 <= z <= 1` |
//! | phase | `x = 2 z` | the same |
//! | complex | `x = scale z` | the same |
//! | Hermitian | `X = scale V V^H`, `V` n x n complex | the same |
//!
//! The squares make an optimum at a bound an ordinary interior optimum, which a search without bounds finds as fast as
//! any other; in the bounded form an active-set method identifies it exactly.

use std::ops::Range;

use num_complex::Complex;

use crate::design::{Design, Domain, hermitian, pack_hermitian};
use crate::math::RandomStream;
use crate::problem::Problem;

/// How far [`Coordinates::leave_edges`] moves a point.
const OFF_EDGE: f64 = 0.1;

/// The map between search coordinates and designs of one problem.
pub(crate) struct Coordinates {
    pieces: Vec<Piece>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

struct Piece {
    design: Range<usize>,
    search: Range<usize>,
    kind: Kind,
}

enum Kind {
    Linear { offset: f64, scale: f64 },
    Square { offset: f64, scale: f64 },
    Sine { lower: f64, width: f64 },
    Factor { n: usize, scale: f64 },
}

impl Coordinates {
    /// Coordinates without bounds.
    pub(crate) fn free(problem: &Problem) -> Self {
        Self::new(problem, false, &[])
    }

    /// Coordinates without bounds of the free blocks but for some, by index.
    pub(crate) fn free_without(problem: &Problem, left_out: &[usize]) -> Self {
        Self::new(problem, false, left_out)
    }

    /// Coordinates between bounds.
    pub(crate) fn bounded(problem: &Problem) -> Self {
        Self::new(problem, true, &[])
    }

    fn new(problem: &Problem, bounded: bool, left_out: &[usize]) -> Self {
        let space = problem.model().space();
        let mut it = Self { pieces: Vec::new(), lower: Vec::new(), upper: Vec::new() };
        for (index, block) in space.blocks().iter().enumerate() {
            if problem.spec().fixed.contains_key(&block.name) || left_out.contains(&index) {
                continue;
            }
            let scale = if block.scale.is_finite() && block.scale > 0.0 { block.scale } else { 1.0 };
            let range = space.range(index);
            match &block.domain {
                Domain::NonNegative if bounded => {
                    it.add(range, Kind::Linear { offset: 0.0, scale }, 0.0, f64::INFINITY);
                }
                Domain::NonNegative => it.unbounded(range, Kind::Square { offset: 0.0, scale }),
                Domain::Box { lower, upper } => {
                    for ((at, low), high) in range.zip(lower).zip(upper) {
                        it.add_interval(at, *low, *high, scale, bounded);
                    }
                }
                Domain::Phase => it.unbounded(range, Kind::Linear { offset: 0.0, scale: 2.0 }),
                Domain::Complex => it.unbounded(range, Kind::Linear { offset: 0.0, scale }),
                Domain::Hermitian => {
                    let n = block.shape[0];
                    it.unbounded(range, Kind::Factor { n, scale: scale / n as f64 });
                }
                // No step can be taken in it: it stays as it is.
                Domain::Level { .. } | Domain::QuantizedPhase { .. } => {}
            }
        }
        it
    }

    fn unbounded(&mut self, design: Range<usize>, kind: Kind) {
        self.add(design, kind, f64::NEG_INFINITY, f64::INFINITY);
    }

    fn add(&mut self, design: Range<usize>, kind: Kind, lower: f64, upper: f64) {
        let count = match kind {
            Kind::Factor { n, .. } => 2 * n * n,
            _ => design.len(),
        };
        let first = self.lower.len();
        self.lower.resize(first + count, lower);
        self.upper.resize(first + count, upper);
        self.pieces.push(Piece { design, search: first..first + count, kind });
    }

    fn add_interval(&mut self, at: usize, low: f64, high: f64, scale: f64, bounded: bool) {
        let one = at..at + 1;
        match (low.is_finite(), high.is_finite()) {
            (true, true) if bounded && high > low => {
                self.add(one, Kind::Linear { offset: low, scale: high - low }, 0.0, 1.0);
            }
            (true, true) if high > low => self.unbounded(one, Kind::Sine { lower: low, width: high - low }),
            // A single value: nothing to search.
            (true, true) => {}
            (true, false) if bounded => self.add(one, Kind::Linear { offset: low, scale }, 0.0, f64::INFINITY),
            (true, false) => self.unbounded(one, Kind::Square { offset: low, scale }),
            (false, true) if bounded => self.add(one, Kind::Linear { offset: high, scale: -scale }, 0.0, f64::INFINITY),
            (false, true) => self.unbounded(one, Kind::Square { offset: high, scale: -scale }),
            (false, false) => self.unbounded(one, Kind::Linear { offset: 0.0, scale }),
        }
    }

    /// The number of search coordinates.
    pub(crate) fn len(&self) -> usize {
        self.lower.len()
    }

    /// Lower bounds.
    pub(crate) fn lower(&self) -> &[f64] {
        &self.lower
    }

    /// Upper bounds.
    pub(crate) fn upper(&self) -> &[f64] {
        &self.upper
    }

    /// Writes the design of a search point; fixed blocks stay as they are in it.
    pub(crate) fn write(&self, point: &[f64], design: &mut Design) {
        for piece in &self.pieces {
            let (z, x) = (&point[piece.search.clone()], &mut design[piece.design.clone()]);
            let each = z.iter().zip(x.iter_mut());
            match piece.kind {
                Kind::Linear { offset, scale } => each.for_each(|(z, x)| *x = offset + scale * z),
                Kind::Square { offset, scale } => each.for_each(|(z, x)| *x = offset + scale * z * z),
                Kind::Sine { lower, width } => {
                    each.for_each(|(z, x)| *x = (lower + width * z.sin().powi(2)).clamp(lower, lower + width));
                }
                Kind::Factor { n, scale } => {
                    let v = factor(z, n);
                    pack_hermitian(&((&v * v.adjoint()) * Complex::new(scale, 0.0)), x);
                }
            }
        }
    }

    /// A search point of a design (one of several, where the map folds).
    pub(crate) fn read(&self, design: &Design, point: &mut [f64]) {
        for piece in &self.pieces {
            let (x, z) = (&design[piece.design.clone()], &mut point[piece.search.clone()]);
            let each = x.iter().zip(z.iter_mut());
            match piece.kind {
                Kind::Linear { offset, scale } => each.for_each(|(x, z)| *z = (x - offset) / scale),
                Kind::Square { offset, scale } => {
                    each.for_each(|(x, z)| *z = ((x - offset) / scale).max(0.0).sqrt());
                }
                Kind::Sine { lower, width } => {
                    each.for_each(|(x, z)| *z = ((x - lower) / width).clamp(0.0, 1.0).sqrt().asin());
                }
                Kind::Factor { n, scale } => {
                    let eigen = hermitian(x, n).symmetric_eigen();
                    for (j, value) in eigen.eigenvalues.iter().enumerate() {
                        let root = (value.max(0.0) / scale).sqrt();
                        for i in 0..n {
                            let entry = eigen.eigenvectors[(i, j)] * root;
                            z[2 * (i * n + j)] = entry.re;
                            z[2 * (i * n + j) + 1] = entry.im;
                        }
                    }
                }
            }
        }
    }

    /// The gradient in search coordinates, from that in the design's (chain rule).
    pub(crate) fn pull(&self, point: &[f64], of_design: &[f64], of_point: &mut [f64]) {
        for piece in &self.pieces {
            let (z, g) = (&point[piece.search.clone()], &of_design[piece.design.clone()]);
            let out = &mut of_point[piece.search.clone()];
            let each = z.iter().zip(g).zip(out.iter_mut());
            match piece.kind {
                Kind::Linear { scale, .. } => each.for_each(|((_, g), o)| *o = scale * g),
                Kind::Square { scale, .. } => each.for_each(|((z, g), o)| *o = 2.0 * scale * z * g),
                Kind::Sine { width, .. } => each.for_each(|((z, g), o)| *o = width * (2.0 * z).sin() * g),
                Kind::Factor { n, scale } => {
                    // d<G, V V^H> = 2 Re tr(V^H G dV), and the coordinates keep the inner product.
                    let product = hermitian(g, n) * factor(z, n);
                    for i in 0..n {
                        for j in 0..n {
                            out[2 * (i * n + j)] = 2.0 * scale * product[(i, j)].re;
                            out[2 * (i * n + j) + 1] = 2.0 * scale * product[(i, j)].im;
                        }
                    }
                }
            }
        }
    }

    /// Moves a point between the bounds.
    pub(crate) fn clamp(&self, point: &mut [f64]) {
        for ((z, l), u) in point.iter_mut().zip(&self.lower).zip(&self.upper) {
            *z = z.max(*l).min(*u);
        }
    }

    /// Bounds of a search that needs some: `reach` typical sizes on either side of 0, a whole period of an interval. The
    /// edges of domains lie inside, so that a search which stops at its bounds does not stop at them.
    pub(crate) fn window(&self, reach: f64) -> (Vec<f64>, Vec<f64>) {
        let mut high = vec![reach; self.len()];
        for piece in self.pieces.iter().filter(|piece| matches!(piece.kind, Kind::Sine { .. })) {
            high[piece.search.clone()].fill(std::f64::consts::PI);
        }
        (high.iter().map(|h| -h).collect(), high)
    }

    /// Moves a point off the edges of domains, where the slope in these coordinates is 0 whatever the function.
    pub(crate) fn leave_edges(&self, point: &mut [f64]) {
        for piece in &self.pieces {
            let z = &mut point[piece.search.clone()];
            match piece.kind {
                Kind::Square { .. } => {
                    z.iter_mut().filter(|z| z.abs() < OFF_EDGE).for_each(|z| *z = OFF_EDGE);
                }
                Kind::Sine { .. } => {
                    z.iter_mut().for_each(|z| *z = z.clamp(OFF_EDGE, std::f64::consts::FRAC_PI_2 - OFF_EDGE));
                }
                Kind::Factor { n, .. } => {
                    // A column of zeros stays one.
                    for j in 0..n {
                        let column = (0..n).map(|i| z[2 * (i * n + j)].hypot(z[2 * (i * n + j) + 1]));
                        if column.fold(0.0, f64::max) < OFF_EDGE {
                            z[2 * (j * n + j)] = OFF_EDGE;
                        }
                    }
                }
                Kind::Linear { .. } => {}
            }
        }
    }

    /// A random search point: that of a random design.
    pub(crate) fn random(&self, problem: &Problem, stream: &mut RandomStream, point: &mut [f64]) -> Design {
        let design = problem.random(stream);
        self.read(&design, point);
        design
    }
}

fn factor(z: &[f64], n: usize) -> nalgebra::DMatrix<Complex<f64>> {
    nalgebra::DMatrix::from_fn(n, n, |i, j| Complex::new(z[2 * (i * n + j)], z[2 * (i * n + j) + 1]))
}
