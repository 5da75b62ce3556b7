//! `app_name`, `master`, `application_id` and the like: what a program and its run are called.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Context;

impl Context {
    /// Returns the name of the program: `spark.app.name`, else the name of its file.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// assert_eq!(Context::new(Conf::empty().set_app_name("counts"))?.app_name(), "counts");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn app_name(&self) -> String {
        // Checked when the context was made.
        self.conf().app_name().unwrap_or_default()
    }

    /// Returns where the tasks run, as `spark.master` says it.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// assert_eq!(Context::new(Conf::empty().set_master("local[2]"))?.master(), "local[2]");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn master(&self) -> String {
        // Checked when the context was made.
        self.conf().get(crate::settings::MASTER).unwrap_or_default()
    }

    /// Returns whether the tasks run on threads of this process.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(context.is_local());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.is_local
    }

    /// Returns what tells this context from all others, whatever their names, such as `local-1700000000000-8c1d70a3e2f94b05`.
    ///
    /// It begins as Spark's does, with the milliseconds of the start; what follows is another one in each context.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context};
    ///
    /// let (first, second) = (Context::new(Conf::empty())?, Context::new(Conf::empty())?);
    /// assert!(first.application_id().starts_with("local-"));
    /// assert_eq!(first.application_id(), first.clone().application_id());
    /// assert_ne!(first.application_id(), second.application_id());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn application_id(&self) -> String {
        let start = self.0.start_time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let kind = if self.is_local() { "local" } else { "app" };
        format!("{kind}-{}-{:016x}", start.as_millis(), self.number())
    }

    /// Returns when the context was made.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    ///
    /// let before = SystemTime::now();
    /// let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert!(context.start_time() >= before);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn start_time(&self) -> SystemTime {
        self.0.start_time
    }

    /// Returns the version of Millstream.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.version().split('.').count(), 3);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
