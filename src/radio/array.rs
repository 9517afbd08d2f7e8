//! Uniform planar arrays with half-wavelength spacing, the centre as phase reference (paper 001, (10)-(12)):
//! `a = a_h (x) a_v`, `a_h = e^{j pi u w_h}`, `a_v = e^{j pi u w_v}`, `w_h = sin(theta) sin(phi)`, `w_v = cos(phi)`,
//! where `u` runs from `-(N-1)/2` to `(N-1)/2` in steps of 1.
//!
//! Because the reference is the centre, the inner products of steering vectors and of their derivatives are real, and
//! separate into sums over one dimension: no work of the array's full size is needed.

use std::f64::consts::PI;

use num_complex::Complex;
use serde::{Deserialize, Serialize};

/// A uniform planar array with half-wavelength spacing; its element count is the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// Antennas in the horizontal dimension, at least 1.
    pub horizontal: usize,
    /// Antennas in the vertical dimension, at least 1.
    pub vertical: usize,
}

/// A direction in rad: azimuth (theta) and elevation (phi).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pointing {
    /// Azimuth theta in rad.
    pub azimuth: f64,
    /// Elevation phi in rad.
    pub elevation: f64,
}

/// Inner products of a steering vector's derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DerivativeGram {
    /// `||a_theta||^2`.
    pub azimuth: f64,
    /// `a_theta^H a_phi`, real.
    pub cross: f64,
    /// `||a_phi||^2`.
    pub elevation: f64,
}

/// Inner products of a beam `v = a(beam)` with the steering vector of a target and with its derivatives; all real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeamResponse {
    /// `v^H a`.
    pub gain: f64,
    /// `v^H a_theta`.
    pub azimuth: f64,
    /// `v^H a_phi`.
    pub elevation: f64,
}

impl Pointing {
    /// `(w_h, w_v)`: the phase slopes along the two dimensions over pi.
    fn slopes(self) -> (f64, f64) {
        (self.azimuth.sin() * self.elevation.sin(), self.elevation.cos())
    }

    /// `(dw_h/dtheta, dw_h/dphi, dw_v/dphi)`; `dw_v/dtheta` is 0.
    fn slope_derivatives(self) -> (f64, f64, f64) {
        let ((st, ct), (sp, cp)) = (self.azimuth.sin_cos(), self.elevation.sin_cos());
        (ct * sp, st * cp, -sp)
    }
}

impl Array {
    /// The number of antennas.
    pub fn len(self) -> usize {
        self.horizontal * self.vertical
    }

    /// Whether it has no antenna.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The steering vector `a` (paper 001, (10)-(12)), one entry an antenna: the vertical index runs fastest.
    pub fn steering_vector(self, target: Pointing) -> Vec<Complex<f64>> {
        self.elements(target, |_, _| Complex::new(1.0, 0.0))
    }

    /// The derivatives of the steering vector by azimuth and by elevation (paper 001, (90)-(92)).
    pub fn steering_derivatives(self, target: Pointing) -> [Vec<Complex<f64>>; 2] {
        let (ht, hp, vp) = target.slope_derivatives();
        [
            self.elements(target, |u, _| Complex::new(0.0, PI * u * ht)),
            self.elements(target, |u, w| Complex::new(0.0, PI * (u * hp + w * vp))),
        ]
    }

    fn elements(self, target: Pointing, factor: impl Fn(f64, f64) -> Complex<f64>) -> Vec<Complex<f64>> {
        let (wh, wv) = target.slopes();
        let place = |index: usize, count: usize| index as f64 - (count - 1) as f64 / 2.0;
        let mut vector = Vec::with_capacity(self.len());
        for h in 0..self.horizontal {
            let u = place(h, self.horizontal);
            for v in 0..self.vertical {
                let w = place(v, self.vertical);
                vector.push(factor(u, w) * Complex::cis(PI * (u * wh + w * wv)));
            }
        }
        vector
    }

    /// Norms and inner product of the derivatives in closed form (paper 001, (48)-(53), with (49) and (51) corrected:
    /// the vertical term carries `sin^2(phi)` by (92)). With `c_N = pi^2 (N^2-1)/12`:
    /// `||a_theta||^2 = N c_Nh cos^2(theta) sin^2(phi)`,
    /// `||a_phi||^2 = N (c_Nh sin^2(theta) cos^2(phi) + c_Nv sin^2(phi))`.
    pub fn derivative_gram(self, target: Pointing) -> DerivativeGram {
        let (ht, hp, vp) = target.slope_derivatives();
        let count = self.len() as f64;
        let moment = |n: usize| PI * PI / 12.0 * count * ((n as f64) * (n as f64) - 1.0);
        let (h, v) = (moment(self.horizontal), moment(self.vertical));
        DerivativeGram { azimuth: h * ht * ht, cross: h * ht * hp, elevation: h * hp * hp + v * vp * vp }
    }

    /// The response of a beam `v = a(beam)` to a target, in `O(N_h + N_v)`.
    ///
    /// With the kernel `D_N(x) = sum_u cos(u x)` and `x = pi (w - w_beam)`: `v^H a = D_h D_v`,
    /// `v^H a_theta = pi dw_h/dtheta D_h' D_v`, `v^H a_phi = pi (dw_h/dphi D_h' D_v + dw_v/dphi D_h D_v')`.
    pub fn beam_response(self, beam: Pointing, target: Pointing) -> BeamResponse {
        if beam == target {
            return BeamResponse { gain: self.len() as f64, azimuth: 0.0, elevation: 0.0 };
        }
        let ((wh, wv), (bh, bv)) = (target.slopes(), beam.slopes());
        let (ht, hp, vp) = target.slope_derivatives();
        let (h, dh) = kernel(self.horizontal, PI * (wh - bh));
        let (v, dv) = kernel(self.vertical, PI * (wv - bv));
        BeamResponse { gain: h * v, azimuth: PI * ht * dh * v, elevation: PI * (hp * dh * v + vp * h * dv) }
    }
}

/// `sum_u cos(u x)` and its derivative in x, over the antennas of one dimension.
fn kernel(count: usize, x: f64) -> (f64, f64) {
    // The places come in pairs of opposite sign, and in one at 0 where the count is odd.
    let (mut value, mut derivative) = ((count % 2) as f64, 0.0);
    for i in 0..count / 2 {
        let u = (count - 1) as f64 / 2.0 - i as f64;
        let (sin, cos) = (u * x).sin_cos();
        value += 2.0 * cos;
        derivative -= 2.0 * u * sin;
    }
    (value, derivative)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inner(a: &[Complex<f64>], b: &[Complex<f64>]) -> Complex<f64> {
        a.iter().zip(b).map(|(x, y)| x.conj() * y).sum()
    }

    fn directions() -> impl Strategy<Value = Pointing> {
        (-3.2..3.2, -1.6..1.6).prop_map(|(azimuth, elevation)| Pointing { azimuth, elevation })
    }

    fn arrays() -> impl Strategy<Value = Array> {
        (1usize..9, 1usize..9).prop_map(|(horizontal, vertical)| Array { horizontal, vertical })
    }

    proptest! {
        #[test]
        fn closed_forms_are_the_sums_over_antennas(array in arrays(), target in directions(), beam in directions()) {
            let a = array.steering_vector(target);
            let [at, ap] = array.steering_derivatives(target);
            let gram = array.derivative_gram(target);
            let scale = (array.len() as f64).powi(3);
            for (closed, sum) in [
                (gram.azimuth, inner(&at, &at)),
                (gram.cross, inner(&at, &ap)),
                (gram.elevation, inner(&ap, &ap)),
                (0.0, inner(&a, &at)),
                (0.0, inner(&a, &ap)),
            ] {
                prop_assert!((sum - closed).norm() <= 1e-13 * scale, "{sum} {closed}");
            }
            let v = array.steering_vector(beam);
            let response = array.beam_response(beam, target);
            for (closed, vector) in [(response.gain, &a), (response.azimuth, &at), (response.elevation, &ap)] {
                let sum = inner(&v, vector);
                prop_assert!((sum - closed).norm() <= 1e-12 * scale, "{sum} {closed}");
            }
        }

        #[test]
        fn derivatives_are_those_of_the_steering_vector(array in arrays(), target in directions()) {
            let step = 1e-6;
            let [at, ap] = array.steering_derivatives(target);
            for (derivative, dt, dp) in [(at, step, 0.0), (ap, 0.0, step)] {
                let shifted = |s: f64| {
                    array.steering_vector(Pointing {
                        azimuth: target.azimuth + s * dt,
                        elevation: target.elevation + s * dp,
                    })
                };
                for ((d, plus), minus) in derivative.iter().zip(shifted(1.0)).zip(shifted(-1.0)) {
                    prop_assert!((d - (plus - minus) / (2.0 * step)).norm() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn printed_norms_would_be_wrong_away_from_45_degrees() {
        // Reference: 4 x 7 at (0.3, 1.1) has 884.168, the printed (49) gives 233.64.
        let gram = Array { horizontal: 4, vertical: 7 }.derivative_gram(Pointing { azimuth: 0.3, elevation: 1.1 });
        assert!((gram.elevation - 884.168).abs() < 1e-3, "{}", gram.elevation);
    }
}
