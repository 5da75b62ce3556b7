//! Decoders of one's own on real connections.

use std::io::{self, BufRead, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use millstream_core::Conf;
use millstream_streaming::StreamingContext;

use crate::receiver_errors::ReceiverErrors;

#[test]
fn a_decoder_that_fails_or_panics_gets_a_new_connection_and_loses_no_record_before() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for text in ["1\n2\nnonsense\n", "3\npanic\n", "4\n5\n"] {
            server.accept().unwrap().0.write_all(text.as_bytes()).unwrap();
        }
    });
    let conf = Conf::empty().set_master("local[1]").set("spark.streaming.receiverRestartDelay", "10ms");
    let streaming = StreamingContext::new(conf, Duration::from_millis(20)).unwrap();
    let errors = Arc::new(ReceiverErrors::default());
    streaming.add_streaming_listener(errors.clone()).unwrap();
    let numbers = streaming.socket_stream("127.0.0.1", port, |from| {
        from.lines().map(|line| {
            let line = line?;
            assert!(line != "panic", "the decoder gave up");
            line.parse::<u64>().map_err(io::Error::other)
        })
    });
    let (sender, received) = mpsc::channel();
    numbers.foreach_rdd(move |rdd| {
        rdd.collect()?.into_iter().try_for_each(|n| sender.send(n)).map_err(millstream_core::Error::user)
    });
    let running = streaming.start().unwrap();
    assert_eq!(received.iter().take(5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    running.stop(true, false).unwrap();
    let errors = errors.all().join("\n");
    assert!(errors.contains("invalid digit") && errors.contains("the decoder gave up"), "{errors}");
}
