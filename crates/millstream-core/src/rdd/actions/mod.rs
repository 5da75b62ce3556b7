//! Actions: operators that compute an RDD and answer the driver, one file each.
//!
//! All are a few lines on [`run`](Rdd::run): a closure for a partition, with values that travel along.

mod aggregate;
mod asynchronous;
mod collect;
mod collect_as_map;
mod count;
mod count_approx_distinct;
mod count_by_key;
mod count_by_value;
mod first;
mod fold;
mod foreach;
mod foreach_partition;
mod histogram;
mod is_empty;
mod lookup;
mod max;
mod min;
mod reduce;
mod reduce_by_key_locally;
mod run_job;
mod save_as_files;
mod save_as_hadoop_file;
mod save_as_object_file;
mod save_as_text_file;
mod save_exactly_once;
mod stats;
mod take;
mod take_ordered;
mod to_local_iterator;
mod top;
mod tree_aggregate;

pub use stats::{Number, StatCounter};

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

pub use save_as_files::{Existing, SUCCESS, Saving};

use super::Rdd;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::function::{self, CodeAddress};
use crate::operator::{self, Operator};
use crate::rdd::AnyRdd;
use crate::rdd::method::Method;
use crate::scheduler::action::{Action, AnyAction, RebuildAction, Value};
use crate::scheduler::panics;
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// What an action's closure made of each partition: nothing, or an error of its own.
///
/// Implemented for `()` and for `Result<(), E>` with any error that can be printed.
pub trait Outcome {
    /// Returns the closure's error, if it gave one.
    ///
    /// # Errors
    /// The closure's own, as [`Error::User`](crate::Error::User).
    fn into_result(self) -> Result<()>;
}

impl Outcome for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> Outcome for Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(crate::Error::user)
    }
}

impl<T: Data> Rdd<T> {
    /// Runs a job: `f` on each of the given partitions, in parallel; returns the results in their order.
    #[track_caller]
    pub(crate) fn run<R: Data, E: Data, F>(
        &self,
        method: impl Into<Method>,
        partitions: Vec<usize>,
        env: E,
        f: F,
    ) -> Result<Vec<R>>
    where
        F: Fn(&E, ChunkStream<T>, &TaskContext) -> Result<R> + Send + Sync + 'static,
    {
        let method = method.into();
        let (operator, _) = operator::name_rdd(method.name, Location::caller());
        if size_of::<F>() > 0 && operator::must_travel(self.context()) {
            return Err(method.captures(&operator, size_of::<F>()));
        }
        results(self.context().run_job(action(self, operator, env, f), partitions)?)
    }

    /// Returns the numbers of all partitions.
    pub(crate) fn all_partitions(&self) -> Vec<usize> {
        (0..self.num_partitions()).collect()
    }
}

/// Remembers the type of the results; not written where it is used, where it would be compiled for each closure.
fn results<R: Data>(values: Vec<Value>) -> Result<Vec<R>> {
    values.into_iter().map(|value| function::downcast(value)).collect()
}

/// Merges the results of the partitions on this thread, where a panic of the user's code is an error as it is in a task.
fn merging<R>(name: &'static str, place: &'static Location<'static>, merge: impl FnOnce() -> R) -> Result<R> {
    panics::noted(|| catch_unwind(AssertUnwindSafe(merge))).map_err(|panic| {
        let operator = operator::blamed(name, place);
        Error::user(format!("{operator}, merging the results of the partitions: {panic}"))
    })
}

fn action<T: Data, R: Data, E: Data, F>(
    rdd: &Rdd<T>,
    operator: Arc<Operator>,
    env: E,
    f: F,
) -> Arc<dyn AnyAction>
where
    F: Fn(&E, ChunkStream<T>, &TaskContext) -> Result<R> + Send + Sync + 'static,
{
    fn rebuild<T: Data, R: Data, E: Data, F>(
        rdd: AnyRdd,
        operator: Operator,
        build: CodeAddress,
        env: &[u8],
    ) -> Result<Arc<dyn AnyAction>>
    where
        F: Fn(&E, ChunkStream<T>, &TaskContext) -> Result<R> + Send + Sync + 'static,
    {
        let env: E = function::decode("action values", env)?;
        Ok(action(&Rdd::<T>::from_any(rdd)?, Arc::new(operator), env, build.conjure::<F>()?))
    }
    let rebuild: RebuildAction = rebuild::<T, R, E, F>;
    let build = CodeAddress::of::<F>(rebuild as usize);
    let written = env.clone();
    Arc::new(Action {
        operator,
        rdd: rdd.clone(),
        run: Box::new(move |input, task| f(&env, input, task)),
        build,
        env: Box::new(move || function::encode("action values", &written)),
    })
}
