//! The paper's starts and comparison schemes (paper 001, section V-A): equal power control coefficients `gamma_k`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::System;
use super::feasibility::Region;
use super::limits::Limits;
use crate::design::Design;
use crate::error::{InputError, Result};
use crate::model::{Baseline, Named};
use crate::problem::{Limit, ProblemSpec};

/// The named starts.
pub(super) const STARTS: [Named; 2] = [
    Named {
        name: "smallest_sensing_power",
        description: "p0*: the smallest feasible sensing power (the least-violating one where there is none), equal gamma_k",
    },
    Named { name: "half", description: "p0 = 1/2: half of the budget to sensing, equal gamma_k" },
];

/// A start by name, under the instance's own limits.
pub(super) fn start(system: &System, name: &str, problem: &ProblemSpec) -> Option<Design> {
    match name {
        "smallest_sensing_power" => Some(equal_communication(system, problem)),
        "half" => Some(with_share(system, budget(system, problem), 0.5)),
        _ => None,
    }
}

/// The power limit of a problem, or else the instance's budget.
fn budget(system: &System, problem: &ProblemSpec) -> f64 {
    let limit = problem.scalar_limit("transmit_power", true);
    limit.filter(|p| p.is_finite() && *p >= 0.0).unwrap_or(system.instance.transmit_power)
}

/// Equal `gamma_k`, all power, a share of it for sensing.
fn with_share(system: &System, power: f64, share: f64) -> Design {
    let users = system.users.users();
    let mut design = Design::new(vec![0.0; users + 1]);
    system.users.equal_coefficients((1.0 - share) * power, &mut design[..users]);
    design[users] = share * power;
    design
}

/// Equal `gamma_k`, all power, the smallest sensing power that meets the CRLB limits, or the least-violating one.
fn equal_communication(system: &System, problem: &ProblemSpec) -> Design {
    let mut limits = Limits { power: budget(system, problem), crlb: [f64::INFINITY; 2], sinr: Vec::new() };
    for constraint in &problem.constraints {
        let angle = ["crlb_azimuth", "crlb_elevation"].iter().position(|id| *id == constraint.metric);
        if let (Some(angle), Limit::AtMost(values)) = (angle, &constraint.limit) {
            limits.crlb[angle] = values.iter().copied().fold(limits.crlb[angle], f64::min);
        }
    }
    let sensing = match system.region(&limits) {
        Region::Feasible { least, .. } => least,
        Region::Infeasible(miss) => miss.sensing,
    };
    let mut design = Design::new(vec![0.0; system.users.users() + 1]);
    system.spread(&limits, sensing, &mut design);
    design
}

/// The paper's EqualCom: the split is optimised, the users' `gamma_k` are equal. By the same argument as for the
/// optimum the best split is the smallest feasible sensing power.
pub(super) struct EqualCommunication(pub Arc<System>);

impl Baseline for EqualCommunication {
    fn named(&self) -> Named {
        Named {
            name: "equal_communication",
            description: "EqualCom: equal gamma_k, the smallest sensing power that meets the CRLB limits",
        }
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        read_share(parameters, &[])?;
        Ok(equal_communication(&self.0, problem))
    }
}

/// The paper's EqualC&S (23): a fixed share of the power for sensing, the users' `gamma_k` equal.
pub(super) struct EqualPower(pub Arc<System>);

impl Baseline for EqualPower {
    fn named(&self) -> Named {
        Named {
            name: "equal_power",
            description: "EqualC&S (23): a fixed share of the power for sensing, equal gamma_k",
        }
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "sensing_share": {
                    "type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5,
                    "description": "Share of the power budget for sensing, 0 to 1."
                }
            },
            "additionalProperties": false
        })
    }

    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        let share = read_share(parameters, &["sensing_share"])?.unwrap_or(0.5);
        Ok(with_share(&self.0, budget(&self.0, problem), share))
    }
}

/// The only parameter that a baseline here may have.
fn read_share(parameters: &Value, known: &[&str]) -> Result<Option<f64>> {
    let Some(object) = parameters.as_object() else {
        return match parameters {
            Value::Null => Ok(None),
            other => Err(InputError::new("", crate::instance::found(other), "a table of parameters").into()),
        };
    };
    if let Some(unknown) = object.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(InputError::unknown(unknown.as_str(), unknown, known.iter().copied()).into());
    }
    match object.get("sensing_share") {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(share) if (0.0..=1.0).contains(&share) => Ok(Some(share)),
            _ => Err(InputError::new("sensing_share", crate::instance::found(value), "a number from 0 to 1").into()),
        },
    }
}
