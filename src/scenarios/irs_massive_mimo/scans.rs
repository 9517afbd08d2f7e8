//! The composite scans of MUSIC (paper 000, (48), Figs. 3 and 4).
//!
//! The response is `u = alpha_p p(phi, nu) + alpha_q Hb Theta q(psi, delta)`. One pair of angles is scanned, all else known.
//! With the line of sight of the formula, `Hb = c a_B a_I^H`, the surface's angles enter by the scalar `s = a_I^H Theta q`
//! alone: two real equations, so that several pairs may fit equally well. A measured line of sight is a sum of such terms,
//! its singular ones.

use std::sync::Arc;

use num_complex::Complex;

use super::planar::{Direction, PlanarArray, SteeringConvention};
use super::planar_sums::{LANES, Polynomial, walk};
use super::system::{Statistics, System};
use crate::radio::music::{Response, Scan};

/// Singular values of a measured line of sight below this, relative to the largest, are none.
const NEGLIGIBLE: f64 = 1e-12;

/// A term of `alpha_q Hb Theta`: `left right^T`. The left sides of all terms are orthogonal.
struct Term {
    left: Vec<Complex<f64>>,
    right: Vec<Complex<f64>>,
}

/// What all scans of one phase vector share.
struct Known {
    system: Arc<System>,
    terms: Vec<Term>,
    /// `alpha_q Hb Theta q` at the true angles.
    reflected: Vec<Complex<f64>>,
    /// The factor of `a_B` that this is, where the line of sight follows the formula.
    along_steering: Option<Complex<f64>>,
}

fn inner(a: &[Complex<f64>], b: &[Complex<f64>]) -> Complex<f64> {
    a.iter().zip(b).map(|(a, b)| a.conj() * b).sum()
}

fn product(a: &[Complex<f64>], b: &[Complex<f64>]) -> Complex<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Known {
    fn new(system: &Arc<System>, phases: &[f64]) -> Self {
        let mut theta = vec![Complex::default(); phases.len()];
        system.reflection(phases, &mut theta);
        let alpha = system.instance.target_reflection_irs;
        let measured = match (&system.statistics, &system.instance.measured.irs_base_station_los) {
            (Statistics::General(general), Some(_)) => general.los.thin_svd().ok(),
            _ => None,
        };
        let terms = match &measured {
            Some(parts) => {
                let values = parts.S();
                let count = parts.U().ncols();
                let kept = (0..count).filter(|i| values[*i].re > NEGLIGIBLE * values[0].re);
                let term = |i: usize| Term {
                    left: parts.U().col(i).iter().map(|u| u * values[i] * alpha).collect(),
                    right: parts.V().col(i).iter().zip(&theta).map(|(v, t)| v.conj() * t).collect(),
                };
                kept.map(term).collect()
            }
            None => {
                let scale = alpha * system.los_scale;
                let left = system.steering.iter().map(|a| a * scale).collect();
                let right = system.irs_steering.iter().zip(&theta).map(|(a, t)| a.conj() * t).collect();
                vec![Term { left, right }]
            }
        };
        let mut known = Self { system: Arc::clone(system), terms, reflected: Vec::new(), along_steering: None };
        known.reflected = known.through_the_surface(&system.irs_target);
        if measured.is_none() {
            known.along_steering = Some(alpha * system.los_scale * product(&known.terms[0].right, &system.irs_target));
        }
        known
    }

    /// `alpha_q Hb Theta q`.
    fn through_the_surface(&self, q: &[Complex<f64>]) -> Vec<Complex<f64>> {
        let mut out = vec![Complex::default(); self.system.steering.len()];
        for term in &self.terms {
            let weight = product(&term.right, q);
            out.iter_mut().zip(&term.left).for_each(|(o, l)| *o += l * weight);
        }
        out
    }
}

/// Over the target's angles at the base station, the path over the surface known.
struct BaseStation(Arc<Known>);

impl Scan for BaseStation {
    fn name(&self) -> &'static str {
        "base_station"
    }

    fn description(&self) -> &'static str {
        "the target's angles at the base station, the path over the surface known (Fig. 3)"
    }

    fn truth(&self) -> Option<[f64; 2]> {
        let at = self.0.system.instance.angles.target_from_base_station;
        Some([at.azimuth, at.elevation])
    }

    fn response(&self, azimuth: f64, elevation: f64) -> Vec<Complex<f64>> {
        let instance = &self.0.system.instance;
        let at = Direction { azimuth, elevation };
        let p = instance.base_station_array.steering_vector(at, instance.steering_convention);
        let direct = instance.target_reflection_base_station;
        p.iter().zip(&self.0.reflected).map(|(p, r)| direct * p + r).collect()
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Response<'a> {
        let known = &self.0;
        let instance = &known.system.instance;
        let (array, convention) = (instance.base_station_array, instance.steering_convention);
        let direct = instance.target_reflection_base_station;
        let seen = Polynomial::new(array.rows, signal.iter().map(Complex::conj));
        let along = inner(signal, &known.reflected);
        let reflected: f64 = known.reflected.iter().map(Complex::norm_sqr).sum();
        let fixed = array.len() as f64 * direct.norm_sqr() + reflected;
        // reflected^H p; a_B^H p is a product of two sums over one axis each.
        let overlap = match known.along_steering {
            Some(sigma) => {
                let [first, second] = array.factors(instance.angles.base_station, convention);
                let one = |rows, factor: &[Complex<f64>], scale: Complex<f64>| {
                    let all: Vec<_> = factor.iter().map(|a| a.conj() * scale).collect();
                    Polynomial::new(rows, all.into_iter())
                };
                [one(array.rows, &first, sigma.conj()), one(1, &second, Complex::new(1.0, 0.0))]
            }
            None => {
                let one = [Complex::new(1.0, 0.0)].into_iter();
                [Polynomial::new(array.rows, known.reflected.iter().map(Complex::conj)), Polynomial::new(1, one)]
            }
        };
        Box::new(move |azimuth, elevations, out| {
            walk(array, convention, azimuth, elevations, |points, range| {
                // ||u||² = |alpha_p|² M + ||reflected||² + 2 Re(alpha_p reflected^H p).
                let (seen, first, second) = (seen.at(points), overlap[0].at(points), overlap[1].at(points));
                for (l, out) in out[range].iter_mut().enumerate() {
                    let overlap = direct * first[l] * second[l];
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
        let instance = &self.0.system.instance;
        let at = Direction { azimuth, elevation };
        let q = instance.irs_array.steering_vector(at, instance.steering_convention);
        let direct = instance.target_reflection_base_station;
        let reflected = self.0.through_the_surface(&q);
        self.0.system.target.iter().zip(reflected).map(|(p, r)| direct * p + r).collect()
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Response<'a> {
        let system = &self.0.system;
        let (array, convention) = (system.instance.irs_array, system.instance.steering_convention);
        let direct = system.instance.target_reflection_base_station;
        let fixed = direct.norm_sqr() * system.steering.len() as f64;
        let seen_directly = direct * inner(signal, &system.target);
        // By term: its polynomial over the surface, ||left||², conj(alpha_p) p^H left, e^H left.
        let terms: Vec<_> = (self.0.terms.iter())
            .map(|term| {
                let power: f64 = term.left.iter().map(Complex::norm_sqr).sum();
                let overlap = direct.conj() * inner(&system.target, &term.left);
                let sum = Polynomial::new(array.rows, term.right.iter().copied());
                (sum, power, overlap, inner(signal, &term.left))
            })
            .collect();
        Box::new(move |azimuth, elevations, out| {
            walk(array, convention, azimuth, elevations, |points, range| {
                let out = &mut out[range];
                let mut seen = [seen_directly; LANES];
                out.iter_mut().for_each(|out| out.0 = fixed);
                for (sum, power, overlap, along) in &terms {
                    for ((out, seen), scalar) in out.iter_mut().zip(&mut seen).zip(sum.at(points)) {
                        out.0 += power * scalar.norm_sqr() + 2.0 * (overlap * scalar).re;
                        *seen += scalar * along;
                    }
                }
                out.iter_mut().zip(seen).for_each(|(out, seen)| out.1 = seen.norm_sqr());
            });
        })
    }
}

/// A plane wave on an array over its direction.
pub(super) struct PlaneWave {
    pub array: PlanarArray,
    pub convention: SteeringConvention,
    pub truth: Option<[f64; 2]>,
}

impl Scan for PlaneWave {
    fn name(&self) -> &'static str {
        "base_station_direct_path_only"
    }

    fn description(&self) -> &'static str {
        "the target's angles at the base station by the direct path's steering vector alone: misled where the path over the \
         surface is stronger"
    }

    fn truth(&self) -> Option<[f64; 2]> {
        self.truth
    }

    fn is_whole(&self) -> bool {
        false
    }

    fn response(&self, azimuth: f64, elevation: f64) -> Vec<Complex<f64>> {
        self.array.steering_vector(Direction { azimuth, elevation }, self.convention)
    }

    fn against<'a>(&'a self, signal: &'a [Complex<f64>]) -> Response<'a> {
        let (array, convention) = (self.array, self.convention);
        let seen = Polynomial::new(array.rows, signal.iter().map(Complex::conj));
        Box::new(move |azimuth, elevations, out| {
            walk(array, convention, azimuth, elevations, |points, range| {
                let pairs = out[range].iter_mut().zip(seen.at(points));
                pairs.for_each(|(out, seen)| *out = (array.len() as f64, seen.norm_sqr()));
            });
        })
    }
}

/// The scans of a phase vector.
pub(super) fn scans(system: &Arc<System>, phases: &[f64]) -> Vec<Box<dyn Scan>> {
    let known = Arc::new(Known::new(system, phases));
    let base_station = BaseStation(Arc::clone(&known));
    let (array, convention) = (system.instance.base_station_array, system.instance.steering_convention);
    let direct = PlaneWave { array, convention, truth: base_station.truth() };
    vec![Box::new(base_station), Box::new(Surface(known)), Box::new(direct)]
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
