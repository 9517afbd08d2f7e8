//! Where a plugin comes from, how far it is trusted, and what it may use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, InputError, Result};

/// How a plugin is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// A program of its own that speaks the wire protocol on its standard input and output.
    Process,
    /// A shared library inside isacopt; only where the config trusts it.
    Library,
    /// A shared library in a worker process of isacopt, which speaks the wire protocol for it.
    Worker,
}

impl Tier {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Library => "library",
            Self::Worker => "worker",
        }
    }
}

/// What a plugin's process may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The time until its next sign of life.
    pub deadline: Duration,
    /// Its address space in bytes.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(60), memory: 8 << 30 }
    }
}

/// A plugin's file.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// The file's SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// How it is reached.
    pub tier: Tier,
    /// The program that runs the file; none where the file is a program itself.
    pub interpreter: Option<String>,
    /// What its process may use.
    pub limits: Limits,
}

impl Location {
    /// Looks at a file. A shared library that is not trusted goes into a worker; any other file is a program.
    ///
    /// # Errors
    /// Where it cannot be read, or its hash is not the one that is given.
    pub fn new(path: &Path, trusted: bool, sha256: Option<&str>, limits: Limits) -> Result<Self> {
        let found = hash(path)?;
        if let Some(wanted) = sha256.filter(|wanted| !wanted.eq_ignore_ascii_case(&found)) {
            let allowed = format!("a file with the hash {wanted}: check what changed it, or correct the hash");
            return Err(InputError::new("sha256", format!("{} with the hash {found}", path.display()), allowed).into());
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let library = ["so", "dylib", "dll"].contains(&extension);
        let tier = match (library, trusted) {
            (false, _) => Tier::Process,
            (true, true) => Tier::Library,
            (true, false) => Tier::Worker,
        };
        let path = std::path::absolute(path).map_err(|e| Error::file("find", path, e))?;
        let interpreter = (extension == "py").then(|| "python3".to_string());
        Ok(Self { path, sha256: found, tier, interpreter, limits })
    }
}

impl Location {
    /// Whether the file is still the one that was looked at; else the reason.
    pub(super) fn unchanged(&self) -> Result<(), String> {
        match hash(&self.path) {
            Ok(now) if now == self.sha256 => Ok(()),
            Ok(_) => Err("its file was changed since it was loaded".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn hash(path: &Path) -> Result<String> {
    let content = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
    Ok(Sha256::digest(&content).iter().map(|b| format!("{b:02x}")).collect())
}
