//! Majorization-minimization: jump to the exact maximizer of a surrogate, extrapolate, repeat.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::incumbent::{Incumbent, first_design};
use super::surrogate_start::lift_zeros;
use crate::design::{Design, Domain};
use crate::driver::StopRules;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem};
use crate::references::{SUN_BABU_PALOMAR, VARADHAN_ROLAND};
use crate::structure::{Capability, Feasibility, Majorizer};

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
/// improvements are kept. It ends at a stationary point: with several `starts` it begins again from the problem's own and
/// from random designs, and the best is the answer. Needs `majorizer`.
///
/// Method: Sun, Babu and Palomar, IEEE Transactions on Signal Processing 65(3), 2017, doi:10.1109/TSP.2016.2601299;
/// acceleration: Varadhan and Roland, Scandinavian Journal of Statistics 35(2), 2008,
/// doi:10.1111/j.1467-9469.2007.00585.x.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MajorizationMinimization {
    /// How to extrapolate.
    pub acceleration: Acceleration,
    /// The number of starts: the given one or the problem's own, then its own and random ones.
    #[schemars(range(min = 1))]
    pub starts: u64,
}

impl Default for MajorizationMinimization {
    fn default() -> Self {
        Self { acceleration: Acceleration::default(), starts: 1 }
    }
}

/// How far the first extrapolation may go, and by what factor later ones may go farther after a success.
const REACH: f64 = 4.0;

/// A run of several ends where so many steps in a row gain less than this, relative to the objective.
const IDLE: (u32, f64) = (3, 1e-9);

/// A change of the objective of at most this, relative to it, is none.
const NEGLIGIBLE: f64 = 1e-9;

#[typetag::serde(name = "majorization_minimization")]
impl Optimizer for MajorizationMinimization {
    fn requires(&self) -> Requirement {
        Requirement::capabilities(&[Capability::Majorizer])
    }

    fn stop_rules(&self) -> StopRules {
        let max_iterations = Some(self.starts.saturating_mul(1000));
        if self.starts > 1 {
            // A run that is worse than the best one is no end: each ends by itself.
            return StopRules { max_iterations, ..StopRules::default() };
        }
        StopRules { tolerance: Some(1e-9), patience: Some(3), max_iterations, ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        match self.starts {
            0 => Err(InputError::new("starts", "0", "a whole number of at least 1").into()),
            _ => Ok(()),
        }
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
        self.check()?;
        let repair = problem.structure().feasibility.as_ref().ok().map(|factory| factory());
        let given = start.is_some();
        let start = first_design(&problem, start, &mut random)?;
        let incumbent = Incumbent::new(&problem, start, true)?;
        let current = incumbent.design().clone();
        let value = incumbent.value();
        let space = problem.model().space();
        let mut logarithmic = vec![false; space.len()];
        for (index, block) in space.blocks().iter().enumerate() {
            logarithmic[space.range(index)].fill(block.domain == Domain::NonNegative);
        }
        let copies = || current.clone();
        let three = [copies(), copies(), copies()];
        let acceleration = self.acceleration;
        let mut jumps = Jumps {
            repair,
            random,
            given,
            single: self.starts == 1,
            left: self.starts - 1,
            idle: 0,
            problem,
            majorizer,
            incumbent,
            value,
            last: value,
            jumps: three,
            by_logarithm: vec![false; current.len()],
            differences: vec![[0.0; 3]; current.len()],
            current,
            logarithmic,
            acceleration,
            reach: REACH,
        };
        jumps.set_out(value)?;
        Ok(Box::new(jumps))
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
    /// Which were, in the last extrapolation: their x0, r and v.
    by_logarithm: Vec<bool>,
    differences: Vec<[f64; 3]>,
    acceleration: Acceleration,
    reach: f64,
    repair: Option<Box<dyn Feasibility>>,
    random: RandomStream,
    /// Whether there is one start, whether it was given, and how many are left.
    single: bool,
    given: bool,
    left: u64,
    /// Steps in a row that gained next to nothing.
    idle: u32,
}

impl Jumps {
    /// Sets out from the current design of the given value, off its zeros.
    fn set_out(&mut self, value: Evaluation) -> Result<()> {
        self.value = value;
        if lift_zeros(&self.problem, self.repair.as_mut(), &mut self.current) || !value.feasible() {
            self.value = self.incumbent.offer(&mut self.current)?;
        }
        (self.last, self.reach, self.idle) = (self.value, REACH, 0);
        Ok(())
    }

    /// Goes to the next start, where there is one left and this run gains nothing more.
    fn next_run(&mut self, step: Step, before: Evaluation) -> Result<Step> {
        let gain = (self.value.objective - before.objective).abs();
        let small = gain <= IDLE.1 * before.objective.abs().max(f64::MIN_POSITIVE) && before.feasible();
        self.idle = if small { self.idle + 1 } else { 0 };
        if self.single || step == Step::Advanced && self.idle < IDLE.0 {
            return Ok(step);
        }
        if self.left == 0 {
            return Ok(if step == Step::Advanced { Step::Converged } else { step });
        }
        self.left -= 1;
        self.current = match std::mem::take(&mut self.given) {
            true => first_design(&self.problem, None, &mut self.random)?,
            false => self.problem.random(&mut self.random),
        };
        let value = self.incumbent.offer(&mut self.current)?;
        self.set_out(value)?;
        Ok(Step::Advanced)
    }

    /// Takes a jump's end as the current design where it is better; whether it was.
    fn take(&mut self, which: usize) -> Result<bool> {
        let value = self.incumbent.offer(&mut self.jumps[which])?;
        self.last = value;
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
        let change = self.problem.change(self.last.objective, self.value.objective);
        if taken {
            Step::Advanced
        } else if self.value.feasible() && change <= NEGLIGIBLE {
            Step::Converged
        } else {
            Step::Stuck("the surrogate's maximizer is no better".into())
        }
    }

    /// Extrapolates from x0, x1 = M(x0), x2 = M(x1): `x0 - 2 a r + a² v`, `r = x1 - x0`, `v = (x2 - x1) - r`,
    /// `a = -|r| / |v|` at least -reach. Writes it to the third design and gives -a; 1 where x2 is all there is.
    fn extrapolate(&mut self) -> f64 {
        let [one, two, far] = &mut self.jumps;
        let (mut first, mut second) = (0.0, 0.0);
        for (i, logarithmic) in self.logarithmic.iter().enumerate() {
            let mut x = [self.current[i], one[i], two[i]];
            self.by_logarithm[i] = *logarithmic && x.iter().all(|x| *x > 0.0);
            if self.by_logarithm[i] {
                x = x.map(f64::ln);
            }
            let (r, v) = (x[1] - x[0], (x[2] - x[1]) - (x[1] - x[0]));
            first += r * r;
            second += v * v;
            self.differences[i] = [x[0], r, v];
        }
        let step = (first / second).sqrt().clamp(1.0, self.reach);
        if step.is_nan() {
            return 1.0;
        }
        for ((x, [origin, r, v]), by_logarithm) in far.iter_mut().zip(&self.differences).zip(&self.by_logarithm) {
            *x = origin + 2.0 * step * r + step * step * v;
            if *by_logarithm {
                *x = x.exp();
            }
        }
        step
    }
}

impl Iterate for Jumps {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        let before = self.value;
        let step = self.jump(budget)?;
        self.next_run(step, before)
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations()
    }
}

impl Jumps {
    /// One jump, or two and an extrapolation.
    fn jump(&mut self, budget: &Budget) -> Result<Step> {
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
}
