//! `--set KEY=VALUE`: a value put into a config as if it stood in its file.

use serde_json::{Map, Value};

use super::source::{Source, entry_name, set_value};
use super::system::default_section;
use crate::error::{Error, InputError, Result};

/// One `--set KEY=VALUE`.
pub fn set(source: &mut Source, setting: &str) -> Result<()> {
    let refuse = |found: &str| {
        let allowed = "KEY=VALUE, such as scenario.users=8 or solver.sca.max_iterations=20";
        Err(Error::from(InputError::new("", format!("\"{found}\""), allowed)).in_file("--set"))
    };
    let Some((key, written)) = split(setting) else { return refuse(setting) };
    let key = key.trim();
    let path = key_path(key, &source.tree);
    if path.iter().any(String::is_empty) {
        return refuse(setting);
    }
    let value = set_value(written, key)?;
    // A key inside a table that the file leaves out stands among that table's default values.
    if let [section, table, _, ..] = path.as_slice()
        && section == "scenario"
        && let Some(Value::Object(scenario)) = source.tree.get_mut("scenario")
        && !scenario.contains_key(table)
        && let Some(Value::String(name)) = scenario.get("type")
        && let Some(default) = default_section(name).and_then(|mut default| default.remove(table))
    {
        scenario.insert(table.clone(), default);
    }
    source.set(&path, value, setting)
}

/// Key and value: what is before the first `=` outside of quotes, and what is behind it.
fn split(setting: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let equals = setting.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == '=' && !quoted
    });
    equals.map(|(at, _)| (&setting[..at], &setting[at + 1..]))
}

/// A key taken apart: `sweep.KEY` keeps its key whole, `solver.LABEL.KEY` its label.
pub fn key_path(key: &str, tree: &Map<String, Value>) -> Vec<String> {
    let unquoted = |text: &str| text.trim_matches(['"', '\'']).to_string();
    if let Some(rest) = key.strip_prefix("sweep.").filter(|rest| !rest.starts_with("zip")) {
        return vec!["sweep".into(), unquoted(rest)];
    }
    for list in ["solver", "metric"] {
        let Some(rest) = key.strip_prefix(list).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let entries = tree.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut names: Vec<String> = entries.iter().map(entry_name).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            for written in [name.clone(), format!("\"{name}\"")] {
                if let Some(inner) = rest.strip_prefix(&written).and_then(|rest| rest.strip_prefix('.')) {
                    return [list.to_string(), name].into_iter().chain(inner.split('.').map(unquoted)).collect();
                }
            }
        }
    }
    key.split('.').map(|part| unquoted(part.trim())).collect()
}
