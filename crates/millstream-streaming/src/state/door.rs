//! The door for checkpoints: what stateful operators hold, whatever their keys and states are.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use millstream_core::operator::Operator;

use super::fingerprint::Fingerprint;
use crate::error::Result;
use crate::time::Time;

/// A stateful operator of the graph.
pub(crate) trait StatefulOperator: Send + Sync {
    /// Returns its name and place, with the stable id its state is filed under.
    fn operator(&self) -> Arc<Operator>;

    /// Returns of what types its keys and states are.
    fn fingerprint(&self) -> &Fingerprint;

    /// Returns whether it must not run without a checkpoint directory.
    fn needs_directory(&self) -> bool;

    /// Returns how often its state is saved unless the program says so, by its slide.
    fn default_interval(&self, slide: Duration) -> Duration;

    /// Returns in how many partitions its state lies.
    fn partitions(&self) -> usize;

    /// Returns the state after the batch of `time`, held until it is dropped; nothing if that batch did not run in this
    /// process, has not ended or was forgotten.
    fn version(&self, time: Time) -> Option<Arc<dyn StateVersion>>;

    /// Takes in a block that was saved of a state of the types of `saved`, in the order in which blocks were saved: snapshots
    /// first, changes after them.
    ///
    /// # Errors
    /// If the types are others and no migration leads from them, or the bytes are not those of a block.
    fn restore(&self, saved: &Fingerprint, block: &[u8]) -> Result<()>;

    /// Says that all blocks were taken in: they were the state after the batch of `time`, with which the next batch goes on.
    fn restored(&self, time: Time);

    /// Says that there are no batches up to `time`: whoever asks for one gets one without keys and records. If nothing was
    /// restored, the first one after it begins with what it is told to begin with in code.
    fn begins_after(&self, time: Time);

    /// Returns the batch after which its state is made anew; nothing if it begins with the streams.
    fn goes_on_after(&self) -> Option<Time>;

    /// Returns whether keys time out.
    fn has_timeouts(&self) -> bool;

    /// Returns when the next key times out if no more records come; nothing if none does, a time long ago if that can not be told. To
    /// be asked while no batch is processed.
    fn next_timeout(&self) -> Option<Time>;

    /// Returns the stable id its state is filed under.
    fn id(&self) -> Arc<str> {
        self.operator().id.clone().unwrap_or_default()
    }
}

/// The state of an operator after a batch.
pub(crate) trait StateVersion: Send + Sync {
    /// Returns the time of the batch.
    fn time(&self) -> Time;

    /// Returns all keys of a partition with their states.
    fn snapshot(&self, partition: usize) -> Blocks;

    /// Returns what in a partition differs from an earlier version; nothing if that is no past of this one.
    fn changes_since(&self, earlier: &dyn StateVersion, partition: usize) -> Option<Blocks>;

    /// Returns itself as what it is.
    fn as_any(&self) -> &dyn Any;
}

/// Some entries of a state, written as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// How many there are.
    pub(crate) entries: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Blocks, each made when it is asked for.
pub(crate) type Blocks = Box<dyn Iterator<Item = Result<Block>> + Send>;
