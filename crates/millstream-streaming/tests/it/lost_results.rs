//! Results of tasks that are lost, late or repeated change no sum.

use std::collections::BTreeMap;
use std::sync::Mutex;

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::{Conf, Context};
use millstream_streaming::{DStream, StreamingContext};

use crate::server::{HOST, Server};
use crate::tables::{SECOND, millis, run_on, seconds, sorted};

fn faulty(seed: u64) -> Context {
    let faults = Faults { seed, lose: 0.1, delay: 0.1, by: millis(2), repeat: 0.1 };
    let executor = FaultyExecutor::new(LocalExecutor::new(3).unwrap(), faults);
    Context::with_executor(Conf::empty(), executor).unwrap()
}

#[test]
fn a_socket_word_count() {
    let server = Server::start();
    let streaming = StreamingContext::new(faulty(7), millis(10)).unwrap();
    let counts = std::sync::Arc::new(Mutex::new(BTreeMap::<String, u64>::new()));
    let sums = std::sync::Arc::clone(&counts);
    let words = streaming.socket_text_stream(HOST, server.port()).flat_map_into(|line, out| {
        out.extend(line.split(' ').map(String::from));
    });
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b).foreach_rdd(move |rdd| {
        for (word, count) in rdd.collect()? {
            *sums.lock().unwrap().entry(word).or_default() += count;
        }
        Ok::<_, millstream_core::Error>(())
    });
    let running = streaming.start().unwrap();
    let mut connection = server.accept();
    for n in 0..20_000 {
        connection.send(&format!("all {}\n", n % 100));
    }
    connection.finish();
    running.stop(true, true).unwrap();
    running.await_termination().unwrap();
    let counts = counts.lock().unwrap();
    assert_eq!(counts["all"], 20_000);
    assert_eq!(counts.len(), 101);
    assert!(counts.iter().all(|(word, count)| word == "all" || *count == 200), "{counts:?}");
}

#[test]
fn windows() {
    let input: Vec<Vec<(i64, i64)>> =
        (0..20).map(|row| (0..50).map(|n| (n % 7, row * n)).collect()).collect();
    let good = Context::new(Conf::empty().set_master("local[3]")).unwrap();
    type Pairs = DStream<(i64, i64)>;
    let operations: [fn(&Pairs) -> Pairs; 3] = [
        |s| s.reduce_by_key_and_window(|a, b| a + b, seconds(4), seconds(2)),
        |s| s.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, seconds(5), seconds(1)),
        |s| s.window(seconds(3), seconds(3)).reduce_by_key(|a, b| a.max(b)),
    ];
    for (seed, operation) in operations.into_iter().enumerate() {
        let run = |context: &Context| {
            let rows = run_on(context, SECOND, input.clone(), operation, 24);
            rows.into_iter().map(|(time, row)| (time, sorted(row))).collect::<Vec<_>>()
        };
        assert_eq!(run(&faulty(seed as u64)), run(&good));
    }
}
