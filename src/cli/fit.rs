//! `isacopt fit`: an instance from draws of its channels, and how well the formulas fit them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use comfy_table::Table;
use serde_json::{Map, Value, json};

use super::print;
use crate::error::{Error, InputError, Result};
use crate::instance::InstanceFile;
use crate::samples::{FitForm, Fitted, SampleFile};
use crate::scenario::scenarios;

/// Estimate an instance from draws of its channels, and report how far they are from the formulas
#[derive(Debug, Args)]
pub struct Arguments {
    /// The sample file: JSON, NumPy's .npz or MATLAB's .mat
    samples: PathBuf,
    /// The instance file to write: .npz, .mat, else JSON; only the report without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What the instance holds
    #[arg(long, value_enum, default_value_t)]
    form: Form,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    /// The samples' covariances and line of sight in place of the formulas
    #[default]
    Measured,
    /// The formulas, with the fitted fadings, Rician factor and directions
    Formulas,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = SampleFile::read(&arguments.samples)?;
    let known = scenarios();
    let form = match arguments.form {
        Form::Measured => FitForm::Measured,
        Form::Formulas => FitForm::Formulas,
    };
    let fit = || {
        let Some(entry) = known.iter().find(|entry| entry.name == file.scenario) else {
            return Err(Error::from(InputError::unknown("scenario", &file.scenario, known.iter().map(|e| e.name))));
        };
        let able = known.iter().filter(|e| e.fit.is_some()).map(|e| format!("`{}`", e.name)).collect::<Vec<_>>();
        let unable = || {
            let found = format!("`{}`, which is not fitted to channels", file.scenario);
            InputError::new("scenario", found, format!("one of {}", able.join(", ")))
        };
        entry.fit.ok_or_else(unable)?(&file, form)
    };
    let fitted = fit().map_err(|e| e.in_file(&arguments.samples))?;
    if let Some(out) = &arguments.out {
        let name = arguments.samples.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let description = match file.description.as_str() {
            "" => format!("fitted to {name}"),
            text => format!("{text} (fitted to {name})"),
        };
        let instance = fitted.instance.clone();
        let (designs, extra) = (Map::new(), Map::new());
        InstanceFile { scenario: file.scenario.clone(), description, instance, designs, extra }.write(out)?;
    }
    if arguments.json {
        let misfits: Vec<Value> = fitted.misfits.iter().map(|m| m.to_json()).collect();
        let answer = json!({
            "scenario": file.scenario, "draws": fitted.draws, "estimates": fitted.estimates, "misfits": misfits,
        });
        return print(&answer.to_string());
    }
    print(&table(&fitted))
}

fn table(fitted: &Fitted) -> String {
    let mut lines: Vec<String> = fitted.draws.iter().map(|(name, count)| format!("{count} draws of {name}")).collect();
    lines.extend(fitted.estimates.iter().map(|(key, value)| format!("{key}: {value}")));
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["samples against the formula", "user", "distance", "by sampling alone", "beyond it"]);
    for misfit in &fitted.misfits {
        let user = misfit.user.map_or_else(String::new, |k| k.to_string());
        let percent = |x: f64| format!("{:.3} %", 100.0 * x);
        let figures = [misfit.misfit, misfit.sampling, misfit.beyond_sampling()].map(percent);
        table.add_row([misfit.what.to_string(), user].into_iter().chain(figures));
    }
    format!("{}\n{table}\nDistances are relative, in Frobenius norm.", lines.join("\n"))
}
