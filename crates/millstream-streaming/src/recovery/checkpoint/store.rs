//! The manifests of a directory: the newest intact one counts, older ones are kept for when it is not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Write;
use std::sync::Arc;

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath, failed};

use super::manifest::{FORMAT, Manifest, NotRead};
use crate::error::{Error, Result};
use crate::recovery::list::list;
use crate::recovery::read_file::read_listed;
use crate::time::Time;

pub(super) const PREFIX: &str = "checkpoint-";

/// Where data files lie.
pub(crate) const STATE: &str = "state";

/// How many manifests of a generation are kept at least, as in Spark.
const RETAINED: usize = 10;

/// How many manifests may be tried to write before it is an error, as in Spark.
const TRIES: u32 = 3;

/// What a directory holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The intact manifests, the newest last.
    pub(crate) intact: Vec<(FsPath, Manifest)>,
    /// Those that are not whole, and why.
    pub(crate) broken: Vec<(FsPath, String)>,
    /// Why it can not be told which manifest is the newest.
    pub(crate) refusals: Vec<Error>,
}

impl Found {
    /// Looks through a directory; one that is missing is empty.
    ///
    /// # Errors
    /// If it can not be read.
    pub(crate) fn look(system: &dyn FileSystem, directory: &FsPath) -> Result<Self> {
        let files = list(system, directory)?;
        let mut found = Found::default();
        for file in files.into_iter().filter(|file| !file.is_dir && time_of(file.path.name()).is_some()) {
            let bytes = match read_listed(system, &file) {
                Ok(Some(bytes)) => bytes,
                // Deleted by the program that writes here.
                Ok(None) => continue,
                Err(error) => {
                    found.refusals.push(error);
                    continue;
                }
            };
            match Manifest::from_bytes(&bytes) {
                Ok(manifest) => found.intact.push((file.path, manifest)),
                Err(NotRead::Broken(problem)) => found.broken.push((file.path, problem)),
                Err(NotRead::Later(format)) => found.refusals.push(Error::Damaged {
                    file: file.path.to_string(),
                    problem: format!(
                        "it is of format {format}, and this version reads formats up to {FORMAT}"
                    ),
                    remedy: "go on with the version of Millstream that wrote it, or start anew in another directory"
                        .into(),
                }),
            }
        }
        found.intact.sort_by_key(|(_, manifest)| (manifest.generation, manifest.run, manifest.sequence));
        Ok(found)
    }

    /// Returns the newest intact manifest.
    ///
    /// # Errors
    /// If there are manifests and none is whole; if one can not be read now, or is of a later format: it may be the newest.
    pub(crate) fn newest(&self, directory: &FsPath) -> Result<Option<&Manifest>> {
        if let Some(refusal) = self.refusals.first() {
            return Err(refusal.clone());
        }
        let newest = self.intact.last().map(|(_, manifest)| manifest);
        if newest.is_none() && !self.broken.is_empty() {
            let listed = self.broken.iter().map(|(path, problem)| format!("{}: {problem}", path.name()));
            return Err(Error::Damaged {
                file: directory.to_string(),
                problem: format!("no checkpoint can be read ({})", listed.collect::<Vec<_>>().join(", ")),
                remedy: "bring a file back from a copy, or start anew in another directory".into(),
            });
        }
        Ok(newest)
    }

    /// Returns a generation that nothing in the directory belongs to.
    pub(crate) fn next_generation(&self) -> u64 {
        let last = self.intact.last().map_or(0, |(_, manifest)| manifest.generation);
        // One that is not read may have been of any generation after it.
        last + 1 + self.not_read()
    }

    /// Returns how many manifests are not read.
    pub(super) fn not_read(&self) -> u64 {
        (self.broken.len() + self.refusals.len()) as u64
    }

    /// Returns whether there are no manifests, whole or not.
    pub(crate) fn is_empty(&self) -> bool {
        self.intact.is_empty() && self.not_read() == 0
    }
}

/// Returns the batch time that the name of a manifest says; nothing if it is not the name of one.
fn time_of(name: &str) -> Option<Time> {
    let rest = name.strip_prefix(PREFIX)?;
    let (millis, number) = rest.split_once('.').unwrap_or((rest, "0"));
    number.parse::<u64>().ok()?;
    millis.parse().ok().map(Time::from_millis)
}

/// Writes the manifests of one generation.
pub(crate) struct CheckpointStore {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    pub(crate) generation: u64,
    run: u64,
    next_sequence: u64,
    /// The manifests of the generation, the oldest first.
    own: VecDeque<Kept>,
}

struct Kept {
    path: FsPath,
    oldest_needed: Time,
    files: BTreeSet<String>,
    /// By operator: the batch after which its state is made anew.
    versions: BTreeMap<String, Time>,
}

impl Kept {
    fn new(path: FsPath, manifest: &Manifest) -> Self {
        let files = manifest.data_files().map(|file| file.name.clone()).collect();
        let versions = manifest.operators.iter().map(|operator| (operator.id.clone(), operator.version));
        Kept { path, oldest_needed: manifest.oldest_needed, files, versions: versions.collect() }
    }
}

impl CheckpointStore {
    /// Goes on with a generation, or begins one.
    pub(crate) fn new(
        system: Arc<dyn FileSystem>,
        directory: FsPath,
        found: &Found,
        recovered: Option<&Manifest>,
    ) -> Self {
        let generation = recovered.map_or_else(|| found.next_generation(), |manifest| manifest.generation);
        let own = found.intact.iter().filter(|(_, manifest)| manifest.generation == generation);
        let after = |number: u64| number + 1 + found.not_read();
        CheckpointStore {
            run: recovered.map_or(0, |manifest| after(manifest.run)),
            next_sequence: recovered.map_or(0, |manifest| after(manifest.sequence)),
            own: own.map(|(path, manifest)| Kept::new(path.clone(), manifest)).collect(),
            system,
            directory,
            generation,
        }
    }

    /// Numbers a manifest as that which is published next.
    pub(crate) fn number(&self, manifest: Manifest) -> Manifest {
        Manifest { generation: self.generation, run: self.run, sequence: self.next_sequence, ..manifest }
    }

    /// Publishes a manifest, and deletes those of this generation that are too many.
    ///
    /// # Errors
    /// If it can not be written; what is there stays.
    pub(crate) fn publish(&mut self, manifest: Manifest) -> Result<()> {
        let manifest = self.number(manifest);
        let bytes = manifest.to_bytes().map_err(|error| Error::Damaged {
            file: self.directory.to_string(),
            problem: format!("a checkpoint can not be written as JSON: {error}"),
            remedy: "this is a defect of Millstream".into(),
        })?;
        let mut tried = 1;
        let path = loop {
            match self.write(manifest.time, &bytes) {
                Ok(path) => break path,
                Err(error) if tried == TRIES => return Err(error),
                Err(error) => tracing::warn!("writing a checkpoint failed ({tried} of {TRIES}): {error}"),
            }
            tried += 1;
        };
        self.next_sequence += 1;
        self.own.push_back(Kept::new(path, &manifest));
        self.clean();
        Ok(())
    }

    /// Returns the oldest batch that any manifest that is kept needs: what is older may be cleaned.
    pub(crate) fn oldest_needed(&self) -> Time {
        self.own.iter().map(|kept| kept.oldest_needed).min().unwrap_or_default()
    }

    fn write(&self, time: Time, bytes: &[u8]) -> Result<FsPath> {
        for number in 0_u64.. {
            let name = format!("{PREFIX}{}", time.as_millis());
            let name = if number == 0 { name } else { format!("{name}.{number}") };
            let path = self.directory.join(&name);
            if self.system.exists(&path)? {
                continue;
            }
            failpoint::reach("checkpoint-before-write");
            let mut writer = self.system.create(&path)?;
            writer.write_all(bytes).map_err(|error| failed("writing", &path, error))?;
            failpoint::reach("checkpoint-before-publish");
            if writer.publish_new()? {
                failpoint::reach("checkpoint-after-publish");
                return Ok(path);
            }
        }
        Ok(self.directory.clone())
    }

    /// Deletes manifests that are not kept, and the data files that no other names. What can not be deleted costs room only.
    fn clean(&mut self) {
        while let Some(old) = self.unneeded().and_then(|place| self.own.remove(place)) {
            failpoint::reach("checkpoint-before-clean");
            let needed = |file: &String| self.own.iter().any(|kept| kept.files.contains(file));
            let unneeded =
                old.files.iter().filter(|file| !needed(file)).map(|file| self.directory.join(file));
            // The manifest first: one whose data is gone must not be found.
            for path in [old.path.clone()].into_iter().chain(unneeded) {
                if let Err(error) = self.system.delete(&path) {
                    tracing::warn!("an old file of a checkpoint is left over: {error}");
                }
                failpoint::reach("checkpoint-half-cleaned");
            }
            failpoint::reach("checkpoint-after-clean");
        }
    }

    /// Returns the place of the oldest manifest that is not kept.
    ///
    /// Beside the newest ones that is for each operator the last one that goes on from another state of it: a file of that which
    /// the newest ones name may turn out to be spoilt, however many batches have passed since it was saved.
    fn unneeded(&self) -> Option<usize> {
        let older = self.own.len().saturating_sub(RETAINED);
        let newest = self.own.back()?;
        let mut kept = BTreeSet::new();
        for (id, version) in &newest.versions {
            let is_other = |other: &Kept| other.versions.get(id).is_some_and(|other| other != version);
            kept.extend(self.own.iter().rposition(is_other));
        }
        (0..older).find(|place| !kept.contains(place))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use millstream_core::fs::LocalFs;

    use super::super::data_file;
    use super::super::manifest::{SavedFile, SavedOperator, operator_of};
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Scratch(std::env::temp_dir().join(format!("store-{name}-{}", std::process::id())))
        }

        fn path(&self) -> FsPath {
            FsPath::from_path(&self.0).unwrap()
        }

        fn found(&self) -> Found {
            Found::look(&LocalFs, &self.path()).unwrap()
        }

        fn store(&self, recover: bool) -> CheckpointStore {
            let found = self.found();
            let recovered = found.newest(&self.path()).unwrap().filter(|_| recover);
            CheckpointStore::new(Arc::new(LocalFs), self.path(), &found, recovered)
        }

        fn names(&self) -> Vec<String> {
            let names = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> =
                names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn newest(scratch: &Scratch) -> Option<(u64, u64, i64)> {
        let found = scratch.found();
        let newest = found.newest(&scratch.path()).unwrap();
        newest.map(|manifest| (manifest.generation, manifest.sequence, manifest.time.as_millis()))
    }

    #[test]
    fn ten_are_kept_and_the_newest_is_found() {
        let scratch = Scratch::new("kept");
        assert_eq!(newest(&scratch), None);
        let mut store = scratch.store(false);
        for batch in 1..=8 {
            store.publish(Manifest::of(0, 0, batch * 1000)).unwrap();
            store.publish(Manifest::of(0, 0, batch * 1000)).unwrap();
        }
        let names = scratch.names();
        assert_eq!(names.len(), 10);
        assert_eq!(names[..3], ["checkpoint-4000", "checkpoint-4000.1", "checkpoint-5000"]);
        assert_eq!(newest(&scratch), Some((1, 15, 8000)));
        let mut recovered = scratch.store(true);
        recovered.publish(Manifest::of(0, 0, 9000)).unwrap();
        assert_eq!(newest(&scratch), Some((1, 16, 9000)));
        assert_eq!(scratch.names().len(), 10);
    }

    /// Spark's SPARK-11267.
    #[test]
    fn the_one_that_was_written_last_counts_whatever_its_batch() {
        let scratch = Scratch::new("last");
        let mut store = scratch.store(false);
        store.publish(Manifest::of(0, 0, 2000)).unwrap();
        store.publish(Manifest::of(0, 0, 1000)).unwrap();
        assert_eq!(newest(&scratch), Some((1, 1, 1000)));
    }

    /// Spark's SPARK-28912.
    #[test]
    fn directories_that_are_called_like_checkpoints_are_none() {
        let scratch = Scratch::new("checkpoint-01");
        std::fs::create_dir_all(scratch.0.join("checkpoint-1000000000")).unwrap();
        std::fs::write(scratch.0.join("checkpoint-of-another-program"), "").unwrap();
        assert!(scratch.found().is_empty());
    }

    #[test]
    fn one_that_is_torn_falls_back_to_the_one_before() {
        let scratch = Scratch::new("torn");
        let mut store = scratch.store(false);
        for time in [1000, 2000] {
            store.publish(Manifest::of(0, 0, time)).unwrap();
        }
        let path = scratch.0.join("checkpoint-2000");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(newest(&scratch), Some((1, 0, 1000)));
        // What is written next is newer than the broken one could be, and does not take its name.
        let mut recovered = scratch.store(true);
        recovered.publish(Manifest::of(0, 0, 2000)).unwrap();
        assert_eq!(newest(&scratch), Some((1, 2, 2000)));
        assert_eq!(scratch.names(), ["checkpoint-1000", "checkpoint-2000", "checkpoint-2000.1"]);
        std::fs::write(scratch.0.join("checkpoint-1000"), "").unwrap();
        std::fs::remove_file(scratch.0.join("checkpoint-2000.1")).unwrap();
        let error = scratch.found().newest(&scratch.path()).unwrap_err().to_string();
        assert!(error.contains("no checkpoint can be read (checkpoint-1000: it was not written"), "{error}");
    }

    #[test]
    fn what_a_run_writes_after_the_next_one_has_begun_does_not_count() {
        let scratch = Scratch::new("runs");
        let mut first = scratch.store(false);
        first.publish(Manifest::of(0, 0, 1000)).unwrap();
        let mut second = scratch.store(true);
        second.publish(Manifest::of(0, 0, 1000)).unwrap();
        for time in [2000, 3000, 4000] {
            first.publish(Manifest::of(0, 0, time)).unwrap();
        }
        assert_eq!(newest(&scratch), Some((1, 1, 1000)));
    }

    #[test]
    fn one_of_a_later_format_is_not_passed_over() {
        let scratch = Scratch::new("refused");
        let mut store = scratch.store(false);
        store.publish(Manifest::of(0, 0, 1000)).unwrap();
        let later = Manifest { format: FORMAT + 1, ..Manifest::of(1, 1, 2000) };
        std::fs::write(scratch.0.join("checkpoint-2000"), later.to_bytes().unwrap()).unwrap();
        let found = scratch.found();
        let error = found.newest(&scratch.path()).unwrap_err().to_string();
        assert!(error.contains("this version reads formats up to 1; go on with the version"), "{error}");
        // Who begins anew does so in a generation that it can not be of.
        assert_eq!(found.next_generation(), 3);
    }

    #[test]
    fn a_new_generation_leaves_the_files_of_others() {
        let scratch = Scratch::new("generations");
        scratch.store(false).publish(Manifest::of(0, 0, 90_000)).unwrap();
        let mut second = scratch.store(false);
        for batch in 1..=20 {
            second.publish(Manifest::of(0, 0, batch * 1000)).unwrap();
        }
        assert_eq!(scratch.names().len(), 11);
        assert_eq!(newest(&scratch), Some((2, 19, 20_000)));
    }

    #[test]
    fn data_files_go_with_the_last_manifest_that_names_them() {
        let scratch = Scratch::new("data");
        let mut store = scratch.store(false);
        let file = data_file::write(&LocalFs, &scratch.path(), "state/one", b"1").unwrap();
        let operator = operator_of(0, file);
        for batch in 1..=13 {
            let mut manifest = Manifest::of(0, 0, batch * 1000);
            manifest.operators.extend((batch <= 3).then(|| operator.clone()));
            store.publish(manifest).unwrap();
            assert_eq!(scratch.0.join("state/one").exists(), batch < 13, "{batch}");
        }
        assert_eq!(store.oldest_needed(), Time::from_millis(4000));
    }

    #[test]
    fn the_last_one_with_another_state_is_kept() {
        let scratch = Scratch::new("another-state");
        let mut store = scratch.store(false);
        let mut kept = Vec::new();
        for batch in 1..=60 {
            let mut manifest = Manifest::of(0, 0, batch * 1000);
            for (id, saved_each) in [("a", 20), ("b", 30)] {
                let version = batch / saved_each * saved_each * 1000;
                let file = SavedFile { name: format!("{id}-{version}"), bytes: 1, crc32: 1 };
                manifest.operators.push(SavedOperator { id: id.into(), ..operator_of(version, file) });
            }
            store.publish(manifest).unwrap();
            let times =
                scratch.found().intact.into_iter().map(|(_, manifest)| manifest.time.as_millis() / 1000);
            kept = times.collect();
            let expected = |saved_each: i64| (batch / saved_each * saved_each - 1).max(0);
            let mut older: Vec<i64> = [20, 30].map(expected).into_iter().filter(|time| *time > 0).collect();
            older.extend((batch - 9).max(1)..=batch);
            older.sort();
            older.dedup();
            assert_eq!(kept, older, "after {batch}");
        }
        assert_eq!(kept.len(), 10);
    }
}
