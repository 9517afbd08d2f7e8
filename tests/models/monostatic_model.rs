//! The monostatic model gives the reference's figures for given designs, and its CRLBs are those of the full Fisher
//! matrix.

use crate::monostatic;
use isacopt::design::nested_with;
use isacopt::metric::number_json;
use isacopt::scenarios::monostatic::{Monostatic, Precoder, System};
use isacopt::{MetricSet, MetricValues, SystemModel};
use proptest::prelude::*;
use serde_json::{Value, json};

/// `|got - value| <= rtol |value| + atol`, entry by entry; infinities as strings.
fn agrees(got: &Value, expected: &Value) -> bool {
    let number = |v: &Value| isacopt::metric::number_from_json(v).expect("a number");
    let rtol = expected.get("rtol").map_or(0.0, number);
    let atol = expected.get("atol").map_or(0.0, number);
    let close = |g: &Value, e: &Value| {
        let (g, e) = (number(g), number(e));
        g == e || (g - e).abs() <= rtol * e.abs() + atol
    };
    match (&got["value"], &expected["value"]) {
        (Value::Array(g), Value::Array(e)) => g.len() == e.len() && g.iter().zip(e).all(|(g, e)| close(g, e)),
        (g, e) => close(g, e),
    }
}

#[test]
fn given_designs_have_the_expected_metrics() {
    let mut checked = 0;
    for (name, case) in monostatic::cases() {
        let model = Monostatic::new(monostatic::instance_of(&case));
        let mut values = MetricValues::new(model.metrics());
        let mut work = model.workspace();
        for (label, expected) in case["expected"]["designs"].as_object().expect("designs") {
            let (design, _) = model.space().from_json(&case["designs"][label], "designs").expect("a design");
            model
                .evaluate(&design, MetricSet::first(model.metrics().len()), &mut work, &mut values)
                .expect("evaluates");
            for (metric, expected) in expected["metrics"].as_object().expect("metrics") {
                let index = model.metrics().iter().position(|m| &m.id == metric).expect(metric);
                let info = &model.metrics()[index];
                let value = nested_with(values.get(index), &info.shape, &number_json);
                let got = json!({ "value": value, "unit": info.unit });
                assert!(agrees(&got, expected), "{name}, {label}, {metric}: {got} against {expected}");
                checked += 1;
            }
        }
    }
    assert!(checked > 300, "{checked} values");
}

proptest! {
    #[test]
    fn crlbs_are_those_of_the_inverse_fisher_matrix(instance in monostatic::instances(), share in 0.05..0.95f64) {
        let system = System::new(instance);
        let (communication, sensing) = (3.0 * (1.0 - share), 3.0 * share);
        let (by_communication, by_sensing) = system.sensing.fisher();
        let fisher = by_communication * communication + by_sensing * sensing;
        // Scaled to a unit diagonal, so that its condition is that of the geometry and not of the units.
        let scale = fisher.diagonal().map(|x| 1.0 / x.sqrt());
        prop_assume!(scale.iter().all(|x| x.is_finite()));
        let unit = nalgebra::Matrix4::from_diagonal(&scale) * fisher * nalgebra::Matrix4::from_diagonal(&scale);
        let eigen = unit.symmetric_eigenvalues();
        prop_assume!(eigen.min() > 1e-7);
        let inverse = unit.try_inverse().expect("well conditioned");
        let got = system.sensing.crlb(communication, sensing);
        for i in 0..2 {
            let expected = inverse[(i, i)] * scale[i] * scale[i];
            prop_assert!((got[i] - expected).abs() <= 1e-8 * expected, "{} {expected}", got[i]);
        }
    }

    #[test]
    fn rates_are_those_of_the_formula_written_out(instance in monostatic::instances(), seed in 0u64..1000) {
        let model = Monostatic::new(instance.clone());
        let mut stream = isacopt::RandomStream::keyed(seed, "test", "", 0, 0);
        let design = model.space().random(&mut stream);
        let mut values = MetricValues::new(model.metrics());
        model.evaluate(&design, MetricSet::first(13), &mut model.workspace(), &mut values).expect("evaluates");
        let users = instance.users();
        let beta = &instance.large_scale_fading;
        let same = |k: usize, j: usize| instance.pilot_index[k] == instance.pilot_index[j];
        let energy = instance.pilot_length as f64 * instance.pilot_power;
        let noise = instance.communication_noise_power;
        let xi: Vec<f64> = (0..users)
            .map(|k| {
                let sum: f64 = (0..users).filter(|j| same(k, *j)).map(|j| beta[j]).sum();
                energy * beta[k] * beta[k] / (energy * sum + noise)
            })
            .collect();
        let nt = instance.transmit_array.len() as f64;
        let pilots = instance.distinct_pilots() as f64;
        let (power, sensing) = (&design[..users], design[users]);
        for k in 0..users {
            let (gain, leakage) = match instance.precoder {
                Precoder::Mrt => (nt * xi[k], beta[k]),
                Precoder::Zf => ((nt - pilots) * xi[k], beta[k] - xi[k]),
            };
            let mut interference = beta[k] * sensing + noise;
            for (j, other) in power.iter().enumerate() {
                interference += leakage * other;
                if j != k && same(k, j) {
                    interference += gain * other;
                }
            }
            let expected = gain * power[k] / interference;
            let got = values.get(1)[k];
            prop_assert!((got - expected).abs() <= 1e-9 * expected.max(1e-3), "{got} {expected}");
        }
    }
}
