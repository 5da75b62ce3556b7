//! `checkpoint`: how often the state of a stream is saved.

use std::time::Duration;

use millstream_core::Data;

use super::{DStream, ErasedStream};

impl<T: Data> DStream<T> {
    /// Sets how often the state behind this stream is saved in the checkpoint directory: a multiple of its slide.
    ///
    /// By default that is the smallest multiple of the slide that is at least ten seconds; for
    /// `map_with_state` ten times the slide. In between, a restart makes the state
    /// again of the inputs since; so a longer interval costs a longer restart and more inputs that are kept. A state that windows or
    /// other states are made of goes on from before what these need of it; by default it is saved no more than eight times in
    /// what windows reach back. Only what has changed is written. A stream without state has nothing to save, and the call nothing to do.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1], [2]], |s| s.map(|n| n + 1).checkpoint(Duration::from_secs(2)), batches![[2], [3]]);
    /// ```
    pub fn checkpoint(&self, interval: Duration) -> DStream<T> {
        match self.0.with_state.get() {
            Some(state) => state.save_each(interval),
            None => self.0.save_each(interval),
        }
        self.clone()
    }
}
