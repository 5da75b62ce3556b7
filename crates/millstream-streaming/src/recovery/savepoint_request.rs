//! A savepoint that another process asks for: by a file in the checkpoint directory, which is answered by a file.
//!
//! | name | what it is |
//! |---|---|
//! | `savepoint-request` | where the savepoint is to be written; deleted by the program when it sees it |
//! | `savepoint-answer-<id>` | what became of it; deleted by whoever asked |

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use millstream_core::Error as CoreError;
use millstream_core::failpoint;
use millstream_core::fs::{FileSystem, FileSystems, FsPath, failed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checkpoint::Lease;
use super::checkpointer::Checkpointer;
use super::read_file::read_file;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::time::Time;

const REQUEST: &str = "savepoint-request";
const ANSWER: &str = "savepoint-answer-";

/// How often whoever asks looks for the answer.
const LOOK: Duration = Duration::from_millis(100);

/// How often a program looks for requests on other storage than this machine's, where a look takes time.
const LOOK_FAR: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// No other request has it.
    id: String,
    directory: String,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// The last batch that is in it.
    Written(Time),
    Failed(String),
}

/// Has the program that writes into a checkpoint directory write a savepoint into another one, when its next batch is completed;
/// returns the last batch that is in it.
///
/// The command `millstream savepoint` does this; a program asks itself by
/// [`RunningContext::savepoint`](crate::RunningContext::savepoint).
///
/// # Errors
/// If no program runs there, it does not answer within `patience`, or it can not write the savepoint.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use millstream_core::{Conf, Context};
/// use millstream_streaming::checkpoints;
///
/// # let directory = std::env::temp_dir().join(format!("request_savepoint-{}", std::process::id()));
/// let files = Context::new(Conf::empty())?.file_systems();
/// let refused = checkpoints::request_savepoint(&files, &directory, directory.join("mine"), Duration::from_secs(1));
/// assert!(refused.unwrap_err().to_string().contains("no running program writes"));
/// # Ok::<(), millstream_streaming::Error>(())
/// ```
pub fn request_savepoint(
    files: &FileSystems,
    checkpoints: impl AsRef<Path>,
    directory: impl AsRef<Path>,
    patience: Duration,
) -> Result<Time> {
    let checkpoints = FsPath::from_path(checkpoints)?;
    // In full: the program may run in another directory.
    let directory = FsPath::from_path(directory)?.to_string();
    let system = files.of(&checkpoints)?;
    if !Lease::is_taken(&*system, &checkpoints)? {
        return Err(no_program(&checkpoints));
    }
    let nanos = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let request = Request { id: format!("{}-{nanos}", std::process::id()), directory };
    let path = checkpoints.join(REQUEST);
    let begun = Instant::now();
    if !write(&*system, &path, &request)? {
        return Err(refused(
            format!("another savepoint is being asked for in {checkpoints}"),
            format!("wait for it, or delete {path} if nobody does"),
        ));
    }
    let answer = checkpoints.join(&format!("{ANSWER}{}", request.id));
    let outcome = wait_for(&*system, &checkpoints, &answer, begun, patience);
    for path in [path, answer] {
        if let Err(error) = system.delete(&path) {
            tracing::warn!("a file of a savepoint that was asked for is left over: {error}");
        }
    }
    outcome
}

/// Waits until the program has answered, is gone, or patience has come to its end.
fn wait_for(
    system: &dyn FileSystem,
    checkpoints: &FsPath,
    answer: &FsPath,
    begun: Instant,
    patience: Duration,
) -> Result<Time> {
    loop {
        match read(system, answer)? {
            Some(Answer::Written(time)) => return Ok(time),
            // What can be done about it is said there.
            Some(Answer::Failed(why)) => {
                return Err(CoreError::user(format!("the program could not write it: {why}")).into());
            }
            None if begun.elapsed() >= patience => {
                return Err(refused(
                    format!("the program in {checkpoints} has not answered within {patience:?}"),
                    "ask again with more patience: a savepoint is written after a batch".into(),
                ));
            }
            None if !Lease::is_taken(system, checkpoints)? => return Err(no_program(checkpoints)),
            None => thread::sleep(LOOK),
        }
    }
}

fn no_program(checkpoints: &FsPath) -> Error {
    refused(
        format!("no running program writes into {checkpoints}"),
        "start it; what a stopped program has left there is whole, and can be copied".into(),
    )
}

fn refused(problem: String, remedy: String) -> Error {
    CoreError::Argument { operator: "savepoint".into(), problem, remedy }.into()
}

/// Looks for requests, on the program's side.
#[derive(Debug, Default)]
pub(super) struct Requests {
    looked: Option<Instant>,
}

impl Checkpointer {
    /// Writes the savepoint that another process asks for, if one does; what goes wrong is told to it.
    pub(crate) fn answer_request(&mut self, graph: &Graph) {
        if let Err(error) = self.try_answer(graph) {
            tracing::warn!("a savepoint that was asked for is not written: {error}");
        }
    }

    fn try_answer(&mut self, graph: &Graph) -> Result<()> {
        let too_soon = self.requests.looked.is_some_and(|looked| looked.elapsed() < LOOK_FAR);
        if self.place().1.as_local().is_none() && too_soon {
            return Ok(());
        }
        self.requests.looked = Some(Instant::now());
        let (system, checkpoints) = self.place();
        let path = checkpoints.join(REQUEST);
        if !system.exists(&path)? {
            return Ok(());
        }
        let request: Result<Option<Request>> = read(system, &path);
        system.delete(&path)?;
        let Some(Request { id, directory }) = request? else { return Ok(()) };
        let written = FsPath::parse(&directory).map_err(Error::from);
        let answer = match written.and_then(|directory| self.savepoint(graph, &directory)) {
            Ok(time) => Answer::Written(time),
            Err(error) => Answer::Failed(error.to_string()),
        };
        failpoint::reach("savepoint-before-answer");
        write(system, &checkpoints.join(&format!("{ANSWER}{id}")), &answer)?;
        failpoint::reach("savepoint-after-answer");
        Ok(())
    }
}

/// Reads what a file says; nothing if it is not there.
fn read<T: DeserializeOwned>(system: &dyn FileSystem, path: &FsPath) -> Result<Option<T>> {
    let Some(bytes) = read_file(system, path)? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| failed("reading", path, error.into()).into())
}

/// Writes a file unless there is one; returns whether it did.
fn write<T: Serialize>(system: &dyn FileSystem, path: &FsPath, content: &T) -> Result<bool> {
    let bytes = serde_json::to_vec(content).map_err(|error| failed("writing", path, error.into()))?;
    let mut writer = system.create(path)?;
    writer.write_all(&bytes).map_err(|error| failed("writing", path, error))?;
    Ok(writer.publish_new()?)
}
