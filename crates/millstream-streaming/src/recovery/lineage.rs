//! Which states and sources are asked for batches of how long ago, by what is made of them.
//!
//! A state can not give batches of up to that from which it goes on. So if one goes on from its batch *t*, a state that it reads
//! must go on from an earlier one: earlier than *t* by as much as windows between the two reach back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::passed_over::PassedOver;
use crate::dstream::AnyDStream;
use crate::graph::Graph;
use crate::time::Time;

/// What reads a stream: an output, or a state by its place among [`Lineage::states`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Output,
    State(usize),
}

/// What reads a stream, and how long before its own batches those may lie that it reads.
type Readers = BTreeMap<Reader, Duration>;

/// What the states and outputs of a graph are made of.
pub(crate) struct Lineage {
    /// The states that outputs are made of, by the ids of their operators; those that are read after those that read them.
    states: Vec<Read>,
    /// What reads any source.
    sources: Readers,
    passed_over: Arc<PassedOver>,
}

/// A state that outputs are made of.
struct Read {
    id: Arc<str>,
    slide: Duration,
    by: Readers,
}

/// What is asked of a state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// No batch up to this one is asked for.
    pub(crate) after: Time,
    /// Of whoever asks, the one that goes on from the earliest batch goes on from this one.
    pub(crate) by_those_after: Time,
}

/// From where everything goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GoesOn {
    /// By operator: the batch after which its state is made anew.
    pub(crate) states: BTreeMap<Arc<str>, Time>,
    /// No batch of a source up to this one is asked for.
    pub(crate) sources: Time,
}

impl Lineage {
    pub(crate) fn of(graph: &Graph) -> Self {
        let passed_over = Arc::clone(graph.recovery.passed_over());
        let mut lineage = Lineage { states: Vec::new(), sources: Readers::new(), passed_over };
        let mut readers: HashMap<*const (), Readers> = HashMap::new();
        for output in graph.outputs() {
            add(readers.entry(address(&output.stream)).or_default(), Reader::Output, Duration::ZERO);
        }
        // What reads a stream was put on the graph after it.
        for stream in graph.streams().iter().rev() {
            let Some(of_stream) = readers.remove(&address(stream)) else { continue };
            let reads = match stream.state() {
                Some(state) => {
                    lineage.states.push(Read { id: state.id(), slide: stream.slide(), by: of_stream });
                    Readers::from([(Reader::State(lineage.states.len() - 1), Duration::ZERO)])
                }
                None => of_stream,
            };
            let parents = stream.parents();
            let addresses: Vec<_> = parents.iter().map(address).collect();
            for (reader, reach) in reads {
                let reach = reach.saturating_add(stream.reaches_back());
                for parent in &addresses {
                    add(readers.entry(*parent).or_default(), reader, reach);
                }
                if parents.is_empty() {
                    add(&mut lineage.sources, reader, reach);
                }
            }
        }
        lineage
    }

    /// Returns the operators whose states outputs are made of.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.states.iter().map(|state| &state.id)
    }

    /// Returns whether an output is made of the state of an operator.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids().any(|of| **of == *id)
    }

    /// Returns how far back what is made of a state reads it.
    pub(crate) fn reach(&self, id: &str) -> Duration {
        let state = self.states.iter().find(|state| *state.id == *id);
        state.into_iter().flat_map(|state| state.by.values()).max().copied().unwrap_or_default()
    }

    /// Decides from where everything goes on if the outputs of batches up to `completed` are not asked for.
    ///
    /// `choose` is called once for each state, by its operator and what is asked of it: it returns the batch from which that
    /// state goes on.
    pub(crate) fn goes_on(&self, completed: Time, mut choose: impl FnMut(&str, Asked) -> Time) -> GoesOn {
        let mut chosen: Vec<Time> = Vec::new();
        let asked = |chosen: &[Time], readers: &Readers| {
            let mut asked = Asked { after: completed, by_those_after: completed };
            for (reader, reach) in readers {
                let goes_on = match reader {
                    Reader::Output => completed,
                    Reader::State(place) => chosen.get(*place).copied().unwrap_or(completed),
                };
                asked.after = asked.after.min(goes_on - *reach);
                asked.by_those_after = asked.by_those_after.min(goes_on);
            }
            asked
        };
        for state in &self.states {
            let mut asked = asked(&chosen, &state.by);
            // Windows over it may reach into what was passed over, where it is what it was after the batch before.
            if state.by.values().any(|reach| !reach.is_zero()) {
                asked.after = self.passed_over.asked_after(asked.after, state.slide);
            }
            chosen.push(choose(&state.id, asked));
        }
        let sources = asked(&chosen, &self.sources).after;
        GoesOn { states: self.ids().cloned().zip(chosen).collect(), sources }
    }
}

/// The same for all handles of a stream, as long as one is held.
fn address(stream: &AnyDStream) -> *const () {
    Arc::as_ptr(stream).cast()
}

/// Notes that a reader reaches that far back; on another way it may reach less far.
fn add(readers: &mut Readers, reader: Reader, reach: Duration) {
    let before = readers.entry(reader).or_default();
    *before = reach.max(*before);
}

#[cfg(test)]
mod tests {
    use millstream_core::Conf;

    use super::*;
    use crate::dstream::DStream;
    use crate::testing::{Driver, batches};

    const SECOND: Duration = Duration::from_secs(1);

    fn state(stream: &DStream<(u8, u64)>, name: &str) -> DStream<(u8, u64)> {
        let sums = stream.update_state_by_key(|new: Vec<u64>, sum: Option<u64>| {
            Some(sum.unwrap_or_default() + new.iter().sum::<u64>())
        });
        sums.uid(name)
    }

    /// Returns what is asked of each state and of the sources, where each state was saved at multiples of some seconds.
    fn asked(driver: &Driver, completed: i64, saved_each: &[(&str, i64)]) -> (Vec<(String, i64)>, i64) {
        let each: BTreeMap<_, _> = saved_each.iter().copied().collect();
        let lineage = Lineage::of(driver.streaming().graph());
        let goes_on = lineage.goes_on(Time::from_millis(completed * 1000), |id, asked| {
            asked.after.floor(Duration::from_secs(each[id].unsigned_abs()))
        });
        let states = goes_on.states.iter().map(|(id, time)| (id.to_string(), time.as_millis() / 1000));
        (states.collect(), goes_on.sources.as_millis() / 1000)
    }

    #[test]
    fn a_state_goes_on_from_before_what_is_made_of_it() {
        let driver = Driver::new(Conf::empty(), SECOND).unwrap();
        let input = driver.input(batches![[(1, 1)]]);
        let first = state(&input, "first");
        let second = state(&first.window(5 * SECOND, None), "second");
        let inverse =
            second.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, 4 * SECOND, None);
        inverse.uid("inverse").print();
        // No output is made of it.
        let _ = state(&input, "unread").window(100 * SECOND, None);
        let each = [("first", 1), ("second", 1), ("inverse", 1)];
        let states = |first, second, inverse| {
            let all = [("first", first), ("inverse", inverse), ("second", second)];
            all.map(|(name, time)| (name.to_owned(), time)).to_vec()
        };
        assert_eq!(asked(&driver, 100, &each), (states(91, 96, 100), 91));
        let each = [("first", 1), ("second", 10), ("inverse", 4)];
        assert_eq!(asked(&driver, 99, &each), (states(85, 90, 96), 85));
        let lineage = Lineage::of(driver.streaming().graph());
        assert!(lineage.has("first") && !lineage.has("unread"));
        assert_eq!(
            ["first", "second", "inverse", "unread"].map(|id| lineage.reach(id).as_secs()),
            [5, 4, 0, 0]
        );
    }

    #[test]
    fn of_several_ways_the_one_that_reaches_back_furthest_counts() {
        let driver = Driver::new(Conf::empty(), SECOND).unwrap();
        let input = driver.input(batches![[(1, 1)]]);
        let first = state(&input, "first");
        let long = first.window(3 * SECOND, None).window(6 * SECOND, 2 * SECOND);
        long.union(&first.window(4 * SECOND, 2 * SECOND)).print();
        first.print();
        state(&first.union(&input.window(20 * SECOND, SECOND)), "second").print();
        let each = [("first", 1), ("second", 5)];
        let states = vec![("first".to_owned(), 90), ("second".to_owned(), 95)];
        assert_eq!(asked(&driver, 99, &each), (states, 75));
        assert_eq!(asked(&driver, 96, &each).0[0].1, 87);
    }
}
