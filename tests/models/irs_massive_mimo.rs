//! IRS-aided massive MIMO: closed forms against each other and against expected numbers.

use std::path::Path;
use std::sync::Arc;

use isacopt::instance::InstanceFile;
use isacopt::scenarios::irs_massive_mimo::{Instance, IrsMassiveMimo, Measured};
use isacopt::{Design, MetricSet, MetricValues, Problem, RandomStream, SystemModel};
use num_complex::Complex;

fn case(name: &str) -> (InstanceFile, Instance) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/irs_massive_mimo").join(name);
    let file = InstanceFile::read(&path).unwrap();
    let instance = Instance::from_json(&file.instance).unwrap();
    (file, instance)
}

fn values(model: &IrsMassiveMimo, design: &Design) -> MetricValues {
    let mut out = MetricValues::new(model.metrics());
    let all = MetricSet::first(model.metrics().len());
    model.evaluate(design, all, &mut model.workspace(), &mut out).unwrap();
    out
}

/// The same system with its formulas written out as measured statistics.
fn written_out(model: &IrsMassiveMimo) -> Instance {
    let system = model.system();
    let mut instance = system.instance.clone();
    let (m, n) = (instance.base_station_array.len(), instance.irs_array.len());
    let lag = |array: isacopt::scenarios::irs_massive_mimo::PlanarArray, i: usize, j: usize| {
        array.correlation((i % array.rows).abs_diff(j % array.rows), (i / array.rows).abs_diff(j / array.rows))
    };
    let full = |array, size: usize, scale: f64| -> Vec<Complex<f64>> {
        (0..size * size).map(|e| Complex::new(scale * lag(array, e / size, e % size), 0.0)).collect()
    };
    let direct = |scale: &f64| full(instance.base_station_array, m, *scale);
    let reflected = |scale: &f64| full(instance.irs_array, n, *scale);
    let los = (0..m * n).map(|e| system.steering[e / n] * system.irs_steering[e % n].conj());
    instance.measured = Measured {
        user_base_station_covariance: Some(instance.fading_user_base_station.iter().flat_map(direct).collect()),
        irs_user_covariance: Some(instance.fading_user_irs.iter().flat_map(reflected).collect()),
        irs_base_station_los: Some(los.collect()),
        ..Measured::default()
    };
    instance
}

#[test]
fn the_rank_one_form_is_the_general_one() {
    for name in ["c01_tiny_components_convH.json", "c04_strong_correlation_mc.json", "c16_music_aligned.json"] {
        let (file, instance) = case(name);
        let fast = IrsMassiveMimo::new(instance).unwrap();
        let slow = IrsMassiveMimo::new(written_out(&fast)).unwrap();
        for value in file.designs.values() {
            let design = fast.read_design(value, "designs").unwrap();
            let (a, b) = (values(&fast, &design), values(&slow, &design));
            for (i, info) in fast.metrics().iter().enumerate() {
                for (x, y) in a.get(i).iter().zip(b.get(i)) {
                    assert!((x - y).abs() <= 1e-10 * y.abs().max(1e-300), "{name} {}: {x} {y}", info.id);
                }
            }
        }
    }
}

#[test]
fn given_designs_have_the_expected_metrics() {
    for name in [
        "c01_tiny_components_convH.json",
        "c04_strong_correlation_mc.json",
        "c10_unconstrained_optimum.json",
        "c16_music_aligned.json",
    ] {
        let (file, instance) = case(name);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/irs_massive_mimo").join(name);
        let whole: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let model = Arc::new(IrsMassiveMimo::new(instance).unwrap());
        for (label, value) in &file.designs {
            let design = model.read_design(value, "designs").unwrap();
            let got = values(&model, &design);
            for (id, expected) in whole["expected"]["designs"][label]["metrics"].as_object().unwrap() {
                let index = model.metrics().iter().position(|m| m.id == *id).unwrap();
                let flat = |v: &serde_json::Value| -> Vec<f64> {
                    fn walk(v: &serde_json::Value, out: &mut Vec<f64>) {
                        match v {
                            serde_json::Value::Array(items) => items.iter().for_each(|i| walk(i, out)),
                            other => out.push(other.as_f64().unwrap()),
                        }
                    }
                    let mut out = Vec::new();
                    walk(v, &mut out);
                    out
                };
                let (rtol, atol) = (expected["rtol"].as_f64().unwrap(), expected["atol"].as_f64().unwrap());
                for (x, y) in got.get(index).iter().zip(flat(&expected["value"])) {
                    assert!((x - y).abs() <= rtol * y.abs() + atol, "{name} {label} {id}: {x} {y}");
                }
            }
        }
    }
}

#[test]
fn spectra_and_peaks_are_the_expected_ones() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/irs_massive_mimo/c16_music_aligned.json");
    let whole: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let expected = &whole["expected"]["music"];
    let list = |key: &str| {
        let axis = expected[key].as_array().unwrap().iter();
        axis.map(|x| format!("{:?}", x.as_f64().unwrap())).collect::<Vec<_>>().join(",")
    };
    let music = |extra: &[&str]| -> serde_json::Value {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_isacopt"))
            .arg("music")
            .arg(&path)
            .args(["--json", "--spectra"])
            .args(extra)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let got = music(&["--azimuth", &list("grid_azimuth"), "--elevation", &list("grid_elevation")]);
    for name in ["spectrum_base_station", "spectrum_irs", "spectrum_base_station_direct_path_only"] {
        let rtol = expected[name]["rtol"].as_f64().unwrap();
        for (row, wanted) in got[name].as_array().unwrap().iter().zip(expected[name]["value"].as_array().unwrap()) {
            for (x, y) in row.as_array().unwrap().iter().zip(wanted.as_array().unwrap()) {
                let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
                assert!((x - y).abs() <= rtol * y, "{name}: {x} {y}");
            }
        }
    }
    // 91 points are the grid of 2 degrees.
    let got = music(&[]);
    for (scan, name) in [("base_station", "peak_base_station"), ("irs", "peak_irs")] {
        for i in 0..2 {
            let (x, y) = (&got["scans"][scan]["peak"][i], &expected[name]["value"][i]);
            assert!((x.as_f64().unwrap() - y.as_f64().unwrap()).abs() < 1e-9, "{name}: {x} {y}");
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    use isacopt::math::derivative;
    use isacopt::{Constraint, ProblemSpec};
    let (_, mut instance) = case("c04_strong_correlation_mc.json");
    instance.irs_amplitude = Some((0..8).map(|n| 1.0 - 0.05 * n as f64).collect());
    let mut measured = instance.clone();
    measured_anew(&mut measured);
    let objectives = ["min_average_channel_gain", "sum_rate", "min_rate", "sensing_snr", "sensing_gain"];
    for (instance, objective) in [instance, measured].iter().flat_map(|i| objectives.map(|o| (i, o))) {
        let model: Arc<dyn SystemModel> = Arc::new(IrsMassiveMimo::new(instance.clone()).unwrap());
        let limits = vec![Constraint::at_least("sensing_gain", 3.0), Constraint::at_least("rate", 0.2)];
        let problem = Problem::new(Arc::clone(&model), ProblemSpec::new(objective, limits)).unwrap();
        let mut gradient = problem.structure().gradient.as_ref().map_err(|r| r.to_string()).unwrap()();
        let design = problem.random(&mut RandomStream::keyed(5, "test", objective, 0, 0));
        let n = design.len();
        let rows = gradient.rows();
        // Of the least of several figures the figures' own derivatives are the ones that count.
        let pieces = gradient.pieces();
        let (mut each, mut of_each) = (vec![0.0; pieces], vec![0.0; pieces * n]);
        gradient.worst_of(&design, &mut each, &mut of_each);
        let (mut slope, mut values, mut jacobian) = (vec![0.0; n], vec![0.0; rows], vec![0.0; rows * n]);
        let value = gradient.objective(&design, &mut slope);
        gradient.constraints(&design, &mut values, &mut jacobian);
        if pieces > 0 {
            let least = each.iter().copied().fold(f64::INFINITY, f64::min);
            let of_least = each.iter().position(|x| *x == least).unwrap();
            assert!((least / value - 1.0).abs() < 1e-14);
            assert_eq!(&of_each[of_least * n..(of_least + 1) * n], &slope[..], "{objective}");
        }
        let mut judge = problem.evaluator();
        assert!((judge.evaluate(&design).unwrap().objective / value - 1.0).abs() < 1e-12);
        for i in 0..n {
            let (numerical, _) = derivative(1 + rows, 0.2, |step, out| {
                let mut moved = design.clone();
                moved[i] += step;
                out[0] = judge.evaluate(&moved).unwrap().objective;
                let mut misses = Vec::new();
                judge.misses(&mut misses);
                out[1..].copy_from_slice(&misses);
            });
            let scale = slope.iter().fold(0.0, |m, s| f64::max(m, s.abs()));
            assert!((numerical[0] - slope[i]).abs() < 1e-8 * scale, "{objective} {i}: {} {}", numerical[0], slope[i]);
            for row in 0..rows {
                let (a, b) = (numerical[1 + row], jacobian[row * n + i]);
                assert!((a - b).abs() < 1e-8 * b.abs().max(1.0), "{objective} limit {row} {i}: {a} {b}");
            }
        }
    }
}

/// Random covariances and a random line of sight in place of all formulas.
fn measured_anew(instance: &mut Instance) {
    let mut random = RandomStream::keyed(8, "test", "measured", 0, 0);
    let mut covariance = |n: usize, scale: f64| -> Vec<Complex<f64>> {
        let factor: Vec<Complex<f64>> = (0..n * n).map(|_| random.complex_normal(scale / n as f64)).collect();
        let entry = |i: usize, j: usize| (0..n).map(|l| factor[i * n + l] * factor[j * n + l].conj()).sum();
        (0..n * n).map(|e| entry(e / n, e % n)).collect()
    };
    let (m, n) = (instance.base_station_array.len(), instance.irs_array.len());
    instance.measured = Measured {
        base_station_covariance: Some(covariance(m, 1.0)),
        irs_covariance: Some(covariance(n, 1.0)),
        user_base_station_covariance: Some(
            instance.fading_user_base_station.iter().flat_map(|zeta| covariance(m, *zeta)).collect(),
        ),
        irs_user_covariance: Some(instance.fading_user_irs.iter().flat_map(|zeta| covariance(n, *zeta)).collect()),
        irs_base_station_los: None,
    };
    instance.measured.irs_base_station_los = Some((0..m * n).map(|_| random.complex_normal(1.0)).collect());
}

#[test]
fn rates_agree_with_monte_carlo_of_the_raw_channels() {
    use isacopt::simulation::{Draws, estimate};
    let (file, base) = case("c04_strong_correlation_mc.json");
    // As it is at two designs; no scattering's line of sight, no surface, no direct link, one element, measured statistics.
    type Change = (&'static str, &'static str, fn(&mut Instance));
    let changes: [Change; 7] = [
        ("as it is", "random", |_| {}),
        ("aligned", "a_I", |_| {}),
        ("no line of sight", "random", |i| i.rician_factor = 0.0),
        ("no surface", "random", |i| i.fading_irs_base_station = 0.0),
        ("no direct link", "random", |i| i.fading_user_base_station.fill(0.0)),
        ("one element", "", |i| (i.irs_array.rows, i.irs_array.columns) = (1, 1)),
        ("measured", "random", measured_anew),
    ];
    for (label, design, change) in changes {
        let mut instance = base.clone();
        change(&mut instance);
        let model: Arc<dyn SystemModel> = Arc::new(IrsMassiveMimo::new(instance).unwrap());
        let design = match design {
            "" => Design::new(vec![0.4]),
            name => model.read_design(&file.designs[name], "designs").unwrap(),
        };
        let mut out = MetricValues::new(model.metrics());
        model.evaluate(&design, MetricSet::first(model.metrics().len()), &mut model.workspace(), &mut out).unwrap();
        let draws = Draws { count: 20_000, seed: 11, threads: 0 };
        let estimates = estimate(model.as_ref(), &design, draws, &mut |_| true).unwrap();
        let mut worst: f64 = 0.0;
        for figure in estimates.as_deref().unwrap() {
            for (entry, value) in out.get(figure.metric).iter().enumerate() {
                if let Some(z) = figure.z_score(entry, *value) {
                    worst = worst.max(z.abs());
                    // About 40 figures in each of seven settings: beyond 4.9 by luck in one of 3,000 such tests.
                    let (id, mean) = (&model.metrics()[figure.metric].id, figure.mean[entry]);
                    assert!(z.abs() < 4.9, "{label} {id}[{entry}]: {value} against {mean}, z = {z}");
                }
            }
        }
        assert!(worst > 0.1, "nothing was compared");
    }
}

/// The bound is above what many ascents find and close to it, with and without a limit; its certificate verifies without the
/// solver, and a tampered one proves less.
#[test]
fn bounds_hold_above_many_ascents_and_their_certificates_verify() {
    for limit_share in [0.0, 0.9] {
        let (_, mut instance) = case("c01_tiny_components_convH.json");
        let n = instance.irs_array.len();
        let free = IrsMassiveMimo::new(instance.clone()).unwrap();
        let aligned = free.start("sensing_aligned").unwrap().unwrap();
        let gain = values(&free, &aligned).scalar(2);
        instance.sensing_gain_limit = limit_share * gain;
        let model: Arc<dyn SystemModel> = Arc::new(IrsMassiveMimo::new(instance).unwrap());
        let problem = Arc::new(Problem::new(Arc::clone(&model), model.default_problem()).unwrap());
        let Ok(factory) = &problem.structure().bound else { panic!("a bound is offered") };
        let proven = factory().bound().unwrap().unwrap();
        let mut judge = problem.evaluator();
        let mut best = f64::NEG_INFINITY;
        // Coarse at first sight, but any feasible design must lie below the bound; ascent closes the rest.
        let mut random = RandomStream::keyed(3, "test", "bound", 0, 0);
        let Ok(majorizer) = &problem.structure().majorizer else { panic!("a majorizer is offered") };
        let mut majorizer = majorizer();
        for _ in 0..200 {
            let mut design = problem.random(&mut random);
            let mut next = design.clone();
            for _ in 0..200 {
                majorizer.maximize(&design, &mut next).unwrap();
                design.copy_from(&next);
            }
            let value = judge.evaluate(&design).unwrap();
            if value.feasible() {
                best = best.max(value.objective);
            }
        }
        assert!(best <= proven.value * (1.0 + 1e-9), "{n} elements: {best} beyond {}", proven.value);
        assert!(best >= 0.5 * proven.value, "{n} elements: {best} far below {}", proven.value);
        let mut certificate = proven.certificate.to_json();
        let Some(Ok(isacopt::structure::Proof::Bound(verified))) = model.verify(problem.spec(), &aligned, &certificate)
        else {
            panic!("the certificate is refused")
        };
        assert!((verified / proven.value - 1.0).abs() < 1e-7, "{verified} against {}", proven.value);
        certificate["phase_price"][0] = serde_json::json!(0.0);
        let Some(Ok(isacopt::structure::Proof::Bound(tampered))) = model.verify(problem.spec(), &aligned, &certificate)
        else {
            panic!("any prices prove something")
        };
        assert!(tampered > verified * (1.0 + 1e-9));
    }
}

/// Snapshots of a response: `u x_t` with so much energy in all, and noise of power 1.
fn heard(response: &[Complex<f64>], energy: f64, draws: &mut RandomStream) -> (Vec<Complex<f64>>, f64) {
    let sent: Vec<_> = (0..24).map(|_| draws.complex_normal(energy / 24.0)).collect();
    let clean: Vec<_> = response.iter().flat_map(|u| sent.iter().map(move |x| u * x)).collect();
    let noisy = clean.into_iter().map(|y| y + draws.complex_normal(1.0)).collect();
    (noisy, sent.iter().map(Complex::norm_sqr).sum())
}

/// Root mean square errors of MUSIC's refined peak from the truth on, and the roots of the mean bounds.
fn errors(scan: &dyn isacopt::radio::music::Scan, energy: f64, trials: u64) -> [[f64; 2]; 2] {
    use isacopt::radio::music::{Peak, cramer_rao, refine, signal_vector};
    let truth = scan.truth().unwrap();
    let response = scan.response(truth[0], truth[1]);
    let mut sums = [[0.0; 2]; 2];
    for trial in 0..trials {
        let mut draws = RandomStream::keyed(6, "test", "errors of music", 0, trial);
        let (snapshots, sent) = heard(&response, energy, &mut draws);
        let signal = signal_vector(&snapshots, response.len()).unwrap();
        let found = refine(scan, &signal, Peak { angles: truth, value: 0.0 }, 0.02);
        let bound = cramer_rao(scan, truth, sent);
        for i in 0..2 {
            sums[0][i] += (found.angles[i] - truth[i]).powi(2);
            sums[1][i] += bound[i];
        }
    }
    sums.map(|sum| sum.map(|s| (s / trials as f64).sqrt()))
}

/// Away from the aligned phases both scans' angles have bounds, and MUSIC reaches them. The surface's angles enter by the
/// scalar s alone: their information is that of its two derivatives, and vanishes with the sine of the angle between them.
#[test]
fn music_reaches_the_bounds_where_they_are_finite() {
    let (file, instance) = case("c16_music_aligned.json");
    let model = IrsMassiveMimo::new(instance.clone()).unwrap();
    let mut random = RandomStream::keyed(2, "test", "phases", 0, 0);
    let mut design = model.read_design(&file.designs["theta"], "designs").unwrap();
    design.iter_mut().for_each(|phase| *phase = std::f64::consts::TAU * random.uniform());
    let echoes = model.echoes(&design).unwrap();
    // The weaker of the two echoes is 60 dB above the noise.
    let system = model.system();
    let reflected = instance.target_reflection_irs.norm() * system.los_scale;
    let energy = 1e6 / reflected.powi(2) / 30.0;
    for scan in &echoes.scans[..2] {
        let [found, bound] = errors(scan.as_ref(), energy, 200);
        for i in 0..2 {
            // The ratio's standard deviation is about 0.05.
            let ratio = found[i] / bound[i];
            assert!((0.8..1.25).contains(&ratio), "{} {i}: {} beside {}", scan.name(), found[i], bound[i]);
        }
    }
    // s and its derivatives, written out element by element.
    let [azimuth, elevation] = echoes.scans[1].truth().unwrap();
    let scalar = |azimuth: f64, elevation: f64| -> Complex<f64> {
        let at = isacopt::scenarios::irs_massive_mimo::Direction { azimuth, elevation };
        let q = instance.irs_array.steering_vector(at, instance.steering_convention);
        let pairs = q.iter().zip(&system.irs_steering).zip(design.iter());
        pairs.map(|((q, a), phase)| a.conj() * Complex::cis(*phase) * q).sum()
    };
    let h = 1e-5;
    let slopes = [
        (scalar(azimuth + h, elevation) - scalar(azimuth - h, elevation)) / (2.0 * h),
        (scalar(azimuth, elevation + h) - scalar(azimuth, elevation - h)) / (2.0 * h),
    ];
    let u = echoes.scans[1].response(azimuth, elevation);
    let along: Complex<f64> = u.iter().zip(&system.steering).map(|(u, a)| u.conj() * a).sum();
    let norm: f64 = u.iter().map(Complex::norm_sqr).sum();
    let beside = system.steering.len() as f64 - along.norm_sqr() / norm;
    let sine = (slopes[0].conj() * slopes[1]).im;
    let bounds = isacopt::radio::music::cramer_rao(echoes.scans[1].as_ref(), [azimuth, elevation], energy);
    for i in 0..2 {
        let by_hand = slopes[1 - i].norm_sqr() / (2.0 * energy * reflected.powi(2) * beside * sine * sine);
        assert!((bounds[i] / by_hand - 1.0).abs() < 1e-6, "{i}: {} {by_hand}", bounds[i]);
    }
}

/// With aligned phases both derivatives of s are imaginary multiples of s: no sine, no bound. One combination of the angles
/// turns s and is found as elsewhere; across it the curvature of |s| is all there is, and errors fall with the fourth root of
/// the energy.
#[test]
fn aligned_phases_leave_the_surfaces_angles_without_a_bound() {
    let (_, instance) = case("c16_music_aligned.json");
    let model = IrsMassiveMimo::new(instance.clone()).unwrap();
    let design = model.start("sensing_aligned").unwrap().unwrap();
    let echoes = model.echoes(&design).unwrap();
    let reflected = instance.target_reflection_irs.norm() * model.system().los_scale * 24.0;
    let energy = 1e4 / reflected.powi(2) / 30.0;
    let errors = [1.0, 1e4].map(|more| errors(echoes.scans[1].as_ref(), more * energy, 60));
    assert!(errors.iter().all(|[_, bound]| bound.iter().all(|b| b.is_infinite())), "{errors:?}");
    let [few, many] = errors.map(|[found, _]| found[0].hypot(found[1]));
    // Ten times smaller by the fourth root, a hundred times by the root.
    assert!(few.is_finite() && (5.0..20.0).contains(&(few / many)), "{few} {many}");
    // The base station's angles have theirs, and reach it.
    let [found, bound] = self::errors(echoes.scans[0].as_ref(), energy, 200);
    assert!((0..2).all(|i| (0.8..1.25).contains(&(found[i] / bound[i]))), "{found:?} {bound:?}");
}

/// A line of sight measured in place of the formula: written out, its scans are the formula's; any other one's are those of
/// the responses themselves, and tell more than one scalar of the surface's angles.
#[test]
fn measured_lines_of_sight_are_scanned_as_they_are() {
    use isacopt::radio::music::{cramer_rao, signal_vector};
    let (_, instance) = case("c16_music_aligned.json");
    let formula = IrsMassiveMimo::new(instance.clone()).unwrap();
    let written = IrsMassiveMimo::new(written_out(&formula)).unwrap();
    let mut other = instance;
    measured_anew(&mut other);
    let other = IrsMassiveMimo::new(other).unwrap();
    let design = formula.start("sensing_aligned").unwrap().unwrap();
    let mut random = RandomStream::keyed(3, "test", "signal", 0, 0);
    let any: Vec<_> = (0..30 * 4).map(|_| random.complex_normal(1.0)).collect();
    let signal = signal_vector(&any, 30).unwrap();
    let [formula, written, other] = [&formula, &written, &other].map(|model| model.echoes(&design).unwrap());
    let pairs = |echoes: &isacopt::radio::music::Echoes, scan: usize| {
        let mut pairs = vec![(0.0, 0.0); 3];
        echoes.scans[scan].against(&signal)(0.4, &[-0.3, 0.2, 1.1], &mut pairs);
        pairs
    };
    for scan in 0..3 {
        for (a, b) in pairs(&formula, scan).iter().zip(pairs(&written, scan)) {
            assert!((a.0 - b.0).abs() < 1e-10 * b.0 && (a.1 - b.1).abs() < 1e-10 * b.0, "{scan}: {a:?} {b:?}");
        }
        for (elevation, (norm, captured)) in [-0.3, 0.2, 1.1].into_iter().zip(pairs(&other, scan)) {
            let u = other.scans[scan].response(0.4, elevation);
            let own: f64 = u.iter().map(Complex::norm_sqr).sum();
            let seen: Complex<f64> = u.iter().zip(&signal).map(|(u, e)| e.conj() * u).sum();
            assert!((norm - own).abs() < 1e-10 * own && (captured - seen.norm_sqr()).abs() < 1e-10 * own, "{scan}");
        }
    }
    // The echo of the simulation has that direction, too: without noise its snapshots are multiples of the response.
    let truth = other.scans[1].truth().unwrap();
    assert!(cramer_rao(formula.scans[1].as_ref(), truth, 1.0).iter().all(|b| b.is_infinite()));
    assert!(cramer_rao(other.scans[1].as_ref(), truth, 1.0).iter().all(|b| b.is_finite()));
    let mut draws = RandomStream::keyed(4, "test", "echo", 0, 0);
    let snapshots = (other.snapshots)(&mut draws).unwrap();
    let signal = signal_vector(&snapshots.values, 30).unwrap();
    let u = other.scans[0].response(other.scans[0].truth().unwrap()[0], other.scans[0].truth().unwrap()[1]);
    let norm: f64 = u.iter().map(Complex::norm_sqr).sum();
    let seen: Complex<f64> = u.iter().zip(&signal).map(|(u, e)| e.conj() * u).sum();
    let outside = 1.0 - seen.norm_sqr() / norm;
    assert!(outside < 3.0 * 30.0 / (snapshots.energy.unwrap() * norm), "{outside}");
}
