//! `histogram`: how many numbers lie in which interval.

use std::panic::Location;

use super::stats::Number;
use crate::error::{Error, Result};
use crate::operator;
use crate::rdd::Rdd;
use crate::stream;

/// Each task counts in all of them.
const MOST_BUCKETS: usize = 1 << 20;

impl<T: Number> Rdd<T> {
    /// Counts the numbers in `buckets` intervals of the same length from the least to the greatest; returns the bounds and the
    /// counts.
    ///
    /// If all numbers are the same there is one interval. Runs two jobs.
    ///
    /// # Errors
    /// If there are no numbers, or one is infinite or not a number; if `buckets` is 0; if a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let (bounds, counts) = context.parallelize(1..=6, 2).histogram(2)?;
    /// assert_eq!((bounds, counts), (vec![1.0, 3.5, 6.0], vec![3, 3]));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn histogram(&self, buckets: usize) -> Result<(Vec<f64>, Vec<u64>)> {
        let place = Location::caller();
        if buckets == 0 {
            return Err(wrong(place, "numbers can not be put into 0 buckets", "ask for at least 1"));
        }
        if buckets > MOST_BUCKETS {
            let problem = format!("numbers can not be put into {buckets} buckets");
            return Err(wrong(place, &problem, &format!("ask for at most {MOST_BUCKETS}")));
        }
        let stats = self.stats_as("histogram")?;
        let (min, max) = (stats.min(), stats.max());
        if stats.count() == 0 || !min.is_finite() || !max.is_finite() || stats.mean().is_nan() {
            return Err(wrong(
                place,
                "there are no numbers, or one of them is infinite or not a number",
                "filter such numbers out, or give the bounds to `histogram_with`",
            ));
        }
        let bounds = if min == max {
            vec![min, max]
        } else {
            let inner = (0..buckets).map(|at| min + at as f64 * (max - min) / buckets as f64);
            inner.chain([max]).collect()
        };
        let counts = self.histogram_with(&bounds)?;
        Ok((bounds, counts))
    }

    /// Counts the numbers between each two neighbours of `bounds`: from the lower one on, to before the upper one; the last
    /// interval has its upper bound as well. Other numbers are not counted. A last bound that is not a number is above all
    /// numbers: its interval has all that are not below the bound before it, and what is not a number.
    ///
    /// # Errors
    /// If there are fewer than two bounds or they do not ascend; if a task fails as often as it may.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([1.0, 2.0, 3.0, 4.0, f64::NAN], 2);
    /// assert_eq!(numbers.histogram_with(&[0.0, 2.0, 4.0])?, [1, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn histogram_with(&self, bounds: &[f64]) -> Result<Vec<u64>> {
        // Not a number is above all numbers, as Spark sorts them.
        let above = |pair: &[f64]| pair[0] < pair[1] || (!pair[0].is_nan() && pair[1].is_nan());
        let ascending = bounds.windows(2).all(above) || bounds.len() == 2 && bounds[0] == bounds[1];
        if bounds.len() < 2 || !ascending {
            let problem = format!("{bounds:?} are no bounds of intervals");
            return Err(wrong(Location::caller(), &problem, "give at least two numbers in ascending order"));
        }
        let parts = self.run("histogram", self.all_partitions(), bounds.to_vec(), |bounds, input, _| {
            let last = bounds.len() - 2;
            let open = bounds[last + 1].is_nan();
            let mut counts = vec![0_u64; last + 1];
            stream::drain(input, |chunk| {
                chunk.for_each(|number| {
                    let number = number.to_f64();
                    if open && number.is_nan() {
                        counts[last] += 1;
                        return;
                    }
                    // How many bounds are not above the number; none for what is not a number.
                    let below = bounds.partition_point(|bound| *bound <= number);
                    if below > 0 && (below <= last + 1 || number == bounds[last + 1]) {
                        counts[(below - 1).min(last)] += 1;
                    }
                });
                Ok(())
            })?;
            Ok(counts)
        })?;
        let mut sums = vec![0; bounds.len() - 1];
        for counts in parts {
            sums.iter_mut().zip(counts).for_each(|(sum, count): (&mut u64, u64)| *sum += count);
        }
        Ok(sums)
    }
}

fn wrong(place: &'static Location<'static>, problem: &str, remedy: &str) -> Error {
    let operator = operator::blamed("histogram", place).to_string();
    Error::Argument { operator, problem: problem.into(), remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use crate::{Conf, Context};

    const NONE: f64 = f64::NAN;
    const INFINITE: f64 = f64::INFINITY;

    /// Numbers, bounds and counts of Spark's DoubleRDDSuite.
    #[test]
    fn counts_between_given_bounds_are_sparks() {
        let context = Context::new(Conf::empty()).unwrap();
        let counts = |numbers: &[f64], bounds: &[f64]| {
            context.parallelize(numbers.to_vec(), 2).histogram_with(bounds).unwrap()
        };
        assert_eq!(counts(&[], &[0.0, 10.0]), [0]);
        assert_eq!(context.empty_rdd::<f64>().histogram_with(&[0.0, 10.0]).unwrap(), [0]);
        assert_eq!(counts(&[10.01, -0.01], &[0.0, 10.0]), [0]);
        assert_eq!(counts(&[1.0, 2.0, 3.0, 4.0], &[0.0, 10.0]), [4]);
        assert_eq!(counts(&[1.0, 2.0, 3.0, 4.0], &[1.0, 4.0]), [4]);
        assert_eq!(counts(&[10.01, -0.01], &[0.0, 5.0, 10.0]), [0, 0]);
        assert_eq!(counts(&[10.01, -0.01], &[0.0, 4.0, 10.0]), [0, 0]);
        assert_eq!(counts(&[1.0, 2.0, 3.0, 5.0, 6.0], &[0.0, 5.0, 10.0]), [3, 2]);
        assert_eq!(counts(&[1.0, 2.0, 3.0, 5.0, 6.0, NONE], &[0.0, 5.0, 10.0]), [3, 2]);
        assert_eq!(counts(&[1.0, 2.0, 3.0, 5.0, 6.0], &[0.0, 5.0, 11.0]), [3, 2]);
        assert_eq!(counts(&[1.0, 2.0, 3.0, 5.0, 6.0], &[0.0, 4.0, 10.0]), [3, 2]);
        let outliers = [10.01, -0.01, -1.0, -2.0, 3.0, 5.0, 100.0];
        assert_eq!(counts(&outliers, &[0.0, 5.0, 10.0]), [1, 1]);
        let mixed = [-0.01, 0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 11.0, 11.01];
        assert_eq!(counts(&mixed, &[0.0, 5.0, 11.0]), [4, 3]);
        let mixed = [-0.01, 0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 11.01, 12.0, 199.0, 200.0, 200.1];
        let bounds = [0.0, 5.0, 11.0, 12.0, 200.0];
        assert_eq!(counts(&mixed, &bounds), [4, 2, 1, 3]);
        let at_bounds = [-0.01, 0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 11.0, 12.0, 199.0, 200.0, 200.1];
        assert_eq!(counts(&at_bounds, &bounds), [4, 2, 1, 3]);
        assert_eq!(counts(&[&mixed[..], &[NONE]].concat(), &bounds), [4, 2, 1, 3]);
        let open = [&bounds[..], &[NONE]].concat();
        assert_eq!(counts(&[&mixed[..], &[NONE]].concat(), &open), [4, 2, 1, 2, 3]);
        assert_eq!(counts(&[&mixed[..], &[INFINITE, -INFINITE, NONE]].concat(), &open), [4, 2, 1, 2, 4]);
        assert_eq!(counts(&[10.01, -0.01, NONE], &[-INFINITE, 0.0, INFINITE]), [1, 1]);
        assert_eq!(counts(&[10.01, -0.01, NONE, INFINITE], &[-INFINITE, 0.0, INFINITE]), [1, 2]);
        for bad in [vec![], vec![1.0], vec![2.0, 1.0], vec![0.0, NONE, 1.0], vec![NONE, NONE]] {
            let refused = context.parallelize([1.0], 1).histogram_with(&bad).unwrap_err().to_string();
            assert!(refused.contains("histogram at"), "{refused}");
        }
    }

    /// As above.
    #[test]
    fn counts_of_even_buckets_are_sparks() {
        let context = Context::new(Conf::empty()).unwrap();
        let histogram =
            |numbers: &[f64], buckets| context.parallelize(numbers.to_vec(), 2).histogram(buckets);
        assert_eq!(histogram(&[1.0, 2.0, 3.0, 4.0], 1).unwrap(), (vec![1.0, 4.0], vec![4]));
        assert_eq!(histogram(&[1.0], 1).unwrap(), (vec![1.0, 1.0], vec![1]));
        assert_eq!(histogram(&[1.0; 4], 1).unwrap(), (vec![1.0, 1.0], vec![4]));
        assert_eq!(histogram(&[1.0, 2.0, 3.0, 4.0], 2).unwrap(), (vec![1.0, 2.5, 4.0], vec![2, 2]));
        assert_eq!(histogram(&[1.0, 2.0], 2).unwrap(), (vec![1.0, 1.5, 2.0], vec![1, 1]));
        assert_eq!(histogram(&[1.0, 2.0], 3).unwrap().1, [1, 0, 1]);
        let tenths = vec![1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0];
        assert_eq!(histogram(&[1.0, 2.0], 10).unwrap(), (tenths, vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
        let large: Vec<f64> = (6..=99).map(f64::from).collect();
        let (bounds, counts) = histogram(&large, 8).unwrap();
        assert_eq!(counts, [12, 12, 11, 12, 12, 11, 12, 12]);
        assert_eq!(bounds, [6.0, 17.625, 29.25, 40.875, 52.5, 64.125, 75.75, 87.375, 99.0]);
        let (bounds, counts) = histogram(&large, 9).unwrap();
        // 37 and 68 are bounds, and belong to the interval above.
        assert_eq!(counts, [11, 10, 10, 11, 10, 10, 11, 10, 11]);
        assert_eq!((bounds[0], bounds[9]), (6.0, 99.0));
        for bad in [vec![], vec![1.0, NONE], vec![1.0, INFINITE]] {
            assert!(histogram(&bad, 1).unwrap_err().to_string().contains("histogram at"), "{bad:?}");
        }
        assert!(histogram(&[1.0], 0).is_err());
    }
}
