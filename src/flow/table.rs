//! The flows that are alive, found by key, ended by packet time or for want of room.
//!
//! Flows of one [`Lifetime`] stand in a list, the one seen longest ago first. To keep a packet
//! cheap, a flow moves to the end of its list only now and then ([`RELIST`]): the lists are in
//! order to within a few seconds, which is how exact "least recently" is. Deadlines are exact all the
//! same: [`FlowTable::find`] decides them when a packet comes.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{CommunityId, Connection, FlowKey, Side};
use crate::time::Timestamp;

/// How long a flow may be silent. In the order in which flows go when room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// TCP, both ends are done.
    Closed,
    /// TCP, SYN only.
    HalfOpen,
    /// No TCP.
    Datagram,
    /// TCP.
    Established,
    /// TCP with a protocol that we know, whose links are silent for hours and still alive.
    Application,
}

/// How long flows may be silent, by [`Lifetime`].
#[derive(Debug, Clone, Copy)]
pub struct Timeouts(pub [Duration; 5]);

impl Default for Timeouts {
    fn default() -> Self {
        Self([10, 60, 60, 3600, 24 * 3600].map(Duration::from_secs))
    }
}

const NONE: u32 = u32::MAX;

/// When a flow was put at the end of its list, in steps of 2^30 ns, about a second: fine enough
/// for [`RELIST`], and cheap to come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Listed(u32);

/// A flow moves to the end of its list once in about four seconds.
const RELIST: u32 = 4;

impl Listed {
    const SHIFT: u32 = 30;

    #[inline]
    const fn at(time: Timestamp) -> Self {
        let steps = time.as_nanos() >> Self::SHIFT;
        Self(if steps < u32::MAX as u64 { steps as u32 } else { u32::MAX })
    }

    /// The end of the step: never before the moment that it was made of.
    const fn end(self) -> Timestamp {
        match self.0 {
            // Beyond the year 2116 all moments are in one step.
            u32::MAX => Timestamp::NEVER,
            steps => Timestamp::from_nanos((steps as u64 + 1) << Self::SHIFT),
        }
    }

    #[inline]
    const fn is_long_ago(self, now: Timestamp) -> bool {
        Self::at(now).0 >= self.0.saturating_add(RELIST)
    }
}

/// Where a flow stands in its list.
#[derive(Debug, Clone, Copy)]
struct Links {
    previous: u32,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// A flow, with what the application layer keeps of it. In the order in which a packet touches the
/// fields, whole cache lines together: with thousands of flows, waiting for them is what costs.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Flow<A> {
    /// Who talks to whom.
    pub key: FlowKey,
    /// Time of the last packet.
    pub last_seen: Timestamp,
    /// When it was put at the end of its list.
    listed: Listed,
    /// Which list that is.
    lifetime: Lifetime,
    /// The end that opened it, or is taken for it.
    pub client: Side,
    /// For TCP.
    pub connection: Connection,
    /// What the application layer keeps.
    pub app: A,
    /// Packets by the [`Side`] that sent them.
    pub packets: [u64; 2],
    /// Octets of the frames, by sender.
    pub bytes: [u64; 2],
    links: Links,
    /// The same in all records of the flow; below 2^51, so that JSON readers keep it exact.
    pub id: u64,
    /// Time of the first packet.
    pub first_seen: Timestamp,
    /// The name of the flow in other tools.
    pub community_id: CommunityId,
}

impl<A> Flow<A> {
    /// How long it may be silent.
    #[inline]
    pub const fn lifetime(&self) -> Lifetime {
        self.lifetime
    }
}

/// What [`FlowTable::find`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The flow at this index.
    Alive(u32),
    /// The flow at this index was silent for too long: it has ended.
    Expired(u32),
    /// Nothing.
    Unknown,
}

/// All flows.
#[derive(Debug)]
pub struct FlowTable<A> {
    hasher: RandomState,
    index: HashTable<u32>,
    flows: Vec<Option<Flow<A>>>,
    free: Vec<u32>,
    lists: [List; 5],
    timeouts: Timeouts,
    limit: usize,
}

impl<A> FlowTable<A> {
    /// An empty table for `limit` flows.
    pub fn new(limit: usize, timeouts: Timeouts) -> Self {
        Self {
            hasher: RandomState::default(),
            index: HashTable::new(),
            flows: Vec::new(),
            free: Vec::new(),
            lists: [List { first: NONE, last: NONE }; 5],
            timeouts,
            limit: limit.clamp(1, NONE as usize - 1),
        }
    }

    /// Number of flows.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Whether one has to go before another comes.
    pub fn is_full(&self) -> bool {
        self.index.len() >= self.limit
    }

    /// The flow at `index`.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut Flow<A>> {
        self.flows.get_mut(index as usize)?.as_mut()
    }

    /// Looks for the flow with `key`.
    #[inline]
    pub fn find(&self, key: &FlowKey, now: Timestamp) -> Found {
        let hash = self.hasher.hash_one(key);
        let is_it = |index: &u32| self.at(*index).is_some_and(|flow| flow.key == *key);
        let Some(index) = self.index.find(hash, is_it) else { return Found::Unknown };
        match self.at(*index) {
            Some(flow) if self.deadline(flow) > now => Found::Alive(*index),
            _ => Found::Expired(*index),
        }
    }

    /// Adds a flow that began `now`; there must be none with this key. The caller has made room.
    /// `tenant` is what the flow's identifier has of it ([`Tenants::number`](super::Tenants::number)).
    pub fn insert(
        &mut self,
        key: FlowKey,
        tenant: u64,
        client: Side,
        now: Timestamp,
        lifetime: Lifetime,
        app: A,
    ) -> u32 {
        let flow = Flow {
            key,
            client,
            first_seen: now,
            last_seen: now,
            packets: [0; 2],
            bytes: [0; 2],
            connection: Connection::default(),
            app,
            id: flow_id(key, tenant, now),
            community_id: CommunityId::default(),
            listed: Listed::at(now),
            lifetime,
            links: Links { previous: NONE, next: NONE },
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            (self.flows.len() - 1) as u32
        });
        if let Some(slot) = self.flows.get_mut(index as usize) {
            *slot = Some(flow);
        }
        let (hasher, flows) = (&self.hasher, &self.flows);
        let rehash = |index: &u32| match flows.get(*index as usize) {
            Some(Some(flow)) => hasher.hash_one(flow.key),
            _ => 0,
        };
        self.index.insert_unique(hasher.hash_one(key), index, rehash);
        self.append(index, lifetime, now);
        index
    }

    /// The flow at `index` was seen `now` and has this lifetime from here on.
    #[inline]
    pub fn touch(&mut self, index: u32, now: Timestamp, lifetime: Lifetime) {
        let Some(flow) = self.get_mut(index) else { return };
        flow.last_seen = flow.last_seen.max(now);
        if flow.lifetime != lifetime || flow.listed.is_long_ago(now) {
            self.unlink(index);
            self.append(index, lifetime, now);
        }
    }

    /// Takes the flow at `index` out.
    pub fn remove(&mut self, index: u32) -> Option<Flow<A>> {
        let hash = self.hasher.hash_one(self.at(index)?.key);
        self.unlink(index);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == index) {
            entry.remove();
        }
        self.free.push(index);
        self.flows.get_mut(index as usize)?.take()
    }

    /// Finds a flow that was silent for too long: of those in front of the lists the one whose time
    /// came first, so that flows end in the order of time, to within a few seconds.
    pub fn expired(&mut self, now: Timestamp) -> Option<u32> {
        let mut earliest: Option<(Timestamp, u32)> = None;
        for list in 0..self.lists.len() {
            while let Some(first) = self.at(self.lists[list].first) {
                let deadline = self.deadline(first);
                if deadline <= now {
                    let found = (deadline, self.lists[list].first);
                    earliest = Some(earliest.map_or(found, |earliest| earliest.min(found)));
                    break;
                }
                let lifetime = first.lifetime;
                if first.listed.end() + self.timeouts.0[list] > now {
                    break;
                }
                // Seen again since it was listed: its turn is later.
                let (index, seen) = (self.lists[list].first, first.last_seen);
                self.unlink(index);
                self.append(index, lifetime, seen);
            }
        }
        earliest.map(|(_, index)| index)
    }

    /// The flow to give up for want of room: of those that go first, the one seen longest ago.
    pub fn least_worth(&self) -> Option<u32> {
        self.lists.iter().map(|list| list.first).find(|first| *first != NONE)
    }

    /// The flows, those with the longest lifetime first, of one lifetime those seen last first.
    pub fn latest(&self) -> impl Iterator<Item = &Flow<A>> {
        self.lists.iter().rev().flat_map(|list| {
            std::iter::successors(self.at(list.last), |flow| self.at(flow.links.previous))
        })
    }

    /// Every flow's index, those that began first in front.
    pub fn by_age(&self) -> Vec<u32> {
        let mut all: Vec<_> = self
            .flows
            .iter()
            .enumerate()
            .filter_map(|(index, flow)| {
                flow.as_ref().map(|flow| (flow.first_seen, flow.id, index as u32))
            })
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(.., index)| index).collect()
    }

    #[inline]
    fn at(&self, index: u32) -> Option<&Flow<A>> {
        self.flows.get(index as usize)?.as_ref()
    }

    /// When a flow ends if nothing more comes.
    #[inline]
    pub fn deadline(&self, flow: &Flow<A>) -> Timestamp {
        flow.last_seen + self.timeouts.0[flow.lifetime as usize]
    }

    fn links_mut(&mut self, index: u32) -> Option<&mut Links> {
        self.get_mut(index).map(|flow| &mut flow.links)
    }

    fn unlink(&mut self, index: u32) {
        let Some(flow) = self.get_mut(index) else { return };
        let (Links { previous, next }, lifetime) = (flow.links, flow.lifetime);
        match self.links_mut(previous) {
            Some(links) => links.next = next,
            None => self.lists[lifetime as usize].first = next,
        }
        match self.links_mut(next) {
            Some(links) => links.previous = previous,
            None => self.lists[lifetime as usize].last = previous,
        }
    }

    fn append(&mut self, index: u32, lifetime: Lifetime, now: Timestamp) {
        let last = std::mem::replace(&mut self.lists[lifetime as usize].last, index);
        if let Some(flow) = self.get_mut(index) {
            flow.links = Links { previous: last, next: NONE };
            (flow.lifetime, flow.listed) = (lifetime, Listed::at(now));
        }
        match self.links_mut(last) {
            Some(links) => links.next = index,
            None => self.lists[lifetime as usize].first = index,
        }
    }
}

/// Not seeded: the same capture gives the same identifiers everywhere.
fn flow_id(key: FlowKey, tenant: u64, first_seen: Timestamp) -> u64 {
    let state = foldhash::fast::FixedState::with_seed(0);
    let key = key.without_tenant();
    let hash = match tenant {
        0 => state.hash_one((key, first_seen)),
        tenant => state.hash_one((key, first_seen, tenant)),
    };
    hash >> 13
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> FlowKey {
        FlowKey::new([([10, 0, 0, 1].into(), n), ([10, 0, 0, 2].into(), 2404)], [0; 2], 6)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn table(limit: usize) -> FlowTable<u16> {
        FlowTable::new(limit, Timeouts::default())
    }

    fn insert(table: &mut FlowTable<u16>, n: u16, now: u64, lifetime: Lifetime) -> u32 {
        table.insert(key(n), 0, Side::Lower, at(now), lifetime, n)
    }

    #[test]
    fn a_flow_is_found_until_its_deadline_and_not_after() {
        let mut table = table(10);
        let flow = insert(&mut table, 1, 100, Lifetime::HalfOpen);
        assert_eq!(table.find(&key(1), at(159)), Found::Alive(flow));
        assert_eq!(table.find(&key(1), at(160)), Found::Expired(flow));
        assert_eq!(table.find(&key(2), at(100)), Found::Unknown);
        assert_eq!(table.remove(flow).map(|flow| flow.app), Some(1));
        assert_eq!(table.find(&key(1), at(100)), Found::Unknown);
    }

    #[test]
    fn flows_expire_in_time_however_often_they_were_touched() {
        let mut table = table(10);
        let early = insert(&mut table, 1, 100, Lifetime::HalfOpen);
        let late = insert(&mut table, 2, 100, Lifetime::HalfOpen);
        table.touch(late, at(100) + Duration::from_millis(900), Lifetime::HalfOpen);
        assert_eq!(table.expired(at(159)), None);
        assert_eq!(table.expired(at(160)), Some(early));
        table.remove(early);
        assert_eq!(table.expired(at(160)), None);
        assert_eq!(table.expired(at(161)), Some(late));
    }

    #[test]
    fn flows_of_different_lifetimes_end_in_the_order_of_time() {
        let mut table = table(10);
        let long = insert(&mut table, 1, 100, Lifetime::Datagram);
        let short = insert(&mut table, 2, 190, Lifetime::Closed);
        let middle = insert(&mut table, 3, 120, Lifetime::HalfOpen);
        // Nothing came for a while: all are over at 160, 180 and 200 s.
        for expected in [long, middle, short] {
            assert_eq!(table.expired(at(500)), Some(expected));
            table.remove(expected);
        }
        assert_eq!(table.expired(at(500)), None);
    }

    #[test]
    fn moments_of_the_far_future_expire_too() {
        let mut table = table(10);
        let flow = insert(&mut table, 1, 1_700_000_000, Lifetime::HalfOpen);
        let late = 5_700_000_000;
        assert_eq!(table.expired(at(late)), Some(flow));
        table.touch(flow, at(late), Lifetime::HalfOpen);
        assert_eq!(table.expired(at(late + 1)), None);
        assert_eq!(table.find(&key(1), at(late + 60)), Found::Expired(flow));
    }

    #[test]
    fn known_protocols_are_the_last_to_go_for_want_of_room() {
        let mut table = table(3);
        let known = insert(&mut table, 1, 100, Lifetime::Application);
        let plain = insert(&mut table, 2, 200, Lifetime::Established);
        let half_open = insert(&mut table, 3, 300, Lifetime::HalfOpen);
        assert!(table.is_full());
        for expected in [half_open, plain, known] {
            assert_eq!(table.least_worth(), Some(expected));
            table.remove(expected);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn identifiers_are_stable_and_exact_in_json() {
        let id = flow_id(key(1), 0, at(1));
        assert_eq!(id, flow_id(key(1), 0, at(1)));
        assert_ne!(id, flow_id(key(1), 0, at(2)));
        assert_ne!(id, flow_id(key(1), 7, at(1)));
        // The hash in the key is another in each process.
        assert_eq!(id, flow_id(key(1).with_tenant(1 << 60), 0, at(1)));
        assert!(id < 1 << 51);
    }

    /// Against a plain map: the same flows are alive, whatever was done.
    #[test]
    fn agrees_with_a_map() {
        let mut table = table(100);
        let mut model = std::collections::BTreeMap::new();
        let mut random = 1_u32;
        for step in 0..20_000_u64 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let n = (random >> 16) as u16 % 150;
            let now = step / 50;
            while let Some(index) = table.expired(at(now)) {
                let flow = table.remove(index).unwrap();
                let seen = model.remove(&flow.app).unwrap();
                assert!(seen + 60 <= now, "{} ended {} s early", flow.app, seen + 60 - now);
            }
            match table.find(&key(n), at(now)) {
                Found::Alive(index) if random.is_multiple_of(8) => {
                    table.remove(index);
                    model.remove(&n);
                }
                Found::Alive(index) => {
                    table.touch(index, at(now), Lifetime::HalfOpen);
                    model.insert(n, now);
                }
                Found::Expired(index) => panic!("{index} should have ended at the tick"),
                Found::Unknown => {
                    assert!(!model.contains_key(&n));
                    if table.is_full() {
                        let flow = table.remove(table.least_worth().unwrap()).unwrap();
                        model.remove(&flow.app);
                    }
                    insert(&mut table, n, now, Lifetime::HalfOpen);
                    model.insert(n, now);
                }
            }
            assert_eq!(table.len(), model.len());
        }
        assert_eq!(table.by_age().len(), model.len());
    }
}
