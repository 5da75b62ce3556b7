//! `sweep`: what a run that was killed had written and no checkpoint names.

use std::collections::BTreeSet;

use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FsPath};

use super::store::{Found, PREFIX, STATE};
use crate::error::Result;
use crate::recovery::list::list;

/// Deletes what a run that was killed has left of a generation that is gone on with: data files that no manifest names, files that were
/// not written to the end. What can not be deleted costs room only.
pub(crate) fn sweep(system: &dyn FileSystem, directory: &FsPath, generation: u64, found: &Found) {
    // One that is not whole may be brought back from a copy.
    if found.not_read() > 0 {
        return;
    }
    if let Err(error) = try_sweep(system, directory, generation, found) {
        tracing::warn!("what a run that was killed has left stays in {directory}: {error}");
    }
}

fn try_sweep(system: &dyn FileSystem, directory: &FsPath, generation: u64, found: &Found) -> Result<()> {
    let data = found.intact.iter().flat_map(|(_, manifest)| manifest.data_files());
    let named: BTreeSet<FsPath> = data.map(|file| directory.join(&file.name)).collect();
    let of_state = files(system, &directory.join(&format!("{STATE}/{generation}")))?;
    let unnamed = of_state.into_iter().filter(|path| !named.contains(path));
    let unfinished = |path: &FsPath| path.name().starts_with(&format!("._{PREFIX}"));
    let unfinished = files(system, directory)?.into_iter().filter(unfinished);
    for path in unnamed.chain(unfinished) {
        failpoint::reach("sweep-before-delete");
        system.delete(&path)?;
        failpoint::reach("sweep-after-delete");
    }
    Ok(())
}

fn files(system: &dyn FileSystem, directory: &FsPath) -> Result<Vec<FsPath>> {
    let listed = list(system, directory)?.into_iter();
    Ok(listed.filter(|file| !file.is_dir).map(|file| file.path).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use millstream_core::fs::LocalFs;

    use super::super::manifest::Manifest;
    use super::super::{CheckpointStore, data_file};
    use super::*;

    #[test]
    fn what_no_checkpoint_of_the_generation_names_is_deleted_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("sweep-{}", std::process::id()));
        let directory = FsPath::from_path(&place).unwrap();
        let files = ["state/1/variables-1", "state/1/left-over", "state/2/of-another-generation"];
        let saved = files.map(|name| data_file::write(&LocalFs, &directory, name, b"1").unwrap());
        let mut store = CheckpointStore::new(Arc::new(LocalFs), directory.clone(), &Found::default(), None);
        let [variables, ..] = saved;
        let manifest = Manifest { variables: Some(variables), ..Manifest::of(1, 1, 1000) };
        store.publish(manifest).unwrap();
        for name in ["state/1/._left-over.1-1.tmp", "._checkpoint-2000.1-1.tmp", "._notes.tmp", "notes"] {
            fs::write(place.join(name), "").unwrap();
        }
        let look = || Found::look(&LocalFs, &directory).unwrap();
        let mut broken = look();
        broken.broken.push((directory.join("checkpoint-2000"), "it is torn".into()));
        sweep(&LocalFs, &directory, 1, &broken);
        assert!(place.join("state/1/left-over").exists());
        sweep(&LocalFs, &directory, 1, &look());
        let names = |under: &str| {
            let entries = fs::read_dir(place.join(under)).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(""), ["._notes.tmp", "checkpoint-1000", "notes", "state"]);
        assert_eq!(names("state/1"), ["variables-1"]);
        assert_eq!(names("state/2"), ["of-another-generation"]);
        fs::remove_dir_all(&place).unwrap();
    }
}
