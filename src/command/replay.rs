//! `gridtap replay`: captures through the engine.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::configuration::{Configuration, Configured};
use super::overwrite::{self, is_dash};
use super::progress::Progress;
use super::rule_files::{self, RuleFiles};
use super::summary::{Kept, Reading, Summary};
use super::{Exit, Failure};
use crate::capture::Source;
use crate::config::{Config, Redacted};
use crate::engine::{Engine, Place, Sink, Stats};
use crate::event::{Event, Redaction, Schema};
use crate::flow::Side;
use crate::metrics::{self, Behind};
use crate::output::evidence::{ArchiveCounters, Keeper, Options, Writer};
use crate::output::{Correlating, Eve, Types};
use crate::packet::Frame;
use crate::protocol::{Fact, Protocol};
use crate::rule::{CorrelatorLimits, Hits, Observations, RuleSet};
use crate::time::Timestamp;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Captures in pcap or pcapng, merged in the order of time; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    rules: RuleFiles,
    /// Write records as EVE JSON lines; - is standard output
    #[arg(long, value_name = "FILE")]
    eve: Option<PathBuf>,
    #[arg(long, value_name = "TYPES", requires = "eve", help = about_types())]
    types: Option<Types>,
    /// Write the counters in Prometheus' text format; - is standard output
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// What records, summary and evidence do not show, besides what the configuration hides:
    /// user_names, payloads; with a comma between them
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = redacted)]
    redact: Vec<Redacted>,
    /// Write the packets around each alert as pcapng into this directory
    #[arg(long, value_name = "DIRECTORY")]
    evidence: Option<PathBuf>,
}

fn about_types() -> String {
    let names = Types::names().collect::<Vec<_>>().join(", ");
    format!(
        "Which records, with commas between them: {names}; or all, which is the default and is each of \
         them but iec104_object"
    )
}

fn redacted(name: &str) -> Result<Redacted, String> {
    let all = [Redacted::UserNames, Redacted::Payloads];
    let found = all.into_iter().find(|redacted| redacted.name() == name);
    found.ok_or_else(|| format!("it is one of {}", all.map(Redacted::name).join(", ")))
}

impl Arguments {
    /// Refuses what cannot be meant, before anything is read.
    fn check(&self) -> Result<(), Failure> {
        if self.files.iter().filter(|path| is_dash(path)).count() > 1 {
            return Err(Failure::Usage("standard input can be read once only, and - stands twice"));
        }
        if let Some(path) = self.evidence.as_ref().filter(|path| path.exists() && !path.is_dir()) {
            let error = io::Error::new(io::ErrorKind::NotADirectory, "it is there, and no folder");
            return Err(Failure::Create { path: path.clone(), error });
        }
        let (Some(eve), Some(metrics)) = (&self.eve, &self.metrics) else { return Ok(()) };
        if is_dash(eve) && is_dash(metrics) {
            return Err(Failure::Usage("--eve and --metrics cannot both go to standard output"));
        }
        if overwrite::are_one(eve, metrics) {
            return Err(Failure::Usage("--eve and --metrics are one file"));
        }
        Ok(())
    }

    /// Refuses to write where this reads.
    fn refuse_overwriting(&self, config: &Config) -> Result<(), Failure> {
        let outputs = [&self.eve, &self.metrics].map(Option::as_deref);
        let outputs: Vec<_> = outputs.into_iter().flatten().collect();
        let rules = self.rules.paths(config)?;
        let file = self.configuration.file();
        let inputs = self.files.iter().chain(&rules).chain(&file).map(PathBuf::as_path);
        overwrite::refuse(&outputs, inputs)
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    arguments.check()?;
    let Configured { config, origins } = arguments.configuration.load()?;
    let rules = Arc::new(arguments.rules.load_configured(&config, origins.as_ref())?);
    arguments.refuse_overwriting(&config)?;
    rule_files::warn_if_none(&rules)?;
    let source = Source::open(&arguments.files)?;
    let eve = arguments.eve.as_deref().map(create).transpose()?;
    let page = arguments.metrics.as_deref().map(create).transpose()?;
    let types = arguments.types.clone().unwrap_or_default();
    let mut config = config;
    config.redact.extend(&arguments.redact);
    let redaction = config.redaction();
    let eve = eve.map(|output| {
        Eve::new(output, types, &rules.rules, config.host.as_deref())
            .with_redaction(redaction)
            .with_suppression(config.alerts.suppression(), &rules)
    });

    let evidence = arguments.evidence.as_deref();
    let evidence = evidence.map(|directory| Evidence::open(directory, &config)).transpose()?;
    let correlations = Correlations::new(&rules, config.limits.correlator(), redaction);
    let mut sink = ReplaySink { eve, evidence, correlations, summary: Summary::new(&rules) };
    let mut engine = Engine::new(Arc::clone(&rules), config.limits.engine(1), &sink)
        .with_settings(&config.protocols)
        .with_tenants(config.flows.tenancy())
        .with_policies(Arc::new(config.streams.policies()))
        .with_redaction(redaction);
    let progress = Progress::new(source.octets());
    let reading = read(source, &mut engine, &mut sink, &progress);
    if let Some((_, last)) = reading.span {
        sink.advance(last);
    }
    let kept = sink.evidence.map(Evidence::finish);
    let mut stats = engine.stats().clone();
    let mut behind = Behind::default();
    if let Some(Correlations { correlating, .. }) = &sink.correlations {
        stats.add_alerts(correlating.alerts());
        behind.evicted_groups = correlating.correlator().evicted();
    }
    let stats = &stats;
    if let Some(eve) = &mut sink.eve {
        eve.tell_held();
        behind.suppressed = eve.suppressed();
    }
    finish(sink.eve, arguments.eve.as_deref(), &reading, stats)?;
    if let (Some(mut page), Some(path)) = (page, &arguments.metrics) {
        let text = metrics::render(stats, &rules.rules, &behind, Some(reading.elapsed))
            .map_err(io::Error::other);
        text.and_then(|text| page.write_all(text.as_bytes()))
            .map_err(|error| cannot_write(path, error))?;
    }
    let takes_stdout = |path: &Option<PathBuf>| path.as_deref().is_some_and(is_dash);
    let is_taken = [&arguments.eve, &arguments.metrics].into_iter().any(takes_stdout);
    let mut out: Box<dyn Write> =
        if is_taken { Box::new(super::stderr()) } else { Box::new(super::stdout()) };
    sink.summary.show(&arguments.files, &reading, (stats, &behind), kept.as_ref(), &mut out)?;
    if let Some(Kept { directory, error: Some(error), .. }) = kept {
        return Err(cannot_write(&directory, error));
    }
    Ok(if reading.damages.is_empty() { Exit::Done } else { Exit::BadData })
}

/// Everything that the captures have, or as much as the records' reader wanted to see.
pub(super) fn read<S: ReplayTo>(
    mut source: Source,
    engine: &mut Engine,
    sink: &mut S,
    progress: &Progress,
) -> Reading {
    let begun = Instant::now();
    let mut reading = Reading::default();
    while !sink.is_full() {
        let frame = match source.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(damage) => {
                reading.damages.push(damage);
                continue;
            }
        };
        reading.see(&frame);
        engine.handle(&frame, sink);
        if progress.is_due(reading.frames) {
            progress.show(source.octets());
        }
    }
    engine.finish(sink);
    progress.clear();
    reading.elapsed = begun.elapsed();
    reading.skipped = source.skipped().to_vec();
    reading
}

/// A sink that may have enough.
pub(super) trait ReplayTo: Sink {
    /// Whether more is of no use.
    fn is_full(&self) -> bool {
        false
    }
}

struct ReplaySink {
    eve: Option<Eve<Box<dyn Write>>>,
    evidence: Option<Evidence>,
    /// If there are any.
    correlations: Option<Correlations>,
    summary: Summary,
}

impl ReplayTo for ReplaySink {
    fn is_full(&self) -> bool {
        self.eve.as_ref().is_some_and(Eve::failed)
    }
}

impl ReplaySink {
    /// Tells what was waited for in vain until `time`.
    #[inline]
    fn advance(&mut self, time: Timestamp) {
        let Some(Correlations { correlating, .. }) = &mut self.correlations else { return };
        let (eve, summary) = (&mut self.eve, &mut self.summary);
        correlating.advance(time, &mut |alert| {
            summary.correlated(&alert, None);
            if let Some(eve) = eve {
                eve.correlated(&alert);
            }
        });
    }

    /// Tells of correlations that an event completes.
    #[inline]
    fn correlate(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        let Some(Correlations { correlating, observations }) = &mut self.correlations else {
            return;
        };
        if !observations.take(event, fired) {
            return;
        }
        // One after the other, the record's line is taken from it and alerts are written to it.
        let (eve, summary) = (RefCell::new(&mut self.eve), &mut self.summary);
        let (time, ends) = (event.context.timestamp, event.context.ends());
        let mut hold = |held: &mut Vec<u8>| {
            if let Some(eve) = eve.borrow_mut().as_mut() {
                held.extend_from_slice(eve.held(event));
            }
        };
        correlating.take(time, observations, &mut hold, &mut |alert| {
            summary.correlated(&alert, ends);
            if let Some(eve) = eve.borrow_mut().as_mut() {
                eve.correlated(&alert);
            }
        });
    }
}

/// What hits of rules have to do with each other.
pub(super) struct Correlations {
    pub(super) correlating: Correlating,
    observations: Observations,
}

impl Correlations {
    /// `None` where no rule is about that.
    fn new(rules: &Arc<RuleSet>, limits: CorrelatorLimits, redaction: Redaction) -> Option<Self> {
        let correlating = Correlating::new(rules, limits, redaction)?;
        Some(Self { correlating, observations: Observations::default() })
    }
}

impl Sink for ReplaySink {
    fn event(&mut self, event: &Event<'_>, fired: Hits<'_>) {
        self.advance(event.context.timestamp);
        let file = self.evidence.as_mut().and_then(|kept| kept.keeper.alert(event, fired));
        if let Some(eve) = &mut self.eve {
            eve.event_in(event, fired, file);
        }
        for rule in fired {
            self.summary.alert(event, rule);
        }
        self.correlate(event, fired);
    }

    fn wants(&self, schema: &'static Schema) -> bool {
        self.eve.as_ref().is_some_and(|eve| eve.types().records(schema))
    }

    fn fact(
        &mut self,
        server: IpAddr,
        protocol: &'static Protocol,
        name: &'static str,
        fact: Fact<'_>,
    ) {
        self.summary.fact(server, protocol, name, fact);
    }

    fn keeps(&self) -> bool {
        self.evidence.is_some()
    }

    fn packet(&mut self, frame: &Frame<'_>, place: Place) {
        if let Some(evidence) = &mut self.evidence {
            evidence.keeper.packet(frame, &place);
            evidence.write();
        }
    }

    fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        if let Some(evidence) = &mut self.evidence {
            evidence.keeper.secret(flow, sender, octets);
        }
    }
}

/// Packets around alerts, written as soon as they are all there.
struct Evidence {
    keeper: Keeper,
    writer: Writer,
    directory: PathBuf,
    /// The first that went wrong; the replay goes on.
    error: Option<io::Error>,
}

impl Evidence {
    /// Into this directory, otherwise as configured.
    fn open(directory: &Path, config: &Config) -> Result<Self, Failure> {
        let redaction = config.redaction();
        let configured = config.evidence.as_ref().map(|evidence| evidence.options(redaction));
        let options =
            configured.unwrap_or_else(|| Options { redaction, ..Options::new(directory) });
        let writer = Writer::open(directory, options.size);
        let writer =
            writer.map_err(|error| Failure::Create { path: directory.to_owned(), error })?;
        let keeper = Keeper::new(&options, 1);
        Ok(Self { keeper, writer, directory: directory.to_owned(), error: None })
    }

    fn write(&mut self) {
        while let Some(case) = self.keeper.take() {
            if let Err(error) = self.writer.write(&case) {
                self.error.get_or_insert(error);
            }
        }
    }

    fn finish(mut self) -> Kept {
        self.keeper.finish();
        self.write();
        let ArchiveCounters { written_files, written_octets, .. } = self.writer.counters();
        let Self { directory, error, .. } = self;
        Kept { directory, files: written_files, octets: written_octets, error }
    }
}

fn create(path: &Path) -> Result<Box<dyn Write>, Failure> {
    if is_dash(path) {
        return Ok(Box::new(io::stdout().lock()));
    }
    let file = File::create(path);
    let file = file.map_err(|error| Failure::Create { path: path.to_owned(), error })?;
    Ok(Box::new(file))
}

fn finish(
    eve: Option<Eve<Box<dyn Write>>>,
    path: Option<&Path>,
    reading: &Reading,
    stats: &Stats,
) -> Result<(), Failure> {
    let (Some(mut eve), Some(path)) = (eve, path) else { return Ok(()) };
    if let Some((first, last)) = reading.span {
        eve.stats(last, last.since(first).as_secs(), stats);
    }
    eve.finish().map_err(|error| cannot_write(path, error))
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    let name = if is_dash(path) { "standard output".into() } else { path.display().to_string() };
    Failure::Output { name, error }
}
