//! The topic aliases of one direction (clause 3.3.2.3.4).

use std::collections::HashMap;

use super::packet::{Body, Packet};
use super::violation::{Report, Violation};
use crate::event::Value;

/// Octets that the aliases of one direction of a flow take: a thousand, with topics of thirty.
const KEPT: usize = 64 * 1024;

/// What an alias costs besides its topic: keeps many short topics from costing more than long ones.
const EACH: usize = 32;

/// A topic that has an alias.
#[derive(Debug)]
struct Topic {
    name: Box<[u8]>,
    /// The count of holes when it was set.
    holes: u32,
}

/// Which topic each alias stands for.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    topics: HashMap<u16, Topic, foldhash::fast::RandomState>,
    octets: usize,
    forgetful: bool,
    /// How often octets were missed in which an alias may have been set.
    holes: u32,
}

impl Aliases {
    /// From now on `alias` stands for `topic`. A topic for which there is no room is forgotten.
    fn set(&mut self, alias: u16, topic: &[u8]) {
        let holes = self.holes;
        if let Some(known) = self.topics.get_mut(&alias)
            && *known.name == *topic
        {
            known.holes = holes;
            return;
        }
        if let Some(known) = self.topics.remove(&alias) {
            self.octets -= EACH + known.name.len();
        }
        if self.octets + EACH + topic.len() > KEPT {
            self.forgetful = true;
            return;
        }
        self.octets += EACH + topic.len();
        self.topics.insert(alias, Topic { name: topic.into(), holes });
    }

    /// What `alias` stands for, and whether it may have been set to something else since.
    fn get(&self, alias: u16) -> Option<(&[u8], bool)> {
        let topic = self.topics.get(&alias)?;
        Some((&topic.name, topic.holes != self.holes))
    }

    /// Octets were missed: any alias may have been set in them.
    pub(super) fn doubt(&mut self) {
        self.holes = self.holes.wrapping_add(1);
    }
}

/// Sets the alias of a PUBLISH or looks it up. `whole` says whether all of its direction was seen.
pub(super) fn resolve<'a>(
    aliases: &'a mut Option<Box<Aliases>>,
    alias: u16,
    packet: &mut Packet<'a>,
    whole: bool,
    found: &mut dyn Report,
) {
    let Body::Publish(publish) = &mut packet.body else { return };
    let value = Value::Integer(alias.into());
    if alias == 0 {
        return found.report(Violation::AliasZero, "topic_alias", value, 0);
    }
    let aliases = aliases.get_or_insert_default();
    match publish.topic {
        Some([]) => {}
        Some(topic) => return aliases.set(alias, topic),
        None => return,
    }
    match aliases.get(alias) {
        Some((topic, doubtful)) => {
            (publish.aliased, publish.doubtful) = (Some(topic), doubtful);
        }
        None if whole && !aliases.forgetful => {
            found.report(Violation::AliasUnknown, "topic_alias", value, 0);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_can_be_set_again() {
        let mut aliases = Aliases::default();
        aliases.set(1, b"a");
        aliases.set(1, b"bc");
        aliases.set(2, b"d");
        assert_eq!(aliases.get(1), Some((&b"bc"[..], false)));
        assert_eq!(aliases.get(3), None);
        assert_eq!(aliases.octets, 2 * EACH + 3);
    }

    #[test]
    fn behind_a_hole_an_alias_is_doubtful_until_it_is_set_again() {
        let mut aliases = Aliases::default();
        aliases.set(1, b"a");
        aliases.doubt();
        assert_eq!(aliases.get(1), Some((&b"a"[..], true)));
        aliases.set(1, b"a");
        assert_eq!(aliases.get(1), Some((&b"a"[..], false)));
    }

    #[test]
    fn memory_is_bounded_and_the_loss_is_known() {
        let mut aliases = Aliases::default();
        for alias in 1..=u16::MAX {
            aliases.set(alias, b"a");
        }
        assert!(aliases.octets <= KEPT && aliases.topics.len() <= KEPT / EACH);
        assert!(aliases.forgetful);
        assert_eq!(aliases.get(u16::MAX), None);
    }
}
