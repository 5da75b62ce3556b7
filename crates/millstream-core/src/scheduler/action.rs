//! What the last stage of a job does with each partition.

use std::any::Any;
use std::sync::Arc;

use crate::data::Data;
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::operator::Operator;
use crate::rdd::{AnyRdd, Rdd};
use crate::stream::ChunkStream;
use crate::task::TaskContext;

/// A task's result, whatever its type.
pub(crate) type Value = Box<dyn Any + Send>;

/// An action whose record types have been forgotten.
pub(crate) trait AnyAction: Send + Sync {
    fn operator(&self) -> &Arc<Operator>;
    fn rdd(&self) -> AnyRdd;
    fn run(&self, partition: usize, task: &TaskContext) -> Result<Value>;
    fn encode(&self, value: Value) -> Result<Vec<u8>>;
    fn decode(&self, bytes: &[u8]) -> Result<Value>;
    fn build(&self) -> CodeAddress;
    fn env(&self) -> Result<Vec<u8>>;
}

/// The code at the address of an action.
pub(crate) type RebuildAction = fn(AnyRdd, Operator, CodeAddress, &[u8]) -> Result<Arc<dyn AnyAction>>;

/// What an action does with the stream of a partition.
pub(crate) type Run<T, R> = Box<dyn Fn(ChunkStream<T>, &TaskContext) -> Result<R> + Send + Sync>;

pub(crate) struct Action<T: Data, R> {
    pub(crate) operator: Arc<Operator>,
    pub(crate) rdd: Rdd<T>,
    pub(crate) run: Run<T, R>,
    pub(crate) build: CodeAddress,
    pub(crate) env: Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>,
}

impl<T: Data, R: Data> AnyAction for Action<T, R> {
    fn operator(&self) -> &Arc<Operator> {
        &self.operator
    }

    fn rdd(&self) -> AnyRdd {
        self.rdd.any()
    }

    fn run(&self, partition: usize, task: &TaskContext) -> Result<Value> {
        let stream = self.rdd.stream(partition, task)?;
        let value = task.within(&self.operator, || (self.run)(stream, task))?;
        Ok(Box::new(value))
    }

    fn encode(&self, value: Value) -> Result<Vec<u8>> {
        function::encode("task result", &function::downcast::<R>(value)?)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Value> {
        Ok(Box::new(function::decode::<R>("task result", bytes)?))
    }

    fn build(&self) -> CodeAddress {
        self.build
    }

    fn env(&self) -> Result<Vec<u8>> {
        (self.env)()
    }
}
