//! Operators that look at several batches, one file each.

mod count_by_value_and_window;
mod count_by_window;
mod group_by_key_and_window;
mod reduce_by_key_and_window;
mod reduce_by_window;
mod window;

pub use reduce_by_key_and_window::WindowKeys;

use std::time::Duration;

use millstream_core::Data;

use super::DStream;

/// Checks that a window can be cut from a stream's batches; says what is wrong.
fn misfit<T: Data>(stream: &DStream<T>, window: Duration, slide: Duration) -> Option<String> {
    let batch = stream.slide_duration();
    let fits = |duration: Duration| {
        !duration.is_zero() && duration.as_millis().is_multiple_of(batch.as_millis().max(1))
    };
    let wrong = |what: &str, duration: Duration| {
        let up = duration.as_millis().div_ceil(batch.as_millis().max(1)).max(1) * batch.as_millis();
        // No duration is longer than the longest.
        let millis = if up > Duration::MAX.as_millis() { up - batch.as_millis() } else { up };
        format!(
            "the {what} of {} ms is no positive multiple of the {} ms between the batches of the stream; use {millis} ms",
            duration.as_millis(),
            batch.as_millis(),
        )
    };
    if !fits(window) {
        Some(wrong("window", window))
    } else if !fits(slide) {
        Some(wrong("slide", slide))
    } else {
        None
    }
}

/// A slide that can be reckoned with, whatever was asked for.
fn usable<T: Data>(stream: &DStream<T>, slide: Duration) -> Duration {
    if misfit(stream, slide, slide).is_some() { stream.slide_duration() } else { slide }
}
