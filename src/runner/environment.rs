//! Where and when an experiment ran: what config and seed do not determine.

use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::plan::Plan;
use crate::metric::MetricInfo;

/// The contents of `environment.json`.
pub fn environment(plan: &Plan, threads: usize) -> Value {
    let metric = |m: &MetricInfo| {
        json!({
            "id": m.id, "unit": m.unit, "direction": m.direction, "logarithmic": m.logarithmic,
            "description": m.description, "source": m.source,
        })
    };
    json!({
        "isacopt": env!("CARGO_PKG_VERSION"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "cpu": processor(),
        "clock_resolution_s": super::timing::clock_resolution(),
        "threads": threads,
        "date": humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        "metrics": plan.metrics.iter().map(metric).collect::<Vec<_>>(),
    })
}

/// The processor's own name, where the system tells it.
pub(crate) fn processor() -> Option<&'static str> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    NAME.get_or_init(read).as_deref()
}
