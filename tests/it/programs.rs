//! Programs of the checkout: built once, started in a process group of their own, watched, and ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A program of the workspace as users run it: built with `--release`, which is quick where nothing has changed.
pub(crate) fn release_program(package: &str, program: &str) -> PathBuf {
    // Each is built once, one build after the other: two that start at once would only wait for each other, and say so.
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(format!("{package}/{program}")).or_insert_with(|| build(package, program)).clone()
}

fn build(package: &str, program: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args([
        "build",
        "--release",
        "--message-format=json",
        "-p",
        package,
        "--bin",
        program,
    ]);
    let built = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("cargo can be started");
    assert!(built.status.success(), "{program} of {package} cannot be built ({})", built.status);
    // Cargo says where it put the program; the folder depends on the settings of whoever runs the test.
    let messages = String::from_utf8(built.stdout).expect("cargo writes UTF-8");
    let (_, path) = messages.rsplit_once("\"executable\":\"").expect("cargo names the program it built");
    PathBuf::from(path.split('"').next().unwrap())
}

/// A port of this machine that nobody listens to, another one each time.
///
/// It is none of those that the system gives away: nobody who asks for any port gets it before it is listened to, and
/// nobody who looks for a listener meets himself.
pub(crate) fn free_port() -> u16 {
    const FROM: u32 = 20_000;
    const PORTS: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests that run beside these begin elsewhere.
    let first = std::process::id().wrapping_mul(97);
    loop {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FROM + next % PORTS).unwrap();
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// A program that runs; it and all it started are ended with this value.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    seen: String,
}

/// How watching a program came to its end.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It printed what was waited for and may still run.
    Printed,
    Exited(ExitStatus),
    TimedOut,
}

impl Program {
    /// Starts a command whose stdout is kept, and copied to the test's output together with its stderr.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let stdin = child.stdin.take();
        let (send, stdout) = channel();
        let from = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Self { child, stdin, stdout, seen: String::new() }
    }

    /// Writes lines to its stdin, which stays open.
    pub(crate) fn input(&mut self, lines: &[String]) {
        let Some(stdin) = &mut self.stdin else { return };
        for line in lines {
            // A program that has ended already says so by its exit code.
            if writeln!(stdin, "{line}").and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    }

    /// Closes its stdin, as at a terminal's end of input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Reads its stdout until it contains `text`, it exits, or `limit` is over.
    pub(crate) fn watch(&mut self, text: Option<&str>, limit: Duration) -> Ending {
        let end = Instant::now() + limit;
        loop {
            if text.is_some_and(|text| self.seen.contains(text)) {
                return Ending::Printed;
            }
            match self.stdout.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    eprint!("{line}");
                    self.seen.push_str(&line);
                }
                Err(RecvTimeoutError::Timeout) => return Ending::TimedOut,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Its stdout is closed; what is left is that it exits.
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return Ending::Exited(status),
                None if Instant::now() >= end => return Ending::TimedOut,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Reads one more line of its stdout.
    pub(crate) fn watch_next(&mut self, limit: Duration) -> Ending {
        match self.stdout.recv_timeout(limit) {
            Ok(line) => {
                eprint!("{line}");
                self.seen.push_str(&line);
                Ending::Printed
            }
            Err(_) => Ending::TimedOut,
        }
    }

    /// What it has printed to stdout so far, as far as it was watched.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal, such as `TERM`, to it and to all it started.
    pub(crate) fn signal(&self, signal: &str) {
        let group = format!("kill -{signal} -- -{}", self.child.id());
        // It fails where nothing is left to be ended.
        let _ = Command::new("bash").args(["-c", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

/// A folder that is removed with what was put into it.
pub(crate) struct ScratchFolder(PathBuf);

impl ScratchFolder {
    pub(crate) fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("millstream-it-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
