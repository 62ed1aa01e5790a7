//! The collector: one thread that puts the lines of all capture threads in order and hands them to
//! the outputs.
//!
//! A line goes on when no capture thread can still bring an older one: each says with every batch how
//! far it is. So any number of threads gives the lines in the order of their time.

use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::Histogram;

use super::correlations::{Correlations, Pass};
use super::lines::{Batch, Line};
use crate::output::delivery::{Chunk, Delivery};
use crate::output::{Correlated, HeldBack, LineKind, Types};
use crate::rule::{Observations, RuleSet};
use crate::time::Timestamp;

/// Octets of a chunk: enough for one write, and not so many that the first line waits.
const CHUNK: usize = 256 << 10;

/// How long an output that takes nothing is waited for at the end.
const PATIENCE: Duration = Duration::from_millis(50);

/// The newest alerts that are kept for the API, and how many octets of them.
const RECENT: usize = 1000;
const RECENT_OCTETS: usize = 4 << 20;

/// The newest alerts, as they were written.
#[derive(Debug, Default)]
pub(super) struct Recent {
    alerts: Mutex<Alerts>,
}

#[derive(Debug, Default)]
struct Alerts {
    lines: VecDeque<Box<[u8]>>,
    octets: usize,
}

impl Recent {
    fn add(&self, line: &[u8]) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.octets += line.len();
        alerts.lines.push_back(line.into());
        while alerts.lines.len() > RECENT || alerts.octets > RECENT_OCTETS {
            let Some(oldest) = alerts.lines.pop_front() else { return };
            alerts.octets -= oldest.len();
        }
    }

    /// The newest `most`, the newest first, each a JSON object.
    pub(super) fn newest(&self, most: usize) -> Vec<Box<[u8]>> {
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.lines.iter().rev().take(most).cloned().collect()
    }
}

/// Outputs that want the same lines.
struct Route {
    types: Types,
    outputs: Vec<Output>,
    chunk: Chunk,
    /// At the end: until when outputs are waited for.
    until: Option<Instant>,
}

struct Output {
    delivery: Arc<Delivery>,
    /// It was waited for in vain.
    stuck: bool,
}

impl Output {
    fn offer(&mut self, chunk: &Arc<Chunk>, until: Option<Instant>) {
        if let Some(until) = until.filter(|_| !self.stuck) {
            self.stuck = !self.delivery.wait_for_room(chunk.len(), PATIENCE, until);
        }
        // One that is stuck may have a spool.
        self.delivery.offer(chunk);
    }
}

/// What one capture thread brought and others hold back.
#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    /// Lines of the first batch that have gone on.
    gone: usize,
    watermark: Timestamp,
}

impl Waiting {
    fn head(&self) -> Option<Timestamp> {
        self.batches.front()?.lines.get(self.gone).map(|line| line.time)
    }

    /// What correlations want to know of the next line, if it is one that is held.
    fn observed(&mut self) -> Option<(Arc<RuleSet>, Observations)> {
        self.batches.front_mut()?.observations.pop_front()
    }

    /// The next line, and its octets.
    fn line(&self) -> Option<(Line, &[u8])> {
        let batch = self.batches.front()?;
        let line = *batch.lines.get(self.gone)?;
        let before = self.gone.checked_sub(1).and_then(|before| batch.lines.get(before));
        let start = before.map_or(0, |before| before.end);
        Some((line, batch.octets.get(start..line.end)?))
    }

    fn advance(&mut self) {
        self.gone += 1;
        self.drop_empty();
    }

    fn drop_empty(&mut self) {
        while self.batches.front().is_some_and(|batch| self.gone >= batch.lines.len()) {
            self.batches.pop_front();
            self.gone = 0;
        }
    }
}

/// The collector before it starts.
pub(super) struct Collector {
    routes: Vec<Route>,
    threads: Vec<Waiting>,
    correlations: Correlations,
    held_back: Option<HeldBack>,
    recent: Arc<Recent>,
    latency: Histogram,
}

impl Collector {
    pub(super) fn new(
        outputs: Vec<(Types, Arc<Delivery>)>,
        threads: usize,
        correlations: Correlations,
        recent: Arc<Recent>,
        latency: Histogram,
    ) -> Self {
        let mut routes: Vec<Route> = Vec::new();
        for (types, delivery) in outputs {
            let output = Output { delivery, stuck: false };
            if let Some(route) = routes.iter_mut().find(|route| route.types == types) {
                route.outputs.push(output);
            } else {
                let chunk = Chunk::default();
                routes.push(Route { types, outputs: vec![output], chunk, until: None });
            }
        }
        let threads = (0..threads).map(|_| Waiting::default()).collect();
        Self { routes, threads, correlations, held_back: None, recent, latency }
    }

    /// The same, with alerts that may be held back.
    pub(super) fn with_suppression(self, held_back: Option<HeldBack>) -> Self {
        Self { held_back, ..self }
    }

    /// Collects until the last capture thread has ended.
    pub(super) fn run(mut self, batches: &Receiver<(usize, Batch)>) {
        while let Ok((thread, batch)) = batches.recv() {
            self.take(thread, batch);
            for (thread, batch) in batches.try_iter() {
                self.take(thread, batch);
            }
            self.merge();
            self.offer();
        }
        self.flush();
        self.passage().finish();
        self.publish();
        self.offer();
    }

    /// Shows the counts: once for many lines, as others may look at them meanwhile.
    fn publish(&mut self) {
        let suppressed = self.held_back.as_ref().map(HeldBack::counts);
        self.correlations.publish(suppressed.unwrap_or_default());
    }

    fn passage(&mut self) -> Passage<'_> {
        Passage {
            routes: &mut self.routes,
            held_back: &mut self.held_back,
            recent: &self.recent,
            latency: &self.latency,
        }
    }

    fn take(&mut self, thread: usize, batch: Batch) {
        if batch.set_back {
            // What came before is older, whatever its time says.
            self.flush();
            self.threads.iter_mut().for_each(|waiting| waiting.watermark = Timestamp::ZERO);
        }
        if batch.until.is_some() {
            self.routes.iter_mut().for_each(|route| route.until = batch.until);
        }
        let Some(waiting) = self.threads.get_mut(thread) else { return };
        waiting.watermark = batch.watermark;
        waiting.batches.push_back(batch);
        waiting.drop_empty();
    }

    /// Lets lines go on that no thread can bring an older one to.
    fn merge(&mut self) {
        let reached = self.threads.iter().map(|waiting| waiting.watermark).min();
        let limit = if self.threads.len() > 1 { reached } else { Some(Timestamp::NEVER) };
        while let Some(thread) = self.oldest(limit.unwrap_or(Timestamp::NEVER)) {
            self.pass(thread);
        }
        // A thread that has ended holds nobody up, and says so by a time that never comes.
        if let Some(reached) = reached.filter(|reached| *reached < Timestamp::NEVER) {
            self.advance(reached);
        }
        self.publish();
    }

    /// Lets all go on.
    fn flush(&mut self) {
        while let Some(thread) = self.oldest(Timestamp::NEVER) {
            self.pass(thread);
        }
        self.offer();
    }

    /// The thread whose next line is the oldest of all, if it is older than `limit`.
    fn oldest(&self, limit: Timestamp) -> Option<usize> {
        let heads = self.threads.iter().enumerate();
        let heads = heads.filter_map(|(thread, waiting)| Some((waiting.head()?, thread)));
        heads.min().filter(|(time, _)| *time < limit).map(|(_, thread)| thread)
    }

    fn pass(&mut self, thread: usize) {
        let Some(waiting) = self.threads.get_mut(thread) else { return };
        let is_held = matches!(waiting.line(), Some((Line { kind: LineKind::Held, .. }, _)));
        let observed = if is_held { waiting.observed() } else { None };
        let passage = &mut Passage {
            routes: &mut self.routes,
            held_back: &mut self.held_back,
            recent: &self.recent,
            latency: &self.latency,
        };
        if let Some((line, octets)) = waiting.line() {
            self.correlations.advance(line.time, passage);
            passage.advance(line.time);
            match observed {
                Some((rules, observed)) => {
                    self.correlations.take(&rules, line.time, &observed, octets, passage);
                }
                None => passage.pass(line, octets),
            }
        }
        waiting.advance();
    }

    /// No line of before will come.
    fn advance(&mut self, time: Timestamp) {
        let passage = &mut Passage {
            routes: &mut self.routes,
            held_back: &mut self.held_back,
            recent: &self.recent,
            latency: &self.latency,
        };
        self.correlations.advance(time, passage);
        passage.advance(time);
    }

    fn offer(&mut self) {
        self.routes.iter_mut().for_each(Route::offer);
    }
}

/// Where lines go on to.
struct Passage<'c> {
    routes: &'c mut Vec<Route>,
    held_back: &'c mut Option<HeldBack>,
    recent: &'c Recent,
    latency: &'c Histogram,
}

impl Passage<'_> {
    /// Lets a line go on, unless it is an alert that is held back.
    fn pass(&mut self, line: Line, octets: &[u8]) {
        let Self { routes, held_back, recent, latency } = self;
        let LineKind::Alert(level) = line.kind else {
            return pass_to(routes, line.kind, octets);
        };
        let told = match (held_back, line.alike) {
            (Some(held_back), Some(alike)) => held_back.take(line.time, alike, level, octets),
            _ => Some(octets),
        };
        if let Some(octets) = told {
            latency.observe(since(line.time));
            recent.add(octets);
            pass_to(routes, line.kind, octets);
        }
    }

    /// Tells what was held back until `time`.
    fn advance(&mut self, time: Timestamp) {
        let Self { routes, held_back, recent, .. } = self;
        if let Some(held_back) = held_back {
            held_back.advance(time, &mut |line, level| {
                recent.add(line);
                pass_to(routes, LineKind::Alert(level), line);
            });
        }
    }

    /// Tells what is held back.
    fn finish(&mut self) {
        let Self { routes, held_back, .. } = self;
        if let Some(held_back) = held_back {
            held_back.finish(&mut |line, level| pass_to(routes, LineKind::Alert(level), line));
        }
    }
}

/// To all who want it.
fn pass_to(routes: &mut [Route], kind: LineKind, octets: &[u8]) {
    let level = if let LineKind::Alert(level) = kind { Some(level) } else { None };
    for route in routes.iter_mut().filter(|route| route.types.takes(kind)) {
        route.push(octets, level);
    }
}

impl Pass for Passage<'_> {
    fn alert(&mut self, rules: &Arc<RuleSet>, alert: &Correlated<'_>) {
        self.advance(alert.time);
        let alike = self.held_back.as_mut().and_then(|held_back| held_back.of_group(rules, alert));
        let kind = LineKind::Alert(alert.rule.level);
        let end = alert.line.len();
        self.pass(Line { time: alert.time, kind, end, alike }, alert.line);
    }
}

impl Route {
    fn push(&mut self, line: &[u8], level: Option<crate::rule::Level>) {
        self.chunk.push(line, level);
        if self.chunk.octets().len() >= CHUNK {
            self.offer();
        }
    }

    fn offer(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        let chunk = Arc::new(std::mem::take(&mut self.chunk));
        self.outputs.iter_mut().for_each(|output| output.offer(&chunk, self.until));
    }
}

/// Seconds since a packet came, by the clock that the kernel gave it its time by.
fn since(time: Timestamp) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64() - time.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::super::correlations::Counters;
    use super::super::lines::LineSink;
    use super::*;
    use crate::config::Config;
    use crate::engine::Sink;
    use crate::event::{ANOMALY, Anomaly, Context, Event};
    use crate::output::delivery::{Failure, Limits, Lines, Options, Target};
    use crate::rule::{Level, Matcher, Placeholders, Repetition, Source, Suppression};

    /// Keeps what it gets.
    #[derive(Debug, Default, Clone)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Target for Kept {
        fn write(&mut self, lines: &mut Lines) -> Result<(), Failure> {
            let mut kept = self.0.lock().unwrap();
            while let Some((line, _)) = lines.first() {
                kept.extend_from_slice(line);
                lines.take(1);
            }
            Ok(())
        }
    }

    fn delivery(target: &Kept) -> Arc<Delivery> {
        let options = Options {
            name: "kept".to_owned(),
            limits: Limits::default(),
            listener: Arc::new(|_| {}),
        };
        Arc::new(Delivery::start(options, Box::new(target.clone()), None).unwrap())
    }

    /// Records, and alerts where a text begins with an exclamation mark.
    fn batch(watermark: u64, lines: &[(u64, &str)]) -> Batch {
        let mut batch = Batch { watermark: Timestamp::from_nanos(watermark), ..Batch::default() };
        for (time, text) in lines {
            batch.octets.extend_from_slice(text.as_bytes());
            batch.octets.push(b'\n');
            let is_alert = text.starts_with('!');
            batch.lines.push(Line {
                time: Timestamp::from_nanos(*time),
                kind: if is_alert {
                    LineKind::Alert(Level::High)
                } else {
                    LineKind::Record(&ANOMALY)
                },
                end: batch.octets.len(),
                alike: None,
            });
        }
        batch
    }

    /// What outputs of these types get, and the newest alerts.
    fn collected(types: &str, threads: usize, batches: Vec<(usize, Batch)>) -> (String, usize) {
        let kept = Kept::default();
        let delivery = delivery(&kept);
        let recent = Arc::new(Recent::default());
        let outputs = vec![(types.parse().unwrap(), Arc::clone(&delivery))];
        let latency = super::super::page::latency();
        let none = Correlations::new(&Arc::default(), &Config::default(), Arc::default());
        let collector = Collector::new(outputs, threads, none, Arc::clone(&recent), latency);
        let (sender, receiver) = sync_channel(batches.len());
        for batch in batches {
            sender.send(batch).unwrap();
        }
        drop(sender);
        collector.run(&receiver);
        let deadline = Instant::now() + Duration::from_secs(10);
        assert!(Arc::into_inner(delivery).unwrap().finish(deadline).in_time);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        (text.replace('\n', " "), recent.newest(10).len())
    }

    #[test]
    fn lines_of_several_threads_come_in_the_order_of_time() {
        let batches = vec![
            (0, batch(4, &[(1, "a"), (3, "c")])),
            (1, batch(5, &[(2, "b"), (5, "e")])),
            (0, batch(9, &[(4, "d"), (8, "g")])),
            (1, batch(9, &[(6, "f")])),
        ];
        assert_eq!(collected("anomaly", 2, batches).0, "a b c d e f g ");
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let later = Batch { set_back: true, ..batch(3, &[(2, "b")]) };
        let batches = vec![(0, batch(1000, &[(999, "a")])), (1, batch(0, &[])), (0, later)];
        assert_eq!(collected("anomaly", 2, batches).0, "a b ");
    }

    #[test]
    fn an_output_gets_the_types_that_it_wants() {
        let lines = [(1, "a"), (2, "!b"), (3, "c"), (4, "!d")];
        let (text, recent) = collected("alert", 1, vec![(0, batch(5, &lines))]);
        assert_eq!((text.as_str(), recent), ("!b !d ", 2));
    }

    /// Three anomalies within a minute are an alert, whatever threads saw them.
    fn correlation() -> Arc<RuleSet> {
        let text = "title: Damage\nname: damage\nid: 11111111-0000-4000-8000-000000000001\n\
                    logsource: {product: gridtap, service: anomaly}\n\
                    detection: {s: {anomaly.event: ip_header}, condition: s}\n---\n\
                    title: Much\nid: 11111111-0000-4000-8000-000000000002\n\
                    correlation: {type: event_count, rules: [damage], timespan: 1m, condition: {gte: 3}}\n";
        let source = Source { name: "rules.yml".to_owned(), text: text.to_owned() };
        RuleSet::load(&[source], &[&ANOMALY], &Placeholders::new()).unwrap().into()
    }

    #[test]
    fn a_correlation_is_of_what_all_threads_saw_in_the_order_of_time() {
        let rules = correlation();
        let sink = || LineSink::new("alert".parse().unwrap(), &rules, None, None);
        let mut threads = [sink(), sink()];
        let mut matcher = Matcher::new(Arc::clone(&rules));
        let service = matcher.service(&ANOMALY).unwrap();
        let second = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000);
        for (thread, seconds) in [(1, 1), (0, 40), (1, 70), (0, 75), (1, 200)] {
            let timestamp = second(seconds);
            let context = Context::at(timestamp);
            let event = Event { context: &context, record: &Anomaly::in_packet("ip_header") };
            threads[thread].event(&event, matcher.matches(service, &event));
        }
        let (counters, recent) = (Arc::new(Counters::default()), Arc::new(Recent::default()));
        let correlations = Correlations::new(&rules, &Config::default(), Arc::clone(&counters));
        let latency = super::super::page::latency();
        let mut collector =
            Collector::new(Vec::new(), 2, correlations, Arc::clone(&recent), latency);
        for (thread, sink) in threads.iter().enumerate() {
            collector.take(thread, sink.batch(second(300)));
        }
        collector.merge();
        // Of 40, 70 and 75; each thread alone has two within a minute at the most.
        let alerts = recent.newest(10);
        assert_eq!(alerts.len(), 1);
        let alert: serde_json::Value = serde_json::from_slice(&alerts[0]).unwrap();
        assert_eq!(alert["timestamp"], "1970-01-01T00:01:15.000000+0000");
        assert_eq!(counters.counts().alerts[&rules.rules[1].id], 1);
    }

    #[test]
    fn alerts_that_repeat_each_other_are_held_back_whichever_threads_saw_them() {
        let text = "title: Damage\nid: 11111111-0000-4000-8000-000000000001\n\
                    logsource: {product: gridtap, service: anomaly}\n\
                    detection: {s: {anomaly.event: ip_header}, condition: s}\n";
        let source = Source { name: "rules.yml".to_owned(), text: text.to_owned() };
        let rules = RuleSet::load(&[source], &[&ANOMALY], &Placeholders::new()).unwrap();
        let rules = Arc::new(rules);
        let minute = Repetition {
            rules: Vec::new(),
            by: vec!["anomaly.event".to_owned()],
            interval: Duration::from_secs(60),
        };
        let suppression = Suppression { repetitions: vec![minute], ..Suppression::default() };
        let counters = Arc::new(Counters::default());
        let held_back = HeldBack::new(suppression, &rules).unwrap();
        let sink = || {
            LineSink::new("alert".parse().unwrap(), &rules, None, None)
                .with_suppression(Some(held_back.likeness()))
        };
        let mut threads = [sink(), sink()];
        let mut matcher = Matcher::new(Arc::clone(&rules));
        let service = matcher.service(&ANOMALY).unwrap();
        let second = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000);
        for (thread, seconds) in [(1, 1), (0, 2), (1, 30), (0, 40), (1, 70)] {
            let timestamp = second(seconds);
            let context = Context::at(timestamp);
            let event = Event { context: &context, record: &Anomaly::in_packet("ip_header") };
            threads[thread].event(&event, matcher.matches(service, &event));
        }
        let recent = Arc::new(Recent::default());
        let none = Correlations::new(&rules, &Config::default(), Arc::clone(&counters));
        let latency = super::super::page::latency();
        let mut collector = Collector::new(Vec::new(), 2, none, Arc::clone(&recent), latency)
            .with_suppression(Some(held_back));
        for (thread, sink) in threads.iter().enumerate() {
            collector.take(thread, sink.batch(second(100)));
        }
        collector.merge();
        let alerts = recent.newest(10).into_iter().rev().map(|line| {
            let alert: serde_json::Value = serde_json::from_slice(&line).unwrap();
            let time = alert["timestamp"].as_str().unwrap()[14..19].to_owned();
            (time, alert["alert"]["suppressed"].as_u64())
        });
        // The first at once; at 61 s the last of the first minute; at 70 s it is quiet again until 121 s.
        let expected = [("00:01".to_owned(), None), ("00:40".to_owned(), Some(2))];
        assert_eq!(alerts.collect::<Vec<_>>(), expected);
        // That of 70 s is held yet.
        assert_eq!(counters.counts().suppressed.repeated, 2);
    }

    #[test]
    fn the_newest_alerts_are_bounded() {
        let recent = Recent::default();
        (0..RECENT + 5).for_each(|number| recent.add(number.to_string().as_bytes()));
        assert_eq!(recent.newest(usize::MAX).len(), RECENT);
        assert_eq!(&*recent.newest(1)[0], (RECENT + 4).to_string().as_bytes());
        recent.add(&vec![b'x'; RECENT_OCTETS - 1]);
        assert!(recent.newest(usize::MAX).len() < 5, "octets count too");
    }
}
