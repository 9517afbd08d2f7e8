//! The page: what was run, the table, and the places where the script draws the figures.

use std::fmt::Write;

use serde_json::Value;

use super::html::{escape, json};
use super::payload::payload;
use super::quantity::capitalized;
use super::study::Study;
use super::swept::{text, words};
use super::table::{same_name, table};
use crate::error::Result;
use crate::trace::Status;

const CHART_SCRIPT: &str = include_str!("vendor/chart.js/chart.umd.min.js");
const SCRIPTS: [&str; 3] =
    [include_str!("page/draw.js"), include_str!("page/figures.js"), include_str!("page/table.js")];
pub(super) const STYLE: &str = include_str!("page/style.css");

/// The browser itself sees to it that the page loads nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:";

/// The whole page of a study.
pub fn page(study: &Study) -> Result<String> {
    let name = title(study);
    // A config that was edited into mistakes since the run still has its page; `isacopt plot` names them.
    let data = json(&payload(study, &super::run_figures(study).unwrap_or_default())?);
    let mut html = String::with_capacity(data.len() + 400_000);
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&name)
    );
    let _ = write!(html, "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(&name), escape(&lead(study)));
    facts(study, &mut html);
    results(study, &mut html);
    trouble(study, &mut html);
    claims(study, &mut html);
    html.push_str("<noscript><p class=\"note\">The figures need JavaScript; the table does not.</p></noscript>\n");
    for (id, heading) in [
        ("convergence", "Convergence"),
        ("sweep", "A metric over the sweep"),
        ("tradeoff", "One metric against another"),
        ("distribution", "Distribution over users and drops"),
        ("effort", "Time against gap"),
        ("benchmark", "Convergence over all problems"),
    ] {
        let _ = writeln!(
            html,
            "<section id=\"{id}\" class=\"figure\" hidden><h2>{heading}</h2><div class=\"controls\"></div>\
             <div class=\"legend\"></div><div class=\"plot\"><canvas></canvas></div>\
             <div class=\"marks\"></div><p class=\"caption\"></p></section>"
        );
    }
    details(study, &mut html);
    html.push_str("</main>\n");
    let _ = write!(
        html,
        "<script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{CHART_SCRIPT}</script>\n\
         <script>\n{}</script>\n</body>\n</html>\n",
        SCRIPTS.join("\n")
    );
    Ok(html)
}

fn title(study: &Study) -> String {
    let named = study.config.get("name").and_then(toml::Value::as_str).map(str::to_string);
    let folder = || study.folder.path.file_name().map(|n| n.to_string_lossy().into_owned());
    named.or_else(folder).unwrap_or_else(|| "isacopt run".into())
}

/// One sentence on the size of the experiment.
fn lead(study: &Study) -> String {
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let runs = study.folder.records.len();
    let mut text = format!(
        "{} of {} over {}",
        count(runs, "run"),
        count(study.solvers.len(), "solver"),
        count(study.trials(), "trial")
    );
    if study.cells.len() > 1 {
        let _ = write!(text, " at each of {}", count(study.cells.len(), "sweep point"));
    }
    text.push('.');
    text
}

fn facts(study: &Study, html: &mut String) {
    let table = |key: &str| study.config.get(key).and_then(toml::Value::as_table);
    let mut rows: Vec<(String, String)> = Vec::new();
    if let Some(kind) = table("scenario").and_then(|s| s.get("type")) {
        rows.push(("Scenario".into(), plain(kind)));
    }
    if let Some(instances) = study.config.get("instances") {
        rows.push(("Instances".into(), plain(instances)));
    }
    if let Some(objective) = study.objective_quantity() {
        let verb = if super::study::sign(objective.direction) < 0.0 { "minimize" } else { "maximize" };
        let unit = if objective.unit.is_empty() { String::new() } else { format!(" ({})", objective.unit) };
        rows.push(("Objective".into(), format!("{verb} {}{unit}", words(&study.objective()))));
    }
    if let Some(constraints) = table("problem").and_then(|p| p.get("constraints")) {
        rows.push(("Constraints".into(), plain(constraints)));
    }
    let solvers = study.solvers.iter().map(|(l, k)| if same_name(l, k) { l.clone() } else { format!("{l} ({k})") });
    rows.push(("Solvers".into(), solvers.collect::<Vec<_>>().join(", ")));
    for axis in &study.axes {
        let keys: Vec<String> = axis.keys.iter().map(|k| format!("{}: {}", k.label, k.values.join(", "))).collect();
        rows.push(("Sweep".into(), keys.join("; ")));
    }
    if let Some(seed) = table("trials").and_then(|t| t.get("seed")) {
        rows.push(("Seed".into(), plain(seed)));
    }
    if let Value::Object(environment) = &study.folder.environment {
        for (key, value) in environment.iter().filter(|(_, v)| v.is_string() || v.is_number() || v.is_boolean()) {
            rows.push((capitalized(&words(key)), text(value)));
        }
    }
    html.push_str("<dl class=\"facts\">");
    for (name, value) in rows {
        let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(&name), escape(&value));
    }
    html.push_str("</dl>\n");
}

fn results(study: &Study, html: &mut String) {
    html.push_str("<section class=\"results\"><h2>Results</h2>\n<div class=\"controls\" id=\"filters\"></div>\n");
    let _ = write!(html, "<div class=\"scroll\">\n{}</div>\n", table(study));
    let trials = if study.trials() > 1 {
        "Figures are over the trials in which every solver compared at that point is feasible; a solver is compared \
         where it is feasible at least once. “Feasible” counts all its trials. "
    } else {
        ""
    };
    let gaps = if study.logarithmic { "|objective − bound|" } else { "|objective − bound| / |objective|" };
    let _ = writeln!(
        html,
        "<p class=\"caption\">{trials}Feasible: every limit holds to 10⁻⁶ of its size. Violation: the largest relative \
         amount by which a limit is missed. Bound: the tightest proven bound of that trial. Gap: {gaps}. Time: the \
         solver’s own, without judging designs for the record. Bold: the best objective at that point. Click a heading \
         to sort; point at “Ended” for the reason.</p></section>"
    );
}

/// What the paper says beside what was found, where the config says it.
fn claims(study: &Study, html: &mut String) {
    let tested = super::run_claims(study).unwrap_or_default();
    if tested.is_empty() {
        return;
    }
    html.push_str("<section class=\"claims\"><h2>What the paper says</h2><div class=\"scroll\"><table><thead><tr>");
    html.push_str("<th>The paper</th><th>Here</th><th>Verdict</th><th>Why</th></tr></thead><tbody>");
    for claim in tested {
        let cells = [&claim.paper, &claim.ours, claim.verdict.name(), &claim.why].map(escape);
        let _ = write!(html, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
    }
    html.push_str("</tbody></table></div></section>\n");
}

/// Runs that gave nothing to compare, with their reasons, gathered.
fn trouble(study: &Study, html: &mut String) {
    let mut rows: Vec<(String, &str, &str, usize)> = Vec::new();
    for record in &study.folder.records {
        use Status::{Diverged, Failed, Infeasible, Interrupted, NoFeasiblePoint, Skipped};
        if !matches!(record.status, Diverged | Failed | Infeasible | Interrupted | NoFeasiblePoint | Skipped) {
            continue;
        }
        let (solver, status, reason) = (record.solver.clone(), record.status.name(), record.reason.as_str());
        match rows.iter().position(|r| r.0 == solver && r.1 == status && r.2 == reason) {
            Some(at) => rows[at].3 += 1,
            None if rows.len() < 40 => rows.push((solver, status, reason, 1)),
            None => {}
        }
    }
    if rows.is_empty() {
        return;
    }
    html.push_str("<details class=\"trouble\"><summary>Runs that found no feasible design, and why</summary><table>");
    html.push_str("<thead><tr><th>Solver</th><th>Ended</th><th>Runs</th><th>Reason</th></tr></thead><tbody>");
    for (solver, status, reason, count) in rows {
        let status = status.replace('_', " ");
        let (solver, reason) = (escape(&solver), escape(reason));
        let _ = write!(html, "<tr><td>{solver}</td><td>{status}</td><td>{count}</td><td>{reason}</td></tr>");
    }
    html.push_str("</tbody></table></details>\n");
}

fn details(study: &Study, html: &mut String) {
    let _ = write!(
        html,
        "<section class=\"about\"><h2>What was run</h2>\n<details><summary>The config as resolved; run again, it gives \
         the same results</summary><pre>{}</pre></details>\n",
        escape(&study.folder.config)
    );
    if !study.folder.environment.is_null() {
        let environment = serde_json::to_string_pretty(&study.folder.environment).unwrap_or_default();
        let _ = writeln!(
            html,
            "<details><summary>Program, machine and threads</summary><pre>{}</pre></details>",
            escape(&environment)
        );
    }
    html.push_str("</section>\n");
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
