//! What the store adds to a run: its record, time and trace made into lines and appended.

use criterion::{Criterion, criterion_group, criterion_main};
use isacopt::results::{RunRecord, Timing};
use isacopt::runner::Store;
use isacopt::{RandomStream, Record};
use serde_json::json;

/// A result as the default systems leave it: three vectors of 12 users, ten scalars, a design of 24 numbers.
fn record(index: u64) -> RunRecord {
    let mut random = RandomStream::keyed(1, "bench", "store", 0, index);
    let mut numbers = |count: usize| (0..count).map(|_| random.normal()).collect::<Vec<_>>();
    let mut metrics = serde_json::Map::new();
    for i in 0..13 {
        let value = if i < 3 { json!(numbers(12)) } else { json!(numbers(1)[0]) };
        metrics.insert(format!("metric_{i}"), json!({ "value": value, "unit": "bit/s/Hz" }));
    }
    serde_json::from_value(json!({
        "run": format!("{index:016x}"), "cell": 0, "sweep": { "scenario.transmit_power": "10 dB" }, "trial": index,
        "solver": "equal_communication", "type": "equal_communication", "status": "converged", "reason": "closed form",
        "objective": { "metric": "sum_rate", "value": numbers(1)[0], "direction": "maximize", "unit": "bit/s/Hz" },
        "feasible": true, "violation": 0.0, "bound": numbers(1)[0], "gap": numbers(1)[0], "iterations": 1,
        "evaluations": 1, "metrics": metrics, "design": { "power": numbers(24) },
    }))
    .expect("a record")
}

fn append(bench: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Store::open(&folder.path().join("run")).expect("a store").writer().expect("a writer");
    let at = |iteration| Record {
        iteration,
        evaluations: iteration,
        time: 1e-6,
        objective: 0.1,
        violation: 0.0,
        bound: None,
    };
    let trace = [at(0), at(1)];
    let records: Vec<RunRecord> = (0..100).map(record).collect();
    let mut next = 0;
    bench.bench_function("store/append", |b| {
        b.iter(|| {
            let record = &records[next % records.len()];
            next += 1;
            let timing = Timing { run: record.run.clone(), time_s: 1e-6, ..Timing::default() };
            writer.append(record, &timing, &trace).expect("appended");
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = append
}
criterion_main!(benches);
