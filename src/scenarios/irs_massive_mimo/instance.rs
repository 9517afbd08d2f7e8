//! A drawn IRS-aided massive MIMO system as numbers, and its form in instance files.

use faer::{Mat, Side};
use num_complex::Complex;
use serde_json::{Value, json};

pub use super::planar::{Direction, PlanarArray, SteeringConvention};
use crate::error::Result;
use crate::instance::{Fields, Number, complex_json};

/// The eight angles in rad (paper 000, (3), (7), (8)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Angles {
    /// `(phi_H, nu_H)`: arrival at the base station from the IRS.
    pub base_station: Direction,
    /// `(psi_H, delta_H)`: departure at the IRS towards the base station.
    pub irs: Direction,
    /// `(phi_p, nu_p)`: the target seen from the base station.
    pub target_from_base_station: Direction,
    /// `(psi_q, delta_q)`: the target seen from the IRS.
    pub target_from_irs: Direction,
}

/// Measured statistics in place of the formulas; complex matrices row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// `R_B`, `[M][M]`.
    pub base_station_covariance: Option<Vec<Complex<f64>>>,
    /// `R_I`, `[N][N]`.
    pub irs_covariance: Option<Vec<Complex<f64>>>,
    /// `R_fk`, `[K][M][M]`.
    pub user_base_station_covariance: Option<Vec<Complex<f64>>>,
    /// `R_gk`, `[K][N][N]`.
    pub irs_user_covariance: Option<Vec<Complex<f64>>>,
    /// `H-bar` before its scaling by the Rician factor, `[M][N]`.
    pub irs_base_station_los: Option<Vec<Complex<f64>>>,
}

/// One drawn system.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The base station's array, M elements.
    pub base_station_array: PlanarArray,
    /// The IRS, N elements.
    pub irs_array: PlanarArray,
    /// The convention of all steering vectors.
    pub steering_convention: SteeringConvention,
    /// `A_B`.
    pub base_station_element_area: f64,
    /// `A_I`.
    pub irs_element_area: f64,
    /// `zeta_fk`, K values, 0 or more.
    pub fading_user_base_station: Vec<f64>,
    /// `zeta_gk`, K values, 0 or more.
    pub fading_user_irs: Vec<f64>,
    /// `zeta_H`, 0 or more.
    pub fading_irs_base_station: f64,
    /// `K_H`, 0 or more.
    pub rician_factor: f64,
    /// The directions.
    pub angles: Angles,
    /// `alpha_p`.
    pub target_reflection_base_station: Complex<f64>,
    /// `alpha_q`.
    pub target_reflection_irs: Complex<f64>,
    /// `rho`, 0 or more.
    pub transmit_snr: f64,
    /// `rho_p`, above 0.
    pub pilot_snr: f64,
    /// `tau_p`, at least K.
    pub pilot_length: u64,
    /// `tau_c`, above `tau_p`.
    pub coherence_length: u64,
    /// `eta~_kc`, K values.
    pub communication_share: Vec<f64>,
    /// `eta~_ks`, K values.
    pub sensing_share: Vec<f64>,
    /// `mu`, 0 for none.
    pub sensing_gain_limit: f64,
    /// The elements' amplitudes, N values from 0 to 1; none means ones.
    pub irs_amplitude: Option<Vec<f64>>,
    /// Measured statistics, where given.
    pub measured: Measured,
}

impl Instance {
    /// The number of users K.
    pub fn users(&self) -> usize {
        self.fading_user_base_station.len()
    }

    /// Reads an array of the `instance` object.
    pub(super) fn read_array(fields: &Fields, key: &'static str) -> Result<PlanarArray> {
        let object = fields.object(key)?;
        let (rows, columns) = (object.integer("rows", 1)?, object.integer("columns", 1)?);
        let spacing_wavelengths = object.number("spacing_wavelengths", Number::Positive)?;
        object.finish()?;
        if rows.saturating_mul(columns) > 1 << 20 {
            return Err(fields.mistake(key, format!("{rows} x {columns}"), "at most 2^20 elements"));
        }
        Ok(PlanarArray { rows: rows as usize, columns: columns as usize, spacing_wavelengths })
    }

    /// Reads the `instance` object of an instance file.
    pub fn from_json(value: &Value) -> Result<Self> {
        let fields = Fields::new(value, "instance")?;
        let array = |key| Self::read_array(&fields, key);
        let (base_station_array, irs_array) = (array("base_station_array")?, array("irs_array")?);
        let (m, n) = (base_station_array.len(), irs_array.len());
        let fading_user_base_station = fields.vector("fading_user_base_station", Number::NonNegative)?;
        let users = fading_user_base_station.len();
        let angles = {
            let object = fields.object("angles")?;
            let direction = |azimuth, elevation| -> Result<Direction> {
                let azimuth = object.number(azimuth, Number::Finite)?;
                Ok(Direction { azimuth, elevation: object.number(elevation, Number::Finite)? })
            };
            let angles = Angles {
                base_station: direction("base_station_azimuth", "base_station_elevation")?,
                irs: direction("irs_azimuth", "irs_elevation")?,
                target_from_base_station: direction(
                    "target_azimuth_from_base_station",
                    "target_elevation_from_base_station",
                )?,
                target_from_irs: direction("target_azimuth_from_irs", "target_elevation_from_irs")?,
            };
            object.finish()?;
            angles
        };
        let area = |key| fields.optional_number(key, Number::Positive).map(|area| area.unwrap_or(1.0));
        let matrix = |key, shape: &[usize]| -> Result<Option<Vec<Complex<f64>>>> {
            fields.get(key).map(|_| fields.complex_array(key, shape)).transpose()
        };
        let covariance = |key, shape: &[usize]| -> Result<Option<Vec<Complex<f64>>>> {
            let size = shape[shape.len() - 1];
            let read = matrix(key, shape)?;
            if read.as_ref().is_some_and(|all| all.chunks(size * size).any(|part| !hermitian(part, size))) {
                return Err(fields.mistake(key, "a matrix that is not Hermitian", "Hermitian covariances"));
            }
            if read.as_ref().is_some_and(|all| all.chunks(size * size).any(|part| !semidefinite(part, size))) {
                let found = "a matrix with a negative eigenvalue";
                return Err(fields.mistake(key, found, "positive semidefinite covariances"));
            }
            Ok(read)
        };
        let measured = Measured {
            base_station_covariance: covariance("base_station_covariance", &[m, m])?,
            irs_covariance: covariance("irs_covariance", &[n, n])?,
            user_base_station_covariance: covariance("user_base_station_covariance", &[users, m, m])?,
            irs_user_covariance: covariance("irs_user_covariance", &[users, n, n])?,
            irs_base_station_los: matrix("irs_base_station_los", &[m, n])?,
        };
        let instance = Self {
            base_station_array,
            irs_array,
            steering_convention: fields.choice("steering_convention", &SteeringConvention::CHOICES)?,
            base_station_element_area: area("base_station_element_area")?,
            irs_element_area: area("irs_element_area")?,
            fading_user_irs: match fields.optional_array("fading_user_irs", &[users], Number::NonNegative)? {
                Some(fading) => fading,
                // Not used beside measured covariances.
                None if measured.irs_user_covariance.is_some() => vec![0.0; users],
                None => fields.array("fading_user_irs", &[users], Number::NonNegative)?,
            },
            fading_irs_base_station: fields.number("fading_irs_base_station", Number::NonNegative)?,
            rician_factor: fields.number("rician_factor", Number::NonNegative)?,
            angles,
            target_reflection_base_station: fields.complex("target_reflection_base_station")?,
            target_reflection_irs: fields.complex("target_reflection_irs")?,
            transmit_snr: fields.number("transmit_snr", Number::NonNegative)?,
            pilot_snr: fields.number("pilot_snr", Number::Positive)?,
            pilot_length: fields.integer("pilot_length", 1)?,
            coherence_length: fields.integer("coherence_length", 1)?,
            communication_share: fields.array("communication_share", &[users], Number::NonNegative)?,
            sensing_share: fields.array("sensing_share", &[users], Number::NonNegative)?,
            sensing_gain_limit: fields.number("sensing_gain_limit", Number::NonNegative)?,
            irs_amplitude: fields.optional_array("irs_amplitude", &[n], Number::Between(0.0, 1.0))?,
            measured,
            fading_user_base_station,
        };
        fields.finish()?;
        instance.check("instance")?;
        Ok(instance)
    }

    /// Checks what holds across keys; `place` is the object's path, for messages.
    pub fn check(&self, place: &str) -> Result<()> {
        let mistake = |key: &str, found: u64, allowed: String| {
            Err(crate::InputError::new(format!("{place}.{key}"), found.to_string(), allowed).into())
        };
        if self.pilot_length < self.users() as u64 {
            let allowed = format!("at least the number of users, {}: the pilots are orthogonal", self.users());
            return mistake("pilot_length", self.pilot_length, allowed);
        }
        if self.pilot_length >= self.coherence_length {
            let allowed = format!("below coherence_length = {}", self.coherence_length);
            return mistake("pilot_length", self.pilot_length, allowed);
        }
        Ok(())
    }

    /// The `instance` object of an instance file.
    pub fn to_json(&self) -> Value {
        let Angles { base_station, irs, target_from_base_station, target_from_irs } = self.angles;
        let mut object = json!({
            "base_station_array": self.base_station_array,
            "irs_array": self.irs_array,
            "steering_convention": self.steering_convention,
            "base_station_element_area": self.base_station_element_area,
            "irs_element_area": self.irs_element_area,
            "fading_user_base_station": self.fading_user_base_station,
            "fading_user_irs": self.fading_user_irs,
            "fading_irs_base_station": self.fading_irs_base_station,
            "rician_factor": self.rician_factor,
            "angles": {
                "base_station_azimuth": base_station.azimuth,
                "base_station_elevation": base_station.elevation,
                "irs_azimuth": irs.azimuth,
                "irs_elevation": irs.elevation,
                "target_azimuth_from_base_station": target_from_base_station.azimuth,
                "target_elevation_from_base_station": target_from_base_station.elevation,
                "target_azimuth_from_irs": target_from_irs.azimuth,
                "target_elevation_from_irs": target_from_irs.elevation,
            },
            "target_reflection_base_station": complex_json(self.target_reflection_base_station),
            "target_reflection_irs": complex_json(self.target_reflection_irs),
            "transmit_snr": self.transmit_snr,
            "pilot_snr": self.pilot_snr,
            "pilot_length": self.pilot_length,
            "coherence_length": self.coherence_length,
            "communication_share": self.communication_share,
            "sensing_share": self.sensing_share,
            "sensing_gain_limit": self.sensing_gain_limit,
        });
        let (m, n, k) = (self.base_station_array.len(), self.irs_array.len(), self.users());
        let measured = &self.measured;
        type Entries = Option<Vec<Complex<f64>>>;
        let matrices: [(&str, &Entries, &[usize]); 5] = [
            ("base_station_covariance", &measured.base_station_covariance, &[m, m]),
            ("irs_covariance", &measured.irs_covariance, &[n, n]),
            ("user_base_station_covariance", &measured.user_base_station_covariance, &[k, m, m]),
            ("irs_user_covariance", &measured.irs_user_covariance, &[k, n, n]),
            ("irs_base_station_los", &measured.irs_base_station_los, &[m, n]),
        ];
        for (key, entries, shape) in matrices {
            if let Some(entries) = entries {
                object[key] = complex_array_json(entries, shape);
            }
        }
        if let Some(amplitude) = &self.irs_amplitude {
            object["irs_amplitude"] = amplitude.clone().into();
        }
        object
    }
}

/// A complex array as JSON.
fn complex_array_json(entries: &[Complex<f64>], shape: &[usize]) -> Value {
    let part = |of: fn(&Complex<f64>) -> f64| {
        let part: Vec<f64> = entries.iter().map(of).collect();
        crate::design::nested_with(&part, shape, &crate::metric::number_json)
    };
    json!({ "re": part(|z| z.re), "im": part(|z| z.im) })
}

/// Whether a row-major matrix is Hermitian to working precision.
fn hermitian(matrix: &[Complex<f64>], n: usize) -> bool {
    let largest = matrix.iter().fold(0.0, |m, z| f64::max(m, z.norm()));
    (0..n).all(|i| (0..=i).all(|j| (matrix[i * n + j] - matrix[j * n + i].conj()).norm() <= 1e-9 * largest))
}

/// Whether a Hermitian matrix has no eigenvalue below 0, but for the rounding of measured ones.
fn semidefinite(matrix: &[Complex<f64>], n: usize) -> bool {
    let values = Mat::from_fn(n, n, |i, j| matrix[i * n + j]).self_adjoint_eigenvalues(Side::Lower);
    values.is_ok_and(|values| {
        let largest = values.iter().copied().fold(0.0, f64::max);
        values.iter().all(|value| *value >= -1e-8 * largest)
    })
}
