//! Every operator and action in other processes gives what it gives here.
//!
//! A row for each; the project's rules miss an operator that has none. A task reaches the other process as bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_core::fs::{Codec, KeyValueTextFormat, ObjectBytes, TextFormat};
use millstream_core::rdd::Existing;
use millstream_core::sink::FileSink;
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{
    Broadcast, Context, LongAccumulator, Partitioner, Rdd, ReadCounts, Result, StorageLevel, StoredPartition,
};

use crate::directory::Directory;
use crate::processes::elsewhere;

/// An operator, and what it gives, as text.
type Row = (&'static str, fn(&Context) -> Result<String>);

macro_rules! rows {
    ($context:ident; $($operator:ident => $result:expr;)+) => {
        [$((stringify!($operator), |$context: &Context| Ok(format!("{:?}", $result?)))),+]
    };
}

#[track_caller]
fn alike(rows: &[Row]) {
    for (operator, run) in rows {
        let here = run(&crate::context()).unwrap_or_else(|error| panic!("{operator} here: {error}"));
        let there = run(&elsewhere()).unwrap_or_else(|error| panic!("{operator} elsewhere: {error}"));
        assert_eq!(there, here, "{operator}");
        assert!(
            !["()", "[]", "None", "{}", "0", "false"].contains(&here.as_str()),
            "{operator} gives {here}"
        );
    }
}

/// Says whether an action failed with what its closure answered.
fn seven(failed: Result<()>) -> Result<bool> {
    ok(failed.is_err_and(|error| error.to_string().ends_with("seven")))
}

fn ok<T>(value: T) -> Result<T> {
    Ok(value)
}

/// A partition that is stored as bytes.
struct Encoded(ObjectBytes<i64>);

impl StoredPartition<i64> for Encoded {
    fn read(&self) -> Result<ChunkStream<i64>> {
        self.0.read()
    }
}

fn numbers(context: &Context) -> Rdd<i64> {
    context.range(0, 20, 1, 3)
}

fn pairs(context: &Context) -> Rdd<(i64, i64)> {
    context.range(0, 20, 1, 4).map(|n| (n % 3, n))
}

fn others(context: &Context) -> Rdd<(i64, char)> {
    context.parallelize([(0, 'a'), (2, 'b'), (5, 'c'), (0, 'd')], 2)
}

fn words(context: &Context) -> Rdd<String> {
    context.parallelize(["to be", "or not", "to be"].map(String::from), 2)
}

/// What an `_env` form takes along: a value, a broadcast and an accumulator.
type Env = (i64, Broadcast<Vec<i64>>, LongAccumulator);

fn env(context: &Context) -> Env {
    (10, context.broadcast(vec![2, 3]), context.long_accumulator(None))
}

/// Uses all three, with a number that differs for each record.
fn of_all((value, list, seen): &Env, n: i64) -> i64 {
    seen.add(1);
    n * value + list.value()[0]
}

/// Runs an operator with an environment; what was counted there must have arrived here.
fn with_env<R>(context: &Context, run: impl FnOnce(Env) -> Result<R>) -> Result<(R, i64)> {
    let env = env(context);
    let result = run(env.clone())?;
    assert!(env.2.value() > 0, "nothing was counted");
    Ok((result, env.2.value()))
}

#[test]
fn of_records() {
    alike(&rows! { c;
        map => numbers(c).map(|n| n * 2).collect();
        map_ref => words(c).map_ref(|line| line.len()).collect();
        map_env => with_env(c, |env| numbers(c).map_env(env, of_all).collect());
        filter => numbers(c).filter(|n| n % 3 == 0).collect();
        filter_env => with_env(c, |env| numbers(c).filter_env(env, |env, n| of_all(env, *n) > 90).collect());
        flat_map => numbers(c).flat_map(|n| vec![n; (n % 3) as usize]).collect();
        flat_map_env => with_env(c, |env| numbers(c).flat_map_env(env, |env, n| [n, of_all(env, n)]).collect());
        flat_map_into => words(c).flat_map_into(|line, out| out.extend(line.split(' ').map(String::from))).collect();
        flat_map_into_env => with_env(c, |env| {
            numbers(c).flat_map_into_env(env, |env, n, out| out.extend([*n, of_all(env, *n)])).collect()
        });
        map_partitions => numbers(c).map_partitions(|records| [records.sum::<i64>()]).collect();
        map_partitions_env => with_env(c, |env| {
            numbers(c).map_partitions_env(env, |env, records| records.map(move |n| of_all(&env, n))).collect()
        });
        map_partitions_with_index => {
            numbers(c).map_partitions_with_index(|at, records| records.map(move |n| (at, n))).collect()
        };
        map_partitions_with_index_env => with_env(c, |env| {
            // The number of the RDD's own partition, also behind a union.
            let here = numbers(c).map_partitions_with_index_env(env, |env, at, _| [of_all(&env, at as i64)]);
            numbers(c).union(&here).collect()
        });
        glom => numbers(c).glom().collect();
        from_stored => {
            let bytes = ObjectBytes::of(stream::from_vec(vec![1, 2, 3]))?;
            c.from_stored([Arc::new(Encoded(bytes)) as _, Arc::new(Encoded(ObjectBytes::of(stream::from_vec(vec![4]))?)) as _])
                .collect()
        };
        union => ok((
            numbers(c).union(&numbers(c).map(|n| -n)).collect()?,
            c.union([numbers(c), numbers(c).map(|n| -n), numbers(c)]).collect()?,
        ));
        zip => numbers(c).zip(&c.range(0, 60, 3, 3)).collect();
        zip_partitions => {
            numbers(c).zip_partitions(&c.range(0, 3, 1, 3), |a, b| [a.sum::<i64>() - b.sum::<i64>()]).collect()
        };
        zip_partitions_env => with_env(c, |env| {
            let both = numbers(c).zip_partitions_env(env, &words(c).repartition(3), |env, a, b| {
                [of_all(&env, a.sum::<i64>() + b.count() as i64)]
            });
            both.collect()
        });
        zip_partitions3 => {
            let n = numbers(c);
            n.zip_partitions3(&n, &words(c).repartition(3), |a, b, c| a.chain(b).chain(c.map(|w| w.len() as i64))).collect()
        };
        zip_partitions4 => {
            let (n, w) = (numbers(c), words(c).repartition(3));
            n.zip_partitions4(&n, &w, &w, |a, b, c, d| [a.count() + b.count() + c.chain(d).count()]).collect()
        };
        zip_partitions3_env => with_env(c, |env| {
            let (n, w) = (numbers(c), words(c).repartition(3));
            n.zip_partitions3_env(env, &w, &n, |env, a, b, c| [of_all(&env, a.chain(c).sum::<i64>() + b.count() as i64)]).collect()
        });
        zip_partitions4_env => with_env(c, |env| {
            let (n, w) = (numbers(c), words(c).repartition(3));
            n.zip_partitions4_env(env, &w, &n, &w, |env, a, b, c, d| {
                [of_all(&env, a.chain(c).sum::<i64>() + b.chain(d).count() as i64)]
            }).collect()
        });
        zip_with_index => numbers(c).zip_with_index().collect();
        zip_with_unique_id => numbers(c).zip_with_unique_id().collect();
        cartesian => numbers(c).cartesian(&words(c)).collect();
        sample => ok((
            numbers(c).sample(false, 0.4, 5).collect()?,
            numbers(c).sample(true, 1.5, 5).collect()?,
        ));
        random_split => c.union(numbers(c).random_split([1.0, 2.0], 5)).collect();
        pipe => numbers(c).pipe(["sort"]).collect();
        pipe_with => numbers(c).pipe_with(["sh", "-c", "cat; echo $GREETING"], [("GREETING", "hello")]).collect();
        pipe_env => with_env(c, |env| {
            let lines = numbers(c).pipe_env(
                env,
                ["cat"],
                |env, lines| lines.line(of_all(env, 7)),
                |env, n, lines| lines.line(of_all(env, *n)),
            );
            lines.collect()
        });
        repartition => numbers(c).repartition(7).glom().collect();
        coalesce => numbers(c).coalesce(2).glom().collect();
        coalesce_with => numbers(c).coalesce_with(5, true).glom().collect();
        sort_by => numbers(c).sort_by(|n| n * 7 % 20).glom().collect();
        sort_by_with => numbers(c).sort_by_with(|n| n * 7 % 20, false, 2).glom().collect();
        sort_by_env => with_env(c, |env| numbers(c).sort_by_env(env, |env, n| -of_all(env, *n)).collect());
        distinct => numbers(c).map(|n| n % 4).distinct().collect();
        distinct_with => numbers(c).map(|n| n % 4).distinct_with(2).glom().collect();
        subtract => numbers(c).subtract(&c.range(5, 15, 1, 2)).collect();
        subtract_with => numbers(c).subtract_with(&c.range(5, 15, 1, 2), 2).glom().collect();
        intersection => numbers(c).intersection(&c.range(5, 30, 1, 2)).collect();
        intersection_with => numbers(c).intersection_with(&c.range(5, 30, 1, 2), 2).glom().collect();
        key_by => numbers(c).key_by(|n| n % 3).collect();
        key_by_env => with_env(c, |env| numbers(c).key_by_env(env, |env, n| of_all(env, *n)).collect());
        group_by => numbers(c).group_by(|n| n % 3).collect();
        group_by_with => numbers(c).group_by_with(|n| n % 3, 2).glom().collect();
        group_by_env => with_env(c, |env| numbers(c).group_by_env(env, |env, n| of_all(env, *n) % 3).collect());
        counting_reads => {
            let read = c.register(ReadCounts::default(), None);
            numbers(c).counting_reads(&read).collect().map(|records| (records, read.value()))
        };
        persist => { let kept = numbers(c).map(|n| n + 1).persist(); kept.count().and_then(|_| kept.map(|n| n * 2).collect()) };
        persist_with => {
            let kept = numbers(c).map(|n| n + 1).persist_with(StorageLevel::MEMORY_AND_DISK_SER)?;
            kept.count().and_then(|_| kept.map(|n| n * 2).collect())
        };
        checkpoint => {
            let directory = Directory::new("checkpoint-elsewhere");
            c.set_checkpoint_dir(&directory.0)?;
            let written = pairs(c).reduce_by_key(|a, b| a + b);
            written.checkpoint()?;
            written.count()?;
            written.map_values(|n| n + 1).collect().map(|read| (read, written.is_checkpointed()))
        };
        cache => { let kept = pairs(c).reduce_by_key(|a, b| a + b).cache(); kept.count().and_then(|_| kept.collect()) };
        unpersist => { let kept = numbers(c).cache(); kept.count()?; kept.unpersist().map(|n| n + 1).collect() };
        local_checkpoint => {
            let cut = pairs(c).reduce_by_key(|a, b| a + b).local_checkpoint();
            cut.count().and_then(|_| cut.map(|(_, n)| n).collect())
        };
    });
}

#[test]
fn of_pairs() {
    alike(&rows! { c;
        map_values => pairs(c).map_values(|n| n * 2).collect();
        map_values_env => with_env(c, |env| pairs(c).map_values_env(env, of_all).collect());
        flat_map_values => pairs(c).flat_map_values(|n| [n, -n]).collect();
        flat_map_values_env => with_env(c, |env| {
            pairs(c).flat_map_values_env(env, |env, n| [n, of_all(env, n)]).collect()
        });
        keys => pairs(c).keys().collect();
        values => pairs(c).values().collect();
        reduce_by_key => pairs(c).reduce_by_key(|a, b| a + b).collect();
        reduce_by_key_env => with_env(c, |env| pairs(c).reduce_by_key_env(env, |env, a, b| of_all(env, a) % 97 + b).collect());
        reduce_by_key_with => pairs(c).reduce_by_key_with(i64::max, 2).glom().collect();
        group_by_key => pairs(c).group_by_key().collect();
        group_by_key_with => pairs(c).partition_by(3).group_by_key_with(3).glom().collect();
        combine_by_key => pairs(c).combine_by_key(|n| vec![n], |all, n| [all, vec![n]].concat(), |a, b| [a, b].concat()).collect();
        combine_by_key_env => with_env(c, |env| {
            let list = |env: &Env, n| vec![of_all(env, n)];
            let add = |env: &Env, all: Vec<i64>, n| [all, vec![of_all(env, n)]].concat();
            let merge = |env: &Env, a: Vec<i64>, b: Vec<i64>| [a, vec![env.0], b].concat();
            let spread = pairs(c).partition_by(2).combine_by_key_env(env.clone(), list, add, merge);
            Ok((pairs(c).combine_by_key_env(env, list, add, merge).collect()?, spread.collect()?))
        });
        combine_by_key_with => {
            let rule = Partitioner::custom_env(3, 2, |n, key: &i64| (key % n) as usize);
            pairs(c).combine_by_key_with(|n| (n, 1), |(sum, k), n| (sum + n, k + 1), |a, b| (a.0 + b.0, a.1 + b.1), rule).glom().collect()
        };
        aggregate_by_key => pairs(c).aggregate_by_key(100, |sum, n| sum + n, |a, b| a + b).collect();
        aggregate_by_key_env => with_env(c, |env| {
            pairs(c).aggregate_by_key_env(env, 1, |env, sum, n| sum + of_all(env, n), |env, a, b| a + b + env.0).collect()
        });
        aggregate_by_key_with => pairs(c).aggregate_by_key_with(String::new(), |s, n| s + &n.to_string(), |a, b| a + "|" + &b, 2).glom().collect();
        fold_by_key => pairs(c).fold_by_key(1, |a, b| a * (b + 1) % 1000).collect();
        fold_by_key_env => with_env(c, |env| {
            pairs(c).fold_by_key_env(env, 1, |env, a, b| (a + of_all(env, b)) % 1000).collect()
        });
        fold_by_key_with => pairs(c).fold_by_key_with(0, |a, b| a + b, 2).glom().collect();
        preserving_partitioning_of => {
            let spread = pairs(c).partition_by(Partitioner::custom_env(3, 2, |n, key: &i64| (key % n) as usize));
            let same = spread.map(|(key, n)| (key, n + 1)).preserving_partitioning_of(&spread);
            ok((same.join(&spread).glom().collect()?, same.reduce_by_key(i64::max).collect()?))
        };
        partition_by => ok((
            pairs(c).partition_by(3).glom().collect()?,
            pairs(c).partition_by(Partitioner::range(&pairs(c), 2, true)?).glom().collect()?,
            pairs(c).partition_by(Partitioner::custom_env(2, 1, |n, key: &i64| usize::from(key > n))).glom().collect()?,
        ));
        sort_by_key => pairs(c).sort_by_key().glom().collect();
        sort_by_key_with => pairs(c).sort_by_key_with(false, 2).glom().collect();
        repartition_and_sort_within_partitions => pairs(c).repartition_and_sort_within_partitions(2).glom().collect();
        filter_by_range => pairs(c).sort_by_key().filter_by_range(1..=2).collect();
        cogroup => pairs(c).cogroup(&others(c)).collect();
        cogroup_with => pairs(c).partition_by(3).cogroup_with(&others(c), 3).glom().collect();
        cogroup3 => pairs(c).cogroup3(&others(c), &pairs(c)).collect();
        cogroup3_with => pairs(c).cogroup3_with(&others(c), &pairs(c), 2).glom().collect();
        cogroup4 => pairs(c).cogroup4(&others(c), &pairs(c), &others(c)).collect();
        cogroup4_with => pairs(c).cogroup4_with(&others(c), &pairs(c), &others(c), 2).glom().collect();
        join => pairs(c).join(&others(c)).collect();
        join_with => pairs(c).join_with(&others(c), 2).glom().collect();
        left_outer_join => pairs(c).left_outer_join(&others(c)).collect();
        left_outer_join_with => pairs(c).left_outer_join_with(&others(c), 2).glom().collect();
        right_outer_join => pairs(c).right_outer_join(&others(c)).collect();
        right_outer_join_with => pairs(c).right_outer_join_with(&others(c), 2).glom().collect();
        full_outer_join => pairs(c).full_outer_join(&others(c)).collect();
        full_outer_join_with => pairs(c).full_outer_join_with(&others(c), 2).glom().collect();
        subtract_by_key => pairs(c).subtract_by_key(&others(c)).collect();
        subtract_by_key_with => pairs(c).subtract_by_key_with(&others(c), 2).glom().collect();
        sample_by_key => {
            pairs(c).sample_by_key(true, [(0, 0.5), (1, 1.5), (2, 0.0)], 5).collect()
        };
        sample_by_key_exact => {
            pairs(c).sample_by_key_exact(false, [(0, 0.5), (1, 1.0), (2, 0.3)], 5).collect()
        };
        count_approx_distinct_by_key => pairs(c).count_approx_distinct_by_key().collect();
        count_approx_distinct_by_key_with => {
            pairs(c).count_approx_distinct_by_key_with(0.01, 2).glom().collect()
        };
        count_by_key => pairs(c).count_by_key().map(BTreeMap::from_iter);
        collect_as_map => pairs(c).collect_as_map().map(BTreeMap::from_iter);
        reduce_by_key_locally => pairs(c).reduce_by_key_locally(|a, b| a + b).map(BTreeMap::from_iter);
        lookup => ok((pairs(c).lookup(1)?, pairs(c).partition_by(3).lookup(2)?));
    });
}

#[test]
fn actions() {
    alike(&rows! { c;
        collect => numbers(c).collect();
        count => numbers(c).count();
        count_approx_distinct => numbers(c).count_approx_distinct();
        count_approx_distinct_with => numbers(c).count_approx_distinct_with(0.001);
        first => numbers(c).first();
        take => numbers(c).take(9);
        top_by => numbers(c).map(|n| n * 7 % 20).top_by(4, |a, b| (a % 5).cmp(&(b % 5)).then(a.cmp(b)));
        take_ordered_by => numbers(c).map(|n| n as f64 / 3.0).take_ordered_by(4, f64::total_cmp);
        max_by => numbers(c).map(|n| n as f64 / 3.0).max_by(f64::total_cmp);
        min_by => numbers(c).map(|n| 1.0 - n as f64 / 3.0).min_by(f64::total_cmp);
        top => numbers(c).map(|n| n * 7 % 20).top(4);
        take_ordered => numbers(c).map(|n| n * 7 % 20).take_ordered(4);
        take_sample => ok((numbers(c).take_sample(false, 5, 5)?, numbers(c).take_sample(true, 5, 5)?));
        is_empty => c.empty_rdd::<i64>().is_empty();
        reduce => numbers(c).reduce(|a, b| a.max(b));
        reduce_env => with_env(c, |env| numbers(c).reduce_env(env, |env, a, b| (a + of_all(env, b)) % 1000));
        fold_env => with_env(c, |env| numbers(c).fold_env(env, 1, |env, a, b| (a + of_all(env, b)) % 1000));
        aggregate_env => with_env(c, |env| {
            words(c).aggregate_env(env, 0, |env, sum, line| sum + of_all(env, line.len() as i64), |env, a, b| a + b + env.0)
        });
        fold => numbers(c).fold(1, |a, b| a + b);
        aggregate => words(c).aggregate(0, |sum, line| sum + line.len(), |a, b| a + b);
        tree_aggregate => c.range(0, 100, 1, 30).tree_aggregate(0, |sum, n| sum + n, |a, b| a + b);
        tree_aggregate_with => c.range(0, 100, 1, 30).tree_aggregate_with(0, |sum, n| sum + n, |a, b| a + b, 3);
        tree_aggregate_env => with_env(c, |env| {
            c.range(0, 100, 1, 30).tree_aggregate_env(env, 0, |env, sum, n| sum + of_all(env, n), |env, a, b| a + b + env.0, 3)
        });
        tree_reduce => c.range(0, 100, 1, 30).tree_reduce(i64::max);
        tree_reduce_with => c.range(0, 100, 1, 30).tree_reduce_with(i64::max, 3);
        tree_reduce_env => with_env(c, |env| {
            c.range(0, 100, 1, 30).tree_reduce_env(env, |env, a, b| a.max(b).max(of_all(env, 3)), 3)
        });
        max => numbers(c).max();
        min => numbers(c).map(|n| n - 7).min();
        sum => numbers(c).sum();
        mean => numbers(c).mean();
        variance => numbers(c).variance();
        stdev => numbers(c).stdev();
        sample_variance => numbers(c).sample_variance();
        sample_stdev => numbers(c).sample_stdev();
        stats => numbers(c).stats();
        histogram => numbers(c).histogram(7);
        histogram_with => numbers(c).histogram_with(&[0.0, 5.0, 20.0]);
        count_by_value => numbers(c).map(|n| n % 3).count_by_value().map(BTreeMap::from_iter);
        to_local_iterator => numbers(c).to_local_iterator().collect::<Result<Vec<_>>>();
        foreach => seven(numbers(c).foreach(|n| if n == 7 { Err("seven") } else { Ok(()) }));
        foreach_env => with_env(c, |env| numbers(c).foreach_env(env, |env, n| { of_all(env, n); }));
        foreach_partition => seven(numbers(c).foreach_partition(|all| if all.count() == 7 { Err("seven") } else { Ok(()) }));
        foreach_partition_env => with_env(c, |env| numbers(c).foreach_partition_env(env, |env, all| { of_all(env, all.count() as i64); }));
        count_async => numbers(c).count_async().wait();
        collect_async => numbers(c).collect_async().wait();
        take_async => numbers(c).take_async(9).wait();
        foreach_async => seven(numbers(c).foreach_async(|n| if n == 7 { Err("seven") } else { Ok(()) }).wait());
        foreach_async_env => with_env(c, |env| numbers(c).foreach_async_env(env, |env, n| { of_all(env, n); }).wait());
        foreach_partition_async => seven(numbers(c).foreach_partition_async(|all| if all.count() == 7 { Err("seven") } else { Ok(()) }).wait());
        foreach_partition_async_env => with_env(c, |env| numbers(c).foreach_partition_async_env(env, |env, all| { of_all(env, all.count() as i64); }).wait());
        run_job => numbers(c).run_job([2, 0, 2], |records| records.sum::<i64>());
        run_job_env => numbers(c).run_job_env(5_i64, [1], |least, records| records.filter(|n| n > least).count());
    });
}

#[test]
fn sources_and_files() {
    fn saved(name: &str, save: impl FnOnce(&std::path::Path) -> Result<()>) -> Result<Vec<String>> {
        let directory = Directory::new(name);
        let path = directory.path("out");
        save(&path)?;
        crate::context().text_file(path).collect()
    }
    fn with_file<R>(name: &str, read: impl FnOnce(&Directory, &std::path::Path) -> Result<R>) -> Result<R> {
        let directory = Directory::new(name);
        let path = directory.write("in/a.txt", "one\ntwo\nsix\n");
        read(&directory, &path)
    }
    /// The names of files hold the directory, which is another one each time.
    fn content<T>(files: Vec<(String, T)>) -> Vec<T> {
        files.into_iter().map(|(_, content)| content).collect()
    }
    alike(&rows! { c;
        parallelize => c.parallelize(0..10, 3).glom().collect();
        range => c.range(10, 0, -3, 2).glom().collect();
        generate => c.generate(3, |n| 0..n).glom().collect();
        from_chunks => c.from_chunks([vec![vec![1, 2].into()], vec![vec![3].into(), vec![4].into()]]).glom().collect();
        empty_rdd => c.union([c.empty_rdd(), numbers(c)]).collect();
        text_file => with_file("rows-text", |_, path| c.text_file(path).collect());
        text_file_with => with_file("rows-text-with", |_, path| c.text_file_with(path, 3).glom().collect());
        whole_text_files => with_file("rows-whole", |_, path| c.whole_text_files(path).collect().map(content));
        whole_text_files_with => with_file("rows-whole-with", |_, path| c.whole_text_files_with(path, 2).collect().map(content));
        binary_files => with_file("rows-binary", |_, path| c.binary_files(path).collect().map(content));
        binary_files_with => with_file("rows-binary-with", |_, path| c.binary_files_with(path, 2).collect().map(content));
        binary_records => with_file("rows-records", |_, path| c.binary_records(path, 4).collect());
        read_files => with_file("rows-read", |_, path| c.read_files(path, TextFormat::default(), 2).collect());
        read_files_of => with_file("rows-read-of", |_, path| {
            c.read_files_of(c.file_systems().input_files(path)?, TextFormat::default(), 2).collect()
        });
        object_file => with_file("rows-objects", |directory, _| {
            pairs(c).save_as_object_file(directory.path("objects"))?;
            c.object_file::<(i64, i64)>(directory.path("objects")).collect()
        });
        save_as_text_file => saved("rows-save-text", |path| numbers(c).save_as_text_file(path));
        save_as_text_file_with => saved("rows-save-gzip", |path| numbers(c).save_as_text_file_with(path, Codec::Gzip));
        save_as_files => saved("rows-save-files", |path| words(c).save_as_files(path, TextFormat::default(), Existing::Refuse));
        save_as_hadoop_file => saved("rows-save-pairs", |path| others(c).save_as_hadoop_file(path, KeyValueTextFormat::default()));
        save_as_new_api_hadoop_file => saved("rows-save-new", |path| {
            others(c).save_as_new_api_hadoop_file(path, KeyValueTextFormat { codec: Codec::Gzip, separator: ':' })
        });
        save_exactly_once => with_file("rows-save-once", |directory, _| {
            let sink = FileSink::new(directory.path("once"), TextFormat::default())?;
            let stored = [1000, 1000, 2000].map(|time| words(c).save_exactly_once("words", time, sink.clone()));
            stored.into_iter().collect::<Result<Vec<_>>>()
        });
        save_as_object_file => with_file("rows-save-objects", |directory, _| {
            numbers(c).save_as_object_file(directory.path("objects"))?;
            crate::context().object_file::<i64>(directory.path("objects")).collect()
        });
    });
}
