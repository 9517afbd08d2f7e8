//! A scene as SVG. Words stay words, in a font of Arial's widths, so that they can be edited and searched.

use std::fmt::Write;

use super::super::html::escape;
use super::scene::{Anchor, Item, Scene, Stroke};
use super::style::{Color, hexadecimal};

/// The text of the file; the title and the caption are read by screen readers.
pub fn svg(scene: &Scene, title: &str, caption: &str) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" \
         width=\"{}in\" height=\"{}in\" viewBox=\"0 0 {} {}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n\
         <rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>\n\
         <g font-family=\"Arimo, Arial, 'Liberation Sans', Helvetica, sans-serif\" stroke-linejoin=\"round\">\n",
        short(width / 72.0),
        short(height / 72.0),
        short(width),
        short(height),
        escape(title),
        escape(caption),
        short(width),
        short(height)
    );
    for item in &scene.items {
        let _ = match item {
            Item::Path { points, closed, stroke, fill } => {
                let mut path = String::new();
                for (i, (x, y)) in points.iter().enumerate() {
                    let _ = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, short(*x), short(*y));
                }
                path += if *closed { "Z" } else { "" };
                writeln!(out, "<path d=\"{path}\"{}/>", paint(*stroke, *fill))
            }
            Item::Circle { at, radius, stroke, fill } => {
                let (x, y, r) = (short(at.0), short(at.1), short(*radius));
                writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"{}/>", paint(*stroke, *fill))
            }
            Item::Text { at, size, anchor, turn, text, color } => {
                let (x, y) = (short(at.0), short(at.1));
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let turned = if *turn == 0.0 {
                    String::new()
                } else {
                    format!(" transform=\"rotate({} {x} {y})\"", short(-turn))
                };
                let (size, color, text) = (short(*size), hexadecimal(*color), escape(text));
                writeln!(
                    out,
                    "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{color}\" text-anchor=\"{anchor}\"{turned}>{text}</text>"
                )
            }
        };
    }
    out += "</g>\n</svg>\n";
    out
}

fn paint(stroke: Option<Stroke>, fill: Option<(Color, f64)>) -> String {
    let mut text = match fill {
        None => " fill=\"none\"".to_string(),
        Some((color, 1.0)) => format!(" fill=\"{}\"", hexadecimal(color)),
        Some((color, share)) => format!(" fill=\"{}\" fill-opacity=\"{}\"", hexadecimal(color), short(share)),
    };
    if let Some(stroke) = stroke {
        let _ = write!(text, " stroke=\"{}\" stroke-width=\"{}\"", hexadecimal(stroke.color), short(stroke.width));
        if !stroke.dash.is_empty() {
            let dash: Vec<String> = stroke.dash.iter().map(|d| short(*d)).collect();
            let _ = write!(text, " stroke-dasharray=\"{}\"", dash.join(" "));
        }
    }
    text
}

/// A length to a thousandth.
fn short(x: f64) -> String {
    let text = format!("{x:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}
