//! The record of a step: a version of a partition, and what the batch was mapped to.

use std::sync::{Arc, Weak};

use millstream_core::storage::size_estimate::SHARED;
use millstream_core::{Data, Key};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::version::{AnyRecord, Entry, Version};
use crate::time::Time;

/// A version of a partition, held, and what the batch was mapped to. Cloning is shallow.
///
/// Written as bytes it is all of the partition: whoever reads it has a table of its own.
pub(crate) struct Held<K: Key, S: Data, U: Data>(Arc<Record<K, S, U>>);

struct Record<K: Key, S: Data, U: Data> {
    version: Arc<Version<K, S>>,
    mapped: Arc<Vec<U>>,
}

impl<K: Key, S: Data, U: Data> Clone for Held<K, S, U> {
    fn clone(&self) -> Self {
        Held(Arc::clone(&self.0))
    }
}

impl<K: Key, S: Data, U: Data> Held<K, S, U> {
    pub(super) fn new(version: Arc<Version<K, S>>, mapped: Vec<U>) -> Self {
        Held(Arc::new(Record { version, mapped: Arc::new(mapped) }))
    }

    pub(super) fn version(&self) -> &Arc<Version<K, S>> {
        &self.0.version
    }

    /// Returns what the batch was mapped to.
    pub(super) fn mapped(&self) -> Arc<Vec<U>> {
        Arc::clone(&self.0.mapped)
    }

    /// Returns a handle that holds nothing.
    pub(super) fn weak(&self) -> Weak<dyn std::any::Any + Send + Sync> {
        let record: AnyRecord = self.0.clone();
        Arc::downgrade(&record)
    }

    /// Returns a record whose type has been forgotten as what it is.
    pub(super) fn of_any(record: AnyRecord) -> Option<Self> {
        record.downcast().ok().map(Held)
    }
}

/// What travels: the time of the batch, whether keys time out, the entries, what the batch was mapped to.
type Travels<K, S, U> = (Time, bool, Vec<Entry<K, S>>, Vec<U>);

impl<K: Key, S: Data, U: Data> Serialize for Held<K, S, U> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        // Told apart so that to estimate the size of this record does not mean to write the state.
        serializer.serialize_newtype_struct(SHARED, &Whole(self))
    }
}

/// All of a partition, gathered when it is written.
struct Whole<'a, K: Key, S: Data, U: Data>(&'a Held<K, S, U>);

impl<K: Key, S: Data, U: Data> Serialize for Whole<'_, K, S, U> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let version = self.0.version();
        let with_timeouts = version.look(|table, _| table.has_timeouts());
        let entries = version.entries().map_err(Z::Error::custom)?;
        (version.time(), with_timeouts, entries, &*self.0.mapped()).serialize(serializer)
    }
}

impl<'de, K: Key, S: Data, U: Data> Deserialize<'de> for Held<K, S, U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (time, with_timeouts, entries, mapped): Travels<K, S, U> =
            Deserialize::deserialize(deserializer)?;
        let version = Version::of(entries, with_timeouts, time).map_err(D::Error::custom)?;
        Ok(Held::new(version, mapped))
    }
}
