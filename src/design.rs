//! Designs and their spaces: a product of named blocks, held as one flat slice of numbers.
//!
//! Layout: blocks in order; arrays row-major; complex numbers interleaved (re, im); a Hermitian n x n matrix
//! as its diagonal, then the upper triangle row by row as (re, im) scaled by the square root of 2, so that the
//! inner product of two matrices is that of their coordinates.

use std::ops::{Deref, DerefMut, Range};

use num_complex::Complex;
use serde_json::Value;

use crate::error::{InputError, Result};
use crate::instance::{complex_array, real_array, shape_text};
use crate::math::RandomStream;

/// What the entries of a block may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Real, 0 or more.
    NonNegative,
    /// Real, between two limits per coordinate.
    Box {
        /// Lower limits, one per coordinate.
        lower: Vec<f64>,
        /// Upper limits, one per coordinate.
        upper: Vec<f64>,
    },
    /// A continuous phase in radians (the entry is `e^{j phase}`); any real number, equal modulo 2 pi.
    Phase,
    /// A discrete phase `2 pi level / levels`: whole numbers from 0 to levels - 1.
    Level {
        /// How many levels there are.
        levels: u32,
    },
    /// A phase in radians on the grid `2 pi level / levels`, level from 0 to levels - 1.
    QuantizedPhase {
        /// How many phases there are.
        levels: u32,
    },
    /// Complex.
    Complex,
    /// Complex Hermitian positive semidefinite, shape [n, n].
    Hermitian,
}

impl Domain {
    /// Whether a step of any size can be taken in it.
    pub fn is_continuous(&self) -> bool {
        self.levels().is_none()
    }

    /// How many values a discrete entry takes and their distance, the first one being 0; none where it is continuous.
    pub fn levels(&self) -> Option<(u32, f64)> {
        match self {
            Self::Level { levels } => Some((*levels, 1.0)),
            Self::QuantizedPhase { levels } => Some((*levels, std::f64::consts::TAU / f64::from(*levels))),
            _ => None,
        }
    }

    /// The domain in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::NonNegative => "real, 0 or more",
            Self::Box { .. } => "real, between its limits",
            Self::Phase => "phase in rad",
            Self::Level { .. } => "whole phase level",
            Self::QuantizedPhase { .. } => "phase in rad on its grid",
            Self::Complex => "complex",
            Self::Hermitian => "Hermitian, positive semidefinite",
        }
    }
}

/// One named part of a design.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The name, as in instance files and configs.
    pub name: String,
    /// The shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// What the entries may be.
    pub domain: Domain,
    /// A typical magnitude of an entry, from which searches take their first step.
    pub scale: f64,
    /// Whether the model finds this block itself when a design leaves it out (a matched beam).
    pub derived: bool,
    /// What it is, with its unit.
    pub description: String,
}

impl Block {
    /// A block that every design must hold.
    pub fn new(name: &str, shape: &[usize], domain: Domain, scale: f64, description: &str) -> Self {
        Self {
            name: name.to_string(),
            shape: shape.to_vec(),
            domain,
            scale,
            derived: false,
            description: description.to_string(),
        }
    }

    /// The number of real coordinates.
    pub fn coordinates(&self) -> usize {
        let entries: usize = self.shape.iter().product();
        match self.domain {
            Domain::Complex => 2 * entries,
            _ => entries,
        }
    }
}

/// A product of blocks, with named groups of them.
#[derive(Clone, Debug, PartialEq)]
pub struct DesignSpace {
    blocks: Vec<Block>,
    offsets: Vec<usize>,
    groups: Vec<(String, Vec<usize>)>,
}

impl DesignSpace {
    /// The space of the given blocks, in order.
    pub fn new(blocks: Vec<Block>) -> Self {
        let mut offsets = vec![0];
        for block in &blocks {
            offsets.push(offsets[offsets.len() - 1] + block.coordinates());
        }
        Self { blocks, offsets, groups: Vec::new() }
    }

    /// Names a group of blocks: wherever a block is named, the group may stand.
    #[must_use]
    pub fn with_group(mut self, name: &str, blocks: &[&str]) -> Self {
        let members = self.blocks.iter().enumerate().filter(|(_, b)| blocks.contains(&b.name.as_str()));
        let members = members.map(|(i, _)| i).collect();
        self.groups.push((name.to_string(), members));
        self
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The named groups of blocks, by index.
    pub fn groups(&self) -> &[(String, Vec<usize>)] {
        &self.groups
    }

    /// The number of real coordinates of a design.
    pub fn len(&self) -> usize {
        self.offsets[self.blocks.len()]
    }

    /// Whether a design has no coordinates.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The coordinates of a block, by its index.
    pub fn range(&self, block: usize) -> Range<usize> {
        self.offsets[block]..self.offsets[block + 1]
    }

    /// The index of a block.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.blocks.iter().position(|b| b.name == name)
    }

    /// The blocks that a block's or a group's name stands for.
    pub fn resolve(&self, name: &str) -> Result<Vec<usize>> {
        if let Some(index) = self.index(name) {
            return Ok(vec![index]);
        }
        match self.groups.iter().find(|(group, _)| group == name) {
            Some((_, members)) => Ok(members.clone()),
            None => {
                let names = self.blocks.iter().map(|b| b.name.as_str());
                Err(InputError::unknown("block", name, names.chain(self.groups.iter().map(|g| g.0.as_str()))).into())
            }
        }
    }

    /// Moves each coordinate into its domain: clamps, rounds levels, clips negative eigenvalues, turns NaN into
    /// the domain's point nearest to 0.
    pub fn project(&self, design: &mut [f64]) {
        for (index, block) in self.blocks.iter().enumerate() {
            let part = &mut design[self.range(index)];
            for x in part.iter_mut().filter(|x| x.is_nan()) {
                *x = 0.0;
            }
            match &block.domain {
                Domain::NonNegative => part.iter_mut().for_each(|x| *x = x.max(0.0)),
                Domain::Box { lower, upper } => {
                    for ((x, l), u) in part.iter_mut().zip(lower).zip(upper) {
                        *x = x.clamp(*l, *u);
                    }
                }
                Domain::Level { levels } => {
                    let count = f64::from(*levels);
                    part.iter_mut().for_each(|x| *x = x.round().rem_euclid(count));
                }
                Domain::QuantizedPhase { levels } => {
                    let (count, step) = (f64::from(*levels), std::f64::consts::TAU / f64::from(*levels));
                    part.iter_mut().for_each(|x| *x = (*x / step).round().rem_euclid(count) * step);
                }
                Domain::Hermitian => project_semidefinite(part, block.shape[0]),
                Domain::Phase | Domain::Complex => {}
            }
        }
    }

    /// The largest absolute distance of a coordinate from its domain (for Hermitian blocks: of the least
    /// eigenvalue below 0), and the block it stands in.
    pub fn distance(&self, design: &[f64]) -> (f64, Option<&Block>) {
        let mut worst = (0.0, None);
        for (index, block) in self.blocks.iter().enumerate() {
            let part = &design[self.range(index)];
            let distance = match &block.domain {
                _ if part.iter().any(|x| !x.is_finite()) => f64::INFINITY,
                Domain::NonNegative => part.iter().fold(0.0, |d, x| f64::max(d, -x)),
                Domain::Box { lower, upper } => {
                    let outside = part.iter().zip(lower).zip(upper).map(|((x, l), u)| (l - x).max(x - u));
                    outside.fold(0.0, f64::max)
                }
                Domain::Level { levels } => {
                    let top = f64::from(*levels) - 1.0;
                    part.iter().fold(0.0, |d, x| f64::max(d, (x - x.round()).abs().max(-x).max(x - top)))
                }
                Domain::QuantizedPhase { levels } => {
                    let step = std::f64::consts::TAU / f64::from(*levels);
                    part.iter().fold(0.0, |d, x| f64::max(d, (x - (x / step).round() * step).abs()))
                }
                Domain::Hermitian => {
                    let matrix = hermitian(part, block.shape[0]);
                    matrix.symmetric_eigenvalues().iter().fold(0.0, |d, e| f64::max(d, -e))
                }
                Domain::Phase | Domain::Complex => 0.0,
            };
            if distance > worst.0 {
                worst = (distance, Some(block));
            }
        }
        worst
    }

    /// A random point: each coordinate uniform over its domain, or over the block's scale where that is unbounded
    /// (exponential for non-negative ones, normal for complex ones).
    pub fn random(&self, stream: &mut RandomStream) -> Design {
        let mut design = Design::zeros(self);
        for (index, block) in self.blocks.iter().enumerate() {
            let part = &mut design[self.range(index)];
            match &block.domain {
                Domain::NonNegative => {
                    part.iter_mut().for_each(|x| *x = -block.scale * (1.0 - stream.uniform()).ln());
                }
                Domain::Box { lower, upper } => {
                    for ((x, l), u) in part.iter_mut().zip(lower).zip(upper) {
                        *x = l + (u - l) * stream.uniform();
                    }
                }
                Domain::Phase => part.iter_mut().for_each(|x| *x = std::f64::consts::TAU * stream.uniform()),
                Domain::Level { levels } => {
                    let count = f64::from(*levels);
                    part.iter_mut().for_each(|x| *x = (count * stream.uniform()).floor());
                }
                Domain::QuantizedPhase { levels } => {
                    let (count, step) = (f64::from(*levels), std::f64::consts::TAU / f64::from(*levels));
                    part.iter_mut().for_each(|x| *x = (count * stream.uniform()).floor() * step);
                }
                Domain::Complex => part.iter_mut().for_each(|x| *x = block.scale * stream.normal()),
                Domain::Hermitian => {
                    let n = block.shape[0];
                    let factor = nalgebra::DMatrix::from_fn(n, n, |_, _| stream.complex_normal(block.scale / n as f64));
                    pack_hermitian(&(&factor * factor.adjoint()), part);
                }
            }
        }
        design
    }

    /// The design as the JSON object of instance files: one entry a block.
    pub fn to_json(&self, design: &Design) -> Value {
        let mut object = serde_json::Map::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let part = &design[self.range(index)];
            let value = match block.domain {
                Domain::Complex => {
                    let re: Vec<f64> = part.iter().step_by(2).copied().collect();
                    let im: Vec<f64> = part.iter().skip(1).step_by(2).copied().collect();
                    serde_json::json!({ "re": nested(&re, &block.shape), "im": nested(&im, &block.shape) })
                }
                Domain::Hermitian => {
                    let n = block.shape[0];
                    let matrix = hermitian(part, n);
                    let entry = |i: usize| matrix[(i / n, i % n)];
                    let re: Vec<f64> = (0..n * n).map(|i| entry(i).re).collect();
                    let im: Vec<f64> = (0..n * n).map(|i| entry(i).im).collect();
                    serde_json::json!({ "re": nested(&re, &block.shape), "im": nested(&im, &block.shape) })
                }
                Domain::Level { .. } => nested_with(part, &block.shape, &|x| Value::from(x as i64)),
                _ => nested(part, &block.shape),
            };
            object.insert(block.name.clone(), value);
        }
        Value::Object(object)
    }

    /// Reads a design from the JSON object of instance files. Gives also the derived blocks that it leaves out
    /// (their coordinates are 0 until the model completes them). `place` is the object's path, for messages.
    pub fn from_json(&self, value: &Value, place: &str) -> Result<(Design, Vec<usize>)> {
        let allowed = self.blocks.iter().map(|b| b.name.as_str());
        let Some(object) = value.as_object() else {
            let names = allowed.collect::<Vec<_>>().join(", ");
            return Err(InputError::new(place, "no object", format!("an object of the blocks {names}")).into());
        };
        if let Some(unknown) = object.keys().find(|k| self.index(k).is_none()) {
            return Err(InputError::unknown(format!("{place}.{unknown}"), unknown, allowed).into());
        }
        let mut design = Design::zeros(self);
        let mut absent = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let key = format!("{place}.{}", block.name);
            let part = &mut design[self.range(index)];
            let Some(value) = object.get(&block.name) else {
                if block.derived {
                    absent.push(index);
                    continue;
                }
                let expected = format!("{}, {}", block.domain.describe(), shape_text(&block.shape));
                return Err(InputError::new(key, "no such block", expected).into());
            };
            match block.domain {
                Domain::Complex | Domain::Hermitian => {
                    let entries = complex_array(value, &block.shape, &key)?;
                    if block.domain == Domain::Complex {
                        for (pair, z) in part.chunks_exact_mut(2).zip(entries) {
                            pair.copy_from_slice(&[z.re, z.im]);
                        }
                    } else {
                        let n = block.shape[0];
                        let matrix = nalgebra::DMatrix::from_row_iterator(n, n, entries);
                        let skew = (&matrix - matrix.adjoint()).norm();
                        if skew > 1e-9 * matrix.norm() {
                            return Err(
                                InputError::new(key, "a matrix that is not Hermitian", "a Hermitian one").into()
                            );
                        }
                        pack_hermitian(&matrix, part);
                    }
                }
                _ => part.copy_from_slice(&real_array(value, &block.shape, &key)?),
            }
        }
        self.check(&design, place)?;
        Ok((design, absent))
    }

    fn check(&self, design: &Design, place: &str) -> Result<()> {
        for (index, block) in self.blocks.iter().enumerate() {
            let part = &design[self.range(index)];
            let largest = part.iter().fold(0.0, |m, x| f64::max(m, x.abs()));
            let slack = match block.domain {
                Domain::QuantizedPhase { .. } => 1e-9,
                Domain::Hermitian => 1e-9 * largest,
                _ => 0.0,
            };
            let single = DesignSpace::new(vec![block.clone()]);
            let (distance, _) = single.distance(part);
            if distance > slack {
                let (position, found) = match &block.domain {
                    Domain::Hermitian => (String::new(), format!("an eigenvalue of {:e}", -distance)),
                    domain => {
                        let outside = |(i, x): (usize, &f64)| match domain {
                            Domain::NonNegative => *x < 0.0,
                            Domain::Box { lower, upper } => *x < lower[i] || *x > upper[i],
                            Domain::Level { levels } => x.fract() != 0.0 || *x < 0.0 || *x > f64::from(*levels) - 1.0,
                            _ => false,
                        };
                        let i = part.iter().enumerate().position(outside).unwrap_or(0);
                        (position(i, &block.shape), part[i].to_string())
                    }
                };
                let key = format!("{place}.{}{position}", block.name);
                return Err(InputError::new(key, found, block.domain.describe()).into());
            }
        }
        Ok(())
    }
}

/// The place of an entry in nested lists: "[2][0]"; nothing for a single number.
fn position(mut entry: usize, shape: &[usize]) -> String {
    let mut text = String::new();
    for length in shape.iter().rev() {
        text.insert_str(0, &format!("[{}]", entry % length));
        entry /= length;
    }
    text
}

fn nested(values: &[f64], shape: &[usize]) -> Value {
    nested_with(values, shape, &crate::metric::number_json)
}

/// Nests a flat row-major array as JSON lists; a scalar for the empty shape.
pub fn nested_with(values: &[f64], shape: &[usize], entry: &dyn Fn(f64) -> Value) -> Value {
    match shape {
        [] => values.first().map_or(Value::Null, |x| entry(*x)),
        [_] => values.iter().map(|x| entry(*x)).collect(),
        [rows, rest @ ..] => {
            let width = values.len() / (*rows).max(1);
            values.chunks(width.max(1)).map(|row| nested_with(row, rest, entry)).collect()
        }
    }
}

/// The Hermitian matrix that a block's coordinates stand for.
pub fn hermitian(coordinates: &[f64], n: usize) -> nalgebra::DMatrix<Complex<f64>> {
    let mut matrix = nalgebra::DMatrix::zeros(n, n);
    let mut next = n;
    for i in 0..n {
        matrix[(i, i)] = Complex::new(coordinates[i], 0.0);
        for j in i + 1..n {
            let entry = Complex::new(coordinates[next], coordinates[next + 1]) * std::f64::consts::FRAC_1_SQRT_2;
            matrix[(i, j)] = entry;
            matrix[(j, i)] = entry.conj();
            next += 2;
        }
    }
    matrix
}

/// Writes a Hermitian matrix into a block's coordinates (its Hermitian part, where it is not quite Hermitian).
pub fn pack_hermitian(matrix: &nalgebra::DMatrix<Complex<f64>>, coordinates: &mut [f64]) {
    let n = matrix.nrows();
    let mut next = n;
    for i in 0..n {
        coordinates[i] = matrix[(i, i)].re;
        for j in i + 1..n {
            let entry = (matrix[(i, j)] + matrix[(j, i)].conj()) * std::f64::consts::FRAC_1_SQRT_2;
            coordinates[next] = entry.re;
            coordinates[next + 1] = entry.im;
            next += 2;
        }
    }
}

fn project_semidefinite(part: &mut [f64], n: usize) {
    let eigen = hermitian(part, n).symmetric_eigen();
    if eigen.eigenvalues.iter().all(|e| *e >= 0.0) {
        return;
    }
    let clipped = eigen.eigenvalues.map(|e| Complex::new(e.max(0.0), 0.0));
    let vectors = &eigen.eigenvectors;
    pack_hermitian(&(vectors * nalgebra::DMatrix::from_diagonal(&clipped) * vectors.adjoint()), part);
}

/// One point of a design space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Design(Vec<f64>);

impl Design {
    /// All coordinates 0.
    pub fn zeros(space: &DesignSpace) -> Self {
        Self(vec![0.0; space.len()])
    }

    /// From its coordinates.
    pub fn new(coordinates: Vec<f64>) -> Self {
        Self(coordinates)
    }

    /// Takes another design's coordinates without allocating.
    pub fn copy_from(&mut self, other: &Design) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
    }
}

impl Deref for Design {
    type Target = [f64];
    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl DerefMut for Design {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> DesignSpace {
        DesignSpace::new(vec![
            Block::new("power", &[3], Domain::NonNegative, 1.0, ""),
            Block::new("total", &[], Domain::NonNegative, 1.0, ""),
            Block::new("phase", &[2], Domain::Phase, 1.0, ""),
            Block::new("level", &[2], Domain::Level { levels: 4 }, 1.0, ""),
            Block::new("quantized", &[2], Domain::QuantizedPhase { levels: 8 }, 1.0, ""),
            Block::new("beam", &[2, 2], Domain::Complex, 1.0, ""),
            Block::new("covariance", &[3, 3], Domain::Hermitian, 1.0, ""),
            Block::new("share", &[1], Domain::Box { lower: vec![0.1], upper: vec![0.9] }, 1.0, ""),
        ])
        .with_group("transmit", &["beam", "covariance"])
    }

    #[test]
    fn a_design_survives_json() {
        let space = space();
        assert_eq!(space.len(), 3 + 1 + 2 + 2 + 2 + 8 + 9 + 1);
        let design = space.random(&mut RandomStream::keyed(1, "test", "", 0, 0));
        assert_eq!(space.distance(&design).0, 0.0);
        let (again, absent) = space.from_json(&space.to_json(&design), "designs.a").unwrap();
        assert!(absent.is_empty());
        for (a, b) in design.iter().zip(again.iter()) {
            assert!((a - b).abs() < 1e-15, "{a} {b}");
        }
    }

    #[test]
    fn hermitian_coordinates_keep_the_inner_product() {
        let mut stream = RandomStream::keyed(2, "test", "", 0, 0);
        let space = DesignSpace::new(vec![Block::new("r", &[4, 4], Domain::Hermitian, 1.0, "")]);
        let (a, b) = (space.random(&mut stream), space.random(&mut stream));
        let flat: f64 = a.iter().zip(b.iter()).map(|(x, y)| x * y).sum();
        let trace = (hermitian(&a, 4) * hermitian(&b, 4)).trace();
        assert!((flat - trace.re).abs() < 1e-12 && trace.im.abs() < 1e-12);
    }

    #[test]
    fn projection_ends_in_the_domain_and_leaves_members_alone() {
        let space = space();
        let mut stream = RandomStream::keyed(3, "test", "", 0, 0);
        let inside = space.random(&mut stream);
        let mut projected = inside.clone();
        space.project(&mut projected);
        assert!(inside.iter().zip(projected.iter()).all(|(a, b)| (a - b).abs() < 1e-12));
        let mut wild = Design::new((0..space.len()).map(|_| 10.0 * stream.normal()).collect());
        wild[0] = f64::NAN;
        space.project(&mut wild);
        assert!(space.distance(&wild).0 < 1e-12);
    }

    #[test]
    fn bad_designs_name_the_block() {
        let space = space();
        let design = space.random(&mut RandomStream::keyed(1, "test", "", 0, 0));
        let good = space.to_json(&design);
        let spoil = |key: &str, value: Value| {
            let mut bad = good.clone();
            bad[key] = value;
            space.from_json(&bad, "designs.a").unwrap_err().to_string()
        };
        assert!(spoil("power", serde_json::json!([1.0, -1.0, 0.0])).contains("designs.a.power"));
        assert!(spoil("power", serde_json::json!([1.0])).contains("designs.a.power"));
        assert!(spoil("powr", serde_json::json!([1.0])).contains("did you mean `power`"));
        assert!(spoil("level", serde_json::json!([0, 4])).contains("level"));
        assert!(spoil("level", serde_json::json!([0, 1.5])).contains("level"));
        let mut missing = good.clone();
        missing.as_object_mut().unwrap().remove("total");
        assert!(space.from_json(&missing, "designs.a").unwrap_err().to_string().contains("designs.a.total"));
    }
}
