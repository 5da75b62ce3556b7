//! `savepoint`: a checkpoint that is asked for, kept for good, and can be started from by several programs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath};

use super::block_log::{BlockLog, LogNumbers};
use super::checkpoint::manifest::{SavedFile, SavedOperator};
use super::checkpoint::store::{Found, STATE};
use super::checkpoint::{CheckpointStore, Lease, data_file};
use super::checkpointer::Checkpointer;
use super::plan::Recovered;
use super::states::States;
use super::write_ahead_log::LogPosition;
use crate::context::StreamingContext;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::running::RunningContext;
use crate::time::Time;

impl RunningContext {
    /// Writes all that a program needs to go on from here into a directory, and returns the last batch that is in it.
    ///
    /// Other than a checkpoint it is whole, never deleted, and no one's: any number of programs may begin with it, by
    /// [`StreamingContext::from_savepoint`]. No batch is generated meanwhile. What receivers have received and no batch has completed
    /// is part of it if they have a log (`spark.streaming.receiver.writeAheadLog.enable`).
    ///
    /// # Errors
    /// If there is no checkpoint directory, no batch was completed yet, the streams are stopped, the directory holds checkpoints or a
    /// savepoint already, the files can not be written, or a transformation asks, whose batch it would wait for.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    /// use millstream_streaming::testing::{Driver, batches};
    ///
    /// # let place = std::env::temp_dir().join(format!("savepoint-{}", std::process::id()));
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// driver.input(batches![[1], [2]]).print();
    /// driver.streaming().checkpoint(place.join("checkpoints"));
    /// let steps = driver.start()?;
    /// let batch = steps.step()?;
    /// assert_eq!(steps.running.savepoint(place.join("mine"))?, batch);
    ///
    /// let create = || StreamingContext::new(Conf::empty(), Duration::from_secs(1));
    /// let other = StreamingContext::from_savepoint(place.join("mine"), create)?;
    /// assert_eq!(other.recovered_from(), Some(batch));
    /// # std::fs::remove_dir_all(&place).unwrap();
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    pub fn savepoint(&self, directory: impl AsRef<Path>) -> Result<Time> {
        self.ask_for_savepoint(FsPath::from_path(directory)?)
    }
}

impl StreamingContext {
    /// Begins with a savepoint, which is only read; checkpoints are written where `create` says, in a generation of their own.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`] if there is none, and as `create` does.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_core::Conf;
    /// use millstream_streaming::StreamingContext;
    ///
    /// let create = || StreamingContext::new(Conf::empty(), Duration::from_secs(1));
    /// assert!(StreamingContext::from_savepoint("/no/such/savepoint", create).is_err());
    /// ```
    pub fn from_savepoint(
        directory: impl AsRef<Path>,
        create: impl FnOnce() -> Result<StreamingContext>,
    ) -> Result<StreamingContext> {
        let streaming = create()?;
        streaming.find_savepoint(directory.as_ref())?;
        Ok(streaming)
    }

    fn find_savepoint(&self, directory: &Path) -> Result<()> {
        let graph = self.graph();
        let path = FsPath::from_path(directory)?;
        let system = graph.context.file_systems().of(&path)?;
        let found = Found::look(&*system, &path)?;
        let Some(usable) = found.usable(&*system, &path)? else {
            return Err(Error::NoCheckpoint { directory: directory.display().to_string() });
        };
        usable.warn();
        let manifest = usable.manifest;
        graph.restore_variables(&*system, &path, &manifest)?;
        let lease = Mutex::new(None);
        graph.recovery.recover(Recovered { directory: path, manifest, lease, is_savepoint: true });
        Ok(())
    }
}

impl Checkpointer {
    /// Writes a savepoint of what was completed, and of what the batches after it were made of.
    ///
    /// # Errors
    /// If the files can not be written.
    pub(crate) fn savepoint(&self, graph: &Graph, directory: &FsPath) -> Result<Time> {
        let Some(completed) = self.last_completed() else {
            return Err(millstream_core::Error::Argument {
                operator: "savepoint".into(),
                problem: "no batch was completed yet".into(),
                remedy: "wait for the first one, with `await_batch`".into(),
            }
            .into());
        };
        let system = graph.context.file_systems().of(directory)?;
        let found = Found::look(&*system, directory)?;
        // A program that goes on from a directory would take a savepoint in it for its own newest checkpoint.
        if !found.is_empty() || Lease::is_taken(&*system, directory)? {
            return Err(millstream_core::Error::Argument {
                operator: "savepoint".into(),
                problem: format!("{directory} holds checkpoints or another savepoint"),
                remedy: "name a directory of its own".into(),
            }
            .into());
        }
        failpoint::reach("savepoint-before-write");
        let mut store = CheckpointStore::new(Arc::clone(&system), directory.clone(), &found, None);
        let (states, not_asked_for) = (self.states(), self.not_asked_for());
        let kept = states.of_savepoint(graph, completed, not_asked_for);
        let kept = adopt(self.place(), (&*system, directory), store.generation, kept)?;
        let lineage = Arc::clone(&states.lineage);
        let mut states = States::new(Arc::clone(&system), directory.clone(), store.generation, lineage, kept);
        states.save_missing(graph, completed)?;
        failpoint::reach("savepoint-after-states");
        let mut manifest = self.manifest(graph, &states, &states.goes_on(not_asked_for));
        if let Some(log) = graph.receivers.blocks().log() {
            let (conf, clock) = (graph.context.conf(), Arc::clone(&graph.clock));
            let (at, generation) = (directory.clone(), store.generation);
            let there =
                BlockLog::new(conf, clock, Arc::clone(&system), at, generation, log.numbers().clone())?;
            there.begin_anew()?;
            log.copy_to(&there, manifest.block_log.as_ref(), manifest.oldest_needed)?;
            manifest.block_log = there.last_position();
            failpoint::reach("savepoint-after-blocks");
        }
        if let Some(file) = &manifest.variables {
            let to = (&*system, directory);
            manifest.variables = Some(copy(self.place(), to, file, store.generation, "variables")?);
        }
        let time = manifest.time;
        failpoint::reach("savepoint-before-publish");
        store.publish(manifest)?;
        failpoint::reach("savepoint-after-publish");
        Ok(time)
    }
}

/// Copies the received blocks of a savepoint into the log of a checkpoint directory; returns what was logged last.
///
/// # Errors
/// If one can not be read or written.
pub(crate) fn adopt_blocks(
    graph: &Graph,
    savepoint: &Recovered,
    to: &BlockLog,
) -> Result<Option<LogPosition>> {
    let Recovered { directory, manifest, .. } = savepoint;
    let (conf, clock) = (graph.context.conf(), Arc::clone(&graph.clock));
    let system = graph.context.file_systems().of(directory)?;
    let numbers = LogNumbers::new(&manifest.receivers, &graph.receivers_by_id());
    let from = BlockLog::new(conf, clock, system, directory.clone(), manifest.generation, numbers)?;
    to.begin_anew()?;
    from.copy_to(to, manifest.block_log.as_ref(), manifest.oldest_needed)?;
    Ok(to.last_position())
}

/// Refuses to begin with a savepoint without a checkpoint directory if it holds received blocks, which must lie in a log.
///
/// # Errors
/// [`millstream_core::Error::Argument`] if it does.
pub(crate) fn needs_no_directory(savepoint: &Recovered) -> Result<()> {
    if savepoint.manifest.block_log.is_none() {
        return Ok(());
    }
    Err(millstream_core::Error::Argument {
        operator: "from_savepoint".into(),
        problem: format!(
            "{} holds what receivers have received, and there is no place to log it",
            savepoint.directory
        ),
        remedy: "call `checkpoint` with a directory where the streams are described".into(),
    }
    .into())
}

/// Refuses to write checkpoints into the directory of the savepoint that is begun with, which is no one's.
///
/// # Errors
/// [`millstream_core::Error::Argument`] if it is that.
pub(crate) fn is_left_alone(savepoint: &Recovered, directory: &FsPath) -> Result<()> {
    if savepoint.directory != *directory {
        return Ok(());
    }
    Err(millstream_core::Error::Argument {
        operator: "from_savepoint".into(),
        problem: format!("checkpoints are to be written into {directory}, which is the savepoint"),
        remedy: "call `checkpoint` with a directory of its own".into(),
    }
    .into())
}

/// Copies a data file of a savepoint into a checkpoint directory.
///
/// # Errors
/// If it can not be read or written.
pub(crate) fn copy(
    from: (&dyn FileSystem, &FsPath),
    to: (&dyn FileSystem, &FsPath),
    file: &SavedFile,
    generation: u64,
    name: &str,
) -> Result<SavedFile> {
    let content = data_file::read(from.0, from.1, file)?;
    data_file::write(to.0, to.1, &format!("{STATE}/{generation}/savepoint-{name}"), &content)
}

/// Copies the data files of states from a checkpoint directory into another.
///
/// # Errors
/// If one can not be read or written.
pub(crate) fn adopt(
    from: (&dyn FileSystem, &FsPath),
    to: (&dyn FileSystem, &FsPath),
    generation: u64,
    mut operators: Vec<SavedOperator>,
) -> Result<Vec<SavedOperator>> {
    let states = operators.iter_mut().flat_map(|operator| &mut operator.states);
    for (number, file) in states.flat_map(|state| &mut state.files).enumerate() {
        *file = copy(from, to, file, generation, &number.to_string())?;
    }
    Ok(operators)
}
