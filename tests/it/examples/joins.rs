//! The examples that put streams and data sets together.

use super::{RULE, Server, example, reaches};
use crate::programs::{Ending, Program, ScratchFolder};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// A join of streams with the options it is given, and its two servers.
fn join(options: &[&str]) -> (Program, TcpStream, TcpStream) {
    let (left, right) = (Server::new(), Server::new());
    let (left_port, right_port) = (left.port(), right.port());
    let arguments = ["127.0.0.1", &left_port, &right_port, "--interval", "100ms"];
    let program = Program::start(&mut example("stateless_join", &[&arguments, options].concat()));
    (program, left.accept(), right.accept())
}

/// A kind of join; what it prints of a key of both sides, and of keys of one side; the words it never prints.
type Kind = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const KINDS: [Kind; 5] = [
    ("inner", "(apple,(red,3))\n", &[], &["banana", "cherry"]),
    ("left-outer", "(apple,(red,Some(3)))\n", &["(banana,(yellow,None))\n"], &["cherry"]),
    ("right-outer", "(apple,(Some(red),3))\n", &["(cherry,(None,9))\n"], &["banana"]),
    (
        "full-outer",
        "(apple,(Some(red),Some(3)))\n",
        &["(banana,(Some(yellow),None))\n", "(cherry,(None,Some(9)))\n"],
        &[],
    ),
    (
        "cogroup",
        "(apple,(List(red),List(3)))\n",
        &["(banana,(List(yellow),List()))\n", "(cherry,(List(),List(9)))\n"],
        &[],
    ),
];

const LEFT: &str = "apple red\nbanana yellow\nwithout-value";
const RIGHT: &str = "apple 3\ncherry 9";

#[test]
fn what_comes_in_one_batch_is_joined_in_every_way() {
    for (kind, both, one_sided, never) in KINDS {
        let (mut program, mut left, mut right) = join(&["--join", kind]);
        // What two servers send at the same time may fall into two batches, and is sent until it does not.
        let met = (0..120).any(|_| {
            writeln!(left, "{LEFT}").unwrap();
            writeln!(right, "{RIGHT}").unwrap();
            matches!(program.watch(Some(both), Duration::from_secs(1)), Ending::Printed)
        });
        assert!(met, "{kind}: {}", program.seen());
        one_sided.iter().for_each(|record| reaches(&mut program, record));
        assert!([never, &["without"]].concat().iter().all(|word| !program.seen().contains(word)), "{kind}");
    }
}

#[test]
fn what_comes_in_two_windows_is_joined_in_every_way() {
    for (kind, both, one_sided, never) in KINDS {
        // Both windows hold all there is, so that it meets, however far apart it comes.
        let windows = ["--left-window", "600s", "--right-window", "1200s"];
        let (mut program, mut left, mut right) = join(&[&["--join", kind], &windows as &[&str]].concat());
        writeln!(left, "{LEFT}").unwrap();
        writeln!(right, "{RIGHT}").unwrap();
        reaches(&mut program, both);
        one_sided.iter().for_each(|record| reaches(&mut program, record));
        assert!([never, &["without"]].concat().iter().all(|word| !program.seen().contains(word)), "{kind}");
    }
}

#[test]
fn only_a_window_looks_back() {
    let (alone_left, alone_right) = ("(early,(Some(x),None))\n", "(early,(None,Some(1)))\n");
    let both = "(early,(Some(x),Some(1)))\n";
    for (options, meets) in [
        (&[] as &[&str], false),
        (&["--left-window", "600s"], true),
        (&["--left-window", "600s", "--right-window", "600s"], true),
        // The window has let go of it by the time that a batch is empty.
        (&["--left-window", "300ms", "--right-window", "600s"], false),
    ] {
        let (mut program, mut left, mut right) = join(&[&["--join", "full-outer"], options].concat());
        writeln!(left, "early x").unwrap();
        reaches(&mut program, alone_left);
        if !meets {
            let seen = program.seen().rfind(alone_left).unwrap();
            super::reads_on(&mut program, "an empty batch", |text| {
                text[seen..].contains(&format!(" ms\n{RULE}\n"))
            });
        }
        writeln!(right, "early 1").unwrap();
        reaches(&mut program, if meets { both } else { alone_right });
        assert_eq!(program.seen().contains(both), meets, "{options:?}: {}", program.seen());
    }
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
