//! `sample_by_key`, `sample_by_key_exact`: some pairs of each key by chance.

use std::collections::HashMap;
use std::panic::Location;

use crate::data::{Data, Key};
use crate::error::{Error, Result};
use crate::operator::{self, Operator};
use crate::rdd::Rdd;
use crate::rdd::narrow::Form;
use crate::rdd::sample::Picks;
use crate::rdd::sample::random::Random;
use crate::stream;

/// The places of pairs, among those of the same key in a partition.
type Places<K> = Vec<(K, Vec<u64>)>;

const NO_FRACTION: &str = "a key has no fraction";
const REMEDY: &str = "give one for each key, 0 for those of which nothing is kept";

impl<K: Key, V: Data> Rdd<(K, V)> {
    /// Keeps each pair with the probability that `fractions` gives for its key; with replacement, so many times on average.
    ///
    /// A key without a fraction fails the task, as in Spark. The same seed gives the same sample of the same partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.range(0, 10_000, 1, 4).map(|n| (n % 2, n));
    /// let counts = pairs.sample_by_key(false, [(0, 0.1), (1, 0.5)], 7).count_by_key()?;
    /// assert!((400..600).contains(&counts[&0]) && (2300..2700).contains(&counts[&1]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sample_by_key(
        &self,
        with_replacement: bool,
        fractions: impl IntoIterator<Item = (K, f64)>,
        seed: u64,
    ) -> Rdd<(K, V)> {
        let (name, place) = ("sample_by_key", Location::caller());
        let fractions: HashMap<K, f64> = fractions.into_iter().collect();
        if let Err(error) = all_fit(&operator::blamed(name, place), with_replacement, &fractions) {
            return Rdd::checked(self.context(), name, place, Err(error), 0);
        }
        let form = Form { name, env: (with_replacement, fractions, seed), keeps_keys: true };
        self.per_partition(form, |(with_replacement, fractions, seed), mut input, partition| {
            let (with_replacement, fractions) = (*with_replacement, fractions.clone());
            let mut random = Random::of(*seed, partition);
            Ok(stream::from_fn(move || {
                let Some(chunk) = input.next_chunk()? else { return Ok(None) };
                let (mut picked, mut missing) = (Vec::new(), false);
                chunk.for_each(|pair| match fractions.get(&pair.0) {
                    Some(fraction) => {
                        let times = if with_replacement {
                            random.poisson(*fraction)
                        } else {
                            usize::from(random.unit() < *fraction)
                        };
                        picked.extend(std::iter::repeat_n(pair, times).cloned());
                    }
                    None => missing = true,
                });
                if missing {
                    return Err(Error::user(format!("{NO_FRACTION}; {REMEDY}")));
                }
                Ok(Some(picked.into()))
            }))
        })
    }

    /// Keeps exactly the fraction of each key's pairs, rounded up; with replacement some may be there more than once.
    ///
    /// Describing it runs a job that counts the pairs of each key. The places of what is picked are held here and go along
    /// to the tasks. A key without a fraction is an error of the action.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.range(0, 1000, 1, 4).map(|n| (n % 2, n));
    /// let counts = pairs.sample_by_key_exact(false, [(0, 0.1), (1, 0.25)], 7).count_by_key()?;
    /// assert_eq!((counts[&0], counts[&1]), (50, 125));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sample_by_key_exact(
        &self,
        with_replacement: bool,
        fractions: impl IntoIterator<Item = (K, f64)>,
        seed: u64,
    ) -> Rdd<(K, V)> {
        let (name, place) = ("sample_by_key_exact", Location::caller());
        let fractions: HashMap<K, f64> = fractions.into_iter().collect();
        let fit = all_fit(&operator::blamed(name, place), with_replacement, &fractions);
        let picked = match fit.and_then(|()| self.picked_places(name, with_replacement, &fractions, seed)) {
            Ok(picked) => picked,
            Err(error) => return Rdd::checked(self.context(), name, place, Err(error), 0),
        };
        let form = Form { name, env: picked, keeps_keys: true };
        self.per_partition(form, |picked, mut input, partition| {
            // For each key how many pairs were met, and the places of those that are picked, the next one last.
            let of_partition = picked.get(partition).cloned().unwrap_or_default();
            let mut left: HashMap<K, (u64, Vec<u64>)> = HashMap::new();
            for (key, mut places) in of_partition {
                places.reverse();
                left.insert(key, (0, places));
            }
            Ok(stream::from_fn(move || {
                let Some(chunk) = input.next_chunk()? else { return Ok(None) };
                let mut found = Vec::new();
                chunk.for_each(|pair| {
                    if let Some((at, places)) = left.get_mut(&pair.0) {
                        while places.last() == Some(at) {
                            places.pop();
                            found.push(pair.clone());
                        }
                        *at += 1;
                    }
                });
                Ok(Some(found.into()))
            }))
        })
    }

    /// Picks pairs by their places among those of the same key in the same partition, ascending.
    #[track_caller]
    fn picked_places(
        &self,
        name: &'static str,
        with_replacement: bool,
        fractions: &HashMap<K, f64>,
        seed: u64,
    ) -> Result<Vec<Places<K>>> {
        let place = Location::caller();
        let counts = self.run(name, self.all_partitions(), (), |(), input, _| {
            let mut counts: Vec<(K, u64)> = Vec::new();
            let mut places: HashMap<K, usize> = HashMap::new();
            stream::drain(input, |chunk| {
                chunk.for_each(|(key, _)| match places.get(key) {
                    Some(place) => counts[*place].1 += 1,
                    None => {
                        places.insert(key.clone(), counts.len());
                        counts.push((key.clone(), 1));
                    }
                });
                Ok(())
            })?;
            Ok(counts)
        })?;
        // In the order in which the keys are met, so that the same seed picks the same.
        let mut keys: Vec<K> = Vec::new();
        let mut by_key: HashMap<K, Vec<u64>> = HashMap::new();
        for (partition, of_partition) in counts.iter().enumerate() {
            for (key, count) in of_partition {
                let of_key = by_key.entry(key.clone()).or_insert_with(|| {
                    keys.push(key.clone());
                    vec![0; counts.len()]
                });
                of_key[partition] = *count;
            }
        }
        let mut random = Random::of(seed, 0);
        let mut picked: Vec<Places<K>> = counts.iter().map(|_| Vec::new()).collect();
        for key in keys {
            let fraction = fractions.get(&key).ok_or_else(|| Error::Argument {
                operator: operator::blamed(name, place).to_string(),
                problem: NO_FRACTION.into(),
                remedy: REMEDY.into(),
            })?;
            let of_key = by_key.remove(&key).unwrap_or_default();
            let wanted = (fraction * of_key.iter().sum::<u64>() as f64).ceil() as usize;
            let picks = Picks::new(&of_key, with_replacement, wanted, &mut random);
            for (partition, places) in picks.by_partition.into_iter().enumerate() {
                if !places.is_empty() {
                    let places = places.into_iter().map(|(place, _)| place).collect();
                    picked[partition].push((key.clone(), places));
                }
            }
        }
        Ok(picked)
    }
}

fn all_fit<K>(operator: &Operator, with_replacement: bool, fractions: &HashMap<K, f64>) -> Result<()> {
    let fits =
        |fraction: &f64| fraction.is_finite() && *fraction >= 0.0 && (with_replacement || *fraction <= 1.0);
    match fractions.values().find(|fraction| !fits(fraction)) {
        None => Ok(()),
        Some(fraction) => {
            let most = if with_replacement { "of at least 0" } else { "from 0 to 1" };
            Err(Error::Argument {
                operator: operator.to_string(),
                problem: format!("{fraction} is no fraction of a key's pairs"),
                remedy: format!("use numbers {most}"),
            })
        }
    }
}
