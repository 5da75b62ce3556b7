//! Accumulators: variables that tasks add to and the driver reads.
//!
//! What a task adds is kept with the task and comes back with its result; the scheduler counts it when it takes the first
//! result of a partition. So what a failed, lost or repeated attempt has added counts nothing, or once.

mod collection_accumulator;
pub(crate) mod counted;
mod double_accumulator;
mod listing;
mod long_accumulator;
mod registered;
mod sum;
pub(crate) mod updates;

use std::fmt::Debug;

pub use collection_accumulator::CollectionAccumulator;
pub use double_accumulator::{DoubleAccumulator, DoubleSum};
pub use listing::AccumulatorInfo;
pub use long_accumulator::{LongAccumulator, LongSum};
pub use registered::Registered;
pub use sum::{Sum, Summand};

use crate::data::Data;

/// What an accumulator holds, and how it is added to and merged; Spark's `AccumulatorV2`.
///
/// The order in which the states of tasks are merged is not defined. Spark's `copy` is `Clone`.
///
/// # Examples
/// ```
/// use millstream_core::{Accumulator, Conf, Context};
/// use serde::{Deserialize, Serialize};
///
/// /// The longest line.
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Longest(String);
///
/// impl Accumulator for Longest {
///     type Input = String;
///     type Output = String;
///
///     fn is_zero(&self) -> bool {
///         self.0.is_empty()
///     }
///     fn reset(&mut self) {
///         self.0.clear();
///     }
///     fn add(&mut self, line: String) {
///         if line.len() > self.0.len() {
///             self.0 = line;
///         }
///     }
///     fn merge(&mut self, other: Self) {
///         self.add(other.0);
///     }
///     fn value(&self) -> String {
///         self.0.clone()
///     }
/// }
///
/// let context = Context::new(Conf::empty().set_master("local[2]"))?;
/// let longest = context.register(Longest::default(), "longest line");
/// let lines = context.parallelize(["to be", "or not to be", "that"].map(String::from), 2);
/// lines.foreach_env(longest.clone(), |longest, line| longest.add(line))?;
/// assert_eq!(longest.value(), "or not to be");
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[doc(alias = "AccumulatorV2")]
pub trait Accumulator: Data {
    /// What is added.
    type Input;
    /// What is read.
    type Output: Debug;

    /// Returns whether nothing was added.
    fn is_zero(&self) -> bool;
    /// Forgets what was added.
    fn reset(&mut self);
    /// Adds a value.
    fn add(&mut self, value: Self::Input);
    /// Adds all that was added to another one.
    fn merge(&mut self, other: Self);
    /// Returns what all that was added amounts to.
    fn value(&self) -> Self::Output;

    /// Returns one to which nothing was added: what each task begins with.
    #[must_use]
    fn copy_and_reset(&self) -> Self {
        let mut copy = self.clone();
        copy.reset();
        copy
    }
}
