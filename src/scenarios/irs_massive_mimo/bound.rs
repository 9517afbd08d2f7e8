//! Proven bounds on the least average gain, by the semidefinite relaxation, and designs from its solution.

use std::sync::Arc;

use super::echo::Needed;
use super::feasibility::Assessor;
use super::gain::Form;
use super::offers::Known;
use super::relaxation::{self, Relaxation};
use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::problem::Evaluation;
use crate::structure::{Bound, Certificate, Feasibility, Lift, ProvenBound, Relaxed};

/// Beyond so many elements the relaxation is too large.
pub(super) const LARGEST: usize = 900;

fn certificate(of: &Relaxation) -> Certificate {
    Certificate {
        kind: "phase_dual",
        values: vec![
            ("phase_price", of.phase_price.clone()),
            ("sensing_price", vec![of.sensing_price]),
            ("weights", of.weights.clone()),
        ],
    }
}

/// What no phases can do, whatever is known of the limit.
fn unreachable(known: &Known, limit: f64) -> Certificate {
    let largest = known.echo.largest_gain();
    Certificate { kind: "largest_sensing_gain", values: vec![("sensing_gain", vec![largest]), ("limit", vec![limit])] }
}

/// What a limit asks of `|s|`. Through a measured line of sight it asks nothing of it: the relaxation leaves it out, and
/// its bound holds all the more.
fn needed(known: &Known, limit: f64) -> Needed {
    if known.echo.is_measured() { Needed::AtLeast(0.0) } else { known.echo.needed(limit) }
}

/// The relaxation's value as a bound.
pub(super) struct Relaxing {
    pub known: Arc<Known>,
    pub limit: f64,
}

impl Bound for Relaxing {
    fn bound(&mut self) -> Result<Option<ProvenBound>> {
        let Needed::AtLeast(least) = needed(&self.known, self.limit) else { return Ok(None) };
        if self.known.system.elements() > LARGEST {
            return Ok(self.largest_symbol());
        }
        let solved = relaxation::solve(&self.known.gains(), &self.known.echo, least)?;
        Ok(Some(ProvenBound { value: solved.bound, certificate: certificate(&solved) }))
    }
}

impl Relaxing {
    /// For large arrays: `theta^H Q theta <= lambda_max sum amplitude_n²`, with the largest eigenvalue of a doubly circulant
    /// matrix that has Q as a part. The echo's limit is left out.
    fn largest_symbol(&self) -> Option<ProvenBound> {
        let gains = self.known.gains();
        let Form::Lags(matrix, amplitude) = &gains.forms[0] else { return None };
        let squares = amplitude.as_ref().map_or(self.known.system.elements() as f64, |a| a.iter().map(|a| a * a).sum());
        let value = matrix.largest().max(0.0) * (1.0 + 1e-12) * squares;
        let least = (0..gains.users.len()).map(|k| gains.gain(k, value)).fold(f64::INFINITY, f64::min);
        let certificate = Certificate { kind: "largest_symbol", values: vec![("symbol", vec![matrix.largest()])] };
        Some(ProvenBound { value: least, certificate })
    }
}

/// The relaxation and its recovery.
pub(super) struct Lifted {
    pub known: Arc<Known>,
    pub limit: f64,
    pub solved: Option<Relaxation>,
}

impl Lift for Lifted {
    fn relax(&mut self) -> Result<Relaxed> {
        let Needed::AtLeast(least) = needed(&self.known, self.limit) else {
            return Ok(Relaxed::Infeasible(unreachable(&self.known, self.limit)));
        };
        let solved = relaxation::solve(&self.known.gains(), &self.known.echo, least)?;
        let (bound, rank, certificate) = (solved.bound, solved.numerical_rank(), certificate(&solved));
        self.solved = Some(solved);
        Ok(Relaxed::Solved { bound, rank, exact: false, certificate })
    }

    fn recover(&mut self, _part: usize, random: Option<&mut RandomStream>, out: &mut Design) {
        if let Some(solved) = &self.solved {
            solved.phases(random, out);
        }
        self.known.echo.turn(out);
        if self.limit > 0.0 {
            Assessor { known: Arc::clone(&self.known), limit: self.limit }.repair(out);
        }
    }

    fn judge(&mut self, _part: usize, design: &Design) -> Evaluation {
        let reached = self.known.echo.gain_at(design);
        let violation = if self.limit > 0.0 { (1.0 - reached / self.limit).max(0.0) } else { 0.0 };
        Evaluation { objective: self.known.gains().least(design), violation }
    }
}
