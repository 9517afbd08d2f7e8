//! The cross-entropy method over discrete and continuous blocks.

use std::ops::Range;
use std::sync::Arc;

use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coordinates::Coordinates;
use super::discrete::{LevelCoordinate, level_coordinates};
use super::incumbent::{Incumbent, first_design, placed};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Budget, Iterate, Optimizer, Requirement, Step};
use crate::problem::{Evaluation, Problem, STRICT};
use crate::references::RUBINSTEIN;
use crate::structure::Incremental;

/// The cross-entropy method (Rubinstein 1999, doi:10.1023/A:1010091220143; for discrete phases Algorithm 1 of paper 002):
/// draws `samples` designs, learns the distribution of the best `elite_share` of them, and begins again, until all
/// samples of an iteration are within `kappa` of each other (relative, absolute for logarithms). Levels are independent
/// categoricals, first uniform, then the elite's frequencies; continuous coordinates are independent normals around the
/// start. With `smoothing` s a new distribution is s old + (1 - s) elite. Infeasible designs are repaired where the model
/// can, else Deb's rules rank them. The best design ever drawn is the answer. Takes any problem. Stops after 1000
/// iterations where no stopping rule is given.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// Designs drawn in an iteration, at least 2; absent: 5 a free coordinate, the paper's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// The share of them that the next distribution learns from, above 0 to 1; at least one design.
    pub elite_share: f64,
    /// The weight of the old distribution in the new one, 0 (the paper's) or more and below 1.
    pub smoothing: f64,
    /// The spread of an iteration's objectives below which it has converged, 0 or more.
    pub kappa: f64,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        Self { samples: None, elite_share: 0.1, smoothing: 0.0, kappa: 1e-3 }
    }
}

#[typetag::serde(name = "cross_entropy")]
impl Optimizer for CrossEntropy {
    fn requires(&self) -> Requirement {
        Requirement::anything()
    }

    fn stop_rules(&self) -> StopRules {
        StopRules { max_iterations: Some(1000), ..StopRules::default() }
    }

    fn check(&self) -> Result<()> {
        let mistake = |key: &str, found: String, allowed: &str| Err(InputError::new(key, found, allowed).into());
        if let Some(samples) = self.samples.filter(|n| !(2..=100_000_000).contains(n)) {
            return mistake("samples", samples.to_string(), "a whole number from 2 to 10^8");
        }
        if !(self.elite_share > 0.0 && self.elite_share <= 1.0) {
            return mistake("elite_share", self.elite_share.to_string(), "a number above 0, at most 1");
        }
        if !(0.0..1.0).contains(&self.smoothing) {
            return mistake("smoothing", self.smoothing.to_string(), "a number from 0, below 1");
        }
        if !(self.kappa.is_finite() && self.kappa >= 0.0) {
            return mistake("kappa", self.kappa.to_string(), "a finite number, 0 or more");
        }
        Ok(())
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let levels = level_coordinates(&problem);
        let discrete = levels.len() == problem.free().len();
        let first = match start {
            Some(design) => placed(&problem, design)?,
            None if discrete => problem.random(&mut random),
            None => first_design(&problem, None, &mut random)?,
        };
        let incumbent = Incumbent::new(&problem, first.clone(), true)?;
        let coordinates = Coordinates::free(&problem);
        let mut mean = vec![0.0; coordinates.len()];
        coordinates.read(&first, &mut mean);
        let samples = self.samples.unwrap_or(5 * problem.free().len() as u64).max(2) as usize;
        let quick = match &problem.structure().incremental {
            Ok(factory) if discrete => Some(factory()),
            _ => None,
        };
        let categories = Categories::new(&levels);
        Ok(Box::new(Sampling {
            elite: ((samples as f64 * self.elite_share + 1e-9).floor() as usize).max(1),
            settings: self.clone(),
            deviation: vec![1.0; mean.len()],
            coordinates,
            categories,
            quick,
            candidate: first,
            rows: vec![0; samples * levels.len()],
            points: vec![0.0; samples * mean.len()],
            values: vec![Evaluation { objective: f64::NAN, violation: f64::INFINITY }; samples],
            order: (0..samples).collect(),
            bits: Vec::new(),
            adjacent: adjacent(&levels),
            keys: Vec::with_capacity(samples),
            levels,
            mean,
            quick_evaluations: 0,
            samples,
            incumbent,
            random,
            problem,
        }))
    }
}

crate::solver!(CrossEntropy, references = [RUBINSTEIN]);

/// Independent categorical distributions of all discrete coordinates.
struct Categories {
    /// Where each coordinate's probabilities begin.
    first: Vec<usize>,
    probabilities: Vec<f64>,
    /// Threshold s of all coordinates, then threshold s + 1 of all: the sums of the probabilities up to each level, times
    /// 2^32, less 2^31. A coordinate with fewer levels than others never reaches those beyond.
    thresholds: Vec<i32>,
    /// The most levels that a coordinate has.
    most: usize,
    /// Whether all have so many.
    uniform: bool,
}

impl Categories {
    /// Uniform.
    fn new(levels: &[LevelCoordinate]) -> Self {
        let mut first = vec![0];
        let mut probabilities = Vec::new();
        for coordinate in levels {
            let count = coordinate.levels as usize;
            probabilities.resize(probabilities.len() + count, 1.0 / count as f64);
            first.push(probabilities.len());
        }
        let most = levels.iter().map(|c| c.levels as usize).max().unwrap_or(1);
        let uniform = levels.iter().all(|c| c.levels as usize == most);
        let thresholds = vec![i32::MAX; (most - 1) * levels.len()];
        let mut it = Self { first, probabilities, thresholds, most, uniform };
        it.sum();
        it
    }

    fn sum(&mut self) {
        let count = self.first.len() - 1;
        for l in 0..count {
            let mut sum = 0.0;
            // The last level takes what rounding left.
            for (s, probability) in self.probabilities[self.first[l]..self.first[l + 1] - 1].iter().enumerate() {
                sum += probability;
                self.thresholds[s * count + l] = (sum * 4_294_967_296.0).round() as u32 as i32 ^ i32::MIN;
            }
        }
    }

    /// Writes the levels that 32 random bits each choose: how many thresholds they reach. All coordinates at once,
    /// without branches; a threshold that none should reach is reached by one word of 2^32.
    fn choose(&self, bits: &[u8], levels: &mut [u32]) {
        let count = levels.len();
        let row = |s: usize| &self.thresholds[s * count..][..count];
        let words = || bits.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        match self.most {
            2 => {
                for ((level, word), first) in levels.iter_mut().zip(words()).zip(row(0)) {
                    *level = u32::from(word >= *first);
                }
            }
            4 => {
                let thresholds = row(0).iter().zip(row(1)).zip(row(2));
                for ((level, word), ((a, b), c)) in levels.iter_mut().zip(words()).zip(thresholds) {
                    *level = u32::from(word >= *a) + u32::from(word >= *b) + u32::from(word >= *c);
                }
            }
            _ => {
                levels.fill(0);
                for s in 0..self.most - 1 {
                    for ((level, word), threshold) in levels.iter_mut().zip(words()).zip(row(s)) {
                        *level += u32::from(word >= *threshold);
                    }
                }
            }
        }
    }
}

fn adjacent(levels: &[LevelCoordinate]) -> Option<Range<usize>> {
    let first = levels.first()?.index;
    let follow = levels.iter().enumerate().all(|(i, c)| c.index == first + i && c.step == 1.0);
    follow.then_some(first..first + levels.len())
}

struct Sampling {
    settings: CrossEntropy,
    problem: Arc<Problem>,
    levels: Vec<LevelCoordinate>,
    categories: Categories,
    coordinates: Coordinates,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    samples: usize,
    elite: usize,
    incumbent: Incumbent,
    /// Judges discrete designs faster than a full evaluation.
    quick: Option<Box<dyn Incremental>>,
    quick_evaluations: u64,
    random: RandomStream,
    candidate: Design,
    /// The samples' levels, row by row.
    rows: Vec<u32>,
    /// The samples' continuous coordinates, row by row.
    points: Vec<f64>,
    values: Vec<Evaluation>,
    order: Vec<usize>,
    bits: Vec<u8>,
    /// Where the levels stand in a design, where they stand side by side as whole numbers.
    adjacent: Option<Range<usize>>,
    /// Smaller is better: infeasible designs after feasible ones, then their violation or objective.
    keys: Vec<(bool, f64)>,
}

impl Sampling {
    /// Draws and judges sample number `at`.
    fn draw(&mut self, at: usize) -> Result<()> {
        let (discrete, continuous) = (self.levels.len(), self.mean.len());
        let row = &mut self.rows[at * discrete..][..discrete];
        self.categories.choose(&self.bits[at * 4 * discrete..][..4 * discrete], row);
        if !self.categories.uniform {
            row.iter_mut().zip(&self.levels).for_each(|(level, c)| *level = (*level).min(c.levels - 1));
        }
        match &self.adjacent {
            Some(range) => {
                for (x, level) in self.candidate[range.clone()].iter_mut().zip(&*row) {
                    *x = f64::from(*level);
                }
            }
            None => self.levels.iter().zip(&*row).for_each(|(c, l)| self.candidate[c.index] = c.value(f64::from(*l))),
        }
        let point = &mut self.points[at * continuous..][..continuous];
        if continuous > 0 {
            for ((z, mean), deviation) in point.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *z = mean + deviation * self.random.normal();
            }
            self.coordinates.write(point, &mut self.candidate);
            self.problem.project(&mut self.candidate);
        }
        self.values[at] = match &mut self.quick {
            Some(state) => {
                self.quick_evaluations += 1;
                state.load(&self.candidate)
            }
            None => {
                let value = self.incumbent.offer(&mut self.candidate)?;
                if self.incumbent.repairs() && continuous > 0 {
                    // What is learnt from is the repaired design.
                    self.coordinates.read(&self.candidate, point);
                }
                value
            }
        };
        Ok(())
    }

    /// The best samples first; of equals the earlier.
    fn rank(&mut self, drawn: usize) {
        self.order.clear();
        self.order.extend(0..drawn);
        let sign = -self.problem.direction().sign();
        self.keys.clear();
        self.keys.extend(self.values[..drawn].iter().map(|v| match v.violation <= STRICT {
            true if v.objective.is_nan() => (false, f64::INFINITY),
            true => (false, sign * v.objective),
            false => (true, v.violation),
        }));
        let keys = &self.keys;
        let compare = |a: &usize, b: &usize| {
            let (x, y) = (keys[*a], keys[*b]);
            x.0.cmp(&y.0).then(x.1.total_cmp(&y.1)).then(a.cmp(b))
        };
        let elite = self.elite.min(drawn);
        if elite < drawn {
            self.order.select_nth_unstable_by(elite - 1, compare);
        }
        self.order[..elite].sort_unstable_by(compare);
    }

    /// (46), and moments of the continuous coordinates.
    fn learn(&mut self) {
        let (discrete, continuous) = (self.levels.len(), self.mean.len());
        let elite = &self.order[..self.elite.min(self.order.len())];
        let (keep, share) = (self.settings.smoothing, (1.0 - self.settings.smoothing) / elite.len() as f64);
        if discrete > 0 {
            self.categories.probabilities.iter_mut().for_each(|p| *p *= keep);
            for sample in elite {
                for (l, level) in self.rows[sample * discrete..][..discrete].iter().enumerate() {
                    self.categories.probabilities[self.categories.first[l] + *level as usize] += share;
                }
            }
            self.categories.sum();
        }
        for i in 0..continuous {
            let entry = |sample: &usize| self.points[sample * continuous + i];
            let mean = elite.iter().map(entry).sum::<f64>() / elite.len() as f64;
            let square = elite.iter().map(|s| (entry(s) - mean).powi(2)).sum::<f64>() / elite.len() as f64;
            if mean.is_finite() && square.is_finite() {
                self.mean[i] = keep * self.mean[i] + (1.0 - keep) * mean;
                self.deviation[i] = keep * self.deviation[i] + (1.0 - keep) * square.sqrt();
            }
        }
    }

    /// Whether all samples are within kappa of each other. Infinite or infeasible ones prove nothing.
    fn settled(&self) -> bool {
        let sound = |v: &Evaluation| v.violation <= STRICT && v.objective.is_finite();
        if !self.values.iter().all(sound) {
            return false;
        }
        let low = self.values.iter().map(|v| v.objective).fold(f64::INFINITY, f64::min);
        let high = self.values.iter().map(|v| v.objective).fold(f64::NEG_INFINITY, f64::max);
        self.problem.gap(high, low) < self.settings.kappa
    }
}

impl Iterate for Sampling {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if self.levels.is_empty() && self.mean.is_empty() {
            return Ok(Step::Converged);
        }
        let before = self.evaluations();
        let mut bits = std::mem::take(&mut self.bits);
        bits.resize(4 * self.levels.len() * self.samples, 0);
        self.random.fill_bytes(&mut bits);
        self.bits = bits;
        let mut drawn = 0;
        while drawn < self.samples {
            self.draw(drawn)?;
            drawn += 1;
            if (drawn.is_multiple_of(64) || budget.evaluations.is_some())
                && budget.exhausted(self.evaluations() - before)
            {
                break;
            }
        }
        self.rank(drawn);
        // The best of a batch judged incrementally; others were offered one by one.
        if self.quick.is_some() && self.problem.better(&self.values[self.order[0]], &self.incumbent.value()) {
            let row = &self.rows[self.order[0] * self.levels.len()..];
            for (coordinate, level) in self.levels.iter().zip(row) {
                self.candidate[coordinate.index] = coordinate.value(f64::from(*level));
            }
            self.incumbent.offer(&mut self.candidate)?;
        }
        if drawn < self.samples {
            return Ok(Step::Advanced);
        }
        if self.settled() {
            return Ok(Step::Converged);
        }
        // Nothing is learnt from samples that are all infinite.
        let best = self.values[self.order[0]];
        if best.violation > STRICT || best.objective.is_finite() {
            self.learn();
        }
        Ok(Step::Advanced)
    }

    fn best(&self) -> &Design {
        self.incumbent.design()
    }

    fn evaluations(&self) -> u64 {
        self.incumbent.evaluations() + self.quick_evaluations
    }
}
