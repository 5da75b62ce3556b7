//! A stateful operator, as checkpoints see it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use millstream_core::operator::Operator;
use millstream_core::shuffle::hash::pinned_hash;
use millstream_core::{Context, Data, Key, Partitioner};

use super::blocks::{self, Saved};
use super::door::{Blocks, StateVersion, StatefulOperator};
use super::fingerprint::Fingerprint;
use super::migrate_state::Migrations;
use super::room::Room;
use super::table::Table;
use super::version::Version;
use crate::dstream::node::{AnyDStream, ErasedStream};
use crate::error::Result;
use crate::time::Time;

/// A stateful operator: how its state is spread, its versions in use, and what it goes on from.
pub(crate) struct Stateful<K: Key, S: Data> {
    context: Context,
    pub(super) partitioner: Partitioner<K>,
    timeout: Option<Duration>,
    needs_directory: bool,
    fingerprint: Fingerprint,
    migrations: Arc<Migrations>,
    /// The stream that the program sees, whose id is that of the state.
    stream: OnceLock<Weak<dyn ErasedStream>>,
    /// How often it is saved, unless the program says so, by its slide.
    saved_each: fn(Duration) -> Duration,
    state: Mutex<State<K, S>>,
}

/// An entry that was saved, its partition and its hash.
type Placed<K, S> = (usize, u64, Saved<K, S>);

struct State<K: Key, S: Data> {
    versions: BTreeMap<Time, Vec<Weak<Version<K, S>>>>,
    /// What was restored so far, by partition.
    restoring: Vec<Table<K, S>>,
    restored: Option<Vec<Arc<Version<K, S>>>>,
    /// The batch whose version was restored: it and those before it were forgotten.
    forgotten: Option<Time>,
    /// There are no batches up to this one.
    begins_after: Option<Time>,
    /// The first batch of this run.
    first: Option<Time>,
}

impl<K: Key, S: Data> Stateful<K, S> {
    pub(super) fn new(
        context: Context,
        partitioner: Partitioner<K>,
        timeout: Option<Duration>,
        needs_directory: bool,
        saved_each: fn(Duration) -> Duration,
        fingerprint: Fingerprint,
        migrations: Arc<Migrations>,
    ) -> Arc<Self> {
        let state = State {
            versions: BTreeMap::new(),
            restoring: Vec::new(),
            restored: None,
            forgotten: None,
            begins_after: None,
            first: None,
        };
        Arc::new(Stateful {
            context,
            partitioner,
            timeout,
            needs_directory,
            fingerprint,
            migrations,
            stream: OnceLock::new(),
            saved_each,
            state: Mutex::new(state),
        })
    }

    pub(super) fn belongs_to(&self, stream: &AnyDStream) {
        // Set once, by the one who makes the stream, which holds this.
        let _ = self.stream.set(Arc::downgrade(stream));
    }

    /// Returns whether there is no batch of that time to go on from: what was restored or is given in code is begun with.
    pub(super) fn is_before_all(&self, batch: Time) -> bool {
        self.goes_on_after().is_some_and(|last| batch <= last)
    }

    /// Returns whether a batch is one of before it was there: that has no keys and no records.
    pub(super) fn had_not_begun(&self, batch: Time) -> bool {
        self.lock().begins_after.is_some_and(|last| batch <= last)
    }

    /// Returns the batch whose version was restored, if the first batch goes on from it.
    pub(super) fn restored_of(&self) -> Option<Time> {
        let state = self.lock();
        state.forgotten.filter(|_| state.restored.is_some())
    }

    /// Returns where its tables lie.
    pub(super) fn room(&self) -> Room {
        Room::of(&self.context, format!("a state of {}", self.operator()))
    }

    /// Notes that a batch begins without one before it; returns whether it begins with the initial state.
    ///
    /// Only the first batch may: of a later one the past was forgotten.
    pub(super) fn begin(&self, batch: Time) -> Result<bool> {
        let mut state = self.lock();
        let problem = match (state.forgotten.filter(|last| batch <= *last), state.first) {
            (Some(last), _) => {
                format!("batch {batch} is one of before the restart, which went on after {last}")
            }
            (None, Some(first)) => {
                format!("the state before batch {batch} was forgotten (the first batch was {first})")
            }
            (None, None) => {
                state.first = Some(batch);
                return Ok(state.restored.is_none());
            }
        };
        let operator = self.operator().to_string();
        let remedy =
            "ask for later batches, or call `remember` on the streaming context with a longer time".into();
        Err(millstream_core::Error::Argument { operator, problem, remedy }.into())
    }

    pub(super) fn take_restored(&self) -> Option<Vec<Arc<Version<K, S>>>> {
        self.lock().restored.take()
    }

    /// Notes the version of a partition after a batch.
    pub(super) fn note(&self, time: Time, partition: usize, version: &Arc<Version<K, S>>) {
        let mut state = self.lock();
        state.versions.retain(|_, versions| versions.iter().any(|version| version.strong_count() > 0));
        let versions = state.versions.entry(time).or_default();
        if versions.len() <= partition {
            versions.resize_with(partition + 1, Weak::new);
        }
        versions[partition] = Arc::downgrade(version);
    }

    /// Returns where a key belongs, with its hash.
    fn place(&self, key: &K) -> (usize, u64) {
        let hash = pinned_hash(key);
        (self.partitioner.partition(key, hash), hash)
    }

    /// Reads a block that was saved: where each entry belongs, its hash, and the entry.
    fn read(&self, saved: &Fingerprint, block: &[u8]) -> Result<Vec<Placed<K, S>>> {
        let migrate = self.migrations.from::<S>(&self.fingerprint, saved, &self.operator())?;
        let mut entries = Vec::new();
        let mut rest = block;
        while !rest.is_empty() {
            let (entry, behind): (Saved<K, S>, &[u8]) = match &migrate {
                None => postcard::take_from_bytes(rest).map_err(blocks::failed)?,
                Some(migrate) => {
                    let ((key, is_there), behind): ((K, bool), _) =
                        postcard::take_from_bytes(rest).map_err(blocks::failed)?;
                    if is_there {
                        let (state, behind) = migrate(behind)?;
                        let (time, behind) = postcard::take_from_bytes(behind).map_err(blocks::failed)?;
                        ((key, Some((state, time))), behind)
                    } else {
                        ((key, None), behind)
                    }
                }
            };
            let (partition, hash) = self.place(&entry.0);
            entries.push((partition, hash, entry));
            rest = behind;
        }
        Ok(entries)
    }

    /// No code of a user's runs under this lock that could panic half way.
    fn lock(&self) -> MutexGuard<'_, State<K, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Key, S: Data> StatefulOperator for Stateful<K, S> {
    fn operator(&self) -> Arc<Operator> {
        let stream = self.stream.get().and_then(Weak::upgrade);
        stream.map_or_else(
            || Arc::new(Operator::call("state", std::panic::Location::caller())),
            |stream| Arc::clone(stream.operator()),
        )
    }

    fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    fn needs_directory(&self) -> bool {
        self.needs_directory
    }

    fn default_interval(&self, slide: Duration) -> Duration {
        (self.saved_each)(slide)
    }

    fn partitions(&self) -> usize {
        self.partitioner.partitions()
    }

    fn version(&self, time: Time) -> Option<Arc<dyn StateVersion>> {
        let state = self.lock();
        let versions = state.versions.get(&time)?;
        let partitions: Option<Vec<_>> = versions.iter().map(Weak::upgrade).collect();
        let partitions = partitions.filter(|partitions| partitions.len() == self.partitions())?;
        Some(Arc::new(Versions { time, partitions }))
    }

    fn restore(&self, saved: &Fingerprint, block: &[u8]) -> Result<()> {
        // A state that is given up is given up as a whole.
        let entries = self.read(saved, block).inspect_err(|_| self.lock().restoring.clear())?;
        let mut state = self.lock();
        state.restoring.resize_with(self.partitions(), || Table::new(self.has_timeouts(), Some(self.room())));
        for (partition, hash, (key, entry)) in entries {
            if let Some(table) = state.restoring.get_mut(partition) {
                table.put(hash, key, entry)?;
            }
        }
        Ok(())
    }

    fn restored(&self, time: Time) {
        let mut state = self.lock();
        let mut tables = std::mem::take(&mut state.restoring);
        tables.resize_with(self.partitions(), || Table::new(self.has_timeouts(), Some(self.room())));
        let mut is_as_saved = true;
        let versions = tables.into_iter().map(|mut table| {
            // Of an operator whose keys did not time out when they were saved.
            is_as_saved &= !table.date(0, time.as_millis());
            Version::first(table, time)
        });
        let versions: Vec<_> = versions.collect();
        if is_as_saved {
            state.versions.insert(time, versions.iter().map(Arc::downgrade).collect());
        }
        state.restored = Some(versions);
        state.forgotten = Some(time);
    }

    fn goes_on_after(&self) -> Option<Time> {
        let state = self.lock();
        state.forgotten.max(state.begins_after)
    }

    fn begins_after(&self, time: Time) {
        self.lock().begins_after = Some(time);
    }

    fn has_timeouts(&self) -> bool {
        self.timeout.is_some()
    }

    fn next_timeout(&self) -> Option<Time> {
        let timeout = self.timeout?;
        let newest: Option<Vec<_>> = {
            let state = self.lock();
            match (state.versions.last_key_value(), &state.restored, state.first) {
                (Some((_, versions)), ..) => versions.iter().map(Weak::upgrade).collect(),
                (None, Some(restored), _) => Some(restored.clone()),
                (None, None, None) => Some(Vec::new()),
                (None, None, Some(_)) => None,
            }
        };
        // What ran in another process, or has left memory, may time out at any time.
        let Some(newest) = newest else { return Some(Time::default()) };
        let touched = newest.iter().filter_map(|version| version.look(|table, _| table.oldest_touch())).min();
        touched.map(|touched| Time::from_millis(touched) + timeout)
    }
}

/// The state after a batch.
struct Versions<K: Key, S: Data> {
    time: Time,
    partitions: Vec<Arc<Version<K, S>>>,
}

impl<K: Key, S: Data> StateVersion for Versions<K, S> {
    fn time(&self) -> Time {
        self.time
    }

    fn snapshot(&self, partition: usize) -> Blocks {
        match self.partitions.get(partition) {
            Some(version) => blocks::all(Arc::clone(version)),
            None => Box::new(std::iter::empty()),
        }
    }

    fn changes_since(&self, earlier: &dyn StateVersion, partition: usize) -> Option<Blocks> {
        let earlier: &Versions<K, S> = earlier.as_any().downcast_ref()?;
        blocks::changes(Arc::clone(self.partitions.get(partition)?), earlier.partitions.get(partition)?)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
