//! Monte-Carlo figures beside the closed forms of a finished run, as `[simulate]` and `[estimate]` ask for them.
//!
//! The draws come from a stream of their own, keyed by (seed, trial): all solvers, and all points of a sweep, are
//! judged by the same random numbers, so that differences between them are not luck. They are not part of a solver's
//! time. In `results.jsonl` they stand beside the metric's value:
//!
//! ```text
//! metrics.sum_rate.simulated      {"value": x, "standard_error": e, "draws": n}
//! metrics.crlb_azimuth.estimated  {"maximum_likelihood": {"value": mean square error, "standard_error": e, "draws": n}}
//! ```
//!
//! with lists for metrics of several entries.

use serde_json::{Map, Value, json};

use crate::config::{Estimate, Experiment, Simulate};
use crate::design::{Design, nested_with};
use crate::error::Result;
use crate::math::RandomStream;
use crate::metric::{MetricInfo, number_json};
use crate::model::SystemModel;
use crate::optimizer::Cancel;
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
    metrics: &mut Map<String, Value>,
) -> Result<()> {
    let mut stream = RandomStream::keyed(experiment.seed, "simulation", "", 0, trial);
    let seed = rand::Rng::next_u64(&mut *stream);
    // One thread: whole runs are what is done in parallel.
    let draws = |count| Draws { count, seed, threads: 1 };
    let mut go_on = |_| !cancel.is_set();
    if let Some(Simulate { metrics: wanted, draws: count }) = &experiment.simulate {
        let found = estimate(model, design, draws(*count), &mut go_on)?.unwrap_or_default();
        for (info, found) in found.iter().map(|found| (&model.metrics()[found.metric], found)) {
            if let (true, Some(Value::Object(metric))) = (wanted.contains(&info.id), metrics.get_mut(&info.id)) {
                metric.insert("simulated".into(), figure(info, found, *count));
            }
        }
    }
    if let Some(Estimate { estimators, trials }) = &experiment.estimate {
        for estimator in estimators {
            for found in mean_square_errors(model, estimator, design, draws(*trials), &mut go_on)? {
                let info = &model.metrics()[found.metric];
                let Some(Value::Object(metric)) = metrics.get_mut(&info.id) else { continue };
                let estimated = metric.entry("estimated").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(estimated) = estimated {
                    estimated.insert(estimator.clone(), figure(info, &found, *trials));
                }
            }
        }
    }
    Ok(())
}

fn figure(info: &MetricInfo, found: &MetricEstimate, draws: u64) -> Value {
    let nested = |values: &[f64]| nested_with(values, &info.shape, &number_json);
    json!({ "value": nested(&found.mean), "standard_error": nested(&found.standard_error), "draws": draws })
}
