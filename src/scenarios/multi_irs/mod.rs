//! Multi-IRS ISAC (paper 003): a base station reaches users and targets behind obstacles through several semi-passive
//! IRSs; each IRS serves users of its own and locates one target with its own sensors.
//!
//! A design is the phases of the IRSs, a beam for every user, and the covariance `R_0` of a dedicated sensing signal.
//! All that is heard is linear in the transmit vector and in the phases of one IRS: [`System`].

mod aim;
mod baselines;
mod bound;
mod config;
mod extended;
mod heard;
mod instance;
mod joint;
mod metrics;
mod offers;
mod reflect;
pub mod simulation;
mod system;
mod transmit;
mod transmit_offer;
mod transmit_program;
mod uplink;

pub use config::MultiIrsConfig;
pub use instance::{Instance, Receiver, Target};
pub use system::System;

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

/// The multi-IRS system model.
pub struct MultiIrs {
    system: Arc<System>,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl MultiIrs {
    /// The model of a drawn system.
    pub fn new(instance: Instance) -> Self {
        let [l, k, n, m] = [instance.surfaces, instance.users, instance.elements, instance.antennas];
        let each = instance.transmit_power / (2.0 * (l * k * m) as f64);
        let what = ["phases of the reflection coefficients", "w_lk: beams", "R_0: covariance of the sensing signal"];
        let share = instance.transmit_power / m as f64;
        let space = DesignSpace::new(vec![
            Block::new("irs_phase", &[l, n], Domain::Phase, 1.0, what[0]),
            Block::new("beamformer", &[l, k, m], Domain::Complex, (0.5 * each).sqrt(), what[1]),
            Block::new("sensing_covariance", &[m, m], Domain::Hermitian, 0.5 * share, what[2]),
        ])
        .with_group("transmit", &["beamformer", "sensing_covariance"]);
        Self { system: Arc::new(System::new(instance)), space, metrics: metrics::infos(l, k) }
    }

    /// The drawn system.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }
}

impl SystemModel for MultiIrs {
    fn scenario(&self) -> &str {
        "multi_irs"
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
        metrics::evaluate(&self.system, design, wanted, scratch, out);
        Ok(())
    }

    fn default_problem(&self) -> ProblemSpec {
        let instance = &self.system.instance;
        let mut constraints = vec![Constraint::at_most("transmit_power", instance.transmit_power)];
        if let Some(limits) = instance.sinr_limit.as_ref().filter(|l| l.iter().any(|x| *x > 0.0)) {
            let limits = limits.iter().map(|x| if *x > 0.0 { *x } else { f64::NEG_INFINITY }).collect();
            constraints.push(Constraint { metric: "sinr".into(), limit: Limit::AtLeast(limits) });
        }
        let objective = match instance.target {
            Target::Point => "max_crlb_direction",
            Target::Extended => "max_crlb_response",
        };
        ProblemSpec::new(objective, constraints)
    }

    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        Some(simulation::factory(&self.system.instance, design))
    }

    fn signals(&self, design: &Design) -> Vec<Signal> {
        simulation::point_signals(&self.system.instance, design)
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
        let at_start =
            |beams| -> Arc<dyn Baseline> { Arc::new(baselines::AtStart { system: Arc::clone(&self.system), beams }) };
        vec![
            at_start(baselines::Beams::Any),
            at_start(baselines::Beams::ZeroForcing),
            Arc::new(baselines::SensingOnly(Arc::clone(&self.system))),
        ]
    }
}
