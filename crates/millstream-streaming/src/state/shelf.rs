//! Some consecutive records of a table, in memory or on disk.

use std::sync::Arc;

use millstream_core::storage::disk::SpillFile;
use millstream_core::storage::size_estimate::estimate_all;
use millstream_core::{Data, Result, stream};

use super::room::Room;

/// Records that lie in memory, on disk, or in both places as long as nothing changes them. Readers share them.
pub(super) struct Shelf<T> {
    memory: Option<Arc<Vec<T>>>,
    disk: Option<Arc<SpillFile>>,
    /// What those in memory take, about.
    bytes: usize,
}

impl<T: Data> Shelf<T> {
    pub(super) fn new(records: Vec<T>) -> Self {
        let bytes = estimate_all(&records);
        Shelf { memory: Some(Arc::new(records)), disk: None, bytes }
    }

    /// Returns the records, if they lie in memory.
    #[inline(always)]
    pub(super) fn in_memory(&self) -> Option<&Arc<Vec<T>>> {
        self.memory.as_ref()
    }

    /// Returns how many bytes of memory it takes, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether somebody reads the records that lie in memory.
    pub(super) fn is_read(&self) -> bool {
        self.memory.as_ref().is_some_and(|records| Arc::strong_count(records) > 1)
    }

    /// Reads the records from where they lie.
    pub(super) fn read(&self) -> Result<Arc<Vec<T>>> {
        if let Some(records) = &self.memory {
            return Ok(Arc::clone(records));
        }
        let mut records = Vec::new();
        if let Some(file) = &self.disk {
            stream::drain(file.read::<T>()?, |chunk| {
                records.append(&mut chunk.into_vec());
                Ok(())
            })?;
        }
        Ok(Arc::new(records))
    }

    /// Brings the records into memory.
    pub(super) fn load(&mut self) -> Result<()> {
        if self.memory.is_none() {
            let records = self.read()?;
            self.bytes = estimate_all(&records);
            self.memory = Some(records);
        }
        Ok(())
    }

    /// Returns the records, which lie in memory, to be changed by somebody who says how their size changes. Readers keep
    /// what they have.
    #[inline]
    pub(super) fn change(&mut self) -> &mut Vec<T> {
        self.disk = None;
        Arc::make_mut(self.memory.get_or_insert_default())
    }

    pub(super) fn set_bytes(&mut self, bytes: usize) {
        self.bytes = bytes;
    }

    /// Returns the same records, as far as they lie on disk.
    pub(super) fn on_disk(&self) -> Option<Self> {
        let disk = Some(Arc::clone(self.disk.as_ref()?));
        Some(Shelf { memory: None, disk, bytes: 0 })
    }

    /// Leaves memory for the disk; returns how many bytes that frees.
    pub(super) fn leave(&mut self, room: &Room) -> Result<usize> {
        if let Some(records) = self.memory.as_ref().filter(|_| self.disk.is_none()) {
            self.disk = Some(room.write(records)?);
        }
        self.memory = None;
        Ok(std::mem::take(&mut self.bytes))
    }

    /// Returns the memory of records that nobody reads, to be used again.
    pub(super) fn into_memory(self) -> Option<Vec<T>> {
        let mut records = Arc::into_inner(self.memory?)?;
        records.clear();
        Some(records)
    }
}
