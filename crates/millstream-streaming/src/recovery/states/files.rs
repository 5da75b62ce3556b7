//! The files of a save.

use millstream_core::fs::{FileSystem, FsPath};

use super::saved::Merged;
use crate::error::Result;
use crate::recovery::checkpoint::data_file::DataFile;
use crate::recovery::checkpoint::manifest::{SavedFile, SavedKind, SavedState};
use crate::recovery::state_file::StateFile;
use crate::scheduler::Pace;
use crate::state::{Blocks, StateVersion, StatefulOperator};

/// As many bytes make a data file, so that a large state is never in memory twice.
const FILE: u64 = 32 << 20;

/// Writes the files of what is saved together, in short pieces.
pub(super) struct Files<'a> {
    place: (&'a dyn FileSystem, &'a FsPath),
    prefix: String,
    pace: &'a Pace,
    file: Option<DataFile>,
    written: Vec<SavedFile>,
}

impl<'a> Files<'a> {
    /// Makes no file yet; the names of all will begin with `prefix`.
    pub(super) fn new(place: (&'a dyn FileSystem, &'a FsPath), prefix: String, pace: &'a Pace) -> Self {
        Files { place, prefix, pace, file: None, written: Vec::new() }
    }

    /// Saves what has changed since an earlier version, or all of it.
    pub(super) fn save(
        mut self,
        operator: &dyn StatefulOperator,
        version: &dyn StateVersion,
        earlier: Option<&dyn StateVersion>,
    ) -> Result<SavedState> {
        let partitions = 0..operator.partitions();
        let changes = earlier.and_then(|earlier| {
            let of_partition = |partition| version.changes_since(earlier, partition);
            partitions.clone().map(of_partition).collect::<Option<Vec<Blocks>>>()
        });
        let kind = match changes {
            Some(_) => SavedKind::Changes,
            None => SavedKind::Snapshot(operator.fingerprint().clone()),
        };
        let blocks =
            changes.unwrap_or_else(|| partitions.map(|partition| version.snapshot(partition)).collect());
        let mut blocks = blocks.into_iter().flatten();
        loop {
            // Under the lock of a partition, which a batch would have to wait for.
            let Some(block) = self.pace.piece(|| blocks.next()).transpose()? else { break };
            if block.entries > 0 {
                self.push(&block.bytes)?;
            }
        }
        Ok(SavedState { batch: version.time(), kind, files: self.finish()?, merged: 0 })
    }

    /// Writes changes that follow each other as one; those of a key stay in their order.
    ///
    /// # Errors
    /// If it can not be written.
    pub(super) fn merge(mut self, run: &[SavedState]) -> Result<Option<Merged>> {
        let Some(last) = run.last() else { return Ok(None) };
        let of = run.len();
        for saved in run.iter().flat_map(|state| &state.files) {
            let file = match StateFile::read(self.place.0, self.place.1, saved) {
                Ok(file) => file,
                Err(error) => {
                    tracing::warn!("{error}; the next checkpoint saves the whole state");
                    return Ok(Some(Merged { of, into: None }));
                }
            };
            for block in file.blocks() {
                self.pace.make_way();
                self.push(block)?;
            }
        }
        let (batch, merged, kind) = (last.batch, last.merged + 1, SavedKind::Changes);
        let into = SavedState { batch, kind, files: self.finish()?, merged };
        Ok(Some(Merged { of, into: Some(into) }))
    }

    fn push(&mut self, block: &[u8]) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(DataFile::new()?),
        };
        file.push(&(block.len() as u64).to_le_bytes())?;
        file.push(block)?;
        if file.length() >= FILE { self.publish() } else { Ok(()) }
    }

    fn publish(&mut self) -> Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let name = format!("{}-{}", self.prefix, self.written.len());
        self.written.push(file.publish(self.place.0, self.place.1, &name, self.pace)?);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<SavedFile>> {
        self.publish()?;
        Ok(self.written)
    }
}
