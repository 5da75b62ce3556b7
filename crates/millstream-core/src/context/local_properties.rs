//! `set_local_property`: what the jobs of this thread take along.

use std::cell::RefCell;

use super::Context;
pub use crate::scheduler::properties::LocalProperties;

thread_local! {
    /// By context; few have any.
    static PROPERTIES: RefCell<Vec<(u64, LocalProperties)>> = const { RefCell::new(Vec::new()) };
}

impl Context {
    /// Sets a property of the jobs that this thread starts, such as `spark.scheduler.pool`; `None` removes it.
    ///
    /// Threads that this one starts do not inherit it, but asynchronous actions do, and the outputs of streams inherit what
    /// the thread had set that started them; elsewhere use [`with_local_properties`](Context::with_local_properties).
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_local_property("spark.scheduler.pool", "reports");
    /// assert_eq!(context.get_local_property("spark.scheduler.pool").as_deref(), Some("reports"));
    /// context.set_local_property("spark.scheduler.pool", None);
    /// assert_eq!(context.get_local_property("spark.scheduler.pool"), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn set_local_property<'a>(&self, key: &str, value: impl Into<Option<&'a str>>) {
        let value = value.into();
        PROPERTIES.with_borrow_mut(|all| {
            match all.iter_mut().find(|(context, _)| *context == self.number()) {
                Some((_, properties)) => properties.set(key, value),
                None => {
                    let mut properties = LocalProperties::default();
                    properties.set(key, value);
                    all.push((self.number(), properties));
                }
            }
        });
    }

    /// Returns a property that this thread has set.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_local_property("spark.scheduler.pool", "reports");
    /// assert_eq!(context.get_local_property("spark.scheduler.pool").as_deref(), Some("reports"));
    /// assert_eq!(context.get_local_property("spark.jobGroup.id"), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_local_property(&self, key: &str) -> Option<String> {
        self.local_properties().get(key).map(str::to_owned)
    }

    /// Returns all properties that this thread has set, to be used on another.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_local_property("spark.scheduler.pool", "reports");
    /// assert_eq!(context.local_properties().get("spark.scheduler.pool"), Some("reports"));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn local_properties(&self) -> LocalProperties {
        PROPERTIES.with_borrow(|all| {
            let own = all.iter().find(|(context, _)| *context == self.number());
            own.map(|(_, properties)| properties.clone()).unwrap_or_default()
        })
    }

    /// Runs `f` with the properties of another thread; this thread has its own again when it ends.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// context.set_job_group("nightly", "the nightly report", false);
    /// let properties = context.local_properties();
    /// std::thread::scope(|scope| {
    ///     let thread = scope.spawn(|| {
    ///         context.with_local_properties(properties, || context.get_local_property("spark.jobGroup.id"))
    ///     });
    ///     assert_eq!(thread.join().unwrap().as_deref(), Some("nightly"));
    /// });
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn with_local_properties<R>(&self, properties: LocalProperties, f: impl FnOnce() -> R) -> R {
        struct Leave<'a>(&'a Context, LocalProperties);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.replace(std::mem::take(&mut self.1));
            }
        }
        let _leave = Leave(self, self.replace(properties));
        f()
    }

    fn replace(&self, properties: LocalProperties) -> LocalProperties {
        PROPERTIES.with_borrow_mut(|all| {
            let at = all.iter().position(|(context, _)| *context == self.number());
            let old = at.map(|at| all.swap_remove(at).1).unwrap_or_default();
            if properties != LocalProperties::default() {
                all.push((self.number(), properties));
            }
            old
        })
    }
}
