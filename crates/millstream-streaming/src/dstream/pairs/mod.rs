//! Operators of streams of pairs, one file each.

mod cogroup;
mod group_by_key;
mod reduce_by_key;
