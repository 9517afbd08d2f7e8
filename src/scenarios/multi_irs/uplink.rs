//! The least power for SINR floors at given phases, without a semidefinite program: the fixed point of the dual uplink.
//!
//! ```text
//! lambda_k = 1 / ( (1 + 1/Gamma_k) g_k^H (I + sum_j lambda_j g_j g_j^H)^-1 g_k ),    P_min = sum_k lambda_k   (sigma^2 = 1)
//! ```
//!
//! From `lambda = 0` the iterates rise, and each is feasible for the dual: their sum is a proven lower bound on the
//! least power at any time, so that infeasibility is proven after finitely many steps. The least power is the same for
//! both types of receivers (`R_0 = 0`). Sources: Rashid-Farrokhi, Tassiulas and Liu, IEEE Trans. Commun. 46(10), 1998,
//! doi:10.1109/26.725309; Wiesel, Eldar and Shamai, IEEE Trans. Signal Process. 54(1), 2006,
//! doi:10.1109/TSP.2005.861073.

use super::heard::{Matrix, add_outer, dot, image};
use super::system::C;

/// Steps of the fixed point.
const STEPS: usize = 3000;

/// The least power for SINR floors, and how it is reached.
#[derive(Clone, Debug)]
pub(super) struct LeastPower {
    /// A proven lower bound on the least power; the least power itself where `beams` is there.
    pub power: f64,
    /// The dual uplink powers in W, one a user: multipliers of the SINR rows.
    pub multipliers: Vec<f64>,
    /// The beams; none where no power suffices or the fixed point passed `most` first.
    pub beams: Option<Vec<Vec<C>>>,
}

/// The least power for floors `limits` (0: none) with channels `g` and a noise power; gives up once it is proven to be
/// above `most`.
pub(super) fn least_power(g: &[Vec<C>], limits: &[f64], noise: f64, most: f64) -> LeastPower {
    let m = g.first().map_or(0, Vec::len);
    let active: Vec<usize> = (0..g.len()).filter(|u| limits[*u] > 0.0).collect();
    if active.is_empty() {
        let beams = Some(vec![vec![C::default(); m]; g.len()]);
        return LeastPower { power: 0.0, multipliers: vec![0.0; g.len()], beams };
    }
    let scaled: Vec<Vec<C>> = active.iter().map(|u| g[*u].iter().map(|x| x / noise.sqrt()).collect()).collect();
    let mut lambda = vec![0.0; active.len()];
    let mut multipliers = vec![0.0; g.len()];
    let mut inverse = Matrix::identity(m, m);
    let mut settled = false;
    for _ in 0..STEPS {
        if settled {
            break;
        }
        let mut sum = Matrix::identity(m, m);
        scaled.iter().zip(&lambda).for_each(|(g, l)| add_outer(&mut sum, *l, g));
        match sum.cholesky() {
            Some(factor) => inverse = factor.inverse(),
            None => break,
        }
        let mut change = 0.0_f64;
        for ((g, l), user) in scaled.iter().zip(&mut lambda).zip(&active) {
            let gain = dot(g, &image(&inverse, g)).re;
            let next = 1.0 / ((1.0 + 1.0 / limits[*user]) * gain);
            change = change.max((next - *l) / next);
            *l = next;
        }
        let total: f64 = lambda.iter().sum();
        if !total.is_finite() || total > most {
            break;
        }
        settled = change <= 1e-13;
    }
    active.iter().zip(&lambda).for_each(|(u, l)| multipliers[*u] = *l);
    let power = lambda.iter().sum();
    let beams = settled.then(|| downlink(&scaled, &active, limits, &inverse, g.len(), m)).flatten();
    LeastPower { power, multipliers, beams }
}

/// Beams along the uplink's receivers, with the powers that meet every floor exactly.
fn downlink(
    scaled: &[Vec<C>],
    active: &[usize],
    limits: &[f64],
    inverse: &Matrix,
    users: usize,
    m: usize,
) -> Option<Vec<Vec<C>>> {
    let directions: Vec<Vec<C>> = scaled
        .iter()
        .map(|g| {
            let w = image(inverse, g);
            let norm = dot(&w, &w).re.sqrt();
            w.iter().map(|x| x / norm).collect()
        })
        .collect();
    let count = active.len();
    // p_k |g_k^H u_k|^2 / Gamma_k - sum_{j != k} p_j |g_k^H u_j|^2 = 1.
    let coupling = nalgebra::DMatrix::from_fn(count, count, |k, j| {
        let heard = dot(&scaled[k], &directions[j]).norm_sqr();
        if j == k { heard / limits[active[k]] } else { -heard }
    });
    let powers = coupling.lu().solve(&nalgebra::DVector::from_element(count, 1.0))?;
    if powers.iter().any(|p| !(*p >= 0.0 && p.is_finite())) {
        return None;
    }
    let mut beams = vec![vec![C::default(); m]; users];
    for ((user, direction), power) in active.iter().zip(&directions).zip(powers.iter()) {
        beams[*user] = direction.iter().map(|x| x * power.sqrt()).collect();
    }
    Some(beams)
}
