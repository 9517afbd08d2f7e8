//! The paper's comparison scheme (paper 002, section V-C): random phases.

use std::sync::Arc;

use serde_json::Value;

use super::System;
use crate::design::Design;
use crate::error::{InputError, Result};
use crate::instance::found;
use crate::math::RandomStream;
use crate::model::{Baseline, Named};
use crate::problem::ProblemSpec;

/// One uniform draw of all phase levels, with the matched beam.
pub(super) struct RandomPhases(pub Arc<System>);

impl Baseline for RandomPhases {
    fn named(&self) -> Named {
        Named { name: "random_phases", description: "one draw of uniformly random phase levels, with the matched beam" }
    }

    /// The draw of seed 0, for starts; runs draw from their own stream.
    fn design(&self, problem: &ProblemSpec, parameters: &Value) -> Result<Design> {
        self.draw(problem, parameters, &mut RandomStream::solver(0, 0))
    }

    fn draw(&self, _problem: &ProblemSpec, parameters: &Value, random: &mut RandomStream) -> Result<Design> {
        match parameters {
            Value::Null => {}
            Value::Object(object) => {
                if let Some(unknown) = object.keys().next() {
                    return Err(InputError::unknown(unknown.as_str(), unknown, []).into());
                }
            }
            other => return Err(InputError::new("", found(other), "a table without parameters").into()),
        }
        let instance = &self.0.instance;
        let levels = instance.levels() as f64;
        let mut design: Vec<f64> = (0..instance.irs.len()).map(|_| (levels * random.uniform()).floor()).collect();
        design.extend(instance.matched_beam());
        Ok(Design::new(design))
    }
}
