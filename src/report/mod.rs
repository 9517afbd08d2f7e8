//! Reports: a run folder as one self-contained HTML page that works offline.
//!
//! The page holds what was run, the table of results, and figures: convergence, any metric over the sweep, any metric
//! against any other, distributions over users and drops, time against gap. Everything is aggregated here; the page's
//! script only chooses and draws. The same figures are drawn for papers, see [`Figure`].

mod benchmark;
mod claims;
mod convergence;
mod difference;
mod distribution;
mod figure;
mod grid;
mod html;
mod overview;
mod page;
mod payload;
mod plain;
mod preset;
mod quantity;
mod runs;
mod shown;
mod side_by_side;
mod simulated;
mod spectra;
mod spread;
mod study;
mod swept;
mod table;

use std::path::{Path, PathBuf};

pub use benchmark::{Benchmark, Curve, Reference};
pub use claims::{Tested, Verdict, test_claims};
pub use convergence::{Band, Effort, Traces};
pub use difference::{Change, Comparison, Paired};
pub use distribution::Distribution;
pub use figure::{Figure, Format, HeatMap, Options, Vocabulary, chosen, compose, write_figures};
pub use grid::{Grid, Layout};
pub(crate) use html::{duration, durations, number};
pub(crate) use plain::{Part, write_parts};
pub use quantity::{Quantity, Scale};
pub use side_by_side::write_side_by_side;
pub use simulated::{MonteCarlo, estimated, estimators, simulated};
pub use spectra::write_spectra;
pub use spread::{Spread, quantile, sorted};
pub use study::{Cell, Reduction, Study};
pub use swept::{Axis, SweptKey};

use serde_json::{Map, Value};

use crate::config::{ClaimConfig, FigureConfig, Source};
use crate::error::{Error, InputError, Result};
use crate::results::RunFolder;

/// Writes `report.html` into a run folder, from the other files in it, and returns its path.
///
/// # Errors
/// Where a file of the folder cannot be read or is not what isacopt writes, or the page cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf> {
    write_study(&Study::new(RunFolder::without_designs(folder)?))
}

/// The same of a folder that is read already.
///
/// # Errors
/// As [`write()`].
pub fn write_study(study: &Study) -> Result<PathBuf> {
    let path = study.folder.path.join("report.html");
    replace(&path, page::page(study)?.as_bytes())?;
    Ok(path)
}

/// The `[[figure]]` tables of a run's config.
///
/// # Errors
/// Where they hold mistakes: a config that was edited in the run folder.
pub fn run_figures(study: &Study) -> Result<Vec<FigureConfig>> {
    read_config(study, FigureConfig::read_all)
}

/// The `[[claim]]` tables of a run's config, tested on its results.
///
/// # Errors
/// Where they hold mistakes, or name what the run does not have.
pub fn run_claims(study: &Study) -> Result<Vec<Tested>> {
    read_config(study, |tree, mistakes| {
        let claims = ClaimConfig::read_all(tree, mistakes);
        test_claims(study, &claims).map_err(|more| mistakes.extend(more)).unwrap_or_default()
    })
}

fn read_config<T>(study: &Study, read: impl Fn(&Map<String, Value>, &mut Vec<InputError>) -> T) -> Result<T> {
    let source = Source::parse(&study.folder.config, &study.folder.path.join("config.toml").display().to_string())?;
    let mut mistakes = Vec::new();
    let found = read(&source.tree, &mut mistakes);
    if mistakes.is_empty() { Ok(found) } else { Err(Error::Input(source.locate(mistakes))) }
}

/// Draws the figures of a run into its folder's `figures`, as far as it has something for them; gives their folder
/// where there are any.
///
/// # Errors
/// Where a file cannot be written.
pub fn draw(folder: &Path) -> Result<Option<PathBuf>> {
    draw_study(&Study::new(RunFolder::without_designs(folder)?))
}

/// The same of a folder that is read already.
///
/// # Errors
/// As [`draw`].
pub fn draw_study(study: &Study) -> Result<Option<PathBuf>> {
    let known = Vocabulary::of_study(study);
    // What no run of this experiment has, because they all failed, is no mistake of the config's.
    let figures = chosen(study, &run_figures(study)?).into_iter().filter(|f| known.mistakes(f).is_empty());
    let target = study.folder.path.join("figures");
    let written = write_figures(study, &figures.collect::<Vec<_>>(), &target, &Options::default())?;
    Ok((!written.is_empty()).then_some(target))
}

/// Writes a file beside its place and moves it there, so that a reader never meets half of it.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&beside, content).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|e| {
        // What is left of a failed attempt is of no use; that it may not exist is no second error.
        let _ = std::fs::remove_file(&beside);
        Error::file("write", path, e)
    })
}
