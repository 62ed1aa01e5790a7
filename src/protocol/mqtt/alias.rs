//! The topic aliases of one direction (clause 3.3.2.3.4).

use std::collections::HashMap;

/// Octets of topics that are kept for one direction of a flow.
const KEPT: usize = 64 * 1024;

/// Which topic each alias stands for.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    topics: HashMap<u16, Box<[u8]>, foldhash::fast::RandomState>,
    octets: usize,
    forgetful: bool,
}

impl Aliases {
    /// From now on `alias` stands for `topic`. A topic for which there is no room is forgotten.
    pub(super) fn set(&mut self, alias: u16, topic: &[u8]) {
        if self.topics.get(&alias).is_some_and(|known| **known == *topic) {
            return;
        }
        if let Some(known) = self.topics.remove(&alias) {
            self.octets -= known.len();
        }
        if self.octets + topic.len() > KEPT {
            self.forgetful = true;
            return;
        }
        self.octets += topic.len();
        self.topics.insert(alias, topic.into());
    }

    /// What `alias` stands for.
    pub(super) fn get(&self, alias: u16) -> Option<&[u8]> {
        self.topics.get(&alias).map(AsRef::as_ref)
    }

    /// Whether an alias may have been set though it is not known.
    pub(super) fn is_forgetful(&self) -> bool {
        self.forgetful
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
        assert_eq!(aliases.get(1), Some(&b"bc"[..]));
        assert_eq!(aliases.get(3), None);
        assert_eq!(aliases.octets, 3);
    }

    #[test]
    fn memory_is_bounded_and_the_loss_is_known() {
        let mut aliases = Aliases::default();
        for alias in 1..=u16::MAX {
            aliases.set(alias, &[b'a'; 100]);
        }
        assert!(aliases.octets <= KEPT);
        assert!(aliases.is_forgetful());
        assert_eq!(aliases.get(u16::MAX), None);
    }
}
