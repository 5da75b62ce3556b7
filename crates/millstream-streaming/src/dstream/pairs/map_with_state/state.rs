//! `State`: what a function of `map_with_state` sees of a key.

/// The state of a key in a call of the function of [`map_with_state`](crate::DStream::map_with_state).
///
/// # Examples
/// ```
/// use millstream_streaming::State;
///
/// fn visits(_page: &String, new: Option<u64>, state: &mut State<u64>) -> u64 {
///     let visits = state.get_option().copied().unwrap_or(0) + new.unwrap_or(0);
///     state.update(visits);
///     *state.get()
/// }
/// ```
pub struct State<'a, S> {
    before: Option<&'a S>,
    now: Now<S>,
    timing_out: bool,
}

/// What has become of a state in a call.
pub(super) enum Now<S> {
    Same,
    Updated(S),
    Removed,
}

impl<'a, S> State<'a, S> {
    pub(super) fn of(before: Option<&'a S>) -> Self {
        State { before, now: Now::Same, timing_out: false }
    }

    pub(super) fn timing_out(before: Option<&'a S>) -> Self {
        State { timing_out: true, ..State::of(before) }
    }

    pub(super) fn now(self) -> Now<S> {
        self.now
    }

    /// Returns whether the key has a state.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| {
    ///     let known = state.exists();
    ///     state.update(n);
    ///     known
    /// });
    /// check(batches![[('a', 1)], [('a', 2)]], |pairs| pairs.map_with_state(spec).stream(), batches![[false], [true]]);
    /// ```
    #[must_use]
    pub fn exists(&self) -> bool {
        self.get_option().is_some()
    }

    /// Returns the state of a key that has one.
    ///
    /// # Panics
    /// If it has none: the task fails with the operator's name. Ask [`exists`](State::exists) first, or use
    /// [`get_option`](State::get_option).
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| {
    ///     let before = if state.exists() { *state.get() } else { 0 };
    ///     state.update(before + n.unwrap_or(0));
    ///     before
    /// });
    /// check(batches![[('a', 1)], [('a', 2)]], |pairs| pairs.map_with_state(spec).stream(), batches![[0], [1]]);
    /// ```
    #[track_caller]
    #[must_use]
    pub fn get(&self) -> &S {
        self.get_option().unwrap_or_else(|| {
            misused("`get` of a key without a state", "ask `exists` first, or use `get_option`")
        })
    }

    /// Returns the state of the key, if it has one.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| {
    ///     let sum = state.get_option().unwrap_or(&0) + n.unwrap_or(0);
    ///     state.update(sum);
    ///     sum
    /// });
    /// check(batches![[('a', 1)], [('a', 2)]], |pairs| pairs.map_with_state(spec).stream(), batches![[1], [3]]);
    /// ```
    #[must_use]
    pub fn get_option(&self) -> Option<&S> {
        match &self.now {
            Now::Same => self.before,
            Now::Updated(state) => Some(state),
            Now::Removed => None,
        }
    }

    /// Gives the key a new state.
    ///
    /// # Panics
    /// If the state is [timing out](State::is_timing_out) or was removed in this call: the task fails with the operator's
    /// name.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| {
    ///     state.update(n.unwrap_or(0));
    ///     *state.get()
    /// });
    /// check(batches![[('a', 1)], [('a', 2)]], |pairs| pairs.map_with_state(spec).stream(), batches![[1], [2]]);
    /// ```
    #[track_caller]
    pub fn update(&mut self, state: S) {
        self.refuse("update");
        self.now = Now::Updated(state);
    }

    /// Takes the state away from the key; it is as if the key had never been seen.
    ///
    /// # Panics
    /// If the state is [timing out](State::is_timing_out), after which it is removed anyway, or was removed in this call: the
    /// task fails with the operator's name.
    ///
    /// # Examples
    /// ```
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| match n {
    ///     Some(-1) => state.remove(),
    ///     n => state.update(n.unwrap_or(0)),
    /// });
    /// check(
    ///     batches![[('a', 1)], [('a', -1)]],
    ///     |pairs| pairs.map_with_state(spec).state_snapshots(),
    ///     batches![[('a', 1)], []],
    /// );
    /// ```
    #[track_caller]
    pub fn remove(&mut self) {
        self.refuse("remove");
        self.now = Now::Removed;
    }

    /// Returns whether this call is the last for the state: the key had no record for as long as the timeout says, and the
    /// state will be removed.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use millstream_streaming::StateSpec;
    /// use millstream_streaming::testing::{batches, check};
    /// let spec = StateSpec::function(|_: &char, n: Option<i32>, state| {
    ///     if let Some(n) = n {
    ///         state.update(n);
    ///     }
    ///     (*state.get(), state.is_timing_out())
    /// });
    /// check(
    ///     batches![[('a', 7)]],
    ///     |pairs| pairs.map_with_state(spec.timeout(Duration::from_secs(2))).stream(),
    ///     batches![[(7, false)], [], [(7, true)], []],
    /// );
    /// ```
    #[must_use]
    pub fn is_timing_out(&self) -> bool {
        self.timing_out
    }

    #[track_caller]
    fn refuse(&self, what: &str) {
        if self.timing_out {
            misused(
                &format!("`{what}` of a state that is timing out"),
                "it is removed after this call; ask `is_timing_out` first",
            )
        }
        if matches!(self.now, Now::Removed) {
            misused(&format!("`{what}` of a state that was removed in the same call"), "ask `exists` first")
        }
    }
}

#[allow(
    clippy::panic,
    reason = "a mistake in the user's function, which the task reports with the operator's name"
)]
#[track_caller]
fn misused(what: &str, remedy: &str) -> ! {
    panic!("{what} at {}; {remedy}", std::panic::Location::caller())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::{Now, State};

    /// What Spark's test of a state checks after each step.
    fn check(state: &mut State<'_, i32>, data: Option<i32>, updated: bool, removed: bool, timing_out: bool) {
        let refused = |f: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(f)).is_err();
        assert_eq!((state.exists(), state.get_option().copied()), (data.is_some(), data));
        match data {
            Some(data) => assert_eq!(*state.get(), data),
            None => assert!(refused(&mut || _ = state.get())),
        }
        assert_eq!(state.is_timing_out(), timing_out);
        assert_eq!(
            (matches!(state.now, Now::Updated(_)), matches!(state.now, Now::Removed)),
            (updated, removed)
        );
        if timing_out || removed {
            assert!(refused(&mut || state.remove()));
            assert!(refused(&mut || state.update(-1)));
        }
    }

    #[test]
    fn get_exists_update_remove() {
        check(&mut State::of(None), None, false, false, false);
        let mut state = State::of(Some(&1));
        check(&mut state, Some(1), false, false, false);
        state.update(2);
        check(&mut state, Some(2), true, false, false);
        let mut state = State::of(None);
        state.update(2);
        check(&mut state, Some(2), true, false, false);
        state.remove();
        check(&mut state, None, false, true, false);
        check(&mut State::timing_out(Some(&3)), Some(3), false, false, true);
        let mut unknown: State<'_, i32> = State::of(None);
        unknown.remove();
        check(&mut unknown, None, false, true, false);
    }
}
