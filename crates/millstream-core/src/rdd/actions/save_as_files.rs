//! `save_as_files`: write each partition to a file, in any format. All that saves stands on it.

mod at_work;
mod parts;
mod saving;

use std::io;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::at_work::AtWork;
use self::parts::Written;
pub use self::saving::{Existing, Saving};
use crate::context::{Context, batch};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::fs::{FileSystem, FileSystems, FsPath, OutputFormat, failed, is_not_found};
use crate::function::{self, CodeAddress};
use crate::operator;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::settings;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// The name of the file whose presence says that a directory is complete.
pub const SUCCESS: &str = "_SUCCESS";

/// The directory in the output's own in which tasks write.
const TEMPORARY: &str = "_temporary";

/// How long a failed job waits for tasks that do not notice it: what they write after the cleaning up would be left behind.
const PATIENCE: Duration = Duration::from_secs(10);

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
    #[doc(alias("saveAsHadoopDataset", "saveAsNewAPIHadoopDataset"))]
    #[track_caller]
    pub fn save_as_files<F: OutputFormat<T>>(
        &self,
        directory: impl AsRef<Path>,
        format: F,
        saving: impl Into<Saving>,
    ) -> Result<()> {
        self.save("save_as_files", Location::caller(), directory.as_ref(), format, saving)
    }

    pub(crate) fn save<F: OutputFormat<T>>(
        &self,
        name: &'static str,
        place: &'static Location<'static>,
        directory: &Path,
        format: F,
        saving: impl Into<Saving>,
    ) -> Result<()> {
        let directory = FsPath::from_path(directory)?;
        let mut saving = saving.into();
        // What a batch of a stream saves it saves once more if it has to run again.
        if saving.existing == Existing::Refuse && batch().is_some() {
            saving.existing = Existing::Replace;
        }
        if saving.max_bytes == Some(0) {
            return Err(Error::Argument {
                operator: operator::blamed(name, place).to_string(),
                problem: "files of 0 bytes have no room for a record".into(),
                remedy: "ask for `max_bytes` of at least 1".into(),
            });
        }
        let output = Output::prepare(self.context(), name, place, directory, saving)?;
        let task = Save {
            parent: self.clone(),
            files: self.context().file_systems(),
            run: output.run.path().clone(),
            format,
            max_bytes: output.saving.max_bytes,
        };
        let suffix = task.format.extension();
        let saved = Rdd::checked(self.context(), name, place, Ok(Box::new(task)), 0);
        let written = saved.run(name, saved.all_partitions(), (), |(), input, _| {
            let mut written = Vec::new();
            stream::drain(input, |chunk| {
                written.extend(chunk.into_vec());
                Ok(())
            })?;
            Ok(written)
        });
        if let Err(error) = &written
            && !self.context().engine().wait_for_tasks_after(error, PATIENCE)
        {
            tracing::warn!("tasks still write to {} after their job has failed", output.run.path());
        }
        let done = written.and_then(|written: Vec<Vec<Written>>| output.commit(&written, &suffix));
        output.clean_up(done.is_err());
        done
    }
}

/// The directory of an output, while it is being written.
struct Output {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    /// Where the tasks of this job write.
    run: AtWork,
    /// Whether the directory was there before.
    was_there: bool,
    saving: Saving,
}

impl Output {
    fn prepare(
        context: &Context,
        name: &'static str,
        place: &'static Location<'static>,
        directory: FsPath,
        saving: Saving,
    ) -> Result<Self> {
        let system = context.file_systems().of(&directory)?;
        let is_there = system.exists(&directory)?;
        if is_there
            && saving.existing == Existing::Refuse
            && context.conf().get(settings::HADOOP_VALIDATE_OUTPUT_SPECS)?
        {
            return Err(Error::Argument {
                operator: operator::blamed(name, place).to_string(),
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
        let run = match (&saving.share, directory.parent()) {
            // Beside a directory that is shared, so that no one has to ask whether others are at work in it.
            (Some(_), Some(parent)) => parent.join(&format!("{}{unique}", beside(&directory))),
            _ => directory.join(TEMPORARY).join(&unique),
        };
        Ok(Output { system, directory, run: AtWork::of(run), was_there: is_there, saving })
    }

    /// Gives the files of the attempts that succeeded their names.
    fn commit(&self, written: &[Vec<Written>], suffix: &str) -> Result<()> {
        let Saving { existing, skip_empty, max_bytes, share } = &self.saving;
        let success = self.directory.join(SUCCESS);
        let mut files = written.iter().flatten();
        let nothing = *skip_empty && files.all(|file| file.records == 0);
        let files: &[Vec<Written>] = if nothing { &[] } else { written };
        let prefix = self.saving.prefix();
        let mut names = Vec::new();
        if !nothing {
            self.system.make_directories(&self.directory)?;
        }
        if share.is_none() {
            self.system.delete(&success)?;
        }
        for (partition, files) in files.iter().enumerate() {
            for (at, file) in files.iter().enumerate() {
                let number = max_bytes.map_or_else(String::new, |_| format!("-c{at:03}"));
                let name = self.directory.join(&format!("{prefix}{partition:05}{number}{suffix}"));
                failpoint::reach("save-before-rename");
                self.system.rename(&file.path, &name)?;
                failpoint::reach("save-after-rename");
                names.push(name);
            }
        }
        let mut there = Vec::new();
        if *existing == Existing::Replace || share.is_some() {
            there = match self.system.list(&self.directory) {
                // Without files there may be no directory, where directories are but beginnings of names.
                Err(error) if is_not_found(&error) => there,
                listed => listed?,
            };
        }
        if *existing == Existing::Replace {
            for file in &there {
                if file.path.name().starts_with(&prefix) && !names.contains(&file.path) {
                    self.system.delete(&file.path)?;
                }
            }
        }
        let has_files = || there.iter().any(|file| file.path.name().starts_with("part-"));
        if self.saving.completes() && (!nothing || share.is_some() && has_files()) {
            failpoint::reach("success-before-write");
            self.system.create(&success)?.publish()?;
            failpoint::reach("success-after-write");
        }
        Ok(())
    }

    /// Deletes what is not part of the output; also the directory, if it was made for one that failed or has no files.
    fn clean_up(&self, has_failed: bool) {
        let temporary = self.directory.join(TEMPORARY);
        let run = self.run.path();
        let has_others = || {
            let files = self.system.list(&self.directory).unwrap_or_default();
            files.into_iter().any(|file| file.path != temporary)
        };
        // By another program then, which came meanwhile.
        let is_complete = || self.system.exists(&self.directory.join(SUCCESS)).unwrap_or(true);
        let others_work = || {
            let runs = self.system.list(&temporary).unwrap_or_default();
            // The directory of a batch is one program's: what it left there when it was killed, nobody works at.
            let works = |other: &FsPath| batch().is_none() || AtWork::is(other);
            runs.into_iter().any(|other| other.path != *run && works(&other.path))
        };
        let unneeded = if self.saving.share.is_some() {
            self.sweep_beside();
            run.clone()
        } else if others_work() {
            // Another job is writing to the directory too.
            run.clone()
        } else if !self.was_there && (has_failed && !is_complete() || self.saving.skip_empty && !has_others())
        {
            self.directory.clone()
        } else {
            temporary
        };
        if let Err(error) = self.system.delete(&unneeded) {
            tracing::warn!("left behind after saving to {}: {error}", self.directory);
        }
    }

    /// Deletes what a program that was killed was writing beside the directory of a span: the directory of a batch is one program's.
    fn sweep_beside(&self) {
        let Some(parent) = self.directory.parent().filter(|_| batch().is_some()) else { return };
        if !at_work::is_new(&self.directory) {
            return;
        }
        let beside = beside(&self.directory);
        for other in self.system.list(&parent).unwrap_or_default() {
            let unique = other.path.name().strip_prefix(&beside).map(|unique| unique.split('-'));
            // The name of another directory may begin with that of this one.
            let is_a_run = unique.is_some_and(|mut unique| {
                unique.clone().count() == 3 && unique.all(|number| number.parse::<u128>().is_ok())
            });
            if is_a_run
                && !AtWork::is(&other.path)
                && let Err(error) = self.system.delete(&other.path)
            {
                tracing::warn!("left behind by a program that was killed: {error}");
            }
        }
    }
}

/// What the names of runs begin with that save into a directory which is shared.
fn beside(directory: &FsPath) -> String {
    format!("{TEMPORARY}-{}-", directory.name())
}

/// An RDD whose partitions are the files that its parent's were written to.
struct Save<T: Data, F> {
    parent: Rdd<T>,
    files: FileSystems,
    run: FsPath,
    format: F,
    max_bytes: Option<u64>,
}

impl<T: Data, F: OutputFormat<T>> Compute<Written> for Save<T, F> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.parent.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<Written>> {
        // An attempt has a directory of its own, so that one given up can not touch what another writes.
        static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
        let attempt = format!(
            "attempt-{}-{}-{}-{}",
            task.stage_id(),
            task.attempt_number(),
            std::process::id(),
            ATTEMPTS.fetch_add(1, Ordering::Relaxed)
        );
        let extension = self.format.extension();
        let attempt = self.run.join(&attempt);
        let path = |at: usize| attempt.join(&format!("part-{partition:05}-{at}{extension}"));
        let records = self.parent.stream(partition, task)?;
        let system = self.files.of(&attempt)?;
        parts::write(&*system, path, &self.format, records, self.max_bytes).map(stream::from_vec)
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data, F: OutputFormat<T>>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (run, format, max_bytes): (FsPath, F, Option<u64>) =
                function::decode("output of files", from.env)?;
            let parent = Rdd::<T>::from_any(from.parent(0)?)?;
            let save = Save { parent, files: from.context.file_systems(), run, format, max_bytes };
            Ok(Rdd::from_compute(from.context, "save_as_files", save).any())
        }
        let rebuild: Rebuild = rebuild::<T, F>;
        let env = function::encode("output of files", &(&self.run, &self.format, self.max_bytes));
        Some(Recipe { build: CodeAddress::of::<(T, F)>(rebuild as usize), env })
    }
}
