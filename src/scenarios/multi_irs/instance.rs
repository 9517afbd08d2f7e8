//! A drawn multi-IRS system as numbers, and its form in instance files.

use num_complex::Complex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::design::nested_with;
use crate::error::Result;
use crate::instance::{Fields, Number};

/// What a user's receiver does about the dedicated sensing signal (paper 003, section II).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Receiver {
    /// Type I: it is interference.
    #[default]
    #[serde(rename = "type1")]
    TypeI,
    /// Type II: it is known and cancelled.
    #[serde(rename = "type2")]
    TypeII,
}

/// What each IRS senses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A point: its direction, with an unknown reflection coefficient.
    #[default]
    Point,
    /// An extended target: its whole response matrix.
    Extended,
}

/// One drawn system: L IRSs of N elements, K users at each, M antennas.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// L.
    pub surfaces: usize,
    /// K, users per IRS.
    pub users: usize,
    /// N, elements per IRS.
    pub elements: usize,
    /// M.
    pub antennas: usize,
    /// `G_l`, [L][N][M].
    pub base_station_irs_channel: Vec<Complex<f64>>,
    /// `h_lk`, [L][K][N].
    pub irs_user_channel: Vec<Complex<f64>>,
    /// `theta_l` in rad.
    pub target_direction: Vec<f64>,
    /// `beta_l`.
    pub target_reflection: Vec<Complex<f64>>,
    /// `N_s`.
    pub sensors: u64,
    /// `d / lambda`.
    pub element_spacing_wavelengths: f64,
    /// `d_s / lambda`.
    pub sensor_spacing_wavelengths: f64,
    /// `T` in symbols.
    pub dwell_time: u64,
    /// `sigma^2` in W.
    pub communication_noise_power: f64,
    /// `sigma_s^2` in W.
    pub sensing_noise_power: f64,
    /// `P_sum` in W, above 0.
    pub transmit_power: f64,
    /// `Gamma_lk`, [L][K], 0 for no limit; none for sensing only.
    pub sinr_limit: Option<Vec<f64>>,
    /// The users' receivers.
    pub receiver: Receiver,
    /// The targets' kind.
    pub target: Target,
}

/// The lengths of nested lists, outermost first, as the first entries show them.
fn nesting(value: &Value) -> Vec<usize> {
    let mut shape = Vec::new();
    let mut value = value;
    while let Value::Array(items) = value {
        shape.push(items.len());
        match items.first() {
            Some(first) => value = first,
            None => break,
        }
    }
    shape
}

impl Instance {
    /// Reads the `instance` object of an instance file.
    pub fn from_json(value: &Value) -> Result<Self> {
        let fields = Fields::new(value, "instance")?;
        let shape = |key: &'static str| fields.get(key).and_then(|v| v.get("re")).map(nesting);
        // Trailing dimensions of size 1 may be missing.
        let mut sizes = shape("base_station_irs_channel").unwrap_or_default();
        sizes.resize(3.max(sizes.len()), 1);
        let [surfaces, elements, antennas] = [sizes[0], sizes[1], sizes[2]];
        let base_station_irs_channel = fields.complex_array("base_station_irs_channel", &sizes[..3])?;
        let entries: usize = shape("irs_user_channel").map_or(0, |s| s.iter().product());
        let each = surfaces * elements;
        if each == 0 {
            return Err(fields.mistake(
                "base_station_irs_channel",
                "an empty array",
                "shape [L, N, M], all at least 1",
            ));
        }
        // A count that does not divide is told apart by the array's own check.
        let users = (entries / each).max(1);
        let surface_users = [surfaces, users];
        let choices = [("type1", Receiver::TypeI), ("type2", Receiver::TypeII)];
        let instance = Self {
            surfaces,
            users,
            elements,
            antennas,
            base_station_irs_channel,
            irs_user_channel: fields.complex_array("irs_user_channel", &[surfaces, users, elements])?,
            target_direction: fields.array("target_direction", &[surfaces], Number::Finite)?,
            target_reflection: fields.complex_array("target_reflection", &[surfaces])?,
            sensors: fields.integer("sensors", 1)?,
            element_spacing_wavelengths: fields.number("element_spacing_wavelengths", Number::NonNegative)?,
            sensor_spacing_wavelengths: fields.number("sensor_spacing_wavelengths", Number::NonNegative)?,
            dwell_time: fields.integer("dwell_time", 1)?,
            communication_noise_power: fields.number("communication_noise_power", Number::Positive)?,
            sensing_noise_power: fields.number("sensing_noise_power", Number::Positive)?,
            transmit_power: fields.number("transmit_power", Number::Positive)?,
            sinr_limit: fields.optional_array("sinr_limit", &surface_users, Number::NonNegative)?,
            receiver: fields.choice("receiver", &choices)?,
            target: fields.choice("target", &[("point", Target::Point), ("extended", Target::Extended)])?,
        };
        fields.finish()?;
        Ok(instance)
    }

    /// The `instance` object of an instance file.
    pub fn to_json(&self) -> Value {
        let complex = |values: &[Complex<f64>], shape: &[usize]| {
            let part = |of: fn(&Complex<f64>) -> f64| {
                nested_with(&values.iter().map(of).collect::<Vec<_>>(), shape, &crate::metric::number_json)
            };
            json!({ "re": part(|z| z.re), "im": part(|z| z.im) })
        };
        let [l, k, n, m] = [self.surfaces, self.users, self.elements, self.antennas];
        let mut object = json!({
            "base_station_irs_channel": complex(&self.base_station_irs_channel, &[l, n, m]),
            "irs_user_channel": complex(&self.irs_user_channel, &[l, k, n]),
            "target_direction": self.target_direction,
            "target_reflection": complex(&self.target_reflection, &[l]),
            "sensors": self.sensors,
            "element_spacing_wavelengths": self.element_spacing_wavelengths,
            "sensor_spacing_wavelengths": self.sensor_spacing_wavelengths,
            "dwell_time": self.dwell_time,
            "communication_noise_power": self.communication_noise_power,
            "sensing_noise_power": self.sensing_noise_power,
            "transmit_power": self.transmit_power,
            "receiver": self.receiver,
            "target": self.target,
        });
        if let Some(limits) = &self.sinr_limit {
            object["sinr_limit"] = nested_with(limits, &[l, k], &crate::metric::number_json);
        }
        object
    }
}
