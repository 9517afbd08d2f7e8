//! Inner products of one vector with the steering vectors of many directions. On a planar array entry `m1 + M1 m2` of a
//! steering vector is `z1^m1 z2^m2`, so that the inner product is a polynomial in two points of the unit circle: Horner's
//! rule takes M multiplications and forms no vector, and sixteen directions go side by side.

use std::f64::consts::TAU;

use num_complex::Complex;

use super::planar::{PlanarArray, SteeringConvention};

/// Directions that are summed side by side.
pub(super) const LANES: usize = 16;

/// The points of the unit circle that stand for so many directions, real and imaginary parts apart.
pub(super) struct Points([[f64; LANES]; 4]);

/// A vector over an array's elements, ready for the sums `sum_m c_m z1^m1 z2^m2`.
pub(super) struct Polynomial {
    rows: usize,
    real: Vec<f64>,
    imaginary: Vec<f64>,
}

impl Polynomial {
    /// Of coefficients with element `m1 + rows m2`.
    pub fn new(rows: usize, coefficients: impl Iterator<Item = Complex<f64>> + Clone) -> Self {
        Self {
            rows: rows.max(1),
            real: coefficients.clone().map(|c| c.re).collect(),
            imaginary: coefficients.map(|c| c.im).collect(),
        }
    }

    /// Its values, real and imaginary parts apart.
    fn values(&self, points: &Points) -> [[f64; LANES]; 2] {
        let [first_re, first_im, second_re, second_im] = &points.0;
        let rows = self.real.chunks_exact(self.rows).zip(self.imaginary.chunks_exact(self.rows));
        let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
        for (row_re, row_im) in rows.rev() {
            let (mut inner_re, mut inner_im) = ([0.0; LANES], [0.0; LANES]);
            for (a, b) in row_re.iter().zip(row_im).rev() {
                for l in 0..LANES {
                    let real = inner_re[l] * first_re[l] - inner_im[l] * first_im[l] + a;
                    inner_im[l] = inner_re[l] * first_im[l] + inner_im[l] * first_re[l] + b;
                    inner_re[l] = real;
                }
            }
            for l in 0..LANES {
                let real = re[l] * second_re[l] - im[l] * second_im[l] + inner_re[l];
                im[l] = re[l] * second_im[l] + im[l] * second_re[l] + inner_im[l];
                re[l] = real;
            }
        }
        [re, im]
    }

    /// Its values as complex numbers.
    pub fn at(&self, points: &Points) -> [Complex<f64>; LANES] {
        let [re, im] = self.values(points);
        std::array::from_fn(|l| Complex::new(re[l], im[l]))
    }
}

/// Calls back with up to sixteen of the elevations at a time, as points of the unit circle, at one azimuth.
pub(super) fn walk(
    array: PlanarArray,
    convention: SteeringConvention,
    azimuth: f64,
    elevations: &[f64],
    mut each: impl FnMut(&Points, std::ops::Range<usize>),
) {
    let (sin, cos) = azimuth.sin_cos();
    let sign = match convention {
        SteeringConvention::H => 1.0,
        SteeringConvention::T => -1.0,
    };
    for (block, some) in elevations.chunks(LANES).enumerate() {
        let mut points = Points([[1.0; LANES]; 4]);
        for (l, elevation) in some.iter().enumerate() {
            let slope = TAU * array.spacing_wavelengths * elevation.sin();
            let [first, second] = [Complex::cis(-slope * cos), Complex::cis(sign * slope * sin)];
            for (part, value) in points.0.iter_mut().zip([first.re, first.im, second.re, second.im]) {
                part[l] = value;
            }
        }
        each(&points, block * LANES..block * LANES + some.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::planar::Direction;
    use super::*;

    #[test]
    fn sums_are_inner_products_with_steering_vectors() {
        let array = PlanarArray { rows: 3, columns: 5, spacing_wavelengths: 0.4 };
        let c: Vec<_> = (0..15).map(|i| Complex::new(0.3 * i as f64 - 1.0, (i * i % 7) as f64)).collect();
        let polynomial = Polynomial::new(array.rows, c.iter().copied());
        let elevations: Vec<f64> = (0..11).map(|i| 0.25 * i as f64 - 1.2).collect();
        for convention in [SteeringConvention::H, SteeringConvention::T] {
            let mut seen = 0;
            walk(array, convention, 0.7, &elevations, |points, range| {
                for (value, elevation) in polynomial.at(points).iter().zip(&elevations[range]) {
                    let at = Direction { azimuth: 0.7, elevation: *elevation };
                    let steering = array.steering_vector(at, convention);
                    let expected: Complex<f64> = c.iter().zip(&steering).map(|(c, a)| c * a).sum();
                    assert!((value - expected).norm() < 1e-12);
                    seen += 1;
                }
            });
            assert_eq!(seen, elevations.len());
        }
    }
}
