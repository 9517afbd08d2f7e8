//! The host as a plugin meets it, without a pointer in sight.

use crate::abi::{self, Judged};
use crate::{Error, Result};

/// The slice that a pointer and a length stand for; empty for null.
///
/// # Safety
/// The pointer must be null, or hold so many values for as long as the slice lives.
pub(crate) unsafe fn slice<'a, T>(data: *const T, length: usize) -> &'a [T] {
    if data.is_null() || length == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(data, length) }
}

/// A text's characters; empty where they are not UTF-8.
pub(crate) fn text(raw: &abi::Text) -> &str {
    std::str::from_utf8(unsafe { slice(raw.data, raw.length) }).unwrap_or_default()
}

/// What the entries of a block may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Real, 0 or more.
    NonNegative,
    /// Real, between two limits a coordinate.
    Box {
        /// The lower limits.
        lower: Vec<f64>,
        /// The upper limits.
        upper: Vec<f64>,
    },
    /// A continuous phase in radians.
    Phase,
    /// A discrete phase: whole numbers from 0 to levels - 1.
    Level {
        /// How many levels there are.
        levels: u32,
    },
    /// A phase in radians on an even grid: `0, 2 pi / levels, ..., 2 pi (levels - 1) / levels`.
    QuantizedPhase {
        /// How many levels there are.
        levels: u32,
    },
    /// Complex, as (re, im).
    Complex,
    /// Complex Hermitian positive semidefinite: the diagonal, then the upper triangle as (re, im) times sqrt(2).
    Hermitian,
    /// One that this crate does not know yet: leave it to [`Host::project`] and [`Host::random_design`].
    Other,
}

/// One named part of a design.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// Its coordinates.
    pub range: std::ops::Range<usize>,
    /// Its shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// What its entries may be.
    pub domain: Domain,
    /// A typical magnitude of an entry.
    pub scale: f64,
    /// Whether the problem fixes it.
    pub fixed: bool,
}

/// Reads one block of an array whose entries may be longer than this crate knows.
///
/// # Safety
/// The array must hold as the interface says.
pub(crate) unsafe fn block(blocks: *const abi::Block, size: usize, index: usize) -> Block {
    let raw = unsafe { &*blocks.cast::<u8>().wrapping_add(index * size).cast::<abi::Block>() };
    let limits = |data| unsafe { slice(data, raw.coordinates) }.to_vec();
    let domain = match raw.domain {
        abi::DOMAIN_NON_NEGATIVE => Domain::NonNegative,
        abi::DOMAIN_BOX => Domain::Box { lower: limits(raw.lower), upper: limits(raw.upper) },
        abi::DOMAIN_PHASE => Domain::Phase,
        abi::DOMAIN_LEVEL => Domain::Level { levels: raw.levels },
        abi::DOMAIN_QUANTIZED_PHASE => Domain::QuantizedPhase { levels: raw.levels },
        abi::DOMAIN_COMPLEX => Domain::Complex,
        abi::DOMAIN_HERMITIAN => Domain::Hermitian,
        _ => Domain::Other,
    };
    Block {
        name: text(&raw.name).to_string(),
        range: raw.offset..raw.offset + raw.coordinates,
        shape: unsafe { slice(raw.shape, raw.dimensions) }.to_vec(),
        domain,
        scale: raw.scale,
        fixed: raw.fixed != 0,
    }
}

/// The problem: sizes and blocks.
#[derive(Clone, Copy)]
pub struct Problem<'a>(&'a abi::Problem);

impl<'a> Problem<'a> {
    /// The number of coordinates of a design.
    pub fn coordinates(&self) -> usize {
        self.0.coordinates
    }

    /// The coordinates that may change, ascending.
    pub fn free(&self) -> &'a [usize] {
        unsafe { slice(self.0.free, self.0.free_count) }
    }

    /// The number of limits.
    pub fn limits(&self) -> usize {
        self.0.limits
    }

    /// 1 where more of the objective is better, -1 where less is: `direction * objective` is to be maximized.
    pub fn direction(&self) -> f64 {
        f64::from(self.0.direction)
    }

    /// Whether [`Host::repair`] can be called.
    pub fn repairs(&self) -> bool {
        self.0.repairs != 0
    }

    /// Whether [`Host::gradient`] can be called.
    pub fn gradients(&self) -> bool {
        self.0.gradients != 0
    }

    /// The blocks of a design, in order.
    pub fn blocks(&self) -> Vec<Block> {
        (0..self.0.block_count).map(|i| unsafe { block(self.0.blocks, self.0.block_size, i) }).collect()
    }

    /// All of that, and the objective and limits by name, as JSON.
    pub fn description(&self) -> &'a str {
        text(&self.0.description)
    }
}

/// Derivatives at a design.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradient {
    /// The objective, in its own direction.
    pub objective: f64,
    /// Its gradient.
    pub gradient: Vec<f64>,
    /// The limits, written `values <= 0` and scaled as relative violations.
    pub values: Vec<f64>,
    /// Their Jacobian, row-major.
    pub jacobian: Vec<f64>,
}

/// A violation up to this counts as none in comparisons.
pub const STRICT: f64 = 1e-9;

/// What isacopt does for a solver, during one call.
pub struct Host<'a> {
    raw: &'a abi::Host,
    problem: Problem<'a>,
}

impl<'a> Host<'a> {
    /// Wraps the host's table.
    ///
    /// # Safety
    /// The table must hold as the interface says.
    pub(crate) unsafe fn new(raw: &'a abi::Host) -> Self {
        Self { raw, problem: Problem(unsafe { &*raw.problem }) }
    }

    fn done(&self, status: abi::Status) -> Result<()> {
        match status {
            abi::OK => Ok(()),
            abi::STOP => Err(Error::Stop),
            abi::UNSUPPORTED => Err(Error::Unsupported),
            abi::REFUSED => Err(Error::Refused(self.last_error())),
            _ => Err(Error::Failed(self.last_error())),
        }
    }

    fn last_error(&self) -> String {
        text(&unsafe { (self.raw.last_error)(self.raw.user) }).to_string()
    }

    fn check(&self, length: usize) -> Result<()> {
        match self.problem.coordinates() {
            right if right == length => Ok(()),
            right => Err(Error::Failed(format!("a design of {length} coordinates where the problem has {right}"))),
        }
    }

    /// The problem.
    pub fn problem(&self) -> Problem<'a> {
        self.problem
    }

    /// Judges a design.
    pub fn evaluate(&mut self, design: &[f64]) -> Result<Judged> {
        let mut out = Judged { objective: f64::NAN, violation: f64::INFINITY };
        let status = unsafe { (self.raw.evaluate)(self.raw.user, design.as_ptr(), design.len(), &raw mut out) };
        if status == abi::OK { Ok(out) } else { self.done(status).map(|()| out) }
    }

    /// Judges `out.len()` designs that stand one behind the other. In a process of its own, this is one round trip.
    pub fn evaluate_batch(&mut self, designs: &[f64], out: &mut [Judged]) -> Result<()> {
        let evaluate = self.raw.evaluate_batch;
        self.done(unsafe { evaluate(self.raw.user, designs.as_ptr(), designs.len(), out.len(), out.as_mut_ptr()) })
    }

    /// Judges a design, and writes by how much it misses each limit: relative to it, negative where it is held.
    pub fn evaluate_limits(&mut self, design: &[f64], misses: &mut [f64]) -> Result<Judged> {
        let mut out = Judged { objective: f64::NAN, violation: f64::INFINITY };
        if misses.len() != self.problem.limits() {
            return Err(Error::Failed(format!("room for {} of {} limits", misses.len(), self.problem.limits())));
        }
        let evaluate = self.raw.evaluate_limits;
        let misses = misses.as_mut_ptr();
        self.done(unsafe { evaluate(self.raw.user, design.as_ptr(), design.len(), &raw mut out, misses) })?;
        Ok(out)
    }

    /// Derivatives at a design, written into `out`.
    pub fn gradient(&mut self, design: &[f64], out: &mut Gradient) -> Result<()> {
        let (n, rows) = (self.problem.coordinates(), self.problem.limits());
        self.check(design.len())?;
        out.gradient.resize(n, 0.0);
        out.values.resize(rows, 0.0);
        out.jacobian.resize(rows * n, 0.0);
        let status = unsafe {
            (self.raw.gradient)(
                self.raw.user,
                design.as_ptr(),
                design.len(),
                &raw mut out.objective,
                out.gradient.as_mut_ptr(),
                out.values.as_mut_ptr(),
                out.jacobian.as_mut_ptr(),
            )
        };
        self.done(status)
    }

    /// Moves a design to a feasible one near it; whether it could.
    pub fn repair(&mut self, design: &mut [f64]) -> Result<bool> {
        let mut moved = 0;
        let status = unsafe { (self.raw.repair)(self.raw.user, design.as_mut_ptr(), design.len(), &raw mut moved) };
        self.done(status).map(|()| moved != 0)
    }

    /// Moves each coordinate into its domain, and writes the fixed blocks.
    pub fn project(&mut self, design: &mut [f64]) -> Result<()> {
        self.done(unsafe { (self.raw.project)(self.raw.user, design.as_mut_ptr(), design.len()) })
    }

    /// A random design, in its domains.
    pub fn random_design(&mut self) -> Result<Vec<f64>> {
        let mut design = vec![0.0; self.problem.coordinates()];
        self.random_design_into(&mut design)?;
        Ok(design)
    }

    /// A random design, in its domains, written in place.
    pub fn random_design_into(&mut self, design: &mut [f64]) -> Result<()> {
        self.done(unsafe { (self.raw.random_design)(self.raw.user, design.as_mut_ptr(), design.len()) })
    }

    /// Where to begin: the given start, else a random design.
    pub fn first_design(&mut self, start: Option<&[f64]>) -> Result<Vec<f64>> {
        start.map_or_else(|| self.random_design(), |start| Ok(start.to_vec()))
    }

    /// A number of the run's random stream, uniform in [0, 1).
    pub fn uniform(&mut self) -> Result<f64> {
        let mut x = 0.0;
        self.done(unsafe { (self.raw.uniform)(self.raw.user, &raw mut x, 1) }).map(|()| x)
    }

    /// A standard normal number of the run's random stream.
    pub fn normal(&mut self) -> Result<f64> {
        let mut x = 0.0;
        self.done(unsafe { (self.raw.normal)(self.raw.user, &raw mut x, 1) }).map(|()| x)
    }

    /// A whole number below `count` of the run's random stream.
    pub fn below(&mut self, count: usize) -> Result<usize> {
        Ok(((self.uniform()? * count as f64) as usize).min(count.saturating_sub(1)))
    }

    /// Reports an iteration of a long step: this is the best design so far.
    pub fn report(&mut self, best: &[f64]) -> Result<()> {
        self.done(unsafe { (self.raw.report)(self.raw.user, best.as_ptr(), best.len()) })
    }

    /// Whether a long step should end now.
    pub fn should_stop(&self) -> bool {
        unsafe { (self.raw.should_stop)(self.raw.user) != 0 }
    }

    /// Evaluations that may still be spent in this step; the largest number where there is no limit.
    pub fn evaluations_left(&self) -> u64 {
        unsafe { (self.raw.evaluations_left)(self.raw.user) }
    }

    /// Whether one value is better than another: feasible before infeasible, then the objective; between infeasible
    /// ones, the violation (Deb's rules, as isacopt itself compares).
    pub fn better(&self, a: &Judged, b: &Judged) -> bool {
        match (a.violation <= STRICT, b.violation <= STRICT) {
            (true, false) => !a.objective.is_nan(),
            (false, true) => b.objective.is_nan(),
            (false, false) => a.violation < b.violation || b.violation.is_nan() && !a.violation.is_nan(),
            (true, true) => {
                let sign = self.problem.direction();
                sign * a.objective > sign * b.objective || b.objective.is_nan() && !a.objective.is_nan()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_block_is_read_as_what_it_is() {
        let kinds = [
            (abi::DOMAIN_NON_NEGATIVE, Domain::NonNegative),
            (abi::DOMAIN_PHASE, Domain::Phase),
            (abi::DOMAIN_LEVEL, Domain::Level { levels: 8 }),
            (abi::DOMAIN_QUANTIZED_PHASE, Domain::QuantizedPhase { levels: 8 }),
            (abi::DOMAIN_COMPLEX, Domain::Complex),
            (abi::DOMAIN_HERMITIAN, Domain::Hermitian),
            (4711, Domain::Other),
        ];
        let (name, shape) = ("x", [3]);
        for (domain, expected) in kinds {
            let raw = abi::Block {
                name: abi::Text { data: name.as_ptr(), length: name.len() },
                offset: 2,
                coordinates: 3,
                shape: shape.as_ptr(),
                dimensions: 1,
                domain,
                levels: 8,
                fixed: 0,
                reserved: 0,
                scale: 1.0,
                lower: std::ptr::null(),
                upper: std::ptr::null(),
            };
            let read = unsafe { block(&raw, size_of::<abi::Block>(), 0) };
            assert_eq!((read.domain, read.range, read.name.as_str()), (expected, 2..5, "x"));
        }
    }
}
