//! The configuration as an operator meets it: what `check` says of each file in `tests/config/`,
//! what hostile files do, and what a replay takes from it.
//!
//! Beside each `bad-*.yaml` stands what is said of it; `GRIDTAP_BLESS=1` writes that anew.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

mod common;

fn gridtap(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null());
    for variable in
        ["CLICOLOR_FORCE", "GRIDTAP_BLESS", "GRIDTAP_CONFIG", "GRIDTAP_PYTHON", "GRIDTAP_RSIGMA"]
    {
        command.env_remove(variable);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    gridtap(arguments).output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

/// The exit code and what was said of a file with these octets.
fn said_of(octets: &[u8]) -> (Option<i32>, String) {
    let (_folder, path) = file_with(octets);
    check(&path)
}

fn check(path: &Path) -> (Option<i32>, String) {
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(text(&output.stdout), "");
    (output.status.code(), text(&output.stderr).to_owned())
}

fn file_with(octets: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gridtap.yaml");
    fs::write(&path, octets).unwrap();
    (folder, path)
}

#[test]
fn every_mistake_is_shown_with_its_line() {
    let mut seen = 0;
    for path in common::files(&common::file("tests/config")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.starts_with("bad-") || path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        seen += 1;
        let output = run(&["check", "--config", &format!("tests/config/{name}")]);
        assert_eq!(output.status.code(), Some(78), "{name}");
        let expected = path.with_extension("txt");
        if std::env::var_os("GRIDTAP_BLESS").is_some() {
            fs::write(&expected, &output.stderr).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(text(&output.stderr), expected, "{name}");
    }
    assert!(seen >= 10, "found {seen}");
}

#[test]
fn what_is_shipped_has_no_mistake() {
    let output = run(&["check", "--config", "systemd/gridtap.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("systemd/gridtap.yaml, "));
}

#[test]
fn what_the_host_lacks_is_said_before_the_daemon_starts() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("token"), "0123456789abcdef\n").unwrap();
    fs::set_permissions(at("token"), fs::Permissions::from_mode(0o604)).unwrap();
    let config = format!("http: {{token_file: {}}}\noutputs: []\n", at("token"));
    fs::write(at("gridtap.yaml"), config).unwrap();
    let (exit, said) = check(Path::new(&at("gridtap.yaml")));
    assert_eq!(exit, Some(78), "{said}");
    assert!(said.contains("everybody can read this token") && said.contains(":1:"), "{said}");

    let config = format!(
        "http: {{token_file: {}}}\noutputs: [{{type: file, path: {}}}]\nevidence: {{directory: {}}}\n",
        at("later"),
        at("log/eve.json"),
        at("far/evidence")
    );
    fs::write(at("gridtap.yaml"), config).unwrap();
    let output = run(&["check", "--config", &at("gridtap.yaml")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for folder in ["log", "far"] {
        assert!(said.contains(&format!("{folder} is not there, and nobody makes it")), "{said}");
    }
    assert!(said.contains("later: cannot be read"), "{said}");
}

#[test]
fn a_rule_file_that_is_missing_hides_no_mistake_of_another() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gridtap.yaml");
    let rule = "title: T\nid: 11111111-0000-4000-8000-000000000001\n\
                logsource: {product: gridtap, service: iec104}\n\
                detection: {s: {iec104.caa: 1}, condition: s}\n";
    fs::write(folder.path().join("wrong.yml"), rule).unwrap();
    fs::write(&path, "rules: [missing.yml, wrong.yml]\nhostt: x\n").unwrap();
    let (exit, said) = check(&path);
    assert_eq!(exit, Some(78), "{said}");
    for part in ["no key `hostt`", "missing.yml: cannot be read", "no field `iec104.caa`"] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn what_the_daemon_could_not_start_with_is_a_mistake() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gridtap.yaml");
    for (config, said) in [
        ("user: nobody-of-that-name\n", "nobody-of-that-name"),
        ("outputs: [{type: file, path: DIR}]\n", "is a folder"),
        ("outputs: [{type: file, path: DIR/gridtap.yaml}]\n", "it would be lost"),
        ("evidence: {directory: DIR/gridtap.yaml}\n", "is no folder"),
        ("state_directory: DIR/gridtap.yaml\n", "is no folder"),
    ] {
        fs::write(&path, config.replace("DIR", folder.path().to_str().unwrap())).unwrap();
        let (exit, message) = check(&path);
        assert_eq!(exit, Some(78), "{config}: {message}");
        assert!(message.contains(said) && message.contains("gridtap.yaml:1:"), "{message}");
    }
}

/// The kernel would take it from everybody else.
#[test]
fn rings_that_do_not_fit_into_memory_are_a_mistake() {
    let config = b"threads: 64\ninterfaces:\n  - {interface: eth1}\n  - tap: [eth2, eth3]\n    \
                   ring: {block_size: 64MiB, blocks: 4096}\n";
    let (_folder, path) = file_with(config);
    for command in ["check", "run"] {
        let output = run(&[command, "--config", path.to_str().unwrap()]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{command}: {message}");
        assert!(message.contains("more than half of this host's"), "{message}");
        assert!(message.contains("gridtap.yaml:5:"), "{message}");
    }
}

#[test]
fn a_folder_for_evidence_that_cannot_be_written_is_said() {
    let folder = TempDir::new().unwrap();
    let evidence = folder.path().join("evidence");
    fs::create_dir(&evidence).unwrap();
    fs::set_permissions(&evidence, fs::Permissions::from_mode(0o555)).unwrap();
    let path = folder.path().join("gridtap.yaml");
    for directory in ["evidence", "evidence/deeper"] {
        let config = format!("user: nobody\nevidence: {{directory: {directory}}}\n");
        fs::write(&path, config).unwrap();
        let output = run(&["check", "--config", path.to_str().unwrap()]);
        let message = text(&output.stderr);
        assert!(message.contains("evidence cannot be written to by `nobody`"), "{message}");
        assert!(message.contains("gridtap.yaml:2:"), "{message}");
    }
    fs::set_permissions(&evidence, fs::Permissions::from_mode(0o777)).unwrap();
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    assert!(!text(&output.stderr).contains("cannot be written to"), "{}", text(&output.stderr));
}

#[test]
fn a_wrong_value_of_a_placeholder_is_shown_where_it_stands() {
    let config =
        b"interfaces: [{interface: eth0}]\nplaceholders:\n  masters:\n    - 10.20.0.10\n    \
                   - 10.20.0.0/33\n";
    let (_folder, path) = file_with(config);
    let (exit, message) = check(&path);
    assert_eq!(exit, Some(78), "{message}");
    assert!(message.contains("error: `10.20.0.0/33` is no network"), "{message}");
    assert!(message.contains("gridtap.yaml:5:7") && message.contains("`%masters%`"), "{message}");
    assert!(message.ends_with("gridtap: 1 mistake in the configuration\n"), "{message}");
    let output = run(&["replay", "pcaps/clean.pcap", "--config", path.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("gridtap.yaml:5:7"), "{}", text(&output.stderr));

    // What is wrong with a rule stays in the rule, whatever the values are.
    let rules = fs::read_to_string("rules/iec104/iec104_command_from_stranger.yml").unwrap();
    let rule = path.with_file_name("rule.yml");
    fs::write(&rule, rules.replace("src_ip|", "src_pi|")).unwrap();
    let arguments = ["check", "--config", path.to_str().unwrap(), "--rules"];
    let output = run(&[&arguments[..], &[rule.to_str().unwrap()]].concat());
    let message = text(&output.stderr);
    assert!(message.contains("rule.yml:") && message.contains("src_pi"), "{message}");
    assert!(message.contains("1 mistake in the rules"), "{message}");
}

#[test]
fn hostile_files_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb = format!("{bomb}a{level}: &a{level} [{inner}]\n");
    }
    for (octets, said) in [
        (bomb.as_bytes(), "more than 1000000 nodes"),
        ("[".repeat(500_000).as_bytes(), "limit exceeded"),
        (format!("limits: {}{}", "[".repeat(40), "]".repeat(40)).as_bytes(), "nested deeper"),
        (b"host: \"a\\0b\"\n", "control characters"),
        (b"host: a\0b\n", "gridtap.yaml:1:8\n"),
        (b"threads: 1\nhost: b\xFFy\n", "gridtap.yaml:2:8\n"),
        (b"\xFF\xFEh\0o\0s\0t\0", "no UTF-8"),
        (b"\x1F\x8B\x08\0\0\0", "no UTF-8"),
        ("a: b\n".repeat(50_000).as_bytes(), "stands here twice"),
        (format!("host: {}\n", "x".repeat(100_000)).as_bytes(), "longer than 4096"),
        (b"%YAML 1.1\n---\nhost: x\n", "error"),
    ] {
        let (exit, message) = said_of(octets);
        assert_eq!(exit, Some(78), "{said}: {message}");
        assert!(message.contains(said) && message.contains("in the configuration"), "{message}");
        assert!(message.len() < 100_000, "{said}: {} octets", message.len());
    }
}

#[test]
fn no_more_is_read_than_a_configuration_can_have() {
    let (_folder, path) = file_with(b"");
    fs::File::options().write(true).open(&path).unwrap().set_len(100_000_000).unwrap();
    for path in [path.as_path(), Path::new("/dev/zero")] {
        let (exit, message) = check(path);
        assert!(exit == Some(78) && message.contains("larger than 1 MiB"), "{message}");
    }
}

#[test]
fn what_cannot_be_read_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("gridtap.yaml");
    for (path, said) in [(missing.as_path(), "No such file"), (folder.path(), "is a directory")] {
        let (exit, message) = check(path);
        assert!(exit == Some(66) && message.contains(said), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let (_folder, secret) = file_with(b"");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&secret).is_ok() {
        writeln!(std::io::stdout(), "skipped: nothing is forbidden to root").unwrap();
        return;
    }
    let (exit, message) = check(&secret);
    assert!(exit == Some(77) && message.lines().count() == 1, "{message}");
}

#[test]
fn environment_and_command_line_stand_above_the_file() {
    let (_folder, path) = file_with(b"threads: 1\ninterfaces: [{interface: eth1}]\n");
    let path = path.to_str().unwrap();
    let output = gridtap(&["check", "--set", "threads=zero"])
        .env("GRIDTAP_CONFIG", path)
        .env("GRIDTAP_LIMITS_FLOWS", "0")
        .output()
        .unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{message}");
    for part in ["--> environment:1:22", "--> command line:1:9", "2 mistakes in the configuration"]
    {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
}

#[test]
fn the_environment_counts_without_a_file_too() {
    let few = gridtap(&["replay", "pcaps/demo.pcap", "--eve", "-", "--types", "flow"])
        .env("GRIDTAP_LIMITS_FLOWS", "2")
        .output()
        .unwrap();
    assert!(text(&few.stdout).contains(r#""reason":"evicted""#), "{}", text(&few.stderr));
    for command in [&["check"][..], &["replay", "pcaps/demo.pcap"]] {
        let output = gridtap(command).env("GRIDTAP_LIMITS_FLOWS", "none").output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{message}");
        assert!(message.contains("--> environment:1:22"), "{message}");
    }
    let slip = gridtap(&["check"]).env("GRIDTAP_LIMIT_FLOWS", "2").output().unwrap();
    assert!(text(&slip.stderr).contains("GRIDTAP_LIMITS_FLOWS"), "{}", text(&slip.stderr));
    for variable in ["GRIDTAP_LIMITS_FLOWS", "GRIDTAP_CONFIG"] {
        let unset = gridtap(&["check"]).env(variable, "").output().unwrap();
        assert_eq!((text(&unset.stderr), unset.status.code()), ("", Some(0)), "{variable}");
    }
    assert_eq!(run(&["check", "--config", ""]).status.code(), Some(64), "a slip of a script");
}

#[test]
fn a_placeholder_that_no_rule_has_is_warned_of() {
    let config = "interfaces: [{interface: eth0}]\noutputs: [{type: file, path: /dev/null}]\n\
                  placeholders: {masters: [10.20.0.10], mastres: [10.20.0.11]}\n";
    let (_folder, path) = file_with(config.as_bytes());
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    let message = text(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(message.starts_with("warning: no rule has the placeholder `%mastres%`\n"), "{message}");
    assert!(message.contains("gridtap.yaml:3:"), "{message}");
    assert!(!message.contains("%masters%"), "{message}");
    assert!(text(&output.stdout).contains(" rules, no mistake, 1 warning"));
}

/// An empty folder, or one whose rules wait, looks like a quiet day.
#[test]
fn that_no_rule_is_in_force_is_warned_of() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().to_str().unwrap();
    for command in [
        &["check", "--rules", rules][..],
        &["replay", "pcaps/clean.pcap", "--rules", rules],
        &["replay", "pcaps/clean.pcap", "--set", "rules=[]"],
    ] {
        let output = run(command);
        let message = text(&output.stderr);
        assert!(output.status.success(), "{message}");
        let said = "gridtap: warning: no rule is in force (there is none): ";
        assert!(message.contains(said), "{command:?}: {message}");
    }
    let waiting = "rules/iec104/iec104_command_from_stranger.yml";
    let output = run(&["check", "--rules", waiting]);
    let said = "no rule is in force (1 rule, with placeholders that nobody filled): ";
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    assert_eq!(text(&run(&["replay", "pcaps/clean.pcap"]).stderr), "");
}

#[test]
fn a_replay_takes_rules_and_names_from_it() {
    let config = "host: boundary-7\nplaceholders: {masters: [10.20.0.10, 10.20.0.11]}\n";
    let (_folder, path) = file_with(config.as_bytes());
    let path = path.to_str().unwrap();
    let lines = |arguments: &[&str]| -> Vec<Json> {
        let output = run(&[&["replay", "pcaps/demo.pcap", "--eve", "-"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let titles = |lines: &[Json]| -> Vec<String> {
        lines
            .iter()
            .filter_map(|line| line["alert"]["signature"].as_str())
            .map(str::to_owned)
            .collect()
    };
    let (plain, configured) = (lines(&[]), lines(&["--config", path]));
    assert!(configured.iter().all(|line| line["host"] == "boundary-7"));
    assert!(titles(&configured).len() > titles(&plain).len(), "the placeholder brings a rule up");
    let few = lines(&["--config", path, "--set", "limits.flows=2"]);
    assert!(few.iter().any(|line| line["flow"]["reason"] == "evicted"));
}
