//! From a study and a figure's table to data on axes: the same aggregation as the page's.

use super::super::convergence::{Effort, Traces};
use super::super::distribution::Distribution;
use super::super::quantity::{Quantity, Scale, capitalized};
use super::super::simulated::{MonteCarlo, estimated, estimators, simulated};
use super::super::spread::{quantile, sorted};
use super::super::study::{Reduction, Study, sign};
use super::super::swept::{SweptKey, text};
use super::check::{Vocabulary, find};
use super::{Axis, Degrees, Figure, Point, Role, Series, SpreadMark};
use crate::config::{FigureConfig, FigureKind};
use crate::error::{Error, Result};
use crate::results::RunRecord;

/// Points of a convergence curve and of a distribution.
const CURVE_POINTS: usize = 200;
const DISTRIBUTION_POINTS: usize = 401;
/// More runs than this are thinned in figures of effort.
const MOST_RUNS: usize = 2_000;

/// Makes a figure; none where the run has nothing to show in it.
///
/// # Errors
/// Where the table names what the run does not have, or a trace cannot be read.
pub fn compose(study: &Study, config: &FigureConfig) -> Result<Option<Figure>> {
    let mistakes = Vocabulary::of_study(study).mistakes(config);
    if !mistakes.is_empty() {
        return Err(Error::Input(mistakes));
    }
    if study.cells.is_empty() {
        return Ok(None);
    }
    let composer = Composer { study, config };
    let figure = match config.kind {
        FigureKind::Convergence => composer.convergence()?,
        FigureKind::Sweep => composer.sweep()?,
        FigureKind::Tradeoff => composer.tradeoff(),
        FigureKind::Cdf => composer.distribution(),
        FigureKind::Effort => composer.effort(),
        _ => composer.benchmark()?,
    };
    let drawn = |p: &Point| p.x.is_finite() && p.y.is_finite();
    Ok(figure.filter(|f| f.series.iter().any(|s| s.points.iter().any(drawn))))
}

pub(super) struct Composer<'a> {
    pub(super) study: &'a Study,
    pub(super) config: &'a FigureConfig,
}

impl Composer<'_> {
    fn convergence(&self) -> Result<Option<Figure>> {
        let Some(objective) = self.study.objective_quantity() else { return Ok(None) };
        let Some(cell) = self.cell(None) else { return Ok(None) };
        let gap = self.config.metric.as_deref() == Some("gap");
        let named = |name: &Option<String>| Effort::ALL.into_iter().find(|e| Some(e.name()) == name.as_deref());
        let effort = named(&self.config.against).unwrap_or(Effort::Iterations);
        let usual = if gap { Scale::Logarithmic } else { objective.scales[0] };
        let scale = scale(&self.config.y_scale, &Scale::ALL).unwrap_or(usual);
        let mut curves = Vec::new();
        for solver in self.solvers() {
            let traces = Traces::read(self.study, cell, solver)?;
            let band = match gap {
                true => traces.gap(self.study, effort, CURVE_POINTS),
                false => traces.objective(effort, CURVE_POINTS),
            };
            if !band.x.is_empty() {
                curves.push((solver, traces.count(), band));
            }
        }
        // Solvers of very different length are only seen together on a logarithmic axis.
        let ends: Vec<f64> = curves.iter().filter_map(|(_, _, band)| band.x.last().copied()).collect();
        let ends = sorted(&ends);
        let apart = ends.len() > 1 && ends[ends.len() - 1] > 8.0 * ends[0];
        let log_x = self.config.x_scale.as_deref().map_or(apart, |name| name == "log");
        let floor = gap.then(|| floor(curves.iter().flat_map(|(_, _, band)| band.middle.iter().copied())));
        let on = |value: f64| match floor {
            Some(floor) if scale == Scale::Logarithmic && value >= 0.0 => value.max(floor),
            _ => scale.apply(value),
        };
        let several = curves.iter().any(|(_, trials, _)| *trials > 1);
        let spread = if several && self.config.spread { SpreadMark::Band } else { SpreadMark::None };
        let mut series: Vec<Series> = Vec::new();
        for (solver, _, band) in &curves {
            let point =
                |i: usize| Point { x: band.x[i], y: on(band.middle[i]), low: on(band.low[i]), high: on(band.high[i]) };
            let points = (0..band.x.len()).map(point).filter(|p| !log_x || p.x > 0.0);
            series.push(self.series(*solver, Role::Line { spread, stepped: false }, points.collect()));
        }
        let bound = on(self.study.median_bound(cell));
        let xs = sorted(&series.iter().flat_map(|s| s.points.iter().map(|p| p.x)).collect::<Vec<_>>());
        if let (false, true, [first, .., last]) = (gap, bound.is_finite(), xs.as_slice()) {
            let points = vec![Point::new(*first, bound), Point::new(*last, bound)];
            series.push(Series { label: "Proven bound".into(), solver: None, role: Role::Bound, points });
        }
        let mut caption = match gap {
            true => "Gap to the proven bound of the best feasible design so far".to_string(),
            false => format!("{} of the best feasible design so far", objective.name),
        };
        if several {
            let band = if self.config.spread { " (band: quartiles)" } else { "" };
            caption += &format!(", median{band} over {}", self.trials(cell));
        }
        caption += &format!(", against {}{}.", effort.axis().to_lowercase(), self.at(None));
        let label = if gap { "Gap to the proven bound".into() } else { objective.axis(scale) };
        let x = Axis { label: effort.axis().into(), logarithmic: log_x, ..Axis::default() };
        let y = self.axis(objective, scale, label);
        Ok(Some(self.figure(x, y, series, Vec::new(), caption)))
    }

    fn sweep(&self) -> Result<Option<Figure>> {
        let Some(quantity) = self.quantity(self.config.metric.as_deref().unwrap_or("objective")) else {
            return Ok(None);
        };
        let Some((free, key)) = self.swept() else { return Ok(None) };
        let scale = scale(&self.config.y_scale, &quantity.scales).unwrap_or(quantity.scales[0]);
        let reduction = self.reduction();
        let mean = self.mean();
        let several = self.study.trials() > 1;
        let spread = match (several && self.config.spread, mean) {
            (false, _) => SpreadMark::None,
            (true, false) => SpreadMark::Band,
            (true, true) => SpreadMark::Bars,
        };
        let mut series = Vec::new();
        let simulation = |found: Option<MonteCarlo>, x: f64| {
            let found = found?;
            let (y, error) = if mean { (found.mean, found.mean_error) } else { (found.median, found.median_error) };
            let [y, low, high] = [y, y - 1.96 * error, y + 1.96 * error].map(|v| scale.apply(v));
            Some(Point { x, y, low, high })
        };
        let names = estimators(self.study, quantity);
        for solver in self.solvers() {
            let at = |point: usize| Some((self.position(key, point), self.cell(Some((free, point)))?));
            let points: Vec<(f64, usize)> = ordered((0..key.values.len()).filter_map(at).collect());
            let line = points.iter().filter_map(|(x, cell)| {
                let found = self.study.spread(quantity, reduction, *cell, solver)?;
                let (y, low, high) = match mean {
                    true => (found.mean, found.mean - found.standard_error, found.mean + found.standard_error),
                    false => (found.median, found.lower_quartile, found.upper_quartile),
                };
                let [y, low, high] = [y, low, high].map(|v| scale.apply(v));
                Some(Point { x: *x, y, low, high })
            });
            let line: Vec<Point> = line.collect();
            if !line.is_empty() {
                series.push(self.series(solver, Role::Line { spread, stepped: false }, line));
            }
            let monte_carlo = points
                .iter()
                .filter_map(|(x, c)| simulation(simulated(self.study, quantity, reduction, *c, solver), *x));
            let monte_carlo: Vec<Point> = monte_carlo.collect();
            if !monte_carlo.is_empty() {
                series.push(self.series(solver, Role::MonteCarlo, monte_carlo));
            }
            for (place, name) in names.iter().enumerate() {
                let errors = points
                    .iter()
                    .filter_map(|(x, c)| simulation(estimated(self.study, quantity, name, reduction, *c, solver), *x));
                let errors: Vec<Point> = errors.collect();
                if !errors.is_empty() {
                    series.push(self.series(solver, Role::Estimator(name.clone(), place), errors));
                }
            }
        }
        let mut caption = format!("{} against {}", quantity.name, key.label);
        if several {
            let spread = match spread {
                SpreadMark::None => "",
                SpreadMark::Band => " (band: quartiles)",
                SpreadMark::Bars => " (bars: one standard error to each side)",
            };
            let statistic = if mean { "mean" } else { "median" };
            caption += &format!(", {statistic}{spread} over the trials in which all compared solvers are feasible");
        }
        caption += &format!("{}.{}", self.at(Some(free)), better("", quantity));
        let monte_carlo = series.iter().any(|s| s.role == Role::MonteCarlo);
        if monte_carlo {
            caption += " Open markers: Monte-Carlo of the raw signal model with 95 % intervals.";
        }
        for name in &names {
            caption += &format!(" {name} MSE: mean square error of that estimator, with 95 % intervals.");
        }
        let label = self.label(quantity, scale, reduction);
        let y = self.axis(quantity, scale, label);
        let x = self.swept_axis(key);
        Ok(Some(self.figure(x, y, series, Vec::new(), caption)))
    }

    fn tradeoff(&self) -> Option<Figure> {
        let vertical = self.quantity(self.config.y.as_deref().unwrap_or("objective"))?;
        let horizontal = match &self.config.x {
            Some(name) => self.quantity(name)?,
            None => self.other_side(vertical)?,
        };
        let x_scale = scale(&self.config.x_scale, &horizontal.scales).unwrap_or(horizontal.scales[0]);
        let y_scale = scale(&self.config.y_scale, &vertical.scales).unwrap_or(vertical.scales[0]);
        let reduction = self.reduction();
        let swept = self.swept();
        let value = |quantity: &Quantity, cell: usize, solver: usize| {
            let found = self.study.spread(quantity, reduction, cell, solver)?;
            Some(if self.mean() { found.mean } else { found.median })
        };
        let cells: Vec<usize> = match swept {
            Some((axis, key)) => (0..key.values.len()).filter_map(|i| self.cell(Some((axis, i)))).collect(),
            None => self.cell(None).into_iter().collect(),
        };
        let mut series = Vec::new();
        for solver in self.solvers() {
            let point = |cell: &usize| {
                let x = x_scale.apply(value(horizontal, *cell, solver)?);
                let y = y_scale.apply(value(vertical, *cell, solver)?);
                (x.is_finite() && y.is_finite()).then(|| Point::new(x, y))
            };
            let points: Vec<Point> = cells.iter().filter_map(point).collect();
            if !points.is_empty() {
                series.push(self.series(solver, Role::Line { spread: SpreadMark::None, stepped: false }, points));
            }
        }
        let (sign_x, sign_y) = (sign(horizontal.direction), sign(vertical.direction));
        let mut caption = format!("{} against {}", vertical.name, horizontal.name);
        if let Some((_, key)) = swept {
            caption += &format!("; a point is a value of {}, in sweep order", key.label);
        }
        if self.study.trials() > 1 {
            let statistic = if self.mean() { "mean" } else { "median" };
            caption += &format!(", {statistic} over the trials in which all compared solvers are feasible");
        }
        caption += &format!("{}.", self.at(swept.map(|(axis, _)| axis)));
        if sign_x != 0.0 && sign_y != 0.0 {
            let all: Vec<Point> = series.iter().flat_map(|s| s.points.iter().copied()).collect();
            let points = nondominated(&all, sign_x, sign_y);
            series.push(Series { label: "Nondominated".into(), solver: None, role: Role::Nondominated, points });
            caption += " Rings: nondominated points, than which no other is better in one quantity without being \
                        worse in the other.";
        }
        caption += &format!("{}{}", better("Vertical: ", vertical), better("Horizontal: ", horizontal));
        let x = self.axis(horizontal, x_scale, self.label(horizontal, x_scale, reduction));
        let y = self.axis(vertical, y_scale, self.label(vertical, y_scale, reduction));
        Some(self.figure(x, y, series, Vec::new(), caption))
    }

    fn distribution(&self) -> Option<Figure> {
        let cell = self.cell(None)?;
        let quantity = match &self.config.metric {
            Some(name) => self.quantity(name)?,
            None => {
                let drawn = |q: &&Quantity| q.vector || self.study.trials() > 1;
                let all = || self.study.quantities.iter().filter(drawn);
                let usual = ["rate", "sinr"].iter().find_map(|id| all().find(|q| q.id == *id));
                usual.or_else(|| all().find(|q| q.vector)).or_else(|| all().next())?
            }
        };
        let scale = scale(&self.config.x_scale, &quantity.scales).unwrap_or(quantity.scales[0]);
        let mut series = Vec::new();
        for solver in self.solvers() {
            let found = Distribution::of(self.study, quantity, cell, solver, DISTRIBUTION_POINTS);
            let Some(found) = found else { continue };
            let point = |(value, share): (f64, f64)| Point::new(scale.apply(value), share);
            let kept = |points: Vec<Point>| points.into_iter().filter(|p| p.x.is_finite()).collect::<Vec<_>>();
            let curve = kept(found.curve().into_iter().map(point).collect());
            let marks = kept(vec![point((found.five_percent, 0.05)), point((found.median, 0.5))]);
            let stepped = found.whole();
            series.push(self.series(solver, Role::Line { spread: SpreadMark::None, stepped }, curve));
            series.push(self.series(solver, Role::Quantiles, marks));
        }
        let over = if quantity.vector { "all entries of the metric and " } else { "" };
        let caption = format!(
            "Cumulative distribution of {} over {over}{}{}. Markers: the 5 % quantile, which 95 % exceed, and the \
             median.{}",
            quantity.name,
            self.trials(cell),
            self.at(None),
            better("", quantity)
        );
        let x = self.axis(quantity, scale, quantity.axis(scale));
        let y = Axis { label: "Cumulative share".into(), range: Some([0.0, 1.0]), ..Axis::default() };
        Some(self.figure(x, y, series, vec![0.05, 0.5], caption))
    }

    fn effort(&self) -> Option<Figure> {
        let cells: Vec<usize> =
            (0..self.study.cells.len()).filter(|c| self.study.lies_at(*c, &self.config.at)).collect();
        let logarithmic = |name: &Option<String>| name.as_deref() != Some("linear");
        let (log_x, log_y) = (logarithmic(&self.config.x_scale), logarithmic(&self.config.y_scale));
        let mut runs: Vec<(usize, Vec<(f64, f64)>)> = Vec::new();
        for solver in self.solvers() {
            let records = cells.iter().flat_map(|c| self.study.records(*c, solver));
            let pair = |r: &RunRecord| Some((*self.study.folder.times.get(&r.run)?, self.study.run_gap(r)?));
            let found: Vec<(f64, f64)> = records.filter_map(pair).filter(|(time, _)| *time > 0.0).collect();
            if !found.is_empty() {
                runs.push((solver, found));
            }
        }
        let floor = floor(runs.iter().flat_map(|(_, found)| found.iter().map(|(_, gap)| *gap)));
        let step = runs.iter().map(|(_, found)| found.len()).sum::<usize>().div_ceil(MOST_RUNS).max(1);
        let mut series = Vec::new();
        for (solver, found) in runs {
            let on = |gap: f64| if log_y { gap.max(floor) } else { gap };
            let median =
                |pick: fn(&(f64, f64)) -> f64| quantile(&sorted(&found.iter().map(pick).collect::<Vec<_>>()), 0.5);
            let middle = Point::new(median(|(time, _)| *time), on(median(|(_, gap)| *gap)));
            series.push(self.series(solver, Role::Median, vec![middle]));
            if found.len() > 1 {
                let points = found.iter().step_by(step).map(|(time, gap)| Point::new(*time, on(*gap)));
                series.push(self.series(solver, Role::Runs, points.collect()));
            }
        }
        let caption = format!(
            "Gap to the proven bound against the solver's own time{}. Small markers: feasible runs; large ones: the \
             median of each solver. Left is faster, lower is closer to the proven optimum; gaps of zero are drawn at \
             the lower edge.",
            if self.config.at.is_empty() { String::new() } else { self.at(None) }
        );
        let x = Axis { label: "Solver time (s)".into(), logarithmic: log_x, ..Axis::default() };
        let y = Axis { label: "Gap to the proven bound".into(), logarithmic: log_y, ..Axis::default() };
        Some(self.figure(x, y, series, Vec::new(), caption))
    }

    pub(super) fn figure(
        &self,
        mut x: Axis,
        mut y: Axis,
        series: Vec<Series>,
        references: Vec<f64>,
        caption: String,
    ) -> Figure {
        let config = self.config;
        x.range = config.x_range.or(x.range);
        y.range = config.y_range.or(y.range);
        x.label = config.x_label.clone().unwrap_or(x.label);
        y.label = config.y_label.clone().unwrap_or(y.label);
        let title = config.title.as_ref().map_or(String::new(), |t| format!("{}. ", t.trim_end_matches('.')));
        Figure {
            name: config.name.clone(),
            kind: config.kind,
            caption: title + &caption,
            x,
            y,
            series,
            references,
            width: config.width,
            height: config.height,
            legend: config.legend,
        }
    }

    /// The solvers to draw, in order.
    pub(super) fn solvers(&self) -> Vec<usize> {
        let place = |label: &String| self.study.solvers.iter().position(|(l, _)| l == label);
        match self.config.solvers.is_empty() {
            true => (0..self.study.solvers.len()).collect(),
            false => self.config.solvers.iter().filter_map(place).collect(),
        }
    }

    pub(super) fn series(&self, solver: usize, role: Role, points: Vec<Point>) -> Series {
        let label = &self.study.solvers[solver].0;
        let renamed = self.config.labels.iter().find(|(l, _)| l == label).map(|(_, name)| name);
        Series { label: renamed.unwrap_or(label).clone(), solver: Some(solver), role, points }
    }

    fn quantity(&self, name: &str) -> Option<&Quantity> {
        match name {
            "objective" => self.study.objective_quantity(),
            name => find(&self.study.quantities, name),
        }
    }

    /// What is best known to be traded against a quantity.
    fn other_side(&self, vertical: &Quantity) -> Option<&Quantity> {
        let others = || self.study.quantities.iter().filter(|q| *q != vertical);
        ["crlb", "sensing", "power"]
            .iter()
            .find_map(|w| others().find(|q| q.id.contains(w)))
            .or_else(|| others().next())
    }

    /// The swept key to draw against, with its axis.
    fn swept(&self) -> Option<(usize, &SweptKey)> {
        match &self.config.against {
            Some(name) => self.study.swept(name),
            None => self.study.swept_keys().next(),
        }
    }

    fn swept_axis(&self, key: &SweptKey) -> Axis {
        let label = capitalized(&key.label);
        let label = if key.unit.is_empty() { label } else { format!("{label} ({})", key.unit) };
        match &key.numbers {
            Some(numbers) if numbers.len() > 1 => {
                let log = self.config.x_scale.as_deref() == Some("log") && numbers.iter().all(|x| *x > 0.0);
                Axis { label, logarithmic: log, ..Axis::default() }
            }
            _ => Axis { label, names: key.values.clone(), ..Axis::default() },
        }
    }

    fn position(&self, key: &SweptKey, point: usize) -> f64 {
        match &key.numbers {
            Some(numbers) if numbers.len() > 1 => numbers[point],
            _ => point as f64,
        }
    }

    /// The place on every axis that the table chooses; where it says nothing, that of the usual cell.
    fn place(&self) -> Vec<usize> {
        let usual = &self.study.cells[self.study.usual_cell()].place;
        let chosen = |(axis, usual): (&super::super::swept::Axis, &usize)| {
            let point = |key: &SweptKey| {
                let (_, value) = self.config.at.iter().find(|(name, _)| *name == key.key)?;
                key.values.iter().position(|v| *v == text(value))
            };
            axis.keys.iter().find_map(point).unwrap_or(*usual)
        };
        self.study.axes.iter().zip(usual).map(chosen).collect()
    }

    /// The cell at that place, with one axis at another point.
    fn cell(&self, free: Option<(usize, usize)>) -> Option<usize> {
        let mut place = self.place();
        if let Some((axis, point)) = free {
            place[axis] = point;
        }
        self.study.cells.iter().position(|cell| cell.place == place)
    }

    /// ", at transmit power = 10 dB": the places of all axes but one.
    fn at(&self, free: Option<usize>) -> String {
        let place = self.place();
        let axes = self.study.axes.iter().enumerate().filter(|(a, axis)| Some(*a) != free && axis.len() > 1);
        let texts: Vec<String> = axes.map(|(a, axis)| axis.text(place[a])).collect();
        if texts.is_empty() { String::new() } else { format!(", at {}", texts.join(", ")) }
    }

    fn trials(&self, cell: usize) -> String {
        let (compared, trials) = (self.study.cells[cell].compared.len(), self.study.cells[cell].trials);
        match (compared == trials, trials) {
            (true, 1) => "1 trial".into(),
            (true, n) => format!("{n} trials"),
            (false, n) => format!("{compared} of {n} trials (those in which all compared solvers are feasible)"),
        }
    }

    fn reduction(&self) -> Reduction {
        Reduction::named(self.config.reduction.as_deref())
    }

    fn mean(&self) -> bool {
        self.config.statistic.as_deref() == Some("mean")
    }

    fn label(&self, quantity: &Quantity, scale: Scale, reduction: Reduction) -> String {
        let axis = quantity.axis(scale);
        if quantity.vector { format!("{axis}, {} of its entries", reduction.name()) } else { axis }
    }

    /// The axis of a quantity; a squared angle is also read as its root in degrees.
    fn axis(&self, quantity: &Quantity, scale: Scale, label: String) -> Axis {
        let squared = quantity.unit == "rad²" && scale != Scale::RootDegrees && label.starts_with(&quantity.name);
        let second = squared.then(|| Degrees { label: quantity.axis(Scale::RootDegrees), scale });
        Axis { label, logarithmic: scale == Scale::Logarithmic, second, ..Axis::default() }
    }
}

fn scale(name: &Option<String>, allowed: &[Scale]) -> Option<Scale> {
    allowed.iter().copied().find(|s| Some(s.name()) == name.as_deref())
}

fn better(prefix: &str, quantity: &Quantity) -> String {
    let words = match sign(quantity.direction) {
        s if s > 0.0 => "higher is better.",
        s if s < 0.0 => "lower is better.",
        _ => return String::new(),
    };
    format!(" {}", capitalized(&format!("{prefix}{words}")))
}

/// Where gaps of zero are drawn: a little below the smallest that is not.
fn floor(gaps: impl Iterator<Item = f64>) -> f64 {
    let least = gaps.filter(|g| *g > 0.0).fold(f64::INFINITY, f64::min);
    if least.is_finite() { 10f64.powf((least.log10() - 0.5).floor()).max(1e-16) } else { 1e-16 }
}

fn ordered(mut points: Vec<(f64, usize)>) -> Vec<(f64, usize)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// The points that no other beats in one quantity without being worse in the other; differences below 1e-6 of the
/// size do not count.
fn nondominated(points: &[Point], sign_x: f64, sign_y: f64) -> Vec<Point> {
    let wins = |a: f64, b: f64, sign: f64| sign * (a - b) > 1e-6 * a.abs().max(b.abs());
    let beats = |o: &Point, p: &Point| {
        (wins(o.x, p.x, sign_x) && !wins(p.y, o.y, sign_y)) || (wins(o.y, p.y, sign_y) && !wins(p.x, o.x, sign_x))
    };
    points.iter().filter(|p| !points.iter().any(|o| beats(o, p))).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nondominated_points_are_those_that_nothing_beats() {
        let points = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (1.5, 1.5), (2.0, 3.0 + 1e-9)];
        let points = points.map(|(x, y)| Point::new(x, y));
        let xs = |sign_x, sign_y| nondominated(&points, sign_x, sign_y).iter().map(|p| p.x).collect::<Vec<_>>();
        assert_eq!(xs(1.0, 1.0), [2.0, 3.0, 2.0]);
        assert_eq!(xs(-1.0, 1.0), [1.0, 2.0, 1.5, 2.0]);
    }

    #[test]
    fn zero_gaps_are_drawn_below_the_smallest() {
        assert_eq!(floor([0.0, 2e-5, 1.0].into_iter()), 1e-6);
        assert_eq!(floor([0.0].into_iter()), 1e-16);
    }
}
