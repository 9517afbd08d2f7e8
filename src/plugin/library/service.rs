//! The host's functions as a library calls them: the same for a solver inside isacopt and in a worker process.

use core::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use isacopt_plugin::abi::{self, Host, Judged, Status, Text};
use serde_json::{Map, Value};

use super::view::{ProblemView, text};

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum Halt {
    /// The run is over.
    Stop,
    /// The problem does not offer this.
    Unsupported,
    /// It failed, for this reason.
    Failed(String),
}

/// What serves a library's solver. Designs have the problem's length.
pub(super) trait Service {
    /// Judges designs that stand one behind the other.
    fn evaluate(&mut self, designs: &[f64], out: &mut [Judged]) -> Result<(), Halt>;
    /// Judges a design, and writes by how much it misses each limit.
    fn evaluate_limits(&mut self, design: &[f64], out: &mut Judged, misses: &mut [f64]) -> Result<(), Halt>;
    /// Objective and gradient, then limits and Jacobian; the slice is valid until the next call.
    fn gradient(&mut self, design: &[f64]) -> Result<&[f64], Halt>;
    /// Repairs a design; whether it could.
    fn repair(&mut self, design: &mut [f64]) -> Result<bool, Halt>;
    /// Moves a design into its domains, the fixed blocks in place.
    fn project(&mut self, design: &mut [f64]);
    /// Writes a random design.
    fn random_design(&mut self, design: &mut [f64]);
    /// The run's random stream.
    fn random(&mut self) -> &mut crate::math::RandomStream;
    /// Takes the best design so far, within a step.
    fn report(&mut self, design: &[f64]) -> Result<(), Halt>;
    /// Whether the step should end.
    fn should_stop(&mut self) -> bool;
    /// Evaluations that are left.
    fn evaluations_left(&self) -> u64;
}

/// A service behind the `user` pointer of one call.
pub(super) struct Window<'a, S> {
    service: &'a mut S,
    parameters: &'a Map<String, Value>,
    coordinates: usize,
    limits: usize,
    error: String,
}

impl<'a, S: Service> Window<'a, S> {
    /// A window to a service, for one call.
    pub fn new(service: &'a mut S, view: &ProblemView, parameters: &'a Map<String, Value>) -> Self {
        let table = view.table();
        Self { service, parameters, coordinates: table.coordinates, limits: table.limits, error: String::new() }
    }

    /// The table of functions over it. It holds while the window is not moved.
    pub fn host(&mut self, view: &ProblemView) -> Host {
        Host {
            struct_size: size_of::<Host>(),
            user: (&raw mut *self).cast(),
            problem: view.table(),
            evaluate: evaluate::<S>,
            evaluate_batch: evaluate_batch::<S>,
            evaluate_limits: evaluate_limits::<S>,
            gradient: gradient::<S>,
            repair: repair::<S>,
            project: project::<S>,
            random_design: random_design::<S>,
            uniform: uniform::<S>,
            normal: normal::<S>,
            report: report::<S>,
            should_stop: should_stop::<S>,
            evaluations_left: evaluations_left::<S>,
            parameter: parameter::<S>,
            last_error: last_error::<S>,
        }
    }

    fn check(&self, length: usize, count: usize) -> Result<(), Halt> {
        if count.checked_mul(self.coordinates) == Some(length) {
            return Ok(());
        }
        let wanted = self.coordinates;
        let what = if count == 1 { "a design".to_string() } else { format!("{count} designs") };
        Err(Halt::Failed(format!("{what} of {length} coordinates in all, where a design of the problem has {wanted}")))
    }
}

/// Runs a function's work on the window behind `user`: no panic leaves it.
///
/// # Safety
/// `user` must be what [`Window::host`] set, of the same service.
unsafe fn serve<S: Service>(user: *mut c_void, work: impl FnOnce(&mut Window<'_, S>) -> Result<(), Halt>) -> Status {
    let Some(window) = (unsafe { user.cast::<Window<S>>().as_mut() }) else { return abi::FAILED };
    match catch_unwind(AssertUnwindSafe(|| work(window))) {
        Ok(Ok(())) => abi::OK,
        Ok(Err(Halt::Stop)) => abi::STOP,
        Ok(Err(Halt::Unsupported)) => abi::UNSUPPORTED,
        Ok(Err(Halt::Failed(why))) => {
            window.error = why;
            abi::FAILED
        }
        Err(_) => {
            window.error = "isacopt panicked".into();
            abi::FAILED
        }
    }
}

/// The numbers at a pointer, which must hold so many.
unsafe fn numbers<'a>(data: *const f64, length: usize) -> Result<&'a [f64], Halt> {
    match data.is_null() {
        true if length > 0 => Err(Halt::Failed("a null pointer where numbers must stand".into())),
        true => Ok(&[]),
        false => Ok(unsafe { std::slice::from_raw_parts(data, length) }),
    }
}

/// As [`numbers`], to be written.
unsafe fn room<'a, T>(data: *mut T, length: usize) -> Result<&'a mut [T], Halt> {
    match data.is_null() {
        true if length > 0 => Err(Halt::Failed("a null pointer where the answer must stand".into())),
        true => Ok(&mut []),
        false => Ok(unsafe { std::slice::from_raw_parts_mut(data, length) }),
    }
}

unsafe extern "C" fn evaluate<S: Service>(
    user: *mut c_void,
    design: *const f64,
    length: usize,
    out: *mut Judged,
) -> Status {
    unsafe { evaluate_batch::<S>(user, design, length, 1, out) }
}

unsafe extern "C" fn evaluate_batch<S: Service>(
    user: *mut c_void,
    designs: *const f64,
    length: usize,
    count: usize,
    out: *mut Judged,
) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, count)?;
            window.service.evaluate(numbers(designs, length)?, room(out, count)?)
        })
    }
}

unsafe extern "C" fn evaluate_limits<S: Service>(
    user: *mut c_void,
    design: *const f64,
    length: usize,
    out: *mut Judged,
    misses: *mut f64,
) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, 1)?;
            let misses = room(misses, window.limits)?;
            window.service.evaluate_limits(numbers(design, length)?, &mut room(out, 1)?[0], misses)
        })
    }
}

unsafe extern "C" fn gradient<S: Service>(
    user: *mut c_void,
    design: *const f64,
    length: usize,
    objective: *mut f64,
    gradient: *mut f64,
    values: *mut f64,
    jacobian: *mut f64,
) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, 1)?;
            let (n, rows) = (window.coordinates, window.limits);
            let answer = window.service.gradient(numbers(design, length)?)?;
            if answer.len() != (1 + n) * (1 + rows) {
                let found = answer.len();
                return Err(Halt::Failed(format!("a gradient of {found} numbers for {n} coordinates, {rows} limits")));
            }
            let parts = [(objective, 1), (gradient, n), (values, rows), (jacobian, n * rows)];
            let mut from = 0;
            for (to, length) in parts {
                if !to.is_null() {
                    room(to, length)?.copy_from_slice(&answer[from..from + length]);
                }
                from += length;
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn repair<S: Service>(user: *mut c_void, design: *mut f64, length: usize, moved: *mut u32) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, 1)?;
            let could = window.service.repair(room(design, length)?)?;
            room(moved, 1)?[0] = u32::from(could);
            Ok(())
        })
    }
}

unsafe extern "C" fn project<S: Service>(user: *mut c_void, design: *mut f64, length: usize) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, 1)?;
            window.service.project(room(design, length)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn random_design<S: Service>(user: *mut c_void, design: *mut f64, length: usize) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, 1)?;
            window.service.random_design(room(design, length)?);
            Ok(())
        })
    }
}

unsafe extern "C" fn uniform<S: Service>(user: *mut c_void, out: *mut f64, count: usize) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            let random = window.service.random();
            room(out, count)?.iter_mut().for_each(|x| *x = random.uniform());
            Ok(())
        })
    }
}

unsafe extern "C" fn normal<S: Service>(user: *mut c_void, out: *mut f64, count: usize) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            let random = window.service.random();
            room(out, count)?.iter_mut().for_each(|x| *x = random.normal());
            Ok(())
        })
    }
}

unsafe extern "C" fn report<S: Service>(user: *mut c_void, design: *const f64, length: usize) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            window.check(length, 1)?;
            window.service.report(numbers(design, length)?)
        })
    }
}

unsafe extern "C" fn should_stop<S: Service>(user: *mut c_void) -> u32 {
    let mut stop = true;
    let status = unsafe {
        serve::<S>(user, |window| {
            stop = window.service.should_stop();
            Ok(())
        })
    };
    u32::from(stop || status != abi::OK)
}

unsafe extern "C" fn evaluations_left<S: Service>(user: *mut c_void) -> u64 {
    let mut left = 0;
    unsafe {
        serve::<S>(user, |window| {
            left = window.service.evaluations_left();
            Ok(())
        });
    }
    left
}

unsafe extern "C" fn parameter<S: Service>(user: *mut c_void, name: Text, out: *mut f64) -> Status {
    unsafe {
        serve::<S>(user, |window| {
            if name.data.is_null() {
                return Err(Halt::Unsupported);
            }
            let name = std::slice::from_raw_parts(name.data, name.length);
            let value = std::str::from_utf8(name).ok().and_then(|name| window.parameters.get(name));
            let number = value.and_then(|v| v.as_f64().or(v.as_bool().map(|b| f64::from(u8::from(b)))));
            room(out, 1)?[0] = number.ok_or(Halt::Unsupported)?;
            Ok(())
        })
    }
}

unsafe extern "C" fn last_error<S: Service>(user: *mut c_void) -> Text {
    match unsafe { user.cast::<Window<S>>().as_ref() } {
        Some(window) => text(&window.error),
        None => text(""),
    }
}
