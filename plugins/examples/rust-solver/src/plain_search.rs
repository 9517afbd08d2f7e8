//! Random search exactly as isacopt's own: a yardstick for the interface, as both give the same bits for one seed.

use isacopt_plugin::{Deserialize, Host, JsonSchema, Judged, Result, Serialize, Solver, Step, StopRules};

/// Rounding alone misses a limit by no more than this.
const TIGHT: f64 = 1e-12;

/// Independent random designs, uniform over their domains where these are bounded, moved to feasible ones where the
/// model offers that. Draws and judges as isacopt's own `random_search` does.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, crate = "isacopt_plugin::serde")]
#[schemars(crate = "isacopt_plugin::schemars")]
pub struct PlainSearch {
    /// Designs drawn in one iteration.
    #[schemars(range(min = 1))]
    pub batch: u64,
}

impl Default for PlainSearch {
    fn default() -> Self {
        Self { batch: 100 }
    }
}

/// The best design so far, and room for the next.
pub struct Draws {
    best: Vec<f64>,
    value: Judged,
    trial: Vec<f64>,
}

impl Solver for PlainSearch {
    const NAME: &'static str = "plain_search";
    const STARTS: bool = false;
    type State = Draws;

    fn stop_rules() -> StopRules {
        StopRules { max_evaluations: Some(10_000), ..StopRules::default() }
    }

    fn begin(&self, host: &mut Host, start: Option<&[f64]>) -> Result<Draws> {
        let best = host.first_design(start)?;
        Ok(Draws { value: host.evaluate(&best)?, trial: best.clone(), best })
    }

    fn step(&self, state: &mut Draws, host: &mut Host) -> Result<Step> {
        let repairs = host.problem().repairs();
        for _ in 0..self.batch {
            host.random_design_into(&mut state.trial)?;
            let mut value = host.evaluate(&state.trial)?;
            if value.violation > TIGHT && repairs {
                host.repair(&mut state.trial)?;
                value = host.evaluate(&state.trial)?;
            }
            if host.better(&value, &state.value) {
                std::mem::swap(&mut state.best, &mut state.trial);
                state.value = value;
            }
            if host.should_stop() {
                break;
            }
        }
        Ok(Step::Advanced)
    }

    fn best<'a>(&self, state: &'a Draws) -> &'a [f64] {
        &state.best
    }
}
