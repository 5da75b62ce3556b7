//! Operators of streams of pairs, one file each.

mod cogroup;
mod combine_by_key;
mod flat_map_values;
mod full_outer_join;
mod group_by_key;
mod join;
mod left_outer_join;
mod map_values;
mod reduce_by_key;
mod right_outer_join;
