//! `uid`: a name of the program's own for an operator.

use std::sync::Arc;

use millstream_core::Data;
use millstream_core::operator::Operator;

use super::{DStream, ErasedStream};

impl<T: Data> DStream<T> {
    /// Gives the operator that makes this stream a name under which all is kept that outlives a restart, its state above all.
    ///
    /// Without one it is filed under its path in the graph, which another operator put before it changes. Call it right after
    /// the operator: the ids of those put on the stream afterwards begin with the name. Names are checked when the context
    /// is started: each must be given once.
    ///
    /// # Panics
    /// If the context has been started.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::testing::{batches, check};
    /// check(batches![[1], [2]], |s| s.map(|n| n + 1).uid("successors"), batches![[2], [3]]);
    /// ```
    #[track_caller]
    pub fn uid(&self, name: impl Into<Arc<str>>) -> DStream<T> {
        let name = name.into();
        self.graph().refuse_if_frozen(&Operator::call("uid", std::panic::Location::caller()));
        let operator = self.0.operator();
        if name.is_empty() {
            self.graph().problem(operator, "the uid is empty; give it a name such as `counts`");
            return self.clone();
        }
        if self.0.rename(Arc::clone(&name)) {
            if let Some(state) = self.0.with_state.get() {
                // Operators that are put on this stream have other names: theirs begin with `name/`.
                state.rename(format!("{name}:window").into());
            }
        } else {
            let first = operator.id.as_deref().unwrap_or_default();
            self.graph()
                .problem(operator, format!("has the uid `{first}` already; do not call it `{name}`, too"));
        }
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use millstream_core::Conf;
    use millstream_core::operator::Operator;

    use crate::testing::{Driver, batches};

    #[test]
    fn operators_behind_are_named_after_it() {
        let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
        let named = driver.input(batches![[1]]).map(|n| n + 1).uid("mine");
        let id = |stream: &crate::DStream<i32>| stream.any().operator().id.as_deref().unwrap().to_owned();
        assert_eq!(id(&named), "mine");
        assert_eq!(id(&named.map(|n| n + 1)), "mine/map");
        let collected = driver.collect(&named);
        driver.run(1).unwrap();
        assert_eq!(collected.batches(), batches![[2]]);
    }

    /// What was saved of a state is found by its id: it must be what it was before the window had a name of its own.
    #[test]
    fn the_steps_of_a_window_keep_ids_of_their_own() {
        let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
        let counts = driver.input(batches![[1]]).count_by_window(Duration::from_secs(2), None);
        let operator = Operator::clone(counts.any().operator());
        let (_, steps) = operator.id.as_deref().unwrap().split_once('/').unwrap();
        assert_eq!(steps, "map_ref/map/reduce_by_key/reduce_by_key_and_window/map");
        assert_eq!(operator.name, "count_by_window");
    }

    #[test]
    fn a_window_of_several_steps_is_named_with_the_state_in_it() {
        let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
        let (window, input) = (Duration::from_secs(2), driver.input(batches![[1]]));
        input.count_by_window(window, None).checkpoint(window).uid("count").print();
        let largest = input.reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, window, None);
        largest.uid("sum").checkpoint(2 * window).print();
        let (add, take) = (|a, b| a + b, |a, b| a - b);
        let pairs = input.map(|n| (n, n));
        let keys = crate::WindowKeys::InWindow;
        pairs.reduce_by_key_and_window_keeping(add, take, window, None, 1, keys).uid("sums").print();
        input.count_by_value_and_window(window, None).uid("values").print();
        let graph = driver.streaming().graph();
        let states = graph.stateful();
        let ids: Vec<_> = states.iter().map(|state| state.id()).collect();
        assert_eq!(
            ids.iter().map(|id| &**id).collect::<Vec<_>>(),
            ["count:window", "sum:window", "sums:window", "values"]
        );
        let saved_each: Vec<_> =
            states.iter().map(|state| graph.checkpoint_interval(&**state, Duration::ZERO)).collect();
        assert_eq!(saved_each.iter().map(Duration::as_secs).collect::<Vec<_>>(), [2, 4, 10, 10]);
        driver.run(1).unwrap();
    }

    #[test]
    fn each_name_is_given_once() {
        let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
        let input = driver.input(batches![[1]]);
        driver.collect(&input.map(|n| n + 1).uid("one").uid("two"));
        driver.collect(&input.map(|n| n + 2).uid("one"));
        driver.collect(&input.map(|n| n + 3).uid(""));
        let problems = driver.start().err().unwrap().to_string();
        for problem in ["has the uid `one` already", "the uid `one` is also that of", "the uid is empty"] {
            assert!(problems.contains(problem), "{problems}");
        }
        assert!(problems.contains(file!()), "{problems}");
    }
}
