//! A figure put on paper: margins, axes, curves, markers, legend.

use super::font::{fitted, width};
use super::scene::{Anchor, Frame, Item, Place, Scene, Stroke};
use super::style::{Color, ESTIMATORS, GREY, GRID, INK, Look, Marker, look};
use super::ticks::{Tick, ends, ticks};
use super::{Axis, Degrees, Figure, Point, Role, Series, SpreadMark};
use crate::config::LegendPlace;

/// Sizes of words in points: at an axis, at its marks, in the legend.
const LABEL: f64 = 8.0;
const NUMBER: f64 = 7.0;
const LEGEND: f64 = 7.0;
/// The height of a legend's row, the width of its samples, and gaps.
const ROW: f64 = 9.5;
const SAMPLE: f64 = 20.0;
const GAP: f64 = 3.0;
/// Edges of the paper.
const EDGE: f64 = 3.0;
/// Lines: curves, frames, markers.
const CURVE: f64 = 1.1;
const HAIR: f64 = 0.5;
const MARK: f64 = 0.8;
/// More markers than this on a line hide it.
const MOST_MARKERS: usize = 12;

/// Puts a figure on paper.
pub fn layout(figure: &Figure) -> Scene {
    let page = Page::new(figure);
    page.draw()
}

/// The size of the paper in points.
fn paper(figure: &Figure, legend: f64) -> (f64, f64) {
    let width = 72.0 * figure.width;
    let usual = (0.62 * width).min(230.0) + legend;
    (width, figure.height.map_or(usual, |h| 72.0 * h))
}

struct Page<'a> {
    figure: &'a Figure,
    entries: Vec<Entry>,
    rows: Vec<Vec<usize>>,
    frame: Frame,
    x: Scaled,
    y: Scaled,
    scene: Scene,
}

/// An axis with its ends, and marks.
struct Scaled {
    ends: [f64; 2],
    logarithmic: bool,
    /// Positions on the paper of the two ends.
    paper: [f64; 2],
    ticks: Vec<Tick>,
    turned: bool,
}

impl Scaled {
    fn at(&self, value: f64) -> f64 {
        let on = |v: f64| if self.logarithmic { v.log10() } else { v };
        let share = (on(value) - on(self.ends[0])) / (on(self.ends[1]) - on(self.ends[0]));
        // Far outside is outside; without a limit, values of 1e300 leave the numbers that formats can write.
        self.paper[0] + share.clamp(-100.0, 100.0) * (self.paper[1] - self.paper[0])
    }
}

/// What the legend says.
struct Entry {
    label: String,
    line: Option<Stroke>,
    marker: Option<(Marker, Color, Filling, f64)>,
    bars: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Filling {
    Full,
    Open,
    Pale,
}

impl<'a> Page<'a> {
    fn new(figure: &'a Figure) -> Self {
        let entries = entries(figure);
        let full = 72.0 * figure.width - 2.0 * EDGE;
        let rows = match figure.legend {
            LegendPlace::Above => rows(&entries, full),
            LegendPlace::None => Vec::new(),
            _ => (0..entries.len()).map(|i| vec![i]).collect(),
        };
        let above = if figure.legend == LegendPlace::Above { ROW * rows.len() as f64 + GAP } else { 0.0 };
        let (width_, height) = paper(figure, above);
        let xs = figure.series.iter().flat_map(|s| s.points.iter().map(|p| p.x));
        let ys = figure.series.iter().flat_map(|s| s.points.iter().flat_map(|p| [p.y, p.low, p.high]));
        let room = if matches!(figure.series.first().map(|s| &s.role), Some(Role::Median)) { 0.08 } else { 0.0 };
        let x_ends = match figure.x.names.len() {
            0 => ends(xs, figure.x.logarithmic, figure.x.range, if room > 0.0 { room } else { 0.02 }),
            n => figure.x.range.unwrap_or([-0.3, n as f64 - 0.7]),
        };
        let y_ends = ends(ys, figure.y.logarithmic, figure.y.range, 0.05);
        let second_x = figure.x.second.is_some();
        let top = EDGE + above + if second_x { LABEL + NUMBER + 3.0 * GAP } else { GAP };
        let bottom = height - EDGE - LABEL - NUMBER - 3.0 * GAP;
        let tall = (bottom - top).max(20.0);
        let y_ticks = ticks(y_ends[0], y_ends[1], figure.y.logarithmic, (tall / 26.0) as usize);
        let widest = |ticks: &[Tick]| ticks.iter().map(|t| width(&t.label, NUMBER)).fold(0.0, f64::max);
        let left = EDGE + LABEL + 2.0 * GAP + widest(&y_ticks) + GAP;
        let degrees = figure.y.second.as_ref().map(|second| degree_ticks(second, y_ends, (tall / 26.0) as usize));
        let right = match &degrees {
            Some(marks) => width_ - EDGE - LABEL - 2.0 * GAP - widest(marks) - GAP,
            None => width_ - EDGE - 7.0,
        };
        let wide = (right - left).max(20.0);
        let mut x_ticks = match figure.x.names.is_empty() {
            true => ticks(x_ends[0], x_ends[1], figure.x.logarithmic, (wide / 36.0) as usize),
            false => names(&figure.x, x_ends),
        };
        let taken: f64 = x_ticks.iter().map(|t| width(&t.label, NUMBER) + 4.0).sum();
        let turned = !figure.x.names.is_empty() && taken > wide;
        let mut frame = Frame { left, top, right: left + wide, bottom: top + tall };
        if turned {
            let most = 0.3 * height;
            x_ticks.iter_mut().for_each(|t| t.label = fitted(&t.label, NUMBER, most));
            frame.bottom -= (0.6 * widest(&x_ticks)).min(tall - 20.0).max(0.0);
        }
        let x = Scaled {
            ends: x_ends,
            logarithmic: figure.x.logarithmic,
            paper: [frame.left, frame.right],
            ticks: x_ticks,
            turned,
        };
        let y = Scaled {
            ends: y_ends,
            logarithmic: figure.y.logarithmic,
            paper: [frame.bottom, frame.top],
            ticks: y_ticks,
            turned: false,
        };
        let scene = Scene { width: width_, height, items: Vec::new() };
        Self { figure, entries, rows, frame, x, y, scene }
    }

    fn draw(mut self) -> Scene {
        self.grid();
        for series in &self.figure.series {
            self.band(series);
        }
        let grey = Stroke { color: GREY, width: HAIR, dash: &[2.0, 2.0] };
        for reference in &self.figure.references {
            let y = self.y.at(*reference);
            self.line(vec![(self.frame.left, y), (self.frame.right, y)], grey);
        }
        // Dashed lines lie over solid ones, so that lines in the same place are all seen.
        for series in &self.figure.series {
            self.curve(series);
        }
        for (i, series) in self.figure.series.iter().enumerate() {
            self.marks(i, series);
        }
        self.axes();
        self.legend();
        self.scene
    }

    fn place(&self, point: &Point) -> Place {
        (self.x.at(point.x), self.y.at(point.y))
    }

    fn line(&mut self, points: Vec<Place>, stroke: Stroke) {
        self.scene.items.push(Item::Path { points, closed: false, stroke: Some(stroke), fill: None });
    }

    fn text(&mut self, at: Place, size: f64, anchor: Anchor, turn: f64, text: &str) {
        let text = text.to_string();
        self.scene.items.push(Item::Text { at, size, anchor, turn, text, color: INK });
    }

    fn grid(&mut self) {
        let grid = Stroke { color: GRID, width: HAIR, dash: &[] };
        let frame = self.frame;
        let labelled =
            |axis: &Scaled| axis.ticks.iter().filter(|t| !t.label.is_empty()).map(|t| t.at).collect::<Vec<_>>();
        for at in labelled(&self.x) {
            let x = self.x.at(at);
            self.line(vec![(x, frame.top), (x, frame.bottom)], grid);
        }
        for at in labelled(&self.y) {
            let y = self.y.at(at);
            self.line(vec![(frame.left, y), (frame.right, y)], grid);
        }
    }

    fn band(&mut self, series: &Series) {
        let (Role::Line { spread: SpreadMark::Band, .. }, Some(solver)) = (&series.role, series.solver) else { return };
        let spread = |p: &&Point| p.low.is_finite() && p.high.is_finite();
        let points: Vec<&Point> = series.points.iter().filter(spread).collect();
        let upper = points.iter().map(|p| (self.x.at(p.x), self.y.at(p.high)));
        let lower = points.iter().rev().map(|p| (self.x.at(p.x), self.y.at(p.low)));
        let area = self.frame.clip_area(&upper.chain(lower).collect::<Vec<_>>());
        if area.len() > 2 {
            let fill = Some((look(solver).color, 0.15));
            self.scene.items.push(Item::Path { points: area, closed: true, stroke: None, fill });
        }
    }

    fn curve(&mut self, series: &Series) {
        let (stroke, stepped) = match (&series.role, series.solver) {
            (Role::Line { stepped, .. }, Some(solver)) => (stroke_of(look(solver)), *stepped),
            (Role::Bound, _) => (BOUND, false),
            _ => return,
        };
        // A point without a value breaks the line.
        for part in series.points.split(|p| !(p.x.is_finite() && p.y.is_finite())) {
            let mut places: Vec<Place> = Vec::with_capacity(2 * part.len());
            for point in part {
                let (x, y) = self.place(point);
                if let Some((_, before)) = places.last().copied().filter(|_| stepped) {
                    places.push((x, before));
                }
                places.push((x, y));
            }
            for clipped in self.frame.clip_line(&places) {
                self.line(clipped, stroke);
            }
        }
    }

    fn marks(&mut self, index: usize, series: &Series) {
        let Some((marker, color, filling, size)) = marker_of(series) else { return };
        let bars = match &series.role {
            Role::Line { spread: SpreadMark::Bars, .. } | Role::MonteCarlo | Role::Estimator(..) => true,
            Role::Line { stepped: true, .. } => return,
            _ => false,
        };
        let drawn = |p: &&Point| p.x.is_finite() && p.y.is_finite();
        let points: Vec<&Point> = series.points.iter().filter(drawn).collect();
        let thinned = matches!(series.role, Role::Line { .. }) && points.len() > MOST_MARKERS;
        // Markers of a long line stand at even distances on the paper; those of solvers in the same place differ.
        let distance = (self.frame.right - self.frame.left) / MOST_MARKERS as f64;
        let mut next = f64::NEG_INFINITY;
        if thinned {
            next = self.x.at(points[0].x) + distance * (0.3 + 0.27 * index as f64).fract();
        }
        for point in points {
            let x = self.x.at(point.x);
            if thinned && x < next {
                continue;
            }
            next = if thinned { next.max(x - distance) + distance } else { next };
            if bars && point.low.is_finite() && point.high.is_finite() {
                self.error_bar(point, color);
            }
            let at = self.place(point);
            if self.frame.holds(at) {
                mark(at, marker, color, filling, size, &mut self.scene.items);
            }
        }
    }

    fn error_bar(&mut self, point: &Point, color: Color) {
        let x = self.x.at(point.x);
        let stroke = Stroke { color, width: 0.7, dash: &[] };
        let (low, high) = (self.y.at(point.low), self.y.at(point.high));
        let cap = |y: f64| vec![(x - 2.0, y), (x + 2.0, y)];
        for line in [vec![(x, low), (x, high)], cap(low), cap(high)] {
            for part in self.frame.clip_line(&line) {
                self.line(part, stroke);
            }
        }
    }

    fn axes(&mut self) {
        let frame = self.frame;
        let ink = Stroke { color: INK, width: HAIR, dash: &[] };
        let corners = vec![
            (frame.left, frame.top),
            (frame.right, frame.top),
            (frame.right, frame.bottom),
            (frame.left, frame.bottom),
        ];
        self.scene.items.push(Item::Path { points: corners, closed: true, stroke: Some(ink), fill: None });
        let length = |tick: &Tick| if tick.label.is_empty() { 1.8 } else { 3.0 };
        let base = 0.36 * NUMBER;
        for tick in self.x.ticks.clone() {
            let x = self.x.at(tick.at);
            self.line(vec![(x, frame.bottom), (x, frame.bottom - length(&tick))], ink);
            let below = frame.bottom + GAP;
            match self.x.turned {
                true => self.text((x + 2.0, below + 0.7 * NUMBER), NUMBER, Anchor::End, 35.0, &tick.label),
                false => self.text((x, below + 0.75 * NUMBER), NUMBER, Anchor::Middle, 0.0, &tick.label),
            }
        }
        for tick in self.y.ticks.clone() {
            let y = self.y.at(tick.at);
            self.line(vec![(frame.left, y), (frame.left + length(&tick), y)], ink);
            self.text((frame.left - GAP, y + base), NUMBER, Anchor::End, 0.0, &tick.label);
        }
        let middle = (0.5 * (frame.left + frame.right), 0.5 * (frame.top + frame.bottom));
        let across = self.scene.width - 2.0 * EDGE;
        let foot = self.scene.height - EDGE - 0.25 * LABEL;
        // A label wider than its axis is centred on the paper instead, as far as it fits.
        let half = |text: &str, size: f64| 0.5 * width(text, size);
        let label = self.figure.x.label.clone();
        let size = shrunk(&label, across);
        let at = middle.0.min(self.scene.width - EDGE - half(&label, size)).max(EDGE + half(&label, size));
        self.text((at, foot), size, Anchor::Middle, 0.0, &label);
        let label = self.figure.y.label.clone();
        let down = self.scene.height - 2.0 * EDGE;
        let size = shrunk(&label, down);
        let at = middle.1.min(self.scene.height - EDGE - half(&label, size)).max(EDGE + half(&label, size));
        self.text((EDGE + 0.8 * LABEL, at), size, Anchor::Middle, 90.0, &label);
        if let Some(second) = self.figure.y.second.clone() {
            for tick in degree_ticks(&second, self.y.ends, ((frame.bottom - frame.top) / 26.0) as usize) {
                let y = self.y.at(tick.at);
                self.line(vec![(frame.right, y), (frame.right - length(&tick), y)], ink);
                self.text((frame.right + GAP, y + base), NUMBER, Anchor::Start, 0.0, &tick.label);
            }
            let size = shrunk(&second.label, down);
            let at = middle
                .1
                .min(self.scene.height - EDGE - half(&second.label, size))
                .max(EDGE + half(&second.label, size));
            self.text((self.scene.width - EDGE - 0.25 * LABEL, at), size, Anchor::Middle, 90.0, &second.label);
        }
        if let Some(second) = self.figure.x.second.clone() {
            for tick in degree_ticks(&second, self.x.ends, ((frame.right - frame.left) / 36.0) as usize) {
                let x = self.x.at(tick.at);
                self.line(vec![(x, frame.top), (x, frame.top + length(&tick))], ink);
                self.text((x, frame.top - GAP), NUMBER, Anchor::Middle, 0.0, &tick.label);
            }
            let size = shrunk(&second.label, across);
            self.text((middle.0, frame.top - NUMBER - 2.0 * GAP), size, Anchor::Middle, 0.0, &second.label);
        }
    }

    fn legend(&mut self) {
        let widths: Vec<f64> = self.entries.iter().map(entry_width).collect();
        let place = self.figure.legend;
        let widest = widths.iter().copied().fold(0.0, f64::max);
        let tall = ROW * self.rows.len() as f64;
        let frame = self.frame;
        let inset = 4.0;
        let (left, top) = match place {
            LegendPlace::None => return,
            LegendPlace::Above => (EDGE, EDGE),
            LegendPlace::NorthEast => (frame.right - inset - widest, frame.top + inset),
            LegendPlace::NorthWest => (frame.left + inset, frame.top + inset),
            LegendPlace::SouthEast => (frame.right - inset - widest, frame.bottom - inset - tall),
            LegendPlace::SouthWest => (frame.left + inset, frame.bottom - inset - tall),
        };
        if place != LegendPlace::Above {
            let (a, b) = ((left - 2.0, top - 1.0), (left + widest + 1.0, top + tall + 1.0));
            let points = vec![a, (b.0, a.1), b, (a.0, b.1)];
            let stroke = Some(Stroke { color: GRID, width: HAIR, dash: &[] });
            self.scene.items.push(Item::Path { points, closed: true, stroke, fill: Some(([255; 3], 0.85)) });
        }
        let rows = std::mem::take(&mut self.rows);
        for (r, row) in rows.iter().enumerate() {
            let middle = top + ROW * (r as f64 + 0.5);
            let whole: f64 = row.iter().map(|i| widths[*i]).sum::<f64>() + SPACE * (row.len() - 1) as f64;
            let mut x = match place {
                LegendPlace::Above => 0.5 * (self.scene.width - whole),
                _ => left,
            };
            for i in row {
                self.entry(*i, (x, middle));
                x += widths[*i] + SPACE;
            }
        }
    }

    fn entry(&mut self, index: usize, (x, y): Place) {
        let Entry { label, line, marker, bars } = &self.entries[index];
        let (line, marker, bars) = (*line, *marker, *bars);
        let label = fitted(label, LEGEND, self.scene.width - 2.0 * EDGE - SAMPLE - GAP);
        if let Some(stroke) = line {
            self.line(vec![(x, y), (x + SAMPLE, y)], stroke);
        }
        let middle = x + 0.5 * SAMPLE;
        if let Some((marker, color, filling, size)) = marker {
            if bars {
                let stroke = Stroke { color, width: 0.7, dash: &[] };
                let (low, high) = (y + 4.0, y - 4.0);
                self.line(vec![(middle, low), (middle, high)], stroke);
                for end in [low, high] {
                    self.line(vec![(middle - 2.0, end), (middle + 2.0, end)], stroke);
                }
            }
            mark((middle, y), marker, color, filling, size, &mut self.scene.items);
        }
        self.text((x + SAMPLE + GAP, y + 0.36 * LEGEND), LEGEND, Anchor::Start, 0.0, &label);
    }
}

/// Between entries of a row.
const SPACE: f64 = 9.0;
const BOUND: Stroke = Stroke { color: GREY, width: 0.9, dash: &[3.0, 1.5] };

fn stroke_of(look: Look) -> Stroke {
    Stroke { color: look.color, width: CURVE, dash: look.dash }
}

/// The marker of a series, its colour, how it is filled, and its size.
fn marker_of(series: &Series) -> Option<(Marker, Color, Filling, f64)> {
    let own = series.solver.map(look);
    let color = own.map_or(INK, |l| l.color);
    Some(match &series.role {
        Role::Line { .. } => (own?.marker, color, Filling::Full, 1.9),
        Role::Bound => return None,
        Role::MonteCarlo => (Marker::Circle, color, Filling::Open, 3.0),
        Role::Estimator(_, place) => (ESTIMATORS[place % ESTIMATORS.len()], color, Filling::Open, 3.0),
        Role::Nondominated => (Marker::Circle, INK, Filling::Open, 4.0),
        Role::Quantiles => (own?.marker, color, Filling::Full, 2.4),
        Role::Runs => (own?.marker, color, Filling::Pale, 1.2),
        Role::Median => (own?.marker, color, Filling::Open, 3.6),
    })
}

/// The legend: solvers first, then what else is drawn, each once.
fn entries(figure: &Figure) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let distribution = |s: &Series| figure.series.iter().any(|o| o.role == Role::Quantiles && o.solver == s.solver);
    for series in &figure.series {
        let (label, line, marker) = match (&series.role, series.solver) {
            (Role::Line { stepped, .. }, Some(solver)) => {
                let marker = marker_of(series).filter(|_| !stepped || distribution(series));
                (series.label.clone(), Some(stroke_of(look(solver))), marker)
            }
            (Role::Median, Some(_)) => (series.label.clone(), None, marker_of(series)),
            _ => continue,
        };
        entries.push(Entry { label, line, marker, bars: false });
    }
    for series in &figure.series {
        let (label, line) = match &series.role {
            Role::Bound => (series.label.clone(), Some(BOUND)),
            Role::MonteCarlo | Role::Estimator(..) => (series.what(), None),
            Role::Nondominated => (series.label.clone(), None),
            _ => continue,
        };
        if entries.iter().any(|e| e.label == label) {
            continue;
        }
        let bars = matches!(series.role, Role::MonteCarlo | Role::Estimator(..));
        let marker = marker_of(series).map(|(marker, _, filling, size)| (marker, INK, filling, size.min(3.4)));
        entries.push(Entry { label, line, marker, bars });
    }
    entries
}

fn entry_width(entry: &Entry) -> f64 {
    SAMPLE + GAP + width(&entry.label, LEGEND)
}

/// The legend's entries in rows of a width.
fn rows(entries: &[Entry], most: f64) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut taken = f64::INFINITY;
    for (i, entry) in entries.iter().enumerate() {
        let wide = entry_width(entry);
        match rows.last_mut() {
            Some(row) if taken + SPACE + wide <= most => {
                row.push(i);
                taken += SPACE + wide;
            }
            _ => {
                rows.push(vec![i]);
                taken = wide;
            }
        }
    }
    rows
}

/// The size at which a label fits, down to 70 % of the usual one.
fn shrunk(label: &str, most: f64) -> f64 {
    (LABEL * most / width(label, LABEL).max(1.0)).clamp(0.7 * LABEL, LABEL)
}

/// The names along an axis, and every n-th where they are too many for any paper.
fn names(axis: &Axis, ends: [f64; 2]) -> Vec<Tick> {
    let every = axis.names.len().div_ceil(24);
    let within = |(i, _): &(usize, &String)| (ends[0]..=ends[1]).contains(&(*i as f64));
    let named = axis.names.iter().enumerate().step_by(every).filter(within);
    named.map(|(i, name)| Tick { at: i as f64, label: name.clone() }).collect()
}

/// Marks at round angles, at the places of the squared angles on the axis.
pub fn degree_ticks(second: &Degrees, ends: [f64; 2], wanted: usize) -> Vec<Tick> {
    let [low, high] = ends.map(|end| second.value(end));
    if !(low.is_finite() && high.is_finite() && high > low) {
        return Vec::new();
    }
    let logarithmic = low > 0.0 && high / low > 1.3;
    let placed = |tick: Tick| Tick { at: second.position(tick.at), ..tick };
    let found: Vec<Tick> = ticks(low, high, logarithmic, wanted).into_iter().map(placed).collect();
    found.into_iter().filter(|t| t.at.is_finite()).collect()
}

/// Draws a marker.
fn mark((x, y): Place, marker: Marker, color: Color, filling: Filling, size: f64, items: &mut Vec<Item>) {
    let stroke = Stroke { color, width: if filling == Filling::Pale { 0.4 } else { MARK }, dash: &[] };
    let fill = match filling {
        Filling::Full => Some((color, 1.0)),
        Filling::Pale => Some((color, 0.35)),
        Filling::Open => None,
    };
    let corners: Vec<Place> = match marker {
        Marker::Circle => {
            let stroke = (filling != Filling::Pale).then_some(stroke);
            items.push(Item::Circle { at: (x, y), radius: size, stroke, fill });
            return;
        }
        Marker::Square => vec![(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        Marker::Triangle => vec![(0.0, -1.15), (1.05, 0.75), (-1.05, 0.75)],
        Marker::Diamond => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
        Marker::Cross | Marker::Star | Marker::Plus => {
            let straight = [((-1.3, 0.0), (1.3, 0.0)), ((0.0, -1.3), (0.0, 1.3))];
            let slanted = [((-1.0, -1.0), (1.0, 1.0)), ((-1.0, 1.0), (1.0, -1.0))];
            let bars = straight.iter().filter(|_| marker != Marker::Cross);
            for (a, b) in bars.chain(slanted.iter().filter(|_| marker != Marker::Plus)) {
                let points = vec![(x + size * a.0, y + size * a.1), (x + size * b.0, y + size * b.1)];
                items.push(Item::Path { points, closed: false, stroke: Some(stroke), fill: None });
            }
            return;
        }
    };
    let points = corners.iter().map(|(dx, dy)| (x + size * dx, y + size * dy)).collect();
    items.push(Item::Path { points, closed: true, stroke: Some(stroke), fill });
}
