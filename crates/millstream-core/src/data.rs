//! What a record must be able to do.

use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record: anything that can be copied, shared between threads and written as bytes.
///
/// Implemented for every type that qualifies. Because all records can be written as bytes, every RDD can be spilled,
/// logged, checkpointed or sent to another process: there are no second-class types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be a record of an RDD or a DStream",
    note = "a record must be `Clone + Send + Sync + 'static` and have serde's `Serialize` and `Deserialize`: \
            add `#[derive(Clone, Serialize, Deserialize)]`"
)]
pub trait Data: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {}

impl<T: Clone + Send + Sync + Serialize + DeserializeOwned + 'static> Data for T {}

/// A key: a record that can be hashed and compared.
///
/// Implemented for every type that qualifies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can not be a key",
    note = "a key is a record that also has `Eq` and `Hash`: add `#[derive(PartialEq, Eq, Hash)]`; floating-point numbers are \
            keys as `OrderedFloat`"
)]
pub trait Key: Data + Eq + Hash {}

impl<T: Data + Eq + Hash> Key for T {}
