//! The trait of a metric.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::abi;
use crate::host::{Block, block, text};
use crate::manifest::Direction;
use crate::{Error, Result};

/// A metric's parameters, and how it is computed: one number of a design. A problem may limit it, or seek it.
pub trait Metric: Default + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// Its unit; `"1"` for none.
    const UNIT: &'static str;
    /// Which way it gets better, where one is.
    const DIRECTION: Option<Direction>;

    /// What it keeps of a system between designs; `()` for nothing.
    type State: Send + Sync + 'static;

    /// The system's own metrics that it is made of, by name.
    fn needs() -> &'static [&'static str] {
        &[]
    }

    /// Prepares for a system.
    fn begin(&self, system: &System) -> Result<Self::State>;

    /// Its value for a design. Called by several threads at once.
    fn value(&self, state: &Self::State, design: &[f64], needed: &Measured) -> Result<f64>;
}

/// A system model as a metric meets it.
pub struct System {
    /// The scenario's name.
    pub scenario: String,
    /// The drawn system as the `instance` object of an instance file.
    pub instance: Value,
    /// The blocks of a design.
    pub blocks: Vec<Block>,
    /// The number of values of each needed metric.
    pub lengths: Vec<usize>,
}

impl System {
    /// Reads the host's table.
    ///
    /// # Safety
    /// The pointers of the table must hold as the interface says.
    pub(crate) unsafe fn read(raw: &abi::System) -> Result<Self> {
        let instance = text(&raw.instance);
        let blocks = (0..raw.block_count).map(|i| unsafe { block(raw.blocks, raw.block_size, i) }).collect();
        let metrics = (0..raw.metric_count).map(|i| {
            // The host may know longer entries than this crate.
            let place = raw.metrics.cast::<u8>().wrapping_add(i * raw.metric_size);
            unsafe { (*place.cast::<abi::Metric>()).length }
        });
        Ok(Self {
            scenario: text(&raw.scenario).to_string(),
            instance: serde_json::from_str(instance).map_err(|e| Error::Failed(e.to_string()))?,
            blocks,
            lengths: metrics.collect(),
        })
    }
}

/// The values of the needed metrics, in the order of [`Metric::needs`].
pub struct Measured<'a> {
    values: &'a [f64],
    lengths: &'a [usize],
}

impl Measured<'_> {
    /// All values of the needed metric of that index.
    pub fn get(&self, index: usize) -> &[f64] {
        let first: usize = self.lengths.iter().take(index).sum();
        &self.values[first..first + self.lengths[index]]
    }

    /// The first value of the needed metric of that index: the value of a scalar.
    pub fn scalar(&self, index: usize) -> f64 {
        self.get(index).first().copied().unwrap_or(f64::NAN)
    }
}

/// A metric on a system, with its type forgotten.
pub(crate) trait AnyMetric: Send + Sync {
    fn value(&self, design: &[f64], values: &[f64], out: &mut [f64]) -> Result<()>;
}

struct Prepared<M: Metric> {
    metric: M,
    state: M::State,
    lengths: Vec<usize>,
    coordinates: usize,
}

impl<M: Metric> AnyMetric for Prepared<M> {
    fn value(&self, design: &[f64], values: &[f64], out: &mut [f64]) -> Result<()> {
        let (wanted, [out]) = (self.lengths.iter().sum::<usize>(), out) else {
            return Err("a metric of this library is one number".into());
        };
        if values.len() != wanted || design.len() != self.coordinates {
            return Err("the design or the values have another length than the system".into());
        }
        *out = self.metric.value(&self.state, design, &Measured { values, lengths: &self.lengths })?;
        Ok(())
    }
}

/// A metric prepared for a system.
pub(crate) unsafe fn begin<M: Metric>(parameters: &str, raw: &abi::System) -> Result<Box<dyn AnyMetric>> {
    let metric: M = crate::solver::parse(parameters)?;
    let system = unsafe { System::read(raw)? };
    let state = metric.begin(&system)?;
    Ok(Box::new(Prepared { metric, state, lengths: system.lengths, coordinates: raw.coordinates }))
}
