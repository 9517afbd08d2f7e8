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
use crate::radio::music::{Echoes, Peak, Scan, Spectrum, cramer_rao, grid, refine, signal_vector};
use crate::report::{HeatMap, write_spectra};

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
    /// Draw the spectra into this folder: SVG, PNG and a page `spectra.html`
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = InstanceFile::read(&arguments.file)?;
    let (answer, spectra) = answer(&file, arguments).map_err(|e| e.in_file(&arguments.file))?;
    let mut text = if arguments.json { answer.to_string() } else { table(&answer) };
    if let Some(folder) = &arguments.pictures {
        let maps: Vec<HeatMap> = spectra.iter().map(|(name, spectrum)| map(&answer, name, spectrum)).collect();
        let title = format!("MUSIC: {}, design {}", file.scenario, answer["design"].as_str().unwrap_or_default());
        let page = write_spectra(folder, &title, &maps, &rows(&answer))?;
        if !arguments.json {
            text += &format!("\n{}", page.display());
        }
    }
    print(&text)
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

/// The answer, and each scan's spectrum by its name.
fn answer(file: &InstanceFile, arguments: &Arguments) -> Result<(Value, Vec<(&'static str, Spectrum)>)> {
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
        None => (echoes.snapshots)(&mut draws)?.values,
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
    let mut spectra = Vec::new();
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
        spectra.push((scan.name(), spectrum));
    }
    object["scans"] = scans.into();
    if arguments.trials > 0 {
        object["errors"] = errors(&echoes, arguments, (&azimuth, &elevation), &file.scenario)?;
    }
    Ok((object, spectra))
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

/// Root mean square errors over drawn coherence intervals, of the peaks on the grid and off it, and the roots of the
/// bounds, averaged over the intervals.
fn errors(echoes: &Echoes, arguments: &Arguments, axes: (&[f64], &[f64]), scenario: &str) -> Result<Value> {
    let mut sums = vec![[[0.0; 2]; 2]; echoes.scans.len()];
    let mut energies = Vec::new();
    for trial in 0..arguments.trials {
        let mut draws = RandomStream::keyed(arguments.seed, "snapshots", scenario, 1, trial);
        let snapshots = (echoes.snapshots)(&mut draws)?;
        energies.extend(snapshots.energy);
        let signal = signal_vector(&snapshots.values, echoes.antennas)?;
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
    let trials = arguments.trials as f64;
    let root = |sum: [f64; 2]| sum.map(|s| (s / trials).sqrt());
    let entry = |(scan, sums): (&dyn Scan, &[[f64; 2]; 2])| {
        let mut figures =
            json!({ "on_grid_rad": root(sums[0]), "refined_rad": root(sums[1]), "trials": arguments.trials });
        if let Some(truth) = scan.truth().filter(|_| scan.is_whole() && energies.len() as u64 == arguments.trials) {
            let unit = cramer_rao(scan, truth, 1.0);
            let share = energies.iter().map(|e| 1.0 / e).sum::<f64>() / trials;
            figures["cramer_rao_bound_rad"] = unit.iter().map(|b| number_json((b * share).sqrt())).collect();
        }
        (scan.name().to_string(), figures)
    };
    Ok(Value::Object(echoes.scans.iter().map(AsRef::as_ref).zip(&sums).map(entry).collect()))
}

/// Two angles in rad for reading; one that is unbounded as ∞.
fn degrees(value: &Value) -> String {
    let angle = |i: usize| match value.get(i) {
        Some(Value::Null) | Some(Value::String(_)) => Some("∞".to_string()),
        other => other.and_then(Value::as_f64).map(|x| match x.to_degrees() {
            d if d == 0.0 || d.abs() >= 0.01 => format!("{d:.3}°"),
            d => format!("{d:.2e}°"),
        }),
    };
    match (angle(0), angle(1)) {
        (Some(x), Some(y)) => format!("({x}, {y})"),
        _ => "unknown".to_string(),
    }
}

/// The answer as a table, its header first.
fn rows(answer: &Value) -> Vec<Vec<String>> {
    let with_errors = answer.get("errors").is_some();
    let mut header = vec!["scan", "truth", "peak on the grid", "refined", "peaks within 3 dB"];
    if with_errors {
        header.extend(["root mean square error, refined", "root of the Cramér-Rao bound"]);
    }
    let mut rows = vec![header.into_iter().map(str::to_string).collect::<Vec<_>>()];
    for (name, scan) in answer["scans"].as_object().into_iter().flatten() {
        let mut row = vec![name.clone(), degrees(&scan["truth"]), degrees(&scan["peak"]), degrees(&scan["refined"])];
        row.push(scan["peaks_within_3_dB"].to_string());
        if with_errors {
            let errors = &answer["errors"][name];
            let bound = &errors["cramer_rao_bound_rad"];
            row.extend([degrees(&errors["refined_rad"]), if bound.is_null() { "none".into() } else { degrees(bound) }]);
        }
        rows.push(row);
    }
    rows
}

fn table(answer: &Value) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    let mut rows = rows(answer).into_iter();
    if let Some(header) = rows.next() {
        table.set_header(header);
    }
    table.add_rows(rows);
    format!("design {}, snapshots {}\n{table}", answer["design"], answer["snapshots"])
}

/// The picture of a scan's spectrum.
fn map(answer: &Value, name: &str, spectrum: &Spectrum) -> HeatMap {
    let scan = &answer["scans"][name];
    let place = |key: &str| {
        let angle = |i: usize| scan[key].get(i).and_then(Value::as_f64).map(f64::to_degrees);
        angle(0).zip(angle(1))
    };
    // Rising, whatever order the grid was given in.
    let order = |axis: &[f64]| {
        let mut order: Vec<usize> = (0..axis.len()).collect();
        order.sort_by(|a, b| axis[*a].total_cmp(&axis[*b]));
        order
    };
    let (across, up) = (order(&spectrum.azimuth), order(&spectrum.elevation));
    let decibel = |i: &usize, j: &usize| 10.0 * spectrum.value(*i, *j).log10();
    let description = scan["description"].as_str().unwrap_or_default();
    HeatMap {
        name: format!("spectrum_{name}"),
        title: format!("MUSIC spectrum, {}", name.replace('_', " ")),
        caption: format!(
            "MUSIC spectrum over {description}. Circle: the true angles; cross: the refined peak. Peaks within 3 dB of the \
             highest: {}.",
            scan["peaks_within_3_dB"]
        ),
        labels: ["azimuth (°)".into(), "elevation (°)".into(), "spectrum (dB)".into()],
        x: across.iter().map(|i| spectrum.azimuth[*i].to_degrees()).collect(),
        y: up.iter().map(|j| spectrum.elevation[*j].to_degrees()).collect(),
        values: across.iter().flat_map(|i| up.iter().map(move |j| decibel(i, j))).collect(),
        circle: place("truth"),
        cross: place("refined"),
    }
}
