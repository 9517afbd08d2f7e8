//! The laws that the paper states (001, Remarks 2 to 5), over random systems; and that Remark 2 fails under pilot reuse.

use crate::monostatic;
use std::f64::consts::PI;
use std::sync::Arc;

use isacopt::scenarios::monostatic::{Array, Instance, Monostatic, Pointing, Precoder};
use isacopt::{Design, MetricSet, MetricValues, SystemModel};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;

/// Random systems whose beam points at the target; distinct pilots unless `reuse`.
fn systems(reuse: bool) -> impl Strategy<Value = Instance> {
    monostatic::instances().prop_map(move |mut instance| {
        let users = instance.users();
        if !reuse {
            instance.pilot_index = (0..users as u64).collect();
        }
        instance.sensing_beam_direction = None;
        instance
    })
}

/// A system with a square transmit array.
fn square(instance: &Instance, side: usize) -> Arc<dyn SystemModel> {
    let transmit_array = Array { horizontal: side, vertical: side };
    Arc::new(Monostatic::new(Instance { transmit_array, ..instance.clone() }))
}

/// Equal power control, half of the power for sensing (23).
fn equal_power(model: &dyn SystemModel) -> Design {
    let baselines = model.baselines();
    let scheme = baselines.iter().find(|b| b.named().name == "equal_power").expect("EqualC&S");
    scheme.design(&model.default_problem(), &json!({})).expect("a design")
}

fn metric(model: &dyn SystemModel, design: &Design, name: &str) -> Vec<f64> {
    let mut values = MetricValues::new(model.metrics());
    let all = MetricSet::first(model.metrics().len());
    model.evaluate(design, all, &mut model.workspace(), &mut values).expect("evaluates");
    values.get(model.metrics().iter().position(|m| m.id == name).expect(name)).to_vec()
}

fn crlbs(model: &dyn SystemModel, design: &Design) -> [f64; 2] {
    ["crlb_azimuth", "crlb_elevation"].map(|name| metric(model, design, name)[0])
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs()
}

/// What an array's phases do at a direction, entry by entry: squared norms of the derivatives of its steering vector by
/// azimuth and elevation, and their inner product. Element (m, n), counted from the middle, has the phase
/// `pi (m sin(theta) sin(phi) + n cos(phi))`.
fn derivatives(array: Array, direction: Pointing) -> [f64; 3] {
    let (theta, phi) = (direction.azimuth, direction.elevation);
    let mut sums = [0.0; 3];
    for m in 0..array.horizontal {
        for n in 0..array.vertical {
            let m = m as f64 - 0.5 * (array.horizontal as f64 - 1.0);
            let n = n as f64 - 0.5 * (array.vertical as f64 - 1.0);
            let by_theta = PI * m * theta.cos() * phi.sin();
            let by_phi = PI * (m * theta.sin() * phi.cos() - n * phi.sin());
            sums[0] += by_theta * by_theta;
            sums[1] += by_phi * by_phi;
            sums[2] += by_theta * by_phi;
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    /// Remark 2: with equal powers and distinct pilots the SINRs grow with the array without end, as N_t under MRT
    /// and as N_t - K under ZF; sensing does not keep them down.
    #[test]
    fn without_reuse_large_arrays_are_free_of_interference(instance in systems(false)) {
        let users = instance.users() as f64;
        let power = instance.transmit_power;
        let sinr = |side: usize| {
            let model = square(&instance, side);
            metric(model.as_ref(), &equal_power(model.as_ref()), "sinr")
        };
        let model = square(&instance, 8);
        let xi = metric(model.as_ref(), &equal_power(model.as_ref()), "channel_estimate_variance");
        let (small, large, endless) = (sinr(8), sinr(32), sinr(1 << 15));
        for k in 0..xi.len() {
            let beta = instance.large_scale_fading[k];
            // (24) with its slip mended, and (25).
            let (gain, growth, expected) = match instance.precoder {
                Precoder::Mrt => {
                    let shared = 2.0 * (beta * power + 1.0) * xi.iter().sum::<f64>();
                    (64.0, 16.0, 64.0 * xi[k] * xi[k] * power / shared)
                }
                Precoder::Zf => {
                    let error = beta - xi[k];
                    let shared = ((beta + error) * power + 2.0) * xi.iter().map(|x| 1.0 / x).sum::<f64>();
                    (64.0 - users, (1024.0 - users) / (64.0 - users), (64.0 - users) * power / shared)
                }
            };
            prop_assert!(gain > 0.0 && close(small[k], expected, 1e-9), "{} {expected}", small[k]);
            prop_assert!(close(large[k], growth * small[k], 1e-9), "{} {}", large[k], small[k]);
            prop_assert!(endless[k] > 1e6 * small[k]);
        }
    }

    /// Remark 2 fails where a pilot is shared: the others' coherent interference grows with the array, too, and no
    /// array takes a SINR above the ratio of the powers.
    #[test]
    fn under_reuse_the_interference_stays(instance in systems(true)) {
        let shares = |k: usize, j: usize| k != j && instance.pilot_index[k] == instance.pilot_index[j];
        let users = instance.users();
        prop_assume!((0..users).any(|k| (0..users).any(|j| shares(k, j))));
        let model = square(&instance, 1 << 15);
        let design = equal_power(model.as_ref());
        let sinr = metric(model.as_ref(), &design, "sinr");
        let small = square(&instance, 8);
        let before = metric(small.as_ref(), &equal_power(small.as_ref()), "sinr");
        for k in 0..users {
            let others: f64 = (0..users).filter(|j| shares(k, *j)).map(|j| design[j]).sum();
            if others > 0.0 {
                let limit = design[k] / others;
                prop_assert!(sinr[k] < limit && before[k] < limit, "{} {limit}", sinr[k]);
                // With a billion antennas nothing but pilot contamination is left.
                let noise = instance.transmit_power * instance.large_scale_fading[k] + 1.0;
                let gain = f64::from(1u32 << 30) * metric(model.as_ref(), &design, "channel_estimate_variance")[k];
                prop_assert!(close(sinr[k], limit, 2.0 * noise / (gain * others)), "{} {limit}", sinr[k]);
            } else {
                prop_assert!(sinr[k] > 1e6 * before[k]);
            }
        }
    }

    /// Remark 3: the CRLBs of an aligned beam are (46) and (47), with the derivatives of the steering vectors summed
    /// entry by entry in place of the printed (49) and (51).
    #[test]
    fn crlbs_of_an_aligned_beam_have_the_closed_form(instance in systems(true), share in 0.0..1.0f64) {
        let model = Monostatic::new(instance.clone());
        let (s, q) = ((1.0 - share) * instance.transmit_power, share * instance.transmit_power);
        let users = instance.users();
        let design = Design::new(vec![s / users as f64; users].into_iter().chain([q]).collect());
        let (nt, nr) = (instance.transmit_array.len() as f64, instance.receive_array.len() as f64);
        let a = derivatives(instance.transmit_array, instance.target_direction);
        let b = derivatives(instance.receive_array, instance.target_direction);
        let kappa = 2.0 * instance.frame_length as f64 / instance.sensing_noise_power;
        let scale = kappa * instance.target_reflection.norm_sqr();
        // s / N_t = xi' gamma and q / N_t = rho.
        let j: Vec<f64> = a.iter().zip(&b).map(|(a, b)| scale * (s / nt * (nr * a + nt * b) + q * nt * b)).collect();
        let own = |i: usize| j[i] - if j[2] == 0.0 { 0.0 } else { j[2] * j[2] / j[1 - i] };
        prop_assume!((0..2).all(|i| own(i) > 1e-7 * j[i]));
        let got = crlbs(&model, &design);
        for (i, got) in got.into_iter().enumerate() {
            prop_assert!(close(got, 1.0 / own(i), 1e-7), "{i}: {got} {}", 1.0 / own(i));
        }
    }

    /// Remark 4: the CRLBs know only how much power is for users and how much for sensing; neither who gets it, nor the
    /// precoder, the fading or the pilots.
    #[test]
    fn crlbs_depend_on_the_split_alone(instance in monostatic::instances(), seed in 0u64..1000) {
        let (model, receivers) = (Monostatic::new(instance.clone()), instance.receive_array.len());
        let mut stream = isacopt::RandomStream::keyed(seed, "test", "", 0, 0);
        let first = model.space().random(&mut stream);
        let mut second = model.space().random(&mut stream);
        let users = instance.users();
        let total = |design: &Design| design[..users].iter().sum::<f64>();
        let factor = total(&first) / total(&second);
        second[..users].iter_mut().for_each(|p| *p *= factor);
        second[users] = first[users];
        let other = Instance {
            precoder: match instance.precoder { Precoder::Mrt => Precoder::Zf, Precoder::Zf => Precoder::Mrt },
            large_scale_fading: instance.large_scale_fading.iter().map(|b| 0.3 * b).collect(),
            pilot_index: vec![0; users],
            ..instance
        };
        let (a, b) = (crlbs(&model, &first), crlbs(&model, &second));
        let c = crlbs(&Monostatic::new(other), &second);
        for i in 0..2 {
            let same = |x: f64| x == a[i] || close(x, a[i], 1e-9);
            prop_assert!(same(b[i]) && same(c[i]), "{a:?} {b:?} {c:?}");
        }
        // Another split has other CRLBs; but one antenna hears nothing of the angles in the echo of an aligned beam.
        prop_assume!(receivers > 1);
        second[users] *= 1.5;
        let d = crlbs(&model, &second);
        prop_assert!(a[0].is_infinite() || !close(d[0], a[0], 1e-9) || !close(d[1], a[1], 1e-9), "{a:?} {d:?}");
    }

    /// Remark 5: with a square array and equal powers both CRLBs fall to 0 as the array grows, in the end as 1 / N_t.
    #[test]
    fn crlbs_fall_to_zero_with_the_array(instance in systems(true)) {
        let at = |side: usize| {
            let model = square(&instance, side);
            crlbs(model.as_ref(), &equal_power(model.as_ref()))
        };
        let along: Vec<[f64; 2]> = (2..15).map(|exponent| at(1 << exponent)).collect();
        for i in 0..2 {
            prop_assert!(along.windows(2).all(|pair| pair[1][i] < pair[0][i]), "{along:?}");
            let [.., before, last] = along.as_slice() else { unreachable!() };
            prop_assert!(close(last[i], 0.25 * before[i], 1e-3), "{} {}", last[i], before[i]);
            prop_assert!(last[i] < 1e-5 * along[0][i]);
        }
    }
}
