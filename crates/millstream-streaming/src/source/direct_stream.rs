//! `direct_stream`: a source of one's own without a receiver.

use std::any::type_name;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_core::operator::user_code;
use millstream_core::{Data, Rdd};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Source, stream};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::time::Time;

/// A source of which each batch is told beforehand what it is made of: offsets of a log, rows of a table, names of objects.
///
/// Nothing is received and nothing need be logged: the tasks read. What a batch is made of is kept in the checkpoint, so that
/// after a restart it is made of the same. Stands in the place of a subclass of Spark's `InputDStream`.
pub trait DirectSource: Send + Sync + 'static {
    /// What the stream consists of.
    type Record: Data;

    /// What a batch is made of.
    type Plan: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Decides what a batch is made of; `before` is what the batch before it was made of, also before a restart, and nothing
    /// for the first.
    ///
    /// Called once per batch, on the driver.
    ///
    /// # Errors
    /// Whatever it finds; the streams end with it.
    fn plan(
        &self,
        batch: Time,
        before: Option<&Self::Plan>,
    ) -> Result<Self::Plan, Box<dyn StdError + Send + Sync>>;

    /// Describes the RDD of what was planned, the same for the same plan.
    ///
    /// Called once per batch, and again for one that was not completed before a restart.
    ///
    /// # Errors
    /// Whatever it finds; the streams end with it.
    fn rdd(
        &self,
        context: &millstream_core::Context,
        plan: &Self::Plan,
    ) -> Result<Rdd<Self::Record>, Box<dyn StdError + Send + Sync>>;

    /// Returns how many records a batch has, where the plan says so: for listeners.
    fn records(&self, _plan: &Self::Plan) -> Option<u64> {
        None
    }
}

impl StreamingContext {
    /// Makes a stream of a source of one's own that needs no receiver.
    ///
    /// # Examples
    /// ```
    /// use std::error::Error;
    /// use std::ops::Range;
    /// use millstream_core::{Conf, Context, Rdd};
    /// use millstream_streaming::testing::Driver;
    /// use millstream_streaming::{DirectSource, Time};
    ///
    /// /// A log of numbers, of which a batch takes two at most.
    /// struct Log(Vec<u64>);
    ///
    /// impl DirectSource for Log {
    ///     type Record = u64;
    ///     type Plan = Range<usize>;
    ///
    ///     fn plan(&self, _: Time, before: Option<&Range<usize>>) -> Result<Range<usize>, Box<dyn Error + Send + Sync>> {
    ///         let from = before.map_or(0, |before| before.end);
    ///         Ok(from..self.0.len().min(from + 2))
    ///     }
    ///
    ///     fn rdd(&self, context: &Context, plan: &Range<usize>) -> Result<Rdd<u64>, Box<dyn Error + Send + Sync>> {
    ///         Ok(context.parallelize(self.0[plan.clone()].to_vec(), 1))
    ///     }
    /// }
    ///
    /// let driver = Driver::new(Conf::empty(), std::time::Duration::from_secs(1))?;
    /// let numbers = driver.collect(&driver.streaming().direct_stream(Log(vec![1, 2, 3])));
    /// driver.run(3)?;
    /// assert_eq!(numbers.batches(), [vec![1, 2], vec![3], vec![]]);
    /// # Ok::<(), millstream_streaming::Error>(())
    /// ```
    #[doc(alias = "InputDStream")]
    #[track_caller]
    pub fn direct_stream<S: DirectSource>(&self, source: S) -> DStream<S::Record> {
        let graph = self.graph();
        let direct = Direct { graph: Arc::clone(graph), source, latest: Mutex::default() };
        stream(graph, "direct_stream", Location::caller(), graph.next_source(), direct)
    }
}

struct Direct<S: DirectSource> {
    graph: Arc<Graph>,
    source: S,
    latest: Mutex<Option<Planned<S::Plan>>>,
}

/// The batch that was planned last, and what goes into a checkpoint of it.
struct Planned<P> {
    batch: Time,
    plan: P,
    saved: Value,
}

impl<S: DirectSource> Direct<S> {
    fn latest(&self) -> MutexGuard<'_, Option<Planned<S::Plan>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, plan: &S::Plan) -> Result<(Rdd<S::Record>, Option<u64>)> {
        // As if the program had made it: another process is told of the RDD, not of the plan.
        let rdd =
            user_code(|| self.source.rdd(&self.graph.context, plan)).map_err(millstream_core::Error::user)?;
        Ok((rdd, self.source.records(plan)))
    }
}

impl<S: DirectSource> Source<S::Record> for Direct<S> {
    fn batch(&self, batch: Time) -> Result<(Rdd<S::Record>, Option<u64>)> {
        let mut latest = self.latest();
        if latest.as_ref().is_some_and(|planned| batch <= planned.batch) {
            // A window that is new asks for what was before it: what there is now is for the batches to come.
            return Ok((self.graph.context.empty_rdd(), None));
        }
        let before = latest.as_ref().map(|planned| &planned.plan);
        let plan = self.source.plan(batch, before).map_err(millstream_core::Error::user)?;
        let saved = serde_json::to_value(&plan).map_err(|error| millstream_core::Error::Argument {
            operator: "direct_stream".into(),
            problem: format!("what a batch is made of can not be written: {error}"),
            remedy: "give it a `Plan` that serde writes as JSON: keys of maps must be texts or numbers"
                .into(),
        })?;
        let made = self.make(&plan)?;
        *latest = Some(Planned { batch, plan, saved });
        Ok(made)
    }

    fn take_saved(&self, batch: Time) -> Option<Value> {
        self.latest().as_ref().filter(|planned| planned.batch == batch).map(|planned| planned.saved.clone())
    }

    fn batch_again(&self, _: Time, saved: &Value) -> Result<(Rdd<S::Record>, Option<u64>)> {
        self.make(&read(saved)?)
    }

    fn restore(&self, _: Time, saved: &BTreeMap<Time, Value>) -> Result<()> {
        if let Some((batch, saved)) = saved.last_key_value() {
            *self.latest() = Some(Planned { batch: *batch, plan: read(saved)?, saved: saved.clone() });
        }
        Ok(())
    }

    fn reads(&self) -> Option<String> {
        Some(type_name::<S>().to_owned())
    }

    /// The next batch begins where the latest has ended.
    fn still_needs(&self, batch: Time, _: &Value, _: Time) -> bool {
        self.latest().as_ref().is_none_or(|planned| planned.batch == batch)
    }
}

fn read<P: DeserializeOwned>(saved: &Value) -> Result<P> {
    serde_json::from_value(saved.clone()).map_err(|error| Error::Damaged {
        file: "the checkpoint".into(),
        problem: format!("what a batch of a direct stream is made of can not be read from it: {error}"),
        remedy: "recover with the version of the program that wrote it, or begin with another checkpoint directory".into(),
    })
}
