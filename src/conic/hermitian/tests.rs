//! Random programs with known optima, in raw and in normal units.

use super::dense::{Matrix, inner};
use super::*;
use crate::conic::{Sense, Status};
use crate::math::RandomStream;

fn vector(n: usize, stream: &mut RandomStream) -> Vec<C> {
    (0..n).map(|_| stream.complex_normal(1.0)).collect()
}

fn hermitian(n: usize, stream: &mut RandomStream) -> Matrix {
    let f = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
    &f + f.adjoint()
}

/// A program that the method on complex blocks is to solve alone.
fn native(sense: Sense) -> HermitianProgram {
    let mut program = HermitianProgram::new(sense);
    program.set_settings(HermitianSettings { method: Method::Native, ..HermitianSettings::default() });
    program
}

fn stream(entity: u64) -> RandomStream {
    RandomStream::keyed(1, "test", "hermitian", entity, 0)
}

/// The relaxation of `max phi^H C phi` over unit-modulus entries.
fn diagonal(c: &Matrix) -> (HermitianProgram, HermitianVariable) {
    let n = c.nrows();
    let mut program = native(Sense::Maximize);
    let x = program.matrix(n);
    program.trace_at_most(x, n as f64);
    program.objective(x.inner(c));
    (0..n).for_each(|i| {
        program.equal(x.entry(i, i), 1.0);
    });
    (program, x)
}

#[test]
fn the_diagonal_relaxation_closes_its_verified_gap() {
    for n in [2, 8, 16, 40] {
        let (program, x) = diagonal(&hermitian(n, &mut stream(n as u64)));
        let solution = program.solve();
        assert_eq!(solution.status, Status::Solved, "{n}");
        let (bound, value) = (program.bound(&solution.dual), solution.objective);
        assert!(bound >= value - 1e-7 * value.abs());
        assert!(bound - value < 2e-7 * value.abs(), "{n}: {bound} {value}");
        assert!((0..n).all(|i| (solution.matrix(x)[(i, i)].re - 1.0).abs() < 1e-7));
    }
}

/// A program whose optimum is known because it is built from a complementary pair: two blocks, scalars, and rows of
/// every kind. `units` multiplies the data of blocks, scalars and rows by wild powers of ten.
fn built(seed: u64, units: bool) -> (HermitianProgram, f64) {
    let mut stream = stream(100 + seed);
    let sizes = [3 + (seed % 4) as usize, 5];
    let unit = |stream: &mut RandomStream| if units { 10.0_f64.powf(12.0 * (stream.uniform() - 0.5)) } else { 1.0 };
    // X and S share eigenvectors; where one has an eigenvalue the other has none.
    let pair = |n: usize, stream: &mut RandomStream| {
        let (mut x, mut s) = (Matrix::zeros(n, n), Matrix::zeros(n, n));
        let basis = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0)).qr().q();
        for k in 0..n {
            let v = basis.column(k);
            let outer = v * v.adjoint() * C::new(0.5 + stream.uniform(), 0.0);
            if k < n / 2 { x += outer } else { s += outer }
        }
        (x, s)
    };
    let pairs: Vec<(Matrix, Matrix)> = sizes.iter().map(|n| pair(*n, &mut stream)).collect();
    let block_unit: Vec<f64> = sizes.iter().map(|_| unit(&mut stream)).collect();
    let scalar_pairs = [(1.5, 0.0), (0.0, 0.7), (0.3, 0.0)];
    let mut program = native(Sense::Minimize);
    let blocks: Vec<HermitianVariable> = sizes.iter().map(|n| program.matrix(*n)).collect();
    let scalars: Vec<ScalarVariable> = scalar_pairs.iter().map(|_| program.scalar()).collect();
    for ((block, (x, _)), unit) in blocks.iter().zip(&pairs).zip(&block_unit) {
        program.trace_at_most(*block, 2.0 * x.trace().re / unit);
    }
    scalars.iter().for_each(|s| program.scalar_at_most(*s, 4.0));
    let mut cost: Vec<Matrix> = pairs.iter().map(|(_, s)| s.clone()).collect();
    let mut scalar_cost: Vec<f64> = scalar_pairs.iter().map(|(_, s)| *s).collect();
    let mut optimum = 0.0;
    for row in 0..9 {
        let row_unit = unit(&mut stream);
        let y = stream.normal();
        let mut expression = ComplexExpression::from(0.0);
        let mut value = 0.0;
        for (b, block) in blocks.iter().enumerate() {
            let n = sizes[b];
            let (a, term) = match (row + b) % 4 {
                0 => {
                    let g = vector(n, &mut stream);
                    let v = nalgebra::DVector::from_vec(g.clone());
                    (&v * v.adjoint(), block.quadratic(&g))
                }
                1 => {
                    let a = hermitian(n, &mut stream);
                    (a.clone(), block.inner(&a))
                }
                2 => {
                    let (g, h) = (vector(n, &mut stream), vector(n, &mut stream));
                    let (v, w) = (nalgebra::DVector::from_vec(g.clone()), nalgebra::DVector::from_vec(h.clone()));
                    let a = (&w * v.adjoint() + &v * w.adjoint()) * C::new(0.5, 0.0);
                    (a, block.form(&g, &h))
                }
                _ => (Matrix::identity(n, n), block.trace()),
            };
            value += inner(&a, &pairs[b].0);
            cost[b] += &a * C::new(y, 0.0);
            expression += term * (row_unit * block_unit[b]);
        }
        for (j, scalar) in scalars.iter().enumerate() {
            let a = stream.normal();
            value += a * scalar_pairs[j].0;
            scalar_cost[j] += y * a;
            expression += ComplexExpression::from(*scalar) * (a * row_unit);
        }
        optimum += y * value;
        program.equal(expression, value * row_unit);
    }
    let cost_unit = unit(&mut stream);
    let mut objective = ComplexExpression::from(0.25 * cost_unit);
    for (b, block) in blocks.iter().enumerate() {
        objective += block.inner(&cost[b]) * (cost_unit * block_unit[b]);
    }
    for (j, scalar) in scalars.iter().enumerate() {
        objective += ComplexExpression::from(*scalar) * (cost_unit * scalar_cost[j]);
    }
    program.objective(objective);
    (program, cost_unit * (optimum + 0.25))
}

#[test]
fn optima_built_from_complementary_pairs_are_found_in_any_units() {
    for seed in 0..20 {
        for units in [false, true] {
            let (program, optimum) = built(seed, units);
            let solution = program.solve();
            assert_eq!(solution.status, Status::Solved, "{seed} {units}");
            let scale = optimum.abs().max(1e-2 * solution.objective.abs());
            let error = (solution.objective - optimum).abs() / scale;
            assert!(error < 1e-6, "{seed} {units}: {} {optimum}", solution.objective);
            let bound = program.bound(&solution.dual);
            assert!(bound <= optimum + 1e-9 * scale, "{seed} {units}: {bound} above {optimum}");
            assert!(bound >= optimum - 1e-5 * scale, "{seed} {units}: {bound} below {optimum}");
        }
    }
}

/// Least power for SINR floors by beams `W_k`, channels `g_k`, in given units of power gain and noise.
fn beamforming(users: usize, n: usize, gain: f64, noise: f64, budget: Option<f64>) -> (HermitianProgram, f64) {
    let mut stream = stream(7);
    let (normal, floor) = ((0..users).map(|_| vector(n, &mut stream)).collect::<Vec<_>>(), 3.0);
    let g: Vec<Vec<C>> = normal.iter().map(|g| g.iter().map(|x| x * gain.sqrt()).collect()).collect();
    let mut program = native(Sense::Minimize);
    let beams: Vec<HermitianVariable> = (0..users).map(|_| program.matrix(n)).collect();
    let power = beams.iter().fold(ComplexExpression::from(0.0), |sum, w| sum + w.trace());
    for (k, g) in g.iter().enumerate() {
        let each = |j: usize| beams[j].quadratic(g) * if j == k { 1.0 / floor } else { -1.0 };
        program.at_least((0..users).map(each).fold(ComplexExpression::from(0.0), |sum, x| sum + x), noise);
    }
    if let Some(budget) = budget {
        beams.iter().for_each(|w| program.trace_at_most(*w, budget));
        program.at_most(power.clone(), budget);
    }
    program.objective(power);
    // The uplink's fixed point: lambda_k (1 + 1 / floor) g_k^H (I + sum lambda_j g_j g_j^H)^-1 g_k = 1.
    let mut lambda = vec![0.0; users];
    for _ in 0..2000 {
        let mut sum = Matrix::identity(n, n);
        for (g, l) in normal.iter().zip(&lambda) {
            let v = nalgebra::DVector::from_vec(g.clone());
            sum += &v * v.adjoint() * C::new(*l, 0.0);
        }
        let inverse = sum.try_inverse().unwrap();
        for (g, l) in normal.iter().zip(&mut lambda) {
            let v = nalgebra::DVector::from_vec(g.clone());
            *l = 1.0 / ((1.0 + 1.0 / floor) * (v.adjoint() * &inverse * &v)[(0, 0)].re);
        }
    }
    (program, lambda.iter().sum::<f64>() * noise / gain)
}

#[test]
fn least_power_agrees_with_the_uplink_in_watts_and_in_normal_units() {
    for (gain, noise) in [(1.0, 1.0), (1e-13, 4e-15), (1e-7, 1e-15)] {
        let (program, power) = beamforming(4, 6, gain, noise, None);
        let solution = program.solve();
        assert_eq!(solution.status, Status::Solved);
        assert!((solution.objective / power - 1.0).abs() < 1e-6, "{} {power}", solution.objective);
    }
}

#[test]
fn infeasible_floors_are_proved() {
    for (gain, noise) in [(1.0, 1.0), (1e-13, 4e-15)] {
        let (_, power) = beamforming(4, 6, gain, noise, None);
        for share in [0.1, 0.9, 0.999] {
            let (program, _) = beamforming(4, 6, gain, noise, Some(share * power));
            let solution = program.solve();
            assert_eq!(
                solution.status,
                Status::Infeasible,
                "{gain} {share} {:?} {}",
                solution.status,
                solution.iterations
            );
            assert!(program.proves_infeasible(&solution.dual));
        }
        let (program, _) = beamforming(4, 6, gain, noise, Some(1.001 * power));
        assert_eq!(program.solve().status, Status::Solved);
        // More users than antennas: no power suffices, and no limit is stated.
        let (program, _) = beamforming(8, 2, gain, noise, None);
        assert_eq!(program.solve().status, Status::Infeasible);
    }
}

#[test]
fn unbounded_objectives_are_noticed() {
    let mut program = native(Sense::Maximize);
    let x = program.matrix(3);
    program.at_least(x.trace(), 1.0);
    program.objective(x.entry(0, 0) - x.entry(1, 1));
    assert_eq!(program.solve().status, Status::Unbounded);
}

#[test]
fn schur_complements_give_the_quadratic_over_linear_function() {
    // min over tr X = 1 of |a^H X b|^2 / (a^H X a) - 2 Re(a^H X b) + b^H X b = (b - s a)^H X (b - s a) at the best s:
    // 0 for X on the complement of b - s a; with X = I / 2 fixed it is the residual of a regression.
    let mut stream = stream(9);
    let (a, b) = (vector(2, &mut stream), vector(2, &mut stream));
    let mut program = native(Sense::Minimize);
    let x = program.matrix(2);
    program.equal(x.entry(0, 0), 0.5);
    program.equal(x.entry(1, 1), 0.5);
    program.equal(x.entry(0, 1), 0.0);
    program.equal(x.entry(0, 1) * C::new(0.0, 1.0), 0.0);
    let y = program.schur(x.quadratic(&a), x.form(&a, &b));
    program.objective(y.entry(1, 1));
    let dot: C = a.iter().zip(&b).map(|(a, b)| a.conj() * b).sum();
    let expected = 0.5 * dot.norm_sqr() / a.iter().map(|a| a.norm_sqr()).sum::<f64>();
    let solution = program.solve();
    // Its only feasible X lies on no face, but no interior in Y's corner is needed either.
    assert!((solution.objective - expected).abs() < 1e-6 * expected, "{} {expected}", solution.objective);
}
