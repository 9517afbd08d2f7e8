//! Monte-Carlo figures beside the closed forms of a finished run, as `[simulate]` and `[estimate]` ask for them.
//!
//! The draws come from a stream of their own, keyed by (seed, trial): all solvers, and all points of a sweep, are
//! judged by the same random numbers, so that differences between them are not luck. They are not part of a solver's
//! time. In `results.jsonl` they stand beside the metric's value, see [`Metrics`].

use serde_json::{Value, json};

use crate::config::{Estimate, Experiment, Simulate};
use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::model::SystemModel;
use crate::optimizer::Cancel;
use crate::results::{Drawn, Metrics};
use crate::simulation::{Draws, MetricEstimate, estimate, mean_square_errors};

/// What of an experiment's Monte-Carlo determines a result; nothing where it has none.
pub fn determinants(experiment: &Experiment) -> Option<Value> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    let simulate = experiment.simulate.as_ref().map(|s| json!([sorted(&s.metrics), s.draws]));
    let estimate = experiment.estimate.as_ref().map(|e| json!([sorted(&e.estimators), e.trials]));
    (simulate.is_some() || estimate.is_some()).then(|| json!({ "simulate": simulate, "estimate": estimate }))
}

/// Puts the Monte-Carlo figures of a design into its metrics. Ends early, with some of them, once cancelled.
///
/// # Errors
/// Where the model cannot be simulated at this design after all.
pub fn attach(
    experiment: &Experiment,
    model: &dyn SystemModel,
    design: &Design,
    trial: u64,
    cancel: &Cancel,
    metrics: &mut Metrics,
) -> Result<()> {
    let mut stream = RandomStream::keyed(experiment.seed, "simulation", "", 0, trial);
    let seed = rand::Rng::next_u64(&mut *stream);
    // One thread: whole runs are what is done in parallel.
    let draws = |count| Draws { count, seed, threads: 1 };
    let mut go_on = |_| !cancel.is_set();
    if let Some(Simulate { metrics: wanted, draws: count }) = &experiment.simulate {
        let found = estimate(model, design, draws(*count), &mut go_on)?.unwrap_or_default();
        for (id, found) in found.iter().map(|found| (&model.metrics()[found.metric].id, found)) {
            if wanted.contains(id) {
                metrics.put_simulated(id, figure(found, *count));
            }
        }
    }
    if let Some(Estimate { estimators, trials }) = &experiment.estimate {
        for estimator in estimators {
            for found in mean_square_errors(model, estimator, design, draws(*trials), &mut go_on)? {
                metrics.put_estimated(&model.metrics()[found.metric].id, estimator, figure(&found, *trials));
            }
        }
    }
    Ok(())
}

fn figure(found: &MetricEstimate, draws: u64) -> Drawn<'_> {
    Drawn { value: &found.mean, standard_error: &found.standard_error, draws }
}
