//! The examples that go on after a crash.

use super::{Server, example, reaches};
use crate::programs::{Program, ScratchFolder};
use std::io::Write;
use std::time::Duration;

#[test]
fn words_are_counted_on_after_a_kill() {
    let folder = ScratchFolder::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (checkpoints, output) = (path("checkpoints"), path("counts"));
    let server = Server::new();
    let arguments = ["127.0.0.1", &server.port(), &checkpoints, &output, "--interval", "100ms"];
    let start = || Program::start(&mut example("recoverable_network_word_count", &arguments));

    let mut program = start();
    reaches(&mut program, "Creating new context\n");
    let mut client = server.accept();
    writeln!(client, "a b hello hello").unwrap();
    reaches(&mut program, "(hello,2)]\nDropped 2 word(s) totally\n");
    // What a batch has dropped counts once the batch was completed, which is so when a later one runs. Three lines a batch.
    for _ in 0..9 {
        assert!(matches!(program.watch_next(Duration::from_secs(60)), crate::programs::Ending::Printed));
    }
    drop(client);
    drop(program); // killed

    let mut program = start();
    reaches(&mut program, "Going on after batch ");
    let mut client = server.accept();
    writeln!(client, "c world").unwrap();
    reaches(&mut program, "(world,1)]\nDropped 3 word(s) totally\n");
    drop(program);

    let counts = std::fs::read_to_string(&output).unwrap();
    let times: Vec<u64> = counts
        .lines()
        .map(|line| {
            let rest = line.strip_prefix("Counts at time ").unwrap();
            rest.split_once(" ms [").unwrap().0.parse().unwrap()
        })
        .collect();
    assert!(times.is_sorted() && times.iter().all(|time| time % 100 == 0), "{counts}");
    for word in ["[(hello,2)]", "[(world,1)]"] {
        assert_eq!(counts.matches(word).count(), 1, "{counts}");
    }
}
