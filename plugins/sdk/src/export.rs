//! What [`plugin!`](crate::plugin) expands to: the exported functions, each of which catches panics.

use core::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::abi::{self, Message, Plugin, Status, StepReport, Text};
use crate::host::{Host, slice, text};
use crate::metric::{self, AnyMetric, Metric};
use crate::solver::{self, AnyRun, AnySolver, Solver, Step};
use crate::{Error, Result, manifest};

type ReadSolver = fn(&str) -> Result<Box<dyn AnySolver>>;
type BeginMetric = unsafe fn(&abi::System) -> Result<Box<dyn AnyMetric>>;

/// What a library offers; [`plugin!`](crate::plugin) builds it.
pub struct Offer {
    head: Value,
    solvers: Vec<(Value, ReadSolver)>,
    metrics: Vec<(Value, BeginMetric)>,
}

impl Offer {
    /// Nothing yet, under the library's name and version.
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        let head = json!({ "name": name, "version": version, "description": description });
        Self { head, solvers: Vec::new(), metrics: Vec::new() }
    }

    /// Adds a solver.
    #[must_use]
    pub fn solver<S: Solver>(mut self) -> Self {
        self.solvers.push((manifest::solver::<S>(), solver::read::<S>));
        self
    }

    /// Adds a metric.
    #[must_use]
    pub fn metric<M: Metric>(mut self) -> Self {
        self.metrics.push((manifest::metric::<M>(), metric::begin::<M>));
        self
    }

    /// The manifest as the host reads it.
    pub fn manifest(&self) -> Value {
        let mut manifest = self.head.clone();
        manifest["solvers"] = self.solvers.iter().map(|(entry, _)| entry.clone()).collect();
        manifest["metrics"] = self.metrics.iter().map(|(entry, _)| entry.clone()).collect();
        manifest
    }
}

struct Registry {
    solvers: Vec<ReadSolver>,
    metrics: Vec<BeginMetric>,
    table: Plugin,
    // The table points into it.
    _manifest: Box<str>,
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// The library's table, made by the first call; null where making it panicked.
pub fn table(make: fn() -> Offer) -> *const Plugin {
    let registry = catch_unwind(|| {
        REGISTRY.get_or_init(|| {
            let offer = make();
            let manifest = offer.manifest().to_string().into_boxed_str();
            let table = Plugin {
                abi_version: abi::ABI_VERSION,
                reserved: 0,
                struct_size: size_of::<Plugin>(),
                manifest: Text { data: manifest.as_ptr(), length: manifest.len() },
                solver_begin: Some(solver_begin),
                solver_step: Some(solver_step),
                solver_best: Some(solver_best),
                solver_end: Some(solver_end),
                metric_begin: Some(metric_begin),
                metric_value: Some(metric_value),
                metric_end: Some(metric_end),
            };
            let solvers = offer.solvers.iter().map(|(_, read)| *read).collect();
            let metrics = offer.metrics.iter().map(|(_, begin)| *begin).collect();
            Registry { solvers, metrics, table, _manifest: manifest }
        })
    });
    registry.map_or(std::ptr::null(), |registry| &raw const registry.table)
}

/// Writes a message as far as it fits.
///
/// # Safety
/// The message's room must be the caller's to write, or the pointer null.
unsafe fn say(message: *mut Message, text: &str) {
    if let Some(message) = unsafe { message.as_mut() }
        && !message.data.is_null()
    {
        let mut length = text.len().min(message.capacity);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), message.data, length) };
        message.length = length;
    }
}

/// Runs a call's work: errors and panics become a status and a message.
///
/// # Safety
/// As for [`say`].
unsafe fn guard(message: *mut Message, work: impl FnOnce() -> Result<()>) -> Status {
    let (status, why) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return abi::OK,
        Ok(Err(Error::Stop)) => return abi::STOP,
        Ok(Err(Error::Unsupported)) => (abi::UNSUPPORTED, Error::Unsupported.to_string()),
        Ok(Err(Error::Refused(why))) => (abi::REFUSED, why),
        Ok(Err(Error::Failed(why))) => (abi::FAILED, why),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            // What is thrown may itself panic when it is dropped.
            std::mem::forget(payload);
            (abi::PANICKED, format!("the plugin panicked: {text}"))
        }
    };
    unsafe { say(message, &why) };
    status
}

fn entry<T: Copy>(all: impl Fn(&Registry) -> &Vec<T>, index: u32) -> Result<T> {
    let found = REGISTRY.get().and_then(|registry| all(registry).get(index as usize).copied());
    found.ok_or_else(|| Error::Refused(format!("the library has no entry {index}")))
}

/// A handle is a thin pointer to a fat one.
type RunHandle = Box<dyn AnyRun>;
type MetricHandle = Box<dyn AnyMetric>;

unsafe extern "C" fn solver_begin(
    index: u32,
    host: *const abi::Host,
    parameters: Text,
    start: *const f64,
    length: usize,
    run: *mut *mut c_void,
    message: *mut Message,
) -> Status {
    unsafe {
        guard(message, || {
            let solver = entry(|r| &r.solvers, index)?(text(&parameters))?;
            solver.check().map_err(Error::Refused)?;
            let mut host = Host::new(&*host);
            let start = (!start.is_null()).then(|| slice(start, length));
            let begun: RunHandle = solver.begin(&mut host, start)?;
            *run = Box::into_raw(Box::new(begun)).cast();
            Ok(())
        })
    }
}

unsafe extern "C" fn solver_step(
    run: *mut c_void,
    host: *const abi::Host,
    report: *mut StepReport,
    message: *mut Message,
) -> Status {
    unsafe {
        guard(message, || {
            let run = &mut *run.cast::<RunHandle>();
            let report = &mut *report;
            let outcome = match run.step(&mut Host::new(&*host))? {
                Step::Advanced => abi::STEP_ADVANCED,
                Step::Converged => abi::STEP_CONVERGED,
                Step::Optimal => abi::STEP_OPTIMAL,
                Step::Stuck(why) => {
                    say(message, &why);
                    abi::STEP_STUCK
                }
                Step::Diverged(why) => {
                    say(message, &why);
                    abi::STEP_DIVERGED
                }
            };
            let bound = run.bound();
            *report = StepReport { outcome, has_bound: u32::from(bound.is_some()), bound: bound.unwrap_or(f64::NAN) };
            Ok(())
        })
    }
}

unsafe extern "C" fn solver_best(run: *mut c_void, design: *mut f64, length: usize, message: *mut Message) -> Status {
    unsafe {
        guard(message, || {
            let best = (*run.cast::<RunHandle>()).best();
            if best.len() != length {
                let found = best.len();
                return Err(Error::Failed(format!("its best design has {found} coordinates, the problem {length}")));
            }
            std::ptr::copy_nonoverlapping(best.as_ptr(), design, length);
            Ok(())
        })
    }
}

unsafe extern "C" fn solver_end(run: *mut c_void) {
    unsafe {
        guard(std::ptr::null_mut(), || {
            drop(Box::from_raw(run.cast::<RunHandle>()));
            Ok(())
        });
    }
}

unsafe extern "C" fn metric_begin(
    index: u32,
    system: *const abi::System,
    metric: *mut *mut c_void,
    message: *mut Message,
) -> Status {
    unsafe {
        guard(message, || {
            let begun: MetricHandle = entry(|r| &r.metrics, index)?(&*system)?;
            *metric = Box::into_raw(Box::new(begun)).cast();
            Ok(())
        })
    }
}

// The interface has so many.
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn metric_value(
    metric: *const c_void,
    design: *const f64,
    length: usize,
    values: *const f64,
    value_count: usize,
    out: *mut f64,
    out_count: usize,
    message: *mut Message,
) -> Status {
    unsafe {
        guard(message, || {
            let out = std::slice::from_raw_parts_mut(out, out_count);
            (*metric.cast::<MetricHandle>()).value(slice(design, length), slice(values, value_count), out)
        })
    }
}

unsafe extern "C" fn metric_end(metric: *mut c_void) {
    unsafe {
        guard(std::ptr::null_mut(), || {
            drop(Box::from_raw(metric.cast::<MetricHandle>()));
            Ok(())
        });
    }
}
