//! The side that receives: what brings records in from outside and cuts them into blocks.
//!
//! A [`Receiver`] is run by a supervisor on threads of its own, so it takes no worker slot. What it stores through its
//! [`ReceiverHandle`] is cut into blocks at each block interval; a block is one partition of its batch.

mod backlog;
mod block;
mod block_generator;
mod block_store;
mod gathered;
mod line_splitter;
mod logged_records;
mod rate_limiter;
mod raw_blocks;
#[expect(clippy::module_inception, reason = "the file is named after the trait that users implement")]
mod receiver;
mod receiver_handle;
mod server;
mod socket_lines;
mod socket_receiver;
mod stream_id;
mod supervisor;
mod text_lines;

pub(crate) use block::{Block, BlockId, ReceivedBlock};
pub(crate) use block_generator::BlockGeneratorConfig;
pub(crate) use block_store::Storage;
pub use raw_blocks::RawBlockWriter;
pub use receiver::Receiver;
pub use receiver_handle::ReceiverHandle;
pub(crate) use server::Server;
pub(crate) use socket_receiver::SocketReceiver;
pub use stream_id::StreamId;
pub(crate) use supervisor::{ReceiverConfig, ReceiverEvents, Supervisor};

/// Makes a block outside of any receiver.
#[cfg(test)]
pub(crate) fn test_block<T: millstream_core::Data>(
    stream: StreamId,
    number: i64,
    records: Vec<T>,
) -> std::sync::Arc<dyn Block> {
    let charge = backlog::Charge::new(backlog::Backlog::new(1), 0);
    test_block_of(block::BlockId { stream, number }, vec![records], charge)
}

#[cfg(test)]
fn test_block_of<T: millstream_core::Data>(
    id: block::BlockId,
    chunks: Vec<Vec<T>>,
    charge: backlog::Charge,
) -> std::sync::Arc<ReceivedBlock<T>> {
    use millstream_core::storage::memory::{Memory, Owner};
    let records = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    let claim = Memory::new(0, 0).take_none(Owner::Received);
    let place = block::Place::Records(chunks.into_iter().map(std::sync::Arc::new).collect(), claim);
    ReceivedBlock::new(id, place, records, None, charge, block::Outside::Nowhere)
}

/// Storage of a context of its own.
#[cfg(test)]
pub(crate) fn test_storage(level: millstream_core::StorageLevel) -> Storage {
    let context = millstream_core::Context::new(millstream_core::Conf::empty().set_master("local[1]"));
    Storage::of(&context.unwrap(), level, false)
}
