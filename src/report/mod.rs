//! Reports: a run folder as one self-contained HTML page that works offline.
//!
//! The page holds what was run, the table of results, and figures: convergence, any metric over the sweep, any metric
//! against any other, distributions over users and drops, time against gap. Everything is aggregated here; the page's
//! script only chooses and draws.

mod convergence;
mod html;
mod page;
mod payload;
mod quantity;
mod spread;
mod study;
mod swept;
mod table;

use std::path::{Path, PathBuf};

pub use convergence::{Band, Effort, Traces};
pub(crate) use html::{duration, durations, number};
pub use quantity::{Quantity, Scale};
pub use spread::{Spread, quantile, sorted};
pub use study::{Cell, Reduction, Study};
pub use swept::{Axis, SweptKey};

use crate::error::{Error, Result};
use crate::results::RunFolder;

/// Writes `report.html` into a run folder, from the other files in it, and returns its path.
///
/// # Errors
/// Where a file of the folder cannot be read or is not what isacopt writes, or the page cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf> {
    let study = Study::new(RunFolder::read(folder)?);
    let path = folder.join("report.html");
    replace(&path, page::page(&study)?.as_bytes())?;
    Ok(path)
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
