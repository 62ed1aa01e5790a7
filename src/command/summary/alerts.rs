//! Alerts by rule: how many, since when, from whom to whom.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use hashbrown::HashMap;

use super::{HEADING, QUIET, WIDTH};
use crate::command::words;
use crate::rule::{Level, Rule, Suppressed};
use crate::time::Timestamp;

/// Where titles begin: behind the number, and the level or the time.
const INDENT: usize = 27;

/// The most pairs of ends that are counted for a rule; who comes later is only in its total.
const MOST_PAIRS: usize = 4096;

/// Groups of pairs that are shown for a rule; the others are counted.
const GROUPS_SHOWN: usize = 3;

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

    pub(super) fn add(&mut self, rule: &Rule, time: Timestamp, ends: Option<(IpAddr, IpAddr)>) {
        let Some(alerts) = self.0.get_mut(rule.index) else { return };
        if alerts.count == 0 {
            alerts.first = time;
        }
        alerts.count += 1;
        let Some((source, target)) = ends else { return };
        if let Some(count) = alerts.pairs.get_mut(&(source, target)) {
            *count += 1;
        } else if alerts.pairs.len() < MOST_PAIRS {
            alerts.pairs.insert((source, target), 1);
        }
    }

    pub(super) fn show(&self, suppressed: Suppressed, out: &mut dyn Write) -> io::Result<()> {
        let mut fired: Vec<_> = self.0.iter().filter(|alerts| alerts.count > 0).collect();
        if fired.is_empty() {
            return writeln!(out, "\n{HEADING}No alert{HEADING:#}");
        }
        fired.sort_by_key(|alerts| (Reverse(alerts.level), Reverse(alerts.count)));
        let total = words::count(fired.iter().map(|alerts| alerts.count).sum());
        let rules = words::counted(fired.len() as u64, "rule");
        write!(out, "\n{HEADING}Alerts: {total} by {rules}{HEADING:#}")?;
        let held = suppressed.repeated + suppressed.over_limit;
        if held > 0 {
            let held = words::count(held);
            write!(out, "{QUIET}, {held} of them told as a count in others{QUIET:#}")?;
        }
        writeln!(out, "\n")?;
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
        let width = (WIDTH - INDENT).saturating_sub(techniques.chars().count() + 1);
        let title = words::shortened(&self.title, width);
        writeln!(
            out,
            "{count:>9}  {style}{level}{style:#}{:gap$}{title:<width$} {QUIET}{techniques}{QUIET:#}",
            "",
            gap = (INDENT - 11).saturating_sub(level.len()),
        )?;
        let mut lead = format!("first {}", words::time_of_day(self.first));
        let groups = self.groups();
        for group in groups.iter().take(GROUPS_SHOWN) {
            let ends = group.line(WIDTH - INDENT);
            writeln!(out, "{:11}{QUIET}{lead:<14}{QUIET:#}  {ends}", "")?;
            lead.clear();
        }
        if groups.len() > GROUPS_SHOWN {
            lead = format!("and {} more", words::count((groups.len() - GROUPS_SHOWN) as u64));
        }
        if lead.is_empty() {
            return Ok(());
        }
        writeln!(out, "{:11}{QUIET}{lead}{QUIET:#}", "")
    }

    /// Pairs by the end that fewer addresses are at, the busiest first: one against many reads
    /// best in one line, whichever way the messages went.
    fn groups(&self) -> Vec<Group> {
        let distinct = |end: fn(&(IpAddr, IpAddr)) -> IpAddr| {
            self.pairs.keys().map(end).collect::<BTreeSet<_>>().len()
        };
        let by_source = distinct(|pair| pair.0) <= distinct(|pair| pair.1);
        let mut groups: BTreeMap<IpAddr, Group> = BTreeMap::new();
        for ((source, target), count) in &self.pairs {
            let (one, other) = if by_source { (*source, *target) } else { (*target, *source) };
            let group = groups.entry(one).or_insert(Group { one, by_source, others: Vec::new() });
            group.others.push((other, *count));
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        for group in &mut groups {
            group.others.sort_unstable_by_key(|(address, count)| (Reverse(*count), *address));
        }
        groups.sort_by_key(|group| Reverse(group.count()));
        groups
    }
}

/// One address at one end, and those at the other.
struct Group {
    one: IpAddr,
    /// Whether `one` is who sent what matched.
    by_source: bool,
    /// How often each, the most frequent first.
    others: Vec<(IpAddr, u64)>,
}

impl Group {
    fn count(&self) -> u64 {
        self.others.iter().map(|(_, count)| count).sum()
    }

    fn line(&self, width: usize) -> String {
        let one = self.one.to_string();
        let others: Vec<_> = match self.others.as_slice() {
            [(only, _)] => vec![only.to_string()],
            several => several
                .iter()
                .map(|(address, count)| format!("{address} ({})", words::count(*count)))
                .collect(),
        };
        let left = width.saturating_sub(one.len() + " → ".chars().count());
        let others = words::list(&others, left, 1).concat();
        if self.by_source { format!("{one} → {others}") } else { format!("{others} → {one}") }
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
