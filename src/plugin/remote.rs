//! Plugins in processes: a few of them, each used by one run at a time, and the iterate that serves a solver's requests.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::desk::{Desk, Wanted, coordinate_limits};
use super::frame::Frame;
use super::log::Log;
use super::process::{Process, Silence, message};
use super::{Backend, Location, Manifest, Solve};
use crate::design::Design;
use crate::error::Result;
use crate::math::RandomStream;
use crate::metric::{number_from_json, number_json};
use crate::optimizer::{Budget, Iterate, Step};

/// How long a plugin may take to end its work once it was told to.
const GRACE: Duration = Duration::from_secs(1);

/// Numbers that one request for random ones may ask for.
const MOST_NUMBERS: u64 = 1 << 22;

/// A plugin in processes.
pub struct Remote {
    shared: Arc<Shared>,
    manifest: Manifest,
}

struct Shared {
    location: Location,
    log: Log,
    idle: Mutex<Vec<Process>>,
}

impl Shared {
    /// A process that nobody uses, or a new one. The file must still be what was loaded.
    fn lease(self: &Arc<Self>) -> Result<Lease, String> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Process::is_fit);
        let found = idle.pop();
        drop(idle);
        let process = match found {
            Some(process) => process,
            None => {
                self.location.unchanged()?;
                Process::start(&self.location, &self.log)?
            }
        };
        Ok(Lease { process: Some(process), shared: Arc::clone(self) })
    }
}

/// A process in use. It goes back to the others where its user says that it is fit for that.
struct Lease {
    process: Option<Process>,
    shared: Arc<Shared>,
}

impl Lease {
    fn give_back(&mut self) {
        if let Some(process) = self.process.take().filter(Process::is_fit) {
            self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
    }

    fn process(&mut self) -> Result<&mut Process, String> {
        self.process.as_mut().ok_or_else(|| "its process has ended".into())
    }
}

impl Remote {
    /// Starts the first process, and asks what the plugin offers.
    pub fn connect(location: &Location) -> Result<Self> {
        let log = Log::default();
        let shared = Arc::new(Shared { location: location.clone(), log, idle: Mutex::default() });
        let read = || {
            let mut lease = shared.lease()?;
            let mut answer = lease.process()?.ask(&json!({ "type": "describe" }), &[])?;
            let manifest = Manifest::read(answer.header["manifest"].take());
            let manifest = manifest.map_err(|why| format!("its manifest is invalid: {why}"))?;
            lease.give_back();
            Ok(manifest)
        };
        let manifest = read().map_err(|why: String| location.error(why))?;
        Ok(Self { shared, manifest })
    }

    fn error(&self, why: String) -> crate::Error {
        self.shared.location.error(why)
    }
}

impl Backend for Remote {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn begin(&self, solve: Solve) -> Result<Box<dyn Iterate>> {
        let desk = Desk::new(&solve)?;
        let lease = self.shared.lease().map_err(|why| self.error(why))?;
        Ok(Box::new(Session {
            desk,
            solve: Some(solve),
            lease,
            open: None,
            ended: None,
            location: self.shared.location.clone(),
            answer: Vec::new(),
        }))
    }

    fn ask(&self, system: Option<&Drawing>, header: &Value, payload: &[f64]) -> Result<Frame> {
        let mut lease = self.shared.lease().map_err(|why| self.error(why))?;
        let mut ask = || {
            let process = lease.process()?;
            if let Some(system) = system
                && !process.drawn.contains(&system.id)
            {
                process.ask(&system.request(), &[])?;
                process.drawn.insert(system.id);
            }
            process.ask(header, payload)
        };
        let answer = ask();
        // One that said why it cannot answer is ready for the next question.
        lease.give_back();
        answer.map_err(|why| self.error(why))
    }

    fn forget(&self, system: &Drawing) {
        let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let header = json!({ "type": "forget", "id": system.id });
        // One that does not answer is of no further use.
        idle.retain_mut(|process| !process.drawn.remove(&system.id) || process.ask(&header, &[]).is_ok());
    }

    fn resources(&self) -> Option<(u64, u64)> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter()
            .map(Process::resources)
            .try_fold((0, 0), |(memory, files), of| Some((memory + of?.0, files + of?.1)))
    }

    fn log(&self) -> Option<&Log> {
        Some(&self.shared.log)
    }
}

/// A system model that a plugin draws, by what determines it.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What the plugin knows it by.
    pub id: u64,
    model: String,
    parameters: Map<String, Value>,
    random: RandomStream,
}

impl Drawing {
    /// A drawing of a model; its randomness comes from the stream.
    pub fn new(model: &str, parameters: &Map<String, Value>, random: RandomStream) -> Self {
        let mut hash = DefaultHasher::new();
        (model, Value::Object(parameters.clone()).to_string(), random.state()).hash(&mut hash);
        // Numbers of this size survive every language's JSON.
        let id = hash.finish() >> 11;
        Self { id, model: model.to_string(), parameters: parameters.clone(), random }
    }

    /// The request that draws it.
    pub fn request(&self) -> Value {
        json!({ "type": "draw", "id": self.id, "model": self.model, "parameters": self.parameters,
            "random": stream_json(&self.random), "seed": seed(&self.random) })
    }
}

/// A stream as the protocol tells it.
pub fn stream_json(random: &RandomStream) -> Value {
    let (key, words) = random.state();
    let key: String = key.iter().map(|b| format!("{b:02x}")).collect();
    json!({ "key": key, "words": words.to_string() })
}

/// A whole number below 2^53 from a stream's key, for generators of a plugin's own.
pub fn seed(random: &RandomStream) -> u64 {
    let (key, words) = random.state();
    let first = key.iter().take(8).fold(0, |seed: u64, byte| seed << 8 | u64::from(*byte));
    (first ^ words as u64) >> 11
}

/// The question that the plugin waits with.
enum Open {
    /// After a report: it goes on.
    Report,
    /// One that the spent budget left without an answer.
    Question(Frame),
}

/// A plugin's solver at work.
struct Session {
    desk: Desk,
    /// What to tell it in the first step.
    solve: Option<Solve>,
    lease: Lease,
    open: Option<Open>,
    ended: Option<String>,
    location: Location,
    answer: Vec<f64>,
}

impl Iterate for Session {
    fn step(&mut self, budget: &Budget) -> Result<Step> {
        if let Some(why) = &self.ended {
            return Ok(Step::Stuck(why.clone()));
        }
        self.serve(budget).map_err(|why| {
            // Whatever state it is in, it is of no further use.
            self.lease.process = None;
            self.ended = Some("the plugin has failed".into());
            self.location.error(why)
        })
    }

    fn best(&self) -> &Design {
        self.desk.best()
    }

    fn bound(&self) -> Option<f64> {
        self.desk.bound()
    }

    fn evaluations(&self) -> u64 {
        self.desk.evaluations()
    }
}

impl Session {
    /// Answers questions until the next report.
    fn serve(&mut self, budget: &Budget) -> Result<Step, String> {
        let before = self.desk.evaluations();
        if let Some(solve) = self.solve.take() {
            self.send_solve(&solve, budget)?;
        }
        let mut held = match self.open.take() {
            Some(Open::Report) => {
                self.lease.process()?.send(&json!({ "type": "go", "stop": budget.exhausted(0) }), &[])?;
                None
            }
            Some(Open::Question(frame)) => Some(frame),
            None => None,
        };
        let (mut over, mut told) = (None, None);
        loop {
            let frame = match held.take() {
                Some(frame) => frame,
                None => match self.wait(budget, &mut over)? {
                    Some(frame) => frame,
                    None => return Ok(Step::Advanced),
                },
            };
            if told.is_some_and(|told: Instant| told.elapsed() > self.location.limits.deadline) {
                let seconds = self.location.limits.deadline.as_secs_f64();
                return Err(format!("it was told to stop, and went on for {seconds} s"));
            }
            let spent = self.desk.evaluations() - before;
            match frame.kind() {
                "report" if frame.header.get("within") == Some(&Value::Bool(true)) => {
                    self.desk.report(&frame.payload, bound(&frame.header)?)?;
                    self.lease.process()?.send(&json!({ "type": "go", "stop": budget.exhausted(spent) }), &[])?;
                }
                "report" => {
                    self.desk.report(&frame.payload, bound(&frame.header)?)?;
                    self.open = Some(Open::Report);
                    return Ok(Step::Advanced);
                }
                "result" => return self.result(&frame, budget.exhausted(spent)),
                "error" => {
                    // It is ready for the next one.
                    self.lease.give_back();
                    return Err(message(&frame));
                }
                // What is spent is spent: whoever asks on waits until the run ends, or has more.
                "evaluate" | "gradient" if budget.exhausted(spent) => {
                    self.open = Some(Open::Question(frame));
                    return Ok(Step::Advanced);
                }
                _ => {
                    self.answer(&frame, budget, before)?;
                    if budget.exhausted(self.desk.evaluations() - before) {
                        told.get_or_insert_with(Instant::now);
                    }
                }
            }
        }
    }

    /// The next frame; none where the time is `over`, or someone stopped the run, and the plugin does not end.
    fn wait(&mut self, budget: &Budget, over: &mut Option<Instant>) -> Result<Option<Frame>, String> {
        let mut give_up = || {
            let now = budget.cancel().is_set() || budget.seconds_left().is_some_and(|s| s <= 1e-9);
            now && over.get_or_insert_with(Instant::now).elapsed() >= GRACE
        };
        // One that talks on is left as one that is silent.
        let received = match give_up() {
            true => Err(Silence::GaveUp),
            false => self.lease.process()?.receive(&mut give_up),
        };
        match received {
            Ok(frame) => Ok(Some(frame)),
            Err(Silence::GaveUp) => {
                self.lease.process = None;
                self.ended = Some("the plugin did not end in time".into());
                Ok(None)
            }
            Err(Silence::Broken(why)) => Err(why),
        }
    }

    fn send_solve(&mut self, solve: &Solve, budget: &Budget) -> Result<(), String> {
        let mut payload = coordinate_limits(&solve.problem);
        payload.extend(solve.start.iter().flat_map(|start| start.iter()));
        let header = json!({
            "type": "solve",
            "solver": solve.solver,
            "parameters": solve.parameters,
            "problem": self.desk.problem_json(),
            "start": solve.start.is_some(),
            "budget": { "evaluations": budget.evaluations, "seconds": budget.seconds_left() },
            "random": stream_json(&solve.random),
            "seed": seed(&solve.random),
        });
        self.lease.process()?.send(&header, &payload)
    }

    fn answer(&mut self, frame: &Frame, budget: &Budget, before: u64) -> Result<(), String> {
        let n = self.desk.dimension();
        let (kind, header, payload) = (frame.kind(), &frame.header, &frame.payload);
        let count = |most: u64| match header.get("count").and_then(Value::as_u64) {
            Some(count) if count <= most => Ok(count as usize),
            found => Err(format!("its `{kind}` has the count {found:?}, where a whole number up to {most} must stand")),
        };
        let flag = |name: &str| header.get(name).and_then(Value::as_bool).unwrap_or(false);
        let designs = |count: usize| match payload.len() == count * n {
            true => Ok(()),
            false => {
                let found = payload.len();
                Err(format!("its `{kind}` holds {found} numbers, where {count} designs of {n} coordinates must stand"))
            }
        };
        self.answer.clear();
        let mut reply = match kind {
            "alive" => json!({ "type": "go" }),
            "evaluate" => {
                let wanted = Wanted { misses: flag("misses"), metrics: flag("metrics") };
                let count = count(super::frame::LONGEST_PAYLOAD as u64)?;
                designs(count)?;
                if count * self.desk.answer_length(wanted) > super::frame::LONGEST_PAYLOAD {
                    return Err(format!("its `evaluate` of {count} designs has an answer beyond a frame's length"));
                }
                for design in payload.chunks_exact(n.max(1)) {
                    self.desk.evaluate(design, wanted, &mut self.answer).map_err(|e| e.to_string())?;
                }
                json!({ "type": "values" })
            }
            "gradient" => {
                designs(1)?;
                let rows = self.desk.gradient(payload, &mut self.answer);
                let rows = rows.ok_or("it asked for a gradient, which the problem does not offer")?;
                json!({ "type": "gradient", "rows": rows })
            }
            "repair" => {
                designs(1)?;
                let feasible = self.desk.repair(payload, &mut self.answer);
                let feasible = feasible.ok_or("it asked for a repair, which the problem does not offer")?;
                json!({ "type": "repaired", "feasible": feasible })
            }
            "random" => {
                match header.get("kind").and_then(Value::as_str) {
                    Some("uniform") => {
                        let random = self.desk.random();
                        self.answer.extend((0..count(MOST_NUMBERS)?).map(|_| random.uniform()));
                    }
                    Some("normal") => {
                        let random = self.desk.random();
                        self.answer.extend((0..count(MOST_NUMBERS)?).map(|_| random.normal()));
                    }
                    Some("design") => {
                        let count = count(MOST_NUMBERS / n.max(1) as u64)?;
                        self.desk.random_designs(count, &mut self.answer);
                    }
                    found => {
                        let found = found.unwrap_or("nothing");
                        return Err(format!("its `random` is of kind {found}: there are uniform, normal and design"));
                    }
                }
                json!({ "type": "random" })
            }
            other => return Err(format!("it sent `{other}`, which no solver may send")),
        };
        reply["stop"] = budget.exhausted(self.desk.evaluations() - before).into();
        self.lease.process()?.send(&reply, &self.answer)
    }

    /// The end of its work, by its own word.
    fn result(&mut self, frame: &Frame, spent: bool) -> Result<Step, String> {
        let bound = bound(&frame.header)?;
        if !frame.payload.is_empty() {
            self.desk.report(&frame.payload, bound)?;
        } else if bound.is_some() {
            let best = self.desk.best().to_vec();
            self.desk.report(&best, bound)?;
        }
        let words = frame.header.get("message").and_then(Value::as_str).unwrap_or_default();
        let words: String = words.chars().take(500).collect();
        let status = frame.header.get("status").and_then(Value::as_str).unwrap_or_default();
        let why = if words.is_empty() { format!("the plugin is done: {status}") } else { words };
        let step = match status {
            "converged" => Step::Converged,
            "optimal" if self.desk.bound().is_some() => Step::Optimal(None),
            "optimal" => Step::Converged,
            "stuck" | "infeasible" => Step::Stuck(why.clone()),
            "diverged" => Step::Diverged(why.clone()),
            // The driver sees the limit that was reached.
            "stopped" if spent => Step::Advanced,
            "stopped" => Step::Stuck(why.clone()),
            other => return Err(format!("its result has the status `{other}`, which there is not")),
        };
        self.ended = Some(why);
        self.lease.give_back();
        Ok(step)
    }
}

impl Drop for Session {
    /// Lets the plugin end its work, so that its process can serve the next; else it is killed.
    fn drop(&mut self) {
        if self.solve.is_some() {
            self.lease.give_back();
            return;
        }
        if self.open.is_none() {
            return;
        }
        let Some(process) = &mut self.lease.process else { return };
        if process.send(&json!({ "type": "stop", "stop": true }), &[]).is_err() {
            return;
        }
        let since = Instant::now();
        // One report may be under way before it hears of the end; the answer is the same.
        for _ in 0..4 {
            match process.receive(&mut || since.elapsed() >= GRACE) {
                Ok(frame) if ["result", "error"].contains(&frame.kind()) => {
                    self.lease.give_back();
                    return;
                }
                Ok(_) if process.send(&json!({ "type": "stop", "stop": true }), &[]).is_ok() => {}
                _ => return,
            }
        }
    }
}

/// The bound of a report or a result.
fn bound(header: &Value) -> Result<Option<f64>, String> {
    match header.get("bound") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match number_from_json(value) {
            Some(bound) => Ok(Some(bound)),
            None => Err(format!("its bound is {value}, no number")),
        },
    }
}

/// The limits of a problem as models read them.
pub fn limits_json(spec: &crate::ProblemSpec) -> Value {
    let limit = |constraint: &crate::Constraint| {
        let (side, limits) = match &constraint.limit {
            crate::Limit::AtMost(limits) => ("at_most", limits),
            crate::Limit::AtLeast(limits) => ("at_least", limits),
        };
        let limits: Vec<Value> = limits.iter().map(|x| number_json(*x)).collect();
        json!({ "metric": constraint.metric, side: limits })
    };
    spec.constraints.iter().map(limit).collect()
}
