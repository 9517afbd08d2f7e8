//! `isacopt solve`: one solver on an instance file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::evaluate::{metric_table, metrics_json, model, short};
use super::setting::Setting;
use super::{cancel_on_interrupt, print};
use crate::config::{PluginConfig, SolverConfig, Trial};
use crate::driver::Run;
use crate::error::{Error, InputError, Result};
use crate::instance::{InstanceFile, write_tree};
use crate::math::RandomStream;
use crate::metric::number_json;
use crate::model::SystemModel;
use crate::problem::{Objective, Problem};
use crate::structure::ProvenBound;
use crate::trace::{Outcome, Status};

/// Solve an instance file: one solver, one objective
#[derive(Debug, Args)]
pub struct Arguments {
    /// The instance file
    file: PathBuf,
    /// The solver: a built-in one or one of the scenario's baselines
    #[arg(long, value_name = "NAME")]
    solver: String,
    /// A plugin's file, whose solvers may then be named
    #[arg(long = "plugin", value_name = "FILE")]
    plugins: Vec<PathBuf>,
    /// The metric to optimize; the scenario's own without it
    #[arg(long, value_name = "METRIC")]
    objective: Option<String>,
    /// Where to start: a design of the file, a named start of the scenario, or a baseline
    #[arg(long, value_name = "DESIGN")]
    start: Option<String>,
    /// Seed of the solver's random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Set `instance.KEY`, a parameter `solver.KEY`, or a stopping rule such as `solver.max_iterations`; VALUE is
    /// JSON or a bare word
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
    /// Write the whole answer to a file, too: NumPy's .npz, MATLAB's .mat, else JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut file = InstanceFile::read(&arguments.file)?;
    let (problem, outcome) = solve(arguments, &mut file)?;
    if outcome.status == Status::Failed {
        return Err(Error::Numerical(format!("solver `{}`: {}", arguments.solver, outcome.reason)));
    }
    let answer = answer(&problem, &outcome)?;
    if let (Some(path), Some(tree)) = (&arguments.out, answer.as_object()) {
        write_tree(path, tree, &format!("{answer}\n"))?;
    }
    if arguments.json {
        print(&answer.to_string())
    } else {
        print(&table(&answer, &outcome.reason, arguments.out.as_deref()))
    }
}

fn solve(arguments: &Arguments, file: &mut InstanceFile) -> Result<(Arc<Problem>, Outcome)> {
    let in_file = |error: Error| error.in_file(&arguments.file);
    let mut solver = Map::new();
    solver.insert("type".into(), arguments.solver.clone().into());
    let mut edited = false;
    for setting in &arguments.settings {
        match (setting.path[0].as_str(), &mut file.instance) {
            ("instance", Value::Object(instance)) => {
                setting.apply(1, instance).map_err(in_file)?;
                edited = true;
            }
            ("solver", _) if setting.path.get(1).is_none_or(|key| key != "type") => setting.apply(1, &mut solver)?,
            _ => {
                let allowed = "`instance.KEY=VALUE` or `solver.KEY=VALUE`";
                return Err(InputError::new("--set", format!("key `{}`", setting.key()), allowed).into());
            }
        }
    }
    let model = model(file).map_err(in_file)?;
    if !edited {
        // A bad design makes a bad file. After an edit the designs may be meant for another size.
        for (name, value) in &file.designs {
            model.read_design(value, &format!("designs.{name}")).map_err(in_file)?;
        }
    }
    let mut spec = model.default_problem();
    if let Some(metric) = &arguments.objective {
        if !model.metrics().iter().any(|m| m.id == *metric) {
            let valid = model.metrics().iter().filter(|m| m.is_scalar() && m.direction.is_some());
            return Err(InputError::unknown("--objective", metric, valid.map(|m| m.id.as_str())).into());
        }
        spec.objective = Objective::Metric(metric.clone());
    }
    let problem = Problem::new(Arc::clone(&model), spec)?;
    let plugins = arguments.plugins.iter().map(|path| PluginConfig::at(path).load(Path::new(""), "--plugin"));
    let plugins = plugins.collect::<Result<Vec<_>, _>>().map_err(Error::Input)?;
    let config = SolverConfig::with_plugins(&solver, "solver", &model.baselines(), &plugins)?;
    let start = match arguments.start.as_deref().or(config.start.as_deref()) {
        Some(name) => Some(Trial::new(Arc::clone(&problem), file.designs.clone()).start(name).map_err(in_file)?),
        None => None,
    };
    let run = Run {
        start,
        rules: config.rules.clone(),
        cancel: cancel_on_interrupt(),
        bound: proven_bound(&problem),
        ..Run::new(config.optimizer.as_ref(), Arc::clone(&problem), RandomStream::solver(arguments.seed, 0))
    };
    let outcome = run.drive(&mut |_| {}).map_err(|error| match error {
        Error::Refused { reason, .. } => Error::Refused { solver: arguments.solver.clone(), reason },
        other => other,
    })?;
    Ok((problem, outcome))
}

/// The model's own bound, where it has one. A bound that cannot be computed is no bound.
fn proven_bound(problem: &Problem) -> Option<ProvenBound> {
    let factory = problem.structure().bound.as_ref().ok()?;
    factory().bound().ok().flatten()
}

fn answer(problem: &Arc<Problem>, outcome: &Outcome) -> Result<Value> {
    let model: &dyn SystemModel = problem.model().as_ref();
    let mut design = Value::Null;
    let mut metrics = json!({});
    if let Some(found) = &outcome.design {
        design = model.space().to_json(found);
        metrics = metrics_json(model, problem.evaluator().metrics(found)?);
    }
    let mut answer = Map::new();
    let mut put = |key: &str, value: Value| answer.insert(key.into(), value);
    put("status", outcome.status.name().into());
    let objective = json!({ "metric": problem.spec().objective.name(), "value": number_json(outcome.objective) });
    put("objective", objective);
    put("bound", outcome.bound.map_or(Value::Null, number_json));
    if outcome.bound_restricted && outcome.bound.is_some() {
        put("bound_scope", "restricted".into());
    }
    put("gap", outcome.gap.map_or(Value::Null, number_json));
    put("feasible", outcome.feasible().into());
    put("violation", number_json(outcome.violation));
    put("design", design);
    put("metrics", metrics);
    put("iterations", outcome.iterations.into());
    put("evaluations", outcome.evaluations.into());
    put("time_s", outcome.time.into());
    put("trace", outcome.trace.iter().map(|record| record.to_json()).collect());
    if let Some(certificate) = &outcome.certificate {
        put("certificate", certificate.clone());
    }
    Ok(Value::Object(answer))
}

fn table(answer: &Value, reason: &str, out: Option<&Path>) -> String {
    let place = out.map_or_else(|| "the output of --json".into(), |path| path.display().to_string());
    let text = |key: &str| short(&answer[key]);
    let objective = answer["objective"]["metric"].as_str().unwrap_or_default();
    let feasible = if answer["feasible"] == true { "feasible" } else { "infeasible" };
    format!(
        "{}: {reason}\n{objective} = {}, bound {}, gap {}\n{feasible}, violation {}\n\
         {} iterations, {} evaluations, {} s\n\n{}\n\nThe design is in {place}.",
        text("status"),
        short(&answer["objective"]["value"]),
        text("bound"),
        text("gap"),
        text("violation"),
        answer["iterations"],
        answer["evaluations"],
        text("time_s"),
        metric_table(&answer["metrics"]),
    )
}
