//! Batches in an SQLite database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use millstream_connectors::sqlite::SqliteSink;
use millstream_core::{Conf, Context, Rdd};
use millstream_streaming::testing::{Driver, batches};
use rusqlite::Connection;

struct Database(PathBuf);

impl Database {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("millstream-sqlite-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        Database(directory)
    }

    fn file(&self) -> PathBuf {
        self.0.join("counts.db")
    }

    fn counts(&self) -> Vec<(String, i64)> {
        let database = Connection::open(self.file()).unwrap();
        let mut rows = database.prepare("select word, n from counts order by word").unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn counting(file: &Path) -> SqliteSink {
    SqliteSink::new(file, "insert into counts values (?1, ?2) on conflict (word) do update set n = n + ?2")
        .create("create table if not exists counts (word text primary key, n integer)")
}

fn letters(context: &Context, partitions: usize) -> Rdd<(String, u64)> {
    context.parallelize((0..2600_u32).map(|n| (char::from(b'a' + (n % 26) as u8).to_string(), 1)), partitions)
}

fn all(n: i64) -> Vec<(String, i64)> {
    ('a'..='z').map(|letter| (letter.to_string(), n)).collect()
}

#[test]
fn partitions_are_added_once_also_side_by_side() {
    let database = Database::new("once");
    let context = Context::new(Conf::empty().set_master("local[4]")).unwrap();
    let sink = counting(&database.file());
    for batch in [1000, 2000] {
        assert_eq!(letters(&context, 8).save_exactly_once("letters", batch, sink.clone()).unwrap(), 8);
        assert_eq!(letters(&context, 8).save_exactly_once("letters", batch, sink.clone()).unwrap(), 0);
    }
    assert_eq!(database.counts(), all(200));
}

#[test]
fn tasks_that_find_no_database_make_it_together() {
    let context = Context::new(Conf::empty().set_master("local[8]")).unwrap();
    for round in 0..50 {
        let database = Database::new("together");
        let stored = letters(&context, 8).save_exactly_once("letters", 1000, counting(&database.file()));
        assert_eq!(stored.map_err(|error| error.to_string()), Ok(8), "round {round}");
        assert_eq!(database.counts(), all(100));
    }
}

#[test]
fn a_partition_that_can_not_be_stored_whole_is_not_stored() {
    let database = Database::new("whole");
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    let sink = counting(&database.file());
    letters(&context, 1).save_exactly_once("letters", 1000, sink.clone()).unwrap();

    // The first record that is there already breaks the statement.
    let failing = letters(&context, 1).union(&context.parallelize([("a".to_owned(), 7)], 1)).coalesce(1);
    let strict = SqliteSink::new(database.file(), "insert into counts values (?1, ?2)");
    let error = failing.save_exactly_once("letters", 2000, strict).unwrap_err().to_string();
    assert!(
        error.contains("UNIQUE") && error.contains("counts.db") && error.contains("nothing of the partition"),
        "{error}"
    );
    assert_eq!(database.counts(), all(100));

    assert_eq!(failing.save_exactly_once("letters", 2000, sink).unwrap(), 1);
    let mut expected = all(200);
    expected[0].1 += 7;
    assert_eq!(database.counts(), expected);
}

#[test]
fn records_that_break_leave_nothing() {
    let database = Database::new("records");
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    let sink = counting(&database.file());
    letters(&context, 1).save_exactly_once("letters", 1000, sink.clone()).unwrap();
    let broken = letters(&context, 1).map(|(letter, n)| {
        assert!(letter != "z", "no z");
        (letter, n)
    });
    let error = broken.save_exactly_once("letters", 2000, sink).unwrap_err().to_string();
    assert!(error.contains("no z"), "{error}");
    assert_eq!(database.counts(), all(100));
}

#[test]
fn what_can_not_be_right_is_refused() {
    let database = Database::new("refused");
    let context = Context::new(Conf::empty()).unwrap();
    let sink = counting(&database.file());
    letters(&context, 2).save_exactly_once("letters", 1000, sink.clone()).unwrap();
    let error = letters(&context, 3).save_exactly_once("letters", 1000, sink).unwrap_err().to_string();
    assert!(error.contains("it had 2 partitions") && error.contains("counts.db"), "{error}");

    let wrong = SqliteSink::new(database.file(), "insert into nowhere values (?1, ?2)");
    let error = letters(&context, 1).save_exactly_once("x", 1000, wrong).unwrap_err().to_string();
    assert!(error.contains("no such table: nowhere"), "{error}");

    let missing = SqliteSink::new("/no/such/directory/x.db", "select 1");
    let error = letters(&context, 1).save_exactly_once("x", 1000, missing).unwrap_err().to_string();
    assert!(error.contains("/no/such/directory/x.db") && error.contains("unable to open"), "{error}");
    assert_eq!(database.counts(), all(100));
}

#[test]
fn names_of_old_batches_are_forgotten_by_batch_time() {
    let database = Database::new("forgotten");
    let context = Context::new(Conf::empty()).unwrap();
    let week = 7 * 24 * 3600 * 1000;
    for batch in [1000, 2000, week + 1500] {
        letters(&context, 2).save_exactly_once("letters", batch, counting(&database.file())).unwrap();
    }
    let names = Connection::open(database.file()).unwrap();
    let count: i64 =
        names.query_row("select count(*) from millstream_batches", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 4);
}

#[test]
fn a_batch_whose_name_may_be_forgotten_is_refused() {
    let database = Database::new("too-old");
    let context = Context::new(Conf::empty()).unwrap();
    let (sink, week) = (counting(&database.file()), 7 * 24 * 3600 * 1000);
    for batch in [1000, week + 1500] {
        letters(&context, 2).save_exactly_once("letters", batch, sink.clone()).unwrap();
    }
    // Once stored, and its name forgotten: it must not be added again.
    let error =
        letters(&context, 2).save_exactly_once("letters", 1000, sink.clone()).unwrap_err().to_string();
    assert!(error.contains("older by more than seven days than batch 604801500 ms"), "{error}");
    assert_eq!(database.counts(), all(200));
    // The oldest that would be remembered, and one of another output.
    assert_eq!(letters(&context, 2).save_exactly_once("letters", 1500, sink.clone()).unwrap(), 2);
    assert_eq!(letters(&context, 2).save_exactly_once("others", 1000, sink).unwrap(), 2);
    assert_eq!(database.counts(), all(400));
}

#[test]
fn what_others_store_while_the_records_are_computed_is_seen() {
    let context = Context::new(Conf::empty().set_master("local[1]")).unwrap();
    for (partitions, remains) in [(1, "Ok(0)"), (3, "it had 3 partitions")] {
        let database = Database::new(&format!("meanwhile-{partitions}"));
        letters(&context, 1).save_exactly_once("letters", 1000, counting(&database.file())).unwrap();
        let file = database.file();
        let meanwhile = letters(&context, 1).map(move |(letter, n)| {
            let name = "insert or ignore into millstream_batches values ('letters', 2000, 0, ?1)";
            Connection::open(&file).unwrap().execute(name, [partitions]).unwrap();
            (letter, n)
        });
        let stored = meanwhile.save_exactly_once("letters", 2000, counting(&database.file()));
        let stored = format!("{:?}", stored.map_err(|error| error.to_string()));
        assert!(stored.contains(remains), "{stored}");
        assert_eq!(database.counts(), all(100));
    }
}

#[test]
fn what_is_no_database_that_stays_is_refused() {
    let database = Database::new("none");
    let context = Context::new(Conf::empty()).unwrap();
    let store = |file: &Path| {
        let stored = letters(&context, 1).save_exactly_once("letters", 1000, counting(file));
        stored.unwrap_err().to_string()
    };
    for memory in ["", ":memory:", "file::memory:?cache=shared"] {
        let error = store(Path::new(memory));
        assert!(error.contains("is in memory") && error.contains("name a file"), "{memory}: {error}");
    }
    std::fs::write(database.file(), "a text is no database".repeat(100)).unwrap();
    let error = store(&database.file());
    assert!(error.contains("name a file that is a database"), "{error}");
    let error = store(&database.0.join("missing/counts.db"));
    assert!(error.contains("its directory must be there"), "{error}");
    // A table of another program's that has the name of the one of the sink's.
    let foreign = database.0.join("foreign.db");
    Connection::open(&foreign).unwrap().execute("create table millstream_batches (n integer)", []).unwrap();
    let error = store(&foreign);
    assert!(error.contains("no such column") && error.contains("foreign.db"), "{error}");
}

#[test]
fn odd_names_of_files_and_outputs_are_names() {
    let database = Database::new("odd ' % ? # ; é");
    let context = Context::new(Conf::empty()).unwrap();
    let sink = counting(&database.file());
    for output in ["", "it's", "a;drop table counts", "é\n%_"] {
        for stored in [2, 0] {
            let now = letters(&context, 2).save_exactly_once(output, 1000, sink.clone()).unwrap();
            assert_eq!(now, stored, "{output}");
        }
    }
    assert_eq!(database.counts(), all(400));
    assert!(database.file().exists());
}

#[test]
fn two_streams_under_one_name_in_a_database_are_refused_whatever_they_run() {
    let database = Database::new("two-streams");
    let driver = Driver::new(Conf::empty(), Duration::from_secs(1)).unwrap();
    let letters = driver.input(batches![[("a".to_owned(), 1_u64)]]);
    let other = SqliteSink::new(database.file(), "insert into others values (?1, ?2)");
    letters.save_exactly_once("letters", counting(&database.file()));
    letters.save_exactly_once("others", other.clone());
    letters.save_exactly_once("letters", other);
    let refused = driver.run(1).unwrap_err().to_string();
    assert!(
        refused.contains("the output `letters` of this sink is also that of save_exactly_once at "),
        "{refused}"
    );
}
