//! Results held against their system without the solver: the design is judged anew, and what is proven must follow
//! from the certificate's numbers by an argument of the model's own ([`SystemModel::verify`]).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::instance::found;
use crate::metric::number_from_json;
use crate::model::SystemModel;
use crate::problem::{Evaluation, Problem};
use crate::structure::Proof;

/// Figures of a design must come out again to this, relative to them.
pub const REPRODUCED: f64 = 1e-6;

/// A bound may be better than what its certificate proves by this, relative to it: rounding.
pub const ROUNDING: f64 = 1e-7;

/// The gap that `optimal` allows.
const CLOSED: f64 = 1e-6;

/// What a result says: an answer of `solve`, or a record of an experiment.
#[derive(Clone, Debug)]
pub struct Claim {
    /// How the run ended.
    pub status: String,
    /// The objective's name.
    pub metric: String,
    /// Its value; NaN where there is no design.
    pub objective: f64,
    /// A proven bound, where one is claimed.
    pub bound: Option<f64>,
    /// Whether that bound holds only for a restriction of the problem.
    pub restricted: bool,
    /// The distance of the two.
    pub gap: Option<f64>,
    /// Whether the design holds all limits.
    pub feasible: bool,
    /// By how much it misses them.
    pub violation: f64,
    /// The design, where there is one.
    pub design: Option<Value>,
    /// Its metrics.
    pub metrics: Map<String, Value>,
    /// What proves the bound or the infeasibility.
    pub certificate: Option<Value>,
}

impl Claim {
    /// Reads a result. Errors name the key.
    pub fn from_json(value: &Value) -> Result<Self> {
        let mistake = |key: &str, at: &Value, allowed: &str| Error::from(InputError::new(key, found(at), allowed));
        if !value.is_object() {
            return Err(mistake("", value, "a result: an answer of `solve --json`, or a line of results.jsonl"));
        }
        let text = |key: &str, at: &Value| match at.as_str() {
            Some(text) => Ok(text.to_string()),
            None => Err(mistake(key, at, "a text")),
        };
        let number = |key: &str, at: &Value| match at {
            Value::Null => Ok(None),
            // `.npz` and `.mat` files hold a single undefined number so.
            Value::Array(items) if items.len() == 1 && items[0].is_null() => Ok(Some(f64::NAN)),
            other => number_from_json(other).map(Some).ok_or_else(|| mistake(key, at, "a number")),
        };
        let objective = &value["objective"];
        let whole = |at: &Value| Some(at.clone()).filter(|v| !v.is_null());
        Ok(Self {
            status: text("status", &value["status"])?,
            metric: text("objective.metric", &objective["metric"])?,
            objective: number("objective.value", &objective["value"])?.unwrap_or(f64::NAN),
            bound: number("bound", &value["bound"])?,
            restricted: !value["bound_scope"].is_null(),
            gap: number("gap", &value["gap"])?,
            feasible: match &value["feasible"] {
                Value::Bool(feasible) => *feasible,
                other => return Err(mistake("feasible", other, "true or false")),
            },
            violation: number("violation", &value["violation"])?.unwrap_or(f64::NAN),
            design: whole(&value["design"]),
            metrics: value["metrics"].as_object().cloned().unwrap_or_default(),
            certificate: whole(&value["certificate"]),
        })
    }
}

/// Checks a claim against a problem. Gives what was found to hold, in sentences; [`Error::CheckFailed`] says what does
/// not.
pub fn verify(problem: &Arc<Problem>, claim: &Claim) -> Result<Vec<String>> {
    let mut holds = Vec::new();
    let design = match &claim.design {
        Some(value) => {
            let read = problem.model().read_design(value, "design");
            let design = read.map_err(|e| refusal(format!("the design does not fit the instance: {e}")))?;
            let evaluation = judge(problem, claim, &design, &mut holds)?;
            Some((design, evaluation))
        }
        None if claim.feasible || claim.bound.is_some() || !claim.objective.is_nan() => {
            return Err(refusal("it claims figures without a design"));
        }
        None => None,
    };
    let nothing = Design::zeros(problem.model().space());
    let at = design.as_ref().map_or(&nothing, |(design, _)| design);
    match claim.status.as_str() {
        "infeasible" => {
            if claim.bound.is_some() {
                return Err(refusal("it claims a bound for a problem that it calls infeasible"));
            }
            match proof(problem, claim, at)? {
                Proof::Infeasible => holds.push("the certificate proves that there is no feasible design".into()),
                Proof::Bound(_) => return Err(refusal("the certificate proves a bound, not infeasibility")),
            }
        }
        status => {
            let evaluation = design.as_ref().map(|(_, evaluation)| evaluation);
            bounded(problem, claim, at, status == "optimal", evaluation, &mut holds)?;
        }
    }
    if holds.is_empty() {
        holds.push("nothing is claimed".into());
    }
    Ok(holds)
}

fn refusal(why: impl Into<String>) -> Error {
    Error::CheckFailed(format!("not verified: {}", why.into()))
}

/// Judges the design anew: objective, feasibility, violation and all metrics must come out as claimed.
fn judge(problem: &Arc<Problem>, claim: &Claim, design: &Design, holds: &mut Vec<String>) -> Result<Evaluation> {
    let mut judge = problem.evaluator();
    let evaluation = judge.evaluate(design)?;
    let Evaluation { objective, violation } = evaluation;
    if !same(objective, claim.objective) {
        let found = format!("the design has {} = {objective}, not {}", claim.metric, claim.objective);
        return Err(refusal(found));
    }
    // Rounding may put a design at a limit a little beyond it.
    if !(same(violation, claim.violation) || (violation - claim.violation).abs() <= 1e-9) {
        return Err(refusal(format!("the design misses its limits by {violation:e}, not {:e}", claim.violation)));
    }
    if evaluation.feasible() != claim.feasible {
        let is = if evaluation.feasible() { "feasible" } else { "infeasible" };
        return Err(refusal(format!("the design is {is}: it misses its limits by {violation:e}")));
    }
    let model = Arc::clone(problem.model());
    let values = judge.metrics(design)?;
    for (name, claimed) in &claim.metrics {
        let index = model.metrics().iter().position(|m| m.id == *name);
        let index = index.ok_or_else(|| refusal(format!("the system has no metric `{name}`")))?;
        let mut entries = Vec::new();
        flatten(&claimed["value"], &mut entries);
        let own = values.get(index);
        if own.len() != entries.len() || !own.iter().zip(&entries).all(|(a, b)| same(*a, *b)) {
            return Err(refusal(format!("the design has another `{name}` than is claimed")));
        }
    }
    let feasible = if claim.feasible { "feasible" } else { "infeasible" };
    holds.push(format!("the design has {} = {objective} and is {feasible}, judged anew", claim.metric));
    Ok(evaluation)
}

/// Checks what is claimed of a bound and of optimality.
fn bounded(
    problem: &Arc<Problem>,
    claim: &Claim,
    design: &Design,
    optimal: bool,
    evaluation: Option<&Evaluation>,
    holds: &mut Vec<String>,
) -> Result<()> {
    if claim.bound.is_none() && !optimal {
        if claim.gap.is_some() {
            return Err(refusal("it claims a gap without a bound"));
        }
        return Ok(());
    }
    if claim.restricted {
        return Err(refusal("its bound holds only with some blocks fixed, which the result does not name"));
    }
    let proven = match proof(problem, claim, design)? {
        Proof::Bound(proven) => proven,
        Proof::Infeasible => return Err(refusal("the certificate proves infeasibility, not a bound")),
    };
    let sign = problem.direction().sign();
    if let Some(bound) = claim.bound {
        let slack = ROUNDING * bound.abs().max(proven.abs()).max(1e-12);
        if !(sign * bound >= sign * proven - slack) {
            return Err(refusal(format!("the certificate proves the bound {proven}, not {bound}")));
        }
        holds.push(format!("the certificate proves the bound {bound}"));
        match (claim.gap, evaluation) {
            (Some(gap), Some(evaluation)) => {
                let own = problem.gap(evaluation.objective, bound);
                if !(same(gap, own) || (gap - own).abs() <= 1e-9) {
                    return Err(refusal(format!("the gap is {own:e}, not {gap:e}")));
                }
            }
            (Some(_), None) => return Err(refusal("it claims a gap without a design")),
            (None, _) => {}
        }
    }
    if optimal {
        let gap = evaluation.filter(|e| e.feasible()).map(|e| problem.gap(e.objective, proven));
        match gap {
            Some(gap) if gap <= CLOSED => holds.push("the design is optimal: its gap to the bound is closed".into()),
            Some(gap) => return Err(refusal(format!("it is called optimal, but the gap is {gap:e}"))),
            None => return Err(refusal("it is called optimal without a feasible design")),
        }
    }
    Ok(())
}

fn proof(problem: &Problem, claim: &Claim, design: &Design) -> Result<Proof> {
    let Some(certificate) = &claim.certificate else {
        return Err(refusal("what it claims to be proven has no certificate"));
    };
    let model: &dyn SystemModel = problem.model().as_ref();
    match model.verify(problem.spec(), design, certificate) {
        None => Err(refusal(format!("`{}` has no check of such a certificate", model.scenario()))),
        Some(Ok(proof)) => Ok(proof),
        Some(Err(Error::CheckFailed(why))) => Err(refusal(why)),
        Some(Err(other)) => Err(refusal(format!("the certificate cannot be read: {other}"))),
    }
}

fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= REPRODUCED * a.abs().max(b.abs())
}

fn flatten(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        other => out.push(number_from_json(other).unwrap_or(f64::NAN)),
    }
}

/// The numbers of a certificate under a name; a single number counts as a list of one.
pub fn numbers(certificate: &Value, name: &str) -> Result<Vec<f64>> {
    let value = &certificate[name];
    let mistake = || InputError::new(format!("certificate.{name}"), found(value), "a list of numbers");
    if value.is_null() {
        return Err(mistake().into());
    }
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let numbers: Option<Vec<f64>> = items.iter().map(number_from_json).collect();
    Ok(numbers.ok_or_else(mistake)?)
}

/// The one number of a certificate under a name.
pub fn number(certificate: &Value, name: &str) -> Result<f64> {
    match numbers(certificate, name)?[..] {
        [x] => Ok(x),
        _ => Err(InputError::new(format!("certificate.{name}"), "several numbers", "one number").into()),
    }
}
