//! How records travel between the operators of a stage: in chunks.
//!
//! One dynamic call moves a whole chunk; the user's closure runs in a tight loop over its records. A chunk is either
//! owned, so that operators may move its records on, or a view of shared records (cached, queued, read by two
//! consumers), so that nothing is copied that need not be.

mod columns;

use std::ops::Range;
use std::sync::Arc;

pub use self::columns::Columns;
use self::columns::Copied;

/// How many records a chunk holds as a rule: large enough to pay for the dynamic call, small enough for the cache.
pub const CHUNK: usize = 1024;

/// Some consecutive records of a partition, owned or shared.
#[derive(Debug)]
pub struct Chunk<T>(Repr<T>);

#[derive(Debug)]
enum Repr<T> {
    Owned(Vec<T>),
    Shared(Arc<Vec<T>>, Range<usize>),
    /// What a filter keeps of shared records: positions instead of copies.
    Selected(Arc<Vec<T>>, Vec<u32>),
    /// Records that are copied when they are read: a few at a time where they are only looked at.
    Copied(Copied<T>),
}

impl<T> From<Vec<T>> for Chunk<T> {
    fn from(records: Vec<T>) -> Self {
        Chunk(Repr::Owned(records))
    }
}

impl<T: Clone> Chunk<T> {
    /// Views a part of shared records.
    ///
    /// # Panics
    /// If the range does not lie within the records.
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// # use millstream_core::Chunk;
    /// let records = Arc::new(vec![1, 2, 3, 4]);
    /// let middle = Chunk::shared(Arc::clone(&records), 1..3);
    /// assert_eq!(middle.as_slice(), Some(&records[1..3]));
    /// ```
    #[must_use]
    pub fn shared(records: Arc<Vec<T>>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= records.len());
        Chunk(Repr::Shared(records, range))
    }

    /// Views records that lie in another form; what is only counted or looked at is not copied as a whole.
    ///
    /// # Examples
    /// ```
    /// use std::ops::Range;
    /// use std::sync::Arc;
    /// use millstream_core::chunk::{Chunk, Columns};
    ///
    /// /// Numbers that lie nowhere.
    /// struct UpTo(usize);
    ///
    /// impl Columns<usize> for UpTo {
    ///     fn len(&self) -> usize {
    ///         self.0
    ///     }
    ///     fn copy(&self, range: Range<usize>, buffer: &mut Vec<usize>) {
    ///         buffer.clear();
    ///         buffer.extend(range);
    ///     }
    /// }
    ///
    /// assert_eq!(Chunk::columns(Arc::new(UpTo(3))).into_vec(), [0, 1, 2]);
    /// ```
    #[must_use]
    pub fn columns(columns: Arc<dyn Columns<T>>) -> Self {
        let len = columns.len();
        Chunk(Repr::Copied(Copied::new(columns, len)))
    }

    /// Returns how many records there are.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// assert_eq!(Chunk::from(vec!['a', 'b']).len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Owned(records) => records.len(),
            Repr::Shared(_, range) => range.len(),
            Repr::Selected(_, picked) => picked.len(),
            Repr::Copied(copied) => copied.len(),
        }
    }

    /// Returns whether there are no records.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// assert!(Chunk::from(Vec::<u8>::new()).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the record at a position.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let chunk = Chunk::from(vec!['a', 'b']);
    /// assert_eq!((chunk.get(1), chunk.get(2)), (Some(&'b'), None));
    /// ```
    pub fn get(&self, at: usize) -> Option<&T> {
        match &self.0 {
            Repr::Owned(records) => records.get(at),
            Repr::Shared(records, range) => records[range.clone()].get(at),
            Repr::Selected(records, picked) => records.get(*picked.get(at)? as usize),
            Repr::Copied(copied) => copied.all().get(at),
        }
    }

    /// Returns the records as a slice, unless they are picked out of others.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let owned = Chunk::from(vec![1, 2, 3]);
    /// assert_eq!(owned.as_slice(), Some(&[1, 2, 3][..]));
    /// let picked = owned.into_shared().filter(|n| *n != 2);
    /// assert_eq!(picked.as_slice(), None);
    /// ```
    #[must_use]
    pub fn as_slice(&self) -> Option<&[T]> {
        match &self.0 {
            Repr::Owned(records) => Some(records),
            Repr::Shared(records, range) => Some(&records[range.clone()]),
            Repr::Selected(..) => None,
            Repr::Copied(copied) => Some(copied.all()),
        }
    }

    /// Calls `f` with each record in order.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let mut sum = 0;
    /// Chunk::from(vec![1, 2, 3]).for_each(|n| sum += n);
    /// assert_eq!(sum, 6);
    /// ```
    pub fn for_each(&self, mut f: impl FnMut(&T)) {
        match &self.0 {
            Repr::Owned(records) => records.iter().for_each(f),
            Repr::Shared(records, range) => records[range.clone()].iter().for_each(f),
            Repr::Selected(records, picked) => picked.iter().for_each(|&at| f(&records[at as usize])),
            Repr::Copied(copied) => {
                let (mut block, mut at) = (Vec::new(), 0);
                while at < copied.len() {
                    at = copied.block(at, &mut block);
                    block.iter().for_each(&mut f);
                }
            }
        }
    }

    /// Makes a record of each record; shared ones are cloned first.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let lengths = Chunk::from(vec!["to", "be?"]).map(str::len);
    /// assert_eq!(lengths.into_vec(), [2, 3]);
    /// ```
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Chunk<U> {
        // `collect` of an owned vector reuses its memory where the two record types have the same size.
        Chunk(Repr::Owned(match self.0 {
            Repr::Owned(records) => records.into_iter().map(f).collect(),
            Repr::Shared(records, range) => records[range].iter().map(|record| f(record.clone())).collect(),
            Repr::Selected(records, picked) => {
                picked.iter().map(|&at| f(records[at as usize].clone())).collect()
            }
            Repr::Copied(copied) => copied.into_vec().into_iter().map(f).collect(),
        }))
    }

    /// Makes a record of each record, which is only borrowed.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let lines = Chunk::from(vec!["to".to_owned(), "be?".to_owned()]);
    /// assert_eq!(lines.map_ref(String::len).into_vec(), [2, 3]);
    /// assert_eq!(lines.len(), 2);
    /// ```
    pub fn map_ref<U>(&self, mut f: impl FnMut(&T) -> U) -> Chunk<U> {
        let mut out = Vec::with_capacity(self.len());
        self.for_each(|record| out.push(f(record)));
        out.into()
    }

    /// Keeps the records for which `keep` holds: in place if the chunk is owned, by position if it is shared.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let even = Chunk::from(vec![1, 2, 3, 4]).filter(|n| n % 2 == 0);
    /// assert_eq!(even.into_vec(), [2, 4]);
    /// ```
    #[must_use]
    pub fn filter(self, mut keep: impl FnMut(&T) -> bool) -> Self {
        let (records, among) = match &self.0 {
            Repr::Owned(records) => (records.as_slice(), None),
            Repr::Shared(records, range) => (&records[range.clone()], None),
            Repr::Selected(records, picked) => (records.as_slice(), Some(picked.as_slice())),
            // As a whole: a block at a time the loop below would take a twentieth longer, for all the others as well.
            Repr::Copied(copied) => (copied.all(), None),
        };
        let mut picked: Vec<u32> = Vec::new();
        // One loop for all, so that a large closure is inlined into it: called from two places it would stay a call.
        for n in 0..self.len() {
            let at = among.map_or(n, |among| among[n] as usize);
            if keep(&records[at]) {
                picked.push(at as u32);
            }
        }
        self.pick(picked)
    }

    /// Keeps the records at some positions of a chunk that has no more than 32 bits of them, given in order.
    fn pick(self, mut picked: Vec<u32>) -> Self {
        match self.0 {
            Repr::Owned(mut records) => {
                if picked.len() < records.len() {
                    let (mut at, mut next) = (0, picked.into_iter().peekable());
                    records.retain(|_| {
                        at += 1;
                        next.next_if_eq(&(at - 1)).is_some()
                    });
                }
                records.into()
            }
            Repr::Shared(records, range) => match u32::try_from(range.start) {
                Ok(start) if u32::try_from(range.end).is_ok() => {
                    picked.iter_mut().for_each(|at| *at += start);
                    Chunk(Repr::Selected(records, picked))
                }
                // Positions beyond 32 bits: copies are the lesser evil.
                _ => picked
                    .iter()
                    .map(|&at| records[range.start + at as usize].clone())
                    .collect::<Vec<_>>()
                    .into(),
            },
            Repr::Selected(records, _) => Chunk(Repr::Selected(records, picked)),
            Repr::Copied(copied) => Chunk::from(copied.into_vec()).pick(picked),
        }
    }

    /// Returns the records as a vector, moved where the chunk is their only owner and cloned otherwise.
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// # use millstream_core::Chunk;
    /// let records = Arc::new(vec!['a', 'b', 'c']);
    /// assert_eq!(Chunk::shared(records, 1..3).into_vec(), ['b', 'c']);
    /// ```
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        match self.0 {
            Repr::Owned(records) => records,
            Repr::Shared(records, range) if range == (0..records.len()) => Arc::unwrap_or_clone(records),
            Repr::Shared(records, range) => records[range].to_vec(),
            Repr::Selected(records, picked) => {
                picked.iter().map(|&at| records[at as usize].clone()).collect()
            }
            Repr::Copied(copied) => copied.into_vec(),
        }
    }

    /// Returns the chunk in a form of which clones are cheap.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let chunk = Chunk::from(vec!['a', 'b']).into_shared();
    /// let copy = chunk.clone(); // of no record
    /// assert_eq!(copy.get(0).map(std::ptr::from_ref), chunk.get(0).map(std::ptr::from_ref));
    /// ```
    #[must_use]
    pub fn into_shared(self) -> Self {
        match self.0 {
            Repr::Owned(records) => {
                let range = 0..records.len();
                Chunk(Repr::Shared(Arc::new(records), range))
            }
            // Few picked out of many would keep all of them in memory.
            Repr::Selected(..) | Repr::Copied(..) => Chunk::from(self.into_vec()).into_shared(),
            shared @ Repr::Shared(..) => Chunk(shared),
        }
    }

    /// Cuts a chunk of any length into chunks of the usual one; cheap for shared chunks.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// # use millstream_core::chunk::CHUNK;
    /// let long = Chunk::from(vec![0; CHUNK + 1]).into_shared();
    /// let lengths: Vec<_> = long.pieces().iter().map(Chunk::len).collect();
    /// assert_eq!(lengths, [CHUNK, 1]);
    /// ```
    #[must_use]
    pub fn pieces(&self) -> Vec<Chunk<T>> {
        match &self.0 {
            Repr::Shared(records, range) if range.len() > CHUNK => range
                .clone()
                .step_by(CHUNK)
                .map(|start| Chunk::shared(Arc::clone(records), start..range.end.min(start + CHUNK)))
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// Cuts the chunk down to its first `n` records.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// let mut chunk = Chunk::from(vec!['a', 'b', 'c']);
    /// chunk.truncate(2);
    /// assert_eq!(chunk.into_vec(), ['a', 'b']);
    /// ```
    pub fn truncate(&mut self, n: usize) {
        match &mut self.0 {
            Repr::Owned(records) => records.truncate(n),
            Repr::Shared(_, range) => range.end = range.end.min(range.start.saturating_add(n)),
            Repr::Selected(_, picked) => picked.truncate(n),
            Repr::Copied(copied) => *copied = copied.first(n),
        }
    }
}

impl<T: Clone> Clone for Chunk<T> {
    fn clone(&self) -> Self {
        Chunk(match &self.0 {
            Repr::Owned(records) => Repr::Owned(records.clone()),
            Repr::Shared(records, range) => Repr::Shared(Arc::clone(records), range.clone()),
            Repr::Selected(records, picked) => Repr::Selected(Arc::clone(records), picked.clone()),
            Repr::Copied(copied) => Repr::Copied(copied.first(copied.len())),
        })
    }
}

/// A position in a chunk from which records are taken one by one, moved out or borrowed.
pub struct Cursor<T> {
    repr: CursorRepr<T>,
}

enum CursorRepr<T> {
    Owned(std::vec::IntoIter<T>),
    Shared(Arc<Vec<T>>, Range<usize>),
    Selected(Arc<Vec<T>>, std::vec::IntoIter<u32>),
}

impl<T: Clone> From<Chunk<T>> for Cursor<T> {
    fn from(chunk: Chunk<T>) -> Self {
        let repr = match chunk.0 {
            Repr::Owned(records) => CursorRepr::Owned(records.into_iter()),
            Repr::Shared(records, range) => CursorRepr::Shared(records, range),
            Repr::Selected(records, picked) => CursorRepr::Selected(records, picked.into_iter()),
            Repr::Copied(copied) => CursorRepr::Owned(copied.into_vec().into_iter()),
        };
        Cursor { repr }
    }
}

impl<T: Clone> Cursor<T> {
    /// Calls `f` with the next record, borrowed, if there is one.
    ///
    /// # Examples
    /// ```
    /// # use millstream_core::Chunk;
    /// # use millstream_core::chunk::Cursor;
    /// let mut lines = Cursor::from(Chunk::from(vec!["to".to_owned(), "be".to_owned()]));
    /// assert_eq!(lines.next_ref(String::len), Some(2));
    /// assert_eq!(lines.next(), Some("be".to_owned()));
    /// assert_eq!(lines.next_ref(String::len), None);
    /// ```
    pub fn next_ref<R>(&mut self, f: impl FnOnce(&T) -> R) -> Option<R> {
        match &mut self.repr {
            CursorRepr::Owned(records) => records.next().map(|record| f(&record)),
            CursorRepr::Shared(records, range) => range.next().map(|at| f(&records[at])),
            CursorRepr::Selected(records, picked) => picked.next().map(|at| f(&records[at as usize])),
        }
    }
}

impl<T: Clone> Iterator for Cursor<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.repr {
            CursorRepr::Owned(records) => records.next(),
            CursorRepr::Shared(records, range) => range.next().map(|at| records[at].clone()),
            CursorRepr::Selected(records, picked) => picked.next().map(|at| records[at as usize].clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::columns::BLOCK;
    use super::*;

    /// Lends its records as if they lay elsewhere.
    struct Lent<T>(Vec<T>);

    impl<T: Clone + Send + Sync> Columns<T> for Lent<T> {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn copy(&self, range: Range<usize>, buffer: &mut Vec<T>) {
            buffer.clear();
            buffer.extend_from_slice(&self.0[range]);
        }
    }

    fn all_forms(records: Vec<i32>) -> [Chunk<i32>; 3] {
        let padded = [vec![-1], records.clone(), vec![-2]].concat();
        let end = padded.len() - 1;
        let columns = Chunk::columns(Arc::new(Lent(records.clone())));
        [records.into(), Chunk::shared(Arc::new(padded), 1..end), columns]
    }

    #[test]
    fn all_forms_of_chunks_answer_alike() {
        for chunk in all_forms(vec![1, 2, 3, 4]) {
            assert_eq!(chunk.len(), 4);
            assert_eq!(chunk.clone().into_vec(), [1, 2, 3, 4]);
            assert_eq!((chunk.get(0), chunk.get(3), chunk.get(4)), (Some(&1), Some(&4), None));
            assert_eq!(chunk.clone().filter(|n| n % 2 == 0).get(1), Some(&4));
            assert_eq!(chunk.clone().map(|n| n * 2).into_vec(), [2, 4, 6, 8]);
            assert_eq!(chunk.map_ref(|n| n + 1).into_vec(), [2, 3, 4, 5]);
            let even = chunk.clone().filter(|n| n % 2 == 0);
            assert_eq!(even.clone().into_vec(), [2, 4]);
            assert_eq!(even.clone().filter(|n| *n > 2).into_shared().into_vec(), [4]);
            assert_eq!(even.map(|n| n).into_vec(), [2, 4]);
            assert_eq!(chunk.clone().into_shared().as_slice(), Some(&[1, 2, 3, 4][..]));
            assert_eq!(chunk.as_slice(), Some(&[1, 2, 3, 4][..]));
            let mut cut = chunk.clone();
            cut.truncate(3);
            assert_eq!((cut.get(2), cut.get(3)), (Some(&3), None));
            assert_eq!(Cursor::from(cut).collect::<Vec<_>>(), [1, 2, 3]);
            let mut cursor = Cursor::from(chunk.filter(|n| *n != 1));
            assert_eq!(cursor.next_ref(|n| *n), Some(2));
            assert_eq!(cursor.next(), Some(3));
        }
    }

    #[test]
    fn columns_are_read_in_blocks_in_order() {
        let records: Vec<i32> = (0..3 * BLOCK as i32 + 5).collect();
        let chunk = Chunk::columns(Arc::new(Lent(records.clone())));
        assert_eq!(chunk.map_ref(|n| *n).into_vec(), records);
        let kept: Vec<i32> = records.iter().copied().filter(|n| n % 7 == 0).collect();
        assert_eq!(chunk.filter(|n| n % 7 == 0).into_vec(), kept);
    }

    #[test]
    fn filtering_shared_records_copies_none() {
        let records = Arc::new(vec!["a".to_owned(), "b".to_owned()]);
        let kept = Chunk::shared(Arc::clone(&records), 0..2).filter(|line| line == "b");
        let mut seen = Vec::new();
        kept.for_each(|line| seen.push(line.as_ptr()));
        assert_eq!(seen, [records[1].as_ptr()]);
    }
}
