//! Rates (paper 004, Theorem 1, corrected) in the powers of the streams.
//!
//! With `p_kl = N_t xi_kl gamma_kl` for user k at access point l, `q_l` the sensing power there and
//! `P_l = sum_k p_kl + q_l`:
//!
//! ```text
//! x_k    = sum_l a_kl sqrt(p_kl),  a_kl = sqrt(N_t xi_kl)                        desired amplitude
//! I_k    = sigma_c² + sum_l beta_kl P_l + sum_{j != k} |psi_j^H psi_k|² y_kj²    interference and noise
//! y_kj   = sum_l (beta_kl / beta_jl) a_jl sqrt(p_jl)                             what a shared pilot steers to k
//! SINR_k = x_k² / I_k,    R_k = (tau_c - tau_p) / tau_c log2(1 + SINR_k)
//! ```
//!
//! The paper has no `y_kj`: right for orthogonal pilots only. `xi_kl` is (2), the estimate from the projection of the
//! received pilots on the user's own.

use super::instance::Instance;

/// Below this `|psi_j^H psi_k|²` two pilots count as orthogonal.
const ORTHOGONAL: f64 = 1e-24;

/// User `hears` gets a coherent part of what is sent to user `sender`.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Who hears it, k.
    pub hears: usize,
    /// Whose stream it is, j.
    pub sender: usize,
    /// `|psi_j^H psi_k|²`.
    pub overlap: f64,
    /// `(beta_kl / beta_jl) a_jl`, L values.
    pub amplitude: Vec<f64>,
}

/// What the rates of a system are made of. K x L numbers are row-major, a row a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficients {
    /// K.
    pub users: usize,
    /// L.
    pub access_points: usize,
    /// `sigma_c²`.
    pub noise: f64,
    /// `(tau_c - tau_p) / tau_c / ln 2`: bits a nat.
    pub unit: f64,
    /// `beta_kl`.
    pub fading: Vec<f64>,
    /// `xi_kl`.
    pub estimate_variance: Vec<f64>,
    /// `a_kl`.
    pub amplitude: Vec<f64>,
    /// `a_kl²`.
    pub gain: Vec<f64>,
    /// Pairs of users whose pilots are not orthogonal; empty where Theorem 1 is right as printed.
    pub leaks: Vec<Leak>,
}

impl Coefficients {
    /// Computes them; `O(K L + K² tau_p)`, and `O(L)` for each pair of users whose pilots overlap.
    pub fn new(instance: &Instance) -> Self {
        let (users, access_points) = (instance.users(), instance.access_points());
        let symbols = instance.pilots.nrows() as f64;
        let (energy, noise) = (symbols * instance.pilot_power, instance.communication_noise_power);
        let fading = instance.large_scale_fading.clone();
        let gram = instance.pilots.adjoint() * &instance.pilots;
        let row = |k: usize| &fading[k * access_points..(k + 1) * access_points];
        let mut estimate_variance = Vec::with_capacity(users * access_points);
        for k in 0..users {
            let mut received: Vec<f64> = row(k).iter().map(|beta| energy * beta * gram[(k, k)].norm_sqr()).collect();
            for j in (0..users).filter(|j| *j != k && gram[(*j, k)].norm_sqr() > ORTHOGONAL) {
                let overlap = energy * gram[(j, k)].norm_sqr();
                received.iter_mut().zip(row(j)).for_each(|(r, beta)| *r += overlap * beta);
            }
            estimate_variance.extend(row(k).iter().zip(&received).map(|(beta, r)| energy * beta * beta / (r + noise)));
        }
        let antennas = instance.transmit_antennas as f64;
        let gain: Vec<f64> = estimate_variance.iter().map(|xi| antennas * xi).collect();
        let amplitude: Vec<f64> = gain.iter().map(|g| g.sqrt()).collect();
        let mut leaks = Vec::new();
        for hears in 0..users {
            for sender in (0..users).filter(|j| *j != hears) {
                let overlap = gram[(sender, hears)].norm_sqr();
                if overlap > ORTHOGONAL {
                    let at = sender * access_points;
                    let steered = row(hears).iter().zip(row(sender)).zip(&amplitude[at..at + access_points]);
                    let amplitude = steered.map(|((to, from), a)| to / from * a).collect();
                    leaks.push(Leak { hears, sender, overlap, amplitude });
                }
            }
        }
        let prelog = 1.0 - symbols / instance.coherence_length as f64;
        let unit = prelog / std::f64::consts::LN_2;
        Self { users, access_points, noise, unit, fading, estimate_variance, amplitude, gain, leaks }
    }

    /// The coefficients as the paper has them: no coherent interference.
    #[must_use]
    pub fn as_printed(&self) -> Self {
        Self { leaks: Vec::new(), ..self.clone() }
    }

    /// Whether all pilots are orthogonal.
    pub fn orthogonal(&self) -> bool {
        self.leaks.is_empty()
    }

    /// The rate of an SINR.
    pub fn rate(&self, sinr: f64) -> f64 {
        self.unit * sinr.ln_1p()
    }

    /// The SINR that a rate needs.
    pub fn sinr_at_rate(&self, rate: f64) -> f64 {
        (rate / self.unit).exp_m1()
    }

    /// Writes `x_k` and `I_k` from the stream powers `p_kl` and the access points' whole powers `P_l`.
    pub fn desired_and_interference(
        &self,
        power: &[f64],
        total: &[f64],
        desired: &mut [f64],
        interference: &mut [f64],
    ) {
        let each = power.chunks_exact(self.access_points);
        let rows = self.amplitude.chunks_exact(self.access_points).zip(self.fading.chunks_exact(self.access_points));
        for (((p, (amplitude, fading)), x), i) in each.zip(rows).zip(desired).zip(interference.iter_mut()) {
            (*x, *i) = (0.0, self.noise);
            for (((p, a), beta), whole) in p.iter().zip(amplitude).zip(fading).zip(total) {
                *x += a * p.sqrt();
                *i += beta * whole;
            }
        }
        for leak in &self.leaks {
            let sent = &power[leak.sender * self.access_points..(leak.sender + 1) * self.access_points];
            let heard: f64 = leak.amplitude.iter().zip(sent).map(|(a, p)| a * p.sqrt()).sum();
            interference[leak.hears] += leak.overlap * heard * heard;
        }
    }
}
