//! `isacopt reproduce`: a paper's figure, run, with what the paper says of it beside what was found.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::Table;

use super::{print, run};
use crate::error::{Error, InputError, Result};
use crate::report::{Study, Tested, Verdict, run_claims};
use crate::results::RunFolder;

/// Run a paper's figure and hold what the paper says of it against the results
///
/// A claim is a [[claim]] table of the config. Exit code 1 where one comes out otherwise than the config says is known.
#[derive(Debug, Args)]
pub struct Arguments {
    /// `monostatic/fig5` or the like: the head of a config's path in `configs`; a config's path; or `all`
    #[arg(required = true)]
    figures: Vec<String>,
    /// Where the configs are
    #[arg(long, value_name = "DIR", default_value = "configs")]
    configs: PathBuf,
    /// Where the run folders go, one a figure
    #[arg(long, value_name = "DIR", default_value = "runs/reproduce")]
    out: PathBuf,
    /// How many runs at a time; all cores without it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Set a key of each config, such as `trials.count=3`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs the command. Gives whether all runs are done.
pub fn run(arguments: &Arguments) -> Result<bool> {
    let mut configs: Vec<PathBuf> = Vec::new();
    for name in &arguments.figures {
        let found = find(name, &arguments.configs)?;
        configs.extend(found.into_iter().filter(|path| !configs.contains(path)).collect::<Vec<_>>());
    }
    let mut summary: Vec<(String, Vec<Tested>)> = Vec::new();
    for config in &configs {
        let name = figure_name(config, &arguments.configs);
        let folder = arguments.out.join(&name);
        print(&format!("== {name}"))?;
        let started = run::Arguments::new(config, &folder, arguments.threads, &arguments.settings);
        if !run::run(&started)? {
            return Ok(false);
        }
        let study = Study::new(RunFolder::without_designs(&folder)?);
        let tested = run_claims(&study)?;
        print(&table(&tested))?;
        summary.push((name, tested));
    }
    if summary.len() > 1 {
        print(&overview(&summary))?;
    }
    let unexpected = summary.iter().flat_map(|(_, tested)| tested).filter(|t| !t.expected).count();
    match unexpected {
        0 => Ok(true),
        n => Err(Error::CheckFailed(format!(
            "{n} verdict{} differ from what the configs know",
            if n == 1 { "" } else { "s" }
        ))),
    }
}

/// The configs that a name means.
fn find(name: &str, configs: &Path) -> Result<Vec<PathBuf>> {
    let path = Path::new(name);
    if path.extension().is_some_and(|e| e == "toml") {
        return Ok(vec![path.to_path_buf()]);
    }
    let known = figures(configs)?;
    if name == "all" {
        return Ok(known);
    }
    let exact = |path: &&PathBuf| figure_name(path, configs) == name;
    if let Some(one) = known.iter().find(exact) {
        return Ok(vec![one.clone()]);
    }
    // `monostatic/fig5` is also `monostatic/fig5-snr`, and not `monostatic/fig50`.
    let heads = |path: &&PathBuf| {
        let full = figure_name(path, configs);
        full.strip_prefix(name)
            .is_some_and(|rest| name.ends_with('/') || !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let found: Vec<PathBuf> = known.iter().filter(heads).cloned().collect();
    if found.is_empty() {
        let names: Vec<String> = known.iter().map(|path| figure_name(path, configs)).collect();
        return Err(InputError::unknown("figure", name, names.iter().map(String::as_str)).into());
    }
    Ok(found)
}

/// All configs with claims or of a figure, in order.
fn figures(configs: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let read = |folder: &Path| std::fs::read_dir(folder).map_err(|e| Error::file("read", folder, e));
    for entry in read(configs)?.filter_map(std::result::Result::ok).map(|e| e.path()).filter(|p| p.is_dir()) {
        let inner = read(&entry)?.filter_map(std::result::Result::ok).map(|e| e.path());
        let is_figure = |path: &PathBuf| {
            let stem = path.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("fig"));
            stem && path.extension().is_some_and(|e| e == "toml")
        };
        found.extend(inner.filter(is_figure));
    }
    found.sort_by_key(|path| natural(&figure_name(path, configs)));
    Ok(found)
}

/// `monostatic/fig5-snr`.
fn figure_name(config: &Path, configs: &Path) -> String {
    let inside = config.strip_prefix(configs).unwrap_or_else(|_| config.file_name().map_or(config, Path::new));
    inside.with_extension("").display().to_string()
}

/// A key that puts fig9 before fig10.
fn natural(name: &str) -> (String, u64, String) {
    let first = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (head, rest) = name.split_at(first);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (head.to_string(), rest[..end].parse().unwrap_or(0), rest[end..].to_string())
}

fn table(tested: &[Tested]) -> String {
    if tested.is_empty() {
        return "the config holds no claim of the paper".into();
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(118);
    table.set_header(["the paper", "here", "verdict", "why"]);
    for claim in tested {
        let odd = if claim.expected { "" } else { " (otherwise than known)" };
        let verdict = format!("{}{odd}", claim.verdict.name());
        table.add_row([claim.paper.clone(), claim.ours.clone(), verdict, claim.why.clone()]);
    }
    table.to_string()
}

fn overview(summary: &[(String, Vec<Tested>)]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["figure", "claims", "hold", "do not hold", "not tested", "otherwise than known"]);
    for (name, tested) in summary {
        let count = |v: Verdict| tested.iter().filter(|t| t.verdict == v).count().to_string();
        let odd = tested.iter().filter(|t| !t.expected).count().to_string();
        let counts = [count(Verdict::Holds), count(Verdict::Fails), count(Verdict::Untested)];
        table.add_row([name.clone(), tested.len().to_string()].into_iter().chain(counts).chain([odd]));
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_figures_by_their_heads() {
        let folder = tempfile::tempdir().unwrap();
        let system = folder.path().join("toy");
        std::fs::create_dir(&system).unwrap();
        for name in ["fig1-a", "fig10", "fig2", "other"] {
            std::fs::write(system.join(name).with_extension("toml"), "").unwrap();
        }
        let names = |name: &str| -> Vec<String> {
            find(name, folder.path()).unwrap().iter().map(|p| figure_name(p, folder.path())).collect()
        };
        assert_eq!(names("all"), ["toy/fig1-a", "toy/fig2", "toy/fig10"]);
        assert_eq!(names("toy/fig1"), ["toy/fig1-a"]);
        assert_eq!(names("toy/fig10"), ["toy/fig10"]);
        assert_eq!(names("toy/").len(), 3);
        assert!(find("toy/fig3", folder.path()).unwrap_err().to_string().contains("toy/fig2"));
    }
}
