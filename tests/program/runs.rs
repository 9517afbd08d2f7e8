//! What `isacopt run` promises: the same results whatever the threads, nothing lost by a kill, nothing done twice, the same
//! channels for every solver and every swept value, and a table that compares like with like.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::command::{Bench, SMALL, command, isacopt_in, number};
use isacopt::math::RandomStream;
use serde_json::{Value, json};

/// 24 runs of the small system.
fn usual() -> String {
    SMALL.to_string()
        + r#"
[[solver]]
type = "exact"

[[solver]]
type = "sca"
start = "half"

[[solver]]
type = "random_search"
max_evaluations = 2_000

[[solver]]
type = "equal_communication"

[sweep]
"scenario.transmit_power" = ["20 dB", "25 dB"]

[trials]
count = 3
"#
}

fn objective(record: &Value) -> f64 {
    number(&record["objective"]["value"]).expect("a number")
}

#[test]
fn results_are_the_same_bytes_with_one_thread_and_two() {
    let bench = Bench::empty();
    // Sub-streams, conic programs and a population: whatever could depend on who computes what when.
    let config = usual()
        + "\n[[solver]]\ntype = \"global_search\"\nlabel = \"cma\"\nstrategy = \"cma_es\"\nmax_evaluations = 3000\n\
           \n[[solver]]\ntype = \"global_search\"\nmax_evaluations = 2000\n";
    bench.run(&config, "one", &["--threads", "1"]).text();
    bench.run(&config, "two", &["--threads", "2"]).text();
    bench.run(&config, "all", &[]).text();
    let first = bench.results("one");
    assert_eq!(bench.records("one").len(), 2 * 3 * 6);
    assert!(bench.results("two") == first && bench.results("all") == first);
    for file in ["config.toml", "cells.json"] {
        let read = |out: &str| std::fs::read(bench.path(out).join(file)).expect("there");
        assert!(read("one") == read("two"), "{file}");
    }
    // The config as resolved, run again, is the same experiment.
    let resolved = std::fs::read_to_string(bench.path("one/config.toml")).expect("there");
    bench.run(&resolved, "again", &[]).text();
    assert!(bench.results("again") == first);
    for file in ["config.toml", "results.jsonl", "timings.jsonl", "environment.json", "report.html", "traces"] {
        assert!(bench.path("one").join(file).exists(), "no {file}");
    }
    // Times stand beside the results, not among them.
    assert!(!first.contains("time_s") && !first.contains("\"date\""));
}

#[test]
fn a_second_start_does_only_what_is_missing() {
    let bench = Bench::empty();
    assert!(bench.run(&usual(), "out", &[]).text().contains("24 runs done\n"));
    let first = bench.results("out");
    assert!(bench.run(&usual(), "out", &[]).text().contains("0 runs done, 24 were there already"));
    assert!(bench.results("out") == first);
    // A further solver, then a further trial, then another parameter, each costs its own runs.
    let more = usual() + "\n[[solver]]\ntype = \"equal_power\"\n";
    assert!(bench.run(&more, "out", &[]).text().contains("6 runs done, 24 were there already"));
    let solvers: BTreeSet<String> = bench.records("out").iter().map(|r| r["solver"].to_string()).collect();
    assert_eq!(solvers.len(), 5);
    assert!(
        bench.run(&more, "out", &["--set", "trials.count=4"]).text().contains("10 runs done, 30 were there already")
    );
    let another = ["--set", "solver.random_search.max_evaluations=1000"];
    assert!(bench.run(&more, "out", &another).text().contains("6 runs done, 24 were there already"));
    // What was left out is still there when it is asked for again; the first config's results are as they were.
    assert!(bench.run(&usual(), "out", &[]).text().contains("0 runs done, 24 were there already"));
    assert!(bench.results("out") == first);
    assert!(bench.run(&usual(), "out", &["--fresh"]).text().contains("24 runs done\n"));
    assert!(bench.results("out") == first);
}

/// A config of 64 runs, of which a quarter take some 50 ms each.
fn slow() -> String {
    usual().replace("2_000", "300_000").replace("count = 3", "count = 8")
}

/// The whole lines of all files of JSON lines in a folder, each of which must be readable.
fn lines_in(folder: &Path, ending: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().ends_with(ending) {
            continue;
        }
        let text = std::fs::read(&path).unwrap_or_default();
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let lines = text[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty());
        found.extend(lines.map(|line| serde_json::from_slice::<Value>(line).expect("every finished line is readable")));
    }
    found
}

/// The finished runs in a folder at work: those in order, and those that are not yet.
fn finished_records(out: &Path) -> Vec<Value> {
    let mut records = lines_in(out, "/results.jsonl");
    records.extend(lines_in(&out.join("segments"), ".results.jsonl"));
    records
}

/// How many different runs are there, each of which must have its trace.
fn finished_runs(out: &Path) -> usize {
    let records = finished_records(out);
    let traces = lines_in(&out.join("traces"), ".jsonl");
    let traced: BTreeSet<&str> =
        traces.iter().filter(|t| t["trace"].is_array()).filter_map(|t| t["run"].as_str()).collect();
    let mut runs = BTreeSet::new();
    for record in &records {
        let run = record["run"].as_str().expect("an address");
        assert!(record["iterations"] == 0 || traced.contains(run), "no trace of {run}");
        runs.insert((run, record["cell"].to_string()));
    }
    runs.len()
}

#[test]
fn a_kill_at_any_moment_loses_no_finished_run() {
    let bench = Bench::empty();
    let config = slow();
    let begun = Instant::now();
    bench.run(&config, "undisturbed", &["--threads", "2"]).text();
    let whole = begun.elapsed().as_secs_f64();
    let undisturbed = bench.results("undisturbed");
    let total = bench.records("undisturbed").len();
    let mut moments = RandomStream::keyed(1, "moments of a kill", "", 0, 0);
    let (mut kept, mut amid, mut out) = (0, 0, "killed 0".to_string());
    for kill in 0..60 {
        if kill >= 20 && amid >= 8 {
            break;
        }
        let call = ["run", "e.toml", "--out", &out, "--threads", "2"];
        let mut process = command(call);
        process.current_dir(bench.folder()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = process.spawn().expect("it starts");
        std::thread::sleep(Duration::from_secs_f64(0.2 * whole * moments.uniform()));
        child.kill().expect("killed");
        child.wait().expect("gone");
        let now = finished_runs(&bench.path(&out));
        assert!(now >= kept, "a finished run was lost: {now} after {kept}");
        amid += usize::from(now > kept && now < total);
        kept = now;
        if now == total {
            assert!(bench.run(&config, &out, &[]).text().contains(&format!("{total} were there already")));
            assert!(bench.results(&out) == undisturbed);
            (kept, out) = (0, format!("killed {kill}"));
        }
    }
    assert!(amid >= 8, "only {amid} kills came amid the runs");
    let end = bench.run(&config, &out, &[]).text();
    assert!(kept == 0 || end.contains("were there already"), "{end}");
    assert!(bench.results(&out) == undisturbed);
    assert_eq!(
        std::fs::read_dir(bench.path(&out))
            .expect("there")
            .filter(|f| { f.as_ref().expect("an entry").path().extension().is_some_and(|e| e == "partial") })
            .count(),
        0
    );
}

#[test]
#[cfg(unix)]
fn ctrl_c_keeps_what_is_finished() {
    let bench = Bench::empty();
    let config = usual().replace("2_000", "3_000_000");
    std::fs::write(bench.path("e.toml"), &config).expect("written");
    let mut process = command(["run", "e.toml", "--out", "out", "--threads", "1"]);
    process.current_dir(bench.folder()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = process.spawn().expect("it starts");
    let begun = Instant::now();
    while finished_runs(&bench.path("out")) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
        std::thread::sleep(Duration::from_millis(2));
    }
    let interrupted = Instant::now();
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    // A search asks for its budget often enough to stop at once.
    assert!(interrupted.elapsed() < Duration::from_secs(2), "it took {:?}", interrupted.elapsed());
    assert_eq!(output.status.code(), Some(130));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let kept = bench.records("out").len();
    assert!((2..24).contains(&kept), "{kept}");
    assert!(err.contains(&format!("stopped: {} runs are missing", 24 - kept)), "{err}");
    // The table and the page are there for what is finished.
    assert!(out.contains("sum_rate") && bench.path("out/report.html").exists(), "{out}");
    assert!(bench.records("out").iter().all(|r| r["status"] != "interrupted"));
    let quick = config.replace("3_000_000", "2_000");
    bench.run(&quick, "out", &[]).text();
    bench.run(&quick, "whole", &[]).text();
    assert!(bench.results("out") == bench.results("whole"));
}

#[test]
fn every_solver_and_every_swept_value_sees_the_same_channels() {
    let bench = Bench::empty();
    let sweep = "\n[sweep]\n\"scenario.transmit_power\" = [\"20 dB\", \"25 dB\"]\n\
        \"scenario.crlb_azimuth_limit\" = [\"-30 dB\", \"2 deg\"]\n\"scenario.precoder\" = [\"mrt\", \"zf\"]\n\
        \"scenario.users\" = [8, 12]\n";
    let head = usual().split("[sweep]").next().expect("a head").replace("users = 4", "pilot_length = 12");
    let config = format!("{head}{sweep}\n[trials]\ncount = 2\n");
    bench.run(&config, "out", &[]).text();
    // Without reuse the variance of an estimate depends on its user's own fading alone.
    let mut seen: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let records = bench.records("out");
    assert_eq!(records.len(), 16 * 2 * 4);
    for record in records.iter().filter(|r| r["sweep"]["scenario.users"] == 12).chain(&records) {
        let values = &record["metrics"]["channel_estimate_variance"]["value"];
        let values: Vec<f64> = values.as_array().expect("a list").iter().filter_map(number).collect();
        let known = seen.entry(record["trial"].as_u64().expect("a trial")).or_insert_with(|| values.clone());
        assert_eq!(known[..values.len()], values, "K = 8 is a prefix of K = 12");
    }
    assert_ne!(seen[&0], seen[&1]);
    // Another seed draws another world.
    bench.run(&config, "other", &["--set", "trials.seed=2"]).text();
    assert_ne!(bench.records("other")[0]["metrics"], records[0]["metrics"]);
}

#[test]
fn zipped_keys_walk_together_and_settings_reach_everything() {
    let bench = Bench::empty();
    let zip =
        "[[sweep.zip]]\n\"scenario.users\" = [3, 4]\n\"solver.random_search.max_evaluations\" = [200, 300]\n\n[trials]";
    let config = usual().replace("[trials]", zip);
    bench
        .run(
            &config,
            "out",
            &["--set", "trials.count=1", "--set", "scenario.precoder=mrt", "--set", "solver.sca.label=SCA"],
        )
        .text();
    let records = bench.records("out");
    let points: Vec<(String, u64, u64)> = records
        .iter()
        .filter(|r| r["solver"] == "random_search")
        .map(|r| {
            let sweep = &r["sweep"];
            let power = sweep["scenario.transmit_power"].as_str().expect("text").to_string();
            let users = sweep["scenario.users"].as_u64().expect("a number");
            (power, users, r["evaluations"].as_u64().expect("a number"))
        })
        .collect();
    let near = |wanted: [(&str, u64, u64); 4]| {
        points.len() == 4 && points.iter().zip(wanted).all(|(p, w)| p.0 == w.0 && p.1 == w.1 && p.2.abs_diff(w.2) < 50)
    };
    assert!(near([("20 dB", 3, 200), ("20 dB", 4, 300), ("25 dB", 3, 200), ("25 dB", 4, 300)]), "{points:?}");
    assert!(records.iter().any(|r| r["solver"] == "SCA" && r["type"] == "sca"));
    let resolved = std::fs::read_to_string(bench.path("out/config.toml")).expect("there");
    assert!(resolved.contains("precoder = \"mrt\"") && resolved.contains("label = \"SCA\""), "{resolved}");
}

#[test]
fn instance_files_are_trials_that_every_solver_sees() {
    let bench = Bench::empty();
    let one = usual().replace("\"20 dB\", \"25 dB\"", "\"20 dB\"");
    bench.run(&one, "drawn", &[]).text();
    std::fs::create_dir(bench.path("drops")).expect("made");
    for trial in 0..3 {
        let file = format!("drops/{trial}.json");
        let call =
            ["draw", "e.toml", "--set", "scenario.transmit_power=20 dB", "--trial", &trial.to_string(), "--out", &file];
        isacopt_in(bench.folder(), call).text();
    }
    let (head, tail) = one.split_once("[scenario]").expect("a section");
    let solvers = &tail[tail.find("[[solver]]").expect("solvers")..tail.find("[sweep]").expect("a sweep")];
    let config = format!("{head}instances = \"drops/*.json\"\n\n{solvers}");
    bench.run(&config, "files", &[]).text();
    let (drawn, files) = (bench.records("drawn"), bench.records("files"));
    assert_eq!((drawn.len(), files.len()), (12, 12));
    for (a, b) in drawn.iter().zip(&files) {
        assert_eq!(b["instance"], format!("{}.json", b["trial"]));
        assert_eq!((&a["trial"], &a["solver"], &a["status"]), (&b["trial"], &b["solver"], &b["status"]));
        assert!((objective(a) - objective(b)).abs() <= 1e-9 * objective(a).abs(), "{a}\n{b}");
    }
}

#[test]
fn the_table_compares_over_the_trials_in_which_all_are_feasible() {
    let bench = Bench::empty();
    // A floor that the scheme of equal coefficients meets in some drops only.
    let config = usual().replace("count = 3", "count = 6").replace("\"20 dB\", \"25 dB\"", "\"25 dB\"")
        + "\n[problem]\nconstraints = { min_rate = { at_least = 0.1 } }\n\n[[solver]]\ntype = \"equal_power\"\nsensing_share = 1.0\n";
    let table = bench.run(&config, "out", &["--set", "scenario.precoder=mrt"]).text();
    for heading in
        ["solver", "sum_rate in bit/s/Hz", "feasible", "violation", "bound", "gap", "iterations", "evaluations", "time"]
    {
        assert!(table.lines().take(3).any(|line| line.contains(heading)), "no {heading} in\n{table}");
    }
    let records = bench.records("out");
    let of = |solver: &str| records.iter().filter(move |r| r["solver"] == solver).collect::<Vec<_>>();
    let labels = ["exact", "sca", "random_search", "equal_communication", "equal_power"];
    let feasible = |solver: &str| -> BTreeSet<u64> {
        of(solver).iter().filter(|r| r["feasible"] == true).filter_map(|r| r["trial"].as_u64()).collect()
    };
    let counts = labels.map(|solver| feasible(solver).len());
    assert!(
        (1..6).contains(&counts[3]) && counts[4] == 0 && counts[0] > counts[3],
        "{counts:?}: the test says nothing"
    );
    // A solver that is feasible nowhere is not compared.
    let common = labels[..4].iter().map(|s| feasible(s)).reduce(|a, b| &a & &b).expect("solvers");
    for (solver, count) in labels.iter().zip(counts) {
        let at = table.lines().position(|line| line.split_whitespace().next() == Some(solver));
        let at = at.or_else(|| table.lines().position(|line| line.contains(&format!(" {solver} "))));
        let rows: Vec<&str> = table.lines().skip(at.expect("a row")).take(2).collect();
        assert!(rows[0].contains(&format!("{count} of 6")), "{solver}: {rows:?}");
        if count == 0 {
            assert!(rows[0].contains("no_feasible_point"), "{rows:?}");
            continue;
        }
        let mut values: Vec<f64> = of(solver)
            .iter()
            .filter(|r| r["trial"].as_u64().is_some_and(|t| common.contains(&t)))
            .map(|r| objective(r))
            .collect();
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let error = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
        let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
        let shown = |line: &str| -> Vec<f64> {
            line.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|word| word.parse().ok()).collect()
        };
        let near = |line: &str, x: f64, digits: f64| shown(line).iter().any(|y| (x - y).abs() <= digits * x.abs());
        assert!(near(rows[0], median, 1e-4), "{solver}: median {median} in {rows:?}");
        assert!(near(rows[1], mean, 1e-4) && near(rows[1], error, 0.05), "{solver}: {mean} ± {error} in {rows:?}");
        if count > common.len() {
            assert!(rows[1].contains(&format!("compared {}", common.len())), "{solver}: {rows:?}");
        }
    }
    assert!(table.contains("Median [quartiles]") && table.contains("mean ± standard error"), "{table}");
}

#[test]
fn progress_is_plain_lines_where_nobody_watches() {
    let bench = Bench::empty();
    let answer = bench.run(&usual(), "out", &[]);
    let last = answer.err.lines().last().expect("a line");
    assert!(last.starts_with("24 of 24 runs, "), "{}", answer.err);
    assert!(!answer.err.contains('\u{1b}') && !answer.out.contains('\u{1b}') && !answer.err.contains('\r'));
    assert!(answer.out.ends_with("report   out/report.html\nfigures  out/figures\n"), "{}", answer.out);
}

#[test]
fn metrics_of_the_config_are_sought_by_solvers_that_evaluate() {
    let bench = Bench::empty();
    let text = usual();
    let (head, tail) = text.split_once("[[solver]]").expect("solvers");
    let sweep = &tail[tail.find("[sweep]").expect("a sweep")..];
    let config = format!(
        "{head}[problem]\nobjective = \"efficiency\"\n\n[[metric]]\nname = \"efficiency\"\nunit = \"bit/s/Hz/W\"\n\
         direction = \"maximize\"\nexpression = \"sum_rate / (transmit_power + 5)\"\n\n[[solver]]\ntype = \"global_search\"\n\
         max_evaluations = 4000\n\n[[solver]]\ntype = \"random_search\"\nmax_evaluations = 500\n\n[[solver]]\n\
         type = \"equal_communication\"\n\n{sweep}"
    );
    let table = bench.run(&config, "out", &[]).text();
    assert!(table.contains("efficiency in bit/s/Hz/W"), "{table}");
    let records = bench.records("out");
    assert_eq!(records.len(), 18);
    for record in &records {
        let metric = |name: &str| number(&record["metrics"][name]["value"]).expect("a number");
        let efficiency = metric("sum_rate") / (metric("transmit_power") + 5.0);
        assert!((objective(record) - efficiency).abs() <= 1e-12 * efficiency, "{record}");
        assert!((metric("efficiency") - efficiency).abs() <= 1e-12 * efficiency);
        assert_eq!(record["metrics"]["efficiency"]["unit"], json!("bit/s/Hz/W"));
        assert!(record["bound"].is_null() && record["gap"].is_null());
    }
    // Full power is not the best here: a search must find better than any design that uses it.
    for trial in records.chunks(3) {
        let [search, _, baseline] = trial else { panic!("three solvers a trial") };
        assert!(objective(search) > 1.01 * objective(baseline), "{search}");
        assert!(number(&search["metrics"]["transmit_power"]["value"]) < Some(50.0));
    }
}
