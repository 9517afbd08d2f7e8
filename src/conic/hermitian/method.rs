//! Which solver takes a program.

use serde::{Deserialize, Serialize};

use super::program::HermitianProgram;
use super::solution::HermitianSolution;
use super::{diagonal, embedding, interior_point};
use crate::conic::Status;

/// Which solver takes programs over Hermitian matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The interior-point method on the complex blocks; where that gives up, Clarabel, if the program is small enough for
    /// it; for relaxations of phases alone of more than 400 elements, the low-rank method with a dual shift.
    #[default]
    Auto,
    /// The interior-point method on the complex blocks.
    Native,
    /// Clarabel, on real embeddings of twice the size.
    Clarabel,
}

impl Method {
    /// The names in configs.
    pub const NAMES: [&str; 3] = ["auto", "native", "clarabel"];

    /// The method of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Auto, Self::Native, Self::Clarabel].into_iter().zip(Self::NAMES).find(|m| m.1 == name).map(|m| m.0)
    }

    /// Whether it is the default.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Clarabel is asked for a second opinion about programs of at most so many embedded entries: fractions of a second.
const SECOND_OPINION: usize = 1200;

pub(super) fn solve(program: &HermitianProgram) -> HermitianSolution {
    match program.settings.method {
        Method::Native => interior_point::solve(program),
        Method::Clarabel => embedding::solve(program),
        Method::Auto => {
            if let Some(solution) = diagonal::solve(program) {
                return solution;
            }
            let own = interior_point::solve(program);
            if own.status != Status::Inaccurate || embedding::size(program) > SECOND_OPINION {
                return own;
            }
            let other = embedding::solve(program);
            if other.status == Status::Inaccurate { own } else { other }
        }
    }
}
