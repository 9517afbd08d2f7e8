//! Numbers with derivatives in a few directions: a formula written once for [`Real`] gives its value in `f64` and its
//! exact gradient in [`Dual`].

use std::ops::{Add, Div, Mul, Neg, Sub};

/// What closed forms need of their numbers.
pub trait Real:
    Copy
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The value without its derivatives.
    fn value(self) -> f64;
    /// The square root.
    fn sqrt(self) -> Self;
    /// `ln(1 + x)`.
    fn ln_1p(self) -> Self;
}

impl Real for f64 {
    fn value(self) -> f64 {
        self
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn ln_1p(self) -> Self {
        self.ln_1p()
    }
}

/// A value and its derivatives in N directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<const N: usize> {
    /// The value.
    pub value: f64,
    /// Its derivatives.
    pub slopes: [f64; N],
}

impl<const N: usize> Dual<N> {
    /// The variable of a direction.
    pub fn variable(value: f64, direction: usize) -> Self {
        let mut slopes = [0.0; N];
        slopes[direction] = 1.0;
        Self { value, slopes }
    }

    /// `f(x)` with the slope of f at x.
    fn chain(self, value: f64, slope: f64) -> Self {
        Self { value, slopes: self.slopes.map(|s| s * slope) }
    }
}

impl<const N: usize> From<f64> for Dual<N> {
    fn from(value: f64) -> Self {
        Self { value, slopes: [0.0; N] }
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let slopes = std::array::from_fn(|i| self.slopes[i] + other.slopes[i]);
        Self { value: self.value + other.value, slopes }
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the derivative of a product")]
    fn mul(self, other: Self) -> Self {
        let slopes = std::array::from_fn(|i| self.slopes[i] * other.value + self.value * other.slopes[i]);
        Self { value: self.value * other.value, slopes }
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the derivative of a quotient")]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let slopes = std::array::from_fn(|i| (self.slopes[i] - value * other.slopes[i]) / other.value);
        Self { value, slopes }
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Self;
    fn neg(self) -> Self {
        self.chain(-self.value, -1.0)
    }
}

impl<const N: usize> Real for Dual<N> {
    fn value(self) -> f64 {
        self.value
    }
    /// At 0 the slope is taken as 0: what is under such a root is a square.
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.chain(root, if root > 0.0 { 0.5 / root } else { 0.0 })
    }
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), 1.0 / (1.0 + self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_differences() {
        fn formula<T: Real>(x: T, y: T) -> T {
            (x * y - T::from(0.3) / x).ln_1p() * (y + T::from(2.0)).sqrt() - -x
        }
        let (x, y) = (0.9, 1.7);
        let dual = formula(Dual::<2>::variable(x, 0), Dual::variable(y, 1));
        assert_eq!(dual.value, formula(x, y));
        let step = 1e-6;
        let by_x = (formula(x + step, y) - formula(x - step, y)) / (2.0 * step);
        let by_y = (formula(x, y + step) - formula(x, y - step)) / (2.0 * step);
        assert!((dual.slopes[0] - by_x).abs() < 1e-8 && (dual.slopes[1] - by_y).abs() < 1e-8);
        assert_eq!(Dual::<1>::variable(0.0, 0).sqrt().slopes, [0.0]);
    }
}
