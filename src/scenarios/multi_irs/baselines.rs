//! The paper's comparison schemes (section VI): transmit beamforming only, zero forcing, sensing only.

use std::sync::Arc;

use serde_json::Value;

use super::aim::{Aim, Free, Goal};
use super::heard::{Heard, Matrix};
use super::instance::Target;
use super::joint;
use super::offers::Whole;
use super::system::{C, System};
use super::transmit::{Outcome, Transmit};
use super::transmit_offer::zero_forcing;
use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::math::{Descent, RandomStream};
use crate::model::{Baseline, Named, Reported};
use crate::problem::{Problem, ProblemSpec};

/// The named starts.
pub(super) const STARTS: [Named; 2] = [
    Named {
        name: "spectral",
        description: "phases toward the best rank-one covariance of the closed-form bound, with the best beams for them",
    },
    Named { name: "random_phases", description: "random phases (always the same ones), with the best beams for them" },
];

/// Iterations of the sensing-only search.
const SENSING_STEPS: usize = 60;

/// The scheme's name in errors.
fn refused(solver: &str, reason: String) -> Error {
    Error::Refused { solver: solver.into(), reason }
}

fn read(problem: &ProblemSpec, system: &System, solver: &str, parameters: &Value) -> Result<Aim> {
    if let Some(unknown) = parameters.as_object().and_then(|o| o.keys().next()) {
        return Err(InputError::unknown(unknown.as_str(), unknown, []).into());
    }
    Aim::of(problem, system).map_err(|why| refused(solver, why.to_string()))
}

/// The phases of a start or those that the problem fixes; random ones without either.
fn phases(system: &System, aim: &Aim, start: Option<&Design>, random: &mut RandomStream) -> Vec<f64> {
    let count = system.offsets().0;
    match (&aim.free, start) {
        (Free::Transmit(phases), _) => phases.clone(),
        (_, Some(start)) if start.len() >= count => start[..count].to_vec(),
        _ => (0..count).map(|_| std::f64::consts::TAU * random.uniform()).collect(),
    }
}

fn target(aim: &Aim, system: &System) -> Target {
    match aim.goal {
        Goal::Bound(target) => target,
        Goal::Ratio => system.instance.target,
    }
}

fn reported(system: &System, phases: &[f64], best: &Transmit) -> Reported {
    let mut design = system.silent(phases);
    system.write(&best.beams, &best.covariance, &mut design);
    let gap = (best.value - best.bound).abs() / best.value.abs().max(1e-12);
    Reported { design, bound: Some(best.bound), optimal: gap <= 1e-6 }
}

/// What may be sent at the start's phases.
#[derive(Clone, Copy)]
pub(super) enum Beams {
    /// Anything: transmit beamforming only.
    Any,
    /// Zero-forcing directions, with the best powers and covariance.
    ZeroForcing,
}

/// The best transmit side at the phases of the start.
pub(super) struct AtStart {
    pub system: Arc<System>,
    pub beams: Beams,
}

impl Baseline for AtStart {
    fn named(&self) -> Named {
        match self.beams {
            Beams::Any => Named {
                name: "transmit_only",
                description: "the best beams at the start's phases; random phases without a start",
            },
            Beams::ZeroForcing => Named {
                name: "zero_forcing",
                description: "zero-forcing directions at the start's phases (random without a start), the best powers and R_0",
            },
        }
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        let mut random = RandomStream::keyed(0, "phases", "multi_irs", 0, 0);
        let aim = read(problem, &self.system, self.named().name, parameters)?;
        Ok(self.solve(&aim, None, &mut random)?.design)
    }

    fn run(
        &self,
        problem: &Problem,
        start: Option<&Design>,
        random: &mut RandomStream,
        parameters: &Value,
    ) -> Result<Reported> {
        let aim = read(problem.spec(), &self.system, self.named().name, parameters)?;
        self.solve(&aim, start, random)
    }
}

impl AtStart {
    fn solve(&self, aim: &Aim, start: Option<&Design>, random: &mut RandomStream) -> Result<Reported> {
        let system = &self.system;
        let phases = phases(system, aim, start, random);
        let heard = system.heard(&phases);
        let found = match self.beams {
            Beams::Any => match system.transmit(&heard, &aim.limits, target(aim, system)) {
                Outcome::Best(best) => Some(reported(system, &phases, &best)),
                Outcome::Infeasible | Outcome::Dark(_) | Outcome::Failed(_) => None,
            },
            Beams::ZeroForcing => {
                let directions = self.directions(&heard, aim)?;
                let best = system.transmit_along(&heard, &aim.limits, target(aim, system), &directions);
                // Its bound is that of beams in these directions: worth nothing to others.
                best.map(|best| Reported { bound: None, optimal: false, ..reported(system, &phases, &best) })
            }
        };
        Ok(found.unwrap_or_else(|| {
            let (design, _) = system.least_violating(&heard, &aim.limits, &phases);
            Reported { design, bound: None, optimal: false }
        }))
    }

    fn directions(&self, heard: &Heard, aim: &Aim) -> Result<Vec<Vec<C>>> {
        let users = aim.limits.sinr.iter().filter(|x| **x > 0.0).count();
        let antennas = self.system.instance.antennas;
        if users > antennas {
            let reason = format!("{users} users and {antennas} antennas; it needs as many antennas");
            return Err(refused("zero_forcing", reason));
        }
        zero_forcing(heard, &aim.limits)
            .ok_or_else(|| refused("zero_forcing", "the users' channels depend on each other at these phases".into()))
    }
}

/// The smallest largest CRB without any floor: phases and covariance.
pub(super) struct SensingOnly(pub Arc<System>);

impl Baseline for SensingOnly {
    fn named(&self) -> Named {
        Named { name: "sensing_only", description: "phases and covariance for the targets alone, no beams" }
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        let aim = read(problem, &self.0, "sensing_only", parameters)?;
        self.solve(&aim)
    }
}

impl SensingOnly {
    /// From the spectral start, which is within half a percent of the best known; descent from there.
    fn solve(&self, aim: &Aim) -> Result<Design> {
        let limits = aim.limits.sensing_only();
        let whole = Whole { system: Arc::clone(&self.0), limits: limits.clone() };
        let system = &self.0;
        let target = target(aim, system);
        let mut phases = match &aim.free {
            Free::Transmit(phases) => phases.clone(),
            _ => whole.spectral_phases(),
        };
        if target == Target::Point && aim.free == Free::All {
            let mut function = |x: &[f64], gradient: &mut [f64]| match system.value(x, &limits, gradient)? {
                joint::Value::Best(best) => {
                    gradient.iter_mut().for_each(|g| *g /= best.value);
                    Some(best.value.ln())
                }
                joint::Value::Infeasible(_) => None,
            };
            if let Some(mut descent) = Descent::new(phases.clone(), 10, 0.05, &mut function) {
                for _ in 0..SENSING_STEPS {
                    let before = descent.value;
                    if !descent.step(&mut function, &mut || false) || before - descent.value < 1e-9 {
                        break;
                    }
                }
                phases = descent.point;
            }
        }
        let mut design = system.silent(&phases);
        if target == Target::Extended
            && let Some(covariance) = super::extended::free_optimum(system, limits.power).and_then(|f| f.covariance)
        {
            let m = system.instance.antennas;
            system.write(&vec![vec![C::default(); m]; system.all_users()], &covariance, &mut design);
            return Ok(design);
        }
        match system.transmit(&system.heard(&phases), &limits, target) {
            Outcome::Best(best) => system.write(&best.beams, &best.covariance, &mut design),
            Outcome::Infeasible => {}
            Outcome::Dark(_) | Outcome::Failed(_) => {
                // No covariance has a finite bound: all directions alike.
                let m = system.instance.antennas;
                let each = C::new(limits.power / m as f64, 0.0);
                let covariance = Matrix::identity(m, m) * each;
                system.write(&vec![vec![C::default(); m]; system.all_users()], &covariance, &mut design);
            }
        }
        Ok(design)
    }
}

/// The starting design of a name.
pub(super) fn start(system: &Arc<System>, name: &str, problem: &ProblemSpec) -> Option<Result<Design>> {
    if !STARTS.iter().any(|start| start.name == name) {
        return None;
    }
    let aim = match Aim::of(problem, system) {
        Ok(aim) => aim,
        Err(why) => return Some(Err(refused("start", why.to_string()))),
    };
    let target = target(&aim, system);
    let whole = Whole { system: Arc::clone(system), limits: aim.limits.clone() };
    let phases = match name {
        "spectral" => whole.spectral_phases(),
        _ => phases(system, &aim, None, &mut RandomStream::keyed(0, "phases", "multi_irs", 0, 0)),
    };
    Some(whole.start(phases, target))
}
