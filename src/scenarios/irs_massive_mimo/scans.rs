//! The composite scans of MUSIC (paper 000, (48), Figs. 3 and 4), and the raw snapshots that they are for.
//!
//! The response is `u = alpha_p p(phi, nu) + alpha_q c s(psi, delta) a_B`. One pair of angles is scanned, all else known.
//! The surface's angles enter by the scalar `s` alone: two real equations, so that several pairs may fit equally well.

use std::sync::Arc;

use num_complex::Complex;

use super::planar::{Direction, PlanarArray, SteeringConvention};
use super::system::System;
use crate::radio::music::Scan;

/// What all scans of one phase vector share.
struct Known {
    system: Arc<System>,
    /// `alpha_q c`.
    reflected: Complex<f64>,
    /// `s` at the true angles.
    scalar: Complex<f64>,
    /// `conj(a_In) theta_n`.
    surface: Vec<Complex<f64>>,
}

/// A steering vector's inner product with any vector, factor by factor, without forming it.
fn project(
    array: PlanarArray,
    convention: SteeringConvention,
    at: Direction,
    conjugated: &[Complex<f64>],
) -> Complex<f64> {
    let [first, second] = array.factors(at, convention);
    let rows = conjugated.chunks_exact(array.rows).zip(&second);
    rows.map(|(row, b2)| row.iter().zip(&first).map(|(e, b1)| e * b1).sum::<Complex<f64>>() * b2).sum()
}

fn inner(a: &[Complex<f64>], b: &[Complex<f64>]) -> Complex<f64> {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

fn conjugated(x: &[Complex<f64>]) -> Vec<Complex<f64>> {
    x.iter().map(Complex::conj).collect()
}

/// Over the target's angles at the base station; with or without the path over the surface in the response.
struct BaseStation {
    known: Arc<Known>,
    direct_only: bool,
}

impl Scan for BaseStation {
    fn name(&self) -> &'static str {
        if self.direct_only { "base_station_direct_path_only" } else { "base_station" }
    }

    fn description(&self) -> &'static str {
        if self.direct_only {
            "the target's angles at the base station by the direct path's steering vector alone: misled where the \
             path over the surface is stronger"
        } else {
            "the target's angles at the base station, the path over the surface known (Fig. 3)"
        }
    }

    fn truth(&self) -> Option<[f64; 2]> {
        let at = self.known.system.instance.angles.target_from_base_station;
        Some([at.azimuth, at.elevation])
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Box<dyn Fn(f64, f64) -> (f64, f64) + Send + Sync + 'a> {
        let system = &self.known.system;
        let (array, convention) = (system.instance.base_station_array, system.instance.steering_convention);
        let antennas = array.len() as f64;
        let direct =
            if self.direct_only { Complex::new(1.0, 0.0) } else { system.instance.target_reflection_base_station };
        let sigma = if self.direct_only { Complex::default() } else { self.known.reflected * self.known.scalar };
        let (signal_row, steering_row) = (conjugated(signal), conjugated(&system.steering));
        let along = inner(signal, &system.steering) * sigma;
        let fixed = antennas * (direct.norm_sqr() + sigma.norm_sqr());
        Box::new(move |azimuth, elevation| {
            let at = Direction { azimuth, elevation };
            let captured = direct * project(array, convention, at, &signal_row) + along;
            if self.direct_only {
                return (antennas, captured.norm_sqr());
            }
            // ||u||² = |alpha_p|² M + |sigma|² M + 2 Re(sigma^* alpha_p a_B^H p).
            let overlap = project(array, convention, at, &steering_row);
            (fixed + 2.0 * (sigma.conj() * direct * overlap).re, captured.norm_sqr())
        })
    }
}

/// Over the target's angles at the surface, those at the base station known.
struct Surface(Arc<Known>);

impl Scan for Surface {
    fn name(&self) -> &'static str {
        "irs"
    }

    fn description(&self) -> &'static str {
        "the target's angles at the surface, those at the base station known (Fig. 4)"
    }

    fn truth(&self) -> Option<[f64; 2]> {
        let at = self.0.system.instance.angles.target_from_irs;
        Some([at.azimuth, at.elevation])
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Box<dyn Fn(f64, f64) -> (f64, f64) + Send + Sync + 'a> {
        let system = &self.0.system;
        let (array, convention) = (system.instance.irs_array, system.instance.steering_convention);
        let direct = system.instance.target_reflection_base_station;
        let antennas = system.steering.len() as f64;
        let seen_directly = direct * inner(signal, &system.target);
        let seen_reflected = inner(signal, &system.steering);
        let overlap = direct.conj() * inner(&system.target, &system.steering);
        Box::new(move |azimuth, elevation| {
            let scalar = project(array, convention, Direction { azimuth, elevation }, &self.0.surface);
            let sigma = self.0.reflected * scalar;
            let norm = antennas * (direct.norm_sqr() + sigma.norm_sqr()) + 2.0 * (overlap * sigma).re;
            (norm, (seen_directly + sigma * seen_reflected).norm_sqr())
        })
    }
}

/// The scans of a phase vector.
pub(super) fn scans(system: &Arc<System>, phases: &[f64]) -> Vec<Box<dyn Scan>> {
    let mut theta = vec![Complex::default(); phases.len()];
    system.reflection(phases, &mut theta);
    let surface: Vec<_> = system.irs_steering.iter().zip(&theta).map(|(a, t)| a.conj() * t).collect();
    let scalar = surface.iter().zip(&system.irs_target).map(|(b, q)| b * q).sum();
    let reflected = system.instance.target_reflection_irs * system.los_scale;
    let known = Arc::new(Known { system: Arc::clone(system), reflected, scalar, surface });
    vec![
        Box::new(BaseStation { known: Arc::clone(&known), direct_only: false }),
        Box::new(Surface(Arc::clone(&known))),
        Box::new(BaseStation { known, direct_only: true }),
    ]
}
