//! Keeps the latest frames of every flow, and puts a case together when a rule fires.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::case::{Case, CasePacket, Interface, NAMED_ALERTS, Note, file_name, text};
use super::counters::KeeperCounters;
use super::hidden::{Hidden, SECRETS, Secret};
use super::store::{Kept, NONE, Store};
use super::{Limits, Options};
use crate::engine::{Place, Reading};
use crate::event::Event;
use crate::flow::Side;
use crate::packet::Frame;
use crate::rule::Rule;
use crate::time::Timestamp;

/// A case whose alerts go on and on takes so many times the packets and the time of one alert.
const LONGEST: u32 = 4;

/// How long all open cases may rest between two looks at them.
const PAUSE: Duration = Duration::from_millis(100);

/// Interfaces that are told apart by name.
const INTERFACES: usize = 1024;

/// Flows whose secrets are remembered before a frame of theirs is.
const TOLD: usize = 16;

/// A flow of which frames are kept, or a case is open.
#[derive(Debug)]
struct Slot {
    flow: u64,
    /// Its frames, if it has any.
    first: u32,
    last: u32,
    frames: u32,
    /// Frames that it ever had.
    total: u64,
    /// When its last case was opened.
    opened: Timestamp,
    /// What is not shown of it; `None` if all is.
    hidden: Option<Box<Hidden>>,
    case: Option<Box<Open>>,
}

impl Slot {
    const fn new(flow: u64, hidden: Option<Box<Hidden>>) -> Self {
        let (frames, total, opened, case) = (0, 0, Timestamp::ZERO, None);
        Self { flow, first: NONE, last: NONE, frames, total, opened, hidden, case }
    }

    /// How many frames it had before those that it has.
    fn gone(&self) -> u64 {
        self.total - u64::from(self.frames)
    }
}

/// A case that more packets are wanted for.
#[derive(Debug)]
struct Open {
    name: String,
    /// When the first alert was raised.
    since: Timestamp,
    /// Packets of later are not wanted.
    until: Timestamp,
    /// More packets that are wanted.
    wanted: u32,
    /// The [`Slot::total`] of its opening: frames from there on belong to it, however old.
    begin: u64,
    /// Packets are counted as [`Slot::total`] counts them.
    notes: Vec<(u64, Timestamp, String)>,
    more: u64,
}

impl Open {
    /// Whether no more is to be waited for. If the clock went back, none that is wanted will come.
    fn is_over(&self, now: Timestamp, limits: &Limits) -> bool {
        now > self.until || now + limits.before.max(limits.after) < self.since
    }
}

/// Keeps copies of frames by flow, in memory of a fixed size: at most so many of each flow, and of all
/// flows the latest. Belongs to a [`Sink`](crate::engine::Sink): hand on what it is told.
///
/// Does no I/O and reads no clock. Finished cases wait to be [taken](Self::take).
#[derive(Debug)]
pub struct Keeper {
    limits: Limits,
    hasher: RandomState,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    store: Store,
    interfaces: Vec<Interface>,
    /// The interface of the last frame.
    interface: u32,
    /// What flows without a slot told of their secrets.
    told: VecDeque<(u64, Box<Hidden>)>,
    /// The slot that was spoken of last: it stays even if it is empty.
    current: u32,
    /// Slots with open cases, in the order of opening.
    open: VecDeque<u32>,
    /// Alerts that they name.
    named: usize,
    /// When to look whether open cases are over.
    due: Timestamp,
    ready: VecDeque<Case>,
    ready_memory: usize,
    /// No frame will come: open cases end when they are taken.
    finished: bool,
    counters: KeeperCounters,
}

impl Keeper {
    /// A keeper for one of so many threads that share the memory.
    pub fn new(options: &Options, threads: usize) -> Self {
        let limits = options.limits(threads);
        // A slot, its place in the list of free ones and in the index, which is up to half empty.
        let slot = size_of::<Slot>() + size_of::<Hidden>() + 4 + 10;
        let secrets = if limits.frame_secrets > 0 { SECRETS + limits.frame_secrets } else { 0 };
        let slot = slot + secrets * size_of::<Secret>();
        let store = Store::new(limits.memory, slot);
        let flows = store.most_frames();
        Self {
            limits,
            hasher: RandomState::default(),
            index: HashTable::with_capacity(flows),
            slots: Vec::with_capacity(flows),
            free: Vec::with_capacity(flows),
            store,
            interfaces: Vec::new(),
            interface: NONE,
            told: VecDeque::new(),
            current: NONE,
            open: VecDeque::new(),
            named: 0,
            due: Timestamp::NEVER,
            ready: VecDeque::new(),
            ready_memory: 0,
            finished: false,
            counters: KeeperCounters::default(),
        }
    }

    /// The counters.
    pub fn counters(&self) -> KeeperCounters {
        let (frames, octets) = (self.store.len() as u64, self.store.octets() as u64);
        KeeperCounters { frames, octets, ..self.counters }
    }

    /// The next case that is finished.
    pub fn take(&mut self) -> Option<Case> {
        while self.finished && self.ready.is_empty() {
            let slot = self.open.pop_front()?;
            self.release(slot);
        }
        let case = self.ready.pop_front()?;
        self.ready_memory -= case.memory();
        Some(case)
    }

    /// Rules fired on an event: the name of the file that its packets will be in. It is the same
    /// file for all alerts of a flow within a few seconds. `None` if the event has no flow, or
    /// nothing of the flow is kept.
    pub fn alert<'r>(
        &mut self,
        event: &Event<'_>,
        fired: impl IntoIterator<Item = &'r Rule>,
    ) -> Option<&str> {
        let mut fired = fired.into_iter().peekable();
        fired.peek()?;
        let context = event.context;
        let Some(flow) = context.flow else {
            self.counters.without += fired.count() as u64;
            return None;
        };
        let now = context.timestamp;
        // Its frame will follow, if there is one.
        let of_frame = context.number != 0 || context.interface.is_some();
        let Some(slot) = self.open_case(flow.id, now, of_frame) else {
            self.counters.without += fired.count() as u64;
            return None;
        };
        let limits = self.limits;
        let slot = self.slots.get_mut(slot as usize)?;
        let open = slot.case.as_mut()?;
        for rule in fired {
            self.counters.alerts += 1;
            if open.notes.len() < NAMED_ALERTS && self.named < limits.alerts {
                self.named += 1;
                open.notes.push((slot.total, now, text(rule)));
            } else {
                open.more += 1;
            }
        }
        open.until = (now + limits.after).min(open.since + limits.after * LONGEST);
        open.wanted = limits.packets;
        Some(&open.name)
    }

    /// A frame of a flow; comes after what was told of its secrets and the alerts on it.
    #[inline]
    pub fn packet(&mut self, frame: &Frame<'_>, place: &Place) {
        let Some(slot) = self.slot(place.flow) else {
            self.counters.not_kept += 1;
            return;
        };
        self.turn_to(slot);
        if frame.timestamp > self.due {
            self.tick(frame.timestamp);
        }
        self.end_if_over(slot, frame.timestamp);
        self.hide(slot, place);
        if !self.make_room(slot, frame.data.len()) {
            self.counters.not_kept += 1;
            return;
        }
        let interface = self.interface(frame);
        let Some(of) = self.slots.get_mut(slot as usize) else { return };
        let about = (frame.timestamp, frame.wire_length, interface, slot);
        of.last = self.store.add(about, frame.data, of.last);
        if of.first == NONE {
            of.first = of.last;
        }
        of.frames += 1;
        of.total += 1;
        if of.case.is_some() {
            self.add_to_case(slot, frame.timestamp);
        }
    }

    /// Octets of a flow are secret.
    pub fn secret(&mut self, flow: u64, sender: Side, octets: Range<u32>) {
        if !self.limits.blank {
            return;
        }
        let per_frame = self.limits.frame_secrets;
        let most = SECRETS + per_frame;
        if let Some(slot) = self.find(flow) {
            self.turn_to(slot);
            if let Some(slot) = self.slots.get_mut(slot as usize) {
                let most = most + per_frame * slot.frames as usize;
                slot.hidden.get_or_insert_default().add(sender, octets, most);
            }
            return;
        }
        if let Some((_, hidden)) = self.told.iter_mut().find(|(of, _)| *of == flow) {
            return hidden.add(sender, octets, most);
        }
        if self.told.len() >= TOLD {
            self.told.pop_front();
        }
        let mut hidden = Box::<Hidden>::default();
        hidden.add(sender, octets, most);
        self.told.push_back((flow, hidden));
    }

    /// Ends the cases that nothing more is wanted for at this time.
    pub fn tick(&mut self, now: Timestamp) {
        let limits = self.limits;
        let over = |slot: &Slot| slot.case.as_ref().is_none_or(|open| open.is_over(now, &limits));
        for _ in 0..self.open.len() {
            let Some(slot) = self.open.pop_front() else { break };
            if self.slots.get(slot as usize).is_some_and(over) {
                self.release(slot);
            } else {
                self.open.push_back(slot);
            }
        }
        let cases =
            self.open.iter().filter_map(|slot| self.slots.get(*slot as usize)?.case.as_ref());
        let due = cases.map(|open| open.until).min();
        self.due = due.map_or(Timestamp::NEVER, |due| due.max(now + PAUSE));
    }

    /// No frame will come. Ends all cases, each when it is [taken](Self::take): there may be more of
    /// them than can wait.
    pub fn finish(&mut self) {
        self.finished = true;
        self.due = Timestamp::NEVER;
    }

    #[inline]
    fn find(&self, flow: u64) -> Option<u32> {
        let is_it = |slot: &u32| self.slots.get(*slot as usize).is_some_and(|at| at.flow == flow);
        self.index.find(self.hasher.hash_one(flow), is_it).copied()
    }

    /// The slot of a flow, a new one if it has none. There are fewer slots than frames have room for,
    /// and those without frames are few.
    #[inline]
    fn slot(&mut self, flow: u64) -> Option<u32> {
        match self.find(flow) {
            Some(slot) => Some(slot),
            None => self.new_slot(flow),
        }
    }

    fn new_slot(&mut self, flow: u64) -> Option<u32> {
        while self.index.len() >= self.store.most_frames() {
            if !self.drop_oldest() {
                return None;
            }
        }
        let told = self.told.iter().position(|(of, _)| *of == flow);
        let hidden = told.and_then(|told| self.told.remove(told)).map(|(_, hidden)| hidden);
        let new = Slot::new(flow, hidden);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.slots.len() as u32,
        };
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = new,
            None => self.slots.push(new),
        }
        let (hasher, slots) = (&self.hasher, &self.slots);
        let rehash =
            |slot: &u32| slots.get(*slot as usize).map_or(0, |at| hasher.hash_one(at.flow));
        self.index.insert_unique(hasher.hash_one(flow), slot, rehash);
        Some(slot)
    }

    /// This slot is spoken of now.
    #[inline]
    fn turn_to(&mut self, slot: u32) {
        let before = std::mem::replace(&mut self.current, slot);
        if before != slot {
            self.tidy(before);
        }
    }

    /// Gives a slot up if there is nothing in it.
    #[inline]
    fn tidy(&mut self, slot: u32) {
        let Some(of) = self.slots.get_mut(slot as usize) else { return };
        if of.frames > 0 || of.case.is_some() || slot == self.current {
            return;
        }
        of.hidden = None;
        let hash = self.hasher.hash_one(of.flow);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == slot) {
            entry.remove();
            self.free.push(slot);
        }
    }

    /// Notes how much of the flow was read with this frame.
    #[inline]
    fn hide(&mut self, slot: u32, place: &Place) {
        let blank = self.limits.blank;
        let Some(slot) = self.slots.get_mut(slot as usize) else { return };
        if place.reading == Reading::Open || !blank {
            slot.hidden = None;
            return;
        }
        slot.hidden.get_or_insert_default().read(place.sender, &place.reading);
    }

    /// Makes room for another frame of this flow. False if it is too long.
    #[inline]
    fn make_room(&mut self, slot: u32, octets: usize) -> bool {
        let most = self.limits.packets;
        let Some(of) = self.slots.get(slot as usize) else { return false };
        if of.case.is_none() && of.frames >= most {
            self.drop_first_of(slot);
        }
        while !self.store.has_room(octets) {
            if !self.drop_oldest() {
                return false;
            }
        }
        true
    }

    /// Drops the frame that was added first of all. A case that it is in ends now: rather without its
    /// end than without its beginning. False if there is no frame.
    #[cold]
    fn drop_oldest(&mut self) -> bool {
        let Some(slot) = self.store.oldest().and_then(|oldest| self.store.get(oldest)) else {
            return false;
        };
        let slot = slot.slot;
        self.counters.pushed_out += 1;
        let has_case = self.slots.get(slot as usize).is_some_and(|slot| slot.case.is_some());
        if has_case && slot != self.current {
            self.counters.cut_short += 1;
            self.end(slot);
        }
        // It may have gone with the case.
        self.drop_first_of(slot);
        self.tidy(slot);
        true
    }

    #[inline]
    fn drop_first_of(&mut self, slot: u32) {
        let Some(of) = self.slots.get_mut(slot as usize) else { return };
        let Some(kept) = self.store.remove(of.first) else { return };
        of.first = kept.next;
        of.frames -= 1;
        if of.first == NONE {
            of.last = NONE;
        }
    }

    #[inline]
    fn interface(&mut self, frame: &Frame<'_>) -> u32 {
        let is_it = |of: &Interface| of.link == frame.link && of.name.as_deref() == frame.interface;
        if self.interfaces.get(self.interface as usize).is_some_and(is_it) {
            return self.interface;
        }
        self.interface = match self.interfaces.iter().position(is_it) {
            Some(index) => index as u32,
            None => self.new_interface(frame),
        };
        self.interface
    }

    #[cold]
    fn new_interface(&mut self, frame: &Frame<'_>) -> u32 {
        let name = frame.interface.filter(|_| self.interfaces.len() < INTERFACES).map(Arc::from);
        let new = Interface { link: frame.link, name };
        let known = self.interfaces.iter().position(|interface| *interface == new);
        known.unwrap_or_else(|| {
            self.interfaces.push(new);
            self.interfaces.len() - 1
        }) as u32
    }

    /// The slot of a flow, with a case that is open at this time.
    fn open_case(&mut self, flow: u64, now: Timestamp, of_frame: bool) -> Option<u32> {
        let known = self.find(flow);
        if let Some(slot) = known {
            self.turn_to(slot);
            self.end_if_over(slot, now);
            if self.slots.get(slot as usize)?.case.is_some() {
                return known;
            }
        }
        let slot = if of_frame {
            self.slot(flow)?
        } else {
            known.filter(|slot| self.reaches_to(*slot, now))?
        };
        self.turn_to(slot);
        if self.open.len() >= self.limits.alerts
            && let Some(first) = self.open.pop_front()
        {
            self.counters.cut_short += 1;
            self.release(first);
        }
        let of = self.slots.get_mut(slot as usize)?;
        // Another case of the same moment has another name.
        let is_same = now <= of.opened && of.opened.since(now).as_micros() == 0;
        let moment = if is_same { of.opened.as_nanos() + 1 } else { now.as_nanos() };
        of.opened = Timestamp::from_nanos(moment);
        of.case = Some(Box::new(Open {
            name: file_name(of.opened, flow),
            since: now,
            until: now + self.limits.after,
            wanted: self.limits.packets,
            begin: of.total,
            notes: Vec::new(),
            more: 0,
        }));
        self.counters.cases += 1;
        self.open.push_back(slot);
        self.due = self.due.min(now + self.limits.after);
        Some(slot)
    }

    /// Whether a frame is kept that an alert of this time would show.
    fn reaches_to(&self, slot: u32, now: Timestamp) -> bool {
        let last = self.slots.get(slot as usize).and_then(|slot| self.store.get(slot.last));
        last.is_some_and(|last| last.timestamp + self.limits.before >= now)
    }

    /// A frame came for an open case.
    #[cold]
    fn add_to_case(&mut self, slot: u32, time: Timestamp) {
        let most = self.limits.packets.saturating_mul(1 + LONGEST);
        let Some(of) = self.slots.get_mut(slot as usize) else { return };
        let Some(open) = &mut of.case else { return };
        // An alert that a timer raised, before this frame came, belongs to the frame before.
        let this = of.total - 1;
        for (packet, raised, _) in &mut open.notes {
            if *packet == this && *raised != time {
                *packet = this.saturating_sub(1);
            }
        }
        open.wanted = open.wanted.saturating_sub(1);
        if open.wanted == 0 || of.frames >= most {
            self.end(slot);
        }
    }

    /// Ends the case of a slot if nothing more is wanted for it at this time.
    #[inline]
    fn end_if_over(&mut self, slot: u32, now: Timestamp) {
        let case = self.slots.get(slot as usize).and_then(|slot| slot.case.as_ref());
        if case.is_some_and(|open| open.is_over(now, &self.limits)) {
            self.end(slot);
        }
    }

    /// Ends the case of a slot.
    #[cold]
    fn end(&mut self, slot: u32) {
        self.open.retain(|open| *open != slot);
        self.release(slot);
    }

    /// Makes a case of what is kept, and goes on with as many frames as a flow without a case has.
    fn release(&mut self, slot: u32) {
        let Some(of) = self.slots.get_mut(slot as usize) else { return };
        let Some(open) = of.case.take() else { return };
        self.named -= open.notes.len();
        let case = case(&self.store, of, *open, &self.interfaces, self.limits);
        let excess = of.frames.saturating_sub(self.limits.packets);
        (0..excess).for_each(|_| self.drop_first_of(slot));
        self.tidy(slot);
        if self.ready_memory + case.memory() > self.limits.ready && !self.ready.is_empty() {
            self.counters.lost += 1;
            return;
        }
        self.ready_memory += case.memory();
        self.ready.push_back(case);
    }
}

/// Puts a case together.
fn case(store: &Store, slot: &Slot, open: Open, interfaces: &[Interface], limits: Limits) -> Case {
    let wanted: Vec<(u64, &Kept)> = (slot.gone()..)
        .zip(store.flow(slot.first).map(|(_, kept)| kept))
        .filter(|(number, kept)| {
            *number >= open.begin || kept.timestamp + limits.before >= open.since
        })
        .collect();
    let octets: usize = wanted.iter().map(|(_, kept)| kept.length as usize).sum();
    let mut case = Case {
        name: open.name,
        flow: slot.flow,
        interfaces: Vec::new(),
        octets: Vec::with_capacity(octets),
        packets: Vec::with_capacity(wanted.len()),
        notes: Vec::with_capacity(open.notes.len()),
        more: open.more,
    };
    for (_, kept) in &wanted {
        let Some(interface) = interfaces.get(kept.interface as usize) else { continue };
        let start = case.octets.len();
        store.copy(kept, &mut case.octets);
        if let (Some(hidden), Some(frame)) = (&slot.hidden, case.octets.get_mut(start..)) {
            hidden.blank(interface.link, frame);
        }
        let known = case.interfaces.iter().position(|of| of == interface);
        let place = known.unwrap_or_else(|| {
            case.interfaces.push(interface.clone());
            case.interfaces.len() - 1
        });
        case.packets.push(CasePacket {
            timestamp: kept.timestamp,
            wire_length: kept.wire_length,
            interface: place as u32,
            end: case.octets.len(),
        });
    }
    for (number, _, text) in open.notes {
        // The last one up to it: an alert that no frame came for was raised after all of them.
        let packet = wanted.iter().rposition(|(of, _)| *of <= number).unwrap_or_default();
        case.notes.push(Note { packet, text });
    }
    case
}
