//! The echo channel as a function of the phases (paper 000, (9), (33), (40), corrected), where the line of sight has
//! rank one: `u = alpha_p p + alpha_q c s a_B` with the scalar `s = a_I^H Theta q = b^T theta`, so that
//! `||u||² = g |s + kappa|² + r0`, `g = |alpha_q|² c² M`, `kappa = alpha_p a_B^H p / (alpha_q c M)`,
//! `r0 = |alpha_p|² (M - |a_B^H p|² / M)`.
//!
//! A common phase of all elements changes no average gain, and can turn `s` towards `kappa`: a limit `||u||² >= mu` is
//! `|s| >= s0 = max(0, sqrt((mu - r0) / g) - |kappa|)`, up to that turn.
//!
//! With a measured line of sight none of that holds: then `u = alpha_p p + A theta`, and its largest gain is sought by
//! steps `theta = exp(j arg(A^H u))`, each of which raises `||u||²`, which is convex.

use faer::Mat;
use num_complex::Complex;

use super::system::{Statistics, System};

/// The echo's closed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo {
    /// `b_n = conj(a_In) amplitude_n q_n`.
    pub weights: Vec<Complex<f64>>,
    /// `g`; 0 where the surface reflects nothing to the target and back.
    slope: f64,
    /// `kappa`.
    offset: Complex<f64>,
    /// `r0`.
    rest: f64,
    /// `sum |b_n|`: the largest `|s|`.
    largest: f64,
    /// `u = alpha_p p + A theta` with a measured line of sight.
    measured: Option<Measured>,
}

/// The echo channel through a measured line of sight.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    /// `alpha_p p`.
    direct: Vec<Complex<f64>>,
    /// `A = alpha_q Hb Diag(amplitude o q)`.
    reflected: Mat<Complex<f64>>,
}

/// Steps of the search for the largest gain through a measured line of sight, from each of its starts.
const STEPS: usize = 300;

impl Measured {
    /// `A theta`.
    fn image(&self, phases: &[f64]) -> Vec<Complex<f64>> {
        let mut out = vec![Complex::default(); self.direct.len()];
        for (column, phase) in self.reflected.col_iter().zip(phases) {
            let theta = Complex::cis(*phase);
            out.iter_mut().zip(column.iter()).for_each(|(o, a)| *o += a * theta);
        }
        out
    }

    /// `u`.
    fn total(&self, phases: &[f64]) -> Vec<Complex<f64>> {
        let mut u = self.image(phases);
        u.iter_mut().zip(&self.direct).for_each(|(u, p)| *u += p);
        u
    }

    fn gain(&self, phases: &[f64]) -> f64 {
        self.image(phases).iter().zip(&self.direct).map(|(a, p)| (a + p).norm_sqr()).sum()
    }

    fn turn(&self, phases: &mut [f64]) {
        let along: Complex<f64> = self.image(phases).iter().zip(&self.direct).map(|(a, p)| a.conj() * p).sum();
        if along.norm() > 0.0 {
            phases.iter_mut().for_each(|phase| *phase += along.arg());
        }
    }

    /// Starts: in phase at each antenna in turn (32 of them at most), then steps that raise the gain.
    fn aligned(&self, phases: &mut [f64]) {
        let antennas = self.direct.len();
        let mut best = f64::NEG_INFINITY;
        for m in (0..antennas).step_by(antennas.div_ceil(32)) {
            let mut trial: Vec<f64> = self.reflected.row(m).iter().map(|a| (self.direct[m] * a.conj()).arg()).collect();
            let mut last = f64::NEG_INFINITY;
            for _ in 0..STEPS {
                let u = self.total(&trial);
                let gain: f64 = u.iter().map(Complex::norm_sqr).sum();
                if gain - last <= 1e-12 * gain {
                    break;
                }
                last = gain;
                for (phase, column) in trial.iter_mut().zip(self.reflected.col_iter()) {
                    let g: Complex<f64> = column.iter().zip(&u).map(|(a, u)| a.conj() * u).sum();
                    if g.norm() > 0.0 {
                        *phase = g.arg();
                    }
                }
            }
            let gain = self.gain(&trial);
            if gain > best {
                best = gain;
                phases.copy_from_slice(&trial);
            }
        }
    }
}

/// What a limit on `||u||²` means for `|s|`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Needed {
    /// `|s|` at least this, 0 for no condition.
    AtLeast(f64),
    /// No phases reach the limit.
    Unreachable,
}

impl Echo {
    /// The echo of a system.
    pub fn new(system: &System) -> Self {
        let instance = &system.instance;
        let amplitude = |n: usize| instance.irs_amplitude.as_ref().map_or(1.0, |a| a[n]);
        let pairs = system.irs_steering.iter().zip(&system.irs_target).enumerate();
        let weights: Vec<_> = pairs.map(|(n, (a, q))| a.conj() * q * amplitude(n)).collect();
        let antennas = system.steering.len() as f64;
        let along: Complex<f64> = system.steering.iter().zip(&system.target).map(|(a, p)| a.conj() * p).sum();
        let direct = instance.target_reflection_base_station;
        let reflected = instance.target_reflection_irs * system.los_scale;
        let slope = reflected.norm_sqr() * antennas;
        // Without a reflected path all of the direct one is rest.
        let (offset, rest) = if slope > 0.0 {
            let rest = direct.norm_sqr() * (antennas - along.norm_sqr() / antennas);
            (direct * along / (reflected * antennas), rest.max(0.0))
        } else {
            (Complex::default(), direct.norm_sqr() * antennas)
        };
        let largest = weights.iter().map(|b| b.norm()).sum();
        let measured = match (&system.statistics, &instance.measured.irs_base_station_los) {
            (Statistics::General(general), Some(_)) => {
                let scale = |n: usize| system.irs_target[n] * instance.target_reflection_irs * amplitude(n);
                let line = &general.los;
                let reflected = Mat::from_fn(line.nrows(), line.ncols(), |m, n| line[(m, n)] * scale(n));
                Some(Measured { direct: system.target.iter().map(|p| p * direct).collect(), reflected })
            }
            _ => None,
        };
        Self { weights, slope, offset, rest, largest, measured }
    }

    /// Whether the line of sight is measured, so that only [`Echo::gain_at`], [`Echo::aligned`] and [`Echo::turn`] hold.
    pub fn is_measured(&self) -> bool {
        self.measured.is_some()
    }

    /// `||u||²` of a phase vector.
    pub fn gain_at(&self, phases: &[f64]) -> f64 {
        match &self.measured {
            Some(measured) => measured.gain(phases),
            None => self.gain(self.scalar(phases)),
        }
    }

    /// `s` of a phase vector.
    pub fn scalar(&self, phases: &[f64]) -> Complex<f64> {
        self.weights.iter().zip(phases).map(|(b, phase)| b * Complex::cis(*phase)).sum()
    }

    /// The derivatives of `||u||²` by the phases.
    pub fn slopes(&self, phases: &[f64], out: &mut [f64]) {
        if let Some(measured) = &self.measured {
            let u = measured.total(phases);
            for ((o, column), phase) in out.iter_mut().zip(measured.reflected.col_iter()).zip(phases) {
                // d u / d phase_n = j a_n theta_n.
                let along: Complex<f64> = column.iter().zip(&u).map(|(a, u)| u.conj() * a).sum();
                *o = -2.0 * (along * Complex::cis(*phase)).im;
            }
            return;
        }
        let s = self.scalar(phases) + self.offset;
        for ((o, b), phase) in out.iter_mut().zip(&self.weights).zip(phases) {
            *o = -2.0 * self.slope * (s.conj() * b * Complex::cis(*phase)).im;
        }
    }

    /// Phases with `Re(w^H theta) >= level` have `||u||² >= limit`: the tangent of the convex `||u||²` at these phases, for a
    /// measured line of sight. Writes w and gives the level.
    pub fn tangent(&self, phases: &[f64], limit: f64, w: &mut [Complex<f64>]) -> Option<f64> {
        let measured = self.measured.as_ref()?;
        let u = measured.total(phases);
        for (w, column) in w.iter_mut().zip(measured.reflected.col_iter()) {
            *w = column.iter().zip(&u).map(|(a, u)| a.conj() * u).sum();
        }
        let (norm, along): (f64, f64) =
            u.iter().zip(&measured.direct).fold((0.0, 0.0), |(n, a), (u, p)| (n + u.norm_sqr(), a + (u.conj() * p).re));
        Some(0.5 * (limit + norm) - along)
    }

    /// `||u||²` at a value of `s`.
    pub fn gain(&self, s: Complex<f64>) -> f64 {
        self.slope * (s + self.offset).norm_sqr() + self.rest
    }

    /// The largest `||u||²` of all phases: `g (sum |b| + |kappa|)² + r0`.
    pub fn largest_gain(&self) -> f64 {
        self.slope * (self.largest + self.offset.norm()).powi(2) + self.rest
    }

    /// The condition on `|s|` that a limit makes.
    pub fn needed(&self, limit: f64) -> Needed {
        if limit <= 0.0 {
            return Needed::AtLeast(0.0);
        }
        if limit <= self.rest {
            return Needed::AtLeast(0.0);
        }
        if limit > self.largest_gain() * (1.0 + 1e-12) {
            return Needed::Unreachable;
        }
        let least = ((limit - self.rest) / self.slope).sqrt() - self.offset.norm();
        Needed::AtLeast(least.clamp(0.0, self.largest))
    }

    /// The phases of the largest `||u||²`: `theta = conj(b) e^{j arg kappa}`; with a measured line of sight, the best that
    /// a search finds.
    pub fn aligned(&self, phases: &mut [f64]) {
        if let Some(measured) = &self.measured {
            return measured.aligned(phases);
        }
        let turn = if self.offset.norm() > 0.0 { self.offset.arg() } else { 0.0 };
        for (phase, b) in phases.iter_mut().zip(&self.weights) {
            *phase = if b.norm() > 0.0 { turn - b.arg() } else { 0.0 };
        }
    }

    /// Turns all phases together so that `||u||²` is largest; no average gain and no rate but by the echo changes.
    pub fn turn(&self, phases: &mut [f64]) {
        if let Some(measured) = &self.measured {
            return measured.turn(phases);
        }
        let s = self.scalar(phases);
        if s.norm() > 0.0 && self.offset.norm() > 0.0 {
            let turn = self.offset.arg() - s.arg();
            phases.iter_mut().for_each(|phase| *phase += turn);
        }
    }
}
