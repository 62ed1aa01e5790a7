//! What is known of stations beyond a connection.
//!
//! A station is known by the host that calls and the service that it calls, whatever connections
//! they have and however often they open them anew; a redundant control centre is another pair. All
//! is bounded: pairs, commands of a pair, and the points that are remembered as selected.

use std::collections::{HashMap, VecDeque};

use super::asdu::{Asdu, Widths};
use super::cause;
use super::command::Command;
use super::pair::{Met, Pair, Scratch};
use super::settings::Configured;
use crate::event::Records;
use crate::flow::{Direction, FlowKey};
use crate::time::Timestamp;

/// Pairs of hosts that anything is remembered of.
const PAIRS: usize = 131_072;
/// Points that are remembered as selected, of all pairs.
const SELECTED: usize = 262_144;

/// What the links of an engine share.
#[derive(Debug, Default)]
pub(super) struct Stations {
    /// What is configured for them.
    pub(super) configured: Configured,
    by_hosts: HashMap<FlowKey, u32>,
    pairs: Vec<Pair>,
    /// How many connections there were.
    connections: u32,
    /// When the first command of each pair is due: apart, as it is looked at for every APDU.
    due: Vec<Timestamp>,
    /// Pairs without a connection, the longest first.
    idle: VecDeque<u32>,
    /// Points that are remembered as selected, of all pairs.
    selected: usize,
    /// Of hosts whose ASDUs are not as wide as the standard's.
    narrow: HashMap<FlowKey, Widths>,
    scratch: Scratch,
}

/// A connection, and the way to what is known of its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Connection {
    pair: u32,
    /// Its own number among all connections, to tell two apart.
    pub(super) number: u32,
}

impl Stations {
    /// What is known of these hosts, from now on with one connection more. `None` where nothing
    /// more can be remembered.
    pub(super) fn connect(&mut self, hosts: FlowKey) -> Option<Connection> {
        self.connections = self.connections.wrapping_add(1);
        let number = self.connections;
        if let Some(index) = self.by_hosts.get(&hosts) {
            let pair = self.pairs.get_mut(*index as usize)?;
            pair.connections += 1;
            return Some(Connection { pair: *index, number });
        }
        let index = self.free_place(hosts)?;
        self.by_hosts.insert(hosts, index);
        Some(Connection { pair: index, number })
    }

    /// A place for two hosts: a new one, or that of the pair that has been without a connection
    /// for longest.
    fn free_place(&mut self, hosts: FlowKey) -> Option<u32> {
        if self.pairs.len() < PAIRS {
            self.pairs.push(Pair::new(hosts));
            self.due.push(Timestamp::NEVER);
            return Some(self.pairs.len() as u32 - 1);
        }
        while let Some(index) = self.idle.pop_front() {
            let pair = self.pairs.get_mut(index as usize)?;
            pair.queued = false;
            if pair.connections == 0 {
                self.selected -= pair.selected();
                self.by_hosts.remove(&pair.hosts);
                *pair = Pair::new(hosts);
                self.look_when_due(index);
                return Some(index);
            }
        }
        None
    }

    /// How the ASDUs of two hosts are divided, if that is not as in the standard.
    pub(super) fn narrow_widths(&self, hosts: &FlowKey) -> Option<Widths> {
        self.narrow.get(hosts).copied()
    }

    /// Remembers it for connections to come.
    pub(super) fn remember_widths(&mut self, hosts: FlowKey, widths: Widths) {
        if self.narrow.len() < PAIRS {
            self.narrow.insert(hosts, widths);
        }
    }

    /// A connection is over. With the last one, what is under way is told as it stands: nobody
    /// knows whether another will come.
    pub(super) fn disconnect(
        &mut self,
        connection: Connection,
        control: Direction,
        out: &mut dyn Records,
    ) {
        let Some(pair) = self.pairs.get_mut(connection.pair as usize) else { return };
        pair.connections -= 1;
        if pair.connections > 0 {
            return;
        }
        pair.tell_open(control, out);
        if !std::mem::replace(&mut pair.queued, true) {
            self.idle.push_back(connection.pair);
        }
    }

    /// Octets of a connection were missed: they may have held any answer.
    pub(super) fn doubt(&mut self, connection: Connection) {
        if let Some(pair) = self.pairs.get_mut(connection.pair as usize) {
            pair.doubt();
        }
    }

    /// Tells of what is due.
    #[inline]
    pub(super) fn expire(
        &mut self,
        connection: Connection,
        now: Timestamp,
        control: Direction,
        out: &mut dyn Records,
    ) {
        if self.due.get(connection.pair as usize).is_some_and(|due| *due < now)
            && let Some(pair) = self.pairs.get_mut(connection.pair as usize)
        {
            pair.expire(now, control, &mut self.scratch, out);
            self.look_when_due(connection.pair);
        }
    }

    fn look_when_due(&mut self, pair: u32) {
        let index = pair as usize;
        if let (Some(pair), Some(due)) = (self.pairs.get(index), self.due.get_mut(index)) {
            *due = pair.due();
        }
    }

    /// A command from the controlling station, or what answers one: `known` is such a type.
    pub(super) fn take(&mut self, connection: Connection, asdu: &Asdu<'_>, met: &mut Met<'_>) {
        let Some(known) = asdu.known else { return };
        let Some(command) = Command::of(asdu, known) else { return };
        let Some(pair) = self.pairs.get_mut(connection.pair as usize) else { return };
        let scratch = &mut self.scratch;
        match asdu.cause {
            cause::ACTIVATION => {
                let room = self.selected < SELECTED;
                let before = pair.selected();
                pair.activate(&command, room, scratch, met);
                self.selected += pair.selected() - before;
            }
            cause::REQUEST => pair.activate(&command, false, scratch, met),
            cause::DEACTIVATION => pair.deactivate(&command, scratch, met),
            _ => pair.answer(&command, asdu.cause, asdu.widths, scratch, met),
        }
        self.look_when_due(connection.pair);
    }

    /// Objects that answer an interrogation or a read.
    pub(super) fn objects(&mut self, connection: Connection, asdu: &Asdu<'_>, met: &mut Met<'_>) {
        let Some(pair) = self.pairs.get_mut(connection.pair as usize) else { return };
        if asdu.cause == cause::REQUEST {
            for answer in asdu.objects().filter_map(|object| Command::read(asdu, &object)) {
                pair.answer_read(&answer, asdu.widths, &mut self.scratch, met);
            }
            return self.look_when_due(connection.pair);
        }
        pair.answer_interrogation(asdu);
    }
}
