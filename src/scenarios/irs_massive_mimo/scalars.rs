//! The five numbers through which the IRS phases enter every rate, where all statistics follow the formulas.

use num_complex::Complex;

use super::system::System;

/// With `B = Theta R_I Theta^H`:
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scalars<T = f64> {
    /// `h = a_I^H B a_I`, 0 or more.
    pub los: T,
    /// `t = Tr(R_I B)`, 0 or more.
    pub scatter: T,
    /// `h2 = a_I^H B R_I B a_I`, 0 or more.
    pub los_scatter: T,
    /// `t2 = Tr((R_I B)²)`, 0 or more.
    pub scatter_squared: T,
    /// `s = a_I^H Theta q`, real and imaginary part.
    pub sensing: [T; 2],
}

/// Scratch for [`Scalars::of`].
#[derive(Clone, Debug)]
pub struct Scratch {
    theta: Vec<Complex<f64>>,
    x: Vec<Complex<f64>>,
    y: Vec<Complex<f64>>,
    z: Vec<Complex<f64>>,
}

impl Scratch {
    /// For N elements.
    pub fn new(elements: usize) -> Self {
        let zeros = || vec![Complex::default(); elements];
        Self { theta: zeros(), x: zeros(), y: zeros(), z: zeros() }
    }
}

impl Scalars {
    /// The numbers of a phase vector. `O(N²)` (large arrays: `O(N log N)`), and `O(N³)` with `rates` (for `t2`); without, `h2` and `t2` stay 0.
    pub fn of(system: &System, phases: &[f64], rates: bool, work: &mut Scratch) -> Self {
        system.reflection(phases, &mut work.theta);
        let (theta, a) = (&work.theta, &system.irs_steering);
        let sensing: Complex<f64> =
            a.iter().zip(theta).zip(&system.irs_target).map(|((a, t), q)| a.conj() * t * q).sum();
        // z = Theta^H a_I, so that h = z^H R_I z and B a_I = Theta R_I z.
        work.x.iter_mut().zip(a).zip(theta).for_each(|((x, a), t)| *x = t.conj() * a);
        system.irs.apply(&work.x, &mut work.y);
        let los = work.x.iter().zip(&work.y).map(|(z, r)| (z.conj() * r).re).sum::<f64>().max(0.0);
        let scatter = system.irs.second_moment(theta, &mut work.z).max(0.0);
        let (mut los_scatter, mut scatter_squared) = (0.0, 0.0);
        if rates {
            work.x.iter_mut().zip(&work.y).zip(theta).for_each(|((x, r), t)| *x = t * r);
            system.irs.apply(&work.x, &mut work.y);
            los_scatter = work.x.iter().zip(&work.y).map(|(z, r)| (z.conj() * r).re).sum::<f64>().max(0.0);
            scatter_squared = system.irs.fourth_moment(theta).max(0.0);
        }
        Self { los, scatter, los_scatter, scatter_squared, sensing: [sensing.re, sensing.im] }
    }
}
