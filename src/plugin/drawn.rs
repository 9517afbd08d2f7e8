//! A system as a plugin drew it: its `drawn` message, read and checked.

use serde::Deserialize;
use serde_json::Value;

use super::frame::{Frame, LONGEST_PAYLOAD};
use crate::design::{Block, Design, DesignSpace, Domain};
use crate::metric::{Direction, MetricInfo, number_from_json};
use crate::problem::{Constraint, Limit, ProblemSpec};

/// A drawn system.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub space: DesignSpace,
    pub metrics: Vec<MetricInfo>,
    pub problem: ProblemSpec,
    pub instance: Value,
    pub starts: Vec<(String, Design)>,
    pub split: Vec<String>,
    pub gradient: bool,
    pub bound: bool,
    pub simulation: Option<Signals>,
}

/// What a plugin's simulation draws for one sample.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// The metrics that it covers.
    pub covers: Vec<String>,
    /// Samples a draw.
    pub moments: usize,
    /// Normal numbers that a draw takes.
    #[serde(default)]
    pub normals: usize,
    /// Uniform numbers that a draw takes.
    #[serde(default)]
    pub uniforms: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    #[serde(rename = "type")]
    _type: String,
    blocks: Vec<BlockMessage>,
    metrics: Vec<MetricMessage>,
    problem: ProblemMessage,
    #[serde(default)]
    instance: Value,
    #[serde(default)]
    starts: Vec<String>,
    #[serde(default)]
    split: Vec<String>,
    #[serde(default)]
    offers: Vec<String>,
    #[serde(default)]
    simulation: Option<Signals>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockMessage {
    name: String,
    kind: String,
    #[serde(default)]
    shape: Vec<usize>,
    #[serde(default)]
    levels: u32,
    #[serde(default = "one")]
    scale: f64,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricMessage {
    name: String,
    #[serde(default = "no_unit")]
    unit: String,
    #[serde(default)]
    direction: Option<Direction>,
    #[serde(default)]
    shape: Vec<usize>,
    #[serde(default)]
    logarithmic: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProblemMessage {
    objective: String,
    #[serde(default)]
    limits: Vec<LimitMessage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitMessage {
    metric: String,
    #[serde(default)]
    at_most: Option<Value>,
    #[serde(default)]
    at_least: Option<Value>,
}

fn one() -> f64 {
    1.0
}

fn no_unit() -> String {
    "1".into()
}

impl Drawn {
    /// Reads a `drawn` message. The error is the reason why it is none.
    pub fn read(frame: &Frame) -> Result<Self, String> {
        let message: Message = serde_json::from_value(frame.header.clone()).map_err(|e| e.to_string())?;
        let mut numbers = frame.payload.iter().copied();
        let mut blocks = Vec::new();
        let mut all = 0usize;
        for block in &message.blocks {
            let size = size(&block.shape).ok_or_else(|| format!("its block `{}` is too large", block.name))?;
            let mut take = || -> Result<Vec<f64>, String> {
                let taken: Vec<f64> = numbers.by_ref().take(size).collect();
                match taken.len() == size && taken.iter().all(|x| x.is_finite()) {
                    true => Ok(taken),
                    false => Err(format!("the limits of its block `{}` are not all there, or not finite", block.name)),
                }
            };
            let domain = match block.kind.as_str() {
                "non_negative" => Domain::NonNegative,
                "box" => Domain::Box { lower: take()?, upper: take()? },
                "phase" => Domain::Phase,
                "level" if block.levels >= 2 => Domain::Level { levels: block.levels },
                "level" => return Err(format!("its block `{}` has fewer than 2 levels", block.name)),
                "complex" => Domain::Complex,
                "hermitian" if matches!(block.shape[..], [a, b] if a == b) => Domain::Hermitian,
                "hermitian" => return Err(format!("its block `{}` is no square matrix", block.name)),
                other => {
                    return Err(format!("its block `{}` is of the kind `{other}`, which there is not", block.name));
                }
            };
            if let Domain::Box { lower, upper } = &domain
                && lower.iter().zip(upper).any(|(l, u)| l > u)
            {
                return Err(format!("a lower limit of its block `{}` lies above the upper one", block.name));
            }
            if blocks.iter().any(|b: &Block| b.name == block.name) || !is_name(&block.name) {
                return Err(format!("its block's name `{}` is taken or no name", block.name));
            }
            if !(block.scale.is_finite() && block.scale > 0.0) {
                return Err(format!("the scale of its block `{}` is {}", block.name, block.scale));
            }
            blocks.push(Block::new(&block.name, &block.shape, domain, block.scale, &block.description));
            all = all.saturating_add(2 * size);
        }
        if all == 0 || all > LONGEST_PAYLOAD / 4 {
            return Err(format!("its designs have {all} coordinates"));
        }
        let space = DesignSpace::new(blocks);
        let mut metrics: Vec<MetricInfo> = Vec::new();
        for metric in message.metrics {
            if metrics.iter().any(|m| m.id == metric.name) || !is_name(&metric.name) {
                return Err(format!("its metric's name `{}` is taken or no name", metric.name));
            }
            if size(&metric.shape).is_none_or(|n| n == 0) || metrics.len() == 100 {
                return Err(format!("its metric `{}` is empty, too large, or one of more than 100", metric.name));
            }
            metrics.push(MetricInfo {
                direction: metric.direction,
                logarithmic: metric.logarithmic,
                ..MetricInfo::new(&metric.name, &metric.unit, &metric.shape, &metric.description, &metric.source)
            });
        }
        let constraints = message.problem.limits.iter().map(read_limit).collect::<Result<_, _>>()?;
        let problem = ProblemSpec::new(&message.problem.objective, constraints);
        let mut starts = Vec::new();
        for name in message.starts {
            let design: Vec<f64> = numbers.by_ref().take(space.len()).collect();
            if design.len() < space.len() || space.distance(&design).0 > 1e-9 {
                return Err(format!("its start `{name}` is no design of its space"));
            }
            starts.push((name, Design::new(design)));
        }
        if numbers.next().is_some() {
            return Err("its message holds more numbers than it has use for".into());
        }
        for name in &message.split {
            space.resolve(name).map_err(|e| e.to_string())?;
        }
        if let Some(other) = message.offers.iter().find(|o| !["gradient", "bound"].contains(&o.as_str())) {
            return Err(format!("it offers `{other}`, which there is not"));
        }
        if let Some(signals) = &message.simulation {
            let unknown = signals.covers.iter().find(|name| !metrics.iter().any(|m| m.id == **name));
            if let Some(name) = unknown {
                return Err(format!("its simulation covers `{name}`, which is none of its metrics"));
            }
            let numbers = signals.moments.saturating_add(signals.normals).saturating_add(signals.uniforms);
            if signals.moments == 0 || numbers > LONGEST_PAYLOAD / 4 {
                return Err("its simulation has no moments, or too many numbers".into());
            }
        }
        let offers = |name: &str| message.offers.iter().any(|o| o == name);
        Ok(Self {
            gradient: offers("gradient"),
            bound: offers("bound"),
            space,
            metrics,
            problem,
            instance: message.instance,
            starts,
            split: message.split,
            simulation: message.simulation,
        })
    }

    /// The number of values of all metrics.
    pub fn values(&self) -> usize {
        self.metrics.iter().map(MetricInfo::len).sum()
    }
}

/// The entries of a shape, where that is a sensible number.
fn size(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length))?;
    (product <= LONGEST_PAYLOAD / 8).then_some(product)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn read_limit(message: &LimitMessage) -> Result<Constraint, String> {
    let metric = message.metric.clone();
    let wrong = || format!("its limit on `{metric}` is neither `at_most` nor `at_least` with numbers");
    let (value, upper) = match (&message.at_most, &message.at_least) {
        (Some(value), None) => (value, true),
        (None, Some(value)) => (value, false),
        _ => return Err(wrong()),
    };
    let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let limits: Option<Vec<f64>> = entries.iter().map(number_from_json).collect();
    let limits = limits.filter(|l| !l.is_empty() && l.iter().all(|x| !x.is_nan())).ok_or_else(wrong)?;
    Ok(Constraint { metric: metric.clone(), limit: if upper { Limit::AtMost(limits) } else { Limit::AtLeast(limits) } })
}
