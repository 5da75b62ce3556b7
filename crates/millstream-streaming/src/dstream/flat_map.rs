//! `flat_map`: any number of records for each.

use std::sync::Arc;

use millstream_core::Data;

use super::DStream;

impl<T: Data> DStream<T> {
    /// Makes any number of records of each record.
    ///
    /// The closure owns its argument and can not return an iterator that borrows from it;
    /// [`flat_map_into`](DStream::flat_map_into) can borrow, and allocates nothing per record.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[2, 0], [1]], |s| s.flat_map(|n| vec![n; n]), batches![[2, 2], [1]]);
    /// ```
    #[track_caller]
    pub fn flat_map<U: Data, I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> DStream<U>
    where
        I: IntoIterator<Item = U> + 'static,
    {
        let f = Arc::new(f);
        self.per_batch("flat_map", move |rdd| {
            let f = Arc::clone(&f);
            rdd.flat_map(move |record| f(record))
        })
    }

    /// Makes any number of records of each record, which is only borrowed, by adding them to a buffer.
    ///
    /// The buffer may hold records of earlier calls: only add to it.
    ///
    /// # Examples
    /// ```
    /// use millstream_core::text::words;
    /// use millstream_streaming::testing::{batches, check};
    /// check(
    ///     batches![["to be".to_owned()]],
    ///     |lines| lines.flat_map_into(|line, out| out.extend(words(line))),
    ///     batches![["to".into(), "be".into()]],
    /// );
    /// ```
    #[track_caller]
    pub fn flat_map_into<U: Data>(&self, f: impl Fn(&T, &mut Vec<U>) + Send + Sync + 'static) -> DStream<U> {
        let f = Arc::new(f);
        self.per_batch("flat_map_into", move |rdd| {
            let f = Arc::clone(&f);
            rdd.flat_map_into(move |record, out| f(record, out))
        })
    }
}
