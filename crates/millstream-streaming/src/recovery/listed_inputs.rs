//! Of what batches were made, written once: a manifest holds that of the last batches, and names files with that of earlier ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath};

use super::checkpoint::data_file;
use super::checkpoint::manifest::{Inputs, Manifest, SavedFile};
use super::checkpoint::store::STATE;
use crate::error::{Error, Result};
use crate::time::Time;

/// How many bytes of completed batches a manifest holds at most.
const HELD: usize = 16 << 10;

/// The files with that of earlier batches which this run has written.
pub(crate) struct ListedInputs {
    system: Arc<dyn FileSystem>,
    directory: FsPath,
    files: Vec<Listed>,
}

/// What was written, and of which batches of which sources it tells.
struct Listed {
    /// Twice the same: unlike a state it can not be made again of anything else.
    files: [SavedFile; 2],
    of: BTreeSet<(Time, String)>,
}

impl ListedInputs {
    pub(crate) fn new(system: Arc<dyn FileSystem>, directory: FsPath) -> Self {
        ListedInputs { system, directory, files: Vec::new() }
    }

    /// Has a manifest that tells of all batches name what was written of them already, and writes what has become much.
    ///
    /// # Errors
    /// If it can not be written.
    pub(crate) fn shorten(&mut self, manifest: &mut Manifest) -> Result<()> {
        let Manifest { inputs, pending, generation, sequence, .. } = &mut *manifest;
        self.files.retain(|listed| listed.of.iter().any(|(batch, source)| has(inputs, *batch, source)));
        for (batch, source) in self.files.iter().flat_map(|listed| &listed.of) {
            if let Some(sources) = inputs.get_mut(batch) {
                sources.remove(source);
            }
        }
        inputs.retain(|_, sources| !sources.is_empty());
        let completed: Inputs = inputs
            .iter()
            .filter(|(batch, _)| !pending.contains(batch))
            .map(|(batch, sources)| (*batch, sources.clone()))
            .collect();
        let content = serde_json::to_vec(&completed).map_err(|error| Error::Damaged {
            file: self.directory.to_string(),
            problem: format!("of what batches were made can not be written as JSON: {error}"),
            remedy: "this is a defect of Millstream".into(),
        })?;
        if content.len() > HELD {
            let name = format!("{STATE}/{generation}/inputs-{sequence}");
            let write = |name: &str| data_file::write(&*self.system, &self.directory, name, &content);
            failpoint::reach("inputs-before-write");
            let files = [write(&name)?, write(&format!("{name}-copy"))?];
            failpoint::reach("inputs-after-write");
            inputs.retain(|batch, _| pending.contains(batch));
            let of_batch = |(batch, sources): (Time, BTreeMap<String, _>)| {
                sources.into_keys().map(move |source| (batch, source))
            };
            self.files.push(Listed { files, of: completed.into_iter().flat_map(of_batch).collect() });
        }
        manifest.input_files = self.files.iter().flat_map(|listed| &listed.files).cloned().collect();
        Ok(())
    }
}

fn has(inputs: &Inputs, batch: Time, source: &str) -> bool {
    inputs.get(&batch).is_some_and(|sources| sources.contains_key(source))
}

/// Returns of what the batches were made that a manifest tells of, itself or in files; says which files are passed over, of which
/// there is a copy.
///
/// # Errors
/// If neither a file nor a copy of it is whole, or one can not be read.
pub(crate) fn all(
    system: &dyn FileSystem,
    directory: &FsPath,
    manifest: &Manifest,
    passed_over: &mut BTreeSet<String>,
) -> Result<Inputs> {
    let mut inputs = Inputs::new();
    for copies in manifest.input_files.chunk_by(SavedFile::is_copy_of) {
        let mut whole = None;
        for file in copies {
            match data_file::problem(system, directory, file)? {
                Some(problem) if copies.len() > 1 => {
                    passed_over.insert(format!(
                        "{}: {problem}; a copy of it takes its place",
                        directory.join(&file.name)
                    ));
                }
                Some(_) => {}
                None => whole = Some(file),
            }
        }
        // Where there is none, to read one says what is wrong with it.
        let Some(file) = whole.or(copies.first()) else { continue };
        let content = data_file::read(system, directory, file)?;
        let listed = serde_json::from_slice(&content).map_err(|error| Error::Damaged {
            file: directory.join(&file.name).to_string(),
            problem: format!("of what batches were made can not be read from it: {error}"),
            remedy: "recover with the version of Millstream that wrote it".into(),
        })?;
        add(&mut inputs, listed);
    }
    add(&mut inputs, manifest.inputs.clone());
    Ok(inputs)
}

/// Adds what is told of batches; what is told later counts.
pub(crate) fn add(inputs: &mut Inputs, later: Inputs) {
    for (batch, sources) in later {
        inputs.entry(batch).or_default().extend(sources);
    }
}

#[cfg(test)]
mod tests {
    use millstream_core::fs::LocalFs;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_batch_is_written_once_and_all_are_told_of() {
        let place = std::env::temp_dir().join(format!("listed-inputs-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let mut listed = ListedInputs::new(Arc::new(LocalFs), directory.clone());
        let of_batch = |batch: i64, files: usize| {
            let names: Vec<_> = (0..files).map(|file| format!("file {file} of batch {batch}")).collect();
            [("files".to_owned(), json!(names))].into()
        };
        let mut sizes = Vec::new();
        for time in 1..=60_i64 {
            let mut whole = Manifest::of(1, time.unsigned_abs(), time * 1000);
            // A window of thirty batches; the last two are not completed.
            for batch in (time - 29).max(1)..=time {
                whole.inputs.insert(Time::from_millis(batch * 1000), of_batch(batch, 100));
            }
            whole.pending.extend([time - 1, time].map(|batch| Time::from_millis(batch * 1000)));
            // One source says so late.
            if time % 7 == 0 {
                let late = whole.inputs.first_entry().unwrap().into_mut();
                late.insert("late".into(), json!(time));
            }
            let mut manifest = whole.clone();
            listed.shorten(&mut manifest).unwrap();
            sizes.push(manifest.to_bytes().unwrap().len());
            let pending: Vec<_> = manifest.inputs.keys().rev().take(2).copied().collect();
            assert!(pending.iter().all(|batch| whole.pending.contains(batch)));
            // Files may tell of batches before those as well.
            let told = all(&LocalFs, &directory, &manifest, &mut BTreeSet::new()).unwrap();
            for (batch, sources) in &whole.inputs {
                for (source, value) in sources {
                    assert!(told[batch].get(source) == Some(value), "{source} of {batch} after {time}");
                }
            }
        }
        let (of_one, largest) =
            (Manifest::of(1, 1, 1).to_bytes().unwrap().len(), sizes.iter().max().unwrap());
        // A hundred names of some thirty bytes each.
        assert!(*largest < of_one + HELD + 4 * 3000, "{largest} bytes");
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn a_file_or_its_copy_may_be_damaged_and_not_both() {
        let place = std::env::temp_dir().join(format!("listed-inputs-twice-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let mut whole = Manifest::of(1, 1, 3000);
        for batch in 1..=3 {
            let names = [("files".to_owned(), json!("x".repeat(HELD)))].into();
            whole.inputs.insert(Time::from_millis(batch * 1000), names);
        }
        let mut manifest = whole.clone();
        ListedInputs::new(Arc::new(LocalFs), directory.clone()).shorten(&mut manifest).unwrap();
        assert_eq!((manifest.inputs.len(), manifest.input_files.len()), (0, 2));
        let paths: Vec<_> = manifest.input_files.iter().map(|file| place.join(&file.name)).collect();
        let bytes = std::fs::read(&paths[0]).unwrap();
        let told = |passed_over: &mut BTreeSet<String>| all(&LocalFs, &directory, &manifest, passed_over);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            for path in &paths {
                for damaged in [&bytes[..at], &flipped] {
                    std::fs::write(path, damaged).unwrap();
                    let mut passed_over = BTreeSet::new();
                    assert_eq!(told(&mut passed_over).unwrap(), whole.inputs, "{path:?} at {at}");
                    let said = passed_over.pop_first().unwrap();
                    assert!(said.contains("length or checksum is wrong; a copy of it"), "{said}");
                }
                std::fs::write(path, &bytes).unwrap();
            }
        }
        std::fs::remove_file(&paths[0]).unwrap();
        std::fs::write(&paths[1], &bytes[1..]).unwrap();
        assert!(told(&mut BTreeSet::new()).is_err());
        std::fs::remove_dir_all(&place).unwrap();
    }
}
