//! A plugin's solver, as the rest of isacopt sees it: an optimizer like any other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Plugin, Solve};
use crate::design::Design;
use crate::driver::StopRules;
use crate::error::{InputError, Result};
use crate::math::RandomStream;
use crate::optimizer::{Iterate, Optimizer, Requirement};
use crate::problem::Problem;

/// A solver of a plugin. A config names the solver itself and never this type, so it is not among the listed ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PluginSolver {
    /// The solver's name.
    pub solver: String,
    /// Its parameters, defaults filled in.
    pub parameters: Map<String, Value>,
    /// The plugin that has it; none where it was read from a text without one.
    #[serde(skip)]
    pub plugin: Option<Plugin>,
}

#[typetag::serde(name = "plugin")]
impl Optimizer for PluginSolver {
    fn requires(&self) -> Requirement {
        self.plugin
            .as_ref()
            .and_then(|plugin| plugin.manifest().solver(&self.solver))
            .map_or_else(Requirement::anything, |offered| offered.requires())
    }

    fn stop_rules(&self) -> StopRules {
        let offered = self.plugin.as_ref().and_then(|plugin| plugin.manifest().solver(&self.solver));
        offered.map(|offered| offered.stop.clone()).unwrap_or_default()
    }

    fn begin(
        &self,
        problem: Arc<Problem>,
        start: Option<Design>,
        mut random: RandomStream,
    ) -> Result<Box<dyn Iterate>> {
        let offered = self.plugin.as_ref().and_then(|p| Some((p, p.manifest().solver(&self.solver)?)));
        let Some((plugin, offered)) = offered else {
            return Err(InputError::unknown("solver.type", &self.solver, []).into());
        };
        let mut start = match start {
            None if offered.start => Some(problem.default_start(&mut random)?),
            given => given,
        };
        if let Some(start) = &mut start {
            let wanted = problem.model().space().len();
            if start.len() != wanted {
                let found = format!("a design of {} coordinates", start.len());
                return Err(InputError::new("start", found, format!("{wanted} coordinates")).into());
            }
            problem.project(start);
        }
        let (solver, parameters) = (self.solver.clone(), self.parameters.clone());
        plugin.backend().begin(Solve { solver, parameters, problem, start, random })
    }
}
