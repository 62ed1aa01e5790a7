//! What follows from an event's codes, remembered.
//!
//! Of types, causes, flags and addresses only the class counts, and there are few combinations of
//! classes where there are many events. So what such fields say together, and which rules they
//! leave, is worked out once.

use super::truth::{ClassId, Truth, Word};

/// The most fields of a profile.
pub(super) const FIELDS: usize = 12;

/// The classes of some fields of an event.
pub(super) type Profile = [ClassId; FIELDS];

/// None of the fields meets any predicate.
pub(super) const NONE: Profile = [ClassId::NONE; FIELDS];

/// What follows from the profiles that came last, where it is not too much. Whoever sends many
/// different ones makes each event cost what it would without this.
#[derive(Debug, Clone)]
pub(super) struct Memory(Box<[Remembered]>);

const SLOTS: usize = 256;

/// The powers of an odd number: classes that change places make another sum.
const FACTORS: [u32; FIELDS] = {
    let (mut factors, mut at) = ([1_u32; FIELDS], 1);
    while at < FIELDS {
        factors[at] = factors[at - 1].wrapping_mul(31);
        at += 1;
    }
    factors
};

/// What follows is not remembered if it is more than this, as in large sets of rules.
const WORDS: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Remembered {
    profile: Profile,
    /// The words of the truth that are not zero, and how many these are.
    words: [Word; WORDS],
    length: usize,
}

impl Remembered {
    /// No event has this profile.
    const NOTHING: Self =
        Self { profile: [ClassId::NOWHERE; FIELDS], words: [Word::ZERO; WORDS], length: 0 };
}

impl Memory {
    pub(super) fn new() -> Self {
        Self(vec![Remembered::NOTHING; SLOTS].into())
    }

    #[inline]
    fn slot(profile: &Profile) -> usize {
        // Products that do not wait for each other.
        let products = profile.iter().zip(FACTORS);
        let sum = products.fold(0_u32, |sum, (class, factor)| {
            sum.wrapping_add(class.number().wrapping_mul(factor))
        });
        sum as usize % SLOTS
    }

    /// What is true of events with this profile.
    #[inline]
    pub(super) fn recall(&self, profile: &Profile) -> Option<&[Word]> {
        let remembered = &self.0[Self::slot(profile)];
        if remembered.profile == *profile {
            remembered.words.get(..remembered.length)
        } else {
            None
        }
    }

    /// Remembers it.
    pub(super) fn keep(&mut self, profile: &Profile, truth: &Truth) {
        let remembered = &mut self.0[Self::slot(profile)];
        *remembered = Remembered::NOTHING;
        let mut length = 0;
        for word in truth.words() {
            let Some(place) = remembered.words.get_mut(length) else { return };
            *place = word;
            length += 1;
        }
        (remembered.profile, remembered.length) = (*profile, length);
    }
}
