//! Lines of a TCP server, through a real socket.

use std::sync::mpsc;
use std::time::Duration;

use millstream_core::{Conf, Context};
use millstream_streaming::testing::{Collected, Driver, Steps};
use millstream_streaming::{DStream, StreamingContext};

use crate::fed::fed_stream;
use crate::server::{HOST, Server};
use crate::tables::{LONG, SECOND, conf, millis, sorted, step};

type Counts = Vec<(String, i64)>;

fn word_count(lines: &DStream<String>) -> DStream<(String, i64)> {
    let words = lines.flat_map_into(|line, out| out.extend(line.split(' ').map(String::from)));
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
}

fn total(batches: &[Counts]) -> i64 {
    batches.iter().flatten().map(|(_, count)| count).sum()
}

/// Cuts batches until so many words were counted, or it takes too long.
fn step_until(steps: &Steps, collected: &Collected<(String, i64)>, words: i64) {
    let start = std::time::Instant::now();
    while total(&collected.batches()) < words && start.elapsed() < LONG {
        steps.step().unwrap();
    }
    assert_eq!(total(&collected.batches()), words);
}

#[test]
fn a_socket_and_its_batches_share_one_worker() {
    let server = Server::start();
    let driver = Driver::new(conf("local[1]"), SECOND).unwrap();
    let counts = driver.collect(&word_count(&driver.streaming().socket_text_stream(HOST, server.port())));
    let steps = driver.start().unwrap();
    let mut connection = server.accept();
    connection.send("to be or not\r\nto be\nthat is");
    step_until(&steps, &counts, 6);
    connection.send(" the question\n");
    step_until(&steps, &counts, 10);
    connection.send("no end of line");
    connection.finish();
    step_until(&steps, &counts, 14);
    let mut sums = std::collections::BTreeMap::new();
    for (word, count) in counts.batches().into_iter().flatten() {
        *sums.entry(word).or_insert(0) += count;
    }
    assert_eq!((sums["to"], sums["be"], sums["that"], sums["line"]), (2, 2, 1, 1));
}

#[test]
fn several_sockets_are_united() {
    let servers: Vec<Server> = (0..3).map(|_| Server::start()).collect();
    let driver = Driver::new(conf("local[1]"), SECOND).unwrap();
    let lines = servers.iter().map(|server| driver.streaming().socket_text_stream(HOST, server.port()));
    let lines = lines.reduce(|a, b| a.union(&b)).unwrap();
    let counts = driver.collect(&word_count(&lines));
    let steps = driver.start().unwrap();
    for (n, server) in servers.iter().enumerate() {
        let mut connection = server.accept();
        connection.send(&"w ".repeat(n).to_string());
        connection.send("w\n");
        connection.finish();
    }
    step_until(&steps, &counts, 6);
}

#[test]
fn a_receiver_comes_back_when_the_server_does() {
    let server = Server::start();
    let driver =
        Driver::new(conf("local[2]").set("spark.streaming.receiverRestartDelay", "3s"), SECOND).unwrap();
    let counts = driver.collect(&word_count(&driver.streaming().socket_text_stream(HOST, server.port())));
    let steps = driver.start().unwrap();
    for connections in 1..=3 {
        let (accepted, connection) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| accepted.send(server.accept()).unwrap());
            // The delay is one of the clock, which the batches move.
            let mut connection = loop {
                match connection.recv_timeout(millis(1)) {
                    Ok(connection) => break connection,
                    Err(_) => step(&steps, 1),
                }
            };
            connection.send("a line\n");
            connection.finish();
        });
        step_until(&steps, &counts, connections * 2);
    }
}

#[test]
fn a_server_that_is_killed_and_started_again_is_found_again() {
    let server = Server::start_apart();
    let port = server.port();
    let conf = conf("local[1]").set("spark.streaming.receiverRestartDelay", "5ms");
    let streaming = StreamingContext::new(conf, millis(10)).unwrap();
    let (lines, received) = mpsc::channel();
    streaming.socket_text_stream(HOST, port).foreach_rdd(move |rdd| {
        rdd.collect()?.into_iter().try_for_each(|line| lines.send(line)).map_err(millstream_core::Error::user)
    });
    let running = streaming.start().unwrap();
    let mut server = Some(server);
    for life in 0..3 {
        let up = server.take().unwrap_or_else(|| Server::start_at(port));
        let mut connection = up.accept();
        connection.send(&format!("life {life}\n"));
        assert_eq!(received.recv_timeout(LONG).unwrap(), format!("life {life}"));
        // Nobody listens for some restarts; the connection is gone without a word of its own.
        drop((up, connection));
        std::thread::sleep(millis(30));
    }
    running.stop(true, true).unwrap();
}

#[test]
fn every_batch_of_the_real_clock_carries_its_own_data() {
    for (interval, lines) in [(1, 20_000), (5, 20_000), (50, 20_000)] {
        let server = Server::start();
        let streaming = StreamingContext::new(conf("local[2]"), millis(interval)).unwrap();
        let (counts, received) = mpsc::channel();
        word_count(&streaming.socket_text_stream(HOST, server.port()))
            .foreach_rdd(move |rdd| counts.send(rdd.collect()?).map_err(millstream_core::Error::user));
        let running = streaming.start().unwrap();
        let mut connection = server.accept();
        for _ in 0..lines / 100 {
            connection.send(&"a line of words\n".repeat(100));
        }
        connection.finish();
        running.stop(true, true).unwrap();
        let batches: Vec<Counts> = received.iter().map(sorted).collect();
        assert_eq!(total(&batches), lines * 4, "{interval} ms");
        running.await_termination().unwrap();
    }
}

/// What is stored before a batch time is in that batch, also if blocks are longer than batches by default.
#[test]
fn batches_shorter_than_a_block_carry_what_was_stored_before_them() {
    for interval in [1, 5, 150, 250] {
        let driver = Driver::new(Conf::empty(), millis(interval)).unwrap();
        let (stream, feed) = fed_stream::<u32>(driver.streaming());
        let collected = driver.collect(&stream);
        let steps = driver.start().unwrap();
        let handle = feed.handle();
        for n in 0..20 {
            handle.store(n).unwrap();
            step(&steps, 1);
        }
        let batches = collected.batches();
        if interval < 200 {
            assert_eq!(batches, (0..20).map(|n| vec![n]).collect::<Vec<_>>(), "{interval} ms");
        } else {
            // As in Spark: the block that is under way when a batch is cut goes to the next.
            assert_eq!(
                batches.concat(),
                (0..20).take(batches.concat().len()).map(|n| n as u32).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn blocks_are_the_partitions_of_their_batch() {
    let driver = Driver::new(Conf::empty(), SECOND).unwrap();
    let (stream, feed) = fed_stream::<u32>(driver.streaming());
    let (partitions, received) = mpsc::channel();
    stream.foreach_rdd(move |rdd| {
        let records = rdd.map_partitions(|part| [part.collect::<Vec<_>>()]).collect()?;
        partitions.send((rdd.num_partitions(), records)).map_err(millstream_core::Error::user)
    });
    let steps = driver.start().unwrap();
    let handle = feed.handle();
    // The default block interval is 200 ms; each block's timer fires before the clock moves on.
    for n in 0..10 {
        if n % 5 != 3 {
            handle.store_each(vec![n, n]).unwrap();
        }
        let now = steps.clock.advance(millis(200));
        assert!(steps.clock.wait_for_waiters(2, LONG));
        // What is stored before a batch has been given its blocks would be in it, be its time past.
        if n % 5 == 4 {
            assert!(steps.running.await_batch(now, LONG).unwrap());
        }
    }
    let block = |n: u32| vec![n, n];
    let expected = [(4, [0, 1, 2, 4].map(block).to_vec()), (4, [5, 6, 7, 9].map(block).to_vec())];
    assert_eq!(received.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_socket_feeds_windows() {
    let server = Server::start();
    let driver = Driver::new(conf("local[2]"), SECOND).unwrap();
    let words = driver.streaming().socket_text_stream(HOST, server.port()).map(|word| (word, 1_i64));
    let every = driver.collect(&words.reduce_by_key(|a, b| a + b));
    let minutes = Duration::from_secs(3600);
    let windows = [
        driver.collect(&words.reduce_by_key_and_window(|a, b| a + b, minutes, SECOND)),
        driver.collect(&words.reduce_by_key_and_window_with_inverse(
            |a, b| a + b,
            |a, b| a - b,
            minutes,
            SECOND,
        )),
    ];
    let steps = driver.start().unwrap();
    let mut connection = server.accept();
    for n in 1..=20 {
        connection.send(&format!("word\n{n}\n"));
        step_until(&steps, &every, n * 2);
        for window in &windows {
            assert_eq!(total(&window.batches()[window.batches().len() - 1..]), n * 2);
        }
    }
}

#[test]
fn a_context_carries_one_socket_after_the_other() {
    let context = Context::new(conf("local[1]")).unwrap();
    for _ in 0..3 {
        let server = Server::start();
        let driver = Driver::on(&context, SECOND).unwrap();
        let counts = driver.collect(&word_count(&driver.streaming().socket_text_stream(HOST, server.port())));
        let steps = driver.start().unwrap();
        let mut connection = server.accept();
        connection.send("one two\n");
        step_until(&steps, &counts, 2);
        steps.running.stop(false, false).unwrap();
    }
}
