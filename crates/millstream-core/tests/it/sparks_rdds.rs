//! Cases of Spark's RDDSuite: their inputs and what comes out.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use millstream_core::rdd::{Compute, Dependency};
use millstream_core::stream::ChunkStream;
use millstream_core::{Error, Rdd, Result, TaskContext};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::pairs::shuffles;
use crate::processes::elsewhere;
use crate::{context, on, partitions, sorted};

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).to_vec()
}

#[test]
fn basic_operations() {
    let context = context();
    let nums = context.parallelize([1, 2, 3, 4], 2);
    assert_eq!(nums.to_local_iterator().collect::<Result<Vec<_>, _>>().unwrap(), [1, 2, 3, 4]);
    let dups = context.parallelize([1, 1, 2, 2, 3, 3, 4, 4], 2);
    assert_eq!(dups.distinct().count().unwrap(), 4);
    assert_eq!(dups.distinct().collect().unwrap(), dups.distinct().collect().unwrap());
    assert_eq!(dups.distinct_with(2).collect().unwrap(), dups.distinct().collect().unwrap());
    assert_eq!(nums.reduce(|a, b| a + b).unwrap(), Some(10));
    let some = nums.flat_map(|n| (n >= 3).then(|| n.to_string()));
    assert_eq!(some.collect().unwrap(), ["3", "4"]);
    let keyed = nums.key_by(ToString::to_string).collect().unwrap();
    assert_eq!(keyed, (1..=4).map(|n| (n.to_string(), n)).collect::<Vec<_>>());
    let sums = nums.map_partitions_with_index(|index, records| [(index, records.sum::<i32>())]);
    assert_eq!(sums.collect().unwrap(), [(0, 3), (1, 7)]);
    assert_eq!(nums.filter(|n| *n > 5).reduce(|a, b| a + b).unwrap(), None);
    let kept = nums.cache();
    for _ in 0..3 {
        assert_eq!(kept.collect().unwrap(), [1, 2, 3, 4]);
    }
}

#[test]
fn distinct_keeps_a_partitioner_and_moves_nothing() {
    let pairs = context().parallelize((1..=100).map(|n| (n % 10, n % 10)), 10).sort_by_key();
    let distinct = pairs.distinct();
    assert!(pairs.partitioned_by().is_some());
    assert_eq!(distinct.partitioned_by(), pairs.partitioned_by());
    assert_eq!(shuffles(&distinct.any()), shuffles(&pairs.any()));
    let other = pairs.distinct_with(5);
    assert_ne!(other.partitioned_by(), pairs.partitioned_by());
    let expected: Vec<_> = (0..10).map(|n| (n, n)).collect();
    assert_eq!(sorted(distinct.collect().unwrap()), expected);
    assert_eq!(sorted(other.collect().unwrap()), expected);
}

#[test]
fn unions() {
    let context = context();
    let nums = context.parallelize([1, 2, 3, 4], 2);
    assert_eq!(context.union([nums.clone()]).collect().unwrap(), [1, 2, 3, 4]);
    assert_eq!(context.union([nums.clone(), nums]).collect().unwrap(), [1, 2, 3, 4, 1, 2, 3, 4]);
    let spread = |numbers: std::ops::RangeInclusive<i32>| {
        context.parallelize(numbers.map(|n| (n, ())), 1).partition_by(2)
    };
    let (first, second) = (spread(1..=4), spread(5..=8));
    let union = first.union(&second);
    assert_eq!(sorted(union.keys().collect().unwrap()), (1..=8).collect::<Vec<_>>());
    let both = partitions(&first).into_iter().zip(partitions(&second));
    assert_eq!(partitions(&union), both.map(|(a, b)| [a, b].concat()).collect::<Vec<_>>());
    assert_eq!(union.partitioned_by(), first.partitioned_by());
    let alone = context.union([first.clone()]);
    assert_eq!(sorted(alone.keys().collect().unwrap()), [1, 2, 3, 4]);
    assert_eq!(alone.partitioned_by(), first.partitioned_by());
    // With one that is spread by nothing the partitions are put behind each other.
    let (spread, plain) =
        (context.parallelize([(1, true)], 1).partition_by(1), context.parallelize([(2, true)], 1));
    let both = plain.union(&spread);
    assert_eq!((partitions(&both), both.partitioned_by()), (vec![vec![(2, true)], vec![(1, true)]], None));
    let twice = spread.union(&spread);
    assert_eq!(partitions(&twice), [[(1, true), (1, true)]]);
    assert_eq!(twice.partitioned_by(), spread.partitioned_by());
    let none = context.empty_rdd::<(i32, bool)>();
    assert_eq!(none.union(&spread).partitioned_by(), spread.partitioned_by());
    assert_eq!(none.union(&none).collect().unwrap(), []);
}

#[test]
fn the_parents_of_an_rdd_are_known() {
    let context = context();
    let numbers = context.parallelize(1..=10, 2);
    let even = numbers.filter(|n| n % 2 == 0);
    let more = even.map(|n| n + 1);
    let union = context.union([numbers.clone(), even.clone(), more.clone()]);
    let parents: Vec<_> = union
        .any()
        .dependencies()
        .iter()
        .map(|dependency| match dependency {
            Dependency::Narrow(parent) => parent.info().id,
            Dependency::Shuffle(_) => panic!("a union moves nothing"),
        })
        .collect();
    assert_eq!(parents, [numbers.id(), even.id(), more.id()]);
}

/// A partition that can not be computed.
struct Fails;

impl Compute<i32> for Fails {
    fn partitions(&self) -> usize {
        1
    }
    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }
    fn compute(&self, _: usize, _: &TaskContext) -> Result<ChunkStream<i32>> {
        Err(Error::user("injected failure"))
    }
}

#[test]
fn a_cached_rdd_that_fails_fails_each_time() {
    let fails = Rdd::from_compute(&context(), "fails", Fails).cache();
    for _ in 0..2 {
        assert!(fails.collect().unwrap_err().to_string().contains("injected failure"));
    }
}

#[test]
fn jobs_on_some_partitions() {
    let data = context().parallelize(1..=10, 10);
    assert_eq!(data.run_job([9], |records| records.collect::<Vec<_>>()).unwrap(), [[10]]);
    let two = context().parallelize(1..=10, 2);
    let error = two.run_job([0, 1, 2], |records| records.count() as u64).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("run_job at ") && text.contains("no partition 2 among 2"), "{text}");
}

/// A record that can not be written as bytes.
#[derive(Clone, Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("bad serialization"))
    }
}

/// More threads than records: where it once hung.
#[test]
fn records_that_can_not_be_written_fail_the_job_and_nothing_else() {
    let there = elsewhere();
    let error = there.parallelize([Unwritable, Unwritable], 2).count().unwrap_err();
    assert!(matches!(error, Error::JobFailed(_)), "{error}");
    // Nor as the result of a task.
    assert!(there.parallelize([1, 2], 2).map(|_| Unwritable).collect().is_err());
    assert!(there.parallelize([1, 2], 2).map(|n| (n, Unwritable)).group_by_key().count().is_err());
    let doubled = there.parallelize(1..=100, 4).map(|n| n * 2).collect().unwrap();
    assert_eq!(doubled, (1..=100).map(|n| n * 2).collect::<Vec<_>>());
    // Within one process nothing is written.
    assert_eq!(on("local[4]").parallelize([Unwritable, Unwritable], 2).count().unwrap(), 2);
}

#[test]
fn folds_and_trees_of_values_that_are_changed_in_place() {
    let numbers = context().parallelize(-1000..1000, 10);
    assert_eq!(numbers.fold(0, |a, b| a + b).unwrap(), -1000);
    let add = |mut sum: Vec<i32>, more: Vec<i32>| {
        sum[0] += more[0];
        sum
    };
    let arrays = numbers.map(|n| vec![n]);
    assert_eq!(arrays.fold(vec![0], add).unwrap(), [-1000]);
    for depth in 1..10 {
        assert_eq!(arrays.tree_aggregate_with(vec![0], add, add, depth).unwrap(), [-1000]);
    }
}

#[test]
fn joins_with_an_empty_rdd() {
    let context = context();
    let empty = context.empty_rdd::<(i32, i32)>();
    assert_eq!((empty.count().unwrap(), empty.collect().unwrap()), (0, vec![]));
    assert_eq!(empty.reduce(|a, _| a).unwrap(), None);
    let rdd = context.parallelize(1..=2, 2).map(|n| (n, n));
    assert_eq!(rdd.join(&empty).count().unwrap(), 0);
    assert_eq!(rdd.right_outer_join(&empty).count().unwrap(), 0);
    assert_eq!(rdd.left_outer_join(&empty).count().unwrap(), 2);
    assert_eq!(rdd.full_outer_join(&empty).count().unwrap(), 2);
    assert_eq!(rdd.cogroup(&empty).count().unwrap(), 2);
    assert_eq!(rdd.union(&empty).count().unwrap(), 2);
}

#[test]
fn repartitioned_rdds_are_balanced() {
    let context = context();
    let parts = partitions(&context.parallelize(vec![1; 1000], 10).repartition(2));
    assert!(parts.len() == 2 && parts.iter().all(|part| part.len().abs_diff(500) < 10));
    let ones_and_twos = [vec![1; 10_000], vec![2; 10_000]].concat();
    for (input, before, after) in
        [(vec![1; 100], 10, 20), (ones_and_twos, 20, 100), (vec![1; 1000], 250, 128)]
    {
        let parts = partitions(&context.parallelize(input.clone(), before).repartition(after));
        assert_eq!((parts.len(), sorted(parts.concat())), (after, input.clone()));
        let most = input.len() / after + before;
        assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= most), "{before} to {after}");
    }
    let spread = context.parallelize(0..10, 1000).repartition(2001);
    assert_eq!(sorted(spread.collect().unwrap()), (0..10).collect::<Vec<_>>());
}

#[test]
fn coalesced_rdds() {
    let data = context().parallelize(1..=10, 10);
    for partitions_asked in [10, 20] {
        let parts = partitions(&data.coalesce(partitions_asked));
        assert_eq!(parts, (1..=10).map(|n| vec![n]).collect::<Vec<_>>());
    }
    let one = data.coalesce_with(1, true);
    assert_eq!((one.num_partitions(), shuffles(&one.any())), (1, 1));
    assert_eq!(sorted(data.coalesce_with(20, true).collect().unwrap()), (1..=10).collect::<Vec<_>>());
}

#[test]
fn zipped_rdds() {
    let context = context();
    let nums = context.parallelize([1, 2, 3, 4], 2);
    let zipped = nums.zip(&nums.map(|n| f64::from(n) + 1.0));
    assert_eq!(partitions(&zipped), [[(1, 2.0), (2, 3.0)], [(3, 4.0), (4, 5.0)]]);
    assert!(nums.zip(&context.parallelize(1..=4, 1)).collect().is_err());
    assert!(nums.zip(&context.parallelize(1..=5, 2)).collect().is_err());
}

#[test]
fn take() {
    let context = context();
    for partitions in [1, 2, 100, 1000] {
        let nums = context.parallelize(1..1000, partitions);
        for n in [0, 1, 3, 500, 501, 999, 1000] {
            assert_eq!(nums.take(n).unwrap(), (1..1000).take(n).collect::<Vec<_>>(), "of {partitions}");
        }
    }
    let two = context.parallelize(1..=2, 2);
    assert_eq!(two.take(2_147_483_638).unwrap().len(), 2);
    assert_eq!(two.take_async(2_147_483_638).wait().unwrap().len(), 2);
}

#[test]
fn first_ones_in_either_order() {
    let context = context();
    let shuffled = context.parallelize((0..100_000_u64).map(|n| n * 7_919 % 100_000), 2);
    let top = shuffled.filter(|n| *n > 0).top(5).unwrap();
    assert_eq!(top, [99_999, 99_998, 99_997, 99_996, 99_995]);
    let words = context.parallelize(strings(["a", "b", "c", "d"]), 2).map(Reverse);
    assert_eq!(words.top(2).unwrap(), [Reverse("a".to_owned()), Reverse("b".to_owned())]);
    let nums = context.parallelize(1..=10, 2);
    assert_eq!(nums.take_ordered(5).unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(nums.take_ordered(0).unwrap(), []);
    assert_eq!(context.empty_rdd::<i32>().take_ordered(5).unwrap(), []);
    assert_eq!(context.range(0, 10, 1, 3).filter(|n| *n < 0).take_ordered(5).unwrap(), []);
    assert_eq!(nums.map(Reverse).take_ordered(5).unwrap(), [10, 9, 8, 7, 6].map(Reverse));
}

#[test]
fn is_empty() {
    let context = context();
    assert!(context.empty_rdd::<i32>().is_empty().unwrap());
    assert!(context.parallelize(Vec::<i32>::new(), 2).is_empty().unwrap());
    assert!(!context.parallelize([1], 2).is_empty().unwrap());
    let three = context.parallelize([1, 2, 3], 3);
    assert!(three.filter(|n| *n < 0).is_empty().unwrap());
    assert!(!three.filter(|n| *n > 1).is_empty().unwrap());
}

#[test]
fn samples() {
    let context = context();
    let pairs = context.parallelize([(0, 1), (2, 3)], 2).partition_by(2);
    for with_replacement in [true, false] {
        let sampled = pairs.sample(with_replacement, 1.0, 1);
        assert_eq!(sampled.partitioned_by(), pairs.partitioned_by());
    }
    // A tenth of Spark's million.
    const N: usize = 100_000;
    let data = context.range(1, N as i64 + 1, 1, 2);
    let within = |sample: &[i64]| sample.iter().all(|n| (1..=N as i64).contains(n));
    let different = |sample: &[i64]| sample.iter().collect::<HashSet<_>>().len();
    for seed in 1..=5 {
        for n in [5, 20, 100] {
            let sample = data.take_sample(false, n, seed).unwrap();
            assert_eq!((sample.len(), different(&sample), within(&sample)), (n, n, true));
        }
        for n in [20, N, 2 * N] {
            let sample = data.take_sample(true, n, seed).unwrap();
            assert_eq!((sample.len(), within(&sample)), (n, true));
            assert!(n == 20 || different(&sample) < N);
        }
        let numbers = context.parallelize(1..=600, 2);
        let splits = numbers.random_split([1.0, 2.0, 3.0], seed);
        let parts: Vec<Vec<i32>> = splits.iter().map(|split| split.collect().unwrap()).collect();
        for (part, size) in parts.iter().zip([100, 200, 300]) {
            assert!(part.len().abs_diff(size) < 50, "{} of {size}", part.len());
        }
        assert_eq!(sorted(parts.concat()), (1..=600).collect::<Vec<_>>());
    }
    assert_eq!(context.parallelize(Vec::<i32>::new(), 2).take_sample(false, 20, 1).unwrap(), []);
}

#[test]
fn sort_by() {
    let context = context();
    let column = |n: usize| move |line: &String| line.split('|').nth(n).unwrap_or_default().to_owned();
    let data = context.parallelize(strings(["5|50|A", "4|60|C", "6|40|B"]), 2);
    for (n, expected) in [
        (0, ["4|60|C", "5|50|A", "6|40|B"]),
        (1, ["6|40|B", "5|50|A", "4|60|C"]),
        (2, ["5|50|A", "6|40|B", "4|60|C"]),
    ] {
        assert_eq!(data.sort_by(column(n)).collect().unwrap(), expected);
    }
    let down = data.sort_by_with(column(0), false, 2).collect().unwrap();
    assert_eq!(down, ["6|40|B", "5|50|A", "4|60|C"]);
    let people =
        ["Bob|Smith|50", "Jane|Smith|40", "Thomas|Williams|30", "Karen|Williams|60"].map(String::from);
    let people: Rdd<String> = context.parallelize(people, 2);
    let by_age = people.sort_by_with(move |line| column(2)(line).parse::<i32>().unwrap(), true, 2);
    assert_eq!(
        by_age.collect().unwrap(),
        ["Thomas|Williams|30", "Jane|Smith|40", "Bob|Smith|50", "Karen|Williams|60"]
    );
    let by_name = people.sort_by_with(move |line| (column(1)(line), column(0)(line)), true, 2);
    assert_eq!(
        by_name.collect().unwrap(),
        ["Bob|Smith|50", "Jane|Smith|40", "Karen|Williams|60", "Thomas|Williams|30"]
    );
}

#[test]
fn products_and_intersections() {
    let context = context();
    let empty = context.empty_rdd::<i32>();
    let (a, b, c) =
        (context.parallelize(1..=3, 2), context.parallelize(2..=4, 2), context.parallelize(1..=1, 2));
    for product in [empty.cartesian(&empty), empty.cartesian(&a), a.cartesian(&empty)] {
        assert_eq!(product.collect().unwrap(), []);
    }
    let pairs = |one: &Rdd<i32>, other: &Rdd<i32>| sorted(one.cartesian(other).collect().unwrap());
    assert_eq!(pairs(&a, &b), (1..=3).flat_map(|x| (2..=4).map(move |y| (x, y))).collect::<Vec<_>>());
    assert_eq!(pairs(&a, &c), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(pairs(&c, &a), [(1, 1), (1, 2), (1, 3)]);
    let (a, b) = (context.parallelize([1, 2, 3, 3], 2), context.parallelize([1, 1, 2, 3], 2));
    for both in [a.intersection(&b), b.intersection(&a)] {
        assert_eq!(sorted(both.collect().unwrap()), [1, 2, 3]);
    }
}

#[test]
fn places_of_records() {
    let context = context();
    for partitions in [3, 1] {
        let indexed = context.parallelize(0..10, partitions).zip_with_index().collect().unwrap();
        assert_eq!(indexed, (0..10).zip(0..).collect::<Vec<_>>());
    }
    assert_eq!(context.parallelize(0..10, 2).zip_with_index().repartition(4).count().unwrap(), 10);
    let ids = context.parallelize(0..10, 3).zip_with_unique_id().values().collect().unwrap();
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), 10);
}
