//! What survives the death of the program: the log of what was received, and checkpoints.
//!
//! | file | what is in it |
//! |---|---|
//! | `get_or_create.rs` | `checkpoint`, `get_or_create`, `recover`, `recovered_from` |
//! | `savepoint.rs` | `savepoint`, `from_savepoint` |
//! | `savepoint_request.rs` | a savepoint that another process asks for |
//! | `plan.rs`, `checks.rs` | what is said of recovery while a graph is described, and what may be wrong with it |
//! | `bind.rs` | what was saved, given back to the operators of the program |
//! | `sources.rs` | sources that are not those of before, whatever they are called |
//! | `gone_receivers.rs` | what is lost of receivers that the program is without |
//! | `gone_states.rs` | states that no operator of the program has, and which one may be meant |
//! | `restart.rs`, `grids.rs` | which batches are run before the clock goes on; batch times of another interval |
//! | `passed_over.rs` | the intervals that were missed and have no batch |
//! | `checkpointer.rs` | writes a manifest when a batch was generated and when it was completed |
//! | `lineage.rs` | which states and sources are asked for batches of how long ago |
//! | `listed_inputs.rs` | of what batches were made, written once |
//! | `states.rs`, `states/`, `state_file.rs` | what stateful operators hold, saved while batches go on, and read again |
//! | `variables.rs` | named broadcasts and accumulators, as of a completed batch |
//! | `explain.rs`, `verify.rs` | what a directory holds, and whether it is whole |
//! | `checkpoint/` | the directory: manifests, data files, the lease |
//! | `read_file.rs`, `list.rs` | a file as a whole, if it is there; what lies in a directory, if it is there |
//! | `block_log.rs`, `write_ahead_log/` | received blocks and what became of them |

mod bind;
pub(crate) mod block_log;
pub(crate) mod checkpoint;
mod checkpointer;
pub(crate) mod checks;
mod explain;
#[cfg(test)]
pub(crate) mod flawed_disk;
mod get_or_create;
mod gone_receivers;
mod gone_states;
mod grids;
mod lineage;
mod list;
mod listed_inputs;
pub(crate) mod passed_over;
mod plan;
mod read_file;
mod restart;
mod savepoint;
mod savepoint_request;
mod sources;
mod state_file;
pub(crate) mod states;
pub(crate) mod variables;
mod verify;
pub(crate) mod write_ahead_log;

pub use explain::explain;
pub use savepoint_request::request_savepoint;
pub use verify::{Verified, verify};

pub(crate) use checkpointer::Checkpointer;
pub(crate) use grids::Slides;
pub(crate) use plan::Plan;
pub(crate) use restart::Restart;
