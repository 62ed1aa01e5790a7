//! The rules make queries for the tools in which records are searched: pySigma converts them, where
//! `tests/run` installed it.

#![allow(clippy::print_stdout, reason = "says what it skips")]

#[path = "../benches/generate/mod.rs"]
#[allow(dead_code, reason = "others make more with it")]
mod generate;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use gridtap::rule::RuleSet;
use tempfile::TempDir;

/// `sigma`, with the backends.
fn sigma() -> Option<PathBuf> {
    let python = env::var_os("GRIDTAP_PYTHON").map(PathBuf::from);
    let found =
        python.map(|python| python.with_file_name("sigma")).filter(|sigma| sigma.exists())?;
    let targets = Command::new(&found).args(["list", "targets"]).output().unwrap();
    let targets = String::from_utf8_lossy(&targets.stdout).into_owned();
    targets.contains("splunk").then_some(found).filter(|_| targets.contains("esql"))
}

fn skipped() {
    println!("skipped: no `sigma` with backends beside $GRIDTAP_PYTHON; tests/run installs them");
}

fn convert(sigma: &Path, target: &str, rules: &Path) -> Output {
    let mut command = Command::new(sigma);
    command.args(["convert", "--without-pipeline", "--target", target]).arg(rules).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|octets| String::from_utf8_lossy(octets)).concat()
}

#[test]
fn detection_rules_become_queries_for_splunk_and_elasticsearch() {
    let Some(sigma) = sigma() else { return skipped() };
    let folder = TempDir::new().unwrap();
    let pack = RuleSet::builtin_sources().into_iter().map(|source| source.text);
    let generated = generate::rules(24).map(|(_, text)| text);
    let documents = pack
        .chain(generated)
        .flat_map(|text| text.split("\n---\n").map(str::to_owned).collect::<Vec<_>>());
    let mut rules = 0;
    for (number, text) in documents.filter(|text| text.contains("\ndetection:")).enumerate() {
        // `topic` is ours alone, and who fills placeholders is a pipeline of the site.
        let text = text.replace("|topic:", "|contains:").replace("|topic|", "|contains|");
        let text = text.replace("|expand:", ":");
        fs::write(folder.path().join(format!("{number}.yml")), text).unwrap();
        rules = number + 1;
    }
    assert!(rules > 24, "the pack is empty");
    for target in ["splunk", "lucene"] {
        let output = convert(&sigma, target, folder.path());
        assert!(output.status.success(), "{target}: {}", said(&output));
        let queries = String::from_utf8_lossy(&output.stdout);
        let queries = queries.lines().filter(|line| !line.is_empty()).count();
        assert!(queries >= rules, "{target}: {queries} of {rules}");
    }
}

const BASES: &str = "\
title: A command
name: command
id: 11111111-0000-4000-8000-000000000001
logsource: {product: gridtap, service: iec104}
detection:
  s: {iec104.type_id: [45, 46, 58, 59], iec104.cause: activation}
  condition: s
---
title: A confirmation
name: confirmation
id: 11111111-0000-4000-8000-000000000002
logsource: {product: gridtap, service: iec104}
detection:
  s: {iec104.cause: activation confirmation}
  condition: s
---
title: Together
id: 11111111-0000-4000-8000-000000000009
correlation:
  group-by: [src_ip]
  timespan: 1m
";

/// A type, what else it has, and who converts it.
const CORRELATIONS: &[(&str, &str, &[&str])] = &[
    ("event_count", "  rules: [command]\n  condition: {gte: 20}\n", &["splunk", "esql"]),
    (
        "value_count",
        "  rules: [command]\n  condition: {field: iec104.ca, gte: 5}\n",
        &["splunk", "esql"],
    ),
    ("temporal", "  rules: [command, confirmation]\n", &["splunk", "esql"]),
    ("temporal_ordered", "  rules: [command, confirmation]\n", &["eql"]),
    ("value_sum", "  rules: [command]\n  condition: {field: iec104.ca, gte: 5}\n", &[]),
    ("value_avg", "  rules: [command]\n  condition: {field: iec104.ca, gte: 5}\n", &[]),
    (
        "value_percentile",
        "  rules: [command]\n  condition: {field: iec104.ca, percentile: 95, gte: 5}\n",
        &[],
    ),
];

#[test]
fn correlations_become_queries_where_a_backend_has_their_type() {
    let Some(sigma) = sigma() else { return skipped() };
    let folder = TempDir::new().unwrap();
    for (kind, body, targets) in CORRELATIONS {
        let path = folder.path().join(format!("{kind}.yml"));
        fs::write(&path, format!("{BASES}  type: {kind}\n{body}")).unwrap();
        for target in *targets {
            let output = convert(&sigma, target, &path);
            let queries = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{kind}, {target}: {}", said(&output));
            assert!(queries.contains("iec104"), "{kind}, {target}: {queries}");
        }
        // Once one of them converts these, docs/correlations.md is to say so.
        for target in ["splunk", "esql", "eql"] {
            if targets.is_empty() {
                let output = convert(&sigma, target, &path);
                assert!(said(&output).contains("not supported"), "{kind}: {}", said(&output));
            }
        }
    }
}
