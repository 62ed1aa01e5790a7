//! What a person wants to know of a station when a flow is over.

use super::apci::Apdu;
use super::cause;
use super::detect::sender;
use super::types::Purpose;
use crate::event::Value;
use crate::flow::Direction;
use crate::protocol::{Fact, Role};

/// All names that [`Facts::tell`] tells something under, in the order in which people read them.
pub(super) const NAMES: &[&str] =
    &["common address", "I-frames sent", "I-frames received", "objects reported", "commands"];

/// The most common addresses that are kept of a flow: a sweep over all 65,534 of them must not
/// take memory.
const ADDRESSES: usize = 64;

/// Counters and addresses of one flow.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// I-frames by direction.
    i_frames: [u64; 2],
    /// Information objects that reported the process.
    objects: u64,
    /// Commands that were activated.
    commands: u64,
    /// Stations that spoke.
    speaking: Addresses,
    /// Stations that were spoken to.
    addressed: Addresses,
}

impl Facts {
    /// Takes note of one APDU.
    #[inline]
    pub(super) fn note(&mut self, direction: Direction, apdu: &Apdu<'_>) {
        let Some(asdu) = &apdu.asdu else { return };
        self.i_frames[direction.index()] += 1;
        match asdu.known.map(|known| known.purpose) {
            Some(Purpose::Process) => self.objects += u64::from(asdu.count),
            Some(Purpose::Command) if asdu.cause == cause::ACTIVATION => self.commands += 1,
            _ => {}
        }
        if asdu.common_address == asdu.widths.broadcast() {
            return;
        }
        match sender(asdu) {
            // Nobody may have this address: the answer says no, or just that.
            Some(Role::Server) if asdu.negative || asdu.cause == cause::UNKNOWN_COMMON_ADDRESS => {}
            Some(Role::Server) => self.speaking.insert(asdu.common_address),
            _ => self.addressed.insert(asdu.common_address),
        }
    }

    /// Tells them.
    pub(super) fn tell(&self, tell: &mut dyn FnMut(&'static str, Fact<'_>)) {
        // Who was only spoken to matters where the answers were not captured.
        let heard = if self.speaking.is_empty() { &self.addressed } else { &self.speaking };
        for address in heard.iter() {
            tell("common address", Fact::Member(Value::Integer(address.into())));
        }
        let [received, sent] = self.i_frames;
        tell("I-frames sent", Fact::Count(sent));
        tell("I-frames received", Fact::Count(received));
        tell("objects reported", Fact::Count(self.objects));
        tell("commands", Fact::Count(self.commands));
    }
}

/// The first common addresses that were met, each once.
#[derive(Debug, Clone, Default)]
struct Addresses {
    /// The two that were met last, which are nearly always the next.
    last: [Option<u16>; 2],
    members: Vec<u16>,
}

impl Addresses {
    #[inline]
    fn insert(&mut self, address: u16) {
        if !self.last.contains(&Some(address)) {
            self.last = [Some(address), self.last[0]];
            self.insert_new(address);
        }
    }

    #[cold]
    fn insert_new(&mut self, address: u16) {
        if self.members.len() < ADDRESSES && !self.members.contains(&address) {
            self.members.push(address);
        }
    }

    fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.members.iter().copied()
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_over_all_addresses_keeps_the_first() {
        let mut addresses = Addresses::default();
        for address in 0..=u16::MAX {
            addresses.insert(address);
            addresses.insert(address / 2);
        }
        let kept: Vec<u16> = addresses.iter().collect();
        let expected: Vec<u16> = (0..ADDRESSES as u16).collect();
        assert_eq!(kept, expected);
    }
}
