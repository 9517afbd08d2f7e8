//! The first page of a report: what was run, and how it came out.

use std::fmt::Write;

use serde_json::Value;

use super::claims::{Tested, Verdict};
use super::html::{duration, escape, number};
use super::quantity::capitalized;
use super::spread::{quantile, sorted};
use super::study::{Reduction, Study, sign};
use super::swept::{text, words};
use super::table::{best, same_name};
use crate::trace::Status;

/// Two objectives closer than this, relative to their size, are the same.
pub const SAME: f64 = 1e-6;

/// The experiment in numbers and names.
pub fn facts(study: &Study, html: &mut String) {
    let table = |key: &str| study.config.get(key).and_then(toml::Value::as_table);
    let mut rows: Vec<(String, String)> = Vec::new();
    if let Some(kind) = table("scenario").and_then(|s| s.get("type")) {
        rows.push(("Scenario".into(), plain(kind)));
    }
    if let Some(instances) = study.config.get("instances") {
        rows.push(("Instances".into(), plain(instances)));
    }
    if let Some(objective) = study.objective_quantity() {
        let verb = if sign(objective.direction) < 0.0 { "minimize" } else { "maximize" };
        let unit = if objective.unit.is_empty() { String::new() } else { format!(" ({})", objective.unit) };
        rows.push(("Objective".into(), format!("{verb} {}{unit}", words(&study.objective()))));
    }
    if let Some(constraints) = table("problem").and_then(|p| p.get("constraints")) {
        rows.push(("Constraints".into(), plain(constraints)));
    }
    let solvers = study.solvers.iter().map(|(l, k)| if same_name(l, k) { l.clone() } else { format!("{l} ({k})") });
    rows.push(("Solvers".into(), solvers.collect::<Vec<_>>().join(", ")));
    for axis in &study.axes {
        let keys = axis.keys.iter().map(|k| format!("{}: {}", k.label, few(&k.values)));
        rows.push(("Sweep".into(), keys.collect::<Vec<_>>().join("; ")));
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

/// All values, or of very many the first and the last.
fn few(values: &[String]) -> String {
    match values {
        [first, second, third, .., last] if values.len() > 16 => {
            format!("{first}, {second}, {third}, …, {last} ({} values)", values.len())
        }
        _ => values.join(", "),
    }
}

/// How a solver did over the whole experiment.
struct Standing {
    /// At how many sweep points its median objective is the best.
    best: usize,
    /// At how many it is compared.
    points: usize,
    /// Its runs, and how many of them are feasible.
    runs: usize,
    feasible: usize,
    /// The gaps and times of its compared runs, ascending.
    gaps: Vec<f64>,
    times: Vec<f64>,
}

fn standings(study: &Study) -> Vec<Standing> {
    let cells = 0..study.cells.len();
    let leaders: Vec<Option<f64>> = cells.clone().map(|cell| best(study, cell)).collect();
    let objective = study.objective_quantity();
    (0..study.solvers.len())
        .map(|solver| {
            let (mut wins, mut points) = (0, 0);
            for (cell, leader) in leaders.iter().enumerate() {
                let spread = objective.and_then(|o| study.spread(o, Reduction::Mean, cell, solver));
                if let Some((spread, leader)) = spread.zip(*leader) {
                    points += 1;
                    wins += usize::from((spread.median - leader).abs() <= SAME * leader.abs());
                }
            }
            let records = || cells.clone().flat_map(|cell| study.records(cell, solver));
            let compared = || cells.clone().flat_map(|cell| study.compared(cell, solver));
            Standing {
                best: wins,
                points,
                runs: records().count(),
                feasible: records().filter(|r| r.feasible).count(),
                gaps: sorted(&compared().filter_map(|r| study.run_gap(r)).collect::<Vec<_>>()),
                times: sorted(&compared().filter_map(|r| study.folder.times.get(&r.run).copied()).collect::<Vec<_>>()),
            }
        })
        .collect()
}

/// What stands out, in a few cards, and all solvers at a glance.
pub fn glance(study: &Study, claims: &[Tested], html: &mut String) {
    let all = standings(study);
    cards(study, &all, claims, html);
    if study.solvers.is_empty() {
        return;
    }
    html.push_str("<div class=\"scroll\"><table class=\"glance\"><thead><tr><th>Solver</th><th>Best objective</th>");
    html.push_str("<th>Feasible runs</th><th>Gap to the proven bound<small>median, largest</small></th>");
    html.push_str("<th>Time<small>median, longest</small></th></tr></thead><tbody>\n");
    let pair = |values: &[f64], show: &dyn Fn(f64) -> String| match values.last() {
        Some(last) if values.len() > 1 => format!("{}<small>{}</small>", show(quantile(values, 0.5)), show(*last)),
        Some(only) => show(*only),
        None => "–".into(),
    };
    for ((label, kind), standing) in study.solvers.iter().zip(&all) {
        let kind = if same_name(label, kind) { String::new() } else { format!("<small>{}</small>", escape(kind)) };
        let wins = format!("at {} of {}", standing.best, counted(standing.points, "sweep point"));
        let (class, bold) = if standing.best > 0 { (" class=\"best\"", wins.as_str()) } else { ("", wins.as_str()) };
        let short = if standing.feasible < standing.runs { " class=\"short\"" } else { "" };
        let _ = writeln!(
            html,
            "<tr><td>{}{kind}</td><td{class}><b>{bold}</b></td><td{short}>{} of {}</td><td>{}</td><td>{}</td></tr>",
            escape(label),
            standing.feasible,
            standing.runs,
            pair(&standing.gaps, &|x| number(x, 2)),
            pair(&standing.times, &duration),
        );
    }
    html.push_str("</tbody></table></div>\n");
    let _ = writeln!(
        html,
        "<p class=\"caption\">Over the whole experiment. Best objective: where the solver’s median is the best of all, to \
         10⁻⁶ of its size. Gap and time: over the trials in which every compared solver is feasible.</p>"
    );
}

fn cards(study: &Study, all: &[Standing], claims: &[Tested], html: &mut String) {
    let mut cards: Vec<(&str, String, String)> = Vec::new();
    let names = |keep: &dyn Fn(&Standing) -> bool| -> String {
        let kept = study.solvers.iter().zip(all).filter(|(_, s)| keep(s)).map(|((label, _), _)| label.clone());
        let kept: Vec<String> = kept.collect();
        match kept.as_slice() {
            [first, second, rest @ ..] if rest.len() > 1 => format!("{first}, {second} and {} more", rest.len()),
            _ => kept.join(", "),
        }
    };
    let most = all.iter().map(|s| s.best).max().unwrap_or(0);
    if most > 0 && all.len() > 1 {
        let points = all.iter().map(|s| s.points).max().unwrap_or(0);
        let at = format!("at {most} of {}", counted(points, "sweep point"));
        cards.push(("Best objective", names(&|s| s.best == most), at));
        let median = |s: &Standing| quantile(&s.times, 0.5);
        let least = all.iter().filter(|s| s.best == most).map(median).fold(f64::INFINITY, f64::min);
        if least.is_finite() && all.iter().filter(|s| s.best == most).count() > 1 {
            let fastest = names(&|s| s.best == most && median(s) <= least);
            cards.push(("Fastest of the best", fastest, format!("{}, median", duration(least))));
        }
    }
    let trials = || (0..study.cells.len()).flat_map(|c| study.trial_bounds(c));
    let (problems, proven) = (trials().count(), trials().filter(Option::is_some).count());
    let median = |s: &Standing| quantile(&s.gaps, 0.5);
    let least = all.iter().map(median).filter(|g| !g.is_nan()).fold(f64::INFINITY, f64::min);
    let bounds =
        if proven == problems { "every problem has".into() } else { format!("{proven} of {problems} problems have") };
    let (closest, below) = match least.is_finite() {
        true => (
            names(&|s| median(s) <= least.max(1e-9)),
            format!("median gap {}; {bounds} a proven bound", number(least, 2)),
        ),
        false => ("no proven bound".into(), "gaps are unknown".to_string()),
    };
    if problems > 0 {
        cards.push(("Closest to the proven optimum", closest, below));
    }
    let runs = study.folder.records.len();
    let infeasible = study.folder.records.iter().filter(|r| !r.feasible).count();
    let head = if infeasible == 0 { "none".into() } else { format!("{infeasible} of {}", counted(runs, "run")) };
    let failed = study.folder.records.iter().filter(|r| r.status == Status::Failed).count();
    let below = match (infeasible, failed) {
        (0, _) => format!("of {}", counted(runs, "run")),
        (_, 0) => "the reasons stand below".into(),
        (_, failed) => format!("{failed} of them failed; the reasons stand below"),
    };
    if runs > 0 {
        cards.push(("Ended without a feasible design", head, below));
    }
    if !claims.is_empty() {
        let count = |keep: &dyn Fn(&&Tested) -> bool| claims.iter().filter(keep).count();
        let tested = |v: Verdict| count(&|c| !c.in_words && c.verdict == v);
        let untested = count(&|c| c.in_words || c.verdict == Verdict::Untested);
        let head = format!("{} hold, {} do not", tested(Verdict::Holds), tested(Verdict::Fails));
        cards.push((
            "What the paper says, tested here",
            head,
            if untested == 0 { "all of them".into() } else { format!("{untested} more are not tested by this run") },
        ));
    }
    html.push_str("<div class=\"cards\">");
    for (title, head, below) in cards {
        let _ = write!(
            html,
            "<div><span>{title}</span><strong>{}</strong><small>{}</small></div>",
            escape(&head),
            escape(&below)
        );
    }
    html.push_str("</div>\n");
}

fn counted(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// What the paper says beside what was found, where the config says it: first what this run tests, then what is known.
pub fn claims(tested: &[Tested], html: &mut String) {
    if tested.is_empty() {
        return;
    }
    html.push_str("<div id=\"claims\"><h2>What the paper says</h2>\n");
    let here = |c: &&Tested| !c.in_words && c.verdict != Verdict::Untested;
    for (heading, note, rows) in [
        ("Tested on the numbers of this run", "", tested.iter().filter(here).collect::<Vec<_>>()),
        (
            "Not tested by this run",
            "These verdicts are not found by this run. Where one stands, it is known from elsewhere, and the last column says whence.",
            tested.iter().filter(|c| !here(c)).collect(),
        ),
    ] {
        if rows.is_empty() {
            continue;
        }
        let ours = if note.is_empty() { "<th>Here</th>" } else { "" };
        let _ = write!(
            html,
            "<h3>{heading}</h3><p class=\"caption\">{note}</p><div class=\"scroll\"><table class=\"claims\">"
        );
        let _ = writeln!(html, "<thead><tr><th>The paper</th>{ours}<th>Verdict</th><th>Why</th></tr></thead><tbody>");
        for claim in rows {
            let ours = if note.is_empty() { format!("<td>{}</td>", escape(&claim.ours)) } else { String::new() };
            let (paper, why) = (escape(&claim.paper), escape(&claim.why));
            let _ = writeln!(html, "<tr><td>{paper}</td>{ours}<td>{}</td><td>{why}</td></tr>", badge(claim));
        }
        html.push_str("</tbody></table></div>\n");
    }
    html.push_str("</div>\n");
}

/// A verdict: filled where the run tested it, an outline where it is known, grey where nobody knows.
fn badge(claim: &Tested) -> String {
    let odd = if claim.expected { "" } else { "<small>otherwise than known</small>" };
    let (class, sign) = match claim.verdict {
        Verdict::Holds => ("holds", "✓ "),
        Verdict::Fails => ("fails", "✗ "),
        Verdict::Untested => ("untested", "? "),
    };
    let known = if claim.in_words { (" known", "known: ") } else { ("", "") };
    format!("<span class=\"badge {class}{}\">{sign}{}{}</span>{odd}", known.0, known.1, claim.verdict.name())
}

/// Runs that gave nothing to compare, with their reasons, gathered.
pub fn trouble(study: &Study, html: &mut String) {
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

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
