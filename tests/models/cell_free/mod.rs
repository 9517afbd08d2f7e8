//! Cell-free instances for the tests: the stored cases, and random ones.

use std::sync::Arc;

use isacopt::scenarios::cell_free::{
    CellFree, CellFreeConfig, Instance, Limits, PilotBook, Reflections, SensingMetric, System,
};
use isacopt::{Design, Problem, ProblemSpec, RandomStream, Scenario, Streams, SystemModel};
use num_complex::Complex;
use serde_json::Value;

/// A stored case.
pub fn case(name: &str) -> Value {
    let path = format!("{}/tests/data/cell_free/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("readable")).expect("JSON")
}

/// The model of a stored case.
pub fn model_of(case: &Value) -> Arc<CellFree> {
    Arc::new(CellFree::new(Instance::from_json(&case["instance"]).expect("a valid instance")))
}

/// Which pilots a random system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pilots {
    Orthogonal,
    Reused,
    Overlapping,
}

/// A random system: sizes, arrays, pilots, gains of equal or random phases and sizes, noises.
pub fn instance(seed: u64, pilots: Pilots, phases: bool) -> Instance {
    let stream = &mut RandomStream::keyed(seed, "cell-free test", "", 0, 0);
    let mut whole = |from: usize, to: usize| from + (stream.uniform() * (to - from + 1) as f64) as usize;
    let (users, access_points) = (whole(2, 4), whole(2, 6));
    let (transmit_antennas, receive_antennas) = (whole(1, 5), whole(1, 6));
    let length = if pilots == Pilots::Orthogonal { users } else { users.div_ceil(2) };
    let config = CellFreeConfig {
        access_points,
        users,
        transmit_antennas,
        receive_antennas: receive_antennas.max(2),
        pilot_length: length as u64,
        pilot_book: if pilots == Pilots::Overlapping { PilotBook::Random } else { PilotBook::Orthogonal },
        shadowing: 5.0,
        user_weights: Some((0..users).map(|k| [1.0, 0.4, 2.0, 1.3][k]).collect()),
        ..CellFreeConfig::default()
    };
    let model = config.draw(&Streams::new(seed, "cell_free", 0)).expect("drawn");
    let mut instance = Instance::from_json(&model.instance()).expect("its own instance");
    let stream = &mut RandomStream::keyed(seed, "cell-free gains", "", 0, 0);
    instance.pilot_power = 10f64.powf(1.0 + 2.0 * stream.uniform());
    instance.communication_noise_power = 0.5 + stream.uniform();
    instance.sensing_noise_power = 0.5 + stream.uniform();
    instance.crlb_limit = vec![f64::INFINITY; access_points];
    if phases {
        let gain = |_| Complex::from_polar(0.01 * (0.5 + stream.uniform()), 6.3 * stream.uniform());
        instance.target_reflection = Reflections::Each((0..access_points * access_points).map(gain).collect());
    }
    instance
}

/// Limits the CRLBs such that meeting them takes about a share of the budget.
pub fn limit(instance: &mut Instance, share: f64, metric: SensingMetric) {
    let system = System::new(instance.clone());
    let each = share * instance.transmit_power / instance.access_points() as f64;
    let stream = &mut RandomStream::keyed(instance.access_points() as u64, "cell-free limits", "", 0, 0);
    instance.sensing_metric = metric;
    instance.crlb_limit = (0..instance.access_points())
        .map(|l| {
            let best = system.sensing.by_communication[l].max(system.sensing.by_sensing[l]);
            let spread = 0.6 + 0.8 * stream.uniform();
            1.0 / (best * each * spread)
        })
        .collect();
}

/// A problem on an instance: its own limits, another objective.
pub fn problem(instance: &Instance, objective: &str) -> Arc<Problem> {
    let model = Arc::new(CellFree::new(instance.clone()));
    let spec = ProblemSpec::new(objective, model.default_problem().constraints);
    Problem::new(model, spec).expect("a problem")
}

/// The limits of a problem as its structure knows them.
pub fn limits(problem: &Problem, system: &System) -> Limits {
    Limits::of(problem.spec(), system).expect("known limits")
}

/// A random design with all powers above 0.
pub fn design(instance: &Instance, seed: u64) -> Design {
    let stream = &mut RandomStream::keyed(seed, "cell-free design", "", 0, 0);
    let count = 2 * instance.users() * instance.access_points();
    let mut design = Design::new((0..count).map(|_| 0.05 + stream.uniform().powi(2)).collect());
    let sum: f64 = design.iter().sum();
    design.iter_mut().for_each(|p| *p *= instance.transmit_power / sum);
    design
}
