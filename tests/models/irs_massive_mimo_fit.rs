//! Instances fitted to draws of the raw channels, against the systems that were drawn from.

use std::path::Path;

use isacopt::instance::InstanceFile;
use isacopt::samples::{FORMAT, FitForm, Fitted, Misfit, SampleFile};
use isacopt::scenario::scenarios;
use isacopt::scenarios::irs_massive_mimo::{
    Angles, Channels, Direction, Instance, IrsMassiveMimo, Measured, SteeringConvention, System,
};
use isacopt::{Design, MetricSet, MetricValues, RandomStream, SystemModel};
use num_complex::Complex;
use serde_json::{Value, json};

/// A small system with strong correlations, its elements closer than half a wavelength.
fn truth() -> Instance {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/irs_massive_mimo/c04_strong_correlation_mc.json");
    let mut instance = Instance::from_json(&InstanceFile::read(&path).unwrap().instance).unwrap();
    let direction = |azimuth, elevation| Direction { azimuth, elevation };
    instance.angles = Angles { base_station: direction(0.4, -0.7), irs: direction(-0.9, 0.5), ..instance.angles };
    instance
}

fn complex(values: &[Complex<f64>], shape: &[usize]) -> Value {
    fn nested(values: &[f64], shape: &[usize]) -> Value {
        match shape {
            [] => values[0].into(),
            [first, rest @ ..] => values.chunks(values.len() / first).map(|part| nested(part, rest)).collect(),
        }
    }
    let part = |of: fn(&Complex<f64>) -> f64| nested(&values.iter().map(of).collect::<Vec<_>>(), shape);
    json!({ "re": part(|z| z.re), "im": part(|z| z.im) })
}

/// So many draws of all channels, and the instance without what they tell.
fn sample(instance: &Instance, count: usize, seed: u64) -> SampleFile {
    let system = System::new(instance.clone()).unwrap();
    let channels = Channels::new(&system).unwrap();
    let (m, n, users) = (instance.base_station_array.len(), instance.irs_array.len(), instance.users());
    let [mut f, mut g, mut h] = [Vec::new(), Vec::new(), Vec::new()];
    for draw in 0..count {
        let mut random = RandomStream::keyed(seed, "test", "samples", 0, draw as u64);
        let surface = channels.surface(&mut random);
        h.extend((0..m * n).map(|e| surface[(e / n, e % n)]));
        for user in 0..users {
            let [direct, reflected] = channels.user(user, &mut random);
            f.extend(direct);
            g.extend(reflected);
        }
    }
    let mut known = instance.to_json();
    for key in ["fading_user_base_station", "fading_user_irs", "fading_irs_base_station", "rician_factor"] {
        known.as_object_mut().unwrap().shift_remove(key);
    }
    for key in ["base_station_covariance", "irs_covariance", "user_base_station_covariance", "irs_user_covariance"] {
        known.as_object_mut().unwrap().shift_remove(key);
    }
    known.as_object_mut().unwrap().shift_remove("irs_base_station_los");
    for key in ["base_station_azimuth", "base_station_elevation", "irs_azimuth", "irs_elevation"] {
        known["angles"].as_object_mut().unwrap().shift_remove(key);
    }
    SampleFile::from_tree(json!({
        "format": FORMAT, "scenario": "irs_massive_mimo", "instance": known,
        "samples": {
            "user_base_station": complex(&f, &[count, users, m]),
            "irs_user": complex(&g, &[count, users, n]),
            "irs_base_station": complex(&h, &[count, m, n]),
        },
    }))
    .unwrap()
}

fn fit(file: &SampleFile, form: FitForm) -> Fitted {
    let entry = scenarios().into_iter().find(|e| e.name == "irs_massive_mimo").unwrap();
    entry.fit.unwrap()(file, form).unwrap()
}

fn instance_of(fitted: &Fitted) -> Instance {
    Instance::from_json(&fitted.instance).unwrap()
}

fn values(instance: &Instance) -> MetricValues {
    let model = IrsMassiveMimo::new(instance.clone()).unwrap();
    let mut random = RandomStream::keyed(1, "test", "phases", 0, 0);
    let design = Design::new((0..instance.irs_array.len()).map(|_| 6.0 * random.uniform()).collect());
    let mut out = MetricValues::new(model.metrics());
    model.evaluate(&design, MetricSet::first(model.metrics().len()), &mut model.workspace(), &mut out).unwrap();
    out
}

/// The relative Frobenius distance of two complex arrays, and the norm of the second.
fn distance(a: &[Complex<f64>], b: &[Complex<f64>]) -> (f64, f64) {
    let norm = b.iter().map(Complex::norm_sqr).sum::<f64>().sqrt();
    (a.iter().zip(b).map(|(a, b)| (a - b).norm_sqr()).sum::<f64>().sqrt() / norm, norm)
}

/// Where the channels follow the formulas, every estimate is within its statistical limit, and no misfit is beyond what the
/// number of draws explains.
#[test]
fn what_was_drawn_by_the_formulas_is_found_again() {
    let count = 3000;
    for convention in [SteeringConvention::H, SteeringConvention::T] {
        let truth = Instance { steering_convention: convention, ..truth() };
        let file = sample(&truth, count, 1);
        let fitted = fit(&file, FitForm::Formulas);
        let found = instance_of(&fitted);
        assert_eq!(found.measured, Measured::default());
        let root = (count as f64).sqrt();
        // A trace of M entries, correlated, has a relative deviation of at most 1 / sqrt(D).
        let close = |a: f64, b: f64, what: &str| assert!((a / b - 1.0).abs() < 5.0 / root, "{what}: {a}, not {b}");
        for k in 0..truth.users() {
            close(found.fading_user_base_station[k], truth.fading_user_base_station[k], "direct");
            close(found.fading_user_irs[k], truth.fading_user_irs[k], "reflected");
        }
        close(found.fading_irs_base_station, truth.fading_irs_base_station, "surface");
        close(found.rician_factor, truth.rician_factor, "Rician factor");
        // The wave's phases along an array are known to 1 / sqrt(D K_H M N), about; an angle turns them by more than 1.
        let entries = (truth.base_station_array.len() * truth.irs_array.len()) as f64;
        let phase = 1.0 / (root * (truth.rician_factor * entries).sqrt());
        for (a, b) in [(found.angles.base_station, truth.angles.base_station), (found.angles.irs, truth.angles.irs)] {
            let off = (a.azimuth - b.azimuth).abs().max((a.elevation - b.elevation).abs());
            assert!(off < 10.0 * phase, "{a:?}, not {b:?}: {off} beyond {phase}");
        }
        assert!(!fitted.misfits.is_empty());
        for Misfit { what, user, misfit, sampling } in &fitted.misfits {
            // The level is a root mean square; strongly correlated entries make its few degrees of freedom vary.
            assert!((0.3..2.5).contains(&(misfit / sampling)), "{what} {user:?}: {misfit} beside {sampling}");
        }
        let named = |what: &str| fitted.misfits.iter().filter(|m| m.what == what).count();
        assert_eq!(named("direct covariance"), truth.users());
        assert_eq!((named("line of sight"), named("covariances' product")), (1, 1));
        // Both forms give the metrics of the system that was drawn from, to a few percent.
        for instance in [found, instance_of(&fit(&file, FitForm::Measured))] {
            let (got, wanted) = (values(&instance), values(&truth));
            for metric in [0, 1, 2, 3, 4, 5, 7, 8] {
                for (a, b) in got.get(metric).iter().zip(wanted.get(metric)) {
                    assert!((a / b - 1.0).abs() < 0.1, "metric {metric}: {a}, not {b}");
                }
            }
        }
    }
}

/// Covariances and a line of sight that follow no formula: measured ones come out within sampling, and the report says that
/// the formulas are far off.
#[test]
fn other_channels_are_measured_and_their_misfit_is_reported() {
    let mut truth = truth();
    let mut random = RandomStream::keyed(8, "test", "measured", 0, 0);
    let mut covariance = |n: usize, scale: f64| -> Vec<Complex<f64>> {
        let factor: Vec<Complex<f64>> = (0..n * n).map(|_| random.complex_normal(1.0)).collect();
        let entry = |i: usize, j: usize| (0..n).map(|l| factor[i * n + l] * factor[j * n + l].conj()).sum();
        let whole: Vec<Complex<f64>> = (0..n * n).map(|e| entry(e / n, e % n)).collect();
        let mean = (0..n).map(|i| whole[i * n + i].re).sum::<f64>() / n as f64;
        whole.iter().map(|z| z * (scale / mean)).collect()
    };
    let (m, n) = (truth.base_station_array.len(), truth.irs_array.len());
    truth.measured = Measured {
        base_station_covariance: Some(covariance(m, 1.0)),
        irs_covariance: Some(covariance(n, 1.0)),
        user_base_station_covariance: Some(
            truth.fading_user_base_station.clone().into_iter().flat_map(|zeta| covariance(m, zeta)).collect(),
        ),
        irs_user_covariance: Some(truth.fading_user_irs.clone().into_iter().flat_map(|z| covariance(n, z)).collect()),
        irs_base_station_los: None,
    };
    let line: Vec<Complex<f64>> = (0..m * n).map(|_| random.complex_normal(1.0)).collect();
    let rms = (line.iter().map(Complex::norm_sqr).sum::<f64>() / (m * n) as f64).sqrt();
    truth.measured.irs_base_station_los = Some(line.iter().map(|z| z / rms).collect());
    let mut distances = Vec::new();
    for count in [400, 6400] {
        let fitted = fit(&sample(&truth, count, 2), FitForm::Measured);
        let found = instance_of(&fitted);
        let [own, drawn] = [&found.measured, &truth.measured];
        let pairs = [
            (&own.base_station_covariance, &drawn.base_station_covariance),
            (&own.irs_covariance, &drawn.irs_covariance),
            (&own.user_base_station_covariance, &drawn.user_base_station_covariance),
            (&own.irs_user_covariance, &drawn.irs_user_covariance),
            (&own.irs_base_station_los, &drawn.irs_base_station_los),
        ];
        let all = pairs.map(|(a, b)| distance(a.as_ref().unwrap(), b.as_ref().unwrap()).0);
        // A covariance of n entries is at most sqrt(n) / sqrt(D) off, about; a partial trace less.
        assert!(all.iter().all(|d| *d < 1.5 * (n.max(m) as f64 / count as f64).sqrt()), "{count}: {all:?}");
        distances.push(all);
        for misfit in fitted.misfits.iter().filter(|m| m.what.ends_with("covariance") || m.what == "line of sight") {
            assert!(misfit.beyond_sampling() > 0.3, "{count}: {misfit:?}");
        }
        // Means are 0, and the scattering is a Kronecker product.
        for misfit in fitted.misfits.iter().filter(|m| m.what.ends_with("mean") || m.what.ends_with("product")) {
            assert!((0.3..2.0).contains(&(misfit.misfit / misfit.sampling)), "{count}: {misfit:?}");
        }
    }
    // Sixteen times the draws, a fourth of the error.
    for (few, many) in distances[0].iter().zip(&distances[1]) {
        assert!((2.0..8.0).contains(&(few / many)), "{distances:?}");
    }
}

/// Elements' areas, a channel that is not sampled, and one common scattering that is no Kronecker product.
#[test]
fn what_is_not_sampled_is_taken_as_given_and_a_wrong_structure_shows() {
    let mut truth = truth();
    (truth.base_station_element_area, truth.irs_element_area) = (0.5, 2.0);
    let whole = sample(&truth, 2000, 3);
    let mut part = whole.clone();
    for channel in ["user_base_station", "irs_user"] {
        part.samples.shift_remove(channel);
    }
    part.instance.insert("fading_user_base_station".into(), json!(truth.fading_user_base_station));
    part.instance.insert("fading_user_irs".into(), json!(truth.fading_user_irs));
    let fitted = fit(&part, FitForm::Measured);
    let found = instance_of(&fitted);
    assert_eq!(found.fading_user_irs, truth.fading_user_irs);
    assert!(found.measured.irs_user_covariance.is_none() && found.measured.irs_covariance.is_some());
    assert!((found.rician_factor / truth.rician_factor - 1.0).abs() < 0.1, "{}", found.rician_factor);
    let diagonal = |matrix: &Option<Vec<Complex<f64>>>, size: usize| {
        let matrix = matrix.as_ref().unwrap();
        (0..size).map(|i| matrix[i * size + i].re).sum::<f64>() / size as f64
    };
    let (m, n) = (truth.base_station_array.len(), truth.irs_array.len());
    assert!((diagonal(&found.measured.base_station_covariance, m) / 0.5 - 1.0).abs() < 1e-12);
    assert!((diagonal(&found.measured.irs_covariance, n) / 2.0 - 1.0).abs() < 1e-12);
    // One amplitude for the whole of each draw: both ends keep their covariances, the product does not.
    let mut common = part.clone();
    let mut random = RandomStream::keyed(9, "test", "common", 0, 0);
    let size = m * n;
    let mut entries: Vec<Complex<f64>> = Vec::new();
    for _ in 0..2000 {
        let [a, b] = [random.complex_normal(1.0), random.complex_normal(1.0)];
        entries.extend((0..size).map(|e| a + b * Complex::cis(2.0 * (e / n) as f64 + 0.7 * (e % n) as f64)));
    }
    common.samples.insert("irs_base_station".into(), complex(&entries, &[2000, m, n]));
    let product = |fitted: &Fitted| {
        let misfit = fitted.misfits.iter().find(|m| m.what == "covariances' product").unwrap().clone();
        (misfit.misfit, misfit.sampling)
    };
    let ((fits, level), (off, other)) = (product(&fitted), product(&fit(&common, FitForm::Measured)));
    assert!(fits < 1.5 * level && off > 5.0 * other, "{fits} {level} {off} {other}");
}

/// Draws of a link without scattering, or none of it with a line of sight.
#[test]
fn the_ends_of_the_rician_factor() {
    let truth = Instance { rician_factor: 0.0, ..truth() };
    let file = sample(&truth, 500, 4);
    let found = instance_of(&fit(&file, FitForm::Measured));
    assert!(found.rician_factor < 0.01, "{}", found.rician_factor);
    let mut still = file.clone();
    let (m, n) = (truth.base_station_array.len(), truth.irs_array.len());
    let same = vec![Complex::new(1.0, 2.0); 3 * m * n];
    still.samples.insert("irs_base_station".into(), complex(&same, &[3, m, n]));
    let entry = scenarios().into_iter().find(|e| e.name == "irs_massive_mimo").unwrap();
    let error = entry.fit.unwrap()(&still, FitForm::Measured).unwrap_err().to_string();
    assert!(error.contains("samples.irs_base_station") && error.contains("all equal"), "{error}");
}
