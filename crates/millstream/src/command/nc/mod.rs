//! `millstream nc`: as much of netcat as it takes to talk to a stream.
//!
//! | module | what is in it |
//! |---|---|
//! | here | what the options mean |
//! | `converse` | one connection, both ways |
//! | `keep` | `-k`: one client after the other, or several at once |
//! | `line_chunks` | stdin in pieces that end where a line does |

mod converse;
mod keep;
mod line_chunks;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use super::Failure;
use crate::stderr;

#[derive(Debug, Default, clap::Args)]
#[command(
    override_usage = "millstream nc [-l] [-k] PORT    listen on PORT\n       millstream nc HOST PORT         connect to HOST"
)]
pub(crate) struct Arguments {
    /// Listens, also if a host is given: on that address only.
    #[arg(short)]
    listen: bool,
    /// Outlives its clients: serves the next one, or several at once.
    #[arg(short)]
    keep: bool,
    /// The port to listen on; 0 takes one that is free.
    #[arg(short, value_name = "PORT")]
    port: Option<u16>,
    /// Is accepted as netcat's; what it adds is always told.
    #[arg(short)]
    verbose: bool,
    /// The port to listen on, or the host and the port to connect to.
    #[arg(value_name = "[HOST] PORT", num_args = 0..=2)]
    address: Vec<String>,
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Listen { host: Option<String>, port: u16, keep: bool },
    Connect { host: String, port: u16 },
}

/// Runs until stdin or the other side ends; with `-k` until it is killed.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Problem> {
    match wish(arguments)? {
        Wish::Connect { host, port } => {
            let connected = TcpStream::connect((host.as_str(), port));
            let socket = connected.map_err(|source| Problem::Connect { host, port, source })?;
            converse::converse(socket, io::stdin(), io::stdout()).map_err(Problem::Socket)
        }
        Wish::Listen { host, port, keep } => {
            let listener = listen(host.as_deref(), port).map_err(|source| Problem::listen(port, source))?;
            let address = listener.local_addr().map_err(Problem::Socket)?;
            stderr::line(format_args!("listening on port {}", address.port()));
            if keep {
                return keep::serve(&listener, io::stdin(), io::stdout).map_err(Problem::Socket);
            }
            let (socket, _) = listener.accept().map_err(Problem::Socket)?;
            // A second client is told at once that there is nothing for it.
            drop(listener);
            converse::converse(socket, io::stdin(), io::stdout()).map_err(Problem::Socket)
        }
    }
}

fn wish(arguments: &Arguments) -> Result<Wish, Problem> {
    let (host, port) = match (arguments.address.as_slice(), arguments.port) {
        ([], None) => return Err(Problem::NoPort),
        ([], Some(port)) => (None, port),
        ([port], None) => (None, port_of(port)?),
        // `nc -l -p 9999 localhost` is netcat's way to name the address.
        ([host], Some(port)) if arguments.listen => (Some(host.clone()), port),
        ([host, port], None) => (Some(host.clone()), port_of(port)?),
        _ => return Err(Problem::TwoPorts),
    };
    match host {
        Some(host) if !arguments.listen => {
            if arguments.keep {
                return Err(Problem::KeepWithoutListen);
            }
            Ok(Wish::Connect { host, port })
        }
        host => Ok(Wish::Listen { host, port, keep: arguments.keep }),
    }
}

fn port_of(text: &str) -> Result<u16, Problem> {
    text.parse().map_err(|_| Problem::NotAPort(text.to_owned()))
}

/// Listens on every address of the machine, as netcat does, unless one is named.
fn listen(host: Option<&str>, port: u16) -> io::Result<TcpListener> {
    if let Some(host) = host {
        return TcpListener::bind((host, port));
    }
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        // This one takes IPv4 as well; where it can not be had there is no IPv6.
        Err(error) if !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        outcome => outcome,
    }
}

/// Why there is no conversation.
#[derive(Debug)]
pub(crate) enum Problem {
    NoPort,
    NotAPort(String),
    TwoPorts,
    KeepWithoutListen,
    InUse(u16),
    Privileged(u16),
    Listen { port: u16, source: io::Error },
    Connect { host: String, port: u16, source: io::Error },
    Socket(io::Error),
}

impl Problem {
    fn listen(port: u16, source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::AddrInUse => Problem::InUse(port),
            ErrorKind::PermissionDenied => Problem::Privileged(port),
            _ => Problem::Listen { port, source },
        }
    }
}

impl Failure for Problem {
    fn is_misuse(&self) -> bool {
        use Problem::{KeepWithoutListen, NoPort, NotAPort, TwoPorts};
        matches!(self, NoPort | NotAPort(_) | TwoPorts | KeepWithoutListen)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoPort => write!(f, "no port is given; write `millstream nc 9999`"),
            Problem::NotAPort(text) => {
                write!(
                    f,
                    "`{text}` is not a port; write a number from 0 to 65535, as in `millstream nc 9999`"
                )
            }
            Problem::TwoPorts => {
                write!(
                    f,
                    "the port is given twice; write `millstream nc PORT` to listen or `millstream nc HOST PORT`"
                )
            }
            Problem::KeepWithoutListen => {
                write!(
                    f,
                    "-k is for listening; write `millstream nc -l -k HOST PORT`, or leave -k out to connect"
                )
            }
            Problem::InUse(port) => write!(
                f,
                "port {port} is in use by another program; end that one (`ss -ltnp` names it) or choose another port"
            ),
            Problem::Privileged(port) => {
                write!(f, "port {port} may only be used by root; choose one from 1024 on")
            }
            Problem::Listen { port, source } => {
                write!(
                    f,
                    "can not listen on port {port}: {source}; leave the host out to listen on all addresses"
                )
            }
            Problem::Connect { host, port, source } => write!(
                f,
                "can not connect to {host}:{port}: {source}; start the server first, or listen with `millstream nc {port}`"
            ),
            Problem::Socket(source) => write!(f, "the connection failed: {source}; start both sides again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn wish_of(line: &str) -> Result<Wish, String> {
        let words = std::iter::once("nc").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        wish(&line.arguments).map_err(|problem| problem.to_string())
    }

    #[test]
    fn all_of_netcats_spellings_listen() {
        for (line, keep) in [
            ("9999", false),
            ("-l 9999", false),
            ("-p 9999", false),
            ("-l -p 9999", false),
            ("-lp 9999", false),
            ("-lp9999", false),
            ("-v -l 9999", false),
            ("-k 9999", true),
            ("-lk 9999", true),
            ("-kl 9999", true),
            ("-l -k -p 9999", true),
            ("-lkp 9999", true),
            ("9999 -k", true),
        ] {
            assert_eq!(wish_of(line), Ok(Wish::Listen { host: None, port: 9999, keep }), "{line}");
        }
        for line in ["-lk localhost 9999", "-l -k -p 9999 localhost"] {
            let host = Some("localhost".to_owned());
            assert_eq!(wish_of(line), Ok(Wish::Listen { host, port: 9999, keep: true }), "{line}");
        }
    }

    #[test]
    fn host_and_port_connect() {
        assert_eq!(wish_of("localhost 9999"), Ok(Wish::Connect { host: "localhost".to_owned(), port: 9999 }));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, part) in [
            ("", "no port is given"),
            ("-l", "no port is given"),
            ("http", "`http` is not a port"),
            ("70000", "`70000` is not a port"),
            ("-p 70000", "70000 is not in 0..=65535"),
            ("localhost -p 9999", "given twice"),
            ("-p 9999 9999 9999", "given twice"),
            ("-k localhost 9999", "-k is for listening"),
            ("-u 9999", "unexpected argument '-u'"),
            ("a b c", "unexpected"),
        ] {
            let problem = wish_of(line).unwrap_err();
            assert!(problem.contains(part), "{line}: {problem}");
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_a_remedy() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let problem = run(&Arguments { port: Some(port), ..Arguments::default() }).unwrap_err().to_string();
        let expected = format!("port {port} is in use by another program; end that one");
        assert!(problem.starts_with(&expected), "{problem}");
    }
}
