//! Short strings and the splitting of lines into them.
//!
//! Most records of a stream of text are words. [`Text`] keeps a word where the record is, and [`words`] cuts a line
//! into such words without asking the allocator for anything. [`word_slices`] lends the words instead, for records of
//! another type; [`java_split`] cuts as Java's and Scala's `split(" ")` does.

mod conversions;
mod inline;
mod words;

pub use inline::Text;
pub use words::{JavaSplit, WordSlices, Words, java_split, word_slices, words};
