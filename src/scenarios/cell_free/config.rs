//! The `[scenario]` section of a config, and the drawing of one system from it (paper 004, section V).

use std::f64::consts::{FRAC_PI_2, FRAC_PI_3, FRAC_PI_4};
use std::sync::Arc;

use nalgebra::DMatrix;
use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CellFree;
use super::instance::{Instance, Reflections, SensingMetric};
use super::layout::{Layout, distances};
use crate::error::{Error, InputError, Result};
use crate::math::{Angle, Power, SquaredAngle, Streams};
use crate::model::SystemModel;
use crate::radio::orthogonal_pilots;
use crate::scenario::{Scenario, ScenarioEntry};

/// Multi-static cell-free massive MIMO ISAC: access points with uniform linear arrays serve users by maximum-ratio
/// transmission, and each measures the angle of one target. Defaults are those of paper 004.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CellFreeConfig {
    /// Number of access points L.
    pub access_points: usize,
    /// Number of users K.
    pub users: usize,
    /// Transmit antennas N_t of each access point.
    pub transmit_antennas: usize,
    /// Receive antennas N_r of each access point.
    pub receive_antennas: usize,
    /// Transmit power budget P_t over all access points; "dB" is relative to the communication noise power.
    pub transmit_power: Power,
    /// Limit on each access point's power, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_point_power_limit: Option<Power>,
    /// Limit on the CRLB of each angle: rad², "-5 dB" or its root "30 deg"; "inf" for none.
    pub crlb_limit: SquaredAngle,
    /// Which CRLB is limited: "crlb" (own illumination alone) or "crlb_multistatic" (all illuminations, exact).
    pub sensing_metric: SensingMetric,
    /// Pilot length tau_p in symbols.
    pub pilot_length: u64,
    /// Which pilots the users send.
    pub pilot_book: PilotBook,
    /// Power per pilot symbol p_p; "dB" is relative to the communication noise power.
    pub pilot_power: Power,
    /// Coherence interval tau_c in symbols.
    pub coherence_length: u64,
    /// Sensing frame length T in symbols.
    pub frame_length: u64,
    /// Noise power at the users, and at the access points during the pilots, sigma_c².
    pub communication_noise_power: Power,
    /// Noise power of the echoes, sigma_s².
    pub sensing_noise_power: Power,
    /// Size beta_s of the target reflection, alpha = beta_s (1 + j) / sqrt(2) for all pairs of access points.
    pub target_reflection: f64,
    /// Whether each pair's reflection has a random phase of its own instead.
    pub random_reflection_phases: bool,
    /// The target's angle, seen from each access point, is uniform up to this on both sides of broadside. End-fire
    /// angles have no finite CRLB.
    pub largest_target_angle: Angle,
    /// Side of the square area in m.
    pub area_side: f64,
    /// Exclusion radius r_h in m: path losses are relative to it, and none is for a shorter distance.
    pub exclusion_radius: f64,
    /// How the exclusion radius is kept.
    pub layout: Layout,
    /// Path loss exponent nu.
    pub path_loss_exponent: f64,
    /// Standard deviation of the log-normal shadowing in dB, of each pair of user and access point.
    pub shadowing: f64,
    /// Weights of the users in `weighted_sum_rate`, one a user; absent means ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_weights: Option<Vec<f64>>,
}

/// The pilots of the users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PilotBook {
    /// User k sends the orthogonal pilot number k mod tau_p.
    #[default]
    Orthogonal,
    /// Each user sends a random pilot of unit norm.
    Random,
}

fn decibels(text: &str) -> Power {
    text.parse().expect("a power with its unit, written here")
}

impl Default for CellFreeConfig {
    fn default() -> Self {
        Self {
            access_points: 8,
            users: 4,
            transmit_antennas: 4,
            receive_antennas: 4,
            transmit_power: decibels("30 dB"),
            access_point_power_limit: None,
            crlb_limit: "-5 dB".parse().expect("a squared angle with its unit, written here"),
            sensing_metric: SensingMetric::Crlb,
            pilot_length: 4,
            pilot_book: PilotBook::Orthogonal,
            pilot_power: decibels("30 dB"),
            coherence_length: 200,
            frame_length: 30,
            communication_noise_power: Power::new(1.0),
            sensing_noise_power: Power::new(1.0),
            target_reflection: 1e-2,
            random_reflection_phases: false,
            largest_target_angle: Angle::new(FRAC_PI_3),
            area_side: 250.0,
            exclusion_radius: 100.0,
            layout: Layout::Clamp,
            path_loss_exponent: 3.2,
            shadowing: 7.0,
            user_weights: None,
        }
    }
}

/// The most access points, users and antennas.
const MOST: usize = 1 << 16;

impl CellFreeConfig {
    fn noise(&self) -> (f64, f64) {
        // A noise power in dB is relative to 1.
        (self.communication_noise_power.linear(1.0), self.sensing_noise_power.linear(1.0))
    }

    fn mistakes(&self) -> Vec<InputError> {
        let mut mistakes = Vec::new();
        let mut check = |key: &str, holds: bool, found: String, allowed: &str| {
            if !holds {
                mistakes.push(InputError::new(key, found, allowed));
            }
        };
        for (key, count) in [
            ("access_points", self.access_points),
            ("users", self.users),
            ("transmit_antennas", self.transmit_antennas),
            ("receive_antennas", self.receive_antennas),
        ] {
            check(key, (1..=MOST).contains(&count), count.to_string(), "a whole number from 1 to 65536");
        }
        for (key, count) in [("pilot_length", self.pilot_length), ("frame_length", self.frame_length)] {
            check(key, (1..=1 << 32).contains(&count), count.to_string(), "a whole number of at least 1");
        }
        let coherence = self.coherence_length;
        check("coherence_length", coherence > self.pilot_length, coherence.to_string(), "above pilot_length");
        let (noise, sensing_noise) = self.noise();
        for (key, value) in [
            ("transmit_power", self.transmit_power.linear(noise)),
            ("pilot_power", self.pilot_power.linear(noise)),
            ("communication_noise_power", noise),
            ("sensing_noise_power", sensing_noise),
            ("area_side", self.area_side),
            ("exclusion_radius", self.exclusion_radius),
        ] {
            check(key, value.is_finite() && value > 0.0, value.to_string(), "a finite number above 0");
        }
        if let Some(limit) = &self.access_point_power_limit {
            let limit = limit.linear(noise);
            check("access_point_power_limit", limit >= 0.0, limit.to_string(), "a power, 0 or more");
        }
        let limit = self.crlb_limit.squared_radians();
        check("crlb_limit", limit > 0.0, limit.to_string(), "a squared angle above 0, \"inf\" for no limit");
        let widest = self.largest_target_angle.radians();
        let allowed = "an angle from 0 to 90 deg";
        check("largest_target_angle", (0.0..=FRAC_PI_2).contains(&widest), widest.to_string(), allowed);
        for (key, value) in [
            ("path_loss_exponent", self.path_loss_exponent),
            ("shadowing", self.shadowing),
            ("target_reflection", self.target_reflection),
        ] {
            check(key, value.is_finite() && value >= 0.0, value.to_string(), "a finite number, 0 or more");
        }
        if let Some(weights) = &self.user_weights {
            let good = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
            let found = if good { format!("{} weights", weights.len()) } else { format!("{weights:?}") };
            let allowed = format!("{} finite numbers, 0 or more", self.users);
            check("user_weights", good && weights.len() == self.users, found, &allowed);
        }
        mistakes
    }

    fn pilots(&self, streams: &Streams) -> DMatrix<Complex<f64>> {
        let symbols = self.pilot_length as usize;
        if self.pilot_book == PilotBook::Orthogonal {
            let assignment: Vec<usize> = (0..self.users).map(|k| k % symbols).collect();
            return orthogonal_pilots(symbols, &assignment);
        }
        let mut pilots = DMatrix::zeros(symbols, self.users);
        for (k, mut pilot) in pilots.column_iter_mut().enumerate() {
            let mut stream = streams.stream("pilot", k as u64);
            pilot.iter_mut().for_each(|x| *x = stream.complex_normal(1.0));
            let norm = pilot.norm();
            pilot.unscale_mut(norm);
        }
        pilots
    }

    fn reflections(&self, streams: &Streams) -> Reflections {
        if !self.random_reflection_phases {
            return Reflections::Uniform(Complex::from_polar(self.target_reflection, FRAC_PI_4));
        }
        let pairs = (0..self.access_points).flat_map(|l| (0..self.access_points).map(move |p| (l, p)));
        let gains = pairs.map(|(l, p)| {
            let phase = streams.stream("reflection phase", pair(l, p)).uniform();
            Complex::from_polar(self.target_reflection, std::f64::consts::TAU * phase)
        });
        Reflections::Each(gains.collect())
    }
}

/// One number for a pair, whatever the counts.
fn pair(first: usize, second: usize) -> u64 {
    (first as u64) << 32 | second as u64
}

#[typetag::serde(name = "cell_free")]
impl Scenario for CellFreeConfig {
    fn check(&self) -> Result<()> {
        let mistakes = self.mistakes();
        if mistakes.is_empty() { Ok(()) } else { Err(Error::Input(mistakes)) }
    }

    /// Each user's and access point's place, each angle, and each pair's shadowing come from streams of their own, so
    /// that the drop depends neither on their numbers nor on powers, limits or arrays.
    fn draw(&self, streams: &Streams) -> Result<Arc<dyn SystemModel>> {
        self.check()?;
        let (users, access_points) = (self.users, self.access_points);
        let (noise, sensing_noise) = self.noise();
        let area = (self.area_side, self.exclusion_radius);
        let distances = distances(self.layout, (users, access_points), area, streams)?;
        let fading = |(i, distance): (usize, f64)| {
            let place = pair(i / access_points, i % access_points);
            let shadowing = self.shadowing * streams.stream("shadowing", place).normal();
            10f64.powf(shadowing / 10.0) * (distance / self.exclusion_radius).powf(-self.path_loss_exponent)
        };
        let large_scale_fading: Vec<f64> = distances.into_iter().enumerate().map(fading).collect();
        if let Some(bad) = large_scale_fading.iter().find(|beta| !(beta.is_finite() && **beta > 0.0)) {
            return Err(Error::Numerical(format!("a large-scale fading of {bad}: path loss or shadowing are extreme")));
        }
        let widest = self.largest_target_angle.radians();
        let angle = |l: u64| widest * (2.0 * streams.stream("target angle", l).uniform() - 1.0);
        let power_limit = self.access_point_power_limit.as_ref().map_or(f64::INFINITY, |p| p.linear(noise));
        Ok(Arc::new(CellFree::new(Instance {
            transmit_antennas: self.transmit_antennas,
            receive_antennas: self.receive_antennas,
            large_scale_fading,
            pilots: self.pilots(streams),
            pilot_power: self.pilot_power.linear(noise),
            coherence_length: self.coherence_length,
            frame_length: self.frame_length,
            target_direction: (0..access_points as u64).map(angle).collect(),
            target_reflection: self.reflections(streams),
            communication_noise_power: noise,
            sensing_noise_power: sensing_noise,
            transmit_power: self.transmit_power.linear(noise),
            crlb_limit: vec![self.crlb_limit.squared_radians(); access_points],
            access_point_power_limit: vec![power_limit; access_points],
            user_weights: self.user_weights.clone(),
            sensing_metric: self.sensing_metric,
        })))
    }
}

inventory::submit! {
    ScenarioEntry {
        name: "cell_free",
        summary: "multi-static cell-free massive MIMO: access points serve users by MRT, and measure a target's angle",
        paper: "Multi-Static Cell-Free Massive MIMO ISAC: Performance Analysis and Power Allocation (paper 004)",
        default: || Box::new(CellFreeConfig::default()),
        schema: || schemars::schema_for!(CellFreeConfig),
        read_instance: |value| Ok(Arc::new(CellFree::new(Instance::from_json(value)?))),
        fit: None,
    }
}
