//! `isacopt validate`: closed forms held against ground truth.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::evaluate::short;
use super::{cancel_on_interrupt, print};
use crate::config::{Cell, Experiment, Trial};
use crate::design::Design;
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::metric::number_json;
use crate::report::{Part, write_parts};
use crate::runner::validation::{
    BoundFigure, GradientFigure, LARGEST_CONDITION, LARGEST_GRADIENT_DIFFERENCE, LARGEST_INFORMATION_DIFFERENCE,
    LARGEST_Z, SimulatedFigure, Validation, Verdict, validate,
};
use crate::simulation::Draws;

/// How often a standard normal score leaves the band of [`LARGEST_Z`].
const CHANCE: f64 = 6.33e-5;

/// Hold the closed forms of a config's systems against Monte-Carlo, Fisher information and finite differences
///
/// At every point of the sweep one trial is drawn and two designs are looked at: the problem's own start, and a random
/// one. Metrics are held against Monte-Carlo of the raw signals, CRLBs against numerical Fisher information, gradients
/// against finite differences. Exit code 1 where anything differs.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The config
    config: PathBuf,
    /// Draws of the raw signals for each design
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..))]
    draws: u64,
    /// Threads; all cores without it. They change the time only
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Which trial to draw, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    trial: u64,
    /// The seed; the config's own without it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Set a value of the config first
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Show every entry of every metric, not only the worst one
    #[arg(long)]
    all: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Write the tables, with every entry, as a page to this file, too
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// The comparisons of one design.
struct Judged<'a> {
    cell: &'a Cell,
    design: &'static str,
    validation: Validation,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let experiment = Experiment::read(&arguments.config, &arguments.settings)?;
    let seed = arguments.seed.unwrap_or(experiment.seed);
    let mut planned = Vec::new();
    for cell in &experiment.cells {
        let trial = cell.draw(seed, arguments.trial)?;
        planned.extend(
            designs(&trial, cell, seed, arguments.trial)?
                .map(|(name, design)| (cell, name, trial.problem.clone(), design)),
        );
    }
    let cancel = cancel_on_interrupt();
    let bar = progress(planned.len() as u64 * arguments.draws);
    let mut judged = Vec::new();
    for (cell, name, problem, design) in planned {
        // Own draws for each design: the comparisons of different designs are independent.
        let mut stream = RandomStream::keyed(seed, "validation", name, cell.index as u64, arguments.trial);
        let draws =
            Draws { count: arguments.draws, seed: rand::Rng::next_u64(&mut *stream), threads: arguments.threads };
        let before = judged.len() as u64 * arguments.draws;
        let validation = validate(&problem, &design, draws, &mut |done| {
            bar.set_position(before + done);
            !cancel.is_set()
        })?;
        if cancel.is_set() {
            bar.finish_and_clear();
            return Err(Error::CheckFailed("interrupted".into()));
        }
        if !std::io::stderr().is_terminal() {
            let verdict = if validation.passed() { "agrees" } else { "differs" };
            eprintln!("{}: {verdict}", title(cell, name));
        }
        judged.push(Judged { cell, design: name, validation });
    }
    bar.finish_and_clear();
    let summary = Summary::new(&judged);
    if let Some(path) = &arguments.page {
        let mut parts = vec![Part::Text(summary.text(arguments.draws))];
        judged.iter().for_each(|j| parts.extend(j.parts(true)));
        write_parts(path, &format!("Validation of {}", experiment.name), &parts)?;
    }
    if arguments.json {
        print(&summary.json(&judged).to_string())?;
    } else {
        let tables = judged.iter().map(|j| j.table(arguments.all)).collect::<Vec<_>>().join("\n\n");
        print(&format!("{tables}\n\n{}", summary.text(arguments.draws)))?;
    }
    if summary.differing.is_empty() { Ok(()) } else { Err(Error::CheckFailed(summary.verdict())) }
}

/// The designs to look at: where solvers start, and a random one that uses every block.
fn designs(trial: &Trial, cell: &Cell, seed: u64, number: u64) -> Result<[(&'static str, Design); 2]> {
    let mut stream = RandomStream::keyed(seed, "validated design", "", cell.index as u64, number);
    let start = trial.problem.default_start(&mut stream)?;
    Ok([("start", start), ("random", trial.problem.random(&mut stream))])
}

fn progress(draws: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} draws, {eta} left");
    let bar = ProgressBar::new(draws);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn title(cell: &Cell, design: &str) -> String {
    let swept = cell.sweep.iter().map(|(key, value)| format!("{key} = {value}, "));
    format!("{}design: {design}", swept.collect::<String>())
}

/// What all comparisons come to.
struct Summary {
    compared: usize,
    simulated: usize,
    largest_z: f64,
    differing: Vec<String>,
}

impl Summary {
    fn new(judged: &[Judged]) -> Self {
        let differing = judged.iter().flat_map(|j| {
            let place = title(j.cell, j.design);
            j.validation.differing().into_iter().map(move |name| format!("{name} ({place})"))
        });
        Self {
            compared: judged.iter().map(|j| j.validation.compared()).sum(),
            simulated: judged.iter().map(|j| j.validation.compared_with_simulation()).sum(),
            largest_z: judged.iter().map(|j| j.validation.largest_z()).fold(0.0, f64::max),
            differing: differing.collect(),
        }
    }

    fn chance(&self) -> f64 {
        (self.simulated as f64 * CHANCE).min(1.0)
    }

    fn verdict(&self) -> String {
        format!("{} of {} comparisons differ: {}", self.differing.len(), self.compared, self.differing.join("; "))
    }

    fn text(&self, draws: u64) -> String {
        let verdict = if self.differing.is_empty() { "Passed" } else { "Failed" };
        format!(
            "{verdict}: {} comparisons, {} of them with Monte-Carlo ({draws} draws a design).\n\
             Largest |z| {:.2}, limit {LARGEST_Z}; that a right formula leaves it by luck somewhere has a chance of at \
             most {:.2} %.\nBounds differ by at most {LARGEST_INFORMATION_DIFFERENCE:e} of their parameter's own \
             information (condition below {LARGEST_CONDITION:e}), gradients by at most {LARGEST_GRADIENT_DIFFERENCE:e} \
             of their largest coordinate, or count as different.",
            self.compared,
            self.simulated,
            self.largest_z,
            100.0 * self.chance(),
        )
    }

    fn json(&self, judged: &[Judged]) -> Value {
        json!({
            "passed": self.differing.is_empty(),
            "comparisons": self.compared,
            "comparisons_with_simulation": self.simulated,
            "largest_z": number_json(self.largest_z),
            "z_limit": LARGEST_Z,
            "chance_of_a_false_alarm": self.chance(),
            "designs": judged.iter().map(Judged::json).collect::<Vec<_>>(),
        })
    }
}

impl Judged<'_> {
    fn table(&self, all: bool) -> String {
        let text = |part: &Part| match part {
            Part::Heading(text) | Part::Text(text) => text.clone(),
            Part::Table { header, rows } => {
                let mut table = Table::new();
                table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(*header).add_rows(rows);
                table.to_string()
            }
        };
        self.parts(all).iter().map(text).collect::<Vec<_>>().join("\n")
    }

    fn parts(&self, all: bool) -> Vec<Part> {
        let validation = &self.validation;
        let mut parts = vec![Part::Heading(title(self.cell, self.design))];
        if !validation.simulated.is_empty() {
            let shown: Vec<&SimulatedFigure> =
                if all { validation.simulated.iter().collect() } else { worst_entries(&validation.simulated) };
            let row = |f: &&SimulatedFigure| {
                let z = f.z_score.map_or("none".into(), |z| format!("{z:.2}"));
                let [closed, simulated, error] = [f.closed_form, f.simulated, f.standard_error].map(digits);
                vec![f.name.clone(), closed, simulated, error, z, f.verdict.describe()]
            };
            parts.push(Part::Text(format!("{} draws", validation.draws)));
            parts.push(Part::Table {
                header: &["metric", "closed form", "simulated", "standard error", "z", "verdict"],
                rows: shown.iter().map(row).collect(),
            });
        }
        if !validation.bounds.is_empty() {
            let row = |f: &BoundFigure| {
                let [closed, numerical] = [f.closed_form, f.numerical].map(digits);
                let [difference, condition] = [f.difference, f.condition].map(|x| format!("{x:.1e}"));
                vec![
                    f.name.clone(),
                    f.parameter.clone(),
                    closed,
                    numerical,
                    difference,
                    condition,
                    f.verdict.describe(),
                ]
            };
            let header =
                &["bound", "parameter", "closed form", "Fisher information", "difference", "condition", "verdict"];
            parts.push(Part::Table { header, rows: validation.bounds.iter().map(row).collect() });
        }
        match &validation.no_gradient {
            Some(why) => parts.push(Part::Text(format!("No gradient: {why}."))),
            None => {
                let row = |f: &GradientFigure| {
                    let difference = format!("{:.1e}", f.difference);
                    vec![f.name.clone(), f.coordinates.to_string(), difference, f.verdict.describe()]
                };
                let header = &["gradient of", "coordinates", "largest difference", "verdict"];
                parts.push(Part::Table { header, rows: validation.gradients.iter().map(row).collect() });
            }
        }
        if !validation.uncovered.is_empty() {
            parts.push(Part::Text(format!("Without ground truth: {}.", validation.uncovered.join(", "))));
        }
        parts
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        let validation = &self.validation;
        object.insert("sweep".into(), Value::Object(self.cell.sweep.clone()));
        object.insert("design".into(), self.design.into());
        object.insert("draws".into(), validation.draws.into());
        object.insert("simulated".into(), validation.simulated.iter().map(simulated_json).collect());
        object.insert("bounds".into(), validation.bounds.iter().map(bound_json).collect());
        object.insert("gradients".into(), validation.gradients.iter().map(gradient_json).collect());
        object.insert("no_gradient".into(), validation.no_gradient.clone().into());
        object.insert("uncovered".into(), validation.uncovered.clone().into());
        Value::Object(object)
    }
}

/// Of each metric the entry with the largest |z|; one that was not compared only where no entry was.
fn worst_entries(figures: &[SimulatedFigure]) -> Vec<&SimulatedFigure> {
    let badness = |f: &SimulatedFigure| match f.verdict {
        Verdict::NotCompared(_) => -1.0,
        _ => f.z_score.map_or(f64::INFINITY, f64::abs),
    };
    let mut worst: Vec<&SimulatedFigure> = Vec::new();
    for figure in figures {
        match worst.last_mut() {
            Some(last) if last.metric == figure.metric => {
                if badness(figure) > badness(last) {
                    *last = figure;
                }
            }
            _ => worst.push(figure),
        }
    }
    worst
}

fn digits(x: f64) -> String {
    short(&number_json(x))
}

fn simulated_json(f: &SimulatedFigure) -> Value {
    json!({
        "name": f.name,
        "unit": f.unit,
        "closed_form": number_json(f.closed_form),
        "simulated": number_json(f.simulated),
        "standard_error": number_json(f.standard_error),
        "z": f.z_score,
        "verdict": f.verdict.describe(),
    })
}

fn bound_json(f: &BoundFigure) -> Value {
    json!({
        "name": f.name,
        "unit": f.unit,
        "parameter": f.parameter,
        "closed_form": number_json(f.closed_form),
        "numerical": number_json(f.numerical),
        "difference": number_json(f.difference),
        "condition": number_json(f.condition),
        "verdict": f.verdict.describe(),
    })
}

fn gradient_json(f: &GradientFigure) -> Value {
    json!({
        "name": f.name,
        "coordinates": f.coordinates,
        "difference": number_json(f.difference),
        "verdict": f.verdict.describe(),
    })
}
