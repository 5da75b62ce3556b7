//! Durations on a command line.

use std::time::Duration;

use millstream_core::settings::{Kind, Read, TimeUnit};

/// Reads a duration as settings are written: a whole number and `us`, `ms`, `s`, `m` or `min`, `h`, `d`, `y`; a bare
/// number is milliseconds.
///
/// For the arguments of programs; it fits clap's `value_parser`.
///
/// # Errors
/// What is wrong, and what to write instead.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream::parse_duration;
///
/// assert_eq!(parse_duration("200ms"), Ok(Duration::from_millis(200)));
/// assert_eq!(
///     parse_duration("soon"),
///     Err("`soon` is not a duration; write a whole number and a unit, such as 250ms, 10s or 5min".to_owned())
/// );
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    Duration::read(text, Kind::Duration(TimeUnit::Millis))
        .map_err(|wrong| format!("{}; {}", wrong.problem, wrong.remedy))
}
