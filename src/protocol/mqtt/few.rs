//! Values by packet identifier, of which a connection has few at a time: they stand in place, and
//! only where there are more does a table take all of them.

use std::collections::HashMap;
use std::num::NonZeroU16;

/// A table with room for more gives it back after a burst.
const ROOM: usize = 1024;

type Table<V> = HashMap<NonZeroU16, V, foldhash::fast::RandomState>;

/// `N` in place, or any number in a table.
#[derive(Debug)]
pub(super) struct Few<V, const N: usize> {
    here: [Option<(NonZeroU16, V)>; N],
    /// Where all of them are once there were more. It stays: what a connection did it does again.
    table: Option<Box<Table<V>>>,
}

impl<V, const N: usize> Default for Few<V, N> {
    fn default() -> Self {
        Self { here: [const { None }; N], table: None }
    }
}

impl<V, const N: usize> Few<V, N> {
    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.table {
            Some(table) => table.len(),
            None => self.here.iter().flatten().count(),
        }
    }

    /// What stands under an identifier.
    #[inline]
    pub(super) fn get(&self, id: NonZeroU16) -> Option<&V> {
        match &self.table {
            Some(table) => table.get(&id),
            None => {
                self.here.iter().flatten().find(|(here, _)| *here == id).map(|(_, value)| value)
            }
        }
    }

    /// Puts a value under an identifier, in place of one that is there.
    #[inline]
    pub(super) fn insert(&mut self, id: NonZeroU16, value: V) {
        if let Some(table) = &mut self.table {
            table.insert(id, value);
            return;
        }
        let is_it = |slot: &Option<(NonZeroU16, V)>| matches!(slot, Some((here, _)) if *here == id);
        let same = self.here.iter().position(is_it);
        match same.or_else(|| self.here.iter().position(Option::is_none)) {
            Some(place) => self.here[place] = Some((id, value)),
            None => self.move_out().insert(id, value).map_or((), drop),
        }
    }

    /// Takes the value under an identifier out.
    #[inline]
    pub(super) fn remove(&mut self, id: NonZeroU16) -> Option<V> {
        let Some(table) = &mut self.table else {
            let mut slots = self.here.iter_mut();
            let slot = slots.find(|slot| matches!(slot, Some((here, _)) if *here == id))?;
            return slot.take().map(|(_, value)| value);
        };
        let value = table.remove(&id);
        // In steps of four, so that each costs what came before it.
        if table.capacity() > ROOM && table.len() < table.capacity() / 8 {
            table.shrink_to(table.capacity() / 4);
        }
        value
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        let table = self.table.iter().flat_map(|table| table.values());
        self.here.iter().flatten().map(|(_, value)| value).chain(table)
    }

    /// Nothing is left.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cold]
    fn move_out(&mut self) -> &mut Table<V> {
        let here = self.here.iter_mut().filter_map(Option::take);
        self.table.insert(Box::new(here.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    /// Against a map of the standard library, in an order that takes it over its room and back.
    #[test]
    fn it_is_a_map() {
        let mut few = Few::<u32, 2>::default();
        let mut model = HashMap::new();
        let mut random = 1_u32;
        for round in 0..100_000_u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let among = if round < 1_000 { 3 } else { 5_000 };
            let number = (random >> 8) as u16 % among + 1;
            if random >> 31 == 0 || (60_000..65_000).contains(&round) {
                assert_eq!(few.remove(id(number)), model.remove(&number));
            } else {
                few.insert(id(number), round);
                model.insert(number, round);
            }
            assert_eq!(few.get(id(number)), model.get(&number));
            assert_eq!(few.len(), model.len());
        }
        assert_eq!(
            few.values().map(|value| u64::from(*value)).sum::<u64>(),
            model.values().map(|value| u64::from(*value)).sum::<u64>()
        );
        few.clear();
        assert_eq!((few.len(), few.values().count()), (0, 0));
    }

    #[test]
    fn few_take_no_table_and_a_burst_gives_its_room_back() {
        let mut few = Few::<u32, 2>::default();
        for number in 1..1000 {
            few.insert(id(number), 0);
            few.insert(id(number + 1), 0);
            few.remove(id(number));
            few.remove(id(number + 1));
        }
        assert!(few.table.is_none());
        (1..=u16::MAX).for_each(|number| few.insert(id(number), 0));
        (1..=u16::MAX).for_each(|number| assert_eq!(few.remove(id(number)), Some(0)));
        assert!(few.table.unwrap().capacity() <= 8 * ROOM);
    }
}
