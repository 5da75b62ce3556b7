//! The keys of a shelf, or their states: in memory or on disk.

use std::sync::Arc;

use millstream_core::storage::disk::SpillFile;
use millstream_core::storage::size_estimate::{estimate, estimate_all};
use millstream_core::{Data, Result, stream};

use super::room::Room;

/// Records that lie in memory, on disk, or in both places as long as nothing changes them. Readers share them.
pub(super) struct Column<T> {
    memory: Option<Arc<Vec<T>>>,
    disk: Option<Arc<SpillFile>>,
    /// What those in memory take, about.
    bytes: usize,
}

impl<T: Data> Column<T> {
    pub(super) fn new(records: Vec<T>) -> Self {
        let bytes = estimate_all(&records);
        Column { memory: Some(Arc::new(records)), disk: None, bytes }
    }

    /// Returns the records, if they lie in memory.
    #[inline(always)]
    pub(super) fn in_memory(&self) -> Option<&[T]> {
        self.memory.as_ref().map(|records| records.as_slice())
    }

    /// Returns how many bytes of memory it takes, about.
    #[inline(always)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
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

    /// Puts a record, where records lie in memory, in the place of one of them or behind the last; returns what lay there.
    /// Readers keep what they have.
    #[inline]
    pub(super) fn put(&mut self, place: usize, record: T) -> Option<T> {
        self.disk = None;
        let more = estimate(&record);
        let records = Arc::make_mut(self.memory.get_or_insert_default());
        let left = match records.get_mut(place) {
            Some(there) => Some(std::mem::replace(there, record)),
            None => {
                records.push(record);
                None
            }
        };
        let less = left.as_ref().map_or(0, estimate);
        self.bytes = (self.bytes + more).saturating_sub(less);
        left
    }

    /// Adds the last records of another column, which lies in memory as this does, so that there are as many.
    pub(super) fn fill_up(&mut self, longer: &Self) {
        let (Some(records), Some(longer)) = (&mut self.memory, &longer.memory) else { return };
        if let Some(more) = longer.get(records.len()..).filter(|more| !more.is_empty()) {
            Arc::make_mut(records).extend_from_slice(more);
            self.bytes += estimate_all(more);
            self.disk = None;
        }
    }

    /// Returns the same records, as far as they lie on disk.
    pub(super) fn on_disk(&self) -> Option<Self> {
        let disk = Some(Arc::clone(self.disk.as_ref()?));
        Some(Column { memory: None, disk, bytes: 0 })
    }

    /// Leaves memory for the disk, unless somebody reads there; returns how many bytes that frees.
    pub(super) fn leave(&mut self, room: &Room) -> Result<usize> {
        if self.memory.as_ref().is_some_and(|records| Arc::strong_count(records) > 1) {
            return Ok(0);
        }
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
