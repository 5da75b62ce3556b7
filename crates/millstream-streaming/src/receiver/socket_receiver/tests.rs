use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::receiver::StreamId;
use crate::receiver::server::CONNECT_TIMEOUT;
use crate::receiver::text_lines::BUFFER;
use crate::receiver::{
    Block, BlockGeneratorConfig, ReceivedBlock, ReceiverConfig, ReceiverEvents, Supervisor,
};

const LONG: Duration = Duration::from_secs(60);

enum Told {
    Started,
    Error(String),
    Stopped(String),
    Block(Arc<ReceivedBlock<String>>),
}

struct Tell(Mutex<mpsc::Sender<Told>>);

impl Tell {
    fn send(&self, told: Told) {
        // A test that has seen enough listens no more.
        self.0.lock().unwrap().send(told).ok();
    }
}

impl ReceiverEvents for Tell {
    fn receiver_started(&self, _: StreamId) {
        self.send(Told::Started);
    }
    fn receiver_error(&self, _: StreamId, message: &str, error: &str) {
        self.send(Told::Error(format!("{message}: {error}")));
    }
    fn receiver_stopped(&self, _: StreamId, message: &str, error: &str) {
        self.send(Told::Stopped(format!("{message}: {error}")));
    }
    fn add_block(&self, stored: crate::error::Result<Arc<dyn Block>>) -> crate::error::Result<()> {
        self.send(Told::Block(stored?.into_any().downcast().unwrap()));
        Ok(())
    }
}

struct Fixture {
    supervisor: Supervisor,
    told: mpsc::Receiver<Told>,
}

/// Receives lines that are kept as text, as the default level does.
fn receive(address: SocketAddr, max_line_bytes: usize, max_backlog: usize) -> Fixture {
    receive_at(StorageLevel::MEMORY_ONLY_SER, address, max_line_bytes, max_backlog)
}

fn receive_at(
    level: StorageLevel,
    address: SocketAddr,
    max_line_bytes: usize,
    max_backlog: usize,
) -> Fixture {
    let config = ReceiverConfig {
        blocks: BlockGeneratorConfig {
            block_interval: Duration::from_millis(1),
            queue_size: 10,
            store_timeout: LONG,
        },
        max_rate: None,
        initial_rate: None,
        estimator: None,
        max_backlog,
        storage: crate::receiver::test_storage(level),
        restart_delay: Duration::from_millis(1),
        stop_timeout: LONG,
    };
    let (tell, told) = mpsc::channel();
    let receiver = Arc::new(SocketReceiver::lines(
        Server::new(&address.ip().to_string(), address.port(), LONG),
        max_line_bytes,
        level,
    ));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let events = Arc::new(Tell(Mutex::new(tell)));
    Fixture {
        supervisor: Supervisor::start(StreamId(4), receiver, config, clock, None, events).unwrap(),
        told,
    }
}

impl Fixture {
    fn next(&self) -> Told {
        self.told.recv_timeout(LONG).expect("the receiver fell silent")
    }

    /// Takes what is received up to `count` lines; returns these and the errors between.
    fn lines(&self, count: usize) -> (Vec<String>, Vec<String>) {
        let (mut lines, mut errors) = (Vec::new(), Vec::new());
        while lines.len() < count {
            match self.next() {
                Told::Block(block) => lines.extend(block.chunks().iter().flat_map(|chunk| chunk.to_vec())),
                Told::Error(error) => errors.push(error),
                Told::Started | Told::Stopped(_) => {}
            }
        }
        (lines, errors)
    }

    fn stop(&self) {
        self.supervisor.request_stop();
        // Less than a connect may take.
        assert!(self.supervisor.wait_stopped(CONNECT_TIMEOUT / 2), "the receiver hangs");
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves one connection, for which `serve` is called.
fn serve_once(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let (listener, address) = listen();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

/// Keeps a connection open until the other side ends it.
fn hold(mut socket: TcpStream) {
    let _ = socket.read(&mut [0]);
}

#[test]
fn a_server_that_ends_each_connection_is_connected_to_again() {
    let (listener, address) = listen();
    thread::spawn(move || {
        for connection in 0..20 {
            let mut socket = listener.accept().unwrap().0;
            write!(socket, "first {connection}\n\r\nlast {connection}, without an end").unwrap();
        }
        hold(listener.accept().unwrap().0);
    });
    let fixture = receive(address, 1000, 1 << 20);
    let (lines, errors) = fixture.lines(60);
    let expected = (0..20).flat_map(|connection| {
        [format!("first {connection}"), String::new(), format!("last {connection}, without an end")]
    });
    assert_eq!(lines, expected.collect::<Vec<_>>());
    assert_eq!(errors, [""; 0]);
    fixture.stop();
}

#[test]
fn lines_may_come_in_pieces_and_may_be_broken() {
    for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER] {
        let address = serve_once(|mut socket| {
            socket.set_nodelay(true).unwrap();
            for piece in [&b"he"[..], b"llo\nwor", b"ld\r", b"\ngr\xc3", b"\xbc\xc3\x9fe\n\xff\n"] {
                socket.write_all(piece).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
            hold(socket);
        });
        let fixture = receive_at(level, address, 1000, 1 << 20);
        let (lines, errors) = fixture.lines(4);
        assert_eq!(lines, ["hello", "world", "grüße", "\u{fffd}"]);
        assert_eq!(errors, [""; 0]);
        fixture.stop();
    }
}

#[test]
fn a_line_above_the_limit_is_skipped_with_an_error_that_helps() {
    let address = serve_once(|mut socket| {
        socket.write_all(b"before\n").unwrap();
        let part = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            socket.write_all(&part).unwrap();
        }
        socket.write_all(b"\nafter\n").unwrap();
        hold(socket);
    });
    let fixture = receive(address, 1 << 20, 1 << 20);
    let (lines, errors) = fixture.lines(2);
    assert_eq!(lines, ["before", "after"]);
    let expected = format!(
        "Lines were skipped: stream 4: 1 line from {address} had more than 1048576 bytes; raise \
         `millstream.streaming.socket.maxLineBytes` if that is no mistake of the sender"
    );
    assert_eq!(errors, [expected]);
    fixture.stop();
}

#[test]
fn a_flood_is_held_back_by_the_backlog_and_loses_nothing() {
    const LINES: usize = 300_000;
    const LIMIT: usize = 64 * 1024;
    // One read of the shortest lines there are here, on top of the limit.
    const MOST: usize = LIMIT + BUFFER / 2 * (1 + size_of::<String>());
    for level in [StorageLevel::MEMORY_ONLY, StorageLevel::MEMORY_ONLY_SER] {
        let address = serve_once(|mut socket| {
            let text: String = (0..LINES).map(|line| format!("{line}\n")).collect();
            socket.write_all(text.as_bytes()).unwrap();
            hold(socket);
        });
        let fixture = receive_at(level, address, 1000, LIMIT);
        let mut expected = 0;
        while expected < LINES {
            let Told::Block(block) = fixture.next() else { continue };
            assert!(fixture.supervisor.generator().backlog() <= MOST);
            for line in block.chunks().iter().flat_map(|chunk| chunk.iter()) {
                assert_eq!(*line, expected.to_string());
                expected += 1;
            }
        }
        fixture.stop();
    }
}

#[test]
fn a_stop_ends_a_read_that_waits() {
    let address = serve_once(hold);
    let fixture = receive(address, 1000, 1 << 20);
    fixture.stop();
    let address = serve_once(|mut socket| {
        socket.write_all(b"one\nbegun").unwrap();
        hold(socket);
    });
    let fixture = receive(address, 1000, 1 << 20);
    assert_eq!(fixture.lines(1).0, ["one"]);
    fixture.stop();
    // The beginning of a line is no line.
    assert!(fixture.told.try_iter().all(|told| !matches!(told, Told::Block(_) | Told::Error(_))));
}

#[test]
fn a_stop_ends_a_flood() {
    let (ended, has_ended) = mpsc::channel();
    let address = serve_once(move |mut socket| {
        while socket.write_all(b"and again\n").is_ok() {}
        ended.send(()).unwrap();
    });
    let fixture = receive(address, 1000, 1 << 16);
    fixture.lines(1);
    fixture.stop();
    has_ended.recv_timeout(LONG).unwrap();
}

#[test]
fn a_stop_ends_a_connect_that_waits() {
    // A server that accepts nothing: when its queue is full, it answers no more.
    let (listener, address) = listen();
    let mut connections = Vec::new();
    while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        connections.push(connection);
    }
    let fixture = receive(address, 1000, 1 << 20);
    assert!(matches!(fixture.next(), Told::Started));
    fixture.stop();
    assert!(matches!(fixture.next(), Told::Stopped(why) if why == "Stopped by driver: "));
    drop(listener);
}

#[test]
fn without_a_server_it_is_tried_again() {
    let (listener, address) = listen();
    drop(listener);
    let fixture = receive(address, 1000, 1 << 20);
    for _ in 0..3 {
        assert!(matches!(fixture.next(), Told::Started));
        let Told::Stopped(why) = fixture.next() else { panic!("not stopped") };
        let expected =
            format!("Restarting receiver with delay 1 ms: Error connecting to {address}: Connection refused");
        assert!(why.starts_with(&expected), "{why}");
    }
    fixture.stop();
}
