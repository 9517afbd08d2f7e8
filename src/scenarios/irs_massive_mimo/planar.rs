//! Planar arrays of any spacing (paper 000, (4)-(8)): `vec(b1 b2^H)` or `vec(b1 b2^T)`, element number
//! `m1 + M1 m2`, with `b_i = [e^{-j m q_i}]`, `q_1 = 2 pi d cos(x) sin(y)`, `q_2 = 2 pi d sin(x) sin(y)`, `d` in
//! wavelengths (the printed `pi` is that of half a wavelength, and the printed `b_2` has `q_1` by a slip).

use std::f64::consts::TAU;

use num_complex::Complex;
use serde::{Deserialize, Serialize};

/// A planar array.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanarArray {
    /// Elements along the first axis, `M_1`; at least 1.
    pub rows: usize,
    /// Elements along the second axis, `M_2`; at least 1.
    pub columns: usize,
    /// The distance of neighbours in wavelengths, above 0.
    pub spacing_wavelengths: f64,
}

/// Which of the two conventions the steering vectors follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum SteeringConvention {
    /// `vec(b1 b2^H)`, the paper's (7) and (8): the other one with its azimuth mirrored.
    #[default]
    H,
    /// `vec(b1 b2^T)`: the plane wave at positions `(m1, m2) d`.
    T,
}

impl SteeringConvention {
    /// Both, by their names.
    pub const CHOICES: [(&str, Self); 2] = [("H", Self::H), ("T", Self::T)];
}

/// A direction in rad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Direction {
    /// Azimuth `x`.
    pub azimuth: f64,
    /// Elevation `y`.
    pub elevation: f64,
}

impl PlanarArray {
    /// The number of elements.
    pub fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Whether it has no element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The two factors `b1` and (conjugated for [`SteeringConvention::H`]) `b2`, so that entry `m1 + M1 m2` of the
    /// steering vector is `first[m1] second[m2]`.
    pub fn factors(self, direction: Direction, convention: SteeringConvention) -> [Vec<Complex<f64>>; 2] {
        let slope = TAU * self.spacing_wavelengths * direction.elevation.sin();
        let (sin, cos) = direction.azimuth.sin_cos();
        let sign = match convention {
            SteeringConvention::H => 1.0,
            SteeringConvention::T => -1.0,
        };
        let factor = |count: usize, step: f64| (0..count).map(|m| Complex::cis(step * m as f64)).collect();
        [factor(self.rows, -slope * cos), factor(self.columns, sign * slope * sin)]
    }

    /// The steering vector, one entry an element.
    pub fn steering_vector(self, direction: Direction, convention: SteeringConvention) -> Vec<Complex<f64>> {
        let [first, second] = self.factors(direction, convention);
        second.iter().flat_map(|b2| first.iter().map(move |b1| b1 * b2)).collect()
    }

    /// The correlation of two elements that lie so many rows and columns apart in isotropic scattering:
    /// `sin(2 pi r) / (2 pi r)`, r their distance in wavelengths.
    pub fn correlation(self, rows: usize, columns: usize) -> f64 {
        let distance = TAU * self.spacing_wavelengths * (rows as f64).hypot(columns as f64);
        if distance == 0.0 { 1.0 } else { distance.sin() / distance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conventions_mirror_the_azimuth_and_both_angles_can_be_told() {
        let array = PlanarArray { rows: 4, columns: 3, spacing_wavelengths: 0.5 };
        let at = |azimuth: f64, elevation: f64| Direction { azimuth, elevation };
        let distance = |a: &[Complex<f64>], b: &[Complex<f64>]| {
            a.iter().zip(b).map(|(x, y)| (x - y).norm_sqr()).sum::<f64>().sqrt()
        };
        let h = array.steering_vector(at(0.3, 0.7), SteeringConvention::H);
        let t = array.steering_vector(at(-0.3, 0.7), SteeringConvention::T);
        assert!(distance(&h, &t) < 1e-14);
        // With `q_1` in both factors these two directions would be one.
        let (a, b) = (at(20f64.to_radians(), -40f64.to_radians()), at(45.776f64.to_radians(), -60f64.to_radians()));
        let far = distance(
            &array.steering_vector(a, SteeringConvention::H),
            &array.steering_vector(b, SteeringConvention::H),
        );
        assert!(far > 1.0, "{far}");
    }

    #[test]
    fn neighbours_at_half_a_wavelength_are_uncorrelated() {
        let array = PlanarArray { rows: 4, columns: 4, spacing_wavelengths: 0.5 };
        assert_eq!(array.correlation(0, 0), 1.0);
        assert!(array.correlation(1, 0).abs() < 1e-15 && array.correlation(0, 2).abs() < 1e-15);
        assert!(array.correlation(1, 1).abs() > 1e-2);
    }
}
