//! A process of a plugin: started, talked to with a deadline, and ended with everything that it started.
//!
//! The process leads a group of its own, its address space is limited, and its standard error is read by a thread that
//! keeps the last words and forgets the rest. Whatever goes wrong becomes a reason in words; then the whole group is
//! killed and the process is reaped.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::{Value, json};

use super::frame::{Frame, VERSION, lengths, parse};
use super::location::{Limits, Location, Tier};
use super::log::Log;

/// Between two looks at what else may end the waiting.
const TICK: Duration = Duration::from_millis(50);

/// Last words that a reason quotes, in bytes.
const LAST_WORDS: usize = 2000;

/// Groups of processes that are alive, for an end in a hurry.
static LIVE: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Kills all processes of plugins: for the program's end without unwinding.
pub fn kill_all() {
    for group in LIVE.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some(group) = Pid::from_raw(*group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Why waiting for a frame ended without one.
pub enum Silence {
    /// The one who waits gave up.
    GaveUp,
    /// The process did what it must not, or died: it is of no further use.
    Broken(String),
}

/// A running process.
pub struct Process {
    child: Child,
    group: Pid,
    stdin: ChildStdin,
    stdout: ChildStdout,
    words: Arc<Mutex<Vec<u8>>>,
    silent: Receiver<()>,
    limits: Limits,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Whether it may serve on: it is alive, and what it said so far was in order.
    fit: bool,
    /// Systems that were drawn in it, by their ids.
    pub(super) drawn: BTreeSet<u64>,
}

impl Process {
    /// Starts a plugin's process, and shakes hands. The error is the reason.
    pub fn start(location: &Location, log: &Log) -> Result<Self, String> {
        let (program, arguments) = command(location)?;
        let mut command = Command::new(&program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        // Runs share the machine's cores already; and a hash's order must not depend on the process.
        for (name, value) in
            [("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1"), ("PYTHONHASHSEED", "0")]
        {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        // A file that was just written may still be open in a process that is about to become another one.
        let mut spawned = command.spawn();
        for _ in 0..50 {
            match &spawned {
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => std::thread::sleep(Duration::from_millis(10)),
                _ => break,
            }
            spawned = command.spawn();
        }
        let mut child = spawned.map_err(|e| {
            let hint = match e.kind() {
                ErrorKind::PermissionDenied => ": is it executable?",
                ErrorKind::NotFound => ": is the program in its first line, or the interpreter, installed?",
                _ => "",
            };
            format!("it cannot be started: {e}{hint}")
        })?;
        let group = Pid::from_child(&child);
        limit(group, &location.limits);
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).insert(group.as_raw_nonzero().get());
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err("it has no standard streams".into());
        };
        let words = Arc::new(Mutex::new(Vec::new()));
        let (end, silent) = channel();
        let (kept, log) = (Arc::clone(&words), log.clone());
        std::thread::spawn(move || {
            listen(stderr, &kept, &log);
            drop(end);
        });
        let (input, output) = (Vec::new(), Vec::new());
        let limits = location.limits;
        let mut process = Self {
            child,
            group,
            stdin,
            stdout,
            words,
            silent,
            limits,
            input,
            output,
            fit: true,
            drawn: BTreeSet::new(),
        };
        for stream in [process.stdin.as_fd(), process.stdout.as_fd()] {
            fcntl_setfl(stream, OFlags::NONBLOCK).map_err(|e| format!("its streams cannot be set up: {e}"))?;
        }
        process.greet()?;
        Ok(process)
    }

    fn greet(&mut self) -> Result<(), String> {
        let features: [&str; 0] = [];
        let version = env!("CARGO_PKG_VERSION");
        let hello = json!({ "type": "hello", "protocol": VERSION, "isacopt": version, "features": features });
        let answer = self.ask(&hello, &[])?;
        let spoken = answer.header.get("protocol");
        match spoken.and_then(Value::as_u64) {
            Some(VERSION) => Ok(()),
            Some(other) => {
                Err(format!("it speaks version {other} of the protocol, and isacopt speaks version {VERSION}"))
            }
            None => Err("its greeting names no version of the protocol".into()),
        }
    }

    /// A request that is answered by one frame of the type that the protocol says. An `error` is a reason, too.
    pub fn ask(&mut self, header: &Value, payload: &[f64]) -> Result<Frame, String> {
        let kind = header.get("type").and_then(Value::as_str).unwrap_or_default();
        let wanted = match kind {
            "describe" => "manifest",
            "metric" => "value",
            "draw" => "drawn",
            "judge" => "judged",
            "slope" => "slopes",
            "sample" => "samples",
            "estimate" => "estimates",
            "forget" => "forgotten",
            other => other,
        };
        self.send(header, payload)?;
        match self.receive(&mut || false) {
            Ok(frame) if frame.kind() == wanted => Ok(frame),
            Ok(frame) if frame.kind() == "error" => Err(message(&frame)),
            Ok(frame) => Err(self.end(&format!("it answered `{kind}` by `{}`, not by `{wanted}`", frame.kind()))),
            Err(Silence::Broken(why)) => Err(why),
            Err(Silence::GaveUp) => Err("it did not answer".into()),
        }
    }

    /// Its memory in bytes and its open files, where the system tells them.
    pub fn resources(&self) -> Option<(u64, u64)> {
        let folder = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some((memory << 10, std::fs::read_dir(format!("{folder}/fd")).ok()?.count() as u64))
    }

    /// Sends a frame.
    pub fn send(&mut self, header: &Value, payload: &[f64]) -> Result<(), String> {
        self.output.clear();
        Frame::encode(header, payload, &mut self.output);
        let until = Instant::now() + self.limits.deadline;
        let mut sent = 0;
        while sent < self.output.len() {
            match self.stdin.write(&self.output[sent..]) {
                Ok(n) => sent += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() >= until {
                        let seconds = self.limits.deadline.as_secs_f64();
                        return Err(self.end(&format!("it did not read what it was sent for {seconds} s")));
                    }
                    let mut ready = [PollFd::new(&self.stdin, PollFlags::OUT)];
                    let _ = poll(&mut ready, Some(&timespec(TICK)));
                }
                Err(_) => return Err(self.death()),
            }
        }
        Ok(())
    }

    /// The next frame. Between looks `give_up` is asked whether to wait no longer.
    pub fn receive(&mut self, give_up: &mut dyn FnMut() -> bool) -> Result<Frame, Silence> {
        let until = Instant::now() + self.limits.deadline;
        loop {
            if let Some(frame) = self.buffered().map_err(|why| {
                let why = format!("its standard output holds {why}");
                Silence::Broken(self.end(&why))
            })? {
                return Ok(frame);
            }
            let mut ready = [PollFd::new(&self.stdout, PollFlags::IN)];
            let woken = poll(&mut ready, Some(&timespec(TICK))).unwrap_or(0);
            if woken > 0 {
                match self.fill() {
                    Ok(0) => return Err(Silence::Broken(self.death())),
                    Ok(_) => continue,
                    Err(e) if [ErrorKind::Interrupted, ErrorKind::WouldBlock].contains(&e.kind()) => continue,
                    Err(_) => return Err(Silence::Broken(self.death())),
                }
            }
            // The leader may be gone while someone of its group holds the pipe.
            if self.exited() {
                return Err(Silence::Broken(self.death()));
            }
            if give_up() {
                return Err(Silence::GaveUp);
            }
            if Instant::now() >= until {
                let seconds = self.limits.deadline.as_secs_f64();
                return Err(Silence::Broken(self.end(&format!("it gave no sign of life for {seconds} s"))));
            }
        }
    }

    /// Reads what is there, and how much; 0 at the stream's end.
    fn fill(&mut self) -> std::io::Result<usize> {
        let have = self.input.len();
        // A frame that is announced is read at once.
        let announced = match self.input.first_chunk::<8>().map(lengths) {
            Some(Ok((header, payload))) => (8 + header + 8 * payload).saturating_sub(have),
            _ => 0,
        };
        self.input.resize(have + announced.clamp(1 << 13, 1 << 20), 0);
        let read = self.stdout.read(&mut self.input[have..]);
        self.input.truncate(have + read.as_ref().map_or(0, |n| *n));
        read
    }

    /// The frame that was read, where one is whole.
    fn buffered(&mut self) -> std::io::Result<Option<Frame>> {
        let Some(prefix) = self.input.first_chunk::<8>() else { return Ok(None) };
        let (header, payload) = lengths(prefix)?;
        let end = 8 + header + 8 * payload;
        if self.input.len() < end {
            return Ok(None);
        }
        let frame = parse(&self.input[8..end], header)?;
        self.input.drain(..end);
        Ok(Some(frame))
    }

    fn exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(self.group), options), Ok(Some(_)) | Err(_))
    }

    /// The reason of a death, with the last words. Everything of the group is killed, too.
    fn death(&mut self) -> String {
        while self.input.len() < 1 << 16 && self.fill().is_ok_and(|n| n > 0) {}
        let within = match (self.buffered(), self.input.as_slice()) {
            (Err(why), _) => format!("; its standard output holds {why}"),
            (Ok(_), []) => String::new(),
            (Ok(_), rest) => {
                let seen = String::from_utf8_lossy(&rest[..rest.len().min(8)]).escape_debug().to_string();
                format!(" in the middle of a frame that begins by \"{seen}\"")
            }
        };
        // Whoever closes its streams has a moment to end by itself.
        let until = Instant::now() + Duration::from_secs(1);
        while !self.exited() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let gone = self.exited();
        let status = self.kill();
        let how = match status {
            Some(status) if gone => ended(status),
            _ => "closed its standard output".into(),
        };
        format!("it {how}{within}{}", self.last_words())
    }

    /// Ends the process for a reason, which comes back with its last words.
    fn end(&mut self, why: &str) -> String {
        self.kill();
        format!("{why}{}", self.last_words())
    }

    /// Whether it may serve on.
    pub fn is_fit(&self) -> bool {
        self.fit && !self.exited()
    }

    /// Kills the whole group, and reaps the process.
    fn kill(&mut self) -> Option<ExitStatus> {
        self.fit = false;
        if LIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.group.as_raw_nonzero().get()) {
            // Before the leader is reaped, so that no other can have taken the group's number.
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        self.child.wait().ok()
    }

    fn last_words(&self) -> String {
        // Its end is near; but someone who left the group may keep the stream open.
        let _ = self.silent.recv_timeout(Duration::from_millis(300));
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&words);
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        match lines.as_slice() {
            [] => String::new(),
            lines => format!("; its last words: {}", lines[lines.len().saturating_sub(3)..].join(" | ")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The words of an `error` frame, shortened.
pub fn message(frame: &Frame) -> String {
    let words = frame.header.get("message").and_then(Value::as_str).unwrap_or("it failed without a word");
    words.chars().take(LAST_WORDS).collect()
}

/// The program and its arguments.
fn command(location: &Location) -> Result<(OsString, Vec<OsString>), String> {
    let path = location.path.clone().into_os_string();
    let own = |e: std::io::Error| format!("isacopt cannot find itself to start a worker: {e}");
    match (location.tier, &location.interpreter) {
        (Tier::Process, Some(interpreter)) => Ok((interpreter.into(), vec![path])),
        (Tier::Process, None) => Ok((path, Vec::new())),
        (_, Some(program)) => Ok((program.into(), vec!["plugin-worker".into(), path])),
        (_, None) => Ok((std::env::current_exe().map_err(own)?.into(), vec!["plugin-worker".into(), path])),
    }
}

/// Limits a process that has just begun; what it starts inherits them.
fn limit(process: Pid, limits: &Limits) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{Resource, Rlimit, prlimit};
        let to = |value| Rlimit { current: Some(value), maximum: Some(value) };
        // A process that is gone already needs none. No picture of gigabytes is left by one that crashes.
        let _ = prlimit(Some(process), Resource::As, to(limits.memory));
        let _ = prlimit(Some(process), Resource::Core, to(0));
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (process, limits);
}

/// Keeps the last words of a stream until its end.
fn listen(mut stderr: ChildStderr, words: &Mutex<Vec<u8>>, log: &Log) {
    let mut buffer = [0; 4096];
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => return,
            Ok(n) => {
                log.write(&buffer[..n]);
                let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                words.extend_from_slice(&buffer[..n]);
                let excess = words.len().saturating_sub(LAST_WORDS);
                words.drain(..excess);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => {
            let name = match signal {
                4 => " (illegal instruction)",
                6 => " (abort)",
                7 => " (bus error)",
                8 => " (floating-point exception)",
                9 => " (killed)",
                11 => " (segmentation fault)",
                15 => " (terminated)",
                _ => "",
            };
            format!("was ended by signal {signal}{name}")
        }
        _ => "ended".into(),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}
