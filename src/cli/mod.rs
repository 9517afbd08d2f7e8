//! What a person types. Results go to standard output, everything else to standard error.
//!
//! Exit codes: 0 where the program answered (also "infeasible"), 2 where the caller can mend something (arguments,
//! files, a solver that does not fit), 1 where the program or a check that was asked for failed, 130 where it was
//! interrupted.

mod check;
mod cite;
mod compare;
mod comparison;
mod describe;
mod draw;
mod evaluate;
mod export;
mod fit;
mod list;
mod merge;
mod music;
mod new;
mod plan;
mod plot;
mod plugin;
mod plugin_worker;
mod replay;
mod report;
mod reproduce;
mod run;
mod schema;
mod setting;
mod slurm;
mod solve;
mod table;
mod validate;
mod verify;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{Parser, Subcommand};

use crate::error::{Error, Result};
use crate::optimizer::Cancel;

/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Integrated sensing and communications: any system model with any compatible optimizer, with proven gaps.
#[derive(Debug, Parser)]
#[command(name = "isacopt", version, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    List(list::Arguments),
    Evaluate(evaluate::Arguments),
    Solve(solve::Arguments),
    Draw(draw::Arguments),
    Fit(fit::Arguments),
    Describe(describe::Arguments),
    Validate(validate::Arguments),
    Verify(verify::Arguments),
    Schema(schema::Arguments),
    New(new::Arguments),
    Plot(plot::Arguments),
    Plan(plan::Arguments),
    Slurm(slurm::Arguments),
    Merge(merge::Arguments),
    Replay(replay::Arguments),
    Export(export::Arguments),
    Cite(cite::Arguments),
    Compare(compare::Arguments),
    Table(table::Arguments),
    Report(report::Arguments),
    Reproduce(reproduce::Arguments),
    Plugin(plugin::Arguments),
    PluginWorker(plugin_worker::Arguments),
    Music(music::Arguments),
}

impl Command {
    /// Gives whether the answer is whole.
    fn run(self) -> Result<bool> {
        match self {
            Self::Run(arguments) => return run::run(&arguments),
            Self::Reproduce(arguments) => return reproduce::run(&arguments),
            Self::Slurm(arguments) => return slurm::run(&arguments),
            Self::Check(arguments) => check::run(&arguments),
            Self::List(arguments) => list::run(&arguments),
            Self::Evaluate(arguments) => evaluate::run(&arguments),
            Self::Solve(arguments) => solve::run(&arguments),
            Self::Draw(arguments) => draw::run(&arguments),
            Self::Fit(arguments) => fit::run(&arguments),
            Self::Describe(arguments) => describe::run(&arguments),
            Self::Validate(arguments) => validate::run(&arguments),
            Self::Verify(arguments) => verify::run(&arguments),
            Self::Schema(arguments) => schema::run(&arguments),
            Self::New(arguments) => new::run(&arguments),
            Self::Plot(arguments) => plot::run(&arguments),
            Self::Plan(arguments) => plan::run(&arguments),
            Self::Merge(arguments) => merge::run(&arguments),
            Self::Replay(arguments) => replay::run(&arguments),
            Self::Export(arguments) => export::run(&arguments),
            Self::Cite(arguments) => cite::run(&arguments),
            Self::Compare(arguments) => compare::run(&arguments),
            Self::Table(arguments) => table::run(&arguments),
            Self::Report(arguments) => report::run(&arguments),
            Self::Plugin(arguments) => plugin::run(&arguments),
            Self::PluginWorker(arguments) => plugin_worker::run(&arguments),
            Self::Music(arguments) => music::run(&arguments),
        }
        .map(|()| true)
    }
}

/// Runs the program on the process's arguments. A program that links further solvers or scenarios calls this as its
/// whole `main`.
pub fn main() -> ExitCode {
    report_panics_in_one_line();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Help and version are answers; where nobody reads them any more there is nobody to tell.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    match std::panic::catch_unwind(|| arguments.command.run()) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::from(INTERRUPTED),
        Ok(Err(Error::File { source, .. })) if source.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes `error: ...` to standard error, a line a mistake.
fn complain(message: &str) {
    let mut out = std::io::stderr().lock();
    for line in message.lines() {
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(out, "error: {line}");
    }
}

fn report_panics_in_one_line() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = text.unwrap_or("no message").replace('\n', " ");
        let place = panic.location().map(|l| format!(" at {}:{}", l.file(), l.line())).unwrap_or_default();
        complain(&format!("this is a mistake in isacopt, please report it: {what}{place}"));
    }));
}

/// Writes to standard output. A reader that went away (`| head`) ends the program quietly.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|source| Error::file("write", "standard output", source))
}

/// The flag that Ctrl-C sets, one for the whole program; a second Ctrl-C ends it at once.
fn cancel_on_interrupt() -> Cancel {
    static FLAG: OnceLock<Cancel> = OnceLock::new();
    let set_up = || {
        let cancel = Cancel::default();
        let flag = cancel.clone();
        let handler = move || {
            if flag.is_set() {
                crate::plugin::kill_all();
                std::process::exit(i32::from(INTERRUPTED));
            }
            flag.set();
        };
        if ctrlc::set_handler(handler).is_err() {
            complain("Ctrl-C cannot be caught here: it ends the program at once");
        }
        cancel
    };
    FLAG.get_or_init(set_up).clone()
}
