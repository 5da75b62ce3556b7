//! What stateful operators know from one batch to the next; see README.md in this folder.

mod bits;
mod blocks;
mod claimed;
mod column;
pub(crate) mod door;
pub(crate) mod fingerprint;
mod held;
mod index;
mod log;
mod making;
pub(crate) mod migrate_state;
mod put_on;
mod room;
mod shelf;
mod stateful;
pub(crate) mod step;
mod table;
mod timeouts;
mod version;
mod view;

pub(crate) use door::{Blocks, StateVersion, StatefulOperator};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use making::Step;
pub(crate) use put_on::{PutOn, Versions};
