//! Which partition a key belongs to.

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator::{self, Operator};
use crate::rdd::exchange::{MOST_PARTITIONS, unspreadable};
use crate::settings;
use crate::shuffle::hash::partition_of;

/// A rule of one's own for spreading keys.
pub trait CustomPartitioner<K>: Any + Send + Sync {
    /// Returns the number of partitions.
    fn partitions(&self) -> usize;
    /// Returns the partition of a key, below [`partitions`](CustomPartitioner::partitions).
    fn partition(&self, key: &K) -> usize;
}

/// Spreads keys over partitions: by hash, by ranges, or by a rule of one's own.
///
/// A number converts into a hash partitioner. The hash is pinned: it is the same on every machine and after every
/// restart. Two partitioners are the same if they are hash partitioners of the same number, range partitioners of the
/// same bounds, one function with the same values ([`custom_env`](Partitioner::custom_env)), or clones of one rule.
///
/// # Examples
/// ```
/// use millstream_core::Partitioner;
///
/// let four: Partitioner<String> = 4.into();
/// assert_eq!(four.partitions(), 4);
/// ```
#[doc(alias("HashPartitioner", "RangePartitioner"))]
pub struct Partitioner<K>(Rule<K>);

enum Rule<K> {
    Hash(usize),
    Own(Arc<Own<K>>),
}

/// What a partitioner by ranges is called.
pub(super) const RANGE: &str = "RangePartitioner";

/// Any rule but a hash: what it does, and how another process makes it again.
struct Own<K> {
    rule: Box<dyn CustomPartitioner<K>>,
    kind: &'static str,
    travel: Travel,
}

/// How another process makes a rule again.
#[derive(Debug, Clone)]
enum Travel {
    /// The code at an address does it of these bytes.
    By(CodeAddress, Arc<[u8]>),
    /// It can not: the reason.
    Not(Arc<str>),
}

/// The code at the address of a rule that travels.
type Remake<K> = fn(CodeAddress, &[u8]) -> Result<Partitioner<K>>;

/// A partitioner as it travels.
#[derive(Serialize, Deserialize)]
pub(crate) enum Spec {
    Hash(usize),
    Own(CodeAddress, Vec<u8>),
}

impl<K> Clone for Partitioner<K> {
    fn clone(&self) -> Self {
        Partitioner(match &self.0 {
            Rule::Hash(partitions) => Rule::Hash(*partitions),
            Rule::Own(own) => Rule::Own(Arc::clone(own)),
        })
    }
}

impl<K> From<usize> for Partitioner<K> {
    fn from(partitions: usize) -> Self {
        Partitioner(Rule::Hash(partitions))
    }
}

impl<K: 'static> Partitioner<K> {
    /// Spreads keys by a rule of one's own.
    ///
    /// The rule stays in this process. Where tasks run in others write it with [`custom_env`](Partitioner::custom_env);
    /// operators on RDDs refuse it where `millstream.closures.strict` is set.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{CustomPartitioner, Partitioner};
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    ///
    /// struct OddAndEven;
    ///
    /// impl CustomPartitioner<u32> for OddAndEven {
    ///     fn partitions(&self) -> usize {
    ///         2
    ///     }
    ///     fn partition(&self, n: &u32) -> usize {
    ///         (n % 2) as usize
    ///     }
    /// }
    ///
    /// let spread = context.parallelize([(1, 'a'), (2, 'b')], 1).partition_by(Partitioner::custom(OddAndEven));
    /// assert_eq!(spread.keys().glom().collect()?, [[2], [1]]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn custom(rule: impl CustomPartitioner<K>) -> Self {
        let why = "what `Partitioner::custom` makes stays in this one";
        Self::own("CustomPartitioner", rule, Travel::Not(why.into()))
    }

    /// Spreads keys over a number of partitions by a function and values that go along to the workers.
    ///
    /// `f` gives the number of a key's partition; too large a one means the last partition. If it captures nothing it works
    /// in every process, and two partitioners of the same function and the same values are the same. If it captures variables
    /// it stays in this one, and operators on RDDs refuse it where `millstream.closures.strict` is set.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::{Conf, Context, Partitioner};
    ///
    /// let context = Context::new(Conf::empty())?;
    /// let by_size = Partitioner::custom_env(2, 100, |limit, n: &i32| usize::from(n >= limit));
    /// let spread = context.parallelize([(100, 'a'), (5, 'b')], 2).partition_by(by_size);
    /// assert_eq!(spread.keys().glom().collect()?, [[5], [100]]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn custom_env<E: Data, F>(partitions: usize, env: E, f: F) -> Self
    where
        F: Fn(&E, &K) -> usize + Send + Sync + 'static,
    {
        struct Function<E, F> {
            partitions: usize,
            env: E,
            f: F,
        }
        impl<K, E: Data, F: Fn(&E, &K) -> usize + Send + Sync + 'static> CustomPartitioner<K> for Function<E, F> {
            fn partitions(&self) -> usize {
                self.partitions
            }
            fn partition(&self, key: &K) -> usize {
                (self.f)(&self.env, key)
            }
        }
        fn remake<K: 'static, E: Data, F>(build: CodeAddress, env: &[u8]) -> Result<Partitioner<K>>
        where
            F: Fn(&E, &K) -> usize + Send + Sync + 'static,
        {
            let (partitions, env) = function::decode("partitioner", env)?;
            Ok(Partitioner::custom_env::<E, F>(partitions, env, build.conjure::<F>()?))
        }
        let travel = if size_of::<F>() > 0 {
            Travel::Not(format!("its function captures {} bytes of variables", size_of::<F>()).into())
        } else {
            match function::encode("partitioner", &(partitions, &env)) {
                Ok(env) => {
                    let remake: Remake<K> = remake::<K, E, F>;
                    Travel::By(CodeAddress::of::<F>(remake as usize), env.into())
                }
                Err(error) => Travel::Not(error.to_string().into()),
            }
        };
        Self::own("CustomPartitioner", Function { partitions, env, f }, travel)
    }

    fn own(kind: &'static str, rule: impl CustomPartitioner<K>, travel: Travel) -> Self {
        Partitioner(Rule::Own(Arc::new(Own { rule: Box::new(rule), kind, travel })))
    }

    /// Spreads keys by a rule of this crate that `remake` makes again of `env`.
    pub(super) fn remade<R: CustomPartitioner<K>>(
        kind: &'static str,
        rule: R,
        remake: Remake<K>,
        env: Result<Vec<u8>>,
    ) -> Self {
        let travel = match env {
            Ok(env) => Travel::By(CodeAddress::of::<R>(remake as usize), env.into()),
            Err(error) => Travel::Not(error.to_string().into()),
        };
        Self::own(kind, rule, travel)
    }

    /// Returns the number of partitions.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Partitioner;
    ///
    /// assert_eq!(Partitioner::<String>::from(4).partitions(), 4);
    /// ```
    #[must_use]
    pub fn partitions(&self) -> usize {
        match &self.0 {
            Rule::Hash(partitions) => *partitions,
            Rule::Own(own) => own.rule.partitions(),
        }
    }

    /// Refuses, on behalf of an operator, a partitioner of no partitions or of more than can be.
    ///
    /// # Errors
    /// If it is one; there can be 1,048,576 partitions.
    ///
    /// # Examples
    /// ```
    /// use std::panic::Location;
    /// use millstream_core::Partitioner;
    /// use millstream_core::operator::Operator;
    ///
    /// let operator = Operator::call("spread", Location::caller());
    /// Partitioner::<String>::from(4).check(&operator)?;
    /// let error = Partitioner::<String>::from(0).check(&operator).unwrap_err().to_string();
    /// assert!(error.starts_with("spread at ") && error.ends_with("ask for at least 1"), "{error}");
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn check(&self, operator: &Operator) -> Result<()> {
        match self.partitions() {
            1..=MOST_PARTITIONS => Ok(()),
            partitions => Err(unspreadable(operator, partitions)),
        }
    }

    /// Returns whether keys are spread by ranges.
    pub(crate) fn is_range(&self) -> bool {
        matches!(&self.0, Rule::Own(own) if own.kind == RANGE)
    }

    /// Returns the partition of a key whose pinned hash is known.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Partitioner;
    ///
    /// let by_size = Partitioner::custom_env(2, 100, |limit, n: &i32| usize::from(n >= limit));
    /// assert_eq!((by_size.partition(&5, 0), by_size.partition(&100, 0)), (0, 1));
    /// let by_hash = Partitioner::<i32>::from(8);
    /// assert!(by_hash.partition(&5, millstream_core::shuffle::hash::pinned_hash(&5)) < 8);
    /// ```
    #[must_use]
    #[inline]
    pub fn partition(&self, key: &K, hash: u64) -> usize {
        match &self.0 {
            Rule::Hash(partitions) => partition_of(hash, *partitions),
            // A rule that breaks its promise must not lose the record.
            Rule::Own(own) => own.rule.partition(key).min(own.rule.partitions().saturating_sub(1)),
        }
    }

    /// Returns what tells this rule from others.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::Partitioner;
    ///
    /// let four = Partitioner::<i32>::from(4).identity();
    /// assert_eq!(four, Partitioner::<i32>::from(4).identity());
    /// assert_ne!(four, Partitioner::<i32>::from(8).identity());
    /// ```
    #[must_use]
    pub fn identity(&self) -> PartitionedBy {
        PartitionedBy(match &self.0 {
            Rule::Hash(partitions) => Identity::Hash(*partitions),
            Rule::Own(own) => Identity::Own {
                travel: own.travel.clone(),
                partitions: own.rule.partitions(),
                rule: Arc::clone(own) as Arc<dyn Any + Send + Sync>,
            },
        })
    }

    /// Returns the rule itself, if it is one for such keys.
    pub(crate) fn of(spread: &PartitionedBy) -> Option<Self> {
        match &spread.0 {
            Identity::Hash(partitions) => Some((*partitions).into()),
            Identity::Own { rule, .. } => {
                Arc::clone(rule).downcast::<Own<K>>().ok().map(|own| Partitioner(Rule::Own(own)))
            }
        }
    }

    /// Returns the partitioner as it travels.
    ///
    /// # Errors
    /// If it can not; `operator` is the one to name.
    pub(crate) fn spec(&self, operator: &str) -> Result<Spec> {
        match &self.0 {
            Rule::Hash(partitions) => Ok(Spec::Hash(*partitions)),
            Rule::Own(own) => match &own.travel {
                Travel::By(build, env) => Ok(Spec::Own(*build, env.to_vec())),
                Travel::Not(why) => Err(stays(operator, why, "")),
            },
        }
    }

    /// Makes a partitioner of what travelled.
    pub(crate) fn from_spec(spec: Spec) -> Result<Self> {
        match spec {
            Spec::Hash(partitions) => Ok(partitions.into()),
            Spec::Own(build, env) => {
                // SAFETY: the address was made of a `Remake` for keys of this type by a process of the same binary: the
                // hello has compared them, and the code that asks was compiled for the RDD that was described.
                let remake = unsafe { std::mem::transmute::<usize, Remake<K>>(build.pointer()) };
                remake(build, &env)
            }
        }
    }

    /// Returns the partitioner of an operator by key that is given none.
    ///
    /// The one of the parent with the most partitions that has one, unless it has less than a tenth of the partitions of the
    /// largest parent and fewer than there would be without it; else one by hash, with as many partitions as
    /// `spark.default.parallelism` says or, where it is not set, as the largest parent has.
    pub(crate) fn default_of(context: &Context, parents: &[(usize, Option<PartitionedBy>)]) -> Self {
        let most = parents.iter().map(|(partitions, _)| *partitions).max().unwrap_or_default();
        let set = context.conf().contains(settings::DEFAULT_PARALLELISM.key());
        let partitions = if set { context.default_parallelism() } else { most };
        let mut chosen: Option<Partitioner<K>> = None;
        for found in parents.iter().filter_map(|(_, spread)| Partitioner::of(spread.as_ref()?)) {
            if found.partitions() > chosen.as_ref().map_or(0, Partitioner::partitions) {
                chosen = Some(found);
            }
        }
        match chosen {
            Some(found) if most < 10 * found.partitions() || partitions <= found.partitions() => found,
            _ => partitions.into(),
        }
    }
}

impl<K: 'static> fmt::Debug for Partitioner<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Rule::Hash(_) => "HashPartitioner",
            Rule::Own(own) => own.kind,
        };
        write!(f, "{kind}({})", self.partitions())
    }
}

/// How the keys of an RDD are spread; equal for two RDDs whose equal keys lie in the same partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionedBy(Identity);

#[derive(Debug, Clone)]
enum Identity {
    Hash(usize),
    Own {
        /// The rule itself, so that no other one can take its address while this identity is compared.
        rule: Arc<dyn Any + Send + Sync>,
        partitions: usize,
        /// What makes it again: the same of the same makes the same.
        travel: Travel,
    },
}

/// The error of an operator whose partitioner another process can not make again; `or` adds to the remedy.
fn stays(operator: &str, why: &str, or: &str) -> Error {
    let form = "make it with `Partitioner::custom_env(partitions, values, |values, key| ..)`, \
                whose closure captures nothing";
    Error::Argument {
        operator: operator.to_owned(),
        problem: format!("its partitioner can not travel to another process: {why}"),
        remedy: format!("{form}{or}"),
    }
}

impl PartitionedBy {
    /// Refuses a rule that stays in this process where closures must be able to travel: in strict mode, unless every process
    /// makes it again because it belongs to an operator of the graph.
    pub(crate) fn must_travel(
        &self,
        context: &Context,
        name: &'static str,
        place: &'static Location<'static>,
    ) -> Result<()> {
        match &self.0 {
            Identity::Own { travel: Travel::Not(why), .. } if operator::must_travel(context) => {
                let or = " (or set millstream.closures.strict=false to run in one process only)";
                Err(stays(&operator::blamed(name, place).to_string(), why, or))
            }
            _ => Ok(()),
        }
    }

    /// Returns the number of partitions.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let pairs = context.parallelize([(1, 'a'), (2, 'b')], 2).partition_by(5);
    /// assert_eq!(pairs.partitioned_by().map(|spread| spread.partitions()), Some(5));
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[must_use]
    pub fn partitions(&self) -> usize {
        match &self.0 {
            Identity::Hash(partitions) | Identity::Own { partitions, .. } => *partitions,
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Identity::Hash(one), Identity::Hash(other)) => one == other,
            (Identity::Own { rule, travel, .. }, Identity::Own { rule: other, travel: others, .. }) => {
                Arc::ptr_eq(rule, other)
                    || matches!((travel, others), (Travel::By(a, with), Travel::By(b, values)) if a == b && with == values)
            }
            _ => false,
        }
    }
}

impl Eq for Identity {}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;

    impl CustomPartitioner<i32> for Zero {
        fn partitions(&self) -> usize {
            1
        }
        fn partition(&self, _: &i32) -> usize {
            0
        }
    }

    #[test]
    fn rules_of_ones_own_are_the_same_only_if_they_are_clones() {
        let rule = Partitioner::custom(Zero);
        assert_eq!(rule.identity(), rule.clone().identity());
        assert_ne!(rule.identity(), Partitioner::<i32>::from(1).identity());
        // A rule that is gone leaves its address to the next one.
        let gone = Partitioner::custom(Zero).identity();
        assert_ne!(gone, Partitioner::custom(Zero).identity());
    }

    #[test]
    fn functions_with_equal_values_are_the_same() {
        let rule = |env: i32| Partitioner::custom_env(3, env, |n, key: &i32| (key % n) as usize);
        assert_eq!(rule(2).identity(), rule(2).identity());
        assert_ne!(rule(2).identity(), rule(3).identity());
        let other = Partitioner::custom_env(3, 2, |n, key: &i32| (key % n) as usize);
        assert_ne!(rule(2).identity(), other.identity());
        let limit = std::env::args().count() as i32;
        let capturing = || Partitioner::custom_env(3, 2, move |_, key: &i32| usize::from(*key < limit));
        assert_ne!(capturing().identity(), capturing().identity());
        let error = capturing().spec("partition_by at a.rs:1:1").err().unwrap().to_string();
        assert!(error.contains("captures 4 bytes") && error.contains("custom_env"), "{error}");
    }

    #[test]
    fn what_travels_is_the_same_rule() {
        let rule = Partitioner::custom_env(3, 2, |n, key: &i32| (key % n) as usize);
        let there = Partitioner::<i32>::from_spec(rule.spec("").unwrap()).unwrap();
        assert_eq!(there.identity(), rule.identity());
        assert_eq!((there.partitions(), there.partition(&5, 0)), (3, 1));
    }
}
