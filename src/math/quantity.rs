//! Quantities as a person writes them: a plain number, or text with a unit (`"-35 dB"`, `"10 W"`, `"0.5 deg"`).
//!
//! Each type keeps what was written, so that a resolved config says what its author said, and gives the
//! number in the model's unit on request.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// `10 log10(ratio)`.
pub fn decibel(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// `10^(decibels / 10)`.
pub fn from_decibel(decibels: f64) -> f64 {
    10f64.powf(decibels / 10.0)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl Written {
    /// Number and unit (empty for a plain number).
    fn parts(&self) -> Option<(f64, &str)> {
        match self {
            Self::Number(value) => Some((*value, "")),
            Self::Text(text) => number_and_unit(text),
        }
    }
}

/// Splits a written quantity into its number and its unit (empty for a plain number): `"-35 dB"`, `"1e-3 W"`, `"inf"`.
pub fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|(i, c)| {
            let exponent = matches!(c, 'e' | 'E')
                && text[i + 1..].starts_with(|n: char| n.is_ascii_digit() || matches!(n, '+' | '-'));
            !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.') || exponent)
        })
        .map_or(text.len(), |(i, _)| i);
    let (number, unit) = text.split_at(end);
    match number.parse::<f64>() {
        Ok(value) => Some((value, unit.trim())),
        Err(_) if text.eq_ignore_ascii_case("inf") => Some((f64::INFINITY, "")),
        Err(_) => None,
    }
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, |$value:ident, $unit:ident| $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(transparent)]
        pub struct $name(Written);

        impl $name {
            /// From a plain number in the model's unit.
            pub fn new(value: f64) -> Self {
                Self(Written::Number(value))
            }

            fn read(written: &Written) -> Option<Reading> {
                let ($value, $unit) = written.parts()?;
                let read: Option<Reading> = $read;
                read.filter(|r| !r.value.is_nan())
            }

            fn reading(&self) -> Reading {
                // Every value of this type passed `read` when it was made, or is a plain number.
                Self::read(&self.0).unwrap_or(Reading { value: f64::NAN, relative: false })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let expected = concat!("expected ", $allowed);
                let written = Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(expected))?;
                match Self::read(&written) {
                    Some(_) => Ok(Self(written)),
                    None => Err(serde::de::Error::custom(match &written {
                        Written::Number(n) => format!("found {n}, {expected}"),
                        Written::Text(t) => format!("found \"{t}\", {expected}"),
                    })),
                }
            }
        }

        impl From<f64> for $name {
            fn from(value: f64) -> Self {
                Self::new(value)
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let written = Written::Text(text.to_string());
                match Self::read(&written) {
                    Some(_) => Ok(Self(written)),
                    None => Err(format!("found \"{text}\", expected {}", $allowed)),
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["number", "string"], "description": $allowed })
            }
        }
    };
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    value: f64,
    relative: bool,
}

fn absolute(value: f64) -> Option<Reading> {
    Some(Reading { value, relative: false })
}

quantity! {
    /// A power: a number or `"10 W"`, `"30 dBm"`, `"10 dBW"` (absolute), or `"20 dB"`, relative to the noise power.
    Power, "a power: a number, \"10 W\", \"5 mW\", \"30 dBm\", \"10 dBW\", or \"20 dB\" relative to the noise power",
    |value, unit| match unit {
        "" | "W" => absolute(value),
        "mW" => absolute(1e-3 * value),
        "dBW" => absolute(from_decibel(value)),
        "dBm" => absolute(1e-3 * from_decibel(value)),
        "dB" => Some(Reading { value: from_decibel(value), relative: true }),
        _ => None,
    }
}

impl Power {
    /// The linear power, in the unit of the noise power.
    pub fn linear(&self, noise_power: f64) -> f64 {
        let reading = self.reading();
        if reading.relative { reading.value * noise_power } else { reading.value }
    }
}

quantity! {
    /// A ratio: a number or `"3 dB"`.
    Ratio, "a ratio: a number, or \"3 dB\"",
    |value, unit| match unit {
        "" => absolute(value),
        "dB" => absolute(from_decibel(value)),
        _ => None,
    }
}

impl Ratio {
    /// The linear ratio.
    pub fn linear(&self) -> f64 {
        self.reading().value
    }
}

quantity! {
    /// An angle: a number in rad, `"22.5 deg"` or `"0.39 rad"`.
    Angle, "an angle: a number in rad, \"22.5 deg\", or \"0.39 rad\"",
    |value, unit| match unit {
        "" | "rad" => absolute(value),
        "deg" | "°" => absolute(value.to_radians()),
        _ => None,
    }
}

impl Angle {
    /// The angle in rad.
    pub fn radians(&self) -> f64 {
        self.reading().value
    }
}

quantity! {
    /// A limit on a squared angle (a CRLB): a number in rad², `"-35 dB"` (of rad²), or its root, `"0.5 deg"`, `"0.01 rad"`.
    SquaredAngle, "a squared angle: a number in rad², \"-35 dB\", or its root as \"0.5 deg\" or \"0.01 rad\"",
    |value, unit| match unit {
        "" | "rad²" | "rad^2" => absolute(value),
        "dB" => absolute(from_decibel(value)),
        "rad" => absolute(value * value),
        "deg" | "°" => absolute(value.to_radians().powi(2)),
        _ => None,
    }
}

impl SquaredAngle {
    /// The squared angle in rad².
    pub fn squared_radians(&self) -> f64 {
        self.reading().value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn units_convert() {
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-12 * b.abs(), "{a} {b}");
        close(read::<Power>("\"20 dB\"").unwrap().linear(2.0), 200.0);
        close(read::<Power>("\"30 dBm\"").unwrap().linear(2.0), 1.0);
        close(read::<Power>("10").unwrap().linear(2.0), 10.0);
        close(read::<Power>("\"1e-3 W\"").unwrap().linear(2.0), 1e-3);
        close(read::<SquaredAngle>("\"-35 dB\"").unwrap().squared_radians(), 10f64.powf(-3.5));
        close(read::<SquaredAngle>("\"0.5 deg\"").unwrap().squared_radians(), 0.5f64.to_radians().powi(2));
        close(read::<Angle>("\"22.5 deg\"").unwrap().radians(), std::f64::consts::PI / 8.0);
        close(read::<Ratio>("\"-3dB\"").unwrap().linear(), from_decibel(-3.0));
    }

    #[test]
    fn a_wrong_unit_says_what_is_allowed() {
        let message = read::<Power>("\"10 deg\"").unwrap_err();
        assert!(message.contains("10 deg") && message.contains("dBm"), "{message}");
        assert!(read::<Angle>("true").unwrap_err().contains("an angle"));
        assert!(read::<Angle>("\"NaN\"").is_err());
    }

    #[test]
    fn what_was_written_is_kept() {
        assert_eq!(serde_json::to_string(&read::<Power>("\"20 dB\"").unwrap()).unwrap(), "\"20 dB\"");
    }
}
