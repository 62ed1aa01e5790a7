//! `gridtap rules test`: each rule on the captures that it names as examples.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::progress::Progress;
use super::replay::{self, ReplayTo};
use super::rule_files::RuleFiles;
use super::summary::Reading;
use super::{Exit, Failure, words};
use crate::capture::{Damage, OpenError, Skipped, Source};
use crate::engine::{Engine, Limits, Sink};
use crate::event::{Event, Schema};
use crate::protocol::{Fact, Protocol};
use crate::rule::{
    Correlator, CorrelatorLimits, Example, Hits, Observations, Placeholders, Rule, RuleSet,
};
use crate::time::Timestamp;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    rules: RuleFiles,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let set = arguments.rules.load()?;
    let mut trials =
        Trials { rules: &arguments.rules, sets: BTreeMap::new(), tried: BTreeMap::new() };
    let (mut passed, mut failed) = (0, 0);
    let mut exit = Exit::Done;
    let mut out = super::stdout();
    for rule in &set.rules {
        for example in &rule.examples {
            let outcome = trials.outcome(rule, example)?;
            show(rule, example, &outcome, &mut out)?;
            let passes = outcome.passes(example);
            (passed, failed) = (passed + u64::from(passes), failed + u64::from(!passes));
            exit = match (exit, outcome.exit(example)) {
                (_, Exit::BadData) => Exit::BadData,
                (Exit::Done, first) => first,
                (before, _) => before,
            };
        }
        if rule.examples.is_empty() {
            writeln!(out, "none  {}: no example", rule.title)?;
        }
    }
    let silent = set.rules.iter().filter(|rule| rule.examples.iter().all(|one| one.alerts == 0));
    for rule in silent.filter(|rule| !rule.examples.is_empty()) {
        writeln!(out, "none  {}: no example on which it fires", rule.title)?;
    }
    writeln!(out)?;
    for ((_, capture), trial) in &trials.tried {
        if let Ok(Trial { reading, .. }) = trial {
            let (capture, took) = (capture.display(), words::duration(reading.elapsed));
            writeln!(out, "{took:>8}  {capture}, {}", words::counted(reading.frames, "packet"))?;
        }
    }
    writeln!(out, "\n{} passed, {failed} failed", words::counted(passed, "example"))?;
    Ok(exit)
}

fn show(
    rule: &Rule,
    example: &Example,
    outcome: &Outcome<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    const GOOD: Style = AnsiColor::Green.on_default();
    const BAD: Style = AnsiColor::Red.on_default().bold();
    const QUIET: Style = Style::new().dimmed();
    let (style, word) = if outcome.passes(example) { (GOOD, "pass") } else { (BAD, "FAIL") };
    let (title, capture, told) = (&rule.title, &example.capture, outcome.told(example));
    writeln!(out, "{style}{word}{style:#}  {title}  {capture}: {told}")?;
    if !outcome.passes(example) {
        writeln!(out, "{QUIET}      {}:{}{QUIET:#}", rule.file, example.line)?;
    }
    let Outcome::Alerts(_, skipped) = outcome else { return Ok(()) };
    skipped.iter().try_for_each(|skipped| writeln!(out, "{QUIET}      {skipped}{QUIET:#}"))
}

/// What an example came to.
enum Outcome<'t> {
    /// So many alerts, and frames that nobody looked at.
    Alerts(u64, &'t [Skipped]),
    /// The rule has a placeholder that the example does not fill. It fires on nothing, and an
    /// example that wants no alert must not pass for that.
    NotInForce(String),
    /// The capture cannot be begun.
    NoCapture(&'t OpenError),
    /// The capture ends early: what the rest of it would have given, nobody knows.
    Damaged(&'t [Damage]),
}

impl Outcome<'_> {
    fn passes(&self, example: &Example) -> bool {
        matches!(self, Self::Alerts(alerts, _) if *alerts == example.alerts)
    }

    /// What the command ends with if this is all there is.
    fn exit(&self, example: &Example) -> Exit {
        match self {
            Self::NoCapture(error) => Exit::without(error),
            _ if self.passes(example) => Exit::Done,
            _ => Exit::BadData,
        }
    }

    fn told(&self, example: &Example) -> String {
        match self {
            Self::Alerts(alerts, _) if *alerts == example.alerts => {
                words::counted(*alerts, "alert")
            }
            Self::Alerts(alerts, _) => {
                let expected = words::count(example.alerts);
                format!("{}, {expected} expected", words::counted(*alerts, "alert"))
            }
            Self::NotInForce(placeholder) => {
                format!("not in force, the example has no `placeholders` for %{placeholder}%")
            }
            Self::NoCapture(error) => error.reason.to_string(),
            Self::Damaged(damages) => {
                let damages: Vec<_> = damages.iter().map(ToString::to_string).collect();
                damages.join("; ")
            }
        }
    }
}

/// Runs each capture once for all the rules that name it with the same placeholders.
struct Trials<'r> {
    rules: &'r RuleFiles,
    sets: BTreeMap<Placeholders, Arc<RuleSet>>,
    tried: BTreeMap<(Placeholders, PathBuf), Result<Trial, OpenError>>,
}

/// A capture through a set of rules.
struct Trial {
    /// By the place of the rule.
    alerts: Vec<u64>,
    reading: Reading,
}

impl Trials<'_> {
    fn outcome(&mut self, rule: &Rule, example: &Example) -> Result<Outcome<'_>, Failure> {
        let set = self.set(&example.placeholders)?;
        let filled = set.rules.get(rule.index);
        if let Some(placeholder) = filled.and_then(|rule| rule.inactive.clone()) {
            return Ok(Outcome::NotInForce(placeholder));
        }
        let key = (example.placeholders.clone(), find(&example.capture, &rule.file));
        let trial = self.tried.entry(key).or_insert_with_key(|(_, capture)| trial(set, capture));
        Ok(match &*trial {
            Err(error) => Outcome::NoCapture(error),
            Ok(Trial { reading, .. }) if !reading.damages.is_empty() => {
                Outcome::Damaged(&reading.damages)
            }
            Ok(Trial { alerts, reading }) => {
                let alerts = alerts.get(rule.index).copied().unwrap_or_default();
                Outcome::Alerts(alerts, &reading.skipped)
            }
        })
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

fn trial(set: Arc<RuleSet>, capture: &Path) -> Result<Trial, OpenError> {
    let source = Source::open(&[capture])?;
    let correlator = Correlator::new(Arc::clone(&set), CorrelatorLimits::default());
    let mut sink = Counting {
        alerts: vec![0; set.rules.len()],
        correlator,
        observations: Observations::default(),
    };
    let mut engine = Engine::new(set, Limits::default(), &sink);
    let reading = replay::read(source, &mut engine, &mut sink, &Progress::none());
    if let Some((_, last)) = reading.span {
        sink.advance(last);
    }
    Ok(Trial { alerts: sink.alerts, reading })
}

/// Counts how often each rule fires, whether that is an alert or feeds a correlation only.
struct Counting {
    alerts: Vec<u64>,
    correlator: Correlator,
    observations: Observations,
}

impl Counting {
    fn advance(&mut self, time: Timestamp) {
        let alerts = &mut self.alerts;
        self.correlator.advance(time, &mut |found| alerts[found.rule.index] += 1);
    }
}

impl ReplayTo for Counting {}

impl Sink for Counting {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        let alerts = &mut self.alerts;
        fired.rules().for_each(|rule| alerts[rule.index] += 1);
        if self.observations.take(event, fired) {
            let time = event.context.timestamp;
            self.correlator.take(time, &self.observations, &mut |_| {}, &mut |found| {
                alerts[found.rule.index] += 1;
            });
        }
    }
    fn wants(&self, _: &'static Schema) -> bool {
        false
    }
    fn fact(&mut self, _: IpAddr, _: &'static Protocol, _: &'static str, _: Fact<'_>) {}
}
