//! Blocks of records as bytes, through a real socket.

use std::io::Write;
use std::sync::{Arc, mpsc};

use millstream_core::StorageLevel;
use millstream_core::fs::ObjectBytes;
use millstream_core::stream;
use millstream_streaming::StreamingContext;
use millstream_streaming::receiver::RawBlockWriter;

use crate::receiver_errors::ReceiverErrors;
use crate::server::{HOST, Server};
use crate::tables::{LONG, conf, millis};

type Record = (u64, String);

fn records(range: std::ops::Range<u64>) -> Vec<Record> {
    range.map(|n| (n, format!("record {n}"))).collect()
}

#[test]
fn blocks_of_any_size_come_in_order_whatever_the_level() {
    for level in [None, Some(StorageLevel::MEMORY_ONLY), Some(StorageLevel::DISK_ONLY)] {
        let server = Server::start();
        let streaming = StreamingContext::new(conf("local[2]"), millis(20)).unwrap();
        let stream = match level {
            None => streaming.raw_socket_stream::<Record>(HOST, server.port()),
            Some(level) => streaming.raw_socket_stream_with(HOST, server.port(), level),
        };
        let (batches, received) = mpsc::channel();
        stream.foreach_rdd(move |rdd| batches.send(rdd.collect()?).map_err(millstream_core::Error::user));
        let running = streaming.start().unwrap();
        let mut blocks = RawBlockWriter::new(server.accept());
        let mut next = 0;
        for size in [1, 0, 3, 1000, 50_000, 2] {
            blocks.write(records(next..next + size)).unwrap();
            next += size;
        }
        blocks.into_inner().finish();
        let mut all = Vec::new();
        while all.len() < next as usize {
            all.extend(received.recv_timeout(LONG).unwrap());
        }
        assert_eq!(all, records(0..next));
        running.stop(true, false).unwrap();
    }
}

#[test]
fn what_is_no_such_block_is_told_and_the_next_connection_is_read() {
    let block = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let good = ObjectBytes::of(stream::from_vec(records(0..10))).unwrap();
    let mut spoilt = good.bytes().to_vec();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 1;
    let other = ObjectBytes::of(stream::from_vec(vec![1_u64])).unwrap();
    let cases = [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "claims to have 1195725856 bytes"),
        (block(other.bytes()), "records of type `u64`"),
        (block(&spoilt), "the checksum of a block is wrong"),
        (block(b""), "it was cut off"),
        (block(&[0; 100]), "it is no object file"),
        (block(good.bytes())[..middle].to_vec(), "ended in the middle of a block"),
    ];
    let server = Server::start();
    let conf = conf("local[1]").set("spark.streaming.receiverRestartDelay", "1ms");
    let streaming = StreamingContext::new(conf, millis(10)).unwrap();
    let errors = Arc::new(ReceiverErrors::default());
    streaming.add_streaming_listener(Arc::clone(&errors) as _).unwrap();
    let (batches, received) = mpsc::channel();
    streaming
        .raw_socket_stream::<Record>(HOST, server.port())
        .foreach_rdd(move |rdd| batches.send(rdd.collect()?).map_err(millstream_core::Error::user));
    let running = streaming.start().unwrap();
    for (bytes, _) in &cases {
        let mut connection = server.accept();
        connection.write_all(bytes).unwrap();
        connection.finish();
    }
    let mut blocks = RawBlockWriter::new(server.accept());
    blocks.write(records(0..3)).unwrap();
    let all: Vec<Record> = received.iter().flatten().take(3).collect();
    assert_eq!(all, records(0..3));
    running.stop(true, false).unwrap();
    let errors = errors.all();
    for ((_, expected), error) in cases.iter().zip(errors.iter()) {
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}
