//! Where computed partitions lie: in memory up to a budget, and on disk.
//!
//! | module | what is in it |
//! |---|---|
//! | [`StorageLevel`] | where the partitions of an RDD are kept, and in what form |
//! | [`memory`] | the budget of a context, and who must leave when it is used up |
//! | [`disk`] | the scratch directory of a context, and files of records in it |
//! | [`size_estimate`] | how much memory records take, roughly |

mod block;
pub(crate) mod cache;
pub mod disk;
pub(crate) mod frame;
mod level;
pub mod memory;
pub(crate) mod persisted;
pub mod size_estimate;
mod unroll;

pub use level::StorageLevel;
pub use persisted::RddStorageInfo;
pub(crate) use unroll::Again;
