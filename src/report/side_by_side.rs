//! Two experiments as one page: what of their configs differs, and the differences of their results in pairs.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::difference::{Comparison, Paired};
use super::html::{duration, escape, head, json, number};
use super::page::{CHART_SCRIPT, figure, title};
use super::quantity::{Quantity, Scale, rounded};
use super::spread::{Spread, quantile, sorted};
use super::study::{Study, sign};
use crate::error::Result;

const SCRIPTS: [&str; 5] = [
    include_str!("page/state.js"),
    include_str!("page/draw.js"),
    include_str!("page/figure.js"),
    include_str!("page/sortable.js"),
    include_str!("page/side_by_side.js"),
];
/// So many pairs of a solver are drawn one by one.
const MOST_PAIRS: usize = 200;

/// Writes the page of a comparison.
///
/// # Errors
/// Where the page cannot be written.
pub fn write_side_by_side(path: &Path, first: &Study, second: &Study, found: &Comparison) -> Result<()> {
    super::replace(path, page(first, second, found).as_bytes())
}

fn page(first: &Study, second: &Study, found: &Comparison) -> String {
    let names = [title(first), title(second)];
    let heading = if names[0] == names[1] { format!("{}: two runs", names[0]) } else { names.join(" / ") };
    let mut html = head(&heading, true);
    let _ = write!(html, "<body>\n<main>\n<section><h1>{}</h1>\n<p class=\"lead\">", escape(&heading));
    let [left, right, pairs] = found.runs;
    let _ = write!(html, "{pairs} pairs of runs; {left} only in the first, {right} only in the second.");
    if found.infeasible != [0, 0] {
        let [a, b] = found.infeasible;
        let _ = write!(html, " Infeasible in the first alone: {a} pairs, in the second alone: {b}.");
    }
    html.push_str("</p>\n<dl class=\"facts three\">");
    for (which, name, study) in [("First", &names[0], first), ("Second", &names[1], second)] {
        let environment = |key: &str| study.folder.environment.get(key).and_then(Value::as_str).unwrap_or("unknown");
        for (what, value) in [
            (String::new(), name.as_str()),
            (", folder".into(), &study.folder.path.to_string_lossy()),
            (", date".into(), environment("date")),
        ] {
            let _ = write!(html, "<div><dt>{which}{what}</dt><dd>{}</dd></div>", escape(value));
        }
    }
    html.push_str("</dl></section>\n");
    changes(found, &mut html);
    html += &figure("differences", "");
    differences(found, &mut html);
    let data = json(&payload(found, first.objective_quantity()));
    let _ = write!(
        html,
        "</main>\n<script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{CHART_SCRIPT}</script>\n\
         <script>\n{}</script>\n</body>\n</html>\n",
        SCRIPTS.join("\n")
    );
    html
}

fn changes(found: &Comparison, html: &mut String) {
    html.push_str("<section id=\"changes\"><h2>What changed</h2>\n");
    if found.changes.is_empty() {
        html.push_str("<p>The configs are the same.</p></section>\n");
        return;
    }
    html.push_str("<div class=\"scroll\"><table class=\"claims\"><thead><tr><th>Key of the config</th><th>First</th>");
    html.push_str("<th>Second</th></tr></thead><tbody>\n");
    let text = |value: &Option<String>| value.as_deref().map_or("<small>absent</small>".into(), escape);
    for change in &found.changes {
        let (before, after) = (text(&change.before), text(&change.after));
        let _ = writeln!(html, "<tr><td>{}</td><td>{before}</td><td>{after}</td></tr>", escape(&change.key));
    }
    html.push_str("</tbody></table></div></section>\n");
}

fn differences(found: &Comparison, html: &mut String) {
    html.push_str(
        "<section id=\"paired\"><h2>Differences in pairs</h2>\n<div class=\"controls\"></div><div class=\"scroll\">",
    );
    html.push_str("<table id=\"paired-table\"><thead><tr>");
    for (name, note, kind) in [
        ("Solver", "", "text"),
        ("Quantity", "", "text"),
        ("First", "mean", "number"),
        ("Second", "mean", "number"),
        ("Second − first", "mean ± s.e.", "number"),
        ("Second − first", "median [quartiles]", "number"),
        ("Second − first", "5 % to 95 %", "number"),
        ("Pairs", "", "number"),
        ("Better", "", "number"),
        ("Worse", "", "number"),
    ] {
        let _ = write!(html, "<th data-kind=\"{kind}\"><span>{name}</span><small>{note}</small></th>");
    }
    html.push_str("</tr></thead><tbody>\n");
    for paired in &found.paired {
        let text = |x: f64| shown(&paired.quantity, x);
        let d = &paired.difference;
        let [low, high] = paired.tails;
        let range = |a: f64, b: f64, between: &str| format!("{}{between}{}", text(a), text(b));
        let mut cells = vec![
            (f64::NAN, escape(&paired.solver)),
            (f64::NAN, escape(&paired.quantity.axis(Scale::Linear))),
            (paired.before, text(paired.before)),
            (paired.after, text(paired.after)),
            (d.mean, format!("{}<small>± {}</small>", text(d.mean), text(d.standard_error))),
            (
                d.median,
                format!("{}<small>[{}]</small>", text(d.median), range(d.lower_quartile, d.upper_quartile, ", ")),
            ),
            (high - low, range(low, high, " to ")),
            (d.count as f64, d.count.to_string()),
        ];
        match paired.better {
            Some((better, worse)) => cells.extend([better, worse].map(|n| (n as f64, n.to_string()))),
            None => cells.extend([(f64::NAN, "–".to_string()), (f64::NAN, "–".to_string())]),
        }
        html.push_str("<tr>");
        for (value, text) in cells {
            let sort = if value.is_nan() { String::new() } else { format!(" data-v=\"{value}\"") };
            let _ = write!(html, "<td{sort}>{text}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str(
        "</tbody></table></div>\n<p class=\"caption\">Over the pairs in which both are feasible: the same sweep point, \
         trial and solver label. Better, worse: in how many pairs the second is, by more than 10⁻⁹ of the size. Entries of \
         a vector are averaged first.</p></section>\n",
    );
}

/// A value with five digits; a time in a unit that suits it.
fn shown(quantity: &Quantity, x: f64) -> String {
    match quantity.unit == "s" {
        true if x < 0.0 => format!("−{}", duration(-x)),
        true => duration(x),
        false => number(x, 5),
    }
}

/// `{solvers, quantities: [{name, better, scales: [{name, axis}]}], paired: [{solver, quantity, pairs: [[first], [second]],
/// SCALE: [5 %, lower quartile, median, upper quartile, 95 %, mean, standard error]}], objective}`, and the empty lists of a page
/// without a sweep.
fn payload(found: &Comparison, objective: Option<&Quantity>) -> Value {
    let mut solvers: Vec<&str> = Vec::new();
    let mut quantities: Vec<&Quantity> = Vec::new();
    let mut rows = Vec::new();
    for paired in &found.paired {
        let solver = solvers.iter().position(|s| *s == paired.solver).unwrap_or_else(|| {
            solvers.push(&paired.solver);
            solvers.len() - 1
        });
        let quantity = quantities.iter().position(|q| **q == paired.quantity).unwrap_or_else(|| {
            quantities.push(&paired.quantity);
            quantities.len() - 1
        });
        let step = paired.values.len().div_ceil(MOST_PAIRS).max(1);
        let column = |of: fn(&(f64, f64)) -> f64| -> Vec<Value> {
            paired.values.iter().step_by(step).map(|pair| rounded(of(pair), 7)).collect()
        };
        let mut row = json!({"solver": solver, "quantity": quantity, "pairs": [column(|p| p.0), column(|p| p.1)]});
        for scale in scales(&paired.quantity) {
            row[scale.name()] = quantiles(paired, scale);
        }
        rows.push(row);
    }
    let quantity = |q: &&Quantity| {
        let scales = scales(q).map(|s| json!({"name": s.name(), "axis": q.axis(s)}));
        json!({"name": q.name, "better": sign(q.direction) as i64, "scales": scales.collect::<Vec<_>>()})
    };
    json!({
        "solvers": solvers.iter().map(|label| json!({ "label": label })).collect::<Vec<_>>(),
        "quantities": quantities.iter().map(quantity).collect::<Vec<_>>(),
        "paired": rows,
        "objective": quantities.iter().position(|q| Some(*q) == objective).unwrap_or(0),
        "axes": [], "cells": [], "figures": [], "files": [],
    })
}

/// A difference of logarithms is one in decibels; of a root it says nothing plain.
fn scales(quantity: &Quantity) -> impl Iterator<Item = Scale> {
    let decibels = quantity.scales.first() == Some(&Scale::Decibel);
    decibels.then_some(Scale::Decibel).into_iter().chain([Scale::Linear])
}

fn quantiles(paired: &Paired, scale: Scale) -> Value {
    let differences = paired.values.iter().map(|(a, b)| scale.apply(*b) - scale.apply(*a)).filter(|d| d.is_finite());
    let all = sorted(&differences.collect::<Vec<_>>());
    let Some(spread) = Spread::of(&all) else { return Value::Null };
    let shares = [0.05, 0.25, 0.5, 0.75, 0.95].map(|share| quantile(&all, share));
    shares.into_iter().chain([spread.mean, spread.standard_error]).map(|x| rounded(x, 6)).collect()
}
