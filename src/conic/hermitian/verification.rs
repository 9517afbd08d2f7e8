//! Random programs checked from their data alone: feasibility of both sides, the gap, certificates of both kinds; and
//! against Clarabel, where 2 x 2 Hermitian matrices are second-order cones.

use super::dense::{Matrix, inner};
use super::*;
use crate::conic::{Cone, Expression, Program, Sense, Status};
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
        let (program, blocks, scalars) = plain.program(&unit);
        let solution = program.solve();
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
        let (program, ..) = plain.program(&|_| 1.0);
        let solution = program.solve();
        assert_eq!(solution.status, Status::Infeasible, "{seed}");
        let y = &solution.dual;
        let (combined, scalars, _) = plain.combination(y);
        let size = combined.iter().map(|a| a.norm()).fold(0.0, f64::max);
        assert!(combined.iter().all(|a| least_eigenvalue(&-a) > -1e-7 * size), "{seed}");
        assert!(scalars.iter().all(|a| *a < 1e-7 * size), "{seed}");
        assert!(plain.sides.iter().zip(y).all(|(side, y)| f64::from(*side) * y > -1e-9 * size), "{seed}");
        assert!(plain.right.iter().zip(y).map(|(b, y)| b * y).sum::<f64>() > 0.0, "{seed}");
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
        let (program, blocks, scalars) = plain.program(&|_| 1.0);
        let solution = program.solve();
        assert_eq!(solution.status, Status::Unbounded, "{seed} {} {:e}", solution.iterations, solution.objective);
        let x: Vec<Matrix> = blocks.iter().map(|x| solution.matrix(*x).clone()).collect();
        let free: Vec<f64> = scalars.iter().map(|s| solution.scalar(*s)).collect();
        let size = x.iter().map(|x| x.norm()).fold(0.0, f64::max);
        assert!(x.iter().all(|x| least_eigenvalue(x) > -1e-9 * size));
        for i in 0..plain.rows.len() {
            let value = plain.value(i, &x, &[], &free);
            let missed = if plain.sides[i] == 0 { value.abs() } else { -f64::from(plain.sides[i]) * value };
            assert!(missed < 1e-5 * size, "{seed} row {i}: {missed} {size}");
        }
        let fall = plain.cost.iter().zip(&x).map(|(c, x)| inner(c, x)).sum::<f64>()
            + plain.free_cost.iter().zip(&free).map(|(c, x)| c * x).sum::<f64>();
        assert!(fall < -1e-3 * size, "{seed}: {fall} {size}");
    }
}

#[test]
fn clarabel_finds_the_same_optima_over_matrices_of_size_two() {
    for seed in 0..16 {
        let mut stream = stream(300 + seed);
        let plain = Plain::rows(&[2, 2, 2], 6, 2, 2, &mut stream).feasible(0.2, &mut stream);
        let (program, ..) = plain.program(&|_| 1.0);
        let found = program.solve();
        assert_eq!(found.status, Status::Solved, "{seed}");
        // [[a, c], [c^*, b]] >= 0 is a + b >= |(a - b, 2 Re c, 2 Im c)|.
        let mut other = Program::new(Sense::Minimize);
        let x: Vec<_> = plain.sizes.iter().map(|_| other.variables(4)).collect();
        let (scalars, free) = (other.variables(2), other.variables(2));
        for x in &x {
            let rows: [Expression; 4] = [x.get(0) + x.get(1), x.get(0) - x.get(1), 2.0 * x.get(2), 2.0 * x.get(3)];
            other.constrain(Cone::SecondOrder, rows);
        }
        other.constrain(Cone::NonNegative, [scalars.get(0).into(), scalars.get(1).into()]);
        let sum = |matrices: &[Matrix], a: &[f64], b: &[f64]| {
            let mut sum = Expression::from(0.0);
            for (x, a) in x.iter().zip(matrices) {
                sum += a[(0, 0)].re * x.get(0) + a[(1, 1)].re * x.get(1);
                sum += 2.0 * a[(0, 1)].re * x.get(2) + 2.0 * a[(0, 1)].im * x.get(3);
            }
            (0..2).for_each(|j| sum += a[j] * scalars.get(j) + b[j] * free.get(j));
            sum
        };
        for (i, row) in plain.rows.iter().enumerate() {
            let side = if plain.sides[i] == 0 { 1.0 } else { f64::from(plain.sides[i]) };
            let row = (sum(row, &plain.scalar_rows[i], &plain.free_rows[i]) - Expression::from(plain.right[i])) * side;
            other.constrain(if plain.sides[i] == 0 { Cone::Zero } else { Cone::NonNegative }, [row]);
        }
        other.objective(sum(&plain.cost, &plain.scalar_cost, &plain.free_cost));
        let theirs = other.solve().unwrap();
        assert_eq!(theirs.status, Status::Solved, "{seed}");
        let (ours, theirs) = (found.objective, theirs.objective);
        assert!((ours - theirs).abs() < 1e-6 * (1.0 + theirs.abs()), "{seed}: {ours} {theirs}");
    }
}
