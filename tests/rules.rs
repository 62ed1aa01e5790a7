//! The rule pack: valid for other tools of Sigma, and tried on captures, each rule both ways.

#![allow(clippy::print_stdout, reason = "says what it skips")]

mod common;
#[path = "../benches/generate/mod.rs"]
mod generate;
#[path = "common/peculiar.rs"]
mod peculiar;

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
    ("tunnel_ends", &["192.0.2.0/24"]),
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

/// Everything that an export changes or leaves out.
const VARIED: &str = "\
title: Commands by topic
name: by_topic
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f20
description: |
  A set point that somebody
  publishes: it's theirs.
status: test
level: high
tags: [attack.t0855]
logsource: {product: gridtap, service: mqtt}
detection:
  set: {mqtt.publish.topic|topic: [grid/+/set, '$SYS/#']}
  listens:
    mqtt.subscribe.topics.topic|topic: grid/+/set
  known: {src_ip|expand: '%masters%'}
  condition: (set or listens) and not known
examples: [{capture: pcaps/demo.pcap, alerts: 3, placeholders: {masters: [10.20.0.10]}}]
---
title: A reset
name: reset
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f21
status: test
level: low
logsource: {product: gridtap, service: iec104}
detection:
  s: {iec104.type: [105, C_TS_NA_1], iec104.ca|expand: '%stations%'}
  condition: s
---
title: Nobody fills this
name: unfilled
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f22
logsource: {product: gridtap, service: mqtt}
detection: {s: {src_ip|expand: '%nobody%'}, condition: s}
---
title: Many of them
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f23
status: test
level: high
correlation:
  type: event_count
  rules: [by_topic, unfilled]
  group-by: [src_ip]
  timespan: 60s
  condition: {gte: 3}
---
title: No answer
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f24
correlation:
  type: temporal_ordered
  rules: [asked, by_topic]
  group-by: [src_ip]
  timespan: 60s
  condition: asked and not by_topic
---
title: Asked
name: asked
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f25
logsource: {product: gridtap, service: iec104}
detection: {s: {iec104.cause: activation}, condition: s}
---
title: Not ours
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f26
logsource: {product: gridtap, service: mqtt}
filter:
  rules: [by_topic, unfilled]
  selection: {src_ip|cidr: 10.99.0.1}
  condition: not selection
";

fn exported(folder: &Path, rules: &[(&str, &str)], placeholders: &str) -> (PathBuf, String) {
    let given = folder.join("given");
    fs::create_dir_all(&given).unwrap();
    for (name, text) in rules {
        fs::write(given.join(name), text).unwrap();
    }
    let output = folder.join("exported");
    let (given, out) = (given.to_str().unwrap(), output.to_str().unwrap());
    let mut arguments = vec!["rules", "export", "--output", out, "--set", placeholders];
    if !rules.is_empty() {
        arguments.extend(["--rules", given]);
    }
    let ended = gridtap(&arguments);
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    (output, text(&ended.stderr))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// What plain Sigma cannot say.
const UNSAYABLE: &str = "\
title: From a moment on
name: from_a_moment_on
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f11
logsource: {product: gridtap, service: iec104}
detection: {s: {timestamp|gte: 2026-11-23T22:00:00+01:00}, condition: s}
---
title: Some of them
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f12
correlation:
  type: event_count
  rules: [letters]
  timespan: 1m
  condition: {gte: 2, lt: 30}
---
title: Letters
name: letters
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f13
logsource: {product: gridtap, service: mqtt}
detection: {s: {mqtt.publish.topic|re: '\\pL{3}'}, condition: s}
---
title: After that
id: 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f14
logsource: {product: gridtap, service: iec104}
filter:
  rules: [from_a_moment_on]
  selection: {src_ip: 10.0.0.1}
  condition: not selection
";

const MASTERS: &str = "placeholders={masters: [10.20.0.10, 10.20.0.11]}";

#[test]
fn an_export_is_plain_sigma_and_names_what_it_leaves_out() {
    let folder = TempDir::new().unwrap();
    let placeholders = "placeholders={masters: [10.20.0.0/24, 10.30.1.10], stations: [3, 7]}";
    let (output, said) = exported(folder.path(), &[("varied.yml", VARIED)], placeholders);
    for left_out in [
        "left out: Nobody fills this: nothing is known for %nobody%",
        "left out: No answer: absence is no part of Sigma 2.1",
        "left out: Asked: the correlations that it is for are left out",
        "4 documents exported, 3 left out",
    ] {
        assert!(said.contains(left_out), "{left_out} is not in\n{said}");
    }
    let files = files_below(&output);
    let written = fs::read_to_string(&files[0]).unwrap();
    for part in [
        "    mqtt.publish.topic|re:\n      - '^grid/[^/]*/set$'\n      - '^\\$SYS(/[^/]*)*$'\n",
        "    mqtt.subscribe.topics.topic|re: '^(\\$share/[^/+#]+/)?(#|(\\+|grid)",
        "    src_ip|cidr:\n      - '10.20.0.0/24'\n      - '10.30.1.10/32'\n",
        "    iec104.type:\n      - 'C_RP_NA_1'\n      - C_TS_NA_1\n    iec104.ca:\n      - 3\n      - 7\n",
        "  rules:\n    - by_topic\n  group-by:",
        "  rules:\n    - 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f20\n  selection:",
        "    src_ip|cidr: '10.99.0.1/32'\n",
        "description: |\n  A set point that somebody\n  publishes: it's theirs.\n",
    ] {
        assert!(written.contains(part), "{part} is not in\n{written}");
    }
    assert!(!written.contains("examples") && !written.contains('%'), "{written}");
    let check = gridtap(&["check", "--rules", output.to_str().unwrap()]);
    assert!(check.status.success(), "{}", text(&check.stderr));
}

#[test]
fn what_plain_sigma_cannot_say_is_left_out_and_told_why() {
    let folder = TempDir::new().unwrap();
    let (_, said) = exported(folder.path(), &[("unsayable.yml", UNSAYABLE)], MASTERS);
    for left_out in [
        "left out: From a moment on: `timestamp|gte`: Sigma has an order of numbers, and none of moments",
        "left out: Some of them: other tools take one bound in a condition, and it has several",
        "left out: Letters: `mqtt.publish.topic|re`: not every tool knows `\\p` in an expression",
        "left out: After that: the rules that it is for are left out",
        "0 documents exported, 4 left out",
    ] {
        assert!(said.contains(left_out), "{left_out} is not in\n{said}");
    }
}

#[test]
fn an_export_says_it_so_that_every_tool_reads_it() {
    let folder = TempDir::new().unwrap();
    let (output, said) = exported(folder.path(), &[("peculiar.yml", peculiar::RULES)], MASTERS);
    assert!(said.contains("10 documents exported, 0 left out"), "{said}");
    let written = fs::read_to_string(output.join("peculiar.yml")).unwrap();
    for part in [
        "    iec104.ca:\n      - 1\n      - 2\n      - 3\n      - 47\n    iec104.type|endswith: '1'\n    iec104.cot|gte: 6\n",
        "title: '055'\n",
        "description: '2026-11-23'\n",
        "    iec104.cause|contains:\n      - activation\n",
        "  condition: (s_1 and s_2) and not Gr__e or Gr__e\n",
        "  condition: ((a and b) or (a and c) or (b and c))\n",
        "    mqtt.publish.topic|re:\n      - '^([^$/][^/]*(/[^/]*)*|(/[^/]*)+)$'\n      - '^[^$/][^/]*$'\n",
        "      - \"a\\u0085b\"\n      - \"c\\u00A0\\u2028d\"\n      - meter\n",
        "    timestamp: '2026-11-23T21:00:00.500000+0000'\n",
        "    - activation_term\n    - '2404e1'\n    - '10'\n  t:\n    '|contains': to_server\n",
        "  rules:\n    - 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f03\n  selection:\n    src_ip:\n      - '10.20.0.66'\n  condition: not selection\n",
        "  rules:\n    - 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f04\n    - 3b6f0c5e-0a31-4f0e-9d6b-0f0f8f2f8f05\n  selection:\n    timestamp|year: 1999\n",
        "  condition:\n    gte: 2\n  group-by: []\n",
    ] {
        assert!(written.contains(part), "{part} is not in\n{written}");
    }
    assert!(!written.contains("_later"), "{written}");
    let check = gridtap(&["check", "--rules", output.to_str().unwrap()]);
    assert!(check.status.success(), "{}", text(&check.stderr));
}

/// What is exported finds what the rules find.
#[test]
fn exported_rules_raise_the_same_alerts() {
    let folder = TempDir::new().unwrap();
    let (output, _) = exported(folder.path(), &[], MASTERS);
    let alerts = |rules: &[&str]| {
        let eve = folder.path().join("eve.json");
        let mut arguments = vec!["replay", "pcaps/demo.pcap", "pcaps/injection.pcap", "--types"];
        arguments.extend(["alert", "--eve", eve.to_str().unwrap(), "--set", MASTERS]);
        arguments.extend(rules);
        let ended = gridtap(&arguments);
        assert!(ended.status.success(), "{}", text(&ended.stderr));
        let lines = fs::read_to_string(eve).unwrap();
        // Hits of one record come in the order of the files, which correlations in order look at.
        let lines = lines.lines().filter(|line| !line.contains("\"category\":\"correlation\""));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let expected = alerts(&[]);
    assert!(expected.len() > 20, "{} alerts", expected.len());
    assert_eq!(alerts(&["--rules", output.to_str().unwrap()]), expected);
}

#[test]
fn an_export_is_valid_by_the_schemas_of_sigma() {
    let folder = TempDir::new().unwrap();
    let placeholders = "placeholders={masters: [10.20.0.10], stations: [3]}";
    let sources: Vec<Source> = RuleSet::builtin_sources();
    let names: Vec<String> = sources.iter().map(|source| source.name.replace('/', "_")).collect();
    let mut rules: Vec<(&str, &str)> =
        names.iter().zip(&sources).map(|(name, source)| (&**name, &*source.text)).collect();
    rules.push(("varied.yml", VARIED));
    rules.push(("peculiar.yml", peculiar::RULES));
    rules.push(("unsayable.yml", UNSAYABLE));
    let (output, _) = exported(folder.path(), &rules, placeholders);
    let validator = |name: &str| {
        let schema: Json = serde_json::from_slice(&fs::read(shared(name)?).unwrap()).unwrap();
        Some(
            jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&schema)
                .unwrap(),
        )
    };
    let Some(detection) = validator("sigma/sigma-detection-rule-schema.json") else { return };
    let Some(correlation) = validator("sigma/sigma-correlation-rules-schema.json") else { return };
    let Some(filter) = validator("sigma/sigma-filters-schema.json") else { return };
    let mut documents = 0;
    for path in files_below(&output) {
        for document in fs::read_to_string(&path).unwrap().split("---\n") {
            let rule: Json = serde_yaml::from_str(document).unwrap();
            let validator = match (rule.get("correlation"), rule.get("filter")) {
                (Some(_), _) => &correlation,
                (_, Some(_)) => &filter,
                _ => &detection,
            };
            let errors: Vec<_> =
                validator.iter_errors(&rule).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {}", path.display(), errors.join("\n"));
            documents += 1;
        }
    }
    assert!(documents > sources.len(), "{documents} documents");

    let Some(sigma) = sigma() else { return };
    let mut command = Command::new(&sigma);
    command.args(["check", "--fail-on-error", "--fail-on-issues"]);
    // Text that is digits stands in quotes so that nobody takes it for a number.
    let checked = command
        .args(["-x", "attacktag", "-x", "d3_fendtag", "-x", "number_as_string"])
        .arg(&output)
        .output()
        .unwrap();
    let said = text(&checked.stdout) + &text(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

#[test]
fn a_layer_counts_the_rules_of_each_technique() {
    let output = gridtap(&["rules", "export", "--navigator", "-"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let layer: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(layer["domain"], "ics-attack");
    let pack = pack(&Placeholders::new());
    let mut counted = 0;
    for technique in layer["techniques"].as_array().unwrap() {
        let id = technique["techniqueID"].as_str().unwrap();
        let rules = pack.rules.iter().filter(|rule| rule.techniques.iter().any(|own| own == id));
        assert_eq!(technique["score"], rules.count(), "{id}");
        counted += technique["score"].as_u64().unwrap() as usize;
    }
    let expected: usize = pack.rules.iter().map(|rule| rule.techniques.len()).sum();
    assert!(expected > 20 && counted == expected, "{counted} of {expected}");
}

/// The first line of a replay that says this, in a file of its own.
fn line_of(folder: &Path, says: &str) -> PathBuf {
    let eve = folder.join("eve.json");
    let output =
        gridtap(&["replay", "pcaps/demo.pcap", "--types", "all", "--eve", eve.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = fs::read_to_string(&eve).unwrap();
    let line = lines.lines().find(|line| line.contains(says)).expect(says);
    let path = folder.join("event.json");
    fs::write(&path, line).unwrap();
    path
}

/// Every alert of the pack on a capture, explained: the rule holds, and so does its explanation.
#[test]
fn an_alert_is_explained_by_the_rule_that_raised_it() {
    let folder = TempDir::new().unwrap();
    let eve = folder.path().join("eve.json");
    let arguments = ["replay", "pcaps/demo.pcap", "--types", "alert", "--set", MASTERS, "--eve"];
    let output = gridtap(&[&arguments[..], &[eve.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = fs::read_to_string(&eve).unwrap();
    let mut explained = BTreeSet::new();
    for line in lines.lines() {
        let alert: Json = serde_json::from_str(line).unwrap();
        let id = alert["alert"]["rule_id"].as_str().unwrap();
        let is_of_one = alert["alert"]["correlation"].is_null();
        if !is_of_one || !explained.insert(id.to_owned()) {
            continue;
        }
        let event = folder.path().join("event.json");
        fs::write(&event, line).unwrap();
        let output = gridtap(&["rules", "explain", id, event.to_str().unwrap(), "--set", MASTERS]);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let mut told = said.lines();
        assert_eq!(told.next(), alert["alert"]["signature"].as_str(), "{said}");
        assert!(told.next().unwrap().starts_with("holds  "), "{said}\n{line}");
    }
    assert!(explained.len() > 5, "{} rules", explained.len());
}

#[test]
fn an_explanation_shows_each_condition_with_the_value_that_was_found() {
    const RULE: &str = "\
title: A master resets
id: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f30
logsource: {product: gridtap, service: iec104}
detection:
  reset: {iec104.type: C_RP_NA_1, direction: to_server, iec104.objects.ioa: [0, 7]}
  known: {src_ip: 10.99.0.1}
  small: {iec104.ca|lt: 1}
  condition: reset and not (known or small)
";
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("rule.yml");
    fs::write(&path, RULE).unwrap();
    let event = line_of(folder.path(), "\"type\":\"C_RP_NA_1\"");
    let (path, event) = (path.to_str().unwrap(), event.to_str().unwrap());
    let output = gridtap(&["rules", "explain", "a master resets", event, "--rules", path]);
    let said = text(&output.stdout) + &text(&output.stderr);
    for line in [
        "A master resets\n",
        "holds  all of\n",
        "holds    reset\n",
        "      iec104.type: C_RP_NA_1  \"C_RP_NA_1\"\n",
        "holds      direction: to_server  \"to_server\"\n",
        "holds      iec104.objects.ioa: 0, 7  0\n",
        "holds    not\n",
        "fails      any of\n",
        "fails          src_ip: 10.99.0.1  \"10.20.0.66\"\n",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said}");
    let other = gridtap(&["rules", "explain", "no such rule", event, "--rules", path]);
    assert_eq!(other.status.code(), Some(64));
}

#[test]
fn a_rule_that_is_not_in_force_is_explained_as_far_as_it_is_known() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("stranger.yml");
    fs::write(&path, STRANGER).unwrap();
    let event = line_of(folder.path(), "\"type\":\"C_RP_NA_1\"");
    let (path, event) = (path.to_str().unwrap(), event.to_str().unwrap());
    let output = gridtap(&["rules", "explain", "a stranger", event, "--rules", path]);
    let said = text(&output.stdout);
    for line in [
        "A stranger is not in force: nothing is known for %masters%, and what depends on it is open\n",
        "open   all of\n",
        "holds    reset\n",
        "open     not\n",
        "open         src_ip|expand: %masters%  \"10.20.0.66\"\n",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn an_explanation_says_what_to_ask_where_it_cannot_be_given() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chain.yml");
    let chain = format!(
        "{STRANGER}---\ntitle: Strangers\nname: strangers\nid: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f41\n\
         correlation: {{type: event_count, rules: [7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f10], timespan: 1m, \
         condition: {{gte: 2}}}}\n---\ntitle: Many strangers\nid: 7d1f6f0e-0a31-4f0e-9d6b-0f0f8f2f8f42\n\
         correlation: {{type: event_count, rules: [strangers], timespan: 1h, condition: {{gte: 2}}}}\n"
    );
    fs::write(&path, chain).unwrap();
    let event = line_of(folder.path(), "\"event_type\":\"mqtt\"");
    let explain = |event: &str| {
        let path = path.to_str().unwrap();
        gridtap(&["rules", "explain", "many strangers", event, "--rules", path, "--set", MASTERS])
    };
    let said = text(&explain(event.to_str().unwrap()).stdout);
    let told = "Many strangers is a correlation of iec104 records, and this is one of mqtt: \
                give one that is met by A stranger\n";
    assert_eq!(said, told);
    let event = line_of(folder.path(), "\"type\":\"C_RP_NA_1\"");
    let said = text(&explain(event.to_str().unwrap()).stdout);
    assert!(said.starts_with("A stranger\n"), "{said}");
    fs::write(&event, "no json").unwrap();
    let output = explain(event.to_str().unwrap());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("event.json: is no record in JSON: "), "{said}");
}

#[test]
fn the_schema_takes_every_rule_and_no_unknown_field() {
    let output = gridtap(&["rules", "schema"]);
    let schema: Json = serde_json::from_slice(&output.stdout).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let mut sources = RuleSet::builtin_sources();
    sources.push(Source { name: "varied".to_owned(), text: VARIED.to_owned() });
    for source in &sources {
        for document in source.text.split("---\n") {
            let rule: Json = serde_yaml::from_str(document).unwrap();
            let errors: Vec<_> = validator
                .iter_errors(&rule)
                .map(|error| format!("{}: {}: {error}", source.name, error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}", errors.join("\n"));
        }
    }
    for (from, to) in [
        ("iec104.type:", "iec104.typ:"),
        ("iec104.type:", "mqtt.publish.topic:"),
        ("iec104.ca|expand", "iec104.ca|expend"),
        ("service: mqtt", "service: mqttt"),
        ("event_count", "event_number"),
        ("timespan: 60s", "timespan: a minute"),
        ("src_ip|cidr", "src_ipp|cidr"),
        ("level: high", "level: highest"),
    ] {
        assert!(VARIED.contains(from), "{from}");
        let changed = VARIED.replace(from, to);
        let mut documents = changed.split("---\n").map(|text| serde_yaml::from_str(text).unwrap());
        assert!(!documents.all(|rule: Json| validator.is_valid(&rule)), "{to} is taken");
    }
}

#[test]
fn an_export_destroys_no_rule_and_wants_to_be_told_where_to() {
    assert_eq!(gridtap(&["rules", "export"]).status.code(), Some(64));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("reset.yml"), VARIED).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridtap"));
    command.current_dir(&folder).args(["rules", "export", "--rules", "reset.yml", "--output", "."]);
    command.args(["--set", "placeholders={masters: [10.20.0.10], stations: [3]}"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("reset.yml")).unwrap(), VARIED);
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

#[test]
fn an_example_may_be_any_capture_of_the_site() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    fs::copy(file("pcaps").join("demo.pcap"), folder.path().join("archive.pcap")).unwrap();
    let path = folder.path().join("rules/stranger.yml");
    for capture in [PathBuf::from("../archive.pcap"), folder.path().join("archive.pcap")] {
        let example = format!(
            "capture: {}, alerts: 3, placeholders: {{masters: [10.20.0.10, 10.20.0.11]}}",
            capture.display()
        );
        fs::write(&path, format!("{STRANGER}examples:\n  - {{{example}}}\n")).unwrap();
        let output = gridtap(&["rules", "test", "--rules", path.to_str().unwrap()]);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success() && said.contains("pass  A stranger"), "{said}");
    }
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
