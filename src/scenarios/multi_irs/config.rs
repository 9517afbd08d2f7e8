//! The `[scenario]` section of a config, and the drawing of one system from it (paper 003, section VI and Fig. 2).
//!
//! The paper leaves out the path loss, the targets' reflection, the sensors' noise, spacings and orientation. The
//! defaults here are this project's choice: 30 dB loss at 1 m, exponents 2.5 (base station to IRS) and 3.5 (IRS to
//! user), a radar cross-section of 1 m², the same noise at users and sensors, half-wavelength arrays along the x axis
//! with angles from the y axis. With them 40 W serve 10 dB everywhere with margin.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Instance, MultiIrs, Receiver, Target};
use crate::error::{Error, InputError, Result};
use crate::math::{Power, Ratio, Streams};
use crate::model::SystemModel;
use crate::scenario::{Scenario, ScenarioEntry};

/// The speed of light in m/s.
const LIGHT: f64 = 299_792_458.0;

/// Multi-IRS ISAC: a base station behind obstacles reaches users and targets through several semi-passive IRSs, each
/// with users and one target of its own, which its own sensors locate. Defaults follow paper 003 where it says.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MultiIrsConfig {
    /// Antennas M of the base station.
    pub antennas: usize,
    /// Reflecting elements N of each IRS.
    pub elements: usize,
    /// Sensors N_s of each IRS.
    pub sensors: u64,
    /// Spacing of antennas, in wavelengths.
    pub antenna_spacing_wavelengths: f64,
    /// Spacing d of elements, in wavelengths.
    pub element_spacing_wavelengths: f64,
    /// Spacing d_s of sensors, in wavelengths.
    pub sensor_spacing_wavelengths: f64,
    /// Position of the base station in m.
    pub base_station: [f64; 2],
    /// Positions of the IRSs in m: one an IRS.
    pub irs: Vec<[f64; 2]>,
    /// Positions of the users in m: for each IRS, the same number of them.
    pub users: Vec<Vec<[f64; 2]>>,
    /// Positions of the targets in m: one an IRS.
    pub targets: Vec<[f64; 2]>,
    /// Carrier frequency in Hz.
    pub carrier_frequency: f64,
    /// Rician factor of all channels.
    pub rician_factor: Ratio,
    /// Power gain at 1 m.
    pub reference_gain: Ratio,
    /// Path loss exponent between base station and IRS.
    pub base_station_irs_exponent: f64,
    /// Path loss exponent between IRS and user.
    pub irs_user_exponent: f64,
    /// Radar cross-section of the targets in m².
    pub radar_cross_section: f64,
    /// Noise power at the users, sigma²: -174 dBm/Hz over 1 MHz.
    pub communication_noise_power: Power,
    /// Noise power at each sensor, sigma_s².
    pub sensing_noise_power: Power,
    /// Dwell time T in symbols.
    pub dwell_time: u64,
    /// Transmit power budget P_sum; "dB" is relative to the communication noise power.
    pub transmit_power: Power,
    /// SINR limit Gamma of every user; 0 for sensing only.
    pub sinr_limit: Ratio,
    /// Receivers that treat the sensing signal as interference ("type1") or cancel it ("type2").
    pub receiver: Receiver,
    /// "point" or "extended" targets.
    pub target: Target,
}

impl Default for MultiIrsConfig {
    fn default() -> Self {
        let power = |text: &str| text.parse::<Power>().expect("a power with its unit, written here");
        let ratio = |text: &str| text.parse::<Ratio>().expect("a ratio with its unit, written here");
        Self {
            antennas: 8,
            elements: 8,
            sensors: 8,
            antenna_spacing_wavelengths: 0.5,
            element_spacing_wavelengths: 0.5,
            sensor_spacing_wavelengths: 0.5,
            base_station: [0.0, 0.0],
            irs: vec![[-30.0, 30.0], [30.0, 30.0]],
            users: vec![vec![[-40.0, 25.0], [-30.0, 25.0]], vec![[30.0, 25.0], [40.0, 25.0]]],
            targets: vec![[-35.0, 22.0], [35.0, 27.0]],
            carrier_frequency: 6e9,
            rician_factor: ratio("5 dB"),
            reference_gain: ratio("-30 dB"),
            base_station_irs_exponent: 2.5,
            irs_user_exponent: 3.5,
            radar_cross_section: 1.0,
            communication_noise_power: power("-114 dBm"),
            sensing_noise_power: power("-114 dBm"),
            dwell_time: 100,
            transmit_power: power("40 W"),
            sinr_limit: ratio("10 dB"),
            receiver: Receiver::TypeI,
            target: Target::Point,
        }
    }
}

/// Distance, and sine of the angle from the y axis, from one place to another.
fn line(from: [f64; 2], to: [f64; 2]) -> (f64, f64) {
    let (x, y) = (to[0] - from[0], to[1] - from[1]);
    let distance = x.hypot(y);
    (distance, x / distance)
}

impl MultiIrsConfig {
    fn mistakes(&self) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        let mut check = |key: &str, holds: bool, found: String, allowed: &str| {
            if !holds {
                mistakes.push(InputError::new(key, found, allowed));
            }
        };
        for (key, count) in [("antennas", self.antennas), ("elements", self.elements)] {
            check(key, (1..=4096).contains(&count), count.to_string(), "a whole number from 1 to 4096");
        }
        for (key, count) in [("sensors", self.sensors), ("dwell_time", self.dwell_time)] {
            check(key, count >= 1, count.to_string(), "a whole number of at least 1");
        }
        let surfaces = self.irs.len();
        check("irs", (1..=64).contains(&surfaces), format!("{surfaces} positions"), "1 to 64 positions");
        let found = format!("{} positions", self.targets.len());
        check("targets", self.targets.len() == surfaces, found, "one position an IRS");
        let users = self.users.first().map_or(0, Vec::len);
        let even = self.users.len() == surfaces && users >= 1 && self.users.iter().all(|u| u.len() == users);
        let counts: Vec<usize> = self.users.iter().map(Vec::len).collect();
        check("users", even, format!("{counts:?} positions"), "for each IRS the same number of positions, at least 1");
        let noise = self.communication_noise_power.linear(1.0);
        for (key, value) in [
            ("carrier_frequency", self.carrier_frequency),
            ("reference_gain", self.reference_gain.linear()),
            ("radar_cross_section", self.radar_cross_section),
            ("communication_noise_power", noise),
            ("sensing_noise_power", self.sensing_noise_power.linear(1.0)),
            ("transmit_power", self.transmit_power.linear(noise)),
        ] {
            check(key, value.is_finite() && value > 0.0, value.to_string(), "a finite number above 0");
        }
        for (key, value) in [
            ("antenna_spacing_wavelengths", self.antenna_spacing_wavelengths),
            ("element_spacing_wavelengths", self.element_spacing_wavelengths),
            ("sensor_spacing_wavelengths", self.sensor_spacing_wavelengths),
            ("rician_factor", self.rician_factor.linear()),
            ("base_station_irs_exponent", self.base_station_irs_exponent),
            ("irs_user_exponent", self.irs_user_exponent),
            ("sinr_limit", self.sinr_limit.linear()),
        ] {
            check(key, value.is_finite() && value >= 0.0, value.to_string(), "a finite number, 0 or more");
        }
        // Distances of links must not be 0.
        for (l, irs) in self.irs.iter().enumerate() {
            let apart = |key: &str, place: Option<&[f64; 2]>, mistakes: &mut Vec<InputError>| {
                if let Some(place) = place {
                    let distance = line(*irs, *place).0;
                    if !(distance.is_finite() && distance > 0.0) {
                        let found = format!("{place:?}, at a distance of {distance} from IRS {l}");
                        mistakes.push(InputError::new(key, found, "a finite place apart from its IRS"));
                    }
                }
            };
            apart("base_station", Some(&self.base_station), &mut mistakes);
            apart("targets", self.targets.get(l), &mut mistakes);
            self.users.get(l).iter().for_each(|u| u.iter().for_each(|p| apart("users", Some(p), &mut mistakes)));
        }
        mistakes
    }

    /// A Rician channel entry: line of sight and scattering share the power.
    fn rician(&self, gain: f64, sight: Complex<f64>, scattered: Complex<f64>) -> Complex<f64> {
        let factor = self.rician_factor.linear();
        (sight * factor.sqrt() + scattered) * (gain / (1.0 + factor)).sqrt()
    }
}

/// The stream of entity `inner` of entity `outer`.
fn nested_entity(outer: usize, inner: usize) -> u64 {
    (outer as u64) << 32 | inner as u64
}

#[typetag::serde(name = "multi_irs")]
impl Scenario for MultiIrsConfig {
    fn check(&self) -> Result<()> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Input(mistakes)) }
    }

    /// Every element of an IRS has a stream of its own, and every user, so that fewer antennas, elements or users see
    /// the first of the channels that more of them see.
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        self.check()?;
        let (surfaces, users) = (self.irs.len(), self.users[0].len());
        let (n, m) = (self.elements, self.antennas);
        let reference = self.reference_gain.linear();
        let mut base_station_irs_channel = Vec::with_capacity(surfaces * n * m);
        let mut irs_user_channel = Vec::with_capacity(surfaces * users * n);
        let (mut target_direction, mut target_reflection) = (Vec::new(), Vec::new());
        let wavelength = LIGHT / self.carrier_frequency;
        for (l, irs) in self.irs.iter().enumerate() {
            let (distance, departure) = line(self.base_station, *irs);
            let arrival = -departure;
            let gain = reference * distance.powf(-self.base_station_irs_exponent);
            for element in 0..n {
                let mut stream = streams.stream("base station to element", nested_entity(l, element));
                for antenna in 0..m {
                    let turns = self.element_spacing_wavelengths * element as f64 * arrival
                        + self.antenna_spacing_wavelengths * antenna as f64 * departure;
                    let scattered = stream.complex_normal(1.0);
                    base_station_irs_channel.push(self.rician(gain, Complex::cis(TAU * turns), scattered));
                }
            }
            for (k, user) in self.users[l].iter().enumerate() {
                let mut stream = streams.stream("irs to user", nested_entity(l, k));
                let (distance, departure) = line(*irs, *user);
                let gain = reference * distance.powf(-self.irs_user_exponent);
                for element in 0..n {
                    let turns = self.element_spacing_wavelengths * element as f64 * departure;
                    // It is h^H that carries the signal.
                    let entry = self.rician(gain, Complex::cis(TAU * turns), stream.complex_normal(1.0));
                    irs_user_channel.push(entry.conj());
                }
            }
            let (distance, sine) = line(*irs, self.targets[l]);
            target_direction.push(sine.asin());
            // Radar equation: |beta|² = lambda² RCS / ((4 pi)³ d⁴).
            let size = (wavelength.powi(2) * self.radar_cross_section / ((4.0 * PI).powi(3) * distance.powi(4))).sqrt();
            let phase = TAU * streams.stream("target reflection", l as u64).uniform();
            target_reflection.push(Complex::from_polar(size, phase));
        }
        let noise = self.communication_noise_power.linear(1.0);
        let limit = self.sinr_limit.linear();
        Ok(Arc::new(MultiIrs::new(Instance {
            surfaces,
            users,
            elements: n,
            antennas: m,
            base_station_irs_channel,
            irs_user_channel,
            target_direction,
            target_reflection,
            sensors: self.sensors,
            element_spacing_wavelengths: self.element_spacing_wavelengths,
            sensor_spacing_wavelengths: self.sensor_spacing_wavelengths,
            dwell_time: self.dwell_time,
            communication_noise_power: noise,
            sensing_noise_power: self.sensing_noise_power.linear(1.0),
            transmit_power: self.transmit_power.linear(noise),
            sinr_limit: (limit > 0.0).then(|| vec![limit; surfaces * users]),
            receiver: self.receiver,
            target: self.target,
        })))
    }
}

inventory::submit! {
    ScenarioEntry {
        name: "multi_irs",
        summary: "multi-IRS ISAC: users and targets behind obstacles, reached through IRSs that sense",
        paper: "Multi-IRS-Enabled Integrated Sensing and Communications (paper 003)",
        default: || Box::new(MultiIrsConfig::default()),
        schema: || schemars::schema_for!(MultiIrsConfig),
        read_instance: |value| Ok(Arc::new(MultiIrs::new(Instance::from_json(value)?))),
        fit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(config: &MultiIrsConfig) -> Instance {
        let model = config.draw(&Streams::new(1, "multi_irs", 0)).unwrap();
        Instance::from_json(&model.instance()).unwrap()
    }

    #[test]
    fn the_default_is_the_papers_geometry() {
        let instance = drawn(&MultiIrsConfig::default());
        let degrees: Vec<f64> = instance.target_direction.iter().map(|t| t.to_degrees()).collect();
        assert!((degrees[0] + 32.005).abs() < 1e-2 && (degrees[1] - 59.036).abs() < 1e-2, "{degrees:?}");
        assert!((instance.communication_noise_power / 3.981e-15 - 1.0).abs() < 1e-3);
        assert_eq!(instance.sinr_limit, Some(vec![10.0; 4]));
        let mean = |values: &[Complex<f64>]| values.iter().map(|g| g.norm_sqr()).sum::<f64>() / values.len() as f64;
        let expected = 1e-3 * 1800f64.sqrt().powf(-2.5);
        assert!((mean(&instance.base_station_irs_channel) / expected - 1.0).abs() < 0.3);
    }

    #[test]
    fn smaller_systems_see_the_first_channels_of_larger_ones() {
        let all = drawn(&MultiIrsConfig::default());
        let small = drawn(&MultiIrsConfig { antennas: 3, elements: 5, ..MultiIrsConfig::default() });
        for n in 0..5 {
            for m in 0..3 {
                assert_eq!(small.base_station_irs_channel[n * 3 + m], all.base_station_irs_channel[n * 8 + m]);
            }
        }
        assert_eq!(small.irs_user_channel[5..10], all.irs_user_channel[8..13]);
    }

    #[test]
    fn mistakes_name_their_keys() {
        let spoil = |key: &str, value: &str| {
            let text = format!("{{\"type\": \"multi_irs\", \"{key}\": {value}}}");
            match serde_json::from_str::<Box<dyn Scenario>>(&text) {
                Err(error) => error.to_string(),
                Ok(scenario) => scenario.check().expect_err(key).to_string(),
            }
        };
        for (key, value) in [
            ("antennas", "0"),
            ("transmit_power", "0"),
            ("users", "[[[1, 2]], []]"),
            ("targets", "[[1, 2]]"),
            ("targets", "[[-30, 30], [1, 2]]"),
            ("sinr_limit", "-1"),
            ("dwell_time", "0"),
            ("recever", "\"type1\""),
        ] {
            assert!(spoil(key, value).contains(key), "{key}");
        }
    }
}
