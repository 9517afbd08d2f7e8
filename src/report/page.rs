//! The page: an overview, the table, the runs, and a page a figure, all in one file. Its script shows one at a time and
//! draws a figure when its page is opened; without the script overview and table stand complete.

use std::fmt::Write;

use super::html::{escape, head, json};
use super::overview::{claims, facts, glance, trouble};
use super::payload::payload;
use super::runs::{details, digits};
use super::shown::Shown;
use super::study::Study;
use super::table::table;
use crate::error::Result;

pub(super) const CHART_SCRIPT: &str = include_str!("vendor/chart.js/chart.umd.min.js");
const SCRIPTS: [&str; 10] = [
    include_str!("page/state.js"),
    include_str!("page/draw.js"),
    include_str!("page/figure.js"),
    include_str!("page/figures.js"),
    include_str!("page/statistics.js"),
    include_str!("page/sortable.js"),
    include_str!("page/table.js"),
    include_str!("page/runs.js"),
    include_str!("page/run.js"),
    include_str!("page/navigate.js"),
];

/// The details of runs take what is left of so many bytes, within these limits.
const PAGE_BYTES: usize = 1_150_000;
const DETAILS_BYTES: [usize; 2] = [30_000, 300_000];

/// The whole page of a study.
pub fn page(study: &Study) -> Result<String> {
    let name = title(study);
    // A config that was edited into mistakes since the run still has its page; `isacopt plot` names them.
    let figures = super::run_figures(study).unwrap_or_default();
    let tested = super::run_claims(study).unwrap_or_default();
    let (shown, digits) = (Shown::of(study), digits(study));
    let data = json(&payload(study, &shown, digits, &figures)?);
    let mut html = head(&name, true);
    html.push_str(
        "<body>\n<header id=\"bar\" hidden><nav id=\"pages\"></nav><div id=\"filters\"></div></header>\n<main>\n\
         <section id=\"overview\" data-page=\"overview\">\n",
    );
    let _ = write!(html, "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", escape(&name), escape(&lead(study)));
    html.push_str(
        "<noscript><p class=\"note\">Figures, filters and single runs need JavaScript; what stands here does not. The \
         figures for papers lie in the folder <code>figures</code> beside this page.</p></noscript>\n",
    );
    glance(study, &tested, &mut html);
    facts(study, &mut html);
    html.push_str("</section>\n");
    results(study, &shown, &mut html);
    for id in ["convergence", "sweep", "tradeoff", "distribution", "effort", "benchmark"] {
        html += &figure(id, "figure");
    }
    html.push_str("<section id=\"verdicts\" data-page=\"overview\">\n");
    claims(&tested, &mut html);
    trouble(study, &mut html);
    html.push_str(
        "</section>\n<section id=\"runs\" data-page=\"runs\" hidden><h2>Runs</h2><div class=\"controls\"></div>\
         <div class=\"scroll\"><table class=\"list\"></table></div><p class=\"caption\">A line a run: a solver on a trial \
         of a sweep point. Click one for its trace, metrics and design, and how to do it again.</p></section>\n\
         <section id=\"run\" data-page=\"run\" hidden><h2></h2><dl class=\"facts\"></dl><div class=\"parts\"></div></section>\n",
    );
    html += &figure("run-trace", "run");
    about(study, &mut html);
    html.push_str("</main>\n");
    let scripts = SCRIPTS.join("\n");
    let rest = html.len() + data.len() + CHART_SCRIPT.len() + scripts.len();
    let [least, most] = DETAILS_BYTES;
    let details = details(study, &shown, digits, PAGE_BYTES.saturating_sub(rest).clamp(least, most))?;
    let _ = write!(
        html,
        "<script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script type=\"text/plain\" id=\"details\">{details}</script>\n\
         <script>\n{CHART_SCRIPT}</script>\n<script>\n{scripts}</script>\n</body>\n</html>\n"
    );
    Ok(html)
}

/// The places of a figure: the script fills and shows them.
pub(super) fn figure(id: &str, page: &str) -> String {
    format!(
        "<section id=\"{id}\" data-page=\"{page}\" class=\"figure\" hidden><h2></h2><div class=\"controls\"></div>\
         <div class=\"legend\"></div><div class=\"plot\"><canvas></canvas></div><div class=\"marks\"></div>\
         <p class=\"caption\"></p><p class=\"files\"></p></section>\n"
    )
}

/// What an experiment is called.
pub(super) fn title(study: &Study) -> String {
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

fn results(study: &Study, shown: &Shown, html: &mut String) {
    html.push_str(
        "<section id=\"results\" data-page=\"results\"><h2>Results</h2>\n<p class=\"caption\" id=\"rows\"></p>\n",
    );
    let _ = write!(html, "<div class=\"scroll\">\n{}</div>\n", table(study, shown));
    let thinned = match shown.thinned() {
        true => format!(
            "This page shows {} of {} sweep points, evenly spaced; <code>isacopt table</code> and <code>isacopt \
             export</code> have all. ",
            shown.cells.len(),
            study.cells.len()
        ),
        false => String::new(),
    };
    let trials = if study.trials() > 1 {
        "Figures are over the trials in which every solver compared at that point is feasible; a solver is compared \
         where it is feasible at least once. “Feasible” counts all its trials. "
    } else {
        ""
    };
    let gaps = if study.logarithmic { "|objective − bound|" } else { "|objective − bound| / |objective|" };
    let _ = writeln!(
        html,
        "<p class=\"caption\">{thinned}{trials}Feasible: every limit holds to 10⁻⁶ of its size. Violation: the largest \
         relative amount by which a limit is missed. Bound: the tightest proven bound of that trial. Gap: {gaps}. Time: \
         the solver’s own, without judging designs for the record. Bold: the best objective at that point. Click a \
         heading to sort, a row for its runs; point at “Ended” for the reason.</p></section>"
    );
}

fn about(study: &Study, html: &mut String) {
    let _ = write!(
        html,
        "<section id=\"about\" data-page=\"about\"><h2>What was run</h2>\n<details open><summary>The config as resolved; \
         run again, it gives the same results</summary><pre>{}</pre></details>\n",
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
