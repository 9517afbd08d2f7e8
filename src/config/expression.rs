//! `[[metric]]`: a figure of one's own as an expression of a model's metrics.
//!
//! Scalar metrics stand by name; of an array metric stand reductions, `min(rate)`, `max(rate)`, `mean(rate)`,
//! `sum(rate)`, and entries in row-major order from 0, `rate[3]`. Operators, functions and constants are those of
//! the crate exmex: `+ - * / ^`, `sqrt`, `ln`, `log2`, `log10`, `exp`, `min(a, b)`, `PI` ...

use exmex::{Express, FlatEx};
use serde_json::{Map, Value};

use crate::design::Design;
use crate::error::{InputError, Result};
use crate::instance::found;
use crate::metric::{Direction, Metric, MetricInfo, MetricSet, MetricValues};
use crate::model::SystemModel;

/// A table of `[[metric]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricConfig {
    /// Its name among the model's metrics.
    pub name: String,
    /// Its unit, `"1"` for none.
    pub unit: String,
    /// Which way it gets better; needed where it is the objective.
    pub direction: Option<Direction>,
    /// The expression as written.
    pub expression: String,
    /// The table's path in the config.
    pub place: String,
}

impl MetricConfig {
    /// Reads a table. Mistakes are told with their keys under `place`.
    pub fn read(value: &Value, place: &str, mistakes: &mut Vec<InputError>) -> Option<Self> {
        let Some(table) = value.as_object() else {
            mistakes.push(InputError::new(place, found(value), "a table with `name` and `expression`"));
            return None;
        };
        let before = mistakes.len();
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            mistakes.push(InputError::unknown(format!("{place}.{key}"), key, KEYS));
        }
        let mut text = |key: &str, default: Option<&str>| match (table.get(key), default) {
            (Some(Value::String(text)), _) => text.clone(),
            (None, Some(default)) => default.to_string(),
            (value, _) => {
                let found = value.map_or("no such key".to_string(), found);
                mistakes.push(InputError::new(format!("{place}.{key}"), found, "text"));
                String::new()
            }
        };
        let (name, unit) = (text("name", None), text("unit", Some("1")));
        let (expression, direction) = (text("expression", None), text("direction", Some("")));
        let direction = match direction.as_str() {
            "" => None,
            "maximize" => Some(Direction::Maximize),
            "minimize" => Some(Direction::Minimize),
            other => {
                mistakes.push(InputError::unknown(format!("{place}.direction"), other, ["maximize", "minimize"]));
                None
            }
        };
        if mistakes.len() == before && !is_name(&name) {
            let allowed = "letters, digits and _, a letter first";
            mistakes.push(InputError::new(format!("{place}.name"), format!("\"{name}\""), allowed));
        }
        let place = place.to_string();
        (mistakes.len() == before).then_some(Self { name, unit, direction, expression, place })
    }

    /// The table as it is written.
    pub fn to_json(&self) -> Value {
        let mut table = Map::new();
        table.insert("name".into(), self.name.clone().into());
        table.insert("unit".into(), self.unit.clone().into());
        if let Some(direction) = self.direction {
            let word = if direction == Direction::Maximize { "maximize" } else { "minimize" };
            table.insert("direction".into(), word.into());
        }
        table.insert("expression".into(), self.expression.clone().into());
        Value::Object(table)
    }

    /// The metric on models that have these metrics. The error names the expression, and what is known.
    pub fn metric(&self, metrics: &[MetricInfo]) -> Result<Expression, InputError> {
        let key = format!("{}.expression", self.place);
        let (text, terms) = translate(&self.expression, metrics)
            .map_err(|(found, allowed)| InputError::new(&key, format!("\"{}\": {found}", self.expression), allowed))?;
        let refuse = |error: exmex::ExError| {
            let found = format!("\"{}\": {}", self.expression, error.to_string().replace('\n', " "));
            InputError::new(&key, found, "an expression, such as \"sum_rate / (transmit_power + 5)\"")
        };
        let parsed = exmex::parse::<f64>(&text).map_err(refuse)?;
        // exmex hands over the values in the order of its variables' names.
        let index = |name: &String| name.strip_prefix(VARIABLE).and_then(|digits| digits.parse::<usize>().ok());
        let terms: Option<Vec<Term>> = parsed.var_names().iter().map(|n| terms.get(index(n)?).copied()).collect();
        let Some(terms) = terms else {
            return Err(InputError::new(&key, format!("\"{}\"", self.expression), "an expression of metrics"));
        };
        parsed.eval(&vec![0.5; terms.len()]).map_err(refuse)?;
        let mut needs = MetricSet::EMPTY;
        terms.iter().for_each(|term| needs.insert(term.metric));
        let description = format!("`{}`", self.expression);
        let info = MetricInfo::new(&self.name, &self.unit, &[], &description, "the experiment's config");
        let info = MetricInfo { direction: self.direction, ..info };
        Ok(Expression { info, parsed, terms, needs })
    }
}

const KEYS: [&str; 4] = ["name", "unit", "direction", "expression"];
const VARIABLE: &str = "term_";

/// A metric that is an expression of others.
#[derive(Debug)]
pub struct Expression {
    info: MetricInfo,
    parsed: FlatEx<f64>,
    terms: Vec<Term>,
    needs: MetricSet,
}

impl Metric for Expression {
    fn info(&self) -> &MetricInfo {
        &self.info
    }
    fn needs(&self) -> MetricSet {
        self.needs
    }
    fn value(&self, _: &dyn SystemModel, _: &Design, values: &MetricValues, out: &mut [f64]) -> Result<()> {
        let mut small = [0.0; 16];
        let value = if self.terms.len() <= small.len() {
            let small = &mut small[..self.terms.len()];
            small.iter_mut().zip(&self.terms).for_each(|(x, term)| *x = term.value(values));
            self.parsed.eval(small)
        } else {
            self.parsed.eval(&self.terms.iter().map(|term| term.value(values)).collect::<Vec<_>>())
        };
        out[0] = value.map_err(|e| crate::Error::Numerical(format!("metric `{}`: {e}", self.info.id)))?;
        Ok(())
    }
}

/// One number of a model's metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Term {
    metric: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Entry(usize),
    Min,
    Max,
    Mean,
    Sum,
}

impl Term {
    fn value(self, values: &MetricValues) -> f64 {
        let entries = values.get(self.metric);
        let pick = |better: fn(f64, f64) -> bool| {
            entries.iter().copied().fold(f64::NAN, |best, x| if best.is_nan() || better(x, best) { x } else { best })
        };
        match self.part {
            Part::Entry(index) => entries.get(index).copied().unwrap_or(f64::NAN),
            _ if entries.iter().any(|x| x.is_nan()) => f64::NAN,
            Part::Min => pick(|x, best| x < best),
            Part::Max => pick(|x, best| x > best),
            Part::Sum => entries.iter().sum(),
            Part::Mean => entries.iter().sum::<f64>() / entries.len() as f64,
        }
    }
}

/// The expression with each term of a metric as a variable of its own, and numbers without exponents, as exmex
/// reads them. The error is what was found and what is allowed.
fn translate(text: &str, metrics: &[MetricInfo]) -> Result<(String, Vec<Term>), (String, String)> {
    let mut out = String::new();
    let mut terms: Vec<Term> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() || first == '.' {
            let length = number_length(rest);
            let number = rest[..length].parse::<f64>().ok().filter(|x| x.is_finite());
            let number = number.ok_or_else(|| (format!("`{}`", &rest[..length]), "finite numbers".to_string()))?;
            out += &number.to_string();
            rest = &rest[length..];
        } else if is_letter(first) {
            let (name, behind) =
                rest.split_at(rest.find(|c| !is_letter(c) && !c.is_ascii_digit()).unwrap_or(rest.len()));
            let (term, behind) = term(name, behind, metrics)?;
            match term {
                None => out += name,
                Some(term) => {
                    let index = terms.iter().position(|t| *t == term).unwrap_or_else(|| {
                        terms.push(term);
                        terms.len() - 1
                    });
                    out += &format!("{VARIABLE}{index}");
                }
            }
            rest = behind;
        } else {
            if first == '-' {
                // exmex binds a sign tighter than a power: -x^2 would be (-x)^2.
                match out.trim_end().chars().last() {
                    None | Some('(' | ',' | '+' | '-') => out += "(-1)*",
                    Some('*' | '/' | '^') => {
                        return Err(("a sign behind `*`, `/` or `^`".into(), "it in parentheses: `2 * (-x)`".into()));
                    }
                    Some(_) => out.push(first),
                }
                rest = &rest[1..];
                continue;
            }
            if !" \t\n+*/^(),".contains(first) {
                return Err((format!("`{first}`"), "names, numbers, + - * / ^ ( ) and commas".into()));
            }
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    match terms.is_empty() {
        true => Err(("no metric in it".into(), format!("an expression of {}", metric_list(metrics)))),
        false => Ok((out, terms)),
    }
}

/// The term that a name begins, and what stands behind it; no term for functions and constants.
fn term<'a>(name: &str, behind: &'a str, metrics: &[MetricInfo]) -> Result<(Option<Term>, &'a str), (String, String)> {
    let find = |name: &str| metrics.iter().position(|m| m.id == name);
    let reduction = match name {
        "min" => Some(Part::Min),
        "max" => Some(Part::Max),
        "mean" => Some(Part::Mean),
        "sum" => Some(Part::Sum),
        _ => None,
    };
    if let (Some(part), Some(inside)) = (reduction, behind.trim_start().strip_prefix('(')) {
        if let Some((argument, after)) = inside.split_once(')')
            && let Some(metric) = find(argument.trim())
            && !metrics[metric].is_scalar()
        {
            return Ok((Some(Term { metric, part }), after));
        }
        if matches!(part, Part::Mean | Part::Sum) || !has_top_level_comma(inside) {
            let arrays = metrics.iter().filter(|m| !m.is_scalar()).map(|m| format!("`{}`", m.id));
            let allowed = format!("`{name}` of one array metric: {}", arrays.collect::<Vec<_>>().join(", "));
            return Err((format!("`{name}(` of something else"), allowed));
        }
    }
    let Some(metric) = find(name) else {
        if FUNCTIONS.contains(&name) || CONSTANTS.contains(&name) {
            return Ok((None, behind));
        }
        let valid = metrics.iter().map(|m| m.id.as_str()).chain(FUNCTIONS).chain(["mean", "sum"]);
        let error = InputError::unknown("", name, valid);
        return Err((error.found, error.allowed));
    };
    let info = &metrics[metric];
    let Some(inside) = behind.trim_start().strip_prefix('[') else {
        return match info.is_scalar() {
            true => Ok((Some(Term { metric, part: Part::Entry(0) }), behind)),
            false => {
                let allowed = format!(
                    "`{name}[0]` to `{name}[{}]`, min({name}), max({name}), mean({name}), sum({name})",
                    info.len().saturating_sub(1)
                );
                Err((format!("`{name}`, a metric of shape {:?}", info.shape), allowed))
            }
        };
    };
    let index = inside.split_once(']').and_then(|(i, after)| Some((i.trim().parse::<usize>().ok()?, after)));
    match index.filter(|(i, _)| *i < info.len() && !info.is_scalar()) {
        Some((index, after)) => Ok((Some(Term { metric, part: Part::Entry(index) }), after)),
        None if info.is_scalar() => Err((format!("`{name}[`"), format!("`{name}`: it is a scalar"))),
        None => {
            let entry = inside.split(']').next().unwrap_or(inside);
            Err((format!("`{name}[{entry}]`"), format!("`{name}[0]` to `{name}[{}]`", info.len().saturating_sub(1))))
        }
    }
}

fn metric_list(metrics: &[MetricInfo]) -> String {
    metrics.iter().map(|m| format!("`{}`", m.id)).collect::<Vec<_>>().join(", ")
}

fn has_top_level_comma(inside: &str) -> bool {
    let mut depth = 0;
    for c in inside.chars() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            ',' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == 'π' || c == 'τ'
}

fn is_name(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The length of a number at the start of a text: digits, a point, and an exponent where digits follow it.
fn number_length(text: &str) -> usize {
    let mantissa = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let Some(exponent) = text[mantissa..].strip_prefix(['e', 'E']) else { return mantissa };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if count == 0 { mantissa } else { text.len() - digits.len() + count }
}

/// Functions that exmex knows by name.
const FUNCTIONS: [&str; 27] = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "cos", "cosh", "exp", "floor",
    "fract", "ln", "log10", "log2", "max", "min", "round", "signum", "sin", "sinh", "sqrt", "tan", "tanh",
];
const CONSTANTS: [&str; 5] = ["PI", "E", "TAU", "π", "τ"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::new("sum_rate", "bit/s/Hz", &[], "", ""),
            MetricInfo::new("rate", "bit/s/Hz", &[3], "", ""),
            MetricInfo::new("transmit_power", "W", &[], "", ""),
        ]
    }

    fn config(expression: &str) -> MetricConfig {
        let table = json!({ "name": "mine", "unit": "1", "direction": "maximize", "expression": expression });
        let mut mistakes = Vec::new();
        let config = MetricConfig::read(&table, "metric[0]", &mut mistakes);
        assert_eq!(mistakes, []);
        config.unwrap()
    }

    fn value(expression: &str) -> Result<f64, String> {
        let metric = config(expression).metric(&metrics()).map_err(|e| e.to_string())?;
        let mut values = MetricValues::new(&metrics());
        values.set(0, 6.0);
        values.slot(1).copy_from_slice(&[1.0, 2.0, 4.5]);
        values.set(2, 10.0);
        Ok(metric.terms.iter().map(|t| t.value(&values)).collect::<Vec<_>>())
            .and_then(|terms| metric.parsed.eval(&terms).map_err(|e| e.to_string()))
    }

    #[test]
    fn expressions_have_the_value_that_mathematics_gives() {
        for (expression, expected) in [
            ("sum_rate / (transmit_power + 5)", 0.4),
            ("min(rate)", 1.0),
            ("max( rate )*2", 9.0),
            ("mean(rate)", 2.5),
            ("sum(rate) - rate[0]", 6.5),
            ("rate [2]^2", 20.25),
            ("min(sum_rate, transmit_power)", 6.0),
            ("min(sum_rate, max(rate))", 4.5),
            ("log2(1 + 7) * sum_rate / sum_rate", 3.0),
            ("1.5e1 * sum_rate - 2E-1", 89.8),
            ("-sum_rate^2", -36.0),
            ("1 + (-sum_rate)^2 - -sum_rate^2", 73.0),
            ("2^(-1) * sum_rate", 3.0),
            ("min(-sum_rate, -1e-3)", -6.0),
            ("sum_rate - -1", 7.0),
            ("PI * 0 + sum_rate", 6.0),
        ] {
            assert!((value(expression).unwrap() - expected).abs() < 1e-12, "{expression}: {:?}", value(expression));
        }
    }

    #[test]
    fn many_terms_keep_their_order() {
        // Variables are sorted by name: term_10 stands before term_2.
        let metrics = vec![MetricInfo::new("x", "1", &[12], "", "")];
        let text = (0..12).map(|i| format!("{} * x[{i}]", 10i64.pow(i))).collect::<Vec<_>>().join(" + ");
        let metric = config(&text).metric(&metrics).unwrap();
        let mut values = MetricValues::new(&metrics);
        (0..12).for_each(|i| values.slot(0)[i] = i as f64 % 10.0);
        let terms: Vec<f64> = metric.terms.iter().map(|t| t.value(&values)).collect();
        assert_eq!(metric.parsed.eval(&terms).unwrap(), 109_876_543_210.0);
    }

    #[test]
    fn undefined_entries_are_not_passed_over() {
        let mut values = MetricValues::new(&metrics());
        values.slot(1).copy_from_slice(&[1.0, f64::NAN, 2.0]);
        for part in [Part::Min, Part::Max, Part::Mean, Part::Sum] {
            assert!(Term { metric: 1, part }.value(&values).is_nan());
        }
    }

    #[test]
    fn bad_expressions_are_told_with_the_valid_names() {
        for (expression, words) in [
            ("sum_rat + 1", &["unknown name `sum_rat`", "did you mean `sum_rate`?", "`rate`"] as &[&str]),
            ("rate + 1", &["shape [3]", "min(rate)"]),
            ("rate[3]", &["`rate[3]`", "`rate[2]`"]),
            ("sum_rate[0]", &["scalar"]),
            ("mean(sum_rate)", &["one array metric", "`rate`"]),
            ("sum_rate +", &["metric[0].expression"]),
            ("(sum_rate", &["metric[0].expression"]),
            ("sum_rate; 2", &["`;`"]),
            ("1 + 2", &["no metric in it"]),
            ("1.2.3 * sum_rate", &["`1.2.3`"]),
            ("2^-sum_rate", &["parentheses"]),
            ("", &["no metric in it"]),
        ] {
            let message = value(expression).unwrap_err();
            assert!(words.iter().all(|w| message.contains(w)), "{expression}: {message}");
        }
    }

    #[test]
    fn a_bad_table_is_told_key_by_key() {
        let mut mistakes = Vec::new();
        let table = json!({ "nam": "x", "unit": 3, "direction": "maximise", "expression": "sum_rate" });
        assert!(MetricConfig::read(&table, "metric[0]", &mut mistakes).is_none());
        let keys: Vec<&str> = mistakes.iter().map(|m| m.key.as_str()).collect();
        assert_eq!(keys, ["metric[0].nam", "metric[0].name", "metric[0].unit", "metric[0].direction"]);
    }
}
