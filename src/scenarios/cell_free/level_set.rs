//! Which least rates can be reached (orthogonal pilots): a conic program a level.
//!
//! A level asks each SINR to be at least S: `G_k >= S I_k`, convex in the stream powers ([`super::streams`]). The program
//! minimises the factor on all power limits that it takes. The level is reached if and only if that is at most 1; a
//! dual bound above 1, or a certificate of infeasibility (interference alone is too strong), proves that it is not.

use std::sync::Arc;

use super::System;
use super::limits::{Limits, Utility};
use super::streams::Streams;
use crate::conic::{Coefficient, Cone, Program, Sense, Settings, Status, Variable};
use crate::design::Design;
use crate::error::Result;
use crate::structure::{Certificate, Feasibility, LevelSet, Reached};

/// The offer of [`LevelSet`] for the least rate.
pub(super) struct MaxMin {
    system: Arc<System>,
    limits: Limits,
    repair: Box<dyn Feasibility>,
    program: Program,
    streams: Streams,
    factor: Variable,
    /// The coefficient of `g_k` in each user's row, and its value for an SINR of 1.
    rows: Vec<(Coefficient, f64)>,
}

impl MaxMin {
    pub fn new(system: Arc<System>, limits: Limits, repair: Box<dyn Feasibility>) -> Self {
        let mut program = Program::new(Sense::Minimize);
        program.set_settings(Settings { tolerance: 1e-9, ..Settings::default() });
        let factor = program.variables(1).get(0);
        program.objective(factor);
        let streams = Streams::new(&mut program, &system, &limits, Some(factor));
        let mut rows = Vec::new();
        for (k, g) in streams.gain.iter().enumerate() {
            let fading = &system.users.fading[k * system.users.access_points..(k + 1) * system.users.access_points];
            // Relative to the interference of all power at the nearest access point.
            let scale = 1.0 / (system.users.noise + limits.power * fading.iter().copied().fold(0.0, f64::max));
            let heard = scale * (streams.interference(&system, &limits, k) + system.users.noise);
            let row = program.constrain(Cone::NonNegative, [0.0 * g - heard]).row(0);
            rows.push((program.coefficient(row, g), scale * streams.largest[k]));
        }
        Self { system, limits, repair, program, streams, factor, rows }
    }

    /// The least rate of a design.
    fn least_rate(&self, design: &Design) -> f64 {
        let users = &self.system.users;
        let mut total = vec![0.0; users.access_points];
        super::metrics::column_sums(design, &mut total);
        let (mut desired, mut interference) = (vec![0.0; users.users], vec![0.0; users.users]);
        users.desired_and_interference(&design[..design.len() / 2], &total, &mut desired, &mut interference);
        Utility::Least.value(desired.iter().zip(&interference).map(|(x, i)| users.rate(x * x / i)))
    }
}

impl LevelSet for MaxMin {
    /// No rate at all; and that of the weakest user alone, with all power and no interference.
    fn range(&mut self) -> Result<(f64, f64)> {
        let users = &self.system.users;
        let most = self.streams.largest.iter().copied().fold(f64::INFINITY, f64::min);
        Ok((0.0, users.rate(most / users.noise)))
    }

    fn at(&mut self, level: f64, out: &mut Design) -> Result<Reached> {
        let sinr = self.system.users.sinr_at_rate(level);
        if sinr <= 0.0 {
            self.repair.repair(out);
            return Ok(Reached::Yes);
        }
        for (k, (place, unit)) in self.rows.iter().enumerate() {
            self.program.set(*place, unit / sinr.max(self.limits.sinr[k]));
        }
        let solution = self.program.solve()?;
        if solution.status == Status::Infeasible {
            let values = vec![("level", vec![level]), ("multipliers", solution.dual.clone())];
            return Ok(Reached::No(Certificate { kind: "infeasible_level", values }));
        }
        if !solution.x.iter().all(|x| x.is_finite()) {
            return Ok(Reached::Unknown);
        }
        let factor = solution.x[self.factor.index()];
        let (x, dual) = (solution.x.clone(), solution.dual.clone());
        if factor > 1.0 {
            // Of all points within the limits every variable is at most 1.
            let bound = self.program.bound(&vec![1.0; x.len()]);
            if let Some(bound) = bound.filter(|bound| *bound > 1.0) {
                let values = vec![("level", vec![level]), ("power_factor", vec![bound]), ("multipliers", dual)];
                return Ok(Reached::No(Certificate { kind: "dual", values }));
            }
        }
        let scale = self.limits.power / if factor > 0.0 { factor } else { 1.0 };
        self.streams.read(&x, scale, out);
        self.repair.repair(out);
        Ok(if self.least_rate(out) >= level { Reached::Yes } else { Reached::Unknown })
    }
}
