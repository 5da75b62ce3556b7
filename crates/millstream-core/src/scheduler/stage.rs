//! A job's lineage, cut into stages at its shuffles.

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::action::AnyAction;
use super::task::Work;
use crate::accumulator::counted::Counted;
use crate::error::Result;
use crate::ids::{RddId, ShuffleId};
use crate::rdd::{AnyRdd, Dependency};
use crate::shuffle::{AnyShuffle, Reuse};
use crate::storage::cache::{Hold, Trust};

/// The stages of a job, parents before children; the last one ends in the action.
pub(crate) struct Plan {
    pub(crate) stages: Vec<PlannedStage>,
}

pub(crate) struct PlannedStage {
    pub(crate) work: Work,
    /// The partitions to run, which are the job's own choice for the last stage and all of them for the others.
    pub(crate) partitions: Vec<usize>,
    /// The stages whose buckets this one reads.
    pub(crate) parents: Vec<Parent>,
    /// Of a stage that ends in a shuffle: what an earlier job left, and where to leave what this one makes.
    pub(crate) reuse: Option<Reuse>,
    /// Which partitions have been counted by accumulators, in this run or an earlier one.
    pub(crate) counted: Counted,
    /// Of a stage that ends in a shuffle: whether this job reads buckets of it more than once.
    pub(crate) shared: bool,
}

/// A stage whose buckets another one reads.
pub(crate) struct Parent {
    /// Its place in the plan.
    pub(crate) stage: usize,
    /// Whose buckets each task of the reading stage reads, by the task's place in that stage's list of partitions: a
    /// union has more partitions than the shuffles it begins with have reducers.
    pub(crate) reducers: Vec<Vec<usize>>,
}

/// Cuts the lineage of an action's RDD into stages; `trust` says which kept RDDs they are planned around.
///
/// The second value has these stay: it is to be held until the job has ended.
///
/// # Errors
/// The defect of an RDD in it that could not be described.
pub(crate) fn plan(
    action: Arc<dyn AnyAction>,
    partitions: Vec<usize>,
    counted: Counted,
    trust: Trust,
) -> Result<(Plan, Vec<Hold>)> {
    let mut planner = Planner { stages: Vec::new(), by_shuffle: HashMap::new(), kept: KeptRdds::new(trust) };
    let parents = planner.parents_of(&action.rdd(), &partitions)?;
    let work = Work::Action(action);
    planner.stages.push(PlannedStage { work, partitions, parents, reuse: None, counted, shared: false });
    Ok((Plan { stages: planner.stages }, planner.kept.into_holds()))
}

struct Planner {
    stages: Vec<PlannedStage>,
    by_shuffle: HashMap<ShuffleId, usize>,
    kept: KeptRdds,
}

/// The RDDs that stages are planned around, since all of them is kept.
///
/// What was kept once stays so here: all that is planned must fit together. Nothing of it is pushed out as long as this
/// lives.
pub(crate) struct KeptRdds {
    trust: Trust,
    held: RefCell<HashMap<RddId, (AnyRdd, Hold)>>,
}

impl KeptRdds {
    pub(crate) fn new(trust: Trust) -> Self {
        KeptRdds { trust, held: RefCell::default() }
    }

    pub(crate) fn have(&self, rdd: &AnyRdd) -> bool {
        let mut held = self.held.borrow_mut();
        if held.contains_key(&rdd.info().id) {
            return true;
        }
        // First held, then looked at: what is there then stays.
        let Some(hold) = rdd.cache().hold().filter(|_| rdd.is_kept(self.trust)) else { return false };
        held.insert(rdd.info().id, (Arc::clone(rdd), hold));
        true
    }

    /// Returns what a job must hold on to while it runs: the RDDs that could not be computed again within their stage.
    fn into_holds(self) -> Vec<Hold> {
        let held = self.held.into_inner().into_values();
        held.filter(|(rdd, _)| may_read_a_shuffle(rdd)).map(|(_, hold)| hold).collect()
    }
}

impl Planner {
    /// Returns the stages an RDD's stage begins with, having planned them.
    fn parents_of(&mut self, rdd: &AnyRdd, partitions: &[usize]) -> Result<Vec<Parent>> {
        let shuffles = shuffles_read_by(rdd, &self.kept)?;
        if shuffles.is_empty() {
            return Ok(Vec::new());
        }
        let read: Vec<_> =
            partitions.iter().map(|&partition| partitions_read(rdd, partition, &self.kept)).collect();
        let mut parents = Vec::new();
        for ReadShuffle { reader, shuffle, again } in shuffles {
            let of_reader =
                |read: &PartitionsRead| read.get(&reader.info().id).into_iter().flatten().copied().collect();
            let reducers = read.iter().map(of_reader).collect();
            parents.push(Parent { stage: self.stage_of(shuffle, reader, again)?, reducers });
        }
        Ok(parents)
    }

    fn stage_of(&mut self, shuffle: Arc<dyn AnyShuffle>, reader: AnyRdd, again: bool) -> Result<usize> {
        if let Some(&stage) = self.by_shuffle.get(&shuffle.id()) {
            self.stages[stage].shared = true;
            return Ok(stage);
        }
        let reuse = shuffle.reuse();
        let partitions: Vec<usize> = (0..shuffle.parent().partitions()).collect();
        // What is there need not be made, nor what it is made from.
        let parents = match &reuse.outputs {
            Some(_) => Vec::new(),
            None => self.parents_of(&shuffle.parent(), &partitions)?,
        };
        let stage = self.stages.len();
        self.by_shuffle.insert(shuffle.id(), stage);
        let counted = shuffle.counted();
        let work = Work::Shuffle(shuffle, reader);
        let reuse = Some(reuse);
        self.stages.push(PlannedStage { work, partitions, parents, reuse, counted, shared: again });
        Ok(stage)
    }
}

/// Returns whether an RDD is computed from a shuffle, or from too many RDDs to look at.
fn may_read_a_shuffle(rdd: &AnyRdd) -> bool {
    const MOST: usize = 100;
    let (mut open, mut seen) = (vec![Arc::clone(rdd)], HashSet::new());
    while let Some(rdd) = open.pop() {
        if !seen.insert(rdd.info().id) {
            continue;
        }
        for dependency in rdd.dependencies().iter() {
            match dependency {
                Dependency::Narrow(parent) if seen.len() < MOST => open.push(Arc::clone(parent)),
                _ => return true,
            }
        }
    }
    false
}

/// A shuffle that a stage begins with.
pub(crate) struct ReadShuffle {
    /// The RDD that reads it.
    pub(crate) reader: AnyRdd,
    pub(crate) shuffle: Arc<dyn AnyShuffle>,
    /// Whether the stage reads it more than once.
    pub(crate) again: bool,
}

/// Returns the shuffles that a stage ending in `rdd` begins with, each once, in the order in which they are met.
pub(crate) fn shuffles_read_by(rdd: &AnyRdd, kept: &KeptRdds) -> Result<Vec<ReadShuffle>> {
    let mut found: Vec<ReadShuffle> = Vec::new();
    walk(rdd, &mut |node| {
        if kept.have(node) {
            return false;
        }
        for dependency in node.dependencies().iter() {
            if let Dependency::Shuffle(shuffle) = dependency {
                let (reader, shuffle) = (Arc::clone(node), Arc::clone(shuffle));
                found.push(ReadShuffle { reader, shuffle, again: false });
            }
        }
        true
    })?;
    if !found.is_empty() {
        let again = met_again(rdd, kept);
        found.iter_mut().for_each(|read| read.again = again.contains(&read.reader.info().id));
    }
    Ok(found)
}

/// Returns the RDDs of a stage to which more than one way leads from its end.
fn met_again(rdd: &AnyRdd, kept: &KeptRdds) -> HashSet<RddId> {
    let mut again = HashSet::new();
    // An RDD is made after those it is made of: in falling order of numbers, every way to an RDD is known before it.
    let mut open = BTreeMap::from([(rdd.info().id, Arc::clone(rdd))]);
    while let Some((id, node)) = open.pop_last() {
        if kept.have(&node) {
            continue;
        }
        for dependency in node.dependencies().iter() {
            if let Dependency::Narrow(parent) = dependency {
                let to = parent.info().id;
                match open.entry(to) {
                    Entry::Occupied(_) => _ = again.insert(to),
                    Entry::Vacant(place) => _ = place.insert(Arc::clone(parent)),
                }
                if again.contains(&id) {
                    again.insert(to);
                }
            }
        }
    }
    again
}

/// Which partitions of which RDDs of its stage a task reads.
pub(crate) type PartitionsRead = HashMap<RddId, BTreeSet<usize>>;

/// Returns which partitions of which RDDs the task of a partition reads.
pub(crate) fn partitions_read(root: &AnyRdd, partition: usize, kept: &KeptRdds) -> PartitionsRead {
    let mut read = PartitionsRead::new();
    let mut open = vec![(Arc::clone(root), partition)];
    while let Some((rdd, partition)) = open.pop() {
        if !read.entry(rdd.info().id).or_default().insert(partition) || kept.have(&rdd) {
            continue;
        }
        for (at, partitions) in rdd.reads(partition) {
            if let Some(Dependency::Narrow(parent)) = rdd.dependencies().get(at) {
                open.extend(partitions.into_iter().map(|partition| (Arc::clone(parent), partition)));
            }
        }
    }
    read
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

#[cfg(test)]
mod tests;
