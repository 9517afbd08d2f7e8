//! Instance files: one drawn system as numbers, and designs to judge. Reading is strict: every key is known, every
//! shape fits, every number is finite and in its domain, or one message says which is not.

mod file;
mod matlab;
mod matlab_writer;
mod node;
mod numpy;
mod zip;

use std::cell::RefCell;
use std::path::Path;

use num_complex::Complex;
use serde_json::{Map, Value};

use crate::error::{Error, InputError, Result};
pub use file::{Form, read_tree, write_tree, write_whole};
pub(crate) use matlab_writer::write as write_matlab;
pub(crate) use node::{Array, Entries as ArrayEntries, Node};

/// The format's name and version.
pub const FORMAT: &str = "isacopt-instance/1";

/// Longer files are refused, in bytes.
pub const LARGEST_FILE: u64 = 1 << 30;

/// An instance file, read but not yet understood by its scenario.
#[derive(Clone, Debug)]
pub struct InstanceFile {
    /// The scenario's name.
    pub scenario: String,
    /// Free text.
    pub description: String,
    /// The drawn system.
    pub instance: Value,
    /// Named designs, in the file's order.
    pub designs: Map<String, Value>,
    /// Keys that a scenario's own tools read (snapshots), by name.
    pub extra: Map<String, Value>,
}

impl InstanceFile {
    /// Reads a JSON, `.npz` or `.mat` file. Errors name it.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_tree(read_tree(path)?).map_err(|e| e.in_file(path))
    }

    /// Reads the JSON text of a file.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|e| {
            InputError::new("", format!("no JSON: {e}"), "an instance file (docs: instance format)").at_line(e.line())
        })?;
        Self::from_tree(value)
    }

    /// Understands the tree of a file.
    pub fn from_tree(value: Value) -> Result<Self> {
        let Value::Object(mut object) = value else {
            return Err(
                InputError::new("", "no object at the top", "an object with `format`, `scenario`, `instance`").into()
            );
        };
        if !object.contains_key("format") && object.contains_key("status") && object.contains_key("design") {
            let allowed = "an instance file, with this answer's `design` in its `designs` under a name; `isacopt verify \
                           RESULT INSTANCE` checks an answer as it is";
            return Err(InputError::new("", "an answer of `isacopt solve`", allowed).into());
        }
        let format = object.shift_remove("format").ok_or_else(|| missing("format", FORMAT))?;
        if format != FORMAT {
            return Err(InputError::new("format", format.to_string(), format!("\"{FORMAT}\"")).into());
        }
        let scenario = match object.shift_remove("scenario") {
            Some(Value::String(name)) => name,
            Some(other) => return Err(InputError::new("scenario", found(&other), "a scenario's name").into()),
            None => return Err(missing("scenario", "a scenario's name").into()),
        };
        let description = match object.shift_remove("description") {
            None => String::new(),
            Some(Value::String(text)) => text,
            Some(other) => return Err(InputError::new("description", found(&other), "text").into()),
        };
        let instance = object.shift_remove("instance").ok_or_else(|| missing("instance", "an object"))?;
        let designs = match object.shift_remove("designs") {
            None => Map::new(),
            Some(Value::Object(designs)) => designs,
            Some(other) => return Err(InputError::new("designs", found(&other), "an object of named designs").into()),
        };
        object.shift_remove("expected");
        let mut extra = Map::new();
        if let Some(snapshots) = object.shift_remove("snapshots") {
            extra.insert("snapshots".into(), snapshots);
        }
        if let Some(unknown) = object.keys().next() {
            let known = ["format", "scenario", "description", "instance", "designs", "expected", "snapshots"];
            return Err(InputError::unknown(unknown.as_str(), unknown, known).into());
        }
        Ok(Self { scenario, description, instance, designs, extra })
    }

    /// The file's text: a line a key, down to the keys of the instance and the designs.
    pub fn to_text(&self) -> String {
        let lines = |object: &Map<String, Value>, indent: &str, line: &dyn Fn(&Value) -> String| {
            let entries = object.iter().map(|(k, v)| format!("{indent}{}: {}", Value::from(k.as_str()), line(v)));
            format!("{{\n{}\n{}}}", entries.collect::<Vec<_>>().join(",\n"), &indent[1..])
        };
        let inner = |value: &Value| match value {
            Value::Object(object) if !object.is_empty() => lines(object, "  ", &Value::to_string),
            other => other.to_string(),
        };
        let whole = self.to_json();
        whole.as_object().map_or_else(String::new, |object| lines(object, " ", &inner)) + "\n"
    }

    /// Writes the file in the form that its name asks for: `.npz`, `.mat`, else JSON.
    pub fn write(&self, path: &Path) -> Result<()> {
        let tree = self.to_json();
        write_tree(path, tree.as_object().unwrap_or(&Map::new()), &self.to_text())
    }

    /// The file's JSON.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("format".into(), FORMAT.into());
        object.insert("scenario".into(), self.scenario.clone().into());
        object.insert("description".into(), self.description.clone().into());
        object.insert("instance".into(), self.instance.clone());
        if !self.designs.is_empty() {
            object.insert("designs".into(), Value::Object(self.designs.clone()));
        }
        object.extend(self.extra.clone());
        Value::Object(object)
    }
}

/// Reads a text file of bearable size; a byte order mark is passed over.
pub fn read_text(path: &Path) -> Result<String> {
    file::text_of(file::read_bytes(path)?).map_err(|e| e.in_file(path))
}

fn missing(key: &str, allowed: &str) -> InputError {
    InputError::new(key, "no such key", allowed)
}

/// What stands there, shortened for a message.
pub fn found(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_string(),
        Value::String(text) => format!("\"{}\"", text.chars().take(60).collect::<String>()),
        other => other.to_string(),
    }
}

/// The shape in words: "a number", "shape [3, 4]".
pub fn shape_text(shape: &[usize]) -> String {
    if shape.is_empty() { "a number".into() } else { format!("shape {shape:?}") }
}

/// A domain of single numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Any finite number.
    Finite,
    /// Above 0.
    Positive,
    /// 0 or more.
    NonNegative,
    /// From the first to the second, both included.
    Between(f64, f64),
}

impl Number {
    /// Whether it holds.
    pub fn holds(self, x: f64) -> bool {
        x.is_finite()
            && match self {
                Self::Finite => true,
                Self::Positive => x > 0.0,
                Self::NonNegative => x >= 0.0,
                Self::Between(low, high) => (low..=high).contains(&x),
            }
    }

    /// The domain in words.
    pub fn describe(self) -> String {
        match self {
            Self::Finite => "a finite number".into(),
            Self::Positive => "a number above 0".into(),
            Self::NonNegative => "a number, 0 or more".into(),
            Self::Between(low, high) => format!("a number from {low} to {high}"),
        }
    }
}

/// The keys of one object of an instance, read one by one; [`Fields::finish`] refuses what nobody asked for.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    place: String,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The fields of an object; `place` is its path, such as "instance".
    pub fn new(value: &'a Value, place: impl Into<String>) -> Result<Self> {
        let place = place.into();
        match value {
            Value::Object(object) => Ok(Self { object, place, known: RefCell::default() }),
            other => Err(InputError::new(place, found(other), "an object").into()),
        }
    }

    /// The path of a key.
    pub fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    /// A mistake at a key, for checks across keys.
    pub fn mistake(&self, key: &str, found: impl Into<String>, allowed: impl Into<String>) -> Error {
        InputError::new(self.path(key), found, allowed).into()
    }

    /// The value at a key, if it is there; `null` counts as absent.
    pub fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key);
        self.object.get(key).filter(|v| !v.is_null())
    }

    fn need(&self, key: &'static str, allowed: &str) -> Result<&'a Value> {
        self.get(key).ok_or_else(|| {
            // A key of nearly this name is this one misspelled, unless it was asked for itself.
            let known = self.known.borrow();
            let near = |k: &&String| strsim::osa_distance(k, key) <= 2 && !known.contains(&k.as_str());
            let found = match self.object.keys().find(near) {
                Some(misspelled) => format!("no such key, but `{misspelled}`"),
                None => "no such key".to_string(),
            };
            InputError::new(self.path(key), found, allowed).into()
        })
    }

    /// A number of a domain.
    pub fn number(&self, key: &'static str, domain: Number) -> Result<f64> {
        self.check_number(key, self.need(key, &domain.describe())?, domain)
    }

    /// A number of a domain, where it is given.
    pub fn optional_number(&self, key: &'static str, domain: Number) -> Result<Option<f64>> {
        self.get(key).map(|value| self.check_number(key, value, domain)).transpose()
    }

    fn check_number(&self, key: &str, value: &Value, domain: Number) -> Result<f64> {
        match value.as_f64() {
            Some(x) if domain.holds(x) => Ok(x),
            _ => Err(self.mistake(key, found(value), domain.describe())),
        }
    }

    /// A whole number of at least `least`.
    pub fn integer(&self, key: &'static str, least: u64) -> Result<u64> {
        let allowed = format!("a whole number of at least {least}");
        let value = self.need(key, &allowed)?;
        match whole(value) {
            Some(n) if n >= least => Ok(n),
            _ => Err(self.mistake(key, found(value), allowed)),
        }
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Result<T> {
        let words = choices.iter().map(|(w, _)| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
        let value = self.need(key, &format!("one of {words}"))?;
        match choices.iter().find(|(word, _)| value.as_str() == Some(word)) {
            Some((_, choice)) => Ok(*choice),
            None => Err(self.mistake(key, found(value), format!("one of {words}"))),
        }
    }

    /// A real vector of any length of at least 1; a column or a row counts as one.
    pub fn vector(&self, key: &'static str, domain: Number) -> Result<Vec<f64>> {
        let value = self.need(key, &format!("a list of numbers, each {}", domain.describe()))?;
        let length = vector_length(value);
        let values = real_array(value, &[length.max(1)], &self.path(key))?;
        self.check_all(key, &values, domain)?;
        Ok(values)
    }

    /// A real array of a given shape.
    pub fn array(&self, key: &'static str, shape: &[usize], domain: Number) -> Result<Vec<f64>> {
        let value = self.need(key, &format!("{} of numbers, each {}", shape_text(shape), domain.describe()))?;
        let values = real_array(value, shape, &self.path(key))?;
        self.check_all(key, &values, domain)?;
        Ok(values)
    }

    /// A real array of a given shape, where it is given.
    pub fn optional_array(&self, key: &'static str, shape: &[usize], domain: Number) -> Result<Option<Vec<f64>>> {
        if self.get(key).is_none() {
            return Ok(None);
        }
        self.array(key, shape, domain).map(Some)
    }

    fn check_all(&self, key: &str, values: &[f64], domain: Number) -> Result<()> {
        match values.iter().position(|x| !domain.holds(*x)) {
            None => Ok(()),
            Some(i) => {
                Err(InputError::new(format!("{}[{i}]", self.path(key)), values[i].to_string(), domain.describe())
                    .into())
            }
        }
    }

    /// Whole numbers, 0 or more, of a given count.
    pub fn indices(&self, key: &'static str, count: usize) -> Result<Vec<u64>> {
        let allowed = format!("a list of {count} whole numbers, 0 or more");
        let values = self.array(key, &[count], Number::NonNegative)?;
        match values.iter().find(|x| x.fract() != 0.0 || **x > 9e15) {
            None => Ok(values.iter().map(|x| *x as u64).collect()),
            Some(x) => Err(self.mistake(key, x.to_string(), allowed)),
        }
    }

    /// A complex number.
    pub fn complex(&self, key: &'static str) -> Result<Complex<f64>> {
        let value = self.need(key, COMPLEX)?;
        Ok(complex_array(value, &[], &self.path(key))?[0])
    }

    /// A complex array of a given shape.
    pub fn complex_array(&self, key: &'static str, shape: &[usize]) -> Result<Vec<Complex<f64>>> {
        complex_array(self.need(key, COMPLEX)?, shape, &self.path(key))
    }

    /// An object inside this one.
    pub fn object(&self, key: &'static str) -> Result<Fields<'a>> {
        Fields::new(self.need(key, "an object")?, self.path(key))
    }

    /// Refuses keys that were never asked for. Call it when all known keys have been read.
    pub fn finish(self) -> Result<()> {
        let known = self.known.borrow();
        match self.object.keys().find(|k| !known.contains(&k.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(InputError::unknown(self.path(unknown), unknown, known.iter().copied()).into()),
        }
    }
}

const COMPLEX: &str = "a complex value {\"re\": ..., \"im\": ...}";

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|x| *x >= 0.0 && x.fract() == 0.0 && *x < 9e15).map(|x| x as u64))
}

fn vector_length(value: &Value) -> usize {
    match value {
        Value::Array(items) if items.len() == 1 => vector_length(&items[0]),
        Value::Array(items) => items.len(),
        _ => 1,
    }
}

/// A real array of a given shape from nested lists. Extra dimensions of size 1 are accepted.
pub fn real_array(value: &Value, shape: &[usize], key: &str) -> Result<Vec<f64>> {
    let mut nested = Nested { key, values: Vec::new(), shape: Vec::new(), position: Vec::new() };
    nested.read(value)?;
    let squeezed = |s: &[usize]| s.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
    if squeezed(&nested.shape) != squeezed(shape) {
        return Err(InputError::new(key, shape_text(&nested.shape), shape_text(shape)).into());
    }
    Ok(nested.values)
}

/// Nested lists on their way to a full array. Paths are spelled out for mistakes only: arrays hold millions of numbers.
struct Nested<'a> {
    key: &'a str,
    values: Vec<f64>,
    /// The lengths seen so far, outermost first.
    shape: Vec<usize>,
    /// The entry that is being read.
    position: Vec<usize>,
}

impl Nested<'_> {
    fn read(&mut self, value: &Value) -> Result<()> {
        let depth = self.position.len();
        let Value::Array(items) = value else {
            return match value.as_f64() {
                _ if self.shape.len() != depth => Err(self.ragged()),
                Some(x) if x.is_finite() => {
                    self.values.push(x);
                    Ok(())
                }
                _ => Err(self.mistake(found(value), "a finite number")),
            };
        };
        if depth == 8 {
            return Err(self.mistake("lists nested more deeply", "at most 8 dimensions"));
        }
        match self.shape.get(depth) {
            None if self.values.is_empty() => self.shape.push(items.len()),
            Some(length) if *length == items.len() => {}
            _ => return Err(self.ragged()),
        }
        for (i, item) in items.iter().enumerate() {
            self.position.push(i);
            self.read(item)?;
            self.position.pop();
        }
        Ok(())
    }

    fn ragged(&self) -> Error {
        self.mistake("another length or depth than the entries before", "a full array")
    }

    fn mistake(&self, found: impl Into<String>, allowed: &str) -> Error {
        let position: String = self.position.iter().map(|i| format!("[{i}]")).collect();
        InputError::new(format!("{}{position}", self.key), found, allowed).into()
    }
}

/// A complex array of a given shape from `{"re": nested, "im": nested}`. Plain numbers stand for themselves: programs
/// save a complex array without imaginary part as a real one.
pub fn complex_array(value: &Value, shape: &[usize], key: &str) -> Result<Vec<Complex<f64>>> {
    if matches!(value, Value::Array(_) | Value::Number(_)) {
        return Ok(real_array(value, shape, key)?.into_iter().map(Complex::from).collect());
    }
    let part = |name: &str| match value.get(name) {
        Some(part) => real_array(part, shape, &format!("{key}.{name}")),
        None => Err(InputError::new(key, found(value), COMPLEX).into()),
    };
    let (re, im) = (part("re")?, part("im")?);
    if let Some(unknown) = value.as_object().and_then(|o| o.keys().find(|k| !["re", "im"].contains(&k.as_str()))) {
        return Err(InputError::unknown(format!("{key}.{unknown}"), unknown, ["re", "im"]).into());
    }
    Ok(re.into_iter().zip(im).map(|(re, im)| Complex::new(re, im)).collect())
}

/// A complex number as JSON.
pub fn complex_json(z: Complex<f64>) -> Value {
    serde_json::json!({ "re": z.re, "im": z.im })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arrays_are_checked_for_shape_and_content() {
        let read = |v: Value, shape: &[usize]| real_array(&v, shape, "k").map_err(|e| e.to_string());
        assert_eq!(read(json!([[1, 2], [3, 4]]), &[2, 2]).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(read(json!([[1], [2]]), &[2]).unwrap(), [1.0, 2.0]);
        assert_eq!(read(json!([[1, 2]]), &[2]).unwrap(), [1.0, 2.0]);
        assert_eq!(read(json!(3), &[1]).unwrap(), [3.0]);
        for bad in [json!([1, 2, 3]), json!([[1, 2], [3]]), json!([1, [2]]), json!([1, "x"]), json!([null, 1])] {
            assert!(read(bad.clone(), &[2]).is_err(), "{bad}");
        }
        assert!(read(json!([1.0, "x"]), &[2]).unwrap_err().contains("`k[1]`"));
        assert!(read(json!([[1.0, 2.0], [3.0]]), &[2, 2]).unwrap_err().contains("`k[1]`"));
        assert!(read(json!([[], []]), &[2]).is_err() && read(json!([]), &[1]).is_err());
    }

    #[test]
    fn a_plain_number_is_complex_without_imaginary_part() {
        let read = |v: Value, shape: &[usize]| complex_array(&v, shape, "k").map_err(|e| e.to_string());
        assert_eq!(read(json!({ "re": 1, "im": -2 }), &[]).unwrap(), [Complex::new(1.0, -2.0)]);
        assert_eq!(read(json!([1.5, 2]), &[2]).unwrap(), [Complex::from(1.5), Complex::from(2.0)]);
        for bad in [json!({ "re": 1 }), json!("1"), json!({ "re": 1, "im": 2, "i": 0 }), json!([1, null])] {
            assert!(read(bad.clone(), &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_and_missing_keys_are_named() {
        let value = json!({ "trasmit_power": 1.0, "users": 2.5, "beta": [1.0, -1.0] });
        let fields = Fields::new(&value, "instance").unwrap();
        assert!(fields.number("transmit_power", Number::Positive).unwrap_err().to_string().contains("no such key"));
        assert!(fields.number("transmit_power", Number::Positive).unwrap_err().to_string().contains("`trasmit_power`"));
        assert!(fields.integer("users", 1).unwrap_err().to_string().contains("2.5"));
        assert!(fields.vector("beta", Number::Positive).unwrap_err().to_string().contains("instance.beta[1]"));
        let message = fields.finish().unwrap_err().to_string();
        assert!(message.contains("trasmit_power") && message.contains("did you mean `transmit_power`"), "{message}");
    }

    #[test]
    fn a_files_text_reads_back_as_the_same_file() {
        let file = InstanceFile {
            scenario: "x".into(),
            description: "a \"quoted\" text".into(),
            instance: json!({ "power": 1.0 / 3.0, "fading": [1e-300, 0.1 + 0.2], "empty": {} }),
            designs: Map::from_iter([("half".to_string(), json!({ "p": [1.0, 2.0] }))]),
            extra: Map::new(),
        };
        let text = file.to_text();
        assert_eq!(InstanceFile::parse(&text).unwrap().to_json(), file.to_json());
        assert!(text.lines().any(|line| line.trim() == "\"fading\": [1e-300,0.30000000000000004],"), "{text}");
    }

    #[test]
    fn the_top_level_is_strict() {
        let parse = |v: Value| InstanceFile::parse(&v.to_string()).map_err(|e| e.to_string());
        let good = json!({ "format": FORMAT, "scenario": "x", "instance": {}, "expected": 3 });
        assert!(parse(good.clone()).is_ok());
        for (key, value, word) in [
            ("format", json!("isacopt-instance/9"), "format"),
            ("scenario", json!(3), "scenario"),
            ("desings", json!({}), "desings"),
            ("designs", json!([]), "designs"),
        ] {
            let mut bad = good.clone();
            bad[key] = value;
            assert!(parse(bad).unwrap_err().contains(word));
        }
        assert!(InstanceFile::parse("{\"format\": ").is_err());
    }
}
