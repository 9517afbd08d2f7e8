//! A scene as PDF: vectors, and words in the built-in font, of which the file holds the glyphs that it uses.

use std::collections::BTreeMap;

use miniz_oxide::deflate::compress_to_vec_zlib;
use pdf_writer::types::{CidFontType, FontFlags, LineJoinStyle, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;

use super::font::{FACE, FILE, advance, glyph, width};
use super::scene::{Item, Place, Scene, Stroke};
use super::style::Color;
use crate::error::{Error, Result};

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
const FONT: Ref = Ref::new(5);
const GLYPHS: Ref = Ref::new(6);
const DESCRIPTOR: Ref = Ref::new(7);
const FONT_FILE: Ref = Ref::new(8);
const CHARACTERS: Ref = Ref::new(9);
const INFO: Ref = Ref::new(10);
const FIRST_OPACITY: i32 = 11;

const FONT_NAME: Name<'static> = Name(b"ISACPT+Arimo-Regular");
const SYSTEM: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
/// The compression's effort, from 0 to 10.
const EFFORT: u8 = 6;

/// The bytes of the file.
pub fn pdf(scene: &Scene, title: &str, caption: &str) -> Result<Vec<u8>> {
    let mut page = Page { content: Content::new(), height: scene.height, used: Used::default(), opacities: Vec::new() };
    page.content.set_line_join(LineJoinStyle::RoundJoin);
    for item in &scene.items {
        page.item(item);
    }
    let Page { content, used, opacities, .. } = page;
    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    pdf.pages(PAGES).kids([PAGE]).count(1);
    let mut written = pdf.page(PAGE);
    written.media_box(Rect::new(0.0, 0.0, scene.width as f32, scene.height as f32)).parent(PAGES).contents(CONTENT);
    let mut resources = written.resources();
    resources.fonts().pair(Name(b"F"), FONT);
    let mut states = resources.ext_g_states();
    for i in 0..opacities.len() {
        states.pair(Name(opacity_name(i).as_bytes()), Ref::new(FIRST_OPACITY + i as i32));
    }
    states.finish();
    resources.finish();
    written.finish();
    for (i, share) in opacities.iter().enumerate() {
        pdf.ext_graphics(Ref::new(FIRST_OPACITY + i as i32)).non_stroking_alpha(*share as f32);
    }
    let content = compress_to_vec_zlib(&content.finish(), EFFORT);
    pdf.stream(CONTENT, &content).filter(Filter::FlateDecode);
    used.write(&mut pdf)?;
    let mut info = pdf.document_info(INFO);
    info.title(TextStr(title)).subject(TextStr(caption)).creator(TextStr("isacopt"));
    info.finish();
    Ok(pdf.finish())
}

struct Page {
    content: Content,
    height: f64,
    used: Used,
    opacities: Vec<f64>,
}

impl Page {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Path { points, closed, stroke, fill } => {
                self.begin(*stroke, *fill);
                for (i, place) in points.iter().enumerate() {
                    let (x, y) = self.at(*place);
                    if i == 0 {
                        self.content.move_to(x, y)
                    } else {
                        self.content.line_to(x, y)
                    };
                }
                if *closed {
                    self.content.close_path();
                }
                self.end(*stroke, *fill);
            }
            Item::Circle { at, radius, stroke, fill } => {
                self.begin(*stroke, *fill);
                let (x, y) = self.at(*at);
                let r = *radius as f32;
                // Four cubic arcs; this handle makes them round to 0.03 %.
                let k = 0.552_285 * r;
                let content = &mut self.content;
                content.move_to(x + r, y);
                content.cubic_to(x + r, y + k, x + k, y + r, x, y + r);
                content.cubic_to(x - k, y + r, x - r, y + k, x - r, y);
                content.cubic_to(x - r, y - k, x - k, y - r, x, y - r);
                content.cubic_to(x + k, y - r, x + r, y - k, x + r, y);
                content.close_path();
                self.end(*stroke, *fill);
            }
            Item::Text { at, size, anchor, turn, text, color } => {
                let (x, y) = self.at(*at);
                let (sin, cos) = turn.to_radians().sin_cos();
                let back = (-anchor.share() * width(text, *size)) as f32;
                let (sin, cos) = (sin as f32, cos as f32);
                let codes: Vec<u8> = text.chars().flat_map(|c| self.used.code(c).to_be_bytes()).collect();
                let [r, g, b] = parts(*color);
                self.content.set_fill_rgb(r, g, b);
                self.content.begin_text().set_font(Name(b"F"), *size as f32);
                self.content.set_text_matrix([cos, sin, -sin, cos, x + back * cos, y + back * sin]);
                self.content.show(Str(&codes)).end_text();
            }
        }
    }

    /// PDF counts from below.
    fn at(&self, (x, y): Place) -> (f32, f32) {
        (x as f32, (self.height - y) as f32)
    }

    /// Colours and lines are set before a path begins: PDF allows it only there.
    fn begin(&mut self, stroke: Option<Stroke>, fill: Option<(Color, f64)>) {
        self.content.save_state();
        if let Some((color, share)) = fill {
            let [r, g, b] = parts(color);
            self.content.set_fill_rgb(r, g, b);
            if share < 1.0 {
                let known = self.opacities.iter().position(|o| *o == share);
                let at = known.unwrap_or_else(|| {
                    self.opacities.push(share);
                    self.opacities.len() - 1
                });
                self.content.set_parameters(Name(opacity_name(at).as_bytes()));
            }
        }
        if let Some(Stroke { color, width, dash }) = stroke {
            let [r, g, b] = parts(color);
            self.content.set_stroke_rgb(r, g, b).set_line_width(width as f32);
            self.content.set_dash_pattern(dash.iter().map(|d| *d as f32), 0.0);
        }
    }

    fn end(&mut self, stroke: Option<Stroke>, fill: Option<(Color, f64)>) {
        match (stroke.is_some(), fill.is_some()) {
            (true, true) => self.content.fill_nonzero_and_stroke(),
            (true, false) => self.content.stroke(),
            (false, true) => self.content.fill_nonzero(),
            (false, false) => self.content.end_path(),
        };
        self.content.restore_state();
    }
}

/// The glyphs that a file uses.
#[derive(Default)]
struct Used {
    glyphs: GlyphRemapper,
    characters: BTreeMap<u16, char>,
}

impl Used {
    /// The code by which the file shows a character.
    fn code(&mut self, character: char) -> u16 {
        let code = self.glyphs.remap(glyph(character).0);
        self.characters.entry(code).or_insert(character);
        code
    }

    fn write(&self, pdf: &mut Pdf) -> Result<()> {
        let em = f64::from(FACE.units_per_em());
        let thousandths = |units: f64| (1000.0 * units / em) as f32;
        pdf.type0_font(FONT)
            .base_font(FONT_NAME)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(GLYPHS)
            .to_unicode(CHARACTERS);
        let mut font = pdf.cid_font(GLYPHS);
        font.subtype(CidFontType::Type2).base_font(FONT_NAME).system_info(SYSTEM).font_descriptor(DESCRIPTOR);
        font.cid_to_gid_map_predefined(Name(b"Identity")).default_width(0.0);
        let widths = self.glyphs.remapped_gids().map(|old| (1000.0 * advance(ttf_parser::GlyphId(old))) as f32);
        font.widths().consecutive(0, widths);
        font.finish();
        let bounds = FACE.global_bounding_box();
        let [left, low, right, high] =
            [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(|x| thousandths(f64::from(x)));
        let mut descriptor = pdf.font_descriptor(DESCRIPTOR);
        descriptor.name(FONT_NAME).flags(FontFlags::SYMBOLIC).bbox(Rect::new(left, low, right, high));
        descriptor.italic_angle(0.0).stem_v(80.0);
        descriptor.ascent(thousandths(f64::from(FACE.ascender()))).descent(thousandths(f64::from(FACE.descender())));
        descriptor.cap_height(thousandths(FACE.capital_height().map_or(0.7 * em, f64::from)));
        descriptor.font_file2(FONT_FILE);
        descriptor.finish();
        let subset = subsetter::subset(FILE, 0, &self.glyphs)
            .map_err(|e| Error::Numerical(format!("the built-in font cannot be cut: {e}")))?;
        pdf.stream(FONT_FILE, &compress_to_vec_zlib(&subset, EFFORT)).filter(Filter::FlateDecode);
        let mut characters = UnicodeCmap::new(Name(b"Custom"), SYSTEM);
        for (code, character) in &self.characters {
            characters.pair(*code, *character);
        }
        pdf.stream(CHARACTERS, &characters.finish());
        Ok(())
    }
}

fn opacity_name(index: usize) -> String {
    format!("A{index}")
}

fn parts(color: Color) -> [f32; 3] {
    color.map(|c| f32::from(c) / 255.0)
}
