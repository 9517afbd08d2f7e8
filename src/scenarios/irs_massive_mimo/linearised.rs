//! The paper's convex subproblem (paper 000, (42)-(46)) in closed form and as a conic program.
//!
//! At `theta_t` the gains' forms are at least `2 Re(theta^H Q theta_t) - theta_t^H Q theta_t`: linear. With the echo's
//! limit as `Re(w^H theta) >= s0`, `w = conj(b) e^{j arg s_t}` (it implies `|s| >= s0`; the paper's (42) asks for more and
//! can be infeasible where the problem is not), the maximiser over discs is
//! `theta = exp(j arg(Q theta_t + nu w))`, nu >= 0 the root of `Re(w^H theta) = s0` where `nu = 0` is not enough: of unit
//! modulus, so that (46) changes nothing.

use std::sync::Arc;

use num_complex::Complex;

use super::echo::{Echo, Needed};
use super::gain::Gains;
use super::offers::Known;
use super::system::System;
use crate::conic::{Coefficient, Cone, Expression, Program, Sense, Variables};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::structure::{Majorizer, Surrogate};

/// What both forms need.
#[derive(Clone)]
pub(super) struct Parts {
    pub system: Arc<System>,
    pub gains: Arc<Gains>,
    pub echo: Arc<Echo>,
    /// `s0`.
    pub least: f64,
}

impl Parts {
    /// The parts under a limit that can be reached.
    pub fn new(known: &Known, limit: f64) -> Self {
        let least = match known.echo.needed(limit) {
            Needed::AtLeast(least) => least,
            Needed::Unreachable => f64::INFINITY,
        };
        Self { system: Arc::clone(&known.system), gains: known.gains(), echo: Arc::clone(&known.echo), least }
    }

    /// `w = conj(b) e^{j arg s}` at `theta`, and `e^{j arg s}`; 1 where s is 0.
    fn direction(&self, phases: &[f64]) -> Complex<f64> {
        let s = self.echo.scalar(phases);
        if s.norm() > 0.0 { s / s.norm() } else { Complex::new(1.0, 0.0) }
    }
}

/// The maximiser in closed form, where all users share one form.
pub(super) struct ClosedForm {
    parts: Parts,
    theta: Vec<Complex<f64>>,
    image: Vec<Complex<f64>>,
}

impl ClosedForm {
    pub fn new(parts: Parts) -> Self {
        let n = parts.system.elements();
        Self { parts, theta: vec![Complex::default(); n], image: vec![Complex::default(); n] }
    }
}

impl Majorizer for ClosedForm {
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()> {
        let Self { parts, theta, image } = self;
        theta.iter_mut().zip(design.iter()).for_each(|(t, phase)| *t = Complex::cis(*phase));
        parts.gains.apply(0, theta, image);
        out.copy_from(design);
        // Re(w^H theta) at the phases of Q theta_t + nu w.
        let turn = parts.direction(design);
        let weights = &parts.echo.weights;
        let reached = |nu: f64| -> f64 {
            let pairs = image.iter().zip(weights);
            pairs
                .map(|(g, b)| {
                    let w = b.conj() * turn;
                    let sum = g + w * nu;
                    let norm = sum.norm();
                    if norm > 0.0 { (w.conj() * sum).re / norm } else { 0.0 }
                })
                .sum()
        };
        let mut nu = 0.0;
        if parts.least > 0.0 && reached(0.0) < parts.least {
            let scale = image.iter().map(|g| g.norm()).fold(f64::MIN_POSITIVE, f64::max);
            let (mut low, mut high) = (0.0, scale);
            let mut doublings = 0;
            while reached(high) < parts.least && doublings < 200 {
                (low, high) = (high, 2.0 * high);
                doublings += 1;
            }
            loop {
                let middle = 0.5 * (low + high);
                if middle <= low || middle >= high {
                    break;
                }
                if reached(middle) < parts.least { low = middle } else { high = middle }
            }
            nu = high;
        }
        for ((phase, g), b) in out.iter_mut().zip(image.iter()).zip(weights) {
            let sum = g + b.conj() * turn * nu;
            // An element without influence keeps its phase.
            if sum.norm() > 0.0 {
                *phase = sum.arg();
            }
        }
        parts.echo.turn(out);
        Ok(())
    }
}

/// The conic program: theta in discs, the least gain as one more variable.
pub(super) struct ConicForm {
    parts: Parts,
    program: Program,
    re: Variables,
    im: Variables,
    /// By user, the coefficients of theta and the constant in the row of its gain.
    rows: Vec<(Vec<[Coefficient; 2]>, Coefficient)>,
    sensing: Option<Vec<[Coefficient; 2]>>,
    theta: Vec<Complex<f64>>,
    image: Vec<Complex<f64>>,
}

impl ConicForm {
    pub fn new(parts: Parts) -> Self {
        let n = parts.system.elements();
        let mut program = Program::new(Sense::Maximize);
        let (re, im) = (program.variables(n), program.variables(n));
        let least = program.variables(1).get(0);
        program.objective(least);
        for (x, y) in re.iter().zip(im.iter()) {
            program.constrain(Cone::SecondOrder, [1.0.into(), x.into(), y.into()]);
        }
        let both = |program: &mut Program, row| -> Vec<[Coefficient; 2]> {
            re.iter().zip(im.iter()).map(|(x, y)| [program.coefficient(row, x), program.coefficient(row, y)]).collect()
        };
        let blank = || Expression::sum(re.iter().chain(im.iter()).map(|v| (v, 0.0)));
        let rows = (0..parts.gains.users.len())
            .map(|_| {
                let row = program.constrain(Cone::NonNegative, [blank() - least]).row(0);
                (both(&mut program, row), program.constant(row))
            })
            .collect();
        let sensing = (parts.least > 0.0).then(|| {
            let row = program.constrain(Cone::NonNegative, [blank() - 1.0]).row(0);
            both(&mut program, row)
        });
        let zeros = || vec![Complex::default(); n];
        let (theta, image) = (zeros(), zeros());
        Self { parts, program, re, im, rows, sensing, theta, image }
    }
}

impl Surrogate for ConicForm {
    fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    fn at(&mut self, design: &Design) -> Result<()> {
        let Self { parts, program, rows, sensing, theta, image, .. } = self;
        if design.len() != theta.len() {
            return Err(Error::Numerical("a design of another space".into()));
        }
        theta.iter_mut().zip(design.iter()).for_each(|(t, phase)| *t = Complex::cis(*phase));
        for form in 0..parts.gains.forms.len() {
            parts.gains.apply(form, theta, image);
            let value: f64 = theta.iter().zip(image.iter()).map(|(t, q)| (t.conj() * q).re).sum();
            for (k, (coefficients, constant)) in rows.iter().enumerate() {
                let (direct, factor, own) = parts.gains.users[k];
                if own != form {
                    continue;
                }
                for (places, g) in coefficients.iter().zip(image.iter()) {
                    program.set(places[0], 2.0 * factor * g.re);
                    program.set(places[1], 2.0 * factor * g.im);
                }
                program.set(*constant, direct - factor * value);
            }
        }
        if let Some(places) = sensing {
            let turn = parts.direction(design);
            for (place, b) in places.iter().zip(&parts.echo.weights) {
                let w = b.conj() * turn / parts.least;
                program.set(place[0], w.re);
                program.set(place[1], w.im);
            }
        }
        Ok(())
    }

    fn read(&self, solution: &[f64], design: &mut Design) {
        let parts = self.re.range().zip(self.im.range());
        for (phase, (x, y)) in design.iter_mut().zip(parts) {
            let z = Complex::new(solution[x], solution[y]);
            if z.norm() > 0.0 {
                *phase = z.arg();
            }
        }
        self.parts.echo.turn(design);
    }
}
