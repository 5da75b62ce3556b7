//! `foreach_rdd`: do something with the RDD of each batch.

use std::panic::Location;
use std::sync::{Arc, PoisonError};

use millstream_core::operator::{Operator, user_code};
use millstream_core::{Data, Outcome, Rdd};

use super::{FailedOutput, Output, OutputHandle, Run};
use crate::dstream::DStream;
use crate::error::Result;
use crate::time::Time;

/// What an output does with the RDD of a batch, under its name.
type Act<T> = Arc<dyn Fn(Rdd<T>, Time, &Arc<Operator>) -> Result<()> + Send + Sync>;

impl<T: Data> DStream<T> {
    /// Calls `f` on the driver with the RDD of each batch, also of an empty one.
    ///
    /// Records are only computed if `f` runs an action. An error that it returns stops the stream with that error. Outputs run
    /// one at a time, in the order of their definition and of the batches. The handle that is returned says what becomes of
    /// a batch on which the output fails.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let (sums, received) = mpsc::channel();
    /// driver.input(batches![[1, 2], [3]]).foreach_rdd(move |rdd| {
    ///     let sum = rdd.reduce(|a, b| a + b)?;
    ///     sums.send(sum).map_err(millstream_core::Error::user)
    /// });
    /// driver.run(2)?;
    /// assert_eq!(received.try_iter().collect::<Vec<_>>(), [Some(3), Some(3)]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_rdd<R: Outcome>(
        &self,
        f: impl Fn(Rdd<T>) -> R + Send + Sync + 'static,
    ) -> OutputHandle<T> {
        self.output("foreach_rdd", Location::caller(), move |rdd, _, _| user_code(|| f(rdd)))
    }

    /// Calls `f` on the driver with the RDD and the time of each batch.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let (times, received) = mpsc::channel();
    /// driver.input(batches![[1], []]).foreach_rdd_with(move |_, time| {
    ///     times.send(time.to_string()).map_err(millstream_core::Error::user)
    /// });
    /// driver.run(2)?;
    /// assert_eq!(received.try_iter().collect::<Vec<_>>(), ["1000 ms", "2000 ms"]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_rdd_with<R: Outcome>(
        &self,
        f: impl Fn(Rdd<T>, Time) -> R + Send + Sync + 'static,
    ) -> OutputHandle<T> {
        self.output("foreach_rdd", Location::caller(), move |rdd, time, _| user_code(|| f(rdd, time)))
    }

    /// Puts an output on the stream; `f` is given its name too, which is that of the jobs it runs on the caller's behalf.
    pub(super) fn output<R: Outcome>(
        &self,
        name: &'static str,
        place: &'static Location<'static>,
        f: impl Fn(Rdd<T>, Time, &Arc<Operator>) -> R + Send + Sync + 'static,
    ) -> OutputHandle<T> {
        let act: Act<T> = Arc::new(move |rdd, time, caller| Ok(f(rdd, time, caller).into_result()?));
        self.acting(name, place, act)
    }

    fn acting(&self, name: &'static str, place: &'static Location<'static>, act: Act<T>) -> OutputHandle<T> {
        let operator = Arc::new(self.graph().operator(name, &[self.any()], place));
        let stream = self.clone();
        let handle = OutputHandle::new(self.graph());
        let (policy, caller) = (Arc::clone(&handle.policy), Arc::clone(&operator));
        self.graph().add_output(|number| Output {
            number,
            operator,
            stream: self.any(),
            generate: Box::new(move |batch| {
                let Some(rdd) = stream.rdd(batch)? else { return Ok(None) };
                let policy = policy.lock().unwrap_or_else(PoisonError::into_inner);
                let put_aside = policy.put_aside.clone().map(|put_aside| {
                    let rdd = rdd.clone();
                    Box::new(move |failure: &FailedOutput| put_aside(&rdd, failure)) as _
                });
                let (act, caller) = (Arc::clone(&act), Arc::clone(&caller));
                let once = move || act(rdd.clone(), batch, &caller);
                Ok(Some(Run { once: Box::new(once), retry: policy.retry, put_aside }))
            }),
        });
        handle
    }
}
