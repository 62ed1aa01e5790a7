//! One connection: what each APDU means after all that went before it.

use std::sync::Arc;

use super::NAME;
use super::apci::{APCI, Apdu, Control, PREFIX};
use super::asdu::{Asdu, Widths};
use super::cause;
use super::check;
use super::clock;
use super::command::Moment;
use super::detect::role;
use super::facts::Facts;
use super::link::{Link, Place, Seen, Violation};
use super::pair::{Met, Numbered};
use super::record::{IEC104_OBJECT, ObjectRecord};
use super::settings::Settings;
use super::stations::{Connection, Stations};
use super::types::{Purpose, Type};
use super::widths::Evidence;
use crate::event::{Anomaly, Records, Value};
use crate::flow::{Acknowledged, Direction, FlowKey, Side};
use crate::protocol::{Input, Role, Start};
use crate::time::Timestamp;

/// So many APDUs more must say who controls than say the contrary, until it is believed of a link
/// whose start was not seen.
const CONVINCING: i8 = 3;

/// So many ASDUs that have the standard's widths show that a station has them.
const WATCHED: u8 = 8;

/// The way to what is known of the two hosts, beyond this connection.
#[derive(Debug, Clone, Copy)]
enum Hosts {
    /// Nothing was said yet.
    Unasked,
    Known(Connection),
    /// There is no room to remember them.
    Unknown,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) facts: Facts,
    key: FlowKey,
    client: Side,
    hosts: Hosts,
    settings: Arc<Settings>,
    /// Which way commands go to the station that they are for.
    settings_for: Direction,
    widths: Widths,
    /// So many ASDUs are still looked at for whether other widths fit better.
    widths_watched: u8,
    widths_evidence: Evidence,
    link: Link,
    /// How many APDUs more said that the client controls than said that the server does.
    client_controls: i8,
    /// By direction: since when nothing was missed; [`Timestamp::NEVER`] until something comes.
    whole_since: [Timestamp; 2],
    /// When the first APDU came.
    began: Option<Timestamp>,
    /// Octets were missed since the last APDU.
    missed: bool,
    /// When the last APDU came.
    last: Timestamp,
}

impl Session {
    pub(super) fn new(start: Start<'_>, stations: Option<&Stations>) -> Self {
        let whole_since = if start.joined { Timestamp::NEVER } else { Timestamp::ZERO };
        let mut session = Self {
            facts: Facts::default(),
            key: start.key.service(start.client),
            client: start.client,
            hosts: Hosts::Unasked,
            settings: stations
                .map_or_else(Arc::default, |known| Arc::clone(known.configured.of_others())),
            settings_for: Direction::ToServer,
            widths: Widths::STANDARD,
            widths_watched: WATCHED,
            widths_evidence: Evidence::default(),
            link: Link::new(start.joined),
            client_controls: 0,
            whole_since: [whole_since; 2],
            began: None,
            missed: false,
            last: Timestamp::ZERO,
        };
        if let Some(stations) = stations {
            session.look_up_settings(stations);
        }
        session
    }

    /// How the octets of the APDU that begins here are divided.
    #[inline]
    pub(super) fn widths(&mut self, apdu: &[u8], stations: &mut Stations) -> Widths {
        if self.sure_control().is_some_and(|way| way != self.settings_for) {
            self.look_up_settings(stations);
        }
        if self.widths_watched > 0 && apdu.get(PREFIX).is_some_and(|octet| octet & 1 == 0) {
            self.watch_widths(apdu, stations);
        }
        self.widths
    }

    /// What is configured for the station that is controlled: the server, unless it turns out that
    /// the server called it.
    #[cold]
    fn look_up_settings(&mut self, stations: &Stations) {
        self.settings_for = self.sure_control().unwrap_or(Direction::ToServer);
        let station = self.settings_for.opposite().sender(self.client);
        let settings = Arc::clone(stations.configured.of(self.key.address(station)));
        if let Some(widths) = settings.widths.or(stations.narrow_widths(&self.key)) {
            (self.widths, self.widths_watched) = (widths, 0);
        }
        self.settings = settings;
    }

    /// Whether the station has other widths than the standard's. Most show at once that they have
    /// not.
    #[cold]
    fn watch_widths(&mut self, apdu: &[u8], stations: &mut Stations) {
        let Some(octets) = apdu.get(APCI..) else { return };
        let standard = Asdu::parse(octets, Widths::STANDARD);
        if standard.is_ok_and(|asdu| check::is_convincing(&asdu, asdu.body.len())) {
            self.widths_watched -= 1;
            return;
        }
        self.widths_evidence.note(octets);
        if let Some(widths) = self.widths_evidence.widths() {
            (self.widths, self.widths_watched) = (widths, 0);
            // What was read before was read wrongly.
            self.whole_since = [Timestamp::NEVER; 2];
            self.missed = true;
            stations.remember_widths(self.key, widths);
        }
    }

    /// Octets of a direction were missed, or could not be read.
    pub(super) fn miss(&mut self, direction: Direction) {
        self.link.miss(direction);
        self.whole_since[direction.index()] = Timestamp::NEVER;
        self.missed = true;
    }

    /// Takes the APDU that `input` has the octets of.
    #[inline]
    pub(super) fn take(
        &mut self,
        input: &Input<'_>,
        apdu: &Apdu<'_>,
        stations: &mut Stations,
        out: &mut dyn Records,
    ) {
        let direction = input.direction;
        self.last = input.time;
        let whole_since = &mut self.whole_since[direction.index()];
        *whole_since = (*whole_since).min(input.time);
        self.began.get_or_insert(input.time);
        self.look_after_commands(input, stations, out);

        self.facts.note(direction, apdu);
        out.emit(apdu);
        if let Some(asdu) = &apdu.asdu
            && out.wants(&IEC104_OBJECT)
        {
            for object in asdu.objects() {
                out.emit(&ObjectRecord { apdu, object });
            }
        }
        check::apdu(apdu, out);

        let seen = Seen {
            direction,
            time: input.time,
            acknowledged: input.acknowledged,
            apdu,
            octets: input.bytes,
        };
        let tell = &mut |violation| raise(violation, out);
        let is_next = self.link.take(&seen, &self.settings, tell);
        if let Some(asdu) = &apdu.asdu
            && let Some(known) = asdu.known
            && is_next
        {
            self.asdu(asdu, known, input, stations, out);
        }
        self.learn_who_controls(direction, apdu);
    }

    /// The connection is over.
    pub(super) fn end(&mut self, stations: &mut Stations, out: &mut dyn Records) {
        let control = self.control();
        if let Hosts::Known(hosts) = std::mem::replace(&mut self.hosts, Hosts::Unknown) {
            stations.disconnect(hosts, control, out);
        }
    }

    /// For octets that nobody delivers any more, but which were kept.
    pub(super) fn last_input<'a>(&self, direction: Direction, bytes: &'a [u8]) -> Input<'a> {
        let (time, acknowledged) = (self.last, Acknowledged::Beyond);
        Input { direction, time, late: true, clock_trusted: false, acknowledged, bytes }
    }

    #[inline]
    fn look_after_commands(
        &mut self,
        input: &Input<'_>,
        stations: &mut Stations,
        out: &mut dyn Records,
    ) {
        if let Hosts::Unasked = self.hosts {
            self.hosts = stations.connect(self.key).map_or(Hosts::Unknown, Hosts::Known);
        }
        let missed = std::mem::take(&mut self.missed);
        let Hosts::Known(hosts) = self.hosts else { return };
        if missed {
            stations.doubt(hosts);
        }
        // What the sender had beyond what we saw may have been the answer.
        if input.acknowledged != Acknowledged::Beyond {
            stations.expire(hosts, input.time, self.control(), out);
        }
    }

    /// Which way commands go, as far as is known.
    fn control(&self) -> Direction {
        match self.link.starter() {
            Some(starter) => starter,
            None if self.client_controls >= 0 => Direction::ToServer,
            None => Direction::ToClient,
        }
    }

    /// Which way commands go, if that is sure.
    fn sure_control(&self) -> Option<Direction> {
        let sure = self.link.starter().is_some() || self.client_controls.abs() >= CONVINCING;
        sure.then(|| self.control())
    }

    /// STARTDT act tells it; else what is said does.
    #[inline]
    fn learn_who_controls(&mut self, direction: Direction, apdu: &Apdu<'_>) {
        if self.link.starter().is_some() {
            return;
        }
        let Some(role) = role(apdu.control, apdu.asdu.as_ref()) else { return };
        let client = (direction == Direction::ToServer) == (role == Role::Client);
        let step = if client { 1 } else { -1 };
        self.client_controls = self.client_controls.saturating_add(step);
    }

    #[inline]
    fn asdu(
        &mut self,
        asdu: &Asdu<'_>,
        known: &'static Type,
        input: &Input<'_>,
        stations: &mut Stations,
        out: &mut dyn Records,
    ) {
        self.check_direction(asdu, input.direction, out);
        if let Some(skew) = clock::skew(asdu, known, input, &self.settings) {
            let at = Anomaly::in_message(NAME, clock::TIME_SKEW);
            out.emit(&at.at("iec104.objects.time", Value::Double(skew.seconds), skew.offset));
        }
        match known.purpose {
            Purpose::Process if matches!(asdu.cause, cause::REQUEST | 20..=41) => {
                if let Hosts::Known(hosts) = self.hosts {
                    stations.objects(hosts, asdu, &mut self.met(input, out));
                }
            }
            Purpose::Command | Purpose::System | Purpose::Parameter => {
                self.command(asdu, known, input, stations, out);
            }
            _ => {}
        }
    }

    /// What only one of the two stations sends.
    #[inline]
    fn check_direction(&self, asdu: &Asdu<'_>, direction: Direction, out: &mut dyn Records) {
        let Some(control) = self.sure_control().filter(|_| !self.settings.reverse) else { return };
        let controls = direction == control;
        if check::direction(asdu, controls) {
            check::raise(out, check::DIRECTION, "iec104.cot", asdu.cause.into(), APCI + 2);
        } else if check::cause_from(asdu, controls) {
            check::raise(out, check::CAUSE_NOT_ALLOWED, "iec104.cot", asdu.cause.into(), APCI + 2);
        }
    }

    fn command(
        &mut self,
        asdu: &Asdu<'_>,
        known: &'static Type,
        input: &Input<'_>,
        stations: &mut Stations,
        out: &mut dyn Records,
    ) {
        let asks = match asdu.cause {
            cause::ACTIVATION | cause::DEACTIVATION => true,
            // A read is answered by the object, and by nothing else.
            cause::REQUEST if !known.confirmed => true,
            cause::ACTIVATION_CONFIRMATION
            | cause::DEACTIVATION_CONFIRMATION
            | cause::ACTIVATION_TERMINATION
                if known.confirmed =>
            {
                false
            }
            44..=47 => false,
            _ => return,
        };
        let wrong_way = |control| (input.direction == control) != asks;
        if self.sure_control().is_some_and(wrong_way) && !self.settings.reverse {
            return;
        }
        let Hosts::Known(hosts) = self.hosts else { return };
        let control = if asks { input.direction } else { input.direction.opposite() };
        stations.take(hosts, asdu, &mut Met { control, ..self.met(input, out) });
    }

    fn met<'m>(&'m self, input: &Input<'_>, out: &'m mut dyn Records) -> Met<'m> {
        let control = self.control();
        let since = self.whole_since[control.index()];
        // What was asked before then is over by now.
        let memory = self.settings.confirm_time.max(self.settings.terminate_time);
        let complete = input.acknowledged != Acknowledged::Beyond;
        let certain = complete && input.time.since(since) > memory;
        let old = self.began.is_some_and(|began| input.time.since(began) > memory);
        let connection = match self.hosts {
            Hosts::Known(connection) => connection.number,
            Hosts::Unasked | Hosts::Unknown => 0,
        };
        let (send, receive) = numbers(input.bytes);
        let at = Numbered { connection, send, receive };
        let moment = Moment { time: input.time, exact: !input.late };
        let settings = &self.settings;
        Met { moment, control, settings, at, complete, certain, old, out }
    }
}

/// N(S) and N(R) of an APDU in format I.
fn numbers(apdu: &[u8]) -> (u16, u16) {
    let octets = apdu.get(PREFIX..).and_then(|octets| octets.first_chunk());
    match octets.map(|octets| Control::from_octets(*octets)) {
        Some(Control::I { send, receive }) => (send, receive),
        _ => (0, 0),
    }
}

/// Raises an anomaly of the link.
#[cold]
fn raise(violation: Violation, out: &mut dyn Records) {
    let Violation { event, place, value, detail } = violation;
    let value = Value::Integer(value as i64);
    let (field, offset) = match place {
        Place::Send => ("iec104.ns", Some(PREFIX)),
        Place::Receive => ("iec104.nr", Some(PREFIX + 2)),
        Place::Function => ("iec104.function", Some(PREFIX)),
        Place::Time => ("", None),
    };
    let offset = offset.map(|offset| offset as u64);
    out.emit(&Anomaly { field, value, offset, detail, ..Anomaly::in_message(NAME, event) });
}

const _: () = assert!(size_of::<Session>() <= 1024, "the state of an idle link has a limit");

#[cfg(test)]
#[path = "session_tests/mod.rs"]
mod tests;
