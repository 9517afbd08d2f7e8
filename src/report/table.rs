//! The results as an HTML table: one row a sweep point and solver. Readable without any script.

use std::fmt::Write;

use super::html::{duration, durations, escape, number};
use super::overview::SAME;
use super::quantity::{Quantity, Scale, capitalized};
use super::shown::Shown;
use super::spread::{Spread, sorted};
use super::study::{Reduction, Study};
use crate::metric::Direction;

/// The table of results, at the sweep points that the page shows.
pub fn table(study: &Study, shown: &Shown) -> String {
    let mut html = String::new();
    let several = study.trials() > 1;
    head(study, several, &mut html);
    html.push_str("<tbody>\n");
    for (at, cell) in shown.cells.iter().copied().enumerate() {
        let best = best(study, cell);
        for solver in 0..study.solvers.len() {
            if study.records(cell, solver).next().is_some() {
                let _ = write!(html, "<tr data-solver=\"{solver}\" data-cell=\"{at}\">");
                row(study, cell, solver, several, best, &mut html);
            }
        }
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn head(study: &Study, several: bool, html: &mut String) {
    html.push_str("<table id=\"results-table\">\n<thead><tr>");
    for key in study.axes.iter().flat_map(|a| &a.keys) {
        let kind = if key.numbers.is_some() { "number" } else { "text" };
        let _ = write!(html, "<th data-kind=\"{kind}\"><span>{}</span></th>", escape(&capitalized(&key.label)));
    }
    html.push_str("<th data-kind=\"text\"><span>Solver</span></th><th data-kind=\"text\"><span>Ended</span></th>");
    html.push_str("<th data-kind=\"number\"><span>Feasible</span></th>");
    let objective = study.objective_quantity().map_or("Objective".into(), |o| o.axis(scale(o)));
    let spread = if several { "median [quartiles]<br>mean ± s.e." } else { "" };
    let _ = write!(html, "<th data-kind=\"number\"><span>{}</span><small>{spread}</small></th>", escape(&objective));
    for (name, note) in [
        ("Violation", if several { "largest" } else { "" }),
        ("Bound", if several { "median" } else { "" }),
        ("Gap", if several { "median<br>[quartiles]" } else { "" }),
        ("Iterations", if several { "median" } else { "" }),
        ("Evaluations", if several { "median" } else { "" }),
        ("Time", if several { "median<br>[quartiles]" } else { "" }),
    ] {
        let _ = write!(html, "<th data-kind=\"number\"><span>{name}</span><small>{note}</small></th>");
    }
    html.push_str("</tr></thead>\n");
}

fn row(study: &Study, cell: usize, solver: usize, several: bool, best: Option<f64>, html: &mut String) {
    let (label, kind) = &study.solvers[solver];
    let place = &study.cells[cell].place;
    for (axis, point) in study.axes.iter().zip(place) {
        for key in &axis.keys {
            let sort = key.numbers.as_ref().map_or(String::new(), |n| format!(" data-v=\"{}\"", n[*point]));
            let _ = write!(html, "<td{sort}>{}</td>", escape(&key.values[*point]));
        }
    }
    let note = if same_name(label, kind) { String::new() } else { format!("<small>{}</small>", escape(kind)) };
    let _ = write!(html, "<td class=\"solver\">{}{note}</td>", escape(label));
    ended(study, cell, solver, html);

    let records: Vec<_> = study.records(cell, solver).collect();
    let feasible = records.iter().filter(|r| r.feasible).count();
    let class = if feasible < records.len() { " class=\"short\"" } else { "" };
    let _ = write!(html, "<td{class} data-v=\"{feasible}\">{feasible} of {}</td>", records.len());

    let objective = study.objective_quantity();
    let spread = objective.and_then(|o| study.spread(o, Reduction::Mean, cell, solver));
    match objective.zip(spread) {
        Some((o, spread)) => {
            let bold = best.is_some_and(|best| (spread.median - best).abs() <= SAME * best.abs());
            objective_cell(o, &spread, several, bold, html);
        }
        None => html.push_str("<td>–</td>"),
    }

    let violations: Vec<f64> = records.iter().map(|r| r.violation).collect();
    let violation = sorted(&violations).last().copied().unwrap_or(f64::NAN);
    plain(violation, &number(violation, 2), html);
    let bounds: Vec<f64> = study.compared(cell, solver).filter_map(|r| study.bound(cell, r.trial)).collect();
    let unit = objective.map_or(Scale::Linear, scale);
    let bound = Spread::of(&bounds).map_or(f64::NAN, |s| drawn(unit, s.median));
    plain(bound, &number(bound, 5), html);
    let of = |id: &str| {
        let quantity = study.quantities.iter().find(|q| q.id == id)?;
        study.spread(quantity, Reduction::Mean, cell, solver)
    };
    spread_cell(of("run.gap"), several, |x| number(x, 2), |a, b| format!("[{}, {}]", number(a, 2), number(b, 2)), html);
    for id in ["run.iterations", "run.evaluations"] {
        let median = of(id).map_or(f64::NAN, |s| s.median);
        plain(median, &number(median, 9), html);
    }
    spread_cell(of("run.time"), several, duration, durations, html);
    html.push_str("</tr>\n");
}

/// Whether a solver's label only repeats its type.
pub fn same_name(label: &str, kind: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    plain(label) == plain(kind)
}

/// How the runs ended, with counts where there are several, and the reasons as a tooltip.
fn ended(study: &Study, cell: usize, solver: usize, html: &mut String) {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    for record in study.records(cell, solver) {
        let name = record.status.name();
        match counts.iter_mut().find(|(n, _)| *n == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
        if !record.reason.is_empty() && !reasons.contains(&record.reason.as_str()) && reasons.len() < 3 {
            reasons.push(&record.reason);
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let one = counts.len() == 1;
    let words = counts.iter().map(|(name, count)| {
        let name = name.replace('_', " ");
        if one { name } else { format!("{count} {name}") }
    });
    let title = escape(&reasons.join("; "));
    let _ = write!(html, "<td class=\"wrap\" title=\"{title}\">{}</td>", words.collect::<Vec<_>>().join(", "));
}

/// The best median objective of a cell, where solvers differ.
pub fn best(study: &Study, cell: usize) -> Option<f64> {
    let objective = study.objective_quantity()?;
    let sign = objective.direction.map_or(1.0, Direction::sign);
    let medians = (0..study.solvers.len()).filter_map(|s| study.spread(objective, Reduction::Mean, cell, s));
    medians.map(|s| s.median).max_by(|a, b| (sign * a).total_cmp(&(sign * b)))
}

/// The scale in which tables show a quantity: decibels where the field uses them, else plain.
pub fn scale(quantity: &Quantity) -> Scale {
    match quantity.scales.first() {
        Some(Scale::Decibel) => Scale::Decibel,
        _ => Scale::Linear,
    }
}

fn drawn(scale: Scale, x: f64) -> f64 {
    if scale == Scale::Decibel && x == f64::INFINITY { x } else { scale.apply(x) }
}

fn objective_cell(quantity: &Quantity, spread: &Spread, several: bool, bold: bool, html: &mut String) {
    let scale = scale(quantity);
    let show = |x: f64| number(drawn(scale, x), 5);
    let median = drawn(scale, spread.median);
    let class = if bold { " class=\"best\"" } else { "" };
    let _ = write!(html, "<td{class} data-v=\"{median}\"><b>{}</b>", number(median, 5));
    if several {
        // In decibels the error of the mean follows from the slope of the logarithm there.
        let error = match scale {
            Scale::Decibel => 10.0 / std::f64::consts::LN_10 * spread.standard_error / spread.mean,
            _ => spread.standard_error,
        };
        let _ = write!(
            html,
            "<small>[{}, {}]</small><small>{} ± {}</small>",
            show(spread.lower_quartile),
            show(spread.upper_quartile),
            show(spread.mean),
            number(error, 2)
        );
    }
    html.push_str("</td>");
}

fn spread_cell(
    spread: Option<Spread>,
    several: bool,
    show: impl Fn(f64) -> String,
    range: impl Fn(f64, f64) -> String,
    html: &mut String,
) {
    match spread {
        Some(s) if several && s.lower_quartile != s.upper_quartile => {
            let range = range(s.lower_quartile, s.upper_quartile);
            let _ = write!(html, "<td data-v=\"{}\">{}<small>{range}</small></td>", s.median, show(s.median));
        }
        Some(s) => plain(s.median, &show(s.median), html),
        None => plain(f64::NAN, "–", html),
    }
}

fn plain(value: f64, text: &str, html: &mut String) {
    if value.is_nan() {
        let _ = write!(html, "<td>{text}</td>");
    } else {
        let _ = write!(html, "<td data-v=\"{value}\">{text}</td>");
    }
}
