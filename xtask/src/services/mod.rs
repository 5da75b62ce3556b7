//! Other systems that tests talk to: installed from package registries when they are first needed, started, stopped.
//!
//! One file for each; a running service ends with its value. Nothing of them is installed on the machine: they lie in
//! the build folder, under `services/`.

pub(crate) mod s3;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Result, root};

/// How long a service may take until it answers.
const START: Duration = Duration::from_secs(120);

/// How often it is asked whether it answers.
const ASK: Duration = Duration::from_millis(100);

/// A program that serves until this is dropped.
pub(crate) struct Service {
    name: &'static str,
    /// The variable by which tests are told of it.
    pub(crate) variable: &'static str,
    pub(crate) address: SocketAddr,
    log: PathBuf,
    process: Child,
    /// Open as long as this program lives: a service is to end when it closes, however this program ended.
    _alive: Option<ChildStdin>,
}

impl Service {
    /// Starts a program on a free port and waits until `answers` says that it serves.
    fn start(
        name: &'static str,
        variable: &'static str,
        command: impl Fn(SocketAddr) -> Command,
        answers: impl Fn(SocketAddr) -> bool,
    ) -> Result<Service> {
        let address = free_address()?;
        let log = folder()?.join(format!("{name}-{}.log", address.port()));
        let output =
            std::fs::File::create(&log).map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let errors = output.try_clone().map_err(|e| format!("cannot write {}: {e}", log.display()))?;
        let mut command = command(address);
        let process = command.stdin(Stdio::piped()).stdout(output).stderr(errors).spawn();
        let mut process = process.map_err(|e| format!("cannot start the service {name}: {e}"))?;
        // Taken from the process, since waiting for that would close it.
        let alive = process.stdin.take();
        let mut service = Service { name, variable, address, log, process, _alive: alive };
        let start = Instant::now();
        while !answers(address) {
            let ended =
                service.process.try_wait().map_err(|e| format!("cannot watch the service {name}: {e}"))?;
            if let Some(status) = ended {
                return Err(service.failed(&format!("ended with {status} before it answered")));
            }
            if start.elapsed() > START {
                return Err(service.failed(&format!("did not answer within {} s", START.as_secs())));
            }
            std::thread::sleep(ASK);
        }
        Ok(service)
    }

    fn failed(&self, how: &str) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(10).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        format!(
            "the service {} {how}; the end of its log {}:\n{}",
            self.name,
            self.log.display(),
            end.join("\n")
        )
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

/// Starts a service for a person to use, until its program is ended from outside.
pub(crate) fn serve(name: &str) -> Result<()> {
    let mut service = match name {
        "s3" => s3::start(&mut std::io::stdout())?,
        other => return Err(format!("there is no service `{other}`; there is: s3")),
    };
    println!("export {}={}", service.variable, service.address);
    let ended = service.process.wait().map_err(|e| format!("cannot wait for the service {name}: {e}"))?;
    Err(service.failed(&format!("ended with {ended}")))
}

/// Where services are installed: beside what is built, so that it is kept and cleaned with it.
fn folder() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = root().join(target).join("services");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    Ok(folder)
}

/// An address of this machine that nobody listens at.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(|e| format!("cannot find a free port: {e}"))
}

/// Whether a web server answers a request for a path with success.
fn answers_http(address: SocketAddr, path: &str) -> bool {
    use std::io::Read;

    let ask = || -> std::io::Result<String> {
        let mut server = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        server.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(server, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        server.take(64).read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_ends_says_why() {
        let shell = |_| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo no luck; exit 3"]);
            command
        };
        let error = Service::start("test", "VARIABLE", shell, |_| false).err().unwrap_or_default();
        assert!(error.contains("exit status: 3") && error.ends_with("no luck"), "{error}");
    }

    #[test]
    fn a_service_is_ended_with_its_value() {
        let sleeping = |_| {
            let mut command = Command::new("sleep");
            command.arg("1000");
            command
        };
        let service = Service::start("sleep", "VARIABLE", sleeping, |_| true);
        let service = service.unwrap_or_else(|error| panic!("{error}"));
        let process = PathBuf::from(format!("/proc/{}", service.process.id()));
        assert!(process.exists());
        drop(service);
        assert!(!process.exists());
    }
}
