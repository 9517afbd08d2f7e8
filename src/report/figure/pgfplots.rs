//! A figure as PGFPlots: a `tikzpicture` to `\input`, with its data in it, set in the paper's own font.

use std::fmt::Write;

use super::layout::degree_ticks;
use super::style::{COLORS, ESTIMATORS, GREY, INK, Marker, look};
use super::ticks::ends;
use super::{Axis, Figure, Point, Role, Series, SpreadMark};
use crate::config::LegendPlace;

/// The text of the file.
pub fn pgfplots(figure: &Figure) -> String {
    let mut out = String::from(
        "% Needs \\usepackage{pgfplots} and \\pgfplotsset{compat=1.16} in the preamble; then \\input this file in a figure.\n",
    );
    let _ = writeln!(out, "% Caption: {}", one_line(&figure.caption));
    out += "\\begin{tikzpicture}\n";
    for (i, [r, g, b]) in COLORS.iter().enumerate() {
        let _ = writeln!(out, "\\definecolor{{isacopt{i}}}{{RGB}}{{{r},{g},{b}}}");
    }
    for (name, [r, g, b]) in [("isacoptgrey", GREY), ("isacoptink", INK)] {
        let _ = writeln!(out, "\\definecolor{{{name}}}{{RGB}}{{{r},{g},{b}}}");
    }
    let height = figure.height.unwrap_or(0.62 * figure.width);
    let size = format!("width={}in,\n  height={}in,\n  scale only axis=false", figure.width, round(height));
    let _ = write!(out, "\\begin{{axis}}[\n  {size},\n");
    axis('x', &figure.x, &mut out);
    // The same ends as the second axis, whose marks would not fit without them.
    let ys = figure.series.iter().flat_map(|s| s.points.iter().flat_map(|p| [p.y, p.low, p.high]));
    let own = ends(ys, figure.y.logarithmic, figure.y.range, 0.05);
    let range = figure.y.range.or(figure.y.second.is_some().then_some(own));
    axis('y', &Axis { range, ..figure.y.clone() }, &mut out);
    out += "  grid=major,\n  grid style={black!12},\n  label style={font=\\footnotesize},\n  tick label style={font=\\scriptsize},\n";
    out += &legend(figure.legend);
    out += "]\n";
    for reference in &figure.references {
        let _ = writeln!(
            out,
            "\\draw[isacoptgrey, densely dotted] ({{rel axis cs:0,0}}|-{{axis cs:0,{0}}}) -- ({{rel axis cs:1,0}}|-{{axis cs:0,{0}}});",
            number(*reference)
        );
    }
    for part in figure.series.iter().filter(|s| !s.points.is_empty()) {
        band(part, &mut out);
    }
    let mut known: Vec<String> = Vec::new();
    // The legend follows the order of the plots: solvers first, then what is drawn beside them.
    let solvers = |s: &&Series| matches!(s.role, Role::Line { .. } | Role::Median);
    let (first, then): (Vec<_>, Vec<_>) = figure.series.iter().filter(|s| !s.points.is_empty()).partition(solvers);
    for part in first.into_iter().chain(then) {
        plot(part, &mut known, &mut out);
    }
    out += "\\end{axis}\n";
    out += &second(figure, &size);
    out += "\\end{tikzpicture}\n";
    out
}

fn axis(letter: char, axis: &Axis, out: &mut String) {
    let _ = writeln!(out, "  {letter}label={{{}}},", escaped(&axis.label));
    if axis.logarithmic {
        let _ = writeln!(out, "  {letter}mode=log,");
    }
    if let Some([low, high]) = axis.range {
        let _ = writeln!(out, "  {letter}min={}, {letter}max={},", number(low), number(high));
    } else if letter == 'x' && axis.names.is_empty() {
        let _ = writeln!(out, "  enlarge x limits=0.02,");
    }
    if !axis.names.is_empty() {
        let places: Vec<String> = (0..axis.names.len()).map(|i| i.to_string()).collect();
        let names: Vec<String> = axis.names.iter().map(|n| format!("{{{}}}", escaped(n))).collect();
        let _ =
            writeln!(out, "  {letter}tick={{{}}},\n  {letter}ticklabels={{{}}},", places.join(","), names.join(","));
        let _ = writeln!(out, "  {letter}ticklabel style={{rotate=30, anchor=north east}},");
    }
}

fn legend(place: LegendPlace) -> String {
    let style = "legend cell align=left,\n  legend style={font=\\scriptsize";
    match place {
        LegendPlace::None => String::new(),
        LegendPlace::Above => {
            format!("  {style}, draw=none, at={{(0.5,1.03)}}, anchor=south}},\n  legend columns=2,\n")
        }
        other => {
            let corner = match other {
                LegendPlace::NorthWest => "north west",
                LegendPlace::SouthEast => "south east",
                LegendPlace::SouthWest => "south west",
                _ => "north east",
            };
            format!("  {style}, fill opacity=0.85, text opacity=1}},\n  legend pos={corner},\n")
        }
    }
}

fn band(series: &Series, out: &mut String) {
    let (Role::Line { spread: SpreadMark::Band, .. }, Some(solver)) = (&series.role, series.solver) else { return };
    let points: Vec<&Point> = series.points.iter().filter(|p| p.low.is_finite() && p.high.is_finite()).collect();
    if points.len() < 2 {
        return;
    }
    let _ =
        writeln!(out, "\\addplot[draw=none, fill={}, fill opacity=0.15, forget plot] coordinates {{", color(solver));
    let upper = points.iter().map(|p| (p.x, p.high));
    for (x, y) in upper.chain(points.iter().rev().map(|p| (p.x, p.low))) {
        let _ = writeln!(out, "  ({},{})", number(x), number(y));
    }
    out.push_str("} \\closedcycle;\n");
}

fn plot(series: &Series, known: &mut Vec<String>, out: &mut String) {
    let own = series.solver.map(color).unwrap_or_else(|| "isacoptink".into());
    let bars = ", error bars/.cd, y dir=both, y explicit";
    let (style, errors, label) = match (&series.role, series.solver) {
        (Role::Line { spread, stepped }, Some(solver)) => {
            let marked = if *stepped { "none" } else { shape(look(solver).marker) };
            // More markers than these hide the line; those of solvers in the same place differ.
            let every = series.points.len().div_ceil(12).max(1);
            let phase = 1 + 2 * solver % every;
            let step = if *stepped { ", const plot mark right" } else { "" };
            let errors = *spread == SpreadMark::Bars;
            let dash = dash(look(solver).dash);
            let style = format!(
                "{own}, line width=0.9pt, {dash}, mark={marked}, mark size=1.5pt, mark repeat={every}, mark phase={phase}, mark options={{solid}}{step}"
            );
            (style, errors, Some(series.label.clone()))
        }
        (Role::Bound, _) => ("isacoptgrey, dashed, mark=none".into(), false, Some(series.label.clone())),
        (Role::MonteCarlo, _) => (format!("{own}, only marks, mark=o, mark size=2.4pt"), true, Some(series.what())),
        (Role::Estimator(_, place), _) => {
            let mark = shape(ESTIMATORS[place % ESTIMATORS.len()]);
            (format!("{own}, only marks, mark={mark}, mark size=2.4pt"), true, Some(series.what()))
        }
        (Role::Nondominated, _) => {
            ("isacoptink, only marks, mark=o, mark size=3.2pt".into(), false, Some(series.label.clone()))
        }
        (Role::Quantiles, Some(solver)) => {
            (format!("{own}, only marks, mark={}, mark size=1.9pt", shape(look(solver).marker)), false, None)
        }
        (Role::Runs, Some(solver)) => {
            let mark = shape(look(solver).marker);
            (format!("{own}, only marks, mark={mark}, mark size=0.9pt, opacity=0.4"), false, None)
        }
        (Role::Median, Some(solver)) => {
            let mark = shape(look(solver).marker);
            let style = format!(
                "{own}, only marks, mark={mark}, mark size=2.9pt, mark options={{fill=white, line width=0.8pt}}"
            );
            (style, false, Some(series.label.clone()))
        }
        _ => return,
    };
    // Markers of one kind have one entry, whatever solver they belong to.
    let shared = matches!(series.role, Role::MonteCarlo | Role::Estimator(..));
    let label = label.filter(|l| !(shared && known.contains(l)));
    let quiet = if label.is_none() { ", forget plot" } else { "" };
    let _ = writeln!(out, "\\addplot[{style}{quiet}{}] coordinates {{", if errors { bars } else { "" });
    for point in series.points.iter().filter(|p| p.x.is_finite()) {
        let (x, y) = (number(point.x), number(point.y));
        let error = point.high - point.y;
        let below = point.y - point.low;
        let spread = if errors && error.is_finite() && below.is_finite() {
            format!(" += (0,{}) -= (0,{})", number(error), number(below))
        } else {
            String::new()
        };
        let _ = writeln!(out, "  ({x},{y}){spread}");
    }
    out.push_str("};\n");
    if let Some(label) = label {
        let _ = writeln!(out, "\\addlegendentry{{{}}}", escaped(&label));
        known.push(label);
    }
}

/// The root of a squared angle in degrees, as a second vertical axis over the same places.
fn second(figure: &Figure, size: &str) -> String {
    let Some(second) = &figure.y.second else { return String::new() };
    let ys = figure.series.iter().flat_map(|s| s.points.iter().flat_map(|p| [p.y, p.low, p.high]));
    let [low, high] = ends(ys, figure.y.logarithmic, figure.y.range, 0.05);
    let marks = degree_ticks(second, [low, high], 5);
    let marks: Vec<_> = marks.iter().filter(|t| !t.label.is_empty()).collect();
    let places: Vec<String> = marks.iter().map(|t| number(t.at)).collect();
    let labels: Vec<String> = marks.iter().map(|t| escaped(&t.label)).collect();
    let mode = if figure.y.logarithmic { "  ymode=log,\n" } else { "" };
    format!(
        "\\begin{{axis}}[\n  {size},\n{mode}  ymin={}, ymax={},\n  \
         axis y line*=right, axis x line=none,\n  ylabel={{{}}},\n  ytick={{{}}},\n  yticklabels={{{}}},\n  \
         label style={{font=\\footnotesize}},\n  tick label style={{font=\\scriptsize}},\n]\n\\end{{axis}}\n",
        number(low),
        number(high),
        escaped(&second.label),
        places.join(","),
        labels.join(",")
    )
}

fn color(solver: usize) -> String {
    format!("isacopt{}", solver % COLORS.len())
}

fn shape(marker: Marker) -> &'static str {
    match marker {
        Marker::Circle => "*",
        Marker::Square => "square*",
        Marker::Triangle => "triangle*",
        Marker::Diamond => "diamond*",
        Marker::Cross => "x",
        Marker::Star => "asterisk",
        Marker::Plus => "+",
    }
}

fn dash(dashes: &[f64]) -> String {
    if dashes.is_empty() {
        return "solid".into();
    }
    let parts = dashes.chunks(2).map(|d| format!("on {}pt off {}pt", d[0], d.get(1).unwrap_or(&d[0])));
    format!("dash pattern={}", parts.collect::<Vec<_>>().join(" "))
}

/// A number as TeX reads it; `nan` where a line breaks.
fn number(x: f64) -> String {
    let size = x.abs();
    match size {
        _ if !x.is_finite() => "nan".into(),
        _ if size != 0.0 && !(1e-4..1e6).contains(&size) => format!("{x:.6e}"),
        _ => format!("{}", round(x)),
    }
}

fn round(x: f64) -> f64 {
    format!("{x:.7e}").parse().unwrap_or(x)
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Text that TeX sets as itself.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '{' | '}' | '#' | '$' | '%' | '&' | '_' => {
                out.push('\\');
                out.push(c);
            }
            '^' => out.push_str("\\textasciicircum{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '²' => out.push_str("\\textsuperscript{2}"),
            '³' => out.push_str("\\textsuperscript{3}"),
            '×' => out.push_str("$\\times$"),
            '±' => out.push_str("$\\pm$"),
            '−' => out.push_str("$-$"),
            '°' => out.push_str("$^\\circ$"),
            '–' => out.push_str("--"),
            '’' => out.push('\''),
            'µ' | 'μ' => out.push_str("$\\mu$"),
            '⁻' => out.push_str("\\textsuperscript{$-$}"),
            c if "⁰⁴⁵⁶⁷⁸⁹¹".contains(c) => {
                let digit = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|d| d == c).unwrap_or(0);
                let _ = write!(out, "\\textsuperscript{{{digit}}}");
            }
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_set_as_itself() {
        assert_eq!(
            escaped("50 % of {a_b} & \\x (rad²)"),
            "50 \\% of \\{a\\_b\\} \\& \\textbackslash{}x (rad\\textsuperscript{2})"
        );
        assert_eq!(escaped("10⁻⁵"), "10\\textsuperscript{$-$}\\textsuperscript{5}");
    }

    #[test]
    fn numbers_are_readable_to_tex() {
        assert_eq!(number(1.5), "1.5");
        assert_eq!(number(1.0 / 3.0), "0.33333333");
        assert_eq!(number(1.234_567_89e-9), "1.234568e-9");
        assert_eq!(number(f64::NAN), "nan");
    }
}
