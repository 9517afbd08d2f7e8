//! The look of solvers, as on the page: Okabe and Ito's colours, told apart by colour-blind readers; dashes and markers
//! tell them apart in grey print.

/// Red, green, blue.
pub type Color = [u8; 3];

/// Words and frames.
pub const INK: Color = [0x1c, 0x24, 0x30];
/// Lines of reference and the bound.
pub const GREY: Color = [0x5b, 0x65, 0x73];
/// The grid.
pub const GRID: Color = [0xe3, 0xe6, 0xea];

/// The solvers' colours, in turn.
pub const COLORS: [Color; 8] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x00, 0x00, 0x00],
    [0x8c, 0x6d, 0x31],
];

/// Their dashes in points: on, off, ...
pub const DASHES: [&[f64]; 5] = [&[], &[4.0, 2.0], &[1.0, 1.5], &[5.0, 1.5, 1.0, 1.5], &[7.0, 2.0, 2.0, 2.0]];

/// The shapes of markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A circle.
    Circle,
    /// A square.
    Square,
    /// A triangle on its side.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// An x.
    Cross,
    /// A plus and an x.
    Star,
    /// A plus.
    Plus,
}

const MARKERS: [Marker; 7] =
    [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Cross, Marker::Star, Marker::Plus];

/// The shapes for estimators, in turn.
pub const ESTIMATORS: [Marker; 4] = [Marker::Plus, Marker::Cross, Marker::Star, Marker::Diamond];

/// How a solver is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Its colour.
    pub color: Color,
    /// Its dashes.
    pub dash: &'static [f64],
    /// Its marker.
    pub marker: Marker,
}

/// The look of the solver at a place in the study.
pub fn look(solver: usize) -> Look {
    let turn = solver / COLORS.len();
    Look {
        color: COLORS[solver % COLORS.len()],
        dash: DASHES[(solver + turn) % DASHES.len()],
        marker: MARKERS[(solver + turn) % MARKERS.len()],
    }
}

/// `#0072b2`.
pub fn hexadecimal(color: Color) -> String {
    let [r, g, b] = color;
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_draws_solvers_in_the_same_colours() {
        let colors: Vec<String> = COLORS.iter().map(|c| format!("\"{}\"", hexadecimal(*c))).collect();
        let script = include_str!("../page/draw.js");
        assert!(script.contains(&format!("const COLORS = [{}];", colors.join(", "))));
    }

    #[test]
    fn looks_differ() {
        let looks: Vec<Look> = (0..20).map(look).collect();
        assert!(looks.iter().enumerate().all(|(i, a)| !looks[..i].contains(a)));
    }
}
