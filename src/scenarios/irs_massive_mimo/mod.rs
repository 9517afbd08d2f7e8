//! IRS-aided massive MIMO ISAC (paper 000): a base station serves users by maximum-ratio transmission over composite
//! channels with a reflecting surface, and finds a target by its echoes. The design is the surface's phases, chosen by
//! statistics alone.

mod baselines;
mod bound;
mod channels;
mod config;
mod correlation;
mod echo;
mod feasibility;
mod figures;
mod fit;
mod gain;
mod general;
mod general_gradient;
mod gradient;
mod instance;
mod linearised;
mod metrics;
mod offers;
mod parity;
mod planar;
mod planar_sums;
mod rank_one;
mod relaxation;
mod scalars;
mod scans;
mod simulation;
mod system;
mod toeplitz;
mod verification;
mod weighted_users;

pub use channels::Channels;
pub use config::IrsMassiveMimoConfig;
pub use correlation::{Correlation, Lags};
pub use echo::{Echo, Needed};
pub use figures::{Figures, Traces};
pub use gain::Gains;
pub use instance::{Angles, Instance, Measured};
pub use planar::{Direction, PlanarArray, SteeringConvention};
pub use scalars::Scalars;
pub use system::{General, RankOne, Statistics, System};
pub use toeplitz::Toeplitz;

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::design::{Block, Design, DesignSpace, Domain};
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Baseline, Named, SystemModel, Workspace};
use crate::problem::{Constraint, ProblemSpec};
use crate::radio::music::Echoes;
use crate::simulation::SimulationFactory;
use crate::structure::{Proof, Structure};

/// The IRS-aided massive MIMO system model.
pub struct IrsMassiveMimo {
    system: Arc<System>,
    known: Arc<offers::Known>,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl IrsMassiveMimo {
    /// The model of a drawn system.
    ///
    /// # Errors
    /// Where the statistics of the base station cannot be computed.
    pub fn new(instance: Instance) -> Result<Self> {
        let (elements, users) = (instance.irs_array.len(), instance.users());
        let phase = Block::new("irs_phase", &[elements], Domain::Phase, 1.0, "theta_n: phase of each IRS element");
        let system = Arc::new(System::new(instance)?);
        Ok(Self {
            known: Arc::new(offers::Known::new(Arc::clone(&system))),
            system,
            space: DesignSpace::new(vec![phase]),
            metrics: metrics::infos(users),
        })
    }

    /// The drawn system.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }
}

impl SystemModel for IrsMassiveMimo {
    fn scenario(&self) -> &str {
        "irs_massive_mimo"
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
        let scratch = work.judging::<metrics::Scratch>(design, self.system.elements())?;
        metrics::evaluate(&self.known, design, wanted, scratch, out)
    }

    fn default_problem(&self) -> ProblemSpec {
        let limit = self.system.instance.sensing_gain_limit;
        let constraints = if limit > 0.0 { vec![Constraint::at_least("sensing_gain", limit)] } else { Vec::new() };
        ProblemSpec::new("min_average_channel_gain", constraints)
    }

    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        simulation::RawChannels::new(&self.system, design).ok().map(simulation::RawChannels::factory)
    }

    fn echoes(&self, design: &Design) -> Option<Echoes> {
        let (system, phases) = (Arc::clone(&self.system), design.to_vec());
        let scans = scans::scans(&system, &phases);
        let antennas = system.steering.len();
        // Square roots of covariances are found once, and only where snapshots are drawn.
        let source = OnceLock::new();
        let snapshots = move |draws: &mut RandomStream| {
            let source = source.get_or_init(|| simulation::EchoSource::new(&system, &phases));
            source.as_ref().map(|source| source.draw(draws)).map_err(|reason| Error::Numerical(reason.to_string()))
        };
        Some(Echoes { antennas, snapshots: Box::new(snapshots), scans })
    }

    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        offers::structure(&self.known, problem)
    }

    fn verify(&self, problem: &ProblemSpec, _design: &Design, certificate: &Value) -> Option<Result<Proof>> {
        verification::verify(&self.system, problem, certificate)
    }

    fn starts(&self) -> Vec<Named> {
        baselines::STARTS.to_vec()
    }

    fn start(&self, name: &str) -> Option<Result<Design>> {
        baselines::start(&self.known, name)
    }

    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        vec![
            Arc::new(baselines::SensingAligned(Arc::clone(&self.known))),
            Arc::new(baselines::RandomPhases(Arc::clone(&self.known))),
        ]
    }
}
