//! A shared library that is open, and its functions behind safe calls.

use core::ffi::c_void;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use isacopt_plugin::abi::{self, Message, Status, StepReport};
use serde_json::{Map, Value};

use super::service::{Halt, Service, Window};
use super::view::{ProblemView, SystemView, text};
use crate::plugin::Manifest;

/// Messages of a library are cut here.
const LONGEST_MESSAGE: usize = 2000;

/// Longer manifests are refused.
const LONGEST_MANIFEST: usize = 1 << 20;

/// An open library: its table and its manifest. It is never closed, as threads may hold destructors of its code.
#[derive(Debug)]
pub(super) struct Table {
    plugin: &'static abi::Plugin,
    manifest: Manifest,
}

/// Libraries that are open, by their files.
static OPEN: Mutex<BTreeMap<PathBuf, &'static Table>> = Mutex::new(BTreeMap::new());

impl Table {
    /// Opens a library once. Its code runs from here on. The error is the reason.
    pub fn open(path: &Path) -> Result<&'static Self, String> {
        super::file::check(path)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = open.get(path) {
            return Ok(table);
        }
        // The library's initialisers run: it was trusted, or this is a worker.
        let library = unsafe { libloading::Library::new(path) }.map_err(|e| format!("it cannot be loaded: {e}"))?;
        // Never unloaded, whatever comes next: its initialisers may have left pointers to its code.
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        let table: &'static Self = Box::leak(Box::new(Self::read(library)?));
        open.insert(path.to_path_buf(), table);
        Ok(table)
    }

    fn read(library: &'static libloading::Library) -> Result<Self, String> {
        let entry = unsafe { library.get::<abi::Entry>(abi::ENTRY) };
        let entry = entry.map_err(|_| "it exports no function `isacopt_plugin`: it is no plugin of isacopt")?;
        let plugin = unsafe { entry() };
        if plugin.is_null() {
            return Err("its `isacopt_plugin` gave no table".into());
        }
        if !plugin.is_aligned() {
            return Err("its `isacopt_plugin` gave no aligned table".into());
        }
        // The version and the size stand first in all versions of the table; nothing else is read before they fit.
        let (version, size) = unsafe { ((*plugin).abi_version, (*plugin).struct_size) };
        if version != abi::ABI_VERSION {
            let own = abi::ABI_VERSION;
            return Err(format!("it is built for version {version} of the binary interface, and isacopt has {own}"));
        }
        let own = size_of::<abi::Plugin>();
        if size < own {
            return Err(format!("its table is truncated: {size} bytes, and version {version} has {own}"));
        }
        let plugin: &'static abi::Plugin = unsafe { &*plugin };
        let length = plugin.manifest.length;
        if plugin.manifest.data.is_null() || length > LONGEST_MANIFEST {
            return Err(format!("its manifest is missing or too long ({length} bytes)"));
        }
        let bytes = unsafe { std::slice::from_raw_parts(plugin.manifest.data, length) };
        let value = serde_json::from_slice::<Value>(bytes).map_err(|e| format!("its manifest is no JSON: {e}"))?;
        let manifest = Manifest::read(value).map_err(|why| format!("its manifest is invalid: {why}"))?;
        let functions = [
            (manifest.solvers.is_empty() || plugin.solver_begin.is_some(), "solver_begin"),
            (manifest.solvers.is_empty() || plugin.solver_step.is_some(), "solver_step"),
            (manifest.solvers.is_empty() || plugin.solver_best.is_some(), "solver_best"),
            (manifest.metrics.is_empty() || plugin.metric_begin.is_some(), "metric_begin"),
            (manifest.metrics.is_empty() || plugin.metric_value.is_some(), "metric_value"),
            (manifest.models.is_empty(), "functions of models"),
        ];
        match functions.iter().find(|(there, _)| !there) {
            Some((_, missing)) => Err(format!("its table has no {missing}, which its manifest needs")),
            None => Ok(Self { plugin, manifest }),
        }
    }

    /// What it offers.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn solver(&self, name: &str) -> Result<u32, Halt> {
        let index = self.manifest.solvers.iter().position(|solver| solver.name == name);
        index.and_then(|i| u32::try_from(i).ok()).ok_or_else(|| Halt::Failed(format!("it has no solver `{name}`")))
    }

    /// Sets a solver to work.
    pub fn begin<S: Service>(
        &'static self,
        solver: &str,
        parameters: &Map<String, Value>,
        start: Option<&[f64]>,
        view: &ProblemView,
        service: &mut S,
    ) -> Result<Handle, Halt> {
        let index = self.solver(solver)?;
        let begin = self.plugin.solver_begin.ok_or_else(|| Halt::Failed("it has no solver_begin".into()))?;
        let words = json_text(parameters);
        let (at, length) = start.map_or((std::ptr::null(), 0), |start| (start.as_ptr(), start.len()));
        let mut raw = std::ptr::null_mut();
        let mut window = Window::new(service, view, parameters);
        let host = window.host(view);
        call(|message| unsafe { begin(index, &raw const host, text(&words), at, length, &raw mut raw, message) })?;
        Ok(Handle { plugin: self.plugin, raw, parameters: parameters.clone() })
    }

    /// Prepares a metric.
    pub fn metric(&'static self, name: &str, view: &SystemView) -> Result<MetricHandle, String> {
        let index = self.manifest.metrics.iter().position(|metric| metric.name == name);
        let index = index.and_then(|i| u32::try_from(i).ok()).ok_or_else(|| format!("it has no metric `{name}`"))?;
        let begin = self.plugin.metric_begin.ok_or("it has no metric_begin")?;
        let mut raw = std::ptr::null_mut();
        call(|message| unsafe { begin(index, view.table(), &raw mut raw, message) }).map_err(reason)?;
        Ok(MetricHandle { plugin: self.plugin, raw })
    }
}

/// The words of a halt.
pub(super) fn reason(halt: Halt) -> String {
    match halt {
        Halt::Stop => "it stopped although nobody asked it to".into(),
        Halt::Unsupported => "it needs what the problem does not offer".into(),
        Halt::Failed(why) => why,
    }
}

fn json_text(parameters: &Map<String, Value>) -> String {
    Value::Object(parameters.clone()).to_string()
}

/// Calls a function with room for its message.
fn call(function: impl FnOnce(*mut Message) -> Status) -> Result<(), Halt> {
    let (status, words) = call_with_words(function);
    settle(status, words)
}

/// What a status means.
fn settle(status: Status, words: String) -> Result<(), Halt> {
    match status {
        abi::OK => Ok(()),
        abi::STOP => Err(Halt::Stop),
        abi::UNSUPPORTED => Err(Halt::Unsupported),
        abi::FAILED | abi::REFUSED | abi::PANICKED if !words.is_empty() => Err(Halt::Failed(words)),
        abi::FAILED => Err(Halt::Failed("it failed without a word".into())),
        other => Err(Halt::Failed(format!("it returned the status {other} {words}").trim_end().to_string())),
    }
}

fn call_with_words(function: impl FnOnce(*mut Message) -> Status) -> (Status, String) {
    let mut room = [0u8; LONGEST_MESSAGE];
    let mut message = Message { data: room.as_mut_ptr(), capacity: room.len(), length: 0 };
    let status = function(&raw mut message);
    let words = String::from_utf8_lossy(&room[..message.length.min(LONGEST_MESSAGE)]).into_owned();
    (status, words)
}

/// How a step went.
pub(super) enum Stepped {
    /// One of the outcomes of the interface, with the words that go with it.
    Outcome(u32, String),
    /// It handed on that the run is over.
    Stopped,
}

/// A run of a library's solver.
pub(super) struct Handle {
    plugin: &'static abi::Plugin,
    raw: *mut c_void,
    parameters: Map<String, Value>,
}

// One thread at a time uses a handle, as the interface says.
unsafe impl Send for Handle {}

impl Handle {
    /// One step, and the bound where it gives one.
    pub fn step<S: Service>(&mut self, view: &ProblemView, service: &mut S) -> Result<(Stepped, Option<f64>), Halt> {
        let step = self.plugin.solver_step.ok_or_else(|| Halt::Failed("it has no solver_step".into()))?;
        let mut report = StepReport { outcome: abi::STEP_ADVANCED, has_bound: 0, bound: f64::NAN };
        let mut window = Window::new(service, view, &self.parameters);
        let host = window.host(view);
        let raw = self.raw;
        let (status, words) =
            call_with_words(|message| unsafe { step(raw, &raw const host, &raw mut report, message) });
        match settle(status, words.clone()) {
            Err(Halt::Stop) => return Ok((Stepped::Stopped, None)),
            other => other?,
        }
        let bound = (report.has_bound != 0).then_some(report.bound);
        Ok((Stepped::Outcome(report.outcome, words), bound))
    }

    /// Writes the best design so far.
    pub fn best(&mut self, design: &mut [f64]) -> Result<(), Halt> {
        let best = self.plugin.solver_best.ok_or_else(|| Halt::Failed("it has no solver_best".into()))?;
        let raw = self.raw;
        call(|message| unsafe { best(raw, design.as_mut_ptr(), design.len(), message) })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(end) = self.plugin.solver_end {
            unsafe { end(self.raw) };
        }
    }
}

/// A library's metric on a system.
pub(super) struct MetricHandle {
    plugin: &'static abi::Plugin,
    raw: *mut c_void,
}

// Several threads may use it at once, as the interface says.
unsafe impl Send for MetricHandle {}
unsafe impl Sync for MetricHandle {}

impl MetricHandle {
    /// The metric's value.
    pub fn value(&self, design: &[f64], values: &[f64]) -> Result<f64, String> {
        let value = self.plugin.metric_value.ok_or("it has no metric_value")?;
        let mut out = f64::NAN;
        let (raw, count) = (self.raw.cast_const(), values.len());
        let given = |message| unsafe {
            value(raw, design.as_ptr(), design.len(), values.as_ptr(), count, &raw mut out, 1, message)
        };
        call(given).map_err(reason)?;
        Ok(out)
    }
}

impl Drop for MetricHandle {
    fn drop(&mut self) {
        if let Some(end) = self.plugin.metric_end {
            unsafe { end(self.raw) };
        }
    }
}
