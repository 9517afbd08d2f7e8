//! SINRs as second-order cones in stream amplitudes (any pilots), for conic programs.
//!
//! In `z_kl = sqrt(p_kl)` and `u_l = sqrt(P_l)` an SINR of at least S reads
//! `x_k / sqrt(S) >= |(sigma_c, sqrt(beta_kl) u_l ..., |psi_j^H psi_k| y_kj ...)|` with `x_k` and `y_kj` linear in z: a
//! second-order cone. An access point with the communication power `c_l = sum_k z_kl²` needs the whole power
//!
//! ```text
//! P_l >= max(c_l, (1 - A_l/B_l) c_l + C_l/B_l)       A_l < B_l: exact, both are convex in z
//! P_l >= max(c_l, C_l/A_l)                           A_l >= B_l: what any design needs
//! ```
//!
//! In the second case streams would have to carry the missing information, to the harm of users on the same pilot: a level
//! that the program refutes is refuted, one that it grants may not be reached.

use super::System;
use super::allocation::{Allocation, Site};
use super::limits::Limits;
use crate::conic::{Coefficient, Cone, Expression, Program, Variable, Variables};
use crate::design::Design;

/// The variables of one program, relative to the root of the budget.
pub(super) struct Amplitudes {
    /// `z_kl`, K x L.
    z: Variables,
    /// The coefficient of `x_k` in each user's cone, and its value for an SINR of 1.
    pub rows: Vec<(Coefficient, f64)>,
    /// The largest `x_k²`.
    pub largest: Vec<f64>,
}

impl Amplitudes {
    /// Adds the variables with the limits on power and sensing. The power limits are the square of `root` times as large.
    pub fn new(program: &mut Program, system: &System, limits: &Limits, root: Variable) -> Self {
        let users = &system.users;
        let (count, access_points, budget) = (users.users, users.access_points, limits.power);
        let z = program.variables(count * access_points);
        let whole = program.variables(access_points);
        let x = program.variables(count);
        let y = program.variables(users.leaks.len());
        program.constrain(Cone::NonNegative, z.iter().map(Expression::from));
        let all = [root.into()].into_iter().chain(whole.iter().map(Expression::from));
        program.constrain(Cone::SecondOrder, all);
        let sites = Allocation::new(system, limits).sites;
        for (l, site) in sites.iter().enumerate() {
            let u = whole.get(l);
            let scaled = |share: f64| (0..count).map(move |k| share * z.get(k * access_points + l));
            program.constrain(Cone::SecondOrder, [u.into()].into_iter().chain(scaled(1.0)));
            let (share, alone) = needs(site, budget);
            if alone > 0.0 {
                let rows = [u.into(), alone.into()].into_iter();
                let streams = scaled(share).take(if share > 0.0 { count } else { 0 });
                program.constrain(Cone::SecondOrder, rows.chain(streams));
            }
            if site.cap.is_finite() {
                program.constrain(Cone::NonNegative, [(site.cap / budget).sqrt() * root - u]);
            }
        }
        // Amplitudes relative to what all power, ideally placed, would give.
        let mut equations = Vec::new();
        let mut unit = |user: usize, a: &[f64], variable: Variable| {
            let norm = a.iter().map(|a| a * a).sum::<f64>().sqrt();
            let sent = a.iter().enumerate().map(|(l, a)| (z.get(user * access_points + l), a / norm));
            equations.push(Expression::sum(sent) - variable);
            norm
        };
        let own = users.amplitude.chunks_exact(access_points).enumerate();
        let norms: Vec<f64> = own.map(|(k, a)| unit(k, a, x.get(k))).collect();
        let leaks = users.leaks.iter().zip(y.iter());
        let heard: Vec<f64> =
            leaks.map(|(leak, y)| leak.overlap.sqrt() * unit(leak.sender, &leak.amplitude, y)).collect();
        program.constrain(Cone::Zero, equations);
        let mut rows = Vec::with_capacity(count);
        for (k, fading) in users.fading.chunks_exact(access_points).enumerate() {
            let noise = users.noise / budget;
            let scale = 1.0 / (noise + fading.iter().copied().fold(0.0, f64::max)).sqrt();
            let mut cone = vec![0.0 * x.get(k), (scale * noise.sqrt()).into()];
            cone.extend(whole.iter().zip(fading).map(|(u, beta)| scale * beta.sqrt() * u));
            let mine = users.leaks.iter().enumerate().filter(|(_, leak)| leak.hears == k);
            cone.extend(mine.map(|(m, _)| scale * heard[m] * y.get(m)));
            let row = program.constrain(Cone::SecondOrder, cone).row(0);
            rows.push((program.coefficient(row, x.get(k)), scale * norms[k]));
        }
        Self { z, rows, largest: norms.iter().map(|norm| norm * norm * budget).collect() }
    }

    /// Writes the communication powers of a solution, over a factor, without sensing powers.
    pub fn read(&self, solution: &[f64], scale: f64, design: &mut Design) {
        let half = design.len() / 2;
        for (p, z) in design[..half].iter_mut().zip(&solution[self.z.range()]) {
            *p = scale * z.max(0.0).powi(2);
        }
        design[half..].fill(0.0);
    }
}

/// The factor on amplitudes and the constant, relative to the root of the budget, whose norm is at most `u_l`.
fn needs(site: &Site, budget: f64) -> (f64, f64) {
    if site.needed <= 0.0 {
        (0.0, 0.0)
    } else if site.prefers_communication() {
        (0.0, (site.least_power() / budget).sqrt())
    } else {
        let share = 1.0 - site.by_communication / site.by_sensing;
        (share.sqrt(), (site.needed / site.by_sensing / budget).sqrt())
    }
}
