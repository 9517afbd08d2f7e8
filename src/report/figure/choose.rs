//! Which figures a run folder gets: those of its config, and for kinds that it does not name, the usual ones.

use super::super::simulated::{estimators, simulated};
use super::super::study::{Reduction, Study};
use crate::config::{FigureConfig, FigureKind};

/// The figures of a run whose config asks for some.
pub fn chosen(study: &Study, asked: &[FigureConfig]) -> Vec<FigureConfig> {
    let kinds = FigureKind::ALL.into_iter().filter(|kind| !asked.iter().any(|f| f.kind == *kind));
    let usual = kinds.flat_map(|kind| usual(study, kind)).filter(|f| !asked.iter().any(|a| a.name == f.name));
    asked.iter().cloned().chain(usual).collect()
}

fn usual(study: &Study, kind: FigureKind) -> Vec<FigureConfig> {
    let figure = FigureConfig::new(kind);
    let gap = |name: &str| FigureConfig { name: name.into(), metric: Some("gap".into()), ..figure.clone() };
    match kind {
        FigureKind::Convergence => vec![figure.clone(), gap("convergence-gap")],
        FigureKind::Sweep if study.axes.is_empty() => Vec::new(),
        FigureKind::Sweep => {
            // Beside the objective, every metric that was simulated or estimated.
            let objective = study.objective_quantity();
            let more = study.quantities.iter().filter(|q| Some(*q) != objective && has_simulation(study, q));
            let more = more.map(|q| FigureConfig {
                name: format!("sweep-{}", q.id),
                metric: Some(q.id.clone()),
                ..figure.clone()
            });
            std::iter::once(figure.clone()).chain(more).collect()
        }
        FigureKind::Tradeoff | FigureKind::Cdf | FigureKind::Effort => vec![figure],
        // Statistics say something about several solvers on several problems.
        FigureKind::PerformanceProfile | FigureKind::TargetsReached
            if study.solvers.len() > 1 && study.cells.iter().map(|c| c.trials).sum::<usize>() >= 10 =>
        {
            vec![figure]
        }
        _ => Vec::new(),
    }
}

fn has_simulation(study: &Study, quantity: &super::super::quantity::Quantity) -> bool {
    if !estimators(study, quantity).is_empty() {
        return true;
    }
    let solvers = study.solvers.len();
    let mut pairs = (0..study.cells.len()).flat_map(|c| (0..solvers).map(move |s| (c, s)));
    pairs.any(|(c, s)| simulated(study, quantity, Reduction::Mean, c, s).is_some())
}
