//! The page in a browser: it loads nothing from elsewhere, logs no error, and its controls work.
//!
//! Needs Chromium (Debian: `apt-get install chromium`); skipped with a message where there is none, unless
//! `ISACOPT_REQUIRE_BROWSER` is set, as it is where the project's tests must run whole.

use std::path::Path;
use std::process::Command;

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

/// Loads a page; returns the DOM that its scripts leave, and the lines of the browser's console.
fn load(browser: &str, page: &Path) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--window-size=1300,2400", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let console = log.lines().filter(|l| l.contains("CONSOLE")).map(str::to_string).collect();
    (String::from_utf8(output.stdout).unwrap(), console)
}

/// The page of a folder with the harness as its last script, and what the harness saw.
fn visit(browser: &str, made: &Made) -> Value {
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path());
    let page = report::write(folder.path()).unwrap();
    let html = std::fs::read_to_string(&page).unwrap();
    let harness = concat!("<script>\n", include_str!("harness.js"), "</script>\n</body>");
    std::fs::write(&page, html.replace("</body>", harness)).unwrap();
    let (dom, console) = load(browser, &page);
    assert_eq!(console, Vec::<String>::new(), "the console is silent");
    let start = dom.find("<pre id=\"outcome\">").expect("the harness ran to its end") + "<pre id=\"outcome\">".len();
    let end = start + dom[start..].find("</pre>").unwrap();
    let text =
        dom[start..end].replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn controls_work_without_network_and_without_errors() {
    let Some(browser) = browser() else { return };
    let mut seen = visit(browser, &Made::usual());
    assert!(seen.as_object_mut().unwrap().remove("opened").is_some());
    let mut take = |name: &str| seen.as_object_mut().unwrap().remove(name).unwrap_or_else(|| panic!("{name}: {seen}"));
    for (name, expected) in [
        ("drawn", json!(["convergence", "sweep", "tradeoff", "distribution", "effort"])),
        ("loaded from elsewhere", json!([])),
        ("legend hides", json!([1, "false"])),
        ("legend shows", json!([0, "true"])),
        ("plan restored", json!(true)),
        ("filtered by solver", json!(["1"])),
        ("filtered by both", json!(1)),
        ("count", json!("1 of 25 rows")),
        ("time axis", json!("Solver time (s)")),
        ("gap axis", json!(["Gap to the proven bound", "logarithmic"])),
        ("linear gap axis", json!("linear")),
        ("another sweep point", json!(1)),
        ("decibels", json!("CRLB azimuth (dB re 1 rad²)")),
        ("degrees", json!("Root of CRLB azimuth (degrees)")),
        ("same value", json!(true)),
        ("error bars", json!("bars")),
        ("nondominated marked", json!(true)),
        ("logarithmic trade-off", json!("logarithmic")),
        ("shares rise to one", json!(true)),
        ("marks", json!(4)),
        ("effort of one point", json!(4)),
    ] {
        assert_eq!(take(name), expected, "{name}");
    }
    // Sorted by gap: numbers in order, rows without one last, whichever way.
    for (name, sign) in [("ascending", 1.0), ("descending", -1.0)] {
        let values: Vec<String> = serde_json::from_value(take(name)).unwrap();
        let numbers: Vec<f64> = values.iter().filter_map(|v| v.parse().ok()).collect();
        assert_eq!((values.len(), numbers.len()), (25, 24), "{values:?}");
        assert_eq!(values[24], "none");
        assert!(numbers.windows(2).all(|w| sign * w[0] <= sign * w[1]), "{values:?}");
    }
    assert_eq!(seen, json!({}), "all that was seen was judged");
}

#[test]
fn the_configs_figures_and_monte_carlo_are_shown() {
    let Some(browser) = browser() else { return };
    let sections = "[[figure]]\nkind = \"sweep\"\ntitle = \"Azimuth\"\nmetric = \"crlb_azimuth\"\n\
                    solvers = [\"SCA\", \"exact\"]\nlabels = { exact = \"Optimum\" }\nx_range = [-10, 15]\n\
                    y_label = \"CRLB (dB)\"\n";
    let made = Made { sections: sections.into(), monte_carlo: true, ..Made::usual() };
    let seen = visit(browser, &made);
    let legend = json!(["SCA", "Optimum", "MLE MSE", "grid search MSE"]);
    assert_eq!(seen["the config's figure"], json!([legend, -10, 15, "CRLB (dB)", "Azimuth"]));
    let over = seen["estimator over its bound"].as_f64().unwrap();
    assert!((over - 10.0 * 1.1f64.log10()).abs() < 1e-3, "{over}");
    assert_eq!(seen["with an interval"], true);
    assert_eq!(seen["markers hidden"], 0);
    assert_eq!(seen["free choice"], json!(["free", false, ["SCA", "Optimum", "Monte-Carlo"]]));
    assert_eq!(seen.get("stopped by"), None, "{seen}");
}

/// The goal is a second; the limit leaves room for a machine that is busy with other tests.
#[test]
fn a_page_over_two_thousand_runs_opens_at_once() {
    let Some(browser) = browser() else { return };
    let powers = (0..40).map(|i| one("scenario.transmit_power", format!("{i} dB"))).collect();
    let seen = visit(browser, &Made { sweeps: powers, ..Made::usual() });
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
        let (dom, console) = load(browser, &report::write(folder.path()).unwrap());
        assert_eq!(console, Vec::<String>::new());
        assert!(!dom.contains("<img"), "a name became an element");
    }
}
