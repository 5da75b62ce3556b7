//! `pipe`: the records through another program.

use std::fmt::{Display, Write as _};
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use super::Rdd;
use super::method::Method;
use super::narrow::Form;
use crate::chunk::CHUNK;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::show::{Show, shown};
use crate::stream::{self, ChunkStream};

impl<T: Data + Show> Rdd<T> {
    /// Sends the records of each partition to a program as lines, and makes a record of each line that it writes.
    ///
    /// One process is started per partition; `command` is the program and its arguments, which no shell looks at. Records are
    /// written as `print` would; what the program writes is held until it has been given all of them. A program that can not be started, or ends with anything but success, fails the task.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let upper = context.parallelize(["to", "be"].map(String::from), 1).pipe(["tr", "a-z", "A-Z"]);
    /// assert_eq!(upper.collect()?, ["TO", "BE"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn pipe<S: Into<String>>(&self, command: impl IntoIterator<Item = S>) -> Rdd<String> {
        self.pipe_with(command, Vec::<(String, String)>::new())
    }

    /// Sends the records of each partition to a program with variables added to its environment.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let none = context.parallelize(Vec::<i32>::new(), 1);
    /// let said = none.pipe_with(["printenv", "GREETING"], [("GREETING", "hello")]);
    /// assert_eq!(said.collect()?, ["hello"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn pipe_with<S: Into<String>, V: Into<String>>(
        &self,
        command: impl IntoIterator<Item = S>,
        variables: impl IntoIterator<Item = (V, V)>,
    ) -> Rdd<String> {
        let command: Vec<String> = command.into_iter().map(Into::into).collect();
        let variables: Vec<(String, String)> =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let form = Form { name: "pipe", env: (command, variables), keeps_keys: false };
        self.per_partition(form, |(command, variables), input, _| {
            piped(command, variables, input, |_| {}, |record, lines| lines.line(shown(record)))
        })
    }
}

impl<T: Data> Rdd<T> {
    /// Sends lines of each partition to a program: first those that `before` writes, then those that `each` writes for a
    /// record, both of values that go along to the workers.
    ///
    /// Where nothing goes along, `env` is `()`.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let header = "name;count".to_owned();
    /// let lines = context.parallelize([("a", 1), ("b", 2)].map(|(name, n)| (name.to_owned(), n)), 1).pipe_env(
    ///     header,
    ///     ["cat"],
    ///     |header, lines| lines.line(header),
    ///     |_, (name, count), lines| lines.line(format_args!("{name};{count}")),
    /// );
    /// assert_eq!(lines.collect()?, ["name;count", "a;1", "b;2"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    #[track_caller]
    pub fn pipe_env<E: Data, S: Into<String>>(
        &self,
        env: E,
        command: impl IntoIterator<Item = S>,
        before: impl Fn(&E, &mut PipeInput) + Send + Sync + 'static,
        each: impl Fn(&E, &T, &mut PipeInput) + Send + Sync + 'static,
    ) -> Rdd<String> {
        let command: Vec<String> = command.into_iter().map(Into::into).collect();
        let name = Method::or(
            "pipe_env",
            "pipe_env(values, command, |values, lines| .., |values, record, lines| ..)",
        );
        let form = Form { name, env: (command, env), keeps_keys: false };
        self.per_partition(form, move |(command, env), input, _| {
            piped(command, &[], input, |lines| before(env, lines), |record, lines| each(env, record, lines))
        })
    }
}

/// The lines that a program is given.
#[derive(Debug, Default)]
pub struct PipeInput {
    text: String,
    failed: bool,
}

impl PipeInput {
    /// Adds a line.
    ///
    /// # Examples
    /// ```
    /// # let context = millstream_core::Context::new(millstream_core::Conf::empty())?;
    /// let lines = context.parallelize([1, 2], 1).pipe_env((), ["cat"], |_, _| (), |_, n, lines| lines.line(n));
    /// assert_eq!(lines.collect()?, ["1", "2"]);
    /// # Ok::<(), millstream_core::Error>(())
    /// ```
    pub fn line(&mut self, line: impl Display) {
        self.failed |= writeln!(self.text, "{line}").is_err();
    }

    fn checked(&self) -> Result<&[u8]> {
        if self.failed {
            return Err(Error::user(
                "a record could not be written as text: it gave an error when it was shown",
            ));
        }
        Ok(self.text.as_bytes())
    }
}

fn piped<T: Data>(
    command: &[String],
    variables: &[(String, String)],
    mut input: ChunkStream<T>,
    before: impl Fn(&mut PipeInput),
    each: impl Fn(&T, &mut PipeInput),
) -> Result<ChunkStream<String>> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::user("`pipe` was given no command; give a program and its arguments"));
    };
    let child = Command::new(program)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Error::io(format!("starting the program `{program}`"), error))?;
    let mut process = Process { child, program: program.clone() };
    let (Some(mut stdin), Some(stdout)) = (process.child.stdin.take(), process.child.stdout.take()) else {
        return Err(Error::poisoned("a process without the pipes that were asked for"));
    };
    // Read by a thread of its own, without bounds: a program may wait for its output to be read before it reads on.
    let (send, lines) = mpsc::channel();
    std::thread::Builder::new()
        .name("pipe".into())
        .spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            loop {
                let chunk: std::io::Result<Vec<String>> = lines.by_ref().take(CHUNK).collect();
                let last = chunk.as_ref().map_or(true, Vec::is_empty);
                if send.send(chunk).is_err() || last {
                    return;
                }
            }
        })
        .map_err(|error| Error::io("starting a thread for `pipe`", error))?;
    let mut given = PipeInput::default();
    before(&mut given);
    // A program that does not read all of its input is no failure, as in a shell.
    while stdin.write_all(given.checked()?).is_ok() {
        given.text.clear();
        match input.next_chunk()? {
            Some(chunk) => chunk.for_each(|record| each(record, &mut given)),
            None => break,
        }
    }
    drop(stdin);
    Ok(stream::from_fn(move || match lines.recv() {
        Ok(Ok(chunk)) if !chunk.is_empty() => Ok(Some(chunk.into())),
        Ok(Ok(_)) => process.must_succeed().map(|()| None),
        Ok(Err(error)) => Err(Error::io(format!("reading what `{}` writes", process.program), error)),
        Err(mpsc::RecvError) => Ok(None),
    }))
}

/// A running program; killed when it is no longer wanted.
struct Process {
    child: Child,
    program: String,
}

impl Process {
    fn must_succeed(&mut self) -> Result<()> {
        let status =
            self.child.wait().map_err(|error| Error::io(format!("waiting for `{}`", self.program), error))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::user(format!(
            "the program `{}` ended with {status}; see what it wrote to stderr",
            self.program
        )))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Without effect on one that has ended; the thread that reads it ends with its pipe.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use crate::{Conf, Context};

    #[test]
    fn more_than_the_pipes_hold_goes_through() {
        let context = Context::new(Conf::empty().set_master("local[2]")).unwrap();
        let piped = context.parallelize(0..200_000, 2).pipe(["cat"]);
        assert_eq!(piped.count().unwrap(), 200_000);
        assert_eq!(context.parallelize(0..200_000, 1).pipe(["head", "-n", "1"]).collect().unwrap(), ["0"]);
        assert_eq!(context.parallelize(0..100_000, 1).pipe(["wc", "-l"]).collect().unwrap(), ["100000"]);
    }

    #[test]
    fn programs_that_fail_fail_the_task() {
        let context = Context::new(Conf::empty()).unwrap();
        let error = |command: &[&str]| {
            context.parallelize([1], 1).pipe(command.iter().copied()).collect().unwrap_err().to_string()
        };
        assert!(error(&["no-such-program"]).contains("starting the program `no-such-program`"));
        assert!(error(&["sh", "-c", "exit 3"]).contains("exit status: 3"));
        assert!(error(&[]).contains("no command"));
    }
}
