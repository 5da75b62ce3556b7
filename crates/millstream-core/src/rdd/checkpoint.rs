//! `checkpoint`: write the partitions to files that outlive the program, and forget what they were computed from.

use std::panic::Location;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::actions::Existing;
use super::{AnyRdd, Compute, Dependency, Rdd};
use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::fs::{FsPath, ObjectFormat};

/// How far the checkpoint of an RDD has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is to be written after the next job.
    Wanted,
    /// It is being written.
    Writing,
    /// The RDD is read from there.
    Written,
}

/// The checkpoint of an RDD, if there is to be one.
#[derive(Default)]
pub struct Progress(Mutex<Option<Asked>>);

/// A checkpoint that was asked for.
#[derive(Clone)]
struct Asked {
    stage: Stage,
    directory: FsPath,
    /// Writes the RDD and has it read from there. An address, so that what writes and reads files is compiled for the
    /// records that are asked for only.
    write: fn(AnyRdd, &FsPath) -> Result<()>,
}

impl Progress {
    fn stage(&self) -> Option<Stage> {
        self.lock().as_ref().map(|asked| asked.stage)
    }

    /// Goes on from one stage to another; returns what was asked for if it was there.
    fn step(&self, from: Stage, to: Stage) -> Option<Asked> {
        let mut progress = self.lock();
        let asked = progress.as_mut().filter(|asked| asked.stage == from)?;
        asked.stage = to;
        Some(asked.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Data> Rdd<T> {
    /// Marks the RDD to be written to the directory of [`Context::set_checkpoint_dir`], and to be read from there.
    ///
    /// The files are written after the first job that uses the RDD, by a job of their own: persist the RDD, or it is
    /// computed twice. What it was computed from is forgotten then. The files stay when the program ends.
    ///
    /// # Errors
    /// If no directory is set. That the files can not be written is an error of the job that was to be followed by it.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let squares = context.parallelize(1..=3, 2).map(|n| n * n).persist();
    /// assert!(squares.checkpoint().unwrap_err().to_string().contains("set_checkpoint_dir"));
    /// let directory = std::env::temp_dir().join(format!("checkpoint-{}", std::process::id()));
    /// context.set_checkpoint_dir(&directory)?;
    /// squares.checkpoint()?;
    /// assert!(!squares.is_checkpointed());
    /// assert_eq!(squares.count()?, 3);
    /// assert!(squares.is_checkpointed());
    /// squares.unpersist();
    /// assert_eq!(squares.collect()?, [1, 4, 9]); // reads the files
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn checkpoint(&self) -> Result<()> {
        let Some(directory) = self.context().checkpoint_dir() else {
            return Err(Error::Argument {
                operator: format!("checkpoint at {}", Location::caller()),
                problem: "no directory for checkpoints is set".into(),
                remedy: "call `context.set_checkpoint_dir(directory)` first".into(),
            });
        };
        let mut progress = self.0.checkpoint.lock();
        if progress.is_none() {
            let directory = directory.join(&format!("rdd-{}", self.id()));
            *progress = Some(Asked { stage: Stage::Wanted, directory, write: write::<T> });
            self.context().any_checkpoints().store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Returns whether the RDD was written to files, or all of it is kept and its lineage forgotten.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(1..=3, 2).map(|n| n + 1).local_checkpoint();
    /// assert!(!numbers.is_checkpointed());
    /// numbers.count()?;
    /// assert!(numbers.is_checkpointed());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn is_checkpointed(&self) -> bool {
        self.0.checkpoint.stage() == Some(Stage::Written) || self.0.cache.lineage_is_cut()
    }

    /// Returns the directory the RDD was written to, if it was.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.parallelize(1..=3, 2).get_checkpoint_file(), None);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn get_checkpoint_file(&self) -> Option<String> {
        let progress = self.0.checkpoint.lock();
        let written = progress.as_ref().filter(|asked| asked.stage == Stage::Written);
        written.map(|asked| asked.directory.to_string())
    }

    /// Writes the RDD; returns how it is read from there.
    fn written_to(&self, path: &FsPath) -> Result<Arc<dyn Compute<T>>> {
        let (format, place) = (ObjectFormat::<T>::default(), Location::caller());
        let directory = PathBuf::from(path.to_string());
        self.save("checkpoint", place, &directory, format, Existing::Replace)?;
        let system = self.context().file_systems().of(path)?;
        let part = |partition: usize| system.status(&path.join(&format!("part-{partition:05}")));
        let files: Result<Vec<_>> = (0..self.num_partitions()).map(part).collect();
        let read = self.context().files_rdd("checkpoint", place, files, ObjectFormat::<T>::default(), 1);
        if let Some(defect) = &read.0.info.defect {
            return Err(defect.clone());
        }
        if read.num_partitions() != self.num_partitions() {
            let (written, read) = (self.num_partitions(), read.num_partitions());
            return Err(Error::poisoned(format!("a checkpoint of {written} partitions reads as {read}")));
        }
        Ok(read.0.compute())
    }
}

/// Writes an RDD of such records, and has it read from there.
fn write<T: Data>(rdd: AnyRdd, directory: &FsPath) -> Result<()> {
    let rdd = Rdd::<T>::from_any(rdd)?;
    rdd.0.compute_from(rdd.written_to(directory)?);
    Ok(())
}

/// Writes the checkpoints that are wanted of an RDD on which a job was run, or else of those it is computed from.
pub(crate) fn after_job(context: &Context, rdd: &AnyRdd) -> Result<()> {
    if !context.any_checkpoints().load(Ordering::Acquire) {
        return Ok(());
    }
    let mut seen = std::collections::HashSet::new();
    // Not recursive: a lineage may be thousands of RDDs deep.
    let mut open = vec![Arc::clone(rdd)];
    while let Some(rdd) = open.pop() {
        if !seen.insert(rdd.info().id) {
            continue;
        }
        let progress = rdd.checkpoint();
        match progress.stage() {
            Some(Stage::Wanted) => {
                let Some(asked) = progress.step(Stage::Wanted, Stage::Writing) else { continue };
                let written = (asked.write)(Arc::clone(&rdd), &asked.directory);
                let stage = if written.is_ok() { Stage::Written } else { Stage::Wanted };
                progress.step(Stage::Writing, stage);
                written?;
            }
            Some(Stage::Writing | Stage::Written) => {}
            None => open.extend(rdd.dependencies().iter().map(|dependency| match dependency {
                Dependency::Narrow(parent) => Arc::clone(parent),
                Dependency::Shuffle(shuffle) => shuffle.parent(),
            })),
        }
    }
    Ok(())
}
