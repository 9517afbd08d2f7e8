//! A program set up for the solver: rows in the solver's order, data scaled and rotated, kept between solves.
//!
//! The solver's form is `minimize x'Px / 2 + q'x subject to Ax + s = b, s in K`; its dual has `Px + A'z + q = 0` with z
//! in the dual cone.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SolverStatus};

use super::cones::{Cone, rotate};
use super::equilibration::{Scales, power};
use super::program::{Block, Data, Settings};
use super::solution::{Solution, Status};
use crate::error::{Error, Result};

/// A certificate counts where it rules out all scaled points up to this size; a ray where it misses its cone by at
/// most the inverse of this per unit of objective.
const CERTAIN: f64 = 1e6;

/// "Solved" counts where our own residuals, relative to the scaled data, are at most this.
const CONFIRMED: f64 = 1e-6;

/// Where a number goes: up to two places, each with a factor.
#[derive(Clone, Copy, Debug)]
struct Slot {
    places: [usize; 2],
    factors: [f64; 2],
}

pub(super) struct Kernel {
    solver: Option<DefaultSolver<f64>>,
    /// What the solver was last told.
    told: Settings,
    /// Blocks in the solver's order, `first` counting the solver's rows.
    blocks: Vec<Block>,
    /// The solver's row of each row.
    place: Vec<usize>,
    /// Where each entry goes in A's values, and each constant in b.
    entry_slots: Vec<Slot>,
    constant_slots: Vec<Slot>,
    /// Where each quadratic coefficient goes in P's values.
    quadratic_slots: Vec<usize>,
    a: CscMatrix<f64>,
    p: CscMatrix<f64>,
    b: Vec<f64>,
    q: Vec<f64>,
    scales: Scales,
}

impl Kernel {
    /// Lays the program out: equalities first, then inequalities, then the other cones, so that the solver sees each
    /// kind of row together.
    pub fn new(data: &Data) -> Self {
        let rows = data.constants.len();
        let order = |cone: Cone| match cone {
            Cone::Zero => 0,
            Cone::NonNegative => 1,
            _ => 2,
        };
        let mut sorted: Vec<&Block> = data.blocks.iter().filter(|b| b.rows > 0).collect();
        sorted.sort_by_key(|b| order(b.cone));
        let mut place = vec![0; rows];
        let mut role = vec![0_u8; rows];
        let mut blocks = Vec::new();
        let mut next = 0;
        for block in sorted {
            blocks.push(Block { first: next, ..*block });
            for i in 0..block.rows {
                place[block.first + i] = next + i;
                if block.cone == Cone::RotatedSecondOrder && i < 2 {
                    role[block.first + i] = 1 + i as u8;
                }
            }
            next += block.rows;
        }
        // The solver's rows that a row contributes to.
        let targets = |row: usize| -> [Option<(usize, f64)>; 2] {
            let half = std::f64::consts::FRAC_1_SQRT_2;
            let at = place[row];
            match role[row] {
                1 => [Some((at, half)), Some((at + 1, half))],
                2 => [Some((at - 1, half)), Some((at, -half))],
                _ => [Some((at, 1.0)), None],
            }
        };
        let mut cells: Vec<(usize, usize)> = data
            .entries
            .iter()
            .flat_map(|e| targets(e.row).into_iter().flatten().map(|(row, _)| (e.column, row)))
            .collect();
        cells.sort_unstable();
        cells.dedup();
        let find = |cell: (usize, usize)| cells.binary_search(&cell).unwrap_or(0);
        let slot = |targets: [Option<(usize, f64)>; 2], at: &dyn Fn(usize) -> usize| {
            let first = targets[0].map_or((0, 0.0), |(row, f)| (at(row), f));
            let second = targets[1].map_or((first.0, 0.0), |(row, f)| (at(row), f));
            Slot { places: [first.0, second.0], factors: [first.1, second.1] }
        };
        let entry_slots = data.entries.iter().map(|e| slot(targets(e.row), &|row| find((e.column, row)))).collect();
        let constant_slots = (0..rows).map(|row| slot(targets(row), &|at| at)).collect();
        let mut quadratic: Vec<(usize, usize)> = data.quadratic.iter().map(|e| (e.column, e.row)).collect();
        quadratic.sort_unstable();
        let quadratic_slots =
            data.quadratic.iter().map(|e| quadratic.binary_search(&(e.column, e.row)).unwrap_or(0)).collect();
        let variables = data.cost.len();
        Self {
            solver: None,
            told: Settings::default(),
            blocks,
            entry_slots,
            constant_slots,
            quadratic_slots,
            a: pattern(rows, variables, &cells),
            p: pattern(variables, variables, &quadratic),
            b: vec![0.0; rows],
            q: vec![0.0; variables],
            place,
            scales: Scales::default(),
        }
    }

    /// Solves with the current data, and writes the solution in the caller's units (without its objective).
    pub fn solve(&mut self, data: &Data, settings: &Settings, solution: &mut Solution) -> Result<()> {
        self.attempt(data, settings, false)?;
        self.read(data, solution);
        if !settings.refined && solution.status != Status::Solved {
            self.again(data, settings, false, solution)?;
        }
        if solution.status == Status::Inaccurate {
            // Another scaling may do better.
            self.again(data, settings, true, solution)?;
        }
        Ok(())
    }

    /// Another attempt, refined.
    fn again(&mut self, data: &Data, settings: &Settings, by_means: bool, solution: &mut Solution) -> Result<()> {
        let iterations = solution.iterations;
        self.attempt(data, &Settings { refined: true, ..*settings }, by_means)?;
        self.read(data, solution);
        solution.iterations += iterations;
        Ok(())
    }

    fn attempt(&mut self, data: &Data, settings: &Settings, by_means: bool) -> Result<()> {
        self.scales.compute(data, by_means);
        self.fill(data);
        let failed =
            |why: &dyn std::fmt::Display| Error::Numerical(format!("the conic solver refused its data: {why}"));
        match &mut self.solver {
            Some(solver) => {
                if self.told != *settings {
                    solver.update_settings(translated(settings)).map_err(|e| failed(&e))?;
                }
                if !self.p.nzval.is_empty() {
                    solver.update_P(&self.p.nzval).map_err(|e| failed(&e))?;
                }
                solver.update_A(&self.a.nzval).map_err(|e| failed(&e))?;
                solver.update_q(&self.q).map_err(|e| failed(&e))?;
                solver.update_b(&self.b).map_err(|e| failed(&e))?;
                solver.solve();
            }
            none => {
                // Rows of the same simple kind stand together: one cone for all.
                let mut cones: Vec<clarabel::solver::SupportedConeT<f64>> = Vec::new();
                for block in &self.blocks {
                    use clarabel::solver::SupportedConeT::{NonnegativeConeT, ZeroConeT};
                    match (cones.last_mut(), block.cone.in_solver(block.rows)) {
                        (Some(ZeroConeT(rows)), ZeroConeT(more)) => *rows += more,
                        (Some(NonnegativeConeT(rows)), NonnegativeConeT(more)) => *rows += more,
                        (_, cone) => cones.push(cone),
                    }
                }
                let solver = DefaultSolver::new(&self.p, &self.q, &self.a, &self.b, &cones, translated(settings));
                none.insert(solver.map_err(|e| failed(&e))?).solve();
            }
        }
        self.told = *settings;
        Ok(())
    }

    /// Writes the scaled and rotated data.
    fn fill(&mut self, data: &Data) {
        let Scales { rows, columns, constant, objective, .. } = &self.scales;
        let sign = data.sense.sign();
        self.a.nzval.fill(0.0);
        for (entry, slot) in data.entries.iter().zip(&self.entry_slots) {
            let value = -entry.value * power(rows[entry.row] + columns[entry.column]);
            self.a.nzval[slot.places[0]] += value * slot.factors[0];
            self.a.nzval[slot.places[1]] += value * slot.factors[1];
        }
        self.b.fill(0.0);
        for (i, (value, slot)) in data.constants.iter().zip(&self.constant_slots).enumerate() {
            let value = value * power(rows[i] + constant);
            self.b[slot.places[0]] += value * slot.factors[0];
            self.b[slot.places[1]] += value * slot.factors[1];
        }
        for (j, (q, value)) in self.q.iter_mut().zip(&data.cost).enumerate() {
            *q = sign * value * power(columns[j] + objective);
        }
        for (entry, slot) in data.quadratic.iter().zip(&self.quadratic_slots) {
            let twice = if entry.row == entry.column { 2.0 } else { 1.0 };
            let scale = power(columns[entry.row] + columns[entry.column] + objective - constant);
            self.p.nzval[*slot] = sign * twice * entry.value * scale;
        }
    }

    /// Judges what the solver left behind by our own arithmetic, and writes it in the caller's units.
    fn read(&mut self, data: &Data, solution: &mut Solution) {
        let Some(solver) = &self.solver else { return };
        let found = &solver.solution;
        let (x, z, s) = (&found.x, &found.z, &found.s);
        let finite = x.iter().chain(z).chain(s).all(|v| v.is_finite());
        let judged = self.residuals(x, z, s);
        solution.status = match found.status {
            _ if !finite => Status::Inaccurate,
            SolverStatus::Solved | SolverStatus::AlmostSolved => {
                let worst = judged.primal.max(judged.dual);
                match found.status {
                    SolverStatus::Solved if worst <= CONFIRMED => Status::Solved,
                    _ if worst <= 1e-3 => Status::AlmostSolved,
                    _ => Status::Inaccurate,
                }
            }
            SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible if self.proves_infeasible(z) => {
                Status::Infeasible
            }
            SolverStatus::DualInfeasible | SolverStatus::AlmostDualInfeasible if self.proves_unbounded(x) => {
                Status::Unbounded
            }
            _ => Status::Inaccurate,
        };
        solution.iterations = found.iterations;
        (solution.primal_residual, solution.dual_residual) = (judged.primal, judged.dual);
        let Scales { rows, columns, constant, objective, .. } = &self.scales;
        solution.x.clear();
        solution.x.extend(x.iter().zip(columns).map(|(x, k)| x * power(k - constant)));
        solution.dual.clear();
        solution.dual.resize(self.place.len(), 0.0);
        for block in data.blocks.iter().filter(|b| b.rows > 0) {
            let at = self.place[block.first];
            let dual = &mut solution.dual[block.first..block.first + block.rows];
            dual.copy_from_slice(&z[at..at + block.rows]);
            if block.cone == Cone::RotatedSecondOrder {
                (dual[0], dual[1]) = rotate(dual[0], dual[1]);
            }
            for (value, k) in dual.iter_mut().zip(&rows[block.first..]) {
                *value *= power(k - objective);
            }
        }
        let value = judged.dual_objective * power(-objective - constant);
        solution.dual_objective = data.sense.sign() * value + data.cost_constant;
    }

    /// Residuals in the scaled data, relative to the largest of 1, the data and the point.
    fn residuals(&self, x: &[f64], z: &[f64], s: &[f64]) -> Judged {
        let mut slack: Vec<f64> = self.b.iter().zip(s).map(|(b, s)| s - b).collect();
        let mut gradient = self.q.clone();
        for (j, x) in x.iter().enumerate() {
            for (row, value) in column(&self.a, j) {
                slack[row] += value * x;
                gradient[j] += value * z[row];
            }
        }
        let curvature = self.add_curvature(x, &mut gradient);
        let largest = |v: &[f64]| v.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let (mut primal, mut dual) = (largest(&slack), largest(&gradient));
        for block in &self.blocks {
            let rows = block.first..block.first + block.rows;
            primal = primal.max(block.cone.distance(&s[rows.clone()]));
            dual = dual.max(block.cone.dual_distance(&z[rows]));
        }
        primal /= 1.0 + largest(&self.b) + largest(x) + largest(s);
        dual /= 1.0 + largest(&self.q) + largest(x) + largest(z);
        let dual_objective = -curvature / 2.0 - dot(&self.b, z);
        Judged { primal, dual, dual_objective }
    }

    /// Adds Px to a vector; gives x'Px.
    fn add_curvature(&self, x: &[f64], to: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for j in 0..x.len() {
            for (i, value) in column(&self.p, j) {
                to[i] += value * x[j];
                total += value * x[i] * x[j];
                if i != j {
                    to[j] += value * x[i];
                    total += value * x[i] * x[j];
                }
            }
        }
        total
    }

    /// Whether `z` proves that no scaled point with entries up to [`CERTAIN`] is feasible: for such a point `s = b - Ax`
    /// in the cone gives `0 <= z's = z'b - (A'z)'x`, so `z'b < -CERTAIN |A'z|_1` with z in the dual cone cannot be.
    fn proves_infeasible(&self, z: &[f64]) -> bool {
        let in_dual = self.blocks.iter().all(|b| b.cone.dual_distance(&z[b.first..b.first + b.rows]) == 0.0);
        let weight: f64 =
            (0..self.q.len()).map(|j| column(&self.a, j).map(|(row, value)| value * z[row]).sum::<f64>().abs()).sum();
        in_dual && dot(&self.b, z) < -CERTAIN * weight && dot(&self.b, z) < 0.0
    }

    /// Whether `x` is a ray along which the objective falls without end: `-Ax` in the cone, `Px = 0`, `q'x < 0`.
    fn proves_unbounded(&self, x: &[f64]) -> bool {
        let fall = -dot(&self.q, x);
        let mut slack = vec![0.0; self.b.len()];
        for (j, x) in x.iter().enumerate() {
            column(&self.a, j).for_each(|(row, value)| slack[row] -= value * x);
        }
        let mut bend = vec![0.0; x.len()];
        self.add_curvature(x, &mut bend);
        let missed = self.blocks.iter().map(|b| b.cone.distance(&slack[b.first..b.first + b.rows]));
        let missed = missed.chain(bend.iter().map(|v| v.abs())).fold(0.0, f64::max);
        fall > 0.0 && missed * CERTAIN <= fall
    }

    /// See [`super::Program::bound`]. Any z in the dual cone and any x give, for feasible y with |y| <= limits,
    /// `f(y) >= -x'Px / 2 - b'z + (Px + q + A'z)'y`.
    pub fn bound(&self, data: &Data, limits: &[f64]) -> Option<f64> {
        let found = &self.solver.as_ref()?.solution;
        let (x, z) = (&found.x, &found.z);
        let Scales { columns, constant, objective, .. } = &self.scales;
        if limits.len() != x.len() || x.iter().chain(z).any(|v| !v.is_finite()) {
            return None;
        }
        if self.blocks.iter().any(|b| b.cone.dual_distance(&z[b.first..b.first + b.rows]) > 0.0) {
            return None;
        }
        let mut gradient = self.q.clone();
        let curvature = self.add_curvature(x, &mut gradient);
        let mut value = -curvature / 2.0 - dot(&self.b, z);
        let mut size = curvature.abs() + self.b.iter().zip(z).map(|(b, z)| (b * z).abs()).sum::<f64>();
        for (j, limit) in limits.iter().enumerate() {
            let limit = limit.abs() * power(constant - columns[j]);
            let mut largest = self.q[j].abs() + (gradient[j] - self.q[j]).abs();
            for (row, a) in column(&self.a, j) {
                gradient[j] += a * z[row];
                largest += (a * z[row]).abs();
            }
            if gradient[j] != 0.0 || largest != 0.0 {
                value -= gradient[j].abs() * limit;
                size += largest * limit;
            }
        }
        // Each sum has at most as many terms as there are rows and columns.
        value -= size * f64::EPSILON * (8 + 2 * (x.len() + z.len())) as f64;
        let bound = data.sense.sign() * value * power(-objective - constant) + data.cost_constant;
        bound.is_finite().then_some(bound)
    }
}

struct Judged {
    primal: f64,
    dual: f64,
    dual_objective: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The stored rows and values of a column.
fn column(matrix: &CscMatrix<f64>, j: usize) -> impl Iterator<Item = (usize, f64)> {
    let range = matrix.colptr[j]..matrix.colptr[j + 1];
    matrix.rowval[range.clone()].iter().copied().zip(matrix.nzval[range].iter().copied())
}

/// A matrix of zeros with the given cells (column, row), sorted.
fn pattern(rows: usize, columns: usize, cells: &[(usize, usize)]) -> CscMatrix<f64> {
    let mut starts = vec![0; columns + 1];
    cells.iter().for_each(|(column, _)| starts[column + 1] += 1);
    for j in 0..columns {
        starts[j + 1] += starts[j];
    }
    CscMatrix::new(rows, columns, starts, cells.iter().map(|c| c.1).collect(), vec![0.0; cells.len()])
}

/// The solver's settings. The data come scaled, and must keep their places between solves.
fn translated(settings: &Settings) -> DefaultSettings<f64> {
    DefaultSettings {
        verbose: false,
        max_iter: settings.max_iterations,
        tol_gap_abs: settings.tolerance,
        tol_gap_rel: settings.tolerance,
        tol_feas: settings.tolerance,
        max_threads: 1,
        direct_solve_method: "qdldl".into(),
        equilibrate_enable: false,
        presolve_enable: false,
        iterative_refinement_enable: settings.refined,
        input_sparse_dropzeros: false,
        ..DefaultSettings::default()
    }
}
