//! The examples that put streams and data sets together, and those that keep a list.

use super::{LIMIT, RULE, Server, batches, example, reaches};
use crate::programs::{Ending, Program, ScratchFolder};
use std::io::Write;
use std::time::Duration;

#[test]
fn two_streams_are_joined_by_key() {
    let (left, right) = (Server::new(), Server::new());
    let arguments = ["127.0.0.1", &left.port(), &right.port(), "--interval", "100ms", "--window", "600s"];
    let mut program = Program::start(&mut example("stateless_join", &arguments));
    let (mut left, mut right) = (left.accept(), right.accept());
    writeln!(left, "apple red\nbanana yellow\nwithout-value").unwrap();
    // What is sent to the right side before the left side has arrived meets nothing, so it is sent until it does.
    let met = (0..120).any(|_| {
        writeln!(right, "apple 3\ncherry 9").unwrap();
        matches!(program.watch(Some("(apple,(red,3))\n"), Duration::from_secs(1)), Ending::Printed)
    });
    assert!(met, "{}", program.seen());
    assert!(["banana", "cherry", "without"].iter().all(|word| !program.seen().contains(word)));
}

#[test]
fn counts_stand_beside_those_of_a_file() {
    let folder = ScratchFolder::new();
    let history = folder.path().join("counts.txt");
    std::fs::write(&history, "hello 40\nold 7\nno count\n").unwrap();
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), history.to_str().unwrap(), "--interval", "100ms"];
    let mut program = Program::start(&mut example("historic_counts", &arguments));
    let mut client = server.accept();
    for (line, records) in [
        ("hello new hello", ["(hello,(2,Some(40)))\n", "(new,(1,None))\n"]),
        ("no old old old", ["(no,(1,None))\n", "(old,(3,Some(7)))\n"]),
    ] {
        writeln!(client, "{line}").unwrap();
        records.iter().for_each(|record| reaches(&mut program, record));
    }
}

#[test]
fn a_word_that_was_seen_is_on_the_list_from_then_on() {
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), "--interval", "100ms"];
    let mut program = Program::start(&mut example("transform_blacklist", &arguments));
    let mut client = server.accept();
    writeln!(client, "hello zhangsan\nhello a\nhello lisi").unwrap();
    reaches(&mut program, "hello a\n");
    // A batch is printed when those before it are done, so what is sent after a later one meets the longer list.
    let seen = batches(program.seen()).len();
    while batches(program.seen()).len() < seen + 2 {
        let more = program.watch_next(LIMIT);
        assert!(matches!(more, Ending::Printed), "{more:?}");
    }
    writeln!(client, "hello a\nhello zhangsan\nhello ab").unwrap();
    reaches(&mut program, "hello ab\n");
    writeln!(client, "end").unwrap();
    reaches(&mut program, &format!("{RULE}end\n\n"));
    assert_eq!(program.seen().matches("hello a\n").count(), 1, "{}", program.seen());
    assert_eq!(program.seen().matches("hello").count(), 2, "{}", program.seen());
}
