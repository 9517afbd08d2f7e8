//! `isacopt fit`: from a file of channel draws to an instance that the other commands take.

use std::path::Path;

use isacopt::RandomStream;
use isacopt::instance::write_tree;
use serde_json::{Value, json};

use crate::command::isacopt_in;

const USERS: usize = 2;
const ANTENNAS: usize = 6;
const ELEMENTS: usize = 4;

/// Draws of uncorrelated channels, the surface's with a mean of 1 beside scattering of variance 1.
fn samples(count: usize) -> Value {
    let mut random = RandomStream::keyed(1, "test", "fit", 0, 0);
    let mut part = |shape: &[usize], mean: f64| -> Value {
        fn nested(shape: &[usize], next: &mut dyn FnMut() -> f64) -> Value {
            match shape {
                [] => next().into(),
                [length, rest @ ..] => (0..*length).map(|_| nested(rest, next)).collect(),
            }
        }
        let root = std::f64::consts::FRAC_1_SQRT_2;
        nested(shape, &mut || mean + root * random.normal())
    };
    let mut complex = |shape: &[usize], mean: f64| json!({ "re": part(shape, mean), "im": part(shape, 0.0) });
    json!({
        "format": "isacopt-samples/1",
        "scenario": "irs_massive_mimo",
        "description": "drawn for a test",
        "instance": {
            "base_station_array": { "rows": 3, "columns": 2, "spacing_wavelengths": 0.5 },
            "irs_array": { "rows": 2, "columns": 2, "spacing_wavelengths": 0.5 },
            "steering_convention": "H",
            "angles": {
                "target_azimuth_from_base_station": 0.3, "target_elevation_from_base_station": -0.7,
                "target_azimuth_from_irs": -0.5, "target_elevation_from_irs": 0.9,
            },
            "target_reflection_base_station": { "re": 0.3, "im": -0.2 },
            "target_reflection_irs": { "re": 0.6, "im": 0.1 },
            "transmit_snr": 10.0, "pilot_snr": 1.0, "pilot_length": 2, "coherence_length": 100,
            "communication_share": [0.4, 0.4], "sensing_share": [0.1, 0.1], "sensing_gain_limit": 0.0,
        },
        "samples": {
            "user_base_station": complex(&[count, USERS, ANTENNAS], 0.0),
            "irs_user": complex(&[count, USERS, ELEMENTS], 0.0),
            "irs_base_station": complex(&[count, ANTENNAS, ELEMENTS], 1.0),
        },
    })
}

fn write(folder: &Path, name: &str, tree: &Value) {
    write_tree(&folder.join(name), tree.as_object().unwrap(), &tree.to_string()).unwrap();
}

#[test]
fn a_fitted_instance_is_one_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let call = |arguments: &[&str]| isacopt_in(folder.path(), arguments);
    let tree = samples(400);
    let mut reports = Vec::new();
    for kind in ["json", "npz", "mat"] {
        let (name, out) = (format!("samples.{kind}"), format!("fitted.{kind}"));
        write(folder.path(), &name, &tree);
        reports.push(call(&["fit", &name, "--out", &out, "--json"]).json());
        let answer = call(&["solve", &out, "--solver", "majorization_minimization", "--json"]).json();
        assert_eq!(answer["status"], "converged", "{answer}");
        let gain = &answer["metrics"]["average_channel_gain"]["value"][0];
        // Six antennas, a direct link and four elements, each of variance 2.
        assert!((10.0..100.0).contains(&gain.as_f64().unwrap()), "{gain}");
    }
    assert!(reports.iter().all(|report| *report == reports[0]), "{reports:?}");
    let report = &reports[0];
    let estimates = &report["estimates"];
    for (key, expected) in [("fading_irs_base_station", 2.0), ("rician_factor", 1.0)] {
        assert!((estimates[key].as_f64().unwrap() / expected - 1.0).abs() < 0.1, "{key}: {}", estimates[key]);
    }
    // A mean of ones is the plane wave from straight ahead.
    for end in ["base_station_elevation", "irs_elevation"] {
        assert!(estimates["angles"][end].as_f64().unwrap().abs() < 0.1, "{end}: {estimates}");
    }
    assert_eq!(report["draws"]["irs_user"], 400);
    let misfits = report["misfits"].as_array().unwrap();
    assert!(misfits.len() >= 4 * USERS + 3);
    assert!(misfits.iter().all(|m| m["misfit"].as_f64().unwrap() > 0.0 && m["by_sampling_alone"].is_f64()));
    // The same without matrices.
    call(&["fit", "samples.json", "--out", "formulas.json", "--form", "formulas", "--json"]).json();
    let formulas: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("formulas.json")).unwrap()).unwrap();
    assert!(
        formulas["instance"].as_object().unwrap().keys().all(|k| !k.ends_with("covariance") && !k.ends_with("los"))
    );
    assert_eq!(formulas["instance"]["rician_factor"], estimates["rician_factor"]);
    call(&["solve", "formulas.json", "--solver", "majorization_minimization", "--json"]).json();
    // For reading.
    let text = call(&["fit", "samples.json"]).text();
    assert!(
        ["400 draws of irs_user", "rician_factor", "line of sight", "by sampling alone"]
            .iter()
            .all(|w| text.contains(w)),
        "{text}"
    );
}

#[test]
fn bad_samples_are_told_by_file_place_and_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let good = samples(3);
    let refused = |change: &dyn Fn(&mut Value), words: &[&str]| {
        let mut bad = good.clone();
        change(&mut bad);
        write(folder.path(), "bad.json", &bad);
        let message = isacopt_in(folder.path(), ["fit", "bad.json", "--out", "out.json"]).refusal();
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(
            message.contains("bad.json") && words.iter().all(|word| message.contains(word)),
            "{words:?}: {message}"
        );
        assert!(!folder.path().join("out.json").exists());
    };
    refused(&|f| f["samples"]["irs_user"]["re"][2][1][0] = Value::Null, &["samples.irs_user.re[2][1][0]", "finite"]);
    refused(&|f| f["samples"]["irs_user"]["im"][0][0] = json!([1.0]), &["samples.irs_user.im", "full array"]);
    refused(
        &|f| f["samples"]["irs_base_station"] = f["samples"]["irs_user"].clone(),
        &["samples.irs_base_station", "shape [3, 6, 4]"],
    );
    refused(&|f| f["samples"]["irs_usr"] = json!(1), &["samples.irs_usr", "did you mean `irs_user`"]);
    refused(&|f| f["samples"] = json!({}), &["samples", "no draws"]);
    refused(
        &|f| {
            for part in ["re", "im"] {
                f["samples"]["user_base_station"][part].as_array_mut().unwrap().truncate(1);
            }
        },
        &["samples.user_base_station", "1 draw", "at least 2"],
    );
    refused(
        &|f| f["samples"].as_object_mut().unwrap().retain(|k, _| k != "irs_user"),
        &["instance.fading_user_irs", "no such key"],
    );
    refused(&|f| f["instance"]["irs_array"]["rows"] = json!(0), &["instance.irs_array.rows"]);
    refused(&|f| f["instance"]["rows"] = json!(0), &["instance.rows"]);
    refused(&|f| f["format"] = json!("isacopt-instance/1"), &["format", "isacopt-samples/1"]);
    refused(&|f| f["scenario"] = json!("monostatic"), &["scenario", "irs_massive_mimo"]);
    refused(&|f| f["scenario"] = json!("monostat"), &["scenario", "did you mean"]);
    let missing = isacopt_in(folder.path(), ["fit", "none.json"]).refusal();
    assert!(missing.contains("none.json"), "{missing}");
}
