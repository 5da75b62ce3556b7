//! The memory and the disk that the tables of an operator share with all else.

use std::sync::Arc;

use millstream_core::storage::disk::{Disk, SpillFile};
use millstream_core::storage::memory::{Claim, Memory, Owner};
use millstream_core::{Context, Data, Result};

/// Where tables take their memory from, and where they leave it to. Cloning is shallow.
#[derive(Clone)]
pub(super) struct Room {
    memory: Memory,
    disk: Disk,
    /// What lies there, for errors.
    what: Arc<str>,
}

impl Room {
    pub(super) fn of(context: &Context, what: impl Into<Arc<str>>) -> Self {
        Room { memory: context.memory().clone(), disk: context.disk().clone(), what: what.into() }
    }

    pub(super) fn claim(&self) -> Claim {
        self.memory.take_none(Owner::State)
    }

    /// Writes records to a file of their own: it goes with the last who needs it, and nothing is ever rewritten.
    pub(super) fn write<T: Data>(&self, records: &[T]) -> Result<Arc<SpillFile>> {
        let mut writer = self.disk.create(&*self.what)?;
        writer.write(records)?;
        writer.finish()
    }
}
