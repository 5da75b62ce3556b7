//! Properties of a job: what the thread that starts it has set, under Spark's keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The key of the group a job belongs to.
pub(crate) const JOB_GROUP: &str = "spark.jobGroup.id";
/// The key of what a job is, in words.
pub(crate) const JOB_DESCRIPTION: &str = "spark.job.description";
/// The key of whether tasks are to be interrupted when the group is cancelled.
pub(crate) const INTERRUPT_ON_CANCEL: &str = "spark.job.interruptOnCancel";
/// The key of the tags of a job, between commas.
pub(crate) const JOB_TAGS: &str = "spark.job.tags";
/// The key of the pool that a job takes its worker threads from.
pub(crate) const POOL: &str = "spark.scheduler.pool";

/// The local properties of a thread, which the jobs it starts take along.
///
/// Cloning is shallow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalProperties(Option<Arc<BTreeMap<String, String>>>);

impl LocalProperties {
    /// Returns a property.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_job_description("counts words");
    /// let properties = context.local_properties();
    /// assert_eq!(properties.get("spark.job.description"), Some("counts words"));
    /// assert_eq!(properties.get("spark.jobGroup.id"), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref()?.get(key).map(String::as_str)
    }

    /// Sets a property, or removes it.
    pub(crate) fn set(&mut self, key: &str, value: Option<&str>) {
        match (value, &mut self.0) {
            (Some(value), properties) => {
                let properties = Arc::make_mut(properties.get_or_insert_default());
                properties.insert(key.to_owned(), value.to_owned());
            }
            (None, Some(properties)) if properties.contains_key(key) => {
                Arc::make_mut(properties).remove(key);
            }
            (None, _) => {}
        }
    }

    /// Returns the tags of a job.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.get(JOB_TAGS).into_iter().flat_map(|tags| tags.split(',')).filter(|tag| !tag.is_empty())
    }
}
