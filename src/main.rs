//! Parses the command line, runs one command, turns its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gridtap::command::run(std::env::args_os())
}
