//! The examples that keep a list.

use super::{LIMIT, RULE, Server, batches, example, reaches, with_stderr};
use crate::programs::{Ending, Program, ScratchFolder};
use std::io::Write;

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
fn a_list_is_read_again_when_its_file_changes() {
    for way in [&[] as &[&str], &["--broadcast"]] {
        let folder = ScratchFolder::new();
        let list = folder.path().join("list");
        let replace = |names: &str| {
            // As a whole: what is looked at in between is the one or the other.
            std::fs::write(folder.path().join("new"), names).unwrap();
            std::fs::rename(folder.path().join("new"), &list).unwrap();
        };
        replace("mallory\n");
        let server = Server::new();
        let (port, path) = (server.port(), list.display().to_string());
        let arguments = [&["127.0.0.1", &port, &path, "--interval", "100ms"], way].concat();
        let mut program = Program::start(&mut with_stderr(&example("blacklist_join", &arguments)));
        reaches(&mut program, "Listed: mallory\n");
        let mut client = server.accept();
        // The last line of each is in the same batch as those before it, or in a later one.
        writeln!(client, "mallory first\nbob first\nalone\nalice first").unwrap();
        reaches(&mut program, "(alice,first)\n");
        reaches(&mut program, "(bob,first)\n");

        // A batch that was made before this was told has none of what is sent now.
        replace("bob\neve\n");
        reaches(&mut program, "Listed: bob eve\n");
        writeln!(client, "bob second\nmallory second\neve second\nalice second").unwrap();
        reaches(&mut program, "(alice,second)\n");
        reaches(&mut program, "(mallory,second)\n");

        std::fs::remove_file(&list).unwrap();
        reaches(&mut program, "; the list stays\n");
        writeln!(client, "bob third\nalice third").unwrap();
        reaches(&mut program, "(alice,third)\n");

        replace("");
        reaches(&mut program, "Listed: \n");
        writeln!(client, "bob fourth\neve fourth").unwrap();
        reaches(&mut program, "(bob,fourth)\n");
        reaches(&mut program, "(eve,fourth)\n");

        let seen = program.seen();
        for (sender, texts) in [
            ("mallory", vec!["second"]),
            ("bob", vec!["first", "fourth"]),
            ("eve", vec!["fourth"]),
            ("alone", vec![]),
        ] {
            let of_sender =
                seen.lines().filter_map(|line| line.strip_prefix(&format!("({sender},"))?.strip_suffix(')'));
            assert_eq!(of_sender.collect::<Vec<_>>(), texts, "{sender} {way:?}: {seen}");
        }
    }
}
