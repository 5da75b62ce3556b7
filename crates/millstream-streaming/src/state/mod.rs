//! What stateful operators know from one batch to the next; see README.md in this folder.

pub(crate) mod door;
pub(crate) mod fingerprint;

pub(crate) use door::{Block, Blocks, StateVersion, StatefulOperator};
pub(crate) use fingerprint::Fingerprint;
