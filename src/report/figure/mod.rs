//! Figures for a paper: what a run holds, at a journal's column width, as SVG, PDF, PNG, PGFPlots and CSV.
//!
//! A [`Figure`] is data on axes, made from a study by the same aggregation as the page. [`layout`] puts it on paper as
//! lines, areas and words; each format then writes those, except PGFPlots and CSV, which write the data.

mod benchmark;
mod check;
mod choose;
mod compose;
mod csv;
mod font;
mod heat_map;
mod layout;
mod pdf;
mod pgfplots;
mod png;
mod scene;
mod style;
mod svg;
mod ticks;
mod write;

pub use check::{Vocabulary, find};
pub use choose::chosen;
pub use compose::compose;
pub(super) use csv::line as csv_line;
pub use heat_map::HeatMap;
pub(super) use pgfplots::escaped as tex;
pub use write::{Format, Options, write_figures};

use super::quantity::Scale;
use crate::config::{FigureKind, LegendPlace};
use crate::math::from_decibel;

/// A figure: data on axes.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The stem of its files.
    pub name: String,
    /// What it shows.
    pub kind: FigureKind,
    /// How to read it.
    pub caption: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, in the order of the legend.
    pub series: Vec<Series>,
    /// Heights of dashed lines across the plot.
    pub references: Vec<f64>,
    /// Width in inches.
    pub width: f64,
    /// Height in inches; chosen for the width where absent.
    pub height: Option<f64>,
    /// Where the legend stands.
    pub legend: LegendPlace,
}

/// An axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// The quantity, and its unit.
    pub label: String,
    /// Whether it is logarithmic.
    pub logarithmic: bool,
    /// Its ends, where the config sets them.
    pub range: Option<[f64; 2]>,
    /// The names of the places 0, 1, 2, ... where values are no numbers.
    pub names: Vec<String>,
    /// A second reading of the same values on the opposite side.
    pub second: Option<Degrees>,
}

/// The reading of a squared angle as its root in degrees.
#[derive(Clone, Debug, PartialEq)]
pub struct Degrees {
    /// What stands beside it.
    pub label: String,
    /// The scale in which the squared angle is drawn.
    pub scale: Scale,
}

impl Degrees {
    /// Where an angle in degrees lies on the axis.
    pub fn position(&self, degrees: f64) -> f64 {
        self.scale.apply(degrees.to_radians().powi(2))
    }

    /// The angle in degrees at a place on the axis.
    pub fn value(&self, drawn: f64) -> f64 {
        let squared = if self.scale == Scale::Decibel { from_decibel(drawn) } else { drawn };
        Scale::RootDegrees.apply(squared)
    }
}

/// A line, or a set of markers.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls its solver.
    pub label: String,
    /// The solver's place in the study, by which it keeps its look; none for what belongs to no solver.
    pub solver: Option<usize>,
    /// What it is.
    pub role: Role,
    /// Its points.
    pub points: Vec<Point>,
}

/// What a series is.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// A solver's line with markers and a band from `low` to `high`; a staircase for a distribution.
    Line {
        /// How `low` and `high` are drawn.
        spread: SpreadMark,
        /// Whether it steps up at each value.
        stepped: bool,
    },
    /// The proven bound.
    Bound,
    /// Monte-Carlo of the raw signal model.
    MonteCarlo,
    /// The mean square error of an estimator: its name, and its place among the estimators.
    Estimator(String, usize),
    /// Points that nothing beats.
    Nondominated,
    /// The 5 % quantile and the median of a distribution.
    Quantiles,
    /// Single runs.
    Runs,
    /// The median of a solver's runs.
    Median,
}

/// How `low` and `high` are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpreadMark {
    /// Not at all.
    None,
    /// As a band.
    Band,
    /// As error bars.
    Bars,
}

/// A point in the scales of the axes; NaN for what it lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Horizontal.
    pub x: f64,
    /// Vertical.
    pub y: f64,
    /// The lower end of its spread.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Point {
    /// A point without a spread.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, low: f64::NAN, high: f64::NAN }
    }
}

impl Series {
    /// What the series is, as the data files name it.
    pub fn what(&self) -> String {
        match &self.role {
            Role::Line { .. } => "value".into(),
            Role::Bound => "bound".into(),
            Role::MonteCarlo => "Monte-Carlo".into(),
            Role::Estimator(name, _) => format!("{name} MSE"),
            Role::Nondominated => "nondominated".into(),
            Role::Quantiles => "5 % quantile and median".into(),
            Role::Runs => "run".into(),
            Role::Median => "median of runs".into(),
        }
    }
}
