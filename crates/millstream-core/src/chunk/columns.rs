//! Chunks of records that lie in another form.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// How many records are copied out at once where they are only looked at: so many stay in the innermost cache.
pub(super) const BLOCK: usize = 128;

/// Records that lie in another form, such as keys and values apart from each other.
///
/// # Examples
/// ```
/// use std::ops::Range;
/// use std::sync::Arc;
/// use millstream_core::chunk::{Chunk, Columns};
///
/// struct Numbered(Vec<char>);
///
/// impl Columns<(usize, char)> for Numbered {
///     fn len(&self) -> usize {
///         self.0.len()
///     }
///
///     fn copy(&self, range: Range<usize>, buffer: &mut Vec<(usize, char)>) {
///         buffer.clear();
///         buffer.extend(range.map(|at| (at, self.0[at])));
///     }
/// }
///
/// let chunk = Chunk::columns(Arc::new(Numbered(vec!['a', 'b', 'c'])));
/// assert_eq!(chunk.filter(|(_, letter)| *letter != 'b').into_vec(), [(0, 'a'), (2, 'c')]);
/// ```
pub trait Columns<T>: Send + Sync {
    /// Returns how many records there are.
    fn len(&self) -> usize;

    /// Returns whether there are no records.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes `buffer` hold the records of a range and no others, in the memory of those that it holds.
    fn copy(&self, range: Range<usize>, buffer: &mut Vec<T>);
}

impl<T> fmt::Debug for dyn Columns<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns").field("len", &self.len()).finish()
    }
}

/// The first records of columns.
#[derive(Debug)]
pub(super) struct Copied<T> {
    columns: Arc<dyn Columns<T>>,
    len: usize,
    /// All of them, once somebody wants to hold one.
    all: OnceLock<Vec<T>>,
}

impl<T> Copied<T> {
    pub(super) fn new(columns: Arc<dyn Columns<T>>, len: usize) -> Self {
        Copied { columns, len, all: OnceLock::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Copies a block, or what there is of it, from a position on; returns where the next one begins.
    pub(super) fn block(&self, start: usize, buffer: &mut Vec<T>) -> usize {
        let end = self.len.min(start + BLOCK);
        self.columns.copy(start..end, buffer);
        end
    }

    pub(super) fn all(&self) -> &[T] {
        self.all.get_or_init(|| copies(&*self.columns, self.len))
    }

    pub(super) fn into_vec(self) -> Vec<T> {
        self.all.into_inner().unwrap_or_else(|| copies(&*self.columns, self.len))
    }

    /// Returns a view of the first `n` of them.
    pub(super) fn first(&self, n: usize) -> Self {
        Copied::new(Arc::clone(&self.columns), n.min(self.len))
    }
}

fn copies<T>(columns: &dyn Columns<T>, len: usize) -> Vec<T> {
    let mut all = Vec::with_capacity(len);
    columns.copy(0..len, &mut all);
    all
}
