//! The examples that do something of their own with each batch, and those that read what other systems write.

use super::{LIMIT, RULE, Server, counts, example, licence, reaches, reads_on};
use crate::programs::{Program, ScratchFolder};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

#[test]
fn every_batch_is_saved_once() {
    let folder = ScratchFolder::new();
    let prefix = folder.path().join("made/for/it").join("words").display().to_string();
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), &prefix, "txt", "--interval", "100ms"];
    let program = Program::start(&mut example("save_to_files", &arguments));
    let mut client = server.accept();
    let text = licence();
    client.write_all(text.as_bytes()).unwrap();
    let end = Instant::now() + LIMIT;
    let total: u64 = counts(&text).values().sum();
    let saved = loop {
        let saved = saved(&folder.path().join("made/for/it"));
        if saved.values().sum::<u64>() >= total {
            break saved;
        }
        assert!(Instant::now() < end, "{saved:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(saved, counts(&text));
    drop(program);
}

#[test]
fn the_words_of_files_moved_into_a_directory_are_counted() {
    let folder = ScratchFolder::new();
    let watched = folder.path().join("texts");
    let path = watched.display().to_string();
    let mut program = Program::start(&mut example("hdfs_word_count", &[&path, "--interval", "100ms"]));
    reaches(&mut program, "Time: "); // it runs before there is a directory
    std::fs::create_dir_all(&watched).unwrap();
    let moved = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::rename(folder.path().join(name), watched.join(name)).unwrap();
    };
    moved(".hidden", "hidden hidden\n");
    for round in 0..3 {
        moved(&format!("file-{round}"), &format!("round-{round} round-{round}\n"));
        reaches(&mut program, &format!("(round-{round},2)\n"));
    }
    assert!(!program.seen().contains("(hidden,"), "{}", program.seen());
}

/// The sums of what lies in directories that are complete.
fn saved(folder: &Path) -> HashMap<String, u64> {
    let mut sums = HashMap::new();
    let Ok(batches) = std::fs::read_dir(folder) else { return sums };
    for batch in batches.map(|entry| entry.unwrap().path()).filter(|batch| batch.join("_SUCCESS").exists()) {
        let name = batch.file_name().unwrap().to_str().unwrap();
        let time = name.strip_prefix("words-").and_then(|rest| rest.strip_suffix(".txt"));
        assert!(time.is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time % 100 == 0)), "{name}");
        for part in std::fs::read_dir(&batch).unwrap().map(|entry| entry.unwrap().path()) {
            if part.file_name().unwrap().to_str().unwrap().starts_with("part-") {
                for (word, count) in super::printed(&std::fs::read_to_string(part).unwrap()) {
                    *sums.entry(word).or_default() += count;
                }
            }
        }
    }
    sums
}

#[test]
fn the_sink_sees_connections_that_are_kept_from_batch_to_batch() {
    let sink = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = sink.local_addr().unwrap().to_string();
    let (connected, connections) = channel();
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for connection in sink.incoming().map(Result::unwrap) {
            connected.send(connection.try_clone().unwrap()).unwrap();
            let send = send.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(connection).lines().map_while(Result::ok);
                lines.for_each(|line| send.send(line).unwrap());
            });
        }
    });
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), &address, "--interval", "200ms", "--master", "local[2]"];
    let _program = Program::start(&mut example("connection_per_partition", &arguments));
    let mut client = server.accept();
    let mut open = Vec::new();
    for round in 0..6 {
        // One line is one record and lies in one batch, which has as many partitions as there are workers.
        let words: Vec<String> = (0..100).map(|n| format!("word-{round}-{n}")).collect();
        writeln!(client, "{}", words.join(" ")).unwrap();
        let mut arrived: Vec<String> = words.iter().map(|_| lines.recv_timeout(LIMIT).unwrap()).collect();
        let mut expected: Vec<String> = words.iter().map(|word| format!("{word} 1")).collect();
        arrived.sort();
        expected.sort();
        assert_eq!(arrived, expected);
        open.extend(connections.try_iter());
        // One at least, and no more than tasks that run at once; after the third round they are new ones.
        assert!((1..=2).contains(&open.len()), "{} connections in round {round}", open.len());
        if round == 2 {
            open.drain(..).for_each(|connection| connection.shutdown(Shutdown::Both).unwrap());
        }
    }
}

#[test]
fn responses_are_counted_by_status() {
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), "600s", "100ms", "--interval", "100ms"];
    let mut program = Program::start(&mut example("access_log_windows", &arguments));
    let mut client = server.accept();
    let line = |request: &str, end: &str| {
        format!("127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"{request}\" {end}\n")
    };
    let log = [
        line("GET /apache_pb.gif HTTP/1.0", "200 2326"),
        line("GET /a\\\"b HTTP/1.1", "200 74 \"http://example.org/\" \"Mozilla/4.08\""),
        "no line of a log\n".to_owned(),
        line("GET /missing HTTP/1.1", "404 -"),
        line("GET /half", "20"),
    ];
    client.write_all(log[..2].concat().as_bytes()).unwrap();
    reaches(&mut program, "(200,(2,2400))\n");
    client.write_all(log[2..].concat().as_bytes()).unwrap();
    reaches(&mut program, "(404,(1,0))\n");
    assert!(!program.seen().contains("(20,"), "{}", program.seen());
}

#[test]
fn responses_leave_the_window() {
    let server = Server::new();
    // Ten slides long: each response is counted ten times.
    let arguments = ["127.0.0.1", &server.port(), "2s", "200ms", "--interval", "100ms"];
    let mut program = Program::start(&mut example("access_log_windows", &arguments));
    let mut client = server.accept();
    for (end, record) in
        [("200 2326", "(200,(1,2326))\n"), ("404 -", "(404,(1,0))\n"), ("200 74", "(200,(1,74))\n")]
    {
        let before = program.seen().len();
        writeln!(client, "127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" {end}").unwrap();
        reaches(&mut program, record);
        let counted = program.seen().rfind(record).unwrap();
        reads_on(&mut program, "the window is empty again", |seen| {
            seen[counted..].contains(&format!(" ms\n{RULE}\n"))
        });
        let seen = &program.seen()[before..];
        assert_eq!(seen.matches(record).count(), 10, "{seen}");
        assert_eq!(seen.lines().filter(|line| line.starts_with('(')).count(), 10, "{seen}");
    }
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
