//! What a signal does to a program with streams: real signals to real processes.
//!
//! Each test starts itself again as the program.

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millstream_core::Conf;
use millstream_streaming::{Receiver, ReceiverHandle, StreamingContext};

use crate::tables::millis;

const PROGRAM: &str = "MILLSTREAM_TEST_PROGRAM";

const SIGTERM: i32 = 15;

struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts the test `name` as a program, unless this is that program.
    fn start(name: &str) -> Option<Self> {
        if std::env::var_os(PROGRAM).is_some() {
            return None;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("signals::{name}"), "--nocapture"]).env(PROGRAM, name);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Some(Program { child, lines })
    }

    /// Reads on to the line that begins so; returns its rest.
    fn expect(&mut self, begin: &str) -> String {
        let line = self
            .lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix(begin).map(String::from));
        line.unwrap_or_else(|| panic!("the program ended without `{begin}`"))
    }

    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n{text}").and_then(|()| out.flush()).unwrap();
}

/// Stores numbers until it is stopped, and says when that begins.
struct Numbers(Arc<AtomicU64>);

impl Receiver<u64> for Numbers {
    fn on_start(&self, handle: &ReceiverHandle<u64>) -> Result<(), Box<dyn Error + Send + Sync>> {
        while !handle.is_stopped() {
            handle.store(1)?;
            self.0.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(millis(1));
        }
        say("stopping");
        Ok(())
    }
}

/// Runs streams until they are stopped, which is said together with what was stored and processed.
fn program(gracefully: bool, output: impl Fn(u64) + Send + Sync + 'static) {
    let conf = Conf::empty().set_master("local[1]");
    let conf = conf.set("spark.streaming.stopGracefullyOnShutdown", gracefully.to_string());
    let streaming = StreamingContext::new(conf, millis(20)).unwrap();
    let (stored, processed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sum = Arc::clone(&processed);
    streaming.receiver_stream(Numbers(Arc::clone(&stored))).foreach_rdd(move |rdd| {
        let records = rdd.count()?;
        output(sum.fetch_add(records, Ordering::SeqCst) + records);
        Ok::<(), millstream_core::Error>(())
    });
    let running = streaming.start().unwrap();
    running.await_termination().unwrap();
    say(&format!("ended {} {}", stored.load(Ordering::SeqCst), processed.load(Ordering::SeqCst)));
}

#[test]
fn sigterm_completes_what_was_received_and_ends_the_program_well() {
    let Some(mut run) = Program::start("sigterm_completes_what_was_received_and_ends_the_program_well")
    else {
        return program(true, |records| say(&format!("processed {records}")));
    };
    while run.expect("processed ").parse::<u64>().unwrap() < 10 {}
    run.terminate();
    run.expect("stopping");
    let ended = run.expect("ended ");
    let (stored, processed) = ended.split_once(' ').unwrap();
    assert_eq!(stored, processed);
    assert_eq!(run.wait().code(), Some(0));
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let Some(mut run) = Program::start("a_second_sigterm_ends_at_once") else {
        // Its batch never ends.
        return program(true, |records| {
            if records > 0 {
                say("hangs");
                loop {
                    std::thread::park();
                }
            }
        });
    };
    run.expect("hangs");
    run.terminate();
    run.expect("stopping");
    run.terminate();
    assert_eq!(run.wait().signal(), Some(SIGTERM));
}

#[test]
fn without_the_setting_sigterm_ends_at_once() {
    let Some(mut run) = Program::start("without_the_setting_sigterm_ends_at_once") else {
        return program(false, |records| say(&format!("processed {records}")));
    };
    run.expect("processed ");
    run.terminate();
    assert_eq!(run.wait().signal(), Some(SIGTERM));
}
