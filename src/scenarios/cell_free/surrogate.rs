//! The paper's convex subproblem (paper 004, (20)-(26), corrected) as a conic program.
//!
//! In amplitudes `z_kl = sqrt(p_kl)`, `x_k = sum_l a_kl z_kl` is linear, the coherent `y_kj` are linear, and
//!
//! ```text
//! ln(1 + SINR_k) >= ln(1 + S) - S + 2 b x_k - i (x_k² + I_k),   S = SINR_k, b = x_k/I_k, i = S/(I_k (1 + S)) at the design
//! ```
//!
//! is concave in (z, c, q) with `sum_k z_kl² <= c_l`: the paper's omega² <= gamma, summed over users, for nothing else of
//! gamma is in the problem. The other half of (22) would freeze the iteration ([`super::printed`]). CRLB limits are
//! linear ([`super::illumination`]). Quadratic terms stand in the objective; only it changes from step to step. The least
//! rate and the logarithms of rates have a row a user instead, and so have floors on SINRs:
//! `2 x° x - x°² >= floor I_k`.
//!
//! Where a solution leaves some of `c_l` unused, more of it to the users is better for orthogonal pilots. With shared
//! pilots it may not be: then the rest as sensing power is tried as well, and the better of both is read.

use std::cell::RefCell;
use std::sync::Arc;

use super::System;
use super::feasibility::Assessor;
use super::illumination::{constrain, constrain_power, equal_phases};
use super::limits::{Limits, Utility};
use super::metrics::column_sums;
use super::multistatic::MultistaticAssessor;
use super::phases::Linearized;
use crate::conic::{Coefficient, Cone, Expression, Program, Row, Sense, Variable, Variables};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::structure::{Feasibility, Surrogate};

/// A stream power below this share of the budget is taken as this: none would have no weight for good.
const LEAST_SHARE: f64 = 1e-15;

/// The bound on a user's rate as a row: where its coefficients are.
struct RateRow {
    desired: Coefficient,
    squared: Coefficient,
    interference: Coefficient,
    /// By leak that this user hears.
    leaks: Vec<(usize, Coefficient)>,
    constant: Coefficient,
}

enum Bounds {
    /// The weighted sum, in the objective: linear and quadratic in `x_k`, linear in powers, quadratic in leaks.
    Sum { desired: Vec<(Coefficient, Coefficient)>, power: Vec<[Coefficient; 2]>, leaks: Vec<Coefficient> },
    /// One row a user.
    Rows(Vec<RateRow>),
}

/// What rows need beside amplitudes: `e >= x²`, `f >= y²` and the linear part of `I`, all relative to their largest.
struct Squares {
    desired: Variables,
    leaks: Variables,
    interference: Variables,
    largest: Vec<f64>,
}

/// The conic surrogate of a cell-free problem.
pub(super) struct ConicSurrogate {
    system: Arc<System>,
    utility: Utility,
    limits: Limits,
    program: Program,
    z: Variables,
    powers: (Variables, Variables),
    /// `x_k` and the largest it can be; the same of the leaks' `y`.
    largest: (Vec<f64>, Vec<f64>),
    bounds: Bounds,
    squares: Option<Squares>,
    floors: Vec<(usize, RateRow)>,
    beams: Option<Linearized>,
    total: Vec<f64>,
    desired: Vec<f64>,
    interference: Vec<f64>,
    /// What the conic solver's tolerance leaves missing is restored when a solution is read.
    repair: RefCell<Box<dyn Feasibility>>,
}

impl ConicSurrogate {
    pub fn new(system: Arc<System>, utility: Utility, limits: Limits) -> Self {
        let users = &system.users;
        let (count, access_points, budget) = (users.users, users.access_points, limits.power);
        let mut program = Program::new(Sense::Maximize);
        let z = program.variables(count * access_points);
        let powers = (program.variables(access_points), program.variables(access_points));
        constrain_power(&mut program, &limits, powers, None);
        if !users.orthogonal() {
            // A stream of opposite sign would cancel coherent interference, but powers have no sign.
            program.constrain(Cone::NonNegative, z.iter().map(Expression::from));
        }
        for (l, c) in powers.0.iter().enumerate() {
            let streams = (0..count).map(|k| Expression::from(z.get(k * access_points + l)));
            let rows = [c.into(), 0.5.into()].into_iter().chain(streams);
            program.constrain(Cone::RotatedSecondOrder, rows);
        }
        // Amplitudes relative to what all power, ideally placed, would give.
        let amplitudes = |program: &mut Program, rows: &[(usize, &[f64])]| {
            let variables = program.variables(rows.len());
            let mut largest = Vec::with_capacity(rows.len());
            let equations: Vec<Expression> = rows
                .iter()
                .zip(variables.iter())
                .map(|((k, a), x)| {
                    let norm = a.iter().map(|a| a * a).sum::<f64>().sqrt();
                    largest.push(norm * budget.sqrt());
                    let sent = a.iter().enumerate().map(|(l, a)| (z.get(k * access_points + l), a / norm));
                    Expression::sum(sent) - x
                })
                .collect();
            if !equations.is_empty() {
                program.constrain(Cone::Zero, equations);
            }
            (variables, largest)
        };
        let own: Vec<(usize, &[f64])> = users.amplitude.chunks_exact(access_points).enumerate().collect();
        let steered: Vec<(usize, &[f64])> = users.leaks.iter().map(|l| (l.sender, l.amplitude.as_slice())).collect();
        let (x, largest_x) = amplitudes(&mut program, &own);
        let (y, largest_y) = amplitudes(&mut program, &steered);
        let floored: Vec<usize> = (0..count).filter(|k| limits.sinr[*k] > 0.0).collect();
        let rows_needed = !matches!(utility, Utility::Sum(_)) || !floored.is_empty();
        let squares = rows_needed.then(|| Squares::new(&mut program, &system, budget, (x, y), powers));
        let bounds = match (&utility, &squares) {
            (Utility::Sum(_), _) => Bounds::Sum {
                desired: x.iter().map(|x| (program.cost(x), program.quadratic(x, x, 0.0))).collect(),
                power: powers.0.iter().zip(powers.1.iter()).map(|(c, q)| [program.cost(c), program.cost(q)]).collect(),
                leaks: y.iter().map(|y| program.quadratic(y, y, 0.0)).collect(),
            },
            (Utility::Least, Some(squares)) => {
                let least = program.variables(1).get(0);
                program.objective(least);
                let rows = program.constrain(Cone::NonNegative, (0..count).map(|_| -least));
                Bounds::Rows((0..count).map(|k| squares.row(&mut program, &system, k, rows.row(k), x.get(k))).collect())
            }
            (_, squares) => {
                let logarithms = program.variables(count);
                program.objective(Expression::sum(logarithms.iter().map(|l| (l, 1.0))));
                let rows: Vec<Row> = logarithms
                    .iter()
                    .map(|l| program.constrain(Cone::Exponential, [l.into(), 1.0.into(), 0.0.into()]).row(2))
                    .collect();
                let each = squares.iter().flat_map(|s| rows.iter().enumerate().map(move |(k, row)| (s, k, *row)));
                Bounds::Rows(each.map(|(s, k, row)| s.row(&mut program, &system, k, row, x.get(k))).collect())
            }
        };
        let mut floors = Vec::new();
        for k in floored {
            if let Some(squares) = &squares {
                let row = program.constrain(Cone::NonNegative, [0.0.into()]).row(0);
                floors.push((k, squares.row(&mut program, &system, k, row, x.get(k))));
            }
        }
        let mut beams = None;
        if equal_phases(&system, &limits) {
            constrain(&mut program, &system, &limits, powers, None);
        } else {
            let own = Limits { multistatic: vec![0.0; access_points], ..limits.clone() };
            constrain(&mut program, &system, &own, powers, None);
            beams = Some(Linearized::new(&mut program, &system, &limits, powers));
        }
        let (total, each) = (vec![0.0; access_points], vec![0.0; count]);
        let repair: Box<dyn Feasibility> = match limits.is_multistatic() {
            true => Box::new(MultistaticAssessor::new(Arc::clone(&system), limits.clone(), true)),
            false => Box::new(Assessor::new(&system, &limits, true)),
        };
        Self {
            utility,
            limits,
            program,
            z,
            powers,
            largest: (largest_x, largest_y),
            bounds,
            squares,
            floors,
            beams,
            total,
            desired: each.clone(),
            interference: each,
            repair: RefCell::new(repair),
            system,
        }
    }

    /// The utility of a design, with what it takes to know it.
    fn value(&self, design: &Design) -> f64 {
        let users = &self.system.users;
        let mut total = vec![0.0; users.access_points];
        let mut desired = vec![0.0; users.users];
        let mut interference = desired.clone();
        column_sums(design, &mut total);
        let power = &design[..design.len() / 2];
        users.desired_and_interference(power, &total, &mut desired, &mut interference);
        self.utility.value(desired.iter().zip(&interference).map(|(x, i)| users.rate(x * x / i)))
    }
}

impl Squares {
    fn new(
        program: &mut Program,
        system: &System,
        budget: f64,
        (x, y): (Variables, Variables),
        (communication, sensing): (Variables, Variables),
    ) -> Self {
        let users = &system.users;
        let square = |program: &mut Program, of: Variables| {
            let squared = program.variables(of.len());
            for (e, x) in squared.iter().zip(of.iter()) {
                program.constrain(Cone::RotatedSecondOrder, [e.into(), 0.5.into(), x.into()]);
            }
            squared
        };
        let (desired, leaks) = (square(program, x), square(program, y));
        let interference = program.variables(users.users);
        let mut largest = Vec::with_capacity(users.users);
        let rows: Vec<Expression> = users
            .fading
            .chunks_exact(users.access_points)
            .zip(interference.iter())
            .map(|(fading, i)| {
                let most = fading.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                largest.push(most * budget);
                let both = [communication, sensing].into_iter();
                let terms = both.flat_map(|p| p.iter().zip(fading).map(move |(p, beta)| (p, beta / most)));
                Expression::sum(terms) - i
            })
            .collect();
        program.constrain(Cone::Zero, rows);
        Self { desired, leaks, interference, largest }
    }

    fn row(&self, program: &mut Program, system: &System, user: usize, row: Row, x: Variable) -> RateRow {
        let heard = system.users.leaks.iter().enumerate().filter(|(_, leak)| leak.hears == user);
        let leaks = heard.map(|(m, _)| (m, program.coefficient(row, self.leaks.get(m)))).collect();
        RateRow {
            desired: program.coefficient(row, x),
            squared: program.coefficient(row, self.desired.get(user)),
            interference: program.coefficient(row, self.interference.get(user)),
            leaks,
            constant: program.constant(row),
        }
    }
}

impl Surrogate for ConicSurrogate {
    fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    fn at(&mut self, design: &Design) -> Result<()> {
        let Self { system, program, limits, .. } = self;
        let users = &system.users;
        let budget = limits.power;
        let half = design.len() / 2;
        if half != users.gain.len() {
            return Err(Error::Numerical("a design of another space".into()));
        }
        let power: Vec<f64> = design[..half].iter().map(|p| p.max(LEAST_SHARE * budget)).collect();
        column_sums(design, &mut self.total);
        users.desired_and_interference(&power, &self.total, &mut self.desired, &mut self.interference);
        let (largest_x, largest_y) = &self.largest;
        // By user: the bound's constant, and its coefficients of x / largest, its square, and I.
        let bound = |k: usize| {
            let (x, i) = (self.desired[k], self.interference[k]);
            let sinr = x * x / i;
            let by_interference = users.unit * sinr / (i * (1.0 + sinr));
            let constant = users.unit * (sinr.ln_1p() - sinr) - by_interference * users.noise;
            let largest = largest_x[k];
            (constant, 2.0 * users.unit * x / i * largest, by_interference * largest * largest, by_interference)
        };
        let leak = |m: usize| users.leaks[m].overlap * largest_y[m] * largest_y[m];
        match (&self.bounds, &self.utility) {
            (Bounds::Sum { desired, power, leaks }, Utility::Sum(weights)) => {
                let mut constant = 0.0;
                let mut cost = vec![0.0; users.access_points];
                for (k, (linear, quadratic)) in desired.iter().enumerate() {
                    let (own, by_x, by_square, by_interference) = bound(k);
                    constant += weights[k] * own;
                    program.set(*linear, weights[k] * by_x);
                    program.set(*quadratic, -weights[k] * by_square);
                    let fading = &users.fading[k * users.access_points..(k + 1) * users.access_points];
                    let price = weights[k] * by_interference * budget;
                    cost.iter_mut().zip(fading).for_each(|(c, beta)| *c += price * beta);
                }
                for (m, place) in leaks.iter().enumerate() {
                    let k = users.leaks[m].hears;
                    program.set(*place, -weights[k] * bound(k).3 * leak(m));
                }
                for (places, cost) in power.iter().zip(cost) {
                    places.iter().for_each(|place| program.set(*place, -cost));
                }
                program.set(program.cost_constant(), constant);
            }
            (Bounds::Rows(rows), _) => {
                let largest = self.squares.as_ref().map(|s| &s.largest);
                for (k, row) in rows.iter().enumerate() {
                    let (constant, by_x, by_square, by_interference) = bound(k);
                    program.set(row.constant, constant);
                    program.set(row.desired, by_x);
                    program.set(row.squared, -by_square);
                    program.set(row.interference, -by_interference * largest.map_or(0.0, |l| l[k]));
                    row.leaks.iter().for_each(|(m, place)| program.set(*place, -by_interference * leak(*m)));
                }
            }
            _ => {}
        }
        for (k, row) in &self.floors {
            // 2 x° x - x°² - floor I >= 0, relative to floor I at the design.
            let (x, floor) = (self.desired[*k], limits.sinr[*k]);
            let scale = 1.0 / (floor * self.interference[*k]);
            let largest = self.squares.as_ref().map_or(0.0, |s| s.largest[*k]);
            program.set(row.constant, -scale * (x * x + floor * users.noise));
            program.set(row.desired, scale * 2.0 * x * largest_x[*k]);
            program.set(row.squared, 0.0);
            program.set(row.interference, -scale * floor * largest);
            row.leaks.iter().for_each(|(m, place)| program.set(*place, -scale * floor * leak(*m)));
        }
        if let Some(beams) = &mut self.beams {
            beams.at(program, system, limits, &design[half..]);
        }
        Ok(())
    }

    fn read(&self, solution: &[f64], design: &mut Design) {
        let users = &self.system.users;
        let (access_points, streams, budget) = (users.access_points, users.users, self.limits.power);
        let half = design.len() / 2;
        for (p, z) in design[..half].iter_mut().zip(&solution[self.z.range()]) {
            *p = budget * z.max(0.0).powi(2);
        }
        let value = |v: Variable| budget * solution[v.index()].max(0.0);
        let mut used = vec![0.0; access_points];
        column_sums(&design[..half], &mut used);
        let left: Vec<f64> = self.powers.0.iter().zip(&used).map(|(c, used)| (value(c) - used).max(0.0)).collect();
        for (l, q) in self.powers.1.iter().enumerate() {
            design[half..].chunks_exact_mut(access_points).for_each(|row| row[l] = value(q) / streams as f64);
        }
        if let Some(beams) = &self.beams {
            beams.read(solution, budget, &mut design[half..]);
        }
        let mut repair = self.repair.borrow_mut();
        let mut beam = design.clone();
        // All of c_l to its users.
        for (l, left) in left.iter().enumerate().filter(|(l, left)| used[*l] > 0.0 && **left > 0.0) {
            let more = 1.0 + left / used[l];
            design[..half].chunks_exact_mut(access_points).for_each(|row| row[l] *= more);
        }
        repair.repair(design);
        if users.orthogonal() || left.iter().all(|left| *left <= 1e-9 * budget) {
            return;
        }
        for (l, left) in left.iter().enumerate() {
            beam[half..].chunks_exact_mut(access_points).for_each(|row| row[l] += left / streams as f64);
        }
        repair.repair(&mut beam);
        if self.value(&beam) > self.value(design) {
            design.copy_from(&beam);
        }
    }
}
