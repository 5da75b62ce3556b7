//! A run: feeds children, has each end as planned, and lets the last one come to the end.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::asked::Asked;
use crate::data::Data;
use crate::outcome::{Outcome, is_up_to_date, sessions};
use crate::pipeline::Life;
use crate::plan::{End, Plan};
use crate::server::Server;
use crate::{Result, say};

/// The version of the program that comes to the end, where others were killed.
pub(crate) const LAST_VERSION: u64 = 2;

/// How long a child may take to come to the place where it is to die.
const AT_A_PLACE: Duration = Duration::from_secs(120);

/// How long nothing may change in the outputs before what is missing is taken for lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a child dies of which a savepoint is there that no batch was begun after.
const WITH_SAVEPOINT: [&str; 3] =
    ["savepoint-after-publish", "savepoint-before-answer", "savepoint-after-answer"];

/// The signal by which a child dies at a place; by any other it has broken down.
const SIGKILL: i32 = 9;

/// A run of the pipeline, over as many processes as it takes.
pub(crate) struct Run<'a> {
    data: Data,
    plan: &'a Plan,
    directory: PathBuf,
    server: Server,
    files: u64,
    lives: u64,
    /// How many savepoints were gone on from.
    savepoints: usize,
    /// The places at which a child has died.
    reached: BTreeSet<&'static str>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(data: Data, plan: &'a Plan, name: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("millstream-kill-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        for folder in ["in", "moving"] {
            let made = fs::create_dir_all(directory.join(folder));
            made.map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        }
        let server = Server::start(data)?;
        Ok(Run { data, plan, directory, server, files: 0, lives: 0, savepoints: 0, reached: BTreeSet::new() })
    }

    /// Kills so many children and lets the last one come to the end; returns what the outputs hold, and where they lie.
    pub(crate) fn finish(mut self, kills: usize) -> Result<(PathBuf, Outcome)> {
        let mut last = self.start(1, None)?;
        self.begun(&mut last)?;
        for _ in 0..self.data.first_files() {
            self.add_file()?;
        }
        if kills > 0 {
            kill(&mut last)?;
            for number in 0..kills {
                self.add_file()?;
                self.one_life(number)?;
            }
            self.tell_places(kills)?;
            last = self.start(LAST_VERSION, None)?;
        }
        self.server.hurry();
        while self.files < self.data.files {
            self.add_file()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        self.settle(&mut last)?;
        Ok((self.directory.clone(), Outcome::read(&self.directory)?))
    }

    fn tell_places(&self, kills: usize) -> Result<()> {
        let places = millstream_core::failpoint::NAMES;
        let missed: Vec<&str> =
            places.iter().filter(|place| !self.reached.contains(*place)).copied().collect();
        let (reached, all) = (self.reached.len(), places.len());
        let savepoints = self.savepoints;
        say(format_args!(
            "killed at {reached} of {all} places, went on from {savepoints} savepoints; not at {missed:?}"
        ));
        let enough = self.plan.kills_for_all();
        if kills >= enough && !missed.is_empty() {
            return Err(format!(
                "{enough} kills come to all places, and these were never reached: {missed:?}"
            ));
        }
        Ok(())
    }

    /// Waits until a child has completed a batch: files from before the streams were first started are none of theirs, and the
    /// named variables are those of the first child for good.
    fn begun(&self, child: &mut Child) -> Result<()> {
        let begun = Instant::now();
        let state = self.checkpoint().join("state/1");
        // Those of a batch are written when it was completed, and a checkpoint that names them before those of the next one.
        let variables = || {
            let files = fs::read_dir(&state).into_iter().flatten().flatten();
            files.filter(|file| file.file_name().to_string_lossy().starts_with("variables-")).count()
        };
        while variables() < 2 {
            if begun.elapsed() > PATIENCE {
                kill(child)?;
                return Err(format!("the first child has not begun; see {}", self.log().display()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Starts a child and has it die.
    fn one_life(&mut self, number: usize) -> Result<()> {
        let end = self.plan.end(number);
        let acknowledged = self.server.acknowledged();
        let place = match end {
            End::Place(place, times) => Some((place, times)),
            End::Moment(_) | End::CaughtUp(_) | End::Stopping(..) => None,
        };
        let mut child = self.start(self.plan.version(number), place)?;
        let asked = match end {
            End::Place(place, _) if is_of_savepoint(place) => {
                Some(Asked::for_savepoint(self.checkpoint(), self.next_savepoint())?)
            }
            End::Moment(_) if self.plan.is_asked(number) => {
                let directory = self.directory.join(format!("asked-for-{number}"));
                Some(Asked::for_savepoint(self.checkpoint(), directory)?)
            }
            _ => None,
        };
        let died = self.wait_for_end(number, end, &mut child);
        drop(asked);
        died?;
        if place.is_some_and(|(place, _)| WITH_SAVEPOINT.contains(&place)) {
            // What the child has received since the savepoint lies in a log that nobody goes on from.
            self.savepoints += 1;
            self.server.set_back(acknowledged);
        }
        Ok(())
    }

    fn wait_for_end(&mut self, number: usize, end: End, child: &mut Child) -> Result<()> {
        let begun = Instant::now();
        loop {
            let ended = child.try_wait().map_err(|error| format!("cannot wait for the child: {error}"))?;
            if let Some(status) = ended {
                let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGKILL);
                match end {
                    End::Place(place, _) if killed => {
                        self.reached.insert(place);
                        return Ok(());
                    }
                    End::Stopping(..) if child.stdin.is_none() && status.success() => return Ok(()),
                    _ => {}
                }
                let log = self.log();
                return Err(format!(
                    "kill {number} ({end:?}): the child ended by itself ({status}); see {}",
                    log.display()
                ));
            }
            match end {
                End::Moment(moment) if begun.elapsed() >= moment => return kill(child),
                End::Stopping(moment, stopping) if begun.elapsed() >= moment + stopping => {
                    return kill(child);
                }
                End::Stopping(moment, _) if begun.elapsed() >= moment => drop(child.stdin.take()),
                // On a machine that is too busy none ever has.
                End::CaughtUp(moment) if is_up_to_date(&self.directory) || begun.elapsed() >= AT_A_PLACE => {
                    std::thread::sleep(moment);
                    return kill(child);
                }
                End::Place(place, times) if begun.elapsed() >= AT_A_PLACE => {
                    kill(child)?;
                    return Err(format!(
                        "kill {number}: the child has not come to {place} {times} times in {AT_A_PLACE:?}; see {}",
                        self.log().display()
                    ));
                }
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn checkpoint(&self) -> PathBuf {
        self.directory.join(format!("checkpoint-{}", self.savepoints))
    }

    /// Returns where the savepoint lies that the current checkpoint directory was begun with, if it was.
    fn savepoint(&self) -> Option<PathBuf> {
        (self.savepoints > 0).then(|| self.directory.join(format!("savepoint-{}", self.savepoints)))
    }

    /// Returns where the next savepoint is written, again and again until it is.
    fn next_savepoint(&self) -> PathBuf {
        self.directory.join(format!("savepoint-{}", self.savepoints + 1))
    }

    fn start(&mut self, version: u64, place: Option<(&str, u64)>) -> Result<Child> {
        let failed = |error| format!("cannot start the child: {error}");
        let log = File::options().create(true).append(true).open(self.log()).map_err(failed)?;
        let life = Life {
            directory: self.directory.clone(),
            checkpoint: self.checkpoint(),
            savepoint: self.savepoint(),
            port: self.server.port,
            number: self.lives,
            version,
        };
        self.lives += 1;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(life.words());
        if let Some((place, times)) = place {
            command.env("MILLSTREAM_FAILPOINT", format!("{place}:{times}"));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().map_err(failed)
    }

    fn log(&self) -> PathBuf {
        self.directory.join("child.log")
    }

    /// Puts the next file into the directory that is watched, as a whole.
    fn add_file(&mut self) -> Result<()> {
        if self.files == self.data.files {
            return Ok(());
        }
        let name = Data::file_name(self.files);
        let moving = self.directory.join("moving").join(&name);
        let moved = fs::write(&moving, self.data.file(self.files).join("\n") + "\n")
            .and_then(|()| fs::rename(&moving, self.directory.join("in").join(&name)));
        self.files += 1;
        moved.map_err(|error| format!("cannot add the file {name}: {error}"))
    }

    /// Waits until all sessions have ended, or nothing changes any more, and lets the child stop.
    fn settle(&self, child: &mut Child) -> Result<()> {
        let wanted = self.data.kept().collect::<Vec<_>>();
        let (mut changed, mut before) = (Instant::now(), Vec::new());
        let ended =
            |status| Err(format!("the last child ended by itself ({status}); see {}", self.log().display()));
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = sessions(&self.directory);
            if now == wanted || changed.elapsed() > PATIENCE {
                break;
            }
            if now != before {
                (changed, before) = (Instant::now(), now);
            }
            if let Ok(Some(status)) = child.try_wait() {
                return ended(status);
            }
        }
        drop(child.stdin.take());
        let status = child.wait().map_err(|error| format!("cannot wait for the child: {error}"))?;
        if status.success() { Ok(()) } else { ended(status) }
    }
}

/// Returns whether a program comes to a place only when it is asked for a savepoint.
fn is_of_savepoint(place: &str) -> bool {
    place.starts_with("savepoint-") && !place.ends_with("-adopt") && !place.ends_with("-adopted")
}

fn kill(child: &mut Child) -> Result<()> {
    child.kill().map_err(|error| format!("cannot kill the child: {error}"))?;
    child.wait().map(drop).map_err(|error| format!("cannot wait for the child: {error}"))
}
