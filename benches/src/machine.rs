//! `--machine`: how evenly the machine itself reads memory: what no program's 99th percentile can be better than.

use std::hint::black_box;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::args::MachineArgs;
use crate::hold::quantile;
use crate::random::Random;
use crate::run::Verdict;

/// 64 MB, about what a state of a million keys takes.
const WORDS: usize = 8 << 20;
/// Takes some 0.3 ms, as a batch that reads a state does.
const READS: usize = 1000;

/// Reads words anywhere in memory on all cores, in pieces of which each is timed, and writes their percentiles as a JSON line.
///
/// # Errors
/// If `out` can not be written to.
pub(crate) fn measure(args: MachineArgs, mut out: impl Write) -> Result<Verdict, String> {
    let words: Vec<usize> = (0..WORDS).collect();
    let end = Duration::from_secs(args.seconds);
    let times: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..args.cores)
            .map(|n| {
                scope.spawn({
                    let words = &words;
                    move || pieces(words, n as u64, end)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
    writeln!(
        out,
        r#"{{"event":"machine","seconds":{},"cores":{},"pieces":{},"ms_p50":{p50:.4},"ms_p99":{p99:.4},"ratio":{:.2}}}"#,
        args.seconds,
        args.cores,
        times.len(),
        p99 / p50,
    )
    .map_err(|error| format!("writing the figures: {error}"))?;
    Ok(Verdict::Good)
}

/// Returns how many milliseconds each piece took until the time was over.
fn pieces(words: &[usize], seed: u64, end: Duration) -> Vec<f64> {
    let (mut random, began, mut times) = (Random::new(seed), Instant::now(), Vec::new());
    let mut sum = 0;
    while times.is_empty() || began.elapsed() < end {
        let piece = Instant::now();
        for _ in 0..READS {
            // Where the next one lies is known only once this one was read, as in a chain of look-ups.
            sum += words[(random.below(WORDS) + sum % 2) % WORDS];
        }
        times.push(piece.elapsed().as_secs_f64() * 1000.0);
    }
    black_box(sum);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_core_gives_its_pieces() {
        let mut out = Vec::new();
        assert_eq!(measure(MachineArgs { seconds: 1, cores: 2 }, &mut out), Ok(Verdict::Good));
        let line = String::from_utf8(out).unwrap();
        assert!(line.starts_with(r#"{"event":"machine","seconds":1,"cores":2,"pieces":"#), "{line}");
        assert!(!line.contains("NaN") && !line.contains("inf"), "{line}");
        assert_eq!(pieces(&vec![0; WORDS], 0, Duration::ZERO).len(), 1);
    }
}
