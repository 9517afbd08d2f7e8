//! CRLB limits as rows of conic programs.
//!
//! In powers relative to the budget P: own illumination is linear. The multistatic information holds
//! `N_t sum_k |sum_l alpha_lp sqrt(q_kl)|²`. Where the gains to an access point have one phase, the best split of the
//! beams' powers over the streams is the same at every access point (Minkowski's inequality), and leaves
//! `N_t (sum_l |alpha_lp| sqrt(q_l))²`, which is concave: `h <= (sum_l m_l sqrt(q_l))²` where `y_l² <= q_l h` and
//! `sum_l m_l y_l >= h`. For other phases the same with moduli bounds the information from above.

use super::System;
use super::limits::Limits;
use crate::conic::{Cone, Expression, Program, Variable, Variables};

/// Gains whose phases or ratios differ by no more than this count as equal.
const EQUAL: f64 = 1e-9;

/// Whether all gains to each access point with a multistatic limit have one phase.
pub(super) fn equal_phases(system: &System, limits: &Limits) -> bool {
    if matches!(system.sensing.reflection, super::Reflections::Uniform(_)) {
        return true;
    }
    let access_points = limits.multistatic.len();
    (0..access_points).filter(|p| limits.multistatic[*p] > 0.0).all(|p| {
        let gain = |l: usize| system.sensing.gain(l, p);
        let largest = (0..access_points).map(gain).fold(gain(0), |a, b| if b.norm() > a.norm() { b } else { a });
        (0..access_points).all(|l| {
            let turned = gain(l) * largest.conj();
            turned.re >= 0.0 && turned.im.abs() <= EQUAL * largest.norm_sqr()
        })
    })
}

/// A concave bound on `(sum_l m_l sqrt(q_l))²`, and the moduli that it stands for.
struct Beam {
    moduli: Vec<f64>,
    squared: Variable,
}

/// Adds the rows that hold each CRLB limit, or that limit times the inverse of a common factor: information over its
/// need at least 1, or at least the variable `least`. Powers are relative to the budget. Gives variables whose value is
/// at most 1 where powers are.
pub(super) fn constrain(
    program: &mut Program,
    system: &System,
    limits: &Limits,
    (communication, sensing): (Variables, Variables),
    least: Option<Variable>,
) -> Vec<Variables> {
    let budget = limits.power;
    let access_points = limits.own.len();
    let needed = || least.map_or(Expression::from(1.0), Expression::from);
    let coefficients = &system.sensing;
    let rows = (0..access_points).filter(|l| limits.own[*l] > 0.0).map(|l| {
        let scale = budget / limits.own[l];
        let (c, q) = (communication.get(l), sensing.get(l));
        scale * coefficients.by_communication[l] * c + scale * coefficients.by_sensing[l] * q - needed()
    });
    let rows: Vec<Expression> = rows.collect();
    if !rows.is_empty() {
        program.constrain(Cone::NonNegative, rows);
    }
    let mut added = Vec::new();
    let mut beams: Vec<Beam> = Vec::new();
    for p in (0..access_points).filter(|p| limits.multistatic[*p] > 0.0) {
        let moduli: Vec<f64> = (0..access_points).map(|l| coefficients.gain(l, p).norm()).collect();
        let size = moduli.iter().map(|m| m * m).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let unit: Vec<f64> = moduli.iter().map(|m| m / size).collect();
        let known = beams.iter().find(|b| b.moduli.iter().zip(&unit).all(|(a, b)| (a - b).abs() <= 1e-12));
        let squared = match known {
            Some(beam) => beam.squared,
            None => {
                let squared = program.variables(1);
                let parts = program.variables(access_points);
                added.extend([squared, parts]);
                let h = squared.get(0);
                for (q, y) in sensing.iter().zip(parts.iter()) {
                    program.constrain(Cone::RotatedSecondOrder, [q.into(), h.into(), 2f64.sqrt() * y]);
                }
                let sum = Expression::sum(parts.iter().zip(&unit).map(|(y, m)| (y, *m)));
                program.constrain(Cone::NonNegative, [sum - h, h.into()]);
                beams.push(Beam { moduli: unit, squared: h });
                h
            }
        };
        let scale = budget / limits.multistatic[p];
        let (receive, transmit) = (scale * coefficients.receive[p], scale * coefficients.transmit[p]);
        let spread = communication.iter().zip(&moduli).enumerate().map(|(l, (c, m))| {
            let own = if l == p { transmit * m * m } else { 0.0 };
            (c, receive * m * m + own)
        });
        let information = Expression::sum(spread) + receive * coefficients.antennas * size * size * squared;
        program.constrain(Cone::NonNegative, [information - needed()]);
    }
    added
}

/// Adds the limits on power, relative to the budget: the whole at most 1, each access point's at most its own, and both
/// kinds of power at least 0. With `factor` the limits are that many times as large.
pub(super) fn constrain_power(
    program: &mut Program,
    limits: &Limits,
    (communication, sensing): (Variables, Variables),
    factor: Option<Variable>,
) {
    let all = Expression::sum(communication.iter().chain(sensing.iter()).map(|v| (v, -1.0)));
    let times = |limit: f64| factor.map_or(Expression::from(limit), |f| limit * f);
    let mut rows = vec![all + times(1.0)];
    for (l, cap) in limits.access_point.iter().enumerate().filter(|(_, cap)| cap.is_finite()) {
        rows.push(times(cap / limits.power) - communication.get(l) - sensing.get(l));
    }
    rows.extend(communication.iter().chain(sensing.iter()).map(Expression::from));
    program.constrain(Cone::NonNegative, rows);
}
