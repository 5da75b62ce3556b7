//! `window`: the records of the last batches.

use std::time::Duration;

use millstream_core::rdd::AnyRdd;
use millstream_core::{Data, Rdd};

use super::{misfit, usable};
use crate::dstream::DStream;
use crate::dstream::node::{AnyDStream, Node, all};
use crate::error::Result;
use crate::time::Time;

impl<T: Data> DStream<T> {
    /// Makes one batch each `slide` of the records of the last `window`, oldest first; `None` for the slide means this
    /// stream's own.
    ///
    /// Both must be multiples of this stream's own slide. The batches of this stream are kept in memory as long as a window
    /// needs them.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::testing::{batches, check};
    /// let second = Duration::from_secs(1); // the batch interval of `check`
    /// check(batches![[1], [2], [3]], |s| s.window(2 * second, second), batches![[1], [1, 2], [2, 3]]);
    /// ```
    #[track_caller]
    pub fn window(&self, window: Duration, slide: impl Into<Option<Duration>>) -> DStream<T> {
        let slide = slide.into().unwrap_or(self.slide_duration());
        self.keep();
        let node = Window { parent: self.clone(), window, slide: usable(self, slide) };
        let windowed = DStream::new(self.graph(), "window", node);
        if let Some(problem) = misfit(self, window, slide) {
            self.graph().problem(windowed.any().operator(), problem);
        }
        windowed
    }
}

struct Window<T: Data> {
    parent: DStream<T>,
    window: Duration,
    slide: Duration,
}

impl<T: Data> Node<T> for Window<T> {
    fn parents(&self) -> Vec<AnyDStream> {
        vec![self.parent.any()]
    }

    fn slide(&self) -> Duration {
        self.slide
    }

    fn inputs(&self, _: &DStream<T>, batch: Time) -> Result<Option<Vec<AnyRdd>>> {
        Ok(Some(self.parent.rdds_after(batch - self.window, batch)?.iter().map(Rdd::any).collect()))
    }

    fn make(&self, inputs: Vec<AnyRdd>, _: Time) -> Result<Rdd<T>> {
        Ok(self.parent.context().union(all(inputs)?))
    }

    fn reaches_back(&self) -> Duration {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use millstream_core::Conf;

    use super::*;
    use crate::testing::Driver;

    const SECOND: Duration = Duration::from_secs(1);

    fn remembered<T: Data>(stream: &DStream<T>) -> (Duration, Vec<i64>) {
        let memory = stream.0.memory();
        (memory.duration, memory.generated.keys().map(|time| time.as_millis() / 1000).collect())
    }

    /// Batches, durations and times of Spark's case of the clean-up of a window of a window.
    #[test]
    fn batches_are_remembered_as_long_as_the_windows_on_them_reach_back() {
        let driver = Driver::new(Conf::empty(), SECOND).unwrap();
        driver.streaming().remember(3 * SECOND);
        let input = driver.input((0..10).map(|n| vec![n, n + 1]).collect());
        let mapped = input.map(|n| (n % 10, 1));
        let first = mapped.window(2 * SECOND, SECOND);
        let second = first.window(4 * SECOND, 2 * SECOND);
        let collected = driver.collect(&second);
        let steps = driver.start().unwrap();
        for _ in 0..10 {
            steps.step().unwrap();
        }
        assert_eq!(collected.batches().len(), 5);
        assert_eq!(remembered(&second), (3 * SECOND, vec![8, 10]));
        assert_eq!(remembered(&first), (7 * SECOND, (4..=10).collect()));
        assert_eq!(remembered(&mapped), (9 * SECOND, (2..=10).collect()));
    }
}
