//! The rule pack: valid for other tools of Sigma, and tried on captures, each rule both ways.

#![allow(clippy::print_stdout, reason = "says what it skips")]

mod common;
#[path = "../benches/generate/mod.rs"]
mod generate;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use common::page::{self, Page};
use common::{file, shared};
use gridtap::protocol;
use gridtap::rule::{Placeholders, RuleSet, Source};
use serde_json::Value as Json;
use tempfile::TempDir;

const GENERATED: usize = 300;

fn pack(placeholders: &Placeholders) -> RuleSet {
    let services: Vec<_> = protocol::services().collect();
    RuleSet::load(&RuleSet::builtin_sources(), &services, placeholders).unwrap()
}

fn gridtap(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command.env_remove("CLICOLOR_FORCE").output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The documents of a file as other tools are to read them: `topic` and the condition of an absence are
/// ours, and what else a rule says is checked.
fn plain(text: &str) -> String {
    let documents = text.split("---\n").map(|document| {
        let document = document.replace("|topic:", "|contains:").replace("|topic|", "|contains|");
        let is_ours = |line: &&str| {
            document.contains("\ncorrelation:\n")
                && line.starts_with("  condition: ")
                && line.contains(" and not ")
        };
        let kept: Vec<&str> =
            document.split_inclusive('\n').filter(|line| !is_ours(line)).collect();
        kept.concat()
    });
    documents.collect::<Vec<String>>().join("---\n")
}

/// What a rule file has, and the schema for it.
const SCHEMAS: [(&str, &str); 3] = [
    ("detection", "sigma-detection-rule-schema.json"),
    ("correlation", "sigma-correlation-rules-schema.json"),
    ("filter", "sigma-filters-schema.json"),
];

#[test]
fn rules_are_valid_by_the_schemas_of_sigma() {
    let Some(folder) = shared("sigma") else { return };
    let validators = SCHEMAS.map(|(key, file)| {
        let schema = serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        (key, options.build(&schema).unwrap())
    });
    let generated = generate::rules(GENERATED).map(|(name, text)| Source { name, text });
    let examples = TOGETHER.map(|text| Source { name: "together".into(), text: text.into() });
    let mut documents = 0;
    for source in RuleSet::builtin_sources().into_iter().chain(generated).chain(examples) {
        for text in source.text.split("\n---\n") {
            let document: Json = serde_yaml::from_str(text).unwrap();
            // Absence is no part of Sigma 2.1.
            if document["correlation"]["condition"].is_string() {
                continue;
            }
            let found = validators.iter().find(|(key, _)| document.get(key).is_some());
            let (_, validator) = found.unwrap_or_else(|| panic!("{}: what is it", source.name));
            let errors: Vec<_> = validator
                .iter_errors(&document)
                .map(|error| format!("{}: {}: {error}", source.name, error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}", errors.join("\n"));
            documents += 1;
        }
    }
    assert!(documents > GENERATED + TOGETHER.len(), "the pack is empty");

    for (key, validator) in &validators {
        let nameless = serde_json::json!({"logsource": {}, (*key): {"condition": "s"}});
        assert!(!validator.is_valid(&nameless), "the schema for {key} accepts anything");
    }
}

/// The spelling of what the pack may not have.
const TOGETHER: [&str; 2] = [
    "title: Many values
id: 3f9d1f0a-9f0e-4a39-8a3e-54a3f9f2a0d2
status: test
level: high
generate: true
correlation:
  type: value_percentile
  rules: [control_command]
  aliases: {station: {control_command: dest_ip}}
  group-by: [station]
  timespan: 60s
  condition: {field: iec104.value, percentile: 95, gte: 20}
",
    "title: The historian reads what it likes
id: 7c1a7a9c-8a66-4c8e-8e43-3a7f0a0f9b51
logsource: {product: gridtap, service: iec104}
filter:
  rules: [5b0c1de2-5f0f-4a39-8a3e-54a3f9f2a0d2]
  selection: {src_ip|cidr|expand: '%historians%'}
  condition: not selection
",
];

/// `sigma`, where `tests/run` installed it.
fn sigma() -> Option<PathBuf> {
    let python = env::var_os("GRIDTAP_PYTHON").map(PathBuf::from);
    let found = python.map(|python| python.with_file_name("sigma")).filter(|sigma| sigma.exists());
    if found.is_none() {
        println!("skipped: no `sigma` beside $GRIDTAP_PYTHON; tests/run installs it");
    }
    found
}

#[test]
fn rules_are_right_for_the_tools_of_sigma() {
    let Some(sigma) = sigma() else { return };
    let generated = TempDir::new().unwrap();
    for (name, text) in generate::rules(GENERATED) {
        let path = generated.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let check = |folder: &Path| {
        // Those two fetch the techniques that there are from the network.
        let exclusions = ["-x", "attacktag", "-x", "d3_fendtag"];
        let mut command = Command::new(&sigma);
        command.args(["check", "--fail-on-error", "--fail-on-issues"]).args(exclusions);
        command.arg(folder).output().unwrap()
    };
    let pack = TempDir::new().unwrap();
    for source in RuleSet::builtin_sources() {
        let path = pack.path().join(&source.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, plain(&source.text)).unwrap();
    }
    for folder in [pack.path(), generated.path()] {
        let output = check(folder);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{}: {said}", folder.display());
    }

    let wrong = TempDir::new().unwrap();
    fs::write(wrong.path().join("wrong.yml"), "title: No detection\nlogsource: {}\n").unwrap();
    assert!(!check(wrong.path()).status.success(), "sigma accepts anything");
}

#[test]
fn every_rule_has_an_example_that_fires_and_one_that_does_not() {
    for rule in &pack(&Placeholders::new()).rules {
        let fires = rule.examples.iter().any(|example| example.alerts > 0);
        let silent = rule.examples.iter().any(|example| example.alerts == 0);
        assert!(fires && silent, "{}: fires {fires}, silent {silent}", rule.file);
    }
}

#[test]
fn every_rule_does_what_its_examples_say() {
    let output = gridtap(&["rules", "test"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.ends_with(" passed, 0 failed\n"), "{said}");
}

/// The site of `pcaps/README.md`, as its operator would write it down.
const SITE: &[(&str, &[&str])] = &[
    ("masters", &["10.20.0.10", "10.20.0.11"]),
    ("time_masters", &["10.20.0.10"]),
    ("originators", &["0"]),
    (
        "points",
        &[
            "1001", "1002", "1003", "1101", "1102", "1201", "1301", "2001", "2003", "2101", "2102",
            "2201", "3001", "3002",
        ],
    ),
    ("command_topics", &["grid/+/+/breaker/command"]),
    ("command_publishers", &["10.20.0.10"]),
    ("command_subscribers", &["10.40.12.31"]),
    ("mqtt_ports", &["1883", "9001"]),
    ("websocket_brokers", &["10.20.0.20"]),
    ("tls_brokers", &["10.20.0.20", "10.30.3.10"]),
    ("tls_servers", &["10.30.99.0/24"]),
];

/// Captures of peers without bad intentions, and what they do all the same: a wrong password, and an alias above the
/// broker's maximum.
const HARMLESS: &[(&str, &[&str])] = &[
    ("clean", &[]),
    ("websocket", &["MQTT Login Refused"; 2]),
    (
        "mqtt-peers",
        &[
            "MQTT Login Refused",
            "MQTT Login Refused",
            "MQTT Login Refused",
            "MQTT Login Refused",
            "MQTT Topic Alias Abused",
        ],
    ),
];

/// Correlations included.
#[test]
fn normal_life_raises_no_alert_of_any_rule() {
    let folder = TempDir::new().unwrap();
    let [configuration, eve] = ["site.yaml", "eve.json"].map(|name| folder.path().join(name));
    let values = |values: &[&str]| values.iter().map(|value| format!("'{value}'")).collect();
    let lines = SITE.iter().map(|(name, all)| {
        let all: Vec<String> = values(all);
        format!("  {name}: [{}]\n", all.join(", "))
    });
    let text = format!("placeholders:\n{}", lines.collect::<String>());
    fs::write(&configuration, text).unwrap();
    let filled = SITE.iter().map(|(name, values)| {
        ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    });
    let rules = pack(&filled.collect());
    let inactive = rules.rules.iter().find(|rule| rule.inactive.is_some());
    assert!(inactive.is_none(), "a placeholder that this test does not fill: {inactive:?}");

    let [configuration, eve_text] = [&configuration, &eve].map(|path| path.to_str().unwrap());
    for (capture, expected) in HARMLESS {
        let capture = format!("pcaps/{capture}.pcap");
        let output = gridtap(&[
            "replay",
            &capture,
            "--config",
            configuration,
            "--types",
            "alert",
            "--eve",
            eve_text,
        ]);
        assert!(output.status.success(), "{}", text_of(&output));
        let lines = fs::read_to_string(&eve).unwrap();
        let mut alerts: Vec<_> = lines
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["alert"]["signature"].clone())
            .collect();
        alerts.sort_by_key(ToString::to_string);
        assert_eq!(alerts, *expected, "{capture}");
    }
}

fn text_of(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

const TABLES: [&str; 3] = ["## IEC 104", "## MQTT", "## Network and TLS"];

/// What attacks do, the rules that find it, captures that show it.
fn rows(page: &Page) -> Vec<Vec<String>> {
    TABLES.iter().flat_map(|heading| page.rows(heading)).collect()
}

#[test]
fn the_page_of_the_pack_has_every_rule_and_no_other() {
    let page = Page::read("docs/pack.md");
    let rows = rows(&page);
    let named: BTreeSet<String> =
        rows.iter().flat_map(|row| page::names(&row[1])).map(str::to_owned).collect();
    let stem =
        |source: &Source| Path::new(&source.name).file_stem().unwrap().to_str().unwrap().to_owned();
    let files: BTreeSet<String> = RuleSet::builtin_sources().iter().map(stem).collect();
    assert_eq!(named, files);
}

/// A row of the page names a capture for each of its rules, and each capture is one on which a rule of
/// the row fires.
#[test]
fn the_page_of_the_pack_names_captures_that_fire() {
    let page = Page::read("docs/pack.md");
    let rules = pack(&Placeholders::new()).rules;
    for row in rows(&page) {
        let captures: BTreeSet<&str> = page::names(&row[2]).collect();
        for file in page::names(&row[1]) {
            let of_file =
                |rule: &&gridtap::rule::Rule| rule.file.ends_with(&format!("/{file}.yml"));
            let fired: BTreeSet<&str> = rules
                .iter()
                .filter(of_file)
                .flat_map(|rule| &rule.examples)
                .filter(|example| example.alerts > 0)
                .map(|example| example.capture.trim_start_matches("pcaps/"))
                .collect();
            assert!(!fired.is_disjoint(&captures), "{file}: {captures:?}, {fired:?}");
        }
    }
    let placeholders = pack(&Placeholders::new());
    let explained: BTreeSet<_> = page.names("## Placeholders").into_iter().collect();
    let used: BTreeSet<_> = placeholders.placeholders.iter().cloned().collect();
    assert_eq!(explained, used);
}

const STRANGER: &str = "\
title: A stranger
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f10
logsource: {product: gridtap, service: iec104}
detection:
  reset: {iec104.type: C_RP_NA_1, iec104.cause: activation}
  known: {src_ip|expand: '%masters%'}
  condition: reset and not known
";

/// Runs `gridtap rules test` on STRANGER with one example.
fn tried(example: &str) -> (i32, String) {
    tried_in(&TempDir::new().unwrap(), example)
}

/// The same, in a folder with captures of its own.
fn tried_in(folder: &TempDir, example: &str) -> (i32, String) {
    let path = folder.path().join("stranger.yml");
    fs::write(&path, format!("{STRANGER}examples:\n  - {{{example}}}\n")).unwrap();
    let output = gridtap(&["rules", "test", "--rules", path.to_str().unwrap()]);
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

/// What mosquitto and its clients say in the capture, each filter with how many packets it is met in.
#[test]
fn topics_are_matched_as_the_broker_matches_them() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("mqtt.publish.topic|topic: grid/+/+/breaker/command", 9),
        ("mqtt.publish.topic|topic: grid/north/feeder12/meter/4711/#", 72),
        ("mqtt.publish.topic|topic: grid/north/feeder12/breaker/command/#", 9),
        ("mqtt.publish.topic|topic: Grid/#", 0),
        ("mqtt.publish.topic|topic: '#', mqtt.publish.topic|startswith: $SYS", 0),
        ("mqtt.publish.topic|topic: $share/g/head-end/+/collector", 6),
        ("mqtt.connect.will.topic|topic: grid/+/+/meter/4711/+", 2),
        ("mqtt.subscribe.topics.topic|topic: grid/north/feeder12/meter/4711/telemetry", 3),
        ("mqtt.subscribe.topics.topic|topic: grid/+/+/+/+/temperature", 3),
        ("mqtt.subscribe.topics.topic|topic: $SYS/broker/version", 1),
    ];
    for (number, (item, alerts)) in cases.iter().enumerate() {
        let rule = format!(
            "title: Case {number}\nid: 7d1f6f0e-0a31-4f0e-9d6b-{number:012}\n\
             logsource: {{product: gridtap, service: mqtt}}\n\
             detection:\n  s: {{{item}}}\n  condition: s\n\
             examples: [{{capture: pcaps/demo.pcap, alerts: {alerts}}}]\n"
        );
        fs::write(folder.path().join(format!("{number}.yml")), rule).unwrap();
    }
    let output = gridtap(&["rules", "test", "--rules", folder.path().to_str().unwrap()]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("{} examples passed, 0 failed", cases.len())), "{said}");
}

const READINGS: &str = "\
title: A reading
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f11
logsource: {product: gridtap, service: mqtt}
detection:
  reading:
    mqtt.publish.topic|topic: grid/+/+/meter/4711/telemetry
    mqtt.publish.json.p_kw|gte: 3.5
    mqtt.publish.json.u[0]|lt: 230.2
  condition: reading
";

/// What a rule asked for is in its alerts, so that the same rule holds where these are searched; and
/// in no record is what no rule asked for.
#[test]
fn alerts_have_the_values_of_payloads_that_rules_ask_for() {
    let folder = TempDir::new().unwrap();
    let (rules, eve) = (folder.path().join("readings.yml"), folder.path().join("eve.json"));
    fs::write(&rules, READINGS).unwrap();
    let [rules, eve] = [&rules, &eve].map(|path| path.to_str().unwrap());
    let output = gridtap(&["replay", "pcaps/demo.pcap", "--rules", rules, "--eve", eve]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = fs::read_to_string(eve).unwrap();
    let records: Vec<Json> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut alerts, mut expected) = (0, 0);
    for record in &records {
        let publish = &record["mqtt"]["publish"];
        let message = publish["message"].as_str().unwrap_or_default();
        let Ok(payload) = serde_json::from_str::<Json>(message) else {
            assert!(publish.get("json").is_none(), "{record}");
            continue;
        };
        let (power, voltage) = (payload["p_kw"].as_f64(), payload["u"][0].as_f64());
        assert_eq!(publish["json"]["p_kw"].as_f64(), power, "{record}");
        assert_eq!(publish["json"]["u"][0].as_f64(), voltage, "{record}");
        let keys = publish["json"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(keys, usize::from(power.is_some()) + usize::from(voltage.is_some()));
        let holds =
            publish["topic"].as_str().is_some_and(|topic| topic.ends_with("/4711/telemetry"))
                && power.is_some_and(|power| power >= 3.5)
                && voltage.is_some_and(|voltage| voltage < 230.2);
        match record["event_type"].as_str() {
            Some("alert") => alerts += 1,
            _ => expected += usize::from(holds),
        }
        assert!(holds || record["event_type"] != "alert", "{record}");
    }
    assert!(expected > 5 && alerts == expected, "{alerts} alerts, {expected} expected");
}

#[test]
fn an_example_fills_placeholders() {
    for (masters, alerts) in [("10.20.0.10", 3), ("10.20.0.66", 0)] {
        let placeholders = format!("placeholders: {{masters: [{masters}]}}");
        let example = format!("capture: pcaps/demo.pcap, alerts: {alerts}, {placeholders}");
        let (code, said) = tried(&example);
        assert_eq!(code, 0, "{said}");
    }
}

#[test]
fn an_example_of_a_rule_that_is_not_in_force_says_nothing_and_fails() {
    let (code, said) = tried("capture: pcaps/clean.pcap, alerts: 0");
    assert_eq!(code, 65, "{said}");
    assert!(said.contains("not in force") && said.contains("%masters%"), "{said}");
}

#[test]
fn an_example_without_a_capture_is_told_with_its_place() {
    let (code, said) =
        tried("capture: pcaps/gone.pcap, alerts: 0, placeholders: {masters: [10.20.0.10]}");
    assert_eq!(code, 66, "{said}");
    for part in ["FAIL  A stranger  pcaps/gone.pcap: cannot be read", "stranger.yml:9\n"] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn outside_of_the_repository_each_example_is_told() {
    let elsewhere = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    let output = command.current_dir(&elsewhere).args(["rules", "test"]).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(66), "{said}");
    for rule in &pack(&Placeholders::new()).rules {
        for example in &rule.examples {
            let place = format!("{}:{}\n", rule.file, example.line);
            assert!(said.contains(&place), "{place} is not in\n{said}");
        }
    }
}

#[test]
fn an_example_on_half_a_capture_fails_and_says_where_it_ends() {
    let folder = TempDir::new().unwrap();
    let capture = fs::read(file("pcaps/demo.pcap")).unwrap();
    fs::write(folder.path().join("half.pcap"), &capture[..capture.len() / 2]).unwrap();
    let (code, said) =
        tried_in(&folder, "capture: half.pcap, alerts: 0, placeholders: {masters: [10.20.0.10]}");
    assert_eq!(code, 65, "{said}");
    assert!(said.contains("FAIL  A stranger  half.pcap: "), "{said}");
    assert!(said.contains("truncated within") && said.contains("at octet"), "{said}");
}

#[test]
fn a_mistake_in_the_placeholders_of_an_example_is_shown_where_it_is() {
    let (code, said) = tried("capture: pcaps/demo.pcap, alerts: 3, placeholders: {mastres: [x]}");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("stranger.yml:9:") && said.contains("`masters`"), "{said}");
    let (code, said) = tried("capture: pcaps/demo.pcap, alerts: 3, placeholders: {masters: [x]}");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("stranger.yml:6:") && said.contains("`x` is no network"), "{said}");
}
