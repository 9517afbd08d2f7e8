//! Derivatives by the phases where statistics are measured. Gains and the echo are quadratic forms, whose derivatives are
//! exact; rates and what goes with them are differentiated numerically, by differences of fourth order.

use std::sync::Arc;

use num_complex::Complex;

use super::figures::Figures;
use super::gradient::Asked;
use super::metrics::{Scratch, figures, index};
use super::offers::Known;
use crate::design::Design;
use crate::structure::{Gradient, Offer, Refusal};

/// Beyond so many elements rates are not differentiated: each element takes four evaluations.
const LARGEST: usize = 128;

/// The step of the differences in rad: truncation and rounding are both about 1e-12 of the values.
const STEP: f64 = 1e-3;

/// Offsets in steps, and the weights of the values there over a step.
const STENCIL: [(f64, f64); 4] = [(-2.0, 1.0 / 12.0), (-1.0, -8.0 / 12.0), (1.0, 8.0 / 12.0), (2.0, -1.0 / 12.0)];

/// The derivatives, or why there are none.
pub(super) fn offer(known: &Arc<Known>, asked: Asked) -> Offer<dyn Gradient> {
    if asked.rates && known.system.elements() > LARGEST {
        let why = format!("with measured statistics rates are differentiated for up to {LARGEST} elements");
        return Err(Refusal::new(why));
    }
    let known = Arc::clone(known);
    Ok(Box::new(move || {
        let n = known.system.elements();
        Box::new(Measured {
            work: Scratch::new(&known.system),
            entries: Vec::new(),
            values: Vec::new(),
            slopes: Vec::new(),
            theta: vec![Complex::default(); n],
            image: vec![Complex::default(); n],
            known: Arc::clone(&known),
            asked: asked.clone(),
        })
    }))
}

struct Measured {
    known: Arc<Known>,
    asked: Asked,
    work: Scratch,
    /// What was asked of last: metrics and their entries; the values; derivatives row-major.
    entries: Vec<(usize, usize)>,
    values: Vec<f64>,
    slopes: Vec<f64>,
    theta: Vec<Complex<f64>>,
    image: Vec<Complex<f64>>,
}

/// An entry of a metric.
fn value(known: &Known, of: &Figures, (metric, entry): (usize, usize)) -> f64 {
    let system = &known.system;
    let rates = || (0..system.users()).map(|k| of.rate(system, k));
    match metric {
        index::GAIN => of.gain[entry],
        index::MIN_GAIN => of.gain.iter().copied().fold(f64::INFINITY, f64::min),
        index::SENSING_GAIN => of.sensing_gain,
        index::SINR => of.sinr(entry),
        index::RATE => of.rate(system, entry),
        index::SUM_RATE => rates().sum(),
        index::MIN_RATE => rates().fold(f64::INFINITY, f64::min),
        index::SENSING_SNR => of.sensing_snr,
        index::DESIRED => of.desired[entry],
        index::UNCERTAINTY => of.uncertainty[entry],
        _ => of.interference[entry],
    }
}

impl Measured {
    /// Values and derivatives of the entries; undefined ones become NaN.
    fn at(&mut self, design: &Design) {
        let (known, entries) = (Arc::clone(&self.known), std::mem::take(&mut self.entries));
        let (n, rates) = (design.len(), self.asked.rates);
        self.values.clear();
        self.slopes.clear();
        self.slopes.resize(entries.len() * n, 0.0);
        match figures(&known.system, design, rates, &mut self.work) {
            Ok(of) => self.values.extend(entries.iter().map(|e| value(&known, of, *e))),
            Err(_) => self.values.resize(entries.len(), f64::NAN),
        }
        let gains = known.gains();
        let numerical = |metric: usize| metric > index::SENSING_GAIN;
        for (row, (metric, entry)) in entries.iter().enumerate().filter(|(_, (m, _))| !numerical(*m)) {
            let out = &mut self.slopes[row * n..(row + 1) * n];
            if *metric == index::SENSING_GAIN {
                known.echo.slopes(design, out);
                continue;
            }
            let own = |k: &usize| known.system.users() > 0 && self.work.gain(*k) == self.values[row];
            let user = if *metric == index::GAIN { *entry } else { (0..known.system.users()).find(own).unwrap_or(0) };
            let (_, factor, form) = gains.users[user];
            self.theta.iter_mut().zip(design.iter()).for_each(|(t, phase)| *t = Complex::cis(*phase));
            gains.apply(form, &self.theta, &mut self.image);
            for ((o, t), q) in out.iter_mut().zip(&self.theta).zip(&self.image) {
                *o = 2.0 * factor * (t.conj() * q).im;
            }
        }
        if entries.iter().any(|(m, _)| numerical(*m)) {
            let mut moved = design.clone();
            for i in 0..n {
                for (offset, weight) in STENCIL {
                    moved[i] = design[i] + offset * STEP;
                    let of = figures(&known.system, &moved, true, &mut self.work);
                    for (row, entry) in entries.iter().enumerate().filter(|(_, (m, _))| numerical(*m)) {
                        let there = of.as_ref().map_or(f64::NAN, |of| value(&known, of, *entry));
                        self.slopes[row * n + i] += weight * there / STEP;
                    }
                }
                moved[i] = design[i];
            }
        }
        self.entries = entries;
    }

    fn ask(&mut self, design: &Design, entries: impl Iterator<Item = (usize, usize)>) {
        self.entries.clear();
        self.entries.extend(entries);
        self.at(design);
    }
}

impl Gradient for Measured {
    fn rows(&self) -> usize {
        self.asked.rows.len()
    }

    fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
        let asked = self.asked.clone();
        self.ask(design, asked.terms.iter().map(|(metric, _)| (*metric, 0)));
        gradient.fill(0.0);
        let n = design.len();
        for ((_, weight), slopes) in asked.terms.iter().zip(self.slopes.chunks_exact(n)) {
            gradient.iter_mut().zip(slopes).for_each(|(g, s)| *g += weight * s);
        }
        asked.terms.iter().zip(&self.values).map(|((_, weight), value)| weight * value).sum()
    }

    fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        let asked = self.asked.clone();
        self.ask(design, asked.rows.iter().map(|row| (row.metric, row.entry)));
        jacobian.fill(0.0);
        let n = design.len();
        for (i, row) in asked.rows.iter().enumerate() {
            values[i] = f64::NEG_INFINITY;
            if let Some((value, scale)) = row.scaled(self.values[i]) {
                values[i] = value;
                let slopes = &self.slopes[i * n..(i + 1) * n];
                jacobian[i * n..(i + 1) * n].iter_mut().zip(slopes).for_each(|(j, s)| *j = scale * s);
            }
        }
    }

    fn pieces(&self) -> usize {
        self.asked.pieces.map_or(0, |(_, users)| users)
    }

    fn worst_of(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
        let Some((metric, users)) = self.asked.pieces else { return };
        self.ask(design, (0..users).map(|k| (metric, k)));
        values.copy_from_slice(&self.values);
        jacobian.copy_from_slice(&self.slopes);
    }
}
