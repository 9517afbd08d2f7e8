//! Bisection of the objective's level: whether a level can be reached is asked again and again, each time of the middle
//! between the best that is reached and the least that is proven not to be.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::Incumbent;
use super::restriction::chosen;
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::Problem;
use crate::references::BOYD_VANDENBERGHE;
use crate::structure::{Capability, Certificate, LevelSet, Reached};

/// Bisection over the level of a quasi-convex objective: the model answers whether a feasible design reaches a level,
/// with that design or with a proof that none does, so that the bracket is proven on both sides. It ends as optimal once
/// the bracket is narrow, or as converged where only the model's relaxation reaches its lower end. With `block`, only that block or group moves and the rest stays as in the start. Needs
/// `level_set`.
///
/// Method: Boyd and Vandenberghe, Convex Optimization, section 4.2.5, doi:10.1017/CBO9780511804441.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bisection {
    /// The block or group that moves; none where the problem itself has levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// Width of the bracket, relative to the objective, at which it ends.
    #[schemars(range(min = 1e-12, max = 0.1))]
    pub bracket: f64,
}

impl Default for Bisection {
    fn default() -> Self {
        Self { block: None, bracket: 1e-7 }
    }
}

/// Where between the ends of the bracket the next level lies, by how many answers in a row were unknown.
const SHARES: [f64; 5] = [0.5, 0.25, 0.75, 0.05, 0.95];

#[typetag::serde(name = "bisection")]
impl Optimizer for Bisection {
    fn requires(&self) -> Requirement {
        match self.block {
            Some(_) => Requirement::anything(),
            None => Requirement::capabilities(&[Capability::LevelSet]),
        }
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_iterations: Some(200), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        if !(1e-12..=0.1).contains(&self.bracket) {
            let found = self.bracket.to_string();
            return Err(InputError::new("bracket", found, "a number from 1e-12 to 0.1").into());
        }
        Ok(())
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        self.check()?;
        let (problem, start) = chosen(problem, self.block.as_deref(), start, &mut random)?;
        let mut level_set = match &problem.structure().level_set {
            Ok(factory) => factory(),
            Err(why) => {
                let reason = format!("it needs `level_set`: {why}");
                return Err(Error::Refused { solver: "bisection".into(), reason });
            }
        };
        let incumbent = Incumbent::new(&problem, start.clone(), true)?;
        let (reached, beyond) = level_set.range()?;
        Ok(Box::new(Bracket {
            bracket: self.bracket,
            problem,
            level_set,
            incumbent,
            reached,
            beyond,
            relaxed: None,
            unknown: 0,
            proof: None,
            restricted: self.block.is_some(),
            trial: start,
        }))
    }
}

crate::solver!(Bisection, references = [BOYD_VANDENBERGHE]);

struct Bracket {
    bracket: f64,
    problem: Arc<Problem>,
    level_set: Box<dyn LevelSet>,
    incumbent: Incumbent,
    /// A level that the model says is reached.
    reached: f64,
    /// A level beyond which none is reached.
    beyond: f64,
    /// The best level that a relaxation reaches, where designs are only recovered from one.
    relaxed: Option<f64>,
    /// Answers in a row that were unknown.
    unknown: usize,
    proof: Option<Certificate>,
    restricted: bool,
    trial: Design,
}

impl Bracket {
    /// The best level that is known to be reached, by the incumbent, the model's word or its relaxation.
    fn low(&self) -> f64 {
        let sign = self.problem.direction().sign();
        let value = self.incumbent.value();
        let own = if value.feasible() { value.objective } else { self.reached };
        [own, self.relaxed.unwrap_or(self.reached)]
            .into_iter()
            .fold(self.reached, |best, level| if sign * level > sign * best { level } else { best })
    }

    /// How it ends once the bracket is narrow: as optimal where the incumbent itself is at the lower end.
    fn closed(&mut self) -> Option<Step> {
        let sign = self.problem.direction().sign();
        let low = self.low();
        let narrow = self.bracket * low.abs().max(1e-12);
        if sign * (self.beyond - low) > narrow {
            return None;
        }
        if sign * (self.beyond - self.incumbent.value().objective) <= narrow {
            return Some(Step::Optimal(self.proof.take()));
        }
        self.relaxed.map(|_| Step::Converged)
    }
}

impl Iterate for Bracket {
    fn step(&mut self, _budget: &Budget) -> Result<Step> {
        if let Some(end) = self.closed() {
            return Ok(end);
        }
        let Some(share) = SHARES.get(self.unknown) else {
            return Ok(Step::Stuck("the model cannot tell whether the levels in between are reached".into()));
        };
        let low = self.low();
        let level = low + share * (self.beyond - low);
        let sign = self.problem.direction().sign();
        if sign * level <= sign * low || sign * level >= sign * self.beyond {
            return Ok(Step::Stuck("no level lies between the ends of the bracket".into()));
        }
        match self.level_set.at(level, &mut self.trial)? {
            Reached::Yes => {
                self.problem.project(&mut self.trial);
                let value = self.incumbent.offer(&mut self.trial)?;
                // The model judges what was written: a level that it does not confirm is not known to be reached.
                if value.feasible() && sign * value.objective >= sign * level - 1e-12 * level.abs() {
                    self.reached = level;
                    self.unknown = 0;
                } else {
                    self.unknown += 1;
                }
            }
            Reached::Relaxed => {
                self.problem.project(&mut self.trial);
                self.incumbent.offer(&mut self.trial)?;
                self.relaxed = Some(level);
                self.unknown = 0;
            }
            Reached::No(proof) => {
                self.beyond = level;
                self.proof = Some(proof);
                self.unknown = 0;
            }
            Reached::Unknown => {
                // What it wrote may still be better than all before.
                self.problem.project(&mut self.trial);
                let before = self.low();
                self.incumbent.offer(&mut self.trial)?;
                self.unknown = if sign * self.low() > sign * before { 0 } else { self.unknown + 1 };
            }
        }
        Ok(Step::Advanced)
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn bound(&self) -> Option<f64> {
        Some(self.beyond)
    }

    fn bound_is_restricted(&self) -> bool {
        self.restricted
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}
