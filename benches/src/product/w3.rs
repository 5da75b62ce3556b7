//! W3: the ten most frequent words of the last thirty batches.

use std::sync::Arc;
use std::time::Duration;

use millstream::prelude::*;

use super::engine::{leave, start};
use crate::results;
use crate::workload::{Plan, WINDOW, Workload};

pub(super) fn open(plan: &Plan, lines: &Arc<Vec<String>>) -> Result<Box<dyn Workload>> {
    start(plan, lines, |lines, results| {
        let words = lines.flat_map_into(|line, out| out.extend(words(line)));
        let slide = lines.slide_duration();
        let window = Duration::from_millis(WINDOW as u64) * slide.as_millis() as u32;
        let counts = words.map(|word| (word, 1u64)).reduce_by_key_and_window_with_inverse(
            |a, b| a + b,
            |a, b| a - b,
            window,
            slide,
        );
        counts.foreach_rdd(move |rdd| {
            // Words that occur no more stay with a count of 0.
            let counts = rdd.filter(|(_, n)| *n > 0).collect()?;
            leave(&results, results::top_ten(counts.iter().map(|(word, n)| (word.as_str(), *n))));
            Ok::<_, Error>(())
        });
    })
}
