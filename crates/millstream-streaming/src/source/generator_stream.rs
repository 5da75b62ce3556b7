//! `generator_stream`: records made by a function.

use std::panic::Location;
use std::sync::Arc;

use millstream_core::{Context, Data, Rdd, operator};

use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::time::Time;

impl StreamingContext {
    /// Makes a stream whose records are made by a function of the batch time and the partition, in the tasks.
    ///
    /// The function must give the same records each time it is called with the same arguments.
    ///
    /// # Errors
    /// 0 partitions are refused at the start, more than 1048576 by the first batch.
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
        let _composed = operator::composed("generator_stream");
        let seeds = Seeds { context: self.context().clone(), partitions };
        let id = self.graph().next_source();
        let seeds = stream(self.graph(), "seeds", Location::caller(), id, seeds);
        let f = Arc::new(f);
        seeds.per_batch_spread::<(), _>("generator_stream", partitions, move |rdd, _| {
            let f = Arc::clone(&f);
            rdd.map_partitions(move |seeds| {
                let f = Arc::clone(&f);
                seeds.flat_map(move |(time, partition)| f(time, partition).into_iter())
            })
        })
    }
}

/// One record a partition: what the function is to be called with.
///
/// As records they travel; in another process a task of a window makes the records of several batches.
struct Seeds {
    context: Context,
    partitions: usize,
}

impl Source<(Time, usize)> for Seeds {
    fn batch(&self, batch: Time) -> Result<(Rdd<(Time, usize)>, Option<u64>)> {
        let seeds = (0..self.partitions).map(|partition| (batch, partition));
        Ok((self.context.parallelize(seeds, self.partitions), None))
    }
}
