//! `save_as_files`: write each partition to a file, in any format. All that saves stands on it.

use std::io;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::fs::{FileSystem, FileSystems, FsPath, OutputFormat, failed, is_not_found, write_file};
use crate::function::{self, CodeAddress};
use crate::operator::Operator;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::settings;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// What becomes of files that lie where an RDD is to be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// A directory that exists is an error, unless `spark.hadoop.validateOutputSpecs` is false.
    Refuse,
    /// The part files of the directory are replaced: saving twice is as saving once.
    Replace,
}

/// The file whose presence says that a directory is complete.
const SUCCESS: &str = "_SUCCESS";

/// The directory in the output's own in which tasks write.
const TEMPORARY: &str = "_temporary";

impl<T: Data> Rdd<T> {
    /// Writes each partition to a file `part-00000`, .. of a directory, in a format of one's own.
    ///
    /// Tasks write to `_temporary` in the directory. When all have succeeded, the file of one attempt of each is given
    /// its name, and last an empty file `_SUCCESS` is made; what failed attempts wrote is deleted. If the job fails nothing
    /// is left. On an object store a file is copied when it gets its name.
    ///
    /// # Errors
    /// If a task fails as often as it may, if the directory exists and is to be refused, or a file can not be written.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::fs::{Codec, TextFormat};
    /// use millstream_core::rdd::Existing;
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let directory = std::env::temp_dir().join(format!("save_as_files-{}", std::process::id()));
    /// let gzip = TextFormat { codec: Codec::Gzip };
    /// for n in 0..2 {
    ///     context.parallelize([n, n + 1], 1).save_as_files(&directory, gzip, Existing::Replace)?;
    /// }
    /// assert_eq!(context.text_file(&directory).collect()?, ["1", "2"]);
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_files<F: OutputFormat<T>>(
        &self,
        directory: impl AsRef<Path>,
        format: F,
        existing: Existing,
    ) -> Result<()> {
        self.save("save_as_files", Location::caller(), directory.as_ref(), format, existing)
    }

    pub(crate) fn save<F: OutputFormat<T>>(
        &self,
        name: &'static str,
        place: &'static Location<'static>,
        directory: &Path,
        format: F,
        existing: Existing,
    ) -> Result<()> {
        let directory = FsPath::from_path(directory)?;
        let output = Output::prepare(self.context(), name, place, directory, existing)?;
        let task = Save {
            parent: self.clone(),
            files: self.context().file_systems(),
            run: output.run.clone(),
            format,
        };
        let suffix = task.format.extension();
        let saved = Rdd::checked(self.context(), name, place, Ok(Box::new(task)), 0);
        let written = saved.run(name, saved.all_partitions(), (), |(), input, _| {
            let mut written = None;
            stream::drain(input, |chunk| {
                written = chunk.into_vec().pop();
                Ok(())
            })?;
            written.ok_or_else(|| Error::poisoned("a task that saves has saved nothing"))
        });
        let done = written.and_then(|written: Vec<FsPath>| output.commit(&written, &suffix));
        output.clean_up(done.is_err());
        done
    }
}

/// The directory of an output, while it is being written.
struct Output {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    /// Where the tasks of this job write.
    run: FsPath,
    /// Whether the directory was there before.
    was_there: bool,
    existing: Existing,
}

impl Output {
    fn prepare(
        context: &Context,
        name: &'static str,
        place: &'static Location<'static>,
        directory: FsPath,
        existing: Existing,
    ) -> Result<Self> {
        let system = context.file_systems().of(&directory)?;
        let is_there = system.exists(&directory)?;
        if is_there
            && existing == Existing::Refuse
            && context.conf().get(settings::HADOOP_VALIDATE_OUTPUT_SPECS)?
        {
            return Err(Error::Argument {
                operator: Operator::call(name, place).to_string(),
                problem: format!("the output directory {directory} already exists"),
                remedy: "delete it, name another, or set spark.hadoop.validateOutputSpecs=false".into(),
            });
        }
        if is_there && !system.status(&directory)?.is_dir {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(failed("saving to", &directory, error));
        }
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{}-{number}", now.as_millis(), std::process::id());
        let run = directory.join(TEMPORARY).join(&unique);
        Ok(Output { system, directory, run, was_there: is_there, existing })
    }

    /// Gives the files of the attempts that succeeded their names.
    fn commit(&self, written: &[FsPath], suffix: &str) -> Result<()> {
        let success = self.directory.join(SUCCESS);
        self.system.make_directories(&self.directory)?;
        self.system.delete(&success)?;
        let names: Vec<FsPath> =
            (0..written.len()).map(|at| self.directory.join(&format!("part-{at:05}{suffix}"))).collect();
        for (from, to) in written.iter().zip(&names) {
            self.system.rename(from, to)?;
        }
        if self.existing == Existing::Replace {
            // Without partitions there may be no directory, where directories are but beginnings of names.
            let files = match self.system.list(&self.directory) {
                Err(error) if is_not_found(&error) => Vec::new(),
                listed => listed?,
            };
            for file in files {
                if file.path.name().starts_with("part-") && !names.contains(&file.path) {
                    self.system.delete(&file.path)?;
                }
            }
        }
        self.system.create(&success)?.publish()
    }

    /// Deletes what is not part of the output; if it failed, also the directory if it was made for it.
    fn clean_up(&self, has_failed: bool) {
        let temporary = self.directory.join(TEMPORARY);
        // Another job may be writing to the directory too.
        let runs = self.system.list(&temporary).unwrap_or_default();
        let unneeded = if has_failed && !self.was_there {
            self.directory.clone()
        } else if runs.iter().all(|run| run.path == self.run) {
            temporary
        } else {
            self.run.clone()
        };
        if let Err(error) = self.system.delete(&unneeded) {
            tracing::warn!("left behind after saving to {}: {error}", self.directory);
        }
    }
}

/// An RDD whose partitions are the names of the files that its parent's were written to.
struct Save<T: Data, F> {
    parent: Rdd<T>,
    files: FileSystems,
    run: FsPath,
    format: F,
}

impl<T: Data, F: OutputFormat<T>> Compute<FsPath> for Save<T, F> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.parent.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<FsPath>> {
        // An attempt has a directory of its own, so that one given up can not touch what another writes.
        static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
        let attempt = format!(
            "attempt-{}-{}-{}-{}",
            task.stage_id(),
            task.attempt_number(),
            std::process::id(),
            ATTEMPTS.fetch_add(1, Ordering::Relaxed)
        );
        let name = format!("part-{partition:05}{}", self.format.extension());
        let path = self.run.join(&attempt).join(&name);
        let records = self.parent.stream(partition, task)?;
        write_file(&*self.files.of(&path)?, &path, &self.format, records)?.publish()?;
        Ok(stream::from_vec(vec![path]))
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data, F: OutputFormat<T>>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (run, format): (FsPath, F) = function::decode("output of files", from.env)?;
            let parent = Rdd::<T>::from_any(from.parent(0)?)?;
            let save = Save { parent, files: from.context.file_systems(), run, format };
            Ok(Rdd::from_compute(from.context, "save_as_files", save).any())
        }
        let rebuild: Rebuild = rebuild::<T, F>;
        let env = function::encode("output of files", &(&self.run, &self.format));
        Some(Recipe { build: CodeAddress::of::<(T, F)>(rebuild as usize), env })
    }
}
