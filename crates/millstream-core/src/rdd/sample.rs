//! `sample`, `random_split`, `take_sample`: some records by chance, the same ones for the same seed.

pub(super) mod random;

use std::collections::HashSet;
use std::panic::Location;

use self::random::Random;
use super::Rdd;
use super::narrow::Form;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::operator;
use crate::stream;

impl<T: Data> Rdd<T> {
    /// Keeps each record with the probability `fraction`; with replacement, each `fraction` times on average.
    ///
    /// The same seed gives the same sample of the same partitions, on every machine.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let sample = context.parallelize(0..10_000, 4).sample(false, 0.1, 42);
    /// assert!((800..1200).contains(&sample.count()?));
    /// assert_eq!(sample.collect()?, sample.collect()?);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sample(&self, with_replacement: bool, fraction: f64, seed: u64) -> Rdd<T> {
        let place = Location::caller();
        if !fraction.is_finite() || fraction < 0.0 || (!with_replacement && fraction > 1.0) {
            let most = if with_replacement { "of at least 0" } else { "from 0 to 1" };
            let problem = format!("{fraction} is no fraction of the records");
            return refused(self, "sample", place, problem, format!("use a number {most}"));
        }
        if with_replacement {
            let form = Form { name: "sample", env: (seed, fraction), keeps_keys: true };
            return self.per_partition(form, |&(seed, fraction), mut input, partition| {
                let mut random = Random::of(seed, partition);
                Ok(stream::from_fn(move || {
                    let Some(chunk) = input.next_chunk()? else { return Ok(None) };
                    let mut picked = Vec::new();
                    chunk.for_each(|record| {
                        let times = random.poisson(fraction);
                        picked.extend(std::iter::repeat_n(record, times).cloned());
                    });
                    Ok(Some(picked.into()))
                }))
            });
        }
        self.between("sample", 0.0, fraction, seed)
    }

    /// Cuts the RDD into several by chance, of about these weights; each record is in exactly one of them.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let parts = context.parallelize(0..1000, 2).random_split([0.6, 0.4], 11);
    /// assert_eq!(parts[0].count()? + parts[1].count()?, 1000);
    /// assert!((500..700).contains(&parts[0].count()?));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn random_split(&self, weights: impl IntoIterator<Item = f64>, seed: u64) -> Vec<Rdd<T>> {
        let weights: Vec<f64> = weights.into_iter().collect();
        let sum: f64 = weights.iter().sum();
        if weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0) || sum <= 0.0 {
            let problem = format!("{weights:?} are no weights");
            let remedy = "use numbers of at least 0, not all of them 0".to_owned();
            return vec![refused(self, "random_split", Location::caller(), problem, remedy)];
        }
        let mut above = 0.0;
        let last = weights.len() - 1;
        let cells = weights.iter().enumerate().map(|(at, weight)| {
            let from = above / sum;
            above += weight;
            // So that rounding can not lose a record.
            (from, if at == last { 1.0 } else { above / sum })
        });
        cells.map(|(from, to)| self.between("random_split", from, to, seed)).collect()
    }

    /// Keeps the records whose random number lies from `from` to before `to`.
    #[track_caller]
    fn between(&self, name: &'static str, from: f64, to: f64, seed: u64) -> Rdd<T> {
        let form = Form { name, env: (seed, from, to), keeps_keys: true };
        self.per_partition(form, |&(seed, from, to), mut input, partition| {
            let mut random = Random::of(seed, partition);
            Ok(stream::from_fn(move || {
                let chunk = input.next_chunk()?;
                Ok(chunk.map(|chunk| {
                    chunk.filter(|_| {
                        let number = random.unit();
                        from <= number && number < to
                    })
                }))
            }))
        })
    }

    /// Returns `n` records picked by chance, in random order; without replacement at most as many as there are.
    ///
    /// Runs two jobs: one counts the records, one fetches the picked ones.
    ///
    /// # Errors
    /// If a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize(0..100, 4);
    /// let mut picked = numbers.take_sample(false, 20, 7)?;
    /// picked.sort();
    /// picked.dedup();
    /// assert_eq!(picked.len(), 20);
    /// assert_eq!(numbers.take_sample(true, 150, 7)?.len(), 150);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn take_sample(&self, with_replacement: bool, n: usize, seed: u64) -> Result<Vec<T>> {
        let counts = self.counts("take_sample", self.all_partitions())?;
        let total: u64 = counts.iter().sum();
        if total == 0 || n == 0 {
            return Ok(Vec::new());
        }
        let Picks { by_partition } = Picks::new(&counts, with_replacement, n, &mut Random::of(seed, 0));
        let wanted = (0..counts.len()).filter(|&partition| !by_partition[partition].is_empty()).collect();
        let fetched = self.run("take_sample", wanted, by_partition, |places, input, task| {
            let mut places = places.get(task.partition_id()).into_iter().flatten().peekable();
            let (mut at, mut found) = (0, Vec::new());
            stream::drain(input, |chunk| {
                chunk.for_each(|record| {
                    while let Some((_, answer)) = places.next_if(|(place, _)| *place == at) {
                        found.push((*answer, record.clone()));
                    }
                    at += 1;
                });
                Ok(())
            })?;
            Ok(found)
        })?;
        let mut fetched: Vec<(u64, T)> = fetched.into_iter().flatten().collect();
        fetched.sort_unstable_by_key(|(answer, _)| *answer);
        Ok(fetched.into_iter().map(|(_, record)| record).collect())
    }
}

/// Some records of partitions with these numbers of records, picked by chance.
pub(super) struct Picks {
    /// The places within each partition, ascending, each with its place in the answer.
    pub(super) by_partition: Vec<Vec<(u64, u64)>>,
}

impl Picks {
    pub(super) fn new(counts: &[u64], with_replacement: bool, n: usize, random: &mut Random) -> Self {
        let total: u64 = counts.iter().sum();
        let picked = if with_replacement && total > 0 {
            (0..n).map(|_| random.below(total)).collect()
        } else {
            distinct_below(total, n as u64, random)
        };
        let mut by_partition: Vec<Vec<(u64, u64)>> = counts.iter().map(|_| Vec::new()).collect();
        for (answer, mut at) in (0..).zip(picked) {
            for (places, count) in by_partition.iter_mut().zip(counts) {
                if at < *count {
                    places.push((at, answer));
                    break;
                }
                at -= count;
            }
        }
        by_partition.iter_mut().for_each(|places| places.sort_unstable());
        Picks { by_partition }
    }
}

/// Picks `n` different numbers below `total` (all, if there are no more), each set and each order as likely as any other.
fn distinct_below(total: u64, n: u64, random: &mut Random) -> Vec<u64> {
    // Floyd's algorithm: memory for what is picked, not for what is there.
    let mut seen = HashSet::new();
    let mut picked = Vec::new();
    for most in total - n.min(total)..total {
        let number = random.below(most + 1);
        let number = if seen.insert(number) { number } else { most };
        seen.insert(number);
        picked.push(number);
    }
    for at in (1..picked.len()).rev() {
        picked.swap(at, random.below(at as u64 + 1) as usize);
    }
    picked
}

/// An RDD that reports a wrong argument when it is used.
fn refused<T: Data>(
    rdd: &Rdd<T>,
    name: &'static str,
    place: &'static Location<'static>,
    problem: String,
    remedy: String,
) -> Rdd<T> {
    let operator = operator::blamed(name, place).to_string();
    Rdd::checked(rdd.context(), name, place, Err(Error::Argument { operator, problem, remedy }), 0)
}
