//! `range`: the whole numbers of an interval.

use std::panic::Location;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator;
use crate::rdd::exchange::few_enough;
use crate::rdd::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

impl Context {
    /// Makes an RDD of the numbers from `start` to before `end`, `step` apart, in `partitions` runs (at least one).
    ///
    /// The numbers are made in the tasks; none overflows, whatever the bounds. With a negative step they go down.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// assert_eq!(context.range(0, 10, 3, 2).collect()?, [0, 3, 6, 9]);
    /// assert_eq!(context.range(i64::MIN, i64::MAX, 1, 4).num_partitions(), 4);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn range(&self, start: i64, end: i64, step: i64, partitions: usize) -> Rdd<i64> {
        let place = Location::caller();
        let compute = if step == 0 {
            Err(Error::Argument {
                operator: operator::blamed("range", place).to_string(),
                problem: "a step of 0 never arrives".into(),
                remedy: "use a step of at least 1, or a negative one to count down".into(),
            })
        } else {
            let range = Range::new(start, end, step, partitions);
            few_enough(partitions, "range", place).map(|()| Box::new(range) as Box<dyn Compute<i64>>)
        };
        Rdd::checked(self, "range", place, compute, 0)
    }
}

/// Reckoned in 128 bits, in which nothing overflows.
struct Range {
    start: i128,
    step: i128,
    count: i128,
    partitions: usize,
    /// As it was asked for.
    end: i64,
}

impl Range {
    fn new(start: i64, end: i64, step: i64, partitions: usize) -> Self {
        let (from, step) = (i128::from(start), i128::from(step));
        let span = (i128::from(end) - from) * step.signum();
        let count = if span <= 0 { 0 } else { (span - 1) / step.abs() + 1 };
        Range { start: from, step, count, partitions: partitions.max(1), end }
    }
}

impl Compute<i64> for Range {
    fn partitions(&self) -> usize {
        self.partitions
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, partition: usize, _: &TaskContext) -> Result<ChunkStream<i64>> {
        let cut = |at: usize| self.count * at as i128 / self.partitions as i128;
        let (start, step) = (self.start, self.step);
        // Within `start..end`, hence within 64 bits.
        Ok(stream::from_iter((cut(partition)..cut(partition + 1)).map(move |at| (start + at * step) as i64)))
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            let (start, end, step, partitions) = function::decode("range", from.env)?;
            Ok(from.context.range(start, end, step, partitions).any())
        }
        let rebuild: Rebuild = rebuild;
        let env =
            function::encode("range", &(self.start as i64, self.end, self.step as i64, self.partitions));
        Some(Recipe { build: CodeAddress::of::<Self>(rebuild as usize), env })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Conf, Context};

    #[test]
    fn ranges_as_in_sparks_suite() {
        let context = Context::new(Conf::empty()).unwrap();
        let count = |start, end, step, n| context.range(start, end, step, n).count().unwrap();
        assert_eq!(count(0, 10_000, 1, 1), 10_000);
        assert_eq!(count(i64::MIN, i64::MIN + 100, 10, 4), 10);
        assert_eq!(count(i64::MAX, i64::MAX - 100, -10, 4), 10);
        assert_eq!(count(10, 0, 1, 2), 0);
        assert_eq!(count(0, 10, -1, 2), 0);
        let ends = context.range(i64::MIN, i64::MAX, i64::MAX, 3).collect().unwrap();
        assert_eq!(ends, [i64::MIN, -1, i64::MAX - 1]);
        assert_eq!(context.range(5, 0, -2, 3).glom().collect().unwrap(), [vec![5], vec![3], vec![1]]);
        let error = context.range(0, 1, 0, 1).count().unwrap_err().to_string();
        assert!(error.contains("range at") && error.contains("never arrives"), "{error}");
    }
}
