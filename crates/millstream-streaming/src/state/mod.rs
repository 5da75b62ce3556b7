//! What stateful operators know from one batch to the next; see README.md in this folder.

mod blocks;
pub(crate) mod door;
pub(crate) mod fingerprint;
mod held;
mod index;
mod log;
pub(crate) mod migrate_state;
mod put_on;
mod stateful;
pub(crate) mod step;
mod table;
mod timeouts;
mod version;

pub(crate) use door::{Blocks, StateVersion, StatefulOperator};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use put_on::{PutOn, Versions};
pub(crate) use table::Step;
