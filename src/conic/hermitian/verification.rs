//! Random programs checked from their data alone: feasibility of both sides, the gap, certificates of both kinds; and the
//! method on complex blocks against Clarabel on real ones.

use super::dense::{Matrix, inner};
use super::*;
use crate::conic::{Sense, Status};
use crate::math::RandomStream;

/// A program as plain matrices: minimize `sum <C_b, X_b> + c'x + d'f` under rows with sides (`>=` 1, `<=` -1, `=` 0).
struct Plain {
    sizes: Vec<usize>,
    /// By row, then by block.
    rows: Vec<Vec<Matrix>>,
    scalar_rows: Vec<Vec<f64>>,
    free_rows: Vec<Vec<f64>>,
    sides: Vec<i8>,
    right: Vec<f64>,
    cost: Vec<Matrix>,
    scalar_cost: Vec<f64>,
    free_cost: Vec<f64>,
}

fn outer(v: &[C]) -> Matrix {
    Matrix::from_fn(v.len(), v.len(), |i, j| v[i] * v[j].conj())
}

fn hermitian(n: usize, stream: &mut RandomStream) -> Matrix {
    let f = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0));
    (&f + f.adjoint()) * C::new(0.5, 0.0)
}

/// Definite, with eigenvalues down to `least`.
fn definite(n: usize, least: f64, stream: &mut RandomStream) -> Matrix {
    let basis = Matrix::from_fn(n, n, |_, _| stream.complex_normal(1.0)).qr().q();
    let values: Vec<f64> = (0..n).map(|k| if k % 2 == 0 { 1.0 + stream.uniform() } else { least }).collect();
    let scaled = Matrix::from_fn(n, n, |i, j| basis[(i, j)] * values[j]);
    scaled * basis.adjoint()
}

impl Plain {
    /// Rows without right sides and cost.
    fn rows(sizes: &[usize], count: usize, scalars: usize, free: usize, stream: &mut RandomStream) -> Self {
        let row = |i: usize, stream: &mut RandomStream| -> Vec<Matrix> {
            let each = sizes.iter().enumerate().map(|(b, n)| match (i + b) % 4 {
                0 => outer(&(0..*n).map(|_| stream.complex_normal(1.0)).collect::<Vec<_>>()),
                1 => hermitian(*n, stream),
                2 => Matrix::from_fn(*n, *n, |r, c| C::new(if r == c && r == i % n { 1.0 } else { 0.0 }, 0.0)),
                _ => Matrix::zeros(*n, *n),
            });
            each.collect()
        };
        Self {
            sizes: sizes.to_vec(),
            rows: (0..count).map(|i| row(i, stream)).collect(),
            scalar_rows: (0..count).map(|_| (0..scalars).map(|_| stream.normal()).collect()).collect(),
            free_rows: (0..count).map(|_| (0..free).map(|_| stream.normal()).collect()).collect(),
            sides: (0..count).map(|i| [0, 1, 0, -1, 0][i % 5]).collect(),
            right: vec![0.0; count],
            cost: sizes.iter().map(|n| Matrix::zeros(*n, *n)).collect(),
            scalar_cost: vec![0.0; scalars],
            free_cost: vec![0.0; free],
        }
    }

    /// Strictly feasible on both sides, with eigenvalues down to `least`.
    fn feasible(mut self, least: f64, stream: &mut RandomStream) -> Self {
        let x: Vec<Matrix> = self.sizes.iter().map(|n| definite(*n, least, stream)).collect();
        let scalars: Vec<f64> = self.scalar_cost.iter().map(|_| least + stream.uniform()).collect();
        let free: Vec<f64> = self.free_cost.iter().map(|_| stream.normal()).collect();
        self.cost = self.sizes.iter().map(|n| definite(*n, least, stream)).collect();
        self.scalar_cost.iter_mut().for_each(|c| *c = least + stream.uniform());
        for i in 0..self.rows.len() {
            let slack = f64::from(self.sides[i]) * (least + stream.uniform());
            self.right[i] = self.value(i, &x, &scalars, &free) - slack;
            let y = match self.sides[i] {
                0 => stream.normal(),
                side => f64::from(side) * (least + stream.uniform()),
            };
            self.cost.iter_mut().zip(&self.rows[i]).for_each(|(c, a)| *c += a * C::new(y, 0.0));
            self.scalar_cost.iter_mut().zip(&self.scalar_rows[i]).for_each(|(c, a)| *c += a * y);
            self.free_cost.iter_mut().zip(&self.free_rows[i]).for_each(|(c, a)| *c += a * y);
        }
        self
    }

    fn value(&self, row: usize, x: &[Matrix], scalars: &[f64], free: &[f64]) -> f64 {
        let sum = |a: &[f64], x: &[f64]| a.iter().zip(x).map(|(a, x)| a * x).sum::<f64>();
        self.rows[row].iter().zip(x).map(|(a, x)| inner(a, x)).sum::<f64>()
            + sum(&self.scalar_rows[row], scalars)
            + sum(&self.free_rows[row], free)
    }

    /// `sum_i y_i A_i` of a block, of the scalars and of the free variables.
    fn combination(&self, y: &[f64]) -> (Vec<Matrix>, Vec<f64>, Vec<f64>) {
        let mut blocks: Vec<Matrix> = self.sizes.iter().map(|n| Matrix::zeros(*n, *n)).collect();
        let (mut scalars, mut free) = (vec![0.0; self.scalar_cost.len()], vec![0.0; self.free_cost.len()]);
        for (i, y) in y.iter().enumerate() {
            blocks.iter_mut().zip(&self.rows[i]).for_each(|(s, a)| *s += a * C::new(*y, 0.0));
            scalars.iter_mut().zip(&self.scalar_rows[i]).for_each(|(s, a)| *s += a * y);
            free.iter_mut().zip(&self.free_rows[i]).for_each(|(s, a)| *s += a * y);
        }
        (blocks, scalars, free)
    }

    /// With blocks, rows and cost in units of their own.
    fn program(&self, unit: &dyn Fn(usize) -> f64) -> (HermitianProgram, Vec<HermitianVariable>, Vec<ScalarVariable>) {
        let mut program = HermitianProgram::new(Sense::Minimize);
        let blocks: Vec<HermitianVariable> = self.sizes.iter().map(|n| program.matrix(*n)).collect();
        let scalars = self.scalar_cost.iter().map(|_| program.scalar()).collect::<Vec<_>>();
        let free = self.free_cost.iter().map(|_| program.free_scalar()).collect::<Vec<_>>();
        let all: Vec<ScalarVariable> = scalars.iter().chain(&free).copied().collect();
        let sum = |matrices: &[Matrix], a: &[f64], b: &[f64], factor: f64| {
            let mut sum = ComplexExpression::from(0.0);
            for ((x, a), at) in blocks.iter().zip(matrices).zip(0..) {
                if a.norm() > 0.0 {
                    sum += x.inner(a) * (factor * unit(at));
                }
            }
            for (x, a) in all.iter().zip(a.iter().chain(b)) {
                sum += ComplexExpression::from(*x) * (factor * a);
            }
            sum
        };
        for (i, row) in self.rows.iter().enumerate() {
            let factor = unit(100 + i);
            let row = sum(row, &self.scalar_rows[i], &self.free_rows[i], factor);
            match self.sides[i] {
                0 => program.equal(row, self.right[i] * factor),
                1 => program.at_least(row, self.right[i] * factor),
                _ => program.at_most(row, self.right[i] * factor),
            };
        }
        program.objective(sum(&self.cost, &self.scalar_cost, &self.free_cost, 1.0));
        (program, blocks, all)
    }
}

const METHODS: [Method; 2] = [Method::Native, Method::Clarabel];

fn solved(program: &mut HermitianProgram, method: Method) -> HermitianSolution {
    program.set_settings(HermitianSettings { method, ..HermitianSettings::default() });
    program.solve()
}

fn stream(entity: u64) -> RandomStream {
    RandomStream::keyed(3, "test", "verification", entity, 0)
}

fn least_eigenvalue(a: &Matrix) -> f64 {
    a.symmetric_eigenvalues().min()
}

#[test]
fn random_programs_are_feasible_on_both_sides_without_gap() {
    for seed in 0..36_u64 {
        let mut stream = stream(seed);
        let sizes: &[usize] = [&[4][..], &[3, 5], &[2, 1, 6], &[18, 3]][(seed % 4) as usize];
        let free = (seed % 3) as usize;
        let least = if seed % 9 == 8 { 1e-4 } else { 0.3 };
        let plain = Plain::rows(sizes, 8, 3, free, &mut stream).feasible(least, &mut stream);
        let units: Vec<f64> = (0..200).map(|_| 10.0_f64.powf(8.0 * stream.uniform() - 4.0)).collect();
        let unit = |at: usize| if seed % 2 == 1 { units[at] } else { 1.0 };
        let (mut program, blocks, scalars) = plain.program(&unit);
        let solution = solved(&mut program, Method::Native);
        assert!(solution.status.has_optimum(), "{seed}: {:?} gap {:e}", solution.status, solution.gap);
        // Back in plain units.
        let x: Vec<Matrix> =
            blocks.iter().enumerate().map(|(b, x)| solution.matrix(*x) * C::new(unit(b), 0.0)).collect();
        let all: Vec<f64> = scalars.iter().map(|s| solution.scalar(*s)).collect();
        let (bounded, free) = all.split_at(plain.scalar_cost.len());
        let y: Vec<f64> = solution.dual.iter().enumerate().map(|(i, y)| y * unit(100 + i)).collect();
        let size = 1.0 + x.iter().map(|x| x.norm()).fold(0.0, f64::max);
        assert!(x.iter().all(|x| least_eigenvalue(x) > -1e-7 * size) && bounded.iter().all(|x| *x > -1e-7), "{seed}");
        for (i, y) in y.iter().enumerate() {
            let (missed, side) = (plain.value(i, &x, bounded, free) - plain.right[i], f64::from(plain.sides[i]));
            let missed = if side == 0.0 { missed.abs() } else { (-side * missed).max(0.0) };
            assert!(missed < 1e-6 * size, "{seed} row {i}: {missed}");
            assert!(side == 0.0 || side * y > -1e-7, "{seed} multiplier {i}: {y}");
        }
        let (combined, of_scalars, of_free) = plain.combination(&y);
        let price = 1.0 + plain.cost.iter().map(|c| c.norm()).fold(0.0, f64::max);
        for (cost, a) in plain.cost.iter().zip(&combined) {
            assert!(least_eigenvalue(&(cost - a)) > -1e-6 * price, "{seed}");
        }
        assert!(plain.scalar_cost.iter().zip(&of_scalars).all(|(c, a)| c - a > -1e-6 * price), "{seed}");
        assert!(plain.free_cost.iter().zip(&of_free).all(|(c, a)| (c - a).abs() < 1e-6 * price), "{seed}");
        let primal = plain.cost.iter().zip(&x).map(|(c, x)| inner(c, x)).sum::<f64>()
            + plain.scalar_cost.iter().zip(bounded).map(|(c, x)| c * x).sum::<f64>()
            + plain.free_cost.iter().zip(free).map(|(c, x)| c * x).sum::<f64>();
        let dual: f64 = plain.right.iter().zip(&y).map(|(b, y)| b * y).sum();
        assert!((primal - dual).abs() < 1e-6 * (1.0 + primal.abs()) * size, "{seed}: {primal} {dual}");
    }
}

#[test]
fn certificates_of_infeasibility_hold_in_plain_arithmetic() {
    for seed in 0..12 {
        let mut stream = stream(100 + seed);
        let mut plain = Plain::rows(&[3, 4], 6, 2, 0, &mut stream).feasible(0.3, &mut stream);
        // The last row says that a combination of all is positive, though it is negative on the cone.
        let (last, mut y) = (plain.rows.len() - 1, vec![0.0; plain.rows.len()]);
        for (y, side) in y.iter_mut().zip(&plain.sides).take(last) {
            *y = if *side == 0 { stream.normal() } else { f64::from(*side) * stream.uniform() };
        }
        let (blocks, scalars, _) = plain.combination(&y);
        plain.sides[last] = 0;
        plain.rows[last] = blocks.iter().map(|a| -a - definite(a.nrows(), 0.3, &mut stream)).collect();
        plain.scalar_rows[last] = scalars.iter().map(|a| -a - 0.5).collect();
        plain.right[last] = 0.1 - y.iter().zip(&plain.right).map(|(y, b)| y * b).sum::<f64>();
        let (mut program, ..) = plain.program(&|_| 1.0);
        for method in METHODS {
            let solution = solved(&mut program, method);
            assert_eq!(solution.status, Status::Infeasible, "{seed} {method:?}");
            let y = &solution.dual;
            let (combined, scalars, _) = plain.combination(y);
            let size = combined.iter().map(|a| a.norm()).fold(0.0, f64::max);
            assert!(combined.iter().all(|a| least_eigenvalue(&-a) > -1e-7 * size), "{seed} {method:?}");
            assert!(scalars.iter().all(|a| *a < 1e-7 * size), "{seed} {method:?}");
            let signs = plain.sides.iter().zip(y).all(|(side, y)| f64::from(*side) * y > -1e-7 * size);
            assert!(signs, "{seed} {method:?}");
            assert!(plain.right.iter().zip(y).map(|(b, y)| b * y).sum::<f64>() > 0.0, "{seed} {method:?}");
        }
    }
}

#[test]
fn rays_of_unbounded_programs_hold_in_plain_arithmetic() {
    for seed in 0..12 {
        let mut stream = stream(200 + seed);
        let mut plain = Plain::rows(&[3, 4], 5, 0, (seed % 2) as usize, &mut stream);
        // A ray of all rows, along which the cost falls.
        let ray: Vec<Matrix> = plain.sizes.iter().map(|n| definite(*n, 0.3, &mut stream)).collect();
        let squared: f64 = ray.iter().map(|d| d.norm_squared()).sum();
        let along = |a: &[Matrix]| a.iter().zip(&ray).map(|(a, d)| inner(a, d)).sum::<f64>() / squared;
        for row in &mut plain.rows {
            let share = along(row);
            row.iter_mut().zip(&ray).for_each(|(a, d)| *a -= d * C::new(share, 0.0));
        }
        let mut plain = plain.feasible(0.3, &mut stream);
        let share = along(&plain.cost) + 0.2;
        plain.cost.iter_mut().zip(&ray).for_each(|(c, d)| *c -= d * C::new(share, 0.0));
        let (mut program, blocks, scalars) = plain.program(&|_| 1.0);
        for method in METHODS {
            let solution = solved(&mut program, method);
            assert_eq!(solution.status, Status::Unbounded, "{seed} {method:?} {:e}", solution.objective);
            let x: Vec<Matrix> = blocks.iter().map(|x| solution.matrix(*x).clone()).collect();
            let free: Vec<f64> = scalars.iter().map(|s| solution.scalar(*s)).collect();
            let size = x.iter().map(|x| x.norm()).fold(0.0, f64::max);
            assert!(x.iter().all(|x| least_eigenvalue(x) > -1e-9 * size), "{seed} {method:?}");
            for i in 0..plain.rows.len() {
                let value = plain.value(i, &x, &[], &free);
                let missed = if plain.sides[i] == 0 { value.abs() } else { -f64::from(plain.sides[i]) * value };
                assert!(missed < 1e-5 * size, "{seed} {method:?} row {i}: {missed} {size}");
            }
            let fall = plain.cost.iter().zip(&x).map(|(c, x)| inner(c, x)).sum::<f64>()
                + plain.free_cost.iter().zip(&free).map(|(c, x)| c * x).sum::<f64>();
            assert!(fall < -1e-3 * size, "{seed} {method:?}: {fall} {size}");
        }
    }
}

#[test]
fn clarabel_finds_the_same_optima_and_bounds() {
    for seed in 0..32_u64 {
        let mut stream = stream(300 + seed);
        // The last is large enough for the other factorisation.
        let at = if seed == 31 { 4 } else { seed as usize % 4 };
        let sizes: &[usize] = [&[4][..], &[3, 5], &[2, 1, 6], &[2, 2, 2], &[17, 3]][at];
        let plain = Plain::rows(sizes, 7, 2, (seed % 3) as usize, &mut stream).feasible(0.2, &mut stream);
        let units: Vec<f64> = (0..200).map(|_| 10.0_f64.powf(8.0 * stream.uniform() - 4.0)).collect();
        let unit = |at: usize| if seed % 2 == 1 { units[at] } else { 1.0 };
        let (mut program, blocks, scalars) = plain.program(&unit);
        let ours = solved(&mut program, Method::Native);
        let theirs = solved(&mut program, Method::Clarabel);
        assert_eq!(ours.status, Status::Solved, "{seed}");
        assert!(theirs.status.has_optimum(), "{seed}: {:?} gap {:e}", theirs.status, theirs.gap);
        let scale = 1.0 + ours.objective.abs();
        let apart = (ours.objective - theirs.objective).abs();
        assert!(apart < 1e-6 * scale, "{seed}: {} {}", ours.objective, theirs.objective);
        // At twice the size of the optimum, the multipliers of either prove it.
        for block in &blocks {
            program.trace_at_most(*block, 2.0 * ours.matrix(*block).trace().re);
        }
        for scalar in &scalars {
            program.scalar_at_most(*scalar, 1.0 + 2.0 * ours.scalar(*scalar).abs());
        }
        for (name, dual) in [("ours", &ours.dual), ("theirs", &theirs.dual)] {
            let bound = program.bound(dual);
            assert!(bound <= ours.objective + 1e-6 * scale, "{seed} {name}: {bound} {}", ours.objective);
            assert!(bound >= ours.objective - 1e-5 * scale, "{seed} {name}: {bound} {}", ours.objective);
        }
    }
}

#[test]
fn bounds_hold_with_free_variables_whatever_the_multipliers() {
    for seed in 0..12 {
        let mut stream = stream(400 + seed);
        let plain = Plain::rows(&[3, 4], 6, 2, 2, &mut stream).feasible(0.3, &mut stream);
        let (mut program, blocks, scalars) = plain.program(&|_| 1.0);
        let solution = solved(&mut program, Method::Native);
        let (free, optimum) = (&scalars[2..], solution.objective);
        let size = 1.0 + optimum.abs();
        for block in &blocks {
            program.trace_at_most(*block, 2.0 * solution.matrix(*block).trace().re);
        }
        scalars[..2].iter().for_each(|s| program.scalar_at_most(*s, 1.0 + 2.0 * solution.scalar(*s)));
        let moved = |by: f64, stream: &mut RandomStream| -> Vec<f64> {
            solution.dual.iter().map(|y| y + by * stream.normal()).collect()
        };
        // A free variable without a limit proves nothing once its equation is missed.
        assert_eq!(program.bound(&moved(1e-3, &mut stream)), f64::NEG_INFINITY, "{seed}");
        free.iter().for_each(|f| program.scalar_at_most(*f, 1.0 + 2.0 * solution.scalar(*f).abs()));
        let bound = program.bound(&solution.dual);
        assert!((bound - optimum).abs() < 1e-5 * size, "{seed}: {bound} {optimum}");
        let mut worse = 0;
        for by in [1e-6, 1e-4, 1e-2, 1.0] {
            let bound = program.bound(&moved(by, &mut stream));
            assert!(bound.is_finite() && bound <= optimum + 1e-6 * size, "{seed} {by}: {bound} {optimum}");
            worse += usize::from(bound < optimum - 1e-4 * size);
        }
        assert!(worse > 0, "{seed}");
    }
}
