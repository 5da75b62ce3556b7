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

/// Waits for two more batches: what is sent from then on is in a batch that is described after all that was seen before.
fn let_two_batches_pass(program: &mut Program) {
    let seen = batches(program.seen()).len();
    while batches(program.seen()).len() < seen + 2 {
        let more = program.watch_next(LIMIT);
        assert!(matches!(more, Ending::Printed), "{more:?}");
    }
}

#[test]
fn a_word_that_was_seen_is_on_the_list_from_then_on() {
    for in_one_transform in [&[] as &[&str], &["--in-one-transform"]] {
        let server = Server::new();
        let port = server.port();
        let arguments = [&["127.0.0.1", &port, "--interval", "100ms"], in_one_transform].concat();
        let mut program = Program::start(&mut example("transform_blacklist", &arguments));
        let mut client = server.accept();
        writeln!(client, "hello zhangsan\nhello a\nhello lisi").unwrap();
        reaches(&mut program, "hello a\n");
        let_two_batches_pass(&mut program);
        writeln!(client, "hello a\nhello zhangsan\nhello ab").unwrap();
        reaches(&mut program, "hello ab\n");
        let_two_batches_pass(&mut program);
        writeln!(client, "hello ab\nend").unwrap();
        reaches(&mut program, &format!("{RULE}end\n\n"));
        assert_eq!(program.seen().matches("hello a\n").count(), 1, "{}", program.seen());
        assert_eq!(program.seen().matches("hello").count(), 2, "{}", program.seen());
    }
}

#[test]
fn words_on_the_list_are_dropped_and_counted() {
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), "bad", "worse", "--interval", "100ms"];
    let mut program = Program::start(&mut example("word_blacklist", &arguments));
    let mut client = server.accept();
    writeln!(client, "good bad bad").unwrap();
    reaches(&mut program, " ms: good=1; 2 dropped so far\n");
    writeln!(client, "worse a a").unwrap();
    reaches(&mut program, " ms: a=2; 3 dropped so far\n");
    reaches(&mut program, " ms:; 3 dropped so far\n");
    assert!(!program.seen().contains("bad=") && !program.seen().contains("worse="), "{}", program.seen());
}

#[test]
fn the_words_of_a_batch_are_sorted_by_their_counts() {
    let server = Server::new();
    let arguments =
        ["127.0.0.1", &server.port(), "--top", "4", "--interval", "100ms", "--master", "local[2]"];
    let mut program = Program::start(&mut example("sort_in_foreach_rdd", &arguments));
    let mut client = server.accept();
    // One line is one record and lies in one batch.
    writeln!(client, "d c b b e e e a").unwrap();
    reaches(&mut program, " ms: e=3 b=2 a=1 c=1\n");
    let text = (1..=200).map(|n| format!("w{n} ").repeat(n)).collect::<String>();
    writeln!(client, "{text}").unwrap();
    reaches(&mut program, " ms: w200=200 w199=199 w198=198 w197=197\n");
}
