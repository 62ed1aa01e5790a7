//! Writes generated rules into a folder: `cargo run --example generate_rules -- 1000 FOLDER`.

#[path = "mod.rs"]
mod generate;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [count, folder] = arguments.as_slice() else { return usage() };
    let Ok(count) = count.parse() else { return usage() };
    match write(count, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{folder}: {error}"), 73),
    }
}

fn write(count: usize, folder: &Path) -> io::Result<()> {
    for (name, text) in generate::rules(count) {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)?;
    }
    Ok(())
}

fn usage() -> ExitCode {
    fail("usage: generate_rules NUMBER FOLDER", 64)
}

fn fail(message: &str, code: u8) -> ExitCode {
    anstream::eprintln!("{message}");
    ExitCode::from(code)
}
