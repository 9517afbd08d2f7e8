//! A drawn IRS-aided non-orthogonal ISAC system as numbers, and its form in instance files.

use num_complex::Complex;
use serde_json::{Map, Value, json};

use crate::error::{Error, InputError, Result};
use crate::instance::{Fields, Number, complex_json};
pub use crate::radio::Array;

/// More elements than this in an array, or bits a phase, are taken for a mistake.
const MOST_ELEMENTS: usize = 1 << 20;
const MOST_BITS: u64 = 16;

/// Directions in rad. Broadside of all arrays is +x; the arrays stand in the y-z plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Angles {
    /// `gamma_I2U^A`: elevation of arrival at the user from the IRS.
    pub user_elevation: f64,
    /// `phi_I2U^A`: azimuth of arrival at the user from the IRS.
    pub user_azimuth: f64,
    /// `gamma_B2I^A`: elevation of arrival at the IRS from the base station.
    pub irs_elevation: f64,
    /// `phi_B2I^A`: azimuth of arrival at the IRS from the base station.
    pub irs_azimuth: f64,
}

/// What is sent in the T slots of a time block.
#[derive(Clone, Debug, PartialEq)]
pub enum Symbols {
    /// The drawn symbols `x(t)`.
    Drawn(Vec<Complex<f64>>),
    /// Their moments stand for this many symbols.
    Moments(u64),
}

impl Symbols {
    /// T.
    pub fn slots(&self) -> u64 {
        match self {
            Self::Drawn(symbols) => symbols.len() as u64,
            Self::Moments(slots) => *slots,
        }
    }
}

/// One time block: the path over one sub-IRS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// The directions.
    pub angles: Angles,
    /// `alpha_B2I`.
    pub gain_base_station_irs: Complex<f64>,
    /// `alpha_I2U`.
    pub gain_irs_user: Complex<f64>,
}

/// Where things stand, in m.
#[derive(Clone, Debug, PartialEq)]
pub struct Positions {
    /// The user.
    pub user: [f64; 3],
    /// The two sub-IRSs, in the order of the time blocks.
    pub sub_irs: [[f64; 3]; 2],
    /// The base station.
    pub base_station: Option<[f64; 3]>,
}

/// One drawn system (paper 002, section II).
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The elements of a sub-IRS, `L_y x L_z`.
    pub irs: Array,
    /// The user's antennas, `M_y x M_z`.
    pub user_array: Array,
    /// `a_B`, unit modulus.
    pub base_station_response: Vec<Complex<f64>>,
    /// `b`.
    pub phase_bits: u64,
    /// The first time block.
    pub path: Path,
    /// The second time block, over the other sub-IRS.
    pub second: Option<Path>,
    /// Positions.
    pub positions: Option<Positions>,
    /// `sigma_z^2`.
    pub noise_power: f64,
    /// `P_t`, 0 or more.
    pub transmit_power: f64,
    /// `x(t)` or T.
    pub symbols: Symbols,
    /// `sigma_x^2`, above 0 to 1.
    pub symbol_variance: f64,
    /// `mu_x`.
    pub symbol_mean: Complex<f64>,
    /// `zeta`, 0 to 1.
    pub communication_weight: f64,
}

impl Instance {
    /// The number of phases that an element can take, `2^b`.
    pub fn levels(&self) -> usize {
        1 << self.phase_bits
    }

    /// The matched beam (41): `sqrt(P_t / N_t) a_B`, interleaved.
    pub fn matched_beam(&self) -> Vec<f64> {
        let scale = (self.transmit_power / self.base_station_response.len() as f64).sqrt();
        self.base_station_response.iter().flat_map(|a| [scale * a.re, scale * a.im]).collect()
    }

    /// Reads the `instance` object of an instance file.
    pub fn from_json(value: &Value) -> Result<Self> {
        let fields = Fields::new(value, "instance")?;
        let irs = array(&fields, "irs")?;
        let user_array = array(&fields, "user_array")?;
        let base_station_response = response(&fields)?;
        let phase_bits = fields.integer("phase_bits", 1)?;
        if phase_bits > MOST_BITS {
            let allowed = format!("a whole number from 1 to {MOST_BITS}");
            return Err(fields.mistake("phase_bits", phase_bits.to_string(), allowed));
        }
        let path = Path {
            angles: angles(fields.object("angles")?, None)?,
            gain_base_station_irs: fields.complex("gain_base_station_irs")?,
            gain_irs_user: fields.complex("gain_irs_user")?,
        };
        let second = match fields.get("second_block") {
            None => None,
            Some(_) => Some(second_path(fields.object("second_block")?, &path)?),
        };
        let positions = match fields.get("positions") {
            None => None,
            Some(_) => Some(positions(fields.object("positions")?)?),
        };
        let noise_power = fields.number("noise_power", Number::Positive)?;
        let transmit_power = fields.number("transmit_power", Number::NonNegative)?;
        let symbol_variance = fields.number("symbol_variance", Number::Between(0.0, 1.0))?;
        if symbol_variance == 0.0 {
            return Err(fields.mistake("symbol_variance", "0", "a number above 0, at most 1"));
        }
        let symbol_mean = fields.complex("symbol_mean")?;
        let communication_weight = fields.number("communication_weight", Number::Between(0.0, 1.0))?;
        let symbols = match (fields.get("symbols").is_some(), fields.get("slots").is_some()) {
            (true, false) => {
                let count = complex_length(fields.get("symbols"));
                Symbols::Drawn(fields.complex_array("symbols", &[count.max(1)])?)
            }
            (false, true) => Symbols::Moments(fields.integer("slots", 1)?),
            (true, true) => {
                return Err(fields.mistake("slots", "both `symbols` and `slots`", "exactly one of the two"));
            }
            (false, false) => {
                let allowed = "exactly one of `symbols` and `slots`";
                return Err(fields.mistake("symbols", "neither `symbols` nor `slots`", allowed));
            }
        };
        fields.finish()?;
        Ok(Self {
            irs,
            user_array,
            base_station_response,
            phase_bits,
            path,
            second,
            positions,
            noise_power,
            transmit_power,
            symbols,
            symbol_variance,
            symbol_mean,
            communication_weight,
        })
    }

    /// The `instance` object of an instance file.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.into(), value);
        put("irs", json!(self.irs));
        put("user_array", json!(self.user_array));
        put("base_station_response", complex_list(&self.base_station_response));
        put("phase_bits", self.phase_bits.into());
        put("angles", angles_json(&self.path.angles));
        put("gain_base_station_irs", complex_json(self.path.gain_base_station_irs));
        put("gain_irs_user", complex_json(self.path.gain_irs_user));
        put("noise_power", self.noise_power.into());
        put("transmit_power", self.transmit_power.into());
        match &self.symbols {
            Symbols::Drawn(symbols) => put("symbols", complex_list(symbols)),
            Symbols::Moments(slots) => put("slots", (*slots).into()),
        };
        put("symbol_variance", self.symbol_variance.into());
        put("symbol_mean", complex_json(self.symbol_mean));
        put("communication_weight", self.communication_weight.into());
        if let Some(path) = &self.second {
            let block = json!({
                "angles": angles_json(&path.angles),
                "gain_base_station_irs": complex_json(path.gain_base_station_irs),
                "gain_irs_user": complex_json(path.gain_irs_user),
            });
            put("second_block", block);
        }
        if let Some(positions) = &self.positions {
            let mut block = json!({ "user": positions.user, "sub_irs": positions.sub_irs });
            if let Some(base_station) = positions.base_station {
                block["base_station"] = json!(base_station);
            }
            put("positions", block);
        }
        Value::Object(object)
    }
}

fn array(fields: &Fields<'_>, key: &'static str) -> Result<Array> {
    let object = fields.object(key)?;
    let sides = [object.integer("horizontal", 1)?, object.integer("vertical", 1)?];
    object.finish()?;
    if sides[0].saturating_mul(sides[1]) > MOST_ELEMENTS as u64 {
        return Err(fields.mistake(key, format!("{} x {}", sides[0], sides[1]), "at most 2^20 elements"));
    }
    Ok(Array { horizontal: sides[0] as usize, vertical: sides[1] as usize })
}

fn complex_length(value: Option<&Value>) -> usize {
    fn length(value: &Value) -> usize {
        match value {
            Value::Array(items) if items.len() == 1 => length(&items[0]),
            Value::Array(items) => items.len(),
            _ => 1,
        }
    }
    value.and_then(|v| v.get("re")).map_or(1, length)
}

fn response(fields: &Fields<'_>) -> Result<Vec<Complex<f64>>> {
    let key = "base_station_response";
    let count = complex_length(fields.get(key)).max(1);
    let response = fields.complex_array(key, &[count])?;
    match response.iter().position(|a| (a.norm() - 1.0).abs() > 1e-6) {
        None => Ok(response),
        Some(i) => {
            let place = format!("{}[{i}]", fields.path(key));
            let modulus = format!("an entry of modulus {}", response[i].norm());
            Err(InputError::new(place, modulus, "entries of modulus 1").into())
        }
    }
}

/// Four directions; those that are absent are taken from `other` where there is one.
fn angles(fields: Fields<'_>, other: Option<&Angles>) -> Result<Angles> {
    let read = |key, other: Option<f64>| match (fields.optional_number(key, Number::Finite)?, other) {
        (Some(angle), _) | (None, Some(angle)) => Ok(angle),
        (None, None) => fields.number(key, Number::Finite),
    };
    let angles = Angles {
        user_elevation: read("user_elevation", other.map(|a| a.user_elevation))?,
        user_azimuth: read("user_azimuth", other.map(|a| a.user_azimuth))?,
        irs_elevation: read("irs_elevation", other.map(|a| a.irs_elevation))?,
        irs_azimuth: read("irs_azimuth", other.map(|a| a.irs_azimuth))?,
    };
    fields.finish()?;
    Ok(angles)
}

/// The second time block: what it does not name is as in the first.
fn second_path(fields: Fields<'_>, first: &Path) -> Result<Path> {
    let mut path = *first;
    if fields.get("angles").is_some() {
        path.angles = angles(fields.object("angles")?, Some(&first.angles))?;
    }
    if fields.get("gain_base_station_irs").is_some() {
        path.gain_base_station_irs = fields.complex("gain_base_station_irs")?;
    }
    if fields.get("gain_irs_user").is_some() {
        path.gain_irs_user = fields.complex("gain_irs_user")?;
    }
    fields.finish()?;
    Ok(path)
}

fn positions(fields: Fields<'_>) -> Result<Positions> {
    let point = |values: &[f64]| [values[0], values[1], values[2]];
    let user = fields.array("user", &[3], Number::Finite)?;
    let sub_irs = fields.array("sub_irs", &[2, 3], Number::Finite)?;
    let base_station = fields.optional_array("base_station", &[3], Number::Finite)?;
    fields.finish()?;
    Ok(Positions {
        user: point(&user),
        sub_irs: [point(&sub_irs[..3]), point(&sub_irs[3..])],
        base_station: base_station.as_deref().map(point),
    })
}

fn angles_json(angles: &Angles) -> Value {
    json!({
        "user_elevation": angles.user_elevation,
        "user_azimuth": angles.user_azimuth,
        "irs_elevation": angles.irs_elevation,
        "irs_azimuth": angles.irs_azimuth,
    })
}

fn complex_list(values: &[Complex<f64>]) -> Value {
    let part = |f: fn(&Complex<f64>) -> f64| values.iter().map(f).collect::<Vec<_>>();
    json!({ "re": part(|z| z.re), "im": part(|z| z.im) })
}

/// An error for a design's block, named under the block.
pub(super) fn block_mistake(block: &str, value: impl Into<String>, allowed: impl Into<String>) -> Error {
    InputError::new(block, value.into(), allowed.into()).into()
}
