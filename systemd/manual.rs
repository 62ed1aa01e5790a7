//! Writes the manual pages and the shell completions, made of the definition of the command line
//! and of the keys of the configuration: `cargo run --example manual -- FOLDER`.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use gridtap::command::{Exit, definition};
use gridtap::config::pages;

/// What the first page tells beside the command line.
const FILES: &str = r".SH FILES
.TP
.I /etc/gridtap/gridtap.yaml
the configuration of the service, see
.BR gridtap.yaml (5)
.TP
.I /etc/gridtap/rules
rules of this site, in force once the configuration names them
.TP
.I /usr/share/gridtap/rules
the rules that are built in, to read and to start from
.TP
.I /usr/share/gridtap/pcaps
captures that their examples name
.TP
.I /var/log/gridtap
records
.TP
.I /var/lib/gridtap
alerts that wait for a receiver, and the captures around alerts
.TP
.I /usr/share/doc/gridtap
how to run it, what the records are, and examples for units, logrotate, Prometheus, Grafana and nginx
";

/// What the daemon does on signals.
const SIGNALS: &str = r#".SH SIGNALS
Those of the daemon:
.TP
.B SIGHUP
loads configuration and rules again, and opens output files anew; what has mistakes is not taken over
.TP
.BR SIGTERM ", " SIGINT
writes what has been seen, and ends
"#;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = folder.ok_or_else(|| io::Error::other("usage: manual FOLDER"))?;
    write(Path::new(&folder))
}

/// Writes `man/*` and `completions/*` below `folder`.
pub fn write(folder: &Path) -> io::Result<()> {
    // Else `help` would be listed again below every command.
    let mut command = definition().disable_help_subcommand(true);
    command.build();

    let manual = folder.join("man");
    fs::create_dir_all(&manual)?;
    write_pages(&command, None, &manual)?;
    fs::write(manual.join("gridtap.yaml.5"), in_ascii(&pages::manual()))?;

    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "gridtap", &completions)?;
    }
    Ok(())
}

/// The page of a command, and those of its subcommands.
fn write_pages(command: &Command, above: Option<&str>, folder: &Path) -> io::Result<()> {
    let name = page_name(command);
    let mut page = Vec::new();
    let source = concat!("gridtap ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(name).source(source).manual("gridtap");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if above.is_none() {
        write_exit_codes(&mut page)?;
        page.write_all([SIGNALS, FILES].concat().as_bytes())?;
    }
    let below: Vec<_> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
    let beside = above.into_iter().chain(below.iter().map(|below| page_name(below)));
    write_see_also(&mut page, beside)?;
    let page = in_ascii(&String::from_utf8_lossy(&page));
    fs::write(folder.join(format!("{name}.1")), page)?;
    below.into_iter().try_for_each(|command| write_pages(command, Some(name), folder))
}

/// Such as `gridtap-rules-list`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn write_exit_codes(page: &mut dyn Write) -> io::Result<()> {
    writeln!(page, ".SH \"EXIT STATUS\"")?;
    let mut codes = Exit::ALL.into_iter();
    codes.try_for_each(|(exit, meaning)| writeln!(page, ".TP\n.B {}\n{meaning}", exit as u8))
}

fn write_see_also<'a>(
    page: &mut dyn Write,
    pages: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    writeln!(page, ".SH \"SEE ALSO\"")?;
    for name in pages {
        writeln!(page, ".BR {} (1),", name.replace('-', "\\-"))?;
    }
    writeln!(page, ".BR gridtap.yaml (5)")
}

/// roff reads ASCII; other characters by their code point.
fn in_ascii(page: &str) -> String {
    let mut ascii = String::with_capacity(page.len());
    for character in page.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let _ = write!(ascii, "\\[u{:04X}]", u32::from(character));
        }
    }
    ascii
}
