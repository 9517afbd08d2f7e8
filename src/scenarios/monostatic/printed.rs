//! Figures by the paper's formulas as they are printed, where the print is wrong: for those who have them in a program
//! of their own and find other numbers. What is right is in [`super::rate`] and [`super::sensing`].

use std::f64::consts::PI;

use super::System;
use super::instance::{Array, Precoder};
use crate::model::PrintedFigure;
use crate::radio::{DerivativeGram, Pointing};

/// A printed value that agrees with the right one to this is not shown.
const AGREES: f64 = 1e-9;

const REUSE: &str = "(20)-(22) as printed leave out the coherent interference of users that share a pilot: with \
    hhat_j = (beta_j/beta_k) hhat_k add N_t^2 xi_k sum xi_j gamma_j (MRT) or xi_k sum gamma_j/xi_j (ZF) to the \
    denominator; for ZF the estimates span G < K directions, one a pilot: N_t - G in place of N_t - K";
const NORMS: &str = "(49), (51) as printed multiply both terms by cos^2(phi): by (92) the vertical one has sin^2(phi), \
    ||a_phi||^2 = N_t pi^2/12 [(N_th^2-1) sin^2(theta) cos^2(phi) + (N_tv^2-1) sin^2(phi)]; equal at phi = pi/4 only";
const ELIMINATION: &str = "(37)-(40) as printed (with alpha* in (45)) remove the unknown alpha from J_phiphi alone: it \
    takes from J_thetatheta and J_thetaphi, too, J_e = J - J_a J_aa^-1 J_a^T, where the sensing beam is misaligned";
const CONJUGATE: &str = "(37)-(40) with (45) as printed, which lacks alpha*: kappa rho N_r Re(alpha* a^H v v^H a_phi \
    [1, j]); without it what alpha takes is 1/|alpha|^2 too large, and a CRLB may come out negative";
const TOGETHER: &str = "all of the printed slips together: (37)-(40), (45), (49), (51)";

/// What of the CRLBs is taken as printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slips {
    /// The norms (49) and (51).
    pub norms: bool,
    /// The elimination of alpha in (37)-(40).
    pub elimination: bool,
    /// (45) without `alpha*`.
    pub conjugate: bool,
}

/// The printed figures of the powers `p` and `q` that differ from the right ones.
pub(super) fn figures(system: &System, power: &[f64], sensing: f64) -> Vec<PrintedFigure> {
    let mut figures = Vec::new();
    let agree =
        |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(a, b)| a == b || (a - b).abs() <= AGREES * a.abs().max(b.abs()));
    let mut add = |metric, correction, values: Vec<f64>, right: &[f64]| {
        if !agree(&values, right) {
            figures.push(PrintedFigure { metric, correction, values });
        }
    };
    if system.users.groups.reused() {
        let mut right = vec![0.0; power.len()];
        system.users.sinr(power, sensing, &mut vec![0.0; system.users.groups.len()], &mut right);
        let printed = sinr(system, power, sensing);
        let rates = |sinr: &[f64]| sinr.iter().map(|s| system.users.rate(*s)).collect::<Vec<_>>();
        let (printed_rates, right_rates) = (rates(&printed), rates(&right));
        add("sinr", REUSE, printed, &right);
        add("sum_rate", REUSE, vec![printed_rates.iter().sum()], &[right_rates.iter().sum()]);
        add("rate", REUSE, printed_rates, &right_rates);
    }
    let communication: f64 = power.iter().sum();
    let right = system.sensing.crlb(communication, sensing);
    let one = |slips| crlb(system, communication, sensing, slips);
    let norms = one(Slips { norms: true, ..Slips::default() });
    let elimination = one(Slips { elimination: true, ..Slips::default() });
    let conjugate = one(Slips { elimination: true, conjugate: true, ..Slips::default() });
    let together = one(Slips { norms: true, elimination: true, conjugate: true });
    for (angle, metric) in ["crlb_azimuth", "crlb_elevation"].into_iter().enumerate() {
        let mut value =
            |correction, printed: [f64; 2]| add(metric, correction, vec![printed[angle]], &right[angle..=angle]);
        value(NORMS, norms);
        value(ELIMINATION, elimination);
        value(CONJUGATE, conjugate);
        if !agree(&norms, &right) && !system.sensing.aligned() {
            value(TOGETHER, together);
        }
    }
    figures
}

/// SINRs by (20)-(22) as printed: `g_k p_k / (beta_k q + d_k S + sigma_c^2)` with `g_k = (N_t - K) xi_k` for ZF, which
/// leaves nothing where there are not more antennas than users.
pub(super) fn sinr(system: &System, power: &[f64], sensing: f64) -> Vec<f64> {
    let users = &system.users;
    let communication: f64 = power.iter().sum();
    let antennas = system.instance.transmit_array.len() as f64;
    let one = |k: usize| {
        let gain = match system.instance.precoder {
            Precoder::Mrt => users.gain[k],
            Precoder::Zf => (antennas - power.len() as f64).max(0.0) * users.estimate_variance[k],
        };
        gain * power[k] / users.background(k, communication, sensing)
    };
    (0..power.len()).map(one).collect()
}

/// `||a_phi||^2` by (49) and (51) as printed.
pub(super) fn printed_norm(array: Array, target: Pointing) -> f64 {
    let square = |n: usize| (n as f64).powi(2) - 1.0;
    let tilt = target.azimuth.sin().powi(2);
    array.len() as f64 * PI * PI / 12.0
        * target.elevation.cos().powi(2)
        * (square(array.horizontal) * tilt + square(array.vertical))
}

/// The CRLBs of azimuth and elevation with some slips of the print; negative where they make them so.
pub(super) fn crlb(system: &System, communication: f64, sensing: f64, slips: Slips) -> [f64; 2] {
    let instance = &system.instance;
    let target = instance.target_direction;
    let gram = |array: Array| {
        let right = array.derivative_gram(target);
        let elevation = if slips.norms { printed_norm(array, target) } else { right.elevation };
        DerivativeGram { elevation, ..right }
    };
    let (a, b) = (gram(instance.transmit_array), gram(instance.receive_array));
    let beam = instance.transmit_array.beam_response(instance.sensing_beam_direction.unwrap_or(target), target);
    let (nt, nr) = (instance.transmit_array.len() as f64, instance.receive_array.len() as f64);
    let kappa = 2.0 * instance.frame_length as f64 / instance.sensing_noise_power;
    let strength = instance.target_reflection.norm_sqr();
    let gain = beam.gain * beam.gain;
    // (41)-(43)
    let entry = |a: f64, b: f64, slopes: f64| {
        kappa * strength * (communication * (nr * a / nt + b) + sensing * (gain * b + nr * slopes) / nt)
    };
    let mut theta = entry(a.azimuth, b.azimuth, beam.azimuth * beam.azimuth);
    let mut cross = entry(a.cross, b.cross, beam.azimuth * beam.elevation);
    let mut phi = entry(a.elevation, b.elevation, beam.elevation * beam.elevation);
    // (44), and (45) with or without alpha*: per unit of the two slopes.
    let reflection = kappa * nr * (communication + sensing * gain / nt);
    let slope = kappa * sensing * nr * beam.gain / nt;
    let taken = if slips.conjugate { 1.0 } else { strength } * slope * slope / reflection;
    if taken.is_finite() {
        phi -= taken * beam.elevation * beam.elevation;
        if !slips.elimination {
            theta -= taken * beam.azimuth * beam.azimuth;
            cross -= taken * beam.azimuth * beam.elevation;
        }
    }
    // (39), (40)
    let value = |own: f64, other: f64| 1.0 / (own - cross * cross / other);
    [value(theta, phi), value(phi, theta)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Streams;
    use crate::scenario::Scenario;
    use crate::scenarios::monostatic::{Instance, MonostaticConfig};

    fn system(change: impl Fn(&mut Instance)) -> System {
        let model = MonostaticConfig::default().draw(&Streams::new(1, "monostatic", 0)).unwrap();
        let mut instance = Instance::from_json(&crate::SystemModel::instance(model.as_ref())).unwrap();
        let side = |n| Array { horizontal: n, vertical: n };
        (instance.transmit_array, instance.receive_array) = (side(5), side(5));
        instance.precoder = Precoder::Mrt;
        change(&mut instance);
        System::new(instance)
    }

    fn misaligned(degrees: f64) -> System {
        system(|instance| {
            let (target, offset) = (instance.target_direction, degrees.to_radians());
            let beam = Pointing { azimuth: target.azimuth + offset, elevation: target.elevation + offset };
            instance.sensing_beam_direction = Some(beam);
        })
    }

    fn ratios(system: &System, share: f64, conjugate: bool) -> [f64; 2] {
        let right = system.sensing.crlb(1.0 - share, share);
        let printed = crlb(system, 1.0 - share, share, Slips { elimination: true, conjugate, norms: false });
        [printed[0] / right[0], printed[1] / right[1]]
    }

    /// The deviations were found apart from this code, against a numerical 4 x 4 Fisher matrix.
    #[test]
    fn the_print_is_off_by_what_was_found_apart_from_this_code() {
        for (sides, angles, right, printed) in [
            ((4, 7), (0.3, 1.1), 884.168, 233.64),
            ((6, 3), (0.0, 0.2), 4.67, 113.8),
            ((3, 9), (0.0, PI / 2.0), 1776.5, 0.0),
        ] {
            let array = Array { horizontal: sides.0, vertical: sides.1 };
            let target = Pointing { azimuth: angles.0, elevation: angles.1 };
            assert!((array.derivative_gram(target).elevation / right - 1.0).abs() < 1e-3);
            assert!((printed_norm(array, target) - printed).abs() < 1e-3 * printed + 1e-20);
        }
        for (degrees, share, theta, phi, digits) in [
            (2.0, 0.5, 0.9955, 1.014, 6e-4),
            (5.0, 0.5, 0.988, 1.112, 6e-4),
            (10.0, 0.5, 1.344, 2.052, 6e-4),
            (10.0, 0.9, 1.85, 3.18, 6e-3),
        ] {
            let [t, p] = ratios(&misaligned(degrees), share, false);
            assert!((t - theta).abs() < digits && (p - phi).abs() < digits, "{degrees}: {t} {p}");
        }
        for (degrees, phi) in [(1.0, -0.267), (2.0, -0.055)] {
            let [_, p] = ratios(&misaligned(degrees), 0.5, true);
            assert!((p - phi).abs() < 6e-4, "{degrees}: {p}");
        }
    }

    #[test]
    fn only_what_differs_is_shown() {
        let even = |system: &System| vec![1.0; system.users.users()];
        let names = |system: &System| {
            figures(system, &even(system), 3.0).iter().map(|f| (f.metric, f.correction)).collect::<Vec<_>>()
        };
        let distinct = |instance: &mut Instance| {
            instance.pilot_length = 20;
            instance.pilot_index = (0..instance.users() as u64).collect();
        };
        // Aligned, at phi = pi/4, no pilot reused: the print is right.
        assert_eq!(names(&system(distinct)), []);
        let reuse = names(&system(|_| {}));
        assert_eq!(reuse, [("sinr", REUSE), ("sum_rate", REUSE), ("rate", REUSE)]);
        let elsewhere = names(&system(|instance| {
            distinct(instance);
            instance.target_direction.elevation = 1.0;
        }));
        assert_eq!(elsewhere, [("crlb_azimuth", NORMS), ("crlb_elevation", NORMS)]);
        let beam = names(&misaligned(3.0));
        assert!(beam.contains(&("crlb_elevation", CONJUGATE)) && beam.contains(&("crlb_azimuth", ELIMINATION)));
        assert!(!beam.iter().any(|(_, c)| *c == NORMS || *c == TOGETHER), "{beam:?}");
    }

    #[test]
    fn without_reuse_the_printed_sinr_is_the_right_one() {
        for precoder in [Precoder::Mrt, Precoder::Zf] {
            let system = system(|instance| {
                instance.precoder = precoder;
                instance.pilot_length = 20;
                instance.pilot_index = (0..instance.users() as u64).collect();
            });
            let power: Vec<f64> = (0..system.users.users()).map(|k| 0.1 + k as f64).collect();
            let mut right = power.clone();
            system.users.sinr(&power, 2.0, &mut vec![0.0; power.len()], &mut right);
            let printed = sinr(&system, &power, 2.0);
            assert!(printed.iter().zip(&right).all(|(a, b)| (a / b - 1.0).abs() < 1e-12));
        }
    }
}
