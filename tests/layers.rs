//! The layers of `src/` import downwards only, and a protocol is known by its name in its own
//! folder alone. Unit tests keep to the same rule.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Every top-level module with its layer. A module imports from its own layer and those below.
const LAYERS: &[(&str, u8)] = &[
    ("bytes", 0),
    ("document", 0),
    ("json", 0),
    ("time", 0),
    ("topic", 0),
    ("packet", 1),
    ("flow", 2),
    ("event", 3),
    ("protocol", 4),
    ("site", 5),
    ("rule", 6),
    ("engine", 7),
    ("capture", 8),
    ("output", 8),
    ("metrics", 8),
    ("inventory", 8),
    ("config", 9),
    ("daemon", 9),
    ("command", 9),
    ("main", 10),
];

/// Macros that stand at the root of the crate, with the module that they belong to.
const MACROS: &[(&str, &str)] = &[("record", "event")];

/// Only lists the modules.
const ROOT: &str = "lib";

#[test]
fn imports_point_down() {
    let mut wrong = String::new();
    for source in sources() {
        let Some(from) = layer(&source.module) else {
            writeln!(wrong, "{}: {} has no layer", source.shown, source.module).unwrap();
            continue;
        };
        for Named { line, module } in source.imports() {
            let fault = match layer(module) {
                Some(to) if to <= from => continue,
                Some(_) => "stands above",
                None => "has no layer but is used by",
            };
            writeln!(wrong, "{}:{line}: {module} {fault} {}", source.shown, source.module).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn protocols_are_named_in_their_folders_only() {
    let protocols = protocols();
    assert!(protocols.len() >= 2, "found {protocols:?}");
    let mut wrong = String::new();
    for source in sources().iter().filter(|source| source.shown != "src/protocol/mod.rs") {
        for Named { line, module } in names_of(&source.code, "protocol::") {
            let home = source.shown.starts_with(&format!("src/protocol/{module}/"));
            if !home && protocols.iter().any(|protocol| protocol == module) {
                writeln!(wrong, "{}:{line}: names {module}", source.shown).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let flow = |code: &str| {
        let source = Source {
            shown: "src/flow/mod.rs".into(),
            module: "flow".into(),
            code: without_comments(code),
        };
        source
            .imports()
            .iter()
            .map(|import| format!("{} {}", import.line, import.module))
            .collect::<Vec<_>>()
    };
    assert_eq!(flow("use crate::event::Value;"), ["1 event"]);
    assert_eq!(
        flow("use crate::{\n    event::{Value, Kind},\n    time, rule::*,\n};"),
        ["1 event", "1 time", "1 rule"]
    );
    assert_eq!(flow("\nlet x = crate::rule::load(crate::time::NOW);"), ["2 rule", "2 time"]);
    assert_eq!(flow("$crate::event::Schema, crate::record!("), ["1 event", "1 event"]);
    assert_eq!(flow("use gridtap::{command, engine};"), ["1 command", "1 engine"]);
    assert_eq!(flow("use super::engine::Engine;"), ["1 engine"]);
    assert_eq!(flow("mod tests {\n    use super::key;\n}"), Vec::<String>::new());
    assert_eq!(flow("use std::fmt; // crate::engine"), Vec::<String>::new());

    let named = |code: &'static str| {
        names_of(code, "protocol::").iter().map(|named| named.module).collect::<Vec<_>>()
    };
    assert_eq!(named("crate::protocol::mqtt::PROTOCOL"), ["mqtt"]);
    assert_eq!(named("use crate::protocol::{Parser, mqtt};"), ["Parser", "mqtt"]);
    assert_eq!(named("let mqtt = \"mqtt.publish.topic\";"), Vec::<&str>::new());
}

/// A file under `src/`, without its comments.
struct Source {
    shown: String,
    /// Its top-level module.
    module: String,
    code: String,
}

/// A path in the code begins with this module.
#[derive(Debug)]
struct Named<'a> {
    line: usize,
    module: &'a str,
}

impl Source {
    /// What it takes from top-level modules.
    fn imports(&self) -> Vec<Named<'_>> {
        let mut found = names_of(&self.code, "crate::");
        found.extend(names_of(&self.code, "gridtap::"));
        if self.is_top() {
            found.extend(names_of(&self.code, "\nuse super::"));
        }
        for named in &mut found {
            if let Some((_, home)) = MACROS.iter().find(|(name, _)| *name == named.module) {
                named.module = home;
            }
        }
        found
    }

    /// Whether `super` leads from here to the root.
    fn is_top(&self) -> bool {
        let module = &self.module;
        self.shown == format!("src/{module}.rs") || self.shown == format!("src/{module}/mod.rs")
    }
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The folders of `src/protocol/`.
fn protocols() -> Vec<String> {
    entries(&source_root().join("protocol"))
        .into_iter()
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

/// Every Rust file but lib.rs.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&source_root(), &mut found);
    found.retain(|source| source.module != ROOT);
    assert!(found.len() > 10, "found only {} files", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for path in entries(folder) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(read(&path));
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Source {
    let relative = path.strip_prefix(source_root()).unwrap();
    let first = relative.iter().next().unwrap().to_string_lossy();
    Source {
        shown: format!("src/{}", relative.display()),
        module: first.trim_end_matches(".rs").to_owned(),
        code: without_comments(&fs::read_to_string(path).unwrap()),
    }
}

/// The same lines, each after an end of line, so that its beginning can be looked for.
fn without_comments(text: &str) -> String {
    text.lines().flat_map(|line| ["\n", line.split("//").next().unwrap_or_default()]).collect()
}

/// The first names of all paths that follow `prefix`.
fn names_of<'a>(code: &'a str, prefix: &str) -> Vec<Named<'a>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let after = at + prefix.len();
        let line = code[..after].matches('\n').count();
        found.extend(heads(&code[after..]).into_iter().map(|module| Named { line, module }));
    }
    found
}

/// The first name of every path of a use tree: of `a::b` it is a, of `{a::{b, c}, d}` a and d.
fn heads(tree: &str) -> Vec<&str> {
    let Some(inside) = tree.strip_prefix('{') else {
        return name(tree).into_iter().collect();
    };
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.extend(name(inside[start..at].trim()));
                return heads;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.extend(name(inside[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

fn name(path: &str) -> Option<&str> {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    Some(&path[..end]).filter(|name| !name.is_empty())
}
