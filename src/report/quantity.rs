//! How a quantity is shown: its name, its unit, and the scales that the field uses for it.

use serde_json::Value;

use super::swept::words;
use crate::metric::Direction;

/// How values become positions on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As they are.
    Linear,
    /// As they are, on a logarithmic axis.
    Logarithmic,
    /// `10 log10(value)`.
    Decibel,
    /// The root of a squared angle in rad², in degrees.
    RootDegrees,
}

impl Scale {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Linear, Self::Logarithmic, Self::Decibel, Self::RootDegrees];

    /// Its name in the page's data and in `[[figure]]` sections.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Logarithmic => "log",
            Self::Decibel => "dB",
            Self::RootDegrees => "degrees",
        }
    }

    /// The value as drawn; NaN where the scale has no place for it.
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic if value > 0.0 => value,
            Self::Decibel if value > 0.0 => crate::math::decibel(value),
            Self::RootDegrees if value >= 0.0 => value.sqrt().to_degrees(),
            _ => f64::NAN,
        }
    }
}

/// A figure of a run: a metric of its design, or something that its record holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// The metric's id, or `gap`, `time`, `iterations`, `evaluations`.
    pub id: String,
    /// The name as a reader sees it.
    pub name: String,
    /// The unit; empty for none.
    pub unit: String,
    /// Which way it gets better, where that is known.
    pub direction: Option<Direction>,
    /// Whether it has more than one entry (over users, access points).
    pub vector: bool,
    /// What it is, in words; empty where that is not recorded.
    pub description: String,
    /// The scales that make sense, the usual one first.
    pub scales: Vec<Scale>,
}

impl Quantity {
    /// A metric as recorded in results.
    pub fn metric(id: &str, unit: &str, vector: bool, direction: Option<Direction>) -> Self {
        let unit = if unit == "1" { "" } else { unit };
        Self {
            id: id.into(),
            name: capitalized(&words(id)),
            unit: unit.into(),
            direction,
            vector,
            description: String::new(),
            scales: scales(id, unit),
        }
    }

    /// Something that every record holds.
    pub fn of_run(id: &str, name: &str, unit: &str, scales: &[Scale]) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            unit: unit.into(),
            direction: Some(Direction::Minimize),
            vector: false,
            description: String::new(),
            scales: scales.to_vec(),
        }
    }

    /// The axis label at a scale: the quantity, and its unit in parentheses.
    pub fn axis(&self, scale: Scale) -> String {
        match (scale, self.unit.as_str()) {
            (Scale::RootDegrees, _) => format!("Root of {} (degrees)", self.name),
            (Scale::Decibel, "") => format!("{} (dB)", self.name),
            (Scale::Decibel, "W") => format!("{} (dBW)", self.name),
            (Scale::Decibel, unit) => format!("{} (dB re 1 {unit})", self.name),
            (_, "") => self.name.clone(),
            (_, unit) => format!("{} ({unit})", self.name),
        }
    }
}

fn scales(id: &str, unit: &str) -> Vec<Scale> {
    let is = |word: &str| id.split('_').any(|w| w == word);
    if unit == "lg" || unit.starts_with("dB") {
        // Logarithms already: negative ones have no place on another such scale.
        vec![Scale::Linear]
    } else if unit == "rad²" {
        vec![Scale::Decibel, Scale::RootDegrees, Scale::Logarithmic, Scale::Linear]
    } else if ["crlb", "power", "sinr", "snr", "gain"].into_iter().any(is) {
        vec![Scale::Decibel, Scale::Linear, Scale::Logarithmic]
    } else {
        vec![Scale::Linear, Scale::Logarithmic]
    }
}

/// Text with its first letter in upper case.
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + characters.as_str())
}

/// A number with a few significant digits, for pages: rounding there keeps them small.
pub fn rounded(x: f64, digits: usize) -> Value {
    if !x.is_finite() {
        return Value::Null;
    }
    let short: f64 = format!("{x:.*e}", digits.saturating_sub(1)).parse().unwrap_or(x);
    if short == short.trunc() && short.abs() < 1e15 { Value::from(short as i64) } else { Value::from(short) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_on_angles_are_shown_in_decibels_of_squared_radians_and_as_root_in_degrees() {
        let crlb = Quantity::metric("crlb_azimuth", "rad²", false, None);
        assert_eq!(crlb.scales[0], Scale::Decibel);
        assert_eq!(crlb.axis(Scale::Decibel), "CRLB azimuth (dB re 1 rad²)");
        assert!((Scale::Decibel.apply(1e-3) + 30.0).abs() < 1e-12);
        assert!((Scale::RootDegrees.apply(0.5f64.to_radians().powi(2)) - 0.5).abs() < 1e-12);
        assert!(Scale::Decibel.apply(0.0).is_nan());
        assert_eq!(Quantity::metric("modified_crlb", "lg", false, None).scales, [Scale::Linear]);
        assert_eq!(Quantity::metric("sum_rate", "bit/s/Hz", false, None).scales[0], Scale::Linear);
        assert_eq!(Quantity::metric("transmit_power", "W", false, None).axis(Scale::Decibel), "Transmit power (dBW)");
    }

    #[test]
    fn rounding_keeps_significant_digits() {
        assert_eq!(rounded(1.234_567_8e-9, 4).to_string(), "1.235e-9");
        assert_eq!(rounded(12.0, 4).to_string(), "12");
        assert_eq!(rounded(f64::NAN, 4), Value::Null);
    }
}
