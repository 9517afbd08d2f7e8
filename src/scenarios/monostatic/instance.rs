//! A drawn monostatic system as numbers, and its form in instance files.

use num_complex::Complex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Result;
use crate::instance::{Fields, Number, complex_json};
pub use crate::radio::{Array, Pointing};

/// The communication precoder (paper 001, (14)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precoder {
    /// Maximum-ratio transmission.
    Mrt,
    /// Zero forcing of the distinct pilot directions.
    #[default]
    Zf,
}

/// One drawn system.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The precoder.
    pub precoder: Precoder,
    /// The transmit array, `N_t` antennas.
    pub transmit_array: Array,
    /// The receive array, `N_r` antennas.
    pub receive_array: Array,
    /// `beta_k`, K values above 0.
    pub large_scale_fading: Vec<f64>,
    /// Which pilot each user sends; equal numbers share one.
    pub pilot_index: Vec<u64>,
    /// `tau_p` in symbols.
    pub pilot_length: u64,
    /// `tau_c` in symbols, above `tau_p`.
    pub coherence_length: u64,
    /// `L` in symbols.
    pub frame_length: u64,
    /// `p_p` per pilot symbol.
    pub pilot_power: f64,
    /// `sigma_c^2`.
    pub communication_noise_power: f64,
    /// `sigma_s^2`.
    pub sensing_noise_power: f64,
    /// `alpha`.
    pub target_reflection: Complex<f64>,
    /// `(theta, phi)`.
    pub target_direction: Pointing,
    /// The direction of the sensing beam `v`; none means the target's.
    pub sensing_beam_direction: Option<Pointing>,
    /// The budget `P_t`, 0 or more.
    pub transmit_power: f64,
    /// The limit on the CRLB of the azimuth in rad², if any.
    pub crlb_azimuth_limit: Option<f64>,
    /// The limit on the CRLB of the elevation in rad², if any.
    pub crlb_elevation_limit: Option<f64>,
    /// Weights of the weighted sum rate, if not all 1.
    pub user_weights: Option<Vec<f64>>,
}

impl Instance {
    /// The number of users K.
    pub fn users(&self) -> usize {
        self.large_scale_fading.len()
    }

    /// The number of distinct pilots in use, G.
    pub fn distinct_pilots(&self) -> usize {
        let mut pilots = self.pilot_index.clone();
        pilots.sort_unstable();
        pilots.dedup();
        pilots.len()
    }

    /// Reads the `instance` object of an instance file.
    pub fn from_json(value: &Value) -> Result<Self> {
        let fields = Fields::new(value, "instance")?;
        let precoder = fields.choice("precoder", &[("mrt", Precoder::Mrt), ("zf", Precoder::Zf)])?;
        let array = |key| -> Result<Array> {
            let object = fields.object(key)?;
            let sides = [object.integer("horizontal", 1)?, object.integer("vertical", 1)?];
            object.finish()?;
            if sides.iter().any(|s| *s > 1 << 20) {
                return Err(fields.mistake(key, format!("{} x {}", sides[0], sides[1]), "sides of at most 2^20"));
            }
            Ok(Array { horizontal: sides[0] as usize, vertical: sides[1] as usize })
        };
        let pointing = |key| -> Result<Pointing> {
            let object = fields.object(key)?;
            let azimuth = object.number("azimuth", Number::Finite)?;
            let elevation = object.number("elevation", Number::Finite)?;
            object.finish()?;
            Ok(Pointing { azimuth, elevation })
        };
        let large_scale_fading = fields.vector("large_scale_fading", Number::Positive)?;
        let users = large_scale_fading.len();
        let instance = Self {
            precoder,
            transmit_array: array("transmit_array")?,
            receive_array: array("receive_array")?,
            pilot_index: fields.indices("pilot_index", users)?,
            pilot_length: fields.integer("pilot_length", 1)?,
            coherence_length: fields.integer("coherence_length", 1)?,
            frame_length: fields.integer("frame_length", 1)?,
            pilot_power: fields.number("pilot_power", Number::Positive)?,
            communication_noise_power: fields.number("communication_noise_power", Number::Positive)?,
            sensing_noise_power: fields.number("sensing_noise_power", Number::Positive)?,
            target_reflection: fields.complex("target_reflection")?,
            target_direction: pointing("target_direction")?,
            sensing_beam_direction: match fields.get("sensing_beam_direction") {
                Some(_) => Some(pointing("sensing_beam_direction")?),
                None => None,
            },
            transmit_power: fields.number("transmit_power", Number::NonNegative)?,
            crlb_azimuth_limit: fields.optional_number("crlb_azimuth_limit", Number::Positive)?,
            crlb_elevation_limit: fields.optional_number("crlb_elevation_limit", Number::Positive)?,
            user_weights: fields.optional_array("user_weights", &[users], Number::NonNegative)?,
            large_scale_fading,
        };
        fields.finish()?;
        instance.check("instance")?;
        Ok(instance)
    }

    /// Checks what holds across keys; `place` is the object's path, for messages.
    pub fn check(&self, place: &str) -> Result<()> {
        let mistake = |key: &str, found: String, allowed: String| {
            Err(crate::InputError::new(format!("{place}.{key}"), found, allowed).into())
        };
        if self.pilot_length >= self.coherence_length {
            let allowed = format!("below coherence_length = {}", self.coherence_length);
            return mistake("pilot_length", self.pilot_length.to_string(), allowed);
        }
        let pilots = self.distinct_pilots();
        if pilots as u64 > self.pilot_length {
            let allowed = format!("at most pilot_length = {} different pilots", self.pilot_length);
            return mistake("pilot_index", format!("{pilots} different pilots"), allowed);
        }
        let antennas = self.transmit_array.len();
        if self.precoder == Precoder::Zf && antennas <= pilots {
            let found = format!(
                "\"zf\" with {antennas} antennas in transmit_array and {pilots} different pilots in pilot_index"
            );
            return mistake("precoder", found, "more antennas than different pilots for \"zf\", or \"mrt\"".into());
        }
        Ok(())
    }

    /// The `instance` object of an instance file.
    pub fn to_json(&self) -> Value {
        let pointing = |p: Pointing| json!({ "azimuth": p.azimuth, "elevation": p.elevation });
        let mut object = json!({
            "precoder": self.precoder,
            "transmit_array": self.transmit_array,
            "receive_array": self.receive_array,
            "large_scale_fading": self.large_scale_fading,
            "pilot_index": self.pilot_index,
            "pilot_length": self.pilot_length,
            "coherence_length": self.coherence_length,
            "frame_length": self.frame_length,
            "pilot_power": self.pilot_power,
            "communication_noise_power": self.communication_noise_power,
            "sensing_noise_power": self.sensing_noise_power,
            "target_reflection": complex_json(self.target_reflection),
            "target_direction": pointing(self.target_direction),
            "transmit_power": self.transmit_power,
        });
        let mut add = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                object[key] = value;
            }
        };
        add("sensing_beam_direction", self.sensing_beam_direction.map(pointing));
        add("crlb_azimuth_limit", self.crlb_azimuth_limit.map(Value::from));
        add("crlb_elevation_limit", self.crlb_elevation_limit.map(Value::from));
        add("user_weights", self.user_weights.clone().map(Value::from));
        object
    }
}
