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
use crate::rule::{Example, Hits, Placeholders, Rule, RuleSet};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    rules: RuleFiles,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    const GOOD: Style = AnsiColor::Green.on_default();
    const BAD: Style = AnsiColor::Red.on_default().bold();
    let set = arguments.rules.load()?;
    let mut trials =
        Trials { rules: &arguments.rules, sets: BTreeMap::new(), alerts: BTreeMap::new() };
    let (mut passed, mut failed) = (0, 0);
    let mut out = super::stdout();
    for rule in &set.rules {
        for example in &rule.examples {
            let outcome = trials.outcome(rule, example)?;
            let told = outcome.told(example.alerts);
            let (style, word) = if outcome == Outcome::Alerts(example.alerts) {
                passed += 1;
                (GOOD, "pass")
            } else {
                failed += 1;
                (BAD, "FAIL")
            };
            let (title, capture) = (&rule.title, &example.capture);
            writeln!(out, "{style}{word}{style:#}  {title}  {capture}: {told}")?;
        }
        if rule.examples.is_empty() {
            writeln!(out, "none  {}: no example", rule.title)?;
        }
    }
    writeln!(out, "\n{} passed, {failed} failed", words::counted(passed, "example"))?;
    Ok(if failed == 0 { Exit::Done } else { Exit::BadData })
}

/// What an example came to.
#[derive(PartialEq, Eq)]
enum Outcome {
    Alerts(u64),
    /// The rule has a placeholder that the example does not fill. It fires on nothing, and an
    /// example that wants no alert must not pass for that.
    NotInForce(String),
}

impl Outcome {
    fn told(&self, expected: u64) -> String {
        match self {
            Self::Alerts(alerts) if *alerts == expected => words::counted(expected, "alert"),
            Self::Alerts(alerts) => {
                let expected = words::count(expected);
                format!("{}, {expected} expected", words::counted(*alerts, "alert"))
            }
            Self::NotInForce(placeholder) => {
                format!("not in force, the example has no `placeholders` for %{placeholder}%")
            }
        }
    }
}

/// Runs each capture once for all the rules that name it with the same placeholders.
struct Trials<'r> {
    rules: &'r RuleFiles,
    sets: BTreeMap<Placeholders, Arc<RuleSet>>,
    /// By the place of the rule.
    alerts: BTreeMap<(Placeholders, PathBuf), Vec<u64>>,
}

impl Trials<'_> {
    fn outcome(&mut self, rule: &Rule, example: &Example) -> Result<Outcome, Failure> {
        let set = self.set(&example.placeholders)?;
        let filled = set.rules.get(rule.index);
        if let Some(placeholder) = filled.and_then(|rule| rule.inactive.clone()) {
            return Ok(Outcome::NotInForce(placeholder));
        }
        let trial = (example.placeholders.clone(), find(&example.capture, &rule.file));
        if !self.alerts.contains_key(&trial) {
            let alerts = alerts_by_rule(&set, &trial.1)?;
            self.alerts.insert(trial.clone(), alerts);
        }
        let alerts = self.alerts.get(&trial).and_then(|alerts| alerts.get(rule.index));
        Ok(Outcome::Alerts(alerts.copied().unwrap_or_default()))
    }

    /// The rules with `placeholders` filled: the same rules in the same places.
    fn set(&mut self, placeholders: &Placeholders) -> Result<Arc<RuleSet>, Failure> {
        if let Some(set) = self.sets.get(placeholders) {
            return Ok(Arc::clone(set));
        }
        let set = Arc::new(self.rules.load_with(placeholders)?);
        self.sets.insert(placeholders.clone(), Arc::clone(&set));
        Ok(set)
    }
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
    fn event(&mut self, _: &Event<'_>, _: Hits<'_>) {}
    fn wants(&self, _: &'static Schema) -> bool {
        false
    }
    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}
