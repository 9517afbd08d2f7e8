//! A drawn cell-free system as numbers, and its form in instance files.

use nalgebra::DMatrix;
use num_complex::Complex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::design::nested_with;
use crate::error::{InputError, Result};
use crate::instance::{Fields, Number, found, real_array};

/// Which CRLB the instance's limits are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SensingMetric {
    /// The access point's own illumination alone: the corrected Theorem 2.
    #[default]
    Crlb,
    /// All access points' illumination, every other gain unknown: the exact one.
    CrlbMultistatic,
}

impl SensingMetric {
    /// The metric's name.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Crlb => "crlb",
            Self::CrlbMultistatic => "crlb_multistatic",
        }
    }
}

/// The gains `alpha_lp` from transmit access point l over the target to receive access point p.
#[derive(Clone, Debug, PartialEq)]
pub enum Reflections {
    /// One for all pairs: what the paper assumes, and what needs no L x L numbers.
    Uniform(Complex<f64>),
    /// One a pair, row-major, a row a transmitter.
    Each(Vec<Complex<f64>>),
}

impl Reflections {
    /// From L x L gains, row-major.
    pub fn new(gains: Vec<Complex<f64>>) -> Self {
        match gains.first() {
            Some(first) if gains.iter().all(|g| g == first) => Self::Uniform(*first),
            _ => Self::Each(gains),
        }
    }

    /// `alpha_lp` for L access points.
    pub fn gain(&self, transmit: usize, receive: usize, access_points: usize) -> Complex<f64> {
        match self {
            Self::Uniform(gain) => *gain,
            Self::Each(gains) => gains[transmit * access_points + receive],
        }
    }
}

/// One drawn system of K users and L access points.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// `N_t` an access point.
    pub transmit_antennas: usize,
    /// `N_r` an access point.
    pub receive_antennas: usize,
    /// `beta_kl`, K x L row-major, above 0.
    pub large_scale_fading: Vec<f64>,
    /// `psi_k`: tau_p x K with unit-norm columns.
    pub pilots: DMatrix<Complex<f64>>,
    /// `p_p` per pilot symbol.
    pub pilot_power: f64,
    /// `tau_c` in symbols, above tau_p.
    pub coherence_length: u64,
    /// `T` in symbols.
    pub frame_length: u64,
    /// `theta_l` in rad, seen from each access point.
    pub target_direction: Vec<f64>,
    /// `alpha_lp`.
    pub target_reflection: Reflections,
    /// `sigma_c^2`, at the users and at the access points during the pilots.
    pub communication_noise_power: f64,
    /// `sigma_s^2`.
    pub sensing_noise_power: f64,
    /// The budget `P_t` over all access points.
    pub transmit_power: f64,
    /// The limit on each CRLB in rad², infinite for none.
    pub crlb_limit: Vec<f64>,
    /// The limit on each access point's power, infinite for none.
    pub access_point_power_limit: Vec<f64>,
    /// Weights of the weighted sum rate, if not all 1.
    pub user_weights: Option<Vec<f64>>,
    /// Which CRLB `crlb_limit` limits.
    pub sensing_metric: SensingMetric,
}

/// The largest side of an array, and the most access points or users.
const MOST: u64 = 1 << 20;

impl Instance {
    /// The number of users K.
    pub fn users(&self) -> usize {
        self.pilots.ncols()
    }

    /// The number of access points L.
    pub fn access_points(&self) -> usize {
        self.target_direction.len()
    }

    /// User k's weight in the weighted sum rate.
    pub fn weight(&self, user: usize) -> f64 {
        self.user_weights.as_ref().map_or(1.0, |w| w[user])
    }

    /// Reads the `instance` object of an instance file.
    pub fn from_json(value: &Value) -> Result<Self> {
        let fields = Fields::new(value, "instance")?;
        let antennas = |key| match fields.integer(key, 1)? {
            n if n <= MOST => Ok(n as usize),
            n => Err(fields.mistake(key, n.to_string(), "at most 2^20")),
        };
        let (users, access_points) = sides(fields.get("large_scale_fading"));
        let large_scale_fading = fields.array("large_scale_fading", &[users, access_points], Number::Positive)?;
        let symbols = pilot_length(fields.get("pilots").and_then(|p| p.get("re")), users);
        let pilots = fields.complex_array("pilots", &[symbols, users])?;
        let gains = fields.complex_array("target_reflection", &[access_points, access_points])?;
        let instance = Self {
            transmit_antennas: antennas("transmit_antennas")?,
            receive_antennas: antennas("receive_antennas")?,
            large_scale_fading,
            pilots: DMatrix::from_row_iterator(symbols, users, pilots),
            pilot_power: fields.number("pilot_power", Number::Positive)?,
            coherence_length: fields.integer("coherence_length", 1)?,
            frame_length: fields.integer("frame_length", 1)?,
            target_direction: fields.array("target_direction", &[access_points], Number::Finite)?,
            target_reflection: Reflections::new(gains),
            communication_noise_power: fields.number("communication_noise_power", Number::Positive)?,
            sensing_noise_power: fields.number("sensing_noise_power", Number::Positive)?,
            transmit_power: fields.number("transmit_power", Number::Positive)?,
            crlb_limit: limits(&fields, value, "crlb_limit", access_points, Number::Positive, true)?,
            access_point_power_limit: limits(
                &fields,
                value,
                "access_point_power_limit",
                access_points,
                Number::NonNegative,
                false,
            )?,
            user_weights: fields.optional_array("user_weights", &[users], Number::NonNegative)?,
            sensing_metric: match fields.get("sensing_metric") {
                None => SensingMetric::Crlb,
                Some(_) => fields.choice(
                    "sensing_metric",
                    &[("crlb", SensingMetric::Crlb), ("crlb_multistatic", SensingMetric::CrlbMultistatic)],
                )?,
            },
        };
        fields.finish()?;
        instance.check("instance")?;
        Ok(instance)
    }

    /// Checks what holds across keys; `place` is the object's path, for messages.
    pub fn check(&self, place: &str) -> Result<()> {
        let symbols = self.pilots.nrows() as u64;
        if self.coherence_length <= symbols {
            let allowed = format!("above the {symbols} symbols of `pilots`");
            let found = self.coherence_length.to_string();
            return Err(InputError::new(format!("{place}.coherence_length"), found, allowed).into());
        }
        for (k, pilot) in self.pilots.column_iter().enumerate() {
            let norm = pilot.norm();
            if (norm - 1.0).abs() > 1e-6 {
                let found = format!("column {k} of norm {norm}");
                return Err(InputError::new(format!("{place}.pilots"), found, "columns of norm 1").into());
            }
        }
        Ok(())
    }

    /// The `instance` object of an instance file.
    pub fn to_json(&self) -> Value {
        let (users, access_points) = (self.users(), self.access_points());
        let real = |values: &[f64], shape: &[usize]| nested_with(values, shape, &|x| Value::from(x));
        let complex = |values: &[Complex<f64>], shape: &[usize]| {
            let part = |f: &dyn Fn(&Complex<f64>) -> f64| real(&values.iter().map(f).collect::<Vec<_>>(), shape);
            json!({ "re": part(&|z| z.re), "im": part(&|z| z.im) })
        };
        let pilots: Vec<_> = self.pilots.transpose().iter().copied().collect();
        let pairs = access_points * access_points;
        let gain = |i: usize| self.target_reflection.gain(i / access_points, i % access_points, access_points);
        let gains: Vec<_> = (0..pairs).map(gain).collect();
        let limits = |values: &[f64]| -> Value {
            values.iter().map(|l| if l.is_finite() { Value::from(*l) } else { Value::Null }).collect()
        };
        let mut object = json!({
            "transmit_antennas": self.transmit_antennas,
            "receive_antennas": self.receive_antennas,
            "large_scale_fading": real(&self.large_scale_fading, &[users, access_points]),
            "pilots": complex(&pilots, &[self.pilots.nrows(), users]),
            "pilot_power": self.pilot_power,
            "coherence_length": self.coherence_length,
            "frame_length": self.frame_length,
            "target_direction": self.target_direction,
            "target_reflection": complex(&gains, &[access_points, access_points]),
            "communication_noise_power": self.communication_noise_power,
            "sensing_noise_power": self.sensing_noise_power,
            "transmit_power": self.transmit_power,
            "crlb_limit": limits(&self.crlb_limit),
        });
        if self.access_point_power_limit.iter().any(|l| l.is_finite()) {
            object["access_point_power_limit"] = limits(&self.access_point_power_limit);
        }
        if let Some(weights) = &self.user_weights {
            object["user_weights"] = weights.clone().into();
        }
        if self.sensing_metric != SensingMetric::Crlb {
            object["sensing_metric"] = self.sensing_metric.metric().into();
        }
        object
    }
}

/// Rows and columns of a nested list; a flat one is a column.
fn sides(value: Option<&Value>) -> (usize, usize) {
    let rows = value.and_then(Value::as_array);
    let columns = rows.and_then(|rows| rows.first()).and_then(Value::as_array);
    (rows.map_or(1, |r| r.len().max(1)), columns.map_or(1, |c| c.len().max(1)))
}

/// The rows of `[tau_p][K]`: all entries for one user, one row where a single row has lost its outer list.
fn pilot_length(value: Option<&Value>, users: usize) -> usize {
    let Some(rows) = value.and_then(Value::as_array) else { return 1 };
    match rows.first() {
        Some(Value::Array(first)) if users == 1 => (rows.len() * first.len()).max(1),
        Some(Value::Array(_)) => rows.len(),
        _ if users == 1 => rows.len().max(1),
        _ => 1,
    }
}

/// A limit an access point; `null` for none, in an entry or for all.
fn limits(
    fields: &Fields<'_>,
    instance: &Value,
    key: &'static str,
    count: usize,
    domain: Number,
    needed: bool,
) -> Result<Vec<f64>> {
    let allowed = || format!("a list of {count}, each null or {}", domain.describe());
    let Some(value) = fields.get(key) else {
        return match instance.get(key) {
            None if needed => Err(fields.mistake(key, "no such key", allowed())),
            _ => Ok(vec![f64::INFINITY; count]),
        };
    };
    // An entry of null is held by a number that none can be, and taken out again.
    const NONE: f64 = -f64::MAX;
    fn filled(value: &Value) -> Value {
        match value {
            Value::Null => Value::from(NONE),
            Value::Array(items) => items.iter().map(filled).collect(),
            other => other.clone(),
        }
    }
    let mut values = real_array(&filled(value), &[count], &fields.path(key))?;
    for (i, limit) in values.iter_mut().enumerate() {
        if *limit == NONE {
            *limit = f64::INFINITY;
        } else if !domain.holds(*limit) {
            let place = format!("{}[{i}]", fields.path(key));
            return Err(InputError::new(place, found(&Value::from(*limit)), allowed()).into());
        }
    }
    Ok(values)
}
