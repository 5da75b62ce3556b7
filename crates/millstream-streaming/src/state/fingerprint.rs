//! Of what types a state is, as far as serde tells.

use std::fmt;
use std::time::Duration;

use millstream_core::Data;
use serde::{Deserialize, Serialize};

pub(super) mod shape;

/// Tells the types of a state's keys and values apart from others.
///
/// Two fit if they are of windows of the same length, if of windows, and serde reads their types in the same way: the names of types and
/// fields count, the crates and modules they lie in do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// The types' full names, for people.
    pub(crate) key_type: String,
    pub(crate) state_type: String,
    /// How serde reads them.
    pub(crate) key_shape: String,
    pub(crate) state_shape: String,
    /// Of how long a window it is, from which batches are taken out that have left; nothing if it is of all batches.
    pub(crate) window: Option<Duration>,
}

impl Fingerprint {
    pub(crate) fn of<K: Data, S: Data>(window: Option<Duration>) -> Self {
        Fingerprint {
            key_type: std::any::type_name::<K>().to_owned(),
            state_type: std::any::type_name::<S>().to_owned(),
            key_shape: shape::of::<K>(),
            state_shape: shape::of::<S>(),
            window,
        }
    }

    /// Returns whether what was saved of `saved` can be read as this.
    pub(crate) fn fits(&self, saved: &Fingerprint) -> bool {
        self.has_keys_of(saved)
            && shape::fits(&self.state_shape, &saved.state_shape)
            && self.window == saved.window
    }

    /// Returns whether keys that were saved of `saved` can be read as keys of this.
    pub(super) fn has_keys_of(&self, saved: &Fingerprint) -> bool {
        shape::fits(&self.key_shape, &saved.key_shape)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key `{}`, state `{}`", self.key_type, self.state_type)?;
        if self.state_shape != self.state_type {
            write!(f, " = {}", self.state_shape)?;
        }
        if let Some(window) = self.window {
            write!(f, ", of a window of {window:?}")?;
        }
        Ok(())
    }
}
