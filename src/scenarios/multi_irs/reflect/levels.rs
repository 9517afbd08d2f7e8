//! Levels of the smallest SINR over its limit, by Dinkelbach's steps in the relaxation.

use super::{AtTransmit, Climb, Matrix};
use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::structure::{Ascent, Certificate, LevelSet, Lift, Reached};

/// Candidates with which a level set looks for a design that reaches a level.
const CANDIDATES: usize = 200;

impl LevelSet for AtTransmit {
    /// From 0 to what each user alone could have.
    fn range(&mut self) -> Result<(f64, f64)> {
        let noise = self.noise();
        let each = self.forms.iter().flat_map(|f| &f.users).map(|user| {
            let most: f64 = user.own.iter().map(|x| x.norm()).sum();
            most * most / (user.limit * noise)
        });
        Ok((0.0, each.fold(f64::INFINITY, f64::min)))
    }

    fn at(&mut self, level: f64, out: &mut Design) -> Result<Reached> {
        self.factors.clear();
        self.principal.clear();
        let mut relaxed = true;
        for surface in 0..self.forms.len() {
            let n = self.system.instance.elements;
            if self.forms[surface].users.is_empty() {
                self.keep(&Matrix::identity(n, n));
                continue;
            }
            let (forms, last) = (&self.forms[surface], &self.last[surface]);
            let disturbed: Vec<f64> = forms.users.iter().map(|user| self.shares(user, last).1).collect();
            let at = ("surface", vec![surface as f64]);
            match self.ascend_one(surface, level, &disturbed) {
                Climb::Found(reached, bound, theta) => {
                    if bound <= level && level > 0.0 {
                        return Ok(Reached::No(Certificate { kind: "dual", values: vec![at, ("bound", vec![bound])] }));
                    }
                    relaxed &= reached >= level;
                    if reached >= level {
                        self.last[surface] = theta.clone();
                    }
                    self.keep(&theta);
                }
                Climb::Below(multipliers) => {
                    let values = vec![at, ("multipliers", multipliers)];
                    return Ok(Reached::No(Certificate { kind: "infeasibility", values }));
                }
                Climb::Failed => return Ok(Reached::Unknown),
            }
        }
        Ok(match self.sampled(out) >= level {
            true => Reached::Yes,
            false if relaxed => Reached::Relaxed,
            false => Reached::Unknown,
        })
    }

    fn ascend(&mut self, level: f64, out: &mut Design) -> Result<Option<Ascent>> {
        let (mut next, mut bound) = (f64::INFINITY, f64::INFINITY);
        self.factors.clear();
        self.principal.clear();
        for surface in 0..self.forms.len() {
            if !self.forms[surface].users.is_empty() {
                let (forms, theta) = (&self.forms[surface], &self.last[surface]);
                let disturbed: Vec<f64> = forms.users.iter().map(|user| self.shares(user, theta).1).collect();
                let Climb::Found(reached, over, best) = self.ascend_one(surface, level, &disturbed) else {
                    return Ok(None);
                };
                (next, bound) = (next.min(reached), bound.min(over));
                self.last[surface] = best;
            }
            let theta = self.last[surface].clone();
            self.keep(&theta);
        }
        self.sampled(out);
        let certificate = Certificate { kind: "dual", values: vec![("bound", vec![bound])] };
        Ok(Some(Ascent { level: next, bound, certificate }))
    }
}

impl AtTransmit {
    /// Writes the best phases of a fixed number of candidates, IRS by IRS; the smallest ratio that they reach.
    fn sampled(&mut self, out: &mut Design) -> f64 {
        let mut least = f64::INFINITY;
        for surface in 0..self.forms.len() {
            let mut random = RandomStream::keyed(0, "level set", "", surface as u64, 0);
            let range = self.system.phases(surface);
            let mut best = (f64::NEG_INFINITY, out[range.clone()].to_vec());
            for candidate in 0..=CANDIDATES {
                let stream = if candidate == 0 { None } else { Some(&mut random) };
                self.recover(surface, stream, out);
                let phases = out[range.clone()].to_vec();
                let ratio = self.ratio(surface, &phases);
                if ratio > best.0 {
                    best = (ratio, phases);
                }
            }
            out[range].copy_from_slice(&best.1);
            least = least.min(best.0);
        }
        least
    }
}
