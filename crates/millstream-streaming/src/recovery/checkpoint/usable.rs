//! What is gone on from where files of a checkpoint are torn or missing.
//!
//! The newest intact manifest counts. Where data files that it names are not whole, what they held is taken from an older
//! manifest whose files are, and what has come since is made again. Of states that is done by replaying the batches since then,
//! without their outputs; of named variables, which outputs change, by running those batches again. Of what the batches
//! were made say the manifests since then, so that nothing is chosen anew; what they need is kept as long as the older manifest.
//! The files with that of earlier batches there are twice, since nothing else tells of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use millstream_core::fs::{FileSystem, FsPath};

use super::data_file;
use super::manifest::{Inputs, Manifest, SavedFile, SavedOperator};
use super::store::Found;
use crate::error::{Error, Result};
use crate::recovery::{listed_inputs, passed_over};
use crate::time::Time;

/// What is gone on from.
pub(crate) struct Usable {
    pub(crate) manifest: Manifest,
    /// Which files are passed over, why, and what takes their place.
    pub(crate) passed_over: Vec<String>,
}

impl Usable {
    /// Tells which files are passed over.
    pub(crate) fn warn(&self) {
        self.passed_over.iter().for_each(|text| tracing::warn!("passed over: {text}"));
    }
}

impl Found {
    /// Returns what is gone on from; nothing if there is no checkpoint.
    ///
    /// # Errors
    /// If there are manifests and none can be read; if a data file is not whole and nothing can take its place; if one can not
    /// be read.
    pub(crate) fn usable(&self, system: &dyn FileSystem, directory: &FsPath) -> Result<Option<Usable>> {
        let Some(newest) = self.newest(directory)? else { return Ok(None) };
        let mut alike: Vec<&(FsPath, Manifest)> =
            self.intact.iter().rev().take_while(|(_, manifest)| manifest.is_alike(newest)).collect();
        alike.reverse();
        let mut files = Files { system, directory, problems: BTreeMap::new() };
        let variables = files.newest_whole(&alike, |manifest| manifest.variables.iter().collect())?;
        // Not of a later one: the batches that run again must find the states of before them.
        let states =
            files.newest_whole(&alike[..=variables], |manifest| manifest.restored_files().collect())?;
        let mut manifest = newest.clone();
        if variables + 1 < alike.len() {
            manifest.variables = alike[variables].1.variables.clone();
            manifest.pending = generated(&alike[variables..]);
        }
        if states + 1 < alike.len() {
            manifest.operators = alike[states].1.operators.clone();
            manifest.oldest_needed = alike[states].1.oldest_needed;
            manifest.old_grids = alike[states].1.old_grids.clone();
            manifest.passed_over = passed_over::all(alike[states..].iter().map(|(_, it)| &*it.passed_over));
            if let Some(unknown) = first_unknown(&alike[states..]) {
                return Err(files.damaged(&format!(
                    "an older checkpoint could take its place, but nothing says of what the batches from {unknown} on were made"
                )));
            }
        }
        // The later one counts: it is what was run.
        let (mut inputs, mut with_copies) = (Inputs::new(), BTreeSet::new());
        for (_, manifest) in &alike[states..] {
            let all = listed_inputs::all(system, directory, manifest, &mut with_copies)?;
            listed_inputs::add(&mut inputs, all);
        }
        (manifest.inputs, manifest.input_files) = (inputs, Vec::new());
        for operator in &mut manifest.operators {
            files.keep_whole(operator)?;
        }
        let broken = self.broken.iter().map(|(path, problem)| {
            format!("{path}: {problem}; the newest checkpoint that can be read is of batch {}", newest.time)
        });
        let named = |manifest: &Manifest| Some(manifest.variables.as_ref()?.name.clone());
        let of_variables: BTreeSet<String> =
            alike.iter().filter_map(|(_, manifest)| named(manifest)).collect();
        let replaced =
            files.replaced(|name| alike[if of_variables.contains(name) { variables } else { states }]);
        let passed_over = broken.chain(replaced).chain(with_copies).collect();
        Ok(Some(Usable { manifest, passed_over }))
    }
}

/// The data files that were looked at, and what is wrong with them.
struct Files<'a> {
    system: &'a dyn FileSystem,
    directory: &'a FsPath,
    problems: BTreeMap<String, Option<&'static str>>,
}

impl Files<'_> {
    /// Returns the place of the newest manifest of which some files are whole.
    fn newest_whole(
        &mut self,
        manifests: &[&(FsPath, Manifest)],
        of: impl Fn(&Manifest) -> Vec<&SavedFile>,
    ) -> Result<usize> {
        for (at, (_, manifest)) in manifests.iter().enumerate().rev() {
            let mut is_whole = true;
            for file in of(manifest) {
                is_whole &= self.is_whole(file)?;
            }
            if is_whole {
                return Ok(at);
            }
        }
        Err(self.damaged("no checkpoint that is kept can take its place"))
    }

    /// Forgets the states of later batches than that which is gone on from, as of the first one that is not whole.
    fn keep_whole(&mut self, operator: &mut SavedOperator) -> Result<()> {
        let version = operator.version;
        let later = operator.states.iter().enumerate().filter(|(_, state)| state.batch > version);
        for (place, state) in later {
            for file in &state.files {
                if !self.is_whole(file)? {
                    operator.states.truncate(place);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_whole(&mut self, file: &SavedFile) -> Result<bool> {
        if let Some(problem) = self.problems.get(&file.name) {
            return Ok(problem.is_none());
        }
        let problem = data_file::problem(self.system, self.directory, file)?;
        self.problems.insert(file.name.clone(), problem);
        Ok(problem.is_none())
    }

    /// Returns the files that are not whole, and what is wrong with each.
    fn broken(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.problems.iter().filter_map(|(name, problem)| Some((name.as_str(), (*problem)?)))
    }

    /// Says of the files that are not whole which manifest takes their place.
    fn replaced<'a>(&self, by: impl Fn(&str) -> &'a (FsPath, Manifest)) -> Vec<String> {
        let said = self.broken().map(|(name, problem)| {
            let ((path, older), file) = (by(name), self.directory.join(name));
            format!("{file}: {problem}; {}, of batch {}, takes its place", path.name(), older.time)
        });
        said.collect()
    }

    /// Says that the files that are not whole stop a restart, and why.
    fn damaged(&self, why: &str) -> Error {
        let listed: Vec<String> = self.broken().map(|(name, problem)| format!("{name}: {problem}")).collect();
        Error::Damaged {
            file: self.directory.to_string(),
            problem: format!("{} ({why})", listed.join(", ")),
            remedy: "bring the file back from a copy, or start from a savepoint".into(),
        }
    }
}

/// Returns the batches that are not completed as of the first of these manifests, and those that were generated after it: also those
/// of which no manifest is kept.
fn generated(manifests: &[&(FsPath, Manifest)]) -> BTreeSet<Time> {
    let (Some((_, first)), Some((_, last))) = (manifests.first(), manifests.last()) else {
        return BTreeSet::new();
    };
    let passed_over = passed_over::all(manifests.iter().map(|(_, it)| &*it.passed_over));
    let interval = Duration::from_millis(first.batch_interval_ms);
    let after = (first.time.floor_from(interval, first.zero) + interval).to(last.time, interval);
    let after = after.filter(|batch| !passed_over.iter().any(|span| span.has(*batch)));
    first.pending.iter().copied().chain(after).collect()
}

/// Returns the first batch of which none of these manifests may say of what it was made; each does so from the oldest batch it
/// needs up to its own.
fn first_unknown(manifests: &[&(FsPath, Manifest)]) -> Option<Time> {
    let next = |manifest: &Manifest| manifest.time + Duration::from_millis(manifest.batch_interval_ms);
    let pairs = manifests.iter().zip(manifests.iter().skip(1));
    let mut gaps = pairs.filter(|((_, one), (_, other))| other.oldest_needed > next(one));
    gaps.next().map(|((_, one), _)| next(one))
}
