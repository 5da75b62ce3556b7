//! The reduce side's input: one reducer's bucket of every map task, in the order of these.

use super::clusters::{Cluster, Cut, Hashed};
use super::map_output::OneBucket;
use crate::data::Data;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// A reducer's buckets, to be read once.
pub(crate) struct Input<B: Data> {
    buckets: Vec<OneBucket<B>>,
    task: TaskContext,
}

impl<B: Data> Input<B> {
    pub(super) fn new(buckets: Vec<OneBucket<B>>, task: &TaskContext) -> Self {
        Input { buckets, task: task.clone() }
    }

    /// Returns the task that reads.
    pub(crate) fn task(&self) -> &TaskContext {
        &self.task
    }

    /// Returns the number of records, if all lie in memory.
    pub(crate) fn in_memory(&self) -> Option<usize> {
        self.buckets.iter().map(OneBucket::in_memory).sum()
    }

    /// Reads the records; a bucket leaves its place only when its turn has come.
    pub(crate) fn read(self) -> ChunkStream<B> {
        let Input { buckets, task } = self;
        let mut buckets = buckets.into_iter();
        let mut bucket: Option<ChunkStream<B>> = None;
        stream::from_fn(move || {
            loop {
                task.check_cancelled()?;
                if let Some(open) = &mut bucket {
                    if let Some(chunk) = open.next_chunk()? {
                        return Ok(Some(chunk));
                    }
                    bucket = None;
                }
                match buckets.next() {
                    Some(next) => bucket = Some(next.read(task.space())?),
                    None => return Ok(None),
                }
            }
        })
    }
}

/// Fewer records than this have their table in the cache.
const MANY: usize = 1 << 16;

impl<K: Data, V: Data> Input<Hashed<K, V>> {
    /// Returns whether there are so many pairs in memory that it is worth it to work cluster by cluster.
    pub(crate) fn are_many(&self) -> bool {
        self.in_memory().is_some_and(|pairs| pairs >= MANY)
    }

    /// Returns the pairs cluster by cluster if they are very many, else all as one cluster.
    pub(crate) fn clusters(self) -> Vec<Cluster<K, V>> {
        if self.are_many() { self.cut() } else { vec![self.whole()] }
    }

    /// Returns all pairs as one cluster.
    pub(crate) fn whole(self) -> Cluster<K, V> {
        Cluster { expected: self.in_memory().unwrap_or_default(), pairs: self.read() }
    }

    /// Returns the pairs cluster by cluster; as one cluster if others had to write some of them to disk.
    pub(crate) fn cut(self) -> Vec<Cluster<K, V>> {
        let Input { buckets, task } = self;
        let mut cut = Cut::nothing(&task);
        let mut buckets = buckets.into_iter();
        while let Some(bucket) = buckets.next() {
            let Some((pairs, bytes_of_pair)) = bucket.take() else {
                let rest = Input { buckets: std::iter::once(bucket).chain(buckets).collect(), task };
                let taken = Cluster::united(cut.into_clusters());
                return vec![Cluster::united(vec![taken, rest.whole()])];
            };
            cut.add(pairs, bytes_of_pair);
        }
        cut.into_clusters()
    }
}
