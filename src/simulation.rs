//! Monte-Carlo ground truth: a scenario hands over a simulation of its raw signals, and this engine turns it into
//! metric values with standard errors.
//!
//! A closed form is held against a simulation that shares no code with it. Many figures are no means themselves but
//! functions of means (an SINR is a ratio of moments), so a [`Simulation`] gives per draw a vector of samples whose
//! means are *moments* `m`, and a function `g(m)` that gives the metrics. With the moments' covariance `C` after `n`
//! draws, the engine reports
//!
//! ```text
//! mean           g(m) - tr(H C/n) / 2                       (the bias of second order removed)
//! standard error sqrt( d' C/n d + tr(H C/n H C/n) / 2 )     (delta method of second order)
//! ```
//!
//! with the gradient `d` and Hessian `H` of `g` at the sample means, by finite differences over one standard error.
//! The second order matters where the gradient vanishes: the SINR of a user who is sent nothing.
//!
//! Draws come in chunks of fixed size, each with its own keyed random stream, and are merged in order: the same seed
//! gives the same bits whatever the number of threads.

use nalgebra::{DMatrix, SymmetricEigen};
use rayon::prelude::*;

use crate::design::Design;
use crate::error::{Error, InputError, Result};
use crate::math::RandomStream;
use crate::metric::MetricInfo;
use crate::model::SystemModel;

/// Draws that share one random stream.
const CHUNK: u64 = 64;
/// Chunks between two reports of progress.
const WAVE: u64 = 64;

/// A scenario's raw signals for one design, drawn again and again.
pub trait Simulation: Send {
    /// The number of moments.
    fn moments(&self) -> usize;

    /// The metrics that it covers, by name.
    fn covers(&self) -> Vec<&'static str>;

    /// One draw: writes one sample of every moment. Depends on the stream only, not on earlier draws.
    fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]);

    /// The covered metrics as a function of the moments: all entries of the first metric, then of the second, ...
    fn estimate(&self, mean: &[f64], out: &mut [f64]);
}

/// Makes simulations, one a thread.
pub type SimulationFactory = Box<dyn Fn() -> Box<dyn Simulation> + Send + Sync>;

/// How much to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The number of draws, at least 2.
    pub count: u64,
    /// The seed.
    pub seed: u64,
    /// Threads; 0 for the pool of the caller (all cores where there is none). They change the time only.
    pub threads: usize,
}

/// A metric as Monte-Carlo sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricEstimate {
    /// The metric's index in its model.
    pub metric: usize,
    /// The estimate of each entry.
    pub mean: Vec<f64>,
    /// Its standard error; 0 for what does not vary.
    pub standard_error: Vec<f64>,
}

impl MetricEstimate {
    /// How many standard errors a value of an entry lies above the estimate. Differences within rounding (1e-10
    /// relative) give about 0. None where the value or the estimate is no finite number.
    pub fn z_score(&self, entry: usize, value: f64) -> Option<f64> {
        let (mean, error) = (self.mean[entry], self.standard_error[entry]);
        let spread = error.hypot(1e-10 * mean.abs()).max(f64::MIN_POSITIVE);
        let z = (value - mean) / spread;
        z.is_finite().then_some(z)
    }
}

/// Sample means and co-moments, merged without loss of digits (Chan, Golub and LeVeque 1983).
#[derive(Clone, Debug)]
pub struct Moments {
    count: u64,
    mean: Vec<f64>,
    /// Sums of products of deviations: the lower triangle, row by row.
    products: Vec<f64>,
    deviation: Vec<f64>,
}

impl Moments {
    /// Of no draw yet.
    pub fn new(size: usize) -> Self {
        Self { count: 0, mean: vec![0.0; size], products: vec![0.0; size * (size + 1) / 2], deviation: vec![0.0; size] }
    }

    /// The number of draws.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sample means.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance of two of the sample means: the samples' covariance over the number of draws.
    pub fn covariance_of_means(&self, i: usize, j: usize) -> f64 {
        let (row, column) = (i.max(j), i.min(j));
        let n = self.count as f64;
        self.products[row * (row + 1) / 2 + column] / (n - 1.0) / n
    }

    /// Adds one draw.
    pub fn push(&mut self, sample: &[f64]) {
        self.count += 1;
        let n = self.count as f64;
        for ((d, m), x) in self.deviation.iter_mut().zip(&mut self.mean).zip(sample) {
            *d = x - *m;
            *m += *d / n;
        }
        self.add_products((n - 1.0) / n);
    }

    /// Adds the draws of another one.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (mine, theirs) = (self.count as f64, other.count as f64);
        let total = mine + theirs;
        for ((d, m), x) in self.deviation.iter_mut().zip(&mut self.mean).zip(&other.mean) {
            *d = x - *m;
            *m += *d * theirs / total;
        }
        for (p, q) in self.products.iter_mut().zip(&other.products) {
            *p += q;
        }
        self.count += other.count;
        self.add_products(mine * theirs / total);
    }

    fn add_products(&mut self, weight: f64) {
        let mut rest = self.products.as_mut_slice();
        for (i, d) in self.deviation.iter().enumerate() {
            let (row, next) = rest.split_at_mut(i + 1);
            let factor = weight * d;
            for (p, e) in row.iter_mut().zip(&self.deviation) {
                *p += factor * e;
            }
            rest = next;
        }
    }
}

/// Draws a simulation, and gives the moments. `scope` (the scenario's name) and the seed choose the random streams.
///
/// After every few thousand draws `progress` hears how many are done; where it says `false`, drawing ends there.
pub fn draw(
    factory: &SimulationFactory,
    scope: &str,
    draws: Draws,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Moments> {
    if draws.count < 2 {
        return Err(InputError::new("draws", draws.count.to_string(), "at least 2, for a standard error").into());
    }
    let size = factory().moments();
    let run_chunk = |simulation: &mut Box<dyn Simulation>, chunk: u64| {
        let mut stream = RandomStream::keyed(draws.seed, "simulation", scope, chunk, 0);
        let mut moments = Moments::new(size);
        let mut sample = vec![0.0; size];
        for _ in chunk * CHUNK..((chunk + 1) * CHUNK).min(draws.count) {
            simulation.sample(&mut stream, &mut sample);
            moments.push(&sample);
        }
        moments
    };
    let pool = match draws.threads {
        0 | 1 => None,
        threads => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            Some(pool.map_err(|e| Error::Numerical(format!("cannot start {threads} threads: {e}")))?)
        }
    };
    let run_wave = |chunks: std::ops::Range<u64>| -> Vec<Moments> {
        let parallel = || chunks.clone().into_par_iter().map_init(factory, &run_chunk).collect();
        match (&pool, draws.threads) {
            (_, 1) => {
                let mut simulation = factory();
                chunks.map(|chunk| run_chunk(&mut simulation, chunk)).collect()
            }
            (Some(pool), _) => pool.install(parallel),
            (None, _) => parallel(),
        }
    };
    let chunks = draws.count.div_ceil(CHUNK);
    let mut moments = Moments::new(size);
    let mut next = 0;
    while next < chunks {
        let end = (next + WAVE).min(chunks);
        for part in run_wave(next..end) {
            moments.merge(&part);
        }
        next = end;
        if !progress(moments.count()) {
            break;
        }
    }
    Ok(moments)
}

/// Estimates and standard errors of a simulation's `outputs` figures from its moments: the formulas of this module.
pub fn propagate(simulation: &dyn Simulation, moments: &Moments, outputs: usize) -> (Vec<f64>, Vec<f64>) {
    let steps = principal_steps(moments);
    let value = |terms: &[(f64, usize)]| {
        let mut at = moments.mean().to_vec();
        for (sign, step) in terms {
            at.iter_mut().zip(&steps[*step]).for_each(|(x, s)| *x += sign * s);
        }
        let mut out = vec![f64::NAN; outputs];
        simulation.estimate(&at, &mut out);
        out
    };
    let center = value(&[]);
    let forward: Vec<_> = (0..steps.len()).map(|i| value(&[(1.0, i)])).collect();
    let backward: Vec<_> = (0..steps.len()).map(|i| value(&[(-1.0, i)])).collect();
    let mut bias = vec![0.0; outputs];
    let mut variance = vec![0.0; outputs];
    for i in 0..steps.len() {
        for (o, c) in center.iter().enumerate() {
            let slope = (forward[i][o] - backward[i][o]) / 2.0;
            let curvature = forward[i][o] + backward[i][o] - 2.0 * c;
            bias[o] += curvature / 2.0;
            variance[o] += slope * slope + curvature * curvature / 2.0;
        }
        for j in 0..i {
            let both = value(&[(1.0, i), (1.0, j)]);
            let neither = value(&[(-1.0, i), (-1.0, j)]);
            for (o, c) in center.iter().enumerate() {
                let single = forward[i][o] + backward[i][o] + forward[j][o] + backward[j][o];
                let mixed = (both[o] + neither[o] - single) / 2.0 + c;
                // Twice a half: the Hessian holds this entry on both sides of its diagonal.
                variance[o] += mixed * mixed;
            }
        }
    }
    let mean = center.iter().zip(&bias).map(|(c, b)| c - b).collect();
    (mean, variance.into_iter().map(f64::sqrt).collect())
}

/// Vectors whose outer products sum to the covariance of the sample means.
fn principal_steps(moments: &Moments) -> Vec<Vec<f64>> {
    let size = moments.mean().len();
    // Correlations, so that moments of very different size do not drown each other.
    let scale: Vec<f64> = (0..size).map(|i| moments.covariance_of_means(i, i).sqrt()).collect();
    let varying: Vec<usize> = (0..size).filter(|i| scale[*i] > 0.0).collect();
    let correlation = DMatrix::from_fn(varying.len(), varying.len(), |a, b| {
        let (i, j) = (varying[a], varying[b]);
        moments.covariance_of_means(i, j) / scale[i] / scale[j]
    });
    if varying.is_empty() || correlation.iter().any(|x| !x.is_finite()) {
        return Vec::new();
    }
    let eigen = SymmetricEigen::new(correlation);
    let kept = eigen.eigenvalues.iter().enumerate().filter(|(_, e)| **e > 1e-14);
    kept.map(|(column, eigenvalue)| {
        let mut step = vec![0.0; size];
        for (row, i) in varying.iter().enumerate() {
            step[*i] = eigenvalue.sqrt() * scale[*i] * eigen.eigenvectors[(row, column)];
        }
        step
    })
    .collect()
}

/// The metrics of a design by Monte-Carlo; none where its model has no simulation.
pub fn estimate(
    model: &dyn SystemModel,
    design: &Design,
    draws: Draws,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Vec<MetricEstimate>>> {
    let Some(factory) = model.simulation(design) else { return Ok(None) };
    estimate_with(&factory, model.metrics(), model.scenario(), draws, progress).map(Some)
}

/// The mean square errors of an estimator at a design, in the place of the CRLBs that they are to be compared with;
/// an error where the model has no estimator of that name. All estimators of a model see the same trials.
pub fn mean_square_errors(
    model: &dyn SystemModel,
    estimator: &str,
    design: &Design,
    draws: Draws,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<MetricEstimate>> {
    let Some(factory) = model.estimator(estimator, design) else {
        let known = model.estimators();
        return Err(InputError::unknown("estimator", estimator, known.iter().map(|e| e.name)).into());
    };
    estimate_with(&factory, model.metrics(), &format!("{} echo", model.scenario()), draws, progress)
}

/// The same as [`estimate`] for a simulation at hand; `metrics` and `scope` are its model's metrics and name.
pub fn estimate_with(
    factory: &SimulationFactory,
    metrics: &[MetricInfo],
    scope: &str,
    draws: Draws,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Vec<MetricEstimate>> {
    let simulation = factory();
    let mut covered = Vec::new();
    for id in simulation.covers() {
        let found = metrics.iter().position(|m| m.id == id);
        covered.push(found.ok_or_else(|| InputError::unknown("metric", id, metrics.iter().map(|m| m.id.as_str())))?);
    }
    let outputs = covered.iter().map(|m| metrics[*m].len()).sum();
    let moments = draw(factory, scope, draws, progress)?;
    let (mean, standard_error) = propagate(simulation.as_ref(), &moments, outputs);
    let mut from = 0;
    let estimates = covered.into_iter().map(|metric| {
        let range = from..from + metrics[metric].len();
        from = range.end;
        MetricEstimate { metric, mean: mean[range.clone()].to_vec(), standard_error: standard_error[range].to_vec() }
    });
    Ok(estimates.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two correlated normal samples of means 3 and `second`; figures: their ratio, and the square of the second.
    struct Pair {
        second: f64,
    }

    impl Simulation for Pair {
        fn moments(&self) -> usize {
            2
        }
        fn covers(&self) -> Vec<&'static str> {
            vec!["ratio", "square"]
        }
        fn sample(&mut self, stream: &mut RandomStream, out: &mut [f64]) {
            let (a, b) = (stream.normal(), stream.normal());
            out.copy_from_slice(&[3.0 + a, self.second + 0.6 * a + 0.8 * b]);
        }
        fn estimate(&self, mean: &[f64], out: &mut [f64]) {
            out.copy_from_slice(&[mean[1] / mean[0], mean[1] * mean[1]]);
        }
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::new("square", "1", &[], "", ""), MetricInfo::new("ratio", "1", &[], "", "")]
    }

    fn run(second: f64, seed: u64, count: u64, threads: usize) -> Vec<MetricEstimate> {
        let factory: SimulationFactory = Box::new(move || Box::new(Pair { second }));
        estimate_with(&factory, &metrics(), "test", Draws { count, seed, threads }, &mut |_| true).unwrap()
    }

    #[test]
    fn the_result_does_not_depend_on_the_threads() {
        let one = run(2.0, 1, 10_000, 1);
        for threads in [0, 2, 3] {
            assert_eq!(one, run(2.0, 1, 10_000, threads));
        }
        assert_ne!(one, run(2.0, 2, 10_000, 1));
    }

    #[test]
    fn standard_errors_of_ratios_follow_the_delta_method() {
        // Var(b/a) = (1 + r² - 2 r 0.6) / 9 for r = 2/3.
        let expected = ((1.0 + 4.0 / 9.0 - 0.8) / 9.0 / 40_000.0_f64).sqrt();
        let ratio = &run(2.0, 1, 40_000, 1)[0];
        assert_eq!(ratio.metric, 1);
        assert!((ratio.standard_error[0] / expected - 1.0).abs() < 0.03, "{ratio:?}");
        assert!((ratio.mean[0] - 2.0 / 3.0).abs() < 4.0 * expected, "{ratio:?}");
    }

    #[test]
    fn z_scores_are_standard_also_where_the_gradient_vanishes() {
        // Over seeds: the scores of the true value have mean 0 and, where the gradient does not vanish, variance 1.
        for (second, spread) in [(2.0, 0.85..1.15), (0.0, 0.2..1.2)] {
            let runs = 400;
            let scores: Vec<f64> =
                (0..runs).map(|s| run(second, s, 128, 1)[1].z_score(0, second * second).unwrap()).collect();
            let mean = scores.iter().sum::<f64>() / runs as f64;
            let square = scores.iter().map(|z| z * z).sum::<f64>() / runs as f64;
            assert!(mean.abs() < 0.2, "{second}: mean z {mean}");
            assert!(spread.contains(&square), "{second}: mean z² {square}");
            assert!(scores.iter().all(|z| z.abs() < 4.5));
        }
    }

    #[test]
    fn too_few_draws_and_unknown_metrics_are_refused() {
        let factory: SimulationFactory = Box::new(|| Box::new(Pair { second: 1.0 }));
        let draws = |count| Draws { count, seed: 1, threads: 1 };
        assert!(estimate_with(&factory, &metrics(), "test", draws(1), &mut |_| true).is_err());
        assert!(estimate_with(&factory, &metrics()[..1], "test", draws(8), &mut |_| true).is_err());
    }

    #[test]
    fn drawing_ends_when_told() {
        let factory: SimulationFactory = Box::new(|| Box::new(Pair { second: 1.0 }));
        let draws = Draws { count: 1 << 40, seed: 1, threads: 1 };
        let mut heard = 0;
        let moments = draw(&factory, "test", draws, &mut |done| {
            heard = done;
            done < 8000
        });
        assert_eq!(moments.unwrap().count(), heard);
        assert_eq!(heard, 2 * CHUNK * WAVE);
    }
}
