//! Entries of a state as bytes.

use std::sync::Arc;

use millstream_core::{Data, Key};
use serde::Serialize;

use super::bits::SHELF;
use super::door::{Block, Blocks};
use super::version::Version;
use crate::error::{Error, Result};

/// How many entries a block has at most: so long is the lock held while one is made, which takes some 40 µs.
const ENTRIES: usize = 128;

/// What a block says of a key: its state and when that was touched last, or that it has left.
pub(super) type Saved<K, S> = (K, Option<(S, i64)>);

/// Returns all keys of a version.
pub(super) fn all<K: Key, S: Data>(version: Arc<Version<K, S>>) -> Blocks {
    let numbers = 0..version.look(|table, _| table.numbers());
    blocks(version, None, numbers)
}

/// Returns what differs from an earlier version of the same table; nothing if it is of another one.
pub(super) fn changes<K: Key, S: Data>(
    version: Arc<Version<K, S>>,
    earlier: &Arc<Version<K, S>>,
) -> Option<Blocks> {
    let numbers = version.touched_since(earlier)?;
    Some(blocks(version, Some(Arc::clone(earlier)), numbers.into_iter()))
}

fn blocks<K: Key, S: Data>(
    version: Arc<Version<K, S>>,
    earlier: Option<Arc<Version<K, S>>>,
    mut numbers: impl Iterator<Item = usize> + Send + 'static,
) -> Blocks {
    Box::new(std::iter::from_fn(move || {
        loop {
            let some: Vec<usize> = numbers.by_ref().take(ENTRIES).collect();
            if some.is_empty() {
                return None;
            }
            match block(&version, earlier.as_deref(), &some) {
                Ok(block) if block.entries == 0 => {}
                other => return Some(other),
            }
        }
    }))
}

fn block<K: Key, S: Data>(
    version: &Version<K, S>,
    earlier: Option<&Version<K, S>>,
    numbers: &[usize],
) -> Result<Block> {
    let mut block = Block { entries: 0, bytes: Vec::new() };
    version.look(|table, number| {
        for numbers in numbers.chunk_by(|a, b| a / SHELF == b / SHELF) {
            let Some(shelf) = numbers.first().map(|at| at / SHELF) else { continue };
            let view = table.view(number, shelf)?;
            let earlier = match earlier.map(Version::number) {
                Some(earlier) => Some((earlier, table.view(earlier, shelf)?)),
                None => None,
            };
            for &at in numbers {
                let (now, time) = (view.get(at), table.time(number, at));
                match (&earlier, now) {
                    (None, None) => continue,
                    (None, Some(_)) => {}
                    (Some((number, earlier)), now) => match (earlier.get(at), now) {
                        (None, None) => continue,
                        // Only their bytes tell whether two states are the same.
                        (Some((_, old)), Some((_, new)))
                            if table.time(*number, at) == time && bytes(old)? == bytes(new)? =>
                        {
                            continue;
                        }
                        _ => {}
                    },
                }
                let Some(key) = now.map(|(key, _)| key).or_else(|| view.key_of(at)) else { continue };
                let entry = (key, now.map(|(_, state)| (state, time)));
                block.bytes =
                    postcard::to_extend(&entry, std::mem::take(&mut block.bytes)).map_err(failed)?;
                block.entries += 1;
            }
        }
        Ok(block)
    })
}

fn bytes<S: Serialize>(state: &S) -> Result<Vec<u8>> {
    postcard::to_stdvec(state).map_err(failed)
}

pub(super) fn failed(error: postcard::Error) -> Error {
    millstream_core::Error::Codec {
        what: "entries of a state".into(),
        problem: format!("{error}; their types must be read as they are written"),
    }
    .into()
}
