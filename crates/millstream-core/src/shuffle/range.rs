//! Spreading keys by ranges: every key of a partition comes before every key of the next one.

use std::panic::Location;

use super::partitioner::{CustomPartitioner, Partitioner, RANGE};
use crate::data::Data;
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::rdd::Rdd;
use crate::rdd::exchange::{at_least_one, few_enough};
use crate::shuffle::hash::pinned_hash;
use crate::stream;

/// Spark's numbers: how many keys are looked at for each partition there shall be, and in all.
const SAMPLE_PER_PARTITION: f64 = 20.0;
const MOST_SAMPLED: f64 = 1e6;
/// How many more are taken from each partition there is, because they differ in size.
const OVERSAMPLING: f64 = 3.0;

/// Ranges between bounds; a bound belongs to the range that it ends.
struct RangePartitioner<K> {
    bounds: Vec<K>,
    ascending: bool,
}

impl<K: Data + Ord> CustomPartitioner<K> for RangePartitioner<K> {
    fn partitions(&self) -> usize {
        self.bounds.len() + 1
    }

    fn partition(&self, key: &K) -> usize {
        let below = self.bounds.partition_point(|bound| bound < key);
        if self.ascending { below } else { self.bounds.len() - below }
    }
}

impl<K: Data + Ord> Partitioner<K> {
    /// Spreads keys by ranges of about equal size, whose bounds are found by looking at some of the pairs of `rdd`.
    ///
    /// Runs a job: one pass over `rdd`, which looks at 20 keys for each partition. There are fewer partitions than asked for
    /// where there are not so many different keys. With `ascending` the first partition has the smallest keys, else the largest.
    ///
    /// # Errors
    /// If the job fails, or more partitions are asked for than a shuffle can have.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context, Partitioner};
    ///
    /// let context = Context::new(Conf::empty())?;
    /// let pairs = context.parallelize((0..100).rev().map(|n| (n, ())), 4);
    /// let halves = pairs.partition_by(Partitioner::range(&pairs, 2, true)?).keys().glom().collect()?;
    /// assert!(halves[0].iter().max() < halves[1].iter().min());
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn range<V: Data>(rdd: &Rdd<(K, V)>, partitions: usize, ascending: bool) -> Result<Self> {
        Self::sampled("range", Location::caller(), rdd, partitions, ascending)
    }

    /// Finds the bounds on behalf of an operator.
    pub(crate) fn sampled<V: Data>(
        name: &'static str,
        place: &'static Location<'static>,
        rdd: &Rdd<(K, V)>,
        partitions: usize,
        ascending: bool,
    ) -> Result<Self> {
        few_enough(partitions, name, place)?;
        if rdd.num_partitions() > 0 {
            at_least_one(partitions, name, place)?;
        }
        let bounds = if partitions < 2 { Vec::new() } else { bounds(name, rdd, partitions)? };
        Ok(Self::by_bounds(bounds, ascending))
    }

    /// Spreads keys by the ranges between bounds, which rise.
    pub(crate) fn by_bounds(bounds: Vec<K>, ascending: bool) -> Self {
        fn remake<K: Data + Ord>(_: CodeAddress, env: &[u8]) -> Result<Partitioner<K>> {
            let (bounds, ascending) = function::decode("range partitioner", env)?;
            Ok(Partitioner::by_bounds(bounds, ascending))
        }
        let env = function::encode("range partitioner", &(&bounds, ascending));
        Partitioner::remade(RANGE, RangePartitioner { bounds, ascending }, remake::<K>, env)
    }
}

/// A key and how many keys it stands for.
type Weighted<K> = (K, f64);

/// Looks at some keys and finds the bounds of ranges of about equal size.
fn bounds<K: Data + Ord, V: Data>(
    name: &'static str,
    rdd: &Rdd<(K, V)>,
    partitions: usize,
) -> Result<Vec<K>> {
    let wanted = (SAMPLE_PER_PARTITION * partitions as f64).min(MOST_SAMPLED);
    let each = (OVERSAMPLING * wanted / rdd.num_partitions().max(1) as f64).ceil();
    let sampled = sample(name, rdd, rdd.all_partitions(), each as usize)?;
    let all: u64 = sampled.iter().map(|(n, _)| n).sum();
    let fraction = (wanted / all.max(1) as f64).min(1.0);
    let mut keys: Vec<Weighted<K>> = Vec::new();
    let mut again = Vec::new();
    let mut most: f64 = 0.0;
    for (partition, (n, sample)) in sampled.into_iter().enumerate() {
        let share = fraction * n as f64;
        if share > each {
            // Far larger than the others: its few keys would stand for too many.
            again.push(partition);
            most = most.max(share.ceil());
        } else {
            keys.extend(weighted(n, sample));
        }
    }
    if !again.is_empty() {
        let more = sample(name, rdd, again, most as usize)?;
        keys.extend(more.into_iter().flat_map(|(n, sample)| weighted(n, sample)));
    }
    Ok(cut(keys, partitions))
}

fn weighted<K>(n: u64, sample: Vec<K>) -> impl Iterator<Item = Weighted<K>> {
    let weight = n as f64 / sample.len().max(1) as f64;
    sample.into_iter().map(move |key| (key, weight))
}

/// Counts the pairs of each partition and takes up to `size` of its keys, each as likely as the others.
#[track_caller]
fn sample<K: Data, V: Data>(
    name: &'static str,
    rdd: &Rdd<(K, V)>,
    partitions: Vec<usize>,
    size: usize,
) -> Result<Vec<(u64, Vec<K>)>> {
    rdd.run(name, partitions, size, |&size, input, task| {
        let mut sample = Reservoir::new(size, task.partition_id());
        stream::drain(input, |chunk| {
            sample.look(chunk.len(), |at| chunk.get(at).map(|(key, _)| key.clone()));
            Ok(())
        })?;
        Ok((sample.seen, sample.kept))
    })
}

/// A sample of fixed size of a stream of unknown length, which skips what it will not take (Li's algorithm L).
struct Reservoir<T> {
    size: usize,
    kept: Vec<T>,
    seen: u64,
    /// The number of the next record to be taken once the reservoir is full.
    next: u64,
    w: f64,
    random: u64,
}

impl<T> Reservoir<T> {
    /// The same seed takes the same: a partition that is looked at again must give the same bounds.
    fn new(size: usize, seed: usize) -> Self {
        let random = pinned_hash(&(seed as u64));
        Reservoir { size: size.max(1), kept: Vec::new(), seen: 0, next: 0, w: 1.0, random }
    }

    /// Looks at the next `n` records.
    fn look(&mut self, n: usize, record: impl Fn(usize) -> Option<T>) {
        let (start, end) = (self.seen, self.seen + n as u64);
        self.seen = end;
        let mut at = start;
        while self.kept.len() < self.size && at < end {
            self.kept.extend(record((at - start) as usize));
            at += 1;
            if self.kept.len() == self.size {
                self.next = at;
                self.skip();
            }
        }
        while self.kept.len() == self.size && self.next < end {
            let place = (self.unit() * self.size as f64) as usize;
            if let (Some(slot), Some(record)) =
                (self.kept.get_mut(place), record((self.next - start) as usize))
            {
                *slot = record;
            }
            self.next += 1;
            self.skip();
        }
    }

    fn skip(&mut self) {
        self.w *= (self.unit().ln() / self.size as f64).exp();
        let skipped = self.unit().ln() / (1.0 - self.w).ln();
        // Beyond the largest number it saturates: then no more is taken.
        self.next = self.next.saturating_add(skipped as u64);
    }

    /// A number above 0 and below 1.
    fn unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let bits = pinned_hash(&self.random) >> 12;
        (bits as f64 + 0.5) / (1_u64 << 52) as f64
    }
}

/// Cuts keys into ranges of about equal weight: the last key of each but the last.
fn cut<K: Ord + Clone>(mut keys: Vec<Weighted<K>>, partitions: usize) -> Vec<K> {
    keys.sort_by(|(a, _), (b, _)| a.cmp(b));
    let partitions = partitions.min(keys.len());
    let step = keys.iter().map(|(_, weight)| weight).sum::<f64>() / partitions.max(1) as f64;
    let mut bounds: Vec<K> = Vec::new();
    let (mut sum, mut target) = (0.0, step);
    for (key, weight) in keys {
        if bounds.len() + 1 >= partitions {
            break;
        }
        sum += weight;
        if sum >= target && bounds.last().is_none_or(|last| *last < key) {
            bounds.push(key);
            target += step;
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_weights_are_cut_evenly() {
        let keys = |n: i32| (0..n).map(|n| (n, 1.0)).collect::<Vec<_>>();
        assert_eq!(cut(keys(10), 3), [3, 6]);
        assert_eq!(cut(keys(2), 5), [0]);
        assert_eq!(cut(keys(0), 5), [0; 0]);
        assert_eq!(cut(vec![(1, 1.0); 9], 3), [1]);
    }

    #[test]
    fn weights_count() {
        assert_eq!(cut(vec![(3, 1.0), (1, 2.0), (2, 1.0)], 2), [1]);
    }

    #[test]
    fn equal_bounds_are_the_same_partitioner() {
        let rule = |bounds: &[i32], ascending| Partitioner::by_bounds(bounds.to_vec(), ascending);
        assert_eq!(rule(&[1, 5], true).identity(), rule(&[1, 5], true).identity());
        assert_ne!(rule(&[1, 5], true).identity(), rule(&[1, 6], true).identity());
        assert_ne!(rule(&[1, 5], true).identity(), rule(&[1, 5], false).identity());
        assert_eq!(format!("{:?}", rule(&[1, 5], true)), "RangePartitioner(3)");
    }

    #[test]
    fn sparks_range_partitioner() {
        // Spark's suite: with 2,001 bounds too, a key's range is the first whose bound it does not exceed.
        let bounds: Vec<i32> = (0..2_001).map(|n| n * 3).collect();
        let rule = Partitioner::by_bounds(bounds.clone(), true);
        let down = Partitioner::by_bounds(bounds.clone(), false);
        for key in [-10, 0, 1, 2, 3, 4, 3_000, 6_000, 6_001, 10_000] {
            let expected = bounds.iter().position(|bound| key <= *bound).unwrap_or(bounds.len());
            assert_eq!(rule.partition(&key, 0), expected);
            assert_eq!(down.partition(&key, 0), bounds.len() - expected);
        }
    }

    #[test]
    fn every_record_is_as_likely() {
        let mut hits = [0_u32; 100];
        for seed in 0..2_000 {
            let mut sample = Reservoir::new(10, seed);
            for chunk in [7, 0, 50, 43] {
                let start = sample.seen as usize;
                sample.look(chunk, |at| Some(start + at));
            }
            assert_eq!((sample.seen, sample.kept.len()), (100, 10));
            sample.kept.iter().for_each(|&at| hits[at] += 1);
        }
        assert!(hits.iter().all(|&n| (130..270).contains(&n)), "{hits:?}");
    }

    proptest! {
        #[test]
        fn a_small_stream_is_kept_whole(n in 0_usize..20, size in 20_usize..30) {
            let mut sample = Reservoir::new(size, 3);
            sample.look(n, Some);
            prop_assert_eq!(sample.kept, (0..n).collect::<Vec<_>>());
        }
    }
}
