//! Maximum-likelihood estimation of the target's azimuth and elevation from simulated echoes (paper 001, (26), (27)).
//!
//! With the reflection eliminated, (27) maximises `|x^H y|² / ||x||²`, `x = vec(b a^H X)`. For planar arrays both
//! `x^H y = b^H (Y X^H) a` and `||x||² = N_r a^H (X X^H) a` are polynomials in `e^{j pi sin theta sin phi}` and
//! `e^{j pi cos phi}`: a grid point costs `O(N_th + N_rh)`. A grid search finds the peak, Gauss-Newton steps refine it.
//!
//! Directions are restricted to theta in [-pi/2, pi/2], phi in [0, pi/2]: (theta, phi), (-theta, -phi),
//! (pi - theta, phi) and (theta - pi, -phi) have the same echo.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use nalgebra::{DMatrix, DVector};
use num_complex::Complex;

use super::echo::echo;
use super::instance::{Array, Instance, Pointing};
use super::simulation::{MonostaticSimulation, RawSystem};
use crate::error::Result;
use crate::math::RandomStream;
use crate::model::Named;
use crate::simulation::{Simulation, SimulationFactory};

/// Gauss-Newton steps at most; from a grid point in the main lobe four are typical.
const REFINEMENTS: usize = 20;

/// The maximum-likelihood estimator of (27).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaximumLikelihood {
    /// The step of the search grid in rad, in both angles; the paper's is pi/256.
    pub grid_step: f64,
    /// Whether the grid's best point is refined. Where not, the error of the grid stays.
    pub refined: bool,
}

/// The estimators that the model knows by name.
pub const ESTIMATORS: [(Named, MaximumLikelihood); 2] = [
    (
        Named {
            name: "maximum_likelihood",
            description: "both angles by (27): the best point of a grid of step pi/256, refined by Gauss-Newton",
        },
        MaximumLikelihood { grid_step: PI / 256.0, refined: true },
    ),
    (
        Named {
            name: "grid_maximum_likelihood",
            description: "the paper's search of (27): the best point of a grid of step pi/256, with the grid's error",
        },
        MaximumLikelihood { grid_step: PI / 256.0, refined: false },
    ),
];

impl MaximumLikelihood {
    /// The direction of largest likelihood for a received block Y (N_r x L) of a sent waveform X (N_t x L).
    pub fn estimate(
        &self,
        transmit: Array,
        receive: Array,
        waveform: &DMatrix<Complex<f64>>,
        received: &DMatrix<Complex<f64>>,
    ) -> Pointing {
        let likelihood = Likelihood {
            transmit,
            receive,
            matched: received * waveform.adjoint(),
            energy: waveform * waveform.adjoint(),
        };
        let best = likelihood.search(self.grid_step);
        if self.refined { likelihood.refine(best) } else { best }
    }
}

/// The direction of the same echo with theta in [-pi/2, pi/2] and phi in [0, pi/2], where there is one there.
pub fn canonical(direction: Pointing) -> Pointing {
    let wrap = |angle: f64| (angle + PI).rem_euclid(TAU) - PI;
    let (mut azimuth, mut elevation) = (wrap(direction.azimuth), wrap(direction.elevation));
    if elevation < 0.0 {
        (azimuth, elevation) = (-azimuth, -elevation);
    }
    if azimuth.abs() > FRAC_PI_2 {
        azimuth = PI.copysign(azimuth) - azimuth;
    }
    Pointing { azimuth, elevation }
}

/// The sufficient statistics of one received block.
struct Likelihood {
    transmit: Array,
    receive: Array,
    /// Y X^H.
    matched: DMatrix<Complex<f64>>,
    /// X X^H.
    energy: DMatrix<Complex<f64>>,
}

/// Coefficients of a polynomial in two unimodular variables, by horizontal and vertical power.
struct Polynomial {
    horizontal: usize,
    vertical: usize,
    coefficients: Vec<Complex<f64>>,
}

impl Polynomial {
    /// `l(direction)^H M r(direction)` for two arrays' responses l and r, up to a factor of modulus 1: entries of M
    /// between elements of equal distance gather in one coefficient.
    fn new(left: Array, right: Array, matrix: &DMatrix<Complex<f64>>) -> Self {
        let horizontal = left.horizontal + right.horizontal - 1;
        let vertical = left.vertical + right.vertical - 1;
        let mut coefficients = vec![Complex::default(); horizontal * vertical];
        for ((row, column), entry) in matrix.iter().enumerate().map(|(i, x)| ((i % left.len(), i / left.len()), x)) {
            let h = column / right.vertical + left.horizontal - 1 - row / left.vertical;
            let v = column % right.vertical + left.vertical - 1 - row % left.vertical;
            coefficients[h * vertical + v] += entry;
        }
        Self { horizontal, vertical, coefficients }
    }

    /// Evaluates the vertical variable: a polynomial in the horizontal one.
    fn at_vertical(&self, z: Complex<f64>, out: &mut Vec<Complex<f64>>) {
        out.clear();
        out.extend((0..self.horizontal).map(|h| horner(&self.coefficients[h * self.vertical..][..self.vertical], z)));
    }
}

fn horner(coefficients: &[Complex<f64>], z: Complex<f64>) -> Complex<f64> {
    coefficients.iter().rev().fold(Complex::default(), |value, c| value * z + c)
}

impl Likelihood {
    /// The best grid point.
    fn search(&self, step: f64) -> Pointing {
        let matched = Polynomial::new(self.receive, self.transmit, &self.matched);
        let energy = Polynomial::new(self.transmit, self.transmit, &self.energy);
        let (mut above, mut below) = (Vec::new(), Vec::new());
        let mut best = (f64::NEG_INFINITY, Pointing { azimuth: 0.0, elevation: 0.0 });
        let count = |range: f64| (range / step + 1e-9).floor() as usize;
        for i in 0..=count(FRAC_PI_2) {
            let elevation = i as f64 * step;
            let vertical = Complex::cis(PI * elevation.cos());
            matched.at_vertical(vertical, &mut above);
            energy.at_vertical(vertical, &mut below);
            for j in 0..=count(PI) {
                let azimuth = -FRAC_PI_2 + j as f64 * step;
                let horizontal = Complex::cis(PI * azimuth.sin() * elevation.sin());
                let value = horner(&above, horizontal).norm_sqr() / horner(&below, horizontal).norm();
                if value > best.0 {
                    best = (value, Pointing { azimuth, elevation });
                }
            }
        }
        best.1
    }

    /// Gauss-Newton on the least squares (27) with the reflection eliminated; a step that does not increase the
    /// likelihood is halved.
    fn refine(&self, start: Pointing) -> Pointing {
        let mut at = start;
        let (mut value, mut step) = self.step(at);
        for _ in 0..REFINEMENTS {
            let mut accepted = false;
            for _ in 0..12 {
                let next = Pointing { azimuth: at.azimuth + step[0], elevation: at.elevation + step[1] };
                let (next_value, next_step) = self.step(next);
                if next_value > value {
                    (at, value, step, accepted) = (next, next_value, next_step, true);
                    break;
                }
                step = step.map(|s| s / 2.0);
            }
            if !accepted {
                break;
            }
        }
        canonical(at)
    }

    /// `|x^H y|² / ||x||²` at a direction, and the Gauss-Newton step from there; no step where the angles cannot be
    /// told apart.
    fn step(&self, at: Pointing) -> (f64, [f64; 2]) {
        let vectors = |array: Array| {
            let [azimuth, elevation] = array.steering_derivatives(at);
            [array.steering_vector(at), azimuth, elevation].map(DVector::from_vec)
        };
        let (a, b) = (vectors(self.transmit), vectors(self.receive));
        // x and its two derivatives as sums of outer products b a^H X.
        let parts = [vec![(0, 0)], vec![(1, 0), (0, 1)], vec![(2, 0), (0, 2)]];
        let heard: Vec<_> = a.iter().map(|a| &self.matched * a).collect();
        let sent: Vec<_> = a.iter().map(|a| &self.energy * a).collect();
        let with_echo = |p: usize| parts[p].iter().map(|(r, t)| b[*r].dotc(&heard[*t])).sum::<Complex<f64>>();
        let inner = |p: usize, q: usize| {
            let pairs = parts[p].iter().flat_map(|x| parts[q].iter().map(move |y| (x, y)));
            pairs.map(|((r, t), (s, u))| b[*r].dotc(&b[*s]) * a[*u].dotc(&sent[*t])).sum::<Complex<f64>>()
        };
        let energy = inner(0, 0).re;
        let reflection = with_echo(0) / energy;
        let value = reflection.norm_sqr() * energy;
        let gradient = [1, 2].map(|p| (reflection.conj() * (with_echo(p) - reflection * inner(p, 0))).re);
        let curvature = |p, q| reflection.norm_sqr() * (inner(p, q) - inner(p, 0) * inner(0, q) / energy).re;
        let (tt, tp, pp) = (curvature(1, 1), curvature(1, 2), curvature(2, 2));
        let determinant = tt * pp - tp * tp;
        if determinant > 1e-12 * tt * pp {
            let azimuth = (pp * gradient[0] - tp * gradient[1]) / determinant;
            let elevation = (tt * gradient[1] - tp * gradient[0]) / determinant;
            (value, [azimuth, elevation])
        } else {
            (value, [0.0, 0.0])
        }
    }
}

/// Draws echoes of a design's precoded symbols, and the squared errors of an estimator.
struct EstimationTrial {
    system: MonostaticSimulation,
    instance: Instance,
    estimator: MaximumLikelihood,
}

/// Simulations whose figures are the mean square errors (rad²) of the azimuth and elevation estimates of a design,
/// in the place of `crlb_azimuth` and `crlb_elevation`.
///
/// The symbols satisfy `S S^H = L I` as (1) assumes, where the frame is long enough (L at least K); else they are
/// independent QPSK. The precoders are those of drawn channels, so the errors lie above the bound of the average
/// covariance (36) by Jensen's gap.
pub fn mean_square_errors(
    instance: &Instance,
    design: &[f64],
    estimator: MaximumLikelihood,
) -> Result<SimulationFactory> {
    let system = RawSystem::new(instance, design, &vec![1.0; instance.users()])?;
    let instance = instance.clone();
    Ok(Box::new(move || {
        Box::new(EstimationTrial { system: system.simulation(), instance: instance.clone(), estimator })
    }))
}

impl EstimationTrial {
    fn symbols(&self, stream: &mut RandomStream) -> DMatrix<Complex<f64>> {
        let (users, frame) = (self.instance.users(), self.instance.frame_length as usize);
        if frame >= users {
            let phases: Vec<f64> = (0..users).map(|_| TAU * stream.uniform()).collect();
            DMatrix::from_fn(users, frame, |k, l| Complex::cis(TAU * (k * l % frame) as f64 / frame as f64 + phases[k]))
        } else {
            DMatrix::from_fn(users, frame, |_, _| Complex::cis(FRAC_PI_2 * (4.0 * stream.uniform()).floor()))
        }
    }
}

impl Simulation for EstimationTrial {
    fn moments(&self) -> usize {
        2
    }

    fn covers(&self) -> Vec<&'static str> {
        vec!["crlb_azimuth", "crlb_elevation"]
    }

    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
        let symbols = self.symbols(stream);
        let waveform = self.system.draw_precoder(stream) * symbols;
        let instance = &self.instance;
        let (transmit, receive) = (instance.transmit_array, instance.receive_array);
        let mut received = DMatrix::zeros(receive.len(), waveform.ncols());
        let reflection = instance.target_reflection;
        echo(instance, &waveform, instance.target_direction, reflection, received.as_mut_slice());
        received.iter_mut().for_each(|y| *y += stream.complex_normal(instance.sensing_noise_power));
        let estimate = self.estimator.estimate(transmit, receive, &waveform, &received);
        let truth = canonical(instance.target_direction);
        out[0] = (estimate.azimuth - truth.azimuth).powi(2);
        out[1] = (estimate.elevation - truth.elevation).powi(2);
    }

    fn estimate(&self, mean: &[f64], out: &mut [f64]) {
        out.copy_from_slice(mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::monostatic::echo::response;

    const TRANSMIT: Array = Array { horizontal: 4, vertical: 3 };
    const RECEIVE: Array = Array { horizontal: 2, vertical: 5 };

    fn blocks(direction: Pointing, noise: f64, seed: u64) -> [DMatrix<Complex<f64>>; 2] {
        let mut stream = RandomStream::keyed(seed, "test", "", 0, 0);
        let waveform = DMatrix::from_fn(TRANSMIT.len(), 9, |_, _| stream.complex_normal(1.0));
        let (a, b) = (response(TRANSMIT, direction), response(RECEIVE, direction));
        let matrix =
            DMatrix::from_fn(RECEIVE.len(), TRANSMIT.len(), |m, n| Complex::new(0.3, -0.8) * b[m] * a[n].conj());
        let mut received = matrix * &waveform;
        received.iter_mut().for_each(|y| *y += stream.complex_normal(noise));
        [waveform, received]
    }

    fn likelihood(direction: Pointing, noise: f64, seed: u64) -> Likelihood {
        let [waveform, received] = blocks(direction, noise, seed);
        let (matched, energy) = (&received * waveform.adjoint(), &waveform * waveform.adjoint());
        Likelihood { transmit: TRANSMIT, receive: RECEIVE, matched, energy }
    }

    #[test]
    fn without_noise_the_estimate_is_the_truth() {
        for (seed, azimuth, elevation) in [(1, 0.41, 0.77), (2, -1.2, 1.3), (3, 0.02, 0.3)] {
            let truth = Pointing { azimuth, elevation };
            let [waveform, received] = blocks(truth, 0.0, seed);
            let estimate = ESTIMATORS[0].1.estimate(TRANSMIT, RECEIVE, &waveform, &received);
            assert!((estimate.azimuth - azimuth).abs() < 1e-7, "{estimate:?}");
            assert!((estimate.elevation - elevation).abs() < 1e-7, "{estimate:?}");
        }
    }

    #[test]
    fn no_direction_near_the_estimate_and_no_grid_point_is_likelier() {
        for seed in 0..20 {
            let mut stream = RandomStream::keyed(seed, "test directions", "", 0, 0);
            let truth = Pointing { azimuth: stream.uniform() - 0.5, elevation: 0.4 + stream.uniform() };
            let likelihood = likelihood(truth, 3.0, seed);
            let grid = likelihood.search(PI / 64.0);
            let refined = likelihood.refine(grid);
            let best = likelihood.step(refined).0;
            // The grid's polynomials and the direct products are two computations of one likelihood.
            for _ in 0..200 {
                let (i, j) = ((64.0 * stream.uniform()).floor(), (32.0 * stream.uniform()).floor());
                let point = Pointing { azimuth: -FRAC_PI_2 + i * PI / 64.0, elevation: j * PI / 64.0 };
                assert!(likelihood.step(point).0 <= likelihood.step(grid).0 * (1.0 + 1e-12));
                let near = Pointing {
                    azimuth: refined.azimuth + 1e-4 * stream.normal(),
                    elevation: refined.elevation + 1e-4 * stream.normal(),
                };
                assert!(likelihood.step(near).0 <= best * (1.0 + 1e-12), "seed {seed}: {refined:?} {near:?}");
            }
        }
    }

    #[test]
    fn equivalent_directions_have_one_canonical_form() {
        let (azimuth, elevation) = (0.4, 0.9);
        for (a, e) in
            [(azimuth, elevation), (-azimuth, -elevation), (PI - azimuth, elevation), (azimuth - PI, -elevation)]
        {
            let same = canonical(Pointing { azimuth: a, elevation: e });
            assert!((same.azimuth - azimuth).abs() < 1e-12 && (same.elevation - elevation).abs() < 1e-12, "{same:?}");
            let distance = response(TRANSMIT, Pointing { azimuth: a, elevation: e })
                .iter()
                .zip(response(TRANSMIT, Pointing { azimuth, elevation }))
                .map(|(x, y)| (x - y).norm())
                .fold(0.0, f64::max);
            assert!(distance < 1e-12);
        }
    }
}
