//! A small scenario for tests: parallel channels of random gain share a power budget.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::design::{Block, Design, DesignSpace, Domain};
use crate::error::{InputError, Result};
use crate::instance::{Fields, Number};
use crate::math::{Power, RandomStream, Streams};
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Baseline, Named, SystemModel, Workspace};
use crate::problem::{Constraint, ProblemSpec};
use crate::scenario::{Scenario, ScenarioEntry};
use crate::simulation::{Simulation, SimulationFactory};
use crate::structure::{Bound, Certificate, ProvenBound, Structure};

/// Its config section.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Toy {
    /// The number of channels.
    pub channels: u64,
    /// The budget.
    pub power: Power,
    /// A table inside.
    pub array: Sides,
    /// A key that is absent by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
}

/// Both sides must be given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sides {
    /// One side.
    pub horizontal: u64,
    /// The other.
    pub vertical: u64,
}

impl Default for Toy {
    fn default() -> Self {
        Self { channels: 3, power: Power::new(10.0), array: Sides { horizontal: 2, vertical: 4 }, least: None }
    }
}

#[typetag::serde(name = "toy_for_tests")]
impl Scenario for Toy {
    fn check(&self) -> Result<()> {
        match self.channels {
            0 => Err(InputError::new("channels", "0", "at least 1").into()),
            _ => Ok(()),
        }
    }
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        let gain = |k| streams.stream("gain", k).uniform() * self.array.horizontal as f64;
        Ok(model((0..self.channels).map(gain).collect(), self.power.linear(1.0)))
    }
}

inventory::submit! {
    ScenarioEntry {
        name: "toy_for_tests",
        summary: "Parallel channels.",
        paper: "none",
        default: || Box::new(Toy::default()),
        schema: || schemars::schema_for!(Toy),
        read_instance: |value| {
            let fields = Fields::new(value, "instance")?;
            let (gains, power) = (fields.vector("gains", Number::Positive)?, fields.number("power", Number::NonNegative)?);
            fields.finish()?;
            Ok(model(gains, power))
        },
        fit: None,
    }
}

fn model(gains: Vec<f64>, power: f64) -> Arc<dyn SystemModel> {
    let count = gains.len();
    let block = Block::new("communication_power", &[count], Domain::NonNegative, power / count as f64, "W");
    Arc::new(Channels {
        space: DesignSpace::new(vec![block]),
        metrics: vec![
            MetricInfo::new("sum_rate", "bit/s/Hz", &[], "", "").maximize(),
            MetricInfo::new("rate", "bit/s/Hz", &[count], "", "").maximize(),
            MetricInfo::new("transmit_power", "W", &[], "", "").minimize(),
        ],
        gains,
        power,
    })
}

struct Channels {
    gains: Vec<f64>,
    power: f64,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl SystemModel for Channels {
    fn scenario(&self) -> &str {
        "toy_for_tests"
    }
    fn instance(&self) -> Value {
        json!({ "gains": self.gains, "power": self.power })
    }
    fn space(&self) -> &DesignSpace {
        &self.space
    }
    fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }
    fn evaluate(&self, design: &Design, _: MetricSet, _: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        for (k, gain) in self.gains.iter().enumerate() {
            out.slot(1)[k] = (gain * design[k]).ln_1p() / std::f64::consts::LN_2;
        }
        out.set(0, out.get(1).iter().sum());
        out.set(2, design.iter().sum());
        Ok(())
    }
    fn default_problem(&self) -> ProblemSpec {
        ProblemSpec::new("sum_rate", vec![Constraint::at_most("transmit_power", self.power)])
    }
    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        let limit = problem.scalar_limit("transmit_power", true).unwrap_or(f64::INFINITY);
        let loose = self.gains.iter().map(|g| (g * limit).ln_1p() / std::f64::consts::LN_2).sum();
        let bound = if self.gains.len() > 4 {
            Err(crate::Refusal::new("more than 4 channels"))
        } else {
            Ok(Box::new(move || Box::new(Loose(loose)) as Box<dyn Bound>) as Box<dyn Fn() -> _ + Send + Sync>)
        };
        Structure { bound, ..Structure::none("it is a toy") }
    }
    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        let (gains, powers) = (self.gains.clone(), design.to_vec());
        Some(Box::new(move || Box::new(Flicker { gains: gains.clone(), powers: powers.clone(), squared: false })))
    }
    fn estimators(&self) -> Vec<Named> {
        vec![Named { name: "power_meter", description: "reads the powers, with errors of 1 % of each" }]
    }
    fn estimator(&self, name: &str, design: &Design) -> Option<SimulationFactory> {
        let (gains, powers) = (self.gains.clone(), design.to_vec());
        let make = move || {
            let flicker = Flicker { gains: gains.clone(), powers: powers.clone(), squared: true };
            Box::new(flicker) as Box<dyn Simulation>
        };
        (name == "power_meter").then(|| Box::new(make) as SimulationFactory)
    }
    fn starts(&self) -> Vec<Named> {
        vec![Named { name: "nothing", description: "no power" }]
    }
    fn start(&self, name: &str) -> Option<Result<Design>> {
        (name == "nothing").then(|| Ok(Design::zeros(&self.space)))
    }
    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        vec![Arc::new(Equal { share: self.power / self.gains.len() as f64, count: self.gains.len() })]
    }
}

/// Powers that flicker by 1 %: rates of their means, or the squared errors in the place of the transmit power.
struct Flicker {
    gains: Vec<f64>,
    powers: Vec<f64>,
    squared: bool,
}

impl Simulation for Flicker {
    fn moments(&self) -> usize {
        self.powers.len()
    }
    fn covers(&self) -> Vec<&'static str> {
        if self.squared { vec!["transmit_power"] } else { vec!["rate", "sum_rate"] }
    }
    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        for (out, power) in out.iter_mut().zip(&self.powers) {
            let error = 0.01 * power * stream.normal();
            *out = if self.squared { error * error } else { power + error };
        }
    }
    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        if self.squared {
            out[0] = mean.iter().sum();
            return;
        }
        for ((out, gain), power) in out.iter_mut().zip(&self.gains).zip(mean) {
            *out = (gain * power).ln_1p() / std::f64::consts::LN_2;
        }
        out[mean.len()] = out[..mean.len()].iter().sum();
    }
}

/// Each channel with the whole budget.
struct Loose(f64);

impl Bound for Loose {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let certificate = Certificate { kind: "closed_form", values: Vec::new() };
        Ok(Some(ProvenBound { value: self.0, certificate }))
    }
}

struct Equal {
    share: f64,
    count: usize,
}

impl Baseline for Equal {
    fn named(&self) -> Named {
        Named { name: "equal_shares", description: "the same power everywhere" }
    }
    fn design(&self, _: &ProblemSpec, _: &Value) -> Result<Design> {
        Ok(Design::new(vec![self.share; self.count]))
    }
}
