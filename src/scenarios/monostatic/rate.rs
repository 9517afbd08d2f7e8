//! Channel estimates, SINRs and rates in closed form (paper 001, (6), (16), (17), Theorem 1; corrected for pilot reuse).
//!
//! In powers `p_k = N_t xi_bf,k gamma_k` and `q = N_t rho`, with `S = sum p_k`:
//! `SINR_k = g_k p_k / (beta_k q + d_k S + g_k sum_{j in P_k \ k} p_j + sigma_c^2)`,
//! MRT `g_k = N_t xi_k, d_k = beta_k`; ZF `g_k = (N_t - G) xi_k, d_k = beta_k - xi_k`, where G counts the distinct
//! pilots in use. The third term is the coherent interference of users that share the pilot; it does not vanish with
//! N_t.

use super::instance::{Instance, Precoder};

/// What the rates of all designs are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficients {
    /// `xi_k`: the variance of an entry of user k's channel estimate (paper 001, (6)).
    pub estimate_variance: Vec<f64>,
    /// `beta_k`: the weight of the sensing power `q` in user k's interference.
    pub fading: Vec<f64>,
    /// `g_k`: the array gain of user k's own power, and of the powers that share its pilot.
    pub gain: Vec<f64>,
    /// `d_k`: the weight of the total communication power `S` in user k's interference.
    pub leakage: Vec<f64>,
    /// `sigma_c^2`.
    pub noise: f64,
    /// `(tau_c - tau_p) / tau_c`.
    pub pre_log: f64,
    /// Who shares a pilot with whom.
    pub groups: PilotGroups,
    precoder: Precoder,
}

/// Users by the pilot that they send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PilotGroups {
    /// The group of each user; groups are numbered by ascending pilot.
    of: Vec<usize>,
    /// The users, group by group.
    members: Vec<usize>,
    /// Where each group begins in `members`; one entry more at the end.
    begins: Vec<usize>,
}

impl PilotGroups {
    /// Groups users by pilot index.
    pub fn new(pilots: &[u64]) -> Self {
        let mut members: Vec<usize> = (0..pilots.len()).collect();
        members.sort_by_key(|k| pilots[*k]);
        let mut of = vec![0; pilots.len()];
        let mut begins = Vec::with_capacity(pilots.len() + 1);
        for (place, k) in members.iter().enumerate() {
            if place == 0 || pilots[*k] != pilots[members[place - 1]] {
                begins.push(place);
            }
            of[*k] = begins.len() - 1;
        }
        begins.push(members.len());
        Self { of, members, begins }
    }

    /// The number of distinct pilots, G.
    pub fn len(&self) -> usize {
        self.begins.len() - 1
    }

    /// Whether there is no user.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The group of a user.
    pub fn of(&self, user: usize) -> usize {
        self.of[user]
    }

    /// The users of a group.
    pub fn members(&self, group: usize) -> &[usize] {
        &self.members[self.begins[group]..self.begins[group + 1]]
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        (0..self.len()).map(|g| self.members(g))
    }

    /// Whether any pilot is shared.
    pub fn reused(&self) -> bool {
        self.len() < self.of.len()
    }

    /// Writes the total power of each group.
    pub fn totals(&self, power: &[f64], totals: &mut [f64]) {
        totals.fill(0.0);
        for (group, p) in self.of.iter().zip(power) {
            totals[*group] += p;
        }
    }
}

impl Coefficients {
    /// The coefficients of a drawn system.
    pub fn new(instance: &Instance) -> Self {
        let fading = instance.large_scale_fading.clone();
        let groups = PilotGroups::new(&instance.pilot_index);
        let noise = instance.communication_noise_power;
        let pilot_energy = instance.pilot_length as f64 * instance.pilot_power;
        let antennas = instance.transmit_array.len() as f64;
        let users = fading.len();
        let (mut estimate_variance, mut gain, mut leakage) = (vec![0.0; users], vec![0.0; users], vec![0.0; users]);
        for members in groups.iter() {
            let sum: f64 = members.iter().map(|j| fading[*j]).sum();
            let received = pilot_energy * sum + noise;
            for &k in members {
                let beta = fading[k];
                let xi = pilot_energy * beta * beta / received;
                estimate_variance[k] = xi;
                (gain[k], leakage[k]) = match instance.precoder {
                    Precoder::Mrt => (antennas * xi, beta),
                    // beta - xi, written without its cancellation (paper 001, (7)).
                    Precoder::Zf => {
                        let others: f64 = members.iter().filter(|j| **j != k).map(|j| fading[*j]).sum();
                        let error = beta * (pilot_energy * others + noise) / received;
                        ((antennas - groups.len() as f64) * xi, error)
                    }
                };
            }
        }
        let coherence = instance.coherence_length as f64;
        let pre_log = (coherence - instance.pilot_length as f64) / coherence;
        Self { estimate_variance, fading, gain, leakage, noise, pre_log, groups, precoder: instance.precoder }
    }

    /// The number of users K.
    pub fn users(&self) -> usize {
        self.fading.len()
    }

    /// Interference and noise of user k, without what shares its pilot: `beta_k q + d_k S + sigma_c^2`.
    pub fn background(&self, user: usize, communication: f64, sensing: f64) -> f64 {
        self.fading[user] * sensing + self.leakage[user] * communication + self.noise
    }

    /// Writes the SINRs. `power` are the `p_k`, `group_power` is scratch of one entry a pilot.
    pub fn sinr(&self, power: &[f64], sensing: f64, group_power: &mut [f64], out: &mut [f64]) {
        let communication: f64 = power.iter().sum();
        self.groups.totals(power, group_power);
        for (k, sinr) in out.iter_mut().enumerate() {
            let shared = (group_power[self.groups.of(k)] - power[k]).max(0.0);
            let interference = self.background(k, communication, sensing) + self.gain[k] * shared;
            *sinr = self.gain[k] * power[k] / interference;
        }
    }

    /// The rate in bit/s/Hz at an SINR: `(tau_c - tau_p)/tau_c log2(1 + SINR)`.
    pub fn rate(&self, sinr: f64) -> f64 {
        self.bits(sinr.ln_1p())
    }

    /// The rate in bit/s/Hz at `ln(1 + SINR)`.
    pub fn bits(&self, nats: f64) -> f64 {
        self.pre_log * nats / std::f64::consts::LN_2
    }

    /// The SINR at which a user has a rate in bit/s/Hz.
    pub fn sinr_at_rate(&self, rate: f64) -> f64 {
        (rate * std::f64::consts::LN_2 / self.pre_log).exp_m1()
    }

    /// Writes powers with equal power control coefficients `gamma_k` and a given total: `p_k` in proportion to
    /// `xi_bf,k` (paper 001, (17)), that is to `xi_k` for MRT and to `1 / xi_k` for ZF.
    pub fn equal_coefficients(&self, total: f64, power: &mut [f64]) {
        for (p, xi) in power.iter_mut().zip(&self.estimate_variance) {
            *p = match self.precoder {
                Precoder::Mrt => *xi,
                Precoder::Zf => 1.0 / xi,
            };
        }
        let sum: f64 = power.iter().sum();
        power.iter_mut().for_each(|p| *p *= total / sum);
    }
}
