//! What is redacted leaves the process nowhere, and rules match it all the same.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::frames;
use serde_json::Value;
use tempfile::TempDir;

/// User names that are nobody's client identifier, and what applications say.
const USER_NAMES: &[&str] = &["scada", "operator", "guest", "admin"];
const SAID: &[&str] = &["p_kw", "load-profile", "offline"];

const RULES: &str = "\
title: A user name
id: 7d1f6f0e-0a31-4f0e-9d6b-000000000001
logsource: {product: gridtap, service: mqtt}
detection:
  s: {mqtt.connect.username: scada}
  condition: s
---
title: A payload
id: 7d1f6f0e-0a31-4f0e-9d6b-000000000002
logsource: {product: gridtap, service: mqtt}
detection:
  s: {mqtt.publish.message|contains: load-profile}
  condition: s
---
title: A value
id: 7d1f6f0e-0a31-4f0e-9d6b-000000000003
logsource: {product: gridtap, service: mqtt}
detection:
  s: {mqtt.publish.json.read: load-profile}
  condition: s
";

/// Everything that a replay tells.
struct Told {
    records: Vec<Value>,
    /// Records and summary.
    text: String,
    evidence: Vec<u8>,
}

fn replay(folder: &Path, more: &[&str]) -> Output {
    let rules = folder.join("rules.yml");
    fs::write(&rules, RULES).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["replay", "pcaps/demo.pcap", "--eve"]);
    command.arg(folder.join("eve.json")).arg("--evidence").arg(folder.join("evidence"));
    command.arg("--rules").arg(rules).args(["--rules", "rules"]).args(more).output().unwrap()
}

fn told(more: &[&str]) -> Told {
    let folder = TempDir::new().unwrap();
    let output = replay(folder.path(), more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = fs::read_to_string(folder.path().join("eve.json")).unwrap();
    let evidence = common::files(&folder.path().join("evidence"));
    let evidence = evidence.iter().flat_map(|path| frames(path)).flat_map(|frame| frame.data);
    Told {
        records: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        text: lines + &String::from_utf8_lossy(&output.stdout),
        evidence: evidence.collect(),
    }
}

impl Told {
    fn has(&self, word: &str) -> (bool, bool) {
        let in_evidence = memchr::memmem::find(&self.evidence, word.as_bytes()).is_some();
        (self.text.contains(word), in_evidence)
    }

    fn alerts(&self, title: &str) -> usize {
        self.records.iter().filter(|record| record["alert"]["signature"] == title).count()
    }

    /// All values at this place, each once.
    fn values(&self, pointer: &str) -> Vec<&Value> {
        let mut values: Vec<_> =
            self.records.iter().filter_map(|record| record.pointer(pointer)).collect();
        values.sort_by_key(ToString::to_string);
        values.dedup();
        values
    }
}

#[test]
fn without_a_word_all_is_shown() {
    let told = told(&[]);
    assert_eq!(told.values("/mqtt/publish/json/read"), ["load-profile"]);
    for word in USER_NAMES.iter().chain(SAID) {
        assert_eq!(told.has(word), (true, true), "{word}");
    }
}

#[test]
fn user_names_leave_nowhere_and_rules_match_them() {
    for how in [&["--redact", "user_names"][..], &["--set", "redact=[user_names]"]] {
        let told = told(how);
        for word in USER_NAMES {
            assert_eq!(told.has(word), (false, false), "{word}");
        }
        for word in SAID {
            assert_eq!(told.has(word), (true, true), "{word}");
        }
        assert_eq!(told.alerts("A user name"), 2);
        assert_eq!(told.values("/mqtt/connect/username"), ["[redacted]"]);
        assert_eq!(told.values("/mqtt/connect/flags/username").len(), 1);
    }
}

#[test]
fn payloads_leave_nowhere_and_rules_match_them() {
    let told = told(&["--redact", "payloads"]);
    for word in SAID {
        assert_eq!(told.has(word), (false, false), "{word}");
    }
    for word in USER_NAMES {
        assert_eq!(told.has(word), (true, true), "{word}");
    }
    assert_eq!((told.alerts("A payload"), told.alerts("A value")), (6, 6));
    assert!(told.values("/mqtt/publish/json").is_empty());
    for place in ["/mqtt/publish/message", "/mqtt/connect/will/message"] {
        assert_eq!(told.values(place), ["[redacted]"], "{place}");
    }
    assert!(told.values("/mqtt/publish/payload_length").len() > 5, "lengths are kept");
}

#[test]
fn command_line_and_configuration_add_up() {
    let told = told(&["--set", "redact=[payloads]", "--redact", "user_names"]);
    for word in USER_NAMES.iter().chain(SAID) {
        assert_eq!(told.has(word), (false, false), "{word}");
    }
}

#[test]
fn what_cannot_be_redacted_is_a_mistake() {
    let folder = TempDir::new().unwrap();
    let output = replay(folder.path(), &["--redact", "users"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("it is one of user_names, payloads"), "{said}");
}
