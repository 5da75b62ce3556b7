//! What is kept in memory, and for how long. Counted are the records themselves, clones included.

use std::sync::mpsc;

use millstream_streaming::testing::{Driver, batches};

use crate::fed::fed_stream;
use crate::live::{Counted, Counter};
use crate::tables::{SECOND, conf, millis, seconds, step};

const BLOCK: usize = 1000;

fn block(counter: &Counter) -> Vec<Counted> {
    (0..BLOCK).map(|n| counter.record(n as i64)).collect()
}

#[test]
fn blocks_are_freed_after_their_batch() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<Counted>(driver.streaming());
    let sums = driver.collect(&stream.map_ref(|record| ((), record.number)).reduce_by_key(|a, b| a + b));
    let steps = driver.start().unwrap();
    let (handle, counter) = (feed.handle(), Counter::default());
    for batch in 1..=50 {
        handle.store_each(block(&counter)).unwrap();
        step(&steps, 1);
        // This batch's, and the last one's until the next is completed, as in Spark.
        assert!(counter.live() <= 2 * BLOCK, "{} live after batch {batch}", counter.live());
    }
    step(&steps, 2);
    assert_eq!(counter.live(), 0);
    let sum = (0..BLOCK as i64).sum::<i64>();
    assert_eq!(sums.batches(), [vec![vec![((), sum)]; 50], vec![vec![]; 2]].concat());
}

#[test]
fn input_that_nobody_reads_is_dropped() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<Counted>(driver.streaming());
    let (_unread, unread_feed) = fed_stream::<Counted>(driver.streaming());
    stream.foreach_rdd(|_| ());
    let steps = driver.start().unwrap();
    let (handles, counter) = ([feed.handle(), unread_feed.handle()], Counter::default());
    for batch in 1..=20 {
        handles.iter().for_each(|handle| handle.store_each(block(&counter)).unwrap());
        step(&steps, 1);
        assert!(counter.live() <= 4 * BLOCK, "{} live after batch {batch}", counter.live());
    }
    step(&steps, 2);
    assert_eq!(counter.live(), 0);
}

#[test]
fn a_window_keeps_what_it_needs_and_no_more() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<Counted>(driver.streaming());
    let counts = driver.collect(&stream.window(seconds(3), seconds(1)).count());
    let steps = driver.start().unwrap();
    let (handle, counter) = (feed.handle(), Counter::default());
    for batch in 1..=30 {
        handle.store_each(block(&counter)).unwrap();
        step(&steps, 1);
        // The window and one slide; received and kept records are the same ones in memory.
        assert!(counter.live() <= 5 * BLOCK, "{} live after batch {batch}", counter.live());
    }
    step(&steps, 5);
    assert_eq!(counter.live(), 0);
    assert_eq!(counts.batches()[29..], [[3000], [2000], [1000], [0], [0], [0]]);
}

#[test]
fn what_was_kept_of_a_batch_is_freed_with_it_unless_the_program_says_otherwise() {
    for (unpersist, stays) in [("true", false), ("false", true)] {
        let driver =
            Driver::new(conf("local[1]").set("spark.streaming.unpersist", unpersist), SECOND).unwrap();
        let (sender, rdds) = mpsc::channel();
        driver.input(batches![[1], [2]]).persist().foreach_rdd(move |rdd| {
            rdd.count()?;
            sender.send(rdd.clone()).map_err(millstream_core::Error::user)
        });
        let steps = driver.start().unwrap();
        step(&steps, 2);
        let kept: Vec<_> = rdds.try_iter().map(|rdd| rdd.is_persisted()).collect();
        assert_eq!(kept, [stays, true], "{unpersist}");
    }
}

#[test]
fn remember_keeps_blocks_longer() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    driver.streaming().remember(seconds(5));
    let (stream, feed) = fed_stream::<Counted>(driver.streaming());
    stream.foreach_rdd(|_| ());
    let steps = driver.start().unwrap();
    let (handle, counter) = (feed.handle(), Counter::default());
    handle.store_each(block(&counter)).unwrap();
    step(&steps, 5);
    assert_eq!(counter.live(), BLOCK);
    step(&steps, 2);
    assert_eq!(counter.live(), 0);
}

#[test]
fn a_stop_frees_everything_also_what_no_batch_has_run() {
    for graceful in [false, true] {
        let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
        let (stream, feed) = fed_stream::<Counted>(driver.streaming());
        stream.window(seconds(10), seconds(1)).foreach_rdd(|rdd| rdd.count().map(drop));
        let steps = driver.start().unwrap();
        let counter = Counter::default();
        let handle = feed.handle();
        handle.store_each(block(&counter)).unwrap();
        step(&steps, 1);
        handle.store_each(block(&counter)).unwrap();
        let clock = steps.clock.clone();
        std::thread::scope(|scope| {
            let (stopped, is_stopped) = mpsc::channel::<()>();
            // A graceful stop waits for the batch that is due next.
            scope.spawn(move || {
                while is_stopped.recv_timeout(millis(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                    clock.advance(SECOND);
                }
            });
            steps.running.stop(true, graceful).unwrap();
            drop(stopped);
        });
        drop((steps, stream, handle));
        assert_eq!(counter.live(), 0, "graceful: {graceful}");
    }
}

#[test]
fn the_inverse_window_does_not_grow() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<Counted>(driver.streaming());
    let sums = stream.map_ref(|record| (record.number % 50, 1)).reduce_by_key_and_window_with_inverse(
        |a, b| a + b,
        |a, b| a - b,
        seconds(3),
        seconds(1),
    );
    let collected = driver.collect(&sums.count());
    let steps = driver.start().unwrap();
    let (handle, counter) = (feed.handle(), Counter::default());
    for batch in 1..=2000 {
        handle.store_each((0..100).map(|n| counter.record(n)).collect()).unwrap();
        step(&steps, 1);
        // Any RDD that is still reachable holds the blocks it is made of.
        assert!(counter.live() <= 600, "{} live after batch {batch}", counter.live());
    }
    assert_eq!(collected.batches(), vec![[50]; 2000]);
}

/// `print` and `take` read the first partitions only, and a program may look at every hundredth window: the rest must not
/// pile up.
#[test]
fn the_inverse_window_does_not_grow_if_outputs_read_only_a_part_of_it() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (stream, feed) = fed_stream::<Counted>(driver.streaming());
    let reduce = || {
        let pairs = stream.map_ref(|record| (record.number % 50, record.number));
        pairs.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(3), seconds(1))
    };
    let (partly, seldom) = (reduce(), reduce());
    partly.foreach_rdd(|rdd| rdd.take(3).map(drop));
    let (sums, received) = mpsc::channel();
    seldom.foreach_rdd_with(move |rdd, time| {
        if time.is_multiple_of(seconds(500)) {
            sums.send(rdd.map(|(_, sum)| sum).reduce(|a, b| a + b)?).map_err(millstream_core::Error::user)?;
        }
        Ok::<_, millstream_core::Error>(())
    });
    let steps = driver.start().unwrap();
    let (handle, counter) = (feed.handle(), Counter::default());
    for batch in 1..=2000 {
        handle.store_each((0..100).map(|n| counter.record(n)).collect()).unwrap();
        step(&steps, 1);
        assert!(counter.live() <= 600, "{} live after batch {batch}", counter.live());
    }
    assert_eq!(received.try_iter().collect::<Vec<_>>(), [Some(3 * 4950); 4]);
}

/// A long queue of batches, as after a pause: windows that were described and never computed are let go of.
#[test]
fn a_long_chain_of_windows_is_dropped_without_recursion() {
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let (go_on, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let pairs = driver.input(vec![vec![(1, 1)]; 3]);
    let sums =
        pairs.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(3), seconds(1));
    sums.foreach_rdd(move |_| {
        // The end of the channel is what is waited for.
        let _ = may_go.lock().unwrap().recv();
    });
    let (described, count) = mpsc::channel();
    pairs.transform(move |rdd| described.send(()).map(|()| rdd)).foreach_rdd(|_| ());
    let steps = driver.start().unwrap();
    steps.clock.advance(seconds(20_000));
    assert_eq!(count.iter().take(20_000).count(), 20_000);
    // No output runs any more, so no window is ever computed.
    steps.running.stop(true, false).unwrap();
    drop(go_on);
    drop((steps, pairs, sums));
}
