//! A paper's claims beside what a run found: the verdicts of `isacopt reproduce` and of the page.

use super::html::number;
use super::quantity::{Quantity, Scale};
use super::simulated::{MonteCarlo, estimated, estimators, simulated};
use super::study::{Reduction, Study};
use crate::config::{ClaimConfig, ClaimTest};
use crate::error::InputError;

/// What a claim calls simulated values that stand beside a metric.
const SIMULATED: &str = "simulated";

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The results agree.
    Holds,
    /// They do not.
    Fails,
    /// The run has no results that could tell.
    Untested,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "does not hold",
            Self::Untested => "not tested",
        }
    }
}

/// A claim, tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// The paper's number or words.
    pub paper: String,
    /// What the run found.
    pub ours: String,
    /// How it stands.
    pub verdict: Verdict,
    /// Whether that is what was known.
    pub expected: bool,
    /// Why.
    pub why: String,
    /// Whether the verdict is what the config says in words, and no number of the run tests it.
    pub in_words: bool,
}

/// Tests claims on a run.
///
/// # Errors
/// Where a claim names a metric, solver or key that the run does not have.
pub fn test_claims(study: &Study, claims: &[ClaimConfig]) -> Result<Vec<Tested>, Vec<InputError>> {
    let mut mistakes = Vec::new();
    let tested = claims.iter().filter_map(|claim| match Tester::new(study, claim) {
        Ok(tester) => Some(tester.test()),
        Err(mistake) => {
            mistakes.push(mistake);
            None
        }
    });
    let tested = tested.collect();
    if mistakes.is_empty() { Ok(tested) } else { Err(mistakes) }
}

struct Tester<'a> {
    study: &'a Study,
    claim: &'a ClaimConfig,
    quantity: &'a Quantity,
    solver: usize,
    scale: Scale,
}

impl<'a> Tester<'a> {
    fn new(study: &'a Study, claim: &'a ClaimConfig) -> Result<Self, InputError> {
        let key = |name: &str| format!("{}.{name}", claim.place);
        let ids = || study.quantities.iter().map(|q| q.id.as_str());
        let quantity = match claim.metric.as_deref() {
            None | Some("objective") => study.objective_quantity(),
            Some(id) => super::figure::find(&study.quantities, id),
        };
        let named = claim.metric.clone().unwrap_or_default();
        let quantity = quantity.ok_or_else(|| InputError::unknown(key("metric"), &named, ids()))?;
        let labels = || study.solvers.iter().map(|(label, _)| label.as_str());
        let place = |name: &str, label: &str| {
            labels().position(|l| l == label).ok_or_else(|| InputError::unknown(key(name), label, labels()))
        };
        let solver = claim.solver.as_deref().map_or(Ok(0), |label| place("solver", label))?;
        if let ClaimTest::Order { than, .. } | ClaimTest::Ratio { than, .. } = &claim.test {
            place("than", than)?;
        }
        let keys = || study.swept_keys().map(|(_, k)| k.key.as_str());
        let along = match &claim.test {
            ClaimTest::Trend { along, .. } | ClaimTest::Change { along, .. } => Some(("along", along)),
            _ => None,
        };
        for (name, swept) in claim.at.iter().map(|(swept, _)| ("at", swept)).chain(along) {
            if study.swept(swept).is_none() {
                return Err(InputError::unknown(key(name), swept, keys()));
            }
        }
        if let ClaimTest::Beside { drawn, .. } = &claim.test {
            let names = estimators(study, quantity);
            if drawn != SIMULATED && !names.contains(drawn) {
                let names = names.iter().map(String::as_str).chain([SIMULATED]);
                return Err(InputError::unknown(key("beside"), drawn, names));
            }
        }
        let scale = match claim.scale.as_deref() {
            Some("dB") => Scale::Decibel,
            Some("degrees") => Scale::RootDegrees,
            _ => Scale::Linear,
        };
        Ok(Self { study, claim, quantity, solver, scale })
    }

    fn test(&self) -> Tested {
        let (verdict, ours) = match &self.claim.test {
            ClaimTest::Words => (verdict(self.claim.holds), "known; not tested by this run".into()),
            ClaimTest::Value(value) => self.value(*value),
            ClaimTest::Ratio { than, value } => self.ratio(than, *value),
            ClaimTest::Order { than, higher } => self.order(than, *higher),
            ClaimTest::Trend { along, rises } => self.trend(along, *rises),
            ClaimTest::Change { along, value } => self.change(along, *value),
            ClaimTest::Beside { drawn, value } => self.beside(drawn, *value),
        };
        Tested {
            paper: self.claim.paper.clone(),
            ours,
            verdict,
            expected: verdict == Verdict::Untested || (verdict == Verdict::Holds) == self.claim.holds,
            why: self.claim.why.clone().unwrap_or_default(),
            in_words: matches!(self.claim.test, ClaimTest::Words),
        }
    }

    fn value(&self, value: f64) -> (Verdict, String) {
        self.all_near(&self.cells().filter_map(|c| self.at(c, self.solver)).collect::<Vec<_>>(), value)
    }

    fn ratio(&self, than: &str, value: f64) -> (Verdict, String) {
        self.all_near(&self.pairs(than).iter().map(|pair| self.over(pair)).collect::<Vec<_>>(), value)
    }

    fn change(&self, along: &str, value: f64) -> (Verdict, String) {
        let ends = self
            .lines(along)
            .into_iter()
            .filter(|line| line.len() > 1)
            .filter_map(|line| Some((line.last()?.1, line.first()?.1)));
        self.all_near(&ends.map(|pair| self.over(&pair)).collect::<Vec<_>>(), value)
    }

    fn beside(&self, drawn: &str, value: f64) -> (Verdict, String) {
        let reduction = Reduction::named(self.claim.reduction.as_deref());
        let statistic =
            |m: MonteCarlo| if self.claim.statistic.as_deref() == Some("median") { m.median } else { m.mean };
        let found = self.cells().filter_map(|cell| {
            let found = match drawn {
                SIMULATED => simulated(self.study, self.quantity, reduction, cell, self.solver),
                name => estimated(self.study, self.quantity, name, reduction, cell, self.solver),
            };
            Some(self.over(&(self.scale.apply(statistic(found?)), self.at(cell, self.solver)?)))
        });
        self.all_near(&found.filter(|x| !x.is_nan()).collect::<Vec<_>>(), value)
    }

    /// Whether all values are the claim's, to its tolerance.
    fn all_near(&self, found: &[f64], value: f64) -> (Verdict, String) {
        if found.is_empty() {
            return (Verdict::Untested, String::new());
        }
        let size = if self.scale == Scale::Linear { value.abs() } else { 1.0 };
        let holds = found.iter().all(|x| (x - value).abs() <= self.claim.within * size);
        (verdict(holds), range(found, 4))
    }

    fn order(&self, than: &str, higher: bool) -> (Verdict, String) {
        let pairs = self.pairs(than);
        if pairs.is_empty() {
            return (Verdict::Untested, String::new());
        }
        let sign = if higher { 1.0 } else { -1.0 };
        let holding = pairs.iter().filter(|(a, b)| sign * (a - b) >= -self.slack(*b)).count();
        let over: Vec<f64> = pairs.iter().map(|pair| self.over(pair)).collect();
        let what = if self.scale == Scale::Linear { "ratio" } else { "difference" };
        (verdict(holding == pairs.len()), format!("at {holding} of {} points; {what} {}", pairs.len(), range(&over, 3)))
    }

    /// The metric of the solver and of another, at the points where both are compared.
    fn pairs(&self, than: &str) -> Vec<(f64, f64)> {
        let Some(other) = self.study.solvers.iter().position(|(label, _)| label == than) else { return Vec::new() };
        self.cells().filter_map(|c| Some((self.at(c, self.solver)?, self.at(c, other)?))).collect()
    }

    fn over(&self, (a, b): &(f64, f64)) -> f64 {
        if self.scale == Scale::Linear { a / b } else { a - b }
    }

    fn trend(&self, along: &str, rises: bool) -> (Verdict, String) {
        let sign = if rises { 1.0 } else { -1.0 };
        let (mut steps, mut holding, mut ends) = (0, 0, Vec::new());
        for line in self.lines(along) {
            for pair in line.windows(2) {
                steps += 1;
                holding += usize::from(sign * (pair[1].1 - pair[0].1) >= -self.slack(pair[0].1));
            }
            if let ([first, .., last], true) = (line.as_slice(), ends.len() < 3) {
                ends.push(format!("{} to {}", number(first.1, 4), number(last.1, 4)));
            }
        }
        match steps {
            0 => (Verdict::Untested, String::new()),
            _ => (verdict(holding == steps), format!("at {holding} of {steps} steps; {}", ends.join(", "))),
        }
    }

    /// The metric along a swept key, in ascending order of the key: a line for each place on the other axes.
    fn lines(&self, along: &str) -> Vec<Vec<(f64, f64)>> {
        let Some((axis, key)) = self.study.swept(along) else { return Vec::new() };
        let position = |point: usize| key.numbers.as_ref().map_or(point as f64, |numbers| numbers[point]);
        let (mut places, mut lines): (Vec<Vec<usize>>, Vec<Vec<(f64, f64)>>) = Default::default();
        for cell in self.cells() {
            let Some(y) = self.at(cell, self.solver) else { continue };
            let mut place = self.study.cells[cell].place.clone();
            let x = position(place[axis]);
            place[axis] = 0;
            match places.iter().position(|known| *known == place) {
                Some(at) => lines[at].push((x, y)),
                None => {
                    places.push(place);
                    lines.push(vec![(x, y)]);
                }
            }
        }
        lines.iter_mut().for_each(|line| line.sort_by(|a, b| a.0.total_cmp(&b.0)));
        lines
    }

    fn slack(&self, size: f64) -> f64 {
        self.claim.within * if self.scale == Scale::Linear { size.abs() } else { 1.0 }
    }

    /// The cells that the claim is about.
    fn cells(&self) -> impl Iterator<Item = usize> {
        (0..self.study.cells.len()).filter(|cell| self.study.lies_at(*cell, &self.claim.at))
    }

    /// The metric of a solver at a cell, in the claim's scale.
    fn at(&self, cell: usize, solver: usize) -> Option<f64> {
        let reduction = Reduction::named(self.claim.reduction.as_deref());
        let spread = self.study.spread(self.quantity, reduction, cell, solver)?;
        let value = if self.claim.statistic.as_deref() == Some("median") { spread.median } else { spread.mean };
        Some(self.scale.apply(value)).filter(|x| !x.is_nan())
    }
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Holds } else { Verdict::Fails }
}

fn range(values: &[f64], digits: usize) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (least, most) = (number(least, digits), number(most, digits));
    if least == most { least } else { format!("{least} to {most}") }
}
