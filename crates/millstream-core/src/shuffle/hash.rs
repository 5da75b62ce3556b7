//! The pinned hash: by it a record finds its partition, on every machine and after every restart.

use std::hash::{Hash, Hasher};

/// Digits of pi and of the golden ratio: numbers without a pattern. They are part of every checkpoint; see the tests.
const START: u64 = 0x243F_6A88_85A3_08D3;
const ONE: u64 = 0x9E37_79B9_7F4A_7C15;
const TWO: u64 = 0xA409_3822_299F_31D1;
const END: u64 = 0xD6E8_FEB8_6659_FD93;

/// A fast hasher whose results are the same on every machine, in every process and after every restart.
///
/// Numbers count with their value, whatever the machine's word size and byte order. (The exception is std's own:
/// it hands over slices of numbers, as in `Vec<u32>`, as the bytes they have in memory, so that their hashes differ between
/// machines of different byte order.) Every bit of a result depends on every bit of the key.
///
/// The constants are public, hence someone who chooses keys can choose ones that collide. Such keys make work slow, not wrong.
///
/// # Examples
/// ```
/// use std::hash::{Hash, Hasher};
/// use millstream_core::shuffle::hash::{PinnedHasher, pinned_hash};
///
/// let mut hasher = PinnedHasher::default();
/// 42_u64.hash(&mut hasher);
/// assert_eq!(hasher.finish(), pinned_hash(&42_u64));
/// ```
#[derive(Debug, Clone)]
pub struct PinnedHasher(u64);

/// Hashes a key, with the same result on every machine and after every restart.
///
/// # Examples
/// ```
/// use millstream_core::shuffle::hash::pinned_hash;
///
/// assert_eq!(pinned_hash("word"), pinned_hash(&String::from("word")));
/// assert_eq!(pinned_hash(&1_u64), 0xEDDE_968D_3723_7E9F);
/// ```
#[inline(always)]
#[must_use]
pub fn pinned_hash<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = PinnedHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Returns the partition of a hash: a number below `partitions`, or 0 if there are none.
///
/// Follows the highest bits of the hash and does not divide. With twice as many partitions each is cut in two.
///
/// # Examples
/// ```
/// use millstream_core::shuffle::hash::{partition_of, pinned_hash};
///
/// assert!(partition_of(pinned_hash("word"), 3) < 3);
/// ```
#[inline]
#[must_use]
pub fn partition_of(hash: u64, partitions: usize) -> usize {
    ((u128::from(hash) * partitions as u128) >> 64) as usize
}

/// Multiplies to 128 bits and folds the halves: the lower half mixes upwards, the higher one downwards.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Reads 16 bytes as two numbers.
#[inline(always)]
fn pair(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

impl Default for PinnedHasher {
    #[inline(always)]
    fn default() -> Self {
        PinnedHasher(START)
    }
}

impl PinnedHasher {
    #[inline(always)]
    fn add_pair(&mut self, (a, b): (u64, u64)) {
        self.0 = fold(self.0 ^ a, TWO ^ b);
    }
}

impl Hasher for PinnedHasher {
    #[inline(always)]
    fn finish(&self) -> u64 {
        fold(self.0, END)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        // Bytes are read as two numbers that may overlap; the length tells apart what they leave open.
        self.0 = self.0.rotate_left(bytes.len() as u32);
        let last = if let Some(last) = bytes.last_chunk::<16>() {
            let mut rest = bytes;
            while let Some((block, behind)) = rest.split_first_chunk::<16>()
                && !behind.is_empty()
            {
                self.add_pair(pair(block));
                rest = behind;
            }
            pair(last)
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
        } else if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
            (u64::from(*first) | u64::from(bytes[bytes.len() / 2]) << 8, u64::from(*last))
        } else {
            (0, 0)
        };
        self.add_pair(last);
    }

    #[inline(always)]
    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }

    #[inline(always)]
    fn write_u16(&mut self, n: u16) {
        self.write_u64(n.into());
    }

    #[inline(always)]
    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    #[inline(always)]
    fn write_u64(&mut self, n: u64) {
        self.0 = fold(self.0 ^ n, ONE);
    }

    #[inline(always)]
    fn write_u128(&mut self, n: u128) {
        self.add_pair((n as u64, (n >> 64) as u64));
    }

    #[inline(always)]
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    #[inline(always)]
    fn write_i8(&mut self, n: i8) {
        self.write_i64(n.into());
    }

    #[inline(always)]
    fn write_i16(&mut self, n: i16) {
        self.write_i64(n.into());
    }

    #[inline(always)]
    fn write_i32(&mut self, n: i32) {
        self.write_i64(n.into());
    }

    #[inline(always)]
    fn write_i64(&mut self, n: i64) {
        self.write_u64(n as u64);
    }

    #[inline(always)]
    fn write_i128(&mut self, n: i128) {
        self.write_u128(n as u128);
    }

    #[inline(always)]
    fn write_isize(&mut self, n: isize) {
        self.write_i64(n as i64);
    }
}

#[cfg(test)]
mod tests;
