//! Cramér-Rao bounds of the target's angle at each access point (paper 004, Theorem 2, corrected).
//!
//! With `kr = pi² cos²(theta_p) N_r (N_r² - 1) / 12`, `kt` likewise with `N_t`, `s = sigma_s² / (2 T)`, the powers
//! `c_l = sum_k p_kl` and `q_kl`, the information about `theta_p` is
//!
//! ```text
//! own illumination   |alpha_pp|²/s [ (kr + N_r kt / N_t) c_p + N_t kr q_p ]                    (Theorem 2: linear)
//! multistatic        1/s [ kr S_p + N_r kt / N_t |alpha_pp|² c_p ]
//! joint              1/s [ kr S_p + N_r kt / N_t sum_q |alpha_pq|² c_p ]
//! S_p                sum_l |alpha_lp|² c_l + N_t sum_k |sum_l alpha_lp sqrt(q_kl)|²
//! ```
//!
//! Multistatic: access point p hears all illuminations, every gain `alpha_lp` (and every other angle) unknown. Joint:
//! all echoes processed together, all angles and gains unknown. Cross terms beyond `S_p` vanish.

use std::f64::consts::PI;

use super::instance::{Instance, Reflections};

/// A cosine whose square is below this is that of an end-fire angle, which rounding alone keeps from 0.
const END_FIRE: f64 = 1e-30;

/// A CRLB above this is infinite.
const LARGEST: f64 = 1e20;

/// What the CRLBs of a system are made of, one value an access point.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensing {
    /// `A_l`: information of own illumination a unit of communication power.
    pub by_communication: Vec<f64>,
    /// `B_l`: the same a unit of sensing power.
    pub by_sensing: Vec<f64>,
    /// `kr / s`.
    pub receive: Vec<f64>,
    /// `N_r kt / (N_t s)`.
    pub transmit: Vec<f64>,
    /// `alpha_lp`.
    pub reflection: Reflections,
    /// `N_t`.
    pub antennas: f64,
}

/// The CRLB of an information.
pub fn crlb(information: f64) -> f64 {
    if information > 1.0 / LARGEST { 1.0 / information } else { f64::INFINITY }
}

impl Sensing {
    /// Computes the coefficients; `O(L)`.
    pub fn new(instance: &Instance) -> Self {
        let (transmit_antennas, receive_antennas) =
            (instance.transmit_antennas as f64, instance.receive_antennas as f64);
        let noise = instance.sensing_noise_power / (2.0 * instance.frame_length as f64);
        let curvature = |n: f64| PI * PI * n * (n * n - 1.0) / 12.0;
        let (mut receive, mut transmit) = (Vec::new(), Vec::new());
        for direction in &instance.target_direction {
            let squared = direction.cos().powi(2);
            let squared = if squared < END_FIRE { 0.0 } else { squared };
            receive.push(squared * curvature(receive_antennas) / noise);
            transmit.push(squared * receive_antennas * curvature(transmit_antennas) / transmit_antennas / noise);
        }
        let access_points = instance.access_points();
        let reflection = instance.target_reflection.clone();
        let own = |l: usize| reflection.gain(l, l, access_points).norm_sqr();
        let by_communication = (0..access_points).map(|l| own(l) * (receive[l] + transmit[l])).collect();
        let by_sensing = (0..access_points).map(|l| own(l) * transmit_antennas * receive[l]).collect();
        Self { by_communication, by_sensing, receive, transmit, reflection, antennas: transmit_antennas }
    }

    /// L.
    pub fn access_points(&self) -> usize {
        self.receive.len()
    }

    /// `alpha_lp`.
    pub fn gain(&self, transmit: usize, receive: usize) -> num_complex::Complex<f64> {
        self.reflection.gain(transmit, receive, self.access_points())
    }

    /// The CRLB of own illumination at an access point.
    pub fn own(&self, access_point: usize, communication: f64, sensing: f64) -> f64 {
        crlb(self.by_communication[access_point] * communication + self.by_sensing[access_point] * sensing)
    }

    /// Calls `each` with p and `S_p`. `communication` is `c_l`, `sensing` is `q_kl`, a row a stream. `O(K L)` for
    /// uniform gains, `O(K L²)` else.
    pub fn illumination(&self, communication: &[f64], sensing: &[f64], mut each: impl FnMut(usize, f64)) {
        let access_points = self.access_points();
        match &self.reflection {
            Reflections::Uniform(gain) => {
                let streams = sensing.chunks_exact(access_points);
                let beams: f64 = streams.map(|row| row.iter().map(|q| q.sqrt()).sum::<f64>().powi(2)).sum();
                let all = gain.norm_sqr() * (communication.iter().sum::<f64>() + self.antennas * beams);
                (0..access_points).for_each(|p| each(p, all));
            }
            Reflections::Each(gains) => {
                for p in 0..access_points {
                    let column = || gains.iter().skip(p).step_by(access_points);
                    let spread: f64 = column().zip(communication).map(|(alpha, c)| alpha.norm_sqr() * c).sum();
                    let streams = sensing.chunks_exact(access_points);
                    let beams: f64 = streams
                        .map(|row| {
                            let (mut re, mut im) = (0.0, 0.0);
                            for (alpha, q) in column().zip(row) {
                                let v = q.sqrt();
                                re += alpha.re * v;
                                im += alpha.im * v;
                            }
                            re * re + im * im
                        })
                        .sum();
                    each(p, spread + self.antennas * beams);
                }
            }
        }
    }

    /// Writes the multistatic CRLBs.
    pub fn multistatic(&self, communication: &[f64], sensing: &[f64], out: &mut [f64]) {
        self.illumination(communication, sensing, |p, s| {
            let own = self.gain(p, p).norm_sqr() * communication[p];
            out[p] = crlb(self.receive[p] * s + self.transmit[p] * own);
        });
    }

    /// Writes the joint CRLBs.
    pub fn joint(&self, communication: &[f64], sensing: &[f64], out: &mut [f64]) {
        let access_points = self.access_points();
        self.illumination(communication, sensing, |p, s| {
            let heard: f64 = match &self.reflection {
                Reflections::Uniform(gain) => access_points as f64 * gain.norm_sqr(),
                Reflections::Each(gains) => {
                    gains[p * access_points..(p + 1) * access_points].iter().map(|g| g.norm_sqr()).sum()
                }
            };
            out[p] = crlb(self.receive[p] * s + self.transmit[p] * heard * communication[p]);
        });
    }
}
