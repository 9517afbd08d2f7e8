//! The cones, and membership in them and in their duals.

use std::f64::consts::FRAC_1_SQRT_2;

use clarabel::solver::SupportedConeT;

/// A closed convex cone. All but the zero and the exponential cone are their own duals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cone {
    /// `s = 0`, any number of rows. Its dual is everything.
    Zero,
    /// `s >= 0` row by row, any number of rows.
    NonNegative,
    /// `s_0 >= ||(s_1, s_2, ...)||`, at least one row.
    SecondOrder,
    /// `2 s_0 s_1 >= ||(s_2, s_3, ...)||²` and `s_0, s_1 >= 0`, at least two rows.
    RotatedSecondOrder,
    /// `s_1 exp(s_0 / s_1) <= s_2`, `s_1 > 0` (closed), three rows.
    Exponential,
}

impl Cone {
    /// Whether it may have so many rows.
    pub(super) fn allows(self, rows: usize) -> bool {
        match self {
            Self::Zero | Self::NonNegative => true,
            Self::SecondOrder => rows >= 1,
            Self::RotatedSecondOrder => rows >= 2,
            Self::Exponential => rows == 3,
        }
    }

    /// How many rows it takes, in words.
    pub(super) fn rows_in_words(self) -> &'static str {
        match self {
            Self::Zero | Self::NonNegative => "any number of rows",
            Self::SecondOrder => "at least 1 row",
            Self::RotatedSecondOrder => "at least 2 rows",
            Self::Exponential => "3 rows",
        }
    }

    /// The cone in which the solver sees rows of this one, see [`rotate`].
    pub(super) fn in_solver(self, rows: usize) -> SupportedConeT<f64> {
        match self {
            Self::Zero => SupportedConeT::ZeroConeT(rows),
            Self::NonNegative => SupportedConeT::NonnegativeConeT(rows),
            Self::SecondOrder | Self::RotatedSecondOrder if rows == 1 => SupportedConeT::NonnegativeConeT(1),
            Self::SecondOrder | Self::RotatedSecondOrder => SupportedConeT::SecondOrderConeT(rows),
            Self::Exponential => SupportedConeT::ExponentialConeT(),
        }
    }

    /// How far a point in the solver's coordinates misses the cone; 0 inside, infinite where that cannot be told.
    pub(super) fn distance(self, s: &[f64]) -> f64 {
        match self {
            Self::Zero => s.iter().fold(0.0, |d, x| f64::max(d, x.abs())),
            Self::Exponential => exponential_distance(s),
            _ => self.dual_distance(s),
        }
    }

    /// How far a point in the solver's coordinates misses the dual cone.
    pub(super) fn dual_distance(self, z: &[f64]) -> f64 {
        match self {
            Self::Zero => 0.0,
            Self::NonNegative => z.iter().fold(0.0, |d, x| f64::max(d, -x)),
            Self::SecondOrder | Self::RotatedSecondOrder => match z {
                [] => 0.0,
                [first, rest @ ..] => (norm(rest) - first).max(0.0),
            },
            // (u, v, w) is in the dual cone if (u - v, -u, w) is in the cone itself.
            Self::Exponential => match z {
                [u, v, w] => exponential_distance(&[u - v, -u, *w]),
                _ => f64::INFINITY,
            },
        }
    }
}

/// The Euclidean norm, safe against overflow.
fn norm(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0, |m, v| f64::max(m, v.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * x.iter().map(|v| (v / largest) * (v / largest)).sum::<f64>().sqrt()
}

/// By how much `x <= y ln(z / y)` with `y, z >= 0` is missed.
fn exponential_distance(s: &[f64]) -> f64 {
    let [x, y, z] = *s else { return f64::INFINITY };
    let below = f64::max(0.0, -y).max(-z);
    if y <= 0.0 {
        return below.max(x);
    }
    if z <= 0.0 { f64::INFINITY } else { (x - y * (z / y).ln()).max(0.0) }
}

/// The rotation that turns the rotated second-order cone into the plain one, on its first two rows:
/// `(u, v) -> ((u + v), (u - v)) / sqrt 2`. It is its own inverse.
pub(super) fn rotate(u: f64, v: f64) -> (f64, f64) {
    ((u + v) * FRAC_1_SQRT_2, (u - v) * FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;

    /// A random point of a cone, in the solver's coordinates.
    fn member(cone: Cone, rows: usize, stream: &mut RandomStream) -> Vec<f64> {
        let mut s: Vec<f64> = (0..rows).map(|_| stream.normal()).collect();
        match cone {
            Cone::Zero => s.fill(0.0),
            Cone::NonNegative => s.iter_mut().for_each(|x| *x = x.abs()),
            Cone::SecondOrder | Cone::RotatedSecondOrder => s[0] = norm(&s[1..]) * (1.0 + stream.uniform()),
            Cone::Exponential => {
                s[1] = s[1].abs() + 0.2;
                s[2] = s[1] * (s[0] / s[1]).exp() * (1.0 + stream.uniform());
            }
        }
        s
    }

    #[test]
    fn members_are_inside_and_what_the_dual_holds_has_no_negative_product_with_any() {
        let mut stream = RandomStream::keyed(1, "cones", "", 0, 0);
        for (cone, rows) in [
            (Cone::NonNegative, 4),
            (Cone::SecondOrder, 4),
            (Cone::RotatedSecondOrder, 4),
            (Cone::Exponential, 3),
            (Cone::Zero, 2),
        ] {
            let members: Vec<_> = (0..300).map(|_| member(cone, rows, &mut stream)).collect();
            assert!(members.iter().all(|s| cone.distance(s) <= 1e-12));
            let (mut inside, mut outside) = (0, 0);
            for _ in 0..2000 {
                let z: Vec<f64> = (0..rows).map(|_| stream.normal()).collect();
                let least = members
                    .iter()
                    .map(|s| s.iter().zip(&z).map(|(a, b)| a * b).sum::<f64>())
                    .fold(f64::INFINITY, f64::min);
                if cone.dual_distance(&z) == 0.0 {
                    inside += 1;
                    assert!(least >= -1e-9, "{cone:?} {z:?} {least}");
                } else {
                    outside += usize::from(least < 0.0);
                }
            }
            // Some points are in the dual, and points outside are mostly seen to be so.
            assert!(inside > 20 && (cone == Cone::Zero || outside > 500), "{cone:?}: {inside} {outside}");
        }
    }
}
