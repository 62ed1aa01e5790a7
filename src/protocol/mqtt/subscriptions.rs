//! What a client has subscribed to, and what it asked for and was not answered (clauses 3.8 to 3.11).

use std::collections::HashSet;
use std::num::NonZeroU16;

use super::few::Few;
use super::header::PacketType;
use super::packet::{Body, Packet};
use super::subscribe::Filters;

/// Octets of topic filters that are kept for one connection, of requests until they are answered, and
/// as many of subscriptions. Clients of a plant have a few, a collector a few hundred.
const KEPT: usize = 64 * 1024;

/// What a filter costs besides its octets: keeps many short ones from costing more than long ones.
const EACH: usize = 32;

type Set<T> = HashSet<T, foldhash::fast::RandomState>;

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    kind: PacketType,
    /// How many filters it has, if all of them could be read.
    count: Option<usize>,
    /// The filters, if there was room for them.
    block: Vec<u8>,
    with_options: bool,
}

impl Asked {
    /// Its topic filters, as far as they were kept.
    pub(super) fn filters(&self) -> Filters<'_> {
        Filters::of(&self.block, self.with_options)
    }

    /// How many filters it has: as many codes has its answer.
    pub(super) fn count(&self) -> Option<usize> {
        self.count
    }

    fn cost(&self) -> usize {
        EACH + self.block.capacity()
    }
}

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    asked: Few<Asked, 1>,
    /// Those that the broker granted and that are still held.
    held: Set<Box<[u8]>>,
    /// What the former and the latter take.
    asked_octets: usize,
    held_octets: usize,
    /// How many were granted, each once while it is held.
    granted: u64,
    /// Room for the filters of the next request: clients ask for the same again and again.
    spare: Vec<u8>,
}

impl Subscriptions {
    /// How many there were. What was not answered counts: the answer may not have been seen.
    pub(super) fn count(&self) -> u64 {
        let open = self.asked.values().filter(|asked| asked.kind == PacketType::Subscribe);
        self.granted + open.map(|asked| asked.filters().iter().count() as u64).sum::<u64>()
    }

    /// Takes a SUBSCRIBE or UNSUBSCRIBE with this identifier.
    pub(super) fn ask(&mut self, id: NonZeroU16, packet: &Packet<'_>) {
        let Body::Filters(filters) = packet.body else { return };
        if let Some(before) = self.asked.remove(id) {
            self.asked_octets -= before.cost();
        }
        let block = filters.block();
        let mut kept = std::mem::take(&mut self.spare);
        kept.clear();
        if self.asked_octets + EACH + block.len() <= KEPT {
            kept.extend_from_slice(block);
        }
        let asked = Asked {
            kind: packet.header.kind,
            count: filters.is_whole().then(|| filters.iter().count()),
            block: kept,
            with_options: packet.header.kind == PacketType::Subscribe,
        };
        // Where there is no room for filters there is still some for how many they are.
        if self.asked_octets + asked.cost() <= 2 * KEPT {
            self.asked_octets += asked.cost();
            self.asked.insert(id, asked);
        }
    }

    /// Takes a SUBACK or UNSUBACK: what it answers, and whether it has as many codes.
    pub(super) fn answer(&mut self, id: NonZeroU16, packet: &Packet<'_>) -> Option<Asked> {
        let answers = match packet.header.kind {
            PacketType::Suback => PacketType::Subscribe,
            _ => PacketType::Unsubscribe,
        };
        if self.asked.get(id)?.kind != answers {
            return None;
        }
        let asked = self.asked.remove(id)?;
        self.asked_octets -= asked.cost();
        let refused = |code: Option<u8>| code.is_some_and(|code| code >= 0x80);
        if asked.block.is_empty() && answers == PacketType::Subscribe {
            self.granted += packet.codes().filter(|code| !refused(Some(*code))).count() as u64;
        }
        // Before level 5 an UNSUBACK has no codes: all is granted.
        let mut codes = packet.codes();
        for subscription in asked.filters().iter() {
            if refused(codes.next()) {
                continue;
            }
            if answers == PacketType::Subscribe {
                self.hold(subscription.filter);
            } else {
                self.release(subscription.filter);
            }
        }
        Some(asked)
    }

    /// What was answered is no longer of interest.
    pub(super) fn done(&mut self, asked: Asked) {
        self.spare = asked.block;
    }

    fn hold(&mut self, filter: &[u8]) {
        if self.held.contains(filter) {
            return;
        }
        self.granted += 1;
        if self.held_octets + EACH + filter.len() <= KEPT {
            self.held_octets += EACH + filter.len();
            self.held.insert(filter.into());
        }
    }

    fn release(&mut self, filter: &[u8]) {
        if self.held.remove(filter) {
            self.held_octets -= EACH + filter.len();
        }
    }

    /// Answers may have been missed.
    pub(super) fn forget_asked(&mut self) {
        self.granted = self.count();
        self.asked_octets = 0;
        self.asked.clear();
    }
}
