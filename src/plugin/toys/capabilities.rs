//! What the toys offer beyond evaluation.

use crate::conic::Sense;
use crate::conic::hermitian::HermitianProgram;
use crate::structure::{
    Ascent, Bound, Exact, ExactOutcome, Feasibility, Feasible, Gradient, LevelSet, Lift, Majorizer, ProvenBound,
    Reached, Relaxed, Structure,
};
use crate::{Certificate, Design, Error, Evaluation, ProblemSpec, RandomStream, Result};
use nalgebra::DMatrix;
use num_complex::Complex;

use super::{BUDGET, TARGET};

/// The projection of the target onto the budget: `(target - level)^+`, and its squared distance.
pub fn projection(budget: f64) -> (Vec<f64>, f64) {
    let at = |level: f64| TARGET.map(|t| (t - level).max(0.0)).to_vec();
    let (mut low, mut high) = (0.0, 2.0);
    for _ in 0..200 {
        let level = 0.5 * (low + high);
        if at(level).iter().sum::<f64>() > budget { low = level } else { high = level }
    }
    let solution = at(high);
    let distance = solution.iter().zip(TARGET).map(|(x, t)| (x - t) * (x - t)).sum();
    (solution, distance)
}

fn certificate(kind: &'static str, value: f64) -> Certificate {
    Certificate { kind, values: vec![("value", vec![value])] }
}

struct BudgetFeasibility(f64);

impl Feasibility for BudgetFeasibility {
    fn assess(&mut self) -> Result<Feasible> {
        Ok(Feasible::Yes(Design::new(vec![self.0 / 12.0; 6])))
    }
    fn repair(&mut self, design: &mut Design) -> bool {
        let total: f64 = design.iter().sum();
        if total > self.0 {
            design.iter_mut().for_each(|x| *x *= self.0 * (1.0 - 1e-12) / total);
        }
        true
    }
}

struct BudgetGradient;

impl Gradient for BudgetGradient {
    fn rows(&self) -> usize {
        1
    }
    fn objective(&mut self, x: &Design, gradient: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for ((x, t), g) in x.iter().zip(TARGET).zip(gradient) {
            sum += (x - t) * (x - t);
            *g = 2.0 * (x - t);
        }
        sum
    }
    fn constraints(&mut self, x: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        values[0] = (x.iter().sum::<f64>() - BUDGET) / BUDGET;
        jacobian.fill(1.0 / BUDGET);
    }
}

/// The objective plus `|x - design|²`: its minimizer is the projection of the midpoint of target and design.
struct BudgetMajorizer;

impl Majorizer for BudgetMajorizer {
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()> {
        let middle: Vec<f64> = design.iter().zip(TARGET).map(|(x, t)| 0.5 * (x + t)).collect();
        let (mut low, mut high) = (-1.0, 3.0);
        let at = |level: f64| middle.iter().map(|m| (m - f64::max(level, 0.0)).max(0.0)).collect::<Vec<_>>();
        for _ in 0..100 {
            let level = 0.5 * (low + high);
            if at(level).iter().sum::<f64>() > BUDGET { low = level } else { high = level }
        }
        out.copy_from(&Design::new(at(high)));
        Ok(())
    }
}

struct Known {
    solution: Vec<f64>,
    value: f64,
}

impl Exact for Known {
    fn solve(&mut self, out: &mut Design) -> Result<ExactOutcome> {
        out.copy_from(&Design::new(self.solution.clone()));
        Ok(ExactOutcome::Optimal { bound: self.value, certificate: certificate("closed_form", self.value) })
    }
}

impl Bound for Known {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        Ok(Some(ProvenBound { value: self.value, certificate: certificate("closed_form", self.value) }))
    }
}

/// All that the budget toy offers; other objectives than its own get nothing.
pub fn budget(spec: &ProblemSpec, solution: &[f64], value: f64) -> Structure {
    if spec.scalar_limit("total", true) != Some(BUDGET) || spec.constraints.len() != 1 || !spec.fixed.is_empty() {
        return Structure::none("only its own problem is easy");
    }
    let (solution, again) = (solution.to_vec(), solution.to_vec());
    Structure {
        feasibility: Ok(Box::new(|| Box::new(BudgetFeasibility(BUDGET)))),
        gradient: Ok(Box::new(|| Box::new(BudgetGradient))),
        majorizer: Ok(Box::new(|| Box::new(BudgetMajorizer))),
        exact: Ok(Box::new(move || Box::new(Known { solution: solution.clone(), value }))),
        bound: Ok(Box::new(move || Box::new(Known { solution: again.clone(), value }))),
        ..Structure::none("the toy has no such thing")
    }
}

/// Gradients alone.
pub fn budget_gradient() -> Structure {
    Structure { gradient: Ok(Box::new(|| Box::new(BudgetGradient))), ..Structure::none("gradients alone") }
}

struct Rosenbrock;

impl Gradient for Rosenbrock {
    fn rows(&self) -> usize {
        0
    }
    fn objective(&mut self, x: &Design, gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut sum = 0.0;
        for i in 0..x.len() - 1 {
            let (rise, rest) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
            sum += 100.0 * rise * rise + rest * rest;
            gradient[i] += -400.0 * x[i] * rise - 2.0 * rest;
            gradient[i + 1] += 200.0 * rise;
        }
        sum
    }
    fn constraints(&mut self, _: &Design, _: &mut [f64], _: &mut [f64]) {}
}

/// The valley's gradient.
pub fn rosenbrock() -> Structure {
    Structure { gradient: Ok(Box::new(|| Box::new(Rosenbrock))), ..Structure::none("gradients alone") }
}

/// `sum e^{j (phase + offset)}`.
pub fn phasors(x: &[f64]) -> (f64, f64) {
    x.iter().enumerate().fold((0.0, 0.0), |(re, im), (i, x)| {
        let (s, c) = (x + 0.7 * (i * i) as f64).sin_cos();
        (re + c, im + s)
    })
}

struct Phasors;

impl Gradient for Phasors {
    fn rows(&self) -> usize {
        0
    }
    fn objective(&mut self, x: &Design, gradient: &mut [f64]) -> f64 {
        let (re, im) = phasors(x);
        for (i, (g, x)) in gradient.iter_mut().zip(x.iter()).enumerate() {
            let (s, c) = (x + 0.7 * (i * i) as f64).sin_cos();
            *g = 2.0 * (im * c - re * s);
        }
        re * re + im * im
    }
    fn constraints(&mut self, _: &Design, _: &mut [f64], _: &mut [f64]) {}
}

/// `|sum e^{j (phase + offset)}|² = x^H C x` with `C` of ones turned by the offsets, relaxed to `tr(C X)`, `X_nn = 1`.
struct PhasorLift {
    solution: Option<DMatrix<Complex<f64>>>,
}

impl Lift for PhasorLift {
    fn relax(&mut self) -> Result<Relaxed> {
        let turned = |i: usize| Complex::from_polar(1.0, 0.7 * (i * i) as f64);
        let c = DMatrix::from_fn(5, 5, |i, j| turned(i).conj() * turned(j));
        let mut program = HermitianProgram::new(Sense::Maximize);
        let x = program.matrix(5);
        program.trace_at_most(x, 5.0);
        (0..5).for_each(|i| {
            program.equal(x.entry(i, i), 1.0);
        });
        program.objective(x.inner(&c));
        let solution = program.solve();
        self.solution = Some(solution.matrix(x).clone());
        let bound = program.bound(&solution.dual);
        Ok(Relaxed::Solved { bound, rank: 1, exact: false, certificate: certificate("dual", bound) })
    }
    fn recover(&mut self, _: usize, _: Option<&mut RandomStream>, out: &mut Design) {
        let Some(x) = &self.solution else { return };
        let eigen = x.clone().symmetric_eigen();
        let principal = eigen.eigenvectors.column(eigen.eigenvalues.imax()).clone_owned();
        out.iter_mut().zip(principal.iter()).for_each(|(phase, x)| *phase = x.arg());
    }
    fn judge(&mut self, _: usize, design: &Design) -> Evaluation {
        let (re, im) = phasors(design);
        Evaluation { objective: re * re + im * im, violation: 0.0 }
    }
}

/// The phases' gradient and lift.
pub fn phases() -> Structure {
    Structure {
        gradient: Ok(Box::new(|| Box::new(Phasors))),
        lift: Ok(Box::new(|| Box::new(PhasorLift { solution: None }))),
        ..Structure::none("gradients and a lift alone")
    }
}

/// Two blocks to alternate over.
pub fn blocks() -> Structure {
    Structure { blocks: Ok(vec!["x".into(), "y".into()]), ..Structure::none("blocks alone") }
}

/// `max min(3 - x, x + 1)` on x: levels, with a step to the middle.
struct Tent;

impl LevelSet for Tent {
    fn range(&mut self) -> Result<(f64, f64)> {
        Ok((0.0, 10.0))
    }
    fn at(&mut self, level: f64, out: &mut Design) -> Result<Reached> {
        out[0] = 1.0;
        Ok(if level <= 2.0 { Reached::Yes } else { Reached::No(certificate("closed_form", 2.0)) })
    }
    fn ascend(&mut self, level: f64, out: &mut Design) -> Result<Option<Ascent>> {
        // Half of the way, as a relaxation that is not tight would.
        out[0] = 1.0;
        let bound = if level >= 2.0 { 2.0 } else { 10.0 };
        Ok(Some(Ascent { level: 2.0_f64.min(level + 1.0), bound, certificate: certificate("closed_form", bound) }))
    }
}

/// Levels of the tent.
pub fn tent() -> Structure {
    Structure { level_set: Ok(Box::new(|| Box::new(Tent))), ..Structure::none("levels alone") }
}

struct Contradiction;

impl Contradiction {
    /// `sum x <= r` and `sum x >= 2 / r` meet at `r = sqrt 2`, where both are missed by... `4/3 - 1 = 1 - (4/3) / 2`.
    fn middle() -> Design {
        Design::new(vec![4.0 / 18.0; 6])
    }
}

impl Feasibility for Contradiction {
    fn assess(&mut self) -> Result<Feasible> {
        let certificate = certificate("infeasibility", 4.0 / 3.0);
        Ok(Feasible::No { least_violating: Self::middle(), ratio: 4.0 / 3.0, certificate })
    }
    fn repair(&mut self, _: &mut Design) -> bool {
        false
    }
}

impl Exact for Contradiction {
    fn solve(&mut self, out: &mut Design) -> Result<ExactOutcome> {
        out.copy_from(&Self::middle());
        Ok(ExactOutcome::Infeasible { certificate: certificate("infeasibility", 4.0 / 3.0) })
    }
}

impl Bound for Contradiction {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        Ok(None)
    }
}

/// The proof that nothing is feasible.
pub fn infeasible() -> Structure {
    Structure {
        feasibility: Ok(Box::new(|| Box::new(Contradiction))),
        exact: Ok(Box::new(|| Box::new(Contradiction))),
        bound: Ok(Box::new(|| Box::new(Contradiction))),
        gradient: Ok(Box::new(|| Box::new(BudgetGradient))),
        ..Structure::none("nothing is feasible")
    }
}

struct Undefined;

impl Gradient for Undefined {
    fn rows(&self) -> usize {
        0
    }
    fn objective(&mut self, _: &Design, gradient: &mut [f64]) -> f64 {
        gradient.fill(f64::NAN);
        f64::NAN
    }
    fn constraints(&mut self, _: &Design, _: &mut [f64], _: &mut [f64]) {}
}

impl Majorizer for Undefined {
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()> {
        out.copy_from(design);
        out.fill(f64::NAN);
        Ok(())
    }
}

impl Exact for Undefined {
    fn solve(&mut self, _: &mut Design) -> Result<ExactOutcome> {
        Err(Error::Numerical("the toy has no optimum".into()))
    }
}

impl Feasibility for Undefined {
    fn assess(&mut self) -> Result<Feasible> {
        Ok(Feasible::Unknown)
    }
    fn repair(&mut self, design: &mut Design) -> bool {
        design.fill(f64::NAN);
        false
    }
}

/// Offers whose answers are no numbers.
pub fn undefined() -> Structure {
    Structure {
        feasibility: Ok(Box::new(|| Box::new(Undefined))),
        gradient: Ok(Box::new(|| Box::new(Undefined))),
        majorizer: Ok(Box::new(|| Box::new(Undefined))),
        exact: Ok(Box::new(|| Box::new(Undefined))),
        ..Structure::none("undefined")
    }
}
