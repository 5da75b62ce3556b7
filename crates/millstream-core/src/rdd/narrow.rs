//! The three forms of an operator with one parent and no shuffle.
//!
//! | form | the closure gets | for |
//! |---|---|---|
//! | [`per_chunk`](Rdd::per_chunk) | a chunk, gives a chunk | `map`, `filter` |
//! | [`expanding`](Rdd::expanding) | a position in a chunk, fills an output buffer | `flat_map` |
//! | [`per_partition`](Rdd::per_partition) | the stream of a partition | `map_partitions` and the rest |
//!
//! The closure is compiled into a loop over a chunk; everything around it is compiled once per pair of record types. The
//! closure's values (`env`) are records, so that they can travel; the closure itself travels as an address.

use std::panic::Location;
use std::sync::Arc;

use super::method::Method;
use super::{AnyRdd, Compute, Dependency, Rdd, Rebuild, Rebuilding, Recipe};
use crate::chunk::{CHUNK, Chunk, Cursor};
use crate::data::Data;
use crate::error::Result;
use crate::function::{self, CodeAddress};
use crate::shuffle::partitioner::PartitionedBy;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// How a partition is read, once the parent's partition of the same number is.
type Open<T, U> = Arc<dyn Fn(ChunkStream<T>, usize) -> Result<ChunkStream<U>> + Send + Sync>;

/// Makes a chunk of a chunk.
type Kernel<T, U> = Arc<dyn Fn(Chunk<T>) -> Chunk<U> + Send + Sync>;

/// Encodes the values of a closure.
type Env = Arc<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;

/// Moves some records from a position in a chunk to an output buffer.
type Expand<T, U> = Arc<dyn Fn(&mut Cursor<T>, &mut Vec<U>) + Send + Sync>;

struct Narrow<T: Data, U: Data> {
    parent: Rdd<T>,
    open: Open<T, U>,
    build: CodeAddress,
    env: Env,
    /// Whether each record keeps its key, so that the parent's partitioning still holds.
    keeps_keys: bool,
}

impl<T: Data, U: Data> Compute<U> for Narrow<T, U> {
    fn partitions(&self) -> usize {
        self.parent.num_partitions()
    }

    fn dependencies(&self) -> Vec<Dependency> {
        vec![Dependency::Narrow(self.parent.any())]
    }

    fn compute(&self, partition: usize, task: &TaskContext) -> Result<ChunkStream<U>> {
        (self.open)(self.parent.stream(partition, task)?, partition)
    }

    fn partitioned_by(&self) -> Option<PartitionedBy> {
        if self.keeps_keys { self.parent.partitioned_by() } else { None }
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe { build: self.build, env: (self.env)() })
    }
}

/// What all three forms have in common: the operator's name and the values of its closure.
pub(crate) struct Form<E, N = &'static str> {
    pub(crate) name: N,
    pub(crate) env: E,
    pub(crate) keeps_keys: bool,
}

impl<N: Into<Method>> Form<(), N> {
    pub(crate) fn new(name: N) -> Self {
        Form { name, env: (), keeps_keys: false }
    }
}

impl<T: Data> Rdd<T> {
    /// Makes an operator that turns each chunk into a chunk.
    #[track_caller]
    pub(crate) fn per_chunk<U: Data, E: Data, K>(&self, form: Form<E, impl Into<Method>>, kernel: K) -> Rdd<U>
    where
        K: Fn(&E, Chunk<T>) -> Chunk<U> + Send + Sync + 'static,
    {
        fn rebuild<T: Data, U: Data, E: Data, K>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            K: Fn(&E, Chunk<T>) -> Chunk<U> + Send + Sync + 'static,
        {
            let (parent, form) = unpack(from)?;
            Ok(parent.per_chunk(form, from.build.conjure::<K>()?).any())
        }
        let env = form.env.clone();
        let open = chunk_by_chunk(Arc::new(move |chunk| kernel(&env, chunk)));
        self.narrow(form, open, Code::of::<K>(rebuild::<T, U, E, K>))
    }

    /// Makes an operator that gives any number of records for each.
    ///
    /// The kernel stops when the buffer holds a chunk or the input is used up; it is called again with the rest.
    #[track_caller]
    pub(crate) fn expanding<U: Data, E: Data, K>(&self, form: Form<E, impl Into<Method>>, kernel: K) -> Rdd<U>
    where
        K: Fn(&E, &mut Cursor<T>, &mut Vec<U>) + Send + Sync + 'static,
    {
        fn rebuild<T: Data, U: Data, E: Data, K>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            K: Fn(&E, &mut Cursor<T>, &mut Vec<U>) + Send + Sync + 'static,
        {
            let (parent, form) = unpack(from)?;
            Ok(parent.expanding(form, from.build.conjure::<K>()?).any())
        }
        let env = form.env.clone();
        let open = buffer_by_buffer(Arc::new(move |input, out| kernel(&env, input, out)));
        self.narrow(form, open, Code::of::<K>(rebuild::<T, U, E, K>))
    }

    /// Makes an operator that turns the stream of a partition into another.
    ///
    /// The kernel is told the number of the partition in this RDD: the task's own is another one after a union.
    #[track_caller]
    pub(crate) fn per_partition<U: Data, E: Data, K>(
        &self,
        form: Form<E, impl Into<Method>>,
        kernel: K,
    ) -> Rdd<U>
    where
        K: Fn(&E, ChunkStream<T>, usize) -> Result<ChunkStream<U>> + Send + Sync + 'static,
    {
        fn rebuild<T: Data, U: Data, E: Data, K>(from: &Rebuilding<'_>) -> Result<AnyRdd>
        where
            K: Fn(&E, ChunkStream<T>, usize) -> Result<ChunkStream<U>> + Send + Sync + 'static,
        {
            let (parent, form) = unpack(from)?;
            Ok(parent.per_partition(form, from.build.conjure::<K>()?).any())
        }
        let env = form.env.clone();
        let open = move |input: ChunkStream<T>, partition: usize| kernel(&env, input, partition);
        self.narrow(form, Arc::new(open), Code::of::<K>(rebuild::<T, U, E, K>))
    }

    #[track_caller]
    fn narrow<U: Data, E: Data>(
        &self,
        form: Form<E, impl Into<Method>>,
        open: Open<T, U>,
        code: Code,
    ) -> Rdd<U> {
        let Form { name, env, keeps_keys } = form;
        let (method, Code { build, captured }) = (name.into(), code);
        let env = packed(method.name, env, keeps_keys);
        let narrow = Narrow { parent: self.clone(), open, build, env, keeps_keys };
        Rdd::checked(self.context(), method, Location::caller(), Ok(Box::new(narrow)), captured)
    }
}

/// The closure of an operator: how it travels, and how many bytes it captures.
struct Code {
    build: CodeAddress,
    captured: usize,
}

impl Code {
    fn of<K: 'static>(rebuild: Rebuild) -> Self {
        Code { build: CodeAddress::of::<K>(rebuild as usize), captured: size_of::<K>() }
    }
}

// What follows is not written where it is used: there it would be compiled again for each closure.

fn chunk_by_chunk<T: Data, U: Data>(kernel: Kernel<T, U>) -> Open<T, U> {
    Arc::new(move |mut input, _| {
        let kernel = Arc::clone(&kernel);
        Ok(stream::from_fn(move || Ok(input.next_chunk()?.map(|chunk| kernel(chunk)))))
    })
}

fn buffer_by_buffer<T: Data, U: Data>(kernel: Expand<T, U>) -> Open<T, U> {
    Arc::new(move |mut input, _| {
        let kernel = Arc::clone(&kernel);
        let mut cursor: Option<Cursor<T>> = None;
        // The last chunk's length is the best guess for the next one's.
        let mut room = CHUNK;
        Ok(stream::from_fn(move || {
            let mut out = Vec::with_capacity(room);
            while out.len() < CHUNK {
                if cursor.is_none() {
                    match input.next_chunk()? {
                        Some(chunk) => cursor = Some(chunk.into()),
                        None => break,
                    }
                }
                if let Some(records) = &mut cursor {
                    kernel(records, &mut out);
                    if out.len() < CHUNK {
                        cursor = None;
                    }
                }
            }
            room = out.len().clamp(16, 2 * CHUNK);
            Ok((!out.is_empty()).then(|| out.into()))
        }))
    })
}

fn packed<E: Data>(name: &'static str, env: E, keeps_keys: bool) -> Env {
    Arc::new(move || function::encode(name, &(&env, keeps_keys)))
}

fn unpack<T: Data, E: Data>(from: &Rebuilding<'_>) -> Result<(Rdd<T>, Form<E>)> {
    let (env, keeps_keys) = function::decode("closure values", from.env)?;
    Ok((Rdd::from_any(from.parent(0)?)?, Form { name: "rebuilt", env, keeps_keys }))
}
