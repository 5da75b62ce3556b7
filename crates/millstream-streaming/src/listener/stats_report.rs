//! A listener that logs how the delays of the last batches are distributed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{BatchInfo, StreamingListener};

/// Logs, after each batch, the distribution of total delay and processing time over the last batches.
#[derive(Debug)]
pub struct StatsReportListener {
    num_batch_infos: usize,
    /// Total delay and processing time of the last batches, oldest first.
    delays: Mutex<VecDeque<(Duration, Duration)>>,
}

impl Default for StatsReportListener {
    /// Makes a listener that looks at the last 10 batches.
    fn default() -> Self {
        StatsReportListener::new(10)
    }
}

impl StatsReportListener {
    /// Makes a listener that looks at the last `num_batch_infos` batches, at least one.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use millstream_core::Conf;
    /// # use millstream_streaming::testing::{Driver, batches};
    /// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
    /// use std::sync::Arc;
    /// use millstream_streaming::listener::StatsReportListener;
    ///
    /// let listener = driver.streaming().add_streaming_listener(Arc::new(StatsReportListener::new(100)))?;
    /// driver.collect(&driver.input(batches![[1]]));
    /// driver.run(1)?; // a line for people after each batch
    /// # let _ = listener;
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[must_use]
    pub fn new(num_batch_infos: usize) -> Self {
        StatsReportListener { num_batch_infos: num_batch_infos.max(1), delays: Mutex::default() }
    }

    fn report(&self, batch: &BatchInfo) -> Option<[String; 2]> {
        let delay = (batch.total_delay()?, batch.processing_delay()?);
        let mut delays = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        delays.push_back(delay);
        if delays.len() > self.num_batch_infos {
            delays.pop_front();
        }
        let (total, processing) = delays.iter().copied().unzip();
        Some([
            format!("total delay: {}", distribution(total)),
            format!("processing time: {}", distribution(processing)),
        ])
    }
}

impl StreamingListener for StatsReportListener {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        for line in self.report(batch).into_iter().flatten() {
            tracing::info!("{line}");
        }
    }
}

const PERCENT: [usize; 9] = [0, 5, 10, 25, 50, 75, 90, 95, 100];

fn distribution(mut values: Vec<Duration>) -> String {
    values.sort_unstable();
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX).max(1);
    let mean = values.iter().sum::<Duration>() / count;
    let mut line = format!("{} batches, mean {} ms", values.len(), mean.as_millis());
    for percent in PERCENT {
        let at = (percent * values.len() / 100).min(values.len().saturating_sub(1));
        let value = values.get(at).copied().unwrap_or_default();
        line.push_str(&format!(", {percent}% {} ms", value.as_millis()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn completed(start: i64, end: i64) -> BatchInfo {
        BatchInfo {
            processing_start_time: Some(Time::from_millis(start)),
            processing_end_time: Some(Time::from_millis(end)),
            ..BatchInfo::default()
        }
    }

    #[test]
    fn distributes_the_last_batches_only() {
        let listener = StatsReportListener::new(4);
        assert_eq!(listener.report(&BatchInfo::default()), None);
        for processing in [500, 10, 40, 20] {
            listener.report(&completed(5, 5 + processing)).unwrap();
        }
        let [total, processing] = listener.report(&completed(5, 35)).unwrap();
        assert_eq!(
            total,
            "total delay: 4 batches, mean 30 ms, 0% 15 ms, 5% 15 ms, 10% 15 ms, 25% 25 ms, 50% 35 ms, 75% 45 ms, \
             90% 45 ms, 95% 45 ms, 100% 45 ms"
        );
        assert!(processing.starts_with("processing time: 4 batches, mean 25 ms, 0% 10 ms"), "{processing}");
    }
}
