//! Errors: misuse, bad input and failing files. Numerical outcomes are no errors, see [`crate::Status`].

use std::fmt;
use std::path::{Path, PathBuf};

/// What every fallible call of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call could not be served. Each message says where, what was found, and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One or more mistakes in what a person or a program handed in.
    #[error("{}", list(.0))]
    Input(Vec<InputError>),
    /// A solver that does not fit a problem, or an instance it cannot serve.
    #[error("solver `{solver}` cannot serve this problem: {reason}")]
    Refused {
        /// The solver's label.
        solver: String,
        /// What is missing, in words.
        reason: String,
    },
    /// A file or folder that could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A check that was asked for does not hold.
    #[error("{0}")]
    CheckFailed(String),
    /// A plugin that cannot be used, or that did what none may do.
    #[error("plugin {plugin}: {reason}")]
    Plugin {
        /// The plugin's file, or its name.
        plugin: String,
        /// What it did, in words.
        reason: String,
    },
    /// A computation that gave no usable number where one is needed.
    #[error("numerical failure: {0}")]
    Numerical(String),
}

fn list(errors: &[InputError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Error {
    /// An error about a file or folder.
    pub fn file(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::File { action, path: path.as_ref().to_path_buf(), source }
    }

    /// Names the file in which the input stands, where none is named yet.
    #[must_use]
    pub fn in_file(self, file: impl AsRef<Path>) -> Self {
        match self {
            Self::Input(errors) => {
                let name = file.as_ref().display().to_string();
                Self::Input(
                    errors
                        .into_iter()
                        .map(|e| InputError { file: e.file.or_else(|| Some(name.clone())), ..e })
                        .collect(),
                )
            }
            other => other,
        }
    }

    /// Puts the keys of input errors under the path of the object that holds them.
    #[must_use]
    pub fn under(self, place: &str) -> Self {
        match self {
            Self::Input(errors) => Self::Input(errors.into_iter().map(|e| e.under(place)).collect()),
            other => other,
        }
    }

    /// The program's exit code: 2 for everything that the caller can mend.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::CheckFailed(_) | Self::Numerical(_) | Self::Plugin { .. } => 1,
            _ => 2,
        }
    }
}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        Self::Input(vec![error])
    }
}

/// One mistake in an input: the place, what was found, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The file, where the input came from one.
    pub file: Option<String>,
    /// The line in it, from 1, where known.
    pub line: Option<usize>,
    /// The key's path, such as `instance.transmit_power`.
    pub key: String,
    /// What was found there.
    pub found: String,
    /// What is allowed there.
    pub allowed: String,
}

impl InputError {
    /// A mistake at a key.
    pub fn new(key: impl Into<String>, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { file: None, line: None, key: key.into(), found: found.into(), allowed: allowed.into() }
    }

    /// An unknown name, with the nearest valid one and the list of all.
    pub fn unknown<'a>(key: impl Into<String>, name: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        let valid: Vec<&str> = valid.into_iter().collect();
        let mut allowed = String::new();
        if let Some(near) = nearest(name, valid.iter().copied()) {
            allowed = format!("did you mean `{near}`? ");
        }
        allowed += &match valid.len() {
            0 => "nothing is known here".to_string(),
            _ => format!("one of {}", valid.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")),
        };
        Self::new(key, format!("unknown name `{name}`"), allowed)
    }

    /// The same mistake, its key under the path of the object that holds it.
    #[must_use]
    pub fn under(self, place: &str) -> Self {
        let key = match self.key.as_str() {
            "" => place.to_string(),
            key => format!("{place}.{key}"),
        };
        Self { key, ..self }
    }

    /// The same mistake, with its line.
    #[must_use]
    pub fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            write!(f, " ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "found {}; allowed: {}", self.found, self.allowed)
    }
}

/// The valid name that is nearest to a misspelled one, if any is near.
pub fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    valid
        .into_iter()
        .map(|v| (strsim::jaro_winkler(name, v), v))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_answered_with_the_nearest() {
        let error = InputError::unknown("scenario.precodr", "precodr", ["precoder", "users"]);
        let text = Error::from(error.at_line(3)).in_file("a.toml").to_string();
        assert!(text.starts_with("a.toml:3: `scenario.precodr`: found unknown name"), "{text}");
        assert!(text.contains("did you mean `precoder`?"), "{text}");
        assert_eq!(nearest("zzz", ["precoder"]), None);
    }
}
