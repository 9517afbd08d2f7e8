//! The `[scenario]` section of a config, and the drawing of one system from it (paper 000, section VI).

use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::Arc;

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instance::{Angles, Instance, Measured};
use super::{Direction, IrsMassiveMimo, PlanarArray, SteeringConvention};
use crate::error::{Error, InputError, Result};
use crate::math::{Angle, Power, Streams};
use crate::model::SystemModel;
use crate::scenario::{Scenario, ScenarioEntry};

/// IRS-aided massive MIMO ISAC: a base station serves users by maximum-ratio transmission over channels with a
/// reflecting surface, and finds a target by its echoes. Sizes, distances and angles are those of paper 000; the paper
/// gives neither noise nor bandwidth: by default direct links are 72 dB and each hop of the reflected ones 69 dB above
/// what their path loss says, a fit to the two gains that the paper states.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IrsMassiveMimoConfig {
    /// The base station's array, M antennas.
    pub base_station: PlanarArray,
    /// The reflecting surface, N elements.
    pub irs: PlanarArray,
    /// Steering vectors as "H" (the paper's (7) and (8)) or "T" (plane waves at positions (m1, m2) d).
    pub steering_convention: SteeringConvention,
    /// Amplitude of every element, from 0 to 1.
    pub irs_amplitude: f64,
    /// Number of users K.
    pub users: usize,
    /// Nearest distance of every link in m.
    pub least_distance: f64,
    /// Farthest distance of every link in m.
    pub largest_distance: f64,
    /// Rician factor K_H of the surface's link to the base station; absent: drawn between 1 and 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rician_factor: Option<f64>,
    /// How far direct links are above their path loss: noise, bandwidth and antenna gains together.
    pub direct_gain: Power,
    /// How far each hop of the reflected links is above its path loss.
    pub hop_gain: Power,
    /// Transmit SNR rho.
    pub transmit_snr: Power,
    /// Pilot SNR rho_p.
    pub pilot_snr: Power,
    /// Pilot length tau_p in symbols; absent: one a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pilot_length: Option<u64>,
    /// Coherence interval tau_c in symbols.
    pub coherence_length: u64,
    /// Share of the transmit power for communication, divided evenly over the users; the rest is for sensing.
    pub communication_share: f64,
    /// Least gain of the echo channel ||u||², mu; 0 for none.
    pub sensing_gain_limit: Power,
    /// Azimuth of the target seen from the base station.
    pub target_azimuth_from_base_station: Angle,
    /// Elevation of the target seen from the base station.
    pub target_elevation_from_base_station: Angle,
    /// Azimuth of the target seen from the surface.
    pub target_azimuth_from_irs: Angle,
    /// Elevation of the target seen from the surface.
    pub target_elevation_from_irs: Angle,
    /// Wavelength in m.
    pub wavelength: f64,
    /// Mean radar cross-section of the target in m²: its amplitude is drawn complex normal.
    pub radar_cross_section: f64,
    /// How far the squared reflection coefficients |alpha|² are above the radar equation.
    pub reflection_gain: Power,
}

fn decibels(text: &str) -> Power {
    text.parse().expect("a power with its unit, written here")
}

fn degrees(value: f64) -> Angle {
    format!("{value} deg").parse().expect("an angle with its unit, written here")
}

impl Default for IrsMassiveMimoConfig {
    fn default() -> Self {
        Self {
            base_station: PlanarArray { rows: 20, columns: 20, spacing_wavelengths: 0.5 },
            irs: PlanarArray { rows: 10, columns: 10, spacing_wavelengths: 0.5 },
            steering_convention: SteeringConvention::H,
            irs_amplitude: 1.0,
            users: 5,
            least_distance: 50.0,
            largest_distance: 200.0,
            rician_factor: None,
            direct_gain: decibels("72 dB"),
            hop_gain: decibels("69 dB"),
            transmit_snr: decibels("20 dB"),
            pilot_snr: decibels("0 dB"),
            pilot_length: None,
            coherence_length: 196,
            communication_share: 0.8,
            sensing_gain_limit: Power::new(0.0),
            target_azimuth_from_base_station: degrees(20.0),
            target_elevation_from_base_station: degrees(-40.0),
            target_azimuth_from_irs: degrees(-30.0),
            target_elevation_from_irs: degrees(50.0),
            wavelength: 0.1,
            radar_cross_section: 1.0,
            reflection_gain: decibels("50 dB"),
        }
    }
}

/// Path loss in dB with and without line of sight (3GPP TR 25.996, table 5.1, urban micro; d in m).
fn path_loss(distance: f64, line_of_sight: bool) -> f64 {
    let (constant, slope) = if line_of_sight { (30.18, 26.0) } else { (34.53, 38.0) };
    constant + slope * distance.log10()
}

impl IrsMassiveMimoConfig {
    fn mistakes(&self) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        let mut check = |key: &str, holds: bool, found: String, allowed: &str| {
            if !holds {
                mistakes.push(InputError::new(key, found, allowed));
            }
        };
        for (place, array) in [("base_station", self.base_station), ("irs", self.irs)] {
            for (side, count) in [("rows", array.rows), ("columns", array.columns)] {
                let key = format!("{place}.{side}");
                check(&key, (1..=1 << 10).contains(&count), count.to_string(), "a whole number from 1 to 1024");
            }
            let spacing = array.spacing_wavelengths;
            let key = format!("{place}.spacing_wavelengths");
            check(&key, spacing.is_finite() && spacing > 0.0, spacing.to_string(), "a finite number above 0");
        }
        check("users", (1..=1000).contains(&self.users), self.users.to_string(), "a whole number from 1 to 1000");
        let share = "a number from 0 to 1";
        for (key, value) in [("irs_amplitude", self.irs_amplitude), ("communication_share", self.communication_share)] {
            check(key, (0.0..=1.0).contains(&value), value.to_string(), share);
        }
        for (key, value) in [
            ("least_distance", self.least_distance),
            ("wavelength", self.wavelength),
            ("radar_cross_section", self.radar_cross_section),
        ] {
            check(key, value.is_finite() && value > 0.0, value.to_string(), "a finite number above 0");
        }
        let far = self.largest_distance;
        let allowed = "a finite number, least_distance or more";
        check("largest_distance", far.is_finite() && far >= self.least_distance, far.to_string(), allowed);
        if let Some(factor) = self.rician_factor {
            let holds = factor.is_finite() && factor >= 0.0;
            check("rician_factor", holds, factor.to_string(), "a finite number, 0 or more");
        }
        for (key, value, zero) in [
            ("direct_gain", &self.direct_gain, true),
            ("hop_gain", &self.hop_gain, true),
            ("transmit_snr", &self.transmit_snr, true),
            ("sensing_gain_limit", &self.sensing_gain_limit, true),
            ("reflection_gain", &self.reflection_gain, true),
            ("pilot_snr", &self.pilot_snr, false),
        ] {
            let linear = value.linear(1.0);
            let allowed = if zero { "a finite ratio, 0 or more" } else { "a finite ratio above 0" };
            let holds = linear.is_finite() && linear >= 0.0 && (zero || linear > 0.0);
            check(key, holds, linear.to_string(), allowed);
        }
        let pilots = self.pilots();
        let found = pilots.to_string();
        check("pilot_length", pilots >= self.users as u64, found.clone(), "at least as many symbols as users");
        check("pilot_length", pilots < self.coherence_length, found, "below coherence_length");
        mistakes
    }

    fn pilots(&self) -> u64 {
        self.pilot_length.unwrap_or(self.users as u64)
    }

    /// The reflection coefficient `alpha` of a path of a given length: `alpha² = sqrt(beta) vartheta`,
    /// `beta = lambda² sigma² / ((4 pi)³ d⁴)`, its principal root.
    fn reflection(&self, distance: f64, scattering: Complex<f64>) -> Complex<f64> {
        let beta = self.wavelength.powi(2) * self.radar_cross_section / ((4.0 * PI).powi(3) * distance.powi(4));
        (scattering * beta.sqrt() * self.reflection_gain.linear(1.0)).sqrt()
    }
}

#[typetag::serde(name = "irs_massive_mimo")]
impl Scenario for IrsMassiveMimoConfig {
    fn check(&self) -> Result<()> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Input(mistakes)) }
    }

    /// Every link has streams of its own: neither the number of users nor array sizes nor powers change what is drawn.
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        self.check()?;
        let users = self.users;
        let between = |low: f64, high: f64, u: f64| low + (high - low) * u;
        let distance = |purpose: &str, entity: u64| {
            between(self.least_distance, self.largest_distance, streams.stream(purpose, entity).uniform())
        };
        let gain = |link: f64, line_of_sight: bool, extra: &Power| {
            10f64.powf(-path_loss(link, line_of_sight) / 10.0) * extra.linear(1.0)
        };
        let each = |purpose: &str, extra: &Power| -> Vec<f64> {
            (0..users as u64).map(|k| gain(distance(purpose, k), false, extra)).collect()
        };
        let angle = |purpose: &str| between(-FRAC_PI_2, FRAC_PI_2, streams.stream(purpose, 0).uniform());
        let direction = |azimuth: &Angle, elevation: &Angle| Direction {
            azimuth: azimuth.radians(),
            elevation: elevation.radians(),
        };
        let scattering = |entity: u64| streams.stream("radar cross-section", entity).complex_normal(1.0);
        let share = |total: f64| vec![total / users as f64; users];
        let drawn = between(1.0, 3.0, streams.stream("rician factor", 0).uniform());
        let amplitude = (self.irs_amplitude != 1.0).then(|| vec![self.irs_amplitude; self.irs.len()]);
        let instance = Instance {
            base_station_array: self.base_station,
            irs_array: self.irs,
            steering_convention: self.steering_convention,
            base_station_element_area: 1.0,
            irs_element_area: 1.0,
            fading_user_base_station: each("user distance", &self.direct_gain),
            fading_user_irs: each("user distance from irs", &self.hop_gain),
            fading_irs_base_station: gain(distance("irs distance", 0), true, &self.hop_gain),
            rician_factor: self.rician_factor.unwrap_or(drawn),
            angles: Angles {
                base_station: Direction {
                    azimuth: angle("base station azimuth"),
                    elevation: angle("base station elevation"),
                },
                irs: Direction { azimuth: angle("irs azimuth"), elevation: angle("irs elevation") },
                target_from_base_station: direction(
                    &self.target_azimuth_from_base_station,
                    &self.target_elevation_from_base_station,
                ),
                target_from_irs: direction(&self.target_azimuth_from_irs, &self.target_elevation_from_irs),
            },
            target_reflection_base_station: self.reflection(distance("target distance", 0), scattering(0)),
            target_reflection_irs: self.reflection(distance("target distance", 1), scattering(1)),
            transmit_snr: self.transmit_snr.linear(1.0),
            pilot_snr: self.pilot_snr.linear(1.0),
            pilot_length: self.pilots(),
            coherence_length: self.coherence_length,
            communication_share: share(self.communication_share),
            sensing_share: share(1.0 - self.communication_share),
            sensing_gain_limit: self.sensing_gain_limit.linear(1.0),
            irs_amplitude: amplitude,
            measured: Measured::default(),
        };
        Ok(Arc::new(IrsMassiveMimo::new(instance)?))
    }
}

inventory::submit! {
    ScenarioEntry {
        name: "irs_massive_mimo",
        summary: "IRS-aided massive MIMO: phases by statistical channel knowledge, rates, 2-D MUSIC",
        paper: "IRS-Aided Massive MIMO ISAC Systems (paper 000)",
        default: || Box::new(IrsMassiveMimoConfig::default()),
        schema: || schemars::schema_for!(IrsMassiveMimoConfig),
        read_instance: |value| Ok(Arc::new(IrsMassiveMimo::new(Instance::from_json(value)?)?)),
        fit: Some(super::fit::fit),
    }
}
