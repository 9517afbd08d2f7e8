//! The paper's convex subproblem (paper 000, (42)-(46)) in closed form and as a conic program.
//!
//! At `theta_t` the gains' forms are at least `2 Re(theta^H Q theta_t) - theta_t^H Q theta_t`: linear. The echo's limit
//! becomes `Re(w^H theta) >= level`: with `w = conj(b) e^{j arg s_t}` and `level = s0` it implies `|s| >= s0` (the paper's
//! (42) asks for `(s0² + |s_t|²) / (2 |s_t|)`, which is more and can be infeasible where the problem is not); with a
//! measured line of sight it is the tangent of `||u||²`. Where all users share one form, the maximiser over discs is
//! `theta = exp(j arg(Q theta_t + nu w))`, nu >= 0 the root of `Re(w^H theta) = level` where `nu = 0` is not enough: of unit
//! modulus, so that (46) changes nothing. Users with forms of their own are weighted, see [`super::weighted_users`].

use std::sync::Arc;

use num_complex::Complex;

use super::echo::{Echo, Needed};
use super::gain::Gains;
use super::offers::Known;
use super::system::System;
use super::weighted_users::WeightedUsers;
use crate::conic::{Coefficient, Cone, Expression, Program, Sense, Variables};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::structure::{Majorizer, Surrogate};

/// What the echo's limit is to the phases.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    /// None, or one that a common turn of all phases meets.
    None,
    /// `|s|` at least this, linearised.
    Scalar(f64),
    /// The same as the paper's (42).
    Printed(f64),
    /// `||u||²` at least this, through a measured line of sight.
    Gain(f64),
}

/// What both forms need.
#[derive(Clone)]
pub(super) struct Parts {
    pub system: Arc<System>,
    pub gains: Arc<Gains>,
    pub echo: Arc<Echo>,
    condition: Condition,
}

impl Parts {
    /// The parts under a limit that can be reached; `printed` for the paper's (42).
    pub fn new(known: &Known, limit: f64, printed: bool) -> Self {
        let condition = match known.echo.needed(limit) {
            _ if limit <= 0.0 => Condition::None,
            _ if known.echo.is_measured() => Condition::Gain(limit),
            Needed::AtLeast(least) if least <= 0.0 => Condition::None,
            Needed::AtLeast(least) if printed => Condition::Printed(least),
            Needed::AtLeast(least) => Condition::Scalar(least),
            Needed::Unreachable => Condition::Scalar(f64::INFINITY),
        };
        Self { system: Arc::clone(&known.system), gains: known.gains(), echo: Arc::clone(&known.echo), condition }
    }

    /// Writes w, and gives the level that `Re(w^H theta)` must reach; none where there is no limit.
    pub fn limit(&self, phases: &[f64], w: &mut [Complex<f64>]) -> Option<f64> {
        let least = match self.condition {
            Condition::None => return None,
            Condition::Gain(limit) => return self.echo.tangent(phases, limit, w),
            Condition::Scalar(least) | Condition::Printed(least) => least,
        };
        let s = self.echo.scalar(phases);
        let size = s.norm();
        let turn = if size > 0.0 { s / size } else { Complex::new(1.0, 0.0) };
        w.iter_mut().zip(&self.echo.weights).for_each(|(w, b)| *w = b.conj() * turn);
        let printed = matches!(self.condition, Condition::Printed(_)) && size > 0.0;
        Some(if printed { 0.5 * (least * least / size + size) } else { least })
    }
}

/// The maximiser in closed form, where all users share one form; else through the users' weights.
pub(super) struct ClosedForm {
    parts: Parts,
    theta: Vec<Complex<f64>>,
    image: Vec<Complex<f64>>,
    w: Vec<Complex<f64>>,
    several: Option<WeightedUsers>,
}

impl ClosedForm {
    pub fn new(parts: Parts) -> Self {
        let n = parts.system.elements();
        let zeros = || vec![Complex::default(); n];
        let several = (!parts.gains.shared()).then(|| WeightedUsers::new(parts.gains.users.len(), n));
        Self { parts, theta: zeros(), image: zeros(), w: zeros(), several }
    }
}

/// The price nu at which the phases of `image + nu w` have `Re(w^H theta) >= level`, 0 where no price is needed.
fn price(image: &[Complex<f64>], w: &[Complex<f64>], level: f64) -> f64 {
    let reached = |nu: f64| -> f64 {
        let each = image.iter().zip(w).map(|(g, w)| {
            let sum = g + w * nu;
            let norm = sum.norm();
            if norm > 0.0 { (w.conj() * sum).re / norm } else { 0.0 }
        });
        each.sum()
    };
    if reached(0.0) >= level {
        return 0.0;
    }
    let scale = image.iter().map(|g| g.norm()).fold(f64::MIN_POSITIVE, f64::max);
    let (mut low, mut high) = (0.0, scale);
    let mut doublings = 0;
    while reached(high) < level && doublings < 200 {
        (low, high) = (high, 2.0 * high);
        doublings += 1;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high || high - low <= 1e-15 * high {
            return high;
        }
        if reached(middle) < level { low = middle } else { high = middle }
    }
}

impl Majorizer for ClosedForm {
    fn maximize(&mut self, design: &Design, out: &mut Design) -> Result<()> {
        let Self { parts, theta, image, w, several } = self;
        theta.iter_mut().zip(design.iter()).for_each(|(t, phase)| *t = Complex::cis(*phase));
        let level = parts.limit(design, w);
        match several {
            None => {
                parts.gains.apply(0, theta, image);
                if let Some(level) = level {
                    let nu = price(image, w, level);
                    image.iter_mut().zip(w.iter()).for_each(|(g, w)| *g += w * nu);
                }
            }
            Some(users) => users.maximize(&parts.gains, theta, level.map(|level| (&w[..], level)), image),
        }
        out.copy_from(design);
        for (phase, g) in out.iter_mut().zip(image.iter()) {
            // An element without influence keeps its phase.
            if g.norm_sqr() > 0.0 {
                *phase = g.arg();
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
    sensing: Option<(Vec<[Coefficient; 2]>, Coefficient)>,
    w: Vec<Complex<f64>>,
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
        let sensing = (parts.condition != Condition::None).then(|| {
            let row = program.constrain(Cone::NonNegative, [blank() - 1.0]).row(0);
            (both(&mut program, row), program.constant(row))
        });
        let zeros = || vec![Complex::default(); n];
        let (theta, image, w) = (zeros(), zeros(), zeros());
        Self { parts, program, re, im, rows, sensing, w, theta, image }
    }
}

impl Surrogate for ConicForm {
    fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    fn at(&mut self, design: &Design) -> Result<()> {
        let Self { parts, program, rows, sensing, w, theta, image, .. } = self;
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
        if let (Some((places, constant)), Some(level)) = (sensing, parts.limit(design, w)) {
            let scale = w.iter().map(|w| w.norm()).sum::<f64>().max(f64::MIN_POSITIVE);
            for (place, w) in places.iter().zip(w.iter()) {
                program.set(place[0], w.re / scale);
                program.set(place[1], w.im / scale);
            }
            program.set(*constant, -level / scale);
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
