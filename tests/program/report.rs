//! The page of a run folder: complete, self-contained, small, and safe against hostile names.

use std::path::Path;

use crate::synthetic::{Made, one};
use isacopt::report;
use serde_json::{Map, Value, json};

fn page(made: &Made) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    made.write(folder.path());
    let path = report::write(folder.path()).unwrap();
    assert_eq!(path, folder.path().join("report.html"));
    let html = std::fs::read_to_string(path).unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 6, "nothing else is left in the folder: {names:?}");
    let data = data(&html);
    (html, data)
}

/// The page's data, read as a browser does: everything between the tags.
fn data(html: &str) -> Value {
    let start = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = start + html[start..].find("</script").unwrap();
    serde_json::from_str(&html[start..end]).unwrap()
}

/// The markup: without the contents of scripts and styles.
fn markup(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = ["<script", "<style"].iter().filter_map(|t| rest.find(t)).min() {
        out += &rest[..at];
        let end = ["</script>", "</style>"].iter().filter_map(|t| rest[at..].find(t)).min().unwrap();
        rest = &rest[at + end..];
    }
    out + rest
}

#[test]
fn the_page_holds_everything_and_loads_nothing() {
    let (html, data) = page(&Made::usual());
    let markup = markup(&html);
    for (label, ..) in Made::usual().solvers {
        assert!(markup.contains(&label), "{label}");
    }
    for text in
        ["monostatic: sum rate against SNR", "transmit power", "−10 dB".replace('−', "-").as_str(), "x86_64 linux"]
    {
        assert!(markup.contains(text), "{text}");
    }
    for loader in ["src=", "url(", "@import", "http:", "https:", "<iframe", "<object", "<embed"] {
        assert!(!markup.contains(loader), "{loader}");
    }
    assert_eq!(data["solvers"].as_array().unwrap().len(), 5);
    assert_eq!(data["axes"][0]["keys"][0]["numbers"], json!([-10.0, 0.0, 10.0, 20.0, 30.0]));
}

#[test]
fn figures_are_over_the_trials_in_which_all_compared_solvers_are_feasible() {
    let (html, data) = page(&Made::usual());
    // Trial 7 fails for one solver everywhere; at the lowest power another is never feasible and is not compared.
    assert_eq!(data["cells"][0]["compared"], 9);
    assert_eq!(data["cells"][4]["compared"], 9);
    let rate = data["quantities"].as_array().unwrap().iter().position(|q| q["id"] == "sum_rate").unwrap();
    let spreads = &data["spreads"][format!("{rate}/mean")];
    assert_eq!(spreads[4], Value::Null, "the solver that is never feasible has no figure");
    assert_eq!(spreads[0][0], 9);
    assert!(html.contains(">9 of 10<") && html.contains(">0 of 10<"));
    assert!(html.contains("no design &lt;held&gt; the limits"));
}

#[test]
fn convergence_is_told_over_all_problems() {
    let (html, data) = page(&Made::usual());
    assert!(html.contains("id=\"benchmark\""));
    let all = &data["benchmark"][0];
    assert_eq!(all["problems"], 50, "ten trials at each of five powers");
    let parts = data["benchmark"].as_array().unwrap()[1..].iter().map(|part| (&part["at"], &part["problems"]));
    let single: Vec<_> = (0..5).map(|point| (json!([point]), json!(10))).collect();
    assert!(parts.eq(single.iter().map(|(at, problems)| (at, problems))), "and each power alone");
    let solvers = data["solvers"].as_array().unwrap().len();
    for reference in ["bound", "best"] {
        let part = &all[reference];
        for curves in [&part["targets_reached"]["time"], &part["success_rate"], &part["data_profile"]["12"]] {
            assert_eq!(curves.as_array().unwrap().len(), solvers);
        }
        for [_, shares] in
            serde_json::from_value::<Vec<[Vec<f64>; 2]>>(part["targets_reached"]["evaluations"].clone()).unwrap()
        {
            assert!(shares.is_sorted() && shares.iter().all(|s| (0.0..=1.0).contains(s)), "{shares:?}");
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</script><img src=x onerror=alert(1)>&\"'<!--\u{2028}";
    let mut made = Made::usual();
    made.name = hostile.into();
    made.solvers[1].0 = hostile.into();
    made.sweeps = vec![one(hostile, hostile), one(hostile, "</table>")];
    let (html, data) = page(&made);
    assert_eq!(data["solvers"][1]["label"], hostile);
    assert_eq!(data["axes"][0]["keys"][0]["values"][0], hostile);
    assert!(!html.contains("<img"), "no element of the label's making");
    assert_eq!(html.matches("</script").count(), html.matches("<script").count());
    assert_eq!(html.matches("</table>").count(), html.matches("<table").count());
}

#[test]
fn two_thousand_runs_make_a_small_page() {
    let powers: Vec<Map<String, Value>> = (0..40).map(|i| one("scenario.transmit_power", format!("{i} dB"))).collect();
    let trials = Made { sweeps: powers, ..Made::usual() };
    let (html, data) = page(&trials);
    assert!(html.len() < 1_350_000, "{}", html.len());
    assert_eq!((data["total"].clone(), data["runs"][0]["id"].as_array().unwrap().len()), (json!(2000), 400));
    let points: Vec<Map<String, Value>> = (0..400).map(|i| one("scenario.users", i + 1)).collect();
    let cells = Made { sweeps: points, trials: 1, ..Made::usual() };
    let (html, _) = page(&cells);
    assert!(html.len() < 3_000_000, "{}", html.len());
}

#[test]
fn a_sweep_of_very_many_points_is_shown_evenly_spaced() {
    let points: Vec<Map<String, Value>> = (0..1200).map(|i| one("scenario.users", i + 1)).collect();
    let solvers = Made::usual().solvers[..2].to_vec();
    let (html, data) = page(&Made { sweeps: points, trials: 1, users: 2, solvers, ..Made::usual() });
    assert!(html.contains("This page shows 600 of 1200 sweep points"));
    let numbers: Vec<f64> = serde_json::from_value(data["axes"][0]["keys"][0]["numbers"].clone()).unwrap();
    assert_eq!((numbers.len(), numbers[0], numbers[1]), (600, 1.0, 3.0));
    assert_eq!(data["cells"][599]["place"], json!([599]));
    let rate = data["quantities"].as_array().unwrap().iter().position(|q| q["id"] == "sum_rate").unwrap();
    assert_eq!(data["spreads"][format!("{rate}/mean")].as_array().unwrap().len(), 1200, "600 points of two solvers");
    assert_eq!(data["runs"][1]["cell"].as_array().unwrap().last(), Some(&json!(599)));
    assert_eq!(html.matches("<tr data-solver").count(), 1200);
}

#[test]
fn a_page_says_what_it_says_without_javascript() {
    let (html, _) = page(&Made::usual());
    let markup = markup(&html);
    assert!(markup.contains("<noscript>") && markup.contains("class=\"cards\"") && markup.contains("class=\"glance\""));
    for id in ["overview", "results", "verdicts", "about"] {
        assert!(markup.contains(&format!("<section id=\"{id}\" data-page")), "{id}");
        assert!(!markup.contains(&format!("<section id=\"{id}\" data-page=\"{id}\" hidden")), "{id}");
    }
}

#[test]
fn odd_folders_have_a_page() {
    let one_point = Made { sweeps: vec![Map::new()], trials: 1, users: 1, ..Made::usual() };
    let (html, data) = page(&Made { solvers: one_point.solvers[..1].to_vec(), ..one_point.clone() });
    assert!(html.contains("1 run of 1 solver over 1 trial."));
    assert_eq!(data["axes"], json!([]));

    let (_, data) = page(&Made { feasible: |_, _, _| false, ..Made::usual() });
    assert_eq!(data["cells"][0]["compared"], 0);
    assert_eq!(data["convergence"], json!([]));

    let (_, data) = page(&Made { bounds: false, ..Made::usual() });
    assert_eq!(data["bounds"][0], Value::Null);
    assert!(data["convergence"][0]["time"].get("gap").is_none());

    let zip = |a: &str, b: i32| [("a".to_string(), a.into()), ("b".to_string(), b.into())].into_iter().collect();
    let (_, data) = page(&Made { sweeps: vec![zip("zf", 4), zip("mrt", 8)], ..Made::usual() });
    assert_eq!(data["axes"].as_array().unwrap().len(), 1);
    assert_eq!(data["axes"][0]["keys"][0]["numbers"], Value::Null);
    assert_eq!(data["axes"][0]["keys"][1]["numbers"], json!([4.0, 8.0]));
}

#[test]
fn an_empty_or_torn_folder_is_served_and_a_missing_one_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "name = \"nothing yet\"\n").unwrap();
    let html = std::fs::read_to_string(report::write(folder.path()).unwrap()).unwrap();
    assert!(html.contains("nothing yet"));
    let missing = report::write(Path::new("no/such/folder")).unwrap_err().to_string();
    assert!(missing.contains("no/such/folder"), "{missing}");
}

/// Writes folders that a person (or a browser) can look at: `ISACOPT_SYNTHETIC=DIR cargo test --test program write_`.
#[test]
fn write_folders_to_look_at() {
    let Ok(target) = std::env::var("ISACOPT_SYNTHETIC") else { return };
    let target = Path::new(&target);
    // Of a run folder that is there, its page.
    if target.join("config.toml").exists() {
        report::write(target).unwrap();
        return;
    }
    let cross = |p: &str, u: i32| {
        [("scenario.transmit_power".to_string(), p.into()), ("scenario.users".to_string(), u.into())]
            .into_iter()
            .collect()
    };
    let crossed = ["0 dB", "10 dB", "20 dB"].iter().flat_map(|p| [4, 8, 12].map(|u| cross(p, u))).collect();
    let powers: Vec<Map<String, Value>> = (0..40).map(|i| one("scenario.transmit_power", format!("{i} dB"))).collect();
    for (name, made) in [
        ("usual", Made::usual()),
        ("single", Made { sweeps: vec![Map::new()], trials: 1, ..Made::usual() }),
        ("crossed", Made { sweeps: crossed, ..Made::usual() }),
        ("large", Made { sweeps: powers, ..Made::usual() }),
        ("named", Made { sweeps: ["zf", "mrt"].map(|p| one("scenario.precoder", p)).into(), ..Made::usual() }),
        ("simulated", Made { monte_carlo: true, ..Made::usual() }),
        ("infeasible", Made { feasible: |_, _, _| false, ..Made::usual() }),
    ] {
        made.write(&target.join(name));
        report::write(&target.join(name)).unwrap();
        report::draw(&target.join(name)).unwrap();
    }
}
