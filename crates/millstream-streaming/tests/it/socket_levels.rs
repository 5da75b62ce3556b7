//! Where the blocks of sockets lie, as their level says.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};

use millstream_core::{Context, StorageLevel};
use millstream_streaming::{DStream, StreamingContext};

use crate::server::{HOST, Server};
use crate::tables::{LONG, conf, millis};

type Stream = fn(&StreamingContext, u16, StorageLevel) -> DStream<String>;

fn decode(from: BufReader<TcpStream>) -> std::io::Lines<BufReader<TcpStream>> {
    from.lines()
}

/// The streams whose level can be chosen.
const STREAMS: [Stream; 2] = [
    |streaming, port, level| streaming.socket_text_stream_with(HOST, port, level),
    |streaming, port, level| streaming.socket_stream_with(HOST, port, decode, level),
];

/// How many scratch files a context has.
fn scratch_files(context: &Context) -> usize {
    let entries = |directory| std::fs::read_dir(directory).unwrap().count();
    context.disk().directories().into_iter().map(entries).sum()
}

#[test]
fn blocks_are_on_disk_or_in_memory_when_their_batch_runs() {
    for stream in STREAMS {
        for (level, on_disk) in [
            (StorageLevel::DISK_ONLY, true),
            (StorageLevel::MEMORY_ONLY, false),
            (StorageLevel::MEMORY_ONLY_SER, false),
            (StorageLevel::MEMORY_AND_DISK, false),
        ] {
            let server = Server::start();
            let streaming = StreamingContext::new(conf("local[1]"), millis(20)).unwrap();
            let (batches, received) = mpsc::channel();
            stream(&streaming, server.port(), level).foreach_rdd(move |rdd| {
                // The blocks of a batch are let go of when it was completed.
                let files = scratch_files(rdd.context());
                batches.send((files, rdd.collect()?)).map_err(millstream_core::Error::user)
            });
            let running = streaming.start().unwrap();
            let mut connection = server.accept();
            for n in 0..3 {
                connection.send(&format!("line {n}\n"));
                let of_batch =
                    |(files, lines): (usize, Vec<String>)| (!lines.is_empty()).then_some((files, lines));
                let (files, lines) = received.iter().find_map(of_batch).unwrap();
                assert_eq!(lines, [format!("line {n}")]);
                assert_eq!(files > 0, on_disk, "{level}: {files}");
            }
            running.stop(true, true).unwrap();
        }
    }
}

/// A line of a thousand bytes that no codec makes much shorter.
fn line(number: u64) -> String {
    let mut word = number;
    let words = std::iter::repeat_with(|| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{word:016x}")
    });
    words.take(64).collect::<String>() + "\n"
}

/// Sends eight times the backlog to batches that wait; returns whether the server could send all before they did.
fn sends_all_before_a_batch(stream: Stream, level: StorageLevel) -> bool {
    const LINES: u64 = 1024;
    let server = Server::start();
    let conf = conf("local[1]")
        .set("millstream.receiver.maxBacklog", (LINES * 1024 / 8).to_string())
        .set("spark.streaming.blockInterval", "10ms");
    let streaming = StreamingContext::new(conf, millis(20)).unwrap();
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Mutex::new(opened);
    let (batches, received) = mpsc::channel();
    stream(&streaming, server.port(), level).foreach_rdd(move |rdd| {
        // It is open once the other side is gone.
        let _ = opened.lock().unwrap().recv();
        batches.send(rdd.count()?).map_err(millstream_core::Error::user)
    });
    let running = streaming.start().unwrap();
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel();
        scope.spawn(move || {
            let mut connection = server.accept();
            (0..LINES).for_each(|n| connection.send(&line(n)));
            // Returns when all was read.
            connection.finish();
            // Nobody asks any more where it was held back.
            let _ = done.send(());
        });
        // Whoever is held back stays so until the gate is opened, however long this waits.
        let patience = if level.use_disk() { LONG } else { millis(300) };
        let all = finished.recv_timeout(patience).is_ok();
        drop(gate);
        let mut lines = 0;
        while lines < LINES {
            lines += received.recv_timeout(LONG).unwrap();
        }
        running.stop(true, true).unwrap();
        all
    })
}

#[test]
fn with_disk_the_server_is_never_held_back_and_without_it_is() {
    for stream in STREAMS {
        for level in [StorageLevel::DISK_ONLY, StorageLevel::MEMORY_AND_DISK] {
            assert!(sends_all_before_a_batch(stream, level), "{level}");
        }
        for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER] {
            assert!(!sends_all_before_a_batch(stream, level), "{level}");
        }
    }
}
