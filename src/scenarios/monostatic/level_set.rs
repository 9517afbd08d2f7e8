//! Which least rates can be reached, in closed form.
//!
//! At full power the smallest sensing power that meets the CRLB limits is the best for every SINR (see
//! [`super::exact`]). There, SINRs of at least `t_k` need of each pilot's users, with the power `S_g` of all of them,
//! `p_k = t_k (n_k + S_g) / (1 + t_k)`, so `S_g (1 - sum t_k/(1 + t_k)) = sum t_k n_k / (1 + t_k)`: one linear equation a
//! pilot. The level is reached if and only if these powers fit into what is left.

use std::sync::Arc;

use super::System;
use super::feasibility::Region;
use super::limits::Limits;
use crate::design::Design;
use crate::error::{Error, Result};
use crate::structure::{Certificate, LevelSet, Reached};

/// The offer of [`LevelSet`] for the least rate.
pub(super) struct LeastRate {
    pub system: Arc<System>,
    pub limits: Limits,
}

impl LeastRate {
    /// The smallest feasible sensing power; none where the limits cannot be met.
    fn sensing(&self) -> Option<f64> {
        match self.system.region(&self.limits) {
            Region::Feasible { least, .. } => Some(least),
            Region::Infeasible(_) => None,
        }
    }

    /// Writes the least powers for the level's SINR and the floors; gives their sum, infinite where none do.
    fn powers(&self, sinr: f64, sensing: f64, power: &mut [f64]) -> f64 {
        let communication = self.limits.power - sensing;
        let wanted = |k: usize| self.limits.sinr.get(k).map_or(sinr, |floor| floor.max(sinr));
        let share = |k: usize| wanted(k) / (1.0 + wanted(k));
        let noise = |k: usize| self.system.noise(k, communication, sensing);
        let mut all = 0.0;
        for members in self.system.users.groups.iter() {
            // Without the user's own part: exact for a pilot of one user.
            let left = match members {
                [alone] => 1.0 / (1.0 + wanted(*alone)),
                _ => 1.0 - members.iter().map(|k| share(*k)).sum::<f64>(),
            };
            let group = members.iter().map(|k| share(*k) * noise(*k)).sum::<f64>() / left;
            if !(left > 0.0 && group.is_finite()) {
                return f64::INFINITY;
            }
            members.iter().for_each(|k| power[*k] = share(*k) * (noise(*k) + group));
            all += group;
        }
        all
    }
}

impl LevelSet for LeastRate {
    /// No rate at all, and that of the weakest user alone with all power.
    fn range(&mut self) -> Result<(f64, f64)> {
        let users = &self.system.users;
        let Some(sensing) = self.sensing() else { return Ok((0.0, 0.0)) };
        let communication = self.limits.power - sensing;
        let most = (0..users.users()).map(|k| communication / self.system.noise(k, communication, sensing));
        Ok((0.0, users.rate(most.fold(f64::INFINITY, f64::min))))
    }

    fn at(&mut self, level: f64, out: &mut Design) -> Result<Reached> {
        let users = self.system.users.users();
        if out.len() != users + 1 {
            return Err(Error::Numerical("level set: a design of another space".into()));
        }
        let Some(sensing) = self.sensing() else { return Ok(Reached::Unknown) };
        let communication = self.limits.power - sensing;
        let needed = self.powers(self.system.users.sinr_at_rate(level).max(0.0), sensing, &mut out[..users]);
        out[users] = sensing;
        if needed > communication {
            let values = vec![
                ("level", vec![level]),
                ("sensing_power", vec![sensing]),
                ("least_communication_power", vec![needed]),
                ("communication_power", vec![communication]),
            ];
            return Ok(Reached::No(Certificate { kind: "closed_form", values }));
        }
        if needed > 0.0 {
            out[..users].iter_mut().for_each(|p| *p *= communication / needed);
        } else {
            self.system.users.equal_coefficients(communication, &mut out[..users]);
        }
        Ok(Reached::Yes)
    }
}
