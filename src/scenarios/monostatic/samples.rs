//! Random systems and designs for the unit tests of this folder.

use num_complex::Complex;

use super::{Array, Instance, Pointing, Precoder};
use crate::design::Design;
use crate::math::RandomStream;

/// A random system: sizes, arrays, precoder, shared pilots and a misaligned beam where asked for.
pub fn instance(stream: &mut RandomStream, reuse: bool, misaligned: bool) -> Instance {
    let mut whole = |from: usize, to: usize| from + (stream.uniform() * (to - from + 1) as f64) as usize;
    let users = whole(2, 6);
    let pilots = if reuse { users.div_ceil(2) } else { users };
    let transmit_array = Array { horizontal: whole(2, 6), vertical: whole(3, 7) };
    let receive_array = Array { horizontal: whole(2, 4), vertical: whole(2, 5) };
    let precoder = if transmit_array.len() > pilots && whole(0, 1) == 0 { Precoder::Zf } else { Precoder::Mrt };
    let target_direction = Pointing { azimuth: stream.uniform() - 0.5, elevation: 0.3 + 0.8 * stream.uniform() };
    let off = |x: f64, d: f64| x + 0.2 * (d - 0.5);
    let beam = Pointing {
        azimuth: off(target_direction.azimuth, stream.uniform()),
        elevation: off(target_direction.elevation, stream.uniform()),
    };
    Instance {
        precoder,
        transmit_array,
        receive_array,
        large_scale_fading: (0..users).map(|_| 10f64.powf(-3.0 * stream.uniform())).collect(),
        pilot_index: (0..users as u64).map(|k| k % pilots as u64).collect(),
        pilot_length: pilots as u64,
        coherence_length: 100,
        frame_length: 30,
        pilot_power: 100.0,
        communication_noise_power: 1.0,
        sensing_noise_power: 1.0,
        target_reflection: Complex::new(0.05 * stream.normal(), 0.05),
        target_direction,
        sensing_beam_direction: misaligned.then_some(beam),
        transmit_power: 10f64.powf(2.0 * stream.uniform()),
        crlb_azimuth_limit: None,
        crlb_elevation_limit: None,
        user_weights: Some((0..users).map(|k| [1.0, 0.0, 2.5][k % 3]).collect()),
    }
}

/// A random design of positive powers with a given total.
pub fn design(stream: &mut RandomStream, users: usize, total: f64) -> Design {
    let mut design = Design::new((0..=users).map(|_| 1e-3 + stream.uniform().powi(3)).collect());
    let sum: f64 = design.iter().sum();
    design.iter_mut().for_each(|x| *x *= total / sum);
    design
}
