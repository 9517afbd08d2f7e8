//! A plugin's parameters: the JSON Schema that it exports, and tables held against it before anything runs.
//!
//! The schema is JSON Schema 2020-12 without what would need a language of its own: `type`, `enum`, `const`, bounds,
//! lengths, `items`, `properties`, `required`, `additionalProperties`, `anyOf`, `oneOf`, `allOf` and references into
//! `$defs`. A keyword beyond these is refused when the plugin is loaded: nothing is passed over unchecked.

use serde_json::{Map, Value};

use crate::error::InputError;
use crate::instance::found;

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "integer", "string"];

/// Keywords that say something to readers and nothing to a check.
const NOTES: [&str; 11] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "format",
    "deprecated",
    "readOnly",
];

/// References may lead so deep.
const DEEPEST: usize = 32;

/// The schema of an object of parameters.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    schema: &'a Value,
}

impl<'a> Parameters<'a> {
    /// A schema that can be checked against; else what is wrong with it.
    pub fn new(schema: &'a Value) -> Result<Self, String> {
        let parameters = Self { schema };
        parameters.check(schema, "", 0)?;
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => Ok(parameters),
            _ => Err("its `type` is not `object`".into()),
        }
    }

    /// The mistakes of a table, each with its key's path under `place`.
    pub fn mistakes(&self, table: &Map<String, Value>, place: &str) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        self.hold(self.schema, &Value::Object(table.clone()), place, &mut mistakes, 0);
        mistakes
    }

    /// The table with the schema's defaults where it has gaps.
    pub fn filled(&self, table: &Map<String, Value>) -> Map<String, Value> {
        let mut filled = table.clone();
        for (key, property) in self.schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let default = property.get("default").filter(|d| !d.is_null());
            if let (None, Some(default)) = (table.get(key), default) {
                filled.insert(key.clone(), default.clone());
            }
        }
        filled
    }

    /// The definition that a reference stands for.
    fn referred(&self, reference: &str) -> Option<&'a Value> {
        self.schema.get("$defs")?.get(reference.strip_prefix("#/$defs/")?)
    }

    /// Whether a schema itself is in order.
    fn check(&self, schema: &Value, at: &str, depth: usize) -> Result<(), String> {
        let place = if at.is_empty() { "the schema".to_string() } else { format!("`{at}`") };
        if schema.is_boolean() {
            return Ok(());
        }
        let object = schema.as_object().ok_or_else(|| format!("{place} is {}, no schema", found(schema)))?;
        if depth > DEEPEST {
            return Err(format!("{place} is nested deeper than {DEEPEST}"));
        }
        for (key, value) in object {
            let wrong = || Err(format!("{place}: `{key}` cannot be {}", found(value)));
            let below = |name: &str| if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
            match key.as_str() {
                "type" => {
                    let names = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                    if !names.iter().all(|n| n.as_str().is_some_and(|n| TYPES.contains(&n))) || names.is_empty() {
                        return Err(format!("{place}: {} is no type; there are {}", found(value), TYPES.join(", ")));
                    }
                }
                "enum" | "required" if !value.is_array() => return wrong(),
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" if !value.is_number() => {
                    return wrong();
                }
                "multipleOf" if value.as_f64().is_none_or(|x| x <= 0.0) => return wrong(),
                "minLength" | "maxLength" | "minItems" | "maxItems" if value.as_u64().is_none() => return wrong(),
                "uniqueItems" if !value.is_boolean() => return wrong(),
                "properties" | "$defs" => {
                    let Some(members) = value.as_object() else { return wrong() };
                    members.iter().try_for_each(|(name, member)| self.check(member, &below(name), depth + 1))?;
                }
                "items" | "additionalProperties" => self.check(value, &below(key), depth + 1)?,
                "prefixItems" | "anyOf" | "oneOf" | "allOf" => {
                    let Some(members) = value.as_array() else { return wrong() };
                    members.iter().try_for_each(|member| self.check(member, &below(key), depth + 1))?;
                }
                "$ref" if value.as_str().and_then(|r| self.referred(r)).is_none() => return wrong(),
                "enum" | "required" | "const" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum"
                | "multipleOf" | "minLength" | "maxLength" | "minItems" | "maxItems" | "uniqueItems" | "$ref" => {}
                note if NOTES.contains(&note) => {}
                _ => return Err(format!("{place}: the keyword `{key}` is not understood here")),
            }
        }
        Ok(())
    }

    /// Notes by what a value misses a schema.
    fn hold(&self, schema: &Value, value: &Value, place: &str, mistakes: &mut Vec<InputError>, depth: usize) {
        let Some(rules) = schema.as_object() else {
            if schema == &Value::Bool(false) {
                mistakes.push(InputError::new(place, found(value), "nothing"));
            }
            return;
        };
        if depth > DEEPEST {
            return mistakes.push(InputError::new(
                place,
                "a value nested too deep",
                format!("at most {DEEPEST} levels"),
            ));
        }
        if let Some(kinds) = rules.get("type") {
            let kinds: Vec<&str> = match kinds {
                Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            if !kinds.iter().any(|kind| is_of(value, kind)) {
                let words: Vec<&str> = kinds.iter().map(|kind| in_words(kind)).collect();
                return mistakes.push(InputError::new(place, found(value), words.join(" or ")));
            }
        }
        let mut refuse = |allowed: String| mistakes.push(InputError::new(place, found(value), allowed));
        if let Some(choices) = rules.get("enum").and_then(Value::as_array)
            && !choices.iter().any(|c| same(c, value))
        {
            let words: Vec<String> = choices.iter().map(plain).collect();
            refuse(format!("one of {}", words.join(", ")));
        }
        if let Some(constant) = rules.get("const")
            && !same(constant, value)
        {
            refuse(plain(constant));
        }
        if let Some(x) = value.as_f64() {
            let bound = |key: &str| rules.get(key).and_then(Value::as_f64);
            for (key, words, holds) in [
                ("minimum", "at least", (|x, b| x >= b) as fn(f64, f64) -> bool),
                ("maximum", "at most", |x, b| x <= b),
                ("exclusiveMinimum", "above", |x, b| x > b),
                ("exclusiveMaximum", "below", |x, b| x < b),
                ("multipleOf", "a multiple of", |x, b| ((x / b).round() * b - x).abs() <= 1e-9 * b),
            ] {
                if let Some(limit) = bound(key).filter(|limit| !holds(x, *limit)) {
                    refuse(format!("{words} {limit}"));
                }
            }
        }
        let length = match value {
            Value::String(text) => Some(("minLength", "maxLength", text.chars().count(), "letters")),
            Value::Array(items) => Some(("minItems", "maxItems", items.len(), "entries")),
            _ => None,
        };
        if let Some((least, most, length, what)) = length {
            let limit = |key: &str| rules.get(key).and_then(Value::as_u64);
            if let Some(least) = limit(least).filter(|n| (length as u64) < *n) {
                refuse(format!("at least {least} {what}"));
            }
            if let Some(most) = limit(most).filter(|n| length as u64 > *n) {
                refuse(format!("at most {most} {what}"));
            }
        }
        match value {
            Value::Array(items) => {
                if rules.get("uniqueItems") == Some(&Value::Bool(true))
                    && items.iter().enumerate().any(|(i, a)| items[..i].iter().any(|b| same(a, b)))
                {
                    refuse("entries that differ".into());
                }
                let first = rules.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                for (i, item) in items.iter().enumerate() {
                    if let Some(member) = first.get(i).or(rules.get("items")) {
                        self.hold(member, item, &format!("{place}[{i}]"), mistakes, depth + 1);
                    }
                }
            }
            Value::Object(table) => self.hold_table(rules, table, place, mistakes, depth),
            _ => {}
        }
        if let Some(member) = rules.get("$ref").and_then(Value::as_str).and_then(|r| self.referred(r)) {
            self.hold(member, value, place, mistakes, depth + 1);
        }
        for member in rules.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.hold(member, value, place, mistakes, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            let Some(members) = rules.get(key).and_then(Value::as_array) else { continue };
            let tried = members.iter().map(|member| {
                let mut own = Vec::new();
                self.hold(member, value, place, &mut own, depth + 1);
                own
            });
            let tried: Vec<Vec<InputError>> = tried.collect();
            let fitting = tried.iter().filter(|own| own.is_empty()).count();
            if fitting == 0 {
                let allowed: Vec<&str> = tried.iter().flatten().map(|m| m.allowed.as_str()).collect();
                mistakes.push(InputError::new(place, found(value), allowed.join(", or ")));
            } else if key == "oneOf" && fitting > 1 {
                mistakes.push(InputError::new(place, found(value), "what fits one of the choices alone"));
            }
        }
    }

    fn hold_table(
        &self,
        rules: &Map<String, Value>,
        table: &Map<String, Value>,
        place: &str,
        mistakes: &mut Vec<InputError>,
        depth: usize,
    ) {
        let none = Map::new();
        let properties = rules.get("properties").and_then(Value::as_object).unwrap_or(&none);
        for name in rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(name) {
                let key = format!("{place}.{name}");
                mistakes.push(InputError::new(key, "no such key", format!("a value for `{name}`")));
            }
        }
        for (key, value) in table {
            let path = format!("{place}.{key}");
            match (properties.get(key), rules.get("additionalProperties")) {
                (Some(member), _) => self.hold(member, value, &path, mistakes, depth + 1),
                (None, Some(Value::Bool(false))) => {
                    mistakes.push(InputError::unknown(path, key, properties.keys().map(String::as_str)));
                }
                (None, Some(member)) => self.hold(member, value, &path, mistakes, depth + 1),
                (None, None) => {}
            }
        }
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|x| x.fract() == 0.0),
        "string" => value.is_string(),
        _ => false,
    }
}

fn in_words(kind: &str) -> &str {
    match kind {
        "null" => "nothing",
        "boolean" => "true or false",
        "object" => "a table",
        "array" => "a list",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "text",
        other => other,
    }
}

/// Whether two values are equal; 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mistakes(schema: &Value, table: Value) -> Vec<String> {
        let parameters = Parameters::new(schema).unwrap();
        parameters.mistakes(table.as_object().unwrap(), "solver[0]").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_are_held_against_the_schema() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["rate"],
            "properties": {
                "rate": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
                "steps": { "type": "integer", "minimum": 1, "default": 7 },
                "kind": { "enum": ["a", "b"] },
                "list": { "type": "array", "items": { "type": "integer" }, "maxItems": 2 },
                "either": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/point" }] },
            },
            "$defs": { "point": { "type": "object", "properties": { "x": { "type": "number" } },
                "additionalProperties": false } }
        });
        assert!(mistakes(&schema, json!({ "rate": 0.5, "steps": 2.0, "either": { "x": 1 }, "list": [1] })).is_empty());
        let wrong = json!({ "rate": 0, "steps": 1.5, "kind": "c", "list": [1, "b", 3], "either": 4, "stps": 1 });
        let wrong = mistakes(&schema, wrong).join("\n");
        for words in [
            "`solver[0].rate`: found 0; allowed: above 0",
            "`solver[0].steps`: found 1.5; allowed: a whole number",
            "`solver[0].kind`: found \"c\"; allowed: one of `a`, `b`",
            "`solver[0].list[1]`: found \"b\"; allowed: a whole number",
            "at most 2 entries",
            "`solver[0].either`: found 4; allowed: nothing, or a table",
            "did you mean `steps`?",
        ] {
            assert!(wrong.contains(words), "no {words} in\n{wrong}");
        }
        assert!(mistakes(&schema, json!({})).join("").contains("`solver[0].rate`: found no such key"));
        let filled = Parameters::new(&schema).unwrap().filled(json!({ "rate": 1 }).as_object().unwrap());
        assert_eq!(Value::Object(filled), json!({ "rate": 1, "steps": 7 }));
    }

    #[test]
    fn schemas_that_cannot_be_checked_are_refused() {
        for (schema, words) in [
            (json!(3), "no schema"),
            (json!({ "type": "array" }), "not `object`"),
            (json!({ "type": "object", "properties": { "a": { "type": "flaot" } } }), "`a`: \"flaot\" is no type"),
            (json!({ "type": "object", "properties": [1] }), "`properties` cannot be"),
            (json!({ "type": "object", "patternProperties": {} }), "`patternProperties` is not understood"),
            (json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/b" } } }), "`$ref` cannot be"),
            (json!({ "type": "object", "properties": { "a": { "minimum": "1" } } }), "`minimum` cannot be"),
        ] {
            let why = Parameters::new(&schema).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        }
        // One that never ends does not hang.
        let endless = json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/a" } },
            "$defs": { "a": { "$ref": "#/$defs/a" } } });
        assert_eq!(mistakes(&endless, json!({ "a": 1 })).len(), 1);
    }
}
