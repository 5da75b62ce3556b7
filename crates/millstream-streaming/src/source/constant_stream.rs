//! `constant_stream`: the same RDD in every batch.

use std::panic::Location;

use millstream_core::{Data, Rdd};

use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::time::Time;

impl StreamingContext {
    /// Makes a stream whose every batch is the same RDD, as Spark's `ConstantInputDStream`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::Driver;
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let rdd = driver.context().parallelize([1, 2], 1);
    /// let collected = driver.collect(&driver.streaming().constant_stream(&rdd));
    /// driver.run(2)?;
    /// assert_eq!(collected.batches(), [[1, 2], [1, 2]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "ConstantInputDStream")]
    #[track_caller]
    pub fn constant_stream<T: Data>(&self, rdd: &Rdd<T>) -> DStream<T> {
        let id = self.graph().next_source();
        let constant = stream(self.graph(), "constant_stream", Location::caller(), id, Constant(rdd.clone()));
        if !rdd.context().is_same(self.context()) {
            let problem = "the RDD belongs to another context; make it with the context of the streams";
            self.graph().problem(constant.any().operator(), problem);
        }
        constant
    }
}

struct Constant<T: Data>(Rdd<T>);

impl<T: Data> Source<T> for Constant<T> {
    fn batch(&self, _: Time) -> Result<(Rdd<T>, Option<u64>)> {
        Ok((self.0.clone(), None))
    }
}
