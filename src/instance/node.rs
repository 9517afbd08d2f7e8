//! JSON trees as arrays and back: what `.npz` and `.mat` files hold, apart from how they hold it.
//!
//! An array is a full numeric array, row-major, real or complex, or texts. NaN in an array stands for `null`, an
//! infinity for the text `"inf"` or `"-inf"`.

use num_complex::Complex;
use serde_json::{Map, Value, json};

/// More numbers than this in one file are refused.
pub const MOST_NUMBERS: usize = 1 << 25;

/// The entries of an array, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Entries {
    /// Real numbers.
    Real(Vec<f64>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Complex numbers.
    Complex(Vec<Complex<f64>>),
    /// Truth values.
    Logical(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
}

/// A full array.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape; empty for a single value.
    pub shape: Vec<usize>,
    /// Its entries, row-major.
    pub entries: Entries,
}

/// A part of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Nothing.
    Null,
    /// A full array, or one value.
    Array(Array),
    /// Named parts.
    Object(Vec<(String, Node)>),
    /// Parts in order that make no array.
    List(Vec<Node>),
}

/// Keys whose texts stay texts, whatever they say.
const TEXTS: [&str; 3] = ["format", "scenario", "description"];

impl Node {
    /// The parts of a tree's top level.
    pub fn of_top(value: &Map<String, Value>) -> Vec<(String, Node)> {
        let node = |(key, value): (&String, &Value)| {
            let node = match value {
                Value::String(text) if TEXTS.contains(&key.as_str()) => Self::text(text),
                other => Self::of(other),
            };
            (key.clone(), node)
        };
        value.iter().map(node).collect()
    }

    fn text(text: &str) -> Self {
        Self::Array(Array { shape: Vec::new(), entries: Entries::Text(vec![text.to_string()]) })
    }

    /// The part that a JSON value stands for.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(holds) => Self::Array(Array { shape: Vec::new(), entries: Entries::Logical(vec![*holds]) }),
            Value::String(text) if number(value).is_none() => Self::text(text),
            Value::Number(_) | Value::String(_) => numbers(value).map_or(Self::Null, Self::Array),
            Value::Array(items) => match numbers(value) {
                Some(array) => Self::Array(array),
                None => Self::of_list(items),
            },
            Value::Object(object) => match complex(object) {
                Some(array) => Self::Array(array),
                None => Self::Object(object.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect()),
            },
        }
    }

    fn of_list(items: &[Value]) -> Self {
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_string)).collect();
        if let Some(texts) = texts {
            return Self::Array(Array { shape: vec![texts.len()], entries: Entries::Text(texts) });
        }
        columns(items).unwrap_or_else(|| Self::List(items.iter().map(Self::of).collect()))
    }
}

/// A number, or a text or `null` that stands for one that JSON does not have.
fn number(value: &Value) -> Option<f64> {
    crate::metric::number_from_json(value)
}

/// The full numeric array that a value is, if it is one.
fn numbers(value: &Value) -> Option<Array> {
    let mut shape = Vec::new();
    let mut at = value;
    while let Value::Array(items) = at {
        shape.push(items.len());
        match items.first() {
            Some(first) if shape.len() < 8 => at = first,
            Some(_) => return None,
            None => break,
        }
    }
    fn whole(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().all(whole),
            other => other.is_i64(),
        }
    }
    fn collect<T>(value: &Value, shape: &[usize], out: &mut Vec<T>, read: &impl Fn(&Value) -> Option<T>) -> Option<()> {
        match (value, shape) {
            (Value::Array(items), [length, rest @ ..]) if items.len() == *length => {
                items.iter().try_for_each(|item| collect(item, rest, out, read))
            }
            (Value::Array(_), _) => None,
            (other, []) => read(other).map(|x| out.push(x)),
            _ => None,
        }
    }
    let entries = if whole(value) && !shape.contains(&0) {
        let mut out = Vec::new();
        collect(value, &shape, &mut out, &Value::as_i64)?;
        Entries::Whole(out)
    } else {
        let mut out = Vec::new();
        collect(value, &shape, &mut out, &number)?;
        Entries::Real(out)
    };
    Some(Array { shape, entries })
}

/// The complex array that an object is: `{"re": array, "im": array}`.
fn complex(object: &Map<String, Value>) -> Option<Array> {
    let (re, im) = (numbers(object.get("re")?)?, numbers(object.get("im")?)?);
    if object.len() != 2 || re.shape != im.shape {
        return None;
    }
    let reals = |array: Array| match array.entries {
        Entries::Whole(entries) => entries.into_iter().map(|x| x as f64).collect::<Vec<_>>(),
        Entries::Real(entries) => entries,
        _ => Vec::new(),
    };
    let shape = re.shape.clone();
    let entries = reals(re).into_iter().zip(reals(im)).map(|(re, im)| Complex::new(re, im)).collect();
    Some(Array { shape, entries: Entries::Complex(entries) })
}

/// A list of records with the same keys and single numbers, as an object of columns: a trace.
fn columns(items: &[Value]) -> Option<Node> {
    let first = items.first()?.as_object()?;
    let mut columns: Vec<(String, Vec<Value>)> = first.keys().map(|key| (key.clone(), Vec::new())).collect();
    for item in items {
        let object = item.as_object().filter(|o| o.len() == columns.len())?;
        for (key, column) in &mut columns {
            let value = object.get(key).filter(|v| number(v).is_some())?;
            column.push(value.clone());
        }
    }
    let nodes = columns.into_iter().map(|(key, column)| (key, Node::of(&Value::Array(column))));
    Some(Node::Object(nodes.collect()))
}

impl Array {
    /// A single value or an array as JSON.
    pub fn to_json(&self) -> Value {
        let shape = &self.shape;
        match &self.entries {
            Entries::Real(x) => nested(shape, &|i| real(x[i], shape.is_empty())),
            Entries::Whole(x) => nested(shape, &|i| x[i].into()),
            Entries::Complex(z) => json!({
                "re": nested(shape, &|i| real(z[i].re, shape.is_empty())),
                "im": nested(shape, &|i| real(z[i].im, shape.is_empty())),
            }),
            Entries::Logical(x) => nested(shape, &|i| x[i].into()),
            Entries::Text(x) => nested(shape, &|i| x[i].as_str().into()),
        }
    }
}

/// A number as JSON. A single NaN may be a list of one where only one entry is; a key's plain number it is not.
fn real(x: f64, single: bool) -> Value {
    match () {
        () if x.is_nan() && single => json!([null]),
        () if x.is_nan() => Value::Null,
        () => crate::metric::number_json(x),
    }
}

fn nested(shape: &[usize], entry: &impl Fn(usize) -> Value) -> Value {
    fn level(shape: &[usize], offset: usize, entry: &impl Fn(usize) -> Value) -> Value {
        match shape {
            [] => entry(offset),
            [length, rest @ ..] => {
                let width: usize = rest.iter().product();
                (0..*length).map(|i| level(rest, offset + i * width, entry)).collect()
            }
        }
    }
    level(shape, 0, entry)
}

/// The product of a shape, if it is not above a limit.
pub fn count(shape: &[usize], most: usize) -> Option<usize> {
    // A dimension of 0 does not excuse the others: they are lists, too.
    let listed = shape.iter().try_fold(1usize, |n, length| n.checked_mul(*(length.max(&1))));
    let entries = shape.iter().try_fold(1usize, |n, length| n.checked_mul(*length))?;
    listed.filter(|n| *n <= most).map(|_| entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_come_back() {
        for value in [
            json!(1.5),
            json!(3),
            json!("zf"),
            json!(true),
            json!([1.0, 0.1 + 0.2, -0.0]),
            json!([[1, 2], [3, 4], [5, 6]]),
            json!([[1.0, null], [3.0, "inf"]]),
            json!({ "re": 0.5, "im": -1e-300 }),
            json!({ "re": [[[1.0], [2.0]]], "im": [[[0.5], [0.25]]] }),
            json!(["a", "b"]),
        ] {
            let Node::Array(array) = Node::of(&value) else { panic!("{value}") };
            assert_eq!(array.to_json(), value);
        }
    }

    #[test]
    fn what_is_no_array_is_not_forced_into_one() {
        assert!(matches!(Node::of(&json!([[1, 2], [3]])), Node::List(_)));
        assert!(matches!(Node::of(&json!([1, "x"])), Node::List(_)));
        assert!(matches!(Node::of(&json!({ "re": [1], "im": [1, 2] })), Node::Object(_)));
        assert_eq!(Node::of(&Value::Null), Node::Null);
        let trace = json!([{ "objective": 1.0, "bound": null }, { "objective": 2.0, "bound": 3.0 }]);
        let Node::Object(columns) = Node::of(&trace) else { panic!() };
        assert_eq!(columns[0].0, "objective");
        assert!(matches!(&columns[1].1, Node::Array(a) if a.to_json() == json!([null, 3.0])));
    }
}
