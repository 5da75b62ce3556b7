//! Streams and the contexts they run on.

use std::sync::{Arc, mpsc};

use millstream_core::{Conf, Context};
use millstream_streaming::listener::StreamingListener;
use millstream_streaming::testing::{Driver, batches};
use millstream_streaming::{RddQueue, Receiver, ReceiverHandle, StreamingContext, StreamingContextState};

use crate::tables::{LONG, SECOND, conf, millis, run_on, sorted, step};

fn doubled(context: &Context) -> Vec<Vec<i32>> {
    let rows = run_on(context, SECOND, batches![[1, 2], [3]], |s| s.map(|n| n * 2), 2);
    rows.into_iter().map(|(_, row)| row).collect()
}

#[test]
fn a_context_that_was_left_running_carries_the_next_streams() {
    let context = Context::new(conf("local[2]")).unwrap();
    // Each run stops with `stop(false, ..)` and drops its running context.
    for _ in 0..3 {
        assert_eq!(doubled(&context), batches![[2, 4], [6]]);
    }
    assert!(!context.is_stopped());
    assert_eq!(context.parallelize(1..=3, 2).count().unwrap(), 3);
}

struct Listening;

impl StreamingListener for Listening {}

/// Spark's SPARK-28709.
#[test]
fn a_context_that_goes_on_keeps_nothing_of_streams_that_were_stopped() {
    let context = Context::new(conf("local[2]")).unwrap();
    let driver = Driver::on(&context, SECOND).unwrap();
    let captured = Arc::new(());
    let (listener, by_output) = (Arc::new(Listening), Arc::clone(&captured));
    driver.input(batches![[1]]).foreach_rdd(move |rdd| {
        let _ = &by_output;
        rdd.count().map(drop)
    });
    driver.streaming().add_streaming_listener(listener.clone()).unwrap();
    let steps = driver.start().unwrap();
    step(&steps, 1);
    assert!(Arc::strong_count(&listener) > 1 && Arc::strong_count(&captured) > 1);
    steps.running.stop(false, false).unwrap();
    drop(steps);
    assert_eq!((Arc::strong_count(&listener), Arc::strong_count(&captured)), (1, 1));
    assert!(!context.is_stopped());
}

#[test]
fn a_context_is_stopped_with_its_streams_if_asked_also_later() {
    let context = Context::new(conf("local[2]")).unwrap();
    let driver = Driver::on(&context, SECOND).unwrap();
    driver.input(batches![[1]]).print();
    let steps = driver.start().unwrap();
    steps.running.stop(false, false).unwrap();
    assert!(!context.is_stopped());
    steps.running.stop(true, false).unwrap();
    assert!(context.is_stopped());
}

#[test]
fn dropping_running_streams_stops_them_and_their_context() {
    let context = Context::new(conf("local[2]")).unwrap();
    let driver = Driver::on(&context, SECOND).unwrap();
    let collected = driver.collect(&driver.input(batches![[1]]));
    let steps = driver.start().unwrap();
    step(&steps, 1);
    drop(steps);
    assert!(context.is_stopped());
    assert_eq!(collected.batches(), [[1]]);
}

#[test]
fn the_context_survives_the_drop_if_the_setting_says_so() {
    let conf = conf("local[2]").set("spark.streaming.stopSparkContextByDefault", "false");
    let context = Context::new(conf).unwrap();
    for stop_now in [true, false] {
        let driver = Driver::on(&context, SECOND).unwrap();
        driver.input(batches![[1]]).print();
        let steps = driver.start().unwrap();
        if stop_now {
            steps.running.stop_now().unwrap();
        }
    }
    assert!(!context.is_stopped());
}

#[test]
fn several_streaming_contexts_run_at_once_on_one_context_and_on_several() {
    let shared = Context::new(conf("local[2]")).unwrap();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let context = if n % 2 == 0 { shared.clone() } else { Context::new(conf("local[1]")).unwrap() };
            scope.spawn(move || {
                let input: Vec<Vec<i32>> = (0..10).map(|row| vec![row, n]).collect();
                let expected: Vec<_> =
                    (0..10).map(|row| (i64::from(row + 1) * 1000, vec![row + n])).collect();
                let sum = |s: &millstream_streaming::DStream<i32>| {
                    s.map(|n| ((), n)).reduce_by_key_with(|a, b| a + b, 1).map(|((), sum)| sum)
                };
                assert_eq!(run_on(&context, SECOND, input, sum, 10), expected);
            });
        }
    });
    assert!(!shared.is_stopped());
}

/// Says when it is started.
struct Starts(mpsc::Sender<()>);

impl Receiver<i32> for Starts {
    fn on_start(&self, _: &ReceiverHandle<i32>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.0.send(())?)
    }
}

/// Spark's case of states without a directory.
#[test]
fn a_start_that_is_refused_starts_nothing() {
    let context = Context::new(conf("local[2]")).unwrap();
    let streaming = StreamingContext::new(&context, SECOND).unwrap();
    let (sender, started) = mpsc::channel();
    let numbers = streaming.receiver_stream(Starts(sender));
    let sums = numbers.map(|n| (n, 1)).update_state_by_key(|ones: Vec<i32>, sum: Option<i32>| {
        Some(ones.iter().sum::<i32>() + sum.unwrap_or(0))
    });
    sums.foreach_rdd(|_| ());
    let refused = streaming.start().err().unwrap().to_string();
    assert!(refused.contains("update_state_by_key at"), "{refused}");
    drop((numbers, sums));
    // The receiver is gone, and was never started.
    assert_eq!(started.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    assert_eq!(doubled(&context), batches![[2, 4], [6]]);
}

#[test]
fn whoever_waits_for_the_end_is_told_of_it() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.input(batches![[1]]).print();
    let steps = driver.start().unwrap();
    assert!(!steps.running.await_termination_or_timeout(millis(1)).unwrap());
    let (waits, is_waiting) = mpsc::channel();
    std::thread::scope(|scope| {
        let running = &steps.running;
        let waiting = scope.spawn(move || {
            waits.send(()).unwrap();
            running.await_termination_or_timeout(LONG)
        });
        is_waiting.recv_timeout(LONG).unwrap();
        running.stop(true, false).unwrap();
        assert!(waiting.join().unwrap().unwrap());
    });
    // Stopped again it stays stopped.
    steps.running.stop(true, false).unwrap();
    assert_eq!(steps.running.state(), StreamingContextState::Stopped);
    steps.running.await_termination().unwrap();
}

/// Spark's case of creation sites.
#[test]
fn the_rdds_of_a_batch_name_the_line_of_their_stream() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (sender, _started) = mpsc::channel();
    let line = line!() + 1;
    let numbers = driver.streaming().receiver_stream(Starts(sender));
    let (texts, described) = mpsc::channel();
    numbers.foreach_rdd(move |rdd| texts.send(rdd.to_debug_string()));
    driver.run(1).unwrap();
    let text = described.recv().unwrap();
    assert!(text.contains("receiver_stream") && text.contains(&format!("{}:{line}:", file!())), "{text}");
}

#[test]
fn streams_that_were_never_started_leave_the_context_alone() {
    let context = Context::new(conf("local[1]")).unwrap();
    let streaming = StreamingContext::new(&context, SECOND).unwrap();
    streaming.generator_stream(1, |_, _| 0..3).print();
    drop(streaming);
    assert_eq!(doubled(&context), batches![[2, 4], [6]]);
}

#[test]
fn queued_rdds_may_be_made_after_the_start() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let queue = RddQueue::new();
    let collected = driver.collect(&driver.streaming().queue_stream(&queue).map(|n| n + 1));
    let steps = driver.start().unwrap();
    for n in 0..3 {
        queue.push(steps.running.context().parallelize([n, n * 10], 2));
        step(&steps, 1);
    }
    step(&steps, 1);
    assert_eq!(collected.batches(), batches![[1, 1], [2, 11], [3, 21], []]);
    assert!(queue.is_empty());
}

#[test]
fn a_queue_gives_one_rdd_a_batch_or_all_or_the_default() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let context = driver.context();
    let default = context.parallelize([-1], 1).cache();
    let queues: Vec<RddQueue<i32>> = (0..4).map(|_| RddQueue::new()).collect();
    for queue in &queues {
        for n in [1, 2, 3] {
            queue.push(context.parallelize([n, n], 2));
        }
    }
    let streaming = driver.streaming();
    let streams = [
        streaming.queue_stream(&queues[0]),
        streaming.queue_stream_with(&queues[1], true, Some(default.clone())),
        streaming.queue_stream_with(&queues[2], false, None),
        streaming.queue_stream_with(&queues[3], false, Some(default.clone())),
    ];
    let collected = streams.map(|stream| driver.collect(&stream.map(|n| n)));
    driver.run(5).unwrap();
    assert_eq!(collected[0].batches(), batches![[1, 1], [2, 2], [3, 3], [], []]);
    assert_eq!(collected[1].batches(), batches![[1, 1], [2, 2], [3, 3], [-1], [-1]]);
    assert_eq!(collected[2].batches(), batches![[1, 1, 2, 2, 3, 3], [], [], [], []]);
    assert_eq!(collected[3].batches(), batches![[1, 1, 2, 2, 3, 3], [-1], [-1], [-1], [-1]]);
    // It is the program's own: what it has kept stays kept.
    assert!(default.is_persisted());
}

#[test]
fn threads_push_into_a_queue_while_batches_run() {
    let context = Context::new(conf("local[2]")).unwrap();
    let streaming = StreamingContext::new(&context, millis(2)).unwrap();
    let queue = RddQueue::new();
    let (records, received) = mpsc::channel();
    streaming.queue_stream_with(&queue, false, None).foreach_rdd(move |rdd| {
        rdd.collect()?.into_iter().try_for_each(|n| records.send(n)).map_err(millstream_core::Error::user)
    });
    let running = streaming.start().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (queue, context) = (queue.clone(), context.clone());
            scope.spawn(move || {
                for n in 0..50 {
                    queue.push(context.parallelize([thread * 50 + n], 1));
                }
            });
        }
    });
    let all: Vec<i32> = (0..200).map(|_| received.recv_timeout(LONG).unwrap()).collect();
    running.stop(true, false).unwrap();
    assert_eq!(sorted(all), (0..200).collect::<Vec<_>>());
    assert_eq!(received.try_iter().count(), 0);
}

#[test]
fn settings_reach_the_context() {
    let five = Conf::empty().set_master("local[3]").set("spark.default.parallelism", "5");
    let streaming = StreamingContext::new(five, SECOND).unwrap();
    assert_eq!(streaming.context().default_parallelism(), 5);
    // Also those that mean nothing to it.
    let conf = conf("local[2]").set_app_name("StreamingContextSuite").set("spark.dummyTimeConfig", "10s");
    let own = StreamingContext::new(conf.clone(), millis(500)).unwrap();
    let shared = StreamingContext::new(Context::new(conf).unwrap(), millis(500)).unwrap();
    for streaming in [own, shared] {
        let conf = streaming.context().conf();
        assert_eq!(conf.get_raw("spark.master").as_deref(), Some("local[2]"));
        assert_eq!(conf.app_name().unwrap(), "StreamingContextSuite");
        assert_eq!(conf.get_raw("spark.dummyTimeConfig").as_deref(), Some("10s"));
    }
}
