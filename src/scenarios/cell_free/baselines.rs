//! The paper's comparison schemes (paper 004, section V): equal power factors.

use std::sync::Arc;

use serde_json::{Value, json};

use super::System;
use super::allocation::Allocation;
use super::limits::{Limits, Utility};
use super::majorizer::ClosedForm;
use super::metrics::column_sums;
use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::model::{Baseline, Named};
use crate::problem::ProblemSpec;
use crate::structure::{Feasible, Majorizer, Refusal};

/// The named starts.
pub(super) const STARTS: [Named; 1] = [Named {
    name: "least_sensing_power",
    description: "equal gamma_kl, and the least sensing power that the CRLB limits need (the least-violating design \
                  where they cannot be met)",
}];

/// A start by name, under the instance's own limits.
pub(super) fn start(system: &Arc<System>, name: &str, problem: &ProblemSpec) -> Option<Result<Design>> {
    if name != STARTS[0].name {
        return None;
    }
    let factory = super::offers::structure(system, problem).feasibility.ok()?;
    Some(factory().assess().map(|assessed| match assessed {
        Feasible::Yes(design) | Feasible::No { least_violating: design, .. } => design,
        Feasible::Unknown => equal(system, budget(system, problem), 0.3),
    }))
}

/// The schemes.
pub(super) fn all(system: &Arc<System>) -> Vec<Arc<dyn Baseline>> {
    vec![
        Arc::new(Heuristic(Arc::clone(system))),
        Arc::new(EqualPower(Arc::clone(system))),
        Arc::new(ContaminationUnaware(Arc::clone(system))),
    ]
}

/// The power limit of a problem, or else the instance's budget.
fn budget(system: &System, problem: &ProblemSpec) -> f64 {
    let limit = problem.scalar_limit("transmit_power", true);
    limit.filter(|p| p.is_finite() && *p >= 0.0).unwrap_or(system.instance.transmit_power)
}

/// All `gamma_kl` equal, all `eta_kl` equal, a share of the power for sensing.
fn equal(system: &System, power: f64, share: f64) -> Design {
    let variance = &system.users.estimate_variance;
    let each = (1.0 - share) * power / variance.iter().sum::<f64>();
    let beam = share * power / variance.len() as f64;
    Design::new(variance.iter().map(|xi| each * xi).chain(variance.iter().map(|_| beam)).collect())
}

/// The paper's start: equal factors, then each access point's sensing power raised until its CRLB limit holds, then
/// all communication power scaled down until the budget holds.
///
/// The paper leaves the last step out, and exceeds the budget near the edge of feasibility. Where no scaling helps the
/// raised design is given as it is.
struct Heuristic(Arc<System>);

impl Heuristic {
    fn make(&self, problem: &ProblemSpec, share: f64) -> Design {
        let system = &self.0;
        let power = budget(system, problem);
        let mut design = equal(system, power, share);
        let Ok(limits) = Limits::of(problem, system) else { return design };
        let allocation = Allocation::new(system, &limits);
        let access_points = allocation.sites.len();
        let half = design.len() / 2;
        let (streams, beams) = design.split_at_mut(half);
        let mut communication = vec![0.0; access_points];
        column_sums(streams, &mut communication);
        let first = share * power / access_points as f64;
        let factor = largest_factor(&allocation, &communication, first, power);
        for (l, site) in allocation.sites.iter().enumerate() {
            let raised = site.sensing(factor * communication[l]).max(first);
            if raised.is_finite() {
                let each = raised / (beams.len() / access_points) as f64;
                beams.chunks_exact_mut(access_points).for_each(|row| row[l] = each);
            }
        }
        streams.iter_mut().for_each(|p| *p *= factor);
        design
    }
}

/// The largest factor from 0 to 1 on the communication powers `c_l` with `sum_l t c_l + max(first, sensing_l(t c_l))` at
/// most the budget; 1 where there is none. The sum is convex and piecewise linear in the factor: it is followed down
/// from 1, kink by kink.
fn largest_factor(allocation: &Allocation, communication: &[f64], first: f64, budget: f64) -> f64 {
    let beam = |l: usize, t: f64| allocation.sites[l].sensing(t * communication[l]).max(first);
    let total = |t: f64| communication.iter().enumerate().map(|(l, c)| t * c + beam(l, t)).sum::<f64>();
    let mut value = total(1.0);
    if value <= budget * (1.0 + 1e-14) || !value.is_finite() {
        return 1.0;
    }
    let mut kinks: Vec<(f64, f64)> = Vec::new();
    let mut slope: f64 = communication.iter().sum();
    for (site, c) in allocation.sites.iter().zip(communication) {
        // Below the kink the beam grows by A c / B for each unit that the factor falls.
        let (kink, growth) = (
            (site.needed - site.by_sensing * first) / (site.by_communication * c),
            site.by_communication * c / site.by_sensing,
        );
        if kink >= 1.0 {
            slope -= growth;
        } else if kink > 0.0 {
            kinks.push((kink, growth));
        }
    }
    kinks.sort_by(|a, b| b.0.total_cmp(&a.0));
    kinks.push((0.0, 0.0));
    let mut factor = 1.0;
    for (kink, growth) in kinks {
        let below = value - slope * (factor - kink);
        if below <= budget {
            let root = factor - (value - budget) / slope;
            return root.clamp(kink, factor);
        }
        (factor, value) = (kink, below);
        slope -= growth;
        if slope <= 0.0 {
            break;
        }
    }
    1.0
}

impl Baseline for Heuristic {
    fn named(&self) -> Named {
        Named {
            name: "heuristic",
            description: "the paper's start: equal factors, sensing raised until the CRLB limits hold, communication \
                          scaled down to the budget",
        }
    }

    fn parameters(&self) -> Value {
        share_schema(0.3)
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        Ok(self.make(problem, read_share(parameters)?.unwrap_or(0.3)))
    }
}

/// Equal factors, a fixed share for sensing (paper 004, Fig. 1a).
struct EqualPower(Arc<System>);

impl Baseline for EqualPower {
    fn named(&self) -> Named {
        Named { name: "equal_power", description: "all gamma_kl equal, all eta_kl equal, a fixed share for sensing" }
    }

    fn parameters(&self) -> Value {
        share_schema(0.5)
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        let share = read_share(parameters)?.unwrap_or(0.5);
        Ok(equal(&self.0, budget(&self.0, problem), share))
    }
}

impl ClosedForm {
    /// That of a problem with a sum of rates and limits on powers and CRLBs of own illumination.
    fn of(system: &Arc<System>, problem: &ProblemSpec) -> Result<Self, Refusal> {
        let limits = Limits::of(problem, system)?.without_rates()?.own_only()?;
        match Utility::of(&problem.objective, system)? {
            Utility::Sum(weights) => Ok(Self::new(Arc::clone(system), weights, &limits)),
            _ => Err(Refusal::new("it is known for sums of rates")),
        }
    }
}

/// The best design for the rates as the paper prints them, (7): shared pilots count as if they were orthogonal.
struct ContaminationUnaware(Arc<System>);

/// Steps of the closed form, at most.
const STEPS: usize = 2000;

impl Baseline for ContaminationUnaware {
    fn named(&self) -> Named {
        Named {
            name: "contamination_unaware",
            description: "the best design for the printed rates (7), which have no coherent interference of shared pilots",
        }
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        if parameters.as_object().is_some_and(|p| !p.is_empty()) {
            return Err(InputError::new("", "parameters", "none").into());
        }
        let refuse = |why: Refusal| Error::Refused { solver: "contamination_unaware".into(), reason: why.to_string() };
        let printed = Arc::new(System { users: self.0.users.as_printed(), ..System::clone(&self.0) });
        let structure = super::offers::structure(&printed, problem);
        let mut judge = ClosedForm::of(&printed, problem).map_err(refuse)?;
        let mut feasibility = structure.feasibility.map_err(refuse)?();
        let mut design = match feasibility.assess()? {
            Feasible::Yes(design) => design,
            Feasible::No { least_violating: design, .. } => return Ok(design),
            Feasible::Unknown => return Err(refuse(Refusal::new("no feasible design is known"))),
        };
        let mut next = design.clone();
        let mut value = judge.value(&design);
        for _ in 0..STEPS {
            judge.maximize(&design, &mut next)?;
            let better = judge.value(&next);
            if better.is_nan() || better <= value * (1.0 + 1e-10) {
                break;
            }
            std::mem::swap(&mut design, &mut next);
            value = better;
        }
        Ok(design)
    }
}

fn share_schema(default: f64) -> Value {
    json!({
        "type": "object",
        "properties": {
            "sensing_share": {
                "type": "number", "minimum": 0.0, "maximum": 1.0, "default": default,
                "description": "Share of the power budget for sensing, 0 to 1."
            }
        },
        "additionalProperties": false
    })
}

/// The only parameter that a scheme here may have.
fn read_share(parameters: &Value) -> Result<Option<f64>> {
    let Some(object) = parameters.as_object() else {
        return match parameters {
            Value::Null => Ok(None),
            other => Err(InputError::new("", crate::instance::found(other), "a table of parameters").into()),
        };
    };
    if let Some(unknown) = object.keys().find(|k| *k != "sensing_share") {
        return Err(InputError::unknown(unknown.as_str(), unknown, ["sensing_share"]).into());
    }
    match object.get("sensing_share") {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(Some(share)),
            _ => Err(InputError::new("sensing_share", crate::instance::found(value), "a number from 0 to 1").into()),
        },
    }
}
