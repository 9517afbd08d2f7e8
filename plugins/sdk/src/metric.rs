//! The trait of a metric.

use crate::Result;
use crate::abi;
use crate::host::{Block, block, text};
use crate::manifest::Direction;

/// A metric: one number of a design. A problem may limit it, or seek it.
pub trait Metric: Sized + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// Its unit; `"1"` for none.
    const UNIT: &'static str;
    /// Which way it gets better, where one is.
    const DIRECTION: Option<Direction>;
    /// The formula in words, and its source.
    const DESCRIPTION: &'static str;
    /// The system's own metrics that it is made of, by name. A system without one of them does not have this metric.
    const NEEDS: &'static [&'static str];

    /// Prepares it for a system.
    fn begin(system: &System) -> Result<Self>;

    /// Its value for a design. Called by several threads at once. Not a number where it is undefined.
    fn value(&self, design: &[f64], needed: &Measured) -> Result<f64>;
}

/// A system as a metric meets it.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// The blocks of a design.
    pub blocks: Vec<Block>,
    /// The name and the number of values of each needed metric.
    pub metrics: Vec<(String, usize)>,
}

impl System {
    /// Reads the host's table.
    ///
    /// # Safety
    /// The pointers of the table must hold as the interface says.
    unsafe fn read(raw: &abi::System) -> Self {
        let blocks = (0..raw.block_count).map(|i| unsafe { block(raw.blocks, raw.block_size, i) }).collect();
        let metrics = (0..raw.metric_count).map(|i| {
            // The host may know longer entries than this crate.
            let place = raw.metrics.cast::<u8>().wrapping_add(i * raw.metric_size);
            let metric = unsafe { &*place.cast::<abi::Metric>() };
            (text(&metric.id).to_string(), metric.length)
        });
        Self { blocks, metrics: metrics.collect() }
    }
}

/// The values of the needed metrics, in the order of [`Metric::NEEDS`].
pub struct Measured<'a> {
    values: &'a [f64],
    lengths: &'a [usize],
}

impl<'a> Measured<'a> {
    /// Values one behind the other, and how many each metric has: for tests.
    pub fn new(values: &'a [f64], lengths: &'a [usize]) -> Self {
        Self { values, lengths }
    }

    /// All values of the needed metric of that index.
    pub fn get(&self, index: usize) -> &'a [f64] {
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
    lengths: Vec<usize>,
    coordinates: usize,
}

impl<M: Metric> AnyMetric for Prepared<M> {
    fn value(&self, design: &[f64], values: &[f64], out: &mut [f64]) -> Result<()> {
        let [out] = out else { return Err("a metric of this library is one number".into()) };
        if values.len() != self.lengths.iter().sum::<usize>() || design.len() != self.coordinates {
            return Err("the design or the values have another length than the system".into());
        }
        *out = self.metric.value(design, &Measured { values, lengths: &self.lengths })?;
        Ok(())
    }
}

/// A metric prepared for a system.
///
/// # Safety
/// The pointers of the table must hold as the interface says.
pub(crate) unsafe fn begin<M: Metric>(raw: &abi::System) -> Result<Box<dyn AnyMetric>> {
    let system = unsafe { System::read(raw) };
    let metric = M::begin(&system)?;
    let lengths = system.metrics.iter().map(|(_, length)| *length).collect();
    Ok(Box::new(Prepared { metric, lengths, coordinates: raw.coordinates }))
}
