//! Monostatic instances for the tests: the stored cases, and random ones.

use isacopt::scenarios::monostatic::{Array, Instance, Pointing, Precoder};
use num_complex::Complex;
use proptest::prelude::*;
use serde_json::Value;

/// The stored cases by file name.
pub fn cases() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/monostatic");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("tests/data/monostatic")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("readable");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str::<Value>(&text).expect("JSON"))
        })
        .filter(|(_, case)| case["expected"].get("input_error").is_none())
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!cases.is_empty());
    cases
}

/// The instance of a stored case.
pub fn instance_of(case: &Value) -> Instance {
    Instance::from_json(&case["instance"]).expect("a valid instance")
}

/// Random instances: both precoders, odd arrays, shared pilots, misaligned beams, limits that often bind.
pub fn instances() -> impl Strategy<Value = Instance> {
    let geometry = (
        prop_oneof![Just(Precoder::Mrt), Just(Precoder::Zf)],
        (3usize..9, 3usize..9, 1usize..7, 1usize..7),
        (0.05..1.5f64, 0.1..1.5f64),
        prop_oneof![Just(None), (-0.2..0.2f64, -0.2..0.2f64).prop_map(Some)],
    );
    let users = (1usize..8, 1u64..8).prop_flat_map(|(users, pilots)| {
        (
            proptest::collection::vec(-3.0..0.5f64, users),
            proptest::collection::vec(0..pilots, users),
            prop_oneof![Just(None), proptest::collection::vec(0.0..2.0f64, users).prop_map(Some)],
        )
    });
    let powers = (0.0..2.5f64, 0.0..3.5f64, -4.5..-2.0f64, -4.5..-2.0f64, -2.0..0.0f64);
    (geometry, users, powers).prop_map(|(geometry, (fading, pilot_index, user_weights), powers)| {
        let (precoder, (h, v, rh, rv), (azimuth, elevation), offset) = geometry;
        let (transmit_power, pilot_power, azimuth_limit, elevation_limit, reflection) = powers;
        Instance {
            precoder,
            transmit_array: Array { horizontal: h, vertical: v },
            receive_array: Array { horizontal: rh, vertical: rv },
            large_scale_fading: fading.into_iter().map(|x| 10f64.powf(x)).collect(),
            pilot_index,
            pilot_length: 8,
            coherence_length: 100,
            frame_length: 30,
            pilot_power: 10f64.powf(pilot_power),
            communication_noise_power: 1.0,
            sensing_noise_power: 0.7,
            target_reflection: Complex::from_polar(10f64.powf(reflection), 0.9),
            target_direction: Pointing { azimuth, elevation },
            sensing_beam_direction: offset.map(|(a, e)| Pointing { azimuth: azimuth + a, elevation: elevation + e }),
            transmit_power: 10f64.powf(transmit_power),
            crlb_azimuth_limit: Some(10f64.powf(azimuth_limit)),
            crlb_elevation_limit: Some(10f64.powf(elevation_limit)),
            user_weights,
        }
    })
}
