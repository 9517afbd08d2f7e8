//! The `[[figure]]` sections of a run's config as states of the page's figures: what each of its controls shows.
//!
//! ```text
//! [{kind, name, title, state: {control: value}, solvers: [index], labels: {index: text}, spread, x: {label, range}, y}]
//! ```

use serde_json::{Map, Value, json};

use super::benchmark::nearest_target;
use super::figure::{Vocabulary, find};
use super::shown::Shown;
use super::study::Study;
use super::swept::text;
use crate::config::{FigureConfig, FigureKind};

/// The figures that the config asks for, as far as the run has what they name.
pub fn presets(study: &Study, shown: &Shown, figures: &[FigureConfig]) -> Value {
    let known = Vocabulary::of_study(study);
    figures.iter().filter(|f| known.mistakes(f).is_empty()).map(|f| preset(study, shown, f)).collect()
}

fn preset(study: &Study, shown: &Shown, figure: &FigureConfig) -> Value {
    let place = |label: &String| study.solvers.iter().position(|(l, _)| l == label);
    let labels = figure.labels.iter().filter_map(|(label, name)| Some((place(label)?.to_string(), json!(name))));
    json!({
        "kind": figure.kind.name(),
        "name": figure.name,
        "title": figure.title,
        "state": state(study, shown, figure),
        "solvers": figure.solvers.iter().filter_map(place).collect::<Vec<_>>(),
        "labels": labels.collect::<Map<String, Value>>(),
        "spread": figure.spread,
        "x": { "label": figure.x_label, "range": figure.x_range },
        "y": { "label": figure.y_label, "range": figure.y_range },
    })
}

fn state(study: &Study, shown: &Shown, figure: &FigureConfig) -> Map<String, Value> {
    let mut state = Map::new();
    let mut set = |control: &str, value: Option<Value>| {
        state.extend(value.map(|value| (control.to_string(), value)));
    };
    let quantity = |name: &Option<String>| {
        let found = match name.as_deref()? {
            "objective" => study.objective_quantity()?,
            name => find(&study.quantities, name)?,
        };
        study.quantities.iter().position(|q| q == found).map(|i| json!(i.to_string()))
    };
    let words = |text: &Option<String>| text.clone().map(Value::from);
    let log = |scale: &Option<String>| scale.as_ref().map(|s| json!(s == "log"));
    match figure.kind {
        FigureKind::Convergence => {
            let gap = figure.metric.as_deref() == Some("gap");
            set("show", Some(json!(if gap { "gap" } else { "objective" })));
            set("effort", words(&figure.against));
            set("logx", log(&figure.x_scale));
            set("logy", log(&figure.y_scale).or(gap.then_some(json!(true))));
            set("scale", words(&figure.y_scale).filter(|s| !gap && s != "log"));
        }
        FigureKind::Sweep => {
            set("metric", quantity(&figure.metric));
            set("scale", words(&figure.y_scale));
            set("logx", log(&figure.x_scale));
        }
        FigureKind::Tradeoff => {
            set("mx", quantity(&figure.x));
            set("my", quantity(&figure.y));
            set("sx", words(&figure.x_scale));
            set("sy", words(&figure.y_scale));
        }
        FigureKind::Cdf => {
            set("metric", quantity(&figure.metric));
            set("scale", words(&figure.x_scale));
        }
        FigureKind::Effort => {}
        kind => {
            set("show", Some(json!(kind.name())));
            set("effort", words(&figure.against));
            set("target", figure.target.map(|gap| json!(nearest_target(gap).to_string())));
            set("reference", words(&figure.reference));
        }
    }
    for control in ["reduction", "rx", "ry"] {
        set(control, words(&figure.reduction));
    }
    set("statistic", words(&figure.statistic));
    let mut place = study.cells.first().map(|_| study.cells[study.usual_cell()].place.clone()).unwrap_or_default();
    for (a, axis) in study.axes.iter().enumerate() {
        for (k, key) in axis.keys.iter().enumerate() {
            if figure.against.as_ref() == Some(&key.key) {
                set("key", Some(json!(format!("{a}/{k}"))));
            }
            let chosen = figure.at.iter().find(|(name, _)| *name == key.key);
            if let Some(point) = chosen.and_then(|(_, value)| key.values.iter().position(|v| *v == text(value))) {
                set(&format!("place{a}"), shown.point(a, point).map(|point| json!(point.to_string())));
                place[a] = point;
            }
        }
    }
    if figure.kind == FigureKind::Effort && figure.at.len() >= study.axes.len() {
        set(
            "cell",
            study.cells.iter().position(|c| c.place == place).and_then(|c| shown.cell(c)).map(|c| json!(c.to_string())),
        );
    }
    state
}
