//! The groups of one correlation, found by key, let go when they are over or for want of room.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::window::Window;

const NONE: u32 = u32::MAX;

/// Groups with their windows. One that is hit moves to the end of a list, so the list is in the order
/// of the last hits: what is over, and what goes when room is needed, stands in front.
#[derive(Debug, Default)]
pub(super) struct Groups {
    hasher: RandomState,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    first: Option<u32>,
    last: Option<u32>,
    /// Octets of keys and windows.
    octets: usize,
}

#[derive(Debug)]
struct Slot {
    group: Group,
    hash: u64,
    /// What is counted for it.
    octets: usize,
    previous: u32,
    next: u32,
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Box<[u8]>,
    pub(super) window: Window,
    /// When it was hit last.
    pub(super) hit: u64,
}

/// What a group costs besides its key and what its window takes elsewhere.
const EACH: usize = size_of::<Slot>() + 2 * size_of::<u32>() + 16;

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Octets that they take, roughly.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// The group with this key, which is hit `now`; if there is none, one with this window.
    pub(super) fn hit(&mut self, key: &[u8], now: u64, window: impl FnOnce() -> Window) -> u32 {
        let hash = self.hasher.hash_one(key);
        let place = match self.find(key, hash) {
            Some(place) => {
                self.unlink(place);
                place
            }
            None => self.add(key, hash, window()),
        };
        self.append(place);
        self.slots[place as usize].group.hit = now;
        place
    }

    /// Nothing waits any more in the group with this key, if there is one. It stays for a while: it
    /// may begin again at once.
    pub(super) fn end_waits(&mut self, key: &[u8]) {
        if let Some(place) = self.find(key, self.hasher.hash_one(key))
            && let Window::Waiting(waits) = &mut self.get_mut(place).window
        {
            waits.end();
            self.book(place);
        }
    }

    fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        let is_it = |place: &u32| *self.slots[*place as usize].group.key == *key;
        self.index.find(hash, is_it).copied()
    }

    fn add(&mut self, key: &[u8], hash: u64, window: Window) -> u32 {
        let group = Group { key: key.into(), window, hit: 0 };
        let slot = Slot { group, hash, octets: 0, previous: NONE, next: NONE };
        let place = self.free.pop().unwrap_or(self.slots.len() as u32);
        match self.slots.get_mut(place as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        let slots = &self.slots;
        self.index.insert_unique(hash, place, |place| slots[*place as usize].hash);
        place
    }

    /// The group at a place that [`hit`](Self::hit) returned, or [`first`](Self::first).
    pub(super) fn get_mut(&mut self, place: u32) -> &mut Group {
        &mut self.slots[place as usize].group
    }

    /// Notes what the group at this place takes now.
    pub(super) fn book(&mut self, place: u32) {
        let slot = &mut self.slots[place as usize];
        let octets = EACH + slot.group.key.len() + slot.group.window.octets();
        self.octets = self.octets + octets - slot.octets;
        slot.octets = octets;
    }

    /// The group that was hit longest ago, and when.
    pub(super) fn first(&self) -> Option<(u32, u64)> {
        let place = self.first?;
        Some((place, self.slots[place as usize].group.hit))
    }

    /// Lets a group go.
    pub(super) fn remove(&mut self, place: u32) {
        self.unlink(place);
        let slot = &mut self.slots[place as usize];
        self.octets -= slot.octets;
        let hash = slot.hash;
        slot.octets = 0;
        slot.group.key = Box::default();
        slot.group.window = Window::EMPTY;
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.free.push(place);
    }

    fn unlink(&mut self, place: u32) {
        let Slot { previous, next, .. } = self.slots[place as usize];
        match self.slots.get_mut(previous as usize) {
            Some(slot) => slot.next = next,
            None => self.first = Some(next).filter(|next| *next != NONE),
        }
        match self.slots.get_mut(next as usize) {
            Some(slot) => slot.previous = previous,
            None => self.last = Some(previous).filter(|previous| *previous != NONE),
        }
    }

    fn append(&mut self, place: u32) {
        let last = self.last.replace(place).unwrap_or(NONE);
        let slot = &mut self.slots[place as usize];
        (slot.previous, slot.next) = (last, NONE);
        match self.slots.get_mut(last as usize) {
            Some(slot) => slot.next = place,
            None => self.first = Some(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(groups: &mut Groups, key: &str, now: u64) -> u32 {
        let place = groups.hit(key.as_bytes(), now, || Window::EMPTY);
        groups.book(place);
        place
    }

    fn keys(groups: &mut Groups) -> Vec<String> {
        let mut keys = Vec::new();
        while let Some((place, _)) = groups.first() {
            keys.push(String::from_utf8(groups.get_mut(place).key.to_vec()).unwrap());
            groups.remove(place);
        }
        keys
    }

    #[test]
    fn those_hit_longest_ago_stand_in_front() {
        let mut groups = Groups::default();
        for (now, key) in ["a", "b", "c", "a", "d", "b"].into_iter().enumerate() {
            hit(&mut groups, key, now as u64);
        }
        assert_eq!(groups.len(), 4);
        assert_eq!(keys(&mut groups), ["c", "a", "d", "b"]);
        assert_eq!((groups.len(), groups.octets()), (0, 0));
        hit(&mut groups, "e", 9);
        assert_eq!(groups.slots.len(), 4, "places are used again");
        assert_eq!(keys(&mut groups), ["e"]);
    }
}
