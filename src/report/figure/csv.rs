//! A figure's data as CSV: a line a point, in the scales of the axes.

use super::{Axis, Figure};

/// The text of the data file.
pub fn csv(figure: &Figure) -> String {
    let (x, y) = (&figure.x, &figure.y);
    let mut head =
        vec!["solver".into(), "series".into(), x.label.clone(), y.label.clone(), "low".into(), "high".into()];
    head.extend([x, y].iter().filter_map(|axis| axis.second.as_ref().map(|second| second.label.clone())));
    let mut text = line(&head);
    for series in &figure.series {
        for point in &series.points {
            let solver = if series.solver.is_some() { series.label.clone() } else { String::new() };
            let mut row = vec![solver, series.what(), place(x, point.x)];
            row.extend([point.y, point.low, point.high].map(number));
            let degrees = |axis: &Axis, drawn: f64| axis.second.as_ref().map(|second| number(second.value(drawn)));
            row.extend(degrees(x, point.x));
            row.extend(degrees(y, point.y));
            text += &line(&row);
        }
    }
    text
}

fn place(axis: &Axis, x: f64) -> String {
    let name = axis.names.get(x.max(0.0) as usize);
    name.map_or_else(|| number(x), Clone::clone)
}

/// The shortest text that reads as the same number; empty for none.
fn number(x: f64) -> String {
    if x.is_finite() { format!("{x}") } else { String::new() }
}

/// One line of comma-separated values.
pub fn line(fields: &[String]) -> String {
    let field = |text: &String| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.clone(),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(",") + "\r\n"
}
