//! `generator_stream`: records made by a function.

use std::panic::Location;
use std::sync::Arc;

use millstream_core::{Context, Data, Rdd};

use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::time::Time;

/// Makes the records of a partition of a batch.
type Generate<T> = Arc<dyn Fn(Time, usize) -> Box<dyn Iterator<Item = T>> + Send + Sync>;

impl StreamingContext {
    /// Makes a stream whose records are made by a function of the batch time and the partition, in the tasks.
    ///
    /// The function must give the same records each time it is called with the same arguments.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.streaming().generator_stream(2, |time, partition| {
    ///     [time.as_millis() / 1000 * 10 + partition as i64]
    /// });
    /// let collected = driver.collect(&numbers);
    /// driver.run(2)?;
    /// assert_eq!(collected.batches(), [vec![10, 11], vec![20, 21]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn generator_stream<T: Data, I>(
        &self,
        partitions: usize,
        f: impl Fn(Time, usize) -> I + Send + Sync + 'static,
    ) -> DStream<T>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: 'static,
    {
        let generate: Generate<T> = Arc::new(move |time, partition| Box::new(f(time, partition).into_iter()));
        let source = Generator { context: self.context().clone(), partitions: partitions.max(1), generate };
        let id = self.graph().next_source();
        stream(self.graph(), "generator_stream", Location::caller(), id, source)
    }
}

struct Generator<T: Data> {
    context: Context,
    partitions: usize,
    generate: Generate<T>,
}

impl<T: Data> Source<T> for Generator<T> {
    fn batch(&self, batch: Time) -> Result<(Rdd<T>, Option<u64>)> {
        let generate = Arc::clone(&self.generate);
        let rdd = self.context.generate(self.partitions, move |partition| generate(batch, partition));
        Ok((rdd, None))
    }
}
