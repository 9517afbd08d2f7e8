//! The built-in font: Arimo, whose widths are Arial's and Helvetica's, so that nothing of the system is needed.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId};

/// The font file.
pub const FILE: &[u8] = include_bytes!("../vendor/arimo/Arimo-Regular.ttf");

/// The font, read.
pub static FACE: LazyLock<Face<'static>> =
    // It is part of the program, and a test reads it.
    LazyLock::new(|| Face::parse(FILE, 0).expect("the built-in font is a font"));

/// The glyph of a character; the empty box where the font has none.
pub fn glyph(character: char) -> GlyphId {
    FACE.glyph_index(character).unwrap_or(GlyphId(0))
}

/// The width of a glyph at size 1.
pub fn advance(glyph: GlyphId) -> f64 {
    f64::from(FACE.glyph_hor_advance(glyph).unwrap_or(0)) / f64::from(FACE.units_per_em())
}

/// The width of a text at a size.
pub fn width(text: &str, size: f64) -> f64 {
    size * text.chars().map(|c| advance(glyph(c))).sum::<f64>()
}

/// A text cut to a width, with an ellipsis where something is missing.
pub fn fitted(text: &str, size: f64, most: f64) -> String {
    if width(text, size) <= most {
        return text.to_string();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while !kept.is_empty() && width(&kept.iter().collect::<String>(), size) + width("…", size) > most {
        kept.pop();
    }
    kept.into_iter().collect::<String>().trim_end().to_string() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_figures_write() {
        for character in "AZaz09²⁻⁰⁴⁹−–×°µ√αθφ≥≤∞…|".chars() {
            assert!(FACE.glyph_index(character).is_some(), "{character}");
        }
        // Helvetica's widths: 556 for a digit, 278 for a space.
        assert!((width("0 ", 1000.0) - 834.0).abs() < 1.0);
        let cut = fitted("a very long label", 7.0, 30.0);
        assert!(cut.ends_with('…') && width(&cut, 7.0) <= 30.0, "{cut}");
    }
}
