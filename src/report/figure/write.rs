//! Writing figures into a folder.

use std::path::{Path, PathBuf};

use super::super::{replace, study::Study};
use super::compose::compose;
use super::csv::csv;
use super::layout::layout;
use super::pdf::pdf;
use super::pgfplots::pgfplots;
use super::png::png;
use super::svg::svg;
use crate::config::FigureConfig;
use crate::error::{Error, Result};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Vectors that browsers and drawing programs open
    Svg,
    /// Vectors for LaTeX's \includegraphics
    Pdf,
    /// A picture of points
    Png,
    /// PGFPlots, to \input into a paper
    Tex,
    /// The data
    Csv,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Svg, Self::Pdf, Self::Png, Self::Tex, Self::Csv];

    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Pdf => "pdf",
            Self::Png => "png",
            Self::Tex => "tex",
            Self::Csv => "csv",
        }
    }
}

/// What to write.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kinds of files.
    pub formats: Vec<Format>,
    /// Dots per inch of pictures.
    pub dots_per_inch: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { formats: Format::ALL.to_vec(), dots_per_inch: 300 }
    }
}

/// Draws figures into a folder, with a file of their captions; gives the paths of all files. A figure that the run has
/// nothing for is passed over.
///
/// # Errors
/// Where a figure's table names what the run does not have, or a file cannot be written.
pub fn write_figures(
    study: &Study,
    figures: &[FigureConfig],
    folder: &Path,
    options: &Options,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    let mut captions = String::new();
    for config in figures {
        let Some(figure) = compose(study, config)? else { continue };
        if written.is_empty() {
            std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        }
        let scene = layout(&figure);
        for format in &options.formats {
            let content = match format {
                Format::Svg => svg(&scene, &figure.name, &figure.caption).into_bytes(),
                Format::Pdf => pdf(&scene, &figure.name, &figure.caption)?,
                Format::Png => png(&scene, options.dots_per_inch)?,
                Format::Tex => pgfplots(&figure).into_bytes(),
                Format::Csv => csv(&figure).into_bytes(),
            };
            let path = folder.join(format!("{}.{}", figure.name, format.extension()));
            replace(&path, &content)?;
            written.push(path);
        }
        captions += &format!("{}: {}\n\n", figure.name, figure.caption);
    }
    if !written.is_empty() {
        let path = folder.join("captions.txt");
        replace(&path, captions.trim_end().as_bytes())?;
        written.push(path);
    }
    Ok(written)
}
