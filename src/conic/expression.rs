//! Variables, and affine expressions in them.

use std::ops::{Add, AddAssign, Mul, Neg, Range, Sub};

/// One real variable of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variable(pub(super) usize);

/// A block of real variables of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variables {
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Variable {
    /// Where it stands in a solution.
    pub fn index(self) -> usize {
        self.0
    }
}

impl Variables {
    /// How many there are.
    pub fn len(self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The variable of this number, from 0. Panics beyond the block, as a slice does.
    pub fn get(self, index: usize) -> Variable {
        assert!(index < self.count, "variable {index} of a block of {}", self.count);
        Variable(self.first + index)
    }

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Variable> {
        self.range().map(Variable)
    }

    /// Where they stand in a solution.
    pub fn range(self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

/// An affine expression: a constant, and variables with their coefficients.
///
/// A coefficient of 0 that is written down stays: it can be set to another value later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expression {
    pub(super) constant: f64,
    pub(super) terms: Vec<(Variable, f64)>,
}

impl Expression {
    /// The sum of coefficients times variables.
    pub fn sum(terms: impl IntoIterator<Item = (Variable, f64)>) -> Self {
        Self { constant: 0.0, terms: terms.into_iter().collect() }
    }
}

impl From<f64> for Expression {
    fn from(constant: f64) -> Self {
        Self { constant, terms: Vec::new() }
    }
}

impl From<Variable> for Expression {
    fn from(variable: Variable) -> Self {
        Self { constant: 0.0, terms: vec![(variable, 1.0)] }
    }
}

impl<T: Into<Expression>> AddAssign<T> for Expression {
    fn add_assign(&mut self, other: T) {
        let other = other.into();
        self.constant += other.constant;
        self.terms.extend(other.terms);
    }
}

impl<T: Into<Expression>> Add<T> for Expression {
    type Output = Expression;
    fn add(mut self, other: T) -> Expression {
        self += other;
        self
    }
}

impl<T: Into<Expression>> Sub<T> for Expression {
    type Output = Expression;
    fn sub(self, other: T) -> Expression {
        self + -other.into()
    }
}

impl Neg for Expression {
    type Output = Expression;
    fn neg(self) -> Expression {
        self * -1.0
    }
}

impl Mul<f64> for Expression {
    type Output = Expression;
    fn mul(mut self, factor: f64) -> Expression {
        self.constant *= factor;
        self.terms.iter_mut().for_each(|(_, value)| *value *= factor);
        self
    }
}

impl Mul<Expression> for f64 {
    type Output = Expression;
    fn mul(self, expression: Expression) -> Expression {
        expression * self
    }
}

impl<T: Into<Expression>> Add<T> for Variable {
    type Output = Expression;
    fn add(self, other: T) -> Expression {
        Expression::from(self) + other
    }
}

impl<T: Into<Expression>> Sub<T> for Variable {
    type Output = Expression;
    fn sub(self, other: T) -> Expression {
        Expression::from(self) - other
    }
}

impl Neg for Variable {
    type Output = Expression;
    fn neg(self) -> Expression {
        -Expression::from(self)
    }
}

impl Mul<f64> for Variable {
    type Output = Expression;
    fn mul(self, factor: f64) -> Expression {
        Expression { constant: 0.0, terms: vec![(self, factor)] }
    }
}

impl Mul<Variable> for f64 {
    type Output = Expression;
    fn mul(self, variable: Variable) -> Expression {
        variable * self
    }
}
