//! Strictly convex quadratic programs by the dual active-set method of Goldfarb and Idnani
//! (doi:10.1007/BF02591962): it starts at the unconstrained minimum, adds one violated constraint after the other, and
//! ends after finitely many steps with the solution and its multipliers, or with the proof that there is none.

/// `min g'd + d'B d / 2` subject to `a_i'd <= b_i` and `lower <= d <= upper`, n variables and m rows.
pub(crate) struct QuadraticProgram {
    n: usize,
    /// `L^-T Q`, row-major, where `B = L L'` and Q rotates: its first columns span the active normals.
    j: Vec<f64>,
    /// The triangular factor of the active normals, column by column.
    r: Vec<f64>,
    factor: Vec<f64>,
    active: Vec<Constraint>,
    multipliers: Vec<f64>,
    d: Vec<f64>,
    direction: Vec<f64>,
    dual: Vec<f64>,
    /// The solution.
    pub(crate) solution: Vec<f64>,
    /// The rows' multipliers, 0 or more.
    pub(crate) row_multipliers: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Constraint {
    Row(usize),
    Lower(usize),
    Upper(usize),
}

/// The data of a program.
pub(crate) struct Data<'a> {
    /// `B`, row-major, positive definite.
    pub(crate) hessian: &'a [f64],
    /// `g`.
    pub(crate) gradient: &'a [f64],
    /// `a_i`, row-major.
    pub(crate) rows: &'a [f64],
    /// `b_i`.
    pub(crate) limits: &'a [f64],
    /// Lower bounds, perhaps infinite.
    pub(crate) lower: &'a [f64],
    /// Upper bounds, perhaps infinite.
    pub(crate) upper: &'a [f64],
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Solved.
    Solved,
    /// There is no point that satisfies all constraints.
    Infeasible,
    /// The Hessian is not positive definite, or rounding errors won.
    Failed,
}

impl QuadraticProgram {
    /// Room for a program of n variables.
    pub(crate) fn new(n: usize) -> Self {
        Self {
            n,
            j: vec![0.0; n * n],
            r: vec![0.0; n * n],
            factor: vec![0.0; n * n],
            active: Vec::new(),
            multipliers: Vec::new(),
            d: vec![0.0; n],
            direction: vec![0.0; n],
            dual: vec![0.0; n],
            solution: vec![0.0; n],
            row_multipliers: Vec::new(),
        }
    }

    /// Solves a program.
    pub(crate) fn solve(&mut self, data: &Data) -> Answer {
        let n = self.n;
        self.active.clear();
        self.multipliers.clear();
        self.row_multipliers.clear();
        self.row_multipliers.resize(data.limits.len(), 0.0);
        if !self.factorize(data.hessian) {
            return Answer::Failed;
        }
        // Unconstrained minimum: d = -J J' g.
        self.project(data.gradient);
        for i in 0..n {
            self.solution[i] = -(0..n).map(|k| self.j[i * n + k] * self.d[k]).sum::<f64>();
        }
        for _ in 0..20 * (n + data.limits.len()) + 100 {
            let Some((constraint, mut slack)) = self.most_violated(data) else {
                for (constraint, multiplier) in self.active.iter().zip(&self.multipliers) {
                    if let Constraint::Row(i) = constraint {
                        self.row_multipliers[*i] = *multiplier;
                    }
                }
                return Answer::Solved;
            };
            let mut multiplier = 0.0;
            loop {
                let q = self.active.len();
                self.project_normal(constraint, data);
                // The step that keeps the active constraints tight, and what it does to their multipliers.
                for i in 0..n {
                    self.direction[i] = (q..n).map(|k| self.j[i * n + k] * self.d[k]).sum();
                }
                for i in (0..q).rev() {
                    let rest: f64 = (i + 1..q).map(|k| self.r[i * n + k] * self.dual[k]).sum();
                    self.dual[i] = (self.d[i] - rest) / self.r[i * n + i];
                }
                let curvature: f64 = self.d[q..].iter().map(|x| x * x).sum();
                let size: f64 = self.d.iter().map(|x| x * x).sum();
                let full = if curvature > 1e-22 * size { -slack / curvature } else { f64::INFINITY };
                let blocking = (0..q)
                    .filter(|i| self.dual[*i] > 0.0)
                    .map(|i| (self.multipliers[i] / self.dual[i], i))
                    .min_by(|a, b| a.0.total_cmp(&b.0));
                let partial = blocking.map_or(f64::INFINITY, |b| b.0);
                let step = full.min(partial);
                if step == f64::INFINITY {
                    return Answer::Infeasible;
                }
                if !step.is_finite() {
                    return Answer::Failed;
                }
                for i in 0..q {
                    self.multipliers[i] -= step * self.dual[i];
                }
                multiplier += step;
                if full.is_finite() {
                    for i in 0..n {
                        self.solution[i] += step * self.direction[i];
                    }
                    slack += step * curvature;
                }
                if full <= partial {
                    self.add(constraint, multiplier);
                    break;
                }
                if let Some((_, index)) = blocking {
                    self.drop(index);
                }
            }
        }
        Answer::Failed
    }

    /// `B = L L'`, then `J = L^-T`.
    fn factorize(&mut self, hessian: &[f64]) -> bool {
        let n = self.n;
        let l = &mut self.factor;
        for i in 0..n {
            for k in 0..=i {
                let inner: f64 = (0..k).map(|c| l[i * n + c] * l[k * n + c]).sum();
                let value = hessian[i * n + k] - inner;
                if i == k {
                    if value.is_nan() || value <= 0.0 {
                        return false;
                    }
                    l[i * n + i] = value.sqrt();
                } else {
                    l[i * n + k] = value / l[k * n + k];
                }
            }
        }
        // Column c of L^-1 is row c of J.
        self.j.fill(0.0);
        for c in 0..n {
            self.j[c * n + c] = 1.0 / l[c * n + c];
            for i in c + 1..n {
                let inner: f64 = (c..i).map(|k| l[i * n + k] * self.j[c * n + k]).sum();
                self.j[c * n + i] = -inner / l[i * n + i];
            }
        }
        true
    }

    /// `d = J' v`.
    fn project(&mut self, v: &[f64]) {
        self.d.fill(0.0);
        for (row, x) in self.j.chunks_exact(self.n).zip(v) {
            if *x != 0.0 {
                self.d.iter_mut().zip(row).for_each(|(d, j)| *d += x * j);
            }
        }
    }

    /// `d = J' n` for the inner normal n of a constraint.
    fn project_normal(&mut self, constraint: Constraint, data: &Data) {
        let n = self.n;
        match constraint {
            Constraint::Row(i) => {
                self.project(&data.rows[i * n..(i + 1) * n]);
                self.d.iter_mut().for_each(|d| *d = -*d);
            }
            Constraint::Lower(i) => self.d.copy_from_slice(&self.j[i * n..(i + 1) * n]),
            Constraint::Upper(i) => {
                for (d, j) in self.d.iter_mut().zip(&self.j[i * n..(i + 1) * n]) {
                    *d = -*j;
                }
            }
        }
    }

    /// The constraint that is missed most, relative to the size of its terms, with its (negative) slack.
    fn most_violated(&self, data: &Data) -> Option<(Constraint, f64)> {
        let n = self.n;
        let mut worst = (None, -1e-13);
        let mut consider = |constraint: Constraint, slack: f64, size: f64| {
            let relative = slack / size;
            if relative < worst.1 && !self.active.contains(&constraint) {
                worst = (Some((constraint, slack)), relative);
            }
        };
        for (i, limit) in data.limits.iter().enumerate() {
            let row = &data.rows[i * n..(i + 1) * n];
            let (mut value, mut size) = (0.0, limit.abs().max(1e-3));
            for (a, d) in row.iter().zip(&self.solution) {
                value += a * d;
                size += (a * d).abs();
            }
            consider(Constraint::Row(i), limit - value, size);
        }
        for (i, d) in self.solution.iter().enumerate() {
            let size = d.abs().max(1.0);
            consider(Constraint::Lower(i), d - data.lower[i], size);
            consider(Constraint::Upper(i), data.upper[i] - d, size);
        }
        worst.0
    }

    /// Rotates the new normal's tail (it stands in `d`) onto one column, and makes it active.
    fn add(&mut self, constraint: Constraint, multiplier: f64) {
        let (n, q) = (self.n, self.active.len());
        for k in (q + 1..n).rev() {
            let (a, b) = (self.d[k - 1], self.d[k]);
            let length = a.hypot(b);
            if b == 0.0 || length == 0.0 {
                continue;
            }
            let (c, s) = (a / length, b / length);
            (self.d[k - 1], self.d[k]) = (length, 0.0);
            for row in self.j.chunks_exact_mut(n) {
                let (x, y) = (row[k - 1], row[k]);
                (row[k - 1], row[k]) = (c * x + s * y, c * y - s * x);
            }
        }
        for i in 0..=q {
            self.r[i * n + q] = self.d[i];
        }
        self.active.push(constraint);
        self.multipliers.push(multiplier);
    }

    /// Drops an active constraint and makes the factor triangular again.
    fn drop(&mut self, index: usize) {
        let (n, q) = (self.n, self.active.len());
        self.active.remove(index);
        self.multipliers.remove(index);
        for column in index + 1..q {
            for i in 0..=column {
                self.r[i * n + column - 1] = self.r[i * n + column];
            }
        }
        for k in index..q - 1 {
            let (a, b) = (self.r[k * n + k], self.r[(k + 1) * n + k]);
            let length = a.hypot(b);
            if b == 0.0 || length == 0.0 {
                continue;
            }
            let (c, s) = (a / length, b / length);
            for column in k..q - 1 {
                let (x, y) = (self.r[k * n + column], self.r[(k + 1) * n + column]);
                self.r[k * n + column] = c * x + s * y;
                self.r[(k + 1) * n + column] = c * y - s * x;
            }
            for row in self.j.chunks_exact_mut(n) {
                let (x, y) = (row[k], row[k + 1]);
                (row[k], row[k + 1]) = (c * x + s * y, c * y - s * x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::RandomStream;

    /// Solves random programs and checks the conditions of Karush, Kuhn and Tucker.
    #[test]
    fn solutions_satisfy_the_optimality_conditions() {
        let mut stream = RandomStream::keyed(5, "test", "", 0, 0);
        for trial in 0..200 {
            let (n, m) = (1 + trial % 9, trial % 6);
            let a: Vec<f64> = (0..n * n).map(|_| stream.normal()).collect();
            let mut hessian = vec![0.0; n * n];
            for i in 0..n {
                for k in 0..n {
                    let inner: f64 = (0..n).map(|c| a[i * n + c] * a[k * n + c]).sum();
                    hessian[i * n + k] = inner + if i == k { 0.1 } else { 0.0 };
                }
            }
            let gradient: Vec<f64> = (0..n).map(|_| 3.0 * stream.normal()).collect();
            let rows: Vec<f64> = (0..n * m).map(|_| stream.normal()).collect();
            // 0.1 in every coordinate is feasible.
            let inside: Vec<f64> =
                (0..m).map(|i| rows[i * n..(i + 1) * n].iter().sum::<f64>() * 0.1 + 0.2 * stream.uniform()).collect();
            let (lower, upper) = (vec![0.0; n], vec![1.0; n]);
            let data = Data {
                hessian: &hessian,
                gradient: &gradient,
                rows: &rows,
                limits: &inside,
                lower: &lower,
                upper: &upper,
            };
            let mut program = QuadraticProgram::new(n);
            assert_eq!(program.solve(&data), Answer::Solved, "trial {trial}");
            let d = &program.solution;
            for i in 0..m {
                let slack = inside[i] - rows[i * n..(i + 1) * n].iter().zip(d).map(|(a, x)| a * x).sum::<f64>();
                let multiplier = program.row_multipliers[i];
                assert!(slack > -1e-10 && multiplier >= 0.0 && (slack * multiplier).abs() < 1e-8, "trial {trial}");
            }
            for i in 0..n {
                assert!((-1e-12..=1.0 + 1e-12).contains(&d[i]));
                let mut slope = gradient[i] + (0..n).map(|k| hessian[i * n + k] * d[k]).sum::<f64>();
                slope += (0..m).map(|r| program.row_multipliers[r] * rows[r * n + i]).sum::<f64>();
                let at_lower = d[i] < 1e-9;
                let at_upper = d[i] > 1.0 - 1e-9;
                let ok = slope.abs() < 1e-7 || at_lower && slope > 0.0 || at_upper && slope < 0.0;
                assert!(ok, "trial {trial}: slope {slope} at {}", d[i]);
            }
        }
    }

    #[test]
    fn contradictions_are_recognised() {
        let data = Data {
            hessian: &[1.0, 0.0, 0.0, 1.0],
            gradient: &[1.0, 1.0],
            rows: &[1.0, 1.0, -1.0, -1.0],
            limits: &[1.0, -1.5],
            lower: &[f64::NEG_INFINITY; 2],
            upper: &[f64::INFINITY; 2],
        };
        assert_eq!(QuadraticProgram::new(2).solve(&data), Answer::Infeasible);
        let indefinite = Data { hessian: &[1.0, 0.0, 0.0, -1.0], rows: &[], limits: &[], ..data };
        assert_eq!(QuadraticProgram::new(2).solve(&indefinite), Answer::Failed);
    }
}
