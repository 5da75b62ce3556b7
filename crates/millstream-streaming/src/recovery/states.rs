//! Saves what stateful operators hold: now and then a snapshot, in between what has changed.
//!
//! The bytes are written by a thread of its own while batches go on, a piece whenever none is processed; a manifest names
//! them once they are written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use millstream_core::fs::{FileSystem, FsPath};

use super::checkpoint::data_file::{self, DataFile};
use super::checkpoint::manifest::{SavedFile, SavedOperator};
use super::checkpoint::store::STATE;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::state::{Blocks, StateVersion, StatefulOperator};
use crate::time::Time;

/// As many bytes make a data file, so that a large state is never in memory twice.
const FILE: u64 = 32 << 20;

/// How many changes may follow a snapshot before there is another.
const CHANGES: usize = 20;

/// What is saved of the stateful operators of a graph.
pub(crate) struct States {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    generation: u64,
    saved: BTreeMap<Arc<str>, Saved>,
    /// The save that is under way.
    writing: Option<JoinHandle<Result<Written>>>,
}

/// What a save has written, by operator.
type Written = Vec<(Arc<str>, Saved)>;

/// What is saved of an operator.
#[derive(Clone, Default)]
struct Saved {
    /// The batch whose state the files are.
    version: Option<Time>,
    files: Vec<SavedFile>,
    /// How many changes follow the snapshot, and the bytes of both.
    changes: usize,
    bytes_of_snapshot: u64,
    bytes_of_changes: u64,
    /// That state, for what changes after it.
    held: Option<Arc<dyn StateVersion>>,
}

impl States {
    /// Begins with what a manifest says to be saved.
    pub(crate) fn new(
        system: Arc<dyn FileSystem>,
        directory: FsPath,
        generation: u64,
        operators: &[SavedOperator],
    ) -> Self {
        let saved = operators.iter().map(|operator| {
            let saved =
                Saved { version: operator.version, files: operator.files.clone(), ..Saved::default() };
            (Arc::from(operator.id.as_str()), saved)
        });
        States { system, directory, generation, saved: saved.collect(), writing: None }
    }

    /// Takes up what was written meanwhile.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn look(&mut self) -> Result<()> {
        match &self.writing {
            Some(writing) if writing.is_finished() => self.wait(),
            _ => Ok(()),
        }
    }

    /// Waits for the save that is under way.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let written = writing.join().unwrap_or_else(|panic| Err(Error::panicked(&*panic)))?;
        self.saved.extend(written);
        Ok(())
    }

    /// Begins to save the states after a batch for which it is time.
    ///
    /// # Errors
    /// If the save before it failed, or there are no threads.
    pub(crate) fn save(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        let due: Vec<_> =
            graph.stateful().into_iter().filter(|operator| is_due(graph, &**operator, batch)).collect();
        if due.is_empty() {
            return Ok(());
        }
        self.wait()?;
        let batches_first = Arc::clone(&graph.batches_first);
        self.begin(due, batch, move || batches_first.make_way())
    }

    /// Saves all states after a batch, and waits until that is done.
    ///
    /// # Errors
    /// If they can not be written.
    pub(crate) fn save_all(&mut self, graph: &Graph, batch: Time) -> Result<()> {
        self.wait()?;
        let old = |operator: &Arc<dyn StatefulOperator>| {
            self.saved.get(&operator.id()).is_none_or(|saved| saved.version < Some(batch))
        };
        let stateful = graph.stateful().into_iter().filter(old).collect();
        // Whoever asked waits for it: there is no one to make way for.
        self.begin(stateful, batch, || {})?;
        self.wait()
    }

    /// Returns what a manifest is to say.
    pub(crate) fn operators(&self, graph: &Graph) -> Vec<SavedOperator> {
        let saved = |operator: Arc<dyn StatefulOperator>| {
            let id = operator.id();
            let saved = self.saved.get(&id).cloned().unwrap_or_default();
            let call = operator.operator();
            SavedOperator {
                id: id.to_string(),
                name: call.name.to_string(),
                place: format!("{}:{}:{}", call.file, call.line, call.column),
                schema: operator.fingerprint().clone(),
                version: saved.version,
                files: saved.files,
            }
        };
        graph.stateful().into_iter().map(saved).collect()
    }

    /// Returns the batch after which all that was made must be made again from its inputs, if there is any state.
    pub(crate) fn oldest(&self, graph: &Graph) -> Option<Time> {
        let zero = graph.zero().unwrap_or_default();
        let version = |operator: Arc<dyn StatefulOperator>| {
            self.saved.get(&operator.id()).and_then(|saved| saved.version).unwrap_or(zero)
        };
        graph.stateful().into_iter().map(version).min()
    }

    /// Writes states on a thread of its own, which calls `pause` after each short piece of work.
    fn begin(
        &mut self,
        operators: Vec<Arc<dyn StatefulOperator>>,
        batch: Time,
        pause: impl Fn() + Send + 'static,
    ) -> Result<()> {
        let mut work = Vec::new();
        for operator in operators {
            // One whose window was not due has none; what was saved before stays good, since its inputs are kept.
            let Some(version) = operator.version(batch) else { continue };
            let before = self.saved.get(&operator.id()).cloned().unwrap_or_default();
            work.push((operator.id(), operator.partitions(), version, before));
        }
        let (system, directory) = (Arc::clone(&self.system), self.directory.clone());
        let generation = self.generation;
        let name = "streaming-checkpoint-writer";
        let write = move || {
            let write =
                |(id, partitions, version, before): (Arc<str>, usize, Arc<dyn StateVersion>, Saved)| {
                    let prefix = format!("{STATE}/{generation}/{:016x}-{}", hash(&id), batch.as_millis());
                    let place = (&*system, &directory);
                    let files = Files { place, prefix: &prefix, pause: &pause, files: Vec::new() };
                    Ok((id, files.save(partitions, version, before)?))
                };
            work.into_iter().map(write).collect()
        };
        let spawned = thread::Builder::new().name(name.into()).spawn(write);
        self.writing = Some(spawned.map_err(|error| Error::thread(name, error))?);
        Ok(())
    }
}

/// Returns whether an operator is to be saved after a batch.
fn is_due(graph: &Graph, operator: &dyn StatefulOperator, batch: Time) -> bool {
    let zero = graph.zero().unwrap_or_default();
    let interval = graph.checkpoint_interval(&operator.operator());
    batch.floor_from(interval, zero) == batch
}

/// Returns how often a state is saved unless the program says so: the smallest multiple of its slide that is at least ten
/// seconds, as in Spark.
pub(crate) fn default_interval(slide: Duration) -> Duration {
    let slide = slide.max(Duration::from_millis(1));
    let times = Duration::from_secs(10).as_millis().div_ceil(slide.as_millis());
    slide.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX).max(1))
}

/// Names the files of an operator: its id may hold what no file name may.
fn hash(id: &str) -> u64 {
    // FNV-1a, written out because it must never change.
    id.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The files of a save.
struct Files<'a> {
    place: (&'a dyn FileSystem, &'a FsPath),
    prefix: &'a str,
    pause: &'a dyn Fn(),
    files: Vec<SavedFile>,
}

impl Files<'_> {
    fn save(mut self, partitions: usize, version: Arc<dyn StateVersion>, before: Saved) -> Result<Saved> {
        let changes = || -> Option<Vec<Blocks>> {
            let earlier = before.held.as_deref()?;
            (0..partitions).map(|partition| version.changes_since(earlier, partition)).collect()
        };
        let grown = before.changes >= CHANGES || before.bytes_of_changes > before.bytes_of_snapshot;
        let changes = (before.version.is_some() && !grown).then(changes).flatten();
        let is_snapshot = changes.is_none();
        let all = || (0..partitions).map(|partition| version.snapshot(partition)).collect();
        self.write(changes.unwrap_or_else(all))?;
        let bytes = self.files.iter().map(|file| file.bytes).sum();
        let time = Some(version.time());
        if is_snapshot {
            let files = self.files;
            let bytes_of_snapshot = bytes;
            return Ok(Saved {
                version: time,
                files,
                bytes_of_snapshot,
                held: Some(version),
                ..Saved::default()
            });
        }
        Ok(Saved {
            version: time,
            files: before.files.into_iter().chain(self.files).collect(),
            changes: before.changes + 1,
            bytes_of_snapshot: before.bytes_of_snapshot,
            bytes_of_changes: before.bytes_of_changes + bytes,
            held: Some(version),
        })
    }

    fn write(&mut self, partitions: Vec<Blocks>) -> Result<()> {
        let mut file = DataFile::new()?;
        let mut blocks = partitions.into_iter().flatten();
        loop {
            (self.pause)();
            let Some(block) = blocks.next().transpose()? else { break };
            if block.entries == 0 {
                continue;
            }
            file.push(&(block.bytes.len() as u64).to_le_bytes())?;
            file.push(&block.bytes)?;
            if file.length() >= FILE {
                self.publish(std::mem::replace(&mut file, DataFile::new()?))?;
            }
        }
        if file.length() == 0 { Ok(()) } else { self.publish(file) }
    }

    fn publish(&mut self, file: DataFile) -> Result<()> {
        let name = format!("{}-{}", self.prefix, self.files.len());
        self.files.push(file.publish(self.place.0, self.place.1, &name, self.pause)?);
        Ok(())
    }
}

/// Calls `each` with the blocks of a data file.
///
/// # Errors
/// If it is not whole, or as `each` does.
pub(crate) fn read(
    system: &dyn FileSystem,
    directory: &FsPath,
    file: &SavedFile,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let content = data_file::read(system, directory, file)?;
    let mut rest = &content[..];
    while let Some((length, more)) = rest.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((block, more)) = more.split_at_checked(length) else { break };
        each(block)?;
        rest = more;
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(Error::Damaged {
        file: directory.join(&file.name).to_string(),
        problem: "a block of a state is not whole".into(),
        remedy: "bring the file back from a copy, or start from another savepoint".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_saved_every_ten_seconds_or_more() {
        let seconds = |slide| default_interval(Duration::from_millis(slide)).as_millis();
        assert_eq!(
            [seconds(1000), seconds(3000), seconds(20_000), seconds(1)],
            [10_000, 12_000, 20_000, 10_000]
        );
    }

    #[test]
    fn names_of_files_do_not_change() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
    }
}
