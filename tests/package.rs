//! What is packed: manual pages and completions that their readers accept, and a Debian package
//! that forgets nothing.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;
use tempfile::TempDir;

mod common;

#[path = "../systemd/manual.rs"]
#[allow(dead_code, unreachable_pub, reason = "its `main`")]
mod manual;

/// A folder with `man/` and `completions/`.
fn generated() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    manual::write(folder.path()).unwrap();
    folder
}

/// Runs a program; `None`, and says so, if it is not there.
fn run(program: &str, arguments: &[&OsStr]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[track_caller]
fn assert_no_complaint(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
}

#[test]
fn manual_pages_are_accepted() {
    let folder = generated();
    let pages = common::files(&folder.path().join("man"));
    let names: BTreeSet<_> = pages.iter().map(|page| page.file_name().unwrap()).collect();
    for page in ["gridtap.1", "gridtap-run.1", "gridtap-rules-fields.1", "gridtap.yaml.5"] {
        assert!(names.contains(OsStr::new(page)), "{page} is not in {names:?}");
    }
    for page in &pages {
        let page = page.as_os_str();
        let reader = ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"].map(OsStr::new);
        if let Some(output) = run("man", &[&reader[..], &[page]].concat()) {
            assert_no_complaint(&output);
        }
        let formatter = ["-ww", "-man", "-Tutf8", "-z"].map(OsStr::new);
        if let Some(output) = run("groff", &[&formatter[..], &[page]].concat()) {
            assert_no_complaint(&output);
        }
    }
}

#[test]
fn the_first_page_tells_what_help_does_not() {
    let folder = generated();
    let page = fs::read_to_string(folder.path().join("man/gridtap.1")).unwrap();
    for part in ["\n.B 78\na mistake in the configuration", ".B SIGHUP", ".BR gridtap\\-check (1),"]
    {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let check = fs::read_to_string(folder.path().join("man/gridtap-check.1")).unwrap();
    assert!(check.contains("GRIDTAP_CONFIG"), "{check}");
}

#[test]
fn completions_are_accepted() {
    let folder = generated();
    for (shell, file) in [("bash", "gridtap.bash"), ("zsh", "_gridtap"), ("fish", "gridtap.fish")] {
        let file = folder.path().join("completions").join(file);
        assert!(fs::read_to_string(&file).unwrap().contains("interfaces"), "{shell}");
        if let Some(output) = run(shell, &["-n".as_ref(), file.as_os_str()]) {
            assert_no_complaint(&output);
        }
    }
}

#[test]
fn bash_completes_a_command_and_its_options() {
    let folder = generated();
    let complete = |words: &str| {
        let script = r#"source "$0"; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _gridtap gridtap "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"; echo "${COMPREPLY[*]}""#;
        let file = folder.path().join("completions/gridtap.bash");
        let arguments = ["-c".as_ref(), script.as_ref(), file.as_os_str(), words.as_ref()];
        let output = run("bash", &arguments)?;
        assert_no_complaint(&output);
        Some(String::from_utf8(output.stdout).unwrap())
    };
    let Some(commands) = complete("gridtap rep") else { return };
    assert_eq!(commands, "replay\n");
    assert_eq!(complete("gridtap replay --ty").unwrap(), "--types\n");
    assert_eq!(complete("gridtap rules fi").unwrap(), "fields\n");
}

/// `[package.metadata.deb]` of Cargo.toml.
fn packed() -> Json {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"][0]["metadata"]["deb"].clone()
}

/// Each source with where it goes.
fn assets() -> Vec<(String, String)> {
    let packed = packed();
    let part = |asset: &Json, index: usize| asset[index].as_str().unwrap().to_owned();
    let assets = packed["assets"].as_array().unwrap();
    assets.iter().map(|asset| (part(asset, 0), part(asset, 1))).collect()
}

/// Whether a pattern with `*`, and `**` for any folders, means this path.
fn is_meant(pattern: &str, path: &str) -> bool {
    let pattern = regex::escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*");
    regex::Regex::new(&format!("^{pattern}$")).unwrap().is_match(path)
}

/// All files below a folder of the repository, as paths in it.
fn below(folder: &str) -> Vec<String> {
    common::files(&common::file(folder))
        .into_iter()
        .flat_map(|path| {
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() { below(&name) } else { vec![name] }
        })
        .collect()
}

/// What cargo-deb takes of `systemd/` by its name, and what only builds the package.
const NOT_LISTED: &[&str] = &[
    "systemd/gridtap.service",
    "systemd/gridtap.socket",
    "systemd/gridtap.sysusers",
    "systemd/gridtap.tmpfile",
    "systemd/debian/changelog",
    "systemd/debian/postrm",
    "systemd/manual.rs",
    "systemd/package",
    "systemd/try-package",
];

#[test]
fn nothing_that_is_shipped_is_forgotten() {
    let assets = assets();
    for file in ["systemd", "rules", "docs"].into_iter().flat_map(below) {
        let is_listed = assets.iter().any(|(source, _)| is_meant(source, &file));
        assert_ne!(is_listed, NOT_LISTED.contains(&file.as_str()), "{file}");
    }
}

#[test]
fn all_that_is_packed_is_there() {
    let folder = generated();
    for (source, _) in assets() {
        // The one that is built, and what is made in target/manual.
        let (folder, pattern) = match source.strip_prefix("target/") {
            Some("release/gridtap") => continue,
            Some(made) => (folder.path().to_owned(), made.strip_prefix("manual/").unwrap()),
            None => (common::file(""), source.as_str()),
        };
        let fixed = pattern.split('*').next().unwrap();
        let fixed = fixed.rsplit_once('/').map_or("", |(fixed, _)| fixed);
        assert!(finds(&folder, fixed, pattern), "{source} is not there");
    }
}

/// Whether a file below `folder`/`inner` is meant by `pattern`, which counts from `folder`.
fn finds(folder: &Path, inner: &str, pattern: &str) -> bool {
    if inner.is_empty() {
        return folder.join(pattern).is_file();
    }
    common::files(&folder.join(inner)).into_iter().any(|path| {
        let name = format!("{inner}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() { finds(folder, &name, pattern) } else { is_meant(pattern, &name) }
    })
}

#[test]
fn configuration_files_are_kept_over_an_upgrade() {
    let packed = packed();
    let kept: BTreeSet<_> = packed["conf-files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    let configuration: BTreeSet<_> = assets()
        .into_iter()
        .filter(|(_, target)| target.starts_with("etc/"))
        .map(|(source, target)| match target.strip_suffix('/') {
            Some(folder) => format!("/{folder}/{}", source.rsplit('/').next().unwrap()),
            None => format!("/{target}"),
        })
        .collect();
    assert_eq!(configuration, kept);
}

#[test]
fn the_changelog_of_the_package_has_this_version() {
    let changelog = fs::read_to_string(common::file("systemd/debian/changelog")).unwrap();
    let begin = concat!("gridtap (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(changelog.starts_with(begin), "{changelog}");
}

/// The path of the package that cargo-deb makes of this program; `None`, and says so, without it.
fn built(folder: &Path) -> Option<PathBuf> {
    if run("cargo-deb", &["--version".as_ref()]).is_none()
        || run("dpkg-deb", &["--version".as_ref()]).is_none()
    {
        return None;
    }
    // The sources of assets are looked for in the repository: what is made is put beside them.
    let copy = folder.join("gridtap");
    let release = copy.join("target/release");
    fs::create_dir_all(&release).unwrap();
    for entry in [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "build.rs",
        "src",
        "rules",
        "docs",
        "pcaps",
        "systemd",
        "benches",
        "tests",
    ] {
        std::os::unix::fs::symlink(common::file(entry), copy.join(entry)).unwrap();
    }
    fs::copy(env!("CARGO_BIN_EXE_gridtap"), release.join("gridtap")).unwrap();
    manual::write(&copy.join("target/manual")).unwrap();
    let output = Command::new("cargo-deb")
        .args(["--no-build", "--fast", "--offline", "--output", "gridtap.deb"])
        .current_dir(&copy)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(copy.join("gridtap.deb"))
}

#[test]
fn the_package_is_built_and_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(package) = built(folder.path()) else { return };
    let list = run("dpkg-deb", &["-c".as_ref(), package.as_os_str()]).unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    for path in [
        "usr/bin/gridtap",
        "usr/lib/systemd/system/gridtap.service",
        "usr/lib/systemd/system/gridtap.socket",
        "usr/lib/sysusers.d/gridtap.conf",
        "usr/lib/tmpfiles.d/gridtap.conf",
        "etc/gridtap/gridtap.yaml",
        "usr/share/gridtap/rules/iec104/iec104_process_reset.yml",
        "usr/share/man/man1/gridtap.1.gz",
        "usr/share/man/man5/gridtap.yaml.5.gz",
        "usr/share/doc/gridtap/copyright",
    ] {
        assert!(list.lines().any(|line| line.ends_with(&format!(" ./{path}"))), "{path}\n{list}");
    }
    if let Some(output) = run("lintian", &["--fail-on=error".as_ref(), package.as_os_str()]) {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}
