//! Tables as MATLAB's `.mat` files, which Octave reads as well: a variable a column, so that
//! `struct2table(load("runs.mat"))` is the table.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::instance::{Array, ArrayEntries, Node, write_matlab};
use crate::results::{Column, Entries, Rows, Sink};

/// The longest name that MATLAB allows.
const LONGEST: usize = 63;

/// A `.mat` file; numbers that are missing are NaN, texts that are missing are empty. It is written at the end, so the
/// table is held until then.
pub(super) struct Matlab {
    path: PathBuf,
    columns: Vec<Column>,
}

impl Matlab {
    pub fn new(path: PathBuf) -> Self {
        Self { path, columns: Vec::new() }
    }

    pub fn finish(self) -> Result<PathBuf> {
        let Self { path, columns } = self;
        let mut names: Vec<String> = Vec::new();
        let mut parts = Vec::new();
        for Column { name, entries } in columns {
            let name = distinct(&name, &names);
            names.push(name.clone());
            parts.push((name, node(entries)));
        }
        let bytes = write_matlab(&parts).map_err(|e| e.in_file(&path))?;
        std::fs::write(&path, bytes).map_err(|e| Error::file("write", &path, e))?;
        Ok(path)
    }
}

impl Sink for Matlab {
    fn rows(&mut self, rows: &Rows) -> Result<()> {
        if self.columns.is_empty() {
            self.columns = rows.columns.clone();
            return Ok(());
        }
        for (column, more) in self.columns.iter_mut().zip(&rows.columns) {
            match (&mut column.entries, &more.entries) {
                (Entries::Number(all), Entries::Number(more)) => all.extend(more),
                (Entries::Whole(all), Entries::Whole(more)) => all.extend(more),
                (Entries::Flag(all), Entries::Flag(more)) => all.extend(more),
                (Entries::Text(all), Entries::Text(more)) => all.extend_from_slice(more),
                // All rows of a table have the same columns.
                _ => {}
            }
        }
        Ok(())
    }
}

/// A name that MATLAB allows and no other column has: what is no letter, digit or `_` becomes `_`.
fn distinct(name: &str, others: &[String]) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut plain: String = name.chars().map(letter).collect();
    if !plain.starts_with(|c: char| c.is_ascii_alphabetic()) {
        plain.insert(0, 'x');
    }
    plain.truncate(LONGEST);
    let mut found = plain.clone();
    let mut number = 1;
    while others.contains(&found) {
        number += 1;
        let ending = format!("_{number}");
        found = plain[..plain.len().min(LONGEST - ending.len())].to_string() + &ending;
    }
    found
}

/// A column as an array.
fn node(entries: Entries) -> Node {
    let real = |x: Vec<f64>| (x.len(), ArrayEntries::Real(x));
    let (length, entries) = match entries {
        Entries::Number(x) => real(x.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect()),
        Entries::Whole(x) => real(x.into_iter().map(|x| x.map_or(f64::NAN, |x| x as f64)).collect()),
        Entries::Flag(x) if x.iter().all(Option::is_some) => {
            (x.len(), ArrayEntries::Logical(x.into_iter().flatten().collect()))
        }
        Entries::Flag(x) => real(x.into_iter().map(|x| x.map_or(f64::NAN, |x| f64::from(u8::from(x)))).collect()),
        Entries::Text(x) => (x.len(), ArrayEntries::Text(x.into_iter().map(Option::unwrap_or_default).collect())),
    };
    Node::Array(Array { shape: vec![length], entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_variables_and_distinct() {
        let mut names = Vec::new();
        for name in
            ["run", "sweep.scenario.users", "sweep.scenario_users", "2nd", &"long".repeat(20), &"long".repeat(20)]
        {
            names.push(distinct(name, &names));
        }
        let long = "long".repeat(20);
        let expected = ["run", "sweep_scenario_users", "sweep_scenario_users_2", "x2nd", &long[..63]];
        assert_eq!(names[..5], expected);
        assert_eq!(names[5], format!("{}_2", &long[..61]));
    }
}
