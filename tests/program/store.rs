//! What the run folder and the launchers promise: any number of processes work in one folder at once, a kill of any of
//! them loses nothing, stores of several machines join, and any run can be done again to the bit.
//!
//! With `ISACOPT_LONG` set the test of kills is of full size: 2,000 runs, 50 kills.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{self, Bench, SMALL, command};
use isacopt::math::RandomStream;
use serde_json::Value;

/// 24 quick runs of the small system.
fn usual() -> String {
    SMALL.to_string()
        + r#"
[[solver]]
type = "random_search"
max_evaluations = 2_000

[[solver]]
type = "equal_communication"

[sweep]
"scenario.transmit_power" = ["20 dB", "25 dB"]

[trials]
count = 6
"#
}

/// How many files of finished runs are not in order yet.
fn segments(bench: &Bench, out: &str) -> usize {
    std::fs::read_dir(bench.path(out).join("segments")).map_or(0, Iterator::count)
}

fn whole(config: &str) -> (Bench, String) {
    let bench = Bench::new(config);
    bench.done(&["run", "e.toml", "--out", "whole"]);
    let results = bench.results("whole");
    (bench, results)
}

#[test]
fn parts_by_many_commands_are_the_whole() {
    let (bench, whole) = whole(&usual());
    let list = bench.done(&["plan", "e.toml", "--out", "parts", "--commands", "5"]);
    assert_eq!(list.lines().count(), 5);
    bench.write("list", &list);
    // In any order and several at a time.
    let xargs = "sort -r list | xargs -d '\\n' -P 3 -I{} sh -c '{}'";
    let status = Command::new("sh").args(["-c", xargs]).current_dir(bench.folder()).stdout(Stdio::null()).status();
    assert!(status.expect("xargs runs").success());
    assert!(!bench.path("parts/results.jsonl").exists() && segments(&bench, "parts") == 10);
    // Even before anyone puts them in order they are there: for the list, and for reports.
    assert_eq!(bench.done(&["plan", "e.toml", "--out", "parts", "--commands", "5"]), "");
    bench.done(&["export", "parts", "--format", "csv", "--table", "runs"]);
    let rows = std::fs::read_to_string(bench.path("parts/tables/runs.csv")).expect("a table");
    assert_eq!(rows.lines().count(), 1 + 24);
    assert!(bench.done(&["run", "e.toml", "--out", "parts", "--collect"]).contains("24 of 24 runs are there"));
    assert!(bench.results("parts") == whole);
    assert_eq!(segments(&bench, "parts"), 0);
    let listed = bench.done(&["plan", "e.toml", "--out", "parts"]);
    assert!(listed.lines().count() == 24 && listed.lines().all(|line| line.contains("\"done\":true")));
    // One solver of a range; what is out of range or unknown is refused.
    let part = ["run", "e.toml", "--out", "other", "--range", "3..9", "--solver", "equal_communication"];
    assert_eq!(bench.done(&part), "3 runs done\n");
    assert_eq!(bench.done(&part), "0 runs done, 3 were there already\n");
    assert!(bench.call(&["run", "e.toml", "--range", "3..25"]).refusal().contains("places up to 24"));
    assert!(bench.call(&["run", "e.toml", "--solver", "x"]).refusal().contains("equal_communication"));
}

#[test]
fn a_report_is_there_while_others_still_work() {
    let bench = Bench::new(usual().replace("2_000", "400_000").replace("count = 6", "count = 30"));
    let mut process = command(["run", "e.toml", "--out", "out", "--threads", "1"]);
    process.current_dir(bench.folder()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = process.spawn().expect("it starts");
    let begun = Instant::now();
    while segments(&bench, "out") < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let told = bench.done(&["run", "e.toml", "--out", "out", "--collect"]);
    let there: usize = told.lines().find_map(|l| l.split(" of 120 runs").next()?.parse().ok()).expect("a number");
    assert!(there > 0 && bench.path("out/report.html").exists());
    assert_eq!(bench.results("out").lines().count(), there);
    // A second start is refused; a worker for a part is not.
    assert!(bench.call(&["run", "e.toml", "--out", "out"]).refusal().contains("another isacopt is at work"));
    bench.done(&["run", "e.toml", "--out", "out", "--range", "119..120"]);
    let at_work = child.try_wait().expect("its state").is_none();
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(at_work && there < 120, "it was done too soon: the test says nothing");
    // Nothing that was put in order, or appended since, is lost.
    let told = bench.done(&["run", "e.toml", "--out", "out", "--collect"]);
    let later: usize = told.lines().find_map(|l| l.split(" of 120 runs").next()?.parse().ok()).expect("a number");
    assert!(later > there && bench.results("out").contains("\"trial\":29"), "{later} after {there}");
}

/// The processes whose parent is this one.
#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |name: String| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        let after = stat.rsplit(')').next()?;
        (after.split_whitespace().nth(1)?.parse::<u32>().ok()? == parent).then(|| name.parse().ok())?
    };
    processes.filter_map(|entry| of(entry.file_name().into_string().ok()?)).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn kills_of_the_launcher_and_of_workers_lose_nothing() {
    let long = std::env::var_os("ISACOPT_LONG").is_some();
    let (kills, trials, evaluations) = if long { (50, 500, "20_000") } else { (10, 40, "20_000") };
    let config = usual().replace("count = 6", &format!("count = {trials}")).replace("2_000", evaluations);
    let begun = Instant::now();
    let (bench, undisturbed) = whole(&config);
    let whole = begun.elapsed().as_secs_f64();
    let total = undisturbed.lines().count();
    let mut random = RandomStream::keyed(3, "moments of a kill", "", 0, 0);
    let (mut at_launcher, mut at_worker, mut begun) = (0, 0, 0);
    let mut out = "killed0".to_string();
    while at_launcher + at_worker < kills {
        let mut process = command(["run", "e.toml", "--out", &out, "--processes", "2"]);
        process.current_dir(bench.folder()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut launcher = process.spawn().expect("it starts");
        loop {
            std::thread::sleep(Duration::from_secs_f64(0.02 + 2.0 * whole * random.uniform() / f64::from(kills)));
            if launcher.try_wait().expect("its state").is_some() {
                break;
            }
            let workers = children(launcher.id());
            match workers.first() {
                // A worker's death is the launcher's to mend.
                Some(worker) if random.uniform() < 0.6 => {
                    let kill = Command::new("kill").args(["-KILL", &worker.to_string()]).stderr(Stdio::null()).status();
                    at_worker += i32::from(kill.expect("kill").success());
                }
                _ => {
                    launcher.kill().expect("killed");
                    at_launcher += 1;
                    launcher.wait().expect("gone");
                    break;
                }
            }
            if at_launcher + at_worker >= kills {
                launcher.wait().expect("its end");
                break;
            }
        }
        let there = bench.done(&["plan", "e.toml", "--out", &out]).matches("\"done\":true").count();
        if there == total && at_launcher + at_worker < kills {
            bench.done(&["run", "e.toml", "--out", &out]);
            assert!(bench.results(&out) == undisturbed);
            begun += 1;
            out = format!("killed{begun}");
        }
    }
    assert!(at_launcher > 0 && at_worker > 0, "{at_launcher} {at_worker}");
    bench.done(&["run", "e.toml", "--out", &out, "--processes", "2"]);
    assert!(bench.results(&out) == undisturbed);
    eprintln!("{total} runs, {at_launcher} kills of the launcher and {at_worker} of workers, {} folders", begun + 1);
}

#[test]
fn folders_of_several_machines_join_and_conflicts_are_named() {
    let (bench, whole) = whole(&usual());
    bench.done(&["run", "e.toml", "--out", "a", "--range", "0..14"]);
    // Another machine has another solver and other trials, and some runs in common.
    bench.done(&["run", "e.toml", "--out", "b", "--range", "10..24", "--set", "resources.cpus=2"]);
    let told = bench.done(&["merge", "a", "b", "--out", "c"]);
    assert!(told.contains("24 of 24 runs are there, 4 were in several folders and agree"), "{told}");
    assert!(bench.results("c") == whole);
    let timings = std::fs::read_to_string(bench.path("c/timings.jsonl")).expect("times");
    assert_eq!(timings.lines().count(), 24);
    if Path::new("/proc/cpuinfo").exists() {
        assert!(timings.lines().all(|line| line.contains("\"processor\":")), "{timings}");
    }
    // The joint folder is an experiment that goes on.
    assert!(bench.done(&["run", "c/config.toml", "--out", "c"]).contains("24 were there already"));
    // Solvers and trials of both.
    let more = usual().replace("count = 6", "count = 7") + "\n[[solver]]\ntype = \"equal_power\"\n";
    bench.write("more.toml", &more);
    bench.done(&["run", "more.toml", "--out", "d", "--solver", "equal_power"]);
    assert!(bench.done(&["merge", "a", "d", "--out", "e"]).contains("28 of 42 runs are there"));
    // Rounding is no conflict; a difference is, and nothing is written.
    bench.done(&["run", "e.toml", "--out", "b", "--collect"]);
    let text = bench.results("b");
    let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    let value = first["objective"]["value"].as_f64().expect("a number");
    let changed =
        |factor: f64| text.replacen(&format!("\"value\":{value},"), &format!("\"value\":{},", value * factor), 1);
    bench.write("b/results.jsonl", changed(1.0 + 3e-10));
    bench.done(&["merge", "a", "b", "--out", "f"]);
    bench.write("b/results.jsonl", changed(1.0 + 3e-9));
    let answer = bench.call(&["merge", "a", "b", "--out", "g"]);
    let run = first["run"].as_str().expect("an address");
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.err.contains(run) && answer.err.contains("objective: ") && answer.err.contains("in a and b"),
        "{}",
        answer.err
    );
    assert!(!bench.path("g").exists());
    // The same values with another design are a conflict, too.
    let power = &first["design"]["communication_power"][0];
    let other = |factor: f64| {
        let entry = format!("\"communication_power\":[{power},");
        let changed = format!("\"communication_power\":[{},", power.as_f64().expect("a number") * factor);
        assert!(text.contains(&entry));
        bench.write("b/results.jsonl", text.replacen(&entry, &changed, 1));
        bench.call(&["merge", "a", "b", "--out", "g"])
    };
    let answer = other(1.0 + 1e-5);
    assert_eq!(answer.code, Some(1));
    let told = |part: &str| assert!(answer.err.contains(part), "{part} in {}", answer.err);
    ["1 runs differ", run, "design.communication_power: ", "at number 1 in a and b"].into_iter().for_each(told);
    assert!(!bench.path("g").exists());
    assert_eq!(other(1.0 + 1e-11).code, Some(0));
    // Another experiment is none to join.
    bench.done(&["run", "e.toml", "--out", "h", "--set", "scenario.users=5"]);
    assert!(bench.call(&["merge", "a", "h", "--out", "i"]).refusal().contains("another `scenario`"));
}

#[test]
fn any_run_is_replayed_to_the_bit() {
    let (bench, whole) = whole(&usual());
    let record: Value = serde_json::from_str(whole.lines().nth(14).expect("a line")).expect("JSON");
    let run = record["run"].as_str().expect("an address");
    assert!(bench.done(&["replay", "whole", &run[..8]]).contains("the same to the bit"));
    let answer = bench.call(&["replay", "whole", run, "--json", "--instance", "i.json"]).json();
    assert_eq!(answer["record"], record);
    assert_eq!(answer["same"], true);
    assert!(answer["trace"].as_array().is_some_and(|t| t.len() as u64 == record["iterations"].as_u64().unwrap() + 1));
    assert_eq!(answer["instance"]["designs"][record["solver"].as_str().unwrap()], record["design"]);
    // The design in the file is judged as the run was.
    let judged = bench.call(&["evaluate", "i.json", "--json"]);
    assert_eq!(judged.code, Some(0), "{}", judged.err);
    // A number that is off by its last bit is found.
    let value = record["objective"]["value"].as_f64().expect("a number");
    let other = f64::from_bits(value.to_bits() + 1);
    bench.write("whole/results.jsonl", whole.replace(&format!("\"value\":{value},"), &format!("\"value\":{other},")));
    let answer = bench.call(&["replay", "whole", run]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.err.contains("`objective.value`"), "{}", answer.err);
    assert!(bench.call(&["replay", "whole", "zz"]).refusal().contains("no run of whole begins with"));
}

#[test]
fn short_solves_are_timed_by_the_median_of_repeats() {
    let bench = Bench::new(usual() + "\n[run]\ntiming = \"repeat\"\n");
    bench.done(&["run", "e.toml", "--out", "often"]);
    bench.done(&["run", "e.toml", "--out", "once", "--set", "run.timing=once"]);
    assert!(bench.results("often") == bench.results("once"));
    let timings = |out: &str| std::fs::read_to_string(bench.path(out).join("timings.jsonl")).expect("times");
    assert!(!timings("once").contains("repeats"));
    let lines: Vec<Value> = timings("often").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let repeated: Vec<&Value> = lines.iter().filter(|line| line["repeats"].as_u64().is_some_and(|n| n >= 10)).collect();
    assert!(repeated.len() >= 12, "{lines:?}");
    for line in repeated {
        let (time, low, high) = (&line["time_s"], &line["quartiles_s"][0], &line["quartiles_s"][1]);
        assert!(low.as_f64() <= time.as_f64() && time.as_f64() <= high.as_f64(), "{line}");
    }
    let environment = std::fs::read_to_string(bench.path("often/environment.json")).expect("there");
    assert!(environment.contains("\"clock_resolution_s\""));
}

/// Without rights to write, one clear error, and what is there stays.
#[test]
#[cfg(unix)]
fn a_folder_that_is_read_only_is_told_once() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let (bench, whole) = whole(&usual());
    let set = |path: PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("rights");
    set(bench.path(""), 0o755);
    for name in ["whole", "whole/segments", "whole/traces"] {
        set(bench.path(name), 0o555);
    }
    for name in ["whole/.lock", "whole/.collect", "whole/results.jsonl"] {
        set(bench.path(name), 0o444);
    }
    let more = ["run", "e.toml", "--out", "whole", "--set", "trials.count=8"];
    let mut call = command(more);
    call.current_dir(bench.folder());
    // Root may write anywhere: it asks as nobody, where nobody may start the program.
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if root {
        call.uid(65534).gid(65534);
        let mut trial = command(["--version"]);
        if !trial.uid(65534).gid(65534).stdout(Stdio::null()).status().is_ok_and(|s| s.success()) {
            eprintln!("skipped: nobody may not start the program here");
            return;
        }
    }
    let message = command::answer(&mut call).refusal();
    assert!(message.contains("cannot write whole/") && message.lines().count() == 1, "{message}");
    assert!(bench.results("whole") == whole);
    for name in ["whole", "whole/segments", "whole/traces"] {
        set(bench.path(name), 0o755);
    }
}

/// Slurm from Debian's packages, on this machine.
#[test]
#[cfg(target_os = "linux")]
fn a_job_array_gives_the_same_bytes() {
    if std::env::var_os("ISACOPT_REQUIRE_SLURM").is_none() {
        eprintln!("skipped: ISACOPT_REQUIRE_SLURM is not set (Debian: apt-get install slurm-wlm munge; needs root)");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/slurm.sh");
    let resources =
        "\n[resources]\nmemory = \"100M\"\n\n[resources.solver.random_search]\ncpus = 2\nmemory = \"200M\"\n";
    let sweep = usual().replace("2_000", "20_000").replace("\"25 dB\"", "\"25 dB\", \"30 dB\"");
    let bench = Bench::new(sweep.replace("count = 6", "count = 10") + resources);
    let output = Command::new("bash")
        .args([script, env!("CARGO_BIN_EXE_isacopt"), "e.toml"])
        .current_dir(bench.folder())
        .output()
        .expect("bash");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    eprintln!("{}", text(&output.stdout));
}
