//! Majorization-minimization: jump to the exact maximizer of a surrogate, extrapolate, repeat.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::{Incumbent, first_design};
use super::surrogate_start::lift_zeros;
use crate::design::{Design, Domain};
use crate::driver::StopRules;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem};
use crate::references::{SUN_BABU_PALOMAR, VARADHAN_ROLAND};
use crate::structure::{Capability, Majorizer};

/// How majorization-minimization extrapolates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Acceleration {
    /// Not at all: each iteration is one jump to the surrogate's maximizer.
    None,
    /// Squared extrapolation: two jumps, an extrapolation from them, and a third jump. Its result counts only where it
    /// is better than that of two plain jumps. Powers are extrapolated by their logarithms.
    #[default]
    Squarem,
}

/// Majorization-minimization (minorization-maximization): the steps of `sca`, with each surrogate maximized exactly by a
/// closed form of the model instead of a conic solver, and accelerated. Every design is judged by the model; only
/// improvements are kept. Needs `majorizer`.
///
/// Method: Sun, Babu and Palomar, IEEE Transactions on Signal Processing 65(3), 2017, doi:10.1109/TSP.2016.2601299;
/// acceleration: Varadhan and Roland, Scandinavian Journal of Statistics 35(2), 2008,
/// doi:10.1111/j.1467-9469.2007.00585.x.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MajorizationMinimization {
    /// How to extrapolate.
    pub acceleration: Acceleration,
}

/// How far the first extrapolation may go, and by what factor later ones may go farther after a success.
const REACH: f64 = 4.0;

/// A change of the objective of at most this, relative to it, is none.
const NEGLIGIBLE: f64 = 1e-9;

#[typetag::serde(name = "majorization_minimization")]
impl Optimizer for MajorizationMinimization {
    fn requires(&self) -> Requirement {
        Requirement::capabilities(&[Capability::Majorizer])
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { tolerance: Some(1e-9), patience: Some(3), max_iterations: Some(1000), ..StopRules::default() }
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let majorizer = match &problem.structure().majorizer {
            Ok(factory) => factory(),
            Err(why) => {
                let solver = "majorization_minimization".into();
                return Err(Error::Refused { solver, reason: why.to_string() });
            }
        };
        let mut repair = problem.structure().feasibility.as_ref().ok().map(|factory| factory());
        let start = first_design(&problem, start, &mut random)?;
        let mut incumbent = Incumbent::new(&problem, start, true)?;
        let mut current = incumbent.design().clone();
        let mut value = incumbent.value();
        if lift_zeros(&problem, repair.as_mut(), &mut current) || !value.feasible() {
            value = incumbent.offer(&mut current)?;
        }
        let space = problem.model().space();
        let mut logarithmic = vec![false; space.len()];
        for (index, block) in space.blocks().iter().enumerate() {
            logarithmic[space.range(index)].fill(block.domain == Domain::NonNegative);
        }
        let copies = || current.clone();
        let jumps = [copies(), copies(), copies()];
        let acceleration = self.acceleration;
        Ok(Box::new(Jumps {
            problem,
            majorizer,
            incumbent,
            value,
            last: value,
            jumps,
            current,
            logarithmic,
            acceleration,
            reach: REACH,
        }))
    }
}

crate::solver!(MajorizationMinimization, references = [SUN_BABU_PALOMAR, VARADHAN_ROLAND]);

struct Jumps {
    problem: Arc<Problem>,
    majorizer: Box<dyn Majorizer>,
    incumbent: Incumbent,
    current: Design,
    value: Evaluation,
    /// The last jump's value.
    last: Evaluation,
    /// One and two jumps from the current design, and the extrapolation.
    jumps: [Design; 3],
    /// Which coordinates are extrapolated by their logarithms.
    logarithmic: Vec<bool>,
    acceleration: Acceleration,
    reach: f64,
}

impl Jumps {
    /// Takes a jump's end as the current design where it is better; whether it was.
    fn take(&mut self, which: usize) -> Result<bool> {
        let value = self.incumbent.offer(&mut self.jumps[which])?;
        let better = self.problem.better(&value, &self.value);
        if better {
            self.current.copy_from(&self.jumps[which]);
            self.value = value;
        }
        Ok(better)
    }

    /// How a step went. In exact arithmetic a jump is never worse: where it is not better, it is as good or the
    /// surrogate is wrong.
    fn end(&self, taken: bool) -> Step {
        let change = (self.last.objective - self.value.objective).abs();
        if taken {
            Step::Advanced
        } else if self.value.feasible() && change <= NEGLIGIBLE * self.value.objective.abs().max(1.0) {
            Step::Converged
        } else {
            Step::Stuck("the surrogate's maximizer is no better".into())
        }
    }

    /// Extrapolates from x0, x1 = M(x0), x2 = M(x1): `x0 - 2 a r + a² v`, `r = x1 - x0`, `v = (x2 - x1) - r`,
    /// `a = -|r| / |v|` at least -reach. Writes it to the third design and gives -a; 1 where x2 is all there is.
    fn extrapolate(&mut self) -> f64 {
        let [one, two, far] = &mut self.jumps;
        let triple = |i: usize, logarithmic: bool, one: &Design, two: &Design| {
            let x = [self.current[i], one[i], two[i]];
            if logarithmic && x.iter().all(|x| *x > 0.0) { (x.map(f64::ln), true) } else { (x, false) }
        };
        let (mut first, mut second) = (0.0, 0.0);
        for (i, logarithmic) in self.logarithmic.iter().enumerate() {
            let ([x0, x1, x2], _) = triple(i, *logarithmic, one, two);
            let (r, v) = (x1 - x0, (x2 - x1) - (x1 - x0));
            first += r * r;
            second += v * v;
        }
        let step = (first / second).sqrt().clamp(1.0, self.reach);
        if step.is_nan() {
            return 1.0;
        }
        for (i, logarithmic) in self.logarithmic.iter().enumerate() {
            let ([x0, x1, x2], by_logarithm) = triple(i, *logarithmic, one, two);
            let (r, v) = (x1 - x0, (x2 - x1) - (x1 - x0));
            let x = x0 + 2.0 * step * r + step * step * v;
            far[i] = if by_logarithm { x.exp() } else { x };
        }
        step
    }
}

impl Iterate for Jumps {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        self.majorizer.maximize(&self.current, &mut self.jumps[0])?;
        if self.acceleration == Acceleration::None {
            let taken = self.take(0)?;
            return Ok(self.end(taken));
        }
        let [one, two, _] = &mut self.jumps;
        self.majorizer.maximize(one, two)?;
        let step = self.extrapolate();
        let better = self.take(1)?;
        let last = self.last;
        if step <= 1.0 || budget.exhausted(1) {
            return Ok(self.end(better));
        }
        let [one, _, far] = &mut self.jumps;
        self.problem.project(far);
        let finite = far.iter().all(|x| x.is_finite());
        if finite && self.majorizer.maximize(far, one).is_ok() && self.take(0)? {
            if step == self.reach {
                self.reach *= REACH;
            }
            return Ok(Step::Advanced);
        }
        self.reach = (self.reach / REACH).max(REACH);
        self.last = last;
        Ok(self.end(better))
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}
