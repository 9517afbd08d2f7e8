//! The `[scenario]` section of a config, and the drawing of one system from it (paper 002, section V).

use std::f64::consts::PI;
use std::sync::Arc;

use nalgebra::Vector3;
use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::IrsNoIsac;
use super::instance::{Angles, Array, Instance, Path, Positions, Symbols};
use super::position::arrival;
use crate::error::{Error, InputError, Result};
use crate::math::{Angle, Power, Ratio, Streams};
use crate::model::SystemModel;
use crate::scenario::{Scenario, ScenarioEntry};

/// IRS-aided non-orthogonal ISAC: symbols over a distributed passive IRS with discrete phases, decoded by a user who
/// estimates from where they arrive. Defaults are those of paper 002 where it gives them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IrsNoIsacConfig {
    /// Elements of a sub-IRS, L_y x L_z.
    pub irs: Array,
    /// Antennas of the user, M_y x M_z.
    pub user_array: Array,
    /// Antennas N_t of the base station's uniform linear array.
    pub base_station_antennas: usize,
    /// Bits b of a phase: 2^b phases.
    pub phase_bits: u64,
    /// Received SNR |alpha_B2I alpha_I2U|² / sigma_z²; holds neither N_t nor P_t.
    pub snr: Ratio,
    /// Transmit power P_t.
    pub transmit_power: Power,
    /// Time slots T of a time block.
    pub slots: u64,
    /// Whether symbols are drawn in each trial, or their moments stand for them.
    pub symbols: SymbolModel,
    /// Variance sigma_x² of the symbols, above 0 to 1; their mean is sqrt(1 - sigma_x²), real.
    pub symbol_variance: f64,
    /// Weight zeta of communication in the modified CRLB, 0 to 1.
    pub communication_weight: f64,
    /// Elevation of arrival at the user from the IRS.
    pub user_elevation: Angle,
    /// Azimuth of arrival at the user from the IRS; 0 is broadside.
    pub user_azimuth: Angle,
    /// Elevation of arrival at the IRS from the base station.
    pub irs_elevation: Angle,
    /// Azimuth of arrival at the IRS from the base station; 0 is broadside.
    pub irs_azimuth: Angle,
    /// Azimuth at which the user sees the second sub-IRS, at the same distance and elevation as the first; given, it
    /// adds the second time block and the position error bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_user_azimuth: Option<Angle>,
    /// Distance from the IRS to the user in m.
    pub user_distance: f64,
    /// Distance from the base station to the first sub-IRS in m.
    pub base_station_distance: f64,
}

/// What stands for the symbols of a time block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SymbolModel {
    /// Their second moments: what a designer knows beforehand.
    #[default]
    Moments,
    /// Draws from CN(mu_x, sigma_x²), other ones in each trial: the paper's.
    Drawn,
}

fn degrees(text: &str) -> Angle {
    text.parse().expect("an angle with its unit, written here")
}

impl Default for IrsNoIsacConfig {
    fn default() -> Self {
        Self {
            irs: Array { horizontal: 4, vertical: 4 },
            user_array: Array { horizontal: 4, vertical: 4 },
            base_station_antennas: 8,
            phase_bits: 2,
            snr: "0 dB".parse().expect("a ratio with its unit, written here"),
            transmit_power: Power::new(1.0),
            slots: 2,
            symbols: SymbolModel::Moments,
            symbol_variance: 1.0,
            communication_weight: 0.5,
            user_elevation: degrees("30 deg"),
            user_azimuth: degrees("60 deg"),
            // The base station is 5 m above the IRS, 30 m away.
            irs_elevation: Angle::new((5.0f64 / 30.0).asin()),
            irs_azimuth: degrees("45 deg"),
            second_user_azimuth: None,
            user_distance: 10.0,
            base_station_distance: 30.0,
        }
    }
}

/// The unit vector of a direction of arrival.
fn direction(elevation: f64, azimuth: f64) -> Vector3<f64> {
    let ((sg, cg), (sp, cp)) = (elevation.sin_cos(), azimuth.sin_cos());
    Vector3::new(cg * cp, cg * sp, sg)
}

impl IrsNoIsacConfig {
    fn symbol_mean(&self) -> f64 {
        (1.0 - self.symbol_variance).max(0.0).sqrt()
    }

    fn mistakes(&self) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        let mut check = |key: &str, holds: bool, found: String, allowed: &str| {
            if !holds {
                mistakes.push(InputError::new(key, found, allowed));
            }
        };
        for (key, array) in [("irs", self.irs), ("user_array", self.user_array)] {
            let small = (1..=1024).contains(&array.horizontal) && (1..=1024).contains(&array.vertical);
            check(key, small, format!("{} x {}", array.horizontal, array.vertical), "sides from 1 to 1024");
        }
        let antennas = self.base_station_antennas;
        check("base_station_antennas", (1..=100_000).contains(&antennas), antennas.to_string(), "from 1 to 100000");
        check("phase_bits", (1..=16).contains(&self.phase_bits), self.phase_bits.to_string(), "from 1 to 16");
        let most = if self.symbols == SymbolModel::Drawn { 1_000_000 } else { u64::MAX };
        check(
            "slots",
            (1..=most).contains(&self.slots),
            self.slots.to_string(),
            "a whole number of at least 1 (drawn: to 10^6)",
        );
        let snr = self.snr.linear();
        check("snr", snr.is_finite() && snr > 0.0, snr.to_string(), "a finite ratio above 0");
        let power = self.transmit_power.linear(1.0);
        check("transmit_power", power.is_finite() && power >= 0.0, power.to_string(), "a finite power, 0 or more");
        let variance = self.symbol_variance;
        check(
            "symbol_variance",
            variance > 0.0 && variance <= 1.0,
            variance.to_string(),
            "a number above 0, at most 1",
        );
        let weight = self.communication_weight;
        check("communication_weight", (0.0..=1.0).contains(&weight), weight.to_string(), "a number from 0 to 1");
        for (key, angle) in [
            ("user_elevation", Some(&self.user_elevation)),
            ("user_azimuth", Some(&self.user_azimuth)),
            ("irs_elevation", Some(&self.irs_elevation)),
            ("irs_azimuth", Some(&self.irs_azimuth)),
            ("second_user_azimuth", self.second_user_azimuth.as_ref()),
        ] {
            let radians = angle.map_or(0.0, Angle::radians);
            check(key, radians.is_finite(), radians.to_string(), "a finite angle");
        }
        for (key, distance) in
            [("user_distance", self.user_distance), ("base_station_distance", self.base_station_distance)]
        {
            check(key, distance.is_finite() && distance > 0.0, distance.to_string(), "a finite distance above 0");
        }
        mistakes
    }

    fn instance(&self, symbols: Symbols) -> Instance {
        let angles = Angles {
            user_elevation: self.user_elevation.radians(),
            user_azimuth: self.user_azimuth.radians(),
            irs_elevation: self.irs_elevation.radians(),
            irs_azimuth: self.irs_azimuth.radians(),
        };
        let one = Complex::new(1.0, 0.0);
        let path = Path { angles, gain_base_station_irs: one, gain_irs_user: one };
        let mut second = None;
        let mut positions = None;
        if let Some(azimuth) = &self.second_user_azimuth {
            let user = Vector3::zeros();
            let seen = |azimuth: f64| user + direction(angles.user_elevation, azimuth) * self.user_distance;
            let sub_irs = [seen(angles.user_azimuth), seen(azimuth.radians())];
            let base_station =
                sub_irs[0] + direction(angles.irs_elevation, angles.irs_azimuth) * self.base_station_distance;
            let (at_user, at_irs) = (arrival(&user, &sub_irs[1]), arrival(&sub_irs[1], &base_station));
            let angles = Angles {
                user_elevation: at_user.x,
                user_azimuth: at_user.y,
                irs_elevation: at_irs.x,
                irs_azimuth: at_irs.y,
            };
            second = Some(Path { angles, ..path });
            positions = Some(Positions {
                user: user.into(),
                sub_irs: sub_irs.map(Into::into),
                base_station: Some(base_station.into()),
            });
        }
        // A linear array with half-wavelength spacing; the wave departs as far below as it arrives above.
        let slope = (-angles.irs_elevation).sin();
        Instance {
            irs: self.irs,
            user_array: self.user_array,
            base_station_response: (0..self.base_station_antennas)
                .map(|n| Complex::cis(PI * n as f64 * slope))
                .collect(),
            phase_bits: self.phase_bits,
            path,
            second,
            positions,
            noise_power: 1.0 / self.snr.linear(),
            transmit_power: self.transmit_power.linear(1.0),
            symbols,
            symbol_variance: self.symbol_variance,
            symbol_mean: Complex::new(self.symbol_mean(), 0.0),
            communication_weight: self.communication_weight,
        }
    }
}

#[typetag::serde(name = "irs_no_isac")]
impl Scenario for IrsNoIsacConfig {
    fn check(&self) -> Result<()> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Input(mistakes)) }
    }

    /// Each symbol comes from a stream of its own: fewer slots are a prefix of more, and all SNRs, weights and arrays see
    /// the same draws.
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        self.check()?;
        let symbols = match self.symbols {
            SymbolModel::Moments => Symbols::Moments(self.slots),
            SymbolModel::Drawn => {
                let mean = Complex::new(self.symbol_mean(), 0.0);
                let draw = |t| mean + streams.stream("symbol", t).complex_normal(1.0) * self.symbol_variance.sqrt();
                Symbols::Drawn((0..self.slots).map(draw).collect())
            }
        };
        Ok(Arc::new(IrsNoIsac::new(self.instance(symbols))))
    }
}

inventory::submit! {
    ScenarioEntry {
        name: "irs_no_isac",
        summary: "IRS-aided non-orthogonal ISAC: discrete IRS phases, symbols and their direction of arrival",
        paper: "IRS-aided non-orthogonal ISAC systems (paper 002)",
        default: || Box::new(IrsNoIsacConfig::default()),
        schema: || schemars::schema_for!(IrsNoIsacConfig),
        read_instance: |value| Ok(Arc::new(IrsNoIsac::new(Instance::from_json(value)?))),
        fit: None,
    }
}
