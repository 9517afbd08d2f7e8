//! What the layer promises, over all cones.

use super::*;
use crate::math::RandomStream;

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs().max(1.0)
}

#[test]
fn a_linear_program_with_its_prices() {
    // maximize 3x + 5y under x <= 4, 2y <= 12, 3x + 2y <= 18: optimum 36 at (2, 6), prices 0, 3/2, 1.
    let mut program = Program::new(Sense::Maximize);
    let v = program.variables(2);
    let (x, y) = (v.get(0), v.get(1));
    program.objective(3.0 * x + 5.0 * y + 1.0);
    let limits =
        program.constrain(Cone::NonNegative, [-x + 4.0, -2.0 * y + 12.0, Expression::from(18.0) - 3.0 * x - 2.0 * y]);
    program.constrain(Cone::NonNegative, [x.into(), y.into()]);
    let solution = program.solve().unwrap().clone();
    assert_eq!(solution.status, Status::Solved);
    assert!(close(solution.objective, 37.0, 1e-7) && close(solution.dual_objective, 37.0, 1e-7));
    for (got, want) in solution.x.iter().chain(&solution.dual[limits.range()]).zip([2.0, 6.0, 0.0, 1.5, 1.0]) {
        assert!(close(*got, want, 1e-6), "{solution:?}");
    }
    let bound = program.bound(&[10.0, 10.0]).unwrap();
    assert!((37.0..37.0 + 1e-5).contains(&bound), "{bound}");
    assert_eq!(program.bound(&[10.0, f64::INFINITY]), None);
}

#[test]
fn a_rotated_cone_and_its_prices() {
    // minimize 4 t + z under t z >= 1: t = 1/2, z = 2. Betterment per unit of each row's constant by hand:
    // with 2 (t + a)(z + b) >= (sqrt 2 + c)², f = 2 sqrt(4 (sqrt 2 + c)² / 2) - 4 a - b.
    let mut program = Program::new(Sense::Minimize);
    let v = program.variables(2);
    let (t, z) = (v.get(0), v.get(1));
    program.objective(4.0 * t + z);
    let cone = program.constrain(Cone::RotatedSecondOrder, [t.into(), z.into(), 2f64.sqrt().into()]);
    let solution = program.solve().unwrap();
    assert!(close(solution.objective, 4.0, 1e-7), "{solution:?}");
    assert!(close(solution.x[0], 0.5, 1e-3) && close(solution.x[1], 2.0, 1e-3), "{solution:?}");
    for (got, want) in solution.dual[cone.range()].iter().zip([4.0, 1.0, -(8f64.sqrt())]) {
        assert!(close(*got, want, 1e-6), "{:?}", solution.dual);
    }
}

#[test]
fn an_exponential_cone_and_its_prices() {
    // maximize u + v under u <= ln r, v <= ln s, r + s <= 4: 2 ln 2; another unit of r + s gives 1/2.
    let mut program = Program::new(Sense::Maximize);
    let logs = program.variables(2);
    let rates = program.variables(2);
    program.objective(logs.get(0) + logs.get(1));
    for k in 0..2 {
        program.constrain(Cone::Exponential, [logs.get(k).into(), 1.0.into(), rates.get(k).into()]);
    }
    let budget = program.constrain(Cone::NonNegative, [Expression::from(4.0) - rates.get(0) - rates.get(1)]);
    let solution = program.solve().unwrap();
    assert_eq!(solution.status, Status::Solved);
    assert!(close(solution.objective, 2.0 * 2f64.ln(), 1e-7));
    assert!(close(solution.values(rates)[1], 2.0, 1e-3), "{solution:?}");
    assert!(close(solution.dual[budget.row_index(0)], 0.5, 1e-4), "{solution:?}");
}

#[test]
fn a_quadratic_objective_is_taken_as_written() {
    // maximize 2x - x² - x y - y² under x + y = 1: on the line 2x - 1 + x - x², best at x = 3/2: value 5/4, price -1/2.
    let mut program = Program::new(Sense::Maximize);
    let v = program.variables(2);
    let (x, y) = (v.get(0), v.get(1));
    program.objective(2.0 * x);
    program.quadratic(x, x, -1.0);
    program.quadratic(y, x, -1.0);
    program.quadratic(y, y, -1.0);
    let sum = program.constrain(Cone::Zero, [x + y - 1.0]);
    let solution = program.solve().unwrap();
    assert!(close(solution.x[0], 1.5, 1e-7) && close(solution.objective, 1.25, 1e-7));
    assert!(close(solution.dual_objective, 1.25, 1e-7));
    // With x + y = 1 - e, y = 1 - e - x: 2 x - x² - x y - y² betters by e / 2 to first order.
    assert!(close(solution.dual[sum.row_index(0)], 0.5, 1e-6), "{:?}", solution.dual);
    assert!(program.bound(&[10.0, 10.0]).is_some_and(|b| (1.25..1.25 + 1e-6).contains(&b)));
}

/// A random program whose optimum is known by construction: complementary s and z, then data that make them so.
struct Known {
    program: Program,
    optimum: f64,
    x: Vec<f64>,
}

fn known(stream: &mut RandomStream, row_units: i32, column_units: i32, sense: Sense) -> Known {
    let kinds = [
        (Cone::Zero, 1),
        (Cone::NonNegative, 5),
        (Cone::SecondOrder, 3),
        (Cone::RotatedSecondOrder, 4),
        (Cone::Exponential, 3),
        (Cone::SecondOrder, 6),
    ];
    let n = 8;
    let mut unit = |range: i32| 10f64.powi((f64::from(range) * (2.0 * stream.uniform() - 1.0)) as i32);
    let columns: Vec<f64> = (0..n).map(|_| unit(column_units)).collect();
    let objective_unit = unit(row_units);
    let row_factors: Vec<[f64; 3]> = kinds.iter().map(|_| [unit(row_units), unit(row_units), 0.0]).collect();
    let x: Vec<f64> = columns.iter().map(|c| c * stream.normal()).collect();
    let mut program = Program::new(sense);
    let v = program.variables(n);
    let mut cost = vec![0.0; n];
    for ((cone, rows), [f, g, _]) in kinds.into_iter().zip(row_factors) {
        let normal: Vec<f64> = (0..rows).map(|_| stream.normal()).collect();
        let length = |w: &[f64]| w.iter().map(|x| x * x).sum::<f64>().sqrt();
        let (mut s, mut z) = (normal.clone(), normal.clone());
        match cone {
            Cone::Zero => s.fill(0.0),
            Cone::NonNegative => {
                for i in 0..rows {
                    (s[i], z[i]) = if i % 2 == 0 { (normal[i].abs(), 0.0) } else { (0.0, normal[i].abs()) };
                }
            }
            Cone::SecondOrder => {
                s[0] = length(&s[1..]);
                z.iter_mut().for_each(|v| *v *= -0.7);
                z[0] = length(&z[1..]);
            }
            Cone::RotatedSecondOrder => {
                s[0] = s[0].abs() + 0.1;
                s[1] = length(&s[2..]).powi(2) / (2.0 * s[0]);
                z = s.iter().map(|v| -0.7 * v).collect();
                (z[0], z[1]) = (-z[1], -z[0]);
            }
            Cone::Exponential => {
                // On the boundary x = y ln(z / y); the dual is the negative gradient of x - y ln z + y ln y.
                s[1] = s[1].abs() + 0.1;
                s[2] = s[2].abs() + 0.1;
                let ratio = (s[2] / s[1]).ln();
                s[0] = s[1] * ratio;
                z = vec![-0.8, 0.8 * (ratio - 1.0), 0.8 * s[1] / s[2]];
            }
        }
        // Units: free for each row where the cone allows it, one a block elsewhere.
        let scale = |i: usize| match cone {
            Cone::RotatedSecondOrder => [f, g, (f * g).sqrt()][i.min(2)],
            _ => f,
        };
        let mut expressions = Vec::new();
        for i in 0..rows {
            let a: Vec<f64> = columns.iter().map(|c| stream.normal() / c).collect();
            let constant = s[i] - a.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>();
            for (c, a) in cost.iter_mut().zip(&a) {
                *c += a * z[i];
            }
            let terms = v.iter().zip(a).map(|(v, a)| (v, a * scale(i)));
            expressions.push(Expression::sum(terms) + constant * scale(i));
        }
        program.constrain(cone, expressions);
    }
    let sign = if sense == Sense::Minimize { objective_unit } else { -objective_unit };
    program.objective(Expression::sum(v.iter().zip(&cost).map(|(v, c)| (v, c * sign))));
    let optimum = program.objective_at(&x);
    Known { program, optimum, x: columns.iter().zip(x).map(|(c, x)| x / c).collect() }
}

#[test]
fn random_programs_of_all_cones_reach_their_known_optimum() {
    for trial in 0..200 {
        let mut stream = RandomStream::keyed(1, "known optimum", "", 0, trial);
        let sense = if trial % 2 == 0 { Sense::Minimize } else { Sense::Maximize };
        let mut known = known(&mut stream, 0, 0, sense);
        let solution = known.program.solve().unwrap().clone();
        assert_eq!(solution.status, Status::Solved, "trial {trial}");
        assert!(close(solution.objective, known.optimum, 1e-6), "trial {trial}");
        assert!(close(solution.dual_objective, known.optimum, 1e-6), "trial {trial}");
        assert!(solution.primal_residual < 1e-7 && solution.dual_residual < 1e-7);
        // The bound is on the right side, and tight.
        let limits: Vec<f64> = known.x.iter().map(|x| 2.0 * x.abs()).collect();
        let excess = (known.program.bound(&limits).unwrap() - known.optimum) * -sense.sign();
        assert!((0.0..1e-4).contains(&(excess + 1e-12)), "trial {trial}: {excess}");
    }
}

#[test]
fn unrefined_solves_reach_the_optimum_and_hard_ones_are_repeated() {
    let (mut solved, mut iterations) = (0, [0, 0]);
    for trial in 0..200 {
        let mut stream = RandomStream::keyed(1, "known optimum", "", 0, trial);
        let units = if trial % 2 == 0 { 0 } else { 15 };
        let mut known = known(&mut stream, units, units, Sense::Minimize);
        let refined = known.program.solve().unwrap().clone();
        known.program.set_settings(Settings { refined: false, ..Settings::default() });
        let quick = known.program.solve().unwrap().clone();
        // What one can solve, the other can.
        assert_eq!(refined.status, quick.status, "trial {trial}");
        let near = (quick.objective - known.optimum).abs() <= 1e-5 * known.optimum.abs().max(1e-3);
        solved += usize::from(quick.status == Status::Solved && near);
        // Told to refine again, it repeats itself to the bit.
        known.program.set_settings(Settings::default());
        assert_eq!(known.program.solve().unwrap().x, refined.x, "trial {trial}");
        iterations = [iterations[0] + refined.iterations, iterations[1] + quick.iterations];
    }
    assert!(solved >= 196, "{solved} of 200");
    assert!(iterations[1] < 2 * iterations[0], "{iterations:?}");
}

#[test]
fn raw_units_do_no_harm() {
    let mut solved = 0;
    for trial in 0..200 {
        let mut stream = RandomStream::keyed(2, "known optimum", "", 0, trial);
        let mut known = known(&mut stream, 15, 15, Sense::Minimize);
        let solution = known.program.solve().unwrap();
        let near = (solution.objective - known.optimum).abs() <= 1e-5 * known.optimum.abs();
        solved += usize::from(solution.status == Status::Solved && near);
    }
    assert!(solved >= 198, "{solved} of 200");
    // A noise of 1e-15 W beside a power of 1 W: the least power for an SINR of 2 over a gain of 1e-14.
    let mut program = Program::new(Sense::Minimize);
    let p = program.variables(1).get(0);
    program.objective(p);
    program.constrain(Cone::NonNegative, [1e-14 * p - 2e-15]);
    assert!(close(program.solve().unwrap().objective * 5.0, 1.0, 1e-7));
}

#[test]
fn an_infeasible_program_comes_with_its_certificate() {
    // x + y >= 3 in the disc of radius 2.
    let mut program = Program::new(Sense::Maximize);
    let v = program.variables(2);
    let (x, y) = (v.get(0), v.get(1));
    program.objective(x);
    let disc = program.constrain(Cone::SecondOrder, [2.0.into(), x.into(), y.into()]);
    let sum = program.constrain(Cone::NonNegative, [x + y - 3.0]);
    let solution = program.solve().unwrap();
    assert_eq!(solution.status, Status::Infeasible);
    let (d, s) = (&solution.dual[disc.range()], solution.dual[sum.row_index(0)]);
    assert!(d[0] >= d[1].hypot(d[2]) && s > 0.0);
    assert!((d[1] + s).abs() < 1e-6 * s && (d[2] + s).abs() < 1e-6 * s && 2.0 * d[0] - 3.0 * s < -0.05 * s);
    // Feasible again with a wider disc, in place.
    let radius = program.constant(disc.row(0));
    program.set(radius, 3.0);
    assert_eq!(program.solve().unwrap().status, Status::Solved);
}

#[test]
fn an_unbounded_program_comes_with_its_ray() {
    let mut program = Program::new(Sense::Maximize);
    let v = program.variables(2);
    let (x, y) = (v.get(0), v.get(1));
    program.objective(x - 0.5 * y);
    program.constrain(Cone::NonNegative, [y - x + 1.0, x.into()]);
    let solution = program.solve().unwrap();
    assert_eq!(solution.status, Status::Unbounded);
    let ray = &solution.x;
    assert!(ray[0] - 0.5 * ray[1] > 0.0 && ray[1] - ray[0] >= -1e-6 && ray[0] >= -1e-6);
    // Without any row, too.
    let mut free = Program::new(Sense::Minimize);
    let x = free.variables(1).get(0);
    free.objective(x);
    assert_ne!(free.solve().unwrap().status, Status::Solved);
}

#[test]
fn setting_numbers_in_place_equals_building_anew() {
    // The disc of radius r cut by t (x + y) <= 1, then with other numbers.
    let build = |r: f64, t: f64, c: f64| {
        let mut program = Program::new(Sense::Maximize);
        let v = program.variables(3);
        program.objective(v.get(0) + c * v.get(1));
        let disc = program.constrain(Cone::SecondOrder, [r.into(), v.get(0).into(), v.get(1).into()]);
        let cut = program.constrain(Cone::NonNegative, [Expression::from(1.0) - t * v.get(0) - t * v.get(1)]);
        let rotated = program.constrain(Cone::RotatedSecondOrder, [v.get(2) * t, v.get(0) + 2.0 * r, 1.0.into()]);
        let bend = program.quadratic(v.get(2), v.get(2), -c);
        (program, v, disc, cut, rotated, bend)
    };
    let (mut changed, v, disc, cut, rotated, bend) = build(1.0, 0.0, 2.0);
    changed.solve().unwrap();
    for (r, t, c) in [(2.0, 0.7, 3.0), (1e-3, 40.0, 0.5), (2e7, 1e-5, 1e4)] {
        let handles = [
            (changed.constant(disc.row(0)), r),
            (changed.coefficient(cut.row(0), v.get(0)), -t),
            (changed.coefficient(cut.row(0), v.get(1)), -t),
            (changed.cost(v.get(1)), c),
            (bend, -c),
        ];
        handles.into_iter().for_each(|(handle, value)| changed.set(handle, value));

        let handles = [(changed.coefficient(rotated.row(0), v.get(2)), t), (changed.constant(rotated.row(1)), 2.0 * r)];
        handles.into_iter().for_each(|(handle, value)| changed.set(handle, value));
        let (mut fresh, ..) = build(r, t, c);
        let fresh = fresh.solve().unwrap();
        let again = changed.solve().unwrap();
        assert_eq!(fresh, again);
        assert!(fresh.status.has_optimum(), "{fresh:?}");
    }
}

#[test]
fn numbers_that_are_none_are_named_and_nothing_panics() {
    let mut program = Program::new(Sense::Minimize);
    let v = program.variables(2);
    program.objective(v.get(0) + v.get(1));
    let rows = program.constrain(Cone::NonNegative, [v.get(0) - 1.0, v.get(1) - 1.0]);
    let coefficient = program.coefficient(rows.row(1), v.get(1));
    for bad in [f64::NAN, f64::INFINITY] {
        program.set(coefficient, bad);
        let message = program.solve().unwrap_err().to_string();
        assert!(message.contains("variable 1 in row 1"), "{message}");
    }
    program.set(coefficient, 1.0);
    assert!(close(program.solve().unwrap().objective, 2.0, 1e-7));
    let cost = program.cost(v.get(0));
    program.set(cost, f64::NAN);
    assert!(program.solve().unwrap_err().to_string().contains("objective"));
    assert!(Program::new(Sense::Minimize).solve().is_err());
    // The largest and the smallest numbers of all.
    program.set(cost, f64::MAX);
    program.set(coefficient, f64::MIN_POSITIVE);
    program.solve().unwrap();
}
