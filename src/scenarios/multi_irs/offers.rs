//! What the multi-IRS system offers for a problem beyond evaluation, and why not where it does not.

use std::sync::Arc;

use super::aim::{Aim, Free, Goal};
use super::extended::{self, Carved};
use super::heard::squared;
use super::instance::Target;
use super::joint::Value;
use super::reflect::AtTransmit;
use super::system::System;
use super::transmit::{Limits, Outcome};
use super::transmit_offer::{AtPhases, infeasibility};
use super::uplink::LeastPower;
use crate::design::Design;
use crate::error::{Error, Result};
use crate::math::{Descent, RandomStream};
use crate::problem::ProblemSpec;
use crate::structure::{
    Bound, Certificate, Eliminated, Elimination, Exact, ExactOutcome, Feasibility, Feasible, LevelSet, Lift, Offer,
    ProvenBound, Refusal, Structure,
};

/// The blocks of the group `transmit`.
const TRANSMIT: [usize; 2] = [1, 2];

/// Starts of the search for phases that support an extended target's covariance, beside the spectral one.
const RANDOM_STARTS: u64 = 6;

/// Descents on the least power stop here, in steps.
const LEAST_POWER_STEPS: usize = 100;

fn offer<T: ?Sized + 'static, A: Clone + Send + Sync + 'static>(
    data: A,
    make: impl Fn(A) -> Box<T> + Send + Sync + 'static,
) -> Offer<T> {
    Ok(Box::new(move || make(data.clone())))
}

/// The offers for a problem; nothing is computed before one is taken up.
pub(super) fn structure(system: &Arc<System>, problem: &ProblemSpec) -> Structure {
    let aim = match Aim::of(problem, system) {
        Ok(aim) => aim,
        Err(why) => return Structure::none(&why.0),
    };
    let system = Arc::clone(system);
    let Aim { goal, limits, free } = aim;
    let whole = Whole { system: Arc::clone(&system), limits: limits.clone() };
    match free {
        Free::All => {
            let point = goal == Goal::Bound(Target::Point);
            let extended = goal == Goal::Bound(Target::Extended);
            let square = system.instance.surfaces == 1 && system.instance.antennas >= system.instance.elements
                || system.instance.antennas == system.instance.elements;
            Structure {
                feasibility: offer(whole.clone(), |w| Box::new(w) as Box<dyn Feasibility>),
                bound: match goal {
                    Goal::Bound(Target::Point) => offer(whole.clone(), |w| Box::new(PointBound(w)) as Box<dyn Bound>),
                    Goal::Bound(Target::Extended) => {
                        offer(whole.clone(), |w| Box::new(ExtendedBound(w)) as Box<dyn Bound>)
                    }
                    Goal::Ratio => Err(Refusal::new("no bound on the SINRs over all phases and beams is known")),
                },
                blocks: Ok(vec!["transmit".into(), "irs_phase".into()]),
                elimination: if point {
                    offer(whole.clone(), |w| Box::new(Joint(w)) as Box<dyn Elimination>)
                } else if extended {
                    Err(Refusal::new("the CRB of an extended target does not depend on the phases"))
                } else {
                    Err(Refusal::new("beams of the best SINR ratio are not eliminated"))
                },
                exact: if extended && square {
                    offer(whole, |w| Box::new(ExtendedOptimum(w)) as Box<dyn Exact>)
                } else if extended {
                    Err(Refusal::new("a closed form needs as many antennas as elements, or a single IRS"))
                } else {
                    Err(Refusal::new("only extended targets have a closed form"))
                },
                ..Structure::none("the problem is not convex in beams and phases together")
            }
        }
        Free::Transmit(_) if goal == Goal::Ratio => {
            Structure::none("the smallest SINR ratio is optimised over the phases (fix beams and covariance)")
        }
        Free::Transmit(phases) => {
            let data = (system, limits, goal, phases);
            let make = |(system, limits, goal, phases): (Arc<System>, Limits, Goal, Vec<f64>)| {
                Box::new(AtPhases { system, limits, goal, phases, found: None })
            };
            Structure {
                feasibility: offer(data.clone(), move |d| make(d) as Box<dyn Feasibility>),
                exact: offer(data.clone(), move |d| make(d) as Box<dyn Exact>),
                lift: offer(data, move |d| make(d) as Box<dyn Lift>),
                ..Structure::none("the transmit side is solved exactly")
            }
        }
        Free::Phases { beams, covariance } => {
            let mut limits = limits;
            if goal == Goal::Ratio {
                // The ratio is taken by the instance's own limits.
                limits.sinr = system.instance.sinr_limit.clone().unwrap_or_else(|| vec![0.0; system.all_users()]);
            }
            let data = (system, goal, limits, beams, covariance);
            let make = |(system, goal, limits, beams, covariance): (Arc<System>, Goal, Limits, Vec<f64>, Vec<f64>)| {
                Box::new(AtTransmit::new(&system, goal, &limits, &beams, &covariance))
            };
            let limited = data.2.sinr.iter().any(|x| *x > 0.0);
            Structure {
                lift: if limited || goal == Goal::Bound(Target::Point) {
                    offer(data.clone(), move |d| make(d) as Box<dyn Lift>)
                } else {
                    Err(Refusal::new("without SINR limits nothing depends on the phases"))
                },
                level_set: if goal == Goal::Ratio && limited {
                    offer(data, move |d| make(d) as Box<dyn LevelSet>)
                } else {
                    Err(Refusal::new("levels are those of `min_sinr_ratio`, where there are SINR limits"))
                },
                ..Structure::none("the phases are relaxed")
            }
        }
    }
}

/// The whole problem.
#[derive(Clone)]
pub(super) struct Whole {
    pub system: Arc<System>,
    pub limits: Limits,
}

impl Whole {
    /// The spectral phases; those of value 0 where a target cannot be seen.
    pub fn spectral_phases(&self) -> Vec<f64> {
        let count = self.system.instance.surfaces * self.system.instance.elements;
        self.system.spectral(self.limits.power, self.limits.conic).map_or_else(|| vec![0.0; count], |s| s.phases)
    }

    /// Moves phases until the least power fits the budget; whether it does.
    pub fn make_feasible(&self, phases: &mut [f64]) -> bool {
        let mut function = |x: &[f64], gradient: &mut [f64]| {
            let heard = self.system.heard(x);
            gradient.fill(0.0);
            self.system.least_power_gradient(&heard, &self.limits, gradient).map(f64::ln)
        };
        let Some(mut descent) = Descent::new(phases.to_vec(), 8, 0.5, &mut function) else { return false };
        for _ in 0..LEAST_POWER_STEPS {
            // A little room, for the semidefinite program.
            if descent.value < -1e-3 || !descent.step(&mut function, &mut || false) {
                break;
            }
        }
        phases.copy_from_slice(&descent.point);
        descent.value < 0.0
    }

    /// The exact transmit side at given phases, moved to feasible ones where they are not.
    pub fn start(&self, mut phases: Vec<f64>, target: Target) -> Result<Design> {
        let mut outcome = self.system.transmit(&self.system.heard(&phases), &self.limits, target);
        if matches!(outcome, Outcome::Infeasible) && self.make_feasible(&mut phases) {
            outcome = self.system.transmit(&self.system.heard(&phases), &self.limits, target);
        }
        let mut design = self.system.silent(&phases);
        match outcome {
            Outcome::Best(best) => self.system.write(&best.beams, &best.covariance, &mut design),
            _ => design = self.system.least_violating(&self.system.heard(&phases), &self.limits, &phases).0,
        }
        Ok(design)
    }

    /// Uplink powers that prove, for all phases at once, that the budget is too small: a user alone, with every element in
    /// phase (`|g| <= sum_n |h_n| |G_n|`).
    fn hopeless(&self) -> Option<LeastPower> {
        let (n, m) = (self.system.instance.elements, self.system.instance.antennas);
        let noise = self.system.instance.communication_noise_power;
        for (user, floor) in self.limits.sinr.iter().enumerate().filter(|(_, f)| **f > 0.0) {
            let rows = &self.system.user_rows[user];
            let gain: f64 = rows.chunks_exact(m).map(|row| squared(row).sqrt()).sum();
            let power = floor * noise / (gain * gain) * (1.0 - 1e-12 * n as f64);
            if power > self.limits.power {
                let mut multipliers = vec![0.0; self.limits.sinr.len()];
                multipliers[user] = power;
                return Some(LeastPower { power, multipliers, beams: None });
            }
        }
        None
    }
}

impl Feasibility for Whole {
    fn assess(&mut self) -> Result<Feasible> {
        let Some(least) = self.hopeless() else { return Ok(Feasible::Unknown) };
        let phases = self.spectral_phases();
        let heard = self.system.heard(&phases);
        let (least_violating, _) = self.system.least_violating(&heard, &self.limits, &phases);
        let ratio = least.power / self.limits.power;
        Ok(Feasible::No { least_violating, ratio, certificate: infeasibility(&least, &self.limits) })
    }

    fn repair(&mut self, _design: &mut Design) -> bool {
        false
    }
}

struct PointBound(Whole);

impl Bound for PointBound {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let spectral = self.0.system.spectral(self.0.limits.power, self.0.limits.conic);
        Ok(spectral.map(|s| ProvenBound { value: s.bound, certificate: s.certificate() }))
    }
}

struct ExtendedBound(Whole);

impl Bound for ExtendedBound {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let free = extended::free_optimum(&self.0.system, self.0.limits.power);
        Ok(free.map(|f| ProvenBound { value: f.bound, certificate: closed_form(f.bound, &f.weights) }))
    }
}

fn closed_form(bound: f64, weights: &[f64]) -> Certificate {
    Certificate { kind: "closed_form", values: vec![("bound", vec![bound]), ("weights", weights.to_vec())] }
}

/// Eliminates the transmit side.
struct Joint(Whole);

impl Elimination for Joint {
    fn group(&self) -> &[usize] {
        &TRANSMIT
    }

    fn best(&mut self, design: &mut Design, gradient: &mut [f64]) -> Result<Eliminated> {
        let Whole { system, limits } = &self.0;
        let phases = design[..system.offsets().0].to_vec();
        gradient.fill(0.0);
        Ok(match system.value(&phases, limits, &mut gradient[..phases.len()]) {
            Some(Value::Best(best)) => {
                system.write(&best.beams, &best.covariance, design);
                Eliminated::Value(best.value)
            }
            Some(Value::Infeasible(excess)) => Eliminated::Infeasible(excess.ln()),
            None => Eliminated::Undefined,
        })
    }
}

/// The closed form for extended targets.
struct ExtendedOptimum(Whole);

impl Exact for ExtendedOptimum {
    fn solve(&mut self, out: &mut Design) -> Result<ExactOutcome> {
        let Whole { system, limits } = &self.0;
        let Some(free) = extended::free_optimum(system, limits.power) else {
            return Err(Error::Refused {
                solver: "exact".into(),
                reason: "some channel has no full rank: no design can estimate the whole response".into(),
            });
        };
        let Some(covariance) = &free.covariance else {
            return Err(Error::Numerical("extended optimum without a covariance".into()));
        };
        let certificate = closed_form(free.bound, &free.weights);
        let mut phases = self.0.spectral_phases();
        let mut random = RandomStream::keyed(0, "extended target", "multi_irs", 0, 0);
        let (mut nearest, mut best_phases) = (f64::NEG_INFINITY, phases.clone());
        for trial in 0..=RANDOM_STARTS {
            if trial > 0 {
                phases.iter_mut().for_each(|p| *p = std::f64::consts::TAU * random.uniform());
            }
            match extended::support(system, limits, covariance, &mut phases) {
                Ok(Carved { beams, covariance }) => {
                    out.copy_from(&system.silent(&phases));
                    system.write(&beams, &covariance, out);
                    return Ok(ExactOutcome::Optimal { bound: free.bound, certificate });
                }
                Err(near) if near > nearest => {
                    nearest = near;
                    best_phases.copy_from_slice(&phases);
                }
                Err(_) => {}
            }
        }
        // Not certified, which does not mean that it is not optimal: the best transmit side at the phases that came
        // nearest, made feasible where they are not.
        out.copy_from(&self.0.start(best_phases, Target::Extended)?);
        Ok(ExactOutcome::Optimal { bound: free.bound, certificate })
    }
}
