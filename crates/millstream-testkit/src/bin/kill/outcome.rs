//! What the sinks hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OpenFlags};

use crate::Result;
use crate::pipeline::{BATCH, SAVED, database};

/// How many batches a child that has caught up may be behind.
const UP_TO_DATE: u128 = 5;

/// The batches of an output: by batch time in milliseconds, the lines of each partition.
pub(crate) type Batches = BTreeMap<i64, BTreeMap<String, Vec<String>>>;

/// All that a run has left.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The outputs in files.
    pub(crate) outputs: BTreeMap<String, Batches>,
    /// The batches of the output that is saved of which `_SUCCESS` is there and no file that was being written.
    pub(crate) complete: BTreeSet<i64>,
    /// The table that has the counts of each batch.
    pub(crate) counts: Vec<(i64, String, i64)>,
    /// The table that has the sum of each word's sessions.
    pub(crate) sessions: Vec<(String, i64)>,
}

impl Outcome {
    /// Reads all sinks.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let out = directory.join("out");
        let failed = |error| format!("cannot read {}: {error}", out.display());
        let mut outputs: BTreeMap<String, Batches> = BTreeMap::new();
        let mut complete = BTreeSet::new();
        for entry in std::fs::read_dir(&out).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let folder = entry.file_name().to_string_lossy().into_owned();
            let Some((name, time)) =
                folder.rsplit_once('-').and_then(|(name, time)| Some((name, time.parse().ok()?)))
            else {
                continue;
            };
            let has = |file: &str| entry.path().join(file).exists();
            if name == SAVED && has("_SUCCESS") && !has("_temporary") {
                complete.insert(time);
            }
            let partitions: &mut BTreeMap<String, Vec<String>> =
                outputs.entry(name.to_owned()).or_default().entry(time).or_default();
            for part in std::fs::read_dir(entry.path()).map_err(failed)? {
                let part = part.map_err(failed)?;
                let name = part.file_name().to_string_lossy().into_owned();
                // What a killed program was writing has a hidden name.
                if name.starts_with("part-") {
                    let text = std::fs::read_to_string(part.path()).map_err(failed)?;
                    partitions.insert(name, text.lines().map(str::to_owned).collect());
                }
            }
        }
        let tables = open(directory)?;
        let counts = rows(&tables, "select batch, word, n from counts order by batch, word", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(Outcome { outputs, complete, counts, sessions: sessions_of(&tables)? })
    }

    /// Returns the batches of an output; none if it never had one.
    pub(crate) fn output(&self, name: &str) -> &Batches {
        static NONE: Batches = Batches::new();
        self.outputs.get(name).unwrap_or(&NONE)
    }

    /// Returns the lines of an output's batch, partition after partition.
    pub(crate) fn lines(&self, name: &str, batch: i64) -> Vec<&str> {
        let partitions = self.output(name).get(&batch).into_iter().flat_map(BTreeMap::values);
        partitions.flatten().map(String::as_str).collect()
    }

    /// Returns the lines of all batches of an output.
    pub(crate) fn all_lines(&self, name: &str) -> impl Iterator<Item = &str> {
        self.output(name).values().flat_map(BTreeMap::values).flatten().map(String::as_str)
    }
}

/// Returns whether one of the last batches is there, so that a child has caught up with the clock.
pub(crate) fn is_up_to_date(directory: &Path) -> bool {
    let interval = BATCH.as_millis();
    // Batch times are multiples of the interval.
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() / interval;
    (now.saturating_sub(UP_TO_DATE)..=now)
        .any(|batch| directory.join(format!("out/received-{}", batch * interval)).exists())
}

/// Returns the sum of each word's sessions so far, which a child may be writing; none while there is no table.
pub(crate) fn sessions(directory: &Path) -> Vec<(String, i64)> {
    open(directory).and_then(|tables| sessions_of(&tables)).unwrap_or_default()
}

fn open(directory: &Path) -> Result<Connection> {
    let file = database(directory);
    let opened = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_WRITE);
    opened.map_err(|error| format!("cannot open {}: {error}", file.display()))
}

fn sessions_of(tables: &Connection) -> Result<Vec<(String, i64)>> {
    rows(tables, "select word, n from sessions order by word", |row| Ok((row.get(0)?, row.get(1)?)))
}

fn rows<T>(
    tables: &Connection,
    query: &str,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let read =
        tables.prepare(query).and_then(|mut query| query.query_map([], row).and_then(Iterator::collect));
    read.map_err(|error| format!("cannot read the tables by `{query}`: {error}"))
}
