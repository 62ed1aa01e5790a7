//! The program as a user meets it: output, messages, exit codes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

const DEMO: &str = "pcaps/demo.pcap";

fn gridtap(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).env_remove("CLICOLOR_FORCE");
    for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("GRIDTAP_")) {
        command.env_remove(variable);
    }
    command
}

/// Runs the program with nothing on standard input.
fn run(arguments: &[&str]) -> Output {
    gridtap(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Standard output of a run that must go well.
fn stdout_of(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{arguments:?}");
    text(&output.stdout)
}

/// The exit code and standard error of a run that must not go well.
fn failure_of(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    (output.status.code().unwrap(), text(&output.stderr))
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A folder with one file in it.
fn folder_with(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn demo() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(DEMO)).unwrap()
}

fn as_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_replay_ends_with_a_summary() {
    let summary = stdout_of(&["replay", DEMO]);
    for part in ["packets   2,", "Alerts: ", "  high   ", "IEC 104 stations: 3", "MQTT brokers: 1"]
    {
        assert!(summary.contains(part), "{part} is not in\n{summary}");
    }
    assert!(!summary.contains('\x1b'), "no colours in a pipe");
    let widest = summary.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} characters\n{summary}");
}

#[test]
fn normal_life_raises_no_alert() {
    assert!(stdout_of(&["replay", "pcaps/clean.pcap"]).contains("No alert"));
}

#[test]
fn records_on_standard_output_are_json_lines_and_nothing_else() {
    let output = run(&["replay", DEMO, "--eve", "-"]);
    assert!(output.status.success());
    let types: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["event_type"].clone())
        .collect();
    for wanted in ["iec104", "mqtt", "alert", "flow", "anomaly", "stats"] {
        assert!(types.iter().any(|found| found == wanted), "no {wanted}");
    }
    assert!(types.iter().all(|found| found != "iec104_object"));
    assert!(text(&output.stderr).contains("Alerts: "), "the summary makes room");
}

#[test]
fn types_pick_records() {
    let (_folder, path) = folder_with("eve.json", b"what was there before");
    stdout_of(&["replay", DEMO, "--eve", as_str(&path), "--types", "alert,stats"]);
    let lines = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, alerts) = lines.split_last().unwrap();
    assert!(!alerts.is_empty());
    assert!(alerts.iter().all(|line| line["event_type"] == "alert"));
    assert_eq!(last["stats"]["detect"]["alert"], alerts.len());
}

#[test]
fn a_replay_is_the_same_every_time() {
    let lines = || text(&run(&["replay", DEMO, "--eve", "-"]).stdout);
    assert!(lines() == lines(), "two replays of one capture differ");
}

#[test]
fn counters_in_prometheus_format() {
    let output = run(&["replay", DEMO, "--metrics", "-"]);
    assert!(output.status.success());
    let page = text(&output.stdout);
    for line in ["# TYPE gridtap_packets_total counter", "gridtap_flows_active 0"] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    assert!(page.contains("gridtap_messages_total{protocol=\"mqtt\",type=\"publish\"}"));
}

#[test]
fn information_objects_are_no_messages_of_their_own() {
    let objects = ["replay", DEMO, "--eve", "-", "--types", "iec104_object,stats"];
    let output = run(&objects);
    let lines = text(&output.stdout);
    let stats: Json = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let messages = stats["stats"]["gridtap"]["messages"].as_object().unwrap();
    assert_eq!(messages.keys().collect::<Vec<_>>(), ["iec104", "mqtt", "tls"]);
    let summary = text(&output.stderr);
    let told = summary.lines().find(|line| line.contains("messages")).unwrap();
    assert!(told.ends_with(" iec104, 480 mqtt"), "{told}");
    let page = stdout_of(&["replay", DEMO, "--metrics", "/dev/stdout"]);
    assert!(!page.contains("iec104_object") && !page.contains("=\"\""), "{page}");
}

#[test]
fn a_capture_comes_through_a_pipe() {
    let mut replay =
        gridtap(&["replay", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    replay.stdin.take().unwrap().write_all(&demo()).unwrap();
    let output = replay.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("standard input read in"));
}

#[test]
fn a_truncated_capture_is_read_up_to_the_damage() {
    let (_folder, path) = folder_with("short.pcap", &demo()[..100_000]);
    let output = run(&["replay", as_str(&path), "--eve", "-"]);
    assert_eq!(output.status.code(), Some(65));
    assert!(text(&output.stdout).lines().count() > 100, "what is before the damage");
    let said = text(&output.stderr);
    assert!(said.contains("short.pcap: truncated within") && said.contains("at octet"), "{said}");
}

/// The demo's capture with each frame changed; the lengths on the wire stay.
fn demo_with(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let demo = demo();
    let (header, mut records) = demo.split_at(24);
    let mut changed = header.to_vec();
    while let Some((head, rest)) = records.split_at_checked(16) {
        let length = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let mut frame = rest[..length].to_vec();
        records = &rest[length..];
        change(&mut frame);
        changed.extend_from_slice(&head[..8]);
        changed.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        changed.extend_from_slice(&head[12..]);
        changed.extend(frame);
    }
    changed
}

/// The line of a summary with this label.
fn line_of(summary: &str, label: &str) -> String {
    let line = summary.lines().find_map(|line| line.trim_start().strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label} in\n{summary}")).trim().to_owned()
}

#[test]
fn a_short_snap_length_is_said_and_is_no_damage() {
    for (length, headers) in [(40, true), (60, true), (80, false)] {
        let (_folder, path) = folder_with("cut.pcap", &demo_with(|frame| frame.truncate(length)));
        let summary = stdout_of(&["replay", as_str(&path)]);
        let cut = line_of(&summary, "cut ");
        let said = format!(" frames: the capture has no more of them than {length} octets");
        assert!(cut.ends_with(&said), "{summary}");
        assert!(!summary.contains("tcp_header"), "{summary}");
        assert_eq!(summary.contains("frames cut within their headers"), headers, "{summary}");
    }
    assert!(!stdout_of(&["replay", DEMO]).contains("cut "));
}

#[test]
fn what_nobody_looked_into_is_said() {
    let (_folder, path) = folder_with(
        "fragments.pcap",
        &demo_with(|frame| {
            if frame.len() > 100 && frame[12..14] == [8, 0] {
                frame[20] |= 0x20; // more fragments (RFC 791, 3.1)
                frame[24..26].fill(0);
            } else if frame.len() > 90 {
                frame[12..14].copy_from_slice(&[0x88, 0xB8]); // GOOSE
            }
        }),
    );
    let summary = stdout_of(&["replay", as_str(&path)]);
    let unread = line_of(&summary, "not read");
    assert!(
        unread.contains(" IP fragments, ") && unread.contains(" frames without IP"),
        "{unread}"
    );
    assert_eq!(line_of(&stdout_of(&["replay", DEMO]), "not read"), "14 frames without IP");
}

#[test]
fn what_is_wrong_with_damaged_frames_is_said() {
    let damaged = demo_with(|frame| {
        if frame[12..14] == [8, 0] && frame.len() > 100 {
            frame[22] ^= 1; // its checksum no longer fits
        }
    });
    let (_folder, path) = folder_with("damaged.pcap", &damaged);
    let unread = line_of(&stdout_of(&["replay", as_str(&path)]), "not read");
    let (before, after) = unread.split_once(" damaged frames: ").unwrap();
    let (_, count) = before.rsplit_once(' ').unwrap();
    assert_eq!(after, format!("{count} ip_checksum"), "{unread}");
}

#[test]
fn flows_that_found_no_room_are_said() {
    let summary = stdout_of(&["replay", DEMO, "--set", "limits.flows=2"]);
    let flows = line_of(&summary, "flows");
    assert!(flows.ends_with(" ended early: `limits.flows` was reached"), "{flows}");
    assert!(!stdout_of(&["replay", DEMO]).contains("ended early"));
}

#[test]
fn what_cannot_be_read_is_told_in_one_line() {
    let (_folder, text_file) = folder_with("notes.txt", b"meet at noon\n");
    let (_folder, empty) = folder_with("empty.pcap", b"");
    for (path, code, said) in [
        ("no/such.pcap", 66, "no/such.pcap: cannot be read: "),
        ("pcaps", 66, "pcaps: is a directory"),
        (as_str(&text_file), 65, "is text, not a capture"),
        (as_str(&empty), 65, "is empty"),
    ] {
        let (exit, message) = failure_of(&["replay", path]);
        assert_eq!(exit, code, "{message}");
        assert!(message.contains(said) && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn wrong_usage_is_64() {
    for arguments in [
        &["replay"][..],
        &["reply", DEMO],
        &["replay", DEMO, "--eve", "-", "--types", "alerts"],
        &["replay", DEMO, "--types", "alert"],
        &["replay", DEMO, "--eve", "-", "--metrics", "-"],
        &["rules", "fields", "nonsense"],
        &[],
    ] {
        let (exit, message) = failure_of(arguments);
        assert_eq!(exit, 64, "{arguments:?}: {message}");
        assert!(!message.is_empty());
    }
    let (_, message) = failure_of(&["replay", DEMO, "--eve", "-", "--types", "alerts"]);
    assert!(message.contains("there are alert, flow, anomaly, sensor, iec104"), "{message}");
}

#[test]
fn asking_for_help_is_no_mistake() {
    for arguments in [&["--help"][..], &["--version"], &["replay", "--help"]] {
        assert!(!stdout_of(arguments).is_empty());
    }
}

#[test]
fn output_that_cannot_be_created_is_73() {
    let (exit, message) = failure_of(&["replay", DEMO, "--eve", "no/such/folder/eve.json"]);
    assert_eq!(exit, 73, "{message}");
}

#[test]
fn output_that_cannot_be_written_is_74() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        writeln!(std::io::stdout(), "skipped: there is no /dev/full").unwrap();
        return;
    }
    for option in ["--eve", "--metrics"] {
        let (exit, message) = failure_of(&["replay", DEMO, option, as_str(full)]);
        assert_eq!(exit, 74, "{message}");
        assert!(message.contains("/dev/full: cannot be written"), "{message}");
    }
}

#[test]
fn standard_output_that_cannot_be_written_is_74() {
    if !Path::new("/dev/full").exists() {
        writeln!(std::io::stdout(), "skipped: there is no /dev/full").unwrap();
        return;
    }
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "rules"],
        &["check"],
        &["rules", "list"],
        &["rules", "list", "--json"],
        &["rules", "fields"],
        &["rules", "fields", "--json"],
        &["rules", "test"],
        &["replay", DEMO],
        &["replay", DEMO, "--eve", "-"],
        &["replay", DEMO, "--metrics", "-"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = gridtap(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{arguments:?}: {message}");
        assert!(message.contains("standard output: cannot be written"), "{message}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_mistake() {
    let mut replay = gridtap(&["replay", DEMO, "--eve", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    let mut stdout = replay.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = replay.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

const RULE: &str = "\
title: A rule with a slip
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f10
level: high
logsource: {product: gridtap, service: iec104}
detection:
  command:
    iec104.typ: C_SC_NA_1
  condition: command
";

#[test]
fn a_mistake_in_a_rule_is_shown_where_it_is() {
    let (folder, path) = folder_with("slip.yml", RULE.as_bytes());
    for rules in [folder.path(), &path] {
        for command in [&["check"][..], &["replay", DEMO], &["rules", "list"]] {
            let (exit, message) = failure_of(&[command, &["--rules", as_str(rules)]].concat());
            assert_eq!(exit, 78, "{message}");
            for part in ["slip.yml:7:5", "iec104.typ: C_SC_NA_1", "iec104.type", "1 mistake in"] {
                assert!(message.contains(part), "{part} is not in\n{message}");
            }
        }
    }
}

#[test]
fn a_rule_file_that_is_no_text_hides_no_other_mistake() {
    let (folder, _) = folder_with("a-latin.yml", b"title: caf\xe9\n");
    std::fs::write(folder.path().join("b-slip.yml"), RULE).unwrap();
    let (exit, message) = failure_of(&["check", "--rules", as_str(folder.path())]);
    assert_eq!(exit, 78, "{message}");
    for part in ["a-latin.yml:1:11", "0xe9", "b-slip.yml:7:5", "2 mistakes in"] {
        assert!(message.contains(part), "{part} is not in\n{message}");
    }
}

#[test]
fn rules_of_a_folder_take_the_place_of_the_built_in_ones() {
    let (folder, _) = folder_with("right.yaml", RULE.replace("typ:", "type:").as_bytes());
    std::fs::write(folder.path().join("notes.txt"), "no rule").unwrap();
    assert_eq!(stdout_of(&["check", "--rules", as_str(folder.path())]), "1 rule, no mistake\n");
    let summary = stdout_of(&["replay", DEMO, "--rules", as_str(folder.path())]);
    assert!(summary.contains("A rule with a slip"), "{summary}");
}

#[test]
fn rules_may_stand_before_the_capture_and_several_times() {
    let (folder, _) = folder_with("right.yml", RULE.replace("typ:", "type:").as_bytes());
    let rules = as_str(folder.path());
    let summary = stdout_of(&["replay", "--rules", rules, DEMO]);
    assert!(summary.contains("1 in force") && summary.contains("A rule with a slip"), "{summary}");
    let both = stdout_of(&["rules", "list", "--rules", rules, "--rules", "rules/mqtt"]);
    assert!(both.contains("A rule with a slip") && both.contains("MQTT Subscription"), "{both}");
}

#[test]
fn the_rules_of_the_repository_are_those_that_are_built_in() {
    let built_in = stdout_of(&["rules", "list", "--json"]);
    let files = stdout_of(&["rules", "list", "--json", "--rules", "rules"]);
    let ids = |json: &str| {
        let rules: Json = serde_json::from_str(json).unwrap();
        let rules = rules.as_array().unwrap().clone();
        rules.into_iter().map(|rule| rule["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&built_in), ids(&files));
    assert!(ids(&files).len() >= 12);
}

#[test]
fn a_rule_that_does_not_do_what_its_examples_say_is_65() {
    let rule = RULE.replace("typ:", "type:");
    let rule = format!("{rule}examples:\n  - {{capture: {DEMO}, alerts: 9999}}\n");
    let (_folder, path) = folder_with("wrong.yml", rule.as_bytes());
    let output = run(&["rules", "test", "--rules", as_str(&path)]);
    assert_eq!(output.status.code(), Some(65));
    assert!(text(&output.stdout).contains("FAIL"), "{}", text(&output.stdout));
}

#[test]
fn fields_have_a_kind_and_a_meaning() {
    let page = stdout_of(&["rules", "fields", "iec104"]);
    assert!(page.contains("iec104.objects.ioa") && page.contains("M_SP_NA_1"), "{page}");
    assert!(page.contains("Type identification. 0 to 255."), "{page}");
    let services: Json = serde_json::from_str(&stdout_of(&["rules", "fields", "--json"])).unwrap();
    for service in services.as_array().unwrap() {
        for field in service["fields"].as_array().unwrap() {
            for part in ["name", "kind", "meaning"] {
                assert_ne!(field[part], "", "{field}");
            }
        }
    }
}

/// Under its own name, by a symbolic link, by a hard link.
#[test]
fn an_output_never_overwrites_what_is_read() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(at("rules")).unwrap();
    let (capture, rules, config) = (at("day.pcap"), at("rules/right.yml"), at("gridtap.yaml"));
    std::fs::write(&capture, demo()).unwrap();
    std::fs::write(&rules, RULE.replace("typ:", "type:")).unwrap();
    std::fs::write(&config, format!("rules: ['{rules}']\n")).unwrap();
    let reads: [(&str, &[&str]); 4] = [
        (&capture, &["replay", &capture]),
        (&rules, &["replay", DEMO, "--rules", &at("rules")]),
        (&config, &["replay", DEMO, "--config", &config]),
        (&rules, &["replay", DEMO, "--config", &config]),
    ];
    let (hard, symbolic) = (at("hard"), at("symbolic"));
    for (read, arguments) in reads {
        let before = std::fs::read(read).unwrap();
        std::fs::hard_link(read, &hard).unwrap();
        std::os::unix::fs::symlink(read, &symbolic).unwrap();
        for name in [read, &hard, &symbolic] {
            for output in ["--eve", "--metrics"] {
                let (exit, message) = failure_of(&[arguments, &[output, name]].concat());
                assert_eq!(exit, 64, "{name}: {message}");
                let said = format!("gridtap: {name}: writing it would destroy {read}, which");
                assert!(message.starts_with(&said), "{message}");
                assert!(std::fs::read(read).unwrap() == before, "{name}");
            }
        }
        std::fs::remove_file(&hard).unwrap();
        std::fs::remove_file(&symbolic).unwrap();
    }
}

#[test]
fn an_output_never_overwrites_what_the_shell_connected() {
    let (_folder, path) = folder_with("day.pcap", &demo());
    let stdin = || std::fs::File::open(&path).unwrap();
    let output = gridtap(&["replay", "-", "--eve", as_str(&path)]).stdin(stdin()).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{message}");
    assert!(message.ends_with("would destroy standard input, which is read\n"), "{message}");
    let stdout = std::fs::File::options().append(true).open(&path).unwrap();
    let output = gridtap(&["replay", as_str(&path), "--eve", "-"]).stdout(stdout).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{message}");
    assert!(message.starts_with("gridtap: standard output: "), "{message}");
    assert!(std::fs::read(&path).unwrap() == demo());
}

#[test]
fn two_outputs_are_two_files() {
    let folder = TempDir::new().unwrap();
    let name = folder.path().join("out");
    let detour = folder.path().join(".").join("out");
    for there in [false, true] {
        let outputs = ["replay", DEMO, "--eve", as_str(&name), "--metrics", as_str(&detour)];
        let (exit, message) = failure_of(&outputs);
        assert_eq!((exit, message.as_str()), (64, "gridtap: --eve and --metrics are one file\n"));
        assert_eq!(name.exists(), there);
        std::fs::write(&name, "").unwrap();
    }
    let null = run(&["replay", DEMO, "--eve", "/dev/null", "--metrics", "/dev/null"]);
    assert!(null.status.success());
}

#[test]
fn standard_input_is_read_once() {
    let (exit, message) = failure_of(&["replay", "-", "-"]);
    assert!(exit == 64 && message.contains("standard input can be read once only"), "{message}");
}
