//! The `[scenario]` section of a config, and the drawing of one system from it (paper 001, section V-A).

use std::f64::consts::FRAC_PI_4;
use std::sync::Arc;

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Array, Instance, Monostatic, Pointing, Precoder};
use crate::error::{Error, InputError, Result};
use crate::math::{Angle, Power, Ratio, SquaredAngle, Streams};
use crate::model::SystemModel;
use crate::scenario::{Scenario, ScenarioEntry};

/// Monostatic massive MIMO ISAC: a base station with planar arrays serves users by MRT or ZF and measures the azimuth
/// and elevation of a target. Defaults are those of paper 001.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MonostaticConfig {
    /// Transmit array.
    pub transmit: Array,
    /// Receive array.
    pub receive: Array,
    /// Number of users K.
    pub users: usize,
    /// Communication precoder: "mrt" or "zf".
    pub precoder: Precoder,
    /// Transmit power budget P_t; "dB" is relative to the communication noise power.
    pub transmit_power: Power,
    /// Limit on the CRLB of the azimuth: rad², "-35 dB" or its root "0.5 deg"; "inf" for none.
    pub crlb_azimuth_limit: SquaredAngle,
    /// Limit on the CRLB of the elevation, likewise.
    pub crlb_elevation_limit: SquaredAngle,
    /// Pilot length tau_p in symbols, the number of orthogonal pilots: user k sends pilot k mod tau_p.
    pub pilot_length: u64,
    /// Coherence interval tau_c in symbols.
    pub coherence_length: u64,
    /// Sensing frame length L in symbols.
    pub frame_length: u64,
    /// Power per pilot symbol p_p; "dB" is relative to the communication noise power.
    pub pilot_power: Power,
    /// Noise power at the users, sigma_c².
    pub communication_noise_power: Power,
    /// Noise power at the sensing receiver, sigma_s².
    pub sensing_noise_power: Power,
    /// Azimuth theta of the target: rad, or text as "22.5 deg".
    pub target_azimuth: Angle,
    /// Elevation phi of the target, likewise.
    pub target_elevation: Angle,
    /// Distance of the target in m.
    pub target_distance: f64,
    /// Offset of the sensing beam from the target, on both angles, likewise (paper 001, Fig. 2).
    pub sensing_misalignment: Angle,
    /// Target reflection alpha = (2 d / r_h)^(-nu/2) (1 + j) / sqrt(2), unless it is given here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_reflection: Option<Reflection>,
    /// Sensing SNR P_t L |alpha|² / sigma_s²: where given, it sets |alpha| in place of the target's distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensing_snr: Option<Ratio>,
    /// Cell radius in m.
    pub cell_radius: f64,
    /// Exclusion radius r_h in m: no user is nearer, and path losses are relative to it.
    pub exclusion_radius: f64,
    /// Path loss exponent nu.
    pub path_loss_exponent: f64,
    /// Standard deviation of the log-normal shadowing in dB.
    pub shadowing: f64,
    /// Whether users are uniform over the area or over the radius.
    pub user_drop: UserDrop,
    /// Weights of the users in `weighted_sum_rate`, one a user; absent means ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_weights: Option<Vec<f64>>,
}

/// A complex reflection coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reflection {
    /// Real part.
    pub re: f64,
    /// Imaginary part.
    pub im: f64,
}

/// How users are dropped between the exclusion radius and the cell radius.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserDrop {
    /// Uniform over the area.
    #[default]
    Area,
    /// Uniform over the distance.
    Radius,
}

fn decibels(text: &str) -> Power {
    text.parse().expect("a power with its unit, written here")
}

impl Default for MonostaticConfig {
    fn default() -> Self {
        let limit: SquaredAngle = "-35 dB".parse().expect("a squared angle with its unit, written here");
        Self {
            transmit: Array { horizontal: 15, vertical: 15 },
            receive: Array { horizontal: 5, vertical: 5 },
            users: 12,
            precoder: Precoder::Zf,
            transmit_power: decibels("10 dB"),
            crlb_azimuth_limit: limit.clone(),
            crlb_elevation_limit: limit,
            pilot_length: 10,
            coherence_length: 100,
            frame_length: 30,
            pilot_power: decibels("30 dB"),
            communication_noise_power: Power::new(1.0),
            sensing_noise_power: Power::new(1.0),
            target_azimuth: Angle::new(std::f64::consts::FRAC_PI_8),
            target_elevation: Angle::new(FRAC_PI_4),
            target_distance: 400.0,
            sensing_misalignment: Angle::new(0.0),
            target_reflection: None,
            sensing_snr: None,
            cell_radius: 1000.0,
            exclusion_radius: 100.0,
            path_loss_exponent: 3.2,
            shadowing: 7.0,
            user_drop: UserDrop::Area,
            user_weights: None,
        }
    }
}

impl MonostaticConfig {
    fn noise(&self) -> (f64, f64) {
        // A noise power in dB is relative to 1.
        (self.communication_noise_power.linear(1.0), self.sensing_noise_power.linear(1.0))
    }

    fn reflection(&self) -> Complex<f64> {
        match (self.target_reflection, &self.sensing_snr) {
            (Some(Reflection { re, im }), _) => Complex::new(re, im),
            (None, Some(snr)) => {
                let (noise, sensing_noise) = self.noise();
                let energy = self.transmit_power.linear(noise) * self.frame_length as f64;
                Complex::from_polar((snr.linear() * sensing_noise / energy).sqrt(), FRAC_PI_4)
            }
            (None, None) => {
                let ratio = 2.0 * self.target_distance / self.exclusion_radius;
                Complex::from_polar(ratio.powf(-0.5 * self.path_loss_exponent), FRAC_PI_4)
            }
        }
    }

    /// The system with given large-scale fadings.
    fn instance(&self, large_scale_fading: Vec<f64>) -> Instance {
        let target = Pointing { azimuth: self.target_azimuth.radians(), elevation: self.target_elevation.radians() };
        let offset = self.sensing_misalignment.radians();
        let (noise, sensing_noise) = self.noise();
        let limit = |limit: &SquaredAngle| Some(limit.squared_radians()).filter(|l| l.is_finite());
        Instance {
            precoder: self.precoder,
            transmit_array: self.transmit,
            receive_array: self.receive,
            pilot_index: (0..large_scale_fading.len() as u64).map(|k| k % self.pilot_length).collect(),
            large_scale_fading,
            pilot_length: self.pilot_length,
            coherence_length: self.coherence_length,
            frame_length: self.frame_length,
            pilot_power: self.pilot_power.linear(noise),
            communication_noise_power: noise,
            sensing_noise_power: sensing_noise,
            target_reflection: self.reflection(),
            target_direction: target,
            sensing_beam_direction: (offset != 0.0)
                .then_some(Pointing { azimuth: target.azimuth + offset, elevation: target.elevation + offset }),
            transmit_power: self.transmit_power.linear(noise),
            crlb_azimuth_limit: limit(&self.crlb_azimuth_limit),
            crlb_elevation_limit: limit(&self.crlb_elevation_limit),
            user_weights: self.user_weights.clone(),
        }
    }

    fn mistakes(&self) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        let mut check = |key: &str, holds: bool, found: String, allowed: &str| {
            if !holds {
                mistakes.push(InputError::new(key, found, allowed));
            }
        };
        for (key, count) in [
            ("transmit.horizontal", self.transmit.horizontal),
            ("transmit.vertical", self.transmit.vertical),
            ("receive.horizontal", self.receive.horizontal),
            ("receive.vertical", self.receive.vertical),
        ] {
            check(key, (1..=1 << 20).contains(&count), count.to_string(), "a whole number from 1 to 2^20");
        }
        check("users", (1..=100_000).contains(&self.users), self.users.to_string(), "a whole number from 1 to 100000");
        for (key, count) in [
            ("pilot_length", self.pilot_length),
            ("coherence_length", self.coherence_length),
            ("frame_length", self.frame_length),
        ] {
            check(key, count >= 1, count.to_string(), "a whole number of at least 1");
        }
        let (noise, sensing_noise) = self.noise();
        let budget = self.transmit_power.linear(noise);
        check("transmit_power", budget.is_finite() && budget >= 0.0, budget.to_string(), "a finite power, 0 or more");
        for (key, value) in [
            ("pilot_power", self.pilot_power.linear(noise)),
            ("communication_noise_power", noise),
            ("sensing_noise_power", sensing_noise),
            ("target_distance", self.target_distance),
            ("exclusion_radius", self.exclusion_radius),
        ] {
            check(key, value.is_finite() && value > 0.0, value.to_string(), "a finite number above 0");
        }
        for (key, limit) in [
            ("crlb_azimuth_limit", self.crlb_azimuth_limit.squared_radians()),
            ("crlb_elevation_limit", self.crlb_elevation_limit.squared_radians()),
        ] {
            check(key, limit > 0.0, limit.to_string(), "a squared angle above 0, \"inf\" for no limit");
        }
        for (key, angle) in [
            ("target_azimuth", self.target_azimuth.radians()),
            ("target_elevation", self.target_elevation.radians()),
            ("sensing_misalignment", self.sensing_misalignment.radians()),
        ] {
            check(key, angle.is_finite(), angle.to_string(), "a finite angle");
        }
        for (key, value) in [("path_loss_exponent", self.path_loss_exponent), ("shadowing", self.shadowing)] {
            check(key, value.is_finite() && value >= 0.0, value.to_string(), "a finite number, 0 or more");
        }
        let wide = self.cell_radius.is_finite() && self.cell_radius > self.exclusion_radius;
        check("cell_radius", wide, self.cell_radius.to_string(), "a finite number above exclusion_radius");
        if let Some(Reflection { re, im }) = self.target_reflection {
            check("target_reflection", re.is_finite() && im.is_finite(), format!("{re} + {im}j"), "finite numbers");
        }
        if let Some(snr) = self.sensing_snr.as_ref().map(Ratio::linear) {
            let allowed = "a finite ratio above 0, with a transmit power above 0";
            check("sensing_snr", snr.is_finite() && snr > 0.0 && budget > 0.0, snr.to_string(), allowed);
            let alone = self.target_reflection.is_none();
            check("sensing_snr", alone, "beside `target_reflection`".into(), "one of them: both set |alpha|");
        }
        if let Some(weights) = &self.user_weights {
            let good = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
            let found = if good { format!("{} weights", weights.len()) } else { format!("{weights:?}") };
            let allowed = format!("{} finite numbers, 0 or more", self.users);
            check("user_weights", good && weights.len() == self.users, found, &allowed);
        }
        mistakes
    }
}

#[typetag::serde(name = "monostatic")]
impl Scenario for MonostaticConfig {
    fn check(&self) -> Result<()> {
        let mistakes = self.mistakes();
        if !mistakes.is_empty() {
            return Err(Error::Input(mistakes));
        }
        // What holds across keys is checked on the instance itself; its keys are those of the section but for `users`.
        self.instance(vec![1.0; self.users]).check("").map_err(|error| match error {
            Error::Input(errors) => Error::Input(
                errors
                    .into_iter()
                    .map(|e| InputError { key: e.key.trim_start_matches('.').replace("pilot_index", "users"), ..e })
                    .collect(),
            ),
            other => other,
        })
    }

    /// User k's position and shadowing come from streams of its own, so that the drop depends neither on the number of
    /// users nor on powers or arrays.
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        self.check()?;
        let (near, far) = (self.exclusion_radius, self.cell_radius);
        let fading = (0..self.users as u64).map(|k| {
            let place = streams.stream("user position", k).uniform();
            let distance = match self.user_drop {
                UserDrop::Area => (near * near + place * (far * far - near * near)).sqrt(),
                UserDrop::Radius => near + place * (far - near),
            };
            let shadowing = self.shadowing * streams.stream("shadowing", k).normal();
            10f64.powf(shadowing / 10.0) * (distance / near).powf(-self.path_loss_exponent)
        });
        let fading: Vec<f64> = fading.collect();
        if let Some(bad) = fading.iter().find(|beta| !(beta.is_finite() && **beta > 0.0)) {
            let found =
                format!("{}, which with path_loss_exponent makes a large-scale fading of {bad}", self.shadowing);
            return Err(InputError::new("shadowing", found, "values with finite fadings above 0").into());
        }
        Ok(Arc::new(Monostatic::new(self.instance(fading))))
    }
}

inventory::submit! {
    ScenarioEntry {
        name: "monostatic",
        summary: "monostatic massive MIMO: users by MRT or ZF, azimuth and elevation of a target",
        paper: "Performance Analysis and Power Allocation for Massive MIMO ISAC Systems (paper 001)",
        default: || Box::new(MonostaticConfig::default()),
        schema: || schemars::schema_for!(MonostaticConfig),
        read_instance: |value| Ok(Arc::new(Monostatic::new(Instance::from_json(value)?))),
        fit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fading(config: &MonostaticConfig, trial: u64) -> Vec<f64> {
        let model = config.draw(&Streams::new(1, "monostatic", trial)).unwrap();
        Instance::from_json(&model.instance()).unwrap().large_scale_fading
    }

    #[test]
    fn drops_depend_on_seed_and_trial_only() {
        let config = MonostaticConfig::default();
        let all = fading(&config, 0);
        let fewer = MonostaticConfig { users: 8, pilot_length: 8, ..config.clone() };
        assert_eq!(fading(&fewer, 0), all[..8]);
        let other = MonostaticConfig {
            transmit: Array { horizontal: 5, vertical: 6 },
            transmit_power: decibels("30 dB"),
            precoder: Precoder::Mrt,
            ..config.clone()
        };
        assert_eq!(fading(&other, 0), all);
        assert_ne!(fading(&config, 1), all);
    }

    #[test]
    fn users_stay_in_the_cell() {
        let config =
            MonostaticConfig { shadowing: 0.0, users: 2000, transmit_power: decibels("0 dB"), ..Default::default() };
        let far = 10f64.powf(-3.2);
        let mut inner = [0.0; 2];
        for (drop, inner) in [UserDrop::Area, UserDrop::Radius].into_iter().zip(&mut inner) {
            let betas = fading(&MonostaticConfig { user_drop: drop, ..config.clone() }, 0);
            assert!(betas.iter().all(|b| (far..=1.0).contains(b)));
            // Within half of the cell radius.
            *inner = betas.iter().filter(|b| **b > 5f64.powf(-3.2)).count() as f64 / 2000.0;
        }
        assert!((inner[0] - 24.0 / 99.0).abs() < 0.04 && (inner[1] - 4.0 / 9.0).abs() < 0.05, "{inner:?}");
    }

    #[test]
    fn the_default_is_the_reference_setup() {
        let model = MonostaticConfig::default().draw(&Streams::new(1, "monostatic", 0)).unwrap();
        let instance = Instance::from_json(&model.instance()).unwrap();
        assert!((instance.target_reflection - Complex::new(0.025382887386132355, 0.025382887386132355)).norm() < 1e-15);
        assert_eq!(instance.pilot_index[10..], [0, 1]);
        assert!((instance.transmit_power - 10.0).abs() < 1e-12);
        assert_eq!(instance.sensing_beam_direction, None);
    }

    #[test]
    fn the_sensing_snr_sets_the_reflection() {
        let text =
            r#"{"type": "monostatic", "sensing_snr": "7 dB", "sensing_noise_power": 3.0, "transmit_power": 2.5}"#;
        let scenario: Box<dyn Scenario> = serde_json::from_str(text).unwrap();
        let model = scenario.draw(&Streams::new(1, "monostatic", 0)).unwrap();
        let metric = model.metrics().iter().position(|m| m.id == "sensing_snr").unwrap();
        let mut values = crate::metric::MetricValues::new(model.metrics());
        let design = crate::design::Design::zeros(model.space());
        model.evaluate(&design, crate::MetricSet::only(metric), &mut model.workspace(), &mut values).unwrap();
        assert!((values.scalar(metric) - 10f64.powf(0.7)).abs() < 1e-12);
    }

    #[test]
    fn mistakes_name_their_keys() {
        let spoil = |key: &str, value: &str| {
            let text = format!("{{\"type\": \"monostatic\", \"{key}\": {value}}}");
            match serde_json::from_str::<Box<dyn Scenario>>(&text) {
                Err(error) => error.to_string(),
                Ok(scenario) => scenario.check().expect_err(key).to_string(),
            }
        };
        for (key, value) in [
            ("users", "0"),
            ("transmit_power", "-1"),
            ("transmit_power", "\"3 deg\""),
            ("pilot_length", "100"),
            ("crlb_azimuth_limit", "0"),
            ("communication_noise_power", "0"),
            ("shadowing", "-2"),
            ("cell_radius", "50"),
            ("user_weights", "[1, 2]"),
            ("precodr", "\"zf\""),
            ("target_distance", "0"),
            ("sensing_snr", "0"),
            ("sensing_snr", "\"3 dB\", \"target_reflection\": {\"re\": 1, \"im\": 0}"),
            ("sensing_snr", "1, \"transmit_power\": 0"),
        ] {
            let message = spoil(key, value);
            assert!(message.contains(key) || message.contains("expected a power"), "{key}: {message}");
        }
        assert!(spoil("receive", "{\"horizontal\": 0, \"vertical\": 2}").contains("receive.horizontal"));
        assert!(spoil("transmit", "{\"horizontal\": 3, \"vertical\": 3}").contains("precoder"));
    }

    #[test]
    fn an_infinite_limit_is_no_limit() {
        let text = r#"{"type": "monostatic", "crlb_azimuth_limit": "inf", "crlb_elevation_limit": "0.5 deg"}"#;
        let scenario: Box<dyn Scenario> = serde_json::from_str(text).unwrap();
        let model = scenario.draw(&Streams::new(1, "monostatic", 0)).unwrap();
        let metrics: Vec<_> = model.default_problem().constraints.into_iter().map(|c| c.metric).collect();
        assert_eq!(metrics, ["transmit_power", "crlb_elevation"]);
    }
}
