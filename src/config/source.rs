//! A config's text as a tree of values, with the line of every key.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, InputError, Result};
use crate::instance::{found, read_text};

/// Configs above this size are refused: 16 MiB.
const LARGEST_CONFIG: u64 = 16 << 20;

/// Where a value was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file; `--set KEY=VALUE` where it came from the command line.
    pub file: Option<String>,
    /// The line in the file, from 1.
    pub line: Option<usize>,
}

/// A config, read but not yet understood.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its values. Infinities are the text "inf" or "-inf", as everywhere in isacopt's JSON.
    pub tree: Map<String, Value>,
    file: String,
    places: BTreeMap<String, Place>,
}

impl Source {
    /// Reads a file. Errors name it, and the line.
    pub fn read(path: &Path) -> Result<Self> {
        let size = std::fs::metadata(path).map_err(|e| Error::file("read", path, e))?.len();
        if size > LARGEST_CONFIG {
            let allowed = format!("a config of at most {LARGEST_CONFIG} bytes");
            return Err(Error::from(InputError::new("", format!("a file of {size} bytes"), allowed)).in_file(path));
        }
        Self::parse(&read_text(path)?, &path.display().to_string())
    }

    /// Reads a config's text; `file` is its name in messages.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let document = DeTable::parse(text).map_err(|error| {
            let mistake = InputError::new("", format!("no TOML: {}", error.message()), "a TOML file");
            let line = error.span().map(|span| line_of(text, span.start));
            Error::from(InputError { line, ..mistake }).in_file(file)
        })?;
        let mut reader = Reader { text, file, places: BTreeMap::new(), mistakes: Vec::new() };
        let tree = reader.table(document.get_ref(), "");
        match reader.mistakes.is_empty() {
            true => Ok(Self { tree, file: file.to_string(), places: reader.places }),
            false => Err(Error::Input(reader.mistakes)),
        }
    }

    /// Puts a value at a path, as if it stood in the file. Tables on the way are made where they are missing; an
    /// entry of `solver`, `metric` or `figure` is named by its label, name, type or kind.
    pub fn set(&mut self, path: &[String], value: Value, written: &str) -> Result<()> {
        let place = Place { file: Some(format!("--set {written}")), line: None };
        let at = put(&mut self.tree, path, value).map_err(|e| Error::from(e).in_file(format!("--set {written}")))?;
        // What stood below it in the file is no more.
        let below = |key: &String| key.strip_prefix(at.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
        self.places.retain(|key, _| !below(key));
        self.places.insert(at, place);
        Ok(())
    }

    /// Where the value at a path was written, or what holds it.
    pub fn place(&self, path: &str) -> Place {
        let mut rest = path;
        loop {
            if let Some(place) = self.places.get(rest) {
                return place.clone();
            }
            match rest.rfind(['.', '[']) {
                Some(end) => rest = &rest[..end],
                None => return Place { file: Some(self.file.clone()), line: None },
            }
        }
    }

    /// Gives mistakes the file and line of their keys, where they have none.
    pub fn locate(&self, mistakes: Vec<InputError>) -> Vec<InputError> {
        let locate = |mistake: InputError| {
            let place = self.place(&mistake.key);
            match mistake.file {
                Some(_) => mistake,
                None => InputError { file: place.file, line: mistake.line.or(place.line), ..mistake },
            }
        };
        mistakes.into_iter().map(locate).collect()
    }
}

/// Puts a value into a tree, and gives the path at which it stands now.
pub fn put(tree: &mut Map<String, Value>, path: &[String], value: Value) -> Result<String, InputError> {
    let Some((first, rest)) = path.split_first() else {
        return Err(InputError::new("", "no key", "a key's path, such as scenario.users"));
    };
    let listed = matches!(first.as_str(), "solver" | "metric" | "figure");
    let mut at = first.clone();
    let mut slot = tree.entry(first.clone()).or_insert(Value::Null);
    for (depth, name) in rest.iter().enumerate() {
        if slot.is_null() && !(listed && depth == 0) {
            *slot = Value::Object(Map::new());
        }
        let held = if slot.is_null() { format!("no `{first}` at all") } else { found(slot) };
        slot = match slot {
            Value::Array(entries) if listed && depth == 0 => {
                let names: Vec<String> = entries.iter().map(entry_name).collect();
                let index = names
                    .iter()
                    .position(|n| n == name)
                    .ok_or_else(|| InputError::unknown(path.join("."), name, names.iter().map(String::as_str)))?;
                at = format!("{at}[{index}]");
                &mut entries[index]
            }
            Value::Object(table) => {
                at = format!("{at}.{}", segment(name));
                table.entry(name.clone()).or_insert(Value::Null)
            }
            _ => return Err(InputError::new(at, held, "a table, to set a key in it")),
        };
    }
    *slot = value;
    Ok(at)
}

/// What an entry of `[[solver]]`, `[[metric]]` or `[[figure]]` goes by.
pub fn entry_name(entry: &Value) -> String {
    let names = ["label", "name", "type", "kind"].iter().find_map(|key| entry.get(key).and_then(Value::as_str));
    names.unwrap_or_default().to_string()
}

/// Reads the value of `--set KEY=VALUE`: a TOML value, else the bare text.
pub fn set_value(written: &str, key: &str) -> Result<Value> {
    let file = format!("--set {key}={written}");
    let starts_like_toml = written.trim_start().starts_with(['[', '{', '"', '\'']);
    match DeValue::parse(written) {
        Ok(value) => {
            let mut reader = Reader { text: "", file: &file, places: BTreeMap::new(), mistakes: Vec::new() };
            let value = reader.value(&value, key);
            match reader.mistakes.is_empty() {
                true => Ok(value),
                false => {
                    let unplaced = |m| InputError { line: None, ..m };
                    Err(Error::Input(reader.mistakes.into_iter().map(unplaced).collect()))
                }
            }
        }
        Err(error) if starts_like_toml => {
            let mistake = InputError::new(key, format!("no TOML: {}", error.message()), "a TOML value or a bare word");
            Err(Error::from(mistake).in_file(file))
        }
        Err(_) => Ok(Value::String(written.to_string())),
    }
}

/// A key as it stands in a path: quoted where it is not bare.
pub fn segment(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_string() } else { format!("\"{key}\"") }
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    places: BTreeMap<String, Place>,
    mistakes: Vec<InputError>,
}

impl Reader<'_> {
    fn note(&mut self, path: &str, offset: usize) {
        let place = Place { file: Some(self.file.to_string()), line: Some(line_of(self.text, offset)) };
        self.places.insert(path.to_string(), place);
    }

    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Map<String, Value> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut tree = Map::new();
        for (key, value) in entries {
            let name = segment(key.get_ref());
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            self.note(&path, key.span().start);
            let value = self.value(value, &path);
            tree.insert(key.get_ref().to_string(), value);
        }
        tree
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Value {
        let offset = value.span().start;
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(whole) => whole.into(),
                Err(_) => self.refuse(path, offset, integer.to_string(), "a whole number of at most 64 bits"),
            },
            DeValue::Float(float) => {
                let written = float.as_str();
                match written.parse::<f64>() {
                    Ok(x) if x.is_infinite() && written.contains("inf") => crate::metric::number_json(x),
                    Ok(x) if x.is_finite() => Number::from_f64(x).map_or(Value::Null, Value::Number),
                    _ => self.refuse(path, offset, written.to_string(), "a finite number"),
                }
            }
            DeValue::Datetime(date) => {
                self.refuse(path, offset, format!("the date {date}"), "a number, text, list or table")
            }
            DeValue::Array(items) => {
                let item = |(i, item): (usize, &Spanned<DeValue<'_>>)| {
                    let path = format!("{path}[{i}]");
                    self.note(&path, item.span().start);
                    self.value(item, &path)
                };
                items.iter().enumerate().map(item).collect()
            }
            DeValue::Table(table) => Value::Object(self.table(table, path)),
        }
    }

    fn refuse(&mut self, path: &str, offset: usize, found: String, allowed: &str) -> Value {
        let mistake = InputError::new(path, found, allowed).at_line(line_of(self.text, offset));
        self.mistakes.push(InputError { file: Some(self.file.to_string()), ..mistake });
        Value::Null
    }
}

/// The line, from 1, of a byte of a text.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "name = 'a'\n\n[scenario]\ntype = 'x'\npower = inf\narray = { h = 2,\n  v = 3 }\n\n\
        [[solver]]\ntype = 'b'\n\n[[solver]]\ntype = 'a'\nlabel = 'mine'\nsteps = 0x10\n\n\
        [sweep]\n\"scenario.z\" = [1]\n\"scenario.a\" = [\n  2,\n  3,\n]\n";

    #[test]
    fn values_come_in_order_with_their_lines() {
        let source = Source::parse(TEXT, "f.toml").unwrap();
        assert_eq!(source.tree["scenario"], json!({ "type": "x", "power": "inf", "array": { "h": 2, "v": 3 } }));
        assert_eq!(source.tree["solver"][1]["steps"], json!(16));
        let keys: Vec<_> = source.tree["sweep"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["scenario.z", "scenario.a"]);
        for (path, line) in [
            ("scenario.power", 5),
            ("scenario.array.v", 7),
            ("scenario.missing", 3),
            ("solver[1].label", 14),
            ("solver[1].nothing.at_all", 12),
            ("sweep.\"scenario.a\"[1]", 21),
        ] {
            assert_eq!(source.place(path).line, Some(line), "{path}");
        }
        assert_eq!(source.place("nowhere").line, None);
    }

    #[test]
    fn what_toml_cannot_say_here_is_refused_with_its_line() {
        let message = |text: &str| Source::parse(text, "f.toml").unwrap_err().to_string();
        assert!(message("a = 1\nb = [1.0, nan]").starts_with("f.toml:2: `b[1]`: found nan"), "{}", message("b = nan"));
        assert!(message("a = 1e999").contains("a finite number"));
        assert!(message("a = 1979-05-27").contains("the date 1979-05-27"));
        assert!(message("a = 99999999999999999999").contains("64 bits"));
        assert!(message("a = 1\na = 2").starts_with("f.toml:2: "), "{}", message("a = 1\na = 2"));
        assert!(message("[a\n").starts_with("f.toml:1: "));
        assert_eq!(message("a = nan\nb = nan").lines().count(), 2);
    }

    #[test]
    fn settings_go_to_their_place() {
        let mut source = Source::parse(TEXT, "f.toml").unwrap();
        let mut set = |key: &[&str], value: Value| {
            let path: Vec<String> = key.iter().map(ToString::to_string).collect();
            source.set(&path, value, "it").map_err(|e| e.to_string()).map(|()| source.tree.clone())
        };
        assert_eq!(set(&["solver", "mine", "steps"], json!(3)).unwrap()["solver"][1]["steps"], json!(3));
        assert_eq!(set(&["problem", "objective"], json!("r")).unwrap()["problem"], json!({ "objective": "r" }));
        let unknown = set(&["solver", "mime", "steps"], json!(3)).unwrap_err();
        assert!(unknown.contains("did you mean `mine`?") && unknown.starts_with("--set it: "), "{unknown}");
        assert!(set(&["name", "a"], json!(3)).unwrap_err().contains("`name`: found \"a\""));
        assert_eq!(source.place("solver[1].steps").file.unwrap(), "--set it");
    }

    #[test]
    fn set_values_are_toml_or_bare_words() {
        let value = |text: &str| set_value(text, "k").map_err(|e| e.to_string());
        assert_eq!(value("3").unwrap(), json!(3));
        assert_eq!(value("-35 dB").unwrap(), json!("-35 dB"));
        assert_eq!(value("['a', 2]").unwrap(), json!(["a", 2]));
        assert_eq!(value("").unwrap(), json!(""));
        assert!(value("[1").unwrap_err().starts_with("--set k=[1: `k`"));
        assert!(value("nan").unwrap_err().contains("a finite number"));
    }
}
