//! A job's lineage, cut into stages at its shuffles.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::action::AnyAction;
use super::task::Work;
use crate::error::Result;
use crate::ids::{RddId, ShuffleId};
use crate::rdd::{AnyRdd, Dependency};
use crate::shuffle::{AnyShuffle, Reuse};

/// The stages of a job, parents before children; the last one ends in the action.
pub(crate) struct Plan {
    pub(crate) stages: Vec<PlannedStage>,
}

pub(crate) struct PlannedStage {
    pub(crate) work: Work,
    /// The partitions to run, which are the job's own choice for the last stage and all of them for the others.
    pub(crate) partitions: Vec<usize>,
    /// The stages whose buckets this one reads, by their place in the plan.
    pub(crate) parents: Vec<usize>,
    /// Of a stage that ends in a shuffle: what an earlier job left, and where to leave what this one makes.
    pub(crate) reuse: Option<Reuse>,
}

/// Cuts the lineage of an action's RDD into stages.
///
/// # Errors
/// The defect of an RDD in it that could not be described.
pub(crate) fn plan(action: Arc<dyn AnyAction>, partitions: Vec<usize>) -> Result<Plan> {
    let mut planner = Planner { stages: Vec::new(), by_shuffle: HashMap::new() };
    let parents = planner.parents_of(&action.rdd())?;
    planner.stages.push(PlannedStage { work: Work::Action(action), partitions, parents, reuse: None });
    Ok(Plan { stages: planner.stages })
}

struct Planner {
    stages: Vec<PlannedStage>,
    by_shuffle: HashMap<ShuffleId, usize>,
}

impl Planner {
    /// Returns the stages an RDD's stage begins with, having planned them.
    fn parents_of(&mut self, rdd: &AnyRdd) -> Result<Vec<usize>> {
        let mut parents = Vec::new();
        for (reader, shuffle) in shuffles_read_by(rdd)? {
            parents.push(self.stage_of(shuffle, reader)?);
        }
        Ok(parents)
    }

    fn stage_of(&mut self, shuffle: Arc<dyn AnyShuffle>, reader: AnyRdd) -> Result<usize> {
        if let Some(&stage) = self.by_shuffle.get(&shuffle.id()) {
            return Ok(stage);
        }
        let reuse = shuffle.reuse();
        // What is there need not be made, nor what it is made from.
        let parents =
            if reuse.outputs.is_some() { Vec::new() } else { self.parents_of(&shuffle.parent())? };
        let stage = self.stages.len();
        self.stages.push(PlannedStage {
            partitions: (0..shuffle.parent().partitions()).collect(),
            work: Work::Shuffle(Arc::clone(&shuffle), reader),
            parents,
            reuse: Some(reuse),
        });
        self.by_shuffle.insert(shuffle.id(), stage);
        Ok(stage)
    }
}

/// A shuffle and the RDD that reads it.
type ReadShuffle = (AnyRdd, Arc<dyn AnyShuffle>);

/// Returns the shuffles that a stage ending in `rdd` begins with, each once, in the order in which they are met.
pub(crate) fn shuffles_read_by(rdd: &AnyRdd) -> Result<Vec<ReadShuffle>> {
    let mut found: Vec<ReadShuffle> = Vec::new();
    walk(rdd, &mut |node| {
        if node.is_cached() {
            return false;
        }
        for dependency in node.dependencies().iter() {
            if let Dependency::Shuffle(shuffle) = dependency
                && found.iter().all(|(_, known)| known.id() != shuffle.id())
            {
                found.push((Arc::clone(node), Arc::clone(shuffle)));
            }
        }
        true
    })?;
    Ok(found)
}

/// Visits the RDDs of a stage, each once; `visit` says whether to go on to an RDD's parents.
fn walk(rdd: &AnyRdd, visit: &mut dyn FnMut(&AnyRdd) -> bool) -> Result<()> {
    let mut seen: HashSet<RddId> = HashSet::new();
    // Not recursive: a lineage may be thousands of RDDs deep.
    let mut open = vec![Arc::clone(rdd)];
    while let Some(node) = open.pop() {
        if !seen.insert(node.info().id) {
            continue;
        }
        if let Some(defect) = &node.info().defect {
            return Err(defect.clone());
        }
        if visit(&node) {
            for dependency in node.dependencies().iter().rev() {
                if let Dependency::Narrow(parent) = dependency {
                    open.push(Arc::clone(parent));
                }
            }
        }
    }
    Ok(())
}
