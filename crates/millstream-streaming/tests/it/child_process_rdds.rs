//! What a program does with RDDs inside `transform` and `foreach_rdd`, in child processes.
//!
//! The closures capture nothing, or values go along by an `_env` form. Each test is a program, as in `child_process`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use millstream_core::{
    Broadcast, CollectionAccumulator, Context, Data, Error, LongAccumulator, Partitioner, Rdd, Result,
};
use millstream_streaming::testing::{Driver, batches};
use millstream_testkit::process_executor::ProcessExecutor;

use crate::child_process::{context_of, local};
use crate::tables::{SECOND, sorted, step};

fn context(name: &'static str) -> (Context, Option<Arc<ProcessExecutor>>) {
    context_of("child_process_rdds", name)
}

/// Runs a program in child processes and again on threads; both must give the same.
fn same<R: Debug + PartialEq>(name: &'static str, program: impl Fn(&Context) -> R) -> R {
    let (context, executor) = context(name);
    let in_processes = program(&context);
    assert!(executor.is_some(), "an executor does not come here");
    assert_eq!(in_processes, program(&Context::new(local()).unwrap()));
    in_processes
}

/// The records as text, each under the name of the operator that made it.
fn texts<T: Data + Debug>(name: &str, rdd: Rdd<T>) -> Rdd<String> {
    rdd.map_env(name.to_owned(), |name, record| format!("{name} {record:?}"))
}

macro_rules! operators {
    ($numbers:ident, $pairs:ident; $($operator:ident => $made:expr;)+) => {
        fn operators($numbers: &Rdd<i64>) -> Vec<Rdd<String>> {
            let $pairs = $numbers.map(|n| (n % 3, n));
            vec![$(texts(stringify!($operator), $made)),+]
        }
    };
}

operators! { n, p;
    map => n.map(|n| n * 2);
    map_ref => n.map_ref(|n| n * 2);
    map_env => n.map_env((2, "b".to_owned()), |(a, b), n| format!("{}{b}", a * n));
    filter => n.filter(|n| n % 2 == 0);
    filter_env => n.filter_env(2, |k, n| n % k == 0);
    flat_map => n.flat_map(|n| [n, -n]);
    flat_map_env => n.flat_map_env(5, |k, n| [n, n + k]);
    flat_map_into => n.flat_map_into(|n, out| out.extend([*n, -n]));
    flat_map_into_env => n.flat_map_into_env(5, |k, n, out| out.extend([*n, n + k]));
    map_partitions => n.map_partitions(|all| [all.sum::<i64>()]);
    map_partitions_env => n.map_partitions_env(5, |k, all| [all.sum::<i64>() + k]);
    map_partitions_with_index => n.map_partitions_with_index(|at, all| [(at, all.count())]);
    map_partitions_with_index_env => n.map_partitions_with_index_env(5, |k, at, all| [(at, all.count() + k)]);
    glom => n.glom();
    union => n.union(&n.map(|n| -n));
    zip => n.zip(&n.map(|n| n + 1));
    zip_partitions => n.zip_partitions(n, |a, b| [a.count() + b.count()]);
    zip_partitions_env => n.zip_partitions_env(7, n, |k, a, b| [k + a.count() + b.count()]);
    zip_partitions3 => n.zip_partitions3(n, &p, |a, b, c| [a.count() + b.count() + c.count()]);
    zip_partitions4 => n.zip_partitions4(n, &p, &p, |a, b, c, d| [a.count() + b.count() + c.count() + d.count()]);
    zip_partitions3_env => n.zip_partitions3_env(7, n, &p, |k, a, b, c| [k + a.count() + b.count() + c.count()]);
    zip_partitions4_env => n.zip_partitions4_env(7, n, &p, n, |k, a, b, c, d| [k + a.chain(b).chain(d).count() + c.count()]);
    zip_with_index => n.zip_with_index();
    zip_with_unique_id => n.zip_with_unique_id();
    cartesian => n.cartesian(&n.filter(|n| *n < 2));
    sample => n.sample(true, 1.5, 7);
    random_split => n.random_split([1.0, 1.0], 7).remove(1);
    pipe => n.pipe(["sort"]);
    repartition => n.repartition(3);
    coalesce => n.coalesce(1);
    sort_by => n.sort_by(|n| -n);
    sort_by_env => n.sort_by_env(4, |k, n| (n - k).abs());
    distinct => n.map(|n| n % 4).distinct();
    subtract => n.subtract(&n.filter(|n| n % 3 == 0));
    intersection => n.intersection(&n.filter(|n| n % 3 == 0));
    key_by => n.key_by(|n| n % 4);
    key_by_env => n.key_by_env(4, |k, n| n % k);
    group_by => n.group_by(|n| n % 4);
    group_by_env => n.group_by_env(4, |k, n| n % k);
    sort_by_with => n.sort_by_with(|n| n % 4, false, 2);
    group_by_with => n.group_by_with(|n| n % 4, 3);
    pipe_env => n.pipe_env(5, ["cat"], |k, lines| lines.line(k), |k, n, lines| lines.line(n + k));
    generate => n.context().generate(2, |at| [at, at + 1]);
    checkpointed => { let cut = n.map(|n| n + 1); cut.local_checkpoint(); cut.map(|n| n * 3) };
    persist => n.map(|n| n + 1).persist().map(|n| n * 3);
    map_values => p.map_values(|n| n + 1);
    map_values_env => p.map_values_env(8, |k, n| n + k);
    flat_map_values => p.flat_map_values(|n| [n, -n]);
    flat_map_values_env => p.flat_map_values_env(8, |k, n| [n, n + k]);
    keys => p.keys();
    values => p.values();
    reduce_by_key => p.reduce_by_key(|a, b| a + b);
    group_by_key => p.group_by_key();
    combine_by_key => p.combine_by_key(|n| vec![n], |all, n| [all, vec![n]].concat(), |a, b| [a, b].concat());
    aggregate_by_key => p.aggregate_by_key((2, 0), |(k, sum), n| (k, sum + k * n), |a, b| (a.0, a.1 + b.1));
    fold_by_key => p.fold_by_key(0, i64::max);
    reduce_by_key_with => p.reduce_by_key_with(|a, b| a + b, 3);
    combine_by_key_with => p.combine_by_key_with(|n| vec![n], |all, n| [all, vec![n]].concat(), |a, b| [a, b].concat(), 3);
    aggregate_by_key_with => p.aggregate_by_key_with(0, |sum, n| sum + n, |a, b| a + b, 3);
    fold_by_key_with => p.fold_by_key_with(0, i64::max, 3);
    reduce_by_key_env => p.reduce_by_key_env(5, |most, a, b| (a + b).min(*most));
    combine_by_key_env => p.combine_by_key_env(2, |k, n| n * k, |k, sum, n| sum + n * k, |_, a, b| a + b);
    aggregate_by_key_env => p.aggregate_by_key_env(2, 0, |k, sum, n| sum + n * k, |_, a, b| a + b);
    fold_by_key_env => p.fold_by_key_env(5, 0, |most, a, b| (a + b).min(*most));
    count_approx_distinct_by_key => p.count_approx_distinct_by_key();
    sample_by_key => p.sample_by_key(false, BTreeMap::from([(0, 0.9), (1, 0.9), (2, 0.9)]), 7);
    preserving_partitioning_of => {
        let spread = p.partition_by(2);
        spread.map_partitions(|all| all.map(|(key, n)| (key, n + 1))).preserving_partitioning_of(&spread).join(&spread)
    };
    partition_by => p.partition_by(Partitioner::custom_env(2, 1, |k, key: &i64| usize::from(key > k)));
    sort_by_key => p.sort_by_key();
    repartition_and_sort_within_partitions => p.repartition_and_sort_within_partitions(2);
    filter_by_range => p.sort_by_key().filter_by_range(1..=2);
    cogroup => p.cogroup(&p.filter(|(key, _)| *key > 0));
    cogroup3 => p.cogroup3(&p, &p);
    cogroup4 => p.cogroup4(&p, &p, &p);
    join => p.join(&p);
    left_outer_join => p.left_outer_join(&p.filter(|(key, _)| *key > 0));
    right_outer_join => p.filter(|(key, _)| *key > 0).right_outer_join(&p);
    full_outer_join => p.full_outer_join(&p.map(|(key, n)| (key + 1, n)));
    subtract_by_key => p.subtract_by_key(&p.filter(|(key, _)| *key > 0));
}

fn rows() -> Vec<Vec<i64>> {
    vec![(0..10).collect(), vec![], (3..9).collect()]
}

#[test]
fn operators_within_transform() {
    let batches = same("operators_within_transform", |context| {
        let driver = Driver::on(context, SECOND).unwrap();
        let all = driver.input(rows()).transform(|rdd| rdd.context().union(operators(&rdd)));
        let collected = driver.collect(&all);
        driver.run(3).unwrap();
        collected.batches().into_iter().map(sorted).collect::<Vec<_>>()
    });
    let operators = batches[0].iter().filter_map(|row| row.split(' ').next());
    let operators: std::collections::BTreeSet<&str> = operators.collect();
    assert!(operators.len() >= 78, "operators without a record: only {operators:?} have some");
}

/// The actions, each as a word and what it gives.
fn actions(n: &Rdd<i64>) -> Result<Vec<String>> {
    macro_rules! actions {
        ($($action:ident => $given:expr;)+) => {
            Ok(vec![$(format!("{} {:?}", stringify!($action), $given)),+])
        };
    }
    let p = n.map(|n| (n % 3, n));
    actions! {
        collect => n.collect()?;
        count => n.count()?;
        first => n.first()?;
        take => n.take(3)?;
        take_ordered => n.take_ordered(2)?;
        top => n.top(2)?;
        take_sample => n.take_sample(false, 3, 1)?;
        is_empty => n.is_empty()?;
        reduce => n.reduce(|a, b| a + b)?;
        fold => n.fold(0, |a, b| a + b)?;
        aggregate => n.aggregate((3, 0), |(k, sum), n| (k, sum + k * n), |a, b| (a.0, a.1 + b.1))?;
        run_job => n.run_job(0..n.num_partitions(), |all| all.sum::<i64>())?;
        run_job_env => n.run_job_env(5, 0..n.num_partitions(), |k, all| all.sum::<i64>() + k)?;
        reduce_env => n.reduce_env(9, |most, a, b| (a + b).min(*most))?;
        fold_env => n.fold_env(9, 0, |most, a, b| (a + b).min(*most))?;
        aggregate_env => n.aggregate_env(3, 0, |k, sum, n| sum + k * n, |_, a, b| a + b)?;
        tree_aggregate_with => n.repartition(9).tree_aggregate_with(0, |sum, n| sum + n, |a, b| a + b, 3)?;
        tree_reduce_with => n.repartition(9).tree_reduce_with(i64::max, 3)?;
        tree_aggregate_env => n.repartition(9).tree_aggregate_env(3, 0, |k, sum, n| sum + k * n, |_, a, b| a + b, 3)?;
        tree_reduce_env => n.repartition(9).tree_reduce_env(9, |most, a, b| (a + b).min(*most), 3)?;
        max_by => n.max_by(|a, b| (a % 5).cmp(&(b % 5)).then(a.cmp(b)))?;
        min_by => n.min_by(|a, b| (a % 5).cmp(&(b % 5)).then(a.cmp(b)))?;
        top_by => n.top_by(3, |a, b| (a % 5).cmp(&(b % 5)).then(a.cmp(b)))?;
        take_ordered_by => n.take_ordered_by(3, |a, b| b.cmp(a))?;
        count_approx_distinct => n.count_approx_distinct()?;
        mean => n.mean()?;
        stdev => n.stdev()?;
        tree_aggregate => n.repartition(9).tree_aggregate(0, |sum, n| sum + n, |a, b| a + b)?;
        tree_reduce => n.repartition(9).tree_reduce(i64::max)?;
        max => n.max()?;
        min => n.min()?;
        stats => n.stats()?;
        sum => n.sum()?;
        histogram => n.histogram_with(&[0.0, 4.0, 10.0])?;
        count_by_value => BTreeMap::from_iter(n.map(|n| n % 3).count_by_value()?);
        count_by_key => BTreeMap::from_iter(p.count_by_key()?);
        collect_as_map => BTreeMap::from_iter(p.collect_as_map()?);
        reduce_by_key_locally => BTreeMap::from_iter(p.reduce_by_key_locally(|a, b| a + b)?);
        lookup => p.lookup(1)?;
        to_local_iterator => n.to_local_iterator().collect::<Result<Vec<_>>>()?;
        foreach => n.foreach(|n| if n == 5 { Err("five") } else { Ok(()) }).is_err();
        foreach_env => n.foreach_env(5, |k, n| if n == *k { Err("five") } else { Ok(()) }).is_err();
        foreach_partition => n.foreach_partition(|all| assert!(all.count() < 5)).is_err();
        foreach_partition_env => n.foreach_partition_env(5, |k, all| assert!(all.count() < *k)).is_err();
        count_async => n.count_async().wait()?;
        collect_async => n.collect_async().wait()?;
        take_async => n.take_async(2).wait()?;
        foreach_async => n.foreach_async(|n| assert!(n < 5)).wait().is_err();
        foreach_async_env => n.foreach_async_env(5, |k, n| assert!(n < *k)).wait().is_err();
        foreach_partition_async => n.foreach_partition_async(|all| assert!(all.count() < 5)).wait().is_err();
        foreach_partition_async_env => {
            n.foreach_partition_async_env(5, |k, all| assert!(all.count() < *k)).wait().is_err()
        };
    }
}

#[test]
fn actions_within_foreach_rdd() {
    let given = same("actions_within_foreach_rdd", |context| {
        let driver = Driver::on(context, SECOND).unwrap();
        let (results, received) = mpsc::channel();
        driver
            .input(rows())
            .foreach_rdd(move |rdd| results.send(actions(&rdd)?.join("\n")).map_err(Error::user));
        driver.run(3).unwrap();
        received.try_iter().collect::<Vec<String>>()
    });
    assert_eq!(given.len(), 3);
    assert!(given[0].contains("reduce Some(45)\n") && given[0].contains("foreach_env true"), "{}", given[0]);
}

/// What goes along: a value, a broadcast, and two accumulators.
type Env = (i64, Broadcast<Vec<i64>>, (LongAccumulator, CollectionAccumulator<String>));

#[test]
fn values_broadcasts_and_accumulators_go_along() {
    let (sums, seen, names) = same("values_broadcasts_and_accumulators_go_along", |context| {
        let driver = Driver::on(context, SECOND).unwrap();
        let wanted = context.broadcast(vec![2, 3, 5, 7]);
        let env: Env = (10, wanted, (context.long_accumulator(None), context.collection_accumulator(None)));
        let (of_transform, of_output) = (env.clone(), env.clone());
        let numbers = driver.input(rows());
        let kept = numbers.transform(move |rdd| {
            rdd.filter_env(of_transform.clone(), |(_, wanted, (seen, _)), n| {
                seen.add(1);
                wanted.value().contains(n)
            })
        });
        let (results, received) = mpsc::channel();
        kept.foreach_rdd(move |rdd| {
            let scaled = rdd.map_env(of_output.clone(), |(factor, _, (_, names)), n| {
                names.add(n.to_string());
                n * factor
            });
            results.send(scaled.fold(0, |a, b| a + b)?).map_err(Error::user)
        });
        driver.run(3).unwrap();
        let (_, _, (seen, names)) = env;
        (received.try_iter().collect::<Vec<_>>(), seen.value(), sorted(names.value()))
    });
    assert_eq!((sums, seen), (vec![170, 0, 150], 16));
    assert_eq!(names, ["2", "3", "3", "5", "5", "7", "7"]);
}

/// A directory in which tasks leave a file each, to say that they run.
struct Signs(PathBuf);

impl Signs {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("millstream-signs-{name}-{}", std::process::id()));
        // One that was killed may have had the number of this process.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Signs(path)
    }

    fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }

    fn leave(path: &str, partition: usize) {
        std::fs::write(Path::new(path).join(partition.to_string()), "").unwrap();
    }

    fn wait(path: &str, partition: usize) {
        while !Path::new(path).join(partition.to_string()).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs two tasks that wait for each other, so that both slots must be free; returns the processes they ran in.
fn both_at_work(context: &Context) -> Vec<u32> {
    let signs = Signs::new("both");
    let pair = context.parallelize(0..2_usize, 2).map_env(signs.path(), |signs, partition| {
        Signs::leave(signs, partition);
        Signs::wait(signs, 1 - partition);
        std::process::id()
    });
    sorted(pair.collect().unwrap())
}

#[test]
fn tasks_of_a_cancelled_group_stop_in_their_processes() {
    let (context, executor) = context("tasks_of_a_cancelled_group_stop_in_their_processes");
    let driver = Driver::on(&context, SECOND).unwrap();
    driver.collect(&driver.input(batches![[1]]));
    let steps = driver.start().unwrap();
    let executor = executor.expect("an executor does not come here");
    step(&steps, 1);
    let signs = Signs::new("group");
    let processes = both_at_work(&context);
    let (of_job, path) = (context.clone(), signs.path());
    let job = std::thread::spawn(move || {
        of_job.set_job_group("endless", "until it is cancelled", false);
        let endless = of_job.parallelize(0..2_usize, 2).map_partitions_env(path, |path, mut records| {
            Signs::leave(&path, records.next().unwrap());
            0_u64..
        });
        endless.count()
    });
    for partition in 0..2 {
        Signs::wait(&signs.path(), partition);
    }
    context.cancel_job_group("endless");
    let error = job.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("cancelled") && error.contains("endless"), "{error}");
    // The same processes: they were not killed.
    assert_eq!((both_at_work(&context), executor.lost()), (processes, 0));
}

#[test]
fn tasks_of_a_failed_job_stop_in_their_processes() {
    let (context, executor) = context("tasks_of_a_failed_job_stop_in_their_processes");
    let driver = Driver::on(&context, SECOND).unwrap();
    driver.collect(&driver.input(batches![[1]]));
    let steps = driver.start().unwrap();
    let executor = executor.expect("an executor does not come here");
    step(&steps, 1);
    let signs = Signs::new("failed");
    let processes = both_at_work(&context);
    let job = context.parallelize(0..2_usize, 2).map_partitions_env(signs.path(), |path, mut records| {
        let partition = records.next().unwrap();
        if partition == 0 {
            Signs::wait(&path, 1);
            panic!("no luck");
        }
        Signs::leave(&path, partition);
        0_u64..
    });
    let error = job.count().unwrap_err().to_string();
    assert!(error.contains("no luck"), "{error}");
    // The same processes: they were not killed.
    assert_eq!((both_at_work(&context), executor.lost()), (processes, 0));
}
