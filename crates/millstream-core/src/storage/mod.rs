//! Where computed partitions lie.

pub(crate) mod cache;
