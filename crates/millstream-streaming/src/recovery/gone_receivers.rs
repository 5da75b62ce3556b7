//! Receivers that a program is without though batches have not completed all that they received.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::block_log::{BlockEvent, BlockLog, DATA, LogNumbers, SavedReceiver};
use super::plan::Recovered;
use crate::error::Result;
use crate::graph::Graph;
use crate::receiver::StreamId;
use crate::time::Time;

/// Returns what would be lost of receivers that are gone, a receiver each.
///
/// # Errors
/// If the log can not be read.
pub(super) fn differences(graph: &Graph, recovered: &Recovered) -> Result<Vec<String>> {
    let manifest = &recovered.manifest;
    let now = graph.receivers_by_id();
    let is_gone = |saved: &&SavedReceiver| !saved.gone && !now.contains_key(&saved.id);
    let gone: Vec<&SavedReceiver> = manifest.receivers.iter().filter(is_gone).collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    // As the program saw it that wrote it.
    let before = gone.iter().map(|saved| (saved.id.clone(), saved.log)).collect();
    let numbers = LogNumbers::new(&manifest.receivers, &before);
    let system = graph.context.file_systems().of(&recovered.directory)?;
    let (conf, clock) = (graph.context.conf(), Arc::clone(&graph.clock));
    let directory = recovered.directory.clone();
    let log = BlockLog::new(conf, clock, system, directory, manifest.generation, numbers)?;
    let completed = |batch: &Time| *batch <= manifest.time && !manifest.pending.contains(batch);
    let mut waiting = HashMap::new();
    let mut told = Vec::new();
    let cleaned = log.replay(manifest.block_log.as_ref(), manifest.oldest_needed, |event| {
        match event {
            BlockEvent::Added(block) => {
                waiting.insert((block.id.stream, block.at.clone()), block.records);
                told.push(block);
            }
            BlockEvent::Allocated { batch, blocks } if completed(&batch) => {
                let given = blocks.into_iter();
                for key in given.flat_map(|(log, places)| places.into_iter().map(move |at| (log, at))) {
                    waiting.remove(&key);
                }
            }
            BlockEvent::Allocated { .. } => {}
        }
        Ok(())
    })?;
    for block in log.untold(told.iter(), cleaned)? {
        waiting.insert((block.id.stream, block.at), block.records);
    }
    let mut records: BTreeMap<StreamId, u64> = BTreeMap::new();
    for ((log, _), of_block) in waiting {
        *records.entry(log).or_default() += of_block;
    }
    let lost = gone.into_iter().filter_map(|saved| Some((saved, records.get(&saved.log)?)));
    let said = lost.map(|(SavedReceiver { id, log, .. }, records)| {
        format!("the receiver of `{id}` is gone, and {records} records are in {DATA}/{log} that no batch has completed")
    });
    Ok(said.collect())
}
