//! Records without what reports do not show: of many runs designs and certificates are most of what there is.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::metrics::Metrics;
use super::record::{ObjectiveValue, PluginOrigin, RunRecord};
use crate::number;
use crate::trace::Status;

/// A record without its certificate, and with no more of its design than its size.
pub(crate) struct Lean(pub RunRecord);

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        /// A record whose large parts are passed over.
        #[derive(Deserialize)]
        #[serde(remote = "RunRecord")]
        struct Skipping {
            run: String,
            cell: usize,
            sweep: Map<String, Value>,
            trial: u64,
            #[serde(default)]
            instance: Option<String>,
            solver: String,
            #[serde(rename = "type")]
            type_name: String,
            #[serde(default)]
            plugin: Option<PluginOrigin>,
            status: Status,
            reason: String,
            objective: ObjectiveValue,
            feasible: bool,
            #[serde(with = "number::plain")]
            violation: f64,
            #[serde(with = "number::optional")]
            bound: Option<f64>,
            #[serde(default)]
            bound_scope: Option<String>,
            #[serde(with = "number::optional")]
            gap: Option<f64>,
            iterations: u64,
            evaluations: u64,
            metrics: Metrics,
            #[serde(default, deserialize_with = "size_alone")]
            design: Option<Value>,
            #[serde(skip)]
            certificate: Option<Value>,
        }
        Skipping::deserialize(deserializer).map(Lean)
    }
}

/// Reads no more of a design than how many numbers it has.
fn size_alone<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Count::deserialize(deserializer).map(|numbers| Some(Value::from(numbers.0)))
}

/// How many numbers stand in a JSON value.
pub(crate) struct Count(pub usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Counting;
        impl<'de> serde::de::Visitor<'de> for Counting {
            type Value = Count;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a value")
            }
            fn visit_f64<E>(self, _: f64) -> std::result::Result<Count, E> {
                Ok(Count(1))
            }
            fn visit_u64<E>(self, _: u64) -> std::result::Result<Count, E> {
                Ok(Count(1))
            }
            fn visit_i64<E>(self, _: i64) -> std::result::Result<Count, E> {
                Ok(Count(1))
            }
            fn visit_str<E>(self, _: &str) -> std::result::Result<Count, E> {
                Ok(Count(0))
            }
            fn visit_bool<E>(self, _: bool) -> std::result::Result<Count, E> {
                Ok(Count(0))
            }
            fn visit_unit<E>(self) -> std::result::Result<Count, E> {
                Ok(Count(0))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Count, A::Error> {
                let mut all = 0;
                while let Some(Count(more)) = items.next_element()? {
                    all += more;
                }
                Ok(Count(all))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Count, A::Error> {
                let mut all = 0;
                while let Some((serde::de::IgnoredAny, Count(more))) = fields.next_entry()? {
                    all += more;
                }
                Ok(Count(all))
            }
        }
        deserializer.deserialize_any(Counting)
    }
}
