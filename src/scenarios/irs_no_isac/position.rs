//! The user's position from the angle pairs of both time blocks (paper 002, section II-A): error bound and estimator.

use nalgebra::{Matrix2x3, Matrix3, Vector2, Vector3};
use num_complex::Complex;

use super::System;
use super::information::{Inner, Observation, Symmetric, coefficients};
use super::instance::{Instance, Positions};

/// The position's information is singular where the determinant of its correlation matrix is below this.
const SINGULAR: f64 = 1e-12;

/// The angles of arrival (elevation, azimuth) at a point from another: `v = from - at`,
/// `gamma = asin(v_z / |v|)`, `phi = atan2(v_y, v_x)`.
pub fn arrival(at: &Vector3<f64>, from: &Vector3<f64>) -> Vector2<f64> {
    let v = from - at;
    Vector2::new((v.z / v.norm()).asin(), v.y.atan2(v.x))
}

/// The derivative of [`arrival`] by the point `at`: rows elevation, azimuth, in rad/m.
pub fn arrival_derivative(at: &Vector3<f64>, from: &Vector3<f64>) -> Matrix2x3<f64> {
    let v = from - at;
    let (flat, square) = (v.x.hypot(v.y), v.norm_squared());
    -Matrix2x3::new(
        -v.z * v.x / (flat * square),
        -v.z * v.y / (flat * square),
        flat / square,
        -v.y / (flat * flat),
        v.x / (flat * flat),
        0.0,
    )
}

/// The second time block, and where everything stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// The second path.
    pub observation: Observation,
    coefficients: Vec<Complex<f64>>,
    /// The user.
    pub user: Vector3<f64>,
    /// The two sub-IRSs.
    pub sub_irs: [Vector3<f64>; 2],
}

impl Position {
    /// What an instance says of positions, where it says all.
    pub fn of(instance: &Instance) -> Option<Self> {
        let (second, positions) = (instance.second.as_ref()?, instance.positions.as_ref()?);
        let Positions { user, sub_irs, .. } = positions;
        Some(Self {
            observation: Observation::new(instance, second),
            coefficients: coefficients(instance.irs, &second.angles),
            user: Vector3::from(*user),
            sub_irs: sub_irs.map(Vector3::from),
        })
    }

    /// The informations on the angle pairs of both blocks, under the same phases and the same beam.
    pub fn informations(&self, system: &System, inner: &Inner, levels: &[f64], beam: f64) -> [Symmetric; 2] {
        let second = system.inner_of(&self.coefficients, levels);
        [system.observation.angle_information(inner, beam), self.observation.angle_information(&second, beam)]
    }

    /// `sqrt(tr J_p^-1)` with `J_p = sum D_i^T F_i D_i`; infinite where the angles do not tell the position: a user on
    /// the line through both sub-IRSs.
    pub fn error_bound(&self, system: &System, inner: &Inner, levels: &[f64], beam: f64) -> f64 {
        let mut information = Matrix3::zeros();
        for (block, f) in self.informations(system, inner, levels, beam).into_iter().enumerate() {
            let d = arrival_derivative(&self.user, &self.sub_irs[block]);
            information += d.transpose() * nalgebra::Matrix2::new(f.yy, f.yz, f.yz, f.zz) * d;
        }
        let scale = information.diagonal().map(|x| 1.0 / x.sqrt());
        let scaled = Matrix3::from_fn(|i, j| information[(i, j)] * scale[i] * scale[j]);
        if !(scaled.determinant() > SINGULAR) {
            return f64::INFINITY;
        }
        let Some(inverse) = scaled.try_inverse() else { return f64::INFINITY };
        let trace: f64 = (0..3).map(|i| inverse[(i, i)] * scale[i] * scale[i]).sum();
        if trace >= 0.0 && trace.is_finite() { trace.sqrt() } else { f64::INFINITY }
    }
}

/// The position of largest likelihood for two measured angle pairs with informations `weights`: Gauss-Newton from the
/// point nearest to both rays. None where the rays are parallel or the steps do not settle.
pub fn triangulate(
    sub_irs: &[Vector3<f64>; 2],
    measured: &[Vector2<f64>; 2],
    weights: &[Symmetric; 2],
) -> Option<Vector3<f64>> {
    let mut at = nearest_to_rays(sub_irs, measured)?;
    for _ in 0..30 {
        let (mut normal, mut right) = (Matrix3::zeros(), Vector3::zeros());
        for block in 0..2 {
            let d = arrival_derivative(&at, &sub_irs[block]);
            let w = nalgebra::Matrix2::new(weights[block].yy, weights[block].yz, weights[block].yz, weights[block].zz);
            let mut miss = measured[block] - arrival(&at, &sub_irs[block]);
            miss.y = (miss.y + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU) - std::f64::consts::PI;
            normal += d.transpose() * w * d;
            right += d.transpose() * w * miss;
        }
        let step = normal.try_inverse()? * right;
        at += step;
        if !at.iter().all(|x| x.is_finite()) {
            return None;
        }
        if step.norm() <= 1e-12 * at.norm().max(1.0) {
            return Some(at);
        }
    }
    None
}

/// The point of least squared distance to the lines `s_i - r a_i` along the measured directions `a_i`.
fn nearest_to_rays(sub_irs: &[Vector3<f64>; 2], measured: &[Vector2<f64>; 2]) -> Option<Vector3<f64>> {
    let (mut normal, mut right) = (Matrix3::zeros(), Vector3::zeros());
    for (from, angles) in sub_irs.iter().zip(measured) {
        let ((sg, cg), (sp, cp)) = (angles.x.sin_cos(), angles.y.sin_cos());
        let direction = Vector3::new(cg * cp, cg * sp, sg);
        let across = Matrix3::identity() - direction * direction.transpose();
        normal += across;
        right += across * from;
    }
    normal.try_inverse().map(|inverse| inverse * right).filter(|p| p.iter().all(|x| x.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::derivative;

    #[test]
    fn derivatives_of_the_arrival_are_those_of_differences() {
        let (at, from) = (Vector3::new(1.0, -2.0, 0.3), Vector3::new(4.0, 5.5, 5.0));
        let exact = arrival_derivative(&at, &from);
        for axis in 0..3 {
            let (slope, _) = derivative(2, 0.5, |x, out| {
                let mut moved = at;
                moved[axis] += x;
                out.copy_from_slice(arrival(&moved, &from).as_slice());
            });
            for row in 0..2 {
                assert!((slope[row] - exact[(row, axis)]).abs() < 1e-10, "{axis} {row}: {slope:?} {exact}");
            }
        }
    }

    #[test]
    fn exact_angles_give_the_exact_position() {
        let user = Vector3::new(1.0, 2.0, 0.0);
        let sub_irs = [Vector3::new(7.0, 8.0, 5.0), Vector3::new(6.0, -5.0, 5.0)];
        let weights = [Symmetric { yy: 3.0, yz: 0.4, zz: 1.0 }, Symmetric { yy: 1.0, yz: 0.0, zz: 9.0 }];
        let measured = [arrival(&user, &sub_irs[0]), arrival(&user, &sub_irs[1])];
        assert!((triangulate(&sub_irs, &measured, &weights).unwrap() - user).norm() < 1e-9);
        // Parallel rays meet nowhere.
        assert!(
            triangulate(&[sub_irs[0], sub_irs[0] * 2.0 - user], &[measured[0]; 2], &weights)
                .is_none_or(|p| p.norm() < 1e9)
        );
    }
}
