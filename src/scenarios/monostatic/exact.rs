//! The global optimum of the four rate utilities under a power budget, CRLB limits and (without pilot reuse) rate
//! floors.
//!
//! 1. Full power is optimal: scaling all powers by t > 1 raises every SINR and divides both CRLBs by t.
//! 2. At full power, with the users' shares of `S = P - q` fixed, every SINR falls in q, while the CRLBs depend on q
//!    only: the smallest feasible q is optimal, for any utility, precoder and contamination.
//! 3. There, `SINR_k = p_k / (n_k + coherent interference)` with known `n_k`: [`super::users`], [`super::reuse`].
//!
//! The bound is the value of the dual function of step 3.

use std::sync::Arc;

use super::System;
use super::feasibility::Region;
use super::limits::{Limits, Utility};
use super::reuse;
use super::users::{self, Candidate, Dual};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::structure::{Bound, Certificate, Exact, ExactOutcome, ProvenBound, Refusal};

/// Finds the optimum of a utility under limits; `O(K log K)` but for `sum_log_rate` and the weighted sum rate under
/// pilot reuse.
pub fn optimum(system: &System, utility: Utility, limits: &Limits, out: &mut Design) -> ExactOutcome {
    match system.region(limits) {
        Region::Infeasible(miss) => {
            system.write_miss(limits, &miss, out);
            ExactOutcome::Infeasible { certificate: miss.certificate() }
        }
        Region::Feasible { least, .. } => {
            let users = system.users.users();
            let communication = limits.power - least;
            let noise: Vec<f64> = (0..users).map(|k| system.noise(k, communication, least)).collect();
            let dual = allocate(system, utility, limits, &noise, communication, &mut out[..users]);
            out[users] = least;
            let bound = in_bits(system, utility, dual.bound);
            let certificate = certificate(least, noise, dual, bound, system.tangent(utility, &out[..users]));
            ExactOutcome::Optimal { bound, certificate }
        }
    }
}

/// A bound on the optimum, also where the optimum itself would take too long; none where there is no feasible design.
pub fn bound(system: &System, utility: Utility, limits: &Limits) -> Option<ProvenBound> {
    let Region::Feasible { least, .. } = system.region(limits) else { return None };
    let users = system.users.users();
    let communication = limits.power - least;
    let noise: Vec<f64> = (0..users).map(|k| system.noise(k, communication, least)).collect();
    let mut power = vec![0.0; users];
    let dual = match solvable(system, utility) {
        Ok(()) => allocate(system, utility, limits, &noise, communication, &mut power),
        Err(_) => reuse::weighted_sum_rate_bound(&system.users.groups, &noise, |k| system.weight(k), communication),
    };
    let value = in_bits(system, utility, dual.bound);
    let certificate = certificate(least, noise, dual, value, system.tangent(utility, &power));
    Some(ProvenBound { value, certificate })
}

/// Whether [`optimum`] is done in bearable time.
pub(super) fn solvable(system: &System, utility: Utility) -> Result<(), Refusal> {
    let groups = &system.users.groups;
    if utility != Utility::WeightedSumRate || !groups.reused() {
        return Ok(());
    }
    let count = reuse::assignments(groups, |k| system.weight(k));
    if count <= reuse::MOST_ASSIGNMENTS {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "there are {count:.0} ways to serve one user a pilot, above {:.0}; `sum_rate` has no such limit",
        reuse::MOST_ASSIGNMENTS
    )))
}

fn allocate(system: &System, utility: Utility, limits: &Limits, noise: &[f64], total: f64, power: &mut [f64]) -> Dual {
    let groups = &system.users.groups;
    if groups.reused() {
        return match utility {
            Utility::SumRate => {
                let mut candidates = Vec::with_capacity(groups.len());
                reuse::least_noisy(groups, noise, &mut candidates);
                power.fill(0.0);
                users::water_filling(&mut candidates, total, power)
            }
            Utility::WeightedSumRate => reuse::weighted_sum_rate(groups, noise, |k| system.weight(k), total, power),
            Utility::MinRate => reuse::equal_rates(groups, noise, total, power),
            Utility::SumLogRate => reuse::proportional(groups, noise, total, power),
        };
    }
    let candidate = |(user, noise): (usize, &f64)| Candidate {
        user,
        noise: *noise,
        weight: if utility == Utility::WeightedSumRate { system.weight(user) } else { 1.0 },
        floor: limits.sinr.get(user).map_or(0.0, |sinr| sinr * noise),
    };
    let mut candidates: Vec<Candidate> = noise.iter().enumerate().map(candidate).collect();
    match utility {
        Utility::SumRate | Utility::WeightedSumRate => users::water_filling(&mut candidates, total, power),
        Utility::MinRate => users::equal_rates(&mut candidates, total, power),
        Utility::SumLogRate => users::proportional(&candidates, total, power),
    }
}

/// A utility of `ln(1 + SINR)` as one of rates.
fn in_bits(system: &System, utility: Utility, nats: f64) -> f64 {
    match utility {
        Utility::SumLogRate => nats + system.users.users() as f64 * system.users.bits(1.0).ln(),
        _ => system.users.bits(nats),
    }
}

fn certificate(sensing: f64, noise: Vec<f64>, dual: Dual, bound: f64, tangent: Option<Vec<f64>>) -> Certificate {
    let mut values = vec![
        ("sensing_power", vec![sensing]),
        ("noise_over_gain", noise),
        ("power_price", vec![dual.price]),
        ("bound", vec![bound]),
    ];
    values.extend(tangent.map(|power| ("communication_power", power)));
    Certificate { kind: "dual", values }
}

impl System {
    /// The powers whose tangent bounds the utility, where that is the argument: see [`reuse::proportional`].
    fn tangent(&self, utility: Utility, power: &[f64]) -> Option<Vec<f64>> {
        (utility == Utility::SumLogRate && self.users.groups.reused()).then(|| power.to_vec())
    }
}

/// The offer of [`Exact`] and of [`Bound`].
pub(super) struct Optimum {
    pub system: Arc<System>,
    pub utility: Utility,
    pub limits: Limits,
}

impl Exact for Optimum {
    fn solve(&mut self, out: &mut Design) -> Result<ExactOutcome> {
        if out.len() != self.system.users.users() + 1 {
            return Err(Error::Numerical("exact: a design of another space".into()));
        }
        Ok(optimum(&self.system, self.utility, &self.limits, out))
    }
}

impl Bound for Optimum {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        Ok(bound(&self.system, self.utility, &self.limits))
    }
}
