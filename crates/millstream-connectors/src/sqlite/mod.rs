//! `SqliteSink`: the tables of an SQLite database, each batch in them once.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use millstream_core::chunk::Cursor;
use millstream_core::failpoint;
use millstream_core::fs::FileSystems;
use millstream_core::sink::{BatchPartition, ExactlyOnceSink, Stored};
use millstream_core::stream::{self, ChunkStream};
use millstream_core::{Data, Error, Result};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// How long a task waits for another writer of the database.
const BUSY: Duration = Duration::from_secs(60);

/// How long after a refused change of the journal it is asked for again.
const AGAIN: Duration = Duration::from_millis(2);

/// For how long, in batch time, the names of stored partitions are kept: a batch can be run again for so long.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

const NAMES: &str = "create table if not exists millstream_batches (
    output text not null, batch integer not null, partition integer not null, partitions integer not null,
    primary key (output, batch, partition)
) without rowid";

/// Runs a statement for each record, with the record's fields as its parameters, once for each partition of each batch.
///
/// The records of a partition and its name, a row of the table `millstream_batches`, are written in one transaction. Records
/// are what rusqlite takes as parameters: tuples and arrays of numbers, strings, bytes and options. A partition is held in
/// memory before it is stored; partitions are stored one at a time, as SQLite has one writer. The names are kept for seven
/// days of batch time; a batch of before that is refused, as it may have been stored. All sinks of a database share the names: outputs
/// into two of its tables have two.
///
/// # Examples
/// ```
/// use millstream_connectors::sqlite::SqliteSink;
/// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
/// # let file = std::env::temp_dir().join(format!("sqlite-sink-{}.db", std::process::id()));
/// let sink = SqliteSink::new(
///     &file,
///     "insert into counts values (?1, ?2) on conflict (word) do update set n = n + ?2",
/// )
/// .create("create table if not exists counts (word text primary key, n integer)");
/// let counts = context.parallelize([("to".to_owned(), 2), ("be".to_owned(), 1)], 2);
/// counts.save_exactly_once("counts", 1000, sink.clone())?;
/// counts.save_exactly_once("counts", 1000, sink.clone())?; // run again: nothing is added
/// counts.save_exactly_once("counts", 2000, sink)?;
///
/// let database = rusqlite::Connection::open(&file).unwrap();
/// let n: i64 = database.query_row("select n from counts where word = 'to'", [], |row| row.get(0)).unwrap();
/// assert_eq!(n, 4);
/// # drop(database);
/// # std::fs::remove_file(&file).unwrap();
/// # Ok::<(), millstream_core::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqliteSink {
    file: PathBuf,
    create: Option<String>,
    statement: String,
}

impl SqliteSink {
    /// Writes to the database in a file, which is made if it is missing, by a statement that is run for each record.
    #[must_use]
    pub fn new(file: impl AsRef<Path>, statement: impl Into<String>) -> Self {
        SqliteSink { file: file.as_ref().to_owned(), create: None, statement: statement.into() }
    }

    /// Runs statements before the first record of a partition, such as `create table if not exists`.
    #[must_use]
    pub fn create(self, statements: impl Into<String>) -> Self {
        SqliteSink { create: Some(statements.into()), ..self }
    }

    fn open(&self) -> Result<Connection> {
        let database = self.connect().map_err(|error| self.failed("opening", &error))?;
        if database.path().is_none_or(str::is_empty) {
            return Err(Error::Argument {
                operator: "save_exactly_once".into(),
                problem: format!(
                    "the SQLite database `{}` is in memory, and would be lost with what is stored",
                    self.file.display()
                ),
                remedy: "name a file".into(),
            });
        }
        Ok(database)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let database = Connection::open(&self.file)?;
        database.busy_timeout(BUSY)?;
        Self::keep_log(&database)?;
        // With a log of its own SQLite would not wait for the disk at the end of a transaction otherwise.
        database.pragma_update(None, "synchronous", "full")?;
        database.execute(NAMES, [])?;
        Ok(database)
    }

    /// Gives the database a write-ahead log, if it has none yet.
    ///
    /// Of two connections that do so at once SQLite refuses one at once, whatever its timeout: both have read the database, and
    /// none could write it while it waits for the other. So it is asked again.
    fn keep_log(database: &Connection) -> rusqlite::Result<()> {
        let began = Instant::now();
        loop {
            match database.pragma_update(None, "journal_mode", "wal") {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && began.elapsed() < BUSY =>
                {
                    thread::sleep(AGAIN);
                }
                done => return done,
            }
        }
    }

    fn failed(&self, what: &str, error: &rusqlite::Error) -> Error {
        let remedy = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "end the transaction of the program that keeps it locked"
            }
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied,
            ) => "give the user this program runs as the right to write it, and to its directory",
            Some(ErrorCode::CannotOpen) => "check the path: its directory must be there",
            Some(ErrorCode::NotADatabase) => "name a file that is a database, or none yet",
            Some(ErrorCode::DatabaseCorrupt) => "put a copy of it there that is whole",
            Some(ErrorCode::DiskFull) => "make room there",
            Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed) => {
                "check its disk; it must be one of this machine"
            }
            _ => "check the statements of the sink",
        };
        Error::user(format!(
            "{what} the SQLite database {}: {error}; nothing of the partition was stored; {remedy}",
            self.file.display()
        ))
    }

    /// Returns what the names say of a partition.
    fn known(database: &Connection, id: &BatchPartition) -> rusqlite::Result<Known> {
        let (batch, partition) = (id.time_ms as i64, id.partition as i64);
        // Other numbers of partitions first.
        let stored = database
            .query_row(
                "select partitions, max(partition = ?3) from millstream_batches where output = ?1 and batch = ?2
                 group by partitions order by partitions = ?4 limit 1",
                params![id.output, batch, partition, id.partitions as i64],
                |row| Ok((row.get::<_, i64>(0)? as usize, row.get(1)?)),
            )
            .optional()?;
        match stored {
            Some((partitions, _)) if partitions != id.partitions => return Ok(Known::Spread(partitions)),
            Some((_, true)) => return Ok(Known::Stored),
            Some((_, false)) => return Ok(Known::Nothing),
            None => {}
        }
        let newest: Option<i64> = database.query_row(
            "select max(batch) from millstream_batches where output = ?1",
            params![id.output],
            |row| row.get(0),
        )?;
        Ok(newest.filter(|newest| batch < oldest_kept(*newest)).map_or(Known::Nothing, Known::Forgotten))
    }

    /// Returns what becomes of a partition that need not, or must not, be stored.
    fn answer(&self, id: &BatchPartition, known: Known) -> Result<Option<Stored>> {
        let file = self.file.display();
        match known {
            Known::Nothing => Ok(None),
            Known::Stored => Ok(Some(Stored::Before)),
            Known::Spread(partitions) => Err(id.spread_differently(&file.to_string(), partitions)),
            Known::Forgotten(newest) => Err(Error::Argument {
                operator: "save_exactly_once".into(),
                problem: format!(
                    "{id} can not be stored in {file}: it is older by more than seven days than batch {newest} ms, and whether it was \
                     stored then is no longer known"
                ),
                remedy: "give the output a name of its own if it was not".into(),
            }),
        }
    }

    /// Stores a partition, unless something is known of it now.
    fn write<T: Params>(
        &self,
        database: &mut Connection,
        id: &BatchPartition,
        records: Vec<T>,
    ) -> rusqlite::Result<Known> {
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another program, or another attempt of the task, may have stored while the records were computed.
        match Self::known(&transaction, id)? {
            Known::Nothing => {}
            known => return Ok(known),
        }
        transaction.execute(
            "insert into millstream_batches (output, batch, partition, partitions) values (?1, ?2, ?3, ?4)",
            params![id.output, id.time_ms as i64, id.partition as i64, id.partitions as i64],
        )?;
        if let Some(create) = &self.create {
            transaction.execute_batch(create)?;
        }
        let mut statement = transaction.prepare(&self.statement)?;
        for record in records {
            statement.execute(record)?;
        }
        drop(statement);
        if id.partition == 0 {
            transaction.execute(
                "delete from millstream_batches where output = ?1 and batch < ?2",
                params![id.output, oldest_kept(id.time_ms as i64)],
            )?;
        }
        failpoint::reach("database-before-commit");
        transaction.commit()?;
        failpoint::reach("database-after-commit");
        Ok(Known::Nothing)
    }
}

/// What the names say of a partition.
enum Known {
    /// It is to be stored.
    Nothing,
    Stored,
    /// A part of its batch was stored when it had another number of partitions, this one.
    Spread(usize),
    /// The name would be forgotten by now: the newest batch is this one.
    Forgotten(i64),
}

/// Returns the oldest batch of which the names are kept when a batch was stored.
fn oldest_kept(newest: i64) -> i64 {
    newest.saturating_sub(KEPT.as_millis() as i64)
}

impl<T: Data + Params> ExactlyOnceSink<T> for SqliteSink {
    fn store(&self, id: &BatchPartition, records: ChunkStream<T>, _: &FileSystems) -> Result<Stored> {
        let mut database = self.open()?;
        let known = Self::known(&database, id).map_err(|error| self.failed("reading", &error))?;
        if let Some(before) = self.answer(id, known)? {
            return Ok(before);
        }
        // All of them first: while they are computed other partitions may write.
        let mut rows = Vec::new();
        stream::drain(records, |chunk| {
            rows.extend(Cursor::from(chunk));
            Ok(())
        })?;
        let known = self.write(&mut database, id, rows).map_err(|error| self.failed("writing to", &error))?;
        Ok(self.answer(id, known)?.unwrap_or(Stored::Now))
    }

    fn place(&self, output: &str) -> Option<String> {
        let file = std::path::absolute(&self.file).ok()?;
        Some(format!("output {output} in {}", file.to_str()?))
    }
}
