//! Which places of a shelf are taken.

use millstream_core::chunk::CHUNK;

/// How many keys lie on a shelf: as many as records in a chunk.
pub(super) const SHELF: usize = CHUNK;

/// A flag for each place of a shelf: as a rule the first ones are taken and no others, which takes no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits {
    /// How many are taken.
    taken: usize,
    /// A bit for each place, if they are not the first ones.
    bits: Option<Box<[u64; SHELF / 64]>>,
}

impl Bits {
    /// No place is taken.
    pub(super) const NONE: Bits = Bits { taken: 0, bits: None };

    #[inline(always)]
    pub(super) fn get(&self, place: usize) -> bool {
        match &self.bits {
            None => place < self.taken,
            Some(bits) => bits[place / 64] >> (place % 64) & 1 == 1,
        }
    }

    pub(super) fn set(&mut self, place: usize, to: bool) {
        if self.get(place) == to {
            return;
        }
        if self.bits.is_some() || place != self.taken || !to {
            let taken = self.taken;
            let bits = self.bits.get_or_insert_with(|| {
                let mut bits = Box::new([0; SHELF / 64]);
                (0..taken).for_each(|place| bits[place / 64] |= 1 << (place % 64));
                bits
            });
            bits[place / 64] ^= 1 << (place % 64);
        }
        self.taken = if to { self.taken + 1 } else { self.taken - 1 };
    }

    pub(super) fn count(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Bits, SHELF};

    proptest! {
        #[test]
        fn bits_are_a_list_of_flags(steps in prop::collection::vec((prop_oneof![0_usize..8, 0..SHELF], any::<bool>()), 0..400)) {
            let (mut bits, mut model) = (Bits::default(), [false; SHELF]);
            for (place, to) in steps {
                bits.set(place, to);
                model[place] = to;
            }
            for (place, is) in model.iter().enumerate() {
                prop_assert_eq!(bits.get(place), *is);
            }
            prop_assert_eq!(bits.count(), model.iter().filter(|is| **is).count());
        }
    }
}
