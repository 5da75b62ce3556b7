//! Writing: group commit, rolling, trying again.
//!
//! Whoever finds no one at work commits for all that wait: there is no thread of the log's own, a lone writer waits for
//! its own fsync only, and many share one.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::iter;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use millstream_core::Error as CoreError;
use millstream_core::failpoint;
use millstream_core::fs::{FsPath, LocalFs, failed};

use super::direct::Direct;
use super::frame::{self, FRAME};
use super::segment::{Ended, HEAD, SegmentName, head};
use super::{LogPosition, Record, WriteAheadLog};
use crate::error::Result;
use crate::time::Time;

/// What waits to be written, and what became of it.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Vec<Waiting>,
    done: HashMap<u64, Result<LogPosition>>,
    next: u64,
    /// Whether someone commits.
    busy: bool,
}

struct Waiting {
    ticket: u64,
    record: Arc<dyn Record>,
    /// The bytes of the record.
    length: u32,
    time: Time,
}

impl Waiting {
    /// Returns how many bytes it takes in a segment.
    fn length(&self) -> u64 {
        FRAME as u64 + u64::from(self.length)
    }
}

/// A group of fewer bytes is not worth the way past the cache.
const DIRECT: u64 = 1 << 20;

/// The records of a group in their frames, as parts that are written one after the other.
struct Frames<'a>(Vec<([u8; FRAME], Vec<&'a [u8]>)>);

impl<'a> Frames<'a> {
    fn of(group: &'a [Waiting]) -> Self {
        let framed = |waiting: &'a Waiting| {
            let parts = waiting.record.parts();
            (frame::head(waiting.length, &parts), parts)
        };
        Frames(group.iter().map(framed).collect())
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().flat_map(|(head, parts)| iter::once(&head[..]).chain(parts.iter().copied()))
    }

    /// Writes them by as few calls of the system as can be and without a copy.
    fn write(&self, to: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> =
            self.parts().filter(|part| !part.is_empty()).map(IoSlice::new).collect();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            match to.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Where is written.
#[derive(Default)]
pub(super) struct Writing {
    open: Option<Open>,
    /// The segment before, which the next one names.
    before: Option<Ended>,
    /// The last one of earlier runs, if that is all that is known of it.
    behind: Option<SegmentName>,
}

/// The segment that is written to.
struct Open {
    name: SegmentName,
    file: File,
    path: FsPath,
    length: u64,
    /// For large writes, once there was one; nothing if the file system does not have it.
    direct: OnceCell<Option<Direct>>,
}

impl Open {
    /// Appends frames of so many bytes; they are not synchronised.
    fn append(&mut self, frames: &Frames<'_>, bytes: u64) -> io::Result<()> {
        let Open { file, path, length, direct, .. } = self;
        if bytes >= DIRECT {
            direct.get_or_init(|| Direct::open(&path.as_local()?));
            if let Some(Some(direct_file)) = direct.get_mut() {
                match direct_file.append(file, *length, frames.parts()) {
                    // The file could be opened, but is not written so: on to the usual way, for good.
                    Err(error) if error.kind() == ErrorKind::InvalidInput => {
                        file.set_len(*length)?;
                        *direct = OnceCell::from(None);
                    }
                    written => return written,
                }
            }
        }
        frames.write(file)
    }
}

impl Writing {
    /// Returns the name of the segment that is written to.
    pub(super) fn current(&self) -> Option<SegmentName> {
        self.open.as_ref().map(|open| open.name)
    }

    /// Notes the segment that an earlier run of the program has ended with.
    pub(super) fn goes_on_after(&mut self, before: Option<Ended>) {
        if self.open.is_none() && self.before.is_none() {
            self.before = before;
        }
    }

    /// Notes a segment of an earlier run, behind which the next one is to lie.
    pub(super) fn begins_behind(&mut self, name: SegmentName) {
        self.behind = self.behind.max(Some(name));
    }

    /// Returns when the next segment begins at the earliest: segments are read in the order of their names, so it comes after the one
    /// before it also if the clock was put back.
    fn least_start(&self) -> Option<Time> {
        let before = self.before.map(|before| before.name).max(self.behind)?;
        Some(Time::from_millis(before.start.as_millis() + 1))
    }

    /// Closes the segment: the next record begins another.
    pub(super) fn end(&mut self) {
        if let Some(open) = self.open.take() {
            self.before = Some(Ended { name: open.name, length: open.length });
        }
    }
}

impl WriteAheadLog {
    /// Writes a record of `time` and returns when it is on disk. No other handle of it is left then, but for a moment.
    ///
    /// # Errors
    /// If it could not be written as often as it may be tried.
    pub(crate) fn write(&self, record: Arc<dyn Record>, time: Time) -> Result<LogPosition> {
        let length: usize = record.parts().iter().map(|part| part.len()).sum();
        let Ok(length) = u32::try_from(length) else {
            let error = io::Error::other(
                "a record of more than 4 GiB can not be logged; store fewer records at once",
            );
            return Err(failed("logging to", &self.directory, error).into());
        };
        let mut queue = self.queue();
        let ticket = queue.next;
        queue.next += 1;
        queue.waiting.push(Waiting { ticket, record, length, time });
        loop {
            if let Some(done) = queue.done.remove(&ticket) {
                return done;
            }
            if queue.busy {
                queue = self.committed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.busy = true;
            let together = if self.config.group_commit { queue.waiting.len() } else { 1 };
            let group: Vec<Waiting> = queue.waiting.drain(..together).collect();
            drop(queue);
            let committed = self.commit(&group);
            queue = self.queue();
            queue.busy = false;
            match committed {
                Ok(positions) => {
                    let done = group.iter().zip(positions).map(|(waiting, at)| (waiting.ticket, Ok(at)));
                    queue.done.extend(done);
                }
                Err(error) => {
                    queue.done.extend(group.iter().map(|waiting| (waiting.ticket, Err(error.clone()))))
                }
            }
            self.committed.notify_all();
        }
    }

    /// Returns how often a group was committed.
    #[cfg(test)]
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Returns how many records were handed in, whether they wait or not.
    #[cfg(test)]
    pub(super) fn handed_in(&self) -> u64 {
        self.queue().next
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self, group: &[Waiting]) -> Result<Vec<LogPosition>> {
        let mut writing = self.writing();
        let mut tried = 1;
        loop {
            let error = match self.try_commit(&mut writing, group) {
                Ok(positions) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    return Ok(positions);
                }
                Err(error) => error,
            };
            // What came after the last commit, if anything did, must not be read as if it had been acknowledged.
            if let Some(broken) = &writing.open
                && let Err(error) = broken.file.set_len(broken.length)
            {
                tracing::warn!("{}: the end of a failed write can not be cut off: {error}", broken.path);
            }
            writing.end();
            if tried >= self.config.max_failures {
                return Err(error.into());
            }
            tracing::warn!("writing to the log failed ({tried} of {}): {error}", self.config.max_failures);
            tried += 1;
        }
    }

    fn try_commit(
        &self,
        writing: &mut Writing,
        group: &[Waiting],
    ) -> millstream_core::Result<Vec<LogPosition>> {
        let time = group.iter().map(|waiting| waiting.time).max().unwrap_or_default();
        failpoint::reach("log-before-write");
        let (name, begin) = if self.config.close_file_after_write {
            let name = self.publish(time, group, writing)?;
            let frames: u64 = group.iter().map(Waiting::length).sum();
            writing.before = Some(Ended { name, length: HEAD as u64 + frames });
            (name, HEAD as u64)
        } else {
            if writing.current().is_none_or(|name| name.stop < time) {
                writing.end();
                writing.open = Some(self.begin(time, writing)?);
            }
            let Some(open) = &mut writing.open else { return Ok(Vec::new()) };
            let path = open.path.clone();
            let bytes = group.iter().map(Waiting::length).sum();
            open.append(&Frames::of(group), bytes).map_err(|error| failed("writing", &path, error))?;
            failpoint::reach("log-after-write");
            open.file.sync_data().map_err(|error| failed("writing", &path, error))?;
            let begin = open.length;
            open.length += bytes;
            (open.name, begin)
        };
        failpoint::reach("log-after-fsync");
        let mut offset = begin;
        let position = |waiting: &Waiting| {
            let at = LogPosition { segment: name.to_string(), offset, length: waiting.length };
            offset += waiting.length();
            at
        };
        Ok(group.iter().map(position).collect())
    }

    /// Begins a segment that grows.
    fn begin(&self, time: Time, writing: &Writing) -> millstream_core::Result<Open> {
        self.system.make_directories(&self.directory)?;
        for name in self.names(time, writing) {
            let path = self.directory.join(&name.to_string());
            let broken = |error| failed("beginning", &path, error);
            let Some(local) = path.as_local() else {
                return Err(broken(io::Error::other("its file system has no files that grow")));
            };
            let mut file = match OpenOptions::new().read(true).append(true).create_new(true).open(&local) {
                // One of another run, or of the same millisecond.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened.map_err(broken)?,
            };
            failpoint::reach("segment-before-write");
            file.write_all(&head(self.config.generation, writing.before)).map_err(broken)?;
            failpoint::reach("segment-after-write");
            LocalFs.sync_name(&path)?;
            return Ok(Open { name, file, path, length: HEAD as u64, direct: OnceCell::new() });
        }
        Err(self.no_name())
    }

    /// Writes a segment that holds one commit.
    fn publish(
        &self,
        time: Time,
        group: &[Waiting],
        writing: &Writing,
    ) -> millstream_core::Result<SegmentName> {
        for name in self.names(time, writing) {
            let path = self.directory.join(&name.to_string());
            let mut writer = self.system.create_new(&path)?;
            let head = head(self.config.generation, writing.before);
            let written = writer.write_all(&head).and_then(|()| Frames::of(group).write(&mut writer));
            written.map_err(|error| failed("writing", &path, error))?;
            failpoint::reach("log-after-write");
            if writer.publish_new()? {
                return Ok(name);
            }
        }
        Err(self.no_name())
    }

    /// Returns the names that a segment begun at `time` may have; the first that is free is taken.
    fn names(&self, time: Time, writing: &Writing) -> impl Iterator<Item = SegmentName> + use<> {
        let interval = self.config.rolling_interval;
        let first = writing.least_start().map_or(time, |least| time.max(least));
        let millis = (first.as_millis()..).take(100_000).map(Time::from_millis);
        millis.map(move |start| SegmentName { start, stop: start + interval })
    }

    fn no_name(&self) -> CoreError {
        let error = io::Error::other("all names for a new segment are taken; clean the directory");
        failed("beginning a segment in", &self.directory, error)
    }
}
