//! The parent: feeds a child, kills it, starts it again, and looks at what is left in the end.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millstream_core::shuffle::hash::pinned_hash;

use crate::data::Data;
use crate::outcome::Output;
use crate::server::Server;
use crate::{Result, child, say};

/// A child that is killed at a random moment lives no longer than this.
const LIFE: u64 = 700;

/// A child that is to die at a place is killed after this time if it does not come there.
const AT_A_PLACE: Duration = Duration::from_secs(4);

/// How long nothing may change in the outputs before what is missing is taken for lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the pipeline without kills and with them; returns in how many outputs the two differ.
pub(crate) fn run(kills: usize, seed: u64) -> Result<usize> {
    say(format_args!("seed {seed}"));
    let data = Data::for_kills(kills, seed);
    let undisturbed = Run::new(data, "undisturbed")?.finish(0)?;
    let disturbed = Run::new(data, "disturbed")?.finish(kills)?;
    let mut differences = 0;
    let wanted = child::expected(&data);
    for ((name, wanted), (left, right)) in wanted.iter().zip(undisturbed.iter().zip(&disturbed)) {
        for (which, got) in [("without kills", left), ("with kills", right)] {
            if got != wanted {
                differences += 1;
                say(format_args!("{name} {which} differs: {}", first_difference(wanted, got)));
            }
        }
    }
    Ok(differences)
}

fn first_difference(wanted: &str, got: &str) -> String {
    let mut lines = wanted.lines().zip(got.lines().chain(std::iter::repeat("(nothing)")));
    let differing = lines.find(|(wanted, got)| wanted != got);
    differing.map_or_else(
        || "there is more than wanted".to_owned(),
        |(wanted, got)| format!("`{got}` instead of `{wanted}`"),
    )
}

/// A run of the pipeline, over as many processes as it takes.
struct Run {
    data: Data,
    directory: PathBuf,
    server: Server,
    files: u64,
    /// The places at which a child has died.
    reached: BTreeSet<&'static str>,
}

impl Run {
    fn new(data: Data, name: &str) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("millstream-kill-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        for folder in ["in", "moving"] {
            let made = fs::create_dir_all(directory.join(folder));
            made.map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        }
        Ok(Run { data, directory, server: Server::start(data)?, files: 0, reached: BTreeSet::new() })
    }

    /// Kills so many children, lets the last one come to the end, and returns what the outputs hold.
    fn finish(mut self, kills: usize) -> Result<Vec<String>> {
        self.begin()?;
        for number in 0..kills {
            self.add_file()?;
            self.one_life(number)?;
        }
        if kills > 0 {
            let places = millstream_core::failpoint::NAMES;
            let missed: Vec<&str> =
                places.iter().filter(|place| !self.reached.contains(*place)).copied().collect();
            say(format_args!(
                "killed at {} of {} places; not at {missed:?}",
                self.reached.len(),
                places.len()
            ));
        }
        self.server.hurry();
        let mut last = self.start(None)?;
        while self.files < self.data.files {
            self.add_file()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        let outcome = self.settled(&mut last);
        kill(&mut last)?;
        let outcome = outcome?;
        // Kept where something differs, for whoever looks for the reason.
        if outcome.iter().zip(child::expected(&self.data)).all(|(got, (_, wanted))| *got == wanted) {
            let _ = fs::remove_dir_all(&self.directory);
        } else {
            say(format_args!("what is left lies in {}", self.directory.display()));
        }
        Ok(outcome)
    }

    /// Lets a first child come to its first batch: files from before the streams were first started are none of theirs.
    fn begin(&self) -> Result<()> {
        let mut child = self.start(None)?;
        let begun = Instant::now();
        let out = self.directory.join("out");
        while !out.exists() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        kill(&mut child)
    }

    /// Starts a child and kills it.
    fn one_life(&mut self, number: usize) -> Result<()> {
        let dice = |what: &str| pinned_hash(&(self.data.seed, what, number as u64));
        let places = millstream_core::failpoint::NAMES;
        // One in four at a random moment, the others at each of the places in turn for the first, second, .. time: 25 come to all.
        let place = (!number.is_multiple_of(4)).then(|| {
            let place = places[(number - number / 4 - 1) % places.len()];
            (place, 1 + dice("times") % 3)
        });
        let mut child = self.start(place)?;
        let (limit, what) = match place {
            Some((place, times)) => (AT_A_PLACE, format!("{place}:{times}")),
            None => (Duration::from_millis(dice("moment") % LIFE), "a random moment".to_owned()),
        };
        let begun = Instant::now();
        loop {
            let ended = child.try_wait().map_err(|error| format!("cannot wait for the child: {error}"))?;
            if let Some(status) = ended {
                let killed = std::os::unix::process::ExitStatusExt::signal(&status).is_some();
                if let Some((place, _)) = place.filter(|_| killed) {
                    self.reached.insert(place);
                    return Ok(());
                }
                return Err(format!(
                    "kill {number} ({what}): the child ended by itself ({status}); see {}",
                    self.log().display()
                ));
            }
            if begun.elapsed() >= limit {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        kill(&mut child)
    }

    fn start(&self, place: Option<(&str, u64)>) -> Result<Child> {
        let failed = |error| format!("cannot start the child: {error}");
        let log = File::options().create(true).append(true).open(self.log()).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("--child").arg(&self.directory).args(["--port", &self.server.port.to_string()]);
        if let Some((place, times)) = place {
            command.env("MILLSTREAM_FAILPOINT", format!("{place}:{times}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().map_err(failed)
    }

    fn log(&self) -> PathBuf {
        self.directory.join("child.log")
    }

    /// Puts the next file into the directory that is watched, as a whole.
    fn add_file(&mut self) -> Result<()> {
        if self.files == self.data.files {
            return Ok(());
        }
        let name = format!("{:05}.txt", self.files);
        let moving = self.directory.join("moving").join(&name);
        let moved = fs::write(&moving, self.data.file(self.files) + "\n")
            .and_then(|()| fs::rename(&moving, self.directory.join("in").join(&name)));
        self.files += 1;
        moved.map_err(|error| format!("cannot add the file {name}: {error}"))
    }

    /// Waits until the outputs hold what is expected, or do not change any more.
    fn settled(&self, child: &mut Child) -> Result<Vec<String>> {
        let wanted: Vec<String> = child::expected(&self.data).into_iter().map(|(_, text)| text).collect();
        let (mut changed, mut before) = (Instant::now(), Vec::new());
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = outcome(&self.directory)?;
            if now == wanted || changed.elapsed() > PATIENCE {
                return Ok(now);
            }
            if now != before {
                (changed, before) = (Instant::now(), now);
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!(
                    "the last child ended by itself ({status}); see {}",
                    self.log().display()
                ));
            }
        }
    }
}

fn kill(child: &mut Child) -> Result<()> {
    child.kill().map_err(|error| format!("cannot kill the child: {error}"))?;
    child.wait().map(drop).map_err(|error| format!("cannot wait for the child: {error}"))
}

fn outcome(directory: &Path) -> Result<Vec<String>> {
    child::OUTPUTS
        .iter()
        .map(|(name, kind)| {
            let output = Output::read(&directory.join("out"), name)?;
            Ok(match kind {
                child::Kind::Sums => output.sums(),
                child::Kind::Last => output.last(),
            })
        })
        .collect()
}
