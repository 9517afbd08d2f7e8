//! What serde says about a value, turned into a mistake with its place and what is allowed there.

use schemars::Schema;
use serde_json::Value;

use crate::error::InputError;
use crate::instance::found;

/// The mistake at `key` that a serde error about `value` speaks of.
///
/// Unknown fields and variants get the nearest valid name; types get words ("a whole number, 0 or more").
pub fn explain(key: &str, value: &Value, message: &str) -> InputError {
    if let Some((kind, name, valid)) = unknown_name(message) {
        let key = if kind == "field" { format!("{key}.{name}") } else { key.to_string() };
        return InputError::unknown(key, name, valid);
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return InputError::new(format!("{key}.{name}"), "no such key", format!("a value for `{name}`"));
    }
    let expected = message.rsplit_once("expected ").map_or(message, |(_, expected)| expected);
    let expected = expected.split(" at line ").next().unwrap_or(expected);
    InputError::new(key, found(value), type_in_words(expected))
}

/// "unknown field `x`, expected one of `a`, `b`" taken apart: ("field", "x", ["a", "b"]).
fn unknown_name(message: &str) -> Option<(&str, &str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown ")?;
    let mut quoted = rest.split('`');
    let kind = quoted.next()?.trim();
    let name = quoted.next()?;
    let _between = quoted.next();
    Some((kind, name, quoted.step_by(2).collect()))
}

fn type_in_words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a string" => "text".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        other if other.starts_with("struct ") || other.starts_with("internally tagged") => "a table".into(),
        other => other.to_string(),
    }
}

/// The names of an object's keys in its JSON Schema, and whether there may be others.
pub(super) fn schema_keys(schema: &Value) -> (Vec<&str>, bool) {
    let keys = schema.get("properties").and_then(Value::as_object);
    let keys = keys.map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    (keys, !closed)
}

/// The kind of value that a JSON Schema allows, in a word or two: "integer", "number or text", "`a` or `b`".
pub fn json_kind(schema: &Schema) -> String {
    kind(schema.as_value())
}

/// The kind of value of a property of a whole schema: like [`json_kind`], its definitions looked up.
pub fn property_kind(property: &Value, whole: &Value) -> String {
    kind(&looked_up(property, whole, 4))
}

/// A schema with its references replaced by what they stand for; its own keys go before.
pub(super) fn looked_up(schema: &Value, whole: &Value, depth: usize) -> Value {
    match schema {
        Value::Object(object) if depth > 0 => {
            let name = object.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"));
            let definition = name.and_then(|name| whole.get("$defs")?.get(name)).and_then(Value::as_object);
            let mut merged = definition.cloned().unwrap_or_default();
            merged.extend(
                object
                    .iter()
                    .filter(|(k, _)| definition.is_none() || *k != "$ref")
                    .map(|(k, v)| (k.clone(), v.clone())),
            );
            Value::Object(merged.into_iter().map(|(k, v)| (k, looked_up(&v, whole, depth - 1))).collect())
        }
        Value::Array(items) => items.iter().map(|item| looked_up(item, whole, depth)).collect(),
        other => other.clone(),
    }
}

fn kind(schema: &Value) -> String {
    let join = |items: Vec<String>| items.join(" or ");
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return join(choices.iter().map(|c| c.as_str().map_or(c.to_string(), |c| format!("`{c}`"))).collect());
    }
    if let Some(constant) = schema.get("const") {
        return constant.as_str().map_or(constant.to_string(), |c| format!("`{c}`"));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            return join(choices.iter().map(kind).collect());
        }
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or(reference).to_string();
    }
    let word = |name: &str| match name {
        "null" => "absent".to_string(),
        "object" => "table".to_string(),
        "array" => "list".to_string(),
        "string" => "text".to_string(),
        other => other.to_string(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => word(name),
        Some(Value::Array(names)) => join(names.iter().filter_map(Value::as_str).map(word).collect()),
        _ => "any value".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn serde_messages_become_mistakes_with_a_place() {
        let text = |message: &str| explain("solver.x", &json!("word"), message).to_string();
        let unknown = text("unknown field `rstarts`, expected one of `restarts`, `population`");
        assert!(unknown.contains("`solver.x.rstarts`") && unknown.contains("did you mean `restarts`?"), "{unknown}");
        assert!(text("unknown variant `a`, expected `b` or `c`").contains("one of `b`, `c`"));
        let wrong = text("invalid type: string \"word\", expected u64");
        assert_eq!(wrong, "`solver.x`: found \"word\"; allowed: a whole number, 0 or more");
    }

    #[test]
    fn kinds_are_words() {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code)]
        struct Parameters {
            count: Option<u64>,
        }
        let schema = schemars::schema_for!(Parameters);
        let count = Schema::try_from(schema.as_value()["properties"]["count"].clone()).unwrap();
        assert_eq!(json_kind(&count), "integer or absent");
    }
}
