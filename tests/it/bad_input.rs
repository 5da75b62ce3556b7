//! What a server can do wrong: the example goes on, says what happened, and counts all that can be counted.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::programs::{Ending, Program, release_program};

const LIMIT: Duration = Duration::from_secs(120);

/// A word count of what a server at `port` sends; stderr goes into `log`.
fn word_count(port: u16, log: &std::path::Path) -> Program {
    let mut command = Command::new(release_program("millstream-examples", "network_word_count"));
    command.args(["127.0.0.1", &port.to_string(), "--interval", "100ms", "--master", "local[2]"]);
    command.args(["--records", "1000000", "--conf", "spark.streaming.receiverRestartDelay=100ms"]);
    Program::start(command.stderr(std::fs::File::create(log).unwrap()))
}

fn log(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("millstream-{name}-{}.log", std::process::id()))
}

/// Sends two last words, each once the one before was counted: then all batches before are printed whole.
fn finish(client: &mut TcpStream, program: &mut Program) {
    for word in ["#end-of-input", "#end-of-test"] {
        writeln!(client, "{word}").unwrap();
        let ending = program.watch(Some(&format!("({word},1)\n")), LIMIT);
        assert!(matches!(ending, Ending::Printed), "waiting for {word}: {ending:?}");
    }
}

/// The most memory a process has had, in bytes.
fn peak_memory(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_line_without_end_is_passed_over_in_bounded_memory() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let log = log("endless-line");
    let mut program = word_count(server.local_addr().unwrap().port(), &log);
    let mut client = server.accept().unwrap().0;
    writeln!(client, "before").unwrap();
    for _ in 0..100 {
        client.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    writeln!(client, "\nbehind").unwrap();
    finish(&mut client, &mut program);
    assert!(program.seen().contains("(before,1)\n") && program.seen().contains("(behind,1)\n"));
    // The limit is 16 MiB a line; 100 MiB would show.
    let peak = peak_memory(&program);
    assert!(peak < 90 << 20, "{peak} bytes");
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("millstream.streaming.socket.maxLineBytes"), "{said}");
    std::fs::remove_file(log).unwrap();
}

#[test]
fn broken_utf8_is_repaired_and_told_once() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let log = log("broken-utf8");
    let mut program = word_count(server.local_addr().unwrap().port(), &log);
    let mut client = server.accept().unwrap().0;
    client.write_all(b"a\xffb c\n\xf0\x9f\x92 d\n").unwrap();
    finish(&mut client, &mut program);
    for word in ["a\u{fffd}b", "c", "\u{fffd}", "d"] {
        assert!(program.seen().contains(&format!("({word},1)\n")), "{word}");
    }
    let said = std::fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("UTF-8").count(), 1, "{said}");
    std::fs::remove_file(log).unwrap();
}

#[test]
fn a_server_that_keeps_closing_loses_nothing_that_arrived() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let log = log("closing-server");
    let mut program = word_count(server.local_addr().unwrap().port(), &log);
    let rounds = 10;
    for round in 0..rounds {
        let mut client: TcpStream = server.accept().unwrap().0;
        // The last line has no end: what was sent before a close counts.
        write!(client, "round-{round}\nround-{round} last-{round}").unwrap();
    }
    let mut client = server.accept().unwrap().0;
    finish(&mut client, &mut program);
    for round in 0..rounds {
        let words = |word: &str| -> u64 {
            let records = program.seen().lines().filter_map(|line| line.strip_prefix(&format!("({word},")));
            records.map(|count| count.trim_end_matches(')').parse::<u64>().unwrap()).sum()
        };
        assert_eq!((words(&format!("round-{round}")), words(&format!("last-{round}"))), (2, 1));
    }
    std::fs::remove_file(log).unwrap();
}
