//! A resolved config as TOML text.

use serde_json::{Map, Value};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

/// The text of a config: sections as tables, lists of tables as `[[...]]`, all else in its line.
pub fn to_toml(tree: &Map<String, Value>) -> String {
    let mut document = DocumentMut::new();
    for (key, entry) in tree {
        if let Some(item) = item(entry, key == "sweep") {
            document.insert(key, item);
        }
    }
    document.to_string()
}

fn item(entry: &Value, sweep: bool) -> Option<Item> {
    match entry {
        Value::Object(table) => Some(Item::Table(section(table, sweep))),
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            let tables = items.iter().filter_map(Value::as_object).map(|table| section(table, false));
            Some(Item::ArrayOfTables(tables.collect::<ArrayOfTables>()))
        }
        other => plain(other).map(value),
    }
}

fn section(table: &Map<String, Value>, sweep: bool) -> Table {
    let mut section = Table::new();
    for (key, entry) in table {
        // Only `[[sweep.zip]]` is written as tables below a section.
        let nested = if sweep && key == "zip" { item(entry, false) } else { plain(entry).map(value) };
        if let Some(nested) = nested {
            section.insert(key, nested);
        }
    }
    section
}

pub(super) fn plain(entry: &Value) -> Option<toml_edit::Value> {
    Some(match entry {
        Value::Null => return None,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().filter_map(plain).collect::<Array>().into(),
        Value::Object(table) => {
            let entries = table.iter().filter_map(|(key, entry)| Some((key.as_str(), plain(entry)?)));
            entries.collect::<InlineTable>().into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let text = "name = \"a \\\"b\\\"\"\ninstances = [\"x\", \"y\"]\n\n[scenario]\ntype = \"m\"\npower = \"20 dB\"\n\
            array = { h = 2, v = [1.5, 2.0] }\nlimit = 1e-300\nmost = inf\n\n[[solver]]\ntype = \"a\"\n\n[[solver]]\n\
            type = \"b\"\nblocks = [{ solver = { type = \"c\" } }]\n\n[sweep]\n\"scenario.power\" = [1, \"2 dB\"]\n\n\
            [[sweep.zip]]\n\"a.b\" = [1]\n\n[[sweep.zip]]\n\"c.d\" = [2]\n";
        let tree = Source::parse(text, "a").unwrap().tree;
        let written = to_toml(&tree);
        assert_eq!(Source::parse(&written, "b").unwrap().tree, tree, "{written}");
        assert!(written.contains("[scenario]") && written.contains("[[solver]]"), "{written}");
    }
}
