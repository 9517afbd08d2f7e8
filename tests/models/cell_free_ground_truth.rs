//! The closed forms of the cell-free system hold against its raw signals: rates, powers and channel estimates against
//! Monte-Carlo, bounds against numerical Fisher information; and the formulas as they are printed do not.

use std::sync::Arc;

use crate::cell_free::{Pilots, design, instance};
use crate::chance::bonferroni;
use isacopt::runner::validation::validate;
use isacopt::scenarios::cell_free::simulation::RawSystem;
use isacopt::scenarios::cell_free::{CellFree, Instance, Sensing, System, echo};
use isacopt::simulation::{Draws, draw};
use isacopt::{Design, MetricSet, MetricValues, Problem, SystemModel};
use num_complex::Complex;

fn values(model: &CellFree, design: &Design) -> MetricValues {
    let mut values = MetricValues::new(model.metrics());
    let all = MetricSet::first(model.metrics().len());
    model.evaluate(design, all, &mut model.workspace(), &mut values).unwrap();
    values
}

fn index(model: &CellFree, id: &str) -> usize {
    model.metrics().iter().position(|m| m.id == id).unwrap()
}

#[test]
fn closed_forms_agree_with_monte_carlo_for_any_pilots() {
    let mut scores = Vec::new();
    // One score a system is independent of all others: their squares have mean 1.
    let mut single = Vec::new();
    for seed in 0..24 {
        let pilots = [Pilots::Orthogonal, Pilots::Reused, Pilots::Overlapping][seed as usize % 3];
        let instance = instance(seed, pilots, false);
        let model: Arc<dyn SystemModel> = Arc::new(CellFree::new(instance.clone()));
        let problem = Problem::new(Arc::clone(&model), model.default_problem()).unwrap();
        let draws = Draws { count: 4096, seed, threads: 0 };
        let validation = validate(&problem, &design(&instance, seed), draws, &mut |_| true).unwrap();
        let user = seed as usize % instance.users();
        for figure in &validation.simulated {
            let z = figure.z_score.unwrap_or_else(|| panic!("system {seed}: {figure:?}"));
            scores.push(z.abs());
            if figure.name == format!("sinr[{user}]") {
                single.push(z * z);
            }
        }
        assert!(validation.bounds.iter().all(|b| b.verdict == isacopt::runner::validation::Verdict::Agrees));
    }
    let largest = scores.iter().copied().fold(0.0, f64::max);
    assert!(scores.len() > 500 && largest < bonferroni(scores.len()), "{largest} of {}", scores.len());
    let mean = single.iter().sum::<f64>() / single.len() as f64;
    // Chi-square with 24 degrees of freedom leaves this with a chance below 1e-3.
    assert!((0.35..2.2).contains(&mean), "mean z² {mean}");
}

/// Theorem 1 as printed has no coherent interference of shared pilots: Monte-Carlo tells the difference.
#[test]
fn the_printed_rates_are_wrong_under_pilot_reuse() {
    let mut worst: f64 = 0.0;
    for seed in 0..6 {
        let instance = instance(seed, Pilots::Reused, false);
        let system = System::new(instance.clone());
        let design = design(&instance, seed);
        let users = system.users.as_printed();
        let pairs = design.len() / 2;
        let total: Vec<f64> = (0..instance.access_points())
            .map(|l| design.iter().skip(l).step_by(instance.access_points()).sum())
            .collect();
        let (mut x, mut i) = (vec![0.0; instance.users()], vec![0.0; instance.users()]);
        users.desired_and_interference(&design[..pairs], &total, &mut x, &mut i);
        let factory = RawSystem::new(&instance, &design).unwrap().factory();
        let moments = draw(&factory, "cell_free", Draws { count: 4096, seed, threads: 0 }, &mut |_| true).unwrap();
        let mut figures = vec![0.0; 4096];
        factory().estimate(moments.mean(), &mut figures);
        for k in 0..instance.users() {
            worst = worst.max(x[k] * x[k] / i[k] / figures[k]);
        }
    }
    assert!(worst > 1.15, "{worst}");
}

/// All three CRLBs against the Fisher information of the raw echoes: N_t != N_r, gains of any phases and sizes.
#[test]
fn crlbs_agree_with_numerical_fisher_information() {
    for seed in 0..10 {
        let instance = instance(100 + seed, Pilots::Orthogonal, seed % 2 == 0);
        let model = CellFree::new(instance.clone());
        let design = design(&instance, seed);
        let values = values(&model, &design);
        let waveforms = Arc::new(echo::average_waveforms(&instance, &design));
        let compare = |knowledge, id: &str| {
            let signal = echo::echo_signal(&instance, &waveforms, knowledge);
            let bounds = signal.information().bounds();
            for (unknown, bound) in signal.unknowns.iter().zip(bounds) {
                let Some((metric, entry)) = unknown.bounded_by else { continue };
                assert_eq!(metric, id);
                let value = values.get(index(&model, id))[entry];
                let error = (value / bound - 1.0).abs();
                assert!(error < 1e-7, "system {seed}, {knowledge:?}: {value} for {bound}");
            }
        };
        for p in 0..instance.access_points() {
            compare(echo::Knowledge::Own(p), "crlb");
            compare(echo::Knowledge::Multistatic(p), "crlb_multistatic");
            if instance.transmit_antennas > 1 {
                // A single antenna has no angle of departure that could be told.
                compare(echo::Knowledge::MultistaticAngles(p), "crlb_multistatic");
            }
        }
        if instance.access_points() <= 4 {
            compare(echo::Knowledge::Joint, "crlb_joint");
        }
    }
}

/// The cross product that (18) leaves out, and the conjugate that appendix B leaves out, are not small.
#[test]
fn own_illumination_alone_is_neither_an_upper_nor_a_lower_bound() {
    let mut instance = instance(3, Pilots::Orthogonal, false);
    let (users, access_points) = (instance.users(), instance.access_points());
    let ratio = |instance: &Instance| {
        let sensing = Sensing::new(instance);
        let (communication, mut multistatic) = (vec![1.0; access_points], vec![0.0; access_points]);
        let beams = vec![100.0; users * access_points];
        sensing.multistatic(&communication, &beams, &mut multistatic);
        multistatic[0] / sensing.own(0, 1.0, 100.0 * users as f64)
    };
    let aligned = ratio(&instance);
    assert!(aligned < 0.5, "{aligned}");
    let mut gains = vec![Complex::new(0.0, 0.0); access_points * access_points];
    gains[0] = Complex::new(0.01, 0.0);
    gains[access_points] = Complex::new(-0.01, 0.0);
    instance.target_reflection = isacopt::scenarios::cell_free::Reflections::Each(gains);
    assert!(ratio(&instance) > 1.9);
}

/// The waveform behind the Fisher information has the covariance of what is really sent, across access points, too.
#[test]
fn sensing_beams_add_up_across_access_points_and_streams() {
    // The same powers in other streams: equal profiles illuminate more than disjoint ones.
    let instance = instance(5, Pilots::Orthogonal, false);
    let (users, access_points) = (instance.users(), instance.access_points());
    let sensing = Sensing::new(&instance);
    let communication = vec![1.0; access_points];
    let illuminated = |beams: &[f64]| {
        let mut all = 0.0;
        sensing.illumination(&communication, beams, |p, s| all += if p == 0 { s } else { 0.0 });
        all
    };
    let equal = vec![1.0; users * access_points];
    let mut apart = vec![0.0; users * access_points];
    (0..access_points).for_each(|l| apart[(l % users) * access_points + l] = users as f64);
    assert!(illuminated(&equal) > illuminated(&apart));
}

#[test]
fn hopeless_angles_have_infinite_bounds_and_silence_has_no_rate() {
    let mut instance = instance(1, Pilots::Orthogonal, false);
    instance.target_direction[0] = std::f64::consts::FRAC_PI_2;
    let model = CellFree::new(instance.clone());
    let values_at = values(&model, &design(&instance, 1));
    for id in ["crlb", "crlb_multistatic", "crlb_joint"] {
        assert_eq!(values_at.get(index(&model, id))[0], f64::INFINITY, "{id}");
        assert!(values_at.get(index(&model, id))[1].is_finite(), "{id}");
    }
    let silent = values(&model, &Design::zeros(model.space()));
    assert_eq!(silent.scalar(index(&model, "sum_rate")), 0.0);
    assert_eq!(silent.get(index(&model, "crlb"))[1], f64::INFINITY);
    // A single receive antenna hears no angle of arrival: the beam tells nothing, streams do.
    instance.receive_antennas = 1;
    instance.transmit_antennas = 4;
    let sensing = Sensing::new(&instance);
    assert_eq!(sensing.own(1, 0.0, 100.0), f64::INFINITY);
    assert!(sensing.own(1, 100.0, 0.0).is_finite());
}
