//! Small problems for an author's own tests: they need no isacopt, and judge through the same binary interface.

use core::ffi::c_void;

use crate::abi::{self, Judged, Status, Text};
use crate::host::Host;
use crate::solver::{Solver, Step};
use crate::{Error, Result};

/// The objective of a design, and the relative violations of its limits.
type Judge = Box<dyn Fn(&[f64]) -> Judged>;

/// A problem on a box.
pub struct Toy {
    lower: Vec<f64>,
    upper: Vec<f64>,
    direction: i32,
    judge: Judge,
}

/// What a solver made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Solved {
    /// The best design.
    pub design: Vec<f64>,
    /// How good it is.
    pub value: Judged,
    /// How good the best design was after each step, the start first.
    pub trace: Vec<Judged>,
    /// Designs judged.
    pub evaluations: u64,
    /// How the last step went.
    pub last: Step,
}

impl Toy {
    /// A function to be minimized on a box, with the largest violation of its limits (0 where it has none).
    pub fn minimize(lower: Vec<f64>, upper: Vec<f64>, judge: impl Fn(&[f64]) -> (f64, f64) + 'static) -> Self {
        let judge = move |x: &[f64]| {
            let (objective, violation) = judge(x);
            Judged { objective, violation }
        };
        Self { lower, upper, direction: -1, judge: Box::new(judge) }
    }

    /// The sum of `(x - 1)^2` on [-5, 5]: 0 where all are 1.
    pub fn sphere(n: usize) -> Self {
        Self::minimize(vec![-5.0; n], vec![5.0; n], |x| (x.iter().map(|x| (x - 1.0).powi(2)).sum(), 0.0))
    }

    /// Rosenbrock's valley on [-2, 2]: 0 where all are 1.
    pub fn valley(n: usize) -> Self {
        Self::minimize(vec![-2.0; n], vec![2.0; n], |x| {
            let term = |pair: &[f64]| 100.0 * (pair[1] - pair[0] * pair[0]).powi(2) + (1.0 - pair[0]).powi(2);
            (x.windows(2).map(term).sum(), 0.0)
        })
    }

    /// The sum of squares on [-5, 5] where the sum is at least n: n where all are 1.
    pub fn limited(n: usize) -> Self {
        Self::minimize(vec![-5.0; n], vec![5.0; n], move |x| {
            let (squares, sum): (f64, f64) = (x.iter().map(|x| x * x).sum(), x.iter().sum());
            (squares, ((n as f64 - sum) / n as f64).max(0.0))
        })
    }

    /// Runs a solver from its own start until it says that it is done, or has judged so many designs.
    pub fn solve<S: Solver>(&self, solver: &S, seed: u64, evaluations: u64) -> Result<Solved> {
        solver.check().map_err(Error::Refused)?;
        let bench = Bench::new(self);
        let mut desk = Desk { toy: self, count: 0, most: evaluations, stream: Stream(seed), error: String::new() };
        let mut state = desk.call(&bench, |host| solver.begin(host, None))?;
        let mut trace = vec![(self.judge)(solver.best(&state))];
        let last = loop {
            let step = match desk.call(&bench, |host| solver.step(&mut state, host)) {
                Err(Error::Stop) => Step::Advanced,
                other => other?,
            };
            trace.push((self.judge)(solver.best(&state)));
            if step != Step::Advanced || desk.count >= evaluations || trace.len() > 1_000_000 {
                break step;
            }
        };
        let design = solver.best(&state).to_vec();
        Ok(Solved { value: (self.judge)(&design), design, trace, evaluations: desk.count, last })
    }
}

/// The problem's table, and what it points to.
struct Bench {
    problem: abi::Problem,
    _blocks: Box<[abi::Block]>,
    _free: Box<[usize]>,
    _shape: Box<[usize]>,
}

impl Bench {
    fn new(toy: &Toy) -> Self {
        let n = toy.lower.len();
        let shape: Box<[usize]> = Box::new([n]);
        let free: Box<[usize]> = (0..n).collect();
        let blocks: Box<[abi::Block]> = Box::new([abi::Block {
            name: words("x"),
            offset: 0,
            coordinates: n,
            shape: shape.as_ptr(),
            dimensions: 1,
            domain: abi::DOMAIN_BOX,
            levels: 0,
            fixed: 0,
            reserved: 0,
            scale: 1.0,
            lower: toy.lower.as_ptr(),
            upper: toy.upper.as_ptr(),
        }]);
        let problem = abi::Problem {
            struct_size: size_of::<abi::Problem>(),
            block_size: size_of::<abi::Block>(),
            blocks: blocks.as_ptr(),
            block_count: 1,
            coordinates: n,
            free: free.as_ptr(),
            free_count: n,
            limits: 1,
            direction: toy.direction,
            repairs: 0,
            gradients: 0,
            reserved: 0,
            description: words("{}"),
        };
        Self { problem, _blocks: blocks, _free: free, _shape: shape }
    }
}

fn words(text: &str) -> Text {
    Text { data: text.as_ptr(), length: text.len() }
}

/// SplitMix64 (doi:10.1145/2660193.2660195): enough for tests.
struct Stream(u64);

impl Stream {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The host's side.
struct Desk<'a> {
    toy: &'a Toy,
    count: u64,
    most: u64,
    stream: Stream,
    error: String,
}

impl Desk<'_> {
    fn call<T>(&mut self, bench: &Bench, work: impl FnOnce(&mut Host) -> Result<T>) -> Result<T> {
        let raw = abi::Host {
            struct_size: size_of::<abi::Host>(),
            user: (&raw mut *self).cast(),
            problem: &raw const bench.problem,
            evaluate,
            evaluate_batch,
            evaluate_limits,
            gradient,
            repair,
            project,
            random_design,
            uniform,
            normal,
            report,
            should_stop,
            evaluations_left,
            parameter,
            last_error,
        };
        // The table and what it points to live until the call returns.
        work(&mut unsafe { Host::new(&raw) })
    }

    fn fail(&mut self, why: &str) -> Status {
        self.error = why.to_string();
        abi::FAILED
    }
}

/// The desk behind `user`.
///
/// # Safety
/// `user` must be the pointer that [`Desk::call`] set.
unsafe fn desk<'a>(user: *mut c_void) -> &'a mut Desk<'a> {
    unsafe { &mut *user.cast::<Desk>() }
}

unsafe extern "C" fn evaluate(user: *mut c_void, design: *const f64, length: usize, out: *mut Judged) -> Status {
    unsafe { evaluate_batch(user, design, length, 1, out) }
}

unsafe extern "C" fn evaluate_batch(
    user: *mut c_void,
    designs: *const f64,
    length: usize,
    count: usize,
    out: *mut Judged,
) -> Status {
    let desk = unsafe { desk(user) };
    let n = desk.toy.lower.len();
    if length != n * count {
        return desk.fail("the designs have another length than the problem");
    }
    let designs = unsafe { std::slice::from_raw_parts(designs, length) };
    for (i, design) in designs.chunks_exact(n).enumerate() {
        desk.count += 1;
        unsafe { *out.add(i) = (desk.toy.judge)(design) };
    }
    abi::OK
}

unsafe extern "C" fn evaluate_limits(
    user: *mut c_void,
    design: *const f64,
    length: usize,
    out: *mut Judged,
    misses: *mut f64,
) -> Status {
    unsafe {
        let status = evaluate(user, design, length, out);
        *misses = (*out).violation;
        status
    }
}

unsafe extern "C" fn gradient(
    _: *mut c_void,
    _: *const f64,
    _: usize,
    _: *mut f64,
    _: *mut f64,
    _: *mut f64,
    _: *mut f64,
) -> Status {
    abi::UNSUPPORTED
}

unsafe extern "C" fn repair(_: *mut c_void, _: *mut f64, _: usize, _: *mut u32) -> Status {
    abi::UNSUPPORTED
}

unsafe extern "C" fn project(user: *mut c_void, design: *mut f64, length: usize) -> Status {
    let desk = unsafe { desk(user) };
    if length != desk.toy.lower.len() {
        return desk.fail("the design has another length than the problem");
    }
    let design = unsafe { std::slice::from_raw_parts_mut(design, length) };
    for ((x, lower), upper) in design.iter_mut().zip(&desk.toy.lower).zip(&desk.toy.upper) {
        *x = x.clamp(*lower, *upper);
    }
    abi::OK
}

unsafe extern "C" fn random_design(user: *mut c_void, design: *mut f64, length: usize) -> Status {
    let desk = unsafe { desk(user) };
    if length != desk.toy.lower.len() {
        return desk.fail("the design has another length than the problem");
    }
    let design = unsafe { std::slice::from_raw_parts_mut(design, length) };
    for ((x, lower), upper) in design.iter_mut().zip(&desk.toy.lower).zip(&desk.toy.upper) {
        *x = lower + (upper - lower) * desk.stream.uniform();
    }
    abi::OK
}

unsafe extern "C" fn uniform(user: *mut c_void, out: *mut f64, count: usize) -> Status {
    let desk = unsafe { desk(user) };
    unsafe { std::slice::from_raw_parts_mut(out, count) }.iter_mut().for_each(|x| *x = desk.stream.uniform());
    abi::OK
}

unsafe extern "C" fn normal(user: *mut c_void, out: *mut f64, count: usize) -> Status {
    let desk = unsafe { desk(user) };
    for x in unsafe { std::slice::from_raw_parts_mut(out, count) } {
        let radius = (-2.0 * (1.0 - desk.stream.uniform()).ln()).sqrt();
        *x = radius * (std::f64::consts::TAU * desk.stream.uniform()).cos();
    }
    abi::OK
}

unsafe extern "C" fn report(_: *mut c_void, _: *const f64, _: usize) -> Status {
    abi::OK
}

unsafe extern "C" fn should_stop(user: *mut c_void) -> u32 {
    let desk = unsafe { desk(user) };
    u32::from(desk.count >= desk.most)
}

unsafe extern "C" fn evaluations_left(user: *mut c_void) -> u64 {
    let desk = unsafe { desk(user) };
    desk.most.saturating_sub(desk.count)
}

unsafe extern "C" fn parameter(_: *mut c_void, _: Text, _: *mut f64) -> Status {
    abi::UNSUPPORTED
}

unsafe extern "C" fn last_error(user: *mut c_void) -> Text {
    words(&unsafe { desk(user) }.error)
}
