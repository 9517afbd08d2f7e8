//! The phases alone, with the transmit side solved exactly: the value function and its gradient.
//!
//! By the envelope theorem the derivative of `t = 1 / max CRB` in the phases is that of the Lagrangian at the optimum,
//!
//! ```text
//! dt = sum_l lambda_l d(f_l(R) / kappa_l) + sum_u mu_u d s_u(W, R_0),
//! df  = c_1 dp + c_2 ( dq - 2 Re(r* dr) / p + |r|^2 / p^2 dp )      at fixed R
//! ```
//!
//! with the multipliers of the semidefinite program (reference: structure 6). Where the phases are infeasible, the least
//! power takes its place: `d log P_min = - sum_u lambda_u d s_u / P_min` at the beams of least power.

use num_complex::Complex;

use super::heard::{Heard, Matrix, add_outer, dot, image};
use super::instance::{Receiver, Target};
use super::system::System;
use super::transmit::{Limits, Outcome, Transmit};
use super::uplink::least_power;

/// Where the fixed point of the least power stops at hopeless phases, in budgets.
const HOPELESS: f64 = 1e8;

/// The value of phases.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The best transmit side; the gradient is that of the largest CRB.
    Best(Box<Transmit>),
    /// The least power over the budget, above 1; the gradient is that of its logarithm.
    Infeasible(f64),
}

impl System {
    /// The value of phases, and its gradient; none where neither can be computed.
    pub(super) fn value(&self, phases: &[f64], limits: &Limits, gradient: &mut [f64]) -> Option<Value> {
        let heard = self.heard(phases);
        gradient.fill(0.0);
        match self.transmit(&heard, limits, Target::Point) {
            Outcome::Best(best) => {
                self.value_gradient(&heard, limits, &best, gradient);
                Some(Value::Best(best))
            }
            Outcome::Infeasible => {
                let excess = self.least_power_gradient(&heard, limits, gradient)?;
                Some(Value::Infeasible(excess))
            }
            Outcome::Dark(_) | Outcome::Failed(_) => None,
        }
    }

    /// `d max CRB = - CRB^2 dt`.
    fn value_gradient(&self, heard: &Heard, limits: &Limits, best: &Transmit, gradient: &mut [f64]) {
        let square = best.value * best.value;
        for (l, weight) in best.targets.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let weight = -square * weight / self.kappa[l];
            let (one, two) = (&heard.one[l], &heard.two[l]);
            let (image_one, image_two) = (image(&best.total, one), image(&best.total, two));
            let (p, r) = (dot(one, &image_one).re, dot(one, &image_two));
            let [sum_beam, difference_beam] = self.target_sources(l);
            let of_p = self.sensor_weight + self.element_weight * r.norm_sqr() / (p * p);
            let real = |x: f64| Complex::new(x, 0.0);
            // dp = 2 Re(dv1^H R v1), dq = 2 Re(dv2^H R v2), dr = dv1^H R v2 + (dv2^H R v1)^*.
            self.add_derivative(heard, sum_beam, &image_one, real(weight * of_p), gradient);
            self.add_derivative(heard, difference_beam, &image_two, real(weight * self.element_weight), gradient);
            let of_r = -weight * self.element_weight / p;
            self.add_derivative(heard, sum_beam, &image_two, r.conj() * of_r, gradient);
            self.add_derivative(heard, difference_beam, &image_one, r * of_r, gradient);
        }
        for (l, weight) in best.illuminations.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let [sum_beam, _] = self.target_sources(l);
            let y = image(&best.total, &heard.one[l]);
            self.add_derivative(heard, sum_beam, &y, Complex::new(-square * weight, 0.0), gradient);
        }
        for (user, weight) in best.floors.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            // s_u = (1 + 1/Gamma) g^H W_u g - g^H R g [+ g^H R_0 g for type II].
            let Some(own) = &best.matrices[user] else { continue };
            let mut x = own * Complex::new(1.0 + 1.0 / limits.sinr[user], 0.0);
            match self.instance.receiver {
                Receiver::TypeI => x -= &best.total,
                Receiver::TypeII => best.matrices.iter().flatten().for_each(|w| x -= w),
            }
            let y = image(&x, &heard.users[user]);
            let weight = Complex::new(-square * weight, 0.0);
            self.add_derivative(heard, self.user_source(user), &y, weight, gradient);
        }
    }

    /// `P_min / P`, and the gradient of its logarithm.
    pub(super) fn least_power_gradient(&self, heard: &Heard, limits: &Limits, gradient: &mut [f64]) -> Option<f64> {
        let noise = self.instance.communication_noise_power;
        let least = least_power(&heard.users, &limits.sinr, noise, HOPELESS * limits.power);
        let beams = least.beams.as_ref()?;
        let m = self.instance.antennas;
        let mut sum = Matrix::zeros(m, m);
        beams.iter().for_each(|w| add_outer(&mut sum, 1.0, w));
        for (user, weight) in least.multipliers.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let mut x = -&sum;
            add_outer(&mut x, 1.0 + 1.0 / limits.sinr[user], &beams[user]);
            let y = image(&x, &heard.users[user]);
            // Multipliers are in W; the rows are in units of the noise.
            let weight = Complex::new(-weight / (noise * least.power), 0.0);
            self.add_derivative(heard, self.user_source(user), &y, weight, gradient);
        }
        Some(least.power / limits.power)
    }
}
