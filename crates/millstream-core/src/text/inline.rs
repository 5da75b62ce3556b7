//! The small string.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;
use std::ptr;
use std::sync::Arc;

/// The most bytes a text holds in itself.
pub(super) const INLINE: usize = 23;

/// The bytes of a text, and those read at once to make a short one.
pub(super) const WINDOW: usize = INLINE + 1;

/// What the last byte of a text on the heap says; that of an inline text is its length + 1.
const HEAP: u8 = 0xFF;

/// An immutable string of 24 bytes that holds up to 23 bytes of UTF-8 in itself.
///
/// Longer strings are on the heap and shared: cloning a `Text` never copies its characters. Short ones are compared
/// and hashed as three machine words, which makes `Text` the key to choose for words, names and identifiers. An
/// `Option<Text>` has 24 bytes too.
///
/// A `Text` reads like a `&str`, but does not hash like one. Therefore there is no `Borrow<str>`, and a
/// `HashMap<Text, _>` is asked with a `Text`; to make one of a short string costs next to nothing.
///
/// # Examples
/// ```
/// use millstream_core::text::Text;
///
/// let word = Text::from("stream");
/// assert_eq!(word, "stream");
/// assert_eq!(word.to_uppercase(), "STREAM");
/// assert!(Text::from("mill") < word);
/// assert_eq!(size_of::<(Text, u64)>(), 32);
/// ```
#[repr(C)]
pub struct Text {
    // Three words and no array: arrays are moved through memory where words stay in registers.
    /// Inline: bytes 0 to 7, padded with zeros. On the heap: the address of an `Arc<str>`.
    first: u64,
    /// Inline: bytes 8 to 15. On the heap: the length.
    second: u64,
    /// Inline: bytes 16 to 22, padded with zeros, and the last byte. On the heap: only the last byte.
    /// Never zero, which leaves zero for `None`.
    third: NonZeroU64,
}

/// Puts `last` where the last byte of the third word is.
const fn third(bytes: u64, last: u8) -> NonZeroU64 {
    // The words are kept in memory order so that the bytes can be lent as a slice.
    match NonZeroU64::new((bytes | (last as u64) << 56).to_le()) {
        Some(third) => third,
        None => NonZeroU64::MAX,
    }
}

impl Text {
    /// The empty text.
    pub const EMPTY: Text = Text { first: 0, second: 0, third: third(0, 1) };

    /// Makes a text out of the first `len` bytes of a window, whatever the bytes behind them are.
    ///
    /// Those `len` bytes, at most [`INLINE`], are UTF-8.
    #[inline(always)]
    pub(super) fn from_window(window: &[u8; WINDOW], len: usize) -> Self {
        /// Bytes to keep, then bytes to clear. Read from a place that depends on the length, it masks a window without a
        /// branch, which lengths of words would send astray.
        static MASK: [u8; 2 * WINDOW] = {
            let mut mask = [0; 2 * WINDOW];
            let mut at = 0;
            while at < WINDOW {
                mask[at] = 0xFF;
                at += 1;
            }
            mask
        };
        debug_assert!(len <= INLINE && str::from_utf8(&window[..len]).is_ok());
        let len = len.min(INLINE);
        let mask = MASK[WINDOW - len..].first_chunk().unwrap_or(window);
        let ([a, b, c], [x, y, z]) = (load(window), load(mask));
        Text { first: (a & x).to_le(), second: (b & y).to_le(), third: third(c & z, len as u8 + 1) }
    }

    #[cold]
    #[inline(never)]
    fn on_heap(string: Arc<str>) -> Self {
        let len = string.len() as u64;
        let address = Arc::into_raw(string).cast::<u8>().expose_provenance();
        Text { first: address as u64, second: len, third: third(0, HEAP) }
    }

    #[inline(always)]
    fn last_byte(&self) -> u8 {
        (u64::from_le(self.third.get()) >> 56) as u8
    }

    #[inline(always)]
    fn is_inline(&self) -> bool {
        self.last_byte() != HEAP
    }

    /// The three words of an inline text: equal if and only if the texts are.
    #[inline(always)]
    fn words(&self) -> [u64; 3] {
        [u64::from_le(self.first), u64::from_le(self.second), u64::from_le(self.third.get())]
    }

    /// Where a text that is not inline has its characters.
    fn heap(&self) -> *const str {
        let start = ptr::with_exposed_provenance::<u8>(self.first as usize);
        ptr::slice_from_raw_parts(start, self.second as usize) as *const str
    }

    /// Returns the characters.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::text::Text;
    ///
    /// assert_eq!(Text::from("to be").as_str(), "to be");
    /// ```
    #[inline]
    pub fn as_str(&self) -> &str {
        if self.is_inline() {
            let bytes = ptr::from_ref(self).cast::<u8>();
            let len = usize::from(self.last_byte() - 1);
            // SAFETY: the three words are 24 initialised bytes that live as long as `self`, `len` is at most 23, and
            // the first `len` of them are UTF-8, which all constructors see to.
            unsafe { str::from_utf8_unchecked(std::slice::from_raw_parts(bytes, len)) }
        } else {
            // SAFETY: the address and length come from the `Arc<str>` that this text owns a count of.
            unsafe { &*self.heap() }
        }
    }
}

/// Reads a window as three words whose lowest bytes are the first in memory.
#[inline(always)]
fn load(bytes: &[u8; WINDOW]) -> [u64; 3] {
    let (words, _) = bytes.as_chunks::<8>();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]), u64::from_le_bytes(words[2])]
}

/// Reads at most seven bytes as a word padded with zeros.
#[inline]
fn load_short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two may overlap, and then agree.
        let last = u64::from(u32::from_le_bytes(*last));
        u64::from(u32::from_le_bytes(*first)) | last << (8 * (bytes.len() - 4))
    } else if let [first, .., last] = bytes {
        let middle = bytes[bytes.len() / 2];
        u64::from(*first)
            | u64::from(middle) << (8 * (bytes.len() / 2))
            | u64::from(*last) << (8 * (bytes.len() - 1))
    } else {
        bytes.first().map_or(0, |byte| u64::from(*byte))
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(string: &str) -> Self {
        let bytes = string.as_bytes();
        let len = bytes.len();
        if len > INLINE {
            return Text::on_heap(string.into());
        }
        // The last word is read where the string ends, overlapping the one before, and shifted into its place.
        let end = |words: usize| match bytes.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last).unbounded_shr(8 * (8 * words - len) as u32),
            None => load_short(bytes),
        };
        let start = |at: usize| {
            bytes
                .get(at..)
                .and_then(|rest| rest.first_chunk::<8>())
                .map_or(0, |word| u64::from_le_bytes(*word))
        };
        let [a, b, c] = match len {
            0..8 => [end(1), 0, 0],
            8..16 => [start(0), end(2), 0],
            _ => [start(0), start(8), end(3)],
        };
        Text { first: a.to_le(), second: b.to_le(), third: third(c, len as u8 + 1) }
    }
}

impl Clone for Text {
    #[inline]
    fn clone(&self) -> Self {
        if !self.is_inline() {
            // SAFETY: the address came from `Arc::into_raw` and this text owns a count, so the string is alive.
            unsafe { Arc::increment_strong_count(self.heap()) };
        }
        Text { first: self.first, second: self.second, third: self.third }
    }
}

impl Drop for Text {
    #[inline(always)]
    fn drop(&mut self) {
        #[cold]
        #[inline(never)]
        fn release(text: &Text) {
            // SAFETY: the address came from `Arc::into_raw`, and the count this text owns is given up here, once.
            unsafe { Arc::decrement_strong_count(text.heap()) };
        }
        if !self.is_inline() {
            release(self);
        }
    }
}

impl PartialEq for Text {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        #[cold]
        #[inline(never)]
        fn on_heap(one: &Text, other: &Text) -> bool {
            one.as_str() == other.as_str()
        }
        let ([a, b, c], [x, y, z]) = (self.words(), other.words());
        // Short texts are always inline: a text on the heap can only equal another one there.
        ((a ^ x) | (b ^ y) | (c ^ z)) == 0 || (!self.is_inline() && c == z && on_heap(self, other))
    }
}

impl Eq for Text {}

impl Hash for Text {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.is_inline() {
            let [a, b, c] = self.words();
            state.write_u128(u128::from(a) | u128::from(b) << 64);
            state.write_u64(c);
        } else {
            self.as_str().hash(state);
        }
    }
}

impl Ord for Text {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_inline() && other.is_inline() {
            // Read with the first byte highest, words sort as their bytes do; the padding is below all bytes but 0, and
            // where that does not decide, the length does, which is in the last byte.
            self.words().map(u64::swap_bytes).cmp(&other.words().map(u64::swap_bytes))
        } else {
            self.as_str().cmp(other.as_str())
        }
    }
}

impl PartialOrd for Text {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use proptest::prelude::*;

    use super::*;
    use crate::shuffle::hash::pinned_hash;

    /// Strings around the border between inline and heap, with zeros, which are also the padding.
    fn any_string() -> impl Strategy<Value = String> {
        prop_oneof!["[ab\0]{0,5}", "[a\0\u{e4}\u{1F980}]{0,12}", "[ab]{20,26}", ".{0,40}"]
    }

    #[test]
    fn a_text_has_24_bytes() {
        assert_eq!(size_of::<Text>(), 24);
        assert_eq!(size_of::<Option<Text>>(), 24);
        assert_eq!(size_of::<(Text, u64)>(), 32);
    }

    #[test]
    fn every_length_reads_back() {
        let all = "0123456789abcdefghijklmnopqrstuvwxyz";
        for len in 0..=all.len() {
            let text = Text::from(&all[..len]);
            assert_eq!(text, all[..len]);
            assert_eq!(text.is_inline(), len <= INLINE);
            assert_eq!(String::from(text.clone()), all[..len]);
            assert_eq!(format!("{text} {text:?}"), format!("{0} {0:?}", &all[..len]));
        }
        assert_eq!(Text::default(), "");
        assert_eq!(Text::EMPTY, Text::from(String::new()));
    }

    #[test]
    fn a_window_may_hold_anything_behind_the_word() {
        let window = [b'x'; WINDOW];
        for len in 0..=INLINE {
            assert_eq!(Text::from_window(&window, len), Text::from("x".repeat(len)));
        }
    }

    #[test]
    fn long_texts_are_shared_between_threads_and_freed_once() {
        let long = Text::from("a string that does not fit into 23 bytes");
        let copies: Vec<_> = (0..4).map(|_| long.clone()).collect();
        assert!(copies.iter().all(|copy| copy.as_ptr() == long.as_ptr()));
        let threads: Vec<_> = copies.into_iter().map(|copy| std::thread::spawn(move || copy.len())).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == long.len()));
        assert!(long.starts_with("a string"));
    }

    proptest! {
        #[test]
        fn a_text_is_equal_ordered_and_written_as_its_string(one in any_string(), other in any_string()) {
            let (a, b) = (Text::from(one.as_str()), Text::from(other.clone()));
            prop_assert_eq!(a.as_str(), &one);
            prop_assert_eq!(a == b, one == other);
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            let bytes = postcard::to_stdvec(&a).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(&one).unwrap());
            prop_assert_eq!(postcard::from_bytes::<Text>(&bytes).unwrap(), a);
        }

        #[test]
        fn equal_texts_have_equal_hashes(one in any_string(), other in any_string()) {
            let (a, again, b) = (Text::from(one.as_str()), Text::from(one.clone()), Text::from(other));
            let state = RandomState::new();
            prop_assert_eq!(pinned_hash(&a), pinned_hash(&again));
            prop_assert_eq!(state.hash_one(&a), state.hash_one(&again));
            prop_assert_eq!(pinned_hash(&a) == pinned_hash(&b), a == b);
        }
    }
}
