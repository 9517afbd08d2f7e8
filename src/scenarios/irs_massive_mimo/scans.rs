//! The composite scans of MUSIC (paper 000, (48), Figs. 3 and 4).
//!
//! The response is `u = alpha_p p(phi, nu) + alpha_q c s(psi, delta) a_B`. One pair of angles is scanned, all else known.
//! The surface's angles enter by the scalar `s` alone: two real equations, so that several pairs may fit equally well.

use std::sync::Arc;

use num_complex::Complex;

use super::planar::Direction;
use super::planar_sums::{Polynomial, walk};
use super::system::System;
use crate::radio::music::{Response, Scan};

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

fn inner(a: &[Complex<f64>], b: &[Complex<f64>]) -> Complex<f64> {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

/// Over the target's angles at the base station; with or without the path over the surface in the response.
struct BaseStation {
    known: Arc<Known>,
    direct_only: bool,
}

impl BaseStation {
    /// The weights of `p` and of `a_B`.
    fn weights(&self) -> [Complex<f64>; 2] {
        if self.direct_only {
            return [Complex::new(1.0, 0.0), Complex::default()];
        }
        [self.known.system.instance.target_reflection_base_station, self.known.reflected * self.known.scalar]
    }
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

    fn response(&self, azimuth: f64, elevation: f64) -> Vec<Complex<f64>> {
        let system = &self.known.system;
        let (array, convention) = (system.instance.base_station_array, system.instance.steering_convention);
        let [direct, sigma] = self.weights();
        let p = array.steering_vector(Direction { azimuth, elevation }, convention);
        p.iter().zip(&system.steering).map(|(p, a)| direct * p + sigma * a).collect()
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Response<'a> {
        let system = &self.known.system;
        let (array, convention) = (system.instance.base_station_array, system.instance.steering_convention);
        let antennas = array.len() as f64;
        let [direct, sigma] = self.weights();
        let seen = Polynomial::new(array.rows, signal.iter().map(Complex::conj));
        let along = inner(signal, &system.steering) * sigma;
        let fixed = antennas * (direct.norm_sqr() + sigma.norm_sqr());
        // a_B^H p is a product of two sums over one axis each.
        let [first, second] = array.factors(system.instance.angles.base_station, convention);
        let one = |factor: &[Complex<f64>]| factor.iter().map(Complex::conj).collect::<Vec<_>>();
        let first = Polynomial::new(array.rows, one(&first).into_iter());
        let second = Polynomial::new(1, one(&second).into_iter());
        Box::new(move |azimuth, elevations, out| {
            walk(array, convention, azimuth, elevations, |points, range| {
                let seen = seen.at(points);
                let out = out[range].iter_mut();
                if self.direct_only {
                    out.zip(seen).for_each(|(out, seen)| *out = (antennas, seen.norm_sqr()));
                    return;
                }
                // ||u||² = |alpha_p|² M + |sigma|² M + 2 Re(sigma^* alpha_p a_B^H p).
                let (first, second) = (first.at(points), second.at(points));
                for (l, out) in out.enumerate() {
                    let overlap = sigma.conj() * direct * first[l] * second[l];
                    *out = (fixed + 2.0 * overlap.re, (direct * seen[l] + along).norm_sqr());
                }
            });
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

    fn response(&self, azimuth: f64, elevation: f64) -> Vec<Complex<f64>> {
        let system = &self.0.system;
        let (array, convention) = (system.instance.irs_array, system.instance.steering_convention);
        let q = array.steering_vector(Direction { azimuth, elevation }, convention);
        let scalar: Complex<f64> = self.0.surface.iter().zip(&q).map(|(b, q)| b * q).sum();
        let (direct, sigma) = (system.instance.target_reflection_base_station, self.0.reflected * scalar);
        system.target.iter().zip(&system.steering).map(|(p, a)| direct * p + sigma * a).collect()
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Response<'a> {
        let system = &self.0.system;
        let (array, convention) = (system.instance.irs_array, system.instance.steering_convention);
        let direct = system.instance.target_reflection_base_station;
        let antennas = system.steering.len() as f64;
        let seen_directly = direct * inner(signal, &system.target);
        let seen_reflected = inner(signal, &system.steering);
        let overlap = direct.conj() * inner(&system.target, &system.steering);
        let surface = Polynomial::new(array.rows, self.0.surface.iter().copied());
        Box::new(move |azimuth, elevations, out| {
            walk(array, convention, azimuth, elevations, |points, range| {
                for (out, scalar) in out[range].iter_mut().zip(surface.at(points)) {
                    let sigma = self.0.reflected * scalar;
                    let norm = antennas * (direct.norm_sqr() + sigma.norm_sqr()) + 2.0 * (overlap * sigma).re;
                    *out = (norm, (seen_directly + sigma * seen_reflected).norm_sqr());
                }
            });
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

#[cfg(test)]
mod tests {
    use super::super::{Instance, IrsMassiveMimoConfig};
    use super::*;
    use crate::Scenario;
    use crate::math::{RandomStream, Streams};
    use crate::radio::music::{Spectrum, grid, refine, signal_vector};

    /// The paper's setting, Figs. 3 and 4: 400 antennas, 100 elements, the target at (20°, -40°) and (-30°, 50°). Snapshots
    /// are made from the definition of the echo, element by element.
    #[test]
    fn the_papers_angles_are_recovered_with_sensing_aligned_phases() {
        let config = IrsMassiveMimoConfig::default();
        let drawn = config.draw(&Streams::new(1, "irs_massive_mimo", 0)).unwrap().instance();
        let system = Arc::new(System::new(Instance::from_json(&drawn).unwrap()).unwrap());
        let mut phases = vec![0.0; 100];
        super::super::Echo::new(&system).aligned(&mut phases);
        let theta = phases.iter().map(|phase| Complex::cis(*phase));
        let reflected: Complex<f64> =
            theta.zip(&system.irs_target).zip(&system.irs_steering).map(|((t, q), a)| a.conj() * t * q).sum();
        let instance = &system.instance;
        let u: Vec<_> = (system.target.iter().zip(&system.steering))
            .map(|(p, a)| {
                instance.target_reflection_base_station * p
                    + instance.target_reflection_irs * system.los_scale * reflected * a
            })
            .collect();
        assert_eq!((u.len(), phases.len()), (400, 100));
        let mut draws = RandomStream::keyed(7, "test", "snapshots", 0, 0);
        let gain: f64 = u.iter().map(Complex::norm_sqr).sum();
        // 40 dB after the array's gain.
        let sent: Vec<_> = (0..30).map(|_| draws.complex_normal(1e4 / gain)).collect();
        let clean: Vec<_> = u.iter().flat_map(|u| sent.iter().map(move |x| u * x)).collect();
        let snapshots: Vec<_> = clean.into_iter().map(|y| y + draws.complex_normal(1.0)).collect();
        let signal = signal_vector(&snapshots, 400).unwrap();
        let half = std::f64::consts::FRAC_PI_2;
        let axis = grid(-half, half, 91);
        let scans = scans(&system, &phases);
        for (scan, truth, most) in [(&scans[0], [20.0, -40.0], 2.0), (&scans[1], [-30.0, 50.0], 3.0)] {
            let spectrum = Spectrum::new(scan.as_ref(), &signal, &axis, &axis);
            let peak = refine(scan.as_ref(), &signal, spectrum.peaks()[0], 0.03);
            let off = |i: usize| (peak.angles[i].to_degrees() - truth[i]).abs();
            assert!(off(0) < most && off(1) < most, "{}: {:?}", scan.name(), peak.angles.map(f64::to_degrees));
            // The fast form is the response's own.
            let u = scan.response(0.3, -0.5);
            let mut pair = [(0.0, 0.0)];
            scan.against(&signal)(0.3, &[-0.5], &mut pair);
            let norm: f64 = u.iter().map(Complex::norm_sqr).sum();
            let captured = inner(&signal, &u).norm_sqr();
            assert!((pair[0].0 / norm - 1.0).abs() < 1e-10 && (pair[0].1 - captured).abs() < 1e-10 * norm);
        }
    }
}
