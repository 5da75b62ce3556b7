//! What a user implements to receive from a system of their own.

use std::error::Error;

use millstream_core::{Data, StorageLevel};

use super::ReceiverHandle;

/// Receives records from outside and stores them.
///
/// [`on_start`](Self::on_start) runs on a thread of its own: it may receive in a loop until
/// [`ReceiverHandle::is_stopped`], or start threads and return. [`on_stop`](Self::on_stop) comes from another thread,
/// so what both use (a socket, a thread's handle) lies behind a lock.
///
/// What fails is one of three things: to be known ([`ReceiverHandle::report_error`], and the receiving goes on), to be
/// tried again ([`ReceiverHandle::restart`], an error of `on_start`, or a panic: `on_stop` is called, and after
/// `spark.streaming.receiverRestartDelay` `on_start`), or the end ([`ReceiverHandle::stop`]).
///
/// # Examples
/// ```
/// # use millstream_streaming::receiver::{Receiver, ReceiverHandle};
/// struct Numbers(u64);
///
/// impl Receiver<u64> for Numbers {
///     fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///         for number in 0..self.0 {
///             handle.store(number)?;
///         }
///         handle.stop("all numbers are stored");
///         Ok(())
///     }
/// }
/// # assert_eq!(Numbers(1).name(), "Numbers");
/// ```
pub trait Receiver<T: Data>: Send + Sync + 'static {
    /// Starts to receive. Returning is not the end of the receiver: threads may go on with a clone of `handle`.
    ///
    /// # Errors
    /// An error is reported, and the receiver is restarted after the delay. After a stop it is ignored, so that the
    /// error of a refused [`ReceiverHandle::store`] can simply be passed on.
    fn on_start(&self, handle: &ReceiverHandle<T>) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Ends what `on_start` began: closes connections, ends threads and waits for them.
    ///
    /// It may come while `on_start` still runs; what begins only then finds [`ReceiverHandle::is_stopped`].
    /// What the receiver's threads have at hand is kept if they store it before this returns; later stores are refused.
    fn on_stop(&self) {}

    /// Returns where its blocks may lie.
    ///
    /// By default [`StorageLevel::MEMORY_AND_DISK_SER_2`]: in memory, as records, while they fit, and on disk beyond that. A
    /// level with disk never holds the receiver back for memory, nor does any with the write-ahead log on; others do when
    /// `millstream.receiver.maxBacklog` or the memory of the context is used up. Other serialised levels keep bytes in memory. One
    /// copy is kept.
    fn storage_level(&self) -> StorageLevel {
        StorageLevel::MEMORY_AND_DISK_SER_2
    }

    /// Returns the host that the receiver would best run on; all run in the program's process.
    fn preferred_location(&self) -> Option<String> {
        None
    }

    /// Returns the kind of receiver, by default the name of the type; with the stream it names the receiver to people.
    fn name(&self) -> String {
        let full = std::any::type_name::<Self>();
        let plain = full.split('<').next().unwrap_or(full);
        plain.rsplit("::").next().unwrap_or(plain).to_owned()
    }
}
