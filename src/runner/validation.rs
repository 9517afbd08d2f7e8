//! Closed forms held against ground truth, for any model: metrics against Monte-Carlo of the raw signals, Cramér-Rao
//! bounds against numerical Fisher information, gradients against finite differences.

use std::sync::Arc;

use crate::design::{Design, Domain};
use crate::error::Result;
use crate::math::{RandomStream, derivative};
use crate::metric::{MetricSet, MetricValues};
use crate::model::SystemModel;
use crate::problem::Problem;
use crate::simulation::{Draws, estimate};
use crate::structure::Gradient;

/// A figure agrees with its simulation where its z-score stays below this. By luck alone one in 15,800 does not.
pub const LARGEST_Z: f64 = 4.0;

/// A Cramér-Rao bound agrees where the information that it stands for differs by at most this share of the
/// parameter's own information.
pub const LARGEST_INFORMATION_DIFFERENCE: f64 = 1e-7;

/// Bounds are compared only where the Fisher matrix, scaled to a unit diagonal, has a condition below this.
pub const LARGEST_CONDITION: f64 = 1e8;

/// A gradient agrees where no coordinate differs by more than this share of the largest one.
pub const LARGEST_GRADIENT_DIFFERENCE: f64 = 1e-6;

/// At most so many coordinates of a gradient are looked at.
const COORDINATES: usize = 64;

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both agree.
    Agrees,
    /// They do not.
    Differs,
    /// Nothing was compared, for this reason.
    NotCompared(String),
}

impl Verdict {
    /// In a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::Agrees => "agrees".into(),
            Self::Differs => "DIFFERS".into(),
            Self::NotCompared(why) => format!("not compared: {why}"),
        }
    }
}

/// One entry of a metric against Monte-Carlo.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedFigure {
    /// The metric.
    pub metric: String,
    /// The metric, with its entry where it has several: `sinr[3]`, counted from 0.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// The closed form.
    pub closed_form: f64,
    /// The simulation.
    pub simulated: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// (closed form - simulation) / standard error.
    pub z_score: Option<f64>,
    /// Whether they agree.
    pub verdict: Verdict,
}

/// One Cramér-Rao bound against numerical Fisher information.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundFigure {
    /// The metric, with its entry where it has several.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// The parameter that it bounds.
    pub parameter: String,
    /// The closed form.
    pub closed_form: f64,
    /// From the numerical Fisher matrix.
    pub numerical: f64,
    /// `|1 / closed form - 1 / numerical| / J_ii`.
    pub difference: f64,
    /// The condition of the Fisher matrix scaled to a unit diagonal.
    pub condition: f64,
    /// Whether they agree.
    pub verdict: Verdict,
}

/// One gradient against finite differences.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientFigure {
    /// The function: the objective's name, or the constraint's.
    pub name: String,
    /// How many coordinates were looked at.
    pub coordinates: usize,
    /// The largest difference of one of them, as a share of the largest coordinate, each in its block's scale; also
    /// the difference of the function's value from the model's.
    pub difference: f64,
    /// Whether they agree.
    pub verdict: Verdict,
}

/// All comparisons of one design.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// Metrics against Monte-Carlo.
    pub simulated: Vec<SimulatedFigure>,
    /// Bounds against Fisher information.
    pub bounds: Vec<BoundFigure>,
    /// Gradients against finite differences.
    pub gradients: Vec<GradientFigure>,
    /// Why there is no gradient to look at, where there is none.
    pub no_gradient: Option<String>,
    /// Metrics without any ground truth.
    pub uncovered: Vec<String>,
    /// How many draws the simulation made.
    pub draws: u64,
}

impl Validation {
    /// Whether nothing differs.
    pub fn passed(&self) -> bool {
        self.verdicts().all(|v| *v != Verdict::Differs)
    }

    /// How many comparisons were made.
    pub fn compared(&self) -> usize {
        self.verdicts().filter(|v| matches!(v, Verdict::Agrees | Verdict::Differs)).count()
    }

    /// How many figures were compared with Monte-Carlo: each differs by luck with a chance of 6.3e-5.
    pub fn compared_with_simulation(&self) -> usize {
        self.simulated.iter().filter(|f| f.z_score.is_some()).count()
    }

    /// The largest |z|.
    pub fn largest_z(&self) -> f64 {
        self.simulated.iter().filter_map(|f| f.z_score).fold(0.0, |a, z| a.max(z.abs()))
    }

    /// The names of all that differs.
    pub fn differing(&self) -> Vec<&str> {
        let simulated = self.simulated.iter().map(|f| (&f.name, &f.verdict));
        let bounds = self.bounds.iter().map(|f| (&f.name, &f.verdict));
        let all = simulated.chain(bounds).chain(self.gradients.iter().map(|f| (&f.name, &f.verdict)));
        all.filter(|(_, verdict)| **verdict == Verdict::Differs).map(|(name, _)| name.as_str()).collect()
    }

    fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        let simulated = self.simulated.iter().map(|f| &f.verdict);
        simulated.chain(self.bounds.iter().map(|f| &f.verdict)).chain(self.gradients.iter().map(|f| &f.verdict))
    }
}

/// Makes all comparisons that a model and a problem on it offer, at one design. `progress` hears the draws done.
pub fn validate(
    problem: &Arc<Problem>,
    design: &Design,
    draws: Draws,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Validation> {
    let model = problem.model().as_ref();
    let mut values = MetricValues::new(model.metrics());
    model.evaluate(design, MetricSet::first(model.metrics().len()), &mut model.workspace(), &mut values)?;
    let mut covered = MetricSet::EMPTY;
    let bounds = bounds(model, design, &values, &mut covered);
    let simulated = simulated(model, design, &values, draws, progress, &mut covered)?;
    let (gradients, no_gradient) = match &problem.structure().gradient {
        Ok(factory) => (gradients(problem, factory().as_mut(), design, draws.seed)?, None),
        Err(refusal) => (Vec::new(), Some(refusal.to_string())),
    };
    let uncovered = model.metrics().iter().enumerate().filter(|(i, _)| !covered.contains(*i));
    let uncovered = uncovered.map(|(_, m)| m.id.clone()).collect();
    let draws = if simulated.is_empty() { 0 } else { draws.count };
    Ok(Validation { simulated, bounds, gradients, no_gradient, uncovered, draws })
}

/// A metric's name, with the entry where it has several.
fn entry_name(model: &dyn SystemModel, metric: usize, entry: usize) -> String {
    let info = &model.metrics()[metric];
    let mut rest = entry;
    let mut index = Vec::new();
    for size in info.shape.iter().rev() {
        index.push((rest % size).to_string());
        rest /= size;
    }
    index.reverse();
    if index.is_empty() { info.id.clone() } else { format!("{}[{}]", info.id, index.join(",")) }
}

fn simulated(
    model: &dyn SystemModel,
    design: &Design,
    values: &MetricValues,
    draws: Draws,
    progress: &mut dyn FnMut(u64) -> bool,
    covered: &mut MetricSet,
) -> Result<Vec<SimulatedFigure>> {
    let mut figures = Vec::new();
    for estimate in estimate(model, design, draws, progress)?.unwrap_or_default() {
        covered.insert(estimate.metric);
        for (entry, closed_form) in values.get(estimate.metric).iter().enumerate() {
            let z_score = estimate.z_score(entry, *closed_form);
            let verdict = match z_score {
                Some(z) if z.abs() < LARGEST_Z => Verdict::Agrees,
                Some(_) => Verdict::Differs,
                None if closed_form.is_nan() => Verdict::Differs,
                None if closed_form.is_infinite() => Verdict::NotCompared("the closed form is infinite".into()),
                None => Verdict::NotCompared("the simulation gives no finite number".into()),
            };
            figures.push(SimulatedFigure {
                metric: model.metrics()[estimate.metric].id.clone(),
                name: entry_name(model, estimate.metric, entry),
                unit: model.metrics()[estimate.metric].unit.clone(),
                closed_form: *closed_form,
                simulated: estimate.mean[entry],
                standard_error: estimate.standard_error[entry],
                z_score,
                verdict,
            });
        }
    }
    Ok(figures)
}

fn bounds(
    model: &dyn SystemModel,
    design: &Design,
    values: &MetricValues,
    covered: &mut MetricSet,
) -> Vec<BoundFigure> {
    let mut figures = Vec::new();
    for signal in model.signals(design) {
        let information = signal.information();
        let (condition, numerical) = (information.condition(), information.bounds());
        for (i, unknown) in signal.unknowns.iter().enumerate() {
            let Some((id, entry)) = unknown.bounded_by else { continue };
            let Some(metric) = model.metrics().iter().position(|m| m.id == id) else { continue };
            covered.insert(metric);
            let closed_form = values.get(metric)[entry];
            let own = information.matrix[(i, i)];
            let difference = (1.0 / closed_form - 1.0 / numerical[i]).abs() / own;
            let verdict = if closed_form.is_nan() || closed_form <= 0.0 {
                Verdict::Differs
            } else if condition >= LARGEST_CONDITION {
                Verdict::NotCompared(format!("the Fisher matrix has condition {condition:.1e}"))
            } else if difference <= LARGEST_INFORMATION_DIFFERENCE {
                Verdict::Agrees
            } else {
                Verdict::Differs
            };
            figures.push(BoundFigure {
                name: entry_name(model, metric, entry),
                unit: model.metrics()[metric].unit.clone(),
                parameter: unknown.name.clone(),
                closed_form,
                numerical: numerical[i],
                difference,
                condition,
                verdict,
            });
        }
    }
    figures
}

/// Compares objective and constraints with the model's values, and their gradients with finite differences, at the
/// design moved 1 % of each block's scale away from its domain's edges.
fn gradients(
    problem: &Arc<Problem>,
    gradient: &mut dyn Gradient,
    design: &Design,
    seed: u64,
) -> Result<Vec<GradientFigure>> {
    let space = problem.model().space();
    let mut at = design.clone();
    // Largest step to either side that stays in the domain, and the scale, by coordinate; step 0 where none is.
    let mut room = vec![(0.0, 1.0); space.len()];
    for (index, block) in space.blocks().iter().enumerate() {
        for (entry, i) in space.range(index).enumerate() {
            let step = match &block.domain {
                Domain::NonNegative => {
                    at[i] = at[i].max(0.01 * block.scale);
                    (0.5 * at[i]).min(0.1 * block.scale)
                }
                Domain::Box { lower, upper } => {
                    let width = upper[entry] - lower[entry];
                    at[i] = at[i].clamp(lower[entry] + 0.01 * width, upper[entry] - 0.01 * width);
                    0.5 * (at[i] - lower[entry]).min(upper[entry] - at[i])
                }
                Domain::Level { .. } | Domain::QuantizedPhase { .. } => 0.0,
                Domain::Phase | Domain::Complex | Domain::Hermitian => 0.1 * block.scale,
            };
            room[i] = (step, block.scale);
        }
    }
    let mut coordinates: Vec<usize> = problem.free().iter().copied().filter(|i| room[*i].0 > 0.0).collect();
    let mut stream = RandomStream::keyed(seed, "validated coordinates", "", 0, 0);
    while coordinates.len() > COORDINATES {
        let drop = (stream.uniform() * coordinates.len() as f64) as usize;
        coordinates.swap_remove(drop.min(coordinates.len() - 1));
    }
    let rows = gradient.rows();
    let functions = 1 + rows;
    let size = space.len();
    let mut slopes = vec![0.0; functions * size];
    let mut center = vec![0.0; functions];
    let mut all = |at: &Design, values: &mut [f64], slopes: &mut [f64]| {
        let (own, jacobian) = slopes.split_at_mut(size);
        values[0] = gradient.objective(at, own);
        gradient.constraints(at, &mut values[1..], jacobian);
    };
    all(&at, &mut center, &mut slopes);
    let mut differences = vec![0.0f64; functions];
    let mut scratch = vec![0.0; functions * size];
    for i in &coordinates {
        let (step, scale) = room[*i];
        let (numerical, _) = derivative(functions, step, |offset, out| {
            let mut moved = at.clone();
            moved[*i] += offset;
            all(&moved, out, &mut scratch);
        });
        for (f, slope) in numerical.iter().enumerate() {
            differences[f] = worst(differences[f], (slope - slopes[f * size + i]).abs() * scale);
        }
    }
    let evaluation = problem.evaluator().evaluate(&at)?;
    let violation = center[1..].iter().fold(0.0, |a: f64, c| a.max(*c));
    let mut names = vec![problem.spec().objective.name()];
    let constraints = &problem.spec().constraints;
    names.extend((0..rows).map(|r| match constraints.get(r) {
        Some(constraint) if rows == constraints.len() => format!("limit on {}", constraint.metric),
        _ => format!("constraint {r}"),
    }));
    let figures = names.into_iter().enumerate().map(|(f, name)| {
        let largest = coordinates.iter().map(|i| slopes[f * size + i].abs() * room[*i].1).fold(0.0, f64::max);
        let scale = largest.max(1e-9 * center[f].abs()).max(f64::MIN_POSITIVE);
        let value = match f {
            0 => relative(center[0], evaluation.objective),
            _ if violation.is_finite() => relative(violation, evaluation.violation),
            _ => 0.0,
        };
        let difference = worst(differences[f] / scale, value);
        let agrees = difference <= LARGEST_GRADIENT_DIFFERENCE;
        let verdict = if agrees { Verdict::Agrees } else { Verdict::Differs };
        GradientFigure { name, coordinates: coordinates.len(), difference, verdict }
    });
    Ok(figures.collect())
}

/// The larger one; not a number where either is none.
fn worst(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn relative(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(1e-12) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::{Block, DesignSpace};
    use crate::metric::MetricInfo;
    use crate::model::Workspace;
    use crate::problem::{Constraint, ProblemSpec};
    use crate::structure::Structure;

    /// `sum ln(1 + x_k)` under `sum x_k² <= 2`, with a gradient that is off by the given factor.
    struct Logs {
        space: DesignSpace,
        metrics: Vec<MetricInfo>,
        objective_error: f64,
        constraint_error: f64,
    }

    struct LogsGradient {
        objective: f64,
        constraint: f64,
    }

    impl Gradient for LogsGradient {
        fn rows(&self) -> usize {
            1
        }
        fn objective(&mut self, design: &Design, gradient: &mut [f64]) -> f64 {
            for (g, x) in gradient.iter_mut().zip(design.iter()) {
                *g = self.objective / (1.0 + x);
            }
            design.iter().map(|x| x.ln_1p()).sum()
        }
        fn constraints(&mut self, design: &Design, values: &mut [f64], jacobian: &mut [f64]) {
            values[0] = design.iter().map(|x| x * x).sum::<f64>() / 2.0 - 1.0;
            for (j, x) in jacobian.iter_mut().zip(design.iter()) {
                *j = self.constraint * x;
            }
        }
    }

    impl SystemModel for Logs {
        fn scenario(&self) -> &str {
            "logs"
        }
        fn instance(&self) -> serde_json::Value {
            serde_json::Value::Null
        }
        fn space(&self) -> &DesignSpace {
            &self.space
        }
        fn metrics(&self) -> &[MetricInfo] {
            &self.metrics
        }
        fn evaluate(&self, design: &Design, _: MetricSet, _: &mut Workspace, out: &mut MetricValues) -> Result<()> {
            out.set(0, design.iter().map(|x| x.ln_1p()).sum());
            out.set(1, design.iter().map(|x| x * x).sum());
            Ok(())
        }
        fn default_problem(&self) -> ProblemSpec {
            ProblemSpec::new("sum", vec![Constraint::at_most("squares", 2.0)])
        }
        fn structure(self: Arc<Self>, _: &ProblemSpec) -> Structure {
            let (objective, constraint) = (self.objective_error, self.constraint_error);
            let gradient = move || Box::new(LogsGradient { objective, constraint }) as Box<dyn Gradient>;
            Structure { gradient: Ok(Box::new(gradient)), ..Structure::none("a test") }
        }
    }

    fn judge(objective_error: f64, constraint_error: f64, design: &[f64]) -> Validation {
        let model = Arc::new(Logs {
            space: DesignSpace::new(vec![Block::new("x", &[design.len()], Domain::NonNegative, 1.0, "")]),
            metrics: vec![
                MetricInfo::new("sum", "1", &[], "", "").maximize(),
                MetricInfo::new("squares", "1", &[], "", ""),
            ],
            objective_error,
            constraint_error,
        });
        let problem = Problem::new(model.clone(), model.default_problem()).unwrap();
        let draws = Draws { count: 2, seed: 1, threads: 1 };
        validate(&problem, &Design::new(design.to_vec()), draws, &mut |_| true).unwrap()
    }

    #[test]
    fn right_gradients_pass_also_at_the_edge_of_the_domain_and_wrong_ones_are_named() {
        let design = [0.0, 0.4, 3.0];
        let right = judge(1.0, 1.0, &design);
        assert!(right.passed(), "{right:?}");
        assert_eq!((right.compared(), right.gradients[0].coordinates), (2, 3));
        assert_eq!(judge(1.0 + 1e-5, 1.0, &design).differing(), ["sum"]);
        assert_eq!(judge(1.0, 0.99, &design).differing(), ["limit on squares"]);
        assert_eq!(right.uncovered, ["sum", "squares"]);
    }

    #[test]
    fn of_many_coordinates_some_are_looked_at() {
        let many = judge(1.0, 1.0, &[0.1; 300]);
        assert_eq!(many.gradients[0].coordinates, COORDINATES);
        assert!(many.passed());
        assert!(!judge(1.001, 1.0, &[0.1; 300]).passed());
    }
}
