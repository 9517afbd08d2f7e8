//! `isacopt plugin`: begin a plugin, look at one, test one.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::print;
use crate::config::{Experiment, PluginConfig, property_kind};
use crate::error::{Error, InputError, Result};
use crate::plugin::conformance::{Finding, examine, examine_plugin, systems, toys};
use crate::plugin::skeleton::{self, Language};
use crate::plugin::{Parameters, Plugin, PluginSolver};

/// Begin a plugin, look at one, test one
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a plugin to begin with, with a test and a config, into a new folder
    New {
        /// The plugin's name, which is also the folder's: letters, digits and _
        name: String,
        /// The language
        #[arg(long, value_enum)]
        lang: Lang,
    },
    /// List the plugins of a config, and what they offer
    List {
        /// The config, a TOML file
        config: PathBuf,
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Tell what a plugin offers, with the parameters
    Info {
        #[command(flatten)]
        which: Which,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Run the conformance suite: what every solver promises, on toys and on every system that fits
    Test {
        #[command(flatten)]
        which: Which,
        /// Only the toys, not the systems of isacopt
        #[arg(long)]
        toys: bool,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lang {
    Rust,
    C,
    Python,
}

/// A plugin on the command line.
#[derive(Debug, Args)]
struct Which {
    /// The plugin's file
    path: PathBuf,
    /// The program that runs the file; `python3` for a file that ends in `.py`
    #[arg(long, value_name = "PROGRAM")]
    interpreter: Option<String>,
    /// Run a shared library inside isacopt, which it can end
    #[arg(long)]
    trusted: bool,
}

impl Which {
    fn load(&self) -> Result<Plugin> {
        let config = PluginConfig {
            interpreter: self.interpreter.clone(),
            trusted: self.trusted,
            ..PluginConfig::at(&self.path)
        };
        config.load(Path::new(""), "PATH").map_err(|mistakes| {
            // The place is known: it is what was typed.
            Error::CheckFailed(mistakes.into_iter().map(|m| m.found).collect::<Vec<_>>().join("\n"))
        })
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.what {
        What::New { name, lang } => new(name, *lang),
        What::List { config, json } => list(config, *json),
        What::Info { which, json } => info(which, *json),
        What::Test { which, toys, json } => test(which, *toys, *json),
    }
}

fn new(name: &str, lang: Lang) -> Result<()> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(letter) || name.len() > 40 {
        let allowed = "up to 40 small letters, digits and _, a letter first";
        return Err(InputError::new("NAME", format!("`{name}`"), allowed).into());
    }
    let language = match lang {
        Lang::Rust => Language::Rust,
        Lang::C => Language::C,
        Lang::Python => Language::Python,
    };
    let skeleton = skeleton::of(language, name);
    let folder = Path::new(name);
    if folder.exists() {
        return Err(InputError::new("NAME", format!("{name}, which is there already"), "a new folder").into());
    }
    for (file, text) in &skeleton.files {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|e| Error::file("create", parent, e))?;
        std::fs::write(&path, text).map_err(|e| Error::file("write", &path, e))?;
    }
    print(&format!("{name}: a plugin to begin with\n  cd {name}\n  {}", skeleton.steps.join("\n  ")))
}

fn list(config: &Path, as_json: bool) -> Result<()> {
    let experiment = Experiment::read(config, &[])?;
    if as_json {
        return print(&experiment.plugins.iter().map(described).collect::<Value>().to_string());
    }
    if experiment.plugins.is_empty() {
        return print("The config names no plugin.");
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["plugin", "version", "tier", "offers", "file"]);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(110);
    for plugin in experiment.plugins.iter() {
        let (manifest, location) = (plugin.manifest(), plugin.location());
        let (version, tier) = (manifest.version.clone(), location.tier.name().to_string());
        let path = location.path.display().to_string();
        table.add_row([manifest.name.clone(), version, tier, offers(plugin).join(", "), path]);
    }
    print(&table.to_string())
}

/// What a plugin offers, in words.
fn offers(plugin: &Plugin) -> Vec<String> {
    let manifest = plugin.manifest();
    let solvers = manifest.solvers.iter().map(|s| format!("solver {}", s.name));
    let metrics = manifest.metrics.iter().map(|m| format!("metric {}", m.name));
    solvers.chain(metrics).chain(manifest.models.iter().map(|m| format!("model {}", m.name))).collect()
}

fn described(plugin: &Plugin) -> Value {
    let location = plugin.location();
    json!({ "path": location.path, "sha256": location.sha256, "tier": location.tier, "manifest": plugin.manifest() })
}

fn info(which: &Which, as_json: bool) -> Result<()> {
    let plugin = which.load()?;
    if as_json {
        return print(&described(&plugin).to_string());
    }
    let (manifest, location) = (plugin.manifest(), plugin.location());
    let mut text = format!(
        "{} {}: {}\nfile    {}\nsha256  {}\ntier    {}",
        manifest.name,
        manifest.version,
        if manifest.description.is_empty() { "a plugin" } else { &manifest.description },
        location.path.display(),
        location.sha256,
        location.tier.name(),
    );
    for solver in &manifest.solvers {
        text += &format!("\n\nsolver {}\n{}", solver.name, solver.description);
        text += &parameters(&solver.parameters);
        let mut needs: Vec<&str> = solver.needs.capabilities.iter().map(String::as_str).collect();
        needs.extend(solver.needs.continuous.then_some("continuous blocks"));
        needs.extend(solver.needs.discrete.then_some("discrete blocks"));
        text += &format!("\nNeeds {}.", if needs.is_empty() { "evaluation alone".into() } else { needs.join(", ") });
    }
    for metric in &manifest.metrics {
        let needs = if metric.needs.is_empty() { "the design alone".into() } else { metric.needs.join(", ") };
        text += &format!("\n\nmetric {}, unit {}\n{}\nMade of {needs}.", metric.name, metric.unit, metric.description);
    }
    for model in &manifest.models {
        text += &format!("\n\nmodel {}\n{}", model.name, model.description);
        text += &parameters(&model.parameters);
    }
    print(&text)
}

fn parameters(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|p| !p.is_empty()) else {
        return "\nIt has no parameters.".into();
    };
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(["key", "value", "default", "what it is"]);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(110);
    for (name, property) in properties {
        let default = property.get("default").map_or(String::new(), Value::to_string);
        let what = property["description"].as_str().unwrap_or_default().to_string();
        table.add_row([name.clone(), property_kind(property, schema), default, what]);
    }
    format!("\n{table}")
}

/// The suite on everything that a plugin offers.
fn test(which: &Which, toys_only: bool, as_json: bool) -> Result<()> {
    let plugin = which.load()?;
    let mut grounds = toys();
    if !toys_only {
        grounds.extend(systems()?);
    }
    let mut findings = vec![
        Finding { promise: "shakes hands", place: plugin.manifest().name.clone(), broken: None },
        Finding { promise: "its schemas can be checked", place: plugin.manifest().name.clone(), broken: None },
    ];
    for offered in &plugin.manifest().solvers {
        let schema = Parameters::new(&offered.parameters).map_err(Error::CheckFailed)?;
        let solver = PluginSolver {
            solver: offered.name.clone(),
            parameters: schema.filled(&serde_json::Map::new()),
            plugin: Some(plugin.clone()),
        };
        let missing = schema.mistakes(&solver.parameters, "parameters");
        let broken =
            (!missing.is_empty()).then(|| missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        findings.push(Finding { promise: "its defaults are valid", place: offered.name.clone(), broken });
        examine(&offered.name, &solver, &grounds, &mut findings);
        examine_plugin(&plugin, &offered.name, &solver, &mut findings);
    }
    crate::plugin::conformance::examine_models(&plugin, &mut findings);
    let broken: Vec<&Finding> = findings.iter().filter(|f| f.broken.is_some()).collect();
    if as_json {
        let list = findings.iter().map(|f| json!({ "promise": f.promise, "place": f.place, "broken": f.broken }));
        print(&json!({ "passed": broken.is_empty(), "findings": list.collect::<Vec<_>>() }).to_string())?;
    } else {
        print(&summary(&plugin, &findings))?;
    }
    match broken.as_slice() {
        [] => Ok(()),
        broken => {
            let lines = broken
                .iter()
                .map(|f| format!("{}: {}: {}", f.place, f.promise, f.broken.as_deref().unwrap_or_default()));
            Err(Error::CheckFailed(lines.collect::<Vec<_>>().join("\n")))
        }
    }
}

/// Each promise once, with how often it was looked at and kept.
fn summary(plugin: &Plugin, findings: &[Finding]) -> String {
    let mut promises: Vec<&str> = Vec::new();
    for finding in findings {
        if !promises.contains(&finding.promise) {
            promises.push(finding.promise);
        }
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(["promise", "looked at", "broken"]);
    for promise in promises {
        let of = findings.iter().filter(|f| f.promise == promise);
        let broken = of.clone().filter(|f| f.broken.is_some()).count();
        table.add_row([promise.to_string(), of.count().to_string(), broken.to_string()]);
    }
    let broken = findings.iter().filter(|f| f.broken.is_some()).count();
    let verdict = match broken {
        0 => "Passed".to_string(),
        broken => format!("Failed: {broken} of {} findings", findings.len()),
    };
    format!("{} {}\n{table}\n{verdict}", plugin.manifest().name, plugin.manifest().version)
}
