//! A problem restricted to one block or group: all others keep what a design has there.

use std::sync::Arc;

use crate::design::Design;
use crate::error::Result;
use crate::problem::Problem;

/// The problem in which only the named block or group may move; the rest is fixed at a design's values.
pub(crate) fn restrict(problem: &Problem, block: &str, design: &Design) -> Result<Arc<Problem>> {
    let space = problem.model().space();
    let free = space.resolve(block)?;
    let mut spec = problem.spec().clone();
    for (index, other) in space.blocks().iter().enumerate() {
        if !free.contains(&index) && !spec.fixed.contains_key(&other.name) {
            spec.fixed.insert(other.name.clone(), design[space.range(index)].to_vec());
        }
    }
    Problem::new(Arc::clone(problem.model()), spec)
}

/// The problem that a solver works on, and its start: restricted where it names a block.
pub(crate) fn chosen(
    problem: Arc<Problem>,
    block: Option<&str>,
    start: Option<Design>,
    random: &mut crate::math::RandomStream,
) -> Result<(Arc<Problem>, Design)> {
    let given = super::incumbent::first_design(&problem, start, random)?;
    match block {
        None => Ok((problem, given)),
        Some(block) => Ok((restrict(&problem, block, &given)?, given)),
    }
}
