//! RDDs that are not made of other RDDs.

mod binary_files;
mod binary_records;
mod generate;
mod object_file;
pub(crate) mod parallelize;
mod range;
mod read_files;
mod text_file;
mod whole_text_files;

use super::{AnyRdd, Compute, Dependency, Rebuild, Rebuilding, Recipe};
use crate::data::Data;
use crate::error::Result;
use crate::function::CodeAddress;
use crate::stream::{self, ChunkStream};
use crate::task::TaskContext;

/// No partitions at all; also what stands in for an RDD that could not be described.
pub(crate) struct Empty;

impl<T: Data> Compute<T> for Empty {
    fn partitions(&self) -> usize {
        0
    }

    fn dependencies(&self) -> Vec<Dependency> {
        Vec::new()
    }

    fn compute(&self, _: usize, _: &TaskContext) -> Result<ChunkStream<T>> {
        Ok(stream::from_chunks(Vec::new()))
    }

    fn recipe(&self) -> Option<Recipe> {
        fn rebuild<T: Data>(from: &Rebuilding<'_>) -> Result<AnyRdd> {
            Ok(from.context.empty_rdd::<T>().any())
        }
        let rebuild: Rebuild = rebuild::<T>;
        Some(Recipe { build: CodeAddress::of::<T>(rebuild as usize), env: Ok(Vec::new()) })
    }
}
