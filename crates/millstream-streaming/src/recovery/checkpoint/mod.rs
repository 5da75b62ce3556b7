//! The checkpoint directory: what is in it, and who may write there.
//!
//! | name | what it is |
//! |---|---|
//! | `checkpoint-<ms>`, `checkpoint-<ms>.<n>` | the [manifests](manifest) of a batch: when it was generated, when it was completed |
//! | `state/` | [data files](data_file) that manifests name |
//! | `receivedData/<stream>/`, `receivedBlockMetadata/` | the logs |
//! | `lease`, `lease-<n>` | [who](lease) writes |
//!
//! What is gone on from if something of this is torn or missing says [`usable`].
//!
//! A run of a program that was not recovered begins a generation of its own: what an earlier one left is neither read
//! nor deleted.

pub(crate) mod data_file;
pub(crate) mod lease;
pub(crate) mod manifest;
mod process;
pub(crate) mod store;
pub(crate) mod sweep;
pub(crate) mod usable;

pub(crate) use self::lease::Lease;
pub(crate) use self::manifest::Manifest;
pub(crate) use self::store::CheckpointStore;
