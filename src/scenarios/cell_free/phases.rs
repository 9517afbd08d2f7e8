//! Multistatic CRLB limits for gains of any phases, as rows that hold at least what they must.
//!
//! With amplitudes `v_kl = sqrt(q_kl)` the beams' part of the information is `N_t sum_k |f_kp|²`,
//! `f_kp = sum_l alpha_lp v_kl`: convex, where the limit needs it to be large. It is at least its tangent
//! `2 Re(conj(f°) f) - |f°|²` at the design, which is linear, and exact there.

use super::System;
use super::limits::Limits;
use crate::conic::{Coefficient, Cone, Expression, Program, Variables};
use num_complex::Complex;

/// The rows of one access point's limit.
struct Tangent {
    access_point: usize,
    /// By stream and access point.
    amplitudes: Vec<Coefficient>,
    constant: Coefficient,
}

/// The multistatic rows of a program, tight at a design.
pub(super) struct Linearized {
    /// `v_kl` over the root of the budget, K x L.
    amplitudes: Variables,
    rows: Vec<Tangent>,
}

impl Linearized {
    pub fn new(
        program: &mut Program,
        system: &System,
        limits: &Limits,
        (communication, sensing): (Variables, Variables),
    ) -> Self {
        let (streams, access_points) = (system.users.users, system.users.access_points);
        let amplitudes = program.variables(streams * access_points);
        program.constrain(Cone::NonNegative, amplitudes.iter().map(Expression::from));
        for (l, q) in sensing.iter().enumerate() {
            let each = (0..streams).map(|k| Expression::from(amplitudes.get(k * access_points + l)));
            program.constrain(Cone::RotatedSecondOrder, [q.into(), 0.5.into()].into_iter().chain(each));
        }
        let coefficients = &system.sensing;
        let rows = (0..access_points).filter(|p| limits.multistatic[*p] > 0.0).map(|p| {
            let scale = limits.power / limits.multistatic[p];
            let spread = communication.iter().enumerate().map(|(l, c)| {
                let own = if l == p { coefficients.transmit[p] } else { 0.0 };
                (c, scale * coefficients.gain(l, p).norm_sqr() * (coefficients.receive[p] + own))
            });
            let beams = amplitudes.iter().map(|v| (v, 0.0));
            let row = program.constrain(Cone::NonNegative, [Expression::sum(spread.chain(beams)) - 1.0]).row(0);
            Tangent {
                access_point: p,
                amplitudes: amplitudes.iter().map(|v| program.coefficient(row, v)).collect(),
                constant: program.constant(row),
            }
        });
        let rows = rows.collect();
        Self { amplitudes, rows }
    }

    /// Moves the tangents to a design's sensing powers.
    pub fn at(&mut self, program: &mut Program, system: &System, limits: &Limits, sensing: &[f64]) {
        let access_points = system.users.access_points;
        let coefficients = &system.sensing;
        for row in &self.rows {
            let p = row.access_point;
            let scale = limits.power / limits.multistatic[p] * coefficients.receive[p] * coefficients.antennas;
            let mut constant = -1.0;
            for (k, stream) in sensing.chunks_exact(access_points).enumerate() {
                let gain = |l: usize| coefficients.gain(l, p);
                let heard: Complex<f64> =
                    stream.iter().enumerate().map(|(l, q)| gain(l) * (q / limits.power).sqrt()).sum();
                constant -= scale * heard.norm_sqr();
                for l in 0..access_points {
                    let slope = 2.0 * (heard.conj() * gain(l)).re;
                    program.set(row.amplitudes[k * access_points + l], scale * slope);
                }
            }
            program.set(row.constant, constant);
        }
    }

    /// Writes the sensing powers of a solution.
    pub fn read(&self, solution: &[f64], budget: f64, sensing: &mut [f64]) {
        for (q, v) in sensing.iter_mut().zip(&solution[self.amplitudes.range()]) {
            *q = budget * v.max(0.0).powi(2);
        }
    }
}
