//! The IRS-aided non-orthogonal ISAC system: closed forms against raw signals, discrete solvers against brute force and
//! against each other, bounds against what they bound.

use std::sync::Arc;

use isacopt::driver::{Run, StopRules};
use isacopt::math::RandomStream;
use isacopt::scenarios::irs_no_isac::signal::{response, sent_symbols, signal};
use isacopt::scenarios::irs_no_isac::{
    Angles, Array, Instance, IrsNoIsac, Path, Positions, Symbols, Unknowns, largest_gain,
};
use isacopt::simulation::{Draws, estimate, mean_square_errors};
use isacopt::solvers::branch_and_bound::BranchAndBound;
use isacopt::solvers::coordinate_descent::CoordinateDescent;
use isacopt::solvers::cross_entropy::CrossEntropy;
use isacopt::solvers::exhaustive::Exhaustive;
use isacopt::solvers::random_search::RandomSearch;
use isacopt::solvers::simulated_annealing::SimulatedAnnealing;
use isacopt::trace::{Outcome, Status};
use isacopt::{Design, MetricSet, MetricValues, Optimizer, Problem, ProblemSpec, SystemModel};
use nalgebra::Vector3;
use num_complex::Complex;

const SQUARE: Array = Array { horizontal: 4, vertical: 4 };

/// The reference setup: user at (30, 60) deg, base station at (9.6, 45) deg, SNR 0 dB.
fn instance(irs: Array, user_array: Array, phase_bits: u64, weight: f64, symbols: Symbols) -> Instance {
    let elevation = (5.0f64 / 30.0).asin();
    let angles = Angles {
        user_elevation: 30f64.to_radians(),
        user_azimuth: 60f64.to_radians(),
        irs_elevation: elevation,
        irs_azimuth: 45f64.to_radians(),
    };
    let one = Complex::new(1.0, 0.0);
    Instance {
        irs,
        user_array,
        base_station_response: (0..8).map(|n| Complex::cis(-std::f64::consts::PI * f64::from(n) / 6.0)).collect(),
        phase_bits,
        path: Path { angles, gain_base_station_irs: one, gain_irs_user: one },
        second: None,
        positions: None,
        noise_power: 1.0,
        transmit_power: 1.0,
        symbols,
        symbol_variance: 1.0,
        symbol_mean: Complex::default(),
        communication_weight: weight,
    }
}

/// A random system of small arrays, lines and single elements among them.
fn random_instance(stream: &mut RandomStream, largest: usize, bits: u64) -> Instance {
    let between = |s: &mut RandomStream, low: f64, high: f64| low + (high - low) * s.uniform();
    let side = |s: &mut RandomStream| 1 + (s.uniform() * largest as f64) as usize;
    let irs = Array { horizontal: side(stream), vertical: side(stream) };
    let user_array = Array { horizontal: side(stream), vertical: side(stream) };
    let slots = 1 + (stream.uniform() * 4.0) as u64;
    let mean = Complex::new(between(stream, -0.5, 0.5), between(stream, -0.5, 0.5));
    let symbols = if stream.uniform() < 0.5 {
        Symbols::Drawn((0..slots).map(|_| mean + stream.complex_normal(0.7)).collect())
    } else {
        Symbols::Moments(slots + 1)
    };
    let mut it = instance(irs, user_array, bits, stream.uniform(), symbols);
    it.path.angles = Angles {
        user_elevation: between(stream, -1.2, 1.2),
        user_azimuth: between(stream, -1.2, 1.2),
        irs_elevation: between(stream, -1.2, 1.2),
        irs_azimuth: between(stream, -1.2, 1.2),
    };
    it.path.gain_irs_user = stream.complex_normal(1.0);
    it.path.gain_base_station_irs = stream.complex_normal(1.0);
    it.noise_power = between(stream, 0.2, 3.0);
    it.symbol_variance = 0.7;
    it.symbol_mean = mean;
    it
}

fn problem(instance: &Instance) -> Arc<Problem> {
    let model: Arc<dyn SystemModel> = Arc::new(IrsNoIsac::new(instance.clone()));
    let spec = model.default_problem();
    Problem::new(model, spec).unwrap()
}

fn solve(optimizer: &dyn Optimizer, problem: &Arc<Problem>, seed: u64, rules: StopRules) -> Outcome {
    let run = Run { rules, ..Run::new(optimizer, Arc::clone(problem), RandomStream::solver(seed, 0)) };
    run.drive(&mut |_| {}).unwrap()
}

fn metric(model: &dyn SystemModel, values: &MetricValues, id: &str) -> f64 {
    values.scalar(model.metrics().iter().position(|m| m.id == id).unwrap())
}

fn all_metrics(model: &dyn SystemModel, design: &Design) -> MetricValues {
    let mut values = MetricValues::new(model.metrics());
    let wanted = MetricSet::first(model.metrics().len());
    model.evaluate(design, wanted, &mut model.workspace(), &mut values).unwrap();
    values
}

fn random_design(problem: &Problem, stream: &mut RandomStream) -> Design {
    problem.random(stream)
}

#[test]
fn closed_forms_are_the_inverse_information_of_the_raw_signal() {
    let mut compared = [0; 3];
    for seed in 0..60 {
        let stream = &mut RandomStream::keyed(seed, "irs ground truth", "", 0, 0);
        let mut system = random_instance(stream, 4, 2);
        if let Symbols::Drawn(symbols) = &system.symbols {
            system.communication_weight = symbols.len() as f64 / 10.0;
        }
        let problem = problem(&system);
        let model = problem.model().as_ref();
        let design = random_design(&problem, stream);
        let (levels, beam) = design.split_at(system.irs.len());
        let values = all_metrics(model, &design);
        let Some(symbols) = sent_symbols(&system) else { continue };
        for (mode, unknowns) in [Unknowns::RealPart, Unknowns::Complex, Unknowns::Nothing].into_iter().enumerate() {
            let information = signal(&system, &system.path, levels, beam, &symbols, unknowns).information();
            let condition = information.condition();
            if condition > 1e5 {
                // Near-singular: no number to compare, but a singular one must be infinite in both.
                if condition > 1e14 {
                    let angle = ["crlb_angle", "crlb_angle_complex", "crlb_angle_known"][mode];
                    let value = metric(model, &values, angle);
                    assert!(value == f64::INFINITY || value > 1e3, "{seed} {unknowns:?}: {value}");
                }
                continue;
            }
            let bounds = information.bounds();
            let angle = (bounds[0] + bounds[1]) / 2.0;
            let symbol = bounds[2..].iter().sum::<f64>() / symbols.len() as f64;
            let mut check = |id: &str, truth: f64| {
                let value = metric(model, &values, id);
                // The differences' own error grows with the condition.
                assert!(
                    (value / truth - 1.0).abs() < 1e-8 * condition.max(10.0) / 10.0,
                    "{seed} {id}: {value} {truth}"
                );
                compared[mode] += 1;
            };
            match unknowns {
                Unknowns::RealPart => {
                    check("crlb_user_elevation", bounds[0]);
                    check("crlb_user_azimuth", bounds[1]);
                    check("crlb_angle", angle);
                    check("crlb_symbol", symbol);
                    let weight = system.communication_weight;
                    let trade = weight * symbol.log10() + (1.0 - weight) * angle.log10();
                    assert!((metric(model, &values, "modified_crlb_isac") - trade).abs() < 1e-6);
                    let gain = 8.0 * system.transmit_power;
                    assert!((metric(model, &values, "modified_crlb") - trade - gain.log10()).abs() < 1e-6);
                    if let Symbols::Drawn(_) = system.symbols {
                        let own = |crlb: &f64| 0.5 * (system.symbol_variance / crlb).log2();
                        let mean = bounds[2..].iter().map(own).sum::<f64>() / symbols.len() as f64;
                        assert!((metric(model, &values, "mutual_information") - mean).abs() < 1e-6);
                    }
                }
                Unknowns::Complex => {
                    check("crlb_angle_complex", angle);
                    check("crlb_symbol_complex", symbol);
                }
                Unknowns::Nothing => check("crlb_angle_known", angle),
            }
        }
    }
    assert!(compared[0] > 100 && compared[1] > 40 && compared[2] > 30, "{compared:?}");
}

#[test]
fn pilots_of_modulus_one_give_the_schemes_for_comparison() {
    let stream = &mut RandomStream::keyed(5, "irs pilots", "", 0, 0);
    let symbols = Symbols::Drawn((0..10).map(|_| stream.complex_normal(1.0)).collect());
    let system = instance(Array { horizontal: 3, vertical: 2 }, Array { horizontal: 2, vertical: 3 }, 3, 0.4, symbols);
    let problem = problem(&system);
    let model = problem.model().as_ref();
    let design = random_design(&problem, stream);
    let (levels, beam) = design.split_at(6);
    let values = all_metrics(model, &design);
    for (id, slots) in [("localization_only_crlb_angle", 10), ("td_isac_crlb_angle", 2)] {
        let pilots: Vec<_> = (0..slots).map(|t| Complex::cis(0.7 * f64::from(t))).collect();
        let bounds = signal(&system, &system.path, levels, beam, &pilots, Unknowns::Nothing).information().bounds();
        let value = metric(model, &values, id);
        assert!((value / ((bounds[0] + bounds[1]) / 2.0) - 1.0).abs() < 1e-8, "{id} {value}");
    }
    // Known channel: each symbol's real part has the bound sigma_z^2 / (2 ||beta_x||^2), in 8 of 10 slots.
    let angles = [system.path.angles.user_elevation, system.path.angles.user_azimuth];
    let energy: f64 = response(&system, &system.path, levels, beam, angles).iter().map(Complex::norm_sqr).sum();
    let expected = 0.8 * 0.5 * (2.0 * energy).log2();
    assert!((metric(model, &values, "td_isac_mutual_information") - expected).abs() < 1e-9);
}

#[test]
fn the_sign_is_that_of_spherical_waves_from_far_away() {
    let mut system = instance(SQUARE, Array { horizontal: 2, vertical: 3 }, 2, 0.5, Symbols::Moments(2));
    system.path.angles.irs_azimuth = -0.4;
    let problem = problem(&system);
    let design = random_design(&problem, &mut RandomStream::keyed(1, "spherical", "", 0, 0));
    let (levels, beam) = design.split_at(16);
    let Angles { user_elevation, user_azimuth, irs_elevation, irs_azimuth } = system.path.angles;
    let plane = response(&system, &system.path, levels, beam, [user_elevation, user_azimuth]);
    // All in wavelengths: the IRS at the origin, 1e5 wavelengths to either side.
    let unit = |e: f64, a: f64| Vector3::new(e.cos() * a.cos(), e.cos() * a.sin(), e.sin());
    let (source, user) = (1e5 * unit(irs_elevation, irs_azimuth), -1e5 * unit(user_elevation, user_azimuth));
    let place = |i: usize, columns: usize| Vector3::new(0.0, 0.5 * (i / columns) as f64, 0.5 * (i % columns) as f64);
    let exact: Vec<Complex<f64>> = (0..6)
        .map(|m| {
            let antenna = user + place(m, 3);
            let paths = (0..16).map(|l| {
                let element = place(l, 4);
                // Differences to the reference path keep the digits.
                let longer = (source - element).norm() - source.norm() + (antenna - element).norm() - user.norm();
                Complex::cis(std::f64::consts::TAU * (levels[l] / 4.0 - longer))
            });
            paths.sum()
        })
        .collect();
    let scale = plane[0] / exact[0];
    for (p, e) in plane.iter().zip(&exact) {
        assert!((p - scale * e).norm() < 1e-3 * p.norm().max(1.0), "{plane:?} {exact:?}");
    }
}

fn differ_by_at_most(model: &dyn SystemModel, design: &Design, estimator: &str, share: f64, draws: u64) {
    let values = all_metrics(model, design);
    let draws = Draws { count: draws, seed: 3, threads: 0 };
    for found in mean_square_errors(model, estimator, design, draws, &mut |_| true).unwrap() {
        let bound = values.scalar(found.metric);
        assert!((found.mean[0] / bound - 1.0).abs() < share, "{}: {found:?} {bound}", model.metrics()[found.metric].id);
    }
}

#[test]
fn maximum_likelihood_errors_reach_the_bounds() {
    let mut system = instance(SQUARE, SQUARE, 2, 0.5, Symbols::Moments(2));
    system.noise_power = 0.3;
    let problem = problem(&system);
    let design = solve(&CoordinateDescent::default(), &problem, 1, StopRules::default()).design.unwrap();
    // 1500 squared errors: a standard error of 3.7 %.
    differ_by_at_most(problem.model().as_ref(), &design, "maximum_likelihood", 0.12, 1500);
    let draws = Draws { count: 20_000, seed: 4, threads: 0 };
    let simulated = estimate(problem.model().as_ref(), &design, draws, &mut |_| true).unwrap().unwrap();
    let closed = all_metrics(problem.model().as_ref(), &design);
    for figure in &simulated {
        assert!(figure.z_score(0, closed.scalar(figure.metric)).unwrap().abs() < 4.0, "{figure:?}");
    }
    assert_eq!(simulated.len(), 1);
}

/// The reference setup with a second sub-IRS that the user sees at an azimuth.
fn positioned(second_azimuth: f64) -> Instance {
    let mut system = instance(SQUARE, SQUARE, 2, 0.5, Symbols::Moments(2));
    let unit = |e: f64, a: f64| Vector3::new(e.cos() * a.cos(), e.cos() * a.sin(), e.sin());
    let elevation = system.path.angles.user_elevation;
    let sub_irs = [system.path.angles.user_azimuth, second_azimuth].map(|azimuth| 10.0 * unit(elevation, azimuth));
    system.positions = Some(Positions { user: [0.0; 3], sub_irs: sub_irs.map(Into::into), base_station: None });
    let angles = Angles { user_azimuth: second_azimuth, irs_azimuth: 0.3, ..system.path.angles };
    system.second = Some(Path { angles, ..system.path });
    system
}

#[test]
fn the_position_error_bound_is_what_triangulation_reaches() {
    let mut system = positioned(-0.2);
    system.noise_power = 0.1;
    let problem = problem(&system);
    let mut best = random_design(&problem, &mut RandomStream::keyed(1, "position", "", 0, 0));
    // A design that serves both sub-IRSs.
    let stream = &mut RandomStream::keyed(2, "position", "", 0, 0);
    let bound = |design: &Design| {
        let values = all_metrics(problem.model().as_ref(), design);
        metric(problem.model().as_ref(), &values, "position_error_bound")
    };
    for _ in 0..3000 {
        let design = random_design(&problem, stream);
        if bound(&design) < bound(&best) {
            best = design;
        }
    }
    assert!(bound(&best) < 0.2, "{}", bound(&best));
    // 2000 positions: a standard error of the root of about 1.3 %.
    differ_by_at_most(problem.model().as_ref(), &best, "triangulation", 0.05, 2000);
}

#[test]
fn a_user_in_line_with_both_sub_irss_has_no_position() {
    let mut system = positioned(60f64.to_radians());
    if let Some(positions) = &mut system.positions {
        positions.sub_irs[1] = positions.sub_irs[0].map(|x| 1.7 * x);
    }
    let problem = problem(&system);
    let design = random_design(&problem, &mut RandomStream::keyed(1, "line", "", 0, 0));
    let values = all_metrics(problem.model().as_ref(), &design);
    assert_eq!(metric(problem.model().as_ref(), &values, "position_error_bound"), f64::INFINITY);
}

#[test]
fn small_changes_have_the_value_of_whole_evaluations() {
    for seed in 0..20 {
        let stream = &mut RandomStream::keyed(seed, "irs incremental", "", 0, 0);
        let system = random_instance(stream, 4, 1 + seed % 4);
        let mut spec = IrsNoIsac::new(system.clone()).default_problem();
        let limited = ["modified_crlb", "crlb_angle_known", "mutual_information", "localization_only_crlb_angle"]
            [seed as usize % 4];
        spec.objective = isacopt::problem::Objective::Metric(limited.into());
        spec.constraints = vec![isacopt::problem::Constraint::at_most("crlb_symbol", 1e-2)];
        let problem = Problem::new(Arc::new(IrsNoIsac::new(system.clone())), spec).unwrap();
        let mut judge = problem.evaluator();
        let mut state = (problem.structure().incremental.as_ref().ok().unwrap())();
        let mut design = random_design(&problem, stream);
        state.load(&design);
        for _ in 0..50 {
            let at = (stream.uniform() * system.irs.len() as f64) as usize;
            let level = (stream.uniform() * system.levels() as f64).floor();
            let peeked = state.peek(at, level);
            design[at] = level;
            let whole = judge.evaluate(&design).unwrap();
            let set = state.set(at, level);
            assert_eq!(peeked, set);
            for (a, b) in [(peeked.objective, whole.objective), (peeked.violation, whole.violation)] {
                let same = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-8 * b.abs().max(1e-8);
                // Near a cancelled beam the last digits decide.
                assert!(same || a > 1e8 || b > 1e8, "{seed}: {peeked:?} {whole:?}");
            }
        }
    }
}

fn brute_force(problem: &Arc<Problem>, elements: usize, levels: usize) -> f64 {
    let mut judge = problem.evaluator();
    let mut design = problem.random(&mut RandomStream::keyed(0, "brute force", "", 0, 0));
    let mut best = f64::INFINITY;
    for number in 0..levels.pow(elements as u32) {
        let mut rest = number;
        for level in &mut design[..elements] {
            *level = (rest % levels) as f64;
            rest /= levels;
        }
        best = best.min(judge.evaluate(&design).unwrap().objective);
    }
    best
}

#[test]
fn exhaustive_search_branch_and_bound_and_brute_force_agree() {
    let mut seed = 0;
    let mut agreed = 0;
    let mut tight = 0;
    while agreed < 50 {
        seed += 1;
        let stream = &mut RandomStream::keyed(seed, "irs brute force", "", 0, 0);
        let system = random_instance(stream, 3, 1 + seed % 3);
        let (elements, levels) = (system.irs.len(), system.levels());
        if levels.pow(elements as u32) > 20_000 {
            continue;
        }
        let problem = problem(&system);
        let optimum = brute_force(&problem, elements, levels);
        let (tree, rows) = (BranchAndBound::default(), Exhaustive::default());
        for optimizer in [&tree as &dyn Optimizer, &rows] {
            let outcome = solve(optimizer, &problem, seed, StopRules::default());
            let same = outcome.objective == optimum || (outcome.objective - optimum).abs() < 1e-8;
            assert!(same, "{seed}: {} {} {optimum}", optimizer.typetag_name(), outcome.objective);
            assert_eq!(outcome.status, Status::Optimal, "{seed}");
        }
        if let Some(bound) = (problem.structure().bound.as_ref().ok().unwrap())().bound().unwrap() {
            assert!(bound.value <= optimum + 1e-9, "{seed}: {} {optimum}", bound.value);
            tight += usize::from(optimum - bound.value < 0.5);
        }
        agreed += 1;
    }
    assert!(tight > 15, "{tight}");
}

#[test]
fn plain_enumeration_agrees_with_the_rows() {
    // A limit that most designs miss: the model offers no rows, and designs are judged one by one.
    let system = instance(Array { horizontal: 3, vertical: 2 }, SQUARE, 2, 0.3, Symbols::Moments(3));
    let unlimited = solve(&Exhaustive::default(), &problem(&system), 1, StopRules::default());
    let model: Arc<dyn SystemModel> = Arc::new(IrsNoIsac::new(system.clone()));
    let mut spec: ProblemSpec = model.default_problem();
    spec.constraints = vec![isacopt::problem::Constraint::at_least("mutual_information", 5.9)];
    let limited = Problem::new(Arc::clone(&model), spec.clone()).unwrap();
    assert!(limited.structure().enumeration.is_err());
    let outcome = solve(&Exhaustive::default(), &limited, 1, StopRules::default());
    assert_eq!(outcome.status, Status::Optimal);
    assert!((outcome.objective - unlimited.objective).abs() < 1e-9 && outcome.feasible());
    let tree = solve(&BranchAndBound::default(), &limited, 1, StopRules::default());
    assert!(tree.status == Status::Optimal && (tree.objective - outcome.objective).abs() < 1e-9);
    spec.constraints = vec![isacopt::problem::Constraint::at_least("mutual_information", 100.0)];
    let impossible = Problem::new(model, spec).unwrap();
    for optimizer in [&Exhaustive::default() as &dyn Optimizer, &BranchAndBound::default()] {
        assert_eq!(solve(optimizer, &impossible, 1, StopRules::default()).status, Status::Infeasible);
    }
}

#[test]
fn too_many_designs_are_refused_with_their_number() {
    let problem = problem(&instance(Array { horizontal: 5, vertical: 5 }, SQUARE, 2, 0.5, Symbols::Moments(2)));
    let few = Exhaustive::default();
    let run = Run::new(&few, problem, RandomStream::solver(1, 0));
    let message = run.drive(&mut |_| {}).unwrap_err().to_string();
    assert!(message.contains("2.8147e14") && message.contains("max_designs"), "{message}");
}

#[test]
fn no_phases_are_better_than_the_bound_or_have_a_larger_gain() {
    for seed in 0..40 {
        let stream = &mut RandomStream::keyed(seed, "irs bound", "", 0, 0);
        let system = random_instance(stream, 4, 1 + seed % 3);
        let model = IrsNoIsac::new(system.clone());
        let (largest, beam) = largest_gain(model.system());
        let levels: Vec<f64> = beam.iter().map(|level| *level as f64).collect();
        assert!((model.system().inner(&levels).gain.norm() - largest).abs() < 1e-9);
        for id in ["modified_crlb", "modified_crlb_isac", "crlb_symbol", "crlb_angle"] {
            let model: Arc<dyn SystemModel> = Arc::new(IrsNoIsac::new(system.clone()));
            let mut spec = model.default_problem();
            spec.objective = isacopt::problem::Objective::Metric(id.into());
            let problem = Problem::new(model, spec).unwrap();
            let Some(bound) = (problem.structure().bound.as_ref().ok().unwrap())().bound().unwrap() else { continue };
            let outcome = solve(&CoordinateDescent::default(), &problem, seed, StopRules::default());
            assert!(outcome.objective >= bound.value - 1e-9 * bound.value.abs(), "{seed} {id}");
            let mut judge = problem.evaluator();
            for _ in 0..200 {
                let design = random_design(&problem, stream);
                assert!(
                    judge.evaluate(&design).unwrap().objective >= bound.value * (1.0 - 1e-9 * bound.value.signum())
                );
                assert!(
                    system.irs.len() > 12
                        || IrsNoIsac::new(system.clone()).system().inner(&design[..system.irs.len()]).gain.norm()
                            <= largest + 1e-9
                );
            }
        }
    }
}

#[test]
fn square_arrays_of_equal_size_have_no_trade_off() {
    // Matched phases reach both bounds of the theorem; with 2 bits both lose less than 20 lg(L / |G0|max).
    let solved = |weight: f64, user_array: Array, slots| {
        let problem = problem(&instance(SQUARE, user_array, 2, weight, Symbols::Moments(slots)));
        let outcome = solve(&CoordinateDescent::default(), &problem, 1, StopRules::default());
        let values = all_metrics(problem.model().as_ref(), outcome.design.as_ref().unwrap());
        ["crlb_angle", "mutual_information"].map(|id| metric(problem.model().as_ref(), &values, id))
    };
    let (sensing, talking) = (solved(0.01, SQUARE, 2), solved(0.99, SQUARE, 2));
    assert!((talking[0] / sensing[0]).log10().abs() < 0.072 && (talking[1] - sensing[1]).abs() < 0.1);
    // One antenna: a real one, about 16 dB.
    let single = Array { horizontal: 1, vertical: 1 };
    let (sensing, talking) = (solved(0.01, single, 4), solved(0.99, single, 4));
    assert!((talking[0] / sensing[0]).log10() > 1.0 && talking[1] - sensing[1] > 0.3, "{sensing:?} {talking:?}");
}

fn degenerate_systems() -> Vec<(&'static str, Instance)> {
    let base = || instance(Array { horizontal: 2, vertical: 2 }, SQUARE, 2, 0.5, Symbols::Moments(2));
    let mut list = vec![("sound", base())];
    let mut add = |name, change: &dyn Fn(&mut Instance)| {
        let mut system = base();
        change(&mut system);
        list.push((name, system));
    };
    add("no power", &|s| s.transmit_power = 0.0);
    add("no gain", &|s| s.path.gain_irs_user = Complex::default());
    add("cos gamma = 0", &|s| s.path.angles.user_elevation = std::f64::consts::FRAC_PI_2);
    add("cos phi = 0", &|s| s.path.angles.user_azimuth = std::f64::consts::FRAC_PI_2);
    add("cos phi = 0, communication only", &|s| {
        s.path.angles.user_azimuth = std::f64::consts::FRAC_PI_2;
        s.communication_weight = 1.0;
    });
    add("symbols of 0", &|s| s.symbols = Symbols::Drawn(vec![Complex::default(); 3]));
    add("one antenna, one slot", &|s| {
        s.user_array = Array { horizontal: 1, vertical: 1 };
        s.symbols = Symbols::Drawn(vec![Complex::new(0.6, 0.3)]);
    });
    add("one antenna, one element", &|s| {
        s.user_array = Array { horizontal: 1, vertical: 1 };
        s.irs = Array { horizontal: 1, vertical: 1 };
    });
    add("broadside: beams that cancel exactly", &|s| {
        s.path.angles = Angles { user_elevation: 0.0, user_azimuth: 0.0, irs_elevation: 0.0, irs_azimuth: 0.0 };
    });
    list
}

#[test]
fn degenerate_systems_are_infinite_and_fool_nobody() {
    for (name, system) in degenerate_systems() {
        let problem = problem(&system);
        let model = problem.model().as_ref();
        let elements = system.irs.len();
        let mut design = problem.random(&mut RandomStream::keyed(1, "degenerate", "", 0, 0));
        let mut finite = 0;
        for number in 0..system.levels().pow(elements as u32) {
            let mut rest = number;
            for level in &mut design[..elements] {
                *level = (rest % system.levels()) as f64;
                rest /= system.levels();
            }
            let values = all_metrics(model, &design);
            for info in model.metrics() {
                let value = metric(model, &values, &info.id);
                assert!(!value.is_nan() || info.id.starts_with("td_isac"), "{name} {}", info.id);
                if info.id.contains("crlb") && !info.logarithmic && !value.is_nan() {
                    assert!(value > 0.0 && (value <= 1e20 || value == f64::INFINITY), "{name} {} {value}", info.id);
                }
            }
            finite += usize::from(metric(model, &values, "modified_crlb").is_finite());
        }
        let hopeless = [
            "no gain",
            "symbols of 0",
            "one antenna, one slot",
            "one antenna, one element",
            "cos gamma = 0",
            "cos phi = 0",
        ];
        assert_eq!(finite == 0, hopeless.contains(&name), "{name}: {finite}");
        let best = brute_force(&problem, elements, system.levels());
        let solvers: [&dyn Optimizer; 6] = [
            &CrossEntropy::default(),
            &CoordinateDescent::default(),
            &SimulatedAnnealing::default(),
            &BranchAndBound::default(),
            &Exhaustive::default(),
            &RandomSearch::default(),
        ];
        for optimizer in solvers {
            let rules = StopRules { max_iterations: Some(200), ..StopRules::default() };
            let outcome = solve(optimizer, &problem, 2, rules);
            assert!(!outcome.objective.is_nan(), "{name} {}", optimizer.typetag_name());
            assert!(outcome.objective >= best - 1e-9, "{name} {}", optimizer.typetag_name());
            if optimizer.typetag_name() != "cross_entropy" {
                let reached = outcome.objective == best || (outcome.objective - best).abs() < 1e-9;
                assert!(reached, "{name} {}: {} {best}", optimizer.typetag_name(), outcome.objective);
            }
        }
    }
}

#[test]
fn a_design_without_a_beam_is_judged_by_what_is_left() {
    let problem = problem(&instance(SQUARE, SQUARE, 2, 0.5, Symbols::Moments(5)));
    let model = problem.model().as_ref();
    let mut design = random_design(&problem, &mut RandomStream::keyed(1, "no beam", "", 0, 0));
    let before = metric(model, &all_metrics(model, &design), "modified_crlb");
    design[16..].fill(0.0);
    let values = all_metrics(model, &design);
    assert_eq!(metric(model, &values, "modified_crlb"), before);
    for id in ["crlb_symbol", "crlb_angle", "modified_crlb_isac", "crlb_angle_known", "localization_only_crlb_angle"] {
        assert_eq!(metric(model, &values, id), f64::INFINITY, "{id}");
    }
    assert_eq!(metric(model, &values, "mutual_information"), f64::NEG_INFINITY);
    assert_eq!(metric(model, &values, "mutual_information_exact"), 0.0);
}

#[test]
fn instances_survive_their_file_and_mistakes_name_their_keys() {
    let mut systems =
        vec![positioned(-0.3), instance(SQUARE, SQUARE, 3, 0.2, Symbols::Drawn(vec![Complex::new(0.5, -0.1)]))];
    systems.push(random_instance(&mut RandomStream::keyed(9, "file", "", 0, 0), 4, 1));
    for system in systems {
        assert_eq!(Instance::from_json(&system.to_json()).unwrap(), system);
    }
    let whole = positioned(-0.3).to_json();
    let spoilt = |key: &str, value: serde_json::Value| {
        let mut object = whole.clone();
        object[key] = value;
        Instance::from_json(&object).map_err(|e| e.to_string())
    };
    // What the second block leaves out is as in the first.
    let same = spoilt("second_block", serde_json::json!({ "angles": { "user_azimuth": 0.1 } })).unwrap();
    assert_eq!(same.second.unwrap().angles, Angles { user_azimuth: 0.1, ..same.path.angles });
    for (key, value) in [
        ("symbol_variance", serde_json::json!(0.0)),
        ("symbol_variance", serde_json::json!(1.5)),
        ("communication_weight", serde_json::json!(-0.1)),
        ("noise_power", serde_json::json!(0.0)),
        ("transmit_power", serde_json::json!(-1.0)),
        ("phase_bits", serde_json::json!(0)),
        ("phase_bits", serde_json::json!(60)),
        ("slots", serde_json::json!(0)),
        ("symbols", serde_json::json!({ "re": [1.0], "im": [0.0] })),
        ("slots", serde_json::Value::Null),
        ("irs", serde_json::json!({ "horizontal": 0, "vertical": 2 })),
        ("base_station_response", serde_json::json!({ "re": [1.0, 0.5], "im": [0.0, 0.0] })),
        ("angles", serde_json::json!({ "user_elevation": 0.1, "user_azimuth": 0.1, "irs_elevation": 0.2 })),
        ("second_block", serde_json::json!({ "noise": 1.0 })),
        ("positions", serde_json::json!({ "user": [0, 0], "sub_irs": [[1, 1, 1], [1, 2, 1]] })),
        ("zeta", serde_json::json!(0.5)),
    ] {
        let message = spoilt(key, value.clone()).expect_err(key);
        assert!(message.contains(key) || key == "symbols" && message.contains("slots"), "{key} {value}: {message}");
        assert!(key != "slots" || !value.is_null() || message.contains("symbols"), "{message}");
    }
    let model = IrsNoIsac::new(positioned(-0.3));
    let design = |level: f64, beam: f64| {
        let ones = vec![beam; 8];
        let zeros = vec![0.0; 8];
        let value = serde_json::json!({ "phase_level": vec![level; 16], "beamformer": { "re": ones, "im": zeros } });
        model.read_design(&value, "designs.mine").map_err(|e| e.to_string())
    };
    assert!(design(3.0, 0.125f64.sqrt()).is_ok());
    assert!(design(3.0, 0.4).unwrap_err().contains("designs.mine.beamformer"));
    assert!(design(4.0, 0.1).unwrap_err().contains("phase_level") && design(1.5, 0.1).is_err());
    // Without a beam it is the matched one.
    let value = serde_json::json!({ "phase_level": vec![0; 16] });
    let matched = model.read_design(&value, "designs.mine").unwrap();
    assert!((model.system().beam_gain(&matched[16..]) - 8.0).abs() < 1e-12);
}
