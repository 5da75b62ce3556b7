//! `PidRateEstimator`: a controller with a proportional, an integral and a derivative term.

use std::time::Duration;

use millstream_core::{Conf, Error as CoreError, settings};

use super::RateEstimator;
use crate::error::Result;
use crate::time::Time;

/// Steers a rate so that batches take as long as their interval: Spark's `PIDRateEstimator`, with its formula.
///
/// The error is the latest rate less the rate at which the batch was processed; the scheduling delay stands for the sum of
/// the errors so far.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream_streaming::Time;
/// use millstream_streaming::rate::{PidRateEstimator, RateEstimator};
///
/// let ms = Duration::from_millis;
/// let mut pid = PidRateEstimator::new(ms(20), 1.0, 0.2, 0.0, 100.0)?;
/// // The first batch only says how fast batches are: 10 records in 10 ms.
/// assert_eq!(pid.compute(Time::from_millis(0), 10, ms(10), ms(0)), None);
/// assert_eq!(pid.compute(Time::from_millis(20), 10, ms(10), ms(0)), Some(1000.0));
/// assert_eq!(pid.compute(Time::from_millis(40), 10, ms(10), ms(10)), Some(900.0));
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PidRateEstimator {
    batch_interval: Duration,
    proportional: f64,
    integral: f64,
    derivative: f64,
    min_rate: f64,
    /// Nothing before the first batch.
    latest: Option<Latest>,
}

#[derive(Debug, Clone, Copy)]
struct Latest {
    time: Time,
    rate: f64,
    error: f64,
}

impl PidRateEstimator {
    /// Makes an estimator for batches of an interval; `min_rate` is in records a second.
    ///
    /// # Errors
    /// If the interval is zero, a weight is negative, or the least rate is not above zero.
    pub fn new(
        batch_interval: Duration,
        proportional: f64,
        integral: f64,
        derivative: f64,
        min_rate: f64,
    ) -> Result<Self> {
        let weights = [("proportional", proportional), ("integral", integral), ("derivative", derivative)];
        let problem = if batch_interval.is_zero() {
            Some("the batch interval is zero".to_owned())
        } else if let Some((name, weight)) =
            weights.into_iter().find(|(_, weight)| weight.is_nan() || *weight < 0.0)
        {
            Some(format!("the {name} weight {weight} is not 0 or more"))
        } else if min_rate.is_nan() || min_rate <= 0.0 {
            Some(format!("the least rate {min_rate} is not above 0"))
        } else {
            None
        };
        if let Some(problem) = problem {
            let remedy = "correct the settings `spark.streaming.backpressure.pid.*`".into();
            return Err(CoreError::Argument { operator: "PidRateEstimator".into(), problem, remedy }.into());
        }
        Ok(PidRateEstimator { batch_interval, proportional, integral, derivative, min_rate, latest: None })
    }

    /// Makes an estimator as `spark.streaming.backpressure.pid.*` say.
    ///
    /// # Errors
    /// If a setting can not be used.
    pub fn of_conf(conf: &Conf, batch_interval: Duration) -> Result<Self> {
        Self::new(
            batch_interval,
            conf.get(settings::BACKPRESSURE_PID_PROPORTIONAL)?,
            conf.get(settings::BACKPRESSURE_PID_INTEGRAL)?,
            conf.get(settings::BACKPRESSURE_PID_DERIVED)?,
            conf.get(settings::BACKPRESSURE_PID_MIN_RATE)?,
        )
    }
}

impl RateEstimator for PidRateEstimator {
    fn compute(
        &mut self,
        time: Time,
        records: u64,
        processing_delay: Duration,
        scheduling_delay: Duration,
    ) -> Option<f64> {
        let is_old = self.latest.is_some_and(|latest| time <= latest.time);
        if is_old || records == 0 || processing_delay.is_zero() {
            return None;
        }
        let processing_rate = records as f64 / millis(processing_delay) * 1000.0;
        let Some(latest) = self.latest else {
            self.latest = Some(Latest { time, rate: processing_rate, error: 0.0 });
            return None;
        };
        let seconds = millis(time - latest.time) / 1000.0;
        let error = latest.rate - processing_rate;
        // The records that came too much: the delay at the rate, spread over one interval.
        let historical_error = millis(scheduling_delay) * processing_rate / millis(self.batch_interval);
        let change = (error - latest.error) / seconds;
        let rate = latest.rate
            - self.proportional * error
            - self.integral * historical_error
            - self.derivative * change;
        let rate = rate.max(self.min_rate);
        self.latest = Some(Latest { time, rate, error });
        Some(rate)
    }
}

/// Whole milliseconds come out whole, so that no estimate depends on how a fraction was rounded.
fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn pid(integral: f64, min_rate: f64) -> PidRateEstimator {
        PidRateEstimator::new(ms(20), 1.0, integral, 0.0, min_rate).unwrap()
    }

    /// Runs batches that end every 20 ms: their records, processing and scheduling delays in milliseconds.
    fn run(
        pid: &mut PidRateEstimator,
        batches: impl IntoIterator<Item = (u64, u64, u64)>,
    ) -> Vec<Option<f64>> {
        let batches = batches.into_iter().enumerate();
        let estimate = |(n, (records, processing, scheduling)): (usize, (u64, u64, u64))| {
            pid.compute(Time::from_millis(n as i64 * 20), records, ms(processing), ms(scheduling))
        };
        batches.map(estimate).collect()
    }

    #[test]
    fn absurd_terms_are_refused() {
        let refused = |interval, p, i, d, least| PidRateEstimator::new(ms(interval), p, i, d, least).is_err();
        assert!(refused(0, 1.0, 2.0, 3.0, 10.0));
        assert!(refused(100, -1.0, 2.0, 3.0, 10.0));
        assert!(refused(100, 0.0, -1.0, 3.0, 10.0));
        assert!(refused(100, 0.0, 0.0, -1.0, 10.0));
        assert!(refused(100, 0.0, 0.0, 0.0, 0.0));
        assert!(refused(100, 0.0, 0.0, 0.0, -10.0));
        assert!(refused(100, f64::NAN, 0.0, 0.0, 10.0));
        assert!(!refused(100, 0.0, 0.0, 0.0, 10.0));
    }

    #[test]
    fn some_batches_teach_nothing() {
        let at = Time::from_millis;
        let mut pid = pid(0.0, 10.0);
        assert_eq!(pid.compute(at(0), 10, ms(10), ms(0)), None);
        assert_eq!(pid.compute(at(10), 0, ms(10), ms(0)), None);
        assert_eq!(pid.compute(at(10), 10, ms(0), ms(0)), None);
        assert_eq!(pid.compute(at(10), 10, ms(10), ms(0)), Some(1000.0));
        assert_eq!(pid.compute(at(10), 10, ms(10), ms(0)), None);
        assert_eq!(pid.compute(at(5), 10, ms(10), ms(0)), None);
    }

    #[test]
    fn the_estimate_is_never_below_the_least_rate() {
        let rates = run(&mut pid(1.0, 5.0), (0..50).map(|_| (1, 20, 100)));
        assert_eq!(rates[0], None);
        assert_eq!(rates[1..], [Some(5.0); 49]);
    }

    #[test]
    fn without_delay_the_estimate_follows_the_speed_of_processing() {
        for records in [|n: u64| (n + 1) * 20, |n: u64| (50 - n) * 20] {
            let rates = run(&mut pid(1.0, 10.0), (0..50).map(|n| (records(n), 20, 0)));
            assert_eq!(rates[0], None);
            let speeds: Vec<_> = (1..50).map(|n| Some(records(n) as f64 * 50.0)).collect();
            assert_eq!(rates[1..], speeds);
        }
    }

    proptest! {
        #[test]
        fn with_delay_the_estimate_stays_below_the_speed_of_processing(
            batches in proptest::collection::vec((1_u64..1000, 0_u64..19), 50)
        ) {
            let rates = run(&mut pid(0.01, 10.0), batches.iter().map(|(records, waited)| (*records, 20, *waited)));
            for ((records, waited), rate) in batches.into_iter().zip(rates).skip(1) {
                let speed = records as f64 * 50.0;
                prop_assert!(rate.is_some_and(|rate| waited == 0 || rate < speed || rate == 10.0));
            }
        }
    }

    #[test]
    fn the_derivative_looks_at_the_change_of_the_error() {
        let mut pid = PidRateEstimator::new(ms(1000), 0.5, 0.0, 0.1, 1.0).unwrap();
        let at = Time::from_millis;
        assert_eq!(pid.compute(at(1000), 1000, ms(1000), ms(0)), None);
        // The error is 500, and it has grown by 250 a second: 1000 - 250 - 25.
        assert_eq!(pid.compute(at(3000), 500, ms(1000), ms(0)), Some(725.0));
    }
}
