//! A long word count at full speed over a real socket: is anything lost, does memory stay flat?
//!
//! `soak --seconds 600 [--interval 100] [--cores 2] [--lose 0.1]` prints a JSON line, and ends with exit code 1 if a word or
//! a batch is missing. With `--lose` this share of the tasks' results is lost on its way.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millstream_core::scheduler::faulty::{Faults, FaultyExecutor};
use millstream_core::scheduler::local::LocalExecutor;
use millstream_core::text::words;
use millstream_core::{Conf, Context, Error as CoreError};
use millstream_streaming::listener::{BatchInfo, StreamingListener};
use millstream_streaming::{Result, StreamingContext, Time};

/// As in the `millstream` command: what is measured is what users have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long nothing may be counted before the rest is taken for lost.
const PATIENCE: Duration = Duration::from_secs(30);

struct Options {
    seconds: u64,
    interval_ms: u64,
    cores: usize,
    lose: f64,
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| soak(&options).map_err(|error| error.to_string()));
    let (line, whole) = match outcome {
        Ok((line, whole)) => (line, whole),
        Err(message) => (format!("soak: {message}"), false),
    };
    // Nothing is left to do if no one reads.
    let _ = writeln!(std::io::stdout(), "{line}");
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> std::result::Result<Options, String> {
    let mut options = Options { seconds: 600, interval_ms: 100, cores: 2, lose: 0.0 };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = |_| format!("{name} {value}: not a number");
        match name.as_str() {
            "--seconds" => options.seconds = value.parse().map_err(wrong)?,
            "--interval" => options.interval_ms = value.parse().map_err(wrong)?,
            "--cores" => options.cores = value.parse().map_err(wrong)?,
            "--lose" => {
                options.lose = value.parse().map_err(|_| format!("{name} {value}: not a number"))?;
            }
            _ => return Err(format!("{name}: unknown; use --seconds, --interval, --cores or --lose")),
        }
    }
    Ok(options)
}

/// What the server has sent and what the streams have counted.
#[derive(Default)]
struct Sums {
    sent: AtomicU64,
    counted: AtomicU64,
    over: AtomicBool,
}

/// The times of the batches that were completed.
#[derive(Default)]
struct Batches(Mutex<Vec<Time>>);

impl StreamingListener for Batches {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch.batch_time);
    }
}

fn soak(options: &Options) -> Result<(String, bool)> {
    let failed = |error| CoreError::io("serving words on 127.0.0.1", error);
    let server = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let port = server.local_addr().map_err(failed)?.port();
    let sums = Arc::new(Sums::default());
    let length = Duration::from_secs(options.seconds);
    let serve = {
        let sums = Arc::clone(&sums);
        std::thread::spawn(move || serve(&server, &sums, length))
    };

    let conf = Conf::empty().set_master(format!("local[{}]", options.cores));
    let faults = Faults { lose: options.lose, ..Faults::default() };
    let executor = FaultyExecutor::new(LocalExecutor::new(options.cores)?, faults);
    let context = Context::with_executor(conf, executor)?;
    let interval = Duration::from_millis(options.interval_ms);
    let streaming = StreamingContext::new(&context, interval)?;
    let lines = streaming.socket_text_stream("127.0.0.1", port);
    let pairs = lines.flat_map_into(|line, out| out.extend(words(line))).map(|word| (word, 1u64));
    let counted = Arc::clone(&sums);
    pairs.reduce_by_key(|a, b| a + b).foreach_rdd(move |rdd| {
        let counts = rdd.map_ref(|(_, n)| *n).collect()?;
        counted.counted.fetch_add(counts.iter().sum(), Ordering::SeqCst);
        Ok::<_, CoreError>(())
    });
    let batches = Arc::new(Batches::default());
    streaming.add_streaming_listener(Arc::clone(&batches) as Arc<dyn StreamingListener>)?;

    let start = Instant::now();
    let running = streaming.start()?;
    let mut memory = Vec::new();
    for tenth in 1..=10u32 {
        running.await_termination_or_timeout((length * tenth / 10).saturating_sub(start.elapsed()))?;
        memory.push(resident());
    }
    let sending = start.elapsed();
    wait_until_counted(&sums);
    sums.over.store(true, Ordering::SeqCst);
    running.stop(true, true)?;
    // It has ended, or its panic was printed.
    let _ = serve.join();

    let times = batches.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let lost = times.windows(2).filter(|pair| pair[1] - pair[0] != interval).count();
    let (sent, counted) = (sums.sent.load(Ordering::SeqCst), sums.counted.load(Ordering::SeqCst));
    let mebibytes: Vec<String> = memory.iter().map(|bytes| format!("{}", bytes >> 20)).collect();
    let line = format!(
        r#"{{"seconds":{},"interval_ms":{},"cores":{},"lose":{},"words_sent":{sent},"words_counted":{counted},"batches":{},"gaps":{lost},"words_per_second":{:.0},"resident_mib":[{}]}}"#,
        options.seconds,
        options.interval_ms,
        options.cores,
        options.lose,
        times.len(),
        counted as f64 / sending.as_secs_f64(),
        mebibytes.join(","),
    );
    Ok((line, sent == counted && sent > 0 && lost == 0))
}

/// Sends lines as fast as they are taken, then keeps the connection open, for the receiver to read what is under way.
fn serve(server: &TcpListener, sums: &Sums, length: Duration) {
    let vocabulary: Vec<String> = (0..10_000).map(|n: u64| format!("w{}", n * 7919 % 10_000)).collect();
    let mut block = String::new();
    let mut in_block = 0;
    for line in 0..10_000usize {
        for word in 0..10 {
            // Squares: some words are far more frequent than others.
            let at = (line * 31 + word * 17) % 100;
            block.push_str(&vocabulary[at * at % vocabulary.len()]);
            block.push(if word == 9 { '\n' } else { ' ' });
            in_block += 1;
        }
    }
    let Ok((mut client, _)) = server.accept() else { return };
    let start = Instant::now();
    while start.elapsed() < length && send(&mut client, &block) {
        sums.sent.fetch_add(in_block, Ordering::SeqCst);
    }
    while !sums.over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(client: &mut TcpStream, block: &str) -> bool {
    client.write_all(block.as_bytes()).is_ok()
}

fn wait_until_counted(sums: &Sums) {
    let mut last = (0, Instant::now());
    loop {
        let counted = sums.counted.load(Ordering::SeqCst);
        if counted == sums.sent.load(Ordering::SeqCst) || last.1.elapsed() > PATIENCE {
            return;
        }
        if counted != last.0 {
            last = (counted, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How much memory this process holds, in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}
