//! This program as an executor: runs tasks that a driver, which is the same program, describes.

use std::io::BufReader;
use std::net::TcpStream;
use std::sync::Arc;

use millstream_core::operator::Operator;
use millstream_core::rdd::AnyRdd;
use millstream_core::scheduler::serve::{self, Operators};
use millstream_core::{BatchId, Error as CoreError};

use crate::error::Result;
use crate::graph::Graph;
use crate::time::Time;

/// Where a driver that wants this process to run its tasks is to be found.
pub const EXECUTOR_OF: &str = "MILLSTREAM_EXECUTOR_OF";

/// In a process that was started as an executor, runs tasks until the driver is gone and then ends the process.
pub(crate) fn serve_if_executor(graph: &Arc<Graph>) -> Result<()> {
    let Ok(driver) = std::env::var(EXECUTOR_OF) else { return Ok(()) };
    let failed = |error| CoreError::io(format!("connecting to the driver at {driver}"), error);
    let connection = TcpStream::connect(&driver).map_err(failed)?;
    let mut from = BufReader::new(connection.try_clone().map_err(failed)?);
    let mut to = connection;
    let operators = OfGraph(Arc::clone(graph));
    serve::serve(&graph.context, &operators, &mut from, &mut to)?;
    // What tasks have left in worker pools is closed.
    graph.context.stop();
    std::process::exit(0)
}

struct OfGraph(Arc<Graph>);

impl Operators for OfGraph {
    fn operator(&self, id: &str) -> Option<Arc<Operator>> {
        self.0.stream(id).map(|stream| Arc::clone(stream.operator()))
    }

    fn apply(&self, id: &str, inputs: Vec<AnyRdd>, batch: Option<BatchId>) -> millstream_core::Result<()> {
        let stream = self.0.stream(id).ok_or_else(|| CoreError::user(format!("no operator `{id}`")))?;
        let millis = batch.map_or(0, |batch| batch.time_ms);
        let time = Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        stream.apply(inputs, time).map_err(CoreError::user)
    }
}
