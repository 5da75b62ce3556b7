//! `set_job_group` and what ends jobs before their time.

use super::Context;
use crate::ids::JobId;
use crate::scheduler::properties::{INTERRUPT_ON_CANCEL, JOB_DESCRIPTION, JOB_GROUP};
use crate::scheduler::state::Which;

impl Context {
    /// Puts the jobs that this thread starts from now on into a group, which [`cancel_job_group`](Context::cancel_job_group)
    /// ends.
    ///
    /// Tasks of a cancelled job stop at their next chunk of records. `interrupt_on_cancel` is kept as a property but a
    /// thread is never interrupted within a closure: one that runs for long should call
    /// [`TaskContext::check_cancelled`](crate::TaskContext::check_cancelled).
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use millstream_core::{Conf, Context, Error, TaskContext};
    ///
    /// static RUNNING: AtomicBool = AtomicBool::new(false);
    ///
    /// let context = Context::new(Conf::empty().set_master("local[1]"))?;
    /// context.set_job_group("slow", "waits for ever", false);
    /// let waiting = context.parallelize([0], 1).foreach_async(|_| -> Result<(), Error> {
    ///     loop {
    ///         RUNNING.store(true, Ordering::Relaxed);
    ///         TaskContext::get().map_or(Ok(()), |task| task.check_cancelled())?;
    ///         std::thread::yield_now();
    ///     }
    /// });
    /// while !RUNNING.load(Ordering::Relaxed) {
    ///     std::thread::yield_now();
    /// }
    /// context.cancel_job_group("slow");
    /// let error = waiting.wait().unwrap_err();
    /// assert!(matches!(error, Error::Cancelled { .. }));
    /// assert!(error.to_string().contains("job group `slow`"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_job_group(&self, group: &str, description: &str, interrupt_on_cancel: bool) {
        self.set_local_property(JOB_GROUP, group);
        self.set_local_property(JOB_DESCRIPTION, description);
        self.set_local_property(INTERRUPT_ON_CANCEL, if interrupt_on_cancel { "true" } else { "false" });
    }

    /// Takes the jobs that this thread starts from now on out of any group.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_job_group("nightly", "the nightly report", false);
    /// context.clear_job_group();
    /// assert_eq!(context.get_local_property("spark.jobGroup.id"), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn clear_job_group(&self) {
        for key in [JOB_GROUP, JOB_DESCRIPTION, INTERRUPT_ON_CANCEL] {
            self.set_local_property(key, None);
        }
    }

    /// Says what the jobs are that this thread starts from now on; `None` says nothing.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_job_description("counts words");
    /// assert_eq!(context.get_local_property("spark.job.description").as_deref(), Some("counts words"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_job_description<'a>(&self, description: impl Into<Option<&'a str>>) {
        self.set_local_property(JOB_DESCRIPTION, description);
    }

    /// Ends the running jobs of a group: their actions return [`Error::Cancelled`](crate::Error::Cancelled).
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Error;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_job_group("nightly", "the nightly report", false);
    /// let of_task = context.clone();
    /// let numbers = context.parallelize([1], 1).map(move |n| {
    ///     of_task.cancel_job_group("another"); // touches nothing
    ///     of_task.cancel_job_group("nightly");
    ///     n
    /// });
    /// assert!(matches!(numbers.collect(), Err(Error::Cancelled { .. })));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_job_group(&self, group: &str) {
        self.engine().cancel(Which::Group(group.to_owned()), None);
    }

    /// Ends the running jobs of a group and says why.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_job_group("nightly", "the nightly report", false);
    /// let of_task = context.clone();
    /// let numbers = context.parallelize([1], 1).map(move |n| {
    ///     of_task.cancel_job_group_with("nightly", "it is morning");
    ///     n
    /// });
    /// assert!(numbers.collect().is_err_and(|error| error.to_string().contains("it is morning")));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_job_group_with(&self, group: &str, reason: &str) {
        self.engine().cancel(Which::Group(group.to_owned()), Some(reason.to_owned()));
    }

    /// Ends all running jobs; those started later are not touched.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Error;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let of_task = context.clone();
    /// let numbers = context.parallelize([1], 1).map(move |n| {
    ///     of_task.cancel_all_jobs();
    ///     n
    /// });
    /// assert!(matches!(numbers.collect(), Err(Error::Cancelled { .. })));
    /// assert_eq!(context.parallelize([1], 1).collect()?, [1]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_all_jobs(&self) {
        self.engine().cancel(Which::All, None);
    }

    /// Ends a running job.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::{Error, TaskContext};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let of_task = context.clone();
    /// let numbers = context.parallelize([1], 1).map(move |n| {
    ///     if let Some(task) = TaskContext::get() {
    ///         of_task.cancel_job(task.job_id());
    ///     }
    ///     n
    /// });
    /// assert!(matches!(numbers.collect(), Err(Error::Cancelled { .. })));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_job(&self, job: JobId) {
        self.engine().cancel(Which::One(job), None);
    }

    /// Ends a running job and says why.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::TaskContext;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let of_task = context.clone();
    /// let numbers = context.parallelize([1], 1).map(move |n| {
    ///     if let Some(task) = TaskContext::get() {
    ///         of_task.cancel_job_with(task.job_id(), "enough was found");
    ///     }
    ///     n
    /// });
    /// assert!(numbers.collect().is_err_and(|error| error.to_string().contains("enough was found")));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_job_with(&self, job: JobId, reason: &str) {
        self.engine().cancel(Which::One(job), Some(reason.to_owned()));
    }
}
