//! Named starts and the paper's comparison schemes.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use num_complex::Complex;
use serde_json::Value;

use super::gain::Gains;
use super::offers::Known;
use super::system::System;
use crate::design::Design;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::model::{Baseline, Named, Reported};
use crate::problem::{Problem, ProblemSpec};

/// The named starts.
pub(super) const STARTS: [Named; 3] = [
    Named { name: "plane_wave", description: "the plane wave over the surface with the largest average channel gain" },
    Named { name: "sensing_aligned", description: "the phases of the largest gain of the echo channel" },
    Named { name: "flat", description: "all phases 0" },
];

/// Plane waves are looked for on a grid of so many slopes an axis.
const SLOPES: usize = 9;

/// A start by name.
pub(super) fn start(known: &Known, name: &str) -> Option<Result<Design>> {
    let (system, echo) = (&known.system, &known.echo);
    let mut phases = vec![0.0; system.elements()];
    match name {
        "plane_wave" => {
            if !known.has_forms() {
                let found = format!("plane_wave for {} elements", phases.len());
                return Some(Err(InputError::new("start", found, "`sensing_aligned` or `flat`").into()));
            }
            best_plane_wave(system, &known.gains(), &mut phases);
            echo.turn(&mut phases);
        }
        "sensing_aligned" => echo.aligned(&mut phases),
        "flat" => {}
        _ => return None,
    }
    Some(Ok(Design::new(phases)))
}

/// The phases `arg a_I + k . (m1, m2)` with the largest least gain, over a grid of slopes k: what a closed form of the
/// line-of-sight term comes close to (a wave along the surface, not the one that is aligned with `a_I`).
pub(super) fn best_plane_wave(system: &System, gains: &Gains, phases: &mut [f64]) {
    let (rows, n) = (system.instance.irs_array.rows, phases.len());
    let (mut theta, mut image) = (vec![Complex::default(); n], vec![Complex::default(); n]);
    let mut best = f64::NEG_INFINITY;
    for step in 0..SLOPES * SLOPES {
        let slope = |i: usize| PI * (2.0 * i as f64 / (SLOPES - 1) as f64 - 1.0);
        let (first, second) = (slope(step % SLOPES), slope(step / SLOPES));
        for (i, (t, a)) in theta.iter_mut().zip(&system.irs_steering).enumerate() {
            *t = a * Complex::cis(first * (i % rows) as f64 + second * (i / rows) as f64);
        }
        let mut least = f64::INFINITY;
        for form in 0..gains.forms.len() {
            gains.apply(form, &theta, &mut image);
            let value: f64 = theta.iter().zip(&image).map(|(t, q)| (t.conj() * q).re).sum();
            let users = (0..gains.users.len()).filter(|k| gains.users[*k].2 == form);
            least = users.map(|k| gains.gain(k, value)).fold(least, f64::min);
        }
        if least > best {
            best = least;
            phases.iter_mut().zip(&theta).for_each(|(phase, t)| *phase = t.arg());
        }
    }
}

fn without_parameters(parameters: &Value) -> Result<()> {
    match parameters.as_object().and_then(|o| o.keys().next()) {
        Some(unknown) => Err(InputError::unknown(unknown.as_str(), unknown, []).into()),
        None => Ok(()),
    }
}

/// The phases of the largest `||u||²`, whatever the problem is.
pub(super) struct SensingAligned(pub Arc<Known>);

impl Baseline for SensingAligned {
    fn named(&self) -> Named {
        Named { name: "sensing_aligned", description: "the phases of the largest gain of the echo channel" }
    }

    fn design(&self, _problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        without_parameters(parameters)?;
        let mut phases = vec![0.0; self.0.system.elements()];
        self.0.echo.aligned(&mut phases);
        Ok(Design::new(phases))
    }
}

/// Phases drawn evenly from the circle, the paper's comparison.
pub(super) struct RandomPhases(pub Arc<Known>);

impl Baseline for RandomPhases {
    fn named(&self) -> Named {
        Named { name: "random_phases", description: "phases drawn evenly from the circle" }
    }

    fn design(&self, _problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        self.draw(parameters, &mut RandomStream::keyed(0, "random phases", "irs_massive_mimo", 0, 0))
    }

    fn run(
        &self,
        _problem: &Problem,
        _start: Option<&Design>,
        random: &mut RandomStream,
        parameters: &Value,
    ) -> Result<Reported> {
        Ok(Reported { design: self.draw(parameters, random)?, bound: None, optimal: false })
    }
}

impl RandomPhases {
    fn draw(&self, parameters: &Value, random: &mut RandomStream) -> Result<Design> {
        without_parameters(parameters)?;
        Ok(Design::new((0..self.0.system.elements()).map(|_| TAU * random.uniform()).collect()))
    }
}
