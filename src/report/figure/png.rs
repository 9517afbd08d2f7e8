//! A scene as a PNG picture.

use tiny_skia::{Color, FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke as Line, StrokeDash, Transform};
use ttf_parser::OutlineBuilder;

use super::font::{FACE, advance, glyph, width};
use super::scene::{Item, Scene, Stroke};
use crate::error::{Error, Result};

/// The bytes of the file, at so many dots per inch.
pub fn png(scene: &Scene, dots_per_inch: u32) -> Result<Vec<u8>> {
    let failed = |why: String| Error::Numerical(format!("a picture that cannot be made: {why}"));
    let scale = dots_per_inch as f32 / 72.0;
    let pixels = |points: f64| (points * f64::from(dots_per_inch) / 72.0).round() as u32;
    let (across, down) = (pixels(scene.width), pixels(scene.height));
    let mut map = Pixmap::new(across, down).ok_or_else(|| failed(format!("{across} x {down} pixels")))?;
    map.fill(Color::WHITE);
    let page = Transform::from_scale(scale, scale);
    for item in &scene.items {
        match item {
            Item::Path { points, closed, stroke, fill } => {
                let mut builder = PathBuilder::new();
                for (i, (x, y)) in points.iter().enumerate() {
                    let (x, y) = (*x as f32, *y as f32);
                    if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
                }
                if *closed {
                    builder.close();
                }
                draw(&mut map, builder.finish(), *stroke, *fill, page);
            }
            Item::Circle { at, radius, stroke, fill } => {
                let circle = PathBuilder::from_circle(at.0 as f32, at.1 as f32, *radius as f32);
                draw(&mut map, circle, *stroke, *fill, page);
            }
            Item::Text { at, size, anchor, turn, text, color } => {
                let mut builder = Outline { path: PathBuilder::new(), left: 0.0 };
                let unit = size / f64::from(FACE.units_per_em());
                builder.left = (-anchor.share() * width(text, *size) / unit) as f32;
                for id in text.chars().map(glyph) {
                    // A glyph without an outline is a space.
                    let _ = FACE.outline_glyph(id, &mut builder);
                    builder.left += (advance(id) * f64::from(FACE.units_per_em())) as f32;
                }
                let place = page
                    .pre_concat(Transform::from_translate(at.0 as f32, at.1 as f32))
                    .pre_concat(Transform::from_rotate(-*turn as f32))
                    .pre_concat(Transform::from_scale(unit as f32, -unit as f32));
                draw(&mut map, builder.path.finish(), None, Some((*color, 1.0)), place);
            }
        }
    }
    // On a white ground nothing is transparent.
    let colors: Vec<u8> = map.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, across, down);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_depth(::png::BitDepth::Eight);
    let per_meter = (f64::from(dots_per_inch) / 0.0254).round() as u32;
    let size = ::png::PixelDimensions { xppu: per_meter, yppu: per_meter, unit: ::png::Unit::Meter };
    encoder.set_pixel_dims(Some(size));
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&colors));
    written.map_err(|e| failed(e.to_string()))?;
    Ok(file)
}

fn draw(map: &mut Pixmap, path: Option<Path>, stroke: Option<Stroke>, fill: Option<([u8; 3], f64)>, place: Transform) {
    // Nothing to draw where there is no line at all.
    let Some(path) = path else { return };
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    if let Some(([r, g, b], share)) = fill {
        paint.set_color_rgba8(r, g, b, (255.0 * share).round() as u8);
        map.fill_path(&path, &paint, FillRule::Winding, place, None);
    }
    if let Some(Stroke { color: [r, g, b], width, dash }) = stroke {
        paint.set_color_rgba8(r, g, b, 255);
        let dash = StrokeDash::new(dash.iter().map(|d| *d as f32).collect(), 0.0);
        let line = Line { width: width as f32, line_join: LineJoin::Round, dash, ..Line::default() };
        map.stroke_path(&path, &paint, &line, place, None);
    }
}

/// Glyphs one after the other as one path, in the font's units.
struct Outline {
    path: PathBuilder,
    left: f32,
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.left + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.left + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.left + x1, y1, self.left + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(self.left + x1, y1, self.left + x2, y2, self.left + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
