//! Files of JSON lines that grow while they are read. A line counts once its line feed is there: what a kill, a full disk
//! or a power cut left half written is passed over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::de::DeserializeOwned;

use crate::error::{Error, InputError, Result};

/// How every line about a run begins.
const BEGINNING: &[u8] = b"{\"run\":\"";

/// So many bytes are read before their lines are parsed.
const BATCH: usize = 1 << 22;

/// Reads the whole lines of a file of JSON lines, parses them on all cores and hands them over in the file's order; none
/// where there is no file.
pub(crate) fn read_lines<T: DeserializeOwned + Send>(path: &Path, keep: &mut dyn FnMut(T)) -> Result<()> {
    let Some(mut reader) = open(path)? else { return Ok(()) };
    let (mut bytes, mut ends, mut number) = (Vec::new(), vec![0], 1);
    loop {
        while bytes.len() < BATCH && reader.read_until(b'\n', &mut bytes).map_err(|e| Error::file("read", path, e))? > 0
        {
            if bytes.last() == Some(&b'\n') {
                ends.push(bytes.len());
            }
        }
        let count = ends.len() - 1;
        let line = |i: usize| parse(&bytes[ends[i]..ends[i + 1]], path, number + i);
        let parsed: Vec<Result<T>> = (0..count).into_par_iter().map(line).collect();
        for value in parsed {
            keep(value?);
        }
        if count == 0 {
            return Ok(());
        }
        number += count;
        bytes.clear();
        ends.truncate(1);
    }
}

/// Reads a value from JSON; `line` is the number of its line, or 0 where the text is a whole file.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8], path: &Path, line: usize) -> Result<T> {
    let mistake = |line, found: String, allowed: &str| {
        Error::from(InputError::new("", found, allowed).at_line(line)).in_file(path)
    };
    let text =
        std::str::from_utf8(text).map_err(|_| mistake(line.max(1), "bytes that are not UTF-8".into(), "UTF-8 text"))?;
    serde_json::from_str(text)
        .map_err(|e| mistake(if line == 0 { e.line() } else { line }, e.to_string(), "what isacopt writes there"))
}

/// A file to be read line by line; none where it is not there.
fn open(path: &Path) -> Result<Option<BufReader<File>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::with_capacity(1 << 18, file))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path, error)),
    }
}

/// Calls `visit` with the run, the offset and the bytes (without the line feed) of every whole line about a run, and gives
/// where the last whole line ends. A file that is not there has none.
pub(crate) fn scan(path: &Path, visit: &mut dyn FnMut(&str, u64, &[u8])) -> Result<u64> {
    let Some(mut reader) = open(path)? else { return Ok(0) };
    let (mut offset, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(|e| Error::file("read", path, e))?;
        if line.pop() != Some(b'\n') {
            return Ok(offset);
        }
        // After a power cut a file may end in zeros: such a line is none.
        if let (Some(run), Some(b'}')) = (run_of(&line), line.last()) {
            visit(run, offset, &line);
        }
        offset += length as u64;
    }
}

fn run_of(line: &[u8]) -> Option<&str> {
    let rest = line.strip_prefix(BEGINNING)?;
    std::str::from_utf8(&rest[..rest.iter().position(|b| *b == b'"')?]).ok()
}

/// Where the line of each run stands.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Each with where its last whole line ended.
    files: Vec<(PathBuf, u64)>,
    places: HashMap<String, Place>,
    open: Mutex<Option<(u32, File)>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    file: u32,
    offset: u64,
    length: u32,
}

impl Index {
    /// Adds the lines of a file; the last line about a run counts. `replace` says whether it counts more than what other
    /// files say.
    pub fn add(&mut self, path: &Path, replace: bool) -> Result<()> {
        let file = self.files.len() as u32;
        let places = &mut self.places;
        let end = scan(path, &mut |run, offset, line| {
            let place = Place { file, offset, length: line.len() as u32 };
            match places.get_mut(run) {
                Some(known) if replace || known.file == file => *known = place,
                Some(_) => {}
                None => {
                    places.insert(run.to_string(), place);
                }
            }
        })?;
        self.files.push((path.to_path_buf(), end));
        Ok(())
    }

    /// Whether there is a line about a run.
    pub fn contains(&self, run: &str) -> bool {
        self.places.contains_key(run)
    }

    /// Where the last whole line of a file ended when it was added; none where it was not.
    pub fn end(&self, path: &Path) -> Option<u64> {
        self.files.iter().find(|(file, _)| file == path).map(|(_, end)| *end)
    }

    /// The runs, sorted.
    pub fn runs(&self) -> Vec<&str> {
        let mut runs: Vec<&str> = self.places.keys().map(String::as_str).collect();
        runs.sort_unstable();
        runs
    }

    /// Reads a run's line into `line`; gives whether there is one.
    pub fn read(&self, run: &str, line: &mut Vec<u8>) -> Result<bool> {
        let Some(place) = self.places.get(run) else { return Ok(false) };
        let (path, _) = &self.files[place.file as usize];
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = || {
            if open.as_ref().is_none_or(|(number, _)| *number != place.file) {
                *open = Some((place.file, File::open(path)?));
            }
            line.resize(place.length as usize, 0);
            if let Some((_, file)) = open.as_mut() {
                file.seek(SeekFrom::Start(place.offset))?;
                file.read_exact(line)?;
            }
            Ok(true)
        };
        read().map_err(|e| Error::file("read", path, e))
    }
}

/// The files of a folder whose names end so, sorted by name; none where there is no folder.
pub(crate) fn files_in(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", folder, error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::file("read", folder, e))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_found_and_torn_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("1.jsonl"), folder.path().join("2.jsonl"));
        std::fs::write(&first, "{\"run\":\"a\",\"x\":1}\n{\"run\":\"b\",\"x\":2}\n{\"run\":\"c\",\"x\":3").unwrap();
        std::fs::write(&second, "{\"run\":\"b\",\"x\":4}\n\0\0\0\0\n{\"run\":\"d\"}\n{\"run\":\"d\",\"x\":5}\n")
            .unwrap();
        for (replace, expected) in [(false, 2), (true, 4)] {
            let mut index = Index::default();
            index.add(&first, true).unwrap();
            index.add(&second, replace).unwrap();
            index.add(&folder.path().join("none"), true).unwrap();
            assert_eq!(index.runs(), ["a", "b", "d"]);
            assert!(index.contains("a") && !index.contains("c"));
            let mut line = Vec::new();
            let mut x = |run: &str| {
                assert!(index.read(run, &mut line).unwrap());
                serde_json::from_slice::<serde_json::Value>(&line).unwrap()["x"].as_u64().unwrap()
            };
            assert_eq!((x("b"), x("a"), x("d"), x("b")), (expected, 1, 5, expected));
            assert!(!index.read("c", &mut line).unwrap());
        }
        let names = |ending: &str| files_in(folder.path(), ending).unwrap().len();
        assert_eq!((names(".jsonl"), names("2.jsonl"), names(".json")), (2, 1, 0));
    }
}
