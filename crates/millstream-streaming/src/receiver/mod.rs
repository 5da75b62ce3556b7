//! The side that receives: what brings records in from outside and cuts them into blocks.
//!
//! A [`Receiver`] is run by a supervisor on threads of its own, so it takes no worker slot. What it stores through its
//! [`ReceiverHandle`] is cut into blocks at each block interval; a block is one partition of its batch.

mod backlog;
mod block;
mod block_generator;
mod line_splitter;
mod rate_limiter;
#[expect(clippy::module_inception, reason = "the file is named after the trait that users implement")]
mod receiver;
mod receiver_handle;
mod socket_lines;
mod socket_receiver;
mod stream_id;
mod supervisor;

pub(crate) use block::{Block, BlockId, ReceivedBlock};
pub(crate) use block_generator::BlockGeneratorConfig;
pub use receiver::Receiver;
pub use receiver_handle::ReceiverHandle;
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
    std::sync::Arc::new(ReceivedBlock::new(block::BlockId { stream, number }, vec![records], charge))
}
