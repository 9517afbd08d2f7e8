//! IRS-aided massive MIMO: the solvers against references, exhaustive search, bounds and each other.

use std::path::Path;
use std::sync::Arc;

use isacopt::instance::InstanceFile;
use isacopt::optimizer::Optimizer;
use isacopt::scenarios::irs_massive_mimo::{Instance, IrsMassiveMimo, Measured};
use isacopt::simulation::{Draws, estimate};
use isacopt::solvers::coordinate_descent::CoordinateDescent;
use isacopt::solvers::cross_entropy::CrossEntropy;
use isacopt::solvers::exhaustive::Exhaustive;
use isacopt::solvers::majorization_minimization::{Acceleration, MajorizationMinimization};
use isacopt::solvers::manifold::Manifold;
use isacopt::solvers::sca::Sca;
use isacopt::structure::{Feasible, Proof};
use isacopt::{
    Design, MetricValues, Outcome, Problem, ProblemSpec, RandomStream, Record, Run, Scenario, Status, StopRules,
    Streams, SystemModel,
};
use num_complex::Complex;
use serde_json::{Value, json};

fn case(name: &str) -> (Value, Instance) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/irs_massive_mimo").join(name);
    let instance = Instance::from_json(&InstanceFile::read(&path).unwrap().instance).unwrap();
    (serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(), instance)
}

/// A drawn system of the scenario's defaults with some keys changed.
fn drawn(changes: Value, trial: u64) -> Arc<dyn SystemModel> {
    let mut section = json!({ "type": "irs_massive_mimo" });
    for (key, value) in changes.as_object().unwrap() {
        section[key] = value.clone();
    }
    let scenario: Box<dyn Scenario> = serde_json::from_value(section).unwrap();
    scenario.draw(&Streams::new(7, "irs_massive_mimo", trial)).unwrap()
}

fn square(side: u64, spacing: f64) -> Value {
    json!({ "rows": side, "columns": side, "spacing_wavelengths": spacing })
}

fn own(model: &Arc<dyn SystemModel>) -> Arc<Problem> {
    Problem::new(Arc::clone(model), model.default_problem()).unwrap()
}

fn of(instance: Instance) -> Arc<Problem> {
    let model: Arc<dyn SystemModel> = Arc::new(IrsMassiveMimo::new(instance).unwrap());
    own(&model)
}

fn recorded(
    solver: &dyn Optimizer,
    problem: &Arc<Problem>,
    start: Option<&Design>,
    rules: StopRules,
) -> (Outcome, Vec<Record>) {
    let random = RandomStream::solver(1, 0);
    let run = Run { start: start.cloned(), rules, ..Run::new(solver, Arc::clone(problem), random) };
    let mut records = Vec::new();
    let outcome = run.drive(&mut |record| records.push(*record)).unwrap();
    (outcome, records)
}

fn solved(solver: &dyn Optimizer, problem: &Arc<Problem>, start: Option<&Design>) -> (Design, f64) {
    let (outcome, _) = recorded(solver, problem, start, StopRules::default());
    let design = outcome.design.unwrap();
    let value = problem.evaluator().evaluate(&design).unwrap();
    assert!(value.feasible(), "{solver:?}: {value:?}");
    (design, value.objective)
}

fn metrics(problem: &Arc<Problem>, design: &Design) -> MetricValues {
    problem.evaluator().metrics(design).unwrap().clone()
}

fn metric(problem: &Arc<Problem>, design: &Design, id: &str) -> f64 {
    let index = problem.model().metrics().iter().position(|m| m.id == id).unwrap();
    metrics(problem, design).scalar(index)
}

fn plain() -> MajorizationMinimization {
    MajorizationMinimization { acceleration: Acceleration::None, ..Default::default() }
}

/// The instance with users of covariances of their own, rotated copies of the formula's, so that forms differ.
fn distinct(mut instance: Instance) -> Instance {
    let (n, users) = (instance.irs_array.len(), instance.users());
    let mut random = RandomStream::keyed(4, "test", "distinct", 0, 0);
    let mut all = Vec::new();
    for k in 0..users {
        let factor: Vec<Complex<f64>> = (0..n * n).map(|_| random.complex_normal(1.0)).collect();
        let scale = instance.fading_user_irs[k] / n as f64;
        for i in 0..n {
            for j in 0..n {
                let sum: Complex<f64> = (0..n).map(|l| factor[i * n + l] * factor[j * n + l].conj()).sum();
                all.push(sum * scale);
            }
        }
    }
    instance.measured = Measured { irs_user_covariance: Some(all), ..instance.measured };
    instance
}

/// The values of Algorithm 1 after 1, 3 and 10 iterations, from a code of another hand.
#[test]
fn iterates_are_those_of_the_reference() {
    let (file, instance) = case("c10_unconstrained_optimum.json");
    let problem = of(instance);
    let start = problem.model().read_design(&file["designs"]["random"], "designs").unwrap();
    for (after, value) in [(1, 0.001280963622732283), (3, 0.001305763942138375), (10, 0.0013240226826559702)] {
        let rules = StopRules { max_iterations: Some(after), tolerance: Some(0.0), ..StopRules::default() };
        let (outcome, records) = recorded(&plain(), &problem, Some(&start), rules);
        let got = outcome.objective;
        assert!((got / value - 1.0).abs() < 1e-9, "after {after}: {got}, expected {value}");
        assert!(records.windows(2).all(|w| w[1].objective >= w[0].objective));
    }
}

/// With and without a limit, one form or several: the conic program and the closed form take the same way, every iterate is
/// feasible and none is worse than the one before.
#[test]
fn the_conic_step_and_the_closed_form_agree() {
    let (file, instance) = case("c10_unconstrained_optimum.json");
    for several in [false, true] {
        for share in [0.0, 0.6, 0.95] {
            let mut instance = if several { distinct(instance.clone()) } else { instance.clone() };
            let free = of(instance.clone());
            let aligned = free.model().start("sensing_aligned").unwrap().unwrap();
            instance.sensing_gain_limit = share * metric(&free, &aligned, "sensing_gain");
            let problem = of(instance);
            let start = match share > 0.0 {
                true => aligned,
                false => problem.model().read_design(&file["designs"]["random"], "designs").unwrap(),
            };
            let rules = || StopRules { max_iterations: Some(8), tolerance: Some(0.0), ..StopRules::default() };
            let precise = Sca { subproblem_tolerance: 1e-11, ..Sca::default() };
            let (_, closed) = recorded(&plain(), &problem, Some(&start), rules());
            let (_, conic) = recorded(&precise, &problem, Some(&start), rules());
            assert!(closed.len() >= 4, "{several} {share}: {closed:?}");
            for (a, b) in closed.iter().zip(&conic) {
                let what = format!("{several} {share}, iteration {}", a.iteration);
                assert!((a.objective / b.objective - 1.0).abs() < 2e-6, "{what}: {} {}", a.objective, b.objective);
                assert!(a.violation <= 1e-9 && b.violation <= 1e-9, "{what}");
            }
            for records in [&closed, &conic] {
                assert!(records.windows(2).all(|w| w[1].objective >= w[0].objective * (1.0 - 1e-13)), "{records:?}");
            }
        }
    }
}

/// Channels 120 dB weaker, by a power of two: the gains are all smaller by that factor, and no solver does anything else.
#[test]
fn the_unit_of_the_gains_changes_no_trace() {
    let (file, instance) = case("c10_unconstrained_optimum.json");
    let factor = 2f64.powi(-40);
    let mut weak = instance.clone();
    let fadings = [&mut weak.fading_user_base_station, &mut weak.fading_user_irs];
    fadings.into_iter().flatten().for_each(|fading| *fading *= factor);
    let (strong, weak) = (of(instance), of(weak));
    let start = strong.model().read_design(&file["designs"]["random"], "designs").unwrap();
    // Closed forms are the same to the bit; a conic solver and a logarithm round differently.
    let solvers: [(&dyn Optimizer, f64); 4] = [
        (&MajorizationMinimization::default(), 0.0),
        (&plain(), 0.0),
        (&Sca::default(), 1e-9),
        (&Manifold::default(), 1e-9),
    ];
    for (solver, rounding) in solvers {
        let rules = || StopRules { max_iterations: Some(60), ..StopRules::default() };
        let (one, trace) = recorded(solver, &strong, Some(&start), rules());
        let (other, weak_trace) = recorded(solver, &weak, Some(&start), rules());
        assert_eq!(one.status, other.status, "{solver:?}");
        let most = if rounding > 0.0 { 2 } else { 0 };
        assert!(trace.len().abs_diff(weak_trace.len()) <= most, "{solver:?}: {} {}", trace.len(), weak_trace.len());
        assert!(trace.len() > 10, "{solver:?}: {}", one.reason);
        for (a, b) in trace.iter().zip(&weak_trace) {
            let off = (a.objective * factor / b.objective - 1.0).abs();
            assert!(off <= rounding, "{solver:?}, iteration {}: off by {off}", a.iteration);
        }
        if rounding == 0.0 {
            assert_eq!(one.design, other.design, "{solver:?}");
        }
    }
    // Stopped by its own rule, it stopped where it should: a fresh run gains nothing more that counts.
    let (done, _) = recorded(&MajorizationMinimization::default(), &weak, Some(&start), StopRules::default());
    let (further, _) = recorded(
        &plain(),
        &weak,
        done.design.as_ref(),
        StopRules { max_iterations: Some(100), tolerance: Some(0.0), ..StopRules::default() },
    );
    assert!(further.objective <= done.objective * (1.0 + 1e-6), "{} {}", done.objective, further.objective);
}

/// The largest echo gain in closed form: just above it infeasible before any iteration, just below it not.
#[test]
fn limits_out_of_reach_are_proven_before_iterating() {
    let (_, mut instance) = case("c10_unconstrained_optimum.json");
    let free = of(instance.clone());
    let aligned = free.model().start("sensing_aligned").unwrap().unwrap();
    let largest = metric(&free, &aligned, "sensing_gain");
    instance.sensing_gain_limit = largest * (1.0 + 1e-6);
    let problem = of(instance.clone());
    for solver in [&plain() as &dyn Optimizer, &Sca::default(), &Manifold::default()] {
        let (outcome, _) = recorded(solver, &problem, None, StopRules::default());
        assert_eq!(outcome.status, Status::Infeasible, "{outcome:?}");
        let reached = metric(&problem, outcome.design.as_ref().unwrap(), "sensing_gain");
        assert!((reached / largest - 1.0).abs() < 1e-9, "not the least-violating: {reached} {largest}");
    }
    let Feasible::No { certificate, .. } =
        problem.structure().feasibility.as_ref().map_err(|_| ()).unwrap()().assess().unwrap()
    else {
        panic!("not proven")
    };
    let proof = problem.model().verify(problem.spec(), &aligned, &certificate.to_json());
    assert!(matches!(proof, Some(Ok(Proof::Infeasible))));
    instance.sensing_gain_limit = largest * (1.0 - 1e-6);
    let reachable = of(instance);
    solved(&plain(), &reachable, None);
    let proof = reachable.model().verify(reachable.spec(), &aligned, &certificate.to_json());
    assert!(matches!(proof, Some(Err(_))), "the certificate must prove nothing of a limit within reach");
}

/// Certified gaps of several starts: at half a wavelength the relaxation is next to tight.
#[test]
fn several_starts_come_within_the_certified_gap() {
    for (spacing, least) in [(0.5, 0.9995), (0.25, 0.95)] {
        let model = drawn(json!({ "base_station": square(5, 0.5), "irs": square(10, spacing) }), 0);
        let problem = own(&model);
        let bound = problem.structure().bound.as_ref().map_err(|r| r.to_string()).unwrap()().bound().unwrap().unwrap();
        let one = MajorizationMinimization::default();
        let several = MajorizationMinimization { starts: 8, ..Default::default() };
        let start = problem.random(&mut RandomStream::keyed(1, "test", "start", 0, 0));
        let (single, multi) = (solved(&one, &problem, Some(&start)).1, solved(&several, &problem, Some(&start)).1);
        assert!(multi >= single && multi <= bound.value, "{single} {multi} {}", bound.value);
        assert!(multi >= least * bound.value, "spacing {spacing}: {} of the bound", multi / bound.value);
        let proof = model.verify(problem.spec(), &start, &bound.certificate.to_json());
        let Some(Ok(Proof::Bound(verified))) = proof else { panic!("{proof:?}") };
        assert!((verified / bound.value - 1.0).abs() < 1e-6);
    }
}

/// Beyond the relaxation's size the bound is that of a circulant's largest eigenvalue, checked by sums written out.
#[test]
fn large_surfaces_have_a_bound_by_their_symbol() {
    let model = drawn(json!({ "base_station": square(3, 0.5), "irs": square(31, 0.5) }), 1);
    let problem = own(&model);
    let bound = problem.structure().bound.as_ref().map_err(|r| r.to_string()).unwrap()().bound().unwrap().unwrap();
    let (design, value) = solved(&MajorizationMinimization::default(), &problem, None);
    // The bound is loose: the largest eigenvalue of 31 x 31 correlations at half a wavelength is 4.7304, that of their
    // circulant of 64 x 64 7.0582, 1.49 times as much (NumPy, eigenvalues of the dense matrices).
    assert!(value <= bound.value && value >= 0.65 * bound.value, "{value} {}", bound.value);
    let proof = model.verify(problem.spec(), &design, &bound.certificate.to_json());
    let Some(Ok(Proof::Bound(verified))) = proof else { panic!("{proof:?}") };
    // The check takes a circulant of another size.
    assert!(verified >= value && (verified / bound.value - 1.0).abs() < 0.1, "{verified} {}", bound.value);
}

/// Four elements, all phases on a fine grid: no solver's answer is below the grid's best by more than the grid's step costs.
#[test]
fn small_surfaces_are_solved_as_by_exhaustive_search() {
    for share in [0.0, 0.9] {
        let mut changes = json!({ "base_station": square(3, 0.5), "irs": square(2, 0.25), "users": 2 });
        let free = own(&drawn(changes.clone(), 2));
        let aligned = free.model().start("sensing_aligned").unwrap().unwrap();
        changes["sensing_gain_limit"] = json!(share * metric(&free, &aligned, "sensing_gain"));
        let problem = own(&drawn(changes, 2));
        let mut feasibility = problem.structure().feasibility.as_ref().ok().map(|factory| factory());
        let mut judge = problem.evaluator();
        let (mut best, steps) = (f64::NEG_INFINITY, 24);
        for at in 0..steps * steps * steps {
            let level = |i: u32| f64::from(at / u32::pow(steps, i) % steps) * std::f64::consts::TAU / f64::from(steps);
            let mut design = Design::new(vec![0.0, level(0), level(1), level(2)]);
            if let Some(feasibility) = &mut feasibility {
                // The common phase is free: the repair turns it, and moves what is out of reach.
                feasibility.repair(&mut design);
            }
            let value = judge.evaluate(&design).unwrap();
            if value.feasible() {
                best = best.max(value.objective);
            }
        }
        let several = MajorizationMinimization { starts: 6, ..Default::default() };
        for solver in [&several as &dyn Optimizer, &Manifold { starts: 6, ..Default::default() }] {
            let value = solved(solver, &problem, None).1;
            assert!(value >= best * (1.0 - 1e-5), "{solver:?}, limit {share}: {value}, the grid has {best}");
        }
    }
}

/// Distinct covariances, measured line of sight, limits: the solvers agree, and stay below the bound.
#[test]
fn measured_statistics_are_served_by_all() {
    let (_, instance) = case("c01_tiny_components_convH.json");
    let mut measured = distinct(instance);
    let (m, n) = (measured.base_station_array.len(), measured.irs_array.len());
    let mut random = RandomStream::keyed(6, "test", "los", 0, 0);
    measured.measured.irs_base_station_los = Some((0..m * n).map(|_| random.complex_normal(1.0)).collect());
    for share in [0.0, 0.8] {
        let free = of(Instance { sensing_gain_limit: 0.0, ..measured.clone() });
        let aligned = free.model().start("sensing_aligned").unwrap().unwrap();
        let limit = share * metric(&free, &aligned, "sensing_gain");
        let problem = of(Instance { sensing_gain_limit: limit, ..measured.clone() });
        let several = MajorizationMinimization { starts: 8, ..Default::default() };
        let closed = solved(&several, &problem, None).1;
        let conic = solved(&Sca::default(), &problem, None).1;
        let by_gradients = solved(&Manifold { starts: 8, ..Default::default() }, &problem, None).1;
        assert!(closed >= conic * (1.0 - 1e-4), "limit {limit}: {closed} {conic}");
        assert!((by_gradients / closed - 1.0).abs() < 0.02, "limit {limit}: {by_gradients} {closed}");
        let bound = problem.structure().bound.as_ref().map_err(|r| r.to_string()).unwrap()().bound().unwrap().unwrap();
        assert!(closed.max(by_gradients) <= bound.value && closed >= 0.7 * bound.value, "{closed} {}", bound.value);
    }
}

/// Where interference limits the rates, phases for the gain lower them: phases for the rate are better by a factor, in raw
/// channels, too.
#[test]
fn phases_for_the_rate_beat_phases_for_the_gain() {
    let changes = json!({
        "base_station": square(6, 0.5), "irs": square(4, 0.5), "direct_gain": "94 dB", "hop_gain": "94 dB",
    });
    for trial in 0..2 {
        let model = drawn(changes.clone(), trial);
        let gain = own(&model);
        let (paper, _) = solved(&MajorizationMinimization { starts: 4, ..Default::default() }, &gain, None);
        let sum = Problem::new(Arc::clone(&model), ProblemSpec::new("sum_rate", Vec::new())).unwrap();
        let (best, value) = solved(&Manifold { starts: 4, ..Default::default() }, &sum, None);
        let of_paper = metric(&sum, &paper, "sum_rate");
        assert!(value >= 1.5 * of_paper, "trial {trial}: {value} against {of_paper}");
        let least = Problem::new(Arc::clone(&model), ProblemSpec::new("min_rate", Vec::new())).unwrap();
        let (fair, fairest) = solved(&Manifold { starts: 4, ..Default::default() }, &least, None);
        assert!(fairest >= metric(&least, &best, "min_rate") * (1.0 - 1e-3), "trial {trial}");
        assert!(fairest >= 1.2 * metric(&least, &paper, "min_rate"), "trial {trial}");
        for design in [&paper, &best, &fair] {
            let draws = Draws { count: 4000, seed: 5, threads: 0 };
            let estimates = estimate(model.as_ref(), design, draws, &mut |_| true).unwrap();
            let values = metrics(&sum, design);
            let index = model.metrics().iter().position(|m| m.id == "rate").unwrap();
            let figure = estimates.as_deref().unwrap().iter().find(|f| f.metric == index).unwrap();
            for (entry, value) in values.get(index).iter().enumerate() {
                // 30 figures: beyond 4.5 by luck in one of 5,000 such tests.
                let z = figure.z_score(entry, *value).unwrap();
                assert!(z.abs() < 4.5, "trial {trial}, user {entry}: {value}, z = {z}");
            }
        }
    }
}

/// Phases of two bits: the discrete solvers find the best of all 4096, in radians; continuous solvers are refused.
#[test]
fn quantized_phases_are_solved_on_their_grid() {
    let (_, instance) = case("c01_tiny_components_convH.json");
    let model: Arc<dyn SystemModel> = Arc::new(IrsMassiveMimo::new(instance).unwrap());
    let spec = |bits| {
        let mut spec = model.default_problem();
        spec.quantize.insert("irs_phase".into(), bits);
        spec
    };
    let problem = Problem::new(Arc::clone(&model), spec(2)).unwrap();
    let (_, best) = solved(&Exhaustive::default(), &problem, None);
    let step = std::f64::consts::FRAC_PI_2;
    let descent = CoordinateDescent { descents: Some(20), ..Default::default() };
    let entropy = CrossEntropy { samples: Some(200), smoothing: 0.3, ..Default::default() };
    for solver in [&descent as &dyn Optimizer, &entropy] {
        let (design, value) = solved(solver, &problem, None);
        assert!(design.iter().all(|x| (0.0..6.0).contains(x) && (x / step - (x / step).round()).abs() < 1e-12));
        assert!((value / best - 1.0).abs() < 1e-9, "{solver:?}: {value}, the best is {best}");
    }
    // The continuous optimum is above it, the proven bound above that, and finer grids come closer.
    let (_, continuous) = solved(&MajorizationMinimization::default(), &own(&model), None);
    let (_, fine) = solved(&descent, &Problem::new(Arc::clone(&model), spec(5)).unwrap(), None);
    assert!(best < fine && fine < continuous, "{best} {fine} {continuous}");
    let bound = problem.structure().bound.as_ref().map_err(|r| r.to_string()).unwrap()().bound().unwrap().unwrap();
    assert!(bound.value >= continuous);
    assert!(MajorizationMinimization::default().requires().met_by(&problem).is_err());
    assert!(Manifold::default().requires().met_by(&problem).is_err());
    for (bits, key) in [(0, "irs_phase"), (17, "irs_phase")] {
        let error = Problem::new(Arc::clone(&model), spec(bits)).err().unwrap().to_string();
        assert!(error.contains(key), "{error}");
    }
}

/// All metrics of a model are finite or defined at the edges: no surface, no scattering, no line of sight, one element.
#[test]
fn edges_of_the_model_have_values() {
    let (_, base) = case("c01_tiny_components_convH.json");
    let changes: [fn(&mut Instance); 5] = [
        |i| i.fading_irs_base_station = 0.0,
        |i| i.rician_factor = 0.0,
        |i| i.fading_user_base_station.fill(0.0),
        |i| i.sensing_share.fill(0.0),
        |i| (i.irs_array.rows, i.irs_array.columns) = (1, 1),
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut instance = base.clone();
        change(&mut instance);
        let problem = of(instance);
        let (design, _) = solved(&MajorizationMinimization::default(), &problem, None);
        let values = metrics(&problem, &design);
        for (index, info) in problem.model().metrics().iter().enumerate() {
            assert!(values.get(index).iter().all(|x| x.is_finite() && *x >= 0.0), "change {at}: {}", info.id);
        }
    }
}
