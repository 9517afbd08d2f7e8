//! A figure on paper: lines, areas, circles and words, in points (1/72 inch) from the upper left corner.

use super::style::Color;

/// A page of them.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Width in points.
    pub width: f64,
    /// Height in points.
    pub height: f64,
    /// What is on it, the lowest first.
    pub items: Vec<Item>,
}

/// A place on the page.
pub type Place = (f64, f64);

/// One thing on the page.
#[derive(Clone, Debug)]
pub enum Item {
    /// A polygon or a line.
    Path {
        /// Its corners.
        points: Vec<Place>,
        /// Whether the last is joined to the first.
        closed: bool,
        /// How its line is drawn, if it is.
        stroke: Option<Stroke>,
        /// What fills it: a colour and how much it covers, from 0 to 1.
        fill: Option<(Color, f64)>,
    },
    /// A circle.
    Circle {
        /// Its centre.
        at: Place,
        /// Its radius.
        radius: f64,
        /// How its line is drawn, if it is.
        stroke: Option<Stroke>,
        /// What fills it.
        fill: Option<(Color, f64)>,
    },
    /// A line of words.
    Text {
        /// The point on the base line that `anchor` speaks of.
        at: Place,
        /// Its size.
        size: f64,
        /// Where that point lies in the text.
        anchor: Anchor,
        /// Degrees, counter-clockwise, about the point.
        turn: f64,
        /// The words.
        text: String,
        /// Their colour.
        color: Color,
    },
}

/// A line's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub color: Color,
    /// Its width.
    pub width: f64,
    /// Its dashes: on, off, ...; empty for none.
    pub dash: &'static [f64],
}

/// Where a text lies about its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The point is its left end.
    Start,
    /// The point is its middle.
    Middle,
    /// The point is its right end.
    End,
}

impl Anchor {
    /// The share of the width that lies before the point.
    pub fn share(self) -> f64 {
        match self {
            Self::Start => 0.0,
            Self::Middle => 0.5,
            Self::End => 1.0,
        }
    }
}

/// A rectangle on the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// The left edge.
    pub left: f64,
    /// The upper edge.
    pub top: f64,
    /// The right edge.
    pub right: f64,
    /// The lower edge.
    pub bottom: f64,
}

impl Frame {
    /// Whether it holds a place, its edges included.
    pub fn holds(&self, (x, y): Place) -> bool {
        let slack = 1e-6;
        (self.left - slack..=self.right + slack).contains(&x) && (self.top - slack..=self.bottom + slack).contains(&y)
    }

    /// The parts of a line within it (Liang and Barsky's clipping, a stretch at a time).
    pub fn clip_line(&self, points: &[Place]) -> Vec<Vec<Place>> {
        let mut parts: Vec<Vec<Place>> = Vec::new();
        for ends in points.windows(2) {
            let Some((a, b)) = self.clip_stretch(ends[0], ends[1]) else { continue };
            match parts.last_mut() {
                Some(part) if part.last() == Some(&a) => part.push(b),
                _ => parts.push(vec![a, b]),
            }
        }
        parts
    }

    fn clip_stretch(&self, (x0, y0): Place, (x1, y1): Place) -> Option<(Place, Place)> {
        let (dx, dy) = (x1 - x0, y1 - y0);
        let (mut from, mut to) = (0.0f64, 1.0f64);
        for (step, room) in [(-dx, x0 - self.left), (dx, self.right - x0), (-dy, y0 - self.top), (dy, self.bottom - y0)]
        {
            if step == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if step < 0.0 {
                from = from.max(room / step);
            } else {
                to = to.min(room / step);
            }
        }
        let at = |t: f64| if t == 1.0 { (x1, y1) } else { (x0 + t * dx, y0 + t * dy) };
        (from <= to).then(|| (at(from), at(to)))
    }

    /// The part of a polygon within it (Sutherland and Hodgman's clipping, an edge at a time).
    pub fn clip_area(&self, points: &[Place]) -> Vec<Place> {
        let edges: [(usize, f64, f64); 4] =
            [(0, 1.0, self.left), (0, -1.0, -self.right), (1, 1.0, self.top), (1, -1.0, -self.bottom)];
        let mut kept = points.to_vec();
        for (axis, sign, edge) in edges {
            let depth = |p: &Place| sign * (if axis == 0 { p.0 } else { p.1 }) - edge;
            let mut next = Vec::with_capacity(kept.len() + 4);
            for (i, point) in kept.iter().enumerate() {
                let before = &kept[(i + kept.len() - 1) % kept.len()];
                let (a, b) = (depth(before), depth(point));
                if (a < 0.0) != (b < 0.0) {
                    let t = a / (a - b);
                    next.push((before.0 + t * (point.0 - before.0), before.1 + t * (point.1 - before.1)));
                }
                if b >= 0.0 {
                    next.push(*point);
                }
            }
            kept = next;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };

    #[test]
    fn lines_end_at_the_frame() {
        let parts = FRAME.clip_line(&[(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0), (8.0, 20.0), (8.0, 5.0)]);
        assert_eq!(parts, [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)], vec![(8.0, 10.0), (8.0, 5.0)]]);
        assert!(FRAME.clip_line(&[(-5.0, -5.0), (-1.0, 20.0)]).is_empty());
    }

    #[test]
    fn areas_end_at_the_frame() {
        let area = FRAME.clip_area(&[(-5.0, 2.0), (20.0, 2.0), (20.0, 4.0), (-5.0, 4.0)]);
        assert_eq!(area.len(), 4);
        for corner in [(0.0, 2.0), (10.0, 2.0), (10.0, 4.0), (0.0, 4.0)] {
            assert!(area.iter().any(|p| (p.0 - corner.0).hypot(p.1 - corner.1) < 1e-12), "{area:?}");
        }
        assert!(FRAME.clip_area(&[(20.0, 20.0), (30.0, 20.0), (30.0, 30.0)]).is_empty());
    }
}
