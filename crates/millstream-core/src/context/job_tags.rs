//! `add_job_tag`: several names for the jobs of a thread.

use std::collections::BTreeSet;

use super::Context;
use crate::error::{Error, Result};
use crate::scheduler::properties::JOB_TAGS;
use crate::scheduler::state::Which;

impl Context {
    /// Gives a tag to the jobs that this thread starts from now on.
    ///
    /// # Errors
    /// If the tag is empty or has a comma.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.add_job_tag("two")?;
    /// context.add_job_tag("one")?;
    /// context.add_job_tag("two")?;
    /// assert!(context.get_job_tags().iter().eq(["one", "two"]));
    /// context.remove_job_tag("two")?;
    /// assert!(context.get_job_tags().iter().eq(["one"]));
    /// assert!(context.add_job_tag("foo,bar").is_err());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn add_job_tag(&self, tag: &str) -> Result<()> {
        check("add_job_tag", tag)?;
        let mut tags = self.get_job_tags();
        tags.insert(tag.to_owned());
        self.set_tags(&tags);
        Ok(())
    }

    /// Takes a tag from the jobs that this thread starts from now on.
    ///
    /// # Errors
    /// If the tag is empty or has a comma.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.add_job_tag("report")?;
    /// context.add_job_tag("nightly")?;
    /// context.remove_job_tag("report")?;
    /// assert!(context.get_job_tags().iter().eq(["nightly"]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn remove_job_tag(&self, tag: &str) -> Result<()> {
        check("remove_job_tag", tag)?;
        let mut tags = self.get_job_tags();
        tags.remove(tag);
        self.set_tags(&tags);
        Ok(())
    }

    /// Returns the tags of the jobs that this thread starts.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(context.get_job_tags().is_empty());
    /// context.add_job_tag("nightly")?;
    /// assert!(context.get_job_tags().contains("nightly"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_job_tags(&self) -> BTreeSet<String> {
        self.local_properties().tags().map(str::to_owned).collect()
    }

    /// Takes all tags from the jobs that this thread starts from now on.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.add_job_tag("report")?;
    /// context.add_job_tag("nightly")?;
    /// context.clear_job_tags();
    /// assert!(context.get_job_tags().is_empty());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn clear_job_tags(&self) {
        self.set_local_property(JOB_TAGS, None);
    }

    /// Ends the running jobs that have a tag.
    ///
    /// # Errors
    /// If the tag is empty or has a comma.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Error;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.add_job_tag("report")?;
    /// context.add_job_tag("nightly")?;
    /// let of_task = context.clone();
    /// let numbers = context.parallelize([1], 1).map(move |n| of_task.cancel_jobs_with_tag("nightly").map_or(0, |()| n));
    /// assert!(matches!(numbers.collect(), Err(Error::Cancelled { .. })));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn cancel_jobs_with_tag(&self, tag: &str) -> Result<()> {
        check("cancel_jobs_with_tag", tag)?;
        self.engine().cancel(Which::Tag(tag.to_owned()), None);
        Ok(())
    }

    fn set_tags(&self, tags: &BTreeSet<String>) {
        let tags = tags.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        self.set_local_property(JOB_TAGS, Some(tags.as_str()).filter(|tags| !tags.is_empty()));
    }
}

fn check(method: &str, tag: &str) -> Result<()> {
    let problem = match tag {
        "" => "a job tag can not be empty".to_owned(),
        tag if tag.contains(',') => format!("the job tag `{tag}` has a comma"),
        _ => return Ok(()),
    };
    Err(Error::Argument {
        operator: method.into(),
        problem,
        remedy: "give a name without commas; call it once for each tag".into(),
    })
}
