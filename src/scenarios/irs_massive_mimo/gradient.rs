//! Derivatives by the phases. Every metric is a function of the five scalars of the phases ([`super::scalars`]): it is
//! evaluated once in numbers that carry their derivatives by these, and the chain rule does the rest. With
//! `z = Theta^H a_I`, `r = R_I z`, `x = Theta r`, `y = R_I x`, `W = |R_I|²`, `G = R_I Theta R_I`:
//!
//! ```text
//! dh/dphase_n  = -2 Im(z_n^* r_n)
//! dt/dphase_n  =  2 Im(theta_n^* (W theta)_n)
//! dh2/dphase_n =  2 Im(x_n^* y_n) - 2 Im(z_n^* (R_I (theta^* o y))_n)
//! dt2/dphase_n = -4 Im(theta_n (R_I Theta^* G Theta^* R_I)_nn)
//! ds/dphase_n  =  j b_n theta_n
//! ```
//!
//! The least of several users' figures has no derivative where two are equal: its gradient is that of the least one, and
//! the figures are offered one by one ([`Gradient::worst_of`]).

use std::sync::Arc;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use num_complex::Complex;

use super::figures::{Figures, Traces};
use super::general_gradient;
use super::metrics::{index, infos};
use super::offers::Known;
use super::rank_one;
use super::scalars::{Scalars, Scratch};
use super::system::{RankOne, Statistics, System};
use crate::design::Design;
use crate::math::{Dual, Real, settle};
use crate::metric::Direction;
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::{Gradient, Offer, Refusal};

/// Beyond so many elements there are no derivatives: full matrices are multiplied.
const LARGEST: usize = 2048;

/// The scalars as six real numbers.
const SCALARS: usize = 6;
type Number = Dual<SCALARS>;

/// One limit on one entry of a metric.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub metric: usize,
    pub entry: usize,
    pub limit: f64,
    pub upper: bool,
}

/// What a problem asks derivatives of.
#[derive(Clone)]
pub(super) struct Asked {
    /// The objective's metrics and their weights.
    pub terms: Vec<(usize, f64)>,
    pub rows: Vec<Row>,
    /// Whether anything beyond gains is asked of.
    pub rates: bool,
    /// The metric with an entry a user whose least is the objective, and their number.
    pub pieces: Option<(usize, usize)>,
}

impl Row {
    /// The constraint's value and the factor of the metric's derivatives; none where there is no limit.
    pub fn scaled(&self, value: f64) -> Option<(f64, f64)> {
        if self.limit.is_infinite() {
            return None;
        }
        let sign = if self.upper { 1.0 } else { -1.0 };
        let scale = if self.limit == 0.0 { sign } else { sign / self.limit.abs() };
        Some((scale * (value - self.limit), scale))
    }
}

struct Derivatives {
    system: Arc<System>,
    basis: RankOne,
    asked: Asked,
    work: Scratch,
    traces: Traces<Number>,
    figures: Figures<Number>,
    /// By scalar, its derivatives by the phases.
    slopes: [Vec<f64>; SCALARS],
    theta: Vec<Complex<f64>>,
}

/// What a problem asks of, or why it cannot be had.
fn asked(system: &System, problem: &ProblemSpec) -> Result<Asked, Refusal> {
    let infos = infos(system.users());
    let find = |id: &String| match infos.iter().position(|m| m.id == *id) {
        Some(metric) => Ok(metric),
        None => Err(Refusal::new(format!("`{id}` is no metric of the model"))),
    };
    let terms = match &problem.objective {
        Objective::Metric(id) => vec![(find(id)?, 1.0)],
        Objective::WeightedSum(sum) => {
            let mut terms = Vec::new();
            for (id, weight) in sum {
                let metric = find(id)?;
                terms.push((metric, weight * infos[metric].direction.map_or(1.0, Direction::sign)));
            }
            terms
        }
    };
    let mut rows = Vec::new();
    for constraint in &problem.constraints {
        let metric = find(&constraint.metric)?;
        let (limits, upper) = match &constraint.limit {
            Limit::AtMost(limits) => (limits, true),
            Limit::AtLeast(limits) => (limits, false),
        };
        for entry in 0..infos[metric].len() {
            rows.push(Row { metric, entry, limit: limits[if limits.len() == 1 { 0 } else { entry }], upper });
        }
    }
    let used = terms.iter().map(|(m, _)| *m).chain(rows.iter().map(|r| r.metric));
    let rates = used.into_iter().any(|m| m > index::SENSING_GAIN);
    let least = |figure| (system.users() > 1).then_some((figure, system.users()));
    let pieces = match &problem.objective {
        Objective::Metric(_) if terms[0].0 == index::MIN_RATE => least(index::RATE),
        // Where all gains grow with one form of the phases, more of it is more for everybody.
        Objective::Metric(_) if terms[0].0 == index::MIN_GAIN => match &system.statistics {
            Statistics::RankOne(_) => None,
            Statistics::General(_) => least(index::GAIN),
        },
        _ => None,
    };
    Ok(Asked { terms, rows, rates, pieces })
}

/// The derivatives for a problem, or why there are none.
pub(super) fn offer(known: &Arc<Known>, problem: &ProblemSpec) -> Offer<dyn Gradient> {
    let system = &known.system;
    let asked = asked(system, problem)?;
    let Statistics::RankOne(basis) = &system.statistics else { return general_gradient::offer(known, asked) };
    if system.elements() > LARGEST {
        return Err(Refusal::new(format!("derivatives are computed for up to {LARGEST} elements")));
    }
    let (system, basis) = (Arc::clone(system), basis.clone());
    Ok(Box::new(move || {
        let n = system.elements();
        let users = system.users();
        Box::new(Derivatives {
            basis: basis.clone(),
            asked: asked.clone(),
            work: Scratch::new(n),
            traces: Traces::new(users),
            figures: Figures::new(users),
            slopes: std::array::from_fn(|_| vec![0.0; n]),
            theta: vec![Complex::default(); n],
            system: Arc::clone(&system),
        })
    }))
}

impl Derivatives {
    /// Takes a design: all figures with their derivatives by the scalars, and those of the scalars by the phases.
    fn at(&mut self, phases: &[f64]) {
        let plain = Scalars::of(&self.system, phases, self.asked.rates, &mut self.work);
        let number = |value, direction| Number::variable(value, direction);
        let scalars = Scalars {
            los: number(plain.los, 0),
            scatter: number(plain.scatter, 1),
            los_scatter: number(plain.los_scatter, 2),
            scatter_squared: number(plain.scatter_squared, 3),
            sensing: [number(plain.sensing[0], 4), number(plain.sensing[1], 5)],
        };
        rank_one::traces(&self.system, &self.basis, &scalars, &mut self.traces);
        self.figures.assemble(&self.system, &self.traces);
        self.scalar_slopes(phases);
    }

    fn scalar_slopes(&mut self, phases: &[f64]) {
        let system = &self.system;
        let n = phases.len();
        system.reflection(phases, &mut self.theta);
        let theta = &self.theta;
        let zeros = || vec![Complex::<f64>::default(); n];
        let times = |x: &[Complex<f64>]| {
            let mut out = zeros();
            system.irs.apply(x, &mut out);
            out
        };
        let z: Vec<_> = theta.iter().zip(&system.irs_steering).map(|(t, a)| t.conj() * a).collect();
        let r = times(&z);
        let mut squares = zeros();
        system.irs.apply_squares(theta, &mut squares);
        let [los, scatter, los_scatter, scatter_squared, re, im] = &mut self.slopes;
        for i in 0..n {
            los[i] = -2.0 * (z[i].conj() * r[i]).im;
            let s = Complex::<f64>::i() * system.irs_steering[i].conj() * theta[i] * system.irs_target[i];
            (re[i], im[i]) = (s.re, s.im);
            scatter[i] = 2.0 * (theta[i].conj() * squares[i]).im;
        }
        if !self.asked.rates {
            los_scatter.fill(0.0);
            scatter_squared.fill(0.0);
            return;
        }
        let x: Vec<_> = theta.iter().zip(&r).map(|(t, r)| t * r).collect();
        let y = times(&x);
        let turned: Vec<_> = theta.iter().zip(&y).map(|(t, y)| t.conj() * y).collect();
        let back = times(&turned);
        for i in 0..n {
            los_scatter[i] = 2.0 * (x[i].conj() * y[i]).im - 2.0 * (z[i].conj() * back[i]).im;
        }
        let one = Complex::new(1.0, 0.0);
        let full = system.irs.matrix();
        let product = |a: &Mat<Complex<f64>>| {
            let mut out = Mat::zeros(n, n);
            matmul(out.as_mut(), Accum::Replace, a.as_ref(), full.as_ref(), one, Par::Seq);
            settle();
            out
        };
        let g = product(&Mat::from_fn(n, n, |i, j| full[(i, j)] * theta[j]));
        let p = product(&Mat::from_fn(n, n, |i, j| theta[i].conj() * g[(i, j)] * theta[j].conj()));
        for i in 0..n {
            let diagonal: Complex<f64> = (0..n).map(|k| full[(i, k)] * p[(k, i)]).sum();
            scatter_squared[i] = -4.0 * (theta[i] * diagonal).im;
        }
    }

    /// A metric's entry with its derivatives by the scalars.
    fn metric(&self, metric: usize, entry: usize) -> Number {
        let (figures, system) = (&self.figures, &self.system);
        match metric {
            index::GAIN => figures.gain[entry],
            index::MIN_GAIN => least(&figures.gain),
            index::SENSING_GAIN => figures.sensing_gain,
            index::SINR => figures.sinr(entry),
            index::RATE => figures.rate(system, entry),
            index::MIN_RATE => {
                let rates: Vec<_> = (0..system.users()).map(|k| figures.rate(system, k)).collect();
                least(&rates)
            }
            index::SUM_RATE => (0..system.users()).fold(Number::from(0.0), |sum, k| sum + figures.rate(system, k)),
            index::SENSING_SNR => figures.sensing_snr,
            index::DESIRED => figures.desired[entry],
            index::UNCERTAINTY => figures.uncertainty[entry],
            _ => figures.interference[entry],
        }
    }

    /// Adds a number's derivatives by the phases.
    fn pull(&self, number: Number, factor: f64, out: &mut [f64]) {
        for (slope, by_phase) in number.slopes.iter().zip(&self.slopes) {
            let weight = factor * slope;
            if weight != 0.0 {
                out.iter_mut().zip(by_phase).for_each(|(o, s)| *o += weight * s);
            }
        }
    }
}

fn least(numbers: &[Number]) -> Number {
    let infinite = Number::from(f64::INFINITY);
    numbers.iter().fold(infinite, |least, next| if next.value() < least.value() { *next } else { least })
}

impl Gradient for Derivatives {
    fn rows(&self) -> usize {
        self.asked.rows.len()
    }

    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
        self.at(design);
        gradient.fill(0.0);
        let mut sum = 0.0;
        for (metric, weight) in &self.asked.terms {
            let number = self.metric(*metric, 0);
            sum += weight * number.value;
            self.pull(number, *weight, gradient);
        }
        sum
    }

    fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        self.at(design);
        jacobian.fill(0.0);
        let n = design.len();
        for (i, row) in self.asked.rows.iter().enumerate() {
            let number = self.metric(row.metric, row.entry);
            values[i] = f64::NEG_INFINITY;
            if let Some((value, scale)) = row.scaled(number.value) {
                values[i] = value;
                self.pull(number, scale, &mut jacobian[i * n..(i + 1) * n]);
            }
        }
    }

    fn pieces(&self) -> usize {
        self.asked.pieces.map_or(0, |(_, users)| users)
    }

    fn worst_of(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        let Some((metric, users)) = self.asked.pieces else { return };
        self.at(design);
        jacobian.fill(0.0);
        let n = design.len();
        for k in 0..users {
            let number = self.metric(metric, k);
            values[k] = number.value;
            self.pull(number, 1.0, &mut jacobian[k * n..(k + 1) * n]);
        }
    }
}
