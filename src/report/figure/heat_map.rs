//! A quantity over two axes as colours: dark blue over grey to yellow, evenly lighter, which colour-blind readers and grey
//! print tell apart.

use super::font::width;
use super::png::png;
use super::scene::{Anchor, Frame, Item, Place, Scene, Stroke};
use super::style::{Color, INK};
use super::svg::svg;
use super::ticks::ticks;
use crate::error::Result;

/// Colours between which the map runs.
const ANCHORS: [Color; 5] =
    [[0x08, 0x18, 0x48], [0x3f, 0x4b, 0x70], [0x7d, 0x7c, 0x7a], [0xbe, 0xab, 0x62], [0xff, 0xe8, 0x50]];
/// Steps of colour: as fine as readers see, and coarse enough that neighbours merge.
const LEVELS: usize = 64;
const WHITE: Color = [0xff, 0xff, 0xff];
/// Sizes of words in points.
const LABEL: f64 = 8.0;
const NUMBER: f64 = 7.0;

/// A quantity over a grid.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// The stem of its files.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Names of the horizontal axis, the vertical one and the colours, with their units.
    pub labels: [String; 3],
    /// Places along the horizontal axis, rising.
    pub x: Vec<f64>,
    /// Places along the vertical axis, rising.
    pub y: Vec<f64>,
    /// By x, then y.
    pub values: Vec<f64>,
    /// A place that a circle marks.
    pub circle: Option<Place>,
    /// A place that a cross marks.
    pub cross: Option<Place>,
}

/// The colour at a share from 0 to 1.
fn color(share: f64) -> Color {
    let at = share.clamp(0.0, 1.0) * (ANCHORS.len() - 1) as f64;
    let low = (at.floor() as usize).min(ANCHORS.len() - 2);
    let (a, b, t) = (ANCHORS[low], ANCHORS[low + 1], at - low as f64);
    std::array::from_fn(|i| (f64::from(a[i]) * (1.0 - t) + f64::from(b[i]) * t).round() as u8)
}

/// The edges of cells about places: half way to the neighbours.
fn edges(places: &[f64]) -> Vec<f64> {
    let Some((first, last)) = places.first().zip(places.last()) else { return vec![0.0, 1.0] };
    let mut edges = vec![*first];
    edges.extend(places.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])));
    edges.push(*last);
    if first == last { vec![first - 0.5, first + 0.5] } else { edges }
}

fn rectangle(frame: Frame, fill: Option<Color>, stroke: Option<Stroke>) -> Item {
    let Frame { left, top, right, bottom } = frame;
    let points = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
    Item::Path { points, closed: true, stroke, fill: fill.map(|color| (color, 1.0)) }
}

fn words(at: Place, size: f64, anchor: Anchor, turn: f64, text: &str) -> Item {
    Item::Text { at, size, anchor, turn, text: text.to_string(), color: INK }
}

fn line(points: Vec<Place>, color: Color, width: f64) -> Item {
    Item::Path { points, closed: false, stroke: Some(Stroke { color, width, dash: &[] }), fill: None }
}

impl HeatMap {
    /// The least and the largest finite value, apart from each other.
    fn range(&self) -> [f64; 2] {
        let finite = self.values.iter().filter(|v| v.is_finite());
        let [low, high] = finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[l, h], v| [l.min(*v), h.max(*v)]);
        if low < high {
            [low, high]
        } else if low.is_finite() {
            [low - 0.5, low + 0.5]
        } else {
            [0.0, 1.0]
        }
    }

    /// On paper, 3.5 inches wide.
    fn scene(&self) -> Scene {
        let (paper, tall) = (252.0, 214.0);
        let frame = Frame { left: 40.0, top: 14.0, right: paper - 58.0, bottom: tall - 34.0 };
        let (xs, ys) = (edges(&self.x), edges(&self.y));
        let onto = |edges: &[f64], value: f64, from: f64, to: f64| {
            let (low, high) = (edges[0], edges[edges.len() - 1]);
            from + (value - low) / (high - low) * (to - from)
        };
        let across = |x: f64| onto(&xs, x, frame.left, frame.right);
        let down = |y: f64| onto(&ys, y, frame.bottom, frame.top);
        let [low, high] = self.range();
        let step = |value: f64| (((value - low) / (high - low) * LEVELS as f64).max(0.0) as usize).min(LEVELS - 1);
        let shade = |step: usize| color((step as f64 + 0.5) / LEVELS as f64);
        let mut items = vec![words((frame.left, 9.0), LABEL, Anchor::Start, 0.0, &self.title)];
        // Columns of cells from left to right, runs of one colour from the bottom up: each reaches under those after it, so
        // that no seams show.
        let rows = self.y.len();
        for (i, column) in self.values.chunks_exact(rows.max(1)).enumerate() {
            let mut from = 0;
            for j in 1..=rows {
                if j == rows || step(column[j]) != step(column[from]) {
                    let right = across(xs[(i + 2).min(xs.len() - 1)]);
                    let top = down(ys[(j + 1).min(ys.len() - 1)]);
                    let cell = Frame { left: across(xs[i]), right, bottom: down(ys[from]), top };
                    items.push(rectangle(cell, Some(shade(step(column[from]))), None));
                    from = j;
                }
            }
        }
        if let Some((x, y)) = self.circle {
            for (color, width) in [(WHITE, 2.4), (INK, 1.0)] {
                let stroke = Some(Stroke { color, width, dash: &[] });
                items.push(Item::Circle { at: (across(x), down(y)), radius: 5.0, stroke, fill: None });
            }
        }
        if let Some((x, y)) = self.cross {
            let (x, y) = (across(x), down(y));
            for (color, width) in [(WHITE, 2.4), (INK, 1.0)] {
                items.push(line(vec![(x - 3.0, y - 3.0), (x + 3.0, y + 3.0)], color, width));
                items.push(line(vec![(x - 3.0, y + 3.0), (x + 3.0, y - 3.0)], color, width));
            }
        }
        let outline = Some(Stroke { color: INK, width: 0.5, dash: &[] });
        items.push(rectangle(frame, None, outline));
        for tick in ticks(xs[0], xs[xs.len() - 1], false, 6) {
            let x = across(tick.at);
            items.push(line(vec![(x, frame.bottom), (x, frame.bottom + 3.0)], INK, 0.5));
            items.push(words((x, frame.bottom + 11.0), NUMBER, Anchor::Middle, 0.0, &tick.label));
        }
        for tick in ticks(ys[0], ys[ys.len() - 1], false, 6) {
            let y = down(tick.at);
            items.push(line(vec![(frame.left - 3.0, y), (frame.left, y)], INK, 0.5));
            items.push(words((frame.left - 5.0, y + 2.5), NUMBER, Anchor::End, 0.0, &tick.label));
        }
        let [x_label, y_label, value_label] = &self.labels;
        let (middle, center) = (0.5 * (frame.left + frame.right), 0.5 * (frame.top + frame.bottom));
        items.push(words((middle, tall - 10.0), LABEL, Anchor::Middle, 0.0, x_label));
        items.push(words((11.0, center), LABEL, Anchor::Middle, 90.0, y_label));
        let bar = Frame { left: frame.right + 8.0, right: frame.right + 17.0, ..frame };
        let height = |value: f64| bar.bottom + (value - low) / (high - low) * (bar.top - bar.bottom);
        for level in 0..LEVELS {
            let part = |l: usize| height(low + (high - low) * l as f64 / LEVELS as f64);
            let cell = Frame { bottom: part(level), top: part((level + 2).min(LEVELS)), ..bar };
            items.push(rectangle(cell, Some(shade(level)), None));
        }
        items.push(rectangle(bar, None, outline));
        let mut widest: f64 = 0.0;
        for tick in ticks(low, high, false, 6) {
            let y = height(tick.at);
            items.push(line(vec![(bar.right, y), (bar.right + 3.0, y)], INK, 0.5));
            items.push(words((bar.right + 5.0, y + 2.5), NUMBER, Anchor::Start, 0.0, &tick.label));
            widest = widest.max(width(&tick.label, NUMBER));
        }
        items.push(words((bar.right + 15.0 + widest, center), LABEL, Anchor::Middle, 90.0, value_label));
        Scene { width: paper, height: tall, items }
    }

    /// The text of an SVG file.
    pub fn svg(&self) -> String {
        svg(&self.scene(), &self.title, &self.caption)
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// Where the picture is too large to be made.
    pub fn png(&self, dots_per_inch: u32) -> Result<Vec<u8>> {
        png(&self.scene(), dots_per_inch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> HeatMap {
        let axis: Vec<f64> = (0..21).map(|i| -10.0 + i as f64).collect();
        let values = axis.iter().flat_map(|x| axis.iter().map(move |y| -(x - 4.0).powi(2) - (y + 6.0).powi(2)));
        HeatMap {
            name: "map".into(),
            title: "A hill".into(),
            caption: "Its top is at (4, -6).".into(),
            labels: ["x (m)".into(), "y (m)".into(), "height (dB)".into()],
            values: values.collect(),
            x: axis.clone(),
            y: axis,
            circle: None,
            cross: None,
        }
    }

    #[test]
    fn the_map_is_lighter_the_higher_and_the_picture_is_lightest_at_the_top() {
        let light = |c: Color| 0.2126 * f64::from(c[0]) + 0.7152 * f64::from(c[1]) + 0.0722 * f64::from(c[2]);
        let shades: Vec<f64> = (0..=100).map(|i| light(color(i as f64 / 100.0))).collect();
        assert!(shades.windows(2).all(|pair| pair[1] > pair[0]));
        let file = map().png(72).unwrap();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let pixel = |x: f64, y: f64| -> Color {
            let at = 3 * (y as usize * info.width as usize + x as usize);
            [pixels[at], pixels[at + 1], pixels[at + 2]]
        };
        // The frame is 154 by 166 points from (40, 14).
        let (top, far) = (pixel(40.0 + 154.0 * 0.7, 14.0 + 166.0 * 0.8), pixel(43.0, 18.0));
        assert!(light(top) > light(color(0.9)), "{top:?}");
        assert!(light(far) < light(color(0.1)), "{far:?}");
    }

    #[test]
    fn degenerate_maps_are_drawn() {
        let flat = HeatMap { values: vec![1.0; 441], ..map() };
        let broken = HeatMap { values: vec![f64::NAN; 441], ..map() };
        let point = HeatMap { x: vec![0.0], y: vec![0.0], values: vec![1.0], ..map() };
        for map in [flat, broken, point] {
            assert!(map.svg().ends_with("</svg>\n") && !map.svg().contains("NaN"));
            assert!(map.png(72).is_ok());
        }
    }
}
