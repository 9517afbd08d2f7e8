//! Multi-static cell-free massive MIMO ISAC (paper 004): L access points with uniform linear arrays serve K users by
//! maximum-ratio transmission, and each measures the angle of one target from the echoes.
//!
//! A design is the powers of the streams: `p_kl = N_t xi_kl gamma_kl` for communication and `q_kl = N_t eta_kl` for
//! sensing, K x L each. Rates: [`rate`](Coefficients), CRLBs: [`Sensing`].

mod allocation;
mod amplitudes;
mod baselines;
mod branching;
mod config;
pub mod echo;
mod fair;
mod feasibility;
mod gradient;
mod illumination;
mod instance;
mod layout;
mod level_set;
mod limits;
mod majorizer;
mod metrics;
mod multistatic;
mod offers;
mod phases;
mod printed;
mod rate;
mod sensing;
pub mod simulation;
mod streams;
mod surrogate;

pub use config::{CellFreeConfig, PilotBook};
pub use instance::{Instance, Reflections, SensingMetric};
pub use layout::Layout;
pub use limits::{Limits, Utility};
pub use rate::{Coefficients, Leak};
pub use sensing::Sensing;

use std::sync::Arc;

use serde_json::Value;

use crate::design::{Block, Design, DesignSpace, Domain};
use crate::error::Result;
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Baseline, Named, SystemModel, Workspace};
use crate::problem::{Constraint, Limit, ProblemSpec};
use crate::radio::Signal;
use crate::simulation::SimulationFactory;
use crate::structure::Structure;

/// A drawn system with all that is computed from it once.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// The drawn numbers.
    pub instance: Instance,
    /// What the rates are made of.
    pub users: Coefficients,
    /// What the CRLBs are made of.
    pub sensing: Sensing,
}

impl System {
    /// Computes the coefficients of a drawn system.
    pub fn new(instance: Instance) -> Self {
        let users = Coefficients::new(&instance);
        let sensing = Sensing::new(&instance);
        Self { instance, users, sensing }
    }
}

/// The cell-free system model.
pub struct CellFree {
    system: Arc<System>,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl CellFree {
    /// The model of a drawn system.
    pub fn new(instance: Instance) -> Self {
        let shape = [instance.users(), instance.access_points()];
        let each = instance.transmit_power / (shape[0] * shape[1]) as f64;
        let block = |name, scale, what| Block::new(name, &shape, Domain::NonNegative, scale, what);
        let space = DesignSpace::new(vec![
            block("communication_power", each, "p_kl = N_t xi_kl gamma_kl: power of each stream at each access point"),
            block("sensing_power", 0.3 * each, "q_kl = N_t eta_kl: power of the sensing beam in each stream there"),
        ]);
        let metrics = metrics::infos(shape[0], shape[1]);
        Self { system: Arc::new(System::new(instance)), space, metrics }
    }

    /// The drawn system.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }
}

impl SystemModel for CellFree {
    fn scenario(&self) -> &str {
        "cell_free"
    }

    fn instance(&self) -> Value {
        self.system.instance.to_json()
    }

    fn space(&self) -> &DesignSpace {
        &self.space
    }

    fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }

    fn workspace(&self) -> Workspace {
        Workspace::new(metrics::Scratch::new(&self.system))
    }

    fn evaluate(&self, design: &Design, wanted: MetricSet, work: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        let scratch = work.judging::<metrics::Scratch>(design, self.space.len())?;
        let (power, sensing) = design.split_at(design.len() / 2);
        metrics::evaluate(&self.system, power, sensing, wanted, scratch, out);
        Ok(())
    }

    fn default_problem(&self) -> ProblemSpec {
        let instance = &self.system.instance;
        let mut constraints = vec![Constraint::at_most("transmit_power", instance.transmit_power)];
        let mut limit = |metric: &str, limits: &[f64]| {
            if limits.iter().any(|l| l.is_finite()) {
                constraints.push(Constraint { metric: metric.into(), limit: Limit::AtMost(limits.to_vec()) });
            }
        };
        limit(instance.sensing_metric.metric(), &instance.crlb_limit);
        limit("access_point_power", &instance.access_point_power_limit);
        ProblemSpec::new("sum_rate", constraints)
    }

    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        simulation::RawSystem::new(&self.system.instance, design).map(simulation::RawSystem::factory)
    }

    fn signals(&self, design: &Design) -> Vec<Signal> {
        echo::signals(&self.system.instance, design)
    }

    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        offers::structure(&self.system, problem)
    }

    fn starts(&self) -> Vec<Named> {
        baselines::STARTS.to_vec()
    }

    fn start(&self, name: &str) -> Option<Result<Design>> {
        baselines::start(&self.system, name, &self.default_problem())
    }

    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        baselines::all(&self.system)
    }
}
