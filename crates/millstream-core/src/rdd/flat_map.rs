//! `flat_map`: any number of records for each.

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::chunk::CHUNK;
use crate::data::Data;

const INSTEAD: &str = "flat_map_env(values, |values, record| ..)";
const INTO_INSTEAD: &str = "flat_map_into_env(values, |values, record, out| ..)";

impl<T: Data> Rdd<T> {
    /// Makes any number of records of each record.
    ///
    /// The closure owns its argument (a clone where the records are shared) and can not return an iterator that borrows
    /// from it; [`flat_map_into`](Rdd::flat_map_into) can borrow, and allocates nothing per record.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let numbers = context.parallelize([vec![1, 2], vec![], vec![3]], 1).flat_map(|list| list);
    /// assert_eq!(numbers.collect()?, [1, 2, 3]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map<U: Data, I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
    {
        self.expanding(Form::new(Method::or("flat_map", INSTEAD)), move |(), input, out| {
            while out.len() < CHUNK {
                match input.next() {
                    Some(record) => out.extend(f(record)),
                    None => break,
                }
            }
        })
    }

    /// Makes any number of records of each record, which is only borrowed, by adding them to a buffer.
    ///
    /// The buffer may hold records of earlier calls: only add to it.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lines = context.parallelize(["to be", "or not"].map(String::from), 1);
    /// let words = lines.flat_map_into(|line, out| out.extend(line.split(' ').map(String::from)));
    /// assert_eq!(words.collect()?, ["to", "be", "or", "not"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_into<U: Data>(&self, f: impl Fn(&T, &mut Vec<U>) + Send + Sync + 'static) -> Rdd<U> {
        self.expanding(Form::new(Method::or("flat_map_into", INTO_INSTEAD)), move |(), input, out| {
            while out.len() < CHUNK && input.next_ref(|record| f(record, out)).is_some() {}
        })
    }

    /// Makes any number of records of each record and of values that go along to the workers.
    ///
    /// Use it where the program may run in several processes: the closure itself may capture nothing there.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let times = 2;
    /// let repeated = context.parallelize([1, 2], 1).flat_map_env(times, |times, n| vec![n; *times]);
    /// assert_eq!(repeated.collect()?, [1, 1, 2, 2]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_env<E: Data, U: Data, I>(
        &self,
        env: E,
        f: impl Fn(&E, T) -> I + Send + Sync + 'static,
    ) -> Rdd<U>
    where
        I: IntoIterator<Item = U>,
    {
        let form = Form { name: Method::or("flat_map_env", INSTEAD), env, keeps_keys: false };
        self.expanding(form, move |env, input, out| {
            while out.len() < CHUNK {
                match input.next() {
                    Some(record) => out.extend(f(env, record)),
                    None => break,
                }
            }
        })
    }

    /// Adds any number of records for each record, which is only borrowed, to a buffer, given values that go along to the
    /// workers.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lines = context.parallelize(["a,b".to_owned()], 1);
    /// let fields =
    ///     lines.flat_map_into_env(',', |comma, line, out| out.extend(line.split(*comma).map(String::from)));
    /// assert_eq!(fields.collect()?, ["a", "b"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn flat_map_into_env<E: Data, U: Data>(
        &self,
        env: E,
        f: impl Fn(&E, &T, &mut Vec<U>) + Send + Sync + 'static,
    ) -> Rdd<U> {
        let form = Form { name: Method::or("flat_map_into_env", INTO_INSTEAD), env, keeps_keys: false };
        self.expanding(form, move |env, input, out| {
            while out.len() < CHUNK && input.next_ref(|record| f(env, record, out)).is_some() {}
        })
    }
}
