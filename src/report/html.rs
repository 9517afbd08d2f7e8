//! Text and numbers as HTML.

use serde_json::Value;

const STYLE: &str = include_str!("page/style.css");

/// A page's beginning up to its `body`. The browser itself sees to it that it loads nothing from elsewhere.
pub fn head(title: &str, scripts: bool) -> String {
    let script = if scripts { " script-src 'unsafe-inline';" } else { "" };
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';{script} \
         img-src data: blob:\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n"
    )
}

/// Text that shows as itself, in content and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in HTML, whatever way they are written.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON that can stand inside a `script` element: nothing in it can end the element.
pub fn json(value: &Value) -> String {
    let text = value.to_string();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A number for reading, with a given number of significant digits; `–` where there is none.
pub fn number(x: f64, digits: usize) -> String {
    if x.is_nan() {
        return "–".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "∞".into() } else { "−∞".into() };
    }
    if x == 0.0 {
        return "0".into();
    }
    let exponent = format!("{x:.*e}", digits - 1).split_once('e').and_then(|(_, e)| e.parse::<i32>().ok());
    let exponent = exponent.unwrap_or(0);
    let text = if (-4..digits.max(6) as i32).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        let text = format!("{x:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
    } else {
        let text = format!("{x:.*e}", digits - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa =
            if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        format!("{mantissa}e{exponent}")
    };
    text.replace('-', "−")
}

/// A duration in seconds for reading: `12.3 µs`, `4.5 ms`, `67.8 s`.
pub fn duration(seconds: f64) -> String {
    let (factor, unit) = unit(seconds);
    if seconds.is_nan() { "–".into() } else { format!("{} {unit}", number(seconds * factor, 3)) }
}

/// A range of durations in the unit of its upper end: `[12.1, 12.9] µs`.
pub fn durations(low: f64, high: f64) -> String {
    let (factor, unit) = unit(high);
    format!("[{}, {}] {unit}", number(low * factor, 3), number(high * factor, 3))
}

fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds.abs() {
        s if s >= 1.0 || s == 0.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e3, "ms"),
        s if s >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_an_element() {
        assert_eq!(escape("a</td>\"'&\u{1}"), "a&lt;/td&gt;&quot;&#39;&amp;\u{fffd}");
        let hostile = serde_json::json!({"</script><b>": "<!--"});
        assert!(!json(&hostile).contains('<'));
        assert_eq!(serde_json::from_str::<Value>(&json(&hostile)).unwrap(), hostile);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(7.591_234, 5), "7.5912");
        assert_eq!(number(-35.0, 4), "−35");
        assert_eq!(number(1.25e-9, 3), "1.25e−9");
        assert_eq!(number(123_456.0, 3), "123456");
        assert_eq!(number(0.000_99, 3), "0.00099");
        assert_eq!(number(f64::INFINITY, 3), "∞");
        assert_eq!(duration(1.234e-5), "12.3 µs");
        assert_eq!(duration(f64::NAN), "–");
        assert_eq!(durations(0.000_9, 0.0012), "[0.9, 1.2] ms");
    }
}
