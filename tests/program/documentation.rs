//! What the documents say is so: their programs are compiled, their configs are read, their versions are right.

// The pages' programs, each with a `main` that nobody calls here.
#[allow(dead_code)]
#[path = "../../examples/write_a_solver.rs"]
mod page;
#[allow(dead_code)]
#[path = "../../examples/write_a_model.rs"]
mod page_of_a_model;

use std::path::{Path, PathBuf};

use crate::command::{self, isacopt_in};
use isacopt::config::Experiment;
use isacopt::optimizer::Cancel;
use isacopt::results::RunFolder;
use isacopt::runner::validation::validate;
use isacopt::runner::{Options, Plan, execute};
use isacopt::simulation::Draws;
use isacopt::solvers::global_search::GlobalSearch;
use isacopt::{Problem, RandomStream, Run, Scenario, Streams};

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The blocks of code of a page in one language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    page.split(&open).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_solver_of_the_page_is_the_example() {
    let text = file("docs/write-a-solver.md");
    let code = blocks(&text, "rust");
    assert_eq!(code, [file("examples/write_a_solver.rs").as_str()]);
    assert!(code[0].lines().count() < 60);
}

#[test]
fn the_experiment_of_the_page_runs_and_its_solver_searches() {
    let text = file("docs/write-a-solver.md");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("experiment.toml");
    std::fs::write(&config, blocks(&text, "toml")[0]).expect("written");
    let plan = Experiment::read(&config, &[]).and_then(Plan::new).expect("the page's solver is known");
    let out = folder.path().join("out");
    let options = Options { threads: 2, fresh: false, cancel: Cancel::default() };
    let finished = execute(&plan, &out, &options, &|_| {}).expect("it runs");
    assert_eq!((finished.ran, finished.missing), (10, 0));
    let records = RunFolder::read(&out).expect("readable").records;
    for pair in records.chunks(2) {
        let [mine, best] = pair else { panic!("two solvers a trial") };
        assert_eq!((mine.solver.as_str(), best.solver.as_str()), ("shrinking_search", "exact"));
        // It finds feasible designs, is never above the optimum, and comes near it.
        assert!(mine.feasible == best.feasible, "{mine:?}");
        assert!(mine.objective.value <= best.objective.value * (1.0 + 1e-9));
        assert!(best.feasible && mine.objective.value > 0.8 * best.objective.value, "{mine:?} {best:?}");
    }
}

#[test]
fn the_model_of_the_page_is_the_example_and_its_experiment_runs() {
    let text = file("docs/write-a-model.md");
    assert_eq!(blocks(&text, "rust"), [file("examples/write_a_model.rs").as_str()]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("experiment.toml");
    std::fs::write(&config, blocks(&text, "toml")[0]).expect("written");
    let plan = Experiment::read(&config, &[]).and_then(Plan::new).expect("the page's model is known");
    let out = folder.path().join("out");
    let options = Options { threads: 2, fresh: false, cancel: Cancel::default() };
    let finished = execute(&plan, &out, &options, &|_| {}).expect("it runs");
    assert_eq!((finished.ran, finished.missing), (12, 0));
    for record in RunFolder::read(&out).expect("readable").records {
        // Feasible, below the bound, and near it where the distance hardly limits.
        let gap = record.gap.expect("the bound is proven");
        assert!(record.feasible && (-1e-9..0.6).contains(&gap), "{record:?}");
    }
}

#[test]
fn the_model_of_the_page_agrees_with_its_raw_echo_and_reaches_its_bound() {
    // So loose a limit on the distance that water-filling is the optimum.
    let config = page_of_a_model::OfdmConfig { subcarriers: 9, range_crlb_limit: 1e9, ..Default::default() };
    let model = config.draw(&Streams::new(3, "ofdm", 0)).expect("drawn");
    let spec = model.default_problem();
    let problem = Problem::new(model, spec).expect("a problem");
    let design = problem.random(&mut RandomStream::solver(3, 0));
    let draws = Draws { seed: 1, count: 2, threads: 1 };
    let validation = validate(&problem, &design, draws, &mut |_| true).expect("compared");
    assert!(validation.passed() && validation.bounds.len() == 1, "{validation:?}");
    let solver = GlobalSearch::default();
    let bound = problem.structure().bound.as_ref().expect("offered");
    let outcome = Run::new(&solver, problem.clone(), RandomStream::solver(3, 0)).drive(&mut |_| ()).expect("it runs");
    let bound = bound().bound().expect("computed").expect("feasible").value;
    let rate = outcome.objective;
    assert!(rate <= (1.0 + 1e-12) * bound && rate > (1.0 - 1e-6) * bound, "{rate} {bound}");
}

#[test]
fn all_configs_are_fine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join("configs")).expect("configs");
    let mut configs: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    configs.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    assert!(configs.iter().any(|path| path.ends_with("quickstart.toml")));
    let folder = tempfile::tempdir().expect("a folder");
    for (i, text) in blocks(&file("README.md"), "toml").into_iter().enumerate() {
        let path = folder.path().join(format!("readme {i}.toml"));
        std::fs::write(&path, text).expect("written");
        configs.push(path);
    }
    for config in configs {
        let answer = isacopt_in(root, ["check".as_ref(), config.as_os_str()]);
        assert!(answer.text().contains(": fine"), "{}", config.display());
    }
}

#[test]
fn the_quick_start_leaves_what_the_readme_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/quickstart.toml");
    let table = isacopt_in(folder.path(), ["run".as_ref(), config.as_os_str()]).text();
    assert!(table.contains("exact") && table.contains("global_search"), "{table}");
    let records = RunFolder::read(&folder.path().join("runs/quickstart")).expect("readable").records;
    for record in &records {
        if let Some(gap) = record.gap.filter(|_| record.feasible) {
            let expected = match record.type_name.as_str() {
                "exact" => 1e-9,
                "sca" => 1e-4,
                "global_search" => 1e-3,
                _ => f64::INFINITY,
            };
            assert!(gap <= expected, "{record:?}");
        }
    }
    let page = std::fs::read_to_string(folder.path().join("runs/quickstart/report.html")).expect("the page");
    assert!(page.contains("<table") && !page.contains("http://") && !page.contains("src=\"https"));
}

#[test]
fn versions_and_names_agree() {
    let manifest: toml::Table = file("Cargo.toml").parse().expect("TOML");
    let package = &manifest["package"];
    let (version, rust) = (package["version"].as_str().expect("text"), package["rust-version"].as_str().expect("text"));
    let readme = file("README.md");
    assert!(readme.contains(&format!("{rust} or later")), "the README names another Rust than {rust}");
    assert!(file("CITATION.cff").contains(&format!("\nversion: {version}\n")));
    // What the README links to is there.
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let (path, heading) = link.split_once('#').unwrap_or((link, ""));
        let there = link.starts_with("http") || Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
        assert!(there, "{link}");
        if there && !heading.is_empty() {
            let words = heading.replace('-', " ");
            let titles = file(path).to_lowercase();
            assert!(titles.lines().any(|line| line.trim_start_matches('#').trim() == words), "{link}");
        }
    }
    // The commands it lists are those of the program.
    let help = command::isacopt(["--help"]).text();
    for row in readme.lines().filter(|line| line.starts_with("| `isacopt ")) {
        let name = row["| `isacopt ".len()..].split([' ', '`']).next().expect("a name");
        assert!(help.lines().any(|line| line.trim_start().starts_with(name)), "{name} in {help}");
    }
}
