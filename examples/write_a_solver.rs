use isacopt::prelude::*;

/// Random search with a shrinking step: from the best design towards or away from a random one, kept if better.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, crate = "isacopt::serde")]
pub struct ShrinkingSearch {
    /// The first step, as a share of the distance to the random design.
    pub step: f64,
}
impl Default for ShrinkingSearch {
    fn default() -> Self {
        Self { step: 0.5 }
    }
}
isacopt::solver!(ShrinkingSearch);

#[typetag::serde(name = "shrinking_search")]
impl Optimizer for ShrinkingSearch {
    fn requires(&self) -> Requirement {
        Requirement::anything().continuous()
    }
    fn begin(&self, problem: Arc<Problem>, start: Option<Design>, mut draws: RandomStream) -> Result<Box<dyn Iterate>> {
        let best = start.map_or_else(|| problem.default_start(&mut draws), Ok)?;
        let mut judge = problem.evaluator();
        Ok(Box::new(Search { value: judge.evaluate(&best)?, best, judge, draws, step: self.step }))
    }
}

struct Search {
    judge: Evaluator,
    draws: RandomStream,
    best: Design,
    value: Evaluation,
    step: f64,
}
impl Iterate for Search {
    fn step(&mut self, _budget: &Budget) -> Result<Step> {
        let mut trial = self.judge.problem().random(&mut self.draws);
        let share = self.step * self.draws.normal();
        trial.iter_mut().zip(self.best.iter()).for_each(|(x, best)| *x = best + share * (*x - best));
        self.judge.problem().project(&mut trial);
        let value = self.judge.evaluate(&trial)?;
        self.step *= 0.99;
        if self.judge.problem().better(&value, &self.value) {
            (self.best, self.value, self.step) = (trial, value, 1.2 * self.step);
        }
        Ok(if self.step < 1e-6 { Step::Converged } else { Step::Advanced })
    }
    fn best(&self) -> &Design {
        &self.best
    }
    fn evaluations(&self) -> u64 {
        self.judge.count()
    }
}

pub fn main() -> std::process::ExitCode {
    isacopt::cli::main()
}
