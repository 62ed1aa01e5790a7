//! What a replay found, for a person.

mod alerts;
mod servers;
mod table;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use self::alerts::Alerts;
use super::words;
use crate::capture::{Damage, Skipped};
use crate::engine::{self, Stats};
use crate::event::{Event, FlowReason};
use crate::inventory::Inventory;
use crate::metrics::Behind;
use crate::output::Correlated;
use crate::packet::{self, Frame};
use crate::protocol::{Fact, Protocol};
use crate::rule::{Rule, RuleSet};
use crate::time::Timestamp;

/// Characters in a line.
const WIDTH: usize = 100;

const HEADING: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// What was read, and what went wrong in it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Frames that the engine got.
    pub(super) frames: u64,
    /// Time of the earliest and of the latest of them.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Frames of which the captures have only the beginning.
    pub(super) cut: u64,
    /// The longest of these, in octets: what the capture was told to keep of a frame.
    pub(super) cut_at: u64,
    /// How long it took.
    pub(super) elapsed: Duration,
    /// Where captures ended early.
    pub(super) damages: Vec<Damage>,
    /// Frames of link types that are not decoded.
    pub(super) skipped: Vec<Skipped>,
}

/// The packets around alerts that were written.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) directory: PathBuf,
    pub(super) files: u64,
    pub(super) octets: u64,
    /// The first that went wrong.
    pub(super) error: Option<io::Error>,
}

impl Reading {
    /// Takes note of a frame.
    #[inline]
    pub(super) fn see(&mut self, frame: &Frame<'_>) {
        let time = frame.timestamp;
        self.frames += 1;
        if frame.is_cut() {
            self.cut += 1;
            self.cut_at = self.cut_at.max(frame.data.len() as u64);
        }
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
    }
}

/// Gathers what the engine's counters do not tell.
#[derive(Debug)]
pub(super) struct Summary {
    alerts: Alerts,
    inventory: Inventory,
    inactive: usize,
}

impl Summary {
    pub(super) fn new(rules: &RuleSet) -> Self {
        Self {
            alerts: Alerts::new(&rules.rules),
            inventory: Inventory::default(),
            inactive: rules.rules.len() - rules.in_force(),
        }
    }

    /// Takes note of an alert.
    pub(super) fn alert(&mut self, event: &Event<'_>, rule: &Rule) {
        self.alerts.add(rule, event.context.timestamp, event.context.ends());
    }

    /// Takes note of an alert of a correlation, with the ends of the message that completed it.
    pub(super) fn correlated(&mut self, alert: &Correlated<'_>, ends: Option<(IpAddr, IpAddr)>) {
        self.alerts.add(alert.rule, alert.time, ends);
    }

    /// Takes note of what a flow tells of its server.
    pub(super) fn fact(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        self.inventory.add(server, protocol, name, fact);
    }

    /// Writes everything.
    pub(super) fn show(
        &self,
        files: &[PathBuf],
        reading: &Reading,
        (stats, behind): (&Stats, &Behind),
        kept: Option<&Kept>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        show_reading(files, reading, stats, out)?;
        kept.map_or(Ok(()), |kept| show_kept(kept, out))?;
        self.show_rules(out)?;
        self.alerts.show(behind.suppressed, out)?;
        show_evicted(behind.evicted_groups, out)?;
        servers::show(&self.inventory, out)?;
        show_anomalies(stats, out)
    }

    fn show_rules(&self, out: &mut dyn Write) -> io::Result<()> {
        let active = (self.alerts.rules() - self.inactive) as u64;
        row("rules", &format!("{} in force", words::count(active)), out)?;
        if self.inactive > 0 {
            let inactive = words::count(self.inactive as u64);
            write!(out, "{QUIET}, {inactive} not: see `gridtap rules list`{QUIET:#}")?;
        }
        writeln!(out)
    }
}

fn show_reading(
    files: &[PathBuf],
    reading: &Reading,
    stats: &Stats,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = match files {
        [file] if file.as_os_str() == "-" => "standard input".to_owned(),
        [file] => file.display().to_string(),
        _ => words::counted(files.len() as u64, "file"),
    };
    let elapsed = words::duration(reading.elapsed);
    writeln!(out, "{HEADING}{name}{HEADING:#} {QUIET}read in {elapsed}{QUIET:#}\n")?;

    row("packets", &words::count(stats.packets), out)?;
    write!(out, ", {}", words::octets(stats.bytes))?;
    let seconds = reading.elapsed.as_secs_f64();
    if stats.packets > 0 && seconds > 0.0 {
        let rate = words::about(stats.packets as f64 / seconds);
        write!(out, "{QUIET}, {rate} packets/s{QUIET:#}")?;
    }
    writeln!(out)?;
    if let Some((first, last)) = reading.span {
        row("time", &words::span(first, last), out)?;
        let span = words::duration(last.since(first));
        writeln!(out, " UTC{QUIET}, {span}{QUIET:#}")?;
    }
    row("flows", &words::count(stats.flows_created), out)?;
    if stats.gaps > 0 {
        let (gaps, missed) = (words::counted(stats.gaps, "gap"), words::octets(stats.bytes_missed));
        write!(out, ", {gaps} in their streams, {missed} missed")?;
    }
    let evicted = stats.flows_ended.get(FlowReason::Evicted.name()).copied().unwrap_or_default();
    if evicted > 0 {
        write!(out, ", {} ended early: `limits.flows` was reached", words::count(evicted))?;
    }
    writeln!(out)?;
    show_messages(stats, out)?;
    show_unread(stats, out)?;
    if reading.cut > 0 {
        let (frames, at) = (words::counted(reading.cut, "frame"), words::count(reading.cut_at));
        row("cut", &format!("{frames}: the capture has no more of them than {at} octets"), out)?;
        writeln!(out)?;
    }
    for skipped in &reading.skipped {
        row("skipped", &skipped.to_string(), out)?;
        writeln!(out)?;
    }
    for damage in &reading.damages {
        row("damage", &format!("{BAD}{damage}{BAD:#}"), out)?;
        writeln!(out)?;
    }
    Ok(())
}

fn show_kept(kept: &Kept, out: &mut dyn Write) -> io::Result<()> {
    let (files, size) = (words::counted(kept.files, "file"), words::octets(kept.octets));
    row("evidence", &format!("{files} in {}", kept.directory.display()), out)?;
    writeln!(out, "{QUIET}, {size}{QUIET:#}")
}

fn show_messages(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let counts: Vec<_> = stats
        .messages_by_protocol()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {name}", words::count(count)))
        .collect();
    if counts.is_empty() {
        return Ok(());
    }
    row("messages", &counts.join(", "), out)?;
    writeln!(out)
}

/// Frames that nobody looked into: fragments, other protocols than IP, and what is damaged.
fn show_unread(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    const REASONS: [(&str, [&str; 2]); 3] = [
        (engine::FRAGMENT, ["IP fragment", "IP fragments"]),
        (engine::NOT_IP, ["frame without IP", "frames without IP"]),
        (engine::CUT, ["frame cut within its headers", "frames cut within their headers"]),
    ];
    let of = |reason| stats.decode_errors.get(reason).copied().unwrap_or_default();
    let others = stats.decode_errors.iter().filter(|(_, count)| **count > 0);
    let (unread, damages): (Vec<_>, Vec<_>) = others
        .filter(|(reason, _)| REASONS.iter().all(|(known, _)| known != *reason))
        .partition(|(reason, _)| packet::UNREAD.contains(reason));
    let damaged = damages.iter().map(|(_, count)| **count).sum();
    let damaged = (["damaged frame", "damaged frames"], damaged);
    let reasons = REASONS.map(|(reason, what)| (what, of(reason)));
    let told = reasons.into_iter().chain([damaged]).filter(|(_, count)| *count > 0);
    let unread = unread.iter().map(|(reason, count)| format!("{} {reason}", words::count(**count)));
    let told: Vec<_> = told
        .map(|([one, several], count)| {
            format!("{} {}", words::count(count), if count == 1 { one } else { several })
        })
        .chain(unread)
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    row("not read", &told.join(", "), out)?;
    if !damages.is_empty() {
        // Their anomalies have the same names.
        let of = |(reason, count): (&&str, &u64)| format!("{} {reason}", words::count(*count));
        let damages: Vec<_> = damages.into_iter().map(of).collect();
        write!(out, "{QUIET}: {}{QUIET:#}", damages.join(", "))?;
    }
    writeln!(out)
}

/// What correlations had no room for.
fn show_evicted(groups: u64, out: &mut dyn Write) -> io::Result<()> {
    if groups == 0 {
        return Ok(());
    }
    let groups = words::counted(groups, "group");
    writeln!(
        out,
        "\n{BAD}{groups} of correlations let go early{BAD:#}: see `limits.correlation_memory`"
    )
}

fn show_anomalies(stats: &Stats, out: &mut dyn Write) -> io::Result<()> {
    let mut anomalies: Vec<_> = stats.anomalies.iter().filter(|(_, count)| **count > 0).collect();
    if anomalies.is_empty() {
        return Ok(());
    }
    anomalies.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), **name));
    let total = words::count(stats.anomalies.values().sum());
    writeln!(out, "\n{HEADING}Anomalies: {total}{HEADING:#}\n")?;
    for (name, count) in anomalies {
        writeln!(out, "{:>9}  {name}", words::count(*count))?;
    }
    Ok(())
}

/// The beginning of a line with a label.
fn row(label: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "  {QUIET}{label:<9}{QUIET:#} {text}")
}
