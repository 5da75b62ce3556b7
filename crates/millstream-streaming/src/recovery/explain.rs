//! `explain`: what a checkpoint directory holds, in words.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use millstream_core::fs::{FileSystem, FileSystems, FsPath};
use millstream_core::settings;

use super::block_log::{DATA, METADATA};
use super::checkpoint::Manifest;
use super::checkpoint::store::Found;
use super::checkpoint::usable::Usable;
use super::restart::Restart;
use crate::error::{Error, Result};
use crate::time::Time;

/// Says what a checkpoint directory holds, and what a restart at `now` would do: a line each, for people.
///
/// # Errors
/// If the directory can not be read, or there is no checkpoint in it that can be gone on from.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream_core::Conf;
/// use millstream_streaming::testing::{Driver, batches};
/// use millstream_streaming::{Time, checkpoints};
///
/// # let directory = std::env::temp_dir().join(format!("explain-{}", std::process::id()));
/// let driver = Driver::new(Conf::empty(), Duration::from_secs(1))?;
/// driver.streaming().checkpoint(&directory);
/// driver.input(batches![[1], [2]]).print();
/// let files = driver.context().file_systems();
/// driver.run(2)?;
/// let text = checkpoints::explain(&files, &directory, Time::from_millis(4500))?;
/// assert!(text.contains("a restart would run the batches that were missed: 3000 ms to 4000 ms (2), but"), "{text}");
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub fn explain(files: &FileSystems, directory: impl AsRef<Path>, now: Time) -> Result<String> {
    let directory = FsPath::from_path(directory)?;
    let system = files.of(&directory)?;
    let found = Found::look(&*system, &directory)?;
    let Some(usable) = found.usable(&*system, &directory)? else {
        return Err(Error::NoCheckpoint { directory: directory.to_string() });
    };
    let manifest = &usable.manifest;
    let mut text = String::new();
    // Writing into a `String` can not fail.
    let _ = head(&mut text, &directory, &found, &usable);
    let _ = operators(&mut text, manifest);
    let _ = batches(&mut text, manifest);
    for (what, under) in [("received blocks", DATA), ("which batch has which block", METADATA)] {
        let (segments, bytes) = size(&*system, &directory.join(under))?;
        if segments > 0 {
            let _ = writeln!(text, "log of {what}: {segments} segments, {bytes} bytes");
        }
    }
    let _ = restart(&mut text, manifest, now);
    Ok(text)
}

fn head(text: &mut String, directory: &FsPath, found: &Found, usable: &Usable) -> fmt::Result {
    let manifest = &usable.manifest;
    let of_generation = |(_, other): &&(FsPath, Manifest)| other.generation == manifest.generation;
    let own = found.intact.iter().filter(of_generation).count();
    writeln!(text, "{directory}: checkpoint of `{}`", manifest.program)?;
    writeln!(text, "last batch {}, a batch each {} ms", manifest.time, manifest.batch_interval_ms)?;
    writeln!(text, "generation {}, {own} checkpoints; format {}", manifest.generation, manifest.format)?;
    for passed_over in &usable.passed_over {
        writeln!(text, "passed over: {passed_over}")?;
    }
    let others = found.intact.len() - own;
    if others > 0 {
        writeln!(text, "{others} checkpoints of earlier runs, which are left alone")?;
    }
    Ok(())
}

fn operators(text: &mut String, manifest: &Manifest) -> fmt::Result {
    for operator in &manifest.operators {
        writeln!(text, "operator `{}`: {} at {}", operator.id, operator.name, operator.place)?;
        writeln!(text, "    of {}", operator.schema)?;
        let files = operator.to_restore().iter().flat_map(|state| &state.files);
        let (count, bytes) = files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.bytes));
        let version = operator.version;
        match operator.restored_schema() {
            Some(_) => writeln!(text, "    state of batch {version}: {bytes} bytes in {count} files")?,
            None => writeln!(text, "    no state saved yet: it is made again of all inputs")?,
        }
        let later = operator.states.iter().filter(|state| state.batch > version).count();
        if later > 0 {
            writeln!(
                text,
                "    states of {later} later batches, for when what is made of it needs none before"
            )?;
        }
    }
    if let Some(variables) = &manifest.variables {
        writeln!(text, "named variables: {} bytes", variables.bytes)?;
    }
    Ok(())
}

fn batches(text: &mut String, manifest: &Manifest) -> fmt::Result {
    let kept = manifest.inputs.len();
    writeln!(text, "inputs of {kept} batches are kept, from {} on", manifest.oldest_needed)?;
    for batch in &manifest.pending {
        writeln!(text, "batch {batch} was not completed")?;
        for (source, input) in manifest.inputs.get(batch).into_iter().flatten() {
            writeln!(text, "    input of `{source}`: {input}")?;
        }
    }
    Ok(())
}

fn restart(text: &mut String, manifest: &Manifest, now: Time) -> fmt::Result {
    let Restart { replayed, pending, missed, first, .. } =
        Restart::new(manifest, Duration::from_millis(manifest.batch_interval_ms), now);
    if let (Some(from), Some(to)) = (replayed.first(), replayed.last()) {
        writeln!(
            text,
            "a restart would make states again, without outputs, of the batches {from} to {to} ({})",
            replayed.len()
        )?;
    }
    if let (Some(from), Some(to)) = (pending.first(), pending.last()) {
        writeln!(
            text,
            "a restart would run again what was not completed: {from} to {to} ({})",
            pending.len()
        )?;
    }
    if let Some((from, to)) = missed {
        let interval = u128::from(manifest.batch_interval_ms.max(1));
        let count = (to - from).as_millis() / interval + 1;
        let how = manifest.settings.get(settings::CATCH_UP.key()).map_or("", String::as_str);
        // Whether something came in an interval only its sources can tell.
        let but = if how == "perInterval" { "" } else { ", but those with nothing to do" };
        writeln!(text, "a restart would run the batches that were missed: {from} to {to} ({count}){but}")?;
    }
    writeln!(text, "a restart would go on with the clock at {first}")
}

/// Returns how many files lie in a directory and those in it, and how many bytes they have.
fn size(system: &dyn FileSystem, directory: &FsPath) -> Result<(usize, u64)> {
    if !system.exists(directory)? {
        return Ok((0, 0));
    }
    let mut sum = (0, 0);
    for file in system.list(directory)? {
        let (files, bytes) = if file.is_dir { size(system, &file.path)? } else { (1, file.len) };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    Ok(sum)
}
