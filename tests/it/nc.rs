//! `millstream nc`, which plays netcat.

use crate::programs::{Ending, Program, free_port, release_program};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

fn nc(arguments: &[&str]) -> Command {
    let mut command = Command::new(release_program("millstream", "millstream"));
    command.arg("nc").args(arguments);
    command
}

/// Connects as soon as somebody listens.
fn connect(port: u16) -> BufReader<TcpStream> {
    let end = Instant::now() + LIMIT;
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => return BufReader::new(socket),
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn line_of(client: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line
}

fn assert_ends(program: &mut Program) {
    let ending = program.watch(None, LIMIT);
    assert!(matches!(ending, Ending::Exited(status) if status.success()), "{ending:?}");
}

#[test]
fn lines_typed_early_reach_the_first_client_and_its_end_is_the_end() {
    let port = free_port();
    let number = port.to_string();
    for arguments in [&[&*number] as &[&str], &["-l", &number], &["-l", "-p", &number], &["-lp", &number]] {
        let mut server = Program::start(&mut nc(arguments));
        server.input(&["early".to_owned(), "bird".to_owned()]);
        let mut client = connect(port);
        assert_eq!([line_of(&mut client), line_of(&mut client)], ["early\n", "bird\n"], "{arguments:?}");
        client.get_mut().write_all(b"an answer\n").unwrap();
        assert!(matches!(server.watch(Some("an answer\n"), LIMIT), Ending::Printed));
        let second = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        assert!(second.is_err(), "{arguments:?}: there is one client");
        drop(client);
        assert_ends(&mut server);
    }
}

#[test]
fn it_ends_when_all_of_its_input_was_delivered() {
    let port = free_port();
    let mut server = Program::start(&mut nc(&[&port.to_string()]));
    let lines: Vec<String> = (0..200_000).map(|i| format!("this is line {i}")).collect();
    let client = thread::spawn(move || {
        let mut text = String::new();
        connect(port).read_to_string(&mut text).unwrap();
        text
    });
    server.input(&lines);
    server.end_input();
    assert_ends(&mut server);
    let text = client.join().unwrap();
    assert!(text.lines().eq(lines), "{} bytes came", text.len());
}

#[test]
fn with_k_it_outlives_its_clients() {
    let port = free_port();
    let number = port.to_string();
    for arguments in [&["-lk", &*number] as &[&str], &["-l", "-k", "-p", &number], &["-k", &number]] {
        let mut server = Program::start(&mut nc(arguments));
        for round in 0..3 {
            let mut client = connect(port);
            // Heard on the other side, so it is known to be there, and the one before it to have left.
            client.get_mut().write_all(format!("client {round}\n").as_bytes()).unwrap();
            assert!(matches!(server.watch(Some(&format!("client {round}\n")), LIMIT), Ending::Printed));
            server.input(&[format!("line {round}")]);
            assert_eq!(line_of(&mut client), format!("line {round}\n"), "{arguments:?}");
        }
        server.end_input();
        drop(connect(port));
        assert!(server.is_running(), "{arguments:?}");
        server.signal("TERM");
        assert!(matches!(server.watch(None, LIMIT), Ending::Exited(_)));
    }
}

#[test]
fn it_is_a_client_too() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut program = Program::start(&mut nc(&["127.0.0.1", &port]));
    program.input(&["hello".to_owned()]);
    let mut server = BufReader::new(listener.accept().unwrap().0);
    assert_eq!(line_of(&mut server), "hello\n");
    server.get_mut().write_all(b"an answer\n").unwrap();
    drop(server);
    assert_ends(&mut program);
    assert_eq!(program.seen(), "an answer\n");
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let in_use = format!(
        "port {port} is in use by another program; end that one (`ss -ltnp` names it) or choose another"
    );
    let nobody = free_port().to_string();
    for (arguments, code, message) in [
        (&["-lk", &*port] as &[&str], 1, &*in_use),
        (&["127.0.0.1", &nobody], 1, "start the server first"),
        (&[], 2, "no port is given; write `millstream nc 9999`"),
        (&["http"], 2, "`http` is not a port"),
        (&["-k", "localhost", "9999"], 2, "-k is for listening"),
        (&["-x", "9999"], 2, "unexpected argument '-x'"),
    ] {
        let Output { status, stderr, .. } = nc(arguments).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
    }
}
