//! Spectra over two angles as pictures, and a page of them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::figure::HeatMap;
use super::html::{escape, head};
use super::replace;
use crate::error::{Error, Result};

/// Dots per inch of the pictures.
const DOTS: u32 = 300;

/// Writes each map as SVG and PNG into a folder, and `spectra.html` with all maps and a table; gives the page's path.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_spectra(folder: &Path, title: &str, maps: &[HeatMap], table: &[Vec<String>]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file("make", folder, e))?;
    for map in maps {
        replace(&folder.join(format!("{}.svg", map.name)), map.svg().as_bytes())?;
        replace(&folder.join(format!("{}.png", map.name)), &map.png(DOTS)?)?;
    }
    let path = folder.join("spectra.html");
    replace(&path, html(title, maps, table).as_bytes())?;
    Ok(path)
}

fn html(title: &str, maps: &[HeatMap], table: &[Vec<String>]) -> String {
    let mut html = format!(
        "{}<body>\n<main>\n<h1>{}</h1>\n<section><h2>Peaks</h2>\n<div class=\"scroll\"><table>\n",
        head(title, false),
        escape(title)
    );
    for (i, row) in table.iter().enumerate() {
        let cell = if i == 0 { "th" } else { "td" };
        html.push_str(if i == 0 { "<thead><tr>" } else { "<tr>" });
        row.iter().for_each(|text| {
            let _ = write!(html, "<{cell}>{}</{cell}>", escape(text));
        });
        html.push_str(if i == 0 { "</tr></thead>\n<tbody>\n" } else { "</tr>\n" });
    }
    html.push_str("</tbody></table></div></section>\n<section><h2>Spectra</h2>\n<div class=\"maps\">\n");
    for map in maps {
        let picture = map.svg();
        // The declaration of XML belongs to files of their own.
        let picture = picture.split_once('\n').map_or(picture.as_str(), |(_, rest)| rest);
        let _ = writeln!(
            html,
            "<figure>{picture}<figcaption class=\"caption\">{}</figcaption></figure>",
            escape(&map.caption)
        );
    }
    html.push_str("</div></section>\n</main>\n</body>\n</html>\n");
    html
}
