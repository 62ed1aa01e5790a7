//! The reference, the manual page and the commented example, made of the tables of keys: what they
//! say is what the reader does.

mod manual;

use std::fmt::Write as _;

pub use manual::manual;

use super::Config;
use super::setting::{Key, Keys, Kind, Setting};

/// How wide comments of the example are, in characters.
const WIDTH: usize = 96;

/// How the file is read. Here and below: Markdown, with code alone.
const STRICTNESS: &str = "\
The configuration is one YAML document, `gridtap.yaml`. It is read strictly: an unknown key, a value of another kind, a
number without its unit is a mistake, and nothing starts with a mistake. `gridtap check --config FILE` shows all of them
at once, with those in the rules, each with its line.";

/// How values are written.
const VALUES: &str = "\
Durations and sizes have a unit: `10ms`, `1h30m` (`us`, `ms`, `s`, `m`, `h`, `d`); `256MiB` (`B`, `KiB`, `MiB`, `GiB`,
`TiB`, and by powers of a thousand `kB`, `MB`, `GB`, `TB`). What can be turned off is turned off with `off`. A path that is
not absolute begins at the folder of the file that it stands in.";

/// Where values come from.
const SOURCES: [&str; 4] = [
    "the defaults;",
    "the file: `--config FILE`, or the variable `GRIDTAP_CONFIG`; there may be none, and what follows holds all the same;",
    "the environment: `GRIDTAP_` and the key in capitals with `_` between its parts: `GRIDTAP_LIMITS_FLOWS=50000`,
   `GRIDTAP_HTTP_LISTEN='[::1]:9104'`, `GRIDTAP_INTERFACES='[{interface: eth0}]'`. An empty variable counts as not set;
   `gridtap check` warns of one that sets no key;",
    "the command line: `--set limits.flows=50000`; members of a list by their number, from 0: `--set outputs.0.queue=64MiB`.",
];

/// How the environment and the command line write them.
const SHORT_FORMS: &str = "\
Lists and maps are written as in YAML. A key of `evidence` or `http` that is set so turns the section on.";

const EXAMPLE_HEAD: &str = "\
# gridtap.yaml: how gridtap listens, what it looks for, and whom it tells.
#
# Commented keys show their defaults, or how they look. To set one, remove the first # of its line
# and of the lines of the sections around it. Test with `gridtap check --config gridtap.yaml`, then reload. Everything about each key:
# docs/configuration.md.
";

/// The whole configuration, as if it were the value of a key.
const WHOLE: Key = Key {
    identifier: "",
    meaning: "",
    default: None,
    range: None,
    shown: None,
    sample: None,
    kind: <Config as Setting>::KIND,
};

/// `docs/configuration.md`.
pub fn reference() -> String {
    let mut page = format!(
        "\
# Configuration

Made from the tables in `src/config/keys.rs` and those of the protocols; do not edit. `GRIDTAP_BLESS=1 cargo test --lib config` makes it anew.

{STRICTNESS} A commented example with every default is
[systemd/gridtap.yaml](../systemd/gridtap.yaml).

{VALUES}

## Environment and command line

What comes later wins, key by key:

"
    );
    for (number, source) in (1..).zip(SOURCES) {
        let _ = writeln!(page, "{number}. {source}");
    }
    let _ = write!(page, "\n{SHORT_FORMS}\n");
    section(&mut page, "", &WHOLE);
    page
}

/// `systemd/gridtap.yaml`.
pub fn example() -> String {
    let mut page = EXAMPLE_HEAD.to_owned();
    example_keys(&mut page, Config::KEYS, 0);
    page
}

fn section(page: &mut String, path: &str, key: &Key) {
    let title = if path.is_empty() { "Keys".to_owned() } else { format!("`{path}`") };
    let about = joined(key.kind.about);
    let _ = write!(
        page,
        "\n## {title}\n\n{about}\n\n| key | value | default | meaning |\n|---|---|---|---|\n"
    );
    for key in key.kind.keys {
        let (name, value, default) = (key.name(), value(key), default(key));
        let _ = writeln!(page, "| `{name}` | {value} | {default} | {} |", joined(key.meaning));
    }
    for key in key.kind.keys.iter().filter(|key| !key.kind.keys.is_empty()) {
        section(page, &below(path, key), key);
    }
}

/// The path of a section in the section `path`.
fn below(path: &str, key: &Key) -> String {
    let separator = if path.is_empty() { "" } else { "." };
    let member = if key.kind.list { "[]" } else { "" };
    format!("{path}{separator}{}{member}", key.name())
}

fn value(key: &Key) -> String {
    let Kind { what, words, keys, list, .. } = key.kind;
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    let mut text = match (keys, words.as_slice()) {
        ([], []) => {
            let what = what.split(", such as").next().unwrap_or(what);
            what.trim_start_matches("a ").trim_start_matches("an ").to_owned()
        }
        ([], words) => words.join(", "),
        (_, _) => "see below".to_owned(),
    };
    if list {
        text = format!("list: {text}");
    }
    if let Some((low, high)) = key.range {
        let _ = write!(text, ", {low} to {high}");
    }
    if key.kind.optional && key.default.is_some() {
        text.push_str(", or `off`");
    }
    text
}

fn default(key: &Key) -> String {
    match key.default {
        Some("{}" | "[]") => String::new(),
        Some(default) => format!("`{default}`"),
        None if key.kind.optional => String::new(),
        None => "required".to_owned(),
    }
}

fn example_keys(page: &mut String, keys: &[Key], depth: usize) {
    let indent = "  ".repeat(depth);
    for key in keys {
        let name = key.name();
        page.push('\n');
        let off = !key.kind.keys.is_empty() && key.default == Some("off");
        let off = if off { " Off where it is not given." } else { "" };
        comment(page, &format!("{}{off}", joined(key.meaning)), depth);
        match (key.shown, key.default) {
            (Some(shown), _) => page.push_str(&indented(shown, &indent)),
            _ if !key.kind.keys.is_empty() => {
                let _ = writeln!(page, "#{indent}{name}:");
                if key.kind.list {
                    let _ = writeln!(page, "#{indent}  -");
                }
                let deeper = if key.kind.list { 2 } else { 1 };
                example_keys(page, key.kind.keys, depth + deeper);
            }
            (None, default) => {
                let value = key.sample.or(default).unwrap_or("off");
                let _ = writeln!(page, "#{indent}{name}: {value}");
            }
        }
    }
}

/// `# ` and not more: two spaces behind a # are a key that has been commented out.
fn comment(page: &mut String, text: &str, depth: usize) {
    let indent = "  ".repeat(depth);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + word.len() + 3 > WIDTH {
            let _ = writeln!(page, "{indent}# {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(page, "{indent}# {line}");
}

/// A commented key keeps its # in the first column.
fn indented(shown: &str, indent: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) => format!("#{indent}{rest}\n"),
        None => format!("{indent}{line}\n"),
    };
    shown.lines().map(line).collect()
}

/// The lines of a doc comment as one.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
