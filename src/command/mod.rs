//! The command line: one file a subcommand.

mod check;
mod configuration;
mod exit;
mod explain;
mod export;
mod fields;
mod host;
mod interfaces;
mod overwrite;
mod progress;
mod replay;
mod rule_files;
mod rules;
mod run;
mod schema;
mod summary;
mod try_rules;
mod words;
mod written;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
pub use exit::{Exit, Failure};

/// What a command was asked.
#[derive(Debug, Parser)]
#[command(
    name = "gridtap",
    version,
    about = "Watches IEC 60870-5-104 and MQTT between a power grid and a telecom carrier",
    after_help = Exit::all_told(),
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run captures through the engine and tell what is in them
    Replay(replay::Arguments),
    /// Watch interfaces until a signal says to end
    Run(run::Arguments),
    /// Load the configuration and the rules, run nothing, and show every mistake
    Check(check::Arguments),
    /// What the rules are, what they can look at, and whether they do what they promise
    #[command(subcommand)]
    Rules(rules::Command),
    /// What can be captured from, and its state
    Interfaces(interfaces::Arguments),
}

/// Runs the command that `arguments` ask for, the program's name first, and says how it went.
/// Complaints go to standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => conclude(dispatch(cli.command).and_then(written)),
        // Help and version are answers, and go to standard output.
        Err(answer) if answer.exit_code() == 0 => {
            let printed = answer.print().map_err(Failure::from);
            conclude(printed.and_then(|()| written(Exit::Done)))
        }
        Err(usage) => {
            let _ = usage.print(); // nobody is left to tell
            Exit::Usage.into()
        }
    }
}

/// The command line as it is defined: the manual and the completions are made of it.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Sees to it that nothing is left in a buffer whose fate nobody learns.
fn written(exit: Exit) -> Result<Exit, Failure> {
    io::stdout().flush()?;
    Ok(exit)
}

fn dispatch(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Rules(command) => rules::run(&command),
        Command::Interfaces(arguments) => interfaces::run(&arguments),
    }
}

fn conclude(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        // Whoever read our output has seen enough.
        Err(failure) if failure.is_closed_pipe() => Exit::Done.into(),
        Err(failure) => {
            let _ = writeln!(anstream::stderr(), "gridtap: {failure}"); // nobody is left to tell
            failure.exit().into()
        }
    }
}

/// Standard output, plain if it is no terminal.
fn stdout() -> anstream::AutoStream<io::StdoutLock<'static>> {
    anstream::AutoStream::auto(io::stdout().lock())
}

/// Standard error, plain if it is no terminal.
fn stderr() -> anstream::AutoStream<io::StderrLock<'static>> {
    anstream::AutoStream::auto(io::stderr().lock())
}
