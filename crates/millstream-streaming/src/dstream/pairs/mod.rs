//! Operators of streams of pairs, one file each.

mod cogroup;
mod combine_by_key;
mod flat_map_values;
mod full_outer_join;
mod group_by_key;
mod join;
mod left_outer_join;
mod map_values;
pub(crate) mod map_with_state;
mod reduce_by_key;
mod right_outer_join;
pub(crate) mod update_state_by_key;
