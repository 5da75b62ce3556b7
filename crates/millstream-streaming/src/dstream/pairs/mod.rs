//! Operators of streams of pairs, one file each.

mod reduce_by_key;
