//! `docs`: pages that are written by the program they describe.

use crate::step::output;
use crate::toolchain::cargo;
use crate::{Result, root};
use std::fs;

/// A generated page: where it lies, and the arguments of `millstream` that print it.
struct Page {
    path: &'static str,
    arguments: &'static [&'static str],
}

const PAGES: &[Page] = &[Page { path: "docs/configuration.md", arguments: &["settings", "--markdown"] }];

/// Writes every page that is not current.
pub(crate) fn write() -> Result<()> {
    for page in PAGES {
        let text = page.text()?;
        if page.committed()? != text {
            let path = root().join(page.path);
            fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
            println!("wrote {}", page.path);
        } else {
            println!("{} is current", page.path);
        }
    }
    Ok(())
}

/// Fails if a committed page differs from what the program says now.
pub(crate) fn check() -> Result<()> {
    for page in PAGES {
        if let Some((line, committed, current)) = first_difference(&page.committed()?, &page.text()?) {
            return Err(format!(
                "{}:{line} is out of date: it says `{committed}`, the program says `{current}`; run `cargo xtask docs`",
                page.path
            ));
        }
    }
    Ok(())
}

impl Page {
    fn text(&self) -> Result<String> {
        let mut command = cargo("run");
        command.args(["--quiet", "-p", "millstream", "--"]).args(self.arguments);
        let printed = output(&mut command)?;
        if printed.trim().is_empty() {
            return Err(format!("`millstream {}` printed nothing", self.arguments.join(" ")));
        }
        Ok(format!(
            "<!-- Written by `cargo xtask docs` from `millstream {}`: edits made here are lost. -->\n\n{}\n",
            self.arguments.join(" "),
            printed.trim()
        ))
    }

    /// The page as it lies there; empty if there is none yet.
    fn committed(&self) -> Result<String> {
        let path = root().join(self.path);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(e) => Err(format!("cannot read {}: {e}", path.display())),
        }
    }
}

/// The first line in which two texts differ: its number, and what each has there.
fn first_difference<'a>(committed: &'a str, current: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut left, mut right) = (committed.lines(), current.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (l, r) if l != r => return Some((number, l.unwrap_or("(end)"), r.unwrap_or("(end)"))),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn a_stale_page_is_found_by_its_first_differing_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("", "a\n"), Some((1, "(end)", "a")));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some((2, "b", "(end)")));
    }
}
