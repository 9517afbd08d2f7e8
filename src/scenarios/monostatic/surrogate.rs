//! The paper's convex subproblem (paper 001, (55)-(61), corrected) as a conic program.
//!
//! With `x_k = g_k p_k`, `y_k` the interference and noise of user k, and both known at a design (superscript i),
//! `ln(1 + x/y) >= ln(1 + x^i/y^i) + w (2 - x^i/x - y/y^i)`, `w = x^i / (x^i + y^i)`: tight at the design, concave.
//! In `z_k = p_k / p_k^i`, `t_k >= 1/z_k`, `s = S/P`, `u = q/P` (P the budget) that is
//! `rate_k >= pre-log/ln 2 [ln(1 + SINR_k^i) + w_k (2 - t_k - (beta_k P u + d_k P s + g_k sum_j p_j^i z_j + sigma_c²)/y_k^i)]`,
//! j over those who share k's pilot. The sum over users is linear, its least is one more variable, its logarithms are
//! exponential cones.
//!
//! A CRLB is at most c where `J_e - e e'/c` is positive semidefinite, which is a rotated second-order cone in the three
//! entries ((59) and (60)). For a misaligned beam `J_e = S M_S + q (M_q + T/N_t) - v T/N_t`, `T = t t'`,
//! `v = A² q² / (N_t S + A² q)`, and T is positive semidefinite: any v that is at least this, one more rotated cone, is
//! exact. Floors on rates and SINRs are linear: `g_k p_k >= SINR floor * y_k`.

use std::sync::Arc;

use super::{Angle, AngleInformation, System};
use crate::conic::{Coefficient, Cone, Constraint, Expression, Program, Row, Sense, Variable, Variables};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::problem::{Limit, Objective, ProblemSpec};
use crate::structure::{Refusal, Surrogate};

/// A power below this share of the budget is taken as this: a smaller one would leave a user without weight for good.
pub(super) const LEAST_SHARE: f64 = 1e-12;

/// What is made of the users' rates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Utility {
    /// Their sum with these weights.
    Sum(Vec<f64>),
    /// The least of them.
    Least,
    /// The sum of their natural logarithms.
    Logarithms,
}

/// A problem in the form that the program takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    pub utility: Utility,
    pub budget: f64,
    /// The least CRLB limits of azimuth and elevation.
    pub crlb: [f64; 2],
    /// The least SINR of each user.
    pub sinr: Vec<f64>,
    pub fixed_power: bool,
    pub fixed_sensing: bool,
}

impl Form {
    pub(super) fn new(system: &System, spec: &ProblemSpec) -> Result<Self, Refusal> {
        let users = system.users.users();
        let refuse = |what: String| Err(Refusal(what));
        let Objective::Metric(objective) = &spec.objective else {
            return refuse("no concave bound on a weighted sum of metrics".into());
        };
        let utility = match objective.as_str() {
            "sum_rate" => Utility::Sum(vec![1.0; users]),
            "weighted_sum_rate" => Utility::Sum((0..users).map(|k| system.weight(k)).collect()),
            "min_rate" => Utility::Least,
            "sum_log_rate" => Utility::Logarithms,
            other => {
                return refuse(format!("no concave bound on `{other}`: there is one for the utilities of the rates"));
            }
        };
        let mut form = Self {
            utility,
            budget: f64::INFINITY,
            crlb: [f64::INFINITY; 2],
            sinr: vec![0.0; users],
            fixed_power: spec.fixed.contains_key("communication_power"),
            fixed_sensing: spec.fixed.contains_key("sensing_power"),
        };
        for constraint in &spec.constraints {
            let (limits, upper) = match &constraint.limit {
                Limit::AtMost(limits) => (limits, true),
                Limit::AtLeast(limits) => (limits, false),
            };
            let least = limits.iter().copied().fold(f64::INFINITY, f64::min);
            match (constraint.metric.as_str(), upper) {
                ("transmit_power", true) => form.budget = form.budget.min(least),
                ("crlb_azimuth", true) => form.crlb[0] = form.crlb[0].min(least),
                ("crlb_elevation", true) => form.crlb[1] = form.crlb[1].min(least),
                ("rate" | "min_rate" | "sinr", false) => {
                    for (k, floor) in form.sinr.iter_mut().enumerate() {
                        let limit = limits[if limits.len() == 1 { 0 } else { k }];
                        let sinr = if constraint.metric == "sinr" { limit } else { system.users.sinr_at_rate(limit) };
                        *floor = floor.max(sinr);
                    }
                }
                (metric, true) => return refuse(format!("no conic form of an upper limit on `{metric}`")),
                (metric, false) => return refuse(format!("no conic form of a lower limit on `{metric}`")),
            }
        }
        if !(form.budget.is_finite() && form.budget > 0.0) {
            return refuse("it needs a limit on `transmit_power` above 0".into());
        }
        if form.crlb.iter().any(|c| *c <= 0.0) || form.sinr.iter().any(|s| !s.is_finite()) {
            return refuse("a limit that no design meets".into());
        }
        Ok(form)
    }
}

/// The bound on one user's rate as a row: where its coefficients are.
struct RateRow {
    t: Coefficient,
    s: Coefficient,
    u: Coefficient,
    /// The powers that share its pilot.
    shared: Vec<(usize, Coefficient)>,
    constant: Coefficient,
}

/// The sum of the bounds, in the objective.
struct RateSum {
    t: Vec<Coefficient>,
    s: Coefficient,
    u: Coefficient,
    z: Vec<Coefficient>,
    constant: Coefficient,
}

enum Bounds {
    Sum(RateSum),
    Rows(Vec<RateRow>),
}

/// The conic surrogate of a monostatic problem.
pub(super) struct ConicSurrogate {
    system: Arc<System>,
    form: Form,
    program: Program,
    z: Variables,
    u: Variable,
    bounds: Bounds,
    /// `p_k^i / P` in the row `s = sum p_k^i z_k / P`.
    balance: Vec<Coefficient>,
    /// By user: the row of its SINR floor, and the coefficients of the powers in it.
    floors: Vec<Option<Vec<(usize, Coefficient)>>>,
    sensing: Option<Coefficient>,
    /// `p_k^i`.
    power: Vec<f64>,
    group_power: Vec<f64>,
    cost: Vec<f64>,
}

/// The surrogate of a problem, or why there is none.
pub(super) fn offer(system: &Arc<System>, spec: &ProblemSpec) -> crate::structure::Offer<dyn Surrogate> {
    let form = Form::new(system, spec)?;
    let system = Arc::clone(system);
    Ok(Box::new(move || Box::new(ConicSurrogate::new(Arc::clone(&system), form.clone()))))
}

impl ConicSurrogate {
    fn new(system: Arc<System>, form: Form) -> Self {
        let users = system.users.users();
        let mut program = Program::new(Sense::Maximize);
        let z = program.variables(users);
        let levels = program.variables(2);
        let (s, u) = (levels.get(0), levels.get(1));
        let balance = program.constrain(Cone::Zero, [Expression::sum(z.iter().map(|z| (z, 0.0))) - s]).row(0);
        let balance = z.iter().map(|z| program.coefficient(balance, z)).collect();
        program.constrain(Cone::NonNegative, [Expression::from(1.0) - s - u, u.into()]);
        constrain_crlb(&mut program, &system, &form, s, u);
        // Users whose rate counts have 1/z_k; the others only a power.
        let counts = |k: usize| !matches!(&form.utility, Utility::Sum(weights) if weights[k] == 0.0);
        let inverse = program.variables((0..users).filter(|k| counts(*k)).count());
        let mut next = inverse.iter();
        let t: Vec<Option<Variable>> = (0..users).map(|k| if counts(k) { next.next() } else { None }).collect();
        for (z, t) in z.iter().zip(&t) {
            match t {
                Some(t) => program.constrain(Cone::RotatedSecondOrder, [(*t).into(), z.into(), 2f64.sqrt().into()]),
                None => program.constrain(Cone::NonNegative, [z.into()]),
            };
        }
        let bounds = match &form.utility {
            Utility::Sum(_) => Bounds::Sum(RateSum {
                t: t.iter().flatten().map(|t| program.cost(*t)).collect(),
                s: program.cost(s),
                u: program.cost(u),
                z: z.iter().map(|z| program.cost(z)).collect(),
                constant: program.cost_constant(),
            }),
            Utility::Least => {
                let least = program.variables(1).get(0);
                program.objective(least);
                let rows = program.constrain(Cone::NonNegative, (0..users).map(|_| -least));
                Bounds::Rows(
                    (0..users).map(|k| RateRow::new(&mut program, &system, k, rows.row(k), (z, t[k], s, u))).collect(),
                )
            }
            Utility::Logarithms => {
                let logarithms = program.variables(users);
                program.objective(Expression::sum(logarithms.iter().map(|l| (l, 1.0))));
                let rows: Vec<Constraint> = logarithms
                    .iter()
                    .map(|l| program.constrain(Cone::Exponential, [l.into(), 1.0.into(), 0.0.into()]))
                    .collect();
                Bounds::Rows(
                    (0..users)
                        .map(|k| RateRow::new(&mut program, &system, k, rows[k].row(2), (z, t[k], s, u)))
                        .collect(),
                )
            }
        };
        let floors = (0..users).map(|k| floor(&mut program, &system, &form, k, (z, s, u))).collect();
        if form.fixed_power {
            program.constrain(Cone::Zero, z.iter().map(|z| z - 1.0));
        }
        let sensing = form.fixed_sensing.then(|| program.constrain(Cone::Zero, [u - 0.0]).row(0));
        let sensing = sensing.map(|row| program.constant(row));
        let (power, group_power) = (vec![0.0; users], vec![0.0; system.users.groups.len()]);
        let cost = vec![0.0; users];
        Self { system, form, program, z, u, bounds, balance, floors, sensing, power, group_power, cost }
    }
}

impl RateRow {
    fn new(
        program: &mut Program,
        system: &System,
        user: usize,
        row: Row,
        (z, t, s, u): (Variables, Option<Variable>, Variable, Variable),
    ) -> Self {
        // Every user counts in a utility that has rows.
        let t = program.coefficient(row, t.unwrap_or(s));
        let shared = others(system, user).map(|j| (j, program.coefficient(row, z.get(j)))).collect();
        let (s, u) = (program.coefficient(row, s), program.coefficient(row, u));
        Self { t, s, u, shared, constant: program.constant(row) }
    }
}

/// Those who share a user's pilot.
fn others(system: &System, user: usize) -> impl Iterator<Item = usize> {
    let groups = &system.users.groups;
    groups.members(groups.of(user)).iter().copied().filter(move |j| *j != user)
}

/// The CRLB limits, exactly.
fn constrain_crlb(program: &mut Program, system: &System, form: &Form, s: Variable, u: Variable) {
    if form.crlb.iter().all(|c| c.is_infinite()) {
        return;
    }
    let sensing = &system.sensing;
    // At q = 0 the derivatives are M_S and M_q + T/N_t, at S = 0 the second is M_q.
    let [by_communication, by_sensing] = sensing.information_derivatives(1.0, 0.0);
    let mut parts = vec![(s, by_communication), (u, by_sensing)];
    if !sensing.aligned() {
        let [_, without] = sensing.information_derivatives(0.0, 1.0);
        let tilt = AngleInformation {
            azimuth: without.azimuth - by_sensing.azimuth,
            cross: without.cross - by_sensing.cross,
            elevation: without.elevation - by_sensing.elevation,
        };
        let v = program.variables(1).get(0);
        let (antennas, gain) = sensing.tilt_weights();
        let ratio = gain / antennas;
        program.constrain(Cone::RotatedSecondOrder, [v.into(), s + ratio * u, (2.0 * ratio).sqrt() * u]);
        parts.push((v, tilt));
    }
    for (angle, limit) in Angle::BOTH.into_iter().zip(form.crlb).filter(|(_, limit)| limit.is_finite()) {
        // In units in which the limit is 1, and the other angle's information at full power about 1.
        let own = form.budget * limit;
        let other = parts.iter().fold(f64::MIN_POSITIVE, |m, (_, j)| m.max(j.diagonal(angle).1));
        let cross = (2.0 * own / other).sqrt();
        program.constrain(
            Cone::RotatedSecondOrder,
            [
                Expression::sum(parts.iter().map(|(v, j)| (*v, own * j.diagonal(angle).0))) - 1.0,
                Expression::sum(parts.iter().map(|(v, j)| (*v, j.diagonal(angle).1 / other))),
                Expression::sum(parts.iter().map(|(v, j)| (*v, cross * j.cross))),
            ],
        );
    }
}

/// The floor on a user's SINR, over its noise: `g p_k z_k / floor >= beta P u + d P s + g sum p_j z_j + sigma²`. Gives the
/// places of the powers.
fn floor(
    program: &mut Program,
    system: &System,
    form: &Form,
    user: usize,
    (z, s, u): (Variables, Variable, Variable),
) -> Option<Vec<(usize, Coefficient)>> {
    if form.sinr[user] <= 0.0 {
        return None;
    }
    let users = &system.users;
    let scale = form.budget / users.noise;
    let interference = users.fading[user] * scale * u + users.leakage[user] * scale * s + 1.0;
    let row = program.constrain(Cone::NonNegative, [-interference]).row(0);
    let members = std::iter::once(user).chain(others(system, user));
    Some(members.map(|j| (j, program.coefficient(row, z.get(j)))).collect())
}

impl Surrogate for ConicSurrogate {
    fn program(&mut self) -> &mut Program {
        &mut self.program
    }

    fn at(&mut self, design: &Design) -> Result<()> {
        let Self { system, form, program, .. } = self;
        let users = &system.users;
        let (sensing, power) = match design.split_last() {
            Some((sensing, power)) if power.len() == users.users() => (*sensing, power),
            _ => return Err(Error::Numerical("a design of another space".into())),
        };
        let budget = form.budget;
        for (own, p) in self.power.iter_mut().zip(power) {
            *own = p.max(LEAST_SHARE * budget);
        }
        let power = &self.power;
        let communication: f64 = power.iter().sum();
        users.groups.totals(power, &mut self.group_power);
        for (place, p) in self.balance.iter().zip(power) {
            program.set(*place, p / budget);
        }
        let unit = users.bits(1.0);
        let (mut constant, mut by_s, mut by_u, mut next) = (0.0, 0.0, 0.0, 0);
        self.cost.fill(0.0);
        for k in 0..users.users() {
            let shared = (self.group_power[users.groups.of(k)] - power[k]).max(0.0);
            let interference = users.background(k, communication, sensing) + users.gain[k] * shared;
            let sinr = users.gain[k] * power[k] / interference;
            let weight = unit * sinr / (1.0 + sinr);
            let per_power = weight / interference;
            let level = unit * sinr.ln_1p() + 2.0 * weight - per_power * users.noise;
            let (s, u) = (per_power * users.leakage[k] * budget, per_power * users.fading[k] * budget);
            match (&self.bounds, &form.utility) {
                (Bounds::Sum(sum), Utility::Sum(weights)) if weights[k] != 0.0 => {
                    program.set(sum.t[next], -weights[k] * weight);
                    next += 1;
                    constant += weights[k] * level;
                    by_s -= weights[k] * s;
                    by_u -= weights[k] * u;
                    if shared > 0.0 {
                        for j in others(system, k) {
                            self.cost[j] -= weights[k] * per_power * users.gain[k] * power[j];
                        }
                    }
                }
                (Bounds::Rows(rows), _) => {
                    let row = &rows[k];
                    program.set(row.constant, level);
                    program.set(row.t, -weight);
                    program.set(row.s, -s);
                    program.set(row.u, -u);
                    for (j, place) in &row.shared {
                        program.set(*place, -per_power * users.gain[k] * power[*j]);
                    }
                }
                _ => {}
            }
            if let Some(places) = &self.floors[k] {
                for (j, place) in places {
                    let factor = if *j == k { 1.0 / form.sinr[k] } else { -1.0 };
                    program.set(*place, factor * users.gain[k] * power[*j] / users.noise);
                }
            }
        }
        if let Bounds::Sum(sum) = &self.bounds {
            program.set(sum.constant, constant);
            program.set(sum.s, by_s);
            program.set(sum.u, by_u);
            for (place, cost) in sum.z.iter().zip(&self.cost) {
                program.set(*place, *cost);
            }
        }
        if let Some(place) = self.sensing {
            program.set(place, -sensing / budget);
        }
        Ok(())
    }

    fn read(&self, solution: &[f64], design: &mut Design) {
        if let Some((sensing, power)) = design.split_last_mut() {
            for ((p, own), z) in power.iter_mut().zip(&self.power).zip(&solution[self.z.range()]) {
                *p = own * z.max(0.0);
            }
            *sensing = self.form.budget * solution[self.u.index()].max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conic::Status;
    use crate::math::RandomStream;
    use crate::model::SystemModel;
    use crate::problem::{Constraint as Bound, Problem};
    use crate::scenarios::monostatic::Monostatic;
    use crate::scenarios::monostatic::samples::{design, instance};

    /// The point of the program that stands for a design: every auxiliary variable at its best.
    fn point(surrogate: &mut ConicSurrogate, design: &Design) -> Option<Vec<f64>> {
        // The best point with the powers held: the auxiliary variables follow from the program itself.
        let mut held = ConicSurrogate::new(
            Arc::clone(&surrogate.system),
            Form { crlb: [f64::INFINITY; 2], sinr: vec![0.0; surrogate.power.len()], ..surrogate.form.clone() },
        );
        let tight = Design::new(surrogate.power.iter().copied().chain([design[design.len() - 1]]).collect());
        held.at(&tight).unwrap();
        let users = held.power.len();
        let ratio = |k: usize| design[k] / surrogate.power[k];
        let z = held.z;
        held.program.constrain(Cone::Zero, (0..users).map(|k| z.get(k) - ratio(k)));
        let level = design[users] / held.form.budget;
        held.program.constrain(Cone::Zero, [held.u - level]);
        let solution = held.program.solve().unwrap();
        solution.status.has_optimum().then(|| solution.x.clone())
    }

    #[test]
    fn the_crlb_cones_hold_exactly_where_the_crlbs_do() {
        let (mut inside, mut outside) = (0, 0);
        for trial in 0..60 {
            let mut stream = RandomStream::keyed(1, "crlb cones", "", 0, trial);
            let mut instance = instance(&mut stream, false, trial % 2 == 0);
            let users = instance.users();
            let system = System::new(instance.clone());
            let budget = instance.transmit_power;
            let [azimuth, elevation] = system.sensing.crlb(0.5 * budget, 0.5 * budget);
            instance.crlb_azimuth_limit = Some(azimuth * (0.8 + 2.0 * stream.uniform()));
            instance.crlb_elevation_limit = Some(elevation * (0.8 + 2.0 * stream.uniform()));
            let model = Arc::new(Monostatic::new(instance));
            let spec = model.default_problem();
            let problem = Problem::new(model.clone(), spec.clone()).unwrap();
            let mut judge = problem.evaluator();
            let form = Form::new(model.system(), &spec).unwrap();
            for _ in 0..20 {
                let total = budget * (0.4 + 0.6 * stream.uniform());
                let design = design(&mut stream, users, total);
                let violation = judge.evaluate(&design).unwrap().violation;
                if violation > 0.0 && violation < 1e-6 {
                    continue;
                }
                // Hold all powers: the program is feasible exactly where the design is.
                let held = Form { fixed_power: true, fixed_sensing: true, ..form.clone() };
                let mut surrogate = ConicSurrogate::new(Arc::clone(model.system()), held);
                surrogate.at(&design).unwrap();
                let status = surrogate.program.solve().unwrap().status;
                let feasible = violation == 0.0;
                assert_eq!(status.has_optimum(), feasible, "trial {trial}: {violation} {status:?}");
                inside += usize::from(feasible);
                outside += usize::from(status == Status::Infeasible);
            }
        }
        assert!(inside > 100 && outside > 100, "{inside} {outside}");
    }

    #[test]
    fn the_bound_is_tight_at_its_design_and_below_elsewhere() {
        for (trial, objective) in (0..).zip(["sum_rate", "weighted_sum_rate", "min_rate", "sum_log_rate"].repeat(8)) {
            let mut stream = RandomStream::keyed(1, "tight", "", 0, trial);
            let instance = instance(&mut stream, trial % 8 < 4, false);
            let (users, budget) = (instance.users(), instance.transmit_power);
            let model = Arc::new(Monostatic::new(instance));
            let spec = ProblemSpec::new(objective, vec![Bound::at_most("transmit_power", budget)]);
            let problem = Problem::new(model.clone(), spec.clone()).unwrap();
            let mut judge = problem.evaluator();
            let mut surrogate =
                ConicSurrogate::new(Arc::clone(model.system()), Form::new(model.system(), &spec).unwrap());
            let tight = design(&mut stream, users, 0.9 * budget);
            surrogate.at(&tight).unwrap();
            for step in [0.0, 1e-2, 0.3, 3.0, 3.0] {
                let other = Design::new(tight.iter().map(|x| x * (step * stream.normal()).exp()).collect());
                let share = (budget / other.iter().sum::<f64>()).min(1.0);
                let other = Design::new(other.iter().map(|x| x * share).collect());
                // A bound below 0 on a rate has no logarithm: the program has no such point.
                let Some(x) = point(&mut surrogate, &other) else {
                    assert!(objective == "sum_log_rate" && step > 0.1, "{objective} {step}");
                    continue;
                };
                let bound = surrogate.program.objective_at(&x);
                let value = judge.evaluate(&other).unwrap().objective;
                let slack = 1e-6 * value.abs().max(1.0);
                assert!(bound <= value + slack, "{objective} {step}: {bound} > {value}");
                assert!(step > 0.0 || bound >= value - slack, "{objective}: {bound} < {value}");
            }
        }
    }
}
