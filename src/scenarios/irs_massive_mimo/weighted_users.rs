//! The maximiser of the least of several users' linear bounds over discs, by its dual.
//!
//! The largest `min_k (a_k + Re(h_k^H theta))` over `|theta_n| <= 1` with `Re(w^H theta) >= level` is the least, over weights
//! lambda that add to 1 and a price nu >= 0, of
//!
//! ```text
//! D = sum_k lambda_k a_k - nu level + sum_n |z_n|,  z = sum_k lambda_k h_k + nu w,
//! ```
//!
//! and `theta_n = z_n / |z_n|`: of unit modulus. D is convex in K + 1 numbers; a barrier keeps them positive, and Newton
//! steps follow it down. `O(K² N)` a step, a few dozen steps.

use num_complex::Complex;

use super::gain::Gains;

/// The barrier's weight, relative to D: first, last, and from one to the next.
const BARRIER: [f64; 3] = [0.1, 1e-12, 0.15];

/// Newton steps for one weight of the barrier.
const STEPS: usize = 12;

/// Scratch for K users and N elements.
pub(super) struct WeightedUsers {
    /// `h_k`, and last `w`; scaled.
    rows: Vec<Vec<Complex<f64>>>,
    /// `a_k`, and last `-level`; scaled.
    constants: Vec<f64>,
    /// lambda and nu.
    x: Vec<f64>,
    trial: Vec<f64>,
    z: Vec<Complex<f64>>,
    gradient: Vec<f64>,
    /// The Newton system with its right-hand side, row-major.
    system: Vec<f64>,
}

impl WeightedUsers {
    pub fn new(users: usize, elements: usize) -> Self {
        let zeros = || vec![Complex::default(); elements];
        Self {
            rows: (0..=users).map(|_| zeros()).collect(),
            constants: vec![0.0; users + 1],
            x: vec![0.0; users + 1],
            trial: vec![0.0; users + 1],
            z: zeros(),
            gradient: vec![0.0; users + 1],
            system: vec![0.0; (users + 2) * (users + 3)],
        }
    }

    /// Writes `z` of the optimal weights: the phases of the maximiser are those of its entries.
    pub fn maximize(
        &mut self,
        gains: &Gains,
        theta: &[Complex<f64>],
        limit: Option<(&[Complex<f64>], f64)>,
        out: &mut [Complex<f64>],
    ) {
        let users = gains.users.len();
        let mut scale = 0.0;
        for (k, (direct, factor, form)) in gains.users.iter().enumerate() {
            gains.apply(*form, theta, &mut self.rows[k]);
            let value: f64 = theta.iter().zip(&self.rows[k]).map(|(t, q)| (t.conj() * q).re).sum();
            self.rows[k].iter_mut().for_each(|q| *q *= 2.0 * factor);
            self.constants[k] = direct - factor * value;
            scale += (factor * value).abs() / users as f64;
        }
        if scale.is_nan() || scale <= 0.0 {
            // No phases matter.
            out.fill(Complex::default());
            return;
        }
        for k in 0..users {
            self.rows[k].iter_mut().for_each(|h| *h /= scale);
            self.constants[k] /= scale;
        }
        let free = match limit {
            Some((w, level)) => {
                let size = w.iter().map(|w| w.norm()).sum::<f64>().max(f64::MIN_POSITIVE);
                self.rows[users].iter_mut().zip(w).for_each(|(row, w)| *row = w / size);
                self.constants[users] = -level / size;
                users + 1
            }
            None => users,
        };
        self.x[..users].fill(1.0 / users as f64);
        self.x[users] = 1.0;
        let mut barrier = BARRIER[0];
        while barrier > BARRIER[1] {
            for _ in 0..STEPS {
                if !self.newton(users, free, barrier) {
                    break;
                }
            }
            barrier *= BARRIER[2];
        }
        self.sum(free, false);
        out.copy_from_slice(&self.z);
    }

    /// z at x or at the trial.
    fn sum(&mut self, free: usize, trial: bool) {
        let x = if trial { &self.trial } else { &self.x };
        self.z.fill(Complex::default());
        for (row, x) in self.rows[..free].iter().zip(x) {
            self.z.iter_mut().zip(row).for_each(|(z, h)| *z += h * x);
        }
    }

    /// D with the barrier.
    fn value(&mut self, free: usize, barrier: f64, trial: bool) -> f64 {
        self.sum(free, trial);
        let x = if trial { &self.trial } else { &self.x };
        let linear: f64 = self.constants[..free].iter().zip(x).map(|(a, x)| a * x).sum();
        let logs: f64 = x[..free].iter().map(|x| x.ln()).sum();
        linear + self.z.iter().map(|z| z.norm()).sum::<f64>() - barrier * logs
    }

    /// One Newton step under `sum lambda = 1`; whether there is more to do.
    fn newton(&mut self, users: usize, free: usize, barrier: f64) -> bool {
        let before = self.value(free, barrier, false);
        let width = free + 2;
        self.system[..(free + 1) * width].fill(0.0);
        for i in 0..free {
            self.gradient[i] = self.constants[i] - barrier / self.x[i];
            self.system[i * width + i] = barrier / (self.x[i] * self.x[i]) + 1e-12;
        }
        for (n, z) in self.z.iter().enumerate() {
            let norm = z.norm();
            if norm <= 0.0 {
                continue;
            }
            let unit = z / norm;
            for i in 0..free {
                let along = unit.conj() * self.rows[i][n];
                self.gradient[i] += along.re;
                for j in 0..=i {
                    // Re(h_i^* h_j) less the part along z.
                    let across = along.im * (unit.conj() * self.rows[j][n]).im / norm;
                    self.system[i * width + j] += across;
                    if i != j {
                        self.system[j * width + i] += across;
                    }
                }
            }
        }
        for i in 0..free {
            let one = f64::from(u8::from(i < users));
            self.system[i * width + free] = one;
            self.system[free * width + i] = one;
            self.system[i * width + free + 1] = -self.gradient[i];
        }
        if !eliminate(&mut self.system[..(free + 1) * width], free + 1) {
            return false;
        }
        let direction = |it: &Self, i: usize| it.system[i * width + free + 1];
        let mut length: f64 = 1.0;
        for i in 0..free {
            let d = direction(self, i);
            if d < 0.0 {
                length = length.min(-0.95 * self.x[i] / d);
            }
        }
        let slope: f64 = (0..free).map(|i| self.gradient[i] * direction(self, i)).sum();
        if slope.is_nan() || slope >= 0.0 {
            return false;
        }
        for _ in 0..40 {
            for i in 0..free {
                self.trial[i] = self.x[i] + length * direction(self, i);
            }
            let after = self.value(free, barrier, true);
            if after <= before + 1e-4 * length * slope {
                self.x[..free].copy_from_slice(&self.trial[..free]);
                return -slope > 1e-3 * barrier;
            }
            length *= 0.5;
        }
        false
    }
}

/// Solves a system with its right-hand side in the last column, by elimination with pivots; whether it could.
fn eliminate(a: &mut [f64], n: usize) -> bool {
    let width = n + 1;
    for column in 0..n {
        let size = |row: &usize| a[row * width + column].abs();
        let Some(pivot) = (column..n).max_by(|x, y| size(x).total_cmp(&size(y))) else { return false };
        if a[pivot * width + column] == 0.0 || !a[pivot * width + column].is_finite() {
            return false;
        }
        for j in 0..width {
            a.swap(column * width + j, pivot * width + j);
        }
        for row in 0..n {
            if row == column {
                continue;
            }
            let factor = a[row * width + column] / a[column * width + column];
            for j in column..width {
                a[row * width + j] -= factor * a[column * width + j];
            }
        }
    }
    for row in 0..n {
        a[row * width + n] /= a[row * width + row];
    }
    true
}
