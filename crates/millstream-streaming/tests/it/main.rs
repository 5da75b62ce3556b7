//! The stream engine, tested as a program uses it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what must hold in their names, and fail by panicking"
)]

mod arguments;
mod bad_files;
mod batch_times;
mod catching_up;
mod changed_intervals;
mod changed_programs;
mod changed_receivers;
mod changed_sources;
mod child_process;
mod child_process_rdds;
mod child_process_states;
mod contexts;
mod copies_of_blocks;
mod damaged_checkpoints;
mod decoders;
mod direct_streams;
mod failures;
mod faulty_disk;
mod fed;
#[cfg(target_os = "linux")]
mod file_rights;
mod file_streams;
mod formats_of_streams;
mod grouping;
mod joined_streams_equal_a_naive_model;
mod listeners;
mod live;
mod lost_results;
mod many_failures;
mod memory;
mod merged_changes;
mod operators;
mod output_failures;
mod outputs;
mod raw_sockets;
mod receiver_errors;
mod receiver_storage;
mod recovered_blocks;
mod recovered_variables;
mod recovery;
mod recovery_of_receivers;
mod recovery_of_states;
mod returned_contexts;
mod saved_streams;
mod savepoints;
mod server;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod slow_copies;
mod socket_levels;
mod sockets;
mod sparks_inputs;
mod sparks_java_values;
mod sparks_python_values;
mod sparks_recoveries;
mod sparks_values;
mod start_is_refused;
mod state;
mod state_larger_than_memory;
mod state_sees_its_past;
mod states_equal_a_naive_model;
mod states_of_states;
mod states_of_states_changed;
mod stops;
mod stops_that_are_cut_short;
#[cfg(target_os = "linux")]
mod synchronised_files;
mod tables;
mod window_shapes;
mod windows;
mod windows_equal_a_naive_model;
