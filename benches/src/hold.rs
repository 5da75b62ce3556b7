//! `--hold`: whether batches as short as a few milliseconds keep up with the real clock.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use millstream::listener::{BatchInfo, StreamingListener};
use millstream::prelude::*;

use crate::args::HoldArgs;
use crate::run::Verdict;

/// Words counted in each batch.
const RECORDS: usize = 10;

/// What holding an interval came to.
pub(crate) struct Held {
    args: HoldArgs,
    /// Batches whose time came while the streams ran.
    due: i64,
    /// The batches' scheduling delays and processing times in milliseconds.
    delays: Vec<f64>,
    times: Vec<f64>,
    sum: u64,
}

struct Batches(Sender<BatchInfo>);

impl StreamingListener for Batches {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        // Sent in vain only after the end.
        let _ = self.0.send(batch.clone());
    }
}

/// Counts ten words in each batch for as long as asked.
///
/// # Errors
/// If the streams can not be started or a batch fails.
pub(crate) fn hold(args: HoldArgs) -> Result<Held, String> {
    run(args).map_err(|error| error.to_string())
}

fn run(args: HoldArgs) -> Result<Held> {
    let conf = Conf::empty().set_master(format!("local[{}]", args.cores));
    let streaming = StreamingContext::new(conf, Duration::from_millis(args.interval_ms))?;
    let words = streaming.generator_stream(1, |_, _| (0..RECORDS).map(|n| Text::from(["to", "be"][n % 2])));
    let counts = words.map(|word| (word, 1u64)).reduce_by_key(|a, b| a + b);
    let (sums, summed) = mpsc::channel();
    counts.foreach_rdd(move |rdd| {
        let counts = rdd.map_ref(|(_, n)| *n).collect()?;
        sums.send(counts.iter().sum::<u64>()).map_err(millstream::core::Error::user)
    });
    let (batches, completed) = mpsc::channel();
    streaming.add_streaming_listener(Arc::new(Batches(batches)))?;
    let running = streaming.start()?;
    running.await_termination_or_timeout(Duration::from_secs(args.seconds))?;
    running.stop(true, true)?;
    let infos: Vec<BatchInfo> = completed.try_iter().collect();
    let millis = |duration: Option<Duration>| duration.unwrap_or_default().as_secs_f64() * 1000.0;
    let due = match (infos.first(), infos.last()) {
        (Some(first), Some(last)) => {
            let span = (last.batch_time - first.batch_time).as_millis() as i64;
            span / args.interval_ms as i64 + 1
        }
        _ => 0,
    };
    // From the batch's own time, so that a late timer counts as well.
    let late = |info: &BatchInfo| info.processing_start_time.map(|start| start - info.batch_time);
    Ok(Held {
        args,
        due,
        delays: infos.iter().map(|info| millis(late(info))).collect(),
        times: infos.iter().map(|info| millis(info.processing_time)).collect(),
        sum: summed.try_iter().sum(),
    })
}

impl Held {
    /// Writes the figures as a JSON line; a batch that is missing is a difference.
    ///
    /// # Errors
    /// If `out` can not be written to.
    pub(crate) fn tell(&self, mut out: impl Write) -> Result<Verdict, String> {
        let Held { args, due, delays, times, sum } = self;
        let completed = times.len();
        writeln!(
            out,
            r#"{{"event":"held","seconds":{},"interval_ms":{},"batches_due":{due},"batches_completed":{completed},"records":{},"counted":{sum},"late_ms_p50":{:.3},"late_ms_p99":{:.3},"late_ms_max":{:.3},"ms_p50":{:.4},"ms_p99":{:.4},"ms_max":{:.4}}}"#,
            args.seconds,
            args.interval_ms,
            completed * RECORDS,
            quantile(delays, 0.5),
            quantile(delays, 0.99),
            quantile(delays, 1.0),
            quantile(times, 0.5),
            quantile(times, 0.99),
            quantile(times, 1.0),
        )
        .map_err(|error| format!("writing the figures: {error}"))?;
        let whole = *due == completed as i64 && *sum == (completed * RECORDS) as u64;
        Ok(if whole { Verdict::Good } else { Verdict::Differs })
    }
}

/// Returns the value below which the given share of all lies; 0 if there are none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = (share * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_batch_is_missing_and_every_word_is_counted() {
        let held = hold(HoldArgs { seconds: 1, interval_ms: 5, cores: 1 }).unwrap();
        let mut out = Vec::new();
        assert_eq!(held.tell(&mut out), Ok(Verdict::Good));
        assert!(held.due > 0);
        assert!(
            String::from_utf8(out).unwrap().starts_with(r#"{"event":"held","seconds":1,"interval_ms":5,"#)
        );
    }

    #[test]
    fn quantiles() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [0.0, 50.0, 99.0, 100.0]);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
