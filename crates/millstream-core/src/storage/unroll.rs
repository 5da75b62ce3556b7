//! Bringing a partition into memory, as far as there is room for it.

use std::rc::Rc;
use std::sync::Arc;

use super::block::{AnyHeld, Form, Held};
use super::disk::{Disk, SpillWriter};
use super::frame::{BlockWriter, push_chunk};
use super::memory::{Claim, Memory, Owner};
use super::size_estimate::estimate_all;
use crate::chunk::Chunk;
use crate::data::Data;
use crate::error::Result;
use crate::stream::{self, ChunkStream};

/// How a partition is computed, again if need be.
pub(crate) type Again<T> = Rc<dyn Fn() -> Result<ChunkStream<T>>>;

/// What became of a partition that was to lie in memory.
pub(crate) enum Unrolled<T: Data> {
    /// All of it does.
    Fits(Held<T>),
    /// There was not enough room.
    Over(Partial<T>),
}

/// The part of a partition for which there was room, and what is still to come.
pub(crate) struct Partial<T: Data> {
    held: Option<Held<T>>,
    rest: ChunkStream<T>,
}

impl<T: Data> Partial<T> {
    /// A partition of which nothing lies in memory.
    pub(crate) fn begin(rest: ChunkStream<T>) -> Self {
        Partial { held: None, rest }
    }

    /// Hands the records on; what lies in memory is freed on the way.
    pub(crate) fn into_stream(self) -> ChunkStream<T> {
        let mut held = self.held.map(|held| Arc::new(held).stream());
        let mut rest = self.rest;
        stream::from_fn(move || {
            if let Some(stream) = &mut held {
                match stream.next_chunk()? {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => held = None,
                }
            }
            rest.next_chunk()
        })
    }

    /// Writes the records to a file; what lies in memory is freed on the way.
    pub(crate) fn write(self, to: &mut SpillWriter) -> Result<()> {
        if let Some(held) = self.held {
            held.write(to)?;
        }
        to.write_stream(self.rest).map(drop)
    }
}

/// Takes a stream into memory, chunk by chunk, as long as there is room.
pub(crate) fn unroll<T: Data>(
    stream: ChunkStream<T>,
    deserialized: bool,
    memory: &Memory,
    owner: Owner,
    disk: &Disk,
) -> Result<Unrolled<T>> {
    let claim = memory.take_none(owner);
    if deserialized { unroll_records(stream, claim) } else { unroll_bytes(stream, claim, disk) }
}

fn unroll_records<T: Data>(mut stream: ChunkStream<T>, mut claim: Claim) -> Result<Unrolled<T>> {
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.next_chunk()? {
        if chunk.is_empty() {
            continue;
        }
        let chunk = chunk.into_shared();
        let bytes = chunk.as_slice().map_or(0, estimate_all);
        chunks.push(chunk);
        if !claim.grow(bytes) {
            return Ok(Unrolled::Over(Partial {
                held: Some(Held::new(Form::Records(chunks), claim)),
                rest: stream,
            }));
        }
    }
    Ok(Unrolled::Fits(Held::new(Form::Records(chunks), claim)))
}

fn unroll_bytes<T: Data>(mut stream: ChunkStream<T>, mut claim: Claim, disk: &Disk) -> Result<Unrolled<T>> {
    let compression = disk.kept_compression();
    let mut writer = BlockWriter::new(compression);
    // Each block that is written lies here until it has a place of its own.
    let (mut written, mut blocks) = (Vec::new(), Vec::new());
    loop {
        let chunk: Option<Chunk<T>> = stream.next_chunk()?;
        match &chunk {
            Some(chunk) => push_chunk(&mut writer, chunk, &mut written)?,
            None => writer.flush(&mut written)?,
        }
        let fits = written.is_empty() || claim.grow(written.len());
        if !fits {
            writer.flush(&mut written)?;
        }
        if !written.is_empty() {
            blocks.push(std::mem::take(&mut written).into_boxed_slice().into_vec());
        }
        if chunk.is_none() || !fits {
            let held = Held::new(Form::Bytes(blocks, compression), claim);
            let over = |held| Unrolled::Over(Partial { held: Some(held), rest: stream });
            return Ok(if fits { Unrolled::Fits(held) } else { over(held) });
        }
    }
}
