//! Small systems with known optima, on which the conformance suite and the tests look at solvers.

mod capabilities;

use std::sync::Arc;

use crate::design::hermitian;
use crate::metric::MetricInfo;
use crate::model::{Baseline, Named, Workspace};
use crate::{
    Block, Constraint, Design, DesignSpace, Domain, Error, MetricSet, MetricValues, Problem, ProblemSpec, Result,
    Structure, SystemModel,
};
use serde_json::{Value, json};

/// What a toy's function writes: the metrics, in order.
pub type Judge = Arc<dyn Fn(&[f64], &mut [f64]) -> Result<()> + Send + Sync>;
/// What a toy offers.
pub type Offers = Arc<dyn Fn(&ProblemSpec) -> Structure + Send + Sync>;

/// A system made of functions.
#[derive(Clone)]
pub struct Toy {
    /// Its name.
    pub name: &'static str,
    /// Its designs.
    pub space: DesignSpace,
    /// Its metrics.
    pub metrics: Vec<MetricInfo>,
    /// Writes them.
    pub judge: Judge,
    /// Its problem.
    pub spec: ProblemSpec,
    /// What it offers beyond evaluation.
    pub offers: Option<Offers>,
    /// Its named start.
    pub start: Option<Design>,
    /// The best objective; none where nothing is feasible or everything is undefined.
    pub optimum: Option<f64>,
    /// How close (relative to max(1, |optimum|)) a good search comes.
    pub reach: f64,
}

impl Toy {
    /// The problem, ready to be solved.
    pub fn problem(&self) -> Arc<Problem> {
        Problem::new(Arc::new(self.clone()), self.spec.clone()).expect("toys are well posed")
    }
}

impl SystemModel for Toy {
    fn scenario(&self) -> &str {
        self.name
    }
    fn instance(&self) -> Value {
        json!({})
    }
    fn space(&self) -> &DesignSpace {
        &self.space
    }
    fn metrics(&self) -> &[MetricInfo] {
        &self.metrics
    }
    fn evaluate(&self, design: &Design, _: MetricSet, _: &mut Workspace, out: &mut MetricValues) -> Result<()> {
        let mut values = vec![0.0; self.metrics.len()];
        (self.judge)(design, &mut values)?;
        values.iter().enumerate().for_each(|(i, v)| out.set(i, *v));
        Ok(())
    }
    fn default_problem(&self) -> ProblemSpec {
        self.spec.clone()
    }
    fn structure(self: Arc<Self>, spec: &ProblemSpec) -> Structure {
        match &self.offers {
            Some(offers) => offers(spec),
            None => Structure::none("toys are black boxes unless they say otherwise"),
        }
    }
    fn starts(&self) -> Vec<Named> {
        self.start.iter().map(|_| Named { name: "first", description: "where the toy begins" }).collect()
    }
    fn start(&self, name: &str) -> Option<Result<Design>> {
        self.start.clone().filter(|_| name == "first").map(Ok)
    }
    fn baselines(&self) -> Vec<Arc<dyn Baseline>> {
        vec![Arc::new(Origin(self.space.clone())), Arc::new(Refusing)]
    }
}

/// The design of zeros.
struct Origin(DesignSpace);

impl Baseline for Origin {
    fn named(&self) -> Named {
        Named { name: "origin", description: "all zeros" }
    }
    fn design(&self, _: &ProblemSpec, _: &Value) -> Result<Design> {
        Ok(Design::zeros(&self.0))
    }
}

struct Refusing;

impl Baseline for Refusing {
    fn named(&self) -> Named {
        Named { name: "refusing", description: "never there" }
    }
    fn design(&self, _: &ProblemSpec, _: &Value) -> Result<Design> {
        Err(Error::Refused { solver: "refusing".into(), reason: "it never serves".into() })
    }
}

fn block(shape: &[usize], domain: Domain, scale: f64) -> DesignSpace {
    DesignSpace::new(vec![Block::new("x", shape, domain, scale, "what is searched")])
}

fn metric(id: &str) -> MetricInfo {
    MetricInfo::new(id, "1", &[], "a toy's figure", "tests")
}

fn black_box(
    name: &'static str,
    space: DesignSpace,
    metrics: Vec<MetricInfo>,
    spec: ProblemSpec,
    judge: impl Fn(&[f64], &mut [f64]) + Send + Sync + 'static,
) -> Toy {
    let judge: Judge = Arc::new(move |x, out| {
        judge(x, out);
        Ok(())
    });
    Toy { name, space, metrics, judge, spec, offers: None, start: None, optimum: None, reach: 1e-3 }
}

/// The point that the budget toys go for.
pub const TARGET: [f64; 6] = [1.0, 0.3, 2.0, 0.0, 0.6, 1.5];
/// Their budget.
pub const BUDGET: f64 = 3.0;

/// `min |x - target|²` on `x >= 0`, `sum x <= budget`: a projection. Offers everything that a model can.
pub fn budget() -> Toy {
    let (solution, optimum) = capabilities::projection(BUDGET);
    let mut toy = budget_black_box();
    toy.name = "budget";
    toy.optimum = Some(optimum);
    toy.offers = Some(Arc::new(move |spec| capabilities::budget(spec, &solution, optimum)));
    toy
}

/// The same without any offer.
pub fn budget_black_box() -> Toy {
    let spec = ProblemSpec::new("distance", vec![Constraint::at_most("total", BUDGET)]);
    let metrics = vec![metric("distance").minimize(), metric("total")];
    let mut toy = black_box("budget_black_box", block(&[6], Domain::NonNegative, 1.0), metrics, spec, |x, out| {
        out[0] = x.iter().zip(TARGET).map(|(x, t)| (x - t) * (x - t)).sum();
        out[1] = x.iter().sum();
    });
    toy.optimum = Some(capabilities::projection(BUDGET).1);
    toy
}

/// The same with gradients, and neither repair nor start.
pub fn budget_gradient() -> Toy {
    let mut toy = budget_black_box();
    toy.name = "budget_gradient";
    toy.offers = Some(Arc::new(|_| capabilities::budget_gradient()));
    toy
}

/// The budget toy with its first coordinate fixed at 0.4.
pub fn fixed() -> Toy {
    let space = DesignSpace::new(vec![
        Block::new("held", &[2], Domain::NonNegative, 1.0, "kept"),
        Block::new("x", &[4], Domain::NonNegative, 1.0, "what is searched"),
    ]);
    let mut toy = Toy { name: "fixed", space, ..budget_black_box() };
    toy.spec.fixed.insert("held".into(), vec![0.4, 0.3]);
    // 2.3 are left for targets 2, 0, 0.6, 1.5: the level is 0.6 where the three share the excess of 1.8.
    toy.optimum = Some(0.36 + (0.6 * 0.6) * 3.0);
    toy
}

/// The sum of waves and a bowl on a box: many local minima, the lowest is 0 at 0.
pub fn rastrigin() -> Toy {
    let domain = Domain::Box { lower: vec![-5.12; 3], upper: vec![5.12; 3] };
    let spec = ProblemSpec::new("height", vec![]);
    let mut toy =
        black_box("rastrigin", block(&[3], domain, 1.0), vec![metric("height").minimize()], spec, |x, out| {
            let wave: f64 = x.iter().map(|x| x * x - 10.0 * (std::f64::consts::TAU * x).cos()).sum();
            out[0] = wave + 10.0 * x.len() as f64;
        });
    toy.optimum = Some(0.0);
    toy
}

/// A curved valley without bounds, of 4 coordinates: 0 at ones.
pub fn rosenbrock(gradient: bool) -> Toy {
    let spec = ProblemSpec::new("height", vec![]);
    let name = if gradient { "rosenbrock_gradient" } else { "rosenbrock" };
    let mut toy =
        black_box(name, block(&[2], Domain::Complex, 1.0), vec![metric("height").minimize()], spec, |x, out| {
            out[0] = x.windows(2).map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (1.0 - w[0]).powi(2)).sum();
        });
    toy.optimum = Some(0.0);
    if gradient {
        toy.offers = Some(Arc::new(|_| capabilities::rosenbrock()));
    }
    toy
}

/// `max |sum e^{j (phase + offset)}|²` over phases: aligned, the square of their number.
pub fn phases() -> Toy {
    let spec = ProblemSpec::new("gain", vec![]);
    let mut toy =
        black_box("phases", block(&[5], Domain::Phase, 1.0), vec![metric("gain").maximize()], spec, |x, out| {
            let (re, im) = capabilities::phasors(x);
            out[0] = re * re + im * im;
        });
    toy.optimum = Some(25.0);
    toy.offers = Some(Arc::new(|_| capabilities::phases()));
    toy
}

/// The same with 4 levels a phase: the optimum by trying all.
pub fn levels() -> Toy {
    fn gain(x: &[f64]) -> f64 {
        let phases: Vec<f64> = x.iter().map(|l| std::f64::consts::FRAC_PI_2 * l).collect();
        let (re, im) = capabilities::phasors(&phases);
        re * re + im * im
    }
    let spec = ProblemSpec::new("gain", vec![]);
    let space = block(&[5], Domain::Level { levels: 4 }, 1.0);
    let mut toy = black_box("levels", space, vec![metric("gain").maximize()], spec, |x, out| out[0] = gain(x));
    let all = (0..1024).map(|i| (0..5).map(|k| f64::from(i >> (2 * k) & 3)).collect::<Vec<_>>());
    toy.optimum = Some(all.map(|x| gain(&x)).fold(0.0, f64::max));
    toy
}

/// `max x + y` in the unit disc, and `x >= 0.8`: a black box whose optimum has two active limits.
pub fn disc() -> Toy {
    let domain = Domain::Box { lower: vec![-2.0; 2], upper: vec![2.0; 2] };
    let limits = vec![Constraint::at_most("radius", 1.0), Constraint::at_least("side", 0.8)];
    let metrics = vec![metric("sum").maximize(), metric("radius"), metric("side")];
    let mut toy = black_box("disc", block(&[2], domain, 1.0), metrics, ProblemSpec::new("sum", limits), |x, out| {
        out[0] = x[0] + x[1];
        out[1] = x[0].hypot(x[1]);
        out[2] = x[0];
    });
    toy.optimum = Some(1.4);
    toy
}

/// `max tr(A R)` over Hermitian positive semidefinite R of trace at most 2: twice the largest eigenvalue of A.
pub fn covariance() -> Toy {
    let limits = vec![Constraint::at_most("trace", 2.0)];
    let metrics = vec![metric("power").maximize(), metric("trace")];
    let a: [f64; 9] = [1.0, 2.0, 0.5, 0.3, -0.4, 0.8, 0.1, -0.2, 0.6];
    let space = block(&[3, 3], Domain::Hermitian, 1.0);
    let mut toy = black_box("covariance", space, metrics, ProblemSpec::new("power", limits), move |x, out| {
        out[0] = x.iter().zip(a).map(|(x, a)| x * a).sum();
        out[1] = x[0] + x[1] + x[2];
    });
    toy.optimum = Some(2.0 * hermitian(&a, 3).symmetric_eigenvalues().max());
    toy
}

/// `sum x <= 1` and `sum x >= 2`. With `proven`, the model proves that nothing satisfies both.
pub fn infeasible(proven: bool) -> Toy {
    let limits = vec![Constraint::at_most("total", 1.0), Constraint::at_least("total", 2.0)];
    let mut toy = Toy {
        name: if proven { "infeasible" } else { "infeasible_black_box" },
        spec: ProblemSpec::new("distance", limits),
        optimum: None,
        ..budget_black_box()
    };
    if proven {
        toy.offers = Some(Arc::new(|_| capabilities::infeasible()));
    }
    toy
}

/// The objective is never a number.
pub fn undefined() -> Toy {
    let spec = ProblemSpec::new("gain", vec![]);
    let space = block(&[3], Domain::NonNegative, 1.0);
    let toy = black_box("undefined", space, vec![metric("gain").maximize()], spec, |_, out| out[0] = f64::NAN);
    Toy { offers: Some(Arc::new(|_| capabilities::undefined())), ..toy }
}

/// The objective is no number on half of the space; `max -(x - 1)²` on the other.
pub fn half_defined() -> Toy {
    let spec = ProblemSpec::new("gain", vec![]);
    let domain = Domain::Box { lower: vec![-3.0; 2], upper: vec![3.0; 2] };
    let mut toy =
        black_box("half_defined", block(&[2], domain, 1.0), vec![metric("gain").maximize()], spec, |x, out| {
            out[0] = if x[0] < 0.5 { f64::NAN } else { -(x[0] - 1.0).powi(2) - x[1] * x[1] };
        });
    toy.optimum = Some(0.0);
    toy
}

/// Judging always fails.
pub fn failing() -> Toy {
    let judge: Judge = Arc::new(|_, _| Err(Error::Numerical("the toy never works".into())));
    Toy { name: "failing", judge, optimum: None, ..budget_black_box() }
}

/// `min sum (x - 1)² + (y + 2)² + x y` over two blocks: a bowl that is tilted between them.
pub fn tilted() -> Toy {
    let domain = || Domain::Box { lower: vec![-10.0; 4], upper: vec![10.0; 4] };
    let space = DesignSpace::new(vec![
        Block::new("x", &[4], domain(), 1.0, "the first"),
        Block::new("y", &[4], domain(), 1.0, "the second"),
    ]);
    let spec = ProblemSpec::new("height", vec![]);
    let mut toy = black_box("tilted", space, vec![metric("height").minimize()], spec, |x, out| {
        let (x, y) = x.split_at(4);
        out[0] = x.iter().zip(y).map(|(x, y)| (x - 1.0).powi(2) + (y + 2.0).powi(2) + x * y).sum();
    });
    // 2 (x - 1) + y = 0, 2 (y + 2) + x = 0: x = 8/3, y = -10/3.
    toy.optimum = Some(4.0 * ((5.0f64 / 3.0).powi(2) + (4.0f64 / 3.0).powi(2) - 80.0 / 9.0));
    toy.offers = Some(Arc::new(|_| capabilities::blocks()));
    toy
}

/// `max min(3 - x, x + 1)`, with its levels.
pub fn tent() -> Toy {
    let domain = Domain::Box { lower: vec![-5.0], upper: vec![5.0] };
    let spec = ProblemSpec::new("height", vec![]);
    let mut toy = black_box("tent", block(&[1], domain, 1.0), vec![metric("height").maximize()], spec, |x, out| {
        out[0] = (3.0 - x[0]).min(x[0] + 1.0);
    });
    toy.optimum = Some(2.0);
    toy.offers = Some(Arc::new(|_| capabilities::tent()));
    toy
}

/// Every toy.
pub fn all() -> Vec<Toy> {
    vec![
        budget(),
        budget_black_box(),
        budget_gradient(),
        fixed(),
        rastrigin(),
        rosenbrock(false),
        rosenbrock(true),
        phases(),
        levels(),
        disc(),
        covariance(),
        infeasible(true),
        infeasible(false),
        undefined(),
        half_defined(),
        tilted(),
        tent(),
        failing(),
    ]
}
