//! The files that hold JSON trees: JSON itself, NumPy's `.npz` and MATLAB's `.mat`. What a file is, its first bytes say;
//! what is written, its name.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::node::Node;
use super::{LARGEST_FILE, matlab, matlab_writer, numpy, zip};
use crate::error::{Error, InputError, Result};

/// The forms in which trees are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON text.
    Json,
    /// An archive of NumPy arrays.
    Numpy,
    /// A MATLAB file as `save -v7` writes it.
    Matlab,
}

impl Form {
    /// The form that a file's name asks for: `.npz`, `.mat`, else JSON.
    pub fn of(path: &Path) -> Self {
        match path.extension().map(|e| e.to_ascii_lowercase()) {
            Some(e) if e == "npz" => Self::Numpy,
            Some(e) if e == "mat" => Self::Matlab,
            _ => Self::Json,
        }
    }
}

/// Reads the tree of a JSON, `.npz` or `.mat` file. Errors name the file.
pub fn read_tree(path: &Path) -> Result<Value> {
    parse(read_bytes(path)?, Form::of(path)).map_err(|e| e.in_file(path))
}

fn parse(bytes: Vec<u8>, named: Form) -> Result<Value> {
    let refuse = |found: &str, allowed: &str| Err(InputError::new("", found, allowed).into());
    if bytes.starts_with(zip::SIGNATURE) {
        return numpy::read(&bytes);
    }
    if matlab::recognized(&bytes) {
        return matlab::read(&bytes);
    }
    if bytes.starts_with(b"\x89HDF") || bytes.starts_with(b"MATLAB 7.3") || bytes.get(512..516) == Some(b"\x89HDF") {
        return refuse("a MATLAB file of version 7.3 (HDF5)", "one of version 7: save it with '-v7'");
    }
    if bytes.starts_with(b"\x93NUMPY") {
        return refuse("a single NumPy array", "an archive of arrays, as numpy.savez writes it");
    }
    match named {
        Form::Numpy => return refuse("no ZIP archive", "an archive of arrays, as numpy.savez writes it"),
        Form::Matlab => return refuse("no MATLAB file of version 5 to 7", "one saved with '-v7' (Octave: save -v7)"),
        Form::Json => {}
    }
    let text = text_of(bytes)?;
    serde_json::from_str(&text).map_err(|e| {
        InputError::new("", format!("no JSON: {e}"), "an instance file (docs: instance format)")
            .at_line(e.line())
            .into()
    })
}

/// The text of bytes; a byte order mark is passed over.
pub(super) fn text_of(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        InputError::new("", format!("a byte at {at} that is not UTF-8"), "UTF-8 text")
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text))
}

/// Reads a file of bearable size.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut read = || {
        let file = File::open(path)?;
        let stated = file.metadata()?.len();
        // Pipes and devices state no length: the limit holds while reading, too.
        if stated <= LARGEST_FILE { file.take(LARGEST_FILE + 1).read_to_end(&mut bytes) } else { Ok(usize::MAX) }
    };
    if read().map_err(|source| Error::file("read", path, source))? as u64 > LARGEST_FILE {
        let mistake = InputError::new("", "a longer file", format!("at most {LARGEST_FILE} bytes"));
        return Err(Error::from(mistake).in_file(path));
    }
    Ok(bytes)
}

/// Writes a tree in the form that the file's name asks for; `text` is its JSON.
pub fn write_tree(path: &Path, tree: &Map<String, Value>, text: &str) -> Result<()> {
    let bytes = match Form::of(path) {
        Form::Json => Ok(text.as_bytes().to_vec()),
        Form::Numpy => numpy::write(&Node::of_top(tree)),
        Form::Matlab => matlab_writer::write(&Node::of_top(tree)),
    };
    write_whole(path, &bytes.map_err(|e| e.in_file(path))?)
}

/// Writes a file so that it is there as a whole or not at all; pipes and devices are written to as they are.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return std::fs::write(path, bytes);
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path).map(|_| ()).map_err(|e| e.error)
    };
    write().map_err(|e| Error::file("write", path, e))
}
