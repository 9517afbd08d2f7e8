//! `[[figure]]` sections: which figures of a run are drawn, and how. The same tables stand in an experiment's config
//! and in the file of `isacopt plot RUN --figure FILE`. They change no result.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::source::{Place, Source, segment};
use crate::error::{Error, InputError, Result};
use crate::instance::found;

/// IEEE's column width in inches.
const SINGLE_COLUMN: f64 = 3.5;
/// The width of both columns with the gutter.
const DOUBLE_COLUMN: f64 = 7.16;

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKind {
    /// The objective, or the gap, against effort.
    Convergence,
    /// A metric over a swept key.
    Sweep,
    /// A metric against another, in sweep order.
    Tradeoff,
    /// The distribution of a metric over its entries and trials.
    Cdf,
    /// The runs' time against their gap.
    Effort,
    /// The share of problems solved within a multiple of the fastest solver's effort.
    PerformanceProfile,
    /// The share of problems solved within a number of evaluations in units of the design's size.
    DataProfile,
    /// The share of problems and targets reached against effort.
    TargetsReached,
    /// The share of problems solved against the target's gap.
    SuccessRate,
    /// The expected running time against the target's gap.
    RunningTime,
}

impl FigureKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Convergence,
        Self::Sweep,
        Self::Tradeoff,
        Self::Cdf,
        Self::Effort,
        Self::PerformanceProfile,
        Self::DataProfile,
        Self::TargetsReached,
        Self::SuccessRate,
        Self::RunningTime,
    ];

    /// Its name in configs, and of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Convergence => "convergence",
            Self::Sweep => "sweep",
            Self::Tradeoff => "tradeoff",
            Self::Cdf => "cdf",
            Self::Effort => "effort",
            Self::PerformanceProfile => "performance_profile",
            Self::DataProfile => "data_profile",
            Self::TargetsReached => "targets_reached",
            Self::SuccessRate => "success_rate",
            Self::RunningTime => "running_time",
        }
    }

    /// The keys that mean something for it, beside those of every figure.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Convergence => &["metric", "against", "spread"],
            Self::Sweep => &["metric", "against", "reduction", "statistic", "spread"],
            Self::Tradeoff => &["x", "y", "against", "reduction", "statistic"],
            Self::Cdf => &["metric"],
            Self::Effort => &[],
            Self::PerformanceProfile => &["against", "target", "reference"],
            Self::DataProfile => &["target", "reference"],
            Self::TargetsReached | Self::RunningTime => &["against", "reference"],
            Self::SuccessRate => &["reference"],
        }
    }

    /// Whether it is a statistic of convergence over all problems of a run.
    pub fn is_benchmark(self) -> bool {
        use FigureKind::{DataProfile, PerformanceProfile, RunningTime, SuccessRate, TargetsReached};
        matches!(self, PerformanceProfile | DataProfile | TargetsReached | SuccessRate | RunningTime)
    }
}

/// Where the legend stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegendPlace {
    /// In rows over the plot, where it covers nothing.
    #[default]
    Above,
    /// In the plot's upper right corner.
    NorthEast,
    /// In the plot's upper left corner.
    NorthWest,
    /// In the plot's lower right corner.
    SouthEast,
    /// In the plot's lower left corner.
    SouthWest,
    /// Nowhere.
    None,
}

const LEGENDS: [(&str, LegendPlace); 6] = [
    ("above", LegendPlace::Above),
    ("north_east", LegendPlace::NorthEast),
    ("north_west", LegendPlace::NorthWest),
    ("south_east", LegendPlace::SouthEast),
    ("south_west", LegendPlace::SouthWest),
    ("none", LegendPlace::None),
];

/// The names of scales, as results know them.
pub const SCALES: [&str; 4] = ["linear", "log", "dB", "degrees"];

const GENERAL_KEYS: [&str; 15] = [
    "kind", "name", "title", "solvers", "labels", "at", "x_scale", "y_scale", "x_range", "y_range", "x_label",
    "y_label", "width", "height", "legend",
];

/// A `[[figure]]` table, read. What is absent is chosen where the figure is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureConfig {
    /// Where it stands: `figure[2]`; errors begin with it.
    pub place: String,
    /// What it shows.
    pub kind: FigureKind,
    /// The stem of its files.
    pub name: String,
    /// What it is about, for the page's heading and the head of its caption.
    pub title: Option<String>,
    /// The metric; `objective` or `gap` for convergence.
    pub metric: Option<String>,
    /// The metric on the horizontal axis of a trade-off.
    pub x: Option<String>,
    /// The metric on its vertical axis.
    pub y: Option<String>,
    /// `iterations`, `evaluations` or `time` for convergence, the latter two for its statistics; a swept key for the
    /// others.
    pub against: Option<String>,
    /// The relative gap to reach in a profile.
    pub target: Option<f64>,
    /// What gaps are measured from in statistics of convergence: `bound` or `best`.
    pub reference: Option<String>,
    /// How the entries of a vector become one number: `mean`, `smallest` or `largest`.
    pub reduction: Option<String>,
    /// What stands for the trials: `median` or `mean`.
    pub statistic: Option<String>,
    /// Whether the spread over trials is drawn.
    pub spread: bool,
    /// The solvers to draw, in this order; all where it is empty.
    pub solvers: Vec<String>,
    /// Other names for solvers in the legend, by label.
    pub labels: Vec<(String, String)>,
    /// Values of swept keys: the sweep point of a figure that shows one.
    pub at: Vec<(String, Value)>,
    /// The scale of the horizontal axis.
    pub x_scale: Option<String>,
    /// The scale of the vertical axis.
    pub y_scale: Option<String>,
    /// The ends of the horizontal axis, in its scale.
    pub x_range: Option<[f64; 2]>,
    /// The ends of the vertical axis, in its scale.
    pub y_range: Option<[f64; 2]>,
    /// What stands beside the horizontal axis.
    pub x_label: Option<String>,
    /// What stands beside the vertical axis.
    pub y_label: Option<String>,
    /// The width in inches.
    pub width: f64,
    /// The height in inches; chosen for the width where absent.
    pub height: Option<f64>,
    /// Where the legend stands.
    pub legend: LegendPlace,
}

impl FigureConfig {
    /// A figure of a kind with nothing chosen.
    pub fn new(kind: FigureKind) -> Self {
        Self {
            place: String::new(),
            kind,
            name: kind.name().into(),
            title: None,
            metric: None,
            x: None,
            y: None,
            against: None,
            target: None,
            reference: None,
            reduction: None,
            statistic: None,
            spread: true,
            solvers: Vec::new(),
            labels: Vec::new(),
            at: Vec::new(),
            x_scale: None,
            y_scale: None,
            x_range: None,
            y_range: None,
            x_label: None,
            y_label: None,
            width: SINGLE_COLUMN,
            height: None,
            legend: LegendPlace::Above,
        }
    }

    /// The `[[figure]]` tables of a config; mistakes are added to the list.
    pub fn read_all(tree: &Map<String, Value>, mistakes: &mut Vec<InputError>) -> Vec<Self> {
        let tables = match tree.get("figure") {
            None => return Vec::new(),
            Some(Value::Array(tables)) => tables.as_slice(),
            Some(other) => {
                mistakes.push(InputError::new("figure", found(other), "[[figure]] tables"));
                return Vec::new();
            }
        };
        let mut figures: Vec<Self> = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let place = format!("figure[{i}]");
            let Some(mut figure) = Self::read(table, &place, mistakes) else { continue };
            let named = table.get("name").is_some();
            let taken = |figures: &[Self], name: &str| figures.iter().any(|f| f.name == name);
            if named && taken(&figures, &figure.name) {
                let found = format!("a second figure `{}`", figure.name);
                mistakes.push(InputError::new(format!("{place}.name"), found, "names that differ"));
            } else if taken(&figures, &figure.name) {
                let number = (2..).find(|n| !taken(&figures, &format!("{}-{n}", figure.name)));
                figure.name = format!("{}-{}", figure.name, number.unwrap_or(2));
            }
            figures.push(figure);
        }
        figures
    }

    fn read(table: &Value, place: &str, mistakes: &mut Vec<InputError>) -> Option<Self> {
        let names = FigureKind::ALL.map(FigureKind::name);
        let Some(table) = table.as_object() else {
            mistakes.push(InputError::new(place, found(table), "a table with a `kind`"));
            return None;
        };
        let kind = match table.get("kind") {
            Some(Value::String(name)) => match FigureKind::ALL.into_iter().find(|k| k.name() == name) {
                Some(kind) => kind,
                None => {
                    mistakes.push(InputError::unknown(format!("{place}.kind"), name, names));
                    return None;
                }
            },
            other => {
                let found = other.map_or("no such key".into(), found);
                mistakes.push(InputError::new(format!("{place}.kind"), found, format!("one of {}", names.join(", "))));
                return None;
            }
        };
        let own = kind.keys();
        for key in table.keys().filter(|k| !GENERAL_KEYS.contains(&k.as_str()) && !own.contains(&k.as_str())) {
            let valid = own.iter().chain(&GENERAL_KEYS).copied();
            let mistake = InputError::unknown(format!("{place}.{}", segment(key)), key, valid);
            let elsewhere = FigureKind::ALL.iter().any(|k| k.keys().contains(&key.as_str()));
            let found = format!("`{key}`, which is no key of a {} figure", kind.name());
            mistakes.push(if elsewhere { InputError { found, ..mistake } } else { mistake });
        }
        let mut fields = Fields { table, place, mistakes };
        let mut figure = Self {
            place: place.into(),
            title: fields.text("title"),
            metric: fields.text("metric"),
            x: fields.text("x"),
            y: fields.text("y"),
            against: fields.text("against"),
            target: fields.gap("target"),
            reference: fields.choice("reference", &["bound", "best"]),
            reduction: fields.choice("reduction", &["mean", "smallest", "largest"]),
            statistic: fields.choice("statistic", &["median", "mean"]),
            spread: fields.flag("spread").unwrap_or(true),
            solvers: fields.texts("solvers"),
            labels: fields.labels(),
            at: fields.entries("at").map(|(key, value)| (key.clone(), value.clone())).collect(),
            x_scale: fields.choice("x_scale", &SCALES),
            y_scale: fields.choice("y_scale", &SCALES),
            x_range: fields.range("x_range"),
            y_range: fields.range("y_range"),
            x_label: fields.text("x_label"),
            y_label: fields.text("y_label"),
            width: fields.width().unwrap_or(SINGLE_COLUMN),
            height: fields.inches("height"),
            legend: fields
                .choice("legend", &LEGENDS.map(|(name, _)| name))
                .and_then(|name| LEGENDS.into_iter().find(|(n, _)| *n == name))
                .map_or(LegendPlace::Above, |(_, place)| place),
            ..Self::new(kind)
        };
        if let Some(name) = fields.text("name") {
            let safe = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
            if safe && !name.starts_with('.') && name.len() <= 100 {
                figure.name = name;
            } else {
                let allowed = "the stem of a file's name: letters, digits, `-`, `_` and `.`";
                fields.mistake("name", format!("{name:?}"), allowed);
            }
        }
        Some(figure)
    }
}

/// A file of `[[figure]]` tables, and where its keys stand.
#[derive(Clone, Debug)]
pub struct FigureFile {
    /// Its figures.
    pub figures: Vec<FigureConfig>,
    source: Source,
}

impl FigureFile {
    /// Reads a file; errors name file, line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let source = Source::read(path)?;
        let mut mistakes = Vec::new();
        for key in source.tree.keys().filter(|key| *key != "figure") {
            mistakes.push(InputError::unknown(segment(key), key, ["figure"]));
        }
        let figures = FigureConfig::read_all(&source.tree, &mut mistakes);
        if figures.is_empty() && mistakes.is_empty() {
            mistakes.push(InputError::new("figure", "no figure", "at least one [[figure]] with a `kind`"));
        }
        match mistakes.is_empty() {
            true => Ok(Self { figures, source }),
            false => Err(Error::Input(source.locate(mistakes))),
        }
    }

    /// Gives mistakes the file and line of their keys.
    pub fn locate(&self, mistakes: Vec<InputError>) -> Vec<InputError> {
        self.source.locate(mistakes)
    }

    /// Where a key stands.
    pub fn place(&self, key: &str) -> Place {
        self.source.place(key)
    }
}

/// One table while it is read.
pub(super) struct Fields<'a> {
    pub(super) table: &'a Map<String, Value>,
    pub(super) place: &'a str,
    pub(super) mistakes: &'a mut Vec<InputError>,
}

impl<'a> Fields<'a> {
    pub(super) fn mistake(&mut self, key: &str, found: String, allowed: impl Into<String>) {
        self.mistakes.push(InputError::new(format!("{}.{key}", self.place), found, allowed));
    }

    fn read<T>(&mut self, key: &str, allowed: &str, read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.table.get(key)?;
        let result = read(value);
        if result.is_none() {
            self.mistake(key, found(value), allowed);
        }
        result
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = |v: &Value| v.as_str().filter(|t| !t.trim().is_empty()).map(str::to_string);
        self.read(key, "a text", text)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(super) fn choice(&mut self, key: &str, names: &[&str]) -> Option<String> {
        let name = self.text(key)?;
        if names.contains(&name.as_str()) {
            return Some(name);
        }
        self.mistakes.push(InputError::unknown(format!("{}.{key}", self.place), &name, names.iter().copied()));
        None
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        let texts = |v: &Value| {
            let all: Option<Vec<String>> = v.as_array()?.iter().map(|t| t.as_str().map(str::to_string)).collect();
            all.filter(|all| !all.is_empty() && all.iter().enumerate().all(|(i, t)| !all[..i].contains(t)))
        };
        self.read(key, "a list of solver labels, each once", texts).unwrap_or_default()
    }

    pub(super) fn entries(&mut self, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.read(key, "a table", Value::as_object).into_iter().flatten()
    }

    fn labels(&mut self) -> Vec<(String, String)> {
        let mut labels = Vec::new();
        for (key, value) in self.entries("labels") {
            match value.as_str() {
                Some(text) => labels.push((key.clone(), text.to_string())),
                None => self.mistake(&format!("labels.{}", segment(key)), found(value), "a text"),
            }
        }
        labels
    }

    fn range(&mut self, key: &str) -> Option<[f64; 2]> {
        let range = |v: &Value| match v.as_array()?.as_slice() {
            [low, high] => Some([low.as_f64()?, high.as_f64()?]).filter(|[low, high]| low < high),
            _ => None,
        };
        self.read(key, "two numbers in the axis's scale, the smaller first", range)
    }

    pub(super) fn number(&mut self, key: &str, allowed: &str) -> Option<f64> {
        self.read(key, allowed, Value::as_f64)
    }

    fn gap(&mut self, key: &str) -> Option<f64> {
        let gap = |v: &Value| v.as_f64().filter(|x| (1e-6..=1.0).contains(x));
        self.read(key, "a relative gap, a number from 1e-6 to 1", gap)
    }

    fn inches(&mut self, key: &str) -> Option<f64> {
        let size = |v: &Value| v.as_f64().filter(|x| (1.0..=20.0).contains(x));
        self.read(key, "inches, a number from 1 to 20", size)
    }

    fn width(&mut self) -> Option<f64> {
        let size = |v: &Value| match v.as_str() {
            Some("single") => Some(SINGLE_COLUMN),
            Some("double") => Some(DOUBLE_COLUMN),
            _ => v.as_f64().filter(|x| (1.0..=20.0).contains(x)),
        };
        self.read("width", "`single` (3.5 in), `double` (7.16 in), or inches, a number from 1 to 20", size)
    }
}

/// The JSON Schema of one table.
pub(super) fn figure_schema() -> Value {
    let names = |names: &[&str], description: &str| json!({ "enum": names, "description": description });
    let text = |description: &str| json!({ "type": "string", "description": description });
    let range = |axis: &str| {
        json!({
            "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2,
            "description": format!("The ends of the {axis} axis, in its scale: decibels on a dB axis."),
        })
    };
    let table = |of: Value, description: &str| json!({ "type": "object", "additionalProperties": of, "description": description });
    json!({
        "description": "A figure of the report and of the run folder's `figures/`; changes no result.",
        "type": "object",
        "additionalProperties": false,
        "required": ["kind"],
        "properties": {
            "kind": names(&FigureKind::ALL.map(FigureKind::name), "What it shows."),
            "name": text("The stem of its files; the kind's where none is given."),
            "title": text("What it is about."),
            "metric": text("The metric; `objective` or `gap` for convergence."),
            "x": text("The metric on the horizontal axis of a trade-off."),
            "y": text("The metric on the vertical axis of a trade-off."),
            "against": text("`iterations`, `evaluations` or `time` for convergence, `evaluations` or `time` for performance_profile, targets_reached and running_time; a swept key for sweep and tradeoff."),
            "target": { "type": "number", "minimum": 1e-6, "maximum": 1, "default": 1e-3, "description": "The relative gap that counts as solved in a profile; the nearest of four a decade is taken." },
            "reference": names(&["bound", "best"], "What gaps are measured from in statistics of convergence: the tightest proven bound (where there is none, the best known), or the best known."),
            "reduction": names(&["mean", "smallest", "largest"], "How the entries of a vector become one number."),
            "statistic": names(&["median", "mean"], "What stands for the trials."),
            "spread": { "type": "boolean", "default": true, "description": "Whether the spread over trials is drawn." },
            "solvers": { "type": "array", "items": { "type": "string" }, "description": "The solvers to draw, in this order." },
            "labels": table(json!({ "type": "string" }), "Other names for solvers in the legend, by label."),
            "at": table(json!({}), "Values of swept keys: the sweep point shown."),
            "x_scale": names(&SCALES, "The scale of the horizontal axis."),
            "y_scale": names(&SCALES, "The scale of the vertical axis."),
            "x_range": range("horizontal"),
            "y_range": range("vertical"),
            "x_label": text("What stands beside the horizontal axis."),
            "y_label": text("What stands beside the vertical axis."),
            "width": { "description": "`single` (3.5 in), `double` (7.16 in), or inches.", "type": ["string", "number"], "default": "single" },
            "height": { "description": "Inches.", "type": "number" },
            "legend": names(&LEGENDS.map(|(name, _)| name), "Where the legend stands."),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<FigureConfig>, Vec<String>) {
        let source = Source::parse(text, "f.toml").unwrap();
        let mut mistakes = Vec::new();
        let figures = FigureConfig::read_all(&source.tree, &mut mistakes);
        (figures, source.locate(mistakes).iter().map(ToString::to_string).collect())
    }

    #[test]
    fn figures_are_read_and_named_apart() {
        let (figures, mistakes) = read(
            "[[figure]]\nkind = 'sweep'\nmetric = 'sum_rate'\nwidth = 'double'\nx_range = [0, 30]\n\
             solvers = ['b', 'a']\nlabels = { a = 'A' }\nlegend = 'south_east'\n[[figure]]\nkind = 'sweep'\n\
             [[figure]]\nkind = 'cdf'\nname = 'rates'\n",
        );
        assert_eq!(mistakes, Vec::<String>::new());
        let names: Vec<&str> = figures.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["sweep", "sweep-2", "rates"]);
        assert_eq!((figures[0].width, figures[0].x_range), (7.16, Some([0.0, 30.0])));
        assert_eq!(figures[0].labels, [("a".to_string(), "A".to_string())]);
        assert_eq!(figures[0].legend, LegendPlace::SouthEast);
        assert_eq!(
            figures[1],
            FigureConfig { place: "figure[1]".into(), name: "sweep-2".into(), ..FigureConfig::new(FigureKind::Sweep) }
        );
    }

    #[test]
    fn mistakes_are_named_with_line_and_key() {
        for (line, words) in [
            ("kind = 'swep'", "f.toml:2: `figure[0].kind`: found unknown name `swep`; allowed: did you mean `sweep`?"),
            ("metric = 'a'", "`figure[0].kind`: found no such key"),
            ("kind = 'cdf'\nx = 'rate'", "f.toml:3: `figure[0].x`: found `x`, which is no key of a cdf figure"),
            ("kind = 'cdf'\nmetrik = 'rate'", "did you mean `metric`?"),
            ("kind = 'cdf'\nx_range = [3, 1]", "f.toml:3: `figure[0].x_range`: found"),
            ("kind = 'cdf'\nwidth = 'triple'", "`single` (3.5 in), `double` (7.16 in)"),
            ("kind = 'cdf'\nheight = 0", "`figure[0].height`: found 0"),
            ("kind = 'cdf'\nname = '../x'", "`figure[0].name`: found \"../x\""),
            ("kind = 'cdf'\nlegend = 'top'", "`figure[0].legend`: found unknown name `top`"),
            ("kind = 'cdf'\nsolvers = ['a', 'a']", "each once"),
            ("kind = 'cdf'\nlabels = { a = 3 }", "f.toml:3: `figure[0].labels.a`: found 3"),
            ("kind = 'cdf'\nx_scale = 'db'", "allowed: one of `linear`, `log`, `dB`, `degrees`"),
            (
                "kind = 'cdf'\nname = 'a'\n[[figure]]\nkind = 'cdf'\nname = 'a'",
                "f.toml:6: `figure[1].name`: found a second",
            ),
        ] {
            let (_, mistakes) = read(&format!("[[figure]]\n{line}\n"));
            assert_eq!(mistakes.len(), 1, "{line}: {mistakes:?}");
            assert!(mistakes[0].contains(words), "{line}: {}", mistakes[0]);
        }
        assert!(read("figure = 3\n").1[0].contains("[[figure]] tables"));
    }
}
