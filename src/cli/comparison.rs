//! The table of an experiment on a terminal.

use crate::report::{Grid, Layout, Quantity, Reduction, Spread, Study, duration, durations, number};

/// One row a sweep point and solver: medians with their quartiles, and the objective's mean and standard error.
pub fn comparison(study: &Study) -> String {
    let mut text = grid(study, false).write(Layout::Text);
    if study.trials() > 1 {
        text += "\nMedian [quartiles]; of the objective below it mean ± standard error. Figures are over the trials \
            in which all\ncompared solvers are feasible; a solver that is feasible in no trial is not compared.";
    }
    text
}

/// Its rows; with `whole`, the sweep point stands in each row and not only in its first.
pub fn grid(study: &Study, whole: bool) -> Grid {
    let several = study.trials() > 1;
    let swept: Vec<String> = study.axes.iter().flat_map(|a| &a.keys).map(|key| key.label.clone()).collect();
    let unit = study.objective_quantity().map_or("", |q| q.unit.as_str());
    let unit = if matches!(unit, "" | "1") { String::new() } else { format!(" in {unit}") };
    let objective = format!("{}{unit}", study.objective());
    let figures = [&objective, "feasible", "violation", "bound", "gap", "iterations", "evaluations", "time"];
    let words = swept.len() + 1;
    let header = swept.iter().map(String::as_str).chain(["solver"]).chain(figures).map(str::to_string).collect();
    let mut rows = Vec::new();
    for cell in 0..study.cells.len() {
        let mut first = true;
        for solver in 0..study.solvers.len() {
            if study.records(cell, solver).next().is_some() {
                let place = study.axes.iter().zip(&study.cells[cell].place);
                let place = place.flat_map(|(axis, at)| axis.keys.iter().map(|key| key.values[*at].clone()));
                let place = place.map(|value| if first || whole { value } else { String::new() });
                rows.push(place.chain(row(study, cell, solver, several)).collect());
                first = false;
            }
        }
    }
    Grid { header, rows, words }
}

fn row(study: &Study, cell: usize, solver: usize, several: bool) -> Vec<String> {
    let records: Vec<_> = study.records(cell, solver).collect();
    let feasible = records.iter().filter(|r| r.feasible).count();
    let compared = study.compared(cell, solver).count();
    let mut counted = format!("{feasible} of {}", records.len());
    if compared < feasible {
        counted += &format!("\ncompared {compared}");
    }
    let spread = |quantity: Option<&Quantity>| study.spread(quantity?, Reduction::Mean, cell, solver);
    let of = |id: &str| spread(study.quantities.iter().find(|q| q.id == id));
    let objective = match spread(study.objective_quantity()) {
        None => ended(&records),
        Some(s) if !several => number(s.median, 6),
        Some(s) => format!(
            "{} [{}, {}]\n{} ± {}",
            number(s.median, 5),
            number(s.lower_quartile, 5),
            number(s.upper_quartile, 5),
            number(s.mean, 5),
            number(s.standard_error, 2)
        ),
    };
    let violation = records.iter().map(|r| r.violation).fold(f64::NAN, f64::max);
    let bounds: Vec<f64> = study.compared(cell, solver).filter_map(|r| study.bound(cell, r.trial)).collect();
    let bound = Spread::of(&bounds).map_or(f64::NAN, |s| s.median);
    let plain = |id: &str| number(of(id).map_or(f64::NAN, |s| s.median), 9);
    vec![
        study.solvers[solver].0.clone(),
        objective,
        counted,
        number(violation, 2),
        number(bound, 6),
        quartiles(of("run.gap"), several, |x| number(x, 2), |a, b| format!("[{}, {}]", number(a, 2), number(b, 2))),
        plain("run.iterations"),
        plain("run.evaluations"),
        quartiles(of("run.time"), several, duration, durations),
    ]
}

/// How runs ended that have no figure to show.
fn ended(records: &[&crate::results::RunRecord]) -> String {
    let mut names: Vec<&str> = records.iter().map(|r| r.status.name()).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn quartiles(
    spread: Option<Spread>,
    several: bool,
    one: impl Fn(f64) -> String,
    range: impl Fn(f64, f64) -> String,
) -> String {
    match spread {
        None => number(f64::NAN, 1),
        Some(s) if !several => one(s.median),
        Some(s) => format!("{}\n{}", one(s.median), range(s.lower_quartile, s.upper_quartile)),
    }
}
