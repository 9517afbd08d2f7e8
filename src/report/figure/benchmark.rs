//! Statistics of convergence over all problems of a run as figures.

use super::super::benchmark::{Benchmark, Curve, EFFORTS, Reference, USUAL_TARGET, nearest_target, target, thinned};
use super::compose::Composer;
use super::{Axis, Figure, Point, Role, Series, SpreadMark};
use crate::config::FigureKind;
use crate::error::Result;

/// Steps of one curve.
const POINTS: usize = 400;

impl Composer<'_> {
    /// A profile, a distribution or a rate; none where all solvers were not run on any problem.
    pub(super) fn benchmark(&self) -> Result<Option<Figure>> {
        let all = self.study.benchmark()?;
        if all.problems() == 0 {
            return Ok(None);
        }
        let config = self.config;
        let named = EFFORTS.iter().position(|e| Some(e.name()) == config.against.as_deref());
        let effort = named.unwrap_or(0);
        let asked = Reference::ALL.into_iter().find(|r| Some(r.name()) == config.reference.as_deref());
        let reference = asked.unwrap_or(Reference::Bound);
        let goal = nearest_target(config.target.unwrap_or(USUAL_TARGET));
        let time = effort == 1;
        let solved = format!("a gap of at most {:.1e}", target(goal));
        let share = |label: &str| Axis { label: label.into(), range: Some([0.0, 1.0]), ..Axis::default() };
        let linear = |scale: &Option<String>| scale.as_deref() == Some("linear");
        let place =
            |label: &str| Axis { label: label.into(), logarithmic: !linear(&config.x_scale), ..Axis::default() };
        let amount = if time { "Solver time (s)" } else { "Evaluations" };
        let gap = "Target: gap to the reference";
        let (x, y, words) = match config.kind {
            FigureKind::PerformanceProfile => (
                place(if time { "Ratio to the least solver time" } else { "Ratio to the fewest evaluations" }),
                share("Share of problems"),
                format!(
                    "Performance profile: the share of problems on which a solver reaches {solved} with at most so many \
                     times the effort of the solver that reaches it first"
                ),
            ),
            FigureKind::DataProfile => (
                place("Evaluations / (real numbers of the design + 1)"),
                share("Share of problems"),
                format!("Data profile: the share of problems on which a solver reaches {solved} within so many units"),
            ),
            FigureKind::TargetsReached => (
                place(amount),
                share("Share of problems and targets"),
                "The share reached of all pairs of a problem and one of 25 target gaps from 1 to 1e-6, four a decade"
                    .to_string(),
            ),
            FigureKind::SuccessRate => (
                place(gap),
                share("Share of problems"),
                "The share of problems on which a solver comes as close as the target".to_string(),
            ),
            _ => (
                place(gap),
                Axis {
                    label: format!("Expected {}", amount.to_lowercase()),
                    logarithmic: !linear(&config.y_scale),
                    ..Axis::default()
                },
                "Expected running time: what all runs spent until they hit the target or ended, over the number that hit \
                 it"
                .to_string(),
            ),
        };
        let curve = |solver: usize| match config.kind {
            FigureKind::PerformanceProfile => all.performance_profile(solver, reference, effort, goal),
            FigureKind::DataProfile => all.data_profile(solver, reference, goal),
            FigureKind::TargetsReached => all.targets_reached(solver, reference, effort),
            FigureKind::SuccessRate => all.success_rate(solver, reference),
            _ => all.expected_running_time(solver, reference, effort),
        };
        let stepped = !matches!(config.kind, FigureKind::SuccessRate | FigureKind::RunningTime);
        let curves: Vec<(usize, Curve)> = self.solvers().into_iter().map(|s| (s, thinned(curve(s), POINTS))).collect();
        let right = curves.iter().filter_map(|(_, c)| c.last()).map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
        let series = curves.into_iter().filter(|(_, c)| !c.is_empty()).map(|(solver, mut curve)| {
            if stepped {
                // A share is nothing before its first step, and stays after its last.
                let (first, last) = (curve[0], curve[curve.len() - 1]);
                curve.insert(0, (first.0, 0.0));
                curve.push((right, last.1));
            }
            let points = curve.into_iter().map(|(x, y)| Point::new(x, y)).collect();
            self.series(solver, Role::Line { spread: SpreadMark::None, stepped }, points)
        });
        let series: Vec<Series> = series.collect();
        let caption = format!("{words}. {}", basis(all, reference));
        Ok(Some(self.figure(x, y, series, Vec::new(), caption)))
    }
}

/// What the statistics are over, and what gaps are measured from.
fn basis(all: &Benchmark, reference: Reference) -> String {
    let (problems, proven) = (all.problems(), all.proven());
    let from = match (reference, proven) {
        (Reference::Best, _) | (_, 0) => "the best objective that any solver reached".to_string(),
        (_, proven) if proven == problems => "the tightest proven bound".to_string(),
        _ => format!("the tightest proven bound on {proven} of them, on the others from the best objective reached"),
    };
    let plural = if problems == 1 { "" } else { "s" };
    format!("Over {problems} problem{plural}; gaps are measured from {from}.")
}
