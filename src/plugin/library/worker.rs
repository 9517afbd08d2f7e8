//! The worker: a process of isacopt that opens one library and speaks the wire protocol for it. Whatever the library
//! does, it does to this process alone.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use isacopt_plugin::abi::{self, Judged};
use serde_json::{Map, Value, json};

use super::Metrics;
use super::run::said;
use super::service::{Halt, Service};
use super::space::read_space;
use super::table::{Stepped, Table, reason};
use super::view::{Facts, ProblemView};
use crate::design::{Design, DesignSpace};
use crate::error::{Error, Result};
use crate::math::RandomStream;
use crate::metric::number_json;
use crate::plugin::frame::{Frame, VERSION};

/// A long step that asks whether to stop shows a sign of life so often.
const PULSE: Duration = Duration::from_millis(100);

/// Serves a library on standard input and output until the host ends it. What the library prints goes to standard error.
pub fn serve(path: &Path) -> Result<()> {
    let lost = |source: std::io::Error| Error::file("use", "standard output", source);
    let wire = rustix::io::dup(rustix::stdio::stdout()).map_err(|e| lost(e.into()))?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map_err(|e| lost(e.into()))?;
    let mut wire = Wire { input: BufReader::new(std::io::stdin()), output: File::from(wire), bytes: Vec::new() };
    let mut table = None;
    let metrics = Metrics::default();
    while let Some(frame) = Frame::read(&mut wire.input).map_err(lost)? {
        let answered = match frame.kind() {
            "hello" => {
                let features: [&str; 0] = [];
                wire.send(&json!({ "type": "hello", "protocol": VERSION, "features": features }), &[])
            }
            "end" => return Ok(()),
            kind => {
                // It is opened after the greeting, so that the host's deadline holds for its initialisers, too.
                let opened = match table {
                    Some(table) => Ok(table),
                    None => Table::open(path).inspect(|opened| table = Some(*opened)),
                };
                match (opened, kind) {
                    (Err(why), _) => wire.refuse(&why),
                    (Ok(table), "describe") => {
                        wire.send(&json!({ "type": "manifest", "manifest": table.manifest().to_json() }), &[])
                    }
                    (Ok(table), "solve") => solve(table, frame, &mut wire),
                    (Ok(table), "metric") => match metrics.answer(table, &frame.header, &frame.payload) {
                        Ok(value) => wire.send(&value.header, &value.payload),
                        Err(why) => wire.refuse(&why),
                    },
                    (Ok(_), other) => wire.refuse(&format!("a library does not serve `{other}`")),
                }
            }
        };
        // The host is gone: there is nobody to tell.
        if answered.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

struct Wire<R> {
    input: R,
    output: File,
    bytes: Vec<u8>,
}

impl<R: Read> Wire<R> {
    fn send(&mut self, header: &Value, payload: &[f64]) -> std::io::Result<()> {
        self.bytes.clear();
        Frame::encode(header, payload, &mut self.bytes);
        self.output.write_all(&self.bytes)
    }

    fn refuse(&mut self, why: &str) -> std::io::Result<()> {
        self.send(&json!({ "type": "error", "message": why }), &[])
    }

    fn ask(&mut self, header: &Value, payload: &[f64]) -> std::io::Result<Frame> {
        self.send(header, payload)?;
        Frame::read(&mut self.input)?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }
}

/// The problem of a `solve` message.
struct Task {
    solver: String,
    parameters: Map<String, Value>,
    space: DesignSpace,
    fixed: Vec<(usize, Vec<f64>)>,
    view: ProblemView,
    start: Option<Vec<f64>>,
    random: RandomStream,
    evaluations: Option<u64>,
}

impl Task {
    fn read(mut frame: Frame) -> Result<Self, String> {
        let header = &mut frame.header;
        let solver = header.get("solver").and_then(Value::as_str).ok_or("no solver is named")?.to_string();
        let parameters = match header.get_mut("parameters").map(Value::take) {
            Some(Value::Object(parameters)) => parameters,
            _ => Map::new(),
        };
        let problem = header.get("problem").ok_or("there is no problem")?;
        let n = problem.get("dimension").and_then(Value::as_u64).ok_or("the problem has no dimension")? as usize;
        let wants_start = header.get("start").and_then(Value::as_bool).unwrap_or(false);
        if frame.payload.len() != n * if wants_start { 3 } else { 2 } {
            return Err(format!("a problem of {n} coordinates came with {} numbers", frame.payload.len()));
        }
        let (limits, start) = frame.payload.split_at(2 * n);
        let blocks = problem.get("blocks").unwrap_or(&Value::Null);
        let space = read_space(blocks, Some(limits))?;
        if space.len() != n {
            return Err(format!("the blocks have {} coordinates, and the problem {n}", space.len()));
        }
        let is_fixed = |i: usize| blocks[i].get("fixed").and_then(Value::as_bool).unwrap_or(false);
        let fixed = (0..space.blocks().len()).filter(|i| is_fixed(*i)).map(|i| (i, limits[space.range(i)].to_vec()));
        let fixed: Vec<(usize, Vec<f64>)> = fixed.collect();
        let offers = |what: &str| problem["offers"].as_array().is_some_and(|all| all.iter().any(|o| o == what));
        let facts = Facts {
            limits: problem.get("rows").and_then(Value::as_u64).unwrap_or(0) as usize,
            maximize: problem.get("direction").and_then(Value::as_str) == Some("maximize"),
            repairs: offers("repair"),
            gradients: offers("gradient"),
            description: problem.to_string(),
        };
        let view = ProblemView::new(&space, &|name| fixed.iter().any(|(i, _)| space.blocks()[*i].name == name), facts);
        let random =
            stream(header.get("random").unwrap_or(&Value::Null)).ok_or("the random stream is not understood")?;
        let evaluations = header["budget"]["evaluations"].as_u64();
        let start = wants_start.then(|| start.to_vec());
        Ok(Self { solver, parameters, space, fixed, view, start, random, evaluations })
    }
}

/// The stream of its place.
fn stream(value: &Value) -> Option<RandomStream> {
    let digits = value.get("key")?.as_str()?;
    let mut key = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(RandomStream::at_state(key, value.get("words")?.as_str()?.parse().ok()?))
}

/// Serves one `solve`. An error is the wire's: the host is gone.
fn solve<R: Read>(table: &'static Table, frame: Frame, wire: &mut Wire<R>) -> std::io::Result<()> {
    let task = match Task::read(frame) {
        Ok(task) => task,
        Err(why) => return wire.refuse(&why),
    };
    let Task { solver, parameters, space, fixed, view, start, random, evaluations } = task;
    let mut service = OverWire {
        wire,
        space,
        fixed,
        random,
        stop: false,
        left: evaluations,
        pulse: Instant::now(),
        broken: None,
        answer: Vec::new(),
        scratch: Design::default(),
    };
    service.scratch = Design::zeros(&service.space);
    let mut best = vec![0.0; service.space.len()];
    let begun = table.begin(&solver, &parameters, start.as_deref(), &view, &mut service);
    let end = match begun {
        Ok(mut handle) => loop {
            let stepped = handle.step(&view, &mut service);
            if service.broken.is_some() {
                break Ok(());
            }
            let stepped = stepped.and_then(|stepped| handle.best(&mut best).map(|()| stepped));
            let ((outcome, words), bound) = match stepped {
                Ok((Stepped::Stopped, bound)) => (("stopped", String::new()), bound),
                Ok((Stepped::Outcome(outcome, words), bound)) => match status(outcome) {
                    Ok(name) => ((name, words), bound),
                    Err(why) => break service.wire.refuse(&why),
                },
                Err(halt) => break service.wire.refuse(&reason(halt)),
            };
            let bound = bound.map(number_json);
            if outcome == "advanced" {
                let heard = service.exchange(&json!({ "type": "report", "bound": bound }), &best);
                if service.broken.is_some() {
                    break Ok(());
                }
                if heard.is_ok() && !service.stop {
                    continue;
                }
                let result = json!({ "type": "result", "status": "stopped", "message": "", "bound": bound });
                break service.wire.send(&result, &best);
            }
            let message = said(words, outcome);
            let result = json!({ "type": "result", "status": outcome, "message": message, "bound": bound });
            break service.wire.send(&result, &best);
        },
        Err(Halt::Stop) => {
            service.wire.send(&json!({ "type": "result", "status": "stopped", "message": "", "bound": null }), &[])
        }
        Err(halt) => service.wire.refuse(&reason(halt)),
    };
    match service.broken {
        Some(error) => Err(error),
        None => end,
    }
}

/// An outcome's name on the wire.
fn status(outcome: u32) -> Result<&'static str, String> {
    Ok(match outcome {
        abi::STEP_ADVANCED => "advanced",
        abi::STEP_CONVERGED => "converged",
        abi::STEP_OPTIMAL => "optimal",
        abi::STEP_STUCK => "stuck",
        abi::STEP_DIVERGED => "diverged",
        other => return Err(format!("its step ended as {other}, which there is not")),
    })
}

/// The host's functions over the wire.
struct OverWire<'a, R> {
    wire: &'a mut Wire<R>,
    space: DesignSpace,
    fixed: Vec<(usize, Vec<f64>)>,
    random: RandomStream,
    /// What the last answer said.
    stop: bool,
    left: Option<u64>,
    pulse: Instant,
    /// Why the wire is of no further use.
    broken: Option<std::io::Error>,
    answer: Vec<f64>,
    scratch: Design,
}

impl<R: Read> OverWire<'_, R> {
    /// Asks the host; keeps its numbers, and whether it wants an end.
    fn exchange(&mut self, header: &Value, payload: &[f64]) -> Result<Value, Halt> {
        if self.broken.is_some() {
            return Err(Halt::Stop);
        }
        match self.wire.ask(header, payload) {
            Ok(frame) => {
                self.pulse = Instant::now();
                self.stop = frame.header.get("stop").and_then(Value::as_bool).unwrap_or(false);
                self.answer = frame.payload;
                match frame.header.get("type").and_then(Value::as_str) {
                    Some("stop") => {
                        self.stop = true;
                        Err(Halt::Stop)
                    }
                    _ => Ok(frame.header),
                }
            }
            Err(error) => {
                self.broken = Some(error);
                Err(Halt::Stop)
            }
        }
    }

    fn expect(&self, numbers: usize) -> Result<(), Halt> {
        match self.answer.len() == numbers {
            true => Ok(()),
            false => Err(Halt::Failed(format!("isacopt answered {} numbers, not {numbers}", self.answer.len()))),
        }
    }

    fn spend(&mut self, evaluations: usize) {
        self.left = self.left.map(|left| left.saturating_sub(evaluations as u64));
    }

    fn project_scratch(&mut self) {
        self.space.project(&mut self.scratch);
        for (index, values) in &self.fixed {
            self.scratch[self.space.range(*index)].copy_from_slice(values);
        }
    }
}

impl<R: Read> Service for OverWire<'_, R> {
    fn evaluate(&mut self, designs: &[f64], out: &mut [Judged]) -> Result<(), Halt> {
        if self.stop {
            return Err(Halt::Stop);
        }
        self.exchange(&json!({ "type": "evaluate", "count": out.len() }), designs)?;
        self.expect(2 * out.len())?;
        self.spend(out.len());
        for (out, pair) in out.iter_mut().zip(self.answer.chunks_exact(2)) {
            *out = Judged { objective: pair[0], violation: pair[1] };
        }
        Ok(())
    }

    fn evaluate_limits(&mut self, design: &[f64], out: &mut Judged, misses: &mut [f64]) -> Result<(), Halt> {
        if self.stop {
            return Err(Halt::Stop);
        }
        self.exchange(&json!({ "type": "evaluate", "count": 1, "misses": true }), design)?;
        self.expect(2 + misses.len())?;
        self.spend(1);
        *out = Judged { objective: self.answer[0], violation: self.answer[1] };
        misses.copy_from_slice(&self.answer[2..]);
        Ok(())
    }

    fn gradient(&mut self, design: &[f64]) -> Result<&[f64], Halt> {
        if self.stop {
            return Err(Halt::Stop);
        }
        self.exchange(&json!({ "type": "gradient" }), design)?;
        Ok(&self.answer)
    }

    fn repair(&mut self, design: &mut [f64]) -> Result<bool, Halt> {
        let answer = self.exchange(&json!({ "type": "repair" }), design)?;
        self.expect(design.len())?;
        design.copy_from_slice(&self.answer);
        Ok(answer.get("feasible").and_then(Value::as_bool).unwrap_or(false))
    }

    fn project(&mut self, design: &mut [f64]) {
        self.scratch.copy_from_slice(design);
        self.project_scratch();
        design.copy_from_slice(&self.scratch);
    }

    fn random_design(&mut self, design: &mut [f64]) {
        self.scratch = self.space.random(&mut self.random);
        self.project_scratch();
        design.copy_from_slice(&self.scratch);
    }

    fn random(&mut self) -> &mut RandomStream {
        &mut self.random
    }

    fn report(&mut self, design: &[f64]) -> Result<(), Halt> {
        self.exchange(&json!({ "type": "report", "bound": null, "within": true }), design).map(|_| ())
    }

    fn should_stop(&mut self) -> bool {
        if !self.stop && self.pulse.elapsed() >= PULSE {
            // Only its flag is of interest.
            let _ = self.exchange(&json!({ "type": "alive" }), &[]);
        }
        self.stop || self.broken.is_some()
    }

    fn evaluations_left(&self) -> u64 {
        self.left.unwrap_or(u64::MAX)
    }
}
