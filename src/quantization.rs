//! Models whose continuous phases are held to a grid: what hardware with phase shifters of a few bits can set.
//!
//! The design stays in radians, so that it is judged, stored and read as any other of the model; only its domain is
//! discrete, which is what discrete solvers ask for. What the model offers of structure is for continuous phases: bounds
//! and proofs of infeasibility hold for the grid, too, and are kept; nothing else is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::design::{Design, DesignSpace, Domain};
use crate::error::{InputError, Result};
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Baseline, Named, PrintedFigure, SystemModel, Workspace};
use crate::problem::ProblemSpec;
use crate::radio::Signal;
use crate::radio::music::Echoes;
use crate::simulation::SimulationFactory;
use crate::structure::{Bound, Feasibility, Feasible, Offer, Proof, Structure};

/// Most bits of a phase.
const MOST_BITS: u32 = 16;

/// The same model with these blocks on a grid of `2^bits` phases.
///
/// # Errors
/// Where a block is unknown or no continuous phase, or the bits are not from 1 to 16.
pub(crate) fn quantized(model: Arc<dyn SystemModel>, bits: &BTreeMap<String, u32>) -> Result<Arc<dyn SystemModel>> {
    if bits.is_empty() {
        return Ok(model);
    }
    let mut blocks = model.space().blocks().to_vec();
    for (name, bits) in bits {
        let key = format!("problem.quantize.{name}");
        let Some(block) = blocks.iter_mut().find(|b| b.name == *name) else {
            return Err(InputError::unknown(key, name, blocks.iter().map(|b| b.name.as_str())).into());
        };
        if block.domain != Domain::Phase {
            let allowed = format!("a block of continuous phases: `{name}` is {}", block.domain.describe());
            return Err(InputError::new(key, format!("{bits} bits"), allowed).into());
        }
        if !(1..=MOST_BITS).contains(bits) {
            let allowed = format!("a whole number of bits from 1 to {MOST_BITS}");
            return Err(InputError::new(key, bits.to_string(), allowed).into());
        }
        block.domain = Domain::QuantizedPhase { levels: 1 << bits };
    }
    let groups = model.space().groups();
    let with = |space: DesignSpace, (name, members): &(String, Vec<usize>)| {
        let names: Vec<&str> = members.iter().map(|m| model.space().blocks()[*m].name.as_str()).collect();
        space.with_group(name, &names)
    };
    let space = groups.iter().fold(DesignSpace::new(blocks), with);
    Ok(Arc::new(Quantized { model, space }))
}

struct Quantized {
    model: Arc<dyn SystemModel>,
    space: DesignSpace,
}

/// What proves infeasibility proves it for the grid; a feasible design need not lie on it.
struct OnGrid {
    inner: Box<dyn Feasibility>,
    space: DesignSpace,
}

impl Feasibility for OnGrid {
    fn assess(&mut self) -> Result<Feasible> {
        Ok(match self.inner.assess()? {
            Feasible::No { mut least_violating, ratio, certificate } => {
                self.space.project(&mut least_violating);
                Feasible::No { least_violating, ratio, certificate }
            }
            Feasible::Yes(_) | Feasible::Unknown => Feasible::Unknown,
        })
    }

    fn repair(&mut self, _design: &mut Design) -> bool {
        false
    }
}

impl SystemModel for Quantized {
    fn scenario(&self) -> &str {
        self.model.scenario()
    }
    fn instance(&self) -> Value {
        self.model.instance()
    }
    fn space(&self) -> &DesignSpace {
        &self.space
    }
    fn metrics(&self) -> &[MetricInfo] {
        self.model.metrics()
    }
    fn workspace(&self) -> Workspace {
        self.model.workspace()
    }
    fn evaluate(&self, design: &Design, wanted: MetricSet, work: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        self.model.evaluate(design, wanted, work, out)
    }
    fn complete(&self, design: &mut Design, absent: &[usize]) -> Result<()> {
        self.model.complete(design, absent)
    }
    fn default_problem(&self) -> ProblemSpec {
        self.model.default_problem()
    }
    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        let continuous = ProblemSpec { quantize: BTreeMap::new(), ..problem.clone() };
        let offered = Arc::clone(&self.model).structure(&continuous);
        let space = self.space.clone();
        let feasibility: Offer<dyn Feasibility> = offered.feasibility.map(|factory| {
            let make = move || Box::new(OnGrid { inner: factory(), space: space.clone() }) as Box<dyn Feasibility>;
            Box::new(make) as Box<dyn Fn() -> Box<dyn Feasibility> + Send + Sync>
        });
        let bound: Offer<dyn Bound> = offered.bound;
        Structure {
            feasibility,
            bound,
            ..Structure::none("phases are held to a grid: the structure is for continuous ones")
        }
    }
    fn verify(&self, problem: &ProblemSpec, design: &Design, certificate: &Value) -> Option<Result<Proof>> {
        self.model.verify(problem, design, certificate)
    }
    /// On the grid.
    fn start(&self, name: &str) -> Option<Result<Design>> {
        self.model.start(name).map(|start| {
            start.map(|mut design| {
                self.space.project(&mut design);
                design
            })
        })
    }
    fn starts(&self) -> Vec<Named> {
        self.model.starts()
    }
    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        self.model.baselines()
    }
    fn as_printed(&self, design: &Design) -> Vec<PrintedFigure> {
        self.model.as_printed(design)
    }
    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        self.model.simulation(design)
    }
    fn estimators(&self) -> Vec<Named> {
        self.model.estimators()
    }
    fn estimator(&self, name: &str, design: &Design) -> Option<SimulationFactory> {
        self.model.estimator(name, design)
    }
    fn echoes(&self, design: &Design) -> Option<Echoes> {
        self.model.echoes(design)
    }
    fn signals(&self, design: &Design) -> Vec<Signal> {
        self.model.signals(design)
    }
}
