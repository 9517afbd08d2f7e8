//! The `[sweep]` section: the points at which an experiment is run, each a cell.

use serde_json::{Map, Value};

use super::source::segment;
use crate::error::InputError;
use crate::instance::found;

/// More cells than this are refused, as a slip of the pen.
const MOST_CELLS: usize = 1_000_000;

/// Keys that are walked together; one key alone for a plain line of `[sweep]`.
#[derive(Clone, Debug, PartialEq)]
struct Axis {
    keys: Vec<(String, String, Vec<Value>)>,
    length: usize,
}

/// One key at one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The key as written, such as `scenario.transmit_power`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// The path of the key's list in the config.
    pub list: String,
    /// The value's place in the list.
    pub index: usize,
}

/// The assignments of every cell: lists are crossed, the first the slowest; `[[sweep.zip]]` tables walk their keys
/// together. One cell without assignments where there is no sweep.
pub fn cells(section: Option<&Value>, mistakes: &mut Vec<InputError>) -> Vec<Vec<Assignment>> {
    let axes = section.map(|section| axes(section, mistakes)).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for (key, path, _) in axes.iter().flat_map(|axis| &axis.keys) {
        if seen.contains(&key.as_str()) {
            mistakes.push(InputError::new(path, format!("a second sweep over `{key}`"), "each key once"));
        }
        seen.push(key);
    }
    let count = axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.length)).filter(|n| *n <= MOST_CELLS);
    let Some(count) = count else {
        mistakes.push(InputError::new("sweep", "too many cells", format!("at most {MOST_CELLS} in all")));
        return vec![Vec::new()];
    };
    let assignments = |cell: usize| {
        let mut stride = count;
        let mut all = Vec::new();
        for axis in &axes {
            stride /= axis.length;
            let index = cell / stride % axis.length;
            all.extend(axis.keys.iter().map(|(key, list, values)| Assignment {
                key: key.clone(),
                value: values[index].clone(),
                list: list.clone(),
                index,
            }));
        }
        all
    };
    (0..count).map(assignments).collect()
}

fn axes(section: &Value, mistakes: &mut Vec<InputError>) -> Vec<Axis> {
    let Some(table) = section.as_object() else {
        mistakes.push(InputError::new("sweep", found(section), "a table of lists: \"scenario.users\" = [4, 8]"));
        return Vec::new();
    };
    let mut axes = Vec::new();
    for (key, value) in table {
        if key == "zip" {
            let list = std::slice::from_ref(value);
            let tables = value.as_array().map_or(list, Vec::as_slice);
            for (i, zip) in tables.iter().enumerate() {
                let path = if value.is_array() { format!("sweep.zip[{i}]") } else { "sweep.zip".to_string() };
                match zip.as_object().filter(|zip| !zip.is_empty()) {
                    Some(zip) => axes.extend(zipped(zip, &path, mistakes)),
                    None => mistakes.push(InputError::new(path, found(zip), "a table of lists of equal length")),
                }
            }
        } else {
            let path = format!("sweep.{}", segment(key));
            if let Some(values) = list(value, &path, mistakes) {
                axes.push(Axis { length: values.len(), keys: vec![(key.clone(), path, values)] });
            }
        }
    }
    if table.is_empty() {
        mistakes.push(InputError::new("sweep", "nothing to sweep", "lists: \"scenario.users\" = [4, 8]"));
    }
    axes
}

fn zipped(zip: &Map<String, Value>, path: &str, mistakes: &mut Vec<InputError>) -> Option<Axis> {
    let mut keys: Vec<(String, String, Vec<Value>)> = Vec::new();
    for (key, value) in zip {
        let path = format!("{path}.{}", segment(key));
        let values = list(value, &path, mistakes)?;
        if let Some((first, _, other)) = keys.first().filter(|(_, _, other)| other.len() != values.len()) {
            let allowed = format!("as many as `{first}` has: {}", other.len());
            mistakes.push(InputError::new(path, format!("{} values", values.len()), allowed));
            return None;
        }
        keys.push((key.clone(), path, values));
    }
    let length = keys.first()?.2.len();
    Some(Axis { keys, length })
}

fn list(value: &Value, path: &str, mistakes: &mut Vec<InputError>) -> Option<Vec<Value>> {
    match value.as_array() {
        Some(values) if !values.is_empty() => Some(values.clone()),
        Some(_) => {
            mistakes.push(InputError::new(path, "an empty list", "at least one value"));
            None
        }
        None => {
            mistakes.push(InputError::new(path, found(value), "a list of values"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn points(section: Value) -> Result<Vec<String>, Vec<InputError>> {
        let mut mistakes = Vec::new();
        let cells = cells(Some(&section), &mut mistakes);
        let text = |cell: &Vec<Assignment>| {
            cell.iter().map(|a| format!("{}={}", a.key, a.value)).collect::<Vec<_>>().join(" ")
        };
        if mistakes.is_empty() { Ok(cells.iter().map(text).collect()) } else { Err(mistakes) }
    }

    #[test]
    fn lists_are_crossed_and_zips_walked_together() {
        let section = json!({ "b": [1, 2], "zip": [{ "c": [3, 4], "a": ["x", "y"] }] });
        let expected = ["b=1 c=3 a=\"x\"", "b=1 c=4 a=\"y\"", "b=2 c=3 a=\"x\"", "b=2 c=4 a=\"y\""];
        assert_eq!(points(section).unwrap(), expected);
        assert_eq!(cells(None, &mut Vec::new()), [vec![]]);
    }

    #[test]
    fn what_is_no_sweep_is_told() {
        for (section, key, word) in [
            (json!({ "a": [] }), "sweep.a", "empty"),
            (json!({}), "sweep", "nothing"),
            (json!({ "scenario.a": 3 }), "sweep.\"scenario.a\"", "found 3"),
            (json!({ "zip": [{ "a": [1], "b": [1, 2] }] }), "sweep.zip[0].b", "2 values"),
            (json!({ "zip": [{}] }), "sweep.zip[0]", "table of lists"),
            (json!({ "a": [1], "zip": { "a": [2] } }), "sweep.zip.a", "second sweep"),
            (json!([1]), "sweep", "a list of 1"),
        ] {
            let mistakes = points(section.clone()).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{section}");
            assert_eq!(mistakes[0].key, key);
            assert!(mistakes[0].to_string().contains(word), "{}", mistakes[0]);
        }
        let long: Vec<u64> = (0..2000).collect();
        assert!(points(json!({ "a": long, "b": long })).unwrap_err()[0].found.contains("too many"));
    }
}
