//! Where a plugin's standard error goes: a file of the run folder, up to a limit.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// Bytes that a log takes; what comes after is passed over.
const LONGEST_LOG: usize = 1 << 20;

/// The log of one plugin, shared by its processes. Before it is opened, words are passed over.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Option<Open>>>);

#[derive(Debug)]
struct Open {
    file: File,
    left: usize,
}

impl Log {
    /// Writes from now on to a file.
    pub fn open(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        }
        let file = File::create(path).map_err(|e| Error::file("create", path, e))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Open { file, left: LONGEST_LOG });
        Ok(())
    }

    /// Appends a plugin's words. A log that cannot be written costs no run.
    pub(super) fn write(&self, words: &[u8]) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Open { file, left }) = open.as_mut().filter(|open| open.left > 0) else { return };
        let taken = words.len().min(*left);
        *left -= taken;
        let _ = file.write_all(&words[..taken]);
        if *left == 0 {
            let _ = file.write_all(b"\n(the log ends here: it is full)\n");
        }
    }
}
