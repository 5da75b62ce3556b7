//! W2: words, counted by word.

use std::sync::Arc;

use millstream::prelude::*;
use millstream::text::word_slices;

use super::engine::{Results, leave, start};
use crate::args::Variant;
use crate::workload::{Plan, Workload};

pub(super) fn open(plan: &Plan, lines: &Arc<Vec<String>>, variant: Variant) -> Result<Box<dyn Workload>> {
    start(plan, lines, |lines, results| match variant {
        Variant::Fastest => {
            let counts = counts(&lines.flat_map_into(|line, out| out.extend(words(line))));
            counts.foreach_rdd(move |rdd| leave_keys_and_sum(&results, &rdd));
        }
        Variant::String => {
            let words = lines.flat_map_into(|line, out| out.extend(word_slices(line).map(String::from)));
            counts(&words).foreach_rdd(move |rdd| leave_keys_and_sum(&results, &rdd));
        }
    })
}

fn counts<K: Key>(words: &DStream<K>) -> DStream<(K, u64)> {
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
}

/// Leaves the number of keys and the sum of their counts.
pub(super) fn leave_keys_and_sum<K: Key>(results: &Results, counts: &Rdd<(K, u64)>) -> Result<()> {
    let counts = counts.map_ref(|(_, n)| *n).collect()?;
    leave(results, crate::results::keys_and_sum(counts.into_iter()));
    Ok(())
}
