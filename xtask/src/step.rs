//! Steps: programs that are run one after the other, named, timed, and read while their output streams through.

use crate::Result;
use crate::totals::Totals;
use std::fmt;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The steps run so far, their times, and the tests they reported.
pub(crate) struct Steps {
    /// Where all output goes: stdout, but in this file's own tests, whose made-up totals nobody may count.
    out: Box<dyn Write>,
    done: Vec<(String, Duration)>,
    totals: Totals,
    testing: bool,
}

impl Steps {
    /// No step yet; output goes to stdout.
    pub(crate) fn new() -> Self {
        Self::printing_to(Box::new(std::io::stdout()))
    }

    fn printing_to(out: Box<dyn Write>) -> Self {
        Self { out, done: Vec::new(), totals: Totals::default(), testing: false }
    }

    /// Runs `work` as the step `name`; the first step that fails ends the run.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        say(&mut self.out, format_args!("==> {name}"))?;
        let start = Instant::now();
        let outcome = work(&mut self.out);
        let time = start.elapsed();
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        say(&mut self.out, format_args!("<== {name}: {verdict} in {:.1} s", time.as_secs_f64()))?;
        self.done.push((name.to_owned(), time));
        outcome.map_err(|message| format!("step `{name}`: {message}"))
    }

    /// Runs a program as the step `name`.
    pub(crate) fn program(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.run(name, |out| stream(command, out, |_| {}))
    }

    /// Runs a program as the step `name` and adds the tests it reports to the totals.
    pub(crate) fn tests(&mut self, name: &str, command: &mut Command) -> Result<()> {
        self.testing = true;
        let mut totals = Totals::default();
        let outcome = self.run(name, |out| stream(command, out, |line| totals.read_line(line)));
        // A test program that was killed, or did not compile, reports no count: it is a failure all the same.
        if outcome.is_err() && totals.failed == 0 {
            totals.failed = 1;
        }
        self.totals.passed += totals.passed;
        self.totals.failed += totals.failed;
        self.totals.skipped += totals.skipped;
        outcome
    }

    /// Prints the times and, where tests ran, the totals as the closing line; passes the first error on.
    pub(crate) fn finish(mut self, outcome: Result<()>) -> Result<()> {
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        say(&mut self.out, format_args!(""))?;
        for (name, time) in &self.done {
            say(&mut self.out, format_args!("{:>8.1} s  {name}", time.as_secs_f64()))?;
        }
        say(&mut self.out, format_args!("{:>8.1} s  in all", total.as_secs_f64()))?;
        let outcome = match outcome {
            Ok(()) if self.testing => self.totals.verdict(),
            other => other,
        };
        if self.testing {
            if let Err(message) = &outcome {
                say(&mut self.out, format_args!("{message}"))?;
            }
            say(&mut self.out, format_args!("{}", self.totals))?;
        }
        outcome
    }
}

fn say(out: &mut dyn Write, line: fmt::Arguments<'_>) -> Result<()> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| format!("cannot write to stdout: {e}"))
}

/// Runs a program; its output goes on as it comes, and each whole line of its stdout to `read_line`.
pub(crate) fn stream(
    command: &mut Command,
    out: &mut dyn Write,
    mut read_line: impl FnMut(&str),
) -> Result<()> {
    say(out, format_args!("    {}", shown(command)))?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| unstarted(command, &e))?;
    let mut line = Vec::new();
    if let Some(mut from) = child.stdout.take() {
        let mut buffer = [0; 8192];
        loop {
            let n = from
                .read(&mut buffer)
                .map_err(|e| format!("cannot read the output of `{}`: {e}", shown(command)))?;
            if n == 0 {
                break;
            }
            // Not by lines: who watches wants to see `test a ...` before its `ok`.
            out.write_all(&buffer[..n])
                .and_then(|()| out.flush())
                .map_err(|e| format!("cannot write to stdout: {e}"))?;
            for byte in &buffer[..n] {
                if *byte == b'\n' {
                    read_line(&String::from_utf8_lossy(&line));
                    line.clear();
                } else {
                    line.push(*byte);
                }
            }
        }
    }
    if !line.is_empty() {
        read_line(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().map_err(|e| format!("cannot wait for `{}`: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs a program to its end and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|e| unstarted(command, &e))?;
    if !output.status.success() {
        return Err(format!("`{}` failed ({})", shown(command), output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|e| format!("the output of `{}` is no UTF-8: {e}", shown(command)))
}

fn unstarted(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start `{}`: {error}; is it installed and on the PATH?", shown(command))
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name).chain(command.get_args()).map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn tests_are_summed_over_steps() {
        let mut steps = Steps::printing_to(Box::new(std::io::sink()));
        let line = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'";
        steps.tests("one", &mut shell(line)).unwrap();
        steps.tests("two", &mut shell(line)).unwrap();
        assert_eq!(steps.totals, Totals { passed: 4, failed: 0, skipped: 0 });
        assert_eq!(steps.finish(Ok(())), Ok(()));
    }

    #[test]
    fn a_test_program_that_dies_without_a_count_is_one_failure() {
        let mut steps = Steps::printing_to(Box::new(std::io::sink()));
        let outcome = steps.tests("crash", &mut shell("kill -9 $$"));
        assert_eq!(steps.totals, Totals { passed: 0, failed: 1, skipped: 0 });
        assert!(steps.finish(outcome).unwrap_err().contains("step `crash`"));
    }

    #[test]
    fn a_skipped_test_fails_the_run_although_each_step_passed() {
        let mut steps = Steps::printing_to(Box::new(std::io::sink()));
        let line = "echo 'test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out'";
        let outcome = steps.tests("skipping", &mut shell(line));
        assert!(steps.finish(outcome).unwrap_err().contains("skipped tests: 1"));
    }

    #[test]
    fn the_last_line_needs_no_line_end() {
        let (mut lines, mut printed) = (Vec::new(), Vec::new());
        stream(&mut shell("printf 'a\\nb'"), &mut printed, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b"]);
        assert!(printed.ends_with(b"\na\nb"));
    }

    #[test]
    fn a_missing_program_is_named_with_a_remedy() {
        let message =
            stream(&mut Command::new("no-such-program-here"), &mut std::io::sink(), |_| {}).unwrap_err();
        assert!(message.contains("no-such-program-here") && message.contains("installed"), "{message}");
    }
}
