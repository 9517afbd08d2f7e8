//! Shared libraries: opened through a C interface (`plugins/sdk/src/abi.rs`), never closed, inside isacopt where the
//! config trusts them, else in a worker process that speaks the wire protocol for them.

mod file;
mod run;
mod service;
mod space;
mod table;
mod view;
pub mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use self::table::{MetricHandle, Table};
use self::view::SystemView;
use super::frame::Frame;
use super::remote::Drawing;
use super::{Backend, Location, Manifest, Solve};
use crate::error::Result;
use crate::optimizer::Iterate;

/// A shared library inside isacopt.
pub struct Library {
    location: Arc<Location>,
    table: &'static Table,
    metrics: Metrics,
}

impl Library {
    /// Opens a library. Its code runs from here on.
    pub fn open(location: &Location) -> Result<Self> {
        let table = location.unchanged().and_then(|()| Table::open(&location.path));
        let table = table.map_err(|why| location.error(why))?;
        Ok(Self { location: Arc::new(location.clone()), table, metrics: Metrics::default() })
    }
}

/// Looks whether a file can be a library of this machine, before anything in it runs. The reason is in words.
pub(super) fn look(location: &Location) -> Result<()> {
    file::check(&location.path).map_err(|why| location.error(why))
}

impl Backend for Library {
    fn manifest(&self) -> &Manifest {
        self.table.manifest()
    }

    fn begin(&self, solve: Solve) -> Result<Box<dyn Iterate>> {
        Ok(Box::new(run::Run::new(self.table, Arc::clone(&self.location), solve)?))
    }

    fn ask(&self, _: Option<&Drawing>, header: &Value, payload: &[f64]) -> Result<Frame> {
        self.metrics.answer(self.table, header, payload).map_err(|why| self.location.error(why))
    }
}

/// Metrics that were prepared for a system, by the header of the wire protocol that asks for them.
#[derive(Default)]
struct Metrics(Mutex<Vec<(Value, Arc<Prepared>)>>);

struct Prepared {
    handle: MetricHandle,
    values: usize,
    coordinates: usize,
}

/// So many metrics are kept prepared; who asks for more prepares again.
const MOST_PREPARED: usize = 64;

impl Metrics {
    /// The answer to a `metric` message.
    fn answer(&self, table: &'static Table, header: &Value, payload: &[f64]) -> Result<Frame, String> {
        if header.get("type").and_then(Value::as_str) != Some("metric") {
            return Err(format!("a library does not serve {}", header.get("type").unwrap_or(&Value::Null)));
        }
        let metric = self.prepared(table, header)?;
        if payload.len() != metric.values + metric.coordinates {
            let (found, wanted) = (payload.len(), metric.values + metric.coordinates);
            return Err(format!("a metric was asked with {found} numbers, where {wanted} must stand"));
        }
        let (values, design) = payload.split_at(metric.values);
        let value = metric.handle.value(design, values)?;
        Ok(Frame::with(json!({ "type": "value" }), vec![value]))
    }

    fn prepared(&self, table: &'static Table, header: &Value) -> Result<Arc<Prepared>, String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, metric)) = all.iter().find(|(known, _)| known == header) {
            return Ok(Arc::clone(metric));
        }
        let name = header.get("metric").and_then(Value::as_str).ok_or("a metric was asked without its name")?;
        let space = space::read_space(header.get("blocks").unwrap_or(&Value::Null), None)?;
        let need = |need: &Value| {
            let name = need.get("name").and_then(Value::as_str)?;
            let end = |i: usize| need.get("range")?.get(i)?.as_u64().and_then(|n| usize::try_from(n).ok());
            Some((name.to_string(), end(1)?.checked_sub(end(0)?)?))
        };
        let needs = header.get("needs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let needs: Option<Vec<(String, usize)>> = needs.iter().map(need).collect();
        let needs = needs.ok_or("a metric was asked with needs that are not understood")?;
        let values = needs.iter().map(|(_, length)| length).sum();
        let handle = table.metric(name, &SystemView::new(&space, &needs))?;
        let prepared = Arc::new(Prepared { handle, values, coordinates: space.len() });
        if all.len() >= MOST_PREPARED {
            all.remove(0);
        }
        all.push((header.clone(), Arc::clone(&prepared)));
        Ok(prepared)
    }
}
