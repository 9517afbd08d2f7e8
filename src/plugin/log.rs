//! Where a plugin's standard error goes: a file of the run folder, up to a limit.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that a log takes; what comes after is passed over.
const LONGEST_LOG: usize = 1 << 20;

/// The log of one plugin, shared by its processes. Before it has a place, words are passed over.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Option<Open>>>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: Option<File>,
    left: usize,
}

impl Log {
    /// Writes from now on to a file, which is made at the first word.
    pub fn open(&self, path: &Path) {
        let open = Open { path: path.to_path_buf(), file: None, left: LONGEST_LOG };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }

    /// Appends a plugin's words. A log that cannot be written costs no run.
    pub(super) fn write(&self, words: &[u8]) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = open.as_mut().filter(|open| open.left > 0) else { return };
        let taken = words.len().min(open.left);
        open.left -= taken;
        if open.file.is_none() {
            let _ = open.path.parent().map(std::fs::create_dir_all);
            open.file = File::create(&open.path).ok();
        }
        let Some(file) = &mut open.file else { return };
        let _ = file.write_all(&words[..taken]);
        if open.left == 0 {
            let _ = file.write_all(b"\n(the log ends here: it is full)\n");
        }
    }
}
