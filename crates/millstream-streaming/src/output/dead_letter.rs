//! `dead_letter`: put the records of a batch aside that an output failed on, and go on.

use std::fmt::Write as _;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use millstream_core::fs::{Codec, FsPath, ObjectFormat, OutputFormat, TextFormat, failed};
use millstream_core::operator::{Operator, user_code};
use millstream_core::rdd::Existing;
use millstream_core::{Data, Outcome, Rdd, Show};

use super::OutputHandle;
use super::handle::PutAside;
use crate::error::Error;
use crate::time::Time;

/// A batch that an output has failed on for good.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FailedOutput {
    /// The number of the output operation, in the order of their definition.
    pub output: usize,
    /// The operation, with the file and line of its call.
    pub operator: Operator,
    /// The time of the batch.
    pub batch: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt failed with.
    pub cause: Error,
}

/// The file of a dead letter that says what has failed; its name is hidden from those who read the records.
const FAILURE: &str = "_failure.txt";

impl<T: Data> OutputHandle<T> {
    /// Saves the records of a batch that the output failed on, to be read with `object_file`, and goes on with the next batch.
    ///
    /// A batch has a directory of its own, `DIRECTORY/OUTPUT-NUMBER-TIME_IN_MS`, with the records as object files, and
    /// `_failure.txt`, which names the operator with its file and line, the batch, the attempts and the cause. Listeners are
    /// told of the failure. If [`retry`](Self::retry) is set it goes first.
    ///
    /// Records that can not be computed, because a closure on the stream itself fails, can not be saved either: the
    /// streams then end with both errors, and `_failure.txt` alone is left.
    ///
    /// # Panics
    /// If the context has been started.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::{Conf, Context};
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let directory = std::env::temp_dir().join(format!("dead_letter-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let numbers = driver.input(batches![[1, 2], [3]]);
    /// let output = numbers.foreach_rdd(|rdd| if rdd.count()? > 1 { Err("too many".into()) } else { Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) });
    /// output.dead_letter(&directory);
    /// driver.run(2)?;
    /// let dead = directory.join("foreach_rdd-0-1000");
    /// assert_eq!(Context::new(Conf::empty())?.object_file::<i32>(&dead).collect()?, [1, 2]);
    /// assert!(std::fs::read_to_string(dead.join("_failure.txt")).unwrap().ends_with("cause: too many\n"));
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn dead_letter(self, directory: impl Into<PathBuf>) -> Self {
        let put_aside = saving(directory.into(), ObjectFormat::<T>::default());
        self.change("dead_letter", Location::caller(), |policy| policy.put_aside = Some(put_aside))
    }

    /// Saves the records of a batch that the output failed on as lines of text, and goes on with the next batch; otherwise
    /// as [`dead_letter`](Self::dead_letter).
    ///
    /// # Panics
    /// If the context has been started.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// # let directory = std::env::temp_dir().join(format!("dead_letter_as_text-{}", std::process::id()));
    /// let output = driver.input(batches![[1, 2], [3]]).foreach_rdd(|rdd| match rdd.count() {
    ///     Ok(2) => Err("too many"),
    ///     _ => Ok(()),
    /// });
    /// output.dead_letter_as_text(&directory);
    /// driver.run(2)?;
    /// let dead = directory.join("foreach_rdd-0-1000");
    /// let context = millstream_core::Context::new(Conf::empty())?;
    /// assert_eq!(context.text_file(dead.join("part-*")).collect()?, ["1", "2"]);
    /// # std::fs::remove_dir_all(&directory).map_err(millstream_core::Error::user)?;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn dead_letter_as_text(self, directory: impl Into<PathBuf>) -> Self
    where
        T: Show,
    {
        let put_aside = saving(directory.into(), TextFormat { codec: Codec::None });
        self.change("dead_letter_as_text", Location::caller(), |policy| policy.put_aside = Some(put_aside))
    }

    /// Calls `f` on the driver with a batch that the output failed on, and goes on with the next batch unless `f` returns an
    /// error.
    ///
    /// # Panics
    /// If the context has been started.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// let (tell, told) = mpsc::channel();
    /// let output = driver.input(batches![[1, 2], [3]]).foreach_rdd(|_| Err::<(), _>("never"));
    /// output.dead_letter_with(move |rdd, failure| {
    ///     let _ = tell.send((failure.batch.as_millis(), rdd.collect()?));
    ///     Ok::<(), millstream_core::Error>(())
    /// });
    /// driver.run(2)?;
    /// assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1000, vec![1, 2]), (2000, vec![3])]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn dead_letter_with<R: Outcome>(
        self,
        f: impl Fn(&Rdd<T>, &FailedOutput) -> R + Send + Sync + 'static,
    ) -> Self {
        let put_aside: PutAside<T> =
            Arc::new(move |rdd, failure| Ok(user_code(|| f(rdd, failure)).into_result()?));
        self.change("dead_letter_with", Location::caller(), |policy| policy.put_aside = Some(put_aside))
    }
}

fn saving<T: Data, F: OutputFormat<T>>(directory: PathBuf, format: F) -> PutAside<T> {
    Arc::new(move |rdd, failure| {
        let FailedOutput { output, operator, batch, .. } = failure;
        let directory = directory.join(format!("{}-{output}-{}", operator.name, batch.as_millis()));
        // First, so that it is there even if the records can not be had.
        let path = FsPath::from_path(&directory)?.join(FAILURE);
        let mut file = rdd.context().file_systems().of(&path)?.create(&path)?;
        std::io::Write::write_all(&mut file, failure.text().as_bytes())
            .map_err(|error| failed("writing", &path, error))?;
        file.publish()?;
        // A repeated batch must write again what it wrote before.
        Ok(rdd.save_as_files(&directory, format.clone(), Existing::Replace)?)
    })
}

impl FailedOutput {
    fn text(&self) -> String {
        let FailedOutput { output, operator, batch, attempts, cause } = self;
        let mut text = format!("operator: {operator}\n");
        if let Some(id) = &operator.id {
            // Writing to a string can not fail.
            let _ = writeln!(text, "id: {id}");
        }
        let _ = write!(text, "output: {output}\nbatch: {batch}\nattempts: {attempts}\ncause: {cause}\n");
        text
    }
}
