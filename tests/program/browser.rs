//! The page in a browser: it loads nothing from elsewhere, logs no error, and its controls work.
//!
//! Needs Chromium (Debian: `apt-get install chromium`); skipped with a message where there is none, unless
//! `ISACOPT_REQUIRE_BROWSER` is set, as it is where the project's tests must run whole.

use std::path::Path;
use std::process::Command;

use crate::command::isacopt;
use crate::synthetic::{Made, one};
use isacopt::report;
use serde_json::{Map, Value, json};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The program to run; none where the tests are to be skipped.
fn browser() -> Option<&'static str> {
    let works = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = NAMES.into_iter().find(works);
    assert!(
        found.is_some() || std::env::var_os("ISACOPT_REQUIRE_BROWSER").is_none(),
        "ISACOPT_REQUIRE_BROWSER is set, and there is none of {NAMES:?}"
    );
    if found.is_none() {
        eprintln!("skipped: there is none of {NAMES:?} (Debian: apt-get install chromium)");
    }
    found
}

/// Loads a page; returns the DOM that its scripts leave, and the lines of the browser's console. With `clock`, the
/// browser waits for timers, on a clock of its own.
fn load(browser: &str, page: &Path, clock: bool) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--window-size=1300,2400", "--dump-dom"])
        .args(clock.then_some("--virtual-time-budget=60000"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let console = log.lines().filter(|l| l.contains("CONSOLE")).map(str::to_string).collect();
    (String::from_utf8(output.stdout).unwrap(), console)
}

/// A page with the harness as its last script, and what these parts of it saw.
fn act(browser: &str, page: &Path, parts: &[&str]) -> Value {
    let html = std::fs::read_to_string(page).unwrap();
    let harness = include_str!("harness.js");
    let harness = format!("<script>\nconst WHAT = {};\n{harness}</script>\n</body>", json!(parts));
    std::fs::write(page, html.replace("</body>", &harness)).unwrap();
    let (dom, console) = load(browser, page, !parts.is_empty());
    assert_eq!(console, Vec::<String>::new(), "the console is silent");
    let start = dom.find("<pre id=\"outcome\">").expect("the harness ran to its end") + "<pre id=\"outcome\">".len();
    let end = start + dom[start..].find("</pre>").unwrap();
    let text =
        dom[start..end].replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seen.get("stopped by"), None, "{seen}");
    seen
}

/// The same of the page of a folder.
fn visit(browser: &str, made: &Made, parts: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path());
    act(browser, &report::write(folder.path()).unwrap(), parts)
}

/// Compares what was seen with what is expected, each under its name.
fn judge(seen: &Value, expected: &[(&str, Value)]) {
    for (name, expected) in expected {
        assert_eq!(seen.get(*name), Some(expected), "{name}: {seen:#}");
    }
}

#[test]
fn figures_have_pages_and_their_controls_work() {
    let Some(browser) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    Made::usual().write(folder.path());
    report::draw(folder.path()).unwrap();
    let seen = act(browser, &report::write(folder.path()).unwrap(), &["figuresInTurn"]);
    let all = json!(["convergence", "sweep", "tradeoff", "distribution", "effort", "benchmark"]);
    judge(
        &seen,
        &[
            ("first page", json!([["overview", "sweep", "verdicts"], 3, 5])),
            ("drawn alone", all),
            ("loaded from elsewhere", json!([])),
            ("legend hides", json!([1, "false"])),
            ("legend shows", json!([0, "true"])),
            ("time axis", json!("Solver time (s)")),
            ("gap axis", json!(["Gap to the proven bound", "logarithmic"])),
            ("linear gap axis", json!("linear")),
            ("another sweep point", json!(1)),
            ("opened by its address", json!(["Solver time (s)", "linear"])),
            ("decibels", json!("CRLB azimuth (dB re 1 rad²)")),
            ("degrees", json!("Root of CRLB azimuth (degrees)")),
            ("same value", json!(true)),
            ("error bars", json!("bars")),
            ("logarithmic trade-off", json!("logarithmic")),
            ("shares rise to one", json!(true)),
            ("marks", json!(4)),
            ("effort of one point", json!(4)),
        ],
    );
    // The page marks the points that the program marks in the drawn figure.
    let csv = std::fs::read_to_string(folder.path().join("figures/tradeoff.csv")).unwrap();
    let rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>()).filter(|row| row[1] == "nondominated");
    let mut drawn: Vec<[f64; 2]> = rows.map(|row| [row[2].parse().unwrap(), row[3].parse().unwrap()]).collect();
    drawn.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let marked: Vec<[f64; 2]> = serde_json::from_value(seen["nondominated"].clone()).unwrap();
    assert_eq!((marked.len(), drawn.is_empty()), (drawn.len(), false), "{marked:?} {drawn:?}");
    for (a, b) in marked.iter().flatten().zip(drawn.iter().flatten()) {
        assert!((a - b).abs() <= 1e-3 * b.abs(), "{marked:?} {drawn:?}");
    }
}

#[test]
fn statistics_of_convergence_are_drawn_and_obey_the_filter() {
    let Some(browser) = browser() else { return };
    let seen = visit(browser, &Made::usual(), &["statistics"]);
    let evaluations = "Evaluations (designs judged by the solver)";
    let (share, target) = ("Share of problems", "Target: gap to the reference");
    judge(
        &seen,
        &[
            (
                "statistics",
                json!({
                    "targets_reached": [evaluations, "Share of problems and targets", 5, true],
                    "performance_profile": ["Ratio to the least number of evaluations of any solver", share, 3, true],
                    "data_profile": ["Evaluations / (real numbers of the design + 1)", share, 3, true],
                    "success_rate": [target, share, 5, true],
                    "running_time": [target, "Expected evaluations", 5, true],
                }),
            ),
            ("statistics in time", json!("Solver time (s)")),
            ("shares rise", json!(true)),
            ("solved", json!(true)),
            ("measured from", json!(true)),
            ("statistics under a filter", json!(["50", "10", "50", true])),
        ],
    );
}

#[test]
fn tables_sort_and_filters_act_on_all_pages() {
    let Some(browser) = browser() else { return };
    let seen = visit(browser, &Made::usual(), &["table", "filters"]);
    let two = json!([1, 2]);
    let points = json!(["10 dB", "20 dB"]);
    judge(
        &seen,
        &[
            ("plan restored", json!(true)),
            ("filtered by solver", json!(["1", "2"])),
            ("filtered by both", json!([4, "4 of 25 rows"])),
            ("in the address", points.clone()),
            ("in every link", json!(true)),
            (
                "figures of filtered solvers",
                json!({
                    "convergence": two, "sweep": two, "tradeoff": two, "distribution": two, "effort": two,
                    "benchmark": two,
                }),
            ),
            ("points of the sweep", points.clone()),
            ("choices of points", points),
            ("runs listed", json!("40 of 250 runs")),
            ("all again", json!(["#/runs", "250 runs"])),
            ("opened by a link", json!(["3"])),
        ],
    );
    // Sorted by gap: numbers in order, rows without one last, whichever way.
    for (name, sign) in [("ascending", 1.0), ("descending", -1.0)] {
        let values: Vec<String> = serde_json::from_value(seen[name].clone()).unwrap();
        let numbers: Vec<f64> = values.iter().filter_map(|v| v.parse().ok()).collect();
        assert_eq!((values.len(), numbers.len()), (25, 24), "{values:?}");
        assert_eq!(values[24], "none");
        assert!(numbers.windows(2).all(|w| sign * w[0] <= sign * w[1]), "{values:?}");
    }
}

#[test]
fn a_run_shows_its_trace_its_design_and_how_to_do_it_again() {
    let Some(browser) = browser() else { return };
    let seen = visit(browser, &Made::usual(), &["single"]);
    let metrics = [
        "CRLB azimuth (rad²)",
        "CRLB elevation (rad²)",
        "Rate (bit/s/Hz)",
        "SINR",
        "Sum rate (bit/s/Hz)",
        "Transmit power",
    ];
    judge(
        &seen,
        &[
            ("runs of a row", json!([["runs"], "10 of 250 runs"])),
            ("found by its name", json!("1 of 250 runs")),
            ("runs by their end", json!("15 of 250 runs")),
            ("runs sorted", json!(["equal power", "equal power", "equal power"])),
            ("a run", json!([true, ["run", "run-trace"]])),
            (
                "parts of a run",
                json!([
                    "Metrics of its design",
                    "Design: 13 real numbers",
                    "Do it again",
                    "Its record, trace, instance and design"
                ]),
            ),
            (
                "commands",
                json!([
                    "isacopt replay FOLDER ID",
                    "isacopt replay FOLDER ID --json",
                    "isacopt replay FOLDER ID --instance run-ID.json"
                ]),
            ),
            ("trace of a run", json!([true, 16])),
            ("gap of a run", json!(["logarithmic", "Gap to the proven bound"])),
            ("copied", json!(true)),
            ("no such run", json!(true)),
        ],
    );
    let mut shown: Vec<String> = serde_json::from_value(seen["metrics of a run"].clone()).unwrap();
    shown.sort();
    assert_eq!(shown, metrics);
    let facts: Vec<String> = serde_json::from_value(seen["facts of a run"].clone()).unwrap();
    assert_eq!([&facts[0], &facts[2], &facts[4]], ["SCA", "converged", "the objective moved less than 1e-9"]);
    assert_eq!(facts[3], format!("seed 1, trial {}", facts[1]));
}

#[test]
fn the_overview_prints_everything_and_another_page_itself() {
    let Some(browser) = browser() else { return };
    let seen = visit(browser, &Made::usual(), &["paper", "lost"]);
    let first = json!(["overview", "sweep", "verdicts"]);
    let whole = [
        "overview",
        "results",
        "convergence",
        "sweep",
        "tradeoff",
        "distribution",
        "effort",
        "benchmark",
        "verdicts",
        "about",
    ];
    judge(
        &seen,
        &[
            ("on paper", json!(whole)),
            ("after paper", first),
            ("one page on paper", json!(["effort"])),
            ("lost", json!(["sweep"])),
        ],
    );
}

#[test]
fn the_configs_figures_monte_carlo_and_claims_are_shown() {
    let Some(browser) = browser() else { return };
    let sections = "[[figure]]\nkind = \"sweep\"\ntitle = \"Azimuth\"\nmetric = \"crlb_azimuth\"\n\
                    solvers = [\"SCA\", \"exact\"]\nlabels = { exact = \"Optimum\" }\nx_range = [-10, 15]\n\
                    y_label = \"CRLB (dB)\"\n\
                    [[claim]]\npaper = \"rises\"\nmetric = \"sum_rate\"\nsolver = \"SCA\"\n\
                    along = \"scenario.transmit_power\"\nrelation = \"rises\"\n\
                    [[claim]]\npaper = \"in words\"\nholds = false\nwhy = \"someone looked\"\n";
    let made = Made { sections: sections.into(), monte_carlo: true, ..Made::usual() };
    let seen = visit(browser, &made, &["claims", "config"]);
    let legend = json!(["SCA", "Optimum", "MLE MSE", "grid search MSE"]);
    judge(
        &seen,
        &[
            ("the config's figure", json!([legend, -10, 15, "CRLB (dB)", "Azimuth"])),
            ("with an interval", json!(true)),
            ("markers hidden", json!(0)),
            ("free choice", json!(["free", false, ["SCA", "Optimum", "Monte-Carlo"]])),
            (
                "claims",
                json!([
                    ["rises", "✓ holds", "badge holds"],
                    ["in words", "✗ known: does not hold", "badge fails known"]
                ]),
            ),
        ],
    );
    let over = seen["estimator over its bound"].as_f64().unwrap();
    assert!((over - 10.0 * 1.1f64.log10()).abs() < 1e-3, "{over}");
}

#[test]
fn two_experiments_stand_side_by_side() {
    let Some(browser) = browser() else { return };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Made::usual().write(first.path());
    let mut changed = Made::usual();
    changed.solvers[1].2 = 1e-2;
    changed.users = 10;
    changed.write(second.path());
    let page = first.path().join("side-by-side.html");
    let folders = [first.path().to_str().unwrap(), second.path().to_str().unwrap()];
    isacopt(["compare", folders[0], folders[1], "--page", page.to_str().unwrap()]).text();
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("<tr><td>scenario.users</td><td>12</td><td>10</td></tr>"));
    let seen = act(browser, &page, &["sideBySide"]);
    judge(
        &seen,
        &[
            ("differences drawn", json!([true, 5, "Sum rate (bit/s/Hz): second − first"])),
            ("against each other", json!(["Sum rate (bit/s/Hz), first", "Sum rate (bit/s/Hz), second"])),
            ("rows of a solver", json!(["SCA"])),
        ],
    );
    assert!(seen["worse"].as_f64().unwrap() < 0.0, "fewer users have a lower sum rate: {seen}");
}

/// The goal is a second; the limit leaves room for a machine that is busy with other tests.
#[test]
fn a_page_over_two_thousand_runs_opens_at_once() {
    let Some(browser) = browser() else { return };
    let powers = (0..40).map(|i| one("scenario.transmit_power", format!("{i} dB"))).collect();
    let seen = visit(browser, &Made { sweeps: powers, ..Made::usual() }, &[]);
    let opened = seen["opened"].as_f64().unwrap();
    println!("a page over 2,000 runs opened in {opened:.0} ms");
    assert!(opened < 4000.0, "{opened} ms");
}

#[test]
fn odd_pages_log_no_error() {
    let Some(browser) = browser() else { return };
    let hostile = "</script><img src=x onerror=alert(1)>&\"'<!--";
    let mut named = Made { sweeps: vec![one(hostile, hostile), one(hostile, "b")], ..Made::usual() };
    named.solvers[0].0 = hostile.into();
    let single = Made { sweeps: vec![Map::new()], trials: 1, users: 1, ..Made::usual() };
    for made in [
        named,
        Made { solvers: single.solvers[..1].to_vec(), ..single },
        Made { feasible: |_, _, _| false, ..Made::usual() },
        Made { bounds: false, ..Made::usual() },
    ] {
        let folder = tempfile::tempdir().unwrap();
        made.write(folder.path());
        let (dom, console) = load(browser, &report::write(folder.path()).unwrap(), false);
        assert_eq!(console, Vec::<String>::new());
        assert!(!dom.contains("<img"), "a name became an element");
    }
}
