//! Scenarios of real peers: folders with `scenario.yaml`, which says what they do, and `expected.jsonl`,
//! which has what is told of the recording, whole.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;
use tempfile::TempDir;

/// How many are played at once: they wait for their line most of the time.
const AT_ONCE: usize = 4;

/// Where scenarios are, and who plays them.
#[derive(Debug)]
pub struct Stage {
    /// The folder of the test.
    pub folder: &'static str,
    /// The script in it that plays a scenario: its arguments are `scenario.yaml` and the recording.
    pub script: &'static str,
    /// Modules of Python that it needs.
    pub modules: &'static str,
    /// Programs that it needs, and an argument with which they do nothing.
    pub programs: &'static [(&'static str, &'static str)],
    /// The variable that names the one scenario to be played, and printed.
    pub only: &'static str,
    /// The record types that are told of.
    pub types: &'static str,
    /// What is told of the records of a recording.
    pub tell: fn(&Path, &[Json]) -> Vec<String>,
}

impl Stage {
    /// Plays all scenarios, and fails with the differences of those that were told otherwise.
    pub fn play_all(&self) {
        let Some(python) = self.python() else { return };
        let scenarios = self.scenarios();
        let next = AtomicUsize::new(0);
        let failures = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(failure) = self.check(&python, scenario) {
                            failures.lock().unwrap().push(failure);
                        }
                    }
                });
            }
        });
        let mut failures = failures.into_inner().unwrap();
        failures.sort_unstable();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    /// The interpreter that has the modules, where there is all else that a scenario needs.
    fn python(&self) -> Option<OsString> {
        let Some(python) = env::var_os("GRIDTAP_PYTHON") else {
            println!("skipped: no $GRIDTAP_PYTHON; tests/run installs it");
            return None;
        };
        let works = |program: &str, arguments: &[&str]| {
            let command = Command::new(program).args(arguments).output();
            command.is_ok_and(|output| output.status.success())
        };
        let modules = self.modules;
        if !works(&python.to_string_lossy(), &["-c", &format!("import {modules}")]) {
            println!("skipped: not all of {modules} for $GRIDTAP_PYTHON; tests/run installs them");
            return None;
        }
        if !works("unshare", &["--net", "true"]) {
            println!("skipped: needs root, for network namespaces");
            return None;
        }
        for (program, argument) in self.programs {
            if Command::new(program).arg(argument).output().is_err() {
                println!("skipped: no {program}; tests/run installs it");
                return None;
            }
        }
        Some(python)
    }

    fn scenarios(&self) -> Vec<PathBuf> {
        let mut scenarios = super::files(&super::file(self.folder).join("scenarios"));
        if let Some(one) = env::var_os(self.only) {
            scenarios.retain(|path| path.file_name() == Some(&one));
        }
        assert!(!scenarios.is_empty(), "there is no such scenario");
        scenarios
    }

    fn check(&self, python: &OsString, scenario: &Path) -> Result<(), String> {
        let name = scenario.file_name().unwrap().to_string_lossy();
        let folder = TempDir::new().unwrap();
        let capture = folder.path().join("peers.pcap");
        self.play(python, scenario, &capture).map_err(|error| format!("{name}: {error}"))?;
        let told = (self.tell)(&capture, &self.records(&capture));
        if env::var_os(self.only).is_some() {
            println!("{}", told.join("\n"));
        }
        let expected = fs::read_to_string(scenario.join("expected.jsonl")).unwrap_or_default();
        let expected: Vec<_> = expected.lines().map(normal).collect();
        let differences = differences(&expected, &told);
        if differences.is_empty() { Ok(()) } else { Err(format!("{name}:\n{differences}")) }
    }

    fn play(&self, python: &OsString, scenario: &Path, capture: &Path) -> Result<(), String> {
        let script = super::file(self.folder).join(self.script);
        let output = Command::new("unshare")
            .arg("--net")
            .arg(python)
            .arg("-B")
            .args([&script, &scenario.join("scenario.yaml"), capture])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What is said of a capture.
    fn records(&self, capture: &Path) -> Vec<Json> {
        let output = Command::new(env!("CARGO_BIN_EXE_gridtap"))
            .env_remove("GRIDTAP_CONFIG")
            .args(["replay", "--types", self.types, "--eve", "-"])
            .arg(capture)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
            .stdout
            .split(|octet| *octet == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// A line as it would have been written here.
fn normal(line: &str) -> String {
    let line: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    line.to_string()
}

/// Lines that are missing, then lines that are too many.
fn differences(expected: &[String], told: &[String]) -> String {
    let mut text = String::new();
    let missing = without(expected, told).map(|line| ('-', line));
    let unexpected = without(told, expected).map(|line| ('+', line));
    for (sign, line) in missing.chain(unexpected) {
        writeln!(text, "{sign} {line}").unwrap();
    }
    text
}

/// The first lines without the second, each as often as it is there.
fn without<'l>(lines: &'l [String], others: &[String]) -> impl Iterator<Item = &'l String> {
    let mut others = others.to_vec();
    lines.iter().filter(move |line| {
        let place = others.iter().position(|other| other == *line);
        place.map(|place| others.swap_remove(place)).is_none()
    })
}

/// What differs from run to run.
const VARIES: &[&str] = &[
    "/timestamp",
    "/flow_id",
    "/community_id",
    "/pcap_cnt",
    "/src_port",
    "/dest_port",
    "/iec104/command/select_ms",
    "/iec104/command/confirm_ms",
    "/iec104/command/terminate_ms",
];

/// What the rest of a record implies.
const IMPLIED: &[&str] = &[
    "/event_type",
    "/proto",
    "/app_proto",
    "/dest_ip",
    "/anomaly/type",
    "/anomaly/layer",
    "/anomaly/app_proto",
];

/// What is stable of these records, a line each, sorted; without what is at `more` places, too.
pub fn stable<'r>(records: impl Iterator<Item = &'r Json>, more: &[&str]) -> Vec<String> {
    let places: Vec<_> = [VARIES, IMPLIED, more].concat();
    let mut lines: Vec<_> =
        records.map(|record| stripped(record.clone(), &places).to_string()).collect();
    lines.sort_unstable();
    lines
}

/// A record without what is at these places.
fn stripped(mut record: Json, pointers: &[&str]) -> Json {
    for pointer in pointers {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        if let Some(Json::Object(fields)) = record.pointer_mut(parent) {
            fields.remove(name);
        }
    }
    record
}
