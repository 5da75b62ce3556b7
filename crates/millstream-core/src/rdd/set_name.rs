//! `set_name`, `name`: what an RDD is called where it is shown.

use super::Rdd;
use crate::data::Data;

impl<T: Data> Rdd<T> {
    /// Gives the RDD a name, for [`to_debug_string`](Rdd::to_debug_string) and for whoever shows RDDs.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let words = context.parallelize(["to", "be"].map(String::from), 1).set_name("words");
    /// assert_eq!(words.name().as_deref(), Some("words"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_name(&self, name: impl Into<String>) -> Rdd<T> {
        self.any().info().set_name(name.into());
        self.clone()
    }

    /// Returns the name the RDD was given, if it was.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize([1], 1).name(), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.any().info().name()
    }
}
