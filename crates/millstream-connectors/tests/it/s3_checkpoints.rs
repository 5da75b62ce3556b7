//! Checkpoints and the receivers' log in a bucket: a program is killed, and another goes on where it was.
#![allow(clippy::print_stdout, reason = "a child says how far it has come")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver as Channel};
use std::thread;
use std::time::Duration;

use millstream_connectors::object_store;
use millstream_streaming::{Receiver, ReceiverHandle, Result, StreamingContext};

use crate::s3::{address, conf, context, directory};

/// Says to a child where its checkpoints and its numbers are.
const CHILD: &str = "MILLSTREAM_TEST_CHECKPOINTS";

const BATCH: Duration = Duration::from_millis(300);

/// How long a child may say nothing before it is taken for hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends 0, 1, 2, .. and the next one when the one before was acknowledged; returns its port and the first that was not.
fn server() -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let next = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::clone(&next);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut answers = BufReader::new(connection.try_clone().unwrap()).lines();
            // Until the child is gone.
            while writeln!(connection, "{}", acknowledged.load(Ordering::SeqCst)).is_ok() {
                let Some(Ok(answer)) = answers.next() else { break };
                acknowledged.store(answer.parse::<u64>().unwrap() + 1, Ordering::SeqCst);
            }
        }
    });
    (port, next)
}

/// Receives numbers and acknowledges what the log has.
struct Numbers(u16);

impl Receiver<u64> for Numbers {
    fn on_start(
        &self,
        handle: &ReceiverHandle<u64>,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.0))?;
        for line in BufReader::new(connection.try_clone()?).lines() {
            let number = line?;
            // Returns when it is in the bucket.
            handle.store_many(vec![number.parse()?])?;
            writeln!(connection, "{number}")?;
        }
        Ok(())
    }
}

/// Adds the numbers up: each once, though the one that was not acknowledged comes again.
fn create(port: u16) -> Result<StreamingContext> {
    let conf = conf(&address())
        .set_app_name("adder")
        .set("spark.streaming.receiver.writeAheadLog.enable", "true")
        .set("spark.streaming.receiver.writeAheadLog.closeFileAfterWrite", "true")
        .set("spark.streaming.driver.writeAheadLog.closeFileAfterWrite", "true");
    let streaming = StreamingContext::new(conf, BATCH)?;
    let numbers = streaming.receiver_stream(Numbers(port)).map(|number| ((), number));
    let sums = numbers.update_state_by_key(|new: Vec<u64>, state: Option<(u64, u64)>| {
        let (mut next, mut sum) = state.unwrap_or_default();
        for number in new {
            assert!(number <= next, "{next} is missing, and {number} has come");
            if number == next {
                (next, sum) = (next + 1, sum + number);
            }
        }
        Some((next, sum))
    });
    sums.checkpoint(2 * BATCH).foreach_rdd_with(|rdd, time| {
        for ((), (next, sum)) in rdd.collect()? {
            println!("\nBATCH {} {next} {sum}", time.as_millis());
        }
        Ok::<_, millstream_core::Error>(())
    });
    Ok(streaming)
}

fn child(place: &str) -> Result<()> {
    object_store::register();
    let (directory, port) = place.split_once(' ').unwrap();
    let streaming = StreamingContext::get_or_create(directory, || create(port.parse().unwrap()))?;
    println!("\nFROM {}", streaming.recovered_from().map_or(0, |time| time.as_millis()));
    streaming.start()?.await_termination()
}

/// A process that adds up, ended with this value.
struct Process {
    child: Child,
    said: Channel<String>,
}

impl Process {
    fn start(place: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "s3_checkpoints::a_program_that_is_killed_goes_on", "--nocapture"]);
        command.env(CHILD, place).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (says, said) = mpsc::channel();
        thread::spawn(move || lines.map_while(std::result::Result::ok).try_for_each(|line| says.send(line)));
        Process { child, said }
    }

    /// Waits for a line that begins with a word; returns the rest.
    fn says(&self, word: &str) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no {word}: {error}"));
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
            assert!(!line.starts_with("REFUSED") || word == "REFUSED", "{line}");
        }
    }

    /// Waits until all numbers before `wanted` were added up; returns the next one.
    fn adds_up_to(&self, wanted: u64) -> u64 {
        loop {
            let said = self.says("BATCH");
            let numbers: Vec<u64> = said.split(' ').map(|number| number.parse().unwrap()).collect();
            let (next, sum) = (numbers[1], numbers[2]);
            assert_eq!(sum, next * next.saturating_sub(1) / 2, "{said}");
            if next >= wanted {
                return next;
            }
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_program_that_is_killed_goes_on() {
    if let Ok(place) = std::env::var(CHILD) {
        if let Err(error) = child(&place) {
            println!("\nREFUSED {error}");
        }
        return;
    }
    let (context, directory) = (context(), directory("checkpoints"));
    let (port, acknowledged) = server();
    let place = format!("{directory} {port}");
    let first = Process::start(&place);
    assert_eq!(first.says("FROM"), "0");
    first.adds_up_to(5);
    first.kill();
    // Its lease is there, and would be for a minute: but that it has ended is known.
    let system = context.file_systems().of(&directory).unwrap();
    assert!(system.exists(&directory.join("lease-1")).unwrap());

    let second = Process::start(&place);
    assert_ne!(second.says("FROM"), "0");
    let added = second.adds_up_to(acknowledged.load(Ordering::SeqCst) + 5);
    let third = Process::start(&place);
    let refused = third.says("REFUSED");
    let by = format!("is in use by `adder`, process {} on ", second.child.id());
    assert!(refused.contains(&by), "{refused}");
    second.adds_up_to(added + 1);
    second.kill();

    let last = Process::start(&place);
    assert_ne!(last.says("FROM"), "0");
    last.adds_up_to(acknowledged.load(Ordering::SeqCst) + 5);
    last.kill();
    let verified =
        millstream_streaming::checkpoints::verify(&context.file_systems(), directory.to_string()).unwrap();
    assert!(verified.problems.is_empty() && verified.checkpoints > 2, "{verified:?}");
}
