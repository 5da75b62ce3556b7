//! `accumulators`: the accumulators of a context.

use std::sync::Arc;

use super::updates::{ACCUMULATORS, AnyAccumulator};
use crate::context::Context;

/// An accumulator as it is shown.
#[derive(Clone)]
pub struct AccumulatorInfo(Arc<dyn AnyAccumulator>);

impl AccumulatorInfo {
    /// Returns the number of the accumulator in its context.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let dropped = context.long_accumulator("dropped");
    /// assert_eq!(context.accumulators()[0].id(), dropped.id());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id().number
    }

    /// Returns the name it was registered with.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (_named, _unnamed) = (context.long_accumulator("dropped"), context.long_accumulator(None));
    /// let names = context.accumulators();
    /// assert_eq!((names[0].name(), names[1].name()), (Some("dropped"), None));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// Returns the value as text.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.collection_accumulator("words");
    /// words.add(7);
    /// assert_eq!(context.accumulators()[0].value(), "[7]");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> String {
        self.0.text()
    }
}

impl Context {
    /// Returns the accumulators that are still held, in the order in which they were made.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (dropped, words) = (context.long_accumulator("dropped"), context.collection_accumulator("words"));
    /// dropped.add(3);
    /// words.add('x');
    /// drop(context.double_accumulator("gone"));
    /// let listed = context.accumulators();
    /// let listed: Vec<_> = listed.iter().map(|info| (info.name(), info.value())).collect();
    /// assert_eq!(listed, [(Some("dropped"), "3".into()), (Some("words"), "['x']".into())]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn accumulators(&self) -> Vec<AccumulatorInfo> {
        ACCUMULATORS.of_context(self.number()).into_iter().map(AccumulatorInfo).collect()
    }
}
