//! IRS-aided non-orthogonal ISAC (paper 002): a base station sends symbols over a distributed passive IRS with discrete
//! phases to a blind-zone user, who decodes them and estimates from where they arrive.
//!
//! A design is the phase level of each element, and the base station's beam. All metrics depend on the phases through
//! three inner products ([`Inner`]), and on the beam through `|a_B^H w|^2`, which the matched beam (41) makes largest
//! for every metric: the problem holds it fixed.

mod baselines;
mod bound;
mod config;
mod estimation;
mod information;
mod instance;
mod metrics;
mod offers;
pub mod position;
mod rows;
mod search;
pub mod signal;
mod task;
mod tree;

pub use bound::largest_gain;
pub use config::IrsNoIsacConfig;
pub use information::{Bounds, Inner, Observation, Symmetric, Unknowns, coefficients};
pub use instance::{Angles, Array, Instance, Path, Positions, Symbols};
pub use position::Position;

use std::sync::Arc;

use num_complex::Complex;
use serde_json::Value;

use crate::design::{Block, Design, DesignSpace, Domain};
use crate::error::{Error, Result};
use crate::metric::{MetricInfo, MetricSet, MetricValues};
use crate::model::{Baseline, Named, SystemModel, Workspace};
use crate::problem::ProblemSpec;
use crate::radio::Signal;
use crate::simulation::SimulationFactory;
use crate::structure::Structure;

/// A design's beam may exceed the power budget by this, relative.
const POWER_SLACK: f64 = 1e-9;

/// A drawn system with all that is computed from it once.
#[derive(Clone, Debug, PartialEq)]
pub struct System {
    /// The drawn numbers.
    pub instance: Instance,
    /// The first time block.
    pub observation: Observation,
    /// `c_l` of the first time block.
    pub coefficients: Vec<Complex<f64>>,
    /// The 2^b phasors.
    pub phasors: Vec<Complex<f64>>,
    /// Both time blocks, where all positions are known.
    pub position: Option<Position>,
}

impl System {
    /// Computes the coefficients of a drawn system; `O(L + T + 2^b)`.
    pub fn new(instance: Instance) -> Self {
        let levels = instance.levels();
        let phasor = |level: usize| match 4 * level % levels {
            // Exact quarter turns: designs whose inner products cancel must do so exactly.
            0 => [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)].map(|(re, im)| Complex::new(re, im))
                [4 * level / levels],
            _ => Complex::cis(std::f64::consts::TAU * level as f64 / levels as f64),
        };
        Self {
            observation: Observation::new(&instance, &instance.path),
            coefficients: coefficients(instance.irs, &instance.path.angles),
            phasors: (0..levels).map(phasor).collect(),
            position: Position::of(&instance),
            instance,
        }
    }

    /// The inner products of phase levels; `O(L)`.
    pub fn inner(&self, levels: &[f64]) -> Inner {
        self.inner_of(&self.coefficients, levels)
    }

    /// The same for another block's coefficients.
    pub fn inner_of(&self, coefficients: &[Complex<f64>], levels: &[f64]) -> Inner {
        let mut inner = Inner::default();
        let columns = self.instance.irs.vertical;
        for (y, (row, c)) in levels.chunks(columns).zip(coefficients.chunks(columns)).enumerate() {
            let (mut sum, mut moment) = (Complex::default(), Complex::default());
            for (z, (level, c)) in row.iter().zip(c).enumerate() {
                let factor = c * self.phasors[*level as usize];
                sum += factor;
                moment += factor * z as f64;
            }
            inner.gain += sum;
            inner.y += sum * y as f64;
            inner.z += moment;
        }
        inner
    }

    /// `|a_B^H w|^2` of an interleaved beam.
    pub fn beam_gain(&self, beam: &[f64]) -> f64 {
        let pairs = self.instance.base_station_response.iter().zip(beam.chunks_exact(2));
        pairs.map(|(a, w)| a.conj() * Complex::new(w[0], w[1])).sum::<Complex<f64>>().norm_sqr()
    }
}

/// The model.
pub struct IrsNoIsac {
    system: Arc<System>,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
}

impl IrsNoIsac {
    /// The model of a drawn system.
    pub fn new(instance: Instance) -> Self {
        let (elements, antennas) = (instance.irs.len(), instance.base_station_response.len());
        let levels = Domain::Level { levels: instance.levels() as u32 };
        let each = (instance.transmit_power / antennas as f64).sqrt();
        let scale = if each > 0.0 { each } else { 1.0 };
        let beam = Block::new(
            "beamformer",
            &[antennas],
            Domain::Complex,
            scale,
            "w: the beam; the matched one (41) if absent",
        );
        let space = DesignSpace::new(vec![
            Block::new("phase_level", &[elements], levels, 1.0, "level k of each element: the phase 2 pi k / 2^b"),
            Block { derived: true, ..beam },
        ]);
        let system = System::new(instance);
        let metrics = metrics::infos(system.position.is_some());
        Self { system: Arc::new(system), space, metrics }
    }

    /// The drawn system.
    pub fn system(&self) -> &Arc<System> {
        &self.system
    }

    /// The phase levels and the beam of a design of this space.
    fn parts<'a>(&self, design: &'a Design) -> Option<(&'a [f64], &'a [f64])> {
        (design.len() == self.space.len()).then(|| design.split_at(self.system.coefficients.len()))
    }
}

impl SystemModel for IrsNoIsac {
    fn scenario(&self) -> &str {
        "irs_no_isac"
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

    fn evaluate(
        &self,
        design: &Design,
        wanted: MetricSet,
        _work: &mut Workspace,
        out: &mut MetricValues,
    ) -> Result<()> {
        if design.len() != self.space.len() {
            return Err(Error::Numerical("evaluate: a design of another space".into()));
        }
        let (levels, beam) = design.split_at(self.system.coefficients.len());
        let top = self.system.phasors.len() as f64;
        if let Some(level) = levels.iter().find(|level| !(0.0..top).contains(*level)) {
            return Err(Error::Numerical(format!("evaluate: a phase level of {level}")));
        }
        metrics::evaluate(&self.system, levels, self.system.beam_gain(beam), wanted, out);
        Ok(())
    }

    fn complete(&self, design: &mut Design, absent: &[usize]) -> Result<()> {
        let beam = self.space.range(1);
        if absent.contains(&1) {
            design[beam].copy_from_slice(&self.system.instance.matched_beam());
            return Ok(());
        }
        let power: f64 = design[beam].iter().map(|x| x * x).sum();
        let budget = self.system.instance.transmit_power;
        if power > budget * (1.0 + POWER_SLACK) {
            let allowed = format!("at most transmit_power = {budget}");
            return Err(instance::block_mistake("beamformer", format!("a beam of power {power}"), allowed));
        }
        Ok(())
    }

    /// (42), (43): the modified CRLB over the phases. The beam is the matched one, which is optimal whatever the
    /// phases and the metric.
    fn default_problem(&self) -> ProblemSpec {
        let mut problem = ProblemSpec::new("modified_crlb", Vec::new());
        problem.fixed.insert("beamformer".into(), self.system.instance.matched_beam());
        problem
    }

    fn structure(self: Arc<Self>, problem: &ProblemSpec) -> Structure {
        offers::structure(&self.system, problem)
    }

    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        vec![Arc::new(baselines::RandomPhases(Arc::clone(&self.system)))]
    }

    fn simulation(&self, design: &Design) -> Option<SimulationFactory> {
        let (levels, beam) = self.parts(design)?;
        Some(signal::simulation(&self.system.instance, levels, beam))
    }

    fn estimators(&self) -> Vec<Named> {
        let positioned = self.system.position.is_some();
        estimation::ESTIMATORS.iter().filter(|e| positioned || e.name != "triangulation").copied().collect()
    }

    fn estimator(&self, name: &str, design: &Design) -> Option<SimulationFactory> {
        let (levels, beam) = self.parts(design)?;
        estimation::estimator(&self.system, name, levels, beam)
    }

    fn signals(&self, design: &Design) -> Vec<Signal> {
        match self.parts(design) {
            Some((levels, beam)) => signal::signals(&self.system.instance, levels, beam),
            None => Vec::new(),
        }
    }
}
