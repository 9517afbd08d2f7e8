//! Tables as CSV and as JSON lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::metric::number_json;
use crate::results::{Entries, Rows, Sink};

fn create(path: &PathBuf) -> Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).map_err(|e| Error::file("write", path, e))?))
}

/// A CSV file as RFC 4180 describes it; missing entries are empty, numbers that are none are `inf`, `-inf` and `nan`.
pub(super) struct Csv {
    path: PathBuf,
    out: BufWriter<File>,
    begun: bool,
}

impl Csv {
    pub fn new(path: PathBuf) -> Result<Self> {
        Ok(Self { out: create(&path)?, path, begun: false })
    }

    pub fn finish(mut self) -> Result<PathBuf> {
        self.out.flush().map_err(|e| Error::file("write", &self.path, e))?;
        Ok(self.path)
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

impl Sink for Csv {
    fn rows(&mut self, rows: &Rows) -> Result<()> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            let names: Vec<String> = rows.columns.iter().map(|column| quoted(&column.name)).collect();
            text = names.join(",") + "\n";
        }
        for row in 0..rows.count {
            for (i, column) in rows.columns.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                text += &match &column.entries {
                    Entries::Number(entries) => {
                        entries[row].map_or(String::new(), |x| if x.is_nan() { "nan".into() } else { format!("{x:?}") })
                    }
                    Entries::Whole(entries) => entries[row].map_or(String::new(), |x| x.to_string()),
                    Entries::Flag(entries) => entries[row].map_or(String::new(), |x| x.to_string()),
                    Entries::Text(entries) => entries[row].as_deref().map_or(String::new(), quoted),
                };
            }
            text.push('\n');
        }
        self.out.write_all(text.as_bytes()).map_err(|e| Error::file("write", &self.path, e))
    }
}

/// JSON lines; missing entries are null.
pub(super) struct JsonLines {
    path: PathBuf,
    out: BufWriter<File>,
}

impl JsonLines {
    pub fn new(path: PathBuf) -> Result<Self> {
        Ok(Self { out: create(&path)?, path })
    }

    pub fn finish(mut self) -> Result<PathBuf> {
        self.out.flush().map_err(|e| Error::file("write", &self.path, e))?;
        Ok(self.path)
    }
}

impl Sink for JsonLines {
    fn rows(&mut self, rows: &Rows) -> Result<()> {
        for row in 0..rows.count {
            let entry = |entries: &Entries| match entries {
                Entries::Number(entries) => entries[row].map_or(Value::Null, number_json),
                Entries::Whole(entries) => entries[row].into(),
                Entries::Flag(entries) => entries[row].into(),
                Entries::Text(entries) => entries[row].clone().into(),
            };
            let object: Map<String, Value> =
                rows.columns.iter().map(|column| (column.name.clone(), entry(&column.entries))).collect();
            writeln!(self.out, "{}", Value::Object(object)).map_err(|e| Error::file("write", &self.path, e))?;
        }
        Ok(())
    }
}
