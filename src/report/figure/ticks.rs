//! Where axes carry numbers, and how these are written.

use super::super::html::number;

/// A mark on an axis; without words for marks between numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where.
    pub at: f64,
    /// What stands there.
    pub label: String,
}

/// The marks between two ends, about `wanted` of them with a number.
pub fn ticks(low: f64, high: f64, logarithmic: bool, wanted: usize) -> Vec<Tick> {
    if logarithmic { powers(low, high, wanted) } else { steps(low, high, wanted) }
}

/// Round numbers: steps of 1, 2, 2.5 or 5 times a power of ten.
fn steps(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let span = high - low;
    let raw = span / wanted.max(1) as f64;
    if !(raw > 0.0 && raw.is_finite()) {
        return vec![Tick { at: low, label: number(low, 6) }];
    }
    let unit = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * unit).find(|s| *s >= raw * 0.999).unwrap_or(raw);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|i| {
            let at = i as f64 * step;
            // As many digits as tell neighbours apart.
            let digits = 1 + (at.abs().max(step).log10().floor() - step.log10().floor()).max(0.0) as usize + 1;
            Tick { at, label: number(at, digits) }
        })
        .collect()
}

/// Powers of ten; over a short range 1, 2 and 5 times them.
fn powers(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let (first, last) = (low.log10(), high.log10());
    let decades = last - first;
    if !decades.is_finite() || decades <= 0.0 {
        return Vec::new();
    }
    if decades < 0.7 {
        return steps(low, high, wanted);
    }
    let within = |x: f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(&x);
    let every = (decades / wanted.max(1) as f64).ceil().max(1.0) as i64;
    let mut found = Vec::new();
    for exponent in first.floor() as i64..=last.ceil() as i64 {
        let power = 10f64.powi(exponent as i32);
        for lead in 1..10 {
            let at = lead as f64 * power;
            if !within(at) {
                continue;
            }
            let label = match lead {
                1 if exponent.rem_euclid(every) == 0 => power_of_ten(exponent),
                2 | 5 if decades < 1.6 => number(at, 2),
                _ => String::new(),
            };
            // Between far powers no marks: they would run together.
            if lead == 1 || decades < 6.5 {
                found.push(Tick { at, label });
            }
        }
    }
    found
}

fn power_of_ten(exponent: i64) -> String {
    match exponent {
        0 => "1".into(),
        1 => "10".into(),
        _ => {
            let digits = exponent.unsigned_abs().to_string();
            let raised = digits.chars().map(|d| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(d as usize - '0' as usize).unwrap_or(d));
            let sign = if exponent < 0 { "⁻" } else { "" };
            format!("10{sign}{}", raised.collect::<String>())
        }
    }
}

/// The ends of an axis over values, with a little room; the given ends where there are some.
pub fn ends(values: impl Iterator<Item = f64>, logarithmic: bool, range: Option<[f64; 2]>, room: f64) -> [f64; 2] {
    if let Some([low, high]) = range.filter(|[low, _]| !logarithmic || *low > 0.0) {
        return [low, high];
    }
    let shown = values.filter(|x| x.is_finite() && (!logarithmic || *x > 0.0));
    let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    match (low.is_finite(), logarithmic) {
        (false, false) => [0.0, 1.0],
        (false, true) => [1.0, 10.0],
        (true, true) if high / low < 1.0 + 1e-9 => [low / 2.0, high * 2.0],
        (true, true) => {
            let factor = (high / low).powf(room);
            [low / factor, high * factor]
        }
        (true, false) if high - low <= 1e-9 * high.abs().max(low.abs()) => {
            let half = if high == 0.0 { 1.0 } else { 0.1 * high.abs() };
            [low - half, high + half]
        }
        (true, false) => {
            let margin = room * (high - low);
            // Quantities that are never negative do not get an axis that is.
            let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            [(low - margin).max(floor), high + margin]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, logarithmic: bool, wanted: usize) -> Vec<String> {
        let all = ticks(low, high, logarithmic, wanted);
        all.into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn numbers_are_round() {
        assert_eq!(labels(-10.0, 30.0, false, 5), ["−10", "0", "10", "20", "30"]);
        assert_eq!(labels(0.0, 1.0, false, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(7.12, 7.19, false, 4), ["7.12", "7.14", "7.16", "7.18"]);
        assert_eq!(labels(0.0, 12000.0, false, 3), ["0", "5000", "10000"]);
        assert_eq!(labels(1e-5, 1e-1, true, 5), ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]);
        assert_eq!(labels(1e-12, 1.0, true, 4), ["10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "1"]);
        assert_eq!(labels(1.5, 20.0, true, 5), ["2", "5", "10", "20"]);
        assert_eq!(labels(3.0, 3.0, false, 5), ["3"]);
    }

    #[test]
    fn ends_leave_room_and_hold_what_is_drawn() {
        assert_eq!(ends([1.0, f64::NAN, 3.0].into_iter(), false, None, 0.05), [0.9, 3.1]);
        assert_eq!(ends([0.0, 2.0].into_iter(), false, None, 0.05), [0.0, 2.1]);
        assert_eq!(ends([5.0].into_iter(), false, None, 0.05), [4.5, 5.5]);
        assert_eq!(ends([].into_iter(), true, None, 0.05), [1.0, 10.0]);
        assert_eq!(ends([1.0].into_iter(), false, Some([0.0, 9.0]), 0.05), [0.0, 9.0]);
        assert_eq!(ends([1.0, 10.0].into_iter(), true, Some([0.0, 9.0]), 0.0), [1.0, 10.0]);
    }
}
