//! Of what types a state is, as far as serde tells.

use std::fmt;

use millstream_core::Data;
use serde::{Deserialize, Serialize};

pub(super) mod shape;

/// Tells the types of a state's keys and values apart from others.
///
/// Two types fit if serde reads them in the same way: the names of types and fields count, the crates and modules they lie
/// in do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// The types' full names, for people.
    pub(crate) key_type: String,
    pub(crate) state_type: String,
    /// How serde reads them.
    pub(crate) key_shape: String,
    pub(crate) state_shape: String,
}

impl Fingerprint {
    pub(crate) fn of<K: Data, S: Data>() -> Self {
        Fingerprint {
            key_type: std::any::type_name::<K>().to_owned(),
            state_type: std::any::type_name::<S>().to_owned(),
            key_shape: shape::of::<K>(),
            state_shape: shape::of::<S>(),
        }
    }

    /// Returns whether what was saved of `saved` can be read as this.
    pub(crate) fn fits(&self, saved: &Fingerprint) -> bool {
        self.key_shape == saved.key_shape && self.state_shape == saved.state_shape
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key `{}`, state `{}`", self.key_type, self.state_type)?;
        if self.state_shape != self.state_type {
            write!(f, " = {}", self.state_shape)?;
        }
        Ok(())
    }
}
