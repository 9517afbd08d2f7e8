//! Run folders made up for tests of reports: they look like a sum-rate study, and nothing in them was computed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use isacopt::RandomStream;
use isacopt::metric::Direction;
use isacopt::results::{ObjectiveValue, RunRecord, Timing};
use isacopt::trace::{Record, Status};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What to make up.
#[derive(Clone)]
pub struct Made {
    pub name: String,
    /// Label, type, final gap, seconds, iterations.
    pub solvers: Vec<(String, &'static str, f64, f64, u64)>,
    /// The swept keys and values of each cell.
    pub sweeps: Vec<Map<String, Value>>,
    pub trials: u64,
    pub users: usize,
    /// Whether results hold proven bounds.
    pub bounds: bool,
    /// Further sections of the config.
    pub sections: String,
    /// Whether the rates were simulated and the azimuth estimated.
    pub monte_carlo: bool,
    /// Whether the iterations are there.
    pub traces: bool,
    /// Which solver ends feasible in which cell and trial.
    pub feasible: fn(solver: usize, cell: usize, trial: u64) -> bool,
}

impl Made {
    /// Five solvers over transmit powers, ten drops each.
    pub fn usual() -> Self {
        let powers = ["-10 dB", "0 dB", "10 dB", "20 dB", "30 dB"];
        Self {
            name: "monostatic: sum rate against SNR".into(),
            solvers: vec![
                ("exact".into(), "exact", 0.0, 8e-6, 1),
                ("SCA".into(), "sca", 3e-5, 3e-3, 15),
                ("majorization-minimization".into(), "majorization_minimization", 2e-5, 9e-5, 40),
                ("CMA-ES".into(), "global_search", 2e-3, 0.4, 600),
                ("equal power".into(), "equal_power", 0.3, 2e-6, 1),
            ],
            sweeps: powers.iter().map(|p| one("scenario.transmit_power", *p)).collect(),
            trials: 10,
            users: 12,
            bounds: true,
            sections: String::new(),
            monte_carlo: false,
            traces: true,
            feasible: |solver, cell, trial| !(solver == 4 && cell == 0) && (solver != 3 || trial != 7),
        }
    }

    /// Writes the run folder.
    pub fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder.join("traces")).unwrap();
        let solvers: Vec<String> = self
            .solvers
            .iter()
            .map(|(label, kind, ..)| format!("[[solver]]\ntype = \"{kind}\"\nlabel = {label:?}\n"))
            .collect();
        let config = format!(
            "name = {:?}\n\n[scenario]\ntype = \"monostatic\"\nusers = {}\n\n{}\n[trials]\ncount = {}\nseed = 1\n{}",
            self.name,
            self.users,
            solvers.join("\n"),
            self.trials,
            self.sections
        );
        std::fs::write(folder.join("config.toml"), config).unwrap();
        let environment = json!({
            "version": "0.1.0", "machine": "x86_64 linux, 2 cores", "threads": 2, "date": "2026-11-22T12:00:00Z",
            "metrics": [
                {"id": "crlb_azimuth", "direction": "minimize", "description": "Lower bound on the azimuth's squared error."},
                {"id": "sum_rate", "direction": "maximize", "description": "The users' rates, added."},
                {"id": "rate", "direction": "maximize"}, {"id": "transmit_power", "direction": "minimize"},
            ],
        });
        std::fs::write(folder.join("environment.json"), environment.to_string()).unwrap();
        let file = |name: &str| BufWriter::new(File::create(folder.join(name)).unwrap());
        let (mut results, mut timings, mut traces) =
            (file("results.jsonl"), file("timings.jsonl"), file("traces/1.jsonl"));
        for (cell, sweep) in self.sweeps.iter().enumerate() {
            for trial in 0..self.trials {
                for solver in 0..self.solvers.len() {
                    let (record, trace) = self.run(cell, sweep, trial, solver);
                    let time_s = trace.last().map_or(self.solvers[solver].3, |r| r.time);
                    let timing = Timing { run: record.run.clone(), time_s, ..Timing::default() };
                    line(&mut results, &record);
                    line(&mut timings, &timing);
                    if self.traces {
                        line(&mut traces, &Iterations { run: &record.run, trace: &trace });
                    }
                }
            }
        }
    }

    fn run(&self, cell: usize, sweep: &Map<String, Value>, trial: u64, solver: usize) -> (RunRecord, Vec<Record>) {
        let (label, kind, gap, seconds, iterations) = self.solvers[solver].clone();
        let mut drop: RandomStream = RandomStream::keyed(1, "drop", "synthetic", 0, trial);
        let mut noise: RandomStream = RandomStream::keyed(2, "run", "synthetic", (100 * cell + solver) as u64, trial);
        let feasible = (self.feasible)(solver, cell, trial);
        let snr = 10f64.powf(cell as f64 - 1.0);
        let gains: Vec<f64> = (0..self.users).map(|_| drop.uniform().powi(2) + 0.02).collect();
        let best: f64 = gains.iter().map(|g| 0.9 * (1.0 + snr * g).log2()).sum();
        let gap = gap * (0.5 + noise.uniform());
        let value = best / (1.0 + gap);
        let rates: Vec<f64> = gains.iter().map(|g| 0.9 * (1.0 + snr * g).log2() * value / best).collect();
        let sinr: Vec<f64> = rates.iter().map(|r| 2f64.powf(r / 0.9) - 1.0).collect();
        let crlb = 10f64.powf(-3.5) * (1.0 + gap) / (1.0 + 0.1 * snr);
        let bound = self.bounds.then_some(best);
        let trace: Vec<Record> = (0..=iterations.min(200))
            .map(|i| {
                let share = i as f64 / iterations.min(200) as f64;
                let left = (1.0 - share) * (-6.0 * share).exp();
                Record {
                    iteration: i * iterations / iterations.min(200),
                    evaluations: 8 * i * iterations / iterations.min(200) + 1,
                    time: seconds * (0.8 + 0.4 * noise.uniform() * 0.01) * share,
                    objective: value - 0.6 * best * left,
                    violation: if feasible { 0.0 } else { 0.3 },
                    bound,
                }
            })
            .collect();
        let mut metrics = json!({
            "sinr": {"value": sinr, "unit": "1"},
            "rate": {"value": rates, "unit": "bit/s/Hz"},
            "sum_rate": {"value": value, "unit": "bit/s/Hz"},
            "transmit_power": {"value": snr, "unit": "1"},
            "crlb_azimuth": {"value": crlb, "unit": "rad²"},
            "crlb_elevation": {"value": if cell == 0 { json!("inf") } else { json!(2.0 * crlb) }, "unit": "rad²"},
        });
        if self.monte_carlo {
            let errors: Vec<f64> = rates.iter().map(|r| 0.02 * r).collect();
            let simulated: Vec<f64> = rates.iter().map(|r| 1.01 * r).collect();
            metrics["rate"]["simulated"] = json!({"value": simulated, "standard_error": errors, "draws": 100});
            metrics["sum_rate"]["simulated"] =
                json!({"value": 1.01 * value, "standard_error": 0.02 * value, "draws": 100});
            let error = |factor: f64| json!({"value": factor * crlb, "standard_error": 0.1 * crlb, "draws": 200});
            metrics["crlb_azimuth"]["estimated"] = json!({"MLE": error(1.1), "grid search": error(3.0)});
        }
        let record = RunRecord {
            run: format!("{cell:04}{trial:04}{solver:04}"),
            cell,
            sweep: sweep.clone(),
            trial,
            instance: None,
            solver: label,
            type_name: kind.into(),
            plugin: None,
            status: match (feasible, gap == 0.0) {
                (false, _) => Status::NoFeasiblePoint,
                (true, true) => Status::Optimal,
                (true, false) => Status::Converged,
            },
            reason: if feasible {
                "the objective moved less than 1e-9".into()
            } else {
                "no design <held> the limits".into()
            },
            objective: ObjectiveValue {
                metric: "sum_rate".into(),
                value,
                direction: Direction::Maximize,
                unit: "bit/s/Hz".into(),
            },
            feasible,
            violation: if feasible { 0.0 } else { 0.3 },
            bound,
            bound_scope: None,
            gap: bound.filter(|_| feasible).map(|b| (value - b).abs() / value),
            iterations,
            evaluations: 8 * iterations + 1,
            metrics: serde_json::from_value(metrics).unwrap(),
            design: Some(json!({"communication_power": gains, "sensing_power": 0.5})),
            certificate: None,
        };
        (record, trace)
    }
}

/// A line of a file of traces.
#[derive(Serialize)]
struct Iterations<'a> {
    run: &'a str,
    trace: &'a [Record],
}

fn line(file: &mut BufWriter<File>, value: &impl Serialize) {
    serde_json::to_writer(&mut *file, value).unwrap();
    file.write_all(b"\n").unwrap();
}

/// The sweep map of a cell with one key.
pub fn one(key: &str, value: impl Into<Value>) -> Map<String, Value> {
    [(key.to_string(), value.into())].into_iter().collect()
}
