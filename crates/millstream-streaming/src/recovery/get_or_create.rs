//! `get_or_create`: go on where an earlier run of the program has ended.

use std::path::Path;
use std::sync::Mutex;

use millstream_core::fs::FsPath;

use super::checkpoint::Lease;
use super::checkpoint::store::Found;
use super::plan::Recovered;
use crate::context::StreamingContext;
use crate::error::{Error, Result};
use crate::time::Time;

impl StreamingContext {
    /// Writes checkpoints into a directory, so that [`get_or_create`](StreamingContext::get_or_create) can go on from there.
    ///
    /// The directory may lie on any file system that is registered, and is made if it is missing. A context that was not made by
    /// `get_or_create` begins anew whatever is there, and leaves the files of others alone. A manifest is written when a batch is
    /// generated and when it is completed; the setting `spark.streaming.checkpoint.directory` does the same as this call.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("checkpoint-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.streaming().checkpoint(&directory);
    /// driver.input(batches![[1], [2]]).print();
    /// driver.run(2)?;
    /// assert!(directory.join("checkpoint-2000").exists());
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn checkpoint(&self, directory: impl AsRef<Path>) {
        if let Err(error) = self.graph().recovery.set_directory(directory.as_ref()) {
            self.graph().problem_without_place(format!("checkpoint: {error}"));
        }
    }

    /// Goes on from the newest intact checkpoint of a directory; where there is none, begins anew and writes checkpoints there.
    ///
    /// Other than in Spark, `create` is called in both cases: no code is stored, and what was saved is bound to the operators
    /// that it describes by their ids. So its side effects happen at each start. Listeners and
    /// [`remember`](StreamingContext::remember) may be given to the context that is returned, settings to the one that `create` makes;
    /// named variables
    /// ([`Context::broadcast_named`](millstream_core::Context::broadcast_named)) have their saved values if they are asked for in the
    /// outputs, not in `create`. Settings of the new run win over those of
    /// the old one. The batches that were not completed run again with exactly their inputs, then those that were missed meanwhile, then the
    /// clock goes on.
    ///
    /// # Errors
    /// As `create` does; if there are checkpoints and none can be read; if another live process writes there.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    ///
    /// # let directory = std::env::temp_dir().join(format!("get_or_create-{}", std::process::id()));
    /// let create = || {
    ///     let streaming = StreamingContext::new(Conf::empty(), Duration::from_millis(10))?;
    ///     streaming.generator_stream(1, |_, _| 0..10).count().print();
    ///     Ok(streaming)
    /// };
    /// let streaming = StreamingContext::get_or_create(&directory, create)?;
    /// assert_eq!(streaming.recovered_from(), None);
    /// let running = streaming.start()?;
    /// running.await_termination_or_timeout(Duration::from_millis(50))?;
    /// running.stop(true, true)?;
    ///
    /// let again = StreamingContext::get_or_create(&directory, create)?;
    /// assert!(again.recovered_from().is_some());
    /// # drop(again);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn get_or_create(
        directory: impl AsRef<Path>,
        create: impl FnOnce() -> Result<StreamingContext>,
    ) -> Result<StreamingContext> {
        let streaming = create()?;
        if !streaming.find(directory.as_ref())? {
            streaming.graph().recovery.set_directory(directory.as_ref())?;
        }
        Ok(streaming)
    }

    /// Goes on from the newest intact checkpoint of a directory, like [`get_or_create`](StreamingContext::get_or_create), and
    /// never begins anew.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] if there is none, and as `get_or_create`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::{Error, StreamingContext};
    ///
    /// let create = || StreamingContext::new(Conf::empty(), Duration::from_secs(1));
    /// let refused = StreamingContext::recover("/no/such/directory", create);
    /// assert!(matches!(refused.err(), Some(Error::NoCheckpoint { .. } | Error::Core(_))));
    /// ```
    #[doc(alias = "getOrCreate")]
    pub fn recover(
        directory: impl AsRef<Path>,
        create: impl FnOnce() -> Result<StreamingContext>,
    ) -> Result<StreamingContext> {
        let directory = directory.as_ref();
        let streaming = create()?;
        if !streaming.find(directory)? {
            return Err(Error::NoCheckpoint { directory: directory.display().to_string() });
        }
        Ok(streaming)
    }

    /// Returns the last batch of the checkpoint that this context goes on from; nothing if it begins anew.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let streaming = millstream_streaming::StreamingContext::new(millstream_core::Conf::empty(), Duration::from_secs(1))?;
    /// assert_eq!(streaming.recovered_from(), None);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn recovered_from(&self) -> Option<Time> {
        self.graph().recovery.recovered().map(|recovered| recovered.manifest.time)
    }

    /// Looks for a checkpoint and takes note of it; returns whether there is one.
    pub(crate) fn find(&self, directory: &Path) -> Result<bool> {
        let graph = self.graph();
        let directory = FsPath::from_path(directory)?;
        let system = graph.context.file_systems().of(&directory)?;
        if Found::look(&*system, &directory)?.newest(&directory)?.is_none() {
            return Ok(false);
        }
        // Looked through once more under the lease: until now another process may have gone on from there.
        let lease = Lease::take(&system, &directory, &graph.program())?;
        let found = Found::look(&*system, &directory)?;
        let Some(usable) = found.usable(&*system, &directory)? else { return Ok(false) };
        usable.warn();
        graph.restore_variables(&*system, &directory, &usable.manifest)?;
        graph.recovery.recover(Recovered {
            directory,
            manifest: usable.manifest,
            lease: Mutex::new(Some(lease)),
            is_savepoint: false,
        });
        Ok(true)
    }
}
