//! The `[problem]` section: another objective than the scenario's, and further limits.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::conic::hermitian::Method;
use crate::error::InputError;
use crate::instance::found;
use crate::math::{Angle, Power, Ratio, SquaredAngle};
use crate::metric::{MetricInfo, number_from_json};
use crate::model::SystemModel;
use crate::problem::{Constraint, Limit, Objective, ProblemSpec};

/// What a config asks of the problem; the scenario's own fills the gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProblemConfig {
    /// What is sought; the scenario's own without it.
    pub objective: Option<Objective>,
    /// Further limits, in the config's order; on the same metric they replace the scenario's.
    pub limits: Vec<LimitConfig>,
    /// Blocks of phases that are held to a grid, and the bits of each.
    pub quantize: BTreeMap<String, u32>,
    /// Which solver takes the model's programs over Hermitian matrices.
    pub conic: Method,
}

/// A limit as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitConfig {
    /// The metric.
    pub metric: String,
    /// Whether it is `at_most`; else `at_least`.
    pub at_most: bool,
    /// A number, a quantity with its unit, or a list of them.
    pub value: Value,
}

impl LimitConfig {
    fn key(&self) -> String {
        let side = if self.at_most { "at_most" } else { "at_least" };
        format!("problem.constraints.{}.{side}", self.metric)
    }
}

impl ProblemConfig {
    /// Reads the section. Mistakes are told with their keys.
    pub fn read(section: Option<&Value>, mistakes: &mut Vec<InputError>) -> Self {
        let mut config = Self::default();
        let Some(section) = section else { return config };
        let Some(table) = section.as_object() else {
            mistakes.push(InputError::new("problem", found(section), "a table"));
            return config;
        };
        for (key, value) in table {
            match (key.as_str(), value) {
                ("objective", Value::String(metric)) => config.objective = Some(Objective::Metric(metric.clone())),
                ("objective", Value::Object(terms)) => {
                    let mut weights = BTreeMap::new();
                    for (metric, weight) in terms {
                        match weight.as_f64() {
                            Some(weight) => _ = weights.insert(metric.clone(), weight),
                            None => mistakes.push(InputError::new(
                                format!("problem.objective.{metric}"),
                                found(weight),
                                "a weight: a finite number",
                            )),
                        }
                    }
                    config.objective = Some(Objective::WeightedSum(weights));
                }
                ("objective", other) => {
                    let allowed = "a metric's name, or a table of weights { metric = weight }";
                    mistakes.push(InputError::new("problem.objective", found(other), allowed));
                }
                ("constraints", Value::Object(constraints)) => {
                    constraints.iter().for_each(|(metric, sides)| config.read_limits(metric, sides, mistakes));
                }
                ("constraints", other) => {
                    let allowed = "a table { metric = { at_least = limit } }";
                    mistakes.push(InputError::new("problem.constraints", found(other), allowed));
                }
                ("quantize", Value::Object(blocks)) => {
                    for (block, bits) in blocks {
                        match bits.as_u64().and_then(|bits| u32::try_from(bits).ok()) {
                            Some(bits) => _ = config.quantize.insert(block.clone(), bits),
                            None => mistakes.push(InputError::new(
                                format!("problem.quantize.{block}"),
                                found(bits),
                                "a whole number of bits",
                            )),
                        }
                    }
                }
                ("quantize", other) => {
                    let allowed = "a table { block = bits }";
                    mistakes.push(InputError::new("problem.quantize", found(other), allowed));
                }
                ("conic", Value::String(name)) => match Method::named(name) {
                    Some(method) => config.conic = method,
                    None => mistakes.push(InputError::unknown("problem.conic", name, Method::NAMES)),
                },
                ("conic", other) => {
                    let allowed = Method::NAMES.map(|name| format!("\"{name}\"")).join(", ");
                    mistakes.push(InputError::new("problem.conic", found(other), allowed));
                }
                _ => {
                    let key_path = format!("problem.{key}");
                    let allowed = ["objective", "constraints", "quantize", "conic"];
                    mistakes.push(InputError::unknown(key_path, key, allowed));
                }
            }
        }
        config
    }

    fn read_limits(&mut self, metric: &str, sides: &Value, mistakes: &mut Vec<InputError>) {
        let key = format!("problem.constraints.{metric}");
        let Some(sides) = sides.as_object().filter(|s| !s.is_empty()) else {
            mistakes.push(InputError::new(key, found(sides), "{ at_least = limit } or { at_most = limit }"));
            return;
        };
        for (side, value) in sides {
            let at_most = match side.as_str() {
                "at_most" => true,
                "at_least" => false,
                other => {
                    mistakes.push(InputError::unknown(format!("{key}.{other}"), other, ["at_least", "at_most"]));
                    continue;
                }
            };
            self.limits.push(LimitConfig { metric: metric.to_string(), at_most, value: value.clone() });
        }
    }

    /// The problem on a model: the scenario's own with these changes. Errors list every mistake.
    pub fn on(&self, model: &dyn SystemModel) -> Result<ProblemSpec, Vec<InputError>> {
        let infos = model.metrics();
        let names = || infos.iter().map(|m| m.id.as_str());
        let mut mistakes = Vec::new();
        let mut spec = model.default_problem();
        if let Some(objective) = &self.objective {
            let wanted: Vec<&String> = match objective {
                Objective::Metric(id) => vec![id],
                Objective::WeightedSum(terms) => terms.keys().collect(),
            };
            for id in wanted.into_iter().filter(|id| !names().any(|n| n == *id)) {
                mistakes.push(InputError::unknown("problem.objective", id, names()));
            }
            spec.objective = objective.clone();
        }
        spec.quantize.clone_from(&self.quantize);
        spec.conic = self.conic;
        spec.constraints.retain(|own| self.limits.iter().all(|l| l.metric != own.metric));
        for limit in &self.limits {
            let Some(info) = infos.iter().find(|m| m.id == limit.metric) else {
                let key = format!("problem.constraints.{}", limit.metric);
                let unknown = InputError::unknown(key, &limit.metric, names());
                if !mistakes.contains(&unknown) {
                    mistakes.push(unknown);
                }
                continue;
            };
            match read_limit(limit, info) {
                Ok(values) => {
                    let limits = if limit.at_most { Limit::AtMost(values) } else { Limit::AtLeast(values) };
                    spec.constraints.push(Constraint { metric: limit.metric.clone(), limit: limits });
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(spec) } else { Err(mistakes) }
    }
}

fn read_limit(limit: &LimitConfig, info: &MetricInfo) -> Result<Vec<f64>, InputError> {
    let items = match &limit.value {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    if items.len() != 1 && items.len() != info.len() {
        let allowed = match info.len() {
            1 => "one limit".to_string(),
            entries => format!("one limit, or a list of {entries}: `{}` has so many entries", info.id),
        };
        return Err(InputError::new(limit.key(), format!("{} limits", items.len()), allowed));
    }
    items.iter().map(|item| quantity(item, limit, info)).collect()
}

/// A limit in the metric's unit.
fn quantity(value: &Value, limit: &LimitConfig, info: &MetricInfo) -> Result<f64, InputError> {
    let text = match value {
        Value::Number(number) => {
            return number.as_f64().ok_or_else(|| InputError::new(limit.key(), found(value), "a number"));
        }
        Value::String(text) => text.trim(),
        other => return Err(InputError::new(limit.key(), found(other), format!("a limit in {}", info.unit))),
    };
    if let Some(number) = number_from_json(&text.into()).filter(|x| !x.is_nan()) {
        return Ok(number);
    }
    let bare = || text.strip_suffix(info.unit.as_str()).and_then(|number| number.trim().parse::<f64>().ok());
    let read: Result<f64, String> = match info.unit.as_str() {
        "rad²" | "rad^2" => text.parse::<SquaredAngle>().map(|x| x.squared_radians()),
        "rad" => text.parse::<Angle>().map(|x| x.radians()),
        "1" | "" => text.parse::<Ratio>().map(|x| x.linear()),
        "W" if text.ends_with("dB") => {
            Err(format!("found \"{text}\", expected an absolute power: a number, \"10 W\", \"30 dBm\" or \"10 dBW\""))
        }
        "W" => text.parse::<Power>().map(|x| x.linear(1.0)),
        unit => bare().ok_or_else(|| format!("found \"{text}\", expected a number, or \"2.5 {unit}\"")),
    };
    match read {
        Ok(x) if !x.is_nan() => Ok(x),
        Ok(_) => Err(InputError::new(limit.key(), format!("\"{text}\""), "a number")),
        Err(message) => {
            let allowed = message.rsplit_once("expected ").map_or(message.as_str(), |(_, expected)| expected);
            Err(InputError::new(limit.key(), format!("\"{text}\""), allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limit(unit: &str, shape: &[usize], value: Value) -> Result<Vec<f64>, String> {
        let info = MetricInfo::new("m", unit, shape, "", "");
        let config = LimitConfig { metric: "m".into(), at_most: true, value };
        read_limit(&config, &info).map_err(|e| e.to_string())
    }

    #[test]
    fn limits_are_read_in_the_metrics_unit() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b.abs(), "{a} {b}");
        close(limit("rad²", &[], json!("-35 dB")).unwrap()[0], 10f64.powf(-3.5));
        close(limit("rad²", &[], json!("0.5 deg")).unwrap()[0], 0.5f64.to_radians().powi(2));
        close(limit("1", &[], json!("3 dB")).unwrap()[0], 10f64.powf(0.3));
        close(limit("W", &[], json!("30 dBm")).unwrap()[0], 1.0);
        close(limit("bit/s/Hz", &[], json!("2.5 bit/s/Hz")).unwrap()[0], 2.5);
        assert_eq!(limit("bit/s/Hz", &[2], json!([1, "inf"])).unwrap(), [1.0, f64::INFINITY]);
        assert_eq!(limit("bit/s/Hz", &[2], json!(1.5)).unwrap(), [1.5]);
    }

    #[test]
    fn bad_limits_say_what_is_allowed() {
        for (unit, value, words) in [
            ("W", json!("20 dB"), "absolute power"),
            ("rad", json!("20 W"), "an angle"),
            ("bit/s/Hz", json!("20 dB"), "\"2.5 bit/s/Hz\""),
            ("bit/s/Hz", json!([1, 2, 3]), "list of 2"),
            ("bit/s/Hz", json!(true), "found true"),
            ("bit/s/Hz", json!("nan"), "`problem.constraints.m.at_most`"),
        ] {
            let message = limit(unit, &[2], value.clone()).unwrap_err();
            assert!(message.contains(words), "{value}: {message}");
        }
    }

    #[test]
    fn all_mistakes_of_the_section_are_told() {
        let section = json!({
            "objectiv": "a", "objective": { "a": "b" }, "conic": "clarabell",
            "constraints": { "a": 3, "b": { "atleast": 2 }, "c": { "at_least": 2 } }
        });
        let mut mistakes = Vec::new();
        let config = ProblemConfig::read(Some(&section), &mut mistakes);
        let keys: Vec<&str> = mistakes.iter().map(|m| m.key.as_str()).collect();
        let expected = [
            "problem.objectiv",
            "problem.objective.a",
            "problem.conic",
            "problem.constraints.a",
            "problem.constraints.b.atleast",
        ];
        assert_eq!(keys, expected);
        let conic = mistakes[2].to_string();
        assert!(conic.contains("`clarabell`") && conic.contains("did you mean `clarabel`"), "{conic}");
        assert_eq!(config.limits.len(), 1);
    }
}
