//! Where the methods of surrogates set out: a zero power has a surrogate that keeps it zero, so that a user without
//! power would never get any.

use crate::design::{Design, Domain};
use crate::problem::Problem;
use crate::structure::Feasibility;

/// The share of its block's mean that a zero entry is given.
const SHARE: f64 = 1e-2;

/// Gives free entries of non-negative blocks that are exactly 0 a small share, and lets the model repair the design
/// if that changed it. Whether it changed.
pub(crate) fn lift_zeros(problem: &Problem, repair: Option<&mut Box<dyn Feasibility>>, design: &mut Design) -> bool {
    let space = problem.model().space();
    let mut lifted = false;
    for (index, block) in space.blocks().iter().enumerate() {
        if block.domain != Domain::NonNegative || problem.spec().fixed.contains_key(&block.name) {
            continue;
        }
        let part = &mut design[space.range(index)];
        let mean = part.iter().sum::<f64>() / part.len().max(1) as f64;
        let share = SHARE * if mean > 0.0 { mean } else { block.scale };
        for entry in part.iter_mut().filter(|x| **x == 0.0) {
            *entry = share;
            lifted = true;
        }
    }
    if lifted && let Some(repair) = repair {
        repair.repair(design);
    }
    lifted
}
