//! `Process`: a process that can be told from those that have its number after it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process of a machine that says when each was started, as Linux does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Where its number is unique: a boot of a machine, and what in it has numbers of its own, such as a container.
    numbered_by: String,
    pid: u32,
    /// When it was started, in ticks since the boot.
    started: u64,
}

/// What the machine says of a process number.
enum Number {
    /// The process that has it was started at this tick.
    Started(u64),
    /// None has it, or one that has ended and was not waited for.
    Free,
    /// It can not be told.
    Unknown,
}

impl Process {
    /// Returns this process; nothing where processes can not be told apart.
    pub(super) fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Returns a process of this machine that lives.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let Number::Started(started) = look(pid) else { return None };
        Some(Process { numbered_by: numbered_by()?, pid, started })
    }

    /// Returns whether it is certain that it has ended: one on another machine may always live.
    pub(super) fn is_dead(&self) -> bool {
        numbered_by().as_ref() == Some(&self.numbered_by)
            && match look(self.pid) {
                Number::Started(started) => started != self.started,
                Number::Free => true,
                Number::Unknown => false,
            }
    }
}

fn numbered_by() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbers = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), numbers.to_str()?))
}

fn look(pid: u32) -> Number {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // A machine may hide the processes of others, and then hides its first one too.
        Err(error) if error.kind() == ErrorKind::NotFound && Path::new("/proc/1").exists() => {
            return Number::Free;
        }
        Err(_) => return Number::Unknown,
        Ok(stat) => stat,
    };
    // `1 (a name that may hold anything) S 0 1 ..`: the state comes first, the time 19 fields after it.
    let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    match (fields.next(), fields.nth(18).map(str::parse)) {
        (Some("Z" | "X" | "x"), _) => Number::Free,
        (_, Some(Ok(started))) => Number::Started(started),
        _ => Number::Unknown,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_dead_when_it_has_ended_and_not_before() {
        let own = Process::own().unwrap();
        assert!(!own.is_dead());
        // Its number belongs to another one meanwhile.
        assert!(Process { started: own.started - 1, ..own.clone() }.is_dead());
        let elsewhere = Process { numbered_by: "another boot".into(), pid: u32::MAX, ..own.clone() };
        assert!(!elsewhere.is_dead());

        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(!process.is_dead());
        child.kill().unwrap();
        // Ended, be it waited for or not.
        while !process.is_dead() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(process.is_dead());
    }
}
