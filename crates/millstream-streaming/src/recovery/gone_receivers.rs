//! Receivers that a program is without, or whose records are of other types than they were, though batches still need what they
//! have received.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::block_log::{BlockEvent, BlockLog, DATA, LogNumbers, OwnReceiver, SavedReceiver};
use super::plan::Recovered;
use crate::error::Result;
use crate::graph::Graph;
use crate::receiver::StreamId;
use crate::time::Time;

/// Returns what would be lost of receivers that are gone, or receive records of other types; a receiver each.
///
/// # Errors
/// If the log can not be read.
pub(super) fn differences(graph: &Graph, recovered: &Recovered) -> Result<Vec<String>> {
    let manifest = &recovered.manifest;
    let now = graph.receivers_by_id();
    let is_gone =
        |saved: &&SavedReceiver| !saved.gone && now.get(&saved.id).is_none_or(|own| !saved.fits(own));
    let gone: Vec<&SavedReceiver> = manifest.receivers.iter().filter(is_gone).collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    // As the program saw it that wrote it.
    let own = |saved: &SavedReceiver| OwnReceiver {
        stream: saved.log,
        records: saved.records.clone(),
        states: saved.states.clone(),
    };
    let before = gone.iter().map(|saved| (saved.id.clone(), own(saved))).collect();
    let numbers = LogNumbers::new(&manifest.receivers, &before);
    let system = graph.context.file_systems().of(&recovered.directory)?;
    let (conf, clock) = (graph.context.conf(), Arc::clone(&graph.clock));
    let directory = recovered.directory.clone();
    let log = BlockLog::new(conf, clock, system, directory, manifest.generation, numbers)?;
    let needed = needed_after(graph, recovered, &gone);
    let is_needed = |log: StreamId, batch: Time| {
        batch > manifest.not_asked_for() || needed.get(&log).is_some_and(|after| batch > *after)
    };
    let mut waiting = HashMap::new();
    let mut told = Vec::new();
    let cleaned = log.replay(manifest.block_log.as_ref(), manifest.oldest_needed, |event| {
        match event {
            BlockEvent::Added(block) => {
                waiting.insert((block.id.stream, block.at.clone()), block.records);
                told.push(block);
            }
            BlockEvent::Allocated { batch, blocks } => {
                let given = blocks.into_iter().filter(|(log, _)| !is_needed(*log, batch));
                for key in given.flat_map(|(log, places)| places.into_iter().map(move |at| (log, at))) {
                    waiting.remove(&key);
                }
            }
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
    let said = lost.map(|(saved, records)| {
        let log = saved.log;
        let left = format!("{records} records are in {DATA}/{log} that batches still need");
        format!("the receiver of `{}` {}, and {left}", saved.id, became(saved, now.get(&saved.id)))
    });
    Ok(said.collect())
}

/// Returns, by the log, after which batch those lie that were completed and are asked for once more.
///
/// Of these states are made again. Windows ask for those of a receiver that is still there; of one that is gone there are none.
fn needed_after(graph: &Graph, recovered: &Recovered, gone: &[&SavedReceiver]) -> BTreeMap<StreamId, Time> {
    let manifest = &recovered.manifest;
    let of_states = |saved: &SavedReceiver| {
        let operators = manifest.operators.iter().filter(|operator| saved.states.contains(&operator.id));
        operators.map(|operator| operator.version).min()
    };
    let of_windows = |saved: &SavedReceiver| {
        let remembers = graph.stream(&saved.id)?.remembers();
        Some(manifest.time + graph.batch_interval - remembers)
    };
    let after = |saved: &&SavedReceiver| {
        Some((saved.log, of_states(saved).into_iter().chain(of_windows(saved)).min()?))
    };
    gone.iter().filter_map(after).collect()
}

/// Says what has become of a receiver.
fn became(saved: &SavedReceiver, own: Option<&OwnReceiver>) -> String {
    match (&saved.records, own.and_then(|own| own.records.as_ref())) {
        (Some(before), Some(now)) => {
            format!("receives records of `{}` and received those of `{}`", now.state_type, before.state_type)
        }
        _ => "is gone".to_owned(),
    }
}
