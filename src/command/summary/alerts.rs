//! Alerts by rule: how many, since when, from whom to whom.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use hashbrown::HashMap;

use super::{HEADING, QUIET, WIDTH};
use crate::command::words;
use crate::event::Event;
use crate::rule::{Level, Rule};
use crate::time::Timestamp;

/// The most pairs of ends that are counted for a rule; who comes later is only in its total.
const MOST_PAIRS: usize = 4096;

/// Sources that are shown for a rule; the others are counted.
const SOURCES_SHOWN: usize = 3;

/// Alerts of a replay.
#[derive(Debug)]
pub(super) struct Alerts(Vec<OfRule>);

/// Alerts of one rule.
#[derive(Debug)]
struct OfRule {
    title: String,
    level: Level,
    techniques: Vec<String>,
    count: u64,
    first: Timestamp,
    /// Alerts by who sent what matched, and who was to get it.
    pairs: HashMap<(IpAddr, IpAddr), u64, foldhash::fast::RandomState>,
}

impl Alerts {
    pub(super) fn new(rules: &[Rule]) -> Self {
        Self(rules.iter().map(OfRule::new).collect())
    }

    /// How many rules there are.
    pub(super) fn rules(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, event: &Event<'_>, rule: &Rule) {
        let Some(alerts) = self.0.get_mut(rule.index) else { return };
        let context = event.context;
        if alerts.count == 0 {
            alerts.first = context.timestamp;
        }
        alerts.count += 1;
        let Some((source, target)) = context.ends() else { return };
        if let Some(count) = alerts.pairs.get_mut(&(source, target)) {
            *count += 1;
        } else if alerts.pairs.len() < MOST_PAIRS {
            alerts.pairs.insert((source, target), 1);
        }
    }

    pub(super) fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut fired: Vec<_> = self.0.iter().filter(|alerts| alerts.count > 0).collect();
        if fired.is_empty() {
            return writeln!(out, "\n{HEADING}No alert{HEADING:#}");
        }
        fired.sort_by_key(|alerts| (Reverse(alerts.level), Reverse(alerts.count)));
        let total = words::counted(fired.iter().map(|alerts| alerts.count).sum(), "alert");
        let rules = words::counted(fired.len() as u64, "rule");
        writeln!(out, "\n{HEADING}{total} by {rules}{HEADING:#}")?;
        fired.iter().try_for_each(|alerts| alerts.show(out))
    }
}

impl OfRule {
    fn new(rule: &Rule) -> Self {
        Self {
            title: rule.title.clone(),
            level: rule.level,
            techniques: rule.techniques.clone(),
            count: 0,
            first: Timestamp::ZERO,
            pairs: HashMap::default(),
        }
    }

    fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let style = style(self.level);
        let (level, count) = (self.level.name(), words::count(self.count));
        let techniques = self.techniques.join(" ");
        let width = WIDTH - 27 - techniques.len();
        let title = words::shortened(&self.title, width);
        writeln!(
            out,
            "\n{count:>9}  {style}{level:<13}{style:#} {title:<width$} {QUIET}{techniques}{QUIET:#}"
        )?;
        let first = words::time_of_day(self.first);
        writeln!(out, "{:25}{QUIET}first at {first}{QUIET:#}", "")?;
        let sources = self.sources();
        for source in sources.iter().take(SOURCES_SHOWN) {
            writeln!(out, "{:25}{}", "", source.line(WIDTH - 25))?;
        }
        if sources.len() > SOURCES_SHOWN {
            let more = words::counted((sources.len() - SOURCES_SHOWN) as u64, "more source");
            writeln!(out, "{:25}{QUIET}and {more}{QUIET:#}", "")?;
        }
        Ok(())
    }

    /// Who sent what matched, the busiest first.
    fn sources(&self) -> Vec<Sender> {
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs
            .sort_unstable_by_key(|((source, target), count)| (*source, Reverse(**count), *target));
        let senders = pairs.chunk_by(|(one, _), (other, _)| one.0 == other.0);
        let mut senders: Vec<_> = senders.filter_map(Sender::new).collect();
        senders.sort_by_key(|sender| Reverse(sender.count));
        senders
    }
}

/// What one address did.
struct Sender {
    address: IpAddr,
    count: u64,
    /// To whom, and how often, the most frequent first.
    targets: Vec<(IpAddr, u64)>,
}

impl Sender {
    fn new(pairs: &[(&(IpAddr, IpAddr), &u64)]) -> Option<Self> {
        let ((address, _), _) = pairs.first()?;
        Some(Self {
            address: *address,
            count: pairs.iter().map(|(_, count)| **count).sum(),
            targets: pairs.iter().map(|((_, target), count)| (*target, **count)).collect(),
        })
    }

    fn line(&self, width: usize) -> String {
        let counted = self.targets.len() > 1;
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|(target, count)| {
                if counted {
                    format!("{target} ({})", words::count(*count))
                } else {
                    target.to_string()
                }
            })
            .collect();
        let from = format!("{} → ", self.address);
        let targets = words::list(&targets, width.saturating_sub(from.chars().count()));
        from + &targets
    }
}

/// Levels by colour.
fn style(level: Level) -> Style {
    match level {
        Level::Critical => AnsiColor::Red.on_default().bold().invert(),
        Level::High => AnsiColor::Red.on_default().bold(),
        Level::Medium => AnsiColor::Yellow.on_default(),
        Level::Low => AnsiColor::Cyan.on_default(),
        Level::Informational => Style::new().dimmed(),
    }
}
