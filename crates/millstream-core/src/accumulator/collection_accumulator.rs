//! `collection_accumulator`: all values that were added.

use std::fmt::Debug;

use super::{Accumulator, Registered};
use crate::context::Context;
use crate::data::Data;

/// An accumulator of all values that are added.
pub type CollectionAccumulator<T> = Registered<Vec<T>>;

impl<T: Data + Debug> Accumulator for Vec<T> {
    type Input = T;
    type Output = Vec<T>;

    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn reset(&mut self) {
        self.clear();
    }

    fn add(&mut self, value: T) {
        self.push(value);
    }

    fn merge(&mut self, mut other: Self) {
        self.append(&mut other);
    }

    fn value(&self) -> Vec<T> {
        self.clone()
    }
}

impl Context {
    /// Makes an accumulator of all values that are added; those of one partition keep their order.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let bad = context.collection_accumulator("bad lines");
    /// let lines = context.parallelize(["1", "x", "2"].map(String::from), 1);
    /// let numbers = lines.flat_map_env(bad.clone(), |bad, line| match line.parse::<i32>() {
    ///     Ok(number) => Some(number),
    ///     Err(_) => {
    ///         bad.add(line);
    ///         None
    ///     }
    /// });
    /// assert_eq!(numbers.collect()?, [1, 2]);
    /// assert_eq!(bad.value(), ["x"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn collection_accumulator<'a, T: Data + Debug>(
        &self,
        name: impl Into<Option<&'a str>>,
    ) -> CollectionAccumulator<T> {
        self.register(Vec::new(), name)
    }
}
