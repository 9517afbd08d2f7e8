//! `isacopt music`: where a target is, by two-dimensional MUSIC on the snapshots of an instance file, or on drawn ones.

use std::path::PathBuf;

use clap::Args;
use comfy_table::Table;
use num_complex::Complex;
use serde_json::{Map, Value, json};

use super::evaluate::model;
use super::print;
use crate::design::{Design, nested_with};
use crate::error::{Error, InputError, Result};
use crate::instance::{InstanceFile, complex_array};
use crate::math::RandomStream;
use crate::metric::number_json;
use crate::model::SystemModel;
use crate::radio::music::{Echoes, Peak, Scan, Spectrum, grid, refine, signal_vector};

/// Find the target of an instance file by MUSIC: peaks on a grid and off it, how ambiguous they are, errors over trials
#[derive(Debug, Args)]
pub struct Arguments {
    /// The instance file; its `snapshots` are used where it has them, else they are drawn
    file: PathBuf,
    /// The design; the only one, or the first start of the system, without it
    #[arg(long, value_name = "NAME")]
    design: Option<String>,
    /// Grid points on each axis, from -90 to 90 degrees
    #[arg(long, value_name = "N", default_value_t = 91, value_parser = clap::value_parser!(u32).range(3..=4001))]
    points: u32,
    /// Azimuths of the grid in rad, comma-separated, in place of the even grid
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    azimuth: Vec<f64>,
    /// Elevations of the grid in rad, likewise
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    elevation: Vec<f64>,
    /// Draw so many coherence intervals and report the root mean square error of the angles
    #[arg(long, value_name = "N", default_value_t = 0)]
    trials: u64,
    /// The seed of what is drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print the spectra, too
    #[arg(long)]
    spectra: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = InstanceFile::read(&arguments.file)?;
    let answer = answer(&file, arguments).map_err(|e| e.in_file(&arguments.file))?;
    if arguments.json { print(&answer.to_string()) } else { print(&table(&answer)) }
}

/// The design's name and itself.
fn design(file: &InstanceFile, model: &dyn SystemModel, wanted: Option<&str>) -> Result<(String, Design)> {
    let named =
        |name: &str, value: &Value| Ok((name.to_string(), model.read_design(value, &format!("designs.{name}"))?));
    if let Some(name) = wanted {
        if let Some(value) = file.designs.get(name) {
            return named(name, value);
        }
        return match model.start(name) {
            Some(start) => Ok((name.to_string(), start?)),
            None => {
                let starts = model.starts();
                let names = file.designs.keys().map(String::as_str).chain(starts.iter().map(|s| s.name));
                Err(InputError::unknown("--design", name, names).into())
            }
        };
    }
    match (file.designs.iter().next(), file.designs.len()) {
        (Some((name, value)), 1) => named(name, value),
        (Some(_), several) => {
            let names: Vec<&str> = file.designs.keys().map(String::as_str).collect();
            let found = format!("{several} designs and no choice");
            Err(InputError::new("--design", found, format!("one of {}", names.join(", "))).into())
        }
        (None, _) => {
            let first = model.starts().into_iter().next();
            let start = first.and_then(|s| Some((s.name.to_string(), model.start(s.name)?)));
            let none = || InputError::new("designs", "no design", "a design to look through");
            let (name, start) = start.ok_or_else(none)?;
            Ok((name, start?))
        }
    }
}

fn answer(file: &InstanceFile, arguments: &Arguments) -> Result<Value> {
    let model = model(file)?;
    let (name, design) = design(file, model.as_ref(), arguments.design.as_deref())?;
    let echoes = model.echoes(&design).ok_or_else(|| Error::Refused {
        solver: "music".into(),
        reason: format!("`{}` has no receiver whose snapshots MUSIC could scan", file.scenario),
    })?;
    let mut draws = RandomStream::keyed(arguments.seed, "snapshots", &file.scenario, 0, 0);
    let given = file.extra.get("snapshots");
    let snapshots = match given {
        Some(value) => read_snapshots(value, echoes.antennas)?,
        None => (echoes.snapshots)(&mut draws)?,
    };
    let even = |list: &[f64]| -> Result<Vec<f64>> {
        if list.iter().any(|x| !x.is_finite()) {
            return Err(
                InputError::new("--azimuth or --elevation", "a number that is not finite", "angles in rad").into()
            );
        }
        let half = std::f64::consts::FRAC_PI_2;
        Ok(if list.is_empty() { grid(-half, half, arguments.points as usize) } else { list.to_vec() })
    };
    let (azimuth, elevation) = (even(&arguments.azimuth)?, even(&arguments.elevation)?);
    let signal = signal_vector(&snapshots, echoes.antennas)?;
    let mut scans = Map::new();
    let mut object = json!({
        "design": name,
        "snapshots": if given.is_some() { "given" } else { "drawn" },
        "seed": arguments.seed,
        "grid_azimuth": azimuth,
        "grid_elevation": elevation,
    });
    for scan in &echoes.scans {
        let spectrum = Spectrum::new(scan.as_ref(), &signal, &azimuth, &elevation);
        scans.insert(scan.name().into(), peaks(scan.as_ref(), &signal, &spectrum));
        if arguments.spectra {
            let shape = [azimuth.len(), elevation.len()];
            object[format!("spectrum_{}", scan.name())] = nested_with(&spectrum.values, &shape, &number_json);
        }
    }
    object["scans"] = scans.into();
    if arguments.trials > 0 {
        object["errors"] = errors(&echoes, arguments, (&azimuth, &elevation), &file.scenario)?;
    }
    Ok(object)
}

fn read_snapshots(value: &Value, antennas: usize) -> Result<Vec<Complex<f64>>> {
    let samples = value.pointer("/re/0").and_then(Value::as_array).map_or(1, Vec::len);
    complex_array(value, &[antennas, samples.max(1)], "snapshots")
}

fn step(axis: &[f64]) -> f64 {
    axis.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max).max(1e-6)
}

/// The highest peak on the grid, refined, or none where the spectrum is flat.
fn peak(scan: &dyn Scan, signal: &[Complex<f64>], spectrum: &Spectrum) -> Option<(Peak, Peak)> {
    let on_grid = *spectrum.peaks().first()?;
    Some((on_grid, refine(scan, signal, on_grid, step(&spectrum.azimuth).max(step(&spectrum.elevation)))))
}

fn peaks(scan: &dyn Scan, signal: &[Complex<f64>], spectrum: &Spectrum) -> Value {
    let mut object = json!({ "description": scan.description(), "truth": scan.truth() });
    if let Some((on_grid, refined)) = peak(scan, signal, spectrum) {
        object["peak"] = json!(on_grid.angles);
        object["spectrum_at_peak"] = number_json(on_grid.value);
        object["refined"] = json!(refined.angles);
        object["peaks_within_3_dB"] = spectrum.ambiguity().into();
    }
    object
}

/// Root mean square errors over drawn coherence intervals, of the peaks on the grid and off it.
fn errors(echoes: &Echoes, arguments: &Arguments, axes: (&[f64], &[f64]), scenario: &str) -> Result<Value> {
    let mut sums = vec![[[0.0; 2]; 2]; echoes.scans.len()];
    for trial in 0..arguments.trials {
        let mut draws = RandomStream::keyed(arguments.seed, "snapshots", scenario, 1, trial);
        let signal = signal_vector(&(echoes.snapshots)(&mut draws)?, echoes.antennas)?;
        for (scan, sums) in echoes.scans.iter().zip(&mut sums) {
            let spectrum = Spectrum::new(scan.as_ref(), &signal, axes.0, axes.1);
            if let (Some(truth), Some((on_grid, refined))) = (scan.truth(), peak(scan.as_ref(), &signal, &spectrum)) {
                for (sum, found) in sums.iter_mut().zip([on_grid, refined]) {
                    for axis in 0..2 {
                        sum[axis] += (found.angles[axis] - truth[axis]).powi(2);
                    }
                }
            }
        }
    }
    let root = |sum: [f64; 2]| sum.map(|s| (s / arguments.trials as f64).sqrt());
    let entry = |(scan, sums): (&Box<dyn Scan>, &[[f64; 2]; 2])| {
        let figures = json!({ "on_grid_rad": root(sums[0]), "refined_rad": root(sums[1]), "trials": arguments.trials });
        (scan.name().to_string(), figures)
    };
    Ok(Value::Object(echoes.scans.iter().zip(&sums).map(entry).collect()))
}

fn table(answer: &Value) -> String {
    let degrees = |value: &Value| {
        let angle = |i: usize| value.get(i).and_then(Value::as_f64).map(f64::to_degrees);
        match (angle(0), angle(1)) {
            (Some(x), Some(y)) => format!("({x:.3}°, {y:.3}°)"),
            _ => "unknown".to_string(),
        }
    };
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    let mut header = vec!["scan", "truth", "peak on the grid", "refined", "peaks within 3 dB"];
    let with_errors = answer.get("errors").is_some();
    if with_errors {
        header.push("root mean square error, refined");
    }
    table.set_header(header);
    for (name, scan) in answer["scans"].as_object().into_iter().flatten() {
        let mut row = vec![name.clone(), degrees(&scan["truth"]), degrees(&scan["peak"]), degrees(&scan["refined"])];
        row.push(scan["peaks_within_3_dB"].to_string());
        if with_errors {
            row.push(degrees(&answer["errors"][name]["refined_rad"]));
        }
        table.add_row(row);
    }
    format!("design {}, snapshots {}\n{table}", answer["design"], answer["snapshots"])
}
