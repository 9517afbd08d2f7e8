//! Fisher information and Cramer-Rao bounds of azimuth and elevation (paper 001, (29)-(53), corrected).
//!
//! The transmit covariance averages to `R_x = (S I + q v v^H) / N_t`, so that the Fisher matrix of
//! `(theta, phi, Re alpha, Im alpha)` is affine in the total communication power `S` and the sensing power `q`.
//! With `kappa = 2 L / sigma_s^2`, `A = v^H a`, `t = (v^H a_theta, v^H a_phi)`, `a_ij` and `b_ij` the inner products of
//! the derivatives of transmit and receive steering vectors:
//! `J_ij = kappa |alpha|^2 [ S (N_r a_ij / N_t + b_ij) + q (A^2 b_ij + N_r t_i t_j) / N_t ]`,
//! `j_i,alpha = kappa q N_r A t_i Re(alpha^* [1, j]) / N_t`, `J_alpha,alpha = kappa N_r (S + q A^2 / N_t) I`.
//! Eliminating alpha leaves, without any subtraction,
//! `J_e,ij = kappa |alpha|^2 [ S (N_r a_ij / N_t + b_ij) + q A^2 b_ij / N_t + N_r h t_i t_j ]`,
//! `h = q S / (N_t S + A^2 q)`.
//!
//! (The average over channels stands inside: these are lower bounds on the mean of the CRLBs of each channel.)

use nalgebra::Matrix4;
use num_complex::Complex;

use super::instance::Instance;
use crate::radio::{BeamResponse, DerivativeGram};

/// A CRLB above this counts as infinite.
const LARGEST_CRLB: f64 = 1e20;

/// A Fisher determinant of at most this share of the product of the diagonal counts as 0.
const SINGULAR: f64 = 1e-12;

/// A symmetric 2 x 2 matrix over (azimuth, elevation).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AngleInformation {
    /// Entry (theta, theta).
    pub azimuth: f64,
    /// Entry (theta, phi).
    pub cross: f64,
    /// Entry (phi, phi).
    pub elevation: f64,
}

/// One of the two angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Angle {
    /// theta.
    Azimuth,
    /// phi.
    Elevation,
}

impl Angle {
    /// Both, in the order of limits and CRLBs.
    pub const BOTH: [Self; 2] = [Self::Azimuth, Self::Elevation];
}

impl AngleInformation {
    /// `a self + b other`.
    fn combine(self, a: f64, other: Self, b: f64) -> Self {
        Self {
            azimuth: a * self.azimuth + b * other.azimuth,
            cross: a * self.cross + b * other.cross,
            elevation: a * self.elevation + b * other.elevation,
        }
    }

    /// `(J_ii, J_jj)`: the entry of an angle, and that of the other one.
    pub fn diagonal(self, angle: Angle) -> (f64, f64) {
        match angle {
            Angle::Azimuth => (self.azimuth, self.elevation),
            Angle::Elevation => (self.elevation, self.azimuth),
        }
    }

    /// Whether it is singular to working precision: its determinant is at most 1e-12 of `J_tt J_pp`.
    pub fn singular(self) -> bool {
        let product = self.azimuth * self.elevation;
        let regular = product - self.cross * self.cross > SINGULAR * product;
        !(regular && product.is_finite() && self.azimuth > 0.0)
    }

    /// The CRLBs of azimuth and elevation in rad²; infinite where the matrix is singular or the value is above 1e20.
    pub fn crlb(self) -> [f64; 2] {
        if self.singular() {
            return [f64::INFINITY; 2];
        }
        let determinant = self.azimuth * self.elevation - self.cross * self.cross;
        [self.elevation, self.azimuth].map(|cofactor| {
            let crlb = cofactor / determinant;
            if crlb <= LARGEST_CRLB { crlb } else { f64::INFINITY }
        })
    }

    /// `1 / CRLB` of an angle: `J_ii - J_ij^2 / J_jj`, 0 where the CRLB is infinite.
    pub fn precision(self, angle: Angle) -> f64 {
        let (own, other) = self.diagonal(angle);
        let precision = own - self.cross * self.cross / other;
        if self.singular() || precision * LARGEST_CRLB < 1.0 { 0.0 } else { precision }
    }

    /// The directional derivative of [`AngleInformation::precision`].
    pub fn precision_derivative(self, angle: Angle, change: Self) -> f64 {
        let (_, other) = self.diagonal(angle);
        let (own_change, other_change) = change.diagonal(angle);
        let slope = self.cross / other;
        own_change - 2.0 * slope * change.cross + slope * slope * other_change
    }
}

/// The sensing side of a drawn system: a function of `(S, q)` only (paper 001, Remark 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Sensing {
    transmit: DerivativeGram,
    receive: DerivativeGram,
    response: BeamResponse,
    transmit_antennas: f64,
    receive_antennas: f64,
    kappa: f64,
    reflection: Complex<f64>,
    per_communication: AngleInformation,
    per_sensing: AngleInformation,
    /// `sqrt(kappa N_r) |alpha| t`: what a misaligned beam adds by its slope over the target.
    tilt: [f64; 2],
}

impl Sensing {
    /// The sensing side of a drawn system.
    pub fn new(instance: &Instance) -> Self {
        let target = instance.target_direction;
        let transmit = instance.transmit_array.derivative_gram(target);
        let receive = instance.receive_array.derivative_gram(target);
        let beam = instance.sensing_beam_direction.unwrap_or(target);
        let response = instance.transmit_array.beam_response(beam, target);
        let (nt, nr) = (instance.transmit_array.len() as f64, instance.receive_array.len() as f64);
        let kappa = 2.0 * instance.frame_length as f64 / instance.sensing_noise_power;
        let reflection = instance.target_reflection;
        let strength = kappa * reflection.norm_sqr();
        let entries = |gram: DerivativeGram| AngleInformation {
            azimuth: gram.azimuth,
            cross: gram.cross,
            elevation: gram.elevation,
        };
        let (a, b) = (entries(transmit), entries(receive));
        let tilt = (strength * nr).sqrt();
        Self {
            transmit,
            receive,
            response,
            transmit_antennas: nt,
            receive_antennas: nr,
            kappa,
            reflection,
            per_communication: a.combine(strength * nr / nt, b, strength),
            per_sensing: b.combine(strength * response.gain * response.gain / nt, b, 0.0),
            tilt: [tilt * response.azimuth, tilt * response.elevation],
        }
    }

    /// Whether the beam has no slope over the target, so that alpha takes nothing from the angles.
    pub fn aligned(&self) -> bool {
        self.tilt == [0.0; 2]
    }

    /// `M_S`, `M_q`, `t`: `J_e = S M_S + q M_q + h(S, q) t t^T`.
    pub(super) fn parts(&self) -> (AngleInformation, AngleInformation, [f64; 2]) {
        (self.per_communication, self.per_sensing, self.tilt)
    }

    /// `(N_t, A^2)`: `h = q S / (N_t S + A^2 q)`.
    pub(super) fn tilt_weights(&self) -> (f64, f64) {
        (self.transmit_antennas, self.response.gain * self.response.gain)
    }

    fn tilt_term(&self, h: f64) -> AngleInformation {
        let [t, p] = self.tilt;
        AngleInformation { azimuth: h * t * t, cross: h * t * p, elevation: h * p * p }
    }

    /// The information on the angles with alpha eliminated, `J_e(S, q)`.
    pub fn information(&self, communication: f64, sensing: f64) -> AngleInformation {
        let affine = self.per_communication.combine(communication, self.per_sensing, sensing);
        if self.aligned() {
            return affine;
        }
        let (n, a) = self.tilt_weights();
        let weight = n * communication + a * sensing;
        let h = if weight > 0.0 { communication * (sensing / weight) } else { 0.0 };
        affine.combine(1.0, self.tilt_term(h), 1.0)
    }

    /// The derivatives of [`Sensing::information`] by `S` and by `q`.
    pub fn information_derivatives(&self, communication: f64, sensing: f64) -> [AngleInformation; 2] {
        if self.aligned() {
            return [self.per_communication, self.per_sensing];
        }
        let (n, a) = self.tilt_weights();
        let weight = n * communication + a * sensing;
        let (mut by_communication, mut by_sensing) = (0.0, 0.0);
        if weight > 0.0 {
            by_communication = a * (sensing / weight).powi(2);
            by_sensing = n * (communication / weight).powi(2);
        }
        [
            self.per_communication.combine(1.0, self.tilt_term(by_communication), 1.0),
            self.per_sensing.combine(1.0, self.tilt_term(by_sensing), 1.0),
        ]
    }

    /// The CRLBs of azimuth and elevation in rad² (paper 001, Theorem 2, with the full elimination of alpha).
    /// Never negative, never NaN; infinite where the angles cannot be told.
    pub fn crlb(&self, communication: f64, sensing: f64) -> [f64; 2] {
        self.information(communication, sensing).crlb()
    }

    /// `(J_S, J_q)`: the Fisher matrix of `(theta, phi, Re alpha, Im alpha)` is `S J_S + q J_q`.
    pub fn fisher(&self) -> (Matrix4<f64>, Matrix4<f64>) {
        let (nt, nr) = (self.transmit_antennas, self.receive_antennas);
        let BeamResponse { gain, azimuth, elevation } = self.response;
        let square = self.reflection.norm_sqr();
        let (a, b) = (self.transmit, self.receive);
        let (mut by_communication, mut by_sensing) = (Matrix4::zeros(), Matrix4::zeros());
        let angles = [
            (0, 0, a.azimuth, b.azimuth, azimuth * azimuth),
            (0, 1, a.cross, b.cross, azimuth * elevation),
            (1, 1, a.elevation, b.elevation, elevation * elevation),
        ];
        for (i, j, a, b, slope) in angles {
            by_communication[(i, j)] = square * (nr * a / nt + b);
            by_sensing[(i, j)] = square * (gain * gain * b + nr * slope) / nt;
        }
        // Re(alpha^* [1, j]) = [Re alpha, Im alpha].
        for (i, slope) in [azimuth, elevation].into_iter().enumerate() {
            by_sensing[(i, 2)] = nr * gain * slope * self.reflection.re / nt;
            by_sensing[(i, 3)] = nr * gain * slope * self.reflection.im / nt;
        }
        for i in 2..4 {
            by_communication[(i, i)] = nr;
            by_sensing[(i, i)] = nr * gain * gain / nt;
        }
        for matrix in [&mut by_communication, &mut by_sensing] {
            *matrix *= self.kappa;
            matrix.fill_lower_triangle_with_upper_triangle();
        }
        (by_communication, by_sensing)
    }
}
