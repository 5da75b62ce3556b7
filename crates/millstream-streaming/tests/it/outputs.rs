//! When outputs run, in which order, and what a task can know.

use std::sync::{Arc, Mutex, mpsc};

use millstream_core::{BatchId, Context, TaskContext};
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{StreamingContext, Time};

use crate::tables::{LONG, SECOND, conf, millis, seconds, step};

#[test]
fn outputs_run_one_at_a_time_in_their_order_and_batches_in_order() {
    let streaming = StreamingContext::new(conf("local[3]"), millis(2)).unwrap();
    let stream = streaming.generator_stream(3, |time, partition| [time.as_millis() + partition as i64]);
    let running_now = Arc::new(Mutex::new(()));
    let (ran, order) = mpsc::channel();
    for number in 0..4 {
        let (running_now, ran) = (Arc::clone(&running_now), ran.clone());
        stream.foreach_rdd_with(move |rdd, time| {
            let _alone = running_now.try_lock().map_err(|_| "another output is running")?;
            let count = rdd.count()?;
            ran.send((time, number, count))?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    let running = streaming.start().unwrap();
    let seen: Vec<_> = (0..200).map(|_| order.recv_timeout(LONG).unwrap()).collect();
    running.stop(true, false).unwrap();
    running.await_termination().unwrap();
    let first = seen[0].0;
    let at = |n: usize| (first + millis(2) * (n / 4) as u32, n % 4, 3);
    assert_eq!(seen, (0..200).map(at).collect::<Vec<_>>());
}

#[test]
fn foreach_rdd_runs_also_for_empty_batches_and_batches_without_partitions() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let queue = millstream_streaming::RddQueue::<i32>::new();
    let (counts, received) = mpsc::channel();
    let of_table = counts.clone();
    driver
        .input(batches![[], [1], []])
        .foreach_rdd(move |rdd| of_table.send(rdd.count()?).map_err(millstream_core::Error::user));
    driver.streaming().queue_stream(&queue).foreach_rdd(move |rdd| {
        counts.send(100 + rdd.num_partitions() as u64 + rdd.count()?).map_err(millstream_core::Error::user)
    });
    driver.run(3).unwrap();
    assert_eq!(received.try_iter().collect::<Vec<_>>(), [0, 100, 1, 100, 0, 100]);
}

#[test]
fn an_output_of_a_sliding_window_runs_when_it_is_due_and_the_others_each_batch() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let input = driver.input(batches![[1], [2], [3], [4], [5]]);
    let (every, second) = (driver.collect(&input), driver.collect(&input.window(seconds(3), seconds(2))));
    driver.run(5).unwrap();
    let times = |times: Vec<Time>| times.into_iter().map(Time::as_millis).collect::<Vec<_>>();
    assert_eq!(times(every.times()), [1000, 2000, 3000, 4000, 5000]);
    assert_eq!(times(second.times()), [2000, 4000]);
    assert_eq!(second.batches(), batches![[1, 2], [2, 3, 4]]);
}

fn batch_of_task() -> Option<BatchId> {
    TaskContext::get().and_then(|task| task.batch())
}

#[test]
fn tasks_know_their_batch_and_their_output() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let asked = driver.input(batches![[0], [0]]).map(|_| batch_of_task());
    let (first, second) = (driver.collect(&asked.filter(|id| id.is_some())), driver.collect(&asked));
    let (described, while_described) = mpsc::channel();
    // An action while the batch is described belongs to the batch and to no output.
    let transformed = asked.transform(move |rdd| {
        let ids = rdd.map(|_| batch_of_task()).collect()?;
        described.send(ids).map_err(millstream_core::Error::user)?;
        Ok::<_, millstream_core::Error>(rdd)
    });
    let third = driver.collect(&transformed);
    driver.run(2).unwrap();
    let id = |time_ms, output| Some(BatchId { time_ms, output });
    assert_eq!(first.batches(), [[id(1000, Some(0))], [id(2000, Some(0))]]);
    assert_eq!(second.batches(), [[id(1000, Some(1))], [id(2000, Some(1))]]);
    assert_eq!(third.batches(), [[id(1000, Some(2))], [id(2000, Some(2))]]);
    assert_eq!(while_described.try_iter().collect::<Vec<_>>(), [[id(1000, None)], [id(2000, None)]]);
    assert_eq!(batch_of_task(), None);
}

#[test]
fn actions_inside_transform_run_on_one_worker() {
    let driver = Driver::new(conf("local[1]"), SECOND).unwrap();
    let filtered = driver.input(batches![[3, 1, 2], [], [5, 5]]).transform(|rdd| {
        let largest = rdd.reduce(|a, b| a.max(b))?.unwrap_or_default();
        let context = rdd.context().clone();
        Ok::<_, millstream_core::Error>(rdd.map(|n| (n, ())).union(&context.parallelize([(largest, ())], 1)))
    });
    let sums = filtered.map(|(n, ())| (n, 1)).reduce_by_key(|a, b| a + b).transform(|rdd| {
        let rows = rdd.collect()?;
        Ok::<_, millstream_core::Error>(rdd.context().parallelize([rows.len()], 1))
    });
    let collected = driver.collect(&sums);
    driver.run(3).unwrap();
    assert_eq!(collected.batches(), [[3], [1], [1]]);
}

#[test]
fn actions_of_an_output_may_run_from_several_threads() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (sums, received) = mpsc::channel();
    driver.input(batches![[1, 2, 3, 4], [5]]).foreach_rdd(move |rdd| {
        let sum = std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..4).map(|_| scope.spawn(|| rdd.reduce(|a, b| a + b))).collect();
            jobs.into_iter().map(|job| job.join().unwrap().unwrap()).collect::<Vec<_>>()
        });
        sums.send(sum)
    });
    driver.run(2).unwrap();
    assert_eq!(received.try_iter().collect::<Vec<_>>(), [[Some(10); 4], [Some(5); 4]]);
}

#[test]
fn remembered_rdds_can_be_read_after_their_batch() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.streaming().remember(seconds(3));
    let (rdds, received) = mpsc::channel();
    driver.input(batches![[1], [2]]).map(|n| n * 2).foreach_rdd(move |rdd| rdds.send(rdd));
    let steps = driver.start().unwrap();
    step(&steps, 4);
    let read: Vec<_> = received.try_iter().map(|rdd| rdd.collect().unwrap()).collect();
    assert_eq!(read, batches![[2], [4], [], []]);
}

/// Spark's case that the jobs of streams have the local properties of when the streams were started.
#[test]
fn the_jobs_of_streams_have_the_local_properties_of_the_start_without_its_job_group() {
    const KEYS: [&str; 4] =
        ["spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel", "customPropKey"];
    let properties = |context: &Context| KEYS.map(|key| context.get_local_property(key));
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let context = driver.context().clone();
    context.set_job_group("non-streaming", "non-streaming", true);
    let (found, received) = mpsc::channel();
    driver.input(batches![[1]]).foreach_rdd(move |rdd| found.send(properties(rdd.context())));
    context.set_local_property("customPropKey", "value1");
    let steps = driver.start().unwrap();
    context.set_local_property("customPropKey", "value2");
    step(&steps, 1);
    let [group, description, interrupt, custom] = received.recv().unwrap();
    assert_eq!((group, custom.as_deref()), (None, Some("value1")));
    assert_eq!(description.unwrap(), "Streaming job from [output operation 0, batch time 1000 ms]");
    assert_eq!(interrupt.as_deref(), Some("false"));
    let own = ["non-streaming", "non-streaming", "true", "value2"].map(|value| Some(value.to_owned()));
    assert_eq!(properties(&context), own);
}

#[test]
fn concurrent_jobs_run_at_once_if_the_setting_says_so() {
    let driver = Driver::new(conf("local[2]").set("spark.streaming.concurrentJobs", "2"), SECOND).unwrap();
    let input = driver.input(batches![[1], [2]]);
    let meet = Arc::new(std::sync::Barrier::new(2));
    for _ in 0..2 {
        let meet = Arc::clone(&meet);
        // Each waits for the other: one after the other they would never end.
        input.foreach_rdd(move |_| {
            meet.wait();
        });
    }
    driver.run(2).unwrap();
}

#[test]
fn concurrent_outputs_in_pools_of_their_own_run_at_once_under_fair_scheduling() {
    let conf =
        conf("local[2]").set("spark.streaming.concurrentJobs", "2").set("spark.scheduler.mode", "FAIR");
    let driver = Driver::new(conf, SECOND).unwrap();
    let input = driver.input(batches![[1, 2, 3, 4], [5]]);
    static MEET: std::sync::Barrier = std::sync::Barrier::new(2);
    let (pools, seen) = mpsc::channel();
    for pool in ["reports", "alarms"] {
        let pools = pools.clone();
        input.foreach_rdd(move |rdd| {
            let inherited = rdd.context().get_local_property("spark.scheduler.pool");
            rdd.context().set_local_property("spark.scheduler.pool", pool);
            let of_tasks = rdd.coalesce(1).map_partitions(|_| {
                // A task of each output: one pool after the other would never end.
                MEET.wait();
                TaskContext::get()
                    .and_then(|task| task.get_local_property("spark.scheduler.pool").map(String::from))
            });
            pools.send((inherited, pool, of_tasks.collect()?)).map_err(millstream_core::Error::user)
        });
    }
    driver.run(2).unwrap();
    let mut seen: Vec<_> = seen.try_iter().collect();
    seen.sort();
    let of = |pool: &'static str| (None, pool, vec![pool.to_owned()]);
    assert_eq!(seen, [of("alarms"), of("alarms"), of("reports"), of("reports")]);
}
