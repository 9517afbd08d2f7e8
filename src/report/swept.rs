//! Swept keys as axes of figures: their values as text, and as numbers where they are numbers of one unit.

use serde_json::{Map, Value};

use crate::math::number_and_unit;

/// Keys that are swept together (zipped), as one axis; a crossed sweep has several.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The keys; any of them can label the axis.
    pub keys: Vec<SweptKey>,
}

impl Axis {
    /// The number of points.
    pub fn len(&self) -> usize {
        self.keys.first().map_or(0, |k| k.values.len())
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of all its keys at a point, in words.
    pub fn text(&self, point: usize) -> String {
        let texts = self.keys.iter().map(|k| format!("{} = {}", k.label, k.values[point]));
        texts.collect::<Vec<_>>().join(", ")
    }
}

/// One swept key along its axis.
#[derive(Clone, Debug, PartialEq)]
pub struct SweptKey {
    /// The key as the config names it.
    pub key: String,
    /// The key as a reader names it.
    pub label: String,
    /// The unit that all values share; empty for none.
    pub unit: String,
    /// The values as written, in sweep order.
    pub values: Vec<String>,
    /// The values as numbers, where all of them are finite numbers of one unit.
    pub numbers: Option<Vec<f64>>,
}

/// The axes of a sweep, and each cell's point on every axis. Keys whose values go together one to one share an axis.
pub fn axes(sweeps: &[&Map<String, Value>]) -> (Vec<Axis>, Vec<Vec<usize>>) {
    let mut keys: Vec<&String> = Vec::new();
    for key in sweeps.iter().flat_map(|s| s.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut found: Vec<(Vec<SweptKey>, Vec<usize>)> = Vec::new();
    for key in keys {
        let mut values: Vec<&Value> = Vec::new();
        let mut points = Vec::new();
        for sweep in sweeps {
            let value = sweep.get(key).unwrap_or(&Value::Null);
            let point = values.iter().position(|v| *v == value).unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            });
            points.push(point);
        }
        let swept = swept_key(key, &values);
        // Points are numbered by first appearance, so keys that go together one to one have equal points.
        match found.iter_mut().find(|(_, other)| *other == points) {
            Some((together, _)) => together.push(swept),
            None => found.push((vec![swept], points)),
        }
    }
    // A key that never changes is no axis, unless it is all there is.
    if found.iter().any(|(k, _)| k[0].values.len() > 1) {
        found.retain(|(k, _)| k[0].values.len() > 1);
    }
    let cells = (0..sweeps.len()).map(|c| found.iter().map(|(_, points)| points[c]).collect()).collect();
    (found.into_iter().map(|(keys, _)| Axis { keys }).collect(), cells)
}

fn swept_key(key: &str, values: &[&Value]) -> SweptKey {
    let numbers: Option<Vec<(f64, String)>> = values.iter().map(|v| number(v)).collect();
    let numbers = numbers.filter(|n| n.iter().all(|(x, unit)| x.is_finite() && *unit == n[0].1));
    let unit = numbers.as_ref().and_then(|n| n.first()).map_or(String::new(), |(_, unit)| unit.clone());
    SweptKey {
        key: key.to_string(),
        label: label(key),
        unit,
        values: values.iter().map(|v| text(v)).collect(),
        numbers: numbers.map(|n| n.into_iter().map(|(x, _)| x).collect()),
    }
}

/// `scenario.transmit_power` becomes `transmit power`, `solver.SCA.start` becomes `start of SCA`.
fn label(key: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    match parts.as_slice() {
        ["solver", solver, rest @ ..] if !rest.is_empty() => format!("{} of {solver}", words(&rest.join(" "))),
        ["scenario" | "problem" | "trials" | "stop", rest @ ..] if !rest.is_empty() => words(&rest.join(" ")),
        _ => words(&parts.join(" ")),
    }
}

/// An identifier in words: underscores as spaces, acronyms in capitals.
pub fn words(id: &str) -> String {
    const ACRONYMS: [&str; 15] =
        ["cpu", "os", "crlb", "sinr", "snr", "irs", "mrt", "zf", "isac", "mse", "rmse", "td", "upa", "ula", "mle"];
    let word = |w: &str| if ACRONYMS.contains(&w) { w.to_uppercase() } else { w.to_string() };
    id.split([' ', '_']).map(word).collect::<Vec<_>>().join(" ")
}

/// A swept value as a reader writes it: array sizes as `15 × 15`.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "default".into(),
        Value::Object(sizes) if !sizes.is_empty() && sizes.values().all(Value::is_u64) => {
            sizes.values().map(Value::to_string).collect::<Vec<_>>().join(" × ")
        }
        other => other.to_string(),
    }
}

fn number(value: &Value) -> Option<(f64, String)> {
    match value {
        Value::Number(n) => Some((n.as_f64()?, String::new())),
        Value::String(text) => number_and_unit(text).map(|(x, unit)| (x, unit.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(sweeps: &[Value]) -> (Vec<Axis>, Vec<Vec<usize>>) {
        axes(&sweeps.iter().map(|s| s.as_object().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn a_crossed_sweep_has_an_axis_a_key_and_a_zipped_one_a_single_axis() {
        let (crossed, cells) = read(&[
            json!({"scenario.transmit_power": "0 dB", "scenario.users": 4}),
            json!({"scenario.transmit_power": "0 dB", "scenario.users": 8}),
            json!({"scenario.transmit_power": "10 dB", "scenario.users": 4}),
        ]);
        assert_eq!(crossed.len(), 2);
        assert_eq!(cells, [[0, 0], [0, 1], [1, 0]]);
        assert_eq!(crossed[0].keys[0].numbers.as_deref(), Some(&[0.0, 10.0][..]));
        assert_eq!((crossed[0].keys[0].unit.as_str(), crossed[0].keys[0].label.as_str()), ("dB", "transmit power"));
        let (zipped, cells) = read(&[json!({"a": 1, "b": "x"}), json!({"a": 2, "b": "y"})]);
        assert_eq!(zipped.len(), 1);
        assert_eq!(zipped[0].text(1), "a = 2, b = y");
        assert_eq!(cells, [[0], [1]]);
    }

    #[test]
    fn values_without_one_unit_are_names() {
        for values in [json!(["zf", "mrt"]), json!(["10 W", "10 dB"]), json!([1, "inf"])] {
            let sweeps: Vec<Value> = values.as_array().unwrap().iter().map(|v| json!({ "k": v })).collect();
            assert_eq!(read(&sweeps).0[0].keys[0].numbers, None, "{values}");
        }
        assert_eq!(text(&json!({"horizontal": 15, "vertical": 5})), "15 × 5");
        assert_eq!(label("solver.my SCA.max_iterations"), "max iterations of my SCA");
    }
}
