//! `gridtap rules test`: each rule on the captures that it names as examples.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::replay::{self, ReplayTo};
use super::rule_files::RuleFiles;
use super::{Exit, Failure, words};
use crate::capture::Source;
use crate::engine::{Engine, Limits, Sink};
use crate::event::{Event, Schema};
use crate::protocol::{Fact, Protocol};
use crate::rule::{Rule, RuleSet};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    rules: RuleFiles,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    const GOOD: Style = AnsiColor::Green.on_default();
    const BAD: Style = AnsiColor::Red.on_default().bold();
    let set = Arc::new(arguments.rules.load()?);
    let mut counts: BTreeMap<PathBuf, Vec<u64>> = BTreeMap::new();
    let (mut passed, mut failed) = (0, 0);
    let mut out = super::stdout();
    for rule in &set.rules {
        for example in &rule.examples {
            let path = find(&example.capture, &rule.file);
            if !counts.contains_key(&path) {
                counts.insert(path.clone(), alerts_by_rule(&set, &path)?);
            }
            let alerts = counts.get(&path).and_then(|counts| counts.get(rule.index));
            let alerts = alerts.copied().unwrap_or_default();
            let what = format!("{}  {}", rule.title, example.capture);
            if alerts == example.alerts {
                passed += 1;
                writeln!(out, "{GOOD}pass{GOOD:#}  {what}: {}", words::counted(alerts, "alert"))?;
            } else {
                failed += 1;
                let expected = words::count(example.alerts);
                let alerts = words::counted(alerts, "alert");
                writeln!(out, "{BAD}FAIL{BAD:#}  {what}: {alerts}, {expected} expected")?;
            }
        }
        if rule.examples.is_empty() {
            writeln!(out, "none  {}: no example", rule.title)?;
        }
    }
    writeln!(out, "\n{} passed, {failed} failed", words::counted(passed, "example"))?;
    Ok(if failed == 0 { Exit::Done } else { Exit::BadData })
}

/// Where an example's capture is: from here, or from a folder above its rule.
fn find(capture: &str, rule_file: &str) -> PathBuf {
    let above = Path::new(rule_file).ancestors().skip(1).map(|folder| folder.join(capture));
    let here = PathBuf::from(capture);
    let found = [here.clone()].into_iter().chain(above).find(|path| path.is_file());
    found.unwrap_or(here)
}

fn alerts_by_rule(set: &Arc<RuleSet>, capture: &Path) -> Result<Vec<u64>, Failure> {
    let source = Source::open(&[capture])?;
    let mut engine = Engine::new(Arc::clone(set), Limits::default(), &Nobody);
    replay::read(source, &mut engine, &mut Nobody);
    Ok(engine.stats().alerts.clone())
}

/// Only the engine's counters matter.
struct Nobody;

impl ReplayTo for Nobody {}

impl Sink for Nobody {
    fn record(&mut self, _: &Event<'_>) {}
    fn alert(&mut self, _: &Event<'_>, _: &Rule) {}
    fn wants(&self, _: &'static Schema) -> bool {
        false
    }
    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}
