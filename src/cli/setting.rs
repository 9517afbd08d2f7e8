//! `--set KEY=VALUE`: one value put at a path of a JSON object.

use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::{InputError, Result};
use crate::instance::found;

/// One `--set KEY=VALUE`. VALUE is JSON, or a bare word that stands for a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The key's path, taken apart at the dots.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, written)) = text.split_once('=') else {
            return Err("write KEY=VALUE, such as solver.max_iterations=20".into());
        };
        let path: Vec<String> = key.trim().split('.').map(str::to_string).collect();
        if path.iter().any(String::is_empty) {
            return Err(format!("`{key}` is no key; write names joined by dots"));
        }
        let value = match serde_json::from_str(written) {
            Ok(value) => value,
            Err(error) if written.trim_start().starts_with(['{', '[', '"']) => {
                return Err(format!("the value is no JSON: {error}"));
            }
            Err(_) => Value::String(written.to_string()),
        };
        Ok(Self { path, value })
    }
}

impl Setting {
    /// The path as it was written.
    pub fn key(&self) -> String {
        self.path.join(".")
    }

    /// Puts the value at the path below its first `skip` names. Objects on the way are made where they are missing;
    /// a list's entry is named by its number, from 0.
    pub fn apply(&self, skip: usize, object: &mut Map<String, Value>) -> Result<()> {
        let Some((first, rest)) = self.path.get(skip..).and_then(<[String]>::split_first) else {
            return Err(InputError::new(self.key(), "no name behind it", "a key's whole path").into());
        };
        let mut place = object.entry(first.clone()).or_insert(Value::Null);
        for (depth, name) in rest.iter().enumerate() {
            let so_far = || self.path[..=skip + depth].join(".");
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            place = match place {
                Value::Object(inner) => inner.entry(name.clone()).or_insert(Value::Null),
                Value::Array(items) => {
                    let allowed = format!("`{}` has {} entries, numbered from 0", so_far(), items.len());
                    let index = name.parse::<usize>().ok().filter(|i| *i < items.len());
                    let index = index.ok_or_else(|| InputError::new(self.key(), format!("entry `{name}`"), allowed))?;
                    &mut items[index]
                }
                other => {
                    return Err(InputError::new(so_far(), found(other), "an object, to set a key in it").into());
                }
            };
        }
        *place = self.value.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(object: Value, setting: &str) -> Result<Value, String> {
        let setting: Setting = setting.parse()?;
        let Value::Object(mut object) = object else { return Err("no object".into()) };
        setting.apply(1, &mut object).map_err(|e| e.to_string())?;
        Ok(Value::Object(object))
    }

    #[test]
    fn values_are_json_or_bare_words() {
        assert_eq!(set(json!({}), "instance.a=1e-3").unwrap(), json!({ "a": 1e-3 }));
        assert_eq!(set(json!({}), "instance.a=zf").unwrap(), json!({ "a": "zf" }));
        assert_eq!(set(json!({}), "instance.a=\"1\"").unwrap(), json!({ "a": "1" }));
        assert_eq!(set(json!({ "a": 2 }), "instance.a=null").unwrap(), json!({ "a": null }));
        assert_eq!(set(json!({}), "instance.a=b=c").unwrap(), json!({ "a": "b=c" }));
    }

    #[test]
    fn paths_go_into_objects_and_lists() {
        assert_eq!(set(json!({ "a": { "b": 1, "c": 2 } }), "i.a.b=3").unwrap(), json!({ "a": { "b": 3, "c": 2 } }));
        assert_eq!(set(json!({}), "i.a.b=3").unwrap(), json!({ "a": { "b": 3 } }));
        assert_eq!(set(json!({ "a": [1, [2, 3]] }), "i.a.1.0=9").unwrap(), json!({ "a": [1, [9, 3]] }));
    }

    #[test]
    fn what_cannot_be_set_is_told() {
        for (setting, word) in [
            ("i.a.2=1", "2 entries"),
            ("i.b.c=1", "`i.b`: found 3"),
            ("i=1", "whole path"),
            ("i.a", "KEY=VALUE"),
            ("i..a=1", "no key"),
            ("i.a=[1", "no JSON"),
        ] {
            let message = set(json!({ "a": [1, 2], "b": 3 }), setting).unwrap_err();
            assert!(message.contains(word), "{setting}: {message}");
        }
    }
}
