//! The binary interface between isacopt and a shared library: plain C types, shared by both sides.
//!
//! A library exports one function, `isacopt_plugin`, that returns a pointer to a constant [`Plugin`]. The rules:
//!
//! - Every table begins with its size. Tables only ever grow at their end, so a field is there where the size reaches
//!   over it. [`ABI_VERSION`] changes only where that cannot be kept.
//! - Text is UTF-8 with a length and no final zero. Arrays are a pointer and a length. What is passed in stays valid
//!   during the call alone; each side frees its own memory.
//! - No panic, exception or long jump may leave a function, on either side.
//! - A handle is used by one thread at a time, but several handles may be used at once; `metric_value` is
//!   called on one handle by several threads at once.
//! - Designs are flat arrays in the design's own order: blocks in order, row-major, complex numbers interleaved, a
//!   Hermitian matrix as its diagonal and then its upper triangle row by row, as (re, im) times the square root of 2.
//!
//! The header `isacopt_plugin.h` is written from this file, line by line: a test holds the two together.

use core::ffi::c_void;

/// The version of this interface.
pub const ABI_VERSION: u32 = 1;

/// How a call ended: one of the constants below.
pub type Status = i32;
/// It did what it says.
pub const OK: Status = 0;
/// It failed; the message says why. The run is recorded as failed.
pub const FAILED: Status = 1;
/// The parameters or the problem are not what it takes; the message says what is.
pub const REFUSED: Status = 2;
/// The problem does not offer this.
pub const UNSUPPORTED: Status = 3;
/// The host wants the call to end: return soon, with what there is.
pub const STOP: Status = 4;
/// The library panicked and caught it; the handle will only be ended.
pub const PANICKED: Status = 5;

/// An iteration was done; there may be more.
pub const STEP_ADVANCED: u32 = 0;
/// The method's own test says that it is done.
pub const STEP_CONVERGED: u32 = 1;
/// No further step is possible; the message says why.
pub const STEP_STUCK: u32 = 2;
/// The iterates left the finite numbers; the message says how.
pub const STEP_DIVERGED: u32 = 3;
/// The best design is proven optimal, by a bound that it attains.
pub const STEP_OPTIMAL: u32 = 4;

/// Real, 0 or more.
pub const DOMAIN_NON_NEGATIVE: u32 = 0;
/// Real, between two limits a coordinate.
pub const DOMAIN_BOX: u32 = 1;
/// A continuous phase in radians.
pub const DOMAIN_PHASE: u32 = 2;
/// A discrete phase: whole numbers from 0 to levels - 1.
pub const DOMAIN_LEVEL: u32 = 3;
/// Complex, as (re, im).
pub const DOMAIN_COMPLEX: u32 = 4;
/// Complex Hermitian positive semidefinite.
pub const DOMAIN_HERMITIAN: u32 = 5;
/// A phase in radians on the grid `2 pi level / levels`.
pub const DOMAIN_QUANTIZED_PHASE: u32 = 6;

/// UTF-8 text, without a final zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Its first byte; may be null where there is none.
    pub data: *const u8,
    /// Its length in bytes.
    pub length: usize,
}

/// Room of the caller's for a message of the callee's, in UTF-8; what does not fit is left out.
#[repr(C)]
#[derive(Debug)]
pub struct Message {
    /// Where to write.
    pub data: *mut u8,
    /// How many bytes fit.
    pub capacity: usize,
    /// How many bytes were written.
    pub length: usize,
}

/// How good a design is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The objective, in its own direction.
    pub objective: f64,
    /// The largest relative amount by which a limit is missed; 0 where all hold.
    pub violation: f64,
}

/// One named part of a design.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Its name.
    pub name: Text,
    /// The index of its first coordinate.
    pub offset: usize,
    /// The number of its coordinates.
    pub coordinates: usize,
    /// Its shape.
    pub shape: *const usize,
    /// The number of entries of the shape; 0 for a scalar.
    pub dimensions: usize,
    /// What its entries may be: one of the DOMAIN constants.
    pub domain: u32,
    /// The number of levels of a discrete phase, else 0.
    pub levels: u32,
    /// Whether the problem fixes it (1), so that its coordinates may not change.
    pub fixed: u32,
    /// Nothing yet.
    pub reserved: u32,
    /// A typical magnitude of an entry.
    pub scale: f64,
    /// The lower limits of a box, one a coordinate, else null.
    pub lower: *const f64,
    /// The upper limits of a box, one a coordinate, else null.
    pub upper: *const f64,
}

/// A problem as a solver meets it.
#[repr(C)]
#[derive(Debug)]
pub struct Problem {
    /// The size of this table in bytes.
    pub struct_size: usize,
    /// The size of one block's table in bytes: the step from one to the next.
    pub block_size: usize,
    /// The blocks of a design, in order.
    pub blocks: *const Block,
    /// The number of blocks.
    pub block_count: usize,
    /// The number of coordinates of a design.
    pub coordinates: usize,
    /// The indices of the coordinates that a solver may change, ascending.
    pub free: *const usize,
    /// How many they are.
    pub free_count: usize,
    /// The number of limits: the rows of the gradient's Jacobian.
    pub limits: usize,
    /// 1 where more of the objective is better, -1 where less is.
    pub direction: i32,
    /// Whether the host can repair designs (1).
    pub repairs: u32,
    /// Whether the host gives gradients (1).
    pub gradients: u32,
    /// Nothing yet.
    pub reserved: u32,
    /// All of that, and the objective and limits by name, as a JSON object: the `problem` of the wire protocol.
    pub description: Text,
}

/// What the host does for a solver. Valid, with all that it points to, during the call that it is passed to.
///
/// Each function takes `user` first. Designs have the problem's number of coordinates.
#[repr(C)]
#[derive(Debug)]
pub struct Host {
    /// The size of this table in bytes.
    pub struct_size: usize,
    /// The host's own pointer, to be handed back.
    pub user: *mut c_void,
    /// The problem.
    pub problem: *const Problem,
    /// Judges a design. `STOP` where the run is over.
    pub evaluate:
        unsafe extern "C" fn(user: *mut c_void, design: *const f64, length: usize, out: *mut Judged) -> Status,
    /// Judges `count` designs that stand one behind the other, `length` numbers in all.
    pub evaluate_batch: unsafe extern "C" fn(
        user: *mut c_void,
        designs: *const f64,
        length: usize,
        count: usize,
        out: *mut Judged,
    ) -> Status,
    /// Judges a design, and writes by how much it misses each limit (relative to it, negative where it is held), one
    /// number a limit.
    pub evaluate_limits: unsafe extern "C" fn(
        user: *mut c_void,
        design: *const f64,
        length: usize,
        out: *mut Judged,
        misses: *mut f64,
    ) -> Status,
    /// Objective and its gradient, the limits as `values <= 0` (relative violations) and their Jacobian, row-major.
    /// `values` and `jacobian` may be null. `UNSUPPORTED` where the problem gives none.
    pub gradient: unsafe extern "C" fn(
        user: *mut c_void,
        design: *const f64,
        length: usize,
        objective: *mut f64,
        gradient: *mut f64,
        values: *mut f64,
        jacobian: *mut f64,
    ) -> Status,
    /// Moves a design to a feasible one near it; `moved` becomes 1 where it could. `UNSUPPORTED` where the problem
    /// does not offer it.
    pub repair: unsafe extern "C" fn(user: *mut c_void, design: *mut f64, length: usize, moved: *mut u32) -> Status,
    /// Moves each coordinate into its domain, and writes the fixed blocks.
    pub project: unsafe extern "C" fn(user: *mut c_void, design: *mut f64, length: usize) -> Status,
    /// Writes a random design, in its domains, with the fixed blocks in place. Draws from the run's random stream.
    pub random_design: unsafe extern "C" fn(user: *mut c_void, design: *mut f64, length: usize) -> Status,
    /// Writes numbers from the run's random stream, uniform in [0, 1).
    pub uniform: unsafe extern "C" fn(user: *mut c_void, out: *mut f64, count: usize) -> Status,
    /// Writes standard normal numbers from the run's random stream.
    pub normal: unsafe extern "C" fn(user: *mut c_void, out: *mut f64, count: usize) -> Status,
    /// Reports an iteration of a long step: this is the best design so far. It is judged and kept where it is.
    pub report: unsafe extern "C" fn(user: *mut c_void, design: *const f64, length: usize) -> Status,
    /// 1 where the step should end: the budget is spent, the time is over, or someone cancelled.
    pub should_stop: unsafe extern "C" fn(user: *mut c_void) -> u32,
    /// Evaluations that may still be spent in this step; the largest number where there is no limit.
    pub evaluations_left: unsafe extern "C" fn(user: *mut c_void) -> u64,
    /// Reads one number of the parameters by its name (true is 1, false 0), so that C needs no JSON reader.
    /// `UNSUPPORTED`, and `out` as it was, where it was not given.
    pub parameter: unsafe extern "C" fn(user: *mut c_void, name: Text, out: *mut f64) -> Status,
    /// Why the last of these calls failed; valid until the next of them.
    pub last_error: unsafe extern "C" fn(user: *mut c_void) -> Text,
}

/// How a step went.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// One of the STEP constants.
    pub outcome: u32,
    /// Whether `bound` holds (1).
    pub has_bound: u32,
    /// A bound on the objective of every feasible design.
    pub bound: f64,
}

/// One metric of the system, as a plugin's metric asked for it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub id: Text,
    /// The number of its values.
    pub length: usize,
}

/// A system model as a metric meets it.
#[repr(C)]
#[derive(Debug)]
pub struct System {
    /// The size of this table in bytes.
    pub struct_size: usize,
    /// The size of one block's table in bytes: the step from one to the next.
    pub block_size: usize,
    /// The blocks of a design, in order.
    pub blocks: *const Block,
    /// The number of blocks.
    pub block_count: usize,
    /// The number of coordinates of a design.
    pub coordinates: usize,
    /// The size of one metric's table in bytes: the step from one to the next.
    pub metric_size: usize,
    /// The metrics that are needed, in the order in which the manifest names them.
    pub metrics: *const Metric,
    /// The number of metrics.
    pub metric_count: usize,
}

/// What a library offers: returned by its function `isacopt_plugin`, constant while the program runs.
///
/// `index` counts the solvers (or metrics) of the manifest. Functions of what is not offered may be null.
#[repr(C)]
#[derive(Debug)]
pub struct Plugin {
    /// The interface's version that the library was built for.
    pub abi_version: u32,
    /// Nothing yet.
    pub reserved: u32,
    /// The size of this table in bytes.
    pub struct_size: usize,
    /// The manifest: a JSON object that names the solvers and metrics, and describes their parameters; see
    /// docs/plugin-protocol.md.
    pub manifest: Text,
    /// Sets out on a problem with parameters (a JSON object), at a start or (null) wherever it likes. Gives a handle.
    pub solver_begin: Option<
        unsafe extern "C" fn(
            index: u32,
            host: *const Host,
            parameters: Text,
            start: *const f64,
            length: usize,
            run: *mut *mut c_void,
            message: *mut Message,
        ) -> Status,
    >,
    /// One iteration.
    pub solver_step: Option<
        unsafe extern "C" fn(
            run: *mut c_void,
            host: *const Host,
            report: *mut StepReport,
            message: *mut Message,
        ) -> Status,
    >,
    /// Writes the best design so far. Called after `solver_begin` and after each step.
    pub solver_best: Option<
        unsafe extern "C" fn(run: *mut c_void, design: *mut f64, length: usize, message: *mut Message) -> Status,
    >,
    /// Frees a handle of `solver_begin`.
    pub solver_end: Option<unsafe extern "C" fn(run: *mut c_void)>,
    /// Prepares a metric for a system. Gives a handle.
    pub metric_begin: Option<
        unsafe extern "C" fn(
            index: u32,
            system: *const System,
            metric: *mut *mut c_void,
            message: *mut Message,
        ) -> Status,
    >,
    /// The metric's values for a design. `values` holds the needed metrics one behind the other.
    pub metric_value: Option<
        unsafe extern "C" fn(
            metric: *const c_void,
            design: *const f64,
            length: usize,
            values: *const f64,
            value_count: usize,
            out: *mut f64,
            out_count: usize,
            message: *mut Message,
        ) -> Status,
    >,
    /// Frees a handle of `metric_begin`.
    pub metric_end: Option<unsafe extern "C" fn(metric: *mut c_void)>,
}

// The table is constant, and what it points to is too.
unsafe impl Sync for Plugin {}
unsafe impl Send for Plugin {}

/// The name of the one function that a library exports, with its final zero.
pub const ENTRY: &[u8] = b"isacopt_plugin\0";
/// The type of that function.
pub type Entry = unsafe extern "C" fn() -> *const Plugin;
