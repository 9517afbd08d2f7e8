//! Extended targets: the CRB of the whole response matrix depends on the covariance only, not on the phases.
//!
//! ```text
//! CRB_l = c tr( (G_l R G_l^H)^-1 ),    c = N_s sigma_s^2 / T
//! ```
//!
//! - Without floors, for any weights `nu` on the simplex and `M = N`: `max_l CRB_l >= c (tr B^{1/2})^2 / P`,
//!   `B = sum_l nu_l (G_l^H G_l)^-1`, with equality at the best `nu` and `R* = P B^{1/2} / tr B^{1/2}`. For `L = 1` and
//!   `M >= N`: `c (sum_i 1/s_i)^2 / P` over the singular values of `G`, `R* = P V diag(1/s) V^H / sum(1/s)`.
//! - `R*` supports the floors where a test on `S_ij = g_i^H R* g_j` holds (sufficient, in closed form): type I with the
//!   Loewdin beams `R* G S^{-1/2}`: `(1 + 1/Gamma_i) (S^{1/2})_ii^2 >= S_ii + sigma^2`; type II with zero forcing in the
//!   metric of `R*`: `S >= sigma^2 diag(Gamma)`. Phases that pass the test attain the bound: a global optimum, proven.
//!
//! Source: this project's reference (structure 8); (25), (46a) of paper 003.

use crate::conic::hermitian::{ComplexExpression, HermitianProgram, ScalarVariable};
use crate::math::Descent;

use super::heard::{Heard, Matrix, add_outer, dot, image, squared};
use super::instance::Receiver;
use super::system::{C, System};
use super::transmit::Limits;

/// Singular values below this share of the largest count as none.
const RANK: f64 = 1e-7;

/// `G_l` (N x M).
pub(super) fn channel(system: &System, surface: usize) -> Matrix {
    let (n, m) = (system.instance.elements, system.instance.antennas);
    let rows = &system.instance.base_station_irs_channel[surface * n * m..(surface + 1) * n * m];
    Matrix::from_row_slice(n, m, rows)
}

/// The CRB of an IRS's response at a covariance.
pub(super) fn response_bound(system: &System, surface: usize, total: &Matrix) -> f64 {
    let g = channel(system, surface);
    let gram = &g * total * g.adjoint();
    match gram.cholesky() {
        Some(factor) => system.response_scale * factor.inverse().trace().re,
        None => f64::INFINITY,
    }
}

/// The inverse Gram matrix `(G^H G)^-1` for `M = N`, by the singular values.
struct Spectrum {
    values: Vec<f64>,
    /// Right singular vectors, as columns (M x N).
    right: Matrix,
}

fn spectrum(system: &System, surface: usize) -> Option<Spectrum> {
    let (n, m) = (system.instance.elements, system.instance.antennas);
    if n > m {
        return None;
    }
    let svd = channel(system, surface).svd(false, true);
    let values: Vec<f64> = svd.singular_values.iter().copied().collect();
    let (most, least) = values.iter().fold((0.0_f64, f64::INFINITY), |(a, b), s| (a.max(*s), b.min(*s)));
    let right = svd.v_t?.adjoint();
    (least > RANK * most).then_some(Spectrum { values, right })
}

/// Adds `tr((G_l R G_l^H)^-1) <= level * unit / (c / P)` for all IRSs to a program in `R / P`, and the level's limit; gives
/// the unit, in which the largest CRB is measured. With `G = U S V^H` it is `[[V^H R V, I], [I, Z]] >= 0`,
/// `tr(S^-2 Z) <= ...`, which is well conditioned where `G R G^H` is not.
pub(super) fn add_rows(
    system: &System,
    power: f64,
    program: &mut HermitianProgram,
    form: &dyn Fn(&[C], &[C]) -> ComplexExpression,
    level: ScalarVariable,
) -> f64 {
    let n = system.instance.elements;
    let spectra: Option<Vec<Spectrum>> = (0..system.instance.surfaces).map(|l| spectrum(system, l)).collect();
    let Some(spectra) = spectra else { return f64::INFINITY };
    // The value of the hardest IRS alone: the least that the largest can be.
    let alone = spectra.iter().map(|s| s.values.iter().map(|s| 1.0 / s).sum::<f64>().powi(2)).fold(0.0, f64::max);
    let unit = system.response_scale * alone / power;
    for spectrum in &spectra {
        let column = |j: usize| spectrum.right.column(j).as_slice().to_vec();
        let columns: Vec<Vec<C>> = (0..n).map(column).collect();
        // Z is scaled by its own size at R = I / M, so that both corners are of one order.
        let scale = system.instance.antennas as f64;
        let corner = program.semidefinite(2 * n, |i, j| match (i < n, j < n) {
            (true, true) => Some(form(&columns[i], &columns[j])),
            (true, false) => Some(ComplexExpression::from(if j == i + n { 1.0 / scale.sqrt() } else { 0.0 })),
            _ => None,
        });
        let mut row = -ComplexExpression::from(level);
        for i in 0..n {
            let weight = scale / (spectrum.values[i].powi(2) * alone);
            row += corner.entry(n + i, n + i) * weight;
        }
        program.at_most(row, 0.0);
    }
    unit
}

/// The optimum without floors: the covariance, and a proven bound on the largest CRB.
#[derive(Clone, Debug)]
pub(super) struct FreeOptimum {
    /// `R*`, where it attains the bound.
    pub covariance: Option<Matrix>,
    /// No design has a smaller largest CRB.
    pub bound: f64,
    /// The weights of the IRSs.
    pub weights: Vec<f64>,
}

/// The optimum without floors; none where no design has a finite CRB.
pub(super) fn free_optimum(system: &System, power: f64) -> Option<FreeOptimum> {
    let (n, m) = (system.instance.elements, system.instance.antennas);
    let surfaces = system.instance.surfaces;
    let spectra: Vec<Spectrum> = (0..surfaces).map(|l| spectrum(system, l)).collect::<Option<_>>()?;
    let scale = system.response_scale / power;
    let traces: Vec<f64> = spectra.iter().map(|s| s.values.iter().map(|s| 1.0 / s).sum()).collect();
    if surfaces == 1 {
        let mut covariance = Matrix::zeros(m, m);
        for (j, s) in spectra[0].values.iter().enumerate() {
            add_outer(&mut covariance, power / (s * traces[0]), spectra[0].right.column(j).as_slice());
        }
        return Some(FreeOptimum {
            covariance: Some(covariance),
            bound: scale * traces[0].powi(2) * (1.0 - 1e-12),
            weights: vec![1.0],
        });
    }
    if m != n {
        let bound = scale * traces.iter().fold(0.0_f64, |a, b| a.max(*b)).powi(2) * (1.0 - 1e-12);
        return Some(FreeOptimum { covariance: None, bound, weights: Vec::new() });
    }
    // (G^H G)^-1, scaled to the order of 1.
    let unit = traces.iter().sum::<f64>() / (surfaces * n) as f64;
    let inverses: Vec<Matrix> = spectra
        .iter()
        .map(|s| {
            let mut inverse = Matrix::zeros(m, m);
            for (j, value) in s.values.iter().enumerate() {
                add_outer(&mut inverse, (value * unit).powi(-2), s.right.column(j).as_slice());
            }
            inverse
        })
        .collect();
    let root = |weights: &[f64]| {
        let blend = inverses.iter().zip(weights).fold(Matrix::zeros(m, m), |b, (x, w)| b + x * C::new(*w, 0.0));
        let eigen = blend.symmetric_eigen();
        let mut root = Matrix::zeros(m, m);
        for (j, value) in eigen.eigenvalues.iter().enumerate() {
            add_outer(&mut root, value.max(0.0).sqrt(), eigen.eigenvectors.column(j).as_slice());
        }
        root
    };
    let (weights, root) = best_weights(surfaces, &root, &inverses);
    let trace = root.trace().re;
    let covariance = &root * C::new(power / trace, 0.0);
    let bound = scale * (trace * unit).powi(2) * (1.0 - 1e-12);
    Some(FreeOptimum { covariance: Some(covariance), bound, weights })
}

/// Maximizes the concave `(tr B(nu)^{1/2})` over the simplex: at the optimum the CRBs of all IRSs with a weight are equal.
fn best_weights(surfaces: usize, root: &dyn Fn(&[f64]) -> Matrix, inverses: &[Matrix]) -> (Vec<f64>, Matrix) {
    // The CRBs at R ~ B^{1/2}, up to a common factor: tr(B^{-1/2} (G^H G)^-1), which is also the gradient.
    let shares = |root: &Matrix| -> Vec<f64> {
        match root.clone().cholesky() {
            Some(factor) => inverses.iter().map(|x| factor.solve(x).trace().re).collect(),
            None => vec![1.0; surfaces],
        }
    };
    if surfaces == 2 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            let each = shares(&root(&[middle, 1.0 - middle]));
            if each[0] > each[1] { low = middle } else { high = middle }
        }
        let weights = vec![0.5 * (low + high), 1.0 - 0.5 * (low + high)];
        let root = root(&weights);
        return (weights, root);
    }
    let mut weights = vec![1.0 / surfaces as f64; surfaces];
    for _ in 0..2000 {
        // Multiplicative steps keep the simplex and rise (the function is a concave power mean).
        let each = shares(&root(&weights));
        let mean: f64 = weights.iter().zip(&each).map(|(w, s)| w * s).sum();
        let worst = weights.iter().zip(&each).map(|(_, s)| s / mean - 1.0).fold(0.0, f64::max);
        weights.iter_mut().zip(&each).for_each(|(w, s)| *w *= s / mean);
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        if worst < 1e-13 {
            break;
        }
    }
    let root = root(&weights);
    (weights, root)
}

/// Beams that reach the floors out of a given covariance, and what is left of it as `R_0`.
#[derive(Clone, Debug)]
pub(super) struct Carved {
    pub beams: Vec<Vec<C>>,
    pub covariance: Matrix,
}

/// The sufficient test at given phases: the least margin over the users (1 or more passes), its softened value and the
/// weights `M` with `d value = tr(dS M)`.
struct Test {
    margin: f64,
    soft: f64,
    weights: Matrix,
}

/// How sharply the least margin is softened for the search.
const SHARPNESS: f64 = 30.0;

fn gram(g: &[Vec<C>], covariance: &Matrix) -> Matrix {
    let images: Vec<Vec<C>> = g.iter().map(|g| image(covariance, g)).collect();
    let mut s = Matrix::from_fn(g.len(), g.len(), |i, j| dot(&g[i], &images[j]));
    for i in 0..g.len() {
        s[(i, i)].im = 0.0;
    }
    s
}

/// `S` in units of the noise; margins are `log` ratios, so that they are of the order of 1 in any units.
fn test(s: &Matrix, limits: &[f64], receiver: Receiver) -> Test {
    let k = s.nrows();
    match receiver {
        Receiver::TypeI => {
            let eigen = s.clone().symmetric_eigen();
            let roots: Vec<f64> = eigen.eigenvalues.iter().map(|e| e.max(1e-300).sqrt()).collect();
            let u = &eigen.eigenvectors;
            let mut logs = vec![0.0; k];
            let mut gradients = Vec::with_capacity(k);
            for i in 0..k {
                let row: Vec<C> = (0..k).map(|a| u[(i, a)].conj()).collect();
                let root: f64 = row.iter().zip(&roots).map(|(c, r)| c.norm_sqr() * r).sum();
                // The SINR of these beams: the test passes where it reaches its limit.
                let own = root * root;
                let disturbed = (s[(i, i)].re - own).max(0.0) + 1.0;
                logs[i] = (own / (disturbed * limits[i])).ln();
                // d (S^{1/2})_ii = tr(dS U N U^H), N_ab = c_a conj(c_b) / (sqrt(l_a) + sqrt(l_b)).
                let inner = Matrix::from_fn(k, k, |a, b| row[a] * row[b].conj() / (roots[a] + roots[b]));
                let mut weights = u * inner * u.adjoint() * C::new(2.0 / root + 2.0 * root / disturbed, 0.0);
                weights[(i, i)].re -= 1.0 / disturbed;
                gradients.push(weights);
            }
            let least = logs.iter().copied().fold(f64::INFINITY, f64::min);
            let shares: Vec<f64> = logs.iter().map(|l| (-SHARPNESS * (l - least)).exp()).collect();
            let total: f64 = shares.iter().sum();
            let soft = least - total.ln() / SHARPNESS;
            let mut weights = Matrix::zeros(k, k);
            for (share, gradient) in shares.iter().zip(&gradients) {
                weights += gradient * C::new(share / total, 0.0);
            }
            Test { margin: least.exp(), soft, weights }
        }
        Receiver::TypeII => {
            let scaled = Matrix::from_fn(k, k, |i, j| s[(i, j)] / (limits[i] * limits[j]).sqrt());
            let eigen = scaled.symmetric_eigen();
            let at = eigen.eigenvalues.imin();
            let value = eigen.eigenvalues[at].max(1e-300);
            let x: Vec<C> = (0..k).map(|i| eigen.eigenvectors[(i, at)] / limits[i].sqrt()).collect();
            let mut weights = Matrix::zeros(k, k);
            add_outer(&mut weights, 1.0 / value, &x);
            Test { margin: value, soft: value.ln(), weights }
        }
    }
}

/// Users with a floor, their channels in units of the noise, and their floors.
fn served(system: &System, heard: &Heard, limits: &Limits) -> (Vec<usize>, Vec<Vec<C>>, Vec<f64>) {
    let users: Vec<usize> = (0..limits.sinr.len()).filter(|u| limits.sinr[*u] > 0.0).collect();
    let noise = system.instance.communication_noise_power.sqrt();
    let g = users.iter().map(|u| heard.users[*u].iter().map(|x| x / noise).collect()).collect();
    let floors = users.iter().map(|u| limits.sinr[*u]).collect();
    (users, g, floors)
}

/// Beams out of a covariance where the sufficient test holds at these phases.
pub(super) fn carve(system: &System, heard: &Heard, limits: &Limits, covariance: &Matrix) -> Option<Carved> {
    let (users, g, floors) = served(system, heard, limits);
    let m = system.instance.antennas;
    let mut beams = vec![vec![C::default(); m]; limits.sinr.len()];
    if users.is_empty() {
        return Some(Carved { beams, covariance: covariance.clone() });
    }
    let s = gram(&g, covariance);
    let margin = test(&s, &floors, system.instance.receiver).margin;
    if margin.is_nan() || margin < 1.0 {
        return None;
    }
    let images: Vec<Vec<C>> = g.iter().map(|g| image(covariance, g)).collect();
    // W = R* G X with X = S^{-1/2} (type I), S^{-1} diag(sqrt(Gamma)) (type II).
    let x = match system.instance.receiver {
        Receiver::TypeI => {
            let eigen = s.symmetric_eigen();
            let mut root = Matrix::zeros(g.len(), g.len());
            for (j, value) in eigen.eigenvalues.iter().enumerate() {
                add_outer(&mut root, 1.0 / value.sqrt(), eigen.eigenvectors.column(j).as_slice());
            }
            root
        }
        Receiver::TypeII => {
            let inverse = s.cholesky()?.inverse();
            Matrix::from_fn(g.len(), g.len(), |i, j| inverse[(i, j)] * floors[j].sqrt())
        }
    };
    let mut rest = covariance.clone();
    for (j, user) in users.iter().enumerate() {
        for (i, image) in images.iter().enumerate() {
            let factor = x[(i, j)];
            beams[*user].iter_mut().zip(image).for_each(|(w, r)| *w += factor * r);
        }
        add_outer(&mut rest, -1.0, &beams[*user]);
    }
    super::transmit_program::clip(&mut rest);
    let spent = beams.iter().map(|w| squared(w)).sum::<f64>() + rest.trace().re;
    if spent > limits.power {
        let factor = limits.power / spent;
        beams.iter_mut().flatten().for_each(|x| *x *= factor.sqrt());
        rest *= C::new(factor, 0.0);
    }
    Some(Carved { beams, covariance: rest })
}

/// Moves phases until the covariance supports the floors: the beams, or how near it came (the logarithm of the least margin,
/// softened).
pub(super) fn support(
    system: &System,
    limits: &Limits,
    covariance: &Matrix,
    phases: &mut [f64],
) -> Result<Carved, f64> {
    let mut function = |x: &[f64], gradient: &mut [f64]| {
        let heard = system.heard(x);
        let (users, g, floors) = served(system, &heard, limits);
        let test = test(&gram(&g, covariance), &floors, system.instance.receiver);
        gradient.fill(0.0);
        let noise = system.instance.communication_noise_power.sqrt();
        for (i, user) in users.iter().enumerate() {
            // d value = 2 Re sum_i d g_i^H R sum_j g_j M_ji.
            let mut blend = vec![C::default(); system.instance.antennas];
            for (j, g) in g.iter().enumerate() {
                let factor = test.weights[(j, i)];
                blend.iter_mut().zip(g).for_each(|(b, g)| *b += factor * g);
            }
            let image = image(covariance, &blend);
            system.add_derivative(&heard, system.user_source(*user), &image, C::new(-1.0 / noise, 0.0), gradient);
        }
        Some(-test.soft)
    };
    let tries = |system: &System, phases: &[f64]| carve(system, &system.heard(phases), limits, covariance);
    if let Some(carved) = tries(system, phases) {
        return Ok(carved);
    }
    let Some(mut descent) = Descent::new(phases.to_vec(), 10, 0.5, &mut function) else {
        return Err(f64::NEG_INFINITY);
    };
    for _ in 0..200 {
        let fell = descent.step(&mut function, &mut || false);
        phases.copy_from_slice(&descent.point);
        // A little beyond 1, for the rounding of the beams.
        if -descent.value > 1e-9
            && let Some(carved) = tries(system, phases)
        {
            return Ok(carved);
        }
        if !fell {
            break;
        }
    }
    Err(-descent.value)
}
