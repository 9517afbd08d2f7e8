//! Complex affine expressions in Hermitian matrices and non-negative scalars.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use super::dense::{C, Matrix, ONE};

/// A Hermitian positive semidefinite matrix variable of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HermitianVariable {
    pub(super) block: usize,
    pub(super) size: usize,
}

/// A real variable of a program, 0 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalarVariable(pub(super) usize);

/// One term of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// `weight * left^H X right`.
    Form { block: usize, left: Vec<C>, right: Vec<C>, weight: C },
    /// `weight * X_(row, column)`.
    Entry { block: usize, row: usize, column: usize, weight: C },
    /// `weight * tr(matrix X)`.
    Inner { block: usize, matrix: Matrix, weight: C },
    /// `weight * x`.
    Scalar { scalar: usize, weight: C },
}

/// A constant and terms that are linear in the variables; complex where it stands inside a matrix inequality, its real
/// part where it stands in a row or an objective.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComplexExpression {
    pub(super) constant: C,
    pub(super) terms: Vec<Term>,
}

impl HermitianVariable {
    /// The number of its rows.
    pub fn size(self) -> usize {
        self.size
    }

    fn term(self, term: Term) -> ComplexExpression {
        ComplexExpression { constant: C::default(), terms: vec![term] }
    }

    /// `g^H X g`, real. Panics where the length is not the matrix's size, as a product of matrices does.
    pub fn quadratic(self, g: &[C]) -> ComplexExpression {
        self.form(g, g)
    }

    /// `a^H X b`.
    pub fn form(self, a: &[C], b: &[C]) -> ComplexExpression {
        assert!(a.len() == self.size && b.len() == self.size, "vectors of the size of the matrix");
        self.term(Term::Form { block: self.block, left: a.to_vec(), right: b.to_vec(), weight: ONE })
    }

    /// `X_(row, column)`. Panics beyond the matrix.
    pub fn entry(self, row: usize, column: usize) -> ComplexExpression {
        assert!(row < self.size && column < self.size, "an entry of the matrix");
        self.term(Term::Entry { block: self.block, row, column, weight: ONE })
    }

    /// `tr X`.
    pub fn trace(self) -> ComplexExpression {
        let entry = |i| Term::Entry { block: self.block, row: i, column: i, weight: ONE };
        ComplexExpression { constant: C::default(), terms: (0..self.size).map(entry).collect() }
    }

    /// `tr(D X)` for any matrix `D` of its size. Panics where the size differs.
    pub fn inner(self, matrix: &Matrix) -> ComplexExpression {
        assert!(matrix.nrows() == self.size && matrix.ncols() == self.size, "a matrix of the same size");
        self.term(Term::Inner { block: self.block, matrix: matrix.clone(), weight: ONE })
    }
}

impl From<ScalarVariable> for ComplexExpression {
    fn from(scalar: ScalarVariable) -> Self {
        Self { constant: C::default(), terms: vec![Term::Scalar { scalar: scalar.0, weight: ONE }] }
    }
}

impl From<f64> for ComplexExpression {
    fn from(constant: f64) -> Self {
        Self { constant: C::new(constant, 0.0), terms: Vec::new() }
    }
}

impl<T: Into<ComplexExpression>> AddAssign<T> for ComplexExpression {
    fn add_assign(&mut self, other: T) {
        let other = other.into();
        self.constant += other.constant;
        self.terms.extend(other.terms);
    }
}

impl<T: Into<ComplexExpression>> Add<T> for ComplexExpression {
    type Output = Self;
    fn add(mut self, other: T) -> Self {
        self += other;
        self
    }
}

impl<T: Into<ComplexExpression>> Sub<T> for ComplexExpression {
    type Output = Self;
    fn sub(self, other: T) -> Self {
        self + -other.into()
    }
}

impl Neg for ComplexExpression {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

impl Mul<f64> for ComplexExpression {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        self * C::new(factor, 0.0)
    }
}

impl Mul<C> for ComplexExpression {
    type Output = Self;
    fn mul(mut self, factor: C) -> Self {
        self.constant *= factor;
        for term in &mut self.terms {
            match term {
                Term::Form { weight, .. }
                | Term::Entry { weight, .. }
                | Term::Inner { weight, .. }
                | Term::Scalar { weight, .. } => *weight *= factor,
            }
        }
        self
    }
}
