//! Which least rates can be reached: a conic program a level.
//!
//! A level asks each SINR to be at least S. For orthogonal pilots that is `G_k >= S I_k`, convex in the stream powers
//! ([`super::streams`]); where pilots overlap it is a cone in amplitudes ([`super::amplitudes`]). The program minimises the
//! factor on all power limits that it takes (or its root). The level is reached if and only if that is at most 1; a
//! dual bound above 1, or a certificate of infeasibility (interference alone is too strong), proves that it is not.

use std::sync::Arc;

use super::System;
use super::allocation::Allocation;
use super::amplitudes::Amplitudes;
use super::limits::Limits;
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
    allocation: Allocation,
    program: Program,
    form: Form,
    factor: Variable,
    total: Vec<f64>,
    sinr: Vec<f64>,
    interference: Vec<f64>,
}

/// The variables of the program.
enum Form {
    /// Powers; with the coefficient of `g_k` in each user's row, and its value for an SINR of 1.
    Powers(Streams, Vec<(Coefficient, f64)>),
    /// Amplitudes; the factor on powers is the square of the program's.
    Amplitudes(Amplitudes),
}

/// Steps of [`MaxMin::level_out`], at most.
const LEVELLING: usize = 50;

impl MaxMin {
    pub fn new(system: Arc<System>, limits: Limits, repair: Box<dyn Feasibility>) -> Self {
        let mut program = Program::new(Sense::Minimize);
        program.set_settings(Settings { tolerance: 1e-9, ..Settings::default() });
        let factor = program.variables(1).get(0);
        program.objective(factor);
        let form = if system.users.orthogonal() {
            let streams = Streams::new(&mut program, &system, &limits, Some(factor));
            let rows = rows(&mut program, &system, &limits, &streams);
            Form::Powers(streams, rows)
        } else {
            Form::Amplitudes(Amplitudes::new(&mut program, &system, &limits, factor))
        };
        let (total, each) = (vec![0.0; system.users.access_points], vec![0.0; system.users.users]);
        let (sinr, interference) = (each.clone(), each);
        let allocation = Allocation::new(&system, &limits);
        Self { system, limits, repair, allocation, program, form, factor, total, sinr, interference }
    }

    /// Writes the SINRs of a design, and gives the least.
    fn sinr(&mut self, design: &Design) -> f64 {
        super::metrics::column_sums(design, &mut self.total);
        let power = &design[..design.len() / 2];
        let users = &self.system.users;
        users.desired_and_interference(power, &self.total, &mut self.sinr, &mut self.interference);
        self.sinr.iter_mut().zip(&self.interference).for_each(|(x, i)| *x = *x * *x / i);
        self.sinr.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Takes from a design what the conic solver's tolerance left it above the power limits, and sensing power that no
    /// limit needs. More power for some access points alone may be to the harm of a user.
    fn fit(&mut self, design: &mut Design) {
        let (access_points, half) = (self.total.len(), design.len() / 2);
        if !self.limits.is_multistatic() {
            super::metrics::column_sums(&design[..half], &mut self.total);
            for (l, site) in self.allocation.sites.iter().enumerate() {
                let each = site.sensing(self.total[l]) / (half / access_points) as f64;
                if each.is_finite() {
                    design[half..].chunks_exact_mut(access_points).for_each(|row| row[l] = each);
                }
            }
        }
        super::metrics::column_sums(design, &mut self.total);
        let all = self.limits.power / self.total.iter().sum::<f64>();
        let factor = self.total.iter().zip(&self.limits.access_point).map(|(p, cap)| cap / p).fold(all, f64::min);
        if factor < 1.0 {
            design.iter_mut().for_each(|p| *p *= factor);
        }
    }

    /// Moves power from users above the least SINR to those at it, as long as that raises it: the conic solver stops
    /// short of equal ones.
    fn level_out(&mut self, design: &mut Design) {
        let mut least = self.sinr(design);
        let mut trial = design.clone();
        let half = design.len() / 2;
        for _ in 0..LEVELLING {
            let mean = self.sinr.iter().map(|s| s.ln()).sum::<f64>() / self.sinr.len() as f64;
            let rows = trial[..half].chunks_exact_mut(self.total.len()).zip(&self.sinr);
            rows.for_each(|(row, sinr)| {
                let factor = mean.exp() / sinr;
                row.iter_mut().for_each(|p| *p *= factor);
            });
            self.repair.repair(&mut trial);
            let next = self.sinr(&trial);
            if next.is_nan() || next <= least {
                break;
            }
            design.copy_from(&trial);
            if next <= least * (1.0 + 1e-15) {
                break;
            }
            least = next;
        }
    }
}

/// The rows `g_k / S - I_k >= 0`.
fn rows(program: &mut Program, system: &System, limits: &Limits, streams: &Streams) -> Vec<(Coefficient, f64)> {
    let mut rows = Vec::new();
    for (k, g) in streams.gain.iter().enumerate() {
        let fading = &system.users.fading[k * system.users.access_points..(k + 1) * system.users.access_points];
        // Relative to the interference of all power at the nearest access point.
        let scale = 1.0 / (system.users.noise + limits.power * fading.iter().copied().fold(0.0, f64::max));
        let heard = scale * (streams.interference(system, limits, k) + system.users.noise);
        let row = program.constrain(Cone::NonNegative, [0.0 * g - heard]).row(0);
        rows.push((program.coefficient(row, g), scale * streams.largest[k]));
    }
    rows
}

impl LevelSet for MaxMin {
    /// No rate at all; and that of the weakest user alone, with all power and no interference.
    fn range(&mut self) -> Result<(f64, f64)> {
        let users = &self.system.users;
        let largest = match &self.form {
            Form::Powers(streams, _) => &streams.largest,
            Form::Amplitudes(amplitudes) => &amplitudes.largest,
        };
        let most = largest.iter().copied().fold(f64::INFINITY, f64::min);
        Ok((0.0, users.rate(most / users.noise)))
    }

    fn at(&mut self, level: f64, out: &mut Design) -> Result<Reached> {
        let sinr = self.system.users.sinr_at_rate(level);
        if sinr <= 0.0 {
            self.repair.repair(out);
            return Ok(Reached::Yes);
        }
        let (rows, by_root) = match &self.form {
            Form::Powers(_, rows) => (rows, false),
            Form::Amplitudes(amplitudes) => (&amplitudes.rows, true),
        };
        for (k, (place, unit)) in rows.iter().enumerate() {
            let wanted = sinr.max(self.limits.sinr[k]);
            self.program.set(*place, unit / if by_root { wanted.sqrt() } else { wanted });
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
        let factor = if factor > 0.0 { factor } else { 1.0 };
        match &self.form {
            Form::Powers(streams, _) => streams.read(&x, self.limits.power / factor, out),
            Form::Amplitudes(amplitudes) => amplitudes.read(&x, self.limits.power / (factor * factor), out),
        }
        if self.limits.access_point.iter().all(|cap| cap.is_infinite()) {
            self.repair.repair(out);
            if self.limits.sinr.iter().all(|floor| *floor <= 0.0) {
                self.level_out(out);
            }
        } else {
            self.fit(out);
        }
        Ok(if self.sinr(out) >= sinr { Reached::Yes } else { Reached::Unknown })
    }
}
