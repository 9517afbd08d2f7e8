//! The program as a person meets it: started as a process, judged by its exit code and what it prints.

use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a call left behind.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Answer {
    /// The JSON on standard output of a call that succeeded.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {}", self.out))
    }

    /// Standard output of a call that succeeded.
    #[track_caller]
    pub fn text(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The message of a call that was refused as the caller's mistake: exit code 2, nothing on standard output, and
    /// lines that begin with "error: ", none of them a panic.
    #[track_caller]
    pub fn refusal(self) -> String {
        assert_eq!(self.code, Some(2), "{}{}", self.out, self.err);
        assert!(self.out.is_empty(), "{}", self.out);
        assert!(!self.err.is_empty() && self.err.lines().all(|line| line.starts_with("error: ")), "{}", self.err);
        assert!(!self.err.contains("mistake in isacopt") && !self.err.contains("panic"), "{}", self.err);
        self.err
    }
}

/// A call that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A call that is not started yet.
pub fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isacopt"));
    command.args(arguments);
    command
}

/// Calls the program and waits for it.
#[track_caller]
pub fn isacopt<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Answer {
    answer(&mut command(arguments))
}

/// Calls the program in a folder.
#[track_caller]
pub fn isacopt_in<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Answer {
    answer(command(arguments).current_dir(folder))
}

/// Starts a call, waits for it, and gives what it left behind. Its streams are files, so that it never waits for a
/// reader.
#[track_caller]
pub fn answer(command: &mut Command) -> Answer {
    let mut streams = [tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file")];
    let [out, err] = [&streams[0], &streams[1]].map(|file| Stdio::from(file.try_clone().expect("a second handle")));
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("the program starts");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("its state") {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("it hangs: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let [out, err] = streams.each_mut().map(|file| {
        let mut text = String::new();
        file.rewind().expect("from the beginning");
        file.read_to_string(&mut text).expect("UTF-8");
        text
    });
    Answer { code: status.code(), out, err }
}

/// The small system of many tests: quick, and its limits bind.
pub const SMALL: &str = r#"
name = "small"

[scenario]
type = "monostatic"
transmit = { horizontal = 4, vertical = 4 }
receive = { horizontal = 3, vertical = 3 }
users = 4
crlb_azimuth_limit = "4 deg"
crlb_elevation_limit = "4 deg"
"#;

/// A folder for configs and run folders.
pub struct Bench(tempfile::TempDir);

impl Bench {
    /// An empty one.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// One with the config `e.toml`.
    pub fn new(config: impl AsRef<[u8]>) -> Self {
        let bench = Self::empty();
        bench.write("e.toml", config);
        bench
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A place in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    /// The names of what is in it.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder()).expect("readable");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Calls the program in it.
    #[track_caller]
    pub fn call(&self, arguments: &[&str]) -> Answer {
        isacopt_in(self.folder(), arguments)
    }

    /// What a call that succeeds says.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        self.call(arguments).text()
    }

    /// Runs a config into `out`.
    #[track_caller]
    pub fn run(&self, config: &str, out: &str, more: &[&str]) -> Answer {
        self.write("e.toml", config);
        self.call(&[&["run", "e.toml", "--out", out], more].concat())
    }

    /// The text of a run folder's results.
    #[track_caller]
    pub fn results(&self, out: &str) -> String {
        std::fs::read_to_string(self.path(out).join("results.jsonl")).expect("results")
    }

    /// Its results.
    #[track_caller]
    pub fn records(&self, out: &str) -> Vec<Value> {
        self.results(out).lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

/// A number of the program's JSON: infinite and undefined ones are texts.
pub fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        Some("nan") => Some(f64::NAN),
        Some(_) => None,
        None => value.as_f64(),
    }
}
