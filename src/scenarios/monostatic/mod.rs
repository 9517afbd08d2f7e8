//! Monostatic massive MIMO ISAC (paper 001): one base station with planar arrays serves users by MRT or ZF and
//! measures the azimuth and elevation of a target.
//!
//! A design is the powers `p_k` of the users and the sensing power `q`. Rates depend on all of them
//! ([`Coefficients`]), the CRLBs only on `S = sum p_k` and `q` ([`Sensing`]).

mod baselines;
mod config;
pub mod echo;
pub mod estimation;
mod exact;
mod feasibility;
mod gradient;
mod instance;
mod level_set;
mod limits;
mod majorizer;
mod metrics;
mod offers;
mod printed;
mod range;
mod rate;
mod reuse;
#[cfg(test)]
mod samples;
mod sensing;
pub mod simulation;
mod surrogate;
mod users;
mod verification;

pub use config::{MonostaticConfig, Reflection, UserDrop};
pub use exact::{bound, optimum};
pub use feasibility::{Miss, Region};
pub use instance::{Array, Instance, Pointing, Precoder};
pub use limits::{Limits, Utility};
pub use range::SensingRange;
pub use rate::{Coefficients, PilotGroups};
pub use sensing::{Angle, AngleInformation, Sensing};

use std::sync::Arc;

use serde_json::Value;

use crate::design::{Block, Design, DesignSpace, Domain};
use crate::error::Result;
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Baseline, Named, PrintedFigure, SystemModel, Workspace};
use crate::problem::{Constraint, ProblemSpec};
use crate::radio::Signal;
use crate::simulation::SimulationFactory;
use crate::structure::{Proof, Structure};

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
    /// Computes the coefficients of a drawn system; `O(K log K)`, independent of the number of antennas for an
    /// aligned beam.
    pub fn new(instance: Instance) -> Self {
        let users = Coefficients::new(&instance);
        let sensing = Sensing::new(&instance);
        Self { instance, users, sensing }
    }

    /// User k's weight in the weighted sum rate.
    pub fn weight(&self, user: usize) -> f64 {
        self.instance.user_weights.as_ref().map_or(1.0, |w| w[user])
    }
}

/// The monostatic system model.
pub struct Monostatic {
    system: Arc<System>,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl Monostatic {
    /// The model of a drawn system.
    pub fn new(instance: Instance) -> Self {
        let users = instance.users();
        let budget = if instance.transmit_power > 0.0 { instance.transmit_power } else { 1.0 };
        let block = |name, shape: &[usize], scale, what| Block::new(name, shape, Domain::NonNegative, scale, what);
        let each = budget / users as f64;
        let space = DesignSpace::new(vec![
            block("communication_power", &[users], each, "p_k = N_t xi_bf,k gamma_k: power of each user's stream"),
            block("sensing_power", &[], 0.25 * budget, "q = N_t rho: power of the sensing beam"),
        ]);
        Self { system: Arc::new(System::new(instance)), space, metrics: metrics::infos(users) }
    }

    /// The drawn system.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }
}

impl SystemModel for Monostatic {
    fn scenario(&self) -> &str {
        "monostatic"
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
        let (power, sensing) = design.split_at(design.len() - 1);
        metrics::evaluate(&self.system, power, sensing[0], wanted, scratch, out);
        Ok(())
    }

    fn default_problem(&self) -> ProblemSpec {
        let instance = &self.system.instance;
        let mut constraints = vec![Constraint::at_most("transmit_power", instance.transmit_power)];
        let limits = [("crlb_azimuth", instance.crlb_azimuth_limit), ("crlb_elevation", instance.crlb_elevation_limit)];
        constraints.extend(limits.iter().filter_map(|(id, limit)| Some(Constraint::at_most(id, (*limit)?))));
        ProblemSpec::new("sum_rate", constraints)
    }

    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        let split = vec![1.0; self.system.users.users()];
        simulation::RawSystem::new(&self.system.instance, design, &split).ok().map(simulation::RawSystem::factory)
    }

    fn estimators(&self) -> Vec<Named> {
        estimation::ESTIMATORS.iter().map(|(named, _)| *named).collect()
    }

    fn estimator(&self, name: &str, design: &Design) -> Option<SimulationFactory> {
        let (_, estimator) = estimation::ESTIMATORS.iter().find(|(named, _)| named.name == name)?;
        estimation::mean_square_errors(&self.system.instance, design, *estimator).ok()
    }

    fn signals(&self, design: &Design) -> Vec<Signal> {
        echo::signals(&self.system.instance, design)
    }

    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        offers::structure(&self.system, problem)
    }

    fn verify(&self, problem: &ProblemSpec, _: &Design, certificate: &Value) -> Option<Result<Proof>> {
        verification::verify(&self.system.instance, problem, certificate)
    }

    fn as_printed(&self, design: &Design) -> Vec<PrintedFigure> {
        match design.split_last() {
            Some((sensing, power)) if power.len() == self.system.users.users() => {
                printed::figures(&self.system, power, *sensing)
            }
            _ => Vec::new(),
        }
    }

    fn starts(&self) -> Vec<Named> {
        baselines::STARTS.to_vec()
    }

    fn start(&self, name: &str) -> Option<Result<Design>> {
        baselines::start(&self.system, name, &self.default_problem()).map(Ok)
    }

    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        vec![
            Arc::new(baselines::EqualCommunication(Arc::clone(&self.system))),
            Arc::new(baselines::EqualPower(Arc::clone(&self.system))),
        ]
    }
}
